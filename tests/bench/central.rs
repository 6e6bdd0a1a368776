//! Many customers on one Aruba Central that takes seven calls a second: how much of that is used until the last of them is started.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use windlass::api::FirmwareUpgrade;

use crate::figures::Figure;
use crate::figures::Goal;
use crate::figures::float;
use crate::sim::Running;
use crate::sim::aruba;
use crate::sim::aruba::Central;
use crate::sim::aruba::Config;
use crate::sim::aruba::Estate;
use crate::sim::aruba::Kind;
use crate::sim::aruba::MSP;
use crate::stage;
use crate::stage::Stage;

const CONNECTION: &str = "central";

/// Calls that Central takes in a second.
const PER_SECOND: f64 = 7.0;

/// Calls of a day: none is saved for later.
const PER_DAY: u32 = 1_000_000;

/// Requests of ours that are under way at once.
const CREATORS: usize = 32;

/// The first calls are a login and a probe; from this moment on there are customers to look at.
struct Begun {
    at: Timestamp,
    calls: u64,
}

/// Measures with so many customers.
pub async fn measure(binary: &Path, customers: u16) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(binary).await?;
    let namespace = stage.namespace("central").await?;
    let config = Config {
        estate: Estate {
            sizes: aruba::Sizes::each(4),
            ..Estate::msp(customers, 4)
        },
        ..Config::default()
    };
    let central = Central::start(config.settings(|s| s.per_day = u64::from(PER_DAY))).await?;
    connect(&stage, &namespace, &central).await?;
    let operator = stage.operator().await?;
    stage.reachable(&namespace, CONNECTION).await?;
    // Calls of the login's second are over.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Begun {
        at: Timestamp::now(),
        calls: central.charged_today(),
    };
    create(&stage, &namespace, customers).await?;
    let all = usize::from(customers);
    let started = async {
        central.log().wait_until(|log| log.committed().len() >= all).await;
        Ok(())
    };
    operator.during(started).await?;
    let calls = central.charged_today() - begun.calls;
    let refused = central.over_quota();
    let posts = central.log().posts();
    let last = posts.last().ok_or_else(|| anyhow::anyhow!("no start"))?.wall;
    let first = posts.first().ok_or_else(|| anyhow::anyhow!("no start"))?.wall;
    operator.stop().await?;
    let seconds = last.duration_since(begun.at).as_secs_f64();
    let calls = float(usize::try_from(calls)?);
    let how = format!(
        "{customers} FirmwareUpgrades of one customer each, on one Connection to a simulated Central that takes seven calls in a second of the clock and \
         answers one more with 429; calls that it charged from the first creation to the last start, divided by seven times the seconds between"
    );
    Ok(vec![
        Figure::measure(
            format!("{customers} customers at one Aruba Central: share of 7 calls a second used until the last start"),
            Goal::AtLeast(0.95),
            calls / seconds / PER_SECOND,
            "",
            how,
        )
        .with(json!({
            "seconds to the first start": first.duration_since(begun.at).as_secs_f64(), "seconds to the last start": seconds,
            "calls": calls, "calls for each start": calls / float(all),
        })),
        Figure::count(
            "calls that were refused as one too many in their second",
            Goal::AtMost(0.0),
            float(usize::try_from(refused)?),
            "429 answers of the simulated Central, of looks and of starts",
        ),
        Figure::count(
            "duplicate starts at Aruba Central",
            Goal::AtMost(0.0),
            float(central.log().duplicates().len()),
            "starts that the simulated Central committed beyond the first of each customer, type and version",
        ),
    ])
}

async fn connect(stage: &Stage, namespace: &str, central: &Running<Central>) -> anyhow::Result<()> {
    let data = json!({
        "clientID": aruba::CLIENT_ID, "clientSecret": aruba::CLIENT_SECRET, "username": aruba::USER, "password": aruba::PASSWORD,
    });
    stage::secret(&stage.client, namespace, CONNECTION, data).await?;
    let spec = json!({
        "type": "ArubaCentral", "url": central.url(), "caBundlePEM": central.ca_pem(), "credentialsSecretRef": {"name": CONNECTION},
        "arubaCentral": {"customerId": MSP}, "limits": {"requestsPerDay": PER_DAY, "maxConcurrentUpgrades": 1000},
    });
    stage::connection(&stage.client, namespace, CONNECTION, spec).await
}

async fn create(stage: &Stage, namespace: &str, customers: u16) -> anyhow::Result<()> {
    let api: Api<FirmwareUpgrade> = Api::namespaced(stage.client.clone(), namespace);
    let one = |number: u16| {
        let customer = aruba::customer(number);
        let spec = json!({
            "connectionRef": {"name": CONNECTION}, "version": Kind::Cx.version_new(),
            "arubaCustomer": {"customerId": customer, "deviceType": Kind::Cx.word(), "reboot": true},
        });
        Ok(FirmwareUpgrade::new(&customer, serde_json::from_value(spec)?))
    };
    let all = (0..customers).map(one).collect::<anyhow::Result<Vec<_>>>()?;
    stream::iter(&all)
        .map(async |upgrade| api.create(&PostParams::default(), upgrade).await)
        .buffer_unordered(CREATORS)
        .try_for_each(|_| futures::future::ready(Ok(())))
        .await?;
    Ok(())
}
