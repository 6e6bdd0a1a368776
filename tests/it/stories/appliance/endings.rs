//! Updates that end badly, or end as something else than was asked for.

use serde_json::json;

use crate::ground::Ground;
use crate::sim::appliance::Ends;
use crate::sim::appliance::Retention;
use crate::sim::appliance::Trouble;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_OLD;
use crate::sim::appliance::VersionForm;
use crate::site::Site;
use crate::site::quick;
use crate::site::still;

/// The operators' wall clock is past the timeout of every run that begins now.
fn past_the_timeout(ground: &Ground) -> anyhow::Result<()> {
    ground.set_clock(4 * 3600 * 1000)
}

#[tokio::test]
async fn a_failed_update_tells_the_vendors_words_and_is_never_repeated() -> anyhow::Result<()> {
    let ends = Ends::Error(Trouble::new("The update cannot be installed.", "Not enough space on /opt."));
    let (site, _operator) = Site::ready("ap-failed", quick().machine(|m| m.ends = ends)).await?;
    site.update(VERSION_NEW).await?;
    let failed = site.reason("FAILED", "VendorFailed").await?;
    for words in ["ERROR", "The update cannot be installed", "Not enough space on /opt", "spec.runKey"] {
        assert!(failed.message().contains(words), "{words}: {}", failed.message());
    }
    assert_eq!(failed.condition("Stalled", "status"), "True");
    let task = site.appliance.tasks().last().unwrap().0.id.clone();
    assert!(failed.message().contains(&task), "{}", failed.message());

    // Mended, it is not tried again by itself; by a new runKey it is.
    site.appliance.edit_machine(|m| m.ends = Ends::Success);
    site.looks(2).await?;
    site.assert_started(1, 1);
    site.update_as("u", json!({"version": VERSION_NEW, "runKey": "again"})).await?;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(site.told_by_receipts().await?, ["Accepted/Failed", "Accepted/Succeeded"]);
    assert_eq!(site.posts().len(), 2, "one for each runKey");
    Ok(())
}

#[tokio::test]
async fn an_update_that_is_cancelled_there_is_never_begun_again_unasked() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-cancelled", quick().machine(|m| m.ends = Ends::Cancelled)).await?;
    site.update(VERSION_NEW).await?;
    let cancelled = site.reason("CANCELLED", "VendorCancelled").await?;
    assert!(cancelled.message().contains("CANCELLED"), "{}", cancelled.message());
    assert_eq!(cancelled.condition("Stalled", "status"), "True");
    site.appliance.edit_machine(|m| m.ends = Ends::Success);
    site.looks(2).await?;
    site.assert_started(1, 1);
    site.update_as("u", json!({"version": VERSION_NEW, "runKey": "again"})).await?;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(site.told_by_receipts().await?, ["Accepted/Cancelled", "Accepted/Succeeded"]);
    Ok(())
}

/// What a restart leaves of the tasks is not documented, so the version has to do: one that is neither is nobody's success.
#[tokio::test]
async fn a_third_version_without_a_task_is_never_called_a_success_or_a_failure() -> anyhow::Result<()> {
    let other = |version: &str| {
        let ends = Ends::ThirdVersion(version.to_owned());
        quick().settings(|s| s.retention = Retention::LoseAll).machine(|m| m.ends = ends)
    };
    let (site, _operator) = Site::ready("ap-third", other("9.9.9-1")).await?;
    // The same but for its build.
    let build = site.beside("srm-build", other("9.0.2-10456")).await?;
    for (site, shows) in [(&site, "9.9.9-1"), (&build, "9.0.2-10456")] {
        site.update(VERSION_NEW).await?;
        let odd = site.until("a third version", |s| s.message().contains(shows)).await?;
        assert_eq!((odd.state(), odd.reason().as_str()), ("RUNNING", "OutOfSight"), "{odd:?}");
        for version in [shows, VERSION_NEW, VERSION_OLD] {
            assert!(odd.message().contains(version), "names what was compared: {}", odd.message());
        }
    }
    past_the_timeout(&site)?;
    for site in [&site, &build] {
        let lost = site.reason("UNKNOWN", "LostSight").await?;
        assert!(lost.message().contains("resolve receipt"), "says what to do: {}", lost.message());
        assert_eq!(lost.condition("Stalled", "status"), "True");
    }
    site.resolve("Failed").await?;
    site.reason("FAILED", "VendorFailed").await?;
    build.resolve("Succeeded").await?;
    build.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(1, 1);
    build.assert_started(1, 1);
    Ok(())
}

/// The relation between the version of an update and the one that an appliance then shows is not documented either: its own task is
/// believed, and what it shows is told.
#[tokio::test]
async fn the_success_of_its_own_task_is_believed_and_the_version_is_told() -> anyhow::Result<()> {
    let ends = Ends::ThirdVersion("9.0.2.0-build7".to_owned());
    let (site, _operator) = Site::ready("ap-own-word", quick().machine(|m| m.ends = ends)).await?;
    site.update(VERSION_NEW).await?;
    let done = site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert!(done.message().contains("9.0.2.0-build7"), "{}", done.message());
    assert_eq!(done.json["currentVersion"], "9.0.2.0-build7");
    site.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_appliance_that_comes_back_as_it_was_fails_in_the_end_and_is_never_updated_again() -> anyhow::Result<()> {
    let same = || quick().machine(|m| m.ends = Ends::SameVersion);
    let mut site = Site::new("ap-same", same().settings(|s| s.retention = Retention::LoseAll)).await?;
    site.hurry()?;
    site.connect().await?;
    let _operator = site.operator().await?;
    // This one has a task left that tells.
    let told = site.beside("srm-told", same()).await?;
    site.update(VERSION_NEW).await?;
    told.update(VERSION_NEW).await?;
    let failed = told.reason("FAILED", "VendorFailed").await?;
    assert!(failed.message().contains("The update was rolled back"), "{}", failed.message());

    let odd = site.until("no task", |s| s.message().contains("is no longer listed")).await?;
    assert_eq!((odd.state(), odd.reason().as_str()), ("RUNNING", "OutOfSight"), "{odd:?}");
    assert!(site.appliance.tasks().is_empty());
    past_the_timeout(&site)?;
    let failed = site.reason("FAILED", "VendorFailed").await?;
    assert!(
        failed.message().contains(&format!("still at {VERSION_OLD}")),
        "{}",
        failed.message()
    );
    site.looks(2).await?;
    site.assert_started(1, 1);
    told.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_appliance_that_never_comes_back_is_settled_by_a_person_and_never_updated_again() -> anyhow::Result<()> {
    let never = || still().machine(|m| m.ends = Ends::NeverBack);
    let (site, _operator) = Site::ready("ap-never", never()).await?;
    let late = site.beside("srm-late", never()).await?;
    for site in [&site, &late] {
        site.update(VERSION_NEW).await?;
        site.reason("STARTED", "Started").await?;
        site.finish().await;
        assert!(site.appliance.is_down());
        site.reason("RUNNING", "OutOfSight").await?;
    }
    past_the_timeout(&site)?;
    for site in [&site, &late] {
        let lost = site.reason("UNKNOWN", "LostSight").await?;
        assert_eq!(lost.condition("Stalled", "status"), "True");
        assert!(lost.message().contains("resolve receipt"), "says what to do: {}", lost.message());
    }
    // A person went there.
    site.resolve("Failed").await?;
    let failed = site.reason("FAILED", "VendorFailed").await?;
    assert!(failed.message().contains("resolved by admin"), "{}", failed.message());
    assert!(site.resolve("Succeeded").await.is_err(), "written once");
    // Nobody has to where it comes back after all: evidence outlasts the timeout.
    late.appliance.edit_machine(|m| m.become_version(VERSION_NEW));
    late.appliance.lose_tasks();
    late.appliance.come_back();
    late.advance(300).await;
    late.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(1, 1);
    late.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_update_past_its_timeout_is_overdue_and_never_failed_while_it_moves() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-overdue", still()).await?;
    site.update(VERSION_NEW).await?;
    site.reason("STARTED", "Started").await?;
    site.advance(100).await;
    site.reason("RUNNING", "Running").await?;
    past_the_timeout(&site)?;
    let late = site.reason("RUNNING", "Overdue").await?;
    assert_eq!(late.condition("Overdue", "status"), "True");
    site.finish().await;
    let done = site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(done.condition("Overdue", "status"), "");
    site.assert_started(1, 1);
    Ok(())
}

/// Listed without its build, shown with it.
#[tokio::test]
async fn a_version_that_differs_by_its_build_only_is_reached_and_never_asked_for_again() -> anyhow::Result<()> {
    let config = quick().settings(|s| (s.version_form, s.retention) = (VersionForm::WithoutBuild, Retention::LoseAll));
    let (site, _operator) = Site::ready("ap-build", config).await?;
    site.update("9.0.2").await?;
    let done = site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(done.json["currentVersion"], VERSION_NEW);
    site.update_as("again", json!({"version": "9.0.2", "runKey": "again"})).await?;
    site.reason_as("again", "SUCCESS", "AlreadyAtVersion").await?;
    site.assert_started(1, 1);
    Ok(())
}
