//! A receipt as people read it: what was sent, what came back, what it came to.
//!
//! What a receipt amounts to is the core's to say ([`Receipt::standing`]); here are only words for it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::cluster::ClusterError;
use super::cluster::typed;
use super::kinds;
use super::page::Lines as _;
use super::page::Page;
use crate::api::UpgradeReceipt;
use crate::controller::receipts;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::receipt::Standing;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Timing;

/// One receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its name.
    pub receipt: String,
    /// Its target in canonical form.
    pub target: String,
    /// Its place in the ledger of that target.
    pub sequence: i32,
    /// Namespace of the run.
    pub namespace: String,
    /// Version that was asked for.
    pub version: String,
    /// The runKey that it was asked for with.
    pub run_key: String,
    /// Version before.
    pub from_version: String,
    /// The Connection that it went through.
    pub connection: String,
    /// When it was written: a start goes out right after.
    pub created: Timestamp,
    /// What it stands at: sending, in doubt, accepted, or how it ended.
    pub standing: String,
    /// Set where it never was a permit.
    pub note: String,
    /// The request, without credentials.
    pub request: String,
    /// The options of the start, as JSON.
    pub options: String,
    /// Accepted, Rejected, NotTaken or Lost.
    pub answer: String,
    /// When it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// The vendor's words.
    pub answer_message: String,
    /// The vendor's job.
    pub job: String,
    /// When evidence showed that it was taken though no answer says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted_at: Option<Timestamp>,
    /// Which evidence.
    pub adopted_how: String,
    /// What was seen while it was in doubt.
    pub evidence: Vec<String>,
    /// What it came to.
    pub end: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// By which words or evidence.
    pub end_how: String,
    /// A person's verdict.
    pub resolved_as: String,
    /// Who gave it.
    pub resolved_by: String,
    /// Why.
    pub resolved_reason: String,
    /// Kind of the object that asked.
    pub requested_by_kind: String,
    /// Its name.
    pub requested_by_name: String,
    /// Its uid, which joins it with the API server's audit log.
    pub requested_by_uid: String,
    /// Its generation.
    pub requested_by_generation: i64,
    /// Who last wrote its spec.
    pub field_manager: String,
    /// The mark of a GitOps tool.
    pub tracking_id: String,
}

impl Record {
    /// Reads a receipt that was fetched.
    pub fn read(object: &Value, now: Timestamp) -> Result<Record, ClusterError> {
        Ok(Record::of(&typed(object)?, now))
    }

    /// What a receipt says.
    pub fn of(object: &UpgradeReceipt, now: Timestamp) -> Record {
        let core = receipts::read(object);
        let claim = &object.spec.claim;
        let status = object.status.clone().unwrap_or_default();
        let answer = status.answer.clone().unwrap_or_default();
        let adopted = status.adopted.clone().unwrap_or_default();
        let end = status.end.clone().unwrap_or_default();
        let resolution = core.resolution.clone();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Record {
            standing: standing(&core, now),
            receipt: core.name,
            target: claim.target.clone(),
            sequence: claim.sequence,
            namespace: claim.run.namespace.clone(),
            version: claim.run.version.clone(),
            run_key: claim.run.run_key.clone(),
            from_version: core.before.version,
            connection: claim.connection.clone(),
            created: core.created,
            note: text(&claim.note),
            request: text(&claim.request),
            options: text(&claim.options),
            answer: answer.kind,
            answered_at: answer.at,
            answer_message: text(&answer.message),
            job: answer.job.or(adopted.job).unwrap_or_default(),
            adopted_at: status.adopted.as_ref().and_then(|a| a.at),
            adopted_how: adopted.how,
            evidence: status.evidence,
            end: end.kind,
            ended_at: end.at,
            end_how: end.how,
            resolved_as: resolution.as_ref().map(|r| r.verdict.word().to_owned()).unwrap_or_default(),
            resolved_by: resolution.as_ref().map(|r| r.by.clone()).unwrap_or_default(),
            resolved_reason: resolution.map(|r| r.reason).unwrap_or_default(),
            requested_by_kind: claim.requested_by.kind.clone(),
            requested_by_name: claim.requested_by.name.clone(),
            requested_by_uid: claim.requested_by.uid.clone(),
            requested_by_generation: claim.requested_by.generation,
            field_manager: text(&claim.requested_by.field_manager),
            tracking_id: text(&claim.requested_by.tracking_id),
        }
    }

    /// It has not ended.
    pub fn open(&self) -> bool {
        OPEN.contains(&self.standing.as_str())
    }

    /// The target that it is about; `None` where a newer version wrote a form that is not known here.
    pub fn key(&self) -> Option<TargetKey> {
        TargetKey::parse(&self.target)
    }

    /// What people know its target by: its id at the vendor, or the Connection where the endpoint itself is the target.
    pub fn object(&self) -> String {
        match self.key() {
            Some(key) if key.is_endpoint() => self.connection.clone(),
            Some(key) => key.object,
            None => self.target.clone(),
        }
    }

    /// `cub/prod`: who asked, as people type it.
    pub fn asked_by(&self) -> String {
        kinds::of_manifests(&self.requested_by_kind).map_or_else(
            || format!("{}/{}", self.requested_by_kind, self.requested_by_name),
            |kind| kind.name(&self.requested_by_name),
        )
    }

    /// What was sent, and what came of it, in one line.
    pub fn story(&self, page: &Page) -> String {
        let mut out = match (self.note.as_str(), self.request.is_empty()) {
            ("Adopted", _) => format!("begun by somebody else, followed since {}", clock(self.created, page)),
            ("", false) => format!("{} at {}", self.request, clock(self.created, page)),
            ("", true) => format!("a start at {}", clock(self.created, page)),
            (note, _) => format!("nothing was sent: {note}"),
        };
        if !self.answer.is_empty() {
            let message = Some(&self.answer_message).filter(|m| !m.is_empty()).map(|m| format!(" ({m})"));
            out.text(format!("; answer: {}{}", self.answer, message.unwrap_or_default()));
        } else if self.open() && self.note.is_empty() {
            out.push_str("; no answer");
        }
        if self.adopted_at.is_some() {
            out.text(format!("; taken after all: {}", self.adopted_how));
        }
        if !self.resolved_as.is_empty() {
            out.text(format!(
                "; {} says {}: {}",
                self.resolved_by, self.resolved_as, self.resolved_reason
            ));
        }
        if !self.end.is_empty() {
            let at = self.ended_at.map(|at| format!(" at {}", clock(at, page))).unwrap_or_default();
            out.text(format!("; ended {}{at}: {}", self.end, self.end_how));
        }
        out
    }
}

/// Words for what has not ended.
const OPEN: [&str; 5] = ["sending", "in doubt", "accepted", "refused, to be confirmed", "unreadable"];

fn standing(receipt: &Receipt, now: Timestamp) -> String {
    let horizon = Timing::production().horizon();
    let late = u64::try_from(now.duration_since(receipt.created).as_secs()).is_ok_and(|age| age >= horizon.as_secs());
    let word = match receipt.standing() {
        Standing::Sending if !late => "sending",
        Standing::Sending | Standing::Lost => "in doubt",
        Standing::Accepted { .. } => "accepted",
        Standing::Refused => "refused, to be confirmed",
        Standing::Unreadable => "unreadable",
        Standing::Ended(kind) => kind.word(),
        Standing::Noted(note @ (Note::AlreadyAtVersion | Note::NotStartedInTime | Note::WouldDowngrade | Note::Adopted)) => note.word(),
    };
    word.to_owned()
}

/// The date and the time to the second, in UTC: what is compared with a vendor's own log.
fn clock(at: Timestamp, page: &Page) -> String {
    let same_day = at.strftime("%F").to_string() == page.now.strftime("%F").to_string();
    at.strftime(if same_day { "%H:%M:%SZ" } else { "%F %H:%M:%SZ" }).to_string()
}
