//! What several stories need.

use serde_json::Value;
use serde_json::json;

use crate::sim::Action;
use crate::sim::Entry;
use crate::sim::Rule;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::starts_of;
use crate::world::World;

/// The entries of `domain-c1` to `domain-c<n>`.
pub fn entries(n: usize) -> Value {
    (1..=n).map(|n| json!({"cluster": format!("domain-c{n}")})).collect()
}

/// A batch `b` that brings `domain-c1` to `domain-c<n>` to the next version, all at once and whatever fails.
pub async fn bold_batch(world: &World, n: usize) -> anyhow::Result<()> {
    let strategy = json!({"maxConcurrent": n, "maxFailures": n});
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": entries(n), "strategy": strategy});
    world.batch("b", spec).await
}

/// The next start of a cluster meets this.
pub fn next_start(world: &World, cluster: &str, action: Action) -> u64 {
    world.vcenter.faults().add(Rule::new(action).on(starts_of(cluster)).times(1))
}

/// The requests that asked for a start of this cluster, whatever became of them.
pub fn posts(world: &World, cluster: &str) -> Vec<Entry> {
    let names = |entry: &Entry| entry.body.as_ref().is_some_and(|body| body.get(cluster).is_some());
    world.vcenter.log().posts().into_iter().filter(names).collect()
}

/// What the receipts of a cluster say, oldest first: the answer's kind (or none) and the end's (or open), as `Lost/NotTaken`.
pub async fn receipts(world: &World, cluster: &str) -> anyhow::Result<Vec<String>> {
    let receipts = world.receipts().await?;
    let of_cluster = receipts.iter().filter(|r| r.spec.claim.target.ends_with(&format!("|{cluster}")));
    let told = of_cluster.map(|receipt| {
        let status = receipt.status.clone().unwrap_or_default();
        let answer = status.answer.map_or_else(|| "none".to_owned(), |a| a.kind);
        let adopted = if status.adopted.is_some() { "+adopted" } else { "" };
        let end = status.end.map_or_else(|| "open".to_owned(), |e| e.kind);
        format!("{answer}{adopted}/{end}")
    });
    Ok(told.collect())
}

/// Each of `domain-c1` to `domain-c<n>` was started exactly once.
pub fn assert_each_started_once(world: &World, n: usize) {
    let starts: Vec<usize> = (1..=n).map(|n| world.starts(&format!("domain-c{n}"))).collect();
    assert_eq!(starts, vec![1; n], "committed starts of each cluster");
    assert!(world.vcenter.log().duplicates().is_empty());
}
