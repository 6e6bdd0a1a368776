//! Bodies that are too long, one by one and all at once.

use tokio::sync::Semaphore;

use super::super::room::Room;
use super::*;

/// How much lies in the sockets and in the parser when a client stops to read.
const UNDERWAY: usize = 8 * 1024 * 1024;

#[tokio::test]
async fn a_length_of_one_byte_too_many_is_refused_before_the_body_is_read() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", LONGEST_BODY + 1);
    let peer = Peer::answering(head.into_bytes()).await;
    let http = client(&peer);
    // Not one byte of the body ever comes: who waited for it would wait until the timeout.
    let why = read(&http, Verb::Get).await.unwrap().reply.body.unwrap_err();
    assert!(why.contains("more than 8388608 bytes"), "{why}");
    assert!(is_lost(&start(&http).await));
    drop(http);
    assert_eq!(peer.tally().await, (2, 2));
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let endless = || {
        vec![
            Step::Handshake,
            Step::Request,
            Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
            Step::Forever(vec![b' '; 16 * 1024]),
        ]
    };
    let peer = Peer::always(endless()).await;
    let http = client(&peer);
    let why = read_within(&http, Verb::Get, 10_000).await.unwrap().reply.body.unwrap_err();
    assert!(why.contains("more than 8388608 bytes"), "{why}");
    drop(http);
    let seen = peer.counted().await;
    assert!(
        (LONGEST_BODY..LONGEST_BODY + UNDERWAY).contains(&seen[0].sent),
        "{} bytes",
        seen[0].sent
    );

    let peer = Peer::always(endless()).await;
    let http = client(&peer);
    assert!(is_lost(&start(&http).await));
    drop(http);
    let seen = peer.counted().await;
    assert_eq!((seen.len(), seen[0].requests()), (1, 1));
    assert!(seen[0].sent < SMALL_BODY + UNDERWAY, "{} bytes", seen[0].sent);
}

#[tokio::test]
async fn a_whole_body_of_the_longest_length_is_read_and_an_error_of_that_length_is_not() {
    let longest = " ".repeat(LONGEST_BODY);
    for (status, whole) in [(200, true), (404, false), (500, false)] {
        let peer = Peer::answering(answer(status, &longest)).await;
        let http = client(&peer);
        let reply = read_within(&http, Verb::Get, 10_000).await.unwrap().reply;
        assert_eq!(reply.whole_body().map(<[u8]>::len), whole.then_some(LONGEST_BODY), "{status}");
    }
}

#[tokio::test]
async fn a_long_answer_that_never_ends_keeps_others_waiting_but_never_small_ones_and_never_a_start() {
    let shared = Arc::new(Semaphore::new(1));
    let long = " ".repeat(SMALL_BODY + 1);
    let unfinished = answer(200, &format!("{long}{long}"));
    let hostile = Peer::answering(unfinished[..SMALL_BODY + 200].to_vec()).await;
    let honest = Peer::scripted(
        move |n| {
            let body = if n == 0 { &long } else { STARTED };
            vec![
                Step::Handshake,
                Step::Request,
                Step::Send(super::super::testing::raw(200, &[("connection", "close")], body)),
            ]
        },
        |_| {},
    )
    .await;
    let (mut holder, mut other) = (client(&hostile), client(&honest));
    holder.room = Room::sharing(Arc::clone(&shared));
    other.room = Room::sharing(Arc::clone(&shared));
    let others = async {
        // An event, not a time: the place is taken.
        while shared.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = read_within(&other, Verb::Get, 300).await.unwrap().reply;
        let why = refused.body.unwrap_err();
        assert!(why.contains("no room in time"), "{why}");
        assert_eq!(read(&other, Verb::Get).await.unwrap().reply.whole_body(), Some(STARTED.as_bytes()));
        assert_eq!(start(&other).await, Answer::Accepted { job: None });
        assert_eq!(shared.available_permits(), 0, "all that was while the hostile one held it");
    };
    tokio::select! {
        held = read_within(&holder, Verb::Get, 20_000) => panic!("it never ends: {held:?}"),
        () = others => {}
    }
    assert_eq!(shared.available_permits(), 1, "a call that is over gives its place back");
}
