//! What the demo does with the third vendor, act by act: an install that takes a console through its restart, and an update that IBM schedules with
//! a token that Windlass asked for.
//!
//! Called by `main` after [`appliance`](super::appliance). Whatever does not come to pass in time is an error that says what was waited for.

use std::time::Duration;

use crate::manifests;
use crate::manifests::text;
use crate::seen::MAINFRAME;
use crate::sim::Clock;
use crate::sim::hmc::BUNDLE_NEWER;
use crate::sim::hmc::Config;
use crate::stage::Stage;

/// The install.
pub const INSTALL: &str = "hmc1-h30";
/// The update that IBM schedules.
pub const REMOTE: &str = "hmc1-h34";

/// The simulated console: an install backs it up for a minute, takes five, and restarts it for four.
pub fn config(speed: f64) -> Config {
    Config::default()
        // Minutes of its clock are less than a second of the operator's: its sessions would not outlive a look.
        .settings(|s| (s.session_idle_secs, s.session_secs) = (864_000, 864_000))
        .clock(Clock::new(jiff::Timestamp::now(), speed))
}

/// All acts.
pub async fn tell(stage: &Stage) -> anyhow::Result<()> {
    installed(stage).await?;
    scheduled(stage).await?;
    shown(stage).await
}

async fn installed(stage: &Stage) -> anyhow::Result<()> {
    stage.screen.say(&format!(
        "the third vendor: an IBM Z console (HMC) at {}, in namespace {MAINFRAME}; first it installs a bundle by itself",
        stage.console.url()
    ));
    let connection = manifests::console(stage)?;
    stage.screen.quote(&stage.kubectl(&["apply", "-f", &text(&connection)]).await?);
    apply(stage, INSTALL, manifests::INSTALL).await?;
    was(stage, INSTALL, "RUNNING", "Running").await?;
    was(stage, INSTALL, "RUNNING", "OutOfSight").await?;
    stage
        .screen
        .say("the console restarts with its new bundle: out of sight, and nothing fails by it");
    succeeds(stage, INSTALL).await?;
    stage.screen.say("back, and at the bundle: only both together are SUCCESS");
    Ok(())
}

/// The API of a console schedules nothing: IBM does, with a token.
async fn scheduled(stage: &Stage) -> anyhow::Result<()> {
    apply(stage, REMOTE, manifests::REMOTE).await?;
    was(stage, REMOTE, "STARTED", "WaitingForVendor").await?;
    stage
        .until("the token was not handed over", |seen| {
            seen.firmware_message(REMOTE).contains("give it to IBM")
        })
        .await?;
    stage.screen.say(&format!(
        "{}. Its value is in that Secret and nowhere else",
        stage.seen().firmware_message(REMOTE)
    ));
    let ibm = stage.console.ibm();
    ibm.schedule_with_newest(BUNDLE_NEWER, Duration::from_mins(5), 60)?;
    stage.screen.say("somebody hands it to IBM, who schedules the update");
    stage
        .until("what IBM scheduled was not seen", |seen| {
            seen.firmware.get(REMOTE).is_some_and(|u| {
                let rows = u.status.iter().flat_map(|s| &s.targets);
                rows.into_iter().any(|row| row.scheduled_at.is_some())
            })
        })
        .await?;
    was(stage, REMOTE, "RUNNING", "Running").await?;
    succeeds(stage, REMOTE).await?;
    let (tokens, installs) = (stage.console.authorizations().len(), stage.console.committed().len());
    stage.screen.say(&format!(
        "at {BUNDLE_NEWER}. Tokens that were asked for: {tokens}; installs that Windlass started: {installs}"
    ));
    anyhow::ensure!(
        (tokens, installs) == (1, 1),
        "{tokens} tokens and {installs} installs, not one of each"
    );
    Ok(())
}

async fn shown(stage: &Stage) -> anyhow::Result<()> {
    let edit = [
        "patch",
        "winv",
        "hmc1",
        "-n",
        MAINFRAME,
        "--type=merge",
        "-p",
        r#"{"spec":{"interval":"1h"}}"#,
    ];
    stage.kubectl(&edit).await?;
    let of_now = "--for=jsonpath={.status.hmc.bundleLevel}=H34";
    stage
        .kubectl(&["wait", of_now, "--timeout=60s", "winv", "hmc1", "-n", MAINFRAME])
        .await?;
    stage.screen.say("kubectl get fwup,winv -n mainframe -o wide");
    let said = stage.kubectl(&["get", "fwup,winv", "-n", MAINFRAME, "-o", "wide"]).await?;
    stage.screen.quote(&said);
    for token in stage.console.tokens() {
        let everything = stage.kubectl(&["get", "fwup,winv,conn,rcpt,events", "-A", "-o", "yaml"]).await?;
        anyhow::ensure!(!everything.contains(&token.value), "a token is shown");
    }
    Ok(())
}

async fn apply(stage: &Stage, name: &str, written: &str) -> anyhow::Result<()> {
    let file = manifests::firmware(stage, name, written)?;
    stage.screen.say(&format!("kubectl apply -f {}", file.display()));
    stage.screen.quote(written);
    stage.kubectl(&["apply", "-f", &text(&file)]).await?;
    Ok(())
}

async fn was(stage: &Stage, name: &str, state: &str, reason: &str) -> anyhow::Result<()> {
    let what = format!("{name} was not seen {state}/{reason}");
    stage.until(&what, |seen| seen.firmware_was(name, state, Some(reason))).await
}

async fn succeeds(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let what = format!("{name} did not come to SUCCESS");
    stage.until(&what, |seen| seen.firmware_state(name) == "SUCCESS").await
}
