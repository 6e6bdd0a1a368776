//! Cron expressions of five fields, as times on a calendar and a clock face: no time zone, no instant. [`window`](super::window) makes
//! instants of them.
//!
//! The language is small on purpose, and an expression outside it is refused with what to write instead. Two decisions of ours:
//!
//! * Day of month and day of week cannot both be set. Cron takes either (`0 1 1-7 * 6` fires on seven days and on every Saturday), nearly
//!   everybody means both, and what starts on a day that nobody meant cannot be taken back. `SAT#1` says the first Saturday.
//! * Whether an expression ever fires is decided here, from the calendar, not by searching until patience runs out.

use jiff::civil::Date;

/// A cron expression that was read, and that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Minutes of the day at which it fires, ascending, on days on which it does.
    minutes: Vec<i32>,
    /// It names every hour of the day: it follows the time that passes rather than the clock face.
    every_hour: bool,
    /// Bit m: month m.
    months: u64,
    days: Days,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    Every,
    /// Bit d: day d; `last`: the last day of the month, too.
    OfMonth {
        days: u64,
        last: bool,
    },
    /// Bit w: every weekday w, Sunday being 0. `nth[w]`: bit n (1 to 5) the n-th of the month, bit [`LAST`] the last.
    OfWeek {
        every: u64,
        nth: [u64; 7],
    },
}

const LAST: u32 = 6;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Why a text is no cron expression, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCron {
    /// Not five fields.
    #[error("{found} fields where five are expected: minute, hour, day of month, month, day of week, as in \"0 1 * * SAT\"{hint}")]
    Fields {
        /// How many there are.
        found: usize,
        /// What to write instead, where that can be guessed.
        hint: &'static str,
    },
    /// A field that cannot be read.
    #[error("{field} {found:?}: expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// The part of it.
        found: String,
        /// What would do.
        expected: String,
    },
    /// Day of month and day of week are both set.
    #[error(
        "day of month {month:?} and day of week {week:?} are both set: one of them must be *; for the first Saturday of a month write \
         SAT#1 as day of week, for either of the two write two windows"
    )]
    BothDays {
        /// Day of month.
        month: String,
        /// Day of week.
        week: String,
    },
    /// No month that it names has a day that it names.
    #[error("it never fires: no month that it names has day {day}")]
    Never {
        /// The earliest day of month that it names.
        day: u32,
    },
}

impl Cron {
    /// Reads an expression. Never panics, and takes time in proportion to the text.
    pub fn parse(text: &str) -> Result<Cron, BadCron> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            let hint = match fields.first() {
                Some(first) if first.starts_with('@') => "; words such as @daily are not known",
                _ if fields.len() == 6 => "; there is no field for seconds or years",
                _ => "",
            };
            return Err(BadCron::Fields { found: fields.len(), hint });
        };
        let minutes = MINUTE.set(minute)?;
        let hours = HOUR.set(hour)?;
        let months = MONTH.set(month)?;
        let days = match (day, weekday) {
            ("*", "*") => Days::Every,
            (day, "*") => days_of_month(day)?,
            ("*", weekday) => days_of_week(weekday)?,
            (day, weekday) => {
                return Err(BadCron::BothDays {
                    month: day.to_owned(),
                    week: weekday.to_owned(),
                });
            }
        };
        if let Days::OfMonth { days, last: false } = days {
            let earliest = days.trailing_zeros();
            if !(1..=12).any(|month| months & bit(month) != 0 && earliest <= longest(month)) {
                return Err(BadCron::Never { day: earliest });
            }
        }
        let at = (0..24 * 60).filter(|at| hours & bit(at / 60) != 0 && minutes & bit(at % 60) != 0);
        Ok(Cron {
            minutes: at.map(u32::cast_signed).collect(),
            every_hour: (0..24).all(|hour| hours & bit(hour) != 0),
            months,
            days,
        })
    }

    /// Minutes of the day at which it fires, ascending.
    pub fn minutes(&self) -> &[i32] {
        &self.minutes
    }

    /// It names every hour of the day.
    pub fn every_hour(&self) -> bool {
        self.every_hour
    }

    /// It fires in this month of the year, at least in some years.
    pub fn in_month(&self, date: Date) -> bool {
        self.months & bit(date.month().unsigned_abs().into()) != 0
    }

    /// It fires on this day.
    pub fn on(&self, date: Date) -> bool {
        self.in_month(date)
            && match &self.days {
                Days::Every => true,
                Days::OfMonth { days, last } => {
                    days & bit(date.day().unsigned_abs().into()) != 0 || *last && date.day() == date.days_in_month()
                }
                Days::OfWeek { every, nth } => {
                    let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
                    let place = (date.day().unsigned_abs() - 1) / 7 + 1;
                    let wanted = nth[usize::from(weekday) % 7];
                    let is_last = date.day() + 7 > date.days_in_month();
                    every & bit(weekday.into()) != 0 || wanted & bit(place.into()) != 0 || is_last && wanted & bit(LAST) != 0
                }
            }
    }
}

fn bit(n: u32) -> u64 {
    1u64.checked_shl(n).unwrap_or(0)
}

/// Days of a month in its longest year.
fn longest(month: u32) -> u32 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What one field may hold.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
    /// For people.
    values: &'static str,
}

const MINUTE: Field = field("minute", 0, 59, &[], "0 to 59");
const HOUR: Field = field("hour", 0, 23, &[], "0 to 23");
const DAY: Field = field("day of month", 1, 31, &[], "1 to 31, or L for the last day");
const MONTH: Field = field("month", 1, 12, &MONTHS, "1 to 12 or JAN to DEC");
const WEEKDAY: Field = field("day of week", 0, 7, &WEEKDAYS, "0 to 7 (0 and 7 are Sunday) or SUN to SAT");

const fn field(name: &'static str, low: u32, high: u32, names: &'static [&'static str], values: &'static str) -> Field {
    Field {
        name,
        low,
        high,
        names,
        values,
    }
}

impl Field {
    fn bad<T>(&self, found: &str, expected: impl Into<String>) -> Result<T, BadCron> {
        Err(BadCron::Field {
            field: self.name,
            found: found.to_owned(),
            expected: expected.into(),
        })
    }

    /// The values that a list of items names, as bits.
    fn set(&self, text: &str) -> Result<u64, BadCron> {
        text.split(',').try_fold(0, |set, item| Ok(set | self.item(item)?))
    }

    /// `*`, a value, or a range; a step behind `*` or a range.
    fn item(&self, item: &str) -> Result<u64, BadCron> {
        let (range, step) = match item.split_once('/') {
            None => (item, 1),
            Some((range, step)) => (range, self.step(item, step)?),
        };
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            None if range.len() < item.len() => {
                return self.bad(item, format!("a range before the step, as in {range}-{}/{step}", self.high));
            }
            None => {
                let value = self.value(item, range)?;
                (value, value)
            }
            Some((low, high)) => self.range(item, low, high)?,
        };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Ok((low..=high).step_by(step).fold(0, |set, value| set | bit(value)))
    }

    fn range(&self, item: &str, low: &str, high: &str) -> Result<(u32, u32), BadCron> {
        let (from, to) = (self.value(item, low)?, self.value(item, high)?);
        // SAT-SUN: a Sunday that ends a range is the seventh day.
        let to = if self.high == 7 && to == 0 && from > 0 { 7 } else { to };
        if from > to {
            let first = if self.high == 7 { 6 } else { self.high };
            let next = self.low;
            return self.bad(item, format!("a range that goes up; write {from}-{first},{next}-{to}"));
        }
        Ok((from, to))
    }

    fn step(&self, item: &str, step: &str) -> Result<u32, BadCron> {
        let most = self.high;
        match number(step).filter(|step| (1..=most).contains(step)) {
            Some(step) => Ok(step),
            None => self.bad(item, format!("a step of 1 to {most}")),
        }
    }

    fn value(&self, item: &str, text: &str) -> Result<u32, BadCron> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + self.low);
        match named.or_else(|| number(text)).filter(|n| (self.low..=self.high).contains(n)) {
            Some(value) => Ok(value),
            None => self.bad(item, self.values),
        }
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn days_of_month(text: &str) -> Result<Days, BadCron> {
    let (mut days, mut last) = (0, false);
    for item in text.split(',') {
        if item.eq_ignore_ascii_case("L") {
            last = true;
        } else {
            days |= DAY.item(item)?;
        }
    }
    Ok(Days::OfMonth { days, last })
}

fn days_of_week(text: &str) -> Result<Days, BadCron> {
    let (mut every, mut nth) = (0, [0; 7]);
    for item in text.split(',') {
        let Some((weekday, place)) = item.split_once('#') else {
            every |= WEEKDAY.item(item)?;
            continue;
        };
        let weekday = WEEKDAY.value(item, weekday)? % 7;
        let place = match number(place) {
            Some(n @ 1..=5) => n,
            None if place.eq_ignore_ascii_case("L") => LAST,
            _ => return WEEKDAY.bad(item, "#1 to #5, or #L for the last of the month, as in SAT#1"),
        };
        if let Some(places) = nth.get_mut(usize::try_from(weekday).unwrap_or(0)) {
            *places |= bit(place);
        }
    }
    // Sunday is 0 and 7.
    every = (every | every >> 7) & 0x7f;
    Ok(Days::OfWeek { every, nth })
}
