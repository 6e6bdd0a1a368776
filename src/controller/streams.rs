//! The controllers' streams: watches, caches, predicates, wakes, and what happens when a pass fails. Put together by [`run`](super::run).

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::StreamExt;
use futures::stream;
use kube::Api;
use kube::Client;
use kube::Resource;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::core::object::HasStatus;
use kube::runtime::Controller;
use kube::runtime::PredicateConfig;
use kube::runtime::WatchStreamExt;
use kube::runtime::controller;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::connection::CONNECTION;
use super::connection::Gates;
use super::context::Context;
use super::inventory;
use super::shard::Shard;
use super::upgrade::Upgrade;
use super::upgrades;
use super::wakes::Kind;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::Inventory;

/// Folds the several wakes that one event causes. Also a delay, so far below what a person notices.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// Pause after a pass that failed: the API server is in trouble, or the object cannot be read until somebody edits it.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Pause after a pass that lost a compare-and-swap: the cache is milliseconds behind.
const BEHIND: Duration = Duration::from_millis(50);

/// An API of one namespace or of all; objects that cannot be read come as such and do not stop the watch.
fn api<K>(kube: &Client, namespace: Option<&String>) -> Api<DeserializeGuard<K>>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(kube.clone(), namespace),
        None => Api::all(kube.clone()),
    }
}

/// What kubectl keeps for itself in every object that it applies: the object once more, as text.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes off what nobody here reads, and what is often more than half of an object.
fn slim(object: &mut impl Resource) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// A watch of this process's objects that fills `writer`.
fn watch<K>(
    api: Api<DeserializeGuard<K>>,
    shard: &Shard,
    writer: Writer<DeserializeGuard<K>>,
) -> impl Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let all = watcher::Config::default().any_semantic();
    let ours = shard.text().map_or_else(|| all.clone(), |labels| all.clone().labels(&labels));
    watcher(api, ours).default_backoff().modify(slim).reflect(writer)
}

/// What came or changed, passed on once the cache has it. A list that comes in several pages is in the cache when its last page is; what would be
/// passed on before is looked for in vain and never again (kube 5.0), and after a watch that had expired that was every new object of the first
/// pages.
fn in_cache<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    cache: Store<K>,
) -> impl Stream<Item = watcher::Result<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    events.flat_map(move |event| {
        let (came, listed) = match event {
            Ok(Event::Apply(object)) => (Some(Ok(object)), Vec::new()),
            Ok(Event::InitDone) => (None, cache.state()),
            Ok(Event::Init | Event::InitApply(_) | Event::Delete(_)) => (None, Vec::new()),
            Err(error) => (Some(Err(error)), Vec::new()),
        };
        stream::iter(came).chain(stream::iter(listed).map(|object| Ok(K::clone(&object))))
    })
}

fn config(context: &Context) -> controller::Config {
    controller::Config::default().concurrency(context.concurrency).debounce(DEBOUNCE)
}

/// What of an object wakes its own controller: its spec, its annotations, and what of its status must not stay as somebody else left it.
fn stirs<K: Resource>(object: &K, shown: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (object.meta().generation, object.annotations(), shown).hash(&mut hasher);
    hasher.finish()
}

/// A status that was taken away, or that shows another state than before. The second leader of a moment may write an older one over an end that
/// this process has shown and does not look at again; and what it wrote over its own end it cannot see before its cache has it.
fn shows<K: Upgrade>(status: &K::Status) -> (Option<i64>, Option<String>) {
    let told = K::told(status);
    (told.observed_generation, told.state.map(str::to_owned))
}

/// Reconciles Connections until `stopping`.
pub async fn connections(
    context: Arc<Context>,
    namespace: Option<String>,
    writer: Writer<DeserializeGuard<Connection>>,
    stopping: CancellationToken,
) {
    let reader = writer.as_reader();
    let (gates, told) = (Gates::default(), Arc::clone(&context));
    let known = context.scopes.iter().find(|s| s.namespace == namespace);
    let known = known.map(|s| s.connections_known.clone()).unwrap_or_default();
    let listed = known.clone();
    let events = watch(api::<Connection>(&context.watches, namespace.as_ref()), &context.shard, writer).inspect(move |event| match event {
        Ok(Event::Apply(object) | Event::InitApply(object)) => object.0.iter().for_each(|c| gates.applied(&told, c)),
        Ok(Event::Delete(object)) => object.0.iter().for_each(|c| gates.deleted(&told, c)),
        Ok(Event::InitDone) => known.cancel(),
        Ok(Event::Init) => {}
        Err(error) => tracing::warn!(kind = CONNECTION, %error, "the watch broke; it starts again"),
    });
    let predicate = |c: &DeserializeGuard<Connection>| {
        let observed =
            c.0.as_ref()
                .ok()
                .and_then(|c| c.status.as_ref())
                .and_then(|s| s.observed_generation);
        Some(stirs(c, observed))
    };
    let changed = in_cache(events, reader.clone()).predicate_filter(predicate, PredicateConfig::default());
    let wakes = context
        .wakes
        .listen(Kind::Connection, namespace)
        .map(|who| ObjectRef::new(&who.name).within(&who.namespace));
    let reconcile = async |object: Arc<DeserializeGuard<Connection>>, context: Arc<Context>| {
        let began = context.clock.mono();
        let outcome = connection::reconcile(object, Arc::clone(&context)).await;
        context.metrics.reconciled(CONNECTION, context.clock.mono().since(began));
        outcome
    };
    let run = Controller::for_stream(changed, reader)
        .with_config(config(&context))
        .reconcile_on(wakes)
        .graceful_shutdown_on(stopping.clone().cancelled_owned())
        .run(reconcile, failed_connection, context)
        .for_each(|_| futures::future::ready(()));
    ends(run, listed, stopping).await;
}

/// Runs a controller to its end. One that is told to stop before its first list is in is dropped: it has begun nothing, and kube 5 would wait
/// for that list for ever though nothing asks for it any more. A leader that lost its lease in that moment would never end.
async fn ends(run: impl Future<Output = ()>, listed: CancellationToken, stopping: CancellationToken) {
    let never_began = async {
        stopping.cancelled().await;
        if listed.is_cancelled() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = run => {}
        () = never_began => {}
    }
}

/// Reconciles Inventories until `stopping`.
pub async fn inventories(
    context: Arc<Context>,
    namespace: Option<String>,
    writer: Writer<DeserializeGuard<Inventory>>,
    stopping: CancellationToken,
) {
    for scope in context.scopes.iter().filter(|s| s.namespace == namespace) {
        if stopping.run_until_cancelled(scope.connections_known.cancelled()).await.is_none() {
            return;
        }
    }
    let reader = writer.as_reader();
    let (told, known) = (Arc::clone(&context), CancellationToken::new());
    let listed = known.clone();
    let events = watch(api::<Inventory>(&context.watches, namespace.as_ref()), &context.shard, writer).inspect(move |event| match event {
        Ok(Event::Delete(gone)) => {
            let who = Who::new(Kind::Inventory, &gone.namespace().unwrap_or_default(), &gone.name_any());
            told.inventories.forget(&who);
        }
        Ok(Event::InitDone) => known.cancel(),
        Ok(_) => {}
        Err(error) => tracing::warn!(kind = Kind::Inventory.word(), %error, "the watch broke; it starts again"),
    });
    let predicate = |object: &DeserializeGuard<Inventory>| {
        let status = object.0.as_ref().ok().and_then(|i| i.status.as_ref());
        Some(stirs(object, status.and_then(|s| s.observed_generation)))
    };
    let changed = in_cache(events, reader.clone()).predicate_filter(predicate, PredicateConfig::default());
    let wakes = context
        .wakes
        .listen(Kind::Inventory, namespace)
        .map(|who| ObjectRef::new(&who.name).within(&who.namespace));
    let reconcile = async |object: Arc<DeserializeGuard<Inventory>>, context: Arc<Context>| {
        let began = context.clock.mono();
        let outcome = inventory::reconcile(object, Arc::clone(&context)).await;
        context
            .metrics
            .reconciled(Kind::Inventory.word(), context.clock.mono().since(began));
        outcome
    };
    let run = Controller::for_stream(changed, reader)
        .with_config(config(&context))
        .reconcile_on(wakes)
        .graceful_shutdown_on(stopping.clone().cancelled_owned())
        .run(reconcile, failed_inventory, context)
        .for_each(|_| futures::future::ready(()));
    ends(run, listed, stopping).await;
}

/// Reconciles the upgrades of one kind until `stopping`. Begins once the Connections are known: without them every upgrade would seem to lack
/// its own.
pub async fn upgrades<K: Upgrade>(
    context: Arc<Context>,
    namespace: Option<String>,
    writer: Writer<DeserializeGuard<K>>,
    stopping: CancellationToken,
) {
    for scope in context.scopes.iter().filter(|s| s.namespace == namespace) {
        if stopping.run_until_cancelled(scope.connections_known.cancelled()).await.is_none() {
            return;
        }
    }
    let reader = writer.as_reader();
    let (told, known) = (Arc::clone(&context), CancellationToken::new());
    let listed = known.clone();
    let events = watch(api::<K>(&context.watches, namespace.as_ref()), &context.shard, writer).inspect(move |event| match event {
        Ok(Event::Delete(gone)) => {
            let who = Who::new(K::KIND, &gone.namespace().unwrap_or_default(), &gone.name_any());
            told.ledgers.forget(&who);
            told.metrics.forget(&who);
            told.moments.forget(&who);
            upgrades::stand(&told, &who, None);
        }
        Ok(Event::InitDone) => known.cancel(),
        Ok(_) => {}
        Err(error) => tracing::warn!(kind = K::KIND.word(), %error, "the watch broke; it starts again"),
    });
    let predicate = |object: &DeserializeGuard<K>| Some(stirs(object, object.0.as_ref().ok().and_then(HasStatus::status).map(shows::<K>)));
    let changed = in_cache(events, reader.clone()).predicate_filter(predicate, PredicateConfig::default());
    let wakes = context
        .wakes
        .listen(K::KIND, namespace)
        .map(|who| ObjectRef::new(&who.name).within(&who.namespace));
    let reconcile = async |object: Arc<DeserializeGuard<K>>, context: Arc<Context>| {
        let began = context.clock.mono();
        let outcome = upgrades::reconcile(object, Arc::clone(&context)).await;
        context.metrics.reconciled(K::KIND.word(), context.clock.mono().since(began));
        outcome
    };
    let run = Controller::for_stream(changed, reader)
        .with_config(config(&context))
        .reconcile_on(wakes)
        .graceful_shutdown_on(stopping.clone().cancelled_owned())
        .run(reconcile, failed_upgrade, context)
        .for_each(|_| futures::future::ready(()));
    ends(run, listed, stopping).await;
}

#[expect(clippy::needless_pass_by_value, reason = "kube's error policy hands out owned values")]
fn failed_connection(object: Arc<DeserializeGuard<Connection>>, error: &connection::Error, context: Arc<Context>) -> Action {
    failed(CONNECTION, object.as_ref(), error, error.label(), &context)
}

#[expect(clippy::needless_pass_by_value, reason = "kube's error policy hands out owned values")]
fn failed_upgrade<K: Upgrade>(object: Arc<DeserializeGuard<K>>, error: &upgrades::Error, context: Arc<Context>) -> Action {
    if error.behind() {
        return Action::requeue(BEHIND);
    }
    failed(K::KIND.word(), object.as_ref(), error, error.label(), &context)
}

#[expect(clippy::needless_pass_by_value, reason = "kube's error policy hands out owned values")]
fn failed_inventory(object: Arc<DeserializeGuard<Inventory>>, error: &inventory::Error, context: Arc<Context>) -> Action {
    if error.behind() {
        return Action::requeue(BEHIND);
    }
    failed(Kind::Inventory.word(), object.as_ref(), error, error.label(), &context)
}

fn failed<K: Resource>(kind: &'static str, object: &K, error: &dyn std::error::Error, label: &'static str, context: &Context) -> Action {
    context.metrics.reconcile_failed(kind, label);
    tracing::warn!(kind, namespace = object.namespace(), name = object.name_any(), label, %error, "a pass failed");
    Action::requeue(AFTER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ClusterUpgradeBatch;

    #[test]
    fn a_state_that_somebody_else_wrote_is_looked_at_and_the_rest_of_a_status_is_not() {
        let stirred = |status: &str| {
            let batch = format!(
                r#"{{"apiVersion":"windlass.dev/v1alpha1","kind":"ClusterUpgradeBatch","metadata":{{"name":"b","generation":1}},
                    "spec":{{"connectionRef":{{"name":"vc"}},"clusters":[]}},"status":{status}}}"#
            );
            let batch: ClusterUpgradeBatch = serde_json::from_str(&batch).unwrap();
            stirs(&batch, batch.status.as_ref().map(shows::<ClusterUpgradeBatch>))
        };
        let done = stirred(r#"{"observedGeneration":1,"state":"SUCCESS","message":"done"}"#);
        assert_ne!(done, stirred(r#"{"observedGeneration":1,"state":"RUNNING","message":"done"}"#));
        assert_ne!(done, stirred(r#"{"observedGeneration":-1}"#));
        assert_eq!(
            done,
            stirred(r#"{"observedGeneration":1,"state":"SUCCESS","message":"other words"}"#)
        );
    }

    #[tokio::test]
    async fn what_a_list_of_several_pages_brings_is_passed_on_when_it_can_be_found_and_all_of_it_is() {
        let named = |name: &str| {
            let text = r#"{"apiVersion":"windlass.dev/v1alpha1","kind":"Connection","metadata":{},
                "spec":{"type":"VCenter","url":"https://vc1","credentialsSecretRef":{"name":"vc1"}}}"#;
            let mut connection: Connection = serde_json::from_str(text).unwrap();
            connection.metadata.name = Some(name.to_owned());
            connection
        };
        let writer = Writer::<Connection>::default();
        let cache = writer.as_reader();
        // The cache was ready once; then the watch expired, and two came meanwhile.
        let events = [
            Event::Init,
            Event::InitDone,
            Event::Init,
            Event::InitApply(named("of-page-1")),
            Event::InitApply(named("of-page-2")),
            Event::InitDone,
            Event::Apply(named("later")),
            Event::Delete(named("later")),
        ];
        let events = stream::iter(events.map(Ok)).reflect(writer);
        let mut passed: Vec<String> = in_cache(events, cache.clone())
            .map(|object| {
                let object = object.unwrap();
                assert!(cache.get(&ObjectRef::from_obj(&object)).is_some(), "looked for in vain");
                object.name_any()
            })
            .collect()
            .await;
        passed.sort();
        assert_eq!(passed, ["later", "of-page-1", "of-page-2"]);
    }

    #[tokio::test]
    async fn what_stops_before_its_first_list_ends_and_what_has_begun_is_finished() {
        let (listed, stopping) = (CancellationToken::new(), CancellationToken::new());
        stopping.cancel();
        ends(std::future::pending(), listed.clone(), stopping.clone()).await;
        listed.cancel();
        let under_way = ends(std::future::pending(), listed, stopping);
        let waited = tokio::time::timeout(std::time::Duration::from_millis(50), under_way).await;
        assert!(waited.is_err(), "a pass that is under way is waited for");
    }
}
