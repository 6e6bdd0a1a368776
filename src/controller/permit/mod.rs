//! The permit: the value that appending a receipt returns, and the only thing that can start anything.
//!
//! Nothing outside this module can make a [`StartPermit`]; none is `Clone`, `Default` or `Serialize`. [`Permits`] makes one by
//! [reserving](Permits::reserve) a slot and [appending](Permits::append) a receipt; a vendor client takes it by value, sends at most
//! once, and gives back a [`Sent`], which [`Permits::record`] consumes.

mod attempts;
mod permits;
mod reserve;
mod store;

pub use permits::AsOf;
pub use permits::Permits;
pub use permits::Plan;
pub use permits::Refused;
pub use permits::Schedules;
pub use permits::said;
pub use reserve::Live;
pub use reserve::Reserved;

use crate::clock::Clock;
use crate::lease::Leadership;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Answer;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;

/// Leave to start one run on one target once.
#[must_use = "a permit is spent by a vendor's start, or withdrawn"]
#[derive(Debug)]
pub struct StartPermit {
    receipt: String,
    target: TargetKey,
    order: Order,
    deadline: Deadline,
    leadership: Leadership,
    clock: Clock,
    in_hand: attempts::InHand,
    spent: bool,
}

/// What is asked of the vendor, frozen when the receipt was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Version, byte-equal to what the vendor lists.
    pub version: String,
    /// What is sent besides.
    pub options: Options,
    /// When the vendor is to begin, for a vendor that is told it (Aruba Central): sent exactly as it stands in the receipt.
    pub scheduled_at: Option<jiff::Timestamp>,
}

/// When a permit dies: each less the time that a connection may take.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    /// What it rests on is too old.
    expires: Moment,
    /// The schedules do not allow a start any more; `None` for what needs no window.
    closes: Option<Moment>,
}

/// A moment that has come as soon as either clock says so.
#[derive(Clone, Copy, Debug)]
struct Moment {
    mono: Mono,
    wall: jiff::Timestamp,
}

impl Moment {
    fn came(&self, clock: &Clock) -> bool {
        clock.mono() >= self.mono || clock.wall() >= self.wall
    }
}

impl Deadline {
    fn check(&self, clock: &Clock) -> Result<(), Unarmed> {
        if self.closes.is_some_and(|closes| closes.came(clock)) {
            return Err(Unarmed::Closed);
        }
        if self.expires.came(clock) {
            return Err(Unarmed::Expired);
        }
        Ok(())
    }
}

/// A permit that can no longer be used: nothing was sent.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unarmed {
    /// Its time is over.
    #[error("the permit expired before the request was sent")]
    Expired,
    /// The schedules do not allow a start any more.
    #[error("the window closed, or a freeze began, before the request was sent")]
    Closed,
    /// This process is no longer the leader.
    #[error("leadership was lost before the request was sent")]
    NotLeader,
}

impl StartPermit {
    /// Name of the receipt behind this permit; goes into the request's User-Agent.
    pub fn receipt(&self) -> &str {
        &self.receipt
    }

    /// What may be started.
    pub fn target(&self) -> &TargetKey {
        &self.target
    }

    /// What is asked of the vendor.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The last check before the socket: leadership, and time left, of the permit and of the window, on both clocks. Called directly before the request is sent.
    pub fn arm(&self) -> Result<(), Unarmed> {
        if !self.leadership.held() {
            return Err(Unarmed::NotLeader);
        }
        self.deadline.check(&self.clock)
    }

    /// Turns the permit into what was answered. From here on the request counts as sent.
    pub fn spend(mut self, answer: Answer) -> Sent {
        self.spent = true;
        Sent {
            receipt: self.receipt.clone(),
            target: self.target.clone(),
            answer,
            _in_hand: std::mem::take(&mut self.in_hand),
            recorded: false,
        }
    }
}

impl Drop for StartPermit {
    fn drop(&mut self) {
        if !self.spent {
            tracing::error!(receipt = %self.receipt, "a start permit was dropped unspent");
            debug_assert!(std::thread::panicking(), "a start permit was dropped unspent");
        }
    }
}

/// A start that went out, and its answer. Not a `Result`: `?` cannot swallow it.
#[must_use = "an answer is recorded, or it is lost"]
#[derive(Debug)]
pub struct Sent {
    receipt: String,
    target: TargetKey,
    answer: Answer,
    _in_hand: attempts::InHand,
    recorded: bool,
}

impl Drop for Sent {
    fn drop(&mut self) {
        if !self.recorded {
            tracing::error!(receipt = %self.receipt, target = %self.target, answer = ?self.answer, "the answer to a start was dropped unrecorded");
            debug_assert!(std::thread::panicking(), "the answer to a start was dropped unrecorded");
        }
    }
}

#[cfg(test)]
impl StartPermit {
    /// A permit that lives this long from now on both clocks; for tests of vendor clients only.
    pub(crate) fn for_test(
        target: TargetKey,
        order: Order,
        lives: std::time::Duration,
        leadership: Leadership,
        clock: Clock,
    ) -> StartPermit {
        let deadline = Deadline {
            expires: Moment {
                mono: clock.mono().plus(lives),
                wall: clock.wall() + lives,
            },
            closes: None,
        };
        StartPermit {
            receipt: target.receipt_name(1),
            target,
            order,
            deadline,
            leadership,
            clock,
            in_hand: attempts::InHand::default(),
            spent: false,
        }
    }

    /// Gives the permit up without the alarm that dropping it raises.
    pub(crate) fn give_up_for_test(mut self) {
        self.spent = true;
    }
}

#[cfg(test)]
impl Sent {
    /// The answer, marking it recorded.
    pub(crate) fn answer_for_test(mut self) -> Answer {
        self.recorded = true;
        self.answer.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_permit_dies_by_either_clock_with_its_look_and_with_its_window() {
        let clock = Clock::system();
        let hour = Duration::from_hours(1);
        let later = Moment {
            mono: clock.mono().plus(hour),
            wall: clock.wall() + hour,
        };
        let came = [
            Moment {
                mono: Mono::default(),
                ..later
            },
            Moment {
                wall: clock.wall() - hour,
                ..later
            },
        ];
        let check = |expires, closes| Deadline { expires, closes }.check(&clock);
        assert_eq!(check(later, None), Ok(()));
        assert_eq!(check(later, Some(later)), Ok(()));
        for moment in came {
            assert_eq!(check(later, Some(moment)), Err(Unarmed::Closed));
            assert_eq!(check(moment, Some(later)), Err(Unarmed::Expired));
            assert_eq!(check(moment, None), Err(Unarmed::Expired));
        }
    }
}
