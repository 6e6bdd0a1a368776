//! Everything that a decision may rest on, as plain data. The controller's gather step fills it; [`decide`](super::decide) reads it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::ledger::Damaged;
use super::ledger::Ledger;
use super::ledger::Wanted;
use super::memory::Custody;
use super::memory::Seen;
use super::quota::Quota;
use super::receipt::Receipt;
use super::receipt::Run;
use super::schedule::InvalidSchedule;
use super::schedule::Schedule;
use super::sight::Sight;
use super::target::TargetKey;
use super::timing::Mono;
use super::timing::Timing;

/// The facts about one upgrade resource at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The resource.
    pub subject: Subject,
    /// Wall clock.
    pub wall: Timestamp,
    /// Our monotonic clock.
    pub mono: Mono,
    /// The durations of the protocol.
    pub timing: Timing,
    /// False when starts are switched off for the whole operator.
    pub starts_enabled: bool,
    /// Why what the API server serves is not enough to start anything on: a fact about it might be dropped.
    pub crds_outdated: Option<String>,
    /// Somebody deleted the resource, and a finalizer of theirs keeps it: nothing new begins.
    pub deleting: bool,
    /// `spec.suspend`.
    pub suspend: bool,
    /// The hold annotation's text.
    pub hold: Option<String>,
    /// `spec.schedule`.
    pub schedule: Result<Schedule, InvalidSchedule>,
    /// How many at once, how many failures, how long to wait after canaries.
    pub strategy: Strategy,
    /// How long an accepted run may take.
    pub timeout: Duration,
    /// The Connection.
    pub connection: ConnectionFacts,
    /// Targets wished for in the order of the spec, then those no longer wished for that still have a run of ours in flight.
    pub targets: Vec<TargetFacts>,
    /// This process is preparing a start or a note of this resource; until its receipt is written nothing else is begun.
    pub starting: Option<TargetKey>,
    /// This process's last try on each target that came to no receipt.
    pub refusals: Vec<Refusal>,
    /// Somebody asked for a look then: one that is older will not do, however new it is.
    pub asked_to_look: Option<Mono>,
}

/// A try to start something, or to note something, that came to no receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The target.
    pub key: TargetKey,
    /// Why.
    pub why: String,
    /// When.
    pub at: Mono,
    /// How many came in a row before it.
    pub before: u32,
}

impl Refusal {
    fn rest(&self, first: Duration, longest: Duration) -> Duration {
        first
            .saturating_mul(1_u32.checked_shl(self.before).unwrap_or(u32::MAX))
            .min(longest)
    }
}

/// The resource that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Kind.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Generation looked at.
    pub generation: i64,
}

impl Subject {
    /// `namespace/Kind/name`: who holds a reservation.
    pub fn by(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.kind, self.name)
    }

    /// This resource, or one of the same name before it, asked for the receipt.
    pub fn asked_for(&self, receipt: &Receipt) -> bool {
        let by = &receipt.requested_by;
        receipt.run.namespace == self.namespace && by.kind == self.kind && by.name == self.name
    }
}

/// How a set of targets is worked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Targets in flight at once.
    pub max_concurrent: usize,
    /// Failures after which nothing more is started.
    pub max_failures: usize,
    /// Wait after the last canary succeeded.
    pub soak: Duration,
}

/// What is known of the Connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionFacts {
    /// Its name.
    pub name: String,
    /// Whether it can be used.
    pub usable: Usable,
    /// `spec.suspend` of the Connection.
    pub suspend: bool,
    /// Its hold annotation's text.
    pub hold: Option<String>,
    /// `spec.schedule` of the Connection.
    pub schedule: Result<Schedule, InvalidSchedule>,
    /// Slots taken by starts under way, of whatever resource.
    pub reservations: Vec<Reservation>,
    /// How many upgrades may be under way through it, of all its resources together.
    pub limit: usize,
    /// Objects of the targets whose open receipts were written through it, of whatever resource.
    pub open: BTreeSet<String>,
    /// Objects of the targets that resources older than this one would start through it if there is a slot.
    pub ahead: BTreeSet<String>,
    /// What this process has made of the token with which the vendor's people may schedule an upgrade.
    pub handed_over: Option<HandedOver>,
    /// What may still be asked today, where the vendor counts that.
    pub quota: Option<QuotaFacts>,
}

/// What may still be asked of a vendor today, and who wants to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaFacts {
    /// What is left.
    pub quota: Quota,
    /// Calls that one look at each run in flight takes, of whatever resource.
    pub in_flight: u32,
    /// Calls that one look at everything else takes that is looked at through this Connection.
    pub waiting: u32,
}

/// Whether a Connection can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usable {
    /// It is Ready.
    Yes,
    /// It does not exist.
    Missing,
    /// It is not among those that this process serves: it does not exist, or it is another process's.
    NotInShard {
        /// Which ones this process serves, as a selector of labels.
        selector: String,
    },
    /// It is of another vendor.
    WrongType {
        /// The type it has.
        found: String,
        /// The type this kind needs.
        expected: String,
    },
    /// It has not been probed yet in its present form.
    Unprobed,
    /// It is not Ready.
    NotReady {
        /// Reason of its Ready condition.
        reason: String,
        /// Message of its Ready condition.
        message: String,
    },
}

/// A slot taken by a start under way (`Connection.status.reservations`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Object part of the target.
    pub target: String,
    /// Sequence of the receipt to come.
    pub seq: u32,
    /// When it was taken, on the wall clock of whoever took it.
    pub at: Timestamp,
    /// `namespace/Kind/name`.
    pub by: String,
    /// The receipt that it was taken for is there.
    pub written: bool,
}

/// The facts about one target.
#[derive(Clone, Debug)]
pub struct TargetFacts {
    /// The target.
    pub key: TargetKey,
    /// What is wished for it; `None` once it left the spec.
    pub wish: Option<Wish>,
    /// Its ledger.
    pub ledger: Result<Ledger, Damaged>,
    /// Its sights, oldest first.
    pub sights: Vec<Sight>,
    /// When the newest sight's look was first seen unchanged.
    pub unchanged_since: Option<Mono>,
    /// First-seen times of its open receipt.
    pub seen: Seen,
    /// What this process has to do with its open receipt.
    pub custody: Custody,
}

/// What the spec wishes for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Version.
    pub version: String,
    /// Lets people ask for the same version again.
    pub run_key: String,
    /// What is sent besides the version.
    pub options: Options,
    /// Goes first.
    pub canary: bool,
    /// The vendor's own name that it must have.
    pub expected_identity: Option<String>,
}

/// What a refusal or an acceptance is about besides the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// vCenter.
    Cluster {
        /// Go on in spite of WARNING prechecks.
        ignore_precheck_warnings: bool,
    },
    /// A recovery appliance: nothing is sent besides the version.
    Appliance,
    /// An HMC that gets the version itself, installs it and restarts.
    ConsoleInstall {
        /// What was installed before is accepted, and so cannot be removed any more, before the version is installed.
        accept_firmware: bool,
        /// From where.
        source: InstallSource,
    },
    /// An HMC whose upgrade IBM schedules, with a token that the console issues.
    ConsoleSchedule {
        /// Whether a token is asked for where none is good any more. Without, only what IBM schedules is followed.
        authorize: bool,
    },
    /// The devices of one type of a customer of Aruba Central.
    Customer {
        /// Whether they are rebooted once they have their image; `None` for access points, which always are.
        reboot: Option<bool>,
        /// The groups whose devices are left alone.
        exclude_groups: BTreeSet<String>,
        /// Whether devices may go back to an older version.
        allow_downgrade: bool,
    },
}

/// What became of the token with which the vendor's people may schedule an upgrade (HMC), and which is handed to people in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandedOver {
    /// It is there.
    Stored {
        /// Name of the Secret.
        secret: &'static str,
        /// Key in it.
        key: String,
    },
    /// It could not be put there.
    Failed {
        /// Why, and what to do.
        why: String,
    },
}

/// From where a console gets its firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallSource {
    /// A drive that is plugged into it.
    Usb,
    /// A server.
    Ftp {
        /// Name or address, as the console is to use it.
        host: String,
        /// ftp, ftps or sftp.
        protocol: String,
        /// Where on it.
        directory: String,
        /// The Secret with the user and the password. What the receipt is about is the place; whose account opens it may change.
        secret: String,
    },
}

impl Options {
    /// Canonical JSON: fixed field order, no spaces. A persisted contract, compared byte by byte.
    pub fn canonical(&self) -> String {
        match self {
            Options::Cluster { ignore_precheck_warnings } => format!(r#"{{"ignorePrecheckWarnings":{ignore_precheck_warnings}}}"#),
            Options::Appliance => "{}".to_owned(),
            Options::ConsoleInstall { accept_firmware, source } => source.canonical(*accept_firmware),
            Options::ConsoleSchedule { authorize: true } => ASKS_PERMISSION.to_owned(),
            Options::ConsoleSchedule { authorize: false } => r#"{"authorize":"Never"}"#.to_owned(),
            Options::Customer {
                reboot,
                exclude_groups,
                allow_downgrade,
            } => {
                let groups: serde_json::Value = exclude_groups.iter().map(String::as_str).collect();
                let reboot = reboot.map(|reboot| format!(r#","reboot":{reboot}"#)).unwrap_or_default();
                format!(r#"{{"allowDowngrade":{allow_downgrade},"excludeGroups":{groups}{reboot}}}"#)
            }
        }
    }

    /// A start with these options only asks for the token with which the vendor's people schedule the upgrade.
    pub fn asks_permission(&self) -> bool {
        matches!(self, Options::ConsoleSchedule { authorize: true })
    }

    /// Whether a start with these options, in their canonical form, only asks for the token with which the vendor's people schedule the
    /// upgrade.
    pub fn ask_permission(canonical: &str) -> bool {
        canonical == ASKS_PERMISSION
    }
}

/// Canonical form of a start that asks for a token.
const ASKS_PERMISSION: &str = r#"{"authorize":"IfNeeded"}"#;

impl InstallSource {
    fn canonical(&self, accept_firmware: bool) -> String {
        match self {
            InstallSource::Usb => format!(r#"{{"acceptFirmware":{accept_firmware},"backupLocation":"USB"}}"#),
            InstallSource::Ftp {
                host, protocol, directory, ..
            } => {
                let text = |text: &String| serde_json::Value::from(text.as_str());
                format!(
                    r#"{{"acceptFirmware":{accept_firmware},"backupLocation":"FTP","directory":{},"host":{},"protocol":{}}}"#,
                    text(directory),
                    text(host),
                    text(protocol)
                )
            }
        }
    }
}

impl Facts {
    /// For a start that was prepared: of a target whose looks do not all tell the same (which groups, which versions), an older one that tells
    /// more must not stand in for the one that the permit is counted from.
    pub fn rest_on_looks_since(&mut self, key: &TargetKey, asked: Mono) {
        for target in self.targets.iter_mut().filter(|t| t.key == *key && t.key.as_customer().is_some()) {
            target.sights.retain(|sight| sight.asked >= asked);
        }
    }

    /// What became of the last try on a target, if it came to no receipt.
    pub fn refusal(&self, key: &TargetKey) -> Option<&Refusal> {
        self.refusals.iter().find(|r| r.key == *key)
    }

    /// The refusal that a target still rests from: the next try has to wait a little, or it would spin.
    pub fn resting(&self, key: &TargetKey) -> Option<&Refusal> {
        self.refusal(key).filter(|refusal| !self.rest(refusal).is_zero())
    }

    /// How long until the next try after a refusal. Where calls are counted it waits twice as long after each: preparing takes several.
    pub fn rest(&self, refusal: &Refusal) -> Duration {
        let first = self.timing.poll_moving;
        let rest = match refusal.key.as_customer() {
            Some(_) => refusal.rest(first, self.timing.probe_central.max(first)),
            None => first,
        };
        rest.saturating_sub(self.mono.since(refusal.at))
    }

    /// What people call a target: its id at the vendor, or the Connection, where the endpoint itself is the target. A run of before may have
    /// begun through another Connection.
    pub fn name_of(&self, target: &TargetFacts) -> String {
        if let Some((customer, device_type)) = target.key.as_customer() {
            return format!("{customer}/{device_type}");
        }
        if !target.key.is_endpoint() {
            return target.key.object.clone();
        }
        let open = target.ledger.as_ref().ok().and_then(Ledger::open);
        match (&target.wish, open) {
            (None, Some(open)) => open.connection.clone(),
            _ => self.connection.name.clone(),
        }
    }

    /// The run that a wish amounts to, and who asks.
    pub fn wanted(&self, wish: &Wish) -> Wanted {
        Wanted {
            run: Run {
                namespace: self.subject.namespace.clone(),
                version: wish.version.clone(),
                run_key: wish.run_key.clone(),
            },
            options: wish.options.canonical(),
            kind: self.subject.kind.to_owned(),
            name: self.subject.name.clone(),
        }
    }
}
