//! `windlass resolve`: a person's word on a start that Windlass cannot find out about.
//!
//! Shows what is known and where to look, asks, and writes `spec.resolution` in the name that the API server knows the caller by. It is written
//! once and for ever, so nothing is written that was not asked for twice: by a verdict with a reason, and by a yes.

mod ask;
mod render;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use serde_json::json;

use super::cluster::Access;
use super::cluster::Cluster;
use super::cluster::ClusterError;
use super::cluster::receipts;
use super::cluster::text;
use super::kinds;
use super::kinds::Named;
use super::page::Page;
use super::record::Record;
use super::seen::Upgrade;
use crate::api::common::TargetStatus;

/// Longest reason that the API takes, in characters.
const LONGEST_REASON: usize = 1024;

/// Options of `windlass resolve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Takes the role windlass-resolver, or as your release calls it. The word is given once and cannot be taken back.\n\
                        Exit codes: 0 if it was written, or if nothing was asked for; 1 if it was not written."
)]
pub struct ResolveArgs {
    /// Which cluster.
    #[command(flatten)]
    pub access: Access,
    /// The receipt, as `why` and `receipts` name it.
    #[arg(value_name = "RECEIPT")]
    receipt: String,
    /// What became of the start. Without it you are asked.
    #[arg(long, value_enum, ignore_case = true, value_name = "VERDICT")]
    verdict: Option<Verdict>,
    /// How you know, for whoever reads this later. Without it you are asked.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Write it without asking once more. Takes --verdict and --reason.
    #[arg(short, long, requires_all = ["verdict", "reason"])]
    yes: bool,
    /// Take a word on a run that Windlass follows. It ends what Windlass knows of it, not the run at the vendor.
    #[arg(long)]
    force: bool,
}

/// The words that a person may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Verdict {
    /// The vendor did not take it: it may be started again, after the grace period.
    #[value(name = "NotStarted")]
    NotStarted,
    /// The vendor took it: it is followed.
    #[value(name = "Started")]
    Started,
    /// It was taken and ended well.
    #[value(name = "Succeeded")]
    Succeeded,
    /// It was taken and failed.
    #[value(name = "Failed")]
    Failed,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 4] = [Verdict::NotStarted, Verdict::Started, Verdict::Succeeded, Verdict::Failed];

    /// As in `spec.resolution.verdict`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::NotStarted => "NotStarted",
            Verdict::Started => "Started",
            Verdict::Succeeded => "Succeeded",
            Verdict::Failed => "Failed",
        }
    }
}

/// Why a receipt takes no word, or not this one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotTaken {
    /// It has an end.
    #[error("receipt {receipt} ended as {end}: there is nothing to say any more")]
    Ended {
        /// The receipt.
        receipt: String,
        /// How it ended.
        end: String,
    },
    /// Somebody has said something.
    #[error("{by} has said {verdict} of receipt {receipt} ({reason}); a word cannot be changed")]
    Said {
        /// The receipt.
        receipt: String,
        /// Who.
        by: String,
        /// What.
        verdict: String,
        /// Why.
        reason: String,
    },
    /// It may be on its way still.
    #[error("receipt {receipt} may still be on its way to the vendor; look again in some minutes")]
    OnItsWay {
        /// The receipt.
        receipt: String,
    },
    /// Windlass sees it.
    #[error(
        "receipt {receipt} is accepted and followed ({state}): a word is for what Windlass cannot find out. It is taken once Windlass says OutOfSight, \
         LostSight or Overdue. To have it ended here though the vendor may go on with it: --force"
    )]
    Followed {
        /// The receipt.
        receipt: String,
        /// What its row says.
        state: String,
    },
    /// A newer version wrote it.
    #[error("receipt {receipt} holds a word that this version of Windlass does not know: use the command line of a newer one")]
    Unreadable {
        /// The receipt.
        receipt: String,
    },
    /// The vendor said otherwise.
    #[error("the vendor took it, so {verdict} changes nothing: say Succeeded or Failed once it is over")]
    Taken {
        /// What was said.
        verdict: &'static str,
    },
    /// No reason, or too long a one.
    #[error("--reason takes 1 to 1024 characters that say how you know; this one has {found}")]
    Reason {
        /// How many it has.
        found: usize,
    },
}

/// What is known of a receipt before somebody says what became of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The receipt.
    pub record: Record,
    /// Its `resourceVersion`: the word is about what was shown.
    pub version: String,
    /// The object that asked for it, where it is still there and may be read.
    pub upgrade: Option<Upgrade>,
}

impl Known {
    /// The row that is about this receipt.
    fn row(&self) -> Option<&TargetStatus> {
        let rows = &self.upgrade.as_ref()?.status.targets;
        rows.iter().find(|row| row.receipt.as_ref() == Some(&self.record.receipt))
    }

    /// The vendor took it, as far as the receipt knows.
    fn accepted(&self) -> bool {
        self.record.standing == "accepted"
    }
}

/// Shows, asks, and writes.
pub async fn main(args: &ResolveArgs, cluster: &Cluster, page: &Page) -> anyhow::Result<ExitCode> {
    let known = gather(args, cluster, page).await?;
    let mut out = std::io::stdout().lock();
    out.write_all(render::text(&known, page).as_bytes())?;
    out.flush()?;
    takes_a_word(&known, args.force)?;
    let mut input = std::io::stdin().lock();
    let asked = ask::word(&mut input, &mut out, args.verdict, args.reason.as_deref(), args.yes, &known)?;
    let Some((verdict, reason)) = asked else {
        out.write_all(render::later(&known, page).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let by = cluster.whoami().await?;
    let word = json!({"verdict": verdict.word(), "by": by, "reason": reason});
    let change = json!({"metadata": {"resourceVersion": known.version}, "spec": {"resolution": word}});
    match cluster.patch(&receipts()?, &known.record.receipt, &change).await {
        Ok(_) => {}
        Err(ClusterError::Refused { code: 409, .. }) => anyhow::bail!(
            "receipt {} has changed since it was shown, so nothing was written; look again: {} resolve {}",
            known.record.receipt,
            page.me,
            known.record.receipt
        ),
        Err(error) => return Err(error.into()),
    }
    out.write_all(render::done(&known, verdict, &by, page).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn gather(args: &ResolveArgs, cluster: &Cluster, page: &Page) -> Result<Known, ClusterError> {
    let name = args.receipt.strip_prefix("rcpt/").unwrap_or(&args.receipt);
    let object: Value = cluster.must_get(&receipts()?, name).await?;
    let record = Record::read(&object, page.now)?;
    let named = Named {
        kind: kinds::of_manifests(&record.requested_by_kind),
        name: record.requested_by_name.clone(),
    };
    let upgrade = match named.kind {
        Some(kind) => {
            let there = cluster.api(&kind, Some(&record.namespace)).get_opt(&named.name).await;
            // Whoever may resolve need not be one who may see the upgrade: the receipt has the facts.
            let there = there.ok().flatten().map(|object| super::cluster::value(&object)).transpose()?;
            there.map(|object| Upgrade::read(&kind, &object)).transpose()?
        }
        None => None,
    };
    Ok(Known {
        record,
        version: text(&object, "/metadata/resourceVersion"),
        upgrade,
    })
}

/// Whether a person's word on it is wanted at all.
fn takes_a_word(known: &Known, force: bool) -> Result<(), NotTaken> {
    let record = &known.record;
    let receipt = record.receipt.clone();
    if !record.resolved_as.is_empty() {
        return Err(NotTaken::Said {
            receipt,
            by: record.resolved_by.clone(),
            verdict: record.resolved_as.clone(),
            reason: record.resolved_reason.clone(),
        });
    }
    match record.standing.as_str() {
        "in doubt" | "refused, to be confirmed" => Ok(()),
        "sending" => Err(NotTaken::OnItsWay { receipt }),
        "unreadable" => Err(NotTaken::Unreadable { receipt }),
        "accepted" => match known.row() {
            Some(row) if !force && !matches!(row.reason.as_deref(), Some("LostSight" | "Overdue" | "OutOfSight")) => {
                Err(NotTaken::Followed {
                    receipt,
                    state: row.state.clone().unwrap_or_default(),
                })
            }
            _ => Ok(()),
        },
        end => Err(NotTaken::Ended {
            receipt,
            end: end.to_owned(),
        }),
    }
}

/// Whether this word would change anything.
fn fits(known: &Known, verdict: Verdict) -> Result<(), NotTaken> {
    match verdict {
        Verdict::Started | Verdict::NotStarted if known.accepted() => Err(NotTaken::Taken { verdict: verdict.word() }),
        _ => Ok(()),
    }
}

/// Whether a reason is one.
fn reason_fits(reason: &str) -> Result<(), NotTaken> {
    match reason.chars().count() {
        1..=LONGEST_REASON => Ok(()),
        found => Err(NotTaken::Reason { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::doubt;
    use super::super::testing::night;
    use super::super::testing::page;
    use super::*;

    pub fn known(change: &Value) -> Known {
        let mut object = doubt();
        super::super::testing::merge(&mut object, change);
        Known {
            record: Record::read(&object, page().now).unwrap(),
            version: "7".to_owned(),
            upgrade: Some(night().remove(1)),
        }
    }

    #[test]
    fn nobody_is_asked_about_what_is_known_or_was_said() {
        let ended = json!({"status": {"end": {"kind": "Succeeded", "at": "2026-11-28T01:00:00Z"}}});
        let said = json!({"spec": {"resolution": {"verdict": "Started", "by": "alice", "reason": "seen"}}});
        let accepted = json!({"status": {"answer": {"kind": "Accepted", "at": "2026-11-28T00:02:34Z"}}});
        let newer = json!({"status": {"answer": {"kind": "Perhaps"}}});
        takes_a_word(&known(&json!({})), false).unwrap();
        for (change, says) in [
            (ended, "ended as Succeeded"),
            (said, "alice has said Started"),
            (newer, "does not know"),
        ] {
            for force in [false, true] {
                let error = takes_a_word(&known(&change), force).unwrap_err().to_string();
                assert!(error.contains(says), "{error}");
            }
        }
        let mut running = known(&accepted);
        let row = |known: &mut Known, reason: &str| {
            known.upgrade.as_mut().unwrap().status.targets[0].reason = Some(reason.to_owned());
        };
        row(&mut running, "Running");
        assert!(matches!(takes_a_word(&running, false), Err(NotTaken::Followed { .. })));
        takes_a_word(&running, true).unwrap();
        row(&mut running, "LostSight");
        takes_a_word(&running, false).unwrap();
        assert!(fits(&running, Verdict::NotStarted).is_err(), "it was taken");
        fits(&running, Verdict::Failed).unwrap();
    }

    #[test]
    fn a_start_that_may_be_on_its_way_is_nobodys_to_settle() {
        let young = json!({"metadata": {"creationTimestamp": "2026-11-28T02:09:30Z"}, "status": null});
        assert_eq!(
            takes_a_word(&known(&young), false),
            Err(NotTaken::OnItsWay {
                receipt: "hmc-3gcf56nlseiyiyh2wy7l-00004".to_owned()
            })
        );
        let old = json!({"status": null});
        takes_a_word(&known(&old), false).unwrap();
    }
}
