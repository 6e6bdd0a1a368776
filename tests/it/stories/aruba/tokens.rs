//! Tokens that rotate: kept where they outlive the process, used by one at a time, and mended by a person where nothing else helps.

use anyhow::Context as _;
use serde_json::json;

use crate::central::NAME;
use crate::central::World;
use crate::central::still;
use crate::ground::Operator;
use crate::ground::decisions;
use crate::ground::patiently;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::VERSION_NEW;

/// A world whose Secret has a refresh token that somebody got in Central.
async fn by_token(story: &str) -> anyhow::Result<World> {
    let world = World::new(story, still()).await?;
    let pair = world.central.issue(aruba::CLIENT_ID)?;
    world.by_token(pair.refresh.expose()).await?;
    world.connect(900_000).await?;
    Ok(world)
}

/// The operator comes back to its Connection three times, and would ask for tokens again if it were ever to.
async fn looked_after(operator: &Operator) -> anyhow::Result<()> {
    let mut first = None;
    patiently(async || {
        let (_, metrics) = operator.get("/metrics").await?;
        let now = decisions(&metrics, r#"kind="Connection""#);
        Ok((now >= *first.get_or_insert(now) + 3).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_pair_outlives_the_operator_and_is_renewed_without_a_person() -> anyhow::Result<()> {
    let world = by_token("aruba-pair").await?;
    let operator = world.operator().await?;
    world.connected("Reachable").await?;
    assert_eq!(world.central.refreshes(), 1);
    patiently(async || {
        let events = world.events(NAME).await?;
        Ok(events.iter().any(|[reason, _, _]| reason == "TokenRotated").then_some(()))
    })
    .await
    .context("that the pair was replaced is told")?;
    assert_eq!(operator.terminate().await?, Some(0));
    let _next = world.operator().await?;
    world.upgrade(VERSION_NEW).await?;
    world.taken().await?;
    assert_eq!(world.central.refreshes(), 1, "the pair of before is as good");
    // Its access token ends while the upgrade runs.
    world.advance(3 * 3600)?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(
        (world.central.refreshes(), world.central.reuses(), world.central.logins()),
        (2, 0, 0)
    );
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_git_sets_back_to_a_used_token_ends_nothing_and_a_dead_one_says_what_to_do() -> anyhow::Result<()> {
    let world = World::new("aruba-git", still()).await?;
    let (first, second) = (world.central.issue(aruba::CLIENT_ID)?, world.central.issue(aruba::CLIENT_ID)?);
    world.by_token(first.refresh.expose()).await?;
    world.connect(900_000).await?;
    let operator = world.operator().await?;
    world.connected("Reachable").await?;
    world.by_token(second.refresh.expose()).await?;
    patiently(async || Ok((world.central.refreshes() == 2).then_some(()))).await?;
    world.by_token(first.refresh.expose()).await?;
    // The next operator begins with what is kept, and knows that one for used.
    assert_eq!(operator.terminate().await?, Some(0));
    let next = world.operator().await?;
    world.upgrade(VERSION_NEW).await?;
    world.taken().await?;
    assert_eq!((world.central.refreshes(), world.central.reuses()), (2, 0));

    world.by_token("no-such-token").await?;
    let message = world.connected("AuthFailed").await?;
    assert!(
        message.contains("create a new one there") && message.contains("invalid_grant"),
        "{message}"
    );
    let asked = |world: &World| world.central.log().requests().iter().filter(|e| e.path == aruba::TOKEN).count();
    let before = asked(&world);
    world.connected("AuthFailed").await?;
    looked_after(&next).await?;
    assert_eq!(asked(&world), before, "never in a loop");
    let third = world.central.issue(aruba::CLIENT_ID)?;
    world.by_token(third.refresh.expose()).await?;
    world.connected("Reachable").await?;
    world.assert_started(1, 1);
    Ok(())
}

#[tokio::test]
async fn our_own_secret_that_somebody_restores_from_before_is_mended_while_the_operator_runs() -> anyhow::Result<()> {
    let world = by_token("aruba-restore").await?;
    let _operator = world.operator().await?;
    world.connected("Reachable").await?;
    let (key, old) = world.kept().await?.context("a pair is kept")?;
    world.advance(2 * 3600 + 60)?;
    patiently(async || Ok((world.central.refreshes() == 2).then_some(()))).await?;
    world.keep(&key, &old).await?;
    patiently(async || Ok(world.kept().await?.filter(|(_, entry)| entry["refresh"] != old["refresh"]))).await?;
    world.advance(2 * 3600 + 60)?;
    patiently(async || Ok((world.central.refreshes() == 3).then_some(()))).await?;
    assert_eq!(world.central.reuses(), 0);
    Ok(())
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_ends_in_one_clear_word_and_a_new_token_mends_it() -> anyhow::Result<()> {
    let world = by_token("aruba-refresh-lost").await?;
    world
        .central
        .faults()
        .add(Rule::new(Action::Drop { when: When::After }).on(aruba::refreshes()).times(1));
    let _operator = world.operator().await?;
    let message = world.connected("AuthFailed").await?;
    assert!(message.contains("was lost at"), "{message}");
    assert_eq!(
        (world.central.refreshes(), world.central.reuses()),
        (1, 1),
        "one more try, which said why"
    );
    let pair = world.central.issue(aruba::CLIENT_ID)?;
    world.by_token(pair.refresh.expose()).await?;
    world.connected("Reachable").await?;
    Ok(())
}

#[tokio::test]
async fn a_refresh_that_was_never_taken_is_made_again() -> anyhow::Result<()> {
    let world = by_token("aruba-refresh-dropped").await?;
    world
        .central
        .faults()
        .add(Rule::new(Action::Drop { when: When::Before }).on(aruba::refreshes()).times(1));
    let _operator = world.operator().await?;
    world.connected("Reachable").await?;
    assert_eq!((world.central.refreshes(), world.central.reuses()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_crash_between_refresh_and_store_ends_in_one_clear_word_and_never_in_a_loop() -> anyhow::Result<()> {
    let world = by_token("aruba-refresh-crash").await?;
    let rule = Rule::new(Action::Hang { when: When::After }).on(aruba::refreshes()).times(1);
    let held = world.central.faults().add(rule);
    let operator = world.operator().await?;
    world.central.faults().wait_until_hit(held).await?;
    operator.kill9().await?;
    let (key, mut entry) = world.kept().await?.context("it claimed before it asked")?;
    assert!(entry["claim"]["at"].is_string(), "{entry:#}");
    // So that nobody waits for the minutes in which its owner might still be there.
    entry["claim"]["at"] = json!("2026-01-01T00:00:00Z");
    world.keep(&key, &entry).await?;
    let next = world.operator().await?;
    let message = world.connected("AuthFailed").await?;
    assert!(message.contains("create a new one there"), "{message}");
    assert_eq!(world.central.reuses(), 1);
    looked_after(&next).await?;
    assert_eq!(world.central.reuses(), 1);
    Ok(())
}

#[tokio::test]
async fn an_access_token_that_central_ends_is_replaced_and_a_start_is_not_repeated_for_it() -> anyhow::Result<()> {
    let mut world = by_token("aruba-ended").await?;
    world.timing["tokenPause"] = json!(500);
    let _operator = world.operator().await?;
    world.connected("Reachable").await?;
    world.next_start(Action::ExpireSessions);
    world.upgrade(VERSION_NEW).await?;
    world.taken().await?;
    world.assert_started(1, 2);
    assert_eq!(world.told_by_receipts().await?, ["NotTaken/NotTaken", "Accepted/open"]);
    assert_eq!(world.central.reuses(), 0);
    Ok(())
}
