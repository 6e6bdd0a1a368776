//! What is secret is seen by Central only, though all of it travels in the query of a URL.

use crate::central::World;
use crate::central::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::VERSION_NEW;

#[tokio::test]
async fn nothing_that_only_central_may_see_is_ever_shown_anywhere() -> anyhow::Result<()> {
    let world = World::new("aruba-canary", still()).await?;
    world.by_user("wrong-anchor").await?;
    world.connect(900_000).await?;
    let operator = world.operator().await?;
    world.connected("AuthFailed").await?;
    world.by_user(aruba::PASSWORD).await?;
    world.connected("Reachable").await?;
    let mut secrets: Vec<String> = ["wrong-anchor", aruba::PASSWORD, aruba::CLIENT_SECRET].map(str::to_owned).to_vec();
    let tokens = async |secrets: &mut Vec<String>| -> anyhow::Result<()> {
        secrets.push(world.central.access_token(aruba::CLIENT_ID)?.expose().to_owned());
        if let Some((_, entry)) = world.kept().await? {
            secrets.extend(
                ["access", "refresh"]
                    .iter()
                    .filter_map(|name| entry[*name].as_str())
                    .map(str::to_owned),
            );
        }
        Ok(())
    };
    tokens(&mut secrets).await?;
    world.next_start(Action::Refuse {
        status: 429,
        reason: 1,
        when: When::Before,
    });
    world.upgrade(VERSION_NEW).await?;
    world.taken().await?;
    world.finish()?;
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    tokens(&mut secrets).await?;
    assert!(secrets.len() > 6, "tokens were taken down: {}", secrets.len());

    let readable = world.readable(&[&operator]).await?;
    assert!(readable.contains("UpgradeSucceeded") && readable.contains("windlass_starts_total"));
    for secret in &secrets {
        assert!(!readable.contains(secret.as_str()), "{secret} is shown");
    }
    assert!(!readable.contains("client_secret="), "no query is logged");
    world.assert_started(1, 2);
    Ok(())
}
