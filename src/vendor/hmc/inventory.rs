//! What a console has to tell, for people: its bundle, what IBM scheduled there, and until when tokens for IBM are good.
//!
//! No upgrade depends on what is found here. The values of the tokens are not told.

use super::Hmc;
use super::failures;
use super::wire::Update;
use crate::vendor::error::VendorError;
use crate::vendor::seam::FoundRemoteUpdate;
use crate::vendor::seam::Inventory;

/// Most updates whose element is read. There is one, or a few.
const MOST_ELEMENTS: usize = 8;

impl Hmc {
    /// Looks everything up. `state`: only updates in this state, filtered by the console, which refuses a state that it does not know with 400
    /// and reason 14 ([`VendorError::InvalidStateFilter`]). An account without the task that the list needs is an error here.
    pub async fn inventory(&self, state: Option<&str>) -> Result<Inventory, VendorError> {
        let shared = &*self.shared;
        let (_, console, _) = shared.console().await?;
        let bundle = console.bundle.ok_or_else(|| shared.unsupported())?;
        let (listed, _) = shared.updates(state).await?;
        let mut updates = Vec::new();
        for (number, row) in listed.rows.into_iter().enumerate() {
            let element = if number < MOST_ELEMENTS {
                shared.update(&row.uri).await.unwrap_or_else(|error| {
                    tracing::debug!(error = failures::short(&error), "a remote firmware update could not be read");
                    None
                })
            } else {
                None
            };
            updates.push(found(row, element));
        }
        Ok(Inventory::Hmc {
            bundle,
            updates,
            tokens: listed.expirations,
        })
    }
}

fn found(row: Update, element: Option<Update>) -> FoundRemoteUpdate {
    FoundRemoteUpdate {
        element_uri: row.uri,
        scheduled: row.at,
        target_bundle: row.bundle,
        state: row.word,
        pending: element.and_then(|element| element.detail).map(|detail| detail.pending),
    }
}
