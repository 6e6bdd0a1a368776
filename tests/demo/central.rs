//! What the demo does with the fourth vendor, act by act: the switches of a customer, counted until each of them is there, and a start whose answer
//! is lost at a vendor that gives no job.
//!
//! Called by `main` after [`console`](super::console). Whatever does not come to pass in time is an error that says what was waited for.

use anyhow::Context as _;

use crate::manifests;
use crate::manifests::text;
use crate::seen::NETOPS;
use crate::seen::Seen;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::CUSTOMER_2;
use crate::sim::aruba::Config;
use crate::sim::aruba::Kind;
use crate::sim::aruba::Sizes;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::aruba::group;
use crate::stage::Stage;

/// The upgrade of the first customer's switches.
pub const FIRST: &str = "acme-cx";
/// The one whose answer is lost.
pub const SECOND: &str = "globex-cx";

/// Switches of each customer, of three models and in two groups.
const SWITCHES: u32 = 12;

/// The simulated Central. Its clock is ours: a download takes three seconds for the first switch and one more for each next, and a reboot two.
pub fn config() -> Config {
    Config::default()
        .estate(|estate| (estate.models, estate.sizes) = (3, Sizes::each(SWITCHES)))
        .pace(|pace| (pace.download_secs, pace.stagger_secs, pace.reboot_secs) = (3, 1, 2))
        // Here it is looked at many times a second, and not every few minutes.
        .settings(|settings| settings.per_day = 900_000)
}

/// The switches of the first customer, as Central's log calls them.
pub fn target() -> String {
    aruba::target(CUSTOMER, Kind::Cx)
}

/// Those of the second.
pub fn target_2() -> String {
    aruba::target(CUSTOMER_2, Kind::Cx)
}

/// All acts.
pub async fn tell(stage: &Stage) -> anyhow::Result<()> {
    counted(stage).await?;
    customer(stage).await?;
    lost(stage).await?;
    shown(stage).await
}

async fn counted(stage: &Stage) -> anyhow::Result<()> {
    stage.screen.say(&format!(
        "the fourth vendor: Aruba Central, for a provider with two customers, at {}, in namespace {NETOPS}",
        stage.central.url()
    ));
    let file = manifests::central(stage)?;
    stage.screen.quote(&stage.kubectl(&["apply", "-f", &text(&file)]).await?);
    let of = ["winv", "customers", "-n", NETOPS];
    let wait = ["wait", "--for=condition=Ready", "--timeout=60s"];
    stage.kubectl(&[&wait[..], &of[..]].concat()).await?;
    stage
        .screen
        .say("what devices they have, counted by model and version: kubectl get winv customers -n netops -o jsonpath=…");
    let columns =
        "-o=jsonpath={range .status.arubaCentral.firmware[*]}{.customerId} {.deviceType} {.devices} {.model} at {.version}{\"\\n\"}{end}";
    stage
        .screen
        .quote(&stage.kubectl(&[&["get"][..], &of[..], &[columns][..]].concat()).await?);
    Ok(())
}

/// One order for many devices; only they tell what became of it.
async fn customer(stage: &Stage) -> anyhow::Result<()> {
    apply(stage, FIRST, manifests::CUSTOMER).await?;
    stage
        .until("the start was not taken", |seen| seen.firmware_was(FIRST, "STARTED", None))
        .await?;
    stage.screen.say(&format!(
        "one start, for {VERSION_NEW}: {} of its {SWITCHES} switches, for {} is left alone. Central gives no job for it, so they are counted",
        SWITCHES / 2,
        group(1)
    ));
    let mut last = 0;
    while let Some(progress) = further(stage, last).await? {
        let seen = stage.seen();
        stage.screen.say(&format!("{progress} %: {}", seen.firmware_message(FIRST)));
        last = progress;
    }
    let seen = stage.seen();
    stage
        .screen
        .say(&format!("{}; {}", seen.firmware_message(FIRST), numbers(&seen, FIRST)?));
    let there = stage.central.at_version(CUSTOMER, Kind::Cx, VERSION_NEW)?;
    anyhow::ensure!(
        there == SWITCHES as usize / 2,
        "{there} switches are at {VERSION_NEW}, not {}",
        SWITCHES / 2
    );
    Ok(())
}

/// The next step in which it is seen; `None` once it has succeeded.
async fn further(stage: &Stage, last: i32) -> anyhow::Result<Option<i32>> {
    let progress = |seen: &Seen| {
        seen.firmware
            .get(FIRST)
            .and_then(|u| u.status.as_ref()?.progress)
            .unwrap_or_default()
    };
    let done = |seen: &Seen| seen.firmware_state(FIRST) == "SUCCESS";
    let what = format!("{FIRST} did not get on from {last} %");
    // In steps that fit a screen.
    stage.until(&what, |seen| done(seen) || progress(seen) >= last + 30).await?;
    let seen = stage.seen();
    Ok((!done(&seen)).then(|| progress(&seen)))
}

/// The answer to a start is lost after Central took it.
async fn lost(stage: &Stage) -> anyhow::Result<()> {
    let rule = Rule::new(Action::Drop { when: When::After })
        .on(aruba::starts_of(CUSTOMER_2))
        .times(1);
    stage.central.faults().add(rule);
    apply(stage, SECOND, manifests::CUSTOMER_2).await?;
    let target = target_2();
    stage
        .until("the lost start was not adopted", |seen| {
            let mut receipts = seen.receipts_of(&target);
            receipts.any(|r| r.status.as_ref().is_some_and(|s| s.adopted.is_some()))
        })
        .await?;
    let seen = stage.seen();
    let statuses = seen.receipts_of(&target).filter_map(|r| r.status.as_ref());
    let how = statuses
        .filter_map(|s| s.adopted.as_ref())
        .map(|a| a.how.clone())
        .next()
        .unwrap_or_default();
    stage.screen.say(&format!(
        "its answer was cut off after Central had taken it ({} start in its log): in doubt, nothing is sent again. Adopted on evidence: {how}",
        stage.central.log().starts(&target).len()
    ));
    let what = format!("{SECOND} did not come to SUCCESS");
    stage.until(&what, |seen| seen.firmware_state(SECOND) == "SUCCESS").await?;
    let seen = stage.seen();
    stage
        .screen
        .say(&format!("{}; {}", seen.firmware_message(SECOND), numbers(&seen, SECOND)?));
    Ok(())
}

async fn shown(stage: &Stage) -> anyhow::Result<()> {
    stage.screen.say("kubectl get fwup,conn -n netops -o wide");
    let said = stage.kubectl(&["get", "fwup,conn", "-n", NETOPS, "-o", "wide"]).await?;
    stage.screen.quote(&said);
    Ok(())
}

/// `total 10, at version 10, unreachable 0, excluded 10`.
fn numbers(seen: &Seen, name: &str) -> anyhow::Result<String> {
    let status = seen.firmware.get(name).and_then(|u| u.status.as_ref());
    let devices = status.and_then(|s| s.targets.first()?.devices.as_ref());
    let devices = devices.with_context(|| format!("{name} has no numbers of devices"))?;
    Ok(format!(
        "total {}, at version {}, unreachable {}, excluded {}",
        devices.total, devices.at_version, devices.unreachable, devices.excluded
    ))
}

async fn apply(stage: &Stage, name: &str, written: &str) -> anyhow::Result<()> {
    let file = manifests::firmware(stage, name, written)?;
    stage.screen.say(&format!("kubectl apply -f {}", file.display()));
    stage.screen.quote(written);
    stage.kubectl(&["apply", "-f", &text(&file)]).await?;
    Ok(())
}
