//! How many at once: the slots of one resource (`strategy.maxConcurrent`) and those of its Connection (`limits.maxConcurrentUpgrades`).
//!
//! Called by [`rollout`](super::rollout) with the target that would start next. A slot is held by an open receipt or by a fresh
//! reservation, both of which are read from the API server, never from memory: two leaders count the same. The compare-and-swap that
//! takes a reservation is the controller's; here is only said whether there is a slot to take.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::decision::Blocker;
use super::decision::Effect;
use super::facts::Facts;
use super::facts::Reservation;
use super::facts::TargetFacts;
use super::reason::Reason;
use super::row::Judged;
use super::row::Place;
use super::timing::Timing;

/// The field that bounds how many go through a Connection at once, as messages name it.
pub const CONNECTION_LIMIT: &str = "spec.limits.maxConcurrentUpgrades";

/// Who holds slots, and when the first of those that only a reservation holds is free again.
struct Holders<'a> {
    objects: BTreeSet<&'a str>,
    first_end: Option<Timestamp>,
}

impl<'a> Holders<'a> {
    /// Open receipts, and reservations that have not run out. A reservation that the next target itself left behind (its receipt never
    /// came about, or was refused) is the very slot that it would take.
    fn new(open: BTreeSet<&'a str>, reserved: impl Iterator<Item = &'a Reservation>, facts: &Facts, next: &Effect) -> Holders<'a> {
        let mut holders = Holders {
            objects: open,
            first_end: None,
        };
        for reservation in reserved.filter(|r| r.target != next.key.object) {
            let end = runs_out(facts, reservation);
            if facts.wall < end && holders.objects.insert(&reservation.target) {
                holders.first_end = Some(holders.first_end.map_or(end, |first| first.min(end)));
            }
        }
        holders
    }
}

/// Why the next target of this resource gets no slot of its own resource.
pub fn of_resource(facts: &Facts, pairs: &[(&TargetFacts, &Judged)], next: &Effect) -> Option<Blocker> {
    let open = pairs
        .iter()
        .filter(|(t, j)| matches!(j.place, Place::InFlight { .. }) || may_be_ours(facts, t))
        .map(|(t, _)| t.key.object.as_str())
        .collect();
    let by = facts.subject.by();
    let holders = Holders::new(open, facts.connection.reservations.iter().filter(|r| r.by == by), facts, next);
    let max = facts.strategy.max_concurrent;
    // A slot that only a reservation holds is free when that runs out, with no other event to tell us so.
    let also = if holders.first_end.is_some() { " or just started" } else { "" };
    (holders.objects.len() >= max).then(|| Blocker {
        reason: Reason::LimitReached,
        message: format!(
            "{} of {max} (spec.strategy.maxConcurrent) in flight{also}: {}",
            holders.objects.len(),
            holders.objects.into_iter().collect::<Vec<_>>().join(", ")
        ),
        until: holders.first_end,
    })
}

/// Why the next target of this resource gets no slot of the Connection, which all its resources share, oldest first. Hundreds may wait
/// here, and each change of what they say is a write of every one of them: so it names no numbers that move, and only who is next says more
/// than that older ones go first.
pub fn of_connection(facts: &Facts, next: &Effect) -> Option<Blocker> {
    let connection = &facts.connection;
    let open = connection
        .open
        .iter()
        .map(String::as_str)
        .filter(|o| *o != next.key.object)
        .collect();
    let holders = Holders::new(open, connection.reservations.iter(), facts, next);
    let (taken, limit) = (holders.objects.len(), connection.limit);
    // An older one that has just taken its slot is both, until it has left the line: one slot all the same.
    let older = connection.ahead.iter().filter(|o| !holders.objects.contains(o.as_str())).count();
    if taken + older < limit {
        return None;
    }
    let allows = format!("Connection {} allows {limit} at once ({CONNECTION_LIMIT})", connection.name);
    let (message, until) = if older == 0 {
        (
            format!("{allows}, and all are in flight; this upgrade goes next"),
            holders.first_end,
        )
    } else {
        (format!("{allows}; older upgrades go first"), None)
    };
    Some(Blocker {
        reason: Reason::LimitReached,
        message,
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

/// Whether a reservation that was made at that time can hold its slot still. One from far ahead was dated by a clock that was wrong: it
/// would hold its slot until that time comes.
pub fn may_hold(at: Timestamp, now: Timestamp, timing: &Timing) -> bool {
    now.duration_since(at).unsigned_abs() < timing.reservation()
}

/// When a reservation goes: after 4 x TTL, or after TTL once its receipt exists (whose own openness holds the slot then).
fn runs_out(facts: &Facts, reservation: &Reservation) -> Timestamp {
    // Without a time it holds its slot until somebody takes it away.
    if reservation.at != Timestamp::MAX && !may_hold(reservation.at, facts.wall, &facts.timing) {
        return Timestamp::MIN;
    }
    let life = if reservation.written {
        facts.timing.ttl
    } else {
        facts.timing.reservation()
    };
    let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
    reservation.at.checked_add(life).unwrap_or(Timestamp::MAX)
}
