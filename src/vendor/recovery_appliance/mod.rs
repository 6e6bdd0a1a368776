//! VMware disaster recovery appliances: one endpoint is one appliance, upgraded by its configuration API v2.
//!
//! A start is `POST /appliance/update-manager/updates/{update_version}/actions/install`, and gives a task to follow it by. The appliance may
//! restart on the way and forget its sessions, and perhaps its tasks; its version tells in the end. A start whose answer was lost is found
//! by what is new in the list of tasks.
//!
//! Sources: the specifications of vSphere Replication's and Site Recovery Manager's appliance configuration API 2.0.0, which agree in all
//! that is used here (vmware-samples/site-recovery-manager-rest-api-examples), the public pages of the operations, and the vendor's sample
//! clients. The specifications name no base path; its default is what the documentation prints.
//!
//! **Pace.** This family of APIs bans who asks too often. A look (`GET /appliance` and the tasks), a probe, and each step of a
//! `retrieve-updates` begin at least `appliance_pause` after the last one began, whoever asks; none is
//! tried again before its next turn. A start waits for nothing.

mod answers;
mod calls;
mod failures;
mod manners;
mod offers;
mod session;
mod sights;
mod start;
mod wire;

#[cfg(test)]
mod answers_fuzz;
#[cfg(test)]
mod looks_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;

use self::failures::short;
use self::offers::Kept;
use self::sights::Purpose;
use super::ClientOptions;
use super::Inventory;
use super::ListFailure;
use super::Listing;
use super::Probe;
use super::StartOpen;
use super::error::VendorError;
use super::http::Http;
use super::http::HttpOptions;
use super::seam::Asked;
use super::session::Session;
use super::session::Token;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::APPLIANCE;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Timing;

pub use manners::Manners;
pub use start::Ready;
pub use start::describe_request;

/// Name of the product, for people; the appliance itself says which of the family it is.
const PRODUCT: &str = "a VMware recovery appliance";

/// Calls a second, within one look: looks themselves are seconds apart.
const CALLS_PER_SECOND: u32 = 5;

/// The client of one appliance. Cheap to clone; all clones share one session, one limiter and one pace.
#[derive(Clone)]
pub struct RecoveryAppliance {
    shared: Arc<Shared>,
}

struct Shared {
    http: Http,
    session: Session,
    timing: Timing,
    /// Segments of the base path.
    base: Vec<String>,
    manners: Arc<Manners>,
    start_open_on: Option<Arc<StartOpen>>,
    kept: Mutex<Option<Kept>>,
}

impl RecoveryAppliance {
    /// Makes the client; sends nothing. `base_path`: where the API is, with a slash before it.
    pub fn new(options: ClientOptions, base_path: &str, manners: Arc<Manners>) -> Result<RecoveryAppliance, VendorError> {
        let ClientOptions {
            authority,
            ca_bundle_pem,
            credentials,
            fence,
            timing,
            clock,
            observer,
            start_open,
            secrets: _,
            vault: _,
        } = options;
        let http = Http::new(HttpOptions {
            vendor: VendorType::RecoveryAppliance.slug(),
            authority,
            ca_bundle_pem,
            per_second: NonZeroU32::new(CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN),
            fence,
            start_timeout: timing.start_timeout_appliance,
            timing: timing.clone(),
            retry_reads: false,
            clock,
            observer,
            gate: None,
        })?;
        let base: Vec<String> = base_path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Ok(RecoveryAppliance {
            shared: Arc::new(Shared {
                http,
                session: Session::new(session::door(&base), credentials),
                timing,
                base,
                manners,
                start_open_on: start_open,
                kept: Mutex::default(),
            }),
        })
    }

    /// Whether it answers, is such an appliance, and lets us in. Reads the credentials again, so a rotated Secret is noticed here. Asks for
    /// no updates: that leaves a trace.
    pub async fn probe(&self) -> Result<Probe, VendorError> {
        let shared = &*self.shared;
        shared.turn().await;
        shared.session.refresh(&shared.http).await?;
        let (_, appliance, _) = shared.appliance().await?;
        let product = appliance.product.unwrap_or_else(|| PRODUCT.trim_start_matches("a ").to_owned());
        let version = appliance.version.as_deref().unwrap_or("of an unknown version");
        let host = appliance.hostname.map(|host| format!(" on {host}")).unwrap_or_default();
        Ok(Probe {
            message: format!("logged in; {product} {version}{host}"),
            product,
            version: appliance.version,
        })
    }

    /// The look at an appliance that waits for a start: its version, all its tasks, and what it offers. The list has one target.
    pub async fn list(&self) -> Result<Listing, Box<ListFailure>> {
        let shared = &*self.shared;
        shared.turn().await;
        let Asked {
            mono: asked,
            at,
            authority,
        } = Asked::now(&shared.http);
        let failed = |error| Box::new(ListFailure { asked, at, error });
        let (mut sight, _) = shared.look(None, Purpose::Start).await.map_err(failed)?;
        // The look is from before: a task that is run for the offers is not in it, and moves nothing.
        sight.offered = offers::offered(shared.updates(&sight, shared.timing.offers).await);
        sight.detailed = false;
        Ok(Listing {
            asked: sight.asked,
            at: sight.at,
            authority,
            complete: true,
            sights: BTreeMap::from([(APPLIANCE.to_owned(), sight)]),
        })
    }

    /// What it is and what it offers, for people.
    pub async fn inventory(&self) -> Result<Inventory, VendorError> {
        let shared = &*self.shared;
        shared.turn().await;
        let (asked, appliance, _) = shared.appliance().await?;
        let tasks = shared.tasks().await;
        let sight = sights::of(&asked, &appliance, &tasks, &shared.manners.own(), Purpose::Start);
        let updates = shared.updates(&sight, shared.timing.poll_waiting).await;
        let Some(version) = appliance.version else {
            return Err(VendorError::Unreadable {
                authority: shared.http.authority().to_string(),
                operation: "get_appliance",
                what: "an appliance without a version".to_owned(),
            });
        };
        Ok(Inventory::RecoveryAppliance {
            product: appliance.product,
            version,
            updates,
        })
    }

    /// One look at an appliance on which a start is under way, or may be: nothing is asked that leaves a trace. With `job`, the task that is
    /// known to be the start, only that one is read; without it all are.
    pub async fn observe(&self, target: &TargetKey, job: Option<&str>) -> Sight {
        let shared = &*self.shared;
        let before = Asked::now(&shared.http);
        if let Err(error) = shared.check(target) {
            return before.not_seen(&error.message(), false, true);
        }
        shared.turn().await;
        let before = Asked::now(&shared.http);
        match shared.look(job, Purpose::Evidence).await {
            Ok((sight, _)) => sight,
            Err(error) => before.not_seen(&short(&error), false, true),
        }
    }

    /// Everything slow that comes before a start: what is offered now, and then a look whose list of tasks has the witness, the task that
    /// told what is offered. An appliance that is not at rest is only looked at.
    pub async fn prepare(&self, target: &TargetKey) -> Result<Ready, VendorError> {
        let shared = &*self.shared;
        shared.check(target)?;
        // The start's own token comes first: waiting for it after the look would age the look.
        shared.http.token().await?;
        let guard = Arc::clone(&shared.manners.starting).lock_owned().await;
        shared.turn().await;
        let (mut sight, mut token) = shared.look(None, Purpose::Start).await?;
        if sight.complete && sight.motion == Motion::Still {
            let retrieved = if let Some(retrieved) = shared.still_witnessed(&sight) {
                retrieved
            } else {
                let retrieved = shared.retrieve().await?;
                shared.turn().await;
                (sight, token) = shared.look(None, Purpose::Start).await?;
                if let Some(looks) = &sight.looks {
                    shared.keep(sight.asked, &looks.version, &retrieved);
                }
                retrieved
            };
            if let Some(jobs) = sight.looks.as_mut().and_then(|looks| looks.jobs.as_mut())
                && let Some(id) = retrieved.task
            {
                // One that the list shows late is known all the same, and not taken for the start; but it is no witness then.
                jobs.witness = Some(id.clone()).filter(|id| jobs.ids.contains(id));
                jobs.ids.insert(id);
            }
            sight.offered = offers::offered(retrieved.updates);
        }
        Ok(Ready {
            client: self.clone(),
            target: target.clone(),
            sight,
            token,
            guard,
        })
    }

    /// Ends the session. Best effort.
    pub async fn logout(&self) {
        self.shared.session.logout(&self.shared.http).await;
    }
}

impl Shared {
    /// The appliance and its tasks, or the one task.
    async fn look(&self, job: Option<&str>, purpose: Purpose) -> Result<(Sight, Arc<Token>), VendorError> {
        let (asked, appliance, token) = self.appliance().await?;
        let tasks = match job {
            Some(id) => self.task(id).await,
            None => self.tasks().await,
        };
        Ok((sights::of(&asked, &appliance, &tasks, &self.manners.own(), purpose), token))
    }

    fn check(&self, target: &TargetKey) -> Result<(), VendorError> {
        let authority = self.http.authority();
        if *target == TargetKey::appliance(authority.clone()) {
            return Ok(());
        }
        Err(VendorError::NoRequest {
            operation: "get_appliance",
            why: format!("{target} is not the appliance at {authority}"),
        })
    }
}
