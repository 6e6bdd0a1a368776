//! Sessions, privileges and the request limiter.

use reqwest::Method;
use serde_json::json;

use super::super::super::appliance::{Ban, Config, Denial, ErrorBody, PASSWORD, SessionLimit, TARGET, USER, User, VERSION_NEW};
use super::super::lost;
use super::{Bench, answer, bare, forms};

#[tokio::test]
async fn a_session_is_made_shown_and_ended() {
    let bench = Bench::new(Config::default()).await;
    let (status, info) = bench.get("/session").await;
    assert_eq!((status, &info["username"]), (200, &json!(USER)));
    forms::session(&info);
    assert_eq!((bench.vr.live_sessions(), bench.vr.logins()), (1, 1));

    assert_eq!(answer(bench.request(Method::DELETE, "/session")).await, bare(204));
    assert_eq!(bench.vr.live_sessions(), 0);
    assert_eq!(bench.get("/session").await, bare(401));
    assert_eq!(bench.get("/appliance").await, bare(401));
    assert_eq!(bench.install(VERSION_NEW).await, bare(401), "and no body says why");
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn a_session_ends_after_idleness_and_at_its_absolute_limit() {
    let change = |s: &mut super::super::super::appliance::Settings| (s.session_idle_secs, s.session_absolute_secs) = (100, 250);
    let mut bench = Bench::new(Config::default().settings(change)).await;
    for _ in 0..2 {
        bench.advance(90).await;
        assert_eq!(bench.get("/session").await.0, 200, "use prolongs it");
    }
    bench.advance(90).await;
    assert_eq!(bench.get("/session").await.0, 401, "but not beyond the absolute limit");
    bench.log_in().await;
    bench.advance(100).await;
    assert_eq!(bench.get("/session").await.0, 401, "idle");
}

#[tokio::test]
async fn wrong_credentials_and_expired_passwords_are_refused_as_told() {
    let mut config = Config::default();
    config.users.push(User {
        expired: true,
        ..User::manager("old", "password")
    });
    let bench = Bench::new(config).await;
    for (how, status) in [(Denial::Unauthorized, 401), (Denial::BadRequest, 400), (Denial::Forbidden, 403)] {
        bench.vr.set(|s| (s.bad_credentials, s.password_expired) = (how, how));
        for (user, password, code) in [(USER, "guess", "INVALID_CREDENTIALS"), ("old", "password", "PASSWORD_EXPIRED")] {
            let (got, body) = bench.login(user, password).await;
            assert_eq!(got, status, "{user}");
            if status == 401 {
                assert_eq!(body, json!(null));
            } else {
                forms::error(&body);
                assert_eq!(body["error_code"], code);
            }
        }
        assert_eq!(
            bench.login("old", "guess").await.0,
            status,
            "who does not know it is not told that it has expired"
        );
    }
    assert_eq!((bench.vr.live_sessions(), bench.vr.logins()), (1, 1));
}

#[tokio::test]
async fn sessions_run_out_as_told() {
    let bench = Bench::new(Config::default().settings(|s| s.max_sessions = 1)).await;
    for (limit, status) in [(SessionLimit::InternalError, 500), (SessionLimit::BadRequest, 400)] {
        bench.vr.set(|s| s.session_limit = limit);
        let (got, body) = bench.login(USER, PASSWORD).await;
        assert_eq!(got, status);
        forms::error(&body);
        assert_eq!(bench.get("/session").await.0, 200);
    }
    bench.vr.set(|s| s.session_limit = SessionLimit::EndsOldest);
    assert_eq!(bench.login(USER, PASSWORD).await.0, 200);
    assert_eq!(bench.get("/session").await.0, 401, "the older one has ended");
    assert_eq!(bench.vr.live_sessions(), 1);
}

#[tokio::test]
async fn without_the_privilege_nothing_is_changed() {
    let mut config = Config::default();
    config.users.push(User::reader("reader", "r"));
    config.users.push(User::stranger("stranger", "s"));
    let mut bench = Bench::new(config).await;
    for (user, password, read) in [("reader", "r", 200), ("stranger", "s", 403)] {
        let (_, body) = bench.login(user, password).await;
        body["session_id"].as_str().unwrap().clone_into(&mut bench.session);
        assert_eq!(bench.get("/appliance").await.0, read, "{user}");
        let (status, body) = bench.install(VERSION_NEW).await;
        assert_eq!(status, 403, "{user}");
        forms::error(&body);
        assert_eq!(bench.post("/appliance/update-manager/actions/retrieve-updates").await.0, 403);
    }
    assert!(bench.vr.log().starts(TARGET).is_empty());
    assert_eq!(bench.vr.log().refused_posts().len(), 2);
}

#[tokio::test]
async fn too_many_requests_are_met_with_a_ban_that_passes() {
    for (ban, status) in [(Ban::TooManyRequests, Some(429)), (Ban::Forbidden, Some(403)), (Ban::Cut, None)] {
        let limits = |s: &mut super::super::super::appliance::Settings| {
            (s.rate_requests, s.rate_window_secs, s.rate_ban_secs, s.rate_answer) = (Some(4), 10, 60, ban);
        };
        let bench = Bench::new(Config::default().settings(limits)).await;
        for _ in 0..3 {
            assert_eq!(bench.get("/appliance").await.0, 200, "with the login, four are admitted");
        }
        for secs in [0, 59] {
            bench.advance(secs).await;
            match status {
                Some(status) => {
                    let response = bench.request(Method::GET, "/appliance").send().await.unwrap();
                    assert_eq!(response.status(), status);
                    assert!(!response.headers().contains_key("retry-after"), "how long is not said");
                }
                None => assert!(!lost(bench.request(Method::GET, "/appliance")).await.is_connect()),
            }
        }
        bench.advance(1).await;
        assert_eq!(bench.get("/appliance").await.0, 200);
        assert_eq!(bench.vr.bans(), 1);
        for _ in 0..5 {
            bench.advance(10).await;
            assert_eq!(bench.get("/appliance").await.0, 200, "who asks slowly is not banned");
        }
    }
}

#[tokio::test]
async fn error_bodies_have_the_members_that_they_are_told_to_have() {
    let bench = Bench::new(Config::default()).await;
    for (form, members) in [(ErrorBody::Full, 3), (ErrorBody::MessageOnly, 1), (ErrorBody::Empty, 0)] {
        bench.vr.set(|s| s.error_body = form);
        let (status, body) = bench.get("/tasks?offset=1").await;
        assert_eq!(status, 400);
        forms::error(&body);
        assert_eq!(body.as_object().unwrap().len(), members);
    }
}
