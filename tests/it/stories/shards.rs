//! A fleet that several processes share out among them by labels: each serves its own, and what moves from one to another is started once.

use serde_json::Value;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::Connection;

use crate::ground::decisions;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults::Release;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::happy::quick;
use crate::world::Operator;
use crate::world::World;

const SHARD: &str = "windlass.dev/shard";

/// The process of this shard.
async fn shard(world: &mut World, name: &str) -> anyhow::Result<Operator> {
    let args = world.args.clone();
    world.args.extend(["--selector".to_owned(), format!("{SHARD}={name}")]);
    let operator = world.operator_as(&format!("windlass-{}-{name}", world.namespace), None).await;
    world.args = args;
    operator
}

fn labelled(mut object: Value, shard: &str) -> Value {
    object["metadata"]["labels"] = json!({SHARD: shard});
    object
}

/// A Connection of this name and shard to the story's vCenter.
async fn connect(world: &World, name: &str, shard: &str) -> anyhow::Result<()> {
    world.secret(name, vcenter::USER, vcenter::PASSWORD).await?;
    world.apply(&labelled(world.connection(name), shard)).await
}

async fn batch(world: &World, name: &str, connection: &str, cluster: &str, shard: &str) -> anyhow::Result<()> {
    let spec = json!({"connectionRef": {"name": connection}, "desiredVersion": VERSION_NEW, "clusters": [{"cluster": cluster}]});
    world.apply(&labelled(world.manifest(name, &spec), shard)).await
}

/// Both go over to another shard, the upgrade first: for a moment they are in different ones.
async fn moved(world: &World, batch: &str, connection: &str, shard: &str) -> anyhow::Result<()> {
    world.label::<ClusterUpgradeBatch>(batch, SHARD, shard).await?;
    world.label::<Connection>(connection, SHARD, shard).await
}

#[tokio::test]
async fn two_shards_never_touch_what_is_the_other_ones() -> anyhow::Result<()> {
    let mut world = World::new("shards", quick(2)).await?;
    for (name, of) in [("vc-a", "a"), ("vc-b", "b")] {
        connect(&world, name, of).await?;
    }
    batch(&world, "one", "vc-a", "domain-c1", "a").await?;
    batch(&world, "two", "vc-b", "domain-c2", "b").await?;
    let a = shard(&mut world, "a").await?;
    world.state("one", "SUCCESS").await?;
    assert_eq!(
        (world.starts("domain-c1"), world.starts("domain-c2")),
        (1, 0),
        "nobody serves the other shard"
    );
    let b = shard(&mut world, "b").await?;
    world.state("two", "SUCCESS").await?;
    assert_eq!((world.starts("domain-c1"), world.starts("domain-c2")), (1, 1));
    for (operator, own, other) in [(&a, "one", "two"), (&b, "two", "one")] {
        let log = operator.log()?;
        let says = |name: &str| log.contains(&format!("\"name\":\"{name}\""));
        assert!(says(own) && !says(other), "{own}: {log}");
    }
    Ok(())
}

#[tokio::test]
async fn an_upgrade_that_moves_in_mid_start_is_started_once_and_followed_by_the_other_shard() -> anyhow::Result<()> {
    let mut world = World::new("shard-moves", Config::with_clusters(1)).await?;
    // The start is held for as long as the move takes.
    for (name, millis) in [("startTimeoutVcenter", 30_000), ("grace", 45_000)] {
        world.timing[name] = json!(millis);
    }
    connect(&world, "vc", "a").await?;
    let (a, b) = (shard(&mut world, "a").await?, shard(&mut world, "b").await?);
    let held = Rule::new(Action::Hang { when: When::After }).on(vcenter::starts()).times(1);
    let rule = world.vcenter.faults().add(held);
    batch(&world, "u", "vc", "domain-c1", "a").await?;
    world.vcenter.faults().wait_until_hit(rule).await?;
    moved(&world, "u", "vc", "b").await?;
    // The other shard decides about a start that it did not make and that has no answer, on a cluster that moves.
    let decided = async |b: &Operator| -> anyhow::Result<bool> { Ok(decisions(&b.get("/metrics").await?.1, "ClusterUpgradeBatch") > 0) };
    world.wait(async |_| Ok(decided(&b).await?.then_some(()))).await?;
    world.vcenter.faults().release(rule, Release::Continue)?;
    world.row("u", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("u", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    let receipts = world.receipts().await?;
    let answers: Vec<String> = receipts
        .iter()
        .filter_map(|r| Some(r.status.as_ref()?.answer.as_ref()?.kind.clone()))
        .collect();
    assert_eq!(answers, ["Accepted"], "whoever sent it wrote down what was answered");
    assert!(a.runs() && b.runs());
    Ok(())
}

#[tokio::test]
async fn an_upgrade_whose_connection_is_another_shards_waits_and_says_so() -> anyhow::Result<()> {
    let mut world = World::new("shard-apart", quick(1)).await?;
    connect(&world, "vc", "b").await?;
    let (_a, _b) = (shard(&mut world, "a").await?, shard(&mut world, "b").await?);
    batch(&world, "u", "vc", "domain-c1", "a").await?;
    let waits = world.reason("u", "PENDING", "ConnectionNotReady").await?;
    assert!(waits.message().contains(&format!("labels {SHARD}=a")), "{}", waits.message());
    assert_eq!(world.vcenter.log().posts().len(), 0);
    world.label::<ClusterUpgradeBatch>("u", SHARD, "b").await?;
    world.state("u", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}
