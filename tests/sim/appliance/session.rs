//! Users and sessions.
//!
//! Called by the API of this simulator. A session is the base64 of a random UUID (as in the specification's example) with two ends,
//! one after idleness and one absolute, both on the simulated clock; when exactly is a toggle [U].

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::settings::{SessionLimit, Settings};
use super::wire::Refusal;

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: String,
    /// May read.
    pub reads: bool,
    /// May change things, and so may install.
    pub manages: bool,
    /// The password has expired: no login until it is changed.
    pub expired: bool,
}

impl User {
    /// May do everything.
    pub fn manager(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            reads: true,
            manages: true,
            expired: false,
        }
    }

    /// Reads everything, may change nothing.
    pub fn reader(name: &str, password: &str) -> Self {
        Self {
            manages: false,
            ..Self::manager(name, password)
        }
    }

    /// Can log in and is refused everything else.
    pub fn stranger(name: &str, password: &str) -> Self {
        Self {
            reads: false,
            ..Self::reader(name, password)
        }
    }
}

#[derive(Clone, Debug)]
struct Session {
    user: String,
    created: Timestamp,
    accessed: Timestamp,
    /// Its place in the order of logins: two may have the same time.
    number: u64,
}

/// The sessions that are live.
#[derive(Debug, Default)]
pub struct Sessions {
    live: BTreeMap<String, Session>,
    made: u64,
}

impl Sessions {
    /// Logs in and gives the session id.
    pub fn create(&mut self, user: &User, now: Timestamp, settings: &Settings) -> Result<String, Refusal> {
        self.purge(now, settings);
        if self.live.len() >= settings.max_sessions {
            let full = |status| {
                Err(Refusal::new(
                    status,
                    "SESSION_LIMIT",
                    "The maximum number of sessions has been reached.",
                ))
            };
            match settings.session_limit {
                SessionLimit::InternalError => return full(500),
                SessionLimit::BadRequest => return full(400),
                SessionLimit::EndsOldest => self.end_oldest(),
            }
        }
        let id = data_encoding::BASE64.encode(uuid::Uuid::new_v4().to_string().as_bytes());
        self.made += 1;
        let session = Session {
            user: user.name.clone(),
            created: now,
            accessed: now,
            number: self.made,
        };
        self.live.insert(id.clone(), session);
        Ok(id)
    }

    fn end_oldest(&mut self) {
        let oldest = self.live.iter().min_by_key(|(_, session)| session.number);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.live.remove(&id);
        }
    }

    /// The user of a live session, whose idle time begins anew.
    pub fn touch(&mut self, id: &str, now: Timestamp, settings: &Settings) -> Option<String> {
        self.purge(now, settings);
        let session = self.live.get_mut(id)?;
        session.accessed = now;
        Some(session.user.clone())
    }

    /// Is the id good? Does not prolong it.
    pub fn knows(&self, id: &str, now: Timestamp, settings: &Settings) -> bool {
        self.live.get(id).is_some_and(|session| session.live(now, settings))
    }

    /// Logs out.
    pub fn remove(&mut self, id: &str) {
        self.live.remove(id);
    }

    /// The ids that are live.
    pub fn ids(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }

    /// How many are live.
    pub fn count(&mut self, now: Timestamp, settings: &Settings) -> usize {
        self.purge(now, settings);
        self.live.len()
    }

    /// How many were ever made.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Ends all; how many there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.live).len()
    }

    fn purge(&mut self, now: Timestamp, settings: &Settings) {
        self.live.retain(|_, session| session.live(now, settings));
    }
}

impl Session {
    fn live(&self, now: Timestamp, settings: &Settings) -> bool {
        within(self.accessed, now, settings.session_idle_secs) && within(self.created, now, settings.session_absolute_secs)
    }
}

fn within(since: Timestamp, now: Timestamp, secs: u64) -> bool {
    let limit = SignedDuration::try_from(Duration::from_secs(secs)).unwrap_or(SignedDuration::MAX);
    now.duration_since(since) < limit
}
