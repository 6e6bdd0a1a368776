//! Installs: what is taken, what is refused and how, what is counted, and how each ends.

use reqwest::Method;
use serde_json::json;

use super::super::super::appliance::{
    Config, Ends, InstallAnswer, Machine, SecondInstall, TARGET, Trouble, UnknownVersion, VERSION_NEW, VERSION_NEWER, VERSION_OLD,
    VersionForm, installs, installs_of,
};
use super::super::super::{Action, Outcome, Rule, When};
use super::super::lost;
use super::{Bench, answer, bare, forms};

/// Ten seconds of QUEUED, five minutes of RUNNING, two of restart, one of slow services.
const ALL: u64 = 10 + 300 + 120 + 60;

fn ending(ends: Ends) -> Config {
    Config::default().machine(|machine| machine.ends = ends)
}

#[tokio::test]
async fn an_install_runs_restarts_and_changes_the_version() {
    let mut bench = Bench::new(Config::default().machine(|machine| machine.reconfigure_after = true)).await;
    let install = bench.install_request(VERSION_NEW).header("user-agent", "windlass/1 (receipt r1)");
    let (status, task) = answer(install).await;
    assert_eq!((status, &task["status"], &task["progress"]), (202, &json!("QUEUED"), &json!(0)));
    forms::task(&task);
    let id = task["id"].as_str().unwrap().to_owned();
    let starts = bench.vr.log().starts(TARGET);
    assert_eq!(
        (starts.len(), starts[0].version.as_str(), starts[0].request),
        (1, VERSION_NEW, bench.vr.log().posts()[0].number)
    );
    assert_eq!(starts[0].user_agent, "windlass/1 (receipt r1)");

    bench.advance(10 + 150).await;
    let task = bench.task(&id).await;
    assert_eq!(
        (&task["status"], bench.version().await),
        (&json!("RUNNING"), VERSION_OLD.to_owned())
    );
    let halfway = task["progress"].as_i64().unwrap();
    assert!((1..=99).contains(&halfway), "{task}");

    bench.advance(150).await;
    assert!(bench.vr.is_down() && bench.vr.installing());
    let error = lost(bench.request(Method::GET, "/appliance")).await;
    assert!(error.is_connect(), "the port is closed: {error:?}");
    bench.advance(119).await;
    assert!(lost(bench.request(Method::GET, "/appliance")).await.is_connect());

    bench.advance(1).await;
    assert_eq!(bench.get("/appliance").await, bare(401), "sessions do not survive");
    bench.log_in().await;
    assert_eq!(bench.version().await, VERSION_NEW);
    assert_eq!(bench.only_status("/tasks").await, 503, "services are slow");
    bench.advance(60).await;
    let task = bench.task(&id).await;
    assert_eq!((&task["status"], &task["progress"]), (&json!("SUCCESS"), &json!(100)));
    assert_eq!(
        bench.get("/appliance/configuration-manager/reconfigure-required").await.1["value"],
        true
    );
    assert_eq!(bench.vr.offered(), [VERSION_NEWER]);
    assert!(!bench.vr.installing());
    assert_eq!(
        (
            bench.starts(),
            bench.vr.log().duplicates().len(),
            bench.vr.log().refused_posts().len()
        ),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn whoever_looks_only_afterwards_finds_the_same() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.installed(VERSION_NEW).await;
    bench.advance(ALL).await;
    assert_eq!(bench.get("/session").await.0, 401, "it went down in between");
    bench.log_in().await;
    let task = bench.task(&id).await;
    assert_eq!(
        (&task["status"], bench.version().await),
        (&json!("SUCCESS"), VERSION_NEW.to_owned())
    );
    let time = |name: &str| task[name].as_i64().unwrap();
    assert_eq!(
        time("complete_time") - time("start_time"),
        (300 + 120) * 1000,
        "dated by when it was, not by who looked"
    );
}

#[tokio::test]
async fn an_install_without_a_restart_and_with_a_long_end() {
    let config = Config::default().machine(|machine| (machine.restarts, machine.finish_secs) = (false, 30));
    let bench = Bench::new(config.settings(|s| (s.session_idle_secs, s.session_absolute_secs) = (3600, 3600))).await;
    let id = bench.installed(VERSION_NEW).await;
    bench.advance(310).await;
    assert_eq!(
        (bench.version().await, bench.status(&id).await),
        (VERSION_NEW.to_owned(), json!("RUNNING"))
    );
    bench.advance(30).await;
    assert_eq!(bench.status(&id).await, "SUCCESS");
    assert_eq!(bench.vr.logins(), 1);
}

#[tokio::test]
async fn an_install_ends_in_every_other_way() {
    let trouble = Trouble::new("The update failed.", "A package could not be verified.");
    for (ends, status, version, restarted) in [
        (Ends::Error(trouble), "ERROR", VERSION_OLD, false),
        (Ends::Cancelled, "CANCELLED", VERSION_OLD, false),
        (Ends::ThirdVersion("9.0.1-10300".to_owned()), "SUCCESS", "9.0.1-10300", true),
        (Ends::SameVersion, "ERROR", VERSION_OLD, true),
    ] {
        let mut bench = Bench::new(ending(ends.clone())).await;
        let id = bench.installed(VERSION_NEW).await;
        bench.advance(ALL).await;
        bench.log_in().await;
        let task = bench.task(&id).await;
        assert_eq!(
            (&task["status"], bench.version().await.as_str()),
            (&json!(status), version),
            "{ends:?}"
        );
        if let Ends::Error(trouble) = &ends {
            assert_eq!(task["error"], json!(trouble));
            assert!(task["progress"].as_i64().unwrap() < 100);
        }
        assert_eq!(bench.vr.restarts() == 1, restarted, "{ends:?}");
        assert!(!bench.vr.installing());
        assert_eq!(bench.vr.log().starts(TARGET).len(), 1, "it was taken, however it ended");
    }
}

#[tokio::test]
async fn an_install_may_never_come_back() {
    let mut bench = Bench::new(ending(Ends::NeverBack)).await;
    let id = bench.installed(VERSION_NEW).await;
    for _ in 0..3 {
        bench.advance(100_000).await;
        assert!(lost(bench.request(Method::GET, "/appliance")).await.is_connect());
    }
    bench.vr.come_back();
    bench.vr.caught_up().await;
    bench.log_in().await;
    assert_eq!(bench.version().await, VERSION_OLD);
    bench.advance(60).await;
    assert_eq!(bench.status(&id).await, "RUNNING", "nobody ended it");
}

#[tokio::test]
async fn the_version_may_differ_from_the_one_asked_for_by_its_build() {
    let mut bench = Bench::new(Config::default().settings(|s| s.version_form = VersionForm::WithoutBuild)).await;
    assert_eq!(bench.install(VERSION_NEW).await, bare(404), "it is not called so");
    bench.installed("9.0.2").await;
    bench.advance(ALL).await;
    bench.log_in().await;
    assert_eq!(bench.version().await, VERSION_NEW);
    assert_eq!(bench.vr.log().starts(TARGET)[0].version, "9.0.2");
}

#[tokio::test]
async fn a_version_that_is_not_offered_is_refused_as_told() {
    let bench = Bench::new(Config::default()).await;
    assert_eq!(bench.install("9.9.9").await, bare(404));
    bench.vr.set(|s| s.unknown_version = UnknownVersion::BadRequest);
    let (status, body) = bench.install(VERSION_OLD).await;
    assert_eq!(status, 400);
    forms::error(&body);
    assert_eq!(
        (bench.starts(), bench.vr.log().refused_posts().len(), bench.tasks().await.len()),
        (0, 2, 0)
    );
}

#[tokio::test]
async fn a_request_that_is_not_to_the_letter_is_refused() {
    let bench = Bench::new(Config::default()).await;
    let (status, body) = answer(bench.install_request(VERSION_NEW).json(&json!({"version": VERSION_NEW}))).await;
    assert_eq!(status, 400);
    forms::error(&body);
    assert_eq!(answer(bench.install_request(VERSION_NEW).query(&[("force", "true")])).await.0, 400);
    let path = |rest: &str| format!("/appliance/update-manager/updates/{VERSION_NEW}{rest}");
    for wrong in ["", "/actions/cancel", "/actions/install/", "/actions/install/now"] {
        assert_eq!(bench.post(&path(wrong)).await.0, 404, "{wrong}");
    }
    assert_eq!(answer(bench.request(Method::PUT, &path("/actions/install"))).await.0, 404);
    assert_eq!(
        (bench.starts(), bench.vr.log().posts().len()),
        (0, 6),
        "whatever looks like a start is logged as one"
    );
    assert_eq!(bench.install("9.0.2%2D10455").await.0, 202, "an escaped path is the same path");
    assert_eq!(bench.vr.log().starts(TARGET)[0].version, VERSION_NEW);
}

#[tokio::test]
async fn a_second_install_while_one_is_under_way_does_as_told() {
    for (how, status, counted, ends_at) in [
        (SecondInstall::Rejected, 400, 1, VERSION_NEW),
        (SecondInstall::InternalError, 500, 1, VERSION_NEW),
        (SecondInstall::StartsAnother, 202, 2, VERSION_NEWER),
        (SecondInstall::TaskFails, 202, 2, VERSION_NEW),
    ] {
        let mut bench = Bench::new(Config::default().settings(|s| s.second_install = how)).await;
        bench.installed(VERSION_NEW).await;
        let (got, body) = bench.install(VERSION_NEWER).await;
        assert_eq!((got, bench.starts()), (status, counted), "{how:?}");
        if got == 202 {
            forms::task(&body);
        } else {
            forms::error(&body);
        }
        bench.advance(20).await;
        assert_eq!(bench.tasks().await.len(), counted, "{how:?}");
        if how == SecondInstall::TaskFails {
            assert_eq!(bench.status(body["id"].as_str().unwrap()).await, "ERROR");
        }
        bench.advance(ALL).await;
        bench.log_in().await;
        assert_eq!(bench.version().await, ends_at, "{how:?}");
        assert!(bench.vr.log().duplicates().is_empty(), "another version is not a duplicate");
    }
    let bench = Bench::new(Config::default().settings(|s| s.second_install = SecondInstall::StartsAnother)).await;
    bench.installed(VERSION_NEW).await;
    bench.installed(VERSION_NEW).await;
    assert_eq!((bench.vr.log().duplicates().len(), bench.vr.log().starts(TARGET).len()), (1, 2));
}

#[tokio::test]
async fn a_202_may_come_without_the_id_or_without_a_body() {
    for (how, body) in [(InstallAnswer::WithoutId, true), (InstallAnswer::Empty, false)] {
        let bench = Bench::new(Config::default().settings(|s| s.install_answer = how)).await;
        let (status, task) = bench.install(VERSION_NEW).await;
        assert_eq!((status, task.is_object(), task.get("id")), (202, body, None));
        assert_eq!((bench.starts(), bench.tasks().await.len()), (1, 1), "it was taken all the same");
    }
}

#[tokio::test]
async fn an_install_whose_answer_is_lost_or_repeated_on_the_way_is_counted() {
    let bench = Bench::new(Config::default()).await;
    bench
        .vr
        .faults()
        .add(Rule::new(Action::Drop { when: When::Before }).on(installs()).times(1));
    lost(bench.install_request(VERSION_NEW)).await;
    assert_eq!((bench.starts(), bench.tasks().await.len()), (0, 0));
    bench
        .vr
        .faults()
        .add(Rule::new(Action::Drop { when: When::After }).on(installs_of(VERSION_NEW)).times(1));
    lost(bench.install_request(VERSION_NEW)).await;
    assert_eq!((bench.starts(), bench.tasks().await.len()), (1, 1));
    assert!(matches!(bench.vr.log().posts()[1].outcome, Outcome::Cut(_)));

    let bench = Bench::new(Config::default().settings(|s| s.second_install = SecondInstall::StartsAnother)).await;
    let answer = super::super::super::faults::Copied::First;
    bench.vr.faults().add(Rule::new(Action::Duplicate { answer }).on(installs()));
    bench.installed(VERSION_NEW).await;
    assert_eq!((bench.vr.log().posts().len(), bench.vr.log().duplicates().len()), (1, 1));
}

#[tokio::test]
async fn an_injected_error_has_a_body_only_where_the_vendor_has_one() {
    let bench = Bench::new(Config::default()).await;
    for (status, has_body) in [(400, true), (401, false), (403, true), (404, false), (500, true)] {
        let action = Action::Status {
            status,
            body: super::super::super::faults::BodyKind::Json,
            when: When::Before,
            headers: Vec::new(),
        };
        bench.vr.faults().add(Rule::new(action).on(installs()).times(1));
        let (got, body) = bench.install(VERSION_NEW).await;
        assert_eq!((got, body.is_object()), (status, has_body));
    }
}

#[tokio::test]
async fn a_machine_is_changed_while_it_runs() {
    let bench = Bench::new(Config::default()).await;
    bench
        .vr
        .edit_machine(|machine| *machine = Machine::new(VERSION_NEW, &[VERSION_NEWER]));
    assert_eq!(bench.version().await, VERSION_NEW);
    assert_eq!(bench.install(VERSION_NEW).await, bare(404));
    assert_eq!(bench.installed(VERSION_NEWER).await.len(), 36);
}
