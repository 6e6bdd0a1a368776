//! The access token of an account: kept in a Secret, renewed in time, by one process at a time.
//!
//! What is to be done is decided in [`entry`](super::entry); here it is done: read, claim, ask, store. From the claim to the store it is one task
//! that nothing cancels, joined at shutdown: a pair that was given and not stored is lost for good, and a person has to mend it. Nothing of a
//! pair is used before it is stored.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use tokio_util::task::TaskTracker;

use super::access::Access;
use super::entry;
use super::entry::Ask;
use super::entry::Claim;
use super::entry::Entry;
use super::entry::Seed;
use super::entry::Step;
use super::oauth;
use super::oauth::Outcome;
use super::place::Place;
use super::place::key;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;
use crate::vendor::credentials::ClientCredentials;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::error::VendorError;
use crate::vendor::http::Http;
use crate::vendor::hush::Hush;
use crate::vendor::vault::Kept;
use crate::vendor::vault::TokenVault;
use crate::vendor::vault::VaultError;

/// How long credentials that were refused are not tried again, unless they change.
const REFUSED_HOLD: Duration = Duration::from_mins(1);

/// How often a token that ages is tried to be replaced.
const AGING_PAUSE: Duration = Duration::from_mins(1);

/// A start uses the token of the look before it, and is not sent again when that has ended: so it gets one that nobody replaces meanwhile.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// Tries to write against others who write to the same Secret, and against an API server that does not answer: some minutes.
const TRIES: u32 = 16;

/// Tries to read, or to claim: whoever waits for a token tries again by itself.
const FEW: u32 = 2;

/// Pause after a 429 that does not say how long.
const BLIND_PAUSE: Duration = Duration::from_mins(1);

/// Longest pause between two of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The tokens of one Connection.
pub(super) struct Tokens {
    inner: Arc<Inner>,
    tasks: TaskTracker,
}

struct Inner {
    http: Http,
    source: Arc<dyn CredentialSource>,
    vault: Option<Arc<dyn TokenVault>>,
    /// The account to log in to.
    customer: String,
    /// Names this client of this process in claims.
    me: String,
    timing: Timing,
    state: Mutex<State>,
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Access>>,
    /// The newest pair that this process knows of.
    newest: Option<Entry>,
    /// Whose access token was refused.
    refused: Option<u64>,
    /// The last try that failed: those who waited for it share its outcome.
    failed: Option<(Mono, VendorError)>,
    /// When the token that ages was last tried to be replaced.
    looked: Option<Mono>,
    /// Credentials that were refused, by the state of their Secret.
    barred: Option<(Mono, String, VendorError)>,
    /// Pairs that came and were stored since somebody last asked.
    rotated: u64,
    /// What the last refusal of a refresh token said.
    dead: Option<String>,
    /// What no words of Central may hold.
    secrets: Vec<SecretString>,
}

impl Tokens {
    pub fn new(
        http: Http,
        source: Arc<dyn CredentialSource>,
        vault: Option<Arc<dyn TokenVault>>,
        customer: String,
        timing: Timing,
    ) -> Tokens {
        Tokens {
            inner: Arc::new(Inner {
                http,
                source,
                vault,
                customer,
                me: uuid::Uuid::new_v4().simple().to_string(),
                timing,
                state: Mutex::default(),
                flight: tokio::sync::Mutex::new(()),
            }),
            tasks: TaskTracker::new(),
        }
    }

    /// A token that is not known to be dead.
    pub async fn access(&self) -> Result<Arc<Access>, VendorError> {
        self.get(SignedDuration::ZERO).await
    }

    /// One that is not about to be replaced.
    pub async fn fresh(&self) -> Result<Arc<Access>, VendorError> {
        self.get(FRESH).await
    }

    async fn get(&self, ahead: SignedDuration) -> Result<Arc<Access>, VendorError> {
        let clock = self.inner.http.clock();
        let (since, now) = (clock.mono(), clock.wall());
        let current = {
            let mut state = self.inner.state();
            let current = state.current.clone().filter(|current| now < current.expires);
            if let Some(current) = &current {
                let tried = state.looked.is_some_and(|looked| since.since(looked) < AGING_PAUSE);
                if !current.aged(now, ahead) || tried {
                    return Ok(Arc::clone(current));
                }
                state.looked = Some(since);
            }
            current
        };
        match (self.renew(since, Some(ahead)).await, current) {
            (Ok(access), _) => Ok(access),
            // It is still good for a while.
            (Err(_), Some(current)) => Ok(current),
            (Err(error), None) => Err(error),
        }
    }

    /// Reads the Secret and what is kept again, so that a change is noticed.
    pub async fn check(&self) -> Result<(), VendorError> {
        let since = self.inner.http.clock().mono();
        self.renew(since, None).await.map(|_| ())
    }

    /// Central does not take it.
    pub fn retire(&self, access: &Access) {
        let mut state = self.inner.state();
        state.refused = state.refused.max(Some(access.generation));
        if state
            .current
            .as_ref()
            .is_some_and(|current| current.generation == access.generation)
        {
            state.current = None;
        }
    }

    /// How many pairs came and were stored since this was asked last.
    pub fn take_rotated(&self) -> u64 {
        std::mem::take(&mut self.inner.state().rotated)
    }

    /// What Central's words must not hold, where they answer a call with this token.
    pub fn hush(&self, access: &Access) -> Hush {
        let token = access.bearer.expose_secret().trim_start_matches("Bearer ");
        let state = self.inner.state();
        let next = state.newest.as_ref().and_then(|newest| newest.refresh.clone());
        let known = state.secrets.iter().cloned().chain(next);
        Hush::of(known.chain([SecretString::from(token)]))
    }

    /// Waits for what is under way: what was given is to be stored.
    pub async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// In a task of its own: whoever waits for it may go away. `ahead`: for how long the token must not come of age; `None` looks in any case.
    async fn renew(&self, since: Mono, ahead: Option<SignedDuration>) -> Result<Arc<Access>, VendorError> {
        let inner = Arc::clone(&self.inner);
        let task = self.tasks.spawn(async move {
            let _flight = inner.flight.lock().await;
            {
                let state = inner.state();
                if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at > since) {
                    return Err(error.clone());
                }
                let young = |current: &Arc<Access>| ahead.is_some_and(|ahead| !current.aged(inner.http.clock().wall(), ahead));
                if let Some(current) = state.current.clone().filter(young) {
                    return Ok(current);
                }
            }
            let outcome = inner.renew(ahead.unwrap_or_default()).await;
            let mut state = inner.state();
            state.failed = outcome.as_ref().err().map(|error| (inner.http.clock().mono(), error.clone()));
            outcome
        });
        task.await.unwrap_or_else(|error| {
            Err(VendorError::NoRequest {
                operation: "refresh_token",
                why: format!("its task ended early: {}", if error.is_panic() { "a panic" } else { "cancelled" }),
            })
        })
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authority(&self) -> String {
        self.http.authority().to_string()
    }

    async fn client(&self) -> Result<ClientCredentials, VendorError> {
        let client = match self.source.of_client().await {
            Ok(client) => client,
            Err(error) => {
                let state = self.state();
                let why = state.barred.as_ref().map(|(_, _, why)| why.clone());
                // It says less than what made it so.
                return Err(match (&error, why) {
                    (CredentialError::Refused { .. }, Some(why)) => why,
                    _ => error.into(),
                });
            }
        };
        let mut state = self.state();
        if let Some((at, version, error)) = &state.barred {
            if *version == client.version && self.http.clock().mono().since(*at) < REFUSED_HOLD {
                return Err(error.clone());
            }
            state.barred = None;
        }
        state.secrets = [client.client_secret.clone()].into_iter().collect();
        state.secrets.extend(client.refresh_token.clone());
        state.secrets.extend(client.user.as_ref().map(|user| user.password.clone()));
        Ok(client)
    }

    async fn renew(&self, ahead: SignedDuration) -> Result<Arc<Access>, VendorError> {
        let client = self.client().await?;
        let vault = self.vault.as_deref().ok_or_else(|| VendorError::NoRequest {
            operation: "refresh_token",
            why: "there is no place to keep tokens in".to_owned(),
        })?;
        let seed = Seed::of(&client);
        let kept_in = Place {
            vault,
            key: key(&self.authority(), &client.client_id),
        };
        let mut mine: Option<(Step, Claim)> = None;
        let mut failures = 0;
        loop {
            let mut kept = match kept_in.read().await {
                Err(VaultError::Other { .. }) if failures < FEW => {
                    failures += 1;
                    self.http.clock().sleep(self.timing.central_second).await;
                    continue;
                }
                kept => kept?,
            };
            let mut stored = Entry::read(kept.value.as_ref());
            if let Some(newer) = self.newer_than(&stored) {
                // Somebody put an older state of the Secret back, or took it away.
                match kept_in.store(&newer, &kept).await {
                    Ok(_) | Err(VaultError::Moved) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let step = match mine.take() {
                // The answer to our claim was lost, but not the claim.
                Some((step, claim)) if stored.claim.as_ref() == Some(&claim) => step,
                _ => {
                    let (step, entry) = self.next(stored, &client, &seed, ahead);
                    let entry = match step {
                        Step::Use => return self.take(entry),
                        Step::Await => {
                            // Nobody may watch Secrets, so there is no event to wait for.
                            self.http.clock().sleep(self.timing.central_second).await;
                            continue;
                        }
                        Step::Pause { until } => return Err(self.paused(&entry, until)),
                        Step::Stuck => return Err(self.stuck(&entry, &seed)),
                        Step::Seed => entry.seeded(&seed),
                        Step::Refresh | Step::LogIn => entry,
                    };
                    let claim = Claim {
                        by: self.me.clone(),
                        at: self.http.clock().wall(),
                    };
                    let claimed = Entry {
                        claim: Some(claim.clone()),
                        ..entry
                    };
                    kept = match kept_in.store(&claimed, &kept).await {
                        Ok(kept) => kept,
                        Err(VaultError::Moved) => continue,
                        Err(VaultError::Other { .. }) if failures < FEW => {
                            failures += 1;
                            mine = Some((step, claim));
                            self.http.clock().sleep(self.timing.central_second).await;
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    };
                    stored = claimed;
                    step
                }
            };
            if let Some(access) = self.ask(&client, step, stored, &kept_in, kept).await? {
                return Ok(access);
            }
        }
    }

    fn next(&self, stored: Entry, client: &ClientCredentials, seed: &Seed, ahead: SignedDuration) -> (Step, Entry) {
        let ask = Ask {
            seed,
            user: client.user.is_some(),
            refused: self.state().refused,
            now: self.http.clock().wall(),
            ahead,
            pause: SignedDuration::try_from(self.timing.token_pause).unwrap_or(SignedDuration::MAX),
        };
        entry::next(stored, &self.me, &ask)
    }

    /// What this process knows and the Secret does not: it was put back, or a pair could not be stored when it came.
    fn newer_than(&self, stored: &Entry) -> Option<Entry> {
        let free = stored.claim.as_ref().is_none_or(|claim| claim.by == self.me);
        let state = self.state();
        let newest = state
            .newest
            .as_ref()
            .filter(|newest| free && newest.generation > stored.generation)?;
        (stored.seed.is_none() || stored.seed == newest.seed).then(|| newest.clone())
    }

    /// Asks Central with what is claimed, and stores what comes of it. `Ok(None)`: look again what there is to be done.
    async fn ask(
        &self,
        client: &ClientCredentials,
        step: Step,
        claimed: Entry,
        kept_in: &Place<'_>,
        held: Kept,
    ) -> Result<Option<Arc<Access>>, VendorError> {
        let asked = self.http.clock().wall();
        let outcome = match (&claimed.refresh, &client.user) {
            (Some(token), _) if step != Step::LogIn => {
                self.state().secrets.push(token.clone());
                oauth::refresh(&self.http, client, token).await
            }
            (_, Some(user)) => oauth::log_in(&self.http, client, user, &self.customer).await,
            // Neither is asked for without being there.
            _ => Outcome::NotTaken(self.stuck(&claimed, &Seed::of(client))),
        };
        let open = Entry {
            claim: None,
            ..claimed.clone()
        };
        match outcome {
            Outcome::Pair(pair) => {
                let entry = claimed.clone().renewed(pair, asked);
                self.state().newest = Some(entry.clone());
                self.keep(kept_in, &entry, &claimed, held).await?;
                self.state().rotated += 1;
                self.take(entry).map(Some)
            }
            Outcome::Dead(error) => {
                self.state().dead = Some(error.message());
                let dead = Entry { dead: true, ..open };
                self.keep(kept_in, &dead, &claimed, held).await?;
                Ok(None)
            }
            Outcome::NotTaken(error) => {
                let not_before = match &error {
                    VendorError::Throttled { after, .. } => Some(asked + after.unwrap_or(BLIND_PAUSE).min(self.timing.retry_max)),
                    _ => open.not_before,
                };
                if error.bars_login() {
                    let version = client.version.clone();
                    self.state().barred = Some((self.http.clock().mono(), version, error.clone()));
                }
                self.keep(kept_in, &Entry { not_before, ..open }, &claimed, held).await?;
                Err(error)
            }
            Outcome::Lost(error) => {
                self.keep(kept_in, &claimed.clone().lost(asked), &claimed, held).await?;
                Err(error)
            }
        }
    }

    /// Stores what came of a claim, however often it takes; not over what somebody else has made of it since.
    async fn keep(&self, kept_in: &Place<'_>, entry: &Entry, claimed: &Entry, held: Kept) -> Result<(), VendorError> {
        let mut held = held;
        let mut pause = self.timing.central_second;
        for attempt in 1..=TRIES {
            let Err(error) = kept_in.store(entry, &held).await else {
                return Ok(());
            };
            if error != VaultError::Moved {
                if attempt == TRIES {
                    tracing::error!(
                        endpoint = %self.http.authority(),
                        %error,
                        "what came of a request for tokens could not be stored; it is lost if this process ends before it can be"
                    );
                    return Err(error.into());
                }
                self.http.clock().sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            if let Ok(kept) = kept_in.read().await {
                let now = Entry::read(kept.value.as_ref());
                if now.written().expose_secret() == entry.written().expose_secret() {
                    return Ok(());
                }
                let taken_over = now.claim != claimed.claim && now.generation >= entry.generation;
                if taken_over {
                    return Ok(());
                }
                held = kept;
            }
        }
        Err(VaultError::Moved.into())
    }

    fn take(&self, entry: Entry) -> Result<Arc<Access>, VendorError> {
        let access = Access::of(&entry).map(Arc::new).ok_or_else(|| VendorError::NoRequest {
            operation: "refresh_token",
            why: "there is no access token in what is kept".to_owned(),
        })?;
        let mut state = self.state();
        state.newest = Some(entry);
        state.current = Some(Arc::clone(&access));
        // Its own age is looked after from the beginning.
        state.looked = state.looked.filter(|_| access.aged(self.http.clock().wall(), SignedDuration::ZERO));
        state.dead = None;
        Ok(access)
    }

    fn paused(&self, entry: &Entry, until: Timestamp) -> VendorError {
        let why = match (entry.lost_at, entry.issued) {
            _ if entry.not_before == Some(until) => "Central asked for a pause".to_owned(),
            (Some(lost), _) => format!("the answer to a request for tokens was lost at {lost:.0}"),
            (None, Some(issued)) => format!("the last ones are of {issued:.0}, and were refused since"),
            (None, None) => "the last request failed".to_owned(),
        };
        VendorError::NoTokenYet {
            authority: self.authority(),
            why,
            until,
            after: Duration::try_from(until.duration_since(self.http.clock().wall())).unwrap_or_default(),
        }
    }

    fn stuck(&self, entry: &Entry, seed: &Seed) -> VendorError {
        let why = if entry.seed.as_deref() != Some(seed.mark()) {
            "the Secret holds one again that was used before, and those that came of it, or after it, are dead".to_owned()
        } else if let Some(lost) = entry.lost_at {
            format!("the answer to a refresh was lost at {lost:.0}, and the token that it was made with is used up")
        } else if entry.refresh.is_none() {
            "there is none".to_owned()
        } else {
            self.state().dead.clone().unwrap_or_else(|| "Central refused it".to_owned())
        };
        VendorError::TokensDead {
            authority: self.authority(),
            why,
        }
    }
}
