//! The toggles for what vCenter's documents leave open ([U] in the table of vendor facts), and for how it answers in general.
//!
//! Changed in process through `VCenter::set` or over `POST /settings`. The product must be right under every combination; a test
//! may not rely on a default here to be what a real vCenter does.

use serde::{Deserialize, Serialize};

/// All toggles. The defaults are the documented or the likeliest behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named in the control API")]
pub struct Settings {
    /// [U] A start of a cluster id that is not there.
    pub unknown_cluster: Refuse,
    /// [U] A start toward a version that is not among the available ones.
    pub unsupported_version: Refuse,
    /// [U] A start toward the version that the cluster has.
    pub already_at_version: Already,
    /// [U] A start while one is accepted or PENDING.
    pub second_call: SecondCall,
    /// [U] A start of a cluster in ERROR: taken, or refused.
    pub start_in_error: bool,
    /// [C] `error_type` "can be missing or null".
    pub error_type: ErrorType,
    /// [U] The form of `exception` beside REJECTED.
    pub exception: Exception,
    /// [U] Simulated seconds between acceptance and PENDING, during which the cluster looks untouched.
    pub accept_delay_secs: u64,
    /// [U] Whether pre-checks run inside the call or after it was accepted.
    pub prechecks: Prechecks,
    /// [U] Simulated seconds that pre-checks take; inside the call the answer waits for them.
    pub precheck_secs: u64,
    /// [U] `desired_version` in the list while PENDING.
    pub summary_desired_version: bool,
    /// [U] `last_upgraded_date` where there is one (optional in the schema).
    pub last_upgraded_date: bool,
    /// `upgrade_prechecks` and `upgrade_status.components`: 8.0.3 and later only [C].
    pub conditions: bool,
    /// [U] `upgrade_status.progress` (optional in the schema).
    pub progress: bool,
    /// [U] An `upgrade_status` while READY.
    pub status_when_ready: bool,
    /// `/api/session` answers 503 SERVICE_UNAVAILABLE [C].
    pub session_service_down: bool,
    /// [U] Idle end of a session in simulated seconds: the sources say 30 and 120 minutes.
    pub session_idle_secs: u64,
    /// [U] Absolute end of a session in simulated seconds.
    pub session_absolute_secs: u64,
    /// [U] More logins than this are 503 SERVICE_UNAVAILABLE.
    pub max_sessions: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            unknown_cluster: Refuse::default(),
            unsupported_version: Refuse::default(),
            already_at_version: Already::default(),
            second_call: SecondCall::default(),
            start_in_error: true,
            error_type: ErrorType::default(),
            exception: Exception::default(),
            accept_delay_secs: 0,
            prechecks: Prechecks::default(),
            precheck_secs: 0,
            summary_desired_version: true,
            last_upgraded_date: true,
            conditions: true,
            progress: true,
            status_when_ready: false,
            session_service_down: false,
            session_idle_secs: 30 * 60,
            session_absolute_secs: 24 * 3600,
            max_sessions: 3000,
        }
    }
}

/// How a start is refused whose cluster or version does not exist. All but the first refuse the whole call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refuse {
    /// 200 with REJECTED for that cluster.
    #[default]
    Rejected,
    /// 400 with error_type NOT_FOUND.
    NotFound400,
    /// 400 INVALID_ARGUMENT.
    InvalidArgument,
    /// 404 NOT_FOUND.
    NotFound,
    /// 500 INTERNAL_SERVER_ERROR.
    InternalError,
}

/// What a start toward the present version gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Already {
    /// Whatever an unsupported version gives: the present one is not among the available ones.
    #[default]
    AsUnsupported,
    /// 200 with REJECTED.
    Rejected,
    /// 400 ALREADY_IN_DESIRED_STATE for the whole call.
    RefuseCall,
}

/// What a start while another is under way gives. Wherever it says STARTED, the log counts a committed start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondCall {
    /// 200 with REJECTED.
    #[default]
    Rejected,
    /// 400 NOT_ALLOWED_IN_CURRENT_STATE.
    NotAllowed,
    /// 400 RESOURCE_BUSY.
    ResourceBusy,
    /// STARTED, and the running upgrade goes on as it was.
    StartedIgnored,
    /// STARTED, and the upgrade really begins again.
    StartedRestarts,
}

/// `error_type` in error bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    #[default]
    Present,
    Missing,
    Null,
}

/// The form of `exception`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exception {
    /// `{error_type, messages}`.
    #[default]
    Error,
    /// As the older `/rest` wrote errors: `{type: "com.vmware.vapi.std.errors.x", value: {messages}}`.
    Typed,
    /// An empty object.
    Empty,
    /// A text, which the schema does not allow.
    Text,
    /// No such field.
    Absent,
}

/// When pre-checks are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prechecks {
    /// Inside the call: a failing one is REJECTED.
    #[default]
    InCall,
    /// After STARTED: a failing one leaves the cluster READY and unchanged, with the messages to read.
    AfterAccept,
    /// After STARTED, and a failing one leaves no trace at all.
    AfterAcceptSilently,
}
