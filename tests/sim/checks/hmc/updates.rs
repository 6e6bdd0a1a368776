//! Remote firmware updates: what IBM does to them, and what the API shows.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::hmc::{BUNDLE_NEW, BUNDLE_NEWER, BUNDLE_OLD, Config, Ends, Failure, Stage, UPDATES};
use super::{Bench, HOUR, answer, bare, order};

/// The hour until what [`Bench::scheduled`] gives begins.
const HOUR_SECS: u64 = 3600;

impl Bench {
    async fn state_of(&self, id: &str) -> String {
        self.update(id).await["state"].as_str().unwrap().to_owned()
    }

    async fn gone(&self, id: &str) {
        self.refused(self.request(Method::GET, &format!("{UPDATES}/{id}")), 404, 1).await;
        assert!(self.listed().await.0.is_empty());
    }
}

fn steps(update: &Value) -> Vec<&str> {
    let steps = update["execution-steps"].as_array().unwrap();
    steps.iter().map(|step| step["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_update_is_listed_with_four_properties_and_shown_with_all() {
    let bench = Bench::new(Config::default().settings(|s| s.clock_skew_ms = 7000)).await;
    let id = bench.scheduled().await;
    let list = bench.listed().await.0;
    let now = bench.hmc.clock().now().as_millisecond();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["element-uri"], format!("{UPDATES}/{id}"));
    assert_eq!(
        (&list[0]["target-bundle"], &list[0]["state"]),
        (&json!(BUNDLE_NEW), &json!("scheduled"))
    );
    let update = bench.update(&id).await;
    assert_eq!((&update["element-id"], &update["parent"]), (&json!(id), &json!("/api/console")));
    assert_eq!(update["creation-time"], now + 7000);
    assert_eq!(update["scheduled-execution-time"], now + 7000 + 3_600_000);
    assert_eq!(
        (&update["execution-window"], &update["execution-percentage"]),
        (&json!(30), &json!(0))
    );
    assert_eq!(steps(&update), ["not-started"; 6]);
    bench
        .refused(bench.request(Method::GET, &format!("{UPDATES}/{id}?properties=state")), 400, 1)
        .await;
    bench.refused(bench.request(Method::POST, &format!("{UPDATES}/{id}")), 405, 1).await;
    bench.refused(bench.request(Method::POST, UPDATES), 405, 1).await;
}

#[tokio::test]
async fn it_begins_by_itself_restarts_the_console_and_leaves_the_bundle() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    bench.advance(HOUR_SECS - 1).await;
    assert_eq!((bench.state_of(&id).await.as_str(), bench.hmc.upgrading()), ("scheduled", false));
    bench.advance(1).await;
    assert_eq!((bench.state_of(&id).await.as_str(), bench.hmc.upgrading()), ("running", true));
    bench.finish().await;
    assert_eq!((bench.bundle().await.as_str(), bench.hmc.restarts()), (BUNDLE_NEW, 1));
    bench.gone(&id).await;
    assert_eq!(bench.starts(), 0, "it was IBM's");
    let elsewhere = bench.hmc.log().elsewhere();
    assert_eq!(
        (elsewhere.len(), elsewhere[0].version.as_str(), elsewhere[0].user_agent.as_str()),
        (1, BUNDLE_NEW, "IBM")
    );
}

#[tokio::test]
async fn nobody_needs_to_look_for_it_to_begin_and_to_restart_the_console() {
    let mut bench = Bench::new(Config::default()).await;
    bench.scheduled().await;
    bench.advance(HOUR_SECS + 361).await;
    assert!(bench.hmc.is_down());
    bench.advance(270).await;
    bench.log_on().await;
    assert_eq!(bench.bundle().await, BUNDLE_NEW);
}

#[tokio::test]
async fn with_the_feature_it_tells_its_steps_and_percentage_and_without_it_does_not() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    bench.advance(HOUR_SECS).await;
    let mut reached = 0;
    for _ in 0..11 {
        bench.advance(30).await;
        let update = bench.update(&id).await;
        let percentage = update["execution-percentage"].as_i64().unwrap();
        assert!(percentage > reached && percentage < 100, "{update}");
        reached = percentage;
        assert_eq!(steps(&update).iter().filter(|state| **state == "running").count(), 1, "{update}");
        assert!(!steps(&update).contains(&"failed"), "{update}");
    }
    bench.advance(31).await;
    bench.advance(240 + 30 - 1).await;
    bench.log_on().await;

    let bench = Bench::new(Config::default().console(|console| console.features = Some(Vec::new()))).await;
    let id = bench.scheduled().await;
    let update = bench.update(&id).await;
    assert_eq!((update.get("execution-percentage"), update.get("execution-steps")), (None, None));
}

#[tokio::test]
async fn one_that_fails_leaves_the_bundle_and_is_gone_or_listed_with_a_word() {
    for (listed, ends) in [
        (false, Ends::Failure(Failure::new("disk"))),
        (true, Ends::Failure(Failure::new("disk"))),
        (true, Ends::SameBundle),
    ] {
        let config = Config::default().console(|console| console.ends = ends.clone());
        let mut bench = Bench::new(config.settings(|s| s.ended_updates_listed = listed)).await;
        let id = bench.scheduled().await;
        bench.advance(HOUR_SECS).await;
        bench.finish().await;
        assert_eq!((bench.bundle().await.as_str(), bench.hmc.upgrading()), (BUNDLE_OLD, false));
        assert_eq!(bench.hmc.restarts(), u64::from(ends == Ends::SameBundle));
        if !listed {
            bench.gone(&id).await;
            continue;
        }
        let update = bench.update(&id).await;
        assert_eq!(
            (&update["state"], steps(&update).contains(&"failed")),
            (&json!("failed"), true),
            "{update}"
        );
        bench
            .refused(bench.request(Method::DELETE, &format!("{UPDATES}/{id}")), 409, 1)
            .await;
    }
}

#[tokio::test]
async fn one_that_succeeds_may_stay_listed_with_any_word() {
    let config = Config::default().settings(|s| (s.ended_updates_listed, s.state_succeeded) = (true, "done-and-dusted".to_owned()));
    let mut bench = Bench::new(config).await;
    let id = bench.scheduled().await;
    bench.advance(HOUR_SECS).await;
    bench.finish().await;
    let update = bench.update(&id).await;
    assert_eq!(
        (&update["state"], &update["execution-percentage"]),
        (&json!("done-and-dusted"), &json!(100))
    );
    assert_eq!(steps(&update), ["succeeded"; 6]);
    let (status, list) = bench.get(&format!("{UPDATES}?state=done-and-dusted")).await;
    assert_eq!((status, list["remote-firmware-updates"].as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn it_may_land_on_a_third_bundle_or_change_nothing_and_say_that_it_is_done() {
    for (ends, bundle) in [
        (Ends::ThirdBundle(BUNDLE_NEWER.to_owned()), BUNDLE_NEWER),
        (Ends::Nothing, BUNDLE_OLD),
    ] {
        let config = Config::default().console(|console| console.ends = ends);
        let mut bench = Bench::new(config.settings(|s| s.ended_updates_listed = true)).await;
        let id = bench.scheduled().await;
        bench.advance(HOUR_SECS).await;
        bench.finish().await;
        assert_eq!(
            (bench.bundle().await.as_str(), bench.state_of(&id).await.as_str()),
            (bundle, "succeeded")
        );
    }
}

#[tokio::test]
async fn the_list_is_filtered_by_the_documented_states_and_by_no_other_word() {
    let bench = Bench::new(Config::default()).await;
    let here = bench.scheduled().await;
    let there = bench.hmc.ibm().schedule_with_newest(BUNDLE_NEWER, 2 * HOUR, 30).unwrap();
    bench.hmc.ibm().move_to_peer(&there).unwrap();
    for (state, ids) in [("scheduled", vec![&here]), ("scheduled-on-peer", vec![&there]), ("running", vec![])] {
        let (status, list) = bench.get(&format!("{UPDATES}?state={state}")).await;
        let uris: Vec<_> = ids.into_iter().map(|id| json!(format!("{UPDATES}/{id}"))).collect();
        let listed = list["remote-firmware-updates"].as_array().unwrap();
        let listed: Vec<_> = listed.iter().map(|update| update["element-uri"].clone()).collect();
        assert_eq!((status, listed), (200, uris), "{state}");
        assert_eq!(
            list["remote-firmware-update-tokens"].as_array().unwrap().len(),
            1,
            "tokens are not filtered"
        );
    }
    for word in ["succeeded", "RUNNING", ""] {
        bench
            .refused(bench.request(Method::GET, &format!("{UPDATES}?state={word}")), 400, 14)
            .await;
    }
    bench.hmc.set(|s| s.ended_updates_listed = true);
    assert_eq!(bench.get(&format!("{UPDATES}?state=succeeded")).await.0, 200);
    bench
        .refused(bench.request(Method::GET, &format!("{UPDATES}?bundle=H30")), 400, 1)
        .await;
}

#[tokio::test]
async fn what_the_peer_has_does_not_run_here_until_it_comes_back() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    bench.hmc.ibm().move_to_peer(&id).unwrap();
    bench.advance(2 * HOUR_SECS).await;
    assert_eq!(
        (bench.state_of(&id).await.as_str(), bench.hmc.upgrading()),
        ("scheduled-on-peer", false)
    );
    bench.hmc.ibm().move_back(&id).unwrap();
    assert_eq!(bench.state_of(&id).await, "running");
    bench.hmc.ibm().move_to_peer(&id).unwrap_err();
    bench.finish().await;
    assert_eq!(bench.bundle().await, BUNDLE_NEW);
}

#[tokio::test]
async fn ibm_withdraws_and_reschedules_what_has_not_begun_and_nothing_else() {
    let bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    let ibm = bench.hmc.ibm();
    ibm.reschedule(&id, 2 * HOUR).unwrap();
    bench.advance(HOUR_SECS).await;
    assert_eq!(bench.state_of(&id).await, "scheduled", "its first time is not its time any more");
    ibm.withdraw(&id).unwrap();
    bench.gone(&id).await;
    bench.advance(2 * HOUR_SECS).await;
    assert!(!bench.hmc.upgrading(), "what is gone does not begin");
    ibm.withdraw(&id).unwrap_err();

    let id = bench.hmc.ibm().schedule_with_newest(BUNDLE_NEW, HOUR, 30).unwrap();
    ibm.run_now(&id).unwrap();
    assert_eq!(bench.state_of(&id).await, "running");
    ibm.withdraw(&id).unwrap_err();
    assert!(matches!(ibm.update(&id).unwrap().stage, Stage::Running { .. }));
}

#[tokio::test]
async fn its_state_may_be_a_word_that_nobody_knows_and_it_goes_on_all_the_same() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    bench.hmc.ibm().show_as(&id, Some("pending-approval")).unwrap();
    assert_eq!(
        (bench.state_of(&id).await.as_str(), &bench.listed().await.0[0]["state"]),
        ("pending-approval", &json!("pending-approval"))
    );
    bench.advance(HOUR_SECS).await;
    assert!(bench.hmc.upgrading());
    bench.hmc.ibm().show_as(&id, None).unwrap();
    assert_eq!(bench.state_of(&id).await, "running");
    bench.finish().await;
    assert_eq!(bench.bundle().await, BUNDLE_NEW);
}

#[tokio::test]
async fn a_busy_console_makes_it_wait_for_as_long_as_its_window_and_no_longer() {
    let bench = Bench::new(Config::default().console(|console| console.busy = true)).await;
    let first = bench.scheduled().await;
    bench.advance(HOUR_SECS + 600).await;
    assert_eq!(bench.state_of(&first).await, "scheduled");
    bench.hmc.edit_console(|console| console.busy = false);
    bench.advance(60).await;
    assert_eq!(bench.state_of(&first).await, "running");

    let bench = Bench::new(Config::default().console(|console| console.busy = true)).await;
    let second = bench.scheduled().await;
    bench.advance(HOUR_SECS + 1800).await;
    bench.gone(&second).await;
    bench.hmc.edit_console(|console| console.busy = false);
    bench.advance(HOUR_SECS).await;
    assert_eq!((bench.bundle().await.as_str(), bench.hmc.restarts()), (BUNDLE_OLD, 0));
}

#[tokio::test]
async fn one_waits_for_a_single_step_install_that_is_under_way() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    bench.hmc.ibm().reschedule(&id, Duration::from_secs(60)).unwrap();
    bench.installed(BUNDLE_NEWER).await;
    bench.advance(120).await;
    assert_eq!(bench.state_of(&id).await, "scheduled");
    bench.advance(600).await;
    bench.log_on().await;
    assert_eq!(
        (bench.state_of(&id).await.as_str(), bench.bundle().await.as_str()),
        ("running", BUNDLE_NEWER)
    );
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 409, 1).await;
}

#[tokio::test]
async fn one_that_has_not_begun_is_deleted_and_another_is_not() {
    let bench = Bench::new(Config::default().settings(|s| s.delete_conflict_reason = 77)).await;
    let (first, second) = (bench.scheduled().await, bench.scheduled().await);
    let one = |id: &str| format!("{UPDATES}/{id}");
    assert_eq!(bench.delete(&one(&first)).await, bare(204));
    bench.refused(bench.request(Method::DELETE, &one(&first)), 404, 1).await;
    bench.advance(HOUR_SECS).await;
    bench.refused(bench.request(Method::DELETE, &one(&second)), 409, 77).await;
    assert_eq!(bench.state_of(&second).await, "running");
    let deletions = bench.hmc.log().requests().into_iter().filter(|entry| entry.method == "DELETE");
    assert_eq!(deletions.count(), 3, "whoever deletes shows");
}

#[tokio::test]
async fn pending_conditions_are_told_as_set_or_not_at_all() {
    let bench = Bench::new(Config::default()).await;
    let id = bench.scheduled().await;
    assert_eq!(bench.update(&id).await["pending-conditions"], json!([]));
    bench.hmc.set(|s| s.pending_conditions = Some(vec!["power-on-reset".to_owned()]));
    assert_eq!(bench.update(&id).await["pending-conditions"], json!(["power-on-reset"]));
    bench.hmc.set(|s| s.pending_conditions = None);
    assert_eq!(bench.update(&id).await.get("pending-conditions"), None);
    let (status, _) = answer(bench.request(Method::GET, UPDATES)).await;
    assert_eq!(status, 200);
}
