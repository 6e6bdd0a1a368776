//! `FirmwareUpgrade`: an IBM Z Hardware Management Console, brought to one bundle, through its restart; or the devices of one type of a customer
//! of Aruba Central, brought to one version.

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::Blocker;
use super::common::CUSTOMER_PATTERN;
use super::common::CanonicalDuration;
use super::common::Condition;
use super::common::ConnectionRef;
use super::common::PastRun;
use super::common::RUN_KEY_PATTERN;
use super::common::SecretRef;
use super::common::TargetStatus;
use super::common::VERSION_PATTERN;
use super::schedule::Schedule;

/// Pattern of a server's name or address, as a console takes it.
const HOST_PATTERN: &str = "^[A-Za-z0-9:]([A-Za-z0-9.:_-]*[A-Za-z0-9])?$";

/// Pattern of a directory on it: printable ASCII, without quotes and backslashes.
const DIRECTORY_PATTERN: &str = "^[ !#-&(-\\[\\]-~]*$";

/// Pattern of a group's name at Aruba Central: printable, without what its own request would have to escape.
const GROUP_PATTERN: &str = "^[^\\s\"\\\\]([^\"\\\\\\x00-\\x1f\\x7f]*[^\\s\"\\\\])?$";

/// What the firmware is to be brought to, how, and when. The Connection says where. An edit of version, runKey or of what is under
/// hmcConsole or arubaCustomer reaches it when an upgrade starts and never after; edits of suspend, schedule and timeout act at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "FirmwareUpgrade",
    plural = "firmwareupgrades",
    namespaced,
    status = "FirmwareUpgradeStatus",
    derive = "PartialEq",
    doc = "Brings an IBM Z Hardware Management Console (HMC) to a bundle of its firmware, or a customer's devices at Aruba Central to a version \
           of theirs, started at most once for one namespace, version and runKey.",
    shortname = "fwup",
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
#[x_kube(
    validation = (
        "has(self.arubaCustomer) != has(self.hmcConsole)",
        "exactly one of arubaCustomer and hmcConsole says what is upgraded"
    ),
    validation = (
        "has(self.arubaCustomer) == has(oldSelf.arubaCustomer)",
        "a different target is a different upgrade: create a new object"
    ),
    validation = (
        "has(self.version) != (has(self.arubaCustomer) && has(self.arubaCustomer.recommended) && self.arubaCustomer.recommended)",
        "exactly one of version and arubaCustomer.recommended: true says what it is brought to"
    ),
    validation = (
        "!has(self.version) || self.version != 'recommended'",
        "recommended is no version: leave version out, and set arubaCustomer.recommended: true"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FirmwareUpgradeSpec {
    /// A Connection in this namespace: of type HMC for hmcConsole, of type ArubaCentral for arubaCustomer. Cannot be changed.
    #[x_kube(validation = ("self == oldSelf", "a different target is a different upgrade: create a new object"))]
    pub connection_ref: ConnectionRef,

    /// The console of the Connection itself is upgraded; not a machine that it manages. How cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = (
        "has(self.singleStepInstall) == has(oldSelf.singleStepInstall)",
        "how a console is upgraded cannot be changed: create a new object"
    ))]
    pub hmc_console: Option<HmcConsole>,

    /// The devices of one type of a customer of the Connection's managed service provider are upgraded, in one order. Whose and which cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = (
        "self.customerId == oldSelf.customerId && self.deviceType == oldSelf.deviceType",
        "a different target is a different upgrade: create a new object"
    ))]
    pub aruba_customer: Option<ArubaCustomer>,

    /// The version, as the vendor writes it: for an HMC the bundle level, such as H41; for Aruba Central a firmware version, such as 10.13.1010. A
    /// new version is a new run: what is at it already is left alone, and nothing is taken back to an older one (but see
    /// arubaCustomer.allowDowngrade). Needed, unless arubaCustomer.recommended is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = VERSION_PATTERN))]
    pub version: Option<String>,

    /// When the upgrade may be started: windows, freezes, not before, not after. The schedule of the Connection is obeyed as well.
    /// Default: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// While true, nothing new starts; what runs is still followed. Default: false. Created with true, it shows in its status what it
    /// would do. To stop starts by hand when the spec is kept in Git, set the annotation windlass.dev/hold to a reason instead, and leave
    /// this field out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// How long the upgrade may take from its accepted start, restarts included, as in 6h or 90m; between 1m and 720h. Default: 6h for an HMC, and 192h
    /// for remoteSchedule; 8h for arubaCustomer, and 168h where reboot is false. For this long what cannot be seen is taken to restart; after that a
    /// person must look. Devices that are reached and are not at their version by then make it FAILED. Nothing is ever cancelled.
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

/// Which devices of a customer of Aruba Central are upgraded, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = (
    "(self.deviceType == 'IAP') != has(self.reboot)",
    "reboot must be set to true or false, but for deviceType IAP, whose access points always reboot, it must be left out"
))]
#[serde(rename_all = "camelCase")]
pub struct ArubaCustomer {
    /// Id of the customer, as Central has it.
    #[schemars(length(min = 1, max = 80), regex(pattern = CUSTOMER_PATTERN))]
    pub customer_id: String,

    /// Which of its devices, in Central's words: IAP are swarms of access points, MAS are Mobility Access Switches, HP are AOS-S switches, CX are AOS-CX
    /// switches, CONTROLLER are gateways and controllers.
    pub device_type: DeviceType,

    /// Groups, by their names in Central, whose devices are left alone: their versions do not count. At most 100. A group that the customer does not
    /// have stops the upgrade before its start. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 64), regex(pattern = GROUP_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exclude_groups: Vec<String>,

    /// Whether Central reboots the devices once they have their image. With false they come to the version when somebody reboots them, and until then
    /// the upgrade runs. Must be set, but left out for IAP, whose access points always reboot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<bool>,

    /// Instead of version: each device goes to the build that Central recommends for it, as the vendor allows. Which build that is for which model is
    /// written down right before the start, and the upgrade is done when each device is at its own. A recommendation moves, so naming a version is better.
    /// To follow one that has moved, set a new runKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<bool>,

    /// Whether devices may go back to an older version. Without it an upgrade with one device above its version, or at one that cannot be compared with
    /// it, is refused. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_downgrade: Option<bool>,
}

/// A type of device at Aruba Central.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeviceType {
    /// Access points, in swarms.
    Iap,
    /// Mobility Access Switches.
    Mas,
    /// AOS-S switches.
    Hp,
    /// AOS-CX switches.
    Cx,
    /// Gateways and controllers.
    Controller,
}

impl DeviceType {
    /// As the vendor writes it.
    pub fn word(self) -> &'static str {
        match self {
            DeviceType::Iap => "IAP",
            DeviceType::Mas => "MAS",
            DeviceType::Hp => "HP",
            DeviceType::Cx => "CX",
            DeviceType::Controller => "CONTROLLER",
        }
    }
}

/// How a console is upgraded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = (
    "has(self.singleStepInstall) != has(self.remoteSchedule)",
    "exactly one of singleStepInstall and remoteSchedule says how"
))]
#[serde(rename_all = "camelCase")]
pub struct HmcConsole {
    /// The console gets the bundle itself, backs itself up, installs it and restarts: IBM's Console Single Step Install. Windlass starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_step_install: Option<SingleStepInstall>,

    /// IBM schedules the upgrade and carries it out: a Remote Firmware Update. Windlass asks the console for the token that IBM needs, keeps it in
    /// the Secret windlass-tokens for you to hand on, and follows what IBM schedules. The schedule here says when a token may be asked for; when
    /// the upgrade runs is IBM's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_schedule: Option<RemoteSchedule>,
}

/// What a remote firmware update needs besides the bundle level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteSchedule {
    /// Whether the console is asked for a token: IfNeeded asks where no token is good, and nothing is scheduled to the version yet. Never only
    /// follows what IBM schedules.
    pub authorize: Authorize,
}

/// Whether a console is asked for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Authorize {
    /// Where none is good any more.
    IfNeeded,
    /// Not at all.
    Never,
}

/// What a single step install needs besides the bundle level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = (
    "(self.backupLocation == 'FTP') == has(self.ftp)",
    "backupLocation FTP needs ftp, and USB forbids it"
))]
#[serde(rename_all = "camelCase")]
pub struct SingleStepInstall {
    /// Where the console backs itself up to, and gets the bundle from: a server, or a drive that is plugged into it.
    pub backup_location: BackupLocation,

    /// Whether firmware that was installed before is accepted first. What is accepted cannot be removed any more. Default: true, as IBM's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_firmware: Option<bool>,

    /// The server, for backupLocation FTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ftp: Option<FtpServer>,
}

/// Where a console backs itself up to, and gets its firmware from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupLocation {
    /// A server.
    #[serde(rename = "FTP")]
    Ftp,
    /// A drive that is plugged into the console.
    #[serde(rename = "USB")]
    Usb,
}

/// A server that the console, and not Windlass, connects to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FtpServer {
    /// Its name or address, as the console reaches it.
    #[schemars(length(min = 1, max = 253), regex(pattern = HOST_PATTERN))]
    pub host: String,

    /// How the console speaks to it.
    pub protocol: FtpProtocol,

    /// Where on it. Default: the directory that its user arrives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = DIRECTORY_PATTERN))]
    pub directory: Option<String>,

    /// The Secret with its user and password, under the keys username and password. It is read right before the start, and handed to the
    /// console in the start's body, as its API wants; nowhere else is it written.
    pub credentials_secret_ref: SecretRef,
}

/// How a console speaks to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FtpProtocol {
    /// FTP, in clear.
    #[serde(rename = "FTP")]
    Ftp,
    /// FTP over TLS.
    #[serde(rename = "FTPS")]
    Ftps,
    /// File transfer over SSH.
    #[serde(rename = "SFTP")]
    Sftp,
}

impl FtpProtocol {
    /// As the vendor writes it.
    pub fn word(self) -> &'static str {
        match self {
            FtpProtocol::Ftp => "ftp",
            FtpProtocol::Ftps => "ftps",
            FtpProtocol::Sftp => "sftp",
        }
    }
}

/// How far the upgrade is. Written by Windlass only. Programs read conditions; the rest is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmwareUpgradeStatus {
    /// The newest metadata.generation that was looked at; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Summary for people: PENDING, STARTED, RUNNING, SUCCESS, REJECTED, FAILED, CANCELLED or UNKNOWN. An open set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,

    /// The console, by the name of its Connection; or the customer and the type of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,

    /// Version that was last reported: for an HMC its bundle level; for a set of devices that which all are at, or else mixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,

    /// Percent done, as the machine reports it; absent where it reports none. Of a set of devices, those that are there, in steps of ten.
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

    /// One row, for the console or the set of devices, with the receipt, and with the console's own job or the numbers of devices. There is another
    /// while a run of an earlier object of this name is still followed elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<TargetStatus>,

    /// Runs that ended before the one shown above, newest first, at most five. All of them are in the receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<PastRun>,

    /// Ready is True once the machine is at its version. Reconciling is True while something is still to come, Stalled when only a person
    /// can go on; both are absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
