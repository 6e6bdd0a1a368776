//! Starts whose answer was lost: found by the time that they named, by the versions, or by a person, and never sent again without one of them.

use crate::central::World;
use crate::central::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Kind;
use crate::sim::aruba::ScheduledAt;
use crate::sim::aruba::Settings;
use crate::sim::aruba::VERSION_NEW;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_by_the_time_that_it_named() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-lost", still()).await?;
    world.next_start(Action::Drop { when: When::After });
    world.upgrade(VERSION_NEW).await?;
    world.taken().await?;
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    world.assert_started(1, 1);
    assert_eq!(world.told_by_receipts().await?, ["Lost+adopted/Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_and_whose_time_shows_on_no_device_is_found_by_the_versions_and_never_sent_again()
-> anyhow::Result<()> {
    let settings: [fn(&mut Settings); 3] = [
        |s| s.scheduled_at = ScheduledAt::Never,
        |s| s.scheduled_at_off_secs = -7,
        |s| s.scheduled_at_off_secs = 1,
    ];
    for (n, change) in settings.into_iter().enumerate() {
        let (world, _operator) = World::ready(&format!("aruba-hidden-{n}"), still().settings(change)).await?;
        world.next_start(Action::Drop { when: When::After });
        world.upgrade(VERSION_NEW).await?;
        let doubt = world.until("in doubt", |s| s.state() == "UNKNOWN").await?;
        assert_ne!(doubt.condition("Ready", "status"), "True");
        world.looks(3).await?;
        world.assert_started(1, 1);
        world.finish()?;
        world.reason("SUCCESS", "UpgradeSucceeded").await?;
        world.assert_started(1, 1);
        assert_eq!(world.central.at_version(CUSTOMER, Kind::Cx, VERSION_NEW)?, 4);
    }
    Ok(())
}

#[tokio::test]
async fn a_start_that_was_never_taken_waits_for_a_person_and_is_sent_again_on_their_word_only() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-never", still()).await?;
    world.next_start(Action::Drop { when: When::Before });
    world.upgrade(VERSION_NEW).await?;
    let stalled = world.reason("UNKNOWN", "NeedsResolution").await?;
    assert_eq!(stalled.condition("Stalled", "status"), "True");
    assert!(stalled.message().contains("resolve receipt"), "{}", stalled.message());
    world.assert_started(0, 1);
    world.resolve("NotStarted").await?;
    world.taken().await?;
    world.assert_started(1, 2);
    Ok(())
}

#[tokio::test]
async fn a_crash_right_after_the_commit_never_leads_to_a_second_start() -> anyhow::Result<()> {
    let (world, operator) = World::ready("aruba-crash", still()).await?;
    let rule = world.next_start(Action::Hang { when: When::After });
    world.upgrade(VERSION_NEW).await?;
    world.central.faults().wait_until_hit(rule).await?;
    operator.kill9().await?;
    let _next = world.operator().await?;
    world.taken().await?;
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn an_error_of_a_gateway_for_a_start_that_was_taken_is_no_refusal() -> anyhow::Result<()> {
    for status in [500, 502, 504] {
        let (world, _operator) = World::ready(&format!("aruba-{status}"), still()).await?;
        world.next_start(Action::Status {
            status,
            body: crate::sim::faults::BodyKind::default(),
            when: When::After,
            headers: Vec::new(),
        });
        world.upgrade(VERSION_NEW).await?;
        world.taken().await?;
        world.assert_started(1, 1);
    }
    Ok(())
}
