//! What came back over HTTP: a status, a bounded body, and the pause that was asked for.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use reqwest::header::RETRY_AFTER;

use crate::upgrade::timing::Mono;

/// Longest body that is read. A list of every Supervisor cluster of a large vCenter is far below it.
pub const LONGEST_BODY: usize = 8 * 1024 * 1024;

/// One answer. A status alone already says something, so a body that broke off does not take it away.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What `Retry-After` asks for, from the moment the answer came. Not capped.
    pub retry_after: Option<Duration>,
    /// The whole body, or why there is none.
    pub body: Result<Vec<u8>, String>,
}

/// An answer, and when it was asked for.
#[derive(Clone, Debug)]
pub struct Dated {
    /// Taken directly before the request went out, on our monotonic clock.
    pub asked: Mono,
    /// The same moment on the wall clock.
    pub at: Timestamp,
    /// What came.
    pub reply: Reply,
}

impl Reply {
    /// Reads a response to its end, or to [`LONGEST_BODY`].
    pub(super) async fn read(mut response: reqwest::Response, now: Timestamp) -> Reply {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| retry_after(v, now));
        let mut body = Vec::new();
        let body = loop {
            match response.chunk().await {
                Ok(None) => break Ok(body),
                Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST_BODY => {
                    break Err(format!("a body of more than {LONGEST_BODY} bytes"));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(_) => break Err(format!("a body that broke off after {} bytes", body.len())),
            }
        };
        Reply { status, retry_after, body }
    }

    /// The body, where all of it came.
    pub fn whole_body(&self) -> Option<&[u8]> {
        self.body.as_deref().ok()
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3) compared with `now`. A date that is past is no pause.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    static DATES: DateTimeParser = DateTimeParser::new();
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that overflow ask for "very long".
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = DATES.parse_zoned(text).ok()?.with_time_zone(TimeZone::UTC).timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 22 Nov 2026 10:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), expected.map(Duration::from_secs), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = retry_after(&text, Timestamp::UNIX_EPOCH);
        }
    }
}
