//! Servers that mean harm, or are broken as if they did, against both clients over real TLS.
//!
//! One idea to a file. The judge of each is what the [peer](peer::Peer) counted on its side of the wire, not what the client says of itself.

mod closing;
mod early_data;
mod http2;
mod interim;
mod long;
mod malformed;
mod peer;
mod pooled;
mod redirects;
mod slow;
mod twice;

use secrecy::SecretString;
use serde_json::json;

use self::peer::Peer;
use self::peer::Step;
use super::testing::permit;
use super::testing::quick;
use super::*;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::vcenter::judge;

/// The cluster that is started.
const CLUSTER: &str = "domain-c8";

/// The body of a vCenter that took the start.
const STARTED: &str = r#"{"domain-c8":{"res":"STARTED"}}"#;

/// The body of a vCenter that refused it.
const REJECTED: &str = r#"{"domain-c8":{"res":"REJECTED"}}"#;

/// A whole answer's bytes.
fn answer(status: u16, body: &str) -> Vec<u8> {
    super::testing::raw(status, &[], body)
}

/// A client of that peer, with production's timeouts but for the longest.
fn client(peer: &Peer) -> Http {
    Http::new(peer.options(quick())).unwrap()
}

/// A client whose starts are given up after this many milliseconds.
fn impatient(peer: &Peer, millis: u64) -> Http {
    let timing = Timing {
        start_timeout_vcenter: Duration::from_millis(millis),
        ..quick()
    };
    Http::new(peer.options(timing)).unwrap()
}

/// Sends a start, judged as vCenter's.
async fn start(http: &Http) -> Answer {
    start_with(http, &json!({CLUSTER: {"desired_version": "v1.30"}})).await
}

async fn start_with(http: &Http, body: &serde_json::Value) -> Answer {
    let id = SecretString::from("sesame");
    let call = StartCall {
        operation: "start",
        path: &["api", "start"],
        query: &[("action", "go")],
        session: ("x-session", &id),
        body: Some(body),
        place: None,
    };
    let judged = |reply: &Reply| judge(CLUSTER, reply.status, reply.retry_after, reply.whole_body());
    let sent = http.send_once(call, permit(http.authority().clone(), CLUSTER), judged).await;
    sent.unwrap().answer_for_test()
}

/// Reads with this verb, and gives up after two seconds.
async fn read(http: &Http, verb: Verb) -> Result<Dated, VendorError> {
    read_within(http, verb, 2_000).await
}

async fn read_within(http: &Http, verb: Verb, millis: u64) -> Result<Dated, VendorError> {
    let id = SecretString::from("sesame");
    let call = Call {
        operation: "look",
        verb,
        path: &["api", "look"],
        query: &[],
        proof: Proof::Session("x-session", &id),
        timeout: Some(Duration::from_millis(millis)),
    };
    http.read(&call).await
}

fn is_lost(answer: &Answer) -> bool {
    matches!(answer, Answer::Lost { .. })
}

fn is_unsent(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::NotTaken {
            reason: NotTaken::ConnectFailed,
            ..
        }
    )
}
