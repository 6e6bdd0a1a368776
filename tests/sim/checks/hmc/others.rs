//! The control API, and what is only steered by it.

use serde_json::{Value, json};

use super::super::super::hmc::{BUNDLE_NEW, BUNDLE_NEWER, Config, EVERYTHING, Stage, TARGET};
use super::{Answer, Bench, answer, order};

impl Bench {
    async fn control(&self, path: &str, body: Value) -> Answer {
        answer(self.client.post(format!("{}{path}", self.hmc.control_url())).json(&body)).await
    }

    async fn edit(&self, body: Value) -> Value {
        let edit = self.client.post(format!("{}/targets/console", self.hmc.control_url())).json(&body);
        let response = edit.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn look(&self, path: &str) -> Value {
        answer(self.client.get(format!("{}{path}", self.hmc.control_url()))).await.1
    }
}

#[tokio::test]
async fn everything_is_steered_over_http_as_well() {
    let mut bench = Bench::new(Config::default()).await;
    let token = bench.authorized().await;
    let scheduled = bench
        .edit(json!({"schedule": {"bundle": BUNDLE_NEW, "token": token, "in_secs": 600, "window_mins": 5}, "name": "HMC2"}))
        .await;
    let id = scheduled["update"].as_str().unwrap().to_owned();
    assert_eq!(scheduled["console"]["name"], "HMC2");
    let stage_of = |bench: &Bench| bench.hmc.ibm().update(&id).map(|update| update.stage);
    bench.edit(json!({"move_to_peer": id})).await;
    assert_eq!(stage_of(&bench), Some(Stage::OnPeer));
    bench.edit(json!({"move_back": id, "show_as": {"id": id, "state": "odd"}})).await;
    assert_eq!(
        (stage_of(&bench), bench.update(&id).await["state"].clone()),
        (Some(Stage::Scheduled), json!("odd"))
    );
    bench
        .edit(json!({"show_as": {"id": id}, "backup_secs": 1, "install_secs": 1, "down_secs": 1, "slow_secs": 0, "finish_secs": 0}))
        .await;
    bench.edit(json!({"run_now": id})).await;
    let state = bench.look("/state").await["vendor"].clone();
    assert_eq!(
        (&state["life"]["run"]["bundle"], &state["updates"][0]["state"]),
        (&json!(BUNDLE_NEW), &json!("running"))
    );
    bench.control("/clock", json!({"advance": 10})).await;
    bench.hmc.caught_up().await;
    bench.log_on().await;
    assert_eq!(bench.bundle().await, BUNDLE_NEW);

    let second = bench
        .edit(json!({"schedule": {"bundle": BUNDLE_NEWER, "window_mins": 5}, "busy": true}))
        .await["update"]
        .clone();
    bench.edit(json!({"withdraw": second, "busy": false})).await;
    assert!(bench.hmc.ibm().updates().is_empty());
    bench.edit(json!({"begin": BUNDLE_NEWER, "ends": "never_back"})).await;
    assert_eq!(bench.look("/starts").await["elsewhere"][1]["version"], BUNDLE_NEWER);
    bench.edit(json!({"lose_jobs": true})).await;
    assert!(bench.hmc.jobs().is_empty());
    for how in ["power_cycle", "power_off"] {
        bench.edit(json!({how: true})).await;
        assert!(bench.hmc.is_down(), "{how}");
        bench
            .edit(json!({"come_back": true, "bundle": "H40", "on_offer": ["H41"], "version": "2.17.0"}))
            .await;
        bench.hmc.caught_up().await;
        bench.log_on().await;
        assert_eq!(bench.bundle().await, "H40");
    }
    let (_, settings) = bench
        .control("/settings", json!({"max_tokens": 1, "second_install": "starts_another"}))
        .await;
    assert_eq!(settings["max_tokens"], 1);
    assert_eq!(bench.look("/settings").await["second_install"], "starts_another");
    assert_eq!(bench.control("/sessions/expire", json!({})).await.1, json!({"expired": 1}));

    for (path, body) in [
        ("/settings", json!({"no_such": 1})),
        ("/settings", json!([])),
        ("/targets/console", json!({"no_such": 1})),
        ("/targets/console", json!({"withdraw": "no-such"})),
        ("/targets/console", json!({"schedule": {"bundle": "H41", "token": "NOSUCH1"}})),
        ("/targets/hmc1", json!({})),
    ] {
        let post = bench.client.post(format!("{}{path}", bench.hmc.control_url())).json(&body);
        assert_eq!(post.send().await.unwrap().status(), 400, "{path} {body}");
    }
}

#[tokio::test]
async fn committed_and_granted_are_told_apart_over_http() {
    let bench = Bench::new(Config::default()).await;
    bench.authorized().await;
    bench.authorized().await;
    let mut all = order("");
    all.as_object_mut().unwrap().remove("bundle-level");
    assert_eq!(answer(bench.install_request(&all)).await.0, 202);
    let starts = bench.look("/starts").await;
    assert_eq!(
        (starts["granted"].as_array().unwrap().len(), &starts["duplicates"]),
        (2, &json!([]))
    );
    assert_eq!(starts["committed"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&starts["committed"][0]["version"], &starts["granted"][1]["target"]),
        (&json!(EVERYTHING), &json!(TARGET))
    );
}

#[tokio::test]
async fn a_rule_with_a_reason_is_set_over_http() {
    let bench = Bench::new(Config::default()).await;
    let rule = json!({"match": {"path": "/api/console"}, "action": {"do": "refuse", "status": 409, "reason": 2}, "remaining": 1});
    assert_eq!(bench.control("/rules", rule).await.0, 200);
    bench.refused(bench.request(reqwest::Method::GET, "/api/console"), 409, 2).await;
    assert_eq!(bench.get("/api/console").await.0, 200);
}

#[tokio::test]
async fn sessions_and_users_expire_together_by_a_rule() {
    let bench = Bench::new(Config::default()).await;
    bench
        .control("/rules", json!({"action": {"do": "expire_sessions"}, "remaining": 1}))
        .await;
    bench.refused(bench.request(reqwest::Method::GET, "/api/console"), 403, 5).await;
    assert_eq!(bench.hmc.session_ids(), Vec::<String>::new());
}
