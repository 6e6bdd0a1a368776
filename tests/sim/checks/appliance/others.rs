//! What somebody else does, and the control API.

use serde_json::{Value, json};

use super::super::super::appliance::{Config, Ending, Status, TARGET, Task, VERSION_NEW, VERSION_NEWER, What};
use super::{Answer, Bench, answer};

impl Bench {
    async fn control(&self, path: &str, body: Value) -> Answer {
        answer(self.client.post(format!("{}{path}", self.vr.control_url())).json(&body)).await
    }

    async fn edit(&self, body: Value) -> Value {
        let (status, body) = self.control("/targets/appliance", body).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn look(&self, path: &str) -> Value {
        answer(self.client.get(format!("{}{path}", self.vr.control_url()))).await.1
    }
}

#[tokio::test]
async fn an_install_of_somebody_else_moves_the_machine_and_is_not_counted() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.vr.begin_elsewhere(VERSION_NEW);
    assert_eq!(bench.task(&id).await["description"], "Install update 9.0.2-10455");
    let elsewhere = bench.vr.log().elsewhere();
    assert_eq!(
        (elsewhere.len(), elsewhere[0].version.as_str(), elsewhere[0].request),
        (1, VERSION_NEW, 0)
    );
    assert_eq!((bench.starts(), bench.vr.log().duplicates().len()), (0, 0));
    assert_eq!(bench.install(VERSION_NEW).await.0, 400, "it is under way");
    bench.advance(490).await;
    bench.log_in().await;
    assert_eq!(bench.version().await, VERSION_NEW);
    assert!(bench.vr.log().starts(TARGET).is_empty());
}

#[tokio::test]
async fn tasks_of_others_appear_and_end() {
    let bench = Bench::new(Config::default()).await;
    let what = |description: &str| What::Other {
        kind: Some("configure".to_owned()),
        description: Some(description.to_owned()),
    };
    let now = bench.vr.clock().now();
    let running = bench
        .vr
        .add_task(Task::new(what("Reconfigure"), now, 0, 60, Ending::Success).for_ever());
    bench.vr.add_task(Task::new(what("Register"), now, 0, 60, Ending::Success));
    bench.advance(60).await;
    let list = bench.tasks().await;
    assert_eq!((&list[0]["status"], &list[1]["status"]), (&json!("RUNNING"), &json!("SUCCESS")));
    assert_eq!(
        (&list[0]["type"], &list[0]["description"]),
        (&json!("configure"), &json!("Reconfigure"))
    );
    assert!(bench.vr.end_task(&running, Ending::Cancelled));
    assert_eq!(bench.status(&running).await, "CANCELLED");
    assert_eq!(bench.vr.tasks()[0].1, Status::Cancelled);
    assert!(!bench.vr.end_task("no-such", Ending::Cancelled));
    bench.vr.lose_tasks();
    assert_eq!(bench.tasks().await.len(), 0);
    assert!(bench.vr.log().elsewhere().is_empty());
}

#[tokio::test]
async fn everything_is_steered_over_http_as_well() {
    let mut bench = Bench::new(Config::default()).await;
    let added = bench
        .edit(json!({"add_task": {"type": "x", "description": "y"}, "hostname": "vr2", "queued_secs": 0}))
        .await;
    let id = added["task"].as_str().unwrap();
    assert_eq!(
        (bench.status(id).await, &added["machine"]["hostname"]),
        (json!("RUNNING"), &json!("vr2"))
    );
    bench.edit(json!({"end_task": {"id": id, "status": "ERROR"}})).await;
    assert_eq!(bench.status(id).await, "ERROR");

    bench
        .edit(json!({"updates": ["9.1.0-1"], "ends": {"third_version": "9.0.9-9"}, "run_secs": 5, "reconfigure_after": true}))
        .await;
    bench.edit(json!({"begin": "9.1.0-1"})).await;
    let state = bench.look("/state").await["vendor"].clone();
    assert_eq!(
        (&state["life"]["run"]["version"], state["tasks"].as_array().unwrap().len()),
        (&json!("9.1.0-1"), 2)
    );
    assert_eq!(bench.look("/starts").await["elsewhere"][0]["version"], "9.1.0-1");
    bench.control("/clock", json!({"advance": 5})).await;
    assert_eq!(bench.look("/state").await["vendor"]["down"], true);
    bench.control("/clock", json!({"advance": 120})).await;
    bench.vr.caught_up().await;
    bench.log_in().await;
    assert_eq!(bench.version().await, "9.0.9-9");
    assert_eq!(bench.look("/state").await["vendor"]["machine"]["reconfigure_required"], true);

    for order in ["power_cycle", "power_off"] {
        bench.edit(json!({order: true, "slow_secs": 0})).await;
        assert!(bench.vr.is_down(), "{order}");
        bench
            .edit(json!({"come_back": true, "lose_tasks": true, "appliance_version": VERSION_NEWER}))
            .await;
        bench.vr.caught_up().await;
        bench.log_in().await;
        assert_eq!((bench.version().await.as_str(), bench.tasks().await.len()), (VERSION_NEWER, 0));
    }
    let (_, settings) = bench
        .control("/settings", json!({"wording": "meaningless", "rate_requests": 5}))
        .await;
    assert_eq!(settings["rate_requests"], 5);
    assert_eq!(bench.look("/settings").await["wording"], "meaningless");
    assert_eq!(bench.control("/sessions/expire", json!({})).await.1, json!({"expired": 1}));

    for (path, body) in [
        ("/settings", json!({"no_such": 1})),
        ("/settings", json!([])),
        ("/targets/appliance", json!({"no_such": 1})),
        ("/targets/appliance", json!({"end_task": {"id": "x", "status": "SUCCESS"}})),
        ("/targets/vr1", json!({})),
    ] {
        let post = bench.client.post(format!("{}{path}", bench.vr.control_url())).json(&body);
        assert_eq!(post.send().await.unwrap().status(), 400, "{path} {body}");
    }
}
