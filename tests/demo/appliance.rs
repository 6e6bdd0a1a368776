//! What the demo does with the second vendor, act by act: what it offers, an update through a restart, and one whose answer is lost.
//!
//! Called by `main` after [`story`](super::story). Whatever does not come to pass in time is an error that says what was waited for.

use std::time::Duration;

use crate::manifests;
use crate::manifests::text;
use crate::seen::DR;
use crate::seen::Seen;
use crate::sim::Action;
use crate::sim::Clock;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::appliance;
use crate::sim::appliance::Config;
use crate::sim::appliance::TARGET;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::sim::faults::Release;
use crate::stage::Stage;

/// The update that goes through a restart.
pub const FIRST: &str = "srm-a-9-0-2";
/// The one whose answer is lost.
pub const SECOND: &str = "srm-a-9-0-3";

/// The simulated appliance: installs queue for a minute, run for five, and restart it for four.
pub fn config(speed: f64) -> Config {
    Config::default()
        .machine(|machine| {
            "srm-a.dr.example".clone_into(&mut machine.hostname);
            "Site Recovery Manager".clone_into(&mut machine.product_name);
            (machine.queued_secs, machine.run_secs, machine.down_secs, machine.slow_secs) = (60, 300, 240, 30);
        })
        // Minutes of its clock are less than a second of the operator's: its sessions would not outlive a look.
        .settings(|s| (s.session_idle_secs, s.session_absolute_secs) = (86_400, 86_400))
        .clock(Clock::new(jiff::Timestamp::now(), speed))
}

/// All acts.
pub async fn tell(stage: &mut Stage) -> anyhow::Result<()> {
    offered(stage).await?;
    restarted(stage).await?;
    lost(stage).await?;
    shown(stage).await
}

async fn offered(stage: &Stage) -> anyhow::Result<()> {
    stage.screen.say(&format!(
        "the other vendor: a recovery appliance at {}, in namespace {DR}; and an Inventory of each Connection, for people",
        stage.appliance.url()
    ));
    let [connection, inventories] = manifests::appliance(stage)?;
    let said = stage
        .kubectl(&["apply", "-f", &text(&connection), "-f", &text(&inventories)])
        .await?;
    stage.screen.quote(&said);
    look(stage).await?;
    stage
        .screen
        .say("what they offer, as Windlass read it: kubectl get winv -A -o wide");
    stage.screen.quote(&stage.kubectl(&["get", "winv", "-A", "-o", "wide"]).await?);
    Ok(())
}

async fn look(stage: &Stage) -> anyhow::Result<()> {
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=60s",
        "inventories.windlass.dev",
        "--all",
        "-A",
    ];
    stage.kubectl(&wait).await?;
    Ok(())
}

async fn restarted(stage: &Stage) -> anyhow::Result<()> {
    apply(stage, FIRST, VERSION_NEW).await?;
    stage
        .until("the install was not seen running", |seen| {
            seen.update_was(FIRST, "RUNNING", Some("Running"))
        })
        .await?;
    stage.screen.say("the appliance gave a task for it, which is followed");
    stage
        .until("the appliance was not seen to be away", |seen| {
            seen.update_was(FIRST, "RUNNING", Some("OutOfSight"))
        })
        .await?;
    stage
        .screen
        .say("it restarts, and nothing there answers: out of sight is not failed");
    succeeds(stage, FIRST).await?;
    stage.screen.say(&format!("back, at {VERSION_NEW}"));
    Ok(())
}

/// The answer to an install is lost together with the operator, after the appliance took it, and the appliance goes out of sight.
async fn lost(stage: &mut Stage) -> anyhow::Result<()> {
    // Away for as long as it takes: until the doubt was seen.
    const AWAY: Duration = Duration::from_hours(24);
    stage.appliance.edit_machine(|machine| machine.down_secs = AWAY.as_secs());
    let held = Rule::new(Action::Hang { when: When::After }).on(appliance::installs()).times(1);
    let rule = stage.appliance.faults().add(held);
    apply(stage, SECOND, VERSION_NEWER).await?;
    stage.held(stage.appliance.faults(), rule).await?;
    let pid = stage.kill_operator().await?;
    stage.appliance.faults().release(rule, Release::Drop)?;
    let taken = taken(stage);
    stage.screen.say(&format!(
        "KILL -9 of the operator ({pid}) in the middle of the start of {SECOND}: the appliance has taken it ({taken} install of {VERSION_NEWER} \
         in its log), nobody got the task's id, and it restarts"
    ));
    anyhow::ensure!(
        taken == 1,
        "the kill was meant to come after the appliance took the install, but it took {taken}"
    );
    let pid = stage.start_operator().await?;
    stage.until("no doubt was shown", |seen| seen.update(SECOND) == "UNKNOWN").await?;
    stage.screen.say(&format!(
        "a new operator ({pid}) has a receipt without an answer and an appliance that does not answer: UNKNOWN, and nothing is sent"
    ));
    stage.appliance.clock().advance(AWAY);
    stage.until("the start was not adopted", |seen| adopted(seen).is_some()).await?;
    let how = adopted(&stage.seen()).unwrap_or_default();
    stage.screen.say(&format!(
        "the appliance is back. Its list of tasks has exactly one that was not there before the start; adopted on that evidence: {how}"
    ));
    succeeds(stage, SECOND).await?;
    stage.screen.say(&format!(
        "at {VERSION_NEWER}; SUCCESS only now that the lost request cannot be under way any more. Installs of {VERSION_NEWER} in its log: {}",
        self::taken(stage)
    ));
    Ok(())
}

async fn shown(stage: &Stage) -> anyhow::Result<()> {
    stage
        .screen
        .say("the Inventory is edited, so it looks again: kubectl get appup,winv -A -o wide");
    let edit = [
        "patch",
        "winv",
        "srm-a",
        "-n",
        DR,
        "--type=merge",
        "-p",
        r#"{"spec":{"interval":"1h"}}"#,
    ];
    stage.kubectl(&edit).await?;
    let of_now = "--for=jsonpath={.status.recoveryAppliance.version}=9.0.3-10781";
    stage.kubectl(&["wait", of_now, "--timeout=60s", "winv", "srm-a", "-n", DR]).await?;
    stage
        .screen
        .quote(&stage.kubectl(&["get", "appup,winv", "-A", "-o", "wide"]).await?);
    Ok(())
}

async fn apply(stage: &Stage, name: &str, version: &str) -> anyhow::Result<()> {
    let (file, written) = manifests::update(stage, name, version)?;
    stage.screen.say(&format!("kubectl apply -f {}", file.display()));
    if name == FIRST {
        stage.screen.quote(&written);
    }
    stage.kubectl(&["apply", "-f", &text(&file)]).await?;
    Ok(())
}

async fn succeeds(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let what = format!("{name} did not come to SUCCESS");
    stage.until(&what, |seen| seen.update(name) == "SUCCESS").await
}

/// How the lost start was found again.
fn adopted(seen: &Seen) -> Option<String> {
    let mut receipts = seen.receipts_of(TARGET);
    receipts.find_map(|r| Some(r.status.as_ref()?.adopted.as_ref()?.how.clone()))
}

/// Committed installs of the second update.
fn taken(stage: &Stage) -> usize {
    let starts = stage.appliance.log().starts(TARGET);
    starts.iter().filter(|start| start.version == VERSION_NEWER).count()
}
