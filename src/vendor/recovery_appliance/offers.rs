//! What the appliance offers: only the result of a `retrieve-updates` task tells, and running one leaves a task behind.
//!
//! So it is asked rarely, and never while a start may be under way there, whoever's: a task that appears then has to be the start
//! (`vendors.md`, witness rule). The right to ask is [`Manners::starting`](super::Manners), and right before asking the ledger is asked, too.

use std::sync::PoisonError;
use std::time::Duration;

use super::Shared;
use super::failures::failure;
use super::wire;
use super::wire::Task;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::vendor::Updates;
use crate::vendor::error::VendorError;
use crate::vendor::http::Verb;

/// How often a `retrieve-updates` task is looked at before it is given up, a pause apart: two minutes at the pause of 5 s.
const LOOKS_AT_TASK: usize = 24;

/// What came of asking what is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retrieved {
    /// The outcome.
    pub updates: Updates,
    /// The task that it took.
    pub task: Option<String>,
}

/// An outcome that is good for a while.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// When the look that it belongs to was asked.
    asked: Mono,
    /// Version of the appliance then: another one is offered other updates.
    version: String,
    updates: Updates,
    /// The task that it took.
    task: Option<String>,
}

impl Shared {
    /// What is offered to an appliance that waits: as kept for at most `age`, or asked now where that may be and makes sense.
    pub async fn updates(&self, sight: &Sight, age: Duration) -> Updates {
        let Some(version) = sight.looks.as_ref().map(|looks| looks.version.as_str()) else {
            return Updates::NotAsked;
        };
        if let Some(kept) = self.recent(version, age) {
            return kept.updates;
        }
        // Somebody's update under way is not to be disturbed.
        let at_rest = sight.complete && sight.motion == crate::upgrade::sight::Motion::Still;
        let Some(_guard) = self.manners.starting.try_lock().ok().filter(|_| at_rest && !self.start_open()) else {
            return Updates::NotAsked;
        };
        match self.retrieve().await {
            Ok(retrieved) => {
                self.keep(sight.asked, version, &retrieved);
                retrieved.updates
            }
            Err(error) => Updates::Unavailable {
                why: super::failures::short(&error),
            },
        }
    }

    /// Runs a `retrieve-updates` task to its end. Whoever calls holds [`Shared::starting`]. Err: no answer came.
    pub async fn retrieve(&self) -> Result<Retrieved, VendorError> {
        const OPERATION: &str = "retrieve_updates";
        let unavailable = |why: String| Updates::Unavailable { why };
        self.turn().await;
        let path = ["appliance", "update-manager", "actions", "retrieve-updates"];
        let (dated, token) = self.ask(OPERATION, Verb::Post, &path, &[]).await?;
        let reply = &dated.reply;
        if !(200..300).contains(&reply.status) {
            let error = failure(&self.http, OPERATION, reply, token.served());
            return Ok(Retrieved {
                updates: unavailable(super::failures::short(&error)),
                task: None,
            });
        }
        let Some(mut task) = reply.whole_body().and_then(wire::task) else {
            let what = wire::said(reply.whole_body(), wire::Answers::Read);
            return Ok(Retrieved {
                updates: unavailable(format!("{OPERATION} gave no task, but {what}")),
                task: None,
            });
        };
        // A long answer takes a place, and another call follows.
        drop(dated);
        let Some(id) = task.id.clone() else {
            return Ok(Retrieved {
                updates: unavailable(format!("{OPERATION} gave a task without an id")),
                task: None,
            });
        };
        self.manners.did(&id);
        let done = |updates| Retrieved {
            updates,
            task: Some(id.clone()),
        };
        for _ in 0..LOOKS_AT_TASK {
            if !task.active() {
                return Ok(done(outcome(&task)));
            }
            self.turn().await;
            task = match self.one(&id).await {
                Ok(Some(task)) => task,
                Ok(None) => return Ok(done(unavailable(format!("task {id} of {OPERATION} is gone")))),
                Err(VendorError::Unavailable { .. }) => continue,
                Err(error) => return Err(error),
            };
        }
        let updates = if task.active() {
            unavailable(format!("task {id} of {OPERATION} does not end"))
        } else {
            outcome(&task)
        };
        Ok(done(updates))
    }

    /// Keeps what was offered at this version. `asked`: of the look that it belongs to, so that the next one is due together with it.
    pub fn keep(&self, asked: Mono, version: &str, retrieved: &Retrieved) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept {
            asked,
            version: version.to_owned(),
            updates: retrieved.updates.clone(),
            task: retrieved.task.clone(),
        });
    }

    /// After a start nothing that was offered before counts.
    pub fn forget_offers(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn recent(&self, version: &str, age: Duration) -> Option<Kept> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.http.clock().mono();
        let good = |kept: &&Kept| kept.version == version && now.since(kept.asked) < age;
        kept.as_ref().filter(good).cloned()
    }

    /// What was retrieved a moment ago, if its task still stands in the list that this look read: as good a witness as a new one, and a try that
    /// comes to nothing again and again leaves one task behind and not one each time.
    pub fn still_witnessed(&self, sight: &Sight) -> Option<Retrieved> {
        let looks = sight.looks.as_ref()?;
        let kept = self.recent(&looks.version, self.timing.poll_waiting)?;
        let listed = kept
            .task
            .as_ref()
            .is_some_and(|id| looks.jobs.as_ref().is_some_and(|jobs| jobs.ids.contains(id)));
        (listed && matches!(kept.updates, Updates::Listed(_))).then_some(Retrieved {
            updates: kept.updates,
            task: kept.task,
        })
    }

    /// A start may be open on this appliance, of whatever resource.
    fn start_open(&self) -> bool {
        let key = TargetKey::appliance(self.http.authority().clone());
        self.start_open_on.as_ref().is_some_and(|open| open(&key))
    }
}

/// What a task of `retrieve-updates` that is not under way any more came to.
fn outcome(task: &Task) -> Updates {
    let id = task.id.as_deref().unwrap_or_default();
    let why = match (&task.state, &task.updates) {
        (JobState::Succeeded, Some(updates)) => return Updates::Listed(updates.clone()),
        (JobState::Succeeded, None) => format!("task {id} brought no list of updates that can be read"),
        _ => {
            let said = task.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("task {id} {}{said}", task.word)
        }
    };
    Updates::Unavailable {
        why: crate::vendor::text::sanitize(&why),
    }
}

/// What the core needs of it.
pub(super) fn offered(updates: Updates) -> Offered {
    match updates {
        Updates::Listed(all) => Offered::Versions(all.into_iter().map(|update| update.version).collect()),
        Updates::Unavailable { why } => Offered::Unavailable { why },
        Updates::NotAsked => Offered::Unasked,
    }
}
