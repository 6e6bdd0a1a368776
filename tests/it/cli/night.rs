//! What waits: seen, explained, held and released.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::person::Person;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

/// A batch that waits for a window which opens in an hour.
async fn waiting(world: &World) -> anyhow::Result<()> {
    let hour = Timestamp::now() + SignedDuration::from_hours(1);
    let schedule = json!({"notBefore": Timestamp::from_second(hour.as_second())?});
    let clusters = json!([{"cluster": "domain-c1"}]);
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "schedule": schedule});
    world.batch("prod", spec).await?;
    world.reason("prod", "PENDING", "NotBefore").await?;
    Ok(())
}

#[tokio::test]
async fn what_waits_is_never_told_with_more_rights_than_a_viewer_has() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("cli-waits", Config::with_clusters(1)).await?;
    let viewer = Person::new(world.plane, &world.namespace, "viewer", &["windlass-view"]).await?;
    assert!(viewer.types(&["status"]).await?.with(0).starts_with("no upgrades in namespace"));
    waiting(&world).await?;

    let tree = viewer.types(&["status"]).await?.with(0);
    assert!(
        tree.contains("cub/prod  PENDING") && tree.contains("NotBefore: not before"),
        "{tree}"
    );
    // An hour, less what a busy machine took until here.
    assert!(
        tree.contains("next ") && (tree.contains("(in 5") || tree.contains("(in 1h")),
        "{tree}"
    );
    let json: Value = serde_json::from_str(&viewer.types(&["status", "cub", "-o", "json"]).await?.with(0))?;
    assert_eq!(json["items"][0]["status"]["waitingFor"], "NotBefore");

    let why = viewer.types(&["why", "prod"]).await?.with(0);
    for part in [
        "PENDING  cub/prod",
        "waits for  1 NotBefore",
        "nothing was sent",
        "receipts are read by windlass-auditor",
        "seen       the newest spec was looked at; last change",
    ] {
        assert!(why.contains(part), "{part}:\n{why}");
    }
    let windows = viewer.types(&["windows", "clusterupgradebatch/prod"]).await?.with(0);
    assert!(
        windows.contains("closed, opens in") && windows.contains("no end in sight"),
        "{windows}"
    );

    // Errors say what to type next.
    let receipts = viewer.types(&["receipts"]).await?.failed();
    assert!(receipts.contains("ask for the ClusterRole windlass-auditor"), "{receipts}");
    let slip = viewer.types(&["why", "cub/prd"]).await?.failed();
    assert!(slip.contains("did you mean cub/prod?"), "{slip}");
    let hold = viewer.types(&["hold", "cub/prod"]).await?.failed();
    assert!(hold.contains("ask for the ClusterRole windlass-edit"), "{hold}");
    let everywhere = viewer.types(&["why", "cub/prod", "--context", "nowhere"]).await?.failed();
    assert!(everywhere.contains("nowhere") && everywhere.contains("--context"), "{everywhere}");
    assert!(world.vcenter.log().committed().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_hold_is_an_annotation_and_nothing_starts_until_it_is_released() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("cli-hold", Config::with_clusters(1)).await?;
    let editor = Person::new(world.plane, &world.namespace, "editor", &["windlass-edit"]).await?;
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": "domain-c1"}], "suspend": true});
    world.batch("prod", spec).await?;
    world.reason("prod", "PENDING", "Suspended").await?;
    let held = editor
        .types(&["hold", "cub/prod", "--reason", "alarm \u{1b}[2J INC-4711"])
        .await?
        .with(0);
    assert!(held.contains("is held: alarm [2J INC-4711\nnothing of it starts\n"), "{held}");
    assert!(held.contains("release cub/prod"), "{held}");
    let annotations = world.batches().get("prod").await?.metadata.annotations.unwrap();
    assert_eq!(annotations["windlass.dev/hold"], "alarm [2J INC-4711");
    world.edit("prod", json!({"suspend": null})).await?;
    world.reason("prod", "PENDING", "Held").await?;
    world.looks(2).await?;
    assert!(world.vcenter.log().committed().is_empty());

    let released = editor.types(&["release", "cub/prod"]).await?.with(0);
    assert!(released.contains("is released; it was held: alarm"), "{released}");
    world.state("prod", "RUNNING").await?;
    let again = editor.types(&["release", "cub/prod"]).await?.with(0);
    assert!(again.contains("is not held; nothing was changed"), "{again}");
    let own = editor.types(&["hold", "prod"]).await?.with(0);
    assert!(own.contains(&format!("held by {}", editor.user)), "{own}");
    assert!(own.contains("what is under way is followed to its end"), "{own}");
    assert_eq!(world.starts("domain-c1"), 1);
    Ok(())
}

#[tokio::test]
async fn kubectl_runs_it_as_a_plugin_which_calls_itself_as_people_call_it() -> anyhow::Result<()> {
    let plane = crate::deploy::deployed().await;
    let folder = plane.scratch().join("plugins");
    std::fs::create_dir_all(&folder)?;
    let plugin = folder.join("kubectl-windlass");
    if !plugin.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_windlass"), &plugin)?;
    }
    let said = |args: &'static [&'static str]| {
        let plugin = plugin.clone();
        async move { anyhow::Ok(tokio::process::Command::new(plugin).args(args).output().await?) }
    };
    let help = said(&["why", "--help"]).await?;
    let text = String::from_utf8(help.stdout)?;
    assert!(help.status.success() && text.contains("Usage: kubectl windlass why"), "{text}");
    let wrong = said(&["why", "rcpt/x"]).await?;
    let text = String::from_utf8(wrong.stderr)?;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text.contains("UpgradeReceipt is no upgrade: name one, as in cub/vc1-1-30"),
        "{text}"
    );
    Ok(())
}

#[tokio::test]
async fn a_watch_on_a_pipe_gives_a_line_for_each_change_and_ends_with_the_pipe() -> anyhow::Result<()> {
    use tokio::io::AsyncBufReadExt as _;
    let (world, _operator) = World::ready("cli-watch", Config::with_clusters(1)).await?;
    waiting(&world).await?;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["status", "--watch", "-n", &world.namespace])
        .env("KUBECONFIG", world.plane.kubeconfig_path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let next = async |lines: &mut tokio::io::Lines<_>, so: &str| loop {
        let line = tokio::time::timeout(crate::world::PATIENCE, lines.next_line()).await??;
        let line = line.unwrap_or_else(|| panic!("it ended before {so}"));
        if line.contains(so) {
            return anyhow::Ok(line);
        }
    };
    let first = next(&mut lines, "cub/prod PENDING").await?;
    assert!(!first.contains('\u{1b}'), "{first}");
    world.edit("prod", json!({"schedule": null})).await?;
    next(&mut lines, "RUNNING").await?;
    drop(lines);
    // The next change meets a pipe that nobody reads.
    world.finish();
    world.state("prod", "SUCCESS").await?;
    let ended = tokio::time::timeout(crate::world::PATIENCE, child.wait()).await??;
    assert!(ended.success());
    Ok(())
}
