//! Two namespaces, each with an operator of its own, that want the same cluster of one vendor: the ledger is theirs together.

use std::time::Duration;

use kube::api::PostParams;
use serde_json::json;

use super::proxy::Fault;
use super::proxy::Release;
use super::story::Story;

#[tokio::test]
async fn two_namespaces_that_want_the_same_cluster_start_it_once() -> anyhow::Result<()> {
    let (mut one, mut two) = tokio::try_join!(Story::new("neighbour", 1), Story::new("neighbour", 1))?;
    // Nobody gives up while the two are brought together.
    for story in [&mut one, &mut two] {
        for (name, ms) in [("ttl", 10_000), ("lead", 15_000), ("grace", 20_000), ("ledgerTimeout", 30_000)] {
            story.world.timing[name] = json!(ms);
        }
    }
    let held = [&one, &two].map(|story| story.proxy.arm("POST receipt", 1, Fault::HoldBefore));
    let operators = tokio::try_join!(one.operator(), two.operator())?;
    one.apply(1).await?;
    // The second namespace's Connection leads to the first one's vendor.
    let mut connection = one.world.connection("vc");
    connection["metadata"]["namespace"] = json!(two.world.namespace);
    let connection = serde_json::from_value(connection)?;
    two.secret().await?;
    two.world.connections().create(&PostParams::default(), &connection).await?;
    two.batch("b", json!({"clusters": one.entries(1..=1)})).await?;
    let both = async { tokio::join!(held[0].hit(), held[1].hit()) };
    let met = tokio::time::timeout(Duration::from_secs(12), both).await;
    anyhow::ensure!(met.is_ok(), "{}", one.told(&two.told("the two never came to the same step")));
    for held in &held {
        held.release(Release::Forward);
    }
    let rests = tokio::try_join!(one.rest("b"), two.rest("b"))?;
    let told = || one.told(&two.told(&format!("{rests:?}")));
    assert_eq!(one.world.vcenter.log().posts().len(), 1, "{}", told());
    assert_eq!(
        (rests.0.state.as_str(), rests.1.state.as_str()),
        ("SUCCESS", "SUCCESS"),
        "{}",
        told()
    );
    operators.0.kill9().await?;
    operators.1.kill9().await
}
