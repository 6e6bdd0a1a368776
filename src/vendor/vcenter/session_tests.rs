//! Sessions: one login for all, replaced when it dies, and credentials that come and go. Holds what other tests of the client share, too.

use std::sync::atomic::Ordering;

use data_encoding::BASE64;

use super::session::HEADER;
use super::tests::READY;
use super::tests::not_seen;
use super::*;
use crate::clock::Clock;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Secrets;
use crate::vendor::http::testing::*;

pub(super) fn client_with(server: &Server, credentials: Arc<dyn CredentialSource>) -> VCenter {
    let clock = Clock::system();
    let ca_bundle_pem = Some(server.ca_pem.clone());
    let (authority, fence, timing) = (server.authority(), loopback_fence(), quick());
    VCenter::new(ClientOptions {
        authority,
        ca_bundle_pem,
        credentials,
        fence,
        timing,
        clock,
        observer: None,
        start_open: None,
        secrets: None,
        vault: None,
    })
    .unwrap()
}

pub(super) fn client(server: &Server) -> VCenter {
    client_with(server, Secrets::new([Ok("canary-pw")]))
}

pub(super) fn target(server: &Server) -> TargetKey {
    TargetKey::cluster(server.authority(), "domain-c8")
}

pub(super) fn login_or(r: &Request, act: impl FnOnce() -> Act) -> Act {
    if r.target == "/api/session" {
        if r.method == "POST" {
            json(201, r#""sesame""#)
        } else {
            Act::Send(raw(204, &[], ""))
        }
    } else {
        act()
    }
}

pub(super) fn count(server: &Server, method: &str, target: &str) -> usize {
    server
        .requests()
        .iter()
        .filter(|r| r.method == method && r.target == target)
        .count()
}

#[tokio::test]
async fn one_login_serves_all_and_logout_ends_it() {
    let server = Server::serve(|r, _| login_or(r, || json(200, "[]"))).await;
    let vc = client(&server);
    let (a, b, c) = tokio::join!(vc.list(), vc.list(), vc.list());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    let login = &server.requests()[0];
    let basic = format!("Basic {}", BASE64.encode(b"adm@vsphere.local:canary-pw"));
    assert_eq!(
        (login.method.as_str(), login.header("authorization"), login.header("content-length")),
        ("POST", Some(basic.as_str()), Some("0"))
    );
    assert_eq!(count(&server, "POST", "/api/session"), 1);
    vc.logout().await;
    let last = server.requests().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.target.as_str(), last.header(HEADER)),
        ("DELETE", "/api/session", Some("sesame"))
    );
    vc.logout().await;
    assert_eq!(count(&server, "DELETE", "/api/session"), 1);
}

#[tokio::test]
async fn a_dead_session_is_replaced_once_with_fresh_credentials() {
    let server = Server::serve(|r, n| match (r.method.as_str(), n) {
        ("POST", _) => json(201, &format!(r#""token-{n}""#)),
        (_, 1 | 3) => json(401, r#"{"error_type":"UNAUTHENTICATED","messages":[]}"#),
        _ => json(200, READY),
    })
    .await;
    let secrets = Secrets::new([Ok("old"), Ok("new")]);
    let vc = client_with(&server, secrets.clone());
    // 0 login, 1 GET 401, 2 login, 3 GET 401: once again is enough, and the useless session is ended.
    assert!(not_seen(&vc.observe(&target(&server)).await).0.contains("UNAUTHENTICATED"));
    assert_eq!(server.requests()[4].header(HEADER), Some("token-2"));
    assert_eq!(server.requests()[4].method, "DELETE");
    assert!(vc.observe(&target(&server)).await.seen());
    assert_eq!(server.requests()[6].header(HEADER), Some("token-5"));
    let basic = |n: usize| server.requests()[n].header("authorization").unwrap().to_owned();
    assert_ne!(basic(0), basic(2), "credentials are read at each login");
    assert_eq!(secrets.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn refused_credentials_are_held_until_they_change() {
    let server = Server::serve(|r, _| {
        let right = format!("Basic {}", BASE64.encode(b"adm@vsphere.local:right"));
        if r.header("authorization").is_some_and(|a| a != right) {
            json(401, r#"{"messages":[]}"#)
        } else {
            login_or(r, || json(200, "[]"))
        }
    })
    .await;
    let vc = client_with(&server, Secrets::new([Ok("wrong"), Ok("wrong"), Ok("wrong"), Ok("right")]));
    for _ in 0..3 {
        let err = vc.probe().await.unwrap_err();
        assert_eq!((err.reason(), err.label()), ("AuthFailed", "auth"), "{err:?}");
    }
    assert_eq!(server.requests().len(), 1, "the same password is not tried again at once");
    assert_eq!(vc.probe().await.unwrap().message, "logged in; 0 Supervisor clusters");
}

#[tokio::test]
async fn those_who_wait_for_a_login_share_its_failure() {
    let server = Server::serve(|_, _| json(503, r#"{"error_type":"SERVICE_UNAVAILABLE","messages":[]}"#)).await;
    let vc = client(&server);
    let (a, b, c) = tokio::join!(vc.list(), vc.list(), vc.list());
    for failure in [a, b, c].map(Result::unwrap_err) {
        assert_eq!(failure.error.label(), "transient", "{failure:?}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_rotated_secret_is_noticed_by_the_probe() {
    let server = Server::serve(|r, _| login_or(r, || json(200, "[]"))).await;
    let vc = client_with(&server, Secrets::new([Ok("a"), Ok("a"), Ok("b")]));
    vc.probe().await.unwrap();
    vc.probe().await.unwrap();
    assert_eq!(
        (count(&server, "POST", "/api/session"), count(&server, "DELETE", "/api/session")),
        (1, 0)
    );
    vc.probe().await.unwrap();
    assert_eq!(
        (count(&server, "POST", "/api/session"), count(&server, "DELETE", "/api/session")),
        (2, 1)
    );
}

#[tokio::test]
async fn a_missing_secret_is_told_apart() {
    let server = Server::serve(|r, _| login_or(r, || json(200, "[]"))).await;
    let secret = "vc1".to_owned();
    for (error, reason) in [
        (CredentialError::NotFound { secret: secret.clone() }, "SecretNotFound"),
        (
            CredentialError::AccessDenied {
                secret: secret.clone(),
                fix: "run this".to_owned(),
            },
            "SecretAccessDenied",
        ),
        (
            CredentialError::Incomplete {
                secret,
                key: "password".to_owned(),
            },
            "SecretIncomplete",
        ),
    ] {
        let vc = client_with(&server, Secrets::new([Err(error)]));
        assert_eq!(vc.probe().await.unwrap_err().reason(), reason);
    }
    assert_eq!(server.requests().len(), 0);
}
