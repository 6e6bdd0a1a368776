//! What becomes of devices that were told to go somewhere.

use serde_json::json;

use super::super::super::aruba::{
    CUSTOMER, Config, Diligence, Ends, Kind, Place, Stage, Unit, VERSION_NEW, VERSION_NEWER, VERSION_OLD, Wanted,
};
use super::{Bench, cx, order, order_with, swarm};

#[tokio::test]
async fn a_device_is_scheduled_downloads_reboots_and_is_there() {
    let bench = Bench::new(Config::still().pace(|p| p.stagger_secs = 0)).await;
    let at = bench.now() + 120;
    bench.started(order_with(&json!({"firmware_scheduled_at": at}))).await;
    for (secs, stage, version, up) in [
        (119, Stage::Scheduled, VERSION_OLD, "Up"),
        (1, Stage::Downloading, VERSION_OLD, "Up"),
        (299, Stage::Downloading, VERSION_OLD, "Up"),
        (1, Stage::Rebooting, VERSION_OLD, "Down"),
        (239, Stage::Rebooting, VERSION_OLD, "Down"),
        (1, Stage::AtRest, VERSION_NEW, "Up"),
    ] {
        bench.advance(secs);
        assert_eq!(bench.stages(Kind::Cx, stage), 4, "{stage:?}");
        let row = &bench.rows(Kind::Cx).await[0];
        assert_eq!((&row["firmware_version"], &row["device_status"]), (&json!(version), &json!(up)));
    }
}

#[tokio::test]
async fn a_fleet_comes_to_its_version_one_by_one() {
    let bench = Bench::new(Config::still()).await;
    bench.started(order()).await;
    bench.advance(540);
    for n in 1..=4 {
        assert_eq!(bench.at(Kind::Cx, VERSION_NEW), n);
        bench.advance(10);
    }
}

#[tokio::test]
async fn without_a_reboot_a_device_waits_until_somebody_reboots_it() {
    let bench = Bench::new(Config::still()).await;
    for change in [json!({"reboot": false}), json!({"reboot": null})] {
        bench.started(order_with(&change)).await;
    }
    bench.central.reboot(CUSTOMER, Kind::Cx).unwrap();
    assert_eq!(bench.stages(Kind::Cx, Stage::Downloading), 4, "there is nothing to reboot for yet");
    bench.advance(7 * 86_400);
    assert_eq!(bench.stages(Kind::Cx, Stage::AwaitingReboot), 4);
    bench.central.edit_unit(&cx(0), Unit::reboot).unwrap();
    assert_eq!(bench.stages(Kind::Cx, Stage::Rebooting), 1);
    bench.advance(240);
    assert_eq!(
        (bench.at(Kind::Cx, VERSION_NEW), bench.stages(Kind::Cx, Stage::AwaitingReboot)),
        (1, 3)
    );
    bench.central.reboot(CUSTOMER, Kind::Cx).unwrap();
    bench.advance(240);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 4);
}

#[tokio::test]
async fn a_device_that_is_offline_never_moves_until_it_is_back() {
    let bench = Bench::patient(Config::still().estate(|e| e.offline_every = 2)).await;
    bench.started(order()).await;
    bench.advance(86_400);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.stages(Kind::Cx, Stage::Scheduled)), (2, 2));
    let row = &bench.rows(Kind::Cx).await[1];
    assert_eq!(
        (&row["device_status"], &row["firmware_version"]),
        (&json!("Down"), &json!(VERSION_OLD))
    );
    bench.central.set_online(&cx(1), true).unwrap();
    assert_eq!(
        bench.central.unit(&cx(1)).unwrap().stage(bench.central.clock().now()),
        Stage::Downloading
    );
    bench.advance(300 + 10 + 240);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 3);
}

#[tokio::test]
async fn a_device_that_is_offline_may_take_no_order() {
    let config = Config::still()
        .estate(|e| e.offline_every = 2)
        .settings(|s| s.offline_takes_orders = false);
    let bench = Bench::new(config).await;
    bench.started(order()).await;
    assert_eq!(bench.central.log().committed()[0].options["devices"], 2);
    bench.central.set_online(&cx(1), true).unwrap();
    bench.advance(1000);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.stages(Kind::Cx, Stage::AtRest)), (2, 4));
}

#[tokio::test]
async fn cx_switches_may_take_an_order_and_do_nothing() {
    for (cx, scheduled) in [(Diligence::Silent, 2), (Diligence::Schedules, 4)] {
        let bench = Bench::new(Config::still().pace(|p| (p.cx, p.cx_every) = (cx, 2))).await;
        bench.started(order_with(&json!({"firmware_scheduled_at": bench.now() + 60}))).await;
        assert_eq!(bench.stages(Kind::Cx, Stage::Scheduled), scheduled, "{cx:?}");
        bench.advance(60);
        assert_eq!(bench.stages(Kind::Cx, Stage::AtRest), 2, "{cx:?}");
        bench.advance(1000);
        assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.at(Kind::Cx, VERSION_OLD)), (2, 2));
        bench.started(json!({"device_type": "HP", "reboot": true})).await;
        bench.advance(1000);
        assert_eq!(bench.at(Kind::Hp, Kind::Hp.version_new()), 4, "only those");
    }
}

#[tokio::test]
async fn some_upgrades_fail_or_end_at_another_version() {
    let bench = Bench::new(Config::still().pace(|p| (p.ends, p.ends_every) = (Ends::Fails, 2))).await;
    bench.started(order()).await;
    bench.advance(1000);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.stages(Kind::Cx, Stage::Failed)), (2, 2));
    let other = Ends::Version("10.12.1020".to_owned());
    bench.central.edit_unit(&cx(1), |unit, _| unit.ends = Some(other)).unwrap();
    bench.started(order()).await;
    bench.advance(1000);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.at(Kind::Cx, "10.12.1020")), (2, 1));
    bench.central.set_pace(|p| p.ends = Ends::Success);
    bench.started(order()).await;
    bench.advance(1000);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 3, "its own end goes before");
}

#[tokio::test]
async fn what_was_done_stays_done_though_the_clock_be_set_back() {
    let bench = Bench::new(Config::still()).await;
    bench.started(order()).await;
    let before = bench.central.clock().now();
    bench.advance(1000);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 4);
    bench.central.clock().set(before);
    assert_eq!(bench.at(Kind::Cx, VERSION_NEW), 4);
}

#[tokio::test]
async fn all_five_types_are_upgraded_in_the_same_way() {
    let bench = Bench::new(Config::still()).await;
    for kind in Kind::ALL {
        let wanted = json!({"device_type": kind.word(), "firmware_version": kind.version_newer(), "reboot": true});
        bench.started(wanted).await;
    }
    bench.advance(1000);
    for kind in Kind::ALL {
        assert_eq!(bench.at(kind, kind.version_newer()), 4, "{kind:?}");
        assert!(
            bench
                .rows(kind)
                .await
                .iter()
                .all(|row| row["firmware_version"] == kind.version_newer())
        );
        assert_eq!(bench.central.starts(CUSTOMER, kind).len(), 1);
    }
}

#[tokio::test]
async fn devices_can_be_changed_by_hand() {
    let bench = Bench::new(Config::still()).await;
    bench.started(order()).await;
    bench
        .central
        .edit_unit(&cx(0), |unit, _| unit.become_version(VERSION_NEWER))
        .unwrap();
    bench
        .central
        .edit_units(CUSTOMER, Kind::Iap, |n, unit, _| unit.group = u16::from(n == 0))
        .unwrap();
    bench.advance(1000);
    assert_eq!((bench.at(Kind::Cx, VERSION_NEW), bench.at(Kind::Cx, VERSION_NEWER)), (3, 1));
    let wanted = Wanted::new(Kind::Iap, Kind::Iap.version_new()).without("TestGroup1");
    assert_eq!(bench.central.start_elsewhere(CUSTOMER, &wanted).unwrap(), 1);
    for id in ["no-such", &cx(4), &Place::new(7, Kind::Cx, 0).id(), &swarm(99)] {
        assert!(bench.central.unit(id).is_err(), "{id}");
    }
}
