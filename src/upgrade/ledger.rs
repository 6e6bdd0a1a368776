//! The gap-free list of a target's receipts, and what it says about a run.
//!
//! The rule that replaces locks: receipt n+1 may be appended only when n has ended, and the append is a create that the API server
//! lets one caller win. [`Ledger::standing`] is the only place that says which number comes next; [`Ledger::next`] is the same as a yes or a no.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::receipt::Answer;
use super::receipt::EndKind;
use super::receipt::NotTaken;
use super::receipt::Note;
use super::receipt::Receipt;
use super::receipt::Run;
use super::receipt::Standing;
use super::target::TargetKey;
use super::timing::Timing;
use super::version;
use super::version::Order;

/// Attempts in a row that may come to nothing (401, busy, doubt that proved empty) before it is a refusal.
const ATTEMPTS: usize = 3;

/// A target's receipts in order of their sequence, 1 to n without a gap, at most the last of them open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    receipts: Vec<Receipt>,
}

/// A ledger that nothing may be decided on until a person repaired it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Damaged {
    /// A receipt is missing.
    #[error("receipt {expected} is missing from the ledger of {target}; the next one found is {found}")]
    Gap {
        /// Whose ledger.
        target: String,
        /// Sequence that should be there.
        expected: u32,
        /// Sequence found instead.
        found: u32,
    },
    /// A receipt before the last is open.
    #[error("receipt {seq} of {target} is open although receipt {last} exists")]
    OpenBeforeLast {
        /// Whose ledger.
        target: String,
        /// The open one.
        seq: u32,
        /// The last one.
        last: u32,
    },
    /// A receipt that claims to be of another target.
    #[error("receipt {name} names target {found}, expected {expected}")]
    ForeignKey {
        /// The receipt.
        name: String,
        /// This ledger's target.
        expected: String,
        /// What the receipt says.
        found: String,
    },
    /// The object's name does not follow from its target and sequence.
    #[error("receipt {name} should be named {expected}")]
    WrongName {
        /// The receipt.
        name: String,
        /// The name that follows from its claim.
        expected: String,
    },
}

/// What somebody wants to run on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The run.
    pub run: Run,
    /// Options that would be sent, canonical JSON.
    pub options: String,
    /// Kind of the resource that asks.
    pub kind: String,
    /// Name of the resource that asks.
    pub name: String,
}

impl Wanted {
    /// The resource that asks, or one of the same name before it, asked for the receipt.
    fn asked_for(&self, receipt: &Receipt) -> bool {
        let by = &receipt.requested_by;
        receipt.run.namespace == self.run.namespace && by.kind == self.kind && by.name == self.name
    }
}

/// What the ledger says about a wanted run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunStanding<'a> {
    /// Nothing stands in its way here; this is the sequence of the receipt that may be appended.
    Fresh(u32),
    /// The target's last receipt has not ended: ours or another's.
    Open(&'a Receipt),
    /// The run had its start, or needed none; it never gets another.
    Spent(&'a Receipt, EndKind),
    /// The run ended by a note that is a refusal or a cancellation.
    Noted(&'a Receipt, Note),
    /// It was accepted with other options.
    OptionsChangedAfterStart(&'a Receipt),
    /// The vendor refused it with these options.
    Refused(&'a Receipt),
    /// It was not taken several times in a row.
    GaveUp(&'a Receipt),
    /// The asking resource has since been brought to another version that is not older: going back is a downgrade.
    LeftBehind {
        /// The receipt of this run.
        run: &'a Receipt,
        /// The later one.
        by: &'a Receipt,
    },
    /// Not taken, and too early to try again.
    Resting(&'a Receipt, Timestamp),
}

impl RunStanding<'_> {
    /// The run came to an end, good or bad.
    fn over(&self) -> bool {
        !matches!(self, RunStanding::Fresh(_) | RunStanding::Open(_) | RunStanding::Resting(..))
    }
}

impl Ledger {
    /// Puts what was read in order and checks the invariants; fails closed.
    pub fn read(key: &TargetKey, mut raw: Vec<Receipt>) -> Result<Ledger, Damaged> {
        raw.sort_by_key(|r| r.seq);
        let target = key.canonical();
        let last = raw.last().map_or(0, |r| r.seq);
        for (expected, receipt) in (1..).zip(&raw) {
            if receipt.target != target {
                return Err(Damaged::ForeignKey {
                    name: receipt.name.clone(),
                    expected: target,
                    found: receipt.target.clone(),
                });
            }
            if receipt.seq != expected {
                return Err(Damaged::Gap {
                    target,
                    expected,
                    found: receipt.seq,
                });
            }
            if receipt.name != key.receipt_name(receipt.seq) {
                return Err(Damaged::WrongName {
                    name: receipt.name.clone(),
                    expected: key.receipt_name(receipt.seq),
                });
            }
            if receipt.open() && receipt.seq != last {
                return Err(Damaged::OpenBeforeLast {
                    target,
                    seq: receipt.seq,
                    last,
                });
            }
        }
        Ok(Ledger { receipts: raw })
    }

    /// The one receipt that has not ended.
    pub fn open(&self) -> Option<&Receipt> {
        self.receipts.last().filter(|r| r.open())
    }

    /// The last receipt.
    pub fn last(&self) -> Option<&Receipt> {
        self.receipts.last()
    }

    /// All receipts, oldest first.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Sequence of the receipt that may be appended for this run; otherwise what stands in its way.
    pub fn next<'a>(&'a self, wanted: &Wanted, now: Timestamp, timing: &Timing) -> Result<u32, RunStanding<'a>> {
        match self.standing(wanted, now, timing) {
            RunStanding::Fresh(seq) => Ok(seq),
            other => Err(other),
        }
    }

    /// Sequence of the receipt that comes next, whatever it is about.
    pub fn next_seq(&self) -> u32 {
        self.receipts.last().map_or(1, |r| r.seq.saturating_add(1))
    }

    /// What this ledger says about a run. A run that came to its end shows that end whoever holds the target since: drift takes
    /// nothing back. Only a later run that the same resource asked for is shown in its place.
    pub fn standing<'a>(&'a self, wanted: &Wanted, now: Timestamp, timing: &Timing) -> RunStanding<'a> {
        let of_run = self.of_run(wanted, now, timing);
        match self.open() {
            Some(open) if open.run == wanted.run || wanted.asked_for(open) || !of_run.over() => RunStanding::Open(open),
            _ => of_run,
        }
    }

    /// What the receipts of this run say, as if nobody held the target.
    fn of_run<'a>(&'a self, wanted: &Wanted, now: Timestamp, timing: &Timing) -> RunStanding<'a> {
        let of_run: Vec<&Receipt> = self.receipts.iter().filter(|r| r.run == wanted.run).collect();
        let Some(last) = of_run.last().copied() else {
            return RunStanding::Fresh(self.next_seq());
        };
        if let Some((spent, kind)) = of_run.iter().rev().find_map(|r| spent_kind(r).map(|k| (*r, k))) {
            if let Some(by) = self.left_behind_by(spent, wanted) {
                return RunStanding::LeftBehind { run: spent, by };
            }
            let sent = spent
                .options
                .as_ref()
                .filter(|_| spent.note.is_none() && kind != EndKind::AlreadyAtVersion);
            if sent.is_some_and(|sent| *sent != wanted.options) {
                return RunStanding::OptionsChangedAfterStart(spent);
            }
            return RunStanding::Spent(spent, kind);
        }
        if let Some(refused) = of_run.iter().rev().find(|r| refused_with(r, &wanted.options)) {
            return match refused.standing() {
                Standing::Noted(note) => RunStanding::Noted(refused, note),
                _ => RunStanding::Refused(refused),
            };
        }
        self.rest(&of_run, last, now, timing)
    }

    fn rest<'a>(&self, of_run: &[&'a Receipt], last: &'a Receipt, now: Timestamp, timing: &Timing) -> RunStanding<'a> {
        let tries: Vec<&Receipt> = of_run.iter().rev().copied().take_while(|r| not_taken(r)).collect();
        if tries.iter().filter(|r| counts(r)).count() >= ATTEMPTS {
            return RunStanding::GaveUp(last);
        }
        let until = match (not_taken(last), last.ended_at()) {
            // Dated by a clock that was ahead: its lead is nothing that anybody has to wait for.
            (true, Some(ended)) if to_come(ended, now, timing) => return RunStanding::Fresh(self.next_seq()),
            (true, Some(ended)) => ended.checked_add(pause(last, tries.len(), timing)).unwrap_or(Timestamp::MAX),
            _ => return RunStanding::Fresh(self.next_seq()),
        };
        if now < until {
            RunStanding::Resting(last, until)
        } else {
            RunStanding::Fresh(self.next_seq())
        }
    }

    /// A later success at another version that the *same resource* asked for: asking for the old version again is what a
    /// rollback does. Somebody else's later start is drift, and drift never takes back a success. Going on to a version that was
    /// tried before is no rollback either: that run shows the end it had.
    fn left_behind_by(&self, spent: &Receipt, wanted: &Wanted) -> Option<&Receipt> {
        let back = |r: &Receipt| {
            matches!(
                version::order(&wanted.run.version, &r.run.version),
                Order::Older | Order::Incomparable
            )
        };
        let got_there = |r: &Receipt| matches!(r.standing(), Standing::Ended(EndKind::Succeeded | EndKind::AlreadyAtVersion));
        self.receipts
            .iter()
            .find(|r| r.seq > spent.seq && wanted.asked_for(r) && got_there(r) && back(r))
    }

    /// The version that the last accepted run of this target came from: going there is a downgrade, also when that run failed
    /// half-way and nobody can order the two versions.
    pub fn came_from(&self) -> Option<&str> {
        self.receipts
            .iter()
            .rev()
            .find(|r| spent_kind(r).is_some_and(|k| k != EndKind::AlreadyAtVersion))
            .map(|r| r.before.version.as_str())
            .filter(|v| !v.is_empty())
    }
}

/// The end of a run that had its start, or needed none. An acceptance that arrived after the receipt was ended as not taken is
/// stored beside that end: the run was started all the same.
fn spent_kind(receipt: &Receipt) -> Option<EndKind> {
    match receipt.standing() {
        Standing::Ended(kind) if receipt.taken() => Some(kind),
        Standing::Ended(kind @ (EndKind::Succeeded | EndKind::Failed | EndKind::Cancelled | EndKind::AlreadyAtVersion)) => Some(kind),
        _ => None,
    }
}

fn refused_with(receipt: &Receipt, options: &str) -> bool {
    match receipt.standing() {
        // Too late is too late with any options.
        Standing::Noted(Note::NotStartedInTime) => true,
        Standing::Ended(EndKind::Rejected) | Standing::Noted(Note::WouldDowngrade) => {
            receipt.options.as_deref().is_none_or(|o| o == options)
        }
        _ => false,
    }
}

fn not_taken(receipt: &Receipt) -> bool {
    matches!(receipt.standing(), Standing::Ended(EndKind::NotTaken | EndKind::Withdrawn))
}

/// Whether a not-taken receipt is one of the three. A throttle, a failed connect and a person's word only mean "later".
fn counts(receipt: &Receipt) -> bool {
    if receipt.standing() != Standing::Ended(EndKind::NotTaken) || receipt.resolution.is_some() {
        return false;
    }
    match receipt.answer.as_ref().map(|a| &a.answer) {
        Some(Answer::NotTaken { reason, .. }) => reason.counts_as_attempt(),
        _ => true,
    }
}

/// Further ahead of our clock than two clocks may be apart that each agree with the API server's.
fn to_come(ended: Timestamp, now: Timestamp, timing: &Timing) -> bool {
    SignedDuration::try_from(timing.clock_skew * 2).is_ok_and(|apart| ended.duration_since(now) > apart)
}

/// One minute doubling to an hour, or what the vendor asked for. Never less than the minute: throttles are not counted, and a
/// `Retry-After: 0` would write receipts without end.
fn pause(last: &Receipt, tries: usize, timing: &Timing) -> SignedDuration {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let own = timing.retry_first.saturating_mul(1 << doublings).min(timing.retry_max);
    let asked = match last.answer.as_ref().map(|a| &a.answer) {
        Some(Answer::NotTaken {
            reason: NotTaken::Throttled { retry_after: Some(after) },
            ..
        }) => (*after).max(timing.retry_first).min(timing.retry_max),
        _ => own,
    };
    SignedDuration::try_from(asked).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
