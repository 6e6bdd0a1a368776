//! What Prometheus sees. Labels come from small fixed sets; names of objects, serials and versions belong in Events and logs. Only what is left
//! of a Connection's calls names its Connection.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A reconcile is a few API calls: tens of milliseconds when well, seconds when the API server is not. Vendors are not in it.
const RECONCILE_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// A vendor answers in tenths of seconds; a vCenter that runs prechecks inside the call takes many.
const VENDOR_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

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
    quota_remaining: Family<OfConnection, Gauge>,
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

/// The one metric that names objects: "calls are running out" is no use without where.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfConnection {
    namespace: String,
    connection: String,
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
        // The encoder appends `_total` to counters and `_info` to infos: they are registered without.
        let mut registry = Registry::with_prefix("windlass");
        registry.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let registered = Inner {
            reconcile_duration: Family::new_with_constructor(|| Histogram::new(RECONCILE_BUCKETS)),
            reconcile_errors: Family::default(),
            starts: Family::default(),
            vendor_requests: Family::default(),
            vendor_duration: Family::new_with_constructor(|| Histogram::new(VENDOR_BUCKETS)),
            status_writes: Family::default(),
            receipts_open: Family::default(),
            receipts_unresolved: Family::default(),
            quota_remaining: Family::default(),
            contradictions: Counter::default(),
            leader: Gauge::default(),
            starts_enabled: Gauge::default(),
            crds_outdated: Gauge::default(),
            registry: Registry::default(),
        };
        let m = &registered;
        registry.register("reconcile_duration_seconds", "Time of one reconcile", m.reconcile_duration.clone());
        registry.register("reconcile_errors", "Reconciles that failed, by error", m.reconcile_errors.clone());
        registry.register("starts", "Permits, by what they came to", m.starts.clone());
        registry.register(
            "vendor_requests",
            "Requests to vendors, by class of answer",
            m.vendor_requests.clone(),
        );
        registry.register(
            "vendor_request_duration_seconds",
            "Time of one request to a vendor",
            m.vendor_duration.clone(),
        );
        registry.register(
            "status_writes",
            "Writes of a status; a steady rate at rest is a spin",
            m.status_writes.clone(),
        );
        registry.register("receipts_open", "Receipts without an end", m.receipts_open.clone());
        registry.register(
            "receipts_unresolved",
            "Open receipts that only a person can end",
            m.receipts_unresolved.clone(),
        );
        registry.register(
            "vendor_quota_remaining",
            "Calls that are left for today at vendors that count them",
            m.quota_remaining.clone(),
        );
        registry.register(
            "contradictions",
            "Vendors that took back what a receipt relies on",
            m.contradictions.clone(),
        );
        registry.register("leader", "1 while this process leads", m.leader.clone());
        registry.register("starts_enabled", "0 while starts are switched off", m.starts_enabled.clone());
        registry.register(
            "crds_outdated",
            "1 while the served CRDs lack what this version needs",
            m.crds_outdated.clone(),
        );
        let metrics = Metrics(Arc::new(Inner { registry, ..registered }));
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

    /// How many calls are left for today through a Connection.
    pub fn set_quota(&self, namespace: &str, connection: &str, remaining: u32) {
        let of = OfConnection {
            namespace: namespace.to_owned(),
            connection: connection.to_owned(),
        };
        self.0.quota_remaining.get_or_create(&of).set(i64::from(remaining));
    }

    /// The Connection is gone, and so is what was left for it.
    pub fn forget_quota(&self, namespace: &str, connection: &str) {
        let of = OfConnection {
            namespace: namespace.to_owned(),
            connection: connection.to_owned(),
        };
        self.0.quota_remaining.remove(&of);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_in_the_text_under_its_documented_name() {
        let metrics = Metrics::new();
        metrics.reconciled("ClusterUpgradeBatch", Duration::from_millis(30));
        metrics.reconcile_failed("ClusterUpgradeBatch", "api");
        metrics.started("vcenter", StartOutcome::InDoubt);
        metrics.vendor_request("vcenter", "list_clusters", "ok", Duration::from_millis(300));
        metrics.status_written("Connection");
        metrics.set_receipts("vcenter", 3, 1);
        metrics.set_quota("netops", "central-msp", 4100);
        metrics.set_quota("netops", "gone", 7);
        metrics.forget_quota("netops", "gone");
        metrics.contradiction();
        metrics.set_leader(true);
        metrics.set_crds_outdated(true);
        let text = metrics.encode();
        for line in [
            concat!("windlass_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "windlass_reconcile_duration_seconds_bucket{le=\"0.025\",kind=\"ClusterUpgradeBatch\"} 0",
            "windlass_reconcile_duration_seconds_bucket{le=\"0.05\",kind=\"ClusterUpgradeBatch\"} 1",
            "windlass_reconcile_errors_total{kind=\"ClusterUpgradeBatch\",label=\"api\"} 1",
            "windlass_starts_total{type=\"vcenter\",outcome=\"in_doubt\"} 1",
            "windlass_vendor_requests_total{type=\"vcenter\",operation=\"list_clusters\",class=\"ok\"} 1",
            "windlass_vendor_request_duration_seconds_count{type=\"vcenter\",operation=\"list_clusters\"} 1",
            "windlass_status_writes_total{kind=\"Connection\"} 1",
            "windlass_receipts_open{type=\"vcenter\"} 3",
            "windlass_receipts_unresolved{type=\"vcenter\"} 1",
            "windlass_vendor_quota_remaining{namespace=\"netops\",connection=\"central-msp\"} 4100",
            "windlass_contradictions_total 1",
            "windlass_leader 1",
            "windlass_starts_enabled 1",
            "windlass_crds_outdated 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("_total_total") && !text.contains("gone"), "{text}");
    }

    #[test]
    fn gauges_and_single_counters_are_there_before_anything_happened() {
        let text = Metrics::new().encode();
        for line in [
            "windlass_contradictions_total 0",
            "windlass_leader 0",
            "windlass_starts_enabled 1",
            "windlass_crds_outdated 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_gauge_follows_down_as_well() {
        let metrics = Metrics::new();
        let other = metrics.clone();
        metrics.set_receipts("hmc", 2, 2);
        other.set_receipts("hmc", 0, 0);
        assert!(metrics.encode().contains("windlass_receipts_open{type=\"hmc\"} 0"));
    }
}
