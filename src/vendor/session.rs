//! The one session of a Connection, at the vendors that have sessions: opened with user and password, carried in a header, ended at shutdown.
//!
//! Vendors keep few sessions, so there is one, it is reused, and callers at the same time share one login. What differs is a
//! [`Door`]: where it is, how one knocks, how its answer is read, and for how long a session is good.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;

use super::credentials::CredentialSource;
use super::credentials::Credentials;
use super::error::VendorError;
use super::http::Call;
use super::http::Dated;
use super::http::Http;
use super::http::Proof;
use super::http::Reply;
use super::http::Verb;
use crate::upgrade::timing::Mono;

/// How long credentials that were refused are not tried again, unless they change. Directories lock an account after a handful of
/// failures in some minutes; at one a minute a wrong password in a Secret does not lock out the people who share the account. An account
/// without a free session is asked no sooner either.
const REFUSED_HOLD: Duration = Duration::from_mins(1);

/// Longest session id that is taken for one; those of today have 32 to 48 characters.
const LONGEST_TOKEN: usize = 4096;

/// Shutdown does not wait long for a goodbye.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a vendor's sessions are opened and ended: with a POST and a DELETE.
pub(super) struct Door {
    /// The header that carries the token.
    pub header: &'static str,
    /// Where a login is posted to. Path segments, not encoded.
    pub path: Vec<String>,
    /// What is deleted to end the session. Path segments, not encoded.
    pub exit: Vec<String>,
    /// How user and password are shown.
    pub knock: Knock,
    /// After this long a session is replaced before it is used; `None` where only the vendor's word ends one.
    pub renew_after: Option<Duration>,
    /// Reads the answer to a login.
    pub judge: fn(http: &Http, reply: &Reply, visit: &Visit<'_>) -> Result<Opened, VendorError>,
}

/// How user and password are shown at a login.
#[derive(Clone, Copy)]
pub(super) enum Knock {
    /// By Basic authentication.
    Basic,
    /// In a JSON document, which this writes.
    Document(fn(&Credentials) -> SecretString),
}

/// What is known of a login besides its answer.
pub(super) struct Visit<'a> {
    /// The same credentials opened a session of this client before.
    pub welcome: bool,
    /// With what it was tried: no words of the answer that hold any of it are repeated.
    pub credentials: &'a Credentials,
}

/// What a login brought.
pub(super) struct Opened {
    /// The session id.
    pub secret: SecretString,
    /// For how many days the password is still good, where the vendor tells.
    pub password_days: Option<u64>,
}

impl From<SecretString> for Opened {
    fn from(secret: SecretString) -> Opened {
        Opened {
            secret,
            password_days: None,
        }
    }
}

/// One session's token.
pub(super) struct Token {
    opened: Opened,
    /// What opened it.
    password: SecretString,
    since: Mono,
    dead: AtomicBool,
    served: AtomicBool,
}

impl Token {
    /// The secret, for the header.
    pub fn secret(&self) -> &SecretString {
        &self.opened.secret
    }

    /// The password that opened it, for those who must not repeat it.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    /// For how many days that password was still good at the login, where the vendor tells.
    pub fn password_days(&self) -> Option<u64> {
        self.opened.password_days
    }

    /// The vendor does not know it any more: the next call logs in.
    pub fn retire(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// It was good for a call.
    pub fn serve(&self) {
        self.served.store(true, Ordering::Release);
    }

    /// Whether it was good for any call so far.
    pub fn served(&self) -> bool {
        self.served.load(Ordering::Acquire)
    }

    fn alive(&self) -> bool {
        !self.dead.load(Ordering::Acquire)
    }
}

/// The one session of a Connection.
pub(super) struct Session {
    door: Door,
    source: Arc<dyn CredentialSource>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<(Arc<Token>, Credentials)>,
    /// The one before, replaced for its age. A call may still be under way with it, so it is ended when the next is replaced.
    previous: Option<Arc<Token>>,
    /// The last credentials that opened a session.
    welcome: Option<Credentials>,
    /// The last login that failed, and when it had: those who waited for it share its outcome.
    failed: Option<(Mono, VendorError)>,
    /// The last credentials that were refused, and when.
    refused: Option<(Mono, Credentials, VendorError)>,
}

impl Session {
    pub fn new(door: Door, source: Arc<dyn CredentialSource>) -> Session {
        Session {
            door,
            source,
            state: Mutex::new(State::default()),
        }
    }

    /// A token that is not known to be dead; logs in when there is none. Callers at the same time share one login, and its failure.
    pub async fn token(&self, http: &Http) -> Result<Arc<Token>, VendorError> {
        let since = http.clock().mono();
        let mut state = self.state.lock().await;
        let alive = state.current.as_ref().map(|(token, _)| token).filter(|token| token.alive());
        if let Some(token) = alive.cloned() {
            if !self.old(&token, since) {
                return Ok(token);
            }
            self.set_aside(http, &mut state, token).await;
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
            let token = Arc::clone(token);
            if !self.old(&token, http.clock().mono()) {
                return Ok(token);
            }
            self.set_aside(http, &mut state, token).await;
        }
        if credentials.is_ok()
            && let Some((old, _)) = state.current.take()
        {
            self.end(http, &old).await;
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
                None => self
                    .log_in(http, &credentials, welcome(state, &credentials))
                    .await
                    .map(|token| (token, credentials.clone()))
                    .inspect_err(|error| {
                        if error.bars_login() {
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
                state.welcome = Some(used.clone());
                state.current = Some((Arc::clone(&token), used));
                Ok(token)
            }
            Err(error) => {
                if matches!(error, VendorError::TooManySessions { .. })
                    && let Some(ours) = state.previous.take()
                {
                    self.end(http, &ours).await;
                }
                state.failed = Some((http.clock().mono(), error.clone()));
                Err(error)
            }
        }
    }

    /// Ends a session that the vendor opened and then did not accept, so that it is not left behind.
    pub async fn discard(&self, http: &Http, token: &Token) {
        token.retire();
        self.end(http, token).await;
    }

    /// Ends the session, if there is one.
    pub async fn logout(&self, http: &Http) {
        let (current, previous) = {
            let mut state = self.state.lock().await;
            (state.current.take(), state.previous.take())
        };
        for token in previous.into_iter().chain(current.map(|(token, _)| token)) {
            if token.alive() {
                self.end(http, &token).await;
                token.retire();
            }
        }
    }

    /// Its age is reached: the next one takes its place, and the one before it is ended.
    async fn set_aside(&self, http: &Http, state: &mut MutexGuard<'_, State>, token: Arc<Token>) {
        state.current = None;
        if let Some(before) = state.previous.replace(token) {
            self.end(http, &before).await;
        }
    }

    /// Proof for a call with this token.
    pub fn proof<'a>(&self, token: &'a Token) -> Proof<'a> {
        Proof::Session(self.door.header, token.secret())
    }

    fn old(&self, token: &Token, now: Mono) -> bool {
        self.door.renew_after.is_some_and(|age| now.since(token.since) >= age)
    }

    async fn log_in(&self, http: &Http, credentials: &Credentials, welcome: bool) -> Result<Arc<Token>, VendorError> {
        let document = match self.door.knock {
            Knock::Basic => None,
            Knock::Document(write) => Some(write(credentials)),
        };
        let proof = match &document {
            None => Proof::Basic(&credentials.username, &credentials.password),
            Some(text) => Proof::Document(text),
        };
        let since = http.clock().mono();
        let reply = self.call(http, "login", Verb::Post, proof, None).await?.reply;
        let opened = (self.door.judge)(http, &reply, &Visit { welcome, credentials })?;
        Ok(Arc::new(Token {
            opened,
            password: credentials.password.clone(),
            since,
            dead: AtomicBool::new(false),
            served: AtomicBool::new(false),
        }))
    }

    async fn end(&self, http: &Http, token: &Token) {
        let outcome = self
            .call(http, "logout", Verb::Delete, self.proof(token), Some(LOGOUT_TIMEOUT))
            .await;
        if let Err(error) = outcome {
            tracing::debug!(endpoint = %http.authority(), error = error.message(), "a session could not be ended; it ends by itself when idle");
        }
    }

    async fn call(
        &self,
        http: &Http,
        operation: &'static str,
        verb: Verb,
        proof: Proof<'_>,
        timeout: Option<Duration>,
    ) -> Result<Dated, VendorError> {
        let door = if verb == Verb::Delete { &self.door.exit } else { &self.door.path };
        let path: Vec<&str> = door.iter().map(String::as_str).collect();
        let call = Call {
            operation,
            verb,
            path: &path,
            query: &[],
            proof,
            timeout,
        };
        http.read(&call).await
    }
}

/// The same credentials opened a session before.
fn welcome(state: &State, credentials: &Credentials) -> bool {
    state.welcome.as_ref().is_some_and(|known| known.same_as(credentials))
}

/// The same credentials were refused a moment ago.
fn held(state: &State, credentials: &Credentials, now: Mono) -> Option<VendorError> {
    let (at, refused, error) = state.refused.as_ref()?;
    (refused.same_as(credentials) && now.since(*at) < REFUSED_HOLD).then(|| error.clone())
}

/// A session id that fits into a header.
pub(super) fn token(id: &str) -> Option<SecretString> {
    let fits = (1..=LONGEST_TOKEN).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| SecretString::from(id))
}
