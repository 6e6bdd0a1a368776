//! What the proxy answers: what it was given, less, or something else.

use std::convert::Infallible;
use std::io;

use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;
use hyper::body::Frame;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

/// A body towards the operator.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer of the API server.
#[derive(Clone)]
pub struct Reply {
    /// Status line.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// The end of a connection.
pub fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by the proxy")
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The answer as it came.
pub fn whole(reply: Reply) -> Response<Body> {
    let mut headers = reply.headers;
    headers.remove(header::CONTENT_LENGTH);
    respond(reply.status, headers, Full::new(reply.body).map_err(never).boxed_unsync())
}

/// An answer of a gateway: a Status as Kubernetes writes it.
pub fn failure(status: StatusCode) -> Reply {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(),
        "reason": status.canonical_reason(), "message": "injected by the proxy", "metadata": {},
    });
    let json = header::HeaderValue::from_static("application/json");
    Reply {
        status,
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
        body: Bytes::from(body.to_string()),
    }
}

/// Half of the body, then the end of the connection.
pub fn truncated(reply: &Reply) -> Response<Body> {
    let half = reply.body.slice(..reply.body.len() / 2);
    let frames = futures::stream::iter([Ok(Frame::data(half)), Err(cut())]);
    let mut headers = reply.headers.clone();
    headers.insert(header::CONTENT_LENGTH, reply.body.len().into());
    respond(reply.status, headers, StreamBody::new(frames).boxed_unsync())
}

/// The API server's clock, as far as a reply shows it, is off.
pub fn skewed(mut reply: Reply, secs: i64) -> Reply {
    if let Ok(mut object) = serde_json::from_slice::<Value>(&reply.body) {
        let created = object["metadata"]["creationTimestamp"]
            .as_str()
            .and_then(|t| t.parse::<Timestamp>().ok());
        if let Some(created) = created {
            object["metadata"]["creationTimestamp"] = json!((created + jiff::SignedDuration::from_secs(secs)).to_string());
            reply.body = Bytes::from(object.to_string());
        }
    }
    reply
}
