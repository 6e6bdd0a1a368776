//! Offers, whole starts, and what an answer to one proves.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::answers::judge;
use super::session::HEADER;
use super::session_tests::*;
use super::*;
use crate::clock::Clock;
use crate::controller::permit::Order;
use crate::controller::permit::StartPermit;
use crate::lease::Leadership;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Offered;
use crate::upgrade::target::Authority;
use crate::vendor::http::NotSent;
use crate::vendor::http::testing::*;

const VERSION: &str = "9.0.2-10455";
const RETRIEVE: &str = "POST /appliance/update-manager/actions/retrieve-updates";
const INSTALL: &str = "POST /appliance/update-manager/updates/9.0.2-10455/actions/install";
const TASKS: &str = "GET /tasks?limit=100&offset=0";

pub(super) fn retrieved(result: &str) -> String {
    format!(
        r#"{{"id":"w1","type":"retrieveUpdates","status":"SUCCESS","error":null,"progress":100,"result":{result},"start_time":null,"complete_time":null}}"#
    )
}

fn updates() -> String {
    retrieved(&format!(
        r#"{{"list":[{{"version":"{VERSION}","update_type":null,"severity":null,"summary":null,"eula":["x"]}}]}}"#
    ))
}

/// An appliance that offers one update; the start's answer is the test's.
fn serving(r: &Request, start: &Act) -> Act {
    appliance_or(r, |call| match call {
        RETRIEVE => json(202, r#"{"id":"w1","status":"QUEUED"}"#),
        "GET /tasks/w1" => json(200, &updates()),
        TASKS => page(&[r#"{"id":"t0","status":"SUCCESS"}"#, &updates()]),
        INSTALL => start.clone(),
        other => panic!("{other}"),
    })
}

async fn fake(start: Act) -> Server {
    Server::serve(move |r, _| serving(r, &start)).await
}

fn permit(server: &Server) -> StartPermit {
    let order = Order {
        version: VERSION.to_owned(),
        options: Options::Appliance,
        scheduled_at: None,
    };
    StartPermit::for_test(
        target(server),
        order,
        Duration::from_mins(1),
        Leadership::for_test(true),
        Clock::system(),
    )
}

#[tokio::test]
async fn a_start_has_a_witness_and_is_one_request_without_a_body() {
    let server = fake(json(202, r#"{"id":"job-7","status":"QUEUED","error":null,"result":null}"#)).await;
    let vc = client(&server);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    let sight = ready.sight();
    assert_eq!((sight.complete, &sight.motion), (true, &Motion::Still));
    assert_eq!(sight.offered, Offered::Versions(vec![VERSION.to_owned()]));
    let looks = sight.looks.as_ref().unwrap();
    let jobs = looks.jobs.as_ref().unwrap();
    assert_eq!(
        (looks.version.as_str(), jobs.witness.as_deref(), jobs.ids.len()),
        ("9.0.0-10010", Some("w1"), 2)
    );
    let sent = ready.start(permit(&server)).await.unwrap();
    assert_eq!(
        sent.answer_for_test(),
        Answer::Accepted {
            job: Some("job-7".to_owned())
        }
    );
    let request = server.requests().pop().unwrap();
    assert_eq!((call(&request).as_str(), request.body.len()), (INSTALL, 0));
    assert_eq!(
        (
            request.header(HEADER),
            request.header("content-length"),
            request.header("content-type")
        ),
        (Some("sesame"), Some("0"), None)
    );
    assert!(request.header("user-agent").unwrap().contains("recoveryappliance-"));
    server.settled().await;
    assert_eq!(
        calls(&server),
        [
            "POST /session",
            "GET /appliance",
            TASKS,
            RETRIEVE,
            "GET /tasks/w1",
            "GET /appliance",
            TASKS,
            INSTALL
        ]
    );
}

#[tokio::test]
async fn the_look_that_a_permit_lives_from_is_asked_after_the_updates_came() {
    let begun = Arc::new(AtomicUsize::new(0));
    let of = Arc::clone(&begun);
    let server = Server::serve(move |r, _| match call(r).as_str() {
        "GET /tasks/w1" if of.fetch_add(1, Ordering::Relaxed) < 4 => json(200, r#"{"id":"w1","status":"RUNNING"}"#),
        _ => serving(r, &json(500, "")),
    })
    .await;
    let timing = Timing {
        appliance_pause: Duration::from_millis(50),
        ..hasty()
    };
    let vc = client_with(&server, crate::vendor::credentials::Secrets::new([Ok("a")]), timing);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    assert!(ready.sight().asked.0 >= Duration::from_millis(50 * 6), "{:?}", ready.sight().asked);
    drop(ready);
}

#[tokio::test]
async fn no_updates_are_retrieved_while_a_start_is_prepared_and_they_are_kept_between_looks() {
    let server = fake(json(202, r#"{"id":"job-7","status":"QUEUED"}"#)).await;
    let vc = client(&server);
    let offered = || async { vc.list().await.unwrap().sights[APPLIANCE].offered.clone() };
    let versions = Offered::Versions(vec![VERSION.to_owned()]);
    assert_eq!(offered().await, versions);
    assert_eq!(offered().await, versions);
    vc.observe(&target(&server), None).await;
    assert_eq!(count(&server, RETRIEVE), 1);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    assert_eq!(
        count(&server, RETRIEVE),
        1,
        "one of a moment ago, whose task is still listed, is as good a witness"
    );
    assert_eq!(
        ready.sight().looks.as_ref().unwrap().jobs.as_ref().unwrap().witness.as_deref(),
        Some("w1")
    );
    vc.shared.forget_offers();
    assert_eq!(offered().await, Offered::Unasked);
    ready.start(permit(&server)).await.unwrap().answer_for_test();
    assert_eq!(count(&server, RETRIEVE), 1);
    assert_eq!(offered().await, versions);
    assert_eq!(count(&server, RETRIEVE), 2);
}

#[tokio::test]
async fn an_appliance_that_is_not_at_rest_is_only_looked_at() {
    let server = Server::serve(|r, _| {
        appliance_or(r, |call| match call {
            TASKS => {
                page(&[r#"{"id":"t9","status":"RUNNING","type":"installUpdate","description":"Installing 9.0.2-10455","progress":40}"#])
            }
            other => panic!("{other}"),
        })
    })
    .await;
    let vc = client(&server);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    let moving = Motion::Moving {
        toward: Some(VERSION.to_owned()),
        progress: Some(40),
    };
    assert_eq!((&ready.sight().motion, &ready.sight().offered), (&moving, &Offered::Unasked));
    drop(ready);
    let listing = vc.list().await.unwrap();
    assert_eq!((listing.complete, &listing.sights[APPLIANCE].motion), (true, &moving));
    assert_eq!(count(&server, RETRIEVE), 0);
}

#[tokio::test]
async fn what_cannot_be_retrieved_is_unavailable_and_starts_nothing() {
    let task = |body: &str| json(200, body);
    let rows: Vec<(Act, Act, &str)> = vec![
        (
            json(400, r#"{"error_code":"E4","message":"no repository"}"#),
            page(&[]),
            "E4: no repository",
        ),
        (json(403, r#"{"error_code":"E5"}"#), page(&[]), "answered 403"),
        (json(500, ""), page(&[]), "answered 500"),
        (json(202, "{}"), page(&[]), "without an id"),
        (json(202, "oops"), page(&[]), "gave no task"),
        (json(202, r#"{"id":"w1","status":"QUEUED"}"#), json(404, ""), "is gone"),
        (
            json(202, r#"{"id":"w1","status":"QUEUED"}"#),
            task(r#"{"id":"w1","status":"ERROR","error":{"message":"repository","details":null}}"#),
            "task w1 ERROR: repository",
        ),
        (
            json(202, r#"{"id":"w1","status":"QUEUED"}"#),
            task(r#"{"id":"w1","status":"CANCELLED","error":null}"#),
            "task w1 CANCELLED",
        ),
        (
            json(202, r#"{"id":"w1","status":"QUEUED"}"#),
            task(&retrieved("null")),
            "no list of updates",
        ),
        (
            json(202, r#"{"id":"w1","status":"QUEUED"}"#),
            task(&retrieved(r#"{"x":1}"#)),
            "no list of updates",
        ),
        (
            json(202, r#"{"id":"w1","status":"RUNNING"}"#),
            task(r#"{"id":"w1","status":"RUNNING"}"#),
            "does not end",
        ),
    ];
    for (post, get, says) in rows {
        let server = Server::serve(move |r, _| {
            appliance_or(r, |call| match call {
                RETRIEVE => post.clone(),
                "GET /tasks/w1" => get.clone(),
                _ => page(&[]),
            })
        })
        .await;
        let vc = client(&server);
        let ready = vc.prepare(&target(&server)).await.unwrap();
        let Offered::Unavailable { why } = &ready.sight().offered else {
            panic!("{says}")
        };
        assert!(why.contains(says) && ready.sight().complete, "{why}: {says}");
        assert_eq!(ready.sight().looks.as_ref().unwrap().jobs.as_ref().unwrap().witness, None);
        drop(ready);
        let Offered::Unavailable { why } = vc.list().await.unwrap().sights[APPLIANCE].offered.clone() else {
            panic!("{says}")
        };
        assert!(why.contains(says));
        assert_eq!(count(&server, RETRIEVE), 1, "that, too, is kept");
    }
}

#[tokio::test]
async fn a_start_that_is_not_ours_is_not_sent_and_a_failed_look_prepares_nothing() {
    let server = fake(json(202, "{}")).await;
    let vc = client(&server);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    let unsent = ready
        .start(super::super::http::testing::permit(server.authority(), "domain-c8"))
        .await
        .unwrap_err();
    assert!(matches!(unsent.why, NotSent::WrongTarget { .. }));
    unsent.permit.give_up_for_test();
    assert!(vc.prepare(&TargetKey::cluster(server.authority(), "domain-c8")).await.is_err());
    assert_eq!(count(&server, INSTALL), 0);
    let server = Server::serve(|r, _| match call(r).as_str() {
        "GET /appliance" => json(500, ""),
        _ => appliance_or(r, |_| page(&[])),
    })
    .await;
    assert_eq!(client(&server).prepare(&target(&server)).await.err().unwrap().label(), "transient");
}

#[tokio::test]
async fn a_401_to_a_start_is_not_sent_again_and_the_next_look_logs_in() {
    let server = fake(Act::Send(raw(401, &[], ""))).await;
    let vc = client(&server);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    let answer = ready.start(permit(&server)).await.unwrap().answer_for_test();
    let unauthorized = NotTaken::Unauthorized;
    assert!(matches!(answer, Answer::NotTaken { reason, .. } if reason == unauthorized));
    assert_eq!((count(&server, INSTALL), count(&server, "POST /session")), (1, 1));
    vc.observe(&target(&server), None).await;
    assert_eq!(count(&server, "POST /session"), 2);
}

#[tokio::test]
async fn a_start_waits_for_its_answer_as_long_as_an_appliance_may_take() {
    let server = fake(Act::Hang).await;
    let timing = Timing {
        start_timeout_appliance: Duration::from_millis(300),
        ..hasty()
    };
    let vc = client_with(&server, crate::vendor::credentials::Secrets::new([Ok("a")]), timing);
    let ready = vc.prepare(&target(&server)).await.unwrap();
    let answer = ready.start(permit(&server)).await.unwrap().answer_for_test();
    assert!(
        matches!(&answer, Answer::Lost { message } if message.contains("no answer in time")),
        "{answer:?}"
    );
}

#[test]
fn the_table_of_answers_row_by_row() {
    let error = r#"{"error_code":"E7","message":"not enough space","op_id":"6f9619ff"}"#;
    let words = "E7: operation 6f9619ff: not enough space";
    let of = |status, body: Option<&str>| judge(status, None, body.map(str::as_bytes));
    let task = r#"{"id":"t-1","status":"QUEUED","description":null}"#;
    let accepted = |job: Option<&str>| Answer::Accepted {
        job: job.map(str::to_owned),
    };
    for (status, body, job) in [
        (202, Some(task), Some("t-1")),
        (200, Some(task), Some("t-1")),
        (202, Some(r#"{"status":"QUEUED"}"#), None),
        (202, Some(r#"{"id":null,"status":"QUEUED"}"#), None),
        (202, Some(r#"{"id":"t-1","id":"t-2"}"#), None),
        (202, Some(r#"{"id":"a b"}"#), None),
        (202, Some(r#"[{"id":"t-1"}]"#), None),
        (202, Some("<html>"), None),
        (204, Some(""), None),
        (202, None, None),
    ] {
        assert_eq!(of(status, body), accepted(job), "{status} {body:?}");
    }
    for status in [400, 403, 404, 405, 409, 422] {
        let Answer::Rejected { message } = of(status, Some(error)) else {
            panic!("{status}")
        };
        assert!(message.contains(words) && message.contains(&status.to_string()), "{message}");
        assert!(matches!(of(status, Some("")), Answer::Rejected { .. }));
        assert!(matches!(of(status, None), Answer::Rejected { .. }), "the status line came whole");
    }
    for status in [101, 301, 307, 408, 500, 502, 503, 504, 599] {
        for body in [Some(error), Some(task), Some(""), None] {
            let Answer::Lost { message } = of(status, body) else {
                panic!("{status} {body:?}")
            };
            assert!(body != Some(error) || message.contains(words), "{message}");
        }
    }
    for body in [Some(error), Some(task), None] {
        assert!(matches!(
            of(401, body),
            Answer::NotTaken {
                reason: NotTaken::Unauthorized,
                ..
            }
        ));
        let pause = Some(Duration::from_secs(9));
        let throttled = judge(429, pause, body.map(str::as_bytes));
        assert!(matches!(throttled, Answer::NotTaken { reason: NotTaken::Throttled { retry_after }, .. } if retry_after == pause));
    }
}

#[test]
fn the_request_is_described_without_secrets() {
    let target = TargetKey::appliance(Authority::from_url("https://srm-a.example").unwrap());
    let order = Order {
        version: VERSION.to_owned(),
        options: Options::Appliance,
        scheduled_at: None,
    };
    let expected = "POST .../appliance/update-manager/updates/9.0.2-10455/actions/install";
    assert_eq!(describe_request(&target, &order), expected);
    assert_eq!(crate::vendor::describe_request(&target, &order), expected);
}
