//! The documented forms, by hand: required fields, no others than the documents name, and the types of the ones that matter.

use serde_json::Value;

use super::super::forms::{each, fields, text, word};

fn number(of: &Value) {
    assert!(of.is_i64() || of.is_u64(), "not a number: {of}");
}

/// Milliseconds since 1970, in this century.
fn stamp(of: &Value) {
    let millis = of.as_i64().unwrap_or_else(|| panic!("not a time: {of}"));
    assert!(
        (946_684_800_000..4_102_444_800_000).contains(&millis),
        "not a time of this century: {of}"
    );
}

pub fn version(of: &Value) {
    let required = ["api-major-version", "api-minor-version", "hmc-version", "hmc-name", "hmc-time"];
    fields(of, &required, &["classification-text", "vendor", "welcome-text"]);
    number(&of["api-major-version"]);
    number(&of["api-minor-version"]);
    stamp(&of["hmc-time"]);
}

pub fn session(of: &Value) {
    let required = [
        "api-session",
        "session-credential",
        "notification-topic",
        "job-notification-topic",
        "api-major-version",
        "api-minor-version",
        "password-expires",
    ];
    fields(of, &required, &[]);
    for name in &required[..4] {
        text(&of[*name]);
    }
    number(&of["password-expires"]);
}

fn level(of: &Value) {
    fields(of, &["level", "type", "last-update"], &[]);
    let kinds = [
        "retrieved",
        "activated",
        "accepted",
        "installable-concurrent",
        "removable-concurrent",
    ];
    word(&of["type"], &kinds);
}

fn ec(of: &Value) {
    fields(of, &["number", "part-number", "type", "description", "mcl"], &[]);
    each(&of["mcl"], level);
}

pub fn console(of: &Value) {
    let required = [
        "object-uri",
        "object-id",
        "parent",
        "class",
        "name",
        "version",
        "ec-mcl-description",
        "machine-info",
        "network-info",
    ];
    let optional = [
        "description",
        "ip-swapping-available",
        "is-auto-switch-enabled",
        "is-locked",
        "paired-role",
    ];
    fields(of, &required, &optional);
    let levels = &of["ec-mcl-description"];
    fields(levels, &["ec"], &["bundle-level"]);
    each(&levels["ec"], ec);
}

fn info(of: &Value) {
    fields(of, &["element-uri", "scheduled-execution-time", "target-bundle", "state"], &[]);
    stamp(&of["scheduled-execution-time"]);
    assert!(
        of["element-uri"]
            .as_str()
            .unwrap()
            .starts_with("/api/console/remote-firmware-updates/"),
        "{of}"
    );
}

pub fn token(of: &Value) {
    fields(of, &["authorization-token", "expiration-date"], &[]);
    assert!((6..=8).contains(&of["authorization-token"].as_str().unwrap().len()), "{of}");
    stamp(&of["expiration-date"]);
}

pub fn updates(of: &Value) {
    fields(of, &["remote-firmware-updates", "remote-firmware-update-tokens"], &[]);
    each(&of["remote-firmware-updates"], info);
    each(&of["remote-firmware-update-tokens"], token);
}

fn step(of: &Value) {
    fields(of, &["id", "state"], &[]);
    word(&of["state"], &["not-started", "running", "succeeded", "failed"]);
}

pub fn update(of: &Value) {
    let required = [
        "element-id",
        "element-uri",
        "parent",
        "class",
        "creation-time",
        "scheduled-execution-time",
        "execution-window",
        "target-bundle",
        "state",
    ];
    fields(of, &required, &["execution-percentage", "execution-steps", "pending-conditions"]);
    assert_eq!(of["element-id"].as_str().unwrap().len(), 36);
    stamp(&of["creation-time"]);
    stamp(&of["scheduled-execution-time"]);
    number(&of["execution-window"]);
    if let Some(steps) = of.get("execution-steps") {
        each(steps, step);
    }
    if let Some(conditions) = of.get("pending-conditions") {
        each(conditions, text);
    }
}

/// The codes come with the end, and the reason only with a failure.
pub fn job(of: &Value) {
    fields(of, &["status"], &["job-status-code", "job-reason-code", "job-results"]);
    word(&of["status"], &["running", "cancel-pending", "canceled", "complete"]);
    let code = of.get("job-status-code").map(|code| code.as_u64().unwrap());
    let failed = code.is_some_and(|code| !(200..300).contains(&code));
    assert_eq!(of.get("job-reason-code").is_some(), failed, "{of}");
    assert!(
        code.is_none() || ["canceled", "complete"].contains(&of["status"].as_str().unwrap()),
        "{of}"
    );
}

/// The body of an error, with these numbers.
pub fn error(of: &Value, status: u16, reason: u32) {
    let required = ["http-status", "reason", "message", "request-method", "request-uri"];
    let optional = [
        "request-query-parms",
        "request-headers",
        "request-authenticated-as",
        "request-body",
        "request-body-as-string",
        "request-body-as-string-partial",
        "stack",
        "error-details",
    ];
    fields(of, &required, &optional);
    text(&of["message"]);
    assert_eq!(
        (of["http-status"].as_u64(), of["reason"].as_u64()),
        (Some(status.into()), Some(reason.into())),
        "{of}"
    );
}
