//! What becomes of single step installs of an HMC: the answer names a job, no list has it, and only the console's bundle says that it is done.

use std::time::Duration;

use crate::upgrade::conclude::Conclusion;
use crate::upgrade::conclude::Evidence;
use crate::upgrade::conclude::Following;
use crate::upgrade::conclude::conclude;
use crate::upgrade::memory::Custody;
use crate::upgrade::memory::Seen;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::sight::*;
use crate::upgrade::target::TargetKey;
use crate::upgrade::testing::*;
use crate::upgrade::timing::Timing;

const OLD: &str = "H30";
const NEW: &str = "H41";
const THIRD: &str = "H40";
const JOB: &str = "/api/jobs/7f3a";

/// Past the timeout, and the grace period after it.
const LATE: u64 = TIMEOUT + 3600;

fn start() -> Receipt {
    Receipt::no(1).to(NEW).from(OLD)
}

fn accepted() -> Receipt {
    let job = Some(JOB.to_owned());
    start().answered(Answer::Accepted { job }, 0)
}

/// A look at the console and at one job.
fn look(secs: u64, bundle: &str, state: JobState) -> Sight {
    let mut sight = Sight::still(secs, bundle);
    if state == JobState::Running {
        sight.motion = Motion::Moving {
            toward: None,
            progress: None,
        };
    }
    sight.jobs = vec![Job {
        id: JOB.to_owned(),
        word: format!("{state:?}").to_lowercase(),
        state,
        does: Does::Untold,
        progress: None,
        says: None,
        planned: None,
    }];
    sight
}

/// A look at a console on which IBM's schedule upgrades it.
fn scheduled_by_ibm(secs: u64, toward: &str) -> Sight {
    let mut sight = Sight::still(secs, OLD);
    sight.motion = Motion::Moving {
        toward: Some(toward.to_owned()),
        progress: Some(10),
    };
    sight
}

fn concluded(receipt: &Receipt, sights: &[Sight], now: u64) -> Conclusion {
    let known = Seen {
        doubt: Some(mono(0)),
        accepted: Some(mono(0)),
        refused: Some(mono(0)),
        ..Seen::default()
    };
    let evidence = Evidence {
        key: &TargetKey::console(vc1()),
        sights,
        unchanged_since: unchanged_since(sights),
        seen: known,
        custody: Custody::None,
        timeout: Duration::from_secs(TIMEOUT),
        wall: at(now),
        mono: mono(now),
        timing: &Timing::production(),
    };
    conclude(receipt, &evidence)
}

fn end(conclusion: &Conclusion) -> Option<EndKind> {
    match conclusion {
        Conclusion::End { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[test]
fn a_job_that_is_done_is_no_success_before_the_console_is_at_the_bundle() {
    let done = concluded(&accepted(), &[look(600, OLD, JobState::Succeeded)], 600);
    let Conclusion::Follow(Following::OutOfSight { why }) = &done else {
        panic!("{done:?}");
    };
    assert!(why.contains(JOB) && why.contains("still at H30, not at H41"), "{why}");
    let there = concluded(&accepted(), &[look(600, NEW, JobState::Succeeded)], 600);
    assert_eq!(end(&there), Some(EndKind::Succeeded));
}

#[test]
fn a_job_that_a_restart_forgot_is_out_of_sight_and_the_bundle_tells_in_the_end() {
    let forgotten = |bundle, now| concluded(&accepted(), &[look(now, bundle, JobState::Unknown)], now);
    let away = forgotten(OLD, 600);
    assert!(matches!(away, Conclusion::Follow(Following::OutOfSight { .. })), "{away:?}");
    assert_eq!(end(&forgotten(NEW, 600)), Some(EndKind::Succeeded));
    assert_eq!(end(&forgotten(OLD, LATE)), Some(EndKind::Failed), "seen, and still where it was");
}

#[test]
fn a_job_says_itself_that_it_failed_or_was_cancelled() {
    for (state, kind) in [(JobState::Failed, EndKind::Failed), (JobState::Cancelled, EndKind::Cancelled)] {
        assert_eq!(end(&concluded(&accepted(), &[look(600, OLD, state)], 600)), Some(kind));
    }
    let running = concluded(&accepted(), &[look(LATE, OLD, JobState::Running)], LATE);
    assert!(
        matches!(running, Conclusion::Follow(Following::Moving { overdue: true, .. })),
        "{running:?}"
    );
}

#[test]
fn a_bundle_that_nobody_asked_for_is_neither_a_success_nor_a_failure() {
    let early = concluded(&accepted(), &[look(600, THIRD, JobState::Succeeded)], 600);
    let Conclusion::Follow(Following::OutOfSight { why }) = &early else {
        panic!("{early:?}");
    };
    assert!(why.contains(r#""H40""#), "{why}");
    let late = concluded(&accepted(), &[look(LATE, THIRD, JobState::Unknown)], LATE);
    assert!(matches!(late, Conclusion::Follow(Following::LostSight { .. })), "{late:?}");
}

#[test]
fn a_restart_that_takes_longer_than_the_timeout_is_lost_sight_and_never_a_failure() {
    let during = concluded(&accepted(), &[Sight::unseen(600)], 600);
    assert!(matches!(during, Conclusion::Follow(Following::OutOfSight { .. })), "{during:?}");
    let after = concluded(&accepted(), &[Sight::unseen(LATE)], LATE);
    assert!(matches!(after, Conclusion::Follow(Following::LostSight { .. })), "{after:?}");
}

/// There is no list of jobs, and a console that is as it was proves nothing: the install may not have begun.
#[test]
fn a_lost_answer_ends_by_the_bundle_or_by_a_person_and_never_by_silence() {
    let quiet: Vec<Sight> = (1..200).map(|n| Sight::still(n * 300, OLD)).collect();
    let silent = concluded(&start().lost(0), &quiet, 200 * 300);
    assert!(matches!(silent, Conclusion::Doubt { stalled: true, .. }), "{silent:?}");
    let there = concluded(&start().lost(0), &[Sight::still(7200, NEW)], 7200);
    assert!(matches!(there, Conclusion::Adopt { .. }), "{there:?}");
    let third = concluded(
        &start().lost(0),
        &quiet
            .into_iter()
            .map(|s| Sight {
                looks: Some(like(THIRD)),
                ..s
            })
            .collect::<Vec<_>>(),
        200 * 300,
    );
    assert!(
        matches!(third, Conclusion::Doubt { stalled: true, .. } | Conclusion::Hint { .. }),
        "{third:?}"
    );
}

#[test]
fn what_ibm_scheduled_is_no_proof_that_a_start_in_doubt_was_taken() {
    let moved = concluded(&start().lost(0), &[scheduled_by_ibm(600, NEW)], 600);
    assert!(!matches!(moved, Conclusion::Adopt { .. } | Conclusion::End { .. }), "{moved:?}");
}

#[test]
fn already_at_the_bundle_by_the_consoles_own_word_is_success_without_a_start() {
    let answer = Answer::NotTaken {
        reason: NotTaken::AlreadyThere,
        message: "400.356".to_owned(),
    };
    let refused = start().answered(answer, 0);
    assert_eq!(concluded(&refused, &[], 10), Conclusion::Confirming, "one look more");
    let ended = concluded(&refused, &[Sight::still(60, NEW)], 60);
    assert_eq!(end(&ended), Some(EndKind::AlreadyAtVersion));
}
