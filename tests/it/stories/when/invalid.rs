//! Schedules that the API server takes and nobody can obey.

use serde_json::json;

use super::attentive;
use super::scheduled;
use crate::sim::vcenter::Config;
use crate::stories::support::assert_each_started_once;

#[tokio::test]
async fn a_schedule_that_cannot_be_obeyed_never_starts_anything_until_it_is_mended() -> anyhow::Result<()> {
    let world = attentive("invalid", Config::with_clusters(2)).await?;
    let _operator = world.operator().await?;
    let window = |cron: &str, zone: &str| json!({"cron": cron, "duration": "1h", "timeZone": zone});
    let always = window("* * * * *", "Europe/Madrid");
    for (wrong, says) in [
        (
            window("0 1 * * *", "Europe/Madird"),
            ["timeZone \"Europe/Madird\"", "did you mean Europe/Madrid?"],
        ),
        (
            window("0 0 30 2 *", "UTC"),
            ["cron \"0 0 30 2 *\"", "no month that it names has day 30"],
        ),
    ] {
        world.batch("b", scheduled(2, &json!({"windows": [always, wrong]}))).await?;
        let rejected = world
            .until("b", says[0], |s| {
                let told = |word: &&str| s.message().contains(*word);
                s.reason() == "InvalidSchedule" && s.message().starts_with("spec.schedule.windows[1]: ") && says.iter().all(told)
            })
            .await?;
        assert_eq!(
            (rejected.state(), rejected.condition("Stalled", "status").as_str()),
            ("REJECTED", "True")
        );
    }
    // Its Connection's is not for it to mend: it waits, and says whose it is.
    world
        .edit_connection("vc", json!({"schedule": {"windows": [window("0 25 * * *", "UTC")]}}))
        .await?;
    world.edit("b", json!({"schedule": {"windows": [always]}})).await?;
    let waits = world.reason("b", "PENDING", "ConnectionNotReady").await?;
    for word in ["Connection vc", "spec.schedule.windows[0]: cron", "25"] {
        assert!(waits.message().contains(word), "{word}: {}", waits.message());
    }
    assert_eq!(waits.condition("Reconciling", "status"), "True");
    world.looks(2).await?;
    assert!(world.vcenter.log().posts().is_empty());
    assert!(world.receipts().await?.is_empty(), "no receipt for what a spec can mend");

    world.edit_connection("vc", json!({"schedule": null})).await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    // It stops starts, and starts only.
    world
        .edit("b", json!({"schedule": {"windows": [window("0 0 31 4 *", "UTC")]}}))
        .await?;
    world
        .until("b", "shown as a blocker", |s| s.blockers().contains(&"InvalidSchedule"))
        .await?;
    world.finish();
    let stopped = world.reason("b", "REJECTED", "InvalidSchedule").await?;
    assert_eq!(stopped.row_state("domain-c1"), "SUCCESS", "followed to its end: {:#}", stopped.json);
    world.edit("b", json!({"schedule": null})).await?;
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    assert_each_started_once(&world, 2);
    Ok(())
}
