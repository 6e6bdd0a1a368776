//! `windlass plan`: what would happen with these manifests against the present cluster. Writes nothing, and asks no vendor.
//!
//! What is decided is decided by the operator's own core: [`gather`](crate::controller::gather) makes facts of the objects,
//! [`decide`](crate::upgrade::decide) answers. What the operator knows of vendors is taken from Inventories, statuses and receipts here, and what nobody
//! knows is told as assumed. The API server is asked, by a dry run, whether it would take the manifests.

mod devices;
mod dry_run;
mod judge;
mod known;
mod manifests;
mod render;
mod sights;
mod world;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::judge::Target;
use self::judge::Verdict;
use super::cluster::Access;
use super::cluster::Cluster;
use super::formats;
use super::formats::Format;
use super::page::Page;
use crate::api::common::Blocker;

/// What `plan` ends with where something would be refused.
const REFUSED: u8 = 2;

/// Options of `windlass plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Writes nothing: the API server is asked by a dry run whether it would take the manifests, where you may write them.\n\
                        Exit codes: 0 if every target would start, wait, or be left alone; 2 if something would be refused; 1 if it could not be \
                        found out."
)]
pub struct PlanArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// A file of manifests, a folder of them, or - for standard input; may be given several times.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// What would happen.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Each upgrade of the manifests, in their order.
    pub upgrades: Vec<Planned>,
    /// What could not be taken into account, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What would become of one upgrade.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Its namespace.
    pub namespace: String,
    /// As people type it.
    pub called: String,
    /// Against the present cluster: new, changed or unchanged.
    pub change: Change,
    /// The Connection that it goes through.
    pub connection: String,
    /// Why the API server would not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Each of its targets.
    pub targets: Vec<Target>,
    /// All that it would wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
}

/// What a manifest is against what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// There is none of that name.
    New,
    /// Its spec is another.
    Changed,
    /// Its spec is the same.
    Unchanged,
}

impl Planned {
    /// It, or one of its targets, would be refused.
    fn refuses(&self) -> bool {
        self.refused.is_some() || self.targets.iter().any(|target| target.verdict == Verdict::Refuse)
    }
}

/// Reads, asks, and tells.
pub async fn main(args: &PlanArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let manifests = manifests::read(&args.files, &cluster.namespace)?;
    let plan = world::plan(manifests, cluster, page.now).await?;
    let answer = match args.output {
        Format::Json => formats::json(&plan)?,
        Format::Yaml => formats::yaml(&plan)?,
        Format::Text => render::text(&plan, false, page),
        Format::Wide => render::text(&plan, true, page),
    };
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(exit_code(&plan))
}

fn exit_code(plan: &Plan) -> ExitCode {
    if plan.upgrades.iter().any(Planned::refuses) {
        ExitCode::from(REFUSED)
    } else {
        ExitCode::SUCCESS
    }
}
