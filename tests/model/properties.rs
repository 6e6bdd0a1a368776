//! The invariants P1 to P8 of the protocol, as properties of the explored worlds.
//!
//! What is exempt, and why: a run that the vendor accepted and gave up again without a trace ("if it was taken and failed its precheck,
//! nothing changed either") counts as a start only where its acceptance had been recorded; slots after somebody emptied the Connection's
//! status are not counted, as reservations live there.

use stateright::Model;
use stateright::Property;
use windlass::upgrade::receipt::EndKind;

use super::actions::Action;
use super::protocol::Protocol;
use super::quiet;
use super::world::Fact;
use super::world::GRACE;
use super::world::Rcpt;
use super::world::Shown;
use super::world::Stage;
use super::world::Tick;
use super::world::Truth;
use super::world::Word;
use super::world::World;

pub const P1: &str = "P1 a receipt is sent at most once, by whoever created it";
pub const P2: &str = "P2 a run is accepted at most once";
pub const P3: &str = "P3 one open receipt, and no send beside another's request";
pub const P4: &str = "P4 what allowed a send was fresh, its time was right, and slots were free";
pub const LATE: &str = "NotStartedInTime: it is too late, and nothing was or will be sent";
pub const P5: &str = "P5 facts are write-once, and an end that was shown stays";
pub const P6: &str = "P6 not taken is never contradicted";
pub const P7: &str = "P7 once faults stop, everything ends or is UNKNOWN, and nothing is forgotten";
pub const P8: &str = "P8 UNKNOWN has a cause";

/// Ticks until a receipt that nobody sent has been in doubt for long enough, was looked at twice since, and another was sent.
const A_DOUBT: Tick = GRACE + 3;

/// Ticks until a start whose answer nobody heard is in doubt, was seen to be under way, and was seen to be over.
const AN_ANSWER_LOST: Tick = 3;

/// The run was started as far as anybody could ever tell.
fn counts(receipt: &Rcpt, truth: Truth) -> bool {
    let hinted = receipt.facts.contains(&Fact::Hint);
    truth.taken && (!truth.undone || hinted || accepted_before_end(receipt))
}

/// An acceptance stands in the receipt, and no end was written before it.
fn accepted_before_end(receipt: &Rcpt) -> bool {
    let accepted = receipt.facts.iter().position(|f| matches!(f, Fact::Answer(Word::Accepted, _)));
    let end = receipt.facts.iter().position(|f| matches!(f, Fact::End(..)));
    accepted.is_some_and(|a| end.is_none_or(|e| a < e))
}

fn started_once(_: &Protocol, world: &World) -> bool {
    world.ledgers.iter().zip(&world.truths).all(|(ledger, truths)| {
        let started = |version: u8| {
            ledger
                .iter()
                .zip(truths)
                .filter(move |(r, t)| r.version == version && counts(r, **t))
                .count()
        };
        (0..3).all(|version| started(version) <= 1)
    })
}

fn one_open(_: &Protocol, world: &World) -> bool {
    let in_order = |ledger: &Vec<Rcpt>| ledger.iter().rev().skip(1).all(|r| !r.open());
    !world.broken.p3 && world.ledgers.iter().all(in_order)
}

fn fresh_and_free(protocol: &Protocol, world: &World) -> bool {
    let ours = |r: &&Rcpt| r.open() && r.note.is_none();
    let open = world.ledgers.iter().filter_map(|l| l.last()).filter(ours).count();
    let most = if protocol.scope.shared {
        protocol.scope.limit
    } else {
        protocol.scope.max_concurrent
    };
    !world.broken.p4 && (world.wiped || open <= most)
}

fn write_once(_: &Protocol, world: &World) -> bool {
    let kinds = |r: &Rcpt| {
        let count = |kind: fn(&Fact) -> bool| r.facts.iter().filter(|f| kind(f)).count();
        [
            count(|f| matches!(f, Fact::Answer(..))),
            count(|f| matches!(f, Fact::Adopted(_))),
            count(|f| matches!(f, Fact::Hint)),
            count(|f| matches!(f, Fact::End(..))),
        ]
    };
    !world.broken.p5 && world.ledgers.iter().flatten().all(|r| kinds(r).into_iter().all(|n| n <= 1))
}

fn not_contradicted(_: &Protocol, world: &World) -> bool {
    let refused = |r: &Rcpt| matches!(r.ended(), Some(EndKind::NotTaken | EndKind::Withdrawn | EndKind::Rejected));
    let pairs = world.ledgers.iter().flatten().zip(world.truths.iter().flatten());
    let adopted = |r: &Rcpt| r.facts.iter().any(|f| matches!(f, Fact::Adopted(_)));
    pairs
        .into_iter()
        .all(|(r, truth)| !(refused(r) && (counts(r, *truth) || adopted(r))))
}

fn success_after_crash_at(world: &World, stage: fn(&Stage) -> bool) -> bool {
    let died = world.crashed_at.is_some_and(|s| stage(&s));
    died && world.shown.iter().flatten().any(|s| *s == Some(Shown::Success))
}

impl Protocol {
    fn anti_vacuity(&self) -> Vec<Property<Protocol>> {
        let mut all = vec![Property::<Protocol>::sometimes("SUCCESS is reached", |_, w| {
            w.shown.iter().flatten().any(|s| *s == Some(Shown::Success))
        })];
        if self.scope.every_step {
            all.extend([
                Property::sometimes("SUCCESS after a crash while preparing", |_, w: &World| {
                    success_after_crash_at(w, |s| *s == Stage::Prepared)
                }),
                Property::sometimes("SUCCESS after a crash between confirm and reserve", |_, w: &World| {
                    success_after_crash_at(w, |s| matches!(s, Stage::Confirmed { .. }))
                }),
                Property::sometimes("SUCCESS after a crash between reserve and append", |_, w: &World| {
                    success_after_crash_at(w, |s| *s == Stage::Reserved)
                }),
            ]);
            // What is in doubt is told by a later look.
            if self.scope.ticks >= AN_ANSWER_LOST {
                all.extend([
                    Property::sometimes("SUCCESS after a crash while waiting for the answer", |_, w: &World| {
                        success_after_crash_at(w, |s| *s == Stage::Sent)
                    }),
                    Property::sometimes("SUCCESS after a crash between answer and record", |_, w: &World| {
                        success_after_crash_at(w, |s| matches!(s, Stage::Answered(_)))
                    }),
                ]);
            }
            // A world without that much time never gets there.
            if self.scope.ticks >= A_DOUBT {
                all.extend([
                    Property::sometimes("SUCCESS after a crash between append and arm", |_, w: &World| {
                        success_after_crash_at(w, |s| *s == Stage::Permitted)
                    }),
                    Property::sometimes("SUCCESS after a crash between arm and send", |_, w: &World| {
                        success_after_crash_at(w, |s| matches!(s, Stage::Armed { .. }))
                    }),
                ]);
            }
        }
        all
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.start()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.possible(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        self.step(world, action)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.ledgers.iter().all(|l| l.len() <= self.scope.receipts)
    }

    fn properties(&self) -> Vec<Property<Protocol>> {
        let mut all = vec![
            Property::always(P1, |_, w: &World| !w.broken.p1),
            Property::always(P2, started_once),
            Property::always(P3, one_open),
            Property::always(P4, fresh_and_free),
            Property::always(LATE, |_, w: &World| !w.broken.late),
            Property::always(P5, write_once),
            Property::always(P6, not_contradicted),
            Property::always(P7, quiet::settles),
            Property::always(P8, |_, w: &World| !w.broken.p8),
        ];
        if self.scope.without.is_none() {
            all.extend(self.anti_vacuity());
        }
        all
    }
}
