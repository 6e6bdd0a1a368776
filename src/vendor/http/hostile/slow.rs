//! Servers that are slow on purpose, or silent: every call ends by its timeout, however lively the connection looks.

use super::*;

/// Shorter than a whole answer takes to drip, byte by byte.
const DRIP: Duration = Duration::from_millis(80);

fn ways_to_be_slow() -> Vec<(&'static str, Vec<Step>)> {
    let whole = answer(200, STARTED);
    let body = STARTED.as_bytes().to_vec();
    let head = whole[..whole.len() - body.len()].to_vec();
    vec![
        ("silent after the request", vec![]),
        ("a head byte by byte", vec![Step::Drip(whole.clone(), DRIP)]),
        ("silent in the head", vec![Step::Send(head[..20].to_vec())]),
        ("silent after the head", vec![Step::Send(head.clone())]),
        ("a body byte by byte", vec![Step::Send(head), Step::Drip(body, DRIP)]),
        ("silent in the body", vec![Step::Send(whole[..whole.len() - 3].to_vec())]),
    ]
}

/// Of connections and of requests. On a busy machine the time may be over before the request is written.
fn at_most_one((connections, requests): (usize, usize)) -> bool {
    connections <= 1 && requests <= 1
}

#[tokio::test]
async fn no_slow_server_holds_a_start_past_its_timeout_or_gets_it_twice() {
    let tries = ways_to_be_slow().into_iter().map(async |(name, slow)| {
        let peer = Peer::always([vec![Step::Handshake, Step::Request], slow].concat()).await;
        let http = impatient(&peer, 1_000);
        let answer = start(&http).await;
        let took = http.clock().mono().0;
        drop(http);
        assert!(is_lost(&answer), "{name}: {answer:?}");
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
        assert!(at_most_one(peer.tally().await), "{name}");
    });
    futures::future::join_all(tries).await;
}

#[tokio::test]
async fn no_slow_server_holds_a_read_past_its_timeout_or_makes_it_be_tried_again() {
    let tries = ways_to_be_slow().into_iter().map(async |(name, slow)| {
        let peer = Peer::always([vec![Step::Handshake, Step::Request], slow].concat()).await;
        let http = client(&peer);
        let outcome = read_within(&http, Verb::Get, 1_000).await;
        let took = http.clock().mono().0;
        drop(http);
        assert!(outcome.is_err() || outcome.is_ok_and(|dated| dated.reply.body.is_err()), "{name}");
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
        assert!(at_most_one(peer.tally().await), "{name}");
    });
    futures::future::join_all(tries).await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up_by_the_connect_timeout_and_proves_that_nothing_was_sent() {
    // An alert is two bytes; a record that announces more than it brings keeps the client waiting.
    let record = [&[0x16, 3, 3, 0x3f, 0xff], [2_u8; 100].as_slice()].concat();
    let tries = [
        ("silent", vec![]),
        ("silent after the hello", vec![Step::Hello]),
        ("half of its flight", vec![Step::Hello, Step::Flight(50)]),
        ("byte by byte", vec![Step::Hello, Step::Drip(record, DRIP)]),
    ]
    .into_iter()
    .map(async |(name, steps)| {
        let peer = Peer::always(steps).await;
        let timing = Timing {
            connect_timeout: Duration::from_millis(500),
            ..quick()
        };
        let http = Http::new(peer.options(timing)).unwrap();
        let answer = start(&http).await;
        let took = http.clock().mono().0;
        drop(http);
        assert!(is_unsent(&answer), "{name}: {answer:?}");
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
        let seen = peer.counted().await;
        assert_eq!(seen.len(), 1, "{name}");
        assert!(seen[0].received.is_empty(), "{name}");
    });
    futures::future::join_all(tries).await;
}
