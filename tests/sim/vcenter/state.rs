//! All state of the simulated vCenter under one lock, and what a test may read and change of it.
//!
//! The decision to take a start, the state that follows from it and its entry in the log of committed starts happen under that lock:
//! no answer, no fault and no second copy of a request can come between them.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::lock;
use super::cluster::{Cluster, State};
use super::session::{Sessions, User};
use super::settings::Settings;
use super::wire::{Note, Severity};
use super::{Config, VCenter};

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Inner {
    /// In the order of the configuration, which is that of the list.
    pub(super) clusters: Vec<Cluster>,
    pub(super) users: Vec<User>,
    pub(super) sessions: Sessions,
    pub(super) settings: Settings,
}

impl Inner {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            clusters: config.clusters.clone(),
            users: config.users.clone(),
            sessions: Sessions::default(),
            settings: config.settings.clone(),
        }
    }

    pub(super) fn settle(&mut self, now: Timestamp) {
        for cluster in &mut self.clusters {
            cluster.settle(now);
        }
    }

    pub(super) fn cluster(&mut self, id: &str) -> Option<&mut Cluster> {
        self.clusters.iter_mut().find(|cluster| cluster.id == id)
    }
}

/// Changes of one cluster over the control API; fields that are not given stay.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Edit {
    name: Option<String>,
    current_version: Option<String>,
    available_versions: Option<Vec<String>>,
    nodes: Option<u32>,
    upgrade_secs: Option<u64>,
    supervisor: Option<bool>,
    prechecks: Option<Vec<Note>>,
    messages: Option<Vec<Note>>,
    last_upgraded_date: Option<Timestamp>,
    fail_after_nodes: Option<u32>,
    /// Later upgrades do not fail any more.
    never_fail: bool,
    /// READY ends an upgrade and an ERROR; ERROR ends an upgrade.
    state: Option<State>,
    /// Somebody else begins an upgrade to this version: no committed start.
    begin: Option<String>,
    /// The cluster goes away.
    remove: bool,
}

impl Edit {
    fn apply(self, cluster: &mut Cluster, now: Timestamp) {
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        put(&mut cluster.name, self.name);
        put(&mut cluster.current_version, self.current_version);
        put(&mut cluster.available_versions, self.available_versions);
        put(&mut cluster.nodes, self.nodes);
        put(&mut cluster.upgrade_secs, self.upgrade_secs);
        put(&mut cluster.supervisor, self.supervisor);
        put(&mut cluster.prechecks, self.prechecks);
        put(&mut cluster.messages, self.messages);
        put(&mut cluster.last_upgraded, self.last_upgraded_date.map(Some));
        put(&mut cluster.fail_after_nodes, self.fail_after_nodes.map(Some));
        if self.never_fail {
            cluster.fail_after_nodes = None;
        }
        match self.state {
            Some(State::Ready) => (cluster.run, cluster.failure) = (None, None),
            Some(State::Error) => {
                let desired = cluster.run.as_ref().map(|run| run.desired_version.clone());
                cluster.fail(desired, vec![Note::new(Severity::Error, "The cluster is in a bad state.")]);
            }
            Some(State::Pending) | None => {}
        }
        if let Some(version) = self.begin {
            cluster.begin(&version, now, 0);
        }
    }
}

impl VCenter {
    /// One cluster as it is now.
    pub fn cluster(&self, id: &str) -> Option<Cluster> {
        let mut inner = lock(&self.inner);
        inner.settle(self.clock.now());
        inner.cluster(id).cloned()
    }

    /// What state a cluster shows now.
    pub fn cluster_state(&self, id: &str) -> Option<State> {
        let now = self.clock.now();
        self.cluster(id).map(|cluster| cluster.state(now))
    }

    /// Changes a cluster, or gives None if there is none of that id.
    pub fn edit_cluster<T>(&self, id: &str, edit: impl FnOnce(&mut Cluster) -> T) -> Option<T> {
        let mut inner = lock(&self.inner);
        inner.settle(self.clock.now());
        inner.cluster(id).map(edit)
    }

    /// Adds a cluster, or replaces the one of that id.
    pub fn put_cluster(&self, cluster: Cluster) {
        let mut inner = lock(&self.inner);
        match inner.cluster(&cluster.id) {
            Some(place) => *place = cluster,
            None => inner.clusters.push(cluster),
        }
    }

    /// Takes a cluster away.
    pub fn remove_cluster(&self, id: &str) {
        lock(&self.inner).clusters.retain(|cluster| cluster.id != id);
    }

    /// Somebody else begins an upgrade: the cluster moves, and no committed start is counted.
    pub fn begin_elsewhere(&self, id: &str, version: &str) {
        let now = self.clock.now();
        self.edit_cluster(id, |cluster| cluster.begin(version, now, 0));
    }

    /// Changes toggles.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.inner).settings);
    }

    /// Changes the users: a rotated password, a privilege taken away. Their sessions stay.
    pub fn set_users(&self, users: Vec<User>) {
        lock(&self.inner).users = users;
    }

    /// How many sessions are live. A client that logs out leaves none.
    pub fn live_sessions(&self) -> usize {
        let inner = &mut *lock(&self.inner);
        inner.sessions.count(self.clock.now(), &inner.settings)
    }

    /// The tokens of the live sessions: what nobody but the client may ever see.
    pub fn session_tokens(&self) -> Vec<String> {
        lock(&self.inner).sessions.tokens()
    }

    /// How many sessions were ever made: a client that logs in once per call shows here.
    pub fn logins(&self) -> u64 {
        self.logins.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Ends all sessions now; how many there were.
    pub fn expire_all_sessions(&self) -> usize {
        lock(&self.inner).sessions.clear()
    }

    pub(super) fn show(&self) -> Value {
        let now = self.clock.now();
        let inner = &mut *lock(&self.inner);
        inner.settle(now);
        let sessions = inner.sessions.count(now, &inner.settings);
        let clusters: BTreeMap<_, _> = inner
            .clusters
            .iter()
            .map(|cluster| (&cluster.id, json!({"shows": cluster.state(now), "cluster": cluster})))
            .collect();
        json!({"sessions": sessions, "logins": self.logins(), "clusters": clusters})
    }

    pub(super) fn edit_json(&self, id: &str, edit: Value) -> anyhow::Result<Value> {
        let edit: Edit = serde_json::from_value(edit)?;
        let now = self.clock.now();
        let inner = &mut *lock(&self.inner);
        inner.settle(now);
        if edit.remove {
            inner.clusters.retain(|cluster| cluster.id != id);
            return Ok(Value::Null);
        }
        if inner.cluster(id).is_none() {
            let current = edit
                .current_version
                .as_deref()
                .context("no such cluster; with a current_version it would be made")?;
            inner.clusters.push(Cluster::new(id, current, &[]));
        }
        let cluster = inner.cluster(id).context("no such cluster")?;
        edit.apply(cluster, now);
        Ok(json!({"shows": cluster.state(now), "cluster": cluster}))
    }

    pub(super) fn settings_json(&self) -> Value {
        json!(lock(&self.inner).settings)
    }

    pub(super) fn change_settings_json(&self, change: Value) -> anyhow::Result<Value> {
        let mut inner = lock(&self.inner);
        let mut all = json!(inner.settings);
        ensure!(change.is_object(), "settings are an object");
        if let (Value::Object(all), Value::Object(change)) = (&mut all, change) {
            all.extend(change);
        }
        inner.settings = serde_json::from_value(all)?;
        Ok(json!(inner.settings))
    }
}
