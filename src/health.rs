//! What the probes ask: is this process alive, and is it ready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::upgrade::timing::Mono;

/// Whether a loop still turns: it beats at each turn, and is alive while the last beat is young enough.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<PulseInner>);

#[derive(Debug)]
struct PulseInner {
    name: &'static str,
    clock: Clock,
    max_age: Duration,
    last: AtomicU64,
}

impl Pulse {
    /// A pulse that beats now.
    pub fn new(name: &'static str, clock: Clock, max_age: Duration) -> Pulse {
        let pulse = Pulse(Arc::new(PulseInner {
            name,
            clock,
            max_age,
            last: AtomicU64::new(0),
        }));
        pulse.beat();
        pulse
    }

    /// What beats.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The loop turned.
    pub fn beat(&self) {
        self.0.last.store(to_nanos(self.0.clock.mono()), Ordering::Release);
    }

    /// The last beat is young enough.
    pub fn alive(&self) -> bool {
        self.0.clock.mono().since(from_nanos(self.0.last.load(Ordering::Acquire))) <= self.0.max_age
    }
}

/// A monotonic point as nanoseconds, for an atomic. They last for 584 years.
pub(crate) fn to_nanos(at: Mono) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX)
}

/// The reverse of [`to_nanos`].
pub(crate) fn from_nanos(nanos: u64) -> Mono {
    Mono(Duration::from_nanos(nanos))
}

/// What must be so before this process is ready. Leadership is not part of it: a standby is ready to take over.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Condition>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Met,
    Missing(&'static str),
}

impl Readiness {
    /// Requires all of `names`. None is met yet: what nobody reports is missing, not fine.
    pub fn requiring(names: impl IntoIterator<Item = &'static str>) -> Readiness {
        Readiness(Arc::new(Mutex::new(
            names
                .into_iter()
                .map(|name| (name, Condition::Missing("not reported yet")))
                .collect(),
        )))
    }

    /// `name` is met.
    pub fn meet(&self, name: &'static str) {
        self.conditions().insert(name, Condition::Met);
    }

    /// `name` is not met, and why, in words for the person who reads the probe's answer.
    pub fn miss(&self, name: &'static str, why: &'static str) {
        self.conditions().insert(name, Condition::Missing(why));
    }

    /// What is missing, by name, and why. Empty: ready.
    pub fn missing(&self) -> Vec<(&'static str, &'static str)> {
        self.conditions()
            .iter()
            .filter_map(|(name, condition)| match condition {
                Condition::Met => None,
                Condition::Missing(why) => Some((*name, *why)),
            })
            .collect()
    }

    fn conditions(&self) -> MutexGuard<'_, BTreeMap<&'static str, Condition>> {
        // Every write is one insert: a holder that panicked left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stops_turning_is_dead_until_it_turns_again() {
        let pulse = Pulse::new("lease", Clock::system(), Duration::from_millis(20));
        assert!(pulse.alive());
        std::thread::sleep(Duration::from_millis(60));
        assert!(!pulse.alive());
        let patient = Pulse::new("lease", Clock::system(), Duration::from_hours(1));
        patient.beat();
        assert!(patient.alive());
    }

    #[test]
    fn what_nobody_reports_is_missing() {
        let readiness = Readiness::requiring(["stores", "crds"]);
        readiness.meet("stores");
        assert_eq!(readiness.missing(), [("crds", "not reported yet")]);
        readiness.miss("crds", "crds-outdated");
        assert_eq!(readiness.missing(), [("crds", "crds-outdated")]);
        readiness.meet("crds");
        assert!(readiness.missing().is_empty());
    }
}
