//! A freeze that begins between two steps of one start.

use serde_json::json;

use super::attentive;
use super::frozen;
use super::scheduled;
use crate::proof::proxy::Fault;
use crate::proof::proxy::Proxy;
use crate::proof::proxy::Release;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::reads_of;
use crate::stories::support::assert_each_started_once;
use crate::stories::support::receipts;

/// The start is held at this step, the freeze begins and the step goes on: nothing is sent. The receipts that it leaves are `left`. When
/// the freeze is over it starts, once.
async fn frozen_at(step: &str, fault: Fault, left: &[&str]) -> anyhow::Result<()> {
    let mut world = attentive("edge", Config::with_clusters(1)).await?;
    // Nothing but the freeze may be too late, however busy the machine is; and 80 s are no clock that is off.
    for (name, ms) in [("ttl", 60_000), ("grace", 90_000), ("ledgerTimeout", 60_000), ("clockSkew", 90_000)] {
        world.timing[name] = json!(ms);
    }
    let proxy = Proxy::start(world.plane).await?;
    let held = proxy.arm(step, 1, fault);
    let _operator = world
        .operator_as(&format!("windlass-{}", world.namespace), Some(&proxy.url()))
        .await?;
    world.batch("b", scheduled(1, &frozen(40, 80))).await?;
    held.hit().await;
    world.set_clock(40_000)?;
    held.release(Release::Forward);
    world.reason("b", "PENDING", "Frozen").await?;
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty(), "nothing is sent");
    assert_eq!(receipts(&world, "domain-c1").await?, left);
    for receipt in world.receipts().await? {
        let end = receipt.status.unwrap().end.unwrap();
        assert!(end.how.contains("the window closed, or a freeze began"), "{}", end.how);
    }
    // When it is over by our clock, it has not begun by that of the API server.
    world.set_clock(80_000)?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_each_started_once(&world, 1);
    assert_eq!(
        receipts(&world, "domain-c1").await?.split_last().unwrap(),
        (
            &"Accepted/open".to_owned(),
            &left.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()[..]
        )
    );
    Ok(())
}

#[tokio::test]
async fn a_permit_is_never_used_once_a_freeze_began() -> anyhow::Result<()> {
    frozen_at("POST receipt", Fault::HoldAfter, &["none/Withdrawn"]).await
}

#[tokio::test]
async fn a_slot_never_leads_to_a_permit_once_a_freeze_began() -> anyhow::Result<()> {
    frozen_at("PATCH Connection reserve", Fault::HoldAfter, &[]).await
}

#[tokio::test]
async fn a_precheck_that_ends_after_the_window_never_leads_to_a_start() -> anyhow::Result<()> {
    let world = attentive("slow-precheck", Config::with_clusters(1)).await?;
    let _operator = world.operator().await?;
    let hang = Action::Hang { when: When::After };
    let precheck = world.vcenter.faults().add(Rule::new(hang).on(reads_of("domain-c1")).times(1));
    world.batch("b", scheduled(1, &frozen(600, 7200))).await?;
    world.vcenter.faults().wait_until_hit(precheck).await?;
    world.set_clock(900_000)?;
    world.vcenter.faults().release(precheck, faults::Release::Continue)?;
    world.reason("b", "PENDING", "Frozen").await?;
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty());
    assert!(world.receipts().await?.is_empty(), "no permit either");
    world.set_clock(0)?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_each_started_once(&world, 1);
    Ok(())
}
