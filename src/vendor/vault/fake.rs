//! A vault in memory, with the compare-and-swap of the real one.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use super::Kept;
use super::TokenVault;
use super::VaultError;

/// Holds entries; fails the next calls as told.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, String>,
    version: u64,
    /// Outcomes of the next writes: `Some(error)` fails, and stores all the same where `true`.
    writes: VecDeque<Option<(VaultError, bool)>>,
}

impl Memory {
    /// What is under a key.
    pub fn get(&self, key: &str) -> Option<String> {
        self.inner.lock().unwrap().entries.get(key).cloned()
    }

    /// Somebody else writes.
    pub fn put(&self, key: &str, value: &str) {
        let mut inner = self.inner.lock().unwrap();
        inner.entries.insert(key.to_owned(), value.to_owned());
        inner.version += 1;
    }

    /// The next write that has no outcome yet fails so; `stored`: and comes through all the same.
    pub fn fail_write(&self, error: VaultError, stored: bool) {
        self.inner.lock().unwrap().writes.push_back(Some((error, stored)));
    }

    /// The next write that has no outcome yet goes well.
    pub fn pass_write(&self) {
        self.inner.lock().unwrap().writes.push_back(None);
    }

    /// All values.
    pub fn texts(&self) -> Vec<String> {
        self.inner.lock().unwrap().entries.values().cloned().collect()
    }

    fn kept(inner: &Inner, key: &str) -> Kept {
        Kept {
            value: inner.entries.get(key).cloned().map(SecretString::from),
            version: (inner.version > 0).then(|| inner.version.to_string()),
        }
    }
}

impl TokenVault for Memory {
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Kept, VaultError>> {
        let kept = Memory::kept(&self.inner.lock().unwrap(), key);
        std::future::ready(Ok(kept)).boxed()
    }

    fn store<'a>(&'a self, key: &'a str, value: &'a SecretString, read: &'a Kept) -> BoxFuture<'a, Result<Kept, VaultError>> {
        let mut inner = self.inner.lock().unwrap();
        let outcome = inner.writes.pop_front().flatten();
        let stores = outcome.as_ref().is_none_or(|(_, stored)| *stored);
        let same = Memory::kept(&inner, key).version == read.version;
        let result = match outcome {
            _ if stores && !same => Err(VaultError::Moved),
            outcome => {
                if stores {
                    inner.entries.insert(key.to_owned(), value.expose_secret().to_owned());
                    inner.version += 1;
                }
                outcome.map_or_else(|| Ok(Memory::kept(&inner, key)), |(error, _)| Err(error))
            }
        };
        std::future::ready(result).boxed()
    }
}
