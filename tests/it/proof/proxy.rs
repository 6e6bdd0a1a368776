//! A proxy between one operator and the API server, which numbers the operator's effects and does one of them harm.
//!
//! Plain HTTP on loopback towards the operator, TLS towards the API server; the operator's own token passes through, so RBAC is that
//! of the chart. What was handed to the API server is committed even if the operator has gone meanwhile: forwarding is a task of its
//! own. Leases, Events and Secrets pass untouched. Watches go through [`super::watches`].

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::effects;
use super::era::Era;
use super::replies::Body;
use super::replies::Reply;
use super::replies::cut;
use super::replies::failure;
use super::replies::skewed;
use super::replies::truncated;
use super::replies::whole;
use super::watches;
use super::watches::WatchFaults;
use crate::plane::Plane;
use crate::sim::lock;

/// How long a connection is kept open without an answer: for ever, as far as a story goes. It is for the operator to give up.
const SILENCE: Duration = Duration::from_mins(10);

/// What happens to an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Held before the API server sees it, until released.
    HoldBefore,
    /// Committed; the reply is held until released.
    HoldAfter,
    /// Never gets there; the connection stays open until the client gives up.
    SilentBefore,
    /// Committed, never answered.
    SilentAfter,
    /// Never answered; committed this many milliseconds later, whatever the client thinks by then.
    Late(u64),
    /// The connection is cut before the API server sees it.
    DropBefore,
    /// Committed, then the connection is cut.
    DropAfter,
    /// Answered 503 without being seen.
    Refused,
    /// Committed, answered 504.
    GatewayTimeout,
    /// Committed, the reply ends in the middle.
    Truncated,
    /// Sent twice; the second answer counts.
    Duplicated,
    /// A GET is answered with what the same path was answered first.
    Stale,
    /// Committed; the creation time in the reply is off by this many seconds.
    Skewed(i64),
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It goes on.
    Forward,
    /// It is cut.
    Drop,
}

/// One effect of the operator.
#[derive(Clone, Debug)]
pub struct Effect {
    /// When it came.
    pub at: Timestamp,
    /// What it is for.
    pub label: String,
    /// The number of this among those with the same label, from 1.
    pub nth: usize,
}

/// Which effects a fault takes.
type Takes = Box<dyn Fn(&Effect) -> bool + Send>;

struct Armed {
    takes: Takes,
    fault: Fault,
    left: u32,
    live: Arc<Live>,
}

#[derive(Default)]
struct Live {
    hits: watch::Sender<u32>,
    release: watch::Sender<Option<Release>>,
}

/// A handle on a fault that was armed.
#[derive(Clone)]
pub struct Trap(Arc<Live>);

impl Trap {
    /// Returns once the effect is held, or has been harmed.
    pub async fn hit(&self) {
        // Cannot fail: this handle holds the sender.
        let _ = self.0.hits.subscribe().wait_for(|hits| *hits > 0).await;
    }

    /// How often it was hit.
    pub fn hits(&self) -> u32 {
        *self.0.hits.borrow()
    }

    /// Lets go what is held, and what would be.
    pub fn release(&self, release: Release) {
        self.0.release.send_replace(Some(release));
    }

    async fn released(&self) -> Release {
        let mut release = self.0.release.subscribe();
        let released = release.wait_for(Option::is_some).await.ok().and_then(|r| *r);
        released.unwrap_or(Release::Drop)
    }
}

/// A running proxy; it ends with this handle.
pub struct Proxy {
    address: SocketAddr,
    core: Arc<Core>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What all connections of a proxy share.
pub struct Core {
    upstream: reqwest::Client,
    base: String,
    book: Mutex<Book>,
    frozen: watch::Sender<bool>,
    /// What happens to watches.
    pub watches: Mutex<WatchFaults>,
    era: Option<Era>,
    under_way: AtomicUsize,
}

#[derive(Default)]
struct Book {
    effects: Vec<Effect>,
    armed: Vec<Armed>,
    /// The first answer to each GET.
    first: HashMap<String, Reply>,
}

struct Asked {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Proxy {
    /// Starts one in front of the plane's API server.
    pub async fn start(plane: &Plane) -> anyhow::Result<Proxy> {
        Proxy::start_in(plane, None).await
    }

    /// The same; towards the operator the API server has this clock.
    pub async fn start_in(plane: &Plane, era: Option<Era>) -> anyhow::Result<Proxy> {
        let ca = reqwest::Certificate::from_pem(plane.ca_pem().as_bytes())?;
        let upstream = reqwest::Client::builder()
            .tls_certs_only([ca])
            .http1_only()
            .no_proxy()
            .retry(reqwest::retry::never())
            .build()?;
        let core = Arc::new(Core {
            upstream,
            base: plane.server_url().to_owned(),
            book: Mutex::default(),
            frozen: watch::Sender::new(false),
            watches: Mutex::default(),
            era,
            under_way: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the proxy")?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&core)));
        Ok(Proxy { address, core, accepting })
    }

    /// Requests that the API server has not answered yet, watches aside.
    pub fn under_way(&self) -> usize {
        self.core.under_way.load(Ordering::Relaxed)
    }

    /// Where the operator is to look for the API server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Harms the `nth` effect with this label, counted from the proxy's start.
    pub fn arm(&self, label: &str, nth: usize, fault: Fault) -> Trap {
        let label = label.to_owned();
        self.arm_all(move |e| e.label == label && e.nth == nth, 1, fault)
    }

    /// Harms the next `times` effects for which `takes` holds.
    pub fn arm_all(&self, takes: impl Fn(&Effect) -> bool + Send + 'static, times: u32, fault: Fault) -> Trap {
        let live = Arc::new(Live::default());
        lock(&self.core.book).armed.push(Armed {
            takes: Box::new(takes),
            fault,
            left: times,
            live: Arc::clone(&live),
        });
        Trap(live)
    }

    /// Nothing is harmed any more; what is held stays held.
    pub fn disarm(&self) {
        lock(&self.core.book).armed.clear();
    }

    /// From now on nothing passes until [`Proxy::thaw`], and what waits then is cut.
    pub fn freeze(&self) {
        self.core.frozen.send_replace(true);
    }

    /// What comes from now on passes again.
    pub fn thaw(&self) {
        self.core.frozen.send_replace(false);
    }

    /// All effects so far, oldest first.
    pub fn effects(&self) -> Vec<Effect> {
        lock(&self.core.book).effects.clone()
    }

    /// Changes what happens to watches that begin, and to events that come, from now on.
    pub fn watches(&self, faults: WatchFaults) {
        *lock(&self.core.watches) = faults;
    }
}

async fn accept(listener: TcpListener, core: Arc<Core>) {
    // Dropped, and with it every connection, when the proxy's handle is.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        let core = Arc::clone(&core);
        connections.spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&core), request));
            // An error here is a connection that was cut, by either side.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// One request. An error closes the connection without an answer.
async fn handle(core: Arc<Core>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let asked = Asked {
        uri: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        method: head.method,
        headers: head.headers,
        body,
    };
    core.thawed().await?;
    if head.uri.query().is_some_and(|q| q.contains("watch=true") || q.contains("watch=1")) {
        return watches::stream(core, asked.uri, asked.headers).await;
    }
    let Some(label) = effects::label(&asked.method, head.uri.path(), &asked.body) else {
        return core.forward(asked).await.map(whole);
    };
    match core.number(label) {
        None => core.forward(asked).await.map(whole),
        Some((fault, trap)) => harm(&core, asked, fault, &trap).await,
    }
}

async fn harm(core: &Arc<Core>, asked: Asked, fault: Fault, trap: &Trap) -> io::Result<Response<Body>> {
    let hit = || trap.0.hits.send_modify(|hits| *hits += 1);
    let silence = async || {
        tokio::time::sleep(SILENCE).await;
        Err(cut())
    };
    match fault {
        Fault::HoldBefore => {
            hit();
            match trap.released().await {
                Release::Forward => core.forward(asked).await.map(whole),
                Release::Drop => Err(cut()),
            }
        }
        Fault::SilentBefore => {
            hit();
            silence().await
        }
        Fault::Late(after) => {
            hit();
            let core = Arc::clone(core);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                core.forward(asked).await.map(drop)
            });
            silence().await
        }
        Fault::DropBefore => {
            hit();
            Err(cut())
        }
        Fault::Refused => {
            hit();
            Ok(whole(failure(StatusCode::SERVICE_UNAVAILABLE)))
        }
        Fault::Stale => {
            let known = lock(&core.book).first.get(&asked.uri).cloned();
            // With nothing older to answer with, nothing was done to it.
            let Some(reply) = known.filter(|_| asked.method == Method::GET) else {
                return core.forward(asked).await.map(whole);
            };
            hit();
            Ok(whole(reply))
        }
        Fault::Duplicated => {
            let again = Asked {
                method: asked.method.clone(),
                uri: asked.uri.clone(),
                headers: asked.headers.clone(),
                body: asked.body.clone(),
            };
            core.forward(asked).await?;
            let second = core.forward(again).await?;
            hit();
            Ok(whole(second))
        }
        Fault::HoldAfter | Fault::SilentAfter | Fault::DropAfter | Fault::GatewayTimeout | Fault::Truncated | Fault::Skewed(_) => {
            let (forwarder, hit) = (Arc::clone(core), trap.clone());
            let forwarding = tokio::spawn(async move {
                let reply = forwarder.forward(asked).await?;
                // Also when the operator has given up meanwhile.
                hit.0.hits.send_modify(|hits| *hits += 1);
                io::Result::Ok(reply)
            });
            let reply = forwarding.await.map_err(io::Error::other)??;
            match fault {
                Fault::HoldAfter if trap.released().await == Release::Forward => Ok(whole(reply)),
                Fault::SilentAfter => silence().await,
                Fault::GatewayTimeout => Ok(whole(failure(StatusCode::GATEWAY_TIMEOUT))),
                Fault::Truncated => Ok(truncated(&reply)),
                Fault::Skewed(secs) => Ok(whole(skewed(reply, secs))),
                _ => Err(cut()),
            }
        }
    }
}

/// One request less is under way when this goes, however it ends.
struct Answered<'a>(&'a AtomicUsize);

impl Drop for Answered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Core {
    /// Returns when requests may pass; an error for those that came while they might not.
    async fn thawed(&self) -> io::Result<()> {
        let mut frozen = self.frozen.subscribe();
        if !*frozen.borrow_and_update() {
            return Ok(());
        }
        let _ = frozen.wait_for(|frozen| !*frozen).await;
        Err(cut())
    }

    /// Writes an effect down, and says what is to be done to it.
    fn number(&self, label: String) -> Option<(Fault, Trap)> {
        let mut book = lock(&self.book);
        let nth = book.effects.iter().filter(|e| e.label == label).count() + 1;
        let at = Timestamp::now();
        let effect = Effect { at, label, nth };
        let armed = book.armed.iter_mut().find(|a| a.left > 0 && (a.takes)(&effect));
        let found = armed.map(|armed| {
            armed.left -= 1;
            (armed.fault, Trap(Arc::clone(&armed.live)))
        });
        book.effects.push(effect);
        found
    }

    /// Opens a request to the API server.
    pub fn request(&self, method: Method, uri: &str, headers: &HeaderMap) -> reqwest::RequestBuilder {
        let mut passed = headers.clone();
        for name in [
            header::HOST,
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::ACCEPT_ENCODING,
        ] {
            passed.remove(name);
        }
        self.upstream.request(method, format!("{}{uri}", self.base)).headers(passed)
    }

    /// As the operator is to be told it.
    pub fn told(&self, body: Bytes) -> Bytes {
        match &self.era {
            Some(era) => era.tell(body),
            None => body,
        }
    }

    /// Hands a request to the API server, in a task that goes on when the operator has gone.
    async fn forward(self: &Arc<Self>, asked: Asked) -> io::Result<Reply> {
        let core = Arc::clone(self);
        core.under_way.fetch_add(1, Ordering::Relaxed);
        let forwarding = tokio::spawn(async move {
            let _over = Answered(&core.under_way);
            let answer = core
                .request(asked.method.clone(), &asked.uri, &asked.headers)
                .body(asked.body)
                .send()
                .await?;
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            headers.remove(header::TRANSFER_ENCODING);
            headers.remove(header::CONNECTION);
            let body = core.told(answer.bytes().await?);
            let reply = Reply { status, headers, body };
            if asked.method == Method::GET {
                lock(&core.book).first.entry(asked.uri).or_insert_with(|| reply.clone());
            }
            Ok::<_, reqwest::Error>(reply)
        });
        forwarding.await.map_err(io::Error::other)?.map_err(io::Error::other)
    }
}
