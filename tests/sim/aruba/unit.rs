//! One device, or one swarm of access points: what it is, and how an order moves it as time passes.
//!
//! The state is a function of the clock. An order is given with everything that will come of it; [`Unit::settle`] makes true what is due,
//! and what was made true stays so. Knows nothing of HTTP, customers or settings.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::clock::after;

/// How an upgrade goes that nothing keeps from going.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Simulated seconds of a download.
    pub download_secs: u64,
    /// How many more each next unit's takes: a fleet comes to its version one by one.
    pub stagger_secs: u64,
    /// Simulated seconds of a reboot.
    pub reboot_secs: u64,
    pub ends: Ends,
    /// Only every so many-th unit ends so, and the others well. At least 1.
    pub ends_every: u32,
    /// What CX switches do that were given an order: a client's author has seen them answer normally and change nothing [C].
    pub cx: Diligence,
    /// Only every so many-th CX switch does so. At least 1.
    pub cx_every: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            download_secs: 300,
            stagger_secs: 10,
            reboot_secs: 240,
            ends: Ends::Success,
            ends_every: 1,
            cx: Diligence::default(),
            cx_every: 1,
        }
    }
}

/// How an upgrade ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    #[default]
    Success,
    /// After the download; it stays at its version.
    Fails,
    /// It comes to this version instead.
    Version(String),
}

/// What becomes of an order that was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diligence {
    /// It is carried out.
    #[default]
    Moves,
    /// It is nowhere to be seen.
    Silent,
    /// It shows until its time comes, and then it is gone.
    Schedules,
}

/// Where a unit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    AtRest,
    /// It has an order whose time has not come, or it is offline.
    Scheduled,
    Downloading,
    /// It has the image, and was not told to reboot.
    AwaitingReboot,
    Rebooting,
    /// The last order has failed.
    Failed,
}

/// What a unit was told to do, with everything that will come of it.
#[derive(Clone, Debug)]
pub struct Order {
    pub version: Arc<str>,
    /// When it is to begin.
    pub due: Timestamp,
    /// Without it, somebody has to reboot the device.
    pub reboot: bool,
    pub download_secs: u64,
    pub reboot_secs: u64,
    pub ends: Ends,
    pub diligence: Diligence,
}

/// An order, and how far it is.
#[derive(Clone, Debug)]
struct Run {
    order: Order,
    /// When it could begin: later than it was due, where the unit was offline.
    from: Timestamp,
    /// When somebody rebooted the device.
    rebooted: Option<Timestamp>,
}

impl Run {
    fn downloaded(&self) -> Timestamp {
        after(self.from, self.order.download_secs)
    }

    /// When the reboot begins, as far as that is known.
    fn reboots(&self) -> Option<Timestamp> {
        let downloaded = self.downloaded();
        if self.order.reboot {
            return Some(downloaded);
        }
        self.rebooted.map(|at| at.max(downloaded))
    }
}

/// One device, or one swarm.
#[derive(Clone, Debug)]
pub struct Unit {
    pub group: u16,
    pub model: u8,
    /// Access points of a swarm.
    pub aps: u16,
    pub version: Arc<str>,
    /// It is told of: without that it is there, and no read knows of it.
    pub told: bool,
    /// How its upgrades end, whatever the pace says.
    pub ends: Option<Ends>,
    /// What it does with orders, whatever the pace says.
    pub diligence: Option<Diligence>,
    online: bool,
    failed: bool,
    run: Option<Box<Run>>,
}

impl Unit {
    pub(super) fn new(group: u16, model: u8, aps: u16, version: Arc<str>, online: bool) -> Self {
        Self {
            group,
            model,
            aps,
            version,
            told: true,
            ends: None,
            diligence: None,
            online,
            failed: false,
            run: None,
        }
    }

    pub fn online(&self) -> bool {
        self.online
    }

    /// Is it reachable now? One that reboots is not.
    pub fn up(&self, now: Timestamp) -> bool {
        self.online && self.stage(now) != Stage::Rebooting
    }

    pub fn stage(&self, now: Timestamp) -> Stage {
        let Some(run) = &self.run else {
            return if self.failed { Stage::Failed } else { Stage::AtRest };
        };
        if !self.online || now < run.from {
            Stage::Scheduled
        } else if now < run.downloaded() {
            Stage::Downloading
        } else if run.reboots().is_some() {
            Stage::Rebooting
        } else {
            Stage::AwaitingReboot
        }
    }

    /// The order that it has not carried out yet.
    pub fn order(&self) -> Option<&Order> {
        self.run.as_ref().map(|run| &run.order)
    }

    /// Takes an order, in the place of one that it may have.
    pub(super) fn take(&mut self, order: Order) {
        if order.diligence == Diligence::Silent {
            return;
        }
        self.failed = false;
        let from = order.due;
        let rebooted = None;
        self.run = Some(Box::new(Run { order, from, rebooted }));
    }

    /// Has an order that has not begun.
    pub fn waits(&self, now: Timestamp) -> bool {
        self.run.is_some() && self.stage(now) == Stage::Scheduled
    }

    /// Forgets its order.
    pub(super) fn cancel(&mut self) {
        self.run = None;
    }

    /// Makes true what is due.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let Some(run) = self.run.as_ref().filter(|run| self.online && now >= run.from) else {
            return;
        };
        if run.order.diligence == Diligence::Schedules {
            self.run = None;
            return;
        }
        if now < run.downloaded() {
            return;
        }
        if run.order.ends == Ends::Fails {
            self.run = None;
            self.failed = true;
            return;
        }
        let over = run.reboots().map(|at| after(at, run.order.reboot_secs));
        if over.is_some_and(|over| over <= now) {
            self.version = match &run.order.ends {
                Ends::Version(other) => Arc::from(other.as_str()),
                _ => Arc::clone(&run.order.version),
            };
            self.run = None;
        }
    }

    /// Goes offline, or comes back: what it was told to do and has not done begins then. To be settled before.
    pub fn set_online(&mut self, online: bool, now: Timestamp) {
        if online
            && !self.online
            && let Some(run) = &mut self.run
        {
            run.from = run.order.due.max(now);
        }
        self.online = online;
    }

    /// Somebody reboots it: it comes up with the image that it has downloaded. To be settled before.
    pub fn reboot(&mut self, now: Timestamp) {
        if let Some(run) = &mut self.run
            && run.rebooted.is_none()
            && now >= run.downloaded()
        {
            run.rebooted = Some(now);
        }
    }

    /// Somebody put another version on it, and it has no order any more.
    pub fn become_version(&mut self, version: &str) {
        self.version = Arc::from(version);
        self.run = None;
        self.failed = false;
    }
}
