//! An install for one namespace at work: the real operator with the rights that such a release has and no others, admission policies in force.

use std::sync::Arc;

use serde_json::json;

use super::CHART;
use super::Manifests;
use super::helm;
use super::site::silent;
use crate::ground::Account;
use crate::ground::timing;
use crate::plane::Kept;
use crate::plane::Plane;
use crate::sim::VCenter;
use crate::sim::vcenter::VERSION_NEW;
use crate::stories::quick;
use crate::world::Ground;
use crate::world::World;

#[tokio::test]
async fn an_operator_for_one_namespace_needs_no_more_than_the_chart_gives_it() -> anyhow::Result<()> {
    static PLACE: Kept = Kept::new();
    let plane = Plane::kept(&PLACE)?;
    let (own, ns) = (plane.namespace("team-ops").await?.name, plane.namespace("team").await?.name);
    let set = [
        format!("watch.namespaces={{{ns}}}"),
        // Another team's. That there are others takes nothing away from this one.
        "policies.operators={other-ops:other-windlass}".to_owned(),
    ];
    let values = ["--namespace", &own, "--set", &set[0], "--set", &set[1]];
    plane.helm(&[&["install", "team", CHART], &values[..]].concat()).await?.ok()?;
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    silent(plane.kubectl(&wait).await?);

    // As the Deployment would run it, but for the address of its endpoints, which is the story's.
    let rendered = Manifests::read(&helm(&[&["template", "team", CHART], &values[..]].concat()).await.ok()?);
    let args = rendered.args().into_iter().skip(1);
    let mut args: Vec<String> = args.filter(|a| !a.starts_with("--lease=")).map(str::to_owned).collect();
    args.retain(|a| !a.starts_with("--watch-namespace=") && !a.starts_with("--log-level="));
    args.extend(["--allow-cidr".to_owned(), "127.0.0.0/8".to_owned()]);
    let ground = Ground {
        plane,
        client: plane.client().await?,
        namespace: ns,
        timing: timing(),
        args,
        account: Account {
            namespace: own,
            name: "team-windlass".to_owned(),
            secrets: "team-windlass-secret-access".to_owned(),
        },
    };
    let vcenter = Arc::new(VCenter::start(quick(2)).await?);
    let world = World { ground, vcenter };
    world.connect("vc").await?;
    let operator = world.operator_as("team-windlass", None).await?;

    // The command that it prints is the one that helps.
    let message = world.connected("vc", "SecretAccessDenied").await?;
    assert!(message.contains("--clusterrole=team-windlass-secret-access"), "{message}");
    let (_, command) = message.split_once("run: kubectl ").unwrap();
    silent(plane.kubectl(&command.split(' ').collect::<Vec<_>>()).await?);

    let clusters = json!([{"cluster": "domain-c1", "canary": true}, {"cluster": "domain-c2"}]);
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    let status = world.state("b", "SUCCESS").await?;
    assert_eq!(status.json["done"], "2/2");
    let starts: Vec<String> = world.vcenter.log().committed().iter().map(|s| s.target.clone()).collect();
    assert_eq!(starts, ["domain-c1", "domain-c2"]);
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    Ok(())
}
