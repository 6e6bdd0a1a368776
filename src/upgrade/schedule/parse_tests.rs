//! What can be read, and what is said about what cannot.

use super::*;

fn window(cron: &str, hours: u64, zone: &str) -> WrittenWindow {
    WrittenWindow {
        cron: cron.to_owned(),
        duration: Duration::from_hours(hours),
        time_zone: zone.to_owned(),
    }
}

fn refusal(windows: Vec<WrittenWindow>) -> Option<String> {
    let written = Written {
        windows,
        ..Written::default()
    };
    Schedule::parse(&written).err().map(|e| e.to_string())
}

fn cron_refusal(cron: &str) -> Option<String> {
    refusal(vec![window(cron, 1, "UTC")]).map(|e| {
        let (_, why) = e.split_once("schedule.windows[0]: cron ").unwrap();
        why.split_once("\": ").unwrap().1.to_owned()
    })
}

#[test]
fn expressions_that_are_read() {
    for cron in [
        "* * * * *",
        "0 1 * * 6,0",
        "*/15 0-6 * JAN-MAR,dec *",
        "0 22 * * Fri-Sun",
        "0 22 * * SAT-SUN",
        "0 0 29 2 *",
        "0 0 31 1,2 *",
        "0 0 L * *",
        "0 0 15,L * *",
        "0 2 * * SAT#1,SAT#3",
        "0 2 * * 7#L",
        "5-59/15 1 1-31/2 */3 *",
        "  0   1 * * 6 ",
        "0 0 * 2 MON#5",
    ] {
        assert_eq!(cron_refusal(cron), None, "{cron}");
    }
}

#[test]
fn expressions_that_are_refused_say_what_to_write() {
    for (cron, words) in [
        ("", "0 fields where five are expected"),
        (
            "@reboot",
            "1 fields where five are expected: minute, hour, day of month, month, day of week, as in \"0 1 * * SAT\"; words such as @daily are not known",
        ),
        (
            "0 0 1 * * SAT",
            "6 fields where five are expected: minute, hour, day of month, month, day of week, as in \"0 1 * * SAT\"; there is no field for seconds or years",
        ),
        ("0 1 * *", "4 fields"),
        ("60 1 * * *", "minute \"60\": expected 0 to 59"),
        ("0 24 * * *", "hour \"24\": expected 0 to 23"),
        ("0 1 0 * *", "day of month \"0\": expected 1 to 31, or L for the last day"),
        ("0 1 32 * *", "day of month \"32\""),
        ("0 1 * 13 *", "month \"13\": expected 1 to 12 or JAN to DEC"),
        ("0 1 * * 8", "day of week \"8\": expected 0 to 7 (0 and 7 are Sunday) or SUN to SAT"),
        ("0 1 * * Samstag", "day of week \"Samstag\""),
        ("0 1 * SAT *", "month \"SAT\""),
        ("0 1 ? * 6", "day of month \"?\" and day of week \"6\" are both set"),
        ("0 22-2 * * *", "hour \"22-2\": expected a range that goes up; write 22-23,0-2"),
        (
            "0 1 * * FRI-MON",
            "day of week \"FRI-MON\": expected a range that goes up; write 5-6,0-1",
        ),
        ("0 5/2 * * *", "hour \"5/2\": expected a range before the step, as in 5-23/2"),
        ("*/0 1 * * *", "minute \"*/0\": expected a step of 1 to 59"),
        ("*/60 1 * * *", "minute \"*/60\""),
        ("+5 1 * * *", "minute \"+5\""),
        ("1,,2 1 * * *", "minute \"\""),
        ("1- 1 * * *", "minute \"1-\""),
        ("**  1 * * *", "minute \"**\""),
        ("99999999999999999999 1 * * *", "minute \"99999999999999999999\""),
        (
            "0 1 * * SAT#6",
            "day of week \"SAT#6\": expected #1 to #5, or #L for the last of the month, as in SAT#1",
        ),
        ("0 1 * * SAT#", "day of week \"SAT#\""),
        ("0 1 LW * *", "day of month \"LW\""),
        (
            "0 1 1-7 * 6",
            "day of month \"1-7\" and day of week \"6\" are both set: one of them must be *; for the first Saturday of a month write SAT#1",
        ),
        ("0 1 */2 * 6", "are both set"),
        ("0 0 30 2 *", "it never fires: no month that it names has day 30"),
        ("0 0 31 4,6,SEP,11 *", "it never fires: no month that it names has day 31"),
        ("0 1 * * ٦", "day of week \"٦\""),
    ] {
        let refusal = cron_refusal(cron).unwrap_or_default();
        assert!(refusal.contains(words), "{cron}: {refusal}");
    }
}

#[test]
fn an_error_says_which_window_and_what_was_written() {
    let good = || window("0 1 * * 6", 4, "Europe/Madrid");
    assert_eq!(
        refusal(vec![good(), window("0 25 * * 6", 4, "UTC")]).unwrap(),
        "schedule.windows[1]: cron \"0 25 * * 6\": hour \"25\": expected 0 to 23"
    );
    assert_eq!(
        refusal(vec![good(), good(), window("0 1 * * 6", 0, "UTC")]).unwrap(),
        "schedule.windows[2]: duration 0s: expected more than 0s and at most 168h"
    );
    assert_eq!(refusal(vec![window("0 1 * * 6", 168, "UTC")]), None);
    assert!(refusal(vec![window("0 1 * * 6", 169, "UTC")]).unwrap().contains("at most 168h"));
    assert_eq!(refusal(vec![good(); 14]), None);
    assert_eq!(refusal(vec![good(); 15]).unwrap(), "schedule.windows: at most 14 entries; found 15");
}

#[test]
fn a_zone_that_does_not_exist_is_answered_with_the_one_that_was_meant() {
    for (name, words) in [
        ("Europe/Madird", "did you mean Europe/Madrid?"),
        ("Madrid", "did you mean Europe/Madrid?"),
        ("Europe/Kolkata", "did you mean Asia/Kolkata?"),
        ("America/New York", "did you mean America/New_York?"),
        ("New-York", "did you mean America/New_York?"),
        ("Mars/Olympus_Mons", "expected an IANA name such as Europe/Madrid or UTC"),
        ("", "expected an IANA name"),
        ("/", "expected an IANA name"),
        ("X", "expected an IANA name"),
        ("Etc/Unknown", "not known"),
        ("+02:00", "expected an IANA name"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "expected an IANA name"),
    ] {
        let refusal = refusal(vec![window("0 1 * * 6", 1, name)]).unwrap_or_default();
        assert!(
            refusal.contains(words) && refusal.contains(&format!("{name:?}")),
            "{name}: {refusal}"
        );
    }
    for name in [
        "UTC",
        "Etc/UTC",
        "europe/madrid",
        "Asia/Kathmandu",
        "America/Argentina/Buenos_Aires",
        "EST5EDT",
    ] {
        assert_eq!(refusal(vec![window("0 1 * * 6", 1, name)]), None, "{name}");
    }
}

#[test]
fn bounds_and_freezes_must_leave_something() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let (one, two) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
    let parse = |not_before, not_after, from, until| {
        let freezes = vec![Freeze { from, until, reason: None }];
        let written = Written {
            not_before: Some(not_before),
            not_after: Some(not_after),
            freezes,
            ..Written::default()
        };
        Schedule::parse(&written).err().map(|e| e.to_string())
    };
    assert_eq!(parse(one, two, one, two), None);
    assert_eq!(
        parse(two, one, one, two).unwrap(),
        "schedule: notBefore must be before notAfter; found 2026-01-02T00:00:00Z and 2026-01-01T00:00:00Z"
    );
    assert!(parse(one, one, one, two).unwrap().contains("notBefore"));
    assert_eq!(
        parse(one, two, two, two).unwrap(),
        "schedule.freezes[0]: from must be before until; found 2026-01-02T00:00:00Z and 2026-01-02T00:00:00Z"
    );
}

#[test]
fn the_zones_are_those_compiled_in() {
    assert!(!TimeZoneDatabase::bundled().is_definitively_empty());
    assert!(TimeZoneDatabase::bundled().available().count() > 400);
}

/// The windows take a day at whose both ends the clock is as far from UTC for one on which it does not change.
#[test]
fn no_zone_changes_its_clocks_twice_within_two_days() {
    let from: Timestamp = "1990-01-01T00:00:00Z".parse().unwrap();
    let until: Timestamp = "2101-01-01T00:00:00Z".parse().unwrap();
    let zones = TimeZoneDatabase::bundled();
    for name in zones.available() {
        let zone = zones.get(name.as_str()).unwrap();
        let mut before = (zone.to_offset(from), from);
        for change in zone.following(from).take_while(|c| c.timestamp() < until) {
            if change.offset() == before.0 {
                continue;
            }
            let apart = change.timestamp().duration_since(before.1);
            assert!(
                before.1 == from || apart > SignedDuration::from_hours(48),
                "{name} at {}",
                change.timestamp()
            );
            before = (change.offset(), change.timestamp());
        }
    }
}
