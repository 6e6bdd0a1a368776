//! One vendor client for each Connection, made anew when its spec changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use kube::Api;
use kube::ResourceExt;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::ledgers::Ledgers;
use super::secrets::KubeCredentials;
use super::secrets::KubeSecrets;
use super::secrets::KubeVault;
use super::sights::Looks;
use super::sights::Sights;
use super::wakes::Wakes;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::connection::ConnectionType;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::upgrade::facts::HandedOver;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;
use crate::vendor::CallObserver;
use crate::vendor::ClientOptions;
use crate::vendor::StartOpen;
use crate::vendor::VendorClient;
use crate::vendor::aruba_central::Account;
use crate::vendor::aruba_central::ArubaCentral;
use crate::vendor::aruba_central::Settings;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::error::VendorError;
use crate::vendor::hmc::Hmc;
use crate::vendor::http::Fence;
use crate::vendor::recovery_appliance::Manners;
use crate::vendor::recovery_appliance::RecoveryAppliance;
use crate::vendor::vault::TOKENS_SECRET;
use crate::vendor::vcenter::VCenter;

/// The client of one Connection in its present form, with what it shares with everybody who uses it.
pub struct Client {
    /// The Connection.
    pub who: Who,
    /// Where it leads.
    pub authority: Authority,
    /// Which API is spoken there.
    pub speaks: VendorType,
    /// Speaks to the vendor.
    pub vendor: VendorClient,
    /// Looks under way.
    pub looks: Looks,
    /// Where sights go.
    pub sights: Arc<Sights>,
    /// Who is told.
    pub wakes: Arc<Wakes>,
    /// Tasks of looks; joined at shutdown.
    pub tasks: TaskTracker,
    /// Held from confirm to append: starts of one Connection take their slots one after another.
    pub starting: tokio::sync::Mutex<()>,
    ledgers: Arc<Ledgers>,
    credentials: Arc<KubeCredentials>,
    doubted: AtomicBool,
    handing: AtomicBool,
    handed_over: Mutex<Option<HandedOver>>,
    /// Until when a token that could not be handed over is not tried again.
    handing_rests: Mutex<Option<Mono>>,
    clock: Clock,
    timing: Timing,
    uses: TaskTracker,
}

impl Client {
    /// Whether a target can be looked at, and started, through this client.
    pub fn leads_to(&self, key: &TargetKey) -> bool {
        self.speaks == key.vendor && self.authority == key.authority
    }

    /// Whether a start of a target may be under way, as far as is known here.
    pub fn start_open(&self, key: &TargetKey) -> bool {
        self.ledgers.start_open(key)
    }

    /// Keeps the session until it is dropped, also when the Connection is edited or deleted meanwhile: a start that the vendor has not
    /// processed yet must not lose the session behind it.
    pub fn using(&self) -> TaskTrackerToken {
        self.uses.token()
    }

    /// A call failed: the Connection is to be probed, and credentials that were refused are not tried again soon.
    pub fn suspect(&self, error: &VendorError) {
        self.refused(error);
        self.doubt();
    }

    /// Credentials that were refused are not tried again soon.
    pub fn refused(&self, error: &VendorError) {
        if matches!(error, VendorError::AuthFailed { .. }) {
            self.credentials.refused();
        }
    }

    /// Something looks wrong: the Connection is to be probed now.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
        self.wakes.wake(&self.who);
    }

    /// What was made of the vendor's token; see [`hand_over`].
    fn handed(&self) -> MutexGuard<'_, Option<HandedOver>> {
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handing_rests(&self) -> bool {
        let until = *self.handing_rests.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| self.clock.mono() < until)
    }

    fn rest_from_handing(&self, failed: bool) {
        let until = failed.then(|| self.clock.mono().plus(self.timing.poll_moving));
        *self.handing_rests.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether a probe was asked for; asking takes the wish back.
    pub fn take_doubt(&self) -> bool {
        self.doubted.swap(false, Ordering::AcqRel)
    }
}

/// Who is to be granted what, for the command that a Connection prints.
#[derive(Clone, Debug)]
pub struct Grantee {
    /// `namespace:name` of our service account.
    pub service_account: String,
    /// The ClusterRole; `None` where the install made no roles, and nobody knows what theirs is called.
    pub role: Option<String>,
}

impl Grantee {
    /// What lets us read the Secrets of a namespace, and keep our own there: a command, where there is a role that it can name.
    pub fn fix(&self, namespace: &str) -> String {
        let account = &self.service_account;
        match &self.role {
            Some(role) => {
                format!("run: kubectl create rolebinding windlass-secrets -n {namespace} --clusterrole={role} --serviceaccount={account}")
            }
            None => format!(
                "this install made no roles (rbac.create): grant serviceaccount {account} in namespace {namespace} get and create of secrets, \
                 and update of the one named {TOKENS_SECRET}"
            ),
        }
    }
}

/// What clients are made with.
pub struct Clients {
    kube: kube::Client,
    fence: Arc<Fence>,
    timing: Timing,
    clock: Clock,
    metrics: Metrics,
    sights: Arc<Sights>,
    wakes: Arc<Wakes>,
    tasks: TaskTracker,
    grantee: Grantee,
    made: Mutex<HashMap<Who, Made>>,
    ledgers: Arc<Ledgers>,
    /// Of each appliance that any Connection leads to. A few bytes each, kept for as long as the process lives.
    manners: Mutex<HashMap<Authority, Arc<Manners>>>,
    /// Of each account at Aruba Central that any Connection leads to: the calls that it has made. The same.
    accounts: Mutex<HashMap<(Authority, String), Arc<Account>>>,
}

struct Made {
    /// Uid and generation of the Connection that it was made from.
    of: (String, i64),
    client: Result<Arc<Client>, VendorError>,
}

impl Clients {
    /// A registry without clients.
    #[expect(clippy::too_many_arguments, reason = "called once, where the process is put together")]
    pub fn new(
        kube: kube::Client,
        fence: Fence,
        timing: Timing,
        clock: Clock,
        metrics: Metrics,
        sights: Arc<Sights>,
        wakes: Arc<Wakes>,
        tasks: TaskTracker,
        grantee: Grantee,
        ledgers: Arc<Ledgers>,
    ) -> Clients {
        Clients {
            kube,
            fence: Arc::new(fence),
            timing,
            clock,
            metrics,
            sights,
            wakes,
            tasks,
            grantee,
            made: Mutex::default(),
            ledgers,
            manners: Mutex::default(),
            accounts: Mutex::default(),
        }
    }

    /// The client of a Connection in its present form. Making one sends nothing.
    pub fn of(&self, connection: &Connection) -> Result<Arc<Client>, VendorError> {
        let namespace = connection.namespace().unwrap_or_default();
        let who = Who::connection(&namespace, &connection.name_any());
        let of = (
            connection.uid().unwrap_or_default(),
            connection.metadata.generation.unwrap_or_default(),
        );
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&who).filter(|m| m.of == of) {
            return known.client.clone();
        }
        let before = made
            .get(&who)
            .and_then(|m| m.client.as_ref().ok().map(|c| Arc::clone(&c.credentials)));
        let client = self.make(connection, who.clone(), before.as_deref()).map(Arc::new);
        let old = made.insert(
            who,
            Made {
                of,
                client: client.clone(),
            },
        );
        drop(made);
        self.retire(old);
        client
    }

    /// The client of a Connection of this type; none for one of another: nothing is ever asked of it in the wrong language.
    pub fn of_type(&self, connection: &Connection, type_: ConnectionType) -> Option<Arc<Client>> {
        (connection.spec.type_ == type_).then(|| self.of(connection).ok())?
    }

    /// What was made of the token of the vendor that this Connection leads to.
    pub fn handed_over(&self, connection: &Who) -> Option<HandedOver> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let client = made.get(connection)?.client.as_ref().ok()?;
        client.handed().clone()
    }

    /// The Connection is gone.
    pub fn forget(&self, who: &Who) {
        let old = self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
        self.retire(old);
    }

    fn retire(&self, old: Option<Made>) {
        if let Some(Made { client: Ok(client), .. }) = old {
            client.uses.close();
            self.tasks.spawn(async move {
                client.uses.wait().await;
                client.vendor.logout().await;
            });
        }
    }

    /// Ends every session, so that vendors with few of them have them back.
    pub async fn log_out(&self) {
        let clients: Vec<Arc<Client>> = self
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .filter_map(|(_, m)| m.client.ok())
            .collect();
        futures::future::join_all(clients.iter().map(|c| c.vendor.logout())).await;
    }

    fn manners(&self, authority: &Authority) -> Arc<Manners> {
        let mut all = self.manners.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(authority.clone()).or_default())
    }

    fn account(&self, authority: &Authority, customer_id: &str) -> Arc<Account> {
        let mut all = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((authority.clone(), customer_id.to_owned())).or_default())
    }

    fn start_open(&self) -> Arc<StartOpen> {
        let ledgers = Arc::clone(&self.ledgers);
        Arc::new(move |key: &TargetKey| ledgers.start_open(key))
    }

    /// `before`: an edit of the Connection does not make refused credentials worth another try.
    fn make(&self, connection: &Connection, who: Who, before: Option<&KubeCredentials>) -> Result<Client, VendorError> {
        let authority = Authority::from_url(&connection.spec.url).map_err(|e| VendorError::NoRequest {
            operation: "connect",
            why: e.to_string(),
        })?;
        let secrets = KubeSecrets {
            api: Api::namespaced(self.kube.clone(), &who.namespace),
            namespace: who.namespace.clone(),
            grantee: self.grantee.clone(),
        };
        let credentials = Arc::new(KubeCredentials::new(
            secrets.clone(),
            connection.spec.credentials_secret_ref.name.clone(),
            self.clock.clone(),
            self.timing.clone(),
            before,
        ));
        let speaks = connection.spec.type_.vendor();
        let options = ClientOptions {
            authority: authority.clone(),
            ca_bundle_pem: connection.spec.ca_bundle_pem.clone(),
            credentials: Arc::clone(&credentials) as Arc<dyn CredentialSource>,
            fence: Arc::clone(&self.fence),
            timing: self.timing.clone(),
            clock: self.clock.clone(),
            start_open: Some(self.start_open()),
            vault: Some(Arc::new(KubeVault::new(secrets.clone()))),
            secrets: Some(Arc::new(secrets)),
            observer: Some(Arc::new(Calls {
                metrics: self.metrics.clone(),
                vendor: speaks.slug(),
            })),
        };
        let vendor = match connection.spec.type_ {
            ConnectionType::Hmc => VendorClient::Hmc(Hmc::new(options)?),
            ConnectionType::ArubaCentral => {
                // Admission sees to it that it is there.
                let block = connection.spec.aruba_central.as_ref().ok_or_else(|| VendorError::NoRequest {
                    operation: "connect",
                    why: "spec.arubaCentral.customerId is missing".to_owned(),
                })?;
                let settings = Settings {
                    customer_id: block.customer_id.clone(),
                    requests_per_day: connection.spec.requests_per_day(),
                };
                let account = self.account(&authority, &settings.customer_id);
                if let Some((calls, day_ends)) = made_before(connection) {
                    account.made_before(calls, day_ends, self.clock.wall());
                }
                VendorClient::ArubaCentral(ArubaCentral::new(options, settings, account)?)
            }
            ConnectionType::VCenter => VendorClient::VCenter(VCenter::new(options)?),
            ConnectionType::RecoveryAppliance => {
                let base_path = connection.spec.base_path();
                VendorClient::RecoveryAppliance(RecoveryAppliance::new(options, base_path, self.manners(&authority))?)
            }
        };
        Ok(Client {
            who,
            authority,
            speaks,
            vendor,
            looks: Looks::default(),
            sights: Arc::clone(&self.sights),
            wakes: Arc::clone(&self.wakes),
            tasks: self.tasks.clone(),
            starting: tokio::sync::Mutex::default(),
            ledgers: Arc::clone(&self.ledgers),
            credentials,
            doubted: AtomicBool::new(false),
            handing: AtomicBool::new(false),
            handed_over: Mutex::default(),
            handing_rests: Mutex::default(),
            clock: self.clock.clone(),
            timing: self.timing.clone(),
            uses: TaskTracker::new(),
        })
    }
}

/// Puts the vendor's token where people find it. Returns at once; `who` is woken when that came to something else than before. What failed is
/// not tried again at once.
pub fn hand_over(client: &Arc<Client>, who: &Who) {
    if client.handing_rests() || client.handing.swap(true, Ordering::AcqRel) {
        return;
    }
    let (own, who, using) = (Arc::clone(client), who.clone(), client.using());
    client.tasks.spawn(async move {
        let _using = using;
        let now = own.vendor.hand_over(&own.who.name).await;
        let failed = matches!(now, Some(HandedOver::Failed { .. }));
        own.rest_from_handing(failed);
        let before = std::mem::replace(&mut *own.handed(), now.clone());
        own.handing.store(false, Ordering::Release);
        // Why it failed may be told in other words each time.
        let again = failed && matches!(before, Some(HandedOver::Failed { .. }));
        if before != now && !again {
            own.wakes.wake(&who);
        }
    });
}

struct Calls {
    metrics: Metrics,
    vendor: &'static str,
}

impl CallObserver for Calls {
    fn call(&self, operation: &'static str, class: &'static str, seconds: f64) {
        let duration = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.metrics.vendor_request(self.vendor, operation, class, duration);
    }
}

/// Calls of a day that were made through a Connection, by what its status shows, and when that day ends.
fn made_before(connection: &Connection) -> Option<(u32, Timestamp)> {
    let quota = connection.status.as_ref()?.quota.as_ref()?;
    let made = quota.limit_per_day?.saturating_sub(quota.remaining?);
    Some((u32::try_from(made).ok()?, quota.resets_at?))
}
