//! Simulated time: a wall clock that can be set, moved on and sped up.
//!
//! All state of a simulator is a function of this clock, computed when somebody looks: moving the clock is enough to finish an
//! upgrade, and no background task is needed. Called by every simulator and by the control API. It may not be used for waiting on
//! a client: a client's timeouts run in real time, so faults that concern the client (latency) do too.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::lock;

/// A shared handle of one simulated clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    hands: Arc<Mutex<Hands>>,
    moved: watch::Sender<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Hands {
    /// What the clock showed at `since`.
    shown: Timestamp,
    since: Instant,
    speed: f64,
}

impl Hands {
    fn now(self) -> Timestamp {
        later(self.shown, simulated(self.since.elapsed(), self.speed))
    }
}

/// At the end of the calendar the clock stops.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `secs` later; at the end of the calendar time stops.
pub fn after(at: Timestamp, secs: u64) -> Timestamp {
    later(
        at,
        SignedDuration::try_from(Duration::from_secs(secs)).unwrap_or(SignedDuration::MAX),
    )
}

fn simulated(real: Duration, speed: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(real.as_secs_f64() * speed).unwrap_or(SignedDuration::ZERO)
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Timestamp::now(), 1.0)
    }
}

impl Clock {
    /// A clock that shows `at` now and then runs `speed` times as fast as real time; 0 stands still.
    pub fn new(at: Timestamp, speed: f64) -> Self {
        Self {
            hands: Arc::new(Mutex::new(Hands {
                shown: at,
                since: Instant::now(),
                speed: sane(speed),
            })),
            moved: watch::Sender::new(0),
        }
    }

    /// A clock that stands still until it is moved by hand: the choice for tests that count.
    pub fn frozen() -> Self {
        Self::new(Timestamp::now(), 0.0)
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        lock(&self.hands).now()
    }

    /// How many times faster than real time it runs.
    pub fn speed(&self) -> f64 {
        lock(&self.hands).speed
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.change(|hands| hands.shown = later(hands.shown, SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)));
    }

    /// Sets the clock. Backwards is possible, but what a simulator has already shown as done stays done.
    pub fn set(&self, to: Timestamp) {
        self.change(|hands| hands.shown = to);
    }

    /// Changes how fast it runs from now on.
    pub fn set_speed(&self, speed: f64) {
        self.change(|hands| hands.speed = sane(speed));
    }

    fn change(&self, change: impl FnOnce(&mut Hands)) {
        {
            let mut hands = lock(&self.hands);
            let real = Instant::now();
            *hands = Hands {
                shown: hands.now(),
                since: real,
                speed: hands.speed,
            };
            change(&mut hands);
        }
        self.moved.send_modify(|n| *n += 1);
    }

    /// Returns when the clock shows `until` or later, however it gets there.
    pub async fn reach(&self, until: Timestamp) {
        let mut moved = self.moved.subscribe();
        loop {
            moved.mark_unchanged();
            let hands = *lock(&self.hands);
            let left = until.duration_since(hands.now());
            if !left.is_positive() {
                return;
            }
            if hands.speed > 0.0 {
                let real = Duration::try_from_secs_f64(left.as_secs_f64() / hands.speed).unwrap_or(Duration::MAX);
                // Either end of the wait leads to another look; a clock that was dropped cannot move, and this handle keeps it alive.
                let _ = tokio::time::timeout(real, moved.changed()).await;
            } else {
                let _ = moved.changed().await;
            }
        }
    }
}

fn sane(speed: f64) -> f64 {
    if speed.is_finite() && speed > 0.0 { speed } else { 0.0 }
}
