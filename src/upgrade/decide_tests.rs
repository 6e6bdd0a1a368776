//! One target at a time: what it may lead to. (`Facts` holds no status at all, so a wiped status cannot change a decision.)

use super::super::decision::Fact;
use super::super::decision::What;
use super::super::facts::Options;
use super::super::facts::Refusal;
use super::super::ledger::Damaged;
use super::super::memory::Custody;
use super::super::reason::Reason;
use super::super::reason::State;
use super::super::receipt::EndKind;
use super::super::receipt::Note;
use super::super::receipt::Receipt;
use super::super::sight::Sight;
use super::super::target::TargetKey;
use super::super::testing::*;
use super::super::timing::Mono;
use super::*;

const C8: &str = "domain-c8";

fn one(target: TargetFacts) -> Facts {
    Facts::batch(100, [target])
}

/// Why the only target does not start.
fn reason(target: TargetFacts) -> Reason {
    let decision = one(target).decide();
    assert_eq!(decision.effect, None);
    assert!(decision.wake.is_some());
    decision.rows[0].reason
}

fn seen(sight: Sight) -> TargetFacts {
    TargetFacts::of(C8).sights([sight])
}

#[test]
fn a_ready_cluster_with_an_empty_ledger_starts_with_its_first_receipt() {
    let decision = one(TargetFacts::ready(C8, 90)).decide();
    let effect = decision.effect.as_ref().unwrap();
    assert_eq!((effect.seq, effect.what.clone()), (1, What::Start));
    assert_eq!(effect.run, Receipt::no(1).run);
    assert_eq!(effect.options.canonical(), OPTIONS);
    assert_eq!(effect.before, like(FROM));
}

#[test]
fn nothing_starts_on_a_cluster_that_is_not_plainly_seen() {
    assert_eq!(reason(TargetFacts::of(C8)), Reason::Evaluating);
    assert_eq!(reason(seen(Sight::unseen(90))), Reason::Evaluating);
    assert_eq!(reason(seen(Sight::still(90, FROM).partial())), Reason::Evaluating);
    assert_eq!(reason(seen(Sight::still(90, TO).partial())), Reason::Evaluating);
    assert_eq!(reason(seen(Sight::still(90, FROM).elsewhere())), Reason::Evaluating);
    assert_eq!(
        reason(seen(Sight::still(90, TO).elsewhere())),
        Reason::Evaluating,
        "no note on another's word"
    );
    assert_eq!(reason(seen(Sight::no_such_object(90))), Reason::TargetNotFound);
    let gone_since = TargetFacts::of(C8).sights([Sight::still(80, FROM), Sight::unseen(90)]);
    assert_eq!(reason(gone_since), Reason::Evaluating, "only the newest look counts");
}

#[test]
fn a_cluster_in_error_or_on_its_way_elsewhere_is_never_started() {
    assert_eq!(reason(seen(Sight::still(90, FROM).faulted())), Reason::TargetInError);
    assert_eq!(reason(seen(Sight::still(90, TO).faulted())), Reason::TargetInError);
    assert_eq!(reason(seen(Sight::moving(90, LATER))), Reason::TargetBusy);
    assert_eq!(reason(seen(Sight::moving(90, None))), Reason::TargetBusy);
}

#[test]
fn only_what_the_vendor_lists_letter_by_letter_is_ever_sent() {
    for offered in [
        &[][..],
        &[LATER],
        &["v1.30.5+vmware.20"],
        &["V1.30.5+VMWARE.2"],
        &["v1.30.5-vmware.2"],
    ] {
        assert_eq!(
            reason(seen(Sight::still(90, FROM).offering(offered))),
            Reason::VersionNotOffered,
            "{offered:?}"
        );
    }
}

#[test]
fn what_needs_no_start_is_written_down_as_a_note() {
    let notes = |sight: Sight| one(seen(sight)).decide().notes();
    assert_eq!(notes(Sight::still(90, TO)), Some(Note::AlreadyAtVersion));
    assert_eq!(notes(Sight::still(90, LATER)), Some(Note::WouldDowngrade));
    assert_eq!(notes(Sight::moving(90, TO)), Some(Note::Adopted));
    // Stop buttons stop starts only.
    let held = one(seen(Sight::still(90, TO))).with(|f| f.suspend = true);
    assert_eq!(held.decide().notes(), Some(Note::AlreadyAtVersion));
    let broken = one(seen(Sight::still(90, TO))).usable(Usable::Unprobed);
    assert_eq!(broken.decide().effect, None, "nothing through a Connection that cannot be used");
}

#[test]
fn the_version_it_came_from_is_never_gone_back_to_though_nobody_can_order_the_two() {
    let hmc_like = |receipt: Receipt, ended| {
        TargetFacts::of(C8)
            .receipts([receipt.to("K2").from("J9").ended(ended, 5)])
            .wished_at("J9")
            .sights([Sight::still(90, "K2").offering(&["J9"])])
    };
    for ended in [EndKind::Succeeded, EndKind::Failed, EndKind::Cancelled] {
        assert_eq!(
            one(hmc_like(Receipt::no(1).accepted(4), ended)).decide().notes(),
            Some(Note::WouldDowngrade),
            "{ended:?}"
        );
    }
    let never_ran = one(hmc_like(Receipt::no(1).rejected(4), EndKind::Rejected)).decide();
    assert_eq!(never_ran.starts(), Some(C8), "incomparable and listed by the vendor");
    assert!(never_ran.rows[0].message.as_deref().unwrap().contains("cannot be compared"));
}

#[test]
fn another_cluster_than_the_one_named_is_never_started() {
    let named = |sight: Sight| seen(sight).wish(|w| w.expected_identity = Some("lab-a".to_owned()));
    let wrong = one(named(Sight::still(90, FROM).called("prod-a"))).decide();
    assert_eq!((wrong.effect, wrong.rows[0].reason), (None, Reason::IdentityMismatch));
    assert_eq!(wrong.rows[0].state, State::Rejected);
    assert_eq!(reason(named(Sight::still(90, FROM))), Reason::Evaluating, "its name is not known");
    assert_eq!(one(named(Sight::still(90, FROM).called("lab-a"))).decide().starts(), Some(C8));
}

#[test]
fn another_namespaces_run_shows_nothing_of_itself() {
    let theirs = Receipt::no(1)
        .in_namespace("rival")
        .by("secret-plan")
        .to(LATER)
        .run_key("k-77")
        .accepted(5);
    let decision = one(TargetFacts::of(C8).receipts([theirs.clone()]).sights([Sight::still(90, FROM)])).decide();
    assert_eq!((decision.effect.clone(), decision.rows[0].reason), (None, Reason::TargetBusy));
    let shown = format!("{:?} {:?} {:?}", decision.rows, decision.summary, decision.blockers);
    for detail in ["rival", "secret-plan", LATER, "k-77", &theirs.name] {
        assert!(!shown.contains(detail), "{detail} in {shown}");
    }
    assert!(decision.writes.is_empty(), "nor is it ours to end");
    let same_words = Receipt::no(1).in_namespace("rival").accepted(5);
    assert_eq!(
        reason(TargetFacts::of(C8).receipts([same_words])),
        Reason::TargetBusy,
        "same version, not our run"
    );
    let removed = TargetFacts::of(C8).receipts([theirs]).removed();
    assert!(
        Facts::batch(100, [removed, TargetFacts::ready("domain-c9", 90)])
            .decide()
            .rows
            .iter()
            .all(|r| r.name != C8)
    );
}

#[test]
fn two_versions_one_target_start_one() {
    let other = Receipt::no(1).by("weekly").to(LATER).accepted(5);
    let decision = one(TargetFacts::of(C8).receipts([other]).sights([Sight::still(90, FROM)])).decide();
    assert_eq!((decision.effect.clone(), decision.rows[0].reason), (None, Reason::TargetBusy));
    assert!(
        decision.rows[0].message.as_deref().unwrap().contains("weekly"),
        "within a namespace people see who"
    );
    // The same run asked for by two resources is one run, and both show it.
    let shared = Receipt::no(1).by("weekly").accepted(5);
    let decision = one(TargetFacts::of(C8).receipts([shared]).sights([Sight::moving(90, TO)])).decide();
    assert_eq!(decision.rows[0].state, State::Running);
}

#[test]
fn an_edit_waits_behind_the_run_in_flight_and_never_beside_it() {
    for edited in [
        TargetFacts::running(C8, 90).wished_at(LATER),
        TargetFacts::running(C8, 90).wish(|w| w.run_key = "again".to_owned()),
        TargetFacts::running(C8, 90).wish(|w| {
            w.options = Options::Cluster {
                ignore_precheck_warnings: true,
            }
        }),
    ] {
        let decision = one(edited).with(|f| f.subject.generation = 7).decide();
        assert_eq!(decision.effect, None);
        assert_eq!(decision.summary.reason, Reason::EditQueued);
        let message = decision.summary.message;
        assert!(message.contains("generation 7"), "says which edit: {message}");
        assert_eq!(
            (decision.summary.state, decision.rows[0].desired_version.as_str()),
            (State::Running, TO)
        );
    }
}

#[test]
fn a_removed_target_is_followed_to_its_end_and_not_a_moment_longer() {
    let flying = TargetFacts::running(C8, 90).removed();
    let decision = Facts::batch(100, [TargetFacts::ready("domain-c9", 90), flying.clone()]).decide();
    assert!(decision.row(C8).removed && decision.row(C8).state == State::Running);
    assert_eq!(decision.starts(), None, "it still holds its slot");
    let done = flying.sights([Sight::still(95, TO)]);
    let decision = Facts::batch(100, [done]).decide();
    assert!(matches!(
        decision.writes[0].fact,
        Fact::End {
            kind: EndKind::Succeeded,
            ..
        }
    ));
    let rest = [
        TargetFacts::over("domain-c9", EndKind::Succeeded, 50),
        TargetFacts::over(C8, EndKind::Failed, 95).removed(),
    ];
    let decision = Facts::batch(100, rest).decide();
    assert_eq!((decision.summary.state, decision.rows.len()), (State::Success, 1));
    assert_eq!(decision.wake, None);
    let never_started = [
        TargetFacts::over("domain-c9", EndKind::Succeeded, 50),
        TargetFacts::ready(C8, 90).removed(),
    ];
    assert_eq!(Facts::batch(100, never_started).decide().summary.state, State::Success);
}

#[test]
fn a_damaged_ledger_or_an_unreadable_receipt_blocks_its_target() {
    let gap = TargetFacts::ready(C8, 90).receipts([Receipt::no(2)]);
    assert!(matches!(gap.ledger, Err(Damaged::Gap { .. })));
    assert_eq!(reason(gap), Reason::LedgerDamaged);
    let newer = TargetFacts::ready(C8, 90).receipts([Receipt::no(1).ended(EndKind::Failed, 5).word("Postponed")]);
    assert_eq!(reason(newer), Reason::ReceiptUnreadable);
}

#[test]
fn an_acceptance_after_the_end_shows_as_failed_and_starts_nothing() {
    let target = TargetFacts::ready(C8, 90).receipts([Receipt::no(1).ended(EndKind::NotTaken, 5).accepted(9)]);
    let decision = Facts::batch(1_000_000, [target]).decide();
    assert_eq!((decision.effect, decision.rows[0].state), (None, State::Failed));
    assert!(decision.rows[0].message.as_deref().unwrap().contains("took it after all"));
}

#[test]
fn a_resource_created_again_shows_its_spent_run_and_does_not_start_twice() {
    for (kind, state) in [
        (EndKind::Succeeded, State::Success),
        (EndKind::Failed, State::Failed),
        (EndKind::Cancelled, State::Cancelled),
        (EndKind::AlreadyAtVersion, State::Success),
        (EndKind::Rejected, State::Rejected),
    ] {
        let target = TargetFacts::over(C8, kind, 50).sights([Sight::still(90, FROM)]);
        let decision = Facts::batch(1_000_000, [target])
            .with(|f| "uid-2".clone_into(&mut f.subject.uid))
            .decide();
        assert_eq!(
            (decision.effect, decision.rows[0].state, decision.wake),
            (None, state, None),
            "{kind:?}"
        );
    }
}

#[test]
fn evidence_is_written_before_anything_is_shown_of_it() {
    let write = |target: TargetFacts, now| Facts::batch(now, [target]).decide().writes.remove(0).fact;
    let in_doubt = TargetFacts::of(C8).receipts([Receipt::no(1).lost(0)]);
    let taken = in_doubt.clone().sights([Sight::moving(90, TO)]);
    assert!(matches!(write(taken, 100), Fact::Adopted { .. }));
    let empty = in_doubt.sights([Sight::still(GRACE, FROM), Sight::still(GRACE + 60, FROM)]);
    assert!(matches!(
        write(empty, GRACE + 61),
        Fact::End {
            kind: EndKind::NotTaken,
            ..
        }
    ));
    let mut abandoned = TargetFacts::of(C8).receipts([Receipt::no(1)]);
    abandoned.custody = Custody::Abandoned;
    assert!(matches!(
        write(abandoned, 100),
        Fact::End {
            kind: EndKind::Withdrawn,
            ..
        }
    ));
}

#[test]
fn a_refused_try_of_ours_says_why_and_is_not_repeated_at_once() {
    let refused = |ago: u64| {
        let facts = one(TargetFacts::ready(C8, 90));
        let (why, at) = (
            "the API server's clock is 41 s ahead".to_owned(),
            Mono(facts.mono.0.saturating_sub(Duration::from_secs(ago))),
        );
        let refusal = Refusal {
            key: cluster(C8),
            why,
            at,
            before: 0,
        };
        facts.with(|f| f.refusals = vec![refusal]).decide()
    };
    let soon = refused(1);
    assert!(soon.rows[0].message.as_deref().unwrap().contains("41 s ahead"));
    assert_eq!(soon.effect, None, "it would spin");
    assert!(soon.summary.message.contains("41 s ahead"), "{}", soon.summary.message);
    assert!(soon.wake.unwrap() <= Duration::from_secs(9));
    assert!(refused(11).effect.is_some());
}

#[test]
fn looks_are_asked_for_when_due_and_a_run_in_flight_with_all_its_detail() {
    let looks = |target: TargetFacts, now| -> Vec<bool> { Facts::batch(now, [target]).decide().looks.iter().map(|l| l.detailed).collect() };
    assert_eq!(looks(TargetFacts::of(C8), 100), [false]);
    assert_eq!(looks(TargetFacts::running(C8, 90), 99), [false; 0]);
    assert_eq!(looks(TargetFacts::running(C8, 90), 100), [true]);
    let mut calm = TargetFacts::running(C8, 1000);
    calm.unchanged_since = Some(mono(90));
    assert_eq!(looks(calm.clone(), 1059), [false; 0]);
    assert_eq!(looks(calm, 1060), [true]);
    assert_eq!(looks(TargetFacts::ready(C8, 90), 389), [false; 0]);
    assert_eq!(looks(TargetFacts::ready(C8, 90), 390), [false]);
    let unseen = || TargetFacts::of(C8).sights([Sight::unseen(90)]);
    assert_eq!(looks(unseen(), 149), [false; 0]);
    assert_eq!(looks(unseen(), 150), [false], "what could not be seen may be seen soon");
    assert_eq!(looks(TargetFacts::over(C8, EndKind::Failed, 50), 100_000), [false; 0], "it is over");
}

#[test]
fn a_run_at_a_console_is_looked_at_every_half_minute_and_never_as_often_as_others() {
    let facts = one(TargetFacts::running(C8, 90));
    let judged = judge(&facts, &when(&facts), &facts.targets[0]);
    let often = |target: &TargetFacts| patience(&facts, target, &judged);
    let mut console = facts.targets[0].clone();
    console.key = TargetKey::console(vc1());
    assert_eq!(often(&facts.targets[0]), Some(Duration::from_secs(10)));
    assert_eq!(often(&console), Some(Duration::from_secs(30)));
}

#[test]
fn a_look_that_somebody_asked_for_is_due_once_and_starts_nothing_that_would_not_start_anyway() {
    let looks = |target: TargetFacts, ask: u64, now: u64| {
        let facts = Facts::batch(now, [target]).with(|f| f.asked_to_look = Some(mono(ask)));
        let (asked, unasked) = (facts.decide(), facts.with(|f| f.asked_to_look = None).decide());
        assert_eq!(
            (&asked.effect, &asked.writes, &asked.rows),
            (&unasked.effect, &unasked.writes, &unasked.rows)
        );
        asked.looks.len()
    };
    assert_eq!(looks(TargetFacts::ready(C8, 90), 91, 92), 1);
    assert_eq!(looks(TargetFacts::ready(C8, 92), 91, 93), 0, "it was looked at since");
    assert_eq!(
        looks(TargetFacts::of(C8).sights([Sight::unseen(92)]), 91, 93),
        0,
        "in vain, but it was"
    );
    assert_eq!(looks(TargetFacts::running(C8, 90), 91, 92), 1);
    assert_eq!(
        looks(TargetFacts::over(C8, EndKind::Failed, 50), 91, 92),
        0,
        "what is over stays over"
    );
}
