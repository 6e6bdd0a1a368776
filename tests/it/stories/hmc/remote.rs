//! Remote firmware updates: Windlass asks for a token at most once, hands it over in a Secret, and follows what IBM schedules with it.

use std::time::Duration;

use serde_json::json;

use crate::console::Console;
use crate::console::still;
use crate::ground::Operator;
use crate::ground::Status;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::Ends;
use crate::sim::hmc::PASSWORD;
use crate::sim::hmc::USER;
use crate::sim::hmc::User;

fn handed_over(status: &Status) -> bool {
    status.waiting_for() == "WaitingForVendor" && status.message().contains("give it to IBM")
}

/// A console whose upgrade was authorized, and the token lies where people find it.
async fn authorized(story: &str, config: crate::sim::hmc::Config) -> anyhow::Result<(Console, Operator)> {
    let (console, operator) = Console::ready(story, config).await?;
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.until("the token is handed over", handed_over).await?;
    Ok((console, operator))
}

/// IBM schedules the update in so many seconds, and Windlass has seen it.
async fn scheduled(console: &Console, secs: u64) -> anyhow::Result<String> {
    let id = console.hmc.ibm().schedule_with_newest(BUNDLE_NEW, Duration::from_secs(secs), 60)?;
    let seen = |s: &Status| s.message().contains("IBM scheduled") && s.row("hmc1")["scheduledAt"].is_string();
    console.until("what IBM scheduled", seen).await?;
    Ok(id)
}

#[tokio::test]
async fn one_token_is_asked_for_handed_over_and_what_ibm_schedules_is_followed_to_its_end() -> anyhow::Result<()> {
    let (console, operator) = authorized("rfu-happy", still()).await?;
    let waits = console.reason("STARTED", "WaitingForVendor").await?;
    assert!(
        waits
            .message()
            .contains("Secret windlass-tokens, key hmc1.remote-firmware-update-token, until "),
        "{}",
        waits.message()
    );
    let token = console.hmc.tokens()[0].value.clone();
    assert_eq!(console.kept_token().await?.as_deref(), Some(token.as_str()));
    console.looks(2).await?;
    console.assert_authorized(1, 1);

    let id = scheduled(&console, 2).await?;
    let status = console.reason("STARTED", "WaitingForVendor").await?;
    assert_eq!(status.row("hmc1")["job"], json!(console.hmc.ibm().update(&id).unwrap().uri()));
    console.advance(3).await;
    let running = console.reason("RUNNING", "Running").await?;
    assert_eq!(running.row("hmc1")["vendorState"], json!("running"));
    console.advance(60).await;
    let far = |s: &Status| s.json["progress"].as_i64().is_some_and(|percent| (1..100).contains(&percent)) && s.message().contains("; ");
    console.until("how far it is, and its step", far).await?;
    console.advance(310).await;
    console.reason("RUNNING", "OutOfSight").await?;
    console.finish().await;
    let done = console.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(done.json["currentVersion"], json!(BUNDLE_NEW));
    console.assert_authorized(1, 1);
    assert_eq!(console.told_by_receipts().await?, ["Accepted/Succeeded"]);
    let readable = console.readable(&[&operator]).await?;
    assert!(
        readable.contains("WaitingForVendor") && !readable.contains(&token),
        "the token is in its Secret and nowhere else"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_good_is_used_and_no_second_one_is_asked_for() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("rfu-there", still()).await?;
    let token = console.hmc.new_token()?;
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.until("the token is handed over", handed_over).await?;
    assert_eq!(console.kept_token().await?, Some(token.value));
    scheduled(&console, 2).await?;
    console.advance(3).await;
    console.reason("RUNNING", "Running").await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_authorized(0, 0);
    Ok(())
}

#[tokio::test]
async fn what_ibm_has_scheduled_is_adopted_without_a_call_and_another_bundle_is_waited_for() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("rfu-adopt", still()).await?;
    let token = console.hmc.new_token()?;
    let ibm = console.hmc.ibm();
    let foreign = ibm.schedule(&token.value, "H29", Duration::from_hours(24), 60)?;
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    let busy = console.waiting("TargetBusy").await?;
    assert!(busy.message().contains("H29"), "{}", busy.message());
    ibm.withdraw(&foreign)?;
    let ours = ibm.schedule(&token.value, BUNDLE_NEW, Duration::from_hours(24), 60)?;
    let seen = |s: &Status| s.state() == "STARTED" && s.message().contains("IBM scheduled");
    console.until("adopted", seen).await?;
    ibm.move_to_peer(&ours)?;
    console
        .until("the peer has it", |s| s.message().contains("scheduled-on-peer"))
        .await?;
    console.assert_authorized(0, 0);
    assert_eq!(console.told_by_receipts().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn authorize_never_asks_for_nothing_and_follows_what_comes() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("rfu-follow", still()).await?;
    console.remote(BUNDLE_NEW, "Never").await?;
    let waits = console.waiting("WaitingForVendor").await?;
    assert!(waits.message().contains("authorize is Never"), "{}", waits.message());
    let token = console.hmc.new_token()?;
    console.hmc.ibm().schedule(&token.value, BUNDLE_NEW, Duration::from_secs(2), 60)?;
    console.until("adopted", |s| s.state() == "STARTED").await?;
    console.advance(3).await;
    console.reason("RUNNING", "Running").await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_authorized(0, 0);
    Ok(())
}

#[tokio::test]
async fn an_authorization_whose_answer_was_lost_is_found_by_its_token_and_never_sent_again() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("rfu-lost", still()).await?;
    console.next_authorization(Action::Drop { when: When::After });
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.until("the token is handed over", handed_over).await?;
    console.looks(2).await?;
    console.assert_authorized(1, 1);
    assert_eq!(console.told_by_receipts().await?, ["Lost+adopted/open"]);
    Ok(())
}

#[tokio::test]
async fn an_authorization_that_never_arrived_is_sent_again_only_after_the_grace_period() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("rfu-never", still()).await?;
    console.next_authorization(Action::Drop { when: When::Before });
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.until("in doubt", |s| s.state() == "UNKNOWN").await?;
    console.assert_authorized(0, 1);
    console.until("the token is handed over", handed_over).await?;
    console.assert_authorized(1, 2);
    assert_eq!(console.told_by_receipts().await?, ["Lost/NotTaken", "Accepted/open"]);
    Ok(())
}

#[tokio::test]
async fn a_crash_right_after_the_token_was_issued_never_asks_for_another() -> anyhow::Result<()> {
    let (console, operator) = Console::ready("rfu-crash", still()).await?;
    let rule = console.next_authorization(Action::Hang { when: When::After });
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.hmc.faults().wait_until_hit(rule).await?;
    operator.kill9().await?;
    let _next = console.operator().await?;
    console.until("the token is handed over", handed_over).await?;
    console.assert_authorized(1, 1);
    let token = console.hmc.tokens()[0].value.clone();
    assert_eq!(console.kept_token().await?, Some(token));
    Ok(())
}

#[tokio::test]
async fn a_token_that_runs_out_unused_ends_the_run_and_is_not_replaced_unasked() -> anyhow::Result<()> {
    let mut console = Console::new("rfu-expired", still()).await?;
    console.timing["permissionLife"] = json!(15_000);
    console.connect().await?;
    let _operator = console.operator().await?;
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.until("the token is handed over", handed_over).await?;
    console.advance(7 * 86_400 + 1).await;
    let failed = console.reason("FAILED", "TokenExpired").await?;
    assert!(failed.message().contains("new spec.runKey"), "{}", failed.message());
    console.looks(2).await.ok();
    console.assert_authorized(1, 1);
    let how = json!({"remoteSchedule": {"authorize": "IfNeeded"}});
    console
        .upgrade_as("u", json!({"version": BUNDLE_NEW, "hmcConsole": how, "runKey": "again"}))
        .await?;
    console.until("the token is handed over", handed_over).await?;
    console.assert_authorized(2, 2);
    Ok(())
}

#[tokio::test]
async fn what_ibm_withdraws_before_its_time_is_cancelled() -> anyhow::Result<()> {
    let (console, _operator) = authorized("rfu-withdrawn", still()).await?;
    let id = scheduled(&console, 86_400).await?;
    console.hmc.ibm().withdraw(&id)?;
    let cancelled = console.reason("CANCELLED", "VendorCancelled").await?;
    assert!(cancelled.message().contains("withdrawn"), "{}", cancelled.message());
    console.assert_authorized(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_time_that_ibm_moves_is_followed_and_what_is_run_early_is_no_withdrawal() -> anyhow::Result<()> {
    let (console, _operator) = authorized("rfu-moved", still()).await?;
    let id = scheduled(&console, 86_400).await?;
    let first = console.reason("STARTED", "WaitingForVendor").await?.row("hmc1")["scheduledAt"].clone();
    console.hmc.ibm().reschedule(&id, Duration::from_hours(72))?;
    let moved = |s: &Status| s.row("hmc1")["scheduledAt"].is_string() && s.row("hmc1")["scheduledAt"] != first;
    console.until("the new time", moved).await?;
    console.hmc.ibm().run_now(&id)?;
    console.reason("RUNNING", "Running").await?;
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_authorized(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_install_and_a_remote_update_of_one_console_never_pass_for_each_other() -> anyhow::Result<()> {
    let (console, _operator) = authorized("rfu-both", still()).await?;
    console.upgrade_as("by-itself", json!({"version": BUNDLE_NEW})).await?;
    let busy = console
        .until_as("by-itself", "TargetBusy", |s| s.waiting_for() == "TargetBusy")
        .await?;
    assert!(busy.message().contains("FirmwareUpgrade/u upgrades it"), "{}", busy.message());
    console.looks(2).await?;
    console.assert_authorized(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_update_that_fails_at_the_console_is_failed_only_after_the_grace_period_and_is_not_asked_for_again() -> anyhow::Result<()> {
    let (console, _operator) = authorized("rfu-failed", still().console(|c| c.ends = Ends::Nothing)).await?;
    scheduled(&console, 2).await?;
    console.advance(3).await;
    console.reason("RUNNING", "Running").await?;
    console.finish().await;
    console.reason("RUNNING", "OutOfSight").await?;
    let failed = console.reason("FAILED", "VendorFailed").await?;
    assert!(
        failed.message().contains("no longer on the console's schedule"),
        "{}",
        failed.message()
    );
    console.assert_authorized(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_word_that_nobody_documents_is_neither_an_end_nor_a_start() -> anyhow::Result<()> {
    let (console, _operator) = authorized("rfu-word", still()).await?;
    let id = scheduled(&console, 3600).await?;
    console.hmc.ibm().show_as(&id, Some("levitating"))?;
    console.until("it is shown", |s| s.message().contains("levitating")).await?;
    console.hmc.ibm().show_as(&id, None)?;
    console.reason("STARTED", "WaitingForVendor").await?;
    console.assert_authorized(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_time_outside_of_the_schedule_here_is_told_and_binds_nobody() -> anyhow::Result<()> {
    let (console, operator) = Console::ready("rfu-outside", still()).await?;
    // Open around now, and not in five days.
    let now = jiff::Timestamp::now();
    let hours = |n: i64| (now + jiff::SignedDuration::from_hours(n)).to_string();
    let schedule = json!({"freezes": [{"from": hours(48), "until": hours(24 * 30), "reason": "year-end"}]});
    let how = json!({"remoteSchedule": {"authorize": "IfNeeded"}});
    console
        .upgrade_as("u", json!({"version": BUNDLE_NEW, "hmcConsole": how, "schedule": schedule}))
        .await?;
    console.until("the token is handed over", handed_over).await?;
    console.hmc.ibm().schedule_with_newest(BUNDLE_NEW, Duration::from_hours(120), 60)?;
    let told = console
        .until("it is told", |s| s.message().contains("outside of the schedule"))
        .await?;
    assert_eq!(told.state(), "STARTED");
    let readable = console.readable(&[&operator]).await?;
    assert!(readable.contains("ScheduledOutsideWindow"), "an Event tells it, too");
    Ok(())
}

#[tokio::test]
async fn a_user_who_may_not_authorize_is_refused_in_the_vendors_words_or_told_before() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("rfu-task", still()).await?;
    console.next_authorization(Action::Refuse {
        status: 403,
        reason: 1,
        when: When::Before,
    });
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    let refused = console.reason("REJECTED", "VendorRejected").await?;
    assert!(
        refused.message().contains("Manage Remote Firmware Updates"),
        "{}",
        refused.message()
    );
    console.assert_authorized(0, 1);

    // Without the task not even the list can be seen, and nothing is asked for blindly.
    let blind = Console::new("rfu-blind", still()).await?;
    blind.hmc.set_users(vec![User::reader(USER, PASSWORD)]);
    blind.connect().await?;
    let _operator = blind.operator().await?;
    blind.remote(BUNDLE_NEW, "IfNeeded").await?;
    let told = |s: &Status| s.waiting_for() == "ConnectionNotReady" && s.message().contains("Manage Remote Firmware Updates");
    blind.until("it says which task is missing", told).await?;
    blind.assert_authorized(0, 0);
    Ok(())
}

#[tokio::test]
async fn a_resource_deleted_and_applied_again_asks_for_no_second_token() -> anyhow::Result<()> {
    let (console, _operator) = authorized("rfu-again", still()).await?;
    let upgrades = console.api::<windlass::api::FirmwareUpgrade>();
    upgrades.delete("u", &kube::api::DeleteParams::default()).await?;
    console.remote(BUNDLE_NEW, "IfNeeded").await?;
    console.until("the token is handed over", handed_over).await?;
    console.looks(2).await?;
    console.assert_authorized(1, 1);
    Ok(())
}
