//! Which of the targets that could be started is started now: suspend and hold, the Connection, time, canaries, soak, slots, failures.
//!
//! Called by [`decide`](super::decide) with every target judged. At most one target starts per decision.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::calls;
use super::decision::Blocker;
use super::decision::Effect;
use super::decision::InLine;
use super::facts::Facts;
use super::facts::TargetFacts;
use super::facts::Usable;
use super::reason::Reason;
use super::reason::State;
use super::row::Judged;
use super::row::Place;
use super::row::short;
use super::slots;
use super::when::When;

/// What the rollout allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// The one start that may go out.
    pub start: Option<Effect>,
    /// What stops every start, and what somebody has to lift.
    pub gates: Vec<Blocker>,
    /// Why what could be started waits: for its time, its turn, a slot.
    pub waits: Vec<Blocker>,
    /// Something is ready to be started, or would be but for `gates` and `waits`.
    pub ready: bool,
    /// More failures than allowed, or a canary that did not succeed.
    pub threshold: Option<String>,
    /// The next target, and from when on nothing but the Connection's slots keeps it from starting.
    pub in_line: Option<InLine>,
}

/// Applies every rule that concerns more than one target. `judged` is in the order of `facts.targets`.
pub fn roll(facts: &Facts, when: &When, judged: &[Judged]) -> Rollout {
    let gates = gates(facts, when);
    let pairs: Vec<(&TargetFacts, &Judged)> = facts.targets.iter().zip(judged).collect();
    let candidates: Vec<(bool, &Effect)> = pairs
        .iter()
        .filter_map(|(t, j)| match &j.place {
            Place::Candidate(effect) => Some((t.wish.as_ref().is_some_and(|w| w.canary), effect)),
            _ => None,
        })
        .collect();
    let threshold = threshold(facts, &pairs);
    // Canaries first, each group in the order of the spec; one that could not be prepared a moment ago does not hold the others up.
    let rested = |effect: &Effect| facts.resting(&effect.key).is_none();
    let next = candidates
        .iter()
        .find(|(canary, _)| *canary)
        .or_else(|| candidates.iter().find(|(_, effect)| rested(effect)))
        .or_else(|| candidates.first());
    let next = next.filter(|_| threshold.is_none());
    let mut turn = Vec::new();
    let mut slot = None;
    if let Some((canary, effect)) = next {
        if !canary {
            turn.extend(Canaries::of(&pairs).gate(facts));
        }
        turn.extend(slots::of_resource(facts, &pairs, effect));
        // Before its window opens another day with new calls may have begun.
        turn.extend(calls::too_few_for(facts, effect).filter(|_| matches!(when, When::Open { .. })));
        turn.extend(rest(facts, effect).filter(|_| turn.is_empty()));
        // While its start is being prepared others come and go: whether there is still a slot is asked again, live, before it is taken.
        let preparing = facts.starting.as_ref() == Some(&effect.key);
        slot = slots::of_connection(facts, effect).filter(|_| !preparing);
    }
    let time = match when {
        When::Closed { blockers, .. } => blockers.clone(),
        _ => Vec::new(),
    };
    let free = gates.is_empty() && turn.is_empty();
    let in_line = next.filter(|_| free).and_then(|(_, effect)| {
        let object = effect.key.object.clone();
        when.from(facts.wall).map(|from| InLine { from, object })
    });
    let start = next.filter(|_| free && slot.is_none()).and_then(|(_, effect)| match when {
        When::Open { until } => Some(Effect {
            closes: Some(*until),
            ..(*effect).clone()
        }),
        _ => None,
    });
    // Somebody waits for these; where nobody does, only the gates are shown: people look for them.
    let left = judged.iter().any(|j| matches!(j.place, Place::Blocked(_)));
    let mut waits = Vec::new();
    if threshold.is_none() && (next.is_some() || left) {
        waits.extend(time);
    }
    if start.is_none() {
        waits.extend(turn);
        waits.extend(slot);
    }
    Rollout {
        start,
        gates,
        waits,
        ready: next.is_some(),
        threshold,
        in_line,
    }
}

/// The last try came to nothing a moment ago.
fn rest(facts: &Facts, next: &Effect) -> Option<Blocker> {
    let refusal = facts.resting(&next.key)?;
    let target = facts.targets.iter().find(|t| t.key == next.key);
    let name = target.map_or_else(|| next.key.object.clone(), |t| facts.name_of(t));
    Some(Blocker {
        reason: Reason::Evaluating,
        message: format!("{name} was not started: {}; trying again shortly", refusal.why),
        until: None,
    })
}

/// What stops every start of this resource.
fn gates(facts: &Facts, when: &When) -> Vec<Blocker> {
    let mut out = Vec::new();
    if let When::Invalid(blocker) = when {
        out.push(blocker.clone());
    }
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
    if let Some(what) = &facts.crds_outdated {
        add(
            Reason::CrdsOutdated,
            format!("{what}; the administrator of this Windlass can lift it"),
        );
    }
    if facts.suspend {
        add(
            Reason::Suspended,
            "spec.suspend is true; take it out of the manifest to go on".to_owned(),
        );
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
        Usable::NotInShard { selector } => add(
            Reason::ConnectionNotReady,
            format!(
                "there is no Connection {name} in this namespace with the labels {selector}, which this object has; create it, or give both the same"
            ),
        ),
        Usable::WrongType { found, expected } => {
            add(
                Reason::ConnectionTypeMismatch,
                format!(
                    "Connection {name} is of type {found}, but this kind goes through one of type {expected}; nothing is sent. Name such a \
                     Connection in a new object"
                ),
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

/// `prod-a REJECTED (why)`; of a sole target just why.
pub fn tell(judged: &Judged) -> String {
    let row = &judged.row;
    if let (true, Some(message)) = (row.sole, &row.message) {
        return message.clone();
    }
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

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
