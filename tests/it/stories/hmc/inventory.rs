//! What a console shows people: its bundle, what IBM has on its schedule, and until when its tokens are good.

use std::time::Duration;

use serde_json::json;

use crate::console::Console;
use crate::console::still;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::BUNDLE_OLD;

#[tokio::test]
async fn an_inventory_shows_schedule_and_expirations_and_never_a_token() -> anyhow::Result<()> {
    let console = Console::new("hmc-inv", still()).await?;
    let token = console.hmc.new_token()?;
    console.hmc.ibm().schedule(&token.value, BUNDLE_NEW, Duration::from_hours(24), 60)?;
    console.connect().await?;
    let _operator = console.operator().await?;
    console.inventory(Some("scheduled")).await?;
    let shown = console.shown("the schedule", |s| s.reason() == "Observed").await?;
    let hmc = &shown.json["hmc"];
    assert_eq!(hmc["bundleLevel"], json!(BUNDLE_OLD));
    assert_eq!(hmc["remoteFirmwareUpdates"][0]["targetBundle"], json!(BUNDLE_NEW));
    assert_eq!(hmc["remoteFirmwareUpdates"][0]["state"], json!("scheduled"));
    assert!(hmc["remoteFirmwareUpdateTokens"][0]["expirationDate"].is_string(), "{hmc}");
    assert!(!shown.json.to_string().contains(&token.value), "a token is a credential");
    Ok(())
}

#[tokio::test]
async fn a_state_that_the_console_does_not_know_is_said_to_be_wrong_and_keeps_what_was_found() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-state", still()).await?;
    console.inventory(None).await?;
    console.shown("the bundle", |s| s.reason() == "Observed").await?;
    console.inventory(Some("levitating")).await?;
    let refused = console.shown("the word is refused", |s| s.reason() == "InvalidStateFilter").await?;
    assert_eq!(refused.json["hmc"]["bundleLevel"], json!(BUNDLE_OLD), "what was found stays shown");
    Ok(())
}
