//! Nothing a tenant can write, and nothing that lies in the API server, stops the others.

use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;

use crate::sim::vcenter::VERSION_NEW;
use crate::stories::happy::quick;
use crate::world::Operator;
use crate::world::World;

fn one(cluster: &str) -> Value {
    json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": cluster}]})
}

/// The operator is alive and well, and not in a panic's wake.
async fn healthy(operator: &Operator) -> anyhow::Result<()> {
    for path in ["healthz", "readyz"] {
        let answer = reqwest::get(format!("http://{}/{path}", operator.listen)).await?;
        assert_eq!(answer.status(), 200, "{path}");
    }
    let log = operator.log()?;
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stops_no_other() -> anyhow::Result<()> {
    let (world, operator) = World::ready("unreadable", quick(2)).await?;
    world.batch("bad", one("domain-c1")).await?;
    world.state("bad", "SUCCESS").await?;
    // The schema takes this for a date-time; no calendar does.
    let odd = r#"{"status":{"startedAt":"2026-01-01T00:00:00+99:99"}}"#;
    let patched = world
        .kubectl(&["patch", "cub", "bad", "--subresource=status", "--type=merge", "-p", odd])
        .await?;
    assert!(patched.contains("patched"), "{patched}");
    assert!(world.batches().get("bad").await.is_err(), "our types refuse it");
    world.batch("good", one("domain-c2")).await?;
    world.state("good", "SUCCESS").await?;
    healthy(&operator).await?;
    // Also for an operator that meets it in its first list.
    operator.terminate().await?;
    let operator = world.operator().await?;
    world.edit("good", json!({"runKey": "2"})).await?;
    world.reason("good", "SUCCESS", "AlreadyAtVersion").await?;
    healthy(&operator).await?;
    assert_eq!((world.starts("domain-c1"), world.starts("domain-c2")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn no_admissible_spec_stalls_the_operator() -> anyhow::Result<()> {
    let (world, operator) = World::ready("nasty", quick(2)).await?;
    // A full batch through a Connection that is not there.
    let clusters: Vec<Value> = (1..=64).map(|n| json!({"cluster": format!("domain-c{n}")})).collect();
    let many = json!({"connectionRef": {"name": "nowhere"}, "desiredVersion": VERSION_NEW, "clusters": clusters});
    world.batch("many", many).await?;
    // The edges of the patterns.
    let (id, version) = (format!("Z{}", ":._-".repeat(19)), format!("0{}", "._+-".repeat(15)));
    let edges = json!({
        "desiredVersion": version, "runKey": "-.".repeat(16), "timeout": "43200m", "strategy": {"soak": "0h0m0s0ms", "maxConcurrent": 64},
        "clusters": [{"cluster": id, "clusterName": "☃\u{202e}'\"\\{}".repeat(20)}, {"cluster": "a..:b"}],
    });
    world.batch("edges", edges).await?;
    world
        .batch(
            "spans",
            json!({"timeout": "720h0m0s0ms", "strategy": {"soak": "168h"}, "desiredVersion": "9", "clusters": [{"cluster": "x"}]}),
        )
        .await?;
    let name = format!("{}z", "long-name.".repeat(25));
    world.batch(&name, one("domain-c9")).await?;
    // An annotation longer than any field of ours, and a hold that is a novel.
    let long = "☃".repeat(30_000);
    let mut wordy = one("domain-c1");
    wordy["suspend"] = json!(true);
    world.batch("wordy", wordy).await?;
    let annotations = json!({"argocd.argoproj.io/tracking-id": long, "windlass.dev/hold": long});
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    world.batches().patch("wordy", &PatchParams::default(), &patch).await?;
    world.edit("wordy", json!({"suspend": null})).await?;
    // Connections that lead nowhere.
    for (name, url, pem) in [
        (
            "garbage",
            world.vcenter.url(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        ("text", world.vcenter.url(), "no PEM at all"),
        ("ipv6", "https://[::1]:9".to_owned(), ""),
        ("mapped", "https://[::ffff:169.254.169.254]".to_owned(), ""),
        ("metadata", "https://169.254.169.254/".to_owned(), ""),
        ("idn", "https://xn--nxasmq6b.example".to_owned(), ""),
        ("no-secret", world.vcenter.url(), ""),
    ] {
        let mut connection = world.connection(name);
        connection["spec"]["url"] = json!(url);
        match pem {
            "" => connection["spec"].as_object_mut().unwrap().remove("caBundlePEM"),
            pem => connection["spec"]
                .as_object_mut()
                .unwrap()
                .insert("caBundlePEM".to_owned(), json!(pem)),
        };
        world.apply(&connection).await?;
        world
            .batch(
                &format!("through-{name}"),
                json!({"connectionRef": {"name": name}, "desiredVersion": "1", "clusters": [{"cluster": "c"}]}),
            )
            .await?;
    }
    world.batch("good", one("domain-c2")).await?;
    world.state("good", "SUCCESS").await?;
    assert_eq!(world.starts("domain-c2"), 1);
    for (name, reason) in [
        ("many", "ConnectionNotReady"),
        ("edges", "TargetNotFound"),
        ("spans", "TargetNotFound"),
        (name.as_str(), "TargetNotFound"),
        ("through-garbage", "ConnectionNotReady"),
        ("through-text", "ConnectionNotReady"),
        ("through-ipv6", "ConnectionNotReady"),
        ("through-mapped", "ConnectionNotReady"),
        ("through-metadata", "ConnectionNotReady"),
        ("through-idn", "ConnectionNotReady"),
        ("through-no-secret", "ConnectionNotReady"),
    ] {
        world.reason(name, "PENDING", reason).await?;
    }
    // Once let go, the wordy one runs too.
    world.reason("wordy", "PENDING", "Held").await?;
    world.hold("wordy", None).await?;
    world.state("wordy", "SUCCESS").await?;
    healthy(&operator).await?;
    assert_eq!(world.vcenter.log().posts().len(), 2);
    for connection in world.connections().list(&kube::api::ListParams::default()).await? {
        assert!(connection.status.is_some(), "{} was never looked at", connection.name_any());
    }
    Ok(())
}
