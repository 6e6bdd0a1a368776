//! What the operator takes of a machine when there is nothing to do: finished upgrades and their receipts, by the thousand.
//!
//! One upgrade is run to its end by the operator itself; the others are copies of it and of its receipt as they then stand on the API server, each with
//! its own name, target and uid. If a copy were not exactly what the operator makes of it, it would write to it, and that is counted.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use kube::Api;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::UpgradeReceipt;
use windlass::upgrade::target::Authority;
use windlass::upgrade::target::TargetKey;

use crate::figures::Figure;
use crate::figures::Goal;
use crate::figures::float;
use crate::sim::Running;
use crate::sim::VCenter;
use crate::stage::Operator;
use crate::stage::Stage;
use crate::vcenters;

const CONNECTION: &str = "vc";

/// Requests of ours that are under way at once.
const CREATORS: usize = 32;

/// How long an operator with nothing to do is watched.
const IDLE: Duration = Duration::from_secs(30);

/// Measures with each of these numbers of finished upgrades, growing.
pub async fn measure(binary: &Path, numbers: &[usize]) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(binary).await?;
    let namespace = stage.namespace("fleet").await?;
    // It needs only the cluster of the one that is run: nobody looks at those that are done.
    let vcenter = vcenters::connected(&stage.client, &namespace, CONNECTION, 1, 5).await?;
    let mut runs = Vec::new();
    let mut there = 0;
    for many in numbers.iter().copied() {
        if many > there {
            fill(&stage, &namespace, &vcenter, there, many).await?;
            there = many;
        }
        runs.push(run(&stage, &namespace, many).await?);
    }
    let (batch, receipt) = model(&stage, &namespace).await?;
    let stored = Stored {
        resource: serde_json::to_vec(&batch)?.len(),
        receipt: serde_json::to_vec(&receipt)?.len(),
    };
    Ok(figures(&runs, &stored))
}

/// Bytes of JSON, as the API server holds them.
struct Stored {
    resource: usize,
    receipt: usize,
}

struct Run {
    many: usize,
    /// MB, once it is at rest, and the most it ever had.
    resident: f64,
    peak: f64,
    /// Seconds from the start of the process.
    first: f64,
    all: f64,
    /// Writes at the start.
    started: usize,
    /// While idle.
    writes: usize,
    what: String,
    cpu: f64,
}

async fn run(stage: &Stage, namespace: &str, many: usize) -> anyhow::Result<Run> {
    let (began, start) = (Instant::now(), stage.audit.mark()?);
    let operator = stage.operator().await?;
    let (mut first, mut all) = (0.0, 0.0);
    if many > 0 {
        first = decided(&operator, 1, began).await?;
        all = decided(&operator, many, began).await?;
    }
    stage.reachable(namespace, CONNECTION).await?;
    // Whatever a start of it brings is over by then.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let started = stage.audit.since(start)?.iter().filter(|a| a.wrote() && a.what != "leases").count();
    let (mark, cpu, since) = (stage.audit.mark()?, operator.cpu()?, Instant::now());
    tokio::time::sleep(IDLE).await;
    let cpu = (operator.cpu()? - cpu) / since.elapsed().as_secs_f64() * 100.0;
    let asked = stage.audit.since(mark)?;
    let wrote: Vec<String> = asked
        .iter()
        .filter(|a| a.wrote() && a.what != "leases")
        .map(|a| format!("{} {}", a.verb, a.what))
        .collect();
    let run = Run {
        many,
        resident: operator.resident()?,
        peak: operator.peak()?,
        first,
        all,
        started,
        writes: wrote.len(),
        what: wrote.first().cloned().unwrap_or_default(),
        cpu,
    };
    operator.stop().await?;
    Ok(run)
}

/// Seconds from `began` until it has decided so often.
async fn decided(operator: &Operator, often: usize, began: Instant) -> anyhow::Result<f64> {
    let often = u64::try_from(often)?;
    loop {
        anyhow::ensure!(!operator.child.has_ended(), "the operator ended: {}", operator.child.log());
        if operator.decisions().await? >= often {
            return Ok(began.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn figures(runs: &[Run], stored: &Stored) -> Vec<Figure> {
    let goal = |many: usize| match many {
        0 => Goal::AtMost(15.0),
        1..=1000 => Goal::AtMost(30.0),
        1001..=10_000 => Goal::AtMost(100.0),
        _ => Goal::None,
    };
    let series = json!({
        "resources and receipts": runs.iter().map(|r| r.many).collect::<Vec<_>>(),
        "MB at rest": runs.iter().map(|r| r.resident).collect::<Vec<_>>(),
        "MB at the most": runs.iter().map(|r| r.peak).collect::<Vec<_>>(),
        "writes at the start but the lease": runs.iter().map(|r| r.started).collect::<Vec<_>>(),
        "seconds to all decisions": runs.iter().map(|r| r.all).collect::<Vec<_>>(),
        "% of a core, idle": runs.iter().map(|r| r.cpu).collect::<Vec<_>>(),
    });
    let mut all: Vec<Figure> = runs
        .iter()
        .map(|r| {
            Figure::measure(
                format!("resident memory, {} resources and their receipts", r.many),
                goal(r.many),
                r.resident,
                "MB",
                "VmRSS of the process (10^6 bytes), forty seconds after everything was decided, with so many finished ClusterUpgradeBatches of one cluster each and as \
                 many receipts, which are copies of one that the operator itself has finished",
            )
        })
        .collect();
    if let Some(last) = runs.last() {
        let how = format!(
            "{} s from the tenth second after the last of the first decisions on, with {} finished resources and one Connection",
            IDLE.as_secs(),
            last.many
        );
        all[runs.len() - 1] = all[runs.len() - 1].clone().with(series);
        let kilobytes = |bytes: usize| float(bytes) / 1000.0;
        all.extend([
            Figure::measure(
                "a finished upgrade and its receipt on the API server",
                Goal::None,
                kilobytes(stored.resource + stored.receipt),
                "kB",
                "JSON of a finished ClusterUpgradeBatch of one cluster and of its receipt as the API server gives them, managedFields and all",
            )
            .with(json!({"kB of the resource": kilobytes(stored.resource), "kB of the receipt": kilobytes(stored.receipt)})),
            Figure::count(
                format!("writes while idle, {} finished resources, but the lease", last.many),
                Goal::AtMost(0.0),
                float(last.writes),
                format!("{how}; by the audit log"),
            )
            .with(json!({"the first of them": last.what})),
            Figure::measure(
                format!("CPU while idle, {} finished resources", last.many),
                Goal::AtMost(0.5),
                last.cpu,
                "%",
                format!("{how}; user and system time of the process, in percent of one core"),
            ),
            Figure::measure(
                format!("start-up to first decision, {} resources", last.many),
                Goal::AtMost(5.0),
                last.first,
                "s",
                "from the start of the process until its metrics count the first decision about an upgrade; the lease is free",
            )
            .with(json!({"seconds until all were decided": last.all})),
        ]);
    }
    all
}

/// Copies of one finished upgrade, from the number `from` to `to`.
async fn fill(stage: &Stage, namespace: &str, vcenter: &Running<VCenter>, from: usize, to: usize) -> anyhow::Result<()> {
    let (batch, receipt) = model(stage, namespace).await?;
    // Receipts are written by whom the admission policies let do that.
    let kubeconfig = Kubeconfig::read_from(&stage.kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let writer = Writer {
        operator: Client::try_from(config)?,
        admin: stage.client.clone(),
        namespace: namespace.to_owned(),
        authority: Authority::from_url(&vcenter.url())?,
        batch,
        receipt,
    };
    // The first is the model itself.
    stream::iter(from.max(1)..to)
        .map(|number| writer.copy(number + 1))
        .buffer_unordered(CREATORS)
        .try_for_each(|()| futures::future::ready(Ok(())))
        .await
}

/// One that the operator has finished, and its receipt.
async fn model(stage: &Stage, namespace: &str) -> anyhow::Result<(ClusterUpgradeBatch, UpgradeReceipt)> {
    let api = vcenters::batches(stage, namespace);
    if api.get_opt("b1").await?.is_none() {
        let operator = stage.operator().await?;
        stage.reachable(namespace, CONNECTION).await?;
        vcenters::create(&api, &vcenters::batch("b1", CONNECTION, &vcenters::cluster(1))?).await?;
        vcenters::succeeded(api.clone(), 1).await?;
        stage.at_rest(namespace, CONNECTION).await?;
        operator.stop().await?;
    }
    let batch = api.get("b1").await?;
    let name = batch.status.as_ref().and_then(|s| s.targets.first()?.receipt.clone());
    let name = name.ok_or_else(|| anyhow::anyhow!("a finished upgrade without a receipt"))?;
    let receipts: Api<UpgradeReceipt> = Api::all(stage.client.clone());
    Ok((batch, receipts.get(&name).await?))
}

/// When a receipt was created: that is when its run began.
fn born(receipt: &UpgradeReceipt) -> String {
    receipt.creation_timestamp().map(|at| at.0.to_string()).unwrap_or_default()
}

struct Writer {
    operator: Client,
    admin: Client,
    namespace: String,
    authority: Authority,
    batch: ClusterUpgradeBatch,
    receipt: UpgradeReceipt,
}

impl Writer {
    async fn copy(&self, number: usize) -> anyhow::Result<()> {
        let (name, cluster) = (format!("b{number}"), vcenters::cluster(number));
        let key = TargetKey::cluster(self.authority.clone(), &cluster);
        let of_batch: Api<ClusterUpgradeBatch> = Api::namespaced(self.admin.clone(), &self.namespace);
        let created = vcenters::batch(&name, CONNECTION, &cluster)?;
        let created = of_batch.create(&PostParams::default(), &created).await?;

        let receipts: Api<UpgradeReceipt> = Api::all(self.operator.clone());
        let mut receipt = UpgradeReceipt {
            metadata: kube::api::ObjectMeta {
                name: Some(key.receipt_name(1)),
                finalizers: self.receipt.metadata.finalizers.clone(),
                ..kube::api::ObjectMeta::default()
            },
            spec: self.receipt.spec.clone(),
            status: None,
        };
        let claim = &mut receipt.spec.claim;
        (claim.target, claim.target_hash) = (key.canonical(), key.hash());
        claim.requested_by.name.clone_from(&name);
        claim.requested_by.uid = created.uid().unwrap_or_default();
        let began = born(&receipts.create(&PostParams::default(), &receipt).await?);
        let facts = json!({"status": self.receipt.status});
        receipts
            .patch_status(&key.receipt_name(1), &PatchParams::default(), &Patch::Merge(&facts))
            .await?;

        // What names the model's cluster or its receipt names the copy's.
        let status = serde_json::to_string(&self.batch.status)?
            .replace(&format!("\"{}\"", vcenters::cluster(1)), &format!("\"{cluster}\""))
            .replace(&format!("supervisor-{}", vcenters::cluster(1)), &format!("supervisor-{cluster}"))
            .replace(&self.receipt.name_any(), &key.receipt_name(1))
            .replace(&born(&self.receipt), &began);
        let status = json!({"status": serde_json::from_str::<serde_json::Value>(&status)?});
        let of_batch: Api<ClusterUpgradeBatch> = Api::namespaced(self.operator.clone(), &self.namespace);
        of_batch
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(())
    }
}
