//! Connections that cannot be used: each says what is wrong and what mends it, and upgrades wait for it without being touched.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use kube::api::DeleteParams;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;

use super::happy::quick;
use super::support::assert_each_started_once;
use super::support::bold_batch;
use super::support::entries;
use super::support::next_start;
use super::support::receipts;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::VCenter;
use crate::sim::When;
use crate::sim::faults::BodyKind;
use crate::sim::vcenter::CLUSTERS;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::User;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::logins;
use crate::world::Operator;
use crate::world::World;

/// Requests of a login that came to the vendor.
fn login_requests(world: &World) -> usize {
    let is_login = |entry: &&crate::sim::Entry| entry.method == "POST" && entry.path == "/api/session";
    world.vcenter.log().requests().iter().filter(is_login).count()
}

/// Waits until the operator has looked after Connections that many more times.
async fn passes(world: &World, operator: &Operator, more: u64) -> anyhow::Result<()> {
    let count = async || {
        let metrics = operator.get("/metrics").await?.1;
        let line = metrics
            .lines()
            .find_map(|l| l.strip_prefix("windlass_reconcile_duration_seconds_count{kind=\"Connection\"} "));
        anyhow::Ok(line.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0))
    };
    let want = count().await? + more;
    world.wait(async |_| Ok((count().await? >= want).then_some(()))).await
}

/// The batch waits for its Connection, says so, and nothing was sent.
async fn assert_waits(world: &World, words: &str) -> anyhow::Result<()> {
    let status = world
        .until("b", "waits for its Connection", |s| {
            s.waiting_for() == "ConnectionNotReady" && s.message().contains(words)
        })
        .await?;
    assert_eq!((status.state(), status.row_state("domain-c1")), ("PENDING", "PENDING"));
    assert!(world.vcenter.log().posts().is_empty());
    Ok(())
}

/// The batch went on by itself.
async fn assert_goes_on(world: &World) -> anyhow::Result<()> {
    world.connected("vc", "Reachable").await?;
    world.state("b", "SUCCESS").await?;
    assert_each_started_once(world, 1);
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_never_locks_the_account() -> anyhow::Result<()> {
    let world = World::new("password", quick(1)).await?;
    world.secret("vc", USER, "lower-the-anchor").await?;
    world.apply(&world.connection("vc")).await?;
    let operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "AuthFailed").await?;
    assert!(message.contains("Secret"), "says what to change: {message}");
    assert_waits(&world, "AuthFailed").await?;
    passes(&world, &operator, 6).await?;
    assert!(
        login_requests(&world) <= 2,
        "{} logins with a wrong password",
        login_requests(&world)
    );
    world.secret("vc", USER, PASSWORD).await?;
    assert_goes_on(&world).await
}

#[tokio::test]
async fn a_secret_that_is_missing_or_incomplete_is_named_and_waited_for() -> anyhow::Result<()> {
    let world = World::new("nosecret", quick(1)).await?;
    world.apply(&world.connection("vc")).await?;
    let _operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "SecretNotFound").await?;
    assert!(message.contains("no Secret vc"), "{message}");
    assert_waits(&world, "SecretNotFound").await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vc", "namespace": world.namespace},
        "stringData": {"username": USER},
    });
    world.apply(&secret).await?;
    let message = world.connected("vc", "SecretIncomplete").await?;
    assert!(message.contains("password"), "{message}");
    assert_eq!(login_requests(&world), 0, "nothing was tried with half of them");
    world.secret("vc", USER, PASSWORD).await?;
    assert_goes_on(&world).await
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_is_granted_by_the_command_that_is_shown() -> anyhow::Result<()> {
    let world = World::new("denied", quick(1)).await?;
    let args = ["delete", "rolebinding", "windlass-secrets", "-n", &world.namespace];
    world.plane.kubectl(&args).await?.ok()?;
    world.connect("vc").await?;
    let _operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "SecretAccessDenied").await?;
    assert_waits(&world, "SecretAccessDenied").await?;
    let (_, command) = message.split_once("run: kubectl ").expect("a command to run");
    let args: Vec<&str> = command.split(' ').collect();
    world.plane.kubectl(&args).await?.ok()?;
    assert_goes_on(&world).await
}

#[tokio::test]
async fn an_untrusted_certificate_never_gets_credentials() -> anyhow::Result<()> {
    let world = World::new("untrusted", quick(1)).await?;
    world.secret("vc", USER, PASSWORD).await?;
    let other = VCenter::start(quick(1)).await?;
    let mut foreign = world.connection("vc");
    foreign["spec"]["caBundlePEM"] = json!(other.ca_pem());
    world.apply(&foreign).await?;
    let _operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "TLSUntrusted").await?;
    assert!(message.contains("spec.caBundlePEM"), "{message}");
    // Neither do the public authorities vouch for it.
    let patch: Value = json!({"spec": {"caBundlePEM": null}});
    world
        .connections()
        .patch("vc", &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    world.connected("vc", "TLSUntrusted").await?;
    assert_waits(&world, "TLSUntrusted").await?;
    assert!(world.vcenter.log().requests().is_empty(), "no request came through");
    world.apply(&world.connection("vc")).await?;
    assert_goes_on(&world).await
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_waited_for() -> anyhow::Result<()> {
    let world = World::new("down", quick(1)).await?;
    world.vcenter.stop().await;
    world.connect("vc").await?;
    let _operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "Unreachable").await?;
    assert!(message.contains(&world.vcenter.address().to_string()), "{message}");
    assert_waits(&world, "Unreachable").await?;
    world.vcenter.resume().await?;
    assert_goes_on(&world).await
}

#[tokio::test]
async fn an_address_behind_the_fence_is_never_connected_to() -> anyhow::Result<()> {
    let mut world = World::new("fence", quick(1)).await?;
    world.args.clear();
    world.connect("vc").await?;
    let _operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "EndpointNotAllowed").await?;
    assert!(message.contains("127.0.0.1 is a loopback address"), "{message}");
    assert_waits(&world, "EndpointNotAllowed").await?;
    // A name is no way around it. Machines differ in whether their own name is a loopback address.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_lowercase();
    let addresses = (name.as_str(), 0).to_socket_addrs().map(Vec::from_iter).unwrap_or_default();
    if !addresses.is_empty() && addresses.iter().all(|a| a.ip().is_loopback()) {
        let mut named = world.connection("vc");
        named["metadata"]["name"] = json!("named");
        named["spec"]["url"] = json!(format!("https://{name}:{}", world.vcenter.address().port()));
        world.apply(&named).await?;
        let message = world.connected("named", "EndpointNotAllowed").await?;
        assert!(message.contains("loopback"), "{message}");
    }
    assert!(world.vcenter.log().requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn something_else_than_a_vcenter_is_told_from_one() -> anyhow::Result<()> {
    let world = World::new("other", quick(1)).await?;
    let page = |status| Action::Status {
        status,
        body: BodyKind::Html,
        when: When::Before,
        headers: Vec::new(),
    };
    let clusters = crate::sim::Match::new("GET", CLUSTERS);
    let login = world.vcenter.faults().add(Rule::new(page(200)).on(logins()));
    let list = world.vcenter.faults().add(Rule::new(page(404)).on(clusters));
    world.connect("vc").await?;
    let operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "NotThisProduct").await?;
    assert!(message.contains("login brought 200 (HTML"), "{message}");
    world.vcenter.faults().remove(login)?;
    world
        .wait(async |world: &World| {
            let connection = world.connections().get("vc").await?;
            let status = serde_json::to_value(connection.status)?;
            let ready = status["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
            let told = ready.and_then(|c| c["message"].as_str()).unwrap_or_default();
            Ok(told.contains("list_clusters brought 404 (HTML").then_some(()))
        })
        .await?;
    assert_waits(&world, "NotThisProduct").await?;
    assert!(!world.readable(&[&operator]).await?.contains("<html"));
    world.vcenter.faults().remove(list)?;
    assert_goes_on(&world).await
}

#[tokio::test]
async fn a_missing_privilege_is_named_and_waited_for() -> anyhow::Result<()> {
    let mut config = quick(1);
    config.users = vec![User::stranger(USER, PASSWORD)];
    let (world, _operator) = World::ready("stranger", config).await?;
    bold_batch(&world, 1).await?;
    let message = world.connected("vc", "MissingPermission").await?;
    assert!(message.contains("Namespaces.Manage"), "{message}");
    assert_waits(&world, "MissingPermission").await?;
    world.vcenter.set_users(vec![User::manager(USER, PASSWORD)]);
    assert_goes_on(&world).await
}

#[tokio::test]
async fn a_batch_without_its_connection_waits_and_says_which() -> anyhow::Result<()> {
    let world = World::new("none", quick(1)).await?;
    let _operator = world.operator().await?;
    bold_batch(&world, 1).await?;
    assert_waits(&world, "Connection vc does not exist").await?;
    world.connect("vc").await?;
    assert_goes_on(&world).await?;
    // Gone again when all is done: nothing changes any more.
    world.connections().delete("vc", &DeleteParams::default()).await?;
    world.edit("b", json!({"strategy": {"maxFailures": 2}})).await?;
    world.state("b", "SUCCESS").await?;
    Ok(())
}

#[tokio::test]
async fn a_connection_edited_or_deleted_in_the_middle_of_a_start_never_takes_its_session_away() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("edited", quick(2)).await?;
    let slow = Action::Latency {
        ms: 1500,
        when: When::Before,
    };
    let first = next_start(&world, "domain-c1", slow.clone());
    let second = next_start(&world, "domain-c2", slow);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": entries(2)}))
        .await?;
    world.vcenter.faults().wait_until_hit(first).await?;
    let mut connection = world.connection("vc");
    connection["spec"]["suspend"] = json!(true);
    world.apply(&connection).await?;
    world
        .until("b", "the first done, the rest suspended", |s| {
            s.json["done"] == "1/2" && s.waiting_for() == "Suspended"
        })
        .await?;
    world.apply(&world.connection("vc")).await?;
    world.vcenter.faults().wait_until_hit(second).await?;
    world.connections().delete("vc", &DeleteParams::default()).await?;
    world.reason("b", "RUNNING", "OutOfSight").await?;
    world.connect("vc").await?;
    world.state("b", "SUCCESS").await?;
    for cluster in ["domain-c1", "domain-c2"] {
        assert_eq!(receipts(&world, cluster).await?, ["Accepted/Succeeded"], "{cluster}");
    }
    assert_each_started_once(&world, 2);
    assert_eq!(
        world.vcenter.live_sessions(),
        1,
        "the sessions of the Connection's earlier forms were ended"
    );
    Ok(())
}

#[tokio::test]
async fn endpoints_that_never_answer_keep_no_other_waiting() -> anyhow::Result<()> {
    let world = World::new("prompt", quick(1)).await?;
    let silent = World::new("silent", quick(1)).await?;
    let rule = silent.vcenter.faults().add(Rule::new(Action::Hang { when: When::Before }));
    world.secret("vc", USER, PASSWORD).await?;
    for n in 0..20 {
        let mut connection = silent.connection("vc");
        connection["metadata"] = json!({"name": format!("silent-{n}"), "namespace": world.namespace});
        world.apply(&connection).await?;
    }
    let _operator = world.operator().await?;
    silent.vcenter.faults().wait_until_hit(rule).await?;
    world.connect("vc").await?;
    // Far below the 30 s after which a silent endpoint is given up.
    tokio::time::timeout(Duration::from_secs(15), world.connected("vc", "Reachable")).await??;
    Ok(())
}
