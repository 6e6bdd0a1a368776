//! Cancels: by each of the four paths, and by somebody else.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::aruba::{CUSTOMER, CUSTOMER_2, Config, Ignored, Kind, Stage, VERSION_NEW, VERSION_OLD, Wanted, cancels};
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Bench, answer, order, order_with};

const V1: &str = "/firmware/v1/msp/upgrade/customers/4d1c0000/cancel";
const V2: &str = "/firmware/v2/msp/upgrade/customers/4d1c0000/cancel";
const ALL_V1: &str = "/firmware/v1/msp/upgrade/cancel";
const ALL_V2: &str = "/firmware/v2/msp/upgrade/cancel";

impl Bench {
    /// An upgrade of the first customer's switches in an hour.
    async fn scheduled(&self) {
        let at = self.now() + 3600;
        self.started(order_with(&json!({"firmware_scheduled_at": at}))).await;
    }

    async fn cancel_by(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }
}

#[tokio::test]
async fn what_is_scheduled_is_taken_back_and_the_version_stays() {
    for path in [V1, V2, ALL_V1, ALL_V2] {
        let bench = Bench::patient(Config::still()).await;
        bench.scheduled().await;
        let (status, text) = bench.cancel_by(path, json!({"device_type": "CX"})).await;
        assert_eq!((status, text.is_string()), (200, true), "{path}");
        bench.advance(7200);
        assert_eq!((bench.at(Kind::Cx, VERSION_OLD), bench.stages(Kind::Cx, Stage::AtRest)), (4, 4));
        let cancel = &bench.central.cancels()[0];
        assert_eq!((cancel.customer.as_str(), cancel.kind, cancel.devices), (CUSTOMER, Kind::Cx, 4));
        assert_eq!(
            (cancel.user_agent.as_str(), bench.starts()),
            ("checks/1", 1),
            "and the start was one all the same"
        );
        let row = &bench.rows(Kind::Cx).await[0];
        assert!(row["status"].get("firmware_scheduled_at").is_none(), "{row}");
    }
}

#[tokio::test]
async fn what_runs_goes_on() {
    for (how, status) in [(Ignored::Ignored, 200), (Ignored::Refused, 400)] {
        let bench = Bench::new(Config::still().settings(|s| s.cancel_running = how)).await;
        bench.started(order()).await;
        bench.advance(1);
        assert_eq!(bench.cancel(Kind::Cx).await.0, status, "{how:?}");
        bench.advance(1000);
        assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 4);
    }
}

#[tokio::test]
async fn where_nothing_is_scheduled_it_is_taken_or_refused() {
    for (how, status) in [(Ignored::Ignored, 200), (Ignored::Refused, 400)] {
        let bench = Bench::new(Config::still().settings(|s| s.cancel_nothing = how)).await;
        assert_eq!(bench.cancel(Kind::Cx).await.0, status, "{how:?}");
        bench.scheduled().await;
        assert_eq!(bench.cancel(Kind::Hp).await.0, status, "nor is another type's");
        assert_eq!(bench.cancel(Kind::Cx).await.0, 200);
    }
}

#[tokio::test]
async fn groups_and_customers_are_spared_where_the_path_has_them() {
    let bench = Bench::new(Config::still()).await;
    let at = bench.now() + 3600;
    let wanted = Wanted::new(Kind::Cx, VERSION_NEW).at(at);
    let scheduled = || {
        let of = |customer| bench.central.in_stage(customer, Kind::Cx, Stage::Scheduled).unwrap();
        (of(CUSTOMER), of(CUSTOMER_2))
    };
    for (path, body, left) in [
        (V1, json!({"device_type": "CX", "exclude_groups": "[\"TestGroup1\"]"}), (2, 4)),
        (ALL_V1, json!({"device_type": "CX", "exclude_groups": "[\"TestGroup1\"]"}), (2, 2)),
        (
            ALL_V1,
            json!({"device_type": "CX", "exclude_groups": "[\"TestGroup1\"]", "exclude_customers": "[\"4d1c0000\"]"}),
            (4, 2),
        ),
        (ALL_V2, json!({"device_type": "CX", "exclude_customers": "[\"4d1c0001\"]"}), (0, 4)),
    ] {
        for customer in [CUSTOMER, CUSTOMER_2] {
            bench.central.start_elsewhere(customer, &wanted).unwrap();
        }
        assert_eq!(bench.cancel_by(path, body).await.0, 200);
        assert_eq!(scheduled(), left, "{path}");
    }
}

#[tokio::test]
async fn bodies_are_checked_by_path() {
    let bench = Bench::new(Config::still()).await;
    for (path, body, code) in [
        (V2, json!({}), "0005"),
        (V2, json!({"device_type": "AP"}), "0004"),
        (V2, json!({"device_type": "CX", "exclude_groups": "[]"}), "0003"),
        (V2, json!({"device_type": "CX", "exclude_customers": "[]"}), "0003"),
        (V1, json!({"device_type": "CX", "exclude_groups": ["TestGroup1"]}), "0004"),
        (V1, json!({"device_type": "CX", "exclude_customers": "[]"}), "0003"),
        (ALL_V2, json!({"device_type": "CX", "exclude_groups": "[]"}), "0003"),
        (ALL_V2, json!({"device_type": "CX", "exclude_customers": ["4d1c0000"]}), "0004"),
        (ALL_V1, json!({"device_type": "CX", "firmware_version": VERSION_NEW}), "0003"),
    ] {
        bench.refused(bench.request(Method::POST, path).json(&body), 400, code).await;
    }
    assert_eq!(bench.central.cancels(), []);
    assert_eq!(answer(bench.request(Method::DELETE, V2)).await.0, 405);
}

#[tokio::test]
async fn somebody_else_cancels_too() {
    let bench = Bench::new(Config::still()).await;
    bench.scheduled().await;
    assert_eq!(bench.central.cancel_elsewhere(CUSTOMER, Kind::Cx).unwrap(), 4);
    assert_eq!(bench.central.cancels()[0].user_agent, "somebody else");
    assert!(bench.central.cancel_elsewhere("nobody", Kind::Cx).is_err());
    bench.central.set(|s| s.cancel_nothing = Ignored::Refused);
    assert!(bench.central.cancel_elsewhere(CUSTOMER, Kind::Cx).is_err());
    assert_eq!(bench.central.log().requests().len(), 1, "that is no request");
}

#[tokio::test]
async fn a_cancel_whose_answer_is_lost_was_taken() {
    let bench = Bench::new(Config::still()).await;
    bench.scheduled().await;
    bench
        .central
        .faults()
        .add(Rule::new(Action::Drop { when: When::After }).on(cancels()).times(1));
    lost(bench.request(Method::POST, V2).json(&json!({"device_type": "CX"}))).await;
    assert_eq!(bench.stages(Kind::Cx, Stage::Scheduled), 0);
}
