//! What a ClusterUpgradeBatch may say.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;
use super::kubectl;

fn spec() -> Value {
    json!({"connectionRef": {"name": "vc1"}, "desiredVersion": "v1.30.5+vmware.2", "clusters": [{"cluster": "domain-c8"}]})
}

/// One entry, and no version for the whole batch.
fn entry(entry: &Value) -> Value {
    json!({"clusters": [entry]})
}

fn clusters(n: usize) -> Value {
    json!({"clusters": (0..n).map(|i| json!({"cluster": format!("domain-c{i}")})).collect::<Vec<_>>()})
}

#[tokio::test]
async fn batch_rules_on_clusters_and_versions() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;

    let version = Some("every cluster needs a version: set spec.desiredVersion, or desiredVersion on each entry of spec.clusters");
    let pattern = Some("should match");
    let cases = [
        (json!({}), None),
        (
            json!({"strategy": {"maxConcurrent": 64, "maxFailures": 64, "soak": "168h"}, "timeout": "720h", "runKey": "try-2.b"}),
            None,
        ),
        (
            json!({"strategy": {"maxConcurrent": 1, "maxFailures": 0, "soak": "0s"}, "timeout": "1m", "runKey": "", "suspend": true}),
            None,
        ),
        (json!({"strategy": {}}), None),
        // A version for each, one way or the other.
        (json!({"desiredVersion": null}), version),
        (
            json!({"desiredVersion": null, "clusters": [{"cluster": "a", "desiredVersion": "1"}]}),
            None,
        ),
        (
            json!({"desiredVersion": null, "clusters": [{"cluster": "a", "desiredVersion": "1"}, {"cluster": "b"}]}),
            version,
        ),
        (json!({"desiredVersion": "v1.30.5+vmware.2-fips.1_x"}), None),
        (json!({"desiredVersion": "../../x"}), pattern),
        (json!({"desiredVersion": ".1"}), pattern),
        (json!({"desiredVersion": "1/2"}), pattern),
        (json!({"desiredVersion": "1\"2"}), pattern),
        (json!({"desiredVersion": "1\n"}), pattern),
        (json!({"desiredVersion": "v".repeat(64)}), None),
        (json!({"desiredVersion": "v".repeat(65)}), Some("spec.desiredVersion: Too long")),
        // Clusters.
        (clusters(64), None),
        (clusters(65), Some("spec.clusters: Too many: 65: must have at most 64 items")),
        (clusters(0), Some("spec.clusters in body should have at least 1 items")),
        (json!({"clusters": null}), Some("spec.clusters: Required value")),
        (
            json!({"clusters": [{"cluster": "a"}, {"cluster": "a", "canary": true}]}),
            Some("spec.clusters[1]: Duplicate value"),
        ),
        (
            entry(&json!({"cluster": "domain-c8", "clusterName": "Größe 1/2", "canary": true, "ignorePrecheckWarnings": true})),
            None,
        ),
        (entry(&json!({"cluster": "vm:domain-c8.a_b"})), None),
        (entry(&json!({"cluster": "domain-c8/../x"})), pattern),
        (entry(&json!({"cluster": "-a"})), pattern),
        (entry(&json!({"cluster": "domain c8"})), pattern),
        (entry(&json!({"cluster": "a".repeat(80)})), None),
        (
            entry(&json!({"cluster": "a".repeat(81)})),
            Some("spec.clusters[0].cluster: Too long"),
        ),
        (
            entry(&json!({"clusterName": "lab-a"})),
            Some("spec.clusters[0].cluster: Required value"),
        ),
        (entry(&json!({"cluster": "a", "clusterName": "a\u{7}b"})), pattern),
        (
            entry(&json!({"cluster": "a", "clusterName": ""})),
            Some("spec.clusters[0].clusterName"),
        ),
        (entry(&json!({"cluster": "a", "desiredVersion": "a b"})), pattern),
        (
            entry(&json!({"cluster": "a", "force": true})),
            Some(r#"unknown field "spec.clusters[0].force""#),
        ),
    ];
    batches.check(&spec(), &cases).await;
}

#[tokio::test]
async fn batch_rules_on_everything_else() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;

    let pattern = Some("should match");
    let timeout = Some(": must be between 1m and 720h");
    let soak = Some(": must be at most 168h");
    let cases = [
        (
            json!({"strategy": {"maxConcurrent": 0}}),
            Some("spec.strategy.maxConcurrent in body should be greater than or equal to 1"),
        ),
        (
            json!({"strategy": {"maxConcurrent": 65}}),
            Some("spec.strategy.maxConcurrent in body should be less than or equal to 64"),
        ),
        (json!({"strategy": {"maxConcurrent": "25%"}}), Some("spec.strategy.maxConcurrent")),
        (
            json!({"strategy": {"maxFailures": -1}}),
            Some("spec.strategy.maxFailures in body should be greater than or equal to 0"),
        ),
        (
            json!({"strategy": {"maxFailures": 65}}),
            Some("spec.strategy.maxFailures in body should be less than or equal to 64"),
        ),
        (json!({"strategy": {"soak": "1h30m"}}), None),
        (json!({"strategy": {"soak": "168h1s"}}), soak),
        (json!({"strategy": {"soak": "7d"}}), pattern),
        (json!({"strategy": {"soak": "-1h"}}), pattern),
        (json!({"timeout": "1h1h1h1h"}), None),
        (json!({"timeout": "59s"}), timeout),
        (json!({"timeout": "720h1ms"}), timeout),
        (json!({"timeout": "99999h99999h99999h99999h"}), timeout),
        (json!({"timeout": "1.5h"}), pattern),
        (json!({"timeout": "PT8H"}), pattern),
        (json!({"timeout": "1h1h1h1h1h"}), pattern),
        (json!({"timeout": 3600}), Some("spec.timeout")),
        (json!({"runKey": "a".repeat(32)}), None),
        (json!({"runKey": "a".repeat(33)}), Some("spec.runKey: Too long")),
        (json!({"runKey": "Again"}), pattern),
        (json!({"connectionRef": null}), Some("spec.connectionRef: Required value")),
        (json!({"connectionRef": {"name": "../vc1"}}), pattern),
        (
            json!({"connectionRef": {"namespace": "other"}}),
            Some(r#"unknown field "spec.connectionRef.namespace""#),
        ),
        // What this version does not know, it refuses by name.
        (
            json!({"limits": {"maxConcurrentUpgrades": 1}}),
            Some(r#"unknown field "spec.limits""#),
        ),
    ];
    batches.check(&spec(), &cases).await;
}

#[tokio::test]
async fn a_null_that_a_template_left_is_as_good_as_absent() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    let nulls = |version: Value| {
        json!({"connectionRef": {"name": "vc1"}, "desiredVersion": version, "strategy": null, "suspend": null, "timeout": null,
               "runKey": null, "clusters": [{"cluster": "a", "clusterName": null, "canary": null, "desiredVersion": null}]})
    };
    let refused = batches.try_create("b", &nulls(Value::Null)).await.unwrap_err();
    assert!(refused.contains("every cluster needs a version"), "{refused}");
    let stored = batches.create("b", &nulls("1".into())).await.unwrap();
    serde_json::from_value::<windlass::api::ClusterUpgradeBatch>(stored).unwrap();
}

#[tokio::test]
async fn a_batch_keeps_its_connection_and_nothing_else() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    batches.create("b", &spec()).await.unwrap();
    let refused = batches
        .patch("b", "", &json!({"spec": {"connectionRef": {"name": "vc2"}}}))
        .await
        .unwrap_err();
    assert!(
        refused.contains("a different target is a different upgrade: create a new object"),
        "{refused}"
    );
    for change in [
        json!({"desiredVersion": "v1.31.0", "runKey": "2", "timeout": "2h", "suspend": true, "strategy": {"soak": "1h"}}),
        json!({"clusters": [{"cluster": "domain-c9", "canary": true}, {"cluster": "domain-c8"}]}),
        json!({"clusters": [{"cluster": "domain-c10"}]}),
        json!({"runKey": null, "timeout": null, "suspend": null, "strategy": null}),
    ] {
        batches.patch("b", "", &json!({"spec": change})).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_batch_says_that_nobody_has_looked_and_applying_it_again_keeps_its_status() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    let manifest = json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch", "metadata": {"name": "b"}, "spec": spec()})
        .to_string();
    let seen = ["get", "cub", "b", "-n", &ns.name, "-o", "jsonpath={.status.observedGeneration}"];

    for (args, seen_then) in [
        (vec!["apply"], "-1"),
        (vec!["apply", "--server-side", "--force-conflicts", "--field-manager=test"], "7"),
        (vec!["apply"], "7"),
    ] {
        let args = [args, vec!["-n", &ns.name, "-f", "-"]].concat();
        let applied = plane.kubectl_stdin(&args, &manifest).await.unwrap();
        assert!(applied.status.success(), "{}", applied.stderr);
        assert_eq!(kubectl(plane, &seen).await, seen_then, "{args:?}");
        batches
            .patch("b", "/status", &json!({"status": {"observedGeneration": 7}}))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn future_time_column_prints() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    batches.create("b", &spec()).await.unwrap();
    let status = json!({"status": {
        "observedGeneration": 1, "state": "PENDING", "done": "0/1", "waitingFor": "WaitingForSoak", "nextActionAt": "2099-01-01T00:00:00Z",
        "message": "soaking", "counts": {"total": 1, "success": 0, "pending": 1},
        "conditions": [{"type": "Ready", "status": "False", "reason": "WaitingForSoak", "lastTransitionTime": "2026-11-22T12:00:00Z"}],
        "targets": [{"name": "domain-c8", "state": "PENDING", "progress": 0, "removed": false}],
        "blockers": [{"reason": "WaitingForSoak", "message": "soak", "until": "2099-01-01T00:00:00Z"}],
    }});
    batches.patch("b", "/status", &status).await.unwrap();

    let of_this_state = "--field-selector=status.state=PENDING,status.waitingFor=WaitingForSoak,spec.connectionRef.name=vc1";
    let wide = kubectl(plane, &["get", "cub", "-n", &ns.name, "-o", "wide", of_this_state]).await;
    let (header, row) = wide.trim_end().split_once('\n').unwrap();
    let titles: Vec<_> = header.split_whitespace().collect();
    assert_eq!(
        titles,
        [
            "NAME",
            "DONE",
            "STATE",
            "WAITING-FOR",
            "NEXT",
            "READY",
            "AGE",
            "VERSION",
            "MESSAGE",
            "CONNECTION"
        ]
    );
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(
        words[..6],
        ["b", "0/1", "PENDING", "WaitingForSoak", "2099-01-01T00:00:00Z", "False"],
        "{wide}"
    );
    assert_eq!(words[7..], ["v1.30.5+vmware.2", "soaking", "vc1"], "{wide}");
    let none = kubectl(
        plane,
        &[
            "get",
            "cub",
            "-n",
            &ns.name,
            "-o",
            "name",
            "--field-selector=spec.desiredVersion=v9",
        ],
    )
    .await;
    assert_eq!(none, "");
}

#[tokio::test]
async fn words_of_a_newer_operator_are_stored() {
    let plane = installed().await;
    let ns = plane.namespace("cub").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    batches.create("b", &spec()).await.unwrap();
    let status =
        json!({"status": {"state": "LEVITATING", "conditions": [{"type": "Levitating"}], "targets": [{"name": "a", "state": "X"}]}});
    let stored = batches.patch("b", "/status", &status).await.unwrap();
    assert_eq!(stored["status"]["state"], "LEVITATING");
    assert_eq!(stored["status"]["observedGeneration"], -1);
}
