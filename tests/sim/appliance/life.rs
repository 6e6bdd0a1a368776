//! What the machine is going through: installs and restarts, as a list of events that are due at a simulated time.
//!
//! An install writes all that will come of it when it begins; [`Life::due`] gives the events whose time has come, and `state` makes
//! them true, dated by when they were due and not by who looked. Knows nothing of HTTP, tasks or sessions.

use jiff::Timestamp;
use serde::Serialize;

use super::super::clock::after;
use super::machine::{Ends, Machine};
use super::task::{Ending, Task, Trouble, What};

/// What happens by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The machine goes down, perhaps for good.
    Down { until: Option<Timestamp>, slow_secs: u64 },
    /// It has another version.
    Version { version: String, reconfigure: bool },
    /// The install is over.
    Over,
}

/// An install that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub version: String,
    pub task: String,
}

/// The machine's present and its fixed future.
#[derive(Debug, Default, Serialize)]
pub struct Life {
    pub run: Option<Run>,
    /// In the order of their times; those of the same time in the order of their making.
    schedule: Vec<(Timestamp, Event)>,
    /// Down: until then, or for good.
    outage: Option<Option<Timestamp>>,
    /// Up, but not all of it, until then.
    slow_until: Option<Timestamp>,
    pub restarts: u64,
}

impl Life {
    /// Begins an install of what is called `version` and leads to `becomes`; the task that tells of it.
    pub fn begin(&mut self, machine: &Machine, version: &str, becomes: &str, now: Timestamp) -> Task {
        // Only one is carried through: a later one takes the place of what the earlier one had still to do.
        self.schedule.clear();
        let what = What::Install(version.to_owned());
        let mut task = match &machine.ends {
            Ends::Error(trouble) => Task::new(what, now, machine.queued_secs, machine.run_secs, Ending::Error(trouble.clone())),
            Ends::Cancelled => Task::new(what, now, machine.queued_secs, machine.run_secs, Ending::Cancelled),
            ends => self.carry_through(machine, ends, becomes, what, now),
        };
        if let Some(over) = task.ends_at {
            self.put(over, Event::Over);
        }
        if machine.ends == Ends::NeverBack {
            task = task.for_ever();
        }
        self.run = Some(Run {
            version: version.to_owned(),
            task: task.id.clone(),
        });
        task
    }

    /// An install that gets as far as its restart.
    fn carry_through(&mut self, machine: &Machine, ends: &Ends, becomes: &str, what: What, now: Timestamp) -> Task {
        let restart = after(now, machine.queued_secs.saturating_add(machine.run_secs));
        let down_secs = if machine.restarts { machine.down_secs } else { 0 };
        let back = after(restart, down_secs);
        if machine.restarts {
            let until = (*ends != Ends::NeverBack).then_some(back);
            let slow_secs = machine.slow_secs;
            self.put(restart, Event::Down { until, slow_secs });
        }
        let version = match ends {
            Ends::ThirdVersion(version) => Some(version.as_str()),
            Ends::Success => Some(becomes),
            _ => None,
        };
        if let Some(version) = version {
            let (version, reconfigure) = (version.to_owned(), machine.reconfigure_after);
            self.put(back, Event::Version { version, reconfigure });
        }
        let ending = match ends {
            Ends::SameVersion => Ending::Error(Trouble::new(
                "The update was rolled back.",
                "The appliance runs its previous version.",
            )),
            _ => Ending::Success,
        };
        let run_secs = machine.run_secs.saturating_add(down_secs).saturating_add(machine.finish_secs);
        Task::new(what, now, machine.queued_secs, run_secs, ending)
    }

    fn put(&mut self, at: Timestamp, event: Event) {
        let place = self.schedule.partition_point(|(other, _)| *other <= at);
        self.schedule.insert(place, (at, event));
    }

    /// The next event whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Option<(Timestamp, Event)> {
        (self.schedule.first()?.0 <= now).then(|| self.schedule.remove(0))
    }

    /// An outage that is over is over, though the clock be set back.
    pub fn settle(&mut self, now: Timestamp) {
        if self.outage.flatten().is_some_and(|until| now >= until) {
            self.outage = None;
        }
    }

    /// A restart that is no install's, in a moment: the answer to whoever asked for it gets out.
    pub fn restart_soon(&mut self, machine: &Machine, now: Timestamp) {
        let soon = after(now, 1);
        let until = Some(after(soon, machine.down_secs));
        let slow_secs = machine.slow_secs;
        self.put(soon, Event::Down { until, slow_secs });
    }

    /// The machine goes down.
    pub fn go_down(&mut self, until: Option<Timestamp>, slow_secs: u64) {
        self.restarts += 1;
        self.outage = Some(until);
        self.slow_until = until.map(|until| after(until, slow_secs));
    }

    /// It comes up now, whatever it was to do.
    pub fn come_back(&mut self, now: Timestamp, slow_secs: u64) {
        self.outage = None;
        self.slow_until = Some(after(now, slow_secs));
    }

    /// Nothing that was under way goes on. An outage stays.
    pub fn abandon(&mut self) {
        self.schedule.clear();
        self.run = None;
    }

    pub fn is_down(&self, now: Timestamp) -> bool {
        self.outage.is_some_and(|until| until.is_none_or(|until| now < until))
    }

    /// Up, but not all of it.
    pub fn is_booting(&self, now: Timestamp) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }

    /// When the machine next goes down or comes up by itself.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let down = |(at, event): &(Timestamp, Event)| matches!(event, Event::Down { .. }).then_some(*at);
        let goes_down = self.schedule.iter().find_map(down);
        let comes_up = self.outage.flatten().filter(|until| now < *until);
        goes_down.into_iter().chain(comes_up).min()
    }
}
