//! Leader election.

/// Whether this process leads, as of now; cheap to clone and ask.
#[derive(Clone, Debug)]
pub struct Leadership(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Leadership {
    /// True while the lease is ours and younger than its renew deadline.
    pub fn held(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Acquire)
    }
}

#[cfg(test)]
impl Leadership {
    /// A leadership that is held, or not, for ever.
    pub(crate) fn for_test(held: bool) -> Leadership {
        Leadership(std::sync::Arc::new(std::sync::atomic::AtomicBool::new(held)))
    }
}
