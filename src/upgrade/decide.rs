//! The only place where anything is decided.
//!
//! `decide` judges each target ([`row`](super::row)), applies the rules between them ([`rollout`](super::rollout)), and sums up. It is
//! total: whatever the facts, the answer is a decision, and one that is not the end always says when to look again.

use std::time::Duration;

use jiff::Timestamp;

use super::calls;
use super::conclude::job_of;
use super::decision::Blocker;
use super::decision::Decision;
use super::decision::Effect;
use super::decision::Look;
use super::facts::Facts;
use super::facts::TargetFacts;
use super::facts::Usable;
use super::fleet::Scope;
use super::history::history;
use super::ledger::Ledger;
use super::reason::Reason;
use super::receipt::Receipt;
use super::receipt::Standing;
use super::rollout::Rollout;
use super::rollout::roll;
use super::row::Judged;
use super::row::Place;
use super::row::judge;
use super::sight::Offered;
use super::summary::summarise;
use super::target::VendorType;
use super::when::When;
use super::when::when;

/// What is to be done about one upgrade resource.
pub fn decide(facts: &Facts) -> Decision {
    let gone = |t: &TargetFacts| t.wish.is_none() && !runs_for(facts, t);
    if facts.targets.iter().any(gone) {
        let mut left = facts.clone();
        left.targets.retain(|t| !gone(t));
        return decide(&left);
    }
    let when = when(facts);
    let judged: Vec<Judged> = facts.targets.iter().map(|t| judge(facts, &when, t)).collect();
    let rollout = roll(facts, &when, &judged);
    let looks = looks(facts, &judged);
    let effect = effect(facts, &judged, &rollout);
    let blockers = blockers(&judged, &rollout);
    let next = next_action(facts, &when, &rollout, &blockers);
    let scheduled = judged.iter().filter_map(|j| j.row.scheduled_at).filter(|at| *at > facts.wall).min();
    let next = next.into_iter().chain(scheduled).min();
    let summary = summarise(facts.subject.generation, &judged, &rollout, &blockers, next);
    let wake = wake(facts, &judged, &blockers, next);
    let hand_over = judged.iter().any(waits_for_token);
    Decision {
        summary,
        blockers,
        history: history(facts, &judged),
        in_line: rollout.in_line,
        writes: judged.iter().flat_map(|j| j.writes.clone()).collect(),
        effect,
        looks,
        hand_over,
        wake,
        rows: judged.into_iter().map(|j| j.row).collect(),
    }
}

/// The vendor's people can go on only with a token that somebody hands them.
fn waits_for_token(judged: &Judged) -> bool {
    let open = matches!(judged.place, Place::InFlight { .. });
    open && judged.row.reason == Reason::WaitingForVendor && judged.row.scheduled_at.is_none()
}

/// A target that left the spec stays until our run on it has ended, and not a moment longer: its line would be counted.
fn runs_for(facts: &Facts, target: &TargetFacts) -> bool {
    match &target.ledger {
        Ok(ledger) => ledger.open().is_some_and(|open| facts.subject.asked_for(open)),
        Err(_) => true,
    }
}

/// One receipt at a time, notes first: they need no slot. Nothing while this process still prepares another, and nothing that needs the
/// vendor through a Connection that cannot be used.
fn effect(facts: &Facts, judged: &[Judged], rollout: &Rollout) -> Option<Effect> {
    if facts.deleting || facts.starting.is_some() {
        return None;
    }
    let usable = facts.connection.usable == Usable::Yes;
    let note = judged.iter().find_map(|j| match &j.place {
        Place::Note(effect) if facts.resting(&effect.key).is_none() && (usable || !effect.needs_vendor()) => Some(effect.clone()),
        _ => None,
    });
    note.or_else(|| rollout.start.clone())
}

/// First what stops everything; then, of what single targets wait for and what the next start waits for, what somebody can do
/// something about. What is only being looked at comes last: it passes.
fn blockers(judged: &[Judged], rollout: &Rollout) -> Vec<Blocker> {
    let own = judged.iter().filter_map(|j| match &j.place {
        Place::Blocked(blocker) if j.row.sole => Some(blocker.clone()),
        Place::Blocked(blocker) => Some(Blocker {
            message: format!("{}: {}", j.row.name, blocker.message),
            ..blocker.clone()
        }),
        _ => None,
    });
    let (passing, own): (Vec<Blocker>, Vec<Blocker>) = own.partition(|b| b.reason == Reason::Evaluating);
    let waits = rollout.waits.clone();
    let (first, second) = if rollout.ready { (waits, own) } else { (own, waits) };
    rollout.gates.iter().cloned().chain(first).chain(second).chain(passing).collect()
}

/// When something happens that depends on time alone. Nothing does while somebody has to lift something.
fn next_action(facts: &Facts, when: &When, rollout: &Rollout, blockers: &[Blocker]) -> Option<Timestamp> {
    if !rollout.gates.is_empty() {
        return None;
    }
    let waits_for_time = matches!(when, When::Closed { .. }) && !rollout.waits.is_empty();
    if waits_for_time {
        return when.from(facts.wall);
    }
    blockers.iter().filter_map(|b| b.until).filter(|until| *until > facts.wall).min()
}

/// How old a target's newest sight may become; `None` where nothing more is to be seen.
fn patience(facts: &Facts, target: &TargetFacts, judged: &Judged) -> Option<Duration> {
    match judged.place {
        // No receipt says so, only the vendor's name of it, which may be mended there as well as in the spec.
        Place::Over if judged.row.reason == Reason::IdentityMismatch => Some(facts.timing.poll_waiting),
        Place::Over => None,
        _ if calls::counted(target) => Some(calls::patience(facts, target, judged)),
        // For days nothing is to be seen; what can be taken back until its time, and begins at it, is looked at more closely then.
        Place::InFlight { .. } if judged.row.reason == Reason::WaitingForVendor => {
            let soon =
                |at: Timestamp| Duration::try_from(at.duration_since(facts.wall)).unwrap_or_default() < facts.timing.poll_waiting * 2;
            let close = judged.row.scheduled_at.is_some_and(soon);
            Some(if close { facts.timing.poll_hmc } else { facts.timing.poll_waiting })
        }
        Place::InFlight { .. } => {
            let calm = target
                .unchanged_since
                .is_some_and(|since| facts.mono.since(since) >= facts.timing.poll_calm_after);
            let often = if calm { facts.timing.poll_calm } else { facts.timing.poll_moving };
            let at_hmc = target.key.vendor == VendorType::Hmc;
            Some(if at_hmc { often.max(facts.timing.poll_hmc) } else { often })
        }
        // Only a list has the vendor's names, and looks at one target are all there is after a restart in mid-run.
        Place::Blocked(_) if names_missing(target) => Some(Duration::ZERO),
        // What it offers could not be asked a moment ago: something else was being asked, or an upgrade was under way.
        _ if target.sights.last().is_some_and(|s| s.seen() && s.offered == Offered::Unasked) => {
            Some(facts.timing.poll_calm.min(facts.timing.poll_waiting))
        }
        // What could not be seen may be seen soon; what was seen waits for somebody.
        _ if target.sights.last().is_some_and(|s| !s.seen()) => Some(facts.timing.poll_calm.min(facts.timing.poll_waiting)),
        _ => Some(facts.timing.poll_waiting),
    }
}

/// The wish names the target, and no list has been looked at that could confirm the name.
fn names_missing(target: &TargetFacts) -> bool {
    let named = target.wish.as_ref().is_some_and(|w| w.expected_identity.is_some());
    named && !target.sights.is_empty() && target.sights.iter().all(|s| s.detailed && s.seen() && s.identity.is_none())
}

/// Time until the target is to be looked at again; zero when it is due.
fn due(facts: &Facts, target: &TargetFacts, judged: &Judged) -> Option<Duration> {
    let patience = patience(facts, target, judged)?;
    let newest = if calls::counted(target) {
        target.sights.iter().rev().find(|s| calls::asked_for(target, judged, s))
    } else {
        target.sights.last()
    };
    let left = newest.map_or(Duration::ZERO, |newest| patience.saturating_sub(facts.mono.since(newest.asked)));
    // One look for one ask, whatever came of it: an ask that only a look which tells all could meet would be one without end.
    let unmet = facts
        .asked_to_look
        .is_some_and(|ask| target.sights.last().is_none_or(|last| last.asked < ask));
    Some(if unmet { Duration::ZERO } else { left })
}

fn looks(facts: &Facts, judged: &[Judged]) -> Vec<Look> {
    let due = facts
        .targets
        .iter()
        .zip(judged)
        .filter(|(t, j)| due(facts, t, j) == Some(Duration::ZERO))
        .filter(|(t, j)| !calls::counted(t) || calls::affordable(facts, t, j));
    due.map(|(t, j)| Look {
        key: t.key.clone(),
        // A start may be under way there, whoever's it is: nothing may be asked that leaves a trace at the vendor.
        // And a customer is on no list.
        detailed: calls::counted(t) || t.ledger.as_ref().map_or(true, |l| l.open().is_some()),
        job: t
            .ledger
            .as_ref()
            .ok()
            .and_then(Ledger::open)
            .and_then(followed_job)
            .map(str::to_owned),
        scope: if calls::counted(t) { calls::scope(t, j) } else { Scope::default() },
    })
    .collect()
}

/// The job that a run is followed by, once it is known to be ours. In doubt all of the vendor's jobs matter.
fn followed_job(open: &Receipt) -> Option<&str> {
    matches!(open.standing(), Standing::Accepted { .. }).then(|| job_of(open))?
}

fn wake(facts: &Facts, judged: &[Judged], blockers: &[Blocker], next: Option<Timestamp>) -> Option<Duration> {
    if facts.targets.iter().zip(judged).all(|(t, j)| patience(facts, t, j).is_none()) {
        return None;
    }
    let looks = facts
        .targets
        .iter()
        .zip(judged)
        .filter_map(|(t, j)| due(facts, t, j))
        .filter(|d| !d.is_zero());
    let untils = blockers.iter().filter_map(|b| b.until).chain(next).map(|until| {
        let left = Duration::try_from(until.duration_since(facts.wall)).unwrap_or(Duration::ZERO);
        left + Duration::from_millis(1)
    });
    let rest = facts.refusals.iter().filter_map(|r| facts.resting(&r.key)).map(|r| facts.rest(r));
    // A zero would spin: what is due now was asked for above, and its arrival wakes us.
    Some(
        looks
            .chain(untils)
            .chain(rest)
            .min()
            .unwrap_or(facts.timing.wake)
            .clamp(Duration::from_millis(1), facts.timing.wake),
    )
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "decide_properties.rs"]
mod properties;
