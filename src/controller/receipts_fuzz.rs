//! Objects from the API server that no version of Windlass wrote: they are read, block their target, or are left out; nothing panics and
//! nothing is guessed.

use std::fmt::Debug;

use kube::core::DeserializeGuard;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use super::receipts::answer_json;
use super::receipts::read;
use crate::api::ApplianceUpdate;
use crate::api::ClusterUpgradeBatch;
use crate::api::Connection;
use crate::api::FirmwareUpgrade;
use crate::api::Inventory;
use crate::api::UpgradeReceipt;
use crate::api::common::CanonicalDuration;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::ledger::Wanted;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::BootId;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Holder;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::receipt::Standing;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Timing;
use crate::vendor::mutated;

const AT: &str = "2026-11-22T10:00:00Z";

fn key() -> TargetKey {
    TargetKey::cluster(Authority::from_url("https://vc1.example").unwrap(), "domain-c8")
}

fn receipt(claim: &Value, status: &Value) -> Value {
    let mut all = json!({
        "target": key().canonical(), "targetHash": key().hash(), "sequence": 1, "connection": "vc1", "before": "{\"version\":\"v1.29\"}",
        "run": {"namespace": "vsphere", "version": "v1.30.5+vmware.2", "runKey": ""},
        "requestedBy": {"kind": "ClusterUpgradeBatch", "name": "b", "uid": "u", "generation": 1},
    });
    for (field, value) in claim.as_object().unwrap() {
        all[field] = value.clone();
    }
    json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "UpgradeReceipt",
        "metadata": {"name": key().receipt_name(1), "creationTimestamp": AT, "uid": "u", "resourceVersion": "1"},
        "spec": {"claim": all, "resolution": {"verdict": "NotStarted", "by": "ada", "reason": "asked"}},
        "status": status,
    })
}

fn receipts() -> Vec<Value> {
    let permit = json!({"holder": "boot.1", "options": "{}", "request": "POST /api"});
    vec![
        receipt(
            &permit,
            &json!({"answer": {"kind": "Accepted", "job": "j", "at": AT}, "end": {"kind": "Succeeded", "at": AT, "how": "seen"}}),
        ),
        receipt(
            &permit,
            &json!({"answer": {"kind": "NotTaken", "reason": "Throttled", "retryAfterSeconds": 90, "at": AT}, "end": {"kind": "NotTaken", "at": AT}}),
        ),
        receipt(
            &permit,
            &json!({"answer": {"kind": "Lost", "message": "m", "at": AT}, "adopted": {"at": AT, "how": "h"}, "evidence": ["e"]}),
        ),
        receipt(&json!({"note": "Adopted"}), &json!({})),
    ]
}

fn connections() -> Vec<Value> {
    vec![json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "vc1", "namespace": "vsphere", "generation": 3},
        "spec": {"type": "VCenter", "url": "https://vc1.example", "credentialsSecretRef": {"name": "vc1"}, "caBundlePEM": "x", "suspend": false},
        "status": {"observedGeneration": 3, "endpoint": "vc1.example:443", "vendor": {"product": "vCenter"}, "inFlight": 1,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": AT}],
            "reservations": [{"target": "t", "seq": 1, "at": AT, "by": "boot"}]},
    })]
}

fn batches() -> Vec<Value> {
    vec![json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "ClusterUpgradeBatch", "metadata": {"name": "b", "namespace": "vsphere"},
        "spec": {"connectionRef": {"name": "vc1"}, "desiredVersion": "v1.30.5+vmware.2", "timeout": "8h", "runKey": "again",
            "clusters": [{"cluster": "domain-c8", "canary": true, "ignorePrecheckWarnings": true}],
            "strategy": {"maxConcurrent": 1, "maxFailures": 0, "soak": "1h"}},
        "status": {"state": "RUNNING", "counts": {"total": 1}, "nextActionAt": AT, "blockers": [{"reason": "r", "until": AT}],
            "targets": [{"name": "domain-c8", "state": "RUNNING"}], "conditions": [{"type": "Ready"}]},
    })]
}

fn updates() -> Vec<Value> {
    vec![json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "ApplianceUpdate", "metadata": {"name": "u", "namespace": "dr"},
        "spec": {"connectionRef": {"name": "srm-a"}, "version": "9.0.2-10455", "timeout": "3h", "runKey": "again", "suspend": false},
        "status": {"state": "RUNNING", "target": "srm-a", "progress": 40, "nextActionAt": AT, "blockers": [{"reason": "r", "until": AT}],
            "targets": [{"name": "srm-a", "state": "RUNNING", "job": "task-118"}], "conditions": [{"type": "Ready"}]},
    })]
}

fn firmwares() -> Vec<Value> {
    let upgrade = |spec: Value, devices: Value| {
        json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "FirmwareUpgrade", "metadata": {"name": "f", "namespace": "netops"}, "spec": spec,
            "status": {"state": "RUNNING", "target": "t", "progress": 40, "nextActionAt": AT, "blockers": [{"reason": "r", "until": AT}],
                "targets": [{"name": "t", "state": "RUNNING", "devices": devices}], "conditions": [{"type": "Ready"}]},
        })
    };
    vec![
        upgrade(
            json!({"connectionRef": {"name": "c"}, "version": "10.13.1010", "timeout": "8h",
                "arubaCustomer": {"customerId": "4d1c", "deviceType": "CX", "reboot": true, "excludeGroups": ["lab"]}}),
            json!({"total": 4, "atVersion": 1, "excluded": 1, "unreachable": 0}),
        ),
        upgrade(
            json!({"connectionRef": {"name": "hmc1"}, "version": "H41", "hmcConsole": {"remoteSchedule": {}}}),
            json!(null),
        ),
    ]
}

fn inventories() -> Vec<Value> {
    vec![json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "acme", "namespace": "netops"},
        "spec": {"connectionRef": {"name": "c"}, "interval": "24h", "arubaCentral": {"customerIds": ["4d1c"], "deviceTypes": ["CX"]}},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready"}], "arubaCentral": {"firmware": [
            {"customerId": "4d1c", "deviceType": "CX", "model": "6300M", "version": "10.11.1021", "recommended": "10.13.1010", "devices": 3}]}},
    })]
}

/// Reads an object as the watches do. What can be read is written as it was read.
fn guarded<K: DeserializeOwned + Serialize + Debug + PartialEq>(bytes: &[u8]) -> Result<(), TestCaseError>
where
    DeserializeGuard<K>: DeserializeOwned,
{
    if let Ok(DeserializeGuard(Ok(object))) = serde_json::from_slice::<DeserializeGuard<K>>(bytes) {
        let again: K = serde_json::from_value(serde_json::to_value(&object).unwrap()).unwrap();
        prop_assert_eq!(again, object);
    }
    Ok(())
}

fn wanted() -> Wanted {
    Wanted {
        run: crate::upgrade::receipt::Run {
            namespace: "vsphere".to_owned(),
            version: "v1.30.5+vmware.2".to_owned(),
            run_key: String::new(),
        },
        options: "{}".to_owned(),
        kind: "ClusterUpgradeBatch".to_owned(),
        name: "b".to_owned(),
    }
}

fn known(word: &str) -> bool {
    ["Accepted", "Rejected", "Lost", "NotTaken"].contains(&word)
}

proptest! {
    #[test]
    fn a_receipt_of_any_shape_is_read_right_or_blocks_its_target(value in mutated::value(receipts()), after in 0..10_000_000_i64) {
        guarded::<UpgradeReceipt>(value.to_string().as_bytes())?;
        let Ok(object) = serde_json::from_value::<UpgradeReceipt>(value) else { return Ok(()) };
        let receipt = read(&object);
        let status = object.status.clone().unwrap_or_default();
        let strange = status.answer.as_ref().is_some_and(|a| !known(&a.kind))
            || status.end.as_ref().is_some_and(|e| EndKind::read(&e.kind).is_none())
            || serde_json::from_str::<crate::upgrade::sight::Looks>(&object.spec.claim.before).is_err();
        prop_assert!(!strange || (receipt.standing() == Standing::Unreadable && receipt.open()), "{receipt:?}");
        prop_assert!(receipt.unknown_word.as_ref().is_none_or(|word| word.chars().count() <= 1024));
        // A fact that was written is never overlooked.
        prop_assert!(status.answer.is_none() || receipt.answer.is_some() || receipt.unknown_word.is_some());
        prop_assert!(status.end.is_none() || receipt.end.is_some() || receipt.unknown_word.is_some());
        prop_assert_eq!(status.adopted.is_some(), receipt.adopted.is_some());

        let seq = object.spec.claim.sequence;
        let at = receipt.created.checked_add(jiff::SignedDuration::from_secs(after)).unwrap_or(jiff::Timestamp::MAX);
        match Ledger::read(&key(), vec![receipt.clone()]) {
            Ok(ledger) => {
                prop_assert!(seq == 1 && receipt.target == key().canonical() && receipt.name == key().receipt_name(1));
                if let Ok(next) = ledger.next(&wanted(), at, &Timing::production()) {
                    prop_assert!(next == 2 && !receipt.open(), "{receipt:?}");
                    prop_assert!(receipt.run != wanted().run || !receipt.taken(), "{receipt:?}");
                }
            }
            Err(damaged) => prop_assert!(!damaged.to_string().is_empty()),
        }
        let _ = (receipt.outcome(), receipt.ended_at());
    }

    #[test]
    fn objects_of_any_shape_are_read_as_they_are_or_left_out(
        connection in mutated::bytes(connections()),
        batch in mutated::bytes(batches()),
        update in mutated::bytes(updates()),
        firmware in mutated::bytes(firmwares()),
        inventory in mutated::bytes(inventories()),
        receipt in mutated::bytes(receipts()),
    ) {
        guarded::<Connection>(&connection)?;
        guarded::<ClusterUpgradeBatch>(&batch)?;
        guarded::<ApplianceUpdate>(&update)?;
        guarded::<FirmwareUpgrade>(&firmware)?;
        guarded::<Inventory>(&inventory)?;
        guarded::<UpgradeReceipt>(&receipt)?;
    }

    #[test]
    fn an_answer_is_always_written_as_the_schema_takes_it_and_read_back(text in ".{0,3000}", seconds in any::<u64>(), which in 0..4_usize) {
        let message = text.clone();
        let retry_after = Some(std::time::Duration::from_secs(seconds));
        let answer = [
            Answer::Accepted { job: Some(text) },
            Answer::Rejected { message: message.clone() },
            Answer::Lost { message: message.clone() },
            Answer::NotTaken { reason: NotTaken::Throttled { retry_after }, message },
        ][which].clone();
        let written = answer_json(&answer, AT.parse().unwrap());
        for field in ["message", "job"] {
            prop_assert!(written[field].as_str().is_none_or(|t| t.chars().count() <= 1024));
        }
        let object: UpgradeReceipt = serde_json::from_value(receipt(&json!({"holder": "boot.1"}), &json!({"answer": written}))).unwrap();
        let back = read(&object);
        prop_assert_eq!(back.unknown_word, None);
        prop_assert_eq!(std::mem::discriminant(&back.answer.unwrap().answer), std::mem::discriminant(&answer));
    }

    #[test]
    fn a_holder_of_any_text_is_ours_only_if_we_wrote_it(boot in "[a-f0-9-]{0,40}", attempt in any::<u64>(), text in ".{0,60}") {
        let boot = BootId(boot);
        prop_assert!(boot.made(&boot.holder(attempt)));
        let ours = text.strip_prefix(&boot.0).is_some_and(|rest| rest.starts_with('.'));
        prop_assert_eq!(boot.made(&Holder(text)), ours);
    }

    #[test]
    fn a_duration_of_any_text_is_read_or_refused(text in prop_oneof![any::<String>(), "([0-9]{0,6}(h|m|s|ms|d| |)){0,5}"]) {
        if let Ok(read) = CanonicalDuration(text.clone()).to_std() {
            prop_assert!(read <= std::time::Duration::from_hours(4 * 99_999));
            prop_assert!(text.is_ascii() && text.len() <= 28, "{}", text);
        }
    }

    #[test]
    fn timing_of_any_json_is_usable_or_refused(text in mutated::bytes(vec![serde_json::to_value(Timing::production()).unwrap()])) {
        if let Ok(text) = std::str::from_utf8(&text)
            && let Ok(timing) = Timing::from_json(text)
        {
            prop_assert_eq!(timing.check(), Ok(()));
            prop_assert!(timing.connect_timeout < timing.ttl && timing.ttl < timing.horizon() && timing.horizon() < timing.grace);
            let _ = timing.reservation();
        }
    }
}

/// As versions before Aruba Central wrote it, and as this one writes such a receipt: both are read for ever.
#[test]
fn receipts_of_every_version_are_read() {
    let old = receipt(&json!({"holder": "boot.1", "options": "{}", "request": "POST /api"}), &json!({}));
    let old = read(&serde_json::from_value(old).unwrap());
    assert_eq!((old.due, old.before.fleet, old.unknown_word), (None, None, None));
    let before = r#"{"version":"mixed","faulted":false,"fleet":{"total":212,"at":12,"excluded":14,"versions":[{"model":"6300M","version":"10.11.1021","devices":200}]}}"#;
    let new = json!({
        "holder": "boot.1", "scheduledAt": "2026-11-28T00:02:00Z", "before": before,
        "options": r#"{"allowDowngrade":false,"excludeGroups":["Lab"],"reboot":true}"#,
        "request": "POST /firmware/v1/msp/upgrade/customers/4d1c9a70", "target": "arubacentral|apigw.example:443|customer/4d1c9a70/CX",
    });
    let object: UpgradeReceipt = serde_json::from_value(receipt(&new, &json!({}))).unwrap();
    let new = read(&object);
    assert_eq!(new.due, Some("2026-11-28T00:02:00Z".parse().unwrap()));
    let fleet = new.before.fleet.clone().unwrap();
    assert_eq!(
        (fleet.total, fleet.at, fleet.above, fleet.excluded, fleet.cut),
        (212, 12, 0, 14, false)
    );
    assert_eq!(new.unknown_word, None);
    assert_eq!(serde_json::to_string(&new.before).unwrap(), before);
}

#[test]
fn the_longest_durations_overflow_nothing() {
    let longest = u64::MAX;
    for text in [
        format!("{{\"startTimeoutVcenter\":{longest},\"ttl\":{longest},\"horizonSlack\":{longest},\"grace\":{longest}}}"),
        format!("{{\"ttl\":{longest}}}"),
        format!("{{\"grace\":{longest},\"wake\":{longest},\"retryMax\":{longest},\"retryFirst\":{longest}}}"),
    ] {
        if let Ok(timing) = Timing::from_json(&text) {
            assert!(timing.horizon() < timing.grace && timing.reservation() > timing.ttl, "{text}");
        }
    }
    assert_eq!(
        CanonicalDuration("99999h99999h99999h99999h".to_owned()).to_std().unwrap().as_secs(),
        4 * 99_999 * 3600
    );
}
