//! The toggles for what the console's documents leave open ([U] in the table of vendor facts), and for how it answers in general.
//!
//! Changed in process through `Hmc::set` or over `POST /settings`. The product must be right under every combination; a test may not
//! rely on a default here to be what a real console does. How an upgrade goes (how long, and how it ends) is not here but in
//! [`super::Console`].

use serde::{Deserialize, Serialize};

use super::super::vendor::Down;

/// Seven days [C].
const TOKEN_SECS: u64 = 7 * 86_400;

/// All toggles. The defaults are the documented or the likeliest behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named in the control API")]
pub struct Settings {
    /// [U] The reason number beside 403 for wrong credentials.
    pub bad_credentials_reason: u32,
    /// [C] Absolute end of a session in simulated seconds: 10 hours.
    pub session_secs: u64,
    /// Idle end of a session in simulated seconds: a property of the user, 360 minutes on the z16 whose properties are public.
    pub session_idle_secs: u64,
    /// [C] Sessions that a user may have: one more is 400.13. A property of the user, 1000 on that z16.
    pub max_sessions: usize,
    /// Sessions outlive a restart. After an upgrade of the console they do not [C].
    pub sessions_survive_restart: bool,

    /// How much an error body tells.
    pub error_body: ErrorBody,
    /// [U] The request's headers in an error body have the session's id in them, as it was sent.
    pub echo_session: bool,
    /// [U] The request's body is in an error body, as it was sent: with the password of a logon.
    pub echo_body: bool,
    /// What the query `properties` of the console does.
    pub properties_query: PropertiesQuery,
    /// By how much the console's clock is off, in milliseconds: `hmc-time`, and every time that it writes.
    pub clock_skew_ms: i64,

    /// [C] How long a token is valid, in simulated seconds.
    pub token_secs: u64,
    /// [C] Between 6 and 8 characters.
    pub token_length: usize,
    /// [U] How many tokens there may be that have not expired; without a number there is no limit.
    pub max_tokens: Option<usize>,
    /// [U] The reason number beside 409 for one more.
    pub token_cap_reason: u32,
    /// [U] A token is still listed once an update was scheduled with it.
    pub used_tokens_listed: bool,
    /// [U] A token is still listed after it has expired.
    pub expired_tokens_listed: bool,
    /// [U] What expiration dates are rounded up to, in milliseconds. At 1 no two tokens expire at the same time, though the clock stand
    /// still; above it they may.
    pub expiry_grain_ms: u64,

    /// [U] An update that has ended stays listed, with the words below as its state. Without it, it is gone.
    pub ended_updates_listed: bool,
    /// [U] The state of an update that has ended well.
    pub state_succeeded: String,
    /// [U] The state of one that has not.
    pub state_failed: String,
    /// [U] What `pending-conditions` of an update says; without a list there is no such property.
    pub pending_conditions: Option<Vec<String>>,
    /// [U] The reason number beside 409 for the deletion of an update that runs or has ended.
    pub delete_conflict_reason: u32,

    /// [U] A single step install while an upgrade is under way.
    pub second_install: SecondInstall,
    /// [U] A single step install of a bundle that is not on offer, or is older than the console's.
    pub not_on_offer: NotOnOffer,
    /// [U] `backup-location-type` may not be left out.
    pub backup_location_required: bool,
    /// [U] The body of the 202.
    pub install_answer: InstallAnswer,

    /// [U] Jobs are still known after a restart: IBM's client says so of a single step install's.
    pub jobs_survive_restart: bool,
    /// [U] Simulated seconds after its end at which a job is forgotten.
    pub job_retention_secs: Option<u64>,
    /// [U] `job-status-code` of a job that ended well: 200 or 204.
    pub job_success_code: u16,
    /// [I] `job-results` of a job that ended well: null for a sibling of the operation.
    pub success_results: Results,
    /// [I] `job-results` of a job that failed: an object with a message for a sibling of the operation.
    pub failure_results: Results,
    /// [U] A single step install's job can be canceled. IBM's client says so; the operation's page was not retrieved.
    pub cancelable: bool,
    /// [U] The codes of a job that was canceled: a status and a reason. That it has a status is [C].
    pub canceled_codes: Option<(u16, u32)>,

    /// How connections are met during a restart.
    pub down: Down,
    /// [U] What does not work yet for a while after a restart.
    pub slow_boot: SlowBoot,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bad_credentials_reason: 0,
            session_secs: 36_000,
            session_idle_secs: 21_600,
            max_sessions: 1000,
            sessions_survive_restart: false,
            error_body: ErrorBody::default(),
            echo_session: true,
            echo_body: true,
            properties_query: PropertiesQuery::default(),
            clock_skew_ms: 0,
            token_secs: TOKEN_SECS,
            token_length: 8,
            max_tokens: None,
            token_cap_reason: 3,
            used_tokens_listed: true,
            expired_tokens_listed: false,
            expiry_grain_ms: 1,
            ended_updates_listed: false,
            state_succeeded: "succeeded".to_owned(),
            state_failed: "failed".to_owned(),
            pending_conditions: Some(Vec::new()),
            delete_conflict_reason: 1,
            second_install: SecondInstall::default(),
            not_on_offer: NotOnOffer::default(),
            backup_location_required: true,
            install_answer: InstallAnswer::default(),
            jobs_survive_restart: true,
            job_retention_secs: None,
            job_success_code: 200,
            success_results: Results::Null,
            failure_results: Results::Message,
            cancelable: true,
            canceled_codes: Some((500, 0)),
            down: Down::default(),
            slow_boot: SlowBoot::default(),
        }
    }
}

/// How much an error body tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// All members that the documents name [C].
    #[default]
    Full,
    /// The five members that IBM's own mock of a console writes.
    Short,
    /// `{}`
    Empty,
}

/// What the query `properties` of the console does: IBM's client is ready for all three [C].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertiesQuery {
    /// Those properties and no others; 400.14 for one that there is not.
    #[default]
    Honoured,
    /// All properties, as older consoles answer.
    Ignored,
    /// 400.1: it is not known.
    Unknown,
}

/// What a single step install while an upgrade is under way gives. Wherever the answer is 202, the log counts a committed start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondInstall {
    /// 409.1: not in the correct state.
    #[default]
    WrongState,
    /// 409.2: busy with another operation.
    Busy,
    /// 409 with a reason that is not among the common ones.
    OwnReason,
    /// 202, and it really begins another, in the first one's place.
    StartsAnother,
    /// 202 with a second job, which fails; the upgrade that is under way goes on.
    JobFails,
}

/// What a single step install of a bundle gives that is not on offer, or is older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotOnOffer {
    /// 202 with a job that fails, for it is found out only when the bundle is retrieved.
    #[default]
    JobFails,
    /// 400.7
    BadRequest,
}

/// The body of a 202 to a single step install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallAnswer {
    /// `{"job-uri": ...}` [C]
    #[default]
    JobUri,
    /// `{}`
    WithoutUri,
    /// No body, as some other operations answer their 202.
    Empty,
}

/// `job-results`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Results {
    #[default]
    Null,
    /// Left out.
    Absent,
    /// `{}`
    Empty,
    /// `{"message": ...}`
    Message,
    /// `{"error": ...}`, which IBM's client has met.
    Error,
}

/// What does not work yet after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowBoot {
    /// Everything is 503, with a page [C for some 5xx].
    #[default]
    Page,
    /// The version is told, and everything else is 503 with an error body.
    OnlyVersion,
}
