//! Gates, story by story: bounds, freezes, two schedules, and the words for all that.

use super::*;
use crate::upgrade::reason::Reason;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn madrid(cron: &str, hours: u64) -> WrittenWindow {
    WrittenWindow {
        cron: cron.to_owned(),
        duration: Duration::from_hours(hours),
        time_zone: "Europe/Madrid".to_owned(),
    }
}

fn freeze(from: &str, until: &str, reason: Option<&str>) -> Freeze {
    Freeze {
        from: at(from),
        until: at(until),
        reason: reason.map(str::to_owned),
    }
}

fn year_end() -> Freeze {
    freeze("2026-12-18T00:00:00Z", "2027-01-04T00:00:00Z", Some("year-end freeze CHG-991"))
}

/// Saturday and Sunday, 01:00 to 05:00 in Madrid.
fn weekends() -> Written {
    Written {
        windows: vec![madrid("0 1 * * 6,0", 4)],
        ..Written::default()
    }
}

fn ask(connection: &Written, own: &Written, now: &str) -> Gate {
    gate(&Schedule::parse(connection).unwrap(), &Schedule::parse(own).unwrap(), at(now))
}

/// Reason, message and end of each blocker.
fn told(gate: &Gate) -> Vec<String> {
    let until = |b: &crate::upgrade::decision::Blocker| b.until.map_or_else(|| "-".to_owned(), |t| t.to_string());
    gate.blockers("vc1")
        .iter()
        .map(|b| format!("{} {} {}", b.reason.word(), until(b), b.message))
        .collect()
}

fn opens(gate: &Gate) -> Opens {
    match gate {
        Gate::Closed(closed) => closed.opens,
        other => panic!("{other:?}"),
    }
}

fn open_until(gate: &Gate) -> (String, bool) {
    match gate {
        Gate::Open(opening) => (opening.until.to_string(), opening.closes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_schedule_it_is_always_open() {
    let gate = ask(&Written::default(), &Written::default(), "2026-11-22T12:00:00Z");
    assert_eq!(
        gate,
        Gate::Open(Opening {
            from: at("2026-11-22T12:00:00Z"),
            until: Timestamp::MAX,
            closes: false
        })
    );
    assert!(gate.allows_until(at("2036-11-22T12:00:00Z")) && gate.blockers("vc1").is_empty());
}

#[test]
fn a_window_is_waited_for_and_named_in_its_zone() {
    let closed = ask(&Written::default(), &weekends(), "2026-11-22T12:00:00Z");
    assert_eq!(opens(&closed), Opens::At(at("2026-11-28T00:00:00Z")));
    assert_eq!(
        told(&closed),
        ["WaitingForWindow 2026-11-28T00:00:00Z next window opens Sat 28 Nov 01:00 Europe/Madrid (spec.schedule.windows)"]
    );
    let Gate::Closed(inner) = &closed else { unreachable!() };
    assert_eq!(inner.opens_at.as_ref().unwrap().words(inner.now), "Sat 28 Nov 01:00 Europe/Madrid");
    assert!(closed.opens_within(Duration::from_hours(6 * 24)) && !closed.opens_within(Duration::from_hours(5 * 24)));
    assert!(!closed.allows_until(at("2026-11-22T12:00:00Z")));
}

#[test]
fn a_start_that_would_be_late_is_not_allowed() {
    let gate = ask(&Written::default(), &weekends(), "2026-11-28T03:59:00Z");
    assert_eq!(open_until(&gate), ("2026-11-28T04:00:00Z".to_owned(), true));
    assert!(gate.allows_until(at("2026-11-28T03:59:59.999Z")));
    assert!(!gate.allows_until(at("2026-11-28T04:00:00Z")), "half-open");
    assert!(matches!(
        ask(&Written::default(), &weekends(), "2026-11-28T04:00:00Z"),
        Gate::Closed(_)
    ));
    assert!(matches!(
        ask(&Written::default(), &weekends(), "2026-11-27T23:59:59.999999999Z"),
        Gate::Closed(_)
    ));
    assert!(matches!(
        ask(&Written::default(), &weekends(), "2026-11-28T00:00:00Z"),
        Gate::Open(_)
    ));
}

#[test]
fn a_freeze_cuts_an_opening_short_and_the_next_one_waits_for_a_window() {
    let site = Written {
        freezes: vec![freeze("2026-11-28T02:00:00Z", "2026-11-28T03:00:00Z", None)],
        ..Written::default()
    };
    assert_eq!(
        open_until(&ask(&site, &weekends(), "2026-11-28T01:00:00Z")).0,
        "2026-11-28T02:00:00Z"
    );
    let frozen = ask(&site, &weekends(), "2026-11-28T02:30:00Z");
    assert_eq!(opens(&frozen), Opens::At(at("2026-11-28T03:00:00Z")));
    assert_eq!(
        told(&frozen),
        ["Frozen 2026-11-28T03:00:00Z frozen until Sat 28 Nov 03:00 UTC (Connection vc1, schedule.freezes)"]
    );
    assert_eq!(
        open_until(&ask(&site, &weekends(), "2026-11-28T03:00:00Z")).0,
        "2026-11-28T04:00:00Z"
    );

    let site = Written {
        freezes: vec![year_end()],
        ..Written::default()
    };
    let frozen = ask(&site, &weekends(), "2026-12-20T12:00:00Z");
    assert_eq!(opens(&frozen), Opens::At(at("2027-01-09T00:00:00Z")), "the 2nd and 3rd are frozen");
    assert_eq!(
        told(&frozen),
        [
            "WaitingForWindow 2026-12-26T00:00:00Z next window opens Sat 26 Dec 01:00 Europe/Madrid (spec.schedule.windows)",
            "Frozen 2027-01-04T00:00:00Z frozen until Mon 4 Jan 2027 00:00 UTC (Connection vc1, schedule.freezes): year-end freeze CHG-991",
        ]
    );
}

#[test]
fn freezes_over_the_edges_of_a_window() {
    let around = |from, until| Written {
        freezes: vec![freeze(from, until, None)],
        ..weekends()
    };
    let any = Written::default();
    let front = around("2026-11-27T00:00:00Z", "2026-11-28T01:00:00Z");
    assert_eq!(
        opens(&ask(&any, &front, "2026-11-27T12:00:00Z")),
        Opens::At(at("2026-11-28T01:00:00Z"))
    );
    let back = around("2026-11-28T03:00:00Z", "2026-11-28T06:00:00Z");
    assert_eq!(open_until(&ask(&any, &back, "2026-11-28T01:00:00Z")).0, "2026-11-28T03:00:00Z");
    let whole = around("2026-11-28T00:00:00Z", "2026-11-28T04:00:00Z");
    assert_eq!(
        opens(&ask(&any, &whole, "2026-11-27T12:00:00Z")),
        Opens::At(at("2026-11-29T00:00:00Z"))
    );
    let touching = around("2026-11-28T04:00:00Z", "2026-11-28T05:00:00Z");
    assert_eq!(open_until(&ask(&any, &touching, "2026-11-28T01:00:00Z")).0, "2026-11-28T04:00:00Z");
    let two = Written {
        freezes: vec![
            freeze("2026-11-28T00:00:00Z", "2026-11-28T02:00:00Z", None),
            freeze("2026-11-28T01:00:00Z", "2026-11-28T03:00:00Z", None),
        ],
        ..weekends()
    };
    assert_eq!(
        opens(&ask(&any, &two, "2026-11-28T01:30:00Z")),
        Opens::At(at("2026-11-28T03:00:00Z"))
    );
    let years = around("2020-01-01T00:00:00Z", "2150-01-01T00:00:00Z");
    assert_eq!(
        opens(&ask(&any, &years, "2026-11-28T01:30:00Z")),
        Opens::At(at("2150-01-03T00:00:00Z"))
    );
}

#[test]
fn bounds_hold_whoever_set_them() {
    let bounded = |first: Option<&str>, end: Option<&str>| Written {
        not_before: first.map(at),
        not_after: end.map(at),
        ..Written::default()
    };
    let site = bounded(Some("2026-11-25T00:00:00Z"), Some("2026-12-10T00:00:00Z"));
    let early = ask(&site, &weekends(), "2026-11-22T12:00:00Z");
    assert_eq!(
        told(&early),
        [
            "WaitingForWindow 2026-11-28T00:00:00Z next window opens Sat 28 Nov 01:00 Europe/Madrid (spec.schedule.windows)",
            "NotBefore 2026-11-25T00:00:00Z not before Wed 25 Nov 00:00 UTC (Connection vc1, schedule.notBefore)",
        ]
    );
    assert_eq!(opens(&early), Opens::At(at("2026-11-28T00:00:00Z")));
    assert!(matches!(ask(&site, &Written::default(), "2026-11-25T00:00:00Z"), Gate::Open(_)));
    assert_eq!(
        open_until(&ask(&site, &Written::default(), "2026-11-26T00:00:00Z")),
        ("2026-12-10T00:00:00Z".to_owned(), true)
    );

    let late = at("2026-12-10T00:00:00Z");
    let passed = ask(&site, &weekends(), "2026-12-10T00:00:00Z");
    assert_eq!(
        passed,
        Gate::TooLate {
            not_after: late,
            whose: Whose::Connection
        }
    );
    assert!(!passed.opens_within(Duration::MAX) && passed.blockers("vc1").is_empty() && !passed.allows_until(late));
    assert!(matches!(ask(&site, &weekends(), "2026-12-09T23:59:59Z"), Gate::Closed(_)));
    let both = ask(&site, &bounded(None, Some("2026-12-09T00:00:00Z")), "2026-12-11T00:00:00Z");
    assert_eq!(
        both,
        Gate::TooLate {
            not_after: at("2026-12-09T00:00:00Z"),
            whose: Whose::Own
        }
    );

    // No Saturday is left, and that is said long before.
    let own = Written {
        not_after: Some(at("2026-12-05T00:00:00Z")),
        ..weekends()
    };
    let lost = ask(&Written::default(), &own, "2026-11-30T00:00:00Z");
    assert_eq!(opens(&lost), Opens::NotInTime(at("2026-12-05T00:00:00Z")));
    assert_eq!(
        told(&lost),
        ["WaitingForWindow - nothing opens before notAfter, Sat 5 Dec 2026 00:00 UTC: change spec.schedule, or that of Connection vc1"]
    );
}

#[test]
fn both_schedules_must_be_open_at_once() {
    let site = Written {
        windows: vec![madrid("0 22 * * FRI", 4)],
        ..Written::default()
    };
    let closed = ask(&site, &weekends(), "2026-11-22T12:00:00Z");
    assert_eq!(opens(&closed), Opens::At(at("2026-11-28T00:00:00Z")));
    assert_eq!(
        told(&closed),
        [
            "WaitingForWindow 2026-11-28T00:00:00Z next window opens Sat 28 Nov 01:00 Europe/Madrid (spec.schedule.windows)",
            "WaitingForWindow 2026-11-27T21:00:00Z next window opens Fri 27 Nov 22:00 Europe/Madrid (Connection vc1, schedule.windows)",
        ]
    );
    assert_eq!(
        open_until(&ask(&site, &weekends(), "2026-11-28T00:30:00Z")).0,
        "2026-11-28T01:00:00Z"
    );
    // Each opens every week, and only once in a month together.
    let first = Written {
        windows: vec![madrid("0 0 1 * *", 24)],
        ..Written::default()
    };
    assert_eq!(
        opens(&ask(&first, &weekends(), "2026-11-22T12:00:00Z")),
        Opens::At(at("2027-05-01T00:00:00Z") - SignedDuration::from_hours(1))
    );
}

#[test]
fn two_that_never_meet_wait_for_somebody_and_say_so() {
    let site = Written {
        windows: vec![madrid("0 22 * * *", 1)],
        ..Written::default()
    };
    let closed = ask(&site, &weekends(), "2026-11-22T12:00:00Z");
    assert!(matches!(opens(&closed), Opens::NotFound(_)));
    let told = told(&closed);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with(
            "WaitingForWindow - spec.schedule and that of Connection vc1 are never open together, as far as was looked (until 20"
        ),
        "{told:?}"
    );
    // The message stays the same from one look to the next.
    assert_eq!(
        closed.blockers("vc1"),
        ask(&site, &weekends(), "2026-11-22T12:10:00Z").blockers("vc1")
    );
    assert_eq!(
        openings(
            &Schedule::parse(&site).unwrap(),
            &Schedule::parse(&weekends()).unwrap(),
            at("2026-11-22T12:00:00Z")
        )
        .count(),
        0
    );
}

#[test]
fn a_plan_lists_what_comes() {
    let site = Written {
        freezes: vec![year_end()],
        ..Written::default()
    };
    let (site, own) = (Schedule::parse(&site).unwrap(), Schedule::parse(&weekends()).unwrap());
    let words = |o: Opening| {
        At {
            instant: o.from,
            zone: TimeZoneDatabase::bundled().get("Europe/Madrid").unwrap(),
        }
        .words(o.from)
    };
    let next: Vec<String> = openings(&site, &own, at("2026-12-12T01:30:00Z")).take(4).map(words).collect();
    assert_eq!(
        next,
        [
            "Sat 12 Dec 02:30 Europe/Madrid",
            "Sun 13 Dec 01:00 Europe/Madrid",
            "Sat 9 Jan 01:00 Europe/Madrid",
            "Sun 10 Jan 01:00 Europe/Madrid"
        ]
    );
}

#[test]
fn a_time_is_told_so_that_there_is_one_such() {
    let zone = TimeZoneDatabase::bundled().get("Europe/Madrid").unwrap();
    let words = |instant, now| {
        At {
            instant: at(instant),
            zone: zone.clone(),
        }
        .words(at(now))
    };
    assert_eq!(
        words("2026-11-28T00:00:00Z", "2026-11-22T00:00:00Z"),
        "Sat 28 Nov 01:00 Europe/Madrid"
    );
    assert_eq!(
        words("2027-01-02T00:00:00Z", "2026-12-31T22:59:59Z"),
        "Sat 2 Jan 2027 01:00 Europe/Madrid"
    );
    assert_eq!(
        words("2027-01-02T00:00:00Z", "2026-12-31T23:00:00Z"),
        "Sat 2 Jan 01:00 Europe/Madrid",
        "it is 2027 in Madrid"
    );
    assert_eq!(
        words("2026-10-25T00:30:00Z", "2026-10-01T00:00:00Z"),
        "Sun 25 Oct 02:30 (+02:00) Europe/Madrid"
    );
    assert_eq!(
        words("2026-10-25T01:30:00Z", "2026-10-01T00:00:00Z"),
        "Sun 25 Oct 02:30 (+01:00) Europe/Madrid"
    );
    assert_eq!(
        words("2026-11-28T00:00:05Z", "2026-11-22T00:00:00Z"),
        "Sat 28 Nov 01:00:05 Europe/Madrid"
    );
}

#[test]
fn reasons_are_the_words_of_the_api() {
    let words = [
        Reason::WaitingForWindow,
        Reason::NotBefore,
        Reason::Frozen,
        Reason::InvalidSchedule,
        Reason::NotStartedInTime,
    ]
    .map(Reason::word);
    assert_eq!(
        words,
        ["WaitingForWindow", "NotBefore", "Frozen", "InvalidSchedule", "NotStartedInTime"]
    );
}
