//! The CRDs on a real API server: they install without a word, and refuse what they should, in words that help.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

mod appliance;
mod batch;
mod connection;
mod firmware;
mod inventory;
mod receipt;
mod schedule;

use http::Method;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::plane::Plane;

/// Name of the folder that is installed.
pub const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");

/// The plane, with the CRDs of this version installed.
pub async fn installed() -> &'static Plane {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let plane = Plane::shared().unwrap();
    let install = || async {
        kubectl(plane, &["apply", "-f", CRDS]).await;
        kubectl(plane, &["wait", "--for=condition=Established", "--timeout=60s", "-f", CRDS]).await;
    };
    INSTALLED.get_or_init(install).await;
    plane
}

/// Runs kubectl, which must succeed without a warning, and returns what it printed.
pub async fn kubectl(plane: &Plane, args: &[&str]) -> String {
    let output = plane.kubectl(args).await.unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "kubectl {args:?}: {}",
        output.stderr
    );
    output.stdout
}

/// A value with a JSON merge patch (RFC 7396) applied to it.
pub fn patched(base: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut fields = base.as_object().cloned().unwrap_or_default();
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            let new = patched(fields.get(name).unwrap_or(&Value::Null), change);
            fields.insert(name.clone(), new);
        }
    }
    Value::Object(fields)
}

/// The objects of one kind in one place, over plain HTTP: what is sent is what stands in the test, not what our types make of it.
pub struct Objects {
    client: Client,
    kind: &'static str,
    path: String,
}

impl Objects {
    /// Those of a namespaced kind, in a namespace of the caller's.
    pub async fn namespaced(plane: &Plane, kind: &'static str, plural: &str, namespace: &str) -> Objects {
        let path = format!("/apis/windlass.dev/v1alpha1/namespaces/{namespace}/{plural}");
        Objects {
            client: plane.client().await.unwrap(),
            kind,
            path,
        }
    }

    /// Those of a cluster-scoped kind.
    pub async fn cluster_scoped(plane: &Plane, kind: &'static str, plural: &str) -> Objects {
        Objects {
            client: plane.client().await.unwrap(),
            kind,
            path: format!("/apis/windlass.dev/v1alpha1/{plural}"),
        }
    }

    /// Creates an object with this spec, strictly. The error is the API server's message.
    pub async fn create(&self, name: &str, spec: &Value) -> Result<Value, String> {
        self.post(name, spec, "fieldValidation=Strict").await
    }

    /// What `create` would say.
    pub async fn try_create(&self, name: &str, spec: &Value) -> Result<Value, String> {
        self.post(name, spec, "fieldValidation=Strict&dryRun=All").await
    }

    async fn post(&self, name: &str, spec: &Value, query: &str) -> Result<Value, String> {
        let body = json!({"apiVersion": "windlass.dev/v1alpha1", "kind": self.kind, "metadata": {"name": name}, "spec": spec});
        self.send(Method::POST, &format!("{}?{query}", self.path), &body).await
    }

    /// Applies a merge patch, strictly, to the object (`part` empty) or to its `/status`.
    pub async fn patch(&self, name: &str, part: &str, patch: &Value) -> Result<Value, String> {
        self.send(Method::PATCH, &format!("{}/{name}{part}?fieldValidation=Strict", self.path), patch)
            .await
    }

    /// Replaces the object (`part` empty) or its `/status`.
    pub async fn replace(&self, name: &str, part: &str, object: &Value) -> Result<Value, String> {
        self.send(Method::PUT, &format!("{}/{name}{part}", self.path), object).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let media_type = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media_type)
            .body(body.to_string().into_bytes())
            .unwrap();
        self.client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{path}: {other}"),
        })
    }

    /// Tries to create an object for each case: `base` with the case's patch. A case with words must be refused, and with those words.
    pub async fn check(&self, base: &Value, cases: &[(Value, Option<&str>)]) {
        let mut wrong = Vec::new();
        for (patch, words) in cases {
            let answer = self.try_create("tried", &patched(base, patch)).await;
            let as_it_should = match (&answer, words) {
                (Ok(_), None) => true,
                (Err(message), Some(words)) => message.contains(words),
                _ => false,
            };
            if !as_it_should {
                wrong.push(format!("{patch}\n  wanted {words:?}\n  got {:?}", answer.map(|_| "accepted")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[tokio::test]
async fn crds_install_without_a_warning_and_a_second_time_changes_nothing() {
    let plane = installed().await;
    let again = kubectl(plane, &["apply", "-f", CRDS]).await;
    assert!(
        !again.is_empty() && again.lines().all(|line| line.ends_with(" unchanged")),
        "{again}"
    );
}

#[tokio::test]
async fn people_find_the_kinds_by_their_short_names_and_categories() {
    let plane = installed().await;
    let upgrades = kubectl(plane, &["api-resources", "--categories=upgrades", "--no-headers", "-o", "name"]).await;
    let mut upgrades: Vec<&str> = upgrades.split_whitespace().collect();
    upgrades.sort_unstable();
    assert_eq!(
        upgrades,
        [
            "applianceupdates.windlass.dev",
            "clusterupgradebatches.windlass.dev",
            "firmwareupgrades.windlass.dev"
        ]
    );
    let all = kubectl(plane, &["api-resources", "--categories=windlass", "--no-headers"]).await;
    for short in ["conn", "cub", "appup", "fwup", "winv", "rcpt"] {
        assert!(
            all.lines().any(|line| line.split_whitespace().nth(1) == Some(short)),
            "{short} is missing in\n{all}"
        );
    }
}

#[tokio::test]
async fn kubectl_explain_reads_like_documentation() {
    let plane = installed().await;
    for (field, words) in [
        ("connection", "One vendor management endpoint"),
        ("connection.spec.caBundlePEM", "PEM text (not base64 of it)"),
        ("clusterupgradebatch.spec", "What is to be upgraded to what"),
        ("clusterupgradebatch.spec.timeout", "Default: 8h."),
        ("clusterupgradebatch.spec.schedule.windows.cron", "SAT#1 its first Saturday"),
        ("connection.spec.schedule.freezes", "whatever the windows say"),
        (
            "connection.spec.limits.maxConcurrentUpgrades",
            "Default: 8 for VCenter, 10 for ArubaCentral, 1 for RecoveryAppliance and HMC.",
        ),
        ("connection.spec.limits.requestsPerDay", "Default: 4000"),
        ("connection.spec.recoveryAppliance.basePath", "Default: /api/rest/configure/v2."),
        ("applianceupdate", "Updates a VMware recovery appliance"),
        ("applianceupdate.spec.version", "exactly as the appliance's repository lists it"),
        ("applianceupdate.spec.timeout", "Default: 3h."),
        ("applianceupdate.status.target", "by the name of its Connection"),
        ("firmwareupgrade.spec.hmcConsole.singleStepInstall", "Single Step Install"),
        ("firmwareupgrade.spec.hmcConsole.remoteSchedule", "Secret windlass-tokens"),
        (
            "firmwareupgrade.spec.timeout",
            "Default: 6h for an HMC, and 192h for remoteSchedule; 8h for arubaCustomer",
        ),
        ("firmwareupgrade.spec.arubaCustomer.deviceType", "IAP are swarms of access points"),
        ("firmwareupgrade.spec.arubaCustomer.excludeGroups", "At most 100."),
        ("inventory.spec.hmc.state", "InvalidStateFilter"),
        ("clusterupgradebatch.spec.strategy.maxFailures", "the first failure stops the batch"),
        ("clusterupgradebatch.status.targets", "One row per cluster."),
        ("upgradereceipt.spec.resolution.verdict", "NotStarted"),
    ] {
        let text = kubectl(plane, &["explain", field])
            .await
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains("DESCRIPTION: ") && text.contains(words), "{field}: {text}");
    }
    let tree = kubectl(plane, &["explain", "clusterupgradebatch.spec", "--recursive"]).await;
    for field in ["connectionRef", "ignorePrecheckWarnings", "maxConcurrent", "soak", "runKey"] {
        assert!(tree.contains(field), "{field} is missing in\n{tree}");
    }
}
