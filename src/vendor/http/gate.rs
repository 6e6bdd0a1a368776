//! The counter of a vendor that allows so many calls a day and a second.
//!
//! A vendor's client gives one to its [`Http`](super::Http), which asks it before each call and tells it of each answer. A start is not held up
//! there, for its permit would age: the client takes a [`Place`] for it while it prepares.

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::Reply;
use crate::vendor::error::VendorError;

/// Counts calls; holds those back that are one too many.
pub trait Gate: Send + Sync {
    /// Waits until one more call may be made in this second. `Err`: none may for longer than that.
    fn pass(&self) -> BoxFuture<'_, Result<(), VendorError>>;

    /// An answer came to what was asked at this time of the wall clock. For a 429: what it means, where more is known than that.
    fn answered(&self, asked: Timestamp, reply: &Reply) -> Option<VendorError>;
}

/// The place of one start among the calls of a second, kept for it from before its permit. Called right before the start goes out, which is when it
/// is counted; dropped without that, it is given back.
pub type Place = Box<dyn FnOnce() + Send>;
