//! Credentials and sessions are seen by the vendor only.

use std::time::Duration;

use super::happy::quick;
use super::support::assert_each_started_once;
use super::support::bold_batch;
use super::support::next_start;
use crate::sim::Action;
use crate::sim::Clock;
use crate::sim::When;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::USER;
use crate::world::World;

const WRONG: &str = "lower-the-anchor";

/// `base64(USER:PASSWORD)`, the header of a login, and `base64(PASSWORD)`, the text in the Secret.
const ENCODED: [&str; 2] = ["d2luZGxhc3NAdnNwaGVyZS5sb2NhbDpyYWlzZS10aGUtYW5jaG9y", "cmFpc2UtdGhlLWFuY2hvcg"];

#[tokio::test]
async fn passwords_and_session_tokens_are_never_shown_anywhere() -> anyhow::Result<()> {
    let world = World::new("canaries", quick(2).clock(Clock::frozen())).await?;
    world.secret("vc", USER, WRONG).await?;
    world.apply(&world.connection("vc")).await?;
    let operator = world.operator().await?;
    world.connected("vc", "AuthFailed").await?;
    world.secret("vc", USER, PASSWORD).await?;
    world.connected("vc", "Reachable").await?;
    let mut secrets: Vec<String> = [PASSWORD, WRONG].into_iter().chain(ENCODED).map(str::to_owned).collect();
    let first = world.vcenter.session_tokens();
    assert_eq!(first.len(), 1, "one session");
    secrets.extend(first);

    // An answer that got lost, a session that ended in mid-start, a vendor that went away, a clean stop: all that has words for it.
    next_start(&world, "domain-c1", Action::Drop { when: When::After });
    next_start(&world, "domain-c2", Action::ExpireSessions);
    bold_batch(&world, 2).await?;
    world.until("b", "both run", |s| s.json["counts"]["running"] == 2).await?;
    secrets.extend(world.vcenter.session_tokens());
    world.vcenter.restart().await?;
    world.vcenter.clock().advance(Duration::from_hours(1));
    world.state("b", "SUCCESS").await?;
    secrets.extend(world.vcenter.session_tokens());
    assert!(secrets.len() > 5, "tokens were taken down: {}", secrets.len());

    let readable = world.readable(&[&operator]).await?;
    assert!(readable.contains("AuthFailed") && readable.contains("windlass_starts_total"));
    for secret in &secrets {
        assert!(!readable.contains(secret.as_str()), "{secret} is shown");
    }
    assert_each_started_once(&world, 2);
    Ok(())
}
