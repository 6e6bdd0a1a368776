//! Two windows of which one opens when the other closes: one opening.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::attentive;
use super::scheduled;
use crate::proof::proxy::Fault;
use crate::proof::proxy::Proxy;
use crate::proof::proxy::Release;
use crate::stories::happy::quick;
use crate::stories::support::assert_each_started_once;
use crate::stories::support::receipts;

/// A cron expression that fires at this minute of each day, in UTC.
fn daily(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-M %-H * * *").to_string()
}

#[tokio::test]
async fn a_start_is_never_lost_at_the_seam_of_two_windows() -> anyhow::Result<()> {
    let mut world = attentive("seam", quick(3)).await?;
    for (name, ms) in [
        ("ttl", 12_000),
        ("grace", 30_000),
        ("ledgerTimeout", 60_000),
        ("clockSkew", 600_000),
    ] {
        world.timing[name] = json!(ms);
    }
    // The machine's own clock stays before the seam, in the first window.
    let now = Timestamp::now();
    let seam = Timestamp::from_second((now.as_second() / 60 + 5) * 60)?;
    let open = |at: Timestamp, duration: &str| json!({"cron": daily(at), "duration": duration, "timeZone": "UTC"});
    let windows = json!([open(seam - SignedDuration::from_mins(30), "30m"), open(seam, "2h")]);
    let to_seam = i64::try_from(seam.duration_since(now).as_millis())?;
    let before_seam = |ms: i64| {
        let passed = i64::try_from(Timestamp::now().duration_since(now).as_millis()).unwrap();
        world.set_clock(to_seam - passed - ms)
    };
    before_seam(60_000)?;

    let proxy = Proxy::start(world.plane).await?;
    let held = proxy.arm("POST receipt", 1, Fault::HoldAfter);
    let _operator = world
        .operator_as(&format!("windlass-{}", world.namespace), Some(&proxy.url()))
        .await?;
    world.connected("vc", "Reachable").await?;
    before_seam(4_000)?;
    world.batch("b", scheduled(3, &json!({"windows": windows}))).await?;
    held.hit().await;
    before_seam(-1_000)?;
    held.release(Release::Forward);
    world.state("b", "SUCCESS").await?;
    assert_each_started_once(&world, 3);
    for n in 1..=3 {
        assert_eq!(
            receipts(&world, &format!("domain-c{n}")).await?,
            ["Accepted/Succeeded"],
            "no attempt in vain"
        );
    }
    Ok(())
}
