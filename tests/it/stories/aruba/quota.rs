//! Calls are counted: what is refused for that was not taken, and what is left is kept for what matters.

use serde_json::json;
use windlass::api::Connection;

use crate::central::NAME;
use crate::central::World;
use crate::central::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::faults::BodyKind;

#[tokio::test]
async fn a_start_that_was_one_call_too_many_is_tried_again_as_another_one_after_its_pause() -> anyhow::Result<()> {
    for (story, headers) in [
        ("aruba-429", vec![]),
        ("aruba-429-after", vec![("Retry-After".to_owned(), "2".to_owned())]),
    ] {
        let (world, _operator) = World::ready(story, still()).await?;
        world.next_start(Action::Status {
            status: 429,
            body: BodyKind::default(),
            when: When::Before,
            headers,
        });
        world.upgrade(VERSION_NEW).await?;
        world.taken().await?;
        world.assert_started(1, 2);
        assert_eq!(world.told_by_receipts().await?, ["NotTaken/NotTaken", "Accepted/open"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_day_whose_calls_are_gone_starts_nothing_until_the_next_one() -> anyhow::Result<()> {
    let world = World::new("aruba-gone", still().settings(|s| s.per_day = 1000)).await?;
    world.by_user(aruba::PASSWORD).await?;
    world.connect(1000).await?;
    world.central.use_up(995);
    let _operator = world.operator().await?;
    world.connected("Reachable").await?;
    world.upgrade(VERSION_NEW).await?;
    let waits = world.waiting("QuotaLow").await?;
    assert!(waits.json["blockers"][0]["until"].is_string(), "{:#}", waits.json);
    let quota = world
        .until_of::<Connection>(NAME, |s| s.json["quota"]["remaining"] == json!(0))
        .await
        .map_err(|never| never.error.context(format!("{:#}", never.last)))?;
    assert_eq!(quota.json["quota"]["limitPerDay"], json!(1000));
    world.assert_started(0, 0);
    assert!(world.central.charged_today() <= 1000);
    Ok(())
}

#[tokio::test]
async fn a_quota_that_is_gone_just_when_the_start_is_sent_leaves_nothing_in_doubt() -> anyhow::Result<()> {
    let config = still().settings(|s| (s.per_day, s.retry_after) = (1000, aruba::RetryAfter::Seconds));
    let world = World::new("aruba-just-gone", config).await?;
    world.by_user(aruba::PASSWORD).await?;
    world.connect(1000).await?;
    // Somebody else spends what is left between the look and the start.
    let held = world.next_start(Action::Hang { when: When::Before });
    let _operator = world.operator().await?;
    world.upgrade(VERSION_NEW).await?;
    world.central.faults().wait_until_hit(held).await?;
    world.central.use_up(1000);
    world.central.faults().release(held, crate::sim::faults::Release::Continue)?;
    let waits = world
        .until("not taken", |s| s.state() == "PENDING" && !s.waiting_for().is_empty())
        .await?;
    assert!(
        ["QuotaLow", "WaitingForRetry", "Evaluating"].contains(&waits.waiting_for()),
        "{:#}",
        waits.json
    );
    world.assert_started(0, 1);
    Ok(())
}
