//! Times and waits as people read them: in English, the same on every machine, in the zone that the window was written in.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::gate::Wait;
use super::gate::Whose;
use super::search::Opens;
use super::window::Window;

/// A moment, and the zone in which people think of it.
#[derive(Clone, Debug, PartialEq)]
pub struct At {
    /// The moment.
    pub instant: Timestamp,
    /// The zone of the window that it comes from; UTC where it was written as an instant.
    pub zone: TimeZone,
}

impl At {
    /// This moment, as the given window's zone shows it.
    pub(super) fn new(instant: Timestamp, window: Option<&Window>) -> At {
        At {
            instant,
            zone: window.map_or(TimeZone::UTC, |w| w.zone().clone()),
        }
    }

    /// `Sat 28 Nov 01:00 Europe/Madrid`. The year is there if it is another than at `now`, seconds if they are not zero, and the offset
    /// from UTC if the clock shows that time twice.
    pub fn words(&self, now: Timestamp) -> String {
        let there = self.instant.to_zoned(self.zone.clone());
        let year = if there.year() == now.to_zoned(self.zone.clone()).year() {
            ""
        } else {
            " %Y"
        };
        let seconds = if there.second() == 0 { "" } else { ":%S" };
        let mut words = there.strftime(&format!("%a %-d %b{year} %H:%M{seconds}")).to_string();
        let twice = self.zone.to_ambiguous_timestamp(there.datetime()).is_ambiguous();
        if twice {
            // Writing to a text does not fail.
            _ = write!(words, " ({})", there.strftime("%:z"));
        }
        words + " " + name(&there)
    }
}

fn name(there: &Zoned) -> &str {
    there.time_zone().iana_name().unwrap_or("UTC")
}

/// One wait, in words.
pub(super) fn wait(wait: &Wait, connection: &str, now: Timestamp) -> String {
    match wait {
        Wait::NotBefore { whose, until } => format!("not before {} ({})", until.words(now), of(*whose, connection, "notBefore")),
        Wait::Frozen { whose, until, why } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("frozen until {} ({}){why}", until.words(now), of(*whose, connection, "freezes"))
        }
        Wait::Window { whose, until: Some(at) } => {
            format!("next window opens {} ({})", at.words(now), of(*whose, connection, "windows"))
        }
        Wait::Window { whose, until: None } => format!("no window opens in sight ({})", of(*whose, connection, "windows")),
    }
}

/// That no common opening was found, in words.
pub(super) fn never(opens: &Opens, connection: &str) -> Option<String> {
    // The year alone: the end of the search moves on with each look, and a message that changes is a status write.
    let year = |at: Timestamp| at.strftime("%Y").to_string();
    match opens {
        Opens::At(_) => None,
        Opens::NotInTime(not_after) => Some(format!(
            "nothing opens before notAfter, {}: change spec.schedule, or that of Connection {connection}",
            At::new(*not_after, None).words(Timestamp::MIN)
        )),
        Opens::NotFound(end) => Some(format!(
            "spec.schedule and that of Connection {connection} are never open together, as far as was looked (until {}): change one of them",
            year(*end)
        )),
    }
}

fn of(whose: Whose, connection: &str, field: &str) -> String {
    match whose {
        Whose::Own => format!("spec.schedule.{field}"),
        Whose::Connection => format!("Connection {connection}, schedule.{field}"),
    }
}
