//! Answers that were lost, or that prove nothing: the start is in doubt until evidence settles it, and never simply sent again.

use std::time::Duration;

use serde_json::json;

use super::happy::quick;
use super::support::assert_each_started_once;
use super::support::bold_batch;
use super::support::entries;
use super::support::next_start;
use super::support::posts;
use super::support::receipts;
use crate::sim::Action;
use crate::sim::Clock;
use crate::sim::Config;
use crate::sim::When;
use crate::sim::door::Greeting;
use crate::sim::faults::BodyKind;
use crate::sim::faults::Part;
use crate::sim::faults::Release;
use crate::sim::vcenter::CLUSTERS;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

const C1: &str = "domain-c1";

/// Stands in bodies that nobody may ever read.
const CANARY: &str = "canary-that-nobody-may-read";

/// Grace of the stories' timing, in milliseconds.
const GRACE: i128 = 11_000;

fn status(status: u16, body: BodyKind, when: When) -> Action {
    Action::Status {
        status,
        body,
        when,
        headers: Vec::new(),
    }
}

/// Fewer looks than the stories' usual, for a world of many clusters: the client asks no more than ten times a second.
fn calm(world: &mut World) {
    world.timing["pollMoving"] = json!(1500);
}

/// Nothing of a body that is not the vendor's own error shape reaches anybody.
async fn assert_no_body_was_shown(world: &World, operator: &crate::world::Operator) -> anyhow::Result<()> {
    let readable = world.readable(&[operator]).await?;
    for secret in ["<html", "<h1>", "proxy</body>", CANARY] {
        let around = readable.find(secret).map(|at| {
            let from = readable.floor_char_boundary(at.saturating_sub(200));
            readable.get(from..at).unwrap_or_default().to_owned()
        });
        assert_eq!(around, None, "{secret:?} is shown after this");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_lost_before_the_commit_never_leads_to_a_second_request_without_evidence() -> anyhow::Result<()> {
    let mut world = World::new("lostbefore", quick(8)).await?;
    calm(&mut world);
    world.connect("vc").await?;
    let before = When::Before;
    let elsewhere = format!("{}{CLUSTERS}?action=upgradeMultiple", world.vcenter.url());
    let actions = [
        Action::Drop { when: before },
        status(503, BodyKind::Json, before),
        status(503, BodyKind::Html, before),
        status(500, BodyKind::Garbage, before),
        status(408, BodyKind::Empty, before),
        Action::Redirect {
            to: elsewhere,
            status: 307,
        },
        status(200, BodyKind::Html, before),
        status(200, BodyKind::Garbage, before),
    ];
    for (n, action) in (1..).zip(&actions) {
        next_start(&world, &format!("domain-c{n}"), action.clone());
    }
    let operator = world.operator().await?;
    bold_batch(&world, actions.len()).await?;
    let status = world.reason("b", "UNKNOWN", "StartInDoubt").await?;
    assert_eq!(status.condition("Stalled", "status"), "", "evidence is still sought");
    world.state("b", "SUCCESS").await?;
    for (n, action) in (1..).zip(&actions) {
        let cluster = format!("domain-c{n}");
        assert_eq!(
            receipts(&world, &cluster).await?,
            ["Lost/NotTaken", "Accepted/Succeeded"],
            "{action:?}"
        );
        let posts = posts(&world, &cluster);
        let [first, second] = posts.as_slice() else {
            panic!("{action:?}: {posts:?}")
        };
        assert!(second.wall.duration_since(first.wall).as_millis() >= GRACE, "{action:?}: {posts:?}");
        assert_ne!(first.connection, second.connection, "each start on a connection of its own");
    }
    assert_each_started_once(&world, actions.len());
    assert_no_body_was_shown(&world, &operator).await
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_never_leads_to_a_second_request() -> anyhow::Result<()> {
    let mut world = World::new("lostafter", quick(12)).await?;
    calm(&mut world);
    world.connect("vc").await?;
    let after = When::After;
    let shaped = |with| Action::WrongType { with: Some(with) };
    let actions = [
        Action::Drop { when: after },
        status(503, BodyKind::Html, after),
        status(500, BodyKind::Json, after),
        status(408, BodyKind::Json, after),
        status(200, BodyKind::Garbage, after),
        Action::Truncate { part: Part::Head },
        Action::Truncate { part: Part::Body },
        Action::WrongType { with: None },
        shaped(json!({"domain-c9": {"res": "REJECTED"}, "domain-c99": {"res": "REJECTED"}})),
        shaped(json!({"domain-c99": {"res": "REJECTED"}})),
        shaped(json!({"domain-c11": {"res": CANARY}})),
        shaped(json!(format!("<html>{CANARY}</html>"))),
    ];
    for (n, action) in (1..).zip(&actions) {
        next_start(&world, &format!("domain-c{n}"), action.clone());
    }
    let operator = world.operator().await?;
    bold_batch(&world, actions.len()).await?;
    world.state("b", "SUCCESS").await?;
    for (n, action) in (1..).zip(&actions) {
        let cluster = format!("domain-c{n}");
        assert_eq!(receipts(&world, &cluster).await?, ["Lost+adopted/Succeeded"], "{action:?}");
        assert_eq!(posts(&world, &cluster).len(), 1, "{action:?}");
    }
    assert_each_started_once(&world, actions.len());
    assert_no_body_was_shown(&world, &operator).await
}

#[tokio::test]
async fn a_crash_after_the_commit_never_leads_to_a_second_request() -> anyhow::Result<()> {
    let (world, operator) = World::short_lease("crashafter", Config::with_clusters(1).clock(Clock::frozen())).await?;
    let rule = next_start(&world, C1, Action::Hang { when: When::After });
    bold_batch(&world, 1).await?;
    world.vcenter.faults().wait_until_hit(rule).await?;
    operator.kill9().await?;
    let _second = world.operator().await?;
    world.state("b", "RUNNING").await?;
    assert_eq!(receipts(&world, C1).await?, ["none+adopted/open"]);
    world.vcenter.clock().advance(Duration::from_hours(1));
    world.state("b", "SUCCESS").await?;
    assert_eq!(posts(&world, C1).len(), 1);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_crash_before_the_commit_never_leads_to_a_second_request_without_evidence() -> anyhow::Result<()> {
    let (world, operator) = World::short_lease("crashbefore", quick(1)).await?;
    let rule = next_start(&world, C1, Action::Hang { when: When::Before });
    bold_batch(&world, 1).await?;
    world.vcenter.faults().wait_until_hit(rule).await?;
    operator.kill9().await?;
    world.vcenter.faults().release(rule, Release::Drop)?;
    let _second = world.operator().await?;
    let status = world.reason("b", "UNKNOWN", "StartInDoubt").await?;
    assert_eq!(status.row_state(C1), "UNKNOWN");
    assert_eq!(posts(&world, C1).len(), 1);
    world.state("b", "SUCCESS").await?;
    assert_eq!(receipts(&world, C1).await?, ["none/NotTaken", "Accepted/Succeeded"]);
    assert_eq!(posts(&world, C1).len(), 2);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_taken_while_in_doubt_is_followed_and_never_repeated() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("late", quick(1)).await?;
    let rule = next_start(&world, C1, Action::Hang { when: When::Before });
    bold_batch(&world, 1).await?;
    world.reason("b", "UNKNOWN", "StartInDoubt").await?;
    assert_eq!(world.starts(C1), 0, "not taken yet");
    world.vcenter.faults().release(rule, Release::Continue)?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(receipts(&world, C1).await?, ["Lost+adopted/Succeeded"]);
    assert_eq!(posts(&world, C1).len(), 1);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_start_whose_connection_fails_is_never_in_doubt_and_never_given_up() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("noconnect", quick(1)).await?;
    world.connected("vc", "Reachable").await?;
    // Reads go on over the connection that is open; a start needs one of its own.
    let mut tried = 0;
    for greeting in [Greeting::Close, Greeting::Silence] {
        world.vcenter.door().greet(greeting);
        if tried == 0 {
            // Room for more than one, or the slot of the try before would hold the next one back for a while.
            let spec = json!({"desiredVersion": VERSION_NEW, "clusters": entries(1), "strategy": {"maxConcurrent": 8}});
            world.batch("b", spec).await?;
        }
        tried = world
            .wait(async |world: &World| {
                let now = receipts(world, C1).await?.len();
                Ok((now >= tried + 2).then_some(now))
            })
            .await?;
    }
    assert!(world.vcenter.log().posts().is_empty(), "nothing came through");
    world.vcenter.door().greet(Greeting::Tls);
    world.state("b", "SUCCESS").await?;
    let mut told = receipts(&world, C1).await?;
    assert_eq!(told.pop().as_deref(), Some("Accepted/Succeeded"));
    assert!(told.len() >= 4 && told.iter().all(|r| r == "NotTaken/NotTaken"), "{told:?}");
    assert_eq!(posts(&world, C1).len(), 1);
    assert_each_started_once(&world, 1);
    Ok(())
}
