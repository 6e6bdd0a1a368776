//! The vCenter session: `POST /api/session` with Basic, a token as a JSON string, `DELETE` at the end.
//!
//! Facts (vSphere Automation API specification 9.1 and SDK): 201 with the token, 401, 503; a session ends on inactivity or at an absolute
//! limit, which shows as 401 UNAUTHENTICATED; what was started goes on. The number of sessions is limited, so there is one per Connection,
//! it is reused, and it is ended at shutdown.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;

use crate::upgrade::timing::Mono;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Credentials;
use crate::vendor::error::VendorError;
use crate::vendor::http::Call;
use crate::vendor::http::Http;
use crate::vendor::http::Proof;
use crate::vendor::http::Verb;
use crate::vendor::text::is_html;

/// The header that carries the token.
pub(super) const HEADER: &str = "vmware-api-session-id";

const PATH: [&str; 2] = ["api", "session"];

/// How long credentials that were refused are not tried again, unless they change. Directories lock an account after a handful of
/// failures in some minutes; at one a minute a wrong password in a Secret does not lock out the people who share the account.
const REFUSED_HOLD: Duration = Duration::from_mins(1);

/// Longest session id that is taken for one; those of today have 32 characters.
const LONGEST_TOKEN: usize = 4096;

/// Shutdown does not wait long for a goodbye.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(5);

/// One session's token.
pub(super) struct Token {
    secret: SecretString,
    dead: AtomicBool,
}

impl Token {
    /// The secret, for the header.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// vCenter does not know it any more: the next call logs in.
    pub fn retire(&self) {
        self.dead.store(true, Ordering::Release);
    }

    fn alive(&self) -> bool {
        !self.dead.load(Ordering::Acquire)
    }
}

/// The one session of a Connection.
pub(super) struct Session {
    source: Arc<dyn CredentialSource>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<(Arc<Token>, Credentials)>,
    /// The last login that failed, and when it had: those who waited for it share its outcome.
    failed: Option<(Mono, VendorError)>,
    /// The last credentials that were refused, and when.
    refused: Option<(Mono, Credentials, VendorError)>,
}

impl Session {
    pub fn new(source: Arc<dyn CredentialSource>) -> Session {
        Session {
            source,
            state: Mutex::new(State::default()),
        }
    }

    /// A token that is not known to be dead; logs in when there is none. Callers at the same time share one login, and its failure.
    pub async fn token(&self, http: &Http) -> Result<Arc<Token>, VendorError> {
        let since = http.clock().mono();
        let mut state = self.state.lock().await;
        if let Some((token, _)) = state.current.as_ref().filter(|(token, _)| token.alive()) {
            return Ok(Arc::clone(token));
        }
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at > since) {
            return Err(error.clone());
        }
        let credentials = self.source.get().await.map_err(VendorError::from);
        self.login(http, &mut state, credentials).await
    }

    /// Reads the credentials again; when they have changed, the session of the old ones is ended and one of the new ones begun.
    pub async fn refresh(&self, http: &Http) -> Result<Arc<Token>, VendorError> {
        let mut state = self.state.lock().await;
        let credentials = self.source.get().await.map_err(VendorError::from);
        if let (Some((token, used)), Ok(now)) = (&state.current, &credentials)
            && token.alive()
            && used.same_as(now)
        {
            return Ok(Arc::clone(token));
        }
        if credentials.is_ok()
            && let Some((old, _)) = state.current.take()
        {
            end(http, &old).await;
        }
        self.login(http, &mut state, credentials).await
    }

    async fn login(
        &self,
        http: &Http,
        state: &mut MutexGuard<'_, State>,
        credentials: Result<Credentials, VendorError>,
    ) -> Result<Arc<Token>, VendorError> {
        let outcome = match credentials {
            Ok(credentials) => match held(state, &credentials, http.clock().mono()) {
                Some(error) => Err(error),
                None => log_in(http, &credentials)
                    .await
                    .map(|token| (token, credentials.clone()))
                    .inspect_err(|error| {
                        if matches!(error, VendorError::AuthFailed { .. }) {
                            state.refused = Some((http.clock().mono(), credentials, error.clone()));
                        }
                    }),
            },
            Err(error) => Err(error),
        };
        match outcome {
            Ok((token, used)) => {
                state.failed = None;
                state.refused = None;
                state.current = Some((Arc::clone(&token), used));
                Ok(token)
            }
            Err(error) => {
                state.failed = Some((http.clock().mono(), error.clone()));
                Err(error)
            }
        }
    }

    /// Ends a session that vCenter opened and then did not accept, so that it is not left behind.
    pub async fn discard(&self, http: &Http, token: &Token) {
        token.retire();
        end(http, token).await;
    }

    /// Ends the session, if there is one.
    pub async fn logout(&self, http: &Http) {
        if let Some((token, _)) = self.state.lock().await.current.take()
            && token.alive()
        {
            end(http, &token).await;
            token.retire();
        }
    }
}

/// The same credentials were refused a moment ago.
fn held(state: &State, credentials: &Credentials, now: Mono) -> Option<VendorError> {
    let (at, refused, error) = state.refused.as_ref()?;
    (refused.same_as(credentials) && now.since(*at) < REFUSED_HOLD).then(|| error.clone())
}

async fn log_in(http: &Http, credentials: &Credentials) -> Result<Arc<Token>, VendorError> {
    const OPERATION: &str = "login";
    let proof = Proof::Basic(&credentials.username, &credentials.password);
    let call = Call {
        operation: OPERATION,
        verb: Verb::Post,
        path: &PATH,
        proof,
        timeout: None,
    };
    let reply = http.read(&call).await?.reply;
    let body = reply.whole_body();
    match reply.status {
        // Documented: 201. A 200 says the same.
        200 | 201 => match body.and_then(token_of) {
            Some(secret) => Ok(Arc::new(Token {
                secret,
                dead: AtomicBool::new(false),
            })),
            None => Err(super::not_this_product(http, OPERATION, &reply)),
        },
        404 | 405 => Err(super::not_this_product(http, OPERATION, &reply)),
        _ if body.is_some_and(is_html) && !matches!(reply.status, 401 | 403 | 408 | 500..) => {
            Err(super::not_this_product(http, OPERATION, &reply))
        }
        _ => Err(super::failure(http, OPERATION, &reply)),
    }
}

/// The body of a login: a JSON string that fits into a header.
pub(super) fn token_of(body: &[u8]) -> Option<SecretString> {
    let token: String = serde_json::from_slice(body).ok()?;
    let fits = (1..=LONGEST_TOKEN).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| SecretString::from(token))
}

async fn end(http: &Http, token: &Token) {
    let proof = Proof::Session(HEADER, token.secret());
    let call = Call {
        operation: "logout",
        verb: Verb::Delete,
        path: &PATH,
        proof,
        timeout: Some(LOGOUT_TIMEOUT),
    };
    if let Err(error) = http.read(&call).await {
        tracing::debug!(endpoint = %http.authority(), error = error.message(), "a session could not be ended; it ends by itself when idle");
    }
}
