//! An access token as it is used: what a call shows, and how long it is good.

use jiff::SignedDuration;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use super::entry::Entry;

/// An access token.
pub(super) struct Access {
    /// `Bearer ...`, for the header.
    pub bearer: SecretString,
    /// Of which pair it is.
    pub generation: u64,
    /// Until when it is good.
    pub expires: Timestamp,
    /// From when on another one is asked for.
    ages: Timestamp,
}

impl Access {
    /// The one in an entry, if there is one.
    pub fn of(entry: &Entry) -> Option<Access> {
        let (token, expires) = (entry.access.as_ref()?, entry.expires?);
        let life = entry.issued.map_or(SignedDuration::ZERO, |issued| expires.duration_since(issued));
        Some(Access {
            bearer: SecretString::from(format!("Bearer {}", token.expose_secret())),
            generation: entry.generation,
            expires,
            ages: expires.checked_sub(life / 3).unwrap_or(expires),
        })
    }

    /// Another one is to be asked for, now or so soon.
    pub fn aged(&self, now: Timestamp, ahead: SignedDuration) -> bool {
        now.checked_add(ahead).unwrap_or(now) >= self.ages
    }
}
