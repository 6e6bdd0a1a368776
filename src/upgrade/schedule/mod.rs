//! When starts may happen: what `spec.schedule` means.
//!
//! The controller's gather step reads the schedules of an upgrade and of its Connection with [`Schedule::parse`];
//! [`decide`](super::decide) asks [`gate`] at each decision, and so again right before a start. Nothing here knows the time: `now` comes
//! in. Nothing depends on the machine either: time zones are those compiled in, not those that an image or a node happens to have.
//!
//! # What is defined
//!
//! * A start is allowed at `t` if in **both** schedules: `notBefore <= t`, `t < notAfter`, `t` lies in no freeze, and in an open window,
//!   if there are windows. All spans are half-open: `[from, until)`.
//! * A window opens at each *firing* of its cron expression in its zone and stays open for `duration` of time that passes. Across a change
//!   of clocks four hours are four hours, so the window may close at another time of the clock than usual. Several windows, and several
//!   firings of one, add up.
//! * A time of the clock that is **skipped** (spring) fires at the moment of the change: a weekly 02:30 must not vanish for a week.
//!   A time that comes **twice** (autumn) fires at the first only: a window of an hour must not become two.
//! * Except: an expression that names every hour of the day is about the time that passes, not about the clock face. It fires at every
//!   moment at which the clock shows a time that it names: what is skipped has no such moment, what comes twice has two.
//!
//! # What is bounded
//!
//! Whatever people write, a question is answered in bounded time. Whether one expression ever fires is decided by [`cron`] alone. The
//! next common opening of two schedules is searched for up to [`HORIZON`] and in at most [`MAX_JUMPS`] steps; two that never meet
//! are no error of either, and yield [`Opens::NotFound`].

pub mod cron;
mod gate;
mod search;
mod window;
mod words;

#[cfg(test)]
mod dst_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod properties;

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff::tz::TimeZoneDatabase;

pub use self::cron::BadCron;
use self::cron::Cron;
pub use self::gate::Closed;
pub use self::gate::Gate;
pub use self::gate::Wait;
pub use self::gate::Whose;
pub use self::gate::gate;
pub use self::search::Opening;
pub use self::search::Opens;
pub use self::search::openings;
use self::window::Window;
pub use self::words::At;

/// The longest that one firing may keep a window open: a week, since no expression repeats less often than people think in weeks.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(168);

/// How far ahead the next opening is searched for. Every expression that fires at all fires within 40 years: the rarest is a fifth weekday
/// of February, which needs a leap day on that weekday, and such a day may be missing for 40 years around a century without one.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(41 * 366 * 24);

/// How far ahead the end of an opening is searched for, where windows follow each other without a pause. Far longer than anything that
/// is to fit into an opening.
pub const LOOKAHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How often the search for a common opening may go on from one schedule's next opening to the other's. Two that open once a day, and
/// never together, are followed for years; who never finds a common moment waits with that message, and the search starts again later.
pub const MAX_JUMPS: u32 = 2000;

/// How many spans of windows may be chained to find the end of an opening.
const MAX_CHAIN: u32 = 1000;

/// Most windows and freezes that are read, as in the CRDs: what is computed here is sized for them.
const MAX_WINDOWS: usize = 14;
const MAX_FREEZES: usize = 20;

/// A schedule as it was written, as plain values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// `notBefore`.
    pub not_before: Option<Timestamp>,
    /// `notAfter`.
    pub not_after: Option<Timestamp>,
    /// `windows`.
    pub windows: Vec<WrittenWindow>,
    /// `freezes`.
    pub freezes: Vec<Freeze>,
}

/// A window as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenWindow {
    /// Cron expression of five fields.
    pub cron: String,
    /// For how long each firing opens it.
    pub duration: Duration,
    /// IANA name.
    pub time_zone: String,
}

/// A span of time in which nothing starts, `[from, until)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// First moment.
    pub from: Timestamp,
    /// First moment after it.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: Option<String>,
}

impl Freeze {
    /// It is in force at `t`.
    fn holds(&self, t: Timestamp) -> bool {
        self.from <= t && t < self.until
    }
}

/// Why a schedule cannot be obeyed: which part of it, and what would do instead. Found again at each look, until the spec is mended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// A window.
    #[error("schedule.windows[{index}]: {why}")]
    Window {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        why: BadWindow,
    },
    /// A freeze that ends before it begins.
    #[error("schedule.freezes[{index}]: from must be before until; found {from} and {until}")]
    Freeze {
        /// Its place in the list, from 0.
        index: usize,
        /// First moment.
        from: Timestamp,
        /// First moment after it.
        until: Timestamp,
    },
    /// The bounds leave nothing between them.
    #[error("schedule: notBefore must be before notAfter; found {not_before} and {not_after}")]
    Bounds {
        /// `notBefore`.
        not_before: Timestamp,
        /// `notAfter`.
        not_after: Timestamp,
    },
    /// A list that is too long.
    #[error("schedule.{list}: at most {most} entries; found {found}")]
    TooMany {
        /// Which.
        list: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
}

/// What is wrong with a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// The cron expression.
    #[error("cron {cron:?}: {why}")]
    Cron {
        /// What was written.
        cron: String,
        /// What is wrong with it.
        why: BadCron,
    },
    /// The duration.
    #[error("duration {found}: expected more than 0s and at most 168h")]
    Duration {
        /// What was written.
        found: String,
    },
    /// The time zone.
    #[error("timeZone {found:?} is not known: {}", hint(.nearest.as_deref()))]
    TimeZone {
        /// What was written.
        found: String,
        /// The name that may have been meant.
        nearest: Option<String>,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "expected an IANA name such as Europe/Madrid or UTC".to_owned(),
        |name| format!("did you mean {name}?"),
    )
}

/// A schedule that can be obeyed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    /// Empty: always open.
    windows: Vec<Window>,
    freezes: Vec<Freeze>,
}

impl Schedule {
    /// Reads what was written. Never panics, whatever it is given; the first thing that is wrong is the error.
    pub fn parse(written: &Written) -> Result<Schedule, InvalidSchedule> {
        let too_many = |list, found: usize, most| (found > most).then_some(InvalidSchedule::TooMany { list, found, most });
        let long = too_many("windows", written.windows.len(), MAX_WINDOWS);
        if let Some(long) = long.or_else(|| too_many("freezes", written.freezes.len(), MAX_FREEZES)) {
            return Err(long);
        }
        if let (Some(not_before), Some(not_after)) = (written.not_before, written.not_after)
            && not_before >= not_after
        {
            return Err(InvalidSchedule::Bounds { not_before, not_after });
        }
        for (index, freeze) in written.freezes.iter().enumerate() {
            let (from, until) = (freeze.from, freeze.until);
            if from >= until {
                return Err(InvalidSchedule::Freeze { index, from, until });
            }
        }
        let windows = written.windows.iter().enumerate();
        let windows = windows.map(|(index, window)| read(window).map_err(|why| InvalidSchedule::Window { index, why }));
        Ok(Schedule {
            not_before: written.not_before,
            not_after: written.not_after,
            windows: windows.collect::<Result<_, _>>()?,
            freezes: written.freezes.clone(),
        })
    }

    /// The zone of the window that is open at this moment, if one is: people who wrote it think of it there.
    pub fn zone_at(&self, moment: Timestamp) -> Option<&TimeZone> {
        self.window_at(moment).map(Window::zone)
    }

    /// `notAfter`: nothing starts at this moment or later.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }
}

fn read(written: &WrittenWindow) -> Result<Window, BadWindow> {
    let cron = Cron::parse(&written.cron).map_err(|why| BadWindow::Cron {
        cron: written.cron.clone(),
        why,
    })?;
    let duration = SignedDuration::try_from(written.duration).unwrap_or(SignedDuration::MAX);
    if written.duration.is_zero() || written.duration > LONGEST_WINDOW {
        return Err(BadWindow::Duration {
            found: format!("{}s", written.duration.as_secs_f64()),
        });
    }
    Ok(Window::new(cron, duration, zone(&written.time_zone)?))
}

/// The zone of that name in the data compiled in.
fn zone(name: &str) -> Result<TimeZone, BadWindow> {
    let zones = TimeZoneDatabase::bundled();
    match zones.get(name) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => Err(BadWindow::TimeZone {
            found: name.to_owned(),
            nearest: nearest(&zones, name),
        }),
    }
}

/// The name that was probably meant: the same city in another part of the world, or a slip of the pen.
fn nearest(zones: &TimeZoneDatabase, name: &str) -> Option<String> {
    let plain = |name: &str| name.replace([' ', '-'], "_").to_lowercase();
    let city = |name: &str| plain(name.rsplit('/').next().unwrap_or(name));
    // Longer texts are no slip, and comparing them would cost.
    let (wanted, wanted_city) = Some((plain(name), city(name))).filter(|(wanted, _)| wanted.len() <= 64)?;
    let slips = |known: &str| {
        if !wanted_city.is_empty() && city(known) == wanted_city {
            return Some(0);
        }
        let slips = strsim::osa_distance(&plain(known), &wanted);
        (slips <= 2 && slips * 3 <= wanted.chars().count()).then_some(slips)
    };
    let known = zones.available().map(|known| known.as_str().to_owned());
    let known = known.filter(|known| !known.starts_with("Etc/") || name.starts_with("Etc/"));
    known
        .filter_map(|known| slips(&known).map(|n| (n, known)))
        .min()
        .map(|(_, known)| known)
}

/// `t` plus `by`, or the end of time.
fn later(t: Timestamp, by: SignedDuration) -> Timestamp {
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    t.checked_add(by).unwrap_or(end)
}

#[cfg(test)]
thread_local! {
    /// How many days were looked at, so that tests can say how much work a question is.
    static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
