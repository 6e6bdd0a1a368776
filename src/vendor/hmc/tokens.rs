//! The tokens with which IBM schedules a remote firmware update: credentials that the console lists in the clear.
//!
//! Six to eight characters, so that even a hash of one is guessed at once (`vendors.md` 5.2). They are kept in memory, in the client that read
//! them, and one of them in the Secret that is ours, for whoever hands it to IBM. A sight has their ends and nothing else.

use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::upgrade::facts::HandedOver;
use crate::vendor::vault::TOKENS_SECRET;
use crate::vendor::vault::TokenVault;
use crate::vendor::vault::VaultError;

/// End of the key under which a Connection's token is kept.
const KEY: &str = "remote-firmware-update-token";

/// Tries against others who write to the same Secret at the same time; each loses at most to one other Connection's token.
const TRIES: usize = 5;

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

/// The tokens that are known.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Those that the console listed last.
    listed: Vec<AuthorizationToken>,
    /// Those that it issued to us and has not listed since: the answer is the only place where they are told.
    issued: Vec<AuthorizationToken>,
}

impl Tokens {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The console lists these.
    pub fn keep(&self, tokens: Vec<AuthorizationToken>) {
        let mut known = self.known();
        known.issued.retain(|issued| !tokens.iter().any(|token| token.same_as(issued)));
        known.listed = tokens;
    }

    /// The console issued one more.
    pub fn extend(&self, token: Option<AuthorizationToken>) {
        self.known().issued.extend(token);
    }

    /// All of them, whether they still can be used or not.
    pub fn all(&self) -> Vec<AuthorizationToken> {
        let known = self.known();
        known.listed.iter().chain(&known.issued).cloned().collect()
    }

    /// Those that can be used now; the one that can be used longest comes first.
    pub fn good(&self, now: Timestamp) -> Vec<AuthorizationToken> {
        let mut good = self.all();
        good.retain(|token| token.expires > now);
        good.sort_by_key(|token| std::cmp::Reverse(token.expires));
        good
    }
}

impl AuthorizationToken {
    fn same_as(&self, other: &AuthorizationToken) -> bool {
        self.value.expose_secret() == other.value.expose_secret()
    }
}

/// Keeps the first of these tokens under the Connection's key, unless one of them is there. `None`: there is no token.
pub(super) async fn hand_over(good: &[AuthorizationToken], vault: Option<&dyn TokenVault>, connection: &str) -> Option<HandedOver> {
    let best = good.first()?;
    let key = format!("{connection}.{KEY}");
    let failed = |why: &str| HandedOver::Failed { why: why.to_owned() };
    let Some(vault) = vault else {
        return Some(failed("there is no place for it"));
    };
    for _ in 0..TRIES {
        let kept = match vault.read(&key).await {
            Ok(kept) => kept,
            Err(error) => return Some(failed(&error.to_string())),
        };
        let there = kept.value.as_ref().map(ExposeSecret::expose_secret);
        if there.is_some_and(|there| good.iter().any(|token| token.value.expose_secret() == there)) {
            return Some(HandedOver::Stored {
                secret: TOKENS_SECRET,
                key,
            });
        }
        match vault.store(&key, &best.value, &kept).await {
            // What is stored is found by the next read.
            Ok(_) | Err(VaultError::Moved) => {}
            Err(error) => return Some(failed(&error.to_string())),
        }
    }
    Some(failed("others write to it all the time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::vault::Memory;

    fn token(value: &str) -> AuthorizationToken {
        AuthorizationToken {
            value: SecretString::from(value),
            expires: Timestamp::MAX,
        }
    }

    #[test]
    fn a_token_that_was_issued_is_not_forgotten_by_a_list_that_lacks_it() {
        let tokens = Tokens::default();
        tokens.extend(Some(token("new")));
        tokens.keep(vec![token("old")]);
        assert_eq!(tokens.good(Timestamp::UNIX_EPOCH).len(), 2);
        tokens.keep(vec![token("old"), token("new")]);
        tokens.keep(vec![token("old")]);
        assert_eq!(
            tokens.good(Timestamp::UNIX_EPOCH).len(),
            1,
            "listed once, it is the list that counts"
        );
    }

    #[tokio::test]
    async fn a_good_token_that_is_there_stays_and_a_dead_one_is_replaced() {
        let vault = Memory::default();
        let good = [token("new"), token("old")];
        for (there, then) in [(None, "new"), (Some("old"), "old"), (Some("dead"), "new")] {
            if let Some(there) = there {
                vault.put("hmc1.remote-firmware-update-token", there);
            }
            let handed = hand_over(&good, Some(&vault), "hmc1").await;
            assert!(matches!(handed, Some(HandedOver::Stored { .. })), "{handed:?}");
            assert_eq!(vault.get("hmc1.remote-firmware-update-token").as_deref(), Some(then));
        }
        assert_eq!(hand_over(&[], Some(&vault), "hmc1").await, None);
    }

    #[tokio::test]
    async fn a_lost_race_is_run_again_and_a_right_that_is_missing_says_how_to_grant_it() {
        let vault = Memory::default();
        vault.fail_write(VaultError::Moved, false);
        let handed = hand_over(&[token("new")], Some(&vault), "hmc1").await;
        assert!(matches!(handed, Some(HandedOver::Stored { .. })), "{handed:?}");
        let denied = VaultError::AccessDenied {
            verb: "create",
            fix: "run: kubectl create rolebinding".to_owned(),
        };
        let vault = Memory::default();
        vault.fail_write(denied, false);
        let Some(HandedOver::Failed { why }) = hand_over(&[token("new")], Some(&vault), "hmc1").await else {
            panic!("nothing was stored")
        };
        assert!(why.contains("kubectl create rolebinding") && !why.contains("new"), "{why}");
    }
}
