//! One vendor client for each Connection, made anew when its spec changes, and the Secret it logs in with.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::ResourceExt;
use secrecy::SecretString;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::ledgers::Ledgers;
use super::sights::Looks;
use super::sights::Sights;
use super::wakes::Wakes;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::connection::ConnectionType;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;
use crate::vendor::CallObserver;
use crate::vendor::ClientOptions;
use crate::vendor::StartOpen;
use crate::vendor::VendorClient;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Credentials;
use crate::vendor::credentials::SecretSource;
use crate::vendor::error::VendorError;
use crate::vendor::hmc::Hmc;
use crate::vendor::http::Fence;
use crate::vendor::recovery_appliance::Manners;
use crate::vendor::recovery_appliance::RecoveryAppliance;
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
    credentials: Arc<KubeCredentials>,
    doubted: AtomicBool,
    uses: TaskTracker,
}

impl Client {
    /// Whether a target can be looked at, and started, through this client.
    pub fn leads_to(&self, key: &TargetKey) -> bool {
        self.speaks == key.vendor && self.authority == key.authority
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
    /// The ClusterRole.
    pub role: String,
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
        let credentials = Arc::new(KubeCredentials {
            secrets: secrets.clone(),
            secret: connection.spec.credentials_secret_ref.name.clone(),
            clock: self.clock.clone(),
            timing: self.timing.clone(),
            last: Mutex::new(before.map(|b| b.last().clone()).unwrap_or_default()),
        });
        let speaks = connection.spec.type_.vendor();
        let options = ClientOptions {
            authority: authority.clone(),
            ca_bundle_pem: connection.spec.ca_bundle_pem.clone(),
            credentials: Arc::clone(&credentials) as Arc<dyn CredentialSource>,
            fence: Arc::clone(&self.fence),
            timing: self.timing.clone(),
            clock: self.clock.clone(),
            start_open: Some(self.start_open()),
            secrets: Some(Arc::new(secrets)),
            observer: Some(Arc::new(Calls {
                metrics: self.metrics.clone(),
                vendor: speaks.slug(),
            })),
        };
        let vendor = match connection.spec.type_ {
            ConnectionType::Hmc => VendorClient::Hmc(Hmc::new(options)?),
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
            credentials,
            doubted: AtomicBool::new(false),
            uses: TaskTracker::new(),
        })
    }
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

/// Reads `username` and `password` from the Connection's Secret; Secrets are never listed or watched.
struct KubeCredentials {
    secrets: KubeSecrets,
    secret: String,
    clock: Clock,
    timing: Timing,
    last: Mutex<LastRead>,
}

#[derive(Clone, Default)]
struct LastRead {
    version: Option<String>,
    /// The version that a vendor refused, and when.
    refused: Option<(String, Mono)>,
}

impl KubeCredentials {
    fn last(&self) -> MutexGuard<'_, LastRead> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vendor refused what was read last. Vendors lock accounts after a few wrong passwords, so the same are not tried again
    /// before the Secret changes or GRACE has passed.
    fn refused(&self) {
        let mut last = self.last();
        let known = last.refused.as_ref().map(|(version, _)| version.clone());
        if let Some(version) = last.version.clone().filter(|v| known.as_ref() != Some(v)) {
            last.refused = Some((version, self.clock.mono()));
        }
    }

    fn read(&self, secret: &Secret) -> Result<Credentials, CredentialError> {
        let version = secret.resource_version().unwrap_or_default();
        {
            let mut last = self.last();
            last.version = Some(version.clone());
            if let Some((refused, at)) = &last.refused {
                if *refused == version && self.clock.mono().since(*at) < self.timing.grace {
                    return Err(CredentialError::Refused {
                        secret: self.secret.clone(),
                    });
                }
                last.refused = None;
            }
        }
        credentials_in(secret, &self.secret)
    }

    async fn fetch(&self) -> Result<Credentials, CredentialError> {
        self.read(&self.secrets.get(&self.secret).await?)
    }
}

/// Reads Secrets of one namespace with `get`.
#[derive(Clone)]
struct KubeSecrets {
    api: Api<Secret>,
    namespace: String,
    grantee: Grantee,
}

impl KubeSecrets {
    async fn get(&self, secret: &str) -> Result<Secret, CredentialError> {
        let name = || secret.to_owned();
        match self.api.get(secret).await {
            Ok(secret) => Ok(secret),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(CredentialError::NotFound { secret: name() }),
            Err(kube::Error::Api(status)) if status.code == 403 => Err(CredentialError::AccessDenied {
                secret: name(),
                fix: format!(
                    "run: kubectl create rolebinding windlass-secrets -n {} --clusterrole={} --serviceaccount={}",
                    self.namespace, self.grantee.role, self.grantee.service_account
                ),
            }),
            Err(error) => Err(CredentialError::Other {
                secret: name(),
                why: error.to_string(),
            }),
        }
    }
}

impl SecretSource for KubeSecrets {
    fn named<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Credentials, CredentialError>> {
        async move { credentials_in(&self.get(secret).await?, secret) }.boxed()
    }
}

impl CredentialSource for KubeCredentials {
    fn get(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        self.fetch().boxed()
    }
}

/// What a Secret of this name holds.
fn credentials_in(secret: &Secret, name: &str) -> Result<Credentials, CredentialError> {
    let text = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|d| d.get(key));
        let text = bytes.and_then(|b| String::from_utf8(b.0.clone()).ok()).filter(|t| !t.is_empty());
        text.ok_or_else(|| CredentialError::Incomplete {
            secret: name.to_owned(),
            key: key.to_owned(),
        })
    };
    Ok(Credentials {
        username: text("username")?,
        password: SecretString::from(text("password")?),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    proptest! {
        #[test]
        fn a_secret_of_any_bytes_gives_its_own_text_or_names_the_key_and_never_shows_a_byte(
            data in prop::collection::btree_map("username|password|other", prop::collection::vec(prop_oneof![any::<u8>(), 32..127_u8], 0..40), 0..3),
        ) {
            let data = data.into_iter().map(|(key, bytes)| (key, ByteString(bytes))).collect();
            let secret = Secret { data: Some(data), ..Secret::default() };
            let data = secret.data.as_ref().unwrap();
            let readable = |key: &str| data.get(key).is_some_and(|b| !b.0.is_empty() && std::str::from_utf8(&b.0).is_ok());
            match credentials_in(&secret, "vc1") {
                Ok(read) => {
                    prop_assert_eq!(read.username.as_bytes(), &*data["username"].0);
                    prop_assert_eq!(read.password.expose_secret().as_bytes(), &*data["password"].0);
                    prop_assert_eq!(format!("{read:?}"), "Credentials { .. }");
                }
                Err(error) => {
                    let key = if readable("username") { "password" } else { "username" };
                    prop_assert!(!readable(key));
                    prop_assert_eq!(error.to_string(), format!("Secret vc1 has no usable key {key}"));
                }
            }
        }
    }
}
