//! The control API: that it reaches everything the handles in process reach.

use serde_json::{Value, json};

use super::super::Config;
use super::super::vcenter::{VERSION_NEW, VERSION_NEWER};
use super::{Answer, Bench, C1, answer, one};

impl Bench {
    async fn control(&self, path: &str, body: Value) -> Answer {
        let (status, body) = answer(self.client.post(format!("{}{path}", self.vc.control_url())).json(&body)).await;
        assert_eq!(status, 200, "{path}: {body}");
        (status, body)
    }

    async fn look(&self, path: &str) -> Value {
        answer(self.client.get(format!("{}{path}", self.vc.control_url()))).await.1
    }
}

#[tokio::test]
async fn rules_are_set_awaited_released_and_removed_over_http() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    let rule = json!({
        "match": {"method": "POST", "path": "/api/*", "query": "upgradeMultiple"},
        "action": {"do": "hang", "when": "after"},
        "remaining": 1,
    });
    let id = bench.control("/rules", rule).await.1["id"].as_u64().unwrap();
    let call = tokio::spawn(bench.start_request(&one(C1, VERSION_NEW)).send());
    assert_eq!(bench.look(&format!("/rules/{id}/wait")).await, json!({"hits": 1}));
    assert_eq!(bench.look("/starts").await["committed"][0]["target"], C1);
    assert!(!call.is_finished(), "committed, not answered");
    bench.control(&format!("/rules/{id}/release"), json!({})).await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);

    let removed = answer(bench.client.delete(format!("{}/rules/{id}", bench.vc.control_url()))).await;
    assert_eq!(removed, (200, json!({"removed": id})));
    assert_eq!(bench.look("/rules").await, json!([]));
    let log = bench.look("/log").await;
    assert_eq!(log.as_array().unwrap().last().unwrap()["outcome"], json!({"answered": 200}));
    assert_eq!(log.as_array().unwrap().last().unwrap()["rule"], id);
}

#[tokio::test]
async fn clock_clusters_settings_and_sessions_are_steered_over_http() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    let edited = bench
        .control("/clusters/domain-c1", json!({"begin": VERSION_NEWER, "nodes": 5}))
        .await
        .1;
    assert_eq!(edited["shows"], "PENDING");
    assert_eq!(bench.control("/clock", json!({"advance": 600})).await.1["speed"], 0.0);
    assert_eq!(
        bench.look("/state").await["vendor"]["clusters"][C1]["cluster"]["current_version"],
        VERSION_NEWER
    );
    let prechecks = json!({"prechecks": [{"severity": "ERROR", "text": "disk"}], "current_version": "v1", "available_versions": ["v2"]});
    bench.control("/clusters/domain-c1", prechecks).await;
    assert_eq!(bench.word(C1, "v2").await, "REJECTED");
    assert_eq!(
        bench.control("/clusters/domain-c1", json!({"state": "ERROR"})).await.1["shows"],
        "ERROR"
    );
    bench.control("/clusters/domain-c7", json!({"current_version": "v1"})).await;
    assert_eq!(bench.info("domain-c7").await["current_version"], "v1");
    bench.control("/clusters/domain-c7", json!({"remove": true})).await;
    assert!(bench.vc.cluster("domain-c7").is_none());

    bench.control("/settings", json!({"unknown_cluster": "not_found"})).await;
    assert_eq!(bench.start("domain-c7", "v2").await.0, 404);
    assert_eq!(bench.look("/settings").await["unknown_cluster"], "not_found");
    bench.control("/door", json!({"greeting": "tls"})).await;
    assert_eq!(bench.control("/sessions/expire", json!({})).await.1, json!({"expired": 1}));
    assert_eq!(bench.vc.live_sessions(), 0);

    for (path, body) in [
        ("/settings", json!({"no_such": 1})),
        ("/clusters/domain-c1", json!({"no_such": 1})),
        ("/clusters/domain-c404", json!({})),
        ("/rules", json!({"action": {"do": "explode"}})),
        ("/clock", json!({"advance": -1})),
        ("/rules/99/release", json!({})),
    ] {
        let response = bench
            .client
            .post(format!("{}{path}", bench.vc.control_url()))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{path} {body}");
    }
}
