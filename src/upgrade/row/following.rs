//! How a run is shown that the vendor took: where it stands, and what is said of it.
//!
//! Part of [`row`](super), which is its only caller.

use super::Bench;
use super::Shown;
use super::planned;
use super::short;
use crate::upgrade::conclude::Following;
use crate::upgrade::decision::Row;
use crate::upgrade::quota::Spend;
use crate::upgrade::reason::Reason;
use crate::upgrade::reason::State;
use crate::upgrade::receipt::Receipt;

impl Bench<'_> {
    /// The vendor refused, and is looked at once more before that counts; where it counts calls, perhaps not today.
    pub(super) fn confirming(&self, open: &Receipt) -> Shown {
        let answered = format!("answered: {}; one more look before it counts", open.outcome());
        match self.out_of_calls(Spend::Finishing) {
            Some(quota) => {
                let message = format!("{answered}, and no call is left for it until {}", short(quota.resets_at));
                (State::Pending, Reason::QuotaLow, Some(message))
            }
            None => (State::Pending, Reason::Starting, Some(answered)),
        }
    }

    /// How a run is shown that the vendor took; with it, whether only a person can end it, whether it is overdue, and whether it was seen moving.
    pub(super) fn following(&self, open: &Receipt, following: Following, row: &mut Row) -> (Shown, bool, bool, bool) {
        let (mut stalled, mut overdue, mut moved) = (false, false, false);
        let shown = match following {
            Following::Queued { .. } if open.left_to_vendor() => {
                let message = "IBM is to schedule it; the console was not looked at yet".to_owned();
                (State::Started, Reason::WaitingForVendor, Some(message))
            }
            Following::Queued { says } => {
                let message = says.unwrap_or_else(|| "accepted; not seen moving yet".to_owned());
                row.scheduled_at = open.due;
                (State::Started, Reason::Started, Some(message))
            }
            Following::Unscheduled {
                until,
                instead,
                overdue: late,
            } => {
                overdue = late;
                let message = self.unscheduled(open, until, instead.as_deref());
                (State::Started, Reason::WaitingForVendor, Some(message))
            }
            Following::Scheduled {
                begins,
                says,
                overdue: late,
            } => {
                (overdue, row.scheduled_at) = (late, begins);
                row.outside_schedule = begins.is_some_and(|begins| self.outside_schedule(begins));
                (
                    State::Started,
                    Reason::WaitingForVendor,
                    Some(planned::scheduled(&says, begins, row.outside_schedule)),
                )
            }
            Following::Moving {
                progress,
                says,
                overdue: late,
            } => {
                (overdue, moved, row.progress) = (late, true, progress);
                (State::Running, if late { Reason::Overdue } else { Reason::Running }, says)
            }
            Following::Settling { how } => {
                moved = true;
                let message = format!("{how}; written down once it is certain that the start's own request is not still under way");
                (State::Running, Reason::Running, Some(message))
            }
            Following::OutOfSight { why } => {
                moved = true;
                row.progress = self.last_progress(open);
                let message = format!("cannot be seen: {why}; {}", self.looking_until(open));
                let state = if self.is_to_begin(open) { State::Started } else { State::Running };
                (state, Reason::OutOfSight, Some(message))
            }
            Following::LostSight { why } => {
                (stalled, moved) = (true, true);
                let message = format!("out of sight past the timeout: {why}; resolve receipt {}", open.name);
                (State::Unknown, Reason::LostSight, Some(message))
            }
        };
        (shown, stalled, overdue, moved)
    }
}
