//! One Connection's limit, and two operators that both believe that they lead.

use serde_json::json;

use super::most_at_once;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::SecondCall;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::support::assert_each_started_once;
use crate::world::World;

const CLUSTERS: usize = 8;
const LIMIT: usize = 2;

#[tokio::test]
async fn two_leaders_never_have_more_under_way_than_the_connection_allows() -> anyhow::Result<()> {
    let config = Config::with_clusters(CLUSTERS)
        .each_cluster(|c| c.upgrade_secs = 1)
        .settings(|s| s.second_call = SecondCall::StartedRestarts);
    let mut world = World::new("two-leaders", config).await?;
    // A slot is free again no sooner than a permit's life after it was taken: a short one makes many races for it.
    for (name, ms) in [
        ("ttl", 2500),
        ("connectTimeout", 700),
        ("pollWaiting", 500),
        ("wake", 1000),
        ("retryMax", 1000),
    ] {
        world.timing[name] = json!(ms);
    }
    world.connect("vc").await?;
    world
        .edit_connection("vc", json!({"limits": {"maxConcurrentUpgrades": LIMIT}}))
        .await?;
    let leases = ["one", "two"].map(|n| format!("windlass-{}-{n}", world.namespace));
    let (one, two) = tokio::try_join!(world.operator_as(&leases[0], None), world.operator_as(&leases[1], None))?;
    world.connected("vc", "Reachable").await?;
    let entries = |from: usize| {
        (0..CLUSTERS / 2)
            .map(|n| json!({"cluster": format!("domain-c{}", from + 2 * n)}))
            .collect::<Vec<_>>()
    };
    for (name, from) in [("odd", 1), ("even", 2)] {
        let strategy = json!({"maxConcurrent": CLUSTERS});
        let spec = json!({"desiredVersion": VERSION_NEW, "clusters": entries(from), "strategy": strategy});
        world.batch(name, spec).await?;
    }
    for name in ["odd", "even"] {
        world.state(name, "SUCCESS").await?;
    }
    assert_each_started_once(&world, CLUSTERS);
    assert_eq!(most_at_once(&world), LIMIT, "as many as allowed, and never more");
    for operator in [one, two] {
        assert!(operator.log()?.contains("permit issued"), "both led");
        assert!(operator.runs());
    }
    Ok(())
}
