//! What the console says of itself.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::hmc::{BUNDLE_NEW, BUNDLE_OLD, Config, Console, PropertiesQuery, RCL_PROGRESS};
use super::{Bench, answer, forms};

impl Bench {
    async fn version(&self) -> Value {
        let (status, version) = answer(self.client.get(format!("{}/api/version", self.hmc.url()))).await;
        assert_eq!(status, 200, "{version}");
        forms::version(&version);
        version
    }
}

async fn bench_of(console: Console) -> Bench {
    let config = Config {
        console,
        ..Config::default()
    };
    Bench::new(config).await
}

const FEATURES: &str = "/api/console/operations/list-features";

#[tokio::test]
async fn the_version_is_told_without_a_logon_and_by_the_consoles_own_clock() {
    let bench = Bench::new(Config::default()).await;
    let time = |version: &Value| Timestamp::from_millisecond(version["hmc-time"].as_i64().unwrap()).unwrap();
    let now = bench.hmc.clock().now().as_millisecond();
    assert_eq!(time(&bench.version().await).as_millisecond(), now);
    bench.advance(60).await;
    bench.hmc.set(|s| s.clock_skew_ms = -5000);
    assert_eq!(time(&bench.version().await).as_millisecond(), now + 55_000);
    assert!(!bench.hmc.log().requests().last().unwrap().session);
    bench.refused(bench.request(Method::GET, "/api/version?x=1"), 400, 1).await;
    bench.refused(bench.request(Method::POST, "/api/version"), 405, 1).await;
}

#[tokio::test]
async fn levels_differ_in_their_versions() {
    let z16 = bench_of(Console::z16(BUNDLE_OLD, &[])).await.version().await;
    assert_eq!(
        (&z16["hmc-version"], &z16["api-major-version"], &z16["api-minor-version"]),
        (&json!("2.16.0"), &json!(4), &json!(10))
    );
    let bench = bench_of(Console::z17("H03", &[])).await;
    let z17 = bench.version().await;
    assert_eq!((&z17["hmc-version"], &z17["api-minor-version"]), (&json!("2.17.0"), &json!(40)));
    assert_eq!(bench.get("/api/console").await.1["version"], "2.17.0");
}

#[tokio::test]
async fn the_console_shows_all_its_properties_or_those_that_are_asked_for() {
    let bench = Bench::new(Config::default()).await;
    assert_eq!(bench.bundle().await, BUNDLE_OLD);
    let (status, some) = bench.get("/api/console?properties=name,ec-mcl-description").await;
    assert_eq!((status, some.as_object().unwrap().len(), &some["name"]), (200, 2, &json!("HMC1")));
    assert_eq!(some["ec-mcl-description"]["bundle-level"], BUNDLE_OLD);
    for (query, reason) in [
        ("property=name", 1),
        ("properties=name&properties=version", 1),
        ("properties=name,colour", 14),
    ] {
        bench
            .refused(bench.request(Method::GET, &format!("/api/console?{query}")), 400, reason)
            .await;
    }
    bench
        .refused(bench.request(Method::GET, "/api/console").json(&json!({})), 400, 4)
        .await;
    bench.refused(bench.request(Method::DELETE, "/api/console"), 405, 1).await;
}

#[tokio::test]
async fn an_older_console_tells_everything_whatever_was_asked_for_or_knows_no_such_query() {
    let bench = Bench::new(Config::default().settings(|s| s.properties_query = PropertiesQuery::Ignored)).await;
    for query in ["properties=name", "properties=colour"] {
        let (status, console) = bench.get(&format!("/api/console?{query}")).await;
        assert_eq!(status, 200);
        forms::console(&console);
    }
    bench.hmc.set(|s| s.properties_query = PropertiesQuery::Unknown);
    bench
        .refused(bench.request(Method::GET, "/api/console?properties=name"), 400, 1)
        .await;
    assert_eq!(bench.bundle().await, BUNDLE_OLD);
}

#[tokio::test]
async fn a_console_may_have_no_bundle_at_all() {
    let bench = bench_of(Console::z16(BUNDLE_OLD, &[BUNDLE_NEW]).without_bundle()).await;
    let (status, console) = bench.get("/api/console").await;
    assert_eq!(status, 200);
    forms::console(&console);
    assert_eq!(console["ec-mcl-description"].get("bundle-level"), None);
    assert_eq!(bench.hmc.bundle(), "");
}

#[tokio::test]
async fn features_are_listed_or_the_operation_is_not_known() {
    let bench = Bench::new(Config::default()).await;
    let (status, features) = bench.get(FEATURES).await;
    assert_eq!(status, 200);
    assert!(features.as_array().unwrap().contains(&json!(RCL_PROGRESS)), "{features}");
    assert_eq!(bench.get(&format!("{FEATURES}?name={RCL_PROGRESS}")).await.1, json!([RCL_PROGRESS]));
    assert_eq!(
        bench.get(&format!("{FEATURES}?name=rcl-.*")).await.1,
        json!(["rcl-history", RCL_PROGRESS])
    );
    assert_eq!(bench.get(&format!("{FEATURES}?name=none")).await.1, json!([]));
    bench.refused(bench.request(Method::GET, &format!("{FEATURES}?x=1")), 400, 1).await;

    let bench = bench_of(Console::z16(BUNDLE_OLD, &[]).without_features()).await;
    bench.refused(bench.request(Method::GET, FEATURES), 404, 1).await;
    assert_eq!(bench.version().await["api-minor-version"], 1);
}

#[tokio::test]
async fn a_restarted_listener_serves_the_same_console_with_the_same_certificate() {
    let mut bench = Bench::new(Config::default()).await;
    bench.hmc.restart().await.unwrap();
    bench.refused(bench.request(Method::GET, "/api/console"), 403, 5).await;
    bench.log_on().await;
    assert_eq!(bench.bundle().await, BUNDLE_OLD);
}
