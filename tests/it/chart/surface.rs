//! The surface of the chart: every value that can be set, as values.yaml says it and as README.md lists it.

use std::fmt::Write as _;

use serde_json::Value;

use super::CHART;

/// A value that can be set.
pub struct Entry {
    /// As in `metrics.dashboard.labels`.
    pub path: String,
    /// The comment above it.
    pub what: String,
    /// What it is if nobody sets it.
    pub default: Value,
}

/// A file of the chart, as JSON.
pub fn file(name: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(format!("{CHART}/{name}")).unwrap()).unwrap()
}

/// Every value, in the order of values.yaml. A key is a section and no value where the schema says what is in it, in place.
pub fn entries() -> Vec<Entry> {
    let text = std::fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    let (schema, defaults) = (file("values.schema.json"), file("values.yaml"));
    let (mut entries, mut comment): (Vec<Entry>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut path: Vec<&str> = Vec::new();
    let mut inside_of: Option<usize> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if bare.is_empty() {
            comment.clear();
            inside_of = None;
        }
        if inside_of.is_some_and(|value| indent > value || bare.starts_with('-')) {
            continue;
        }
        inside_of = None;
        if let Some(words) = bare.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some((key, _)) = bare.split_once(':') {
            path.truncate(indent / 2);
            path.push(key);
            let at = path.iter().fold(&schema, |at, key| &at["properties"][key]);
            assert!(at.is_object(), "{} is not in the schema", path.join("."));
            if at.get("properties").is_none() {
                entries.push(Entry {
                    path: path.join("."),
                    what: comment.join(" "),
                    default: path.iter().fold(&defaults, |at, key| &at[key]).clone(),
                });
                inside_of = Some(indent);
            }
            comment.clear();
        }
    }
    entries
}

/// The table of README.md.
pub fn table() -> String {
    let mut table = "| value | default | what it is |\n| --- | --- | --- |\n".to_owned();
    for entry in entries() {
        let default = entry.default.to_string();
        let default = if default.len() > 40 {
            "see values.yaml".to_owned()
        } else {
            format!("`{default}`")
        };
        writeln!(table, "| `{}` | {default} | {} |", entry.path, entry.what.replace('|', "\\|")).unwrap();
    }
    table
}

#[test]
fn every_value_says_what_it_is_for() {
    for entry in entries() {
        let what = &entry.what;
        assert!(
            what.len() > 20 && what.ends_with('.') && !what.contains("  "),
            "{}: {what:?}",
            entry.path
        );
    }
}
