//! What is rendered, for each set of values that somebody has a reason to choose.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use windlass::upgrade::timing::Timing;

use super::CHART;
use super::Manifests;
use super::NAMESPACE;
use super::ROOT;
use super::helm;
use super::rendered;
use super::surface::file;
use super::template;
use super::values;

fn pod(manifests: &Manifests) -> &Value {
    &manifests.only("Deployment")["spec"]["template"]["spec"]
}

fn container(manifests: &Manifests) -> &Value {
    &pod(manifests)["containers"][0]
}

#[test]
fn the_chart_is_of_the_version_of_the_binary() {
    let chart = file("Chart.yaml");
    assert_eq!(
        (&chart["version"], &chart["appVersion"]),
        (&json!(env!("CARGO_PKG_VERSION")), &chart["version"])
    );
}

#[tokio::test]
async fn a_start_that_is_under_way_is_never_cut_short_by_a_rollout() {
    let timing = Timing::production();
    // As long as anybody waits for its answer, then the longest logout, then giving back the lease.
    let longest = timing.horizon() + Duration::from_secs(30) + timing.ledger_timeout;
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/install.md")).unwrap();
    let (_, waits) = guide.split_once("--wait --timeout ").unwrap();
    let minutes: u64 = waits.split_once('m').unwrap().0.parse().unwrap();
    for set in [json!({}), json!({"replicas": 3})] {
        let grace = pod(&rendered(&set).await)["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(Duration::from_secs(grace) >= longest, "{grace} s, and it may take {longest:?}");
        assert!(
            grace < minutes * 60,
            "helm gives up after {minutes} minutes, and the old pod may take {grace} s"
        );
    }
}

#[tokio::test]
async fn one_pod_at_a_time_and_no_budget_that_blocks_drains() {
    for (replicas, strategy, budgets) in [(0, "Recreate", 0), (1, "Recreate", 0), (2, "RollingUpdate", 1)] {
        let all = rendered(&json!({"replicas": replicas})).await;
        let spec = &all.only("Deployment")["spec"];
        assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(replicas), &json!(strategy)));
        assert_eq!(all.of("PodDisruptionBudget").count(), budgets, "{replicas}");
    }
    let rolling = rendered(&json!({"replicas": 2})).await;
    assert_eq!(
        rolling.only("Deployment")["spec"]["strategy"]["rollingUpdate"],
        json!({"maxSurge": 0, "maxUnavailable": 1})
    );
    let without = rendered(&json!({"replicas": 2, "pdb": {"enabled": false}})).await;
    assert_eq!(without.of("PodDisruptionBudget").count(), 0);
}

#[tokio::test]
async fn values_become_the_arguments_of_the_operator() {
    let usual = rendered(&json!({})).await;
    let args = [
        "run",
        "--lease=windlass",
        "--service-account=windlass-system:windlass",
        "--secret-access-role=windlass-secret-access",
        "--starts-enabled=true",
        "--concurrency=8",
        "--log-level=info",
        "--log-format=json",
    ];
    assert_eq!(usual.args(), args);
    let set = json!({
        "starts": {"enabled": false}, "concurrency": 4, "logLevel": "info,windlass::vendor=debug", "logFormat": "text",
        "watch": {"namespaces": ["team-a", "team-b", "team-a"], "selector": "windlass.dev/shard in (a, b)"},
        "network": {"allowedHosts": ["vc1.example", "*.dr.example"], "deniedCIDRs": ["10.96.0.0/12"], "proxyURL": "http://proxy.example:3128"},
        "serviceAccount": {"name": "lifter"},
    });
    let args = [
        "run",
        "--lease=windlass",
        "--service-account=windlass-system:lifter",
        "--secret-access-role=windlass-secret-access",
        "--starts-enabled=false",
        "--concurrency=4",
        "--log-level=info,windlass::vendor=debug",
        "--log-format=text",
        "--watch-namespace=team-a",
        "--watch-namespace=team-b",
        "--selector=windlass.dev/shard in (a, b)",
        "--allowed-host=vc1.example",
        "--allowed-host=*.dr.example",
        "--deny-cidr=10.96.0.0/12",
        "--proxy-url=http://proxy.example:3128",
    ];
    assert_eq!(rendered(&set).await.args(), args);
}

#[tokio::test]
async fn the_binary_understands_every_argument_that_the_chart_gives_it() {
    let set = json!({
        "watch": {"namespaces": ["team-a"], "selector": "windlass.dev/shard in (a, b),!old"},
        "network": {"allowedHosts": ["vc1.example"], "deniedCIDRs": ["10.96.0.0/12"], "proxyURL": "http://proxy.example:3128"},
    });
    let all = rendered(&set).await;
    // It gets as far as looking for a cluster, and there is none where this points.
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(all.args())
        .env_clear()
        .env("KUBECONFIG", "/nonexistent")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("no way to reach a Kubernetes API server"),
        "{said}"
    );
}

#[tokio::test]
async fn a_digest_wins_over_a_tag_and_a_tag_over_the_charts_version() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for (image, wanted) in [
        (json!({}), format!("windlass:{}", env!("CARGO_PKG_VERSION"))),
        (
            json!({"repository": "images.example/w", "tag": "x"}),
            "images.example/w:x".to_owned(),
        ),
        (json!({"tag": "x", "digest": digest}), format!("windlass@{digest}")),
    ] {
        let all = rendered(&json!({"image": image})).await;
        assert_eq!(container(&all)["image"], json!(wanted));
    }
}

#[tokio::test]
async fn labels_of_people_never_change_what_selects_the_pods() {
    let set = json!({"podLabels": {"app.kubernetes.io/name": "other", "app.kubernetes.io/instance": "other", "team": "lift"}});
    let all = rendered(&set).await;
    let spec = &all.only("Deployment")["spec"];
    let selector = json!({"app.kubernetes.io/name": "windlass", "app.kubernetes.io/instance": "windlass"});
    assert_eq!(spec["selector"]["matchLabels"], selector);
    assert_eq!(
        spec["template"]["metadata"]["labels"],
        crate::crds::patched(&selector, &json!({"team": "lift"}))
    );
    for kind in ["Service", "NetworkPolicy"] {
        let spec = &all.only(kind)["spec"];
        let selected = spec.get("selector").unwrap_or(&spec["podSelector"]["matchLabels"]);
        assert_eq!(*selected, selector, "{kind}");
    }
}

#[tokio::test]
async fn an_install_for_some_namespaces_has_rights_on_resources_in_these_only() {
    let all = rendered(&json!({"watch": {"namespaces": ["team-a", "team-b", "team-a"]}})).await;
    let bound: Vec<&Value> = all.of("ClusterRoleBinding").map(|b| &b["roleRef"]["name"]).collect();
    assert_eq!(bound, ["windlass-ledger"]);
    let ledger = &all.named("ClusterRole", "windlass-ledger")["rules"];
    let resources: Vec<&Value> = ledger.as_array().unwrap().iter().map(|r| &r["resources"][0]).collect();
    assert_eq!(
        resources,
        ["upgradereceipts", "upgradereceipts/status", "customresourcedefinitions"]
    );
    for kind in ["Role", "RoleBinding"] {
        let mut places: Vec<&str> = all.of(kind).map(|r| r["metadata"]["namespace"].as_str().unwrap()).collect();
        places.sort_unstable();
        assert_eq!(places, ["team-a", "team-b", NAMESPACE], "{kind}");
    }
    assert!(!all.names("ClusterRole").contains(&"windlass-operator"));
    let everywhere = rendered(&json!({})).await;
    let role = |all: &Manifests, kind: &str| all.of(kind).find(|r| r["metadata"]["name"] == "windlass-operator").unwrap()["rules"].clone();
    assert_eq!(role(&all, "Role"), role(&everywhere, "ClusterRole"), "the same rights, elsewhere");
}

#[tokio::test]
async fn no_right_on_secrets_is_bound_to_anybody() {
    for set in [json!({}), json!({"watch": {"namespaces": ["team-a"]}})] {
        let all = rendered(&set).await;
        let secret = |role: &Value| role["rules"].to_string().contains("secrets");
        let roles: Vec<&Value> = all.0.iter().filter(|m| secret(m)).map(|m| &m["metadata"]["name"]).collect();
        assert_eq!(roles, ["windlass-secret-access"]);
        let bindings = all.of("RoleBinding").chain(all.of("ClusterRoleBinding"));
        assert!(bindings.into_iter().all(|b| b["roleRef"]["name"] != "windlass-secret-access"));
    }
}

#[tokio::test]
async fn an_install_for_some_namespaces_never_shuts_out_the_next_one() {
    let set = json!({"watch": {"namespaces": ["team-a"]}});
    assert!(rendered(&set).await.names("ValidatingAdmissionPolicy").is_empty());
    let told = json!({"watch": {"namespaces": ["team-a"]}, "policies": {"operators": ["a-ops:a-windlass", "b-ops:b-windlass"]}});
    let all = rendered(&told).await;
    let variables = &all.named("ValidatingAdmissionPolicy", "windlass-receipts")["spec"]["variables"];
    let words = "request.userInfo.username in ['system:serviceaccount:windlass-system:windlass', 'system:serviceaccount:a-ops:a-windlass', \
                 'system:serviceaccount:b-ops:b-windlass']";
    assert_eq!(
        variables[0],
        json!({"name": "operator", "expression": words}),
        "this release's own goes without saying"
    );
    let off = rendered(&json!({"policies": {"enabled": false}})).await;
    let left: Vec<&Value> = off
        .0
        .iter()
        .filter(|m| m["kind"].as_str().unwrap().starts_with("Validating"))
        .collect();
    assert!(left.is_empty() && off.of("ConfigMap").count() == 0);
}

#[tokio::test]
async fn the_hosts_of_an_install_for_some_namespaces_bind_these_only() {
    let selected = async |set: Value| {
        let all = rendered(&set).await;
        let policies =
            ["allowed-hosts", "receipts", "resolutions"].map(|of| all.named("ValidatingAdmissionPolicy", &format!("windlass-{of}")));
        policies.map(|policy| policy["spec"]["matchConstraints"]["namespaceSelector"].clone())
    };
    assert_eq!(selected(json!({})).await, [json!({}), json!({}), json!({})]);
    let team = json!({"watch": {"namespaces": ["team-a", "team-b", "team-a"]}, "policies": {"operators": ["b-ops:b-windlass"]}});
    let own = json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}]});
    // Receipts are in no namespace: who writes them is one question for the whole cluster.
    assert_eq!(selected(team).await, [own, json!({}), json!({})]);
}

#[tokio::test]
async fn two_releases_share_no_object_but_the_crds() {
    let key = |m: &Value| format!("{} {} {}", m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]);
    let first: BTreeSet<String> = rendered(&json!({})).await.0.iter().map(key).collect();
    let set = json!({"watch": {"namespaces": ["team-a"]}, "policies": {"operators": ["windlass-system:team-windlass"]}});
    let second = template("team", &set).await.ok().unwrap();
    let second: BTreeSet<String> = Manifests::read(&second).0.iter().map(key).collect();
    let shared: Vec<&String> = first.intersection(&second).collect();
    assert!(
        shared.len() == 6 && shared.iter().all(|s| s.contains("CustomResourceDefinition")),
        "{shared:?}"
    );
}

#[tokio::test]
async fn the_ledger_is_kept_by_every_tool_unless_somebody_says_otherwise() {
    let kept = rendered(&json!({})).await;
    let generated: Vec<Value> = windlass::cli::crds::files()
        .unwrap()
        .iter()
        .map(|(_, yaml)| serde_saphyr::from_str(yaml).unwrap())
        .collect();
    let crds = |all: &Manifests| Manifests(all.of("CustomResourceDefinition").cloned().collect()).sorted();
    assert_eq!(
        crds(&kept),
        Manifests(generated.clone()).sorted(),
        "word for word as the binary prints them"
    );
    for crd in crds(&kept) {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
    let gone = crds(&rendered(&json!({"crds": {"keep": false}})).await);
    for (gone, kept) in gone.iter().zip(crds(&kept)) {
        assert_eq!(gone.get("metadata"), Some(&json!({"name": kept["metadata"]["name"]})));
        assert_eq!(gone["spec"], kept["spec"]);
    }
    assert!(crds(&rendered(&json!({"crds": {"enabled": false}})).await).is_empty());
}

#[tokio::test]
async fn there_is_no_hook_and_no_webhook_and_nothing_runs_as_root() {
    let set = json!({
        "replicas": 2, "metrics": {"serviceMonitor": {"enabled": true}, "prometheusRule": {"enabled": true}, "dashboard": {"enabled": true}},
    });
    let all = rendered(&set).await;
    for manifest in &all.0 {
        assert!(!manifest["metadata"].to_string().contains("helm.sh/hook"), "{manifest}");
        assert!(!manifest["kind"].as_str().unwrap().contains("Webhook"), "{manifest}");
    }
    assert_eq!(pod(&all)["automountServiceAccountToken"], json!(true));
    assert_eq!(all.only("ServiceAccount")["automountServiceAccountToken"], json!(false));
    assert!(pod(&all).get("volumes").is_none());
    let wanted = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}});
    assert_eq!(container(&all)["securityContext"], wanted);
}

#[tokio::test]
async fn an_account_of_ones_own_is_used_and_not_made() {
    let all = rendered(&json!({"serviceAccount": {"create": false, "name": "ours"}})).await;
    assert_eq!(all.of("ServiceAccount").count(), 0);
    assert_eq!(pod(&all)["serviceAccountName"], "ours");
    let subjects = all.of("RoleBinding").chain(all.of("ClusterRoleBinding"));
    assert!(subjects.into_iter().all(|b| b["subjects"][0]["name"] == "ours"));
    let without = rendered(&json!({"rbac": {"create": false}})).await;
    assert!(without.0.iter().all(|m| !m["apiVersion"].as_str().unwrap().starts_with("rbac.")));
    assert!(
        without.args().contains(&"--secret-access-role="),
        "there is none to name: {:?}",
        without.args()
    );
}

#[tokio::test]
async fn the_pods_reach_dns_the_api_server_and_vendors_and_no_metadata_service() {
    let all = rendered(&json!({})).await;
    let spec = &all.only("NetworkPolicy")["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert!(spec.get("ingress").is_none(), "nobody scrapes until somebody says who");
    let rules = spec["egress"].as_array().unwrap();
    let ports = |rule: &Value| -> Vec<u64> {
        rule["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["port"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        rules.iter().map(ports).collect::<Vec<_>>(),
        [vec![53, 53, 5353, 5353], vec![443, 6443], vec![443, 6794]]
    );
    for except in ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"] {
        assert!(rules[2].to_string().contains(except), "{except}");
    }
    // The API server may be at a public address, or be no address at all to what enforces this.
    assert!(rules[1].get("to").is_none(), "{}", rules[1]);
    let told = json!({"ports": [443, 16443], "to": [{"ipBlock": {"cidr": "10.152.183.1/32"}}, {"ipBlock": {"cidr": "192.0.2.7/32"}}]});
    let microk8s = rendered(&json!({"networkPolicy": {"apiServer": told}})).await;
    let rule = &microk8s.only("NetworkPolicy")["spec"]["egress"][1];
    assert_eq!((ports(rule), &rule["to"]), (vec![443, 16443], &told["to"]));
    let proxied = rendered(&json!({"network": {"proxyURL": "http://[2001:db8::1]:3128"}})).await;
    let rules = &proxied.only("NetworkPolicy")["spec"]["egress"];
    assert_eq!(rules[2], json!({"ports": [{"protocol": "TCP", "port": 3128}]}));
    let peer = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]);
    let scraped = rendered(&json!({"networkPolicy": {"metricsFrom": peer}})).await;
    let ingress = &scraped.only("NetworkPolicy")["spec"]["ingress"];
    assert_eq!(*ingress, json!([{"from": peer, "ports": [{"protocol": "TCP", "port": 8080}]}]));
}

#[tokio::test]
async fn metrics_of_a_pod_that_is_not_ready_are_scraped_too() {
    let set = json!({"metrics": {"serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}}}});
    let all = rendered(&set).await;
    let service = all.only("Service");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], json!(true));
    let monitor = all.only("ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
}

#[tokio::test]
async fn the_notes_say_what_is_still_to_do_and_what_is_dangerous() {
    let notes = async |set: Value| {
        let set = values(&set);
        let mut args = vec!["install", "windlass", CHART, "--namespace", NAMESPACE, "--dry-run=client"];
        args.extend(set.iter().map(String::as_str));
        let output = helm(&args).await.ok().unwrap();
        output.split_once("NOTES:").unwrap().1.to_owned()
    };
    let usual = notes(json!({})).await;
    assert!(
        usual.contains("--clusterrole=windlass-secret-access --serviceaccount=windlass-system:windlass"),
        "{usual}"
    );
    for alarm in [
        "STARTS ARE OFF",
        "No admission policies",
        "Nobody can scrape",
        "WILL DELETE",
        "NO ROLES",
    ] {
        assert!(!usual.contains(alarm), "{usual}");
    }
    let odd = notes(json!({
        "starts": {"enabled": false}, "watch": {"namespaces": ["team-a"]}, "crds": {"keep": false},
        "metrics": {"serviceMonitor": {"enabled": true}},
    }))
    .await;
    for alarm in [
        "serves the namespaces team-a.",
        "STARTS ARE OFF",
        "No admission policies",
        "Nobody can scrape",
        "WILL DELETE",
    ] {
        assert!(odd.contains(alarm), "{alarm} is missing in {odd}");
    }
    let bare = notes(json!({"rbac": {"create": false}})).await;
    assert!(
        bare.contains("NO ROLES") && !bare.contains("--clusterrole") && !bare.contains("windlass-edit"),
        "a command that names a role that nobody made: {bare}"
    );
}

#[tokio::test]
async fn it_can_be_a_part_of_another_chart() {
    let folder = format!("{}/umbrella", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(format!("{folder}/charts")).unwrap();
    let chart = "apiVersion: v2\nname: umbrella\nversion: 0.0.1\ndependencies: [{name: windlass, version: 0.1.0}]\n";
    std::fs::write(format!("{folder}/Chart.yaml"), chart).unwrap();
    std::fs::write(format!("{folder}/values.yaml"), "global: {site: x}\nwindlass: {replicas: 2}\n").unwrap();
    let packed = helm(&["package", CHART, "--destination", &format!("{folder}/charts")]).await;
    packed.ok().unwrap();
    let all = Manifests::read(&helm(&["template", "windlass", &folder]).await.ok().unwrap());
    assert_eq!(all.only("Deployment")["spec"]["replicas"], json!(2));
    assert_eq!(all.of("CustomResourceDefinition").count(), 6, "they are in the package");
}
