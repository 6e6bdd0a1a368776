//! All state of the simulated appliance under one lock, and what a test may read of it and change.
//!
//! The decision to take an install, the state that follows from it and its entry in the log of committed starts happen under that
//! lock: no answer, no fault and no second copy of a request can come between them. Whoever takes the lock through
//! [`Appliance::at_now`] finds everything done that was due by then.

use std::sync::MutexGuard;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::clock::after;
use super::super::lock;
use super::super::vendor::Power;
use super::life::{Event, Life};
use super::limiter::Limiter;
use super::machine::Machine;
use super::session::{Sessions, User};
use super::settings::Settings;
use super::task::{Ending, Status, Task};
use super::tasks::Tasks;
use super::{Appliance, Config, TARGET, install};

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) machine: Machine,
    pub(super) life: Life,
    pub(super) tasks: Tasks,
    pub(super) users: Vec<User>,
    pub(super) sessions: Sessions,
    pub(super) limiter: Limiter,
    pub(super) settings: Settings,
}

impl Inner {
    pub(super) fn new(config: &Config) -> Self {
        let mut tasks = Tasks::default();
        config.each_old_task(|task| tasks.add(task));
        Self {
            machine: config.machine.clone(),
            life: Life::default(),
            tasks,
            users: config.users.clone(),
            sessions: Sessions::default(),
            limiter: Limiter::default(),
            settings: config.settings.clone(),
        }
    }

    fn settle(&mut self, now: Timestamp) {
        while let Some((at, event)) = self.life.due(now) {
            match event {
                Event::Down { until, slow_secs } => self.go_down(at, until, slow_secs),
                Event::Version { version, reconfigure } => {
                    self.machine.become_version(&version);
                    self.machine.reconfigure_required |= reconfigure;
                }
                Event::Over => self.life.run = None,
            }
        }
        self.life.settle(now);
        self.tasks.forget(now, &self.settings);
    }

    /// The machine goes down, and takes with it what the toggles say.
    pub(super) fn go_down(&mut self, at: Timestamp, until: Option<Timestamp>, slow_secs: u64) {
        self.life.go_down(until, slow_secs);
        self.tasks.restart(at, self.settings.retention);
        if !self.settings.sessions_survive_restart {
            self.sessions.clear();
        }
    }

    /// A restart that is no install's: down now, and up again after the machine's own time.
    pub(super) fn restart(&mut self, now: Timestamp) {
        let until = after(now, self.machine.down_secs);
        self.go_down(now, Some(until), self.machine.slow_secs);
    }

    pub(super) fn power(&self, now: Timestamp) -> Power {
        Power {
            down: self.life.is_down(now).then_some(self.settings.down),
            restarts: self.life.restarts,
        }
    }

    pub(super) fn show(&mut self, now: Timestamp) -> Value {
        json!({
            "sessions": self.sessions.count(now, &self.settings),
            "logins": self.sessions.made(),
            "bans": self.limiter.bans(),
            "down": self.life.is_down(now),
            "booting": self.life.is_booting(now),
            "machine": self.machine,
            "life": self.life,
            "tasks": self.tasks.iter().map(|task| json!({"status": task.status(now), "task": task})).collect::<Value>(),
        })
    }
}

impl Appliance {
    /// The state with everything done that is due, and the time that it is now.
    pub(super) fn at_now(&self) -> (MutexGuard<'_, Inner>, Timestamp) {
        let mut inner = lock(&self.inner);
        let now = self.clock.now();
        inner.settle(now);
        (inner, now)
    }

    /// Changes the state, and lets the door look whether the machine is still up.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Inner, Timestamp) -> T) -> T {
        let done = {
            let (mut inner, now) = self.at_now();
            change(&mut inner, now)
        };
        self.changed.send_modify(|n| *n += 1);
        done
    }

    /// The machine as it is now.
    pub fn machine(&self) -> Machine {
        self.at_now().0.machine.clone()
    }

    /// The version that it has now.
    pub fn version(&self) -> String {
        self.machine().appliance_version
    }

    /// The versions that it is offered, as an install has to write them.
    pub fn offered(&self) -> Vec<String> {
        let inner = self.at_now().0;
        let form = inner.settings.version_form;
        inner.machine.updates.iter().map(|update| update.written(form)).collect()
    }

    /// Is an install under way?
    pub fn installing(&self) -> bool {
        self.at_now().0.life.run.is_some()
    }

    /// How often it went down so far.
    pub fn restarts(&self) -> u64 {
        self.at_now().0.life.restarts
    }

    /// Is the machine down, for an install or otherwise?
    pub fn is_down(&self) -> bool {
        let (inner, now) = self.at_now();
        inner.life.is_down(now)
    }

    /// Changes the machine.
    pub fn edit_machine<T>(&self, edit: impl FnOnce(&mut Machine) -> T) -> T {
        self.change(|inner, _| edit(&mut inner.machine))
    }

    /// Changes toggles.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.change(|inner, _| change(&mut inner.settings));
    }

    /// Changes the users: a rotated password, one that has expired. Their sessions stay.
    pub fn set_users(&self, users: Vec<User>) {
        self.change(|inner, _| inner.users = users);
    }

    /// Somebody else begins an install: the machine moves, a task shows, and no committed start is counted. The task's id.
    pub fn begin_elsewhere(&self, version: &str) -> String {
        self.change(|inner, now| install::elsewhere(inner, &self.log, version, now))
    }

    /// Adds a task that is nobody's of Windlass; its id.
    pub fn add_task(&self, task: Task) -> String {
        let id = task.id.clone();
        self.change(|inner, _| inner.tasks.add(task));
        id
    }

    /// Ends a task now, if it is there and has not ended. What it tells of goes on.
    pub fn end_task(&self, id: &str, ending: Ending) -> bool {
        self.change(|inner, now| inner.tasks.get_mut(id).map(|task| task.end(now, ending)).is_some())
    }

    /// All tasks that it remembers, with their status, oldest first.
    pub fn tasks(&self) -> Vec<(Task, Status)> {
        let (inner, now) = self.at_now();
        inner.tasks.iter().map(|task| (task.clone(), task.status(now))).collect()
    }

    /// Forgets all tasks.
    pub fn lose_tasks(&self) {
        self.change(|inner, _| inner.tasks.clear());
    }

    /// Restarts of its own accord, and with whatever is under way.
    pub fn power_cycle(&self) {
        self.change(|inner, now| inner.restart(now));
    }

    /// Goes down for good, until [`Appliance::come_back`].
    pub fn power_off(&self) {
        self.change(|inner, now| inner.go_down(now, None, 0));
    }

    /// Comes up now, and what was under way is over: the end of a restart that had none.
    pub fn come_back(&self) {
        self.change(|inner, now| {
            inner.life.abandon();
            inner.life.come_back(now, inner.machine.slow_secs);
        });
    }

    /// How many sessions are live. A client that logs out leaves none.
    pub fn live_sessions(&self) -> usize {
        let (mut inner, now) = self.at_now();
        let inner = &mut *inner;
        inner.sessions.count(now, &inner.settings)
    }

    /// The ids of the live sessions: what nobody but the client may ever see.
    pub fn session_ids(&self) -> Vec<String> {
        self.at_now().0.sessions.ids()
    }

    /// How many sessions were ever made: a client that logs in once per call shows here.
    pub fn logins(&self) -> u64 {
        self.at_now().0.sessions.made()
    }

    /// How often the limiter banned somebody.
    pub fn bans(&self) -> u64 {
        self.at_now().0.limiter.bans()
    }

    /// Ends all sessions now; how many there were.
    pub fn expire_all_sessions(&self) -> usize {
        self.change(|inner, _| inner.sessions.clear())
    }

    /// Whether the machine is up.
    pub(super) fn power_now(&self) -> Power {
        let (inner, now) = self.at_now();
        inner.power(now)
    }

    /// Returns once the machine is not what was seen.
    pub(super) async fn power_other_than(&self, seen: Power) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let next = {
                let (inner, now) = self.at_now();
                if inner.power(now) != seen {
                    return;
                }
                inner.life.next_change(now)
            };
            let by_itself = async {
                match next {
                    Some(next) => self.clock.reach(next).await,
                    // No movement of the clock alone can change it.
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = by_itself => {}
                // Cannot fail: the sender is in this appliance.
                _ = changed.changed() => {}
            }
        }
    }

    pub(super) fn settings_json(&self) -> Value {
        json!(self.at_now().0.settings)
    }

    pub(super) fn change_settings_json(&self, change: Value) -> anyhow::Result<Value> {
        ensure!(change.is_object(), "settings are an object");
        self.change(|inner, _| {
            let mut all = json!(inner.settings);
            if let (Value::Object(all), Value::Object(change)) = (&mut all, change) {
                all.extend(change);
            }
            inner.settings = serde_json::from_value(all)?;
            Ok(json!(inner.settings))
        })
    }

    pub(super) fn edit_json(&self, target: &str, edit: Value) -> anyhow::Result<Value> {
        ensure!(target == TARGET, "there is one target, {TARGET}");
        let edit: super::edit::Edit = serde_json::from_value(edit).context("the edit")?;
        self.change(|inner, now| edit.apply(inner, &self.log, now))
    }
}
