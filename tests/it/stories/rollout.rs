//! The order of many: canaries, soak, how many at once, how many failures. By the simulator's clock and log.

use jiff::SignedDuration;
use serde_json::json;

use crate::sim::vcenter::Config;
use crate::sim::vcenter::State;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::happy::quick;
use crate::world::World;

#[tokio::test]
async fn nobody_starts_before_canaries_are_done_and_have_soaked() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("canary", quick(3)).await?;
    let clusters = json!([
        {"cluster": "domain-c1"}, {"cluster": "domain-c2", "canary": true}, {"cluster": "domain-c3", "canary": true},
    ]);
    let strategy = json!({"maxConcurrent": 3, "soak": "3s"});
    world
        .batch(
            "b",
            json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy}),
        )
        .await?;
    let soaking = world.reason("b", "RUNNING", "WaitingForSoak").await?;
    assert!(soaking.json["nextActionAt"].is_string(), "{:#}", soaking.json);
    world.state("b", "SUCCESS").await?;
    let starts = world.vcenter.log().committed();
    let order: Vec<&str> = starts.iter().map(|s| s.target.as_str()).collect();
    assert_eq!(
        order,
        ["domain-c2", "domain-c3", "domain-c1"],
        "canaries first, in the order of the spec"
    );
    let ends = ["domain-c2", "domain-c3"].map(|c| world.vcenter.cluster(c).unwrap().last_upgraded.unwrap());
    let soaked = starts[2].at.duration_since(ends.into_iter().max().unwrap());
    assert!(soaked >= SignedDuration::from_secs(3), "{soaked:?}");
    Ok(())
}

#[tokio::test]
async fn never_more_than_two_at_once() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("two-of-four", Config::with_clusters(4)).await?;
    let ids = ["domain-c1", "domain-c2", "domain-c3", "domain-c4"];
    let clusters: Vec<_> = ids.iter().map(|c| json!({"cluster": c})).collect();
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": {"maxConcurrent": 2}});
    world.batch("b", spec).await?;
    for round in 1..=2 {
        world.started(2 * round).await?;
        world
            .until("b", "no slot left", |s| {
                s.state() == "RUNNING" && (round == 2 || s.blockers().contains(&"LimitReached"))
            })
            .await?;
        world.looks(6).await?;
        assert_eq!(world.vcenter.log().posts().len(), 2 * round, "two, and no third");
        let moving = ids.iter().filter(|c| world.vcenter.cluster_state(c) == Some(State::Pending));
        assert_eq!(moving.count(), 2);
        world.finish();
    }
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 4);
    Ok(())
}

/// Four clusters, the second of which fails.
async fn failing(story: &str) -> anyhow::Result<(World, crate::world::Operator)> {
    let mut config = quick(4);
    config.clusters[1].fail_after_nodes = Some(1);
    let (world, operator) = World::ready(story, config).await?;
    let clusters: Vec<_> = (1..=4).map(|n| json!({"cluster": format!("domain-c{n}")})).collect();
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    let stopped = world.reason("b", "FAILED", "TooManyFailures").await?;
    let states = ["domain-c1", "domain-c2", "domain-c3", "domain-c4"].map(|c| stopped.row_state(c).to_owned());
    assert_eq!(states, ["SUCCESS", "FAILED", "PENDING", "PENDING"]);
    assert!(
        stopped.message().contains("supervisor-domain-c2"),
        "says who: {}",
        stopped.message()
    );
    assert_eq!(stopped.condition("Stalled", "status"), "True");
    world.looks(2).await?;
    assert_eq!(world.vcenter.log().posts().len(), 2, "the first failure stops the rest");
    Ok((world, operator))
}

#[tokio::test]
async fn after_a_failure_nothing_starts_until_more_are_allowed() -> anyhow::Result<()> {
    let (world, _operator) = failing("failures").await?;
    world.edit("b", json!({"strategy": {"maxFailures": 1}})).await?;
    let done = world.reason("b", "FAILED", "PartlyFailed").await?;
    assert_eq!(done.json["done"], "3/4");
    let starts = [1, 2, 3, 4].map(|n| world.starts(&format!("domain-c{n}")));
    assert_eq!(starts, [1, 1, 1, 1], "what was done or failed is not repeated");
    Ok(())
}

#[tokio::test]
async fn after_a_failure_a_mended_cluster_runs_again_and_no_other_does() -> anyhow::Result<()> {
    let (world, _operator) = failing("mended").await?;
    world
        .vcenter
        .edit_cluster("domain-c2", |c| (c.failure, c.fail_after_nodes) = (None, None));
    world.edit("b", json!({"runKey": "second-try"})).await?;
    let done = world.state("b", "SUCCESS").await?;
    assert_eq!(done.json["done"], "4/4");
    let starts = [1, 2, 3, 4].map(|n| world.starts(&format!("domain-c{n}")));
    assert_eq!(starts, [1, 2, 1, 1], "only what had failed, and under its new run key");
    assert_eq!(done.row("domain-c1")["reason"], "AlreadyAtVersion");
    Ok(())
}

#[tokio::test]
async fn after_a_failed_canary_nothing_starts() -> anyhow::Result<()> {
    let mut config = quick(2);
    config.clusters[0].fail_after_nodes = Some(1);
    let (world, _operator) = World::ready("bad-canary", config).await?;
    let clusters = json!([{"cluster": "domain-c1", "canary": true}, {"cluster": "domain-c2"}]);
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": {"maxFailures": 2}});
    world.batch("b", spec).await?;
    world.reason("b", "FAILED", "TooManyFailures").await?;
    world.looks(2).await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    world.edit("b", json!({"clusters": [{"cluster": "domain-c2"}]})).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c2"), 1, "taking the entry out goes on");
    Ok(())
}
