//! A started simulator: its listener, its control API, and the handle that a test holds.
//!
//! Called by each vendor's `start`. Everything runs on the caller's tokio runtime and ends when the handle is dropped. The state,
//! the clock, the rules and the log belong to the handle, not to the listener: [`Running::restart`] is a reboot of the vendor's
//! machine, not of the test.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Conn, Door, TlsListener};
use super::faults::Faults;
use super::log::Log;
use super::pipeline::{Core, Served, serve};
use super::tls::Tls;
use super::vendor::Vendor;
use super::{Clock, control, lock};

/// Where to listen, and for which names.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port of the vendor's API on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The port of the control API on 127.0.0.1; 0 takes a free one.
    pub control_port: u16,
    /// Names for the certificate, besides 127.0.0.1 and localhost.
    pub names: Vec<String>,
}

/// A server task and the switch that ends it.
struct Serving {
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// The requests that are being processed.
    processing: TaskTracker,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Serving {
    fn spawn(stop: CancellationToken, processing: TaskTracker, server: impl Future<Output = std::io::Result<()>> + Send + 'static) -> Self {
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // The server itself ends only by being dropped, and takes the port with it.
            let _ = stopped.run_until_cancelled_owned(server).await;
        });
        Self { stop, task, processing }
    }
}

/// A running simulator of vendor `V`. Dereferences to the vendor, for its own state.
pub struct Running<V> {
    vendor: Arc<V>,
    core: Arc<Core>,
    tls: Tls,
    address: SocketAddr,
    control: SocketAddr,
    listener: Mutex<Option<Serving>>,
    _control: Serving,
}

impl<V> Deref for Running<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.vendor
    }
}

impl<V> Drop for Running<V> {
    fn drop(&mut self) {
        lock(&self.listener).take();
        self.core.door.cut_all();
    }
}

impl<V: Vendor> Running<V> {
    pub(super) async fn start(vendor: V, clock: Clock, log: Log, options: &Options) -> anyhow::Result<Self> {
        let vendor = Arc::new(vendor);
        let core = Arc::new(Core::new(Arc::clone(&vendor) as Arc<dyn Vendor>, clock, log));
        let tls = Tls::new(&options.names)?;

        let tcp = bind(options.control_port).await?;
        let control = tcp.local_addr()?;
        let router = control::router(Arc::clone(&core));
        let control_server = Serving::spawn(CancellationToken::new(), TaskTracker::new(), async move {
            axum::serve(tcp, router).await
        });

        let tcp = match options.port {
            0 => bind_new().await?,
            port => bind(port).await?,
        };
        let address = tcp.local_addr()?;
        let listener = Mutex::new(Some(listen(&core, &tls, tcp, address)));
        Ok(Self {
            vendor,
            core,
            tls,
            address,
            control,
            listener,
            _control: control_server,
        })
    }

    /// The base URL of the vendor's API.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of the control API.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The certificate of the authority that a client has to trust.
    pub fn ca_pem(&self) -> &str {
        self.tls.ca_pem()
    }

    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    pub fn log(&self) -> &Log {
        &self.core.log
    }

    pub fn door(&self) -> &Door {
        &self.core.door
    }

    /// The machine goes down: its port is closed when this returns, connections are cut, what was being processed is lost.
    pub async fn stop(&self) {
        let Some(mut serving) = lock(&self.listener).take() else { return };
        serving.stop.cancel();
        // Fails only if the server panicked, and then it is down too.
        let _ = (&mut serving.task).await;
        // Whatever is committed was committed before this returns: a test may count.
        serving.processing.close();
        serving.processing.wait().await;
        self.core.door.cut_all();
    }

    /// The machine comes up again on the same port, with the same certificate and state. Sessions do not survive.
    pub async fn resume(&self) -> anyhow::Result<()> {
        if lock(&self.listener).is_some() {
            return Ok(());
        }
        self.vendor.expire_sessions();
        let tcp = bind(self.address.port()).await?;
        *lock(&self.listener) = Some(listen(&self.core, &self.tls, tcp, self.address));
        Ok(())
    }

    /// Returns once the port is as the machine's own state wants it: closed while it restarts, open again after. For stories that move
    /// the clock over a restart and then count on the port; whoever polls need not wait. While stopped there is no port to wait for.
    pub async fn caught_up(&self) {
        if lock(&self.listener).is_some() {
            self.core.door.follows(self.vendor.power()).await;
        }
    }

    /// Down and up again.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await;
        self.resume().await
    }
}

/// A free port that no simulator of this process has had. A ledger is found by host and port, and outlives the simulator: on a port that
/// comes again a story would find the receipts of another.
async fn bind_new() -> anyhow::Result<TcpListener> {
    static HAD: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut refused = Vec::new();
    loop {
        let tcp = bind(0).await?;
        if lock(&HAD).insert(tcp.local_addr()?.port()) {
            return Ok(tcp);
        }
        // Held until another is found, or the system would offer it again.
        refused.push(tcp);
    }
}

async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("port {port} on 127.0.0.1"))
}

fn listen(core: &Arc<Core>, tls: &Tls, tcp: TcpListener, address: SocketAddr) -> Serving {
    let stop = CancellationToken::new();
    let processing = TaskTracker::new();
    let served = Served {
        core: Arc::clone(core),
        stop: stop.clone(),
        processing: processing.clone(),
    };
    let listener = TlsListener::new(tcp, address, tls.config(), Arc::clone(core));
    let service = Router::new()
        .fallback(any(serve))
        .with_state(served)
        .into_make_service_with_connect_info::<Conn>();
    Serving::spawn(stop, processing, async move { axum::serve(listener, service).await })
}
