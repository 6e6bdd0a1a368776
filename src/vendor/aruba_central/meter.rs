//! The account's calls: so many a second, and so many a day until midnight GMT (`vendors.md` 1.3).
//!
//! An account is a provider's; a call for one of its customers is charged to it, whoever makes it, so one [`Account`] is shared by all
//! Connections of this process that lead to the same one. [`Meter`] is a Connection's view of it, with the Connection's own limit on top. Two
//! counts are kept, Central's, where its answers tell it, and our own: an answer without the headers is no licence.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

use crate::clock::Clock;
use crate::upgrade::quota::Quota;
use crate::upgrade::quota::Spend;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;
use crate::vendor::error::VendorError;
use crate::vendor::http::Gate;
use crate::vendor::http::Limits;
use crate::vendor::http::Place;
use crate::vendor::http::Reply;

/// Calls a second that Central takes where it does not say otherwise (`vendors.md` 1.3).
const PER_SECOND: u32 = 7;

/// A call may be this much of a second longer or shorter on its way than the one before it: with less between two that must not be in one second,
/// some would arrive there together. Central counts when they arrive.
const ON_ITS_WAY: u32 = 33;

/// How many looks, and how many preparations of starts, are under way at once. Each then has its next call within about two seconds, however many
/// wait for their turn: a look that began and then waited would be old before it was whole.
const AT_ONCE: usize = PER_SECOND as usize;

/// Longest pause after a 429 that says neither how long nor of which limit, in seconds that Central counts by.
const LONGEST_BLIND_PAUSE: u32 = 64;

/// The calls of one account at Central, by whichever Connection.
#[derive(Debug)]
pub struct Account {
    calls: Mutex<Calls>,
    /// Turns of looks that wait or watch.
    looks: Semaphore,
    /// Turns of preparations: they wait for no look.
    preparations: Semaphore,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            calls: Mutex::default(),
            looks: Semaphore::new(AT_ONCE),
            preparations: Semaphore::new(AT_ONCE),
        }
    }
}

impl Account {
    /// That so many were made of the day that ends then, by an earlier process: what is left of a Connection's own limit outlives the process that
    /// counted. What this process has counted itself is better known.
    pub fn made_before(&self, calls: u32, day_ends: Timestamp, now: Timestamp) {
        let mut known = self.calls();
        let today = known.on(now);
        if today.ours == 0 && day_ends == midnight(now) {
            today.ours = calls;
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Calls {
    day: Option<Date>,
    /// That we made today.
    ours: u32,
    told: Option<Told>,
    /// The last ones, oldest first.
    recent: VecDeque<Mono>,
    /// Starts that have their place and did not go out yet: as if each were about to.
    places: u32,
    per_second: Option<u32>,
    /// No call before this.
    held_until: Option<Mono>,
    /// Refusals in a row that did not say how long.
    blind: u32,
}

/// What Central said last.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// When we asked.
    asked: Timestamp,
    limit: u32,
    left: u32,
}

impl Calls {
    /// Another day is another count.
    fn on(&mut self, now: Timestamp) -> &mut Calls {
        let today = day(now);
        if self.day != Some(today) {
            self.day = Some(today);
            self.ours = 0;
            self.told = None;
        }
        self
    }

    fn made(&mut self, now: Timestamp, mono: Mono) {
        let calls = self.on(now);
        calls.ours = calls.ours.saturating_add(1);
        if let Some(told) = &mut calls.told {
            told.left = told.left.saturating_sub(1);
        }
        calls.recent.push_back(mono);
    }

    /// An answer that was asked for on another day, or before the one that is known, says nothing of today.
    fn hear(&mut self, asked: Timestamp, now: Timestamp, limits: Limits) {
        let known = self.on(now).told.map(|told| told.asked);
        self.per_second = limits.per_second.or(self.per_second);
        let fresh = day(asked) == day(now) && known.is_none_or(|known| asked >= known);
        if let (Some(limit), Some(left), true) = (limits.per_day, limits.left_today, fresh) {
            self.told = Some(Told { asked, limit, left });
        }
    }
}

/// The calls of one Connection.
#[derive(Clone)]
pub(super) struct Meter {
    authority: String,
    account: Arc<Account>,
    /// `spec.limits.requestsPerDay`.
    per_day: u32,
    clock: Clock,
    /// What Central counts by as a second.
    second: Duration,
    longest_hold: Duration,
}

impl Meter {
    pub fn new(authority: String, account: Arc<Account>, per_day: u32, clock: Clock, timing: &Timing) -> Meter {
        Meter {
            authority,
            account,
            per_day,
            clock,
            second: timing.central_second,
            longest_hold: timing.retry_max,
        }
    }

    /// What is left of today, as far as it is known.
    pub fn quota(&self) -> Quota {
        let now = self.clock.wall();
        let mut calls = self.account.calls();
        let (ours, told, held) = {
            let calls = calls.on(now);
            (
                calls.ours,
                calls.told,
                calls.held_until.is_some_and(|until| self.clock.mono() < until),
            )
        };
        // None left by Central's word, and yet it may be asked again: what it said is too old to go by. Its midnight need not be ours.
        let told = told.filter(|told| told.left > 0 || held);
        let limit = told.map_or(self.per_day, |told| told.limit.min(self.per_day));
        let left = self.per_day.saturating_sub(ours).min(limit);
        Quota {
            limit,
            remaining: told.map_or(left, |told| told.left.min(left)),
            resets_at: midnight(now),
        }
    }

    /// Whether so many calls may be made for this.
    pub fn afford(&self, spend: Spend, calls: u32) -> Result<(), VendorError> {
        let quota = self.quota();
        if quota.affords(spend, calls, self.clock.wall()) {
            return Ok(());
        }
        Err(self.used_up(quota))
    }

    fn used_up(&self, quota: Quota) -> VendorError {
        VendorError::QuotaUsedUp {
            authority: self.authority.clone(),
            left: quota.remaining,
            limit: quota.limit,
            until: quota.resets_at,
        }
    }

    /// Takes a call of this second; how long to wait for one where there is none.
    fn take(&self, call: Charged) -> Result<Option<Duration>, VendorError> {
        let (now, mono) = (self.clock.wall(), self.clock.mono());
        let window = self.second + self.second / ON_ITS_WAY;
        let mut calls = self.account.calls();
        if let Some(left) = calls.held_until.map(|until| until.since(mono)).filter(|left| !left.is_zero()) {
            let exhausted = calls.on(now).told.is_some_and(|told| told.left == 0);
            drop(calls);
            return Err(if exhausted {
                self.used_up(self.quota())
            } else {
                VendorError::Throttled {
                    authority: self.authority.clone(),
                    after: Some(left),
                }
            });
        }
        let places = calls.places;
        if calls.on(now).ours.saturating_add(places) >= self.per_day {
            drop(calls);
            return Err(self.used_up(self.quota()));
        }
        while calls.recent.front().is_some_and(|at| mono.since(*at) >= window) {
            calls.recent.pop_front();
        }
        let allowed = calls.per_second.unwrap_or(PER_SECOND).clamp(1, PER_SECOND);
        let (made, places) = (calls.recent.len(), calls.places);
        let taken = u32::try_from(made).unwrap_or(u32::MAX).saturating_add(places);
        if taken < allowed {
            match call {
                Charged::Now => calls.made(now, mono),
                Charged::Later => calls.places += 1,
            }
            return Ok(None);
        }
        // The one whose end makes room for this one; where all are places, whoever has one goes out or gives it back.
        let at = usize::try_from(taken - allowed).unwrap_or(usize::MAX);
        let gone = calls.recent.get(at).map_or_else(|| mono.plus(window), |at| at.plus(window));
        Ok(Some(gone.since(mono).max(Duration::from_millis(1))))
    }

    /// Waits for the place of a start. The last thing that preparing one waits for.
    pub async fn place(&self) -> Result<Place, VendorError> {
        while let Some(wait) = self.take(Charged::Later)? {
            self.clock.sleep(wait).await;
        }
        let kept = Kept(self.clone());
        Ok(Box::new(move || kept.goes_out()))
    }

    /// Waits for the turn of a look; over when it is dropped.
    pub async fn turn_of_look(&self) -> Option<SemaphorePermit<'_>> {
        // No error: it is never closed.
        self.account.looks.acquire().await.ok()
    }

    /// Waits for the turn of a preparation; over when it is dropped.
    pub async fn turn_of_preparation(&self) -> Option<SemaphorePermit<'_>> {
        self.account.preparations.acquire().await.ok()
    }

    /// How long a 429 asks us to wait: until Central's day is over (which is asked again every now and then, for its midnight need not be
    /// ours), for a second, or, where it does not say, longer each time.
    fn hold(&self, calls: &mut Calls, now: Timestamp, reply: &Reply) -> Duration {
        let told = reply.limits;
        if let Some(wanted) = reply.retry_after {
            return wanted.min(self.longest_hold);
        }
        if told.left_today == Some(0) {
            return until(now, midnight(now)).min(self.longest_hold);
        }
        if told.left_this_second == Some(0) {
            return self.second;
        }
        calls.blind = calls.blind.saturating_add(1);
        let seconds = 1_u32
            .checked_shl(calls.blind - 1)
            .unwrap_or(LONGEST_BLIND_PAUSE)
            .min(LONGEST_BLIND_PAUSE);
        (self.second * seconds).min(self.longest_hold)
    }
}

/// When a call is charged that was let through.
#[derive(Clone, Copy)]
enum Charged {
    /// It goes out now.
    Now,
    /// It is a start, and has its place.
    Later,
}

/// A place that was taken, until its start goes out.
struct Kept(Meter);

impl Kept {
    /// Counted as a call from now on, and no longer as a place: that goes with this.
    fn goes_out(self) {
        let (now, mono) = (self.0.clock.wall(), self.0.clock.mono());
        self.0.account.calls().made(now, mono);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut calls = self.0.account.calls();
        calls.places = calls.places.saturating_sub(1);
    }
}

impl Gate for Meter {
    fn pass(&self) -> BoxFuture<'_, Result<(), VendorError>> {
        async move {
            while let Some(wait) = self.take(Charged::Now)? {
                self.clock.sleep(wait).await;
            }
            Ok(())
        }
        .boxed()
    }

    fn answered(&self, asked: Timestamp, reply: &Reply) -> Option<VendorError> {
        let (now, mono) = (self.clock.wall(), self.clock.mono());
        let mut calls = self.account.calls();
        calls.hear(asked, now, reply.limits);
        if reply.status != 429 {
            calls.blind = 0;
            return None;
        }
        let until = mono.plus(self.hold(&mut calls, now, reply));
        calls.held_until = Some(calls.held_until.map_or(until, |known| known.max(until)));
        drop(calls);
        (reply.limits.left_today == Some(0)).then(|| self.used_up(self.quota()))
    }
}

/// How long to wait after a start that was one too many; `None` where Central does not say.
pub(super) fn pause_after_start(limits: Limits, retry_after: Option<Duration>, now: Timestamp, longest: Duration) -> Option<Duration> {
    let of_the_day = (limits.left_today == Some(0)).then(|| until(now, midnight(now)));
    retry_after.or(of_the_day).map(|wanted| wanted.min(longest))
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// The day in GMT.
fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// The next one, in GMT.
fn midnight(now: Timestamp) -> Timestamp {
    let next = day(now).checked_add(1.day()).and_then(|next| next.to_zoned(TimeZone::UTC));
    next.map_or(Timestamp::MAX, |next| next.timestamp())
}

/// One call at a time, each a while after the one before: the steps of a login (`vendors.md` 1.3).
pub(super) struct OneByOne {
    last: Mutex<Option<Mono>>,
    pause: Duration,
    clock: Clock,
}

impl OneByOne {
    pub fn new(pause: Duration, clock: Clock) -> OneByOne {
        OneByOne {
            last: Mutex::default(),
            pause,
            clock,
        }
    }

    fn take(&self) -> Option<Duration> {
        let mono = self.clock.mono();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let early = last.map(|last| last.plus(self.pause).since(mono)).filter(|early| !early.is_zero());
        if early.is_none() {
            *last = Some(mono);
        }
        early
    }
}

impl Gate for OneByOne {
    fn pass(&self) -> BoxFuture<'_, Result<(), VendorError>> {
        async move {
            while let Some(wait) = self.take() {
                self.clock.sleep(wait).await;
            }
            Ok(())
        }
        .boxed()
    }

    fn answered(&self, _: Timestamp, _: &Reply) -> Option<VendorError> {
        None
    }
}
