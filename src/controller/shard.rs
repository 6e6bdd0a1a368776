//! Which objects are this process's: those whose labels a selector matches (`--selector`). Without one, all are.
//!
//! A fleet that is too large for one process is shared out among several, each with a selector of its own and a lease of its own. What keeps two of
//! them from starting one thing twice is the ledger, as with two leaders: an object that moves from one to another while both still think that it is
//! theirs collides on one receipt. What selectors must see to is only that a Connection is one process's: it keeps count of the calls, and of sessions.

use std::fmt;
use std::str::FromStr;

use kube::ResourceExt;
use kube::core::Expression;
use kube::core::Selector;
use kube::core::SelectorExt as _;

/// Longest name of a label's key, and longest value (Kubernetes, "Labels and Selectors").
const LONGEST_NAME: usize = 63;

/// Longest prefix of a label's key.
const LONGEST_PREFIX: usize = 253;

/// The selector. By default everything is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard(Selector);

/// A text that is no selector of labels.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotASelector {
    /// A part of it that is none.
    #[error("{found:?} is no requirement on a label; expected key=value, key!=value, key in (a,b), key notin (a,b), key or !key")]
    Requirement {
        /// The part.
        found: String,
    },
    /// A key that no label can have.
    #[error(
        "{found:?} is no key of a label; expected at most {LONGEST_NAME} letters, digits, '-', '_' and '.', with a letter or digit at both ends, \
         perhaps after a DNS name and a slash"
    )]
    Key {
        /// The key.
        found: String,
    },
    /// A value that no label can have.
    #[error(
        "{found:?} is no value of a label; expected at most {LONGEST_NAME} letters, digits, '-', '_' and '.', with a letter or digit at both ends"
    )]
    Value {
        /// The value.
        found: String,
    },
}

impl Shard {
    /// For the API server, where not everything is selected.
    pub fn text(&self) -> Option<String> {
        (!self.0.selects_all()).then(|| self.0.to_string())
    }

    /// Whether an object, as it is, is this process's.
    pub fn has(&self, object: &impl ResourceExt) -> bool {
        self.0.matches(object.labels())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Shard {
    type Err = NotASelector;

    /// As `kubectl --selector` takes it. An empty text selects everything.
    fn from_str(text: &str) -> Result<Shard, NotASelector> {
        let parts = requirements(text).into_iter().filter(|part| !part.is_empty());
        let all = parts.map(requirement).collect::<Result<Vec<_>, _>>()?;
        Ok(Shard(all.into_iter().collect()))
    }
}

/// The parts between commas that are not within parentheses.
fn requirements(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

fn requirement(part: &str) -> Result<Expression, NotASelector> {
    let no = || NotASelector::Requirement { found: part.to_owned() };
    if let Some((key, values)) = part.split_once('(') {
        let values = values.strip_suffix(')').ok_or_else(no)?;
        let values = values.split(',').map(value).collect::<Result<_, _>>()?;
        let mut words = key.split_whitespace();
        let (Some(name), Some(word), None) = (words.next(), words.next(), words.next()) else {
            return Err(no());
        };
        return match word {
            "in" => Ok(Expression::In(self::key(name)?, values)),
            "notin" => Ok(Expression::NotIn(self::key(name)?, values)),
            _ => Err(no()),
        };
    }
    if let Some((name, text)) = part.split_once("!=") {
        return Ok(Expression::NotEqual(key(name)?, value(text)?));
    }
    if let Some((name, text)) = part.split_once('=') {
        return Ok(Expression::Equal(key(name)?, value(text.strip_prefix('=').unwrap_or(text))?));
    }
    match part.strip_prefix('!') {
        Some(name) => Ok(Expression::DoesNotExist(key(name)?)),
        None => Ok(Expression::Exists(key(part)?)),
    }
}

fn key(text: &str) -> Result<String, NotASelector> {
    let text = text.trim();
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let dns = |prefix: &str| {
        prefix.len() <= LONGEST_PREFIX
            && prefix.split('.').all(|part| is_name(part) && !part.contains('_'))
            && prefix == prefix.to_lowercase()
    };
    if is_name(name) && prefix.is_none_or(dns) {
        return Ok(text.to_owned());
    }
    Err(NotASelector::Key { found: text.to_owned() })
}

fn value(text: &str) -> Result<String, NotASelector> {
    let text = text.trim();
    if text.is_empty() || is_name(text) {
        return Ok(text.to_owned());
    }
    Err(NotASelector::Value { found: text.to_owned() })
}

fn is_name(text: &str) -> bool {
    let within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = |c: char| c.is_ascii_alphanumeric();
    (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(within) && text.starts_with(end) && text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Connection;

    fn labelled(labels: &[(&str, &str)]) -> Connection {
        let spec = serde_json::json!({"type": "VCenter", "url": "https://vc1.example", "credentialsSecretRef": {"name": "vc1"}});
        let mut connection = Connection::new("vc1", serde_json::from_value(spec).unwrap());
        connection.metadata.labels = Some(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        connection
    }

    #[test]
    fn no_object_is_of_two_shards_and_none_is_left_over() {
        let shards = [
            "windlass.dev/shard=a",
            "windlass.dev/shard in (b, c)",
            "windlass.dev/shard notin (a,b,c)",
        ];
        let shards = shards.map(|text| text.parse::<Shard>().unwrap());
        for (labels, of) in [
            (&[("windlass.dev/shard", "a")][..], 0),
            (&[("windlass.dev/shard", "b"), ("team", "x")], 1),
            (&[("windlass.dev/shard", "c")], 1),
            (&[("windlass.dev/shard", "d")], 2),
            (&[], 2),
        ] {
            let has = shards.each_ref().map(|shard| shard.has(&labelled(labels)));
            assert_eq!(has, [0, 1, 2].map(|n| n == of), "{labels:?}");
        }
    }

    #[test]
    fn a_selector_goes_to_the_api_server_as_it_was_read_and_none_selects_all() {
        for text in ["a=b", "a!=b", "a in (b,c)", "a notin (b,c)", "a", "!a", "a.example/b=c,!d"] {
            assert_eq!(text.parse::<Shard>().unwrap().text().as_deref(), Some(text));
        }
        assert_eq!("a == b ,c".parse::<Shard>().unwrap().text().as_deref(), Some("a=b,c"));
        let all = "".parse::<Shard>().unwrap();
        assert!(all == Shard::default() && all.text().is_none() && all.has(&labelled(&[])));
    }

    #[test]
    fn what_is_no_selector_is_refused_and_says_which_part() {
        let refused = |text: &str| text.parse::<Shard>().unwrap_err();
        for text in ["a in (b", "a on (b)", "in (b)", "a b in (c)"] {
            assert!(matches!(refused(text), NotASelector::Requirement { .. }), "{text}");
        }
        for text in ["-a=b", "a b", "=b", "A.example_/b", "a/b/c", "!"] {
            assert!(matches!(refused(text), NotASelector::Key { .. }), "{text}: {}", refused(text));
        }
        for text in ["a=b c", "a=-", "a in (b, c d)"] {
            assert!(matches!(refused(text), NotASelector::Value { .. }), "{text}");
        }
        assert!(refused("ok=1,a=b c").to_string().contains("\"b c\""));
    }
}
