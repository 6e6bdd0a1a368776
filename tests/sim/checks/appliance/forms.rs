//! The published schemas, by hand: required fields, no others than the schema names, and the types of the ones that matter.

use serde_json::Value;

use super::super::forms::{each, fields, text, word};

fn number(of: &Value) {
    assert!(of.is_i64() || of.is_u64(), "not a number: {of}");
}

/// A field that may be missing.
fn maybe(of: &Value, field: &str, check: fn(&Value)) {
    of.get(field).map(check);
}

/// A field that may be missing or null.
fn nullable(of: &Value, field: &str, check: fn(&Value)) {
    of.get(field).filter(|value| !value.is_null()).map(check);
}

fn meta(of: &Value) {
    fields(of, &[], &["errors"]);
}

fn trouble(of: &Value) {
    fields(of, &[], &["message", "details"]);
    nullable(of, "message", text);
    nullable(of, "details", text);
}

const TASK: [&str; 8] = [
    "id",
    "description",
    "type",
    "error",
    "result",
    "progress",
    "start_time",
    "complete_time",
];

fn task_fields(of: &Value) {
    word(&of["status"], &["QUEUED", "RUNNING", "SUCCESS", "ERROR", "CANCELLED"]);
    for field in ["id", "description", "type"] {
        maybe(of, field, text);
    }
    maybe(of, "progress", |of| assert!((0..=100).contains(&of.as_i64().unwrap()), "{of}"));
    nullable(of, "error", trouble);
    nullable(of, "result", |of| assert!(of.is_object(), "not an object: {of}"));
    nullable(of, "start_time", number);
    nullable(of, "complete_time", number);
}

pub fn task(of: &Value) {
    fields(of, &["status"], &TASK);
    task_fields(of);
}

pub fn task_entity(of: &Value) {
    let mut optional = TASK.to_vec();
    optional.push("_meta");
    fields(of, &["status"], &optional);
    task_fields(of);
    maybe(of, "_meta", meta);
}

fn list(of: &Value, item: fn(&Value)) {
    fields(of, &["list"], &["_meta"]);
    each(&of["list"], item);
    maybe(of, "_meta", |of| {
        fields(of, &[], &["errors", "total", "offset", "limit", "links"]);
        for field in ["total", "offset", "limit"] {
            maybe(of, field, number);
        }
        maybe(of, "links", |of| {
            fields(of, &[], &["self", "next", "previous"]);
            for link in of.as_object().unwrap().values() {
                fields(link, &[], &["href"]);
                text(&link["href"]);
            }
        });
    });
}

pub fn tasks(of: &Value) {
    list(of, task);
}

pub fn services(of: &Value) {
    list(of, |of| fields(of, &["id", "is_running", "name", "startup_type"], &["description"]));
}

pub fn service(of: &Value) {
    fields(of, &["id", "is_running", "name", "startup_type"], &["description", "_meta"]);
    word(&of["startup_type"], &["AUTOMATIC", "MANUAL"]);
}

pub fn appliance(of: &Value) {
    let texts = [
        "hostname",
        "product_build_number",
        "product_name",
        "appliance_version",
        "appliance_build_number",
        "system_information",
    ];
    fields(of, &texts, &["_meta"]);
    texts.iter().for_each(|field| text(&of[field]));
    maybe(of, "_meta", meta);
}

pub fn repository(of: &Value) {
    fields(of, &["url", "mounted_iso", "username", "password"], &["_meta"]);
    for field in ["url", "username", "password"] {
        nullable(of, field, text);
    }
    assert!(of["mounted_iso"].is_boolean(), "{of}");
}

pub fn reconfigure(of: &Value) {
    fields(of, &["value"], &["_meta"]);
    assert!(of["value"].is_boolean(), "{of}");
}

pub fn update(of: &Value) {
    let optional = [
        "version",
        "update_type",
        "release_date",
        "reboot_required",
        "severity",
        "summary",
        "eula",
    ];
    fields(of, &[], &optional);
    maybe(of, "version", text);
    nullable(of, "update_type", |of| word(of, &["FEATURE", "SECURITY", "FIX", "MULTIPLE"]));
    nullable(of, "severity", |of| word(of, &["MODERATE", "IMPORTANT", "CRITICAL"]));
    nullable(of, "summary", text);
    maybe(of, "release_date", number);
    maybe(of, "eula", |of| each(of, text));
}

pub fn session_id(of: &Value) {
    fields(of, &["session_id"], &[]);
    let id = of["session_id"].as_str().unwrap();
    let uuid = data_encoding::BASE64.decode(id.as_bytes()).unwrap();
    uuid::Uuid::parse_str(std::str::from_utf8(&uuid).unwrap()).unwrap();
}

pub fn session(of: &Value) {
    fields(of, &["username"], &[]);
    text(&of["username"]);
}

pub fn error(of: &Value) {
    fields(of, &[], &["error_code", "message", "op_id"]);
    maybe(of, "error_code", text);
    maybe(of, "message", text);
    maybe(of, "op_id", |of| {
        assert!(uuid::Uuid::parse_str(of.as_str().unwrap()).is_ok(), "{of}")
    });
}
