//! Who may do what, and for whom.

use reqwest::Method;
use serde_json::json;

use super::super::super::aruba::{CUSTOMER, CUSTOMER_2, Config, Kind, TENANT_HEADER, start_path};
use super::{Bench, OTHER, answer, cx, forms, order, other};

#[tokio::test]
async fn a_reader_may_look_and_not_start() {
    let mut bench = Bench::with(other().reading()).await;
    bench.take_token(OTHER);
    assert_eq!(bench.rows(Kind::Cx).await.len(), 4);
    bench.refused(bench.start_request(&order()), 403, "0001").await;
    let (status, body) = bench.cancel(Kind::Cx).await;
    assert_eq!(status, 403);
    forms::error(&body, "0001");
    assert_eq!((bench.starts(), bench.central.log().refused_posts().len()), (0, 1));
}

#[tokio::test]
async fn a_customers_own_token_sees_that_customer_and_nothing_of_the_providers() {
    let mut bench = Bench::with(other().of_customer(1)).await;
    bench.take_token(OTHER);
    let (status, own) = bench.get("/firmware/v1/devices?device_type=CX").await;
    assert_eq!((status, own["devices"].as_array().unwrap().len()), (200, 4));
    assert!(own.to_string().contains("CX0001"), "{own}");
    assert_eq!(answer(bench.read(CUSTOMER_2, "swarms")).await.0, 200);
    bench.refused(bench.read(CUSTOMER, "swarms"), 403, "0001").await;
    bench
        .refused(bench.read(CUSTOMER_2, &format!("devices/{}", cx(0))), 404, "0001")
        .await;
    for path in [
        "/firmware/v1/msp/tenants/4d1c0001?device_type=CX",
        "/firmware/v1/msp/upgrade/compliance_version?device_type=CX",
    ] {
        assert_eq!(bench.get(path).await.0, 403, "{path}");
    }
    let start = bench.request(Method::POST, &start_path(CUSTOMER_2)).json(&order());
    bench.refused(start, 403, "0001").await;
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn the_provider_says_for_whom_and_has_no_devices_of_its_own() {
    let bench = Bench::new(Config::still()).await;
    assert_eq!(
        bench.get("/firmware/v1/swarms").await,
        (200, json!({"swarms": [], "swarm_count": 0}))
    );
    assert_eq!(bench.get(&format!("/firmware/v1/devices/{}", cx(0))).await.0, 404);
    assert_eq!(
        bench.get("/firmware/v1/versions?device_type=CX").await.0,
        200,
        "versions are nobody's"
    );
    let both = bench.read(CUSTOMER, "swarms");
    assert_eq!(answer(both).await.1["swarm_count"], 4);
    let scopes: Vec<_> = bench.central.log().requests().into_iter().map(|entry| entry.scope).collect();
    assert_eq!(scopes, [None, None, None, Some(CUSTOMER.to_owned())]);
}

#[tokio::test]
async fn only_a_bearer_token_is_a_token() {
    let bench = Bench::new(Config::still()).await;
    let ask = |value: String| {
        let read = bench.client.get(format!("{}/firmware/v1/swarms", bench.central.url()));
        answer(read.header("authorization", value))
    };
    let (status, body) = ask(format!("Basic {}", bench.token)).await;
    assert_eq!(status, 401);
    forms::oauth(&body, "invalid_request");
    let (status, body) = ask("Bearer guess".to_owned()).await;
    assert_eq!(status, 401);
    forms::oauth(&body, "invalid_token");
    assert_eq!(ask(format!("bearer {}", bench.token)).await.0, 200);
    let start = bench.client.post(format!("{}{}", bench.central.url(), start_path(CUSTOMER)));
    assert_eq!(answer(start.header(TENANT_HEADER, CUSTOMER).json(&order())).await.0, 401);
    assert_eq!(bench.starts(), 0);
}
