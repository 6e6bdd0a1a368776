//! The worlds that are explored to their last state, each within the bounds of its [`Scope`].

use stateright::Checker;
use stateright::HasDiscoveries;
use stateright::Model;

use super::protocol::Protocol;
use super::quiet;
use super::scope::ALWAYS;
use super::scope::Calendar;
use super::scope::Hours;
use super::scope::NONE;
use super::scope::QUIET;
use super::scope::Scope;
use super::world::Budget;

/// `WINDLASS_TEST_SCALE=large` explores further.
fn large() -> bool {
    std::env::var("WINDLASS_TEST_SCALE").is_ok_and(|scale| scale == "large")
}

fn at_scale(small: Scope, big: Scope) -> Scope {
    if large() { big } else { small }
}

fn explore(scope: Scope) {
    let checker = Protocol::new(scope)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let protocol = checker.model();
    super::show(&format!(
        "model: {:<42} {:>8} states, {:>9} transitions, depth {:>2}, {:>6} questions to the core, {:>5} driven to quiescence",
        scope.name,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        protocol.core.asked(),
        protocol.driven.load(std::sync::atomic::Ordering::Relaxed),
    ));
    let discoveries = checker.discoveries();
    for property in protocol.properties() {
        let found = discoveries.get(property.name);
        let failure = property.expectation.discovery_is_failure();
        if let (Some(path), true) = (found, failure) {
            let rest = quiet::driven(protocol, path.last_state().clone());
            let steps: Vec<String> = path.clone().into_actions().iter().map(|a| format!("{a:?}")).collect();
            panic!(
                "{} is broken in {} steps:\n{}\nat rest: {rest:?}\n{:?}",
                property.name,
                steps.len(),
                steps.join("\n"),
                path.last_state()
            );
        }
        assert!(found.is_some() || failure, "{} never happened in {}", property.name, scope.name);
    }
}

#[test]
fn two_leaders_and_nothing_goes_wrong() {
    let scope = Scope {
        name: "two leaders",
        ticks: 1,
        ..QUIET
    };
    explore(at_scale(scope, Scope { ticks: 2, ..scope }));
}

#[test]
fn an_answer_is_lost_and_another_leader_concludes() {
    let budget = Budget { lose: 1, ..NONE };
    let scope = Scope {
        name: "a lost answer",
        followers: 1,
        ticks: 3,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            ticks: 5,
            stamps: true,
            budget: Budget { abort: 1, ..budget },
            ..scope
        },
    ));
}

/// The vendor takes a start, does not show where it goes, and gives it up without a trace; whoever saw it move dies.
#[test]
fn who_saw_a_movement_without_a_goal_dies() {
    let budget = Budget {
        lose: 1,
        abort: 1,
        crash: 1,
        ..NONE
    };
    let scope = Scope {
        name: "a movement without a goal",
        procs: 1,
        ticks: 4,
        receipts: 2,
        mute: true,
        budget,
        ..QUIET
    };
    explore(at_scale(scope, Scope { ticks: 6, ..scope }));
}

#[test]
fn a_process_dies_at_any_step_and_starts_again() {
    let budget = Budget { crash: 1, ..NONE };
    let scope = Scope {
        name: "a crash",
        every_step: true,
        procs: 1,
        ticks: 6,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            budget: Budget { lose: 1, ..budget },
            ..scope
        },
    ));
}

#[test]
fn one_of_two_leaders_dies_at_any_step_and_starts_again() {
    let scope = Scope {
        name: "a crash of one of two leaders",
        every_step: true,
        ticks: 0,
        budget: Budget { crash: 1, ..NONE },
        ..QUIET
    };
    explore(at_scale(scope, Scope { ticks: 2, ..scope }));
}

#[test]
fn an_append_is_not_answered() {
    let budget = Budget { late: 1, ..NONE };
    let scope = Scope {
        name: "an unanswered append",
        followers: 1,
        ticks: 1,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(scope, Scope { followers: 0, ..scope }));
}

#[test]
fn an_append_comes_through_long_after_it_was_given_up() {
    let budget = Budget { late: 2, crash: 1, ..NONE };
    let scope = Scope {
        name: "an append that comes late",
        procs: 1,
        ticks: 1,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            ticks: 6,
            budget: Budget { late: 1, ..budget },
            ..scope
        },
    ));
}

#[test]
fn people_edit_suspend_delete_and_apply_again() {
    let budget = Budget {
        edit: 1,
        suspend: 1,
        delete: 1,
        ..NONE
    };
    let scope = Scope {
        name: "people",
        procs: 1,
        ticks: 1,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            ticks: 2,
            budget: Budget {
                edit: 2,
                lose: 1,
                wipe: 1,
                ..budget
            },
            ..scope
        },
    ));
}

#[test]
fn people_edit_and_delete_while_two_processes_look() {
    let budget = Budget {
        edit: 1,
        delete: 1,
        ..NONE
    };
    let scope = Scope {
        name: "people, and two processes",
        followers: 1,
        ticks: 0,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(scope);
}

#[test]
fn a_person_settles_what_is_in_doubt() {
    let budget = Budget {
        lose: 1,
        resolve: 1,
        fault: 1,
        ..NONE
    };
    let scope = Scope {
        name: "a person's word",
        procs: 1,
        ticks: 4,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(scope, Scope { ticks: 5, ..scope }));
}

#[test]
fn the_vendor_refuses_fails_and_gives_up() {
    let budget = Budget {
        refuse: 2,
        fault: 1,
        abort: 1,
        ..NONE
    };
    let scope = Scope {
        name: "the vendor refuses or fails",
        procs: 1,
        ticks: 4,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            procs: 2,
            followers: 1,
            ..scope
        },
    ));
}

#[test]
fn somebody_else_upgrades_too() {
    let budget = Budget { drift: 1, lose: 1, ..NONE };
    let scope = Scope {
        name: "somebody else",
        procs: 1,
        ticks: 3,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            budget: Budget { edit: 1, ..budget },
            ..scope
        },
    ));
}

#[test]
fn somebody_else_upgrades_and_the_vendor_stamps_it() {
    let budget = Budget { drift: 1, lose: 1, ..NONE };
    let scope = Scope {
        name: "somebody else, with stamps",
        procs: 1,
        ticks: 3,
        receipts: 2,
        stamps: true,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            ticks: 4,
            budget: Budget { drift: 2, ..budget },
            ..scope
        },
    ));
}

#[test]
fn the_connection_is_pointed_elsewhere() {
    let budget = Budget { lose: 1, url: 2, ..NONE };
    let scope = Scope {
        name: "another endpoint",
        procs: 1,
        ticks: 4,
        receipts: 2,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            ticks: 6,
            budget: Budget { crash: 1, ..budget },
            ..scope
        },
    ));
}

#[test]
fn two_targets_share_one_slot() {
    let scope = Scope {
        name: "two targets, one slot",
        targets: 2,
        max_concurrent: 1,
        ticks: 0,
        receipts: 1,
        ..QUIET
    };
    explore(at_scale(scope, Scope { ticks: 1, ..scope }));
}

/// A window of the resource that opens later than that of its Connection, and closes later.
const WINDOWS: Calendar = Calendar {
    own: Hours {
        window: Some((1, 3)),
        not_after: None,
    },
    connection: Hours {
        window: Some((0, 2)),
        not_after: None,
    },
};

/// Too late from the second tick on.
const TOO_LATE: Calendar = Calendar {
    own: Hours {
        window: None,
        not_after: Some(2),
    },
    ..ALWAYS
};

#[test]
fn windows_open_and_close() {
    let scope = Scope {
        name: "windows",
        calendar: WINDOWS,
        ttl: 2,
        followers: 1,
        ticks: 4,
        receipts: 2,
        ..QUIET
    };
    let budget = Budget { lose: 1, ..NONE };
    explore(at_scale(scope, Scope { budget, ..scope }));
}

#[test]
fn people_freeze_and_thaw() {
    let scope = Scope {
        name: "freezes",
        ttl: 2,
        procs: 1,
        ticks: 2,
        receipts: 2,
        budget: Budget { freeze: 2, ..NONE },
        ..QUIET
    };
    let budget = Budget {
        freeze: 2,
        suspend: 1,
        crash: 1,
        ..NONE
    };
    explore(at_scale(scope, Scope { ticks: 3, budget, ..scope }));
}

#[test]
fn people_set_a_freeze_that_begins_later() {
    let scope = Scope {
        name: "freezes to come",
        freeze_from: 1,
        ttl: 2,
        followers: 1,
        ticks: 2,
        receipts: 2,
        budget: Budget { freeze: 1, ..NONE },
        ..QUIET
    };
    let budget = Budget { freeze: 2, ..NONE };
    explore(at_scale(scope, Scope { ticks: 3, budget, ..scope }));
}

#[test]
fn it_becomes_too_late() {
    let budget = Budget {
        refuse: 1,
        lose: 1,
        ..NONE
    };
    let scope = Scope {
        name: "notAfter",
        calendar: TOO_LATE,
        ttl: 2,
        procs: 1,
        ticks: 4,
        budget,
        ..QUIET
    };
    explore(at_scale(
        scope,
        Scope {
            procs: 2,
            followers: 1,
            ..scope
        },
    ));
}

#[test]
fn a_wall_clock_is_set() {
    let scope = Scope {
        name: "a wall clock that is set",
        calendar: Calendar {
            own: Hours {
                window: Some((1, 3)),
                not_after: Some(4),
            },
            ..ALWAYS
        },
        ttl: 2,
        procs: 1,
        ticks: 5,
        budget: Budget { step: 2, ..NONE },
        ..QUIET
    };
    let budget = Budget { step: 3, lose: 1, ..NONE };
    explore(at_scale(scope, Scope { ticks: 6, budget, ..scope }));
}

#[test]
fn two_resources_share_a_connection() {
    let scope = Scope {
        name: "two resources, one Connection",
        targets: 2,
        shared: true,
        limit: 1,
        followers: 1,
        ticks: 0,
        receipts: 1,
        ..QUIET
    };
    explore(at_scale(scope, Scope { followers: 0, ..scope }));
    if large() {
        explore(Scope { ticks: 1, ..scope });
    }
}

#[test]
fn the_older_of_two_resources_is_suspended_while_it_waits() {
    let scope = Scope {
        name: "the older of two is stopped",
        targets: 2,
        shared: true,
        limit: 1,
        procs: 1,
        ticks: 0,
        receipts: 1,
        quiet_every: 20,
        budget: Budget {
            suspend: 1,
            freeze: 1,
            ..NONE
        },
        ..QUIET
    };
    let budget = Budget {
        suspend: 2,
        freeze: 2,
        ..NONE
    };
    explore(at_scale(scope, Scope { budget, ..scope }));
}
