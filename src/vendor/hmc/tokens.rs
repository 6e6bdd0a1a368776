//! The tokens with which IBM schedules a remote firmware update: credentials that the console lists in the clear.
//!
//! Six to eight characters, so that even a hash of one is guessed at once (`vendors.md` 5.2). They are kept in memory only, in the client
//! that read them, for whoever hands one to a person. A sight has their ends and nothing else.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::Timestamp;
use secrecy::SecretString;

/// Leave for IBM to schedule one remote firmware update.
#[derive(Clone)]
pub struct AuthorizationToken {
    /// Its value.
    pub value: SecretString,
    /// Until when it can be used.
    pub expires: Timestamp,
}

impl fmt::Debug for AuthorizationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationToken")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The tokens that the console listed last.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Vec<AuthorizationToken>>);

impl Tokens {
    /// These are all that there are now.
    pub fn keep(&self, tokens: Vec<AuthorizationToken>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// All that were listed, whether they still can be used or not.
    pub fn all(&self) -> Vec<AuthorizationToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that can be used now; the one that can be used longest comes first.
    pub fn good(&self, now: Timestamp) -> Vec<AuthorizationToken> {
        let mut good = self.all();
        good.retain(|token| token.expires > now);
        good.sort_by_key(|token| std::cmp::Reverse(token.expires));
        good
    }
}
