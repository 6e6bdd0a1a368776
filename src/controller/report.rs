//! From a decision to the status that people see; the [`events`] on the way are published, and each is a line of the log.
//!
//! [`status`] is pure: the same decision on the same old status gives the same new status, byte for byte, so that nothing is written
//! when nothing changed. [`report`] writes it as a compare-and-swap.

use std::time::Duration;

use jiff::Timestamp;
use kube::Api;
use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::runtime::events::Event;
use serde_json::Value;
use serde_json::json;

use super::conditions::Conditions;
use super::conditions::bounded;
use super::conditions::to_second;
use super::context::Context;
use super::events;
use super::events::Step;
use super::patch;
use super::upgrade::Shared;
use super::upgrade::Upgrade;
use super::wakes::Who;
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

/// Longest message in a status: a table's cell, not a log.
const MESSAGE: usize = 1024;

/// Writes the status if it differs, and an Event for each change. How long to wait with it, where it may be over before anybody reads it.
pub async fn report<K: Upgrade>(context: &Context, object: &K, decision: &Decision) -> Result<Option<Duration>, kube::Error> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let who = Who::new(K::KIND, &namespace, &name);
    let generation = object.meta().generation;
    let old = object.status().cloned().unwrap_or_default();
    let new = status::<K>(generation.unwrap_or_default(), &old, decision, context.clock.wall());
    let as_json = |s: &K::Status| serde_json::to_value(s).unwrap_or(Value::Null);
    let Some(change) = patch::diff(&as_json(&old), &as_json(&new)) else {
        context.moments.forget(&who);
        return Ok(None);
    };
    let wait = context.moments.wait(&who, decision.passes(), context.clock.mono());
    if wait.is_some() {
        return Ok(wait);
    }
    let api: Api<K> = Api::namespaced(context.kube.clone(), &namespace);
    let patch = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": change});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    context.metrics.status_written(K::KIND.word());
    let steps = events::steps(K::told(&old), K::told(&new), decision);
    let at = |wake| context.clock.wall().checked_add(jiff::SignedDuration::try_from(wake).ok()?).ok();
    let wake_at = decision.wake.and_then(at).map(|at| format!("{at:.0}"));
    let say = |because: &str, note: &str, step: Option<&Step>| {
        tracing::info!(
            kind = K::KIND.word(),
            namespace,
            name,
            generation,
            connection = object.connection(),
            target = step.and_then(|s| s.target.as_deref()),
            receipt = step.and_then(|s| s.receipt.as_deref()),
            state_from = K::told(&old).state,
            state_to = K::told(&new).state,
            decision = decision.word(),
            because,
            note,
            wake_at,
            "transition"
        );
    };
    let told = !steps.is_empty();
    for step in steps {
        say(&step.event.reason, step.event.note.as_deref().unwrap_or_default(), Some(&step));
        publish(context, object, step.event);
    }
    if !told && K::told(&old).state != K::told(&new).state {
        say(decision.summary.reason.word(), &decision.summary.message, None);
    }
    Ok(None)
}

/// Tells of an Event.
pub fn publish<K: Upgrade>(context: &Context, object: &K, event: Event) {
    context.announcer.tell(object.object_ref(&()), event);
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
}
