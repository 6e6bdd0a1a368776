//! What can happen: every action that is possible in a world.
//!
//! A process that sits still while others move is a pause; that needs no action of its own, as nothing ever has to happen.

use super::protocol::Protocol;
use super::world::Belief;
use super::world::Rcpt;
use super::world::Stage;
use super::world::World;

/// One step of anybody. `p` is a process, `k` one of its tasks, `t` a target, `i` a request or a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One pass: gather from caches, decide; write what was concluded, or begin what was decided by asking a fresh look.
    Decide {
        p: usize,
        news: News,
    },
    /// One sweep, for a resource that is gone.
    Sweep {
        p: usize,
        news: News,
    },
    /// The fresh look arrives; resource, Connection and last receipt are read live and decided on again.
    Confirm {
        p: usize,
        k: usize,
    },
    /// Compare-and-swap on the Connection.
    Reserve {
        p: usize,
        k: usize,
    },
    /// The create, answered.
    Append {
        p: usize,
        k: usize,
    },
    /// The create is carried out; its answer never comes.
    AppendAmbiguous {
        p: usize,
        k: usize,
    },
    /// The create is not answered and may be carried out later.
    AppendDelayed {
        p: usize,
        k: usize,
    },
    /// An unanswered create is settled by reading, and repeated while the permit lives.
    Settle {
        p: usize,
        k: usize,
    },
    /// An unanswered create is given up: reading failed until the permit's time was over.
    GiveUp {
        p: usize,
        k: usize,
    },
    /// A delayed create is carried out.
    CommitLate {
        i: usize,
    },
    /// The last check before the socket; a permit that is too old is withdrawn.
    Arm {
        p: usize,
        k: usize,
    },
    /// The request goes out.
    Send {
        p: usize,
        k: usize,
    },
    /// No connection came about.
    ConnectFails {
        p: usize,
        k: usize,
    },
    /// The answer arrives.
    Answer {
        p: usize,
        k: usize,
    },
    /// It does not, or is a 5xx.
    LoseAnswer {
        p: usize,
        k: usize,
    },
    /// The answer is written into the receipt.
    Record {
        p: usize,
        k: usize,
    },
    /// A process dies, and another starts in its place.
    Crash {
        p: usize,
    },
    /// The vendor comes to a request.
    VendorTake {
        i: usize,
    },
    VendorRefuse {
        i: usize,
        busy: bool,
    },
    VendorDone {
        t: usize,
    },
    VendorFault {
        t: usize,
    },
    /// Accepted, then given up at a precheck: nothing shows.
    VendorAbort {
        t: usize,
    },
    /// Somebody clears a failure at the vendor.
    VendorClear {
        t: usize,
    },
    /// Somebody else brings a target to a version in no time, forth or back.
    Drift {
        t: usize,
        to: u8,
    },
    /// Somebody else begins an upgrade.
    DriftBegin {
        t: usize,
        to: u8,
    },
    Tick,
    Suspend,
    EditVersion,
    DeleteResource,
    RecreateResource,
    WipeStatus,
    MoveConnection,
    /// A freeze is set or lifted.
    FreezeResource,
    FreezeConnection,
    /// The wall clock of a process is set.
    StepWall {
        p: usize,
        forward: bool,
    },
    /// A person says what is so: taken, or not taken so far.
    Resolve {
        t: usize,
    },
}

/// What reaches a process just before a pass. Only then does it matter when it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The cached resource is the one before the last edit.
    pub stale: bool,
    /// The watch of receipts catches up.
    pub watch: bool,
    /// Looks at these targets, a bit for each.
    pub looks: u8,
    /// Which resource the pass is about, where there are several.
    pub of: u8,
}

impl Protocol {
    pub fn possible(&self, world: &World, out: &mut Vec<Action>) {
        let left = &world.left;
        for (p, proc) in world.procs.iter().enumerate() {
            let steps = proc.tasks.iter().enumerate();
            for (k, task) in steps {
                match task.stage {
                    Stage::Prepared => out.push(Action::Confirm { p, k }),
                    Stage::Confirmed { .. } if task.note.is_some() => out.push(Action::Append { p, k }),
                    Stage::Confirmed { .. } => out.push(Action::Reserve { p, k }),
                    Stage::Reserved => {
                        out.push(Action::Append { p, k });
                        if left.late > 0 {
                            out.extend([Action::AppendAmbiguous { p, k }, Action::AppendDelayed { p, k }]);
                        }
                    }
                    Stage::Unsettled => out.extend([Action::Settle { p, k }, Action::GiveUp { p, k }]),
                    Stage::Permitted => out.push(Action::Arm { p, k }),
                    Stage::Armed { .. } => {
                        out.push(Action::Send { p, k });
                        if left.refuse > 0 {
                            out.push(Action::ConnectFails { p, k });
                        }
                    }
                    Stage::Sent => out.extend([Action::Answer { p, k }, Action::LoseAnswer { p, k }]),
                    Stage::Answered(_) => out.push(Action::Record { p, k }),
                }
            }
            self.passes(world, p, out);
            if left.step > 0 {
                out.extend([true, false].map(|forward| Action::StepWall { p, forward }));
            }
            if left.crash > 0 {
                out.push(Action::Crash { p });
            }
        }
        out.extend((0..world.creates.len()).map(|i| Action::CommitLate { i }));
        for i in (0..world.requests.len()).filter(|i| world.requests[*i].answer.is_none()) {
            out.push(Action::VendorTake { i });
            if left.refuse > 0 {
                out.extend([Action::VendorRefuse { i, busy: false }, Action::VendorRefuse { i, busy: true }]);
            }
        }
        for (t, thing) in world.things.iter().enumerate() {
            if thing.moving {
                out.push(Action::VendorDone { t });
                out.extend((left.fault > 0).then_some(Action::VendorFault { t }));
                out.extend((left.abort > 0 && thing.by.is_some()).then_some(Action::VendorAbort { t }));
            }
            out.extend(thing.look.faulted.then_some(Action::VendorClear { t }));
            out.extend((left.resolve > 0).then_some(Action::Resolve { t }));
            if left.drift > 0 && !thing.moving {
                out.extend([Action::Drift { t, to: 0 }, Action::Drift { t, to: 1 }]);
                out.extend([Action::DriftBegin { t, to: 1 }, Action::DriftBegin { t, to: 2 }]);
            }
        }
        let people = [
            (left.suspend, Action::Suspend),
            (left.edit, Action::EditVersion),
            (left.delete, Action::DeleteResource),
            (left.wipe, Action::WipeStatus),
            (left.url, Action::MoveConnection),
            (left.freeze, Action::FreezeResource),
            (left.freeze, Action::FreezeConnection),
            (u8::from(world.spec.is_none()), Action::RecreateResource),
            (u8::from(world.now < self.scope.ticks), Action::Tick),
        ];
        out.extend(people.into_iter().filter(|(left, _)| *left > 0).map(|(_, action)| action));
    }

    fn passes(&self, world: &World, p: usize, out: &mut Vec<Action>) {
        let behind = |belief: &Belief, ledger: &Vec<Rcpt>| {
            let known = belief.cache.iter().map(|k| usize::from(*k));
            belief.cache.len() < ledger.len() || known.zip(ledger).any(|(k, r)| k < r.facts.len())
        };
        let lags = world.procs[p].beliefs.iter().zip(&world.ledgers).any(|(b, l)| behind(b, l));
        for watch in [false, true] {
            if watch && !lags {
                continue;
            }
            // A pass is brought about by one piece of news: the watch, a look, or only the timer.
            let looked = (0..self.resources()).flat_map(|of| self.looks(of, watch).into_iter().map(move |looks| (of, looks)));
            for (of, looks) in looked {
                let news = News {
                    stale: false,
                    watch,
                    looks,
                    of,
                };
                if world.spec.is_some() {
                    out.push(Action::Decide { p, news });
                } else {
                    out.push(Action::Sweep { p, news });
                }
                if world.stale.is_some() && world.stale != world.spec {
                    out.push(Action::Decide {
                        p,
                        news: News { stale: true, ..news },
                    });
                }
            }
        }
    }

    /// How many resources there are.
    pub fn resources(&self) -> u8 {
        if self.scope.shared {
            u8::try_from(self.scope.targets).unwrap_or(u8::MAX)
        } else {
            1
        }
    }

    /// Which looks a pass of a resource may bring: at any of its targets.
    fn looks(&self, of: u8, watch: bool) -> Vec<u8> {
        match (watch, self.scope.shared) {
            (true, _) => vec![0],
            (false, true) => vec![0, 1 << of],
            (false, false) => (0..1 << self.scope.targets).collect(),
        }
    }
}
