//! A server that follows a script to the byte, and counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::testing::loopback_fence;
use super::*;

/// What the peer does next on a connection. When there is nothing left to do it [holds](Ending::Hold).
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Reads the client's hello, without TLS.
    Hello,
    /// Answers the hello with this much of its own flight, in percent.
    Flight(usize),
    /// The TLS handshake.
    Handshake,
    /// Reads the head of a request.
    Head,
    /// Reads half of the body whose head was read.
    HalfBody,
    /// Reads a whole request.
    Request,
    /// Sends this.
    Send(Vec<u8>),
    /// Sends this byte by byte, one every so often.
    Drip(Vec<u8>, Duration),
    /// Sends this again and again, as long as somebody takes it.
    Forever(Vec<u8>),
    /// Ends the connection.
    End(Ending),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// TLS says goodbye, then FIN. What the client sends after it is still read, and counted.
    Goodbye,
    /// FIN without a goodbye, as from a process that was killed. What the client sends after it is still read, and counted.
    Fin,
    /// RST.
    Reset,
    /// Says nothing any more; reads what comes until the client goes.
    Hold,
}

/// What was seen of one connection.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    from: SocketAddr,
    /// The client's hello as it came.
    pub hello: Vec<u8>,
    /// Application protocols that were offered.
    pub alpn: Vec<Vec<u8>>,
    /// Bytes of TLS early data.
    pub early: usize,
    /// What came through TLS.
    pub received: Vec<u8>,
    /// How much was sent through TLS.
    pub sent: usize,
    over: bool,
}

impl Seen {
    /// Requests that began on it, by their request lines.
    pub fn requests(&self) -> usize {
        let line_end = b" HTTP/1.1\r\n";
        self.received.windows(line_end.len()).filter(|w| w == line_end).count()
    }
}

/// Script of a connection, by its number from 0.
type Script = Arc<dyn Fn(usize) -> Vec<Step> + Send + Sync>;

/// The running peer; stops when dropped.
pub(super) struct Peer {
    pub address: SocketAddr,
    ca_pem: String,
    log: Arc<Log>,
    task: tokio::task::JoinHandle<()>,
}

struct Log {
    seen: Mutex<Vec<Seen>>,
    changed: watch::Sender<()>,
}

impl Log {
    fn note(&self, number: usize, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock().unwrap()[number]);
        self.changed.send_replace(());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Does the same on every connection.
    pub async fn always(steps: Vec<Step>) -> Peer {
        Peer::scripted(move |_| steps.clone(), |_| {}).await
    }

    /// TLS, one whole request, and these bytes; then it holds the connection.
    pub async fn answering(bytes: impl Into<Vec<u8>>) -> Peer {
        Peer::always(vec![Step::Handshake, Step::Request, Step::Send(bytes.into())]).await
    }

    /// Follows a script for each connection, with TLS changed like this.
    pub async fn scripted(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static, tls: impl FnOnce(&mut ServerConfig)) -> Peer {
        Peer::speaking(rustls::DEFAULT_VERSIONS, script, tls).await
    }

    /// The same with these versions of TLS.
    pub async fn speaking(
        versions: &[&'static rustls::SupportedProtocolVersion],
        script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
        tls: impl FnOnce(&mut ServerConfig),
    ) -> Peer {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        tls(&mut config);
        let (config, script): (_, Script) = (Arc::new(config), Arc::new(script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log {
            seen: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let shared = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let number = {
                    let mut seen = shared.seen.lock().unwrap();
                    seen.push(Seen {
                        from,
                        hello: Vec::new(),
                        alpn: Vec::new(),
                        early: 0,
                        received: Vec::new(),
                        sent: 0,
                        over: false,
                    });
                    seen.len() - 1
                };
                shared.changed.send_replace(());
                let talk = Talk {
                    number,
                    config: Arc::clone(&config),
                    log: Arc::clone(&shared),
                };
                let steps = script(number);
                tokio::spawn(async move {
                    talk.follow(stream, steps).await;
                    talk.log.note(talk.number, |seen| seen.over = true);
                });
            }
        });
        Peer {
            address,
            ca_pem: made.cert.pem(),
            log,
            task,
        }
    }

    /// Client options that trust this peer and may reach it.
    pub fn options(&self, timing: Timing) -> HttpOptions {
        HttpOptions {
            vendor: "test",
            authority: Authority::from_url(&format!("https://{}", self.address)).unwrap(),
            ca_bundle_pem: Some(self.ca_pem.clone()),
            per_second: NonZeroU32::new(1000).unwrap(),
            fence: loopback_fence(),
            start_timeout: timing.start_timeout_vcenter,
            timing,
            retry_reads: true,
            clock: Clock::system(),
            observer: None,
            gate: None,
        }
    }

    /// Every connection that was ever made, each read to its end. The client must be gone, or this does not return.
    pub async fn counted(&self) -> Vec<Seen> {
        // Connections are handed over in the order in which they came: once ours is there, all earlier ones are.
        let last = TcpStream::connect(self.address).await.unwrap();
        let own = last.local_addr().unwrap();
        self.until(|seen| seen.iter().any(|s| s.from == own)).await;
        drop(last);
        self.until(|seen| seen.iter().all(|s| s.over)).await;
        let seen = self.log.seen.lock().unwrap();
        seen.iter().filter(|s| s.from != own).cloned().collect()
    }

    /// Waits for what is seen to be so.
    pub async fn until(&self, so: impl Fn(&[Seen]) -> bool) {
        let mut changes = self.log.changed.subscribe();
        let wait = async {
            while !so(&self.log.seen.lock().unwrap()) {
                changes.changed().await.unwrap();
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), wait).await;
        let seen = self.log.seen.lock().unwrap();
        let short: Vec<_> = seen.iter().map(|s| (s.hello.len(), s.received.len(), s.sent, s.over)).collect();
        assert!(came.is_ok(), "not in time; hello, received, sent, over: {short:?}");
    }

    /// Connections and requests of a client that is gone.
    pub async fn tally(&self) -> (usize, usize) {
        let seen = self.counted().await;
        (seen.len(), seen.iter().map(Seen::requests).sum())
    }
}

/// One connection.
struct Talk {
    number: usize,
    config: Arc<ServerConfig>,
    log: Arc<Log>,
}

impl Talk {
    /// Whatever fails, fails because the client went: then the talk is over.
    async fn follow(&self, mut stream: TcpStream, steps: Vec<Step>) -> Option<()> {
        let mut steps = steps.into_iter();
        let mut hello = Vec::new();
        for step in steps.by_ref() {
            match step {
                Step::Hello => hello = self.hello(&mut stream).await?,
                Step::Flight(percent) => {
                    let flight = self.flight(&hello);
                    stream.write_all(&flight[..flight.len() * percent / 100]).await.ok()?;
                }
                Step::Drip(bytes, every) => drip(&mut stream, &bytes, every).await?,
                Step::Handshake => {
                    let tls = self.handshake(stream).await?;
                    return self.speak(tls, steps).await;
                }
                Step::End(ending) => return self.end_raw(stream, ending).await,
                other => panic!("{other:?} before TLS"),
            }
        }
        self.end_raw(stream, Ending::Hold).await
    }

    async fn end_raw(&self, mut stream: TcpStream, ending: Ending) -> Option<()> {
        match ending {
            Ending::Reset => return stream.set_zero_linger().ok(),
            Ending::Goodbye | Ending::Fin => stream.shutdown().await.ok()?,
            Ending::Hold => {}
        }
        // Not TLS, so nothing of it is a request: only until the client goes.
        while stream.read(&mut [0; 4096]).await.ok()? > 0 {}
        Some(())
    }

    async fn hello(&self, stream: &mut TcpStream) -> Option<Vec<u8>> {
        let mut hello = vec![0; 5];
        stream.read_exact(&mut hello).await.ok()?;
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        hello.resize(5 + length, 0);
        stream.read_exact(&mut hello[5..]).await.ok()?;
        Some(hello)
    }

    fn flight(&self, hello: &[u8]) -> Vec<u8> {
        let mut server = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        server.read_tls(&mut &*hello).unwrap();
        server.process_new_packets().unwrap();
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        flight
    }

    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let mut hello = vec![0; 16 * 1024];
        let length = stream.peek(&mut hello).await.ok()?;
        hello.truncate(length);
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.ok()?;
        let alpn = start
            .client_hello()
            .alpn()
            .map(|names| names.map(<[u8]>::to_vec).collect())
            .unwrap_or_default();
        self.log.note(self.number, |seen| (seen.hello, seen.alpn) = (hello, alpn));
        let mut tls = start.into_stream(Arc::clone(&self.config)).await.ok()?;
        let mut early = Vec::new();
        if let Some(mut data) = tls.get_mut().1.early_data() {
            std::io::Read::read_to_end(&mut data, &mut early).ok()?;
        }
        self.log.note(self.number, |seen| seen.early += early.len());
        Some(tls)
    }

    async fn speak(&self, mut tls: TlsStream<TcpStream>, steps: impl Iterator<Item = Step>) -> Option<()> {
        let mut body = 0;
        for step in steps {
            match step {
                Step::Head => body = self.head(&mut tls).await?,
                Step::HalfBody => {
                    self.take(&mut tls, body / 2).await?;
                    body -= body / 2;
                }
                Step::Request => {
                    let length = self.head(&mut tls).await?;
                    self.take(&mut tls, length).await?;
                }
                Step::Send(bytes) => self.send(&mut tls, &bytes).await?,
                Step::Drip(bytes, every) => drip(&mut tls, &bytes, every).await?,
                Step::Forever(bytes) => loop {
                    self.send(&mut tls, &bytes).await?;
                },
                Step::End(Ending::Goodbye) => {
                    tls.shutdown().await.ok()?;
                    break;
                }
                Step::End(Ending::Fin) => {
                    tls.get_mut().0.shutdown().await.ok()?;
                    break;
                }
                Step::End(Ending::Reset) => return tls.get_ref().0.set_zero_linger().ok(),
                Step::End(Ending::Hold) => break,
                Step::Hello | Step::Flight(_) | Step::Handshake => panic!("TLS within TLS"),
            }
        }
        let mut rest = vec![0; 64 * 1024];
        loop {
            let count = tls.read(&mut rest).await.ok().filter(|count| *count > 0)?;
            self.log.note(self.number, |seen| seen.received.extend(&rest[..count]));
        }
    }

    /// Reads a head; gives the length of the body after it.
    async fn head(&self, tls: &mut TlsStream<TcpStream>) -> Option<usize> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.take(tls, 1).await?[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
        Some(length.map_or(0, |length| length.parse().unwrap()))
    }

    async fn take(&self, tls: &mut TlsStream<TcpStream>, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        tls.read_exact(&mut bytes).await.ok()?;
        self.log.note(self.number, |seen| seen.received.extend(&bytes));
        Some(bytes)
    }

    async fn send(&self, tls: &mut TlsStream<TcpStream>, bytes: &[u8]) -> Option<()> {
        tls.write_all(bytes).await.ok()?;
        tls.flush().await.ok()?;
        self.log.note(self.number, |seen| seen.sent += bytes.len());
        Some(())
    }
}

async fn drip(to: &mut (impl tokio::io::AsyncWrite + Unpin), bytes: &[u8], every: Duration) -> Option<()> {
    for byte in bytes {
        to.write_all(&[*byte]).await.ok()?;
        to.flush().await.ok()?;
        tokio::time::sleep(every).await;
    }
    Some(())
}
