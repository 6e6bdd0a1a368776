//! The console as its reads show it, turned into a sight.
//!
//! **An account without the task.** A console lists remote firmware updates only to accounts with the task "Manage Remote Firmware Updates"
//! (403 with reason 1). A single step install does not need that task, so for an account without it the list counts as empty, and every look
//! says so: an update that IBM scheduled is then not seen before it runs, and the console itself refuses what it cannot do meanwhile. A list
//! that fails for any other reason leaves the look incomplete.

use super::failures::UPDATES_TASK;
use super::failures::short;
use super::wire::Console;
use super::wire::Update;
use super::wire::Updates;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::JobsBefore;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::vendor::decode::join;
use crate::vendor::error::VendorError;
use crate::vendor::seam::Asked;

/// Most updates on a schedule that are kept in a receipt, of up to 140 bytes each: there is one, or a few. Of a longer list nothing is kept.
const MOST_KNOWN: usize = 8;

/// What can be said about a console that no firmware can be given to.
pub(super) const UNSUPPORTED: &str =
    "does not tell the bundle that it is at (no bundle-level in ec-mcl-description): this HMC does not support upgrades through its API";

/// What is known to carry a run out, as its own document shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// A job that we were given for a start.
    Job(Job),
    /// A remote firmware update that IBM scheduled.
    Update(Update),
    /// The console knows none of that URI.
    Gone(Job),
}

/// What was read besides the console itself.
pub(super) struct Read {
    /// The list of remote firmware updates.
    pub updates: Result<Updates, VendorError>,
    /// What was asked for by its URI, where something was.
    pub followed: Option<Result<Followed, VendorError>>,
}

/// The sight.
pub(super) fn of(asked: &Asked, console: &Console, read: Read) -> Sight {
    let mut trouble = Vec::new();
    let (mut updates, mut whole, permissions, permitted) = match read.updates {
        Ok(updates) => {
            let broken = updates
                .broken
                .then(|| "not all of its remote firmware updates can be understood".to_owned());
            trouble.extend(broken);
            let permitted = updates.expirations.iter().max().copied();
            (updates.rows, !updates.broken, updates.permissions, permitted)
        }
        Err(VendorError::MissingPermission { said, .. }) => {
            trouble.push(format!(
                "the account lacks the task {UPDATES_TASK} ({said}), so updates that IBM schedules are not seen"
            ));
            (Vec::new(), true, None, None)
        }
        Err(error) => {
            trouble.push(format!("its remote firmware updates cannot be read: {}", short(&error)));
            (Vec::new(), false, None, None)
        }
    };
    let mut followed = None;
    match read.followed {
        None => {}
        Some(Ok(Followed::Update(element))) => match updates.iter_mut().find(|update| update.uri == element.uri) {
            Some(listed) => listed.detail = element.detail,
            // Some consoles may show for a while what they list no more.
            None => updates.push(element),
        },
        // Listed after all, and its element was not there yet: the next look has it.
        Some(Ok(Followed::Gone(job))) if updates.iter().any(|update| update.uri == job.id) => whole = false,
        Some(Ok(Followed::Job(job) | Followed::Gone(job))) => followed = Some(job),
        Some(Err(error)) => {
            trouble.push(format!("its job cannot be read: {}", short(&error)));
            whole = false;
        }
    }
    if console.bundle.is_none() {
        trouble.push(format!("it {UNSUPPORTED}"));
    }
    let listed: Vec<Job> = updates.iter().map(Update::job).collect();
    let motion = motion(&listed, followed.as_ref());
    let jobs = (permissions.is_some() && whole && listed.len() <= MOST_KNOWN).then(|| JobsBefore {
        ids: listed.iter().map(|job| job.id.clone()).collect(),
        witness: None,
        mover: mover(&listed),
        begins: None,
    });
    let of_note = |job: &&Job| job.state != JobState::Queued;
    let said: Vec<String> = listed
        .iter()
        .filter(of_note)
        .chain(&followed)
        .filter_map(|job| job.says.clone())
        .collect();
    Sight {
        complete: console.bundle.is_some() && whole,
        motion,
        looks: console.bundle.clone().map(|version| Looks {
            version,
            permissions,
            jobs,
            ..Looks::default()
        }),
        offered: Offered::Untold,
        jobs: listed.into_iter().chain(followed).collect(),
        identity: console.name.clone(),
        says: join(trouble.into_iter().chain(said).collect()),
        permitted,
        detailed: true,
        ..asked.not_seen("", false, true)
    }
}

/// The one update that runs.
fn mover(listed: &[Job]) -> Option<String> {
    let mut running = listed.iter().filter(|job| job.state == JobState::Running);
    let (first, None) = (running.next()?, running.next()) else {
        return None;
    };
    Some(first.id.clone())
}

/// An install of ours under way tells no goal; updates that run do, unless they differ. One that is scheduled moves nothing yet.
fn motion(listed: &[Job], followed: Option<&Job>) -> Motion {
    let running: Vec<&Job> = listed.iter().chain(followed).filter(|job| job.state == JobState::Running).collect();
    let Some((first, others)) = running.split_first() else {
        return Motion::Still;
    };
    let toward = match &first.does {
        Does::Installs(bundle) if others.iter().all(|job| job.does == first.does) => Some(bundle.clone()),
        Does::Installs(_) | Does::Untold | Does::Else => None,
    };
    Motion::Moving {
        toward,
        progress: first.progress.filter(|_| others.is_empty()),
    }
}
