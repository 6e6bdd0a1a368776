//! The difference between two JSON documents as a merge patch, with explicit nulls for what goes away. Pure.

use serde_json::Map;
use serde_json::Value;

/// The merge patch (RFC 7386) that turns `old` into `new`; `None` when they are equal. Lists are replaced whole, as that patch demands.
pub fn diff(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        if let Some(change) = diff(old.get(key).unwrap_or(&Value::Null), value) {
            patch.insert(key.clone(), change);
        }
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_went_away_is_an_explicit_null_and_what_stayed_is_not_sent() {
        let old = json!({"state": "PENDING", "waitingFor": "Suspended", "counts": {"total": 3, "gone": 1}, "targets": [1, 2]});
        let new = json!({"state": "RUNNING", "counts": {"total": 3}, "targets": [1]});
        let patch = diff(&old, &new).unwrap();
        assert_eq!(
            patch,
            json!({"state": "RUNNING", "waitingFor": null, "counts": {"gone": null}, "targets": [1]})
        );
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        let same = json!({"a": {"b": [1, {"c": null}]}});
        assert_eq!(diff(&same, &same), None);
    }

    #[test]
    fn a_status_that_was_wiped_is_written_whole() {
        assert_eq!(diff(&Value::Null, &json!({"a": 1})), Some(json!({"a": 1})));
    }
}
