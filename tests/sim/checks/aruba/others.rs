//! The control API, and what is only steered by it.

use serde_json::{Value, json};

use super::super::super::aruba::{CLIENT_ID, CUSTOMER, Config, Kind, Stage, VERSION_NEW, VERSION_NEWER, customer};
use super::{Bench, answer, cx, forms, order};

impl Bench {
    async fn control(&self, path: &str, body: &Value) -> Value {
        let post = self.client.post(format!("{}{path}", self.central.control_url())).json(body);
        let response = post.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{path} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn edit(&self, target: &str, body: Value) -> Value {
        self.control(&format!("/targets/{target}"), &body).await
    }

    async fn look(&self, path: &str) -> Value {
        answer(self.client.get(format!("{}{path}", self.central.control_url()))).await.1
    }
}

#[tokio::test]
async fn central_itself_is_steered_over_http_as_well() {
    let mut bench = Bench::new(Config::still()).await;
    let edited = bench.edit("central", json!({"issue": CLIENT_ID, "use_up": 10})).await;
    forms::tokens(&edited["tokens"]);
    assert_eq!(edited["charged_today"], 10);
    edited["tokens"]["access_token"].as_str().unwrap().clone_into(&mut bench.token);
    let pace = json!({"download_secs": 5, "stagger_secs": 0, "reboot_secs": 5, "ends": {"version": VERSION_NEWER}});
    bench.edit("central", json!({"pace": pace})).await;
    bench.started(order()).await;
    bench.control("/clock", &json!({"advance": 10})).await;
    assert_eq!(bench.at(Kind::Cx, VERSION_NEWER), 4);
    bench
        .edit(
            "central",
            json!({"stock": {"device_type": "HP", "versions": ["1", "2"]}, "recommend": {"device_type": "HP", "version": "2"}}),
        )
        .await;
    assert_eq!(bench.rows(Kind::Hp).await[0]["recommended"], "2");
    bench
        .edit("central", json!({"compliance": {"device_type": "HP", "version": "1"}}))
        .await;
    let path = "/firmware/v1/msp/upgrade/compliance_version?device_type=HP";
    assert_eq!(bench.get(path).await.1["firmware_compliance_version"], "1");
    assert_eq!(bench.control("/sessions/expire", &json!({})).await, json!({"expired": 2}));
    bench.edit("central", json!({"revoke": true})).await;
    assert_eq!(bench.look("/state").await["vendor"]["tokens"]["issued"], 2);
}

#[tokio::test]
async fn customers_and_devices_are_steered_over_http_as_well() {
    let bench = Bench::new(Config::still()).await;
    let at = bench.now() + 60;
    let start =
        json!({"device_type": "CX", "firmware_version": VERSION_NEW, "firmware_scheduled_at": at, "exclude_groups": ["TestGroup2"]});
    assert_eq!(bench.edit(CUSTOMER, json!({"start": start})).await["ordered"], 2);
    assert_eq!(bench.look("/starts").await["elsewhere"][0]["options"]["firmware_scheduled_at"], at);
    assert_eq!(bench.edit(CUSTOMER, json!({"cancel": "CX"})).await["cancelled"], 2);
    bench.edit(CUSTOMER, json!({"start": start})).await;
    bench.advance(3600);
    assert_eq!(bench.stages(Kind::Cx, Stage::AwaitingReboot), 2);
    bench.edit(CUSTOMER, json!({"reboot": "CX"})).await;
    assert_eq!(bench.stages(Kind::Cx, Stage::Rebooting), 2);
    bench
        .edit(
            CUSTOMER,
            json!({"compliance": {"device_type": "CX", "version": VERSION_NEW, "scheduled_at": 5}}),
        )
        .await;
    assert_eq!(
        bench.told("upgrade/compliance_version?device_type=CX").await["compliance_scheduled_at"],
        5
    );
    let unit = bench
        .edit(
            &cx(1),
            json!({"online": false, "version": VERSION_NEWER, "group": "TestGroup1", "model": 2, "ends": "fails", "diligence": "silent"}),
        )
        .await;
    assert_eq!(
        unit,
        json!({"version": VERSION_NEWER, "stage": "at_rest", "online": false, "told": true})
    );
    assert_eq!(bench.central.unit(&cx(1)).unwrap().model, 2);
    bench.edit(&cx(1), json!({"told": false, "reboot": true})).await;
    assert_eq!(bench.rows(Kind::Cx).await.len(), 3);
    bench.edit(CUSTOMER, json!({"gone": true})).await;
    assert_eq!(answer(bench.read(CUSTOMER, "swarms")).await.0, 404);
    bench.edit(CUSTOMER, json!({"gone": false})).await;
    assert_eq!(answer(bench.read(CUSTOMER, "swarms")).await.0, 200);
    assert_eq!(
        bench.control("/settings", &json!({"scheduled_at": "never"})).await["scheduled_at"],
        "never"
    );
    assert_eq!(bench.look("/settings").await["scheduled_at"], "never");
    let words = json!({"words": {"failed": {"state": "KAPUTT", "reason": ""}}});
    assert_eq!(
        bench.control("/settings", &words).await["words"]["current"]["state"],
        "UPGRADE_NOT_REQUIRED"
    );
}

#[tokio::test]
async fn mistakes_are_told() {
    let bench = Bench::new(Config::still()).await;
    let start = |version: &str| json!({"start": {"device_type": "CX", "firmware_version": version}});
    for (path, body) in [
        ("/settings".to_owned(), json!({"no_such": 1})),
        ("/settings".to_owned(), json!([])),
        ("/targets/central".to_owned(), json!({"no_such": 1})),
        ("/targets/central".to_owned(), json!({"issue": "nobody"})),
        (
            "/targets/central".to_owned(),
            json!({"recommend": {"device_type": "CX", "version": "1.2.3"}}),
        ),
        ("/targets/nobody".to_owned(), json!({})),
        ("/targets/nobody".to_owned(), json!({"gone": true})),
        (format!("/targets/{}", customer(2)), json!({})),
        (format!("/targets/{CUSTOMER}"), json!({"no_such": 1})),
        (format!("/targets/{CUSTOMER}"), start("1.2.3")),
        (format!("/targets/{CUSTOMER}"), json!({"cancel": "AP"})),
        (format!("/targets/{}", cx(0)), json!({"no_such": 1})),
        (format!("/targets/{}", cx(0)), json!({"group": "Nowhere"})),
        (format!("/targets/{}", cx(9)), json!({})),
    ] {
        let post = bench.client.post(format!("{}{path}", bench.central.control_url())).json(&body);
        assert_eq!(post.send().await.unwrap().status(), 400, "{path} {body}");
    }
}

#[tokio::test]
async fn a_restart_ends_access_tokens_and_nothing_else() {
    let mut bench = Bench::new(Config::still()).await;
    bench.started(order()).await;
    bench.central.restart().await.unwrap();
    assert_eq!(bench.get("/firmware/v1/swarms").await.0, 401);
    bench.take_token(CLIENT_ID);
    bench.advance(1000);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.starts()), (4, 1));
}
