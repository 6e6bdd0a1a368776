//! Users and sessions.
//!
//! Called by the API of this simulator. A session is a random token with two ends, one after idleness and one absolute, both on the
//! simulated clock [C]; when exactly is a toggle [U]. What was started goes on when its session ends [C].

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::settings::Settings;
use super::wire::{Refusal, time};

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: String,
    /// May read software/clusters.
    pub reads: bool,
    /// Has Namespaces.Manage, and so may start.
    pub manages: bool,
    /// Clusters on which that privilege is missing: one of them refuses the whole call [C].
    pub except: Vec<String>,
}

impl User {
    /// With Namespaces.Manage.
    pub fn manager(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            reads: true,
            manages: true,
            except: Vec::new(),
        }
    }

    /// Reads everything, may start nothing. Whether reading needs the privilege too is [U].
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
}

/// The sessions that are live.
#[derive(Debug, Default)]
pub struct Sessions {
    live: BTreeMap<String, Session>,
}

impl Sessions {
    /// Logs in and gives the token.
    pub fn create(&mut self, user: &User, now: Timestamp, settings: &Settings) -> Result<String, Refusal> {
        self.purge(now, settings);
        if self.live.len() >= settings.max_sessions {
            return Err(Refusal::new(
                "SERVICE_UNAVAILABLE",
                "The maximum number of sessions has been reached.",
            ));
        }
        let token = uuid::Uuid::new_v4().simple().to_string();
        self.live.insert(
            token.clone(),
            Session {
                user: user.name.clone(),
                created: now,
                accessed: now,
            },
        );
        Ok(token)
    }

    /// The user of a live session, whose idle time begins anew; and what the session looked like before.
    pub fn touch(&mut self, token: &str, now: Timestamp, settings: &Settings) -> Option<(String, Value)> {
        self.purge(now, settings);
        let session = self.live.get_mut(token)?;
        let before = json!({"user": session.user, "created_time": time(session.created), "last_accessed_time": time(session.accessed)});
        session.accessed = now;
        Some((session.user.clone(), before))
    }

    /// Is the token good? Does not prolong it.
    pub fn knows(&self, token: &str, now: Timestamp, settings: &Settings) -> bool {
        self.live.get(token).is_some_and(|session| session.live(now, settings))
    }

    /// Logs out.
    pub fn remove(&mut self, token: &str) {
        self.live.remove(token);
    }

    /// The tokens that are live.
    pub fn tokens(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }

    /// How many are live.
    pub fn count(&mut self, now: Timestamp, settings: &Settings) -> usize {
        self.purge(now, settings);
        self.live.len()
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
