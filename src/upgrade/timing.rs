//! The durations that safety hangs on, and the process's own monotonic time.
//!
//! Every constant is a field of one [`Timing`], made in `main` and passed down, so that crash tests and the demo run the real
//! binary without waiting. A release build can only make [`Timing::production`].

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// A point on this process's own monotonic clock, as time since the process started. Never compared across processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub Duration);

impl Mono {
    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The point `by` after this one.
    #[must_use]
    pub fn plus(self, by: Duration) -> Mono {
        Mono(self.0.saturating_add(by))
    }
}

/// All durations of the protocol. See the fields for how each was sized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Timing {
    /// How long a permit lives, counted from when the vendor sight that allowed it was asked. Three API calls at p99 with slack.
    #[serde(with = "millis")]
    pub ttl: Duration,
    /// Longest wait for a TCP and TLS connection. A permit must have this much life left when it is used.
    #[serde(with = "millis")]
    pub connect_timeout: Duration,
    /// Longest wait for the answer to a start. vCenter may run its prechecks inside the call; too short manufactures doubt.
    #[serde(with = "millis")]
    pub start_timeout_vcenter: Duration,
    /// Longest wait for the answer to an appliance's install: it answers with a task and does the work later.
    #[serde(with = "millis")]
    pub start_timeout_appliance: Duration,
    /// Longest wait for the answer to what begins an upgrade at an HMC: it answers with a job and does the work later, but a console that is
    /// busy is slow.
    #[serde(with = "millis")]
    pub start_timeout_hmc: Duration,
    /// Longest wait for the answer to a start at Aruba Central: it takes an order for thousands of devices and does the work later.
    #[serde(with = "millis")]
    pub start_timeout_central: Duration,
    /// How far ahead a start at Aruba Central is scheduled: longer than a permit lives, so that its time is still to come when it is sent, and
    /// a moment for people to cancel it in.
    #[serde(with = "millis")]
    pub lead: Duration,
    /// Shortest pause between two looks at a run at Aruba Central. Its quota of calls mostly asks for a longer one.
    #[serde(with = "millis")]
    pub poll_central: Duration,
    /// Shortest pause between two looks at what waits for a start at Aruba Central, which is looked at right before the start anyway.
    #[serde(with = "millis")]
    pub poll_central_waiting: Duration,
    /// How often a Connection to Aruba Central is probed: each probe is taken from the quota that runs are followed by.
    #[serde(with = "millis")]
    pub probe_central: Duration,
    /// What Aruba Central counts by as a second: it takes seven calls in one, and one step of a login.
    #[serde(with = "millis")]
    pub central_second: Duration,
    /// Shortest time between two pairs of tokens of one application at Aruba Central (`vendors.md` 1.3: at most one in thirty minutes, as a page
    /// of another vendor says).
    #[serde(with = "millis")]
    pub token_pause: Duration,
    /// Shortest pause between two looks at one appliance: its API bans who asks too often (`vendors.md` 2.3 e).
    #[serde(with = "millis")]
    pub appliance_pause: Duration,
    /// How long what an appliance offered is believed while an upgrade waits: asking leaves a task in its list, and a list that grows too long
    /// proves nothing any more (`vendors.md` 2.3 c).
    #[serde(with = "millis")]
    pub offers: Duration,
    /// How long a token is good with which IBM may schedule an upgrade of a console (HMC Web Services API, "Authorize Remote Firmware Updates":
    /// seven days). Counted from the receipt, for a token that the console does not list.
    #[serde(with = "millis")]
    pub permission_life: Duration,
    /// Added to TTL and start timeout to give the horizon: slack for scheduling and for the record step.
    #[serde(with = "millis")]
    pub horizon_slack: Duration,
    /// How old doubt must be before an absence of evidence counts. Longer than the horizon; covers vendor queueing.
    #[serde(with = "millis")]
    pub grace: Duration,
    /// The longest a non-terminal decision may sleep: a lost timer heals itself.
    #[serde(with = "millis")]
    pub wake: Duration,
    /// How often a run in flight is looked at: progress people can watch.
    #[serde(with = "millis")]
    pub poll_moving: Duration,
    /// After this long without change a run in flight is looked at less often.
    #[serde(with = "millis")]
    pub poll_calm_after: Duration,
    /// How often a calm run in flight is looked at.
    #[serde(with = "millis")]
    pub poll_calm: Duration,
    /// How often a run in flight at an HMC is looked at: a console is slow, and what runs there takes hours.
    #[serde(with = "millis")]
    pub poll_hmc: Duration,
    /// How often a target that waits is looked at: vendor quotas last.
    #[serde(with = "millis")]
    pub poll_waiting: Duration,
    /// Delay before the first new attempt after NotTaken; doubles up to `retry_max`.
    #[serde(with = "millis")]
    pub retry_first: Duration,
    /// Longest delay between attempts, and the cap on a vendor's `Retry-After`.
    #[serde(with = "millis")]
    pub retry_max: Duration,
    /// How often the sweep looks at open receipts whose resource is gone.
    #[serde(with = "millis")]
    pub sweep: Duration,
    /// How often a Connection is probed while nothing asks for it sooner.
    #[serde(with = "millis")]
    pub probe: Duration,
    /// How long a lease of the leader lives after its last renewal. A standby takes over this long after a leader died.
    #[serde(with = "millis")]
    pub lease_duration: Duration,
    /// How long a leader may act after its last renewal; shorter than the lease, so that two never act at once.
    #[serde(with = "millis")]
    pub lease_renew_deadline: Duration,
    /// How often the lease is renewed, and tried for.
    #[serde(with = "millis")]
    pub lease_retry: Duration,
    /// Largest difference between our wall clock and the API server's at which a start may still go out.
    #[serde(with = "millis")]
    pub clock_skew: Duration,
    /// Longest wait for one answer of the API server to a single request. Ten times the p99 of a healthy one.
    #[serde(with = "millis")]
    pub ledger_timeout: Duration,
    /// Longest silence of a watch before it is taken for dead and begun anew. Above the 290 s after which the API server ends one.
    #[serde(with = "millis")]
    pub watch_silence: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing::production()
    }
}

impl Timing {
    /// The values of a release build.
    pub fn production() -> Timing {
        let secs = Duration::from_secs;
        Timing {
            ttl: secs(30),
            connect_timeout: secs(10),
            start_timeout_vcenter: secs(300),
            start_timeout_appliance: secs(60),
            start_timeout_hmc: secs(120),
            start_timeout_central: secs(120),
            lead: secs(120),
            poll_central: secs(60),
            poll_central_waiting: secs(3600),
            probe_central: secs(30 * 60),
            central_second: secs(1),
            token_pause: secs(30 * 60),
            appliance_pause: secs(5),
            offers: secs(3600),
            permission_life: secs(7 * 24 * 3600),
            horizon_slack: secs(30),
            grace: secs(15 * 60),
            wake: secs(10 * 60),
            poll_moving: secs(10),
            poll_calm_after: secs(10 * 60),
            poll_calm: secs(60),
            poll_hmc: secs(30),
            poll_waiting: secs(5 * 60),
            retry_first: secs(60),
            retry_max: secs(3600),
            sweep: secs(5 * 60),
            probe: secs(5 * 60),
            lease_duration: secs(30),
            lease_renew_deadline: secs(20),
            lease_retry: secs(5),
            clock_skew: secs(30),
            ledger_timeout: secs(10),
            watch_silence: secs(295),
        }
    }

    /// Reads overrides as JSON (milliseconds, camelCase names, missing ones as in production) and checks the whole.
    pub fn from_json(text: &str) -> Result<Timing, TimingError> {
        let timing: Timing = serde_json::from_str(text).map_err(|e| TimingError::Unreadable(e.to_string()))?;
        timing.check()?;
        Ok(timing)
    }

    /// How long a receipt without an answer may belong to its sender; after it, it is in doubt.
    pub fn horizon(&self) -> Duration {
        let starts = [
            self.start_timeout_vcenter,
            self.start_timeout_appliance,
            self.start_timeout_hmc,
            self.start_timeout_central,
        ];
        self.ttl + starts.into_iter().max().unwrap_or_default() + self.horizon_slack
    }

    /// How long a reservation holds a slot when its receipt never appears.
    pub fn reservation(&self) -> Duration {
        self.ttl * 4
    }

    /// The order that the protocol's argument needs, whoever set the values.
    pub fn check(&self) -> Result<(), TimingError> {
        let ordered = [
            ("connectTimeout", self.connect_timeout, "ttl", self.ttl),
            ("ttl", self.ttl, "horizon", self.horizon()),
            ("ttl", self.ttl, "lead", self.lead),
            ("horizon", self.horizon(), "grace", self.grace),
            ("leaseRetry", self.lease_retry, "leaseRenewDeadline", self.lease_renew_deadline),
            (
                "leaseRenewDeadline",
                self.lease_renew_deadline,
                "leaseDuration",
                self.lease_duration,
            ),
        ];
        for (low_name, low, high_name, high) in ordered {
            if low >= high {
                return Err(TimingError::OutOfOrder {
                    low_name,
                    low,
                    high_name,
                    high,
                });
            }
        }
        let positive = [
            self.poll_moving,
            self.poll_calm,
            self.poll_hmc,
            self.poll_central,
            self.poll_central_waiting,
            self.poll_waiting,
            self.offers,
            self.wake,
            self.retry_first,
            self.sweep,
            self.probe,
            self.probe_central,
            self.central_second,
            self.ledger_timeout,
            self.watch_silence,
        ];
        if positive.iter().any(Duration::is_zero) {
            return Err(TimingError::Zero);
        }
        Ok(())
    }
}

/// A [`Timing`] that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TimingError {
    /// Not the JSON that is expected.
    #[error("timing is not readable: {0}")]
    Unreadable(String),
    /// Two durations are in the wrong order.
    #[error("timing: {low_name} ({low:?}) must be shorter than {high_name} ({high:?})")]
    OutOfOrder {
        /// Name of the one that must be shorter.
        low_name: &'static str,
        /// Its value.
        low: Duration,
        /// Name of the one that must be longer.
        high_name: &'static str,
        /// Its value.
        high: Duration,
    },
    /// An interval of zero would spin.
    #[error(
        "timing: polling intervals, centralSecond, offers, wake, sweep, probe, retry, ledgerTimeout and watchSilence must be longer than zero"
    )]
    Zero,
}

mod millis {
    use std::time::Duration;

    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_values_keep_the_order_that_the_protocol_needs() {
        assert_eq!(Timing::production().check(), Ok(()));
        assert_eq!(Timing::production().horizon(), Duration::from_mins(6));
    }

    #[test]
    fn a_grace_shorter_than_the_horizon_is_refused() {
        let err = Timing::from_json(r#"{"grace": 1000}"#).unwrap_err();
        assert!(err.to_string().contains("horizon"), "{err}");
        assert!(err.to_string().contains("grace"), "{err}");
    }

    #[test]
    fn an_unknown_name_is_refused_rather_than_ignored() {
        assert!(matches!(Timing::from_json(r#"{"graze": 1}"#), Err(TimingError::Unreadable(_))));
    }
}
