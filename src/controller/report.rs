//! From a decision to the status that people see, and the Events on the way.
//!
//! [`status`] is pure: the same decision on the same old status gives the same new status, byte for byte, so that nothing is written
//! when nothing changed. [`report`] writes it as a compare-and-swap.

use jiff::Timestamp;
use kube::Api;
use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::runtime::events::Event;
use kube::runtime::events::EventType;
use serde_json::Value;
use serde_json::json;

use super::conditions::Conditions;
use super::conditions::bounded;
use super::conditions::to_second;
use super::context::Context;
use super::patch;
use super::upgrade::Shared;
use super::upgrade::Told;
use super::upgrade::Upgrade;
use crate::api::common::Blocker;
use crate::api::common::Condition;
use crate::api::common::DeviceCounts;
use crate::api::common::PastRun;
use crate::api::common::TargetStatus;
use crate::upgrade::decision::Decision;
use crate::upgrade::decision::Devices;
use crate::upgrade::decision::Row;
use crate::upgrade::history::Past;
use crate::upgrade::reason::State;

/// Longest note of an Event that the API server takes is 1 KiB.
const NOTE: usize = 1000;

/// Longest message in a status: a table's cell, not a log.
const MESSAGE: usize = 1024;

/// Writes the status if it differs, and an Event for each change. `Ok(false)`: nothing to write.
pub async fn report<K: Upgrade>(context: &Context, object: &K, decision: &Decision) -> Result<bool, kube::Error> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let generation = object.meta().generation;
    let old = object.status().cloned().unwrap_or_default();
    let new = status::<K>(generation.unwrap_or_default(), &old, decision, context.clock.wall());
    let as_json = |s: &K::Status| serde_json::to_value(s).unwrap_or(Value::Null);
    let Some(change) = patch::diff(&as_json(&old), &as_json(&new)) else {
        return Ok(false);
    };
    let api: Api<K> = Api::namespaced(context.kube.clone(), &namespace);
    let patch = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": change});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    context.metrics.status_written(K::KIND.word());
    let reference = object.object_ref(&());
    let outside = outside_schedule(decision, K::told(&old).targets);
    for event in events(K::told(&old), K::told(&new)).into_iter().chain(outside) {
        tracing::info!(
            kind = K::KIND.word(),
            namespace,
            name,
            generation,
            state_to = K::told(&new).state,
            because = event.reason,
            note = event.note.as_deref(),
            "transition"
        );
        // An Event that is lost costs a line in `kubectl describe`, nothing else.
        if let Err(error) = context.recorder.publish(&event, &reference).await {
            tracing::warn!(%error, "an Event could not be published");
        }
    }
    Ok(true)
}

/// The status that a decision amounts to.
pub fn status<K: Upgrade>(generation: i64, old: &K::Status, decision: &Decision, now: Timestamp) -> K::Status {
    let old = K::told(old);
    let decision = &stepwise(decision, old.targets);
    let summary = &decision.summary;
    let over = decision.wake.is_none();
    let shared = Shared {
        observed_generation: generation,
        state: summary.state.word().to_owned(),
        waiting_for: summary.waiting_for.map(|r| r.word().to_owned()),
        message: bounded(&summary.message, MESSAGE),
        next_action_at: summary.next_action_at.map(to_second),
        started_at: decision.rows.iter().filter_map(|r| r.started_at).min(),
        completed_at: if over {
            decision.rows.iter().filter_map(|r| r.completed_at).max()
        } else {
            None
        },
        blockers: decision
            .blockers
            .iter()
            .map(|b| Blocker {
                reason: b.reason.word().to_owned(),
                message: bounded(&b.message, MESSAGE),
                until: b.until.map(to_second),
            })
            .collect(),
        targets: targets(&decision.rows, old.targets),
        history: decision.history.iter().map(past).collect(),
        conditions: conditions(generation, old.conditions, decision, now),
    };
    K::shown(shared, decision)
}

/// One line for each row. The API server takes no two of one name, and a Connection that was made anew for another endpoint leaves two: the
/// run that is still followed there is told apart by its receipt.
fn targets(rows: &[Row], old: &[TargetStatus]) -> Vec<TargetStatus> {
    let mut out: Vec<TargetStatus> = Vec::new();
    for row in rows {
        let taken = out.iter().any(|t| t.name == row.name);
        let apart = || row.receipt.clone().unwrap_or_else(|| out.len().to_string());
        let name = if taken {
            format!("{} ({})", row.name, apart())
        } else {
            row.name.clone()
        };
        out.push(target(name, row, old));
    }
    out
}

fn target(name: String, row: &Row, old: &[TargetStatus]) -> TargetStatus {
    let before = old.iter().find(|t| t.name == name);
    // What a target that came to its end looked like is not asked again after a restart: what was shown stays.
    let kept = |now: &Option<String>, then: fn(&TargetStatus) -> Option<String>| now.clone().or_else(|| before.and_then(then));
    TargetStatus {
        devices: row.devices.map(counts).or_else(|| before.and_then(|t| t.devices)),
        display_name: kept(&row.display_name, |t| t.display_name.clone()),
        state: Some(row.state.word().to_owned()),
        reason: Some(row.reason.word().to_owned()),
        message: row.message.as_ref().map(|m| bounded(m, MESSAGE)),
        current_version: kept(&row.current_version, |t| t.current_version.clone()),
        desired_version: Some(row.desired_version.clone()).filter(|v| !v.is_empty()),
        progress: row.progress,
        started_at: row.started_at,
        completed_at: row.completed_at,
        receipt: row.receipt.clone(),
        job: row.job.clone(),
        vendor_state: row.vendor_state.clone(),
        scheduled_at: row.scheduled_at,
        removed: row.removed,
        name,
    }
}

/// Each write of a status is read by everybody who watches: a run of thousands of devices is told anew with each tenth of the way, and not with
/// each device. What it came to is told in full.
fn stepwise(decision: &Decision, old: &[TargetStatus]) -> Decision {
    let mut told = decision.clone();
    for row in told.rows.iter_mut().filter(|row| row.state == State::Running) {
        let Some(now) = row.devices else { continue };
        let same = |t: &&TargetStatus| {
            let then = t.devices.unwrap_or_default();
            (t.receipt.as_ref(), t.progress, t.reason.as_deref()) == (row.receipt.as_ref(), row.progress, Some(row.reason.word()))
                && (then.total, then.excluded) == (counts(now).total, counts(now).excluded)
        };
        let Some(before) = old.iter().find(same) else { continue };
        let number = |n: i32| u32::try_from(n).unwrap_or(0);
        let then = before.devices.unwrap_or_default();
        row.devices = Some(Devices {
            at_version: number(then.at_version),
            unreachable: number(then.unreachable),
            ..now
        });
        if let (Some(new), Some(old)) = (&row.message, &before.message) {
            told.summary.message = told.summary.message.replace(new.as_str(), old);
            row.message = Some(old.clone());
        }
    }
    told
}

fn counts(devices: Devices) -> DeviceCounts {
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    DeviceCounts {
        total: number(devices.total),
        at_version: number(devices.at_version),
        unreachable: number(devices.unreachable),
        excluded: number(devices.excluded),
    }
}

fn past(past: &Past) -> PastRun {
    PastRun {
        target: past.target.clone(),
        version: past.version.clone(),
        run_key: past.run_key.clone(),
        state: past.state.word().to_owned(),
        started_at: past.started_at,
        completed_at: past.completed_at,
        receipt: past.receipt.clone(),
    }
}

/// Ready always; Reconciling and Stalled only while True, and never both (kstatus takes whichever comes first).
fn conditions(generation: i64, old: &[Condition], decision: &Decision, now: Timestamp) -> Vec<Condition> {
    let summary = &decision.summary;
    let say = Conditions {
        old,
        generation: Some(generation),
        reason: summary.reason.word(),
        message: &bounded(&summary.message, MESSAGE),
        now,
    };
    let mut out = vec![say.set("Ready", summary.ready())];
    if summary.stalled {
        out.push(say.set("Stalled", true));
    } else if summary.reconciling() {
        out.push(say.set("Reconciling", true));
    }
    if summary.overdue {
        out.push(say.set("Overdue", true));
    }
    out
}

/// One Event for each target whose state or reason changed, and one for each change of what the whole waits for.
fn events(old: Told<'_>, new: Told<'_>) -> Vec<Event> {
    let mut out = Vec::new();
    for row in new.targets {
        let before = old.targets.iter().find(|t| t.name == row.name);
        if before.is_some_and(|b| b.state == row.state && b.reason == row.reason) {
            continue;
        }
        let name = row.display_name.as_ref().unwrap_or(&row.name);
        let mine = event_of(row);
        // A start that was seen moving, or done, before anybody could write STARTED: it was started all the same.
        let began = row.started_at.is_some() && before.is_none_or(|b| b.started_at.is_none());
        if began && mine.is_none_or(|(reason, _)| reason != "Started") {
            let version = row.desired_version.as_deref().unwrap_or_default();
            out.push(event("Started", &row.name, &format!("{name}: started toward {version}"), false));
        }
        let Some((reason, warning)) = mine else { continue };
        let note = format!("{name}: {}", row.message.as_deref().or(row.state.as_deref()).unwrap_or_default());
        out.push(event(reason, &row.name, &note, warning));
    }
    let message = new.message.unwrap_or_default();
    if let Some(waiting) = new.waiting_for
        && new.waiting_for != old.waiting_for
    {
        let reason = match waiting {
            "Held" | "NeedsResolution" | "StartInDoubt" | "EditQueued" => waiting,
            _ => "Waiting",
        };
        let warning = matches!(reason, "NeedsResolution" | "StartInDoubt");
        out.push(event(reason, waiting, message, warning));
    }
    out.extend(released(old.waiting_for, new.waiting_for));
    if let Some(state @ ("SUCCESS" | "FAILED" | "REJECTED" | "CANCELLED")) = new.state
        && new.state != old.state
    {
        let reason = if state == "SUCCESS" { "Completed" } else { "Ended" };
        out.push(event(reason, state, message, state != "SUCCESS"));
    }
    out
}

/// The vendor's people chose a time that the schedules here would not allow: told once for each time that they choose.
fn outside_schedule(decision: &Decision, old: &[TargetStatus]) -> Vec<Event> {
    let rows = decision.rows.iter().filter(|row| row.outside_schedule);
    let told = |row: &&Row| old.iter().any(|t| t.receipt == row.receipt && t.scheduled_at == row.scheduled_at);
    rows.filter(|row| !told(row))
        .map(|row| {
            let note = format!("{}: {}", row.name, row.message.as_deref().unwrap_or_default());
            event("ScheduledOutsideWindow", &row.name, &note, true)
        })
        .collect()
}

/// A person's stop is lifted. Another stop may be in force still: it has an Event of its own.
fn released(old: Option<&str>, new: Option<&str>) -> Option<Event> {
    let stop = old.filter(|stop| new != Some(stop))?;
    let note = match stop {
        "Held" => "no hold annotation is in the way any more",
        "Suspended" => "no spec.suspend is in the way any more",
        _ => return None,
    };
    Some(event("Released", stop, note, false))
}

/// Reason of the Event that a row's new state is, and whether it is a warning.
fn event_of(row: &TargetStatus) -> Option<(&'static str, bool)> {
    Some(match (row.state.as_deref()?, row.reason.as_deref()?) {
        ("PENDING", "Starting") => ("PermitIssued", false),
        ("STARTED", _) => ("Started", false),
        ("RUNNING", "OutOfSight") => ("OutOfSight", false),
        ("RUNNING", "Overdue") => ("Overdue", true),
        ("RUNNING", _) => ("Progress", false),
        ("SUCCESS", "AlreadyAtVersion") => ("AlreadyAtVersion", false),
        ("SUCCESS", _) => ("Succeeded", false),
        ("REJECTED", "WouldDowngrade") => ("WouldDowngrade", true),
        ("REJECTED", "IdentityMismatch") => ("IdentityMismatch", true),
        ("REJECTED", _) => ("Rejected", true),
        ("FAILED", _) => ("Failed", true),
        ("CANCELLED", _) => ("Cancelled", true),
        ("UNKNOWN", "StartInDoubt") => ("StartInDoubt", true),
        ("UNKNOWN", _) => ("NeedsResolution", true),
        _ => return None,
    })
}

fn event(reason: &str, action: &str, note: &str, warning: bool) -> Event {
    Event {
        type_: if warning { EventType::Warning } else { EventType::Normal },
        reason: reason.to_owned(),
        note: Some(bounded(note, NOTE)),
        // The recorder folds Events that differ in their note only: the action keeps two targets' Events apart.
        action: bounded(action, 128),
        secondary: None,
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod table;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_thousands_of_devices_is_told_with_each_tenth_and_whole_at_its_end() {
        use crate::api::FirmwareUpgrade;
        use crate::api::firmware_upgrade::FirmwareUpgradeStatus;
        use crate::upgrade::facts::Facts;
        use crate::upgrade::facts::TargetFacts;
        use crate::upgrade::receipt::Receipt;
        use crate::upgrade::sight::Sight;
        use crate::upgrade::testing::at;
        use crate::upgrade::testing::devices::*;

        let mut shown = FirmwareUpgradeStatus::default();
        let mut writes = 0;
        for there in 0..=5000_u32 {
            let secs = 3000 + u64::from(there);
            let sight = Sight::devices(secs, [cx(OLD, 5000 - there), cx(NEW, there)]);
            let order = Receipt::order_to(NEW, &leaving_alone(&[]), [cx(OLD, 5000)]).accepted(1);
            let facts = Facts::batch(secs, [TargetFacts::customer([sight]).receipts([order])]);
            let new = status::<FirmwareUpgrade>(1, &shown, &facts.decide(), at(secs));
            writes += usize::from(new != shown);
            shown = new;
            assert_eq!(shown.target.as_deref(), Some("customer 4d1c9a70 / CX"));
            if there == 1234 {
                assert_eq!(
                    (shown.progress, shown.message.as_deref()),
                    (Some(20), Some("1000 of 5000 devices at 10.13.1010"))
                );
                assert_eq!(shown.targets[0].devices.unwrap().at_version, 1000);
            }
        }
        assert!(writes <= 12, "{writes}");
    }

    #[test]
    fn a_stop_that_is_lifted_is_told_once_and_is_not_folded_into_another() {
        let action = |old, new| released(old, new).map(|e| e.action);
        assert_eq!(action(Some("Held"), None).as_deref(), Some("Held"));
        assert_eq!(action(Some("Suspended"), Some("Held")).as_deref(), Some("Suspended"));
        for (old, new) in [
            (Some("Held"), Some("Held")),
            (Some("Frozen"), None),
            (None, Some("Held")),
            (None, None),
        ] {
            assert_eq!(action(old, new), None, "{old:?} {new:?}");
        }
    }
}
