//! When this process first saw each fact of an open receipt, on its own monotonic clock.
//!
//! Safety timers run from here, as client-go's do for leases: a restart makes them later, never earlier.

use std::collections::HashMap;

use jiff::Timestamp;

use super::receipt::Receipt;
use super::receipt::Standing;
use super::timing::Mono;
use super::timing::Timing;

/// First-seen times of one receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The receipt itself.
    pub open: Mono,
    /// That it is in doubt: an answer recorded as lost, or none by the horizon.
    pub doubt: Option<Mono>,
    /// That it was accepted, adopted, or a person said so.
    pub accepted: Option<Mono>,
    /// That its answer refuses it.
    pub refused: Option<Mono>,
}

/// What this process has to do with an open receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Custody {
    /// Nothing, or nothing any more: what its task was told is in the receipt.
    #[default]
    None,
    /// It names this process as holder, and no task here ever claimed its permit. A task that claimed it and died is *not* this: it may have sent.
    Abandoned,
    /// A task here has its permit, or an answer that is not stored yet: no evidence says more than that answer will.
    InHand,
}

/// First-seen times of every open receipt this process knows, by its name and with its time of creation: a ledger that was removed begins
/// with the same names again, and what is long known of the old receipt is nothing that is known of the new one.
#[derive(Debug, Default)]
pub struct Memory(HashMap<String, (Timestamp, Seen)>);

impl Memory {
    /// Takes note of a receipt's facts at `now` and returns when each was first seen. Called on every read of an open receipt.
    pub fn look(&mut self, receipt: &Receipt, now: Mono, timing: &Timing) -> Seen {
        let anew = || {
            let seen = Seen {
                open: now,
                ..Seen::default()
            };
            (receipt.created, seen)
        };
        let (created, seen) = self.0.entry(receipt.name.clone()).or_insert_with(anew);
        if *created != receipt.created {
            (*created, *seen) = anew();
        }
        match receipt.standing() {
            Standing::Lost => {
                seen.doubt.get_or_insert(now);
            }
            Standing::Sending if now.since(seen.open) >= timing.horizon() => {
                seen.doubt.get_or_insert(now);
            }
            Standing::Accepted { .. } => {
                seen.accepted.get_or_insert(now);
            }
            Standing::Refused => {
                seen.refused.get_or_insert(now);
            }
            _ => {}
        }
        *seen
    }

    /// Forgets receipts that ended.
    pub fn keep_only(&mut self, open: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| open(name));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_receipt_of_a_ledger_that_was_begun_anew_is_not_known_for_long() {
        let (mut memory, timing) = (Memory::default(), Timing::production());
        memory.look(&Receipt::no(1), mono(0), &timing);
        let old = memory.look(&Receipt::no(1), mono(HORIZON), &timing);
        assert_eq!((old.open, old.doubt), (mono(0), Some(mono(HORIZON))));
        let new = Receipt::no(1).created(HORIZON + 1);
        let seen = memory.look(&new, mono(HORIZON + 2), &timing);
        assert_eq!((seen.open, seen.doubt), (mono(HORIZON + 2), None), "its sender may be sending");
        let seen = memory.look(&new, mono(2 * HORIZON), &timing);
        assert_eq!((seen.open, seen.doubt), (mono(HORIZON + 2), None));
    }
}
