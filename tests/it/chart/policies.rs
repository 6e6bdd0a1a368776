//! What RBAC cannot say, on the real API server: who may write the ledger, in whose name a doubt is settled, where Connections may lead.

use http::Method;
use serde_json::Value;
use serde_json::json;

use super::CHART;
use super::NAMESPACE;
use super::site::HOSTS;
use super::site::MAKER;
use super::site::OPERATOR;
use super::site::Person;
use super::site::RECEIPTS;
use super::site::bind;
use super::site::connection;
use super::site::installed;
use super::site::silent;
use crate::ground::patiently;
use crate::plane::Plane;

fn refused(answer: Result<Value, String>, words: &str) {
    let message = answer.map_or_else(|message| message, |_| "accepted".to_owned());
    assert!(message.contains(words), "wanted {words:?}, got {message:?}");
}

/// The operator, and somebody who has every right on receipts but `repair`.
async fn operator_and_maker(plane: &Plane) -> (Person, Person) {
    (Person::new(plane, OPERATOR, &[]).await, Person::new(plane, MAKER, &[]).await)
}

/// A receipt as the operator writes it.
async fn receipt(plane: &Plane, hash: &str) -> String {
    let name = format!("vcenter-{hash}-00001");
    let operator = Person::new(plane, OPERATOR, &[]).await;
    operator.create_receipt(&name, hash, &json!({})).await.unwrap();
    name
}

#[tokio::test]
async fn a_receipt_that_somebody_else_makes_up_is_refused() {
    let plane = installed().await;
    let (operator, maker) = operator_and_maker(plane).await;
    refused(maker.try_receipt().await, "only Windlass writes receipts");
    for other in [
        "system:serviceaccount:default:windlass",
        "system:serviceaccount:windlass-system:default",
        "windlass",
    ] {
        bind(plane, "test-receipt-maker", other).await;
        let other = Person::new(plane, other, &[]).await;
        refused(other.try_receipt().await, "only Windlass writes receipts");
    }
    operator.try_receipt().await.unwrap();
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    admin.try_receipt().await.unwrap();
}

#[tokio::test]
async fn the_operator_never_gives_a_persons_word() {
    let plane = installed().await;
    let operator = Person::new(plane, OPERATOR, &[]).await;
    let word = json!({"resolution": {"verdict": "NotStarted", "by": OPERATOR, "reason": "I say so"}});
    refused(
        operator.create_receipt("vcenter-ownword-00001", "ownword", &word).await,
        "a resolution is a person's word",
    );
    let name = receipt(plane, "ownwordlater").await;
    refused(operator.resolve(&name, OPERATOR).await, "cannot patch resource");
}

#[tokio::test]
async fn a_doubt_is_settled_in_ones_own_name_only() {
    let plane = installed().await;
    bind(plane, "windlass-resolver", "alice@bank.example").await;
    let alice = Person::new(plane, "alice@bank.example", &[]).await;
    let name = receipt(plane, "ownname").await;
    refused(
        alice.resolve(&name, "bob@bank.example").await,
        "spec.resolution.by must be who you are, alice@bank.example, and not bob@bank.example",
    );
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    refused(admin.resolve(&name, "alice@bank.example").await, "must be who you are, admin");
    let resolved = alice.resolve(&name, "alice@bank.example").await.unwrap();
    assert_eq!(resolved["spec"]["resolution"]["by"], "alice@bank.example");
    refused(
        alice
            .resolve(&name, "alice@bank.example")
            .await
            .and(admin.resolve(&name, "admin").await),
        "cannot be changed",
    );
}

#[tokio::test]
async fn patch_alone_settles_no_doubt_and_resolve_changes_nothing_else() {
    let plane = installed().await;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "test-receipt-patcher"},
        "rules": [{"apiGroups": ["windlass.dev"], "resources": ["upgradereceipts"], "verbs": ["get", "patch"]}],
    });
    silent(plane.kubectl_stdin(&["apply", "-f", "-"], &role.to_string()).await.unwrap());
    bind(plane, "test-receipt-patcher", "patcher").await;
    bind(plane, "windlass-resolver", "carol").await;
    let (patcher, carol) = (Person::new(plane, "patcher", &[]).await, Person::new(plane, "carol", &[]).await);
    let name = receipt(plane, "patchalone").await;
    refused(patcher.resolve(&name, "patcher").await, "takes the verb resolve");
    for metadata in [
        json!({"finalizers": null}),
        json!({"finalizers": ["windlass.dev/ledger", "mine.example/too"]}),
        json!({"labels": {"a": "b"}}),
        json!({"annotations": {"a": "b"}}),
        json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "1"}]}),
    ] {
        refused(
            carol.patch_receipt(&name, &json!({"metadata": metadata})).await,
            "of a receipt only spec.resolution can be set",
        );
    }
    let both = json!({
        "metadata": {"finalizers": null},
        "spec": {"resolution": {"verdict": "Failed", "by": "carol", "reason": "seen"}},
    });
    refused(
        carol.patch_receipt(&name, &both).await,
        "of a receipt only spec.resolution can be set",
    );
    carol.resolve(&name, "carol").await.unwrap();
}

#[tokio::test]
async fn the_memory_of_a_start_goes_by_the_verb_repair_only() {
    let plane = installed().await;
    let (operator, maker) = operator_and_maker(plane).await;
    let name = receipt(plane, "memory").await;
    refused(operator.delete_receipt(&name).await, "cannot delete resource");
    refused(maker.delete_receipt(&name).await, "a receipt is the memory of what was started");
    bind(plane, "windlass-ledger-admin", "keeper").await;
    let keeper = Person::new(plane, "keeper", &[]).await;
    refused(keeper.resolve(&name, "keeper").await, "takes the verb resolve");
    // Held by its finalizer until that is taken off too.
    keeper.delete_receipt(&name).await.unwrap();
    refused(
        operator.create_receipt(&name, "memory", &json!({})).await,
        "object is being deleted",
    );
    keeper
        .patch_receipt(&name, &json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    // What was lost is put back as it was, somebody's word included.
    let word = json!({"resolution": {"verdict": "Started", "by": "alice@bank.example", "reason": "seen in vSphere"}});
    keeper.create_receipt(&name, "memory", &word).await.unwrap();
}

#[tokio::test]
async fn a_collection_of_receipts_is_deleted_by_nobody_without_repair() {
    let plane = installed().await;
    receipt(plane, "collection").await;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "test-receipt-sweeper"},
        "rules": [{"apiGroups": ["windlass.dev"], "resources": ["upgradereceipts"], "verbs": ["get", "list", "deletecollection"]}],
    });
    silent(plane.kubectl_stdin(&["apply", "-f", "-"], &role.to_string()).await.unwrap());
    bind(plane, "test-receipt-sweeper", "sweeper").await;
    let sweeper = Person::new(plane, "sweeper", &[]).await;
    let path = format!("{RECEIPTS}?fieldSelector=spec.claim.targetHash%3Dcollection");
    refused(
        sweeper.send(Method::DELETE, &path, &json!({})).await,
        "a receipt is the memory of what was started",
    );
}

#[tokio::test]
async fn a_connection_leads_to_a_listed_host_or_is_refused_before_anything_is_asked() {
    let plane = installed().await;
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    for host in [
        "vc1.example",
        "VC1.example",
        "vc1.example:8443",
        "a.dr.example",
        "a.b.dr.example",
        "hmc1.bank.example:6794",
    ] {
        admin.try_connection(host).await.unwrap();
    }
    for host in [
        "vc2.example",
        "dr.example",
        "xdr.example",
        "evil-dr.example",
        "vc1.example.evil.example",
        "10.1.2.3",
        "[2001:db8::1]",
    ] {
        let answer = admin.try_connection(host).await;
        refused(answer, "is not a host that this installation connects to");
    }
}

#[tokio::test]
async fn the_list_is_read_anew_and_a_shorter_one_locks_nobody_out_of_a_connection_that_is_there() {
    let plane = installed().await;
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    let ns = plane.namespace("hosts").await.unwrap().name;
    let path = format!("/apis/windlass.dev/v1alpha1/namespaces/{ns}/connections");
    let list = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/windlass-allowed-hosts");
    let usual = HOSTS.join("\n").to_lowercase();
    let set = async |hosts: &str| admin.send(Method::PATCH, &list, &json!({"data": {"hosts": hosts}})).await.unwrap();
    // Only ever longer than the usual one, which other tests rely on.
    set(&format!("{usual}\nlonger.example")).await;
    patiently(async || Ok(admin.try_connection("longer.example").await.ok()))
        .await
        .unwrap();
    admin.send(Method::POST, &path, &connection("vc", "longer.example")).await.unwrap();
    set(&usual).await;
    patiently(async || Ok(admin.try_connection("longer.example").await.err()))
        .await
        .unwrap();
    let suspend = json!({"spec": {"suspend": true}});
    admin.send(Method::PATCH, &format!("{path}/vc"), &suspend).await.unwrap();
}

#[tokio::test]
async fn the_hosts_of_a_teams_install_bind_its_own_namespaces_and_nobody_elses() {
    let plane = installed().await;
    let ns = async |name: &str| plane.namespace(name).await.unwrap().name;
    let (own, team, other) = (ns("hosts-ops").await, ns("hosts-team").await, ns("hosts-other").await);
    let (watch, operators) = (
        format!("watch.namespaces={{{team}}}"),
        "policies.operators={windlass-system:windlass}",
    );
    let install = [
        "install",
        "hosts",
        CHART,
        "--namespace",
        &own,
        "--set",
        &watch,
        "--set",
        operators,
        "--set",
        "crds.enabled=false,network.allowedHosts={vc1.example}",
    ];
    plane.helm(&install).await.unwrap().ok().unwrap();
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    let tried = async |namespace: &str, host: &str| {
        let path = format!("/apis/windlass.dev/v1alpha1/namespaces/{namespace}/connections?dryRun=All");
        admin.send(Method::POST, &path, &connection("tried", host)).await
    };
    patiently(async || Ok(tried(&team, "hmc1.bank.example").await.err())).await.unwrap();
    refused(
        tried(&team, "hmc1.bank.example").await,
        "is not a host that this installation connects to",
    );
    tried(&team, "vc1.example").await.unwrap();
    tried(&other, "hmc1.bank.example").await.unwrap();
    plane
        .helm(&["uninstall", "hosts", "--namespace", &own])
        .await
        .unwrap()
        .ok()
        .unwrap();
}

/// What the guide says of two installs that would serve one namespace: the one that makes the policies decides who writes receipts.
#[tokio::test]
async fn a_team_that_a_cluster_wide_install_does_not_name_can_write_no_receipt() {
    let plane = installed().await;
    let ns = plane.namespace("excluded").await.unwrap().name;
    let watch = format!("watch.namespaces={{{ns}}}");
    let install = [
        "install",
        "excluded",
        CHART,
        "--namespace",
        &ns,
        "--set",
        &watch,
        "--set",
        "crds.enabled=false",
    ];
    plane.helm(&install).await.unwrap().ok().unwrap();
    let team = Person::new(plane, &format!("system:serviceaccount:{ns}:excluded-windlass"), &[]).await;
    patiently(async || Ok(team.try_receipt().await.err().filter(|why| !why.contains("cannot create resource"))))
        .await
        .unwrap();
    refused(team.try_receipt().await, "only Windlass writes receipts");
    plane
        .helm(&["uninstall", "excluded", "--namespace", &ns])
        .await
        .unwrap()
        .ok()
        .unwrap();
}
