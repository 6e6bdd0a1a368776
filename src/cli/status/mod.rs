//! `windlass status`: all upgrades as a tree with their targets.

mod render;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::cluster::Access;
use super::cluster::Cluster;
use super::cluster::ClusterError;
use super::formats;
use super::formats::Format;
use super::kinds;
use super::kinds::Kind;
use super::page::Page;
use super::seen::Upgrade;

/// Options of `windlass status`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0, or 1 if the cluster could not be asked. What an upgrade has come to is no error of this command.")]
pub struct StatusArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// Look in all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only upgrades of this kind, such as fwup.
    #[arg(value_name = "KIND", value_parser = upgrade_kind)]
    kind: Option<Kind>,
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Go on, and show each change: a terminal is redrawn, a pipe gets a line for each.
    #[arg(short, long)]
    watch: bool,
}

fn upgrade_kind(name: &str) -> Result<Kind, String> {
    let kind = kinds::find(name).map_err(|e| e.to_string())?;
    if kind.upgrade {
        Ok(kind)
    } else {
        Err(format!("{} is no kind of upgrade", kind.kind))
    }
}

impl StatusArgs {
    fn kinds(&self) -> Vec<Kind> {
        self.kind.clone().map_or_else(kinds::upgrades, |kind| vec![kind])
    }
}

/// Asks, and shows.
pub async fn main(args: &StatusArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let namespace = Some(cluster.namespace.as_str()).filter(|_| !args.all_namespaces);
    if args.watch {
        watch::main(args, cluster, page, namespace).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let upgrades = gather(cluster, &args.kinds(), namespace).await?;
    let place = namespace.map_or_else(|| "any namespace".to_owned(), |namespace| format!("namespace {namespace}"));
    let answer = written(args.output, &upgrades, &place, page)?;
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// All upgrades of these kinds, by namespace and name.
pub async fn gather(cluster: &Cluster, kinds: &[Kind], namespace: Option<&str>) -> Result<Vec<Upgrade>, ClusterError> {
    let mut found = Vec::new();
    for kind in kinds {
        for object in cluster.list(kind, namespace, None).await? {
            found.push(Upgrade::read(kind, &object)?);
        }
    }
    sort(&mut found);
    Ok(found)
}

fn sort(upgrades: &mut [Upgrade]) {
    upgrades.sort_by(|a, b| (&a.namespace, &a.called).cmp(&(&b.namespace, &b.called)));
}

fn written(format: Format, upgrades: &[Upgrade], place: &str, page: &Page) -> Result<String, formats::NotWritten> {
    match format {
        Format::Json => formats::json(&serde_json::json!({ "items": upgrades })),
        Format::Yaml => formats::yaml(&serde_json::json!({ "items": upgrades })),
        Format::Text => Ok(render::tree(upgrades, false, place, page)),
        Format::Wide => Ok(render::tree(upgrades, true, place, page)),
    }
}
