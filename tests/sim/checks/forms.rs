//! The published schemas, by hand: required fields, no others than the schema names, and the types of the ones that matter.

use serde_json::Value;

pub fn fields(of: &Value, required: &[&str], optional: &[&str]) {
    let object = of.as_object().unwrap_or_else(|| panic!("not an object: {of}"));
    for field in required {
        assert!(object.contains_key(*field), "{field} is missing: {of}");
    }
    for field in object.keys() {
        assert!(
            required.contains(&field.as_str()) || optional.contains(&field.as_str()),
            "{field} is not in the schema: {of}"
        );
    }
}

pub fn each(of: &Value, check: fn(&Value)) {
    of.as_array().unwrap_or_else(|| panic!("not an array: {of}")).iter().for_each(check);
}

pub fn text(of: &Value) {
    assert!(of.is_string(), "not a text: {of}");
}

pub fn word(of: &Value, words: &[&str]) {
    assert!(words.contains(&of.as_str().unwrap()), "{of} is none of {words:?}");
}

fn date(of: &Value) {
    of.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
}

fn localizable(of: &Value) {
    fields(of, &["id", "default_message", "args"], &["params", "localized"]);
    each(&of["args"], text);
}

fn message(of: &Value) {
    fields(of, &["severity", "details"], &[]);
    word(&of["severity"], &["INFO", "WARNING", "ERROR"]);
    localizable(&of["details"]);
}

fn condition(of: &Value) {
    fields(
        of,
        &["type", "description", "status", "reason", "severity", "messages"],
        &["last_transition_time"],
    );
    word(&of["status"], &["TRUE", "FALSE", "UNKNOWN"]);
    localizable(&of["description"]);
    each(&of["messages"], message);
}

fn status(of: &Value) {
    fields(of, &["messages"], &["desired_version", "progress", "components"]);
    each(&of["messages"], message);
    if let Some(progress) = of.get("progress") {
        fields(progress, &["total", "completed", "message"], &[]);
        assert!(progress["total"].is_i64() && progress["completed"].is_i64(), "{progress}");
        localizable(&progress["message"]);
    }
    if let Some(components) = of.get("components") {
        each(components, condition);
    }
}

fn common(of: &Value) {
    text(&of["current_version"]);
    each(&of["available_versions"], text);
    word(&of["state"], &["PENDING", "READY", "ERROR"]);
    if let Some(at) = of.get("last_upgraded_date") {
        date(at);
    }
}

pub fn info(of: &Value) {
    let optional = ["last_upgraded_date", "upgrade_status", "upgrade_prechecks"];
    fields(of, &["current_version", "available_versions", "messages", "state"], &optional);
    common(of);
    each(&of["messages"], message);
    if let Some(of) = of.get("upgrade_status") {
        status(of);
    }
    if let Some(prechecks) = of.get("upgrade_prechecks") {
        each(prechecks, condition);
    }
}

pub fn summaries(of: &Value) {
    each(of, |of| {
        let required = ["cluster", "cluster_name", "current_version", "available_versions", "state"];
        fields(of, &required, &["last_upgraded_date", "desired_version"]);
        common(of);
    });
}

pub fn versions(of: &Value) {
    each(of, |of| {
        fields(of, &["version", "name", "description", "release_date", "release_notes"], &[]);
    });
}

pub fn session(of: &Value) {
    fields(of, &["user", "created_time", "last_accessed_time"], &[]);
    date(&of["created_time"]);
    date(&of["last_accessed_time"]);
}

pub fn result(of: &Value) {
    fields(of, &["res"], &["exception"]);
    word(&of["res"], &["STARTED", "REJECTED"]);
    assert!(
        of["res"] == "REJECTED" || of.get("exception").is_none(),
        "an exception goes only with REJECTED: {of}"
    );
}

pub fn error(of: &Value, error_type: &str) {
    fields(of, &["error_type", "messages"], &["data"]);
    assert_eq!(of["error_type"], error_type, "{of}");
    each(&of["messages"], localizable);
}
