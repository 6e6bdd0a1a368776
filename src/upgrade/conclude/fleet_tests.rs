//! What becomes of orders for a customer's devices at Aruba Central: nothing but the devices tells.

use std::time::Duration;

use proptest::prelude::*;

use crate::upgrade::conclude::Conclusion;
use crate::upgrade::conclude::Evidence;
use crate::upgrade::conclude::Following;
use crate::upgrade::conclude::conclude;
use crate::upgrade::facts::Options;
use crate::upgrade::fleet::Line;
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::memory::Custody;
use crate::upgrade::memory::Seen;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::receipt::Standing;
use crate::upgrade::receipt::Verdict;
use crate::upgrade::sight::Sight;
use crate::upgrade::testing::devices::*;
use crate::upgrade::testing::*;
use crate::upgrade::timing::Timing;

/// Past the timeout, and the grace period after it.
const LATE: u64 = TIMEOUT + 3600;

fn concluded(receipt: &Receipt, sights: &[Sight], now: u64) -> Conclusion {
    let known = Seen {
        open: mono(0),
        doubt: matches!(receipt.standing(), Standing::Lost | Standing::Sending).then(|| mono(0)),
        accepted: Some(mono(0)),
        refused: Some(mono(0)),
    };
    let evidence = Evidence {
        key: &customer(),
        sights,
        unchanged_since: None,
        seen: known,
        custody: Custody::None,
        timeout: Duration::from_secs(TIMEOUT),
        wall: at(now),
        mono: mono(now),
        timing: &Timing::production(),
    };
    conclude(receipt, &evidence)
}

fn end(receipt: &Receipt, sights: &[Sight], now: u64) -> Option<(EndKind, String)> {
    match concluded(receipt, sights, now) {
        Conclusion::End { kind, how } => Some((kind, how)),
        _ => None,
    }
}

fn accepted() -> Receipt {
    Receipt::order().accepted(1)
}

fn moving(receipt: &Receipt, lines: Vec<Line>, now: u64) -> (i32, String) {
    match concluded(receipt, &[Sight::devices(now, lines)], now) {
        Conclusion::Follow(Following::Moving {
            progress: Some(progress),
            says: Some(says),
            ..
        }) => (progress, says),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_done_when_every_device_in_scope_is_at_the_version_and_not_before() {
    let started = concluded(&accepted(), &[Sight::devices(60, [cx(OLD, 212).due(DUE)])], 60);
    assert!(
        matches!(&started, Conclusion::Follow(Following::Queued { says: Some(says) }) if says.contains("212 devices; it is to begin at 2026-03-01T00:02:00Z")),
        "{started:?}"
    );
    let (progress, says) = moving(&accepted(), vec![cx(OLD, 42), cx(NEW, 170)], 2000);
    assert_eq!((progress, says.as_str()), (80, "170 of 212 devices at 10.13.1010"));
    let (kind, how) = end(&accepted(), &[Sight::devices(3000, [cx(NEW, 212)])], 3000).unwrap();
    assert_eq!(kind, EndKind::Succeeded);
    assert!(how.starts_with("212 of 212 devices at 10.13.1010, seen at "), "{how}");
}

#[test]
fn a_page_that_is_missing_makes_no_success_and_no_failure() {
    for now in [3000, LATE] {
        let partial = Sight::devices(now, [cx(NEW, 112)]).partial();
        let conclusion = concluded(&accepted(), &[partial], now);
        match now {
            LATE => assert!(
                matches!(conclusion, Conclusion::Follow(Following::LostSight { .. })),
                "{conclusion:?}"
            ),
            _ => assert!(
                matches!(conclusion, Conclusion::Follow(Following::OutOfSight { .. })),
                "{conclusion:?}"
            ),
        }
    }
}

#[test]
fn devices_that_all_went_away_are_no_success() {
    let conclusion = concluded(
        &accepted(),
        &[Sight::devices(3000, [cx(NEW, 14).in_lab(), cx(OLD, 0)]).fleet(|f| f.lines.clear())],
        3000,
    );
    assert!(
        matches!(&conclusion, Conclusion::Follow(Following::OutOfSight { why }) if why.contains("no device in scope")),
        "{conclusion:?}"
    );
}

#[test]
fn a_look_that_did_not_ask_who_is_left_alone_tells_nothing() {
    let excluding = leaving_alone(&[LAB, "Spare"]);
    let receipt = Receipt::order_to(NEW, &excluding, [cx(OLD, 198), cx(OLD, 14).in_lab()]).accepted(1);
    let lines = || [cx(NEW, 198), cx(OLD, 14).in_lab()];
    let of_the_lab_only = Sight::devices(3000, lines());
    let conclusion = concluded(&receipt, std::slice::from_ref(&of_the_lab_only), 3000);
    assert!(
        matches!(conclusion, Conclusion::Follow(Following::Queued { says: None })),
        "{conclusion:?}"
    );
    let of_both = of_the_lab_only.fleet(|f| f.groups = groups(&[LAB, "Spare"]));
    assert_eq!(end(&receipt, &[of_both], 3000).map(|(kind, _)| kind), Some(EndKind::Succeeded));
}

#[test]
fn a_group_that_is_renamed_during_the_run_makes_no_failure_of_those_it_kept_out() {
    let receipt = Receipt::order_to(NEW, &leaving_alone(&[LAB]), [cx(OLD, 198), cx(OLD, 14).in_lab()]).accepted(1);
    let renamed = |secs| Sight::devices(secs, [cx(NEW, 198), cx(OLD, 14)]).fleet(|f| f.unknown_groups = groups(&[LAB]));
    for now in [3000, LATE] {
        assert_eq!(end(&receipt, &[renamed(now - 600), renamed(now)], now), None, "{now}");
    }
}

#[test]
fn switches_that_took_the_order_and_did_nothing_have_failed_by_the_timeout_and_not_before() {
    let idle = |secs| Sight::devices(secs, [cx(OLD, 212)]);
    let waiting = concluded(&accepted(), &[idle(TIMEOUT - 60)], TIMEOUT - 60);
    assert!(
        matches!(waiting, Conclusion::Follow(Following::Moving { overdue: false, .. })),
        "{waiting:?}"
    );
    let (kind, how) = end(&accepted(), &[idle(LATE)], LATE).unwrap();
    assert_eq!(kind, EndKind::Failed);
    assert_eq!(how, "0 of 212 devices at 10.13.1010 after the timeout; not there: devices of 6300M");
}

#[test]
fn a_look_from_before_the_timeout_fails_nobody_after_it() {
    let stale = Sight::devices(TIMEOUT - 600, [cx(OLD, 12), cx(NEW, 200)]);
    let conclusion = concluded(&accepted(), std::slice::from_ref(&stale), TIMEOUT + 60);
    assert!(
        matches!(conclusion, Conclusion::Follow(Following::Moving { overdue: true, .. })),
        "{conclusion:?}"
    );
    let much_later = concluded(&accepted(), &[stale], LATE);
    assert!(
        matches!(much_later, Conclusion::Follow(Following::LostSight { .. })),
        "{much_later:?}"
    );
}

#[test]
fn a_fleet_that_still_comes_in_one_by_one_is_overdue_and_not_failed() {
    let sights = [
        Sight::devices(LATE - 600, [cx(OLD, 12), cx(NEW, 200)]),
        Sight::devices(LATE, [cx(OLD, 11), cx(NEW, 201)]),
    ];
    let conclusion = concluded(&accepted(), &sights, LATE);
    assert!(
        matches!(conclusion, Conclusion::Follow(Following::Moving { overdue: true, .. })),
        "{conclusion:?}"
    );
    let stuck = [sights[1].clone(), Sight::devices(LATE + 600, [cx(OLD, 11), cx(NEW, 201)])];
    assert_eq!(end(&accepted(), &stuck, LATE + 600).map(|(kind, _)| kind), Some(EndKind::Failed));
}

#[test]
fn devices_that_nobody_reaches_have_not_failed_a_person_has_to_look() {
    let away = Sight::devices(LATE, [cx(OLD, 4).down(), cx(NEW, 208)]);
    let conclusion = concluded(&accepted(), &[away], LATE);
    match conclusion {
        Conclusion::Follow(Following::LostSight { why }) => {
            assert_eq!(
                why,
                "208 of 212 devices at 10.13.1010, and the 4 devices that are not are out of Central's reach"
            );
        }
        other => panic!("{other:?}"),
    }
    let back = Sight::devices(LATE + 60, [cx(NEW, 212)]);
    assert_eq!(end(&accepted(), &[back], LATE + 60).map(|(kind, _)| kind), Some(EndKind::Succeeded));
}

#[test]
fn out_of_sight_is_never_failed() {
    let gone = |now| concluded(&accepted(), &[Sight::devices(300, [cx(OLD, 212)]), Sight::unseen(now)], now);
    assert!(matches!(gone(3000), Conclusion::Follow(Following::OutOfSight { .. })));
    assert!(matches!(gone(LATE), Conclusion::Follow(Following::LostSight { .. })));
}

#[test]
fn what_is_recommended_by_now_does_not_move_the_goal() {
    let options = leaving_alone(&[]);
    let receipt = Receipt::order_to(
        RECOMMENDED,
        &options,
        [cx(OLD, 200), cx(OLD, 12).of("8360").recommended(Some("10.12.1000"))],
    )
    .accepted(1);
    // Central recommends what the rest is at anyway, so by its own word no device needs anything.
    let moved = [cx(NEW, 200), cx(OLD, 12).of("8360").recommended(Some(OLD))];
    let (_, says) = moving(&receipt, moved.to_vec(), 3000);
    assert_eq!(says, "200 of 212 devices at the build that was recommended");
    let own = [cx(NEW, 200).recommended(Some(NEWER)), cx("10.12.1000", 12).of("8360")];
    assert_eq!(
        end(&receipt, &[Sight::devices(3000, own)], 3000).map(|(kind, _)| kind),
        Some(EndKind::Succeeded)
    );
}

#[test]
fn a_device_of_a_model_that_came_after_the_start_is_no_success_and_is_named() {
    let receipt = Receipt::order_to(RECOMMENDED, &leaving_alone(&[]), [cx(OLD, 200)]).accepted(1);
    let lines = || [cx(NEW, 200), cx(NEWER, 1).of("9300").recommended(Some(NEWER))];
    assert_eq!(end(&receipt, &[Sight::devices(3000, lines())], 3000), None);
    let (kind, how) = end(&receipt, &[Sight::devices(LATE, lines())], LATE).unwrap();
    assert_eq!(kind, EndKind::Failed);
    assert!(how.ends_with("nothing was recommended for 9300 when it was started"), "{how}");
}

#[test]
fn a_lost_start_is_found_by_the_second_that_it_was_scheduled_for() {
    let lost = Receipt::order().lost(1);
    for sight in [
        Sight::devices(60, [cx(OLD, 211), cx(OLD, 1).due(DUE)]),
        // One device that shows it is enough, whatever else could be read.
        Sight::devices(60, [cx(OLD, 1).due(DUE)]).partial(),
    ] {
        let conclusion = concluded(&lost, &[sight], 60);
        assert!(
            matches!(&conclusion, Conclusion::Adopt { how, job: None } if how.contains("1 device is scheduled for 2026-03-01T00:02:00Z")),
            "{conclusion:?}"
        );
    }
    let anothers = concluded(&lost, &[Sight::devices(60, [cx(OLD, 212).due(DUE + 1)])], 60);
    assert!(matches!(anothers, Conclusion::Doubt { stalled: false, .. }), "{anothers:?}");
    let of_the_left_alone = Receipt::order_to(NEW, &leaving_alone(&[LAB]), [cx(OLD, 212)]).lost(1);
    let in_lab = concluded(
        &of_the_left_alone,
        &[Sight::devices(60, [cx(OLD, 212), cx(OLD, 1).in_lab().due(DUE)])],
        60,
    );
    assert!(matches!(in_lab, Conclusion::Doubt { .. }), "{in_lab:?}");
}

#[test]
fn a_lost_start_without_a_trace_is_found_by_all_devices_at_the_version_and_is_never_called_not_taken() {
    let lost = Receipt::order().lost(1);
    let some = Sight::devices(3 * GRACE, [cx(OLD, 1), cx(NEW, 211)]);
    assert!(matches!(concluded(&lost, &[some], 3 * GRACE), Conclusion::Doubt { .. }));
    let partial = Sight::devices(3 * GRACE, [cx(NEW, 112)]).partial();
    assert!(matches!(concluded(&lost, &[partial], 3 * GRACE), Conclusion::Doubt { .. }));
    let all = Sight::devices(3 * GRACE, [cx(NEW, 212)]);
    assert!(matches!(concluded(&lost, &[all], 3 * GRACE), Conclusion::Adopt { .. }));
    let silent = [GRACE + 1, 2 * GRACE, LATE, 10 * LATE].map(|secs| Sight::devices(secs, [cx(OLD, 212)]));
    match concluded(&lost, &silent, 10 * LATE) {
        Conclusion::Doubt { stalled: true, why } => {
            assert_eq!(
                why,
                "0 of 212 devices at 10.13.1010, none scheduled for 2026-03-01T00:02:00Z; that does not prove that nothing was taken"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn devices_below_that_went_away_are_nobodys_upgrade() {
    let lost = Receipt::order_to(NEW, &leaving_alone(&[]), [cx(OLD, 12), cx(NEW, 200)]).lost(1);
    let fewer = Sight::devices(3 * GRACE, [cx(NEW, 200)]);
    assert!(matches!(concluded(&lost, &[fewer], 3 * GRACE), Conclusion::Doubt { .. }));
}

#[test]
fn a_refusal_stands_after_one_look_unless_its_own_second_is_seen_on_a_device() {
    let rejected = Receipt::order().rejected(1);
    let throttled = Receipt::order().refused_as(NotTaken::Throttled { retry_after: None }, 1);
    for (refused, kind) in [(rejected, EndKind::Rejected), (throttled, EndKind::NotTaken)] {
        assert_eq!(concluded(&refused, &[], 60), Conclusion::Confirming);
        assert_eq!(
            end(&refused, &[Sight::devices(60, [cx(OLD, 212)])], 60).map(|(kind, _)| kind),
            Some(kind)
        );
        let taken = concluded(&refused, &[Sight::devices(60, [cx(OLD, 212).due(DUE)])], 60);
        assert!(matches!(taken, Conclusion::Adopt { .. }), "{taken:?}");
        assert_eq!(
            concluded(&refused, &[Sight::devices(60, [cx(OLD, 112)]).partial()], 60),
            Conclusion::Confirming
        );
    }
}

#[test]
fn a_schedule_that_somebody_took_off_before_its_time_is_cancelled_and_one_that_began_is_not() {
    let on = || Sight::devices(20, [cx(OLD, 212).due(DUE)]);
    let off = |secs| Sight::devices(secs, [cx(OLD, 212)]);
    let early = [on(), off(40), off(60)];
    assert_eq!(end(&accepted(), &early, 60).map(|(kind, _)| kind), Some(EndKind::Cancelled));
    let once = [on(), off(40)];
    let never_on = [off(20), off(40), off(60)];
    // Central's clock may be ahead of ours by as much as two clocks may be apart.
    let at_its_time = [on(), off(40), off(DUE - 20)];
    for sights in [&once[..], &never_on, &at_its_time] {
        assert_eq!(end(&accepted(), sights, DUE - 20), None, "{sights:?}");
    }
}

#[test]
fn an_adopted_order_ends_only_once_its_own_request_cannot_be_under_way_any_more() {
    let adopted = Receipt::order().lost(1).adopted(60);
    let done = |secs| [Sight::devices(secs, [cx(NEW, 212)])];
    assert!(matches!(
        concluded(&adopted, &done(300), 300),
        Conclusion::Follow(Following::Settling { .. })
    ));
    assert_eq!(
        end(&adopted, &done(GRACE + 1), GRACE + 1).map(|(kind, _)| kind),
        Some(EndKind::Succeeded)
    );
}

#[test]
fn a_persons_not_started_waits_for_the_grace_period_and_yields_to_what_devices_show() {
    let said = Receipt::order().lost(1).resolved(Verdict::NotStarted);
    let idle = |secs| [Sight::devices(secs, [cx(OLD, 212)])];
    assert!(matches!(concluded(&said, &idle(60), 60), Conclusion::Doubt { stalled: false, .. }));
    assert_eq!(
        end(&said, &idle(GRACE + 1), GRACE + 1).map(|(kind, _)| kind),
        Some(EndKind::NotTaken)
    );
    let seen = [Sight::devices(GRACE + 1, [cx(OLD, 212).due(DUE)])];
    assert!(matches!(concluded(&said, &seen, GRACE + 1), Conclusion::Adopt { .. }));
}

#[test]
fn an_order_whose_options_are_not_known_is_judged_by_nobody() {
    let newer = |receipt: Receipt| receipt.options(r#"{"allowDowngrade":false,"excludeGroups":[],"sites":["a"]}"#);
    let all_there = [Sight::devices(LATE, [cx(NEW, 212)])];
    assert_eq!(end(&newer(accepted()), &all_there, LATE), None);
    assert!(matches!(
        concluded(&newer(Receipt::order().lost(1)), &all_there, LATE),
        Conclusion::Doubt { .. }
    ));
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let version = prop_oneof![3 => Just(OLD), 2 => Just(NEW), 1 => Just(NEWER), 1 => Just("")];
    let line = (
        version,
        0..200u32,
        any::<bool>(),
        prop::option::weighted(0.2, 100..140u64),
        prop::bool::weighted(0.2),
    );
    let line = line.prop_map(|(version, devices, down, due, lab)| {
        let line = cx(version, devices);
        let line = if down { line.down() } else { line };
        let line = if lab { line.in_lab() } else { line };
        match due {
            Some(due) => line.due(due),
            None => line,
        }
    });
    prop::collection::vec(line, 0..4)
}

fn any_sight() -> impl Strategy<Value = Sight> {
    (
        0..3 * TIMEOUT,
        any_lines(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(secs, lines, partial, unseen, unasked)| {
            let sight = if unseen { Sight::unseen(secs) } else { Sight::devices(secs, lines) };
            let sight = if partial { sight.partial() } else { sight };
            if unasked && sight.fleet.is_some() {
                sight.fleet(|f| f.groups.clear())
            } else {
                sight
            }
        })
}

fn any_options() -> impl Strategy<Value = Options> {
    prop_oneof![Just(leaving_alone(&[])), Just(leaving_alone(&[LAB])), Just(back())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_devices_show_a_start_is_never_called_not_taken_and_success_means_that_none_is_below(
        mut sights in prop::collection::vec(any_sight(), 0..5),
        options in any_options(),
        answer in 0..4u8,
        recommended: bool,
        now in 0..4 * TIMEOUT,
    ) {
        sights.sort_by_key(|s| s.asked);
        sights.retain(|s| s.asked <= mono(now));
        let version = if recommended { RECOMMENDED } else { NEW };
        let order = Receipt::order_to(version, &options, [cx(OLD, 100)]);
        let receipt = match answer {
            0 => order.accepted(1),
            1 => order.lost(1),
            2 => order.lost(1).adopted(60),
            _ => order,
        };
        let conclusion = concluded(&receipt, &sights, now);
        prop_assert_eq!(&conclusion, &concluded(&receipt, &sights, now));
        let excludes = options == leaving_alone(&[LAB]);
        let tells = |s: &&Sight| s.fleet.as_ref().is_none_or(|f| !excludes || f.groups.contains(LAB));
        let last = sights.iter().rev().find(tells);
        let seen = || last.and_then(|s| s.fleet.as_ref().filter(|_| s.complete && s.seen()));
        let in_scope = |line: &&Line| !excludes || line.groups.is_empty();
        match &conclusion {
            Conclusion::End { kind: EndKind::Succeeded, .. } => {
                let below = |line: &&Line| !line.version.starts_with(NEW) && (line.version != NEWER || options == back());
                let lines = &seen().unwrap().lines;
                prop_assert!(lines.iter().any(|line| in_scope(&line)));
                prop_assert!(!lines.iter().filter(in_scope).any(|line| below(&line)));
            }
            Conclusion::End { kind: EndKind::Failed, .. } => {
                prop_assert!(now >= TIMEOUT && last.unwrap().asked >= mono(TIMEOUT - 60));
                prop_assert!(seen().unwrap().lines.iter().filter(in_scope).any(|line| line.reachable && line.version != NEW));
            }
            Conclusion::End { kind: EndKind::Cancelled, .. } => prop_assert!(last.unwrap().asked < mono(DUE)),
            Conclusion::End { kind, .. } => prop_assert!(false, "{:?}", kind),
            Conclusion::Adopt { .. } => prop_assert!(receipt.adopted.is_none() && answer != 0),
            _ => {}
        }
    }
}
