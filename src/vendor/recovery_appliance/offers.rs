//! What the appliance offers: only the result of a `retrieve-updates` task tells, and running one leaves a task behind.
//!
//! So it is asked at most once in the interval at which a target that waits is looked at, and never while a start of this client may be under
//! way: a task that appears then has to be the start (`vendors.md`, witness rule). The right to ask is [`Shared::starting`].

use std::sync::PoisonError;

use super::Shared;
use super::failures::failure;
use super::wire;
use super::wire::Task;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
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
    asked: Mono,
    /// Version of the appliance then: another one is offered other updates.
    version: String,
    updates: Updates,
}

impl Shared {
    /// What is offered to an appliance that waits: as kept, or asked now where that may be and makes sense.
    ///
    /// Whether a start is open is asked under the lock that a start holds from its preparation to its answer: whoever looked before it began,
    /// and comes here after its answer was lost, would leave a task that nobody could tell from it.
    pub async fn updates(&self, sight: &Sight, start_open: impl Fn() -> bool + Send + Sync) -> Updates {
        let Some(version) = sight.looks.as_ref().map(|looks| looks.version.as_str()) else {
            return Updates::NotAsked;
        };
        if let Some(kept) = self.recent(version) {
            return kept;
        }
        // Somebody's update under way is not to be disturbed.
        let at_rest = sight.complete && sight.motion == crate::upgrade::sight::Motion::Still;
        let Some(_guard) = self.starting.try_lock().ok().filter(|_| at_rest) else {
            return Updates::NotAsked;
        };
        if start_open() {
            return Updates::NotAsked;
        }
        match self.retrieve().await {
            Ok(retrieved) => {
                self.keep(sight.asked, version, &retrieved.updates);
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
            let what = wire::said(reply.whole_body());
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
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.clone());
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

    /// Our own last task, which moves nothing.
    pub fn own_task(&self) -> Option<String> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what was offered at this version. `asked`: of the look that it belongs to, so that the next one is due together with it.
    pub fn keep(&self, asked: Mono, version: &str, updates: &Updates) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept {
            asked,
            version: version.to_owned(),
            updates: updates.clone(),
        });
    }

    /// After a start nothing that was offered before counts.
    pub fn forget_offers(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn recent(&self, version: &str) -> Option<Updates> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.http.clock().mono();
        let good = |kept: &&Kept| kept.version == version && now.since(kept.asked) < self.timing.poll_waiting;
        kept.as_ref().filter(good).map(|kept| kept.updates.clone())
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
