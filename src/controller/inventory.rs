//! The controller of Inventory: looks up now and then what a Connection offers, and writes it once an interval.
//!
//! For people only. Nothing here is read by an upgrade, and nothing is asked that could disturb one: while a start may be under way at a
//! target, only what leaves no trace there is looked up.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use kube::Api;
use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use serde_json::Value;
use serde_json::json;

use super::conditions::Conditions;
use super::conditions::bounded;
use super::context::Context;
use super::found;
use super::found::Shown;
use super::patch;
use super::rounds;
use super::rounds::Brought;
use super::rounds::Kept;
use super::rounds::Of;
use super::rounds::Rounds;
use super::wakes::Kind;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::Inventory;
use crate::api::RECONCILE_ANNOTATION;
use crate::api::connection::ConnectionType;
use crate::api::inventory::InventoryStatus;
use crate::api::inventory::MOST_ROWS;
use crate::upgrade::timing::Timing;
use crate::vendor::Inventory as Found;
use crate::vendor::InventoryAsk;
use crate::vendor::error::Class;
use crate::vendor::error::VendorError;

/// How often to look when the spec does not say: new versions come every few weeks, and people who wait for one wait that long gladly.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// The same for a recovery appliance, where each look leaves a task in a list that starts are judged by, and for Aruba Central, where it is taken
/// from the calls of a day.
const INTERVAL_OF_THE_DEAR: Duration = Duration::from_secs(6 * 3600);

/// Of the interval, the most that a look is put off by: a hundred Inventories that were applied at once do not look at once for ever.
const JITTER: u32 = 10;

/// Longest message in a condition.
const MESSAGE: usize = 1024;

/// What one look brought.
pub type Looked = Result<Found, VendorError>;

impl Kept for Looked {
    fn rounds(context: &Context) -> &Rounds<Looked> {
        &context.inventories
    }
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object cannot be read.
    #[error("the object cannot be read: {0}")]
    Invalid(String),
    /// The status could not be written.
    #[error("the status could not be written: {0}")]
    Status(#[from] kube::Error),
}

impl Error {
    /// Label of the error metric.
    pub fn label(&self) -> &'static str {
        match self {
            Error::Invalid(_) => "invalid",
            Error::Status(_) => "status",
        }
    }

    /// Somebody else wrote in between, or our cache is behind.
    pub fn behind(&self) -> bool {
        matches!(self, Error::Status(kube::Error::Api(status)) if matches!(status.code, 404 | 409))
    }
}

/// One pass.
pub async fn reconcile(guard: Arc<DeserializeGuard<Inventory>>, context: Arc<Context>) -> Result<Action, Error> {
    let inventory = guard.0.as_ref().map_err(|e| Error::Invalid(e.to_string()))?;
    if inventory.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let who = Who::new(Kind::Inventory, &inventory.namespace().unwrap_or_default(), &inventory.name_any());
    let name = &inventory.spec.connection_ref.name;
    let Some(connection) = context.connection(&who.namespace, name) else {
        let why = match context.shard.text() {
            Some(labels) => format!("there is no Connection {name} with the labels {labels}"),
            None => format!("Connection {name} does not exist"),
        };
        write(&context, inventory, &Shown::not_ready("ConnectionNotReady", why), None).await?;
        return Ok(Action::requeue(context.timing.wake));
    };
    if let Some(why) = not_ready(&connection) {
        write(&context, inventory, &Shown::not_ready("ConnectionNotReady", why), None).await?;
        return Ok(Action::requeue(context.timing.wake));
    }
    if connection.spec.type_ == ConnectionType::ArubaCentral && inventory.spec.aruba_central.is_none() {
        let why = format!(
            "Connection {name} is of type ArubaCentral: spec.arubaCentral must say of which customers and device types to show the firmware"
        );
        write(&context, inventory, &Shown::not_ready("CustomersNotNamed", why), None).await?;
        return Ok(Action::await_change());
    }
    // Another Connection of the same name is another endpoint; an edit of it alone is none.
    let now = Of::now(inventory);
    let of = Of {
        uid: format!("{}/{}", now.uid, connection.uid().unwrap_or_default()),
        ..now
    };
    let last = context.inventories.last(&who, &of);
    if let Some(brought) = &last {
        let shown = found::shown(inventory.status.as_ref(), &brought.what);
        write(&context, inventory, &shown, Some(brought)).await?;
    }
    let left = if context.inventories.asked_anew(&who, &of) {
        Duration::ZERO
    } else {
        left(&context, inventory, &connection, last.as_ref())
    };
    if left.is_zero() {
        look(&context, &who, of, inventory, &connection);
        return Ok(Action::requeue(context.timing.wake));
    }
    Ok(Action::requeue(left))
}

/// Why a Connection cannot be looked through now.
fn not_ready(connection: &Connection) -> Option<String> {
    let name = connection.name_any();
    let status = connection.status.as_ref();
    let ready = status.and_then(|s| s.conditions.iter().find(|c| c.type_ == "Ready"));
    match ready {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!("Connection {name} is not Ready ({}): {}", ready.reason, ready.message)),
        None => Some(format!("Connection {name} has not been probed yet")),
    }
}

/// Time until the next look. After a restart the status tells when the last one was; what failed is tried again sooner.
fn left(context: &Context, inventory: &Inventory, connection: &Connection, last: Option<&Brought<Looked>>) -> Duration {
    let interval = interval(inventory, connection.spec.type_);
    if let Some(brought) = last {
        let wait = match &brought.what {
            Ok(_) => interval + jitter(inventory, brought.wall, interval),
            Err(error) => again(&context.timing, connection.spec.type_, context.clock.wall(), error).min(interval),
        };
        return wait.saturating_sub(context.clock.mono().since(brought.at));
    }
    let status = inventory.status.as_ref();
    let current = status.is_some_and(|s| s.observed_generation == inventory.metadata.generation && found::ready(s));
    let Some(observed) = status.and_then(|s| s.observed_at).filter(|_| current) else {
        return Duration::ZERO;
    };
    let since = context.clock.wall().duration_since(observed);
    // Somebody asked while no process was there to look.
    if asked_at(inventory).is_some_and(|asked| asked > observed) {
        return Duration::ZERO;
    }
    // A look from the future is a clock that was set: what it found may be of any age.
    if since < SignedDuration::ZERO {
        return Duration::ZERO;
    }
    let wait = interval + jitter(inventory, observed, interval);
    wait.saturating_sub(since.unsigned_abs())
}

/// When somebody last asked for a look, as far as the annotation tells a time, as Argo CD's action does.
fn asked_at(inventory: &Inventory) -> Option<Timestamp> {
    inventory.annotations().get(RECONCILE_ANNOTATION)?.parse().ok()
}

/// How long to rest after a look that failed. What it took until then is gone from the day's calls, where those are counted.
fn again(timing: &Timing, of: ConnectionType, now: Timestamp, error: &VendorError) -> Duration {
    match (error.class(), of) {
        (Class::QuotaUsedUp { until }, _) => Duration::try_from(until.duration_since(now))
            .unwrap_or_default()
            .max(timing.poll_waiting),
        (_, ConnectionType::ArubaCentral) => timing.poll_central_waiting,
        _ => timing.poll_waiting,
    }
}

fn interval(inventory: &Inventory, of: ConnectionType) -> Duration {
    let default = match of {
        ConnectionType::VCenter | ConnectionType::Hmc => INTERVAL,
        ConnectionType::RecoveryAppliance | ConnectionType::ArubaCentral => INTERVAL_OF_THE_DEAR,
    };
    let written = inventory.spec.interval.as_ref().and_then(|i| i.to_std().ok());
    written.filter(|i| !i.is_zero()).unwrap_or(default)
}

/// The same for one object and one look, however often it is asked; another for the next.
fn jitter(inventory: &Inventory, at: Timestamp, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    (inventory.uid(), seen_at(at)).hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 1000).unwrap_or(0);
    interval / JITTER * share / 1000
}

/// To the second, and never later than it was: a look from the future counts for nothing.
fn seen_at(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn look(context: &Arc<Context>, who: &Who, of: Of, inventory: &Inventory, connection: &Connection) {
    let Ok(client) = context.clients.of(connection) else { return };
    let customers = inventory.spec.aruba_central.as_ref();
    let ask = InventoryAsk {
        state: inventory.spec.hmc.as_ref().and_then(|hmc| hmc.state.clone()),
        customer_ids: customers.map(|c| c.customer_ids.clone()).unwrap_or_default(),
        device_types: customers
            .map(|c| c.device_types.iter().map(|of| of.word().to_owned()).collect())
            .unwrap_or_default(),
        most_rows: MOST_ROWS,
    };
    rounds::begin(context, who, of, async move |_| {
        let _using = client.using();
        let found = client.vendor.inventory(&ask).await;
        if let Err(error) = &found {
            client.suspect(error);
        }
        Some(found)
    });
}

/// Writes the status if it says something new: at most once for each look.
async fn write(context: &Context, inventory: &Inventory, shown: &Shown, brought: Option<&Brought<Looked>>) -> Result<(), Error> {
    let old = inventory.status.clone().unwrap_or_default();
    let new = status(
        inventory.metadata.generation,
        &old,
        shown,
        brought.map(|b| b.wall),
        context.clock.wall(),
    );
    let as_json = |s: &InventoryStatus| serde_json::to_value(s).unwrap_or(Value::Null);
    let Some(change) = patch::diff(&as_json(&old), &as_json(&new)) else {
        return Ok(());
    };
    let api: Api<Inventory> = Api::namespaced(context.kube.clone(), &inventory.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"resourceVersion": inventory.resource_version()}, "status": change});
    api.patch_status(&inventory.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    context.metrics.status_written(Kind::Inventory.word());
    Ok(())
}

/// The status that a look amounts to. What failed leaves standing what was found before.
fn status(generation: Option<i64>, old: &InventoryStatus, shown: &Shown, asked: Option<Timestamp>, now: Timestamp) -> InventoryStatus {
    let say = Conditions {
        old: &old.conditions,
        generation,
        reason: shown.reason,
        message: &bounded(&shown.message, MESSAGE),
        now,
    };
    let mut conditions = vec![say.set("Ready", shown.ready)];
    if !shown.ready {
        conditions.push(say.set("Reconciling", true));
    }
    let base = InventoryStatus {
        observed_generation: generation,
        conditions,
        ..old.clone()
    };
    match &shown.found {
        Some(found) => InventoryStatus {
            observed_at: if found.fresh { asked.map(seen_at) } else { old.observed_at },
            summary: Some(found.summary.clone()),
            truncated: found.truncated,
            vcenter: found.vcenter.clone(),
            recovery_appliance: found.recovery_appliance.clone(),
            hmc: found.hmc.clone(),
            aruba_central: found.aruba_central.clone(),
            ..base
        },
        None => base,
    }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
