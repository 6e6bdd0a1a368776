//! `ClusterUpgradeBatch`: a set of Supervisor clusters, each upgraded to its version, in an order that limits the damage.

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::Blocker;
use super::common::CLUSTER_PATTERN;
use super::common::CanonicalDuration;
use super::common::Condition;
use super::common::ConnectionRef;
use super::common::PastRun;
use super::common::RUN_KEY_PATTERN;
use super::common::TargetStatus;
use super::common::VERSION_PATTERN;
use super::schedule::Schedule;

/// What is to be upgraded to what, and how carefully. Edits of version and options reach a target when it starts and never after; edits
/// of suspend, schedule, timeout and strategy act at once on targets not yet started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "ClusterUpgradeBatch",
    plural = "clusterupgradebatches",
    namespaced,
    status = "ClusterUpgradeBatchStatus",
    derive = "PartialEq",
    doc = "Upgrades a set of vSphere Supervisor clusters, each to its version, each started at most once for one namespace, version and runKey.",
    shortname = "cub",
    category = "windlass",
    category = "upgrades",
    selectable = ".spec.connectionRef.name",
    selectable = ".spec.desiredVersion",
    selectable = ".status.state",
    selectable = ".status.waitingFor",
    printcolumn = r#"{"name":"Done","type":"string","jsonPath":".status.done"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Waiting-For","type":"string","jsonPath":".status.waitingFor"}"#,
    printcolumn = r#"{"name":"Next","type":"string","jsonPath":".status.nextActionAt"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.desiredVersion","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message","priority":1}"#,
    printcolumn = r#"{"name":"Connection","type":"string","jsonPath":".spec.connectionRef.name","priority":1}"#
)]
#[cfg_attr(test, kube(cel))]
#[x_kube(
    validation = (
        "has(self.desiredVersion) || self.clusters.all(c, has(c.desiredVersion))",
        "every cluster needs a version: set spec.desiredVersion, or desiredVersion on each entry of spec.clusters"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUpgradeBatchSpec {
    /// The vCenter that manages these clusters: a Connection of type VCenter in this namespace. Cannot be changed.
    #[x_kube(validation = ("self == oldSelf", "a different target is a different upgrade: create a new object"))]
    pub connection_ref: ConnectionRef,

    /// Version for every cluster whose entry names none, exactly as vCenter lists it, such as v1.30.5+vmware.2. A new version is a new
    /// run: clusters already at it are left alone, and a cluster is never taken back to an older one. Required unless each entry names
    /// its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = VERSION_PATTERN))]
    pub desired_version: Option<String>,

    /// The clusters, 1 to 64 of them. Canaries start first, then the others, each group in the order written here. An entry added later
    /// joins the batch; an entry removed before its start is dropped, and one removed after it is followed to its end.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["cluster".into()]))]
    pub clusters: Vec<ClusterEntry>,

    /// How many at once, how many may fail, and how long to wait after the canaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<BatchStrategy>,

    /// When its clusters may be started: windows, freezes, not before, not after. The schedule of the Connection is obeyed as well.
    /// Default: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// While true, nothing new starts; what runs is still followed. Default: false. Created with true, it shows in its status what it
    /// would do. To stop starts by hand when the spec is kept in Git, set the annotation windlass.dev/hold to a reason instead, and leave
    /// this field out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// How long one cluster may take from its accepted start, as in 8h or 90m; between 1m and 720h. Default: 8h. A cluster that vCenter
    /// still upgrades after that is shown as overdue and counts as a failure for strategy.maxFailures; one that stands still below its
    /// version has failed. Nothing is ever cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = (
        "duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "must be between 1m and 720h"
    ))]
    pub timeout: Option<CanonicalDuration>,

    /// Any text of your own, at most 32 of a-z, 0-9, dot and dash. Default: empty. One version is started once per cluster for one
    /// runKey, so change it to try a version again that was refused or has failed, or that was accepted with other options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = RUN_KEY_PATTERN))]
    pub run_key: Option<String>,
}

/// One cluster of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterEntry {
    /// Id of the cluster in vCenter, such as domain-c8.
    #[schemars(length(min = 1, max = 80), regex(pattern = CLUSTER_PATTERN))]
    pub cluster: String,

    /// Name of the cluster in vCenter. If set it must be the name vCenter reports for that id, or the cluster is not started
    /// (IdentityMismatch): a guard against a mistyped id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\x00-\x1F\x7F]+$"))]
    pub cluster_name: Option<String>,

    /// Canaries start before all others, which wait until every canary has succeeded and strategy.soak has passed. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<bool>,

    /// Version for this cluster, exactly as vCenter lists it. Default: spec.desiredVersion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = VERSION_PATTERN))]
    pub desired_version: Option<String>,

    /// Start even though vCenter's pre-checks warn; their errors still stop it. Default: false. Setting it after a cluster was rejected
    /// makes a new attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_precheck_warnings: Option<bool>,
}

/// How many clusters at once, how many may fail, and how long to wait after the canaries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchStrategy {
    /// How many clusters may be under way at once, 1 to 64. Default: 1. A cluster whose state is not known counts as under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub max_concurrent: Option<i32>,

    /// How many clusters may fail, 0 to 64, before no more are started. Default: 0, so the first failure stops the batch. Failed, rejected
    /// and overdue clusters count, and those whose end nobody but a person can tell. To go on, raise it, fix the entry, or change runKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 64))]
    pub max_failures: Option<i32>,

    /// How long to wait after the last canary has succeeded before any other cluster starts, as in 1h; at most 168h. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("duration(self) <= duration('168h')", "must be at most 168h"))]
    pub soak: Option<CanonicalDuration>,
}

/// How far the batch is. Written by Windlass only. Programs read conditions; the rest is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUpgradeBatchStatus {
    /// The newest metadata.generation that was looked at; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Summary for people: PENDING, STARTED, RUNNING, SUCCESS, REJECTED, FAILED, CANCELLED or UNKNOWN. An open set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,

    /// Clusters at their version out of all, as in 1/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,

    /// Clusters by state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,

    /// Reason of the first blocker; absent when nothing is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,

    /// What goes on, and what comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When the next start is due, if that depends on time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Timestamp>,

    /// When the first cluster of this run started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,

    /// When the last cluster of this run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,

    /// All that is waited for, the most telling first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,

    /// One row per cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<TargetStatus>,

    /// Runs that ended before those shown above, newest first, at most five. All of them are in the receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<PastRun>,

    /// Ready is True once every cluster is at its version. Reconciling is True while something is still to come, Stalled when only a
    /// person can go on; both are absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Clusters by state; they add up to total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// All clusters in the spec. One that was removed from it and is followed to its end has a row, and is not counted.
    #[schemars(range(min = 0))]
    pub total: i32,
    /// At their version.
    #[schemars(range(min = 0))]
    pub success: i32,
    /// Started or running.
    #[schemars(range(min = 0))]
    pub running: i32,
    /// Failed.
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// Refused by vCenter or by Windlass; nothing was started.
    #[schemars(range(min = 0))]
    pub rejected: i32,
    /// Cancelled by somebody in vCenter.
    #[schemars(range(min = 0))]
    pub cancelled: i32,
    /// Perhaps started: evidence, or a person's word, is waited for.
    #[schemars(range(min = 0))]
    pub unknown: i32,
    /// Not started yet.
    #[schemars(range(min = 0))]
    pub pending: i32,
}
