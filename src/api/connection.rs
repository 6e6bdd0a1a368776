//! `Connection`: one vendor management endpoint, and the credentials for it.

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::CUSTOMER_PATTERN;
use super::common::Condition;
use super::common::SecretRef;
use super::common::is_unset;
use super::schedule::Schedule;
use crate::upgrade::target::VendorType;

/// Which API answers at `url`.
///
/// A value is added here, and so to the CRD, together with the client that speaks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConnectionType {
    /// A vCenter Server, for the Supervisor clusters it manages.
    VCenter,
    /// A VMware recovery appliance: vSphere Replication or Site Recovery Manager.
    RecoveryAppliance,
    /// An IBM Z Hardware Management Console.
    #[serde(rename = "HMC")]
    Hmc,
    /// Aruba Central (classic), as the account of a managed service provider.
    ArubaCentral,
}

impl ConnectionType {
    /// As it is written in a spec.
    pub fn word(self) -> &'static str {
        match self {
            ConnectionType::VCenter => "VCenter",
            ConnectionType::RecoveryAppliance => "RecoveryAppliance",
            ConnectionType::Hmc => "HMC",
            ConnectionType::ArubaCentral => "ArubaCentral",
        }
    }

    /// The API that is spoken there, as the core and the ledger know it.
    pub fn vendor(self) -> VendorType {
        match self {
            ConnectionType::VCenter => VendorType::VCenter,
            ConnectionType::RecoveryAppliance => VendorType::RecoveryAppliance,
            ConnectionType::Hmc => VendorType::Hmc,
            ConnectionType::ArubaCentral => VendorType::ArubaCentral,
        }
    }

    /// Targets in flight at once where the Connection names no number. A Supervisor upgrade rolls control plane machines and hosts, and
    /// all of a vCenter's share its task queue and its storage: eight keep those busy without a night's work queueing up behind one. A
    /// recovery appliance is one target, and so is an HMC. At Aruba Central ten customers at once are followed every few minutes with the calls
    /// that it allows in a day.
    fn default_max_concurrent_upgrades(self) -> usize {
        match self {
            ConnectionType::VCenter => 8,
            ConnectionType::ArubaCentral => 10,
            ConnectionType::RecoveryAppliance | ConnectionType::Hmc => 1,
        }
    }
}

/// Calls a day to Aruba Central where the Connection names no number: of the 5000 that it allows at least, what leaves others some.
const REQUESTS_PER_DAY: u32 = 4000;

/// Pattern of a base path: it is put before every path, so no dots alone, no empty segment, nothing that needs an escape.
const BASE_PATH_PATTERN: &str = "^(/[A-Za-z0-9_~-]+([.][A-Za-z0-9_~-]+){0,4}){1,8}$";

/// Where the configuration API of a recovery appliance is when the Connection does not say.
pub const BASE_PATH: &str = "/api/rest/configure/v2";

/// One vendor management endpoint and the credentials for it. Upgrades in the same namespace name it in spec.connectionRef.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "Connection",
    namespaced,
    status = "ConnectionStatus",
    derive = "PartialEq",
    doc = "One vendor management endpoint and the credentials for it. Upgrades in the same namespace name it in spec.connectionRef.",
    shortname = "conn",
    category = "windlass",
    selectable = ".spec.type",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Endpoint","type":"string","jsonPath":".status.endpoint"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"InFlight","type":"integer","jsonPath":".status.inFlight"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.vendor.version","priority":1}"#,
    printcolumn = r#"{"name":"Quota","type":"integer","jsonPath":".status.quota.remaining","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#
)]
#[cfg_attr(test, kube(cel))]
#[x_kube(
    validation = (
        "self.type == 'RecoveryAppliance' || !has(self.recoveryAppliance)",
        "recoveryAppliance is for type RecoveryAppliance only"
    ),
    validation = (
        "(self.type == 'ArubaCentral') == has(self.arubaCentral)",
        "type ArubaCentral needs arubaCentral, which says whose account it is; other types forbid it"
    ),
    validation = (
        "self.type == 'ArubaCentral' || !has(self.limits) || !has(self.limits.requestsPerDay)",
        "limits.requestsPerDay is for type ArubaCentral only"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionSpec {
    /// Which API answers at url. VCenter: a vCenter Server, for the Supervisor clusters it manages (ClusterUpgradeBatch).
    /// RecoveryAppliance: a VMware recovery appliance, vSphere Replication or Site Recovery Manager, which is itself what is updated
    /// (ApplianceUpdate). HMC: an IBM Z Hardware Management Console, which is itself what is upgraded (FirmwareUpgrade). ArubaCentral: Aruba Central
    /// (classic), for the devices of the customers of a managed service provider (FirmwareUpgrade). Cannot be changed: another kind of machine is
    /// another Connection.
    #[serde(rename = "type")]
    #[x_kube(validation = ("self == oldSelf", "a different type is a different machine: create a new Connection"))]
    pub type_: ConnectionType,

    /// Where it is: https://host or https://host:port, nothing more; the port defaults to 443, and an HMC's is usually 6794. Receipts of past
    /// upgrades are kept under this host and port, so it cannot be changed: another address is another machine. A name of this cluster's own services, localhost,
    /// and at the time of the connection any loopback or link-local address, is refused.
    // The host is matched in the text, not by getHostname(): the cost of a rule is estimated from the longest text it may meet, and only
    // this field's own length is known.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = (
            "isURL(self) && url(self).getScheme() == 'https' && url(self).getHostname() != '' && url(self).getEscapedPath() in ['', '/'] \
             && url(self).getQuery().size() == 0 && !self.contains('?') && !self.contains('#')",
            "must be https://host or https://host:port, without path, query or fragment"
        ),
        validation = ("!self.contains('@')", "must not hold a user name or password: they belong in the Secret"),
        validation = (
            "!isURL(self) || url(self).getPort() == '' || (url(self).getPort().size() < 6 && int(url(self).getPort()) > 0 \
             && int(url(self).getPort()) < 65536)",
            "the port must be between 1 and 65535"
        ),
        validation = (
            "!self.matches('(?i)^https://(([^/:]*[.])?localhost|[^/:]+[.](svc|cluster[.]local))[.]?([:/]|$)')",
            "the host must not be localhost or a service of this cluster"
        ),
        validation = ("self == oldSelf", "a different url is a different machine: create a new Connection")
    )]
    pub url: String,

    /// The Secret with the credentials, read again at each login, so it can be rotated at any time. It has the keys username and password:
    /// of a user of that vCenter, of the appliance's own administrator, or of a user of that HMC who may use its Web Services API and needs no
    /// second factor. For Aruba Central it has the keys clientID and clientSecret, of an application of its API gateway, and either username and
    /// password, of a user who may sign in without a second factor, or refreshToken. A refresh token is good once: Windlass keeps the newest one in the Secret
    /// windlass-tokens, and looks at yours again only when it has changed.
    pub credentials_secret_ref: SecretRef,

    /// The certificates that this endpoint's certificate must be signed by, as PEM text (not base64 of it). Default: the public
    /// certificate authorities. Certificates cannot be left unchecked.
    #[serde(rename = "caBundlePEM", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle_pem: Option<String>,

    /// When anything may be started through this Connection: windows, freezes, not before, not after. Every upgrade obeys this and its
    /// own schedule, so a change freeze of the whole site belongs here. Default: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// Bounds on what goes on at this endpoint at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ConnectionLimits>,

    /// While true, nothing new starts through this Connection; what runs is still followed. Default: false. To stop starts by hand when
    /// the spec is kept in Git, set the annotation windlass.dev/hold to a reason instead, and leave this field out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// What only a Connection of type RecoveryAppliance has. May be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_appliance: Option<RecoveryApplianceConnection>,

    /// What only a Connection of type ArubaCentral has, and needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aruba_central: Option<ArubaCentralConnection>,
}

/// What only a Connection of type ArubaCentral has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArubaCentralConnection {
    /// Id of the account that is logged in to: that of the managed service provider, not of one of its customers.
    #[schemars(length(min = 1, max = 80), regex(pattern = CUSTOMER_PATTERN))]
    pub customer_id: String,
}

/// What only a Connection of type RecoveryAppliance has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryApplianceConnection {
    /// Where the appliance's configuration API is at that address, with a slash before it and none after it. Default:
    /// /api/rest/configure/v2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128), regex(pattern = BASE_PATH_PATTERN))]
    pub base_path: Option<String>,
}

/// Bounds on what goes on at one endpoint at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionLimits {
    /// How many targets may be in flight at once, over all upgrades that go through this Connection: started, perhaps started, or about
    /// to start. Between 1 and 1000. Default: 8 for VCenter, 10 for ArubaCentral, 1 for RecoveryAppliance and HMC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent_upgrades: Option<i32>,

    /// For type ArubaCentral: how many calls Windlass may make in a day, which ends at midnight GMT. Nine tenths of them are for looks, the rest
    /// is kept for starts and for the looks that end runs; with fewer calls runs are looked at less often. Between 100 and 1000000. Default: 4000,
    /// of the 5000 that Central allows an account at least. What Central allows is obeyed as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1_000_000))]
    pub requests_per_day: Option<i32>,
}

impl ConnectionSpec {
    /// How many targets may be in flight at once through this Connection: `limits.maxConcurrentUpgrades`, or the default of its type.
    pub fn max_concurrent_upgrades(&self) -> usize {
        let written = self.limits.as_ref().and_then(|limits| limits.max_concurrent_upgrades);
        written
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or_else(|| self.type_.default_max_concurrent_upgrades())
    }

    /// How many calls a day may be made: `limits.requestsPerDay`, or the default.
    pub fn requests_per_day(&self) -> u32 {
        let written = self.limits.as_ref().and_then(|limits| limits.requests_per_day);
        written.and_then(|n| u32::try_from(n).ok()).unwrap_or(REQUESTS_PER_DAY)
    }

    /// Where the configuration API of a recovery appliance is: `recoveryAppliance.basePath`, or the default.
    pub fn base_path(&self) -> &str {
        let written = self.recovery_appliance.as_ref().and_then(|block| block.base_path.as_deref());
        written.unwrap_or(BASE_PATH)
    }
}

/// What Windlass knows about the endpoint. Written by Windlass only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// The newest metadata.generation that was looked at; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready: whether the last login and look succeeded. Its reason is one of Reachable, SecretNotFound, SecretAccessDenied,
    /// SecretIncomplete, AuthFailed, MissingPermission, PasswordExpired, SecondFactorRequired, TooManySessions, TLSUntrusted, TLSTooOld,
    /// Unreachable, EndpointNotAllowed, NotThisProduct, Unsupported, QuotaLow; the set is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The endpoint in canonical form, host:port. Receipts are kept under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,

    /// What the endpoint says it is. Shown and compared, never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<VendorInfo>,

    /// Calls that are left for today, where the endpoint counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaStatus>,

    /// Number of upgrades that hold a slot on this endpoint now: started, perhaps started, or about to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub in_flight: Option<i32>,

    /// Slots taken by starts that are about to happen. An entry goes by itself within minutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["target".into()]))]
    pub reservations: Vec<Reservation>,
}

/// Calls that are left for today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaStatus {
    /// Calls that Windlass may make in a day: limits.requestsPerDay, or what the endpoint allows where that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub limit_per_day: Option<i32>,
    /// Of those, left until the day ends: a round number below it, by no more than a hundred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub remaining: Option<i32>,
    /// When the day ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

/// What an endpoint says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VendorInfo {
    /// Product, such as vCenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A slot taken by a start that is about to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The target that is about to be started, such as domain-c8 or customer/4d1c9a70/CX; appliance for a recovery appliance, console for an
    /// HMC.
    pub target: String,
    /// Sequence number that its receipt will have.
    #[serde(default, skip_serializing_if = "is_unset")]
    #[schemars(range(min = 0))]
    pub seq: i32,
    /// When the slot was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who takes it, as namespace/kind/name.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub by: String,
}
