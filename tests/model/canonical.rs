//! One world for all those that nobody can ever tell apart.
//!
//! This is what keeps the exploration small without leaving anything out: processes are interchangeable; a time is kept only as far as
//! some later step compares it; what nobody reads again is dropped. Each rule says why it may.

use windlass::upgrade::receipt::EndKind;

use super::scope::Scope;
use super::world::*;

/// Brings a world into its one form.
pub fn canonical(world: &mut World, scope: &Scope) {
    requests(world);
    things(world, scope.stamps);
    ledgers(world);
    for Proc { beliefs, born, tasks, .. } in &mut world.procs {
        for (about, ledger) in beliefs.iter_mut().zip(&world.ledgers) {
            belief(about, ledger, *born);
        }
        tasks.iter_mut().for_each(task);
        tasks.sort();
    }
    attempts(world);
    // A reservation that ran out is nobody's.
    let sure = world.now.saturating_sub(spread(world));
    world.slots.retain(|s| sure < s.at + scope.reservation());
    if world.stale == world.spec {
        world.stale = None;
    }
    // The processes run the same program; boots are numbered at the first append only.
    world.procs.sort();
}

/// How far a wall clock may be behind.
fn spread(world: &World) -> Tick {
    u8::from(world.left.step > 0 || world.procs.iter().any(|p| p.skew != 0))
}

/// An answer that nobody waits for any more reaches nobody.
fn requests(world: &mut World) {
    let World { requests, procs, .. } = world;
    requests.retain(|r| {
        let mut tasks = procs.iter().flat_map(|p| &p.tasks);
        r.answer.is_none() || tasks.any(|t| t.stage == Stage::Sent && (t.target, t.seq) == (r.target, r.seq))
    });
    for request in requests.iter_mut().filter(|r| r.answer.is_some()) {
        request.armed = 0;
    }
}

fn things(world: &mut World, stamps: bool) {
    for thing in &mut world.things {
        if !thing.moving {
            thing.desired_before = None;
        }
        if !stamps {
            thing.look.stamp = 0;
        }
    }
}

/// Times in receipts are compared with the run timeout, which no exploration reaches, and with the rest before a next attempt.
fn ledgers(world: &mut World) {
    let now = world.now.saturating_sub(spread(world));
    let World {
        ledgers, procs, creates, ..
    } = world;
    for (t, ledger) in (0..).zip(ledgers.iter_mut()) {
        for (seq, receipt) in (1..).zip(ledger.iter_mut()) {
            receipt.created = 0;
            for fact in &mut receipt.facts {
                match fact {
                    Fact::End(EndKind::NotTaken | EndKind::Withdrawn, at) if now < *at + LONGEST_REST => {}
                    Fact::Answer(_, at) | Fact::Adopted(at) | Fact::End(_, at) => *at = 0,
                    Fact::Hint | Fact::Resolved { .. } => {}
                }
            }
            let mut tasks = procs.iter().flat_map(|p| &p.tasks).map(|k| (k.target, k.seq));
            let awaited = tasks.any(|at| at == (t, seq)) || creates.iter().any(|(ct, cs, _)| (*ct, *cs) == (t, seq));
            let known_ended = procs
                .iter()
                .all(|p| p.beliefs[usize::from(t)].cache.get(usize::from(seq) - 1) == Some(&facts(receipt)));
            if !receipt.open() && known_ended && !awaited {
                // Whose it was is asked of open receipts only.
                receipt.holder = None;
                for p in procs.iter_mut() {
                    p.beliefs[usize::from(t)].known.retain(|s| *s != seq);
                }
            }
        }
    }
}

/// A number of an attempt that came to nothing is nobody's: numbers that nothing refers to may be given again.
fn attempts(world: &mut World) {
    let World {
        procs, ledgers, creates, ..
    } = world;
    for proc in procs {
        let held = ledgers
            .iter()
            .flatten()
            .chain(creates.iter().map(|(_, _, r)| r))
            .filter_map(|r| r.holder);
        let ours = held.filter(|(boot, _)| Some(*boot) == proc.boot).map(|(_, attempt)| attempt);
        let trying = proc.tasks.iter().map(|t| t.attempt);
        proc.attempts = ours.chain(trying).max().unwrap_or(0);
    }
}

fn facts(receipt: &Rcpt) -> u8 {
    u8::try_from(receipt.facts.len()).unwrap_or(u8::MAX)
}

fn task(task: &mut Task) {
    // The look served when it was decided on; its age is asked for until the permit is armed.
    if task.stage > Stage::Prepared {
        (task.sight.look, task.sight.moving) = (Look::default(), false);
    }
    if task.stage >= Stage::Permitted {
        (task.before, task.attempt) = (Look::default(), 0);
    }
    if task.stage > Stage::Permitted {
        (task.sight.asked, task.dated, task.dated_wall) = (0, 0, 0);
        (task.closes, task.shut, task.freezes, task.wrong) = (None, None, (false, false), false);
    }
}

fn belief(belief: &mut Belief, ledger: &[Rcpt], born: Tick) {
    let open = belief.cache.last().zip(belief.cache.len().checked_sub(1)).and_then(|(known, at)| {
        let mut cached = ledger[at].clone();
        cached.facts.truncate(usize::from(*known));
        cached.open().then_some(cached)
    });
    // First-seen times are asked for only while their receipt is open in the cache.
    belief.memory = belief.memory.filter(|m| open.is_some() && usize::from(m.seq) == belief.cache.len());
    let Some(memory) = &mut belief.memory else {
        // Without an open receipt only the newest look counts, and only for what it shows.
        belief.sights.drain(..belief.sights.len().saturating_sub(1));
        belief.sights.iter_mut().for_each(|s| s.asked = 0);
        return;
    };
    // What was asked before a receipt was known is no evidence about it.
    belief.sights.retain(|s| s.asked >= memory.open);
    // A vendor's word on it is final as far as doubt goes, and doubt as far as the horizon goes.
    if memory.accepted.is_some() || memory.refused.is_some() {
        memory.doubt = None;
    }
    if memory.doubt.is_some() || memory.accepted.is_some() || memory.refused.is_some() {
        memory.open = born;
    }
    // A look is dated by the last threshold that it passed: nothing else about its time is ever compared.
    let graces = [memory.doubt, memory.accepted].into_iter().flatten().map(|at| at + GRACE);
    let thresholds: Vec<Tick> = graces.clone().chain(memory.refused).collect();
    let grace = graces.min().unwrap_or(Tick::MAX);
    for sight in &mut belief.sights {
        let passed = thresholds.iter().copied().filter(|at| *at <= sight.asked);
        sight.asked = passed.max().unwrap_or(memory.open);
    }
    // Two looks count for more than one only after the grace period.
    belief.sights.dedup_by(|b, a| a == b && a.asked < grace);
}
