//! The bridge to the product: small numbers in, the product's own types, its own functions, small numbers out.
//!
//! [`Core::judge`] is the only door. Behind it run the real `Memory::look`, `Ledger::read`, `decide` (and in it `Ledger::standing`,
//! `Receipt::standing`, `conclude`) and, where the resource is gone, the real `conclude` as the sweep calls it. All of them are pure, so
//! an answer is remembered by the *whole* question: the same question is not worked out twice.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use windlass::upgrade::conclude::Conclusion;
use windlass::upgrade::conclude::Evidence;
use windlass::upgrade::conclude::conclude;
use windlass::upgrade::decide::decide;
use windlass::upgrade::decision::Decision;
use windlass::upgrade::decision::Fact as CoreFact;
use windlass::upgrade::decision::What;
use windlass::upgrade::facts::ConnectionFacts;
use windlass::upgrade::facts::Facts;
use windlass::upgrade::facts::Reservation;
use windlass::upgrade::facts::Strategy;
use windlass::upgrade::facts::Subject;
use windlass::upgrade::facts::TargetFacts;
use windlass::upgrade::facts::Usable;
use windlass::upgrade::ledger::Ledger;
use windlass::upgrade::memory::Custody;
use windlass::upgrade::memory::Memory;
use windlass::upgrade::memory::Seen;
use windlass::upgrade::reason::Reason;
use windlass::upgrade::reason::State;
use windlass::upgrade::receipt::*;
use windlass::upgrade::schedule::Freeze;
use windlass::upgrade::schedule::Schedule;
use windlass::upgrade::schedule::Written;
use windlass::upgrade::schedule::WrittenWindow;
use windlass::upgrade::target::Authority;
use windlass::upgrade::target::TargetKey;
use windlass::upgrade::timing::Mono;
use windlass::upgrade::timing::Timing;
use windlass::upgrade::when::allowed_at;
use windlass::upgrade::when::too_late_at;

use super::convert::boot;
use super::convert::fact;
use super::convert::mono;
use super::convert::wish;
use super::quick::Quick;
use super::scope::Hours;
use super::scope::Mutation;
use super::scope::Scope;
use super::world::Fact;
use super::world::FirstSeen;
use super::world::Glance;
use super::world::Look;
use super::world::NoteWord;
use super::world::Rcpt;
use super::world::Slot;
use super::world::Spec;
use super::world::TICK;
use super::world::Tick;
use super::world::VERSIONS;

pub const KIND: &str = "ClusterUpgradeBatch";
pub const NAMESPACE: &str = "vsphere";

/// Everything that one pass of one process rests on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub now: Tick,
    /// What the process's wall clock says.
    pub wall: Tick,
    pub born: Tick,
    pub boot: Option<u8>,
    /// `None`: the resource is gone, and the sweep asks.
    pub spec: Option<Spec>,
    /// The Connection names the other endpoint.
    pub elsewhere: bool,
    /// The Connection has a freeze.
    pub frozen: bool,
    /// The resource that asks, where each target has its own.
    pub of: Option<u8>,
    /// Older resources that wait for a slot of the Connection.
    pub ahead: u8,
    pub starting: Option<u8>,
    pub slots: Vec<Slot>,
    pub targets: Vec<AboutTarget>,
}

/// What a process believes about one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AboutTarget {
    pub receipts: Vec<Rcpt>,
    pub memory: Option<FirstSeen>,
    pub sights: Vec<Glance>,
    /// Receipts whose permit this process claimed.
    pub known: Vec<u8>,
    /// Of these, the one that a task here has in hand.
    pub in_hand: Option<u8>,
}

/// What the product answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub memory: Vec<Option<FirstSeen>>,
    pub writes: Vec<(u8, u8, Fact)>,
    pub effect: Option<Effect>,
    /// By target; `None` for one that is not asked for.
    pub rows: Vec<Option<(State, Reason)>>,
    pub stalled: bool,
    pub blocked: bool,
    pub wake: Option<Duration>,
    /// It waits for nothing but a slot of the Connection.
    pub in_line: bool,
    /// A ledger could not be read.
    pub damaged: bool,
}

/// A receipt to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub target: u8,
    pub seq: u8,
    pub version: u8,
    pub before: Look,
    pub note: Option<NoteWord>,
    /// When the schedules no longer allow it.
    pub closes: Option<Tick>,
}

/// The product's functions with the durations of the small clock.
pub struct Core {
    pub timing: Timing,
    scope: Scope,
    hours: [Plan; 2],
    pub stamps: bool,
    pub mute: bool,
    pub start: Timestamp,
    pub here: Authority,
    pub elsewhere: Authority,
    keys: Vec<TargetKey>,
    answers: RwLock<HashMap<Question, Outcome, Quick>>,
}

/// TTL 1 or 2, HORIZON a tick or less above it, GRACE 3. The connect timeout is what a permit keeps in reserve: it dies just before the
/// tick does.
pub fn timing(scope: &Scope) -> Timing {
    let slack = if scope.ttl == 1 { TICK / 2 } else { TICK / 4 };
    Timing {
        ttl: TICK * u32::from(scope.ttl),
        lead: TICK * u32::from(scope.ttl + 1),
        connect_timeout: TICK / 60,
        start_timeout_vcenter: slack,
        start_timeout_appliance: slack,
        start_timeout_hmc: slack,
        start_timeout_central: slack,
        horizon_slack: slack,
        grace: TICK * 3,
        retry_first: TICK,
        retry_max: TICK * 2,
        ..Timing::production()
    }
}

/// One schedule as the product reads it, without a freeze and with one.
struct Plan {
    calm: Schedule,
    frozen: Schedule,
}

impl Plan {
    fn new(hours: Hours, freeze_from: Tick, start: Timestamp) -> Plan {
        let at = |tick: Tick| start + TICK * u32::from(tick);
        let hour = start.as_second() / 3600 % 24;
        let window = hours.window.map(|(from, until)| WrittenWindow {
            cron: format!("{from} {hour} * * *"),
            duration: TICK * u32::from(until - from),
            time_zone: "UTC".to_owned(),
        });
        let calm = Written {
            not_before: None,
            not_after: hours.not_after.map(at),
            windows: window.into_iter().collect(),
            freezes: Vec::new(),
        };
        let freeze = Freeze {
            from: at(freeze_from),
            until: start + SignedDuration::from_hours(24 * 365),
            reason: None,
        };
        let frozen = Written {
            freezes: vec![freeze],
            ..calm.clone()
        };
        let read = |written| Schedule::parse(&written).expect("the small clock's schedules can be obeyed");
        Plan {
            calm: read(calm),
            frozen: read(frozen),
        }
    }

    fn when(&self, frozen: bool) -> &Schedule {
        if frozen { &self.frozen } else { &self.calm }
    }
}

impl Core {
    pub fn new(timing: Timing, scope: &Scope) -> Core {
        let at = |url| Authority::from_url(url).unwrap_or_else(|_| Authority::unknown());
        let here = at("https://vc1.example");
        let start = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
        let mut calendar = scope.calendar;
        if scope.without == Some(Mutation::ConnectionSchedule) {
            calendar.connection = Hours::default();
        }
        let keys = (0..scope.targets)
            .map(|t| TargetKey::cluster(here.clone(), &format!("domain-c{t}")))
            .collect();
        Core {
            timing,
            hours: [calendar.own, calendar.connection].map(|hours| Plan::new(hours, scope.freeze_from, start)),
            stamps: scope.stamps,
            mute: scope.mute,
            scope: *scope,
            start,
            elsewhere: at("https://fake.example"),
            here,
            keys,
            answers: RwLock::default(),
        }
    }

    /// One pass: what the product does, shows and remembers.
    pub fn judge(&self, question: Question) -> Outcome {
        let known = self.answers.read().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        known.unwrap_or_else(|| {
            let outcome = self.ask(&question);
            let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
            answers.insert(question, outcome.clone());
            outcome
        })
    }

    /// How many different questions were put to the product.
    pub fn asked(&self) -> usize {
        self.answers.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn ask(&self, q: &Question) -> Outcome {
        let mut out = Outcome::default();
        let mut targets = Vec::new();
        let mut open_through = BTreeSet::new();
        for (t, (key, about)) in (0..).zip(self.keys.iter().zip(&q.targets)) {
            let receipts = (1..).zip(&about.receipts).map(|(seq, r)| self.receipt(key, seq, r)).collect();
            let ledger = Ledger::read(key, receipts);
            out.damaged |= ledger.is_err();
            let open = ledger.as_ref().ok().and_then(|l| l.open());
            open_through.extend(open.map(|_| key.object.clone()));
            if q.of.is_some_and(|of| of != t) {
                out.memory.push(about.memory);
                continue;
            }
            let (seen, memory) = self.remember(q, about, open);
            out.memory.push(memory);
            targets.push(TargetFacts {
                key: key.clone(),
                wish: q.spec.filter(|_| !q.elsewhere).map(wish),
                sights: about.sights.iter().map(|g| self.sight(g, q.born)).collect(),
                unchanged_since: None,
                seen,
                custody: open.map_or(Custody::None, |open| self.custody(q, about, open)),
                ledger,
            });
        }
        match q.spec {
            Some(spec) => self.decide(q, spec, (targets, open_through), &mut out),
            None => self.sweep(q, &targets, &mut out),
        }
        out
    }

    fn decide(&self, q: &Question, spec: Spec, (mut targets, open): (Vec<TargetFacts>, BTreeSet<String>), out: &mut Outcome) {
        if q.elsewhere {
            // The clusters of the other endpoint are other targets, which nobody has looked at.
            let others =
                (0..targets.len()).map(|t| Self::untouched(TargetKey::cluster(self.elsewhere.clone(), &format!("domain-c{t}")), spec));
            let theirs: Vec<TargetFacts> = others.collect();
            targets.retain(|t| t.ledger.as_ref().is_ok_and(|l| l.open().is_some()));
            targets = theirs.into_iter().chain(targets).collect();
        }
        let decision = decide(&self.facts(q, spec, (targets, open)));
        out.effect = decision.effect.as_ref().and_then(|e| self.effect(e));
        out.rows = self.rows(q, &decision);
        (out.stalled, out.blocked, out.wake) = (decision.summary.stalled, !decision.blockers.is_empty(), decision.wake);
        out.in_line = decision.in_line.is_some_and(|line| line.from <= self.wall(q.wall));
        for write in &decision.writes {
            out.writes
                .extend(self.place(&write.receipt).map(|(t, seq)| (t, seq, fact(&write.fact, q.wall))));
        }
    }

    fn sweep(&self, q: &Question, targets: &[TargetFacts], out: &mut Outcome) {
        for target in targets {
            let Some(open) = target.ledger.as_ref().ok().and_then(|l| l.open()) else {
                continue;
            };
            let evidence = Evidence {
                key: &target.key,
                sights: &target.sights,
                unchanged_since: target.unchanged_since,
                seen: target.seen,
                custody: target.custody,
                timeout: TICK * 20,
                wall: self.wall(q.wall),
                mono: mono(q.now, q.born),
                timing: &self.timing,
            };
            let concluded = match conclude(open, &evidence) {
                Conclusion::Adopt { how, job } => CoreFact::Adopted { how, job },
                Conclusion::Hint { how } => CoreFact::Hint { how },
                Conclusion::End { kind, how } => CoreFact::End { kind, how },
                Conclusion::Doubt { stalled, .. } => {
                    out.stalled |= stalled;
                    continue;
                }
                _ => continue,
            };
            out.writes
                .extend(self.place(&open.name).map(|(t, seq)| (t, seq, fact(&concluded, q.wall))));
        }
    }

    /// What the process has to do with an open receipt; a task that died with its process left nothing in hand.
    fn custody(&self, q: &Question, about: &AboutTarget, open: &Receipt) -> Custody {
        let ours = open.holder.as_ref().is_some_and(|h| q.boot.is_some_and(|b| boot(b).made(h)));
        let is = |seq: &u8| u32::from(*seq) == open.seq;
        if ours && !about.known.iter().any(is) {
            Custody::Abandoned
        } else if ours && about.in_hand.as_ref().is_some_and(is) && self.scope.without != Some(Mutation::NotInHand) {
            Custody::InHand
        } else {
            Custody::None
        }
    }

    /// The real memory, put back to where this process left it and shown the receipt again.
    fn remember(&self, q: &Question, about: &AboutTarget, open: Option<&Receipt>) -> (Seen, Option<FirstSeen>) {
        let Some(open) = open else { return (Seen::default(), about.memory) };
        let mut memory = Memory::default();
        let now = mono(q.now, q.born);
        if let Some(before) = about.memory.filter(|m| u32::from(m.seq) == open.seq) {
            let mut look = |at: Tick, answer: Option<Answer>| {
                let at_mono = mono(at, q.born);
                let shown = Receipt {
                    answer: answer.map(|answer| Answered { answer, at: self.wall(at) }),
                    adopted: None,
                    ..open.clone()
                };
                memory.look(&shown, at_mono, &self.timing);
            };
            look(before.open, None);
            let message = String::new;
            before.doubt.inspect(|at| look(*at, Some(Answer::Lost { message: message() })));
            before.accepted.inspect(|at| look(*at, Some(Answer::Accepted { job: None })));
            before
                .refused
                .inspect(|at| look(*at, Some(Answer::Rejected { message: message() })));
        }
        let seen = memory.look(open, now, &self.timing);
        let tick = |m: Mono| q.born + Tick::try_from(m.0.as_secs() / TICK.as_secs()).unwrap_or(Tick::MAX);
        let first = FirstSeen {
            seq: u8::try_from(open.seq).unwrap_or(u8::MAX),
            open: tick(seen.open),
            doubt: seen.doubt.map(tick),
            accepted: seen.accepted.map(tick),
            refused: seen.refused.map(tick),
        };
        (seen, Some(first))
    }

    fn facts(&self, q: &Question, spec: Spec, (targets, open): (Vec<TargetFacts>, BTreeSet<String>)) -> Facts {
        let subject = Subject {
            kind: KIND,
            namespace: NAMESPACE.to_owned(),
            name: self.name(&self.keys[usize::from(q.of.unwrap_or_default())]),
            uid: "uid".to_owned(),
            generation: 1,
        };
        let reservation = |slot: &Slot| Reservation {
            target: self.keys[usize::from(slot.target)].object.clone(),
            seq: u32::from(slot.seq),
            at: self.wall(slot.at),
            by: format!("{NAMESPACE}/{KIND}/{}", self.name(&self.keys[usize::from(slot.target)])),
            written: !q.elsewhere && q.targets[usize::from(slot.target)].receipts.len() >= usize::from(slot.seq),
        };
        let counted = self.scope.without != Some(Mutation::UnreservedLimit);
        // The other resource's target, which is all that it has.
        let others = self.keys.iter().filter(|k| !targets.iter().any(|t| t.key == **k));
        let older = others.take(usize::from(q.ahead)).map(|k| k.object.clone()).collect();
        Facts {
            wall: self.wall(q.wall),
            mono: mono(q.now, q.born),
            timing: self.timing.clone(),
            starts_enabled: true,
            crds_outdated: None,
            deleting: false,
            suspend: spec.suspend,
            hold: None,
            schedule: Ok(self.hours[0].when(spec.frozen).clone()),
            strategy: Strategy {
                max_concurrent: self.scope.max_concurrent,
                max_failures: 9,
                soak: Duration::ZERO,
            },
            timeout: TICK * 20,
            connection: ConnectionFacts {
                name: "vc1".to_owned(),
                usable: Usable::Yes,
                suspend: false,
                hold: None,
                schedule: Ok(self.hours[1].when(q.frozen).clone()),
                reservations: q.slots.iter().filter(|_| counted).map(reservation).collect(),
                limit: self.scope.limit,
                open,
                ahead: older,
                handed_over: None,
                quota: None,
            },
            targets,
            starting: q.starting.map(|t| self.keys[usize::from(t)].clone()),
            refusals: Vec::new(),
            asked_to_look: None,
            subject,
        }
    }

    fn untouched(key: TargetKey, spec: Spec) -> TargetFacts {
        TargetFacts {
            ledger: Ledger::read(&key, Vec::new()),
            key,
            wish: Some(wish(spec)),
            sights: Vec::new(),
            unchanged_since: None,
            seen: Seen::default(),
            custody: Custody::None,
        }
    }

    fn effect(&self, effect: &windlass::upgrade::decision::Effect) -> Option<Effect> {
        let target = self.keys.iter().position(|k| *k == effect.key)?;
        let version = VERSIONS.iter().position(|v| *v == effect.run.version)?;
        // What was never looked at was noted without a look.
        let at = VERSIONS.iter().position(|v| *v == effect.before.version).unwrap_or_default();
        let desired = effect.before.desired.as_ref().and_then(|d| VERSIONS.iter().position(|v| v == d));
        let note = match effect.what {
            What::Start => None,
            What::Note(Note::AlreadyAtVersion) => Some(NoteWord::AlreadyAtVersion),
            What::Note(Note::Adopted) => Some(NoteWord::Adopted),
            What::Note(Note::WouldDowngrade) => Some(NoteWord::WouldDowngrade),
            What::Note(Note::NotStartedInTime) => Some(NoteWord::NotInTime),
        };
        let small = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        Some(Effect {
            target: small(target),
            seq: u8::try_from(effect.seq).unwrap_or(u8::MAX),
            version: small(version),
            before: Look {
                version: small(at),
                faulted: effect.before.faulted,
                desired: desired.map(small),
                stamp: effect.before.stamp.as_ref().and_then(|s| s.parse().ok()).unwrap_or_default(),
            },
            note,
            closes: effect.closes.and_then(|at| self.tick(at)),
        })
    }

    /// The first tick at or after a moment; `None` where that is beyond the small clock.
    fn tick(&self, at: Timestamp) -> Option<Tick> {
        let past = u64::try_from(at.duration_since(self.start).as_secs()).unwrap_or_default();
        Tick::try_from(past.div_ceil(TICK.as_secs())).ok().filter(|t| *t < Tick::MAX / 2)
    }

    /// The real second look at the schedules that a start was decided on, by the API server's clock.
    pub fn allowed(&self, at: Tick, freezes: (bool, bool)) -> bool {
        allowed_at(self.hours[1].when(freezes.1), self.hours[0].when(freezes.0), self.wall(at))
    }

    /// The same for `notAfter`.
    pub fn too_late(&self, at: Tick) -> bool {
        too_late_at(&self.hours[0].calm, self.wall(at))
    }

    /// The resource that asks for a target.
    pub fn name(&self, key: &TargetKey) -> String {
        if self.scope.shared {
            format!("nightly-{}", key.object)
        } else {
            "nightly".to_owned()
        }
    }

    fn rows(&self, q: &Question, decision: &Decision) -> Vec<Option<(State, Reason)>> {
        let row = |key: &TargetKey| decision.rows.iter().find(|r| !r.removed && r.name == key.object);
        let asked_for = |key: &TargetKey| row(key).filter(|_| !q.elsewhere).map(|r| (r.state, r.reason));
        self.keys.iter().map(asked_for).collect()
    }

    fn place(&self, name: &str) -> Option<(u8, u8)> {
        (0..).zip(&self.keys).find_map(|(t, key)| {
            let seq = (1..=9).find(|seq| key.receipt_name(u32::from(*seq)) == name)?;
            Some((t, seq))
        })
    }
}
