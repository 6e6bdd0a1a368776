//! The only place where evidence is judged: what an open receipt's facts and sights amount to.
//!
//! A lost answer is never "not started". Doubt ends by evidence or by a person (protocol, section 5; `vendors.md` 5.2). Called by
//! [`decide`](super::decide) for a resource's own receipts and by the controller's sweep for receipts whose resource is gone.

mod doubt;
mod fleet;
mod jobs;
mod planned;

pub use fleet::some_of;
pub use jobs::job_of;
pub use planned::TOKEN_EXPIRED;

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::memory::Custody;
use super::memory::Seen;
use super::receipt::Answer;
use super::receipt::EndKind;
use super::receipt::NotTaken;
use super::receipt::Receipt;
use super::receipt::Standing;
use super::receipt::Verdict;
use super::sight::Motion;
use super::sight::Sight;
use super::target::Disproof;
use super::target::TargetKey;
use super::timing::Mono;
use super::timing::Timing;
use super::version;

/// What is needed besides the receipt to judge it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The target that the receipt is of.
    pub key: &'a TargetKey,
    /// Sights of that target, oldest first. Those of other authorities, or asked before we knew of the receipt, are ignored.
    pub sights: &'a [Sight],
    /// Since when the newest of them has looked the same, whatever was forgotten in between.
    pub unchanged_since: Option<Mono>,
    /// When this process first saw the receipt's facts.
    pub seen: Seen,
    /// What this process has to do with it.
    pub custody: Custody,
    /// How long an accepted run may take.
    pub timeout: Duration,
    /// Wall clock.
    pub wall: Timestamp,
    /// Our monotonic clock.
    pub mono: Mono,
    /// The durations of the protocol.
    pub timing: &'a Timing,
}

/// What an open receipt amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Its holder may still be sending.
    Sending,
    /// May or may not have been taken. `stalled` once nothing but a person can end it.
    Doubt {
        /// Only a person can end this.
        stalled: bool,
        /// What is known.
        why: String,
    },
    /// Taken; where it stands.
    Follow(Following),
    /// Write `adopted`: it was taken, though no answer says so.
    Adopt {
        /// By which evidence.
        how: String,
        /// The vendor's job that it is, where evidence names one.
        job: Option<String>,
    },
    /// Write `hint`: something was seen that may have been it.
    Hint {
        /// What was seen.
        how: String,
    },
    /// Write `scheduled`: the vendor's people chose when to carry it out.
    Scheduled {
        /// The vendor's id of what will carry it out.
        job: String,
        /// When it is to begin.
        begins: Timestamp,
        /// What was seen.
        how: String,
    },
    /// Write `end`.
    End {
        /// What it came to.
        kind: EndKind,
        /// By which words or evidence.
        how: String,
    },
    /// The answer refuses it; one later sight must confirm.
    Confirming,
    /// Holds a word this version does not know: blocks, and nothing is guessed.
    Unreadable(String),
}

/// Where a run stands that the vendor took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Following {
    /// Taken, nothing seen moving yet.
    Queued {
        /// The vendor's words.
        says: Option<String>,
    },
    /// The vendor's people may put it on their schedule, and have not yet.
    Unscheduled {
        /// Until when they may, where the vendor tells.
        until: Option<Timestamp>,
        /// What they put on it instead: another version.
        instead: Option<String>,
        /// Longer than `timeout`.
        overdue: bool,
    },
    /// The vendor's people put it on their schedule.
    Scheduled {
        /// When it is to begin.
        begins: Option<Timestamp>,
        /// What stands there.
        says: String,
        /// Longer than `timeout`.
        overdue: bool,
    },
    /// Seen moving.
    Moving {
        /// Percent, where the vendor tells.
        progress: Option<i32>,
        /// The vendor's words.
        says: Option<String>,
        /// Longer than `timeout`.
        overdue: bool,
    },
    /// It came to an end, and an end is not written yet: our own request may still be under way.
    Settling {
        /// Which end.
        how: String,
    },
    /// Cannot be seen, within `timeout`.
    OutOfSight {
        /// Why.
        why: String,
    },
    /// Cannot be seen, past `timeout`: only a person or a new sight can end this.
    LostSight {
        /// Why.
        why: String,
    },
}

/// Judges an open receipt. For an ended one the answer is its end.
pub fn conclude(receipt: &Receipt, evidence: &Evidence<'_>) -> Conclusion {
    let judge = Judge { receipt, e: evidence };
    if let Some(word) = &receipt.unknown_word {
        return Conclusion::Unreadable(word.clone());
    }
    if let Some(resolved) = judge.resolution() {
        return resolved;
    }
    match receipt.standing() {
        Standing::Unreadable => Conclusion::Unreadable(String::new()),
        Standing::Ended(kind) => Conclusion::End {
            kind,
            how: receipt.end.as_ref().map(|e| e.how.clone()).unwrap_or_default(),
        },
        Standing::Noted(note) => Conclusion::End {
            kind: EndKind::Cancelled,
            how: note.word().to_owned(),
        },
        Standing::Sending => judge.sending(),
        Standing::Lost => judge.doubt(),
        Standing::Refused => judge.refused(),
        Standing::Accepted { since } => judge.follow(since),
    }
}

/// What a process knows and has not stored yet.
const IN_HAND: &str = "the answer that this process has in hand and could not store yet";

struct Judge<'a> {
    receipt: &'a Receipt,
    e: &'a Evidence<'a>,
}

impl Judge<'_> {
    /// A person's word, where there is one that may be honoured now.
    fn resolution(&self) -> Option<Conclusion> {
        let resolution = self.receipt.resolution.as_ref()?;
        let standing = self.receipt.standing();
        // Its holder may still be sending: until that is over only the holder moves it, or the next start could overtake it.
        if !self.receipt.open() || standing == Standing::Sending && self.e.seen.doubt.is_none() {
            return None;
        }
        let how = resolution.told();
        let end = |kind| Some(Conclusion::End { kind, how: how.clone() });
        match resolution.verdict {
            Verdict::Succeeded => end(EndKind::Succeeded),
            Verdict::Failed => end(EndKind::Failed),
            Verdict::Started if !matches!(standing, Standing::Accepted { .. }) => Some(Conclusion::Adopt { how, job: None }),
            Verdict::Started => None,
            Verdict::NotStarted if matches!(standing, Standing::Accepted { .. } | Standing::Refused) => None,
            Verdict::NotStarted if standing == Standing::Sending && self.e.custody == Custody::Abandoned => None,
            // The request may still be under way to the vendor: a person cannot know, so their word waits out the grace too, and
            // what the vendor shows meanwhile outweighs it.
            Verdict::NotStarted => Some(match self.proof() {
                Some((how, job)) => Conclusion::Adopt { how, job },
                None if self.e.custody == Custody::InHand => Conclusion::Doubt {
                    stalled: false,
                    why: format!("{how}; honoured if {IN_HAND} does not say otherwise"),
                },
                None if self.at_rest_after_grace() => return end(EndKind::NotTaken),
                None => Conclusion::Doubt {
                    stalled: false,
                    why: format!("{how}; honoured once the target is seen at rest after the grace period"),
                },
            }),
        }
    }

    fn sending(&self) -> Conclusion {
        if self.e.custody == Custody::Abandoned {
            return Conclusion::End {
                kind: EndKind::Withdrawn,
                how: "its holder never used it; nothing was sent".to_owned(),
            };
        }
        if self.e.seen.doubt.is_none() {
            Conclusion::Sending
        } else {
            self.doubt()
        }
    }

    /// Sights of this target at the authority that the start went to, asked after we knew of the receipt; oldest first.
    fn sights(&self) -> impl DoubleEndedIterator<Item = &Sight> {
        self.after(self.e.seen.open)
    }

    fn after(&self, from: Mono) -> impl DoubleEndedIterator<Item = &Sight> {
        self.e
            .sights
            .iter()
            .filter(move |s| s.asked >= from && s.authority == self.e.key.authority && self.tells(s))
    }

    fn doubted_for(&self) -> Duration {
        self.e.seen.doubt.map_or(Duration::ZERO, |doubt| self.e.mono.since(doubt))
    }

    /// Complete sights asked at least GRACE after the doubt was first seen here: only these can prove a negative.
    fn settled(&self) -> impl DoubleEndedIterator<Item = &Sight> {
        let from = self.e.seen.doubt.map(|d| d.plus(self.e.timing.grace));
        self.sights()
            .filter(move |s| s.complete && s.seen() && from.is_some_and(|from| s.asked >= from))
    }

    /// The grace period is over and a look from after it shows the target at rest: only then is it known that nothing came of a request
    /// that was still under way when a person looked. A target that is out of sight past the timeout needs no such look: nothing can be
    /// started there without one.
    fn at_rest_after_grace(&self) -> bool {
        let last_seen = self.sights().next_back().is_some_and(Sight::seen);
        let looked = self.settled().next_back().is_some_and(|s| s.motion == Motion::Still);
        let out_of_sight = !last_seen && self.past_timeout(self.receipt.created);
        self.doubted_for() >= self.e.timing.grace && (looked || out_of_sight)
    }

    fn refused(&self) -> Conclusion {
        let Some(answered) = &self.receipt.answer else {
            return Conclusion::Sending;
        };
        let (kind, how) = match &answered.answer {
            Answer::NotTaken {
                reason: NotTaken::AlreadyThere,
                message,
            } => (EndKind::AlreadyAtVersion, message),
            Answer::NotTaken {
                reason: NotTaken::ConnectFailed,
                message,
            } => {
                return Conclusion::End {
                    kind: EndKind::NotTaken,
                    how: message.clone(),
                };
            }
            Answer::NotTaken { message, .. } => (EndKind::NotTaken, message),
            Answer::Rejected { message } => (EndKind::Rejected, message),
            Answer::Accepted { .. } | Answer::Lost { .. } => return Conclusion::Sending,
        };
        // An intermediary may have sent a second copy: one sight asked after the answer must not show our version moving.
        let Some(refused_at) = self.e.seen.refused else {
            return Conclusion::Confirming;
        };
        let version = &self.receipt.run.version;
        let later = || self.after(refused_at).rev().filter(|s| s.seen() && s.complete);
        if let Some(sight) = later().find(|s| s.moving_toward(version)) {
            return Conclusion::Adopt {
                how: format!("refused ({how}), but seen moving to {version} at {:.0}", sight.at),
                job: self.the_new_job(sight).map(|job| job.id.clone()),
            };
        }
        let evidence = later().find_map(|sight| self.ordered(sight));
        if let Some(how) = evidence.or_else(|| self.permitted_anew(later()).map(|(how, _)| how)) {
            return Conclusion::Adopt { how, job: None };
        }
        if let Some(other) = self.refused_and_new(kind, how, later()) {
            return other;
        }
        match later().next().map(|s| &s.motion) {
            None => self.unconfirmed(kind, how),
            // A movement whose goal the vendor does not tell may be ours.
            Some(Motion::Moving { toward: None, .. }) => Conclusion::Confirming,
            Some(_) => Conclusion::End { kind, how: how.clone() },
        }
    }

    fn follow(&self, since: Timestamp) -> Conclusion {
        let late = self.past_timeout(since);
        // What the vendor's people carry out is given up only once it can no longer begin.
        let overdue = late && (!self.receipt.left_to_vendor() || self.past_timeout(self.may_begin_until(since)));
        if self.of_devices() {
            return self.follow_devices(since, overdue);
        }
        let Some(last) = self.sights().next_back() else {
            return if overdue && self.known_for_long() {
                lost("no look at the target since")
            } else {
                Conclusion::Follow(Following::Queued { says: None })
            };
        };
        let looks = match (&last.motion, &last.looks) {
            (Motion::NotSeen { why, .. }, _) if overdue => return lost(why),
            (Motion::NotSeen { why, .. }, _) => return Conclusion::Follow(Following::OutOfSight { why: why.clone() }),
            _ if self.receipt.left_to_vendor() => return self.follow_planned(last, late, overdue),
            _ if let Some(told) = self.told_by_job(last, overdue) => return told,
            (Motion::Moving { progress, .. }, _) if !self.lists_jobs() || self.job().is_none() => {
                return Conclusion::Follow(Following::Moving {
                    progress: *progress,
                    says: last.says.clone(),
                    overdue,
                });
            }
            (_, Some(looks)) if last.complete || self.arrived_for_sure(looks) => looks,
            _ if overdue => return lost("the vendor's answer is incomplete"),
            _ => {
                return Conclusion::Follow(Following::OutOfSight {
                    why: "the vendor's answer is incomplete".to_owned(),
                });
            }
        };
        let version = &self.receipt.run.version;
        // An adopted run is judged by version alone: what stood before it is not known.
        if !looks.faulted
            && version::is_at(version, &looks.version)
            && (self.receipt.note.is_some() || looks.version != self.receipt.before.version)
        {
            return self.ended(EndKind::Succeeded, last, |when| format!("at {}{when}", looks.version));
        }
        if looks.faulted && !self.receipt.before.faulted {
            let how = |when: &str| format!("the vendor reports a failure{when}: {}", told(last));
            return self.ended(EndKind::Failed, last, how);
        }
        if overdue && !self.asked_past_timeout(last, since) {
            // It may have begun to move since; only a look from after the timeout can say that it did not.
            return if self.known_for_long() && self.e.mono.since(last.asked) >= self.e.timing.grace {
                lost("no look at the target since the timeout")
            } else {
                Conclusion::Follow(Following::Queued { says: None })
            };
        }
        if let Some(why) = self.gone(last) {
            return if overdue && looks.version != self.receipt.before.version {
                lost(&why)
            } else if overdue && self.accepted_for_long() {
                self.ended(EndKind::Failed, last, |_| why)
            } else {
                Conclusion::Follow(Following::OutOfSight { why })
            };
        }
        if overdue && self.has_jobs() && looks.version != self.receipt.before.version {
            return lost(&format!("the target {}", self.compared(looks)));
        }
        if overdue && self.accepted_for_long() {
            let how = format!("still at {} after the timeout: {}", looks.version, told(last));
            return self.ended(EndKind::Failed, last, |_| how);
        }
        if self.nothing_came_of_it() {
            let how = format!(
                "PrecheckAfterAccept: accepted, but still at {} and unchanged in two looks after the grace period: {}",
                looks.version,
                told(last)
            );
            return self.ended(EndKind::Failed, last, |_| how);
        }
        Conclusion::Follow(Following::Queued { says: None })
    }

    /// Accepted, but still and unchanged in the two newest sights, both asked at least GRACE after we knew of the acceptance.
    fn nothing_came_of_it(&self) -> bool {
        let told_by_looks = self.e.key.vendor.disproof() == Disproof::Unchanged;
        let Some(from) = self.e.seen.accepted.filter(|_| told_by_looks).map(|a| a.plus(self.e.timing.grace)) else {
            return false;
        };
        let mut newest = self.after(from).rev();
        match (newest.next(), newest.next()) {
            (Some(a), Some(b)) => [a, b].into_iter().all(|s| s.complete && self.unchanged(s)),
            _ => false,
        }
    }

    /// Evidence says that it was taken, and no answer does: what was seen may be somebody else's doing, and our own request may still be
    /// on its way. Until the grace period is over the receipt stays open, or the next start would overtake it.
    fn may_be_under_way(&self) -> bool {
        let answered = matches!(&self.receipt.answer, Some(a) if !matches!(a.answer, Answer::Lost { .. }));
        let over = |since: Mono| self.e.mono.since(since) >= self.e.timing.grace;
        self.receipt.note.is_none() && !answered && !self.e.seen.accepted.is_some_and(over)
    }

    /// An end, unless our own request may still be under way. `how` is given when it was seen: that stands in an end, which is written once,
    /// but not in what is shown until then, which would be written anew with each look.
    fn ended(&self, kind: EndKind, last: &Sight, how: impl FnOnce(&str) -> String) -> Conclusion {
        if self.may_be_under_way() {
            Conclusion::Follow(Following::Settling { how: how("") })
        } else {
            let how = how(&format!(" at {:.0}", last.at));
            Conclusion::End { kind, how }
        }
    }

    fn past_timeout(&self, since: Timestamp) -> bool {
        self.past(since).is_some()
    }

    /// How long ago the timeout passed.
    fn past(&self, since: Timestamp) -> Option<Duration> {
        let timeout = SignedDuration::try_from(self.e.timeout).unwrap_or(SignedDuration::MAX);
        let past = self.e.wall.duration_since(since).saturating_sub(timeout);
        Duration::try_from(past).ok()
    }

    fn asked_past_timeout(&self, sight: &Sight, since: Timestamp) -> bool {
        self.past(since).is_some_and(|past| self.e.mono.since(sight.asked) <= past)
    }

    /// By our own monotonic clock, too: a wall clock that jumps ahead fails no run that was taken a moment ago.
    fn accepted_for_long(&self) -> bool {
        let long = self.e.timing.grace.min(self.e.timeout);
        self.e.seen.accepted.is_some_and(|since| self.e.mono.since(since) >= long)
    }

    /// This process has had time enough to look: a restart alone never loses sight of anything.
    fn known_for_long(&self) -> bool {
        self.e.mono.since(self.e.seen.open) >= self.e.timing.grace
    }
}

fn lost(why: &str) -> Conclusion {
    Conclusion::Follow(Following::LostSight { why: why.to_owned() })
}

fn told(sight: &Sight) -> String {
    if let Some(fleet) = &sight.fleet {
        let devices = fleet.lines.iter().fold(0_u32, |sum, line| sum.saturating_add(line.devices));
        return format!("{devices} devices seen");
    }
    let version = sight.looks.as_ref().map_or("an unknown version", |l| l.version.as_str());
    match &sight.says {
        Some(says) => format!("at {version}, the vendor says: {says}"),
        None => format!("at {version}"),
    }
}

#[cfg(test)]
#[path = "conclude_tests.rs"]
mod tests;
