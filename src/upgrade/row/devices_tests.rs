//! A customer's devices that could be upgraded, and everything that keeps them from it.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use crate::upgrade::decision::Decision;
use crate::upgrade::decision::Devices;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::What;
use crate::upgrade::facts::Facts;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::fleet::Line;
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::quota::Spend;
use crate::upgrade::reason::Reason;
use crate::upgrade::reason::State;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::schedule::Freeze;
use crate::upgrade::schedule::Written;
use crate::upgrade::sight::Sight;
use crate::upgrade::testing::devices::*;
use crate::upgrade::testing::*;

const NOW: u64 = 100;

fn seen(lines: impl IntoIterator<Item = Line>) -> TargetFacts {
    TargetFacts::customer([Sight::devices(NOW - 10, lines)])
}

fn decided(target: TargetFacts) -> Decision {
    Facts::batch(NOW, [target]).decide()
}

fn blocked(decision: &Decision) -> (Reason, &str) {
    assert!(decision.effect.is_none(), "{:?}", decision.effect);
    assert_ne!(decision.summary.state, State::Success);
    let first = &decision.blockers[0];
    (first.reason, &first.message)
}

fn start(decision: &Decision) -> &Effect {
    decision
        .effect
        .as_ref()
        .filter(|e| e.what == What::Start)
        .unwrap_or_else(|| panic!("{decision:?}"))
}

#[test]
fn devices_below_are_started_for_a_second_two_minutes_ahead_that_no_device_shows() {
    let decision = decided(seen([cx(OLD, 198), cx(OLD, 14).in_lab()]).wish(|w| w.options = leaving_alone(&[LAB])));
    let effect = start(&decision);
    assert_eq!((effect.run.version.as_str(), effect.due), (NEW, Some(at(NOW + 121))));
    let before = effect.before.fleet.as_ref().unwrap();
    assert_eq!(
        (effect.before.version.as_str(), before.total, before.at, before.excluded),
        (OLD, 198, 0, 14)
    );
    let row = decision.row("4d1c9a70/CX");
    assert_eq!(row.message.as_deref(), Some("198 CX devices, 198 not at 10.13.1010"));
    assert_eq!(
        row.devices,
        Some(Devices {
            total: 198,
            at_version: 0,
            unreachable: 0,
            excluded: 14
        })
    );
    // Leftovers of long ago keep nobody from starting, but the second has to be nobody else's.
    let old = at(NOW + 121).as_second();
    let long_ago = seen([cx(OLD, 1), cx(OLD, 1).in_lab()]).wish(|w| w.options = leaving_alone(&[LAB]));
    let long_ago = Facts::batch(NOW, [long_ago]).with(|f| {
        f.targets[0].sights[0] = f.targets[0].sights[0].clone().fleet(|fleet| {
            fleet
                .lines
                .iter_mut()
                .filter(|line| !line.groups.is_empty())
                .for_each(|line| line.scheduled = Some(old));
        });
    });
    assert_eq!(start(&long_ago.decide()).due, Some(at(NOW + 122)));
}

#[test]
fn no_devices_in_scope_is_no_success() {
    let (none, message) = (
        decided(seen([])),
        "customer 4d1c9a70 has no CX devices; check spec.arubaCustomer.customerId and deviceType",
    );
    assert_eq!(blocked(&none), (Reason::NoDevicesInScope, message));
    let all_excluded = decided(seen([cx(NEW, 14).in_lab()]).wish(|w| w.options = leaving_alone(&[LAB])));
    assert_eq!(blocked(&all_excluded).0, Reason::NoDevicesInScope);
    assert!(blocked(&all_excluded).1.starts_with("all 14 CX devices are in groups"));
    assert_eq!(all_excluded.notes(), None);
}

#[test]
fn a_group_that_nobody_knows_stops_the_start_before_it_reaches_who_was_to_be_left_alone() {
    let sight = Sight::devices(NOW - 10, [cx(OLD, 212)]).fleet(|f| {
        f.groups = groups(&["Lap"]);
        f.unknown_groups = groups(&["Lap"]);
    });
    let decision = decided(TargetFacts::customer([sight]).wish(|w| w.options = leaving_alone(&["Lap"])));
    let (reason, message) = blocked(&decision);
    assert_eq!(reason, Reason::GroupNotFound);
    assert!(message.contains("no group Lap") && message.contains("excludeGroups"), "{message}");
}

#[test]
fn a_version_that_one_model_cannot_have_starts_nothing_and_names_the_model() {
    let lacking = |models: &[&str]| {
        let lines = [cx(OLD, 200), cx(OLD, 12).of("8360"), cx(NEW, 1).of("4100")];
        let sight = Sight::devices(NOW - 10, lines).fleet(|f| {
            f.offers.insert(NEW.to_owned(), groups(models));
        });
        decided(TargetFacts::customer([sight]))
    };
    let (one, all) = (lacking(&["8360", "9300"]), lacking(&["4100", "9300"]));
    let (reason, message) = blocked(&one);
    assert_eq!(reason, Reason::VersionNotOffered);
    assert!(message.starts_with("Central does not offer 10.13.1010 for 8360;"), "{message}");
    // Nobody of the one that is there already has to get it, nor of one that nobody has.
    start(&all);
    let unknown = Sight::devices(NOW - 10, [cx(OLD, 212)]).fleet(|f| f.offers.clear());
    let decision = decided(TargetFacts::customer([unknown]));
    assert_eq!(blocked(&decision).0, Reason::Evaluating);
}

#[test]
fn a_page_that_is_missing_starts_nothing_and_notes_nothing() {
    for lines in [vec![cx(OLD, 112)], vec![cx(NEW, 112)], vec![cx(NEWER, 112)], vec![]] {
        let decision = decided(TargetFacts::customer([Sight::devices(NOW - 10, lines).partial()]));
        assert_eq!(blocked(&decision).0, Reason::Evaluating);
    }
}

#[test]
fn devices_that_are_all_there_need_no_start() {
    let decision = decided(seen([cx(NEW, 210), cx(NEW, 2).down()]));
    assert_eq!(decision.notes(), Some(Note::AlreadyAtVersion));
}

#[test]
fn one_device_above_is_a_downgrade_unless_the_resource_says_so() {
    for above in [NEWER, "edge"] {
        let lines = || [cx(OLD, 211), cx(above, 1)];
        let refused = decided(seen(lines()));
        assert_eq!(refused.notes(), Some(Note::WouldDowngrade), "{above}");
        let back = seen(lines()).wish(|w| w.options = back());
        start(&decided(back));
        let mut noted = Receipt::order_to(NEW, &leaving_alone(&[]), lines()).note(Note::WouldDowngrade);
        noted.options = Some(leaving_alone(&[]).canonical());
        let target = seen(lines()).receipts([noted.clone()]);
        let told = decided(target).row("4d1c9a70/CX").message.clone().unwrap();
        assert!(
            told.starts_with("1 of 212 devices are above 10.13.1010, or cannot be compared with it; nothing was sent"),
            "{told}"
        );
        // Other options are another attempt, with the devices that those leave.
        let lab = [cx(OLD, 211), cx(above, 1).in_lab()];
        start(&decided(seen(lab).receipts([noted]).wish(|w| w.options = leaving_alone(&[LAB]))));
    }
}

#[test]
fn going_back_to_where_the_last_order_came_from_is_a_downgrade_also_when_no_device_is_above() {
    let failed = Receipt::order_to("edge", &leaving_alone(&[]), [cx(OLD, 212)])
        .accepted(1)
        .ended(EndKind::Failed, 50);
    let target = || seen([cx("9.99", 212)]).receipts([failed.clone()]).wished_at(OLD);
    assert_eq!(decided(target()).notes(), Some(Note::WouldDowngrade));
    start(&decided(target().wish(|w| w.options = back())));
}

#[test]
fn somebody_elses_schedule_is_waited_for_and_our_own_leftover_is_not() {
    let theirs = decided(seen([cx(OLD, 200), cx(OLD, 12).due(5000)]));
    let (reason, message) = blocked(&theirs);
    assert_eq!(reason, Reason::TargetBusy);
    assert!(
        message.starts_with("an upgrade of 12 devices is scheduled for 2026-03-01 01:23:20Z, not by Windlass"),
        "{message}"
    );
    let failed = Receipt::order().accepted(1).ended(EndKind::Failed, 50);
    let ours = seen([cx(OLD, 212).due(DUE)])
        .receipts([failed])
        .wish(|w| w.run_key = "again".to_owned());
    start(&decided(ours));
    let left_alone = seen([cx(OLD, 200), cx(OLD, 12).in_lab().due(5000)]).wish(|w| w.options = leaving_alone(&[LAB]));
    start(&decided(left_alone));
}

#[test]
fn a_schedule_that_stands_although_its_start_was_never_taken_is_nobodys_leftover() {
    let receipt = |kind| Receipt::order().ended(kind, 50);
    for (kind, stops) in [
        (EndKind::NotTaken, true),
        (EndKind::Rejected, true),
        (EndKind::Withdrawn, true),
        (EndKind::Failed, false),
    ] {
        let target = seen([cx(OLD, 212).due(DUE)])
            .receipts([receipt(kind)])
            .wish(|w| w.run_key = "again".to_owned());
        let decision = decided(target);
        assert_eq!(decision.effect.is_none(), stops, "{kind:?}");
        assert_eq!(decision.row("4d1c9a70/CX").reason == Reason::TargetBusy, stops, "{kind:?}");
    }
}

#[test]
fn a_start_never_rests_on_an_older_look_that_told_more_than_the_one_it_was_prepared_with() {
    let untold = Sight::devices(90, [cx(OLD, 212)]).fleet(|f| f.groups.clear());
    let target = TargetFacts::customer([Sight::devices(10, [cx(OLD, 212)]), untold]).wish(|w| w.options = leaving_alone(&[LAB]));
    let mut facts = Facts::batch(NOW, [target]);
    start(&facts.decide());
    facts.rest_on_looks_since(&customer(), mono(90));
    assert!(facts.decide().effect.is_none());
}

#[test]
fn what_is_recommended_is_frozen_and_a_model_without_it_starts_nothing() {
    let lines = || vec![cx(OLD, 200), cx(OLD, 12).of("8360").recommended(Some("10.12.1000"))];
    let wished = |lines: Vec<Line>| seen(lines).wished_at(RECOMMENDED);
    let decision = decided(wished(lines()));
    let effect = start(&decision);
    let frozen = &effect.before.fleet.as_ref().unwrap().recommended;
    assert_eq!((&frozen[MODEL], &frozen["8360"]), (&groups(&[NEW]), &groups(&["10.12.1000"])));
    assert_eq!(effect.run.version, RECOMMENDED);
    let mut without = lines();
    without.push(cx(OLD, 1).of("9300").recommended(None));
    let decision = decided(wished(without));
    let (reason, message) = blocked(&decision);
    assert_eq!(reason, Reason::VersionNotOffered);
    assert_eq!(
        message,
        "Central recommends nothing for 9300: set spec.version instead of spec.arubaCustomer.recommended"
    );
    let there = wished(vec![cx(NEW, 200), cx("10.12.1000", 12).of("8360").recommended(Some("10.12.1000"))]);
    assert_eq!(decided(there).notes(), Some(Note::AlreadyAtVersion));
}

#[test]
fn a_window_that_closes_before_the_scheduled_second_gets_no_start() {
    let freeze = |from| Written {
        freezes: vec![Freeze {
            from: at(from),
            until: at(9000),
            reason: None,
        }],
        ..Written::default()
    };
    let at_once = Facts::batch(NOW, [seen([cx(OLD, 212)])]).schedule(&freeze(NOW + 121));
    assert_eq!(blocked(&at_once.decide()).0, Reason::WaitingForWindow);
    let in_time = Facts::batch(NOW, [seen([cx(OLD, 212)])]).schedule(&freeze(NOW + 122));
    let decision = in_time.decide();
    assert!(start(&decision).due < start(&decision).closes);
}

#[test]
fn without_calls_nothing_starts_and_the_blocker_says_until_when() {
    let facts = |left| Facts::batch(NOW, [seen([cx(OLD, 212)])]).calls_left(left);
    start(&facts(27).decide());
    let low = facts(26).decide();
    assert_eq!(blocked(&low).0, Reason::QuotaLow);
    assert_eq!(low.blockers[0].until, Some(at(24 * 3600)));
    assert_eq!(low.summary.next_action_at, Some(at(24 * 3600)));
    assert!(low.in_line.is_none() && low.looks.is_empty());
    let tomorrow = facts(0).with(|f| f.wall = at(24 * 3600));
    start(&tomorrow.decide());
    let unseen = Facts::batch(NOW, [TargetFacts::customer([])]);
    assert_eq!(blocked(&unseen.clone().calls_left(2100).decide()).0, Reason::QuotaLow);
    assert_eq!(unseen.clone().calls_left(3000).decide().looks.len(), 1);
    assert_eq!(unseen.decide().looks.len(), 1, "nobody has told of a quota yet");
}

#[test]
fn a_look_asks_for_the_groups_of_the_wish_and_of_the_run_and_for_the_version_only_before_a_start() {
    let waiting = TargetFacts::customer([]).wish(|w| w.options = leaving_alone(&["Spare"]));
    let look = Facts::batch(NOW, [waiting]).decide().looks.remove(0);
    assert!(look.detailed, "no list has it");
    assert_eq!(
        (&look.scope.exclude_groups, &look.scope.versions),
        (&groups(&["Spare"]), &groups(&[NEW]))
    );
    assert_eq!(look.scope.spend, Spend::Waiting);
    let run = Receipt::order_to(NEW, &leaving_alone(&[LAB]), [cx(OLD, 212)]).accepted(1);
    let running = TargetFacts::customer([])
        .receipts([run])
        .wish(|w| w.options = leaving_alone(&["Spare"]));
    let look = Facts::batch(NOW, [running]).decide().looks.remove(0);
    assert_eq!(
        (look.scope.exclude_groups, look.scope.versions),
        (groups(&["Spare", LAB]), BTreeSet::new())
    );
    assert_eq!(look.scope.spend, Spend::Watching);
}

#[test]
fn a_run_is_looked_at_as_often_as_the_calls_last_and_the_last_of_them_are_for_its_end() {
    let running = |lines: Vec<Line>, secs| TargetFacts::customer([Sight::devices(secs, lines)]).receipts([Receipt::order().accepted(1)]);
    let facts = |lines, age: u64, left| Facts::batch(3000, [running(lines, 3000 - age)]).calls_left(left);
    let half = || vec![cx(OLD, 112), cx(NEW, 100)];
    let nearly = || vec![cx(OLD, 2), cx(NEW, 210)];
    let looks = |facts: Facts| facts.decide().looks.len();
    assert_eq!(looks(facts(half(), 59, 4000)), 0);
    // 20 calls a round, 3600 of them to spend in what is left of the day: a round each 464 seconds.
    assert_eq!((looks(facts(half(), 463, 4000)), looks(facts(half(), 465, 4000))), (0, 1));
    assert_eq!(looks(facts(half(), 2900, 401)), 0, "kept for starts and ends");
    assert_eq!(looks(facts(half(), 2900, 500)), 0, "every other run has as much of it");
    assert_eq!(looks(facts(nearly(), 2900, 4000)), 1);
    let late = facts(nearly(), 60, 4000).with(|f| f.timeout = Duration::from_secs(60));
    assert!(late.decide().looks.is_empty(), "also the end is paced");
    let wake = facts(half(), 0, 0).decide().wake;
    assert!(wake.is_some_and(|wake| wake <= Duration::from_mins(10)));
}

#[test]
fn a_run_shows_its_numbers_and_when_it_begins() {
    let target = |lines, secs| TargetFacts::customer([Sight::devices(secs, lines)]).receipts([Receipt::order().accepted(1)]);
    let begun = Facts::batch(60, [target(vec![cx(OLD, 212)], 50)]).decide();
    let row = begun.row("4d1c9a70/CX");
    assert_eq!((row.state, row.scheduled_at), (State::Started, Some(at(DUE))));
    assert_eq!(begun.summary.message, row.message.clone().unwrap());
    let on = Facts::batch(3000, [target(vec![cx(OLD, 42), cx(NEW, 170)], 2990)]).decide();
    let row = on.row("4d1c9a70/CX");
    assert_eq!(
        (row.state, row.progress, row.current_version.as_deref()),
        (State::Running, Some(80), Some("mixed"))
    );
    assert_eq!(on.summary.message, "170 of 212 devices at 10.13.1010");
    let unseen = TargetFacts::customer([Sight::devices(2000, [cx(OLD, 42), cx(NEW, 170)]), Sight::unseen(2990)]);
    let away = Facts::batch(3000, [unseen.receipts([Receipt::order().accepted(1)])]).decide();
    assert_eq!(
        (away.row("4d1c9a70/CX").progress, away.summary.reason),
        (Some(80), Reason::OutOfSight)
    );
}

#[test]
fn a_version_that_was_left_for_a_newer_one_needs_leave_and_a_run_key_to_come_back() {
    let first = Receipt::order().accepted(1).ended(EndKind::Succeeded, 2);
    let mut second = Receipt::order_to(NEWER, &leaving_alone(&[]), [cx(NEW, 212)])
        .accepted(3)
        .ended(EndKind::Succeeded, 4);
    (second.seq, second.name) = (2, customer().receipt_name(2));
    let target = |options, key: &str| {
        let receipts = [first.clone(), second.clone()];
        seen([cx(NEWER, 212)])
            .receipts(receipts)
            .wish(|w| (w.options, w.run_key) = (options, key.to_owned()))
    };
    for options in [leaving_alone(&[]), back()] {
        let message = decided(target(options, "")).summary.message;
        assert!(message.contains("allowDowngrade and a new spec.runKey"), "{message}");
    }
    assert_eq!(decided(target(leaving_alone(&[]), "back")).notes(), Some(Note::WouldDowngrade));
    start(&decided(target(back(), "back")));
}

#[test]
fn a_customer_that_central_does_not_know_is_named_with_the_field_to_mend() {
    let decision = decided(TargetFacts::customer([Sight::no_such_object(NOW - 10)]));
    let (reason, message) = blocked(&decision);
    assert_eq!(reason, Reason::TargetNotFound);
    assert!(message.ends_with("check spec.arubaCustomer.customerId"), "{message}");
    assert_eq!(decided(TargetFacts::customer([])).row("4d1c9a70/CX").current_version, None);
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let version = prop_oneof![6 => Just(OLD), 3 => Just(NEW), 1 => Just(NEWER), 1 => Just("edge"), 1 => Just("")];
    let due = prop::option::weighted(0.1, 0..300u64);
    let line = (
        version,
        0..200u32,
        prop::array::uniform3(prop::bool::weighted(0.2)),
        due,
        prop::bool::weighted(0.9),
    );
    let line = line.prop_map(|(version, devices, [down, lab, other], due, told)| {
        let line = cx(version, devices).recommended(told.then_some(NEW));
        let line = if down { line.down() } else { line };
        let line = if lab { line.in_lab() } else { line };
        let line = if other { line.of("8360") } else { line };
        due.into_iter().fold(line, Line::due)
    });
    prop::collection::vec(line, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_devices_show_a_start_goes_out_only_to_some_that_are_below_and_can_have_it(
        lines in any_lines(),
        flags in prop::array::uniform4(prop::bool::weighted(0.15)),
        options in prop_oneof![Just(leaving_alone(&[])), Just(leaving_alone(&[LAB])), Just(back())],
        lacking in prop::option::weighted(0.2, prop_oneof![Just(MODEL), Just("8360")]),
        recommended: bool,
        left in prop::option::of(0..200u32),
        closes in 0..400u64,
    ) {
        let [partial, unknown, unasked, unoffered] = flags;
        let sight = Sight::devices(NOW - 10, lines).fleet(|f| {
            if unknown { f.unknown_groups = groups(&[LAB]); }
            if unasked { f.groups.clear(); }
            if unoffered { f.offers.clear(); }
            f.offers.entry(NEW.to_owned()).and_modify(|models| models.extend(lacking.map(str::to_owned)));
        });
        let sight = if partial { sight.partial() } else { sight };
        let fleet = sight.fleet.clone().unwrap();
        let version = if recommended { RECOMMENDED } else { NEW };
        let target = TargetFacts::customer([sight]).wish(|w| w.options = options.clone()).wished_at(version);
        let freeze = Freeze { from: at(NOW + closes), until: at(NOW + closes + 10_000), reason: None };
        let facts = Facts::batch(NOW, [target]).schedule(&Written { freezes: vec![freeze], ..Written::default() });
        let facts = match left {
            Some(left) => facts.calls_left(left),
            None => facts,
        };
        let decision = facts.decide();
        prop_assert_eq!(&decision, &facts.decide());
        prop_assert!(decision.wake.is_some_and(|wake| !wake.is_zero() && wake <= facts.timing.wake));
        prop_assert_ne!(decision.summary.state, State::Success);
        let excludes = options == leaving_alone(&[LAB]);
        let scope: Vec<&Line> = fleet.lines.iter().filter(|line| !excludes || line.groups.is_empty()).collect();
        let Some(effect) = &decision.effect else { return Ok(()) };
        prop_assert!(!partial && !(excludes && (unknown || unasked)) && !scope.is_empty());
        prop_assert!(scope.iter().all(|line| line.scheduled.is_none()));
        let at_goal = |line: &&Line| line.version == NEW;
        match effect.what {
            What::Note(Note::AlreadyAtVersion) => prop_assert!(scope.iter().all(at_goal)),
            What::Note(note) => {
                prop_assert_eq!(note, Note::WouldDowngrade);
                prop_assert!(options != back() && scope.iter().any(|line| line.version == NEWER || line.version == "edge"));
            }
            What::Start => {
                prop_assert!(!scope.iter().all(at_goal));
                prop_assert!(options == back() || scope.iter().all(|line| [OLD, NEW, ""].contains(&line.version.as_str())));
                let can_have = |line: &&Line| !unoffered && lacking.is_none_or(|model| at_goal(line) || line.model != model);
                prop_assert!(recommended || scope.iter().all(can_have));
                let told = |model: &str| scope.iter().any(|line| line.model == model && line.recommended.is_some());
                prop_assert!(!recommended || scope.iter().all(|line| told(&line.model)));
                let due = effect.due.unwrap();
                prop_assert!(due > at(NOW + 120) && due < effect.closes.unwrap() && effect.closes == Some(at(NOW + closes)));
                prop_assert!(fleet.lines.iter().all(|line| line.scheduled != Some(due.as_second())));
                prop_assert!(left.is_none_or(|left| left >= 27));
            }
        }
    }
}
