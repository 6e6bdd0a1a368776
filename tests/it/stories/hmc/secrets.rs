//! The passwords of the console and of the bundles' server, sessions and tokens are seen by the console only.

use std::time::Duration;

use crate::console::Console;
use crate::console::FTP;
use crate::console::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::PASSWORD;

/// Error bodies of this console have the request's headers and body in them: session and password are sent back to whoever reads them.
#[tokio::test]
async fn nothing_that_only_the_console_may_see_is_ever_shown_anywhere() -> anyhow::Result<()> {
    let talkative = still().settings(|s| (s.echo_session, s.echo_body) = (true, true));
    let (console, operator) = Console::ready("hmc-canary", talkative).await?;
    let token = console.hmc.new_token()?;
    let id = console.hmc.ibm().schedule(&token.value, BUNDLE_NEW, Duration::from_hours(24), 60)?;
    console.inventory(None).await?;
    console
        .shown("the schedule", |s| !s.json["hmc"]["remoteFirmwareUpdates"].is_null())
        .await?;
    let mut secrets: Vec<String> = [PASSWORD, FTP.1].map(str::to_owned).to_vec();
    secrets.push(token.value.clone());
    secrets.extend(console.hmc.session_ids());
    console.hmc.ibm().withdraw(&id)?;
    console.next_install(Action::Refuse {
        status: 409,
        reason: 2,
        when: When::Before,
    });
    console.upgrade(BUNDLE_NEW).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    secrets.extend(console.hmc.session_ids());
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    secrets.extend(console.hmc.session_ids());
    assert!(secrets.len() > 4, "sessions were taken down: {}", secrets.len());

    let readable = console.readable(&[&operator]).await?;
    assert!(readable.contains("UpgradeSucceeded") && readable.contains("windlass_starts_total"));
    for secret in &secrets {
        assert!(!readable.contains(secret.as_str()), "{secret} is shown");
    }
    console.assert_started(1, 2);
    Ok(())
}
