//! Crash tests: the real binary, a real API server, a simulated vendor, and something that goes wrong at every single step.
//!
//! [`matrix`] harms every effect of one upgrade's life in every way, [`appliance`] those of an appliance's, [`console`] those of an HMC's,
//! [`central`] those of an order at Aruba Central; [`scenarios`] are the longer stories: two leaders, long pauses, things deleted and applied
//! again; [`neighbours`] are two namespaces; [`person`] are doubts that only a person can end; [`edits`] are people who change their minds. What
//! is true afterwards is said by [`oracle`] alone, from the simulator's own log of committed starts. `WINDLASS_TEST_SCALE=large` runs everything; without it a chosen part runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "only tests are in here, and helpers of tests"
)]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use cells::Cell;

use crate::scale::large;

mod appliance;
mod cells;
mod central;
mod console;
mod dice;
mod edits;
mod effects;
pub mod era;
mod harm;
mod life;
mod matrix;
mod neighbours;
mod oracle;
mod pauses;
mod person;
pub mod proxy;
mod replies;
mod scenarios;
mod story;
mod watches;

/// Cases at once, of all matrices together: each is an operator of its own. They mostly wait, but what they wait for is two cores.
static PLACES: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(ALL_PLACES as usize);

/// How many.
const ALL_PLACES: u32 = 8;

/// Cases that were run a second time.
static AGAIN: AtomicUsize = AtomicUsize::new(0);

/// Waits for a place among the cases that run.
async fn place() -> tokio::sync::SemaphorePermit<'static> {
    PLACES.acquire().await.unwrap()
}

/// Runs a case in a place of its own. One that never came to rest is run once more, alone: two cores that were too busy for a moment are no
/// fault of the product's, and what is one does not rest then, either. A broken promise is never tried again.
async fn settled(case: impl AsyncFn() -> anyhow::Result<Cell>) -> Cell {
    let run = async || case().await.unwrap_or_else(|error| Cell::Stuck(format!("{error:#}")));
    let first = {
        let _place = place().await;
        run().await
    };
    let Cell::Stuck(why) = &first else { return first };
    AGAIN.fetch_add(1, Ordering::Relaxed);
    show(&format!(
        "never came to rest, once more alone: {}",
        why.lines().next().unwrap_or_default()
    ));
    let _alone = PLACES.acquire_many(ALL_PLACES).await.unwrap();
    run().await
}

/// Fails when more than one case in twenty had to be run twice: then it is not the machine.
fn hardly_any_again(cases: usize) {
    let again = AGAIN.load(Ordering::Relaxed);
    assert!(again * 20 <= cases + 20, "{again} cases were run twice, of {cases}");
}

/// Shows text to whoever runs the tests, also when they pass: the harness captures what print macros write.
pub fn show(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
