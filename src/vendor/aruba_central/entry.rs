//! The pair of tokens as it is kept in the Secret that Windlass owns, and what is to be done about it: pure.
//!
//! A refresh token is good once: what a refresh gives takes its place, and an answer that is lost may have cost the only one that there was
//! (`vendors.md` 1.3). So whoever wants to use one first *claims* it here, by compare-and-swap, and stores what came of it afterwards; of two
//! processes one claims, and the other waits for what comes. A claim whose owner is gone is a request whose answer was lost.
//!
//! [`next`] decides, [`tokens`](super::tokens) does it. The form of an [`Entry`] is a persisted contract.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use jiff::SignedDuration;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use crate::vendor::credentials::ClientCredentials;

/// How long a claim is respected: longer than a login with all its steps and the storing of what came of it take.
pub(super) const CLAIM: SignedDuration = SignedDuration::from_mins(3);

/// An access token with less left than this is not used any more: it must outlive the call.
const LAST_USE: SignedDuration = SignedDuration::from_mins(1);

/// Refresh tokens of people's Secrets that were used and whose marks are kept. Each is of somebody's doing.
const MOST_SPENT: usize = 16;

/// What is kept.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Entry {
    /// Grows with every pair.
    pub generation: u64,
    /// Mark of what the pair began with; see [`Seed`].
    pub seed: Option<String>,
    /// Marks of the refresh tokens that people put into their Secret and that were used: each was good once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<String>,
    /// The access token.
    #[serde(with = "hidden", skip_serializing_if = "Option::is_none")]
    pub access: Option<SecretString>,
    /// Until when it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The refresh token.
    #[serde(with = "hidden", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<SecretString>,
    /// Central refused that one: it is dead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
    /// When the last pair was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<Timestamp>,
    /// Who is asking for the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Requests for a pair in a row whose answer did not come.
    #[serde(skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// When the last of them was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Timestamp>,
    /// Central wants no request before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// For `skip_serializing_if`, which hands a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A request for a pair is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claim {
    /// By this client of this process.
    pub by: String,
    /// Since then, on its wall clock.
    pub at: Timestamp,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("generation", &self.generation)
            .field("expires", &self.expires)
            .field("dead", &self.dead)
            .field("claim", &self.claim)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// What is kept; a text that is none of ours is as good as none.
    pub fn read(kept: Option<&SecretString>) -> Entry {
        kept.and_then(|text| serde_json::from_str(text.expose_secret()).ok())
            .unwrap_or_default()
    }

    /// As it is kept.
    pub fn written(&self) -> SecretString {
        // Nothing in it can fail to be written; were it so, an empty entry loses nothing that is not lost already.
        SecretString::from(serde_json::to_string(self).unwrap_or_default())
    }

    /// The access token can be used: it is not the one that was refused, and is good for a while.
    fn usable(&self, refused: Option<u64>, now: Timestamp) -> bool {
        let good = self.expires.is_some_and(|expires| now < saturating_sub(expires, LAST_USE));
        self.access.is_some() && good && refused != Some(self.generation)
    }

    /// The access token is good for less than a third of its life: time for another, while a lost answer still leaves this one.
    pub fn ages(&self, now: Timestamp) -> bool {
        let (Some(issued), Some(expires)) = (self.issued, self.expires) else {
            return true;
        };
        now >= saturating_sub(expires, expires.duration_since(issued) / 3)
    }

    /// Earliest moment of another request by a grant that is good more than once. `pause`: between two pairs; shorter where tokens do not live
    /// long enough for it.
    fn earliest(&self, pause: SignedDuration) -> Timestamp {
        let life = match (self.issued, self.expires) {
            (Some(issued), Some(expires)) => expires.duration_since(issued) / 4,
            _ => pause,
        };
        let after = |at: Option<Timestamp>, pause| at.map_or(Timestamp::MIN, |at| saturating_add(at, pause));
        let issued = after(self.issued, pause.min(life));
        issued
            .max(after(self.lost_at, pause))
            .max(self.not_before.unwrap_or(Timestamp::MIN))
    }

    /// Earliest moment at which the refresh token may be used again. Once lost, it is tried again at once: either it was not used, or it is
    /// dead, and one answer tells. Not a third time.
    fn earliest_refresh(&self, pause: SignedDuration) -> Timestamp {
        match self.lost {
            1 => self.not_before.unwrap_or(Timestamp::MIN),
            _ => self.earliest(pause),
        }
    }

    /// The request that this claim is for has no answer.
    #[must_use]
    pub fn lost(mut self, at: Timestamp) -> Entry {
        self.claim = None;
        self.lost = self.lost.saturating_add(1);
        self.lost_at = Some(at);
        self
    }

    /// Another pair took the place of this one.
    #[must_use]
    pub fn renewed(mut self, pair: Pair, now: Timestamp) -> Entry {
        self.generation = self.generation.saturating_add(1);
        self.access = Some(pair.access);
        self.expires = Some(saturating_add(
            now,
            SignedDuration::try_from(pair.lives).unwrap_or(SignedDuration::MAX),
        ));
        // Without a new one the old one stays good (RFC 6749, 6).
        self.refresh = pair.refresh.or(self.refresh);
        self.dead = false;
        self.issued = Some(now);
        (self.claim, self.lost, self.lost_at, self.not_before) = (None, 0, None, None);
        self
    }

    /// Begins anew with what people put into their Secret.
    #[must_use]
    pub fn seeded(self, seed: &Seed) -> Entry {
        let mut spent = self.spent;
        if let Seed::Token(mark, _) = seed {
            spent.retain(|known| known != mark);
            spent.push(mark.clone());
            spent.drain(..spent.len().saturating_sub(MOST_SPENT));
        }
        Entry {
            generation: self.generation.saturating_add(1),
            seed: Some(seed.mark().to_owned()),
            spent,
            refresh: seed.token().cloned(),
            issued: self.issued,
            ..Entry::default()
        }
    }
}

/// What Central gave.
#[derive(Clone)]
pub(super) struct Pair {
    /// For calls.
    pub access: SecretString,
    /// For the next pair.
    pub refresh: Option<SecretString>,
    /// How long the access token is good.
    pub lives: Duration,
}

/// What a pair begins with, and a mark of it that tells whether it has changed.
///
/// A refresh token has the entropy of a key, so its hash gives nothing away; of a user only the name goes in, for a password could be guessed.
pub(super) enum Seed {
    /// A refresh token of somebody's making. Good once.
    Token(String, SecretString),
    /// A user, who may log in as often as need be.
    User(String),
}

impl Seed {
    /// Of the Secret as it is now. A refresh token comes first: who puts one there means it.
    pub fn of(credentials: &ClientCredentials) -> Seed {
        let client = credentials.client_id.as_str();
        match (&credentials.refresh_token, &credentials.user) {
            (Some(token), _) => Seed::Token(mark(&["token", client, token.expose_secret()]), token.clone()),
            (None, user) => {
                let name = user.as_ref().map(|user| user.username.as_str()).unwrap_or_default();
                Seed::User(mark(&["user", client, name]))
            }
        }
    }

    pub fn mark(&self) -> &str {
        match self {
            Seed::Token(mark, _) | Seed::User(mark) => mark,
        }
    }

    fn token(&self) -> Option<&SecretString> {
        match self {
            Seed::Token(_, token) => Some(token),
            Seed::User(_) => None,
        }
    }
}

/// sha256 over the parts, each prefixed by its length.
pub(super) fn mark(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        sha.update(part.as_bytes());
    }
    BASE32_NOPAD.encode(&sha.finalize()).to_lowercase()
}

/// What is to be done for an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Use the one that is kept.
    Use,
    /// Somebody is asking for one.
    Await,
    /// It is too early to ask for one.
    Pause {
        /// When it is not any more.
        until: Timestamp,
    },
    /// Ask with the refresh token that is kept.
    Refresh,
    /// Begin with what the Secret holds now.
    Seed,
    /// Log in as the user.
    LogIn,
    /// Nothing that is known helps.
    Stuck,
}

/// What is asked for.
pub(super) struct Ask<'a> {
    /// What the Secret holds.
    pub seed: &'a Seed,
    /// There is a user in it who can log in.
    pub user: bool,
    /// Which of our pairs had its access token refused.
    pub refused: Option<u64>,
    /// Now.
    pub now: Timestamp,
    /// For how long the token must not come of age.
    pub ahead: SignedDuration,
    /// Shortest time between two pairs.
    pub pause: SignedDuration,
}

/// What is to be done. A claim that is too old, or is of ours (`me`) and so left behind, counts as a lost request: the entry that comes back is
/// the one to go on from.
pub(super) fn next(mut entry: Entry, me: &str, ask: &Ask<'_>) -> (Step, Entry) {
    if let Some(claim) = &entry.claim {
        let age = ask.now.duration_since(claim.at).abs();
        if claim.by != me && age < CLAIM {
            return (Step::Await, entry);
        }
        let at = claim.at;
        entry = entry.lost(at);
    }
    let known = entry.seed.as_deref() == Some(ask.seed.mark());
    let step = match ask.seed {
        Seed::Token(mark, _) if !known && !entry.spent.contains(mark) => Step::Seed,
        Seed::User(_) if !known => Step::Seed,
        _ => of_known(&entry, ask),
    };
    (step, entry)
}

fn of_known(entry: &Entry, ask: &Ask<'_>) -> Step {
    let usable = entry.usable(ask.refused, ask.now);
    if usable && !entry.ages(saturating_add(ask.now, ask.ahead)) {
        return Step::Use;
    }
    let (wanted, earliest) = if entry.refresh.is_some() && !entry.dead {
        // While there is an access token left, nothing is risked for another: a refresh token that is used twice may cost both.
        let earliest = if usable {
            entry.earliest(ask.pause)
        } else {
            entry.earliest_refresh(ask.pause)
        };
        (Step::Refresh, earliest)
    } else if ask.user {
        (Step::LogIn, entry.earliest(ask.pause))
    } else {
        (Step::Stuck, Timestamp::MIN)
    };
    match wanted {
        Step::Stuck if usable => Step::Use,
        _ if ask.now >= earliest => wanted,
        _ if usable => Step::Use,
        _ => Step::Pause { until: earliest },
    }
}

fn saturating_add(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn saturating_sub(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// Secrets in an entry.
mod hidden {
    use secrecy::ExposeSecret;
    use secrecy::SecretString;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(value: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ExposeSecret::expose_secret).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
        let value = Option::<String>::deserialize(from)?;
        Ok(value.map(SecretString::from))
    }
}
