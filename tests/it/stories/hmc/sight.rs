//! A console that cannot be seen, or comes back otherwise than expected: nothing fails by it, and nothing begins again.

use crate::console::Console;
use crate::console::still;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::Ends;

#[tokio::test]
async fn a_job_that_the_restart_forgot_is_no_failure_and_the_bundle_tells() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-forgot", still().settings(|s| s.jobs_survive_restart = false)).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.advance(370).await;
    console.reason("RUNNING", "OutOfSight").await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_console_back_at_a_bundle_that_nobody_asked_for_is_never_called_a_success_or_upgraded_again() -> anyhow::Result<()> {
    let ends = Ends::ThirdBundle("H28".to_owned());
    let (console, _operator) = Console::ready("hmc-third", still().console(|c| c.ends = ends)).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.finish().await;
    let says = |s: &crate::ground::Status| s.reason() == "OutOfSight" && s.message().contains("H28");
    console.until("both strings are shown", says).await?;
    console.looks(2).await?;
    console.assert_started(1, 1);
    console.resolve("Failed").await?;
    console.reason("FAILED", "VendorFailed").await?;
    console.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_console_that_says_done_and_is_where_it_was_is_no_success() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-nothing", still().console(|c| c.ends = Ends::Nothing)).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.finish().await;
    let says = |s: &crate::ground::Status| s.reason() == "OutOfSight" && s.message().contains("still at");
    console.until("it is said", says).await?;
    console.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_operator_that_starts_in_mid_run_goes_on_following_the_job() -> anyhow::Result<()> {
    let (console, operator) = Console::ready("hmc-restart", still()).await?;
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    operator.kill9().await?;
    let _next = console.operator().await?;
    console.looks(2).await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_started(1, 1);
    Ok(())
}
