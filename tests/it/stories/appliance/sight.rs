//! An appliance that cannot be seen for a while, for other reasons than its update: nothing fails by it, and nothing begins again.

use kube::api::DeleteParams;
use serde_json::json;
use windlass::api::ApplianceUpdate;

use crate::sim::appliance::Ban;
use crate::sim::appliance::SessionLimit;
use crate::sim::appliance::VERSION_NEW;
use crate::site::Site;
use crate::site::still;
use crate::world::Status;

#[tokio::test]
async fn a_temporary_ban_never_fails_an_update_that_runs() -> anyhow::Result<()> {
    let banning = |answer: Ban| still().settings(|s| s.rate_answer = answer);
    let (site, _operator) = Site::ready("ap-banned", banning(Ban::TooManyRequests)).await?;
    let forbidden = site.beside("srm-403", banning(Ban::Forbidden)).await?;
    let cut = site.beside("srm-cut", banning(Ban::Cut)).await?;
    let all = [&site, &forbidden, &cut];
    for site in all {
        site.update(VERSION_NEW).await?;
    }
    for site in all {
        site.reason("STARTED", "Started").await?;
        site.advance(100).await;
        site.reason("RUNNING", "Running").await?;
        // The very next request is one too many; it is banned for a minute of the appliance's time.
        site.appliance.set(|s| s.rate_requests = Some(0));
    }
    for site in all {
        let banned = site.reason("RUNNING", "OutOfSight").await?;
        assert_eq!(banned.condition("Reconciling", "status"), "True");
        site.connected("Unreachable").await?;
        assert!(site.appliance.bans() >= 1);
        site.appliance.set(|s| s.rate_requests = Some(1000));
        site.advance(60).await;
    }
    for site in all {
        site.reason("RUNNING", "Running").await?;
        site.connected("Reachable").await?;
        site.finish().await;
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_cannot_be_opened_again_never_fails_an_update_that_runs() -> anyhow::Result<()> {
    let full = |limit: SessionLimit| still().settings(|s| s.session_limit = limit);
    let (site, _operator) = Site::ready("ap-sessions", full(SessionLimit::InternalError)).await?;
    let refusing = site.beside("srm-400", full(SessionLimit::BadRequest)).await?;
    let all = [&site, &refusing];
    for site in all {
        site.update(VERSION_NEW).await?;
    }
    for site in all {
        site.reason("STARTED", "Started").await?;
        // Others hold all sessions that there may be, and ours ends.
        site.appliance.set(|s| s.max_sessions = 0);
        site.advance(305).await;
    }
    for site in all {
        // The session may end in the middle of a look: that one is only incomplete. The next says why, in the vendor's words.
        let away = |s: &Status| s.state() == "RUNNING" && s.reason() == "OutOfSight" && s.message().contains("SESSION_LIMIT");
        site.until("out of sight by SESSION_LIMIT", away).await?;
        // Nobody has to touch the Secret: somebody else logs out.
        let message = site.connected("Unreachable").await?;
        assert!(message.contains("SESSION_LIMIT"), "{message}");
        site.appliance.set(|s| s.max_sessions = 100);
        site.finish().await;
    }
    for site in all {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_update_or_its_connection_deleted_in_mid_run_never_loses_the_run() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-deleted", still()).await?;
    let unconnected = site.beside("srm-b", still()).await?;
    for site in [&site, &unconnected] {
        site.update(VERSION_NEW).await?;
        site.reason("STARTED", "Started").await?;
        site.advance(100).await;
        site.reason("RUNNING", "Running").await?;
    }
    site.delete("u").await?;
    unconnected.connections().delete("srm-b", &DeleteParams::default()).await?;
    let blind = unconnected.reason("RUNNING", "OutOfSight").await?;
    assert!(blind.message().contains("Connection srm-b does not exist"), "{}", blind.message());
    // The same again, from Git: it is the same run.
    site.update(VERSION_NEW).await?;
    site.reason("RUNNING", "Running").await?;
    unconnected.connect().await?;
    for site in [&site, &unconnected] {
        site.finish().await;
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
    }
    // And once more, after its end.
    site.delete("u").await?;
    site.update(VERSION_NEW).await?;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.looks(2).await?;
    for site in [&site, &unconnected] {
        assert_eq!(site.told_by_receipts().await?, ["Accepted/Succeeded"]);
        site.assert_started(1, 1);
    }
    Ok(())
}

/// Nobody asks for it any more, and it is followed to its end all the same.
#[tokio::test]
async fn a_run_that_nobody_asks_for_any_more_is_followed_to_its_end() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-orphan", still()).await?;
    site.update(VERSION_NEW).await?;
    site.reason("STARTED", "Started").await?;
    site.api::<ApplianceUpdate>().delete("u", &DeleteParams::default()).await?;
    site.finish().await;
    let ended = async || Ok((site.told_by_receipts().await? == ["Accepted/Succeeded"]).then_some(()));
    crate::ground::patiently(ended).await?;
    // What is asked for next starts from there.
    site.update_as("next", json!({"version": VERSION_NEW, "runKey": "next"})).await?;
    site.reason_as("next", "SUCCESS", "AlreadyAtVersion").await?;
    site.assert_started(1, 1);
    Ok(())
}
