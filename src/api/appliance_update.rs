//! `ApplianceUpdate`: one recovery appliance, updated to one version, through its restart.

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::Blocker;
use super::common::CanonicalDuration;
use super::common::Condition;
use super::common::ConnectionRef;
use super::common::PastRun;
use super::common::RUN_KEY_PATTERN;
use super::common::TargetStatus;
use super::common::VERSION_PATTERN;
use super::schedule::Schedule;

/// What the appliance is to be updated to, and when. The Connection says which appliance: one endpoint is one appliance. An edit of version
/// or runKey reaches it when an update starts and never after; edits of suspend, schedule and timeout act at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "ApplianceUpdate",
    plural = "applianceupdates",
    namespaced,
    status = "ApplianceUpdateStatus",
    derive = "PartialEq",
    doc = "Updates a VMware recovery appliance (vSphere Replication or Site Recovery Manager) to a version that its repository offers, through its \
           restart, started at most once for one namespace, version and runKey.",
    shortname = "appup",
    category = "windlass",
    category = "upgrades",
    selectable = ".spec.connectionRef.name",
    selectable = ".spec.version",
    selectable = ".status.state",
    selectable = ".status.waitingFor",
    printcolumn = r#"{"name":"Target","type":"string","jsonPath":".status.target"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Progress","type":"integer","jsonPath":".status.progress"}"#,
    printcolumn = r#"{"name":"Waiting-For","type":"string","jsonPath":".status.waitingFor"}"#,
    printcolumn = r#"{"name":"Next","type":"string","jsonPath":".status.nextActionAt"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Current","type":"string","jsonPath":".status.currentVersion","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message","priority":1}"#,
    printcolumn = r#"{"name":"Connection","type":"string","jsonPath":".spec.connectionRef.name","priority":1}"#,
    printcolumn = r#"{"name":"RunKey","type":"string","jsonPath":".spec.runKey","priority":1}"#,
    printcolumn = r#"{"name":"Receipt","type":"string","jsonPath":".status.targets[0].receipt","priority":1}"#,
    printcolumn = r#"{"name":"Started","type":"date","jsonPath":".status.startedAt","priority":1}"#
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct ApplianceUpdateSpec {
    /// The appliance: a Connection of type RecoveryAppliance in this namespace. Cannot be changed.
    #[x_kube(validation = ("self == oldSelf", "a different target is a different upgrade: create a new object"))]
    pub connection_ref: ConnectionRef,

    /// The version, exactly as the appliance's repository lists it, such as 9.0.2-10455. A new version is a new run: an appliance that is at
    /// it already is left alone, and one is never taken back to an older version.
    #[schemars(length(min = 1, max = 64), regex(pattern = VERSION_PATTERN))]
    pub version: String,

    /// When the update may be started: windows, freezes, not before, not after. The schedule of the Connection is obeyed as well.
    /// Default: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// While true, nothing new starts; what runs is still followed. Default: false. Created with true, it shows in its status what it
    /// would do. To stop starts by hand when the spec is kept in Git, set the annotation windlass.dev/hold to a reason instead, and leave
    /// this field out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// How long the update may take from its accepted start, the appliance's restart included, as in 3h or 90m; between 1m and 720h.
    /// Default: 3h. For this long an appliance that cannot be seen is taken to restart; after that a person must look. Nothing is ever
    /// cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = (
        "duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "must be between 1m and 720h"
    ))]
    pub timeout: Option<CanonicalDuration>,

    /// Any text of your own, at most 32 of a-z, 0-9, dot and dash. Default: empty. One version is started once for one runKey, so change
    /// it to try a version again that was refused or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = RUN_KEY_PATTERN))]
    pub run_key: Option<String>,
}

/// How far the update is. Written by Windlass only. Programs read conditions; the rest is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplianceUpdateStatus {
    /// The newest metadata.generation that was looked at; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Summary for people: PENDING, STARTED, RUNNING, SUCCESS, REJECTED, FAILED, CANCELLED or UNKNOWN. An open set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,

    /// The appliance, by the name of its Connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,

    /// Version that the appliance last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,

    /// Percent done, as the appliance reports it; absent where it reports none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub progress: Option<i32>,

    /// Reason of the first blocker; absent when nothing is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,

    /// What goes on, and what comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When the start is due, if that depends on time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Timestamp>,

    /// When this run started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,

    /// When this run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,

    /// All that is waited for, the most telling first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,

    /// One row, for the appliance, with the receipt and the appliance's own job. There is another while a run of an earlier object of this
    /// name is still followed on another appliance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<TargetStatus>,

    /// Runs that ended before the one shown above, newest first, at most five. All of them are in the receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<PastRun>,

    /// Ready is True once the appliance is at its version. Reconciling is True while something is still to come, Stalled when only a
    /// person can go on; both are absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
