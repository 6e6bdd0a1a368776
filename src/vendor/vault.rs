//! Where tokens are kept that Windlass itself was given: the one Secret of a namespace that it owns.
//!
//! A vendor that hands out a credential at run time (IBM's authorization token, Aruba Central's rotating refresh token) needs it to outlive the
//! process, and nobody but who may read Secrets shall see it. Vendor clients use it through [`TokenVault`]; the controllers give them one that
//! talks to the API server. Every write is a compare-and-swap against what was read: of two processes, one wins and the other reads again.

#[cfg(test)]
mod fake;

use std::fmt;

use futures::future::BoxFuture;
use secrecy::SecretString;

#[cfg(test)]
pub(crate) use fake::Memory;

/// Name of the Secret. Fixed: the operator's rights name it.
pub const TOKENS_SECRET: &str = "windlass-tokens";

/// One entry as it was read, and the state of the Secret that it was read from.
#[derive(Clone, Default)]
pub struct Kept {
    /// The value; `None` where there is no such key, or no such Secret.
    pub value: Option<SecretString>,
    /// The Secret's `resourceVersion`; `None` where there is no such Secret.
    pub version: Option<String>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Keeps tokens of one namespace.
pub trait TokenVault: Send + Sync {
    /// What is kept under this key now.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Kept, VaultError>>;

    /// Keeps `value` under this key, if nothing in the Secret has changed since `read`. `Ok`: it is stored for good.
    fn store<'a>(&'a self, key: &'a str, value: &'a SecretString, read: &'a Kept) -> BoxFuture<'a, Result<Kept, VaultError>>;
}

/// Tokens that cannot be kept, or read. Each says what to do.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum VaultError {
    /// Somebody else wrote in between: read again. Nothing was stored.
    #[error("Secret {TOKENS_SECRET} has changed since it was read")]
    Moved,
    /// We may not. Nothing was stored.
    #[error("may not {verb} Secret {TOKENS_SECRET}; {fix}")]
    AccessDenied {
        /// What was tried.
        verb: &'static str,
        /// The command that grants the right.
        fix: String,
    },
    /// The API server could not be asked, or its answer was lost. A write may or may not have been stored: read again.
    #[error("Secret {TOKENS_SECRET} could not be {verb}: {why}")]
    Other {
        /// What was tried, as a participle.
        verb: &'static str,
        /// What happened.
        why: String,
    },
}
