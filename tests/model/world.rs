//! The small world: what is true, what each process believes, and what may still go wrong.
//!
//! Everything is counted in ticks of [`TICK`]; versions are indices into [`VERSIONS`]. The state is what stateright hashes and stores, so
//! it holds small numbers; [`core`](super::core) turns it into the product's own types before anything is decided.

use std::time::Duration;

use windlass::upgrade::receipt::EndKind;

use super::core::Effect;

/// One tick of the small clock: as long as a permit lives.
pub const TICK: Duration = Duration::from_secs(60);
/// GRACE in ticks.
pub const GRACE: Tick = 3;
/// The longest rest between two attempts, in ticks.
pub const LONGEST_REST: Tick = 2;
/// HORIZON in ticks.
pub const HORIZON: Tick = 2;
/// Versions, oldest first. Targets are at the first; the resource asks for the second.
pub const VERSIONS: [&str; 3] = ["v1.29.7", "v1.30.5", "v1.31.0"];

pub type Tick = u8;

/// What may still happen, each counted down. A scope sets them; zero means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A process dies at any moment and starts again, knowing nothing.
    pub crash: u8,
    /// An answer to a start is lost on its way back, or is a 5xx.
    pub lose: u8,
    /// The create of a receipt is not answered: it was committed, or is committed later, or never.
    pub late: u8,
    /// The vendor refuses, is busy, or cannot be connected to.
    pub refuse: u8,
    /// An upgrade fails at the vendor, and somebody clears the failure later.
    pub fault: u8,
    /// The vendor gives a run up after accepting it; nothing shows.
    pub abort: u8,
    /// Somebody else changes a target, or begins an upgrade of it.
    pub drift: u8,
    /// The version asked for is edited.
    pub edit: u8,
    /// The resource is suspended or resumed.
    pub suspend: u8,
    /// The resource is deleted (and may be created again under its name).
    pub delete: u8,
    /// The Connection's status is emptied.
    pub wipe: u8,
    /// A person settles a receipt, truthfully.
    pub resolve: u8,
    /// The Connection is pointed to another vendor and back.
    pub url: u8,
    /// The resource or its Connection is frozen, or thawed again.
    pub freeze: u8,
    /// The wall clock of one process is set forward or back by a tick; its monotonic clock goes on.
    pub step: u8,
}

/// What the vendor shows of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Look {
    pub version: u8,
    pub faulted: bool,
    pub desired: Option<u8>,
    pub stamp: u8,
}

/// One sight: what was shown, and when it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glance {
    pub asked: Tick,
    /// Answered by the other endpoint.
    pub elsewhere: bool,
    pub look: Look,
    pub moving: bool,
}

/// What came back from a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    Accepted,
    Rejected,
    Busy,
    AlreadyThere,
    ConnectFailed,
    Lost,
}

/// Why a receipt is only a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoteWord {
    AlreadyAtVersion,
    WouldDowngrade,
    NotInTime,
    Adopted,
}

/// A write-once fact of a receipt, in the order in which they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    Answer(Word, Tick),
    Adopted(Tick),
    Hint,
    End(EndKind, Tick),
    Resolved { started: bool },
}

/// One receipt on the API server: position `seq - 1` of its target's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rcpt {
    pub version: u8,
    /// Boot and attempt.
    pub holder: Option<(u8, u8)>,
    pub note: Option<NoteWord>,
    pub before: Look,
    pub created: Tick,
    pub facts: Vec<Fact>,
}

impl Rcpt {
    pub fn ended(&self) -> Option<EndKind> {
        self.facts
            .iter()
            .find_map(|f| if let Fact::End(kind, _) = f { Some(*kind) } else { None })
    }

    pub fn open(&self) -> bool {
        self.ended().is_none() && matches!(self.note, None | Some(NoteWord::Adopted))
    }

    /// Writes a fact if its place is free, as the compare-and-swap of a receipt's status does.
    pub fn write(&mut self, fact: Fact) -> bool {
        let taken = self
            .facts
            .iter()
            .any(|f| std::mem::discriminant(f) == std::mem::discriminant(&fact));
        if !taken {
            self.facts.push(fact);
        }
        !taken
    }
}

/// What really came of a receipt: known to the world, to no process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    pub sends: u8,
    pub taken: bool,
    /// Taken, and given up by the vendor without a trace.
    pub undone: bool,
}

/// The resource's spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    pub version: u8,
    pub suspend: bool,
    /// It has a freeze.
    pub frozen: bool,
}

/// A slot on the Connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    pub target: u8,
    pub seq: u8,
    pub at: Tick,
}

/// How far a task is; the order is that of the protocol's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The fresh look was asked.
    Prepared,
    /// Read live and decided again. `clean` until somebody else writes the Connection: its resourceVersion still fits.
    Confirmed { clean: bool },
    /// The slot is taken.
    Reserved,
    /// The create went out; no answer came.
    Unsettled,
    /// The receipt is there.
    Permitted,
    /// The last check before the socket passed.
    Armed { at: Tick },
    /// The request is out.
    Sent,
    /// The answer is here.
    Answered(Word),
}

/// One start or note under way in a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Task {
    pub stage: Stage,
    pub target: u8,
    pub seq: u8,
    pub version: u8,
    pub note: Option<NoteWord>,
    pub before: Look,
    /// The fresh look. `sight.asked` is when it was really asked.
    pub sight: Glance,
    /// The tick that its age is counted from, and what the process's wall clock said then.
    pub dated: Tick,
    pub dated_wall: Tick,
    /// When the schedules no longer allow it, as decided; and that on the monotonic clock, once the receipt is written.
    pub closes: Option<Tick>,
    pub shut: Option<Tick>,
    /// Whether the resource and its Connection had a freeze, as read live.
    pub freezes: (bool, bool),
    /// The live read did not allow it.
    pub wrong: bool,
    pub attempt: u8,
}

impl Task {
    /// No receipt yet: the resource's one place is taken.
    pub fn preparing(&self) -> bool {
        self.stage < Stage::Permitted
    }

    /// It rests on nothing that the vendor shows.
    pub fn blind(&self) -> bool {
        self.note == Some(NoteWord::NotInTime)
    }

    /// What it was decided as.
    pub fn effect(&self) -> Effect {
        Effect {
            target: self.target,
            seq: self.seq,
            version: self.version,
            before: self.before.clone(),
            note: self.note,
            closes: self.closes,
        }
    }
}

/// When a process first saw the facts of a target's open receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FirstSeen {
    pub seq: u8,
    pub open: Tick,
    pub doubt: Option<Tick>,
    pub accepted: Option<Tick>,
    pub refused: Option<Tick>,
}

/// What a process believes about one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Belief {
    /// For each receipt in the cache, how many of its facts.
    pub cache: Vec<u8>,
    pub memory: Option<FirstSeen>,
    /// Oldest first.
    pub sights: Vec<Glance>,
    /// Receipts that this process appended or is appending.
    pub known: Vec<u8>,
}

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Proc {
    /// Only follows what others start.
    pub follows: bool,
    /// Numbered when it first appends, so that processes that did not can trade places.
    pub boot: Option<u8>,
    pub born: Tick,
    pub attempts: u8,
    /// Its wall clock is ahead of the API server's by so much. That one is the truth.
    pub skew: i8,
    /// Resources that wait for a slot of the Connection, by its last decisions: a bit for each.
    pub in_line: u8,
    pub beliefs: Vec<Belief>,
    pub tasks: Vec<Task>,
}

/// A request at the vendor's door, or its answer on the way back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub target: u8,
    pub seq: u8,
    pub version: u8,
    /// When its sender passed the last check. After GRACE nothing takes it any more: the residual assumption.
    pub armed: Tick,
    pub answer: Option<Word>,
}

/// One target at the vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Thing {
    pub look: Look,
    pub moving: bool,
    /// Receipt of the run under way, if it is ours.
    pub by: Option<u8>,
    /// What was asked for before the run under way.
    pub desired_before: Option<u8>,
}

/// Invariants found broken while a step was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Broken {
    pub p1: bool,
    pub p3: bool,
    pub p4: bool,
    pub p5: bool,
    pub p8: bool,
    /// NotStartedInTime where it was not too late, or beside a start.
    pub late: bool,
}

/// A terminal state that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    Success,
    Rejected,
    Failed,
    Cancelled,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Tick,
    pub left: Budget,
    pub procs: Vec<Proc>,
    pub boots: u8,
    /// By target.
    pub ledgers: Vec<Vec<Rcpt>>,
    pub truths: Vec<Vec<Truth>>,
    pub things: Vec<Thing>,
    /// Terminal states shown, by target and version.
    pub shown: Vec<[Option<Shown>; 3]>,
    /// Creates that were not answered and may still be carried out.
    pub creates: Vec<(u8, u8, Rcpt)>,
    pub requests: Vec<Request>,
    pub spec: Option<Spec>,
    /// What a cache that lags may still show.
    pub stale: Option<Spec>,
    pub elsewhere: bool,
    /// The Connection has a freeze.
    pub frozen: bool,
    pub slots: Vec<Slot>,
    /// How far a process was when it died.
    pub crashed_at: Option<Stage>,
    /// A process died.
    pub crashed: bool,
    pub lost: bool,
    pub wiped: bool,
    pub broken: Broken,
}

impl World {
    /// What a process's wall clock says.
    pub fn wall(&self, p: usize) -> Tick {
        self.now.saturating_add_signed(self.procs[p].skew)
    }

    pub fn receipt(&self, target: u8, seq: u8) -> Option<&Rcpt> {
        self.ledgers[usize::from(target)].get(usize::from(seq) - 1)
    }

    pub fn truth(&mut self, target: u8, seq: u8) -> &mut Truth {
        &mut self.truths[usize::from(target)][usize::from(seq) - 1]
    }
}
