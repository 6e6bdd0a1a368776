//! From the chart of before to this one, under an upgrade that runs.
//!
//! "Before" is the newest commit whose chart is another. Without git, or without a history, there is none, and the story says so.

use std::process::Command;
use std::sync::Arc;

use serde_json::json;

use super::CHART;
use super::NAMESPACE;
use super::ROOT;
use crate::crds::CRDS;
use crate::ground::Ground;
use crate::plane::Kept;
use crate::plane::Plane;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VCenter;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::world::World;

/// How far back a chart that differs is looked for.
const COMMITS: &str = "50";

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(ROOT).args(args).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The newest commit whose chart is another than this one.
fn before() -> Option<String> {
    let commits = git(&["rev-list", "-n", COMMITS, "HEAD", "--", "charts/windlass"])?;
    let same = |commit: &&str| git(&["diff", "--quiet", commit, "--", "charts/windlass"]).is_some();
    // It must have been a whole chart: the first commits of one need not be.
    let whole = |commit: &&str| git(&["cat-file", "-e", &format!("{commit}:charts/windlass/templates/deployment.yaml")]).is_some();
    commits.lines().find(|commit| !same(commit) && whole(commit)).map(str::to_owned)
}

/// The chart of a commit, in a folder of the plane's.
fn chart_of(commit: &str, plane: &Plane) -> anyhow::Result<String> {
    let folder = plane.scratch().join("before");
    std::fs::create_dir_all(&folder)?;
    let archive = folder.join("chart.tar");
    let output = format!("--output={}", archive.display());
    git(&["archive", &output, commit, "charts/windlass"]).ok_or_else(|| anyhow::anyhow!("git archive {commit}"))?;
    let unpacked = Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&folder).status()?;
    anyhow::ensure!(unpacked.success(), "tar: {unpacked}");
    Ok(folder.join("charts/windlass").display().to_string())
}

#[tokio::test]
async fn an_upgrade_of_the_chart_never_loses_or_repeats_what_runs() -> anyhow::Result<()> {
    static PLACE: Kept = Kept::new();
    let Some(commit) = before() else {
        println!("skipped: no git, or no commit with another chart");
        return Ok(());
    };
    let plane = Plane::kept(&PLACE)?;
    let chart = chart_of(&commit, plane)?;
    let helm = async |verb: &[&str]| plane.helm(&[verb, &["--namespace", NAMESPACE]].concat()).await?.ok();
    helm(&["install", "windlass", &chart, "--create-namespace", "--set", "concurrency=4"]).await?;
    // The binary of before is not at hand, and this one would not start anything on older CRDs: so those go first, as they do in an upgrade.
    let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", CRDS];
    plane.kubectl(&apply).await?.ok()?;
    plane
        .kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "-f", CRDS])
        .await?
        .ok()?;
    let world = World {
        ground: Ground::on(plane, "upgrade").await?,
        vcenter: Arc::new(VCenter::start(Config::with_clusters(2)).await?),
    };
    world.connect("vc").await?;
    let old = world.operator().await?;
    let clusters = json!([{"cluster": "domain-c1"}, {"cluster": "domain-c2"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    let receipt = world.receipt_names().await?;

    // As the guides upgrade: with what was set, and with what is new in this chart's own values.
    helm(&["upgrade", "windlass", CHART, "--reset-then-reuse-values"]).await?;
    let set = [
        "get",
        "deployment",
        "windlass",
        "-n",
        NAMESPACE,
        "-o",
        "jsonpath={.spec.template.spec.containers[0].args}",
    ];
    assert!(plane.kubectl(&set).await?.ok()?.contains("--concurrency=4"));
    // Recreate: the old pod is gone before the new one comes.
    assert_eq!(old.terminate().await?, Some(0));
    let _new = world.operator().await?;
    world.row("b", "domain-c1", "RUNNING", "Running").await?;
    assert_eq!(world.receipt_names().await?, receipt);
    assert_eq!(world.vcenter.log().posts().len(), 1, "it was under way already");
    world.finish();
    world.row("b", "domain-c2", "RUNNING", "Running").await?;
    world.finish();
    world.state("b", "SUCCESS").await?;
    // The next run is one too, under what the new chart allows.
    world.edit("b", json!({"desiredVersion": VERSION_NEWER})).await?;
    world
        .until("b", "the next run", |s| {
            s.row_state("domain-c1") == "RUNNING" && s.row("domain-c1")["desiredVersion"] == VERSION_NEWER
        })
        .await?;
    assert_eq!(world.starts("domain-c1"), 2);
    assert!(world.vcenter.log().duplicates().is_empty());
    Ok(())
}
