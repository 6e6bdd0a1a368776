//! Taking a slot: one compare-and-swap on the status of the Connection that every start through it must go through.

use jiff::Timestamp;
use kube::Api;
use kube::Resource;
use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::permits::Refused;
use crate::api::Connection;
use crate::upgrade::slots::may_hold;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Timing;

/// An object as it was on the API server a moment ago: only a live GET makes one, never a cache.
#[derive(Debug)]
pub struct Live<T>(T);

impl<T: Resource + Clone + std::fmt::Debug + DeserializeOwned> Live<T> {
    /// Reads it; `None` if there is none.
    pub async fn get(api: &Api<T>, name: &str) -> Result<Option<Live<T>>, kube::Error> {
        Ok(api.get_opt(name).await?.map(Live))
    }

    /// The object.
    pub fn object(&self) -> &T {
        &self.0
    }
}

/// A slot that is taken. Consumed by appending the receipt that it was taken for.
#[must_use = "a reservation holds a slot until it runs out"]
#[derive(Debug)]
pub struct Reserved {
    /// For which receipt.
    pub(super) receipt: String,
}

/// What is reserved.
pub(super) struct Slot<'a> {
    /// The target.
    pub key: &'a TargetKey,
    /// Sequence of the receipt to come.
    pub seq: u32,
    /// Whose it is, for people.
    pub by: &'a str,
    /// How many are in flight through the Connection with this one. Told in the same write: else the receipt would bring another.
    pub in_flight: usize,
}

/// Writes a reservation into the Connection's status, with the resourceVersion that was read live: of two leaders that both saw the
/// last free slot, one gets a conflict. Reservations that ran out go in the same write.
pub(super) async fn reserve(
    api: &Api<Connection>,
    connection: &Live<Connection>,
    slot: &Slot<'_>,
    now: Timestamp,
    timing: &Timing,
) -> Result<Reserved, Refused> {
    let (object, key) = (connection.object(), slot.key);
    let old = object.status.as_ref().map(|s| s.reservations.as_slice()).unwrap_or_default();
    let mut reservations: Vec<serde_json::Value> = old
        .iter()
        .filter(|r| r.target != key.object && r.at.is_none_or(|at| may_hold(at, now, timing)))
        .map(|r| json!({"target": r.target, "seq": r.seq, "at": r.at, "by": r.by}))
        .collect();
    reservations.push(json!({"target": key.object, "seq": slot.seq, "at": now, "by": slot.by}));
    let patch = json!({
        "metadata": {"resourceVersion": object.resource_version()},
        "status": {"reservations": reservations, "inFlight": slot.in_flight},
    });
    match api
        .patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        Ok(_) => Ok(Reserved {
            receipt: key.receipt_name(slot.seq),
        }),
        Err(kube::Error::Api(status)) if status.code == 409 => Err(Refused::SlotContended),
        Err(error) => Err(Refused::Api(error)),
    }
}
