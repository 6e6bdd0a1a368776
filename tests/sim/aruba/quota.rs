//! The quota of calls: so many a day, until midnight GMT, and so many a second [C], counted on the simulated clock.
//!
//! Called by `api` for each call that carries a good token. It is an account's, not a token's: a call for a tenant with the provider's token
//! is charged to the provider [C]. A call that is refused for it is not charged [U].

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use super::super::clock::after;
use super::super::vendor::Reply;
use super::settings::{RetryAfter, Settings};

/// The calls of one account.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Quota {
    /// By day, those that were charged.
    days: BTreeMap<Date, u64>,
    second: i64,
    in_second: u64,
    refused: u64,
}

/// What an answer says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub left_today: u64,
    pub left_in_second: u64,
    /// The call was one too many; when there may be another one.
    pub refused_until: Option<Timestamp>,
}

/// The day in GMT.
pub fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

impl Quota {
    /// Charges a call, unless it is one too many.
    pub fn charge(&mut self, now: Timestamp, settings: &Settings) -> Standing {
        if now.as_second() != self.second {
            (self.second, self.in_second) = (now.as_second(), 0);
        }
        let today = self.today(now);
        let refused_until = if today >= settings.per_day {
            Some(midnight(now))
        } else if settings.enforce_second && self.in_second >= settings.per_second {
            Some(after(now, 1))
        } else {
            None
        };
        if refused_until.is_some() {
            self.refused += 1;
        } else {
            self.in_second += 1;
            *self.days.entry(day(now)).or_default() += 1;
        }
        Standing {
            left_today: settings.per_day.saturating_sub(self.today(now)),
            left_in_second: settings.per_second.saturating_sub(self.in_second),
            refused_until,
        }
    }

    /// Somebody else with the same account makes calls.
    pub fn use_up(&mut self, calls: u64, now: Timestamp) {
        *self.days.entry(day(now)).or_default() += calls;
    }

    pub fn today(&self, now: Timestamp) -> u64 {
        self.days.get(&day(now)).copied().unwrap_or_default()
    }

    pub fn days(&self) -> &BTreeMap<Date, u64> {
        &self.days
    }

    /// Calls that were one too many.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// The next one, in GMT; at the end of the calendar there is none.
fn midnight(now: Timestamp) -> Timestamp {
    let next = day(now).checked_add(1.day()).and_then(|next| next.to_zoned(TimeZone::UTC));
    next.map_or(Timestamp::MAX, |next| next.timestamp())
}

impl Standing {
    /// Of somebody who has made no call.
    pub fn fresh(settings: &Settings) -> Self {
        Self {
            left_today: settings.per_day,
            left_in_second: settings.per_second,
            refused_until: None,
        }
    }

    /// Adds the headers [C], and `Retry-After` as told [U].
    pub fn tell(self, reply: Reply, now: Timestamp, settings: &Settings) -> Reply {
        let reply = reply
            .with_header("X-RateLimit-Limit-day", settings.per_day.to_string())
            .with_header("X-RateLimit-Remaining-day", self.left_today.to_string())
            .with_header("X-RateLimit-Limit-second", settings.per_second.to_string())
            .with_header("X-RateLimit-Remaining-second", self.left_in_second.to_string());
        match (self.refused_until, settings.retry_after) {
            (None, _) | (_, RetryAfter::Absent) => reply,
            (Some(until), RetryAfter::Seconds) => {
                let secs = until.as_second() - now.as_second();
                reply.with_header("Retry-After", secs.max(1).to_string())
            }
            (Some(until), RetryAfter::Date) => {
                let date = until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                reply.with_header("Retry-After", date)
            }
        }
    }
}
