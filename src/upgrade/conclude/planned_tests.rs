//! What becomes of remote firmware updates of an HMC: a start asks for a token only, and IBM schedules with it when it chooses.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::upgrade::conclude::Conclusion;
use crate::upgrade::conclude::Evidence;
use crate::upgrade::conclude::Following;
use crate::upgrade::conclude::TOKEN_EXPIRED;
use crate::upgrade::conclude::conclude;
use crate::upgrade::facts::Options;
use crate::upgrade::memory::Custody;
use crate::upgrade::memory::Seen;
use crate::upgrade::receipt::*;
use crate::upgrade::sight::*;
use crate::upgrade::target::TargetKey;
use crate::upgrade::testing::*;
use crate::upgrade::timing::Timing;

const OLD: &str = "H30";
const NEW: &str = "H41";
const UPDATE: &str = "/api/console/remote-firmware-updates/1f0c";
const DAY: u64 = 24 * 3600;
/// A token that is good for a week from second 0, as the console writes it.
const TOKEN: (&str, u64) = ("1772928000000", 7 * DAY);
const TIMEOUT_REMOTE: u64 = 8 * DAY;

fn start() -> Receipt {
    let key = TargetKey::console(vc1());
    let mut receipt = Receipt::no(1).to(NEW).from(OLD);
    (receipt.name, receipt.target) = (key.receipt_name(1), key.canonical());
    receipt.options = Some(Options::ConsoleSchedule { authorize: true }.canonical());
    receipt.before.permissions = Some(BTreeSet::new());
    receipt.before.jobs = Some(JobsBefore::default());
    receipt
}

fn scheduled(mut receipt: Receipt, begins: u64) -> Receipt {
    receipt.scheduled = Some(Scheduled {
        at: at(10),
        job: UPDATE.to_owned(),
        begins: at(begins),
    });
    receipt
}

/// A console at rest with these tokens and these updates on its schedule.
fn look(secs: u64, bundle: &str, tokens: &[(&str, u64)], updates: &[Job]) -> Sight {
    let mut sight = Sight::still(secs, bundle);
    let looks = sight.looks.as_mut().unwrap();
    looks.permissions = Some(tokens.iter().map(|(told, _)| (*told).to_owned()).collect());
    looks.jobs = Some(JobsBefore {
        ids: updates.iter().map(|job| job.id.clone()).collect(),
        ..JobsBefore::default()
    });
    sight.permitted = tokens.iter().map(|(_, until)| at(*until)).max();
    if let Some(running) = updates.iter().find(|job| job.state == JobState::Running) {
        let Does::Installs(toward) = running.does.clone() else { panic!() };
        sight.motion = Motion::Moving {
            toward: Some(toward),
            progress: running.progress,
        };
    }
    sight.jobs = updates.to_vec();
    sight
}

fn update(version: &str, state: JobState, word: &str, begins: u64) -> Job {
    Job {
        id: UPDATE.to_owned(),
        state,
        word: word.to_owned(),
        does: Does::Installs(version.to_owned()),
        progress: Some(50),
        says: Some("step apply-internal-code-changes".to_owned()),
        planned: Some(Planned {
            at: at(begins),
            window: Duration::from_hours(1),
            created: None,
        }),
    }
}

fn to_come(begins: u64) -> Job {
    update(NEW, JobState::Queued, "scheduled", begins)
}

fn concluded_after(known: u64, receipt: &Receipt, sights: &[Sight], now: u64) -> Conclusion {
    let seen = Seen {
        open: mono(known),
        doubt: Some(mono(known)),
        accepted: Some(mono(known)),
        refused: Some(mono(known)),
    };
    let evidence = Evidence {
        key: &TargetKey::console(vc1()),
        sights,
        unchanged_since: unchanged_since(sights),
        seen,
        custody: Custody::None,
        timeout: Duration::from_secs(TIMEOUT_REMOTE),
        wall: at(now),
        mono: mono(now),
        timing: &Timing::production(),
    };
    conclude(receipt, &evidence)
}

fn concluded(receipt: &Receipt, sights: &[Sight], now: u64) -> Conclusion {
    concluded_after(0, receipt, sights, now)
}

fn end(conclusion: &Conclusion) -> Option<EndKind> {
    match conclusion {
        Conclusion::End { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[test]
fn a_token_that_nobody_used_yet_is_waited_with_and_is_no_failure_by_timeout() {
    for now in [600, 3 * DAY] {
        let waits = concluded(&start().accepted(0), &[look(now, OLD, &[TOKEN], &[])], now);
        assert!(
            matches!(waits, Conclusion::Follow(Following::Unscheduled { until: Some(until), overdue: false, .. }) if until == at(TOKEN.1)),
            "{waits:?}"
        );
    }
    let late = look(TIMEOUT_REMOTE + 10, OLD, &[("later", 14 * DAY)], &[]);
    let long = concluded(&start().accepted(0), &[late.clone(), late], TIMEOUT_REMOTE + 20);
    assert!(
        matches!(long, Conclusion::Follow(Following::Unscheduled { overdue: true, .. })),
        "somebody may still use it: {long:?}"
    );
}

#[test]
fn what_ibm_schedules_is_written_down_once_and_followed() {
    let sights = [look(600, OLD, &[TOKEN], &[to_come(DAY)])];
    let first = concluded(&start().accepted(0), &sights, 600);
    let Conclusion::Scheduled { job, begins, .. } = &first else {
        panic!("{first:?}")
    };
    assert_eq!((job.as_str(), *begins), (UPDATE, at(DAY)));
    let then = concluded(&scheduled(start().accepted(0), DAY), &sights, 600);
    let Conclusion::Follow(Following::Scheduled { begins, says, .. }) = &then else {
        panic!("{then:?}")
    };
    assert_eq!(*begins, Some(at(DAY)));
    assert!(says.contains("IBM scheduled H41 (state scheduled)"), "{says}");
    let running = look(DAY + 60, OLD, &[], &[update(NEW, JobState::Running, "running", DAY)]);
    let runs = concluded(&scheduled(start().accepted(0), DAY), &[running], DAY + 60);
    assert!(
        matches!(&runs, Conclusion::Follow(Following::Moving { progress: Some(50), says: Some(says), overdue: false }) if says.contains("step apply")),
        "{runs:?}"
    );
    let done = concluded(&scheduled(start().accepted(0), DAY), &[look(DAY + 9000, NEW, &[], &[])], DAY + 9000);
    assert_eq!(end(&done), Some(EndKind::Succeeded));
}

#[test]
fn a_schedule_to_another_bundle_is_never_taken_for_ours() {
    let other = look(600, OLD, &[TOKEN], &[update("H40", JobState::Queued, "scheduled", DAY)]);
    let waits = concluded(&start().accepted(0), &[other], 600);
    assert!(matches!(waits, Conclusion::Follow(Following::Unscheduled { .. })), "{waits:?}");
    let mut old = start().accepted(0);
    old.before.jobs.as_mut().unwrap().ids.insert(UPDATE.to_owned());
    let stale = look(600, OLD, &[TOKEN], &[to_come(DAY)]);
    let still = concluded(&old, &[stale], 600);
    assert!(
        matches!(still, Conclusion::Follow(Following::Unscheduled { .. })),
        "it was there before the start: {still:?}"
    );
}

#[test]
fn a_schedule_that_is_withdrawn_before_its_time_is_cancelled_but_not_before_the_grace_period() {
    let receipt = scheduled(start().accepted(0), DAY);
    let there = look(600, OLD, &[TOKEN], &[to_come(DAY)]);
    let gone = |secs| look(secs, OLD, &[TOKEN], &[]);
    let soon = concluded(&receipt, &[there.clone(), gone(900), gone(1200)], 1200);
    assert!(
        matches!(soon, Conclusion::Follow(Following::OutOfSight { .. })),
        "IBM may be about to put it there anew: {soon:?}"
    );
    let late = 900 + GRACE;
    let sights = [there.clone(), gone(900), gone(late)];
    assert_eq!(end(&concluded(&receipt, &sights, late)), Some(EndKind::Cancelled));
    let blind = concluded(&receipt, &[there, gone(900), gone(late).partial()], late);
    assert_eq!(end(&blind), None, "half an answer withdraws nothing: {blind:?}");
}

/// What was written down is the first time that was seen; IBM may have moved it since.
#[test]
fn a_schedule_that_was_moved_and_then_withdrawn_has_not_failed() {
    let receipt = scheduled(start().accepted(0), DAY);
    let moved = look(600, OLD, &[TOKEN], &[to_come(5 * DAY)]);
    let gone = |secs| look(secs, OLD, &[TOKEN], &[]);
    let now = 3 * DAY;
    let withdrawn = concluded(&receipt, &[moved, gone(now - GRACE), gone(now)], now);
    assert_eq!(end(&withdrawn), Some(EndKind::Cancelled), "{withdrawn:?}");
    // One that was there before the run was adopted, and was gone before it was ever seen again.
    let mut adopted = start().note(Note::Adopted);
    let jobs = adopted.before.jobs.as_mut().unwrap();
    (jobs.mover, jobs.begins) = (Some(UPDATE.to_owned()), Some(at(DAY)));
    let sights = [gone(600), gone(600 + GRACE)];
    assert_eq!(end(&concluded(&adopted, &sights, 600 + GRACE)), Some(EndKind::Cancelled));
}

#[test]
fn a_schedule_that_is_gone_after_its_time_failed_only_once_the_console_was_seen_for_long() {
    let receipt = scheduled(start().accepted(0), DAY);
    let running = look(DAY + 60, OLD, &[], &[update(NEW, JobState::Running, "running", DAY)]);
    let quiet = |secs| look(secs, OLD, &[], &[]);
    let soon = concluded(&receipt, &[running.clone(), quiet(DAY + 120), quiet(DAY + 150)], DAY + 150);
    assert!(
        matches!(soon, Conclusion::Follow(Following::OutOfSight { .. })),
        "it may restart: {soon:?}"
    );
    let back = DAY + 60 + 2 * GRACE;
    let away = Sight::unseen(DAY + 120);
    let first = concluded(&receipt, &[running.clone(), away, quiet(back)], back);
    assert_eq!(end(&first), None, "time in which nobody saw it does not count: {first:?}");
    let late = DAY + 120 + GRACE;
    let failed = concluded(&receipt, &[running, quiet(DAY + 120), quiet(late)], late);
    assert_eq!(end(&failed), Some(EndKind::Failed), "{failed:?}");
    // A process that starts then has seen nothing yet.
    let anew = concluded_after(late - 60, &receipt, &[quiet(late - 30), quiet(late)], late);
    assert_eq!(end(&anew), None, "{anew:?}");
}

/// The timeout counts from when it could still begin: what IBM is to carry out on the ninth day is not over on the eighth.
#[test]
fn what_still_stands_or_runs_past_the_timeout_is_neither_failed_nor_lost() {
    let receipt = scheduled(start().accepted(0), 9 * DAY);
    let now = 9 * DAY + 2 * GRACE;
    let odd = |secs| look(secs, OLD, &[], &[update(NEW, JobState::Unknown, "activating", 9 * DAY)]);
    let running = look(9 * DAY + 60, OLD, &[], &[update(NEW, JobState::Running, "running", 9 * DAY)]);
    let waits = concluded(&receipt, &[running.clone(), odd(9 * DAY + 120), odd(now)], now);
    assert!(matches!(waits, Conclusion::Follow(Following::OutOfSight { .. })), "{waits:?}");
    let away = concluded(&receipt, &[running, Sight::unseen(now)], now);
    assert!(
        matches!(away, Conclusion::Follow(Following::OutOfSight { .. })),
        "a restart is no loss: {away:?}"
    );
    let unknown_at_once = look(600, OLD, &[TOKEN], &[update(NEW, JobState::Unknown, "queued-at-ibm", 10 * DAY)]);
    let noted = concluded(&start().accepted(0), &[unknown_at_once], 600);
    assert!(
        matches!(&noted, Conclusion::Scheduled { begins, .. } if *begins == at(10 * DAY)),
        "its time is known, whatever it is called: {noted:?}"
    );
}

#[test]
fn another_bundle_that_ibm_put_there_instead_is_told_and_ends_the_wait_once_the_console_is_past_ours() {
    let other = look(600, OLD, &[TOKEN], &[update("H42", JobState::Queued, "scheduled", DAY)]);
    let waits = concluded(&start().accepted(0), &[other], 600);
    assert!(
        matches!(&waits, Conclusion::Follow(Following::Unscheduled { instead: Some(other), .. }) if other == "H42"),
        "{waits:?}"
    );
    let there = |secs| look(secs, "H42", &[], &[]);
    let soon = concluded(&start().accepted(0), &[there(DAY), there(DAY + 60)], DAY + 60);
    assert_eq!(end(&soon), None, "{soon:?}");
    let past = concluded(&start().accepted(0), &[there(DAY), there(DAY + GRACE)], DAY + GRACE);
    assert_eq!(end(&past), Some(EndKind::Failed), "{past:?}");
    let below = |secs| look(secs, "H40", &[], &[]);
    let between = concluded(&start().accepted(0), &[below(DAY), below(DAY + GRACE)], DAY + GRACE);
    assert_eq!(end(&between), None, "it may still go on to ours: {between:?}");
}

#[test]
fn a_word_that_nobody_documents_fails_nothing_while_the_update_may_run() {
    let receipt = scheduled(start().accepted(0), DAY);
    let odd = |secs| look(secs, OLD, &[], &[update(NEW, JobState::Unknown, "activating", DAY)]);
    let now = DAY + 2 * GRACE;
    let waits = concluded(&receipt, &[odd(now - 60), odd(now)], now);
    assert!(
        matches!(&waits, Conclusion::Follow(Following::OutOfSight { why }) if why.contains("activating")),
        "{waits:?}"
    );
    let there = concluded(
        &receipt,
        &[look(now, NEW, &[], &[update(NEW, JobState::Unknown, "done?", DAY)])],
        now,
    );
    assert_eq!(end(&there), Some(EndKind::Succeeded));
}

#[test]
fn a_token_that_ran_out_without_a_schedule_ends_the_run_and_not_before_it_did() {
    let none = |secs| look(secs, OLD, &[], &[]);
    let week = 7 * DAY + 60;
    let early = concluded(&start().accepted(0), &[none(DAY), none(DAY + 60)], DAY + 60);
    assert_eq!(end(&early), None, "the console may not list what it issued: {early:?}");
    let over = concluded(&start().accepted(0), &[none(week), none(week + 60)], week + 60);
    assert_eq!(end(&over), Some(EndKind::Failed));
    let once = concluded(&start().accepted(0), &[none(week)], week);
    assert_eq!(end(&once), None, "one look is no proof: {once:?}");
    let mut adopted = start().note(Note::Adopted);
    adopted.before.permissions = Some(BTreeSet::from([TOKEN.0.to_owned()]));
    adopted.before.permitted = Some(at(TOKEN.1));
    let used = concluded(&adopted, &[none(2 * DAY), none(2 * DAY + 60)], 2 * DAY + 60);
    assert_eq!(end(&used), None, "a token in use may be listed no more: {used:?}");
    let over = concluded(&adopted, &[none(week), none(week + 60)], week + 60);
    assert!(
        matches!(&over, Conclusion::End { kind: EndKind::Failed, how } if how.starts_with(TOKEN_EXPIRED)),
        "{over:?}"
    );
    assert!(adopted.left_to_vendor() && !Receipt::no(1).note(Note::Adopted).left_to_vendor());
}

#[test]
fn an_authorization_whose_answer_was_lost_is_found_by_a_token_that_was_not_there() {
    let lost = || start().lost(0);
    let found = concluded(&lost(), &[look(60, OLD, &[TOKEN], &[])], 60);
    assert!(
        matches!(&found, Conclusion::Adopt { how, job: None } if how.contains("token")),
        "{found:?}"
    );
    let by_schedule = concluded(&lost(), &[look(60, OLD, &[], &[to_come(DAY)])], 60);
    assert!(matches!(by_schedule, Conclusion::Adopt { .. }), "{by_schedule:?}");
    let mut had = lost();
    had.before.permissions = Some(BTreeSet::from([TOKEN.0.to_owned()]));
    let same = concluded(&had, &[look(60, OLD, &[TOKEN], &[])], 60);
    assert!(matches!(same, Conclusion::Doubt { stalled: false, .. }), "{same:?}");
}

#[test]
fn an_authorization_was_not_taken_only_by_whole_lists_from_after_the_grace_period() {
    let quiet = |secs| look(secs, OLD, &[], &[]);
    let early = concluded(&start().lost(0), &[quiet(60), quiet(600)], 600);
    assert_eq!(end(&early), None, "{early:?}");
    let late = [quiet(GRACE + 10), quiet(GRACE + 40)];
    assert_eq!(end(&concluded(&start().lost(0), &late, GRACE + 40)), Some(EndKind::NotTaken));
    let untold = late.clone().map(|mut sight| {
        sight.looks.as_mut().unwrap().permissions = None;
        sight
    });
    let silent = concluded(&start().lost(0), &untold, GRACE + 40);
    assert!(matches!(silent, Conclusion::Doubt { stalled: true, .. }), "{silent:?}");
    let install = Receipt {
        options: Some(r#"{"acceptFirmware":true,"backupLocation":"USB"}"#.to_owned()),
        ..start()
    };
    let never = concluded(&install.lost(0), &late, GRACE + 40);
    assert!(
        matches!(never, Conclusion::Doubt { stalled: true, .. }),
        "of an install it proves nothing: {never:?}"
    );
}

#[test]
fn a_refused_authorization_whose_other_copy_was_taken_is_followed() {
    let refused = start().refused_as(NotTaken::Busy, 0);
    let copied = concluded(&refused, &[look(60, OLD, &[TOKEN], &[])], 60);
    assert!(matches!(copied, Conclusion::Adopt { .. }), "{copied:?}");
    let quiet = concluded(&refused, &[look(60, OLD, &[], &[])], 60);
    assert_eq!(end(&quiet), Some(EndKind::NotTaken));
}
