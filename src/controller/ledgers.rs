//! The cache of all receipts, by target. It may delay a start, never allow one: [`permit`](super::permit) reads live.
//!
//! One task feeds it from a watch. Whoever gathers facts says which targets it cares for, and is woken when a receipt of one changes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use futures::StreamExt;
use kube::Api;
use kube::Client;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;

use super::receipts;
use super::wakes::Wakes;
use super::wakes::Who;
use crate::api::UpgradeReceipt;
use crate::upgrade::ledger::Damaged;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::memory::Memory;
use crate::upgrade::memory::Seen;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;

/// All receipts this process knows of, and when it first saw their facts.
#[derive(Default)]
pub struct Ledgers(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    by_hash: HashMap<String, OfTarget>,
    /// The open receipt of each ledger that has one: few among many, and asked for in every pass.
    open: HashMap<String, Arc<Receipt>>,
    /// The same by the Connection that they were written through: what they are about, by hash.
    through: HashMap<Who, BTreeMap<String, String>>,
    /// The same by who asked for them: namespace, kind and name.
    asked: HashMap<(String, String, String), BTreeSet<String>>,
    /// What a relist has brought so far; replaces everything when it is done.
    relist: Option<HashMap<String, OfTarget>>,
    interested: HashMap<String, Vec<Arc<Who>>>,
    cares: HashMap<Arc<Who>, Vec<String>>,
    memory: Memory,
    followed: HashMap<String, Mono>,
}

/// The receipts of one target, in the order of their names, which is that of their sequence. There are tens of thousands of these, most of them with
/// one receipt: a map of each would be half of what all receipts take.
#[derive(Default)]
struct OfTarget(Vec<Entry>);

#[derive(Clone)]
enum Entry {
    Read(Arc<Receipt>),
    /// The API server holds it, but this version cannot read it at all.
    Unreadable(String),
}

/// An open receipt and when a reconcile last followed it.
#[derive(Clone, Debug)]
pub struct OpenReceipt {
    /// The receipt.
    pub receipt: Arc<Receipt>,
    /// When a reconcile of a resource last followed it; `None` if none has in this process's life.
    pub followed: Option<Mono>,
}

impl Ledgers {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves plain maps behind: they are still what the watch said.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches receipts for ever; `synced` runs once the first list is in.
    pub async fn feed(&self, client: Client, wakes: &Wakes, synced: impl FnOnce()) {
        let api: Api<DeserializeGuard<UpgradeReceipt>> = Api::all(client);
        let mut events = watcher(api, watcher::Config::default().any_semantic()).default_backoff().boxed();
        let mut synced = Some(synced);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let done = matches!(event, Event::InitDone);
                    for who in self.take(event) {
                        wakes.wake(&who);
                    }
                    if let (true, Some(synced)) = (done, synced.take_if(|_| done)) {
                        synced();
                    }
                }
                Err(error) => tracing::warn!(%error, "the watch of receipts broke; it starts again"),
            }
        }
    }

    /// Takes one event in and says who is to be woken.
    fn take(&self, event: Event<DeserializeGuard<UpgradeReceipt>>) -> Vec<Who> {
        let mut inner = self.inner();
        let hash = match event {
            Event::Init => {
                inner.relist = Some(HashMap::new());
                return Vec::new();
            }
            Event::InitApply(object) => {
                let (hash, entry) = entry(&object);
                inner.relist.get_or_insert_default().entry(hash).or_default().insert(entry);
                return Vec::new();
            }
            Event::InitDone => {
                inner.by_hash = inner.relist.take().unwrap_or_default();
                inner.open.clear();
                inner.through.clear();
                inner.asked.clear();
                let hashes: Vec<String> = inner.by_hash.keys().cloned().collect();
                for hash in &hashes {
                    inner.index(hash);
                }
                return inner.interested.values().flatten().map(|who| who.as_ref().clone()).collect();
            }
            Event::Apply(object) => {
                let (hash, entry) = entry(&object);
                inner.by_hash.entry(hash.clone()).or_default().insert(entry);
                hash
            }
            Event::Delete(object) => {
                let (hash, gone) = entry(&object);
                if let Some(of_target) = inner.by_hash.get_mut(&hash) {
                    of_target.remove(gone.name());
                }
                hash
            }
        };
        inner.index(&hash);
        let mut woken: Vec<Who> = {
            let interested = inner.interested.get(&hash).into_iter().flatten();
            interested.map(|who| who.as_ref().clone()).collect()
        };
        woken.extend(
            inner
                .by_hash
                .get(&hash)
                .into_iter()
                .flat_map(OfTarget::values)
                .next_back()
                .and_then(Entry::connection),
        );
        woken
    }

    /// Puts a receipt that was read or written live into the cache, unless the watch has brought newer facts.
    pub fn learn(&self, object: &UpgradeReceipt) {
        let receipt = Arc::new(receipts::read(object));
        let mut inner = self.inner();
        let of_target = inner.by_hash.entry(object.spec.claim.target_hash.clone()).or_default();
        let newer = match of_target.get(&receipt.name) {
            // Facts are write-once: whichever knows more of them is newer.
            Some(Entry::Read(known)) => facts(&receipt) > facts(known),
            Some(Entry::Unreadable(_)) => false,
            None => true,
        };
        if newer {
            of_target.insert(Entry::Read(receipt));
            inner.index(&object.spec.claim.target_hash);
        }
    }

    /// The ledger of a target, as cached.
    pub fn ledger(&self, key: &TargetKey) -> Result<Ledger, Damaged> {
        let inner = self.inner();
        let mut read = Vec::new();
        for entry in inner.by_hash.get(&key.hash()).into_iter().flat_map(OfTarget::values) {
            match entry {
                Entry::Read(receipt) => read.push(receipt.as_ref().clone()),
                Entry::Unreadable(name) => {
                    return Err(Damaged::ForeignKey {
                        name: name.clone(),
                        expected: key.canonical(),
                        found: "something this version of Windlass cannot read".to_owned(),
                    });
                }
            }
        }
        Ledger::read(key, read)
    }

    /// Whether a start of a target may be under way, as far as the cache knows. A ledger that cannot be read may hold one.
    pub fn start_open(&self, key: &TargetKey) -> bool {
        self.ledger(key).map_or(true, |ledger| ledger.open().is_some())
    }

    /// First-seen times of a receipt's facts; takes note of them at the first call.
    pub fn seen(&self, receipt: &Receipt, now: Mono, timing: &Timing) -> Seen {
        self.inner().memory.look(receipt, now, timing)
    }

    /// `who` cares for these targets, and for no others.
    pub fn care(&self, who: &Who, keys: &[TargetKey]) {
        let mut hashes: Vec<String> = keys.iter().map(TargetKey::hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut inner = self.inner();
        let (who, before) = inner.cares.remove_entry(who).unwrap_or_else(|| (Arc::new(who.clone()), Vec::new()));
        for hash in before.iter().filter(|hash| hashes.binary_search(hash).is_err()) {
            inner.lose_interest(hash, &who);
        }
        for hash in hashes.iter().filter(|hash| before.binary_search(hash).is_err()) {
            let interested = inner.interested.entry(hash.clone()).or_default();
            interested.reserve_exact(1);
            interested.push(Arc::clone(&who));
        }
        inner.cares.insert(who, hashes);
    }

    /// `who` is gone.
    pub fn forget(&self, who: &Who) {
        let mut inner = self.inner();
        for hash in inner.cares.remove(who).unwrap_or_default() {
            inner.lose_interest(&hash, who);
        }
    }

    /// Somebody cares for this target, or its last receipt is open.
    pub fn needs(&self, key: &TargetKey) -> bool {
        let (inner, hash) = (self.inner(), key.hash());
        inner.open.contains_key(&hash) || inner.interested.get(&hash).is_some_and(|who| !who.is_empty())
    }

    /// A reconcile follows this open receipt: the sweep need not.
    pub fn follow(&self, receipt: &str, now: Mono) {
        self.inner().followed.insert(receipt.to_owned(), now);
    }

    /// Every open receipt. Forgets what is only needed while one is open.
    pub fn open(&self) -> Vec<OpenReceipt> {
        let mut inner = self.inner();
        let open: Vec<Arc<Receipt>> = inner.open.values().cloned().collect();
        let names: HashSet<&str> = open.iter().map(|r| r.name.as_str()).collect();
        inner.memory.keep_only(|name| names.contains(name));
        inner.followed.retain(|name, _| names.contains(name.as_str()));
        let followed = |r: &Arc<Receipt>| inner.followed.get(&r.name).copied();
        open.iter()
            .map(|r| OpenReceipt {
                receipt: Arc::clone(r),
                followed: followed(r),
            })
            .collect()
    }

    /// The target of the newest receipt that was written through a Connection for an object such as this one, wherever that is.
    pub fn target_of(&self, namespace: &str, connection: &str, like: &TargetKey) -> Option<TargetKey> {
        let inner = self.inner();
        let through = |r: &&Arc<Receipt>| r.run.namespace == namespace && r.connection == connection;
        let receipts = inner
            .by_hash
            .values()
            .flat_map(OfTarget::values)
            .filter_map(Entry::receipt)
            .filter(through);
        let such = |k: &TargetKey| (k.vendor, &k.object) == (like.vendor, &like.object);
        let keys = receipts.filter_map(|r| TargetKey::parse(&r.target).filter(such).map(|k| (r.created, k)));
        keys.max_by_key(|(created, _)| *created).map(|(_, key)| key)
    }

    /// Objects of the targets whose open receipts were written through a Connection.
    pub fn open_through(&self, namespace: &str, connection: &str) -> BTreeSet<String> {
        let inner = self.inner();
        let through = inner.through.get(&Who::connection(namespace, connection));
        through.into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The receipt with this sequence is in a target's ledger, as cached.
    pub fn written(&self, key: &TargetKey, seq: u32) -> bool {
        let inner = self.inner();
        let name = key.receipt_name(seq);
        inner
            .by_hash
            .get(&key.hash())
            .is_some_and(|of_target| of_target.get(&name).is_some())
    }

    /// Open receipts that a resource asked for.
    pub fn open_of(&self, namespace: &str, kind: &str, name: &str) -> Vec<Arc<Receipt>> {
        let inner = self.inner();
        let asked = inner.asked.get(&(namespace.to_owned(), kind.to_owned(), name.to_owned()));
        asked
            .into_iter()
            .flatten()
            .filter_map(|hash| inner.open.get(hash))
            .cloned()
            .collect()
    }
}

impl Inner {
    /// Nothing stays behind of a target that nobody cares for: whoever may edit a batch names as many as they like.
    fn lose_interest(&mut self, hash: &str, who: &Who) {
        if let Some(interested) = self.interested.get_mut(hash) {
            interested.retain(|other| **other != *who);
            if interested.is_empty() {
                self.interested.remove(hash);
            }
        }
    }

    /// Keeps `open` in step with a ledger that changed.
    fn index(&mut self, hash: &str) {
        let last = self.by_hash.get(hash).and_then(|l| l.values().next_back());
        let now = last.and_then(Entry::open).cloned();
        if let Some(before) = self.open.remove(hash) {
            let (through, asked) = (through(&before), asker(&before));
            if let Some(open) = self.through.get_mut(&through) {
                open.remove(hash);
                if open.is_empty() {
                    self.through.remove(&through);
                }
            }
            if let Some(open) = self.asked.get_mut(&asked) {
                open.remove(hash);
                if open.is_empty() {
                    self.asked.remove(&asked);
                }
            }
        }
        if let Some(now) = now {
            if let Some(key) = TargetKey::parse(&now.target) {
                self.through.entry(through(&now)).or_default().insert(hash.to_owned(), key.object);
            }
            self.asked.entry(asker(&now)).or_default().insert(hash.to_owned());
            self.open.insert(hash.to_owned(), now);
        }
    }
}

impl OfTarget {
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| entry.name().cmp(name))
    }

    fn get(&self, name: &str) -> Option<&Entry> {
        self.find(name).ok().and_then(|at| self.0.get(at))
    }

    /// In the place of one of the same name.
    fn insert(&mut self, entry: Entry) {
        match self.find(entry.name()) {
            Ok(at) => self.0[at] = entry,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, entry);
            }
        }
    }

    fn remove(&mut self, name: &str) {
        if let Ok(at) = self.find(name) {
            self.0.remove(at);
        }
    }

    fn values(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Entry::Read(receipt) => &receipt.name,
            Entry::Unreadable(name) => name,
        }
    }

    fn receipt(&self) -> Option<&Arc<Receipt>> {
        match self {
            Entry::Read(receipt) => Some(receipt),
            Entry::Unreadable(_) => None,
        }
    }

    fn open(&self) -> Option<&Arc<Receipt>> {
        match self {
            Entry::Read(receipt) if receipt.open() => Some(receipt),
            _ => None,
        }
    }

    fn connection(&self) -> Option<Who> {
        match self {
            Entry::Read(receipt) => Some(through(receipt)),
            Entry::Unreadable(_) => None,
        }
    }
}

/// The Connection that a receipt was written through.
fn through(receipt: &Receipt) -> Who {
    Who::connection(&receipt.run.namespace, &receipt.connection)
}

/// Who asked for a receipt.
fn asker(receipt: &Receipt) -> (String, String, String) {
    let by = &receipt.requested_by;
    (receipt.run.namespace.clone(), by.kind.clone(), by.name.clone())
}

fn facts(receipt: &Receipt) -> usize {
    [
        receipt.answer.is_some(),
        receipt.adopted.is_some(),
        receipt.hint.is_some(),
        receipt.scheduled.is_some(),
        receipt.end.is_some(),
        receipt.resolution.is_some(),
    ]
    .into_iter()
    .filter(|f| *f)
    .count()
}

fn entry(object: &DeserializeGuard<UpgradeReceipt>) -> (String, Entry) {
    let name = object.name_any();
    match &object.0 {
        Ok(receipt) => (
            receipt.spec.claim.target_hash.clone(),
            Entry::Read(Arc::new(receipts::read(receipt))),
        ),
        Err(error) => {
            tracing::error!(receipt = %name, %error, "a receipt cannot be read; its target is blocked");
            // `<type>-<hash>-<seq>`: the name alone says whose ledger it is in.
            let hash = name.split('-').nth(1).unwrap_or_default().to_owned();
            (hash, Entry::Unreadable(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wakes::Kind;
    use super::*;
    use crate::upgrade::target::Authority;

    #[test]
    fn nothing_is_kept_of_targets_that_left_a_batch() {
        let (ledgers, who) = (Ledgers::default(), Who::new(Kind::ClusterUpgradeBatch, "a", "b"));
        let authority = Authority::from_url("https://vc1.example").unwrap();
        let named = |n: u32| TargetKey::cluster(authority.clone(), &format!("domain-c{n}"));
        for n in 0..100 {
            ledgers.care(&who, &[named(n), named(n + 1)]);
        }
        assert_eq!(ledgers.inner().interested.len(), 2, "those of the last edit");
        assert!(ledgers.needs(&named(100)) && !ledgers.needs(&named(5)));
        ledgers.forget(&who);
        assert!(ledgers.inner().interested.is_empty() && ledgers.inner().cares.is_empty());
    }
}
