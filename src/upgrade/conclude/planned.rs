//! Runs that the vendor's people carry out when they choose (HMC, remote firmware updates): waiting for their schedule, following what stands
//! there, and telling one that was withdrawn from one that failed (`vendors.md` 3.1, 3.4 and 5.2).
//!
//! Part of [`conclude`](super), which is its only caller. An update on the schedule is ours when it goes to our version and was not there before:
//! what was there is another run's, and its last words are documented nowhere.

use super::Conclusion;
use super::Following;
use super::Judge;
use super::lost;
use super::told;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Note;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::version;

impl Judge<'_> {
    /// Evidence that leave was given which was not there before the start: a token that is new in the list, or an update to our version that is new
    /// on the schedule. Tokens are alike, so whose it is does not matter; there being several harms nobody.
    pub(super) fn permitted_anew<'s>(&self, sights: impl IntoIterator<Item = &'s Sight>) -> Option<(String, Option<String>)> {
        if !self.receipt.asks_permission() {
            return None;
        }
        sights.into_iter().find_map(|sight| {
            let token = sight.new_permissions(&self.receipt.before).is_some_and(|new| new > 0);
            let what = if token {
                "a token that was not there before the start is listed".to_owned()
            } else {
                let update = self.on_schedule(sight).filter(|_| sight.complete)?;
                format!("update {} to {} is new on the schedule", update.id, self.receipt.run.version)
            };
            Some((format!("{what}, seen at {:.0}", sight.at), None))
        })
    }

    /// What carries our run out, as this look shows it: what we know as such, else what goes to our version and is new.
    fn on_schedule<'s>(&self, sight: &'s Sight) -> Option<&'s Job> {
        let stands = |job: &&Job| job.planned.is_some() || job.active();
        let known = self.job().and_then(|id| sight.job(id)).filter(stands);
        let before = self.receipt.before.jobs.as_ref();
        let new = |job: &&Job| before.is_none_or(|before| !before.ids.contains(&job.id));
        let ours = |job: &&Job| job.does == Does::Installs(self.receipt.run.version.clone());
        known.or_else(|| {
            let mut candidates: Vec<&Job> = sight.jobs.iter().filter(stands).filter(ours).filter(new).collect();
            candidates.sort_by_key(|job| (!job.active(), job.planned.as_ref().map(|planned| planned.at)));
            candidates.first().copied()
        })
    }

    /// Where a run stands that the vendor's people carry out. `last` saw the target.
    pub(super) fn follow_planned(&self, last: &Sight, overdue: bool) -> Conclusion {
        let update = self.on_schedule(last);
        if let Some(running) = update.filter(|job| job.state == JobState::Running) {
            return self.first_seen(running).unwrap_or_else(|| {
                Conclusion::Follow(Following::Moving {
                    progress: running.progress,
                    says: running.says.clone(),
                    overdue,
                })
            });
        }
        let incomplete = "the vendor's answer is incomplete";
        let looks = match &last.looks {
            Some(looks) if last.complete || self.arrived_for_sure(looks) => looks,
            _ if overdue => return lost(incomplete),
            _ => return out_of_sight(incomplete),
        };
        let elsewhere = self.receipt.note.is_some() || looks.version != self.receipt.before.version;
        if version::is_at(&self.receipt.run.version, &looks.version) && elsewhere {
            return self.ended(EndKind::Succeeded, last, |when| format!("at {}{when}", looks.version));
        }
        match update {
            Some(job) if job.state == JobState::Queued => self.first_seen(job).unwrap_or_else(|| {
                let begins = job.planned.as_ref().map(|planned| planned.at);
                let says = format!("IBM scheduled {} (state {})", self.receipt.run.version, job.word);
                Conclusion::Follow(Following::Scheduled { begins, says, overdue })
            }),
            // A word that nobody documents: it may be over, or about to begin. Its time and the console tell.
            Some(job) if job.still_planned(self.e.wall) && !overdue => out_of_sight(&format!(
                "IBM's update to {} says {:?}, which is not known",
                self.receipt.run.version, job.word
            )),
            Some(job) => self.over_or_not(last, looks, &format!("IBM's update {} says {:?}", job.id, job.word), overdue),
            None if self.job().is_some() => {
                let what = "the update that IBM scheduled is no longer on the console's schedule";
                self.over_or_not(last, looks, what, overdue)
            }
            None => self.not_scheduled(last, looks, overdue),
        }
    }

    /// The first time that it is seen, it is written down: a process that starts later must tell what was withdrawn from what failed.
    fn first_seen(&self, job: &Job) -> Option<Conclusion> {
        let planned = job.planned.as_ref().filter(|_| self.receipt.scheduled.is_none())?;
        Some(Conclusion::Scheduled {
            job: job.id.clone(),
            begins: planned.at,
            how: format!(
                "IBM scheduled {} for {:.0} (state {})",
                self.receipt.run.version, planned.at, job.word
            ),
        })
    }

    /// It is not to come any more, as far as can be told, and the version is not there. Withdrawn before its time, nothing ran; otherwise it has
    /// failed once the console has been seen like this for the grace period: it may restart, or be slow to tell its new version.
    fn over_or_not(&self, last: &Sight, looks: &Looks, what: &str, overdue: bool) -> Conclusion {
        let how = format!("{what}, and the console {}", self.compared(looks));
        let begins = self.receipt.scheduled.as_ref().map(|scheduled| scheduled.begins);
        let gone = |sight: &&Sight| sight.complete && sight.motion == Motion::Still && self.on_schedule(sight).is_none();
        let mut newest = self.sights().rev();
        let gone_twice = newest.next().as_ref().is_some_and(gone) && newest.next().as_ref().is_some_and(gone);
        let as_before = looks.version == self.receipt.before.version;
        let ran = self.sights().any(|sight| matches!(sight.motion, Motion::Moving { .. }));
        if gone_twice && as_before && !ran && begins.is_some_and(|begins| last.at < begins) {
            let when = begins.map(|begins| format!(" before its time, {begins:.0}")).unwrap_or_default();
            return self.ended(EndKind::Cancelled, last, |_| format!("withdrawn{when}: {how}"));
        }
        let moved = self
            .sights()
            .rev()
            .find(|sight| matches!(sight.motion, Motion::Moving { .. }) || self.planned_still(sight));
        let since = moved.map_or(self.e.seen.open, |sight| sight.asked.max(self.e.seen.open));
        let long = last.asked.since(since) >= self.e.timing.grace;
        match as_before {
            true if long && (ran || begins.is_none_or(|begins| begins <= last.at)) => self.ended(EndKind::Failed, last, |_| how),
            false if overdue => lost(&how),
            _ => out_of_sight(&how),
        }
    }

    /// This look showed it as still to come.
    fn planned_still(&self, sight: &Sight) -> bool {
        self.on_schedule(sight).is_some_and(Job::active)
    }

    /// Nothing stands on the schedule, and nothing did. As long as a token is good somebody may still use it, whatever the timeout says.
    fn not_scheduled(&self, last: &Sight, looks: &Looks, overdue: bool) -> Conclusion {
        if looks.permissions.is_none() {
            let why = last.says.as_deref().unwrap_or("the console does not tell which tokens are good");
            return if overdue { lost(why) } else { out_of_sight(why) };
        }
        if looks.version != self.receipt.before.version {
            let why = format!("nothing is scheduled, and the console {}", self.compared(looks));
            return if overdue { lost(&why) } else { out_of_sight(&why) };
        }
        let good = |sight: &Sight| sight.permitted.filter(|until| *until > self.e.wall);
        let mut newest = self.sights().rev().filter(|sight| sight.complete);
        let none_twice = [newest.next(), newest.next()]
            .into_iter()
            .all(|s| s.is_some_and(|s| good(s).is_none()));
        if none_twice && self.permission_over() && self.accepted_for_long() {
            let how = format!(
                "the token ran out, and IBM scheduled nothing to {} before; {}",
                self.receipt.run.version,
                told(last)
            );
            return self.ended(EndKind::Failed, last, |_| how);
        }
        let until = good(last);
        Conclusion::Follow(Following::Unscheduled { until, overdue })
    }

    /// The console itself says until when a token is good. One that we asked for, and that it does not list, may be good for as long as any is.
    fn permission_over(&self) -> bool {
        let life = jiff::SignedDuration::try_from(self.e.timing.permission_life).unwrap_or(jiff::SignedDuration::MAX);
        let asked = self.receipt.note != Some(Note::Adopted);
        !asked || self.e.wall.duration_since(self.receipt.created) >= life
    }
}

fn out_of_sight(why: &str) -> Conclusion {
    Conclusion::Follow(Following::OutOfSight { why: why.to_owned() })
}

#[cfg(test)]
#[path = "planned_tests.rs"]
mod tests;
