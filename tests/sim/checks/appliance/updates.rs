//! What the appliance says of itself, its repository, its updates and its services.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::appliance::{
    Appliance, BASE, Config, UpdatesForm, VERSION_NEW, VERSION_NEWER, VERSION_OLD, VersionForm, retrievals,
};
use super::{Bench, answer, bare, forms};

const RETRIEVE: &str = "/appliance/update-manager/actions/retrieve-updates";
const REPOSITORY: &str = "/appliance/update-manager/repository";

impl Bench {
    /// Looks for updates; the task when it has ended.
    async fn retrieved(&self) -> Value {
        let (status, task) = self.post(RETRIEVE).await;
        assert_eq!(status, 202, "{task}");
        forms::task(&task);
        assert_eq!(task["status"], "RUNNING");
        self.advance(5).await;
        let (status, task) = self.get(&format!("/tasks/{}", task["id"].as_str().unwrap())).await;
        assert_eq!(status, 200);
        task
    }
}

#[tokio::test]
async fn the_appliance_says_what_it_is() {
    let bench = Bench::new(Config::default()).await;
    let (_, info) = bench.get("/appliance").await;
    forms::appliance(&info);
    assert_eq!(
        (&info["appliance_version"], &info["appliance_build_number"]),
        (&json!(VERSION_OLD), &json!("10010"))
    );
    bench.vr.set(|s| s.entity_meta = false);
    assert!(bench.get("/appliance").await.1.get("_meta").is_none());
    let (status, value) = bench.get("/appliance/configuration-manager/reconfigure-required").await;
    assert_eq!((status, &value["value"]), (200, &json!(false)));
    forms::reconfigure(&value);
    for path in ["/appliance/info", "/appliance/update-manager/updates", "/upgrades"] {
        assert_eq!(bench.get(path).await, bare(404), "{path}");
    }
    assert_eq!(bench.get("/appliance?x=1").await.0, 400);
}

#[tokio::test]
async fn the_base_path_is_whatever_it_is_told_to_be() {
    let base = "/dr/v2".to_owned();
    let vr = Appliance::start(Config { base, ..Config::default() }).await.unwrap();
    let client = super::client(&vr);
    let login = |base: &str| {
        answer(
            client
                .post(format!("{}{base}/session", vr.url()))
                .basic_auth("admin", Some("weigh-the-anchor")),
        )
    };
    assert_eq!(login("/dr/v2").await.0, 200);
    assert_eq!(login(BASE).await, bare(404));
}

#[tokio::test]
async fn updates_are_in_the_result_of_a_task_in_every_container() {
    let bench = Bench::new(Config::default()).await;
    let versions = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter().for_each(forms::update);
        list.iter().map(|update| update["version"].as_str().unwrap().to_owned()).collect()
    };
    for form in [UpdatesForm::List, UpdatesForm::Updates, UpdatesForm::Array] {
        bench.vr.set(|s| s.updates_form = form);
        let result = bench.retrieved().await["result"].clone();
        let list = match form {
            UpdatesForm::List => &result["list"],
            UpdatesForm::Updates => &result["updates"],
            _ => &result,
        };
        assert_eq!(versions(list), [VERSION_NEW, VERSION_NEWER], "{form:?}");
    }
    bench.vr.set(|s| s.updates_form = UpdatesForm::Absent);
    assert!(bench.retrieved().await.get("result").is_none());
}

#[tokio::test]
async fn an_update_has_nulls_where_it_may_and_writes_its_version_as_told() {
    let bench = Bench::new(Config::default()).await;
    for (form, written) in [
        (VersionForm::Full, "9.0.2-10455"),
        (VersionForm::WithoutBuild, "9.0.2"),
        (VersionForm::Dotted, "9.0.2.10455"),
    ] {
        bench.vr.set(|s| (s.version_form, s.update_nulls) = (form, true));
        let update = bench.retrieved().await["result"]["list"][0].clone();
        forms::update(&update);
        assert_eq!(update["version"], written);
        assert_eq!(bench.vr.offered()[0], written);
        let nulls = update.as_object().unwrap().values().filter(|value| value.is_null()).count();
        assert_eq!(nulls, 3);
    }
}

#[tokio::test]
async fn updates_may_not_be_found() {
    let bench = Bench::new(Config::default()).await;
    bench.vr.set(|s| s.repository_unreachable = true);
    let task = bench.retrieved().await;
    forms::task_entity(&task);
    assert_eq!((&task["status"], task["error"]["details"].is_string()), (&json!("ERROR"), true));
    bench.vr.set(|s| s.repository_unreachable = false);
    bench.vr.edit_machine(|machine| machine.repository.url = None);
    assert_eq!(bench.retrieved().await["status"], "ERROR");

    bench.vr.set(|s| s.retrieve_fails = true);
    let (status, body) = bench.post(RETRIEVE).await;
    assert_eq!(status, 500);
    forms::error(&body);
    assert_eq!(bench.tasks().await.len(), 2, "no task is made");
    let rule = super::super::super::Rule::new(super::super::super::Action::ExpireSessions).on(retrievals());
    bench.vr.faults().add(rule.times(1));
    assert_eq!(bench.post(RETRIEVE).await, bare(401));
}

#[tokio::test]
async fn the_repository_is_read_and_changed() {
    let bench = Bench::new(Config::default()).await;
    let (status, repository) = bench.get(REPOSITORY).await;
    assert_eq!(status, 200);
    forms::repository(&repository);
    let put = |body: Value| answer(bench.request(Method::PUT, REPOSITORY).json(&body));
    assert_eq!(put(json!({"mounted_iso": true, "url": null})).await, bare(204));
    assert_eq!(bench.get(REPOSITORY).await.1["mounted_iso"], true);
    assert_eq!(
        put(json!({"url": "https://u.example.com", "username": "u", "password": "p"}))
            .await
            .0,
        204
    );
    assert_eq!(bench.get(REPOSITORY).await.1["password"], json!(null), "it is never told");
    for wrong in [
        json!({"mounted_iso": true, "url": "https://u.example.com"}),
        json!({"username": "u"}),
        json!({"uri": "x"}),
        json!([]),
    ] {
        let (status, body) = put(wrong).await;
        assert_eq!(status, 400);
        forms::error(&body);
    }
}

#[tokio::test]
async fn services_are_listed_and_steered() {
    let bench = Bench::new(Config::default()).await;
    let (status, services) = bench.get("/services").await;
    assert_eq!((status, services["list"].as_array().unwrap().len()), (200, 2));
    forms::services(&services);
    for (action, running) in [("stop", false), ("start", true), ("restart", true)] {
        assert_eq!(bench.post(&format!("/services/hms/actions/{action}")).await, bare(204));
        let (_, service) = bench.get("/services/hms").await;
        forms::service(&service);
        assert_eq!(service["is_running"], running);
    }
    assert_eq!(bench.get("/services/no-such").await, bare(404));
    assert_eq!(bench.post("/services/hms/actions/explode").await, bare(404));
}
