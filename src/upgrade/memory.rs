//! When this process first saw each fact of an open receipt, on its own monotonic clock.
//!
//! Safety timers run from here, as client-go's do for leases: a restart makes them later, never earlier.

use std::collections::HashMap;

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

/// First-seen times of every open receipt this process knows.
#[derive(Debug, Default)]
pub struct Memory(HashMap<String, Seen>);

impl Memory {
    /// Takes note of a receipt's facts at `now` and returns when each was first seen. Called on every read of an open receipt.
    pub fn look(&mut self, receipt: &Receipt, now: Mono, timing: &Timing) -> Seen {
        let seen = self.0.entry(receipt.name.clone()).or_insert(Seen {
            open: now,
            ..Seen::default()
        });
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
