//! Restarts: how connections are met, what is forgotten, and what does not work yet afterwards.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::json;

use super::super::super::appliance::{Config, Ends, PASSWORD, Retention, Settings, SlowBoot, USER, VERSION_NEW, VERSION_OLD, task_lists};
use super::super::super::vendor::Down;
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Bench, bare, forms};

/// Into the restart of an install that has just begun.
const INTO: u64 = 10 + 300 + 1;

fn long_sessions(s: &mut Settings) {
    (s.session_idle_secs, s.session_absolute_secs) = (100_000, 100_000);
}

#[tokio::test]
async fn connections_are_refused_closed_or_left_without_an_answer() {
    for down in [Down::Refuse, Down::Close, Down::Silence] {
        let mut bench = Bench::new(Config::default().settings(|s| s.down = down)).await;
        bench.vr.power_cycle();
        bench.vr.caught_up().await;
        // A client that hangs waits in real time, so it is given little of it.
        let error = lost(bench.request(Method::GET, "/appliance").timeout(Duration::from_millis(300))).await;
        match down {
            Down::Silence => assert!(error.is_timeout(), "{error:?}"),
            Down::Refuse | Down::Close => assert!(error.is_connect() && !error.is_timeout(), "{down:?}: {error:?}"),
        }
        bench.advance(120).await;
        bench.log_in().await;
        assert_eq!(bench.get("/appliance").await.0, 200);
    }
}

#[tokio::test]
async fn a_connection_that_was_open_does_not_outlive_the_restart() {
    let bench = Bench::new(Config::default().settings(|s| s.sessions_survive_restart = true)).await;
    let certificate = reqwest::Certificate::from_pem(bench.vr.ca_pem().as_bytes()).unwrap();
    // One that keeps its connection, and would use it again.
    let client = Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap();
    let url = format!("{}{}/session", bench.vr.url(), super::BASE);
    let look = || client.get(&url).header(super::SESSION_HEADER, &bench.session);
    let connection = || bench.vr.log().requests().last().unwrap().connection;
    for _ in 0..2 {
        assert_eq!(look().send().await.unwrap().status(), 200);
    }
    let before = connection();
    bench.vr.power_cycle();
    bench.vr.caught_up().await;
    bench.advance(200).await;
    assert_eq!(look().send().await.unwrap().status(), 200);
    assert!(connection() > before, "a fresh one");
}

#[tokio::test]
async fn a_request_that_was_held_until_the_machine_went_down_is_not_processed() {
    let bench = Bench::new(Config::default()).await;
    let hang = Rule::new(Action::Hang { when: When::Before }).on(super::super::super::appliance::installs());
    let rule = bench.vr.faults().add(hang);
    let call = tokio::spawn(bench.install_request(VERSION_NEW).send());
    bench.vr.faults().wait_until_hit(rule).await.unwrap();
    bench.vr.power_cycle();
    bench.vr.faults().remove(rule).unwrap();
    assert!(call.await.unwrap().is_err());
    bench.advance(200).await;
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn sessions_survive_a_restart_only_if_told() {
    let bench = Bench::new(Config::default().settings(|s| s.sessions_survive_restart = true)).await;
    bench.vr.power_cycle();
    bench.advance(120).await;
    assert_eq!(bench.get("/session").await.0, 200);
    bench.vr.set(|s| s.sessions_survive_restart = false);
    bench.vr.power_cycle();
    bench.advance(120).await;
    assert_eq!(bench.get("/session").await, bare(401));
}

#[tokio::test]
async fn tasks_are_kept_or_forgotten_over_a_restart_as_told() {
    for (retention, old, own) in [
        (Retention::KeepAll, true, true),
        (Retention::LoseAll, false, false),
        (Retention::LoseFinished, false, true),
        (Retention::LoseUnfinished, true, false),
    ] {
        let config = Config::default().with_old_tasks(1).settings(|s| s.retention = retention);
        let mut bench = Bench::new(config).await;
        let id = bench.installed(VERSION_NEW).await;
        bench.advance(INTO + 119 + 60).await;
        bench.log_in().await;
        let tasks = bench.tasks().await;
        assert_eq!(tasks.len(), usize::from(old) + usize::from(own), "{retention:?}");
        assert_eq!(
            tasks.iter().any(|task| task["id"] == id.as_str() && task["status"] == "SUCCESS"),
            own,
            "{retention:?}"
        );
        if !own {
            assert_eq!(bench.get(&format!("/tasks/{id}")).await, bare(404));
        }
        assert_eq!(bench.version().await, VERSION_NEW, "the install itself is not forgotten");
    }
}

#[tokio::test]
async fn it_may_come_back_as_it_was_and_know_of_nothing() {
    let config = Config::default().machine(|machine| machine.ends = Ends::SameVersion);
    let mut bench = Bench::new(config.settings(|s| s.retention = Retention::LoseAll)).await;
    bench.installed(VERSION_NEW).await;
    bench.advance(INTO + 119 + 60).await;
    bench.log_in().await;
    assert_eq!((bench.version().await.as_str(), bench.tasks().await.len()), (VERSION_OLD, 0));
    assert_eq!(bench.starts(), 1, "only the oracle knows");
}

#[tokio::test]
async fn after_a_restart_some_services_are_slow() {
    for (slow, tasks, others) in [
        (SlowBoot::Tasks503, 503, 200),
        (SlowBoot::Tasks500, 500, 200),
        (SlowBoot::All503, 503, 503),
    ] {
        let change = |s: &mut Settings| (s.slow_boot, s.sessions_survive_restart) = (slow, true);
        let bench = Bench::new(Config::default().with_old_tasks(1).settings(change).settings(long_sessions)).await;
        bench.vr.power_cycle();
        bench.advance(120).await;
        let id = bench.vr.tasks()[0].0.id.clone();
        assert_eq!(
            (bench.only_status("/tasks").await, bench.only_status(&format!("/tasks/{id}")).await),
            (tasks, tasks),
            "{slow:?}"
        );
        assert_eq!(
            (bench.only_status("/appliance").await, bench.only_status("/session").await),
            (others, others),
            "{slow:?}"
        );
        if slow == SlowBoot::Tasks500 {
            forms::error(&bench.get("/tasks").await.1);
            assert_eq!(bench.get("/services/hms").await.1["is_running"], false);
        }
        bench.advance(60).await;
        assert_eq!(
            (bench.only_status("/tasks").await, bench.only_status("/appliance").await),
            (200, 200),
            "{slow:?}"
        );
    }
}

#[tokio::test]
async fn a_restart_can_be_asked_for() {
    let bench = Bench::new(Config::default()).await;
    assert_eq!(bench.post("/appliance/actions/restart").await, bare(204));
    bench.advance(1).await;
    assert!(bench.vr.is_down());
    bench.advance(120).await;
    assert_eq!(bench.login(USER, PASSWORD).await.0, 200);
}

#[tokio::test]
async fn power_fails_in_the_middle_of_an_install_and_it_goes_on() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.installed(VERSION_NEW).await;
    bench.vr.power_off();
    bench.vr.caught_up().await;
    assert!(lost(bench.request(Method::GET, "/session")).await.is_connect());
    bench.advance(INTO + 119 + 60).await;
    bench.log_in().await;
    assert_eq!(
        (bench.version().await.as_str(), bench.status(&id).await),
        (VERSION_NEW, json!("SUCCESS"))
    );
}

#[tokio::test]
async fn a_stale_list_of_tasks_is_told_over_a_restart() {
    let mut bench = Bench::new(Config::default().with_old_tasks(2).settings(|s| s.retention = Retention::LoseAll)).await;
    assert_eq!(bench.tasks().await.len(), 2);
    let rule = bench.vr.faults().add(Rule::new(Action::Stale).on(task_lists()));
    bench.vr.power_cycle();
    bench.advance(200).await;
    bench.log_in().await;
    assert_eq!(bench.tasks().await.len(), 2, "a cache in between");
    bench.vr.faults().remove(rule).unwrap();
    assert_eq!(bench.tasks().await.len(), 0);
}
