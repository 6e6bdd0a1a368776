//! What an answer to a start proves, row by row.

use std::time::Duration;

use secrecy::SecretString;

use super::answers::What;
use super::answers::judge;
use super::failures::said_in;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::hush::Hush;
use crate::vendor::text;

fn of(status: u16, body: Option<&str>) -> Answer {
    judge(What::Install, status, None, body.map(str::as_bytes), &Hush::of([]))
}

fn error(status: u16, reason: u64) -> String {
    format!(r#"{{"http-status":{status},"reason":{reason},"message":"words","request-body":{{"ftp-server-password":"canary-ftp"}}}}"#)
}

/// The reason of an answer that says that nothing was taken.
fn not_taken(answer: &Answer) -> Option<NotTaken> {
    match answer {
        Answer::NotTaken { reason, message } => {
            assert!(!message.contains("canary"), "{message}");
            Some(*reason)
        }
        _ => None,
    }
}

#[test]
fn every_2xx_was_taken_and_only_a_uri_of_a_job_is_one() {
    let accepted = |job: Option<&str>| Answer::Accepted {
        job: job.map(str::to_owned),
    };
    let long = format!(r#"{{"job-uri":"/api/jobs/{}"}}"#, "a".repeat(101));
    for (status, body, job) in [
        (202, Some(r#"{"job-uri":"/api/jobs/7f3a-1"}"#), Some("/api/jobs/7f3a-1")),
        (200, Some(r#"{"job-uri":"/api/jobs/1","x":1}"#), Some("/api/jobs/1")),
        (202, Some(r#"{"job-uri":"/api/jobs/1","job-uri":"/api/jobs/2"}"#), None),
        (202, Some(r#"{"job-uri":"/api/jobs/"}"#), None),
        (202, Some(r#"{"job-uri":"/api/jobs/.."}"#), None),
        (202, Some(r#"{"job-uri":"/api/jobs/a b"}"#), None),
        (202, Some(r#"{"job-uri":"/api/jobs/1/operations/cancel"}"#), None),
        (202, Some(r#"{"job-uri":"/api/console/remote-firmware-updates/1"}"#), None),
        (202, Some(r#"{"job-uri":"https://other.example/api/jobs/1"}"#), None),
        (202, Some(r#"{"job-uri":7}"#), None),
        (202, Some(long.as_str()), None),
        (202, Some(r#"[{"job-uri":"/api/jobs/1"}]"#), None),
        (202, Some("<html>"), None),
        (204, Some(""), None),
        (202, None, None),
    ] {
        assert_eq!(of(status, body), accepted(job), "{status} {body:?}");
    }
}

#[test]
fn what_was_not_taken_is_told_by_status_and_reason_together() {
    for (status, reason, expected) in [
        (409, 1, NotTaken::Busy),
        (409, 2, NotTaken::Busy),
        (403, 4, NotTaken::Unauthorized),
        (403, 5, NotTaken::Unauthorized),
        (400, 356, NotTaken::AlreadyThere),
        (401, 0, NotTaken::Unauthorized),
    ] {
        assert_eq!(
            not_taken(&of(status, Some(&error(status, reason)))),
            Some(expected),
            "{status}.{reason}"
        );
        // The same reason of another status, or of a body that is about another status, means something else.
        if status != 401 {
            assert!(matches!(of(422, Some(&error(422, reason))), Answer::Rejected { .. }));
            assert!(matches!(of(status, Some(&error(500, reason))), Answer::Rejected { .. }));
        }
    }
    for body in [None, Some(""), Some("<html>")] {
        assert_eq!(not_taken(&of(401, body)), Some(NotTaken::Unauthorized));
        let pause = Some(Duration::from_secs(9));
        let throttled = judge(What::Install, 429, pause, body.map(str::as_bytes), &Hush::of([]));
        assert_eq!(not_taken(&throttled), Some(NotTaken::Throttled { retry_after: pause }));
    }
}

#[test]
fn every_other_4xx_is_a_refusal_whatever_its_body() {
    for (status, reason) in [
        (400, 0),
        (400, 14),
        (400, 355),
        (403, 0),
        (403, 1),
        (403, 6),
        (404, 1),
        (409, 3),
        (409, 356),
        (422, 356),
    ] {
        for body in [
            Some(error(status, reason)),
            Some(String::new()),
            Some("<html>canary</html>".to_owned()),
            None,
        ] {
            let Answer::Rejected { message } = of(status, body.as_deref()) else {
                panic!("{status} {body:?}")
            };
            assert!(message.contains(&status.to_string()) && !message.contains("canary"), "{message}");
        }
    }
    let Answer::Rejected { message } = of(403, Some(&error(403, 1))) else {
        panic!()
    };
    assert!(message.contains("Single Step Console Internal Code"), "{message}");
    // Reasons that are there twice, or that are no numbers, are none.
    for body in [r#"{"reason":1,"reason":2}"#, r#"{"reason":"1"}"#, r#"{"reason":-1}"#, "[]"] {
        assert!(matches!(of(409, Some(body)), Answer::Rejected { .. }), "{body}");
    }
}

#[test]
fn what_proves_nothing_is_lost_even_if_its_body_says_otherwise() {
    for status in [100, 101, 199, 301, 302, 307, 308, 408, 500, 501, 502, 503, 504, 599] {
        let denials = [
            error(status, 1),
            error(409, 1),
            error(400, 356),
            r#"{"job-uri":"/api/jobs/1"}"#.to_owned(),
        ];
        for body in denials
            .iter()
            .map(|body| Some(body.as_str()))
            .chain([Some("<html>canary</html>"), None])
        {
            let Answer::Lost { message } = of(status, body) else {
                panic!("{status} {body:?}")
            };
            assert!(message.contains(&status.to_string()) && !message.contains("canary"), "{message}");
        }
    }
}

#[test]
fn words_that_quote_a_secret_are_left_out_and_change_no_verdict() {
    let hush = Hush::of([SecretString::from("canary-ftp")]);
    let body = r#"{"reason":7,"message":"ftp-server-password canary-ftp is refused"}"#;
    let Answer::Rejected { message } = judge(What::Install, 400, None, Some(body.as_bytes()), &hush) else {
        panic!()
    };
    assert_eq!(message, "the HMC refused the install with 400 (400.7)");
}

#[test]
fn an_authorization_was_taken_only_with_a_token_that_can_be_read_and_without_one_is_in_doubt() {
    let of = |issued, status, body: Option<&str>| judge(What::Authorize { issued }, status, None, body.map(str::as_bytes), &Hush::of([]));
    assert_eq!(of(true, 200, Some("{}")), Answer::Accepted { job: None });
    assert_eq!(of(true, 200, Some(r#"{"job-uri":"/api/jobs/1"}"#)), Answer::Accepted { job: None });
    assert!(
        matches!(of(false, 200, Some("{}")), Answer::Lost { .. }),
        "a token may have been issued"
    );
    assert!(matches!(of(false, 500, None), Answer::Lost { .. }));
    assert_eq!(not_taken(&of(false, 409, Some(&error(409, 1)))), Some(NotTaken::Busy));
    assert_eq!(not_taken(&of(false, 403, Some(&error(403, 5)))), Some(NotTaken::Unauthorized));
    let at_bundle = of(false, 400, Some(&error(400, 356)));
    assert!(matches!(at_bundle, Answer::Rejected { .. }), "a word about installs: {at_bundle:?}");
    let Answer::Rejected { message } = of(false, 403, Some(&error(403, 1))) else {
        panic!("403.1 refuses")
    };
    assert!(message.contains("needs the task Manage Remote Firmware Updates"), "{message}");
}

#[test]
fn words_with_the_codes_in_front_of_them_are_no_longer_than_any_others() {
    let body = serde_json::json!({"http-status": 400, "reason": 7, "message": "ä".repeat(600)}).to_string();
    let said = said_in(400, Some(body.as_bytes()), &Hush::of([]));
    assert!(said.starts_with("400.7: ää") && said.chars().count() == text::LONGEST, "{said}");
}
