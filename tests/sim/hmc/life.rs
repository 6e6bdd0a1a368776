//! What the console is going through: upgrades and restarts, as a list of events that are due at a simulated time.
//!
//! An upgrade writes all that will come of it when it begins; [`Life::due`] gives the events whose time has come, and `state` makes
//! them true, dated by when they were due and not by who looked. Knows nothing of HTTP, jobs, updates or sessions.

use jiff::Timestamp;
use serde::Serialize;

use super::super::clock::after;
use super::console::{Console, Ends, Failure};

/// What happens by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The time of the update of this id has come, or it looks again whether the console is free.
    Due(String),
    /// The upgrade that is under way can be interrupted.
    Point,
    /// The console goes down, perhaps for good.
    Down { until: Option<Timestamp>, slow_secs: u64 },
    /// It is at another bundle.
    Bundle(String),
    /// The upgrade is over: well, or so.
    Over(Option<Failure>),
}

/// Who tells of an upgrade, by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Job(String),
    Update(String),
}

/// An upgrade that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub bundle: String,
    pub by: By,
}

/// How long the console is down.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outage {
    Until(Timestamp),
    ForGood,
}

/// The console's present and its fixed future.
#[derive(Debug, Default, Serialize)]
pub struct Life {
    pub run: Option<Run>,
    /// In the order of their times; those of the same time in the order of their making.
    schedule: Vec<(Timestamp, Event)>,
    outage: Option<Outage>,
    /// Up, but not all of it, until then.
    slow_until: Option<Timestamp>,
    pub restarts: u64,
}

impl Life {
    /// Begins an upgrade to `bundle`, which goes as the console says; when it is expected to be over.
    pub fn begin(&mut self, console: &Console, bundle: &str, by: By, now: Timestamp) -> Timestamp {
        // Only one is carried through: a later one takes the place of what the earlier one had still to do.
        self.abandon();
        let backed_up = after(now, console.backup_secs);
        let restart = after(backed_up, console.install_secs);
        let back = after(restart, console.down_secs);
        let over = after(back, console.finish_secs);
        // It can be interrupted at a few points only, and after those runs to its end [C].
        self.put(backed_up, Event::Point);
        self.put(after(backed_up, console.install_secs / 2), Event::Point);
        if let Ends::Failure(failure) = &console.ends {
            self.put(restart, Event::Over(Some(failure.clone())));
        } else {
            let until = (console.ends != Ends::NeverBack).then_some(back);
            let slow_secs = console.slow_secs;
            self.put(restart, Event::Down { until, slow_secs });
        }
        match &console.ends {
            Ends::Success => self.come_to(bundle, back, over),
            Ends::ThirdBundle(third) => self.come_to(third, back, over),
            Ends::Nothing => self.put(over, Event::Over(None)),
            Ends::SameBundle => self.put(over, Event::Over(Some(Failure::new("The bundle could not be activated.")))),
            Ends::Failure(_) | Ends::NeverBack => {}
        }
        let bundle = bundle.to_owned();
        self.run = Some(Run { bundle, by });
        over
    }

    fn come_to(&mut self, bundle: &str, back: Timestamp, over: Timestamp) {
        self.put(back, Event::Bundle(bundle.to_owned()));
        self.put(over, Event::Over(None));
    }

    /// Something will happen at that time.
    pub fn put(&mut self, at: Timestamp, event: Event) {
        let place = self.schedule.partition_point(|(other, _)| *other <= at);
        self.schedule.insert(place, (at, event));
    }

    /// The next event whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Option<(Timestamp, Event)> {
        (self.schedule.first()?.0 <= now).then(|| self.schedule.remove(0))
    }

    /// An outage that is over is over, though the clock be set back.
    pub fn settle(&mut self, now: Timestamp) {
        if !self.is_down(now) {
            self.outage = None;
        }
    }

    /// The console goes down.
    pub fn go_down(&mut self, until: Option<Timestamp>, slow_secs: u64) {
        self.restarts += 1;
        self.outage = Some(until.map_or(Outage::ForGood, Outage::Until));
        self.slow_until = until.map(|until| after(until, slow_secs));
    }

    /// It comes up now, whatever it was to do.
    pub fn come_back(&mut self, now: Timestamp, slow_secs: u64) {
        self.outage = None;
        self.slow_until = Some(after(now, slow_secs));
    }

    /// The upgrade that is under way goes no further. An outage stays, and so do the times of updates.
    pub fn abandon(&mut self) -> Option<Run> {
        self.schedule.retain(|(_, event)| matches!(event, Event::Due(_)));
        self.run.take()
    }

    pub fn is_down(&self, now: Timestamp) -> bool {
        match self.outage {
            Some(Outage::Until(until)) => now < until,
            Some(Outage::ForGood) => true,
            None => false,
        }
    }

    /// Up, but not all of it.
    pub fn is_booting(&self, now: Timestamp) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }

    /// When something next happens by itself: it may be that the console goes down, or comes up, or an update begins that will restart it.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let comes_up = match self.outage {
            Some(Outage::Until(until)) if now < until => Some(until),
            _ => None,
        };
        self.schedule.first().map(|(at, _)| *at).into_iter().chain(comes_up).min()
    }
}
