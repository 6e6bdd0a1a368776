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

/// Calls of a day: so many that a run is looked at every two seconds.
const DAY: u64 = 50_000;

/// A Central of so many calls. The story moves its clock over midnight: no time to the operator, which would sit out the pause that
/// it was asked for, and a clock that is wrong by a day.
async fn of_a_day(story: &str, more: impl FnOnce(&mut aruba::Settings)) -> anyhow::Result<World> {
    let config = still().settings(|s| {
        s.per_day = DAY;
        more(s);
    });
    let mut world = World::new(story, config).await?;
    world.timing["retryMax"] = json!(1000);
    world.timing["clockSkew"] = json!(2 * 24 * 3_600_000);
    world.by_user(aruba::PASSWORD).await?;
    world.connect(u32::try_from(DAY)?).await?;
    Ok(world)
}

#[tokio::test]
async fn a_day_whose_calls_are_gone_starts_nothing_until_the_next_one() -> anyhow::Result<()> {
    let world = of_a_day("aruba-gone", |_| {}).await?;
    world.central.use_up(DAY - 5);
    let _operator = world.operator().await?;
    world.connected("Reachable").await?;
    world.upgrade(VERSION_NEW).await?;
    let waits = world.waiting("QuotaLow").await?;
    assert!(waits.json["blockers"][0]["until"].is_string(), "{:#}", waits.json);
    let quota = world
        .until_of::<Connection>(NAME, |s| s.json["quota"]["remaining"] == json!(0))
        .await
        .map_err(|never| never.error.context(format!("{:#}", never.last)))?;
    assert_eq!(quota.json["quota"]["limitPerDay"], json!(DAY));
    world.assert_started(0, 0);
    assert!(world.central.charged_today() <= DAY);
    world.advance(24 * 3600)?;
    world.taken().await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_quota_that_is_gone_just_when_the_start_is_sent_leaves_nothing_in_doubt() -> anyhow::Result<()> {
    let world = of_a_day("aruba-just-gone", |s| s.retry_after = aruba::RetryAfter::Seconds).await?;
    // Somebody else spends what is left between the look and the start.
    let held = world.next_start(Action::Hang { when: When::Before });
    let _operator = world.operator().await?;
    world.upgrade(VERSION_NEW).await?;
    world.central.faults().wait_until_hit(held).await?;
    world.central.use_up(DAY);
    world.central.faults().release(held, crate::sim::faults::Release::Continue)?;
    let waits = world.reason("PENDING", "QuotaLow").await?;
    assert!(waits.message().contains("one more look before it counts"), "{}", waits.message());
    world.assert_started(0, 1);
    // A new day, a look that finds nothing, and another attempt.
    world.advance(24 * 3600)?;
    world.taken().await?;
    world.assert_started(1, 2);
    assert_eq!(world.told_by_receipts().await?, ["NotTaken/NotTaken", "Accepted/open"]);
    Ok(())
}
