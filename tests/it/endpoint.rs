//! What stories ask of the receipts of one endpoint that is itself a target: an appliance, a console.

use std::net::SocketAddr;

use anyhow::Context as _;
use kube::Api;
use kube::ResourceExt as _;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::json;
use windlass::api::UpgradeReceipt;

use crate::ground::Ground;

impl Ground {
    /// What an endpoint's receipts say, oldest first: the note or the answer's kind (or none), and the end's (or open).
    ///
    /// Not of a permit that ran out on a busy machine before anything was sent: it is withdrawn, and the next one follows.
    pub async fn told_by_receipts_at(&self, address: SocketAddr) -> anyhow::Result<Vec<String>> {
        let withdrawn = |r: &UpgradeReceipt| {
            r.status
                .as_ref()
                .and_then(|s| s.end.as_ref())
                .is_some_and(|e| e.kind == "Withdrawn")
        };
        let sent = self.receipts_at(address).await?.into_iter().filter(|r| !withdrawn(r));
        let told = sent.map(|receipt| {
            let status = receipt.status.unwrap_or_default();
            let answer = status.answer.map(|a| a.kind);
            let first = receipt.spec.claim.note.or(answer).unwrap_or_else(|| "none".to_owned());
            let adopted = if status.adopted.is_some() { "+adopted" } else { "" };
            let end = status.end.map_or_else(|| "open".to_owned(), |e| e.kind);
            format!("{first}{adopted}/{end}")
        });
        Ok(told.collect())
    }

    /// An endpoint's receipts, oldest first.
    pub async fn receipts_at(&self, address: SocketAddr) -> anyhow::Result<Vec<UpgradeReceipt>> {
        let address = address.to_string();
        let all = self.receipts().await?;
        Ok(all.into_iter().filter(|r| r.spec.claim.target.contains(&address)).collect())
    }

    /// A person's word on the newest receipt of an endpoint.
    pub async fn resolve_at(&self, address: SocketAddr, verdict: &str) -> anyhow::Result<()> {
        let newest = self.receipts_at(address).await?.pop().context("a receipt")?;
        let api: Api<UpgradeReceipt> = Api::all(self.client.clone());
        let word = json!({"verdict": verdict, "by": "admin", "reason": "looked at the machine itself"});
        let patch = Patch::Merge(json!({"spec": {"resolution": word}}));
        api.patch(&newest.name_any(), &PatchParams::default(), &patch).await?;
        Ok(())
    }
}
