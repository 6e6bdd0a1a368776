//! Upgrades that go well: one start, followed by what the devices show.

use serde_json::json;

use crate::central::ROW;
use crate::central::World;
use crate::central::still;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Kind;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::aruba::VERSION_OLD;

#[tokio::test]
async fn a_customers_devices_are_upgraded_by_one_start_and_followed_until_each_is_there() -> anyhow::Result<()> {
    let (world, operator) = World::ready("aruba-happy", still().estate(|e| e.sizes = aruba::Sizes::each(10))).await?;
    world.upgrade(VERSION_NEW).await?;
    let taken = world.taken().await?;
    assert_eq!(taken.json["currentVersion"], json!(VERSION_OLD));
    let starts = world.central.starts(CUSTOMER, Kind::Cx);
    assert_eq!(starts.len(), 1);
    let told = &starts[0].options;
    assert_eq!(
        (&told["reboot"], &told["exclude_groups"], &told["devices"]),
        (&json!(true), &json!([]), &json!(10))
    );
    let at = told["firmware_scheduled_at"].as_i64().unwrap();
    assert!(
        at > world.central.clock().now().as_second(),
        "scheduled a moment ahead, so that it can be cancelled"
    );

    // A download of five minutes for the first, ten seconds more for each next, four minutes for the reboot.
    world.advance(130 + 300 + 240 + 35)?;
    let halfway = world.until("some are there", |s| s.json["progress"].as_i64() > Some(0)).await?;
    assert_eq!((halfway.state(), halfway.json["progress"].as_i64().unwrap() % 10), ("RUNNING", 0));
    assert!(
        halfway.message().contains(&format!("of 10 devices at {VERSION_NEW}")),
        "{}",
        halfway.message()
    );
    let devices = &halfway.row(ROW)["devices"];
    assert_eq!(
        (&devices["total"], devices["atVersion"].as_i64() > Some(0)),
        (&json!(10), true),
        "{:#}",
        halfway.json
    );
    world.finish()?;
    let done = world.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(
        (&done.json["currentVersion"], &done.json["progress"]),
        (&json!(VERSION_NEW), &json!(100))
    );
    world.assert_started(1, 1);
    assert_eq!(world.told_by_receipts().await?, ["Accepted/Succeeded"]);
    assert_eq!(world.central.at_version(CUSTOMER, Kind::Cx, VERSION_NEW)?, 10);
    assert_eq!((world.central.logins(), world.central.reuses()), (1, 0));
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    Ok(())
}

#[tokio::test]
async fn a_customer_whose_devices_are_all_there_gets_no_start() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-there", still()).await?;
    world.upgrade(VERSION_OLD).await?;
    world.reason("SUCCESS", "AlreadyAtVersion").await?;
    world.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn each_device_goes_to_the_build_that_was_recommended_when_it_was_started_whatever_is_recommended_later() -> anyhow::Result<()> {
    let estate = still().estate(|e| (e.models, e.sizes) = (3, aruba::Sizes::each(6)));
    let (world, _operator) = World::ready("aruba-recommended", estate).await?;
    world.upgrade_with(json!({}), json!({"recommended": true})).await?;
    world.taken().await?;
    let starts = world.central.starts(CUSTOMER, Kind::Cx);
    assert_eq!(starts[0].version, aruba::RECOMMENDED, "no version was sent");
    // The recommendation moves while they are on their way.
    world.central.recommend(Kind::Cx, None, Kind::Cx.version_newer())?;
    world.looks(1).await?;
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    world.assert_started(1, 1);
    let versions: std::collections::BTreeSet<String> = world
        .central
        .units(CUSTOMER, Kind::Cx)?
        .iter()
        .map(|unit| unit.version.to_string())
        .collect();
    assert_eq!(versions.len(), 3, "each model at its own: {versions:?}");
    Ok(())
}

#[tokio::test]
async fn swarms_of_access_points_are_never_told_whether_to_reboot() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-iap", still().settings(|s| s.iap_reboot = aruba::Ignored::Refused)).await?;
    let version = Kind::Iap.version_new();
    world
        .upgrade_with(json!({"version": version}), json!({"deviceType": "IAP", "reboot": null}))
        .await?;
    world.taken().await?;
    assert_eq!(world.central.starts(CUSTOMER, Kind::Iap)[0].options["reboot"], json!(null));
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!((world.central.starts(CUSTOMER, Kind::Iap).len(), world.posts().len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn devices_of_an_excluded_group_are_left_alone_and_do_not_count() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-excluded", still()).await?;
    let lab = aruba::group(0);
    world
        .upgrade_with(json!({"version": VERSION_NEW}), json!({"excludeGroups": [lab]}))
        .await?;
    world.taken().await?;
    assert_eq!(world.central.starts(CUSTOMER, Kind::Cx)[0].options["exclude_groups"], json!([lab]));
    world.finish()?;
    let done = world.reason("SUCCESS", "UpgradeSucceeded").await?;
    let devices = &done.row(ROW)["devices"];
    assert_eq!((&devices["total"], &devices["excluded"]), (&json!(2), &json!(2)), "{:#}", done.json);
    assert_eq!(world.central.at_version(CUSTOMER, Kind::Cx, VERSION_NEW)?, 2);
    world.assert_started(1, 1);
    Ok(())
}
