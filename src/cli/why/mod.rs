//! `windlass why`: what keeps one upgrade from going on, who is before it in line, and what was and was not sent to the vendor.

pub mod advice;
mod render;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::cluster::Access;
use super::cluster::Cluster;
use super::cluster::ClusterError;
use super::cluster::connections;
use super::cluster::receipts;
use super::cluster::typed;
use super::formats;
use super::formats::Format;
use super::kinds;
use super::kinds::Named;
use super::page::Page;
use super::record::Record;
use super::seen::Upgrade;
use super::status;
use crate::api::Connection;

/// Options of `windlass why`.
#[derive(Debug, Args)]
#[command(
    after_help = "Works without the right to read receipts: what was sent is then told as far as the status goes.\n\
                        Exit codes: 0, or 1 if there is no such upgrade or the cluster could not be asked."
)]
pub struct WhyArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// The upgrade, as in cub/vc1-1-30; its name alone where only one kind has it.
    #[arg(value_name = "KIND/NAME", value_parser = Named::upgrade)]
    upgrade: Named,
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Everything that is told of one upgrade.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// It.
    pub upgrade: Upgrade,
    /// Its Connection, where there is one that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// Who else goes through it.
    pub line: Line,
    /// The receipts of its present run.
    pub receipts: Receipts,
}

/// The Connection that it goes through.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Through {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it can be used.
    pub ready: bool,
    /// One word.
    pub reason: String,
    /// What is wrong with it.
    pub message: String,
    /// How many upgrades it allows at once.
    pub limit: usize,
}

/// The others that go through the same Connection.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Those with something under way, and at which targets.
    pub in_flight: Vec<String>,
    /// Those that wait for a slot too, and are older.
    pub ahead: Vec<String>,
}

/// What is known of the receipts.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Receipts {
    /// They may not be read, and why.
    Hidden(String),
    /// Those of its present run, oldest first.
    Known(Vec<Record>),
}

/// Asks, and tells.
pub async fn main(args: &WhyArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let why = gather(args, cluster, page).await?;
    let answer = match args.output {
        Format::Json => formats::json(&why)?,
        Format::Yaml => formats::yaml(&why)?,
        Format::Text | Format::Wide => render::text(&why, page),
    };
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn gather(args: &WhyArgs, cluster: &Cluster, page: &Page) -> Result<Why, ClusterError> {
    let (kind, object) = cluster.named(&args.upgrade, &kinds::upgrades()).await?;
    let upgrade = Upgrade::read(&kind, &object)?;
    let through = match cluster.get(&connections()?, &upgrade.connection).await {
        Ok(found) => found.map(|object| typed::<Connection>(&object)).transpose()?.map(through),
        Err(error) if error.forbidden() => None,
        Err(error) => return Err(error),
    };
    // Whoever may not see one of the other kinds is told of those that they may see.
    let mut others = Vec::new();
    for kind in kinds::upgrades() {
        match status::gather(cluster, std::slice::from_ref(&kind), Some(&upgrade.namespace)).await {
            Ok(some) => others.extend(some),
            Err(error) if error.forbidden() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Why {
        line: line(&upgrade, &others),
        receipts: runs(cluster, &upgrade, page).await?,
        upgrade,
        through,
    })
}

/// What a Connection is for an upgrade through it.
pub fn through(connection: Connection) -> Through {
    let status = connection.status.unwrap_or_default();
    let ready = status.conditions.into_iter().find(|c| c.type_ == "Ready").unwrap_or_default();
    Through {
        type_: connection.spec.type_.word().to_owned(),
        ready: ready.status == "True",
        reason: ready.reason,
        message: ready.message,
        limit: connection.spec.max_concurrent_upgrades(),
    }
}

/// Who is under way through the same Connection, and who waits before this one: the oldest goes first, as the operator has it.
fn line(upgrade: &Upgrade, others: &[Upgrade]) -> Line {
    let place = |u: &Upgrade| (u.created, u.name.clone(), u.kind.clone());
    let same = others
        .iter()
        .filter(|u| u.connection == upgrade.connection && (u.name != upgrade.name || u.kind != upgrade.kind));
    let mut line = Line::default();
    let mut ahead: Vec<&Upgrade> = Vec::new();
    for other in same {
        let busy: Vec<&str> = other
            .in_flight()
            .map(|row| row.display_name.as_deref().unwrap_or(&row.name))
            .collect();
        if !busy.is_empty() {
            line.in_flight.push(format!("{} ({})", other.called, busy.join(", ")));
        }
        if other.waits_for_slot() && place(other) < place(upgrade) {
            ahead.push(other);
        }
    }
    ahead.sort_by_key(|u| place(u));
    line.ahead = ahead.into_iter().map(|u| u.called.clone()).collect();
    line
}

/// The receipts of the runs that its rows show, and of the attempts before them.
async fn runs(cluster: &Cluster, upgrade: &Upgrade, page: &Page) -> Result<Receipts, ClusterError> {
    let selector = format!("spec.claim.run.namespace={}", upgrade.namespace);
    let found = match cluster.list(&receipts()?, None, Some(&selector)).await {
        Ok(found) => found,
        Err(error) if error.forbidden() => return Ok(Receipts::Hidden(error.to_string())),
        Err(error) => return Err(error),
    };
    let mut records = Vec::new();
    for object in &found {
        let record = Record::read(object, page.now)?;
        let asked = record.requested_by_kind == upgrade.kind && record.requested_by_name == upgrade.name;
        let run = (&record.version, &record.run_key);
        let shown = |row: &crate::api::common::TargetStatus| {
            row.receipt.as_ref() == Some(&record.receipt)
                || row.desired_version.as_ref() == Some(run.0) && *run.1 == upgrade.run_key && row.name == record.object()
        };
        // A receipt that somebody else asked for may be what a row shows, too: a run that was begun before this object was made.
        if (asked && upgrade.status.targets.iter().any(shown))
            || upgrade
                .status
                .targets
                .iter()
                .any(|row| row.receipt.as_ref() == Some(&record.receipt))
        {
            records.push(record);
        }
    }
    records.sort_by(|a, b| (&a.target, a.sequence).cmp(&(&b.target, b.sequence)));
    Ok(Receipts::Known(records))
}
