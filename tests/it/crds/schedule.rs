//! What a schedule may say: the same rules on a batch and on a Connection.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;

fn batch() -> Value {
    json!({"connectionRef": {"name": "vc1"}, "desiredVersion": "v1.30.5+vmware.2", "clusters": [{"cluster": "domain-c8"}]})
}

fn connection() -> Value {
    json!({"type": "VCenter", "url": "https://vc1.example", "credentialsSecretRef": {"name": "vc1"}})
}

fn schedule(schedule: &Value) -> Value {
    json!({"schedule": schedule})
}

/// A window with this change made to a good one.
fn window(change: &Value) -> Value {
    let good = json!({"cron": "0 1 * * 6,0", "duration": "4h", "timeZone": "Europe/Madrid"});
    schedule(&json!({"windows": [super::patched(&good, change)]}))
}

fn cron(cron: &str) -> Value {
    window(&json!({"cron": cron}))
}

fn freeze(change: &Value) -> Value {
    let good = json!({"from": "2026-12-18T00:00:00Z", "until": "2027-01-04T00:00:00Z", "reason": "year-end freeze CHG-991"});
    schedule(&json!({"freezes": [super::patched(&good, change)]}))
}

fn many(windows: usize, freezes: usize) -> Value {
    let window = json!({"cron": "0 1 * * 6", "duration": "1h1h1h1h", "timeZone": "UTC"});
    let freeze = json!({"from": "2026-12-18T00:00:00.123456789+01:00", "until": "2027-01-04T00:00:00Z", "reason": "x".repeat(256)});
    schedule(&json!({"windows": vec![window; windows], "freezes": vec![freeze; freezes]}))
}

fn windows_and_freezes() -> Vec<(Value, Option<&'static str>)> {
    let both = Some(": day of month and day of week cannot both be set; for the first Saturday write 0 1 * * SAT#1");
    let five = Some("].cron: Invalid value: ");
    let duration = Some(": must be more than 0s and at most 168h");
    let zone = Some("].timeZone: Invalid value: ");
    vec![
        (window(&json!({})), None),
        (many(14, 20), None),
        (many(15, 0), Some("spec.schedule.windows: Too many: 15: must have at most 14 items")),
        (many(0, 21), Some("spec.schedule.freezes: Too many: 21: must have at most 20 items")),
        (cron("*/15 0-6 * JAN-MAR,dec *"), None),
        (cron("0 2 * * SAT#1,7#L"), None),
        (cron("0 2 15,L * *"), None),
        (cron("0  1  *  *  6"), None),
        // It exists in the text only: the status says InvalidSchedule.
        (cron("0 0 30 2 *"), None),
        (cron("99 0 1 1 *"), None),
        (cron("0 1 1-7 * 6"), both),
        (cron("0 1 */2 * SAT"), both),
        (cron("@daily"), five),
        (cron("0 1 * * 6 2026"), five),
        (cron("0 1 * *"), five),
        (cron("0 1 * * ?"), five),
        (cron("0 1 * * 6\n"), five),
        (cron(" 0 1 * * 6"), five),
        (cron(&"0".repeat(101)), Some("spec.schedule.windows[0].cron: Too long")),
        (
            window(&json!({"cron": null})),
            Some("spec.schedule.windows[0].cron: Required value"),
        ),
        (window(&json!({"duration": "168h"})), None),
        (window(&json!({"duration": "1ms"})), None),
        (window(&json!({"duration": "0s"})), duration),
        (window(&json!({"duration": "0h0m"})), duration),
        (window(&json!({"duration": "168h1ms"})), duration),
        (window(&json!({"duration": "7d"})), Some("].duration: Invalid value: ")),
        (window(&json!({"duration": "-1h"})), Some("].duration: Invalid value: ")),
        (window(&json!({"duration": 4})), Some("spec.schedule.windows[0].duration")),
        (
            window(&json!({"duration": null})),
            Some("spec.schedule.windows[0].duration: Required value"),
        ),
        (
            window(&json!({"timeZone": null})),
            Some("spec.schedule.windows[0].timeZone: Required value"),
        ),
        (window(&json!({"timeZone": "America/Argentina/Buenos_Aires"})), None),
        (window(&json!({"timeZone": "Etc/GMT+5"})), None),
        (window(&json!({"timeZone": "Europe/Madird"})), None),
        (window(&json!({"timeZone": "../etc/passwd"})), zone),
        (window(&json!({"timeZone": "/UTC"})), zone),
        (window(&json!({"timeZone": "+02:00"})), zone),
        (window(&json!({"timeZone": "New York"})), zone),
        (window(&json!({"timeZone": ""})), zone),
        (
            window(&json!({"tz": "UTC"})),
            Some(r#"unknown field "spec.schedule.windows[0].tz""#),
        ),
        (freeze(&json!({})), None),
        (freeze(&json!({"reason": null})), None),
        (
            freeze(&json!({"reason": "a\u{7}b"})),
            Some("spec.schedule.freezes[0].reason: Invalid value"),
        ),
        (
            freeze(&json!({"reason": "x".repeat(257)})),
            Some("spec.schedule.freezes[0].reason: Too long"),
        ),
        (
            freeze(&json!({"until": null})),
            Some("spec.schedule.freezes[0].until: Required value"),
        ),
        (
            freeze(&json!({"until": "2026-12-18T00:00:00Z"})),
            Some("spec.schedule.freezes[0]: Invalid value: from must be before until"),
        ),
        (
            freeze(&json!({"until": "2026-12-18T00:59:59+01:00"})),
            Some("from must be before until"),
        ),
        (freeze(&json!({"from": "2026-12-18"})), Some("must be of type date-time")),
        (
            freeze(&json!({"until": "9999-12-31T23:59:59Z"})),
            Some("spec.schedule.freezes[0].until: Invalid value: \"9999-12-31T23:59:59Z\": must be before the year 9000"),
        ),
    ]
}

fn bounds() -> Vec<(Value, Option<&'static str>)> {
    let bounds = |not_before: &str, not_after: &str| schedule(&json!({"notBefore": not_before, "notAfter": not_after}));
    let order = Some("spec.schedule: Invalid value: notBefore must be before notAfter");
    vec![
        (schedule(&json!({})), None),
        (schedule(&json!({"notBefore": "2026-11-25T00:00:00Z"})), None),
        (schedule(&json!({"notAfter": "2026-11-25T00:00:00.5-05:00"})), None),
        (
            schedule(&json!({"notBefore": null, "notAfter": null, "windows": null, "freezes": null})),
            None,
        ),
        (bounds("2026-11-25T00:00:00Z", "2026-12-10T00:00:00Z"), None),
        (bounds("2026-11-25T00:00:00+01:00", "2026-11-25T00:00:00Z"), None),
        (bounds("2026-12-10T00:00:00Z", "2026-11-25T00:00:00Z"), order),
        (bounds("2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z"), order),
        (bounds("2026-11-25T00:00:00Z", "soon"), Some("must be of type date-time")),
        (
            bounds("2026-11-25T00:00:00Z", "9999-12-31T23:59:59Z"),
            Some(
                "spec.schedule.notAfter: Invalid value: \"9999-12-31T23:59:59Z\": must be before the year 9000; leave it out to wait for ever",
            ),
        ),
        (schedule(&json!({"window": []})), Some(r#"unknown field "spec.schedule.window""#)),
    ]
}

#[tokio::test]
async fn schedule_rules() {
    let plane = installed().await;
    let ns = plane.namespace("when").await.unwrap();
    let cases = [windows_and_freezes(), bounds()].concat();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    batches.check(&batch(), &cases).await;
    let connections = Objects::namespaced(plane, "Connection", "connections", &ns.name).await;
    connections.check(&connection(), &cases).await;
}

/// What the API server lets in, our types read: a value that only one of the two takes would be an object that nobody can act on.
#[tokio::test]
async fn what_the_api_server_lets_in_is_read() {
    let plane = installed().await;
    let ns = plane.namespace("when").await.unwrap();
    let batches = Objects::namespaced(plane, "ClusterUpgradeBatch", "clusterupgradebatches", &ns.name).await;
    let good = [windows_and_freezes(), bounds()].concat();
    let mut wrong = Vec::new();
    let odd_times = [
        "2026-11-25t00:00:00z",
        "0001-01-01T00:00:00Z",
        "2026-11-25T00:00:60Z",
        "2026-11-25T24:00:00Z",
        "2026-11-25 00:00:00Z",
        "2026-11-25T00:00:00,5Z",
        "2026-11-25T00:00:00+23:59",
        "8999-12-31T23:59:59-23:59",
    ];
    let odd = odd_times.iter().map(|at| schedule(&json!({"notBefore": at})));
    for patch in good
        .into_iter()
        .filter(|(_, words)| words.is_none())
        .map(|(patch, _)| patch)
        .chain(odd)
    {
        let Ok(stored) = batches.try_create("tried", &super::patched(&batch(), &patch)).await else {
            continue;
        };
        let read = serde_json::from_value::<windlass::api::ClusterUpgradeBatch>(stored);
        let written = read.map_err(|e| e.to_string()).and_then(|b| {
            let schedule = b.spec.schedule.unwrap_or_default();
            schedule.written().map_err(|e| e.to_string())
        });
        wrong.extend(written.err().map(|error| format!("{patch}: {error}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
