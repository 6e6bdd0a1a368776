//! HTTP for all vendors: the only module that touches reqwest.
//!
//! [`Http::read`] sends what may be repeated, [`Http::send_once`] sends a start. Every request of both passes the address fence
//! ([`Fence`]), trusts only the Connection's CA or the public roots, follows no redirect, asks no proxy but the one that the installation
//! names ([`proxy`]), and reads at most 8 MiB, of which only few are in memory at once ([`room`]).
//! Secrets travel in `SecretString`s and sensitive headers; no URL, header or body is ever logged.
#![expect(clippy::disallowed_methods, reason = "the one module that sends HTTP requests to vendors")]

mod clients;
mod failure;
mod fence;
mod gate;
mod headers;
mod limit;
mod proxy;
mod reply;
mod resolve;
mod room;
mod send_once;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod parsing_fuzz;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
pub(crate) mod testing;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use backon::Retryable;
use reqwest::Method;
use reqwest::Url;
use reqwest::header::CONTENT_LENGTH;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::HeaderValue;
use reqwest::header::USER_AGENT;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use self::clients::Clients;
use self::clients::READ_TIMEOUT;
use self::failure::Broken;
use self::limit::Limiter;
use self::room::Room;
use super::CallObserver;
use super::error::VendorError;
use crate::clock::Clock;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Timing;

pub use clients::public_authorities;
pub use fence::Fence;
pub use fence::FenceError;
pub use fence::Forbidden;
pub use gate::Gate;
pub use gate::Place;
pub use headers::Cookies;
pub use headers::Limits;
pub use proxy::NotAProxy;
pub use proxy::ProxyUrl;
pub use reply::Dated;
pub use reply::Reply;
pub use resolve::Lookup;
pub use resolve::SystemDns;
pub use room::LONGEST_BODY;
pub use room::SMALL_BODY;
pub use send_once::NotSent;
pub use send_once::StartCall;
pub use send_once::Unsent;

/// Length of no body. Without a body nothing else says that there is none, and some servers then answer 411 (RFC 9110, 8.6).
const NO_BODY: &str = "0";

/// Tries of one read. More would only delay what the reconcile's own backoff does better.
const READ_TRIES_AFTER_THE_FIRST: usize = 2;

/// What one Connection's HTTP needs to know.
pub struct HttpOptions {
    /// Vendor name for logs.
    pub vendor: &'static str,
    /// Where.
    pub authority: Authority,
    /// `spec.caBundlePEM`.
    pub ca_bundle_pem: Option<String>,
    /// Calls a second.
    pub per_second: NonZeroU32,
    /// The installation's address fence.
    pub fence: Arc<Fence>,
    /// Timeouts.
    pub timing: Timing,
    /// Longest wait for the answer to a start; each vendor has its own in [`Timing`].
    pub start_timeout: Duration,
    /// Whether a read that failed in passing is tried again at once; not where the vendor bans who asks too often.
    pub retry_reads: bool,
    /// All time.
    pub clock: Clock,
    /// Who counts the calls.
    pub observer: Option<Arc<dyn CallObserver>>,
    /// Who is asked before each call, where the vendor counts them.
    pub gate: Option<Arc<dyn Gate>>,
}

/// HTTP to one endpoint.
pub struct Http {
    vendor: &'static str,
    authority: Authority,
    base: Url,
    clients: Clients,
    limiter: Limiter,
    room: Room,
    retry_reads: bool,
    clock: Clock,
    observer: Option<Arc<dyn CallObserver>>,
    gate: Option<Arc<dyn Gate>>,
}

/// HTTP method of a call that may be repeated, or harms nothing when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A read; tried again after a transient failure.
    Get,
    /// A login, or what else harms nothing when it is done twice; sent once.
    Post,
    /// A logout; sent once.
    Delete,
}

/// What proves who we are.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// Nothing: anybody may ask.
    Nobody,
    /// User and password.
    Basic(&'a str, &'a SecretString),
    /// User and password within this JSON text, which is the body.
    Document(&'a SecretString),
    /// A session id in this header.
    Session(&'static str, &'a SecretString),
    /// All of these headers.
    Headers(&'a [(&'static str, &'a SecretString)]),
    /// All of these headers, and this JSON text, which is the body.
    Signed(&'a SecretString, &'a [(&'static str, &'a SecretString)]),
}

/// A call that is not a start.
pub struct Call<'a> {
    /// Name for metrics, logs and messages.
    pub operation: &'static str,
    /// Method.
    pub verb: Verb,
    /// Path segments, not encoded.
    pub path: &'a [&'a str],
    /// Query, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Who asks.
    pub proof: Proof<'a>,
    /// Another timeout than the usual one.
    pub timeout: Option<Duration>,
}

impl Http {
    /// Builds the clients. An address literal that the fence forbids is an error here already: no resolver would ever see it.
    pub fn new(options: HttpOptions) -> Result<Http, VendorError> {
        let HttpOptions {
            vendor,
            authority,
            ca_bundle_pem,
            per_second,
            fence,
            timing,
            start_timeout,
            retry_reads,
            clock,
            observer,
            gate,
        } = options;
        let unusable = |why: String| VendorError::NoRequest {
            operation: "any call",
            why,
        };
        let base = Url::parse(&authority.base_url()).map_err(|e| unusable(format!("{authority} is not an endpoint: {e}")))?;
        fence.check_host(base.host_str().unwrap_or_default())?;
        let clients = Clients::new(ca_bundle_pem.as_deref(), &fence, &timing, start_timeout)?;
        let limiter = Limiter::new(per_second, timing.retry_max, clock.clone());
        Ok(Http {
            vendor,
            authority,
            base,
            clients,
            limiter,
            room: Room::of_the_process(),
            retry_reads,
            clock,
            observer,
            gate,
        })
    }

    /// Where.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// All time of this endpoint's client.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends a call that is not a start. Any status but 429 is a [`Reply`] and for the vendor's client to judge. A GET is tried again
    /// when no connection came about or it broke, or on 502, 503 and 504, where [`HttpOptions::retry_reads`] lets it; not after a timeout,
    /// which would only treble the wait.
    pub async fn read(&self, call: &Call<'_>) -> Result<Dated, VendorError> {
        let again = self.retry_reads && call.verb == Verb::Get;
        let tries = if again { READ_TRIES_AFTER_THE_FIRST } else { 0 };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(tries);
        let clock = self.clock.clone();
        let sleep = move |delay| {
            let clock = clock.clone();
            async move { clock.sleep(delay).await }
        };
        let outcome = (|| self.read_once(call)).retry(backoff).sleep(sleep).when(|stop| stop.retry).await;
        outcome.or_else(|stop| stop.outcome)
    }

    /// The same, sent once, of something that matters to whether it was done: says of a failure whether the request may have been taken.
    pub async fn ask_once(&self, call: &Call<'_>) -> Result<Dated, Box<Unanswered>> {
        match self.read_once(call).await {
            Ok(dated) | Err(Stop { outcome: Ok(dated), .. }) => Ok(dated),
            Err(Stop {
                outcome: Err(error),
                perhaps_taken,
                ..
            }) => Err(Box::new(Unanswered { perhaps_taken, error })),
        }
    }

    /// Waits for a token of the limiter: part of preparing a start, so that the start itself waits for nothing.
    pub async fn token(&self) -> Result<(), VendorError> {
        self.limiter.ready().await.map_err(|left| self.throttled(Some(left)))
    }

    async fn read_once(&self, call: &Call<'_>) -> Result<Dated, Stop> {
        self.token().await?;
        if let Some(gate) = &self.gate {
            gate.pass().await?;
        }
        let method = match call.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        let url = self.url(call.operation, call.path, call.query)?;
        let mut request = self
            .clients
            .reads
            .request(method, url)
            .header(USER_AGENT, concat!("windlass/", env!("CARGO_PKG_VERSION")));
        request = match call.proof {
            Proof::Nobody | Proof::Headers(_) => request,
            Proof::Document(text) | Proof::Signed(text, _) => request
                .header(CONTENT_TYPE, "application/json")
                .body(text.expose_secret().to_owned()),
            Proof::Basic(user, password) => request.basic_auth(user, Some(password.expose_secret())),
            Proof::Session(name, id) => request.header(name, self.sensitive(call.operation, id)?),
        };
        if let Proof::Headers(headers) | Proof::Signed(_, headers) = call.proof {
            for (name, value) in headers {
                request = request.header(*name, self.sensitive(call.operation, value)?);
            }
        }
        if call.verb == Verb::Post && !matches!(call.proof, Proof::Document(_) | Proof::Signed(..)) {
            request = request.header(CONTENT_LENGTH, NO_BODY);
        }
        let timeout = call.timeout.unwrap_or(READ_TIMEOUT);
        request = request.timeout(timeout);
        let (asked, at) = (self.clock.mono(), self.clock.wall());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let broken = Broken::read(error, self.authority.as_str());
                self.count(call.operation, broken.error.label(), None, asked);
                // Only the network gets another try: a certificate or a fence says the same again.
                let retry = !broken.timed_out && matches!(broken.error, VendorError::Unreachable { .. });
                return Err(Stop {
                    retry,
                    perhaps_taken: !broken.connecting,
                    outcome: Err(broken.error),
                });
            }
        };
        let left = timeout.saturating_sub(self.clock.mono().since(asked));
        let reply = Reply::read(response, self.clock.wall(), self.room.place(&self.clock, left)).await;
        self.count(call.operation, class_of(reply.status), Some(reply.status), asked);
        let status = reply.status;
        let known = self.gate.as_ref().and_then(|gate| gate.answered(at, &reply));
        if status == 429 {
            if let Some(pause) = reply.retry_after {
                self.limiter.pause(pause);
            }
            return Err(known.unwrap_or_else(|| self.throttled(reply.retry_after)).into());
        }
        let dated = Dated { asked, at, reply };
        if matches!(status, 502..=504) {
            return Err(Stop {
                retry: true,
                perhaps_taken: true,
                outcome: Ok(dated),
            });
        }
        Ok(dated)
    }

    fn throttled(&self, after: Option<Duration>) -> VendorError {
        VendorError::Throttled {
            authority: self.authority.to_string(),
            after,
        }
    }

    /// Builds a URL on this endpoint; every segment and value is percent-encoded.
    fn url(&self, operation: &'static str, path: &[&str], query: &[(&str, &str)]) -> Result<Url, VendorError> {
        let no = |why: &str| VendorError::NoRequest {
            operation,
            why: why.to_owned(),
        };
        // A URL parser drops these instead of encoding them: the request would go to another resource.
        if path.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(no("a name in its path is empty or made of dots"));
        }
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| no("the endpoint takes no path"))?
            .clear()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn sensitive(&self, operation: &'static str, secret: &SecretString) -> Result<HeaderValue, VendorError> {
        let mut value = HeaderValue::from_str(secret.expose_secret()).map_err(|_| VendorError::NoRequest {
            operation,
            why: format!("{} gave a session id that fits in no header", self.authority),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Tells the log and the metrics about one call.
    fn count(&self, operation: &'static str, class: &'static str, status: Option<u16>, asked: crate::upgrade::timing::Mono) {
        let took = self.clock.mono().since(asked);
        let (vendor, endpoint) = (self.vendor, self.authority.as_str());
        tracing::debug!(
            vendor,
            endpoint,
            operation,
            class,
            http_status = status,
            duration_ms = took.as_secs_f64() * 1e3,
            "call"
        );
        if let Some(observer) = &self.observer {
            observer.call(operation, class, took.as_secs_f64());
        }
    }
}

/// A call that brought no answer, or only that there were too many calls.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// The request left the process, and nobody said that it was not taken.
    pub perhaps_taken: bool,
    /// What happened.
    pub error: VendorError,
}

/// A read that did not bring the answer that ends the tries.
struct Stop {
    retry: bool,
    perhaps_taken: bool,
    outcome: Result<Dated, VendorError>,
}

impl From<VendorError> for Stop {
    fn from(error: VendorError) -> Stop {
        Stop {
            retry: false,
            perhaps_taken: false,
            outcome: Err(error),
        }
    }
}

/// The class of a read's status, for metrics.
fn class_of(status: u16) -> &'static str {
    match status {
        200..=299 => "ok",
        401 | 403 => "auth",
        429 => "throttled",
        408 | 500..=599 => "transient",
        _ => "refused",
    }
}
