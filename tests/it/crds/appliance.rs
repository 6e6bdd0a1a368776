//! What an ApplianceUpdate may say.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;
use super::kubectl;
use crate::plane::Plane;

fn spec() -> Value {
    json!({"connectionRef": {"name": "srm-a"}, "version": "9.0.2-10455"})
}

async fn updates(plane: &Plane, namespace: &str) -> Objects {
    Objects::namespaced(plane, "ApplianceUpdate", "applianceupdates", namespace).await
}

#[tokio::test]
async fn update_rules() {
    let plane = installed().await;
    let ns = plane.namespace("appup").await.unwrap();
    let updates = updates(plane, &ns.name).await;

    let pattern = Some("should match");
    let timeout = Some(": must be between 1m and 720h");
    let window = json!({"cron": "0 22 * * 2", "duration": "2h", "timeZone": "UTC"});
    let cases = [
        (json!({}), None),
        (
            json!({"schedule": {"windows": [window]}, "timeout": "720h", "runKey": "try-2.b", "suspend": true}),
            None,
        ),
        (json!({"timeout": "1m", "runKey": "", "suspend": false}), None),
        // The version ends in a request.
        (json!({"version": null}), Some("spec.version: Required value")),
        (json!({"version": ""}), Some("spec.version in body should be at least 1 chars")),
        (json!({"version": "9.0.2+build_1-x"}), None),
        (json!({"version": "../../x"}), pattern),
        (json!({"version": "9/0"}), pattern),
        (json!({"version": "9\"0"}), pattern),
        (json!({"version": "9\n"}), pattern),
        (json!({"version": "9".repeat(64)}), None),
        (json!({"version": "9".repeat(65)}), Some("spec.version: Too long")),
        (json!({"version": 9}), Some("spec.version")),
        // Everything else.
        (json!({"timeout": "59s"}), timeout),
        (json!({"timeout": "720h1ms"}), timeout),
        (json!({"timeout": "1.5h"}), pattern),
        (json!({"timeout": 3600}), Some("spec.timeout")),
        (json!({"runKey": "a".repeat(33)}), Some("spec.runKey: Too long")),
        (json!({"runKey": "Again"}), pattern),
        (json!({"connectionRef": null}), Some("spec.connectionRef: Required value")),
        (json!({"connectionRef": {"name": "../srm-a"}}), pattern),
        (
            json!({"connectionRef": {"namespace": "other"}}),
            Some(r#"unknown field "spec.connectionRef.namespace""#),
        ),
        (
            json!({"schedule": {"notBefore": "2026-12-01T00:00:00Z", "notAfter": "2026-11-01T00:00:00Z"}}),
            Some("notBefore must be before notAfter"),
        ),
        // One appliance has no strategy, and what this version does not know, it refuses by name.
        (json!({"strategy": {"maxConcurrent": 1}}), Some(r#"unknown field "spec.strategy""#)),
        (json!({"desiredVersion": "9"}), Some(r#"unknown field "spec.desiredVersion""#)),
    ];
    updates.check(&spec(), &cases).await;
}

#[tokio::test]
async fn a_null_that_a_template_left_is_as_good_as_absent_in_an_update() {
    let plane = installed().await;
    let ns = plane.namespace("appup").await.unwrap();
    let updates = updates(plane, &ns.name).await;
    let nulls = json!({"connectionRef": {"name": "srm-a"}, "version": "9.0.2-10455", "schedule": null, "suspend": null, "timeout": null,
                       "runKey": null});
    let stored = updates.create("u", &nulls).await.unwrap();
    assert_eq!(stored["status"], json!({"observedGeneration": -1}), "nobody has looked at it");
    serde_json::from_value::<windlass::api::ApplianceUpdate>(stored).unwrap();
}

#[tokio::test]
async fn an_update_keeps_its_connection_and_nothing_else() {
    let plane = installed().await;
    let ns = plane.namespace("appup").await.unwrap();
    let updates = updates(plane, &ns.name).await;
    updates.create("u", &spec()).await.unwrap();
    let refused = updates
        .patch("u", "", &json!({"spec": {"connectionRef": {"name": "srm-b"}}}))
        .await
        .unwrap_err();
    assert!(
        refused.contains("a different target is a different upgrade: create a new object"),
        "{refused}"
    );
    for change in [
        json!({"version": "9.0.3-1", "runKey": "2", "timeout": "2h", "suspend": true, "schedule": {}}),
        json!({"runKey": null, "timeout": null, "suspend": null, "schedule": null}),
    ] {
        updates.patch("u", "", &json!({"spec": change})).await.unwrap();
    }
}

#[tokio::test]
async fn an_update_shows_in_columns_how_far_it_is() {
    let plane = installed().await;
    let ns = plane.namespace("appup").await.unwrap();
    let updates = updates(plane, &ns.name).await;
    let keyed = json!({"connectionRef": {"name": "srm-a"}, "version": "9.0.2-10455", "runKey": "again"});
    updates.create("u", &keyed).await.unwrap();
    updates.create("untouched", &spec()).await.unwrap();
    let started = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(65);
    let status = json!({"status": {
        "observedGeneration": 1, "state": "RUNNING", "target": "srm-a", "currentVersion": "9.0.0-10010", "progress": 40,
        "waitingFor": "OutOfSight", "nextActionAt": "2099-01-01T00:00:00Z", "message": "restarting", "startedAt": started,
        "conditions": [{"type": "Ready", "status": "False", "reason": "OutOfSight"}],
        "targets": [{"name": "srm-a", "state": "RUNNING", "receipt": "recoveryappliance-abc-00001", "job": "task-118", "vendorState": "RUNNING"}],
        "blockers": [{"reason": "OutOfSight", "message": "restarting"}],
        "history": [{"target": "srm-a", "version": "9.0.0-10010", "state": "SUCCESS"}],
    }});
    updates.patch("u", "/status", &status).await.unwrap();

    let of_this_state =
        "--field-selector=status.state=RUNNING,status.waitingFor=OutOfSight,spec.connectionRef.name=srm-a,spec.version=9.0.2-10455";
    let wide = kubectl(plane, &["get", "appup", "-n", &ns.name, "-o", "wide", of_this_state]).await;
    let (header, row) = wide.trim_end().split_once('\n').unwrap();
    let titles: Vec<_> = header.split_whitespace().collect();
    assert_eq!(
        titles,
        [
            "NAME",
            "TARGET",
            "VERSION",
            "STATE",
            "PROGRESS",
            "WAITING-FOR",
            "NEXT",
            "READY",
            "AGE",
            "CURRENT",
            "MESSAGE",
            "CONNECTION",
            "RUNKEY",
            "RECEIPT",
            "STARTED"
        ]
    );
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(
        words[..8],
        [
            "u",
            "srm-a",
            "9.0.2-10455",
            "RUNNING",
            "40",
            "OutOfSight",
            "2099-01-01T00:00:00Z",
            "False"
        ],
        "{wide}"
    );
    assert_eq!(
        words[9..],
        ["9.0.0-10010", "restarting", "srm-a", "again", "recoveryappliance-abc-00001", "65m"],
        "{wide}"
    );
    // Columns of what is not there yet stay empty, and say nothing about it.
    let unseen = kubectl(plane, &["get", "appup", "untouched", "-n", &ns.name, "-o", "wide", "--no-headers"]).await;
    let words: Vec<_> = unseen.split_whitespace().collect();
    assert_eq!((words[0], words[1]), ("untouched", "9.0.2-10455"), "{unseen}");
}

#[tokio::test]
async fn words_of_a_newer_operator_are_stored_in_an_update() {
    let plane = installed().await;
    let ns = plane.namespace("appup").await.unwrap();
    let updates = updates(plane, &ns.name).await;
    updates.create("u", &spec()).await.unwrap();
    let status =
        json!({"status": {"state": "LEVITATING", "conditions": [{"type": "Levitating"}], "targets": [{"name": "a", "state": "X"}]}});
    let stored = updates.patch("u", "/status", &status).await.unwrap();
    assert_eq!(stored["status"]["state"], "LEVITATING");
    assert_eq!(stored["status"]["observedGeneration"], -1);
}
