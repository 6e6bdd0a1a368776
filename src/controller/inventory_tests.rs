use crate::vendor::FoundCluster;
use crate::vendor::FoundFirmware;
use crate::vendor::FoundRemoteUpdate;
use crate::vendor::FoundUpdate;
use crate::vendor::FoundVersion;
use crate::vendor::Updates;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn update(version: &str) -> FoundUpdate {
    FoundUpdate {
        version: version.to_owned(),
        ..FoundUpdate::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a look brings is a Result")]
fn appliance(updates: Updates) -> Looked {
    Ok(Found::RecoveryAppliance {
        product: Some("vSphere Replication".to_owned()),
        version: "9.0.0-10010".to_owned(),
        updates,
    })
}

/// The status after a look at second `now` that brought this.
fn after(old: &InventoryStatus, looked: &Looked, now: i64) -> InventoryStatus {
    status(Some(1), old, &found::shown(Some(old), looked), Some(at(now)), at(now))
}

fn ready(status: &InventoryStatus) -> (&str, &str) {
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    (&ready.status, &ready.reason)
}

#[test]
fn what_failed_leaves_standing_what_was_found_and_says_so() {
    let first = after(
        &InventoryStatus::default(),
        &appliance(Updates::Listed(vec![update("9.0.2-10455")])),
        100,
    );
    assert_eq!(ready(&first), ("True", "Observed"));
    assert_eq!(first.summary.as_deref(), Some("at 9.0.0-10010; offers 9.0.2-10455"));
    assert_eq!(first.observed_at, Some(at(100)));
    let error = VendorError::Throttled {
        authority: "srm-a:443".to_owned(),
        after: None,
    };
    let failed = after(&first, &Err(error), 200);
    assert_eq!(ready(&failed).0, "False");
    assert_eq!(
        (failed.observed_at, &failed.recovery_appliance),
        (Some(at(100)), &first.recovery_appliance)
    );
}

#[test]
fn a_look_is_never_dated_later_than_it_was() {
    let seen = Timestamp::new(100, 900_000_000).unwrap();
    let shown = found::shown(None, &appliance(Updates::Listed(vec![])));
    let status = status(Some(1), &InventoryStatus::default(), &shown, Some(seen), seen);
    assert_eq!(status.observed_at, Some(at(100)));
}

#[test]
fn a_repository_out_of_reach_is_told_beside_the_version_that_was_seen() {
    let first = after(
        &InventoryStatus::default(),
        &appliance(Updates::Listed(vec![update("9.0.2-10455")])),
        100,
    );
    let why = "task t9 ERROR: no route to host".to_owned();
    let unreachable = after(&first, &appliance(Updates::Unavailable { why }), 200);
    assert_eq!(ready(&unreachable), ("False", "RepositoryUnreachable"));
    let shown = unreachable.recovery_appliance.unwrap();
    assert_eq!((shown.version.as_deref(), shown.updates.len()), (Some("9.0.0-10010"), 1));
}

#[test]
fn while_an_update_may_be_under_way_what_is_offered_is_kept_and_not_asked() {
    let first = after(
        &InventoryStatus::default(),
        &appliance(Updates::Listed(vec![update("9.0.2-10455")])),
        100,
    );
    let during = after(&first, &appliance(Updates::NotAsked), 200);
    assert_eq!(
        (ready(&during).0, during.observed_at),
        ("True", Some(at(100))),
        "what it offers was seen then"
    );
    assert_eq!(during.recovery_appliance, first.recovery_appliance);
}

#[test]
fn a_vcenter_of_any_size_fits_and_what_is_left_out_is_said() {
    let cluster = |n: usize| FoundCluster {
        id: format!("domain-c{n}"),
        name: Some(format!("cluster-{n}")),
        version: Some("v1.29.7+vmware.1".to_owned()),
        offered: (0..64).map(|v| format!("v1.30.{v}+vmware.1")).collect(),
        state: Some("READY"),
    };
    let vcenter = Ok(Found::VCenter {
        versions: vec![FoundVersion {
            version: "v1.30.5+vmware.2".to_owned(),
            release_date: None,
        }],
        clusters: (0..2 * MOST_ROWS).map(cluster).collect(),
    });
    let status = after(&InventoryStatus::default(), &vcenter, 100);
    assert!(status.truncated);
    assert_eq!(
        status.summary.as_deref(),
        Some("2000 Supervisor clusters, 2000 with updates; 1 version")
    );
    let bytes = serde_json::to_vec(&status).unwrap().len();
    assert!(bytes < 1_000_000, "etcd takes 1.5 MiB for one object; this has {bytes}");
}

#[test]
fn a_console_is_told_in_one_line_without_its_tokens() {
    let found = |tokens: Vec<Timestamp>| Found::Hmc {
        bundle: "H30".to_owned(),
        updates: vec![FoundRemoteUpdate::default()],
        tokens,
    };
    for (tokens, told) in [(vec![at(9)], "1 token"), (vec![], "0 tokens")] {
        let status = after(&InventoryStatus::default(), &Ok(found(tokens)), 100);
        assert_eq!(status.summary, Some(format!("at H30; 1 remote firmware update, {told}")));
        assert_eq!((ready(&status), status.observed_at), (("True", "Observed"), Some(at(100))));
    }
}

#[test]
fn customers_of_any_size_fit_and_what_is_left_out_is_said() {
    let row = |n: u32| FoundFirmware {
        customer_id: format!("customer-{}", n / 10),
        device_type: "CONTROLLER".to_owned(),
        model: format!("a-model-with-a-rather-long-name-{n}"),
        version: format!("10.{}.1010-and-something-more", 10 + n % 5),
        recommended: n.is_multiple_of(2).then(|| "10.12.1000".to_owned()),
        devices: 7,
    };
    let central = |rows: u32, truncated| Found::ArubaCentral {
        firmware: (0..rows).map(row).collect(),
        truncated,
    };
    let few = after(&InventoryStatus::default(), &Ok(central(20, false)), 100);
    assert_eq!(
        few.summary.as_deref(),
        Some("140 devices of 2 customers, 28 below what is recommended")
    );
    assert!(!few.truncated);
    for (rows, cut) in [(2000, false), (1000, true)] {
        let many = after(&InventoryStatus::default(), &Ok(central(rows, cut)), 100);
        assert!(many.truncated);
        assert_eq!(many.aruba_central.as_ref().unwrap().firmware.len(), MOST_ROWS);
        let bytes = serde_json::to_vec(&many).unwrap().len();
        assert!(bytes < 1_000_000, "etcd takes 1.5 MiB for one object; this has {bytes}");
    }
}

#[test]
fn a_look_for_which_there_are_no_calls_waits_for_the_next_day() {
    let timing = Timing::production();
    let used_up = VendorError::QuotaUsedUp {
        authority: "apigw.example:443".to_owned(),
        left: 300,
        limit: 4000,
        until: at(50_000),
    };
    let of = ConnectionType::ArubaCentral;
    assert_eq!(again(&timing, of, at(100), &used_up), Duration::from_secs(49_900));
    assert_eq!(again(&timing, of, at(60_000), &used_up), timing.poll_waiting);
    let broken = VendorError::Unreachable {
        authority: "apigw.example:443".to_owned(),
        why: "reset".to_owned(),
    };
    assert_eq!(
        again(&timing, of, at(100), &broken),
        timing.poll_central_waiting,
        "what it took is gone"
    );
    assert_eq!(again(&timing, ConnectionType::Hmc, at(100), &broken), timing.poll_waiting);
}

#[test]
fn the_same_look_gives_the_same_status_and_is_written_once() {
    let found = appliance(Updates::Listed(vec![]));
    let first = after(&InventoryStatus::default(), &found, 100);
    let again = status(Some(1), &first, &found::shown(Some(&first), &found), Some(at(100)), at(160));
    assert_eq!(first, again, "a pass later, nothing new to write");
}

#[test]
fn many_that_were_applied_at_once_do_not_look_at_once_for_ever() {
    let inventory = |uid: &str| {
        let mut inventory = Inventory::new("vc1", serde_json::from_value(json!({"connectionRef": {"name": "vc1"}})).unwrap());
        inventory.metadata.uid = Some(uid.to_owned());
        inventory
    };
    let waits: std::collections::BTreeSet<Duration> = (0..100).map(|n| jitter(&inventory(&n.to_string()), at(100), INTERVAL)).collect();
    assert!(waits.len() > 50, "{}", waits.len());
    assert!(waits.iter().all(|wait| *wait <= INTERVAL / JITTER));
    assert_eq!(
        jitter(&inventory("a"), at(100), INTERVAL),
        jitter(&inventory("a"), at(100), INTERVAL)
    );
}
