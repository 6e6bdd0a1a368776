//! Watches through the proxy: events that come late, come twice, are never seen, or end with their connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use http::HeaderMap;
use http::Method;
use http::Response;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use hyper::body::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::proxy::Core;
use super::replies::Body;
use crate::sim::lock;

/// What happens to watch events.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchFaults {
    /// Only watches with this in their path; empty for all.
    pub of: &'static str,
    /// Each event comes this much later.
    pub delay: Duration,
    /// Each event comes twice.
    pub twice: bool,
    /// Of changes to one object that follow each other within this time, only the last comes: what was in between is never seen.
    pub merge: Option<Duration>,
    /// A connection is cut after this many events, without having delivered the last.
    pub cut_after: Option<u32>,
}

/// Passes a watch on, event by event.
pub async fn stream(core: Arc<Core>, uri: String, headers: HeaderMap) -> io::Result<Response<Body>> {
    let answer = core.request(Method::GET, &uri, &headers).send().await.map_err(io::Error::other)?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in [header::TRANSFER_ENCODING, header::CONNECTION, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    let (to, from) = mpsc::channel(16);
    // Ends when either side does.
    tokio::spawn(pump(core, uri, answer, to));
    let frames = stream::unfold(from, |mut from| async move { from.recv().await.map(|frame| (frame, from)) });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

type Frames = mpsc::Sender<io::Result<Frame<Bytes>>>;

/// A change that waits whether a newer one of the same object takes its place.
struct Held {
    of: String,
    event: Bytes,
    until: Instant,
}

/// The object that an event changes; `None` for one that appears or goes, which is never left out.
fn changed(event: &[u8]) -> Option<String> {
    let event: serde_json::Value = serde_json::from_slice(event).ok()?;
    let uid = event["object"]["metadata"]["uid"].as_str()?;
    (event["type"] == "MODIFIED").then(|| uid.to_owned())
}

async fn pump(core: Arc<Core>, uri: String, mut answer: reqwest::Response, to: Frames) {
    let (mut rest, mut events, mut held) = (Vec::new(), 0, None::<Held>);
    loop {
        let due = held.as_ref().map(|held| held.until);
        let chunk = tokio::select! {
            () = to.closed() => return,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let Some(held) = held.take() else { continue };
                if to.send(Ok(Frame::data(held.event))).await.is_err() {
                    return;
                }
                continue;
            }
            chunk = answer.chunk() => chunk,
        };
        let Ok(Some(chunk)) = chunk else { return };
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let event = core.told(Bytes::from(rest.drain(..=end).collect::<Vec<u8>>()));
            let faults = *lock(&core.watches);
            let faults = if uri.contains(faults.of) { faults } else { WatchFaults::default() };
            events += 1;
            if !faults.delay.is_zero() {
                tokio::time::sleep(faults.delay).await;
            }
            if faults.cut_after.is_some_and(|most| events >= most) {
                let _ = to.send(Err(io::Error::from(io::ErrorKind::ConnectionReset))).await;
                return;
            }
            let changed = changed(&event);
            let before = held.take().filter(|held| changed.as_ref() != Some(&held.of));
            if let Some(before) = before
                && to.send(Ok(Frame::data(before.event))).await.is_err()
            {
                return;
            }
            if let (Some(of), Some(within)) = (changed, faults.merge) {
                let until = Instant::now() + within;
                held = Some(Held { of, event, until });
                continue;
            }
            for _ in 0..if faults.twice { 2 } else { 1 } {
                if to.send(Ok(Frame::data(event.clone()))).await.is_err() {
                    return;
                }
            }
        }
    }
}
