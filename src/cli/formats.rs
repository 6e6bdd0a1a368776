//! Answers for programs: JSON and YAML.

use serde::Serialize;
use serde_json::Value;

use super::crds::whole_numbers;

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For people, with everything.
    Wide,
    /// For programs.
    Json,
    /// For programs, and people.
    Yaml,
}

/// An answer that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the answer cannot be written as {what}: {why}")]
pub struct NotWritten {
    what: &'static str,
    why: String,
}

/// As JSON, with a line end.
pub fn json(answer: &impl Serialize) -> Result<String, NotWritten> {
    let text = serde_json::to_string_pretty(answer);
    text.map(|text| text + "\n").map_err(|e| NotWritten {
        what: "JSON",
        why: e.to_string(),
    })
}

/// As JSON on one line, without a line end.
pub fn json_line(answer: &impl Serialize) -> Result<String, NotWritten> {
    serde_json::to_string(answer).map_err(|e| NotWritten {
        what: "JSON",
        why: e.to_string(),
    })
}

/// As YAML, with a line end.
pub fn yaml(answer: &impl Serialize) -> Result<String, NotWritten> {
    let failed = |why: String| NotWritten { what: "YAML", why };
    let mut value: Value = serde_json::to_value(answer).map_err(|e| failed(e.to_string()))?;
    whole_numbers(&mut value);
    let text = serde_saphyr::to_string(&value).map_err(|e| failed(e.to_string()))?;
    Ok(format!("{}\n", text.trim_end()))
}
