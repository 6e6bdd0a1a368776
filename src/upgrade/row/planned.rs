//! What is said of a run that the vendor's people carry out when they choose (HMC, remote firmware updates).
//!
//! Part of [`row`](super), which is its only caller.

use jiff::Timestamp;

use super::Bench;
use super::short;
use crate::upgrade::facts::HandedOver;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::sight::Motion;
use crate::upgrade::when::allowed_at;

impl Bench<'_> {
    /// Nothing is scheduled yet: where the token is, and what people have to do with it.
    pub(super) fn unscheduled(&self, open: &Receipt, until: Option<Timestamp>, instead: Option<&str>) -> String {
        let version = &open.run.version;
        let instead = instead
            .map(|other| format!(", but one for {other}, not by Windlass"))
            .unwrap_or_default();
        let Some(until) = until else {
            return format!("the console lists no token that is good; no schedule for {version} yet{instead}");
        };
        let until = short(until);
        let whose = if open.asks_permission() {
            "authorized"
        } else {
            "a token that was there is still good"
        };
        match &self.facts.connection.handed_over {
            Some(HandedOver::Stored { secret, key }) => {
                format!(
                    "{whose}; the token is in Secret {secret}, key {key}, until {until}; give it to IBM; no schedule for {version} yet{instead}"
                )
            }
            Some(HandedOver::Failed { why }) => format!("{whose} until {until}, but the token cannot be kept for you: {why}"),
            None => format!("{whose} until {until}; no schedule for {version} yet{instead}"),
        }
    }

    /// The vendor's people chose a time. It is theirs to choose, so one that lies outside of our schedules is only told.
    pub(super) fn scheduled(&self, says: &str, begins: Option<Timestamp>, outside: bool) -> String {
        let when = begins.map(|begins| format!(" for {}", short(begins))).unwrap_or_default();
        let outside = if outside {
            "; that is outside of the schedule here, which does not bind IBM: have it moved there if it must not be"
        } else {
            ""
        };
        format!("{says}{when}{outside}")
    }

    /// Nothing of a run that the vendor's people carry out has been seen to begin, and its time, where one is known, has not come.
    pub(super) fn is_to_begin(&self, open: &Receipt) -> bool {
        let moved = || self.sights().any(|sight| matches!(sight.motion, Motion::Moving { .. }));
        let due = || open.scheduled.as_ref().is_some_and(|scheduled| scheduled.begins <= self.facts.wall);
        open.left_to_vendor() && !moved() && !due()
    }

    /// What this resource wishes is carried out by the same people: IBM's schedule and an install by the console itself are two things, even to
    /// one version.
    pub(super) fn same_way(&self, open: &Receipt) -> bool {
        let wish = self.target.wish.as_ref().map(|wish| &wish.options);
        match wish {
            Some(Options::ConsoleSchedule { .. }) => open.left_to_vendor(),
            Some(Options::ConsoleInstall { .. }) => !open.left_to_vendor(),
            _ => true,
        }
    }

    /// The schedules here would not let anything start at this moment.
    pub(super) fn outside_schedule(&self, moment: Timestamp) -> bool {
        match (&self.facts.connection.schedule, &self.facts.schedule) {
            (Ok(connection), Ok(own)) => !allowed_at(connection, own, moment),
            _ => false,
        }
    }
}
