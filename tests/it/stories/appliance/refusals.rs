//! What the appliance answers to a start is believed as far as it proves something, and its words are shown.

use crate::sim::Action;
use crate::sim::When;
use crate::sim::appliance::SecondInstall;
use crate::sim::appliance::UnknownVersion;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::sim::appliance::VERSION_OLD;
use crate::sim::faults::BodyKind;
use crate::sim::faults::Release;
use crate::site::Site;
use crate::site::quick;
use crate::site::still;

fn status(status: u16, headers: &[(&str, &str)]) -> Action {
    Action::Status {
        status,
        body: BodyKind::Json,
        when: When::Before,
        headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

/// The word behind "operation", in a message.
fn operation(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("operation ")?;
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next()
}

#[tokio::test]
async fn a_refusal_tells_code_words_and_operation_and_is_never_asked_twice() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-refused", quick()).await?;
    let forbidden = site.beside("srm-403", quick()).await?;
    for (site, code) in [(&site, 400), (&forbidden, 403)] {
        site.next_install(status(code, &[]));
        site.update(VERSION_NEW).await?;
    }
    for (site, code) in [(&site, "400"), (&forbidden, "403")] {
        let refused = site.reason("REJECTED", "VendorRejected").await?;
        let message = refused.message();
        for words in [code, "INJECTED", "Injected by a fault rule.", "spec.runKey"] {
            assert!(message.contains(words), "{words}: {message}");
        }
        let id = operation(message).unwrap_or_default();
        assert_eq!(id.len(), 36, "the id that the vendor's own log is searched by: {message}");
        assert_eq!(refused.condition("Stalled", "status"), "True");
        site.looks(2).await?;
        site.assert_started(0, 1);
        assert_eq!(site.told_by_receipts().await?, ["Rejected/Rejected"]);
        assert_eq!(site.appliance.version(), VERSION_OLD);
    }
    Ok(())
}

/// Between the last look and the start, the repository lost it: the appliance's own words, with nothing injected.
#[tokio::test]
async fn an_update_that_was_withdrawn_a_moment_ago_is_refused_in_the_vendors_words() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-withdrawn", quick().settings(|s| s.unknown_version = UnknownVersion::BadRequest)).await?;
    let held = site.next_install(Action::Hang { when: When::Before });
    site.update(VERSION_NEW).await?;
    site.appliance.faults().wait_until_hit(held).await?;
    site.appliance.edit_machine(|m| m.updates.clear());
    site.appliance.faults().release(held, Release::Continue)?;
    let refused = site.reason("REJECTED", "VendorRejected").await?;
    for words in ["UPDATE_NOT_FOUND", "There is no update 9.0.2-10455."] {
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    site.assert_started(0, 1);
    Ok(())
}

/// Somebody was faster, between the last look and the start. `version`: of what they began.
async fn overtaken(site: &Site, version: &str) -> anyhow::Result<()> {
    let held = site.next_install(Action::Hang { when: When::Before });
    site.update(VERSION_NEW).await?;
    site.appliance.faults().wait_until_hit(held).await?;
    site.appliance.begin_elsewhere(version);
    site.appliance.faults().release(held, Release::Continue)
}

#[tokio::test]
async fn a_refusal_because_somebody_was_faster_is_followed_where_it_is_the_same_update() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-faster", still()).await?;
    let other = site.beside("srm-other", still()).await?;
    overtaken(&site, VERSION_NEW).await?;
    overtaken(&other, VERSION_NEWER).await?;
    let refused = other.reason("REJECTED", "VendorRejected").await?;
    assert!(refused.message().contains("UPDATE_IN_PROGRESS"), "{}", refused.message());
    site.until("taken as begun", |s| s.state() == "STARTED" || s.state() == "RUNNING")
        .await?;
    site.finish().await;
    other.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(site.told_by_receipts().await?, ["Rejected+adopted/Succeeded"]);
    assert_eq!(other.told_by_receipts().await?, ["Rejected/Rejected"]);
    site.assert_started(0, 1);
    other.assert_started(0, 1);
    Ok(())
}

/// 500 is documented for the call and proves nothing.
#[tokio::test]
async fn an_internal_error_because_somebody_was_faster_never_leads_to_a_second_install() -> anyhow::Result<()> {
    let config = still().settings(|s| s.second_install = SecondInstall::InternalError);
    let (site, _operator) = Site::hasty("ap-faster-500", config).await?;
    overtaken(&site, VERSION_NEW).await?;
    site.until("taken as begun", |s| s.state() == "STARTED" || s.state() == "RUNNING")
        .await?;
    site.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(site.told_by_receipts().await?, ["Lost+adopted/Succeeded"]);
    site.assert_started(0, 1);
    Ok(())
}

#[tokio::test]
async fn a_start_that_was_not_taken_is_tried_again_and_begins_once() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-not-taken", quick()).await?;
    let throttled = site.beside("srm-429", quick()).await?;
    // A session that ended a moment ago, and a limit that names its time.
    site.next_install(Action::ExpireSessions);
    throttled.next_install(status(429, &[("Retry-After", "4")]));
    site.update(VERSION_NEW).await?;
    throttled.update(VERSION_NEW).await?;
    throttled
        .until("waiting for its retry", |s| s.waiting_for() == "WaitingForRetry")
        .await?;
    for site in [&site, &throttled] {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        assert_eq!(site.told_by_receipts().await?, ["NotTaken/NotTaken", "Accepted/Succeeded"]);
        site.assert_started(1, 2);
    }
    let posts = throttled.posts();
    assert!(posts[1].wall.duration_since(posts[0].wall).as_secs() >= 4, "{posts:?}");
    Ok(())
}
