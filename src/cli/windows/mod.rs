//! `windlass windows`: the next times at which an upgrade may start, by its own schedule and that of its Connection together.
//!
//! What schedules mean is the core's to say ([`schedule`](crate::upgrade::schedule)).

mod render;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::cluster::Access;
use super::cluster::Cluster;
use super::cluster::ClusterError;
use super::cluster::connections;
use super::cluster::text;
use super::cluster::typed;
use super::formats;
use super::formats::Format;
use super::kinds;
use super::kinds::Named;
use super::page::Page;
use crate::api::common::Blocker;
use crate::controller::gather::schedule;
use crate::upgrade::schedule::Gate;
use crate::upgrade::schedule::InvalidSchedule;
use crate::upgrade::schedule::Schedule;
use crate::upgrade::schedule::Whose;
use crate::upgrade::schedule::gate;
use crate::upgrade::schedule::openings;

/// Options of `windlass windows`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0, or 1 if there is no such object, if its schedule cannot be obeyed, or if the cluster could not be asked."
)]
pub struct WindowsArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// The upgrade, as in cub/vc1-1-30, or a Connection, as in conn/vc1.
    #[arg(value_name = "KIND/NAME", value_parser = Named::upgrade_or_connection)]
    object: Named,
    /// How many openings to show.
    #[arg(short = 'c', long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "NUMBER")]
    count: u16,
    /// How to show them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// A schedule that cannot be obeyed.
#[derive(Debug, thiserror::Error)]
#[error("{of} has a schedule that cannot be obeyed: spec.{why}")]
pub struct NotObeyed {
    of: String,
    why: InvalidSchedule,
}

/// When an object may start.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Windows {
    /// As people type it.
    pub called: String,
    /// Its namespace.
    pub namespace: String,
    /// Its Connection, where it is an upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Neither schedule says anything: at any time.
    pub always: bool,
    /// What stands in the way now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Blocker>,
    /// `notAfter`, where it has passed, and whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_late: Option<TooLate>,
    /// The next openings.
    pub openings: Vec<Shown>,
}

/// No time will come any more.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TooLate {
    /// `notAfter`.
    pub not_after: Timestamp,
    /// It is the Connection's, and may be changed there.
    pub of_connection: bool,
}

/// One opening.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Its first moment, or now.
    pub from: Timestamp,
    /// The first moment after it; absent where no end is in sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The zone that its window is written in; absent where no window is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The same zone.
    #[serde(skip)]
    pub zone: Option<TimeZone>,
}

/// Asks, and shows.
pub async fn main(args: &WindowsArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let (kind, object) = cluster.named(&args.object, &kinds::upgrades()).await?;
    let called = kind.name(&args.object.name);
    let own = read(&called, &object)?;
    let name = text(&object, "/spec/connectionRef/name");
    let (connection, theirs) = if kind.upgrade {
        let there = cluster.get(&connections()?, &name).await?;
        let theirs = there.map(|there| read(&format!("conn/{name}"), &there)).transpose()?;
        (Some(name), theirs.unwrap_or_default())
    } else {
        (None, Schedule::default())
    };
    let windows = view(called, cluster.namespace.clone(), connection, &theirs, &own, page.now, args.count);
    let answer = match args.output {
        Format::Json => formats::json(&windows)?,
        Format::Yaml => formats::yaml(&windows)?,
        Format::Text | Format::Wide => render::text(&windows, page),
    };
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The schedule of an object.
fn read(of: &str, object: &Value) -> anyhow::Result<Schedule> {
    let written = object.pointer("/spec/schedule").filter(|s| !s.is_null());
    let written = written.map(typed::<crate::api::Schedule>).transpose().map_err(|e| match e {
        ClusterError::Unreadable { why, .. } => ClusterError::Unreadable {
            what: format!("spec.schedule of {of}"),
            why,
        },
        other => other,
    })?;
    let of = of.to_owned();
    Ok(schedule(written.as_ref()).map_err(|why| NotObeyed { of, why })?)
}

/// What both schedules say.
fn view(
    called: String,
    namespace: String,
    connection: Option<String>,
    theirs: &Schedule,
    own: &Schedule,
    now: Timestamp,
    count: u16,
) -> Windows {
    let gate = gate(theirs, own, now);
    let waits = gate.blockers(connection.as_deref().unwrap_or(&called));
    let too_late = match gate {
        Gate::TooLate { not_after, whose } => Some(TooLate {
            not_after,
            of_connection: whose == Whose::Connection,
        }),
        Gate::Open(_) | Gate::Closed(_) => None,
    };
    let next = openings(theirs, own, now).take(count.into());
    Windows {
        always: *own == Schedule::default() && *theirs == Schedule::default(),
        openings: next
            .map(|opening| {
                let zone = own.zone_at(opening.from).or_else(|| theirs.zone_at(opening.from)).cloned();
                Shown {
                    from: opening.from,
                    until: opening.closes.then_some(opening.until),
                    time_zone: zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned),
                    zone,
                }
            })
            .collect(),
        waits: waits
            .into_iter()
            .map(|b| Blocker {
                reason: b.reason.word().to_owned(),
                message: b.message,
                until: b.until,
            })
            .collect(),
        called,
        namespace,
        connection,
        too_late,
    }
}
