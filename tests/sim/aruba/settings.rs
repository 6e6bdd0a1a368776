//! The toggles for what Central's documents leave open ([U] in the table of vendor facts), and for how it answers in general.
//!
//! Changed in process through `Central::set` or over `POST /settings`. The product must be right under every combination; a test may not
//! rely on a default here to be what Central does. How an upgrade goes (how long, and how it ends) is not here but in [`super::Pace`].

use serde::{Deserialize, Serialize};

use super::words::Words;

/// All toggles. The defaults are the documented or the likeliest behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named in the control API")]
pub struct Settings {
    /// [C] How long an access token is good, in simulated seconds.
    pub access_secs: u64,
    /// [C] A refresh token that is not used for so long is revoked.
    pub refresh_idle_secs: u64,
    /// [C] A refresh gives another refresh token, and the old one is dead.
    pub refresh_rotates: bool,
    /// [U] Who uses a dead one loses all tokens that came of the same login.
    pub reuse_kills_family: bool,
    /// [U] The access token that was good until a refresh still is.
    pub old_access_survives: bool,
    /// The status of a refresh that failed: 400, 401 and 403 were met [C].
    pub failed_refresh: u16,
    /// [U] The status of an authorization code that is not good.
    pub failed_code: u16,
    /// [U] How long an authorization code is good.
    pub code_secs: u64,
    /// [U] How long the cookies of a login are good.
    pub login_secs: u64,
    /// [U] The status of a login with wrong credentials.
    pub bad_credentials: u16,
    /// [C] The login's steps may be called once a second; off here, for on a clock that stands still there would be one step only.
    pub logins_per_second: Option<u32>,
    /// [U] A client gets at most one new pair of tokens in so many simulated seconds: a page of another vendor says 1800.
    pub token_interval_secs: Option<u64>,
    /// [U] The status for one more.
    pub token_limit_status: u16,

    /// [C] Calls a day, until midnight GMT. It grows with subscriptions.
    pub per_day: u64,
    /// [C] Calls a second.
    pub per_second: u64,
    /// Whether more calls in one second are refused: on a clock that stands still a second never ends.
    pub enforce_second: bool,
    /// [U] `Retry-After` of a 429.
    pub retry_after: RetryAfter,

    /// [U] The status of a request that is not valid.
    pub invalid_status: u16,
    /// [U] How much an error body tells.
    pub error_body: ErrorBody,
    /// [U] The longest body that is read, in bytes.
    pub body_limit: usize,
    /// What a longer one gives: 413 and 417 are documented with the same words [C].
    pub too_large_status: u16,
    /// Paths that this tenant's Central does not have (`*` stands for anything): it differs from tenant to tenant [C].
    pub missing_paths: Vec<String>,
    /// What they give: 404 or 405 [C].
    pub missing_path_status: u16,
    /// [U] A customer that there is not.
    pub unknown_customer: UnknownCustomer,

    /// [U] What the answer to an accepted start is.
    pub start_answer: StartAnswer,
    /// [U] A start while devices in its scope still have an order.
    pub second_start: SecondStart,
    /// [U] A start for which there is nothing to do: no device of that type, or all at that version.
    pub nothing_to_do: NothingToDo,
    /// [U] A start to a version that is older than some device's.
    pub downgrade: Downgrade,
    /// [U] A start whose time is past.
    pub past_schedule: PastSchedule,
    /// [U] An excluded group that there is not.
    pub unknown_group: Ignored,
    /// [U] `reboot` for access points, to which it does not apply [C].
    pub iap_reboot: Ignored,
    /// [U] A device that is offline takes an order, and carries it out when it is back.
    pub offline_takes_orders: bool,

    /// [U] A cancel of what has begun.
    pub cancel_running: Ignored,
    /// [U] A cancel where nothing is scheduled.
    pub cancel_nothing: Ignored,

    /// [C] Rows of a page without a limit.
    pub page_size: usize,
    /// [C] The most rows of a page.
    pub max_limit: usize,
    /// [U] A limit above that.
    pub over_limit: OverLimit,
    /// [U] `swarm_count`.
    pub swarm_count: SwarmCount,
    /// Each so many-th row is left out of its page, and the counts stay; 0 is none.
    pub rows_missing_every: usize,
    /// Each list begins one row later than the one before, as one that is sorted by something that changes.
    pub rows_shift: bool,

    /// [U] Whether `firmware_scheduled_at` shows on rows.
    pub scheduled_at: ScheduledAt,
    /// [U] By how much what shows is off, in seconds: at 0 it is exactly what was sent.
    pub scheduled_at_off_secs: i64,
    /// What a row has there where nothing is scheduled: absent in the one real row [C].
    pub unscheduled: Unscheduled,
    /// `state` and `reason` of a status. Of all of them one pair is known [C].
    pub words: Words,
    /// What `device_status` says of a device that is there [C].
    pub status_up: String,
    /// [U] And of one that is not.
    pub status_down: String,

    /// [U] What is known of a tenant at the provider's level.
    pub tenant_form: TenantForm,
    /// The list of versions: the live service answers a bare array [C].
    pub versions_form: VersionsForm,
    /// The list of versions of a type does not know CX, though a start does: so a client's author has met it [C], while others have not.
    pub versions_without_cx: bool,
    /// [U] Whether an image is there is told by 404, or by 200 and a word.
    pub missing_version_is_404: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_secs: 7200,
            refresh_idle_secs: 15 * 86_400,
            refresh_rotates: true,
            reuse_kills_family: true,
            old_access_survives: false,
            failed_refresh: 400,
            failed_code: 400,
            code_secs: 300,
            login_secs: 900,
            bad_credentials: 401,
            logins_per_second: None,
            token_interval_secs: None,
            token_limit_status: 429,
            per_day: 5000,
            per_second: 7,
            enforce_second: true,
            retry_after: RetryAfter::default(),
            invalid_status: 400,
            error_body: ErrorBody::default(),
            body_limit: 64 << 10,
            too_large_status: 413,
            missing_paths: Vec::new(),
            missing_path_status: 404,
            unknown_customer: UnknownCustomer::default(),
            start_answer: StartAnswer::default(),
            second_start: SecondStart::default(),
            nothing_to_do: NothingToDo::default(),
            downgrade: Downgrade::default(),
            past_schedule: PastSchedule::default(),
            unknown_group: Ignored::default(),
            iap_reboot: Ignored::default(),
            offline_takes_orders: true,
            cancel_running: Ignored::default(),
            cancel_nothing: Ignored::default(),
            page_size: 20,
            max_limit: 1000,
            over_limit: OverLimit::default(),
            swarm_count: SwarmCount::default(),
            rows_missing_every: 0,
            rows_shift: false,
            scheduled_at: ScheduledAt::default(),
            scheduled_at_off_secs: 0,
            unscheduled: Unscheduled::default(),
            words: Words::default(),
            status_up: "Up".to_owned(),
            status_down: "Down".to_owned(),
            tenant_form: TenantForm::default(),
            versions_form: VersionsForm::default(),
            versions_without_cx: false,
            missing_version_is_404: true,
        }
    }
}

/// `Retry-After` of a 429.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    #[default]
    Absent,
    /// How many seconds it is.
    Seconds,
    /// The time, as HTTP writes one.
    Date,
}

/// How much an error body tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// `{"description","error_code","service_name"}`
    #[default]
    Description,
    /// `{"message"}`: a client reads either.
    Message,
    /// `{}`
    Empty,
}

/// What a customer gives that there is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownCustomer {
    /// 404
    #[default]
    NotFound,
    /// 403
    Forbidden,
    /// 0004
    Invalid,
}

/// What the answer to an accepted start is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAnswer {
    /// 200 with a text as JSON [C]; which text is [U].
    #[default]
    Text,
    /// 200 with an empty text.
    EmptyText,
    /// 200 with an object.
    Object,
    /// 200 with null.
    Null,
    /// 200 with a page.
    Page,
    /// 200 without a body.
    Empty,
    /// 201 with a text.
    Created,
    /// 202 with a text.
    Accepted,
    /// 204
    NoContent,
}

/// What a start gives while devices in its scope have an order. Wherever the answer is good, the log counts a committed start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondStart {
    /// It is taken, and takes the place of what was ordered.
    #[default]
    Replaces,
    /// It is taken, and changes nothing for those devices.
    Ignored,
    /// 0001
    Refused,
}

/// What a start gives for which there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NothingToDo {
    /// It is taken, and nothing happens.
    #[default]
    Taken,
    /// 0001
    Refused,
    /// 404
    NotFound,
}

/// What a start to an older version gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Downgrade {
    /// Every device goes there.
    #[default]
    Taken,
    /// Devices that are newer stay.
    Skipped,
    /// 0004
    Refused,
}

/// What a start gives whose time is past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastSchedule {
    /// It begins at once.
    #[default]
    AtOnce,
    /// 0004
    Refused,
}

/// What becomes of something that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignored {
    /// It is as if it were not there.
    #[default]
    Ignored,
    /// An error.
    Refused,
}

/// What a limit gives that is above the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// 0004
    #[default]
    Refused,
    /// It is cut down to the most.
    CutDown,
}

/// `swarm_count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwarmCount {
    /// Of all swarms.
    #[default]
    All,
    /// Of the page.
    Page,
    /// Left out.
    Absent,
}

/// Whether `firmware_scheduled_at` shows on rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledAt {
    /// Until the device is done.
    #[default]
    UntilDone,
    /// Until it begins.
    UntilDue,
    Never,
}

/// What a row has where nothing is scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unscheduled {
    #[default]
    Absent,
    Zero,
    Null,
}

/// What is told of a tenant at the provider's level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantForm {
    /// Counts by version.
    #[default]
    Counts,
    /// The rows that the device-level calls have.
    Rows,
    /// There is no such path.
    NotThere,
}

/// The list of versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionsForm {
    /// `[{"firmware_version", ...}]`
    #[default]
    Array,
    /// `{"versions": [...]}`
    Object,
}
