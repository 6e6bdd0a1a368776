//! Connections that end where it hurts most: at every point of a start's life, in every way in which TCP and TLS can end.

use futures::future::join_all;
use rustls::version::TLS12;
use rustls::version::TLS13;

use super::peer::Ending;
use super::*;

/// What a start must come to, when its connection ends at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// The request cannot have left: proof that nothing was taken.
    Unsent,
    /// A byte of the request may have been read: doubt.
    InDoubt,
    /// Whether the request left depends on who is faster.
    Either,
}

/// Every point, with what comes before it.
fn points() -> Vec<(&'static str, Vec<Step>, Must)> {
    use Must::*;
    use Step::*;
    let mut points = vec![
        ("before TLS", vec![], Unsent),
        ("after the client's hello", vec![Hello], Unsent),
        ("in the middle of the server's flight", vec![Hello, Flight(50)], Unsent),
        ("after the server's flight", vec![Hello, Flight(100)], Either),
        ("after the handshake", vec![Handshake], InDoubt),
        ("after the request's head", vec![Handshake, Head], InDoubt),
        ("after half of the request's body", vec![Handshake, Head, HalfBody], InDoubt),
        ("after the request", vec![Handshake, Request], InDoubt),
    ];
    for (name, bytes) in [
        ("in the status line", "HTTP/1.1 20"),
        ("in the head", "HTTP/1.1 200 OK\r\ncontent-le"),
        ("after the head", "HTTP/1.1 200 OK\r\ncontent-length: 31\r\n\r\n"),
        (
            "in the body",
            "HTTP/1.1 200 OK\r\ncontent-length: 31\r\n\r\n{\"domain-c8\":{\"res\":\"STA",
        ),
        (
            "in a chunk's length",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1f\r\n{\"domain-c8\":{\"res\":\"STARTED\"}}\r\n1",
        ),
        (
            "before the last chunk",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1f\r\n{\"domain-c8\":{\"res\":\"STARTED\"}}\r\n",
        ),
    ] {
        points.push((name, vec![Handshake, Request, Send(bytes.into())], InDoubt));
    }
    points
}

async fn try_one(version: &'static rustls::SupportedProtocolVersion, point: (&'static str, Vec<Step>, Must), ending: Ending) {
    let (name, mut steps, mut must) = point;
    if version == &TLS12 && ending == Ending::Reset && name == "after the handshake" {
        // In TLS 1.2 the server speaks last: its reset may overtake its own last word, and then the client never had a connection.
        must = Must::Either;
    }
    steps.push(Step::End(ending));
    let peer = Peer::speaking(&[version], move |_| steps.clone(), |_| {}).await;
    let http = client(&peer);
    let answer = start(&http).await;
    drop(http);
    let seen = peer.counted().await;
    let case = format!("{:?}, {ending:?} {name}: {answer:?}", version.version);
    match must {
        Must::Unsent => assert!(is_unsent(&answer), "{case}"),
        Must::InDoubt => assert!(is_lost(&answer), "{case}"),
        Must::Either => assert!(is_unsent(&answer) || is_lost(&answer), "{case}"),
    }
    assert_eq!(seen.len(), 1, "a second connection: {case}");
    assert!(seen[0].requests() <= 1, "a second request: {case}");
    if is_unsent(&answer) {
        assert!(seen[0].received.is_empty(), "called unsent, yet bytes came: {case}");
    }
}

#[tokio::test]
async fn wherever_and_however_a_connection_ends_a_start_is_never_sent_twice_and_never_wrongly_called_unsent() {
    let mut tries = Vec::new();
    for version in [&TLS12, &TLS13] {
        for ending in [Ending::Goodbye, Ending::Fin, Ending::Reset] {
            tries.extend(points().into_iter().map(|point| try_one(version, point, ending)));
        }
    }
    assert_eq!(tries.len(), 84);
    join_all(tries).await;
}

#[tokio::test]
async fn a_whole_answer_counts_however_the_connection_ends_after_it() {
    for ending in [Ending::Goodbye, Ending::Fin, Ending::Hold] {
        let peer = Peer::always(vec![
            Step::Handshake,
            Step::Request,
            Step::Send(answer(200, STARTED)),
            Step::End(ending),
        ])
        .await;
        let http = client(&peer);
        assert_eq!(start(&http).await, Answer::Accepted { job: None }, "{ending:?}");
        drop(http);
        assert_eq!(peer.tally().await, (1, 1), "{ending:?}");
    }
}

#[tokio::test]
async fn a_body_that_only_the_end_of_the_connection_ends_is_never_believed_without_the_goodbye_of_tls() {
    let unframed = format!("HTTP/1.1 200 OK\r\n\r\n{STARTED}");
    for (ending, believed) in [(Ending::Goodbye, true), (Ending::Fin, false), (Ending::Reset, false)] {
        let peer = Peer::always(vec![
            Step::Handshake,
            Step::Request,
            Step::Send(unframed.clone().into()),
            Step::End(ending),
        ])
        .await;
        let http = client(&peer);
        let answer = start(&http).await;
        drop(http);
        assert_eq!(answer == Answer::Accepted { job: None }, believed, "{ending:?}: {answer:?}");
        assert!(believed || is_lost(&answer), "{ending:?}: {answer:?}");
        assert_eq!(peer.tally().await, (1, 1), "{ending:?}");
    }
}
