//! Simulation: three candidates, whose clocks run apart, on one server, with slow, late and lost messages, pauses and crashes.
//!
//! The candidates are the real [`Candidate`]; only the messages and the clocks are made up. At each tick, each is asked whether it
//! may act, paused or not, as a permit would ask: never may two.

use std::time::Duration;

use proptest::prelude::*;

use super::decide::Candidate;
use super::decide::LeaseTiming;
use super::decide::Record;
use super::decide::Step;
use crate::upgrade::timing::Mono;

const TICK_MS: u64 = 100;

/// A small generator, so that one number replays a whole run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }

    /// Mostly quick, sometimes longer than any patience.
    fn latency(&mut self) -> u64 {
        if self.one_in(20) { self.roll(60_000) } else { self.roll(400) }
    }
}

/// The server: one record, and a version that only grows.
#[derive(Default)]
struct Server {
    record: Option<Record>,
    version: u64,
}

impl Server {
    fn write(&mut self, expected: Option<&str>, holder: Option<String>) -> Option<Record> {
        if self.record.as_ref().map(|record| record.version.as_str()) != expected {
            return None;
        }
        self.version += 1;
        let record = Record {
            holder,
            duration: LeaseTiming::production().duration(),
            version: self.version.to_string(),
        };
        self.record = Some(record.clone());
        Some(record)
    }
}

#[derive(Clone)]
enum Body {
    Read,
    Write { expected: Option<String>, holder: Option<String> },
    Seen(Option<Record>),
    Wrote(Option<Record>),
}

/// A request on its way to the server, or an answer on its way back.
struct Message {
    due: u64,
    actor: usize,
    ticket: u64,
    body: Body,
}

enum Phase {
    Idle { wake: Mono },
    Waiting { ticket: u64, asked: Mono },
}

struct Actor {
    candidate: Candidate,
    name: String,
    version: Option<String>,
    /// Its clock: so far ahead, and running at so many thousandths of true time.
    ahead: u64,
    rate: u64,
    paused_until: u64,
    phase: Phase,
    led: bool,
}

impl Actor {
    fn new(index: usize, life: u64, dice: &mut Dice) -> Actor {
        let name = format!("{index}_{life}");
        Actor {
            candidate: Candidate::new(name.clone(), LeaseTiming::production()),
            name,
            version: None,
            ahead: dice.roll(10_000_000),
            rate: 950 + dice.roll(101),
            paused_until: 0,
            phase: Phase::Idle { wake: Mono::default() },
            led: false,
        }
    }

    fn clock(&self, now: u64) -> Mono {
        Mono(Duration::from_millis(self.ahead + now * self.rate / 1000))
    }

    fn held(&self, now: u64) -> bool {
        self.candidate.until().is_some_and(|until| self.clock(now) < until)
    }
}

struct World {
    now: u64,
    tickets: u64,
    dice: Dice,
    server: Server,
    actors: Vec<Actor>,
    messages: Vec<Message>,
    faults: bool,
    tenures: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let actors = (0..3).map(|index| Actor::new(index, 0, &mut dice)).collect();
        World {
            now: 0,
            tickets: 0,
            dice,
            server: Server::default(),
            actors,
            messages: Vec::new(),
            faults: true,
            tenures: 0,
        }
    }

    fn holders(&self) -> Vec<&str> {
        self.actors
            .iter()
            .filter(|actor| actor.held(self.now))
            .map(|actor| actor.name.as_str())
            .collect()
    }

    fn tick(&mut self) {
        self.now += TICK_MS;
        while let Some(at) = self
            .messages
            .iter()
            .position(|message| message.due <= self.now && !self.paused(message))
        {
            let message = self.messages.swap_remove(at);
            self.deliver(message);
        }
        for index in 0..self.actors.len() {
            if self.faults && self.dice.one_in(2_000) {
                self.actors[index].paused_until = self.now + self.dice.roll(90_000);
            }
            if self.faults && self.dice.one_in(5_000) {
                self.restart(index);
            }
            if self.actors[index].paused_until <= self.now {
                self.act(index);
            }
        }
    }

    /// Answers wait for a paused actor; requests do not.
    fn paused(&self, message: &Message) -> bool {
        matches!(message.body, Body::Seen(_) | Body::Wrote(_)) && self.actors[message.actor].paused_until > self.now
    }

    fn restart(&mut self, index: usize) {
        self.tickets += 1;
        self.actors[index] = Actor::new(index, self.tickets, &mut self.dice);
        self.actors[index].paused_until = self.now + self.dice.roll(3_000);
    }

    fn send(&mut self, actor: usize, body: Body) {
        self.tickets += 1;
        let due = self.now + self.delay();
        let asked = self.actors[actor].clock(self.now);
        self.actors[actor].phase = Phase::Waiting {
            ticket: self.tickets,
            asked,
        };
        self.messages.push(Message {
            due,
            actor,
            ticket: self.tickets,
            body,
        });
    }

    fn delay(&mut self) -> u64 {
        if self.faults { self.dice.latency() } else { self.dice.roll(200) }
    }

    fn deliver(&mut self, message: Message) {
        let answer = match message.body {
            Body::Read => Body::Seen(self.server.record.clone()),
            Body::Write { expected, holder } => Body::Wrote(self.server.write(expected.as_deref(), holder)),
            body @ (Body::Seen(_) | Body::Wrote(_)) => return self.answered(message.actor, message.ticket, body),
        };
        if !(self.faults && self.dice.one_in(20)) {
            let due = self.now + self.delay();
            self.messages.push(Message {
                due,
                body: answer,
                ..message
            });
        }
    }

    fn answered(&mut self, index: usize, ticket: u64, body: Body) {
        let actor = &mut self.actors[index];
        let Phase::Waiting { ticket: expected, asked } = actor.phase else {
            return;
        };
        if ticket != expected {
            return;
        }
        let clock = actor.clock(self.now);
        actor.phase = Phase::Idle { wake: clock };
        match body {
            Body::Seen(record) => {
                actor.version = record.as_ref().map(|record| record.version.clone());
                actor.candidate.saw(record, clock);
                self.step(index);
            }
            Body::Wrote(Some(record)) => {
                actor.candidate.wrote(record, asked, clock);
                self.tenures += u64::from(!actor.led);
                actor.led = true;
                actor.phase = Phase::Idle {
                    wake: clock.plus(LeaseTiming::production().retry()),
                };
            }
            _ => {}
        }
    }

    fn step(&mut self, index: usize) {
        let actor = &mut self.actors[index];
        let clock = actor.clock(self.now);
        match actor.candidate.decide(clock) {
            Step::Hold(wait) | Step::Wait(wait) => actor.phase = Phase::Idle { wake: clock.plus(wait) },
            Step::Lost(_) => self.restart(index),
            Step::Create | Step::Acquire | Step::Renew => {
                let (expected, holder) = (actor.version.clone(), Some(actor.name.clone()));
                self.send(index, Body::Write { expected, holder });
            }
        }
    }

    fn act(&mut self, index: usize) {
        let clock = self.actors[index].clock(self.now);
        if self.actors[index].led && !self.actors[index].held(self.now) {
            return self.restart(index);
        }
        if self.faults && self.actors[index].led && self.dice.one_in(3_000) {
            // A graceful end: it stops acting first, then empties the record that it saw, then comes back as somebody else.
            let expected = self.actors[index].version.clone();
            self.send(index, Body::Write { expected, holder: None });
            return self.restart(index);
        }
        match self.actors[index].phase {
            Phase::Idle { wake } if clock >= wake => self.send(index, Body::Read),
            Phase::Waiting { asked, .. } if clock.since(asked) >= LeaseTiming::production().request() => {
                self.actors[index].phase = Phase::Idle { wake: clock };
            }
            _ => {}
        }
    }
}

fn run(seed: u64, minutes: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..minutes * 60_000 / TICK_MS {
        world.tick();
        let holders = world.holders();
        assert!(holders.len() <= 1, "seed {seed}: {holders:?} hold at once at {} ms", world.now);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn never_two_hold_at_once(seed in any::<u64>()) {
        run(seed, 60);
    }

    #[test]
    fn once_the_faults_end_somebody_leads_and_stays(seed in any::<u64>()) {
        let mut world = run(seed, 5);
        world.faults = false;
        // A message that is still under way, a pause, and then the longest wait for a record to stand still.
        for _ in 0..(60_000 + 90_000 + 40_000) / TICK_MS {
            world.tick();
        }
        let first: Vec<String> = world.holders().into_iter().map(String::from).collect();
        prop_assert_eq!(first.len(), 1);
        for _ in 0..120_000 / TICK_MS {
            world.tick();
            prop_assert_eq!(&world.holders(), &first);
        }
    }
}

#[test]
fn the_simulation_does_what_it_is_for() {
    let tenures: u64 = (0..10).map(|seed| run(seed, 60).tenures).sum();
    assert!(tenures > 100, "only {tenures} tenures in ten hours: the faults change no leader");
}
