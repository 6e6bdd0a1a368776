//! Each rule of the protocol taken away: the checker must find where that goes wrong, or it proves nothing.

use std::collections::BTreeSet;

use stateright::Checker;
use stateright::HasDiscoveries;
use stateright::Model;

use super::properties::*;
use super::protocol::Protocol;
use super::scope::ALWAYS;
use super::scope::Calendar;
use super::scope::Hours;
use super::scope::Mutation;
use super::scope::NONE;
use super::scope::QUIET;
use super::scope::Scope;
use super::world::Budget;

/// One process, no faults.
const ALONE: Scope = Scope {
    procs: 1,
    ticks: 0,
    ..QUIET
};

/// Without the rule, this invariant falls.
fn falls(rule: Mutation, invariant: &'static str, scope: Scope) {
    let scope = Scope {
        without: Some(rule),
        ..scope
    };
    let wanted = HasDiscoveries::AllOf(BTreeSet::from([invariant]));
    let checker = Protocol::new(scope).checker().finish_when(wanted).spawn_bfs().join();
    let discoveries = checker.discoveries();
    let Some(path) = discoveries.get(invariant) else {
        panic!(
            "{invariant} holds without {rule:?} in {} states: the checker is blind to it",
            checker.unique_state_count()
        );
    };
    let steps: Vec<String> = path.clone().into_actions().iter().map(|a| format!("{a:?}")).collect();
    super::show(&format!(
        "model: without {rule:?}: \"{invariant}\" falls in {} steps: {}",
        steps.len(),
        steps.join(", ")
    ));
}

#[test]
fn without_ttl() {
    falls(
        Mutation::NoTtl,
        P6,
        Scope {
            procs: 2,
            followers: 1,
            ticks: 5,
            receipts: 1,
            ..QUIET
        },
    );
}

#[test]
fn without_grace() {
    falls(
        Mutation::NoGrace,
        P6,
        Scope {
            budget: Budget { lose: 1, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn with_a_sequence_from_a_stale_ledger() {
    falls(Mutation::StaleSeq, P3, Scope { ticks: 0, ..QUIET });
}

#[test]
fn without_reservations() {
    falls(
        Mutation::NoReservation,
        P4,
        Scope {
            targets: 2,
            max_concurrent: 1,
            ticks: 0,
            ..QUIET
        },
    );
}

#[test]
fn with_looks_dated_by_arrival() {
    falls(Mutation::DatedByArrival, P4, Scope { ticks: 1, ..ALONE });
}

#[test]
fn with_a_5xx_taken_for_a_refusal() {
    falls(
        Mutation::ServerErrorRejects,
        P6,
        Scope {
            budget: Budget { lose: 1, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn with_a_failed_run_tried_again() {
    falls(
        Mutation::RetryFailed,
        P2,
        Scope {
            ticks: 1,
            budget: Budget { fault: 1, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn without_the_note_that_a_target_was_there_already() {
    falls(
        Mutation::NoNote,
        P5,
        Scope {
            budget: Budget { drift: 2, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn with_any_authority_believed() {
    falls(
        Mutation::AnyAuthority,
        P6,
        Scope {
            ticks: 3,
            budget: Budget { lose: 1, url: 1, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn with_conclusions_written_over_newer_facts() {
    falls(
        Mutation::Overtaken,
        P6,
        Scope {
            procs: 2,
            followers: 1,
            ticks: 2,
            ..QUIET
        },
    );
}

#[test]
fn with_a_withdrawal_written_over_an_adoption() {
    falls(
        Mutation::WithdrawAnyway,
        P6,
        Scope {
            ticks: 2,
            budget: Budget { drift: 1, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn with_an_adopted_run_ended_at_once() {
    let budget = Budget {
        drift: 1,
        lose: 1,
        edit: 1,
        ..NONE
    };
    falls(Mutation::EndAtOnce, P3, Scope { budget, ..ALONE });
}

#[test]
fn with_a_hint_that_is_not_written_down() {
    let budget = Budget {
        lose: 1,
        abort: 1,
        crash: 1,
        ..NONE
    };
    falls(
        Mutation::HintForgotten,
        P6,
        Scope {
            mute: true,
            ticks: 4,
            budget,
            ..ALONE
        },
    );
}

#[test]
fn with_one_holder_for_all_attempts() {
    falls(
        Mutation::SharedHolder,
        P6,
        Scope {
            ticks: 1,
            budget: Budget { late: 1, ..NONE },
            ..ALONE
        },
    );
}

/// One process, one window until the second tick, and permits that live longer than that.
const WINDOW: Scope = Scope {
    calendar: Calendar {
        own: Hours {
            window: Some((0, 1)),
            not_after: None,
        },
        ..ALWAYS
    },
    ttl: 2,
    ticks: 1,
    ..ALONE
};

#[test]
fn with_a_permit_that_outlives_its_window() {
    falls(Mutation::WindowEnd, P4, WINDOW);
}

#[test]
fn with_the_end_of_a_window_by_the_wall_clock_alone() {
    // It is set back between the receipt and the last check.
    let budget = Budget { step: 1, ..NONE };
    falls(Mutation::WindowByWall, P4, Scope { budget, ..WINDOW });
}

#[test]
fn without_a_second_clock() {
    // It was set back before anything was decided.
    let budget = Budget { step: 1, ..NONE };
    falls(Mutation::OneClock, P4, Scope { budget, ..WINDOW });
}

#[test]
fn without_a_second_clock_for_what_is_too_late() {
    let calendar = Calendar {
        own: Hours {
            window: None,
            not_after: Some(2),
        },
        ..ALWAYS
    };
    let budget = Budget { step: 1, ..NONE };
    falls(
        Mutation::OneClock,
        LATE,
        Scope {
            calendar,
            budget,
            ..WINDOW
        },
    );
}

#[test]
fn with_what_was_decided_before_a_freeze() {
    let budget = Budget { freeze: 1, ..NONE };
    falls(Mutation::DecidedOnce, P4, Scope { budget, ..ALONE });
}

#[test]
fn with_the_end_of_a_window_that_was_seen_before_the_live_read() {
    // Somebody sets a freeze that begins with the next tick; what was decided stays right until then.
    let scope = Scope {
        freeze_from: 1,
        calendar: ALWAYS,
        budget: Budget { freeze: 1, ..NONE },
        ..WINDOW
    };
    falls(Mutation::WindowSeenBefore, P4, scope);
}

#[test]
fn without_the_schedule_of_the_connection() {
    let calendar = Calendar {
        own: ALWAYS.own,
        connection: WINDOW.calendar.own,
    };
    falls(Mutation::ConnectionSchedule, P4, Scope { calendar, ..WINDOW });
}

#[test]
fn with_a_limit_that_counts_no_reservations() {
    falls(
        Mutation::UnreservedLimit,
        P4,
        Scope {
            targets: 2,
            shared: true,
            limit: 1,
            ticks: 0,
            receipts: 1,
            ..QUIET
        },
    );
}

#[test]
fn with_a_place_in_line_that_is_kept() {
    falls(
        Mutation::KeepsPlace,
        P7,
        Scope {
            targets: 2,
            shared: true,
            limit: 1,
            receipts: 1,
            quiet_every: 1,
            budget: Budget { suspend: 1, ..NONE },
            ..ALONE
        },
    );
}

#[test]
fn with_too_late_written_whatever_was_sent() {
    let calendar = Calendar {
        own: Hours {
            window: None,
            not_after: Some(1),
        },
        ..ALWAYS
    };
    falls(Mutation::LateAnyway, LATE, Scope { calendar, ..WINDOW });
}

#[test]
fn with_an_answer_in_hand_that_evidence_outruns() {
    falls(
        Mutation::NotInHand,
        P5,
        Scope {
            ticks: 6,
            receipts: 2,
            mute: true,
            budget: Budget { abort: 1, ..NONE },
            ..ALONE
        },
    );
}
