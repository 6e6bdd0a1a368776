//! Jobs: what they tell, how they are canceled, and when they are forgotten.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::hmc::{BUNDLE_NEW, BUNDLE_OLD, Config, Ends, Failure, JOBS, JobStatus, Results, User, job_reads};
use super::super::super::{Action, Rule};
use super::{Bench, bare, order};

fn fails() -> Ends {
    Ends::Failure(Failure {
        status: 500,
        reason: 42,
        message: "no space".to_owned(),
    })
}

impl Bench {
    async fn cancel(&self, uri: &str) -> (u16, Value) {
        self.post(&format!("{uri}/operations/cancel")).await
    }
}

#[tokio::test]
async fn the_results_of_a_job_have_every_form_that_is_documented_or_was_met() {
    let results = |job: &Value| job.get("job-results").cloned();
    for (form, well, badly) in [
        (Results::Null, Some(json!(null)), Some(json!(null))),
        (Results::Absent, None, None),
        (Results::Empty, Some(json!({})), Some(json!({}))),
        (
            Results::Message,
            Some(json!({"message": "The bundle was installed."})),
            Some(json!({"message": "no space"})),
        ),
        (
            Results::Error,
            Some(json!({"error": "The bundle was installed."})),
            Some(json!({"error": "no space"})),
        ),
    ] {
        let mut bench = Bench::new(Config::default().settings(|s| (s.success_results, s.failure_results) = (form, form))).await;
        let uri = bench.installed(BUNDLE_NEW).await;
        bench.finish().await;
        let job = bench.job(&uri).await;
        assert_eq!((results(&job), job.get("job-reason-code")), (well, None), "{form:?}");

        let config = Config::default().console(|console| console.ends = fails());
        let mut bench = Bench::new(config.settings(|s| s.failure_results = form)).await;
        let uri = bench.installed(BUNDLE_NEW).await;
        bench.finish().await;
        let job = bench.job(&uri).await;
        assert_eq!((results(&job), &job["job-reason-code"]), (badly, &json!(42)), "{form:?}");
    }
}

#[tokio::test]
async fn a_job_that_ended_well_is_200_or_204() {
    for code in [200, 204] {
        let mut bench = Bench::new(Config::default().settings(|s| s.job_success_code = code)).await;
        let uri = bench.installed(BUNDLE_NEW).await;
        bench.finish().await;
        assert_eq!(
            bench.job(&uri).await,
            json!({"status": "complete", "job-status-code": code, "job-results": null})
        );
    }
}

#[tokio::test]
async fn a_job_is_still_known_after_the_restart_or_not() {
    for survives in [true, false] {
        let mut bench = Bench::new(Config::default().settings(|s| s.jobs_survive_restart = survives)).await;
        let uri = bench.installed(BUNDLE_NEW).await;
        bench.advance(361).await;
        bench.advance(240 + 29).await;
        assert_eq!(bench.hmc.jobs().len(), usize::from(survives));
        bench.advance(1).await;
        bench.log_on().await;
        assert_eq!(bench.bundle().await, BUNDLE_NEW, "whatever is known of the job");
        if survives {
            assert_eq!(bench.job(&uri).await["status"], "complete");
        } else {
            bench.refused(bench.request(Method::GET, &uri), 404, 1).await;
        }
    }
}

#[tokio::test]
async fn a_cancel_is_pending_until_the_job_can_be_interrupted() {
    let bench = Bench::new(Config::default()).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.advance(30).await;
    assert_eq!(bench.cancel(&uri).await, bare(202));
    assert_eq!(bench.job(&uri).await["status"], "cancel-pending");
    bench
        .refused(bench.request(Method::POST, &format!("{uri}/operations/cancel")), 409, 42)
        .await;
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 409, 1).await;
    bench.advance(30).await;
    let job = bench.job(&uri).await;
    assert_eq!(job, json!({"status": "canceled", "job-status-code": 500, "job-reason-code": 0}));
    bench
        .refused(bench.request(Method::POST, &format!("{uri}/operations/cancel")), 409, 41)
        .await;
    bench.advance(10_000).await;
    assert_eq!(
        (bench.bundle().await.as_str(), bench.hmc.restarts(), bench.hmc.upgrading()),
        (BUNDLE_OLD, 0, false)
    );
    assert_eq!(bench.starts(), 1, "it was a start all the same");
    bench.hmc.set(|s| s.canceled_codes = None);
    assert_eq!(bench.job(&uri).await, json!({"status": "canceled"}));
    bench.hmc.set(|s| s.canceled_codes = Some((409, 15)));
    assert_eq!(bench.job(&uri).await["job-reason-code"], 15);
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_is_pending_and_the_job_runs_to_its_end() {
    let mut bench = Bench::new(Config::default()).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.advance(60 + 151).await;
    assert_eq!(bench.cancel(&uri).await, bare(202));
    bench.advance(361 - 211).await;
    bench.advance(270).await;
    bench.log_on().await;
    assert_eq!(
        (bench.job(&uri).await["job-status-code"].clone(), bench.bundle().await.as_str()),
        (json!(200), BUNDLE_NEW)
    );
}

#[tokio::test]
async fn a_job_may_be_one_that_cannot_be_canceled() {
    let bench = Bench::new(Config::default().settings(|s| s.cancelable = false)).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench
        .refused(bench.request(Method::POST, &format!("{uri}/operations/cancel")), 404, 4)
        .await;
    assert_eq!(bench.job(&uri).await["status"], "running");
}

#[tokio::test]
async fn a_job_is_deleted_once_it_has_ended() {
    let mut bench = Bench::new(Config::default()).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.refused(bench.request(Method::DELETE, &uri), 409, 40).await;
    bench.finish().await;
    assert_eq!(bench.delete(&uri).await, bare(204));
    for method in [Method::GET, Method::DELETE] {
        bench.refused(bench.request(method, &uri), 404, 1).await;
    }
    bench
        .refused(bench.request(Method::POST, &format!("{uri}/operations/cancel")), 404, 1)
        .await;
    bench.refused(bench.request(Method::GET, JOBS), 404, 1).await;
    bench.refused(bench.request(Method::GET, "/api/jobs"), 404, 1).await;
}

#[tokio::test]
async fn to_another_user_there_is_no_such_job() {
    let mut bench = Bench::new(Config::default().user(User::manager("other", "o"))).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.log_on_as("other", "o").await;
    bench.refused(bench.request(Method::GET, &uri), 404, 1).await;
    bench
        .refused(bench.request(Method::POST, &format!("{uri}/operations/cancel")), 404, 1)
        .await;
    assert_eq!(bench.hmc.job(&uri).unwrap().status, JobStatus::Running);
}

#[tokio::test]
async fn jobs_are_forgotten_after_a_while_or_all_at_once() {
    let mut bench = Bench::new(Config::default().settings(|s| s.job_retention_secs = Some(60))).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.finish().await;
    assert_eq!(bench.job(&uri).await["status"], "complete");
    bench.advance(60).await;
    bench.refused(bench.request(Method::GET, &uri), 404, 1).await;
    let uri = bench.installed("H34").await;
    bench.hmc.lose_jobs();
    bench.refused(bench.request(Method::GET, &uri), 404, 1).await;
    assert!(bench.hmc.upgrading(), "what it told of goes on");
}

#[tokio::test]
async fn a_stale_answer_tells_of_a_job_that_has_ended_as_running() {
    let mut bench = Bench::new(Config::default()).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    assert_eq!(bench.job(&uri).await["status"], "running");
    let rule = bench.hmc.faults().add(Rule::new(Action::Stale).on(job_reads()));
    bench.finish().await;
    assert_eq!(bench.job(&uri).await["status"], "running", "a cache in between");
    bench.hmc.faults().remove(rule).unwrap();
    assert_eq!(bench.job(&uri).await["status"], "complete");
}
