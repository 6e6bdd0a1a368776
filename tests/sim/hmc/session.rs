//! Users and sessions.
//!
//! Called by the API of this simulator. A session has two ends, one after idleness and one absolute, both on the simulated clock.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::clock::after;
use super::secret::Secret;
use super::settings::Settings;
use super::wire::Refusal;

/// How the logon of a user goes that needs more than a password [U what exactly each means; the numbers are C].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mfa {
    /// 201: a shared secret was made for the user, who has to set it up first.
    SecretMade,
    /// 409.50
    CodeMissing,
    /// 409.51
    CodeWrong,
}

/// Somebody who may log on.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "tasks that a user has or has not, one by one")]
pub struct User {
    pub name: String,
    pub password: Secret,
    /// Has more than a password to give.
    pub mfa: Option<Mfa>,
    /// Days until the password expires; -1 is never [C].
    pub password_expires: i64,
    /// May see the console: without it there is none for this user.
    pub sees_console: bool,
    /// Has the task Manage Remote Firmware Updates.
    pub manages_updates: bool,
    /// Has the task Cancel Scheduled Update.
    pub cancels_updates: bool,
    /// Has the task Single Step Console Internal Code.
    pub installs: bool,
}

impl User {
    /// May do everything.
    pub fn manager(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: Secret::new(password),
            mfa: None,
            password_expires: -1,
            sees_console: true,
            manages_updates: true,
            cancels_updates: true,
            installs: true,
        }
    }

    /// Sees the console, and has no task.
    pub fn reader(name: &str, password: &str) -> Self {
        Self {
            manages_updates: false,
            cancels_updates: false,
            installs: false,
            ..Self::manager(name, password)
        }
    }

    /// May do everything, once logged on with more than a password.
    #[must_use]
    pub fn with_mfa(mut self, mfa: Mfa) -> Self {
        self.mfa = Some(mfa);
        self
    }
}

#[derive(Clone, Debug)]
struct Session {
    user: String,
    created: Timestamp,
    accessed: Timestamp,
}

/// The sessions that are live.
#[derive(Default)]
pub struct Sessions {
    live: BTreeMap<String, Session>,
    made: u64,
}

impl Sessions {
    /// Logs on and gives the session's id. One too many of a user's is 400.13 [C].
    pub fn create(&mut self, user: &User, now: Timestamp, settings: &Settings) -> Result<String, Refusal> {
        self.purge(now, settings);
        if self.live.values().filter(|session| session.user == user.name).count() >= settings.max_sessions {
            let text = "The user has the maximum number of sessions.";
            return Err(Refusal::new(400, 13, text));
        }
        let id = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        self.made += 1;
        let session = Session {
            user: user.name.clone(),
            created: now,
            accessed: now,
        };
        self.live.insert(id.clone(), session);
        Ok(id)
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

    /// Logs off.
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
        now < after(self.accessed, settings.session_idle_secs) && now < after(self.created, settings.session_secs)
    }
}
