//! Whether the CRDs that the cluster serves do for this binary. Until that is known, and while they are older, nothing starts: what they do
//! not declare would be dropped from a receipt or a status without a word.
//!
//! [`run`](super::run) spawns [`watch`] in every process, leader or not; [`gather`](super::gather) asks [`Served::objection`]. Runs are
//! followed all the same, as far as the fields go. There is no right to watch CRDs, so they are read by name again and again.

use std::sync::Mutex;
use std::sync::PoisonError;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::ResourceExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::api::all_crds;
use crate::api::skew;
use crate::clock::Clock;
use crate::health::Readiness;
use crate::metrics::Metrics;
use crate::upgrade::timing::Timing;

/// What `/readyz` calls it.
pub const READINESS: &str = "crds";

/// The one word for it there.
const OUTDATED: &str = "crds-outdated";

/// Paths that a message names; the others are counted.
const NAMED: usize = 3;

/// What is known of the served CRDs.
#[derive(Debug)]
pub struct Served {
    state: Mutex<State>,
    known: CancellationToken,
    suspected: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No answer yet.
    Unknown,
    /// All that is needed is there.
    Current,
    /// Nobody lets this process look: a person installs CRDs and operator together then.
    Hidden,
    /// Something is missing, and what.
    Outdated(String),
}

impl Default for Served {
    fn default() -> Served {
        Served {
            state: Mutex::new(State::Unknown),
            known: CancellationToken::new(),
            suspected: Notify::new(),
        }
    }
}

impl Served {
    /// Why nothing may start; `None` when the CRDs are no obstacle.
    pub fn objection(&self) -> Option<String> {
        match self.state() {
            State::Current | State::Hidden => None,
            State::Unknown => Some("whether the CRDs of this cluster are those of this Windlass is not known yet".to_owned()),
            State::Outdated(what) => Some(what),
        }
    }

    /// Returns once there has been an answer, whatever it was.
    pub async fn known(&self) {
        self.known.cancelled().await;
    }

    /// The API server answered as it would if a CRD were gone or older: looks again soon.
    pub fn suspect(&self, error: &kube::Error) {
        if matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 422)) {
            self.suspected.notify_one();
        }
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in a new state; true if it differs.
    fn learn(&self, new: &State) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *state != *new;
        state.clone_from(new);
        self.known.cancel();
        changed
    }
}

/// Looks for ever: at once, now and then, and when there is reason to suspect something.
pub async fn watch(served: &Served, kube: kube::Client, clock: Clock, timing: &Timing, readiness: &Readiness, metrics: &Metrics) {
    let api: Api<CustomResourceDefinition> = Api::all(kube);
    let needed = all_crds();
    loop {
        match look(&api, &needed).await {
            Ok(state) => tell(served, &state, readiness, metrics),
            // What was known is no less true for it; what was not stays unknown.
            Err(error) => tracing::warn!(%error, "the CRDs cannot be read"),
        }
        let state = served.state();
        // A suspicion is looked into once in this time at most: an object that is gone answers 404 too.
        clock
            .sleep(if state == State::Unknown {
                timing.poll_moving
            } else {
                timing.poll_calm
            })
            .await;
        if matches!(state, State::Current | State::Hidden) {
            tokio::select! {
                () = served.suspected.notified() => {}
                () = clock.sleep(timing.wake) => {}
            }
        }
    }
}

fn tell(served: &Served, state: &State, readiness: &Readiness, metrics: &Metrics) {
    if !served.learn(state) {
        return;
    }
    metrics.set_crds_outdated(matches!(state, State::Outdated(_)));
    match state {
        State::Outdated(what) => {
            readiness.miss(READINESS, OUTDATED);
            tracing::error!(because = what, "nothing starts until the CRDs are upgraded; what runs is followed");
            return;
        }
        State::Hidden => tracing::warn!("no right to read the CRDs of this cluster: they are not compared with those of this Windlass"),
        State::Current => tracing::info!("the CRDs of this cluster are as this Windlass needs them"),
        State::Unknown => {}
    }
    readiness.meet(READINESS);
}

async fn look(api: &Api<CustomResourceDefinition>, needed: &[CustomResourceDefinition]) -> Result<State, kube::Error> {
    let mut hidden = false;
    for ours in needed {
        match api.get_opt(&ours.name_any()).await {
            Ok(found) => {
                if let Some(what) = objection(ours, found.as_ref()) {
                    return Ok(State::Outdated(what));
                }
            }
            Err(kube::Error::Api(status)) if status.code == 403 => hidden = true,
            Err(error) => return Err(error),
        }
    }
    Ok(if hidden { State::Hidden } else { State::Current })
}

/// Why a CRD that is served, or is not, does not do for this binary.
pub fn objection(ours: &CustomResourceDefinition, theirs: Option<&CustomResourceDefinition>) -> Option<String> {
    theirs.map_or_else(|| Some(absent(ours)), |theirs| older(ours, theirs))
}

fn absent(ours: &CustomResourceDefinition) -> String {
    format!("the CRD {} is not installed; {}", ours.name_any(), remedy())
}

fn older(ours: &CustomResourceDefinition, theirs: &CustomResourceDefinition) -> Option<String> {
    let missing = skew::missing(ours, theirs);
    let named = missing.get(..NAMED.min(missing.len()))?.join(", ");
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!missing.is_empty()).then(|| {
        format!(
            "the CRD {} is older than this Windlass: it lacks {named}{more}; {}",
            ours.name_any(),
            remedy()
        )
    })
}

fn remedy() -> String {
    format!("upgrade the CRDs to those of {}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
#[path = "served_tests.rs"]
mod tests;
