//! The words of a status: `state` and `reason`.
//!
//! One pair was ever seen in public, for a device that needs nothing [C]; all others are made up [U], which is why they can be replaced.
//! The product may show them and must not judge by them.

use serde::{Deserialize, Serialize};

use super::unit::Stage;

/// A pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    pub state: String,
    pub reason: String,
}

impl Word {
    pub fn new(state: &str, reason: &str) -> Self {
        Self {
            state: state.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// What is said of a unit, by where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// It is at what it is recommended, or beyond [C].
    pub current: Word,
    /// It is below that [U], as are all that follow.
    pub below: Word,
    pub scheduled: Word,
    pub downloading: Word,
    pub awaiting_reboot: Word,
    pub rebooting: Word,
    pub failed: Word,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            current: Word::new("UPGRADE_NOT_REQUIRED", "Firmware version upto date"),
            below: Word::new("UPGRADE_REQUIRED", "A newer firmware version is recommended"),
            scheduled: Word::new("UPGRADE_SCHEDULED", "Firmware upgrade is scheduled"),
            downloading: Word::new("UPGRADE_IN_PROGRESS", "Downloading the image"),
            awaiting_reboot: Word::new("REBOOT_REQUIRED", "Image downloaded, reboot required"),
            rebooting: Word::new("REBOOTING", "Rebooting with the new image"),
            failed: Word::new("UPGRADE_FAILED", "Image download failed"),
        }
    }
}

impl Words {
    /// All stages are told with one pair.
    pub fn all(word: &Word) -> Self {
        let word = || word.clone();
        Self {
            current: word(),
            below: word(),
            scheduled: word(),
            downloading: word(),
            awaiting_reboot: word(),
            rebooting: word(),
            failed: word(),
        }
    }

    pub(super) fn of(&self, stage: Stage, upgrade_required: bool) -> &Word {
        match stage {
            Stage::AtRest if upgrade_required => &self.below,
            Stage::AtRest => &self.current,
            Stage::Scheduled => &self.scheduled,
            Stage::Downloading => &self.downloading,
            Stage::AwaitingReboot => &self.awaiting_reboot,
            Stage::Rebooting => &self.rebooting,
            Stage::Failed => &self.failed,
        }
    }
}
