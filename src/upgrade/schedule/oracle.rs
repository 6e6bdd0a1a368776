//! What the module docs define, in the most literal way: minute by minute through time, looking at the clock on the wall. Slow, and
//! without a line in common with what it is compared with: it has its own reading of expressions, no days, no spans, and never asks
//! for the instant of a time of the clock.

use std::collections::BTreeSet;

use jiff::civil::DateTime;

use super::*;

/// A window and what the wall clock showed through a stretch of time.
pub(super) struct Oracle {
    firings: BTreeSet<i64>,
    duration: i64,
}

pub(super) const MINUTE: i64 = 60;

impl Oracle {
    /// Looks at every minute of `[from, until)`, in seconds; a firing before `from` is not known.
    pub(super) fn new(window: &WrittenWindow, from: i64, until: i64) -> Oracle {
        let zone = TimeZoneDatabase::bundled().get(&window.time_zone).unwrap();
        let clock = |t: i64| zone.to_datetime(Timestamp::from_second(t).unwrap());
        let fields: Vec<&str> = window.cron.split(' ').collect();
        let minutes: Vec<bool> = (0..60).map(|minute| named(fields[0], minute, 0, 59)).collect();
        let hours: Vec<bool> = (0..24).map(|hour| named(fields[1], hour, 0, 23)).collect();
        let every_hour = !hours.contains(&false);
        let mut today = (jiff::civil::Date::ZERO, false);
        let mut shown = |at: DateTime| {
            if today.0 != at.date() {
                let day = at.date();
                let named = named(fields[3], day.month(), 1, 12) && day_of_month(fields[2], day) && day_of_week(fields[4], day);
                today = (day, named);
            }
            today.1 && minutes[usize::try_from(at.minute()).unwrap()] && hours[usize::try_from(at.hour()).unwrap()]
        };
        let minute = jiff::Span::new().minutes(1);
        let mut firings = BTreeSet::new();
        // Looking begins a day earlier, or the first times of the stretch might be second times.
        let mut t = from - 24 * 60 * MINUTE;
        let mut before = clock(t - MINUTE);
        let mut latest = before;
        while t < until {
            let now = clock(t);
            let second_time = now <= latest;
            let mut fires = shown(now) && (every_hour || !second_time);
            if now.duration_since(before).as_secs() > MINUTE {
                // What the clock would have shown, had it not jumped.
                let mut skipped = before.checked_add(minute).unwrap();
                while skipped < now {
                    fires |= shown(skipped) && !every_hour;
                    skipped = skipped.checked_add(minute).unwrap();
                }
            }
            if fires && t >= from {
                firings.insert(t);
            }
            latest = latest.max(now);
            before = now;
            t += MINUTE;
        }
        let duration = i64::try_from(window.duration.as_secs()).unwrap();
        Oracle { firings, duration }
    }

    /// Some firing keeps it open at `t`.
    pub(super) fn open(&self, t: i64) -> bool {
        self.firings.range(t - self.duration + 1..=t).next().is_some()
    }
}

const NAMES: [&str; 19] = [
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

fn number(text: &str) -> i8 {
    match NAMES.iter().position(|n| *n == text) {
        Some(at @ 0..=6) => i8::try_from(at).unwrap(),
        Some(at) => i8::try_from(at - 6).unwrap(),
        None => text.parse().unwrap(),
    }
}

fn named(field: &str, value: i8, low: i8, high: i8) -> bool {
    field.split(',').filter(|item| *item != "L" && !item.contains('#')).any(|item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from), number(to)),
            None => (number(range), number(range)),
        };
        (from..=to).contains(&value) && (value - from) % number(step) == 0
    })
}

fn day_of_month(field: &str, date: jiff::civil::Date) -> bool {
    let last = field.split(',').any(|item| item == "L") && date.tomorrow().unwrap().day() == 1;
    last || named(field, date.day(), 1, 31)
}

fn day_of_week(field: &str, date: jiff::civil::Date) -> bool {
    let weekday = date.weekday().to_sunday_zero_offset();
    let mut places = field.split(',').filter_map(|item| item.split_once('#'));
    let nth = places.any(|(day, place)| {
        let is_last = date.checked_add(jiff::Span::new().weeks(1)).unwrap().month() != date.month();
        let n = (1..=5).find(|n| date.day() <= n * 7).unwrap();
        number(day) % 7 == weekday && if place == "L" { is_last } else { number(place) == n }
    });
    nth || named(field, weekday, 0, 7) || weekday == 0 && named(field, 7, 0, 7)
}
