use std::time::Duration;

use super::super::decision::Decision;
use super::super::facts::Refusal;
use super::super::receipt::EndKind;
use super::super::receipt::Receipt;
use super::super::sight::Sight;
use super::super::testing::*;
use super::*;

fn ready(object: &str) -> TargetFacts {
    TargetFacts::ready(object, 90)
}

fn reasons(decision: &Decision) -> Vec<Reason> {
    decision.blockers.iter().map(|b| b.reason).collect()
}

#[test]
fn every_stop_button_stops_starts_and_nothing_else() {
    type Press = fn(&mut Facts);
    let buttons: [(Press, Reason); 9] = [
        (|f| f.starts_enabled = false, Reason::StartsDisabled),
        (|f| f.crds_outdated = Some("the CRD x is older".to_owned()), Reason::CrdsOutdated),
        (|f| f.suspend = true, Reason::Suspended),
        (|f| f.hold = Some("CHG-991".to_owned()), Reason::Held),
        (|f| f.connection.suspend = true, Reason::Suspended),
        (|f| f.connection.hold = Some("CHG-991".to_owned()), Reason::Held),
        (|f| f.connection.usable = Usable::Missing, Reason::ConnectionNotReady),
        (|f| f.connection.usable = Usable::Unprobed, Reason::ConnectionNotReady),
        (
            |f| {
                f.connection.usable = Usable::WrongType {
                    found: "HMC".to_owned(),
                    expected: "VCenter".to_owned(),
                };
            },
            Reason::ConnectionTypeMismatch,
        ),
    ];
    for (press, reason) in buttons {
        let waiting = Facts::batch(100, [ready("a")]).with(press).decide();
        assert_eq!((waiting.starts(), waiting.summary.reason), (None, reason));
        assert!(!waiting.blockers[0].message.is_empty());
        let nothing_seen = Facts::batch(100, [TargetFacts::of("a")]).with(press).decide();
        assert_eq!(nothing_seen.summary.reason, reason, "shown though nothing was looked at yet");
        let flying = TargetFacts::running("a", 90).sights([Sight::still(95, TO)]);
        let followed = Facts::batch(100, [flying]).with(press).decide();
        assert_eq!(followed.writes.len(), 1, "a run is followed to its end: {reason:?}");
        let done = Facts::batch(100, [TargetFacts::over("a", EndKind::Succeeded, 50)])
            .with(press)
            .decide();
        assert!(done.summary.ready(), "and a success stays one: {reason:?}");
    }
}

#[test]
fn two_targets_never_start_in_one_pass_and_none_while_one_is_being_prepared() {
    let facts = Facts::batch(100, [ready("a"), ready("b")]).strategy(9, 0, 0);
    assert_eq!(facts.decide().starts(), Some("a"));
    assert_eq!(facts.with(|f| f.starting = Some(cluster("a"))).decide().effect, None);
}

#[test]
fn no_other_starts_before_all_canaries_have_succeeded_and_soaked() {
    let canary = |object| ready(object).canary();
    let done = |object, at| TargetFacts::over(object, EndKind::Succeeded, at).canary();
    let batch = |now, targets: Vec<TargetFacts>| Facts::batch(now, targets).strategy(9, 9, 600);
    assert_eq!(batch(100, vec![ready("a"), canary("b"), canary("c")]).decide().starts(), Some("b"));
    assert_eq!(
        batch(100, vec![ready("a"), done("b", 50), canary("c")]).decide().starts(),
        Some("c")
    );
    let one_flying = batch(100, vec![ready("a"), done("b", 50), TargetFacts::running("c", 99).canary()]).decide();
    assert_eq!((one_flying.starts(), reasons(&one_flying)), (None, vec![Reason::WaitingForCanary]));
    let stuck = TargetFacts::of("b").canary().sights([Sight::still(90, FROM).faulted()]);
    let stuck = batch(100, vec![ready("a"), stuck]).decide();
    assert_eq!(
        (stuck.starts(), reasons(&stuck)),
        (None, vec![Reason::WaitingForCanary, Reason::TargetInError])
    );

    let soaking = |now| batch(now, vec![ready("a"), done("b", 50), done("c", 80)]).decide();
    let waits = soaking(679);
    assert_eq!((waits.starts(), reasons(&waits)), (None, vec![Reason::WaitingForSoak]));
    assert_eq!(waits.summary.next_action_at, Some(at(680)), "after the last of them");
    assert_eq!(waits.wake.map(|w| w.as_millis()), Some(1001));
    assert_eq!(soaking(680).starts(), Some("a"));
}

#[test]
fn after_a_canary_that_did_not_succeed_nothing_more_starts() {
    for kind in [EndKind::Failed, EndKind::Rejected, EndKind::Cancelled] {
        let canary = TargetFacts::over("a", kind, 50).canary();
        let facts = Facts::batch(100, [canary, ready("b"), ready("c").canary()]).strategy(9, 9, 0);
        let decision = facts.decide();
        assert_eq!(decision.starts(), None, "{kind:?}");
        assert_eq!(decision.summary.reason, Reason::TooManyFailures);
    }
}

#[test]
fn more_than_max_concurrent_are_never_in_flight() {
    let flying = [
        Receipt::no(1).accepted(10),
        Receipt::no(1),
        Receipt::no(1).lost(10),
        Receipt::no(1).rejected(10),
        Receipt::no(1).word("Postponed"),
        Receipt::no(1).by("weekly").accepted(10),
    ];
    for receipt in flying {
        let held = TargetFacts::of("a").receipts([receipt.on("a")]);
        let facts = Facts::batch(100, [held, ready("b")]);
        let decision = facts.clone().decide();
        assert_eq!(decision.starts(), None);
        assert!(reasons(&decision).contains(&Reason::LimitReached));
        assert_eq!(facts.strategy(2, 0, 0).decide().starts(), Some("b"));
    }
    let damaged = TargetFacts::of("a").receipts([Receipt::no(2).on("a")]);
    assert_eq!(
        Facts::batch(100, [damaged, ready("b")]).decide().starts(),
        None,
        "what is in flight there is not known"
    );
    let theirs = TargetFacts::of("a").receipts([Receipt::no(1).on("a").in_namespace("other").accepted(10)]);
    assert_eq!(Facts::batch(100, [theirs, ready("b")]).decide().starts(), Some("b"), "not our slot");
}

#[test]
fn a_reservation_holds_its_slot_until_it_is_stale() {
    let at_second = |now| Facts::batch(now, [ready("a"), ready("b")]).reserved("z", 1, 100).decide();
    assert_eq!(reasons(&at_second(219)), [Reason::LimitReached]);
    assert_eq!(
        at_second(219).wake,
        Some(Duration::from_millis(1001)),
        "nothing but time frees that slot"
    );
    assert_eq!(at_second(220).starts(), Some("a"), "4 x TTL without a receipt");
    let own = Facts::batch(101, [ready("a"), ready("b")]).reserved("a", 1, 100);
    assert_eq!(own.decide().starts(), Some("a"), "what it left behind is the slot that it takes");
    let written = |now| {
        let target = TargetFacts::over("a", EndKind::Succeeded, 105);
        Facts::batch(now, [target, ready("b")])
            .reserved("a", 1, 100)
            .decide()
            .starts()
            .map(str::to_owned)
    };
    assert_eq!(written(129), None);
    assert_eq!(written(130).as_deref(), Some("b"), "TTL once its receipt exists");
    let both = Facts::batch(110, [TargetFacts::running("a", 105), ready("b")])
        .reserved("a", 1, 100)
        .strategy(2, 0, 0);
    assert_eq!(both.decide().starts(), Some("b"), "a receipt and its reservation are one slot");
    let theirs = Facts::batch(110, [ready("a")])
        .reserved("z", 1, 100)
        .with(|f| "other/X/y".clone_into(&mut f.connection.reservations[0].by));
    assert_eq!(theirs.decide().starts(), Some("a"));
    let ahead = |secs| {
        Facts::batch(100, [ready("a")])
            .reserved("z", 1, secs)
            .decide()
            .starts()
            .map(str::to_owned)
    };
    assert_eq!(ahead(160), None, "two clocks differ by a minute at most");
    assert_eq!(ahead(1_000_000).as_deref(), Some("a"), "dated by a clock that was wrong");
    let without_a_time = Facts::batch(100, [ready("a")])
        .reserved("z", 1, 100)
        .with(|f| f.connection.reservations[0].at = jiff::Timestamp::MAX);
    assert_eq!(without_a_time.decide().starts(), None);
}

#[test]
fn more_failures_than_allowed_stop_every_further_start() {
    let lost = |object| TargetFacts::of(object).receipts([Receipt::no(1).on(object).accepted(0)]);
    let overdue = |object| lost(object).sights([Sight::moving(TIMEOUT + 1, TO)]);
    let out_of_sight = |object| lost(object).sights([Sight::unseen(TIMEOUT + 1)]);
    for failed in [
        TargetFacts::over("a", EndKind::Failed, 50),
        TargetFacts::over("a", EndKind::Rejected, 50),
        overdue("a"),
        out_of_sight("a"),
    ] {
        let facts = Facts::batch(TIMEOUT + 2, [failed, TargetFacts::ready("b", TIMEOUT)]).strategy(9, 0, 0);
        assert_eq!(facts.decide().starts(), None);
        assert_eq!(facts.strategy(9, 1, 0).decide().starts(), Some("b"), "one is allowed");
    }
    for no_failure in [
        TargetFacts::over("a", EndKind::Cancelled, 50),
        TargetFacts::of("a").receipts([Receipt::no(1).on("a").lost(10)]),
    ] {
        let facts = Facts::batch(100, [no_failure, ready("b")]).strategy(9, 0, 0);
        assert_eq!(facts.decide().starts(), Some("b"), "cancelled and still sought are no failures");
    }
}

#[test]
fn a_limit_nobody_waits_for_is_not_shown() {
    let decision = Facts::batch(100, [TargetFacts::running("a", 95)]).strategy(1, 0, 600).decide();
    assert_eq!(reasons(&decision), []);
}

#[test]
fn a_target_that_cannot_be_prepared_holds_no_other_up() {
    let refused = |now| {
        Facts::batch(now, [ready("a"), ready("b")]).with(|f| {
            f.refusals = vec![Refusal {
                key: cluster("a"),
                why: "timed out".to_owned(),
                at: mono(95),
                before: 0,
            }];
        })
    };
    assert_eq!(refused(100).decide().starts(), Some("b"));
    assert_eq!(refused(110).decide().starts(), Some("a"), "in the order of the spec again");
    let canary = refused(100).with(|f| f.targets[0].wish.as_mut().unwrap().canary = true);
    assert_eq!(canary.decide().starts(), None, "canaries go first, however long it takes");
}
