//! Changes of the appliance over the control API; fields that are not given stay.
//!
//! It offers what the handles in process offer (see `state`), in JSON and for people.

use anyhow::Context;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::log::Log;
use super::install;
use super::machine::{Ends, Machine, Update};
use super::state::Inner;
use super::task::{Ending, Status, Task, Trouble, What};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent orders, each named in the control API")]
pub(super) struct Edit {
    hostname: Option<String>,
    appliance_version: Option<String>,
    /// What is offered, as the `appliance_version` that it leads to.
    updates: Option<Vec<String>>,
    reconfigure_required: Option<bool>,
    queued_secs: Option<u64>,
    run_secs: Option<u64>,
    restarts: Option<bool>,
    down_secs: Option<u64>,
    slow_secs: Option<u64>,
    finish_secs: Option<u64>,
    ends: Option<Ends>,
    reconfigure_after: Option<bool>,
    /// Somebody else begins an install of this version: no committed start.
    begin: Option<String>,
    /// Somebody else's task appears.
    add_task: Option<NewTask>,
    /// A task ends now.
    end_task: Option<EndTask>,
    /// All tasks are forgotten.
    lose_tasks: bool,
    /// It restarts now.
    power_cycle: bool,
    /// It goes down for good.
    power_off: bool,
    /// It comes up now, and what was under way is over.
    come_back: bool,
}

/// A task of something else than updates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTask {
    #[serde(rename = "type")]
    kind: Option<String>,
    description: Option<String>,
    /// How long it runs; without it until it is ended.
    secs: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndTask {
    id: String,
    status: Status,
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Edit {
    pub(super) fn apply(mut self, inner: &mut Inner, log: &Log, now: Timestamp) -> anyhow::Result<Value> {
        self.machine(&mut inner.machine);
        let mut answer = json!({});
        if let Some(new) = self.add_task.take() {
            let task = new.task(now);
            answer["task"] = json!(task.id);
            inner.tasks.add(task);
        }
        if let Some(EndTask { id, status }) = self.end_task.take() {
            let ending = match status {
                Status::Success => Ending::Success,
                Status::Cancelled => Ending::Cancelled,
                _ => Ending::Error(Trouble::new("The task failed.", "It was ended.")),
            };
            inner.tasks.get_mut(&id).context("no such task")?.end(now, ending);
        }
        if let Some(version) = self.begin.take() {
            answer["task"] = json!(install::elsewhere(inner, log, &version, now));
        }
        if self.lose_tasks {
            inner.tasks.clear();
        }
        if self.power_cycle {
            inner.restart(now);
        }
        if self.power_off {
            inner.go_down(now, None, 0);
        }
        if self.come_back {
            inner.life.abandon();
            inner.life.come_back(now, inner.machine.slow_secs);
        }
        answer["machine"] = json!(inner.machine);
        Ok(answer)
    }

    fn machine(&mut self, machine: &mut Machine) {
        put(&mut machine.hostname, self.hostname.take());
        put(&mut machine.appliance_version, self.appliance_version.take());
        let updates = |versions: Vec<String>| versions.iter().map(|version| Update::new(version)).collect();
        put(&mut machine.updates, self.updates.take().map(updates));
        put(&mut machine.reconfigure_required, self.reconfigure_required);
        put(&mut machine.queued_secs, self.queued_secs);
        put(&mut machine.run_secs, self.run_secs);
        put(&mut machine.restarts, self.restarts);
        put(&mut machine.down_secs, self.down_secs);
        put(&mut machine.slow_secs, self.slow_secs);
        put(&mut machine.finish_secs, self.finish_secs);
        put(&mut machine.ends, self.ends.take());
        put(&mut machine.reconfigure_after, self.reconfigure_after);
    }
}

impl NewTask {
    fn task(self, now: Timestamp) -> Task {
        let what = What::Other {
            kind: self.kind,
            description: self.description,
        };
        let task = Task::new(what, now, 0, self.secs.unwrap_or(600), Ending::Success);
        if self.secs.is_some() { task } else { task.for_ever() }
    }
}
