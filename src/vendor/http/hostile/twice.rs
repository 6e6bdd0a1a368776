//! Servers that answer more than once, or before they were asked.
//!
//! **What an early answer is worth.** A status that comes before the whole request was written is judged like any other. It is the server's
//! own word, and a refusal that needs no body is the stronger for it: which cluster is to be started stands in the body, which is never
//! valid JSON until its last byte. To call such a refusal lost would put every 401 of a busy proxy in doubt. What a server does
//! against its own word is not for the client to know; the protocol (section 4) lets no refusal stand, and no new attempt begin,
//! before a later sight that does not show our version moving.

use super::*;

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted { .. } => "accepted",
        Answer::Rejected { .. } => "rejected",
        Answer::NotTaken { .. } => "not taken",
        Answer::Lost { .. } => "lost",
    }
}

const BUSY: &str = r#"{"error_type":"RESOURCE_BUSY","messages":[]}"#;

#[tokio::test]
async fn of_two_answers_the_first_counts_and_neither_brings_a_second_request() {
    for (first, second, expected) in [
        (answer(200, STARTED), answer(200, REJECTED), "accepted"),
        (answer(200, REJECTED), answer(200, STARTED), "rejected"),
        (answer(401, ""), answer(200, STARTED), "not taken"),
        (answer(503, ""), answer(200, STARTED), "lost"),
        (answer(200, STARTED), b"\0\0\0garbage".to_vec(), "accepted"),
    ] {
        let peer = Peer::answering([first, second].concat()).await;
        let http = client(&peer);
        let answer = start(&http).await;
        drop(http);
        assert_eq!(kind(&answer), expected, "{answer:?}");
        assert_eq!(peer.tally().await, (1, 1), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_came_before_the_request_never_brings_a_second_one() {
    use super::peer::Ending::*;
    for ending in [Goodbye, Fin, Reset, Hold] {
        for (early, otherwise) in [
            (answer(200, STARTED), "accepted"),
            (answer(401, ""), "not taken"),
            (answer(408, ""), "lost"),
        ] {
            let peer = Peer::always(vec![Step::Handshake, Step::Send(early), Step::End(ending)]).await;
            let http = client(&peer);
            let answer = start(&http).await;
            drop(http);
            // Lost where it was noticed before the request was written; the server's word where it was not.
            assert!(["lost", otherwise].contains(&kind(&answer)), "{ending:?}: {answer:?}");
            let (connections, requests) = peer.tally().await;
            assert!(
                connections == 1 && requests <= 1,
                "{ending:?}: {connections} connections, {requests} requests"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_body_was_read_is_a_refusal_and_brings_no_second_request() {
    let small = json!({CLUSTER: {"desired_version": "v1.30"}});
    // The peer answers when it has the head: the client is still writing this then.
    let large = json!({CLUSTER: {"desired_version": "v".repeat(4 * 1024 * 1024)}});
    // It says goodbye then: an idle connection whose request was cut short by its answer is kept open by hyper until the peer ends it.
    let (hold, goodbye) = (super::peer::Ending::Hold, super::peer::Ending::Goodbye);
    for (body, ending) in [(small, hold), (large, goodbye)] {
        for (early, expected) in [
            (answer(401, ""), "not taken"),
            (answer(429, ""), "not taken"),
            (answer(400, BUSY), "not taken"),
            (answer(413, ""), "rejected"),
            (answer(403, "{}"), "rejected"),
            (answer(500, ""), "lost"),
        ] {
            let peer = Peer::always(vec![Step::Handshake, Step::Head, Step::Send(early), Step::End(ending)]).await;
            let http = client(&peer);
            let answer = start_with(&http, &body).await;
            drop(http);
            assert_eq!(kind(&answer), expected, "{answer:?}");
            assert_eq!(peer.tally().await, (1, 1), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_breaks_off_with_the_request_is_never_more_than_the_status_says() {
    for (head, expected) in [
        ("HTTP/1.1 400 X\r\ncontent-length: 99\r\n\r\n{", "lost"),
        ("HTTP/1.1 413 X\r\ncontent-length: 99\r\n\r\n{", "lost"),
        ("HTTP/1.1 401 X\r\ncontent-length: 99\r\n\r\n{", "not taken"),
        ("HTTP/1.1 4", "lost"),
    ] {
        let peer = Peer::always(vec![
            Step::Handshake,
            Step::Head,
            Step::Send(head.into()),
            Step::End(super::peer::Ending::Fin),
        ])
        .await;
        let http = client(&peer);
        let answer = start(&http).await;
        drop(http);
        assert_eq!(kind(&answer), expected, "{head}: {answer:?}");
        assert_eq!(peer.tally().await, (1, 1), "{head}");
    }
}
