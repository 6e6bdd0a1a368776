//! How large a world is explored, and which rule of the protocol is taken away.

use super::world::Budget;
use super::world::Tick;

/// One exploration: everything that can happen within these bounds, in every order.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub name: &'static str,
    pub targets: usize,
    pub procs: usize,
    /// Of the processes, those that never start anything: they only conclude. Of several resources they start all but the oldest,
    /// which is left to the others.
    pub followers: usize,
    pub max_concurrent: usize,
    /// Each target belongs to a resource of its own; the first is the oldest. All share the Connection.
    pub shared: bool,
    /// `maxConcurrentUpgrades` of the Connection.
    pub limit: usize,
    /// The schedules of the resource and of its Connection.
    pub calendar: Calendar,
    /// When a freeze that people set begins; it does not end by itself.
    pub freeze_from: Tick,
    /// How many ticks a permit lives.
    pub ttl: Tick,
    /// The clock stops here.
    pub ticks: Tick,
    /// Receipts that a ledger may grow to.
    pub receipts: usize,
    /// How many sights of a target a process keeps (the product: 4).
    pub sights: usize,
    /// The vendor shows a stamp of the last upgrade (an optional field of vCenter's).
    pub stamps: bool,
    /// The vendor does not show which version an upgrade goes to.
    pub mute: bool,
    pub budget: Budget,
    pub without: Option<Mutation>,
    /// SUCCESS must be reached after a crash at each step.
    pub every_step: bool,
    /// One state in so many is driven to quiescence.
    pub quiet_every: u64,
}

/// A schedule on the small clock: one window `[from, until)`, and a `notAfter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    pub window: Option<(Tick, Tick)>,
    pub not_after: Option<Tick>,
}

/// The schedules of the resource and of its Connection. What they say is worked out here once more, to be held against the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    pub own: Hours,
    pub connection: Hours,
}

impl Calendar {
    pub fn too_late(&self, at: Tick) -> bool {
        [self.own, self.connection]
            .into_iter()
            .any(|hours| hours.not_after.is_some_and(|last| last <= at))
    }

    /// A start is allowed, freezes aside.
    pub fn open(&self, at: Tick) -> bool {
        let inside = |hours: Hours| hours.window.is_none_or(|(from, until)| from <= at && at < until);
        inside(self.own) && inside(self.connection) && !self.too_late(at)
    }
}

impl Scope {
    /// Life of a reservation in ticks, if its receipt never appears.
    pub fn reservation(&self) -> Tick {
        4 * self.ttl
    }

    /// A start is allowed, with these freezes of the resource and its Connection.
    pub fn open(&self, at: Tick, freezes: (bool, bool)) -> bool {
        self.calendar.open(at) && !((freezes.0 || freezes.1) && self.freeze_from <= at)
    }
}

/// A rule of the protocol that the driver breaks, to show that the checker notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// A permit never dies.
    NoTtl,
    /// GRACE is zero.
    NoGrace,
    /// The ledger's last receipt is not read live, and the sequence is whatever is free.
    StaleSeq,
    /// Nothing is reserved.
    NoReservation,
    /// A look counts as asked when its answer arrived.
    DatedByArrival,
    /// A 5xx is taken for a refusal.
    ServerErrorRejects,
    /// A failed run may be tried again.
    RetryFailed,
    /// "Already at this version" is shown and not written down.
    NoNote,
    /// Whoever answers a look is believed.
    AnyAuthority,
    /// A conclusion is written whatever the receipt says by then.
    Overtaken,
    /// A permit that is not used ends its receipt even if the run was seen to go on.
    WithdrawAnyway,
    /// A run that was adopted ends as soon as it is seen to, though its own request may be under way.
    EndAtOnce,
    /// All attempts of a process share one holder.
    SharedHolder,
    /// A permit outlives the window that it was issued in.
    WindowEnd,
    /// What was decided before the live read is not decided again, and neither are the schedules that it was decided on.
    DecidedOnce,
    /// The end of the window is the one that was seen before the live read.
    WindowSeenBefore,
    /// The end of a window is looked for on the wall clock alone.
    WindowByWall,
    /// What the API server's clock says is not held against the schedules.
    OneClock,
    /// The Connection's schedule is not asked.
    ConnectionSchedule,
    /// Slots of the Connection are counted from open receipts alone.
    UnreservedLimit,
    /// Who once waited for a slot of the Connection keeps the place in line.
    KeepsPlace,
    /// What may have been a start in doubt is remembered by whoever saw it, and not written down.
    HintForgotten,
    /// A process concludes from evidence what its own answer, which it could not write yet, will say.
    NotInHand,
    /// NotStartedInTime is written as soon as it is too late, whatever stands in the ledger.
    LateAnyway,
}

/// The dullest world: one target, two processes, nothing goes wrong.
pub const QUIET: Scope = Scope {
    name: "quiet",
    targets: 1,
    procs: 2,
    followers: 0,
    max_concurrent: 2,
    shared: false,
    limit: 9,
    calendar: ALWAYS,
    freeze_from: 0,
    ttl: 1,
    ticks: 2,
    receipts: 3,
    sights: 2,
    stamps: false,
    mute: false,
    budget: NONE,
    without: None,
    every_step: false,
    quiet_every: 200,
};

/// No schedule at all.
pub const ALWAYS: Calendar = Calendar {
    own: Hours {
        window: None,
        not_after: None,
    },
    connection: Hours {
        window: None,
        not_after: None,
    },
};

pub const NONE: Budget = Budget {
    crash: 0,
    lose: 0,
    late: 0,
    refuse: 0,
    fault: 0,
    abort: 0,
    drift: 0,
    edit: 0,
    suspend: 0,
    delete: 0,
    wipe: 0,
    resolve: 0,
    url: 0,
    freeze: 0,
    step: 0,
};
