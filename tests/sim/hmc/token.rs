//! Authorization tokens: what the customer gives to IBM, so that IBM may schedule updates.
//!
//! Each authorization makes one more [C]. A token begins nothing, and several do no harm; but it is a credential, so its value is in no
//! `Debug` and in no log.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::clock::after;
use super::settings::Settings;
use super::wire::{Refusal, stamp};

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// 6 to 8 characters [C].
    pub value: String,
    /// Simulated time.
    pub expires: Timestamp,
    /// An update was scheduled with it.
    pub used: bool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token {{ expires: {}, used: {} }}", self.expires, self.used)
    }
}

impl Token {
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// As an authorization answers it and a list shows it [C].
    pub fn json(&self, settings: &Settings) -> Value {
        json!({"authorization-token": self.value, "expiration-date": stamp(self.expires, settings)})
    }
}

/// All tokens that were made, oldest first.
#[derive(Default)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Makes one more.
    pub fn create(&mut self, now: Timestamp, settings: &Settings) -> Result<Token, Refusal> {
        let open = self.0.iter().filter(|token| !token.expired(now)).count();
        if settings.max_tokens.is_some_and(|most| open >= most) {
            let text = "There are too many authorization tokens.";
            return Err(Refusal::new(409, settings.token_cap_reason, text));
        }
        let token = Token {
            value: self.unused(settings.token_length),
            expires: self.expiry(now, settings),
            used: false,
        };
        self.0.push(token.clone());
        Ok(token)
    }

    fn unused(&self, length: usize) -> String {
        loop {
            let random = data_encoding::BASE32_NOPAD.encode(uuid::Uuid::new_v4().as_bytes());
            let value: String = random.chars().take(length).collect();
            if self.0.iter().all(|token| token.value != value) {
                return value;
            }
        }
    }

    /// Rounded up to the grain; at one millisecond never twice the same, for two calls do not meet in one.
    fn expiry(&self, now: Timestamp, settings: &Settings) -> Timestamp {
        let grain = i64::try_from(settings.expiry_grain_ms).unwrap_or(i64::MAX).max(1);
        let exact = after(now, settings.token_secs).as_millisecond();
        let rounded = exact.saturating_add(grain - 1).div_euclid(grain).saturating_mul(grain);
        let mut at = Timestamp::from_millisecond(rounded).unwrap_or(Timestamp::MAX);
        while grain == 1 && at < Timestamp::MAX && self.0.iter().any(|token| token.expires == at) {
            at = at.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX);
        }
        at
    }

    /// Those that a list shows.
    pub fn listed(&self, now: Timestamp, settings: &Settings) -> Value {
        let shown = self
            .0
            .iter()
            .filter(|token| (settings.expired_tokens_listed || !token.expired(now)) && (settings.used_tokens_listed || !token.used));
        shown.map(|token| token.json(settings)).collect()
    }

    pub fn all(&self) -> &[Token] {
        &self.0
    }

    /// One that is good now.
    pub fn good(&mut self, value: &str, now: Timestamp) -> Option<&mut Token> {
        self.0.iter_mut().find(|token| token.value == value && !token.expired(now))
    }
}
