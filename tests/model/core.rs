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
use windlass::upgrade::memory::Memory;
use windlass::upgrade::memory::Seen;
use windlass::upgrade::reason::Reason;
use windlass::upgrade::reason::State;
use windlass::upgrade::receipt::*;
use windlass::upgrade::schedule::Schedule;
use windlass::upgrade::target::Authority;
use windlass::upgrade::target::TargetKey;
use windlass::upgrade::timing::Mono;
use windlass::upgrade::timing::Timing;

use super::convert::boot;
use super::convert::fact;
use super::convert::mono;
use super::convert::wish;
use super::quick::Quick;
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
pub const NAME: &str = "nightly";

/// Everything that one pass of one process rests on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub now: Tick,
    pub born: Tick,
    pub boot: Option<u8>,
    /// `None`: the resource is gone, and the sweep asks.
    pub spec: Option<Spec>,
    /// The Connection names the other endpoint.
    pub elsewhere: bool,
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
}

/// The product's functions with the durations of the small clock.
pub struct Core {
    pub timing: Timing,
    max_concurrent: usize,
    pub stamps: bool,
    pub start: Timestamp,
    pub here: Authority,
    pub elsewhere: Authority,
    keys: Vec<TargetKey>,
    answers: RwLock<HashMap<Question, Outcome, Quick>>,
}

/// TTL 1, HORIZON 2, GRACE 3. The connect timeout is what a permit keeps in reserve: it dies just before the tick does.
pub fn timing() -> Timing {
    Timing {
        ttl: TICK,
        connect_timeout: TICK / 60,
        start_timeout_vcenter: TICK / 2,
        horizon_slack: TICK / 2,
        grace: TICK * 3,
        retry_first: TICK,
        retry_max: TICK * 2,
        ..Timing::production()
    }
}

impl Core {
    pub fn new(timing: Timing, targets: usize, max_concurrent: usize, stamps: bool) -> Core {
        let at = |url| Authority::from_url(url).unwrap_or_else(|_| Authority::unknown());
        let here = at("https://vc1.example");
        let keys = (0..targets)
            .map(|t| TargetKey::cluster(here.clone(), &format!("domain-c{t}")))
            .collect();
        Core {
            timing,
            max_concurrent,
            stamps,
            start: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000),
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
        for (key, about) in self.keys.iter().zip(&q.targets) {
            let receipts = (1..).zip(&about.receipts).map(|(seq, r)| self.receipt(key, seq, r)).collect();
            let ledger = Ledger::read(key, receipts);
            out.damaged |= ledger.is_err();
            let open = ledger.as_ref().ok().and_then(|l| l.open());
            let (seen, memory) = self.remember(q, about, open);
            out.memory.push(memory);
            let ours = |r: &Receipt| r.holder.as_ref().is_some_and(|h| q.boot.is_some_and(|b| boot(b).made(h)));
            let claimed = |r: &Receipt| about.known.iter().any(|seq| u32::from(*seq) == r.seq);
            targets.push(TargetFacts {
                key: key.clone(),
                wish: q.spec.filter(|_| !q.elsewhere).map(wish),
                sights: about.sights.iter().map(|g| self.sight(g, q.born)).collect(),
                unchanged_since: None,
                seen,
                abandoned_by_us: open.is_some_and(|r| ours(r) && !claimed(r)),
                ledger,
            });
        }
        match q.spec {
            Some(spec) => self.decide(q, spec, targets, &mut out),
            None => self.sweep(q, &targets, &mut out),
        }
        out
    }

    fn decide(&self, q: &Question, spec: Spec, mut targets: Vec<TargetFacts>, out: &mut Outcome) {
        if q.elsewhere {
            // The clusters of the other endpoint are other targets, which nobody has looked at.
            let others =
                (0..targets.len()).map(|t| Self::untouched(TargetKey::cluster(self.elsewhere.clone(), &format!("domain-c{t}")), spec));
            let theirs: Vec<TargetFacts> = others.collect();
            targets.retain(|t| t.ledger.as_ref().is_ok_and(|l| l.open().is_some()));
            targets = theirs.into_iter().chain(targets).collect();
        }
        let decision = decide(&self.facts(q, spec, targets));
        out.effect = decision.effect.as_ref().and_then(|e| self.effect(e));
        out.rows = self.rows(q, &decision);
        (out.stalled, out.blocked, out.wake) = (decision.summary.stalled, !decision.blockers.is_empty(), decision.wake);
        for write in &decision.writes {
            out.writes
                .extend(self.place(&write.receipt).map(|(t, seq)| (t, seq, fact(&write.fact, q.now))));
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
                seen: target.seen,
                abandoned_by_us: target.abandoned_by_us,
                timeout: TICK * 20,
                wall: self.wall(q.now),
                mono: mono(q.now, q.born),
                timing: &self.timing,
            };
            let concluded = match conclude(open, &evidence) {
                Conclusion::Adopt { how } => CoreFact::Adopted { how },
                Conclusion::End { kind, how } => CoreFact::End { kind, how },
                Conclusion::Doubt { stalled, .. } => {
                    out.stalled |= stalled;
                    continue;
                }
                _ => continue,
            };
            out.writes
                .extend(self.place(&open.name).map(|(t, seq)| (t, seq, fact(&concluded, q.now))));
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

    fn facts(&self, q: &Question, spec: Spec, targets: Vec<TargetFacts>) -> Facts {
        let subject = Subject {
            kind: KIND,
            namespace: NAMESPACE.to_owned(),
            name: NAME.to_owned(),
            uid: "uid".to_owned(),
            generation: 1,
        };
        let by = subject.by();
        let reservation = |slot: &Slot| Reservation {
            target: self.keys[usize::from(slot.target)].object.clone(),
            seq: u32::from(slot.seq),
            at: self.wall(slot.at),
            by: by.clone(),
            written: targets.iter().any(|t| {
                let last = t.ledger.as_ref().ok().and_then(|l| l.last());
                t.key.object == self.keys[usize::from(slot.target)].object && last.is_some_and(|l| l.seq >= u32::from(slot.seq))
            }),
        };
        Facts {
            wall: self.wall(q.now),
            mono: mono(q.now, q.born),
            timing: self.timing.clone(),
            starts_enabled: true,
            deleting: false,
            suspend: spec.suspend,
            hold: None,
            schedule: Ok(Schedule::default()),
            strategy: Strategy {
                max_concurrent: self.max_concurrent,
                max_failures: 9,
                soak: Duration::ZERO,
            },
            timeout: TICK * 20,
            connection: ConnectionFacts {
                name: "vc1".to_owned(),
                usable: Usable::Yes,
                suspend: false,
                hold: None,
                schedule: Ok(Schedule::default()),
                reservations: q.slots.iter().map(reservation).collect(),
                limit: 9,
                open: BTreeSet::new(),
                ahead: BTreeSet::new(),
            },
            targets,
            starting: q.starting.map(|t| self.keys[usize::from(t)].clone()),
            last_refusal: None,
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
            abandoned_by_us: false,
        }
    }

    fn effect(&self, effect: &windlass::upgrade::decision::Effect) -> Option<Effect> {
        let target = self.keys.iter().position(|k| *k == effect.key)?;
        let version = VERSIONS.iter().position(|v| *v == effect.run.version)?;
        let at = VERSIONS.iter().position(|v| *v == effect.before.version)?;
        let desired = effect.before.desired.as_ref().and_then(|d| VERSIONS.iter().position(|v| v == d));
        let note = match effect.what {
            What::Start => None,
            What::Note(Note::AlreadyAtVersion) => Some(NoteWord::AlreadyAtVersion),
            What::Note(Note::Adopted) => Some(NoteWord::Adopted),
            What::Note(Note::WouldDowngrade | Note::NotStartedInTime) => Some(NoteWord::WouldDowngrade),
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
        })
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
