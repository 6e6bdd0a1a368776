//! Sessions of the console, and what a probe finds.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::session::HEADER;
use super::session::RENEW_AFTER;
use super::testing::*;
use super::*;
use crate::clock::Clock;
use crate::vendor::credentials::Secrets;
use crate::vendor::http::testing::*;

#[tokio::test]
async fn one_login_by_a_document_serves_all_and_logout_ends_it() {
    let server = serves([]).await;
    let (hmc, target) = (client(&server), target(&server));
    let (a, b) = tokio::join!(hmc.observe(&target, None), hmc.observe(&target, None));
    assert!(a.complete && b.complete, "{a:?}");
    let login = &server.requests()[0];
    let body: serde_json::Value = serde_json::from_slice(&login.body).unwrap();
    assert_eq!(call(login), LOGIN);
    assert_eq!(body, serde_json::json!({"userid": "adm@vsphere.local", "password": "canary-pw"}));
    assert_eq!(login.header("content-type"), Some("application/json"));
    assert_eq!(login.header("authorization"), None, "the password is in one place");
    assert_eq!(server.requests()[1].header(HEADER), Some("canary-session"));
    hmc.logout().await;
    hmc.logout().await;
    assert_eq!((count(&server, LOGIN), count(&server, LOGOUT)), (1, 1));
    assert_eq!(server.requests().last().unwrap().header(HEADER), Some("canary-session"));
}

#[tokio::test]
async fn a_session_that_the_console_forgot_is_replaced_and_the_read_repeated_once() {
    for reason in [4, 5] {
        let logins = Arc::new(AtomicUsize::new(0));
        let of = Arc::clone(&logins);
        let server = Server::serve(move |r, _| {
            console_or(r, |call| match (call, r.header(HEADER)) {
                (LOGIN, _) => {
                    let n = of.fetch_add(1, Ordering::Relaxed);
                    Some(json(200, &format!(r#"{{"api-session":"session-{n}"}}"#)))
                }
                (LOGOUT, _) => None,
                // As after a restart.
                (_, Some("session-0")) => Some(error(403, reason, "session")),
                _ => None,
            })
        })
        .await;
        let hmc = client(&server);
        assert!(hmc.observe(&target(&server), None).await.complete);
        assert_eq!(calls(&server), [LOGIN, CONSOLE_CALL, LOGIN, CONSOLE_CALL, LIST]);
        hmc.logout().await;
        assert_eq!(count(&server, LOGOUT), 1, "the one that is gone is not ended");
    }
}

#[tokio::test]
async fn a_console_that_knows_no_session_is_not_asked_for_ever_and_the_credentials_are_not_blamed() {
    let server = serves([(CONSOLE_CALL, error(403, 5, "not valid"))]).await;
    let failed = client(&server).list().await.unwrap_err().error;
    assert_eq!((failed.label(), failed.reason()), ("transient", "Unreachable"), "{failed}");
    assert!(failed.to_string().contains("403.5: not valid"), "{failed}");
    assert_eq!(calls(&server), [LOGIN, CONSOLE_CALL, LOGIN, CONSOLE_CALL, LOGOUT]);
}

#[tokio::test]
async fn other_refusals_of_a_read_are_not_repeated() {
    for reason in [0, 1, 2, 300] {
        let server = serves([(CONSOLE_CALL, error(403, reason, "no"))]).await;
        let failed = client(&server).list().await.unwrap_err().error;
        let expected = if reason == 1 { "MissingPermission" } else { "Unreachable" };
        assert_eq!(failed.reason(), expected, "{reason}: {failed}");
        assert_eq!(calls(&server), [LOGIN, CONSOLE_CALL]);
    }
}

#[tokio::test]
async fn a_login_is_refused_for_reasons_that_are_told_apart_and_not_tried_again_at_once() {
    let html = |status| Act::Send(raw(status, &[("content-type", "text/html")], "<html>canary-body</html>"));
    let once = 1;
    let each_time = 3;
    for (act, reason, label, logins, says) in [
        (error(403, 0, "wrong"), "AuthFailed", "auth", once, "403.0: wrong"),
        // Which reason wrong credentials have is not confirmed.
        (error(403, 41, "wrong"), "AuthFailed", "auth", once, "403.41"),
        (html(403), "AuthFailed", "auth", once, "HTML, 24 bytes"),
        (html(401), "AuthFailed", "auth", once, "HTML, 24 bytes"),
        (error(403, 1, "no"), "MissingPermission", "auth", each_time, "Web Services API"),
        (error(400, 13, "full"), "TooManySessions", "transient", once, "400.13: full"),
        (
            json(201, r#"{"api-session":"canary-session"}"#),
            "SecondFactorRequired",
            "auth",
            once,
            "second factor",
        ),
        (error(409, 50, "code"), "SecondFactorRequired", "auth", once, "409.50: code"),
        (error(409, 51, "code"), "SecondFactorRequired", "auth", once, "409.51: code"),
        (
            error(403, 0, "The password has expired"),
            "PasswordExpired",
            "auth",
            once,
            "new one",
        ),
        (error(409, 51, "password expired"), "PasswordExpired", "auth", once, "new one"),
        (error(500, 1, "trouble"), "Unreachable", "transient", each_time, "500.1: trouble"),
        (html(503), "Unreachable", "transient", each_time, "HTML"),
        (error(409, 2, "busy"), "Unreachable", "transient", each_time, "409.2: busy"),
        (json(429, ""), "Unreachable", "throttled", each_time, "limits the rate"),
        (html(404), "NotThisProduct", "refused", each_time, "404"),
        (html(200), "NotThisProduct", "refused", each_time, "200"),
        (json(200, "{}"), "NotThisProduct", "refused", each_time, "JSON, 2 bytes"),
        (
            json(200, r#"{"api-session":"a\nb"}"#),
            "NotThisProduct",
            "refused",
            each_time,
            "JSON",
        ),
        (json(200, r#"{"api-session":7}"#), "NotThisProduct", "refused", each_time, "JSON"),
        (
            Act::Send(raw(302, &[("location", "/ui")], "")),
            "NotThisProduct",
            "refused",
            each_time,
            "302",
        ),
    ] {
        let shown = format!("{act:?}");
        let server = serves([(LOGIN, act)]).await;
        let hmc = client(&server);
        for _ in 0..3 {
            let error = hmc.probe().await.unwrap_err();
            assert_eq!((error.reason(), error.label()), (reason, label), "{shown}: {error}");
            assert!(error.to_string().contains(says), "{shown}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        assert_eq!((count(&server, LOGIN), count(&server, CONSOLE_CALL)), (logins, 0), "{shown}");
    }
}

#[tokio::test]
async fn an_account_without_a_free_session_gives_back_the_one_that_was_set_aside() {
    let logins = Arc::new(AtomicUsize::new(0));
    let of = Arc::clone(&logins);
    let server = Server::serve(move |r, _| {
        console_or(r, |call| match call {
            LOGIN if of.fetch_add(1, Ordering::Relaxed) > 0 => Some(error(400, 13, "full")),
            _ => None,
        })
    })
    .await;
    let http = Http::new(server.options()).unwrap();
    let door = crate::vendor::session::Door {
        renew_after: Some(Duration::ZERO),
        ..session::door()
    };
    let session = Session::new(door, Secrets::new([Ok("canary-pw")]));
    session.token(&http).await.unwrap();
    let full = session.token(&http).await.err().unwrap();
    assert!(matches!(full, VendorError::TooManySessions { .. }), "{full}");
    assert_eq!(calls(&server), [LOGIN, LOGIN, LOGOUT]);
    assert!(matches!(
        session.token(&http).await.err().unwrap(),
        VendorError::TooManySessions { .. }
    ));
    assert_eq!(server.requests().len(), 3, "not asked again at once");
    assert!(RENEW_AFTER + Timing::production().ttl < Duration::from_secs(10 * 3600));
}

#[tokio::test]
async fn a_changed_secret_is_noticed_by_the_probe() {
    let server = serves([]).await;
    let hmc = client_with(&server, Secrets::new([Ok("old"), Ok("new")]), quick(), Clock::system());
    hmc.probe().await.unwrap();
    hmc.probe().await.unwrap();
    let logins: Vec<Request> = server.requests().into_iter().filter(|r| call(r) == LOGIN).collect();
    let bodies: Vec<String> = logins.iter().map(|r| String::from_utf8(r.body.clone()).unwrap()).collect();
    assert!(
        bodies.len() == 2 && bodies[0].contains("old") && bodies[1].contains("new"),
        "{bodies:?}"
    );
    assert_eq!(count(&server, LOGOUT), 1);
}

#[tokio::test]
async fn a_probe_says_which_console_it_is_and_when_the_password_expires() {
    let server = serves([]).await;
    let probe = client(&server).probe().await.unwrap();
    assert_eq!(
        (probe.product.as_str(), probe.version.as_deref(), probe.message.as_str()),
        ("HMC", Some("2.16.0"), "logged in; HMC HMC1 2.16.0 at bundle H30, API 4.10")
    );
    assert_eq!(calls(&server), [VERSION, LOGIN, CONSOLE_CALL]);
    assert_eq!(server.requests()[0].header(HEADER), None, "it needs no session");

    for (days, said) in [
        ("0", true),
        ("14", true),
        ("15", false),
        ("-1", false),
        ("\"x\"", false),
        ("null", false),
    ] {
        let server = serves([(LOGIN, json(200, &format!(r#"{{"api-session":"s","password-expires":{days}}}"#)))]).await;
        let message = client(&server).probe().await.unwrap().message;
        assert_eq!(message.contains(&format!("the password expires in {days} days")), said, "{message}");
    }
}

#[tokio::test]
async fn a_console_without_a_bundle_cannot_be_upgraded_and_a_probe_says_so() {
    for levels in [r#"{"ec":[]}"#, "null", r#"{"bundle-level":null}"#, r#"{"bundle-level":""}"#] {
        let body = format!(r#"{{"name":"HMC1","version":"2.15.0","ec-mcl-description":{levels}}}"#);
        let server = serves([(CONSOLE_CALL, json(200, &body))]).await;
        let error = client(&server).probe().await.unwrap_err();
        assert_eq!((error.reason(), error.label()), ("Unsupported", "refused"), "{error}");
        assert!(error.to_string().contains("does not support upgrades through its API"), "{error}");
    }
}

#[tokio::test]
async fn what_lives_there_is_told_by_its_answers() {
    let html = |status| Act::Send(raw(status, &[("content-type", "text/html")], "<html>canary-body</html>"));
    for (of, act, reason) in [
        (VERSION, html(200), "NotThisProduct"),
        (VERSION, html(404), "NotThisProduct"),
        (VERSION, json(200, "{}"), "NotThisProduct"),
        (VERSION, json(200, r#"{"api-major-version":"4"}"#), "NotThisProduct"),
        (VERSION, html(500), "Unreachable"),
        (CONSOLE_CALL, html(200), "NotThisProduct"),
        (CONSOLE_CALL, json(200, "{}"), "NotThisProduct"),
        (CONSOLE_CALL, html(404), "NotThisProduct"),
        (CONSOLE_CALL, html(403), "NotThisProduct"),
        (CONSOLE_CALL, html(500), "Unreachable"),
        (CONSOLE_CALL, error(409, 1, "state"), "Unreachable"),
        (CONSOLE_CALL, error(400, 1, "unknown parameter"), "Unreachable"),
    ] {
        let shown = format!("{of} {act:?}");
        let server = serves([(of, act)]).await;
        let error = client(&server).probe().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{shown}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
