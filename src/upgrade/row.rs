//! One target: what its ledger and its sights say about what is wished for it.
//!
//! Called by [`decide`](super::decide) only. Says what *could* be done with this target alone; what may be done now is
//! [`rollout`](super::rollout)'s to say.

mod devices;
mod following;
mod fresh;
mod planned;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::conclude::Conclusion;
use super::conclude::Evidence;
use super::conclude::TOKEN_EXPIRED;
use super::conclude::conclude;
use super::conclude::job_of;
use super::decision::Blocker;
use super::decision::Effect;
use super::decision::Fact;
use super::decision::LedgerWrite;
use super::decision::Row;
use super::facts::Facts;
use super::facts::Options;
use super::facts::TargetFacts;
use super::facts::Wish;
use super::ledger::Ledger;
use super::ledger::RunStanding;
use super::ledger::Wanted;
use super::reason::Reason;
use super::reason::State;
use super::receipt::Answer;
use super::receipt::EndKind;
use super::receipt::Note;
use super::receipt::Receipt;
use super::receipt::Standing;
use super::sight::JobState;
use super::sight::Sight;
use super::when::When;

/// What one target amounts to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Its line.
    pub row: Row,
    /// What could be done with it.
    pub place: Place,
    /// Facts to write into its receipts.
    pub writes: Vec<LedgerWrite>,
}

/// What could be done with a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Its run came to an end, good or bad.
    Over,
    /// A run of ours holds it.
    InFlight {
        /// Only a person can end this.
        stalled: bool,
        /// Past its timeout.
        overdue: bool,
        /// It was seen moving, or more than that.
        moved: bool,
        /// The wish was changed since.
        edit_queued: bool,
    },
    /// Something about this target alone stands in the way.
    Blocked(Blocker),
    /// A note is to be appended; needs no slot and no window.
    Note(Effect),
    /// It could be started.
    Candidate(Effect),
}

/// Judges one target.
pub fn judge(facts: &Facts, when: &When, target: &TargetFacts) -> Judged {
    let bench = Bench { facts, when, target };
    let ledger = match &target.ledger {
        Ok(ledger) => ledger,
        Err(damaged) => {
            let message = format!("{damaged}; nothing is decided on this target until a ledger-admin repaired it");
            return bench.blocked(Reason::LedgerDamaged, message, None);
        }
    };
    match (&target.wish, ledger.open()) {
        (Some(wish), _) => bench.wished(ledger, wish),
        (None, Some(open)) => bench.follow(open, false),
        (None, None) => Judged {
            row: bench.row(),
            place: Place::Over,
            writes: Vec::new(),
        },
    }
}

/// State, reason and message of a line.
type Shown = (State, Reason, Option<String>);

struct Bench<'a> {
    facts: &'a Facts,
    when: &'a When,
    target: &'a TargetFacts,
}

impl Bench<'_> {
    /// Newest first. What another authority answered is no evidence of anything.
    fn sights(&self) -> impl Iterator<Item = &Sight> {
        let target = self.target;
        target
            .sights
            .iter()
            .rev()
            .filter(move |s| s.authority == target.key.authority && devices::tells(target, s))
    }

    fn sight(&self) -> Option<&Sight> {
        self.sights().next()
    }

    fn row(&self) -> Row {
        let seen = self.sights().find_map(|s| s.looks.as_ref());
        let of_endpoint = self.target.key.is_endpoint() || self.target.key.as_customer().is_some();
        let (version, devices) = self.devices_of_wish().unzip();
        Row {
            name: self.facts.name_of(self.target),
            sole: of_endpoint && self.target.wish.is_some(),
            display_name: self.sights().find_map(|s| s.identity.clone()),
            state: State::Pending,
            reason: Reason::Evaluating,
            message: None,
            current_version: seen.map(|l| l.version.clone()).or(version).filter(|v| !v.is_empty()),
            devices,
            desired_version: self.target.wish.as_ref().map(|w| w.version.clone()).unwrap_or_default(),
            progress: None,
            started_at: None,
            completed_at: None,
            receipt: None,
            job: None,
            vendor_state: None,
            scheduled_at: None,
            outside_schedule: false,
            removed: self.target.wish.is_none(),
        }
    }

    fn blocked(&self, reason: Reason, message: String, until: Option<Timestamp>) -> Judged {
        let row = Row {
            reason,
            message: Some(message.clone()),
            ..self.row()
        };
        Judged {
            row,
            place: Place::Blocked(Blocker { reason, message, until }),
            writes: Vec::new(),
        }
    }

    fn over(&self, receipt: &Receipt, state: State, reason: Reason, message: String) -> Judged {
        let row = Row {
            state,
            reason,
            message: Some(message),
            progress: (state == State::Success).then_some(100),
            completed_at: receipt.ended_at(),
            ..self.row_of(receipt)
        };
        Judged {
            row,
            place: Place::Over,
            writes: Vec::new(),
        }
    }

    fn row_of(&self, receipt: &Receipt) -> Row {
        let job = job_of(receipt);
        let seen = job.and_then(|id| self.sights().find_map(|s| s.job(id)));
        let (version, devices) = self.devices_of(receipt).unzip();
        let row = self.row();
        Row {
            current_version: version.filter(|v| !v.is_empty()).or(row.current_version),
            devices: devices.or(row.devices),
            desired_version: receipt.run.version.clone(),
            started_at: receipt.began(),
            receipt: Some(receipt.name.clone()),
            scheduled_at: receipt.scheduled.as_ref().map(|scheduled| scheduled.begins),
            job: job.map(str::to_owned),
            vendor_state: seen.filter(|j| j.state != JobState::Unknown).map(|j| j.word.clone()),
            ..row
        }
    }

    /// How far our job was when it was last seen, or the devices were.
    fn last_progress(&self, open: &Receipt) -> Option<i32> {
        let Some(id) = job_of(open) else { return self.progress_of(open) };
        self.sights().find_map(|s| s.job(id)?.progress)
    }

    /// Until when a run that is out of sight is waited for.
    fn looking_until(&self, open: &Receipt) -> String {
        // What others carry out is waited for as long as it may yet begin, which is theirs to say.
        let (Standing::Accepted { since }, false) = (open.standing(), open.left_to_vendor()) else {
            return "looking again".to_owned();
        };
        match SignedDuration::try_from(self.facts.timeout)
            .ok()
            .and_then(|t| since.checked_add(t).ok())
        {
            Some(until) => format!("looking again until {}", short(until)),
            None => "looking again".to_owned(),
        }
    }

    fn wished(&self, ledger: &Ledger, wish: &Wish) -> Judged {
        let wanted = self.facts.wanted(wish);
        match ledger.standing(&wanted, self.facts.wall, &self.facts.timing) {
            RunStanding::Open(open) => self.open(open, &wanted),
            RunStanding::Spent(receipt, kind) => self.spent(receipt, kind),
            RunStanding::Noted(receipt, Note::NotStartedInTime) => self.over(
                receipt,
                State::Cancelled,
                Reason::NotStartedInTime,
                "schedule.notAfter passed before it could start; set a later one and a new spec.runKey to ask again".to_owned(),
            ),
            RunStanding::Noted(receipt, _) => {
                let message = match &receipt.before.fleet {
                    Some(before) => devices::would_downgrade(receipt, before),
                    None => format!(
                        "{} would be a downgrade from {}; nothing was sent. Ask for a newer version",
                        receipt.run.version, receipt.before.version
                    ),
                };
                self.over(receipt, State::Rejected, Reason::WouldDowngrade, message)
            }
            RunStanding::OptionsChangedAfterStart(receipt) => {
                let message = format!(
                    "{} was already started with other options ({}); set a new spec.runKey to run it again",
                    receipt.run.version,
                    receipt.options.as_deref().unwrap_or("none"),
                );
                self.over(receipt, State::Rejected, Reason::RunKeyConflict, message)
            }
            RunStanding::Refused(receipt) => {
                let again = match self.target.wish.as_ref().map(|wish| &wish.options) {
                    Some(Options::Appliance) => "set a new spec.runKey",
                    _ => "change the options or set a new spec.runKey",
                };
                let outcome = receipt.outcome();
                let message = format!("{outcome}; nothing was started, and the same is not asked again: once it is mended, {again}");
                self.over(receipt, State::Rejected, Reason::VendorRejected, message)
            }
            RunStanding::GaveUp(receipt) => {
                let message = format!(
                    "not taken three times in a row, last: {}; set a new spec.runKey to try again",
                    receipt.outcome()
                );
                self.over(receipt, State::Rejected, Reason::NotTaken, message)
            }
            RunStanding::LeftBehind { run, by } => {
                let instead = match self.target.wish.as_ref().map(|wish| &wish.options) {
                    Some(Options::Customer { .. }) => {
                        "Ask for a newer version, or set spec.arubaCustomer.allowDowngrade and a new spec.runKey"
                    }
                    _ => "Ask for a newer version",
                };
                let message = format!(
                    "{} was left for {} by {}; going back is a downgrade. {instead}",
                    run.run.version, by.run.version, by.name
                );
                self.over(run, State::Rejected, Reason::WouldDowngrade, message)
            }
            RunStanding::Resting(..) if self.too_late() => self.not_in_time(ledger.next_seq(), wish, &wanted),
            RunStanding::Resting(receipt, until) => {
                let message = format!("not taken: {}; next attempt after {}", receipt.outcome(), short(until));
                self.blocked(Reason::WaitingForRetry, message, Some(until))
            }
            RunStanding::Fresh(seq) => self.fresh(ledger, seq, wish, &wanted),
        }
    }

    fn spent(&self, receipt: &Receipt, kind: EndKind) -> Judged {
        match kind {
            EndKind::AlreadyAtVersion => {
                let message = match &receipt.answer {
                    Some(_) => format!("at {} already, as the vendor answered; nothing was begun", receipt.run.version),
                    None => format!("already at {}; nothing was sent", receipt.run.version),
                };
                self.over(receipt, State::Success, Reason::AlreadyAtVersion, message)
            }
            EndKind::Succeeded => self.over(receipt, State::Success, Reason::UpgradeSucceeded, receipt.outcome()),
            EndKind::Cancelled => self.over(receipt, State::Cancelled, Reason::VendorCancelled, receipt.outcome()),
            EndKind::Failed if receipt.outcome().starts_with(TOKEN_EXPIRED) => {
                let message = format!("{}; set a new spec.runKey to ask for another", receipt.outcome());
                self.over(receipt, State::Failed, Reason::TokenExpired, message)
            }
            EndKind::Failed => {
                let message = format!("{}; once it is mended, set a new spec.runKey to start it again", receipt.outcome());
                self.over(receipt, State::Failed, Reason::VendorFailed, message)
            }
            EndKind::Rejected | EndKind::NotTaken | EndKind::Withdrawn => {
                let message = format!(
                    "receipt {} was ended as {}, but the vendor took it after all: look at the target, then set a new spec.runKey",
                    receipt.name,
                    kind.word()
                );
                self.over(receipt, State::Failed, Reason::VendorFailed, message)
            }
        }
    }

    fn open(&self, open: &Receipt, wanted: &Wanted) -> Judged {
        if let Some(word) = &open.unknown_word {
            let message = format!(
                "receipt {} holds {word:?}, which this version of Windlass does not know; upgrade Windlass",
                open.name
            );
            return self.blocked(Reason::ReceiptUnreadable, message, None);
        }
        let ours = open.run.namespace == wanted.run.namespace;
        let asked_by_us = self.facts.subject.asked_for(open);
        if ours && open.run == wanted.run && (asked_by_us || self.same_way(open)) {
            return self.follow(open, open.options.as_ref().is_some_and(|o| *o != wanted.options));
        }
        if asked_by_us {
            return self.follow(open, true);
        }
        let message = if ours {
            let by = &open.requested_by;
            format!(
                "{}/{} upgrades it to {} (receipt {}); waiting for its end",
                by.kind, by.name, open.run.version, open.name
            )
        } else {
            "another namespace's upgrade holds it; waiting for its end".to_owned()
        };
        self.blocked(Reason::TargetBusy, message, None)
    }

    fn follow(&self, open: &Receipt, edit_queued: bool) -> Judged {
        let evidence = Evidence {
            key: &self.target.key,
            sights: &self.target.sights,
            unchanged_since: self.target.unchanged_since,
            seen: self.target.seen,
            custody: self.target.custody,
            timeout: self.facts.timeout,
            wall: self.facts.wall,
            mono: self.facts.mono,
            timing: &self.facts.timing,
        };
        let conclusion = conclude(open, &evidence);
        let mut row = self.row_of(open);
        let mut writes = Vec::new();
        let (mut stalled, mut overdue, mut moved) = (false, false, false);
        (row.state, row.reason, row.message) = match conclusion {
            Conclusion::Sending => (State::Pending, Reason::Starting, Some("the start is being sent".to_owned())),
            Conclusion::Confirming => self.confirming(open),
            Conclusion::Unreadable(word) => (State::Pending, Reason::ReceiptUnreadable, Some(format!("receipt holds {word:?}"))),
            Conclusion::Doubt {
                stalled: only_a_person,
                why,
            } => {
                stalled = only_a_person;
                in_doubt(open, &why, stalled)
            }
            Conclusion::Hint { how } => {
                writes.push(LedgerWrite {
                    receipt: open.name.clone(),
                    fact: Fact::Hint { how: how.clone() },
                });
                in_doubt(open, &how, false)
            }
            Conclusion::Scheduled { job, begins, how } => {
                row.scheduled_at = Some(begins);
                writes.push(LedgerWrite {
                    receipt: open.name.clone(),
                    fact: Fact::Scheduled {
                        job,
                        begins,
                        how: how.clone(),
                    },
                });
                (State::Started, Reason::WaitingForVendor, Some(how))
            }
            Conclusion::Adopt { how, job } => {
                writes.push(LedgerWrite {
                    receipt: open.name.clone(),
                    fact: Fact::Adopted { how: how.clone(), job },
                });
                moved = true;
                (State::Started, Reason::Started, Some(how))
            }
            Conclusion::End { kind, how } => {
                writes.push(LedgerWrite {
                    receipt: open.name.clone(),
                    fact: Fact::End { kind, how: how.clone() },
                });
                // Shown once it is stored: the next pass reads it from the ledger like everybody else.
                moved = kind == EndKind::Succeeded;
                let state = if moved { State::Running } else { State::Pending };
                (state, if moved { Reason::Running } else { Reason::Evaluating }, Some(how))
            }
            Conclusion::Follow(following) => {
                let shown;
                (shown, stalled, overdue, moved) = self.following(open, following, &mut row);
                shown
            }
        };
        Judged {
            row,
            place: Place::InFlight {
                stalled,
                overdue,
                moved,
                edit_queued,
            },
            writes,
        }
    }
}

/// How a start in doubt is shown.
fn in_doubt(open: &Receipt, why: &str, stalled: bool) -> Shown {
    let (reason, next) = if stalled {
        (Reason::NeedsResolution, format!("resolve receipt {}", open.name))
    } else {
        (Reason::StartInDoubt, "seeking evidence".to_owned())
    };
    let message = format!("the start may or may not have been taken: {why}; {next}{}", answered(open));
    (State::Unknown, reason, Some(message))
}

/// What the vendor answered where that proves nothing: its words may tell a person more.
fn answered(open: &Receipt) -> String {
    match open.answer.as_ref().map(|a| &a.answer) {
        Some(Answer::Lost { message }) => format!("; the answer was: {message}"),
        _ => String::new(),
    }
}

/// A time for people: to the second, UTC.
pub fn short(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
