//! All state of the simulated console under one lock, and what a test may read of it and change.
//!
//! The decision to take a start, the state that follows from it and its entry in the log of committed starts happen under that lock: no
//! answer, no fault and no second copy of a request can come between them. Whoever takes the lock through [`Hmc::at_now`] finds
//! everything done that was due by then.

use std::sync::MutexGuard;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::clock::after;
use super::super::lock;
use super::super::log::{Log, Start};
use super::super::vendor::Power;
use super::console::{Console, Failure};
use super::install::Asked;
use super::job::{Job, Jobs};
use super::life::{By, Event, Life, Run};
use super::session::{Sessions, User};
use super::settings::Settings;
use super::token::{Token, Tokens};
use super::update::Update;
use super::{Config, Hmc, Ibm, TARGET, install};

/// What the lock guards.
pub(super) struct Inner {
    pub(super) console: Console,
    pub(super) life: Life,
    pub(super) jobs: Jobs,
    pub(super) updates: Vec<Update>,
    pub(super) tokens: Tokens,
    pub(super) asked: Vec<Asked>,
    pub(super) users: Vec<User>,
    pub(super) sessions: Sessions,
    pub(super) settings: Settings,
    pub(super) log: Log,
}

impl Inner {
    pub(super) fn new(config: &Config, log: Log) -> Self {
        Self {
            console: config.console.clone(),
            life: Life::default(),
            jobs: Jobs::default(),
            updates: Vec::new(),
            tokens: Tokens::default(),
            asked: Vec::new(),
            users: config.users.clone(),
            sessions: Sessions::default(),
            settings: config.settings.clone(),
            log,
        }
    }

    fn settle(&mut self, now: Timestamp) {
        while let Some((at, event)) = self.life.due(now) {
            match event {
                Event::Due(id) => self.update_due(&id, at),
                Event::Point => self.interrupt(at),
                Event::Down { until, slow_secs } => self.go_down(until, slow_secs),
                Event::Bundle(bundle) => self.console.become_bundle(&bundle),
                Event::Over(failure) => self.over(failure, at),
            }
        }
        self.life.settle(now);
        self.jobs.forget(now, &self.settings);
    }

    /// Begins an upgrade, in the place of one that may be under way; when it is expected to be over.
    pub(super) fn begin(&mut self, bundle: &str, by: By, at: Timestamp) -> Timestamp {
        self.over(Some(Failure::new("Another upgrade took its place.")), at);
        self.life.begin(&self.console, bundle, by, at)
    }

    /// The upgrade that is under way has come to its end.
    fn over(&mut self, failure: Option<Failure>, at: Timestamp) {
        match self.life.abandon().map(|run| run.by) {
            Some(By::Job(id)) => self.jobs.complete(&id, at, failure),
            Some(By::Update(id)) => self.end_update(&id, failure.is_none(), at),
            None => {}
        }
    }

    /// The upgrade that is under way can be interrupted here, if its job was canceled.
    fn interrupt(&mut self, at: Timestamp) {
        let Some(Run { by: By::Job(id), .. }) = &self.life.run else {
            return;
        };
        if self.jobs.interrupt(id, at) {
            self.life.abandon();
        }
    }

    /// The console goes down, and takes with it what the toggles say.
    fn go_down(&mut self, until: Option<Timestamp>, slow_secs: u64) {
        self.life.go_down(until, slow_secs);
        if !self.settings.jobs_survive_restart {
            self.jobs.clear();
        }
        if !self.settings.sessions_survive_restart {
            self.sessions.clear();
        }
    }

    /// A restart that is no upgrade's: down now, and up again after the console's own time.
    pub(super) fn restart(&mut self, now: Timestamp) {
        let until = after(now, self.console.down_secs);
        self.go_down(Some(until), self.console.slow_secs);
    }

    /// Goes down for good.
    pub(super) fn power_off(&mut self) {
        self.go_down(None, 0);
    }

    /// Comes up now. What was under way has failed.
    pub(super) fn come_back(&mut self, now: Timestamp) {
        self.over(Some(Failure::new("The console was restarted.")), now);
        self.life.come_back(now, self.console.slow_secs);
    }

    pub(super) fn power(&self, now: Timestamp) -> Power {
        Power {
            down: self.life.is_down(now).then_some(self.settings.down),
            restarts: self.life.restarts,
        }
    }

    pub(super) fn show(&mut self, now: Timestamp) -> Value {
        let settings = &self.settings;
        let token = |token: &Token| json!({"expires": token.expires, "used": token.used});
        json!({
            "sessions": self.sessions.count(now, settings),
            "logons": self.sessions.made(),
            "down": self.life.is_down(now),
            "booting": self.life.is_booting(now),
            "console": self.console,
            "life": self.life,
            "jobs": self.jobs.all(),
            "updates": self.updates.iter().map(|update| json!({"state": update.word(settings), "update": update})).collect::<Value>(),
            "tokens": self.tokens.all().iter().map(token).collect::<Value>(),
        })
    }
}

impl Hmc {
    /// The state with everything done that is due, and the time that it is now.
    pub(super) fn at_now(&self) -> (MutexGuard<'_, Inner>, Timestamp) {
        let mut inner = lock(&self.inner);
        let now = self.clock.now();
        inner.settle(now);
        (inner, now)
    }

    /// Changes the state, and lets the door look whether the console is still up.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Inner, Timestamp) -> T) -> T {
        let done = {
            let (mut inner, now) = self.at_now();
            let done = change(&mut inner, now);
            // What the change made due at once is done before anybody looks.
            inner.settle(now);
            done
        };
        self.changed.send_modify(|n| *n += 1);
        done
    }

    /// IBM, who schedules remote firmware updates.
    pub fn ibm(&self) -> Ibm<'_> {
        Ibm(self)
    }

    /// The console as it is now.
    pub fn console(&self) -> Console {
        self.at_now().0.console.clone()
    }

    /// The level of its bundle; empty where it has none.
    pub fn bundle(&self) -> String {
        self.console().bundle.unwrap_or_default()
    }

    /// Changes the console.
    pub fn edit_console<T>(&self, edit: impl FnOnce(&mut Console) -> T) -> T {
        self.change(|inner, _| edit(&mut inner.console))
    }

    /// Changes toggles.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.change(|inner, _| change(&mut inner.settings));
    }

    /// Changes the users: a rotated password, a task that is taken away. Their sessions stay.
    pub fn set_users(&self, users: Vec<User>) {
        self.change(|inner, _| inner.users = users);
    }

    /// Is an upgrade under way, by whomever?
    pub fn upgrading(&self) -> bool {
        self.at_now().0.life.run.is_some()
    }

    /// The committed single step installs, oldest first: the version is the bundle that was asked for, or [`install::EVERYTHING`].
    pub fn committed(&self) -> Vec<Start> {
        self.log.committed()
    }

    /// The authorizations that were given, oldest first, each with its simulated time. They begin nothing.
    pub fn authorizations(&self) -> Vec<Start> {
        self.log.granted()
    }

    /// All tokens that were ever made, oldest first: what nobody but the client and IBM may ever see.
    pub fn tokens(&self) -> Vec<Token> {
        self.at_now().0.tokens.all().to_vec()
    }

    /// The requests for a single step install whose fields were looked at, whatever became of them.
    pub fn asked(&self) -> Vec<Asked> {
        self.at_now().0.asked.clone()
    }

    /// A job that it still knows, by its id or URI.
    pub fn job(&self, id: &str) -> Option<Job> {
        self.at_now().0.jobs.get(id).cloned()
    }

    /// All jobs that it still knows, oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        self.at_now().0.jobs.all().to_vec()
    }

    /// Forgets all jobs. What they tell of goes on.
    pub fn lose_jobs(&self) {
        self.change(|inner, _| inner.jobs.clear());
    }

    /// Somebody else begins a single step install: the console moves, and no committed start is counted. The job's id, which no other
    /// user can ask for.
    pub fn begin_elsewhere(&self, bundle: &str) -> String {
        self.change(|inner, now| install::elsewhere(inner, &self.log, bundle, "somebody-else", now))
    }

    /// Somebody cancels a job at the console; it is honoured where that is possible.
    pub fn cancel_job(&self, id: &str) -> anyhow::Result<()> {
        self.change(|inner, _| {
            let user = inner.jobs.get(id).with_context(|| format!("there is no job {id}"))?.user.clone();
            let cancel = inner.jobs.cancel(id, &user, &inner.settings);
            cancel.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))
        })
    }

    /// Somebody makes a token for IBM at the console itself: nobody was asked over the network.
    pub fn new_token(&self) -> anyhow::Result<Token> {
        self.change(|inner, now| {
            let made = inner.tokens.create(now, &inner.settings);
            made.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))
        })
    }

    /// How often it went down so far.
    pub fn restarts(&self) -> u64 {
        self.at_now().0.life.restarts
    }

    /// Is the console down, for an upgrade or otherwise?
    pub fn is_down(&self) -> bool {
        let (inner, now) = self.at_now();
        inner.life.is_down(now)
    }

    /// Restarts of its own accord, and with whatever is under way.
    pub fn power_cycle(&self) {
        self.change(Inner::restart);
    }

    /// Goes down for good, until [`Hmc::come_back`].
    pub fn power_off(&self) {
        self.change(|inner, _| inner.power_off());
    }

    /// Comes up now, and what was under way has failed: the end of a restart that had none.
    pub fn come_back(&self) {
        self.change(Inner::come_back);
    }

    /// How many sessions are live. A client that logs off leaves none.
    pub fn live_sessions(&self) -> usize {
        let (mut inner, now) = self.at_now();
        let inner = &mut *inner;
        inner.sessions.count(now, &inner.settings)
    }

    /// The ids of the live sessions: what nobody but the client may ever see.
    pub fn session_ids(&self) -> Vec<String> {
        self.at_now().0.sessions.ids()
    }

    /// How many sessions were ever made: a client that logs on once per call shows here.
    pub fn logons(&self) -> u64 {
        self.at_now().0.sessions.made()
    }

    /// Ends all sessions now; how many there were.
    pub fn expire_all_sessions(&self) -> usize {
        self.change(|inner, _| inner.sessions.clear())
    }

    /// Whether the console is up.
    pub(super) fn power_now(&self) -> Power {
        let (inner, now) = self.at_now();
        inner.power(now)
    }

    /// Returns once the console is not what was seen.
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
                // Cannot fail: the sender is in this console.
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
        edit.apply(self)
    }
}
