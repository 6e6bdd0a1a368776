//! `Inventory`: what one Connection offers, looked up now and then. For people; nothing is ever decided by it.

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::CUSTOMER_PATTERN;
use super::common::CanonicalDuration;
use super::common::Condition;
use super::common::ConnectionRef;
use super::common::is_unset;
use super::firmware_upgrade::DeviceType;

/// Most rows of each list in the status. A thousand clusters with their versions are far below what the API server takes for one object.
pub const MOST_ROWS: usize = 1000;

/// Pattern of a state's word: it becomes part of a query.
const STATE_PATTERN: &str = "^[a-z][a-z0-9-]*$";

/// Most versions that one row names.
pub const MOST_VERSIONS: usize = 20;

/// What is to be looked up, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "Inventory",
    plural = "inventories",
    namespaced,
    status = "InventoryStatus",
    derive = "PartialEq",
    doc = "What one Connection offers: versions, updates, and where its targets are. For people to look at; no upgrade depends on it, and it can be deleted without effect.",
    shortname = "winv",
    category = "windlass",
    selectable = ".spec.connectionRef.name",
    printcolumn = r#"{"name":"Connection","type":"string","jsonPath":".spec.connectionRef.name"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Observed","type":"date","jsonPath":".status.observedAt"}"#,
    printcolumn = r#"{"name":"Summary","type":"string","jsonPath":".status.summary"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct InventorySpec {
    /// The Connection in this namespace to look through. Cannot be changed.
    #[x_kube(validation = ("self == oldSelf", "another Connection is another inventory: create a new object"))]
    pub connection_ref: ConnectionRef,

    /// How often to look, as in 15m; at least 5m and at most 168h. Default: 15m, and 6h for a recovery appliance and for Aruba Central. Some of what is looked up leaves a trace at the vendor: on a
    /// recovery appliance each look at what it offers is a task in its list. At Aruba Central each page of devices is one of the calls of a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("duration(self) >= duration('5m') && duration(self) <= duration('168h')", "must be at least 5m and at most 168h"))]
    pub interval: Option<CanonicalDuration>,

    /// For a Connection of type HMC: which of its remote firmware updates to show. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmc: Option<HmcFilter>,

    /// For a Connection of type ArubaCentral, which needs it: of whose devices to show the firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aruba_central: Option<CustomersFilter>,
}

/// Whose devices at Aruba Central to show. Each customer and type costs at least one of the calls of a day with each look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomersFilter {
    /// Ids of the customers, 1 to 200.
    #[schemars(length(min = 1, max = 200), inner(length(min = 1, max = 80), regex(pattern = CUSTOMER_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub customer_ids: Vec<String>,
    /// Which of their devices: IAP, MAS, HP, CX, CONTROLLER.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub device_types: Vec<DeviceType>,
}

/// Which remote firmware updates of an HMC to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HmcFilter {
    /// Those of this state, in the console's words, such as scheduled, running or scheduled-on-peer. It is handed to the console, which
    /// refuses a word that it does not know: then Ready is False with the reason InvalidStateFilter. Default: those of any state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = STATE_PATTERN))]
    pub state: Option<String>,
}

/// What was found. Written by Windlass only, once an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryStatus {
    /// The newest metadata.generation that was looked at; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// When what stands here was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,

    /// What was found, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,

    /// More was found than is shown here.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub truncated: bool,

    /// What a vCenter offers.
    #[serde(rename = "vcenter", default, skip_serializing_if = "Option::is_none")]
    pub vcenter: Option<VCenterInventory>,

    /// What a recovery appliance offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_appliance: Option<ApplianceInventory>,

    /// What an HMC shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmc: Option<HmcInventory>,

    /// The firmware of customers' devices at Aruba Central.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aruba_central: Option<CentralInventory>,

    /// Ready: whether the last look succeeded. What an earlier look found stays shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Versions that a vCenter holds, and its Supervisor clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VCenterInventory {
    /// Versions that this vCenter holds for Supervisor clusters. Which of them a cluster may go to is in its own row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<OfferedVersion>,
    /// Its Supervisor clusters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterInventory>,
}

/// A version that a vCenter holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OfferedVersion {
    /// As it is to be written in a spec, byte for byte.
    pub version: String,
    /// When the vendor released it, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_date: Option<String>,
}

/// A Supervisor cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInventory {
    /// Its id, such as domain-c8, as an entry of spec.clusters names it.
    pub cluster: String,
    /// The name that vCenter shows people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version that it is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// Versions that it may go to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub available_versions: Vec<String>,
    /// What it does: READY, PENDING (it is being upgraded) or ERROR, in vCenter's words. An open set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A recovery appliance and the updates that its repository offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplianceInventory {
    /// What it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Version that it is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Updates that it offers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<ApplianceOffer>,
}

/// An update that a recovery appliance offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplianceOffer {
    /// As it is to be written in spec.version, byte for byte.
    pub version: String,
    /// FEATURE, SECURITY, FIX or MULTIPLE, in the vendor's words. An open set.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// MODERATE, IMPORTANT or CRITICAL, in the vendor's words. An open set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// When the vendor released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_date: Option<Timestamp>,
    /// Whether the appliance restarts for it, by the vendor's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot_required: Option<bool>,
    /// What it is about, in the vendor's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// An HMC, what IBM has scheduled for it, and until when IBM may schedule more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HmcInventory {
    /// The bundle that it is at, as spec.version of a FirmwareUpgrade names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_level: Option<String>,
    /// Remote firmware updates that are scheduled or run, of the state that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_firmware_updates: Vec<RemoteFirmwareUpdate>,
    /// Tokens with which IBM may schedule an update. Never their values, nor a hash of one: they are short enough to be guessed from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_firmware_update_tokens: Vec<RemoteFirmwareUpdateToken>,
}

/// An update of an HMC that IBM scheduled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RemoteFirmwareUpdate {
    /// Its URI at the console.
    pub element_uri: String,
    /// When it is to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_execution_time: Option<Timestamp>,
    /// The bundle that it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_bundle: Option<String>,
    /// scheduled, running or scheduled-on-peer, in the console's words. An open set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What has to be done before it, as the console tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending_conditions: Vec<String>,
}

/// The firmware of customers' devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CentralInventory {
    /// Devices that have customer, type, model, version and recommended build in common, a row for each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<FirmwareCount>,
}

/// Devices that are alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FirmwareCount {
    /// Whose they are, as arubaCustomer of a FirmwareUpgrade names it.
    pub customer_id: String,
    /// Their type, in Central's word.
    pub device_type: String,
    /// Their model.
    #[serde(skip_serializing_if = "is_unset")]
    pub model: String,
    /// Version that they are at.
    #[serde(skip_serializing_if = "is_unset")]
    pub version: String,
    /// The build that Central recommends for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommended: Option<String>,
    /// How many they are.
    #[schemars(range(min = 0))]
    pub devices: i32,
}

/// A token with which IBM may schedule an update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RemoteFirmwareUpdateToken {
    /// Until when it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<Timestamp>,
}
