//! Pieces that several kinds share.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// Pattern of a version: it becomes part of URLs and request bodies, so no slash, no quote, no leading dot.
pub const VERSION_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$";

/// Pattern of a vCenter cluster id, for the same reason.
pub const CLUSTER_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9:._-]{0,79}$";

/// Pattern of a customer's id at Aruba Central, for the same reason.
pub const CUSTOMER_PATTERN: &str = CLUSTER_PATTERN;

/// Pattern of a run key.
pub const RUN_KEY_PATTERN: &str = "^[a-z0-9.-]*$";

/// Pattern of the name of an object in the same namespace.
pub const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";

/// Pattern of a duration, which is what Kubernetes' own APIs settled on (GEP-2257).
pub const DURATION_PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// For `skip_serializing_if`: fields that say nothing are left out.
pub(crate) fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Names a Connection in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionRef {
    /// Name of a Connection in the namespace of this object. It may be created later; until it is there and Ready, nothing starts.
    #[schemars(length(min = 1, max = 253), regex(pattern = NAME_PATTERN))]
    pub name: String,
}

/// Names a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of a Secret in the namespace of this object. Windlass may only read it if a RoleBinding in that namespace grants its service
    /// account the ClusterRole windlass-secret-access.
    #[schemars(length(min = 1, max = 253), regex(pattern = NAME_PATTERN))]
    pub name: String,
}

/// A span of time as people write it: `90m`, `1h30m`, `168h`. There are no days: write `168h` for a week.
///
/// Holds whatever was written; [`CanonicalDuration::to_std`] reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CanonicalDuration(#[schemars(length(max = 28), regex(pattern = DURATION_PATTERN))] pub String);

/// A text that is not a [`CanonicalDuration`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no duration: write one to four numbers of at most five digits, each with its unit h, m, s or ms, as in 1h30m")]
pub struct NotADuration {
    /// What was written.
    pub text: String,
}

impl CanonicalDuration {
    /// The span it says. Accepts exactly what [`DURATION_PATTERN`] accepts, so that what the API server let in can be read.
    pub fn to_std(&self) -> Result<Duration, NotADuration> {
        parse_duration(&self.0).ok_or_else(|| NotADuration { text: self.0.clone() })
    }
}

/// Reads one to four terms of digits and unit.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    let mut terms = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(unit);
        if digits > 5 || terms == 4 {
            return None;
        }
        let number: u64 = number.parse().ok()?;
        sum += match unit {
            "h" => Duration::from_hours(number),
            "m" => Duration::from_mins(number),
            "s" => Duration::from_secs(number),
            "ms" => Duration::from_millis(number),
            _ => return None,
        };
        terms += 1;
        rest = tail;
    }
    (terms > 0).then_some(sum)
}

/// One aspect of an object's state, for programs. Conditions are the contract; `state` and `message` are for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect: Ready on every object; Reconciling while something is still to come and Stalled when only a person can go on,
    /// present only while they are True, and never both.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub status: String,
    /// One word for programs: why.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub reason: String,
    /// The same for people.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub message: String,
    /// When `status` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
    /// The `metadata.generation` that this was said about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// One thing that an upgrade waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// One word for programs, such as Suspended, ConnectionNotReady, TargetBusy, WaitingForCanary, WaitingForSoak. An open set.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub reason: String,
    /// What is waited for, and what ends it, in words.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub message: String,
    /// When it ends by itself; absent when that depends on something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How far one target of an upgrade is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The target's id at the vendor, such as domain-c8; the name of the Connection, where the endpoint itself is the target.
    pub name: String,
    /// The name that the vendor shows people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Summary for people: PENDING, STARTED, RUNNING, SUCCESS, REJECTED, FAILED, CANCELLED or UNKNOWN. An open set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// One word for programs: why it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for people, with the vendor's own words where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Version that the vendor last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// Version that it goes to: the one of the run in flight, else the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_version: Option<String>,
    /// How many devices are where, for a target that is a set of them (Aruba Central).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<DeviceCounts>,
    /// Percent done, as the vendor reports it; absent where it reports none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub progress: Option<i32>,
    /// When the start was accepted, or first seen under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its end was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Name of the UpgradeReceipt of this run. It is cluster-scoped and outlives this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The vendor's own id of the job, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The vendor's own word for where that job stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_state: Option<String>,
    /// When it is to begin at the vendor, where that is another moment than its start: the vendor's people chose it, or Windlass named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// The target is no longer in the spec, but its run is: it is followed to its end, then this row goes.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub removed: bool,
}

/// How many devices of a set are where. While a run goes on they are told with each tenth of the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceCounts {
    /// Those that the upgrade is about.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub total: i32,
    /// Of those, at the version that it goes to.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub at_version: i32,
    /// Of those, out of the vendor's reach when they were last looked at.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub unreachable: i32,
    /// Devices of the same customer and type that are left alone.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub excluded: i32,
}

/// A run that ended before the one shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastRun {
    /// Target of the run, named as in targets, such as domain-c8.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub target: String,
    /// Version that was asked for.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub version: String,
    /// The runKey it was asked for with.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub run_key: String,
    /// What it came to: SUCCESS, FAILED, REJECTED or CANCELLED. An open set.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub state: String,
    /// When it was sent; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Name of its UpgradeReceipt.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub receipt: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        CanonicalDuration(text.to_owned()).to_std().ok()
    }

    #[test]
    fn durations_read_as_written() {
        for (text, seconds) in [
            ("0s", 0),
            ("90m", 5400),
            ("1h30m", 5400),
            ("30m1h", 5400),
            ("168h", 604_800),
            ("00001s", 1),
            ("1m1m1m1m", 240),
        ] {
            assert_eq!(read(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(read("1s250ms"), Some(Duration::from_millis(1250)));
        assert_eq!(read("99999h99999h99999h99999h"), Some(Duration::from_hours(4 * 99_999)));
    }

    #[test]
    fn what_the_pattern_refuses_is_refused_here() {
        for text in [
            "",
            "1",
            "h",
            "1d",
            "P1D",
            "1.5h",
            "-1h",
            "+1h",
            "1h ",
            " 1h",
            "1H",
            "100000s",
            "1h1h1h1h1h",
            "1hm",
            "1µs",
            "1mss",
            "١h",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
