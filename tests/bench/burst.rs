//! Many upgrades on many connections, created at once: how long until the last of them is started, and that none is started twice.

use std::path::Path;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::audit::by_what;
use crate::figures::Figure;
use crate::figures::Goal;
use crate::figures::float;
use crate::figures::percentile;
use crate::stage::Stage;
use crate::vcenters;

/// Longer than the whole measurement: nothing ends meanwhile.
const UPGRADE_SECS: u64 = 3600;

/// Requests of ours that are under way at once, as `kubectl apply` from some machines would have.
const CREATORS: usize = 32;

/// Measures so many upgrades on so many connections, and then a quarter of them on as many, to see how the time grows.
pub async fn measure(binary: &Path, upgrades: usize, connections: usize) -> anyhow::Result<Vec<Figure>> {
    let quarter = once(binary, upgrades / 4, connections).await?;
    let whole = once(binary, upgrades, connections).await?;
    let how = format!(
        "{upgrades} batches of one cluster each are created through {connections} Connections to as many simulated vCenters, {CREATORS} requests at a time; \
         time from just before the first create request to the arrival of the last POST. A Connection asks a vCenter ten times a second at most, which is \
         more than its share here"
    );
    let series = json!({
        "upgrades": [quarter.upgrades, whole.upgrades],
        "seconds to the last start": [quarter.last, whole.last],
        "seconds to the last creation": [quarter.created, whole.created],
        "starts a second": [float(quarter.upgrades) / quarter.last, float(whole.upgrades) / whole.last],
        "seconds of a core that the operator used until then": [quarter.cpu, whole.cpu],
    });
    let growth = whole.last / quarter.last / (float(whole.upgrades) / float(quarter.upgrades).max(1.0));
    Ok(vec![
        Figure::measure(
            format!("{upgrades} upgrades on {connections} connections: time to last start"),
            Goal::AtMost(30.0),
            whole.last,
            "s",
            how,
        )
        .with(series),
        Figure::measure(
            "how that time grows, against a quarter of them (1 is linear)",
            Goal::AtMost(1.2),
            growth,
            "",
            "time to the last start of all, divided by four times that of a quarter of them on as many connections",
        ),
        Figure::count(
            "duplicate starts among them",
            Goal::AtMost(0.0),
            float(quarter.duplicates + whole.duplicates),
            "starts that the simulated vCenters committed beyond the first of each cluster and version",
        )
        .with(json!({"API server requests of the operator": whole.asked})),
    ])
}

struct Once {
    upgrades: usize,
    /// Seconds.
    created: f64,
    /// Seconds.
    last: f64,
    cpu: f64,
    duplicates: usize,
    asked: Value,
}

async fn once(binary: &Path, upgrades: usize, connections: usize) -> anyhow::Result<Once> {
    let stage = Stage::set(binary).await?;
    let namespace = stage.namespace("burst").await?;
    let each = upgrades.div_ceil(connections);
    let mut vendors = Vec::new();
    for number in 0..connections {
        vendors.push(vcenters::connected(&stage.client, &namespace, &format!("vc{number}"), each, UPGRADE_SECS).await?);
    }
    let operator = stage.operator().await?;
    for number in 0..connections {
        stage.reachable(&namespace, &format!("vc{number}")).await?;
    }
    let api = vcenters::batches(&stage, &namespace);
    let all = (0..upgrades).map(|n| {
        let (connection, cluster) = (n % connections, n / connections + 1);
        vcenters::batch(&format!("b{n}"), &format!("vc{connection}"), &vcenters::cluster(cluster))
    });
    let all = all.collect::<anyhow::Result<Vec<_>>>()?;
    let (mark, cpu) = (stage.audit.mark()?, operator.cpu()?);
    let began = Timestamp::now();
    stream::iter(&all)
        .map(|batch| vcenters::create(&api, batch))
        .buffer_unordered(CREATORS)
        .try_for_each(|()| futures::future::ready(Ok(())))
        .await?;
    let created = Timestamp::now().duration_since(began).as_secs_f64();
    let started = async {
        for (number, vcenter) in vendors.iter().enumerate() {
            let share = all.len() / connections + usize::from(number < all.len() % connections);
            vcenter.log().wait_until(|log| log.committed().len() >= share).await;
        }
        Ok(())
    };
    operator.during(started).await?;
    let cpu = operator.cpu()? - cpu;
    let posts: Vec<f64> = vendors
        .iter()
        .flat_map(|v| v.log().posts())
        .map(|post| post.wall.duration_since(began).as_secs_f64())
        .collect();
    operator.stop().await?;
    let asked: Map<String, Value> = by_what(stage.audit.since(mark)?.iter())
        .into_iter()
        .map(|(what, n)| (what, json!(n)))
        .collect();
    Ok(Once {
        upgrades,
        created,
        last: percentile(&posts, 100),
        cpu,
        duplicates: vendors.iter().map(|v| v.log().duplicates().len()).sum(),
        asked: Value::Object(asked),
    })
}
