//! Stops that people put in: who can lift each, and that lifting them starts things once.

use serde_json::json;

use super::attentive;
use super::frozen;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::stories::support::assert_each_started_once;

#[tokio::test]
async fn the_last_of_several_stops_is_never_lifted_by_lifting_the_others() -> anyhow::Result<()> {
    let world = attentive("stops", Config::with_clusters(1)).await?;
    world.suspend_connection("vc", Some(true)).await?;
    world.hold_connection("vc", Some("vCenter is being backed up")).await?;
    let _operator = world.operator().await?;
    let mut spec = scheduled(1, &frozen(-60, 3600));
    spec["suspend"] = json!(true);
    world.batch("b", spec).await?;
    world.hold("b", Some("incident 4711")).await?;
    let first = async |what: &str, reason: &str, says: &[&str]| {
        let stopped = world
            .until("b", what, |s| {
                s.waiting_for() == reason && says.iter().all(|word| s.message().contains(word))
            })
            .await?;
        assert_eq!(stopped.json["blockers"][0]["message"], stopped.message(), "told first");
        assert_eq!((stopped.state(), stopped.reason().as_str()), ("PENDING", reason));
        assert!(
            stopped.blockers().contains(&"Frozen"),
            "what comes after it is told too: {:#}",
            stopped.json
        );
        anyhow::Ok(())
    };
    first("suspended", "Suspended", &["spec.suspend is true"]).await?;
    world.edit("b", json!({"suspend": null})).await?;
    first(
        "its Connection is suspended",
        "Suspended",
        &["spec.suspend of Connection vc", "its owner"],
    )
    .await?;
    world.suspend_connection("vc", None).await?;
    first("held", "Held", &["incident 4711", "remove the annotation windlass.dev/hold"]).await?;
    world.hold("b", None).await?;
    let theirs = [
        "Connection vc is held",
        "being backed up",
        "remove its annotation windlass.dev/hold",
    ];
    first("its Connection is held", "Held", &theirs).await?;
    world.hold_connection("vc", None).await?;
    world.reason("b", "PENDING", "Frozen").await?;
    assert!(world.vcenter.log().posts().is_empty() && world.receipts().await?.is_empty());
    world.edit("b", json!({"schedule": null})).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_each_started_once(&world, 1);
    let told = world
        .wait(async |w| {
            let mut events = w.events("b").await?;
            events.retain(|[reason, ..]| ["Held", "Released"].contains(&reason.as_str()));
            Ok((events.len() >= 3).then_some(events))
        })
        .await?;
    let mut told: Vec<String> = told.iter().map(|[reason, action, _]| format!("{reason} {action}")).collect();
    told.sort();
    assert_eq!(told, ["Held Held", "Released Held", "Released Suspended"]);
    Ok(())
}
