//! `windlass doctor`: is the ground sound that upgrades stand on? CRDs, leader, rights, Connections, receipts; with the fix as a command.
//!
//! Reads only. What it may not read it says, and goes on.

mod checks;
mod connections;
mod ledgers;
mod render;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::cluster::Access;
use super::cluster::Cluster;
use super::formats;
use super::formats::Format;
use super::page::Page;

/// What `doctor` ends with where something is wrong.
const ILL: u8 = 2;

/// Options of `windlass doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 if nothing is wrong; 2 if something is; 1 if the cluster could not be asked. What you may not read is a warning."
)]
pub struct DoctorArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// Look at the Connections and upgrades of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Namespace of the operator.
    #[arg(long, default_value = "windlass-system", value_name = "NAME")]
    operator_namespace: String,
    /// Name of the lease of its leader.
    #[arg(long, default_value = "windlass", value_name = "NAME")]
    lease: String,
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Not known, or worth a look.
    Warn,
    /// Wrong.
    Fail,
}

impl Level {
    /// As it is shown.
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub message: String,
    /// What to type, or to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// As it should be.
    fn ok(what: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding {
            level: Level::Ok,
            what: what.into(),
            message: message.into(),
            fix: None,
        }
    }

    /// Not known, or worth a look.
    fn warn(what: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding {
            level: Level::Warn,
            ..Finding::ok(what, message)
        }
    }

    /// Wrong, and what to do.
    fn fail(what: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding {
            level: Level::Fail,
            fix: Some(fix.into()),
            ..Finding::ok(what, message)
        }
    }

    /// With something to do about it.
    fn with_fix(self, fix: impl Into<String>) -> Finding {
        Finding {
            fix: Some(fix.into()),
            ..self
        }
    }
}

/// Looks, and tells.
pub async fn main(args: &DoctorArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let namespace = Some(cluster.namespace.as_str()).filter(|_| !args.all_namespaces);
    let mut findings = vec![checks::server(cluster).await?];
    findings.extend(checks::crds(cluster).await);
    findings.push(checks::leader(cluster, &args.operator_namespace, &args.lease, page).await);
    findings.push(checks::rights(cluster).await?);
    findings.extend(connections::check(cluster, namespace).await?);
    findings.extend(checks::upgrades(cluster, namespace, page).await?);
    findings.extend(ledgers::check(cluster, page).await?);
    let answer = match args.output {
        Format::Json => formats::json(&serde_json::json!({ "findings": findings }))?,
        Format::Yaml => formats::yaml(&serde_json::json!({ "findings": findings }))?,
        Format::Text | Format::Wide => render::text(&findings, page),
    };
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    let ill = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if ill { ExitCode::from(ILL) } else { ExitCode::SUCCESS })
}
