//! Fault rules in the vendor's own words, and the forms of errors.

use reqwest::Method;
use serde_json::json;

use super::super::super::aruba::{
    CUSTOMER, CUSTOMER_2, Config, ErrorBody, Kind, TENANT_HEADER, cancels, device_lists, logins, reads, refreshes, starts, status_reads,
    swarm_lists, version_reads,
};
use super::super::super::faults::BodyKind;
use super::super::super::{Action, Rule, When};
use super::{Bench, answer, cx, forms, order};

fn status(status: u16) -> Action {
    Action::Status {
        status,
        body: BodyKind::Json,
        when: When::Before,
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn every_documented_status_can_be_had_by_a_rule_in_its_own_words() {
    let bench = Bench::new(Config::still()).await;
    for http in [401, 403, 404, 413, 417, 429, 500, 502, 503, 504] {
        bench.central.faults().add(Rule::new(status(http)).on(starts()).times(1));
        let (got, body) = answer(bench.start_request(&order())).await;
        assert_eq!(got, http);
        match http {
            401 => forms::oauth(&body, "invalid_token"),
            429 | 502..=504 => forms::gateway(&body),
            _ => forms::error(&body, "0001"),
        }
    }
    for (reason, code) in [(1, "0001"), (3, "0003"), (4, "0004"), (5, "0005")] {
        let refuse = Action::Refuse {
            status: 400,
            reason,
            when: When::Before,
        };
        bench.central.faults().add(Rule::new(refuse).on(starts()).times(1));
        bench.refused(bench.start_request(&order()), 400, code).await;
    }
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn a_refusal_may_be_a_lie() {
    let bench = Bench::new(Config::still()).await;
    let lie = Action::Refuse {
        status: 404,
        reason: 1,
        when: When::After,
    };
    bench.central.faults().add(Rule::new(lie).on(starts()).times(1));
    bench.refused(bench.start_request(&order()), 404, "0001").await;
    assert_eq!(bench.starts(), 1);
}

#[tokio::test]
async fn an_error_tells_as_much_as_it_is_told_to() {
    let bench = Bench::new(Config::still()).await;
    for (form, body) in [
        (
            ErrorBody::Description,
            json!({"description": "Not found", "error_code": "0001", "service_name": "Firmware"}),
        ),
        (ErrorBody::Message, json!({"message": "Not found"})),
        (ErrorBody::Empty, json!({})),
    ] {
        bench.central.set(|s| s.error_body = form);
        assert_eq!(bench.get("/firmware/v1/swarms/no-such").await, (404, body), "{form:?}");
    }
}

#[tokio::test]
async fn a_rule_takes_the_requests_that_it_is_for_and_no_others() {
    let bench = Bench::new(Config::still()).await;
    let faults = bench.central.faults();
    let rules = [
        starts(),
        cancels(),
        swarm_lists(),
        device_lists(),
        status_reads(),
        version_reads(),
        logins(),
        refreshes(),
    ];
    let rules = rules.map(|on| faults.add(Rule::new(status(503)).on(on)));
    for path in [
        "swarms",
        "devices?device_type=CX",
        &format!("status?serial={}", cx(0)),
        "versions?device_type=CX",
    ] {
        assert_eq!(answer(bench.read(CUSTOMER, path)).await.0, 503, "{path}");
    }
    assert_eq!(answer(bench.read(CUSTOMER, &format!("devices/{}", cx(0)))).await.0, 200);
    assert_eq!(answer(bench.start_request(&order())).await.0, 503);
    assert_eq!(bench.cancel(Kind::Cx).await.0, 503);
    let v1 = "/firmware/v1/msp/upgrade/customers/4d1c0000/cancel";
    assert_eq!(
        answer(bench.request(Method::POST, v1).json(&json!({"device_type": "CX"}))).await.0,
        503
    );
    for path in [
        "/oauth2/authorize/central/api/login?client_id=x",
        "/oauth2/token?grant_type=refresh_token",
    ] {
        assert_eq!(answer(bench.request(Method::POST, path)).await.0, 503, "{path}");
    }
    let hits = rules.map(|rule| faults.hits(rule).unwrap());
    assert_eq!(hits, [1, 2, 1, 1, 1, 1, 1, 1]);
    let all = faults.add(Rule::new(status(500)).on(reads()));
    assert_eq!(answer(bench.read(CUSTOMER, "models?device_type=CX")).await.0, 500);
    assert_eq!(faults.hits(all).unwrap(), 1);
}

#[tokio::test]
async fn a_rule_can_be_for_one_customers_reads() {
    let bench = Bench::new(Config::still()).await;
    let on = device_lists().header(TENANT_HEADER, CUSTOMER_2);
    bench.central.faults().add(Rule::new(status(500)).on(on));
    let list = "devices?device_type=CX";
    assert_eq!(answer(bench.read(CUSTOMER, list)).await.0, 200);
    assert_eq!(answer(bench.read(CUSTOMER_2, list)).await.0, 500);
    assert_eq!(bench.get("/firmware/v1/devices").await.0, 200);
}

#[tokio::test]
async fn what_is_stale_is_so_for_each_customer_by_itself() {
    let bench = Bench::new(Config::still()).await;
    let list = "devices?device_type=CX&limit=1";
    let before = answer(bench.read(CUSTOMER, list)).await;
    let other = answer(bench.read(CUSTOMER_2, list)).await;
    bench.central.faults().add(Rule::new(Action::Stale).on(device_lists()));
    bench.started(order()).await;
    bench.advance(1000);
    assert_eq!(answer(bench.read(CUSTOMER, list)).await, before);
    assert_eq!(answer(bench.read(CUSTOMER_2, list)).await, other);
    assert_ne!(before, other);
}
