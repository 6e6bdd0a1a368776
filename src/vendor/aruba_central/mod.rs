//! Aruba Central (classic): one endpoint serves many accounts, and a Connection leads to one of them, a provider's with its customers.
//!
//! A target is the devices of one type of one customer. A start is `POST /firmware/v1/msp/upgrade/customers/{customer_id}`; it gives no job and no
//! id, so what became of it is judged by the devices alone (`vendors.md` 1.4), which are listed with the customer's id in the header `TenantID`.
//! Sights are aggregated: a fleet of lines, never a row for each device.
//!
//! Every call is charged to the account ([`meter`]); every call needs an access token that is renewed for another one each time ([`tokens`]).
//! Client secret, refresh token and code travel in the *query* of a URL: nothing of a query is logged, and no error has a URL.
//!
//! Sources: the vendor's public collection of requests and its client pycentral. What is unconfirmed is read leniently, in [`wire`].

mod access;
mod answers;
mod calls;
mod entry;
mod failures;
mod inventory;
mod look;
mod meter;
mod oauth;
mod offers;
mod place;
mod sights;
mod start;
mod tokens;
mod wire;

#[cfg(test)]
mod answers_fuzz;
#[cfg(test)]
mod answers_tests;
#[cfg(test)]
mod canary_tests;
#[cfg(test)]
mod entry_tests;
#[cfg(test)]
mod inventory_tests;
#[cfg(test)]
mod login_tests;
#[cfg(test)]
mod looks_tests;
#[cfg(test)]
mod meter_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod start_tests;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use self::look::Known;
use self::look::Whose;
use self::meter::Meter;
use self::meter::OneByOne;
use self::offers::Offers;
use self::tokens::Tokens;
use super::ClientOptions;
use super::Listing;
use super::Probe;
use super::error::VendorError;
use super::http::Gate;
use super::http::Http;
use super::http::HttpOptions;
use super::seam::Asked;
use crate::controller::permit::Order;
use crate::upgrade::facts::Options;
use crate::upgrade::fleet::Fleet;
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::fleet::Scope;
use crate::upgrade::quota::Quota;
use crate::upgrade::quota::Spend;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;

pub use meter::Account;
pub use start::Ready;
pub use start::describe_request;

/// Name of the product, for people.
const PRODUCT: &str = "Aruba Central";

/// Calls a second that the limiter of the HTTP layer lets through: none is held up there, for the account's own count is stricter.
const UNLIMITED: NonZeroU32 = NonZeroU32::MAX;

/// What a Connection says of its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `spec.arubaCentral.customerId`: the account to log in to, a provider's.
    pub customer_id: String,
    /// `spec.limits.requestsPerDay`.
    pub requests_per_day: u32,
}

/// The client of one account. Cheap to clone; all clones share tokens and counts.
#[derive(Clone)]
pub struct ArubaCentral {
    shared: Arc<Shared>,
}

struct Shared {
    http: Http,
    tokens: Tokens,
    meter: Meter,
    timing: Timing,
    customer_id: String,
    offers: Offers,
    /// What earlier looks at a target have told that the next one can use.
    known: Mutex<BTreeMap<String, Known>>,
    /// When a call last went well; nothing once one has failed.
    well: Mutex<Option<Mono>>,
}

impl ArubaCentral {
    /// Makes the client; sends nothing. `account`: shared by all Connections of this process that lead to the same one.
    pub fn new(options: ClientOptions, settings: Settings, account: Arc<Account>) -> Result<ArubaCentral, VendorError> {
        let ClientOptions {
            authority,
            ca_bundle_pem,
            credentials,
            fence,
            timing,
            clock,
            observer,
            // Nothing that Central is asked leaves a trace there.
            start_open: _,
            secrets: _,
            vault,
        } = options;
        let name = authority.to_string();
        let meter = Meter::new(name, account, settings.requests_per_day, clock.clone(), &timing);
        let http = |gate: Arc<dyn Gate>| {
            Http::new(HttpOptions {
                vendor: VendorType::ArubaCentral.slug(),
                authority: authority.clone(),
                ca_bundle_pem: ca_bundle_pem.clone(),
                per_second: UNLIMITED,
                fence: Arc::clone(&fence),
                start_timeout: timing.start_timeout_central,
                timing: timing.clone(),
                // Each try is charged, and whoever looks looks again by itself.
                retry_reads: false,
                clock: clock.clone(),
                observer: observer.clone(),
                gate: Some(gate),
            })
        };
        let tokens = Tokens::new(
            http(Arc::new(OneByOne::new(timing.central_second, clock.clone())))?,
            credentials,
            vault,
            settings.customer_id.clone(),
            timing.clone(),
        );
        Ok(ArubaCentral {
            shared: Arc::new(Shared {
                http: http(Arc::new(meter.clone()))?,
                tokens,
                meter,
                offers: Offers::default(),
                timing,
                customer_id: settings.customer_id,
                known: Mutex::default(),
                well: Mutex::default(),
            }),
        })
    }

    /// Whether it answers, is Central, and lets us in. Reads the credentials again, so a changed Secret is noticed here. A call that went well not
    /// long ago is as good as one for the probe, and a day without calls left is no fault of the Connection.
    pub async fn probe(&self) -> Result<Probe, VendorError> {
        let shared = &*self.shared;
        shared.tokens.check().await?;
        let probe = |more: &str| Probe {
            product: PRODUCT.to_owned(),
            version: None,
            message: format!("logged in to {}{more}", shared.customer_id),
        };
        let now = shared.http.clock().mono();
        let last = *shared.well.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| now.since(at) < shared.timing.probe_central) {
            return Ok(probe(""));
        }
        let spent = |error: VendorError| match error {
            VendorError::QuotaUsedUp { until, .. } => Ok(probe(&format!("; today's calls are used up until {until:.0}"))),
            error => Err(error),
        };
        if let Err(error) = shared.meter.afford(Spend::Finishing, 1) {
            return spent(error);
        }
        match shared.firmware_service().await {
            Ok(()) => Ok(probe("")),
            Err(error) => spent(error),
        }
    }

    /// Nothing: there is no list of all targets, and a look at each is charged.
    pub fn list(&self) -> Listing {
        let Asked {
            mono: asked,
            at,
            authority,
        } = Asked::now(&self.shared.http);
        Listing {
            asked,
            at,
            authority,
            complete: false,
            sights: BTreeMap::new(),
        }
    }

    /// One look at the devices of one type of a customer.
    pub async fn observe(&self, target: &TargetKey, scope: &Scope) -> Sight {
        let shared = &*self.shared;
        let _turn = shared.meter.turn_of_look().await;
        let before = Asked::now(&shared.http);
        let whose = match shared.whose(target) {
            Ok(whose) => whose,
            Err(error) => return before.not_seen(&error.message(), false, true),
        };
        match shared.look(&whose, scope, false).await {
            Ok((sight, _)) => sight,
            Err(unseen) => Sight {
                cost: unseen.cost,
                ..before.not_seen(&unseen.why(), unseen.unknown, true)
            },
        }
    }

    /// Everything slow that comes before a start: a token that nobody replaces meanwhile, enough calls for the day, whether the version is offered,
    /// a fresh look, and a place among the calls of a second.
    pub async fn prepare(&self, target: &TargetKey, order: &Order) -> Result<Ready, VendorError> {
        let shared = &*self.shared;
        let whose = shared.whose(target)?;
        let exclude_groups = match &order.options {
            Options::Customer { exclude_groups, .. } => exclude_groups.clone(),
            _ => BTreeSet::new(),
        };
        let versions = Some(order.version.clone()).filter(|version| version != RECOMMENDED);
        let scope = Scope {
            exclude_groups,
            versions: versions.into_iter().collect(),
            spend: Spend::Starting,
        };
        shared.tokens.fresh().await?;
        let _turn = shared.meter.turn_of_preparation().await;
        let (sight, access) = shared.look(&whose, &scope, true).await.map_err(|unseen| unseen.error)?;
        if !told(&sight, &scope) {
            return Err(VendorError::Unreadable {
                authority: shared.http.authority().to_string(),
                operation: "list_devices",
                what: format!("not all that a start rests on ({})", sight.says.as_deref().unwrap_or("no reason")),
            });
        }
        // The start is one call more.
        shared.meter.afford(Spend::Starting, 1)?;
        let place = shared.meter.place().await?;
        Ok(Ready {
            client: self.clone(),
            target: target.clone(),
            order: order.clone(),
            sight,
            access,
            place,
        })
    }

    /// What may still be asked today. Asks nobody.
    pub fn quota(&self) -> Option<Quota> {
        Some(self.shared.meter.quota())
    }

    /// How many pairs of tokens came and were stored since this was asked last.
    pub fn take_rotated(&self) -> u64 {
        self.shared.tokens.take_rotated()
    }

    /// Waits until what is under way for tokens is stored. There is no session to end: the pair is kept for the next process.
    pub async fn logout(&self) {
        self.shared.tokens.settle().await;
    }
}

/// All devices were read, and of each group and version that which was asked for. A start rests on nothing less.
fn told(sight: &Sight, scope: &Scope) -> bool {
    let all = |fleet: &Fleet| {
        let offered = |version: &String| fleet.lines.is_empty() || fleet.offers.contains_key(version);
        fleet.groups.is_superset(&scope.exclude_groups) && scope.versions.iter().all(offered)
    };
    sight.complete && sight.fleet.as_ref().is_some_and(all)
}

impl Shared {
    /// Customer and type of a target here.
    fn whose<'a>(&self, target: &'a TargetKey) -> Result<Whose<'a>, VendorError> {
        let authority = self.http.authority();
        let here = target.as_customer().filter(|_| target.authority == *authority);
        let (customer, type_) = here.ok_or_else(|| VendorError::NoRequest {
            operation: "list_devices",
            why: format!("{target} is no customer's devices at {authority}"),
        })?;
        Ok(Whose {
            customer,
            type_,
            object: &target.object,
        })
    }
}
