//! A TLS server for tests that misbehaves on order and counts everything.
//!
//! It reads requests byte by byte from the socket and answers with raw bytes, so it can do what no HTTP library would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use ipnet::IpNet;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::controller::permit::Order;
use crate::controller::permit::StartPermit;
use crate::lease::Leadership;
use crate::upgrade::facts::Options;
use crate::upgrade::target::TargetKey;

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub connection: usize,
    pub method: String,
    /// Path and query, not decoded.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends this and waits for the next request on the connection.
    Send(Vec<u8>),
    /// Sends this and closes.
    SendAndClose(Vec<u8>),
    /// Breaks the connection off.
    Cut,
    /// Says nothing, holds the connection.
    Hang,
}

/// A whole answer with a JSON body.
pub(crate) fn json(status: u16, body: &str) -> Act {
    Act::Send(raw(status, &[("content-type", "application/json")], body))
}

/// A whole answer's bytes.
pub(crate) fn raw(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {status} X"), format!("content-length: {}", body.len())];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

/// Answers a request, given its number from 0.
pub(crate) type Answering = Arc<dyn Fn(&Request, usize) -> Act + Send + Sync>;

/// What the server does with a connection.
#[derive(Clone)]
pub(crate) enum Greeting {
    /// TLS, then this for each request.
    Serve(Answering),
    /// TLS, then closes without reading.
    CloseAfterHandshake,
    /// Reads the client's hello and sends this instead of TLS.
    Raw(Vec<u8>),
    /// Accepts and is silent.
    Silent,
}

#[derive(Default)]
struct Log {
    connections: usize,
    requests: Vec<Request>,
}

/// The running server; stops when dropped.
pub(crate) struct Server {
    pub address: SocketAddr,
    pub ca_pem: String,
    log: Arc<Mutex<Log>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves requests with this.
    pub async fn serve(act: impl Fn(&Request, usize) -> Act + Send + Sync + 'static) -> Server {
        Server::greet(Greeting::Serve(Arc::new(act))).await
    }

    /// Serves connections with this.
    pub async fn greet(greeting: Greeting) -> Server {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "vc.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, acceptor.clone(), greeting.clone(), Arc::clone(&shared)));
            }
        });
        Server {
            address,
            ca_pem: made.cert.pem(),
            log,
            task,
        }
    }

    /// Stops listening; when this returns, connecting is refused.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// TCP connections so far.
    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().requests.clone()
    }

    /// Waits long enough for a client to send again if it wanted to, then gives connections and requests.
    pub async fn settled(&self) -> (usize, usize) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        (self.connections(), self.requests().len())
    }

    /// `https://127.0.0.1:port`.
    pub fn authority(&self) -> Authority {
        Authority::from_url(&format!("https://{}", self.address)).unwrap()
    }

    /// Client options that trust this server and may reach it.
    pub fn options(&self) -> HttpOptions {
        HttpOptions {
            vendor: "test",
            authority: self.authority(),
            ca_bundle_pem: Some(self.ca_pem.clone()),
            per_second: NonZeroU32::new(1000).unwrap(),
            fence: loopback_fence(),
            timing: quick(),
            start_timeout: quick().start_timeout_vcenter,
            retry_reads: true,
            clock: Clock::system(),
            observer: None,
            gate: None,
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, greeting: Greeting, log: Arc<Mutex<Log>>) {
    let number = {
        let mut log = log.lock().unwrap();
        log.connections += 1;
        log.connections
    };
    match greeting {
        Greeting::Serve(act) => {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            while let Some(request) = request(&mut tls, number).await {
                let (count, seen) = {
                    let mut log = log.lock().unwrap();
                    log.requests.push(request.clone());
                    (log.requests.len() - 1, request)
                };
                match act(&seen, count) {
                    Act::Send(bytes) => {
                        let _ = tls.write_all(&bytes).await;
                        let _ = tls.flush().await;
                    }
                    Act::SendAndClose(bytes) => {
                        let _ = tls.write_all(&bytes).await;
                        let _ = tls.shutdown().await;
                        return;
                    }
                    // Without the word that TLS has for the end.
                    Act::Cut => return,
                    Act::Hang => std::future::pending().await,
                }
            }
        }
        Greeting::CloseAfterHandshake => {
            if let Ok(mut tls) = acceptor.accept(stream).await {
                let _ = tls.shutdown().await;
            }
        }
        Greeting::Raw(bytes) => {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Greeting::Silent => {
            let _held = stream;
            std::future::pending::<()>().await;
        }
    }
}

async fn request(tls: &mut TlsStream<TcpStream>, connection: usize) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    let mut seen = Request {
        connection,
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = seen.header("content-length").map_or(0, |l| l.parse().unwrap());
    seen.body = vec![0; length];
    tls.read_exact(&mut seen.body).await.ok()?;
    Some(seen)
}

/// A fence that lets tests reach themselves.
pub(crate) fn loopback_fence() -> Arc<Fence> {
    Arc::new(Fence::default().allow(["127.0.0.0/8".parse::<IpNet>().unwrap()]))
}

/// Production's durations, but no test hangs for minutes. Ample for a busy machine; tests that wait for one of these set it shorter.
pub(crate) fn quick() -> Timing {
    Timing {
        connect_timeout: Duration::from_secs(10),
        start_timeout_vcenter: Duration::from_secs(20),
        ..Timing::production()
    }
}

/// A permit for a cluster there, good for a minute.
pub(crate) fn permit(authority: Authority, cluster: &str) -> StartPermit {
    permit_for(TargetKey::cluster(authority, cluster), Duration::from_mins(1), true)
}

/// A permit.
pub(crate) fn permit_for(target: TargetKey, lives: Duration, leads: bool) -> StartPermit {
    let order = Order {
        version: "v1.30.5+vmware.2".to_owned(),
        options: Options::Cluster {
            ignore_precheck_warnings: false,
        },
        scheduled_at: None,
    };
    StartPermit::for_test(target, order, lives, Leadership::for_test(leads), Clock::system())
}

/// A resolver whose answers are given one after another; the last one stays.
#[derive(Debug)]
pub(crate) struct Script(Mutex<Vec<&'static str>>);

impl Script {
    pub fn new(answers: &[&'static str]) -> Arc<Script> {
        Arc::new(Script(Mutex::new(answers.iter().rev().copied().collect())))
    }
}

impl Lookup for Script {
    fn lookup(&self, _host: String) -> BoxFuture<'static, std::io::Result<Vec<std::net::IpAddr>>> {
        let mut left = self.0.lock().unwrap();
        let answer = if left.len() > 1 { left.pop() } else { left.first().copied() };
        let ips = answer.unwrap().split(' ').map(|ip| ip.parse().unwrap()).collect();
        Box::pin(std::future::ready(Ok(ips)))
    }
}
