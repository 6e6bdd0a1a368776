//! Every fault, by what the client sees and what was committed.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::door::Greeting;
use super::super::faults::{BodyKind, Copied, Part, Release};
use super::super::vcenter::{CLUSTERS, VERSION_NEW, reads_of, starts, starts_of};
use super::super::{Action, Config, Match, Outcome, Rule, When};
use super::{Bench, C1, C2, answer, client, lost, one};

async fn bench() -> Bench {
    Bench::new(Config::with_clusters(2)).await
}

impl Bench {
    fn next_start(&self, action: Action) -> u64 {
        self.vc.faults().add(Rule::new(action).on(starts()).times(1))
    }

    fn committed(&self) -> usize {
        self.vc.log().committed().len()
    }

    fn last_outcome(&self) -> Outcome {
        self.vc.log().posts().pop().unwrap().outcome
    }
}

#[tokio::test]
async fn a_dropped_connection_commits_or_not_as_told() {
    let bench = bench().await;
    for (when, committed) in [(When::Before, 0), (When::After, 1)] {
        let rule = bench.next_start(Action::Drop { when });
        let error = lost(bench.start_request(&one(C1, VERSION_NEW))).await;
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
        assert_eq!((bench.committed(), bench.vc.faults().hits(rule).unwrap()), (committed, 1));
        assert!(matches!(bench.last_outcome(), Outcome::Cut(_)));
    }
    assert!(bench.vc.log().refused_posts().is_empty(), "nothing was answered");
}

#[tokio::test]
async fn an_injected_status_comes_with_any_body_before_or_after_the_commit() {
    let bench = bench().await;
    for (body, when, committed) in [
        (BodyKind::Json, When::Before, 0),
        (BodyKind::Html, When::Before, 0),
        (BodyKind::Garbage, When::Before, 0),
        (BodyKind::Empty, When::After, 1),
    ] {
        let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
        bench.next_start(Action::Status {
            status: 503,
            body,
            when,
            headers,
        });
        let response = bench.start_request(&one(C1, VERSION_NEW)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["retry-after"].as_bytes()),
            (503, b"7".as_slice())
        );
        let bytes = response.bytes().await.unwrap();
        let json = serde_json::from_slice::<Value>(&bytes);
        assert_eq!(
            json.is_ok_and(|body| body["error_type"] == "SERVICE_UNAVAILABLE"),
            body == BodyKind::Json
        );
        assert_eq!((bytes.is_empty(), bench.committed()), (body == BodyKind::Empty, committed));
    }
}

#[tokio::test]
async fn an_answer_is_cut_in_its_body_or_its_head() {
    let bench = bench().await;
    bench.next_start(Action::Truncate { part: Part::Body });
    let response = bench.start_request(&one(C1, VERSION_NEW)).send().await.unwrap();
    assert_eq!(response.status(), 200, "the status line is there");
    response.bytes().await.unwrap_err();
    bench.next_start(Action::Truncate { part: Part::Head });
    let error = bench.start_request(&one(C2, VERSION_NEW)).send().await.unwrap_err();
    assert!(!error.is_connect(), "{error:?}");
    assert_eq!(bench.committed(), 2);
    assert_eq!(bench.last_outcome(), Outcome::Cut("truncated in the head".to_owned()));
}

#[tokio::test]
async fn json_comes_in_another_shape() {
    let bench = bench().await;
    bench.next_start(Action::WrongType { with: None });
    assert_eq!(bench.start(C1, VERSION_NEW).await, (200, json!(["an", "array"])));
    bench.next_start(Action::WrongType {
        with: Some(json!({C2: {"res": "MAYBE"}})),
    });
    assert_eq!(bench.start(C2, VERSION_NEW).await, (200, json!({C2: {"res": "MAYBE"}})));
    assert_eq!(bench.committed(), 2);
}

#[tokio::test]
async fn a_duplicate_is_processed_twice_and_answered_once() {
    let bench = bench().await;
    for (answer, word) in [(Copied::Second, "REJECTED"), (Copied::First, "STARTED")] {
        bench.next_start(Action::Duplicate { answer });
        assert_eq!(bench.word(if word == "STARTED" { C2 } else { C1 }, VERSION_NEW).await, word);
    }
    assert_eq!((bench.committed(), bench.vc.log().posts().len()), (2, 2));
    assert!(bench.vc.log().refused_posts().is_empty(), "both did start something");
}

#[tokio::test]
async fn a_held_request_is_committed_even_if_the_client_has_gone() {
    let bench = bench().await;
    for (when, while_held, cluster) in [(When::After, 1, C1), (When::Before, 1, C2)] {
        let rule = bench.next_start(Action::Hang { when });
        let call = tokio::spawn(bench.start_request(&one(cluster, VERSION_NEW)).send());
        bench.vc.faults().wait_until_hit(rule).await.unwrap();
        assert_eq!(bench.committed(), while_held, "{when:?}");
        call.abort();
        bench
            .vc
            .log()
            .wait_until(|log| log.posts().pop().unwrap().outcome == Outcome::Cut("client left".to_owned()))
            .await;
        bench.vc.faults().release(rule, Release::Continue).unwrap();
        bench.vc.log().wait_until(|log| log.starts(cluster).len() == 1).await;
    }
    assert_eq!(bench.committed(), 2);
}

#[tokio::test]
async fn a_held_answer_comes_after_release_or_never() {
    let bench = bench().await;
    let rule = bench.next_start(Action::Hang { when: When::Before });
    let call = tokio::spawn(bench.start_request(&one(C1, VERSION_NEW)).send());
    bench.vc.faults().wait_until_hit(rule).await.unwrap();
    bench.vc.faults().remove(rule).unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), 200, "what a removed rule held goes on");

    let rule = bench.next_start(Action::Hang { when: When::Before });
    let call = tokio::spawn(bench.start_request(&one(C2, VERSION_NEW)).send());
    bench.vc.faults().wait_until_hit(rule).await.unwrap();
    bench.vc.faults().release(rule, Release::Drop).unwrap();
    call.await.unwrap().unwrap_err();
    assert_eq!(bench.vc.log().starts(C2).len(), 0, "dropped for good");
    assert!(bench.vc.faults().wait_until_hit(99).await.is_err(), "no such rule");
}

#[tokio::test]
async fn latency_outlasts_a_timeout_and_the_start_is_committed() {
    let bench = bench().await;
    let rule = bench.next_start(Action::Latency {
        ms: 300,
        when: When::Before,
    });
    // The client gives up once the request is there: a timeout of its own could be over before it was sent.
    tokio::select! {
        biased;
        answer = bench.start_request(&one(C1, VERSION_NEW)).send() => panic!("answered before its time: {answer:?}"),
        hit = bench.vc.faults().wait_until_hit(rule) => hit.unwrap(),
    }
    assert_eq!(bench.committed(), 0);
    bench.vc.log().wait_until(|log| log.starts(C1).len() == 1).await;
}

#[tokio::test]
async fn sessions_expire_before_a_request_and_redirects_name_their_place() {
    let bench = bench().await;
    bench.next_start(Action::ExpireSessions);
    assert_eq!(bench.start(C1, VERSION_NEW).await.0, 401);
    assert_eq!((bench.vc.live_sessions(), bench.committed()), (0, 0));

    bench.next_start(Action::Redirect {
        to: "https://elsewhere.example/".to_owned(),
        status: 307,
    });
    let response = bench.start_request(&one(C1, VERSION_NEW)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["location"].as_bytes()),
        (307, b"https://elsewhere.example/".as_slice())
    );
    assert_eq!(bench.committed(), 0);
}

#[tokio::test]
async fn a_stale_read_shows_what_was_before() {
    let bench = bench().await;
    let before = bench.info(C1).await;
    let rule = bench.vc.faults().add(Rule::new(Action::Stale).on(reads_of(C1)));
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    assert_eq!(bench.info(C1).await, before);
    bench.vc.faults().remove(rule).unwrap();
    assert_eq!(bench.info(C1).await["state"], "PENDING");
}

#[tokio::test]
async fn rules_skip_count_and_match_narrowly() {
    let bench = bench().await;
    let status = |status| Action::Status {
        status,
        body: BodyKind::Empty,
        when: When::Before,
        headers: Vec::new(),
    };
    bench.vc.faults().add(
        Rule::new(status(502))
            .on(Match::new("GET", "/api/*/software/clusters"))
            .skipping(1)
            .times(2),
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(bench.get(CLUSTERS).await.0);
    }
    assert_eq!(seen, [200, 502, 502, 200]);
    bench.vc.faults().add(Rule::new(status(500)).on(starts_of(C2)));
    assert_eq!(bench.start(C1, VERSION_NEW).await.0, 200);
    assert_eq!(bench.start(C2, VERSION_NEW).await.0, 500);
    assert_eq!(bench.vc.faults().list().iter().map(|rule| rule.hits).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn a_restart_keeps_port_state_and_log_but_no_session() {
    let mut bench = bench().await;
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    let rule = bench.next_start(Action::Hang { when: When::Before });
    let call = tokio::spawn(bench.start_request(&one(C2, VERSION_NEW)).send());
    bench.vc.faults().wait_until_hit(rule).await.unwrap();

    bench.vc.stop().await;
    assert!(call.await.unwrap().is_err());
    let error = lost(bench.start_request(&one(C2, VERSION_NEW))).await;
    assert!(error.is_connect(), "refused: {error:?}");
    bench.vc.resume().await.unwrap();
    assert_eq!(bench.get(CLUSTERS).await.0, 401);
    bench.log_in().await;
    assert_eq!(bench.info(C1).await["state"], "PENDING");
    assert_eq!((bench.vc.log().starts(C1).len(), bench.vc.log().starts(C2).len()), (1, 0));
}

#[tokio::test]
async fn the_door_can_close_before_tls_or_stay_silent() {
    let bench = bench().await;
    bench.vc.door().greet(Greeting::Close);
    let error = lost(bench.start_request(&one(C1, VERSION_NEW))).await;
    assert!(error.is_connect(), "{error:?}");
    bench.vc.door().greet(Greeting::Silence);
    let error = lost(bench.start_request(&one(C1, VERSION_NEW)).timeout(Duration::from_millis(50))).await;
    assert!(error.is_timeout(), "{error:?}");
    bench.vc.door().greet(Greeting::Tls);
    assert_eq!(bench.get(CLUSTERS).await.0, 200);
    assert!(bench.vc.log().posts().is_empty());
}

#[tokio::test]
async fn the_log_tells_connections_and_clients_apart() {
    let bench = bench().await;
    bench.get(CLUSTERS).await;
    answer(
        client(&bench.vc)
            .get(format!("{}{CLUSTERS}", bench.vc.url()))
            .header("user-agent", "other/2"),
    )
    .await;
    let requests = bench.vc.log().requests();
    let told: Vec<_> = requests
        .iter()
        .map(|entry| (entry.number, entry.user_agent.as_str(), entry.session))
        .collect();
    assert_eq!(told, [(1, "checks/1", false), (2, "checks/1", true), (3, "other/2", false)]);
    assert!(requests.is_sorted_by(|a, b| a.connection < b.connection), "a fresh connection each");
}
