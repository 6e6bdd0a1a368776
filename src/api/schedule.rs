//! `schedule`: when starts may happen. The same type on every upgrade and on the Connection; both are obeyed.
//!
//! What the words mean is defined, and computed, in [`crate::upgrade::schedule`]; `docs/schedules.md` says it for people. The rules
//! here refuse at the door what can be judged from the text alone. A time zone that does not exist or a cron expression that never
//! fires needs the calendar: those come back in the status, as REJECTED with the reason InvalidSchedule.

use jiff::Timestamp;
use kube::KubeSchema;
use serde::Deserialize;
use serde::Serialize;

use super::common::CanonicalDuration;
use crate::upgrade::schedule::BadWindow;
use crate::upgrade::schedule::Freeze as PlainFreeze;
use crate::upgrade::schedule::InvalidSchedule;
use crate::upgrade::schedule::Written;
use crate::upgrade::schedule::WrittenWindow;

/// Pattern of a cron expression: five fields of the characters that can occur in one. A first filter; the parser is stricter.
pub const CRON_PATTERN: &str = "^[A-Za-z0-9*,/#-]+( +[A-Za-z0-9*,/#-]+){4}$";

/// Pattern of the name of a time zone. Whether there is one of that name is looked up later.
pub const TIME_ZONE_PATTERN: &str = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$";

/// When starts may happen. Everything here is about starts only: what has started is followed to its end, also outside.
///
/// A start is allowed at a moment that is not before notBefore, is before notAfter, lies in an open window if there are any windows, and
/// lies in no freeze; in the schedule of the upgrade and in that of its Connection alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter",
    "notBefore must be before notAfter"
))]
pub struct Schedule {
    /// Nothing starts before this moment, as in 2026-11-25T00:00:00Z or 2026-11-25T01:00:00+01:00. Default: no such bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = ("self < timestamp('9000-01-01T00:00:00Z')", "must be before the year 9000"))]
    pub not_before: Option<Timestamp>,

    /// Nothing starts at this moment or after it. On an upgrade: what has not started by then is CANCELLED with the reason
    /// NotStartedInTime, for good. On a Connection: its upgrades wait until this is changed. Default: no such bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = (
        "self < timestamp('9000-01-01T00:00:00Z')",
        "must be before the year 9000; leave it out to wait for ever"
    ))]
    pub not_after: Option<Timestamp>,

    /// The windows in which starts may happen, at most 14; one open window is enough. Default: at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 14))]
    pub windows: Vec<Window>,

    /// Spans of time in which nothing starts, whatever the windows say; at most 20. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub freezes: Vec<Freeze>,
}

/// A window that opens again and again: at each time that cron names in timeZone, for the given duration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// When the window opens: minute, hour, day of month, month, day of week, as in 0 1 * * SAT,SUN. Lists, ranges and steps as usual,
    /// JAN to DEC, SUN to SAT; 0 and 7 are Sunday. L is the last day of the month, SAT#1 its first Saturday, SAT#L its last. No seconds, no
    /// words such as @daily. Day of month and day of week cannot both be set: cron would take either, and people mean both.
    #[schemars(length(min = 9, max = 100), regex(pattern = CRON_PATTERN))]
    #[x_kube(validation = (
        "self.matches('^[^ ]+ +[^ ]+ +[*] ') || self.matches(' [*]$')",
        "day of month and day of week cannot both be set; for the first Saturday write 0 1 * * SAT#1, for either write two windows"
    ))]
    pub cron: String,

    /// For how long it stays open, as in 4h or 90m; more than 0s, at most 168h. This is time that passes: 4h are 4 hours also in the
    /// night in which the clocks change.
    #[x_kube(validation = (
        "duration(self) > duration('0s') && duration(self) <= duration('168h')",
        "must be more than 0s and at most 168h"
    ))]
    pub duration: CanonicalDuration,

    /// The time zone that cron is meant in, by its IANA name: UTC, Europe/Madrid, America/New_York.
    #[schemars(length(min = 1, max = 64), regex(pattern = TIME_ZONE_PATTERN))]
    pub time_zone: String,
}

/// A span of time in which nothing starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.from < self.until", "from must be before until"))]
pub struct Freeze {
    /// Its first moment, as in 2026-12-18T00:00:00Z.
    #[schemars(length(max = 40))]
    #[x_kube(validation = ("self < timestamp('9000-01-01T00:00:00Z')", "must be before the year 9000"))]
    pub from: Timestamp,

    /// The first moment after it, as in 2027-01-04T00:00:00Z.
    #[schemars(length(max = 40))]
    #[x_kube(validation = ("self < timestamp('9000-01-01T00:00:00Z')", "must be before the year 9000"))]
    pub until: Timestamp,

    /// Why, for whoever waits for it, as in year-end freeze CHG-991.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\x00-\x1F\x7F]+$"))]
    pub reason: Option<String>,
}

impl Schedule {
    /// The same as plain values, for [`crate::upgrade::schedule::Schedule::parse`]. Fails on a duration that cannot be read, which the CRD
    /// lets nobody write.
    pub fn written(&self) -> Result<Written, InvalidSchedule> {
        let window = |(index, window): (usize, &Window)| {
            let found = |_| InvalidSchedule::Window {
                index,
                why: BadWindow::Duration {
                    found: format!("{:?}", window.duration.0),
                },
            };
            Ok(WrittenWindow {
                cron: window.cron.clone(),
                duration: window.duration.to_std().map_err(found)?,
                time_zone: window.time_zone.clone(),
            })
        };
        let freeze = |freeze: &Freeze| PlainFreeze {
            from: freeze.from,
            until: freeze.until,
            reason: freeze.reason.clone(),
        };
        Ok(Written {
            not_before: self.not_before,
            not_after: self.not_after,
            windows: self.windows.iter().enumerate().map(window).collect::<Result<_, _>>()?,
            freezes: self.freezes.iter().map(freeze).collect(),
        })
    }
}
