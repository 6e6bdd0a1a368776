//! The counter of a vendor that allows so many calls a day and a second.
//!
//! A vendor's client gives one to its [`Http`](super::Http), which asks it before each call and tells it of each answer. A start is not held up
//! there: its permit would age.

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::Reply;
use crate::vendor::error::VendorError;

/// Counts calls; holds those back that are one too many.
pub trait Gate: Send + Sync {
    /// Waits until one more call may be made in this second. `Err`: none may for longer than that.
    fn pass(&self) -> BoxFuture<'_, Result<(), VendorError>>;

    /// A start goes out now.
    fn start(&self);

    /// An answer came to what was asked at this time of the wall clock. For a 429: what it means, where more is known than that.
    fn answered(&self, asked: Timestamp, reply: &Reply) -> Option<VendorError>;
}
