//! The operator's part of the conformance to vCenter's specification: a life with everything that its client asks for.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::front::Front;
use crate::sim::Action;
use crate::sim::Config;
use crate::sim::Rule;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::starts_of;
use crate::world::World;

/// What the operator's client asks vCenter for, as far as the specification has it.
pub const OPERATIONS: [&str; 5] = [
    "POST /api/session",
    "DELETE /api/session",
    "GET /api/vcenter/namespace-management/software/clusters",
    "GET /api/vcenter/namespace-management/software/clusters/{cluster}",
    "POST /api/vcenter/namespace-management/software/clusters?action=upgradeMultiple",
];

/// One cluster for each way in which a start goes.
pub fn config() -> Config {
    let finding = |severity, text| vec![Note::new(severity, text)];
    let mut config = Config::with_clusters(5).each_cluster(|c| c.upgrade_secs = 2);
    config.clusters[1].prechecks = finding(Severity::Error, "host esx7 is in maintenance");
    config.clusters[2].prechecks = finding(Severity::Warning, "low on disk");
    config.clusters[3].prechecks = finding(Severity::Warning, "low on disk");
    config.clusters[4].fail_after_nodes = Some(1);
    config
}

/// Probe, list, versions; a wrong password, a session that ends, and one that ends at a start; a batch of five of which two succeed,
/// two are refused (one for an error although warnings are ignored, one for a warning) and one fails; logout.
pub async fn lives(world: &World, front: &Front) -> anyhow::Result<()> {
    let mut connection = world.connection("vc");
    connection["spec"]["url"] = json!(front.url());
    connection["spec"]["caBundlePEM"] = json!(front.ca_pem());
    world.secret("vc", USER, "lower-the-anchor").await?;
    world.apply(&connection).await?;
    let operator = world.operator().await?;
    world.connected("vc", "AuthFailed").await?;
    world.secret("vc", USER, PASSWORD).await?;
    world.connected("vc", "Reachable").await?;

    let logins = world.vcenter.logins();
    world.vcenter.expire_all_sessions();
    world
        .wait(async |world: &World| Ok((world.vcenter.logins() > logins).then_some(())))
        .await
        .context("a session that ended is renewed")?;

    world
        .vcenter
        .faults()
        .add(Rule::new(Action::ExpireSessions).on(starts_of("domain-c1")).times(1));
    let clusters = json!([
        {"cluster": "domain-c1"},
        {"cluster": "domain-c2", "ignorePrecheckWarnings": true},
        {"cluster": "domain-c3"},
        {"cluster": "domain-c4", "ignorePrecheckWarnings": true},
        {"cluster": "domain-c5"},
    ]);
    let strategy = json!({"maxConcurrent": 5, "maxFailures": 5});
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": strategy});
    world.batch("b", spec).await?;
    let status = world.reason("b", "FAILED", "PartlyFailed").await?;
    let ends: Vec<&str> = (1..=5).map(|n| status.row_state(&format!("domain-c{n}"))).collect::<Vec<_>>();
    assert_eq!(ends, ["SUCCESS", "REJECTED", "REJECTED", "SUCCESS", "FAILED"], "{}", status.json);
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    assert_eq!(world.vcenter.live_sessions(), 0, "it logged out");
    // Whatever its upgrades left is past.
    world.vcenter.clock().advance(Duration::from_mins(10));
    Ok(())
}
