//! Searching two schedules for the moments that both allow.

use jiff::Timestamp;

use super::HORIZON;
use super::LOOKAHEAD;
use super::MAX_CHAIN;
use super::MAX_JUMPS;
use super::Schedule;
use super::later;
use super::window::Span;
use super::window::Window;

/// A span of time in which both schedules allow starts at every moment, `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its first moment, or the moment that was asked about.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// At `until` it is closed. False: it is not known to close; `until` is only as far as was looked.
    pub closes: bool,
}

/// When starts are next allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// From this moment on.
    At(Timestamp),
    /// Not before `notAfter`, which is this; so never, unless a schedule is changed.
    NotInTime(Timestamp),
    /// Not before this moment, which is as far as was looked.
    NotFound(Timestamp),
}

/// The next openings of both schedules together, in the order of time, beginning with the one around `from` if there is one. Ends where
/// [`Opens`] would say that there is none, and after an opening that is not known to close.
pub fn openings<'a>(connection: &'a Schedule, own: &'a Schedule, from: Timestamp) -> impl Iterator<Item = Opening> + 'a {
    let mut search = Search::new([connection, own]);
    let mut from = Some(from);
    std::iter::from_fn(move || {
        let Opens::At(open) = search.next(from?) else { return None };
        let opening = search.opening(open);
        from = opening.closes.then_some(opening.until);
        Some(opening)
    })
}

/// A search that goes on in the direction of time only, so that each window is asked only where its last answer is used up.
pub(super) struct Search<'a> {
    schedules: [&'a Schedule; 2],
    windows: [Vec<Ahead<'a>>; 2],
    /// Steps done, for tests.
    pub(super) jumps: u32,
}

/// A window, and the span that it was last found to open.
struct Ahead<'a> {
    window: &'a Window,
    found: Option<Found>,
}

#[derive(Clone, Copy)]
enum Found {
    Span(Span),
    /// It does not open before this moment.
    NotBefore(Timestamp),
}

impl Ahead<'_> {
    /// The first moment from `t` on at which it is open. `t` must not be before that of the last question.
    fn from(&mut self, t: Timestamp) -> Result<Timestamp, Timestamp> {
        let known = match self.found {
            Some(Found::Span(span)) if t < span.close => Some(Found::Span(span)),
            Some(Found::NotBefore(end)) if t < end => Some(Found::NotBefore(end)),
            _ => None,
        };
        let ask = || self.window.from(t).map_or_else(|| Found::NotBefore(later(t, HORIZON)), Found::Span);
        let found = known.unwrap_or_else(ask);
        self.found = Some(found);
        match found {
            Found::Span(span) => Ok(span.open.max(t)),
            Found::NotBefore(end) => Err(end),
        }
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(schedules: [&'a Schedule; 2]) -> Search<'a> {
        let windows = schedules.map(|schedule| schedule.windows.iter().map(|window| Ahead { window, found: None }).collect());
        Search {
            schedules,
            windows,
            jumps: 0,
        }
    }

    /// The first moment from `t` on that both schedules allow. `t` must not be before that of the last question.
    pub(super) fn next(&mut self, t: Timestamp) -> Opens {
        let not_after = self.schedules.iter().filter_map(|s| s.not_after).min();
        let too_late = |at: Timestamp| not_after.filter(|too_late| *too_late <= at).map(Opens::NotInTime);
        let not_before = self.schedules.iter().filter_map(|s| s.not_before);
        let mut at = not_before.fold(t, Timestamp::max);
        // Bounds and freezes are explicit times: from the last of them on it is the windows that are searched.
        let thaws = self.schedules.iter().flat_map(|s| &s.freezes).map(|f| f.until);
        let end = later(thaws.fold(at, Timestamp::max), HORIZON);
        for _ in 0..MAX_JUMPS {
            if let Some(too_late) = too_late(at) {
                return too_late;
            }
            if at > end {
                break;
            }
            let next = match self.not_before(at) {
                Ok(next) => next,
                Err(end) => return too_late(end).unwrap_or(Opens::NotFound(end)),
            };
            if next == at {
                return Opens::At(at);
            }
            self.jumps += 1;
            at = next;
        }
        Opens::NotFound(at)
    }

    /// A moment before which nothing from `t` on is allowed; `t` itself if it is. Or that no window opens before the moment in the error.
    fn not_before(&mut self, t: Timestamp) -> Result<Timestamp, Timestamp> {
        let freezes = self.schedules.iter().flat_map(|s| &s.freezes);
        let mut next = freezes.filter(|f| f.holds(t)).map(|f| f.until).fold(t, Timestamp::max);
        for windows in &mut self.windows {
            let (mut opens, mut closed) = (None, None);
            for window in windows {
                match window.from(next) {
                    Ok(at) => opens = Some(opens.map_or(at, |o: Timestamp| o.min(at))),
                    Err(end) => closed = Some(end),
                }
            }
            next = match (opens, closed) {
                (Some(at), _) => at,
                (None, Some(end)) => return Err(end),
                (None, None) => next,
            };
        }
        Ok(next)
    }

    /// The opening that begins, or goes on, at `from`, a moment that both schedules allow.
    pub(super) fn opening(&self, from: Timestamp) -> Opening {
        let froze = self.schedules.iter().flat_map(|s| &s.freezes).map(|f| f.from);
        let mut opening = Opening {
            from,
            until: Timestamp::MAX,
            closes: false,
        };
        let ends = froze
            .filter(|at| *at > from)
            .chain(self.schedules.iter().filter_map(|s| s.not_after));
        let ends = ends.map(|bound| (bound, true));
        let chained = self.schedules.iter().filter(|s| !s.windows.is_empty()).map(|s| s.chained(from));
        for (until, closes) in ends.chain(chained) {
            if until < opening.until {
                opening = Opening { from, until, closes };
            } else if until == opening.until {
                opening.closes |= closes;
            }
        }
        opening
    }
}

impl Schedule {
    /// The window that is open at `t`, if one is.
    pub(super) fn window_at(&self, t: Timestamp) -> Option<&Window> {
        self.windows.iter().find(|w| w.around(t).is_some())
    }

    /// Until when windows are open, one after the other, from `from` on; and whether all are closed then.
    fn chained(&self, from: Timestamp) -> (Timestamp, bool) {
        let end = later(from, LOOKAHEAD);
        let mut until = from;
        for _ in 0..MAX_CHAIN {
            let Some(close) = self.windows.iter().filter_map(|w| w.around(until)).map(|span| span.close).max() else {
                return (until, true);
            };
            until = close;
            if until > end {
                break;
            }
        }
        (until, false)
    }
}
