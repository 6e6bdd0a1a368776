//! The request log, and the log of committed starts: the oracle of every test.
//!
//! A *committed start* is written by the vendor's simulator under the same lock that begins the upgrade (or says that it does), so
//! it is there whatever became of the answer. The log survives a restart of the listener. It may not be cleared or edited: a test
//! that wants an empty one starts a new simulator.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::{Clock, lock};

/// One start that the vendor took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Start {
    pub target: String,
    pub version: String,
    /// The rest of what was asked for.
    pub options: Value,
    pub user_agent: String,
    /// Simulated time.
    pub at: Timestamp,
    /// The number of the request that carried it. An intermediary's second copy has the same.
    pub request: u64,
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub number: u64,
    /// Which TCP connection carried it, from 1. A start has to come on a fresh one.
    pub connection: u64,
    /// Simulated time of arrival.
    pub at: Timestamp,
    /// Real time of arrival.
    pub wall: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    /// On whose behalf, where a header says so.
    pub scope: Option<String>,
    /// The body where it is JSON.
    pub body: Option<Value>,
    pub user_agent: String,
    /// Did it carry a valid session?
    pub session: bool,
    /// Did it ask for a start?
    pub start: bool,
    /// The fault rule that took it.
    pub rule: Option<u64>,
    pub outcome: Outcome,
}

/// How a request ended, as far as the simulator can see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not answered yet.
    Open,
    /// Answered in full with this status.
    Answered(u16),
    /// Not answered, or not in full: how it was cut.
    Cut(String),
}

/// A shared handle of one simulator's log.
#[derive(Clone, Debug)]
pub struct Log {
    clock: Clock,
    book: Arc<Mutex<Book>>,
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Book {
    entries: Vec<Entry>,
    starts: Vec<Start>,
    elsewhere: Vec<Start>,
    granted: Vec<Start>,
}

impl Log {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            book: Arc::default(),
            written: watch::Sender::new(0),
        }
    }

    /// All committed starts, oldest first.
    pub fn committed(&self) -> Vec<Start> {
        lock(&self.book).starts.clone()
    }

    /// The committed starts of one target.
    pub fn starts(&self, target: &str) -> Vec<Start> {
        lock(&self.book)
            .starts
            .iter()
            .filter(|start| start.target == target)
            .cloned()
            .collect()
    }

    /// What somebody else began, without a request: never a committed start, and no request has its number 0.
    pub fn elsewhere(&self) -> Vec<Start> {
        lock(&self.book).elsewhere.clone()
    }

    /// What the vendor granted on a request, and which begins nothing by itself: a token with which others may start something.
    pub fn granted(&self) -> Vec<Start> {
        lock(&self.book).granted.clone()
    }

    /// Committed starts beyond the first of each target and version. Must be empty at the end of every story whose runs have no
    /// run key: a vendor cannot see one, so a story that uses it counts for itself.
    pub fn duplicates(&self) -> Vec<Start> {
        let mut seen = BTreeMap::<(String, String), u32>::new();
        let beyond_the_first = |start: &Start| {
            let times = seen.entry((start.target.clone(), start.version.clone())).or_default();
            *times += 1;
            *times > 1
        };
        let mut starts = self.committed();
        let mut beyond_the_first = beyond_the_first;
        starts.retain(|start| beyond_the_first(start));
        starts
    }

    /// All requests, oldest first.
    pub fn requests(&self) -> Vec<Entry> {
        lock(&self.book).entries.clone()
    }

    /// How many of these requests came on each simulated day, in GMT.
    pub fn per_day(&self, which: impl Fn(&Entry) -> bool) -> BTreeMap<Date, usize> {
        let mut days = BTreeMap::new();
        for entry in lock(&self.book).entries.iter().filter(|entry| which(entry)) {
            *days.entry(TimeZone::UTC.to_datetime(entry.at).date()).or_default() += 1;
        }
        days
    }

    /// The requests that asked for a start, whatever became of them.
    pub fn posts(&self) -> Vec<Entry> {
        lock(&self.book).entries.iter().filter(|entry| entry.start).cloned().collect()
    }

    /// The requests that asked for a start, were answered, and started and granted nothing.
    pub fn refused_posts(&self) -> Vec<Entry> {
        let book = lock(&self.book);
        let taken = |entry: &Entry| book.starts.iter().chain(&book.granted).any(|start| start.request == entry.number);
        let refused = |entry: &&Entry| entry.start && matches!(entry.outcome, Outcome::Answered(_)) && !taken(entry);
        book.entries.iter().filter(refused).cloned().collect()
    }

    /// Returns once `enough` holds, looked at now and after every change of the log.
    pub async fn wait_until(&self, mut enough: impl FnMut(&Self) -> bool) {
        let mut written = self.written.subscribe();
        loop {
            written.mark_unchanged();
            if enough(self) {
                return;
            }
            // Cannot fail: this handle holds a sender.
            let _ = written.changed().await;
        }
    }

    /// Writes a committed start. Called by a vendor's simulator under its own lock.
    pub(super) fn commit(&self, start: Start) {
        lock(&self.book).starts.push(start);
        self.bump();
    }

    /// Writes what somebody else began.
    pub(super) fn note_elsewhere(&self, start: Start) {
        lock(&self.book).elsewhere.push(start);
        self.bump();
    }

    /// Writes what was granted. Called by a vendor's simulator under its own lock.
    pub(super) fn grant(&self, grant: Start) {
        lock(&self.book).granted.push(grant);
        self.bump();
    }

    /// Writes a new request, still open, and returns its number.
    pub(super) fn begin(&self, entry: impl FnOnce(u64, Timestamp) -> Entry) -> u64 {
        let at = self.clock.now();
        let number = {
            let mut book = lock(&self.book);
            let number = book.entries.len() as u64 + 1;
            book.entries.push(entry(number, at));
            number
        };
        self.bump();
        number
    }

    /// Completes a request that [`Log::begin`] wrote.
    pub(super) fn amend(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        // An entry's number is its place, from 1: a day's quota of calls is not searched for each of them.
        let place = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        if let Some(entry) = lock(&self.book).entries.get_mut(place) {
            change(entry);
        }
        self.bump();
    }

    fn bump(&self) {
        self.written.send_modify(|n| *n += 1);
    }
}
