//! Which of the targets that could be started is started now: suspend and hold, the Connection, canaries, soak, slots, failures.
//!
//! Called by [`decide`](super::decide) with every target judged. At most one target starts per decision.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::decision::Blocker;
use super::decision::Effect;
use super::facts::Facts;
use super::facts::Reservation;
use super::facts::TargetFacts;
use super::facts::Usable;
use super::reason::Reason;
use super::reason::State;
use super::row::Judged;
use super::row::Place;
use super::row::short;

/// What the rollout allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// The one start that may go out.
    pub start: Option<Effect>,
    /// Why candidates wait, first things first.
    pub blockers: Vec<Blocker>,
    /// More failures than allowed, or a canary that did not succeed.
    pub threshold: Option<String>,
}

/// Applies every rule that concerns more than one target. `judged` is in the order of `facts.targets`.
pub fn roll(facts: &Facts, judged: &[Judged]) -> Rollout {
    let mut blockers = gates(facts);
    let pairs: Vec<(&TargetFacts, &Judged)> = facts.targets.iter().zip(judged).collect();
    let candidates: Vec<(bool, &Effect)> = pairs
        .iter()
        .filter_map(|(t, j)| match &j.place {
            Place::Candidate(effect) => Some((t.wish.as_ref().is_some_and(|w| w.canary), effect)),
            _ => None,
        })
        .collect();
    let threshold = threshold(facts, &pairs);
    let canaries = Canaries::of(&pairs);
    // Canaries first, each group in the order of the spec.
    let next = candidates.iter().find(|(canary, _)| *canary).or_else(|| candidates.first());
    if let (Some((canary, effect)), None) = (next, &threshold) {
        if !canary {
            blockers.extend(canaries.gate(facts));
        }
        blockers.extend(slots(facts, &pairs, effect));
    }
    let refusal = next.and_then(|(_, effect)| facts.resting(&effect.key));
    if let (Some(refusal), true) = (refusal, blockers.is_empty() && threshold.is_none()) {
        let message = format!("{} was not started: {}; trying again shortly", refusal.key.object, refusal.why);
        blockers.push(Blocker {
            reason: Reason::Evaluating,
            message,
            until: None,
        });
    }
    let start = match next {
        Some((_, effect)) if blockers.is_empty() && threshold.is_none() => Some((*effect).clone()),
        _ => None,
    };
    let waits = candidates.len() > usize::from(start.is_some());
    if start.is_some() || !waits && threshold.is_none() {
        // Nothing waits for these. Suspend and hold are shown all the same: people look for them.
        blockers.retain(|b| {
            matches!(
                b.reason,
                Reason::Deleting
                    | Reason::Suspended
                    | Reason::Held
                    | Reason::StartsDisabled
                    | Reason::ConnectionNotReady
                    | Reason::ConnectionTypeMismatch
            )
        });
    }
    Rollout {
        start,
        blockers,
        threshold,
    }
}

/// What stops every start of this resource.
fn gates(facts: &Facts) -> Vec<Blocker> {
    let mut out = Vec::new();
    let mut add = |reason, message: String| {
        out.push(Blocker {
            reason,
            message,
            until: None,
        });
    };
    let connection = &facts.connection;
    if facts.deleting {
        add(Reason::Deleting, "it is being deleted; nothing new is started".to_owned());
    }
    if !facts.starts_enabled {
        add(
            Reason::StartsDisabled,
            "starts are switched off for this Windlass (--starts-enabled=false); its administrator can lift it".to_owned(),
        );
    }
    if facts.suspend {
        add(Reason::Suspended, "spec.suspend is true; set it to false to go on".to_owned());
    }
    if connection.suspend {
        add(
            Reason::Suspended,
            format!("spec.suspend of Connection {} is true; its owner can lift it", connection.name),
        );
    }
    if let Some(why) = &facts.hold {
        add(
            Reason::Held,
            format!("held: {why:?}; remove the annotation windlass.dev/hold to go on"),
        );
    }
    if let Some(why) = &connection.hold {
        add(
            Reason::Held,
            format!(
                "Connection {} is held: {why:?}; remove its annotation windlass.dev/hold to go on",
                connection.name
            ),
        );
    }
    let name = &connection.name;
    match &connection.usable {
        Usable::Yes => {}
        Usable::Missing => add(
            Reason::ConnectionNotReady,
            format!("Connection {name} does not exist in this namespace; create it"),
        ),
        Usable::WrongType { found, expected } => {
            add(
                Reason::ConnectionTypeMismatch,
                format!("Connection {name} is of type {found}, but {expected} is needed"),
            );
        }
        Usable::Unprobed => add(Reason::ConnectionNotReady, format!("Connection {name} has not been tried yet")),
        Usable::NotReady { reason, message } => {
            add(
                Reason::ConnectionNotReady,
                format!("Connection {name} is not ready: {reason}: {message}"),
            );
        }
    }
    out
}

fn failed(judged: &Judged) -> bool {
    match judged.place {
        Place::Over => matches!(judged.row.state, State::Rejected | State::Failed),
        Place::InFlight { stalled, overdue, .. } => stalled || overdue,
        _ => false,
    }
}

/// Over without success. A cancelled canary is nobody's failure, but it will not succeed any more either.
fn never_succeeds(judged: &Judged) -> bool {
    judged.place == Place::Over && judged.row.state != State::Success
}

/// Why nothing more may start because of failures. A canary that failed stops the rest whatever `maxFailures` says: "all canaries
/// first" cannot come true any more.
fn threshold(facts: &Facts, pairs: &[(&TargetFacts, &Judged)]) -> Option<String> {
    let failures: Vec<&Judged> = pairs.iter().map(|(_, j)| *j).filter(|j| failed(j)).collect();
    let allowed = facts.strategy.max_failures;
    if let Some(first) = failures.first().filter(|_| failures.len() > allowed) {
        let count = failures.len();
        return Some(format!(
            "{}; {count} failure{}, {allowed} allowed",
            tell(first),
            if count == 1 { "" } else { "s" }
        ));
    }
    let canary = pairs
        .iter()
        .find(|(t, j)| t.wish.as_ref().is_some_and(|w| w.canary) && never_succeeds(j))?;
    Some(format!("canary {}", tell(canary.1)))
}

/// `prod-a REJECTED (why)`.
pub fn tell(judged: &Judged) -> String {
    let row = &judged.row;
    let why = row.message.as_ref().map(|m| format!(" ({m})")).unwrap_or_default();
    format!("{} {}{why}", called(judged), row.state)
}

/// The name that people know a target by.
pub fn called(judged: &Judged) -> &str {
    judged.row.display_name.as_deref().unwrap_or(&judged.row.name)
}

struct Canaries {
    waiting: Vec<String>,
    last_done: Option<(String, Timestamp)>,
}

impl Canaries {
    fn of(pairs: &[(&TargetFacts, &Judged)]) -> Canaries {
        let mut out = Canaries {
            waiting: Vec::new(),
            last_done: None,
        };
        for (_, judged) in pairs.iter().filter(|(t, _)| t.wish.as_ref().is_some_and(|w| w.canary)) {
            match (judged.row.state, judged.row.completed_at) {
                (State::Success, Some(at)) if out.last_done.as_ref().is_none_or(|(_, last)| at > *last) => {
                    out.last_done = Some((called(judged).to_owned(), at));
                }
                (State::Success, _) => {}
                _ => out.waiting.push(called(judged).to_owned()),
            }
        }
        out
    }

    fn gate(&self, facts: &Facts) -> Option<Blocker> {
        if !self.waiting.is_empty() {
            let message = format!("canaries go first; waiting for {}", self.waiting.join(", "));
            return Some(Blocker {
                reason: Reason::WaitingForCanary,
                message,
                until: None,
            });
        }
        let (name, at) = self.last_done.as_ref()?;
        let soak = SignedDuration::try_from(facts.strategy.soak).unwrap_or(SignedDuration::MAX);
        let until = at.checked_add(soak).unwrap_or(Timestamp::MAX);
        (facts.wall < until).then(|| Blocker {
            reason: Reason::WaitingForSoak,
            message: format!("canary {name} is done; the others start after the soak, at {}", short(until)),
            until: Some(until),
        })
    }
}

/// Slots held by open receipts and by fresh reservations, from ledger and status, never from memory. A reservation that the next
/// target itself left behind (its receipt never came about, or was refused) is the very slot that it would take.
fn slots(facts: &Facts, pairs: &[(&TargetFacts, &Judged)], next: &Effect) -> Option<Blocker> {
    let mut holders: BTreeSet<&str> = pairs
        .iter()
        .filter(|(t, j)| matches!(j.place, Place::InFlight { .. }) || may_be_ours(facts, t))
        .map(|(t, _)| t.key.object.as_str())
        .collect();
    let by = facts.subject.by();
    let reserved = facts
        .connection
        .reservations
        .iter()
        .filter(|r| r.by == by && r.target != next.key.object);
    let mut ends = Vec::new();
    for (reservation, end) in reserved
        .map(|r| (r, runs_out(facts, pairs, r)))
        .filter(|(_, end)| facts.wall < *end)
    {
        if holders.insert(&reservation.target) {
            ends.push(end);
        }
    }
    let max = facts.strategy.max_concurrent;
    // A slot that only a reservation holds is free when that runs out, with no other event to tell us so.
    let (until, also) = match ends.iter().min() {
        Some(first) => (Some(*first), " or just started"),
        None => (None, ""),
    };
    (holders.len() >= max).then(|| Blocker {
        reason: Reason::LimitReached,
        message: format!(
            "{} of {max} (spec.strategy.maxConcurrent) in flight{also}: {}",
            holders.len(),
            holders.into_iter().collect::<Vec<_>>().join(", ")
        ),
        until,
    })
}

/// A target whose receipts cannot be judged, and whose last start may be one of ours that is still open.
fn may_be_ours(facts: &Facts, target: &TargetFacts) -> bool {
    match &target.ledger {
        Ok(ledger) => ledger
            .open()
            .is_some_and(|open| open.unknown_word.is_some() && facts.subject.asked_for(open)),
        Err(_) => true,
    }
}

/// When a reservation goes: after 4 x TTL, or after TTL once its receipt exists (whose own openness holds the slot then).
fn runs_out(facts: &Facts, pairs: &[(&TargetFacts, &Judged)], reservation: &Reservation) -> Timestamp {
    let written = pairs.iter().any(|(t, _)| {
        t.key.object == reservation.target
            && t.ledger
                .as_ref()
                .is_ok_and(|l| l.last().is_some_and(|last| last.seq >= reservation.seq))
    });
    let life = if written { facts.timing.ttl } else { facts.timing.reservation() };
    let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
    reservation.at.checked_add(life).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
