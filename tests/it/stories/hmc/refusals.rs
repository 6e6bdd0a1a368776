//! Consoles that do not take a start, or do not let us in: said in their own words, and never asked twice for the same.

use serde_json::json;

use crate::console::Console;
use crate::console::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::Console as Shape;
use crate::sim::hmc::Ends;
use crate::sim::hmc::Failure;
use crate::sim::hmc::Mfa;
use crate::sim::hmc::PASSWORD;
use crate::sim::hmc::USER;
use crate::sim::hmc::User;

fn refuse(status: u16, reason: u32) -> Action {
    Action::Refuse {
        status,
        reason,
        when: When::Before,
    }
}

#[tokio::test]
async fn a_user_who_may_not_install_is_refused_in_the_vendors_words_and_never_asks_again() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-task", still()).await?;
    console.next_install(refuse(403, 1));
    console.upgrade(BUNDLE_NEW).await?;
    let refused = console.reason("REJECTED", "VendorRejected").await?;
    assert!(refused.message().contains("403"), "{}", refused.message());
    console.looks(2).await?;
    console.assert_started(0, 1);
    // Mended there, and asked for anew.
    console.upgrade_as("u", json!({"version": BUNDLE_NEW, "runKey": "again"})).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.assert_started(1, 2);
    Ok(())
}

#[tokio::test]
async fn a_console_that_is_busy_is_asked_again_with_a_new_receipt() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-busy", still()).await?;
    console.next_install(refuse(409, 2));
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_started(1, 2);
    assert_eq!(console.told_by_receipts().await?, ["NotTaken/NotTaken", "Accepted/Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn a_session_that_dies_between_permit_and_start_is_never_sent_with_the_same_permit_again() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-session", still()).await?;
    console.next_install(Action::ExpireSessions);
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.assert_started(1, 2);
    assert_eq!(console.told_by_receipts().await?, ["NotTaken/NotTaken", "Accepted/open"]);
    Ok(())
}

#[tokio::test]
async fn a_console_that_says_it_is_there_already_is_believed_after_one_look_more() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-356", still()).await?;
    console.next_install(refuse(400, 356));
    console.upgrade(BUNDLE_NEW).await?;
    console.reason("SUCCESS", "AlreadyAtVersion").await?;
    console.looks(2).await?;
    console.assert_started(0, 1);
    Ok(())
}

#[tokio::test]
async fn an_install_that_fails_tells_the_vendors_words_and_is_never_repeated() -> anyhow::Result<()> {
    let ends = Ends::Failure(Failure::new("The bundle could not be read from the server."));
    let (console, _operator) = Console::ready("hmc-failed", still().console(|c| c.ends = ends)).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.finish().await;
    let failed = console.reason("FAILED", "VendorFailed").await?;
    assert!(
        failed.message().contains("could not be read from the server"),
        "{}",
        failed.message()
    );
    console.looks(2).await?;
    console.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_cancelled_there_is_never_begun_again_unasked() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-canceled", still()).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.hmc.cancel_job(&console.hmc.jobs()[0].id)?;
    console.finish().await;
    console.reason("CANCELLED", "VendorCancelled").await?;
    console.looks(2).await?;
    console.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_console_that_cannot_be_upgraded_by_its_api_says_so_and_is_never_asked() -> anyhow::Result<()> {
    let plain = still().console(|c| *c = Shape::z16("", &[]).without_bundle());
    let (console, _operator) = Console::ready("hmc-cannot", plain).await?;
    console.upgrade(BUNDLE_NEW).await?;
    let said = console.connected("Unsupported").await?;
    assert!(said.contains("bundle"), "{said}");
    let blocked = |s: &crate::ground::Status| s.waiting_for() == "ConnectionNotReady" && s.message().contains("bundle");
    console.until("says why it waits", blocked).await?;
    console.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn a_user_with_a_second_factor_is_told_why_it_cannot_be_used() -> anyhow::Result<()> {
    let console = Console::new("hmc-mfa", still()).await?;
    console
        .hmc
        .set_users(vec![User::manager(USER, PASSWORD).with_mfa(Mfa::CodeMissing)]);
    console.connect().await?;
    let _operator = console.operator().await?;
    let said = console.connected("SecondFactorRequired").await?;
    assert!(said.to_lowercase().contains("factor"), "{said}");
    Ok(())
}
