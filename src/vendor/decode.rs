//! JSON of any vendor, read leniently but within bounds: what is not what was expected is "not there", never an error.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Value;

use super::text::LONGEST;
use super::text::sanitize;

/// Longest name, version or date that is taken for one.
const LONGEST_WORD: usize = 253;

/// Most values that are parsed out of one answer. A list of 2,500 clusters with ten versions each has fewer.
pub const MOST_VALUES: usize = 50_000;

/// A body as JSON; `None` also for one with more values than any answer has.
pub fn json(body: &[u8]) -> Option<Value> {
    sizeable(body).then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Whether a body holds few enough values to be parsed, going by what stands before each. Whoever may write a Connection chooses the server,
/// and a parsed value takes up to eighty times the room of its text: 8 MiB of `{"":0},` would be 700 MB and the end of the process.
pub fn sizeable(body: &[u8]) -> bool {
    body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() <= MOST_VALUES
}

/// A field that holds one word: a version, a date, an id. It is compared and sent byte by byte, so a word that would have to be cleaned
/// is no word.
pub fn word(value: &Value, field: &str) -> Option<String> {
    as_word(value.get(field)?)
}

/// A value that is one word; see [`word`].
pub fn as_word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let good = !text.is_empty() && text.len() <= LONGEST_WORD && sanitize(text) == text;
    good.then(|| text.to_owned())
}

/// A field that holds a list of words; `None` when it is missing or holds anything else.
pub fn words(value: &Value, field: &str) -> Option<Vec<String>> {
    value.get(field)?.as_array()?.iter().map(as_word).collect()
}

/// An object's entries in order, duplicates included: an answer that says two things about one cluster says nothing.
pub struct Entries<T>(pub Vec<(String, T)>);

impl<T> Entries<T> {
    /// The value of this key, when it is there exactly once.
    pub fn only(&self, key: &str) -> Option<&T> {
        let mut found = self.0.iter().filter(|(k, _)| k == key);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for All<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Entries(all))
            }
        }
        from.deserialize_map(All(PhantomData))
    }
}

/// Joins texts into one bounded line.
pub fn join(texts: Vec<String>) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut length = 0;
    for text in texts.into_iter().map(|t| sanitize(&t)).map(|t| t.trim_end_matches('.').to_owned()) {
        if !text.is_empty() && !seen.contains(&text) {
            length += text.chars().count();
            seen.push(text);
        }
        // What would be cut off is not looked at: each text is compared with all before it, and a vendor can send thousands.
        if length > LONGEST {
            break;
        }
    }
    (!seen.is_empty()).then(|| sanitize(&seen.join("; ")))
}
