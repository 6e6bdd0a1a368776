//! What batches that wait cost their vCenter: reads in an hour, for one batch and for many.
//!
//! The operator runs in this process, with the durations of production, on a clock that is moved: an hour takes seconds. What it is compiled from is
//! the library that the binary is made of.

use std::time::Duration;

use kube::api::PostParams;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use windlass::clock::Clock;
use windlass::controller::clients::Grantee;
use windlass::controller::run::Options;
use windlass::controller::run::run;
use windlass::controller::shard::Shard;
use windlass::lease::LeaseTiming;
use windlass::upgrade::timing::Timing;
use windlass::vendor::http::Fence;

use crate::figures::Figure;
use crate::figures::Goal;
use crate::figures::float;
use crate::figures::percentile;
use crate::leaps;
use crate::leaps::Hands;
use crate::proof::proxy::Proxy;
use crate::sim::Entry;
use crate::stage::Stage;
use crate::vcenters;

/// The longest step of the clock: a fraction of the shortest time between two looks.
const STEP: Duration = Duration::from_secs(5);

/// Before anything is counted, everything was looked at once, and batches that were created at other times fell into step.
const SETTLES: Duration = Duration::from_mins(11);

const HOUR: Duration = Duration::from_hours(1);

const CONNECTION: &str = "vc";

/// Measures an hour with each of these numbers of batches.
pub fn measure(numbers: &[usize]) -> anyhow::Result<Vec<Figure>> {
    let ordinary = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut hours = Vec::new();
    for many in numbers {
        // The operator in here needs no binary.
        let stage = ordinary.block_on(Stage::set("windlass".as_ref()))?;
        let kept = ordinary.block_on(stage.namespace("waiting"))?;
        hours.push(leaps::runtime()?.block_on(hour(&stage, &kept, *many))?);
    }
    // A machine that does much else besides may be so slow that the clock runs away from the operator; that is no measurement.
    if hours.iter().any(|h| h.lists == 0) {
        anyhow::bail!("in an hour of a clock that is moved the operator never asked: this machine is too busy to measure that");
    }
    let reads: Vec<f64> = hours.iter().map(|h| float(h.lists + h.details)).collect();
    let (most, least) = (percentile(&reads, 100), percentile(&reads, 0));
    let series = json!({
        "batches": numbers, "lists": hours.iter().map(|h| h.lists).collect::<Vec<_>>(),
        "reads of one cluster": hours.iter().map(|h| h.details).collect::<Vec<_>>(),
        "logins and probes": hours.iter().map(|h| h.others).collect::<Vec<_>>(),
        "writes to the API server but the lease": hours.iter().map(|h| h.writes).collect::<Vec<_>>(),
    });
    Ok(vec![
        Figure::count(
            format!("vendor reads an hour for {} waiting batches, most", text(numbers)),
            Goal::AtMost(24.0),
            most,
            "twelve lists for the batches and twelve of the probe of their Connection: batches of one cluster each that may not start before a later year, created in turn over the first five minutes; GETs of clusters and of the \
             list of them that the simulated vCenter saw in an hour, from the eleventh minute on. The operator runs in this process with the durations of \
             production and a clock that is moved",
        )
        .with(series),
        Figure::count(
            "the same, most less least",
            Goal::AtMost(1.0),
            most - least,
            "one read in an hour may fall on either side of its end",
        ),
    ])
}

fn text(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

struct Hour {
    lists: usize,
    details: usize,
    others: usize,
    writes: usize,
}

async fn hour(stage: &Stage, namespace: &str, many: usize) -> anyhow::Result<Hour> {
    // First: from here on time stands still unless it is moved.
    let mut hands = Hands::new(STEP);
    let client = stage.plane.client().await?;
    let here = Here { stage, namespace, client };
    let vcenter = here.vcenter(many).await?;
    let proxy = Proxy::start(&stage.plane).await?;
    let stop = CancellationToken::new();
    let clock = Clock::system();
    let running = tokio::spawn(run(here.options(&proxy, clock.clone()).await?, stop.clone()));
    let (mut created, mut counted_from, mut mark) = (0, None, stage.audit.mark()?);
    while clock.mono().0 < SETTLES + HOUR {
        let leap = hands.next(&|| proxy.under_way()).await;
        tokio::time::advance(leap).await;
        let now = clock.mono().0;
        let due = usize::try_from(now.as_secs()).unwrap_or(0) * many / 300 + 1;
        while created < due.min(many) {
            created += 1;
            here.batch(created).await?;
        }
        if counted_from.is_none() && now >= SETTLES {
            (counted_from, mark) = (Some(vcenter.log().requests().len()), stage.audit.mark()?);
        }
    }
    let requests = vcenter.log().requests().split_off(counted_from.unwrap_or(0));
    let writes = stage.audit.since(mark)?;
    stop.cancel();
    while !running.is_finished() {
        let leap = hands.next(&|| proxy.under_way()).await;
        tokio::time::advance(leap).await;
    }
    running.await??;
    let count = |such: &dyn Fn(&&Entry) -> bool| requests.iter().filter(such).count();
    let lists = count(&|e| e.method == "GET" && e.path == crate::sim::vcenter::CLUSTERS);
    let details = count(&|e| e.method == "GET" && e.path.starts_with(&format!("{}/", crate::sim::vcenter::CLUSTERS)));
    Ok(Hour {
        lists,
        details,
        others: requests.len() - lists - details,
        writes: writes.iter().filter(|a| a.wrote() && a.what != "leases").count(),
    })
}

/// A namespace, seen from a runtime whose time stands still: clients belong to the runtime that made them.
struct Here<'a> {
    stage: &'a Stage,
    namespace: &'a str,
    client: kube::Client,
}

impl Here<'_> {
    async fn vcenter(&self, clusters: usize) -> anyhow::Result<crate::sim::Running<crate::sim::VCenter>> {
        vcenters::connected(&self.client, self.namespace, CONNECTION, clusters, 600).await
    }

    async fn batch(&self, number: usize) -> anyhow::Result<()> {
        let mut batch = vcenters::batch(&format!("b{number}"), CONNECTION, &vcenters::cluster(number))?;
        batch.spec.schedule = Some(serde_json::from_value(json!({"notBefore": "2100-01-01T00:00:00Z"}))?);
        let api = kube::Api::namespaced(self.client.clone(), self.namespace);
        api.create(&PostParams::default(), &batch).await?;
        Ok(())
    }

    async fn options(&self, proxy: &Proxy, clock: Clock) -> anyhow::Result<Options> {
        let direct = std::fs::read_to_string(&self.stage.kubeconfig)?;
        let through = direct.replace(self.stage.plane.server_url(), &proxy.url());
        let kubeconfig = Kubeconfig::from_yaml(&through)?;
        // What only guards against a slow API server is longer: here it answers at once, or the time stands still.
        let timing = Timing {
            ledger_timeout: Duration::from_hours(24),
            watch_silence: Duration::from_hours(24 * 30),
            ..Timing::production()
        };
        let minutes = Duration::from_mins;
        Ok(Options {
            config: kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?,
            namespace: "windlass-system".to_owned(),
            lease: "windlass".to_owned(),
            pod: "bench".to_owned(),
            watch: Vec::new(),
            shard: Shard::default(),
            starts_enabled: true,
            listen: "127.0.0.1:0".parse()?,
            grantee: Grantee {
                service_account: "windlass-system:windlass".to_owned(),
                role: Some("windlass-secret-access".to_owned()),
            },
            concurrency: 8,
            fence: Fence::default().allow(vec!["127.0.0.0/8".parse()?]),
            timing,
            lease_timing: LeaseTiming::new(minutes(60), minutes(50), minutes(10))?,
            clock,
        })
    }
}
