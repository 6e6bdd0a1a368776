//! Installs whose answer was lost: found by the bundle or by a person, and never sent again without one of them.

use serde_json::json;

use crate::console::Console;
use crate::console::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::hmc::BUNDLE_NEW;

#[tokio::test]
async fn an_install_whose_answer_was_lost_is_found_by_its_bundle_and_never_sent_again() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-lost", still()).await?;
    console.next_install(Action::Drop { when: When::After });
    console.upgrade(BUNDLE_NEW).await?;
    console.until("in doubt", |s| s.state() == "UNKNOWN").await?;
    console.looks(3).await?;
    console.assert_started(1, 1);
    console.finish().await;
    let done = console.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(done.json["currentVersion"], json!(BUNDLE_NEW));
    console.assert_started(1, 1);
    assert_eq!(console.told_by_receipts().await?, ["Lost+adopted/Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn an_install_that_was_never_taken_waits_for_a_person_and_is_sent_again_on_their_word_only() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-never", still()).await?;
    console.next_install(Action::Drop { when: When::Before });
    console.upgrade(BUNDLE_NEW).await?;
    // A console at rest proves nothing, however long: an install backs it up first, and no list has its job.
    let stalled = console.reason("UNKNOWN", "NeedsResolution").await?;
    assert_eq!(stalled.condition("Stalled", "status"), "True");
    assert!(stalled.message().contains("resolve receipt"), "{}", stalled.message());
    console.assert_started(0, 1);
    console.resolve("NotStarted").await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.assert_started(1, 2);
    Ok(())
}

#[tokio::test]
async fn a_crash_right_after_the_commit_never_leads_to_a_second_install() -> anyhow::Result<()> {
    let (console, operator) = Console::ready("hmc-crash", still()).await?;
    let rule = console.next_install(Action::Hang { when: When::After });
    console.upgrade(BUNDLE_NEW).await?;
    console.hmc.faults().wait_until_hit(rule).await?;
    operator.kill9().await?;
    let _next = console.operator().await?;
    console.until("in doubt", |s| s.state() == "UNKNOWN").await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_started(1, 1);
    Ok(())
}
