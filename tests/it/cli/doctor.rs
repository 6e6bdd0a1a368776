//! The ground: what is wrong with it, and the fix.

use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;

use super::person::Person;
use crate::sim::vcenter::Config;
use crate::world::World;

#[tokio::test]
async fn a_broken_connection_is_found_with_the_command_that_mends_it() -> anyhow::Result<()> {
    let world = World::new("cli-doctor", Config::with_clusters(1)).await?;
    world.apply(&world.connection("vc")).await?;
    let viewer = Person::new(world.plane, &world.namespace, "viewer", &["windlass-view"]).await?;
    let untried = viewer.types(&["doctor"]).await?.with(2);
    assert!(
        untried.contains("nobody has tried it") && untried.contains("--watch-namespace"),
        "{untried}"
    );

    let _operator = world.operator().await?;
    world.connected("vc", "SecretNotFound").await?;
    let missing = viewer.types(&["doctor"]).await?.with(2);
    assert!(missing.contains(&format!("FAIL  {}/vc", world.namespace)), "{missing}");
    assert!(missing.contains("fix: kubectl create secret generic vc -n"), "{missing}");
    // A viewer may see neither receipts nor the lease, and is told so; that is no illness.
    assert!(missing.contains("warn  receipts") && missing.contains("warn  leader"), "{missing}");
    assert!(missing.contains("you may not write and hold them"), "{missing}");

    let bindings: Api<k8s_openapi::api::rbac::v1::RoleBinding> = Api::namespaced(world.client.clone(), &world.namespace);
    bindings.delete("windlass-secrets", &DeleteParams::default()).await?;
    let says = world.connected("vc", "SecretAccessDenied").await?;
    let denied = viewer.types(&["doctor"]).await?.with(2);
    let command = says.split_once("run: ").unwrap().1;
    assert!(denied.contains(&format!("fix: {command}")), "{denied}");

    // The command, typed as it stands there, mends it.
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    world.plane.kubectl(&words).await?.ok()?;
    world.connect("vc").await?;
    world.connected("vc", "Reachable").await?;
    let admin = Person::admin(world.plane, &world.namespace);
    let lease = format!("windlass-{}", world.namespace);
    let sound = admin.types(&["doctor", "--lease", &lease, "-o", "json"]).await?;
    let findings: Value = serde_json::from_str(&sound.out)?;
    let of = |what: &str| {
        let mut all = findings["findings"].as_array().unwrap().iter();
        all.find(|f| f["what"] == what).cloned().unwrap_or_default()
    };
    assert_eq!(of("Connections")["message"], "1 Connection, 1 ready");
    for what in ["CRDs", "leader", "you", "upgrades"] {
        assert_eq!(of(what)["level"], "ok", "{findings:#}");
    }
    assert_eq!(admin.types(&["doctor", "--lease", "nobodys"]).await?.code, 2);
    Ok(())
}
