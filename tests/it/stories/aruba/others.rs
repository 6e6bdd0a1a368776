//! Other people at the same Central.

use crate::central::World;
use crate::central::still;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Kind;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::aruba::VERSION_NEWER;
use crate::sim::aruba::Wanted;

#[tokio::test]
async fn an_upgrade_that_somebody_else_scheduled_is_waited_for_and_never_taken_for_ours() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-busy", still()).await?;
    let later = world.central.clock().now().as_second() + 3600;
    world
        .central
        .start_elsewhere(CUSTOMER, &Wanted::new(Kind::Cx, VERSION_NEWER).at(later))?;
    world.upgrade(VERSION_NEW).await?;
    let waits = world.waiting("TargetBusy").await?;
    assert!(waits.message().contains("not by Windlass"), "{}", waits.message());
    world.looks(2).await?;
    world.assert_started(0, 0);
    // They think better of it.
    world.central.cancel_elsewhere(CUSTOMER, Kind::Cx)?;
    world.taken().await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn devices_that_somebody_else_brought_to_the_version_need_no_start() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-done", still()).await?;
    let soon = world.central.clock().now().as_second() + 60;
    world
        .central
        .start_elsewhere(CUSTOMER, &Wanted::new(Kind::Cx, VERSION_NEW).at(soon))?;
    world.upgrade(VERSION_NEW).await?;
    world.waiting("TargetBusy").await?;
    // Central's clock alone: what is written into the ledger is held against the API server's.
    world.central.clock().advance(std::time::Duration::from_secs(1800));
    world.reason("SUCCESS", "AlreadyAtVersion").await?;
    world.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn an_order_that_somebody_takes_back_before_its_time_is_cancelled_and_not_sent_again() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-cancel", still()).await?;
    world.upgrade(VERSION_NEW).await?;
    world.taken().await?;
    // The operator has seen it stand on the devices.
    world.looks(2).await?;
    world.central.cancel_elsewhere(CUSTOMER, Kind::Cx)?;
    world.reason("CANCELLED", "VendorCancelled").await?;
    world.assert_started(1, 1);
    Ok(())
}
