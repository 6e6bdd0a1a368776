//! What others do at the appliance: adopted where it is the same update, waited for where it is not, and never joined by a start of ours.

use std::time::Duration;

use crate::sim::appliance::Ending;
use crate::sim::appliance::Ends;
use crate::sim::appliance::Task;
use crate::sim::appliance::Trouble;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::sim::appliance::What;
use crate::sim::appliance::Wording;
use crate::site::Site;
use crate::site::still;

#[tokio::test]
async fn an_install_that_somebody_else_began_is_adopted_and_never_begun_again() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-adopt", still()).await?;
    let failing = still().machine(|m| m.ends = Ends::Error(Trouble::new("The disk is full.", "df -h says so")));
    let failing = site.beside("srm-failing", failing).await?;
    for site in [&site, &failing] {
        site.appliance.begin_elsewhere(VERSION_NEW);
        site.advance(100).await;
        site.update(VERSION_NEW).await?;
        let followed = site.reason("RUNNING", "Running").await?;
        assert!(followed.json["progress"].as_i64() > Some(0), "{followed:?}");
        assert_eq!(site.told_by_receipts().await?, ["Adopted/open"]);
    }
    site.finish().await;
    failing.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    let failed = failing.reason("FAILED", "VendorFailed").await?;
    assert!(failed.message().contains("The disk is full; df -h says so"), "{}", failed.message());
    failing.appliance.edit_machine(|m| m.ends = Ends::Success);
    failing.looks(2).await?;
    site.assert_started(0, 0);
    failing.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn an_install_of_another_version_is_waited_for_and_never_joined() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-busy", still()).await?;
    // This one's tasks say nothing about what they do.
    let mute = site.beside("srm-mute", still().settings(|s| s.wording = Wording::Absent)).await?;
    site.appliance.begin_elsewhere(VERSION_NEWER);
    mute.appliance.begin_elsewhere(VERSION_NEW);
    site.update(VERSION_NEW).await?;
    mute.update(VERSION_NEW).await?;
    let busy = site.waiting("TargetBusy").await?;
    assert!(busy.message().contains(VERSION_NEWER), "says for what: {}", busy.message());
    mute.waiting("TargetBusy").await?;
    site.looks(2).await?;
    mute.looks(2).await?;
    site.finish().await;
    mute.finish().await;
    site.reason("REJECTED", "WouldDowngrade").await?;
    mute.reason("SUCCESS", "AlreadyAtVersion").await?;
    site.assert_started(0, 0);
    mute.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn a_task_of_another_kind_is_waited_for_and_never_taken_for_an_install() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-task", still()).await?;
    let what = What::Other {
        kind: Some("support-bundle".to_owned()),
        description: Some("Generate support bundle".to_owned()),
    };
    let now = site.appliance.clock().now();
    let bundle = site.appliance.add_task(Task::new(what, now, 0, 3600, Ending::Success));
    site.update(VERSION_NEW).await?;
    site.waiting("TargetBusy").await?;
    site.looks(2).await?;
    site.assert_started(0, 0);
    assert_eq!(site.retrievals(), 0, "a busy appliance is asked for nothing that leaves a trace");
    assert!(site.appliance.end_task(&bundle, Ending::Success));
    site.reason("STARTED", "Started").await?;
    site.appliance.clock().advance(Duration::from_hours(1));
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(1, 1);
    Ok(())
}
