//! The one place that reads clocks and sleeps.
//!
//! `main` makes a [`Clock`] and passes it down; everything else, the pure core most of all, is given times.

use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;

use crate::upgrade::timing::Mono;

/// Wall clock, monotonic clock and sleep of this process.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn system() -> Clock {
        Clock { start: Instant::now() }
    }

    /// The wall clock. Windows and records use it; safety timers do not.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn wall(&self) -> Timestamp {
        Timestamp::now()
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
