//! What may be asked of a vendor that counts the calls of a day (Aruba Central, `vendors.md` 1.3), and how often to look for it to last.
//!
//! Vendor clients ask [`Quota::affords`] before each look, on their own count; [`decide`](super::decide) asks how long to wait between two.
//! The day's last tenth is kept for starts and for the looks that end runs.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

/// What a call is for. The dearer ones may go deeper into what is left of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spend {
    /// To look at something that waits, or is nobody's concern right now.
    #[default]
    Waiting,
    /// To follow a run.
    Watching,
    /// To look at a run that is about to end, or whose end is due.
    Finishing,
    /// To start something: the look right before it, and the start.
    Starting,
}

/// What is left of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Calls that Windlass may make in a day: what the Connection allows, or the vendor where that is less.
    pub limit: u32,
    /// Calls of those that are left.
    pub remaining: u32,
    /// When the day ends, and they are all back.
    pub resets_at: Timestamp,
}

/// Share of a day's calls that looks leave alone, in percent.
const KEPT: u32 = 10;

/// How long such a day is.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Quota {
    /// The same at a later moment: after the end of the day another has begun, whole.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Quota {
        if now < self.resets_at {
            return self;
        }
        let days = now.duration_since(self.resets_at).as_secs() / DAY.as_secs() + 1;
        let next = DAY.checked_mul(i32::try_from(days).unwrap_or(i32::MAX));
        Quota {
            remaining: self.limit,
            resets_at: next.and_then(|d| self.resets_at.checked_add(d).ok()).unwrap_or(Timestamp::MAX),
            ..self
        }
    }

    /// Calls that are kept for what matters more than this.
    pub fn kept_from(&self, spend: Spend, now: Timestamp) -> u32 {
        let kept = percent(self.limit, KEPT);
        match spend {
            Spend::Starting => 0,
            Spend::Finishing => kept / 2,
            Spend::Watching => kept,
            Spend::Waiting => kept.saturating_add(self.due_to_runs(now)),
        }
    }

    /// Of what looks may spend in a day, the half that is for runs, as far as the day is not over: an hour with hundreds of new upgrades must
    /// not leave those blind that run in the evening.
    fn due_to_runs(&self, now: Timestamp) -> u32 {
        let left = self.resets_at.duration_since(now).as_secs().clamp(0, DAY.as_secs());
        let half = i64::from(percent(self.limit, 100 - KEPT) / 2);
        u32::try_from(half * left / DAY.as_secs()).unwrap_or(0)
    }

    /// Only what is kept is left: from here on runs are not followed until the day is over.
    pub fn low(limit: u32, remaining: u32) -> bool {
        remaining < percent(limit, KEPT)
    }

    /// Whether so many calls for this leave what has to be left.
    pub fn affords(&self, spend: Spend, calls: u32, now: Timestamp) -> bool {
        let today = self.at(now);
        today.remaining >= today.kept_from(spend, now).saturating_add(calls)
    }
}

impl Quota {
    /// How long to wait between two looks at the same thing, for what is left to last until the day is over. `round`: calls that one look at
    /// each of those takes that share in it.
    pub fn pace(&self, spend: Spend, round: u32, now: Timestamp) -> Duration {
        let today = self.at(now);
        let left = Duration::try_from(today.resets_at.duration_since(now)).unwrap_or(Duration::ZERO);
        // What waits gets by on a quarter, and does so over the whole of a day: nothing of it changes by the hour.
        if spend == Spend::Waiting {
            let share = percent(today.limit, SHARE_OF_WAITING).max(1);
            return (WHOLE_DAY * round / share).min(WHOLE_DAY);
        }
        match today.remaining.saturating_sub(today.kept_from(spend, now)) {
            0 => left,
            calls => left.saturating_mul(round.max(1)) / calls,
        }
    }
}

/// Share of a day's calls that looks at what waits may take, in percent.
const SHARE_OF_WAITING: u32 = 25;

/// The longest that anything which waits goes unseen for the sake of others.
const WHOLE_DAY: Duration = Duration::from_hours(24);

fn percent(of: u32, share: u32) -> u32 {
    u32::try_from(u64::from(of) * u64::from(share) / 100).unwrap_or(of)
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
