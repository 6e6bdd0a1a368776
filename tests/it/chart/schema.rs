//! The schema of the values: it knows every one of them, and refuses everything else before anything is installed.

use serde_json::Value;
use serde_json::json;

use super::CHART;
use super::helm;
use super::surface::entries;
use super::surface::file;
use super::template;
use super::text;

/// Calls `look` with every schema in this one, and its path.
fn each(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for group in ["properties", "definitions"] {
        for (name, inner) in schema[group].as_object().into_iter().flatten() {
            each(&format!("{path}.{name}"), inner, look);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            each(&format!("{path}[]"), &schema[inner], look);
        }
    }
}

#[test]
fn a_misspelt_value_is_refused_at_every_level() {
    each("", &file("values.schema.json"), &mut |path, schema| {
        // Helm hands `global` to every chart that is part of another one; nothing reads it.
        if schema["type"] != "object" || path == ".global" {
            return;
        }
        let more = &schema["additionalProperties"];
        let is_map = more.is_object() && schema.get("properties").is_none();
        assert!(is_map || *more == json!(false), "{path} takes anything");
    });
}

#[test]
fn the_schema_and_the_values_know_of_the_same() {
    let leaves = |value: &Value, at: &Value| -> Vec<String> {
        fn walk(path: String, value: &Value, at: &Value, all: &mut Vec<String>) {
            match at["properties"].as_object() {
                Some(properties) => properties.iter().for_each(|(name, inner)| {
                    let path = format!("{path}.{name}");
                    assert!(
                        value.get(name).is_some() || path == ".global",
                        "{path} has no default in values.yaml"
                    );
                    walk(path, &value[name], inner, all);
                }),
                None => all.push(path),
            }
        }
        let mut all = Vec::new();
        walk(String::new(), value, at, &mut all);
        all
    };
    let mut known = leaves(&file("values.yaml"), &file("values.schema.json"));
    known.retain(|path| path != ".global");
    let mut listed: Vec<String> = entries().into_iter().map(|e| format!(".{}", e.path)).collect();
    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(known, listed, "values.yaml has a comment for each");
}

#[tokio::test]
async fn the_chart_passes_lint_without_a_word() {
    let lint = helm(&["lint", "--strict", CHART]).await.ok().unwrap();
    let words: Vec<&str> = lint
        .lines()
        .filter(|l| l.starts_with('[') && !l.contains("icon is recommended"))
        .collect();
    assert!(words.is_empty(), "{words:?}");
}

#[tokio::test]
async fn values_that_make_no_sense_are_refused_by_name() {
    for (set, at) in [
        (json!({"image": {"repo": "x"}}), "'/image': additional properties 'repo'"),
        (json!({"image": {"repository": ""}}), "'/image/repository'"),
        (json!({"image": {"digest": "sha256:abc"}}), "'/image/digest'"),
        (json!({"image": {"tag": "a:b"}}), "'/image/tag'"),
        (json!({"image": {"pullPolicy": "Sometimes"}}), "'/image/pullPolicy'"),
        (json!({"imagePullSecrets": ["x"]}), "'/imagePullSecrets/0'"),
        (json!({"replicas": -1}), "'/replicas'"),
        (json!({"replicas": "2"}), "'/replicas'"),
        (json!({"replicaCount": 2}), "additional properties 'replicaCount'"),
        (
            json!({"resources": {"request": {}}}),
            "'/resources': additional properties 'request'",
        ),
        (json!({"tolerations": [{"keys": "x"}]}), "'/tolerations/0'"),
        (json!({"affinity": {"nodeAfinity": {}}}), "'/affinity'"),
        (json!({"extraEnv": [{"value": "x"}]}), "'/extraEnv/0'"),
        (json!({"logFormat": "xml"}), "'/logFormat'"),
        (json!({"starts": {"enabled": "no"}}), "'/starts/enabled'"),
        (json!({"watch": {"namespaces": ["Team_A"]}}), "'/watch/namespaces/0'"),
        (json!({"watch": {"namespaces": "team-a"}}), "'/watch/namespaces'"),
        (json!({"watch": {"selector": "a=b;c"}}), "'/watch/selector'"),
        (json!({"rbac": {"aggregateToAdmin": true}}), "'/rbac'"),
        (json!({"crds": {"keep": null, "enabled": 1}}), "'/crds/enabled'"),
        (json!({"policies": {"operators": ["windlass"]}}), "'/policies/operators/0'"),
        (json!({"policies": {"operators": ["a:b' || true || '"]}}), "'/policies/operators/0'"),
        (
            json!({"network": {"allowedHosts": ["https://vc1.example"]}}),
            "'/network/allowedHosts/0'",
        ),
        (json!({"network": {"allowedHosts": ["*"]}}), "'/network/allowedHosts/0'"),
        (json!({"network": {"deniedCIDRs": ["10.0.0.1"]}}), "'/network/deniedCIDRs/0'"),
        (
            json!({"network": {"proxyURL": "https://proxy.example:3128"}}),
            "'/network/proxyURL'",
        ),
        (
            json!({"network": {"proxyURL": "http://u:p@proxy.example:3128"}}),
            "'/network/proxyURL'",
        ),
        (json!({"networkPolicy": {"metricsFrom": [{}]}}), "'/networkPolicy/metricsFrom/0'"),
        (json!({"networkPolicy": {"egress": [{"port": 443}]}}), "'/networkPolicy/egress/0'"),
        (
            json!({"networkPolicy": {"apiServer": {"ports": []}}}),
            "'/networkPolicy/apiServer/ports'",
        ),
        (
            json!({"networkPolicy": {"apiServer": {"ports": ["https"]}}}),
            "'/networkPolicy/apiServer/ports/0'",
        ),
        (
            json!({"networkPolicy": {"apiServer": {"to": [{}]}}}),
            "'/networkPolicy/apiServer/to/0'",
        ),
        (
            json!({"metrics": {"dashboard": {"labels": {"a": 1}}}}),
            "'/metrics/dashboard/labels/a'",
        ),
        (json!({"pdb": {"minAvailable": 1}}), "'/pdb'"),
        (json!({"concurrency": 0}), "'/concurrency'"),
        (json!({"concurrency": 65}), "'/concurrency'"),
    ] {
        let output = template("windlass", &set).await;
        assert!(!output.status.success() && output.stderr.contains(at), "{set}: {}", output.stderr);
    }
}

#[tokio::test]
async fn every_value_changes_what_is_rendered() {
    // A value, and what else has to be set for it to matter.
    let nothing = json!({});
    let examples = [
        ("image.repository", json!("images.example/windlass"), nothing.clone()),
        ("image.tag", json!("1.2.3"), nothing.clone()),
        ("image.digest", json!(format!("sha256:{}", "0".repeat(64))), nothing.clone()),
        ("image.pullPolicy", json!("Always"), nothing.clone()),
        ("imagePullSecrets", json!([{"name": "pull"}]), nothing.clone()),
        ("replicas", json!(2), nothing.clone()),
        ("resources", json!({"limits": {"memory": "512Mi"}}), nothing.clone()),
        ("nodeSelector", json!({"kubernetes.io/os": "linux"}), nothing.clone()),
        (
            "tolerations",
            json!([{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]),
            nothing.clone(),
        ),
        ("affinity", affinity(), nothing.clone()),
        ("topologySpreadConstraints", spread(), nothing.clone()),
        ("priorityClassName", json!("high"), nothing.clone()),
        ("podAnnotations", json!({"a.example/b": "c"}), nothing.clone()),
        ("podLabels", json!({"a.example/b": "c"}), nothing.clone()),
        ("extraEnv", environment(), nothing.clone()),
        ("logLevel", json!("info,windlass::vendor=debug"), nothing.clone()),
        ("logFormat", json!("text"), nothing.clone()),
        ("starts.enabled", json!(false), nothing.clone()),
        ("watch.namespaces", json!(["team-a"]), nothing.clone()),
        ("watch.selector", json!("windlass.dev/shard=a"), nothing.clone()),
        ("rbac.create", json!(false), nothing.clone()),
        ("rbac.aggregateToView", json!(false), nothing.clone()),
        ("rbac.aggregateToEdit", json!(true), nothing.clone()),
        ("serviceAccount.create", json!(false), nothing.clone()),
        ("serviceAccount.name", json!("other"), nothing.clone()),
        ("serviceAccount.annotations", json!({"a.example/b": "c"}), nothing.clone()),
        ("crds.enabled", json!(false), nothing.clone()),
        ("crds.keep", json!(false), nothing.clone()),
        ("policies.enabled", json!(false), nothing.clone()),
        ("policies.operators", json!(["team-ops:team"]), nothing.clone()),
        ("network.allowedHosts", json!(["vc1.example", "*.dr.example"]), nothing.clone()),
        ("network.deniedCIDRs", json!(["10.96.0.0/12", "fd00:10::/32"]), nothing.clone()),
        ("network.proxyURL", json!("http://proxy.example:3128"), nothing.clone()),
        ("networkPolicy.enabled", json!(false), nothing.clone()),
        (
            "networkPolicy.metricsFrom",
            json!([{"namespaceSelector": {"matchLabels": {"a": "b"}}}]),
            nothing.clone(),
        ),
        ("networkPolicy.apiServer.ports", json!([443, 16443]), nothing.clone()),
        (
            "networkPolicy.apiServer.to",
            json!([{"ipBlock": {"cidr": "10.96.0.1/32"}}]),
            nothing.clone(),
        ),
        (
            "networkPolicy.egress",
            json!([{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]),
            nothing.clone(),
        ),
        ("metrics.serviceMonitor.enabled", json!(true), nothing.clone()),
        (
            "metrics.serviceMonitor.labels",
            json!({"a": "b"}),
            json!({"metrics": {"serviceMonitor": {"enabled": true}}}),
        ),
        ("metrics.prometheusRule.enabled", json!(true), nothing.clone()),
        (
            "metrics.prometheusRule.labels",
            json!({"a": "b"}),
            json!({"metrics": {"prometheusRule": {"enabled": true}}}),
        ),
        ("metrics.dashboard.enabled", json!(true), nothing.clone()),
        (
            "metrics.dashboard.labels",
            json!({"a": "b"}),
            json!({"metrics": {"dashboard": {"enabled": true}}}),
        ),
        ("pdb.enabled", json!(false), json!({"replicas": 2})),
        ("concurrency", json!(4), nothing.clone()),
    ];
    let covered: Vec<&str> = examples.iter().map(|(path, ..)| *path).collect();
    let all: Vec<String> = entries().into_iter().map(|e| e.path).collect();
    assert_eq!(covered, all);
    let usual = text(&nothing).await;
    for (path, example, context) in examples {
        let nested = path.rsplit('.').fold(example, |value, key| json!({key: value}));
        let before = if context == nothing { usual.clone() } else { text(&context).await };
        let after = text(&crate::crds::patched(&context, &nested)).await;
        assert_ne!(before, after, "{path} does nothing");
    }
}

/// Everything that may be said of affinity.
pub fn affinity() -> Value {
    let labels = json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d"]}]});
    let node = json!({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["z"]}]});
    let pod = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": labels, "namespaceSelector": {}, "namespaces": ["a"]});
    let pods = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [pod],
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "podAffinityTerm": pod}],
    });
    json!({
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [node]},
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": node}],
        },
        "podAffinity": pods,
        "podAntiAffinity": pods,
    })
}

/// Everything that may be said of spread.
pub fn spread() -> Value {
    json!([{
        "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2,
        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "windlass"}}, "matchLabelKeys": ["pod-template-hash"],
        "nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore",
    }])
}

/// Everything that may be said of the environment.
pub fn environment() -> Value {
    json!([
        {"name": "A", "value": "b"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
    ])
}
