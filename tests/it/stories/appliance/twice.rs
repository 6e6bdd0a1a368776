//! Several who want something of one appliance: one start at a time, whoever asks.

use std::sync::Arc;

use serde_json::json;

use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::site::Site;
use crate::site::still;

#[tokio::test]
async fn two_updates_to_one_version_start_one() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-two", still()).await?;
    // Another name for the same appliance.
    let mut alias = site.beside("srm-alias", still()).await?;
    alias.appliance = Arc::clone(&site.appliance);
    alias.name = "srm-again".to_owned();
    alias.connect().await?;
    site.update(VERSION_NEW).await?;
    site.update_as("v", json!({"version": VERSION_NEW})).await?;
    alias.update(VERSION_NEW).await?;
    for name in ["u", "v", "u-srm-again"] {
        site.reason_as(name, "STARTED", "Started").await?;
    }
    site.finish().await;
    for name in ["u", "v", "u-srm-again"] {
        site.reason_as(name, "SUCCESS", "UpgradeSucceeded").await?;
    }
    assert_eq!(site.told_by_receipts().await?, ["Accepted/Succeeded"], "all show one receipt");
    site.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn two_versions_of_one_appliance_are_never_under_way_together() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-versions", still()).await?;
    site.update(VERSION_NEW).await?;
    site.reason("STARTED", "Started").await?;
    site.update_as("next", json!({"version": VERSION_NEWER})).await?;
    let busy = site
        .until_as("next", "waiting for the first", |s| s.waiting_for() == "TargetBusy")
        .await?;
    assert!(busy.message().contains("ApplianceUpdate/u"), "says for whom: {}", busy.message());
    site.advance(100).await;
    site.reason("RUNNING", "Running").await?;
    site.looks(2).await?;
    site.assert_started(1, 1);
    site.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.reason_as("next", "STARTED", "Started").await?;
    site.finish().await;
    site.reason_as("next", "SUCCESS", "UpgradeSucceeded").await?;
    // The first still shows its own end, and is never begun again to get there.
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    let versions: Vec<String> = site.appliance.log().committed().into_iter().map(|s| s.version).collect();
    assert_eq!(versions, [VERSION_NEW, VERSION_NEWER]);
    site.assert_started(2, 2);
    Ok(())
}

#[tokio::test]
async fn an_edit_in_mid_run_waits_for_its_end_and_begins_nothing_meanwhile() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-edit", still()).await?;
    site.update(VERSION_NEW).await?;
    site.reason("STARTED", "Started").await?;
    site.update(VERSION_NEWER).await?;
    site.until("the edit is seen", |s| s.reason() == "EditQueued").await?;
    site.advance(100).await;
    site.until("running", |s| s.state() == "RUNNING" && s.reason() == "EditQueued")
        .await?;
    site.assert_started(1, 1);
    site.finish().await;
    site.until("the second run", |s| {
        s.state() == "STARTED" && s.json["history"][0]["version"] == VERSION_NEW
    })
    .await?;
    site.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(2, 2);
    assert_eq!(site.appliance.version(), VERSION_NEWER);
    Ok(())
}
