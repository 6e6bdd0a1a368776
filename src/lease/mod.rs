//! Leader election over a `coordination.k8s.io/v1` Lease.
//!
//! The known crates let two leaders overlap; this one is written so that they do not, for the reasons in [`decide`]. Nothing
//! relies on it all the same: of two leaders only one can append a receipt. What it saves is needless collisions.
//!
//! A tenure is lost once and for all: `main` then exits, and a new process stands again under a new name. [`Leadership::held`]
//! asks the monotonic clock each time, so a process that was stopped and wakes up knows at once, before any task has run. (A
//! machine that was suspended as a whole may have stopped that clock too; a permit's own deadline is on the wall clock as well.)

pub mod decide;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::Client;
use kube::api::PostParams;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

pub use self::decide::LeaseTiming;
pub use self::decide::LeaseTimingError;
pub use self::decide::Loss;

use self::decide::Candidate;
use self::decide::Record;
use self::decide::Step;
use crate::clock::Clock;
use crate::health::Pulse;
use crate::health::from_nanos;
use crate::health::to_nanos;
use crate::upgrade::timing::Mono;

/// Tries of a release: a conflict with our own late renewal takes one more look, a blip another. Failing is harmless, only slower
/// for the successor.
const RELEASE_TRIES: u32 = 3;

/// The name to stand under: the pod's for people, the boot id because a restarted container keeps its pod's name, and must not
/// take the lease of its former life for its own.
pub fn identity(pod: &str, boot_id: &str) -> String {
    format!("{pod}_{boot_id}")
}

/// Whether this process leads, as of now; cheap to clone and ask.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Tenure>);

#[derive(Debug)]
struct Tenure {
    clock: Clock,
    /// Monotonic nanoseconds until which the last confirmed renewal lets us act; zero once it is over.
    until: AtomicU64,
    lost: CancellationToken,
}

impl Leadership {
    fn new(clock: Clock, until: Mono) -> Leadership {
        Leadership(Arc::new(Tenure {
            clock,
            until: AtomicU64::new(to_nanos(until)),
            lost: CancellationToken::new(),
        }))
    }

    /// True while the last confirmed renewal was asked less than the renew deadline ago, by the clock at this very call.
    pub fn held(&self) -> bool {
        !self.0.lost.is_cancelled() && self.0.clock.mono() < from_nanos(self.0.until.load(Ordering::Acquire))
    }

    /// Cancelled when leadership is over, for whatever reason: stop granting permits, join what was sent, exit.
    pub fn lost(&self) -> &CancellationToken {
        &self.0.lost
    }

    fn extend(&self, until: Mono) {
        self.0.until.store(to_nanos(until), Ordering::Release);
    }

    fn end(&self) {
        self.0.until.store(0, Ordering::Release);
        self.0.lost.cancel();
    }

    /// Leadership without a lease, held for ever or never.
    #[cfg(test)]
    pub fn for_test(held: bool) -> Leadership {
        let leadership = Leadership::new(Clock::system(), Mono(Duration::from_nanos(u64::MAX)));
        if !held {
            leadership.end();
        }
        leadership
    }
}

/// A candidate for one Lease.
pub struct Lease {
    api: Api<LeaseObject>,
    name: String,
    namespace: String,
    identity: String,
    clock: Clock,
    timing: LeaseTiming,
    pulse: Pulse,
    candidate: Candidate,
    /// The object as last seen; a write changes its spec and leaves the rest (labels, a chart's annotations) as it was.
    object: Option<LeaseObject>,
}

impl Lease {
    /// A candidate named `identity` (see [`identity`]) for the Lease `namespace/name`. The client should give up on a request
    /// after 10 s; each is given up on after [`LeaseTiming::request`] in any case.
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, clock: Clock, timing: LeaseTiming) -> Lease {
        Lease {
            api: Api::namespaced(client, namespace),
            name: name.to_string(),
            namespace: namespace.to_string(),
            // A pass takes at most two requests and a wait, less than the duration: twice that is silence.
            pulse: Pulse::new("lease", clock.clone(), timing.duration() * 2),
            candidate: Candidate::new(identity.clone(), timing),
            identity,
            clock,
            timing,
            object: None,
        }
    }

    /// Beats at each pass, while standing and while leading.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Stands until this process leads, or until `stop`. An API server that cannot be reached is waited for. The lease is then
    /// renewed by a task of its own until it is lost or released.
    #[expect(clippy::disallowed_methods, reason = "the one task that renews the lease")]
    pub async fn acquire(mut self, stop: &CancellationToken) -> Option<Held> {
        loop {
            let wait = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                wait = self.pass() => wait,
            };
            // Both a delay to wait and a tenure can come out of a pass: the first confirmed write makes us leader.
            if let Some(until) = self.candidate.until() {
                tracing::info!(lease = %self.name, identity = %self.identity, "leading");
                let leadership = Leadership::new(self.clock.clone(), until);
                let stop_renewing = CancellationToken::new();
                let task = tokio::spawn(self.keep(leadership.clone(), stop_renewing.clone()));
                return Some(Held {
                    leadership,
                    stop_renewing: stop_renewing.drop_guard(),
                    task,
                });
            }
            let wait = wait.unwrap_or(self.timing.retry());
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    /// Renews until the tenure is over, or until told to stop; then hands itself back, so that the lease can be released.
    async fn keep(mut self, leadership: Leadership, stop: CancellationToken) -> Lease {
        // However this task ends, a panic included, leadership ends with it and `main` hears.
        let over = leadership.lost().clone().drop_guard();
        let mut wait = self.timing.retry();
        loop {
            let left = self.candidate.until().unwrap_or_default().since(self.clock.mono());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.clock.sleep(wait.min(left)) => {}
            }
            let left = self.candidate.until().unwrap_or_default().since(self.clock.mono());
            let clock = self.clock.clone();
            let passed = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                passed = self.pass() => passed,
                () = clock.sleep(left) => Err(Loss::Deadline),
            };
            match passed {
                Ok(next) => wait = next,
                Err(loss) => {
                    leadership.end();
                    tracing::error!(lease = %self.name, identity = %self.identity, because = %loss, "leadership lost");
                    break;
                }
            }
            leadership.extend(self.candidate.until().unwrap_or_default());
        }
        leadership.end();
        drop(over);
        self
    }

    /// One look and at most one write; how long to wait before the next. Every failure is only a reason to look again.
    async fn pass(&mut self) -> Result<Duration, Loss> {
        self.pulse.beat();
        match self.look_and_act().await {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(lease = %self.name, %error, "the lease could not be read or written; trying again");
                // The deadline counts whether or not anything could be read.
                match self.candidate.decide(self.clock.mono()) {
                    Step::Lost(loss) => Err(loss),
                    _ => Ok(self.timing.retry()),
                }
            }
        }
    }

    async fn look_and_act(&mut self) -> Result<Result<Duration, Loss>, LeaseError> {
        let object = self.within(self.api.get_opt(&self.name)).await?;
        self.candidate.saw(object.as_ref().map(record), self.clock.mono());
        self.object = object;
        let step = self.candidate.decide(self.clock.mono());
        tracing::debug!(lease = %self.name, decision = ?step, "looked at the lease");
        match step {
            Step::Hold(wait) | Step::Wait(wait) => return Ok(Ok(wait)),
            Step::Lost(loss) => return Ok(Err(loss)),
            Step::Create | Step::Acquire | Step::Renew => {}
        }
        let asked = self.clock.mono();
        let written = self.write(Some(self.identity.clone())).await?;
        if !self.candidate.wrote(record(&written), asked, self.clock.mono()) {
            return Err(LeaseError::NotStored);
        }
        self.object = Some(written);
        Ok(Ok(self.timing.retry()))
    }

    /// Replaces what was seen last, by its resourceVersion; creates it when nothing was.
    async fn write(&self, holder: Option<String>) -> Result<LeaseObject, LeaseError> {
        let now = MicroTime(self.clock.wall());
        let mut object = self.object.clone().unwrap_or_default();
        let spec = object.spec.get_or_insert_default();
        let passes = spec.holder_identity != holder && holder.is_some();
        if passes {
            spec.acquire_time = Some(now.clone());
            // As client-go counts: the creation is not a transition.
            let before = if self.object.is_some() {
                spec.lease_transitions.unwrap_or(0).saturating_add(1)
            } else {
                0
            };
            spec.lease_transitions = Some(before);
        }
        spec.holder_identity = Some(holder.unwrap_or_default());
        // The field has whole seconds, and none is refused: rounded up, which is the safe side.
        let seconds = self.timing.duration().as_millis().div_ceil(1000);
        spec.lease_duration_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
        spec.renew_time = Some(now);
        let params = PostParams::default();
        if self.object.is_some() {
            return self.within(self.api.replace(&self.name, &params, &object)).await;
        }
        object.metadata.name = Some(self.name.clone());
        object.metadata.namespace = Some(self.namespace.clone());
        self.within(self.api.create(&params, &object)).await
    }

    async fn give_back(&mut self) -> Result<(), LeaseError> {
        let object = self.within(self.api.get_opt(&self.name)).await?;
        let ours = object
            .as_ref()
            .map(record)
            .is_some_and(|record| record.holder.as_deref() == Some(self.identity.as_str()));
        self.object = object;
        if ours {
            self.write(None).await?;
        }
        Ok(())
    }

    /// Nothing hangs: a request that is given up on may still be carried out, which the resourceVersion makes harmless.
    async fn within<T>(&self, request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, LeaseError> {
        tokio::select! {
            biased;
            answer = request => Ok(answer?),
            () = self.clock.sleep(self.timing.request()) => Err(LeaseError::Slow),
        }
    }
}

/// A lease that is held and being renewed. Dropping it stops the renewals and lets the lease run out.
pub struct Held {
    leadership: Leadership,
    stop_renewing: DropGuard,
    task: JoinHandle<Lease>,
}

impl Held {
    /// The leadership to pass to whoever needs it.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Cancelled when leadership is over; see [`Leadership::lost`].
    pub fn lost(&self) -> &CancellationToken {
        self.leadership.lost()
    }

    /// Gives the lease back, so that another takes over at once.
    ///
    /// Call it only when everything that a permit started has been joined and recorded: while that runs the renewals go on, and
    /// a successor is kept away. From the first line on, [`Leadership::held`] is false.
    pub async fn release(self) {
        self.leadership.end();
        drop(self.stop_renewing);
        let Ok(mut lease) = self.task.await else {
            tracing::warn!("the task that renewed the lease panicked; the lease runs out by itself");
            return;
        };
        for _ in 0..RELEASE_TRIES {
            match lease.give_back().await {
                Ok(()) => {
                    tracing::info!(lease = %lease.name, identity = %lease.identity, "lease released");
                    return;
                }
                Err(error) => tracing::warn!(lease = %lease.name, %error, "the lease could not be released"),
            }
        }
    }
}

/// A look or a write that came to nothing. The next pass starts from a new look.
#[derive(Debug, thiserror::Error)]
enum LeaseError {
    /// The API server refused, or could not be reached; a conflict means that somebody wrote in between.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// No answer in time.
    #[error("no answer in time")]
    Slow,
    /// The answer carried the version that was there before, or another holder.
    #[error("the write was answered, but the stored lease did not change")]
    NotStored,
}

fn record(object: &LeaseObject) -> Record {
    let spec = object.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
    Record {
        holder: spec
            .and_then(|spec| spec.holder_identity.clone())
            .filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        version: object.metadata.resource_version.clone().unwrap_or_default(),
    }
}
