//! What is over in a moment is not written: a status that says "being looked at" or "being sent" is read by nobody before the next one takes its place,
//! and each write is one of the API server's, is told to everybody who watches, and holds the resource's next pass up.
//!
//! A memory of this process, asked by [`report`](super::report). What takes longer than the moment is written as it is.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use super::wakes::Who;
use crate::upgrade::timing::Mono;

/// How long something may last that is not written. Below what a person takes to look at a table; and whoever asks a vendor that hangs sees that it
/// is being asked.
const MOMENT: Duration = Duration::from_secs(1);

/// Since when what is to be written about a resource was not, because it passes.
#[derive(Default)]
pub struct Moments(Mutex<HashMap<Who, Mono>>);

impl Moments {
    fn inner(&self) -> MutexGuard<'_, HashMap<Who, Mono>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something new is to be written about a resource, and `passes` or not. How long to wait with it; `None` where it is to be written now.
    pub fn wait(&self, who: &Who, passes: bool, now: Mono) -> Option<Duration> {
        let mut inner = self.inner();
        if passes {
            let since = *inner.entry(who.clone()).or_insert(now);
            let left = MOMENT.saturating_sub(now.since(since));
            if !left.is_zero() {
                return Some(left);
            }
        }
        inner.remove(who);
        None
    }

    /// The resource is gone.
    pub fn forget(&self, who: &Who) {
        self.inner().remove(who);
    }

    /// Takes those away whose resource is gone, in case nobody was told.
    pub fn keep_only(&self, there: impl Fn(&Who) -> bool) {
        self.inner().retain(|who, _| there(who));
    }
}

#[cfg(test)]
mod tests {
    use super::super::wakes::Kind;
    use super::*;

    #[test]
    fn what_lasts_is_written_at_once_and_what_passes_only_if_it_does_not() {
        let (moments, who) = (Moments::default(), Who::new(Kind::ApplianceUpdate, "dr", "u"));
        let at = |millis| Mono(Duration::from_millis(millis));
        let wait = |passes, millis| moments.wait(&who, passes, at(millis));
        assert_eq!(wait(false, 0), None);
        assert_eq!(wait(true, 100), Some(MOMENT));
        assert_eq!(
            wait(true, 300),
            Some(Duration::from_millis(800)),
            "another passing state is no new moment"
        );
        assert_eq!(wait(false, 400), None, "an answer is written when it is there");
        assert_eq!(wait(true, 5000), Some(MOMENT), "and what passes after it is a moment of its own");
        assert_eq!(wait(true, 6000), None, "it lasts");
        assert_eq!(
            wait(true, 6100),
            Some(MOMENT),
            "one write a second at most, while nothing else happens"
        );
        moments.forget(&who);
        assert!(moments.inner().is_empty());
    }
}
