//! P7: from a world in the middle of anything, faults stop, and everything is driven on in a fixed order until nothing is left to do.
//!
//! Then every receipt has its end or is shown as UNKNOWN, and the resource says when it looks again or who can lift what blocks it. At
//! last both processes are replaced by ones that know nothing: they must show the same end (P5: the state is rebuilt from ledger and
//! sight).

use std::hash::Hash;
use std::hash::Hasher;
use std::sync::atomic::Ordering;
use std::time::Duration;

use windlass::upgrade::reason::Reason;
use windlass::upgrade::reason::State;

use super::actions::Action;
use super::actions::News;
use super::core::Outcome;
use super::core::Question;
use super::outside::pass;
use super::protocol::Protocol;
use super::protocol::crash;
use super::quick::QuickHasher;
use super::scope::Mutation;
use super::world::Budget;
use super::world::Stage;
use super::world::World;

/// The watch is up to date, and everything was just looked at.
const ALL: News = News {
    stale: false,
    watch: true,
    looks: u8::MAX,
    of: 0,
};

/// Longer than the longest way out of doubt and the run timeout of 20 ticks.
const ROUNDS: u8 = 45;

/// The property. One world in so many is tried; which ones depends on the world alone.
pub fn settles(protocol: &Protocol, world: &World) -> bool {
    let mut hasher = QuickHasher::default();
    world.hash(&mut hasher);
    let asked = protocol.scope.without.is_none_or(|rule| rule == Mutation::KeepsPlace);
    if !asked || !hasher.finish().is_multiple_of(protocol.scope.quiet_every) {
        return true;
    }
    protocol.driven.fetch_add(1, Ordering::Relaxed);
    driven(protocol, world.clone()).is_ok()
}

/// Drives a world to rest and says what is wrong with where it rests.
pub fn driven(protocol: &Protocol, mut world: World) -> Result<(), String> {
    world.left = Budget::default();
    world.procs.iter_mut().for_each(|p| p.skew = 0);
    for _ in 0..ROUNDS {
        round(protocol, &mut world);
        if at_rest(protocol, &world) {
            break;
        }
        pass(&mut world);
    }
    let outcomes: Vec<Outcome> = (0..world.procs.len()).map(|p| last_word(protocol, &mut world, p)).collect();
    for outcome in &outcomes {
        let open = world.ledgers.iter().flatten().filter(|r| r.open()).count();
        let unknown = outcome.rows.iter().flatten().filter(|(state, _)| *state == State::Unknown).count();
        let told = if world.spec.is_some() && !world.elsewhere {
            unknown == open
        } else {
            open == 0 || outcome.stalled
        };
        if !told {
            return Err(format!("{open} receipts are open, {unknown} are UNKNOWN: {outcome:?}"));
        }
        if let Some(idle) = left_behind(protocol, &world, outcome) {
            return Err(format!("nothing stops resource {idle}, and it was not started: {outcome:?}"));
        }
        let woken = outcome.wake.is_some_and(|w| w <= Duration::from_mins(10));
        let over = |(state, _): &(State, _)| matches!(state, State::Success | State::Rejected | State::Failed | State::Cancelled);
        let all_over = outcome.rows.iter().flatten().all(over);
        if world.spec.is_some() && !(woken || all_over) {
            return Err(format!("nobody is woken, and nothing is over: {outcome:?}"));
        }
        let waits = outcome.rows.iter().flatten().any(|(state, _)| *state == State::Pending);
        if world.spec.is_some() && waits && !outcome.blocked && outcome.effect.is_some() {
            return Err(format!("a start is decided again and again, and does not come about: {outcome:?}"));
        }
    }
    for (p, before) in outcomes.iter().enumerate() {
        crash(&mut world, p);
        let again = last_word(protocol, &mut world, p);
        if world.ledgers.iter().flatten().all(|r| !r.open()) && again.rows != before.rows {
            return Err(format!("shown as {:?}, rebuilt as {:?}", before.rows, again.rows));
        }
    }
    if world.broken == super::world::Broken::default() {
        Ok(())
    } else {
        Err(format!("{:?}", world.broken))
    }
}

fn at_rest(protocol: &Protocol, world: &World) -> bool {
    let idle = world.procs.iter().all(|p| p.tasks.is_empty()) && world.creates.is_empty() && world.requests.is_empty();
    let still = world.things.iter().all(|t| !t.moving) && world.ledgers.iter().flatten().all(|r| !r.open());
    let decided = (0..world.procs.len()).all(|p| {
        let outcome = last_word(protocol, &mut world.clone(), p);
        outcome.effect.is_none() && outcome.rows.iter().flatten().all(|(_, reason)| *reason != Reason::WaitingForRetry)
    });
    idle && still && decided && world.slots.iter().all(|s| world.now >= s.at + protocol.scope.reservation())
}

/// Everything that can happen within a tick, in a fixed order, faults aside.
fn round(protocol: &Protocol, world: &mut World) {
    for _ in 0..40 {
        let before = world.clone();
        let targets = world.things.len();
        while !world.creates.is_empty() {
            go(protocol, world, Action::CommitLate { i: 0 });
        }
        for i in 0..world.requests.len() {
            go(protocol, world, Action::VendorTake { i });
        }
        for p in 0..world.procs.len() {
            for k in 0..world.procs[p].tasks.len() {
                let action = match world.procs[p].tasks.get(k).map(|t| (t.stage, t.note.is_some())) {
                    Some((Stage::Prepared, _)) => Action::Confirm { p, k },
                    Some((Stage::Confirmed { .. }, false)) => Action::Reserve { p, k },
                    Some((Stage::Confirmed { .. }, true) | (Stage::Reserved, _)) => Action::Append { p, k },
                    Some((Stage::Unsettled, _)) => Action::Settle { p, k },
                    Some((Stage::Permitted, _)) => Action::Arm { p, k },
                    Some((Stage::Armed { .. }, _)) => Action::Send { p, k },
                    Some((Stage::Sent, _)) if world.requests.is_empty() => Action::LoseAnswer { p, k },
                    Some((Stage::Sent, _)) => Action::Answer { p, k },
                    Some((Stage::Answered(_), _)) => Action::Record { p, k },
                    None => break,
                };
                go(protocol, world, action);
            }
            for of in (0..protocol.resources()).cycle().take(2 * usize::from(protocol.resources())) {
                go(
                    protocol,
                    world,
                    Action::Decide {
                        p,
                        news: News { of, ..ALL },
                    },
                );
                go(protocol, world, Action::Sweep { p, news: ALL });
            }
        }
        for t in 0..targets {
            go(protocol, world, Action::VendorDone { t });
        }
        if *world == before {
            return;
        }
    }
}

fn go(protocol: &Protocol, world: &mut World, action: Action) {
    if let Some(next) = protocol.step(world, action) {
        *world = next;
    }
}

/// What a process says once its caches are full and it has looked twice.
fn last_word(protocol: &Protocol, world: &mut World, p: usize) -> Outcome {
    protocol.hear(world, p, ALL);
    protocol.hear(world, p, ALL);
    let words = (0..protocol.resources()).map(|of| {
        let question: Question = protocol.question(world, p, world.spec, of);
        protocol.core.judge(question)
    });
    words.reduce(together).unwrap_or_default()
}

/// Of several resources, one that people let go on, and that is not through. The others cannot hold it up, whatever becomes of them.
fn left_behind(protocol: &Protocol, world: &World, outcome: &Outcome) -> Option<usize> {
    if !protocol.scope.shared || world.frozen {
        return None;
    }
    // People stop the oldest only.
    let stopped = world.spec.is_none_or(|spec| spec.suspend || spec.frozen);
    let through = |row: &Option<(State, Reason)>| row.is_some_and(|(state, _)| state == State::Success);
    let mut going = outcome.rows.iter().enumerate().skip(usize::from(stopped));
    going.find(|(_, row)| !through(row)).map(|(of, _)| of)
}

/// What is said of several resources, as if it were one.
fn together(one: Outcome, other: Outcome) -> Outcome {
    let rows = one.rows.iter().zip(&other.rows).map(|(a, b)| a.or(*b));
    Outcome {
        rows: rows.collect(),
        stalled: one.stalled || other.stalled,
        blocked: one.blocked || other.blocked,
        wake: one.wake.max(other.wake),
        effect: one.effect.or(other.effect),
        ..one
    }
}
