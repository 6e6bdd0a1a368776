//! All state of the simulated Central under one lock, and what a test may read of it and change.
//!
//! The decision to take a start, the orders that follow from it and its entry in the log of committed starts happen under that lock: no
//! answer, no fault and no second copy of a request can come between them. Devices are made when somebody first asks for them, and what is
//! due for them is made true when somebody looks at them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::super::lock;
use super::super::log::{Log, Start};
use super::account::Account;
use super::cancel::{self, Cancel};
use super::estate::{Estate, MSP, Place, customer};
use super::kind::{Kind, Shelves};
use super::oauth::Desk;
use super::quota::Quota;
use super::settings::Settings;
use super::token::{Pair, Tokens};
use super::unit::{Pace, Stage, Unit};
use super::upgrade::{self, Wanted};
use super::wire::Refusal;
use super::{Central, Config};

/// Whom a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Provider,
    /// By number.
    Customer(u16),
}

/// What somebody demands of all devices of a type. Nothing here makes it true: a story that wants that begins an upgrade elsewhere.
#[derive(Clone, Debug)]
pub struct Compliance {
    pub version: String,
    pub scheduled_at: i64,
}

/// What the lock guards.
pub(super) struct Inner {
    pub(super) estate: Estate,
    /// Those that somebody has asked for.
    fleets: BTreeMap<(u16, Kind), Vec<Unit>>,
    pub(super) shelves: Shelves,
    pub(super) pace: Pace,
    pub(super) accounts: Vec<Account>,
    pub(super) tokens: Tokens,
    pub(super) desk: Desk,
    /// By the customer whose tokens they are.
    pub(super) quotas: BTreeMap<String, Quota>,
    pub(super) cancels: Vec<Cancel>,
    pub(super) compliance: BTreeMap<(Whose, Kind), Compliance>,
    /// Customers that have left.
    gone: BTreeSet<u16>,
    /// How many lists were told that shift.
    pub(super) lists: usize,
    pub(super) settings: Settings,
}

impl Inner {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            estate: config.estate.clone(),
            fleets: BTreeMap::new(),
            shelves: Shelves::default(),
            pace: config.pace.clone(),
            accounts: config.accounts.clone(),
            tokens: Tokens::default(),
            desk: Desk::default(),
            quotas: BTreeMap::new(),
            cancels: Vec::new(),
            compliance: BTreeMap::new(),
            gone: BTreeSet::new(),
            lists: 0,
            settings: config.settings.clone(),
        }
    }

    /// The number of the customer with this id.
    pub(super) fn number(&self, id: &str) -> Result<u16, Refusal> {
        let number = self.estate.number(id).filter(|number| !self.gone.contains(number));
        number.ok_or_else(|| Refusal::no_customer(&self.settings))
    }

    /// The numbers of all customers.
    pub(super) fn customers(&self) -> Vec<u16> {
        (0..self.estate.customers).filter(|number| !self.gone.contains(number)).collect()
    }

    fn fleet(&mut self, number: u16, kind: Kind) -> &mut Vec<Unit> {
        let Self { fleets, estate, .. } = self;
        fleets.entry((number, kind)).or_insert_with(|| estate.units(kind))
    }

    /// A customer's units, as they are now.
    pub(super) fn units(&mut self, number: u16, kind: Kind, now: Timestamp) -> &mut Vec<Unit> {
        let units = self.fleet(number, kind);
        for unit in units.iter_mut() {
            unit.settle(now);
        }
        units
    }

    /// One unit, as it is now.
    pub(super) fn unit(&mut self, place: Place, now: Timestamp) -> Option<&mut Unit> {
        if place.customer >= self.estate.customers || self.gone.contains(&place.customer) {
            return None;
        }
        let index = usize::try_from(place.index).ok()?;
        let unit = self.fleet(place.customer, place.kind).get_mut(index)?;
        unit.settle(now);
        Some(unit)
    }

    /// The same, for whoever knows that there is one.
    fn known(&mut self, id: &str, now: Timestamp) -> anyhow::Result<&mut Unit> {
        let place = Place::parse(id).with_context(|| format!("{id} is no device's id"))?;
        self.unit(place, now).with_context(|| format!("there is no device {id}"))
    }

    fn quota(&mut self) -> &mut Quota {
        self.quotas.entry(MSP.to_owned()).or_default()
    }

    /// For people; counts, not rows.
    fn show(&mut self, now: Timestamp) -> Value {
        let touched: Vec<_> = self.fleets.keys().copied().collect();
        let fleets: Value = touched
            .into_iter()
            .map(|(number, kind)| self.show_fleet(number, kind, now))
            .collect();
        json!({
            "customers": self.customers().len(),
            "fleets": fleets,
            "firmware": Kind::ALL.map(|kind| json!({"device_type": kind, "shelf": self.shelves.of(kind)})),
            "pace": self.pace,
            "tokens": {
                "good": self.tokens.count(now), "issued": self.tokens.issued(), "refreshes": self.tokens.refreshes(),
                "reuses": self.tokens.reuses(), "logins": self.desk.made(),
            },
            "quotas": self.quotas,
            "cancels": self.cancels,
        })
    }

    fn show_fleet(&mut self, number: u16, kind: Kind, now: Timestamp) -> Value {
        let (mut versions, mut stages) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
        let units = self.units(number, kind, now);
        for unit in units.iter() {
            *versions.entry(unit.version.to_string()).or_default() += 1;
            let stage = json!(unit.stage(now)).as_str().unwrap_or_default().to_owned();
            *stages.entry(stage).or_default() += 1;
        }
        json!({"customer": customer(number), "device_type": kind, "devices": units.len(), "versions": versions, "stages": stages})
    }
}

/// What a refusal means to a test that asked for something in process.
fn told(refusal: &Refusal, settings: &Settings) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", refusal.status, refusal.body(settings))
}

impl Central {
    /// The state, and the time that it is now.
    pub(super) fn at_now(&self) -> (MutexGuard<'_, Inner>, Timestamp) {
        let inner = lock(&self.inner);
        let now = self.clock.now();
        (inner, now)
    }

    /// The ids of all customers.
    pub fn customers(&self) -> Vec<String> {
        self.at_now().0.customers().into_iter().map(customer).collect()
    }

    /// Changes toggles.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.at_now().0.settings);
    }

    /// Changes how upgrades go that are begun from now on.
    pub fn set_pace(&self, change: impl FnOnce(&mut Pace)) {
        change(&mut self.at_now().0.pace);
    }

    /// Changes the accounts: a rotated secret, one that is taken away. Their tokens stay, as long as the client is there.
    pub fn set_accounts(&self, accounts: Vec<Account>) {
        self.at_now().0.accounts = accounts;
    }

    /// Another version is recommended to a model from now on, or to all models of the type.
    pub fn recommend(&self, kind: Kind, model: Option<&str>, version: &str) -> anyhow::Result<()> {
        self.at_now().0.shelves.recommend(kind, model, version)
    }

    /// There are other versions from now on, oldest first.
    pub fn stock(&self, kind: Kind, versions: &[&str]) {
        let versions = versions.iter().map(|&version| version.to_owned()).collect();
        self.at_now().0.shelves.stock(kind, versions);
    }

    /// A customer leaves: no call knows of it any more. Its devices go on.
    pub fn remove_customer(&self, id: &str) -> anyhow::Result<()> {
        let (mut inner, _) = self.at_now();
        let number = inner.estate.number(id).with_context(|| format!("there is no customer {id}"))?;
        inner.gone.insert(number);
        Ok(())
    }

    /// It is back.
    pub fn return_customer(&self, id: &str) -> anyhow::Result<()> {
        let (mut inner, _) = self.at_now();
        let number = inner.estate.number(id).with_context(|| format!("there is no customer {id}"))?;
        inner.gone.remove(&number);
        Ok(())
    }

    /// A customer's units of this type as they are now, in the order of their numbers.
    pub fn units(&self, id: &str, kind: Kind) -> anyhow::Result<Vec<Unit>> {
        let (mut inner, now) = self.at_now();
        let number = inner.number(id).map_err(|refusal| told(&refusal, &inner.settings))?;
        Ok(inner.units(number, kind, now).clone())
    }

    /// How many of them are at this version.
    pub fn at_version(&self, id: &str, kind: Kind, version: &str) -> anyhow::Result<usize> {
        Ok(self.units(id, kind)?.iter().filter(|unit| *unit.version == *version).count())
    }

    /// How many of them are in this stage.
    pub fn in_stage(&self, id: &str, kind: Kind, stage: Stage) -> anyhow::Result<usize> {
        let now = self.clock.now();
        Ok(self.units(id, kind)?.iter().filter(|unit| unit.stage(now) == stage).count())
    }

    /// A device or a swarm, by its serial number or id.
    pub fn unit(&self, id: &str) -> anyhow::Result<Unit> {
        let (mut inner, now) = self.at_now();
        inner.known(id, now).cloned()
    }

    /// Changes a device or a swarm.
    pub fn edit_unit<T>(&self, id: &str, edit: impl FnOnce(&mut Unit, Timestamp) -> T) -> anyhow::Result<T> {
        let (mut inner, now) = self.at_now();
        Ok(edit(inner.known(id, now)?, now))
    }

    /// Changes each of a customer's units of this type, by its number.
    pub fn edit_units(&self, id: &str, kind: Kind, mut edit: impl FnMut(usize, &mut Unit, Timestamp)) -> anyhow::Result<()> {
        let (mut inner, now) = self.at_now();
        let number = inner.number(id).map_err(|refusal| told(&refusal, &inner.settings))?;
        let units = inner.units(number, kind, now).iter_mut().enumerate();
        units.for_each(|(index, unit)| edit(index, unit, now));
        Ok(())
    }

    /// A device goes offline, or comes back.
    pub fn set_online(&self, id: &str, online: bool) -> anyhow::Result<()> {
        self.edit_unit(id, |unit, now| unit.set_online(online, now))
    }

    /// Somebody reboots all of a customer's devices of this type that have downloaded an image and wait.
    pub fn reboot(&self, id: &str, kind: Kind) -> anyhow::Result<()> {
        self.edit_units(id, kind, |_, unit, now| unit.reboot(now))
    }

    /// Somebody else begins an upgrade: devices move, and no committed start is counted. How many devices were ordered to go.
    pub fn start_elsewhere(&self, id: &str, wanted: &Wanted) -> anyhow::Result<usize> {
        let (mut inner, now) = self.at_now();
        let begun = inner
            .number(id)
            .and_then(|number| upgrade::elsewhere(&mut inner, &self.log, number, wanted, now));
        begun.map_err(|refusal| told(&refusal, &inner.settings))
    }

    /// Somebody else cancels what is scheduled; how many devices had something to take back.
    pub fn cancel_elsewhere(&self, id: &str, kind: Kind) -> anyhow::Result<usize> {
        let (mut inner, now) = self.at_now();
        let cancelled = inner
            .number(id)
            .and_then(|number| cancel::take_back(&mut inner, number, kind, &[], "somebody else", now));
        cancelled.map_err(|refusal| told(&refusal, &inner.settings))
    }

    /// The cancels that were taken, by a call or elsewhere, oldest first.
    pub fn cancels(&self) -> Vec<Cancel> {
        self.at_now().0.cancels.clone()
    }

    /// Somebody demands a version of a customer's devices, or with no customer of all of the provider's; None takes it back.
    pub fn set_compliance(&self, id: Option<&str>, kind: Kind, compliance: Option<Compliance>) -> anyhow::Result<()> {
        let (mut inner, _) = self.at_now();
        let whose = match id {
            None => Whose::Provider,
            Some(id) => Whose::Customer(inner.number(id).map_err(|refusal| told(&refusal, &inner.settings))?),
        };
        match compliance {
            Some(compliance) => inner.compliance.insert((whose, kind), compliance),
            None => inner.compliance.remove(&(whose, kind)),
        };
        Ok(())
    }

    /// The committed starts of one customer and type, oldest first.
    pub fn starts(&self, id: &str, kind: Kind) -> Vec<Start> {
        self.log.starts(&upgrade::target(id, kind))
    }

    /// A new pair of tokens for a client, as the console of Central gives one to a user who asks for it there.
    pub fn issue(&self, client_id: &str) -> anyhow::Result<Pair> {
        let (mut inner, now) = self.at_now();
        let Inner {
            accounts,
            tokens,
            settings,
            ..
        } = &mut *inner;
        let account = accounts.iter().find(|account| account.client_id == client_id);
        Ok(tokens.issue(account.context("there is no such client")?, now, settings))
    }

    /// All tokens end now, as when a user takes them back: nothing but a login helps.
    pub fn revoke(&self) {
        let (mut inner, _) = self.at_now();
        inner.tokens.revoke();
        inner.desk.clear();
    }

    /// The newest access token of a client that is good: what nobody but the client may ever see.
    pub fn access_token(&self, client_id: &str) -> anyhow::Result<super::Secret> {
        let (inner, now) = self.at_now();
        inner.tokens.newest(client_id, now)
    }

    /// How many access tokens are good.
    pub fn live_tokens(&self) -> usize {
        let (inner, now) = self.at_now();
        inner.tokens.count(now)
    }

    /// How many pairs of tokens were ever made, by whatever way.
    pub fn issued(&self) -> usize {
        self.at_now().0.tokens.issued()
    }

    /// How many of them by a refresh.
    pub fn refreshes(&self) -> u64 {
        self.at_now().0.tokens.refreshes()
    }

    /// How often somebody used a refresh token that was dead: a client that stores what it is given before it uses it never does.
    pub fn reuses(&self) -> u64 {
        self.at_now().0.tokens.reuses()
    }

    /// How often somebody logged in with a password.
    pub fn logins(&self) -> u64 {
        self.at_now().0.desk.made()
    }

    /// All access tokens end now; how many there were. Refresh tokens stay good.
    pub fn expire_access_tokens(&self) -> usize {
        let (mut inner, now) = self.at_now();
        inner.tokens.expire(now)
    }

    /// Somebody else makes so many calls with the provider's account today.
    pub fn use_up(&self, calls: u64) {
        let (mut inner, now) = self.at_now();
        inner.quota().use_up(calls, now);
    }

    /// The provider's calls that were charged, by simulated day in GMT, somebody else's too.
    pub fn charged(&self) -> BTreeMap<Date, u64> {
        self.at_now().0.quota().days().clone()
    }

    /// The provider's calls that were charged today.
    pub fn charged_today(&self) -> u64 {
        let (mut inner, now) = self.at_now();
        inner.quota().today(now)
    }

    /// The provider's calls that were refused for the quota.
    pub fn over_quota(&self) -> u64 {
        self.at_now().0.quota().refused()
    }

    pub(super) fn state_json(&self) -> Value {
        let (mut inner, now) = self.at_now();
        inner.show(now)
    }

    pub(super) fn settings_json(&self) -> Value {
        json!(self.at_now().0.settings)
    }

    pub(super) fn change_settings_json(&self, change: Value) -> anyhow::Result<Value> {
        ensure!(change.is_object(), "settings are an object");
        let (mut inner, _) = self.at_now();
        let mut all = json!(inner.settings);
        if let (Value::Object(all), Value::Object(change)) = (&mut all, change) {
            all.extend(change);
        }
        inner.settings = serde_json::from_value(all)?;
        Ok(json!(inner.settings))
    }
}
