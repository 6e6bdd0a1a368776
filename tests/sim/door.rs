//! The listener: TCP, then TLS, then a stream that can be cut at any moment.
//!
//! Called by [`super::running`], which serves HTTP on it, and by [`super::pipeline`], which cuts a connection as a fault. A cut ends
//! the TCP connection without a TLS close_notify and without another byte of HTTP: what a client sees when a machine dies. It may
//! not know anything of HTTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::task::AtomicWaker;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::lock;
use super::pipeline::Core;
use super::vendor::{Down, Power};

/// How new connections are met while the machine is up. For "connection refused", stop the listener instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// TLS as usual.
    #[default]
    Tls,
    /// TCP connects, then closes before the first byte of TLS.
    Close,
    /// TCP connects, then nothing: the handshake is never answered.
    Silence,
}

/// What outlives one listener: the greeting, and the connections that a stop (or the machine's own restart) has to cut.
#[derive(Default)]
pub struct Door {
    greeting: Mutex<Greeting>,
    connections: Mutex<Vec<Weak<Cut>>>,
    accepted: AtomicU64,
    /// What the listener last found the machine to be, and has made true.
    followed: watch::Sender<Power>,
}

impl Door {
    /// Changes how the next connections are met; open ones stay.
    pub fn greet(&self, greeting: Greeting) {
        *lock(&self.greeting) = greeting;
    }

    /// How connections are met now.
    pub fn greeting(&self) -> Greeting {
        *lock(&self.greeting)
    }

    /// TCP connections so far, whatever became of them.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Ends every open connection.
    pub fn cut_all(&self) {
        for cut in lock(&self.connections).drain(..).filter_map(|weak| weak.upgrade()) {
            cut.cut();
        }
    }

    /// Returns once the listener has followed the machine to this.
    pub(super) async fn follows(&self, power: Power) {
        // Cannot fail: the sender is in this door.
        let _ = self.followed.subscribe().wait_for(|followed| *followed == power).await;
    }

    /// Ends the open connections that were made before the machine last went down.
    fn cut_older(&self, power: Power) {
        let mut connections = lock(&self.connections);
        connections.retain(|weak| {
            let Some(cut) = weak.upgrade() else { return false };
            let outlived = cut.restarts == power.restarts && power.down.is_none();
            if !outlived {
                cut.cut();
            }
            outlived
        });
    }

    fn admit(&self, power: Power) -> Arc<Cut> {
        let cut = Arc::new(Cut {
            restarts: power.restarts,
            connection: self.accepted.fetch_add(1, Ordering::SeqCst) + 1,
            left: AtomicUsize::new(usize::MAX),
            read: AtomicWaker::new(),
            write: AtomicWaker::new(),
        });
        let mut connections = lock(&self.connections);
        connections.retain(|weak| weak.strong_count() > 0);
        connections.push(Arc::downgrade(&cut));
        cut
    }
}

/// The handle that ends one connection.
#[derive(Debug)]
pub struct Cut {
    connection: u64,
    /// How often the machine had gone down when it was made.
    restarts: u64,
    /// Bytes of plain text that may still be written. At 0 the connection is dead, for reads too.
    left: AtomicUsize,
    read: AtomicWaker,
    write: AtomicWaker,
}

impl Cut {
    /// The number of this connection, from 1.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// Was it made to the machine as it is now?
    pub(super) fn reaches(&self, power: Power) -> bool {
        power.down.is_none() && self.restarts == power.restarts
    }

    /// Ends the connection now.
    pub fn cut(&self) {
        self.cut_after(0);
    }

    /// Ends the connection once that many more bytes of plain text have gone out.
    pub fn cut_after(&self, bytes: usize) {
        self.left.store(bytes, Ordering::SeqCst);
        self.read.wake();
        self.write.wake();
    }

    fn dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

fn reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by the simulator")
}

/// A server's TLS stream that obeys its [`Cut`].
#[derive(Debug)]
pub struct Severable {
    tls: TlsStream<TcpStream>,
    cut: Arc<Cut>,
}

impl AsyncRead for Severable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cut.read.register(cx.waker());
        if self.cut.dead() {
            return Poll::Ready(Err(reset()));
        }
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl AsyncWrite for Severable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.write.register(cx.waker());
        let left = self.cut.left.load(Ordering::SeqCst);
        if left == 0 {
            return Poll::Ready(Err(reset()));
        }
        let take = buf.len().min(left);
        let written = ready!(Pin::new(&mut self.tls).poll_write(cx, &buf[..take]))?;
        if left != usize::MAX {
            // The last allowed bytes must reach the client before the connection dies, or a truncated head is just a cut.
            let _ = Pin::new(&mut self.tls).poll_flush(cx)?;
            self.cut.left.store(left - written, Ordering::SeqCst);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.write.register(cx.waker());
        ready!(Pin::new(&mut self.tls).poll_flush(cx))?;
        Poll::Ready(if self.cut.dead() { Err(reset()) } else { Ok(()) })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.dead() {
            // No close_notify: a connection that was cut does not say good-bye.
            return Poll::Ready(Err(reset()));
        }
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

/// Handed to every request, so that a fault can end the connection that carries it.
#[derive(Clone, Debug)]
pub struct Conn(pub Arc<Cut>);

impl Connected<IncomingStream<'_, TlsListener>> for Conn {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(Arc::clone(&stream.io().cut))
    }
}

/// A connection whose handshake is over.
type Shaken = (Severable, SocketAddr);

/// Accepts TCP and does the handshakes beside each other: one client that stays silent must not keep the others out.
pub struct TlsListener {
    /// None while the machine is down and refuses.
    tcp: Option<TcpListener>,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    handshakes: JoinSet<()>,
    done: mpsc::Sender<Shaken>,
    ready: mpsc::Receiver<Shaken>,
}

impl TlsListener {
    pub(super) fn new(tcp: TcpListener, address: SocketAddr, config: Arc<rustls::ServerConfig>, core: Arc<Core>) -> Self {
        let (done, ready) = mpsc::channel(64);
        Self {
            tcp: Some(tcp),
            address,
            acceptor: TlsAcceptor::from(config),
            core,
            handshakes: JoinSet::new(),
            done,
            ready,
        }
    }

    fn greet(&mut self, tcp: TcpStream, from: SocketAddr) {
        while self.handshakes.try_join_next().is_some() {}
        let power = self.core.vendor.power();
        let cut = self.core.door.admit(power);
        let greeting = match power.down {
            None => self.core.door.greeting(),
            // Accepted before the port could be closed, so as good as refused.
            Some(Down::Refuse | Down::Close) => Greeting::Close,
            Some(Down::Silence) => Greeting::Silence,
        };
        let (acceptor, done) = (self.acceptor.clone(), self.done.clone());
        self.handshakes.spawn(async move {
            match greeting {
                Greeting::Tls => {
                    // A handshake that fails is the client's affair; it shows there.
                    if let Ok(tls) = acceptor.accept(tcp).await {
                        let _ = done.send((Severable { tls, cut }, from)).await;
                    }
                }
                Greeting::Close => drop(tcp),
                Greeting::Silence => {
                    std::future::pending::<()>().await;
                    drop(tcp);
                }
            }
        });
    }
}

impl TlsListener {
    /// Makes the port and the open connections what they are on a machine in that state.
    async fn follow(&mut self, power: Power) {
        if *self.core.door.followed.borrow() != power {
            self.core.door.cut_older(power);
        }
        if power.down == Some(Down::Refuse) {
            self.tcp = None;
        }
        while self.tcp.is_none() && power.down != Some(Down::Refuse) {
            match TcpListener::bind(self.address).await {
                Ok(tcp) => self.tcp = Some(tcp),
                // Somebody's outgoing connection has the port for the moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        self.core.door.followed.send_replace(power);
    }
}

impl Listener for TlsListener {
    type Io = Severable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let core = Arc::clone(&self.core);
        loop {
            let power = core.vendor.power();
            self.follow(power).await;
            let changes = core.vendor.power_changes(power);
            let Some(tcp) = &self.tcp else {
                changes.await;
                continue;
            };
            tokio::select! {
                biased;
                () = changes => {}
                accepted = tcp.accept() => match accepted {
                    Ok((tcp, from)) => {
                        let _ = tcp.set_nodelay(true);
                        self.greet(tcp, from);
                    }
                    // Out of file descriptors or the like: give way, then try again.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(next) = self.ready.recv() => return next,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
