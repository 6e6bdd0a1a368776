//! Writing facts into a receipt: a merge patch of `/status` with resourceVersion, repeated until the fact is stored.

use std::time::Duration;

use kube::Api;
use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;

use crate::api::UpgradeReceipt;
use crate::clock::Clock;
use crate::controller::receipts;
use crate::upgrade::receipt::Receipt;

/// Longest pause between two tries to store a fact: an API server that comes back is used within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What became of a fact.
#[derive(Debug)]
pub(super) enum Stored {
    /// It is in the receipt, written by us.
    Now(Box<UpgradeReceipt>),
    /// The receipt has this fact already, with other content: write-once means that the first stays. Or it has others by now that
    /// this one would contradict.
    Before(Box<UpgradeReceipt>),
    /// The receipt is gone: somebody removed the finalizer by hand.
    Gone,
    /// One try only, and it failed.
    Failed(kube::Error),
}

/// Which fact a patch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Answer,
    Adopted,
    Hint,
    Scheduled,
    End,
    /// An end that says that nothing was sent. Evidence that it was taken after all outweighs its holder's word: somebody else began the
    /// same upgrade while the holder stood still, and the receipt is followed as that.
    Unsent,
}

impl Slot {
    fn taken(self, receipt: &UpgradeReceipt) -> bool {
        let Some(status) = &receipt.status else { return false };
        match self {
            Slot::Answer => status.answer.is_some(),
            Slot::Adopted => status.adopted.is_some(),
            Slot::Hint => status.hint.is_some(),
            Slot::Scheduled => status.scheduled.is_some(),
            Slot::End => status.end.is_some(),
            Slot::Unsent => status.end.is_some() || status.adopted.is_some(),
        }
    }
}

/// Writes what was concluded from a receipt, if the receipt still says exactly that. One try.
///
/// It was concluded from a cache, which may be behind: what another process wrote since may have made it wrong. Without this, a receipt
/// that was withdrawn was adopted by whoever still saw it open and saw the *next* receipt's run move.
pub(super) async fn store_concluded(api: &Api<UpgradeReceipt>, basis: &Receipt, slot: Slot, fact: &Value) -> Stored {
    store_if(api, &basis.name, fact, |live| receipts::read(live) == *basis && !slot.taken(live)).await
}

/// Reads the receipt, and writes the fact if its slot is free. One try.
async fn store_once(api: &Api<UpgradeReceipt>, name: &str, slot: Slot, fact: &Value) -> Stored {
    store_if(api, name, fact, |live| !slot.taken(live)).await
}

async fn store_if(api: &Api<UpgradeReceipt>, name: &str, fact: &Value, may: impl Fn(&UpgradeReceipt) -> bool) -> Stored {
    let receipt = match api.get_opt(name).await {
        Ok(Some(receipt)) => receipt,
        Ok(None) => return Stored::Gone,
        Err(error) => return Stored::Failed(error),
    };
    if !may(&receipt) {
        return Stored::Before(Box::new(receipt));
    }
    let patch = json!({"metadata": {"resourceVersion": receipt.resource_version()}, "status": with_evidence(&receipt, fact)});
    match api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(receipt) => Stored::Now(Box::new(receipt)),
        Err(error) => Stored::Failed(error),
    }
}

/// Writes the fact, however long it takes: an answer that is not stored becomes doubt.
///
/// A try whose outcome is not known is settled by the next one's read: the slot is taken then, by us.
pub(super) async fn store(api: &Api<UpgradeReceipt>, clock: &Clock, name: &str, slot: Slot, fact: &Value) -> Stored {
    let mut pause = Duration::from_millis(50);
    let mut ambiguous = false;
    loop {
        match store_once(api, name, slot, fact).await {
            Stored::Failed(error) => {
                let conflict = matches!(&error, kube::Error::Api(status) if status.code == 409);
                ambiguous |= !conflict;
                if !conflict {
                    tracing::warn!(receipt = name, %error, "a fact could not be stored yet; trying again");
                }
                clock.sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Stored::Before(receipt) if ambiguous => return Stored::Now(receipt),
            other => return other,
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;

/// Most lines of evidence that a receipt holds; the CRD takes no more.
const EVIDENCE: usize = 10;

/// The fact, with its line of evidence after those that are there: a merge patch replaces a list whole.
fn with_evidence(receipt: &UpgradeReceipt, fact: &Value) -> Value {
    let Some(new) = fact["evidence"].as_array() else {
        return fact.clone();
    };
    let old = receipt.status.iter().flat_map(|s| &s.evidence).map(|line| json!(line));
    let lines: Vec<Value> = old.chain(new.iter().cloned()).take(EVIDENCE).collect();
    let mut fact = fact.clone();
    fact["evidence"] = json!(lines);
    fact
}
