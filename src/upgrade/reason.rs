//! The words that people and programs read: states, and the reasons behind them.

use std::fmt;

/// `status.state`: a summary for people, in the vendors' own words. Programs read conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started.
    Pending,
    /// Taken by the vendor, not seen moving yet.
    Started,
    /// Seen moving.
    Running,
    /// Done, or nothing to do.
    Success,
    /// Refused, surely not started.
    Rejected,
    /// Started and failed.
    Failed,
    /// Cancelled by somebody, or too late to start.
    Cancelled,
    /// A start may or may not have been taken, or its end cannot be seen.
    Unknown,
}

impl State {
    /// All of them.
    pub const ALL: [State; 8] = [
        State::Pending,
        State::Started,
        State::Running,
        State::Success,
        State::Rejected,
        State::Failed,
        State::Cancelled,
        State::Unknown,
    ];

    /// The persisted word.
    pub fn word(self) -> &'static str {
        match self {
            State::Pending => "PENDING",
            State::Started => "STARTED",
            State::Running => "RUNNING",
            State::Success => "SUCCESS",
            State::Rejected => "REJECTED",
            State::Failed => "FAILED",
            State::Cancelled => "CANCELLED",
            State::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Reason of a state, a blocker or a condition; its name is the persisted word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them, for tables that must not miss one.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The persisted word.
            pub fn word(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)* }
            }
        }
    };
}

reasons! {
    /// The target is being looked at, or a precheck runs.
    Evaluating,
    /// Somebody else's upgrade holds the target.
    TargetBusy,
    /// The target reports a failure from before.
    TargetInError,
    /// The vendor knows no such target.
    TargetNotFound,
    /// There is no device that the upgrade is about.
    NoDevicesInScope,
    /// A group that is to be left alone does not exist.
    GroupNotFound,
    /// The vendor's calls of a day are used up, or those that are left are kept.
    QuotaLow,
    /// `maxConcurrent` is used up.
    LimitReached,
    /// Canaries have not all succeeded yet.
    WaitingForCanary,
    /// Canaries succeeded; the soak time is not over.
    WaitingForSoak,
    /// No window of the schedule is open.
    WaitingForWindow,
    /// `notBefore` has not come yet.
    NotBefore,
    /// A freeze of the schedule is in force.
    Frozen,
    /// Not taken; the next attempt has its time.
    WaitingForRetry,
    /// The Connection is missing or not ready.
    ConnectionNotReady,
    /// The vendor does not list the version for this target.
    VersionNotOffered,
    /// The target cannot say what it offers: it does not reach its repository.
    RepositoryUnreachable,
    /// The resource is being deleted.
    Deleting,
    /// `spec.suspend` here or on the Connection.
    Suspended,
    /// The hold annotation here or on the Connection.
    Held,
    /// Starts are switched off for the whole operator.
    StartsDisabled,
    /// The CRDs that the cluster serves are older than this Windlass.
    CrdsOutdated,
    /// The permit is written and the answer awaited.
    Starting,
    /// The vendor's people carry it out, when they choose.
    WaitingForVendor,
    /// A start may or may not have been taken; evidence is sought.
    StartInDoubt,
    /// Only a person can tell whether a start was taken.
    NeedsResolution,
    /// The target has been out of sight for longer than the timeout.
    LostSight,
    /// Taken by the vendor.
    Started,
    /// Seen moving.
    Running,
    /// Cannot be seen, within the timeout.
    OutOfSight,
    /// Still moving after the timeout.
    Overdue,
    /// Done.
    UpgradeSucceeded,
    /// Nothing to do.
    AlreadyAtVersion,
    /// The vendor refused it.
    VendorRejected,
    /// It would go back to an older version.
    WouldDowngrade,
    /// It ran with other options under the same run key.
    RunKeyConflict,
    /// The target is not the one that was named.
    IdentityMismatch,
    /// The Connection is of another vendor.
    ConnectionTypeMismatch,
    /// The schedule, here or on the Connection, cannot be obeyed.
    InvalidSchedule,
    /// Not taken several times in a row.
    NotTaken,
    /// The vendor reports a failure.
    VendorFailed,
    /// The vendor's people had leave to schedule it, and did not before that ran out.
    TokenExpired,
    /// More failures than allowed.
    TooManyFailures,
    /// Some targets failed, within what is allowed.
    PartlyFailed,
    /// Cancelled at the vendor.
    VendorCancelled,
    /// `notAfter` passed.
    NotStartedInTime,
    /// An edit waits behind the run in flight.
    EditQueued,
    /// The target's receipts are not a ledger: a person must repair them.
    LedgerDamaged,
    /// A receipt was written by a newer version of Windlass.
    ReceiptUnreadable,
}
