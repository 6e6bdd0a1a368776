//! What others do: the clock, the vendor, people, and whoever else shares the vendor with us.

use super::actions::Action;
use super::permit::create;
use super::protocol::Protocol;
use super::protocol::connection_changed;
use super::scope::ALWAYS;
use super::world::*;

impl Protocol {
    /// An action of nobody's process; `None` where it cannot happen.
    pub fn outside(&self, world: &mut World, action: Action) -> Option<()> {
        match action {
            Action::CommitLate { i } => {
                let (target, seq, receipt) = world.creates.remove(i);
                create(world, target, seq, &receipt);
                Some(())
            }
            Action::VendorTake { i } => take(world, i),
            Action::VendorRefuse { i, busy } => refuse(world, i, busy),
            Action::VendorDone { t } => moving(world, t).map(|thing| {
                thing.look.version = thing.look.desired.unwrap_or(thing.look.version);
                thing.look.stamp += 1;
                (thing.moving, thing.by) = (false, None);
            }),
            Action::VendorFault { t } => {
                moving(world, t)?;
                world.left.fault = world.left.fault.checked_sub(1)?;
                let thing = &mut world.things[t];
                (thing.moving, thing.by, thing.look.faulted) = (false, None, true);
                Some(())
            }
            Action::VendorAbort { t } => abort(world, t),
            Action::VendorClear { t } => {
                let free = world.ledgers[t].last().is_none_or(|r| !r.open());
                let thing = &mut world.things[t];
                // Assumed: nobody clears a failure of a run that Windlass has not reported.
                if !thing.look.faulted || !free {
                    return None;
                }
                (thing.look.faulted, thing.look.desired) = (false, None);
                Some(())
            }
            // Assumed: nobody takes a target back to where it was while a start of it is in doubt, where the vendor keeps no stamp.
            Action::Drift { t, to } | Action::DriftBegin { t, to } if !self.scope.stamps && back(world, t, to) => None,
            Action::Drift { t, to } => drift(world, t, to, false),
            Action::DriftBegin { t, to } => drift(world, t, to, true),
            Action::Tick => self.tick(world),
            other => people(world, other),
        }
    }

    fn tick(&self, world: &mut World) -> Option<()> {
        // Before anything has begun one moment is like another, but for schedules.
        let begun = world.procs.iter().any(|p| !p.tasks.is_empty()) || world.ledgers.iter().any(|l| !l.is_empty());
        let waits = begun || self.scope.calendar != ALWAYS || world.left != self.scope.budget;
        if world.now >= self.scope.ticks || !waits {
            return None;
        }
        pass(world);
        Some(())
    }
}

/// One tick passes.
pub fn pass(world: &mut World) {
    world.now += 1;
    let now = world.now;
    world.requests.retain(|r| r.answer.is_some() || now < r.armed + GRACE);
}

/// The vendor comes to a request: takes it, or says that it is busy or there.
fn take(world: &mut World, i: usize) -> Option<()> {
    let Request {
        target,
        seq,
        version,
        answer: None,
        ..
    } = world.requests[i]
    else {
        return None;
    };
    let thing = &mut world.things[usize::from(target)];
    let word = if thing.moving {
        Word::Busy
    } else if thing.look.version == version {
        Word::AlreadyThere
    } else {
        thing.desired_before = thing.look.desired;
        (thing.moving, thing.by, thing.look.faulted, thing.look.desired) = (true, Some(seq), false, Some(version));
        world.truth(target, seq).taken = true;
        Word::Accepted
    };
    world.requests[i].answer = Some(word);
    Some(())
}

fn refuse(world: &mut World, i: usize, busy: bool) -> Option<()> {
    if world.requests[i].answer.is_some() {
        return None;
    }
    world.left.refuse -= 1;
    world.requests[i].answer = Some(if busy { Word::Busy } else { Word::Rejected });
    Some(())
}

fn moving(world: &mut World, t: usize) -> Option<&mut Thing> {
    Some(&mut world.things[t]).filter(|thing| thing.moving)
}

fn abort(world: &mut World, t: usize) -> Option<()> {
    let seq = moving(world, t)?.by?;
    world.left.abort = world.left.abort.checked_sub(1)?;
    let thing = &mut world.things[t];
    thing.look.desired = thing.desired_before;
    (thing.moving, thing.by) = (false, None);
    world.truth(u8::try_from(t).unwrap_or(u8::MAX), seq).undone = true;
    Some(())
}

fn back(world: &World, t: usize, to: u8) -> bool {
    world.ledgers[t].last().is_some_and(|r| r.open() && r.before.version == to)
}

fn drift(world: &mut World, t: usize, to: u8, slow: bool) -> Option<()> {
    let thing = &mut world.things[t];
    if thing.moving || thing.look.version == to {
        return None;
    }
    world.left.drift -= 1;
    thing.desired_before = thing.look.desired;
    thing.look.desired = Some(to);
    if slow {
        (thing.moving, thing.by) = (true, None);
    } else {
        thing.look.version = to;
        thing.look.stamp += 1;
    }
    Some(())
}

fn people(world: &mut World, action: Action) -> Option<()> {
    let once = |left: &mut u8| left.checked_sub(1).map(|n| *left = n);
    match action {
        Action::Suspend => {
            let spec = world.spec?;
            once(&mut world.left.suspend)?;
            world.stale = Some(spec);
            world.spec = Some(Spec {
                suspend: !spec.suspend,
                ..spec
            });
        }
        Action::EditVersion => {
            let spec = world.spec?;
            once(&mut world.left.edit)?;
            world.stale = Some(spec);
            // Forth to the newest, then back.
            let version = if spec.version == 1 { 2 } else { 1 };
            world.spec = Some(Spec { version, ..spec });
        }
        Action::DeleteResource => {
            let spec = world.spec?;
            once(&mut world.left.delete)?;
            (world.stale, world.spec) = (Some(spec), None);
        }
        Action::RecreateResource => {
            if world.spec.is_some() {
                return None;
            }
            world.spec = world.stale;
        }
        Action::WipeStatus => {
            once(&mut world.left.wipe)?;
            world.slots.clear();
            world.wiped = true;
            connection_changed(world);
        }
        Action::MoveConnection => {
            once(&mut world.left.url)?;
            world.elsewhere = !world.elsewhere;
            connection_changed(world);
        }
        Action::FreezeResource => {
            let spec = world.spec?;
            once(&mut world.left.freeze)?;
            world.stale = Some(spec);
            world.spec = Some(Spec {
                frozen: !spec.frozen,
                ..spec
            });
        }
        Action::FreezeConnection => {
            once(&mut world.left.freeze)?;
            world.frozen = !world.frozen;
            connection_changed(world);
        }
        Action::StepWall { p, forward } => {
            once(&mut world.left.step)?;
            let proc = &mut world.procs[p];
            proc.skew += if forward { 1 } else { -1 };
        }
        Action::Resolve { t } => {
            let target = u8::try_from(t).unwrap_or(u8::MAX);
            let seq = u8::try_from(world.ledgers[t].len()).unwrap_or(u8::MAX);
            let resolved = |f: &Fact| matches!(f, Fact::Resolved { .. });
            if world.ledgers[t]
                .last()
                .is_none_or(|r| !r.open() || r.note.is_some() || r.facts.iter().any(resolved))
            {
                return None;
            }
            once(&mut world.left.resolve)?;
            let started = world.truth(target, seq).taken;
            world.ledgers[t].last_mut()?.write(Fact::Resolved { started });
        }
        _ => return None,
    }
    Some(())
}
