//! What the API server tells over watches: the batch, the appliance's updates, the firmware upgrades of the console and of Central's customers, Connections, receipts, and every state that was ever shown.
//!
//! Made by [`stage`](super::stage). Nothing polls: each change arrives as an event, is remembered here and drawn at once, so a state
//! that lasted for a moment only is not missed. It may write nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::Api;
use kube::Client;
use kube::ResourceExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use tokio::sync::watch;
use tokio::task::JoinSet;
use windlass::api::ApplianceUpdate;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::Connection;
use windlass::api::FirmwareUpgrade;
use windlass::api::UpgradeReceipt;

use crate::screen::Screen;
use crate::tables;

/// The namespace of the vCenter's manifests.
pub const NAMESPACE: &str = "vsphere";
/// The namespace of the appliance's.
pub const DR: &str = "dr";
/// The namespace of the console's.
pub const MAINFRAME: &str = "mainframe";
/// The namespace of Central's.
pub const NETOPS: &str = "netops";

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The batch as it is.
    pub batch: Option<ClusterUpgradeBatch>,
    /// The vCenter's Connection as it is.
    pub connection: Option<Connection>,
    /// The appliance's updates by name.
    pub updates: BTreeMap<String, ApplianceUpdate>,
    /// The upgrades of the console and of customers' devices by name.
    pub firmware: BTreeMap<String, FirmwareUpgrade>,
    /// All receipts by name.
    pub receipts: BTreeMap<String, UpgradeReceipt>,
    /// Every state that the batch was ever in, with the reason of Ready.
    pub batch_states: BTreeSet<(String, String)>,
    /// Every state that a row of it was ever in.
    pub row_states: BTreeSet<String>,
    /// Every state that an update of the appliance was ever in, with the reason.
    pub update_states: BTreeSet<(String, String, String)>,
    /// The same of those upgrades.
    pub firmware_states: BTreeSet<(String, String, String)>,
}

impl Seen {
    /// The batch's state and the reason of its Ready condition, if they belong to its newest generation.
    pub fn batch(&self) -> (&str, &str) {
        self.batch
            .as_ref()
            .filter(|b| b.metadata.generation.is_some() && b.status.as_ref().and_then(|s| s.observed_generation) == b.metadata.generation)
            .map_or(("", ""), state_and_reason)
    }

    /// A row's state.
    pub fn row(&self, cluster: &str) -> &str {
        let rows = self.batch.iter().flat_map(|b| &b.status).flat_map(|s| &s.targets);
        let mut found = rows.filter(|r| r.name == cluster).filter_map(|r| r.state.as_deref());
        found.next().unwrap_or_default()
    }

    /// The state of an update of the appliance.
    pub fn update(&self, name: &str) -> &str {
        let status = self.updates.get(name).and_then(|u| u.status.as_ref());
        status.and_then(|s| s.state.as_deref()).unwrap_or_default()
    }

    /// Whether an update of the appliance was ever in this state, or in this state for this reason.
    pub fn update_was(&self, name: &str, state: &str, reason: Option<&str>) -> bool {
        let mut states = self.update_states.iter();
        states.any(|(n, s, r)| (n.as_str(), s.as_str()) == (name, state) && reason.is_none_or(|reason| reason == r))
    }

    /// The state of an upgrade of the console, or of a customer's devices.
    pub fn firmware_state(&self, name: &str) -> &str {
        let status = self.firmware.get(name).and_then(|u| u.status.as_ref());
        status.and_then(|s| s.state.as_deref()).unwrap_or_default()
    }

    /// What such an upgrade says.
    pub fn firmware_message(&self, name: &str) -> &str {
        let status = self.firmware.get(name).and_then(|u| u.status.as_ref());
        status.and_then(|s| s.message.as_deref()).unwrap_or_default()
    }

    /// Whether such an upgrade was ever in this state, or in this state for this reason.
    pub fn firmware_was(&self, name: &str, state: &str, reason: Option<&str>) -> bool {
        let mut states = self.firmware_states.iter();
        states.any(|(n, s, r)| (n.as_str(), s.as_str()) == (name, state) && reason.is_none_or(|reason| reason == r))
    }

    /// Whether the vCenter's Connection can be used.
    pub fn connected(&self) -> bool {
        let conditions = self.connection.iter().flat_map(|c| &c.status).flat_map(|s| &s.conditions);
        conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
    }

    /// The receipts of a cluster, oldest first.
    pub fn receipts_of(&self, cluster: &str) -> impl Iterator<Item = &UpgradeReceipt> {
        self.receipts.values().filter(move |r| tables::object(r) == cluster)
    }

    /// How the last receipt of a cluster ended.
    pub fn last_end(&self, cluster: &str) -> &str {
        let end = self.receipts_of(cluster).last().and_then(|r| r.status.as_ref()?.end.as_ref());
        end.map_or("", |e| e.kind.as_str())
    }

    fn take(&mut self, event: Change) {
        match event {
            Change::Batch(batch) => {
                if let Some(status) = batch.as_ref().and_then(|b| b.status.as_ref()) {
                    self.row_states.extend(status.targets.iter().filter_map(|r| r.state.clone()));
                }
                let (state, reason) = batch.as_deref().map_or(("", ""), state_and_reason);
                if !state.is_empty() {
                    self.batch_states.insert((state.to_owned(), reason.to_owned()));
                }
                self.batch = batch.map(|b| *b);
            }
            Change::Update(update) => {
                let status = update.status.clone().unwrap_or_default();
                let reason = status.targets.first().and_then(|row| row.reason.clone()).unwrap_or_default();
                if let Some(state) = status.state {
                    self.update_states.insert((update.name_any(), state, reason));
                }
                self.updates.insert(update.name_any(), *update);
            }
            Change::Firmware(upgrade) => {
                let status = upgrade.status.clone().unwrap_or_default();
                let reason = status.targets.first().and_then(|row| row.reason.clone()).unwrap_or_default();
                if let Some(state) = status.state {
                    self.firmware_states.insert((upgrade.name_any(), state, reason));
                }
                self.firmware.insert(upgrade.name_any(), *upgrade);
            }
            Change::Connection(connection) => self.connection = connection.map(|c| *c),
            Change::Receipt(receipt) => {
                self.receipts.insert(receipt.name_any(), *receipt);
            }
        }
    }
}

fn state_and_reason(batch: &ClusterUpgradeBatch) -> (&str, &str) {
    let Some(status) = &batch.status else { return ("", "") };
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready");
    (status.state.as_deref().unwrap_or_default(), ready.map_or("", |c| c.reason.as_str()))
}

enum Change {
    Batch(Option<Box<ClusterUpgradeBatch>>),
    Connection(Option<Box<Connection>>),
    Update(Box<ApplianceUpdate>),
    Firmware(Box<FirmwareUpgrade>),
    Receipt(Box<UpgradeReceipt>),
}

/// The watches. Dropping it ends them.
pub struct Watches {
    seen: watch::Receiver<Seen>,
    _task: JoinSet<()>,
}

impl Watches {
    /// Begins to watch, and to show the table on `screen`.
    pub fn start(client: &Client, screen: Arc<Screen>) -> Watches {
        let (sender, seen) = watch::channel(Seen::default());
        let mut changes = futures::stream::select_all([
            batches(Api::namespaced(client.clone(), NAMESPACE)),
            connections(Api::namespaced(client.clone(), NAMESPACE)),
            updates(Api::namespaced(client.clone(), DR)),
            firmware(Api::namespaced(client.clone(), MAINFRAME)),
            firmware(Api::namespaced(client.clone(), NETOPS)),
            receipts(Api::all(client.clone())),
        ]);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Some(change) = changes.next().await {
                // Shown before anybody can act on it, so that what is said about it comes after it.
                let mut next = sender.borrow().clone();
                next.take(change);
                screen.show(tables::upgrades(&next));
                sender.send_replace(next);
            }
        });
        Watches { seen, _task: task }
    }

    /// Returns once `so` holds.
    pub async fn until(&self, so: impl FnMut(&Seen) -> bool) -> anyhow::Result<()> {
        self.seen.clone().wait_for(so).await?;
        Ok(())
    }

    /// What was seen so far.
    pub fn now(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

/// Broken watches begin again by themselves; that is not worth a word.
fn batches(api: Api<ClusterUpgradeBatch>) -> BoxStream<'static, Change> {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let change = async |event| match event {
        Ok(Event::Apply(batch) | Event::InitApply(batch)) => Some(Change::Batch(Some(Box::new(batch)))),
        Ok(Event::Delete(_)) => Some(Change::Batch(None)),
        _ => None,
    };
    events.filter_map(change).boxed()
}

fn connections(api: Api<Connection>) -> BoxStream<'static, Change> {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let change = async |event| match event {
        Ok(Event::Apply(connection) | Event::InitApply(connection)) => Some(Change::Connection(Some(Box::new(connection)))),
        Ok(Event::Delete(_)) => Some(Change::Connection(None)),
        _ => None,
    };
    events.filter_map(change).boxed()
}

fn updates(api: Api<ApplianceUpdate>) -> BoxStream<'static, Change> {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let change = async |event| match event {
        Ok(Event::Apply(update) | Event::InitApply(update)) => Some(Change::Update(Box::new(update))),
        _ => None,
    };
    events.filter_map(change).boxed()
}

fn firmware(api: Api<FirmwareUpgrade>) -> BoxStream<'static, Change> {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let change = async |event| match event {
        Ok(Event::Apply(upgrade) | Event::InitApply(upgrade)) => Some(Change::Firmware(Box::new(upgrade))),
        _ => None,
    };
    events.filter_map(change).boxed()
}

fn receipts(api: Api<UpgradeReceipt>) -> BoxStream<'static, Change> {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let change = async |event| match event {
        Ok(Event::Apply(receipt) | Event::InitApply(receipt)) => Some(Change::Receipt(Box::new(receipt))),
        _ => None,
    };
    events.filter_map(change).boxed()
}
