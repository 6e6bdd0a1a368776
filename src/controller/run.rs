//! Puts a process together: clients, caches, lease, controllers, endpoints; and takes it apart in the right order.
//!
//! On SIGTERM no permit is granted any more, the controllers finish what they do, starts that are under way are joined and recorded,
//! sessions are logged out, and only then is the lease given back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::Config;
use kube::runtime::events::Recorder;
use kube::runtime::events::Reporter;
use kube::runtime::reflector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::announcer::Announcer;
use super::announcer::announcer;
use super::asked::Asked;
use super::clients::Clients;
use super::clients::Grantee;
use super::context::Context;
use super::context::Scope;
use super::context::Starting;
use super::kinds;
use super::ledgers::Ledgers;
use super::line::Line;
use super::moments::Moments;
use super::permit::Permits;
use super::rounds::Rounds;
use super::served;
use super::served::Served;
use super::shard::Shard;
use super::sights::Sights;
use super::streams;
use super::sweep;
use super::wakes::Wakes;
use crate::clock::Clock;
use crate::health::Pulse;
use crate::lease;
use crate::lease::Lease;
use crate::lease::LeaseTiming;
use crate::metrics::Metrics;
use crate::server::Endpoints;
use crate::server::Readiness;
use crate::server::Server;
use crate::upgrade::receipt::BootId;
use crate::upgrade::timing::Timing;
use crate::vendor::http::Fence;
use crate::vendor::http::public_authorities;

/// How a process is to run.
pub struct Options {
    /// How to reach the API server.
    pub config: Config,
    /// Namespace of the lease.
    pub namespace: String,
    /// Name of the lease.
    pub lease: String,
    /// Name of this pod, for the lease's holder.
    pub pod: String,
    /// Namespaces to serve; empty for all.
    pub watch: Vec<String>,
    /// Which objects are this process's.
    pub shard: Shard,
    /// False: no start at all.
    pub starts_enabled: bool,
    /// Where the endpoints listen.
    pub listen: SocketAddr,
    /// Who is to be granted what, for the command that a Connection prints.
    pub grantee: Grantee,
    /// Reconciles at once, for each kind.
    pub concurrency: u16,
    /// Which addresses vendors may have.
    pub fence: Fence,
    /// The durations of the protocol.
    pub timing: Timing,
    /// The durations of the lease.
    pub lease_timing: LeaseTiming,
    /// All time.
    pub clock: Clock,
}

/// Why a process ended otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No client could be made.
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(#[source] kube::Error),
    /// The endpoints' address is taken, or not ours.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// Leadership was lost: another process may lead now.
    #[error("leadership was lost")]
    LeadershipLost,
    /// A controller ended though nobody told it to.
    #[error("the {0} ended unexpectedly")]
    ControllerEnded(&'static str),
}

/// Runs until `stop`, or until something ends that must not.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), RunError> {
    let metrics = Metrics::new();
    metrics.set_starts_enabled(options.starts_enabled);
    let watches = watching_client(options.config.clone(), options.timing.watch_silence)?;
    let kube = bounded_client(options.config.clone(), options.timing.ledger_timeout)?;
    let ledger = ledger_client(options.config.clone(), options.timing.ledger_timeout)?;
    let boot = BootId(uuid::Uuid::new_v4().to_string());
    let readiness = Readiness::requiring(["receipts", served::READINESS]);
    let lease = Lease::new(
        ledger.clone(),
        &options.namespace,
        &options.lease,
        lease::identity(&options.pod, &boot.0),
        options.clock.clone(),
        options.lease_timing,
    );
    let pulse = lease.pulse();
    let endpoints = Endpoints {
        metrics: metrics.clone(),
        readiness: readiness.clone(),
        pulses: vec![pulse.clone()],
    };
    let server = Server::bind(options.listen, endpoints, options.clock.clone())
        .await
        .map_err(|e| RunError::Listen(options.listen, e))?;
    tracing::info!(
        boot = %boot.0, listen = %options.listen, watch = ?options.watch, selector = options.shard.text(), starts_enabled = options.starts_enabled,
        public_authorities = public_authorities(), "windlass runs"
    );
    let background = TaskTracker::new();
    let over = CancellationToken::new();
    let _end_of_background = over.clone().drop_guard();
    let until = over.clone();
    background.spawn(async move {
        if let Err(error) = server.run(until).await {
            tracing::error!(%error, "the endpoints ended");
        }
    });
    let crds = Arc::new(Served::default());
    {
        let (crds, kube, until) = (Arc::clone(&crds), kube.clone(), over.clone());
        let (clock, timing) = (options.clock.clone(), options.timing.clone());
        let (ready, metrics) = (readiness.clone(), metrics.clone());
        background.spawn(async move {
            let watching = served::watch(&crds, kube, clock, &timing, &ready, &metrics);
            until.run_until_cancelled(watching).await;
        });
    }
    let ledgers = Arc::new(Ledgers::default());
    let wakes = Arc::new(Wakes::default());
    {
        let (ledgers, wakes, kube, until, synced) = (
            Arc::clone(&ledgers),
            Arc::clone(&wakes),
            watches.clone(),
            over.clone(),
            CancellationToken::new(),
        );
        let (ready, told) = (readiness.clone(), synced.clone());
        background.spawn(async move {
            let fed = ledgers.feed(kube, &wakes, || {
                ready.meet("receipts");
                told.cancel();
            });
            until.run_until_cancelled(fed).await;
        });
        // Both, before anything is decided: the receipts, and whether the CRDs do. Else each start of a process would tell of a wait for that.
        let known = async {
            synced.cancelled().await;
            crds.known().await;
        };
        let waiting = alive_until(known, &pulse, &options.clock, options.lease_timing.retry());
        if stop.run_until_cancelled(waiting).await.is_none() {
            return Ok(());
        }
    }
    let Some(held) = lease.acquire(&stop).await else { return Ok(()) };
    metrics.set_leader(true);
    let outcome = lead(
        &options,
        &stop,
        &held,
        Parts {
            watches,
            kube,
            ledger,
            boot,
            metrics: metrics.clone(),
            crds,
            ledgers,
            wakes,
        },
    )
    .await;
    metrics.set_leader(false);
    if held.lost().is_cancelled() {
        return Err(RunError::LeadershipLost);
    }
    held.release().await;
    outcome
}

/// The namespaces to watch, each once: of two watches of one namespace the second would wait for ever for what the first was told.
fn watched(named: &[String]) -> Vec<Option<String>> {
    if named.is_empty() {
        return vec![None];
    }
    let each: BTreeSet<&String> = named.iter().collect();
    each.into_iter().cloned().map(Some).collect()
}

/// Waits, and beats meanwhile: nobody stands for the lease yet, and a restart would bring neither the API server nor the CRDs back.
async fn alive_until(done: impl Future<Output = ()>, pulse: &Pulse, clock: &Clock, every: Duration) {
    let mut done = std::pin::pin!(done);
    loop {
        pulse.beat();
        tokio::select! {
            () = &mut done => return,
            () = clock.sleep(every) => {}
        }
    }
}

struct Parts {
    watches: Client,
    kube: Client,
    ledger: Client,
    boot: BootId,
    metrics: Metrics,
    crds: Arc<Served>,
    ledgers: Arc<Ledgers>,
    wakes: Arc<Wakes>,
}

/// Everything a leader does, until told to stop or no longer leading; returns with every start joined and recorded.
async fn lead(options: &Options, stop: &CancellationToken, held: &lease::Held, parts: Parts) -> Result<(), RunError> {
    // Permits end first, with either of the two reasons to go; the controllers after them; the joined tasks last.
    let stopping = CancellationToken::new();
    let tasks = TaskTracker::new();
    let sights = Arc::new(Sights::default());
    let mut writers = Vec::new();
    let mut scopes = Vec::new();
    for namespace in watched(&options.watch) {
        let ((connections, connections_to), (upgrades, upgrades_to)) = (reflector::store(), kinds::caches());
        let (inventories, inventories_to) = reflector::store();
        writers.push((namespace.clone(), connections_to, upgrades_to, inventories_to));
        scopes.push(Scope {
            namespace,
            connections,
            connections_known: CancellationToken::new(),
            upgrades,
            inventories,
        });
    }
    let (announcer, announcing) = announcing(options, parts.kube.clone());
    let context = Arc::new(Context {
        clients: Clients::new(
            parts.kube.clone(),
            options.fence.clone(),
            options.timing.clone(),
            options.clock.clone(),
            parts.metrics.clone(),
            Arc::clone(&sights),
            Arc::clone(&parts.wakes),
            tasks.clone(),
            options.grantee.clone(),
            Arc::clone(&parts.ledgers),
        ),
        permits: Permits::new(
            parts.ledger,
            options.clock.clone(),
            options.timing.clone(),
            parts.boot.clone(),
            parts.metrics.clone(),
            stopping.clone(),
        ),
        announcer,
        watches: parts.watches,
        kube: parts.kube,
        clock: options.clock.clone(),
        timing: options.timing.clone(),
        boot: parts.boot,
        leadership: held.leadership(),
        metrics: parts.metrics,
        ledgers: parts.ledgers,
        line: Line::default(),
        moments: Moments::default(),
        sights,
        wakes: parts.wakes,
        probes: Rounds::default(),
        inventories: Rounds::default(),
        starts_enabled: options.starts_enabled,
        shard: options.shard.clone(),
        served: parts.crds,
        concurrency: options.concurrency,
        tasks: tasks.clone(),
        starting: Starting::default(),
        asked: Asked::default(),
        scopes,
    });
    let controllers = TaskTracker::new();
    let ended = CancellationToken::new();
    for (namespace, connections, upgrades, inventories) in writers {
        let run = streams::connections(Arc::clone(&context), namespace.clone(), connections, stopping.clone());
        controllers.spawn(guarded(run, ended.clone()));
        let run = streams::inventories(Arc::clone(&context), namespace.clone(), inventories, stopping.clone());
        controllers.spawn(guarded(run, ended.clone()));
        for run in upgrades.run(&context, namespace.as_ref(), &stopping) {
            controllers.spawn(guarded(run, ended.clone()));
        }
    }
    let (swept, until) = (Arc::clone(&context), stopping.clone());
    let sweeping = async move {
        until.run_until_cancelled(sweep::run(swept)).await;
    };
    controllers.spawn(guarded(sweeping, ended.clone()));
    let outcome = tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = held.lost().cancelled() => Err(RunError::LeadershipLost),
        () = ended.cancelled() => Err(RunError::ControllerEnded("controllers")),
    };
    tracing::info!(
        because = outcome.as_ref().err().map(ToString::to_string),
        "stopping: no more permits; joining what is under way"
    );
    stopping.cancel();
    controllers.close();
    controllers.wait().await;
    tasks.close();
    tasks.wait().await;
    // Last: a start that is under way needs its session until it is answered, and a look whose session ended would log in again.
    context.clients.log_out().await;
    publish_the_rest(options, &context, &announcing).await;
    outcome
}

/// What was told is published, if the API server takes it in time: one that answers nothing must not keep a process that lost its lease.
async fn publish_the_rest(options: &Options, context: &Context, announcing: &TaskTracker) {
    context.announcer.close();
    tokio::select! {
        () = announcing.wait() => {}
        () = options.clock.sleep(options.timing.ledger_timeout) => tracing::warn!("Events were told that could not be published in time"),
    }
}

/// Publishes Events until the announcer is closed and all are out.
fn announcing(options: &Options, kube: Client) -> (Announcer, TaskTracker) {
    let reporter = Reporter {
        controller: "windlass".to_owned(),
        instance: Some(options.pod.clone()),
    };
    let (announcer, announcements) = announcer(Recorder::new(kube, reporter));
    let task = TaskTracker::new();
    task.spawn(announcements.run());
    task.close();
    (announcer, task)
}

/// Marks the end of a task that must not end by itself, also by a panic: the process goes rather than run without it.
async fn guarded(task: impl Future<Output = ()>, ended: CancellationToken) {
    let _guard = ended.drop_guard();
    task.await;
}

/// The client for reads and writes of the ledger: no retry of its own (kube's default repeats a POST on 429, 503 and 504), and an end
/// to waiting.
fn ledger_client(mut config: Config, timeout: Duration) -> Result<Client, RunError> {
    config.default_retry = false;
    bounded_client(config, timeout)
}

/// A client for single requests: an API server that takes a request and never answers it must not hold a pass, or a Connection's place
/// for starts, for ever.
fn bounded_client(mut config: Config, timeout: Duration) -> Result<Client, RunError> {
    config.connect_timeout = Some(timeout);
    config.read_timeout = Some(timeout);
    config.write_timeout = Some(timeout);
    Client::try_from(config).map_err(RunError::Client)
}

/// The client of watches, which may be silent for minutes, but not for ever: kube sets no end, and a watch whose connection died unseen
/// would leave this process blind.
fn watching_client(mut config: Config, silence: Duration) -> Result<Client, RunError> {
    config.read_timeout = Some(silence);
    Client::try_from(config).map_err(RunError::Client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_named_twice_is_watched_once() {
        let named = ["b", "a", "b"].map(str::to_owned);
        assert_eq!(watched(&named), [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(watched(&[]), [None]);
    }

    #[tokio::test]
    async fn a_wait_for_the_api_server_is_alive_for_as_long_as_it_lasts() {
        let (clock, ms) = (Clock::system(), Duration::from_millis);
        let pulse = Pulse::new("lease", clock.clone(), ms(500));
        alive_until(clock.sleep(ms(1200)), &pulse, &clock, ms(50)).await;
        assert!(pulse.alive(), "older than the pulse may be, and it has beaten meanwhile");
    }
}
