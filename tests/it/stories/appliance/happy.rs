//! Updates that go well, in the appliance's own words and through its restart.

use serde_json::json;

use crate::sim::appliance::InstallAnswer;
use crate::sim::appliance::Retention;
use crate::sim::appliance::SlowBoot;
use crate::sim::appliance::TaskNulls;
use crate::sim::appliance::UpdatesForm;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_OLD;
use crate::sim::appliance::VersionForm;
use crate::sim::appliance::Wording;
use crate::site::Site;
use crate::site::quick;
use crate::site::still;

#[tokio::test]
async fn an_update_is_followed_through_its_restart_and_never_called_failed_meanwhile() -> anyhow::Result<()> {
    let (site, operator) = Site::ready("ap-happy", still()).await?;
    site.update(VERSION_NEW).await?;
    site.reason("STARTED", "Started").await?;
    let queued = site.until("its own word", |s| s.row("srm-a")["vendorState"] == "QUEUED").await?;
    assert_eq!(
        (queued.state(), queued.json["currentVersion"].as_str()),
        ("STARTED", Some(VERSION_OLD))
    );
    assert!(queued.message().contains("QUEUED"), "{queued:?}");
    let row = queued.row("srm-a");
    let job = row["job"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        job,
        site.appliance.tasks().last().unwrap().0.id,
        "the task that the appliance itself named"
    );

    site.advance(10 + 60).await;
    let running = site.until("a progress", |s| !s.json["progress"].is_null()).await?;
    assert_eq!(
        (running.state(), running.row("srm-a")["vendorState"].as_str()),
        ("RUNNING", Some("RUNNING"))
    );
    let first = running.json["progress"].as_i64().unwrap();
    site.advance(120).await;
    let further = site.until("more progress", |s| s.json["progress"].as_i64() > Some(first)).await?;
    assert!(further.json["progress"].as_i64() < Some(100), "{further:?}");

    site.advance(120).await;
    assert!(site.appliance.is_down());
    let away = site.reason("RUNNING", "OutOfSight").await?;
    assert!(
        away.message().contains("looking again until"),
        "says for how long: {}",
        away.message()
    );
    assert_eq!(away.json["progress"], further.json["progress"], "as far as it was last seen");
    site.connected("Unreachable").await?;

    // Up again, but not all of it, and without the sessions of before.
    site.advance(120).await;
    assert!(!site.appliance.is_down());
    site.looks(2).await?;
    site.advance(120).await;
    let done = site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(
        (&done.json["currentVersion"], &done.json["progress"]),
        (&json!(VERSION_NEW), &json!(100))
    );
    assert_eq!(done.condition("Ready", "status"), "True");
    site.connected("Reachable").await?;
    site.assert_started(1, 1);
    assert_eq!(site.told_by_receipts().await?, ["Accepted/Succeeded"]);
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    assert_eq!(site.appliance.live_sessions(), 0, "it logged out");
    Ok(())
}

/// What the vendor's documents leave open, in several combinations at once: none may make a difference to how often is started.
#[tokio::test]
async fn whatever_the_documents_leave_open_nothing_is_started_twice() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-forms", quick()).await?;
    // No id to follow by, and no task left after the restart.
    let blind = quick().settings(|s| {
        (s.install_answer, s.retention) = (InstallAnswer::Empty, Retention::LoseAll);
        (s.wording, s.updates_form) = (Wording::Absent, UpdatesForm::Array);
    });
    // The version as it is listed is not the one that is shown in the end.
    let dotted = quick().settings(|s| {
        (s.version_form, s.slow_boot) = (VersionForm::Dotted, SlowBoot::All503);
        (s.task_nulls, s.progress, s.task_times) = (TaskNulls::AllNull, false, false);
    });
    // By its build only, and there is no task to say that it is done.
    let short = quick().settings(|s| {
        (s.version_form, s.retention) = (VersionForm::WithoutBuild, Retention::LoseAll);
        (s.install_answer, s.wording, s.update_nulls) = (InstallAnswer::WithoutId, Wording::Meaningless, true);
    });
    let blind = site.beside("srm-blind", blind).await?;
    let dotted = site.beside("srm-dotted", dotted).await?;
    let short = site.beside("srm-short", short).await?;
    let listed = [
        (&site, VERSION_NEW),
        (&blind, VERSION_NEW),
        (&dotted, "9.0.2.10455"),
        (&short, "9.0.2"),
    ];
    for (site, version) in listed {
        site.update(version).await?;
    }
    for (site, version) in listed {
        let done = site.reason("SUCCESS", "UpgradeSucceeded").await?;
        assert_eq!(done.json["currentVersion"], VERSION_NEW, "{version}: {done:?}");
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_appliance_that_is_there_already_is_left_alone_and_one_is_never_taken_back() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-there", quick()).await?;
    site.update_as("there", json!({"version": VERSION_OLD})).await?;
    // Without its build it is the same version: nothing to do.
    site.update_as("build", json!({"version": "9.0.0"})).await?;
    site.update_as("older", json!({"version": "8.8.0-1"})).await?;
    site.reason_as("there", "SUCCESS", "AlreadyAtVersion").await?;
    site.reason_as("build", "SUCCESS", "AlreadyAtVersion").await?;
    let older = site.reason_as("older", "REJECTED", "WouldDowngrade").await?;
    assert!(older.message().contains("newer version"), "says what to do: {}", older.message());
    site.assert_started(0, 0);
    assert_eq!(site.appliance.version(), VERSION_OLD);
    Ok(())
}
