//! Starts: what is taken, what is counted, and what is told of it.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::aruba::{
    CUSTOMER, CUSTOMER_2, Config, Downgrade, Kind, NothingToDo, PastSchedule, RECOMMENDED, SecondStart, Stage, StartAnswer, VERSION_NEW,
    VERSION_NEWER, VERSION_OLD, Wanted, cancel_path, start_path, starts, starts_of, target,
};
use super::super::super::faults::Copied;
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Bench, answer, order, order_with};

#[tokio::test]
async fn a_start_is_taken_with_a_text_counted_and_moves_the_devices() {
    let bench = Bench::new(Config::still()).await;
    let at = bench.now() + 120;
    bench
        .started(order_with(
            &json!({"firmware_scheduled_at": at, "exclude_groups": "[\"TestGroup2\"]"}),
        ))
        .await;
    let starts = bench.central.starts(CUSTOMER, Kind::Cx);
    assert_eq!(starts.len(), 1);
    let start = &starts[0];
    assert_eq!(
        (start.target.as_str(), start.version.as_str(), start.user_agent.as_str()),
        ("customer/4d1c0000/CX", VERSION_NEW, "checks/1")
    );
    assert_eq!(
        start.options,
        json!({"firmware_scheduled_at": at, "reboot": true, "exclude_groups": ["TestGroup2"], "devices": 2})
    );
    let entry = &bench.central.log().requests()[0];
    assert_eq!((entry.start, entry.number, entry.session), (true, start.request, true));
    bench.advance(120 + 300 + 3 * 10 + 240);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.at(Kind::Cx, VERSION_OLD)), (2, 2));
    assert_eq!(bench.at(Kind::Hp, Kind::Hp.version_old()), 4, "nor does another type move");
    assert_eq!(bench.central.at_version(CUSTOMER_2, Kind::Cx, VERSION_OLD).unwrap(), 4);
    assert!(bench.central.log().duplicates().is_empty());
}

#[tokio::test]
async fn a_start_without_a_version_takes_each_model_to_its_own() {
    let config = Config::still().estate(|e| (e.models, e.sizes.cx) = (3, 6));
    let bench = Bench::new(config).await;
    bench.started(order_with(&json!({"firmware_version": null}))).await;
    assert_eq!(bench.central.log().committed()[0].version, RECOMMENDED);
    bench.central.recommend(Kind::Cx, None, VERSION_OLD).unwrap();
    bench.advance(1000);
    for version in ["10.12.1020", VERSION_NEW, VERSION_NEWER] {
        assert_eq!(bench.at(Kind::Cx, version), 2, "{version}: as it was recommended then");
    }
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_counted_and_one_that_never_arrived_is_not() {
    let bench = Bench::new(Config::still()).await;
    for (when, count) in [(When::Before, 0), (When::After, 1)] {
        bench.central.faults().add(Rule::new(Action::Drop { when }).on(starts()).times(1));
        lost(bench.start_request(&order())).await;
        assert_eq!(bench.starts(), count, "{when:?}");
    }
    assert_eq!(bench.stages(Kind::Cx, Stage::Downloading), 4);
}

#[tokio::test]
async fn a_request_that_is_delivered_twice_is_counted_twice() {
    let bench = Bench::new(Config::still()).await;
    bench
        .central
        .faults()
        .add(Rule::new(Action::Duplicate { answer: Copied::default() }).on(starts()).times(1));
    bench.started(order()).await;
    let twice = bench.central.log().committed();
    assert_eq!((twice.len(), twice[0].request), (2, twice[1].request));
    assert_eq!(bench.central.log().duplicates().len(), 1);
}

#[tokio::test]
async fn a_second_start_replaces_the_first_or_is_taken_for_nothing_or_refused() {
    for (second, status, count) in [
        (SecondStart::Replaces, 200, 2),
        (SecondStart::Ignored, 200, 2),
        (SecondStart::Refused, 400, 1),
    ] {
        let bench = Bench::new(Config::still().settings(|s| s.second_start = second)).await;
        bench.started(order()).await;
        let again = order_with(&json!({"firmware_version": VERSION_NEWER}));
        let (got, body) = answer(bench.start_request(&again)).await;
        assert_eq!((got, bench.starts()), (status, count), "{second:?}: {body}");
        bench.advance(1000);
        let newer = if second == SecondStart::Replaces { 4 } else { 0 };
        assert_eq!(
            (bench.at(Kind::Cx, VERSION_NEWER), bench.at(Kind::Cx, VERSION_NEW)),
            (newer, 4 - newer)
        );
        assert_eq!(
            answer(bench.start_request(&again)).await.0,
            200,
            "{second:?}: once it is over there is none under way"
        );
    }
}

#[tokio::test]
async fn a_start_of_an_excluded_group_and_of_the_others_do_not_meet() {
    let bench = Bench::new(Config::still().settings(|s| s.second_start = SecondStart::Refused)).await;
    bench.started(order_with(&json!({"exclude_groups": "[\"TestGroup1\"]"}))).await;
    bench.started(order_with(&json!({"exclude_groups": "[\"TestGroup2\"]"}))).await;
    bench.advance(1000);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 4);
    assert_eq!(bench.central.log().duplicates().len(), 1, "the log cannot know that these are two");
}

#[tokio::test]
async fn the_answer_to_a_start_has_the_form_that_is_set() {
    let bench = Bench::new(Config::still()).await;
    for (n, (form, status, body)) in (1..).zip([
        (StartAnswer::Text, 200, json!("Firmware upgrade initiated")),
        (StartAnswer::EmptyText, 200, json!("")),
        (StartAnswer::Object, 200, json!({"status": "success"})),
        (StartAnswer::Null, 200, Value::Null),
        (StartAnswer::Empty, 200, Value::Null),
        (StartAnswer::Created, 201, json!("Firmware upgrade initiated")),
        (StartAnswer::Accepted, 202, json!("Firmware upgrade initiated")),
        (StartAnswer::NoContent, 204, Value::Null),
    ]) {
        bench.central.set(|s| s.start_answer = form);
        assert_eq!(answer(bench.start_request(&order())).await, (status, body), "{form:?}");
        assert_eq!(bench.starts(), n);
    }
    bench.central.set(|s| s.start_answer = StartAnswer::Page);
    let page = bench.start_request(&order()).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), &page.headers()["content-type"]),
        (200, &"text/html".parse().unwrap())
    );
}

#[tokio::test]
async fn nothing_to_do_is_taken_or_refused() {
    for (nothing, status, count) in [
        (NothingToDo::Taken, 200, 2),
        (NothingToDo::Refused, 400, 0),
        (NothingToDo::NotFound, 404, 0),
    ] {
        let config = Config::still().settings(|s| s.nothing_to_do = nothing).estate(|e| e.sizes.mas = 0);
        let bench = Bench::new(config).await;
        for body in [
            order_with(&json!({"firmware_version": VERSION_OLD})),
            json!({"device_type": "MAS", "reboot": true}),
        ] {
            assert_eq!(answer(bench.start_request(&body)).await.0, status, "{nothing:?} {body}");
        }
        assert_eq!(bench.starts(), count);
        let devices = bench
            .central
            .log()
            .committed()
            .iter()
            .map(|start| start.options["devices"].clone())
            .collect::<Vec<_>>();
        assert!(devices.iter().all(|n| *n == 0), "{devices:?}");
    }
}

#[tokio::test]
async fn an_older_version_is_gone_to_or_skipped_or_refused() {
    for (downgrade, status, at_new) in [
        (Downgrade::Taken, 200, 0),
        (Downgrade::Skipped, 200, 2),
        (Downgrade::Refused, 400, 2),
    ] {
        let config = Config::still().settings(|s| s.downgrade = downgrade).estate(|e| e.new_every = 2);
        let bench = Bench::new(config).await;
        let body = order_with(&json!({"firmware_version": "10.12.1020"}));
        assert_eq!(answer(bench.start_request(&body)).await.0, status, "{downgrade:?}");
        bench.advance(1000);
        let between = match downgrade {
            Downgrade::Taken => 4,
            Downgrade::Skipped => 2,
            Downgrade::Refused => 0,
        };
        assert_eq!(
            (bench.at(Kind::Cx, VERSION_NEW), bench.at(Kind::Cx, "10.12.1020")),
            (at_new, between)
        );
    }
}

#[tokio::test]
async fn a_time_that_is_past_means_at_once_or_is_refused() {
    for (past, status) in [(PastSchedule::AtOnce, 200), (PastSchedule::Refused, 400)] {
        let bench = Bench::new(Config::still().settings(|s| s.past_schedule = past)).await;
        let body = order_with(&json!({"firmware_scheduled_at": bench.now() - 1}));
        assert_eq!(answer(bench.start_request(&body)).await.0, status, "{past:?}");
        let moving = if status == 200 { 4 } else { 0 };
        assert_eq!(bench.stages(Kind::Cx, Stage::Downloading), moving);
        bench.started(order_with(&json!({"firmware_scheduled_at": bench.now()}))).await;
    }
}

#[tokio::test]
async fn what_somebody_else_begins_moves_the_devices_and_is_not_counted() {
    let bench = Bench::new(Config::still()).await;
    let wanted = Wanted::new(Kind::Cx, VERSION_NEW).at(bench.now() + 60).without("TestGroup1");
    assert_eq!(bench.central.start_elsewhere(CUSTOMER, &wanted).unwrap(), 2);
    assert!(bench.central.start_elsewhere("no-such", &wanted).is_err());
    assert!(bench.central.start_elsewhere(CUSTOMER, &Wanted::new(Kind::Cx, "1.2.3")).is_err());
    let elsewhere = bench.central.log().elsewhere();
    assert_eq!((elsewhere.len(), elsewhere[0].target.clone()), (1, target(CUSTOMER, Kind::Cx)));
    assert_eq!((bench.starts(), bench.stages(Kind::Cx, Stage::Scheduled)), (0, 2));
    bench.advance(1000);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 2);
}

#[tokio::test]
async fn only_the_path_of_a_start_counts_as_one() {
    let bench = Bench::new(Config::still()).await;
    let rule = bench
        .central
        .faults()
        .add(Rule::new(Action::Drop { when: When::Before }).on(starts_of(CUSTOMER_2)));
    let body = json!({"device_type": "CX"});
    for path in [
        cancel_path(CUSTOMER),
        "/firmware/v1/msp/upgrade/customers/4d1c0000/cancel".to_owned(),
        "/firmware/v1/msp/upgrade/cancel".to_owned(),
    ] {
        assert_eq!(answer(bench.request(Method::POST, &path).json(&body)).await.0, 200, "{path}");
    }
    assert_eq!(answer(bench.request(Method::GET, &start_path(CUSTOMER))).await.0, 405);
    bench.started(order()).await;
    assert!(bench.central.log().requests().iter().filter(|entry| entry.start).count() == 1);
    assert_eq!(bench.central.faults().hits(rule).unwrap(), 0);
    lost(bench.request(Method::POST, &start_path(CUSTOMER_2)).json(&order())).await;
    assert_eq!((bench.central.faults().hits(rule).unwrap(), bench.starts()), (1, 1));
}
