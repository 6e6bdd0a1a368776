//! Between the API server's `UpgradeReceipt` and the core's [`Receipt`]: words are read strictly, and an unknown one is kept as such.
//!
//! Pure; used by the ledger cache when it reads and by [`permit`](super::permit) when it writes.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;
use serde_json::json;

use crate::api::UpgradeReceipt;
use crate::api::upgrade_receipt::UpgradeReceiptStatus;
use crate::api::upgrade_receipt::Verdict as ApiVerdict;
use crate::upgrade::decision::Fact;
use crate::upgrade::receipt::Adopted;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::Answered;
use crate::upgrade::receipt::End;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Hint;
use crate::upgrade::receipt::Holder;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::receipt::RequestedBy;
use crate::upgrade::receipt::Resolution;
use crate::upgrade::receipt::Run;
use crate::upgrade::receipt::Scheduled;
use crate::upgrade::receipt::Verdict;

/// Reads a receipt. Whatever word this version does not know makes the receipt [unreadable](Receipt::unknown_word), never wrong.
pub fn read(object: &UpgradeReceipt) -> Receipt {
    let claim = &object.spec.claim;
    let mut unknown = Vec::new();
    let before = serde_json::from_str(&claim.before).unwrap_or_else(|_| {
        unknown.push(format!("before {:?}", claim.before));
        crate::upgrade::sight::Looks::default()
    });
    let note = claim
        .note
        .as_deref()
        .and_then(|word| Note::read(word).or_else(|| push(&mut unknown, "note", word)));
    let status = object.status.clone().unwrap_or_default();
    let (answer, end) = (answer(&status, &mut unknown), end(&status, &mut unknown));
    Receipt {
        name: object.name_any(),
        seq: u32::try_from(claim.sequence).unwrap_or(0),
        target: claim.target.clone(),
        created: object.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |t| t.0),
        run: Run {
            namespace: claim.run.namespace.clone(),
            version: claim.run.version.clone(),
            run_key: claim.run.run_key.clone(),
        },
        connection: claim.connection.clone(),
        before,
        options: claim.options.clone(),
        due: claim.scheduled_at,
        holder: claim.holder.clone().map(Holder),
        requested_by: RequestedBy {
            kind: claim.requested_by.kind.clone(),
            name: claim.requested_by.name.clone(),
            uid: claim.requested_by.uid.clone(),
            generation: claim.requested_by.generation,
        },
        note,
        resolution: object.spec.resolution.as_ref().map(|r| Resolution {
            verdict: match r.verdict {
                ApiVerdict::Started => Verdict::Started,
                ApiVerdict::NotStarted => Verdict::NotStarted,
                ApiVerdict::Succeeded => Verdict::Succeeded,
                ApiVerdict::Failed => Verdict::Failed,
            },
            by: r.by.clone(),
            reason: r.reason.clone(),
        }),
        answer,
        adopted: status.adopted.as_ref().map(|a| Adopted {
            at: a.at.unwrap_or(Timestamp::UNIX_EPOCH),
            how: a.how.clone(),
            job: a.job.clone(),
        }),
        hint: status.hint.as_ref().map(|h| Hint {
            at: h.at.unwrap_or(Timestamp::UNIX_EPOCH),
            how: h.how.clone(),
        }),
        scheduled: status.scheduled.as_ref().map(|s| Scheduled {
            at: s.at.unwrap_or(Timestamp::UNIX_EPOCH),
            job: s.job.clone(),
            // One without a time says nothing of when: as if its time had come, it is not taken for withdrawn.
            begins: s.begins.unwrap_or(Timestamp::UNIX_EPOCH),
        }),
        end,
        unknown_word: (!unknown.is_empty()).then(|| bounded(&unknown.join(", "))),
    }
}

fn push<T>(unknown: &mut Vec<String>, field: &str, word: &str) -> Option<T> {
    unknown.push(format!("{field} {word:?}"));
    None
}

fn answer(status: &UpgradeReceiptStatus, unknown: &mut Vec<String>) -> Option<Answered> {
    let raw = status.answer.as_ref()?;
    let message = raw.message.clone().unwrap_or_default();
    let reason = raw.reason.clone().unwrap_or_default();
    let retry_after = raw.retry_after_seconds.and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs);
    let answer = match raw.kind.as_str() {
        "Accepted" => Answer::Accepted { job: raw.job.clone() },
        "Rejected" => Answer::Rejected { message },
        "Lost" => Answer::Lost { message },
        "NotTaken" => match NotTaken::read(&reason, retry_after) {
            Some(reason) => Answer::NotTaken { reason, message },
            None => return push(unknown, "answer.reason", &reason),
        },
        other => return push(unknown, "answer.kind", other),
    };
    Some(Answered {
        answer,
        at: raw.at.unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

fn end(status: &UpgradeReceiptStatus, unknown: &mut Vec<String>) -> Option<End> {
    let raw = status.end.as_ref()?;
    let kind = EndKind::read(&raw.kind).or_else(|| push(unknown, "end.kind", &raw.kind))?;
    Some(End {
        kind,
        at: raw.at.unwrap_or(Timestamp::UNIX_EPOCH),
        how: raw.how.clone(),
    })
}

/// Longest text that the CRD takes in a receipt's message or evidence.
const TEXT: usize = 1024;

/// Cut to what the CRD takes: a receipt must never fail to be written for the length of a text.
pub fn bounded(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

/// The `status.answer` of an answer.
pub fn answer_json(answer: &Answer, at: Timestamp) -> Value {
    match answer {
        Answer::Accepted { job } => json!({"kind": "Accepted", "job": job.as_deref().map(bounded), "at": at}),
        Answer::Rejected { message } => json!({"kind": "Rejected", "message": bounded(message), "at": at}),
        Answer::Lost { message } => json!({"kind": "Lost", "message": bounded(message), "at": at}),
        Answer::NotTaken { reason, message } => {
            let seconds = match reason {
                NotTaken::Throttled { retry_after } => retry_after.map(|d| d.as_secs().min(86_400)),
                _ => None,
            };
            json!({"kind": "NotTaken", "reason": reason.word(), "message": bounded(message), "retryAfterSeconds": seconds, "at": at})
        }
    }
}

/// The part of a receipt's status that a fact is.
pub fn fact_json(fact: &Fact, at: Timestamp) -> Value {
    let line = |how: &str| bounded(&format!("{} {how}", at.strftime("%Y-%m-%dT%H:%M:%SZ")));
    match fact {
        Fact::Adopted { how, job } => {
            let mut adopted = json!({"at": at, "how": bounded(how)});
            if let Some(job) = job {
                adopted["job"] = json!(bounded(job));
            }
            json!({"adopted": adopted, "evidence": [line(how)]})
        }
        Fact::Hint { how } => json!({"hint": {"at": at, "how": bounded(how)}, "evidence": [line(how)]}),
        Fact::Scheduled { job, begins, how } => json!({
            "scheduled": {"at": at, "job": bounded(job), "begins": begins},
            "evidence": [line(how)],
        }),
        Fact::End { kind, how } => json!({
            "evidence": [line(how)],
            "end": {"kind": kind.word(), "at": at, "how": bounded(how)},
            "conditions": [{
                "type": "Settled", "status": "True", "reason": kind.word(), "message": bounded(how),
                "lastTransitionTime": at,
            }],
        }),
    }
}
