//! What all clients of one appliance share, through whatever Connection and in whatever namespace: how often it is asked, who may leave a
//! task there, and which tasks are our own.
//!
//! Nothing that the appliance told one client is in here: what an account may see is not another's to read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::calls::Pace;

/// How many of our own tasks are remembered: those of the last hours. Older ones have long ended, and what has ended moves nothing.
const OWN: usize = 16;

/// Shared by all clients of one appliance.
#[derive(Debug, Default)]
pub struct Manners {
    pub(super) pace: Pace,
    /// Held from before a start's `retrieve-updates` until its answer, and while anybody else asks for updates.
    pub(super) starting: Arc<tokio::sync::Mutex<()>>,
    own: Mutex<VecDeque<String>>,
}

impl Manners {
    /// Ids of our own last tasks, which move nothing.
    pub(super) fn own(&self) -> Vec<String> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// One more task of our own.
    pub(super) fn did(&self, id: &str) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.push_back(id.to_owned());
        if own.len() > OWN {
            own.pop_front();
        }
    }
}
