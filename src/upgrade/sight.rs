//! One look at a target: what a vendor client saw, dated by when it was asked.
//!
//! Vendor clients build these; [`conclude`](super::conclude) and [`decide`](super::decide) judge them. A sight never says what an
//! observation *means*: it carries only what the vendor showed.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::target::Authority;
use super::timing::Mono;

/// One observation of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// When the request was *sent*, on our monotonic clock: what came to pass later cannot be in it.
    pub asked: Mono,
    /// The same moment on the wall clock, for people.
    pub at: Timestamp,
    /// Who answered. An answer from another authority is no evidence.
    pub authority: Authority,
    /// All pages were read and every needed field was there. Only a complete sight can prove an absence.
    pub complete: bool,
    /// What the target is doing.
    pub motion: Motion,
    /// What could be compared with an earlier look, absent when not seen.
    pub looks: Option<Looks>,
    /// Versions that the vendor offers for this target now, spelled as the vendor does.
    pub offered: Vec<String>,
    /// The vendor's own name of the target, where it has one.
    pub identity: Option<String>,
    /// What the vendor says about it, already redacted and bounded; for people only.
    pub says: Option<String>,
    /// True when this came from a look at this one target, with all its detail; false when from a list.
    pub detailed: bool,
}

/// Whether the target is being upgraded right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Motion {
    /// An upgrade is under way.
    Moving {
        /// The version it goes to, where the vendor tells.
        toward: Option<String>,
        /// Percent done, where the vendor tells.
        progress: Option<i32>,
    },
    /// No upgrade is under way.
    Still,
    /// The target could not be seen: a failed call, or missing from a list. Never "idle".
    NotSeen {
        /// Why, in words.
        why: String,
        /// The vendor answered, completely, that it knows no such object.
        unknown_object: bool,
    },
}

/// The part of a sight that is stored before a start and compared after it (protocol: *before*).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Looks {
    /// Version the target is at.
    pub version: String,
    /// The vendor reports a failure that waits for somebody (vCenter state ERROR).
    #[serde(default)]
    pub faulted: bool,
    /// Version that the vendor says was asked for, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// The vendor's own mark of the last upgrade (vCenter `last_upgraded_date`), compared, never computed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
}

impl Sight {
    /// The version being moved to is exactly this one.
    pub fn moving_toward(&self, version: &str) -> bool {
        matches!(&self.motion, Motion::Moving { toward: Some(t), .. } if t == version)
    }

    /// The target was seen, moving or still.
    pub fn seen(&self) -> bool {
        !matches!(self.motion, Motion::NotSeen { .. })
    }
}
