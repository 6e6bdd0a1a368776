//! No role can do more than it is for. Every right of every role is compared, so one that is added is seen, wherever it comes from.

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;

use super::CHART;
use super::NAMESPACE;
use super::reviews::can;
use super::reviews::rights;
use super::site::OPERATOR;
use super::site::Person;
use super::site::RECEIPTS;
use super::site::bind;
use super::site::connection;
use super::site::installed;
use super::site::silent;
use crate::ground::patiently;
use crate::plane::Plane;

/// All kinds but receipts.
const KINDS: &str = "connections clusterupgradebatches applianceupdates firmwareupgrades inventories";
const UPGRADES: &str = "clusterupgradebatches applianceupdates firmwareupgrades inventories";
const READ: &str = "get list watch";
const WRITE: &str = "create update patch delete deletecollection";
const CRDS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// Rights as [`rights`] lists them: each verb on each resource of our group.
fn ours(verbs: &str, resources: &str) -> BTreeSet<String> {
    let each = resources.split(' ');
    each.flat_map(|r| verbs.split(' ').map(move |v| format!("{v} {r}.windlass.dev")))
        .collect()
}

fn all(of: &[BTreeSet<String>]) -> BTreeSet<String> {
    of.iter().flatten().cloned().collect()
}

fn others(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|&right| right.to_owned()).collect()
}

/// What the operator may do with the ledger, wherever it is installed.
fn ledger() -> BTreeSet<String> {
    let crds = format!("{KINDS} upgradereceipts");
    all(&[
        ours("create get list watch", "upgradereceipts"),
        ours("patch", "upgradereceipts/status"),
        crds.split(' ').map(|kind| format!("get {CRDS}/{kind}.windlass.dev")).collect(),
    ])
}

/// What it may do with resources, where it serves them.
fn serving() -> BTreeSet<String> {
    let status = KINDS.split(' ').map(|kind| format!("{kind}/status")).collect::<Vec<_>>().join(" ");
    all(&[
        ours(READ, KINDS),
        ours("patch", &status),
        others(&["create events.events.k8s.io", "patch events.events.k8s.io"]),
    ])
}

/// What it may do with the one lease by which it leads.
fn leading(lease: &str) -> BTreeSet<String> {
    let named = ["get", "update"].map(|verb| format!("{verb} leases.coordination.k8s.io/{lease}"));
    all(&[others(&["create leases.coordination.k8s.io"]), named.into()])
}

async fn bind_in(plane: &Plane, namespace: &str, role: &str, user: &str) {
    let args = [
        "create",
        "rolebinding",
        role,
        "--clusterrole",
        role,
        "--user",
        user,
        "-n",
        namespace,
    ];
    silent(plane.kubectl(&args).await.unwrap());
}

#[tokio::test]
async fn people_may_do_what_their_role_says_and_nothing_else() {
    let plane = installed().await;
    let ns = plane.namespace("roles").await.unwrap().name;
    let read = ours(READ, KINDS);
    for (role, wanted) in [
        ("windlass-view", read.clone()),
        ("windlass-edit", all(&[read.clone(), ours(WRITE, UPGRADES)])),
        ("windlass-connection-admin", all(&[read.clone(), ours(WRITE, "connections")])),
    ] {
        let user = format!("of-{role}");
        bind_in(plane, &ns, role, &user).await;
        assert_eq!(rights(plane, &user, &ns).await, wanted, "{role}");
        assert!(rights(plane, &user, "default").await.is_empty(), "{role}, elsewhere");
    }
    for (role, verbs) in [
        ("windlass-auditor", READ),
        ("windlass-resolver", "get list watch patch resolve"),
        ("windlass-ledger-admin", "get list watch create patch delete repair"),
    ] {
        let user = format!("of-{role}");
        bind(plane, role, &user).await;
        assert_eq!(rights(plane, &user, &ns).await, ours(verbs, "upgradereceipts"), "{role}");
    }
}

#[tokio::test]
async fn the_operator_may_do_what_it_must_and_nothing_else() {
    let plane = installed().await;
    let ns = plane.namespace("operator").await.unwrap().name;
    assert_eq!(rights(plane, OPERATOR, &ns).await, all(&[serving(), ledger()]));
    assert_eq!(
        rights(plane, OPERATOR, NAMESPACE).await,
        all(&[serving(), ledger(), leading("windlass")])
    );
    for verb in ["get", "update", "patch", "delete"] {
        let another = can(plane, OPERATOR, verb, "leases.coordination.k8s.io/somebody-elses", NAMESPACE).await;
        assert!(!another, "{verb}: whose lease it is, leads");
    }
    let account = "windlass-system:windlass";
    let grant = [
        "create",
        "rolebinding",
        "windlass-secrets",
        "-n",
        &ns,
        "--clusterrole=windlass-secret-access",
        &format!("--serviceaccount={account}"),
    ];
    silent(plane.kubectl(&grant).await.unwrap());
    let secrets = others(&[
        "get secrets",
        "create secrets",
        "get secrets/windlass-tokens",
        "update secrets/windlass-tokens",
    ]);
    assert_eq!(rights(plane, OPERATOR, &ns).await, all(&[serving(), ledger(), secrets]));
    for (verbs, what) in [
        ("update patch delete", "secrets"),
        ("list watch deletecollection", "secrets"),
        ("update", "secrets/vc1"),
        ("patch delete", "secrets/windlass-tokens"),
    ] {
        for verb in verbs.split(' ') {
            assert!(!can(plane, OPERATOR, verb, what, &ns).await, "{verb} {what}");
        }
    }
}

/// The same as requests, since that is what would harm.
#[tokio::test]
async fn the_operator_can_neither_take_back_what_it_wrote_nor_write_what_people_write() {
    let plane = installed().await;
    let ns = plane.namespace("harmless").await.unwrap().name;
    let (operator, admin) = (
        Person::new(plane, OPERATOR, &[]).await,
        Person::new(plane, "admin", &["system:masters"]).await,
    );
    let name = "vcenter-harmless-00001";
    let receipt = operator.create_receipt(name, "harmless", &json!({})).await.unwrap();
    let connections = format!("/apis/windlass.dev/v1alpha1/namespaces/{ns}/connections");
    admin
        .send(Method::POST, &connections, &connection("vc", "vc1.example"))
        .await
        .unwrap();
    let vc = format!("{connections}/vc");
    let none = json!({});
    let suspend = json!({"spec": {"suspend": true}});
    for (method, path, body) in [
        (Method::PUT, format!("{RECEIPTS}/{name}"), &receipt),
        (
            Method::PATCH,
            format!("{RECEIPTS}/{name}"),
            &json!({"metadata": {"finalizers": null}}),
        ),
        (Method::DELETE, format!("{RECEIPTS}/{name}"), &none),
        (Method::DELETE, RECEIPTS.to_owned(), &none),
        (Method::PUT, format!("{RECEIPTS}/{name}/status"), &receipt),
        (Method::GET, format!("/api/v1/namespaces/{ns}/secrets"), &none),
        (Method::GET, "/api/v1/secrets".to_owned(), &none),
        (Method::PATCH, vc.clone(), &suspend),
        (
            Method::PATCH,
            vc.clone(),
            &json!({"metadata": {"annotations": {"windlass.dev/hold": null}}}),
        ),
        (Method::DELETE, vc.clone(), &none),
        (Method::POST, connections.clone(), &connection("vc2", "vc1.example")),
    ] {
        let answer = operator.send(method.clone(), &path, body).await;
        let message = answer.map_or_else(|message| message, |_| "allowed".to_owned());
        assert!(message.contains("is forbidden"), "{method} {path}: {message}");
    }
    // By its status it cannot reach a spec either.
    let both = json!({"spec": {"suspend": true}, "status": {"observedGeneration": 1}});
    operator.send(Method::PATCH, &format!("{vc}/status"), &both).await.unwrap();
    let now = admin.send(Method::GET, &vc, &none).await.unwrap();
    assert_eq!(
        (now["spec"].get("suspend"), &now["status"]["observedGeneration"]),
        (None, &json!(1))
    );
}

#[tokio::test]
async fn an_operator_for_some_namespaces_is_powerless_elsewhere_and_the_clusters_edit_gains_nothing_unasked() {
    let plane = installed().await;
    let ns = async |name: &str| plane.namespace(name).await.unwrap().name;
    let (own, a, b, other) = (ns("team").await, ns("team-a").await, ns("team-b").await, ns("elsewhere").await);
    for role in ["view", "edit"] {
        bind_in(plane, &other, role, &format!("plain-{role}")).await;
    }
    let sees = async |user: &str| -> BTreeSet<String> {
        let all = rights(plane, user, &other).await;
        all.into_iter().filter(|right| right.contains("windlass.dev")).collect()
    };
    // The controller that aggregates needs a moment.
    let read = ours(READ, KINDS);
    for user in ["plain-view", "plain-edit"] {
        patiently(async || Ok((sees(user).await == read).then_some(()))).await.unwrap();
    }
    let set = format!(r#"watch={{"namespaces": ["{a}", "{b}"]}}"#);
    let install = [
        "install",
        "team",
        CHART,
        "--namespace",
        &own,
        "--set-json",
        &set,
        "--set",
        "crds.enabled=false,rbac.aggregateToEdit=true",
    ];
    plane.helm(&install).await.unwrap().ok().unwrap();
    let team = format!("system:serviceaccount:{own}:team-windlass");
    for place in [&a, &b] {
        assert_eq!(rights(plane, &team, place).await, all(&[serving(), ledger()]));
    }
    assert_eq!(rights(plane, &team, &own).await, all(&[ledger(), leading("team-windlass")]));
    assert_eq!(rights(plane, &team, &other).await, ledger());
    // Asked for, the cluster's edit may ask for upgrades; never may it touch a connection, a status or a receipt.
    let write = all(&[read, ours(WRITE, UPGRADES)]);
    patiently(async || Ok((sees("plain-edit").await == write).then_some(())))
        .await
        .unwrap();
    plane.helm(&["uninstall", "team", "--namespace", &own]).await.unwrap().ok().unwrap();
    assert!(rights(plane, &team, &a).await.is_empty());
}
