//! The toggles for what the appliance's documents leave open ([U] in the table of vendor facts), and for how it answers in general.
//!
//! Changed in process through `Appliance::set` or over `POST /settings`. The product must be right under every combination; a test
//! may not rely on a default here to be what a real appliance does. How an install goes (how long, and how it ends) is not here
//! but in [`super::Machine`].

use serde::{Deserialize, Serialize};

use super::super::vendor::Down;

/// All toggles. The defaults are the documented or the likeliest behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named in the control API")]
pub struct Settings {
    /// [U] How wrong credentials are refused: 401 is not listed for the login.
    pub bad_credentials: Denial,
    /// [U] How right credentials with an expired password are refused.
    pub password_expired: Denial,
    /// [U] Idle end of a session in simulated seconds.
    pub session_idle_secs: u64,
    /// [U] Absolute end of a session in simulated seconds: a client in the field renews after 300.
    pub session_absolute_secs: u64,
    /// [U] How many sessions there may be.
    pub max_sessions: usize,
    /// [U] What one more login gives.
    pub session_limit: SessionLimit,
    /// [U] Sessions outlive a restart.
    pub sessions_survive_restart: bool,

    /// [U] How an install of a version that is not offered is refused.
    pub unknown_version: UnknownVersion,
    /// [U] An install while one is under way.
    pub second_install: SecondInstall,
    /// [U] The body of the 202.
    pub install_answer: InstallAnswer,
    /// [U] How the version of an update is written, beside the `appliance_version` that it leads to.
    pub version_form: VersionForm,

    /// [U] The container of the updates in the result of `retrieve-updates`.
    pub updates_form: UpdatesForm,
    /// `retrieve-updates` itself is 500 [C].
    pub retrieve_fails: bool,
    /// The repository cannot be reached: the task ends in ERROR.
    pub repository_unreachable: bool,
    /// Simulated seconds that a `retrieve-updates` task runs.
    pub retrieve_secs: u64,
    /// All nullable fields of an update are null [C].
    pub update_nulls: bool,

    /// [U] What the type and description of a task say.
    pub wording: Wording,
    /// Nullable fields of a task that have no value [C].
    pub task_nulls: TaskNulls,
    /// `start_time` and `complete_time` have values.
    pub task_times: bool,
    /// [U] By how much the times of tasks are off, in milliseconds.
    pub clock_skew_ms: i64,
    /// `progress` of tasks: optional in the schema [C].
    pub progress: bool,
    /// [U] Simulated seconds between the answer of a call that makes a task and the task's showing.
    pub task_delay_secs: u64,

    /// [C] The page of `GET /tasks` without a limit, unless configured.
    pub page_size: usize,
    /// [U] A limit above this is cut down to it.
    pub max_limit: Option<usize>,
    /// `_meta` of a list: optional, as are its members [C].
    pub list_meta: ListMeta,
    /// `_meta` beside a single thing: optional [C].
    pub entity_meta: bool,
    /// [U] The order of tasks without `sort_by`.
    pub task_order: TaskOrder,

    /// [U] What a restart leaves of the tasks.
    pub retention: Retention,
    /// [U] Simulated seconds after its end at which a task is forgotten.
    pub retention_secs: Option<u64>,
    /// [U] Beyond so many tasks, the oldest that has ended is forgotten.
    pub max_tasks: Option<usize>,

    /// How connections are met during a restart.
    pub down: Down,
    /// [U] What does not work yet for a while after a restart.
    pub slow_boot: SlowBoot,

    /// [I] More requests than this within the window are met with a ban; without a number there is none.
    pub rate_requests: Option<usize>,
    /// [U] The window, in simulated seconds.
    pub rate_window_secs: u64,
    /// [U] How long a ban lasts, in simulated seconds.
    pub rate_ban_secs: u64,
    /// [U] How every request is answered meanwhile.
    pub rate_answer: Ban,

    /// The members of an error body: all optional [C].
    pub error_body: ErrorBody,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bad_credentials: Denial::default(),
            password_expired: Denial::BadRequest,
            session_idle_secs: 300,
            session_absolute_secs: 300,
            max_sessions: 100,
            session_limit: SessionLimit::default(),
            sessions_survive_restart: false,
            unknown_version: UnknownVersion::default(),
            second_install: SecondInstall::default(),
            install_answer: InstallAnswer::default(),
            version_form: VersionForm::default(),
            updates_form: UpdatesForm::default(),
            retrieve_fails: false,
            repository_unreachable: false,
            retrieve_secs: 5,
            update_nulls: false,
            wording: Wording::default(),
            task_nulls: TaskNulls::default(),
            task_times: true,
            clock_skew_ms: 0,
            progress: true,
            task_delay_secs: 0,
            page_size: 100,
            max_limit: None,
            list_meta: ListMeta::default(),
            entity_meta: true,
            task_order: TaskOrder::default(),
            retention: Retention::default(),
            retention_secs: None,
            max_tasks: None,
            down: Down::default(),
            slow_boot: SlowBoot::default(),
            rate_requests: None,
            rate_window_secs: 10,
            rate_ban_secs: 60,
            rate_answer: Ban::default(),
            error_body: ErrorBody::default(),
        }
    }
}

/// How a login is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// 401 without a body.
    #[default]
    Unauthorized,
    /// 400 ResponseError.
    BadRequest,
    /// 403 ResponseError.
    Forbidden,
}

/// What a login beyond the limit gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionLimit {
    /// 500 ResponseError.
    #[default]
    InternalError,
    /// 400 ResponseError.
    BadRequest,
    /// A session; the oldest one ends.
    EndsOldest,
}

/// How an install of a version that is not offered is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownVersion {
    /// 404 without a body.
    #[default]
    NotFound,
    /// 400 ResponseError.
    BadRequest,
}

/// What an install while another is under way gives. Wherever the answer is 202, the log counts a committed start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondInstall {
    /// 400 ResponseError.
    #[default]
    Rejected,
    /// 500 ResponseError.
    InternalError,
    /// 202, and it really begins another, in the first one's place.
    StartsAnother,
    /// 202 with a second task, which ends in ERROR; the first install goes on.
    TaskFails,
}

/// The body of a 202 to an install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallAnswer {
    #[default]
    Task,
    /// A task without its id, which the schema allows.
    WithoutId,
    /// No body, which the schema does not allow.
    Empty,
}

/// How the version of an update is written that leads to `appliance_version` "9.0.2-10455".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionForm {
    /// "9.0.2-10455"
    #[default]
    Full,
    /// "9.0.2"
    WithoutBuild,
    /// "9.0.2.10455"
    Dotted,
}

/// Where the updates are in a task's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdatesForm {
    /// `{"list": [...]}`, as everywhere else in this API.
    #[default]
    List,
    /// `{"updates": [...]}`
    Updates,
    /// The bare array, which the schema does not allow.
    Array,
    /// There is no result.
    Absent,
}

/// What tasks say of themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wording {
    /// A type, and a description that names the version.
    #[default]
    Descriptive,
    /// A type, and a description without a version.
    TypeOnly,
    /// The same for every task.
    Meaningless,
    /// Neither field, which the schema allows.
    Absent,
}

/// Nullable fields of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskNulls {
    /// Left out where they have no value.
    #[default]
    LeftOut,
    /// Null where they have no value.
    Null,
    /// Null even where they would have a value; only the result stays (see [`UpdatesForm::Absent`] for none).
    AllNull,
    /// Null where they have no value, and so are both members of an error.
    NullError,
}

/// `_meta` of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListMeta {
    #[default]
    Full,
    WithoutTotal,
    WithoutLinks,
    Absent,
}

/// The order of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOrder {
    #[default]
    OldestFirst,
    NewestFirst,
    /// By id, which is by chance.
    Random,
}

/// What a restart leaves of the tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    #[default]
    KeepAll,
    LoseAll,
    /// Only those that had not ended stay.
    LoseFinished,
    /// Only those that had ended stay.
    LoseUnfinished,
}

/// What does not work yet after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowBoot {
    /// `/tasks` is 503, with a proxy's page.
    #[default]
    Tasks503,
    /// `/tasks` is 500, with a ResponseError.
    Tasks500,
    /// Everything is 503, with a proxy's page.
    All503,
}

/// How a banned client is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ban {
    /// 429 without Retry-After.
    #[default]
    TooManyRequests,
    /// 403 ResponseError.
    Forbidden,
    /// The connection is cut.
    Cut,
}

/// The members of a ResponseError.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    #[default]
    Full,
    /// The message alone.
    MessageOnly,
    /// `{}`
    Empty,
}
