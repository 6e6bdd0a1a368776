//! What an answer to a start proves: the rows for vCenter of `vendors.md` 5.1 and 5.2, as one pure function.
//!
//! The status line is judged first, the body second, in the order of the table. Whatever is not listed is [`Answer::Lost`]: in doubt.

use std::time::Duration;

use serde_json::Value;

use super::wire::ApiError;
use super::wire::Entries;
use super::wire::said;
use super::wire::sizeable;
use super::wire::texts;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::text::describe_body;
use crate::vendor::text::sanitize;

/// Judges the answer to `upgradeMultiple` with exactly this one cluster. `body` is `None` when not all of it came; `retry_after` is
/// what the vendor asked for, capped by the caller.
pub fn judge(cluster: &str, status: u16, retry_after: Option<Duration>, body: Option<&[u8]>) -> Answer {
    match status {
        // RFC 9110, 15.5.2: the request "has not been applied because it lacks valid authentication credentials".
        401 => not_taken(NotTaken::Unauthorized, 401, &said(body)),
        429 => not_taken(NotTaken::Throttled { retry_after }, 429, "it limits the rate of calls"),
        // A status line says who refused, but not why, when the body broke off: take the side that cannot end in a wrong verdict.
        400..=499 if status != 408 => match body {
            Some(body) => refused(status, body),
            None => lost(&format!("vCenter answered {status} with {}", said(None))),
        },
        200 => match body {
            Some(body) => result_of(cluster, body),
            None => lost(&format!("vCenter answered 200 with {}", said(None))),
        },
        _ => lost(&format!("vCenter answered {status} ({})", said(body))),
    }
}

/// A 4xx, by `error_type`: the vendor's busy words come with status 400 (vmware-vapi-runtime's map), so the status does not decide.
fn refused(status: u16, body: &[u8]) -> Answer {
    let error = ApiError::read(body).unwrap_or_default();
    match error.error_type.as_deref() {
        Some("RESOURCE_BUSY" | "NOT_ALLOWED_IN_CURRENT_STATE" | "CONCURRENT_CHANGE") => {
            not_taken(NotTaken::Busy, status, &said(Some(body)))
        }
        Some("ALREADY_IN_DESIRED_STATE") => not_taken(NotTaken::AlreadyThere, status, &said(Some(body))),
        _ => Answer::Rejected {
            message: sanitize(&format!("vCenter refused the upgrade with {status} ({})", said(Some(body)))),
        },
    }
}

/// The body of a 200: `{"<cluster>": {"res": "STARTED" | "REJECTED", "exception"?}}`. A 200 may hold rejections.
fn result_of(cluster: &str, body: &[u8]) -> Answer {
    let unclear = |what: &str| lost(&format!("vCenter answered 200, but {what} ({})", describe_body(body)));
    if !sizeable(body) {
        return unclear("its body is too large to be about one cluster");
    }
    let Ok(Entries(results)) = serde_json::from_slice::<Entries<Entries<Value>>>(body) else {
        return unclear("its body is not a map of clusters to results");
    };
    let [(key, result)] = results.as_slice() else {
        return unclear("not about exactly one cluster");
    };
    if key != cluster {
        return unclear("about another cluster");
    }
    match result.only("res").and_then(Value::as_str) {
        Some("STARTED") => Answer::Accepted { job: None },
        Some("REJECTED") => Answer::Rejected {
            message: rejection(result.only("exception")),
        },
        _ => unclear("its result is neither STARTED nor REJECTED"),
    }
}

/// The words of a rejection. Prechecks are what rejects at this call as documented; other types of error speak for themselves.
fn rejection(exception: Option<&Value>) -> String {
    let text = exception.and_then(texts);
    let kind = exception.and_then(|e| super::wire::word(e, "error_type"));
    sanitize(&match (kind.as_deref(), text) {
        (Some("ERROR" | "UNSUPPORTED" | "NOT_ALLOWED_IN_CURRENT_STATE") | None, Some(text)) => format!("pre-check: {text}"),
        (Some(kind), Some(text)) => format!("{kind}: {text}"),
        (Some(kind), None) => format!("vCenter refused the upgrade: {kind}"),
        (None, None) => "vCenter refused the upgrade and gave no reason".to_owned(),
    })
}

fn not_taken(reason: NotTaken, status: u16, said: &str) -> Answer {
    Answer::NotTaken {
        reason,
        message: sanitize(&format!("vCenter did not take the upgrade: {status} ({said})")),
    }
}

fn lost(message: &str) -> Answer {
    Answer::Lost {
        message: sanitize(message),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLUSTER: &str = "domain-c8";

    #[derive(Debug, PartialEq)]
    enum Kind {
        Accepted,
        Rejected,
        Unauthorized,
        Throttled,
        Busy,
        AlreadyThere,
        Lost,
    }

    fn kind(answer: &Answer) -> Kind {
        match answer {
            Answer::Accepted { .. } => Kind::Accepted,
            Answer::Rejected { .. } => Kind::Rejected,
            Answer::NotTaken {
                reason: NotTaken::Unauthorized,
                ..
            } => Kind::Unauthorized,
            Answer::NotTaken {
                reason: NotTaken::Throttled { .. },
                ..
            } => Kind::Throttled,
            Answer::NotTaken {
                reason: NotTaken::Busy, ..
            } => Kind::Busy,
            Answer::NotTaken {
                reason: NotTaken::AlreadyThere,
                ..
            } => Kind::AlreadyThere,
            Answer::NotTaken {
                reason: NotTaken::ConnectFailed,
                ..
            } => panic!("a status came, so a connection was there"),
            Answer::Lost { .. } => Kind::Lost,
        }
    }

    fn of(status: u16, body: &str) -> Kind {
        kind(&judge(CLUSTER, status, None, Some(body.as_bytes())))
    }

    #[test]
    fn the_table_row_by_row() {
        let typed = |t: &str| format!(r#"{{"error_type":"{t}","messages":[]}}"#);
        let rows: Vec<(u16, String, Kind)> = vec![
            // 401 and 429, whatever the body
            (401, typed("UNAUTHENTICATED"), Kind::Unauthorized),
            (401, String::new(), Kind::Unauthorized),
            (401, r#"{"domain-c8":{"res":"STARTED"}}"#.to_owned(), Kind::Unauthorized),
            (429, "<html>".to_owned(), Kind::Throttled),
            // 3xx, 408, every 5xx
            (301, String::new(), Kind::Lost),
            (307, r#"{"domain-c8":{"res":"STARTED"}}"#.to_owned(), Kind::Lost),
            (408, typed("RESOURCE_BUSY"), Kind::Lost),
            (500, typed("INTERNAL_SERVER_ERROR"), Kind::Lost),
            (500, typed("ALREADY_IN_DESIRED_STATE"), Kind::Lost),
            (502, "<html>".to_owned(), Kind::Lost),
            (503, typed("SERVICE_UNAVAILABLE"), Kind::Lost),
            (504, typed("TIMED_OUT"), Kind::Lost),
            (599, String::new(), Kind::Lost),
            // other 4xx, by error_type
            (400, typed("RESOURCE_BUSY"), Kind::Busy),
            (400, typed("NOT_ALLOWED_IN_CURRENT_STATE"), Kind::Busy),
            (409, typed("CONCURRENT_CHANGE"), Kind::Busy),
            (400, typed("CONCURRENT_CHANGE"), Kind::Busy),
            (400, typed("ALREADY_IN_DESIRED_STATE"), Kind::AlreadyThere),
            (400, typed("UNSUPPORTED"), Kind::Rejected),
            (400, typed("INVALID_ARGUMENT"), Kind::Rejected),
            (403, typed("UNAUTHORIZED"), Kind::Rejected),
            (404, typed("NOT_FOUND"), Kind::Rejected),
            (400, r#"{"messages":[]}"#.to_owned(), Kind::Rejected),
            (400, r#"{"error_type":null,"messages":[]}"#.to_owned(), Kind::Rejected),
            (400, String::new(), Kind::Rejected),
            (404, "<html>".to_owned(), Kind::Rejected),
            // 200
            (200, r#"{"domain-c8":{"res":"STARTED"}}"#.to_owned(), Kind::Accepted),
            (200, r#"{"domain-c8":{"res":"REJECTED"}}"#.to_owned(), Kind::Rejected),
            (
                200,
                r#"{"domain-c8":{"res":"REJECTED","exception":{"messages":[]}}}"#.to_owned(),
                Kind::Rejected,
            ),
            (
                200,
                r#"{"domain-c8":{"res":"REJECTED","exception":"odd"}}"#.to_owned(),
                Kind::Rejected,
            ),
            (200, "{}".to_owned(), Kind::Lost),
            (200, r#"{"domain-c9":{"res":"STARTED"}}"#.to_owned(), Kind::Lost),
            (
                200,
                r#"{"domain-c8":{"res":"STARTED"},"domain-c9":{"res":"STARTED"}}"#.to_owned(),
                Kind::Lost,
            ),
            (
                200,
                r#"{"domain-c8":{"res":"REJECTED"},"domain-c9":{"res":"REJECTED"}}"#.to_owned(),
                Kind::Lost,
            ),
            (
                200,
                r#"{"domain-c8":{"res":"REJECTED"},"domain-c8":{"res":"STARTED"}}"#.to_owned(),
                Kind::Lost,
            ),
            (200, r#"{"domain-c8":{"res":"REJECTED","res":"STARTED"}}"#.to_owned(), Kind::Lost),
            (200, r#"{"domain-c8":{"res":"DENIED"}}"#.to_owned(), Kind::Lost),
            (200, r#"{"domain-c8":{"res":"started"}}"#.to_owned(), Kind::Lost),
            (200, r#"{"domain-c8":{"res":null}}"#.to_owned(), Kind::Lost),
            (200, r#"{"domain-c8":{}}"#.to_owned(), Kind::Lost),
            (200, r#"{"domain-c8":"STARTED"}"#.to_owned(), Kind::Lost),
            (200, r#"{"value":{"domain-c8":{"res":"STARTED"}}}"#.to_owned(), Kind::Lost),
            (200, r#"[{"domain-c8":{"res":"STARTED"}}]"#.to_owned(), Kind::Lost),
            (200, r#"{"domain-c8":{"res":"STARTED"}"#.to_owned(), Kind::Lost),
            (200, String::new(), Kind::Lost),
            (200, "<html>".to_owned(), Kind::Lost),
            // other 2xx and 1xx are not documented at all
            (201, r#"{"domain-c8":{"res":"STARTED"}}"#.to_owned(), Kind::Lost),
            (202, String::new(), Kind::Lost),
            (204, String::new(), Kind::Lost),
            (101, String::new(), Kind::Lost),
        ];
        for (status, body, expected) in rows {
            assert_eq!(of(status, &body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_body_that_broke_off_takes_the_status_only_where_that_is_proof() {
        for (status, expected) in [
            (401, Kind::Unauthorized),
            (429, Kind::Throttled),
            (400, Kind::Lost),
            (404, Kind::Lost),
            (200, Kind::Lost),
            (500, Kind::Lost),
        ] {
            assert_eq!(kind(&judge(CLUSTER, status, None, None)), expected, "{status}");
        }
    }

    #[test]
    fn a_throttle_carries_its_pause() {
        let pause = Some(Duration::from_secs(90));
        let Answer::NotTaken { reason, .. } = judge(CLUSTER, 429, pause, Some(b"")) else {
            panic!()
        };
        assert_eq!(reason, NotTaken::Throttled { retry_after: pause });
    }

    #[test]
    fn a_rejection_says_why_in_the_vendors_words() {
        for (exception, expected) in [
            (
                r#"{"error_type":"UNSUPPORTED","messages":[{"id":"x","default_message":"host esx7 in maintenance","args":[]}]}"#,
                "pre-check: host esx7 in maintenance",
            ),
            (
                r#"{"messages":[{"severity":"ERROR","details":{"default_message":"no\n space"}}]}"#,
                "pre-check: ERROR no space",
            ),
            (
                r#"{"error_type":"NOT_FOUND","messages":[{"default_message":"no such version"}]}"#,
                "NOT_FOUND: no such version",
            ),
            (
                r#"{"error_type":"NOT_FOUND","messages":[]}"#,
                "vCenter refused the upgrade: NOT_FOUND",
            ),
            ("null", "vCenter refused the upgrade and gave no reason"),
            ("[]", "vCenter refused the upgrade and gave no reason"),
        ] {
            let body = format!(r#"{{"domain-c8":{{"res":"REJECTED","exception":{exception}}}}}"#);
            let Answer::Rejected { message } = judge(CLUSTER, 200, None, Some(body.as_bytes())) else {
                panic!("{body}")
            };
            assert_eq!(message, expected);
        }
    }

    /// Bodies that are likely to confuse: fragments of real answers, put together at random.
    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        let fragment = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"domain-c8\"",
            "\"res\"",
            "\"STARTED\"",
            "\"REJECTED\"",
            "\"exception\"",
            "\"messages\"",
            "\"error_type\"",
            "\"RESOURCE_BUSY\"",
            "\"ALREADY_IN_DESIRED_STATE\"",
            "null",
            "<html>",
            "\u{0}",
            " ",
            "{\"domain-c8\":{\"res\":\"STARTED\"}}",
            "{\"domain-c8\":{\"res\":\"REJECTED\"}}",
            "{\"error_type\":\"RESOURCE_BUSY\",\"messages\":[]}",
        ]);
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat().into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn what_proves_nothing_is_always_lost(status in prop_oneof![Just(408_u16), 100..200_u16, 201..400_u16, 500..=999_u16], body in bodies()) {
            prop_assert_eq!(kind(&judge(CLUSTER, status, None, Some(&body))), Kind::Lost);
        }

        #[test]
        fn accepted_needs_exactly_one_started_for_our_cluster(status in 100..=999_u16, body in bodies()) {
            let answer = judge(CLUSTER, status, None, Some(&body));
            if kind(&answer) == Kind::Accepted {
                prop_assert_eq!(status, 200);
                let value: Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(value, serde_json::json!({"domain-c8": {"res": "STARTED"}}));
            }
            if status == 200 && kind(&answer) == Kind::Rejected {
                let value: Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(&value["domain-c8"]["res"], "REJECTED");
            }
        }

        #[test]
        fn a_4xx_is_never_accepted_and_messages_are_bounded(status in 400..500_u16, body in bodies()) {
            let answer = judge(CLUSTER, status, None, Some(&body));
            let (Answer::Rejected { message } | Answer::NotTaken { message, .. } | Answer::Lost { message }) = answer else { panic!() };
            prop_assert!(message.chars().count() <= 512 && !message.contains(char::is_control));
        }
    }
}
