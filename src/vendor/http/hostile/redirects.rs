//! Servers that send the client elsewhere: with its start, or with its session.

use super::*;

#[tokio::test]
async fn nothing_is_ever_sent_where_a_redirect_points() {
    let elsewhere = Peer::answering(answer(200, STARTED)).await;
    let port = elsewhere.address.port();
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for location in [
            format!("https://127.0.0.1:{port}/api/start"),
            format!("http://127.0.0.1:{port}/api/start"),
            format!("//127.0.0.1:{port}/api/start"),
            format!("https://localhost:{port}/"),
            "/api/start?again".to_owned(),
        ] {
            let head = [
                ("location", location.as_str()),
                ("refresh", "0"),
                ("retry-after", "0"),
                ("connection", "close"),
            ];
            let peer = Peer::answering(super::super::testing::raw(status, &head, "")).await;
            let http = client(&peer);
            assert!(is_lost(&start(&http).await), "{status} {location}");
            for verb in [Verb::Get, Verb::Post, Verb::Delete] {
                assert_eq!(read(&http, verb).await.unwrap().reply.status, status, "{status} {location}");
            }
            drop(http);
            let seen = peer.counted().await;
            assert_eq!(seen.iter().map(peer::Seen::requests).sum::<usize>(), 4, "{status} {location}");
        }
    }
    assert_eq!(
        elsewhere.tally().await,
        (0, 0),
        "neither a start nor a session came to the other host"
    );
}
