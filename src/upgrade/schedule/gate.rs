//! Whether a start is allowed now, and what stands in its way if not.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Schedule;
use super::later;
use super::search::Opening;
use super::search::Opens;
use super::search::Search;
use super::words;
use super::words::At;
use crate::upgrade::decision::Blocker;
use crate::upgrade::reason::Reason;

/// What the schedules of an upgrade and of its Connection say about one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// A start is allowed, at every moment from the one asked about up to [`Opening::until`].
    Open(Opening),
    /// No start is allowed.
    Closed(Closed),
    /// `notAfter` has passed, so none ever will be.
    TooLate {
        /// `notAfter`; the upgrade's own if both have passed, since that is final.
        not_after: Timestamp,
        /// Whose it is.
        whose: Whose,
    },
}

/// Why no start is allowed, and when one will be.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The moment that was asked about.
    pub now: Timestamp,
    /// Everything that stands in the way now, each by itself; never empty.
    pub waits: Vec<Wait>,
    /// When nothing will: the first moment that *both* schedules allow, which may be later than the end of each wait.
    pub opens: Opens,
    /// The same for people, in the zone of the window that opens then.
    pub opens_at: Option<At>,
}

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// `notBefore` has not come.
    NotBefore {
        /// Whose it is.
        whose: Whose,
        /// `notBefore`.
        until: At,
    },
    /// A freeze is in force.
    Frozen {
        /// Whose it is.
        whose: Whose,
        /// Its end.
        until: At,
        /// Why, in the words of whoever set it.
        why: Option<String>,
    },
    /// No window is open.
    Window {
        /// Whose windows.
        whose: Whose,
        /// When the next one opens, as far as can be seen.
        until: Option<At>,
    },
}

/// Whose schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the Connection.
    Connection,
    /// That of the upgrade itself.
    Own,
}

/// What both schedules say about `now`.
pub fn gate(connection: &Schedule, own: &Schedule, now: Timestamp) -> Gate {
    let both = [(Whose::Own, own), (Whose::Connection, connection)];
    let mut passed = both
        .iter()
        .filter_map(|(whose, s)| s.not_after.filter(|t| *t <= now).map(|t| (t, *whose)));
    if let Some((not_after, whose)) = passed.next() {
        return Gate::TooLate { not_after, whose };
    }
    let waits: Vec<Wait> = both.iter().flat_map(|(whose, schedule)| schedule.waits(*whose, now)).collect();
    let mut search = Search::new([connection, own]);
    if waits.is_empty() {
        return Gate::Open(search.opening(now));
    }
    let opens = search.next(now);
    let opens_at = match opens {
        Opens::At(at) => Some(At::new(at, own.window_at(at).or_else(|| connection.window_at(at)))),
        Opens::NotInTime(_) | Opens::NotFound(_) => None,
    };
    Gate::Closed(Closed {
        now,
        waits,
        opens,
        opens_at,
    })
}

impl Gate {
    /// A start at `deadline`, and at any moment from now to then, is allowed. For whoever is about to start something and may be late.
    pub fn allows_until(&self, deadline: Timestamp) -> bool {
        matches!(self, Gate::Open(opening) if deadline < opening.until)
    }

    /// A start is allowed now, or will be within `span`.
    pub fn opens_within(&self, span: Duration) -> bool {
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        match self {
            Gate::Open(_) => true,
            Gate::Closed(closed) => matches!(closed.opens, Opens::At(at) if at <= later(closed.now, span)),
            Gate::TooLate { .. } => false,
        }
    }

    /// What stands in the way, as blockers of an upgrade that goes through the Connection of this name. Empty unless closed.
    ///
    /// A common opening that was not found, or comes too late, is the first of them, and has no `until`: only somebody who changes a
    /// schedule ends it. The windows are not listed then: each opens, but that helps nobody.
    pub fn blockers(&self, connection: &str) -> Vec<Blocker> {
        let Gate::Closed(closed) = self else { return Vec::new() };
        let never = words::never(&closed.opens, connection).map(|message| Blocker {
            reason: Reason::WaitingForWindow,
            message,
            until: None,
        });
        let shown = closed.waits.iter().filter(|w| never.is_none() || !matches!(w, Wait::Window { .. }));
        let blockers: Vec<Blocker> = shown.map(|wait| wait.blocker(connection, closed.now)).collect();
        never.into_iter().chain(blockers).collect()
    }
}

impl Wait {
    /// The reason of its blocker.
    pub fn reason(&self) -> Reason {
        match self {
            Wait::NotBefore { .. } => Reason::NotBefore,
            Wait::Frozen { .. } => Reason::Frozen,
            Wait::Window { .. } => Reason::WaitingForWindow,
        }
    }

    /// When it ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Wait::NotBefore { until, .. } | Wait::Frozen { until, .. } => Some(until.instant),
            Wait::Window { until, .. } => until.as_ref().map(|at| at.instant),
        }
    }

    fn blocker(&self, connection: &str, now: Timestamp) -> Blocker {
        Blocker {
            reason: self.reason(),
            message: words::wait(self, connection, now),
            until: self.until(),
        }
    }
}

impl Schedule {
    /// What of this schedule stands in the way at `now`, `notAfter` aside.
    fn waits(&self, whose: Whose, now: Timestamp) -> Vec<Wait> {
        let mut waits = Vec::new();
        if let Some(first) = self.not_before.filter(|first| now < *first) {
            waits.push(Wait::NotBefore {
                whose,
                until: At::new(first, None),
            });
        }
        waits.extend(self.freezes.iter().filter(|f| f.holds(now)).map(|freeze| Wait::Frozen {
            whose,
            until: At::new(freeze.until, None),
            why: freeze.reason.clone(),
        }));
        if !self.windows.is_empty() && self.window_at(now).is_none() {
            let spans = self.windows.iter().filter_map(|w| w.from(now).map(|span| (span.open, w)));
            let next = spans.min_by_key(|(open, _)| *open);
            waits.push(Wait::Window {
                whose,
                until: next.map(|(open, window)| At::new(open, Some(window))),
            });
        }
        waits
    }
}
