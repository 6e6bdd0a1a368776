//! Informational answers (1xx), which say nothing and may come without end.

use super::*;

#[tokio::test]
async fn informational_answers_change_nothing_about_the_final_one() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.1 199 X\r\n\r\n",
    ] {
        let bytes = [interim.repeat(500).into_bytes(), answer(200, STARTED)].concat();
        let peer = Peer::answering(bytes).await;
        let http = client(&peer);
        assert_eq!(start(&http).await, Answer::Accepted { job: None }, "{interim}");
        drop(http);
        assert_eq!(peer.tally().await, (1, 1), "{interim}");
    }
}

#[tokio::test]
async fn informational_answers_alone_are_never_an_answer_and_end_by_the_timeout() {
    let endless = Step::Forever(b"HTTP/1.1 102 Processing\r\n\r\n".to_vec());
    let then_silent = Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    for last in [endless, then_silent] {
        let peer = Peer::always(vec![Step::Handshake, Step::Request, last.clone()]).await;
        let http = impatient(&peer, 1_000);
        let answer = start(&http).await;
        drop(http);
        assert!(is_lost(&answer), "{last:?}: {answer:?}");
        let (connections, requests) = peer.tally().await;
        assert!(
            connections <= 1 && requests <= 1,
            "{last:?}: {connections} connections, {requests} requests"
        );
    }
}

#[tokio::test]
async fn a_server_that_switches_protocols_proves_nothing() {
    let switch = format!("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n{STARTED}");
    let peer = Peer::answering(switch).await;
    let http = impatient(&peer, 10_000);
    let answer = start(&http).await;
    drop(http);
    assert!(is_lost(&answer), "{answer:?}");
    assert_eq!(peer.tally().await, (1, 1));
}
