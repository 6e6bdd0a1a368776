//! Summing up many targets as one state, reason and message (api: "State and conditions", first match).

use jiff::Timestamp;

use super::decision::Blocker;
use super::decision::Summary;
use super::reason::Reason;
use super::reason::State;
use super::rollout::Rollout;
use super::rollout::called;
use super::rollout::tell;
use super::row::Judged;
use super::row::Place;

/// The resource as a whole.
pub fn summarise(
    generation: i64,
    judged: &[Judged],
    rollout: &Rollout,
    blockers: &[Blocker],
    next_action_at: Option<Timestamp>,
) -> Summary {
    let sum = Sum {
        generation,
        judged,
        rollout,
        blockers,
    };
    let (state, reason, stalled, message) = sum.first_match();
    let waits = !matches!(state, State::Success | State::Rejected | State::Failed | State::Cancelled);
    let waiting_for = match reason {
        Reason::Started | Reason::Running | Reason::Starting => None,
        reason if waits => Some(reason),
        _ => None,
    };
    let overdue = judged.iter().any(|j| matches!(j.place, Place::InFlight { overdue: true, .. }));
    Summary {
        overdue,
        state,
        reason,
        message,
        stalled,
        waiting_for,
        next_action_at: if waits { next_action_at } else { None },
    }
}

struct Sum<'a> {
    generation: i64,
    judged: &'a [Judged],
    rollout: &'a Rollout,
    blockers: &'a [Blocker],
}

impl Sum<'_> {
    fn first_match(&self) -> (State, Reason, bool, String) {
        if let Some(stalled) = self.find(|j| matches!(j.place, Place::InFlight { stalled: true, .. })) {
            return (State::Unknown, stalled.row.reason, true, tell(stalled));
        }
        if let Some((state, reason, message)) = self.in_flight() {
            return (state, reason, false, message);
        }
        if let [one] = self.judged
            && one.row.sole
            && one.place == Place::Over
        {
            return (one.row.state, one.row.reason, one.row.state != State::Success, tell(one));
        }
        let states: Vec<State> = self.judged.iter().map(|j| j.row.state).collect();
        let all = |wanted: State| !states.is_empty() && states.iter().all(|s| *s == wanted);
        if all(State::Success) {
            let started = self.judged.iter().find(|j| j.row.reason != Reason::AlreadyAtVersion);
            let reason = if started.is_some() {
                Reason::UpgradeSucceeded
            } else {
                Reason::AlreadyAtVersion
            };
            let message = match self.judged {
                [one] => one.row.message.clone().unwrap_or_default(),
                many => format!("all {} at the version asked for", many.len()),
            };
            return (State::Success, reason, false, message);
        }
        if let Some(first) = self.judged.first().filter(|_| all(State::Rejected)) {
            return (State::Rejected, first.row.reason, true, tell(first));
        }
        if let Some(first) = self.judged.first().filter(|_| all(State::Cancelled)) {
            return (State::Cancelled, first.row.reason, true, tell(first));
        }
        let left: Vec<&str> = self.judged.iter().filter(|j| j.place != Place::Over).map(called).collect();
        if let Some(why) = &self.rollout.threshold {
            let rest = if left.is_empty() {
                String::new()
            } else {
                format!("; {} not started", left.join(", "))
            };
            return (State::Failed, Reason::TooManyFailures, true, format!("{why}{rest}"));
        }
        if left.is_empty() {
            let first = self.find(|j| matches!(j.row.state, State::Failed | State::Rejected | State::Cancelled));
            return (State::Failed, Reason::PartlyFailed, true, first.map(tell).unwrap_or_default());
        }
        self.waiting()
    }

    fn find(&self, matches: impl Fn(&Judged) -> bool) -> Option<&Judged> {
        self.judged.iter().find(|j| matches(j))
    }

    /// A run holds a target: the most telling of those in flight speaks for all.
    fn in_flight(&self) -> Option<(State, Reason, String)> {
        let flying = || self.judged.iter().filter(|j| matches!(j.place, Place::InFlight { .. }));
        let order = [
            Reason::Overdue,
            Reason::StartInDoubt,
            Reason::OutOfSight,
            Reason::Running,
            Reason::Started,
            Reason::WaitingForVendor,
            Reason::Starting,
        ];
        let speaker = order
            .iter()
            .find_map(|r| flying().find(|j| j.row.reason == *r))
            .or_else(|| flying().next())?;
        let moved = flying().any(|j| matches!(j.place, Place::InFlight { moved: true, .. }));
        let started = flying().any(|j| j.row.state == State::Started);
        let state = match speaker.row.state {
            _ if moved => State::Running,
            _ if started => State::Started,
            State::Pending if self.ever_started() => State::Running,
            other => other,
        };
        let reason =
            if flying().any(|j| matches!(j.place, Place::InFlight { edit_queued: true, .. })) && speaker.row.state != State::Unknown {
                Reason::EditQueued
            } else {
                speaker.row.reason
            };
        let message = match reason {
            Reason::EditQueued => format!(
                "{}; what generation {} asks for is started once this run has ended",
                tell(speaker),
                self.generation
            ),
            _ => tell(speaker),
        };
        Some((state, reason, message))
    }

    fn ever_started(&self) -> bool {
        self.judged.iter().any(|j| j.row.started_at.is_some())
    }

    fn waiting(&self) -> (State, Reason, bool, String) {
        let done = self.judged.iter().filter(|j| j.row.state == State::Success).count();
        let total = self.judged.len();
        let Some(first) = self.blockers.first() else {
            let state = if self.ever_started() { State::Running } else { State::Pending };
            let next = self.find(|j| matches!(j.place, Place::Candidate(_) | Place::Note(_)));
            let message = match next {
                Some(next) if next.row.sole => format!("preparing {}", called(next)),
                next => format!("{done}/{total} done; preparing {}", next.map(called).unwrap_or_default()),
            };
            return (state, Reason::Evaluating, false, message);
        };
        let between = matches!(
            first.reason,
            Reason::WaitingForSoak | Reason::LimitReached | Reason::WaitingForCanary
        );
        let stalled = matches!(first.reason, Reason::ConnectionTypeMismatch | Reason::InvalidSchedule);
        let state = match stalled {
            true => State::Rejected,
            false if between && self.ever_started() => State::Running,
            false => State::Pending,
        };
        (state, first.reason, stalled, first.message.clone())
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
