//! Tokens: pairs of an access and a refresh token, in families. A family is what came of one login; a refresh token is used once [C].
//!
//! Called by `oauth`, `api` and tests. That a dead refresh token, used again, ends its whole family is what OAuth recommends for tokens that
//! rotate, and [U] here. Times are simulated.

use std::collections::BTreeSet;

use anyhow::Context;
use jiff::Timestamp;

use super::super::clock::after;
use super::super::secret::Secret;
use super::account::Account;
use super::settings::Settings;
use super::wire::Refusal;

/// What a client is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub access: Secret,
    pub refresh: Secret,
    /// Simulated seconds.
    pub expires_in: u64,
}

/// What came of one login.
struct Family {
    client_id: String,
    /// Each with its end.
    access: Vec<(String, Timestamp)>,
    refresh: Option<String>,
    refresh_ends: Timestamp,
    spent: BTreeSet<String>,
}

impl Family {
    fn new(account: &Account) -> Self {
        Self {
            client_id: account.client_id.clone(),
            access: Vec::new(),
            refresh: None,
            refresh_ends: Timestamp::MIN,
            spent: BTreeSet::new(),
        }
    }

    fn issue(&mut self, now: Timestamp, settings: &Settings) -> Pair {
        if !settings.old_access_survives {
            self.access.clear();
        }
        let access = made();
        self.access.push((access.clone(), after(now, settings.access_secs)));
        if settings.refresh_rotates || self.refresh.is_none() {
            self.spent.extend(self.refresh.replace(made()));
        }
        self.refresh_ends = after(now, settings.refresh_idle_secs);
        Pair {
            access: Secret::new(&access),
            refresh: Secret::new(self.refresh.as_deref().unwrap_or_default()),
            expires_in: settings.access_secs,
        }
    }

    fn end(&mut self) {
        self.access.clear();
        self.spent.extend(self.refresh.take());
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let good = self.access.iter().filter(move |(_, ends)| now < *ends);
        good.map(|(token, _)| token.as_str())
    }
}

fn made() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// All tokens of all clients.
#[derive(Default)]
pub struct Tokens {
    families: Vec<Family>,
    /// The client and the time of each pair that was ever made.
    issued: Vec<(String, Timestamp)>,
    refreshes: u64,
    reuses: u64,
}

impl Tokens {
    /// The first pair of a new family.
    pub fn issue(&mut self, account: &Account, now: Timestamp, settings: &Settings) -> Pair {
        let mut family = Family::new(account);
        let pair = family.issue(now, settings);
        self.families.push(family);
        self.issued.push((account.client_id.clone(), now));
        pair
    }

    /// Whether a client may have another pair already.
    pub fn may_issue(&self, client_id: &str, now: Timestamp, settings: &Settings) -> Result<(), Refusal> {
        let Some(interval) = settings.token_interval_secs else {
            return Ok(());
        };
        let last = self.issued.iter().rfind(|(client, _)| client == client_id);
        if last.is_some_and(|(_, at)| now < after(*at, interval)) {
            return Err(Refusal::gateway(settings.token_limit_status, "API rate limit exceeded"));
        }
        Ok(())
    }

    /// The next pair of the family that the token is of.
    pub fn refresh(&mut self, account: &Account, token: &str, now: Timestamp, settings: &Settings) -> Result<Pair, Refusal> {
        let refused = || Refusal::token(settings.failed_refresh, "invalid_grant", "Invalid refresh_token");
        let mut own = self.families.iter_mut().filter(|family| family.client_id == account.client_id);
        let known = |family: &Family| family.refresh.as_deref() == Some(token) || family.spent.contains(token);
        let family = own.find(|family| known(family)).ok_or_else(refused)?;
        if family.refresh.as_deref() != Some(token) {
            self.reuses += 1;
            if settings.reuse_kills_family {
                family.end();
            }
            return Err(refused());
        }
        if now >= family.refresh_ends {
            family.end();
            return Err(refused());
        }
        self.may_issue(&account.client_id, now, settings)?;
        // Found again, for the look above was at all families.
        let family = self.families.iter_mut().find(|family| known(family)).ok_or_else(refused)?;
        let pair = family.issue(now, settings);
        self.refreshes += 1;
        self.issued.push((account.client_id.clone(), now));
        Ok(pair)
    }

    /// The client whose access token this is, if it is good.
    pub fn client(&self, access: &str, now: Timestamp) -> Option<&str> {
        let family = self.families.iter().find(|family| family.live(now).any(|token| token == access))?;
        Some(&family.client_id)
    }

    /// The newest access token of a client that is good.
    pub fn newest(&self, client_id: &str, now: Timestamp) -> anyhow::Result<Secret> {
        let mut own = self.families.iter().rev().filter(|family| family.client_id == client_id);
        let token = own.find_map(|family| family.live(now).last()).context("no access token is good")?;
        Ok(Secret::new(token))
    }

    /// How many access tokens are good.
    pub fn count(&self, now: Timestamp) -> usize {
        self.families.iter().map(|family| family.live(now).count()).sum()
    }

    /// How many pairs were ever made.
    pub fn issued(&self) -> usize {
        self.issued.len()
    }

    /// How many of them by a refresh.
    pub fn refreshes(&self) -> u64 {
        self.refreshes
    }

    /// How often somebody used a refresh token that was dead.
    pub fn reuses(&self) -> u64 {
        self.reuses
    }

    /// All access tokens end now; how many there were. Refresh tokens stay.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let live = self.count(now);
        self.families.iter_mut().for_each(|family| family.access.clear());
        live
    }

    /// All tokens end now, as when a user takes them back.
    pub fn revoke(&mut self) {
        self.families.iter_mut().for_each(Family::end);
    }
}
