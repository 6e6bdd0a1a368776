//! Inventories: for people only. They disturb nothing, and nothing depends on them.

use kube::api::DeleteParams;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::json;
use windlass::api::Inventory;

use crate::ground::patiently;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::sim::appliance::VERSION_OLD;
use crate::site::Site;
use crate::site::quick;
use crate::site::still;

/// Makes the operator look after an Inventory, without a new generation.
async fn poke(site: &Site, with: &str) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"poked": with}}}));
    site.api::<Inventory>().patch(&site.name, &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn delete(site: &Site) -> anyhow::Result<()> {
    let api = site.api::<Inventory>();
    api.delete(&site.name, &DeleteParams::default()).await?;
    patiently(async || Ok(api.get_opt(&site.name).await?.is_none().then_some(()))).await
}

#[tokio::test]
async fn an_inventory_asks_and_is_written_once_an_interval_also_by_the_next_operator() -> anyhow::Result<()> {
    let (site, operator) = Site::ready("inv-once", still()).await?;
    site.inventory().await?;
    let shown = site.shown("observed", |s| s.reason() == "Observed").await?;
    let appliance = &shown.json["recoveryAppliance"];
    assert_eq!(
        (&appliance["product"], &appliance["version"]),
        (&json!("vSphere Replication"), &json!(VERSION_OLD))
    );
    assert_eq!(appliance["updates"][0]["version"], VERSION_NEW);
    assert_eq!(appliance["updates"][0]["rebootRequired"], true);
    assert_eq!(
        shown.json["summary"],
        format!("at {VERSION_OLD}; offers {VERSION_NEW}, {VERSION_NEWER}")
    );
    let observed = shown.json["observedAt"].clone();
    assert_eq!(site.retrievals(), 1);

    assert_eq!(operator.terminate().await?, Some(0));
    let operator = site.operator().await?;
    site.looks(1).await?;
    poke(&site, "early").await?;
    site.looks(2).await?;
    let again = site.shown("still there", |_| true).await?;
    assert_eq!((&again.json["observedAt"], site.retrievals()), (&observed, 1));
    let wrote = "windlass_status_writes_total{kind=\"Inventory\"}";
    assert!(!operator.get("/metrics").await?.1.contains(wrote), "it had nothing new to say");

    // More than an interval later, by the wall clock that an operator has to go by after a restart.
    site.appliance.edit_machine(|m| m.updates.truncate(1));
    site.set_clock(6 * 60 * 1000)?;
    poke(&site, "late").await?;
    let later = site.shown("observed again", |s| s.json["observedAt"] != observed).await?;
    assert_eq!(later.json["summary"], format!("at {VERSION_OLD}; offers {VERSION_NEW}"));
    assert_eq!(site.retrievals(), 2);
    assert!(operator.get("/metrics").await?.1.contains(&format!("{wrote} 1\n")), "one write");
    Ok(())
}

#[tokio::test]
async fn an_inventory_never_looks_for_updates_while_a_start_is_open_and_nothing_depends_on_it() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("inv-open", still()).await?;
    site.update(VERSION_NEW).await?;
    site.reason("STARTED", "Started").await?;
    let asked = site.retrievals();
    site.inventory().await?;
    let shown = site.shown("observed", |s| s.reason() == "Observed").await?;
    assert_eq!(
        shown.json["summary"],
        format!("at {VERSION_OLD}; an update may be under way: what it offers was not asked again")
    );
    site.looks(3).await?;
    assert_eq!(site.retrievals(), asked, "a task that appears now has to be the start");
    delete(&site).await?;
    site.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.inventory().await?;
    let after = site.shown("observed", |s| s.reason() == "Observed").await?;
    assert_eq!(after.json["summary"], format!("at {VERSION_NEW}; offers {VERSION_NEWER}"));
    delete(&site).await?;
    site.looks(1).await?;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_inventory_says_what_keeps_it_from_looking_and_keeps_what_it_found() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("inv-trouble", quick()).await?;
    site.inventory().await?;
    site.shown("observed", |s| s.reason() == "Observed").await?;
    // What an appliance offers is kept for as long as a target that waits is not looked at.
    site.looks(2).await?;
    // Another interval is another generation: it is looked up again at once.
    site.appliance.set(|s| s.repository_unreachable = true);
    site.edit_spec::<Inventory>(&site.name, json!({"interval": "6m"})).await?;
    let trouble = site.shown("no repository", |s| s.reason() == "RepositoryUnreachable").await?;
    assert_eq!(trouble.condition("Ready", "status"), "False");
    let message = trouble.condition("Ready", "message");
    assert!(message.contains("Connection timed out"), "in its words: {message}");
    let appliance = &trouble.json["recoveryAppliance"];
    assert_eq!(
        (&appliance["version"], &appliance["updates"][1]["version"]),
        (&json!(VERSION_OLD), &json!(VERSION_NEWER))
    );

    site.appliance.set(|s| s.repository_unreachable = false);
    site.connections().delete(&site.name, &DeleteParams::default()).await?;
    site.edit_spec::<Inventory>(&site.name, json!({"interval": "7m"})).await?;
    let missing = site.shown("no Connection", |s| s.reason() == "ConnectionNotReady").await?;
    assert_eq!(missing.json["recoveryAppliance"], *appliance, "what was found stays");
    site.connect().await?;
    site.shown("observed", |s| s.reason() == "Observed").await?;
    site.assert_started(0, 0);
    Ok(())
}
