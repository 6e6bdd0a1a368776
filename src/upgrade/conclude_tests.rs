use super::super::memory::Custody;
use super::super::receipt::Note;
use super::super::sight::Looks;
use super::super::testing::*;
use super::*;

#[path = "conclude_hand_tests.rs"]
mod hand;

/// One receipt of `domain-c8` and what is known of it at second `now`.
struct Case {
    receipt: Receipt,
    seen: Seen,
    sights: Vec<Sight>,
    now: u64,
    custody: Custody,
}

impl Case {
    /// Written at second 0 and known here since then.
    fn of(receipt: Receipt) -> Case {
        Case {
            receipt,
            seen: Seen::default(),
            sights: Vec::new(),
            now: 10 * GRACE,
            custody: Custody::None,
        }
    }
    /// The answer was lost, known here since second 0.
    fn in_doubt() -> Case {
        Case::of(Receipt::no(1).lost(0)).seen(|s| s.doubt = Some(mono(0)))
    }

    /// Accepted at second 0, known here since then.
    fn accepted() -> Case {
        Case::of(Receipt::no(1).accepted(0)).seen(|s| s.accepted = Some(mono(0)))
    }

    fn seen(mut self, change: impl FnOnce(&mut Seen)) -> Case {
        change(&mut self.seen);
        self
    }

    fn before(mut self, looks: Looks) -> Case {
        self.receipt.before = looks;
        self
    }

    fn resolved(mut self, verdict: Verdict) -> Case {
        self.receipt = self.receipt.resolved(verdict);
        self
    }

    fn sights(mut self, sights: impl IntoIterator<Item = Sight>) -> Case {
        self.sights = sights.into_iter().collect();
        self
    }

    fn now(mut self, secs: u64) -> Case {
        self.now = secs;
        self
    }

    fn conclude(&self) -> Conclusion {
        conclude(
            &self.receipt,
            &Evidence {
                key: &cluster("domain-c8"),
                sights: &self.sights,
                unchanged_since: unchanged_since(&self.sights),
                seen: self.seen,
                custody: self.custody,
                timeout: Duration::from_secs(TIMEOUT),
                wall: at(self.now),
                mono: mono(self.now),
                timing: &Timing::production(),
            },
        )
    }

    fn end(&self) -> Option<EndKind> {
        let Conclusion::End { kind, .. } = self.conclude() else {
            return None;
        };
        Some(kind)
    }

    fn adopts(&self) -> bool {
        matches!(self.conclude(), Conclusion::Adopt { .. })
    }

    /// In doubt: `Some(stalled)`.
    fn doubts(&self) -> Option<bool> {
        match self.conclude() {
            Conclusion::Doubt { stalled, .. } => Some(stalled),
            Conclusion::Hint { .. } => Some(false),
            _ => None,
        }
    }
}

fn still_twice(version: &str) -> [Sight; 2] {
    [Sight::still(GRACE, version), Sight::still(GRACE + 60, version)]
}

#[test]
fn a_lost_answer_is_taken_when_the_target_moves_to_our_version() {
    assert!(Case::in_doubt().sights([Sight::moving(5, TO)]).adopts());
    let later_unseen = Case::in_doubt().sights([Sight::moving(5, TO), Sight::unseen(9)]);
    assert!(later_unseen.adopts(), "once seen is seen");
}

#[test]
fn a_lost_answer_is_taken_when_the_target_arrived_and_its_stamp_moved() {
    let stamped = Looks {
        stamp: Some("2026-01-01".to_owned()),
        ..like(FROM)
    };
    let arrived = |sight| Case::in_doubt().before(stamped.clone()).sights([sight]);
    assert!(arrived(Sight::still(5, TO).stamp("2026-03-01")).adopts());
    assert!(!arrived(Sight::still(5, TO).stamp("2026-01-01")).adopts(), "the stamp stood");
    assert!(Case::in_doubt().sights([Sight::still(5, TO)]).adopts(), "unset both times");
    // It was there.
    assert!(!Case::in_doubt().before(like(TO)).sights([Sight::still(5, TO)]).adopts());
    assert!(!arrived(Sight::still(5, TO).stamp("2026-03-01").faulted()).adopts());
    assert!(
        Case::in_doubt().sights([Sight::still(5, FROM).faulted().desired(TO)]).adopts(),
        "failed on the way to our version"
    );
    assert!(!Case::in_doubt().sights([Sight::still(5, FROM).faulted().desired(LATER)]).adopts());
}

#[test]
fn a_lost_answer_is_not_taken_after_two_unchanged_looks_past_the_grace() {
    let case = Case::in_doubt().sights(still_twice(FROM));
    assert_eq!(case.end(), Some(EndKind::NotTaken));
    let no_answer = Case::of(Receipt::no(1)).seen(|s| s.doubt = Some(mono(0))).sights(still_twice(FROM));
    assert_eq!(no_answer.end(), Some(EndKind::NotTaken));
}

#[test]
fn not_taken_is_never_concluded_from_less_than_the_proof() {
    let twice = || still_twice(FROM);
    let [first, second] = twice();
    let insufficient: [(&str, Vec<Sight>); 13] = [
        ("no look", vec![]),
        ("one look", vec![first.clone()]),
        ("one before the grace", vec![Sight::still(GRACE - 1, FROM), second.clone()]),
        ("one incomplete", vec![first.clone().partial(), second.clone()]),
        ("one from another authority", vec![first.clone().elsewhere(), second.clone()]),
        ("both from another authority", twice().map(Sight::elsewhere).into()),
        ("one unseen", vec![first.clone(), Sight::unseen(GRACE + 60)]),
        ("stamp moved", vec![first.clone(), second.clone().stamp("2026-03-01")]),
        ("a failure", vec![first.clone(), second.clone().faulted()]),
        ("a third version", still_twice(LATER).into()),
        (
            "moving now, half seen",
            vec![first.clone(), second.clone(), Sight::moving(GRACE + 99, TO).partial()],
        ),
        ("moved somewhere", vec![Sight::moving(5, None), first.clone(), second.clone()]),
        ("our version is asked for", vec![first.clone().desired(TO), second.clone()]),
    ];
    for (why, sights) in insufficient {
        let case = Case::in_doubt().sights(sights);
        assert_eq!(case.end(), None, "{why}");
        assert!(!case.adopts(), "{why}");
        assert!(case.doubts().is_some(), "{why}");
    }
}

#[test]
fn a_look_asked_before_we_knew_of_the_receipt_proves_nothing() {
    let old = Case::in_doubt().seen(|s| (s.open, s.doubt) = (mono(10), Some(mono(10))));
    assert_eq!(old.sights([Sight::moving(9, TO), Sight::still(9, TO)]).doubts(), Some(false));
    let known_late = Case::in_doubt()
        .seen(|s| (s.open, s.doubt) = (mono(5000), Some(mono(5000))))
        .sights(still_twice(FROM));
    assert_eq!(known_late.end(), None, "a restart makes the grace later, never earlier");
}

#[test]
fn the_grace_is_never_counted_on_the_wall_clock() {
    let mut case = Case::in_doubt().sights([Sight::still(60, FROM), Sight::still(120, FROM)]).now(121);
    for sight in &mut case.sights {
        sight.at = at(10 * GRACE);
    }
    assert_eq!(case.doubts(), Some(false));
    case.seen.doubt = None;
    case.sights = still_twice(FROM).into();
    assert_eq!(case.end(), None, "doubt that this process has not noted has no age");
}

#[test]
fn what_another_authority_answers_is_no_evidence() {
    for sight in [Sight::moving(5, TO), Sight::still(5, TO)] {
        assert!(!Case::in_doubt().sights([sight.clone().elsewhere()]).adopts());
        assert!(matches!(
            Case::accepted().sights([sight.elsewhere()]).conclude(),
            Conclusion::Follow(Following::Queued { .. })
        ));
    }
}

#[test]
fn an_incomplete_look_proves_nothing() {
    for sight in [
        Sight::moving(GRACE, TO),
        Sight::still(GRACE, TO),
        Sight::still(GRACE, FROM).faulted().desired(TO),
    ] {
        assert_eq!(Case::in_doubt().sights([sight.partial()]).doubts(), Some(false));
    }
    let accepted = Case::accepted().sights([Sight::still(5, TO).partial()]);
    assert!(matches!(accepted.conclude(), Conclusion::Follow(Following::OutOfSight { .. })));
}

#[test]
fn doubt_is_stalled_only_once_nothing_but_a_person_can_end_it() {
    let doubts = |sights: Vec<Sight>, now| Case::in_doubt().sights(sights).now(now).doubts();
    assert_eq!(doubts(still_twice(LATER).into(), 2 * GRACE), Some(true), "a third version");
    assert_eq!(doubts(vec![Sight::still(60, LATER)], 61), Some(false), "not before the grace");
    assert_eq!(doubts(vec![Sight::moving(2 * GRACE, LATER)], 3 * GRACE), Some(false), "it will end");
    assert_eq!(
        doubts(vec![Sight::still(GRACE, LATER), Sight::still(GRACE + 60, FROM)], 2 * GRACE),
        Some(false),
        "one more look like this one ends it"
    );
    for sight in [Sight::unseen(TIMEOUT), Sight::still(TIMEOUT, FROM).partial()] {
        assert_eq!(doubts(vec![sight.clone()], TIMEOUT - 1), Some(false));
        assert_eq!(doubts(vec![sight], TIMEOUT), Some(true));
    }
    assert_eq!(doubts(vec![], TIMEOUT), Some(true));
    let restarted = Case::in_doubt().seen(|s| (s.open, s.doubt) = (mono(TIMEOUT), Some(mono(TIMEOUT))));
    assert_eq!(restarted.now(TIMEOUT + 1).doubts(), Some(false), "we have only just begun to look");
    let hinted = [Sight::moving(5, None), Sight::still(GRACE, FROM), Sight::still(GRACE + 60, FROM)];
    let first = Case::in_doubt().sights(hinted).now(2 * GRACE);
    assert!(matches!(first.conclude(), Conclusion::Hint { .. }));
}

#[test]
fn a_receipt_that_is_being_sent_belongs_to_its_holder() {
    let sending = || Case::of(Receipt::no(1)).now(HORIZON - 1);
    assert_eq!(sending().conclude(), Conclusion::Sending);
    assert_eq!(sending().sights([Sight::moving(5, TO)]).conclude(), Conclusion::Sending);
    for verdict in [Verdict::Started, Verdict::NotStarted, Verdict::Succeeded, Verdict::Failed] {
        assert_eq!(sending().resolved(verdict).conclude(), Conclusion::Sending, "{verdict:?}");
    }
}

#[test]
fn a_refusal_never_stands_before_a_later_look() {
    let refused = |receipt: Receipt| Case::of(receipt).seen(|s| s.refused = Some(mono(20)));
    for (receipt, kind) in [
        (Receipt::no(1).rejected(20), EndKind::Rejected),
        (Receipt::no(1).refused_as(NotTaken::Busy, 20), EndKind::NotTaken),
        (Receipt::no(1).refused_as(NotTaken::Unauthorized, 20), EndKind::NotTaken),
        (
            Receipt::no(1).refused_as(NotTaken::Throttled { retry_after: None }, 20),
            EndKind::NotTaken,
        ),
        (Receipt::no(1).refused_as(NotTaken::AlreadyThere, 20), EndKind::AlreadyAtVersion),
    ] {
        let unproven: [Vec<Sight>; 6] = [
            vec![],
            vec![Sight::still(19, FROM)],
            vec![Sight::still(21, FROM).partial()],
            vec![Sight::still(21, FROM).elsewhere()],
            vec![Sight::unseen(21)],
            vec![Sight::moving(21, None)],
        ];
        for sights in unproven {
            assert_eq!(
                refused(receipt.clone()).sights(sights.clone()).conclude(),
                Conclusion::Confirming,
                "{sights:?}"
            );
        }
        for sight in [Sight::still(21, FROM), Sight::moving(21, LATER)] {
            assert_eq!(refused(receipt.clone()).sights([sight]).end(), Some(kind));
        }
        // A second copy of the request got through.
        assert!(refused(receipt.clone()).sights([Sight::moving(21, TO)]).adopts());
        assert!(
            refused(receipt.clone())
                .sights([Sight::moving(21, TO), Sight::still(30, FROM)])
                .adopts(),
            "seen moving once is enough"
        );
        let not_known_here = Case::of(receipt).sights([Sight::still(21, FROM)]);
        assert_eq!(not_known_here.conclude(), Conclusion::Confirming);
    }
    let connect = Receipt::no(1).refused_as(NotTaken::ConnectFailed, 20);
    assert_eq!(Case::of(connect).end(), Some(EndKind::NotTaken), "nothing can have got through");
}

#[test]
fn an_accepted_run_ends_as_the_vendor_shows() {
    let ends = |sight| Case::accepted().sights([sight]).now(300).end();
    assert_eq!(ends(Sight::still(200, TO)), Some(EndKind::Succeeded));
    assert_eq!(ends(Sight::still(200, FROM).faulted()), Some(EndKind::Failed));
    assert_eq!(ends(Sight::still(200, TO).faulted()), Some(EndKind::Failed));
    assert_eq!(ends(Sight::still(200, FROM)), None);
    assert_eq!(ends(Sight::still(200, LATER)), None);
    let was_in_error = Case::accepted().before(Looks {
        faulted: true,
        ..like(FROM)
    });
    let leftover = was_in_error.sights([Sight::still(200, FROM).faulted()]).now(300);
    assert!(
        matches!(leftover.conclude(), Conclusion::Follow(Following::Queued { .. })),
        "a leftover ERROR is not ours"
    );
    let adopted_note = Case::of(Receipt::no(1).note(Note::Adopted).from(TO)).sights([Sight::still(200, TO)]);
    assert_eq!(adopted_note.end(), Some(EndKind::Succeeded), "what stood before it is not known");
}

#[test]
fn accepted_but_nothing_came_of_it_is_a_failed_precheck_only_after_two_looks_past_the_grace() {
    let how = |case: &Case| match case.conclude() {
        Conclusion::End {
            kind: EndKind::Failed,
            how,
        } => how,
        other => panic!("{other:?}"),
    };
    let case = Case::accepted().sights(still_twice(FROM)).now(2 * GRACE);
    assert!(how(&case).contains("PrecheckAfterAccept"), "{}", how(&case));
    for too_little in [
        vec![Sight::still(GRACE, FROM)],
        vec![Sight::still(GRACE - 1, FROM), Sight::still(GRACE + 1, FROM)],
        vec![Sight::still(GRACE, FROM).partial(), Sight::still(GRACE + 1, FROM)],
        vec![Sight::unseen(GRACE), Sight::still(GRACE + 1, FROM)],
        vec![Sight::moving(GRACE, TO), Sight::still(GRACE + 1, FROM)],
        vec![Sight::still(GRACE, FROM), Sight::still(GRACE + 1, FROM).stamp("2026-03-01")],
    ] {
        assert_eq!(
            Case::accepted().sights(too_little.clone()).now(2 * GRACE).end(),
            None,
            "{too_little:?}"
        );
    }
    let known_late = Case::accepted().seen(|s| s.accepted = Some(mono(60))).sights(still_twice(FROM));
    assert_eq!(known_late.now(2 * GRACE).end(), None);
}

#[test]
fn past_its_timeout_a_run_is_overdue_failed_or_out_of_sight_by_what_is_seen() {
    let follow = |sight: Sight, now| match Case::accepted().sights([sight]).now(now).conclude() {
        Conclusion::Follow(following) => following,
        other => panic!("{other:?}"),
    };
    let overdue = |now| matches!(follow(Sight::moving(now, TO), now), Following::Moving { overdue: true, .. });
    assert!(!overdue(TIMEOUT - 1) && overdue(TIMEOUT));
    assert!(matches!(
        follow(Sight::unseen(TIMEOUT - 1), TIMEOUT - 1),
        Following::OutOfSight { .. }
    ));
    assert!(matches!(follow(Sight::unseen(TIMEOUT), TIMEOUT), Following::LostSight { .. }));
    let still = |asked, now| Case::accepted().sights([Sight::still(asked, FROM)]).now(now);
    assert_eq!(still(TIMEOUT, TIMEOUT).end(), Some(EndKind::Failed));
    assert_eq!(
        still(TIMEOUT - 1, TIMEOUT).end(),
        None,
        "a look from before the timeout cannot say that it did not begin since"
    );
    let blind = still(TIMEOUT - 1, TIMEOUT + GRACE).conclude();
    assert!(matches!(blind, Conclusion::Follow(Following::LostSight { .. })), "{blind:?}");
    let arrived = Case::accepted().sights([Sight::still(TIMEOUT - 1, TO)]).now(TIMEOUT);
    assert_eq!(arrived.end(), Some(EndKind::Succeeded), "late is not failed");
    let jumped = still(TIMEOUT, TIMEOUT).seen(|s| s.accepted = Some(mono(TIMEOUT - GRACE + 1)));
    assert_eq!(
        jumped.end(),
        None,
        "a wall clock that jumps ahead fails nothing that was taken a moment ago"
    );
}

/// Found by the model: our answer was lost, somebody else brought the target to our version, and the receipt ended as succeeded while our
/// own request was still on its way: the next start would have gone out beside it.
#[test]
fn an_end_that_may_be_somebody_elses_waits_while_our_request_may_be_under_way() {
    let adopted = |receipt: Receipt, sight| {
        let case = Case::of(receipt.adopted(0)).seen(|s| s.accepted = Some(mono(0)));
        case.sights([sight]).now(GRACE - 1)
    };
    for receipt in [Receipt::no(1), Receipt::no(1).lost(0)] {
        for (sight, kind) in [
            (Sight::still(10, TO), EndKind::Succeeded),
            (Sight::still(10, FROM).faulted(), EndKind::Failed),
        ] {
            let early = adopted(receipt.clone(), sight.clone()).conclude();
            assert!(matches!(early, Conclusion::Follow(Following::Settling { .. })), "{early:?}");
            assert_eq!(adopted(receipt.clone(), sight).now(GRACE).end(), Some(kind));
        }
    }
    let answered = adopted(Receipt::no(1).refused_as(NotTaken::Busy, 0), Sight::still(10, TO));
    assert_eq!(answered.end(), Some(EndKind::Succeeded), "an answer came: nothing is under way");
}

#[test]
fn a_restart_alone_never_loses_sight() {
    let restarted = Case::accepted().seen(|s| s.open = mono(2 * TIMEOUT));
    assert!(matches!(
        restarted.now(2 * TIMEOUT + 1).conclude(),
        Conclusion::Follow(Following::Queued { .. })
    ));
    let blind = Case::accepted().now(2 * TIMEOUT).conclude();
    assert!(matches!(blind, Conclusion::Follow(Following::LostSight { .. })));
}

#[test]
fn a_persons_word_ends_doubt_but_not_started_waits_out_the_grace() {
    let told = |verdict| Case::in_doubt().resolved(verdict).now(GRACE - 1);
    assert_eq!(told(Verdict::Succeeded).end(), Some(EndKind::Succeeded));
    assert_eq!(told(Verdict::Failed).end(), Some(EndKind::Failed));
    assert!(told(Verdict::Started).adopts());
    assert_eq!(told(Verdict::NotStarted).doubts(), Some(false));
    let at_rest = told(Verdict::NotStarted).now(GRACE).sights([Sight::still(GRACE, FROM)]);
    assert_eq!(at_rest.end(), Some(EndKind::NotTaken));
    let lost_sight = Case::accepted().resolved(Verdict::Succeeded).now(2 * TIMEOUT);
    assert_eq!(lost_sight.end(), Some(EndKind::Succeeded), "a run out of sight can be resolved");
}

/// The vendor may come to the request after the person looked and before the grace period is over. Found by the model: taken one
/// second after the person spoke, and nobody looked again.
#[test]
fn not_started_waits_for_a_look_from_after_the_grace_period() {
    let told = || Case::in_doubt().resolved(Verdict::NotStarted).now(GRACE + 60);
    assert_eq!(told().doubts(), Some(false), "nobody looked");
    assert_eq!(told().sights([Sight::still(GRACE - 1, FROM)]).doubts(), Some(false));
    assert_eq!(told().sights([Sight::still(GRACE, FROM).partial()]).doubts(), Some(false));
    assert_eq!(told().sights([Sight::moving(GRACE, LATER)]).doubts(), Some(false));
    assert!(told().sights([Sight::moving(GRACE, TO)]).adopts());
    assert_eq!(told().sights([Sight::still(GRACE, FROM)]).end(), Some(EndKind::NotTaken));
}

#[test]
fn not_started_is_honoured_for_a_target_that_stays_out_of_sight() {
    let told = |now| {
        Case::in_doubt()
            .resolved(Verdict::NotStarted)
            .sights([Sight::unseen(GRACE)])
            .now(now)
    };
    assert_eq!(told(TIMEOUT - 1).doubts(), Some(false));
    assert_eq!(told(TIMEOUT).end(), Some(EndKind::NotTaken));
}

#[test]
fn not_started_never_outweighs_what_is_known() {
    let accepted = Case::accepted().resolved(Verdict::NotStarted).sights([Sight::moving(5, TO)]);
    assert!(matches!(accepted.conclude(), Conclusion::Follow(Following::Moving { .. })));
    let moving = Case::in_doubt().resolved(Verdict::NotStarted).sights([Sight::moving(5, TO)]);
    assert!(moving.adopts());
    let refused = Case::of(Receipt::no(1).rejected(0)).resolved(Verdict::NotStarted);
    assert_eq!(refused.conclude(), Conclusion::Confirming);
    let ended = Case::of(Receipt::no(1).ended(EndKind::Failed, 3)).resolved(Verdict::NotStarted);
    assert_eq!(ended.end(), Some(EndKind::Failed));
}

#[test]
fn a_word_of_a_newer_version_blocks_and_nothing_is_guessed() {
    for receipt in [
        Receipt::no(1),
        Receipt::no(1).lost(0),
        Receipt::no(1).accepted(0),
        Receipt::no(1).ended(EndKind::Failed, 0),
        Receipt::no(1).lost(0).resolved(Verdict::NotStarted),
    ] {
        let case = Case::of(receipt.word("Postponed")).seen(|s| s.doubt = Some(mono(0)));
        let concluded = case.sights(still_twice(FROM)).conclude();
        assert_eq!(concluded, Conclusion::Unreadable("Postponed".to_owned()));
    }
}

#[path = "conclude_properties.rs"]
mod properties;
