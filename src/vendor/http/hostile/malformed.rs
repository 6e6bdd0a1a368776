//! Answers that are not quite HTTP, or not quite JSON.

use super::*;

/// The bytes of answers, and whether the start counts as accepted; otherwise it must be in doubt.
fn answers() -> Vec<(&'static str, Vec<u8>, bool)> {
    let with = |head: &str| format!("{head}\r\n\r\n{STARTED}").into_bytes();
    let body = |body: &[u8]| {
        [
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(),
            body,
        ]
        .concat()
    };
    let deep = |open: &str, close: &str| body(format!("{{\"domain-c8\":{}{}}}", open.repeat(20_000), close.repeat(20_000)).as_bytes());
    let ok = "content-length: 31";
    vec![
        // the frame of the body
        ("longer than it says", with("HTTP/1.1 200 OK\r\ncontent-length: 9"), false),
        (
            "two lengths",
            with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\ncontent-length: 30")),
            false,
        ),
        ("one length twice", with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\n{ok}")), true),
        ("a list of lengths", with("HTTP/1.1 200 OK\r\ncontent-length: 31, 30"), false),
        ("a negative length", with("HTTP/1.1 200 OK\r\ncontent-length: -31"), false),
        ("a length with a sign", with("HTTP/1.1 200 OK\r\ncontent-length: +31"), false),
        ("a length in hex", with("HTTP/1.1 200 OK\r\ncontent-length: 0x1f"), false),
        (
            "a length beyond counting",
            with("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999"),
            false,
        ),
        (
            "chunks that are none",
            with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\ntransfer-encoding: chunked")),
            false,
        ),
        (
            "a chunk beyond counting",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{".to_vec(),
            false,
        ),
        // the status line
        ("HTTP/1.0", with(&format!("HTTP/1.0 200 OK\r\n{ok}")), true),
        ("HTTP/0.9", STARTED.as_bytes().to_vec(), false),
        ("HTTP/2.0", with(&format!("HTTP/2.0 200 OK\r\n{ok}")), false),
        ("HTTP/1.2", with(&format!("HTTP/1.2 200 OK\r\n{ok}")), false),
        ("lower case", with(&format!("http/1.1 200 OK\r\n{ok}")), false),
        ("status 000", with(&format!("HTTP/1.1 000 OK\r\n{ok}")), false),
        ("status 099", with(&format!("HTTP/1.1 099 OK\r\n{ok}")), false),
        ("status 1000", with(&format!("HTTP/1.1 1000 OK\r\n{ok}")), false),
        ("status 20", with(&format!("HTTP/1.1 20 OK\r\n{ok}")), false),
        ("status -20", with(&format!("HTTP/1.1 -20 OK\r\n{ok}")), false),
        ("status 999", with(&format!("HTTP/1.1 999 OK\r\n{ok}")), false),
        ("another success", with(&format!("HTTP/1.1 201 OK\r\n{ok}")), false),
        ("no body by definition", with(&format!("HTTP/1.1 204 OK\r\n{ok}")), false),
        ("no reason", with(&format!("HTTP/1.1 200\r\n{ok}")), true),
        ("an empty reason", with(&format!("HTTP/1.1 200 \r\n{ok}")), true),
        // the head
        ("NUL in a name", with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\nx\0y: z")), false),
        ("NUL in a value", with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\nx: \0")), false),
        ("a header without a colon", with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\nxyz")), false),
        ("a folded header", with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\nx: y\r\n z")), false),
        (
            "many headers",
            with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\n{}x: y", "x: y\r\n".repeat(5_000))),
            false,
        ),
        (
            "a huge header",
            with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\nx: {}", "y".repeat(1_000_000))),
            false,
        ),
        // the body
        (
            "compressed, it says, and is not",
            with(&format!("HTTP/1.1 200 OK\r\n{ok}\r\ncontent-encoding: gzip")),
            true,
        ),
        ("compressed", body(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1]), false),
        ("NUL in the body", body(b"{\"domain-c8\":{\"res\":\"STARTED\"}}\0"), false),
        ("not UTF-8", body(b"{\"domain-c8\":{\"res\":\"STARTED\xff\"}}"), false),
        (
            "a byte order mark",
            body(b"\xef\xbb\xbf{\"domain-c8\":{\"res\":\"STARTED\"}}"),
            false,
        ),
        ("deep lists", deep("[", "]"), false),
        ("deep objects", deep("{\"a\":", "}"), false),
        ("a huge number", body(br#"{"domain-c8":{"res":"STARTED","n":1e99999}}"#), false),
        (
            "one cluster twice",
            body(br#"{"domain-c8":{"res":"STARTED"},"domain-c8":{"res":"REJECTED"}}"#),
            false,
        ),
        (
            "one result twice",
            body(br#"{"domain-c8":{"res":"STARTED","res":"REJECTED"}}"#),
            false,
        ),
        ("two documents", body(format!("{STARTED}{STARTED}").as_bytes()), false),
        ("nothing", body(b""), false),
    ]
}

#[tokio::test]
async fn what_is_malformed_is_never_an_acceptance_or_a_refusal_and_never_brings_a_second_request() {
    let tries = answers().into_iter().map(async |(name, bytes, accepted)| {
        let peer = Peer::always(vec![
            Step::Handshake,
            Step::Request,
            Step::Send(bytes),
            Step::End(super::peer::Ending::Goodbye),
        ])
        .await;
        let http = client(&peer);
        let answer = start(&http).await;
        drop(http);
        assert_eq!(answer == Answer::Accepted { job: None }, accepted, "{name}: {answer:?}");
        assert!(accepted || is_lost(&answer), "{name}: {answer:?}");
        if let Answer::Lost { message } = &answer {
            assert!(
                message.chars().count() <= 512 && !message.contains(char::is_control),
                "{name}: {message}"
            );
        }
        assert_eq!(peer.tally().await, (1, 1), "{name}");
    });
    futures::future::join_all(tries).await;
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    for line in [b"x: y\r\n".to_vec(), b"y".repeat(1000)] {
        let peer = Peer::always(vec![
            Step::Handshake,
            Step::Request,
            Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
            Step::Forever(line),
        ])
        .await;
        let http = client(&peer);
        let answer = start(&http).await;
        drop(http);
        assert!(is_lost(&answer), "{answer:?}");
        let seen = peer.counted().await;
        assert_eq!((seen.len(), seen[0].requests()), (1, 1));
        // What sockets hold (up to 6 MiB each way on Linux) and what is parsed at most.
        assert!(seen[0].sent < 16 * 1024 * 1024, "{} bytes", seen[0].sent);
    }
}
