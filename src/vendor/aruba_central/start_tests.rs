//! Whole starts: what is read before one, what it carries, and how often it is sent.

use std::time::Duration;

use jiff::Timestamp;

use super::testing::*;
use super::*;
use crate::clock::Clock;
use crate::controller::permit::StartPermit;
use crate::lease::Leadership;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::http::NotSent;
use crate::vendor::http::testing::*;

const AT: i64 = 1_795_900_123;

fn order_with(version: &str, reboot: Option<bool>, groups: &[&str]) -> Order {
    Order {
        version: version.to_owned(),
        options: Options::Customer {
            reboot,
            exclude_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            allow_downgrade: false,
        },
        scheduled_at: Some(Timestamp::from_second(AT).unwrap()),
    }
}

fn order() -> Order {
    order_with(NEW, Some(true), &[])
}

fn permit(target: &TargetKey, order: Order) -> StartPermit {
    StartPermit::for_test(
        target.clone(),
        order,
        Duration::from_mins(1),
        Leadership::for_test(true),
        Clock::system(),
    )
}

/// One start of this order, answered like this.
async fn started(type_: &str, order: Order, answer: Act) -> (Server, ArubaCentral, Answer) {
    let (server, client) = ready(move |r| (call(r) == START).then(|| answer.clone())).await;
    let target = TargetKey::customer(server.authority(), CUSTOMER, type_);
    let ready = client.prepare(&target, &order).await.unwrap();
    let answer = ready.start(permit(&target, order)).await.unwrap().answer_for_test();
    (server, client, answer)
}

fn taken() -> Act {
    json(200, r#""Firmware upgrade initiated""#)
}

#[tokio::test]
async fn a_start_carries_exactly_what_was_asked_for_and_is_one_request() {
    let all = |more: &str| format!(r#"{{"device_type":"CX","firmware_scheduled_at":{AT}{more}}}"#);
    for (type_, order, body) in [
        ("CX", order(), all(r#","firmware_version":"10.13.1010","reboot":true"#)),
        (
            "CX",
            order_with(NEW, Some(false), &["Lab", "Q\"x"]),
            all(r#","firmware_version":"10.13.1010","reboot":false,"exclude_groups":"[\"Lab\",\"Q\\\"x\"]""#),
        ),
        ("CX", order_with(RECOMMENDED, Some(true), &[]), all(r#","reboot":true"#)),
        (
            "IAP",
            order_with("8.10.0.12_90066", None, &[]),
            format!(r#"{{"device_type":"IAP","firmware_scheduled_at":{AT},"firmware_version":"8.10.0.12_90066"}}"#),
        ),
    ] {
        let (server, _, answer) = started(type_, order, taken()).await;
        assert_eq!(answer, Answer::Accepted { job: None });
        server.settled().await;
        let request = server.requests().pop().unwrap();
        let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&request.body), value(body.as_bytes()));
        assert_eq!((call(&request).as_str(), query(&request).as_str()), (START, ""));
        assert_eq!(request.header("authorization"), Some("Bearer canary-access-1"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert!(request.header("user-agent").unwrap().contains("arubacentral-"));
        assert_eq!(count(&server, START), 1);
    }
}

#[tokio::test]
async fn a_start_is_prepared_by_a_token_a_question_about_the_version_and_a_fresh_look() {
    let (server, _, _) = started("CX", order(), taken()).await;
    assert_eq!(
        calls(&server),
        [TOKEN, DEVICES, VERSIONS, DEVICES, START],
        "the first look of all learns the models"
    );
    let (server, _, _) = started("CX", order_with(RECOMMENDED, Some(true), &[]), taken()).await;
    assert_eq!(calls(&server), [TOKEN, DEVICES, START], "what is recommended stands on the rows");
}

#[tokio::test]
async fn a_start_is_never_sent_again_whatever_comes_of_it() {
    for (act, expected) in [
        (invalid_token(), "NotTaken"),
        (json(429, r#"{"message":"API rate limit exceeded"}"#), "NotTaken"),
        (error(403, "0001", "Forbidden"), "Rejected"),
        (error(404, "0001", "Not found"), "Rejected"),
        (error(400, "0004", "Invalid value (firmware_version)"), "Rejected"),
        (json(413, "{}"), "Rejected"),
        (json(417, "{}"), "Rejected"),
        (json(500, "{}"), "Lost"),
        (json(502, "{}"), "Lost"),
        (json(503, "{}"), "Lost"),
        (Act::Send(raw(302, &[("location", "/")], "")), "Lost"),
        (Act::SendAndClose(Vec::new()), "Lost"),
        (Act::SendAndClose(b"HTTP/1.1 20".to_vec()), "Lost"),
    ] {
        let shown = format!("{act:?}");
        let (server, client, answer) = started("CX", order(), act).await;
        assert!(format!("{answer:?}").starts_with(expected), "{shown}: {answer:?}");
        server.settled().await;
        client.observe(&target(&server), &Scope::default()).await;
        assert_eq!(count(&server, START), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_token_that_a_start_was_refused_with_is_not_used_again() {
    let (server, client, answer) = started("CX", order(), invalid_token()).await;
    let refused = matches!(
        answer,
        Answer::NotTaken {
            reason: NotTaken::Unauthorized,
            ..
        }
    );
    assert!(refused, "{answer:?}");
    let looks = count(&server, DEVICES);
    let sight = client.observe(&target(&server), &Scope::default()).await;
    assert!(!sight.seen(), "another pair is half an hour away");
    assert_eq!((count(&server, DEVICES), count(&server, TOKEN)), (looks, 1));
}

#[tokio::test]
async fn a_pause_that_a_start_is_asked_for_is_told_and_capped() {
    let limit = |fields: &[(&str, &str)]| Act::Send(raw(429, fields, r#"{"message":"API rate limit exceeded"}"#));
    for (act, least, most) in [
        (limit(&[("retry-after", "90")]), 90, 90),
        (limit(&[("retry-after", "86400")]), 3600, 3600),
        (
            limit(&[("x-ratelimit-limit-day", "5000"), ("x-ratelimit-remaining-day", "0")]),
            0,
            3600,
        ),
    ] {
        let (_, client, answer) = started("CX", order(), act).await;
        let Answer::NotTaken {
            reason: NotTaken::Throttled { retry_after: Some(after) },
            ..
        } = answer
        else {
            panic!("{answer:?}")
        };
        assert!((least..=most).contains(&after.as_secs()), "{after:?}");
        drop(client);
    }
    let (_, _, answer) = started("CX", order(), limit(&[])).await;
    assert!(matches!(
        answer,
        Answer::NotTaken {
            reason: NotTaken::Throttled { retry_after: None },
            ..
        }
    ));
}

#[tokio::test]
async fn a_start_that_is_not_the_one_that_was_prepared_or_cannot_be_said_is_not_sent() {
    let (server, client) = ready(|_| None).await;
    let target = target(&server);
    let cluster = crate::vendor::http::testing::permit(server.authority(), "domain-c8");
    let unsent = client.prepare(&target, &order()).await.unwrap().start(cluster).await.unwrap_err();
    assert!(matches!(unsent.why, NotSent::WrongTarget { .. }));
    unsent.permit.give_up_for_test();

    let without_time = Order {
        scheduled_at: None,
        ..order()
    };
    let far = Order {
        scheduled_at: Some(Timestamp::from_second(1 << 31).unwrap()),
        ..order()
    };
    let of_another = Order {
        options: Options::Appliance,
        ..order()
    };
    for (prepared, asked) in [
        (order(), order_with("10.13.1040", Some(true), &[])),
        (order(), order_with(NEW, Some(true), &["Lab"])),
        (order(), order_with(NEW, Some(false), &[])),
        (without_time.clone(), without_time),
        (far.clone(), far),
        (of_another.clone(), of_another),
    ] {
        let ready = client.prepare(&target, &prepared).await.unwrap();
        let unsent = ready.start(permit(&target, asked)).await.unwrap_err();
        assert!(matches!(unsent.why, NotSent::NoRequest(_)), "{:?}", unsent.why);
        unsent.permit.give_up_for_test();
    }
    let iap = TargetKey::customer(server.authority(), CUSTOMER, "IAP");
    let ready = client.prepare(&iap, &order()).await.unwrap();
    let unsent = ready.start(permit(&iap, order())).await.unwrap_err();
    assert!(unsent.why.to_string().contains("does not apply to IAP"), "{}", unsent.why);
    unsent.permit.give_up_for_test();
    assert!(client.prepare(&TargetKey::console(server.authority()), &order()).await.is_err());
    assert_eq!(count(&server, START), 0);
}

#[tokio::test]
async fn only_the_time_may_be_decided_anew_between_preparing_and_starting() {
    let (server, client) = ready(|_| None).await;
    let target = target(&server);
    let earlier = Order {
        scheduled_at: Some(Timestamp::from_second(AT - 20).unwrap()),
        ..order()
    };
    let ready = client.prepare(&target, &earlier).await.unwrap();
    let _ = ready.start(permit(&target, order())).await.unwrap().answer_for_test();
    let body: serde_json::Value = serde_json::from_slice(&server.requests().pop().unwrap().body).unwrap();
    assert_eq!(body["firmware_scheduled_at"], AT, "what the receipt says");
}

#[tokio::test]
async fn a_day_without_calls_prepares_nothing_and_is_no_failure_of_anybody() {
    let server = central(&Issuer::with("seed"), |_| None).await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.per_day = 1;
    let client = parts.client(&server);
    let error = client.prepare(&target(&server), &order()).await.err().unwrap();
    assert!(matches!(error, VendorError::QuotaUsedUp { .. }), "{error}");
    assert_eq!(count(&server, START), 0);
}

#[tokio::test]
async fn a_start_waits_for_its_answer_as_long_as_it_may_take_and_then_it_is_lost() {
    let server = central(&Issuer::with("seed"), |r| (call(r) == START).then_some(Act::Hang)).await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.timing.start_timeout_central = Duration::from_millis(300);
    let client = parts.client(&server);
    let ready = client.prepare(&target(&server), &order()).await.unwrap();
    let answer = ready.start(permit(&target(&server), order())).await.unwrap().answer_for_test();
    assert!(
        matches!(&answer, Answer::Lost { message } if message.contains("no answer in time")),
        "{answer:?}"
    );
}

#[test]
fn the_request_is_described_without_secrets() {
    let authority = crate::upgrade::target::Authority::from_url("https://central.example").unwrap();
    let target = TargetKey::customer(authority, CUSTOMER, "CX");
    for (order, expected) in [
        (
            order_with(NEW, Some(true), &["Lab"]),
            format!("{START} device_type=CX firmware_version={NEW} firmware_scheduled_at={AT} reboot=true exclude_groups=[\"Lab\"]"),
        ),
        (
            order_with(RECOMMENDED, None, &[]),
            format!("{START} device_type=CX firmware_scheduled_at={AT}"),
        ),
    ] {
        assert_eq!(describe_request(&target, &order), expected);
        assert_eq!(crate::vendor::describe_request(&target, &order), expected);
    }
}

#[tokio::test]
async fn a_401_about_one_customer_never_ends_the_token_of_all() {
    let answers = |body: &'static str| ready(move |r| (call(r) == DEVICES).then(|| json(401, body)));
    let (server, client) = answers(r#"{"description":"Unauthorized tenant","error_code":"0001","service_name":"firmware"}"#).await;
    let sight = client.observe(&target(&server), &Scope::default()).await;
    assert!(!sight.seen() && count(&server, DEVICES) == 1, "{sight:?}");
    assert_eq!(count(&server, TOKEN), 1, "the token that it has is as good as before");
    let (server, client) = answers(r#"{"error":"invalid_token"}"#).await;
    for _ in 0..2 {
        assert!(!client.observe(&target(&server), &Scope::default()).await.seen());
    }
    assert_eq!(count(&server, DEVICES), 1, "that is about the token, which nobody sends again");
}

#[tokio::test]
async fn a_start_is_not_prepared_where_its_look_did_not_tell_who_is_left_alone() {
    let (server, client) = ready(|r| r.target.contains("group=Lab").then(|| json(500, "{}"))).await;
    let order = order_with(NEW, Some(true), &["Lab"]);
    let Err(refused) = client.prepare(&target(&server), &order).await else {
        panic!("nothing is prepared")
    };
    assert!(refused.to_string().contains("group Lab"), "{refused}");
}
