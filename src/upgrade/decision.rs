//! What the core answers: data, carried out by the controller.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::Options;
use super::fleet::Scope;
use super::history::Past;
use super::reason::Reason;
use super::reason::State;
use super::receipt::EndKind;
use super::receipt::Note;
use super::receipt::Run;
use super::sight::Looks;
use super::target::TargetKey;

/// What is to be done and shown about one upgrade resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What people see.
    pub summary: Summary,
    /// One row per target.
    pub rows: Vec<Row>,
    /// Everything that keeps something from starting, first things first.
    pub blockers: Vec<Blocker>,
    /// Runs that ended before those that the rows show, newest first.
    pub history: Vec<Past>,
    /// What it would start if its Connection has a slot for it; `None` while anything but time and those slots stops it.
    pub in_line: Option<InLine>,
    /// Facts to write into receipts: conclusions from evidence.
    pub writes: Vec<LedgerWrite>,
    /// At most one receipt to append, as a permit or as a note.
    pub effect: Option<Effect>,
    /// Targets to look at now.
    pub looks: Vec<Look>,
    /// The vendor's people wait for a token that people have to hand them: it is to be where people find it.
    pub hand_over: bool,
    /// When to decide again at the latest; `None` only where every target has come to its end.
    pub wake: Option<Duration>,
}

impl Decision {
    /// What it shows is mostly over in a moment: something is being looked at, or sent. Its end wakes whoever decided it.
    pub fn passes(&self) -> bool {
        let sent = self.rows.iter().any(|row| row.reason == Reason::Starting);
        sent || self.summary.state == State::Pending && matches!(self.summary.reason, Reason::Evaluating | Reason::Starting)
    }

    /// In one word for logs: what is done next.
    pub fn word(&self) -> &'static str {
        match &self.effect {
            Some(effect) if effect.what == What::Start => "start",
            Some(_) => "note",
            None if self.wake.is_none() => "rest",
            None if self.looks.iter().any(|look| look.detailed) => "look",
            None => "wait",
        }
    }
}

/// What waits for nothing but its time and a slot of the Connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InLine {
    /// When its time comes.
    pub from: Timestamp,
    /// Object of the target that it would start.
    pub object: String,
}

/// The resource as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// For people.
    pub state: State,
    /// Reason of the conditions.
    pub reason: Reason,
    /// For people.
    pub message: String,
    /// A person must act, or it is over without success.
    pub stalled: bool,
    /// A run takes longer than its timeout and is still seen moving.
    pub overdue: bool,
    /// What is waited for, where something is.
    pub waiting_for: Option<Reason>,
    /// When the next thing happens that depends on time alone.
    pub next_action_at: Option<Timestamp>,
}

impl Summary {
    /// Success belongs to this generation.
    pub fn ready(&self) -> bool {
        self.state == State::Success
    }

    /// Windlass works or waits; not over, and not stopped by a person.
    pub fn reconciling(&self) -> bool {
        !self.ready() && !self.stalled && !matches!(self.reason, Reason::Suspended | Reason::Held)
    }
}

/// One target's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What people know the target by: its id at the vendor, or the Connection, where the endpoint itself is the target.
    pub name: String,
    /// By its kind the resource has this one target: what is said of it is said of the resource, without its name.
    pub sole: bool,
    /// The vendor's own name of it.
    pub display_name: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// For people.
    pub message: Option<String>,
    /// Version seen last.
    pub current_version: Option<String>,
    /// How many devices are where, for a target that is a set of them.
    pub devices: Option<Devices>,
    /// Version of the run that this row shows.
    pub desired_version: String,
    /// Percent.
    pub progress: Option<i32>,
    /// When the run was sent.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub completed_at: Option<Timestamp>,
    /// Receipt behind this row.
    pub receipt: Option<String>,
    /// The vendor's job.
    pub job: Option<String>,
    /// The vendor's own word for where the job stands.
    pub vendor_state: Option<String>,
    /// When the vendor's people are to carry it out.
    pub scheduled_at: Option<Timestamp>,
    /// That time lies outside of the schedules here, which do not bind the vendor's people.
    pub outside_schedule: bool,
    /// No longer in the spec; followed to its end.
    pub removed: bool,
}

/// How many devices of a set are where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Devices {
    /// In scope.
    pub total: u32,
    /// Of those, at the version.
    pub at_version: u32,
    /// Of those, out of the vendor's reach.
    pub unreachable: u32,
    /// Of all, those that are left alone.
    pub excluded: u32,
}

/// Why something does not start, and who can lift it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Reason.
    pub reason: Reason,
    /// What it is and who can lift it.
    pub message: String,
    /// When it ends by itself, where that is known.
    pub until: Option<Timestamp>,
}

/// A fact to write into a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerWrite {
    /// Name of the receipt.
    pub receipt: String,
    /// What to write.
    pub fact: Fact,
}

/// The facts that evidence leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It was taken.
    Adopted {
        /// By which evidence.
        how: String,
        /// The vendor's job that it is, where evidence names one.
        job: Option<String>,
    },
    /// Something was seen that may have been it. Written down, or the death of the one process that saw it would take it along.
    Hint {
        /// What was seen.
        how: String,
    },
    /// The vendor's people put it on their schedule.
    Scheduled {
        /// The vendor's id of what will carry it out.
        job: String,
        /// When it is to begin.
        begins: Timestamp,
        /// What was seen.
        how: String,
    },
    /// It is over.
    End {
        /// What it came to.
        kind: EndKind,
        /// By which evidence.
        how: String,
    },
}

/// A receipt to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The target.
    pub key: TargetKey,
    /// Sequence of the new receipt.
    pub seq: u32,
    /// The run.
    pub run: Run,
    /// What would be sent besides the version.
    pub options: Options,
    /// The vendor's state that this was decided on.
    pub before: Looks,
    /// A start, or a note that never is a permit.
    pub what: What,
    /// For a start: the first moment at which the schedules do not allow it any more. Not part of what is compared.
    pub closes: Option<Timestamp>,
    /// For a start that the vendor is told a time for (Aruba Central): when it is to begin. Kept in the receipt before it is sent: it is what
    /// the start is known by afterwards. Not part of what is compared.
    pub due: Option<Timestamp>,
}

/// Whether a receipt is a permit or a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Start it.
    Start,
    /// Only write down what is so.
    Note(Note),
}

impl Effect {
    /// It rests on what the vendor shows. That it is too late rests on the clock alone.
    pub fn needs_vendor(&self) -> bool {
        self.what != What::Note(Note::NotStartedInTime)
    }

    /// The same answer to other facts. What the target looks like may differ in what is not compared; the *fresh* look is recorded.
    pub fn same_as(&self, other: &Effect) -> bool {
        self.key == other.key && self.seq == other.seq && self.run == other.run && self.options == other.options && self.what == other.what
    }
}

/// A look that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// At what.
    pub key: TargetKey,
    /// With all its detail, or as what a target that waits is looked at by: a line of the list that all share, and what it is offered.
    pub detailed: bool,
    /// In detail: only this job of the vendor's matters, not all of them.
    pub job: Option<String>,
    /// What else it is to find out (Aruba Central).
    pub scope: Scope,
}
