//! Properties of schedules, over random ones: the oracle looks at every minute and must agree.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

use super::oracle::MINUTE;
use super::oracle::Oracle;
use super::search::Search;
use super::*;
use crate::scale::at_scale;

/// Changes of clocks, and places where nothing happens.
const PLACES: [(&str, &str); 16] = [
    ("Europe/Madrid", "2026-03-29T01:00:00Z"),
    ("Europe/Madrid", "2026-10-25T01:00:00Z"),
    ("Europe/Madrid", "2027-01-01T00:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Asia/Kathmandu", "2028-02-29T00:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
    ("Africa/Casablanca", "2026-03-22T02:00:00Z"),
    ("America/St_Johns", "2010-11-07T02:31:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("UTC", "2099-12-31T23:00:00Z"),
];

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn any_cron() -> impl Strategy<Value = String> {
    let minute = select(vec!["0", "30", "15,45", "59", "*/15", "*", "1-59/2", "0-58/2", "*/7", "0,1"]);
    let hour = select(vec![
        "*",
        "*",
        "0",
        "1",
        "2",
        "2",
        "3",
        "23",
        "0,23",
        "1-3",
        "*/2",
        "22-23,0-2",
        "12",
    ]);
    let days = select(vec![
        ("*", "*"),
        ("*", "*"),
        ("*", "*"),
        ("*", "SUN"),
        ("*", "0-6"),
        ("*", "FRI,SAT"),
        ("*", "SUN#1,SUN#L"),
        ("*", "7"),
        ("*", "SAT#5"),
        ("L", "*"),
        ("29-31", "*"),
        ("*/2", "*"),
        ("1,L", "*"),
    ]);
    let month = select(vec!["*", "*", "*", "*", "FEB,MAR", "10-12", "*/3"]);
    (minute, hour, days, month).prop_map(|(minute, hour, (day, weekday), month)| format!("{minute} {hour} {day} {month} {weekday}"))
}

fn any_window(zone: &'static str) -> impl Strategy<Value = WrittenWindow> {
    let minutes = prop_oneof![1..5u64, 1..130u64, Just(60), Just(1440), 1..3000u64, Just(10080)];
    (any_cron(), minutes).prop_map(move |(cron, minutes)| WrittenWindow {
        cron,
        duration: Duration::from_mins(minutes),
        time_zone: zone.to_owned(),
    })
}

/// A schedule around a moment; everything in it at full minutes.
fn any_written(zone: &'static str, around: i64) -> impl Strategy<Value = Written> {
    let minute = move || (-1500..1500i64).prop_map(move |m| Timestamp::from_second(around + m * MINUTE).unwrap());
    let freeze = (minute(), 1..700i64).prop_map(|(from, minutes)| Freeze {
        from,
        until: later(from, SignedDuration::from_mins(minutes)),
        reason: None,
    });
    let bounds = (prop::option::weighted(0.3, minute()), prop::option::weighted(0.3, minute()));
    let other = prop_oneof![3 => Just(zone), 1 => Just("UTC"), 1 => Just("Asia/Tokyo")];
    let window = other.prop_flat_map(any_window);
    (bounds, prop::collection::vec(window, 0..3), prop::collection::vec(freeze, 0..3))
        .prop_filter("bounds in order", |((first, end), _, _)| {
            first.zip(*end).is_none_or(|(first, end)| first < end)
        })
        .prop_map(|((not_before, not_after), windows, freezes)| Written {
            not_before,
            not_after,
            windows,
            freezes,
        })
}

/// A place, and two schedules there.
fn any_pair() -> impl Strategy<Value = (i64, Written, Written)> {
    select(PLACES.to_vec()).prop_flat_map(|(zone, at)| {
        let around = second(at);
        (Just(around), any_written(zone, around), any_written(zone, around))
    })
}

/// What a schedule allows, said by the oracle alone.
struct Allowed<'a> {
    written: &'a Written,
    windows: Vec<Oracle>,
}

impl Allowed<'_> {
    fn new(written: &Written, from: i64, until: i64) -> Allowed<'_> {
        let begin = |w: &WrittenWindow| from - i64::try_from(w.duration.as_secs()).unwrap();
        let windows = written.windows.iter().map(|w| Oracle::new(w, begin(w), until)).collect();
        Allowed { written, windows }
    }

    fn at(&self, t: i64) -> bool {
        let w = self.written;
        w.not_before.is_none_or(|first| first.as_second() <= t)
            && w.not_after.is_none_or(|end| t < end.as_second())
            && !w.freezes.iter().any(|f| f.from.as_second() <= t && t < f.until.as_second())
            && (self.windows.is_empty() || self.windows.iter().any(|o| o.open(t)))
    }
}

proptest! {
    #![proptest_config(Config { cases: at_scale(14, 1000), ..Config::default() })]

    #[test]
    fn a_window_is_open_when_some_firing_covers_it((at, window) in select(PLACES.to_vec()).prop_flat_map(|(zone, at)| (Just(second(at)), any_window(zone)))) {
        let (from, until) = (at - 700 * MINUTE, at + 700 * MINUTE);
        let oracle = Oracle::new(&window, from - i64::try_from(window.duration.as_secs()).unwrap(), until);
        let read = read(&window).unwrap();
        // From behind, so that the next opening is known at each minute.
        let mut next = None;
        for t in (from / MINUTE..until / MINUTE).rev().map(|minute| minute * MINUTE) {
            let now = Timestamp::from_second(t).unwrap();
            let open = oracle.open(t);
            if open {
                next = Some(t);
            }
            prop_assert_eq!(read.around(now).is_some(), open, "{}", now);
            // Unoptimised, each question costs: some of them.
            if t % 420 != 0 {
                continue;
            }
            match (next, read.from(now)) {
                (Some(next), found) => prop_assert_eq!(found.map(|s| s.open.as_second().max(t)), Some(next), "{}", now),
                (None, Some(found)) => prop_assert!(found.open.as_second() >= until, "{} {:?}", now, found),
                // Whatever is read fires again.
                (None, None) => prop_assert!(false, "{} never opens again", now),
            }
        }
    }

    #[test]
    fn a_gate_opens_and_closes_when_it_says((at, connection, own) in any_pair(), moments in prop::collection::vec(0..2000i64, 12)) {
        let (from, until) = (at - 1000 * MINUTE, at + 2000 * MINUTE);
        let oracles = [Allowed::new(&connection, from, until), Allowed::new(&own, from, until)];
        let allowed: Vec<bool> = (from..until).step_by(60).map(|t| oracles.iter().all(|o| o.at(t))).collect();
        let minute = |t: Timestamp| usize::try_from((t.as_second() - from) / MINUTE).unwrap();
        let [c, o] = [&connection, &own].map(|w| Schedule::parse(w).unwrap());
        for moment in moments {
            let now = Timestamp::from_second(from + moment * MINUTE).unwrap();
            let m = minute(now);
            match gate(&c, &o, now) {
                Gate::Open(opening) => {
                    let end = minute(opening.until).min(allowed.len());
                    prop_assert!(m < end && allowed[m..end].iter().all(|a| *a), "{} {:?}", now, opening);
                    prop_assert!(!opening.closes || allowed.get(end).is_none_or(|a| !a), "{} {:?}", now, opening);
                    prop_assert!(opening.closes || opening.until >= later(now, LOOKAHEAD) || minute(opening.until) >= m + 900, "{} {:?}", now, opening);
                }
                Gate::Closed(closed) => {
                    let end = match closed.opens {
                        Opens::At(open) => {
                            prop_assert!(allowed.get(minute(open)).is_none_or(|a| *a), "{} {:?}", now, closed);
                            prop_assert!(closed.opens_at.as_ref().is_some_and(|at| at.instant == open));
                            minute(open).min(allowed.len())
                        }
                        Opens::NotInTime(_) => allowed.len(),
                        // As far as was looked.
                        Opens::NotFound(end) => minute(end).min(allowed.len()),
                    };
                    prop_assert!(allowed[m..end].iter().all(|a| !a), "{} {:?}", now, closed);
                    let ends = closed.waits.iter().filter_map(Wait::until);
                    if let Opens::At(open) = closed.opens {
                        prop_assert!(ends.into_iter().all(|end| now < end && end <= open), "{} {:?}", now, closed);
                    }
                    prop_assert!(!closed.waits.is_empty());
                }
                Gate::TooLate { not_after, .. } => {
                    prop_assert!(not_after <= now && [connection.not_after, own.not_after].contains(&Some(not_after)));
                    prop_assert!(allowed[m..].iter().all(|a| !a));
                }
            }
        }
    }

    #[test]
    fn openings_come_in_order_and_are_all_there((at, connection, own) in any_pair()) {
        let (from, until) = (at - 500 * MINUTE, at + 1500 * MINUTE);
        let oracles = [Allowed::new(&connection, from, until), Allowed::new(&own, from, until)];
        let [c, o] = [&connection, &own].map(|w| Schedule::parse(w).unwrap());
        let start = Timestamp::from_second(from).unwrap();
        let found: Vec<Opening> = openings(&c, &o, start).take_while(|o| o.from.as_second() < until).take(2000).collect();
        prop_assert!(found.windows(2).all(|pair| pair[0].closes && pair[0].until < pair[1].from));
        prop_assert!(found.iter().all(|o| o.from < o.until));
        // A chain may be longer than what is followed.
        let known = found.iter().find(|o| !o.closes).map_or(until, |o| o.until.as_second().min(until));
        let mut next = found.iter().peekable();
        for t in (from..known).step_by(60) {
            while next.peek().is_some_and(|o| o.until.as_second() <= t) {
                next.next();
            }
            let open = next.peek().is_some_and(|o| o.from.as_second() <= t);
            prop_assert_eq!(open, oracles.iter().all(|o| o.at(t)), "{}", Timestamp::from_second(t).unwrap());
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: at_scale(200, 100_000), ..Config::default() })]

    #[test]
    fn no_text_makes_it_panic(cron in "\\PC{0,40}", zone in "\\PC{0,30}", seconds in any::<u64>()) {
        let window = WrittenWindow { cron, duration: Duration::from_secs(seconds), time_zone: zone };
        _ = Schedule::parse(&Written { windows: vec![window], ..Written::default() });
    }

    #[test]
    fn no_expression_of_the_right_letters_makes_it_panic(cron in "[0-9A-Z*,/#L-]{1,8}( [0-9*,/#LSAT-]{1,6}){4}", at in any::<i64>()) {
        if let Ok(cron) = Cron::parse(&cron) {
            let at = Timestamp::from_second(at % 253_402_000_000).unwrap_or(Timestamp::MAX);
            for zone in [TimeZone::UTC, TimeZoneDatabase::bundled().get("Europe/Madrid").unwrap()] {
                let window = Window::new(cron.clone(), SignedDuration::from_hours(1), zone);
                for t in [at, Timestamp::MIN, Timestamp::MAX] {
                    let (around, from) = (window.around(t), window.from(t));
                    prop_assert!(around.is_none_or(|s| s.open <= t && t < s.close));
                    prop_assert!(from.is_none_or(|s| t < s.close));
                }
            }
        }
    }
}

/// Days that were looked at, and steps of a search.
fn steps(connection: &Written, own: &Written, now: &str) -> (Opens, u64, u32) {
    let [c, o] = [connection, own].map(|w| Schedule::parse(w).unwrap());
    let now = now.parse().unwrap();
    LOOKS.set(0);
    _ = gate(&c, &o, now);
    let looks = LOOKS.get();
    let mut search = Search::new([&c, &o]);
    (search.next(now), looks, search.jumps)
}

fn windows(crons: &[&str], minutes: u64, zone: &str) -> Written {
    let window = |cron: &&str| WrittenWindow {
        cron: (*cron).to_owned(),
        duration: Duration::from_mins(minutes),
        time_zone: zone.to_owned(),
    };
    Written {
        windows: crons.iter().map(window).collect(),
        ..Written::default()
    }
}

#[test]
fn no_pair_of_schedules_is_searched_for_long() {
    const NOW: &str = "2026-11-22T12:00:00Z";
    let never = |first: &[&str], second: &[&str], minutes, looks_at_most: u64| {
        let (opens, looks, jumps) = steps(&windows(first, minutes, "UTC"), &windows(second, minutes, "UTC"), NOW);
        assert!(matches!(opens, Opens::NotFound(_)), "{first:?} {second:?}: {opens:?}");
        assert!(
            jumps <= MAX_JUMPS && looks <= looks_at_most,
            "{first:?} {second:?}: {jumps} jumps, {looks} days"
        );
    };
    // Each minute, each day, each week, each leap year; each alone is fine.
    never(&["0-58/2 * * * *"], &["1-59/2 * * * *"], 1, 30_000);
    never(&["0 1 * * *"], &["0 2 * * *"], 60, 30_000);
    never(&["0 1 * * MON"], &["0 1 * * TUE"], 60, 40_000);
    never(&["0 1 29 2 *"], &["0 3 29 2 *"], 60, 10_000);
    never(&["0 1 * 2 MON#5"], &["0 3 * 2 MON#5"], 60, 30_000);
    // As many windows as can be written, each rare, each in its own way.
    let rare = [
        "0 1 * 2 SUN#5",
        "0 1 * 2 MON#5",
        "0 1 * 2 TUE#5",
        "0 1 * 2 WED#5",
        "0 1 * 2 THU#5",
        "0 1 * 2 FRI#5",
        "0 1 * 2 SAT#5",
    ];
    let rare = [rare, rare].concat();
    never(&rare, &["0-58/2 2 * * *"], 1, 200_000);
    never(&rare, &["0 3 * * *"; 14], 60, 400_000);
}

#[test]
fn a_typical_question_looks_at_few_days() {
    let site = Written {
        freezes: vec![Freeze {
            from: "2026-12-18T00:00:00Z".parse().unwrap(),
            until: "2027-01-04T00:00:00Z".parse().unwrap(),
            reason: None,
        }],
        ..Written::default()
    };
    for now in ["2026-11-22T12:00:00Z", "2026-11-28T00:30:00Z", "2026-12-20T00:00:00Z"] {
        let (opens, looks, jumps) = steps(&site, &windows(&["0 1 * * SAT,SUN", "0 22 * * FRI"], 240, "Europe/Madrid"), now);
        assert!(
            matches!(opens, Opens::At(_)) && jumps <= 4 && looks <= 80,
            "{now}: {opens:?} {jumps} jumps, {looks} days"
        );
    }
}
