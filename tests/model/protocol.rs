//! The protocol of one start, as the controller carries it out, step by step over the small world.
//!
//! This is the modelled part: `src/controller/{act,sweep,permit}` without its IO, each step one atomic action. What is decided or
//! concluded in a step is asked of the product through [`Core`].

use std::sync::atomic::AtomicUsize;

use windlass::upgrade::reason::Reason;
use windlass::upgrade::reason::State;
use windlass::upgrade::receipt::EndKind;

use super::actions::Action;
use super::actions::News;
use super::canonical::canonical;
use super::core::AboutTarget;
use super::core::Core;
use super::core::Outcome;
use super::core::Question;
use super::core::timing;
use super::permit::Reply;
use super::permit::answer;
use super::permit::record;
use super::scope::Mutation;
use super::scope::Scope;
use super::world::*;

/// One scope and the product's functions.
pub struct Protocol {
    pub scope: Scope,
    pub core: Core,
    /// How many worlds were driven to quiescence.
    pub driven: AtomicUsize,
}

impl Protocol {
    pub fn new(scope: Scope) -> Protocol {
        let mut timing = timing(&scope);
        if scope.without == Some(Mutation::NoGrace) {
            timing.grace = std::time::Duration::ZERO;
        } else {
            assert_eq!(timing.check(), Ok(()), "the small clock keeps the order that the protocol needs");
        }
        Protocol {
            core: Core::new(timing, &scope),
            scope,
            driven: AtomicUsize::new(0),
        }
    }

    pub fn without(&self, rule: Mutation) -> bool {
        self.scope.without == Some(rule)
    }

    pub fn start(&self) -> World {
        let n = self.scope.targets;
        let proc = |p| Proc {
            follows: p + self.scope.followers >= self.scope.procs,
            beliefs: vec![Belief::default(); n],
            ..Proc::default()
        };
        World {
            now: 0,
            left: self.scope.budget,
            procs: (0..self.scope.procs).map(proc).collect(),
            boots: 0,
            ledgers: vec![Vec::new(); n],
            truths: vec![Vec::new(); n],
            things: vec![Thing::default(); n],
            shown: vec![[None; 3]; n],
            creates: Vec::new(),
            requests: Vec::new(),
            spec: Some(Spec {
                version: 1,
                suspend: false,
                frozen: false,
            }),
            stale: None,
            elsewhere: false,
            frozen: false,
            slots: Vec::new(),
            crashed_at: None,
            crashed: false,
            lost: false,
            wiped: false,
            broken: Broken::default(),
        }
    }

    /// The world after an action; `None` where it cannot happen.
    pub fn step(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let done = match action {
            Action::Decide { p, news } => self.decide(&mut world, p, news),
            Action::Sweep { p, news } => self.sweep(&mut world, p, news),
            Action::Confirm { p, k } => self.confirm(&mut world, p, k),
            Action::Reserve { p, k } => self.reserve(&mut world, p, k),
            Action::Append { p, k } => self.append(&mut world, p, k, Reply::Comes),
            Action::AppendAmbiguous { p, k } => self.append(&mut world, p, k, Reply::Lost),
            Action::AppendDelayed { p, k } => self.append(&mut world, p, k, Reply::Delayed),
            Action::Settle { p, k } => self.settle(&mut world, p, k),
            Action::GiveUp { p, k } => self.give_up(&mut world, p, k),
            Action::Arm { p, k } => self.arm(&mut world, p, k),
            Action::Send { p, k } => Self::send(&mut world, p, k),
            Action::ConnectFails { p, k } => {
                world.left.refuse -= 1;
                world.procs[p].tasks[k].stage = Stage::Answered(Word::ConnectFailed);
                Some(())
            }
            Action::Answer { p, k } => answer(&mut world, p, k),
            Action::LoseAnswer { p, k } => self.lose(&mut world, p, k),
            Action::Record { p, k } => record(&mut world, p, k),
            Action::Crash { p } => {
                crash(&mut world, p);
                Some(())
            }
            other => self.outside(&mut world, other),
        };
        done?;
        self.forget_dead(&mut world);
        canonical(&mut world, &self.scope);
        (world != *before).then_some(world)
    }

    /// A task whose permit died before the create went out can do nothing more than take a slot that nobody uses.
    fn forget_dead(&self, world: &mut World) {
        for p in 0..world.procs.len() {
            let mut tasks = std::mem::take(&mut world.procs[p].tasks);
            let redated = |t: &Task| t.stage == Stage::Prepared && (t.blind() || self.without(Mutation::DatedByArrival));
            tasks.retain(|t| t.stage >= Stage::Unsettled || redated(t) || !self.over(world, t));
            world.procs[p].tasks = tasks;
        }
    }

    /// What a process believes, put as a question.
    pub fn question(&self, world: &World, p: usize, spec: Option<Spec>, of: u8) -> Question {
        let proc = &world.procs[p];
        let in_hand = |t: u8| {
            proc.tasks
                .iter()
                .find(|task| task.target == t && task.stage >= Stage::Unsettled)
                .map(|task| task.seq)
        };
        let about = (0..)
            .zip(proc.beliefs.iter().zip(&world.ledgers))
            .map(|(t, (belief, ledger))| AboutTarget {
                receipts: ledger.iter().zip(&belief.cache).map(|(r, known)| self.cached(r, *known)).collect(),
                memory: belief.memory,
                sights: belief.sights.iter().map(|g| self.believed(g)).collect(),
                known: belief.known.clone(),
                in_hand: in_hand(t),
            });
        Question {
            now: world.now,
            wall: world.wall(p),
            born: proc.born,
            boot: proc.boot,
            spec: spec.map(|spec| Self::spec_of(spec, of)),
            elsewhere: world.elsewhere,
            frozen: world.frozen,
            of: self.scope.shared.then_some(of),
            ahead: u8::try_from((proc.in_line & ((1 << of) - 1)).count_ones()).unwrap_or(u8::MAX),
            starting: proc.tasks.iter().find(|t| t.preparing() && self.of(t) == of).map(|t| t.target),
            slots: world.slots.clone(),
            targets: about.collect(),
        }
    }

    /// The resource behind a task.
    pub fn of(&self, task: &Task) -> u8 {
        if self.scope.shared { task.target } else { 0 }
    }

    /// Whether a process starts anything of a resource. Where several resources and followers are, followers start all but the oldest.
    fn starts(&self, world: &World, p: usize, of: u8) -> bool {
        let shared_out = self.scope.shared && self.scope.followers > 0;
        if shared_out {
            world.procs[p].follows == (of > 0)
        } else {
            !world.procs[p].follows
        }
    }

    /// People change the oldest resource only; the others keep what they were made with.
    fn spec_of(spec: Spec, of: u8) -> Spec {
        if of == 0 {
            return spec;
        }
        Spec {
            suspend: false,
            frozen: false,
            ..spec
        }
    }

    fn cached(&self, receipt: &Rcpt, known: u8) -> Rcpt {
        let mut cached = receipt.clone();
        cached.facts.truncate(usize::from(known));
        if self.without(Mutation::RetryFailed) && cached.ended() == Some(EndKind::Failed) {
            cached.facts.retain(|f| matches!(f, Fact::End(..)));
            cached.facts = cached
                .facts
                .iter()
                .map(|f| {
                    if let Fact::End(_, at) = f {
                        Fact::End(EndKind::NotTaken, *at)
                    } else {
                        *f
                    }
                })
                .collect();
        }
        if self.without(Mutation::HintForgotten) {
            cached.facts.retain(|f| !matches!(f, Fact::Hint));
        }
        let adopted = cached.facts.iter().any(|f| matches!(f, Fact::Adopted(_)));
        if self.without(Mutation::EndAtOnce) && adopted {
            // As if the vendor had answered.
            cached.facts.retain(|f| !matches!(f, Fact::Answer(..)));
            cached.facts.push(Fact::Answer(Word::Accepted, 0));
        }
        cached
    }

    fn believed(&self, glance: &Glance) -> Glance {
        let elsewhere = glance.elsewhere && !self.without(Mutation::AnyAuthority);
        Glance {
            elsewhere,
            ..glance.clone()
        }
    }

    fn ask(&self, world: &mut World, p: usize, question: Question) -> Outcome {
        let outcome = self.core.judge(question);
        for (belief, memory) in world.procs[p].beliefs.iter_mut().zip(&outcome.memory) {
            belief.memory = *memory;
        }
        outcome
    }

    fn decide(&self, world: &mut World, p: usize, news: News) -> Option<()> {
        let spec = if news.stale { world.stale } else { world.spec }?;
        self.hear(world, p, news);
        let outcome = self.ask(world, p, self.question(world, p, Some(spec), news.of));
        if self.scope.shared {
            if !self.without(Mutation::KeepsPlace) {
                world.procs[p].in_line &= !(1 << news.of);
            }
            world.procs[p].in_line |= u8::from(outcome.in_line) << news.of;
        }
        show(world, p, spec, &outcome);
        if !outcome.writes.is_empty() {
            self.conclude(world, p, &outcome);
            return Some(());
        }
        if self.without(Mutation::LateAnyway) && self.scope.calendar.too_late(world.wall(p)) {
            self.note_late(world, spec.version);
            return Some(());
        }
        let Some(effect) = outcome.effect else { return Some(()) };
        if self.without(Mutation::NoNote) && effect.note == Some(NoteWord::AlreadyAtVersion) {
            world.shown[usize::from(effect.target)][usize::from(effect.version)] = Some(Shown::Success);
            return Some(());
        }
        let busy = |t: &Task| t.preparing() && self.of(t) == news.of;
        if world.elsewhere || !self.starts(world, p, news.of) || world.procs[p].tasks.iter().any(busy) {
            return Some(());
        }
        let (sight, dated_wall) = (glance(world, usize::from(effect.target)), world.wall(p));
        world.procs[p].tasks.push(Task {
            stage: Stage::Prepared,
            target: effect.target,
            seq: effect.seq,
            version: effect.version,
            note: effect.note,
            before: effect.before,
            dated: sight.asked,
            dated_wall,
            closes: effect.closes,
            shut: None,
            freezes: (false, false),
            wrong: false,
            sight,
            attempt: 0,
        });
        Some(())
    }

    fn sweep(&self, world: &mut World, p: usize, news: News) -> Option<()> {
        if world.spec.is_some() {
            return None;
        }
        self.hear(world, p, news);
        let outcome = self.ask(world, p, self.question(world, p, None, 0));
        self.conclude(world, p, &outcome);
        Some(())
    }

    /// Steps 2 (its end) and 3.
    fn confirm(&self, world: &mut World, p: usize, k: usize) -> Option<()> {
        let past = |t: &Task| t.preparing() && t.stage > Stage::Prepared;
        if world.procs[p].tasks.iter().any(past) {
            // Starts of one Connection in one process take the steps up to the receipt one after another.
            return None;
        }
        let mut task = world.procs[p].tasks.remove(k);
        let t = usize::from(task.target);
        if self.without(Mutation::DatedByArrival) || task.blind() {
            (task.dated, task.dated_wall) = (world.now, world.wall(p));
        }
        if !task.blind() {
            let arrived = Glance {
                asked: task.dated,
                ..task.sight.clone()
            };
            put(&mut world.procs[p].beliefs[t].sights, arrived, self.scope.sights);
        }
        let Some(spec) = world.spec else { return Some(()) };
        if !self.without(Mutation::StaleSeq) {
            learn_last(world, p, t);
        }
        let of = self.of(&task);
        let outcome = self.ask(world, p, self.question(world, p, Some(spec), of));
        let again = if self.without(Mutation::DecidedOnce) {
            Some(task.effect())
        } else {
            outcome.effect
        };
        let again = again.filter(|e| (e.target, e.seq, e.version, e.note) == (task.target, task.seq, task.version, task.note));
        let Some(again) = again.filter(|_| !world.elsewhere) else {
            return Some(());
        };
        if again.note.is_none() {
            // P4, as the live read shows it.
            let spec = Self::spec_of(spec, of);
            let right = !spec.suspend && spec.version == again.version && !again.before.faulted && again.before.version < again.version;
            task.freezes = (spec.frozen, world.frozen);
            task.wrong = !right || !self.scope.open(world.wall(p), task.freezes);
        }
        task.before = again.before;
        if !self.without(Mutation::WindowSeenBefore) {
            task.closes = again.closes;
        }
        task.sight.look = Look::default();
        task.sight.moving = false;
        task.stage = Stage::Confirmed { clean: true };
        world.procs[p].tasks.push(task);
        Some(())
    }

    /// Writes what was concluded, if the receipt still says what it was concluded from.
    fn conclude(&self, world: &mut World, p: usize, outcome: &Outcome) {
        for (target, seq, fact) in &outcome.writes {
            let (t, at) = (usize::from(*target), usize::from(*seq) - 1);
            let known = usize::from(world.procs[p].beliefs[t].cache[at]);
            if known == world.ledgers[t][at].facts.len() || self.without(Mutation::Overtaken) {
                world.ledgers[t][at].write(*fact);
            }
            learn(world, p, t, at);
        }
    }

    /// What reaches a process before a pass.
    pub fn hear(&self, world: &mut World, p: usize, news: News) {
        if news.watch {
            sync(world, p);
        }
        for t in (0..world.things.len()).filter(|t| news.looks & (1 << t) != 0) {
            let seen = glance(world, t);
            put(&mut world.procs[p].beliefs[t].sights, seen, self.scope.sights);
        }
    }
}

/// A receipt that was read or written live goes into the cache.
pub fn learn(world: &mut World, p: usize, t: usize, at: usize) {
    let cache = &mut world.procs[p].beliefs[t].cache;
    let known = u8::try_from(world.ledgers[t][at].facts.len()).unwrap_or(u8::MAX);
    if at < cache.len() {
        cache[at] = known;
    } else if at == cache.len() {
        cache.push(known);
    }
}

/// The cached ledger's last receipt is read live, by name.
fn learn_last(world: &mut World, p: usize, t: usize) {
    if let Some(at) = world.procs[p].beliefs[t].cache.len().checked_sub(1) {
        learn(world, p, t, at);
    }
}

fn sync(world: &mut World, p: usize) {
    for t in 0..world.ledgers.len() {
        let all = world.ledgers[t].iter().map(|r| u8::try_from(r.facts.len()).unwrap_or(u8::MAX));
        world.procs[p].beliefs[t].cache = all.collect();
    }
}

/// Dies and comes back: a list of all receipts is the first thing that a process reads.
pub fn crash(world: &mut World, p: usize) {
    world.left.crash = world.left.crash.saturating_sub(1);
    world.crashed = true;
    world.crashed_at = world.procs[p].tasks.iter().map(|t| t.stage).max();
    world.procs[p] = Proc {
        follows: world.procs[p].follows,
        born: world.now,
        beliefs: vec![Belief::default(); world.ledgers.len()],
        ..Proc::default()
    };
    sync(world, p);
}

/// One look at a target, asked now.
pub fn glance(world: &World, t: usize) -> Glance {
    if world.elsewhere {
        // The other endpoint shows what the target once looked like.
        return Glance {
            asked: world.now,
            elsewhere: true,
            look: Look::default(),
            moving: false,
        };
    }
    let thing = &world.things[t];
    Glance {
        asked: world.now,
        elsewhere: false,
        look: thing.look.clone(),
        moving: thing.moving,
    }
}

fn put(sights: &mut Vec<Glance>, seen: Glance, kept: usize) {
    let at = sights.partition_point(|s| s.asked <= seen.asked);
    sights.insert(at, seen);
    if sights.len() > kept {
        sights.remove(0);
    }
}

/// Somebody wrote the Connection: resourceVersions read before do not fit any more.
pub fn connection_changed(world: &mut World) {
    for task in world.procs.iter_mut().flat_map(|p| &mut p.tasks) {
        if let Stage::Confirmed { clean } = &mut task.stage {
            *clean = false;
        }
    }
}

/// What people see: terminal states do not change, and nobody is told UNKNOWN without a cause.
fn show(world: &mut World, p: usize, spec: Spec, outcome: &Outcome) {
    for (t, row) in outcome.rows.iter().enumerate() {
        let Some((state, reason)) = *row else { continue };
        let shown = match state {
            State::Success => Some(Shown::Success),
            State::Rejected => Some(Shown::Rejected),
            State::Failed => Some(Shown::Failed),
            State::Cancelled => Some(Shown::Cancelled),
            _ => None,
        };
        let place = &mut world.shown[t][usize::from(spec.version)];
        // Going back to a version that was left is a new wish, and is refused as such.
        let left_behind = reason == Reason::WouldDowngrade;
        if let (Some(was), Some(is)) = (*place, shown)
            && was != is
            && !left_behind
        {
            world.broken.p5 = true;
        }
        if place.is_none() && !left_behind {
            *place = shown;
        }
        // Known for HORIZON without an answer: its holder sits still, which nobody can tell from a crash.
        let silent = world.procs[p].beliefs[t].memory.is_some_and(|m| world.now >= m.open + HORIZON);
        if state == State::Unknown && !world.crashed && !world.lost && !silent {
            world.broken.p8 = true;
        }
    }
}
