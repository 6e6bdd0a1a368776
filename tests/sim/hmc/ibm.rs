//! IBM's side of remote firmware updates: who holds a token schedules, moves and withdraws them, and no call of the customer's API can.
//!
//! Called by tests and by the control API. A method that names an update by its id is an error where there is none, for a story that
//! speaks of it is wrong. What runs by itself when its time comes is in `state`.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;

use super::super::clock::after;
use super::Hmc;
use super::life::Event;
use super::state::Inner;
use super::update::{Stage, Update};

/// The service representative.
pub struct Ibm<'a>(pub(super) &'a Hmc);

impl Ibm<'_> {
    /// Schedules an update to `bundle`, to begin in so much simulated time, with an execution window of so many minutes. Refused unless
    /// the token is one of this console's that has not expired [C]. The update's id.
    pub fn schedule(&self, token: &str, bundle: &str, wait: Duration, window_mins: u64) -> anyhow::Result<String> {
        self.0.change(|inner, now| {
            let token = inner.tokens.good(token, now).context("no such token, or it has expired")?;
            token.used = true;
            let update = Update::new(bundle, now, after(now, wait.as_secs()), window_mins);
            let id = update.id.clone();
            inner.life.put(update.due, Event::Due(id.clone()));
            inner.updates.push(update);
            Ok(id)
        })
    }

    /// The same, with the newest token that is good.
    pub fn schedule_with_newest(&self, bundle: &str, wait: Duration, window_mins: u64) -> anyhow::Result<String> {
        let now = self.0.clock.now();
        let newest = self.0.tokens().into_iter().rfind(|token| !token.expired(now));
        let token = newest.context("no token that is good")?;
        self.schedule(&token.value, bundle, wait, window_mins)
    }

    /// Gives it another time.
    pub fn reschedule(&self, id: &str, wait: Duration) -> anyhow::Result<()> {
        self.0.change(|inner, now| {
            let update = waiting(inner, id)?;
            update.due = after(now, wait.as_secs());
            let due = update.due;
            inner.life.put(due, Event::Due(id.to_owned()));
            Ok(())
        })
    }

    /// It is no more, though it has not begun.
    pub fn withdraw(&self, id: &str) -> anyhow::Result<()> {
        self.0.change(|inner, _| {
            waiting(inner, id)?;
            inner.updates.retain(|update| update.id != id);
            Ok(())
        })
    }

    /// The peer has it now: it is `scheduled-on-peer`, and does not run here.
    pub fn move_to_peer(&self, id: &str) -> anyhow::Result<()> {
        self.0.change(|inner, _| {
            waiting(inner, id)?.stage = Stage::OnPeer;
            Ok(())
        })
    }

    /// This console has it again. If its time has passed, it begins now.
    pub fn move_back(&self, id: &str) -> anyhow::Result<()> {
        self.0.change(|inner, now| {
            let update = waiting(inner, id)?;
            update.stage = Stage::Scheduled;
            let due = update.due.max(now);
            inner.life.put(due, Event::Due(id.to_owned()));
            Ok(())
        })
    }

    /// Its state is told with this word, whatever it is; what it does stays the same. `None` tells it as it is again.
    pub fn show_as(&self, id: &str, word: Option<&str>) -> anyhow::Result<()> {
        self.0.change(|inner, _| {
            find(inner, id)?.shown_as = word.map(str::to_owned);
            Ok(())
        })
    }

    /// It begins now, before its time.
    pub fn run_now(&self, id: &str) -> anyhow::Result<()> {
        self.reschedule(id, Duration::ZERO)
    }

    /// All updates that the console knows of, oldest first.
    pub fn updates(&self) -> Vec<Update> {
        self.0.at_now().0.updates.clone()
    }

    /// One of them.
    pub fn update(&self, id: &str) -> Option<Update> {
        self.updates().into_iter().find(|update| update.id == id)
    }
}

fn find<'a>(inner: &'a mut Inner, id: &str) -> anyhow::Result<&'a mut Update> {
    let found = inner.updates.iter_mut().find(|update| update.id == id);
    found.with_context(|| format!("there is no update {id}"))
}

fn waiting<'a>(inner: &'a mut Inner, id: &str) -> anyhow::Result<&'a mut Update> {
    let update = find(inner, id)?;
    ensure!(update.waits(), "update {id} has begun: {:?}", update.stage);
    Ok(update)
}

impl Inner {
    /// The time of an update has come, or it has waited for the console to be free.
    pub(super) fn update_due(&mut self, id: &str, at: Timestamp) {
        const LOOKS_AGAIN_SECS: u64 = 60;
        let Some(index) = self.updates.iter().position(|update| update.id == id) else {
            return;
        };
        let update = &self.updates[index];
        if update.stage != Stage::Scheduled || at < update.due {
            return;
        }
        let (bundle, closes) = (update.bundle.clone(), update.closes());
        if !self.console.busy && self.life.run.is_none() && !self.life.is_down(at) {
            self.begin_update(id, &bundle, at);
        } else if at < closes {
            let again = after(at, LOOKS_AGAIN_SECS).min(closes);
            self.life.put(again, Event::Due(id.to_owned()));
        } else {
            self.end_update(id, false, at);
        }
    }

    fn begin_update(&mut self, id: &str, bundle: &str, at: Timestamp) {
        let expected = self.begin(bundle, super::life::By::Update(id.to_owned()), at);
        if let Some(update) = self.updates.iter_mut().find(|update| update.id == id) {
            update.stage = Stage::Running { from: at, expected };
        }
        self.log.note_elsewhere(super::super::log::Start {
            target: super::TARGET.to_owned(),
            version: bundle.to_owned(),
            options: serde_json::json!({"update": id}),
            user_agent: "IBM".to_owned(),
            at,
            request: 0,
        });
    }

    /// An update has ended, and is still listed or not.
    pub(super) fn end_update(&mut self, id: &str, well: bool, at: Timestamp) {
        if !self.settings.ended_updates_listed {
            self.updates.retain(|update| update.id != id);
        }
        if let Some(update) = self.updates.iter_mut().find(|update| update.id == id) {
            let reached = if well { 100 } else { update.percent(at) };
            update.stage = Stage::Ended { well, reached };
        }
    }
}
