//! One look at a target: what a vendor client saw, dated by when it was asked.
//!
//! Vendor clients build these; [`conclude`](super::conclude) and [`decide`](super::decide) judge them. A sight never says what an
//! observation *means*: it carries only what the vendor showed.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::fleet::Fleet;
use super::fleet::FleetBefore;
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
    /// Versions that the vendor offers for this target now.
    pub offered: Offered,
    /// The vendor's jobs on the target that this look saw, in the vendor's order; empty where the vendor has none.
    pub jobs: Vec<Job>,
    /// The vendor's own name of the target, where it has one.
    pub identity: Option<String>,
    /// What the vendor says about it, already redacted and bounded; for people only.
    pub says: Option<String>,
    /// Until when the vendor's people may schedule an upgrade by themselves: the end of the permission that is good for longest (HMC).
    pub permitted: Option<Timestamp>,
    /// True when this came from a look at this one target, with all its detail; false when from a list.
    pub detailed: bool,
    /// All devices, where the target is a set of them (Aruba Central): what is seen of it is in here, and not in `looks`. Its motion is then
    /// told as [`Motion::Still`]: what the devices do is judged by whoever knows which of them matter.
    pub fleet: Option<Fleet>,
    /// Calls that this look took, where the vendor counts them; 0 where it does not.
    pub cost: u32,
}

impl Sight {
    /// A look that shows this, and nothing else.
    pub fn showing(asked: Mono, at: Timestamp, authority: Authority, motion: Motion) -> Sight {
        Sight {
            asked,
            at,
            authority,
            complete: false,
            motion,
            looks: None,
            offered: Offered::Unasked,
            jobs: Vec::new(),
            identity: None,
            says: None,
            permitted: None,
            detailed: false,
            fleet: None,
            cost: 0,
        }
    }
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

/// What a look says about the versions that a target may go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Offered {
    /// Not asked: nothing is known.
    #[default]
    Unasked,
    /// These, spelled as the vendor does.
    Versions(Vec<String>),
    /// Asked, and the vendor could not say.
    Unavailable {
        /// Why, in the vendor's words.
        why: String,
    },
    /// The vendor has no list of them: it refuses what it does not have (HMC).
    Untold,
}

/// One job (task) of the vendor on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The vendor's id of it.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// The vendor's own word for that.
    pub word: String,
    /// What its own words say that it does.
    pub does: Does,
    /// Percent done, where the vendor tells.
    pub progress: Option<i32>,
    /// The vendor's words, already redacted and bounded; for people only.
    pub says: Option<String>,
    /// When it is to run, where the vendor itself, and not Windlass, put it on a schedule.
    pub planned: Option<Planned>,
}

/// The time that a vendor chose for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it is to begin.
    pub at: Timestamp,
    /// How long it waits from then for what blocks it; zero where that was not told. Not how long it takes.
    pub window: Duration,
    /// When it was put there, by the vendor's clock.
    pub created: Option<Timestamp>,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Taken, not begun.
    Queued,
    /// Under way.
    Running,
    /// Ended well, by the vendor's word.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended by somebody's wish.
    Cancelled,
    /// The vendor was asked for exactly this job and knows none of that id, or its state is no word that we know.
    Unknown,
}

/// What a job does, as far as its own words tell. No safety decision rests on it alone: vendors document no such words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Its words do not tell.
    Untold,
    /// It installs this version.
    Installs(String),
    /// It does something else than an installation.
    Else,
}

impl Does {
    /// The version that it installs, where its words tell.
    pub fn version(&self) -> Option<&str> {
        match self {
            Does::Installs(version) => Some(version),
            Does::Untold | Does::Else => None,
        }
    }
}

/// Longer than any upgrade takes that a vendor's people schedule: a service window and its repeats fit into a day.
const LONGEST_RUN: Duration = Duration::from_hours(24);

impl Job {
    /// The vendor's own people put it on a schedule, and it is not over. What the vendor calls by a word that is not known counts as long as it
    /// may still run: lists do not tell how long that is.
    pub fn still_planned(&self, wall: Timestamp) -> bool {
        let Some(planned) = &self.planned else { return false };
        let longest = planned.window.saturating_add(LONGEST_RUN);
        let until = SignedDuration::try_from(longest)
            .ok()
            .and_then(|longest| planned.at.checked_add(longest).ok());
        self.active() || self.state == JobState::Unknown && until.is_none_or(|until| wall < until)
    }

    /// Begun or about to begin, and without an end.
    pub fn active(&self) -> bool {
        matches!(self.state, JobState::Queued | JobState::Running)
    }
}

/// The jobs that a target had at one moment: what is new afterwards is judged against it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsBefore {
    /// Ids of all of them.
    pub ids: BTreeSet<String>,
    /// One that Windlass itself had the vendor do right before, and found listed: while it still is, the list is one that keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// The one that was moving the target, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mover: Option<String>,
    /// When the mover was to begin, where a run was adopted that the vendor's people had put on their schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<Timestamp>,
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
    /// All jobs, where the vendor lists them and every page of the list was read. At an HMC: what IBM has on its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobsBefore>,
    /// Until when each of the permissions is good that were given to the vendor's people to schedule an upgrade, as the vendor writes it
    /// (HMC). Never their values: those are credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<BTreeSet<String>>,
    /// The devices in scope, where the target is a set of them (Aruba Central).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetBefore>,
    /// The end of the permission that a run rests on which was adopted because one was good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<Timestamp>,
}

impl Looks {
    /// Takes the witness over that an earlier look of the same precheck had, where it is still listed. Only the look that ran it knows it.
    pub fn keep_witness(&mut self, earlier: &Looks) {
        let known = earlier.jobs.as_ref().and_then(|jobs| jobs.witness.as_ref());
        if let (Some(jobs), Some(witness)) = (&mut self.jobs, known)
            && jobs.witness.is_none()
            && jobs.ids.contains(witness)
        {
            jobs.witness = Some(witness.clone());
        }
    }
}

impl Sight {
    /// The version being moved to is exactly this one.
    pub fn moving_toward(&self, version: &str) -> bool {
        matches!(&self.motion, Motion::Moving { toward: Some(t), .. } if t == version)
    }

    /// The job with this id, where this look saw it.
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// Its permissions that were not there before; `None` where one of the two lists is not known.
    pub fn new_permissions(&self, before: &Looks) -> Option<usize> {
        let now = self.looks.as_ref().filter(|_| self.complete)?.permissions.as_ref()?;
        Some(now.difference(before.permissions.as_ref()?).count())
    }

    /// The target was seen, moving or still.
    pub fn seen(&self) -> bool {
        !matches!(self.motion, Motion::NotSeen { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(ids: &[&str], witness: Option<&str>) -> Looks {
        Looks {
            jobs: Some(JobsBefore {
                ids: ids.iter().map(|id| (*id).to_owned()).collect(),
                witness: witness.map(str::to_owned),
                mover: None,
                begins: None,
            }),
            ..Looks::default()
        }
    }

    #[test]
    fn a_later_look_keeps_the_witness_while_it_is_listed_and_no_other() {
        let prepared = looks(&["a", "w"], Some("w"));
        for (ids, own, kept) in [
            (vec!["a", "w"], None, Some("w")),
            (vec!["a"], None, None),
            (vec!["a", "w", "x"], Some("x"), Some("x")),
        ] {
            let mut later = looks(&ids, own);
            later.keep_witness(&prepared);
            assert_eq!(later.jobs.unwrap().witness.as_deref(), kept);
        }
        let mut untold = Looks::default();
        untold.keep_witness(&prepared);
        assert_eq!(untold.jobs, None);
    }
}
