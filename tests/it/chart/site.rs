//! The plane on which the chart is installed as people install it, policies and all. Apart from the plane of the stories: there an
//! administrator writes receipts, which the policies are there to forbid.

use http::Method;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use tokio::sync::OnceCell;

use super::CHART;
use super::NAMESPACE;
use crate::ground::patiently;
use crate::plane::Kept;
use crate::plane::Output;
use crate::plane::Plane;

/// The hosts of the samples, and all of one domain.
pub const HOSTS: [&str; 4] = ["vc1.example", "*.Dr.example", "hmc1.bank.example", "*.central.arubanetworks.com"];

/// The operator's own name.
pub const OPERATOR: &str = "system:serviceaccount:windlass-system:windlass";

/// The plane, with the chart installed and its policies in force.
pub async fn installed() -> &'static Plane {
    static PLACE: Kept = Kept::new();
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let plane = Plane::kept(&PLACE).unwrap();
    let install = || async {
        let labels = ["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"];
        plane.kubectl(&["create", "namespace", NAMESPACE]).await.unwrap().ok().unwrap();
        plane.kubectl(&labels).await.unwrap().ok().unwrap();
        let hosts = format!("network.allowedHosts={}", json!(HOSTS));
        let args = ["install", "windlass", CHART, "--namespace", NAMESPACE, "--set-json", &hosts];
        plane.helm(&args).await.unwrap().ok().unwrap();
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        plane.kubectl(&wait).await.unwrap().ok().unwrap();
        in_force(plane).await.unwrap();
    };
    INSTALLED.get_or_init(install).await;
    plane
}

/// Waits until each of the policies refuses something: the API server learns of them by a watch.
async fn in_force(plane: &Plane) -> anyhow::Result<()> {
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    patiently(async || Ok(admin.try_connection("elsewhere.example").await.err())).await?;
    let clerk = Person::new(plane, "clerk", &["system:masters"]).await;
    let name = "vcenter-inforce-00001";
    admin
        .create_receipt(name, "inforce", &json!({}))
        .await
        .map_err(anyhow::Error::msg)?;
    patiently(async || Ok(clerk.try_resolve(name, "somebody-else").await.err())).await?;
    // Not `*`, which would be the verb `repair` too.
    let verbs = ["create", "get", "list", "update", "patch", "delete", "resolve"];
    let maker = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "test-receipt-maker"},
        "rules": [{"apiGroups": ["windlass.dev"], "resources": ["upgradereceipts", "upgradereceipts/status"], "verbs": verbs}],
    });
    let apply = plane.kubectl_stdin(&["apply", "-f", "-"], &maker.to_string()).await?;
    apply.ok()?;
    bind(plane, "test-receipt-maker", MAKER).await;
    let maker = Person::new(plane, MAKER, &[]).await;
    patiently(async || Ok(maker.try_receipt().await.err())).await?;
    Ok(())
}

/// Who has every right on receipts but the verb `repair`, and is not the operator.
pub const MAKER: &str = "receipt-maker";

/// Grants a ClusterRole in the whole cluster.
pub async fn bind(plane: &Plane, role: &str, user: &str) {
    let binding = format!("{role}-{user}");
    let args = ["create", "clusterrolebinding", &binding, "--clusterrole", role, "--user", user];
    let made = plane.kubectl(&args).await.unwrap();
    assert!(made.status.success() || made.stderr.contains("AlreadyExists"), "{}", made.stderr);
}

/// Somebody who asks the API server for something.
pub struct Person {
    client: Client,
    name: String,
    groups: Vec<String>,
}

impl Person {
    /// A person, or a service account, of these groups besides those that everybody is in.
    pub async fn new(plane: &Plane, name: &str, groups: &[&str]) -> Person {
        let mut all: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        all.push("system:authenticated".to_owned());
        if let Some((namespace, _)) = name.strip_prefix("system:serviceaccount:").and_then(|n| n.split_once(':')) {
            all.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]);
        }
        Person {
            client: plane.client().await.unwrap(),
            name: name.to_owned(),
            groups: all,
        }
    }

    /// Sends this, strictly. The error is the API server's message.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let media_type = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media_type)
            .header("impersonate-user", &self.name);
        for group in &self.groups {
            request = request.header("impersonate-group", group);
        }
        let request = request.body(body.to_string().into_bytes()).unwrap();
        self.client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{path}: {other}"),
        })
    }

    /// Creates a receipt, with this merged over its spec.
    pub async fn create_receipt(&self, name: &str, hash: &str, more: &Value) -> Result<Value, String> {
        self.post_receipt(name, hash, more, "").await
    }

    /// What the API server would say to a receipt.
    pub async fn try_receipt(&self) -> Result<Value, String> {
        self.post_receipt("vcenter-tried-00001", "tried", &json!({}), "&dryRun=All").await
    }

    async fn post_receipt(&self, name: &str, hash: &str, more: &Value, query: &str) -> Result<Value, String> {
        let mut receipt = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt",
            "metadata": {"name": name, "finalizers": ["windlass.dev/ledger"]},
            "spec": {"claim": {
                "target": "vcenter|vc1.example:443|domain-c8", "targetHash": hash, "sequence": 1,
                "run": {"namespace": "vsphere", "version": "v1.30.5+vmware.2", "runKey": ""}, "connection": "vc1",
                "before": "{}", "request": "POST /api/x", "options": "{}", "holder": "3f0c",
                "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "b", "uid": "0b7e", "generation": 1},
            }},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            receipt["spec"][key] = value.clone();
        }
        self.send(Method::POST, &format!("{RECEIPTS}?fieldValidation=Strict{query}"), &receipt)
            .await
    }

    /// Patches a receipt.
    pub async fn patch_receipt(&self, name: &str, patch: &Value) -> Result<Value, String> {
        self.send(Method::PATCH, &format!("{RECEIPTS}/{name}?fieldValidation=Strict"), patch)
            .await
    }

    /// Gives a person's word on a receipt, in this person's name.
    pub async fn resolve(&self, name: &str, by: &str) -> Result<Value, String> {
        self.patch_receipt(name, &word(by)).await
    }

    /// What the API server would say to that.
    pub async fn try_resolve(&self, name: &str, by: &str) -> Result<Value, String> {
        self.send(Method::PATCH, &format!("{RECEIPTS}/{name}?dryRun=All"), &word(by)).await
    }

    /// Deletes a receipt.
    pub async fn delete_receipt(&self, name: &str) -> Result<Value, String> {
        self.send(Method::DELETE, &format!("{RECEIPTS}/{name}"), &json!({})).await
    }

    /// What the API server would say to a Connection to this host, in namespace `default`.
    pub async fn try_connection(&self, host: &str) -> Result<Value, String> {
        let path = "/apis/windlass.dev/v1alpha1/namespaces/default/connections?dryRun=All&fieldValidation=Strict";
        self.send(Method::POST, path, &connection("tried", host)).await
    }
}

/// Where receipts are.
pub const RECEIPTS: &str = "/apis/windlass.dev/v1alpha1/upgradereceipts";

fn word(by: &str) -> Value {
    json!({"spec": {"resolution": {"verdict": "NotStarted", "by": by, "reason": "asked the vendor"}}})
}

/// A Connection to a host.
pub fn connection(name: &str, host: &str) -> Value {
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": name},
        "spec": {"type": "VCenter", "url": format!("https://{host}"), "credentialsSecretRef": {"name": "vc1"}},
    })
}

/// What the tool said, which must have succeeded without a warning.
pub fn silent(output: Output) -> String {
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}{}",
        output.stdout,
        output.stderr
    );
    output.stdout
}
