//! What an on-call sees of a Saturday night in one table: the example of `docs/schedules.md`, which is compared with the real one.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::json;

use super::attentive;
use super::in_secs;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

const DOCS: &str = include_str!("../../../../docs/schedules.md");

/// The table in the docs.
fn documented() -> Vec<Vec<String>> {
    let (_, section) = DOCS.split_once("## A Saturday night").expect("the section");
    let (_, block) = section.split_once("$ kubectl get clusterupgradebatches -A\n").expect("the command");
    let (table, _) = block.split_once("```").expect("its end");
    cells(table)
        .into_iter()
        .map(|row| row.into_iter().map(|c| plain(&c)).collect())
        .collect()
}

/// A table's cells, by where its head has its columns: a cell may be empty.
fn cells(table: &str) -> Vec<Vec<String>> {
    let head = table.lines().next().unwrap_or_default();
    let begins = |at: &usize| *at == 0 || head[..*at].ends_with("   ") && !head[*at..].starts_with(' ');
    let starts: Vec<usize> = (0..head.len()).filter(begins).collect();
    let cut = |line: &str| -> Vec<String> {
        let ends = starts.iter().skip(1).copied().chain([line.len()]);
        starts
            .iter()
            .zip(ends)
            .map(|(from, to)| line.get(*from..to.min(line.len())).unwrap_or_default().trim().to_owned())
            .collect()
    };
    table.lines().map(cut).collect()
}

/// Without what no two nights have in common: times and ages.
fn plain(cell: &str) -> String {
    if cell.parse::<Timestamp>().is_ok() {
        return "<time>".to_owned();
    }
    let age = cell
        .strip_suffix(['s', 'm', 'h', 'd'])
        .is_some_and(|n| n.chars().all(|c| c.is_ascii_alphanumeric()) && n.starts_with(|c: char| c.is_ascii_digit()));
    if age { "<age>".to_owned() } else { cell.to_owned() }
}

async fn table(world: &World) -> anyhow::Result<Vec<Vec<String>>> {
    let ours = format!("--field-selector=metadata.namespace={}", world.namespace);
    let all = world.plane.kubectl(&["get", "clusterupgradebatches", "-A", &ours]).await?.ok()?;
    let rows = cells(&all);
    let ours = rows.iter().enumerate().filter(|(n, row)| *n == 0 || row[0] == world.namespace);
    let named = |row: &[String]| {
        let mut row: Vec<String> = row.iter().map(|c| plain(c)).collect();
        if row[0] == world.namespace {
            "vsphere".clone_into(&mut row[0]);
        }
        row
    };
    Ok(ours.map(|(_, row)| named(row)).collect())
}

#[tokio::test]
async fn a_saturday_night_never_needs_more_than_one_table_to_be_understood() -> anyhow::Result<()> {
    let world = attentive("night", Config::with_clusters(8)).await?;
    world.edit_connection("vc", json!({"limits": {"maxConcurrentUpgrades": 1}})).await?;
    let _operator = world.operator().await?;
    let batch = async |name: &str, cluster: usize, schedule: Value| {
        let clusters = json!([{"cluster": format!("domain-c{cluster}")}]);
        world
            .batch(
                name,
                json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "schedule": schedule}),
            )
            .await
    };
    batch("lab", 1, json!({})).await?;
    world.row("lab", "domain-c1", "RUNNING", "Running").await?;
    world.finish();
    world.state("lab", "SUCCESS").await?;
    batch("prod-north", 2, json!({})).await?;
    world.row("prod-north", "domain-c2", "RUNNING", "Running").await?;
    batch("prod-south", 3, json!({})).await?;
    let tomorrow = (Timestamp::now() + SignedDuration::from_hours(20)).to_zoned(TimeZone::UTC);
    let window = json!({"cron": tomorrow.strftime("%-M %-H * * *").to_string(), "duration": "4h", "timeZone": "UTC"});
    batch("branches", 4, json!({"windows": [window]})).await?;
    let freeze = json!({"from": in_secs(-60), "until": in_secs(86_400), "reason": "quarter end CHG-991"});
    batch("finance", 5, json!({"freezes": [freeze]})).await?;
    batch("test-rig", 6, json!({"notAfter": in_secs(-60)})).await?;
    let typo = json!({"cron": "0 1 * * SAT", "duration": "4h", "timeZone": "Europe/Madird"});
    batch("warehouse", 7, json!({"windows": [typo]})).await?;
    let held = json!({"notBefore": in_secs(3600)});
    batch("edge", 8, held).await?;
    world.hold("edge", Some("incident 4711")).await?;
    for (name, reason) in [
        ("prod-south", "LimitReached"),
        ("branches", "WaitingForWindow"),
        ("finance", "Frozen"),
        ("test-rig", "NotStartedInTime"),
        ("warehouse", "InvalidSchedule"),
        ("edge", "Held"),
    ] {
        world.until(name, reason, |s| s.reason() == reason).await?;
    }
    // The one that waits for a slot has a time in sight only until the start before it is written down.
    world
        .until("prod-south", "nothing is known of its time", |s| s.json["nextActionAt"].is_null())
        .await?;
    let seen = table(&world).await?;
    assert_eq!(seen, documented(), "docs/schedules.md shows what there is to see: {seen:#?}");
    assert_eq!(world.vcenter.log().posts().len(), 2);
    Ok(())
}
