//! Where the pair of an application is kept, and under which name.

use super::entry;
use super::entry::Entry;
use crate::vendor::vault::Kept;
use crate::vendor::vault::TokenVault;
use crate::vendor::vault::VaultError;

/// Where the pair is kept.
pub(super) struct Place<'a> {
    /// The Secret that is ours.
    pub vault: &'a dyn TokenVault,
    /// Which entry of it.
    pub key: String,
}

impl Place<'_> {
    /// What is kept now.
    pub async fn read(&self) -> Result<Kept, VaultError> {
        self.vault.read(&self.key).await
    }

    /// Keeps an entry, if nothing has changed since `read`.
    pub async fn store(&self, entry: &Entry, read: &Kept) -> Result<Kept, VaultError> {
        self.vault.store(&self.key, &entry.written(), read).await
    }
}

/// One pair for each application of an account, whatever Connection uses it: two would end each other's. Not the id itself, for not every id
/// could be a key of a Secret.
pub(super) fn key(authority: &str, client_id: &str) -> String {
    let mut mark = entry::mark(&["application", authority, client_id]);
    mark.truncate(20);
    format!("arubacentral-{mark}.tokens")
}
