//! Error bodies, and the refusals that only a fault rule brings about.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::faults::BodyKind;
use super::super::super::hmc::{
    BUNDLE_NEW, Config, ErrorBody, PASSWORD, SESSION_HEADER, USER, authorizations, installs, logons, reads, update_lists, update_reads,
};
use super::super::super::{Action, Match, Rule, When};
use super::{Bench, answer, bare, forms, order, order_by_ftp};

const FTP_PASSWORD: &str = "slip-no-more";

#[tokio::test]
async fn an_error_tells_of_the_request_as_much_as_it_is_told_to() {
    let bench = Bench::new(Config::default()).await;
    let path = "/api/console?colour=red";
    let full = bench.refused(bench.request(Method::GET, path), 400, 1).await;
    assert_eq!(
        (&full["request-method"], &full["request-uri"]),
        (&json!("GET"), &json!("/api/console"))
    );
    assert_eq!(full["request-query-parms"], json!([{"name": "colour", "value": "red"}]));
    assert_eq!(
        (&full["request-authenticated-as"], &full["request-body"]),
        (&json!(USER), &json!(null))
    );
    bench.hmc.set(|s| s.error_body = ErrorBody::Short);
    let short = bench.refused(bench.request(Method::GET, path), 400, 1).await;
    assert_eq!(short.as_object().unwrap().len(), 5);
    bench.hmc.set(|s| s.error_body = ErrorBody::Empty);
    assert_eq!(bench.get(path).await, (400, json!({})));
}

#[tokio::test]
async fn an_error_echoes_session_and_body_or_hides_them() {
    let bench = Bench::new(Config::default()).await;
    let bad = || bench.install_request(&order_by_ftp("H25", FTP_PASSWORD));
    let echo = bench.refused(bad(), 400, 356).await;
    assert_eq!(echo["request-headers"][SESSION_HEADER], bench.session);
    assert_eq!(echo["request-body"]["ftp-server-password"], FTP_PASSWORD);
    let (_, echo) = bench.logon(USER, "guess").await;
    assert_eq!(echo["request-body"]["password"], "guess");

    bench.hmc.set(|s| (s.echo_session, s.echo_body) = (false, false));
    let hidden = bench.refused(bad(), 400, 356).await.to_string();
    assert!(!hidden.contains(&bench.session) && !hidden.contains(FTP_PASSWORD), "{hidden}");
    assert!(!bench.logon(USER, "guess").await.1.to_string().contains("guess"));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_echoed_as_text() {
    let bench = Bench::new(Config::default()).await;
    let request = bench.client.post(format!("{}/api/sessions", bench.hmc.url()));
    let body = bench
        .refused(request.header("content-type", "application/json").body("{nonsense"), 400, 9)
        .await;
    assert_eq!(body["request-body-as-string"], "{nonsense");
    assert_eq!(
        (body.get("request-body"), &body["request-body-as-string-partial"]),
        (None, &json!(false))
    );
}

#[tokio::test]
async fn every_documented_refusal_can_be_had_by_a_rule_and_says_of_which_request_it_is() {
    let bench = Bench::new(Config::default()).await;
    for (status, reason) in [
        (400, 2),
        (400, 3),
        (400, 4),
        (400, 5),
        (400, 6),
        (400, 7),
        (400, 8),
        (400, 9),
        (400, 11),
        (400, 13),
        (400, 14),
        (400, 356),
        (403, 0),
        (403, 1),
        (403, 4),
        (403, 5),
        (404, 1),
        (405, 1),
        (406, 1),
        (409, 1),
        (409, 2),
        (413, 1),
        (500, 12),
        (503, 1),
    ] {
        let refuse = Action::Refuse {
            status,
            reason,
            when: When::Before,
        };
        bench.hmc.faults().add(Rule::new(refuse).on(installs()).times(1));
        let body = bench.refused(bench.install_request(&order(BUNDLE_NEW)), status, reason).await;
        assert_eq!(body["request-uri"], "/api/console/operations/single-step-install");
        assert_eq!(body.get("stack").is_some(), status >= 500);
    }
    assert_eq!((bench.starts(), bench.hmc.upgrading()), (0, false));
}

#[tokio::test]
async fn a_refusal_may_be_a_lie() {
    let bench = Bench::new(Config::default()).await;
    let lie = Action::Refuse {
        status: 409,
        reason: 2,
        when: When::After,
    };
    bench.hmc.faults().add(Rule::new(lie).on(installs()).times(1));
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 409, 2).await;
    assert_eq!((bench.starts(), bench.hmc.upgrading()), (1, true));
}

#[tokio::test]
async fn a_rule_makes_a_page_of_any_status() {
    let bench = Bench::new(Config::default()).await;
    let page = Action::Status {
        status: 500,
        body: BodyKind::Html,
        when: When::Before,
        headers: Vec::new(),
    };
    bench.hmc.faults().add(Rule::new(page).on(reads()).times(1));
    let response = bench.request(Method::GET, "/api/console").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (500, "text/html")
    );
    let json = Action::Status {
        status: 503,
        body: BodyKind::Json,
        when: When::Before,
        headers: Vec::new(),
    };
    bench.hmc.faults().add(Rule::new(json).on(reads()).times(1));
    let (status, body) = bench.get("/api/console").await;
    assert_eq!(
        (status, &body["http-status"], &body["request-uri"]),
        (503, &json!(503), &Value::Null)
    );
    let empty = Action::Status {
        status: 502,
        body: BodyKind::Empty,
        when: When::Before,
        headers: Vec::new(),
    };
    bench.hmc.faults().add(Rule::new(empty).on(reads()).times(1));
    assert_eq!(bench.get("/api/console").await, bare(502));
}

#[tokio::test]
async fn a_rule_takes_the_requests_that_it_is_for_and_no_others() {
    let bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    let hits = |on: Match| {
        let refuse = Action::Refuse {
            status: 409,
            reason: 1,
            when: When::Before,
        };
        bench.hmc.faults().add(Rule::new(refuse).on(on))
    };
    let rules = [installs(), authorizations(), reads(), update_lists(), update_reads(), logons()].map(hits);
    let one = format!("/api/console/remote-firmware-updates/{id}");
    for path in ["/api/console", "/api/console/remote-firmware-updates", &one] {
        bench.refused(bench.request(Method::GET, path), 409, 1).await;
    }
    assert_eq!(
        answer(bench.request(Method::GET, "/api/console/operations/list-features")).await.0,
        200
    );
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 409, 1).await;
    bench
        .refused(
            bench.request(Method::POST, "/api/console/operations/authorize-remote-firmware-updates"),
            409,
            1,
        )
        .await;
    forms::error(&bench.logon(USER, PASSWORD).await.1, 409, 1);
    for rule in rules {
        assert_eq!(bench.hmc.faults().hits(rule).unwrap(), 1);
    }
}

#[tokio::test]
async fn a_client_that_takes_no_json_is_told_so() {
    let bench = Bench::new(Config::default()).await;
    bench
        .refused(
            bench.request(Method::GET, "/api/console").header("accept", "text/xml, image/*"),
            406,
            1,
        )
        .await;
    for accept in ["application/json", "text/html, application/*;q=0.9", "*/*"] {
        let (status, _) = answer(bench.request(Method::GET, "/api/console").header("accept", accept)).await;
        assert_eq!(status, 200, "{accept}");
    }
}
