//! A model checker against the protocol that starts an upgrade at most once: every order in which things can happen, within bounds.
//!
//! **Real** is everything that decides: `decide` (with `Ledger::standing`, `Receipt::standing`, the rollout and its slots), `conclude`,
//! `Ledger::read`, `Memory`, on the product's own types ([`core`], [`convert`]). **Modelled** is what carries it out: the steps of
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
//! - Wall clocks agree to the tick. (The product checks that they do to 30 s before each start.)
//! - No cache of receipts lags longer than a reservation lives (4 TTL) *while* a batch has a free slot by that cache: slots are counted
//!   from the cache, and only the target's own last receipt is read live.
//!
//! **Left out**, to keep it small: rate limits and logins (they only delay), looks that are incomplete or see nothing (unit and property
//! tests of `conclude` hold them), canaries and soak, two resources or namespaces that want one target, options, run keys, run timeouts
//! except at rest, more than one thing of each kind going wrong at once beyond what a scope allows. A process keeps two looks of a target
//! where the product keeps four: fewer looks are less evidence. A pass reads and writes in one step: what it read may be old already,
//! which is the same as being slow. A pause is a process to which nothing happens. [`canonical`] merges worlds that nobody can tell
//! apart, rule by rule.
//!
//! `WINDLASS_TEST_SCALE=large` explores further; `-- --nocapture` shows what was explored.

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
