//! Who may lead, as a pure machine: what was read and written goes in, the next step comes out.
//!
//! The argument that no two candidates hold at once. A holder counts its tenure from when it *asked* for its last write, for
//! [`LeaseTiming::renew_deadline`]. A rival takes over only after the record stood still for the whole, longer
//! [`LeaseTiming::duration`] since the rival was *answered* with it; that answer came after the write, which came after it was
//! asked. So the old tenure ends first, by the difference of the two, whatever the wall clocks say. Every write names the
//! resourceVersion it replaces, so a write that was decided on an older record is refused, however late it arrives.

use std::time::Duration;

use crate::upgrade::timing::Mono;

/// The three durations of an election; only orders in which the argument above holds can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    duration: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

impl LeaseTiming {
    /// Checks retry < renew deadline < duration.
    pub fn new(duration: Duration, renew_deadline: Duration, retry: Duration) -> Result<LeaseTiming, LeaseTimingError> {
        if retry.is_zero() {
            return Err(LeaseTimingError::Zero);
        }
        if retry >= renew_deadline || renew_deadline >= duration {
            return Err(LeaseTimingError::OutOfOrder {
                retry,
                renew_deadline,
                duration,
            });
        }
        Ok(LeaseTiming {
            duration,
            renew_deadline,
            retry,
        })
    }

    /// The values of a release build.
    ///
    /// Duration 30 s: how long upgrades rest when a leader dies without releasing; they last minutes to hours, so nobody notices.
    /// Renew deadline 20 s: two passes with slow answers fit in it, and the 10 s left to the duration are far more than two
    /// monotonic clocks can drift apart in half a minute. Retry 5 s: four tries before the deadline, and twelve writes a
    /// minute are nothing to an API server.
    pub const fn production() -> LeaseTiming {
        LeaseTiming {
            duration: Duration::from_secs(30),
            renew_deadline: Duration::from_secs(20),
            retry: Duration::from_secs(5),
        }
    }

    /// How long a record must stand still before another candidate may take it.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// How long a renewal lets its holder act, counted from when it was asked.
    pub fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// How long to wait between two passes.
    pub fn retry(&self) -> Duration {
        self.retry
    }

    /// Longest wait for one answer: a pass is one read and one write, and two passes must fit before the deadline.
    pub fn request(&self) -> Duration {
        self.renew_deadline / 4
    }
}

impl Default for LeaseTiming {
    fn default() -> Self {
        LeaseTiming::production()
    }
}

/// A [`LeaseTiming`] under which two could lead.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LeaseTimingError {
    /// No wait between passes: the API server would be hammered.
    #[error("lease: the retry interval must be longer than zero")]
    Zero,
    /// Not retry < renew deadline < duration.
    #[error(
        "lease: retry ({retry:?}) must be shorter than the renew deadline ({renew_deadline:?}), and that shorter than the duration ({duration:?})"
    )]
    OutOfOrder {
        /// Wait between passes.
        retry: Duration,
        /// Tenure of one renewal.
        renew_deadline: Duration,
        /// Stillness after which another takes over.
        duration: Duration,
    },
}

/// What a stored Lease says, reduced to what counts here. Its times are missing on purpose: they are somebody else's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The holder; none when it was released, or never held.
    pub holder: Option<String>,
    /// The duration that its holder announced. The longer of this and our own is waited for, so that two versions of Windlass
    /// with different durations can follow one another.
    pub duration: Duration,
    /// The resourceVersion: two reads with the same one saw the same write.
    pub version: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// We lead and renewed recently: look again after this long.
    Hold(Duration),
    /// The record is ours: write it anew.
    Renew,
    /// Nobody holds the record, or its holder fell silent: write our name into it.
    Acquire,
    /// There is no record: create it.
    Create,
    /// Another holds it: look again after this long.
    Wait(Duration),
    /// We led, and do so no longer. Final.
    Lost(Loss),
}

/// Why leadership ended.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Loss {
    /// No renewal was confirmed before the deadline.
    #[error("the lease was not renewed before its deadline")]
    Deadline,
    /// Another name, or none, is in the record.
    #[error("another holder is in the lease")]
    Usurped,
    /// Somebody deleted the record.
    #[error("the lease was deleted")]
    Deleted,
}

/// The last look at the record, and since when it has looked like this.
#[derive(Clone, Debug)]
struct Seen {
    record: Option<Record>,
    since: Mono,
}

/// One candidate: what it saw, and when it asked for the last write that was confirmed.
#[derive(Clone, Debug)]
pub struct Candidate {
    me: String,
    timing: LeaseTiming,
    seen: Option<Seen>,
    /// A record was seen at least once: then its absence is a deletion, under which its holder may still act.
    met: bool,
    asked: Option<Mono>,
}

impl Candidate {
    /// A candidate that has seen nothing yet. `me` must be unique to this process's life.
    pub fn new(me: String, timing: LeaseTiming) -> Candidate {
        Candidate {
            me,
            timing,
            seen: None,
            met: false,
            asked: None,
        }
    }

    /// Takes in a read. `answered` is when the answer was here: later than the write that it shows, whoever wrote it.
    pub fn saw(&mut self, record: Option<Record>, answered: Mono) {
        self.met |= record.is_some();
        let unchanged = self
            .seen
            .as_ref()
            .is_some_and(|seen| version(seen.record.as_ref()) == version(record.as_ref()));
        if !unchanged {
            self.seen = Some(Seen { record, since: answered });
        }
    }

    /// Takes in a confirmed write of our own. `asked` is when it was sent: earlier than the write, however slow the answer.
    /// False when nothing was stored: the server keeps the version of an object that a write does not change, and rivals who
    /// watch the version did not see such a write.
    pub fn wrote(&mut self, record: Record, asked: Mono, answered: Mono) -> bool {
        let stored = self
            .seen
            .as_ref()
            .is_none_or(|seen| version(seen.record.as_ref()) != Some(record.version.as_str()));
        let ours = record.holder.as_deref() == Some(self.me.as_str());
        self.saw(Some(record), answered);
        if stored && ours {
            self.asked = Some(asked);
        }
        stored && ours
    }

    /// Until when this candidate may act; none before it ever led.
    pub fn until(&self) -> Option<Mono> {
        self.asked.map(|asked| asked.plus(self.timing.renew_deadline))
    }

    /// The next step, given what was seen last. The caller looks before each call.
    pub fn decide(&self, now: Mono) -> Step {
        if self.until().is_some_and(|until| now >= until) {
            return Step::Lost(Loss::Deadline);
        }
        let Some(seen) = &self.seen else {
            return Step::Wait(self.timing.retry);
        };
        let still = now.since(seen.since);
        match (&seen.record, self.asked) {
            (None, Some(_)) => Step::Lost(Loss::Deleted),
            (None, None) if self.met => self.wait_or(self.timing.duration, still, Step::Create),
            (None, None) => Step::Create,
            (Some(record), asked) => self.decide_on(record, asked, still, now),
        }
    }

    fn decide_on(&self, record: &Record, asked: Option<Mono>, still: Duration, now: Mono) -> Step {
        let ours = record.holder.as_deref() == Some(self.me.as_str());
        match asked {
            Some(_) if !ours => Step::Lost(Loss::Usurped),
            Some(asked) => match self.timing.retry.checked_sub(now.since(asked)) {
                Some(left) if !left.is_zero() => Step::Hold(left),
                _ => Step::Renew,
            },
            // An acquisition whose answer was lost: it is confirmed by writing again, and counts from then.
            None if ours => Step::Renew,
            None if record.holder.is_none() => Step::Acquire,
            None => self.wait_or(self.timing.duration.max(record.duration), still, Step::Acquire),
        }
    }

    fn wait_or(&self, needed: Duration, still: Duration, then: Step) -> Step {
        match needed.checked_sub(still) {
            Some(left) if !left.is_zero() => Step::Wait(left.min(self.timing.retry)),
            _ => then,
        }
    }
}

fn version(record: Option<&Record>) -> Option<&str> {
    record.map(|record| record.version.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "me_1";

    fn at(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    fn record(holder: &str, version: &str) -> Record {
        let holder = (!holder.is_empty()).then(|| holder.to_string());
        Record {
            holder,
            duration: Duration::from_secs(30),
            version: version.to_string(),
        }
    }

    fn candidate() -> Candidate {
        Candidate::new(ME.to_string(), LeaseTiming::production())
    }

    fn leader() -> Candidate {
        let mut candidate = candidate();
        assert!(candidate.wrote(record(ME, "1"), at(100), at(101)));
        candidate
    }

    fn wait(secs: u64) -> Step {
        Step::Wait(Duration::from_secs(secs))
    }

    #[test]
    fn a_stranger_acts_on_what_it_sees() {
        let table = [
            ("no record", None, at(0), Step::Create),
            ("released", Some(record("", "1")), at(0), Step::Acquire),
            ("held, just seen", Some(record("other", "1")), at(0), wait(5)),
            ("held, nearly still enough", Some(record("other", "1")), at(28), wait(2)),
            ("held, still for the duration", Some(record("other", "1")), at(30), Step::Acquire),
            ("ours, though the answer was lost", Some(record(ME, "1")), at(0), Step::Renew),
        ];
        for (name, seen, now, expected) in table {
            let mut candidate = candidate();
            candidate.saw(seen, at(0));
            assert_eq!(candidate.decide(now), expected, "{name}");
            assert_eq!(candidate.until(), None, "{name}");
        }
    }

    #[test]
    fn a_leader_acts_on_what_it_sees() {
        let table = [
            ("ours and fresh", Some(record(ME, "1")), at(103), Step::Hold(Duration::from_secs(2))),
            ("ours and due", Some(record(ME, "1")), at(105), Step::Renew),
            ("ours, the last instant", Some(record(ME, "1")), at(119), Step::Renew),
            ("ours, too late", Some(record(ME, "1")), at(120), Step::Lost(Loss::Deadline)),
            ("another's", Some(record("other", "2")), at(103), Step::Lost(Loss::Usurped)),
            ("emptied by hand", Some(record("", "2")), at(103), Step::Lost(Loss::Usurped)),
            ("deleted", None, at(103), Step::Lost(Loss::Deleted)),
        ];
        for (name, seen, now, expected) in table {
            let mut leader = leader();
            leader.saw(seen, at(102));
            assert_eq!(leader.decide(now), expected, "{name}");
            assert_eq!(leader.until(), Some(at(120)), "{name}: counted from the asking");
        }
    }

    #[test]
    fn each_change_of_the_record_starts_the_wait_anew() {
        let mut candidate = candidate();
        candidate.saw(Some(record("other", "1")), at(0));
        candidate.saw(Some(record("other", "2")), at(29));
        candidate.saw(Some(record("other", "2")), at(50));
        assert_eq!(candidate.decide(at(58)), wait(1));
        assert_eq!(candidate.decide(at(59)), Step::Acquire);
    }

    #[test]
    fn a_longer_duration_of_another_version_is_waited_for() {
        let mut candidate = candidate();
        candidate.saw(
            Some(Record {
                duration: Duration::from_mins(1),
                ..record("other", "1")
            }),
            at(0),
        );
        assert_eq!(candidate.decide(at(59)), wait(1));
        assert_eq!(candidate.decide(at(60)), Step::Acquire);
    }

    #[test]
    fn a_deleted_record_is_waited_out_because_its_holder_may_still_act() {
        let mut candidate = candidate();
        candidate.saw(Some(record("other", "1")), at(0));
        candidate.saw(None, at(10));
        assert_eq!(candidate.decide(at(39)), wait(1));
        assert_eq!(candidate.decide(at(40)), Step::Create);
    }

    #[test]
    fn a_write_that_stored_nothing_is_no_renewal() {
        let mut leader = leader();
        assert!(!leader.wrote(record(ME, "1"), at(105), at(106)));
        assert_eq!(leader.until(), Some(at(120)));
    }

    #[test]
    fn durations_under_which_two_could_lead_are_refused() {
        let s = Duration::from_secs;
        assert_eq!(LeaseTiming::new(s(30), s(20), s(5)), Ok(LeaseTiming::production()));
        assert!(LeaseTiming::new(s(20), s(20), s(5)).is_err());
        assert!(LeaseTiming::new(s(30), s(5), s(5)).is_err());
        assert_eq!(LeaseTiming::new(s(30), s(20), s(0)), Err(LeaseTimingError::Zero));
    }
}
