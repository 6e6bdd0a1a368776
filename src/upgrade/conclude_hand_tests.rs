//! What a process has in hand, what outlives it, and what no look can confirm.

use super::*;

#[test]
fn nothing_but_better_evidence_is_concluded_over_an_answer_that_this_process_has_in_hand() {
    let sent = Case::of(Receipt::no(1)).seen(|s| s.doubt = Some(mono(0)));
    let sent = sent.sights(still_twice(FROM)).now(2 * GRACE);
    assert_eq!(sent.end(), Some(EndKind::NotTaken), "whoever has nothing in hand concludes");
    let in_hand = Case {
        custody: Custody::InHand,
        ..sent
    };
    assert_eq!(in_hand.doubts(), Some(false), "the answer will end it, no person is needed");
    let told = in_hand.resolved(Verdict::NotStarted);
    assert_eq!(told.doubts(), Some(false), "who says so does not know the answer");
    assert!(told.sights([Sight::moving(5, TO)]).adopts());
}

#[test]
fn a_refusal_that_no_look_can_confirm_does_not_wait_for_ever_and_a_person_may_end_it() {
    let refused = |sight: Sight| {
        let case = Case::of(Receipt::no(1).rejected(20)).seen(|s| s.refused = Some(mono(20)));
        case.sights([sight])
    };
    for sight in [Sight::unseen(TIMEOUT), Sight::still(TIMEOUT, FROM).partial()] {
        let early = refused(sight.clone()).now(TIMEOUT - 1).resolved(Verdict::NotStarted);
        assert_eq!(early.conclude(), Conclusion::Confirming, "it may be seen yet");
        let late = refused(sight).now(TIMEOUT);
        assert_eq!(late.doubts(), Some(true));
        let restarted = Case {
            ..refused(Sight::unseen(TIMEOUT))
        }
        .seen(|s| s.open = mono(TIMEOUT))
        .now(TIMEOUT + 1);
        assert_eq!(restarted.conclude(), Conclusion::Confirming, "we have only just begun to look");
        assert_eq!(
            late.resolved(Verdict::NotStarted).end(),
            Some(EndKind::Rejected),
            "it is what it was answered"
        );
    }
    let seen = refused(Sight::still(21, FROM)).now(TIMEOUT);
    assert_eq!(seen.end(), Some(EndKind::Rejected), "nobody is asked where a look told");
}

#[test]
fn what_may_have_been_the_start_outlives_the_process_that_saw_it() {
    let mut restarted = Case::in_doubt().sights(still_twice(FROM)).now(2 * GRACE);
    assert_eq!(restarted.end(), Some(EndKind::NotTaken), "nothing was ever seen");
    restarted.receipt = restarted.receipt.hinted(5);
    assert_eq!(restarted.doubts(), Some(true), "only a person can tell now");
    assert!(restarted.sights([Sight::moving(5, TO)]).adopts(), "or better evidence");
}

#[test]
fn a_receipt_of_ours_that_was_never_claimed_is_withdrawn_and_no_other() {
    let mut ours = Case::of(Receipt::no(1));
    ours.custody = Custody::Abandoned;
    assert_eq!(ours.end(), Some(EndKind::Withdrawn));
    ours.receipt = ours.receipt.lost(5);
    assert_eq!(ours.end(), None, "what has an answer was sent");
    let mut told = Case::of(Receipt::no(1))
        .resolved(Verdict::NotStarted)
        .seen(|s| s.doubt = Some(mono(0)));
    told.custody = Custody::Abandoned;
    assert_eq!(told.now(1).end(), Some(EndKind::Withdrawn));
}
