//! The one place that reads clocks and sleeps.
//!
//! `main` makes a [`Clock`] and passes it down; everything else, the pure core most of all, is given times.

#[cfg(debug_assertions)]
use std::path::PathBuf;
#[cfg(debug_assertions)]
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

#[cfg(debug_assertions)]
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::upgrade::timing::Mono;

/// Wall clock, monotonic clock and sleep of this process.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    #[cfg(debug_assertions)]
    off_by: Option<Arc<OffBy>>,
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
