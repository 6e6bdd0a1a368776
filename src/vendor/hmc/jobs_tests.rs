//! What a look shows of the job, or of IBM's update, that is known to carry a run out.

use std::time::Duration;

use super::testing::*;
use super::*;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Planned;
use crate::vendor::http::testing::*;

/// A look at a console whose job is this.
async fn with_job(job: Act) -> Sight {
    let get = format!("GET {JOB}");
    let server = serves([(get.as_str(), job)]).await;
    let hmc = client(&server);
    *hmc.shared.begun.lock().unwrap() = Some(JOB.to_owned());
    let sight = hmc.observe(&target(&server), Some(JOB)).await;
    let order = calls(&server);
    assert_eq!(order[1], get, "before the bundle: {order:?}");
    sight
}

fn only(sight: &Sight) -> &Job {
    let [job] = sight.jobs.as_slice() else { panic!("{sight:?}") };
    assert_eq!((job.id.as_str(), &job.does, &job.planned), (JOB, &Does::Untold, &None));
    job
}

#[tokio::test]
async fn a_job_is_what_its_status_and_codes_say() {
    let failed = Some("500.12: not enough space");
    for (body, state, says) in [
        (r#"{"status":"running"}"#, JobState::Running, None),
        (r#"{"status":"cancel-pending"}"#, JobState::Running, None),
        (r#"{"status":"canceled"}"#, JobState::Cancelled, None),
        (r#"{"status":"complete","job-status-code":200}"#, JobState::Succeeded, None),
        (
            r#"{"status":"complete","job-status-code":204,"job-results":null}"#,
            JobState::Succeeded,
            None,
        ),
        (
            r#"{"status":"complete","job-status-code":200,"job-results":{}}"#,
            JobState::Succeeded,
            None,
        ),
        (
            r#"{"status":"complete","job-status-code":500,"job-reason-code":12}"#,
            JobState::Failed,
            Some("500.12"),
        ),
        (r#"{"status":"complete","job-status-code":500}"#, JobState::Failed, Some("500")),
        (
            r#"{"status":"complete","job-status-code":500,"job-reason-code":12,"job-results":{"message":"not enough space"}}"#,
            JobState::Failed,
            failed,
        ),
        (
            r#"{"status":"complete","job-status-code":500,"job-reason-code":12,"job-results":{"error":"not enough space"}}"#,
            JobState::Failed,
            failed,
        ),
        // Neither is documented, so neither is an end.
        (r#"{"status":"complete"}"#, JobState::Unknown, None),
        (r#"{"status":"complete","job-status-code":"200"}"#, JobState::Unknown, None),
        (r#"{"status":"levitating"}"#, JobState::Unknown, None),
    ] {
        let sight = with_job(json(200, body)).await;
        assert!(sight.complete, "{body}");
        let job = only(&sight);
        assert_eq!((&job.state, job.says.as_deref()), (&state, says), "{body}");
        let moves = matches!(
            sight.motion,
            Motion::Moving {
                toward: None,
                progress: None
            }
        );
        assert_eq!(
            (moves, sight.motion == Motion::Still),
            (state == JobState::Running, state != JobState::Running)
        );
    }
}

/// Its words may quote a password that this client never knew: the Connection was edited, or the process is another.
#[tokio::test]
async fn of_a_job_that_another_client_began_the_codes_are_told_and_no_words() {
    let words = r#"{"status":"complete","job-status-code":500,"job-reason-code":12,"job-results":{"message":"cannot log on with sesame"}}"#;
    let get = format!("GET {JOB}");
    let server = serves([(get.as_str(), json(200, words))]).await;
    let sight = client(&server).observe(&target(&server), Some(JOB)).await;
    assert_eq!(only(&sight).says.as_deref(), Some("500.12"));
}

#[tokio::test]
async fn a_job_that_the_console_does_not_know_is_unknown_and_one_that_cannot_be_read_is_not_looked_at() {
    let sight = with_job(error(404, 1, "no such job")).await;
    let job = only(&sight);
    assert_eq!((sight.complete, &job.state, job.word.as_str()), (true, &JobState::Unknown, "404.1"));
    let elsewhere = [
        error(404, 2, "x"),
        Act::Send(raw(404, &[], "<html>")),
        error(403, 1, "not yours"),
        error(500, 1, "x"),
        json(200, "[]"),
        json(200, "{}"),
    ];
    for act in elsewhere {
        let shown = format!("{act:?}");
        let sight = with_job(act).await;
        assert!(sight.seen() && !sight.complete && sight.jobs.is_empty(), "{shown}");
        assert!(sight.says.unwrap().contains("its job cannot be read"));
    }
}

#[tokio::test]
async fn a_job_of_ours_beside_an_update_of_ibms_tells_no_goal() {
    let server = serving(vec![
        (format!("GET {JOB}"), json(200, r#"{"status":"running"}"#)),
        (LIST.to_owned(), listed(&[row(UPDATE, "H41", "running")], &[])),
        (FEATURES.to_owned(), json(200, "[]")),
    ])
    .await;
    let sight = client(&server).observe(&target(&server), Some(JOB)).await;
    assert_eq!(
        sight.motion,
        Motion::Moving {
            toward: None,
            progress: None
        }
    );
    assert_eq!(
        (sight.jobs.len(), sight.job(JOB).is_some(), sight.job(UPDATE).is_some()),
        (2, true, true)
    );
}

#[tokio::test]
async fn an_update_that_is_followed_is_shown_with_all_that_its_element_tells() {
    let get = format!("GET {UPDATE}");
    let planned = Planned {
        at: "2026-11-28T02:00:00Z".parse().unwrap(),
        window: Duration::from_secs(90 * 60),
        created: Some("2026-11-27T02:00:00Z".parse().unwrap()),
    };
    // In the list, and no more in the list.
    for rows in [vec![row(UPDATE, "H41", "scheduled")], Vec::new()] {
        let server = serves([(LIST, listed(&rows, &[])), (get.as_str(), element(UPDATE, "H41", "scheduled"))]).await;
        let sight = client(&server).observe(&target(&server), Some(UPDATE)).await;
        let [job] = sight.jobs.as_slice() else { panic!("{sight:?}") };
        assert_eq!(
            (sight.complete, &job.state, &job.planned),
            (true, &JobState::Queued, &Some(planned.clone()))
        );
        assert_eq!((job.progress, &job.does), (Some(40), &Does::Installs("H41".to_owned())));
        assert_eq!(count(&server, FEATURES), 0);
    }
}

#[tokio::test]
async fn an_update_that_is_gone_is_unknown_and_one_whose_window_is_not_known_proves_nothing() {
    let get = format!("GET {UPDATE}");
    let server = serves([(get.as_str(), error(404, 1, "gone"))]).await;
    let sight = client(&server).observe(&target(&server), Some(UPDATE)).await;
    let job = sight.job(UPDATE).unwrap();
    assert_eq!((sight.complete, &job.state, job.word.as_str()), (true, &JobState::Unknown, "404.1"));
    let listed = || listed(&[row(UPDATE, "H41", "scheduled")], &[]);
    for (act, complete) in [
        (error(404, 1, "gone"), false),
        // What the list tells is whole without it.
        (error(500, 1, "x"), true),
        (error(404, 2, "x"), true),
        (element("/api/console/remote-firmware-updates/2", "H41", "running"), true),
    ] {
        let server = serves([(LIST, listed()), (get.as_str(), act)]).await;
        let sight = client(&server).observe(&target(&server), Some(UPDATE)).await;
        assert!(sight.seen());
        assert_eq!(sight.complete, complete);
        assert_eq!(sight.job(UPDATE).unwrap().state, JobState::Queued, "as the list says");
    }
    let server = serves([(LIST, listed_nothing()), (get.as_str(), error(500, 1, "x"))]).await;
    let sight = client(&server).observe(&target(&server), Some(UPDATE)).await;
    assert!(sight.seen() && !sight.complete, "what is not listed is known by its element alone");
}

fn listed_nothing() -> Act {
    listed(&[], &[])
}

#[tokio::test]
async fn a_job_that_is_no_path_of_this_console_is_never_asked_for() {
    let server = serves([]).await;
    let (hmc, target) = (client(&server), target(&server));
    for job in [
        "7f3a",
        "/api/jobs/",
        "/api/jobs/..",
        "/api/jobs/a/b",
        "/api/jobs/a?b",
        "/api/console/remote-firmware-updates/",
        "/api/cpcs/1/remote-firmware-updates/2",
        "https://other.example/api/jobs/1",
        "",
    ] {
        let sight = hmc.observe(&target, Some(job)).await;
        assert!(sight.seen() && !sight.complete && sight.jobs.is_empty(), "{job}");
    }
    assert!(
        !calls(&server).iter().any(|call| call.contains("job") || call.contains("updates/")),
        "{:?}",
        calls(&server)
    );
}
