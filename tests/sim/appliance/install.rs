//! What becomes of an install: the decision, and its commit.
//!
//! Called by `api` under the state's lock.

use jiff::Timestamp;
use serde_json::json;

use super::super::log::{Log, Start};
use super::super::vendor::{Reply, Request};
use super::TARGET;
use super::machine::Update;
use super::settings::{InstallAnswer, SecondInstall, Settings, UnknownVersion};
use super::state::Inner;
use super::task::{Ending, Task, Trouble, What};
use super::wire::Refusal;

/// 202 with a task [C], or a refusal. Whatever is answered with 202 is counted.
pub(super) fn install(inner: &mut Inner, log: &Log, request: &Request, version: &str, now: Timestamp) -> Result<Reply, Refusal> {
    let settings = inner.settings.clone();
    let update = offered(inner, version, &settings)?;
    let task = if inner.life.run.is_some() {
        second(inner, version, &update, now, &settings)?
    } else {
        begin(inner, version, &update, now)
    };
    log.commit(start(version, now, request.user_agent(), request.number));
    Ok(answer(&task, now, &settings))
}

/// Somebody else begins one: it shows as a task, and is no committed start. A version that is not offered is taken for what it leads to.
pub(super) fn elsewhere(inner: &mut Inner, log: &Log, version: &str, now: Timestamp) -> String {
    let form = inner.settings.version_form;
    let known = inner.machine.updates.iter().find(|update| update.written(form) == version);
    let update = known.cloned().unwrap_or_else(|| Update::new(version));
    let task = begin(inner, version, &update, now);
    log.note_elsewhere(start(version, now, "somebody else", 0));
    task.id
}

fn start(version: &str, at: Timestamp, user_agent: &str, request: u64) -> Start {
    Start {
        target: TARGET.to_owned(),
        version: version.to_owned(),
        options: json!({}),
        user_agent: user_agent.to_owned(),
        at,
        request,
    }
}

fn offered(inner: &Inner, version: &str, settings: &Settings) -> Result<Update, Refusal> {
    let mut updates = inner.machine.updates.iter();
    let found = updates.find(|update| update.written(settings.version_form) == version);
    found.cloned().ok_or_else(|| match settings.unknown_version {
        UnknownVersion::NotFound => Refusal::not_found(),
        UnknownVersion::BadRequest => Refusal::new(400, "UPDATE_NOT_FOUND", format!("There is no update {version}.")),
    })
}

fn second(inner: &mut Inner, version: &str, update: &Update, now: Timestamp, settings: &Settings) -> Result<Task, Refusal> {
    let text = "Another update is being installed.";
    match settings.second_install {
        SecondInstall::Rejected => Err(Refusal::new(400, "UPDATE_IN_PROGRESS", text)),
        SecondInstall::InternalError => Err(Refusal::new(500, "INTERNAL_ERROR", text)),
        SecondInstall::StartsAnother => Ok(begin(inner, version, update, now)),
        SecondInstall::TaskFails => {
            let trouble = Trouble::new("The update cannot be installed.", text);
            let task = Task::new(
                What::Install(version.to_owned()),
                now,
                inner.machine.queued_secs,
                1,
                Ending::Error(trouble),
            );
            inner.tasks.add(task.clone());
            Ok(task)
        }
    }
}

fn begin(inner: &mut Inner, version: &str, update: &Update, now: Timestamp) -> Task {
    let task = inner.life.begin(&inner.machine, version, &update.appliance_version, now);
    inner.tasks.add(task.clone());
    task
}

fn answer(task: &Task, now: Timestamp, settings: &Settings) -> Reply {
    let mut body = task.json(now, settings);
    match settings.install_answer {
        InstallAnswer::Task => {}
        InstallAnswer::WithoutId => {
            body.as_object_mut().map(|body| body.remove("id"));
        }
        InstallAnswer::Empty => return Reply::empty(202),
    }
    Reply::json(202, body)
}
