//! The reads beside the lists.

use serde_json::json;

use super::super::super::aruba::{
    CUSTOMER, CUSTOMER_2, Compliance, Config, Kind, Place, TenantForm, VERSION_NEW, VERSION_NEWER, VERSION_OLD, VersionsForm,
};
use super::{Bench, answer, cx, forms, order_with, swarm};

#[tokio::test]
async fn one_device_or_swarm_is_told_as_in_the_list() {
    let bench = Bench::new(Config::still()).await;
    assert_eq!(bench.told(&format!("devices/{}", cx(1))).await, bench.rows(Kind::Cx).await[1]);
    assert_eq!(bench.told(&format!("swarms/{}", swarm(2))).await, bench.rows(Kind::Iap).await[2]);
    for path in [
        format!("devices/{}", swarm(0)),
        format!("swarms/{}", cx(0)),
        format!("devices/{}", cx(4)),
        format!("devices/{}", Place::new(1, Kind::Cx, 0).id()),
        "devices/no-such".to_owned(),
    ] {
        bench.refused(bench.read(CUSTOMER, &path), 404, "0001").await;
    }
    bench
        .refused(bench.read(CUSTOMER, &format!("devices/{}?device_type=CX", cx(0))), 400, "0003")
        .await;
}

#[tokio::test]
async fn the_status_of_one_is_asked_for_by_exactly_one_name() {
    let bench = Bench::new(Config::still()).await;
    let at = bench.now() + 60;
    bench.started(order_with(&json!({"firmware_scheduled_at": at}))).await;
    let status = bench.told(&format!("status?serial={}", cx(0))).await;
    forms::status(&status);
    assert_eq!(
        (&status["state"], &status["firmware_scheduled_at"]),
        (&json!("UPGRADE_SCHEDULED"), &json!(at))
    );
    forms::status(&bench.told(&format!("status?swarm_id={}", swarm(0))).await);
    for (query, http, code) in [
        (String::new(), 400, "0005"),
        (format!("?serial={}&swarm_id={}", cx(0), swarm(0)), 400, "0003"),
        (format!("?serial={}", swarm(0)), 404, "0001"),
        (format!("?swarm_id={}", cx(0)), 404, "0001"),
        ("?serial=no-such".to_owned(), 404, "0001"),
        (format!("?serial={}", Place::new(0, Kind::Iap, 0).ap(1)), 400, "0004"),
    ] {
        bench.refused(bench.read(CUSTOMER, &format!("status{query}")), http, code).await;
    }
}

#[tokio::test]
async fn versions_are_a_bare_array_or_an_object() {
    let bench = Bench::new(Config::still()).await;
    let versions = bench.told("versions?device_type=CX").await;
    assert_eq!(versions[0]["firmware_version"], VERSION_NEWER);
    assert_eq!(versions.as_array().unwrap().len(), 5);
    assert_eq!(bench.told(&format!("versions?serial={}", cx(0))).await, versions);
    assert_eq!(
        bench.told(&format!("versions?swarm_id={}", swarm(0))).await[0]["firmware_version"],
        Kind::Iap.version_newer()
    );
    for (query, code) in [
        ("", "0005"),
        ("?device_type=CX&serial=x", "0003"),
        ("?device_type=AP", "0004"),
        ("?group=TestGroup1", "0003"),
    ] {
        bench.refused(bench.read(CUSTOMER, &format!("versions{query}")), 400, code).await;
    }
    bench.central.set(|s| s.versions_form = VersionsForm::Object);
    assert_eq!(bench.told("versions?device_type=CX").await, json!({"versions": versions}));
    bench.central.set(|s| s.versions_without_cx = true);
    bench.refused(bench.read(CUSTOMER, "versions?device_type=CX"), 400, "0004").await;
    let by_serial = bench.told(&format!("versions?serial={}", cx(0))).await;
    assert_eq!(by_serial, json!({"versions": versions}), "but of one switch it does");
    bench.central.set(|s| s.versions_without_cx = false);
    bench.central.stock(Kind::Cx, &["10.14.0001"]);
    assert_eq!(
        bench.told("versions?device_type=CX").await["versions"][0]["firmware_version"],
        "10.14.0001"
    );
}

#[tokio::test]
async fn whether_a_version_is_there_is_told_by_404_or_by_a_word() {
    let bench = Bench::new(Config::still()).await;
    let path = |version: &str, kind: &str| format!("versions/{version}?device_type={kind}");
    assert_eq!(bench.told(&path(VERSION_NEW, "CX")).await["available"], true);
    bench.refused(bench.read(CUSTOMER, &path(VERSION_NEW, "HP")), 404, "0001").await;
    bench.refused(bench.read(CUSTOMER, "versions/10.13.1010"), 400, "0005").await;
    bench.central.set(|s| s.missing_version_is_404 = false);
    assert_eq!(bench.told(&path("1.2.3", "CX")).await["available"], false);
}

#[tokio::test]
async fn models_are_told_of_a_type_or_of_one_device() {
    let bench = Bench::new(Config::still()).await;
    let all = json!({"models": ["6300M 48G", "6200F 24G", "8325-32C"]});
    assert_eq!(bench.told("models?device_type=CX").await, all);
    assert_eq!(
        bench.told(&format!("models?serial={}", cx(0))).await,
        json!({"models": ["6300M 48G"]})
    );
    bench.refused(bench.read(CUSTOMER, "models"), 400, "0005").await;
}

#[tokio::test]
async fn a_tenant_is_told_in_counts_or_rows_or_not_at_all() {
    let bench = Bench::new(Config::still().estate(|e| e.new_every = 4)).await;
    let path = |kind: &str| format!("/firmware/v1/msp/tenants/{CUSTOMER}?device_type={kind}");
    let (status, counts) = bench.get(&path("CX")).await;
    assert_eq!(status, 200);
    assert_eq!(
        counts,
        json!({
            "tenant_id": CUSTOMER, "device_type": "CX", "total": 4, "upgrade_required": 3,
            "versions": [{"firmware_version": VERSION_OLD, "count": 3}, {"firmware_version": VERSION_NEW, "count": 1}],
        })
    );
    bench.central.set(|s| s.tenant_form = TenantForm::Rows);
    let (_, rows) = bench.get(&path("CX")).await;
    assert_eq!(rows["devices"], json!(bench.rows(Kind::Cx).await));
    let (_, swarms) = bench.get(&path("IAP")).await;
    assert_eq!(swarms["swarm_count"], 4);
    bench.central.set(|s| s.tenant_form = TenantForm::NotThere);
    assert_eq!(bench.get(&path("CX")).await.0, 404);
    assert_eq!(bench.get(&format!("/firmware/v1/msp/tenants/{CUSTOMER}")).await.0, 400);
    assert_eq!(bench.get("/firmware/v1/msp/tenants/nobody?device_type=CX").await.0, 404);
}

#[tokio::test]
async fn a_compliance_version_is_404_until_somebody_sets_one() {
    let bench = Bench::new(Config::still()).await;
    let own = || bench.read(CUSTOMER, "upgrade/compliance_version?device_type=CX");
    let paths = [
        "/firmware/v1/msp/upgrade/compliance_version?device_type=CX".to_owned(),
        format!("/firmware/v1/msp/upgrade/customers/{CUSTOMER}/compliance_version?device_type=CX"),
    ];
    bench.refused(own(), 404, "0001").await;
    for path in &paths {
        assert_eq!(bench.get(path).await.0, 404, "{path}");
    }
    let demand = |version: &str| {
        Some(Compliance {
            version: version.to_owned(),
            scheduled_at: 7,
        })
    };
    bench.central.set_compliance(Some(CUSTOMER), Kind::Cx, demand(VERSION_NEW)).unwrap();
    bench.central.set_compliance(None, Kind::Cx, demand(VERSION_NEWER)).unwrap();
    let told = |version: &str| json!({"firmware_compliance_version": version, "compliance_scheduled_at": 7});
    assert_eq!(answer(own()).await, (200, told(VERSION_NEW)));
    assert_eq!(bench.get(&paths[0]).await, (200, told(VERSION_NEWER)));
    assert_eq!(bench.get(&paths[1]).await, (200, told(VERSION_NEW)));
    assert_eq!(
        answer(bench.read(CUSTOMER_2, "upgrade/compliance_version?device_type=CX")).await.0,
        404
    );
    assert_eq!(
        answer(bench.read(CUSTOMER, "upgrade/compliance_version?device_type=HP")).await.0,
        404
    );
    bench.refused(bench.read(CUSTOMER, "upgrade/compliance_version"), 400, "0005").await;
    bench.central.set_compliance(Some(CUSTOMER), Kind::Cx, None).unwrap();
    assert_eq!(answer(own()).await.0, 404);
    assert_eq!(bench.at(Kind::Cx, VERSION_OLD), 4, "it is demanded, and nothing here makes it so");
}
