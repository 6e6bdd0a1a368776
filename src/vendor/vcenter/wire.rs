//! vCenter's JSON, read leniently: what is unconfirmed about it ([U] in the vendor notes) is in this file and nowhere else.
//!
//! Shapes are those of the vSphere Automation API 9.1 specification (`vcenter.yaml` in vmware/vcf-api-specs). Texts come as
//! LocalizableMessage objects (`id`, `default_message`, `args`, sometimes `localized`). `error_type` "can be missing or null for
//! compatibility with preceding implementations". The shape of a Result's `exception` is not specified at all.

use std::fmt;

use serde_json::Value;

pub use crate::vendor::decode::Entries;
#[cfg(test)]
use crate::vendor::decode::MOST_VALUES;
pub use crate::vendor::decode::join;
pub use crate::vendor::decode::json;
pub use crate::vendor::decode::sizeable;
pub use crate::vendor::decode::word;
pub use crate::vendor::decode::words;
#[cfg(test)]
use crate::vendor::text::LONGEST;
use crate::vendor::text::describe_body;
use crate::vendor::text::sanitize;

/// Most texts of one answer that are shown.
const MOST_TEXTS: usize = 20;

/// Deepest nesting that texts are looked for in.
const DEEPEST: usize = 6;

/// An error of the API: `{"error_type": ..., "messages": [...]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiError {
    /// The type, where it is given.
    pub error_type: Option<String>,
    /// The texts, sanitized and bounded.
    pub text: Option<String>,
}

impl ApiError {
    /// Reads an error body; `None` when it is not the API's error shape.
    pub fn read(body: &[u8]) -> Option<ApiError> {
        let value = json(body)?;
        let shaped = value.get("messages").is_some_and(Value::is_array) || value.get("error_type").is_some_and(Value::is_string);
        shaped.then(|| ApiError {
            error_type: word(&value, "error_type"),
            text: texts(&value),
        })
    }

    /// Whether the error is of this type.
    pub fn is(&self, error_type: &str) -> bool {
        self.error_type.as_deref() == Some(error_type)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error_type, &self.text) {
            (Some(kind), Some(text)) => write!(f, "{kind}: {text}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => f.write_str("an error without words"),
        }
    }
}

/// The words of an error body, or what the body looks like.
pub fn said(body: Option<&[u8]>) -> String {
    let Some(body) = body else {
        return "a body that broke off".to_owned();
    };
    sanitize(&ApiError::read(body).map_or_else(|| describe_body(body), |error| error.to_string()))
}

/// Every text in a value, in order, joined and bounded; `None` when there is none.
pub fn texts(value: &Value) -> Option<String> {
    let mut found = Vec::new();
    collect(value, None, 0, &mut found);
    join(found)
}

fn collect(value: &Value, severity: Option<&str>, depth: usize, into: &mut Vec<String>) {
    if depth > DEEPEST || into.len() >= MOST_TEXTS {
        return;
    }
    match value {
        Value::String(text) => into.push(severity.map_or_else(|| text.clone(), |s| format!("{s} {text}"))),
        Value::Array(items) => items
            .iter()
            .take(MOST_TEXTS)
            .for_each(|item| collect(item, severity, depth + 1, into)),
        Value::Object(object) => {
            let severity = object.get("severity").and_then(Value::as_str).or(severity);
            // A LocalizableMessage: `localized` is its text in the caller's language, `default_message` in English.
            let own = ["localized", "default_message"]
                .into_iter()
                .find_map(|k| object.get(k).filter(|v| v.is_string()));
            if let Some(own) = own {
                return collect(own, severity, depth + 1, into);
            }
            // A Message has `details`; an error has `messages`; the older /rest wraps in `value`; a foreign one may say `message`.
            for field in ["details", "messages", "message", "value"] {
                if let Some(inner) = object.get(field) {
                    collect(inner, severity, depth + 1, into);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_found_in_every_known_shape() {
        let message = json!({"id": "x", "default_message": "host esx7 in maintenance", "args": ["esx7"]});
        for (value, expected) in [
            (
                json!({"messages": [message], "error_type": "UNSUPPORTED"}),
                Some("host esx7 in maintenance"),
            ),
            (
                json!({"messages": [{"severity": "ERROR", "details": message}]}),
                Some("ERROR host esx7 in maintenance"),
            ),
            (
                json!({"type": "com.vmware.vapi.std.errors.unsupported", "value": {"messages": [message]}}),
                Some("host esx7 in maintenance"),
            ),
            (
                json!({"messages": [{"id": "x", "default_message": "en", "localized": "de", "args": []}]}),
                Some("de"),
            ),
            (json!({"messages": ["plain", "plain", "\u{1b}other"]}), Some("plain; other")),
            (json!("just text"), Some("just text")),
            (json!({"messages": []}), None),
            (json!({"messages": [null, 3, {"id": 4}]}), None),
            (json!(null), None),
        ] {
            assert_eq!(texts(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn error_type_may_be_missing_or_null() {
        for body in [
            r#"{"messages":[]}"#,
            r#"{"messages":[],"error_type":null}"#,
            r#"{"messages":[],"error_type":7}"#,
        ] {
            assert_eq!(ApiError::read(body.as_bytes()), Some(ApiError::default()), "{body}");
        }
        assert!(ApiError::read(br#"{"error_type":"NOT_FOUND"}"#).unwrap().is("NOT_FOUND"));
        for body in ["", "[]", "{}", "<html>", r#"{"messages":"x"}"#, "{\"error_type\":"] {
            assert_eq!(ApiError::read(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_body_of_too_many_values_is_not_parsed() {
        let list = |row: &str, n: usize| format!("[{}]", vec![row; n].join(","));
        let row = r#"{"cluster":"domain-c8","cluster_name":"a","state":"READY","current_version":"v1.29","desired_version":"v1.30",
            "available_versions":["1","2","3","4","5","6","7","8","9","10"]}"#;
        assert_eq!(json(list(row, 2_500).as_bytes()).unwrap().as_array().unwrap().len(), 2_500);
        for hostile in [r#"{"":0}"#, "0", "[]", r#"{"messages":[]}"#] {
            let body = list(hostile, 60_000);
            assert_eq!(json(body.as_bytes()), None, "{hostile}");
            assert_eq!(ApiError::read(format!(r#"{{"messages":{body}}}"#).as_bytes()), None, "{hostile}");
        }
    }

    #[test]
    fn thousands_of_texts_are_joined_without_comparing_each_with_each() {
        let texts = (0..MOST_VALUES).map(|n| format!("{}{n}", "x".repeat(400)));
        let begin = std::time::Instant::now();
        let joined = join(texts.collect()).unwrap();
        // Pair by pair it would be a thousand million comparisons.
        assert!(begin.elapsed() < std::time::Duration::from_secs(5));
        assert_eq!(joined.chars().count(), LONGEST);
    }

    #[test]
    fn words_are_never_repaired() {
        let value = json!({"ok": "v1.30.5+vmware.2", "nl": "v1\n", "empty": "", "long": "x".repeat(254), "n": 7, "list": ["a", "b"], "mixed": ["a", 1]});
        assert_eq!(word(&value, "ok").as_deref(), Some("v1.30.5+vmware.2"));
        for bad in ["nl", "empty", "long", "n", "none"] {
            assert_eq!(word(&value, bad), None, "{bad}");
        }
        assert_eq!(words(&value, "list").map(|l| l.len()), Some(2));
        assert_eq!(words(&value, "mixed"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_all_is_bounded(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(said(Some(&body)).chars().count() <= 512);
        }
    }
}
