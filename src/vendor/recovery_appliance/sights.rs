//! The appliance as its two reads show it, turned into a sight.

use std::collections::BTreeSet;

use super::wire::Appliance;
use super::wire::Page;
use super::wire::Task;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::JobsBefore;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::vendor::decode::join;
use crate::vendor::seam::Asked;

/// Most tasks that are compared one by one. A receipt keeps the ids of all that were there before its start in 24 KiB, next to the rest of what
/// the target looked like; with more of them, or in more than [`MOST_TEXT`], nothing is kept: half a list would show old tasks as new ones.
const MOST_IDS: usize = 400;

/// Most room of those ids as JSON, in bytes.
const MOST_TEXT: usize = 20 * 1024;

/// What was read of the tasks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tasks {
    /// The list, page by page.
    Listed(Listed),
    /// The one that was asked for.
    One(Job),
    /// Nothing.
    Unread {
        /// Why, in words.
        why: String,
    },
}

/// A list of tasks that grows page by page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Listed {
    jobs: Vec<Job>,
    ids: BTreeSet<String>,
    /// Rows so far, readable or not.
    rows: usize,
    total: Option<u64>,
    pages: usize,
    /// Something does not fit together, so this is not all.
    broken: bool,
    /// A task under way that has no id.
    nameless: bool,
    /// A task whose state is no word that we know.
    unknown: bool,
}

impl Listed {
    /// From where on the next page is.
    pub fn offset(&self) -> usize {
        self.rows
    }

    /// Takes a page in. `true`: that was the last one.
    pub fn add(&mut self, page: Page) -> bool {
        let (count, known) = (page.rows.len(), self.ids.len());
        let elsewhere = page.offset.is_some_and(|offset| offset != as_u64(self.rows));
        let other_total = self.pages > 0 && page.total != self.total;
        // What is added or forgotten between two pages shifts the rest.
        self.broken |= page.errors || elsewhere || other_total;
        (self.total, self.pages, self.rows) = (page.total, self.pages + 1, self.rows.saturating_add(count));
        for row in page.rows {
            self.take(row);
        }
        let read = as_u64(self.rows);
        match self.total {
            Some(total) if read >= total => {
                self.broken |= read != total;
                true
            }
            Some(_) if count == 0 => {
                self.broken = true;
                true
            }
            None if count == 0 => true,
            // An appliance that does not know pages gives the first one for ever.
            _ if self.ids.len() == known => {
                self.broken = true;
                true
            }
            _ => false,
        }
    }

    /// There is more, and it is not read.
    pub fn cut(&mut self) {
        self.broken = true;
    }

    fn take(&mut self, row: Option<Task>) {
        let Some(task) = row else {
            self.broken = true;
            return;
        };
        self.unknown |= task.state == JobState::Unknown;
        let Some(job) = task.job() else {
            (self.broken, self.nameless) = (true, self.nameless || task.active());
            return;
        };
        if !self.ids.insert(job.id.clone()) {
            self.broken = true;
            return;
        }
        // Of a list that is too long to be compared, only what is under way matters.
        let most = if job.active() { 2 * MOST_IDS } else { MOST_IDS };
        if self.jobs.len() < most {
            self.jobs.push(job);
        }
    }

    /// The ids to compare with later, where they are known and few enough.
    fn comparable(&self, mover: Option<String>) -> Option<JobsBefore> {
        // Each in quotes, and a comma.
        let text: usize = self.ids.iter().map(|id| id.len() + 3).sum();
        let fits = !self.broken && self.ids.len() <= MOST_IDS && text <= MOST_TEXT;
        fits.then(|| JobsBefore {
            ids: self.ids.clone(),
            witness: None,
            mover,
            begins: None,
        })
    }
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// What a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A start may be decided on it: a task in a state that we do not know may be under way.
    Start,
    /// Evidence of a start that went out: only ids, the version, and what a known word says count.
    Evidence,
}

/// The sight. `own`: our own last tasks there, which move nothing. Offers and the witness are left to the caller.
pub(super) fn of(asked: &Asked, appliance: &Appliance, tasks: &Tasks, own: &[String], purpose: Purpose) -> Sight {
    let jobs = match tasks {
        Tasks::Listed(listed) => listed.jobs.as_slice(),
        Tasks::One(job) => std::slice::from_ref(job),
        Tasks::Unread { .. } => &[],
    };
    let active: Vec<&Job> = jobs.iter().filter(|job| job.active() && !own.contains(&job.id)).collect();
    let nameless = matches!(tasks, Tasks::Listed(Listed { nameless: true, .. }));
    let (read, listed, trouble) = match tasks {
        Tasks::Listed(listed) => {
            let mover = mover(&active, nameless);
            let known = purpose == Purpose::Evidence || !listed.unknown;
            (!listed.broken && known, listed.comparable(mover), None)
        }
        Tasks::One(_) => (true, None, None),
        Tasks::Unread { why } => (false, None, Some(format!("its tasks cannot be read: {why}"))),
    };
    let said = active.iter().filter_map(|job| job.says.clone());
    let of_one = jobs
        .iter()
        .filter(|_| matches!(tasks, Tasks::One(_)))
        .filter_map(|job| job.says.clone());
    Sight {
        complete: appliance.version.is_some() && read,
        motion: motion(&active, nameless),
        looks: appliance.version.clone().map(|version| Looks {
            version,
            jobs: listed,
            ..Looks::default()
        }),
        offered: Offered::Unasked,
        jobs: jobs.to_vec(),
        identity: appliance.hostname.clone(),
        says: join(trouble.into_iter().chain(said).chain(of_one).collect()),
        detailed: true,
        ..asked.not_seen("", false, true)
    }
}

/// The one task under way that installs something, or else the only one that is under way.
fn mover(active: &[&Job], nameless: bool) -> Option<String> {
    let installs: Vec<&&Job> = active.iter().filter(|job| matches!(job.does, Does::Installs(_))).collect();
    match (installs.as_slice(), active) {
        ([one], _) => Some(one.id.clone()),
        (_, [one]) if !nameless => Some(one.id.clone()),
        _ => None,
    }
}

fn motion(active: &[&Job], nameless: bool) -> Motion {
    if active.is_empty() && !nameless {
        return Motion::Still;
    }
    let mut installs = active.iter().filter_map(|job| match &job.does {
        Does::Installs(version) => Some((version, job.progress)),
        Does::Untold | Does::Else => None,
    });
    let alone = match active {
        [one] if !nameless => one.progress,
        _ => None,
    };
    match (installs.next(), installs.next()) {
        (Some((version, progress)), None) => Motion::Moving {
            toward: Some(version.clone()),
            progress,
        },
        _ => Motion::Moving {
            toward: None,
            progress: alone,
        },
    }
}
