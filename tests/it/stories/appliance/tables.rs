//! What `kubectl get` prints of updates and inventories: for people who look.

use serde_json::json;

use crate::ground::patiently;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_OLD;
use crate::site::Site;
use crate::site::quick;
use crate::site::still;
use crate::stories::happy;
use crate::world::World;

/// The table whose first row has this name: its header's columns, and the cells of that row. Columns are as wide as their widest cell.
fn table(printed: &str, name: &str) -> Option<(Vec<String>, Vec<String>)> {
    let lines: Vec<&str> = printed.lines().collect();
    let at = lines.iter().position(|line| line.split_whitespace().next() == Some(name))?;
    let header = lines.iter().take(at).rev().find(|line| line.starts_with("NAME"))?;
    let mut starts: Vec<usize> = Vec::new();
    let mut before = ' ';
    for (n, c) in header.char_indices() {
        if before == ' ' && c != ' ' {
            starts.push(n);
        }
        before = c;
    }
    let cells = |line: &str| {
        let ends = starts.iter().skip(1).copied().chain([line.len()]);
        let cell = |(from, to): (&usize, usize)| line.get(*from..to.min(line.len())).unwrap_or_default().trim().to_owned();
        starts.iter().zip(ends).map(cell).collect::<Vec<_>>()
    };
    Some((cells(header), cells(lines.get(at)?)))
}

#[tokio::test]
async fn updates_and_inventories_read_well_in_one_table_each() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-tables", still()).await?;
    let done = site.beside("srm-b", quick()).await?;
    site.inventory().await?;
    site.shown("observed", |s| s.reason() == "Observed").await?;
    site.update(VERSION_NEW).await?;
    done.update_as("u-srm-b", json!({"version": VERSION_NEW, "runKey": "first"}))
        .await?;
    site.reason("STARTED", "Started").await?;
    site.advance(10 + 210).await;
    site.until("half way", |s| s.json["progress"] == 50).await?;
    done.reason("SUCCESS", "UpgradeSucceeded").await?;

    let printed = site.kubectl(&["get", "appup,winv", "-o", "wide"]).await?;
    let (header, row) = table(&printed, "applianceupdate.windlass.dev/u").expect(&printed);
    let columns = [
        "NAME",
        "TARGET",
        "VERSION",
        "STATE",
        "PROGRESS",
        "WAITING-FOR",
        "NEXT",
        "READY",
        "AGE",
        "CURRENT",
        "MESSAGE",
        "CONNECTION",
        "RUNKEY",
        "RECEIPT",
        "STARTED",
    ];
    assert_eq!(header, columns, "{printed}");
    let first = ["srm-a", VERSION_NEW, "RUNNING", "50", "", "", "False"];
    assert_eq!(row[1..8], first, "{printed}");
    assert_eq!((row[9].as_str(), row[11].as_str()), (VERSION_OLD, "srm-a"), "{printed}");
    assert!(row[10].contains("RUNNING: Install update 9.0.2-10455"), "{printed}");
    assert!(
        !row[8].contains("unknown") && !row[13].is_empty() && !row[14].is_empty(),
        "{printed}"
    );

    let (_, row) = table(&printed, "applianceupdate.windlass.dev/u-srm-b").expect(&printed);
    assert_eq!(row[1..8], ["srm-b", VERSION_NEW, "SUCCESS", "100", "", "", "True"], "{printed}");
    assert_eq!((row[9].as_str(), row[12].as_str()), (VERSION_NEW, "first"), "{printed}");

    let (header, row) = table(&printed, "inventory.windlass.dev/srm-a").expect(&printed);
    assert_eq!(
        header,
        ["NAME", "CONNECTION", "READY", "OBSERVED", "SUMMARY", "AGE", "MESSAGE"],
        "{printed}"
    );
    assert_eq!((row[1].as_str(), row[2].as_str()), ("srm-a", "True"), "{printed}");
    assert!(row[4].starts_with("at 9.0.0-10010; offers 9.0.2-10455"), "{printed}");
    assert!(row[3].ends_with(|c: char| c.is_ascii_lowercase()), "an age: {printed}");

    // Without -o wide it fits a screen.
    let narrow = site.kubectl(&["get", "appup"]).await?;
    let longest = narrow.lines().map(str::len).max().unwrap_or_default();
    assert!(longest <= 120, "{longest}: {narrow}");
    Ok(())
}

#[tokio::test]
async fn the_inventory_of_a_vcenter_reads_well_and_starts_nothing() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("inv-vcenter", happy::quick(3)).await?;
    world
        .apply(&json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "vc", "namespace": world.namespace},
            "spec": {"connectionRef": {"name": "vc"}},
        }))
        .await?;
    let row = patiently(async || {
        let printed = world.kubectl(&["get", "winv", "-o", "wide"]).await?;
        Ok(table(&printed, "vc").filter(|(_, row)| row.get(2).is_some_and(|ready| ready == "True")))
    });
    let (_, row) = row.await?;
    assert_eq!(row[1], "vc");
    assert!(row[4].starts_with("3 Supervisor clusters, 3 with updates; "), "{row:?}");
    assert_eq!(row[4], row[6], "the message says the same");
    let status = world.status_of::<windlass::api::Inventory>("vc").await?.unwrap();
    let cluster = &status.json["vcenter"]["clusters"][0];
    assert_eq!(
        (&cluster["cluster"], &cluster["state"]),
        (&json!("domain-c1"), &json!("READY")),
        "{cluster}"
    );
    assert!(cluster["availableVersions"].as_array().is_some_and(|v| !v.is_empty()), "{cluster}");
    assert!(world.vcenter.log().posts().is_empty());
    Ok(())
}
