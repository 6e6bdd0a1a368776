//! The client against a server that answers what each test says: errors, looks, and whole starts.

use std::time::Duration;

use super::session::HEADER;
use super::session_tests::client;
use super::session_tests::count;
use super::session_tests::login_or;
use super::session_tests::target;
use super::start::start_body;
use super::*;
use crate::controller::permit::Order;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Motion;
use crate::upgrade::target::Authority;
use crate::vendor::http::NotSent;
use crate::vendor::http::testing::*;

const LIST: &str = "/api/vcenter/namespace-management/software/clusters";
pub(super) const READY: &str = r#"{"state":"READY","current_version":"v1.29","available_versions":["v1.30.5+vmware.2"],"messages":[]}"#;

pub(super) fn not_seen(sight: &Sight) -> (&str, bool) {
    let Motion::NotSeen { why, unknown_object } = &sight.motion else {
        panic!("{sight:?}")
    };
    (why, *unknown_object)
}

#[tokio::test]
async fn what_lives_there_is_told_by_its_answers() {
    let html = |status| Act::Send(raw(status, &[("content-type", "text/html")], "<html>canary-body</html>"));
    let rows: Vec<(&str, Act, &str)> = vec![
        ("/api/session", html(200), "NotThisProduct"),
        ("/api/session", html(404), "NotThisProduct"),
        ("/api/session", json(404, "{}"), "NotThisProduct"),
        ("/api/session", json(201, r#"{"value":"x"}"#), "NotThisProduct"),
        ("/api/session", json(201, r#""a\nb""#), "NotThisProduct"),
        ("/api/session", Act::Send(raw(302, &[("location", "/ui")], "")), "NotThisProduct"),
        ("/api/session", json(401, ""), "AuthFailed"),
        ("/api/session", html(401), "AuthFailed"),
        ("/api/session", json(403, "{}"), "MissingPermission"),
        ("/api/session", html(503), "Unreachable"),
        (LIST, html(200), "NotThisProduct"),
        (LIST, html(404), "NotThisProduct"),
        (
            LIST,
            json(404, r#"{"error_type":"OPERATION_NOT_FOUND","messages":[]}"#),
            "NotThisProduct",
        ),
        (LIST, json(200, "{}"), "NotThisProduct"),
        (
            LIST,
            json(403, r#"{"error_type":"UNAUTHORIZED","messages":[]}"#),
            "MissingPermission",
        ),
        (LIST, json(500, "{}"), "Unreachable"),
    ];
    for (path, act, reason) in rows {
        let shown = format!("{path} {act:?}");
        let server = Server::serve(move |r, _| {
            if r.target == path {
                act.clone()
            } else {
                login_or(r, || json(200, "[]"))
            }
        })
        .await;
        let err = client(&server).probe().await.unwrap_err();
        assert_eq!(err.reason(), reason, "{shown}: {err}");
        assert!(!err.to_string().contains("canary"), "{err}");
    }
}

#[tokio::test]
async fn vendor_html_body_never_reaches_status() {
    let page = format!("<html>{}</html>", "canary".repeat(100));
    let server = Server::serve(move |r, _| login_or(r, || json(400, &page))).await;
    let sight = client(&server).observe(&target(&server)).await;
    let (why, unknown) = not_seen(&sight);
    assert!(
        !unknown && !sight.complete && why.contains("HTML, 613 bytes") && !why.contains("canary"),
        "{why}"
    );
}

#[tokio::test]
async fn a_list_gives_a_sight_for_each_cluster_and_says_when_a_row_was_unreadable() {
    let row =
        |id: &str| format!(r#"{{"cluster":"{id}","cluster_name":"lab","state":"READY","current_version":"v1","available_versions":[]}}"#);
    for (body, expected, complete) in [
        (format!("[{},{}]", row("domain-c8"), row("domain-c9")), 2, true),
        ("[]".to_owned(), 0, true),
        (format!(r#"[{},{{"cluster_name":"x"}}]"#, row("domain-c8")), 1, false),
        (format!("[{},{}]", row("domain-c8"), row("domain-c8")), 1, false),
    ] {
        let server = Server::serve(move |r, _| login_or(r, || json(200, &body))).await;
        let listing = client(&server).list().await.unwrap();
        assert_eq!((listing.sights.len(), listing.complete), (expected, complete));
        assert!(
            listing
                .sights
                .values()
                .all(|s| s.asked == listing.asked && s.authority == server.authority() && !s.detailed)
        );
    }
}

#[tokio::test]
async fn an_unknown_cluster_is_only_what_vcenter_itself_says_is_unknown() {
    for (status, body, unknown) in [
        (404, r#"{"error_type":"NOT_FOUND","messages":[]}"#, true),
        (404, r#"{"messages":[]}"#, true),
        (404, "", true),
        (400, r#"{"error_type":"UNSUPPORTED","messages":[]}"#, true),
        (404, r#"{"error_type":"OPERATION_NOT_FOUND","messages":[]}"#, false),
        (404, "<html>", false),
        (404, "{}", false),
        (400, r#"{"error_type":"INVALID_ARGUMENT","messages":[]}"#, false),
        (400, "", false),
        (500, "", false),
        (200, "[]", false),
        (200, "<html>", false),
        (200, "", false),
    ] {
        let server = Server::serve(move |r, _| login_or(r, || json(status, body))).await;
        let sight = client(&server).observe(&target(&server)).await;
        assert_eq!((not_seen(&sight).1, sight.complete), (unknown, unknown), "{status} {body}");
        assert!(sight.detailed && sight.looks.is_none());
    }
}

#[tokio::test]
async fn a_body_past_the_limit_is_no_sight() {
    let huge = format!("[{}]", " ".repeat(crate::vendor::http::LONGEST_BODY));
    let server = Server::serve(move |r, _| login_or(r, || json(200, &huge))).await;
    let failure = client(&server).list().await.unwrap_err();
    assert!(failure.error.to_string().contains("more than 8388608 bytes"), "{failure:?}");
}

#[tokio::test]
async fn a_target_of_another_endpoint_is_not_asked_about() {
    let server = Server::serve(|r, _| login_or(r, || json(200, READY))).await;
    let vc = client(&server);
    let other = TargetKey::cluster(Authority::from_url("https://other.example").unwrap(), "domain-c8");
    assert!(not_seen(&vc.observe(&other).await).0.contains("is not a cluster of"));
    assert!(vc.prepare(&other).await.is_err());
    let dots = TargetKey::cluster(server.authority(), "..");
    assert!(!vc.observe(&dots).await.seen());
    let slash = TargetKey::cluster(server.authority(), "a/../b?x=1");
    vc.observe(&slash).await;
    assert_eq!(count(&server, "GET", &format!("{LIST}/a%2F..%2Fb%3Fx=1")), 1);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_start_carries_the_session_of_its_look_and_exactly_one_cluster() {
    let server = Server::serve(|r, _| {
        login_or(r, || {
            if r.method == "GET" {
                json(200, READY)
            } else {
                json(200, r#"{"domain-c8":{"res":"STARTED"}}"#)
            }
        })
    })
    .await;
    let vc = client(&server);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    assert_eq!((ready.sight().complete, &ready.sight().motion), (true, &Motion::Still));
    let sent = ready.start(permit(server.authority(), "domain-c8")).await.unwrap();
    assert_eq!(sent.answer_for_test(), Answer::Accepted { job: None });
    let request = server.requests().pop().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", format!("{LIST}?action=upgradeMultiple").as_str())
    );
    assert_eq!(request.body, br#"{"domain-c8":{"desired_version":"v1.30.5+vmware.2"}}"#);
    assert_eq!(request.header(HEADER), Some("sesame"));
    assert_eq!(server.settled().await.1, 3);
}

#[tokio::test]
async fn a_401_to_a_start_is_not_sent_again_and_the_next_look_logs_in() {
    let server = Server::serve(|r, _| login_or(r, || if r.method == "GET" { json(200, READY) } else { json(401, "") })).await;
    let vc = client(&server);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    let answer = ready
        .start(permit(server.authority(), "domain-c8"))
        .await
        .unwrap()
        .answer_for_test();
    assert!(
        matches!(
            answer,
            Answer::NotTaken {
                reason: NotTaken::Unauthorized,
                ..
            }
        ),
        "{answer:?}"
    );
    vc.observe(&target(&server)).await;
    let methods: Vec<String> = server.requests().into_iter().map(|r| r.method).collect();
    assert_eq!(methods, ["POST", "GET", "POST", "POST", "GET"]);
}

#[tokio::test]
async fn a_throttled_start_waits_no_longer_than_the_cap() {
    let throttle = raw(429, &[("retry-after", "999999")], "");
    let server = Server::serve(move |r, _| {
        login_or(r, || {
            if r.method == "GET" {
                json(200, READY)
            } else {
                Act::Send(throttle.clone())
            }
        })
    })
    .await;
    let ready = client(&server).prepare(&target(&server)).await.unwrap();
    let answer = ready
        .start(permit(server.authority(), "domain-c8"))
        .await
        .unwrap()
        .answer_for_test();
    let expected = NotTaken::Throttled {
        retry_after: Some(Duration::from_hours(1)),
    };
    assert!(
        matches!(&answer, Answer::NotTaken { reason, .. } if *reason == expected),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_permit_for_another_target_starts_nothing() {
    let server = Server::serve(|r, _| login_or(r, || json(200, READY))).await;
    let ready = client(&server).prepare(&target(&server)).await.unwrap();
    let unsent = ready.start(permit(server.authority(), "domain-c9")).await.unwrap_err();
    assert!(matches!(unsent.why, NotSent::WrongTarget { .. }));
    unsent.permit.give_up_for_test();
    assert_eq!(server.settled().await.1, 2);
}

#[tokio::test]
async fn a_failed_look_prepares_nothing() {
    let server = Server::serve(|r, _| login_or(r, || json(500, "{}"))).await;
    let err = client(&server).prepare(&target(&server)).await.err().unwrap();
    assert_eq!(err.label(), "transient");
}

#[test]
fn the_request_is_described_without_secrets() {
    let target = TargetKey::cluster(Authority::from_url("https://vc1.example").unwrap(), "domain-c8");
    let mut order = Order {
        version: "v1.30.5".to_owned(),
        options: Options::Cluster {
            ignore_precheck_warnings: false,
        },
        scheduled_at: None,
    };
    let plain = "POST /api/vcenter/namespace-management/software/clusters?action=upgradeMultiple cluster=domain-c8 desired_version=v1.30.5";
    assert_eq!(describe_request(&target, &order), plain);
    assert_eq!(
        start_body("domain-c8", &order),
        json_value(r#"{"domain-c8":{"desired_version":"v1.30.5"}}"#)
    );
    order.options = Options::Cluster {
        ignore_precheck_warnings: true,
    };
    assert_eq!(describe_request(&target, &order), format!("{plain} ignore_precheck_warnings=true"));
    let body = r#"{"domain-c8":{"desired_version":"v1.30.5","ignore_precheck_warnings":true}}"#;
    assert_eq!(start_body("domain-c8", &order), json_value(body));
}

fn json_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_probe_names_the_versions_and_does_without_them_where_they_cannot_be_read() {
    let six = (1..=6)
        .map(|n| format!(r#"{{"version":"v1.{n}","name":"x"}}"#))
        .collect::<Vec<_>>()
        .join(",");
    for (status, body, expected) in [
        (
            200,
            format!("[{six}]"),
            "logged in; 0 Supervisor clusters; versions: v1.1, v1.2, v1.3, v1.4, v1.5 and 1 more",
        ),
        (
            200,
            r#"[{"version":7},{"version":"v2"}]"#.to_owned(),
            "logged in; 0 Supervisor clusters; versions: v2",
        ),
        (200, "[]".to_owned(), "logged in; 0 Supervisor clusters"),
        (200, "{}".to_owned(), "logged in; 0 Supervisor clusters"),
        (500, "oops".to_owned(), "logged in; 0 Supervisor clusters"),
        (403, "{}".to_owned(), "logged in; 0 Supervisor clusters"),
    ] {
        let server = Server::serve(move |r, _| {
            if r.target.ends_with("/cluster-available-versions") {
                json(status, &body)
            } else {
                login_or(r, || json(200, "[]"))
            }
        })
        .await;
        assert_eq!(client(&server).probe().await.unwrap().message, expected);
    }
}
