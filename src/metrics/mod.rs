//! What Prometheus sees (docs/metrics.md). Labels come from small fixed sets; serials, versions and messages belong in Events and logs. Which
//! objects there are is told by the few metrics of [`objects`], and by no other.
//!
//! The controllers tell; [`server`](crate::server) shows. Nothing here is ever read to decide anything.

mod objects;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::objects::Objects;
pub use self::objects::Shown;
use crate::controller::wakes::Who;
use crate::upgrade::reason::State;
use crate::upgrade::timing::Mono;

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A reconcile is a few API calls: tens of milliseconds when well, seconds when the API server is not. Vendors are not in it.
const RECONCILE_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// A vendor answers in tenths of seconds; a vCenter that runs prechecks inside the call takes many.
const VENDOR_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A run takes minutes to days, and so does what is waited for: up to the week that a window may be away.
const RUN_BUCKETS: [f64; 10] = [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 604_800.0];

/// Every metric of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    reconcile_duration: Family<Kind, Histogram>,
    reconcile_errors: Family<KindLabel, Counter>,
    starts: Family<Start, Counter>,
    vendor_requests: Family<RequestClass, Counter>,
    vendor_duration: Family<Request, Histogram>,
    status_writes: Family<Kind, Counter>,
    receipts_open: Family<Type, Gauge>,
    receipts_unresolved: Family<Type, Gauge>,
    runs: Family<KindState, Counter>,
    run_duration: Family<KindState, Histogram>,
    wait_duration: Family<KindReason, Histogram>,
    objects: Arc<Objects>,
    contradictions: Counter,
    leader: Gauge,
    starts_enabled: Gauge,
    crds_outdated: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
    label: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Type {
    r#type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Start {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    r#type: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestClass {
    r#type: &'static str,
    operation: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindState {
    kind: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindReason {
    kind: &'static str,
    reason: &'static str,
}

/// What a permit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// The vendor took it.
    Accepted,
    /// The vendor refused it, finally.
    Rejected,
    /// The vendor did not take it; a later attempt may.
    NotTaken,
    /// Nothing was sent.
    Withdrawn,
    /// It may or may not have reached the vendor.
    InDoubt,
}

impl StartOutcome {
    /// The label.
    pub fn label(self) -> &'static str {
        match self {
            StartOutcome::Accepted => "accepted",
            StartOutcome::Rejected => "rejected",
            StartOutcome::NotTaken => "not_taken",
            StartOutcome::Withdrawn => "withdrawn",
            StartOutcome::InDoubt => "in_doubt",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// All metrics, at zero. Starts count as enabled until [`set_starts_enabled`](Self::set_starts_enabled) says otherwise.
    pub fn new() -> Metrics {
        let mut inner = Inner {
            reconcile_duration: Family::new_with_constructor(|| Histogram::new(RECONCILE_BUCKETS)),
            reconcile_errors: Family::default(),
            starts: Family::default(),
            vendor_requests: Family::default(),
            vendor_duration: Family::new_with_constructor(|| Histogram::new(VENDOR_BUCKETS)),
            status_writes: Family::default(),
            receipts_open: Family::default(),
            receipts_unresolved: Family::default(),
            runs: Family::default(),
            run_duration: Family::new_with_constructor(|| Histogram::new(RUN_BUCKETS)),
            wait_duration: Family::new_with_constructor(|| Histogram::new(RUN_BUCKETS)),
            objects: Arc::default(),
            contradictions: Counter::default(),
            leader: Gauge::default(),
            starts_enabled: Gauge::default(),
            crds_outdated: Gauge::default(),
            registry: Registry::default(),
        };
        inner.registry = registry(&inner);
        let metrics = Metrics(Arc::new(inner));
        metrics.set_starts_enabled(true);
        metrics
    }

    /// One reconcile of a `kind` took `duration`.
    pub fn reconciled(&self, kind: &'static str, duration: Duration) {
        self.0
            .reconcile_duration
            .get_or_create(&Kind { kind })
            .observe(duration.as_secs_f64());
    }

    /// One reconcile of a `kind` failed; `label` names the error.
    pub fn reconcile_failed(&self, kind: &'static str, label: &'static str) {
        self.0.reconcile_errors.get_or_create(&KindLabel { kind, label }).inc();
    }

    /// One permit on a vendor `type` came to `outcome`.
    pub fn started(&self, r#type: &'static str, outcome: StartOutcome) {
        self.0
            .starts
            .get_or_create(&Start {
                r#type,
                outcome: outcome.label(),
            })
            .inc();
    }

    /// One request to a vendor: `class` is ok or the class of its error.
    pub fn vendor_request(&self, r#type: &'static str, operation: &'static str, class: &'static str, duration: Duration) {
        self.0
            .vendor_requests
            .get_or_create(&RequestClass { r#type, operation, class })
            .inc();
        self.0
            .vendor_duration
            .get_or_create(&Request { r#type, operation })
            .observe(duration.as_secs_f64());
    }

    /// One status of a `kind` was written.
    pub fn status_written(&self, kind: &'static str) {
        self.0.status_writes.get_or_create(&Kind { kind }).inc();
    }

    /// How many receipts of a vendor `type` are open, and how many of those wait for a person. Call it with zeros too, or the last
    /// number stays.
    pub fn set_receipts(&self, r#type: &'static str, open: u32, unresolved: u32) {
        self.0.receipts_open.get_or_create(&Type { r#type }).set(i64::from(open));
        self.0
            .receipts_unresolved
            .get_or_create(&Type { r#type })
            .set(i64::from(unresolved));
    }

    /// A run that a resource of this kind asked for came to its end, `lasted` after it was sent; `None` where nothing was sent.
    pub fn run_ended(&self, kind: &'static str, state: State, lasted: Option<Duration>) {
        let of = KindState { kind, state: state.word() };
        self.0.runs.get_or_create(&of).inc();
        if let Some(lasted) = lasted {
            self.0.run_duration.get_or_create(&of).observe(lasted.as_secs_f64());
        }
    }

    /// What an upgrade is shown as now. A wait that is over by that is counted, from when this process first saw it.
    pub fn show_upgrade(&self, who: &Who, shown: Shown, now: Mono) {
        let Some((reason, waited)) = self.0.objects.upgrade(who, shown, now) else {
            return;
        };
        let of = KindReason {
            kind: who.kind.word(),
            reason: reason.word(),
        };
        self.0.wait_duration.get_or_create(&of).observe(waited.as_secs_f64());
    }

    /// Whether a Connection to a vendor `type` can be used: the reason of its Ready condition.
    pub fn show_connection(&self, who: &Who, r#type: &'static str, ready_reason: &str) {
        self.0.objects.connection(who, r#type, ready_reason);
    }

    /// How many calls are left for today through a Connection.
    pub fn set_quota(&self, who: &Who, remaining: u32) {
        self.0.objects.quota(who, remaining);
    }

    /// The upgrade or the Connection is gone, and so are its series.
    pub fn forget(&self, who: &Who) {
        self.0.objects.forget(who);
    }

    /// Forgets whom nobody told of: a watch that began anew does not name those that went.
    pub fn keep_only(&self, there: impl Fn(&Who) -> bool) {
        self.0.objects.keep_only(there);
    }

    /// A vendor said that it took a start which a receipt had ended as not taken.
    pub fn contradiction(&self) {
        self.0.contradictions.inc();
    }

    /// Whether this process leads.
    pub fn set_leader(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// Whether starts are allowed at all.
    pub fn set_starts_enabled(&self, enabled: bool) {
        self.0.starts_enabled.set(i64::from(enabled));
    }

    /// Whether the served CRDs are older than this binary needs.
    pub fn set_crds_outdated(&self, outdated: bool) {
        self.0.crds_outdated.set(i64::from(outdated));
    }

    /// All of it as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.0.registry) {
            // Writing to a string does not fail. A scrape without its `# EOF` is refused by Prometheus, which is seen.
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}

/// Names and meanings. The encoder appends `_total` to counters and `_info` to infos: they are registered without; and a full stop to what
/// is said of each.
fn registry(inner: &Inner) -> Registry {
    let mut registry = Registry::with_prefix("windlass");
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "1, with the version that runs", version);
    registry.register(
        "starts",
        "Permits to start, by what they came to: accepted, rejected, not_taken (proven), withdrawn (nothing was sent), in_doubt (the answer was lost)",
        inner.starts.clone(),
    );
    registry.register(
        "runs",
        "Runs of one target that came to their end, by the kind of resource that asked and the state they ended in",
        inner.runs.clone(),
    );
    registry.register(
        "run_duration_seconds",
        "Time from the start of a run of one target to its end; runs that nothing was sent for are not in it",
        inner.run_duration.clone(),
    );
    registry.register(
        "wait_duration_seconds",
        "How long an upgrade waited for one thing, counted when that wait is over, from when this process first saw it",
        inner.wait_duration.clone(),
    );
    registry.register(
        "receipts_open",
        "Receipts without an end: starts that are under way, running or in doubt",
        inner.receipts_open.clone(),
    );
    registry.register(
        "receipts_unresolved",
        "Open receipts of which it is not known whether the vendor took the start; nothing else starts on their targets",
        inner.receipts_unresolved.clone(),
    );
    registry.register(
        "vendor_requests",
        "Requests to vendors, by class of the answer; unknown is a start whose answer was lost",
        inner.vendor_requests.clone(),
    );
    registry.register(
        "vendor_request_duration_seconds",
        "Time from sending one request to a vendor to its answer",
        inner.vendor_duration.clone(),
    );
    registry.register(
        "reconcile_duration_seconds",
        "Time of one reconcile; vendors are not in it",
        inner.reconcile_duration.clone(),
    );
    registry.register(
        "reconcile_errors",
        "Reconciles that failed and are tried again, by what went wrong",
        inner.reconcile_errors.clone(),
    );
    registry.register(
        "status_writes",
        "Writes of a status; a steady rate while nothing happens is a spin",
        inner.status_writes.clone(),
    );
    registry.register(
        "contradictions",
        "Starts that a vendor took after they had been concluded not taken; never more than 0",
        inner.contradictions.clone(),
    );
    registry.register(
        "leader",
        "1 while this process leads and acts, 0 on a standby",
        inner.leader.clone(),
    );
    registry.register(
        "starts_enabled",
        "0 while starts are switched off for the whole operator",
        inner.starts_enabled.clone(),
    );
    registry.register(
        "crds_outdated",
        "1 while the served CRDs lack what this version needs, and nothing starts",
        inner.crds_outdated.clone(),
    );
    registry.register_collector(Box::new(Arc::clone(&inner.objects)));
    registry
}

#[cfg(test)]
mod tests;
