//! Logins, and what the token service refuses.

use std::sync::atomic::Ordering;

use secrecy::ExposeSecret;
use secrecy::SecretString;

use super::testing::*;
use super::*;
use crate::clock::Clock;
use crate::vendor::http::testing::*;

async fn looks(client: &ArubaCentral, server: &Server) -> Sight {
    client.observe(&target(server), &Scope::default()).await
}

#[tokio::test]
async fn a_user_logs_in_with_three_steps_each_with_just_what_it_needs() {
    let issuer = Issuer::with("other");
    let server = central(&issuer, |_| None).await;
    let mut parts = Parts::new(&Secret::user("canary-pw"));
    parts.timing.central_second = std::time::Duration::from_millis(60);
    let client = parts.client(&server);
    let clock = Clock::system();
    client.probe().await.unwrap();
    assert!(clock.mono().0 >= std::time::Duration::from_millis(120), "a second apart");
    assert_eq!(calls(&server), [LOGIN, AUTHORIZE, TOKEN, VERSIONS]);
    let asked = server.requests();
    let body = |n: usize| serde_json::from_slice::<serde_json::Value>(&asked[n].body).unwrap();
    assert_eq!(body(0), serde_json::json!({"username": "adm@example.com", "password": "canary-pw"}));
    assert_eq!(body(1), serde_json::json!({"customer_id": "msp-acme"}));
    assert_eq!(query(&asked[0]), "client_id=client");
    assert_eq!(query(&asked[1]), "client_id=client&response_type=code&scope=all");
    assert_eq!(
        asked[1].header("cookie"),
        Some("session=canary-session"),
        "the other one is in its header"
    );
    assert_eq!(asked[1].header("x-csrf-token"), Some("canary-csrf"));
    assert_eq!(
        query(&asked[2]),
        "client_id=client&client_secret=canary-client-secret&grant_type=authorization_code&code=canary-code"
    );
    assert!(
        asked
            .iter()
            .all(|r| r.header("content-type").is_none() || r.header("content-type") == Some("application/json"))
    );
    // The next pair comes of the refresh token.
    assert_eq!(parts.kept(&server).refresh.unwrap().expose_secret(), "canary-refresh-1");
}

#[tokio::test]
async fn a_user_helps_where_a_refresh_token_is_dead_but_not_more_often_than_pairs_may_be_made() {
    let (moved, clock) = Moved::new();
    let issuer = Issuer::with("seed");
    let server = central(&issuer, |_| None).await;
    let mut parts = Parts::new(&Secret::of(Some("seed"), Some("canary-pw")));
    parts.clock = clock;
    let client = parts.client(&server);
    client.probe().await.unwrap();
    let revoke = || {
        let mut books = issuer.issued();
        books.good.clear();
        books.access.clear();
    };
    revoke();
    moved.minutes(5);
    for _ in 0..3 {
        assert!(!looks(&client, &server).await.seen());
    }
    assert_eq!((count(&server, LOGIN), count(&server, TOKEN)), (0, 1));
    moved.minutes(31);
    assert!(looks(&client, &server).await.complete);
    assert_eq!((count(&server, LOGIN), issuer.issued().pairs), (1, 2));
}

#[tokio::test]
async fn a_login_is_refused_for_reasons_that_are_told_apart_and_not_tried_again_at_once() {
    let html = |status| Act::Send(raw(status, &[("content-type", "text/html")], "<html>canary-body</html>"));
    let told = |status| json(status, r#"{"message":"Auth failure of canary-pw"}"#);
    for (of, act, reason, each_time, says) in [
        (LOGIN, told(401), "AuthFailed", false, "login"),
        (LOGIN, told(400), "AuthFailed", false, "login"),
        (LOGIN, told(403), "AuthFailed", false, "login"),
        (LOGIN, html(401), "AuthFailed", false, "HTML"),
        (LOGIN, html(403), "NotThisProduct", true, "HTML"),
        (LOGIN, html(404), "NotThisProduct", true, "404"),
        (LOGIN, json(200, "{}"), "Unreachable", true, "JSON"),
        (LOGIN, json(500, "{}"), "Unreachable", true, "500"),
        (AUTHORIZE, told(403), "AuthFailed", false, "authorize"),
        (AUTHORIZE, json(200, "{}"), "Unreachable", true, "JSON"),
        (AUTHORIZE, json(200, r#"{"auth_code":"a b"}"#), "Unreachable", true, "JSON"),
        (
            TOKEN,
            json(400, r#"{"error":"invalid_grant"}"#),
            "AuthFailed",
            false,
            "invalid_grant",
        ),
        (
            TOKEN,
            json(401, r#"{"error":"invalid_client"}"#),
            "AuthFailed",
            false,
            "invalid_client",
        ),
    ] {
        let shown = format!("{of} {act:?}");
        let server = central(&Issuer::with("other"), move |r| (call(r) == of).then(|| act.clone())).await;
        let client = Parts::new(&Secret::user("canary-pw")).client(&server);
        for _ in 0..3 {
            let error = client.probe().await.unwrap_err();
            assert_eq!(error.reason(), reason, "{shown}: {error}");
            assert!(error.to_string().contains(says), "{shown}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        assert_eq!(count(&server, LOGIN), if each_time { 3 } else { 1 }, "{shown}");
    }
}

#[tokio::test]
async fn a_wrong_client_secret_is_nobodys_word_on_the_refresh_token() {
    let issuer = Issuer::with("seed");
    let server = central(&issuer, |_| None).await;
    let parts = Parts::new(&Secret::token("seed"));
    parts
        .secret
        .change(|secret| secret.client_secret = SecretString::from("canary-wrong"));
    let client = parts.client(&server);
    for _ in 0..3 {
        let error = client.probe().await.unwrap_err();
        assert!(
            error.reason() == "AuthFailed" && error.message().contains("invalid_client"),
            "{error}"
        );
        assert!(
            error.message().ends_with("check clientID and clientSecret in the Secret"),
            "the user and the token may be right: {error}"
        );
    }
    assert_eq!(count(&server, TOKEN), 1);
    parts
        .secret
        .change(|secret| secret.client_secret = SecretString::from("canary-client-secret"));
    client.probe().await.unwrap();
    assert_eq!(issuer.issued().reuses, 0);
}

#[tokio::test]
async fn a_page_of_somebody_in_between_is_no_word_on_the_refresh_token() {
    for act in [
        Act::Send(raw(403, &[], "<html>blocked</html>")),
        Act::Send(raw(401, &[], "")),
        json(404, "{}"),
    ] {
        let blocked = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let (of, act) = (Arc::clone(&blocked), act.clone());
        let server = central(&Issuer::with("seed"), move |r| {
            (call(r) == TOKEN && of.load(Ordering::Relaxed)).then(|| act.clone())
        })
        .await;
        let client = client(&server);
        assert!(client.probe().await.is_err());
        blocked.store(false, Ordering::Relaxed);
        client.probe().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_service_that_asks_for_a_pause_gets_it() {
    let (moved, clock) = Moved::new();
    let busy = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let of = Arc::clone(&busy);
    let server = central(&Issuer::with("seed"), move |r| {
        let limit = || Act::Send(raw(429, &[("retry-after", "600")], r#"{"message":"API rate limit exceeded"}"#));
        (call(r) == TOKEN && of.load(Ordering::Relaxed)).then(limit)
    })
    .await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.clock = clock.clone();
    let client = parts.client(&server);
    for _ in 0..4 {
        let error = client.probe().await.unwrap_err();
        assert_eq!(error.label(), "throttled", "{error}");
    }
    assert_eq!(count(&server, TOKEN), 1);
    busy.store(false, Ordering::Relaxed);
    // Another process keeps to it, too, and the pause ends.
    assert!(parts.client(&server).probe().await.is_err());
    moved.minutes(11);
    parts.client(&server).probe().await.unwrap();
}
