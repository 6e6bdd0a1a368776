//! `windlass receipts`: the ledger of a target, for whoever wants to know what was started, by whom, and what came of it; as CSV for auditors.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::cluster::Access;
use super::cluster::Cluster;
use super::cluster::ClusterError;
use super::cluster::receipts;
use super::formats;
use super::kinds;
use super::kinds::Named;
use super::page::Cell;
use super::page::Lines as _;
use super::page::Page;
use super::page::columns;
use super::page::many;
use super::record::Record;
use super::seen::Upgrade;
use crate::upgrade::target::TargetKey;

/// Options of `windlass receipts`.
#[derive(Debug, Args)]
#[command(
    after_help = "Takes the right to read receipts, which are cluster-scoped: windlass-auditor, or as your release calls it.\n\
                        Exit codes: 0, or 1 if the cluster could not be asked."
)]
pub struct ReceiptsArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// Whose ledger: an upgrade (cub/vc1-1-30: the ledgers of its targets), a receipt (the ledger that it is in), or a target as
    /// type|host:port|object. Default: all receipts of the namespace's runs.
    #[arg(value_name = "WHAT")]
    what: Option<String>,
    /// Those of all namespaces.
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "what"])]
    all_namespaces: bool,
    /// Only those without an end.
    #[arg(long)]
    open: bool,
    /// How to show them.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// How receipts are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For people, with everything.
    Wide,
    /// For programs.
    Json,
    /// For programs, and people.
    Yaml,
    /// For auditors: every fact of every receipt, one a line (RFC 4180).
    Csv,
}

/// Asks, and shows.
pub async fn main(args: &ReceiptsArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let mut records = gather(args, cluster, page.now).await?;
    records.retain(|record| !args.open || record.open());
    let answer = match args.output {
        Format::Json => formats::json(&serde_json::json!({ "items": records }))?,
        Format::Yaml => formats::yaml(&serde_json::json!({ "items": records }))?,
        Format::Csv => csv(&records),
        Format::Text => text(&records, false, page),
        Format::Wide => text(&records, true, page),
    };
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn gather(args: &ReceiptsArgs, cluster: &Cluster, now: Timestamp) -> Result<Vec<Record>, ClusterError> {
    let kind = receipts()?;
    let mut objects: Vec<Value> = Vec::new();
    match &args.what {
        None if args.all_namespaces => objects = cluster.list(&kind, None, None).await?,
        None => {
            let ours = format!("spec.claim.run.namespace={}", cluster.namespace);
            objects = cluster.list(&kind, None, Some(&ours)).await?;
        }
        Some(what) => {
            for hash in ledgers(what, cluster, now).await? {
                let selector = format!("spec.claim.targetHash={hash}");
                objects.extend(cluster.list(&kind, None, Some(&selector)).await?);
            }
        }
    }
    let mut records = objects.iter().map(|o| Record::read(o, now)).collect::<Result<Vec<_>, _>>()?;
    records.sort_by(|a, b| (&a.target, a.sequence).cmp(&(&b.target, b.sequence)));
    Ok(records)
}

/// The ledgers that somebody means, by their hashes.
async fn ledgers(what: &str, cluster: &Cluster, now: Timestamp) -> Result<BTreeSet<String>, ClusterError> {
    if let Some(key) = TargetKey::parse(what) {
        return Ok(BTreeSet::from([key.hash()]));
    }
    let plain = what.strip_prefix("rcpt/").unwrap_or(what);
    if let Some(hash) = hash_in(plain) {
        return Ok(BTreeSet::from([hash]));
    }
    let (kind, object) = cluster.named(&Named::upgrade(what)?, &kinds::upgrades()).await?;
    let upgrade = Upgrade::read(&kind, &object)?;
    let mut hashes: BTreeSet<String> = upgrade
        .status
        .targets
        .iter()
        .filter_map(|row| hash_in(row.receipt.as_deref()?))
        .collect();
    let ours = format!("spec.claim.run.namespace={}", upgrade.namespace);
    for object in cluster.list(&receipts()?, None, Some(&ours)).await? {
        let record = Record::read(&object, now)?;
        if record.requested_by_kind == upgrade.kind && record.requested_by_name == upgrade.name {
            hashes.extend(hash_in(&record.receipt));
        }
    }
    Ok(hashes)
}

/// The hash in a receipt's name, `<type>-<hash>-<sequence>`.
fn hash_in(name: &str) -> Option<String> {
    let mut parts = name.rsplitn(3, '-');
    let (sequence, hash, type_) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = sequence.len() >= 5 && sequence.bytes().all(|b| b.is_ascii_digit());
    let hashed = hash.len() == 20 && hash.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
    (digits && hashed && !type_.is_empty()).then(|| hash.to_owned())
}

/// One ledger under the other.
fn text(records: &[Record], wide: bool, page: &Page) -> String {
    if records.is_empty() {
        return "no receipts: nothing was sent, and nothing noted\n".to_owned();
    }
    let mut out = String::new();
    let mut targets: Vec<&str> = records.iter().map(|r| r.target.as_str()).collect();
    targets.dedup();
    for target in targets {
        let ledger: Vec<&Record> = records.iter().filter(|r| r.target == target).collect();
        out.push_str(&page.paint.strong(target));
        out.push('\n');
        let rows: Vec<Vec<Cell>> = ledger.iter().map(|record| row(record, page)).collect();
        for (record, line) in ledger.iter().zip(columns(&rows, page.paint)) {
            out.line(format!("  {line}"));
            if wide {
                out.line(format!("    {}", page.paint.faint(&record.story(page))));
            }
        }
    }
    let open = records.iter().filter(|r| r.open()).count();
    out.line(format!("{}, {open} open", many(records.len(), "receipt")));
    if let Some(doubt) = records.iter().find(|r| r.standing == "in doubt") {
        out.line(format!("next: {} resolve {}", page.me, doubt.receipt));
    }
    out
}

fn row(record: &Record, page: &Page) -> Vec<Cell> {
    let versions = match record.from_version.as_str() {
        "" => record.version.clone(),
        from => format!("{from} -> {}", record.version),
    };
    let painted = match record.standing.as_str() {
        "Succeeded" | "AlreadyAtVersion" => "SUCCESS",
        "Failed" | "Rejected" | "WouldDowngrade" => "FAILED",
        "in doubt" | "unreadable" | "Cancelled" => "UNKNOWN",
        "sending" | "accepted" => "RUNNING",
        _ => "",
    };
    let resolved = Some(&record.resolved_by)
        .filter(|by| !by.is_empty())
        .map(|by| format!("{} by {by}", record.resolved_as));
    vec![
        record.receipt.clone().into(),
        page.moment(record.created).into(),
        versions.into(),
        Cell::state(painted, record.standing.clone()),
        format!("{}/{}", record.namespace, record.asked_by()).into(),
        resolved.unwrap_or_default().into(),
    ]
}

/// Every fact of every receipt, with a head. Lines end as RFC 4180 has it.
fn csv(records: &[Record]) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let mut out = String::new();
    let mut line = |cells: &[String]| {
        out.push_str(&cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","));
        out.push_str("\r\n");
    };
    line(&HEAD.map(str::to_owned));
    for r in records {
        line(&[
            r.receipt.clone(),
            r.target.clone(),
            r.sequence.to_string(),
            r.namespace.clone(),
            r.version.clone(),
            r.run_key.clone(),
            r.from_version.clone(),
            r.connection.clone(),
            r.created.to_string(),
            r.standing.clone(),
            r.note.clone(),
            r.request.clone(),
            r.options.clone(),
            r.answer.clone(),
            time(r.answered_at),
            r.answer_message.clone(),
            r.job.clone(),
            time(r.adopted_at),
            r.adopted_how.clone(),
            r.end.clone(),
            time(r.ended_at),
            r.end_how.clone(),
            r.resolved_as.clone(),
            r.resolved_by.clone(),
            r.resolved_reason.clone(),
            r.requested_by_kind.clone(),
            r.requested_by_name.clone(),
            r.requested_by_uid.clone(),
            r.requested_by_generation.to_string(),
            r.field_manager.clone(),
            r.tracking_id.clone(),
        ]);
    }
    out
}

/// Head of the CSV; a persisted order, since people build reports on it: new columns go to the end.
const HEAD: [&str; 31] = [
    "receipt",
    "target",
    "sequence",
    "namespace",
    "version",
    "run_key",
    "from_version",
    "connection",
    "created",
    "standing",
    "note",
    "request",
    "options",
    "answer",
    "answered_at",
    "answer_message",
    "job",
    "adopted_at",
    "adopted_how",
    "end",
    "ended_at",
    "end_how",
    "resolved_as",
    "resolved_by",
    "resolved_reason",
    "requested_by_kind",
    "requested_by_name",
    "requested_by_uid",
    "requested_by_generation",
    "field_manager",
    "tracking_id",
];

/// A cell, quoted where it must be. One that a spreadsheet would take for a formula gets a quote before it: texts come from vendors and tenants.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::as_in_the_guide;
    use super::super::testing::page;
    use super::super::testing::receipt_in_doubt;
    use super::super::testing::receipt_json;
    use super::*;

    fn ledger() -> Vec<Record> {
        let ended = receipt_json(
            "hmc-3gcf56nlseiyiyh2wy7l-00003",
            "hmc|hmc1.bank.example:6794|console",
            3,
            &json!({
                "metadata": {"creationTimestamp": "2026-09-12T21:00:07Z"},
                "spec": {
                    "claim": {"run": {"version": "H30"}, "before": "{\"version\":\"H22\"}"},
                    "resolution": {"verdict": "Succeeded", "by": "alice@bank.example", "reason": "bundle H30, \"done\" in the Tasks Log"},
                },
                "status": {
                    "answer": {"kind": "Accepted", "job": "/api/jobs/7f3a", "at": "2026-09-12T21:00:09Z"},
                    "end": {"kind": "Succeeded", "at": "2026-09-12T23:41:00Z", "how": "resolved by alice@bank.example"},
                },
            }),
        );
        vec![Record::read(&ended, page().now).unwrap(), receipt_in_doubt()]
    }

    #[test]
    fn a_ledger_is_shown_as_in_the_guide() {
        as_in_the_guide(
            "kubectl windlass receipts fwup/hmc1-h41 -n mainframe",
            &text(&ledger(), false, &page()),
        );
    }

    #[test]
    fn wide_tells_the_whole_story() {
        let text = text(&ledger(), true, &page());
        assert!(text.contains("answer: Lost (no answer within 120 s)"), "{text}");
        assert!(text.contains("alice@bank.example says Succeeded"), "{text}");
    }

    #[test]
    fn auditors_get_every_fact_and_no_spreadsheet_runs_a_text() {
        let text = csv(&ledger());
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 4, "a head, two receipts, and the end of the last line");
        assert!(lines[0].starts_with("receipt,target,sequence,namespace,version"));
        assert!(
            lines[1].contains("Succeeded,alice@bank.example,\"bundle H30, \"\"done\"\" in the Tasks Log\""),
            "{text}"
        );
        assert!(lines[2].contains(",in doubt,"), "{text}");
        assert_eq!(quoted("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(quoted("plain"), "plain");
    }

    #[test]
    fn only_a_receipts_name_is_taken_for_one() {
        assert_eq!(hash_in("hmc-3gcf56nlseiyiyh2wy7l-00004").as_deref(), Some("3gcf56nlseiyiyh2wy7l"));
        for other in [
            "vc1-1-30",
            "hmc-short-00004",
            "hmc-3gcf56nlseiyiyh2wy7l",
            "-3gcf56nlseiyiyh2wy7l-00004",
        ] {
            assert_eq!(hash_in(other), None, "{other}");
        }
    }
}
