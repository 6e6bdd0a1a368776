//! The TLS door before the proxy, which speaks plain HTTP only; and the pen that writes down what the proxy says of each exchange.
//!
//! HTTP/1.1, loopback, one connection to the proxy for each request: it closes idle ones, and a request that meets that would be lost.
//!
//! What a vendor has under the same name and its specification does not describe can go [past](Past) the proxy, which has nothing to say of it and makes
//! one header of an answer's several (a log-in at Aruba Central gives two cookies).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::book::Book;
use super::book::Exchange;
use super::book::VIOLATIONS;
use crate::sim::tls::Tls;

/// A running front; it ends with this handle.
pub struct Front {
    tls: Tls,
    address: SocketAddr,
    book: Arc<Book>,
    accepting: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What goes to the simulator itself, and is not in the book.
pub struct Past<'a> {
    /// How its paths begin.
    pub prefix: &'static str,
    /// The simulator.
    pub url: &'a str,
    /// Who vouches for it.
    pub ca_pem: &'a str,
}

struct Door {
    proxy: String,
    client: reqwest::Client,
    past: Option<(&'static str, String)>,
    book: Arc<Book>,
}

impl Front {
    /// Opens one before the proxy at this URL.
    pub async fn start(proxy: &str) -> anyhow::Result<Front> {
        Front::open(proxy, None).await
    }

    /// The same, with a way past the proxy.
    pub async fn with_past(proxy: &str, past: Past<'_>) -> anyhow::Result<Front> {
        Front::open(proxy, Some(past)).await
    }

    async fn open(proxy: &str, past: Option<Past<'_>>) -> anyhow::Result<Front> {
        let mut client = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if let Some(past) = &past {
            client = client.add_root_certificate(reqwest::Certificate::from_pem(past.ca_pem.as_bytes())?);
        }
        let client = client.build()?;
        let (tls, book) = (Tls::new(&[])?, Arc::new(Book::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let door = Arc::new(Door {
            proxy: proxy.to_owned(),
            client,
            past: past.map(|past| (past.prefix, past.url.to_owned())),
            book: Arc::clone(&book),
        });
        let acceptor = TlsAcceptor::from(tls.config());
        let accepting = tokio::spawn(accept(listener, acceptor, door));
        Ok(Front {
            tls,
            address,
            book,
            accepting,
        })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Who vouches for it.
    pub fn ca_pem(&self) -> &str {
        self.tls.ca_pem()
    }

    /// What went through it.
    pub fn book(&self) -> &Book {
        &self.book
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, door: Arc<Door>) {
    // Dropped, and with it every connection, when the front's handle is.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        let (acceptor, door) = (acceptor.clone(), Arc::clone(&door));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| pass(Arc::clone(&door), request));
            // An error here is a connection that the client ended.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// One exchange. It is written down before its answer goes out, so that who has the answer can read of it.
async fn pass(door: Arc<Door>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let mut exchange = Exchange::of(agent.unwrap_or_default(), head.method.as_str(), &head.uri);
    for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let past = door.past.as_ref().filter(|(prefix, _)| target.starts_with(prefix));
    let url = past.map_or(&door.proxy, |(_, url)| url);
    let mut asked = door.client.request(head.method, format!("{url}{target}")).headers(head.headers);
    if !body.is_empty() {
        asked = asked.body(body);
    }
    match answered(asked).await {
        Ok(response) => {
            if past.is_none() {
                exchange.answered(&response);
                door.book.write(exchange);
            }
            let (mut head, body) = response.into_parts();
            for name in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
                head.headers.remove(name);
            }
            head.headers.remove(VIOLATIONS);
            Ok(Response::from_parts(head, Full::new(body)))
        }
        Err(error) => {
            exchange.lost(&format!("{url} did not answer: {error}"));
            door.book.write(exchange);
            Err(io::Error::other(error))
        }
    }
}

async fn answered(asked: reqwest::RequestBuilder) -> reqwest::Result<Response<Bytes>> {
    let answer = asked.send().await?;
    let (status, headers): (StatusCode, _) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(answer.bytes().await?);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
