//! What windows do where clocks change, in a table: which spans they open, as instants. The oracle must say the same.

use super::oracle::MINUTE;
use super::oracle::Oracle;
use super::*;

fn at(text: &str) -> Timestamp {
    let text = if text.len() == 16 {
        format!("{text}:00Z")
    } else {
        format!("{text}Z")
    };
    text.parse().unwrap()
}

fn written(cron: &str, minutes: u64, zone: &str) -> WrittenWindow {
    WrittenWindow {
        cron: cron.to_owned(),
        duration: Duration::from_mins(minutes),
        time_zone: zone.to_owned(),
    }
}

fn schedule(windows: Vec<WrittenWindow>) -> Schedule {
    Schedule::parse(&Written {
        windows,
        ..Written::default()
    })
    .unwrap()
}

/// The openings of one window that lie in `[from, until)`, as `open/close`, in UTC.
fn spans(window: &WrittenWindow, from: &str, until: &str) -> Vec<String> {
    let (any, own) = (Schedule::default(), schedule(vec![window.clone()]));
    let short = |t: Timestamp| t.strftime("%m-%dT%H:%M").to_string();
    openings(&any, &own, at(from))
        .take_while(|o| o.from < at(until))
        .map(|o| format!("{}/{}", short(o.from), if o.closes { short(o.until) } else { "-".to_owned() }))
        .collect()
}

struct Case {
    why: &'static str,
    zone: &'static str,
    cron: &'static str,
    minutes: u64,
    from: &'static str,
    until: &'static str,
    spans: &'static [&'static str],
}

macro_rules! cases {
    ($($zone:literal $cron:literal $minutes:literal from $from:literal until $until:literal: $($span:literal)* ; $why:literal)*) => {
        [$(Case { why: $why, zone: $zone, cron: $cron, minutes: $minutes, from: $from, until: $until, spans: &[$($span),*] },)*]
    };
}

#[test]
fn windows_where_clocks_change() {
    let cases = cases! {
        // Madrid, spring 2026: 29 March, 02:00 becomes 03:00 at 01:00Z. Autumn: 25 October, 03:00 becomes 02:00 at 01:00Z.
        "Europe/Madrid" "30 2 * * SUN" 60 from "2026-03-20T00:00" until "2026-04-07T00:00":
            "03-22T01:30/03-22T02:30" "03-29T01:00/03-29T02:00" "04-05T00:30/04-05T01:30"; "a skipped time opens at the change"
        "Europe/Madrid" "0 3 * * SUN" 60 from "2026-03-28T00:00" until "2026-03-30T00:00":
            "03-29T01:00/03-29T02:00"; "the first time after the gap is not skipped"
        "Europe/Madrid" "0,30 2 * * *" 20 from "2026-03-28T12:00" until "2026-03-30T12:00":
            "03-29T01:00/03-29T01:20" "03-30T00:00/03-30T00:20" "03-30T00:30/03-30T00:50"; "two skipped times open once"
        "Europe/Madrid" "0 1 * * *" 240 from "2026-03-27T12:00" until "2026-03-30T12:00":
            "03-28T00:00/03-28T04:00" "03-29T00:00/03-29T04:00" "03-29T23:00/03-30T03:00"; "four hours are four hours: until 06:00 on that night"
        "Europe/Madrid" "0 1 * * *" 240 from "2026-10-24T12:00" until "2026-10-26T12:00":
            "10-24T23:00/10-25T03:00" "10-26T00:00/10-26T04:00"; "and until 04:00 on this one"
        "Europe/Madrid" "30 2 * * *" 60 from "2026-10-24T00:00" until "2026-10-27T00:00":
            "10-24T00:30/10-24T01:30" "10-25T00:30/10-25T01:30" "10-26T01:30/10-26T02:30"; "what comes twice opens the first time only"
        "Europe/Madrid" "30 * * * *" 10 from "2026-10-24T23:00" until "2026-10-25T03:00":
            "10-24T23:30/10-24T23:40" "10-25T00:30/10-25T00:40" "10-25T01:30/10-25T01:40" "10-25T02:30/10-25T02:40"; "every hour is every hour in autumn"
        "Europe/Madrid" "30 * * * *" 10 from "2026-03-28T23:00" until "2026-03-29T02:30":
            "03-28T23:30/03-28T23:40" "03-29T00:30/03-29T00:40" "03-29T01:30/03-29T01:40"; "and in spring"
        "Europe/Madrid" "30 1-3 * * *" 10 from "2026-10-24T22:00" until "2026-10-25T05:00":
            "10-24T23:30/10-24T23:40" "10-25T00:30/10-25T00:40" "10-25T02:30/10-25T02:40"; "some hours are times of the clock: 02:30 once"
        "Europe/Madrid" "0 0 * * *" 1440 from "2026-10-24T00:00" until "2026-10-27T00:00":
            "10-24T00:00/10-25T22:00" "10-25T23:00/-"; "a day is 24 hours: the long day leaves one closed"
        // New York: 8 March, 02:00 becomes 03:00 at 07:00Z; 1 November, 02:00 becomes 01:00 at 06:00Z.
        "America/New_York" "0 2 * * *" 30 from "2026-03-07T12:00" until "2026-03-09T12:00":
            "03-08T07:00/03-08T07:30" "03-09T06:00/03-09T06:30"; "the very first skipped minute"
        "America/New_York" "59 1 * * *" 30 from "2026-10-31T12:00" until "2026-11-02T12:00":
            "11-01T05:59/11-01T06:29" "11-02T06:59/11-02T07:29"; "the last minute that comes twice"
        "America/New_York" "0 22 * * FRI" 600 from "2026-03-06T00:00" until "2026-03-08T00:00":
            "03-07T03:00/03-07T13:00"; "across midnight"
        "America/New_York" "*/15 * * * *" 15 from "2026-11-01T04:00" until "2026-11-01T08:00":
            "11-01T04:00/-"; "quarter after quarter is always"
        // Lord Howe: half an hour. 4 October, 02:00 becomes 02:30 at 15:30Z; 5 April, 02:00 becomes 01:30 at 15:00Z on the 4th.
        "Australia/Lord_Howe" "15 2 * * *" 60 from "2026-10-02T12:00" until "2026-10-04T18:00":
            "10-02T15:45/10-02T16:45" "10-03T15:30/10-03T16:30" "10-04T15:15/10-04T16:15"; "a gap of half an hour"
        "Australia/Lord_Howe" "45 1 * * *" 20 from "2026-04-03T12:00" until "2026-04-05T18:00":
            "04-03T14:45/04-03T15:05" "04-04T14:45/04-04T15:05" "04-05T15:15/04-05T15:35"; "a fold of half an hour"
        "Australia/Lord_Howe" "45 * * * *" 10 from "2026-04-04T13:00" until "2026-04-04T17:00":
            "04-04T13:45/04-04T13:55" "04-04T14:45/04-04T14:55" "04-04T15:15/04-04T15:25" "04-04T16:15/04-04T16:25"; "01:45 twice, for who names every hour"
        "Asia/Kathmandu" "0 1 * * SAT" 240 from "2026-11-27T00:00" until "2026-11-30T00:00":
            "11-27T19:15/11-27T23:15"; "45 minutes off"
        // Apia skipped 30 December 2011, a Friday: 29th 24:00 became 31st 00:00 at 10:00Z on the 30th.
        "Pacific/Apia" "0 2 * * FRI" 60 from "2011-12-20T00:00" until "2012-01-07T00:00":
            "12-23T12:00/12-23T13:00" "12-30T10:00/12-30T11:00" "01-05T12:00/01-05T13:00"; "a skipped day opens at the change"
        "Pacific/Apia" "0 2 30 12 *" 60 from "2011-12-01T00:00" until "2012-12-31T00:00":
            "12-30T10:00/12-30T11:00" "12-29T12:00/12-29T13:00"; "a day that one year does not have"
        // Sao Paulo: 4 November 2018 began at 01:00, at 03:00Z; on 18 February 2018 the 17th's 23:00 came again, at 02:00Z.
        "America/Sao_Paulo" "0 0 * * SUN" 60 from "2018-10-27T00:00" until "2018-11-12T00:00":
            "10-28T03:00/10-28T04:00" "11-04T03:00/11-04T04:00" "11-11T02:00/11-11T03:00"; "a day that begins at one"
        "America/Sao_Paulo" "30 23 * * *" 60 from "2018-02-17T00:00" until "2018-02-19T12:00":
            "02-17T01:30/02-17T02:30" "02-18T01:30/02-18T02:30" "02-19T02:30/02-19T03:30"; "the hour before midnight twice"
        // Newfoundland until 2011: at 00:01 back to 23:01 of the day before, on 7 November 2010 at 02:31Z.
        "America/St_Johns" "0,45 * * * *" 5 from "2010-11-07T02:00" until "2010-11-07T05:00":
            "11-07T02:15/11-07T02:20" "11-07T02:30/11-07T02:35" "11-07T03:15/11-07T03:20" "11-07T03:30/11-07T03:35" "11-07T04:15/11-07T04:20" "11-07T04:30/11-07T04:35"; "a fold across midnight"
        // Casablanca goes back an hour for Ramadan: in 2026 on 15 February at 02:00Z, and forth on 22 March at 02:00Z.
        "Africa/Casablanca" "30 2 * * *" 60 from "2026-02-14T00:00" until "2026-02-17T00:00":
            "02-14T01:30/02-14T02:30" "02-15T01:30/02-15T02:30" "02-16T02:30/02-16T03:30"; "two more changes in a year"
        "Africa/Casablanca" "30 2 * * *" 60 from "2026-03-21T00:00" until "2026-03-24T00:00":
            "03-21T02:30/03-21T03:30" "03-22T02:00/03-22T03:00" "03-23T01:30/03-23T02:30"; "and back"
        // The calendar.
        "UTC" "0 22 31 12 *" 240 from "2026-12-01T00:00" until "2027-02-01T00:00": "12-31T22:00/01-01T02:00"; "across the end of a year"
        "UTC" "0 12 L * *" 1440 from "2028-01-15T00:00" until "2028-04-15T00:00":
            "01-31T12:00/02-01T12:00" "02-29T12:00/03-01T12:00" "03-31T12:00/04-01T12:00"; "the last day of a month"
        "UTC" "0 0 31 * *" 60 from "2026-01-15T00:00" until "2026-06-15T00:00":
            "01-31T00:00/01-31T01:00" "03-31T00:00/03-31T01:00" "05-31T00:00/05-31T01:00"; "months without a 31st are passed over"
        "UTC" "0 2 * * SAT#1,SAT#L" 60 from "2026-08-01T00:00" until "2026-10-01T00:00":
            "08-01T02:00/08-01T03:00" "08-29T02:00/08-29T03:00" "09-05T02:00/09-05T03:00" "09-26T02:00/09-26T03:00"; "first and last Saturday"
        "UTC" "0 0 29 2 *" 60 from "2096-02-28T00:00" until "2105-01-01T00:00":
            "02-29T00:00/02-29T01:00" "02-29T00:00/02-29T01:00"; "no leap day in 2100"
        "UTC" "0 0 * 2 MON#5" 60 from "2072-03-01T00:00" until "2113-01-01T00:00": "02-29T00:00/02-29T01:00"; "the rarest: 40 years apart around 2100"
        // Spans that touch.
        "UTC" "0 1,2 * * *" 60 from "2026-01-01T00:00" until "2026-01-01T12:00": "01-01T01:00/01-01T03:00"; "back to back is one opening"
        "UTC" "0 1,2 * * *" 90 from "2026-01-01T00:00" until "2026-01-01T12:00": "01-01T01:00/01-01T03:30"; "and so is an overlap"
        "UTC" "0 1,2 * * *" 59 from "2026-01-01T00:00" until "2026-01-01T12:00":
            "01-01T01:00/01-01T01:59" "01-01T02:00/01-01T02:59"; "a minute between makes two"
        "UTC" "0 0 * * MON" 10080 from "2026-01-01T00:00" until "2026-01-02T00:00": "01-01T00:00/-"; "a week each week is always"
        "UTC" "0 0 * * MON" 10079 from "2026-01-02T00:00" until "2026-01-12T00:00":
            "01-02T00:00/01-04T23:59" "01-05T00:00/01-11T23:59"; "six days back, still open"
    };
    let mut wrong = Vec::new();
    for case in &cases {
        let window = written(case.cron, case.minutes, case.zone);
        let found = spans(&window, case.from, case.until);
        if found != case.spans {
            wrong.push(format!(
                "{} {}: {}\n  wanted {:?}\n  found  {found:?}",
                case.zone, case.cron, case.why, case.spans
            ));
        }
        let (from, until) = (at(case.from).as_second(), at(case.until).as_second());
        if until - from > 4 * 24 * 60 * MINUTE {
            continue;
        }
        let oracle = Oracle::new(&window, from - i64::try_from(case.minutes).unwrap() * MINUTE, until);
        let own = schedule(vec![window]);
        let differs = (from..until)
            .step_by(60)
            .find(|t| oracle.open(*t) != own.window_at(Timestamp::from_second(*t).unwrap()).is_some());
        wrong.extend(differs.map(|t| {
            let t = Timestamp::from_second(t).unwrap();
            format!("{} {}: the oracle differs at {t}", case.zone, case.cron)
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
