//! What IBM has on the console's schedule, and what somebody else began there: waited for, and never joined or overtaken.

use std::time::Duration;

use crate::console::Console;
use crate::console::still;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::BUNDLE_NEWER;

#[tokio::test]
async fn nothing_is_installed_while_ibm_has_an_update_on_its_schedule() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-ibm", still()).await?;
    let token = console.hmc.new_token()?;
    let id = console
        .hmc
        .ibm()
        .schedule(&token.value, BUNDLE_NEWER, Duration::from_hours(24), 60)?;
    console.upgrade(BUNDLE_NEW).await?;
    let busy = console.waiting("TargetBusy").await?;
    assert!(busy.message().contains(BUNDLE_NEWER), "{}", busy.message());
    console.hmc.ibm().show_as(&id, Some("awaiting-moonrise"))?;
    console.looks(2).await?;
    console.hmc.ibm().show_as(&id, None)?;
    console.hmc.ibm().move_to_peer(&id)?;
    console.looks(2).await?;
    console.assert_started(0, 0);
    console.hmc.ibm().withdraw(&id)?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn two_upgrades_of_one_console_are_never_under_way_together() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-two", still()).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.upgrade_as("next", serde_json::json!({"version": BUNDLE_NEWER})).await?;
    let busy = console.until_as("next", "waits", |s| s.waiting_for() == "TargetBusy").await?;
    assert!(busy.message().contains("FirmwareUpgrade/u"), "says for whom: {}", busy.message());
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.until_as("next", "its job runs", |s| s.state() == "RUNNING").await?;
    console.finish().await;
    console.reason_as("next", "SUCCESS", "UpgradeSucceeded").await?;
    console.assert_started(2, 2);
    Ok(())
}
