//! Simulated vCenters, their Connections, and batches of one cluster each.

use std::collections::HashSet;

use futures::StreamExt as _;
use kube::Api;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::PostParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;

use crate::sim::Config;
use crate::sim::Running;
use crate::sim::VCenter;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::VERSION_NEW;
use crate::stage;
use crate::stage::Stage;

/// Upgrades through one Connection at once: as many as there may be.
const AT_ONCE: u32 = 1000;

/// A vCenter with so many clusters, whose upgrades take so many seconds, and a Connection of this name to it.
pub async fn connected(
    client: &Client,
    namespace: &str,
    name: &str,
    clusters: usize,
    upgrade_secs: u64,
) -> anyhow::Result<Running<VCenter>> {
    let config = Config::with_clusters(clusters).each_cluster(|cluster| cluster.upgrade_secs = upgrade_secs);
    let vcenter = VCenter::start(config).await?;
    stage::secret(client, namespace, name, json!({"username": USER, "password": PASSWORD})).await?;
    let spec = json!({
        "type": "VCenter", "url": vcenter.url(), "caBundlePEM": vcenter.ca_pem(), "credentialsSecretRef": {"name": name},
        "limits": {"maxConcurrentUpgrades": AT_ONCE},
    });
    stage::connection(client, namespace, name, spec).await?;
    Ok(vcenter)
}

/// The cluster with this number, from 1.
pub fn cluster(number: usize) -> String {
    format!("domain-c{number}")
}

/// A batch of one cluster.
pub fn batch(name: &str, connection: &str, cluster: &str) -> anyhow::Result<ClusterUpgradeBatch> {
    let spec = json!({"connectionRef": {"name": connection}, "desiredVersion": VERSION_NEW, "clusters": [{"cluster": cluster}]});
    Ok(ClusterUpgradeBatch::new(name, serde_json::from_value(spec)?))
}

/// Batches of a namespace.
pub fn batches(stage: &Stage, namespace: &str) -> Api<ClusterUpgradeBatch> {
    Api::namespaced(stage.client.clone(), namespace)
}

/// Creates a batch.
pub async fn create(api: &Api<ClusterUpgradeBatch>, batch: &ClusterUpgradeBatch) -> anyhow::Result<()> {
    api.create(&PostParams::default(), batch).await?;
    Ok(())
}

/// Waits until so many batches are at SUCCESS.
pub async fn succeeded(api: Api<ClusterUpgradeBatch>, many: usize) -> anyhow::Result<()> {
    let mut done = HashSet::new();
    let mut events = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
    while done.len() < many {
        let batch = events.next().await.transpose()?;
        let batch = batch.ok_or_else(|| anyhow::anyhow!("the watch of batches ended"))?;
        let state = batch.status.as_ref().and_then(|s| s.state.as_deref()).unwrap_or_default();
        anyhow::ensure!(
            !matches!(state, "REJECTED" | "FAILED" | "CANCELLED"),
            "{} ended {state}: {:?}",
            batch.name_any(),
            batch.status
        );
        if state == "SUCCESS" {
            done.insert(batch.name_any());
        }
    }
    Ok(())
}
