//! What every controller of a process shares. Made once, in [`run`](super::run).

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::announcer::Announcer;
use super::asked::Asked;
use super::clients::Clients;
use super::connection::Probed;
use super::inventory::Looked;
use super::kinds::Cached;
use super::kinds::Caches;
use super::ledgers::Ledgers;
use super::line::Line;
use super::moments::Moments;
use super::permit::Permits;
use super::rounds::Rounds;
use super::served::Served;
use super::shard::Shard;
use super::sights::Sights;
use super::wakes::Kind;
use super::wakes::Wakes;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::Inventory;
use crate::clock::Clock;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::upgrade::facts::Refusal;
use crate::upgrade::receipt::BootId;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Timing;

/// Shared by every controller.
pub struct Context {
    /// Reads, status writes and Events of resources; gives up on an API server that does not answer.
    pub kube: kube::Client,
    /// Watches, which may be silent for long.
    pub watches: kube::Client,
    /// All time.
    pub clock: Clock,
    /// The durations of the protocol.
    pub timing: Timing,
    /// This life of this process.
    pub boot: BootId,
    /// Whether this process leads.
    pub leadership: Leadership,
    /// Numbers.
    pub metrics: Metrics,
    /// Receipts, cached.
    pub ledgers: Arc<Ledgers>,
    /// Who waits for a slot of a Connection.
    pub line: Line,
    /// What is not written yet, since it passes.
    pub moments: Moments,
    /// Sights, shared.
    pub sights: Arc<Sights>,
    /// Wakes.
    pub wakes: Arc<Wakes>,
    /// Vendor clients.
    pub clients: Clients,
    /// What probes of Connections found.
    pub probes: Rounds<Probed>,
    /// What looks for Inventories brought.
    pub inventories: Rounds<Looked>,
    /// The only maker of permits.
    pub permits: Permits,
    /// Which objects are this process's. The caches hold no others.
    pub shard: Shard,
    /// False: no start at all; runs are followed.
    pub starts_enabled: bool,
    /// Whether the CRDs that the cluster serves do; while they do not, nothing starts.
    pub served: Arc<Served>,
    /// Reconciles at once, for each kind. A pass takes milliseconds and holds no place while a start is under way.
    pub concurrency: u16,
    /// Events.
    pub announcer: Announcer,
    /// Starts, looks and notes under way; joined at shutdown.
    pub tasks: TaskTracker,
    /// Targets that each resource (by uid) is preparing.
    pub starting: Starting,
    /// Upgrades that somebody asked to be looked at.
    pub asked: Asked,
    /// Caches, by watched namespace.
    pub scopes: Vec<Scope>,
}

/// The caches of one watched namespace, or of all of them.
pub struct Scope {
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
    /// Connections.
    pub connections: Store<DeserializeGuard<Connection>>,
    /// Cancelled once all Connections are in the cache. The store's own `wait_until_ready` keeps only the waker of whoever polled last
    /// (kube 5.0), and its controller waits there already: a second task would sleep for ever.
    pub connections_known: CancellationToken,
    /// Upgrades of all kinds.
    pub upgrades: Caches,
    /// Inventories.
    pub inventories: Store<DeserializeGuard<Inventory>>,
}

impl Context {
    fn scope(&self, namespace: &str) -> Option<&Scope> {
        self.scopes.iter().find(|s| s.namespace.as_deref().is_none_or(|n| n == namespace))
    }

    /// Whether this process serves a namespace.
    pub fn serves(&self, namespace: &str) -> bool {
        self.scope(namespace).is_some()
    }

    /// A Connection, as cached; `None` also for one that cannot be read.
    pub fn connection(&self, namespace: &str, name: &str) -> Option<Arc<Connection>> {
        let found = self.scope(namespace)?.connections.get(&ObjectRef::new(name).within(namespace))?;
        found.0.as_ref().ok().cloned().map(Arc::new)
    }

    /// Connections of a namespace that can be read.
    pub fn connections_in(&self, namespace: &str) -> Vec<Connection> {
        let Some(scope) = self.scope(namespace) else { return Vec::new() };
        let all = scope.connections.state().into_iter();
        all.filter_map(|c| {
            c.0.as_ref()
                .ok()
                .filter(|c| c.metadata.namespace.as_deref() == Some(namespace))
                .cloned()
        })
        .collect()
    }

    /// The cache that an upgrade would be in.
    fn cache(&self, who: &Who) -> Option<&dyn Cached> {
        let scope = self.scope(&who.namespace)?;
        scope.upgrades.each().into_iter().find(|cache| cache.kind() == who.kind)
    }

    /// There is such an upgrade, as cached, and it can be read.
    pub fn has(&self, who: &Who) -> bool {
        self.cache(who).is_some_and(|cache| cache.has(&who.namespace, &who.name))
    }

    /// Uids of all upgrades in the caches, readable or not.
    pub fn uids(&self) -> HashSet<String> {
        let caches = self.scopes.iter().flat_map(|scope| scope.upgrades.each());
        caches.flat_map(Cached::uids).collect()
    }

    /// The upgrades, of whatever kind, and the Inventories that go through a Connection.
    pub fn users_of(&self, namespace: &str, connection: &str) -> Vec<Who> {
        let Some(scope) = self.scope(namespace) else { return Vec::new() };
        let caches = scope.upgrades.each().into_iter();
        let mut users: Vec<Who> = caches.flat_map(|cache| cache.users_of(namespace, connection)).collect();
        let inventories = scope.inventories.state();
        let readable = inventories.iter().filter_map(|i| i.0.as_ref().ok());
        let theirs = readable.filter(|i| i.metadata.namespace.as_deref() == Some(namespace) && i.spec.connection_ref.name == connection);
        users.extend(theirs.map(|i| Who::new(Kind::Inventory, namespace, &i.name_any())));
        users
    }
}

/// What each resource is preparing: from the decision to start until its receipt is written, or not; and what became of the last try.
#[derive(Clone, Default)]
pub struct Starting(Arc<Mutex<Tries>>);

#[derive(Default)]
struct Tries {
    now: HashMap<String, TargetKey>,
    refused: HashMap<String, HashMap<TargetKey, Refusal>>,
}

impl Starting {
    /// The target that a resource is preparing.
    pub fn of(&self, uid: &str) -> Option<TargetKey> {
        self.tries().now.get(uid).cloned()
    }

    /// The last try of a resource on each target, where it came to no receipt.
    pub fn refusals(&self, uid: &str) -> Vec<Refusal> {
        self.tries()
            .refused
            .get(uid)
            .into_iter()
            .flat_map(HashMap::values)
            .cloned()
            .collect()
    }

    /// Takes those away whose resource is gone.
    pub fn keep_only(&self, there: impl Fn(&str) -> bool) {
        self.tries().refused.retain(|uid, _| there(uid));
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the one place of a resource; `None` when it is taken.
    pub fn begin(&self, uid: &str, key: &TargetKey) -> Option<Preparing> {
        let mut tries = self.tries();
        if tries.now.contains_key(uid) {
            return None;
        }
        tries.now.insert(uid.to_owned(), key.clone());
        Some(Preparing {
            all: self.clone(),
            uid: uid.to_owned(),
        })
    }
}

/// The one place of a resource; free again when this is dropped.
pub struct Preparing {
    all: Starting,
    uid: String,
}

impl Preparing {
    /// The receipt is written: the place is free, and nothing was refused.
    pub fn done(self) {
        let mut tries = self.all.tries();
        if let Some(target) = tries.now.get(&self.uid).cloned()
            && let Some(refused) = tries.refused.get_mut(&self.uid)
        {
            refused.remove(&target);
            if refused.is_empty() {
                tries.refused.remove(&self.uid);
            }
        }
    }

    /// No receipt came about, once more.
    pub fn refused(self, mut refusal: Refusal) {
        let mut tries = self.all.tries();
        let of_this = tries.refused.entry(self.uid.clone()).or_default();
        refusal.before = of_this.get(&refusal.key).map_or(0, |last| last.before.saturating_add(1));
        of_this.insert(refusal.key.clone(), refusal);
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        self.all.tries().now.remove(&self.uid);
    }
}
