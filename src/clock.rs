//! The one place that reads clocks and sleeps.
//!
//! `main` makes a [`Clock`] and passes it down; everything else, the pure core most of all, is given times.

#[cfg(debug_assertions)]
use std::path::PathBuf;
#[cfg(debug_assertions)]
use std::sync::Arc;
use std::time::Duration;

#[cfg(debug_assertions)]
use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::upgrade::timing::Mono;

/// Wall clock, monotonic clock and sleep of this process. The monotonic time is the runtime's, which is the machine's, unless a test has
/// stopped it.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    #[cfg(debug_assertions)]
    off_by: Option<Arc<OffBy>>,
    #[cfg(debug_assertions)]
    began: Option<Timestamp>,
}

/// How far a test sets the wall clock off: a file that holds milliseconds, so that the clock of a process that runs can be set.
#[cfg(debug_assertions)]
#[derive(Debug)]
struct OffBy(PathBuf);

#[cfg(debug_assertions)]
impl OffBy {
    /// An empty or missing file is no offset: whoever writes it may be in the middle of it.
    fn now(&self) -> SignedDuration {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        SignedDuration::from_millis(text.trim().parse().unwrap_or(0))
    }
}

impl Clock {
    /// A clock whose monotonic time starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn system() -> Clock {
        Clock {
            start: Instant::now(),
            #[cfg(debug_assertions)]
            off_by: None,
            #[cfg(debug_assertions)]
            began: None,
        }
    }

    /// A clock whose wall showed this just now and goes on with the monotonic time: in a runtime whose time a test moves, all time is that.
    /// Debug builds only.
    #[cfg(debug_assertions)]
    pub fn beginning_at(wall: Timestamp) -> Clock {
        Clock {
            began: Some(wall),
            ..Clock::system()
        }
    }

    /// A wall clock that is off by as many milliseconds as this file says, whenever it is read. Debug builds only.
    #[cfg(debug_assertions)]
    pub fn off_by_file(file: PathBuf) -> Clock {
        Clock {
            off_by: Some(Arc::new(OffBy(file))),
            ..Clock::system()
        }
    }

    /// The wall clock. Windows and records use it; safety timers do not.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn wall(&self) -> Timestamp {
        #[cfg(debug_assertions)]
        if let Some(began) = self.began {
            return began.checked_add(self.mono().0).unwrap_or(Timestamp::MAX);
        }
        let now = Timestamp::now();
        #[cfg(debug_assertions)]
        if let Some(off_by) = &self.off_by {
            return now.saturating_add(off_by.now()).unwrap_or(now);
        }
        now
    }

    /// Time since this clock was made.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn mono(&self) -> Mono {
        Mono(self.start.elapsed())
    }

    /// Waits.
    #[expect(clippy::disallowed_methods, reason = "the one sleep")]
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_a_test_moves_the_time_of_the_runtime_both_clocks_go_with_it_and_no_other_way() {
        let wall: Timestamp = "2027-01-01T20:00:00Z".parse().unwrap();
        let clock = Clock::beginning_at(wall);
        assert_eq!((clock.wall(), clock.mono()), (wall, Mono(Duration::ZERO)));
        tokio::time::advance(Duration::from_hours(48)).await;
        assert_eq!(
            (clock.wall(), clock.mono().0),
            (wall + Duration::from_hours(48), Duration::from_hours(48))
        );
    }

    #[test]
    fn a_test_sets_the_wall_clock_of_a_running_process_and_never_its_monotonic_one() {
        let file = std::env::temp_dir().join(format!("windlass-clock-{}", std::process::id()));
        let clock = Clock::off_by_file(file.clone());
        let off = || clock.wall().duration_since(Timestamp::now()).as_secs();
        assert_eq!(off(), 0, "no file, no offset");
        std::fs::write(&file, "-3600000\n").unwrap();
        assert!((-3601..=-3599).contains(&off()));
        assert!(clock.mono().0 < Duration::from_secs(60));
        std::fs::remove_file(&file).unwrap();
    }
}
