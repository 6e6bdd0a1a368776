//! Hostile servers against the client for starts: exactly one request, or none, and the right word for what came of it.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use super::testing::*;
use super::*;
use crate::controller::permit::StartPermit;
use crate::controller::permit::Unarmed;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::target::TargetKey;

/// Sends a start and gives the answer; a reply is shown as Lost with its status and length.
async fn start(http: &Http) -> Answer {
    let permit = permit(http.authority().clone(), "domain-c8");
    send(http, permit).await.unwrap()
}

async fn send(http: &Http, permit: StartPermit) -> Result<Answer, NotSent> {
    let id = SecretString::from("sesame");
    let body = json!({"domain-c8": {"desired_version": permit.order().version}});
    let call = StartCall {
        operation: "start",
        path: &["api", "start"],
        query: &[("action", "go")],
        session: ("x-session", &id),
        body: Some(&body),
        place: None,
    };
    let judge = |reply: &Reply| Answer::Lost {
        message: format!("{} {:?}", reply.status, reply.whole_body().map(<[u8]>::len)),
    };
    match http.send_once(call, permit, judge).await {
        Ok(sent) => Ok(sent.answer_for_test()),
        Err(unsent) => {
            unsent.permit.give_up_for_test();
            Err(unsent.why)
        }
    }
}

fn lost(answer: &Answer) -> &str {
    let Answer::Lost { message } = answer else { panic!("{answer:?}") };
    message
}

fn connect_failed(answer: &Answer) -> &str {
    let Answer::NotTaken {
        reason: NotTaken::ConnectFailed,
        message,
    } = answer
    else {
        panic!("{answer:?}")
    };
    message
}

#[tokio::test]
async fn a_start_is_one_request_that_names_its_receipt() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let http = Http::new(server.options()).unwrap();
    assert_eq!(lost(&start(&http).await), "200 Some(2)");
    assert_eq!(server.settled().await, (1, 1));
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/api/start?action=go"));
    let receipt = TargetKey::cluster(server.authority(), "domain-c8").receipt_name(1);
    assert_eq!(
        request.header("user-agent"),
        Some(format!("windlass/{} (receipt {receipt})", env!("CARGO_PKG_VERSION")).as_str())
    );
    assert_eq!(request.header("x-session"), Some("sesame"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept-encoding"), None);
}

#[tokio::test]
async fn a_server_that_reads_the_request_and_closes_gets_no_second_one() {
    let server = Server::serve(|_, _| Act::SendAndClose(vec![])).await;
    let http = Http::new(server.options()).unwrap();
    lost(&start(&http).await);
    assert_eq!(server.settled().await, (1, 1));
}

#[tokio::test]
async fn a_server_that_closes_before_reading_gets_no_second_connection() {
    let server = Server::greet(Greeting::CloseAfterHandshake).await;
    let http = Http::new(server.options()).unwrap();
    lost(&start(&http).await);
    assert_eq!(server.settled().await, (1, 0));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let server = Server::serve(move |_, _| Act::Send(raw(status, &[("location", "/elsewhere")], ""))).await;
        let http = Http::new(server.options()).unwrap();
        assert_eq!(lost(&start(&http).await), format!("{status} Some(0)"));
        assert_eq!(server.settled().await, (1, 1));
    }
}

#[tokio::test]
async fn answers_that_invite_a_retry_get_none() {
    for status in [408, 421, 425, 429, 500, 502, 503, 504] {
        let server = Server::serve(move |_, _| Act::Send(raw(status, &[("retry-after", "0"), ("connection", "close")], "busy"))).await;
        let http = Http::new(server.options()).unwrap();
        assert_eq!(lost(&start(&http).await), format!("{status} Some(4)"));
        assert_eq!(server.settled().await, (1, 1), "{status}");
    }
}

#[tokio::test]
async fn a_truncated_head_is_lost() {
    for head in ["H", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\n"] {
        let server = Server::serve(move |_, _| Act::SendAndClose(head.into())).await;
        let http = Http::new(server.options()).unwrap();
        assert!(lost(&start(&http).await).contains("cannot be reached"), "{head}");
        assert_eq!(server.settled().await, (1, 1));
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_is_told_in_our_words_and_not_in_those_of_a_library() {
    let server = Server::serve(|_, _| Act::Cut).await;
    let http = Http::new(server.options()).unwrap();
    let sent = start(&http).await;
    let words = lost(&sent);
    assert!(
        words.contains("closed before the answer was whole") && !words.contains("://"),
        "{words}"
    );
    assert_eq!(server.settled().await, (1, 1));
}

#[tokio::test]
async fn a_truncated_body_keeps_its_status_but_has_no_body() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
    ] {
        let server = Server::serve(move |_, _| Act::SendAndClose(head.into())).await;
        let http = Http::new(server.options()).unwrap();
        assert_eq!(lost(&start(&http).await), "200 None", "{head}");
        assert_eq!(server.settled().await, (1, 1));
    }
}

#[tokio::test]
async fn nonsense_instead_of_http_is_lost() {
    let server = Server::serve(|_, _| Act::SendAndClose(b"SSH-2.0-x\r\n\r\n".to_vec())).await;
    let http = Http::new(server.options()).unwrap();
    lost(&start(&http).await);
    assert_eq!(server.settled().await, (1, 1));
}

#[tokio::test]
async fn no_answer_in_time_is_lost() {
    let server = Server::serve(|_, _| Act::Hang).await;
    let timing = Timing {
        start_timeout_vcenter: Duration::from_secs(2),
        ..quick()
    };
    let http = Http::new(HttpOptions {
        timing,
        ..server.options()
    })
    .unwrap();
    assert!(lost(&start(&http).await).contains("no answer in time"));
    assert_eq!(server.settled().await, (1, 1));
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let server = Server::serve(|_, _| Act::Send(raw(200, &[], &"x".repeat(LONGEST_BODY + 1)))).await;
    let http = Http::new(server.options()).unwrap();
    assert_eq!(lost(&start(&http).await), "200 None");
    assert_eq!(server.settled().await, (1, 1));
}

#[tokio::test]
async fn no_start_shares_a_connection_with_anything() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let http = Http::new(server.options()).unwrap();
    let id = SecretString::from("sesame");
    let call = Call {
        operation: "look",
        verb: Verb::Get,
        path: &["a"],
        query: &[],
        proof: Proof::Session("x-session", &id),
        timeout: None,
    };
    http.read(&call).await.unwrap();
    for _ in 0..3 {
        start(&http).await;
        http.read(&call).await.unwrap();
    }
    assert_eq!(server.settled().await, (4, 7));
    let of = |method: &str| -> Vec<usize> {
        server
            .requests()
            .iter()
            .filter(|r| r.method == method)
            .map(|r| r.connection)
            .collect()
    };
    assert_eq!(of("POST"), [2, 3, 4]);
    assert_eq!(of("GET"), [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_refused_connection_proves_that_nothing_was_taken() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let options = server.options();
    server.stop().await;
    let http = Http::new(options).unwrap();
    assert!(connect_failed(&start(&http).await).contains("Connection refused"));
}

#[tokio::test]
async fn a_handshake_that_stalls_proves_that_nothing_was_taken() {
    let server = Server::greet(Greeting::Silent).await;
    let timing = Timing {
        connect_timeout: Duration::from_millis(500),
        ..quick()
    };
    let http = Http::new(HttpOptions {
        timing,
        ..server.options()
    })
    .unwrap();
    assert!(connect_failed(&start(&http).await).contains("no TCP and TLS connection in time"));
    assert_eq!(server.settled().await, (1, 0));
}

#[tokio::test]
async fn an_untrusted_certificate_proves_that_nothing_was_taken() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let http = Http::new(HttpOptions {
        ca_bundle_pem: None,
        ..server.options()
    })
    .unwrap();
    assert!(connect_failed(&start(&http).await).contains("spec.caBundlePEM"));
    assert_eq!(server.settled().await, (1, 0));
}

#[tokio::test]
async fn an_old_tls_server_proves_that_nothing_was_taken() {
    // A fatal alert, protocol_version, in a TLS 1.0 record.
    let server = Server::greet(Greeting::Raw(vec![0x15, 3, 1, 0, 2, 2, 70])).await;
    let http = Http::new(server.options()).unwrap();
    assert!(connect_failed(&start(&http).await).contains("no RSA key exchange"));
    let server = Server::greet(Greeting::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let http = Http::new(server.options()).unwrap();
    assert!(connect_failed(&start(&http).await).contains("does not speak TLS"));
}

#[tokio::test]
async fn a_name_that_comes_to_point_at_the_metadata_service_is_not_connected_to() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let url = format!("https://vc.test:{}", server.address.port());
    let fence = Fence::default()
        .allow(["127.0.0.1/32".parse().unwrap()])
        .resolved_by(Script::new(&["127.0.0.1", "169.254.169.254"]));
    let options = HttpOptions {
        authority: Authority::from_url(&url).unwrap(),
        fence: Arc::new(fence),
        ..server.options()
    };
    let http = Http::new(options).unwrap();
    assert_eq!(lost(&start(&http).await), "200 Some(2)");
    let message = start(&http).await;
    assert!(connect_failed(&message).contains("link-local or metadata"), "{message:?}");
    assert_eq!(server.settled().await, (1, 1));
}

#[tokio::test]
async fn an_expired_permit_sends_nothing() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let http = Http::new(server.options()).unwrap();
    let target = TargetKey::cluster(server.authority(), "domain-c8");
    let expired = send(&http, permit_for(target.clone(), Duration::ZERO, true)).await;
    assert_eq!(expired, Err(NotSent::Unarmed(Unarmed::Expired)));
    let deposed = send(&http, permit_for(target, Duration::from_mins(1), false)).await;
    assert_eq!(deposed, Err(NotSent::Unarmed(Unarmed::NotLeader)));
    assert_eq!(server.settled().await, (0, 0));
}

#[tokio::test]
async fn a_request_that_cannot_be_made_gives_the_permit_back() {
    let server = Server::serve(|_, _| json(200, "{}")).await;
    let http = Http::new(server.options()).unwrap();
    let permit = permit(server.authority(), "domain-c8");
    let bad = SecretString::from("two\r\nlines");
    let call = StartCall {
        operation: "start",
        path: &["a"],
        query: &[],
        session: ("x-session", &bad),
        body: Some(&json!({})),
        place: None,
    };
    let unsent = http.send_once(call, permit, |_| Answer::Accepted { job: None }).await.unwrap_err();
    assert!(matches!(unsent.why, NotSent::NoRequest(_)));
    unsent.permit.give_up_for_test();
    assert_eq!(server.settled().await, (0, 0));
}
