//! What this process attempted to append, and what of it is still in hand.
//!
//! Kept by [`Permits`](super::Permits). An attempt that never came to a permit may be withdrawn; while one is in hand, nobody concludes from
//! evidence what its answer will say.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::upgrade::memory::Custody;
use crate::upgrade::receipt::Holder;

/// Attempts of this process that are under way or came to a permit, each with whether it is in hand. Not by the receipt's name: a ledger that was
/// removed begins with the same names again.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<Holder, bool>>>);

impl Attempts {
    fn all(&self) -> MutexGuard<'_, HashMap<Holder, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims what an attempt is about to append. It is in hand until what comes back is dropped, as a task that panics drops it, too.
    pub(super) fn claim(&self, holder: &Holder) -> InHand {
        self.all().insert(holder.clone(), true);
        InHand(Some((self.clone(), holder.clone())))
    }

    /// It came to no permit: should the create have come through after all, the receipt is this process's to withdraw.
    pub(super) fn forget(&self, holder: &Holder) {
        self.all().remove(holder);
    }

    /// What this process, which made that holder, has to do with its receipt.
    pub(super) fn custody(&self, holder: &Holder) -> Custody {
        match self.all().get(holder) {
            None => Custody::Abandoned,
            Some(true) => Custody::InHand,
            Some(false) => Custody::None,
        }
    }
}

/// One attempt is in hand for as long as this lives.
#[derive(Debug, Default)]
pub(super) struct InHand(Option<(Attempts, Holder)>);

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some((attempts, holder)) = &self.0
            && let Some(in_hand) = attempts.all().get_mut(holder)
        {
            *in_hand = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_in_hand_until_its_answer_is_stored_and_abandoned_only_where_it_never_came_to_a_permit() {
        let attempts = Attempts::default();
        let (sent, failed) = (Holder("a/1".to_owned()), Holder("a/2".to_owned()));
        assert_eq!(attempts.custody(&sent), Custody::Abandoned, "claimed by nobody");
        let in_hand = attempts.claim(&sent);
        assert_eq!(attempts.custody(&sent), Custody::InHand);
        drop(in_hand);
        assert_eq!(attempts.custody(&sent), Custody::None);
        let unsettled = attempts.claim(&failed);
        attempts.forget(&failed);
        drop(unsettled);
        assert_eq!(attempts.custody(&failed), Custody::Abandoned);
    }
}
