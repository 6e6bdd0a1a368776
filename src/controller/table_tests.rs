//! The table of states and conditions: one object for each row, and what the tools that wait for it make of it.
//!
//! kstatus is what Flux, Helm and `kubectl wait` of many tools go by; the health script is the one for Argo CD. Both are ported here by
//! their rules, so that a unit test needs no other program. The objects are kept in [`GOLDEN`] too, which the tools' own code judges in
//! `tests/it/gitops`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::status;
use crate::api::ApplianceUpdate;
use crate::api::ClusterUpgradeBatch;
use crate::api::FirmwareUpgrade;
use crate::api::appliance_update::ApplianceUpdateStatus;
use crate::api::cluster_upgrade_batch::ClusterUpgradeBatchStatus;
use crate::controller::upgrade::Upgrade;
use crate::upgrade::facts::Facts;
use crate::upgrade::facts::InstallSource;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::facts::Usable;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::schedule::Freeze;
use crate::upgrade::schedule::Written;
use crate::upgrade::schedule::WrittenWindow;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::testing::*;

const C8: &str = "domain-c8";
const GENERATION: i64 = 3;

/// An object for each row, one a line: what it tells of, the line of [`line`], and the object.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/gitops/states.jsonl");

/// The object as the API server would show it.
fn object<K: Upgrade>(facts: &Facts) -> Value {
    let status = status::<K>(GENERATION, &K::Status::default(), &facts.decide(), facts.wall);
    shown::<K>(GENERATION, &json!(status))
}

fn shown<K: Upgrade>(generation: i64, status: &Value) -> Value {
    json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()),
        "metadata": {"name": "u", "namespace": "team-a", "generation": generation}, "status": status,
    })
}

/// The same story, told of a recovery appliance behind Connection `vc1`.
fn of_an_appliance(facts: Facts) -> Facts {
    of_an_endpoint(facts, TargetKey::appliance, &Options::Appliance)
}

/// The same, told of a console.
fn of_a_console(facts: Facts) -> Facts {
    let options = Options::ConsoleInstall {
        accept_firmware: true,
        source: InstallSource::Usb,
    };
    of_an_endpoint(facts, TargetKey::console, &options)
}

fn of_an_endpoint(mut facts: Facts, key: fn(Authority) -> TargetKey, options: &Options) -> Facts {
    for target in &mut facts.targets {
        let key = key(target.key.authority.clone());
        let mut receipts = target.ledger.as_ref().unwrap().receipts().to_vec();
        for receipt in &mut receipts {
            (receipt.name, receipt.target) = (key.receipt_name(receipt.seq), key.canonical());
            receipt.options = receipt
                .options
                .take()
                .filter(|o| *o != OPTIONS)
                .or_else(|| Some(options.canonical()));
        }
        target.ledger = Ledger::read(&key, receipts);
        target.key = key;
        if let Some(wish) = &mut target.wish {
            wish.options = options.clone();
        }
    }
    facts
}

fn conditions(object: &Value) -> &[Value] {
    object["status"]["conditions"].as_array().map_or(&[], Vec::as_slice)
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions(object).iter().find(|c| c["type"] == kind)
}

/// kstatus' rules for any kind: the generation first, then the first of Reconciling and Stalled that is True, then Ready.
fn kstatus(object: &Value) -> &'static str {
    if object["status"]["observedGeneration"] != object["metadata"]["generation"] {
        return "InProgress";
    }
    for condition in conditions(object).iter().filter(|c| c["status"] == "True") {
        match condition["type"].as_str() {
            Some("Reconciling") => return "InProgress",
            Some("Stalled") => return "Failed",
            _ => {}
        }
    }
    match condition(object, "Ready").map(|c| &c["status"]) {
        Some(status) if status != "True" => "InProgress",
        _ => "Current",
    }
}

/// The rules of the health script for Argo CD.
fn argo(object: &Value) -> &'static str {
    let status = &object["status"];
    if status["observedGeneration"] != object["metadata"]["generation"] {
        return "Progressing";
    }
    let timed = ["WaitingForWindow", "NotBefore", "Frozen", "Suspended", "Held"];
    for condition in conditions(object).iter().filter(|c| c["status"] == "True") {
        match condition["type"].as_str() {
            Some("Stalled") => return "Degraded",
            Some("Ready") => return "Healthy",
            _ => {}
        }
    }
    match status["waitingFor"].as_str() {
        Some(reason) if status["state"] == "PENDING" && timed.contains(&reason) => "Suspended",
        _ => "Progressing",
    }
}

/// `STATE ready/reconciling/stalled Reason kstatus argo`, as the columns of the table.
fn line(object: &Value) -> String {
    let held = |kind| condition(object, kind).map_or("-", |c| if c["status"] == "True" { "T" } else { "F" });
    let (ready, reconciling, stalled) = (held("Ready"), held("Reconciling"), held("Stalled"));
    assert!(reconciling != "F" && stalled != "F", "present only while True: {object}");
    assert!(reconciling == "-" || stalled == "-", "never both: {object}");
    let reason = condition(object, "Ready").and_then(|c| c["reason"].as_str()).unwrap_or("-");
    let state = object["status"]["state"].as_str().unwrap_or("-");
    format!(
        "{state} {ready}{reconciling}{stalled} {reason} {} {}",
        kstatus(object),
        argo(object)
    )
}

fn now(target: TargetFacts) -> Facts {
    Facts::batch(100, [target])
}

fn ready() -> Facts {
    now(TargetFacts::ready(C8, 90))
}

fn receipt(receipt: Receipt) -> TargetFacts {
    TargetFacts::of(C8).receipts([receipt])
}

/// Opens in the first minute of each year.
fn windows(time_zone: &str) -> Written {
    Written {
        windows: vec![WrittenWindow {
            cron: "0 0 1 1 *".to_owned(),
            duration: Duration::from_secs(60),
            time_zone: time_zone.to_owned(),
        }],
        ..Written::default()
    }
}

fn waiting() -> Vec<(&'static str, Facts, &'static str)> {
    let freezes = vec![Freeze {
        from: at(0),
        until: at(9999),
        reason: None,
    }];
    let (frozen, early) = (
        Written {
            freezes,
            ..Written::default()
        },
        Written {
            not_before: Some(at(9999)),
            ..Written::default()
        },
    );
    let seen = |sight| now(TargetFacts::of(C8).sights([sight]));
    let soaking = [TargetFacts::over("a", EndKind::Succeeded, 90).canary(), TargetFacts::ready(C8, 90)];
    let canary = [TargetFacts::running("a", 90).canary(), TargetFacts::ready(C8, 90)];
    vec![
        (
            "observing",
            now(TargetFacts::of(C8)),
            "PENDING FT- Evaluating InProgress Progressing",
        ),
        ("prechecks", ready(), "PENDING FT- Evaluating InProgress Progressing"),
        (
            "window",
            ready().schedule(&windows("UTC")),
            "PENDING FT- WaitingForWindow InProgress Suspended",
        ),
        ("notBefore", ready().schedule(&early), "PENDING FT- NotBefore InProgress Suspended"),
        ("freeze", ready().schedule(&frozen), "PENDING FT- Frozen InProgress Suspended"),
        (
            "busy",
            seen(Sight::moving(90, LATER)),
            "PENDING FT- TargetBusy InProgress Progressing",
        ),
        (
            "in error",
            seen(Sight::still(90, FROM).faulted()),
            "PENDING FT- TargetInError InProgress Progressing",
        ),
        (
            "limit",
            ready().with(|f| f.connection.limit = 0),
            "PENDING FT- LimitReached InProgress Progressing",
        ),
        (
            "soak",
            Facts::batch(100, soaking).strategy(1, 0, 600),
            "RUNNING FT- WaitingForSoak InProgress Progressing",
        ),
        (
            "canary",
            Facts::batch(100, canary).strategy(2, 0, 0),
            "RUNNING FT- Running InProgress Progressing",
        ),
        (
            "no Connection",
            ready().usable(Usable::Missing),
            "PENDING FT- ConnectionNotReady InProgress Progressing",
        ),
        (
            "not offered",
            seen(Sight::still(90, FROM).offering(&[])),
            "PENDING FT- VersionNotOffered InProgress Progressing",
        ),
        (
            "suspend",
            ready().with(|f| f.suspend = true),
            "PENDING F-- Suspended InProgress Suspended",
        ),
        (
            "hold",
            ready().with(|f| f.hold = Some("CHG-991".to_owned())),
            "PENDING F-- Held InProgress Suspended",
        ),
    ]
}

fn running() -> Vec<(&'static str, Facts, &'static str)> {
    let past = TIMEOUT + 60;
    let accepted = || receipt(Receipt::no(1).accepted(0));
    let doubt = receipt(Receipt::no(1).lost(0)).sights([Sight::still(GRACE, LATER), Sight::still(GRACE + 9, LATER)]);
    let queued = accepted().sights([Sight::moving(90, TO)]).wished_at(LATER);
    vec![
        (
            "permit",
            now(receipt(Receipt::no(1))),
            "PENDING FT- Starting InProgress Progressing",
        ),
        (
            "lost",
            now(receipt(Receipt::no(1).lost(10))),
            "UNKNOWN FT- StartInDoubt InProgress Progressing",
        ),
        (
            "cannot tell",
            Facts::batch(2 * GRACE, [doubt]),
            "UNKNOWN F-T NeedsResolution Failed Degraded",
        ),
        (
            "sight lost",
            Facts::batch(past, [accepted().sights([Sight::unseen(past)])]),
            "UNKNOWN F-T LostSight Failed Degraded",
        ),
        ("accepted", now(accepted()), "STARTED FT- Started InProgress Progressing"),
        (
            "progressing",
            now(accepted().sights([Sight::moving(90, TO)])),
            "RUNNING FT- Running InProgress Progressing",
        ),
        (
            "out of sight",
            now(accepted().sights([Sight::unseen(90)])),
            "RUNNING FT- OutOfSight InProgress Progressing",
        ),
        (
            "overdue",
            Facts::batch(past, [accepted().sights([Sight::moving(past, TO)])]),
            "RUNNING FT- Overdue InProgress Progressing",
        ),
        ("edit queued", now(queued), "RUNNING FT- EditQueued InProgress Progressing"),
    ]
}

fn over() -> Vec<(&'static str, Facts, &'static str)> {
    let ended = |kind| now(TargetFacts::over(C8, kind, 50));
    let noted = |note| now(receipt(Receipt::no(1).note(note)));
    let conflict = receipt(Receipt::no(1).options(IGNORING).accepted(5).ended(EndKind::Succeeded, 9));
    let named = TargetFacts::of(C8).sights([Sight::still(90, FROM).called("prod-a")]);
    let misnamed = named.wish(|w| w.expected_identity = Some("lab-a".to_owned()));
    let wrong_type = Usable::WrongType {
        found: "HMC".to_owned(),
        expected: "VCenter".to_owned(),
    };
    let partly = [
        TargetFacts::over("a", EndKind::Failed, 50),
        TargetFacts::over("b", EndKind::Succeeded, 50),
    ];
    vec![
        ("done", ended(EndKind::Succeeded), "SUCCESS T-- UpgradeSucceeded Current Healthy"),
        (
            "nothing to do",
            noted(Note::AlreadyAtVersion),
            "SUCCESS T-- AlreadyAtVersion Current Healthy",
        ),
        ("refused", ended(EndKind::Rejected), "REJECTED F-T VendorRejected Failed Degraded"),
        (
            "downgrade",
            noted(Note::WouldDowngrade),
            "REJECTED F-T WouldDowngrade Failed Degraded",
        ),
        ("other options", now(conflict), "REJECTED F-T RunKeyConflict Failed Degraded"),
        ("misnamed", now(misnamed), "REJECTED F-T IdentityMismatch Failed Degraded"),
        (
            "no such zone",
            ready().schedule(&windows("Europe/Madird")),
            "REJECTED F-T InvalidSchedule Failed Degraded",
        ),
        (
            "wrong type",
            ready().usable(wrong_type),
            "REJECTED F-T ConnectionTypeMismatch Failed Degraded",
        ),
        ("failed", ended(EndKind::Failed), "FAILED F-T TooManyFailures Failed Degraded"),
        (
            "partly failed",
            Facts::batch(100, partly).strategy(1, 1, 0),
            "FAILED F-T PartlyFailed Failed Degraded",
        ),
        (
            "cancelled",
            ended(EndKind::Cancelled),
            "CANCELLED F-T VendorCancelled Failed Degraded",
        ),
        (
            "notAfter",
            noted(Note::NotStartedInTime),
            "CANCELLED F-T NotStartedInTime Failed Degraded",
        ),
    ]
}

/// A new object, and one whose spec was edited after it had succeeded: nobody has looked at what they ask for.
fn unseen<K: Upgrade>(as_told: fn(Facts) -> Facts) -> [(&'static str, Value, &'static str); 2] {
    let new = shown::<K>(1, &json!({"observedGeneration": -1}));
    let mut edited = object::<K>(&as_told(now(TargetFacts::over(C8, EndKind::Succeeded, 50))));
    edited["metadata"]["generation"] = json!(GENERATION + 1);
    [
        ("not seen yet", new, "- --- - InProgress Progressing"),
        ("edited since", edited, "SUCCESS T-- UpgradeSucceeded InProgress Progressing"),
    ]
}

#[test]
fn each_row_of_the_table_has_its_conditions_and_its_verdicts() {
    for (situation, facts, expected) in [waiting(), running(), over()].concat() {
        assert_eq!(line(&object::<ClusterUpgradeBatch>(&facts)), expected, "{situation}");
    }
    for (situation, object, expected) in unseen::<ClusterUpgradeBatch>(|facts| facts) {
        assert_eq!(line(&object), expected, "{situation}");
    }
}

/// With `WINDLASS_WRITE` set it writes what it would compare.
#[test]
fn the_objects_that_other_tools_judge_are_those_of_the_table() {
    let mut lines = Vec::new();
    let mut put = |situation: &str, object: Value| {
        let expected = line(&object);
        lines.push(format!(
            "{}\n",
            json!({"situation": situation, "expected": expected, "object": object})
        ));
    };
    each::<ClusterUpgradeBatch>(|facts| facts, |_, _| true, &mut put);
    each::<ApplianceUpdate>(of_an_appliance, told_of_one, &mut put);
    each::<FirmwareUpgrade>(of_a_console, told_of_one, &mut put);
    let wanted = lines.concat();
    if std::env::var_os("WINDLASS_WRITE").is_some() {
        std::fs::write(GOLDEN, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(
        found == wanted,
        "{GOLDEN} is stale; run: WINDLASS_WRITE=1 cargo test --lib the_objects_that_other_tools_judge"
    );
}

/// Every situation of a kind.
fn each<K: Upgrade>(as_told: fn(Facts) -> Facts, has: fn(&str, &Facts) -> bool, put: &mut impl FnMut(&str, Value)) {
    for (situation, object, _) in unseen::<K>(as_told) {
        put(situation, object);
    }
    for (situation, facts, _) in [waiting(), running(), over()].concat() {
        if has(situation, &facts) {
            put(situation, object::<K>(&as_told(facts)));
        }
    }
}

/// Canaries, limits of a batch and clusters' names are nothing to a kind with one target.
fn told_of_one(situation: &str, facts: &Facts) -> bool {
    facts.targets.len() == 1 && situation != "misnamed"
}

/// One target is told of as what it is: no count of failures, no name before every word.
#[test]
fn an_appliance_has_the_same_rows_and_its_failures_are_its_own() {
    for (situation, facts, expected) in [waiting(), running(), over()].concat() {
        if !told_of_one(situation, &facts) {
            continue;
        }
        let expected = if situation == "failed" {
            "FAILED F-T VendorFailed Failed Degraded"
        } else {
            expected
        };
        let facts = of_an_appliance(facts);
        let object = object::<ApplianceUpdate>(&facts);
        assert_eq!(line(&object), expected, "{situation}");
        let status = &object["status"];
        assert_eq!(
            (&status["target"], &status["targets"][0]["name"]),
            (&json!("vc1"), &json!("vc1")),
            "{situation}"
        );
        assert_eq!(status["currentVersion"], status["targets"][0]["currentVersion"], "{situation}");
        let said = format!("{} {}", status["message"], status["blockers"]);
        assert!(
            !said.contains("appliance:") && !said.contains("vc1:") && !said.contains("done;"),
            "{situation}: {said}"
        );
    }
}

#[test]
fn two_rows_of_one_name_are_told_apart() {
    let facts = of_an_appliance(now(TargetFacts::running(C8, 90)));
    let mut elsewhere = of_an_appliance(now(TargetFacts::running(C8, 90))).targets.remove(0);
    elsewhere.wish = None;
    let facts = facts.with(|f| f.targets.push(elsewhere));
    let status = status::<ApplianceUpdate>(GENERATION, &ApplianceUpdateStatus::default(), &facts.decide(), facts.wall);
    let names: Vec<&str> = status.targets.iter().map(|t| t.name.as_str()).collect();
    let receipt = status.targets[1].receipt.as_deref().unwrap();
    assert_eq!(names, ["vc1", &format!("vc1 ({receipt})")]);
    assert_eq!(status.target.as_deref(), Some("vc1"));
}

#[test]
fn the_same_facts_a_moment_later_write_nothing() {
    let later = |facts: &Facts| {
        let mut facts = facts.clone();
        facts.wall = facts.wall.checked_add(jiff::SignedDuration::from_millis(700)).unwrap();
        facts.mono = facts.mono.plus(Duration::from_millis(700));
        facts
    };
    for (situation, facts, _) in [waiting(), running(), over()].concat() {
        let first = status::<ClusterUpgradeBatch>(GENERATION, &ClusterUpgradeBatchStatus::default(), &facts.decide(), facts.wall);
        let next = later(&facts);
        let second = status::<ClusterUpgradeBatch>(GENERATION, &first, &next.decide(), next.wall);
        assert_eq!(second, first, "{situation}");
    }
}

#[test]
fn what_waits_says_for_what_who_can_lift_it_and_until_when() {
    for (situation, facts, _) in waiting() {
        let decision = facts.decide();
        if situation == "prechecks" || situation == "canary" {
            continue;
        }
        assert!(!decision.blockers.is_empty(), "{situation}");
        let told = decision.blockers.iter().all(|b| b.message.len() > 10);
        assert!(told, "{situation}: {:?}", decision.blockers);
        assert_eq!(decision.summary.waiting_for, Some(decision.blockers[0].reason), "{situation}");
        assert_eq!(decision.summary.message, decision.blockers[0].message, "{situation}");
        let next: Option<Timestamp> = decision.summary.next_action_at;
        assert!(next.is_none_or(|at| at > facts.wall), "{situation}");
        assert!(decision.wake.is_some(), "{situation}: looked at again whatever happens");
    }
}
