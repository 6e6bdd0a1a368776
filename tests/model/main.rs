//! A model checker against the protocol that starts an upgrade at most once: every order in which things can happen, within bounds.
//!
//! **Real** is everything that decides: `decide` (with `Ledger::standing`, `Receipt::standing`, the rollout and its slots), `conclude`,
//! `Ledger::read`, `Memory`, `Schedule::parse` and what schedules say, on the product's own types ([`core`], [`convert`]). **Modelled** is what carries it out: the steps of
//! `src/controller/{act,sweep,permit}` without their IO ([`protocol`], [`permit`]), the API server's two guarantees (create if absent,
//! compare-and-swap), the caches that lag, two processes that both believe they lead, and a vendor with a queue ([`outside`]). The
//! invariants P1 to P8 are [`properties`]; P7 drives worlds to rest ([`quiet`]). [`explorations`] are exhaustive within their bounds;
//! [`mutations`] take a rule away and show that the checker notices.
//!
//! **Assumed**, because it cannot be built into a program:
//!
//! - A request is taken by the vendor less than GRACE after its sender's last check, or never: a pause of the sender and the vendor's
//!   queue *together*. This is the residual assumption of the protocol; without it no doubt could ever end by itself.
//! - Within that time nobody takes the target back by hand to exactly where it was, where the vendor keeps no stamp, and nobody clears
//!   a failure that Windlass has not reported. Nobody could tell that from "never started".
//! - Wall clocks agree to the tick, but where an exploration sets one. The API server's is right: it is the second clock, and by it is
//!   judged whether a window was open.
//! - No process is stopped between its last check and its socket, for longer than GRACE or across the end of a window: what is said of a
//!   send is said of the moment of its last check.
//! - No cache of receipts lags longer than a reservation lives (4 TTL) *while* a batch has a free slot by that cache: slots are counted
//!   from the cache, and only the target's own last receipt is read live.
//!
//! **Left out**, to keep it small: rate limits and logins (they only delay), looks that are incomplete or see nothing (unit and property
//! tests of `conclude` hold them), canaries and soak, two resources or namespaces that want one target, options, run keys, run timeouts
//! except at rest, holds and a Connection's `suspend` (gates as `suspend` is), edits of windows and of `notAfter`, more than one thing of each kind going wrong at once beyond what a scope allows. A process keeps two looks of a target
//! where the product keeps four: fewer looks are less evidence. A pass reads and writes in one step: what it read may be old already,
//! which is the same as being slow. A pause is a process to which nothing happens. [`canonical`] merges worlds that nobody can tell
//! apart, rule by rule.
//!
//! **Time**: a schedule is one window and a `notAfter` on the small clock, for the resource and for its Connection ([`scope::Calendar`]), read
//! by the product as cron and time stamps. The checker works out once more, from the ticks alone, what they allow. People set and lift a
//! freeze of either, which holds at once or begins later; one process's wall clock is set a tick ahead or back, up to three times. Where time
//! is at stake a permit lives two ticks, so that a window can close in it. A freeze acts on what was not read live yet: a start that was
//! goes out within its TTL, as the protocol says.
//!
//! **One Connection**: two resources of one target each, limit 1, and two processes that know each other's receipts late. By default one
//! process starts only the older resource and the other only the younger; larger, both start both, or a tick passes. The line is each
//! process's own memory of who waits, as in the product; that somebody's window opens later puts nobody in it here. No exploration with
//! two resources is long enough for a reservation to run out.
//!
//! **How far it goes**: most explorations have one process that acts, for two that both act in every order are the largest worlds of all; with two are
//! the leaders alone, a lost answer, an append without an answer, a crash, windows, freezes to come, one Connection for two resources, people who edit
//! and delete, and, larger, a vendor that refuses or fails and `notAfter`. Where `followers` is not 0, one of two only concludes. People, a
//! person's word and somebody else's upgrades meet one kind of trouble each. A wipe takes the reservations of a Connection only. P7 is tried from one
//! state in 200, and from every step after a crash. P2 and P6 leave out a start that the vendor gave up without a trace.
//!
//! `WINDLASS_TEST_SCALE=large` explores further. What was explored is shown in any case.

#![allow(clippy::panic, clippy::expect_used, reason = "tests may")]
#![allow(clippy::unnecessary_wraps, reason = "all actions have one shape: `None` where they cannot happen")]
#![allow(clippy::struct_excessive_bools, reason = "a world is full of them")]
#![allow(clippy::similar_names, reason = "a world and a word are told apart easily enough")]

mod actions;
mod canonical;
mod convert;
mod core;
mod explorations;
mod mutations;
mod outside;
mod permit;
mod properties;
mod protocol;
mod quick;
mod quiet;
mod scope;
mod world;

/// Shows text to whoever runs the tests, also when they pass: the harness captures what print macros write.
fn show(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
