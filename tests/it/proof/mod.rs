//! Crash tests: the real binary, a real API server, a simulated vendor, and something that goes wrong at every single step.
//!
//! [`matrix`] harms every effect of one upgrade's life in every way, [`appliance`] those of an appliance's; [`scenarios`] are the longer
//! stories: two leaders, long pauses, things deleted and applied again; [`neighbours`] are two namespaces; [`person`] are doubts that only a
//! person can end; [`edits`] are people who change their minds. What is true afterwards is said by [`oracle`] alone, from the
//! simulator's own log of committed starts. `WINDLASS_TEST_SCALE=large` runs everything; without it a chosen part runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "only tests are in here, and helpers of tests"
)]

mod appliance;
mod cells;
mod dice;
mod edits;
mod effects;
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
static PLACES: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(8);

/// Waits for a place among the cases that run.
async fn place() -> tokio::sync::SemaphorePermit<'static> {
    PLACES.acquire().await.unwrap()
}

/// Whether everything is to be run.
fn large() -> bool {
    std::env::var("WINDLASS_TEST_SCALE").is_ok_and(|scale| scale == "large")
}

/// Shows text to whoever runs the tests, also when they pass: the harness captures what print macros write.
pub fn show(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
