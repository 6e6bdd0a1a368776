//! What people and their tools do to a [`World`]: edit, delete, replace, wipe, resolve, and a second tenant of the same vCenter.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::ResourceExt;
use kube::api::DeleteParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use serde_json::Value;
use serde_json::json;
use windlass::api::UpgradeReceipt;

use crate::sim::vcenter::Config;
use crate::world::Ground;
use crate::world::Operator;
use crate::world::Status;
use crate::world::World;

impl World {
    /// Another namespace, without a Connection and without an operator, on the same vCenter.
    pub async fn neighbour(&self, story: &str) -> anyhow::Result<World> {
        let ground = Ground {
            plane: self.plane,
            client: self.client.clone(),
            namespace: self.plane.namespace(story).await?.name,
            timing: self.timing.clone(),
            args: self.args.clone(),
            account: self.account.clone(),
        };
        let world = World {
            ground,
            vcenter: Arc::clone(&self.vcenter),
        };
        world.grant_secrets().await?;
        Ok(world)
    }

    /// The manifest of a batch through Connection `vc`, as a file in Git has it. `spec` is merged over `{connectionRef}`.
    pub fn manifest(&self, name: &str, spec: &Value) -> Value {
        let mut all = json!({"connectionRef": {"name": "vc"}});
        if let (Value::Object(all), Value::Object(more)) = (&mut all, spec) {
            all.extend(more.clone());
        }
        json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": all,
        })
    }

    /// Waits until a cluster's row has this state and reason.
    pub async fn row(&self, batch: &str, cluster: &str, state: &str, reason: &str) -> anyhow::Result<Status> {
        let what = format!("{cluster} {state}/{reason}");
        self.until(batch, &what, |s| {
            s.row_state(cluster) == state && s.row(cluster)["reason"] == reason
        })
        .await
    }

    /// Gives an object of this kind a label.
    pub async fn label<K>(&self, name: &str, key: &str, value: &str) -> anyhow::Result<()>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        let patch = Patch::Merge(json!({"metadata": {"labels": {key: value}}}));
        self.api::<K>().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Deletes a batch and waits until it is gone.
    pub async fn delete_batch(&self, name: &str) -> anyhow::Result<()> {
        self.batches().delete(name, &DeleteParams::default()).await?;
        self.wait(async |w: &World| Ok(w.batches().get_opt(name).await?.is_none().then_some(())))
            .await
    }

    /// Deletes the namespace with everything in it, waits until it is gone, and makes it again, empty.
    pub async fn recreate_namespace(&self) -> anyhow::Result<()> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.delete(&self.namespace, &DeleteParams::default()).await?;
        self.wait(async |w: &World| Ok(api.get_opt(&w.namespace).await?.is_none().then_some(())))
            .await?;
        let namespace = serde_json::from_value(json!({"metadata": {"name": self.namespace}}))?;
        api.create(&PostParams::default(), &namespace).await?;
        self.grant_secrets().await
    }

    /// `kubectl replace --force`: delete and create in one go.
    pub async fn force_replace(&self, object: &Value) -> anyhow::Result<()> {
        let out = self
            .plane
            .kubectl_stdin(&["replace", "--force", "-f", "-"], &object.to_string())
            .await?;
        out.ok()?;
        Ok(())
    }

    /// Takes a batch's whole status away, as an administrator's patch or a restore does.
    pub async fn wipe(&self, name: &str) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"status": null}));
        self.batches().patch_status(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Sets or, with `None`, removes the hold annotation of a Connection.
    pub async fn hold_connection(&self, name: &str, why: Option<&str>) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"windlass.dev/hold": why}}}));
        self.connections().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Sets or, with `None`, removes `spec.suspend` of a Connection.
    pub async fn suspend_connection(&self, name: &str, suspend: Option<bool>) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"spec": {"suspend": suspend}}));
        self.connections().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// A person's word on a receipt.
    pub async fn resolve(&self, receipt: &str, verdict: &str) -> anyhow::Result<()> {
        let api: Api<UpgradeReceipt> = Api::all(self.client.clone());
        let word = json!({"verdict": verdict, "by": "admin", "reason": "read the vCenter's own task list"});
        let patch = Patch::Merge(json!({"spec": {"resolution": word}}));
        api.patch(receipt, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Waits until this namespace has that many receipts and each has an end (or is a note), and returns `end.kind` or the note of each.
    pub async fn ends(&self, receipts: usize) -> anyhow::Result<Vec<String>> {
        self.wait(async |w: &World| {
            let ends: Vec<String> = w.receipts().await?.iter().filter_map(end).collect();
            Ok((ends.len() == receipts).then_some(ends))
        })
        .await
    }

    /// Names of this namespace's receipts, oldest first.
    pub async fn receipt_names(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.receipts().await?.iter().map(ResourceExt::name_any).collect())
    }

    /// Waits until the simulator committed that many starts in all.
    pub async fn started(&self, starts: usize) -> anyhow::Result<()> {
        self.wait(async |w: &World| Ok((w.vcenter.log().committed().len() >= starts).then_some(())))
            .await
    }

    /// [`World::ready`] with a lease that a second operator need not wait long for. Not for all: on a busy machine the API server sometimes
    /// takes seconds, and an operator that loses its lease ends, rightly, with nobody here to start it again.
    pub async fn short_lease(story: &str, config: Config) -> anyhow::Result<(World, Operator)> {
        let mut world = World::new(story, config).await?;
        world.timing["leaseDuration"] = json!(6000);
        world.timing["leaseRenewDeadline"] = json!(5000);
        world.connect("vc").await?;
        let operator = world.operator().await?;
        Ok((world, operator))
    }

    /// Lets everything that runs at the vendor come to its end.
    pub fn finish(&self) {
        self.vcenter.clock().advance(std::time::Duration::from_mins(10));
    }
}

fn end(receipt: &UpgradeReceipt) -> Option<String> {
    let note = receipt.spec.claim.note.clone().filter(|n| n != "Adopted");
    note.or_else(|| receipt.status.as_ref()?.end.as_ref().map(|e| e.kind.clone()))
}
