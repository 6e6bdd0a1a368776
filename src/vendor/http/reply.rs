//! What came back over HTTP: a status, a bounded body, and the pause that was asked for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use reqwest::header::RETRY_AFTER;

use super::headers::Cookies;
use super::headers::Limits;
use super::room::LONGEST_BODY;
use super::room::Place;
use super::room::SMALL_BODY;
use crate::upgrade::timing::Mono;

/// One answer. A status alone already says something, so a body that broke off does not take it away.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What `Retry-After` asks for, from the moment the answer came. Not capped.
    pub retry_after: Option<Duration>,
    /// The whole body, or why there is none.
    pub body: Result<Vec<u8>, String>,
    /// What it says of the vendor's own limits on calls.
    pub limits: Limits,
    /// The cookies that it sets.
    pub cookies: Cookies,
    /// Held as long as a long body is. Whoever holds a reply makes no other call: it could wait for the place that the reply takes.
    _place: Option<Arc<Place>>,
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
    /// Reads a response to its end, or to [`SMALL_BODY`]; the body of a 200 to [`LONGEST_BODY`] if `place` comes to be. Other statuses have
    /// an error's few words, if they have any.
    pub(super) async fn read(mut response: reqwest::Response, now: Timestamp, place: impl Future<Output = Result<Place, String>>) -> Reply {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| retry_after(v, now));
        let (limits, cookies) = (Limits::read(response.headers()), Cookies::read(response.headers()));
        let mut buffer = Buffer {
            bytes: Vec::new(),
            most: SMALL_BODY,
            place: None,
        };
        let body = buffer.fill(&mut response, (status == 200).then_some(place)).await;
        Reply {
            status,
            retry_after,
            body: body.map(|()| buffer.bytes),
            limits,
            cookies,
            _place: buffer.place.map(Arc::new),
        }
    }

    /// The body, where all of it came.
    pub fn whole_body(&self) -> Option<&[u8]> {
        self.body.as_deref().ok()
    }
}

/// A body on its way in. It never holds more than `most`.
struct Buffer {
    bytes: Vec<u8>,
    most: usize,
    place: Option<Place>,
}

impl Buffer {
    async fn fill(
        &mut self,
        response: &mut reqwest::Response,
        mut place: Option<impl Future<Output = Result<Place, String>>>,
    ) -> Result<(), String> {
        // A length that is announced is believed where it is too much: nothing is read of what would be refused at its end.
        let announced = response.content_length().map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        self.make_room(announced, &mut place).await?;
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(()),
                Ok(Some(chunk)) => {
                    self.make_room(self.bytes.len().saturating_add(chunk.len()), &mut place).await?;
                    self.bytes.extend_from_slice(&chunk);
                }
                Err(_) => return Err(format!("a body that broke off after {} bytes", self.bytes.len())),
            }
        }
    }

    async fn make_room(&mut self, needed: usize, place: &mut Option<impl Future<Output = Result<Place, String>>>) -> Result<(), String> {
        if needed <= self.most {
            return Ok(());
        }
        if needed > LONGEST_BODY {
            return Err(too_long(LONGEST_BODY));
        }
        let place = place.take().ok_or_else(|| too_long(self.most))?;
        self.place = Some(place.await?);
        self.most = LONGEST_BODY;
        // All at once: a buffer that grows by doubling is there three times while it is moved. What is not written to is address space only.
        self.bytes.reserve_exact(LONGEST_BODY - self.bytes.len());
        Ok(())
    }
}

fn too_long(most: usize) -> String {
    format!("a body of more than {most} bytes")
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
impl Reply {
    /// An answer without a body.
    pub(crate) fn for_test(status: u16, limits: Limits) -> Reply {
        Reply {
            status,
            retry_after: None,
            body: Ok(Vec::new()),
            limits,
            cookies: Cookies::default(),
            _place: None,
        }
    }
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
