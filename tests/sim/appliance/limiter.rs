//! The request limiter with its temporary ban.
//!
//! That this API family has one is said in a comment of the vendor's own samples; its numbers and its answer are not known, so all are
//! toggles and it is off by default. Called by `api` before anything else looks at a request. It counts on the simulated clock: with a
//! clock that runs fast a window is short.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::super::clock::after;
use super::settings::Settings;

#[derive(Debug, Default)]
pub struct Limiter {
    seen: VecDeque<Timestamp>,
    banned_until: Option<Timestamp>,
    bans: u64,
}

impl Limiter {
    /// May this request be looked at?
    pub fn admits(&mut self, now: Timestamp, settings: &Settings) -> bool {
        let Some(requests) = settings.rate_requests else {
            self.banned_until = None;
            return true;
        };
        if self.banned_until.is_some_and(|until| now < until) {
            return false;
        }
        self.banned_until = None;
        self.seen.retain(|at| now < after(*at, settings.rate_window_secs));
        self.seen.push_back(now);
        if self.seen.len() <= requests {
            return true;
        }
        self.seen.clear();
        self.banned_until = Some(after(now, settings.rate_ban_secs));
        self.bans += 1;
        false
    }

    /// How often somebody was banned.
    pub fn bans(&self) -> u64 {
        self.bans
    }
}
