//! The only function that sends a start.
//!
//! Everything that can fail without the vendor is done before the permit is armed; arming is the last act before the socket. After it
//! there is exactly one request on a connection of its own, and whatever comes of it is an answer (`vendors.md` 5.1), never an error.

use std::future::Ready;
use std::future::ready;

use reqwest::header::CONTENT_LENGTH;
use reqwest::header::HeaderValue;
use reqwest::header::USER_AGENT;
use secrecy::SecretString;

use super::Http;
use super::NO_BODY;
use super::failure::Broken;
use super::gate::Place;
use super::reply::Reply;
use super::room;
use super::room::SMALL_BODY;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::controller::permit::Unarmed;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::error::VendorError;

/// The request of a start. Its method is POST, as at all four vendors.
pub struct StartCall<'a> {
    /// Name for metrics and logs.
    pub operation: &'static str,
    /// Path segments, not encoded.
    pub path: &'a [&'a str],
    /// Query, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Header and session id.
    pub session: (&'static str, &'a SecretString),
    /// The JSON body; some vendors' starts have none.
    pub body: Option<&'a serde_json::Value>,
    /// Its place among the calls that the vendor takes in a second, where it counts them.
    pub place: Option<Place>,
}

/// Why nothing left the process.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotSent {
    /// The permit can no longer be used.
    #[error(transparent)]
    Unarmed(#[from] Unarmed),
    /// The permit is for another target than the one that was prepared.
    #[error("the permit is for {permit}, but {prepared} was prepared")]
    WrongTarget {
        /// Target of the permit.
        permit: String,
        /// Target that was prepared.
        prepared: String,
    },
    /// No request could be made of it.
    #[error(transparent)]
    NoRequest(#[from] VendorError),
}

/// A start that did not happen: the permit comes back, to be withdrawn.
#[must_use = "the permit inside is withdrawn, or its receipt stays in doubt"]
#[derive(Debug)]
pub struct Unsent {
    /// The permit, unspent.
    pub permit: StartPermit,
    /// Why.
    pub why: NotSent,
}

impl Unsent {
    /// Boxed, since it is much larger than the other outcome.
    pub fn boxed(permit: StartPermit, why: impl Into<NotSent>) -> Box<Unsent> {
        Box::new(Unsent { permit, why: why.into() })
    }
}

impl Http {
    /// Sends a start, once, and has its answer judged. `Err`: nothing left the process.
    ///
    /// Not cancel-safe, and meant so: whoever drops the future has lost the answer, and the dropped permit says so loudly.
    pub async fn send_once(
        &self,
        call: StartCall<'_>,
        permit: StartPermit,
        judge: impl FnOnce(&Reply) -> Answer,
    ) -> Result<Sent, Box<Unsent>> {
        let request = match self.build_start(&call, &permit) {
            Ok(request) => request,
            Err(error) => return Err(Unsent::boxed(permit, error)),
        };
        if let Err(unarmed) = permit.arm() {
            return Err(Unsent::boxed(permit, unarmed));
        }
        let (asked, at) = (self.clock.mono(), self.clock.wall());
        if let Some(place) = call.place {
            place();
        }
        let outcome = self.clients.starts.execute(request).await;
        let (answer, status) = match outcome {
            Ok(response) => {
                let reply = Reply::read(response, self.clock.wall(), no_place()).await;
                // What the answer is worth is judged from the answer alone.
                if let Some(gate) = &self.gate {
                    let _known = gate.answered(at, &reply);
                }
                (judge(&reply), Some(reply.status))
            }
            Err(error) => (unanswered(&Broken::read(error, self.authority.as_str())), None),
        };
        self.count(call.operation, class_of(&answer), status, asked);
        Ok(permit.spend(answer))
    }

    fn build_start(&self, call: &StartCall<'_>, permit: &StartPermit) -> Result<reqwest::Request, VendorError> {
        let no = |why: String| VendorError::NoRequest {
            operation: call.operation,
            why,
        };
        let agent = format!("windlass/{} (receipt {})", env!("CARGO_PKG_VERSION"), permit.receipt());
        let agent = HeaderValue::from_str(&agent).map_err(|_| no("the receipt's name fits in no header".to_owned()))?;
        let (name, id) = call.session;
        let request = self
            .clients
            .starts
            .post(self.url(call.operation, call.path, call.query)?)
            .header(USER_AGENT, agent)
            .header(name, self.sensitive(call.operation, id)?);
        let request = match call.body {
            Some(body) => request.json(body),
            None => request.header(CONTENT_LENGTH, NO_BODY),
        };
        request.build().map_err(|e| no(e.without_url().to_string()))
    }
}

/// The answer to a start waits for nobody: it is about one target and short, and one that is left waiting would be doubt of our own making.
fn no_place() -> Ready<Result<room::Place, String>> {
    ready(Err(format!("a body of more than {SMALL_BODY} bytes, and it is about one target")))
}

/// No status came. Only a connection that never came about proves that nothing was taken.
fn unanswered(broken: &Broken) -> Answer {
    let message = broken.error.message();
    if broken.connecting {
        Answer::NotTaken {
            reason: NotTaken::ConnectFailed,
            message,
        }
    } else {
        Answer::Lost { message }
    }
}

/// The class of a start's answer, for metrics.
fn class_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted { .. } => "ok",
        Answer::Rejected { .. }
        | Answer::NotTaken {
            reason: NotTaken::Busy | NotTaken::AlreadyThere,
            ..
        } => "refused",
        Answer::NotTaken {
            reason: NotTaken::ConnectFailed,
            ..
        } => "transient",
        Answer::NotTaken {
            reason: NotTaken::Unauthorized,
            ..
        } => "auth",
        Answer::NotTaken {
            reason: NotTaken::Throttled { .. },
            ..
        } => "throttled",
        Answer::Lost { .. } => "unknown",
    }
}
