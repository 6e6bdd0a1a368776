//! Restarts: how connections are met, what is forgotten, and what does not work yet afterwards.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::json;
use tokio::net::TcpStream;

use super::super::super::hmc::{BUNDLE_NEW, Config, PASSWORD, SESSION_HEADER, SlowBoot, USER, installs};
use super::super::super::vendor::Down;
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Bench, answer, forms, order};

#[tokio::test]
async fn connections_are_refused_closed_or_left_without_an_answer() {
    for down in [Down::Refuse, Down::Close, Down::Silence] {
        let mut bench = Bench::new(Config::default().settings(|s| s.down = down)).await;
        bench.hmc.power_cycle();
        bench.hmc.caught_up().await;
        // A client that hangs waits in real time, so it is given little of it.
        let error = lost(bench.request(Method::GET, "/api/version").timeout(Duration::from_millis(300))).await;
        match down {
            Down::Silence => assert!(error.is_timeout(), "{error:?}"),
            Down::Refuse | Down::Close => assert!(error.is_connect() && !error.is_timeout(), "{down:?}: {error:?}"),
        }
        let refused = TcpStream::connect(bench.hmc.address()).await;
        let refused = refused.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        assert_eq!(refused, down == Down::Refuse, "{down:?}");
        bench.advance(240 + 30).await;
        bench.log_on().await;
        assert_eq!(bench.get("/api/console").await.0, 200);
    }
}

#[tokio::test]
async fn a_connection_that_was_open_does_not_outlive_the_restart_of_an_upgrade() {
    let bench = Bench::new(Config::default().settings(|s| s.sessions_survive_restart = true)).await;
    let certificate = reqwest::Certificate::from_pem(bench.hmc.ca_pem().as_bytes()).unwrap();
    // One that keeps its connection, and would use it again.
    let client = Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap();
    let look = || {
        client
            .get(format!("{}/api/console", bench.hmc.url()))
            .header(SESSION_HEADER, &bench.session)
    };
    let connection = || bench.hmc.log().requests().last().unwrap().connection;
    for _ in 0..2 {
        assert_eq!(look().send().await.unwrap().status(), 200);
    }
    let before = connection();
    bench.installed(BUNDLE_NEW).await;
    bench.advance(361).await;
    bench.advance(270).await;
    assert_eq!(look().send().await.unwrap().status(), 200);
    assert!(connection() > before, "a fresh one");
}

#[tokio::test]
async fn sessions_survive_a_restart_only_if_told() {
    for survive in [true, false] {
        let bench = Bench::new(Config::default().settings(|s| s.sessions_survive_restart = survive)).await;
        bench.installed(BUNDLE_NEW).await;
        bench.advance(361).await;
        assert!(bench.hmc.is_down());
        bench.advance(270).await;
        let request = bench.request(Method::GET, "/api/console");
        if survive {
            assert_eq!(answer(request).await.0, 200);
        } else {
            bench.refused(request, 403, 5).await;
        }
        assert_eq!(bench.hmc.live_sessions(), usize::from(survive));
    }
}

#[tokio::test]
async fn a_request_that_was_held_until_the_console_went_down_is_not_processed() {
    let bench = Bench::new(Config::default()).await;
    let rule = bench
        .hmc
        .faults()
        .add(Rule::new(Action::Hang { when: When::Before }).on(installs()));
    let call = tokio::spawn(bench.install_request(&order(BUNDLE_NEW)).send());
    bench.hmc.faults().wait_until_hit(rule).await.unwrap();
    bench.hmc.power_cycle();
    bench.hmc.faults().remove(rule).unwrap();
    assert!(call.await.unwrap().is_err());
    bench.advance(1000).await;
    assert_eq!((bench.starts(), bench.hmc.upgrading()), (0, false));
}

#[tokio::test]
async fn after_a_restart_it_is_not_all_there_yet() {
    for (slow, version) in [(SlowBoot::Page, 503), (SlowBoot::OnlyVersion, 200)] {
        let config = Config::default().console(|console| console.slow_secs = 30);
        let bench = Bench::new(config.settings(|s| (s.slow_boot, s.sessions_survive_restart) = (slow, true))).await;
        bench.hmc.power_cycle();
        bench.advance(240).await;
        let status = async |path: &str| bench.request(Method::GET, path).send().await.unwrap().status().as_u16();
        assert_eq!(
            (status("/api/version").await, status("/api/console").await),
            (version, 503),
            "{slow:?}"
        );
        if slow == SlowBoot::OnlyVersion {
            let (got, body) = bench.logon(USER, PASSWORD).await;
            assert_eq!(got, 503);
            forms::error(&body, 503, 1);
        } else {
            let page = bench.request(Method::POST, "/api/sessions").send().await.unwrap();
            assert_eq!(page.headers()["content-type"], "text/html");
        }
        bench.advance(30).await;
        assert_eq!((status("/api/version").await, status("/api/console").await), (200, 200), "{slow:?}");
    }
}

#[tokio::test]
async fn power_fails_in_the_middle_of_an_upgrade_and_it_goes_on() {
    let mut bench = Bench::new(Config::default()).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.hmc.power_off();
    bench.hmc.caught_up().await;
    assert!(lost(bench.request(Method::GET, "/api/version")).await.is_connect());
    bench.finish().await;
    assert_eq!(
        (bench.bundle().await.as_str(), bench.job(&uri).await["status"].clone()),
        (BUNDLE_NEW, json!("complete"))
    );
}

#[tokio::test]
async fn an_update_that_is_due_while_the_console_is_down_begins_when_it_is_back() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    bench.advance(3500).await;
    bench.hmc.power_cycle();
    bench.advance(200).await;
    assert!(bench.hmc.is_down() && !bench.hmc.upgrading());
    bench.advance(120).await;
    bench.log_on().await;
    assert_eq!(bench.update(&id).await["state"], "running");
}
