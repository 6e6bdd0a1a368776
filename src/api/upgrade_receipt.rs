//! `UpgradeReceipt`: the permit for one start, and its record for ever.
//!
//! Written by Windlass only, but for `spec.resolution`. Every fact in it is write-once, which the API server enforces: CEL rules on
//! `claim`, `resolution`, `answer`, `adopted` and `end` forbid a change, rules on what holds them forbid that they vanish. The one rule
//! on the root, that a status never vanishes, is harmless there because nothing in it can tighten.

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::Condition;
use super::common::VERSION_PATTERN;

/// What a start was for, and a person's word on it if one was needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "UpgradeReceipt",
    status = "UpgradeReceiptStatus",
    derive = "PartialEq",
    doc = "The permit for one start and its record. Windlass writes one before it starts anything, and never starts the same run twice. \
           Receipts outlive the upgrade that asked for them; do not delete them.",
    shortname = "rcpt",
    category = "windlass",
    selectable = ".spec.claim.targetHash",
    selectable = ".spec.claim.run.namespace",
    validation = ("!has(oldSelf.status) || has(self.status)", "a receipt keeps its facts: its status cannot be removed"),
    printcolumn = r#"{"name":"Target","type":"string","jsonPath":".spec.claim.target"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.claim.run.version"}"#,
    printcolumn = r#"{"name":"Answer","type":"string","jsonPath":".status.answer.kind"}"#,
    printcolumn = r#"{"name":"End","type":"string","jsonPath":".status.end.kind"}"#,
    printcolumn = r#"{"name":"Namespace","type":"string","jsonPath":".spec.claim.run.namespace"}"#,
    printcolumn = r#"{"name":"Requested-By","type":"string","jsonPath":".spec.claim.requestedBy.name"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Job","type":"string","jsonPath":".status.answer.job","priority":1}"#,
    printcolumn = r#"{"name":"From","type":"string","jsonPath":".spec.claim.before","priority":1}"#,
    printcolumn = r#"{"name":"RunKey","type":"string","jsonPath":".spec.claim.run.runKey","priority":1}"#,
    printcolumn = r#"{"name":"Resolved-By","type":"string","jsonPath":".spec.resolution.by","priority":1}"#
)]
#[cfg_attr(test, kube(cel))]
#[x_kube(validation = ("!has(oldSelf.resolution) || has(self.resolution)", "a resolution cannot be taken back"))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeReceiptSpec {
    /// What the start is for. Written when the receipt is created; cannot be changed.
    #[x_kube(validation = ("self == oldSelf", "a claim cannot be changed"))]
    pub claim: Claim,

    /// A person's word on what became of the start, for when Windlass cannot find out. Can be set once and never changed. Ask the vendor
    /// first: a wrong NotStarted makes Windlass start again what is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "a resolution cannot be changed"))]
    pub resolution: Option<Resolution>,
}

/// What a start is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The target in canonical form: API, endpoint and object, as in vcenter|vc1.example:443|domain-c8.
    #[schemars(length(min = 1, max = 1024))]
    pub target: String,

    /// Hash of the target. All receipts of one target, its ledger, have the same.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z2-7]+$"))]
    pub target_hash: String,

    /// Place in the target's ledger, from 1, without gaps.
    #[schemars(range(min = 1))]
    pub sequence: i32,

    /// One run starts at most once.
    pub run: ClaimedRun,

    /// Name of the Connection, in run.namespace, that reaches the target.
    #[schemars(length(min = 1, max = 253))]
    pub connection: String,

    /// What the vendor reported of the target before the start, as JSON. What became of the start is judged by the difference.
    // The ids of an appliance's tasks are in it: 36 characters each, and up to 400 of them.
    #[serde(default)]
    #[schemars(length(max = 24576))]
    pub before: String,

    /// The request that is sent, without credentials. Absent on a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub request: Option<String>,

    /// The options of the start, as JSON. The same run with other options is another attempt after a refusal, and a conflict after
    /// anything else. Absent on a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub options: Option<String>,

    /// When the vendor was told to begin, where it is told that (Aruba Central): the start is known by exactly this time afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub scheduled_at: Option<Timestamp>,

    /// Random id of the one process that may send the request. Absent on a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub holder: Option<String>,

    /// The object that asked for it.
    pub requested_by: RequestedBy,

    /// Set when this is no permit but a record of something else: AlreadyAtVersion, NotStartedInTime, WouldDowngrade, or Adopted for a
    /// run that somebody else began. An open set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub note: Option<String>,
}

/// Identifies a run of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedRun {
    /// Namespace of the object that asked for it.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,

    /// Version asked for, exactly as the vendor lists it.
    #[schemars(length(min = 1, max = 64), regex(pattern = VERSION_PATTERN))]
    pub version: String,

    /// The runKey asked for; empty if there was none.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub run_key: String,
}

/// The object that asked for a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedBy {
    /// Its kind.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// Its name, in run.namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Its uid.
    #[schemars(length(min = 1, max = 128))]
    pub uid: String,

    /// Its generation when the start was decided.
    #[schemars(range(min = 0))]
    pub generation: i64,

    /// The field manager that last wrote its spec, such as argocd-controller: a hint at who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub field_manager: Option<String>,

    /// The mark that a GitOps tool left on it, such as Argo CD's tracking id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub tracking_id: Option<String>,
}

/// A person's word on what became of a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// Started: the vendor took it; it is followed. NotStarted: the vendor did not take it; a new start is allowed, after a grace period
    /// of 15 minutes. Succeeded, Failed: it ended like this.
    pub verdict: Verdict,

    /// Your user name. Where the admission policy is installed it must be the name you are logged in with.
    #[schemars(length(min = 1, max = 512))]
    pub by: String,

    /// How you know, for whoever reads this later.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
}

/// The words a person may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// It was taken: follow it.
    Started,
    /// It was not taken.
    NotStarted,
    /// It was taken and ended well.
    Succeeded,
    /// It was taken and failed.
    Failed,
}

/// What became known of the start. Written by Windlass only; answer, adopted, hint, scheduled and end are written once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("!has(oldSelf.answer) || has(self.answer)", "an answer cannot be removed"),
    validation = ("!has(oldSelf.adopted) || has(self.adopted)", "adopted cannot be removed"),
    validation = ("!has(oldSelf.hint) || has(self.hint)", "a hint cannot be removed"),
    validation = ("!has(oldSelf.scheduled) || has(self.scheduled)", "scheduled cannot be removed"),
    validation = ("!has(oldSelf.end) || has(self.end)", "an end cannot be removed")
)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeReceiptStatus {
    /// What the vendor answered to the request. Absent: not sent yet, or in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "an answer cannot be changed"))]
    pub answer: Option<ReceiptAnswer>,

    /// Set when evidence showed that the vendor took the request though no answer says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "adopted cannot be changed"))]
    pub adopted: Option<ReceiptAdopted>,

    /// Set when something was seen while the start was in doubt that may have been it. From then on an unchanged target does not prove that
    /// it was never taken, and only other evidence or a person's word ends the doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "a hint cannot be changed"))]
    pub hint: Option<ReceiptHint>,

    /// Set when the vendor's people put the run on their schedule, where it is theirs to choose when it runs (HMC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "scheduled cannot be changed"))]
    pub scheduled: Option<ReceiptScheduled>,

    /// What was seen while the start was in doubt, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 1024)))]
    pub evidence: Vec<String>,

    /// What it came to. A target gets no further receipt before its last one has an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "an end cannot be changed"))]
    pub end: Option<ReceiptEnd>,

    /// Settled is True once the receipt has an end; its reason says which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What the vendor answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptAnswer {
    /// Accepted, Rejected, NotTaken (surely not started, may be tried again) or Lost (no answer, or none that could be understood). An
    /// open set.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub kind: String,

    /// One word for programs: which proof of NotTaken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,

    /// For people: the vendor's words where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,

    /// The vendor's own id of the job, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub job: Option<String>,

    /// Seconds that the vendor asked to wait before the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub retry_after_seconds: Option<i64>,

    /// When it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Evidence that the vendor took a request whose answer is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptAdopted {
    /// When it was concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,

    /// From what.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub how: String,

    /// The vendor's id of the job that it turned out to be, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub job: Option<String>,
}

/// Something that may have been a start in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptHint {
    /// When it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,

    /// What was seen.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub how: String,
}

/// What stands on the schedule of the vendor's people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptScheduled {
    /// When it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,

    /// The vendor's id of what will carry the run out.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub job: String,

    /// When it was to begin, as first seen. The vendor's people may choose another time later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<Timestamp>,
}

/// What a start came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptEnd {
    /// Succeeded, Failed, Cancelled, Rejected, NotTaken, Withdrawn (nothing was sent) or AlreadyAtVersion. An open set.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub kind: String,

    /// When it was concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,

    /// From what: the vendor's words, a person's, or what was seen.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub how: String,
}
