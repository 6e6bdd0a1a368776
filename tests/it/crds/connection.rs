//! What a Connection may say.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;
use super::kubectl;

fn spec() -> Value {
    json!({"type": "VCenter", "url": "https://vc1.example", "credentialsSecretRef": {"name": "vc1"}})
}

fn url(url: &str) -> Value {
    json!({"url": url})
}

#[tokio::test]
async fn connection_rules() {
    let plane = installed().await;
    let ns = plane.namespace("conn").await.unwrap();
    let connections = Objects::namespaced(plane, "Connection", "connections", &ns.name).await;

    let bare = Some("must be https://host or https://host:port, without path, query or fragment");
    let no_user = Some("must not hold a user name or password");
    let port = Some("the port must be between 1 and 65535");
    let inside = Some("the host must not be localhost or a service of this cluster");
    let too_long = format!("https://{}.example", "a".repeat(250));
    let cases = [
        (json!({}), None),
        (json!({"suspend": true, "caBundlePEM": "-----BEGIN CERTIFICATE-----"}), None),
        (url("https://VC1.Example/"), None),
        (url("https://vc1.example:8443"), None),
        (url("https://vc1.example:65535"), None),
        (url("https://127.0.0.1:8443"), None),
        (url("https://[2001:db8::1]:8443"), None),
        (url("https://vc1"), None),
        (url("https://localhost.example"), None),
        (url("https://mylocalhost"), None),
        (url("https://svc.example"), None),
        (url("https://my-svc"), None),
        (url("https://cluster.local.example"), None),
        (url("http://vc1.example"), bare),
        (url("ftp://vc1.example"), bare),
        (url("vc1.example"), bare),
        (url("//vc1.example"), bare),
        (url("https://"), bare),
        (url("https://:443"), bare),
        (url("https://vc1.example/api"), bare),
        (url("https://vc1.example/%2e%2e"), bare),
        (url("https://vc1.example?a=b"), bare),
        (url("https://vc1.example?"), bare),
        (url("https://vc1.example#f"), bare),
        (url("https://vc1.example/#"), bare),
        (url("https://vc1 .example"), bare),
        (url("https://vc1.example\n"), bare),
        (url("https://user:pw@vc1.example"), no_user),
        (url("https://user@vc1.example"), no_user),
        (url("https://vc1.example:0"), port),
        (url("https://vc1.example:65536"), port),
        (url("https://vc1.example:99999999999999999999"), port),
        (url("https://localhost"), inside),
        (url("https://LocalHost:8443"), inside),
        (url("https://localhost./"), inside),
        (url("https://vc.localhost"), inside),
        (url("https://vc.default.svc"), inside),
        (url("https://vc.default.SVC:443"), inside),
        (url("https://vc.default.svc./"), inside),
        (url("https://vc.default.svc.cluster.local"), inside),
        (url("https://kubernetes.default.svc.Cluster.Local.:443"), inside),
        (url(""), Some("spec.url in body should be at least 1 chars")),
        (url(&too_long), Some("Too long: may not be more than 253 bytes")),
        (json!({"url": null}), Some("spec.url: Required value")),
        (json!({"type": null}), Some("spec.type: Required value")),
        (
            json!({"type": "Aruba"}),
            Some(r#"Unsupported value: "Aruba": supported values: "VCenter", "RecoveryAppliance""#),
        ),
        (
            json!({"credentialsSecretRef": null}),
            Some("spec.credentialsSecretRef: Required value"),
        ),
        (
            json!({"credentialsSecretRef": {"name": ""}}),
            Some("spec.credentialsSecretRef.name"),
        ),
        (
            json!({"credentialsSecretRef": {"name": "../x"}}),
            Some("spec.credentialsSecretRef.name"),
        ),
        (
            json!({"credentialsSecretRef": {"namespace": "other"}}),
            Some(r#"unknown field "spec.credentialsSecretRef.namespace""#),
        ),
        (
            json!({"caBundlePEM": ""}),
            Some("spec.caBundlePEM in body should be at least 1 chars"),
        ),
        (json!({"caBundlePEM": "x".repeat(65537)}), Some("spec.caBundlePEM: Too long")),
        // Limits.
        (json!({"limits": {}}), None),
        (json!({"limits": {"maxConcurrentUpgrades": 1}}), None),
        (json!({"limits": {"maxConcurrentUpgrades": 1000}}), None),
        (
            json!({"limits": {"maxConcurrentUpgrades": 0}}),
            Some("spec.limits.maxConcurrentUpgrades in body should be greater than or equal to 1"),
        ),
        (
            json!({"limits": {"maxConcurrentUpgrades": 1001}}),
            Some("spec.limits.maxConcurrentUpgrades in body should be less than or equal to 1000"),
        ),
        // What this version does not know, it refuses by name.
        (
            json!({"insecureSkipVerify": true}),
            Some(r#"unknown field "spec.insecureSkipVerify""#),
        ),
    ];
    connections.check(&spec(), &cases).await;
}

#[tokio::test]
async fn connection_rules_of_aruba_central() {
    let plane = installed().await;
    let ns = plane.namespace("conn").await.unwrap();
    let connections = Objects::namespaced(plane, "Connection", "connections", &ns.name).await;

    let spec = json!({
        "type": "ArubaCentral", "url": "https://apigw-prod2.central.arubanetworks.com", "credentialsSecretRef": {"name": "central-msp"},
        "arubaCentral": {"customerId": "6f0b2a9e"},
    });
    let account = |id: &str| json!({"arubaCentral": {"customerId": id}});
    let calls = |n: i64| json!({"limits": {"requestsPerDay": n}});
    let only = "type ArubaCentral needs arubaCentral";
    let cases = [
        (json!({}), None),
        (account("msp:acme-1.2_x"), None),
        (account(""), Some("should be at least 1 chars")),
        (account("../6f0b2a9e"), Some("should match")),
        (account(&"a".repeat(81)), Some("Too long")),
        (json!({"arubaCentral": null}), Some(only)),
        (json!({"arubaCentral": {"customerId": null}}), Some("customerId: Required value")),
        (json!({"type": "VCenter"}), Some(only)),
        (
            json!({"type": "VCenter", "arubaCentral": null, "limits": {"requestsPerDay": 4000}}),
            Some("limits.requestsPerDay is for type ArubaCentral only"),
        ),
        (
            json!({"type": "VCenter", "arubaCentral": null, "limits": {"maxConcurrentUpgrades": 3}}),
            None,
        ),
        (
            json!({"recoveryAppliance": {}}),
            Some("recoveryAppliance is for type RecoveryAppliance only"),
        ),
        (calls(100), None),
        (calls(1_000_000), None),
        (calls(99), Some("greater than or equal to 100")),
        (calls(1_000_001), Some("less than or equal to 1000000")),
    ];
    connections.check(&spec, &cases).await;
}

#[tokio::test]
async fn connection_rules_of_a_recovery_appliance() {
    let plane = installed().await;
    let ns = plane.namespace("conn").await.unwrap();
    let connections = Objects::namespaced(plane, "Connection", "connections", &ns.name).await;

    let spec = json!({"type": "RecoveryAppliance", "url": "https://srm-a.dr.example:5480", "credentialsSecretRef": {"name": "srm-a"}});
    let path = |path: &str| json!({"recoveryAppliance": {"basePath": path}});
    let pattern = Some("spec.recoveryAppliance.basePath in body should match");
    let long = format!("/{}", "a".repeat(127));
    let cases = [
        (json!({}), None),
        (json!({"recoveryAppliance": {}}), None),
        (json!({"recoveryAppliance": {"basePath": null}}), None),
        (path("/api/rest/configure/v2"), None),
        (path("/v2.1.0/~x_y-z"), None),
        (path(&long), None),
        (path(&format!("{long}a")), Some("spec.recoveryAppliance.basePath: Too long")),
        (path(""), Some("spec.recoveryAppliance.basePath")),
        (path("/"), Some("spec.recoveryAppliance.basePath")),
        (path("api"), pattern),
        (path("/api/"), pattern),
        (path("//api"), pattern),
        (path("/api//v2"), pattern),
        (path("/.."), pattern),
        (path("/api/../v2"), pattern),
        (path("/api/./v2"), pattern),
        (path("/api/a..b"), pattern),
        (path("/api/%2e%2e"), pattern),
        (path("/api?x=1"), pattern),
        (path("/api#x"), pattern),
        (path("/api v2"), pattern),
        (path("/api\n"), pattern),
        (path("/@evil"), pattern),
        (
            json!({"recoveryAppliance": {"port": 1}}),
            Some(r#"unknown field "spec.recoveryAppliance.port""#),
        ),
        // The block of a type goes with that type, also when it is empty.
        (
            json!({"type": "VCenter", "recoveryAppliance": {}}),
            Some("recoveryAppliance is for type RecoveryAppliance only"),
        ),
    ];
    connections.check(&spec, &cases).await;

    connections.create("srm-a", &spec).await.unwrap();
    let refused = connections
        .patch("srm-a", "", &json!({"spec": {"type": "VCenter"}}))
        .await
        .unwrap_err();
    assert!(
        refused.contains("a different type is a different machine: create a new Connection"),
        "{refused}"
    );
    connections
        .patch("srm-a", "", &json!({"spec": {"recoveryAppliance": {"basePath": "/v3"}}}))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_connection_keeps_type_and_url_and_nothing_else() {
    let plane = installed().await;
    let ns = plane.namespace("conn").await.unwrap();
    let connections = Objects::namespaced(plane, "Connection", "connections", &ns.name).await;
    let created = connections.create("vc1", &spec()).await.unwrap();
    assert_eq!(created["status"], json!({"observedGeneration": -1}), "nobody has looked at it");

    let refused = connections
        .patch("vc1", "", &json!({"spec": {"url": "https://vc2.example"}}))
        .await
        .unwrap_err();
    assert!(
        refused.contains("a different url is a different machine: create a new Connection"),
        "{refused}"
    );
    let changes =
        json!({"spec": {"credentialsSecretRef": {"name": "other"}, "suspend": true, "caBundlePEM": "-----BEGIN CERTIFICATE-----"}});
    connections.patch("vc1", "", &changes).await.unwrap();
    connections
        .patch("vc1", "", &json!({"spec": {"caBundlePEM": null, "suspend": null}}))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_connection_shows_in_columns_what_it_came_to() {
    let plane = installed().await;
    let ns = plane.namespace("conn").await.unwrap();
    let connections = Objects::namespaced(plane, "Connection", "connections", &ns.name).await;
    connections.create("vc1", &spec()).await.unwrap();
    let status = json!({"status": {
        "observedGeneration": 1, "endpoint": "vc1.example:443", "vendor": {"product": "vCenter", "version": "8.0.3"}, "inFlight": 0,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Reachable", "message": "logged in as windlass"}],
        "reservations": [{"target": "domain-c8", "seq": 3, "at": "2026-11-22T12:00:00Z", "by": "vsphere/ClusterUpgradeBatch/b"}],
    }});
    connections.patch("vc1", "/status", &status).await.unwrap();

    let wide = kubectl(
        plane,
        &["get", "conn", "-n", &ns.name, "-o", "wide", "--field-selector=spec.type=VCenter"],
    )
    .await;
    let (header, row) = wide.trim_end().split_once('\n').unwrap();
    let titles: Vec<_> = header.split_whitespace().collect();
    assert_eq!(
        titles,
        [
            "NAME", "TYPE", "ENDPOINT", "READY", "REASON", "INFLIGHT", "AGE", "VERSION", "QUOTA", "MESSAGE"
        ]
    );
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(
        words[..6],
        ["vc1", "VCenter", "vc1.example:443", "True", "Reachable", "0"],
        "{wide}"
    );
    assert_eq!(words[7..], ["8.0.3", "logged", "in", "as", "windlass"], "{wide}");

    let twice = json!({"status": {"reservations": [{"target": "domain-c8"}, {"target": "domain-c8"}]}});
    let refused = connections.patch("vc1", "/status", &twice).await.unwrap_err();
    assert!(refused.contains("Duplicate value"), "{refused}");
}
