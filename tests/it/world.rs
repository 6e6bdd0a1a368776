//! The world of one story: a namespace, a simulated vCenter, and the real operator binary under exactly the chart's RBAC.
//!
//! Every story has an operator of its own that serves its namespace only, so stories run in parallel. What a story may trust is the
//! simulator's own log of committed starts, never a status.

use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;

use anyhow::Context as _;
use kube::Api;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::Connection;

pub use crate::ground::Ground;
pub use crate::ground::Operator;
pub use crate::ground::PATIENCE;
pub use crate::ground::Status;
use crate::ground::patiently;
use crate::sim::Running;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VCenter;

/// One story's world.
pub struct World {
    /// Its namespace, and how its operators run.
    pub ground: Ground,
    /// This story's vCenter.
    pub vcenter: Arc<Running<VCenter>>,
}

impl Deref for World {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl World {
    /// A namespace and a vCenter; no operator runs yet.
    pub async fn new(story: &str, config: Config) -> anyhow::Result<World> {
        Ok(World {
            ground: Ground::new(story).await?,
            vcenter: Arc::new(VCenter::start(config).await?),
        })
    }

    /// The same, with a Connection `vc` and an operator.
    pub async fn ready(story: &str, config: Config) -> anyhow::Result<(World, Operator)> {
        let world = World::new(story, config).await?;
        world.connect("vc").await?;
        let operator = world.operator().await?;
        Ok((world, operator))
    }

    /// Applies a Secret and a Connection to this story's vCenter.
    pub async fn connect(&self, name: &str) -> anyhow::Result<()> {
        self.secret(name, vcenter::USER, vcenter::PASSWORD).await?;
        self.apply(&self.connection(name)).await
    }

    /// A Connection to this story's vCenter.
    pub fn connection(&self, name: &str) -> Value {
        json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "type": "VCenter", "url": self.vcenter.url(), "caBundlePEM": self.vcenter.ca_pem(),
                "credentialsSecretRef": {"name": name},
            },
        })
    }

    /// Applies a batch through Connection `vc`. `spec` is merged over `{connectionRef}`.
    pub async fn batch(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let mut batch = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"connectionRef": {"name": "vc"}},
        });
        if let (Value::Object(base), Value::Object(more)) = (&mut batch["spec"], spec) {
            base.extend(more);
        }
        self.apply(&batch).await
    }

    /// Patches a batch's spec.
    pub async fn edit(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        self.edit_spec::<ClusterUpgradeBatch>(name, spec).await
    }

    /// Sets or, with `None`, removes the hold annotation of a batch.
    pub async fn hold(&self, name: &str, why: Option<&str>) -> anyhow::Result<()> {
        let patch = json!({"metadata": {"annotations": {"windlass.dev/hold": why}}});
        self.batches().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Batches of this namespace.
    pub fn batches(&self) -> Api<ClusterUpgradeBatch> {
        self.api()
    }

    /// Waits until a batch's status is so, and returns it.
    pub async fn until(&self, name: &str, what: &str, so: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let came = self.until_of::<ClusterUpgradeBatch>(name, so).await;
        came.map_err(|n| {
            n.error
                .context(self.report(&format!("batch {name} never came to: {what}; last: {:#}", n.last)))
        })
    }

    /// Waits until the batch's state is so.
    pub async fn state(&self, name: &str, state: &str) -> anyhow::Result<Status> {
        self.until(name, state, |s| s.state() == state).await
    }

    /// Waits until the batch's state and the reason of its Ready condition are so.
    pub async fn reason(&self, name: &str, state: &str, reason: &str) -> anyhow::Result<Status> {
        self.until(name, &format!("{state}/{reason}"), |s| s.state() == state && s.reason() == reason)
            .await
    }

    /// Waits until a Connection's Ready condition has this reason, and returns its message.
    pub async fn connected(&self, name: &str, reason: &str) -> anyhow::Result<String> {
        let came = self.until_of::<Connection>(name, |s| s.reason() == reason).await;
        let came = came.map_err(|n| {
            let what = format!("Connection {name} never came to {reason}; last: {:#}", n.last);
            n.error.context(self.report(&what))
        });
        Ok(came?.condition("Ready", "message"))
    }

    /// Waits until `probe` gives something.
    pub async fn wait<T>(&self, mut probe: impl AsyncFnMut(&World) -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
        patiently(async || probe(self).await).await
    }

    /// Lets the operator do whatever it would do: waits until it has looked at the vendor `times` more times.
    pub async fn looks(&self, times: usize) -> anyhow::Result<()> {
        let reads = |log: &crate::sim::Log| log.requests().iter().filter(|e| e.method == "GET").count();
        let want = reads(self.vcenter.log()) + times;
        let waited = tokio::time::timeout(PATIENCE, self.vcenter.log().wait_until(|log| reads(log) >= want)).await;
        waited.with_context(|| self.report(&format!("the operator did not look {times} more times")))
    }

    /// How often the simulator committed a start of this cluster.
    pub fn starts(&self, cluster: &str) -> usize {
        self.vcenter.log().starts(cluster).len()
    }

    /// What to look at when a story fails.
    pub fn report(&self, what: &str) -> String {
        self.told(what, self.vcenter.log())
    }
}
