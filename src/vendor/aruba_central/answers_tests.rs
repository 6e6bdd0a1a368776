//! What an answer to a start proves, row by row.

use std::time::Duration;

use super::answers::judge;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::hush::Hush;

fn of(status: u16, body: Option<&str>) -> Answer {
    judge(status, None, body.map(str::as_bytes), &Hush::of([]))
}

fn error(code: &str, description: &str) -> String {
    format!(r#"{{"description":"{description}","error_code":"{code}","service_name":"Firmware"}}"#)
}

fn rejected(status: u16, body: &str) -> String {
    match of(status, Some(body)) {
        Answer::Rejected { message } => message,
        other => panic!("{status} {body}: {other:?}"),
    }
}

#[test]
fn every_2xx_was_taken_whatever_is_in_it_and_there_is_no_job() {
    for body in [
        Some("\"Firmware upgrade initiated\""),
        Some("\"\""),
        Some("{}"),
        Some("null"),
        Some("<html>"),
        Some(""),
        None,
    ] {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, body), Answer::Accepted { job: None }, "{status} {body:?}");
        }
    }
}

#[test]
fn a_401_and_a_429_prove_that_nothing_was_taken() {
    for body in [
        None,
        Some(""),
        Some(r#"{"error":"invalid_token","error_description":"expired"}"#),
        Some("<html>"),
    ] {
        assert!(matches!(
            of(401, body),
            Answer::NotTaken {
                reason: NotTaken::Unauthorized,
                ..
            }
        ));
        let pause = Some(Duration::from_secs(9));
        let throttled = judge(429, pause, body.map(str::as_bytes), &Hush::of([]));
        let Answer::NotTaken { reason, message } = throttled else {
            panic!("{throttled:?}")
        };
        assert_eq!(reason, NotTaken::Throttled { retry_after: pause });
        assert!(message.contains("too many calls"), "{message}");
    }
}

#[test]
fn no_3xx_408_or_5xx_proves_anything_however_it_is_put() {
    for status in [300, 302, 307, 408, 500, 502, 503, 504, 599, 100, 0] {
        for body in [None, Some("{}"), Some(error("0004", "Invalid value").as_str())] {
            assert!(matches!(of(status, body), Answer::Lost { .. }), "{status}");
        }
    }
}

#[test]
fn each_refusal_that_is_documented_has_its_own_words() {
    let mut seen = std::collections::BTreeSet::new();
    for (status, body, says, does) in [
        (400, error("0001", "General error"), "400 (0001: General error)", "general error"),
        (
            400,
            error("0003", "Unsupported query combination"),
            "400 (0003",
            "do not go together",
        ),
        (
            400,
            error("0004", "Invalid value (firmware_version)"),
            "400 (0004: Invalid value (firmware_version))",
            "check version",
        ),
        (400, error("0005", "Missing required parameter"), "400 (0005", "missing"),
        (403, error("0001", "Forbidden"), "403 (0001", "role"),
        (
            404,
            error("0001", "Not found"),
            "404 (0001",
            "no such customer, or this Central does not have",
        ),
        (
            413,
            r#"{"message":"Request size limit exceeded"}"#.to_owned(),
            "413 (Request size",
            "fewer groups",
        ),
        (417, "{}".to_owned(), "417 (JSON, 2 bytes", "expects"),
        (405, "<html>x</html>".to_owned(), "405 (HTML", "no such customer, or"),
        (409, "{}".to_owned(), "409 (JSON", ""),
    ] {
        let message = rejected(status, &body);
        assert!(message.contains(says) && message.contains(does), "{message}");
        assert!(
            seen.insert(message.split_once(')').map_or(message.clone(), |(_, rest)| rest.to_owned())) || does == "no such customer, or"
        );
    }
}

#[test]
fn a_refusal_whose_body_broke_off_is_still_one() {
    assert!(matches!(of(404, None), Answer::Rejected { .. }));
}
