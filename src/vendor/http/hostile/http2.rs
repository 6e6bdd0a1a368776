//! HTTP/2, in which a server can ask for a request to be sent again: it is never offered, and never spoken.

use super::*;

#[tokio::test]
async fn no_client_ever_offers_http2() {
    for offered in [vec!["h2", "http/1.1"], vec!["h2", "http/1.0"], vec![]] {
        let names: Vec<Vec<u8>> = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let script = |_| vec![Step::Handshake, Step::Request, Step::Send(answer(200, STARTED))];
        let peer = Peer::scripted(script, |tls| tls.alpn_protocols = names).await;
        let http = client(&peer);
        start(&http).await;
        let _ = read(&http, Verb::Get).await;
        drop(http);
        let seen = peer.counted().await;
        assert!(seen.len() >= 2);
        for connection in seen {
            assert!(!connection.hello.is_empty());
            assert!(connection.alpn.iter().all(|name| name == b"http/1.1"), "{:?}", connection.alpn);
        }
    }
}

/// A frame of HTTP/2: length, type, flags, stream, payload.
fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn a_server_that_talks_http2_anyway_never_gets_a_start_again() {
    const SETTINGS: u8 = 4;
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;
    let settings = frame(SETTINGS, 0, &[]);
    let refused = frame(RST_STREAM, 1, &7_u32.to_be_bytes());
    let goaway = frame(GOAWAY, 0, &[0; 8]);
    for frames in [
        settings.clone(),
        refused.clone(),
        goaway.clone(),
        [settings.clone(), refused].concat(),
        [settings, goaway].concat(),
    ] {
        let peer = Peer::answering(frames.clone()).await;
        let http = impatient(&peer, 2_000);
        let answer = start(&http).await;
        drop(http);
        assert!(is_lost(&answer), "{frames:?}: {answer:?}");
        assert_eq!(peer.tally().await, (1, 1), "{frames:?}");
    }
}
