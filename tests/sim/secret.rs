//! What nobody may print: passwords and tokens, of users and of others.
//!
//! A failed test prints what it compared, and a log is read by people: so a password is shown by no `Debug` and by no entry of the log
//! here. A test that has to know it asks by name ([`Secret::expose`]).

use std::fmt;

use serde_json::Value;

/// What stands where a password was.
pub const REDACTED: &str = "(redacted)";

/// A password. Its `Debug` tells nothing, not even its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The password itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The value with every field of an object that is named like a password made unreadable, at any depth.
pub fn redacted(mut of: Value) -> Value {
    match &mut of {
        Value::Object(fields) => {
            for (name, value) in fields {
                *value = if name.contains("password") {
                    Value::String(REDACTED.to_owned())
                } else {
                    redacted(value.take())
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        _ => {}
    }
    of
}

/// The query with the values of these keys made unreadable.
pub fn redacted_query(query: &str, secret: &[&str]) -> String {
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if secret.contains(&name) => format!("{name}={REDACTED}"),
        _ => pair.to_owned(),
    };
    query.split('&').map(shown).collect::<Vec<_>>().join("&")
}
