//! Starts: what is taken, what is refused and how, and what is counted.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::vcenter::{
    Already, CLUSTERS, ErrorType, Exception, Note, Prechecks, Refuse, SecondCall, Severity, VERSION_NEW, VERSION_NEWER, VERSION_OLD,
};
use super::super::{Config, Outcome};
use super::{Bench, C1, C2, answer, forms, one};

#[tokio::test]
async fn a_map_of_clusters_is_answered_per_cluster_and_counted() {
    let bench = Bench::new(Config::with_clusters(2)).await;
    let body = json!({
        C1: {"desired_version": VERSION_NEW, "ignore_precheck_warnings": true},
        C2: {"desired_version": "v9.9.9"},
    });
    let (status, results) = answer(bench.start_request(&body).header("user-agent", "windlass/1 (receipt r1)")).await;
    assert_eq!((status, &results[C1]), (200, &json!({"res": "STARTED"})));
    forms::result(&results[C2]);
    assert_eq!(results[C2]["res"], "REJECTED");

    let log = bench.vc.log();
    let starts = log.committed();
    assert_eq!(starts.len(), 1);
    assert_eq!((starts[0].target.as_str(), starts[0].version.as_str()), (C1, VERSION_NEW));
    assert_eq!(starts[0].options, json!({"ignore_precheck_warnings": true}));
    assert_eq!(starts[0].user_agent, "windlass/1 (receipt r1)");
    assert_eq!(starts[0].at, bench.vc.clock().now());
    assert_eq!((log.posts().len(), log.refused_posts().len(), log.duplicates().len()), (1, 0, 0));
    let post = log.posts().remove(0);
    assert_eq!((post.outcome, post.session, post.body), (Outcome::Answered(200), true, Some(body)));
}

#[tokio::test]
async fn the_single_call_is_204_or_an_error() {
    let bench = Bench::new(Config::with_clusters(1).each_cluster(|c| c.prechecks = vec![Note::new(Severity::Warning, "disk")])).await;
    let post = |id: &str, body: Value| bench.request(Method::POST, &format!("{CLUSTERS}/{id}?action=upgrade")).json(&body);
    let (status, body) = answer(post(C1, json!({"desired_version": VERSION_NEW}))).await;
    assert_eq!(status, 400);
    forms::error(&body, "UNSUPPORTED");
    assert_eq!(answer(post("domain-c404", json!({"desired_version": VERSION_NEW}))).await.0, 404);
    let (status, body) = answer(post(C1, json!({"desired_version": VERSION_NEW, "ignore_precheck_warnings": true}))).await;
    assert_eq!((status, body), (204, Value::Null));
    assert_eq!((bench.vc.log().starts(C1).len(), bench.vc.log().refused_posts().len()), (1, 2));
}

#[tokio::test]
async fn a_request_that_is_not_to_the_letter_is_400() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    let good = one(C1, VERSION_NEW);
    let post = |query: &str| bench.request(Method::POST, &format!("{CLUSTERS}{query}"));
    let many = "?action=upgradeMultiple";
    for request in [
        post("").json(&good),
        post("?action=upgrade").json(&good),
        post("?action=upgradeMultiple&dry_run=true").json(&good),
        post(many).json(&json!([good])),
        post(many).json(&json!({C1: {"version": VERSION_NEW}})),
        post(many).json(&json!({C1: {"desired_version": 1}})),
        post(many).json(&json!({C1: {"desired_version": VERSION_NEW, "force": true}})),
        post(many).json(&json!({C1: {"desired_version": VERSION_NEW, "ignore_precheck_warnings": "yes"}})),
        post(many).body(good.to_string()),
        post(many).header("content-type", "application/json").body("{"),
    ] {
        let (status, body) = answer(request).await;
        assert_eq!(status, 400, "{body}");
        forms::error(&body, "INVALID_REQUEST");
    }
    assert!(bench.vc.log().committed().is_empty());
    assert_eq!(bench.vc.log().refused_posts().len(), 10);
}

#[tokio::test]
async fn prechecks_stop_by_severity() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    let set = |severity| {
        bench
            .vc
            .edit_cluster(C1, |c| c.prechecks = vec![Note::new(severity, "disk")])
            .unwrap();
    };
    let ignoring = json!({C1: {"desired_version": VERSION_NEW, "ignore_precheck_warnings": true}});

    set(Severity::Error);
    let (_, results) = answer(bench.start_request(&ignoring)).await;
    assert_eq!(results[C1]["res"], "REJECTED");
    forms::error(&results[C1]["exception"], "UNSUPPORTED");
    set(Severity::Warning);
    assert_eq!(bench.word(C1, VERSION_NEW).await, "REJECTED");
    assert!(bench.vc.log().committed().is_empty());
    let (_, results) = answer(bench.start_request(&ignoring)).await;
    assert_eq!(results[C1]["res"], "STARTED");
    bench.vc.edit_cluster(C1, |c| c.run = None).unwrap();
    set(Severity::Info);
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
}

#[tokio::test]
async fn prechecks_after_acceptance_leave_the_cluster_ready_and_unchanged() {
    for (when, messages) in [(Prechecks::AfterAccept, 1), (Prechecks::AfterAcceptSilently, 0)] {
        let config = Config::with_clusters(1).settings(|s| (s.prechecks, s.precheck_secs) = (when, 30));
        let bench = Bench::new(config.each_cluster(|c| c.prechecks = vec![Note::new(Severity::Error, "disk")])).await;
        assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
        for _ in 0..3 {
            let info = bench.info(C1).await;
            assert_eq!((&info["state"], &info["current_version"]), (&json!("READY"), &json!(VERSION_OLD)));
            bench.advance(30);
        }
        assert_eq!(bench.info(C1).await["messages"].as_array().unwrap().len(), messages);
        assert_eq!(bench.vc.log().starts(C1).len(), 1, "it said STARTED");
    }
}

#[tokio::test]
async fn prechecks_inside_the_call_hold_answer_and_commit() {
    let bench = Bench::new(Config::with_clusters(1).settings(|s| s.precheck_secs = 60)).await;
    let call = tokio::spawn(bench.start_request(&one(C1, VERSION_NEW)).send());
    bench.vc.log().wait_until(|log| !log.posts().is_empty()).await;
    assert!(bench.vc.log().committed().is_empty());
    bench.advance(30);
    assert!(bench.vc.log().committed().is_empty());
    // The clock may have been read before or after the first move: 60 more are enough for both.
    bench.advance(60);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(bench.vc.log().starts(C1).len(), 1);
}

#[tokio::test]
async fn unknown_clusters_and_versions_are_refused_as_told() {
    let bench = Bench::new(Config::with_clusters(2)).await;
    for (how, status, cluster_error, version_error) in [
        (Refuse::NotFound400, 400, "NOT_FOUND", "NOT_FOUND"),
        (Refuse::InvalidArgument, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        (Refuse::NotFound, 404, "NOT_FOUND", "NOT_FOUND"),
        (Refuse::InternalError, 500, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVER_ERROR"),
    ] {
        bench.vc.set(|s| (s.unknown_cluster, s.unsupported_version) = (how, how));
        // Beside a good cluster, which is not started either: the whole call is refused.
        let call = json!({C1: {"desired_version": VERSION_NEW}, "domain-c404": {"desired_version": VERSION_NEW}});
        let (got, body) = answer(bench.start_request(&call)).await;
        assert_eq!(got, status);
        forms::error(&body, cluster_error);
        let (got, body) = bench.start(C2, "v9.9.9").await;
        assert_eq!(got, status);
        forms::error(&body, version_error);
    }
    bench.vc.set(|s| s.unknown_cluster = Refuse::Rejected);
    assert_eq!(bench.word("domain-c404", VERSION_NEW).await, "REJECTED");
    bench.vc.set(|s| s.already_at_version = Already::RefuseCall);
    let (status, body) = bench.start(C1, VERSION_OLD).await;
    assert_eq!(status, 400);
    forms::error(&body, "ALREADY_IN_DESIRED_STATE");
    assert!(bench.vc.log().committed().is_empty());
}

#[tokio::test]
async fn a_second_call_while_one_is_under_way_does_as_told() {
    for (how, status, says, counted, moves_to) in [
        (SecondCall::Rejected, 200, "REJECTED", 1, VERSION_NEW),
        (SecondCall::NotAllowed, 400, "NOT_ALLOWED_IN_CURRENT_STATE", 1, VERSION_NEW),
        (SecondCall::ResourceBusy, 400, "RESOURCE_BUSY", 1, VERSION_NEW),
        (SecondCall::StartedIgnored, 200, "STARTED", 2, VERSION_NEW),
        (SecondCall::StartedRestarts, 200, "STARTED", 2, VERSION_NEWER),
    ] {
        // Accepted and not yet PENDING is under way too.
        let bench = Bench::new(Config::with_clusters(1).settings(|s| (s.second_call, s.accept_delay_secs) = (how, 10))).await;
        assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
        let (got, body) = bench.start(C1, VERSION_NEWER).await;
        let said = if got == 200 { &body[C1]["res"] } else { &body["error_type"] };
        assert_eq!((got, said), (status, &json!(says)), "{how:?}");
        bench.advance(10);
        assert_eq!(bench.info(C1).await["upgrade_status"]["desired_version"], moves_to, "{how:?}");
        assert_eq!(bench.vc.log().starts(C1).len(), counted, "{how:?}");
        assert!(bench.vc.log().duplicates().is_empty(), "another version is not a duplicate");
    }
    let bench = Bench::new(Config::with_clusters(1).settings(|s| s.second_call = SecondCall::StartedIgnored)).await;
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    assert_eq!(bench.vc.log().duplicates().len(), 1);
}

#[tokio::test]
async fn errors_and_exceptions_come_in_every_form() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    for (form, shown) in [(ErrorType::Missing, None), (ErrorType::Null, Some(Value::Null))] {
        bench.vc.set(|s| s.error_type = form);
        let (_, body) = bench.get(&format!("{CLUSTERS}/domain-c404")).await;
        assert_eq!(body.get("error_type"), shown.as_ref());
        assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    }
    for (form, is_object) in [
        (Exception::Error, true),
        (Exception::Typed, true),
        (Exception::Empty, true),
        (Exception::Text, false),
    ] {
        bench.vc.set(|s| s.exception = form);
        let (_, body) = bench.start(C1, "v9.9.9").await;
        assert_eq!(body[C1]["exception"].is_object(), is_object, "{form:?}");
    }
    bench.vc.set(|s| s.exception = Exception::Absent);
    assert_eq!(bench.start(C1, "v9.9.9").await.1[C1], json!({"res": "REJECTED"}));
}
