//! The documented forms, by hand: required fields, no others than the documents name, and the types of the ones that matter.

use serde_json::Value;

use super::super::forms::{each, fields, text};

fn flag(of: &Value) {
    assert!(of.is_boolean(), "neither true nor false: {of}");
}

/// `status` of a row, and the answer of its own call.
pub fn status(of: &Value) {
    fields(of, &["state", "reason"], &["firmware_scheduled_at"]);
    text(&of["state"]);
    text(&of["reason"]);
    if let Some(at) = of.get("firmware_scheduled_at") {
        assert!(at.is_null() || at.is_i64() || at.is_u64(), "not a time: {of}");
    }
}

fn ap(of: &Value) {
    fields(of, &["serial", "mac_address", "name", "model"], &[]);
    for name in ["serial", "mac_address", "name", "model"] {
        text(&of[name]);
    }
}

pub fn swarm(of: &Value) {
    let required = [
        "swarm_id",
        "swarm_name",
        "firmware_version",
        "recommended",
        "upgrade_required",
        "device_status",
        "status",
        "aps",
        "aps_count",
    ];
    fields(of, &required, &[]);
    status(&of["status"]);
    flag(&of["upgrade_required"]);
    each(&of["aps"], ap);
    assert_eq!(of["aps_count"], of["aps"].as_array().unwrap().len());
}

pub fn device(of: &Value) {
    let required = [
        "hostname",
        "serial",
        "mac_address",
        "model",
        "device_status",
        "is_stack",
        "firmware_version",
        "recommended",
        "upgrade_required",
        "is_reboot_enable",
        "status",
    ];
    fields(of, &required, &[]);
    status(&of["status"]);
    for name in ["is_stack", "upgrade_required", "is_reboot_enable"] {
        flag(&of[name]);
    }
    for name in [
        "hostname",
        "serial",
        "mac_address",
        "model",
        "device_status",
        "firmware_version",
        "recommended",
    ] {
        text(&of[name]);
    }
}

pub fn tokens(of: &Value) {
    fields(of, &["access_token", "refresh_token", "expires_in", "token_type"], &[]);
    text(&of["access_token"]);
    text(&of["refresh_token"]);
    assert!(of["expires_in"].is_u64(), "{of}");
}

/// The body of an error of the firmware service, with this code.
pub fn error(of: &Value, code: &str) {
    fields(of, &["description", "error_code", "service_name"], &[]);
    text(&of["description"]);
    assert_eq!(of["error_code"], code, "{of}");
}

/// The body of an error of the gateway.
pub fn gateway(of: &Value) {
    fields(of, &["message"], &[]);
    text(&of["message"]);
}

/// The body of an error of the token service.
pub fn oauth(of: &Value, error: &str) {
    fields(of, &["error", "error_description"], &[]);
    assert_eq!(of["error"], error, "{of}");
}
