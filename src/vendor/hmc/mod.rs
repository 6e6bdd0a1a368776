//! IBM Z Hardware Management Consoles: one endpoint is one console, which upgrades its own firmware through the HMC Web Services API.
//!
//! A start is `POST /api/console/operations/single-step-install` with the bundle to go to, and gives a job to follow it by. The console
//! restarts on the way and forgets its sessions, but not its jobs; its bundle tells in the end. There is no list of jobs: a start whose answer
//! was lost is found by the bundle alone, and only once that has changed (`vendors.md` 5.2).
//!
//! The other way to upgrade a console, a *remote firmware update*, is scheduled by IBM, to whom people hand a token. Here a start is
//! `POST /api/console/operations/authorize-remote-firmware-updates`, which issues one. Such updates are listed, and seen here as jobs that the
//! vendor planned. Windlass neither changes nor cancels them.
//!
//! Sources: the public pages of the HMC Web Services API book (SC27-2642), and IBM's own clients zhmcclient, zhmccli and
//! zhmc-ansible-modules. No specification of the API is public; what is unconfirmed is read leniently, in [`wire`].
//!
//! **What an error body holds.** It echoes the request that it is about, with the session id and the body, so passwords, too. Only its status,
//! reason and message are read, and the message goes no further when it quotes a secret: see [`hush`](super::hush).

mod answers;
mod calls;
mod failures;
mod inventory;
mod session;
mod sights;
mod start;
mod tokens;
mod wire;

pub use self::wire::state_of_update;

#[cfg(test)]
mod answers_fuzz;
#[cfg(test)]
mod answers_tests;
#[cfg(test)]
mod canary_tests;
#[cfg(test)]
mod inventory_tests;
#[cfg(test)]
mod jobs_tests;
#[cfg(test)]
mod looks_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod start_tests;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use secrecy::SecretString;

use self::calls::Features;
use self::failures::short;
use self::sights::Read;
use self::sights::UNSUPPORTED;
use self::tokens::Tokens;
use super::ClientOptions;
use super::ListFailure;
use super::Listing;
use super::Probe;
use super::credentials::Credentials;
use super::credentials::SecretSource;
use super::error::VendorError;
use super::http::Http;
use super::http::HttpOptions;
use super::seam::Asked;
use super::session::Session;
use super::session::Token;
use super::vault::TokenVault;
use crate::controller::permit::Order;
use crate::upgrade::facts::HandedOver;
use crate::upgrade::facts::InstallSource;
use crate::upgrade::facts::Options;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::CONSOLE;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Timing;
use crate::upgrade::version;

pub use start::Ready;
pub use start::describe_request;

/// Name of the product, for people.
const PRODUCT: &str = "an IBM Hardware Management Console";

/// Calls a second. No limit is documented; a console is one machine with people at it.
const CALLS_PER_SECOND: u32 = 10;

/// A password that expires this soon is mentioned, in days.
const SOON: u64 = 14;

/// The client of one console. Cheap to clone; all clones share one session and one limiter.
#[derive(Clone)]
pub struct Hmc {
    shared: Arc<Shared>,
}

struct Shared {
    http: Http,
    session: Session,
    timing: Timing,
    secrets: Option<Arc<dyn SecretSource>>,
    vault: Option<Arc<dyn TokenVault>>,
    tokens: Tokens,
    features: Mutex<Option<Features>>,
    /// The last password of a file server that was read for a start: a job that fails may quote it.
    lent: Mutex<Option<SecretString>>,
    /// The job that the last start of this client was given. Of any other job it is not known which password its words may quote.
    begun: Mutex<Option<String>>,
}

impl Hmc {
    /// Makes the client; sends nothing.
    pub fn new(options: ClientOptions) -> Result<Hmc, VendorError> {
        let ClientOptions {
            authority,
            ca_bundle_pem,
            credentials,
            fence,
            timing,
            clock,
            observer,
            // Nothing that a console is asked leaves a trace there.
            start_open: _,
            secrets,
            vault,
        } = options;
        let http = Http::new(HttpOptions {
            vendor: VendorType::Hmc.slug(),
            authority,
            ca_bundle_pem,
            per_second: NonZeroU32::new(CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN),
            fence,
            start_timeout: timing.start_timeout_hmc,
            timing: timing.clone(),
            retry_reads: true,
            clock,
            observer,
            gate: None,
        })?;
        Ok(Hmc {
            shared: Arc::new(Shared {
                http,
                session: Session::new(session::door(), credentials),
                timing,
                secrets,
                vault,
                tokens: Tokens::default(),
                features: Mutex::default(),
                lent: Mutex::default(),
                begun: Mutex::default(),
            }),
        })
    }

    /// Whether it answers, is a console that can be upgraded through its API, and lets us in. Reads the credentials again, so a rotated Secret
    /// is noticed here.
    pub async fn probe(&self) -> Result<Probe, VendorError> {
        let shared = &*self.shared;
        let api = shared.version().await?;
        let opened = shared.session.refresh(&shared.http).await?;
        let (_, console, _) = shared.console().await?;
        let bundle = console.bundle.ok_or_else(|| shared.unsupported())?;
        let version = console.version.or(api.version);
        let name = console.name.or(api.name).map(|name| format!(" {name}")).unwrap_or_default();
        let at = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let days = opened.password_days().filter(|days| *days <= SOON);
        let password = days
            .map(|days| format!("; the password expires in {days} days"))
            .unwrap_or_default();
        let (major, minor) = api.api;
        Ok(Probe {
            product: "HMC".to_owned(),
            message: format!("logged in; HMC{name}{at} at bundle {bundle}, API {major}.{minor}{password}"),
            version,
        })
    }

    /// The look at a console that waits for a start: its bundle, and what IBM scheduled. The list has one target.
    pub async fn list(&self) -> Result<Listing, Box<ListFailure>> {
        let shared = &*self.shared;
        let Asked {
            mono: asked,
            at,
            authority,
        } = Asked::now(&shared.http);
        let failed = |error| Box::new(ListFailure { asked, at, error });
        let (mut sight, _) = shared.look(None).await.map_err(failed)?;
        sight.detailed = false;
        Ok(Listing {
            asked: sight.asked,
            at: sight.at,
            authority,
            complete: true,
            sights: BTreeMap::from([(CONSOLE.to_owned(), sight)]),
        })
    }

    /// One look at a console on which a start is under way, or may be. With `job`, the URI of a job or of a remote firmware update, also at
    /// that.
    pub async fn observe(&self, target: &TargetKey, job: Option<&str>) -> Sight {
        let shared = &*self.shared;
        let before = Asked::now(&shared.http);
        if let Err(error) = shared.check(target) {
            return before.not_seen(&error.message(), false, true);
        }
        match shared.look(job).await {
            Ok((sight, _)) => sight,
            Err(error) => before.not_seen(&short(&error), false, true),
        }
    }

    /// Everything slow that comes before a start, ending in a fresh look. The credentials of the file server are read here, where one is asked
    /// for. A console that is not at rest, or is at the version, gets no start: it is only looked at, and a Secret that is missing is nobody's
    /// trouble.
    pub async fn prepare(&self, target: &TargetKey, order: &Order) -> Result<Ready, VendorError> {
        let shared = &*self.shared;
        shared.check(target)?;
        // Before the look: waiting after it would age it.
        let lent = shared.lend(order).await;
        shared.http.token().await?;
        let (sight, token) = shared.look(None).await?;
        let there = |bundle: &str| version::is_at(&order.version, bundle);
        let idle = sight.looks.as_ref().is_some_and(|looks| !there(&looks.version));
        let lent = if sight.motion == Motion::Still && idle { lent? } else { None };
        Ok(Ready {
            client: self.clone(),
            target: target.clone(),
            order: order.clone(),
            lent,
            sight,
            token,
        })
    }

    /// Keeps the token for IBM that can be used longest in the Secret that is ours, unless one that is good is there.
    pub async fn hand_over(&self, connection: &str) -> Option<HandedOver> {
        let shared = &*self.shared;
        let good = shared.tokens.good(shared.http.clock().wall());
        tokens::hand_over(&good, shared.vault.as_deref(), connection).await
    }

    /// Ends the session. Best effort.
    pub async fn logout(&self) {
        self.shared.session.logout(&self.shared.http).await;
    }
}

impl Shared {
    /// The console, what IBM scheduled there, and the job, where one is known. The job is asked for first: one that is done is never shown
    /// beside the bundle of before.
    async fn look(&self, job: Option<&str>) -> Result<(Sight, Arc<Token>), VendorError> {
        let begun = Asked::now(&self.http);
        let followed = match job {
            Some(uri) => Some(self.follow(uri).await),
            None => None,
        };
        // Nobody there: the other calls would only wait for the same.
        if let Some(Err(error @ VendorError::Unreachable { .. })) = followed {
            return Err(error);
        }
        let (asked, console, token) = self.console().await?;
        let asked = if job.is_some() { begun } else { asked };
        let (updates, token) = match self.updates(None).await {
            Ok((mut updates, token)) => {
                self.add_progress(&mut updates, &token).await;
                (Ok(updates), token)
            }
            Err(error) => (Err(error), token),
        };
        // Its element is for people: where that cannot be read, and the list has it, the list is as good.
        let listed = |uri: &str| updates.as_ref().is_ok_and(|all| all.rows.iter().any(|row| row.uri == uri));
        let followed = followed.filter(|read| read.is_ok() || !job.is_some_and(listed));
        Ok((sights::of(&asked, &console, Read { updates, followed }), token))
    }

    /// User and password of the file server that an order names.
    async fn lend(&self, order: &Order) -> Result<Option<Credentials>, VendorError> {
        let Options::ConsoleInstall {
            source: InstallSource::Ftp { secret, .. },
            ..
        } = &order.options
        else {
            return Ok(None);
        };
        let source = self.secrets.as_ref().ok_or_else(|| VendorError::NoRequest {
            operation: "start",
            why: format!("Secret {secret} cannot be read from here"),
        })?;
        let credentials = source.named(secret).await?;
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials.password.clone());
        Ok(Some(credentials))
    }

    fn unsupported(&self) -> VendorError {
        VendorError::Unsupported {
            authority: self.http.authority().to_string(),
            what: UNSUPPORTED,
        }
    }

    fn check(&self, target: &TargetKey) -> Result<(), VendorError> {
        let authority = self.http.authority();
        if *target == TargetKey::console(authority.clone()) {
            return Ok(());
        }
        Err(VendorError::NoRequest {
            operation: "get_console",
            why: format!("{target} is not the console at {authority}"),
        })
    }
}
