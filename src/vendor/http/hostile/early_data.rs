//! TLS early data (0-RTT) and resumption: what is sent early can be replayed by whoever recorded it, so a start never is.

use super::*;

/// TLS extensions (RFC 8446, 4.2).
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;

/// The extensions of a ClientHello as it came from the wire (RFC 8446, 4.1.2).
fn extensions(record: &[u8]) -> Vec<u16> {
    fn pair(bytes: &[u8]) -> u16 {
        u16::from_be_bytes([bytes[0], bytes[1]])
    }
    // record header 5, handshake header 4, version 2, random 32
    let mut rest = &record[5 + 4 + 2 + 32..];
    rest = &rest[1 + usize::from(rest[0])..];
    rest = &rest[2 + usize::from(pair(rest))..];
    rest = &rest[1 + usize::from(rest[0])..];
    let mut list = &rest[2..2 + usize::from(pair(rest))];
    let mut found = Vec::new();
    while !list.is_empty() {
        found.push(pair(list));
        list = &list[4 + usize::from(pair(&list[2..]))..];
    }
    found
}

#[tokio::test]
async fn a_start_never_resumes_a_session_and_nothing_is_ever_sent_early() {
    let closing = super::super::testing::raw(200, &[("connection", "close")], STARTED);
    let script = move |_| vec![Step::Handshake, Step::Request, Step::Send(closing.clone())];
    let peer = Peer::scripted(script, |tls| {
        tls.max_early_data_size = 16 * 1024;
        tls.send_tls13_tickets = 4;
    })
    .await;
    let http = client(&peer);
    for _ in 0..2 {
        read(&http, Verb::Get).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(start(&http).await, Answer::Accepted { job: None });
    }
    drop(http);
    let seen = peer.counted().await;
    assert_eq!(seen.len(), 5);
    let offered: Vec<Vec<u16>> = seen.iter().map(|s| extensions(&s.hello)).collect();
    assert!(
        offered[1].contains(&PRE_SHARED_KEY),
        "the second read resumes, so the tickets are good: {offered:?}"
    );
    for start in &offered[2..] {
        assert!(!start.contains(&PRE_SHARED_KEY), "{start:?}");
    }
    for (connection, offered) in seen.iter().zip(&offered) {
        assert!(!offered.contains(&EARLY_DATA), "{offered:?}");
        assert_eq!((connection.early, connection.requests()), (0, 1));
    }
}
