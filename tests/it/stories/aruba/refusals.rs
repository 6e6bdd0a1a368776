//! What is refused, by Central or before anything is sent, and devices that do not do what they were told.

use serde_json::json;

use crate::central::World;
use crate::central::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Diligence;
use crate::sim::aruba::Ends;
use crate::sim::aruba::Kind;
use crate::sim::aruba::UnknownCustomer;
use crate::sim::aruba::VERSION_NEW;

#[tokio::test]
async fn an_upgrade_of_no_devices_is_never_a_success_and_never_sent() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-nobody", still().estate(|e| e.sizes.cx = 0)).await?;
    world.upgrade(VERSION_NEW).await?;
    let waits = world.waiting("NoDevicesInScope").await?;
    assert!(waits.message().contains("has no CX devices"), "{}", waits.message());
    world.looks(2).await?;
    world.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn a_group_that_was_mistyped_stops_the_upgrade_before_its_start() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-typo", still()).await?;
    world
        .upgrade_with(json!({"version": VERSION_NEW}), json!({"excludeGroups": ["TestGroupp1"]}))
        .await?;
    let waits = world.waiting("GroupNotFound").await?;
    assert!(waits.message().contains("TestGroupp1"), "{}", waits.message());
    world.looks(2).await?;
    world.assert_started(0, 0);
    // It is mended, and goes on.
    world
        .upgrade_with(json!({"version": VERSION_NEW}), json!({"excludeGroups": [aruba::group(0)]}))
        .await?;
    world.taken().await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_group_without_devices_of_this_type_is_no_typing_error() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-empty-group", still()).await?;
    // All CX switches move to the other group.
    world.central.edit_units(CUSTOMER, Kind::Cx, |_, unit, _| unit.group = 1)?;
    world
        .upgrade_with(json!({"version": VERSION_NEW}), json!({"excludeGroups": [aruba::group(0)]}))
        .await?;
    world.taken().await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_version_that_one_of_the_models_cannot_have_is_not_asked_for() -> anyhow::Result<()> {
    let estate = still().estate(|e| (e.models, e.sizes) = (2, aruba::Sizes::each(8)));
    let (world, _operator) = World::ready("aruba-not-offered", estate).await?;
    // What is offered for the second model's devices lacks the version.
    let second: Vec<String> = (0..8)
        .filter(|n| n / 2 % 2 == 1)
        .map(|n| aruba::Place::new(0, Kind::Cx, n).id())
        .collect();
    for serial in &second {
        let lacks = Action::WrongType {
            with: Some(json!([{"firmware_version": "10.11.1021"}])),
        };
        let asked = aruba::version_reads().query(&format!("serial={serial}"));
        world.central.faults().add(crate::sim::Rule::new(lacks).on(asked));
    }
    world.upgrade(VERSION_NEW).await?;
    let waits = world.waiting("VersionNotOffered").await?;
    assert!(
        waits.message().contains("6200F 24G") && !waits.message().contains("6300M"),
        "{}",
        waits.message()
    );
    world.looks(2).await?;
    world.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn devices_that_are_reached_and_did_not_move_are_a_failure_at_the_timeout_and_not_before() -> anyhow::Result<()> {
    for (story, ends, diligence) in [
        ("aruba-fails", Ends::Fails, Diligence::Moves),
        ("aruba-silent", Ends::Success, Diligence::Silent),
    ] {
        let config = still().pace(|p| (p.ends, p.ends_every, p.cx, p.cx_every) = (ends.clone(), 2, diligence, 2));
        let (world, _operator) = World::ready(story, config).await?;
        world
            .upgrade_with(json!({"version": VERSION_NEW, "timeout": "2h"}), json!({}))
            .await?;
        world.taken().await?;
        world.finish()?;
        world.until("half are there", |s| s.json["progress"] == json!(50)).await?;
        world.looks(2).await?;
        world.advance(2 * 3600)?;
        let failed = world.until("FAILED", |s| s.state() == "FAILED").await?;
        assert!(
            failed.message().contains("2 of 4") && failed.message().contains("6300M"),
            "{}",
            failed.message()
        );
        world.assert_started(1, 1);
        assert_eq!(world.told_by_receipts().await?, ["Accepted/Failed"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_that_central_does_not_know_gets_no_start_and_says_where_to_look() -> anyhow::Result<()> {
    for (story, unknown, reason, says) in [
        ("aruba-unknown", UnknownCustomer::NotFound, "TargetNotFound", "customerId"),
        (
            "aruba-forbidden",
            UnknownCustomer::Forbidden,
            "Evaluating",
            "may not do list_devices",
        ),
        ("aruba-invalid", UnknownCustomer::Invalid, "Evaluating", "0004"),
    ] {
        let (world, _operator) = World::ready(story, still().settings(|s| s.unknown_customer = unknown)).await?;
        world
            .upgrade_with(json!({"version": VERSION_NEW}), json!({"customerId": "4d1cffff"}))
            .await?;
        let says_so = |s: &crate::ground::Status| s.waiting_for() == reason && s.message().contains(says);
        world.until(reason, says_so).await?;
        world.assert_started(0, 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_centrals_is_shown_in_its_words_and_not_tried_again() -> anyhow::Result<()> {
    for (story, status, reason, says) in [
        ("aruba-400", 400, 4, "0004"),
        ("aruba-403", 403, 1, "may not upgrade this customer"),
        ("aruba-404", 404, 1, "or this Central does not have upgrades by customer"),
        ("aruba-413", 413, 1, "fewer groups"),
        ("aruba-417", 417, 1, "expects"),
    ] {
        let (world, _operator) = World::ready(story, still()).await?;
        world.next_start(Action::Refuse {
            status,
            reason,
            when: When::Before,
        });
        world.upgrade(VERSION_NEW).await?;
        let refused = world.reason("REJECTED", "VendorRejected").await?;
        assert!(refused.message().contains(says), "{}", refused.message());
        world.assert_started(0, 1);
        assert_eq!(world.told_by_receipts().await?, ["Rejected/Rejected"]);
    }
    Ok(())
}
