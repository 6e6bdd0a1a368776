//! Objects as JSON, as the other modules of the command line read them.

use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ClusterError;
use crate::vendor::text::harmless;

/// An object as JSON, made harmless.
pub fn value(object: &DynamicObject) -> Result<Value, ClusterError> {
    let read = serde_json::to_value(object).map_err(|e| ClusterError::Unreadable {
        what: object.metadata.name.clone().unwrap_or_default(),
        why: e.to_string(),
    });
    read.map(made_harmless)
}

/// All texts in it, made fit for a terminal.
pub fn made_harmless(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) => *text = harmless(text),
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(fields) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, mut field)| {
                        walk(&mut field);
                        (harmless(&name), field)
                    })
                    .collect();
            }
            _ => {}
        }
    }
    walk(&mut value);
    value
}

/// A text in an object; empty where there is none.
pub fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An object as one of our types.
pub fn typed<T: DeserializeOwned>(object: &Value) -> Result<T, ClusterError> {
    serde_json::from_value(object.clone()).map_err(|e| ClusterError::Unreadable {
        what: format!("{} {}", text(object, "/kind"), text(object, "/metadata/name")),
        why: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_read_cannot_move_the_cursor_of_a_terminal() {
        let read = made_harmless(json!({"a\u{1b}[2J": ["x\u{1b}]0;title\u{7}y", {"m": "one\ntwo\u{202e}three\u{9b}31m"}], "n": 1}));
        assert_eq!(read, json!({"a [2J": ["x ]0;title y", {"m": "one twothree 31m"}], "n": 1}));
    }
}
