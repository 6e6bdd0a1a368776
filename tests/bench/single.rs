//! One upgrade after another: how long until the vendor gets its POST, where that time goes, and what is written until the end.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::audit::Asked;
use crate::audit::by_what;
use crate::figures::Figure;
use crate::figures::Goal;
use crate::figures::float;
use crate::figures::percentile;
use crate::sim::Entry;
use crate::sim::Running;
use crate::sim::VCenter;
use crate::sim::vcenter::CLUSTERS;
use crate::stage::Stage;
use crate::vcenters;

/// Seconds that a simulated upgrade takes: it is seen twice on its way, at the production pace of one look in ten seconds.
const UPGRADE_SECS: u64 = 25;

const CONNECTION: &str = "vc";

/// From its creation to its POST.
struct Timed {
    created: Timestamp,
    posted: Timestamp,
    cluster: String,
    name: String,
}

/// Measures so many.
pub async fn measure(binary: &Path, many: usize) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(binary).await?;
    let namespace = stage.namespace("single").await?;
    let vcenter = vcenters::connected(&stage.client, &namespace, CONNECTION, many, UPGRADE_SECS).await?;
    let operator = stage.operator().await?;
    stage.reachable(&namespace, CONNECTION).await?;
    let (mark, api) = (stage.audit.mark()?, vcenters::batches(&stage, &namespace));
    let mut timed = Vec::new();
    for number in 1..=many {
        let (name, cluster) = (format!("b{number}"), vcenters::cluster(number));
        let batch = vcenters::batch(&name, CONNECTION, &cluster)?;
        let created = Timestamp::now();
        vcenters::create(&api, &batch).await?;
        vcenter.log().wait_until(|log| !log.starts(&cluster).is_empty()).await;
        let post = vcenter.log().posts().pop();
        let posted = post.ok_or_else(|| anyhow::anyhow!("a start without a POST"))?.wall;
        timed.push(Timed {
            created,
            posted,
            cluster,
            name,
        });
    }
    vcenters::succeeded(api, many).await?;
    stage.at_rest(&namespace, CONNECTION).await?;
    // Its Events are published by then too: whatever it still does, it does before it ends.
    operator.stop().await?;
    let asked = stage.audit.since(mark)?;
    let mut figures = vec![];
    figures.extend(latency(&timed, &asked, &vcenter));
    figures.extend(writes(&asked, many));
    figures.extend(reads(&vcenter, many));
    Ok(figures)
}

fn millis(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}

fn latency(timed: &[Timed], asked: &[Asked], vcenter: &Running<VCenter>) -> Vec<Figure> {
    let all: Vec<f64> = timed.iter().map(|t| millis(t.created, t.posted)).collect();
    let how = format!(
        "{} ClusterUpgradeBatches of one cluster each are created one after another through one Connection, each once the POST of the one before has \
         arrived; time from just before the create request is sent to the arrival of the POST at the simulated vCenter, both on this machine's clock",
        timed.len()
    );
    let spans = spans(timed, asked, vcenter);
    vec![
        Figure::measure(
            "create to vendor POST, p50",
            Goal::AtMost(30.0),
            percentile(&all, 50),
            "ms",
            how.clone(),
        )
        .with(spans),
        Figure::measure("create to vendor POST, p99", Goal::AtMost(90.0), percentile(&all, 99), "ms", how),
    ]
}

/// Where the time goes: from each named moment to the next, the median over all upgrades.
fn spans(timed: &[Timed], asked: &[Asked], vcenter: &Running<VCenter>) -> Value {
    let requests = vcenter.log().requests();
    let mut spans: Vec<(&str, Vec<f64>)> = Vec::new();
    for one in timed {
        let moments = moments(one, asked, &requests);
        for pair in moments.windows(2) {
            let (name, span) = (pair[1].0, millis(pair[0].1, pair[1].1));
            match spans.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => all.push(span),
                None => spans.push((name, vec![span])),
            }
        }
    }
    let medians: Map<String, Value> = spans
        .into_iter()
        .map(|(name, all)| (name.to_owned(), json!(percentile(&all, 50))))
        .collect();
    json!({"spans in ms, medians": medians})
}

fn moments(one: &Timed, asked: &[Asked], requests: &[Entry]) -> Vec<(&'static str, Timestamp)> {
    let within = |at: Timestamp| at >= one.created && at <= one.posted;
    let api = |verb: &str, what: &str, name: Option<&str>| {
        let such = |a: &&Asked| a.verb == verb && a.what == what && within(a.at) && name.is_none_or(|n| a.name == n);
        asked.iter().find(such).map(|a| a.at)
    };
    let vendor = |path: &str| {
        let such = |e: &&Entry| e.method == "GET" && e.path == path && within(e.wall);
        requests.iter().find(such).map(|e| e.wall)
    };
    let precheck = format!("{CLUSTERS}/{}", one.cluster);
    let found = [
        ("created", Some(one.created)),
        ("1 create, watch, first decision (until the list is asked)", vendor(CLUSTERS)),
        ("2 list, second decision (until the precheck is asked)", vendor(&precheck)),
        (
            "3 precheck (until the live read of the resource)",
            api("get", "clusterupgradebatches", Some(&one.name)),
        ),
        (
            "4 confirm (until the reservation is written)",
            api("patch", "connections/status", Some(CONNECTION)),
        ),
        ("5 reserve (until the receipt is created)", api("create", "upgradereceipts", None)),
        ("6 append, fresh TCP and TLS (until the POST arrives)", Some(one.posted)),
    ];
    let mut moments: Vec<(&'static str, Timestamp)> = Vec::new();
    for (name, at) in found {
        // What did not happen has no span; what comes before it in time is another upgrade's.
        if let Some(at) = at.filter(|at| moments.last().is_none_or(|(_, before)| at >= before)) {
            moments.push((name, at));
        }
    }
    moments
}

fn writes(asked: &[Asked], many: usize) -> Vec<Figure> {
    let is = |asked: &&Asked, parts: &[&str]| asked.wrote() && parts.iter().any(|part| asked.what.starts_with(part));
    let per = |parts: &[&str]| float(asked.iter().filter(|a| is(a, parts)).count()) / float(many);
    let objects = ["clusterupgradebatches", "connections"];
    let parts = |parts: &[&str]| {
        let counts = by_what(asked.iter().filter(|a| is(a, parts)));
        let each: Map<String, Value> = counts.into_iter().map(|(what, n)| (what, json!(float(n) / float(many)))).collect();
        Value::Object(each)
    };
    let how = format!(
        "requests of the operator's ServiceAccount in the API server's audit log that changed something, from before the first creation until it has \
         ended, without the lease, divided by the {many} upgrades that finished; each upgrade took {UPGRADE_SECS} s and was seen twice on its way"
    );
    let conflicts = asked.iter().filter(|a| a.changes() && a.code == 409).count();
    let refused = json!({"refused for a newer resourceVersion, for each upgrade": float(conflicts) / float(many)});
    let total = per(&["clusterupgradebatches", "connections", "upgradereceipts"]);
    let reads = asked.iter().filter(|a| a.verb == "get" && a.what != "leases").count();
    vec![
        Figure::count(
            "API server writes per finished upgrade, without Events",
            Goal::AtMost(9.0),
            total,
            how.clone(),
        )
        .with(refused),
        Figure::count(
            "of them, status of resource and Connection",
            Goal::AtMost(6.0),
            per(&objects),
            how.clone(),
        )
        .with(parts(&objects)),
        Figure::count("of them, the receipt", Goal::AtMost(3.0), per(&["upgradereceipts"]), how.clone()).with(parts(&["upgradereceipts"])),
        Figure::count("Events per finished upgrade", Goal::AtMost(8.0), per(&["events"]), how).with(parts(&["events"])),
        Figure::count(
            "API server reads per finished upgrade",
            Goal::None,
            float(reads) / float(many),
            "GETs of single objects by the operator, counted in the same way; everything else comes by watches",
        ),
    ]
}

/// What the vendor is asked for each upgrade.
fn reads(vcenter: &Running<VCenter>, many: usize) -> Vec<Figure> {
    let requests = vcenter.log().requests();
    let is_detail = |e: &&Entry| e.method == "GET" && e.path.starts_with(&format!("{CLUSTERS}/"));
    let details = requests.iter().filter(is_detail).count();
    let lists = requests.iter().filter(|e| e.method == "GET" && e.path == CLUSTERS).count();
    let before = (1..=many).map(|number| {
        let (path, cluster) = (format!("{CLUSTERS}/{}", vcenters::cluster(number)), vcenters::cluster(number));
        let post = requests
            .iter()
            .find(|e| e.start && e.body.as_ref().is_some_and(|b| b.get(&cluster).is_some()));
        let until = post.map_or(0, |post| post.number);
        requests.iter().filter(|e| e.path == path && e.number < until).count()
    });
    let prechecks: usize = before.sum();
    let how = "GET {cluster} at the simulated vCenter before the POST of that cluster, divided by the upgrades";
    let followed = "GET {cluster} after the POST, divided by the upgrades: one in ten seconds until the end is seen, for 25 seconds";
    vec![
        Figure::count("vendor prechecks per start", Goal::AtMost(1.0), float(prechecks) / float(many), how)
            .with(json!({"lists of all clusters, for each upgrade": float(lists) / float(many)})),
        Figure::count(
            "vendor reads per upgrade in flight",
            Goal::AtMost(4.0),
            float(details - prechecks) / float(many),
            followed,
        ),
        Figure::count(
            "duplicate starts, one after another",
            Goal::AtMost(0.0),
            float(vcenter.log().duplicates().len()),
            "starts that the simulated vCenter committed beyond the first of each cluster and version",
        ),
    ]
}
