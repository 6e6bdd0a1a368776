//! `windlass hold` and `windlass release`: the stop button, which is an annotation and no part of the spec, so that no GitOps tool takes it back.
//!
//! The very annotation that the actions of `deploy/argocd` set and take away.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use serde_json::json;

use super::cluster::Access;
use super::cluster::Cluster;
use super::cluster::ClusterError;
use super::cluster::connections;
use super::kinds;
use super::kinds::Kind;
use super::kinds::Named;
use super::page::Lines as _;
use super::page::Page;
use super::seen::Upgrade;
use super::seen::row_name;
use crate::api::HOLD_ANNOTATION;
use crate::vendor::text::harmless;

/// Longest reason that is kept: it is part of messages.
const LONGEST_REASON: usize = 256;

/// Options of `windlass hold`.
#[derive(Debug, Args)]
#[command(
    after_help = "Takes the role windlass-edit for an upgrade, windlass-connection-admin for a Connection, or as your release calls them.\n\
                        Exit codes: 0, or 1 if it could not be done."
)]
pub struct HoldArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// The upgrade or the Connection, as in cub/vc1-1-30 or conn/vc1.
    #[arg(value_name = "KIND/NAME", value_parser = Named::upgrade_or_connection)]
    object: Named,
    /// Why, for whoever waits. Default: who holds it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
}

/// Options of `windlass release`.
#[derive(Debug, Args)]
#[command(
    after_help = "Takes the role windlass-edit for an upgrade, windlass-connection-admin for a Connection, or as your release calls them.\n\
                        Exit codes: 0, also if it was not held; 1 if it could not be done."
)]
pub struct ReleaseArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// The upgrade or the Connection, as in cub/vc1-1-30 or conn/vc1.
    #[arg(value_name = "KIND/NAME", value_parser = Named::upgrade_or_connection)]
    object: Named,
}

fn reason(text: &str) -> Result<String, String> {
    let text = harmless(text);
    match text.chars().count() {
        0 => Err("a reason says something; leave --reason out to have your name stand there".to_owned()),
        1..=LONGEST_REASON => Ok(text),
        found => Err(format!("at most {LONGEST_REASON} characters; this one has {found}")),
    }
}

/// What is held or released, as it stood before.
#[derive(Clone, Debug)]
struct Held {
    called: String,
    namespace: String,
    /// What the hold said before.
    before: Option<String>,
    /// Where it is an upgrade.
    upgrade: Option<Upgrade>,
    /// A hold of its Connection.
    connection_hold: Option<String>,
}

/// Holds.
pub async fn hold(args: &HoldArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let (kind, held) = gather(&args.object, cluster).await?;
    let why = match &args.reason {
        Some(why) => why.clone(),
        None => format!("held by {}", harmless(&cluster.whoami().await?)),
    };
    annotate(cluster, &kind, &args.object.name, &json!(why)).await?;
    std::io::stdout().lock().write_all(told_hold(&held, &why, page).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Releases.
pub async fn release(args: &ReleaseArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let (kind, held) = gather(&args.object, cluster).await?;
    if held.before.is_some() {
        annotate(cluster, &kind, &args.object.name, &Value::Null).await?;
    }
    std::io::stdout().lock().write_all(told_release(&held, page).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn gather(named: &Named, cluster: &Cluster) -> Result<(Kind, Held), ClusterError> {
    let (kind, object) = cluster.named(named, &kinds::upgrades()).await?;
    let upgrade = if kind.upgrade { Some(Upgrade::read(&kind, &object)?) } else { None };
    let connection = match &upgrade {
        // Whoever may not look at the Connection is told nothing of it.
        Some(upgrade) => cluster.get(&connections()?, &upgrade.connection).await.ok().flatten(),
        None => None,
    };
    let held = Held {
        called: kind.name(&named.name),
        namespace: cluster.namespace.clone(),
        before: hold_of(&object),
        connection_hold: connection.as_ref().and_then(hold_of),
        upgrade,
    };
    Ok((kind, held))
}

fn hold_of(object: &Value) -> Option<String> {
    let annotations = object.pointer("/metadata/annotations")?;
    annotations.get(HOLD_ANNOTATION)?.as_str().map(str::to_owned)
}

async fn annotate(cluster: &Cluster, kind: &Kind, name: &str, value: &Value) -> Result<(), ClusterError> {
    let change = json!({"metadata": {"annotations": {HOLD_ANNOTATION: value}}});
    cluster.patch(kind, name, &change).await.map(|_| ())
}

fn told_hold(held: &Held, why: &str, page: &Page) -> String {
    let mut out = format!("{} -n {} is held: {why}\n", held.called, held.namespace);
    if let Some(before) = held.before.as_ref().filter(|before| *before != why) {
        out.line(format!("it was held before: {before}"));
    }
    let running: Vec<String> = held.upgrade.iter().flat_map(Upgrade::in_flight).map(row_name).collect();
    out.line(match (held.upgrade.is_some(), running.is_empty()) {
        (true, true) => "nothing of it starts".to_owned(),
        (true, false) => format!(
            "nothing more of it starts; what is under way is followed to its end: {}",
            running.join(", ")
        ),
        (false, _) => "nothing starts through it; what is under way is followed to its end".to_owned(),
    });
    out.line(format!("to go on: {} release {} -n {}", page.me, held.called, held.namespace));
    out
}

fn told_release(held: &Held, page: &Page) -> String {
    let mut out = match &held.before {
        Some(before) => format!("{} -n {} is released; it was held: {before}\n", held.called, held.namespace),
        None => format!("{} -n {} is not held; nothing was changed\n", held.called, held.namespace),
    };
    if let Some(upgrade) = &held.upgrade {
        if let Some(why) = &held.connection_hold {
            out.line(format!(
                "its Connection is held too: {why}\nnext: {} release conn/{} -n {}",
                page.me, upgrade.connection, held.namespace
            ));
        }
        if upgrade.suspended {
            out.push_str("its spec.suspend is true, which stops it too: take it out where its manifest is kept\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::as_in_the_guide;
    use super::super::testing::night;
    use super::super::testing::page;
    use super::*;

    fn held(before: Option<&str>) -> Held {
        Held {
            called: "cub/prod".to_owned(),
            namespace: "vsphere".to_owned(),
            before: before.map(str::to_owned),
            upgrade: Some(night().remove(3)),
            connection_hold: None,
        }
    }

    #[test]
    fn a_hold_says_what_it_stops_and_how_to_go_on() {
        as_in_the_guide(
            "kubectl windlass hold cub/prod -n vsphere --reason 'storage alarm, INC-4711'",
            &told_hold(&held(None), "storage alarm, INC-4711", &page()),
        );
        let again = told_hold(&held(Some("old")), "new", &page());
        assert!(again.contains("it was held before: old"), "{again}");
    }

    #[test]
    fn a_release_says_what_else_stands_in_the_way() {
        as_in_the_guide(
            "kubectl windlass release cub/prod -n vsphere",
            &told_release(&held(Some("storage alarm, INC-4711")), &page()),
        );
        let mut both = held(None);
        both.connection_hold = Some("freeze".to_owned());
        let text = told_release(&both, &page());
        assert!(
            text.contains("is not held; nothing was changed") && text.contains("release conn/vc1 -n vsphere"),
            "{text}"
        );
    }

    #[test]
    fn only_upgrades_and_connections_are_held() {
        assert!(
            Named::upgrade_or_connection("rcpt/x")
                .unwrap_err()
                .to_string()
                .contains("UpgradeReceipt")
        );
        assert!(
            Named::upgrade_or_connection("conn/vc1").is_ok()
                && Named::upgrade_or_connection("cub/x").is_ok()
                && Named::upgrade_or_connection("x").is_ok()
        );
        assert!(reason(" \t").is_err() && reason(&"x".repeat(257)).is_err());
    }
}
