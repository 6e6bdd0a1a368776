//! How fast one endpoint is asked, and the pause that it may ask for.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use governor::DefaultDirectRateLimiter;
use governor::Quota;
use governor::clock::Clock as _;
use governor::clock::DefaultClock;

use crate::clock::Clock;
use crate::upgrade::timing::Mono;

/// One per Connection: a token bucket, and a pause after a 429.
#[derive(Debug)]
pub(super) struct Limiter {
    bucket: DefaultDirectRateLimiter,
    paused_until: Mutex<Mono>,
    longest_pause: Duration,
    clock: Clock,
}

impl Limiter {
    /// `per_second` calls a second, in bursts of up to as many; a pause is never longer than `longest_pause`.
    pub fn new(per_second: NonZeroU32, longest_pause: Duration, clock: Clock) -> Limiter {
        let bucket = DefaultDirectRateLimiter::direct(Quota::per_second(per_second).allow_burst(per_second));
        Limiter {
            bucket,
            paused_until: Mutex::new(Mono::default()),
            longest_pause,
            clock,
        }
    }

    /// Waits for a token. While the endpoint has asked for a pause there is none: what is left of it is the error.
    pub async fn ready(&self) -> Result<(), Duration> {
        loop {
            let left = self
                .paused_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .since(self.clock.mono());
            if !left.is_zero() {
                return Err(left);
            }
            match self.bucket.check() {
                Ok(()) => return Ok(()),
                Err(early) => self.clock.sleep(early.wait_time_from(DefaultClock::default().now())).await,
            }
        }
    }

    /// The endpoint asked for a pause. A longer one that is under way stays.
    pub fn pause(&self, wanted: Duration) {
        let until = self.clock.mono().plus(wanted.min(self.longest_pause));
        let mut held = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *held = until.max(*held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_passes_and_then_the_rate_holds() {
        let clock = Clock::system();
        let limiter = Limiter::new(NonZeroU32::new(20).unwrap(), Duration::from_secs(1), clock.clone());
        for _ in 0..30 {
            limiter.ready().await.unwrap();
        }
        let took = clock.mono().0;
        assert!(
            took >= Duration::from_millis(450),
            "ten calls over the burst need half a second, took {took:?}"
        );
    }

    #[tokio::test]
    async fn a_pause_is_capped_and_never_shortened() {
        let limiter = Limiter::new(NonZeroU32::MIN, Duration::from_mins(1), Clock::system());
        limiter.pause(Duration::from_hours(24));
        limiter.pause(Duration::from_secs(1));
        let left = limiter.ready().await.unwrap_err();
        assert!(left > Duration::from_secs(59) && left <= Duration::from_mins(1), "{left:?}");
    }
}
