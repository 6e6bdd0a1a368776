//! Bodies of starts and cancels: each mistake, and the code that it is met with.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::aruba::{CUSTOMER, Config, Ignored, Kind, Stage, UnknownCustomer, cancel_path, start_path};
use super::{Bench, answer, forms, order, order_with};

#[tokio::test]
async fn the_body_of_a_start_is_checked_field_by_field() {
    let bench = Bench::new(Config::still()).await;
    for (change, code) in [
        (json!({"device_type": null}), "0005"),
        (json!({"device_type": "cx"}), "0004"),
        (json!({"device_type": "AP"}), "0004"),
        (json!({"device_type": 3}), "0004"),
        (json!({"firmware_version": "1.2.3"}), "0004"),
        (json!({"firmware_version": Kind::Hp.version_new()}), "0004"),
        (json!({"firmware_version": 10.13}), "0004"),
        (json!({"firmware_scheduled_at": "1790000000"}), "0004"),
        (json!({"firmware_scheduled_at": 1_790_000_000.5}), "0004"),
        (json!({"firmware_scheduled_at": -1}), "0004"),
        (json!({"firmware_scheduled_at": 1_790_000_000_000_u64}), "0004"),
        (json!({"reboot": "true"}), "0004"),
        (json!({"reboot": 1}), "0004"),
        (json!({"exclude_groups": ["TestGroup1"]}), "0004"),
        (json!({"exclude_groups": "TestGroup1"}), "0004"),
        (json!({"exclude_groups": "{\"TestGroup1\":1}"}), "0004"),
        (json!({"exclude_groups": "[1]"}), "0004"),
        (json!({"exclude_groups": ""}), "0004"),
        (json!({"exclude_customers": "[]"}), "0003"),
        (json!({"model": "6300M"}), "0003"),
        (json!({"forced": true}), "0003"),
    ] {
        let body = order_with(&change);
        bench.refused(bench.start_request(&body), 400, code).await;
    }
    let post = || bench.request(Method::POST, &start_path(CUSTOMER));
    let json = || post().header("content-type", "application/json");
    bench.refused(json(), 400, "0001").await;
    bench.refused(json().body("{\"device_type\":"), 400, "0001").await;
    bench.refused(post().json(&json!([order()])), 400, "0001").await;
    bench.refused(post().body(order().to_string()), 400, "0001").await;
    let query = format!("{}?device_type=CX", start_path(CUSTOMER));
    bench.refused(bench.request(Method::POST, &query).json(&order()), 400, "0003").await;
    assert_eq!((bench.starts(), bench.stages(Kind::Cx, Stage::AtRest)), (0, 4));
    bench.started(order_with(&json!({"exclude_groups": "[]"}))).await;
    bench.started(json!({"device_type": "CX"})).await;
}

#[tokio::test]
async fn a_null_is_a_value_that_is_not_valid() {
    let bench = Bench::new(Config::still()).await;
    for name in [
        "device_type",
        "firmware_version",
        "firmware_scheduled_at",
        "reboot",
        "exclude_groups",
    ] {
        let mut body = order();
        body[name] = Value::Null;
        bench.refused(bench.start_request(&body), 400, "0004").await;
    }
}

#[tokio::test]
async fn which_status_a_mistake_has_is_set() {
    let bench = Bench::new(Config::still()).await;
    for status in [400, 404, 417, 422, 500] {
        bench.central.set(|s| s.invalid_status = status);
        bench.refused(bench.start_request(&json!({"reboot": true})), status, "0005").await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413_or_417() {
    let bench = Bench::new(Config::still()).await;
    let long = order_with(&json!({"exclude_groups": json!(vec!["TestGroup1"; 10_000]).to_string()}));
    for status in [413, 417] {
        bench.central.set(|s| s.too_large_status = status);
        let (got, body) = answer(bench.start_request(&long)).await;
        assert_eq!(got, status);
        forms::gateway(&body);
    }
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn a_customer_that_there_is_not_is_told_as_set() {
    let bench = Bench::new(Config::still()).await;
    for (how, status, code) in [
        (UnknownCustomer::NotFound, 404, "0001"),
        (UnknownCustomer::Forbidden, 403, "0001"),
        (UnknownCustomer::Invalid, 400, "0004"),
    ] {
        bench.central.set(|s| s.unknown_customer = how);
        for id in ["4d1c0002", "4D1C0000", "4d1c000", "4d1c+000", "nobody"] {
            bench
                .refused(bench.request(Method::POST, &start_path(id)).json(&order()), status, code)
                .await;
            bench.refused(bench.read(id, "swarms"), status, code).await;
        }
        let cancel = bench
            .request(Method::POST, &cancel_path("nobody"))
            .json(&json!({"device_type": "CX"}));
        bench.refused(cancel, status, code).await;
    }
    bench.central.set(|s| s.unknown_customer = UnknownCustomer::NotFound);
    bench.central.remove_customer(CUSTOMER).unwrap();
    bench.refused(bench.start_request(&order()), 404, "0001").await;
    assert_eq!(bench.central.customers(), ["4d1c0001"]);
    bench.central.return_customer(CUSTOMER).unwrap();
    bench.started(order()).await;
}

#[tokio::test]
async fn a_group_that_there_is_not_is_ignored_or_refused() {
    for (how, status) in [(Ignored::Ignored, 200), (Ignored::Refused, 400)] {
        let bench = Bench::new(Config::still().settings(|s| s.unknown_group = how)).await;
        let body = order_with(&json!({"exclude_groups": "[\"TestGroup1\",\"Nowhere\"]"}));
        assert_eq!(answer(bench.start_request(&body)).await.0, status, "{how:?}");
    }
}

#[tokio::test]
async fn reboot_does_not_apply_to_access_points() {
    for (how, status) in [(Ignored::Ignored, 200), (Ignored::Refused, 400)] {
        let bench = Bench::new(Config::still().settings(|s| s.iap_reboot = how)).await;
        let new = Kind::Iap.version_new();
        let body = json!({"device_type": "IAP", "firmware_version": new, "reboot": false});
        assert_eq!(answer(bench.start_request(&body)).await.0, status, "{how:?}");
        bench.started(json!({"device_type": "IAP", "firmware_version": new})).await;
        bench.advance(1000);
        assert_eq!(bench.at(Kind::Iap, new), 4, "they reboot all the same");
    }
}

#[tokio::test]
async fn paths_that_this_central_does_not_have_are_404_or_405() {
    let bench = Bench::new(Config::still().settings(|s| s.missing_paths = vec!["/firmware/v2/*".to_owned(), start_path("*")])).await;
    for status in [404, 405] {
        bench.central.set(|s| s.missing_path_status = status);
        assert_eq!(bench.cancel(Kind::Cx).await.0, status);
        assert_eq!(answer(bench.start_request(&order())).await.0, status);
    }
    assert_eq!(bench.starts(), 0);
    for path in ["/monitoring/v1/devices", "/firmware/v3/swarms", "/firmware/v1/no-such", "/"] {
        assert_eq!(bench.get(path).await.0, 404, "{path}");
    }
}
