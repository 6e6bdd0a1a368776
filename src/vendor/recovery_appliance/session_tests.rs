//! Sessions of the appliance, and the fake appliance that other tests of the client use, too.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::BASE64;

use super::session::HEADER;
use super::*;
use crate::api::connection::BASE_PATH;
use crate::clock::Clock;
use crate::upgrade::sight::Offered;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Secrets;
use crate::vendor::http::testing::*;

pub(super) const BASE: &str = "/api/rest/configure/v2";
pub(super) const APPLIANCE_90: &str = r#"{"hostname":"srm-a","product_name":"vSphere Replication","product_build_number":"1","appliance_version":"9.0.0-10010",
    "appliance_build_number":"10010","system_information":"x","_meta":{"errors":[]}}"#;

/// Pauses that tests can wait for.
pub(super) fn hasty() -> Timing {
    Timing {
        appliance_pause: Duration::from_millis(10),
        start_timeout_appliance: Duration::from_secs(20),
        ..quick()
    }
}

pub(super) fn client_with(server: &Server, credentials: Arc<dyn CredentialSource>, timing: Timing) -> RecoveryAppliance {
    let options = ClientOptions {
        authority: server.authority(),
        ca_bundle_pem: Some(server.ca_pem.clone()),
        credentials,
        fence: loopback_fence(),
        timing,
        clock: Clock::system(),
        observer: None,
        start_open: None,
        secrets: None,
        vault: None,
    };
    RecoveryAppliance::new(options, BASE_PATH, Arc::default()).unwrap()
}

pub(super) fn client(server: &Server) -> RecoveryAppliance {
    client_with(server, Secrets::new([Ok("canary-pw")]), hasty())
}

pub(super) fn target(server: &Server) -> TargetKey {
    TargetKey::appliance(server.authority())
}

/// Method and path under the base path.
pub(super) fn call(r: &Request) -> String {
    format!("{} {}", r.method, r.target.strip_prefix(BASE).unwrap_or("elsewhere"))
}

pub(super) fn calls(server: &Server) -> Vec<String> {
    server.requests().iter().map(call).collect()
}

pub(super) fn count(server: &Server, of: &str) -> usize {
    calls(server).iter().filter(|c| *c == of).count()
}

/// Answers sessions and `GET /appliance`; the rest is the test's.
pub(super) fn appliance_or(r: &Request, act: impl FnOnce(&str) -> Act) -> Act {
    match call(r).as_str() {
        "POST /session" => json(200, r#"{"session_id":"sesame"}"#),
        "DELETE /session" => Act::Send(raw(204, &[], "")),
        "GET /appliance" => json(200, APPLIANCE_90),
        other => act(other),
    }
}

/// One page with all of these tasks.
pub(super) fn page(tasks: &[&str]) -> Act {
    json(
        200,
        &format!(r#"{{"list":[{}],"_meta":{{"total":{}}}}}"#, tasks.join(","), tasks.len()),
    )
}

#[tokio::test]
async fn one_login_serves_all_and_logout_ends_it() {
    let server = Server::serve(|r, _| appliance_or(r, |_| page(&[]))).await;
    let vc = client(&server);
    let target = target(&server);
    let (a, b) = tokio::join!(vc.observe(&target, None), vc.observe(&target, None));
    assert!(a.complete && b.complete, "{a:?}");
    let login = &server.requests()[0];
    let basic = format!("Basic {}", BASE64.encode(b"adm@vsphere.local:canary-pw"));
    assert_eq!(
        (call(login).as_str(), login.header("authorization"), login.header("content-length")),
        ("POST /session", Some(basic.as_str()), Some("0"))
    );
    assert_eq!(server.requests()[1].header(HEADER), Some("sesame"));
    vc.logout().await;
    vc.logout().await;
    assert_eq!((count(&server, "POST /session"), count(&server, "DELETE /session")), (1, 1));
}

#[tokio::test]
async fn a_session_that_died_is_replaced_once_and_a_401_at_the_logout_is_normal() {
    let server = Server::serve(|r, n| match (call(r).as_str(), n) {
        ("POST /session", _) => json(200, &format!(r#"{{"session_id":"token-{n}"}}"#)),
        ("DELETE /session", _) | (_, 1 | 3) => Act::Send(raw(401, &[], "")),
        ("GET /appliance", _) => json(200, APPLIANCE_90),
        _ => page(&[]),
    })
    .await;
    let vc = client(&server);
    // 0 login, 1 GET 401, 2 login, 3 GET 401, 4 logout: once again is enough.
    let sight = vc.observe(&target(&server), None).await;
    let Motion::NotSeen { why, unknown_object } = &sight.motion else {
        panic!("{sight:?}")
    };
    assert_eq!(
        (why.as_str(), *unknown_object),
        ("get_appliance refused (401, an empty body)", false)
    );
    assert_eq!(calls(&server)[4], "DELETE /session");
    assert!(vc.observe(&target(&server), None).await.complete);
    assert_eq!(server.requests()[6].header(HEADER), Some("token-5"));
}

#[tokio::test]
async fn an_old_session_is_replaced_before_it_is_used_and_ended_one_later() {
    let door = |renew_after| crate::vendor::session::Door {
        renew_after: Some(renew_after),
        ..session::door(&["api".to_owned()])
    };
    let server = Server::serve(|r, n| {
        if r.method == "POST" {
            json(200, &format!(r#"{{"session_id":"token-{n}"}}"#))
        } else {
            Act::Send(raw(204, &[], ""))
        }
    })
    .await;
    let http = Http::new(server.options()).unwrap();
    let renewed = Session::new(door(Duration::ZERO), Secrets::new([Ok("a")]));
    let first = renewed.token(&http).await.unwrap();
    let second = renewed.token(&http).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(server.requests().len(), 2, "whoever still uses the first may go on");
    renewed.token(&http).await.unwrap();
    let ended = &server.requests()[2];
    assert_eq!((ended.method.as_str(), ended.header(HEADER)), ("DELETE", Some("token-0")));
    renewed.logout(&http).await;
    assert_eq!(server.requests().iter().filter(|r| r.method == "DELETE").count(), 3);

    let kept = Session::new(door(session::RENEW_AFTER), Secrets::new([Ok("a")]));
    let first = kept.token(&http).await.unwrap();
    assert!(Arc::ptr_eq(&first, &kept.token(&http).await.unwrap()));
    assert!(session::RENEW_AFTER + Timing::production().ttl < Duration::from_mins(5));
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again_whatever_status_says_so() {
    for status in [400, 401, 403] {
        let server = Server::serve(move |_, _| json(status, r#"{"error_code":"E1","message":"wrong password"}"#)).await;
        let vc = client(&server);
        for _ in 0..3 {
            let error = vc.probe().await.unwrap_err();
            assert_eq!((error.reason(), error.label()), ("AuthFailed", "auth"), "{error}");
            assert!(error.to_string().contains("E1: wrong password"), "{error}");
        }
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_login_is_refused_for_other_reasons_than_wrong_credentials() {
    let expired = ("PasswordExpired", "auth", 1);
    // As often as anybody asks: it passes by itself.
    let full = ("Unreachable", "transient", 3);
    for (body, (reason, label, logins)) in [
        (r#"{"error_code":"PASSWORD_EXPIRED","message":"Login failed."}"#, expired),
        (r#"{"message":"The password of this user has expired."}"#, expired),
        (r#"{"error_code":"SESSION_LIMIT","message":"Login failed."}"#, full),
        (r#"{"message":"The maximum number of sessions has been reached."}"#, full),
        (
            r#"{"error_code":"INVALID_CREDENTIALS","message":"Wrong password."}"#,
            ("AuthFailed", "auth", 1),
        ),
    ] {
        for status in [400, 403] {
            let server = Server::serve(move |_, _| json(status, body)).await;
            let vc = client(&server);
            for _ in 0..3 {
                let error = vc.probe().await.unwrap_err();
                assert_eq!((error.reason(), error.label()), (reason, label), "{error}");
            }
            assert_eq!(server.requests().len(), logins, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn a_403_after_a_welcome_may_be_a_ban_and_before_it_is_a_missing_right() {
    let looks = Arc::new(AtomicUsize::new(0));
    let of = Arc::clone(&looks);
    let server = Server::serve(move |r, _| match call(r).as_str() {
        "GET /appliance" if of.fetch_add(1, Ordering::Relaxed) > 0 => json(403, "{}"),
        _ => appliance_or(r, |_| page(&[])),
    })
    .await;
    let vc = client(&server);
    vc.probe().await.unwrap();
    let error = vc.probe().await.unwrap_err();
    assert_eq!((error.label(), error.reason()), ("transient", "Unreachable"), "{error}");

    let server = Server::serve(|r, _| match call(r).as_str() {
        "GET /appliance" => json(403, "{}"),
        _ => appliance_or(r, |_| page(&[])),
    })
    .await;
    assert_eq!(client(&server).probe().await.unwrap_err().reason(), "MissingPermission");

    let logins = Mutex::new(0);
    let server = Server::serve(move |r, _| match call(r).as_str() {
        "POST /session" => {
            *logins.lock().unwrap() += 1;
            if *logins.lock().unwrap() == 1 {
                json(200, r#"{"session_id":"sesame"}"#)
            } else {
                json(403, "")
            }
        }
        "GET /appliance" => Act::Send(raw(401, &[], "")),
        _ => page(&[]),
    })
    .await;
    let error = client(&server).probe().await.unwrap_err();
    assert_eq!(error.label(), "transient", "{error}");
}

#[tokio::test]
async fn what_lives_there_is_told_by_its_answers() {
    let html = |status| Act::Send(raw(status, &[("content-type", "text/html")], "<html>canary-body</html>"));
    let rows: Vec<(&str, Act, &str)> = vec![
        ("POST /session", html(200), "NotThisProduct"),
        ("POST /session", html(400), "NotThisProduct"),
        ("POST /session", html(404), "NotThisProduct"),
        ("POST /session", json(200, "{}"), "NotThisProduct"),
        ("POST /session", json(200, r#"{"session_id":null}"#), "NotThisProduct"),
        ("POST /session", json(200, r#"{"session_id":"a\nb"}"#), "NotThisProduct"),
        ("POST /session", Act::Send(raw(302, &[("location", "/ui")], "")), "NotThisProduct"),
        ("POST /session", html(401), "AuthFailed"),
        ("POST /session", json(500, r#"{"error_code":"E"}"#), "Unreachable"),
        ("POST /session", json(429, ""), "Unreachable"),
        ("GET /appliance", html(200), "NotThisProduct"),
        ("GET /appliance", json(200, "{}"), "NotThisProduct"),
        ("GET /appliance", json(200, "[]"), "NotThisProduct"),
        ("GET /appliance", html(404), "NotThisProduct"),
        ("GET /appliance", json(500, "{}"), "Unreachable"),
    ];
    for (path, act, reason) in rows {
        let shown = format!("{path} {act:?}");
        let server = Server::serve(move |r, _| {
            if call(r) == path {
                act.clone()
            } else {
                appliance_or(r, |_| page(&[]))
            }
        })
        .await;
        let err = client(&server).probe().await.unwrap_err();
        assert_eq!(err.reason(), reason, "{shown}: {err}");
        assert!(!err.to_string().contains("canary"), "{err}");
    }
}

#[tokio::test]
async fn a_probe_says_which_product_and_leaves_no_trace() {
    let server = Server::serve(|r, _| appliance_or(r, |_| page(&[]))).await;
    let probe = client(&server).probe().await.unwrap();
    assert_eq!(
        (probe.product.as_str(), probe.version.as_deref(), probe.message.as_str()),
        (
            "vSphere Replication",
            Some("9.0.0-10010"),
            "logged in; vSphere Replication 9.0.0-10010 on srm-a"
        )
    );
    assert_eq!(calls(&server), ["POST /session", "GET /appliance"]);
}

#[tokio::test]
async fn looks_are_a_pause_apart_whoever_asks() {
    let server = Server::serve(|r, _| appliance_or(r, |_| page(&[]))).await;
    let pause = Duration::from_millis(150);
    let timing = Timing {
        appliance_pause: pause,
        ..hasty()
    };
    let vc = client_with(&server, Secrets::new([Ok("a")]), timing);
    let target = target(&server);
    let (a, b, c) = tokio::join!(
        vc.observe(&target, None),
        vc.observe(&target, Some("t1")),
        vc.observe(&target, None)
    );
    let mut asked = [a.asked, b.asked, c.asked];
    asked.sort();
    // A busy machine makes each of them late, never early.
    assert!(asked[1].0 >= pause && asked[2].0 >= pause * 2, "{asked:?}");
    assert_eq!(
        vc.list().await.unwrap().sights[APPLIANCE].offered,
        Offered::Unavailable {
            why: "retrieve_updates gave a task without an id".to_owned()
        }
    );
}
