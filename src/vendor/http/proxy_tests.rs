//! A proxy that the installation names: what goes through it, what it may do to a start, and what it cannot get around.

use std::net::SocketAddr;
use std::sync::Mutex;

use futures::future::BoxFuture;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::*;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::target::Authority;
use crate::vendor::error::VendorError;
use crate::vendor::http::Call;
use crate::vendor::http::Fence;
use crate::vendor::http::Http;
use crate::vendor::http::HttpOptions;
use crate::vendor::http::Proof;
use crate::vendor::http::Reply;
use crate::vendor::http::StartCall;
use crate::vendor::http::Verb;
use crate::vendor::http::testing::Server;
use crate::vendor::http::testing::json;
use crate::vendor::http::testing::permit;

/// What the proxy does with a CONNECT.
#[derive(Clone, Copy)]
enum Manner {
    /// Opens a tunnel to this server, whatever name was asked for.
    Tunnel(SocketAddr),
    /// Answers this.
    Refuse(&'static str),
    /// Says nothing.
    Silent,
}

/// A proxy on loopback, and the first line of each request that it got.
struct Stub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn start(manner: Manner) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, manner, Arc::clone(&log)));
            }
        });
        Stub { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn connection(mut client: TcpStream, manner: Manner, log: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    match manner {
        Manner::Tunnel(to) => {
            let mut server = TcpStream::connect(to).await.unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
        Manner::Refuse(answer) => {
            let _ = client.write_all(answer.as_bytes()).await;
        }
        Manner::Silent => std::future::pending().await,
    }
}

/// A resolver that knows the proxy only, and fails the test if it is asked for anything else.
#[derive(Debug)]
struct ProxyOnly;

impl Lookup for ProxyOnly {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<std::net::IpAddr>>> {
        assert_eq!(host, "proxy.test", "the name of a vendor was resolved here");
        Box::pin(std::future::ready(Ok(vec![std::net::IpAddr::from([127, 0, 0, 1])])))
    }
}

/// A client of `vc.test`, which is that server, through that proxy. The fence stands: not even loopback is lifted.
fn through(stub: &Stub, server: &Server) -> HttpOptions {
    let proxy = format!("http://proxy.test:{}", stub.address.port()).parse().unwrap();
    HttpOptions {
        authority: Authority::from_url("https://vc.test").unwrap(),
        fence: Arc::new(Fence::default().resolved_by(Arc::new(ProxyOnly)).through(Some(proxy))),
        ..server.options()
    }
}

async fn start(http: &Http) -> Answer {
    let id = SecretString::from("sesame");
    let call = StartCall {
        operation: "start",
        path: &["start"],
        query: &[],
        session: ("x-session", &id),
        body: None,
        place: None,
    };
    let judge = |reply: &Reply| Answer::Lost {
        message: reply.status.to_string(),
    };
    let sent = http.send_once(call, permit(http.authority().clone(), "domain-c8"), judge).await;
    sent.unwrap().answer_for_test()
}

#[tokio::test]
async fn a_start_goes_through_the_proxy_once_and_the_vendor_is_resolved_there() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let stub = Stub::start(Manner::Tunnel(server.address)).await;
    let http = Http::new(through(&stub, &server)).unwrap();
    let Answer::Lost { message } = start(&http).await else {
        panic!("judged otherwise")
    };
    assert_eq!((message.as_str(), server.settled().await), ("200", (1, 1)));
    let call = Call {
        operation: "look",
        verb: Verb::Get,
        path: &["look"],
        query: &[],
        proof: Proof::Nobody,
        timeout: None,
    };
    assert_eq!(http.read(&call).await.unwrap().reply.status, 200);
    assert_eq!(stub.asked(), ["CONNECT vc.test:443 HTTP/1.1", "CONNECT vc.test:443 HTTP/1.1"]);
}

#[tokio::test]
async fn a_start_that_the_proxy_lets_not_through_was_not_taken() {
    for manner in [
        Manner::Refuse("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"),
        Manner::Refuse("HTTP/1.1 407 Who are you\r\n\r\n"),
        Manner::Refuse("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        Manner::Refuse("nonsense"),
        Manner::Refuse(""),
        Manner::Silent,
    ] {
        let server = Server::serve(|_, _| json(200, "{}")).await;
        let stub = Stub::start(manner).await;
        let mut options = through(&stub, &server);
        options.timing.connect_timeout = std::time::Duration::from_millis(300);
        let answer = start(&Http::new(options).unwrap()).await;
        assert!(
            matches!(
                &answer,
                Answer::NotTaken {
                    reason: NotTaken::ConnectFailed,
                    ..
                }
            ),
            "{answer:?} after {:?}",
            stub.asked()
        );
        assert_eq!(server.settled().await, (0, 0));
        assert_eq!(stub.asked().len(), 1, "a start asks once");
    }
}

#[tokio::test]
async fn a_proxy_lifts_neither_the_list_of_hosts_nor_the_fence_around_addresses_in_urls() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let stub = Stub::start(Manner::Tunnel(server.address)).await;
    for (url, listed) in [
        ("https://vc.test", vec!["other.test".to_owned()]),
        ("https://169.254.169.254", vec![]),
        ("https://127.0.0.1", vec![]),
    ] {
        let mut options = through(&stub, &server);
        options.authority = Authority::from_url(url).unwrap();
        options.fence = Arc::new(Fence::clone(&options.fence).only_hosts(listed));
        assert!(matches!(Http::new(options), Err(VendorError::EndpointNotAllowed(_))), "{url}");
    }
    assert!(stub.asked().is_empty());
}

#[test]
fn only_a_plain_address_is_a_proxy() {
    for good in [
        "http://proxy.example:3128",
        "http://proxy.example:80",
        "http://10.1.2.3:8080/",
        "http://[2001:db8::1]:3128",
    ] {
        assert!(good.parse::<ProxyUrl>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "proxy.example:3128",
        "http://proxy.example",
        "http://proxy.example:0",
        "http://[2001:db8::1]",
        "https://proxy.example:3128",
        "socks5://proxy.example:1080",
        "http://user:secret@proxy.example:3128",
        "http://proxy.example:3128/path",
        "http://proxy.example:3128?q",
    ] {
        assert_eq!(bad.parse::<ProxyUrl>(), Err(NotAProxy), "{bad}");
    }
}
