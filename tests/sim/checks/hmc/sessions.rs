//! Logons, sessions, and what a user may.

use reqwest::Method;
use serde_json::json;

use super::super::super::hmc::{AUTHORIZE, BUNDLE_NEW, Config, INSTALL, Mfa, PASSWORD, UPDATES, USER, User};
use super::{Bench, answer, bare, forms, order};

const THIS: &str = "/api/sessions/this-session";

#[tokio::test]
async fn a_session_is_made_used_and_ended() {
    let bench = Bench::new(Config::default()).await;
    assert_eq!((bench.hmc.live_sessions(), bench.hmc.logons()), (1, 1));
    assert_eq!(bench.get("/api/console").await.0, 200);
    assert_eq!(bench.delete(THIS).await, bare(204));
    assert_eq!(bench.hmc.live_sessions(), 0);
    bench.refused(bench.request(Method::GET, "/api/console"), 403, 5).await;
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 403, 5).await;
    bench.refused(bench.request(Method::GET, THIS), 403, 5).await;
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn without_a_session_header_it_is_another_reason() {
    let bench = Bench::new(Config::default()).await;
    let naked = bench.client.get(format!("{}/api/console", bench.hmc.url()));
    bench.refused(naked, 403, 4).await;
    let naked = bench.client.post(format!("{}{INSTALL}", bench.hmc.url())).json(&order(BUNDLE_NEW));
    bench.refused(naked, 403, 4).await;
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn wrong_credentials_are_403_with_the_reason_that_is_set_and_make_no_session() {
    let bench = Bench::new(Config::default()).await;
    for reason in [0, 2] {
        bench.hmc.set(|s| s.bad_credentials_reason = reason);
        for (user, password) in [(USER, "guess"), ("nobody", PASSWORD)] {
            let (status, body) = bench.logon(user, password).await;
            assert_eq!(status, 403);
            forms::error(&body, 403, reason);
        }
    }
    assert_eq!((bench.hmc.live_sessions(), bench.hmc.logons()), (1, 1));
}

#[tokio::test]
async fn a_user_with_more_than_a_password_is_told_so_and_gets_no_session() {
    let with = |name: &str, mfa| User::manager(name, "p").with_mfa(mfa);
    let config = Config::default().user(with("new", Mfa::SecretMade));
    let bench = Bench::new(config.user(with("asked", Mfa::CodeMissing)).user(with("wrong", Mfa::CodeWrong))).await;
    let (status, body) = bench.logon("new", "p").await;
    assert_eq!((status, body.get("api-session")), (201, None));
    for (user, reason) in [("asked", 50), ("wrong", 51)] {
        let (status, body) = bench.logon(user, "p").await;
        assert_eq!(status, 409);
        forms::error(&body, 409, reason);
    }
    for user in ["new", "asked", "wrong"] {
        assert_eq!(
            bench.logon(user, "guess").await.0,
            403,
            "who does not know the password is told nothing else"
        );
    }
    assert_eq!((bench.hmc.live_sessions(), bench.hmc.logons()), (1, 1));
}

#[tokio::test]
async fn the_answer_says_when_the_password_expires() {
    let soon = User {
        password_expires: 3,
        ..User::manager("soon", "p")
    };
    let bench = Bench::new(Config::default().user(soon)).await;
    assert_eq!(bench.logon(USER, PASSWORD).await.1["password-expires"], -1);
    assert_eq!(bench.logon("soon", "p").await.1["password-expires"], 3);
}

#[tokio::test]
async fn a_session_ends_after_idleness_and_at_its_absolute_limit() {
    let config = Config::default().settings(|s| (s.session_idle_secs, s.session_secs) = (100, 250));
    let mut bench = Bench::new(config).await;
    for _ in 0..2 {
        bench.advance(90).await;
        assert_eq!(bench.get("/api/console").await.0, 200, "use prolongs it");
    }
    bench.advance(90).await;
    bench.refused(bench.request(Method::GET, "/api/console"), 403, 5).await;
    bench.log_on().await;
    bench.advance(100).await;
    bench.refused(bench.request(Method::GET, "/api/console"), 403, 5).await;
}

#[tokio::test]
async fn a_session_of_a_user_who_never_rests_lives_ten_hours() {
    let bench = Bench::new(Config::default()).await;
    for _ in 0..19 {
        bench.advance(1800).await;
        assert_eq!(bench.get("/api/console").await.0, 200);
    }
    bench.advance(1800).await;
    bench.refused(bench.request(Method::GET, "/api/console"), 403, 5).await;
}

#[tokio::test]
async fn one_session_too_many_of_a_users_is_refused_and_ends_no_other() {
    let bench = Bench::new(Config::default().user(User::reader("reader", "r")).settings(|s| s.max_sessions = 2)).await;
    assert_eq!(bench.logon(USER, PASSWORD).await.0, 200);
    let (status, body) = bench.logon(USER, PASSWORD).await;
    assert_eq!(status, 400);
    forms::error(&body, 400, 13);
    assert_eq!(bench.logon("reader", "r").await.0, 200, "another user's are counted apart");
    assert_eq!(bench.get("/api/console").await.0, 200);
    assert_eq!(bench.delete(THIS).await, bare(204));
    assert_eq!(bench.logon(USER, PASSWORD).await.0, 200, "who logs off makes room");
}

#[tokio::test]
async fn a_logon_is_checked_field_by_field() {
    let bench = Bench::new(Config::default()).await;
    let logon = || bench.client.post(format!("{}/api/sessions", bench.hmc.url()));
    for (body, reason) in [
        (json!({"userid": USER}), 5),
        (json!({"password": PASSWORD}), 5),
        (json!({"userid": USER, "password": PASSWORD, "new": 1}), 6),
        (json!({"userid": USER, "password": 1}), 7),
        (json!([USER, PASSWORD]), 7),
    ] {
        bench.refused(logon().json(&body), 400, reason).await;
    }
    bench.refused(logon(), 400, 3).await;
    bench.refused(logon().body("{}"), 400, 2).await;
    bench
        .refused(logon().header("content-type", "application/json").body("{"), 400, 9)
        .await;
    bench
        .refused(bench.client.get(format!("{}/api/sessions", bench.hmc.url())), 405, 1)
        .await;
}

#[tokio::test]
async fn without_a_task_nothing_of_it_is_shown_or_done() {
    let mut config = Config::default().user(User::reader("reader", "r"));
    config.users.push(User {
        sees_console: false,
        ..User::manager("stranger", "s")
    });
    config.users.push(User {
        cancels_updates: false,
        ..User::manager("scheduler", "s")
    });
    let mut bench = Bench::new(config).await;
    let id = bench.scheduled().await;
    let one = format!("{UPDATES}/{id}");

    bench.log_on_as("reader", "r").await;
    assert_eq!(bench.get("/api/console").await.0, 200);
    for (method, path) in [
        (Method::GET, UPDATES),
        (Method::GET, &one),
        (Method::DELETE, &one),
        (Method::POST, AUTHORIZE),
    ] {
        bench.refused(bench.request(method, path), 403, 1).await;
    }
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 403, 1).await;

    bench.log_on_as("stranger", "s").await;
    for path in ["/api/console", UPDATES] {
        bench.refused(bench.request(Method::GET, path), 404, 1).await;
    }
    bench.log_on_as("scheduler", "s").await;
    bench.refused(bench.request(Method::DELETE, &one), 403, 1).await;
    assert_eq!(bench.update(&id).await["state"], "scheduled");

    assert_eq!(
        (bench.starts(), bench.hmc.tokens().len(), bench.hmc.authorizations().len()),
        (0, 1, 1)
    );
    let refused: Vec<_> = bench.hmc.log().refused_posts().into_iter().map(|entry| entry.path).collect();
    assert_eq!(
        refused,
        [AUTHORIZE, INSTALL],
        "and the first authorization, which was granted, is not among them"
    );
}

#[tokio::test]
async fn a_rotated_password_is_asked_for_and_sessions_stay() {
    let bench = Bench::new(Config::default()).await;
    bench.hmc.set_users(vec![User::manager(USER, "rotated")]);
    assert_eq!(bench.logon(USER, PASSWORD).await.0, 403);
    assert_eq!(bench.logon(USER, "rotated").await.0, 200);
    assert_eq!(bench.get("/api/console").await.0, 200);
    bench.hmc.set_users(Vec::new());
    bench.refused(bench.request(Method::GET, "/api/console"), 403, 5).await;
}

#[tokio::test]
async fn the_log_says_who_had_a_session_and_never_a_password() {
    let bench = Bench::new(Config::default()).await;
    answer(bench.client.get(format!("{}/api/version", bench.hmc.url()))).await;
    bench.get("/api/console").await;
    let requests = bench.hmc.log().requests();
    let told: Vec<_> = requests.iter().map(|entry| entry.session).collect();
    assert_eq!(told, [false, false, true]);
    assert_eq!(requests[0].body, Some(json!({"userid": USER, "password": "(redacted)"})));
    assert!(!format!("{requests:?} {:?}", bench.hmc.log()).contains(PASSWORD));
}
