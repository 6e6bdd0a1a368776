//! The manifests of `deploy/` on a real API server, and who may do what under them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::authorization::v1::SubjectAccessReviewSpec;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::OnceCell;

use crate::crds::installed;
use crate::crds::kubectl;
use crate::plane::Plane;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const OPERATOR: &str = "system:serviceaccount:windlass-system:windlass";

/// The plane with everything that `kubectl apply -f crds/ -f deploy/` makes.
pub async fn deployed() -> &'static Plane {
    static DEPLOYED: OnceCell<()> = OnceCell::const_new();
    let plane = installed().await;
    let deploy = || async {
        kubectl(plane, &["apply", "-f", DEPLOY]).await;
    };
    DEPLOYED.get_or_init(deploy).await;
    plane
}

#[tokio::test]
async fn manifests_apply_in_one_go_and_a_second_time_change_nothing() {
    let again = kubectl(deployed().await, &["apply", "-f", DEPLOY]).await;
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
}

#[tokio::test]
async fn samples_are_accepted() {
    let plane = deployed().await;
    let samples = format!("{DEPLOY}/samples");
    kubectl(plane, &["apply", "-f", &samples]).await;
    for (kind, namespace, name) in [
        ("cub", "vsphere", "vc1-1-30"),
        ("cub", "vsphere", "vc1-branches"),
        ("appup", "dr", "srm-a-9-0-2"),
        ("fwup", "mainframe", "hmc1-h41"),
    ] {
        let seen = "jsonpath={.status.observedGeneration}";
        let seen = kubectl(plane, &["get", kind, name, "-n", namespace, "-o", seen]).await;
        assert!(!seen.is_empty(), "{name}");
    }
    for namespace in ["vsphere", "dr", "mainframe"] {
        assert_eq!(
            can(plane, OPERATOR, "get", "secrets", namespace).await,
            "yes",
            "the sample opts its namespace in"
        );
    }
}

/// What `kubectl auth can-i` says, asked of the API server in the way it asks: `resource.group`, `/name` or `=subresource` behind it, and
/// no namespace for all of them.
async fn can(plane: &Plane, who: &str, verb: &str, what: &str, namespace: &str) -> String {
    let (what, subresource) = what.split_once('=').unwrap_or((what, ""));
    let (what, name) = what.split_once('/').unwrap_or((what, ""));
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    // A service account's groups come with its token; whoever asks for one has to name them.
    let mut groups = vec!["system:authenticated".to_owned()];
    if let Some(account) = who.strip_prefix("system:serviceaccount:") {
        let (of, _) = account.split_once(':').unwrap();
        groups.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{of}")]);
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: some(who),
            groups: Some(groups),
            resource_attributes: Some(ResourceAttributes {
                verb: some(verb),
                resource: some(resource),
                group: some(group),
                subresource: some(subresource),
                name: some(name),
                namespace: some(namespace),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(plane.client().await.unwrap());
    let review = api.create(&PostParams::default(), &review).await.unwrap();
    if review.status.unwrap().allowed { "yes" } else { "no" }.to_owned()
}

#[tokio::test]
async fn the_operator_may_do_what_it_must_and_no_more() {
    let plane = deployed().await;
    let ns = plane.namespace("rbac").await.unwrap();
    let (own, any) = ("windlass-system", ns.name.as_str());
    for (verbs, what, namespace, answer) in [
        ("get list watch", "connections.windlass.dev", any, "yes"),
        ("get list watch", "clusterupgradebatches.windlass.dev", any, "yes"),
        ("get list watch", "applianceupdates.windlass.dev", any, "yes"),
        ("get list watch", "firmwareupgrades.windlass.dev", any, "yes"),
        ("create update patch delete", "connections.windlass.dev", any, "no"),
        ("create update patch delete", "clusterupgradebatches.windlass.dev", any, "no"),
        ("create update patch delete", "applianceupdates.windlass.dev", any, "no"),
        ("create update patch delete", "firmwareupgrades.windlass.dev", any, "no"),
        ("patch", "connections.windlass.dev=status", any, "yes"),
        ("patch", "clusterupgradebatches.windlass.dev=status", any, "yes"),
        ("update", "clusterupgradebatches.windlass.dev=status", any, "no"),
        ("patch", "applianceupdates.windlass.dev=status", any, "yes"),
        ("patch", "firmwareupgrades.windlass.dev=status", any, "yes"),
        ("update", "applianceupdates.windlass.dev=status", any, "no"),
        ("update", "firmwareupgrades.windlass.dev=status", any, "no"),
        ("create get list watch", "upgradereceipts.windlass.dev", "", "yes"),
        (
            "update patch delete deletecollection resolve repair",
            "upgradereceipts.windlass.dev",
            "",
            "no",
        ),
        ("patch", "upgradereceipts.windlass.dev=status", "", "yes"),
        ("create patch", "events.events.k8s.io", any, "yes"),
        ("get create update", "leases.coordination.k8s.io", own, "yes"),
        ("list watch patch delete", "leases.coordination.k8s.io", own, "no"),
        ("get create update", "leases.coordination.k8s.io", any, "no"),
        ("get list watch create", "secrets", any, "no"),
        ("get list watch create", "secrets", own, "no"),
        ("get list", "customresourcedefinitions.apiextensions.k8s.io", "", "no"),
        (
            "update patch delete",
            "customresourcedefinitions.apiextensions.k8s.io/upgradereceipts.windlass.dev",
            "",
            "no",
        ),
    ] {
        for verb in verbs.split(' ') {
            assert_eq!(
                can(plane, OPERATOR, verb, what, namespace).await,
                answer,
                "{verb} {what} in {namespace:?}"
            );
        }
    }
}

#[tokio::test]
async fn people_may_do_what_their_role_says_and_no_more() {
    let plane = deployed().await;
    let ns = plane.namespace("rbac").await.unwrap();
    let any = ns.name.as_str();
    let cluster_wide = ["windlass-auditor", "windlass-resolver", "windlass-ledger-admin"];
    for role in ["windlass-view", "windlass-edit", "windlass-connection-admin"] {
        kubectl(
            plane,
            &["create", "rolebinding", role, "--clusterrole", role, "--user", role, "-n", any],
        )
        .await;
    }
    for role in cluster_wide {
        let binding = format!("{role}-{any}");
        kubectl(
            plane,
            &["create", "clusterrolebinding", &binding, "--clusterrole", role, "--user", role],
        )
        .await;
    }
    let (upgrades, appliances, connections, receipts) = (
        "clusterupgradebatches.windlass.dev",
        "applianceupdates.windlass.dev",
        "connections.windlass.dev",
        "upgradereceipts.windlass.dev",
    );
    for (who, verbs, what, answer) in [
        ("windlass-view", "get list watch", upgrades, "yes"),
        ("windlass-view", "get list watch", appliances, "yes"),
        ("windlass-view", "create update patch delete", appliances, "no"),
        ("windlass-view", "get list watch", connections, "yes"),
        ("windlass-view", "create update patch delete", upgrades, "no"),
        ("windlass-view", "get list", receipts, "no"),
        ("windlass-edit", "get list create update patch delete", upgrades, "yes"),
        ("windlass-edit", "get list create update patch delete", appliances, "yes"),
        ("windlass-edit", "patch update", "applianceupdates.windlass.dev=status", "no"),
        ("windlass-edit", "patch update", "firmwareupgrades.windlass.dev=status", "no"),
        ("windlass-edit", "get list", connections, "yes"),
        ("windlass-edit", "create update patch delete", connections, "no"),
        ("windlass-edit", "delete", receipts, "no"),
        ("windlass-edit", "patch update", "clusterupgradebatches.windlass.dev=status", "no"),
        (
            "windlass-connection-admin",
            "get list create update patch delete",
            connections,
            "yes",
        ),
        ("windlass-connection-admin", "create update patch delete", upgrades, "no"),
        ("windlass-connection-admin", "create update patch delete", appliances, "no"),
        ("windlass-connection-admin", "patch update", "connections.windlass.dev=status", "no"),
        ("windlass-auditor", "get list watch", receipts, "yes"),
        ("windlass-auditor", "create update patch delete resolve repair", receipts, "no"),
        ("windlass-resolver", "get list watch patch resolve", receipts, "yes"),
        ("windlass-resolver", "create update delete repair", receipts, "no"),
        ("windlass-resolver", "patch update", "upgradereceipts.windlass.dev=status", "no"),
        ("windlass-ledger-admin", "get list create patch delete repair", receipts, "yes"),
        ("windlass-ledger-admin", "resolve", receipts, "no"),
        ("windlass-ledger-admin", "patch update", "upgradereceipts.windlass.dev=status", "no"),
    ] {
        let namespace = if cluster_wide.contains(&who) { "" } else { any };
        for verb in verbs.split(' ') {
            assert_eq!(can(plane, who, verb, what, namespace).await, answer, "{who}: {verb} {what}");
        }
    }
}
