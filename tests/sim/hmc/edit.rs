//! Changes of the console over the control API, IBM's orders among them; fields that are not given stay.
//!
//! It offers what the handles in process offer (see `state` and `ibm`), in JSON and for people.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Hmc;
use super::console::{Console, Ends};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent orders, each named in the control API")]
pub(super) struct Edit {
    name: Option<String>,
    version: Option<String>,
    bundle: Option<String>,
    on_offer: Option<Vec<String>>,
    busy: Option<bool>,
    backup_secs: Option<u64>,
    install_secs: Option<u64>,
    down_secs: Option<u64>,
    slow_secs: Option<u64>,
    finish_secs: Option<u64>,
    ends: Option<Ends>,
    /// IBM schedules an update.
    schedule: Option<Schedule>,
    /// IBM takes an update back, by its id.
    withdraw: Option<String>,
    /// The peer gets an update, by its id.
    move_to_peer: Option<String>,
    /// This console gets it back.
    move_back: Option<String>,
    /// An update begins before its time.
    run_now: Option<String>,
    /// An update's state is told with another word.
    show_as: Option<ShowAs>,
    /// Somebody else begins a single step install of this bundle: no committed start.
    begin: Option<String>,
    /// All jobs are forgotten.
    lose_jobs: bool,
    /// It restarts now.
    power_cycle: bool,
    /// It goes down for good.
    power_off: bool,
    /// It comes up now, and what was under way has failed.
    come_back: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedule {
    /// Without one, the newest that is good.
    token: Option<String>,
    bundle: String,
    #[serde(default)]
    in_secs: u64,
    #[serde(default)]
    window_mins: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowAs {
    id: String,
    state: Option<String>,
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Edit {
    pub(super) fn apply(mut self, hmc: &Hmc) -> anyhow::Result<Value> {
        hmc.edit_console(|console| self.console(console));
        let mut answer = json!({});
        self.ibm(hmc, &mut answer)?;
        if let Some(bundle) = &self.begin {
            answer["job"] = json!(hmc.begin_elsewhere(bundle));
        }
        if self.lose_jobs {
            hmc.lose_jobs();
        }
        if self.power_cycle {
            hmc.power_cycle();
        }
        if self.power_off {
            hmc.power_off();
        }
        if self.come_back {
            hmc.come_back();
        }
        answer["console"] = json!(hmc.console());
        Ok(answer)
    }

    fn ibm(&self, hmc: &Hmc, answer: &mut Value) -> anyhow::Result<()> {
        let ibm = hmc.ibm();
        if let Some(Schedule {
            token,
            bundle,
            in_secs,
            window_mins,
        }) = &self.schedule
        {
            let wait = Duration::from_secs(*in_secs);
            answer["update"] = json!(match token {
                Some(token) => ibm.schedule(token, bundle, wait, *window_mins)?,
                None => ibm.schedule_with_newest(bundle, wait, *window_mins)?,
            });
        }
        if let Some(id) = &self.withdraw {
            ibm.withdraw(id)?;
        }
        if let Some(id) = &self.move_to_peer {
            ibm.move_to_peer(id)?;
        }
        if let Some(id) = &self.move_back {
            ibm.move_back(id)?;
        }
        if let Some(id) = &self.run_now {
            ibm.run_now(id)?;
        }
        if let Some(ShowAs { id, state }) = &self.show_as {
            ibm.show_as(id, state.as_deref())?;
        }
        Ok(())
    }

    fn console(&mut self, console: &mut Console) {
        put(&mut console.name, self.name.take());
        put(&mut console.version, self.version.take());
        if let Some(bundle) = self.bundle.take() {
            console.bundle = Some(bundle);
        }
        put(&mut console.on_offer, self.on_offer.take());
        put(&mut console.busy, self.busy);
        put(&mut console.backup_secs, self.backup_secs);
        put(&mut console.install_secs, self.install_secs);
        put(&mut console.down_secs, self.down_secs);
        put(&mut console.slow_secs, self.slow_secs);
        put(&mut console.finish_secs, self.finish_secs);
        put(&mut console.ends, self.ends.take());
    }
}
