//! What becomes of a start: the decision for each cluster, and its commit.
//!
//! Called by `api` under the state's lock, when everything that takes time is over. A call that is refused as a whole commits
//! nothing, so all clusters are judged before the first is begun.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::log::{Log, Start};
use super::super::vendor::{Reply, Request};
use super::cluster::{Cluster, State};
use super::settings::{Already, Prechecks, Refuse, SecondCall, Settings};
use super::state::Inner;
use super::wire::{self, Note, Refusal, Severity, UpgradeSpec, UpgradeSpecs};

/// What a cluster says to a start.
enum Verdict {
    Begin,
    /// It says STARTED and goes on with what it was doing.
    Ignore,
    /// It says STARTED; its pre-checks stop it later and leave these messages.
    BeginInVain(Vec<Note>),
    Reject(Refusal),
    /// The whole call is refused, with this status if not the one that goes with the error.
    RefuseCall(Refusal, Option<u16>),
}

/// `upgradeMultiple` [C]: 200 with a result per cluster, or one refusal for all.
pub(super) fn many(inner: &mut Inner, log: &Log, request: &Request, specs: &UpgradeSpecs, now: Timestamp) -> Reply {
    inner.settle(now);
    let settings = inner.settings.clone();
    let verdicts: Vec<_> = specs
        .iter()
        .map(|(id, spec)| (id, spec, judge(inner.cluster(id), id, spec, now, &settings)))
        .collect();
    for (_, _, verdict) in &verdicts {
        if let Verdict::RefuseCall(refusal, status) = verdict {
            return wire::refuse(refusal, *status, &settings);
        }
    }
    let mut results = Map::new();
    for (id, spec, verdict) in verdicts {
        let refusal = commit(inner, log, request, (id, spec), verdict, now);
        results.insert(id.clone(), wire::result(refusal.as_ref(), &settings));
    }
    Reply::json(200, Value::Object(results))
}

/// `upgrade` [C]: 204, or an error where the map would say REJECTED.
pub(super) fn one(inner: &mut Inner, log: &Log, request: &Request, id: &str, spec: &UpgradeSpec, now: Timestamp) -> Reply {
    inner.settle(now);
    let settings = inner.settings.clone();
    let verdict = match judge(inner.cluster(id), id, spec, now, &settings) {
        Verdict::RefuseCall(refusal, status) => return wire::refuse(&refusal, status, &settings),
        verdict => verdict,
    };
    match commit(inner, log, request, (id, spec), verdict, now) {
        Some(refusal) => wire::refuse(&refusal, None, &settings),
        None => Reply::empty(204),
    }
}

fn judge(cluster: Option<&mut Cluster>, id: &str, spec: &UpgradeSpec, now: Timestamp, settings: &Settings) -> Verdict {
    let version = &spec.desired_version;
    let Some(cluster) = cluster else {
        return refused(settings.unknown_cluster, "NOT_FOUND", format!("Cluster {id} does not exist."));
    };
    if !cluster.supervisor {
        return Verdict::Reject(Refusal::new("UNSUPPORTED", format!("Cluster {id} is not enabled for Supervisor.")));
    }
    if cluster.run.is_some() {
        let text = format!("An upgrade of cluster {id} is in progress.");
        return match settings.second_call {
            SecondCall::Rejected => Verdict::Reject(Refusal::new("NOT_ALLOWED_IN_CURRENT_STATE", text)),
            SecondCall::NotAllowed => Verdict::RefuseCall(Refusal::new("NOT_ALLOWED_IN_CURRENT_STATE", text), None),
            SecondCall::ResourceBusy => Verdict::RefuseCall(Refusal::new("RESOURCE_BUSY", text), None),
            SecondCall::StartedIgnored => Verdict::Ignore,
            SecondCall::StartedRestarts => Verdict::Begin,
        };
    }
    let unsupported = || {
        let text = format!("Version {version} is not available for cluster {id}.");
        refused(settings.unsupported_version, "INVALID_ARGUMENT", text)
    };
    if *version == cluster.current_version {
        let refusal = || Refusal::new("ALREADY_IN_DESIRED_STATE", format!("Cluster {id} is at {version}."));
        return match settings.already_at_version {
            Already::AsUnsupported => unsupported(),
            Already::Rejected => Verdict::Reject(refusal()),
            Already::RefuseCall => Verdict::RefuseCall(refusal(), None),
        };
    }
    if !cluster.available_versions.contains(version) {
        return unsupported();
    }
    if cluster.state(now) == State::Error && !settings.start_in_error {
        let text = format!("Cluster {id} is in an error state.");
        return Verdict::Reject(Refusal::new("NOT_ALLOWED_IN_CURRENT_STATE", text));
    }
    prechecked(cluster, spec, settings)
}

/// ERROR stops, WARNING stops unless it is ignored, INFO passes [C].
fn prechecked(cluster: &Cluster, spec: &UpgradeSpec, settings: &Settings) -> Verdict {
    let ignore = spec.ignore_precheck_warnings.unwrap_or(false);
    let stops = |note: &&Note| match note.severity {
        Severity::Error => true,
        Severity::Warning => !ignore,
        Severity::Info => false,
    };
    let stopping: Vec<Note> = cluster.prechecks.iter().filter(stops).cloned().collect();
    let Some(first) = stopping.first() else { return Verdict::Begin };
    match settings.prechecks {
        Prechecks::InCall => Verdict::Reject(Refusal::new("UNSUPPORTED", format!("Pre-check failed: {}", first.text))),
        Prechecks::AfterAccept => Verdict::BeginInVain(stopping),
        Prechecks::AfterAcceptSilently => Verdict::BeginInVain(Vec::new()),
    }
}

fn refused(how: Refuse, error_type: &'static str, text: String) -> Verdict {
    match how {
        Refuse::Rejected => Verdict::Reject(Refusal::new(error_type, text)),
        Refuse::NotFound400 => Verdict::RefuseCall(Refusal::new("NOT_FOUND", text), Some(400)),
        Refuse::InvalidArgument => Verdict::RefuseCall(Refusal::new("INVALID_ARGUMENT", text), None),
        Refuse::NotFound => Verdict::RefuseCall(Refusal::new("NOT_FOUND", text), None),
        Refuse::InternalError => Verdict::RefuseCall(Refusal::new("INTERNAL_SERVER_ERROR", text), None),
    }
}

/// Carries a verdict out. Everything that will be called STARTED is counted, whether or not it changes anything.
fn commit(
    inner: &mut Inner,
    log: &Log,
    request: &Request,
    (id, spec): (&str, &UpgradeSpec),
    verdict: Verdict,
    now: Timestamp,
) -> Option<Refusal> {
    let settings = &inner.settings;
    let checking = if settings.prechecks == Prechecks::InCall {
        0
    } else {
        settings.precheck_secs
    };
    let delay = settings.accept_delay_secs.saturating_add(checking);
    if let Verdict::Reject(refusal) | Verdict::RefuseCall(refusal, _) = verdict {
        return Some(refusal);
    }
    if let Some(cluster) = inner.cluster(id) {
        match verdict {
            Verdict::Begin => cluster.begin(&spec.desired_version, now, delay),
            Verdict::BeginInVain(left) => cluster.begin_in_vain(&spec.desired_version, now, delay, left),
            Verdict::Ignore | Verdict::Reject(_) | Verdict::RefuseCall(..) => {}
        }
    }
    log.commit(Start {
        target: id.to_owned(),
        version: spec.desired_version.clone(),
        options: spec
            .ignore_precheck_warnings
            .map_or_else(|| json!({}), |ignore| json!({"ignore_precheck_warnings": ignore})),
        user_agent: request.user_agent().to_owned(),
        at: now,
        request: request.number,
    });
    None
}
