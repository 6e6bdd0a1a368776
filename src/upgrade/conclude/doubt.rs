//! A start that may or may not have been taken: what proves that it was, what proves that it was not, and what only a person can tell.
//!
//! Part of [`conclude`](super), which is its only caller.

use super::Conclusion;
use super::IN_HAND;
use super::Judge;
use super::told;
use crate::upgrade::memory::Custody;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Verdict;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Disproof;
use crate::upgrade::version;

impl Judge<'_> {
    pub(super) fn doubt(&self) -> Conclusion {
        let wait = |stalled, why| Conclusion::Doubt { stalled, why };
        let late = self.past_timeout(self.receipt.created);
        let Some(last) = self.sights().next_back() else {
            return wait(late && self.known_for_long(), "no look at the target since".to_owned());
        };
        if let Some((how, job)) = self.proof() {
            return Conclusion::Adopt { how, job };
        }
        let mut settled = self.settled().rev();
        let newest = settled.next();
        let newest_two = newest.zip(settled.next());
        if self.receipt.hint.is_none()
            && let Some(hint) = self.sights().rev().find(|s| self.hints(s))
        {
            let how = format!(
                "something happened to the target, seen at {:.0}, that may have been this start: {}",
                hint.at,
                seen(hint)
            );
            return Conclusion::Hint { how };
        }
        match (newest_two, &last.motion) {
            (_, Motion::NotSeen { why, .. }) if newest_two.is_none() => wait(late, format!("the target cannot be seen: {why}")),
            // Somebody else's upgrade will end; what comes after it may tell.
            (_, Motion::Moving { toward, .. }) => {
                let toward = toward.as_deref().unwrap_or("an unknown version");
                wait(false, format!("the target is being upgraded to {toward}"))
            }
            (Some((newest, older)), _) if self.unchanged(newest) && self.unchanged(older) => match &self.receipt.hint {
                // It may say that it was taken, and given up since: what then looks untouched ran all the same.
                None if self.e.custody == Custody::InHand => wait(false, format!("waits for {IN_HAND}: {}", told(newest))),
                None => Conclusion::End {
                    kind: EndKind::NotTaken,
                    how: format!(
                        "unchanged in two looks after the grace period, the last at {:.0}: {}{}",
                        newest.at,
                        told(newest),
                        self.answered_with()
                    ),
                },
                Some(hint) => wait(true, format!("the target is as before, but {}", hint.how)),
            },
            (_, Motion::NotSeen { why, .. }) => wait(late, format!("the target cannot be seen: {why}")),
            (Some((newest, _)), _) if !self.unchanged(newest) => wait(true, self.why_not_as_before(newest)),
            _ if !last.complete => wait(late, "the vendor's answer is incomplete".to_owned()),
            _ => wait(false, format!("too early to tell: {}", told(last))),
        }
    }

    /// Refused, and no look since could confirm it. Past the timeout a person's word stands in for that look.
    pub(super) fn unconfirmed(&self, kind: EndKind, said: &str) -> Conclusion {
        if !(self.past_timeout(self.receipt.created) && self.known_for_long()) {
            return Conclusion::Confirming;
        }
        if let Some(word) = self.receipt.resolution.as_ref().filter(|r| r.verdict == Verdict::NotStarted) {
            let how = format!("{said}; {}", word.told());
            return Conclusion::End { kind, how };
        }
        let why = match self.sights().next_back().map(|s| &s.motion) {
            None => "no look at the target since",
            Some(Motion::NotSeen { why, .. }) => why,
            Some(_) => "the vendor's answer is incomplete",
        };
        Conclusion::Doubt {
            stalled: true,
            why: format!("it was refused ({said}), and the look that must confirm it cannot be made: {why}"),
        }
    }

    /// Evidence in any sight since we knew of the receipt that our start was taken.
    pub(super) fn proof(&self) -> Option<(String, Option<String>)> {
        self.sights().rev().find_map(|s| self.taken(s))
    }

    /// No proof that our start was taken, but enough that "never taken" is not proven either: a movement that may be ours, a new
    /// failure that is nobody else's, our version as the one asked for.
    pub(super) fn hints(&self, sight: &Sight) -> bool {
        if self.lists_jobs() {
            return self.jobs_hint(sight);
        }
        let (version, before) = (&self.receipt.run.version, &self.receipt.before);
        match (&sight.motion, &sight.looks) {
            (Motion::Moving { toward, .. }, _) => toward.as_ref().is_none_or(|t| t == version),
            (Motion::Still, Some(looks)) => {
                let asked_for_ours = looks.desired.as_ref() == Some(version) && before.desired.as_ref() != Some(version);
                asked_for_ours || looks.faulted && !before.faulted && looks.desired.is_none()
            }
            _ => false,
        }
    }

    /// Evidence in this sight that our start was taken, and the job that it is.
    pub(super) fn taken(&self, sight: &Sight) -> Option<(String, Option<String>)> {
        if self.of_devices() {
            return self.ordered(sight).map(|how| (how, None));
        }
        if let Some(permitted) = self.permitted_anew(std::iter::once(sight)) {
            return Some(permitted);
        }
        let version = &self.receipt.run.version;
        if self.lists_jobs()
            && let Some(job) = self.the_new_job(sight)
        {
            return Some((
                format!("job {} is new since the start, seen at {:.0}", job.id, sight.at),
                Some(job.id.clone()),
            ));
        }
        // Where a start is a job, a movement to the same version may be another's.
        if !self.has_jobs() && sight.complete && sight.moving_toward(version) {
            return Some((format!("seen moving to {version} at {:.0}", sight.at), None));
        }
        let whole = sight.motion == Motion::Still && sight.complete;
        let looks = sight.looks.as_ref().filter(|looks| whole || self.arrived_for_sure(looks))?;
        if looks.faulted && !self.receipt.before.faulted && looks.desired.as_ref() == Some(version) {
            return Some((format!("seen failed on the way to {version} at {:.0}", sight.at), None));
        }
        self.arrived(looks)
            .then(|| (format!("seen at {} at {:.0}", looks.version, sight.at), None))
    }

    /// What the vendor answered, where it did and its words prove nothing.
    fn answered_with(&self) -> String {
        match self.receipt.answer.as_ref().map(|a| &a.answer) {
            Some(Answer::Lost { message }) => format!("; the answer was: {message}"),
            _ => String::new(),
        }
    }

    /// At our version, and not where it was before: a stamp that is set and has not moved says that nothing happened.
    pub(super) fn arrived(&self, looks: &Looks) -> bool {
        let before = &self.receipt.before;
        let stamp_stood = looks.stamp.is_some() && looks.stamp == before.stamp;
        !looks.faulted && version::is_at(&self.receipt.run.version, &looks.version) && looks.version != before.version && !stamp_stood
    }

    /// As before, as far as this vendor shows it: that nothing came of a start.
    pub(super) fn unchanged(&self, sight: &Sight) -> bool {
        let before = &self.receipt.before;
        let same = |l: &Looks| l.version == before.version && l.stamp == before.stamp && !l.faulted;
        let proven = match self.e.key.vendor.disproof() {
            Disproof::Unchanged => true,
            Disproof::Witness => self.witnessed(sight),
            // Leave that was given is listed until it ends: a list that is whole and has nothing new says that none was.
            Disproof::None => self.receipt.asks_permission() && sight.complete && sight.new_permissions(before) == Some(0),
        };
        proven && sight.motion == Motion::Still && sight.looks.as_ref().is_some_and(same)
    }
}

/// What a sight showed, in a word.
fn seen(sight: &Sight) -> String {
    match &sight.motion {
        Motion::Moving { toward: Some(toward), .. } => format!("it was going to {toward}"),
        Motion::Moving { toward: None, .. } => "it was moving".to_owned(),
        Motion::Still | Motion::NotSeen { .. } => told(sight),
    }
}
