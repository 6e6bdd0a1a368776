//! Connections that are kept for the next request and die just as it comes.

use super::peer::Ending;
use super::*;

const ENDINGS: [Ending; 3] = [Ending::Goodbye, Ending::Fin, Ending::Reset];

/// The first connection answers a request, is kept, and ends as the next request arrives; later ones do this.
async fn stale(ending: Ending, later: Vec<Step>) -> Peer {
    let kept = kept_alive(200, "[]");
    let first = vec![Step::Handshake, Step::Request, Step::Send(kept), Step::Head, Step::End(ending)];
    Peer::scripted(move |n| if n == 0 { first.clone() } else { later.clone() }, |_| {}).await
}

fn kept_alive(status: u16, body: &str) -> Vec<u8> {
    super::super::testing::raw(status, &[("connection", "keep-alive")], body)
}

#[tokio::test]
async fn a_start_never_uses_a_connection_that_a_read_left_behind() {
    for ending in ENDINGS {
        let peer = stale(ending, vec![Step::Handshake, Step::Head, Step::End(ending)]).await;
        let http = client(&peer);
        read(&http, Verb::Get).await.unwrap();
        assert!(is_lost(&start(&http).await), "{ending:?}");
        drop(http);
        let seen = peer.counted().await;
        let starts: Vec<usize> = seen
            .iter()
            .map(|s| s.received.windows(5).filter(|w| w == b"POST ").count())
            .collect();
        assert_eq!(starts, [0, 1], "{ending:?}");
    }
}

#[tokio::test]
async fn a_start_never_uses_a_connection_that_a_start_left_behind() {
    for ending in ENDINGS {
        let peer = Peer::always(vec![
            Step::Handshake,
            Step::Request,
            Step::Send(kept_alive(200, STARTED)),
            Step::Head,
            Step::End(ending),
        ])
        .await;
        let http = client(&peer);
        for _ in 0..3 {
            assert_eq!(start(&http).await, Answer::Accepted { job: None }, "{ending:?}");
        }
        drop(http);
        let requests: Vec<usize> = peer.counted().await.iter().map(peer::Seen::requests).collect();
        assert_eq!(requests, [1, 1, 1], "{ending:?}");
    }
}

#[tokio::test]
async fn a_read_on_a_stale_connection_is_tried_again_and_a_login_that_may_have_been_read_is_not() {
    for ending in ENDINGS {
        let later = vec![Step::Handshake, Step::Request, Step::Send(answer(200, "[]"))];
        let peer = stale(ending, later.clone()).await;
        let http = client(&peer);
        read(&http, Verb::Get).await.unwrap();
        assert_eq!(read(&http, Verb::Get).await.unwrap().reply.status, 200, "{ending:?}");
        drop(http);
        assert_eq!(peer.tally().await, (2, 3), "{ending:?}");

        let peer = stale(ending, later).await;
        let http = client(&peer);
        read(&http, Verb::Get).await.unwrap();
        read(&http, Verb::Post).await.unwrap_err();
        drop(http);
        assert_eq!(peer.tally().await, (1, 2), "{ending:?}");
    }
}
