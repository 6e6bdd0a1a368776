//! Events: one for each step of an upgrade, each step with a reason of its own (docs/metrics.md), since whoever records Events folds those of
//! one reason. Pure: what is told follows from the status before, the one after, and the decision between.
//!
//! [`report`](super::report) publishes and logs them; [`upgrades`](super::upgrades) those of conclusions, which are facts of a receipt.

use kube::runtime::events::Event;
use kube::runtime::events::EventType;

use super::conditions::bounded;
use super::upgrade::Told;
use crate::api::common::TargetStatus;
use crate::upgrade::decision::Decision;
use crate::upgrade::decision::Fact;
use crate::upgrade::decision::Row;
use crate::upgrade::reason::Reason;
use crate::upgrade::receipt::Receipt;

/// Longest note of an Event that the API server takes is 1 KiB.
const NOTE: usize = 1000;

/// What time alone lifts.
const TIMES: [Reason; 3] = [Reason::WaitingForWindow, Reason::NotBefore, Reason::Frozen];

/// A step, and whose it is.
pub struct Step {
    /// As it is published.
    pub event: Event,
    /// The target that it is about; `None` where it is about the whole.
    pub target: Option<String>,
    /// The receipt behind that target's line.
    pub receipt: Option<String>,
}

/// Every step from one status to the next.
pub fn steps(old: Told<'_>, new: Told<'_>, decision: &Decision) -> Vec<Step> {
    let mut out: Vec<Step> = evaluated(old, new).map(whole).into_iter().collect();
    for row in new.targets {
        let before = old.targets.iter().find(|t| t.name == row.name);
        out.extend(of_row(before, row).into_iter().map(|event| Step {
            event,
            target: Some(row.name.clone()),
            receipt: row.receipt.clone(),
        }));
    }
    out.extend(waits(old, new).map(whole));
    out.extend(opened(old, new, decision).map(whole));
    out.extend(released(old.waiting_for, new.waiting_for).map(whole));
    out.extend(ended(old, new).map(whole));
    out.extend(outside_schedule(decision, old.targets));
    out
}

fn whole(event: Event) -> Step {
    Step {
        event,
        target: None,
        receipt: None,
    }
}

/// A spec was looked at for the first time.
fn evaluated(old: Told<'_>, new: Told<'_>) -> Option<Event> {
    let generation = new
        .observed_generation
        .filter(|_| new.observed_generation != old.observed_generation)?;
    let action = format!("generation {generation}");
    Some(event(
        "Evaluated",
        &action,
        &format!("{action}: {}", new.message.unwrap_or_default()),
        false,
    ))
}

/// What became of one target.
fn of_row(before: Option<&TargetStatus>, row: &TargetStatus) -> Vec<Event> {
    let mut out = Vec::new();
    let name = row.display_name.as_ref().unwrap_or(&row.name);
    if before.is_some_and(|b| b.state == row.state && b.reason == row.reason) {
        out.extend(quarter(before, row).map(|quarter| {
            // Another action each time: else the second would be a count on the first.
            let action = format!("{} {quarter}", row.name);
            event("Progress", &action, &format!("{name}: {quarter} % or more of it is done"), false)
        }));
        return out;
    }
    let mine = event_of(before, row);
    // A start that was seen moving, or done, before anybody could write STARTED: it was started all the same.
    let began = row.started_at.is_some() && before.is_none_or(|b| b.started_at.is_none());
    if began && mine.is_none_or(|(reason, _)| reason != "Started") {
        let version = row.desired_version.as_deref().unwrap_or_default();
        out.push(event("Started", &row.name, &format!("{name}: started toward {version}"), false));
    }
    let Some((reason, warning)) = mine else { return out };
    let note = format!("{name}: {}", row.message.as_deref().or(row.state.as_deref()).unwrap_or_default());
    out.push(event(reason, &row.name, &note, warning));
    out
}

/// The quarter of the way that a run has come to, where it was not there before.
fn quarter(before: Option<&TargetStatus>, row: &TargetStatus) -> Option<i32> {
    let quarters = |row: &TargetStatus| row.progress.unwrap_or(0) / 25;
    let now = quarters(row);
    (row.state.as_deref() == Some("RUNNING") && now > before.map_or(0, quarters)).then_some(now * 25)
}

/// The whole waits for something else than before.
fn waits(old: Told<'_>, new: Told<'_>) -> Option<Event> {
    let waiting = new.waiting_for.filter(|_| new.waiting_for != old.waiting_for)?;
    let reason = match waiting {
        "Held" | "NeedsResolution" | "StartInDoubt" | "EditQueued" => waiting,
        _ => "Waiting",
    };
    let warning = matches!(reason, "NeedsResolution" | "StartInDoubt");
    Some(event(reason, waiting, new.message.unwrap_or_default(), warning))
}

/// Time lifted what only time lifts. Something else may be in the way still.
fn opened(old: Told<'_>, new: Told<'_>, decision: &Decision) -> Option<Event> {
    let waited = old.waiting_for.filter(|w| TIMES.iter().any(|t| t.word() == *w))?;
    let waits = decision.blockers.iter().any(|b| TIMES.contains(&b.reason));
    let goes_on = matches!(new.state, Some("PENDING" | "STARTED" | "RUNNING"));
    let note = "the schedules here and of the Connection allow starts now";
    (goes_on && !waits).then(|| event("WindowOpened", waited, note, false))
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

/// The whole came to its end. Where its only target says the same, that has been told.
fn ended(old: Told<'_>, new: Told<'_>) -> Option<Event> {
    let state = new.state.filter(|_| new.state != old.state)?;
    let reason = match state {
        "SUCCESS" => "Succeeded",
        "FAILED" => "Failed",
        "REJECTED" => "Rejected",
        "CANCELLED" => "Cancelled",
        _ => return None,
    };
    if let [one] = new.targets
        && one.state.as_deref() == Some(state)
    {
        return None;
    }
    let warning = matches!(reason, "Failed" | "Rejected");
    Some(event(reason, state, new.message.unwrap_or_default(), warning))
}

/// The vendor's people chose a time that the schedules here would not allow: told once for each time that they choose.
fn outside_schedule(decision: &Decision, old: &[TargetStatus]) -> Vec<Step> {
    let rows = decision.rows.iter().filter(|row| row.outside_schedule);
    let told = |row: &&Row| old.iter().any(|t| t.receipt == row.receipt && t.scheduled_at == row.scheduled_at);
    rows.filter(|row| !told(row))
        .map(|row| {
            let note = format!("{}: {}", row.name, row.message.as_deref().unwrap_or_default());
            Step {
                event: event("ScheduledOutsideWindow", &row.name, &note, true),
                target: Some(row.name.clone()),
                receipt: row.receipt.clone(),
            }
        })
        .collect()
}

/// A fact that was written into the receipt of a resource that is there: what was not known is known now, by evidence or by a person's word.
pub fn of_fact(basis: &Receipt, fact: &Fact) -> Option<Event> {
    let (how, end) = match fact {
        Fact::Adopted { how, .. } => (how, false),
        Fact::End { how, .. } => (how, true),
        Fact::Hint { .. } | Fact::Scheduled { .. } => return None,
    };
    let by_word = basis.resolution.as_ref().is_some_and(|r| *how == r.told());
    let reason = match (by_word, end) {
        (true, _) => "Resolved",
        (false, false) => "Adopted",
        // How a run ended is told by its target's line.
        (false, true) => return None,
    };
    Some(event(reason, &basis.name, &format!("{}: {how}", basis.name), false))
}

/// A run that somebody else began is followed as ours.
pub fn adopted(receipt: &str, version: &str) -> Event {
    let note = format!("{receipt}: a run to {version} that somebody else began at the vendor is followed as this upgrade's");
    event("Adopted", receipt, &note, false)
}

/// Reason of the Event that a row's new state is, and whether it is a warning.
fn event_of(before: Option<&TargetStatus>, row: &TargetStatus) -> Option<(&'static str, bool)> {
    let unseen = before
        .and_then(|b| b.reason.as_deref())
        .is_some_and(|r| matches!(r, "OutOfSight" | "LostSight"));
    Some(match (row.state.as_deref()?, row.reason.as_deref()?) {
        ("PENDING", "Starting") => ("PermitIssued", false),
        ("STARTED", _) => ("Started", false),
        ("RUNNING", "OutOfSight") => ("OutOfSight", false),
        ("RUNNING", "Overdue") => ("Overdue", true),
        ("RUNNING", _) if unseen => ("BackInSight", false),
        ("RUNNING", _) => ("Progress", false),
        ("SUCCESS", "AlreadyAtVersion") => ("AlreadyAtVersion", false),
        ("SUCCESS", _) => ("Succeeded", false),
        ("REJECTED", "WouldDowngrade") => ("WouldDowngrade", true),
        ("REJECTED", "IdentityMismatch") => ("IdentityMismatch", true),
        ("REJECTED", _) => ("Rejected", true),
        ("FAILED", _) => ("Failed", true),
        ("CANCELLED", _) => ("Cancelled", false),
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
mod tests {
    use super::*;
    use crate::upgrade::facts::Facts;
    use crate::upgrade::facts::TargetFacts;

    fn row(state: &str, reason: &str, progress: Option<i32>) -> TargetStatus {
        TargetStatus {
            name: "a".to_owned(),
            state: Some(state.to_owned()),
            reason: Some(reason.to_owned()),
            progress,
            ..TargetStatus::default()
        }
    }

    fn told<'a>(state: &'a str, waiting_for: Option<&'a str>, targets: &'a [TargetStatus]) -> Told<'a> {
        Told {
            observed_generation: Some(1),
            state: Some(state),
            waiting_for,
            message: Some("m"),
            targets,
            conditions: &[],
        }
    }

    fn decision() -> Decision {
        Facts::batch(100, [TargetFacts::ready("a", 90)]).decide()
    }

    fn reasons(old: Told<'_>, new: Told<'_>) -> Vec<String> {
        let steps = steps(old, new, &decision()).into_iter();
        steps.map(|s| s.event.reason).collect()
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

    #[test]
    fn a_run_is_told_by_quarters_and_never_twice_for_one() {
        let mut told_of = Vec::new();
        let mut before = row("RUNNING", "Running", Some(0));
        for progress in 0..=100 {
            let now = row("RUNNING", "Running", Some(progress));
            told_of.extend(of_row(Some(&before), &now).into_iter().map(|e| (e.reason, e.action)));
            before = now;
        }
        let wanted = ["a 25", "a 50", "a 75", "a 100"].map(|action| ("Progress".to_owned(), action.to_owned()));
        assert_eq!(told_of, wanted);
    }

    #[test]
    fn what_is_back_in_sight_is_told_as_such() {
        let (unseen, seen) = ([row("RUNNING", "OutOfSight", None)], [row("RUNNING", "Running", None)]);
        let steps = reasons(told("RUNNING", Some("OutOfSight"), &unseen), told("RUNNING", None, &seen));
        assert_eq!(steps, ["BackInSight"]);
    }

    #[test]
    fn a_window_that_opens_is_told_and_an_end_in_its_stead_is_not_called_so() {
        let rows = [row("PENDING", "Evaluating", None)];
        let closed = told("PENDING", Some("WaitingForWindow"), &rows);
        assert_eq!(
            reasons(closed, told("PENDING", Some("Evaluating"), &rows)),
            ["Waiting", "WindowOpened"]
        );
        let over = [row("CANCELLED", "NotStartedInTime", None)];
        assert_eq!(reasons(closed, told("CANCELLED", None, &over)), ["Cancelled"]);
    }

    #[test]
    fn the_end_of_an_only_target_is_told_once_and_that_of_a_batch_for_the_whole_too() {
        let (running, done) = (row("RUNNING", "Running", None), row("SUCCESS", "UpgradeSucceeded", None));
        let one = reasons(
            told("RUNNING", None, std::slice::from_ref(&running)),
            told("SUCCESS", None, std::slice::from_ref(&done)),
        );
        assert_eq!(one, ["Succeeded"]);
        let named = |row: &TargetStatus, name: &str| TargetStatus {
            name: name.to_owned(),
            ..row.clone()
        };
        let (before, after) = ([named(&done, "a"), named(&running, "b")], [named(&done, "a"), named(&done, "b")]);
        let steps = steps(told("RUNNING", None, &before), told("SUCCESS", None, &after), &decision());
        let actions: Vec<(&str, &str)> = steps.iter().map(|s| (s.event.reason.as_str(), s.event.action.as_str())).collect();
        assert_eq!(actions, [("Succeeded", "b"), ("Succeeded", "SUCCESS")]);
    }

    #[test]
    fn each_new_spec_is_told_as_evaluated_once() {
        let rows = [row("PENDING", "Evaluating", None)];
        let unseen = Told {
            observed_generation: None,
            ..told("PENDING", None, &[])
        };
        let seen = told("PENDING", None, &rows);
        assert_eq!(reasons(unseen, seen), ["Evaluated"]);
        assert_eq!(reasons(seen, seen), [""; 0]);
    }

    #[test]
    fn a_doubt_that_ends_says_whether_evidence_or_a_person_ended_it() {
        let adopted = Fact::Adopted {
            how: "seen moving".to_owned(),
            job: None,
        };
        let reason = |receipt: &Receipt, fact: &Fact| of_fact(receipt, fact).map(|e| e.reason);
        assert_eq!(reason(&Receipt::no(1), &adopted).as_deref(), Some("Adopted"));
        let resolution = crate::upgrade::receipt::Resolution {
            verdict: crate::upgrade::receipt::Verdict::Failed,
            by: "alice".to_owned(),
            reason: "the console says so".to_owned(),
        };
        let end = Fact::End {
            kind: crate::upgrade::receipt::EndKind::Failed,
            how: resolution.told(),
        };
        assert_eq!(reason(&Receipt::no(1), &end), None);
        let resolved = Receipt {
            resolution: Some(resolution),
            ..Receipt::no(1)
        };
        assert_eq!(reason(&resolved, &end).as_deref(), Some("Resolved"));
        assert_eq!(reason(&resolved, &adopted).as_deref(), Some("Adopted"), "evidence was there first");
    }
}
