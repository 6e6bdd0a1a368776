//! What a proof has to know of a vendor: how one upgrade there is asked for, and what its calls and targets are called.
//!
//! The matrix and the oracle are written once, over this; each vendor's world implements it.

use std::fmt::Debug;
use std::ops::DerefMut;

use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;

use super::cells::Effect;
use super::cells::Variant;
use super::story::Story;
use crate::ground::Ground;
use crate::sim::Entry;
use crate::sim::Log;
use crate::sim::faults::Faults;
use crate::sim::vcenter::CLUSTERS;
use crate::world::World;

/// A world in which one upgrade lives.
pub trait Life: DerefMut<Target = Ground> + Sized {
    /// The resource that asks for the upgrade.
    type Upgrade: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize;

    /// The effect that is the start.
    const START: &'static str;

    /// The effects around the start, which are harmed in every run of the tests.
    const HEART: [&'static str; 5] = [
        "PATCH Connection reserve",
        "POST receipt",
        Self::START,
        "PATCH receipt answer",
        "PATCH receipt end",
    ];

    /// A story of one upgrade. Nothing runs, and nothing is asked for yet.
    async fn story(name: &str) -> anyhow::Result<Story<Self>>;

    /// Asks for the upgrade, as `b`.
    async fn ask(story: &Story<Self>) -> anyhow::Result<()>;

    /// The simulator's log.
    fn log(&self) -> &Log;

    /// The simulator's faults.
    fn faults(&self) -> &Faults;

    /// What a call to the vendor is called, and the path by which the same call is found in another story.
    fn call(entry: &Entry) -> (String, String);

    /// What the simulator calls the targets of an upgrade.
    fn targets(upgrade: &Self::Upgrade) -> Vec<String>;

    /// Whether a request to start asked for this.
    fn asks(post: &Entry, target: &str, version: &str) -> bool;

    /// Whether an effect is harmed in every way at the large size.
    fn wholly(_: &Effect) -> bool {
        true
    }

    /// Whether an effect is harmed so in every run of the tests.
    fn chosen(effect: &Effect, variant: Variant) -> bool {
        effect.heart::<Self>() && (variant.dies() || effect.label != "PATCH receipt end")
    }
}

impl Life for World {
    type Upgrade = ClusterUpgradeBatch;

    const START: &'static str = "vendor POST upgradeMultiple";

    async fn story(name: &str) -> anyhow::Result<Story> {
        Story::new(name, 1).await
    }

    async fn ask(story: &Story) -> anyhow::Result<()> {
        story.apply(1).await
    }

    fn log(&self) -> &Log {
        self.vcenter.log()
    }

    fn faults(&self) -> &Faults {
        self.vcenter.faults()
    }

    fn call(entry: &Entry) -> (String, String) {
        let what = match entry.path.as_str() {
            CLUSTERS if entry.start => "upgradeMultiple",
            CLUSTERS => "clusters",
            path if path.starts_with(CLUSTERS) => "cluster",
            path => path.rsplit(['/', '-']).next().unwrap_or(path),
        };
        // Each story's cluster has a name of its own.
        let path = match entry.path.strip_prefix(CLUSTERS) {
            Some(rest) if !rest.is_empty() => format!("{CLUSTERS}/*"),
            _ => entry.path.clone(),
        };
        (what.to_owned(), path)
    }

    fn targets(batch: &ClusterUpgradeBatch) -> Vec<String> {
        batch.spec.clusters.iter().map(|c| c.cluster.clone()).collect()
    }

    fn asks(post: &Entry, target: &str, version: &str) -> bool {
        let asked = post.body.as_ref().map(|body| &body[target]["desired_version"]);
        asked.is_some_and(|asked| *asked == json!(version))
    }
}
