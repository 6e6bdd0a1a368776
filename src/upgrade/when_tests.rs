use std::time::Duration;

use jiff::Timestamp;

use super::super::decision::Decision;
use super::super::facts::Facts;
use super::super::facts::TargetFacts;
use super::super::facts::Usable;
use super::super::reason::Reason;
use super::super::reason::State;
use super::super::receipt::EndKind;
use super::super::receipt::Note;
use super::super::receipt::Receipt;
use super::super::schedule::Freeze;
use super::super::schedule::Schedule;
use super::super::schedule::Written;
use super::super::schedule::WrittenWindow;
use super::super::sight::Sight;
use super::super::testing::*;
use super::allowed_at;

/// From each full hour on, for ten minutes.
fn hourly() -> Written {
    Written {
        windows: vec![WrittenWindow {
            cron: "0 * * * *".to_owned(),
            duration: Duration::from_secs(600),
            time_zone: "UTC".to_owned(),
        }],
        ..Written::default()
    }
}

fn frozen(from: u64, until: u64) -> Written {
    Written {
        freezes: vec![Freeze {
            from: at(from),
            until: at(until),
            reason: Some("CHG-991".to_owned()),
        }],
        ..Written::default()
    }
}

fn until(not_after: u64) -> Written {
    Written {
        not_after: Some(at(not_after)),
        ..Written::default()
    }
}

fn reasons(decision: &Decision) -> Vec<Reason> {
    decision.blockers.iter().map(|b| b.reason).collect()
}

/// The first full hour after the epoch of the tests.
fn hour() -> u64 {
    let second = at(0).as_second();
    u64::try_from((second / 3600 + 1) * 3600 - second).unwrap()
}

fn ready(now: u64) -> Facts {
    Facts::batch(now, [TargetFacts::ready("a", now - 10)])
}

#[test]
fn nothing_starts_outside_of_a_window_and_what_runs_is_followed_there() {
    let (open, close) = (hour(), hour() + 600);
    let before = ready(open - 1).schedule(&hourly()).decide();
    assert_eq!((before.starts(), reasons(&before)), (None, vec![Reason::WaitingForWindow]));
    assert_eq!(before.summary.state, State::Pending);
    assert_eq!(before.summary.next_action_at, Some(at(open)));
    assert_eq!(
        before.wake,
        Some(Duration::from_millis(1001)),
        "it looks again when the window opens"
    );
    let inside = ready(open).schedule(&hourly()).decide();
    assert_eq!((inside.starts(), reasons(&inside)), (Some("a"), vec![]));
    assert_eq!(inside.effect.unwrap().closes, Some(at(close)), "the permit ends with the window");
    assert_eq!(ready(close - 1).schedule(&hourly()).decide().starts(), Some("a"));
    assert_eq!(ready(close).schedule(&hourly()).decide().starts(), None);

    let flying = TargetFacts::running("a", close).sights([Sight::still(close + 5, TO)]);
    let followed = Facts::batch(close + 10, [flying]).schedule(&hourly()).decide();
    assert_eq!(followed.writes.len(), 1, "a run may end outside");
    assert_eq!(reasons(&followed), [], "nobody waits for the window");
    let done = Facts::batch(close + 10, [TargetFacts::over("a", EndKind::Succeeded, 50)]).schedule(&hourly());
    assert!(done.decide().summary.ready());
}

#[test]
fn a_freeze_of_the_connection_stops_a_resource_that_has_none() {
    let facts = ready(100).with(|f| f.connection.schedule = Schedule::parse(&frozen(50, 200)));
    let decision = facts.decide();
    assert_eq!((decision.starts(), reasons(&decision)), (None, vec![Reason::Frozen]));
    let message = &decision.blockers[0].message;
    assert!(message.contains("Connection vc1") && message.contains("CHG-991"), "{message}");
    assert_eq!(decision.blockers[0].until, Some(at(200)));
}

#[test]
fn what_happens_next_is_the_first_moment_that_everything_allows() {
    let open = hour();
    let both = ready(open - 100)
        .schedule(&hourly())
        .with(|f| f.connection.schedule = Schedule::parse(&frozen(0, open + 1200)));
    let decision = both.decide();
    assert_eq!(reasons(&decision), [Reason::WaitingForWindow, Reason::Frozen], "all of it is told");
    assert_eq!(decision.summary.next_action_at, Some(at(open + 3600)), "the next window is frozen");
    assert_eq!(decision.in_line.unwrap().from, at(open + 3600));
}

#[test]
fn what_a_person_must_lift_comes_before_what_time_lifts() {
    let facts = ready(hour() - 100).schedule(&hourly()).with(|f| f.suspend = true);
    let decision = facts.decide();
    assert_eq!(reasons(&decision), [Reason::Suspended, Reason::WaitingForWindow]);
    assert_eq!(decision.summary.next_action_at, None, "time alone changes nothing");
    assert_eq!(decision.in_line, None);

    let now = hour() - 100;
    let not_offered = TargetFacts::of("a").sights([Sight::still(now - 10, FROM).offering(&[])]);
    let decision = Facts::batch(now, [not_offered]).schedule(&hourly()).decide();
    assert_eq!(
        reasons(&decision),
        [Reason::VersionNotOffered, Reason::WaitingForWindow],
        "or the window would pass without anybody having known"
    );
    let unseen = Facts::batch(now, [TargetFacts::of("a")]).schedule(&hourly()).decide();
    assert_eq!(
        unseen.summary.reason,
        Reason::WaitingForWindow,
        "a restart does not write Evaluating over it"
    );
}

#[test]
fn too_late_is_written_down_and_said_with_what_to_do() {
    let late = |target: TargetFacts| Facts::batch(100, [target]).schedule(&until(90)).decide();
    assert_eq!(late(TargetFacts::ready("a", 95)).notes(), Some(Note::NotStartedInTime));
    assert_eq!(late(TargetFacts::ready("a", 95)).starts(), None);
    let unseen = TargetFacts::of("a").sights([Sight::unseen(95)]);
    assert_eq!(late(unseen).notes(), Some(Note::NotStartedInTime), "also where nobody can see it");
    let there = TargetFacts::of("a").sights([Sight::still(95, TO)]);
    assert_eq!(
        late(there).notes(),
        Some(Note::AlreadyAtVersion),
        "nothing is late where nothing is to be done"
    );
    assert_eq!(late(TargetFacts::of("a")).effect, None, "it is looked at first");
    let resting = TargetFacts::ready("a", 95).receipts([Receipt::no(1).on("a").ended(EndKind::NotTaken, 94)]);
    let resting = late(resting);
    assert_eq!(resting.notes(), Some(Note::NotStartedInTime), "no attempt is waited for");
    assert_eq!(resting.effect.unwrap().seq, 2);
    let since = Receipt::no(2).on("a").run_key("weekly").rejected(95).ended(EndKind::Rejected, 96);
    let behind = late(TargetFacts::ready("a", 95).receipts([Receipt::no(1).on("a").ended(EndKind::NotTaken, 94), since]));
    assert_eq!(behind.effect.unwrap().seq, 3, "another run came in between; its number is taken");
    let flying = TargetFacts::running("a", 95);
    assert_eq!(late(flying).effect, None, "what has started may end whenever it ends");

    let noted = TargetFacts::ready("a", 95).receipts([Receipt::no(1).on("a").note(Note::NotStartedInTime)]);
    for schedule in [until(90), Written::default()] {
        let summary = Facts::batch(100, [noted.clone()]).schedule(&schedule).decide().summary;
        assert_eq!((summary.state, summary.reason), (State::Cancelled, Reason::NotStartedInTime));
        assert!(summary.stalled && summary.message.contains("spec.runKey"), "{}", summary.message);
    }
}

#[test]
fn too_late_needs_no_vendor_but_a_target_that_is_known() {
    let late = |usable| {
        let facts = Facts::batch(100, [TargetFacts::of("a")]).schedule(&until(90)).usable(usable);
        facts.decide()
    };
    let broken = Usable::NotReady {
        reason: "Unreachable".to_owned(),
        message: "timed out".to_owned(),
    };
    assert_eq!(late(broken).notes(), Some(Note::NotStartedInTime));
    let missing = late(Usable::Missing);
    assert_eq!(missing.effect, None);
    assert_eq!(reasons(&missing), [Reason::ConnectionNotReady, Reason::NotStartedInTime]);
}

#[test]
fn a_connection_that_is_over_cancels_nobody_for_good() {
    let facts = ready(100).with(|f| f.connection.schedule = Schedule::parse(&until(90)));
    let decision = facts.decide();
    assert_eq!(
        (decision.effect.clone(), reasons(&decision)),
        (None, vec![Reason::ConnectionNotReady])
    );
    assert_eq!((decision.summary.state, decision.summary.stalled), (State::Pending, false));
    let both = facts.schedule(&until(95)).decide();
    assert_eq!(both.notes(), Some(Note::NotStartedInTime), "its own is final");
}

#[test]
fn a_schedule_that_cannot_be_obeyed_allows_nothing() {
    let mut nonsense = hourly();
    "Europe/Madird".clone_into(&mut nonsense.windows[0].time_zone);
    let own = ready(100).schedule(&nonsense).decide();
    assert_eq!((own.starts(), own.summary.state), (None, State::Rejected));
    assert_eq!((own.summary.reason, own.summary.stalled), (Reason::InvalidSchedule, true));
    assert!(own.summary.message.contains("spec.schedule.windows[0]"), "{}", own.summary.message);
    assert!(own.effect.is_none(), "no receipt: it ends when the spec is mended");

    let theirs = ready(100).with(|f| f.connection.schedule = Schedule::parse(&nonsense)).decide();
    assert_eq!((theirs.starts(), theirs.summary.state), (None, State::Pending));
    assert_eq!(theirs.summary.reason, Reason::ConnectionNotReady);

    let flying = TargetFacts::running("a", 90).sights([Sight::still(95, TO)]);
    let followed = Facts::batch(100, [flying]).schedule(&nonsense).decide();
    assert_eq!(followed.writes.len(), 1, "a run is followed to its end");
    let done = Facts::batch(100, [TargetFacts::over("a", EndKind::Succeeded, 50)]).schedule(&nonsense);
    assert!(done.decide().summary.ready(), "and a success stays one");
}

#[test]
fn another_clock_must_agree_that_a_start_is_allowed() {
    let (own, none) = (Schedule::parse(&hourly()).unwrap(), Schedule::default());
    let open = at(hour());
    let at = |ms: i64| Timestamp::from_millisecond(open.as_millisecond() + ms).unwrap();
    assert!(super::allowed_at(&none, &own, at(0)) && super::allowed_at(&own, &none, at(599_000)));
    assert!(!super::allowed_at(&none, &own, at(600_000)) && !super::allowed_at(&own, &none, at(-1000)));
}

#[test]
fn another_clock_says_whether_it_is_too_late() {
    let last = hour();
    let own = Schedule::parse(&Written {
        not_after: Some(at(last)),
        ..Written::default()
    });
    let own = own.unwrap();
    assert!(!super::too_late_at(&own, at(last - 1)), "our clock may be ahead of it");
    assert!(super::too_late_at(&own, at(last)));
    let closed = Schedule::parse(&hourly()).unwrap();
    assert!(!super::too_late_at(&closed, at(last + 1800)), "closed is not too late");
}

#[test]
fn no_more_are_in_flight_through_a_connection_than_it_allows() {
    let limited = |limit| ready(100).with(|f| f.connection.limit = limit);
    let flying = |f: &mut Facts| f.connection.open = ["x", "y"].map(str::to_owned).into();
    assert_eq!(limited(3).with(flying).decide().starts(), Some("a"));
    let full = limited(2).with(flying).decide();
    assert_eq!((full.starts(), reasons(&full)), (None, vec![Reason::LimitReached]));
    let reserved = |target: &str| {
        let facts = limited(1).reserved(target, 1, 95);
        facts
            .with(|f| "other/ClusterUpgradeBatch/x".clone_into(&mut f.connection.reservations[0].by))
            .decide()
    };
    assert_eq!(reserved("z").starts(), None, "whoever took the slot");
    assert_eq!(reserved("z").summary.next_action_at, Some(at(95 + 120)));
    assert_eq!(reserved("a").starts(), Some("a"), "the slot that it would take");
    let both = limited(2).strategy(9, 0, 0).reserved("x", 1, 95);
    let both = both.with(|f| f.connection.open = ["x".to_owned()].into());
    assert_eq!(both.decide().starts(), Some("a"), "a receipt and its reservation are one slot");
}

#[test]
fn the_oldest_resource_goes_first_and_nobody_writes_while_the_line_moves() {
    let ahead = |n| {
        let facts = ready(100).with(|f| {
            f.connection.limit = 3;
            f.connection.open = ["x".to_owned()].into();
            f.connection.ahead = (0..n).map(|n| format!("older-{n}")).collect();
        });
        facts.decide()
    };
    assert_eq!(ahead(1).starts(), Some("a"), "there is a slot for each");
    assert_eq!((ahead(2).starts(), reasons(&ahead(2))), (None, vec![Reason::LimitReached]));
    assert_eq!(
        ahead(2).summary,
        ahead(90).summary,
        "hundreds may wait: a message that counts them would be hundreds of writes"
    );
    let behind = |open: usize, reserved: u64| {
        let facts = ready(100).strategy(9, 0, 0).reserved("z", 1, reserved).with(|f| {
            f.connection.limit = 3;
            f.connection.open = (0..open).map(|n| format!("open-{n}")).collect();
            f.connection.ahead = ["b".to_owned(), "c".to_owned()].into();
        });
        facts.decide().summary
    };
    assert_eq!(
        behind(0, 90),
        behind(3, 95),
        "nor does it tell whose slots are taken, or until when"
    );
    let place = |decision: Decision| decision.in_line.map(|next| (next.from, next.object));
    let ours = Some((at(100), "a".to_owned()));
    assert_eq!(place(ahead(90)), ours, "it keeps its place");
    assert_eq!(place(ready(100).decide()), ours);
    assert_eq!(
        ready(100).with(|f| f.suspend = true).decide().in_line,
        None,
        "one that cannot go holds nobody up"
    );
}

#[test]
fn the_second_clock_is_believed_to_its_second_and_no_further() {
    let (any, until) = (Schedule::default(), Schedule::parse(&until(90)).unwrap());
    let from = Written {
        not_before: Some(at(100)),
        ..Written::default()
    };
    let from = Schedule::parse(&from).unwrap();
    for (schedule, shut, open) in [(&until, 90, 89), (&from, 99, 100)] {
        for (connection, own) in [(schedule, &any), (&any, schedule)] {
            assert!(!allowed_at(connection, own, at(shut)));
            assert!(allowed_at(connection, own, at(open)));
        }
    }
}

#[test]
fn an_older_one_that_has_just_taken_its_slot_holds_one_slot_and_not_two() {
    let facts = ready(100).strategy(9, 0, 0).reserved("x", 1, 95).with(|f| {
        f.connection.limit = 3;
        f.connection.ahead = ["x".to_owned(), "y".to_owned()].into();
    });
    assert_eq!(facts.decide().starts(), Some("a"), "x holds one, y will, and one is left");
    let full = facts.with(|f| f.connection.open = ["z".to_owned()].into());
    assert_eq!(full.decide().starts(), None);
}

#[test]
fn what_prepares_its_start_never_flips_while_others_take_slots_and_starts_nothing_else() {
    let full = ready(100).with(|f| {
        f.connection.limit = 1;
        f.connection.open = ["x".to_owned()].into();
    });
    assert_eq!(reasons(&full.decide()), [Reason::LimitReached]);
    let preparing = full.with(|f| f.starting = Some(f.targets[0].key.clone())).decide();
    assert_eq!((reasons(&preparing), preparing.summary.reason), (Vec::new(), Reason::Evaluating));
    assert_eq!(preparing.effect, None);
}
