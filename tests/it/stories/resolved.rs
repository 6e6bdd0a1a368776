//! A person's word ends a doubt that no evidence can end.

use std::time::Duration;

use serde_json::json;

use crate::sim::Action;
use crate::sim::Match;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults::Release;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::Operator;
use crate::world::World;

/// Short, but in the order that the protocol needs.
const GRACE: Duration = Duration::from_secs(6);

struct Doubt {
    world: World,
    _operator: Operator,
    receipt: String,
    silence: u64,
}

/// A start whose answer was lost, and a vCenter that answers nothing since. `taken`: whether it took the start.
async fn doubt(story: &str, taken: bool) -> anyhow::Result<Doubt> {
    let mut world = World::new(story, Config::with_clusters(1)).await?;
    let grace = u64::try_from(GRACE.as_millis())?;
    for (name, millis) in [
        ("ttl", 3000),
        ("connectTimeout", 1000),
        ("startTimeoutVcenter", 2000),
        ("startTimeoutAppliance", 2000),
        ("startTimeoutHmc", 2000),
        ("startTimeoutCentral", 2000),
        ("grace", grace),
    ] {
        world.timing[name] = json!(millis);
    }
    world.connect("vc").await?;
    let operator = world.operator().await?;
    let when = if taken { When::After } else { When::Before };
    let held = world
        .vcenter
        .faults()
        .add(Rule::new(Action::Hang { when }).on(vcenter::starts()).times(1));
    let clusters = json!([{"cluster": "domain-c1"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.vcenter.faults().wait_until_hit(held).await?;
    let all = Match {
        path: Some("/api/*".to_owned()),
        ..Match::default()
    };
    let silence = world.vcenter.faults().add(Rule::new(Action::Drop { when: When::Before }).on(all));
    world.vcenter.faults().release(held, Release::Drop)?;
    let status = world.row("b", "domain-c1", "UNKNOWN", "StartInDoubt").await?;
    let receipt = status.row("domain-c1")["receipt"].as_str().unwrap_or_default().to_owned();
    Ok(Doubt {
        world,
        _operator: operator,
        receipt,
        silence,
    })
}

fn hear_again(doubt: &Doubt) -> anyhow::Result<()> {
    doubt.world.vcenter.faults().remove(doubt.silence)
}

#[tokio::test]
async fn not_started_is_believed_only_after_the_grace_period() -> anyhow::Result<()> {
    let doubted = doubt("not-started", false).await?;
    let world = &doubted.world;
    world.resolve(&doubted.receipt, "NotStarted").await?;
    let early = world
        .until("b", "the word is seen", |s| {
            s.row_message("domain-c1").contains("resolved by admin")
        })
        .await?;
    assert_eq!(early.state(), "UNKNOWN", "not honoured yet");
    assert!(world.vcenter.log().committed().is_empty());
    // Nor while nobody can see the target: the word is about what was, and the next start is decided on what is.
    hear_again(&doubted)?;
    assert_eq!(world.ends(1).await?, ["NotTaken"]);
    let receipt = world.receipts().await?.remove(0);
    let (answer, end) = receipt.status.map(|s| (s.answer, s.end)).unwrap();
    let (lost, ended) = (answer.unwrap().at.unwrap(), end.unwrap().at.unwrap());
    assert!(ended.duration_since(lost) >= GRACE.try_into()?, "{lost} {ended}");
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn not_started_is_outweighed_by_what_the_vendor_shows() -> anyhow::Result<()> {
    let doubted = doubt("wrong-word", true).await?;
    let world = &doubted.world;
    world.resolve(&doubted.receipt, "NotStarted").await?;
    world
        .until("b", "the word is seen", |s| {
            s.row_message("domain-c1").contains("resolved by admin")
        })
        .await?;
    hear_again(&doubted)?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c1"), 1);
    assert_eq!(world.ends(1).await?, ["Succeeded"]);
    Ok(())
}

#[tokio::test]
async fn started_is_followed_and_never_sent_again() -> anyhow::Result<()> {
    let doubted = doubt("started", true).await?;
    let world = &doubted.world;
    world.resolve(&doubted.receipt, "Started").await?;
    let status = world.until("b", "taken as started", |s| s.state() == "RUNNING").await?;
    assert_eq!(status.row("domain-c1")["reason"], "OutOfSight");
    hear_again(&doubted)?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn succeeded_ends_it_and_cannot_be_taken_back() -> anyhow::Result<()> {
    let doubted = doubt("succeeded", true).await?;
    let world = &doubted.world;
    world.resolve(&doubted.receipt, "Succeeded").await?;
    let status = world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert!(status.row_message("domain-c1").contains("resolved by admin"), "{:#}", status.json);
    assert!(world.resolve(&doubted.receipt, "NotStarted").await.is_err(), "written once");
    hear_again(&doubted)?;
    world.edit("b", json!({"timeout": "3h"})).await?;
    world.until("b", "looked at again", |s| s.state() == "SUCCESS").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    assert_eq!(world.receipts().await?.len(), 1);
    Ok(())
}

/// The shortest timeout that the API takes is a minute, on the real clock: this story lasts that long.
#[tokio::test]
async fn a_run_out_of_sight_past_its_timeout_is_settled_by_a_person() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("lost-sight", Config::with_clusters(1)).await?;
    let spec = json!({"desiredVersion": VERSION_NEW, "timeout": "1m", "clusters": [{"cluster": "domain-c1"}]});
    world.batch("b", spec).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    world.vcenter.faults().add(Rule::new(Action::Drop { when: When::Before }).on(Match {
        path: Some("/api/*".to_owned()),
        ..Match::default()
    }));
    let lost = world.reason("b", "UNKNOWN", "LostSight").await?;
    assert_eq!(lost.condition("Stalled", "status"), "True");
    let receipt = world.receipt_names().await?.remove(0);
    assert!(lost.message().contains(&format!("resolve receipt {receipt}")), "{}", lost.message());
    world.resolve(&receipt, "Succeeded").await?;
    world.reason("b", "SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(world.vcenter.log().posts().len(), 1);
    Ok(())
}
