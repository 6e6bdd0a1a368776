//! One window: the spans of time that the firings of a cron expression open in a time zone.
//!
//! The work is done by days. On a day on which the clocks do not change, the spans are at the same minutes as on any other, and those were
//! worked out once, at the start; a day on which they change is worked out firing by firing. So the cost of a question does not depend on
//! how often an expression fires, and finding the next opening costs a few comparisons per day that is passed over.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

use super::HORIZON;
use super::cron::Cron;
use super::later;

/// A window that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    cron: Cron,
    duration: SignedDuration,
    zone: TimeZone,
    /// On a day without a change of the clocks, what the firings open, ascending and apart from each other.
    plain: Vec<Minutes>,
}

/// Firings of one day that are so close to each other that the window does not close between them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Minutes {
    first: i32,
    last: i32,
}

/// A span of time in which the window is open, `[open, close)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub open: Timestamp,
    /// The first moment after it.
    pub close: Timestamp,
}

/// The spans that the firings of one day open.
enum Day {
    /// Those of [`Window::plain`], counted from this midnight.
    Plain(Timestamp),
    /// Ascending and apart from each other.
    Changing(Vec<Span>),
}

impl Window {
    /// A window of these parts; `duration` is above zero.
    pub fn new(cron: Cron, duration: SignedDuration, zone: TimeZone) -> Window {
        let mut plain: Vec<Minutes> = Vec::new();
        for &minute in cron.minutes() {
            match plain.last_mut() {
                Some(before) if SignedDuration::from_mins((minute - before.last).into()) <= duration => before.last = minute,
                _ => plain.push(Minutes {
                    first: minute,
                    last: minute,
                }),
            }
        }
        Window {
            cron,
            duration,
            zone,
            plain,
        }
    }

    /// The zone that it is meant in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The span around `t`, if the window is open then. Another may begin where this one ends, on the day after.
    pub fn around(&self, t: Timestamp) -> Option<Span> {
        let newest = self.date(t).tomorrow().ok()?;
        // A day before what the duration asks for: a change of clocks may put a firing behind the end of its day.
        let oldest = self.date(later(t, -self.duration)).yesterday().ok()?;
        let mut day = newest;
        let mut found: Option<Span> = None;
        while day >= oldest {
            looked();
            if self.cron.on(day)
                && let Some(span) = self.newest_of(day, t)
                && span.close > t
                && found.is_none_or(|f| f.close < span.close)
            {
                found = Some(span);
            }
            // Older firings close earlier. Only around a change of clocks at midnight are two days out of order.
            if found.is_some() && day < newest {
                break;
            }
            day = day.yesterday().ok()?;
        }
        found
    }

    /// The span around `t`, or else the first that opens after it; `None` if none does within [`HORIZON`].
    pub fn from(&self, t: Timestamp) -> Option<Span> {
        if let Some(span) = self.around(t) {
            return Some(span);
        }
        let last = self.date(later(t, HORIZON));
        let mut day = self.date(t).yesterday().ok()?;
        while day <= last {
            looked();
            if !self.cron.in_month(day) {
                day = day.last_of_month().tomorrow().ok()?;
                continue;
            }
            let next = day.tomorrow().ok();
            if let Some(span) = self.oldest_of(day, t) {
                // A change of clocks around midnight may put a firing of the next day before this one.
                let rival = next.and_then(|next| self.oldest_of(next, t));
                return Some(rival.filter(|r| r.open < span.open).unwrap_or(span));
            }
            day = next?;
        }
        None
    }

    fn date(&self, t: Timestamp) -> Date {
        self.zone.to_datetime(t).date()
    }

    /// The last span of that day which opens at `t` or before.
    fn newest_of(&self, day: Date, t: Timestamp) -> Option<Span> {
        if !self.cron.on(day) {
            return None;
        }
        match self.spans(day) {
            Day::Plain(midnight) => {
                let open = self.plain.partition_point(|m| after_minutes(midnight, m.first) <= t);
                self.plain.get(open.checked_sub(1)?).map(|m| self.at(midnight, *m))
            }
            Day::Changing(spans) => spans.get(spans.partition_point(|s| s.open <= t).checked_sub(1)?).copied(),
        }
    }

    /// The first span of that day which opens after `t`.
    fn oldest_of(&self, day: Date, t: Timestamp) -> Option<Span> {
        if !self.cron.on(day) {
            return None;
        }
        match self.spans(day) {
            Day::Plain(midnight) => {
                let past = self.plain.partition_point(|m| after_minutes(midnight, m.first) <= t);
                self.plain.get(past).map(|m| self.at(midnight, *m))
            }
            Day::Changing(spans) => spans.get(spans.partition_point(|s| s.open <= t)).copied(),
        }
    }

    fn at(&self, midnight: Timestamp, minutes: Minutes) -> Span {
        Span {
            open: after_minutes(midnight, minutes.first),
            close: later(after_minutes(midnight, minutes.last), self.duration),
        }
    }

    /// The spans of a day on which it fires.
    fn spans(&self, day: Date) -> Day {
        let offset_at = |at: DateTime| match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(offset),
            AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => None,
        };
        let (first, last) = (offset_at(day.at(0, 0, 0, 0)), offset_at(day.at(23, 59, 59, 0)));
        match first {
            // No zone changes its clocks twice in a day and back (a test looks at all of them).
            Some(offset) if first == last => Day::Plain(instant(offset, day.at(0, 0, 0, 0))),
            _ => Day::Changing(self.changing(day)),
        }
    }

    /// The spans of a day on which the clocks change.
    fn changing(&self, day: Date) -> Vec<Span> {
        let mut firings: Vec<Timestamp> = Vec::new();
        for &minute in self.cron.minutes() {
            let at = i8::try_from(minute / 60)
                .ok()
                .zip(i8::try_from(minute % 60).ok())
                .map(|(hour, minute)| day.at(hour, minute, 0, 0));
            if let Some(at) = at {
                self.fire(at, &mut firings);
            }
        }
        firings.sort_unstable();
        let mut spans: Vec<Span> = Vec::new();
        for open in firings {
            let close = later(open, self.duration);
            match spans.last_mut() {
                Some(before) if open <= before.close => before.close = close,
                _ => spans.push(Span { open, close }),
            }
        }
        spans
    }

    /// The instants at which a firing at this time of the clock happens (see [`super`] for why).
    fn fire(&self, at: DateTime, firings: &mut Vec<Timestamp>) {
        match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => firings.push(instant(offset, at)),
            AmbiguousOffset::Fold { before, after } => {
                firings.push(instant(before, at));
                if self.cron.every_hour() {
                    firings.push(instant(after, at));
                }
            }
            AmbiguousOffset::Gap { before, after } => {
                if !self.cron.every_hour() {
                    // Seen from before the gap, the clock jumps at the next change.
                    let change = self.zone.following(instant(after, at)).next().map(|change| change.timestamp());
                    firings.push(change.unwrap_or_else(|| instant(before, at)));
                }
            }
        }
    }
}

fn after_minutes(midnight: Timestamp, minutes: i32) -> Timestamp {
    later(midnight, SignedDuration::from_mins(minutes.into()))
}

/// The instant at which clocks of that offset show `at`; the end of time where that is out of reach, so that nothing opens there.
fn instant(offset: Offset, at: DateTime) -> Timestamp {
    offset.to_timestamp(at).unwrap_or(Timestamp::MAX)
}

/// Counts the work, in tests.
fn looked() {
    #[cfg(test)]
    super::LOOKS.set(super::LOOKS.get() + 1);
}
