//! Properties of whole decisions, over random facts.

use proptest::prelude::*;

use super::super::decision::What;
use super::super::facts::Reservation;
use super::super::receipt::EndKind;
use super::super::receipt::Note;
use super::super::receipt::Receipt;
use super::super::schedule::Freeze;
use super::super::schedule::Schedule;
use super::super::schedule::Written;
use super::super::sight::Motion;
use super::super::sight::Offered;
use super::super::sight::Sight;
use super::super::testing::*;
use super::super::timing::Timing;
use super::super::version;
use super::super::version::Order;
use super::*;

const C8: &str = "domain-c8";

fn any_sight() -> impl Strategy<Value = Sight> {
    let version = prop_oneof![4 => Just(FROM), 1 => Just(TO), 1 => Just(LATER), 1 => Just("edge"), 1 => Just("v1.30.5")];
    (0..2000u64, 0..9u8, version, prop::array::uniform4(prop::bool::weighted(0.1))).prop_map(|(secs, motion, version, flags)| {
        let [partial, foreign, faulted, unlisted] = flags;
        let sight = match motion {
            0 => Sight::moving(secs, version),
            1 => Sight::unseen(secs),
            2 if foreign => Sight::moving(secs, None),
            3 if foreign => Sight::no_such_object(secs),
            _ => Sight::still(secs, version),
        };
        let sight = if partial { sight.partial() } else { sight };
        let sight = if foreign { sight.elsewhere() } else { sight };
        let sight = if faulted { sight.faulted() } else { sight };
        let sight = if unlisted { sight.offering(&[LATER]) } else { sight };
        sight.called(if flags[0] { "prod-a" } else { "lab-a" })
    })
}

fn any_receipts() -> impl Strategy<Value = Vec<Receipt>> {
    let one = (0..12u8, 0..2000u64, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(what, secs, open, other)| {
        let receipt = Receipt::no(1).created(secs);
        let receipt = if other { receipt.in_namespace("other") } else { receipt };
        let ended = |r: Receipt, kind| if open { r } else { r.ended(kind, secs + 2) };
        match what {
            0 => ended(receipt.accepted(secs), EndKind::Succeeded),
            1 => ended(receipt.accepted(secs).to(LATER), EndKind::Failed),
            2 => ended(receipt.rejected(secs).options(IGNORING), EndKind::Rejected),
            3 => ended(receipt.lost(secs), EndKind::NotTaken),
            4 => ended(receipt.adopted(secs), EndKind::Failed),
            5 => ended(receipt.word("Postponed"), EndKind::Failed),
            6 => ended(receipt, EndKind::Withdrawn),
            7 => receipt.note(Note::WouldDowngrade).run_key("old"),
            8 => ended(receipt.note(Note::Adopted), EndKind::Succeeded),
            _ => receipt.ended(EndKind::Withdrawn, 1),
        }
    });
    prop::collection::vec(one, 0..3)
}

fn any_target() -> impl Strategy<Value = TargetFacts> {
    let wish = (
        prop_oneof![6 => Just(TO), 1 => Just(LATER), 1 => Just("v1.30.5.9")],
        prop::bool::weighted(0.3),
        any::<bool>(),
    );
    let sights = prop::collection::vec(any_sight(), 0..4);
    (any_receipts(), sights, wish, prop::bool::weighted(0.1), prop::bool::weighted(0.1)).prop_map(
        |(receipts, mut sights, (version, canary, named), removed, gap)| {
            sights.sort_by_key(|s| s.asked);
            let step = if gap { 2 } else { 1 };
            let numbered = (step..).zip(receipts).map(|(seq, r)| Receipt { seq, ..r }.on(C8));
            let target = TargetFacts::of(C8)
                .receipts(numbered.collect::<Vec<_>>())
                .sights(sights)
                .wished_at(version);
            let target = target.wish(|w| {
                w.canary = canary;
                w.expected_identity = named.then(|| "lab-a".to_owned());
            });
            if removed { target.removed() } else { target }
        },
    )
}

/// The same facts about another cluster.
fn moved_to(target: &TargetFacts, object: &str) -> TargetFacts {
    let receipts = target.ledger.as_ref().map(|l| l.receipts().to_vec());
    let mut moved = TargetFacts {
        key: cluster(object),
        ..target.clone()
    };
    if let Ok(receipts) = receipts {
        moved = moved.receipts(receipts.into_iter().map(|r| r.on(object)).collect::<Vec<_>>());
    }
    moved
}

/// Bounds and a freeze around the times that the facts are asked at; mostly none.
fn any_schedule() -> impl Strategy<Value = Written> {
    let bound = || prop::option::weighted(0.2, 1900..2400u64);
    (bound(), bound(), prop::option::weighted(0.2, (1900..2300u64, 1..300u64))).prop_map(|(not_before, not_after, freeze)| Written {
        not_before: not_before.map(at),
        // One that is not after the other cannot be obeyed: that is among the cases.
        not_after: not_after.map(at),
        freezes: freeze
            .map(|(from, lasts)| Freeze {
                from: at(from),
                until: at(from + lasts),
                reason: None,
            })
            .into_iter()
            .collect(),
        windows: Vec::new(),
    })
}

/// What a schedule without windows says, by its words alone.
fn allows(written: &Written, now: Timestamp) -> bool {
    let frozen = written.freezes.iter().any(|f| f.from <= now && now < f.until);
    !frozen && written.not_before.is_none_or(|t| t <= now) && written.not_after.is_none_or(|t| now < t)
}

fn any_scheduled_facts() -> impl Strategy<Value = (Facts, Written, Written)> {
    let through = (
        0..4usize,
        prop::collection::btree_set("domain-c[0-5]", 0..3),
        prop::collection::btree_set("domain-c[0-5]", 0..2),
    );
    (any_facts(), any_schedule(), any_schedule(), through).prop_map(|(facts, own, connection, (limit, open, ahead))| {
        let facts = facts.schedule(&own).with(|f| {
            f.connection.schedule = Schedule::parse(&connection);
            (f.connection.limit, f.connection.open, f.connection.ahead) = (limit, open, ahead);
        });
        (facts, own, connection)
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let rare = || prop::bool::weighted(0.1);
    let switches = (rare(), rare(), rare(), rare(), rare(), rare(), rare(), rare());
    let strategy = (0..4usize, 0..3usize, 0..1000u64);
    let reservations = prop::collection::vec((0..3usize, 1..3u32, 0..2000u64, any::<bool>()), 0..2);
    let targets = prop::collection::vec(any_target(), 0..4);
    (targets, 2000..2300u64, strategy, switches, reservations).prop_map(
        |(targets, now, (concurrent, failures, soak), (off, older, suspend, held, suspended, conn_held, broken, busy), reservations)| {
            let targets = targets.into_iter().enumerate().map(|(i, t)| moved_to(&t, &format!("domain-c{i}")));
            Facts::batch(now, targets).strategy(concurrent, failures, soak).with(|f| {
                f.starts_enabled = !off;
                f.crds_outdated = older.then(|| "the CRD x is older".to_owned());
                f.suspend = suspend;
                f.hold = held.then(|| "CHG-1".to_owned());
                f.connection.suspend = suspended;
                f.connection.hold = conn_held.then(|| "CHG-2".to_owned());
                if broken {
                    f.connection.usable = Usable::Unprobed;
                }
                f.starting = busy.then(|| cluster("domain-c9"));
                let by = f.subject.by();
                f.connection.reservations = reservations
                    .into_iter()
                    .map(|(i, seq, secs, ours)| Reservation {
                        target: format!("domain-c{i}"),
                        seq,
                        at: at(secs),
                        by: if ours {
                            by.clone()
                        } else {
                            "other/ClusterUpgradeBatch/x".to_owned()
                        },
                        written: false,
                    })
                    .collect();
            })
        },
    )
}

fn start_was_allowed(facts: &Facts, effect: &Effect) -> Result<(), TestCaseError> {
    let connection = &facts.connection;
    prop_assert!(
        facts.starts_enabled && facts.crds_outdated.is_none() && !facts.suspend && facts.hold.is_none() && facts.starting.is_none()
    );
    prop_assert!(!connection.suspend && connection.hold.is_none() && connection.usable == Usable::Yes);
    let target = facts.targets.iter().find(|t| t.key == effect.key).unwrap();
    let wish = target.wish.as_ref().unwrap();
    let sight = target.sights.iter().rfind(|s| s.authority == vc1()).unwrap();
    let looks = sight.looks.as_ref().unwrap();
    prop_assert!(sight.complete && sight.motion == Motion::Still && !looks.faulted);
    let offered = matches!(&sight.offered, Offered::Versions(versions) if versions.contains(&wish.version));
    prop_assert!(offered && effect.run.version == wish.version);
    prop_assert!(version::order(&wish.version, &looks.version) != Order::Older && !version::is_at(&wish.version, &looks.version));
    let named = target
        .sights
        .iter()
        .rev()
        .filter(|s| s.authority == vc1())
        .find_map(|s| s.identity.as_ref());
    prop_assert!(wish.expected_identity.is_none() || wish.expected_identity.as_ref() == named);
    let ledger = target.ledger.as_ref().unwrap();
    prop_assert_eq!(ledger.next(&facts.wanted(wish), facts.wall, &Timing::production()), Ok(effect.seq));
    let in_flight = |t: &&TargetFacts| {
        t.ledger
            .as_ref()
            .is_ok_and(|l| l.open().is_some_and(|r| facts.subject.asked_for(r)))
    };
    let open: Vec<&str> = facts.targets.iter().filter(in_flight).map(|t| t.key.object.as_str()).collect();
    let fresh = |r: &&Reservation| {
        r.by == facts.subject.by() && facts.wall.duration_since(r.at).as_secs() < 30 && !open.contains(&r.target.as_str())
    };
    let reserved: std::collections::BTreeSet<&str> = connection.reservations.iter().filter(fresh).map(|r| r.target.as_str()).collect();
    // With this start, no more targets hold a slot than there are; its own reservation is the slot that it takes.
    let others = reserved.into_iter().filter(|target| *target != effect.key.object).count();
    prop_assert!(open.len() + others < facts.strategy.max_concurrent);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_the_facts_a_decision_wakes_and_a_start_was_allowed(facts in any_facts()) {
        let decision = facts.decide();
        prop_assert_eq!(&decision, &facts.decide());
        match decision.wake {
            Some(wake) => prop_assert!(!wake.is_zero() && wake <= facts.timing.wake),
            None => prop_assert!(decision.effect.is_none() && decision.writes.is_empty() && decision.looks.is_empty()),
        }
        prop_assert!(!(decision.summary.stalled && decision.summary.reconciling()));
        prop_assert!(!(decision.summary.ready() && decision.summary.stalled));
        if let Some(effect) = decision.effect.as_ref().filter(|e| e.what == What::Start) {
            start_was_allowed(&facts, effect)?;
        }
    }

    #[test]
    fn nothing_starts_against_a_schedule_or_over_the_limit_of_the_connection((facts, own, connection) in any_scheduled_facts()) {
        let decision = facts.decide();
        prop_assert!(decision.wake.is_none_or(|wake| !wake.is_zero() && wake <= facts.timing.wake));
        prop_assert!(!(decision.summary.stalled && decision.summary.reconciling()));
        let late = [&own, &connection].iter().any(|s| s.not_after.is_some_and(|t| t <= facts.wall));
        prop_assert!(decision.notes() != Some(Note::NotStartedInTime) || late);
        let Some(start) = decision.effect.as_ref().filter(|e| e.what == What::Start) else { return Ok(()) };
        start_was_allowed(&facts, start)?;
        prop_assert!(allows(&own, facts.wall) && allows(&connection, facts.wall));
        let closes = start.closes.unwrap();
        let last = closes.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap();
        prop_assert!(closes > facts.wall && allows(&own, last) && allows(&connection, last));
        let others = facts.connection.open.union(&facts.connection.ahead).filter(|o| **o != start.key.object).count();
        prop_assert!(others < facts.connection.limit);
        prop_assert_eq!(decision.in_line.map(|line| line.from), Some(facts.wall));
    }
}
