//! Stops, crashes and second operators; and what probes and scrapes see of them.

use super::happy::quick;
use super::support::assert_each_started_once;
use super::support::bold_batch;
use super::support::entries;
use super::support::next_start;
use super::support::posts;
use super::support::receipts;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;
use serde_json::json;

const C1: &str = "domain-c1";

#[tokio::test]
async fn a_stop_in_the_middle_of_a_start_never_loses_its_answer() -> anyhow::Result<()> {
    let (world, operator) = World::ready("stop", quick(1)).await?;
    let slow = Action::Latency {
        ms: 1500,
        when: When::Before,
    };
    let rule = next_start(&world, C1, slow);
    bold_batch(&world, 1).await?;
    world.vcenter.faults().wait_until_hit(rule).await?;
    operator.ask_to_stop()?;
    assert_eq!(operator.gone().await?, Some(0), "a clean stop");
    assert_eq!(receipts(&world, C1).await?, ["Accepted/open"]);
    assert_eq!(world.vcenter.live_sessions(), 0, "it logged out, after the start");
    let _second = world.operator().await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(posts(&world, C1).len(), 1);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_second_operator_never_acts_before_the_first_is_gone() -> anyhow::Result<()> {
    let (world, first) = World::short_lease("leaders", quick(4)).await?;
    world.connected("vc", "Reachable").await?;
    let second = world.operator().await?;
    world
        .wait(async |_| Ok(second.get("/readyz").await.ok().filter(|(status, _)| *status == 200)))
        .await?;
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": entries(4)}))
        .await?;
    world.until("b", "one done", |s| s.json["done"] == "1/4").await?;
    assert!(second.get("/metrics").await?.1.contains("windlass_leader 0"), "a standby");
    assert!(!second.log()?.contains("permit issued"), "only the leader acts");
    first.kill9().await?;
    world.state("b", "SUCCESS").await?;
    assert!(second.log()?.contains("permit issued"), "the second took over");
    assert!(second.get("/metrics").await?.1.contains("windlass_leader 1"), "it leads");
    assert_each_started_once(&world, 4);
    Ok(())
}

#[tokio::test]
async fn probes_and_scrapes_are_answered() -> anyhow::Result<()> {
    let (world, operator) = World::ready("probes", quick(1)).await?;
    bold_batch(&world, 1).await?;
    world.state("b", "SUCCESS").await?;
    for path in ["/healthz", "/readyz"] {
        let (status, body) = operator.get(path).await?;
        assert_eq!(status, 200, "{path}: {body}");
    }
    let (status, metrics) = operator.get("/metrics").await?;
    assert_eq!(status, 200);
    for line in [
        concat!("windlass_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "windlass_starts_total{type=\"vcenter\",outcome=\"accepted\"} 1",
        "windlass_leader 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in\n{metrics}");
    }
    Ok(())
}
