//! One receipt: the permit for one start, and the facts that became known of it.
//!
//! A receipt is read from the API server into [`Receipt`] by the controller. It holds facts, never a state: what state a receipt is
//! in follows from which facts are there (protocol, section 4).

use std::time::Duration;

use jiff::Timestamp;

use super::facts::Options;
use super::sight::Looks;
use super::target::TargetKey;
use super::target::VendorType;

/// Identifies one life of one Windlass process; random at each start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub String);

/// The one attempt of one process that may send: the process's [`BootId`] and a number that it uses once.
///
/// The number matters when an append is not settled in time and given up: should it come through later, no other attempt of the same
/// process may take it for its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder(pub String);

impl BootId {
    /// The holder of this process's attempt with this number.
    pub fn holder(&self, attempt: u64) -> Holder {
        Holder(format!("{}.{attempt}", self.0))
    }

    /// The attempt was this process's.
    pub fn made(&self, holder: &Holder) -> bool {
        holder.0.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// What one start is for: one run starts at most once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// A run belongs to a namespace: another tenant's start is not ours.
    pub namespace: String,
    /// Version asked for, byte-equal to what the vendor lists.
    pub version: String,
    /// Lets people ask for the same version again.
    pub run_key: String,
}

/// Who asked for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedBy {
    /// Kind of the resource.
    pub kind: String,
    /// Its name, in the run's namespace.
    pub name: String,
    /// Its uid at the time.
    pub uid: String,
    /// Its generation at the time.
    pub generation: i64,
}

/// Why a receipt exists that never was a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The target was at the version before anything was sent.
    AlreadyAtVersion,
    /// `notAfter` passed.
    NotStartedInTime,
    /// The version asked for is older than the one the target is at.
    WouldDowngrade,
    /// A run that somebody else began, followed as ours.
    Adopted,
}

impl Note {
    /// The persisted word.
    pub fn word(self) -> &'static str {
        match self {
            Note::AlreadyAtVersion => "AlreadyAtVersion",
            Note::NotStartedInTime => "NotStartedInTime",
            Note::WouldDowngrade => "WouldDowngrade",
            Note::Adopted => "Adopted",
        }
    }

    /// Reads the persisted word; `None` for a word of a newer version.
    pub fn read(word: &str) -> Option<Note> {
        [Note::AlreadyAtVersion, Note::NotStartedInTime, Note::WouldDowngrade, Note::Adopted]
            .into_iter()
            .find(|n| n.word() == word)
    }
}

/// What came back from a start: the vendor's words, judged by the vendor's client (`vendors.md` 5.1 and 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The vendor took it.
    Accepted {
        /// The vendor's own id of the job, where it gives one.
        job: Option<String>,
    },
    /// The vendor refused it; nothing was done and nothing will be.
    Rejected {
        /// The vendor's words, redacted and bounded.
        message: String,
    },
    /// Proof that nothing was taken; a later attempt is a new receipt.
    NotTaken {
        /// Which proof.
        reason: NotTaken,
        /// For people.
        message: String,
    },
    /// Everything else. Not "not started": in doubt.
    Lost {
        /// For people.
        message: String,
    },
}

/// The proofs that a start was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// No connection came about: DNS, TCP or TLS failed on a fresh connection.
    ConnectFailed,
    /// 401: the request has not been applied (RFC 9110).
    Unauthorized,
    /// 429, with the vendor's `Retry-After` where it gave one.
    Throttled {
        /// How long the vendor asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The vendor says that it is busy with the target.
    Busy,
    /// The vendor says that the target is at this version.
    AlreadyThere,
}

impl NotTaken {
    /// The persisted word.
    pub fn word(self) -> &'static str {
        match self {
            NotTaken::ConnectFailed => "ConnectFailed",
            NotTaken::Unauthorized => "Unauthorized",
            NotTaken::Throttled { .. } => "Throttled",
            NotTaken::Busy => "Busy",
            NotTaken::AlreadyThere => "AlreadyThere",
        }
    }

    /// Reads the persisted word; `None` for a word of a newer version.
    pub fn read(word: &str, retry_after: Option<Duration>) -> Option<NotTaken> {
        Some(match word {
            "ConnectFailed" => NotTaken::ConnectFailed,
            "Unauthorized" => NotTaken::Unauthorized,
            "Throttled" => NotTaken::Throttled { retry_after },
            "Busy" => NotTaken::Busy,
            "AlreadyThere" => NotTaken::AlreadyThere,
            _ => return None,
        })
    }

    /// Three in a row of these are a refusal; a throttle or a failed connect only means "later".
    pub fn counts_as_attempt(self) -> bool {
        matches!(self, NotTaken::Unauthorized | NotTaken::Busy)
    }
}

/// An [`Answer`] and when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What it was.
    pub answer: Answer,
    /// Wall clock of the process that got it.
    pub at: Timestamp,
}

/// Evidence that a start in doubt was taken after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// When it was concluded.
    pub at: Timestamp,
    /// Which evidence.
    pub how: String,
    /// The vendor's job that it is, where evidence names one.
    pub job: Option<String>,
}

/// The vendor's people put the run on their schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// When that was seen.
    pub at: Timestamp,
    /// The vendor's id of what will carry it out.
    pub job: String,
    /// When it was to begin, as it was first seen; they may choose another time later.
    pub begins: Timestamp,
}

/// Something that was seen while a start was in doubt and that may have been it: no proof that it was taken, but enough that silence
/// afterwards no longer proves that it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// When it was written down.
    pub at: Timestamp,
    /// What was seen.
    pub how: String,
}

/// What a receipt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndKind {
    /// Accepted, and the target is at the version.
    Succeeded,
    /// Accepted, and failed.
    Failed,
    /// Accepted, and cancelled by somebody.
    Cancelled,
    /// Refused by the vendor.
    Rejected,
    /// Proven not taken.
    NotTaken,
    /// Given up by its holder before anything was sent.
    Withdrawn,
    /// The vendor said that the target was there already.
    AlreadyAtVersion,
}

impl EndKind {
    const ALL: [EndKind; 7] = [
        EndKind::Succeeded,
        EndKind::Failed,
        EndKind::Cancelled,
        EndKind::Rejected,
        EndKind::NotTaken,
        EndKind::Withdrawn,
        EndKind::AlreadyAtVersion,
    ];

    /// The persisted word.
    pub fn word(self) -> &'static str {
        match self {
            EndKind::Succeeded => "Succeeded",
            EndKind::Failed => "Failed",
            EndKind::Cancelled => "Cancelled",
            EndKind::Rejected => "Rejected",
            EndKind::NotTaken => "NotTaken",
            EndKind::Withdrawn => "Withdrawn",
            EndKind::AlreadyAtVersion => "AlreadyAtVersion",
        }
    }

    /// Reads the persisted word; `None` for a word of a newer version.
    pub fn read(word: &str) -> Option<EndKind> {
        EndKind::ALL.into_iter().find(|k| k.word() == word)
    }
}

/// How and when a receipt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What it came to.
    pub kind: EndKind,
    /// When that was concluded.
    pub at: Timestamp,
    /// By which words or evidence, for people.
    pub how: String,
}

/// A person's word on a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken: follow it.
    Started,
    /// It was not taken. Honoured only after the grace period.
    NotStarted,
    /// It was taken and ended well.
    Succeeded,
    /// It was taken and failed.
    Failed,
}

impl Verdict {
    /// The persisted word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Started => "Started",
            Verdict::NotStarted => "NotStarted",
            Verdict::Succeeded => "Succeeded",
            Verdict::Failed => "Failed",
        }
    }

    /// Reads the persisted word; `None` for a word of a newer version.
    pub fn read(word: &str) -> Option<Verdict> {
        [Verdict::Started, Verdict::NotStarted, Verdict::Succeeded, Verdict::Failed]
            .into_iter()
            .find(|v| v.word() == word)
    }
}

/// Set once by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The word.
    pub verdict: Verdict,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Resolution {
    /// As it is written down where it ended something.
    pub fn told(&self) -> String {
        format!("resolved by {}: {}", self.by, self.reason)
    }
}

/// One receipt, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its object's name.
    pub name: String,
    /// Position in its ledger, from 1.
    pub seq: u32,
    /// Canonical target, as its author wrote it; compared with the ledger's key.
    pub target: String,
    /// The API server's clock when it was created.
    pub created: Timestamp,
    /// What it is for.
    pub run: Run,
    /// Which Connection (in the run's namespace) reaches its target.
    pub connection: String,
    /// The vendor's state when the start was decided.
    pub before: Looks,
    /// The options of the start, as canonical JSON; `None` for a note.
    pub options: Option<String>,
    /// When the vendor was told to begin, where it is told that (Aruba Central): what the start is known by afterwards.
    pub due: Option<Timestamp>,
    /// The attempt that may send; `None` for a note.
    pub holder: Option<Holder>,
    /// Who asked.
    pub requested_by: RequestedBy,
    /// Set when the receipt never was a permit.
    pub note: Option<Note>,
    /// A person's word.
    pub resolution: Option<Resolution>,
    /// The vendor's answer.
    pub answer: Option<Answered>,
    /// Evidence that it was taken though no answer says so.
    pub adopted: Option<Adopted>,
    /// Something seen while it was in doubt that may have been it.
    pub hint: Option<Hint>,
    /// When the vendor's people are to carry it out, where it is theirs to choose.
    pub scheduled: Option<Scheduled>,
    /// What it came to.
    pub end: Option<End>,
    /// A word in it that this version does not know: treated as open, and nothing is guessed.
    pub unknown_word: Option<String>,
}

/// Which state the facts amount to (protocol, section 4). Doubt by age is not here: it needs a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No answer yet.
    Sending,
    /// The answer was lost.
    Lost,
    /// Taken: by answer, by evidence, by a person's word, or begun by somebody else.
    Accepted {
        /// Since when, on the wall clock of whoever recorded it.
        since: Timestamp,
    },
    /// Refused or not taken, not yet confirmed by a sight.
    Refused,
    /// Has an end, or is a note that ended by nature.
    Ended(EndKind),
    /// A note that is a refusal by nature.
    Noted(Note),
    /// Holds a word that this version does not know.
    Unreadable,
}

impl Receipt {
    /// The state that the facts amount to.
    pub fn standing(&self) -> Standing {
        if self.unknown_word.is_some() {
            return Standing::Unreadable;
        }
        if let Some(end) = &self.end {
            return Standing::Ended(end.kind);
        }
        match self.note {
            Some(Note::AlreadyAtVersion) => return Standing::Ended(EndKind::AlreadyAtVersion),
            Some(note @ (Note::NotStartedInTime | Note::WouldDowngrade)) => return Standing::Noted(note),
            Some(Note::Adopted) => return Standing::Accepted { since: self.created },
            None => {}
        }
        if let Some(adopted) = &self.adopted {
            return Standing::Accepted { since: adopted.at };
        }
        match &self.answer {
            None => Standing::Sending,
            Some(Answered {
                answer: Answer::Lost { .. },
                ..
            }) => Standing::Lost,
            Some(Answered {
                answer: Answer::Accepted { .. },
                at,
            }) => Standing::Accepted { since: *at },
            Some(Answered {
                answer: Answer::Rejected { .. } | Answer::NotTaken { .. },
                ..
            }) => Standing::Refused,
        }
    }

    /// The start asked for no upgrade but for leave to have one scheduled by the vendor's people.
    pub fn asks_permission(&self) -> bool {
        self.options.as_deref().is_some_and(Options::ask_permission)
    }

    /// When it is carried out is for the vendor's people to choose (HMC, remote firmware updates): a start of ours asks for their leave only,
    /// and whatever else moves a console toward a version is theirs.
    pub fn left_to_vendor(&self) -> bool {
        let vendor = TargetKey::parse(&self.target).map(|key| key.vendor);
        vendor == Some(VendorType::Hmc) && (self.asks_permission() || self.note == Some(Note::Adopted))
    }

    /// An answer or evidence says that the vendor took it, whatever it was ended as.
    pub fn taken(&self) -> bool {
        let accepted = matches!(&self.answer, Some(a) if matches!(a.answer, Answer::Accepted { .. }));
        accepted || self.adopted.is_some()
    }

    /// When it was sent, or begun by somebody else, where it is known that the vendor took it.
    pub fn began(&self) -> Option<Timestamp> {
        (self.taken() || self.note == Some(Note::Adopted)).then_some(self.created)
    }

    /// Without an end, and not ended by nature.
    pub fn open(&self) -> bool {
        !matches!(self.standing(), Standing::Ended(_) | Standing::Noted(_))
    }

    /// How it ended or was answered, in words.
    pub fn outcome(&self) -> String {
        if let Some(end) = &self.end {
            return end.how.clone();
        }
        match self.answer.as_ref().map(|a| &a.answer) {
            Some(Answer::Rejected { message } | Answer::NotTaken { message, .. } | Answer::Lost { message }) => message.clone(),
            Some(Answer::Accepted { .. }) => "accepted".to_owned(),
            None => "no answer".to_owned(),
        }
    }

    /// When what ended it happened: its end, or its creation for a note.
    pub fn ended_at(&self) -> Option<Timestamp> {
        if self.open() {
            return None;
        }
        Some(self.end.as_ref().map_or(self.created, |e| e.at))
    }
}
