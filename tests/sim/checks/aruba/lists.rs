//! The lists of swarms and devices: pages, counts, and what may be wrong with them.

use serde_json::{Value, json};

use super::super::super::aruba::{
    CUSTOMER, CUSTOMER_2, Config, Kind, OverLimit, ScheduledAt, SwarmCount, Unscheduled, VERSION_NEW, VERSION_OLD, Word, Words,
};
use super::{Bench, answer, cx, forms, order, order_with, swarm};

fn many() -> Config {
    Config::still().estate(|e| (e.sizes.cx, e.sizes.iap) = (45, 45))
}

fn ids(page: &Value, list: &str, name: &str) -> Vec<String> {
    let rows = page[list].as_array().unwrap().iter();
    rows.map(|row| row[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_page_has_twenty_rows_unless_told_otherwise() {
    let bench = Bench::new(many()).await;
    let serials = |page: &Value| ids(page, "devices", "serial");
    let all: Vec<_> = (0..45).map(cx).collect();
    let first = bench.told("devices?device_type=CX").await;
    assert_eq!(serials(&first), all[..20]);
    assert_eq!(first.as_object().unwrap().len(), 1, "no count");
    assert_eq!(serials(&bench.told("devices?device_type=CX&offset=40").await), all[40..]);
    assert_eq!(serials(&bench.told("devices?device_type=CX&limit=7&offset=7").await), all[7..14]);
    assert_eq!(serials(&bench.told("devices?device_type=CX&limit=1000&offset=0").await), all);
    assert_eq!(bench.told("devices?device_type=CX&offset=45").await, json!({"devices": []}));
    let swarms = bench.told("swarms?limit=5&offset=3").await;
    assert_eq!(ids(&swarms, "swarms", "swarm_id"), (3..8).map(swarm).collect::<Vec<_>>());
    assert_eq!(swarms["swarm_count"], 45);
}

#[tokio::test]
async fn a_limit_that_is_too_large_is_refused_or_cut_down() {
    let bench = Bench::new(many()).await;
    for limit in ["1001", "0", "-1", "x", ""] {
        bench
            .refused(bench.read(CUSTOMER, &format!("swarms?limit={limit}")), 400, "0004")
            .await;
    }
    bench.refused(bench.read(CUSTOMER, "swarms?offset=-1"), 400, "0004").await;
    bench.central.set(|s| (s.over_limit, s.max_limit) = (OverLimit::CutDown, 10));
    assert_eq!(ids(&bench.told("swarms?limit=1000").await, "swarms", "swarm_id").len(), 10);
}

#[tokio::test]
async fn a_group_narrows_a_list() {
    let bench = Bench::new(many()).await;
    let one = bench.told("swarms?group=TestGroup1&limit=1000").await;
    assert_eq!((one["swarms"].as_array().unwrap().len(), &one["swarm_count"]), (23, &json!(23)));
    let two = bench.told("devices?device_type=CX&group=TestGroup2&limit=1000").await;
    assert_eq!(two["devices"].as_array().unwrap().len(), 22);
    assert_eq!(bench.told("swarms?group=Nowhere").await, json!({"swarms": [], "swarm_count": 0}));
}

#[tokio::test]
async fn the_types_of_devices_are_told_apart() {
    let bench = Bench::new(Config::still()).await;
    for kind in &Kind::ALL[1..] {
        let rows = bench.rows(*kind).await;
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row["firmware_version"] == kind.version_old()));
    }
    assert_eq!(bench.told("devices?limit=100").await["devices"].as_array().unwrap().len(), 16);
    bench.refused(bench.read(CUSTOMER, "devices?device_type=IAP"), 400, "0004").await;
    bench.refused(bench.read(CUSTOMER, "devices?device_type=SWITCH"), 400, "0004").await;
    bench.refused(bench.read(CUSTOMER, "devices?model=6300M"), 400, "0003").await;
    bench.refused(bench.read(CUSTOMER, "swarms?limit=5&limit=6"), 400, "0003").await;
    bench.refused(bench.read(CUSTOMER, "swarms?device_type=IAP"), 400, "0003").await;
    let twice = bench.told("swarms?limit=2&offset=0&limit=2&offset=0").await;
    assert_eq!(twice["swarms"].as_array().unwrap().len(), 2, "as the vendor's own client asks");
}

#[tokio::test]
async fn swarm_count_is_of_all_or_of_the_page_or_not_there() {
    let bench = Bench::new(many()).await;
    for (form, count) in [
        (SwarmCount::All, json!(45)),
        (SwarmCount::Page, json!(20)),
        (SwarmCount::Absent, Value::Null),
    ] {
        bench.central.set(|s| s.swarm_count = form);
        assert_eq!(bench.told("swarms").await["swarm_count"], count, "{form:?}");
    }
}

#[tokio::test]
async fn rows_may_be_missing_on_a_page_and_the_count_stays() {
    let bench = Bench::new(many()).await;
    bench.central.set(|s| s.rows_missing_every = 10);
    let page = bench.told("swarms").await;
    assert_eq!((page["swarms"].as_array().unwrap().len(), &page["swarm_count"]), (18, &json!(45)));
    let devices = bench.told("devices?device_type=CX&limit=1000").await;
    assert_eq!(devices["devices"].as_array().unwrap().len(), 41);
    bench.central.set(|s| s.rows_missing_every = 0);
    bench.central.edit_unit(&cx(3), |unit, _| unit.told = false).unwrap();
    let serials = ids(&bench.told("devices?device_type=CX&limit=1000").await, "devices", "serial");
    assert!(serials.len() == 44 && !serials.contains(&cx(3)));
    assert_eq!(answer(bench.read(CUSTOMER, &format!("devices/{}", cx(3)))).await.0, 404);
    bench.started(order()).await;
    assert_eq!(
        bench.central.log().committed()[0].options["devices"],
        45,
        "it is there all the same"
    );
}

#[tokio::test]
async fn rows_may_shift_between_two_pages() {
    let bench = Bench::new(many().settings(|s| s.rows_shift = true)).await;
    let first = ids(&bench.told("swarms?limit=20").await, "swarms", "swarm_id");
    let second = ids(&bench.told("swarms?limit=20&offset=20").await, "swarms", "swarm_id");
    let third = ids(&bench.told("swarms?limit=20&offset=40").await, "swarms", "swarm_id");
    let mut seen: Vec<_> = first.iter().chain(&second).chain(&third).collect();
    assert_eq!(seen.len(), 45);
    seen.sort();
    seen.dedup();
    assert!(seen.len() < 45, "some were told twice, and others never");
}

#[tokio::test]
async fn a_schedule_shows_on_rows_as_long_as_is_set_or_never() {
    for (form, waiting, moving) in [
        (ScheduledAt::UntilDone, true, true),
        (ScheduledAt::UntilDue, true, false),
        (ScheduledAt::Never, false, false),
    ] {
        let bench = Bench::new(Config::still().settings(|s| s.scheduled_at = form)).await;
        let at = bench.now() + 120;
        let told = async || bench.rows(Kind::Cx).await[0]["status"].get("firmware_scheduled_at").cloned();
        assert_eq!(told().await, None, "where nothing is scheduled there is none");
        bench.started(order_with(&json!({"firmware_scheduled_at": at}))).await;
        assert_eq!(told().await, waiting.then(|| json!(at)), "{form:?}");
        bench.advance(121);
        assert_eq!(told().await, moving.then(|| json!(at)), "{form:?}");
        bench.advance(1000);
        assert_eq!(told().await, None);
    }
}

#[tokio::test]
async fn a_schedule_may_show_another_time_and_its_absence_in_other_ways() {
    let bench = Bench::new(Config::still()).await;
    for (form, there) in [
        (Unscheduled::Absent, None),
        (Unscheduled::Zero, Some(json!(0))),
        (Unscheduled::Null, Some(Value::Null)),
    ] {
        bench.central.set(|s| s.unscheduled = form);
        assert_eq!(
            bench.rows(Kind::Cx).await[0]["status"].get("firmware_scheduled_at"),
            there.as_ref(),
            "{form:?}"
        );
    }
    let at = bench.now() + 600;
    bench.started(order_with(&json!({"firmware_scheduled_at": at}))).await;
    bench.central.set(|s| s.scheduled_at_off_secs = -7);
    assert_eq!(bench.rows(Kind::Cx).await[0]["status"]["firmware_scheduled_at"], at - 7);
    bench
        .central
        .start_elsewhere(CUSTOMER_2, &super::super::super::aruba::Wanted::new(Kind::Cx, VERSION_NEW))
        .unwrap();
    let (_, body) = answer(bench.read(CUSTOMER_2, "devices?device_type=CX")).await;
    let told = &body["devices"][0]["status"]["firmware_scheduled_at"];
    assert_eq!(*told, bench.now() - 7, "one that names no time is scheduled for now");
}

#[tokio::test]
async fn a_row_tells_what_is_recommended_and_whether_that_is_newer() {
    let bench = Bench::new(Config::still().estate(|e| e.new_every = 2)).await;
    let rows = bench.rows(Kind::Cx).await;
    let told = |row: &Value| {
        (
            row["recommended"].clone(),
            row["upgrade_required"].clone(),
            row["status"]["state"].clone(),
        )
    };
    assert_eq!(told(&rows[0]), (json!(VERSION_NEW), json!(true), json!("UPGRADE_REQUIRED")));
    assert_eq!(told(&rows[1]), (json!(VERSION_NEW), json!(false), json!("UPGRADE_NOT_REQUIRED")));
    assert_eq!(rows[1]["status"]["reason"], "Firmware version upto date");
    bench.central.recommend(Kind::Cx, Some("6300M 48G"), VERSION_OLD).unwrap();
    assert!(bench.rows(Kind::Cx).await.iter().all(|row| row["upgrade_required"] == false));
    assert!(bench.central.recommend(Kind::Cx, Some("no-such"), VERSION_OLD).is_err());
    assert!(bench.central.recommend(Kind::Cx, None, "1.2.3").is_err());
}

#[tokio::test]
async fn states_are_told_with_the_words_that_are_set() {
    let bench = Bench::new(Config::still().pace(|p| p.stagger_secs = 0)).await;
    bench
        .started(order_with(&json!({"firmware_scheduled_at": bench.now() + 10, "reboot": false})))
        .await;
    let state = async || bench.rows(Kind::Cx).await[0]["status"]["state"].clone();
    for (secs, word) in [(0, "UPGRADE_SCHEDULED"), (10, "UPGRADE_IN_PROGRESS"), (300, "REBOOT_REQUIRED")] {
        bench.advance(secs);
        assert_eq!(state().await, word);
    }
    bench.central.reboot(CUSTOMER, Kind::Cx).unwrap();
    assert_eq!(state().await, "REBOOTING");
    bench.central.set(|s| s.words = Words::all(&Word::new("Etwas", "anderes")));
    assert_eq!(state().await, "Etwas");
    bench.central.set(|s| s.status_down = "offline".to_owned());
    assert_eq!(bench.rows(Kind::Cx).await[0]["device_status"], "offline");
    forms::status(&bench.told(&format!("status?serial={}", cx(0))).await);
}
