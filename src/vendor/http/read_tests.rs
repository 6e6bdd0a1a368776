//! The client for reads: what is tried again, what is not, and what an error becomes.

use std::sync::Mutex;

use reqwest::dns::Resolve;
use secrecy::SecretString;

use super::resolve::FencedResolver;
use super::testing::*;
use super::*;

fn look<'a>(id: &'a SecretString, path: &'a [&'a str]) -> Call<'a> {
    Call {
        operation: "look",
        verb: Verb::Get,
        path,
        query: &[],
        proof: Proof::Session("x-session", id),
        timeout: None,
    }
}

async fn read(http: &Http, path: &[&str]) -> Result<Dated, VendorError> {
    http.read(&look(&SecretString::from("sesame"), path)).await
}

#[tokio::test]
async fn a_read_is_tried_again_after_trouble_and_dated_by_the_try_that_answered() {
    let server = Server::serve(|_, n| match n {
        0 => Act::SendAndClose(vec![]),
        1 => json(503, "{}"),
        _ => json(200, "[]"),
    })
    .await;
    let http = Http::new(server.options()).unwrap();
    let before = http.clock().mono();
    let dated = read(&http, &["a"]).await.unwrap();
    assert_eq!((dated.reply.status, server.requests().len()), (200, 3));
    assert!(dated.asked.since(before) > Duration::from_millis(200), "two pauses lie before it");
}

#[tokio::test]
async fn tries_end_and_the_last_answer_counts() {
    let server = Server::serve(|_, _| json(502, "{}")).await;
    let http = Http::new(server.options()).unwrap();
    assert_eq!(read(&http, &["a"]).await.unwrap().reply.status, 502);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_login_and_a_definite_answer_are_not_tried_again() {
    let server = Server::serve(|r, _| if r.method == "POST" { json(503, "{}") } else { json(500, "{}") }).await;
    let http = Http::new(server.options()).unwrap();
    let password = SecretString::from("p");
    let login = Call {
        operation: "login",
        verb: Verb::Post,
        path: &["s"],
        query: &[],
        proof: Proof::Basic("u", &password),
        timeout: None,
    };
    assert_eq!(http.read(&login).await.unwrap().reply.status, 503);
    assert_eq!(read(&http, &["a"]).await.unwrap().reply.status, 500);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(server.requests()[0].header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_429_pauses_every_later_call() {
    let server = Server::serve(|_, _| Act::Send(raw(429, &[("retry-after", "90")], ""))).await;
    let http = Http::new(server.options()).unwrap();
    let err = read(&http, &["a"]).await.unwrap_err();
    assert!(
        matches!(err, VendorError::Throttled { after: Some(after), .. } if after == Duration::from_secs(90)),
        "{err:?}"
    );
    let err = read(&http, &["a"]).await.unwrap_err();
    assert!(
        matches!(err, VendorError::Throttled { after: Some(after), .. } if after > Duration::from_secs(80)),
        "{err:?}"
    );
    assert!(http.token().await.is_err());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn paths_are_encoded_and_dots_refused() {
    let server = Server::serve(|_, _| json(200, "[]")).await;
    let http = Http::new(server.options()).unwrap();
    read(&http, &["api", "../../x?y=1#z%2e"]).await.unwrap();
    assert_eq!(server.requests()[0].target, "/api/..%2F..%2Fx%3Fy=1%23z%252e");
    for bad in ["", ".", ".."] {
        assert!(
            matches!(read(&http, &["api", bad]).await, Err(VendorError::NoRequest { .. })),
            "{bad:?}"
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn connection_troubles_have_their_own_reasons() {
    let server = Server::serve(|_, _| json(200, "[]")).await;
    let err = read(
        &Http::new(HttpOptions {
            ca_bundle_pem: None,
            ..server.options()
        })
        .unwrap(),
        &["a"],
    )
    .await
    .unwrap_err();
    assert_eq!((err.reason(), err.label()), ("TLSUntrusted", "refused"), "{err:?}");
    assert_eq!(server.connections(), 1, "a certificate is not tried again");

    let old = Server::greet(Greeting::Raw(vec![0x15, 3, 1, 0, 2, 2, 40])).await;
    let err = read(&Http::new(old.options()).unwrap(), &["a"]).await.unwrap_err();
    assert_eq!(err.reason(), "TLSTooOld", "{err:?}");

    let gone = server.options();
    server.stop().await;
    let err = read(&Http::new(gone).unwrap(), &["secret-path"]).await.unwrap_err();
    assert_eq!((err.reason(), err.label()), ("Unreachable", "transient"));
    assert!(!err.to_string().contains("secret-path"), "{err}");
}

#[tokio::test]
async fn the_wrong_host_name_is_untrusted() {
    let server = Server::serve(|_, _| json(200, "[]")).await;
    let url = format!("https://other.test:{}", server.address.port());
    let fence = Fence::clone(&loopback_fence()).resolved_by(Script::new(&["127.0.0.1"]));
    let options = HttpOptions {
        authority: Authority::from_url(&url).unwrap(),
        fence: Arc::new(fence),
        ..server.options()
    };
    let err = read(&Http::new(options).unwrap(), &["a"]).await.unwrap_err();
    assert_eq!(err.reason(), "TLSUntrusted", "{err:?}");
}

#[tokio::test]
async fn connection_to_metadata_address_is_refused_after_dns_change() {
    let fence = Arc::new(Fence::default().resolved_by(Script::new(&[
        "203.0.113.9",
        "169.254.169.254",
        "::ffff:169.254.169.254 203.0.113.9",
    ])));
    let resolver = FencedResolver(fence);
    let ask = || async {
        resolver
            .resolve("vc1.example".parse().unwrap())
            .await
            .map(|a| a.map(|s| s.ip().to_string()).collect::<Vec<_>>())
    };
    assert_eq!(ask().await.unwrap(), ["203.0.113.9"]);
    let refused = ask().await.unwrap_err();
    assert_eq!(refused.downcast_ref::<FenceError>().unwrap().why, Forbidden::LinkLocal);
    assert_eq!(ask().await.unwrap(), ["203.0.113.9"], "only the checked address is left");
}

#[tokio::test]
async fn a_read_behind_the_fence_is_endpoint_not_allowed() {
    let server = Server::serve(|_, _| json(200, "[]")).await;
    let fence = Arc::new(Fence::default().resolved_by(Script::new(&["127.0.0.1"])));
    let authority = Authority::from_url(&format!("https://vc.test:{}", server.address.port())).unwrap();
    let err = read(
        &Http::new(HttpOptions {
            authority,
            fence,
            ..server.options()
        })
        .unwrap(),
        &["a"],
    )
    .await
    .unwrap_err();
    assert_eq!((err.reason(), err.label()), ("EndpointNotAllowed", "refused"), "{err:?}");
    assert_eq!(server.settled().await, (0, 0));
}

#[tokio::test]
async fn a_forbidden_literal_is_refused_when_the_client_is_made() {
    let server = Server::serve(|_, _| json(200, "[]")).await;
    for url in [
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://[::1]",
        "https://[::ffff:a9fe:a9fe]",
        "https://localhost",
    ] {
        let options = HttpOptions {
            authority: Authority::from_url(url).unwrap(),
            fence: Arc::new(Fence::default()),
            ..server.options()
        };
        assert_eq!(Http::new(options).err().unwrap().reason(), "EndpointNotAllowed", "{url}");
    }
}

#[derive(Default)]
struct Tally(Mutex<Vec<(&'static str, &'static str)>>);

impl CallObserver for Tally {
    fn call(&self, operation: &'static str, class: &'static str, seconds: f64) {
        assert!(seconds >= 0.0);
        self.0.lock().unwrap().push((operation, class));
    }
}

#[tokio::test]
async fn every_try_is_told_to_the_observer() {
    let server = Server::serve(|_, n| if n == 0 { json(503, "{}") } else { json(404, "{}") }).await;
    let tally = Arc::new(Tally::default());
    let http = Http::new(HttpOptions {
        observer: Some(tally.clone()),
        ..server.options()
    })
    .unwrap();
    read(&http, &["a"]).await.unwrap();
    assert_eq!(*tally.0.lock().unwrap(), [("look", "transient"), ("look", "refused")]);
}
