//! Vendors that have jobs: what a job's own state tells, and, where they can be listed, what is new in the list since before the start.
//!
//! The second half of [`conclude`](super), which is its only caller but for [`job_of`]. Ids are compared, nothing else: a job's times are the
//! vendor's clock, and its words are documented nowhere (`vendors.md` 2.2).

use super::Conclusion;
use super::Following;
use super::Judge;
use super::told;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::JobsBefore;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Disproof;
use crate::upgrade::target::Jobs;

/// The vendor's job that carries a receipt's run out, as far as the receipt tells.
pub fn job_of(receipt: &Receipt) -> Option<&str> {
    let answered = match receipt.answer.as_ref().map(|a| &a.answer) {
        Some(Answer::Accepted { job }) => job.as_deref(),
        _ => None,
    };
    let adopted = || receipt.adopted.as_ref().and_then(|a| a.job.as_deref());
    let scheduled = || receipt.scheduled.as_ref().map(|s| s.job.as_str());
    let mover = || receipt.before.jobs.as_ref().filter(|_| receipt.note.is_some())?.mover.as_deref();
    answered.or_else(adopted).or_else(scheduled).or_else(mover)
}

impl Judge<'_> {
    /// The vendor lists its jobs, and a start is one.
    pub(super) fn lists_jobs(&self) -> bool {
        self.e.key.vendor.jobs() == Jobs::Listed
    }

    /// A start is a job of the vendor's, whether or not jobs can be listed.
    pub(super) fn has_jobs(&self) -> bool {
        self.e.key.vendor.jobs() != Jobs::None
    }

    /// What people call a job at this vendor.
    fn job_word(&self) -> &'static str {
        match self.e.key.vendor.jobs() {
            Jobs::Listed => "task",
            Jobs::Named | Jobs::None => "job",
        }
    }

    pub(super) fn job(&self) -> Option<&str> {
        job_of(self.receipt)
    }

    /// The vendor itself named the job in its answer. Any other is ours by evidence, and what it came to counts only with the version.
    fn named_by_answer(&self) -> bool {
        matches!(
            self.receipt.answer.as_ref().map(|a| &a.answer),
            Some(Answer::Accepted { job: Some(_) })
        )
    }

    fn listed(sight: &Sight) -> Option<&JobsBefore> {
        sight.looks.as_ref().filter(|_| sight.complete)?.jobs.as_ref()
    }

    /// How many jobs a complete list shows that were not there before the start; `None` where one of the two lists is not known.
    fn count_new(&self, sight: &Sight) -> Option<usize> {
        let before = &self.receipt.before.jobs.as_ref().filter(|_| self.lists_jobs())?.ids;
        Some(Self::listed(sight)?.ids.difference(before).count())
    }

    /// Exactly one job is new since before the start, and its words do not say that it is another's. Two or more: nobody can tell which.
    pub(super) fn the_new_job<'s>(&self, sight: &'s Sight) -> Option<&'s Job> {
        let before = &self.receipt.before.jobs.as_ref().filter(|_| self.lists_jobs())?.ids;
        let mut new = Self::listed(sight)?.ids.difference(before);
        let (one, None) = (new.next()?, new.next()) else { return None };
        sight.job(one).filter(|job| match &job.does {
            Does::Untold => true,
            Does::Installs(version) => *version == self.receipt.run.version,
            Does::Else => false,
        })
    }

    /// Something new is in the list, or something is under way and the list of before is not known: it may be this start.
    pub(super) fn jobs_hint(&self, sight: &Sight) -> bool {
        match self.count_new(sight) {
            Some(new) => new > 0,
            None => sight.jobs.iter().any(Job::active),
        }
    }

    /// The witness rule: every job of before is still listed, the witness among them, and nothing is new. A list that forgets, or one
    /// without a witness, proves nothing.
    pub(super) fn witnessed(&self, sight: &Sight) -> bool {
        let (Some(before), Some(now)) = (&self.receipt.before.jobs, Self::listed(sight)) else {
            return false;
        };
        before.witness.as_ref().is_some_and(|witness| now.ids.contains(witness)) && before.ids == now.ids
    }

    /// Why a settled look is no proof that nothing was taken.
    pub(super) fn why_not_as_before(&self, sight: &Sight) -> String {
        let (version, before) = (&self.receipt.run.version, &self.receipt.before);
        if self.of_devices() {
            return self.why_devices_prove_nothing(sight);
        }
        let elsewhere = sight.looks.as_ref().is_some_and(|l| l.version != before.version);
        if !elsewhere && self.e.key.vendor.disproof() == Disproof::None {
            return format!(
                "the target is as before ({}), and there that does not prove that nothing was taken",
                told(sight)
            );
        }
        if !self.lists_jobs() || elsewhere {
            return format!(
                "the target shows neither {version} nor the state before ({}): {}",
                before.version,
                told(sight)
            );
        }
        let at = told(sight);
        let (Some(known), Some(now)) = (&before.jobs, Self::listed(sight)) else {
            return format!("the target is {at}, and its tasks from before the start are not known");
        };
        let new: Vec<&str> = now.ids.difference(&known.ids).map(String::as_str).collect();
        if !new.is_empty() {
            return format!(
                "the target is {at}, and nobody can tell which of its new tasks is this start: {}",
                some_of(&new)
            );
        }
        let gone = known.ids.difference(&now.ids).count();
        if gone > 0 {
            return format!(
                "the target is {at}, and {gone} of its {} tasks from before the start are no longer listed",
                known.ids.len()
            );
        }
        format!("the target is {at}, and it does not list the tasks that it is given")
    }

    /// What our job's own state says; `None` where it was not seen, or says too little.
    pub(super) fn told_by_job(&self, last: &Sight, overdue: bool) -> Option<Conclusion> {
        let job = match self.job() {
            Some(id) => last.job(id)?,
            // What somebody else began was there before the receipt: anything new is another.
            None if self.receipt.note.is_none() => self.the_new_job(last)?,
            None => return None,
        };
        let said = job.says.as_ref().map(|says| format!(": {says}")).unwrap_or_default();
        let how = format!("{} {} {}{said}", self.job_word(), job.id, job.word);
        Some(match job.state {
            JobState::Queued if !overdue => Conclusion::Follow(Following::Queued { says: Some(how) }),
            JobState::Queued | JobState::Running => Conclusion::Follow(Following::Moving {
                progress: job.progress,
                says: Some(how),
                overdue,
            }),
            JobState::Succeeded if self.lists_jobs() && self.named_by_answer() => {
                self.ended(EndKind::Succeeded, last, |_| format!("{how}; {}", told(last)))
            }
            JobState::Failed => self.ended(EndKind::Failed, last, |_| how),
            JobState::Cancelled => self.ended(EndKind::Cancelled, last, |_| how),
            JobState::Succeeded | JobState::Unknown => return None,
        })
    }

    /// Our job cannot be followed any more, or says that it is done, and the target is not where it was to go. The strings that were
    /// compared, for whoever has to say what they mean.
    pub(super) fn gone(&self, last: &Sight) -> Option<String> {
        let id = self.job().filter(|_| self.has_jobs())?;
        let looks = last.looks.as_ref()?;
        let word = self.job_word();
        let job = match last.job(id) {
            Some(job) if job.state == JobState::Succeeded => format!("{word} {id} {}, but the target", job.word),
            _ if self.lists_jobs() => format!("{word} {id} is no longer listed, and the target"),
            _ => format!("{word} {id} is no longer known there, and the target"),
        };
        Some(format!("{job} {}", self.compared(looks)))
    }

    /// The strings that were compared, for whoever has to say what they mean.
    pub(super) fn compared(&self, looks: &Looks) -> String {
        let (version, asked, before) = (&looks.version, &self.receipt.run.version, &self.receipt.before.version);
        if version == before {
            format!("is still at {version}, not at {asked}")
        } else {
            format!("reports {version:?}, which is neither the version asked for, {asked:?}, nor the one before, {before:?}")
        }
    }

    /// Arrived, whatever else could be read: the version is told by the target itself and not by its list of jobs.
    pub(super) fn arrived_for_sure(&self, looks: &Looks) -> bool {
        self.has_jobs() && self.arrived(looks)
    }

    /// A refusal, and something new in the list: an intermediary may have sent the request twice, and its other copy may have been taken.
    /// `None`: nothing new.
    pub(super) fn refused_and_new<'s>(&self, kind: EndKind, how: &str, mut later: impl Iterator<Item = &'s Sight>) -> Option<Conclusion> {
        let sight = later.find(|s| self.count_new(s).is_some_and(|new| new > 0))?;
        let ours = |job: &&Job| job.does == Does::Installs(self.receipt.run.version.clone());
        // What is refused for good is not tried again, so only clear words outweigh it. What may be tried again waits for all that is new.
        let job = self.the_new_job(sight).filter(|job| kind != EndKind::Rejected || ours(job));
        match job {
            Some(job) => Some(Conclusion::Adopt {
                how: format!(
                    "refused ({how}), but task {} is new since the start, seen at {:.0}",
                    job.id, sight.at
                ),
                job: Some(job.id.clone()),
            }),
            None if kind == EndKind::Rejected => None,
            None => Some(Conclusion::Doubt {
                stalled: true,
                why: format!("it was refused ({how}), but {}", self.why_not_as_before(sight)),
            }),
        }
    }
}

/// The first few of a list, for a message.
fn some_of(ids: &[&str]) -> String {
    const NAMED: usize = 3;
    let more = ids.len().saturating_sub(NAMED);
    let named = ids.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "console_tests.rs"]
mod console;
