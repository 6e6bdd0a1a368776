//! What is scraped of a real operator: what a run was, and nothing of an object that is gone.

use serde_json::json;

use super::happy::quick;
use super::support::entries;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

#[tokio::test]
async fn a_run_is_told_in_metrics_and_no_series_outlives_its_object() -> anyhow::Result<()> {
    let (world, operator) = World::ready("metrics", quick(2)).await?;
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": entries(2)}))
        .await?;
    world.state("b", "SUCCESS").await?;
    let of = format!("namespace=\"{}\"", world.namespace);
    let upgrade = format!("windlass_upgrade_info{{kind=\"ClusterUpgradeBatch\",{of},name=\"b\",state=\"SUCCESS\",waiting_for=\"\"}} 1");
    let connection = format!("windlass_connection_info{{type=\"vcenter\",{of},name=\"vc\",ready_reason=\"Reachable\"}} 1");
    // The status is there a moment before the pass that wrote it tells of it.
    let scraped = async |what: &str, so: &dyn Fn(&str) -> bool| {
        let waited = world
            .wait(async |_| Ok(Some(operator.get("/metrics").await?.1).filter(|text| so(text))))
            .await;
        match waited {
            Ok(text) => anyhow::Ok(text),
            Err(error) => anyhow::bail!("{what}: {error}\n{}", operator.get("/metrics").await?.1),
        }
    };
    let text = scraped("the run", &|text| text.lines().any(|line| line == upgrade)).await?;
    for line in [
        connection.as_str(),
        "windlass_upgrades{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 1",
        "windlass_upgrades{kind=\"ClusterUpgradeBatch\",state=\"RUNNING\"} 0",
        "windlass_runs_total{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 2",
        "windlass_run_duration_seconds_count{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 2",
        "windlass_starts_total{type=\"vcenter\",outcome=\"accepted\"} 2",
        "windlass_contradictions_total 0",
        "windlass_info_truncated 0",
        "windlass_leader 1",
        "windlass_starts_enabled 1",
        "windlass_crds_outdated 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for begins in [
        "windlass_wait_duration_seconds_count{kind=\"ClusterUpgradeBatch\",reason=\"Evaluating\"} ",
        "windlass_receipts_open{type=\"vcenter\"} ",
        "windlass_receipts_unresolved{type=\"vcenter\"} ",
        "windlass_vendor_requests_total{type=\"vcenter\",operation=\"list_clusters\",class=\"ok\"} ",
        "windlass_vendor_request_duration_seconds_count{type=\"vcenter\",operation=\"list_clusters\"} ",
        "windlass_reconcile_duration_seconds_count{kind=\"Connection\"} ",
        "windlass_reconcile_duration_seconds_count{kind=\"ClusterUpgradeBatch\"} ",
        "windlass_status_writes_total{kind=\"ClusterUpgradeBatch\"} ",
        "windlass_build_info{version=",
    ] {
        assert!(text.lines().any(|found| found.starts_with(begins)), "{begins} is not in\n{text}");
    }
    world.kubectl(&["delete", "cub", "b"]).await?;
    let text = scraped("the batch is gone", &|text| !text.contains("windlass_upgrade_info{")).await?;
    assert!(text.contains("windlass_upgrades{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 0\n"));
    assert!(
        text.contains("windlass_runs_total{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 2\n"),
        "what was, was"
    );
    assert!(text.contains(&connection));
    world.kubectl(&["delete", "conn", "vc"]).await?;
    scraped("the Connection is gone", &|text| !text.contains(&of)).await?;
    Ok(())
}
