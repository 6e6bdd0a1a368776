//! Everything that is rendered is taken by a real API server, strictly and without a warning.

use serde_json::Value;
use serde_json::json;

use super::Manifests;
use super::NAMESPACE;
use super::ROOT;
use super::rendered;
use super::schema;
use super::site::HOSTS;
use super::site::installed;
use super::site::silent;

/// ServiceMonitor and PrometheusRule, with the fields that the chart uses and no others.
const MONITORING: &str = include_str!("monitoring-crds.yaml");

#[tokio::test]
async fn every_rendered_manifest_is_taken_strictly_and_without_a_warning() {
    let plane = installed().await;
    silent(plane.kubectl_stdin(&["apply", "-f", "-"], MONITORING).await.unwrap());
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    plane.kubectl(&established).await.unwrap().ok().unwrap();
    let team = plane.namespace("strict").await.unwrap().name;
    let on = json!({"enabled": true, "labels": {"release": "prometheus"}});
    for set in [
        json!({}),
        json!({"watch": {"namespaces": [team]}, "replicas": 2}),
        json!({"watch": {"namespaces": [team]}, "policies": {"operators": ["a:b", "c:d.e"]}, "crds": {"keep": false}}),
        json!({
            "image": {"digest": format!("sha256:{}", "0".repeat(64))}, "imagePullSecrets": [{"name": "pull"}], "replicas": 3,
            "resources": {"limits": {"memory": "512Mi", "cpu": 1}}, "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
            "affinity": schema::affinity(), "topologySpreadConstraints": schema::spread(), "priorityClassName": "system-cluster-critical",
            "podAnnotations": {"a.example/b": "c"}, "podLabels": {"a.example/b": "c"}, "extraEnv": schema::environment(),
            "serviceAccount": {"annotations": {"a.example/b": "c"}}, "rbac": {"aggregateToEdit": true},
            "network": {"allowedHosts": ["vc1.example", "*.dr.example"], "proxyURL": "http://proxy.example:3128"},
            "networkPolicy": {"metricsFrom": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]},
            "metrics": {"serviceMonitor": on, "prometheusRule": on, "dashboard": on},
        }),
    ] {
        let all = rendered(&set).await;
        let args = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        let said = silent(plane.kubectl_stdin(&args, &all.list()).await.unwrap());
        assert_eq!(said.lines().count(), all.0.len(), "{said}");
    }
}

#[tokio::test]
async fn pods_stand_where_only_restricted_ones_may() {
    let plane = installed().await;
    let all = rendered(&json!({})).await;
    let template = &all.only("Deployment")["spec"]["template"];
    let pod = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": spec}).to_string();
    let args = ["create", "--dry-run=server", "-n", NAMESPACE, "-f", "-"];
    silent(plane.kubectl_stdin(&args, &pod(template["spec"].clone())).await.unwrap());
    let mut lax = template["spec"].clone();
    lax["containers"][0]["securityContext"] = json!({});
    let refused = plane.kubectl_stdin(&args, &pod(lax)).await.unwrap();
    assert!(
        refused.stderr.contains("violates PodSecurity \"restricted"),
        "the check is at work: {}",
        refused.stderr
    );
}

/// A default that the API server fills into an item of a list is a difference for ever to a tool that compares lists as a whole.
#[tokio::test]
async fn nothing_that_is_applied_comes_back_with_something_more_in_a_list() {
    let plane = installed().await;
    let set = json!({"network": {"allowedHosts": HOSTS}});
    let all = rendered(&set).await.without(|m| m["kind"] == "Deployment");
    let found = plane.kubectl_stdin(&["get", "-o", "json", "-f", "-"], &all.list()).await.unwrap();
    let found: Value = serde_json::from_str(&silent(found)).unwrap();
    let live = Manifests(found["items"].as_array().unwrap().clone()).sorted();
    let wanted = all.sorted();
    assert_eq!(live.len(), wanted.len());
    let mut more = Vec::new();
    for (wanted, live) in wanted.iter().zip(&live) {
        differences(
            &format!("{} {}", wanted["kind"], wanted["metadata"]["name"]),
            wanted,
            live,
            false,
            &mut more,
        );
    }
    assert!(more.is_empty(), "{}", more.join("\n"));
}

/// Where `live` is not what was wanted. Fields that the server adds to an object are no difference; in a list they are.
fn differences(path: &str, wanted: &Value, live: &Value, in_list: bool, found: &mut Vec<String>) {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            for (key, value) in wanted {
                differences(
                    &format!("{path}.{key}"),
                    value,
                    &live.get(key).cloned().unwrap_or_default(),
                    in_list,
                    found,
                );
            }
            for key in live.keys().filter(|key| in_list && !wanted.contains_key(*key)) {
                found.push(format!("{path}.{key} was added"));
            }
        }
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            for (number, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                differences(&format!("{path}[{number}]"), wanted, live, true, found);
            }
        }
        _ if wanted == live => {}
        _ => found.push(format!("{path}: {wanted} became {live}")),
    }
}

#[tokio::test]
async fn samples_are_taken_strictly_where_the_policies_are_in_force() {
    let plane = installed().await;
    let samples = format!("{ROOT}/deploy/samples");
    silent(plane.kubectl(&["apply", "--validate=strict", "-f", &samples]).await.unwrap());
    let again = silent(plane.kubectl(&["apply", "--validate=strict", "-f", &samples]).await.unwrap());
    // What a Secret's stringData becomes is data, so kubectl sees something to do each time.
    let mut others = again.lines().filter(|line| !line.starts_with("secret/"));
    assert!(others.all(|line| line.ends_with(" unchanged")), "{again}");
}
