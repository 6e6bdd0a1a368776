//! Runs that the vendor's people carry out when they choose (HMC, remote firmware updates): waiting for their schedule, following what stands
//! there, and telling one that was withdrawn from one that failed (`vendors.md` 3.1, 3.4 and 5.2).
//!
//! Part of [`conclude`](super), which is its only caller. An update on the schedule is ours when it goes to our version and was not there before:
//! what was there is another run's, and its last words are documented nowhere.

use jiff::Timestamp;

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
use crate::upgrade::version::Order;

/// How the end of a run begins whose token nobody used.
pub const TOKEN_EXPIRED: &str = "TokenExpired";

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

    /// Until when it may yet begin, as far as is known: while that lies ahead the timeout runs out on nobody. At least `since`.
    pub(super) fn may_begin_until(&self, since: Timestamp) -> Timestamp {
        let permitted = self.sights().filter_map(|sight| sight.permitted).max();
        let moments = [self.begins(), permitted, self.receipt.before.permitted];
        moments.into_iter().flatten().fold(since, Timestamp::max)
    }

    /// When it is to begin: as it was last seen, else as it was written down when it was first seen.
    fn begins(&self) -> Option<Timestamp> {
        let seen = self
            .sights()
            .rev()
            .find_map(|sight| Some(self.on_schedule(sight)?.planned.as_ref()?.at));
        let written = || self.receipt.scheduled.as_ref().map(|scheduled| scheduled.begins);
        let adopted = || self.receipt.before.jobs.as_ref().filter(|_| self.receipt.note.is_some())?.begins;
        seen.or_else(written).or_else(adopted)
    }

    /// Where a run stands that the vendor's people carry out. `last` saw the target. `overdue`: longer than `timeout` since it was taken, which is
    /// told as such; `given_up`: longer than that since it could still begin, which ends it where it is not seen.
    pub(super) fn follow_planned(&self, last: &Sight, overdue: bool, given_up: bool) -> Conclusion {
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
            _ if given_up => return lost(incomplete),
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
            Some(job) if job.still_planned(self.e.wall) => self.first_seen(job).unwrap_or_else(|| {
                out_of_sight(&format!(
                    "IBM's update to {} says {:?}, which is not known",
                    self.receipt.run.version, job.word
                ))
            }),
            _ if looks.permissions.is_none() => untold(last, given_up),
            Some(job) => self.over_or_not(last, looks, &format!("IBM's update {} says {:?}", job.id, job.word), given_up),
            None if self.job().is_some() => {
                let what = "the update that IBM scheduled is no longer on the console's schedule";
                self.over_or_not(last, looks, what, given_up)
            }
            None => self.not_scheduled(last, looks, overdue, given_up),
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

    /// It is not to come any more, as far as can be told, and the version is not there. That is an end once the console has looked like this for
    /// the grace period: it may restart, be slow to tell its new version, or IBM may take the update off its schedule to put it there anew. Gone
    /// before its time, and nothing of it seen, it was withdrawn.
    fn over_or_not(&self, last: &Sight, looks: &Looks, what: &str, given_up: bool) -> Conclusion {
        let how = format!("{what}, and the console {}", self.compared(looks));
        let as_before = looks.version == self.receipt.before.version;
        if !as_before {
            return if given_up { lost(&how) } else { out_of_sight(&how) };
        }
        if !self.at_rest_for_long(last) {
            return out_of_sight(&how);
        }
        let ran = self.sights().any(|sight| matches!(sight.motion, Motion::Moving { .. }));
        match self.begins() {
            Some(begins) if !ran && last.at < begins => self.ended(EndKind::Cancelled, last, |_| {
                format!("withdrawn before its time, {begins:.0}: {how}")
            }),
            _ => self.ended(EndKind::Failed, last, |_| how),
        }
    }

    /// The newest look shows the console at rest, and has shown nothing else for the grace period. Time in which it could not be seen does not
    /// count.
    fn at_rest_for_long(&self, last: &Sight) -> bool {
        let known = self.e.seen.open;
        let since = self.e.unchanged_since.map_or(last.asked, |since| since.max(known));
        last.complete && last.motion == Motion::Still && last.asked.since(since) >= self.e.timing.grace
    }

    /// Nothing stands on the schedule, and nothing did. As long as a token is good somebody may still use it, whatever the timeout says.
    fn not_scheduled(&self, last: &Sight, looks: &Looks, overdue: bool, given_up: bool) -> Conclusion {
        let version = &self.receipt.run.version;
        if looks.version != self.receipt.before.version {
            let why = format!("nothing is scheduled to {version}, and the console {}", self.compared(looks));
            let passed = version::order(version, &looks.version) == Order::Older;
            return match passed && self.at_rest_for_long(last) {
                true => self.ended(EndKind::Failed, last, |_| why),
                false if given_up => lost(&why),
                false => out_of_sight(&why),
            };
        }
        let good = |sight: &Sight| sight.permitted.filter(|until| *until > self.e.wall);
        let mut newest = self.sights().rev().filter(|sight| sight.complete);
        let none_twice = [newest.next(), newest.next()]
            .into_iter()
            .all(|s| s.is_some_and(|s| good(s).is_none()));
        if none_twice && self.permission_over() && self.accepted_for_long() {
            let how = format!(
                "{TOKEN_EXPIRED}: the token ran out, and IBM scheduled nothing to {version} before; {}",
                told(last)
            );
            return self.ended(EndKind::Failed, last, |_| how);
        }
        let until = good(last);
        let others = last.jobs.iter().filter(|job| job.still_planned(self.e.wall));
        let instead = others.map(|job| job.does.version().unwrap_or("another bundle").to_owned()).next();
        Conclusion::Follow(Following::Unscheduled { until, instead, overdue })
    }

    /// The console itself says until when a token is good. One that we asked for, and that it does not list, may be good for as long as any is;
    /// one that was there, until the end that was written down when the run was adopted, whatever is listed since: used, it may be listed no more.
    fn permission_over(&self) -> bool {
        let life = jiff::SignedDuration::try_from(self.e.timing.permission_life).unwrap_or(jiff::SignedDuration::MAX);
        match self.receipt.note {
            Some(Note::Adopted) => self.receipt.before.permitted.is_none_or(|until| until <= self.e.wall),
            _ => self.e.wall.duration_since(self.receipt.created) >= life,
        }
    }
}

/// Which tokens are good, and what is on the schedule, is not told.
fn untold(last: &Sight, given_up: bool) -> Conclusion {
    let why = last.says.as_deref().unwrap_or("the console does not tell which tokens are good");
    if given_up { lost(why) } else { out_of_sight(why) }
}

fn out_of_sight(why: &str) -> Conclusion {
    Conclusion::Follow(Following::OutOfSight { why: why.to_owned() })
}

#[cfg(test)]
#[path = "planned_tests.rs"]
mod tests;
