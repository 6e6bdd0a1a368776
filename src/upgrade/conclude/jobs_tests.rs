//! What becomes of starts that are jobs of a recovery appliance.

use std::time::Duration;

use proptest::prelude::*;

use super::job_of;
use crate::upgrade::conclude::Conclusion;
use crate::upgrade::conclude::Evidence;
use crate::upgrade::conclude::Following;
use crate::upgrade::conclude::conclude;
use crate::upgrade::memory::Custody;
use crate::upgrade::memory::Seen;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::sight::*;
use crate::upgrade::target::TargetKey;
use crate::upgrade::testing::*;
use crate::upgrade::timing::Timing;

const OLD: &str = "9.0.0-10010";
const NEW: &str = "9.0.2-10455";
const BEFORE: [&str; 3] = ["t1", "t2", "witness"];

fn key() -> TargetKey {
    TargetKey::appliance(vc1())
}

fn ids(ids: &[&str]) -> JobsBefore {
    JobsBefore {
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        witness: None,
        mover: None,
        begins: None,
    }
}

/// A start to NEW of an appliance at OLD with the tasks of BEFORE, decided at second 0.
fn start() -> Receipt {
    let mut receipt = Receipt::no(1).to(NEW).from(OLD);
    receipt.before.jobs = Some(JobsBefore {
        witness: Some("witness".to_owned()),
        ..ids(&BEFORE)
    });
    receipt
}

fn job(id: &str, state: JobState) -> Job {
    Job {
        planned: None,
        id: id.to_owned(),
        word: format!("{state:?}").to_uppercase(),
        progress: (state == JobState::Running).then_some(40),
        state,
        does: Does::Untold,
        says: None,
    }
}

/// A look at the whole task list.
fn list(secs: u64, version: &str, jobs: Vec<Job>) -> Sight {
    let mut sight = Sight::still(secs, version);
    if jobs.iter().any(Job::active) {
        sight.motion = Motion::Moving {
            toward: None,
            progress: None,
        };
    }
    let listed: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    sight.looks = Some(Looks {
        jobs: Some(ids(&listed)),
        ..like(version)
    });
    sight.jobs = jobs;
    sight
}

/// A look at one task, or at none that the appliance knows.
fn only(secs: u64, version: &str, job: Job) -> Sight {
    let mut sight = list(secs, version, vec![job]);
    sight.looks = Some(like(version));
    sight
}

fn old_and(new: impl IntoIterator<Item = Job>) -> Vec<Job> {
    BEFORE.iter().map(|id| job(id, JobState::Succeeded)).chain(new).collect()
}

fn concluded(receipt: &Receipt, sights: &[Sight], now: u64) -> Conclusion {
    let known = Seen {
        doubt: Some(mono(0)),
        accepted: Some(mono(0)),
        refused: Some(mono(0)),
        ..Seen::default()
    };
    let evidence = Evidence {
        key: &key(),
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

fn named() -> Receipt {
    start().answered(
        Answer::Accepted {
            job: Some("t4".to_owned()),
        },
        0,
    )
}

fn adopted_as_t4() -> Receipt {
    let mut receipt = start().lost(0).adopted(60);
    if let Some(adopted) = &mut receipt.adopted {
        adopted.job = Some("t4".to_owned());
    }
    receipt
}

#[test]
fn the_task_that_the_vendor_named_is_believed_in_every_word() {
    let follow = |state| concluded(&named(), &[only(60, OLD, job("t4", state))], 61);
    assert!(matches!(
        follow(JobState::Queued),
        Conclusion::Follow(Following::Queued { says: Some(_) })
    ));
    let running = follow(JobState::Running);
    assert!(
        matches!(
            running,
            Conclusion::Follow(Following::Moving {
                progress: Some(40),
                overdue: false,
                ..
            })
        ),
        "{running:?}"
    );
    assert_eq!(end(&follow(JobState::Succeeded)), Some(EndKind::Succeeded));
    assert_eq!(end(&follow(JobState::Failed)), Some(EndKind::Failed));
    assert_eq!(end(&follow(JobState::Cancelled)), Some(EndKind::Cancelled));
}

#[test]
fn a_lost_answer_is_found_again_as_the_one_new_task() {
    let lost = start().lost(0);
    let found = concluded(&lost, &[list(30, OLD, old_and([job("t4", JobState::Running)]))], 31);
    let Conclusion::Adopt { job: Some(id), .. } = &found else {
        panic!("{found:?}")
    };
    assert_eq!(id, "t4");
    let restarted = list(30, OLD, vec![job("t2", JobState::Succeeded), job("t4", JobState::Failed)]);
    assert!(
        matches!(concluded(&lost, &[restarted], 31), Conclusion::Adopt { .. }),
        "though old ones are gone"
    );
    let arrived = concluded(&lost, &[list(30, NEW, vec![])], 31);
    assert!(matches!(arrived, Conclusion::Adopt { job: None, .. }), "{arrived:?}");
}

#[test]
fn two_new_tasks_are_never_taken_for_one_start_nor_for_none() {
    let lost = start().lost(0);
    let two = |secs| list(secs, OLD, old_and([job("t4", JobState::Succeeded), job("t5", JobState::Failed)]));
    let sights = [two(60), two(GRACE + 10), two(2 * GRACE)];
    let first = concluded(&lost, &sights, 2 * GRACE);
    assert!(matches!(first, Conclusion::Hint { .. }), "{first:?}");
    let then = concluded(&lost.hinted(60), &sights, 2 * GRACE);
    let Conclusion::Doubt { stalled: true, why } = &then else {
        panic!("{then:?}")
    };
    assert!(why.contains("t4, t5"), "{why}");
}

#[test]
fn a_new_task_whose_words_are_another_s_is_neither_adopted_nor_overlooked() {
    for does in [Does::Else, Does::Installs("9.0.9-1".to_owned())] {
        let other = Job {
            does,
            ..job("t4", JobState::Succeeded)
        };
        let sights = [60, GRACE + 10, 2 * GRACE].map(|secs| list(secs, OLD, old_and([other.clone()])));
        let then = concluded(&start().lost(0).hinted(60), &sights, 2 * GRACE);
        assert!(matches!(then, Conclusion::Doubt { stalled: true, .. }), "{then:?}");
    }
}

#[test]
fn a_start_counts_as_never_taken_only_by_a_list_that_kept_its_witness() {
    let lost = start().lost(0);
    let looks = |jobs: Vec<Job>| [GRACE + 10, GRACE + 70].map(|secs| list(secs, OLD, jobs.clone()));
    assert_eq!(end(&concluded(&lost, &looks(old_and([])), 2 * GRACE)), Some(EndKind::NotTaken));
    let early = [10, 70].map(|secs| list(secs, OLD, old_and([])));
    assert_eq!(
        end(&concluded(&lost, &early, 2 * GRACE)),
        None,
        "before the grace period nothing is proven"
    );
    let mut unwitnessed = lost.clone();
    unwitnessed.before.jobs = Some(ids(&BEFORE));
    let mut unknown = lost.clone();
    unknown.before.jobs = None;
    for (case, receipt, jobs) in [
        ("an empty list after a restart", &lost, vec![]),
        ("a list that forgot an older task", &lost, old_and([]).split_off(1)),
        ("a list that forgot its witness", &lost, old_and([]).into_iter().take(2).collect()),
        ("a list that never showed the witness", &unwitnessed, old_and([])),
        ("a list of before that is not known", &unknown, old_and([])),
    ] {
        let then = concluded(receipt, &looks(jobs), 2 * GRACE);
        assert!(matches!(then, Conclusion::Doubt { stalled: true, .. }), "{case}: {then:?}");
    }
}

#[test]
fn a_task_that_was_adopted_is_done_only_with_its_version() {
    let adopted = adopted_as_t4();
    assert_eq!(job_of(&adopted), Some("t4"));
    let after = GRACE + 100;
    let done = |version| concluded(&adopted, &[only(after, version, job("t4", JobState::Succeeded))], after);
    assert_eq!(end(&done(NEW)), Some(EndKind::Succeeded));
    assert!(
        matches!(done(OLD), Conclusion::Follow(Following::OutOfSight { .. })),
        "{:?}",
        done(OLD)
    );
    assert_eq!(
        end(&concluded(&adopted, &[only(after, OLD, job("t4", JobState::Failed))], after)),
        Some(EndKind::Failed)
    );
}

/// Found by the demo: the moment of the look stood in the message, and each look for the whole grace period wrote the status anew.
#[test]
fn what_is_shown_until_an_end_is_certain_does_not_change_with_each_look() {
    let adopted = adopted_as_t4();
    let shown = |secs| concluded(&adopted, &[only(secs, NEW, job("t4", JobState::Succeeded))], secs);
    assert!(
        matches!(shown(60), Conclusion::Follow(Following::Settling { .. })),
        "{:?}",
        shown(60)
    );
    assert_eq!(shown(60), shown(120));
}

#[test]
fn somebody_else_s_install_is_followed_by_its_own_task() {
    let mut noted = start().note(Note::Adopted);
    noted.before.jobs = Some(JobsBefore {
        mover: Some("t4".to_owned()),
        ..ids(&["t4"])
    });
    let running = concluded(&noted, &[only(60, OLD, job("t4", JobState::Running))], 60);
    assert!(matches!(running, Conclusion::Follow(Following::Moving { .. })), "{running:?}");
    assert_eq!(
        end(&concluded(&noted, &[only(60, NEW, job("t4", JobState::Succeeded))], 60)),
        Some(EndKind::Succeeded)
    );
}

#[test]
fn an_appliance_that_forgot_its_task_is_judged_by_its_version() {
    let forgot = |secs, version| only(secs, version, job("t4", JobState::Unknown));
    let back = concluded(&named(), &[forgot(600, NEW)], 600);
    assert_eq!(end(&back), Some(EndKind::Succeeded));
    let same = concluded(&named(), &[forgot(2 * GRACE, OLD), forgot(3 * GRACE, OLD)], 3 * GRACE);
    assert!(
        matches!(same, Conclusion::Follow(Following::OutOfSight { .. })),
        "not failed before its time: {same:?}"
    );
    let late = TIMEOUT + 60;
    assert_eq!(
        end(&concluded(&named(), &[forgot(late, OLD)], late)),
        Some(EndKind::Failed),
        "seen below its version"
    );
}

#[test]
fn a_third_version_is_for_a_person_who_is_told_both_strings() {
    let third = only(TIMEOUT + 60, "9.0.2-10460", job("t4", JobState::Unknown));
    let then = concluded(&named(), &[third], TIMEOUT + 60);
    let Conclusion::Follow(Following::LostSight { why }) = &then else {
        panic!("{then:?}")
    };
    assert!(why.contains("9.0.2-10460") && why.contains(NEW) && why.contains(OLD), "{why}");
}

#[test]
fn an_appliance_that_restarts_is_out_of_sight_and_never_failed_for_it() {
    let gone = |now| concluded(&named(), &[only(60, OLD, job("t4", JobState::Running)), Sight::unseen(now)], now);
    assert!(matches!(gone(600), Conclusion::Follow(Following::OutOfSight { .. })));
    assert!(matches!(gone(TIMEOUT + 1), Conclusion::Follow(Following::LostSight { .. })));
}

#[test]
fn an_accepted_start_without_a_task_of_its_own_never_fails_for_looking_as_before() {
    let accepted = start().accepted(0);
    let as_before = [GRACE + 10, 2 * GRACE].map(|secs| list(secs, OLD, old_and([])));
    let then = concluded(&accepted, &as_before, 2 * GRACE + 1);
    assert!(matches!(then, Conclusion::Follow(Following::Queued { .. })), "{then:?}");
    let found = concluded(&accepted, &[list(60, OLD, old_and([job("t4", JobState::Running)]))], 60);
    assert!(matches!(found, Conclusion::Follow(Following::Moving { .. })), "{found:?}");
}

#[test]
fn a_refusal_that_may_be_tried_again_is_not_believed_beside_a_new_task() {
    let unauthorized = || start().refused_as(NotTaken::Unauthorized, 0);
    let quiet = list(10, OLD, old_and([]));
    assert_eq!(end(&concluded(&unauthorized(), &[quiet], 11)), Some(EndKind::NotTaken));
    let ended = list(10, OLD, old_and([job("t4", JobState::Failed)]));
    let copy = concluded(&unauthorized(), std::slice::from_ref(&ended), 11);
    assert!(
        matches!(&copy, Conclusion::Adopt { job: Some(id), .. } if id == "t4"),
        "its other copy was taken: {copy:?}"
    );
    let two = list(10, OLD, old_and([job("t4", JobState::Failed), job("t5", JobState::Succeeded)]));
    let nobody_knows = concluded(&unauthorized(), &[two], 11);
    assert!(matches!(nobody_knows, Conclusion::Doubt { stalled: true, .. }), "{nobody_knows:?}");
    let rejected = start().rejected(0);
    assert_eq!(
        end(&concluded(&rejected, &[ended], 11)),
        Some(EndKind::Rejected),
        "somebody's task does not make it ours"
    );
    let told = Job {
        does: Does::Installs(NEW.to_owned()),
        ..job("t4", JobState::Failed)
    };
    let ours = concluded(&rejected, &[list(10, OLD, old_and([told]))], 11);
    assert!(matches!(ours, Conclusion::Adopt { .. }), "{ours:?}");
}

#[test]
fn a_version_that_was_reached_needs_no_list_of_tasks() {
    let unread = |secs, version| Sight {
        jobs: Vec::new(),
        looks: Some(like(version)),
        ..list(secs, version, vec![]).partial()
    };
    assert_eq!(end(&concluded(&named(), &[unread(600, NEW)], 600)), Some(EndKind::Succeeded));
    let waits = concluded(&named(), &[unread(600, OLD)], 600);
    assert!(matches!(waits, Conclusion::Follow(Following::OutOfSight { .. })), "{waits:?}");
    let found = concluded(&start().lost(0), &[unread(600, NEW)], 600);
    assert!(matches!(found, Conclusion::Adopt { .. }), "{found:?}");
}

#[test]
fn an_adopted_install_is_never_ended_by_a_task_that_came_later() {
    let mut noted = start().note(Note::Adopted);
    noted.before.jobs = Some(ids(&["t3", "t4"]));
    let other = job("t5", JobState::Failed);
    let both = vec![job("t3", JobState::Succeeded), job("t4", JobState::Running), other];
    let then = concluded(&noted, &[list(60, OLD, both)], 60);
    assert!(matches!(then, Conclusion::Follow(Following::Moving { .. })), "{then:?}");
}

#[test]
fn a_third_version_is_for_a_person_whether_or_not_a_task_was_named() {
    let late = TIMEOUT + 60;
    let third = concluded(&start().accepted(0), &[list(late, "9.0.2-10460", vec![])], late);
    assert!(matches!(third, Conclusion::Follow(Following::LostSight { .. })), "{third:?}");
}

fn any_job() -> impl Strategy<Value = Job> {
    let state = prop_oneof![
        1 => Just(JobState::Queued),
        1 => Just(JobState::Running),
        3 => Just(JobState::Succeeded),
        1 => Just(JobState::Failed),
        1 => Just(JobState::Cancelled),
    ];
    (prop::sample::select(vec!["t1", "t2", "witness", "t4", "t5"]), state).prop_map(|(id, state)| job(id, state))
}

proptest! {
    #[test]
    fn never_taken_from_doubt_always_has_the_witness_twice(
        jobs in prop::collection::vec(prop::collection::vec(any_job(), 0..6), 0..5),
        first in 0..GRACE,
        version in prop::sample::select(vec![OLD, NEW, "9.0.1-1"]),
    ) {
        let sights: Vec<Sight> = jobs
            .into_iter()
            .zip(0u64..)
            .map(|(mut jobs, at)| {
                jobs.sort_by(|a, b| a.id.cmp(&b.id));
                jobs.dedup_by(|a, b| a.id == b.id);
                list(first + at * GRACE / 2, version, jobs)
            })
            .collect();
        let conclusion = concluded(&start().lost(0), &sights, 4 * GRACE);
        if end(&conclusion) == Some(EndKind::NotTaken) {
            let whole = |s: &&Sight| {
                s.asked >= mono(GRACE) && s.motion == Motion::Still && s.looks.as_ref().is_some_and(|l| l.version == OLD && l.jobs == Some(ids(&BEFORE)))
            };
            prop_assert!(sights.iter().filter(whole).count() >= 2, "{sights:?}");
            prop_assert!(sights.iter().all(|s| s.jobs.iter().all(|j| BEFORE.contains(&j.id.as_str()))));
        }
    }
}
