//! An upgrade of any kind, as its object shows it: the fields that all kinds share, read leniently.
//!
//! The kinds differ in their specs and agree in their statuses ([`common`](crate::api::common)), so nothing here knows a kind by name: one that
//! is added to the CRDs is shown at once, and a row that gains a field keeps it in JSON and YAML.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::cluster::ClusterError;
use super::cluster::text;
use super::cluster::typed;
use super::kinds::Kind;
use crate::api::HOLD_ANNOTATION;
use crate::api::common::Blocker;
use crate::api::common::Condition;
use crate::api::common::TargetStatus;
use crate::upgrade::reason::Reason;
use crate::upgrade::slots::CONNECTION_LIMIT;

/// One upgrade.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// Its namespace.
    pub namespace: String,
    /// Its kind, as in manifests.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// As people type it: `cub/vc1-1-30`.
    pub called: String,
    /// Its Connection.
    pub connection: String,
    /// Version that it asks for, where it asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `spec.runKey`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_key: String,
    /// When it was made: the oldest goes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its generation.
    pub generation: i64,
    /// `spec.suspend`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Text of its hold annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// When Windlass last wrote its status, where the API server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change: Option<Timestamp>,
    /// What Windlass says of it.
    pub status: Status,
}

/// The part of a status that all kinds have.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// `observedGeneration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `target`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `done`, where there are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// `progress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<i32>,
    /// `waitingFor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `nextActionAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Timestamp>,
    /// `startedAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// `completedAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// `blockers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// `targets`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetStatus>,
    /// `conditions`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

impl Upgrade {
    /// Reads an object of this kind.
    pub fn read(kind: &Kind, object: &Value) -> Result<Upgrade, ClusterError> {
        let name = text(object, "/metadata/name");
        let spec = |field: &str| text(object, &format!("/spec/{field}"));
        let version = [spec("version"), spec("desiredVersion")].into_iter().find(|v| !v.is_empty());
        let annotations = object.pointer("/metadata/annotations");
        let hold = annotations.and_then(|all| all.get(HOLD_ANNOTATION)).and_then(Value::as_str);
        let status = object
            .get("status")
            .cloned()
            .unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let status = typed(&status).map_err(|error| match error {
            ClusterError::Unreadable { why, .. } => ClusterError::Unreadable {
                what: kind.name(&name),
                why,
            },
            other => other,
        })?;
        Ok(Upgrade {
            namespace: text(object, "/metadata/namespace"),
            kind: kind.kind.clone(),
            called: kind.name(&name),
            name,
            connection: text(object, "/spec/connectionRef/name"),
            version,
            run_key: spec("runKey"),
            created: text(object, "/metadata/creationTimestamp").parse().ok(),
            generation: object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default(),
            suspended: object.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or_default(),
            held: hold.map(str::to_owned),
            last_change: last_change(object),
            status,
        })
    }

    /// Its state; one that nobody has looked at has none.
    pub fn state(&self) -> &str {
        self.status.state.as_deref().unwrap_or(NEW)
    }

    /// What Windlass says belongs to the newest spec.
    pub fn current(&self) -> bool {
        self.status.observed_generation == Some(self.generation)
    }

    /// A condition is True.
    pub fn is(&self, condition: &str) -> bool {
        self.status.conditions.iter().any(|c| c.type_ == condition && c.status == "True")
    }

    /// Only a person can go on.
    pub fn needs_somebody(&self) -> bool {
        self.is("Stalled") || self.is("Overdue")
    }

    /// Over: nothing is to come by itself.
    pub fn over(&self) -> bool {
        matches!(self.state(), "SUCCESS" | "FAILED" | "REJECTED" | "CANCELLED")
    }

    /// Something is, or may be, under way at the vendor.
    pub fn in_flight(&self) -> impl Iterator<Item = &TargetStatus> {
        self.status.targets.iter().filter(|row| in_flight(row))
    }

    /// It waits for a slot of its Connection; not only for one of its own strategy.
    pub fn waits_for_slot(&self) -> bool {
        let of_connection = |b: &Blocker| b.reason == Reason::LimitReached.word() && b.message.contains(CONNECTION_LIMIT);
        self.status.blockers.iter().any(of_connection)
    }

    /// Reason of its Ready condition.
    pub fn reason(&self) -> &str {
        let ready = self.status.conditions.iter().find(|c| c.type_ == "Ready");
        ready.map(|c| c.reason.as_str()).unwrap_or_default()
    }
}

/// What stands for the state of what nobody has looked at.
pub const NEW: &str = "NEW";

/// Something is, or may be, under way at this target.
pub fn in_flight(row: &TargetStatus) -> bool {
    matches!(row.state.as_deref(), Some("STARTED" | "RUNNING" | "UNKNOWN")) || row.reason.as_deref() == Some("Starting")
}

/// `lab-a (domain-c8)`, or its id where the vendor has no other name.
pub fn row_name(row: &TargetStatus) -> String {
    match &row.display_name {
        Some(name) if *name != row.name => format!("{name} ({})", row.name),
        _ => row.name.clone(),
    }
}

/// `v1.29.7 -> v1.30.5`, or the version that it is at.
pub fn versions(row: &TargetStatus) -> String {
    match (&row.current_version, &row.desired_version) {
        (Some(from), Some(to)) if from != to => format!("{from} -> {to}"),
        (None, Some(to)) => format!("-> {to}"),
        (Some(at), _) => at.clone(),
        (None, None) => String::new(),
    }
}

/// When the status was last written: the field managers say so.
fn last_change(object: &Value) -> Option<Timestamp> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let of_status = entries.iter().filter(|e| e["subresource"] == "status");
    of_status.filter_map(|e| e["time"].as_str()?.parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::kinds;
    use super::*;

    #[test]
    fn a_status_of_a_newer_version_is_shown_as_far_as_it_is_known() {
        let object = json!({
            "metadata": {"name": "a", "namespace": "n", "generation": 3, "annotations": {"windlass.dev/hold": "night shift"}},
            "spec": {"connectionRef": {"name": "c"}, "desiredVersion": "v2", "suspend": true},
            "status": {"observedGeneration": 2, "state": "MARVELLOUS", "somethingNew": {"x": 1}, "targets": [{"name": "t", "newField": 1}]},
        });
        let kind = kinds::find("cub").unwrap();
        let seen = Upgrade::read(&kind, &object).unwrap();
        assert_eq!(
            (seen.state(), seen.called.as_str(), seen.version.as_deref()),
            ("MARVELLOUS", "cub/a", Some("v2"))
        );
        assert!(!seen.current() && seen.suspended && seen.held.as_deref() == Some("night shift"));
        let bare = Upgrade::read(&kind, &json!({"metadata": {"name": "a"}})).unwrap();
        assert_eq!(bare.state(), NEW);
    }
}
