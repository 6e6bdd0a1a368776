//! A model checker's proof that one run starts once.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod actions;
mod canonical;
mod core;
mod outside;
mod properties;
mod protocol;
mod quiet;
mod scope;
mod world;

use stateright::Checker;
use stateright::HasDiscoveries;
use stateright::Model;

use self::protocol::Protocol;
use self::scope::*;
use self::world::Budget;

fn explore(scope: Scope) {
    let checker = Protocol::new(scope)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "model {}: {} states ({} generated), depth {}, {} questions",
        scope.name,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        checker.model().core.asked()
    );
    for (name, path) in checker.discoveries() {
        if checker.discovery_classification(name).to_string() == "counterexample" {
            println!("{name}: {:?}", path.clone().into_actions());
            println!("{:?}", quiet::driven(checker.model(), path.last_state().clone()));
        }
    }
    assert!(checker.discoveries().keys().all(|name| checker.discovery_classification(name).to_string() == "example"));
}

#[test]
fn a_quiet_world() {
    explore(QUIET);
}

#[test]
fn a_lost_answer() {
    explore(Scope { name: "lost", ticks: 4, budget: Budget { lose: 1, ..NONE }, ..QUIET });
}

#[test]
fn a_crash() {
    explore(Scope { name: "crash", ticks: 6, budget: Budget { crash: 1, ..NONE }, ..QUIET });
}
