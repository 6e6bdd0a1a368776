//! Hundreds of upgrades whose window opens in the same second, through one Connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::api::PostParams;
use kube::api::WatchEvent;
use kube::api::WatchParams;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;

use super::in_secs;
use super::most_at_once;
use crate::scale::large;
use crate::sim::lock;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::support::assert_each_started_once;
use crate::world::World;

/// Resources, and how many may be under way.
fn scale() -> (usize, usize) {
    if large() { (300, 25) } else { (60, 8) }
}

/// Every version of each batch that was written, as its state, what it waits for, and its message.
#[derive(Default)]
struct Written(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Written {
    fn counts(&self) -> BTreeMap<String, usize> {
        lock(&self.0).iter().map(|(name, lines)| (name.clone(), lines.len())).collect()
    }
}

/// Writes down every version of every batch of which its watch tells.
async fn watch(world: &World) -> anyhow::Result<Written> {
    let (written, batches) = (Written::default(), world.batches());
    let from = batches
        .list(&ListParams::default())
        .await?
        .metadata
        .resource_version
        .unwrap_or_default();
    let book = Arc::clone(&written.0);
    tokio::spawn(async move {
        let params = WatchParams::default();
        let Ok(events) = batches.watch(&params, &from).await else { return };
        let mut events = events.boxed();
        while let Ok(Some(event)) = events.try_next().await {
            if let WatchEvent::Added(batch) | WatchEvent::Modified(batch) = event {
                let status = batch.status.clone().unwrap_or_default();
                let words = [status.state, status.waiting_for, status.message].map(Option::unwrap_or_default);
                lock(&book).entry(batch.name_any()).or_default().push(words.join(" "));
            }
        }
    });
    Ok(written)
}

/// Makes the batches of one cluster each. Returns their clusters, those of the oldest first.
async fn create(world: &World, many: usize) -> anyhow::Result<Vec<String>> {
    let made: Vec<ClusterUpgradeBatch> = stream::iter(1..=many)
        .map(|n| {
            let clusters = json!([{"cluster": format!("domain-c{n}")}]);
            let manifest = world.manifest(
                &format!("tenant-{n:03}"),
                &json!({"desiredVersion": VERSION_NEW, "clusters": clusters}),
            );
            let batches = world.batches();
            async move {
                let batch = serde_json::from_value(manifest)?;
                anyhow::Ok(batches.create(&PostParams::default(), &batch).await?)
            }
        })
        .buffered(8)
        .try_collect()
        .await?;
    let mut line: Vec<_> = made
        .iter()
        .map(|b| {
            (
                b.creation_timestamp().map(|t| t.0),
                b.name_any(),
                b.spec.clusters[0].cluster.clone(),
            )
        })
        .collect();
    line.sort();
    Ok(line.into_iter().map(|(_, _, cluster)| cluster).collect())
}

/// Those that started while too many older ones had not: with `limit` slots, the first `limit` of the line may go in any order, and no other.
fn out_of_line(world: &World, line: &[String], limit: usize) -> Vec<String> {
    let started: Vec<String> = world.vcenter.log().committed().into_iter().map(|s| s.target).collect();
    let overtook = |nth: usize| {
        let rank = line.iter().position(|c| *c == started[nth]).unwrap();
        line[..rank].iter().filter(|older| !started[..nth].contains(older)).count() >= limit
    };
    (0..started.len())
        .filter(|nth| overtook(*nth))
        .map(|nth| started[nth].clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_that_open_at_once_never_start_twice_nor_too_many_nor_out_of_line() -> anyhow::Result<()> {
    let (many, limit) = scale();
    let config = Config::with_clusters(many).each_cluster(|c| c.upgrade_secs = 1);
    let mut world = World::new("crowd", config).await?;
    // A slot is held for a permit's life at least. A run is looked at as rarely as in production, in proportion: ten calls a second are all
    // that a vCenter gets. Who waits looks again every other second, which is far more often, to see what that writes.
    for (name, ms) in [
        ("ttl", 5000),
        ("connectTimeout", 1000),
        ("pollMoving", 2500),
        ("pollWaiting", 2000),
        ("wake", 10_000),
    ] {
        world.timing[name] = json!(ms);
    }
    world.connect("vc").await?;
    let opens = |at: Timestamp| json!({"limits": {"maxConcurrentUpgrades": limit}, "schedule": {"notBefore": at}});
    world.edit_connection("vc", opens(in_secs(36_000))).await?;
    let operator = world.operator().await?;
    let written = watch(&world).await?;
    let line = create(&world, many).await?;
    let waiting = async |w: &World| {
        let all = w.batches().list(&ListParams::default()).await?.items;
        let waits = |b: &ClusterUpgradeBatch| {
            let status = b.status.clone().unwrap_or_default();
            status.waiting_for.as_deref() == Some("NotBefore") && status.targets.iter().all(|t| t.current_version.is_some())
        };
        anyhow::Ok(all.iter().all(waits).then_some(()))
    };
    world.wait(async |w: &World| waiting(w).await).await?;
    let at_rest = written.counts();
    world.looks(3).await?;
    assert_eq!(written.counts(), at_rest, "nothing is written for looking again");

    let opening = in_secs(3);
    world.edit_connection("vc", opens(opening)).await?;
    for wave in 1..=many.div_ceil(limit) {
        world.started((wave * limit).min(many)).await?;
    }
    let took = Timestamp::now().duration_since(opening).as_secs();
    let done = ListParams::default().fields("status.state=SUCCESS");
    world
        .wait(async |w: &World| Ok((w.batches().list(&done).await?.items.len() == many).then_some(())))
        .await?;
    assert_each_started_once(&world, many);
    let most = most_at_once(&world);
    crate::proof::show(&format!("{many} upgrades, {most} of {limit} at once, started in {took} s"));
    assert!((2..=limit).contains(&most), "{most} at once");
    assert!(world.vcenter.log().posts().iter().all(|post| post.wall >= opening), "none early");
    assert_eq!(out_of_line(&world, &line, limit), Vec::<String>::new());
    let waves = i64::try_from(many.div_ceil(limit))?;
    assert!(took < 15 * waves, "{took} s for {waves} times {limit}");
    // First seen, looked at, the time moved; then two things that a full Connection may say, and each slot that somebody else was faster to
    // take. Not one for each that went before, nor for each look.
    let waits = |lines: &[String]| lines.iter().filter(|l| l.starts_with("PENDING")).count();
    let book = lock(&written.0).clone();
    let (worst, lines) = book.iter().max_by_key(|(_, lines)| waits(lines)).unwrap();
    crate::proof::show(&format!("{worst} was written {} times while it waited", waits(lines)));
    assert!(waits(lines) <= 15, "{worst}: {lines:#?}");
    drop(operator);
    Ok(())
}
