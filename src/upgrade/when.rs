//! What the schedules of a resource and of its Connection say about this moment, in the form that a decision needs.
//!
//! Called by [`decide`](super::decide), once for each decision. What schedules mean is [`schedule`](super::schedule)'s to say.

use jiff::Timestamp;

use super::decision::Blocker;
use super::facts::Facts;
use super::reason::Reason;
use super::row::short;
use super::schedule::Gate;
use super::schedule::InvalidSchedule;
use super::schedule::Opens;
use super::schedule::Schedule;
use super::schedule::Whose;
use super::schedule::gate;

/// Whether time allows a start.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Until then, and at every moment from now.
    Open {
        /// The first moment that is not allowed any more.
        until: Timestamp,
    },
    /// Not now.
    Closed {
        /// Everything that stands in the way.
        blockers: Vec<Blocker>,
        /// The first moment that both schedules allow, where there is one.
        opens: Option<Timestamp>,
    },
    /// Never again: the resource's own `notAfter` has passed.
    TooLate {
        /// It.
        not_after: Timestamp,
    },
    /// The schedule of the resource, or of its Connection, cannot be obeyed.
    Invalid(Blocker),
}

/// Asks both schedules about now.
pub fn when(facts: &Facts) -> When {
    let name = &facts.connection.name;
    let (own, connection) = match (&facts.schedule, &facts.connection.schedule) {
        (Ok(own), Ok(connection)) => (own, connection),
        (Err(error), _) => return When::Invalid(own_invalid(error)),
        (_, Err(error)) => return When::Invalid(connection_invalid(name, error)),
    };
    match gate(connection, own, facts.wall) {
        Gate::Open(opening) => When::Open { until: opening.until },
        Gate::TooLate {
            not_after,
            whose: Whose::Own,
        } => When::TooLate { not_after },
        // The Connection's owner may change it, and must not have cancelled everybody's upgrades for good until then.
        Gate::TooLate {
            not_after,
            whose: Whose::Connection,
        } => When::Closed {
            blockers: vec![connection_over(name, not_after)],
            opens: None,
        },
        closed @ Gate::Closed(_) => When::Closed {
            blockers: closed.blockers(name),
            opens: opens(&closed),
        },
    }
}

fn opens(gate: &Gate) -> Option<Timestamp> {
    match gate {
        Gate::Closed(closed) => match closed.opens {
            Opens::At(at) => Some(at),
            Opens::NotInTime(_) | Opens::NotFound(_) => None,
        },
        Gate::Open(_) | Gate::TooLate { .. } => None,
    }
}

/// Both schedules allow a start at this moment, which another clock than ours showed to the second.
pub fn allowed_at(connection: &Schedule, own: &Schedule, second: Timestamp) -> bool {
    let last = second.checked_add(jiff::SignedDuration::from_millis(999)).unwrap_or(second);
    [second, last]
        .into_iter()
        .any(|t| matches!(gate(connection, own, t), Gate::Open(_)))
}

/// The resource's own `notAfter` has passed at this moment, which another clock than ours showed to the second.
pub fn too_late_at(own: &Schedule, second: Timestamp) -> bool {
    matches!(gate(&Schedule::default(), own, second), Gate::TooLate { .. })
}

fn connection_over(name: &str, not_after: Timestamp) -> Blocker {
    Blocker {
        reason: Reason::ConnectionNotReady,
        message: format!(
            "Connection {name} allows no start any more: its schedule.notAfter, {}, has passed; its owner can change it",
            short(not_after)
        ),
        until: None,
    }
}

fn own_invalid(error: &InvalidSchedule) -> Blocker {
    Blocker {
        reason: Reason::InvalidSchedule,
        message: format!("spec.{error}"),
        until: None,
    }
}

/// Nobody but the Connection's owner can mend it, and every upgrade waits until they have.
fn connection_invalid(name: &str, error: &InvalidSchedule) -> Blocker {
    Blocker {
        reason: Reason::ConnectionNotReady,
        message: format!("Connection {name} has a schedule that cannot be obeyed: spec.{error}"),
        until: None,
    }
}

impl When {
    /// When starts become possible as far as time goes: now, or the next opening. `None` where no time will come.
    pub fn from(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            When::Open { .. } => Some(now),
            When::Closed { opens, .. } => *opens,
            When::TooLate { .. } | When::Invalid(_) => None,
        }
    }
}

#[cfg(test)]
#[path = "when_tests.rs"]
mod tests;
