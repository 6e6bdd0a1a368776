//! One upgrade after another: how long until the vendor gets its POST, where that time goes, and what is written until the end.

use std::path::Path;
use std::time::Duration;

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

/// Upgrades take these in turn: a Connection asks a vCenter ten times a second at most, and this is no measure of that.
const CONNECTIONS: usize = 4;

/// Between a POST and the next creation, so that no call waits for that limit.
const PAUSE: Duration = Duration::from_millis(200);

/// From its creation to its POST.
struct Timed {
    created: Timestamp,
    posted: Timestamp,
    /// Which Connection.
    through: usize,
    cluster: String,
    name: String,
}

/// Measures so many.
pub async fn measure(binary: &Path, many: usize) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(binary).await?;
    let namespace = stage.namespace("single").await?;
    let mut vendors = Vec::new();
    for number in 0..CONNECTIONS {
        let each = many.div_ceil(CONNECTIONS);
        vendors.push(vcenters::connected(&stage.client, &namespace, &connection(number), each, UPGRADE_SECS).await?);
    }
    let operator = stage.operator().await?;
    for number in 0..CONNECTIONS {
        stage.reachable(&namespace, &connection(number)).await?;
    }
    let (mark, api) = (stage.audit.mark()?, vcenters::batches(&stage, &namespace));
    let mut timed = Vec::new();
    for number in 0..many {
        let (through, cluster) = (number % CONNECTIONS, vcenters::cluster(number / CONNECTIONS + 1));
        let (name, vcenter) = (format!("b{number}"), &vendors[through]);
        let batch = vcenters::batch(&name, &connection(through), &cluster)?;
        let created = Timestamp::now();
        vcenters::create(&api, &batch).await?;
        let started = async {
            vcenter.log().wait_until(|log| !log.starts(&cluster).is_empty()).await;
            Ok(())
        };
        operator.during(started).await?;
        let post = vcenter.log().posts().pop();
        let posted = post.ok_or_else(|| anyhow::anyhow!("a start without a POST"))?.wall;
        timed.push(Timed {
            created,
            posted,
            through,
            cluster,
            name,
        });
        tokio::time::sleep(PAUSE).await;
    }
    operator.during(vcenters::succeeded(api, many)).await?;
    for number in 0..CONNECTIONS {
        stage.at_rest(&namespace, &connection(number)).await?;
    }
    // Its Events are published by then too: whatever it still does, it does before it ends.
    operator.stop().await?;
    let asked = stage.audit.since(mark)?;
    let mut figures = vec![];
    figures.extend(latency(&timed, &asked, &vendors));
    figures.extend(writes(&asked, many));
    figures.extend(reads(&timed, &vendors));
    Ok(figures)
}

fn connection(number: usize) -> String {
    format!("vc{number}")
}

fn millis(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}

fn latency(timed: &[Timed], asked: &[Asked], vendors: &[Running<VCenter>]) -> Vec<Figure> {
    let all: Vec<f64> = timed.iter().map(|t| millis(t.created, t.posted)).collect();
    let how = format!(
        "{} ClusterUpgradeBatches of one cluster each are created one after another through {CONNECTIONS} Connections in turn, each {} ms after the POST \
         of the one before has arrived; time from just before the create request is sent to the arrival of the POST at the simulated vCenter, both on this \
         machine's clock",
        timed.len(),
        PAUSE.as_millis()
    );
    let spans = spans(timed, asked, vendors);
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
fn spans(timed: &[Timed], asked: &[Asked], vendors: &[Running<VCenter>]) -> Value {
    let requests: Vec<Vec<Entry>> = vendors.iter().map(|v| v.log().requests()).collect();
    let mut spans: Vec<(&str, Vec<f64>)> = Vec::new();
    for one in timed {
        let moments = moments(one, asked, &requests[one.through]);
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
    let precheck = format!("{CLUSTERS}/{}", one.cluster);
    let such = |e: &&Entry| e.method == "GET" && e.path == precheck && within(e.wall);
    let prechecked = requests.iter().find(such).map(|e| e.wall);
    let found = [
        ("created", Some(one.created)),
        ("1 create, watch, decision (until the precheck is asked)", prechecked),
        (
            "2 precheck (until the live read of the resource)",
            api("get", "clusterupgradebatches", Some(&one.name)),
        ),
        (
            "3 confirm (until the reservation is written)",
            api("patch", "connections/status", Some(&connection(one.through))),
        ),
        ("4 reserve (until the receipt is created)", api("create", "upgradereceipts", None)),
        ("5 append, fresh TCP and TLS (until the POST arrives)", Some(one.posted)),
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
fn reads(timed: &[Timed], vendors: &[Running<VCenter>]) -> Vec<Figure> {
    let (many, logs) = (timed.len(), vendors.iter().map(|v| v.log().requests()).collect::<Vec<_>>());
    let requests = || logs.iter().flatten();
    let is_detail = |e: &&Entry| e.method == "GET" && e.path.starts_with(&format!("{CLUSTERS}/"));
    let details = requests().filter(is_detail).count();
    let lists = requests().filter(|e| e.method == "GET" && e.path == CLUSTERS).count();
    let before = timed.iter().map(|one| {
        let (path, requests) = (format!("{CLUSTERS}/{}", one.cluster), &logs[one.through]);
        let names_it = |e: &&Entry| e.start && e.body.as_ref().is_some_and(|body| body.get(&one.cluster).is_some());
        let until = requests.iter().find(names_it).map_or(0, |post| post.number);
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
            float(vendors.iter().map(|v| v.log().duplicates().len()).sum()),
            "starts that the simulated vCenters committed beyond the first of each cluster and version",
        ),
    ]
}
