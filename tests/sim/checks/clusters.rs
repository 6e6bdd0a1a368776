//! What is read: forms, errors, and an upgrade over time.

use reqwest::Method;
use serde_json::json;

use super::super::Config;
use super::super::vcenter::{CLUSTERS, Cluster, Failure, Note, Severity, VERSION_NEW, VERSION_NEWER, VERSION_OLD};
use super::{Bench, C1, answer, forms};

#[tokio::test]
async fn reads_have_the_published_forms_and_errors() {
    let mut config = Config::with_clusters(2);
    config.clusters[1].prechecks = vec![Note::new(Severity::Warning, "disk")];
    config.clusters.push(Cluster {
        supervisor: false,
        ..Cluster::new("domain-c9", VERSION_OLD, &[])
    });
    let bench = Bench::new(config).await;

    let (status, list) = bench.get(CLUSTERS).await;
    assert_eq!((status, list.as_array().unwrap().len()), (200, 2));
    forms::summaries(&list);
    assert_eq!(list[0]["state"], "READY");
    assert!(list[0].get("desired_version").is_none() && list[0].get("last_upgraded_date").is_none());
    assert_eq!(bench.info("domain-c2").await["upgrade_prechecks"][0]["status"], "FALSE");
    bench.vc.set(|s| s.conditions = false);
    assert!(bench.info("domain-c2").await.get("upgrade_prechecks").is_none(), "before 8.0.3");

    let (status, versions) = bench
        .get("/api/vcenter/namespace-management/software/cluster-available-versions")
        .await;
    assert_eq!((status, versions.as_array().unwrap().len()), (200, 3));
    forms::versions(&versions);

    for (path, status, error) in [
        (format!("{CLUSTERS}/domain-c404"), 404, "NOT_FOUND"),
        (format!("{CLUSTERS}/domain-c9"), 400, "UNSUPPORTED"),
        (format!("{CLUSTERS}?page=1"), 400, "INVALID_REQUEST"),
        ("/api/vcenter/nonsense".to_owned(), 404, "OPERATION_NOT_FOUND"),
    ] {
        let (got, body) = bench.get(&path).await;
        assert_eq!(got, status, "{path}");
        forms::error(&body, error);
    }
    assert_eq!(answer(bench.request(Method::PUT, CLUSTERS)).await.0, 404);
}

#[tokio::test]
async fn an_upgrade_moves_with_the_clock_from_pending_to_ready() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    let begun = bench.vc.clock().now();
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    let mut seen = Vec::new();
    for _ in 0..6 {
        let info = bench.info(C1).await;
        assert_eq!((&info["state"], &info["current_version"]), (&json!("PENDING"), &json!(VERSION_OLD)));
        assert_eq!(info["upgrade_status"]["desired_version"], VERSION_NEW);
        seen.push(info["upgrade_status"]["progress"]["completed"].as_i64().unwrap());
        assert_eq!(bench.get(CLUSTERS).await.1[0]["desired_version"], VERSION_NEW);
        bench.advance(100);
    }
    assert_eq!(seen, [0, 0, 1, 1, 2, 2]);
    // Looked at long after its end, it is dated by its end.
    bench.advance(5000);
    bench.vc.expire_all_sessions();
    let mut bench = bench;
    bench.log_in().await;
    let info = bench.info(C1).await;
    assert_eq!((&info["state"], &info["current_version"]), (&json!("READY"), &json!(VERSION_NEW)));
    assert_eq!(info["available_versions"], json!([VERSION_NEWER]));
    assert_eq!(
        info["last_upgraded_date"].as_str().unwrap(),
        format!("{:.3}", begun + jiff::SignedDuration::from_secs(600))
    );
    assert!(info.get("upgrade_status").is_none());
    bench.vc.set(|s| s.last_upgraded_date = false);
    assert!(bench.info(C1).await.get("last_upgraded_date").is_none());
}

#[tokio::test]
async fn an_upgrade_can_fail_midway_and_leave_an_error() {
    let bench = Bench::new(Config::with_clusters(1).each_cluster(|c| c.fail_after_nodes = Some(1))).await;
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    bench.advance(199);
    assert_eq!(bench.info(C1).await["state"], "PENDING");
    bench.advance(1);
    let info = bench.info(C1).await;
    assert_eq!((&info["state"], &info["current_version"]), (&json!("ERROR"), &json!(VERSION_OLD)));
    assert_eq!(info["messages"][0]["severity"], "ERROR");
    assert_eq!(info["upgrade_status"]["desired_version"], VERSION_NEW);
    assert!(info.get("last_upgraded_date").is_none());

    // A start of a cluster in ERROR can be refused, or taken.
    bench.vc.set(|s| s.start_in_error = false);
    assert_eq!(bench.word(C1, VERSION_NEW).await, "REJECTED");
    bench.vc.set(|s| s.start_in_error = true);
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    assert_eq!(bench.info(C1).await["state"], "PENDING");
}

#[tokio::test]
async fn an_accepted_upgrade_may_look_untouched_for_a_while() {
    let bench = Bench::new(Config::with_clusters(1).settings(|s| s.accept_delay_secs = 60)).await;
    let before = bench.info(C1).await;
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED");
    bench.advance(59);
    assert_eq!(bench.info(C1).await, before, "one early READY proves nothing");
    bench.advance(1);
    assert_eq!(bench.info(C1).await["state"], "PENDING");
}

#[tokio::test]
async fn clusters_change_by_hand_while_it_runs() {
    let left_over = Failure {
        desired_version: None,
        messages: vec![Note::new(Severity::Error, "long ago")],
    };
    let bench = Bench::new(Config::with_clusters(2).each_cluster(|c| c.failure = Some(left_over.clone()))).await;
    assert_eq!(bench.info(C1).await["messages"][0]["details"]["default_message"], "long ago");
    bench.vc.edit_cluster(C1, |c| c.failure = None).unwrap();
    assert_eq!(bench.info(C1).await["state"], "READY");

    bench.vc.begin_elsewhere(C1, VERSION_NEWER);
    assert_eq!(bench.info(C1).await["upgrade_status"]["desired_version"], VERSION_NEWER);
    assert!(bench.vc.log().committed().is_empty(), "nobody asked through the API");
    bench.advance(600);
    assert_eq!(bench.info(C1).await["current_version"], VERSION_NEWER);

    bench.vc.remove_cluster(C1);
    assert_eq!(bench.get(&format!("{CLUSTERS}/{C1}")).await.0, 404);
}
