//! Steps 4 to 7: the slot, the receipt, the last check, the request, the answer.

use windlass::upgrade::receipt::EndKind;

use super::protocol::Protocol;
use super::protocol::connection_changed;
use super::protocol::learn;
use super::scope::Mutation;
use super::world::*;

impl Protocol {
    /// Step 4.
    pub fn reserve(&self, world: &mut World, p: usize, k: usize) -> Option<()> {
        let wall = world.wall(p);
        let task = &mut world.procs[p].tasks[k];
        if self.without(Mutation::NoReservation) {
            task.stage = Stage::Reserved;
            return Some(());
        }
        if task.stage == (Stage::Confirmed { clean: false }) {
            world.procs[p].tasks.remove(k);
            return Some(());
        }
        task.stage = Stage::Reserved;
        let slot = Slot {
            target: task.target,
            seq: task.seq,
            at: wall,
        };
        world.slots.retain(|s| s.target != slot.target);
        world.slots.push(slot);
        world.slots.sort();
        connection_changed(world);
        Some(())
    }

    /// The permit's time is over by the clock that nobody can set back: it never comes to life again.
    pub fn over(&self, world: &World, task: &Task) -> bool {
        let shut = task.shut.is_some_and(|at| world.now >= at);
        self.expired(world.now, task.dated) || shut && !self.without(Mutation::WindowByWall)
    }

    /// The permit's time is over by either clock: it is too old, or the schedules do not allow it any more.
    fn dead(&self, world: &World, p: usize, task: &Task) -> bool {
        let closed = task.closes.is_some_and(|at| world.wall(p) >= at);
        self.over(world, task) || self.expired(world.wall(p), task.dated_wall) || closed
    }

    fn expired(&self, now: Tick, dated: Tick) -> bool {
        let life = self.core.timing.ttl.saturating_sub(self.core.timing.connect_timeout);
        !self.without(Mutation::NoTtl) && TICK * u32::from(now.saturating_sub(dated)) >= life
    }

    /// When the window ends on the monotonic clock, worked out as the receipt is written.
    fn closing(&self, world: &World, p: usize, task: &mut Task) {
        if self.without(Mutation::WindowEnd) {
            task.closes = None;
        }
        task.shut = task.closes.map(|at| world.now + at.saturating_sub(world.wall(p)));
    }

    /// The receipt's creation time, the API server's clock, against ours and against the schedules.
    fn second_clock(&self, world: &World, p: usize, task: &Task) -> bool {
        // Decided once is decided on the schedules of then, which let it through.
        let freezes = if self.without(Mutation::DecidedOnce) {
            (false, false)
        } else {
            task.freezes
        };
        task.note.is_some() || self.without(Mutation::OneClock) || world.procs[p].skew == 0 && self.core.allowed(world.now, freezes)
    }

    /// Step 5.
    pub fn append(&self, world: &mut World, p: usize, k: usize, reply: Reply) -> Option<()> {
        let mut task = world.procs[p].tasks.remove(k);
        let (t, seq) = (usize::from(task.target), task.seq);
        self.closing(world, p, &mut task);
        if self.dead(world, p, &task) {
            return Some(());
        }
        if task.blind() && !self.core.too_late(world.now) && !self.without(Mutation::OneClock) {
            // Nothing but a clock says so, and the API server's does not.
            return Some(());
        }
        if task.note.is_none() && task.stage == Stage::Reserved {
            if world.procs[p].beliefs[t].known.contains(&seq) {
                return Some(());
            }
            world.procs[p].beliefs[t].known.push(seq);
            if world.procs[p].boot.is_none() {
                world.procs[p].boot = Some(world.boots);
                world.boots += 1;
            }
            if !self.without(Mutation::SharedHolder) {
                world.procs[p].attempts += 1;
            }
            task.attempt = world.procs[p].attempts;
        }
        if self.without(Mutation::StaleSeq) {
            task.seq = u8::try_from(world.ledgers[t].len()).unwrap_or(u8::MAX) + 1;
        }
        let receipt = Rcpt {
            version: task.version,
            holder: task.note.is_none().then(|| (world.procs[p].boot.unwrap_or_default(), task.attempt)),
            note: task.note,
            before: task.before.clone(),
            created: world.now,
            facts: Vec::new(),
        };
        if reply != Reply::Comes {
            world.left.late -= 1;
            task.stage = Stage::Unsettled;
        }
        if reply == Reply::Delayed {
            world.creates.push((task.target, task.seq, receipt));
            world.procs[p].tasks.push(task);
            return Some(());
        }
        let created = create(world, task.target, task.seq, &receipt);
        if created && task.blind() {
            self.in_time(world, task.target, task.version);
        }
        let in_step = self.second_clock(world, p, &task);
        match reply {
            Reply::Comes => {
                Self::settled(world, p, task, receipt.holder);
                let permit = world.procs[p].tasks.last().filter(|t| created && t.stage == Stage::Permitted);
                if !in_step && permit.is_some() {
                    let task = world.procs[p].tasks.pop()?;
                    self.withdraw(world, p, &task);
                }
            }
            _ => world.procs[p].tasks.push(task),
        }
        Some(())
    }

    /// What a create that is answered, or read after, comes to: ours, or the race is lost.
    fn settled(world: &mut World, p: usize, mut task: Task, holder: Option<(u8, u8)>) {
        let t = usize::from(task.target);
        let ours = world
            .receipt(task.target, task.seq)
            .is_some_and(|r| r.holder == holder && r.note == task.note);
        if !ours {
            world.procs[p].beliefs[t].known.retain(|s| *s != task.seq);
            return;
        }
        learn(world, p, t, usize::from(task.seq) - 1);
        if task.note.is_none() {
            task.stage = Stage::Permitted;
            world.procs[p].tasks.push(task);
        }
    }

    pub fn settle(&self, world: &mut World, p: usize, k: usize) -> Option<()> {
        let mut task = world.procs[p].tasks.remove(k);
        let holder = world.procs[p].boot.map(|b| (b, task.attempt));
        if world.receipt(task.target, task.seq).is_some() || self.dead(world, p, &task) {
            Self::settled(world, p, task, holder);
            return Some(());
        }
        task.stage = Stage::Unsettled;
        world.procs[p].tasks.push(task);
        let k = world.procs[p].tasks.len() - 1;
        self.append(world, p, k, Reply::Comes)
    }

    pub fn give_up(&self, world: &mut World, p: usize, k: usize) -> Option<()> {
        if !self.dead(world, p, &world.procs[p].tasks[k]) {
            return None;
        }
        let task = world.procs[p].tasks.remove(k);
        world.procs[p].beliefs[usize::from(task.target)].known.retain(|s| *s != task.seq);
        Some(())
    }

    /// Step 6, the check.
    pub fn arm(&self, world: &mut World, p: usize, k: usize) -> Option<()> {
        if !self.dead(world, p, &world.procs[p].tasks[k]) {
            let open = self.scope.open(world.now, world.procs[p].tasks[k].freezes);
            let task = &mut world.procs[p].tasks[k];
            task.stage = Stage::Armed { at: world.now };
            // P4: the live read allowed it, the look is younger than TTL, counted from when it was really asked, and the schedules that
            // were read live allow a start now, by the clock that is the truth.
            let age = TICK * u32::from(world.now - task.sight.asked);
            world.broken.p4 |= age >= self.core.timing.ttl || !open || task.wrong;
            return Some(());
        }
        let task = world.procs[p].tasks.remove(k);
        self.withdraw(world, p, &task);
        Some(())
    }

    /// A permit that is not used: nothing was sent.
    fn withdraw(&self, world: &mut World, p: usize, task: &Task) {
        let (t, at) = (usize::from(task.target), usize::from(task.seq) - 1);
        let wall = world.wall(p);
        let receipt = &mut world.ledgers[t][at];
        let adopted = receipt.facts.iter().any(|f| matches!(f, Fact::Adopted(_)));
        if !adopted || self.without(Mutation::WithdrawAnyway) {
            receipt.write(Fact::End(EndKind::Withdrawn, wall));
        }
        learn(world, p, t, at);
    }

    /// NotStartedInTime stands in the ledger now: it must be too late, and nothing of the run can be on its way or at the vendor.
    fn in_time(&self, world: &mut World, target: u8, version: u8) {
        let t = usize::from(target);
        let of_run = world.ledgers[t].iter().zip(&world.truths[t]).filter(|(r, _)| r.version == version);
        let taken = of_run.clone().any(|(_, truth)| truth.taken && !truth.undone);
        let open = of_run.clone().any(|(r, _)| r.open());
        let sent = world
            .requests
            .iter()
            .any(|r| (r.target, r.version) == (target, version) && r.answer.is_none());
        world.broken.late |= taken || open || sent || !self.scope.calendar.too_late(world.now);
    }

    /// What must not be: the note is written without a look at what the ledger says.
    pub fn note_late(&self, world: &mut World, version: u8) {
        let seq = u8::try_from(world.ledgers[0].len()).unwrap_or(u8::MAX) + 1;
        let note = Rcpt {
            version,
            holder: None,
            note: Some(NoteWord::NotInTime),
            before: Look::default(),
            created: world.now,
            facts: Vec::new(),
        };
        if world.ledgers[0].iter().all(|r| r.note.is_none()) && create(world, 0, seq, &note) {
            self.in_time(world, 0, version);
        }
    }

    /// Step 6, the socket.
    pub fn send(world: &mut World, p: usize, k: usize) -> Option<()> {
        let task = world.procs[p].tasks[k].clone();
        let Stage::Armed { at } = task.stage else { return None };
        let boot = world.procs[p].boot;
        if world.now >= at + GRACE {
            // The residual assumption: a connection that was silent for so long is gone, and the write fails.
            world.lost = true;
            world.procs[p].tasks[k].stage = Stage::Answered(Word::Lost);
            return Some(());
        }
        world.procs[p].tasks[k].stage = Stage::Sent;
        let created_here = world
            .receipt(task.target, task.seq)
            .is_some_and(|r| r.note.is_none() && r.holder.map(|h| h.0) == boot);
        let truth = world.truth(task.target, task.seq);
        truth.sends += 1;
        let again = truth.sends > 1;
        world.broken.p1 |= again || !created_here;
        let other = |r: &Request| r.target == task.target && r.seq != task.seq && r.answer.is_none() && world.now < r.armed + GRACE;
        world.broken.p3 |= world.requests.iter().any(other);
        // Nothing is sent once it was noted as too late.
        let noted = |r: &Rcpt| r.note == Some(NoteWord::NotInTime) && r.version == task.version;
        world.broken.late |= world.ledgers[usize::from(task.target)].iter().any(noted);
        // P5: a run whose end was shown is not started.
        world.broken.p5 |= world.shown[usize::from(task.target)][usize::from(task.version)].is_some();
        world.requests.push(Request {
            target: task.target,
            seq: task.seq,
            version: task.version,
            armed: at,
            answer: None,
        });
        Some(())
    }

    pub fn lose(&self, world: &mut World, p: usize, k: usize) -> Option<()> {
        let (target, seq) = (world.procs[p].tasks[k].target, world.procs[p].tasks[k].seq);
        let pending = world.requests.iter().position(|r| (r.target, r.seq) == (target, seq));
        if pending.is_some() {
            world.left.lose = world.left.lose.checked_sub(1)?;
        }
        world.requests.retain(|r| (r.target, r.seq) != (target, seq) || r.answer.is_none());
        world.lost = true;
        let rejects = self.without(Mutation::ServerErrorRejects);
        world.procs[p].tasks[k].stage = Stage::Answered(if rejects { Word::Rejected } else { Word::Lost });
        Some(())
    }
}

/// How a create is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Comes,
    Lost,
    Delayed,
}

/// Create if absent: the API server lets one caller win.
pub fn create(world: &mut World, target: u8, seq: u8, receipt: &Rcpt) -> bool {
    let ledger = &mut world.ledgers[usize::from(target)];
    let free = ledger.len() + 1 == usize::from(seq);
    if free {
        ledger.push(Rcpt {
            created: world.now,
            ..receipt.clone()
        });
        world.truths[usize::from(target)].push(Truth::default());
    }
    free
}

/// The answer that is on its way arrives.
pub fn answer(world: &mut World, p: usize, k: usize) -> Option<()> {
    let task = &mut world.procs[p].tasks[k];
    let request = world.requests.iter().position(|r| (r.target, r.seq) == (task.target, task.seq))?;
    task.stage = Stage::Answered(world.requests[request].answer?);
    world.requests.remove(request);
    Some(())
}

/// Step 7.
pub fn record(world: &mut World, p: usize, k: usize) -> Option<()> {
    let Stage::Answered(word) = world.procs[p].tasks[k].stage else {
        return None;
    };
    let task = world.procs[p].tasks.remove(k);
    let (t, at) = (usize::from(task.target), usize::from(task.seq) - 1);
    let wall = world.wall(p);
    world.ledgers[t][at].write(Fact::Answer(word, wall));
    learn(world, p, t, at);
    Some(())
}
