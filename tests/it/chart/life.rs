//! Installed, upgraded, rolled back, uninstalled and installed again, by the real helm on a real API server: the ledger outlives it all.

use serde_json::Value;
use serde_json::json;

use super::CHART;
use super::NAMESPACE;
use super::ROOT;
use super::site::OPERATOR;
use super::site::Person;
use super::site::RECEIPTS;
use crate::plane::Options;
use crate::plane::Plane;

/// A cluster in which nothing of Windlass is.
struct Cluster {
    plane: Plane,
}

impl Cluster {
    async fn new() -> Cluster {
        Cluster {
            plane: Plane::start(Options::default()).await.unwrap(),
        }
    }

    async fn helm(&self, args: &[&str]) -> String {
        self.try_helm(args).await.unwrap()
    }

    async fn try_helm(&self, args: &[&str]) -> anyhow::Result<String> {
        self.plane.helm(&[args, &["--namespace", NAMESPACE]].concat()).await?.ok()
    }

    async fn kubectl(&self, args: &[&str]) -> String {
        self.plane.kubectl(args).await.unwrap().ok().unwrap()
    }

    async fn args(&self) -> Vec<String> {
        let path = "jsonpath={.spec.template.spec.containers[0].args}";
        let args = self.kubectl(&["get", "deployment", "windlass", "-n", NAMESPACE, "-o", path]).await;
        serde_json::from_str(&args).unwrap()
    }

    /// The kinds that are served, and the receipts.
    async fn memory(&self) -> (usize, Vec<String>) {
        let crds = self.kubectl(&["get", "crd", "-o", "name"]).await;
        let receipts = self.kubectl(&["get", "upgradereceipts", "-o", "name"]).await;
        (
            crds.lines().filter(|l| l.ends_with(".windlass.dev")).count(),
            receipts.lines().map(str::to_owned).collect(),
        )
    }

    /// Everything that the release made and that is there, but for the CRDs.
    async fn left(&self) -> Vec<String> {
        let kinds = "deployments,services,serviceaccounts,configmaps,roles,rolebindings,clusterroles,clusterrolebindings,networkpolicies,\
                     poddisruptionbudgets,validatingadmissionpolicies,validatingadmissionpolicybindings,replicasets,pods";
        let args = ["get", kinds, "-A", "-l", "app.kubernetes.io/instance=windlass", "-o", "json"];
        let all: Value = serde_json::from_str(&self.kubectl(&args).await).unwrap();
        let name = |m: &Value| format!("{} {}", m["kind"], m["metadata"]["name"]);
        all["items"].as_array().unwrap().iter().map(name).collect()
    }
}

#[tokio::test]
async fn the_ledger_outlives_upgrades_rollbacks_and_the_release_itself() {
    let cluster = Cluster::new().await;
    let install = ["install", "windlass", CHART, "--create-namespace"];
    let said = cluster.helm(&install).await;
    assert!(
        said.contains("STATUS: deployed") && said.contains("kubectl create rolebinding windlass-secrets"),
        "{said}"
    );
    cluster
        .kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"])
        .await;
    let operator = Person::new(&cluster.plane, OPERATOR, &[]).await;
    operator.create_receipt("vcenter-life-00001", "life", &json!({})).await.unwrap();
    let memory = (6, vec!["upgradereceipt.windlass.dev/vcenter-life-00001".to_owned()]);
    assert_eq!(cluster.memory().await, memory);

    cluster
        .helm(&["upgrade", "windlass", CHART, "--set", "concurrency=4,starts.enabled=false"])
        .await;
    assert!(cluster.args().await.contains(&"--concurrency=4".to_owned()));
    // A release that stops bringing the CRDs does not take them along.
    cluster.helm(&["upgrade", "windlass", CHART, "--set", "crds.enabled=false"]).await;
    assert_eq!(cluster.memory().await, memory);
    cluster.helm(&["upgrade", "windlass", CHART]).await;
    cluster.helm(&["rollback", "windlass", "2"]).await;
    assert!(cluster.args().await.contains(&"--starts-enabled=false".to_owned()));
    assert_eq!(cluster.memory().await, memory);

    let said = cluster.helm(&["uninstall", "windlass", "--wait"]).await;
    assert!(said.contains("upgradereceipts.windlass.dev"), "it says what it kept: {said}");
    assert_eq!((cluster.memory().await, cluster.left().await), (memory.clone(), Vec::new()));
    // Who comes back finds what was there.
    cluster.helm(&install).await;
    assert_eq!(cluster.memory().await, memory);
    assert!(cluster.left().await.len() > 20);
    // The namespace and all in it may go as well: receipts live in no namespace.
    cluster.kubectl(&["delete", "namespace", NAMESPACE]).await;
    assert_eq!(cluster.memory().await, memory);
    let found = Person::new(&cluster.plane, "admin", &["system:masters"]).await;
    let receipt = found
        .send(http::Method::GET, &format!("{RECEIPTS}/vcenter-life-00001"), &json!({}))
        .await
        .unwrap();
    assert_eq!(receipt["metadata"].get("deletionTimestamp"), None);
}

#[tokio::test]
async fn a_release_never_takes_over_crds_of_somebody_else_unasked_and_does_when_told_to() {
    let cluster = Cluster::new().await;
    cluster.kubectl(&["apply", "-f", &format!("{ROOT}/crds")]).await;
    cluster.kubectl(&["create", "namespace", NAMESPACE]).await;
    let refused = cluster.try_helm(&["install", "windlass", CHART]).await.unwrap_err().to_string();
    assert!(refused.contains("invalid ownership metadata"), "{refused}");
    cluster.helm(&["install", "windlass", CHART, "--take-ownership"]).await;
    let again = cluster.kubectl(&["apply", "-f", &format!("{ROOT}/crds")]).await;
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "they are the same: {again}");
    // A second install beside it, for a team's namespace, brings everything but the CRDs.
    cluster.kubectl(&["create", "namespace", "team-a"]).await;
    let team = ["install", "team", CHART, "--set", "watch.namespaces={team-a}"];
    let refused = cluster.try_helm(&team).await.unwrap_err().to_string();
    assert!(refused.contains("invalid ownership metadata"), "{refused}");
    cluster.helm(&[&team[..], &["--set", "crds.enabled=false"]].concat()).await;
}
