//! The controller of Connection: probe the endpoint, say whether it can be used, and tell its upgrades when that changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use kube::Api;
use kube::Resource;
use kube::ResourceExt;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::Event;
use kube::runtime::events::EventType;
use serde_json::Value;
use serde_json::json;

use super::conditions::Conditions;
use super::context::Context;
use super::patch;
use super::rounds;
use super::rounds::Brought;
use super::rounds::Kept;
use super::rounds::Of;
use super::rounds::Rounds;
use super::upgrades::wake_users;
use super::wakes::Kind;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::common::Condition;
use crate::api::connection::ConnectionStatus;
use crate::api::connection::ConnectionType;
use crate::api::connection::QuotaStatus;
use crate::api::connection::VendorInfo;
use crate::upgrade::quota::Quota;
use crate::upgrade::slots::may_hold;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Timing;
use crate::vendor::Probe;
use crate::vendor::error::Class;
use crate::vendor::error::VendorError;
use crate::vendor::vault::TOKENS_SECRET;

/// Kind, for metrics and logs.
pub const CONNECTION: &str = Kind::Connection.word();

/// Pause after a pass that lost a compare-and-swap: the cache is milliseconds behind.
const BEHIND: Duration = Duration::from_millis(50);

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
}

/// What one probe found.
pub type Probed = Result<Probe, VendorError>;

impl Kept for Probed {
    fn rounds(context: &Context) -> &Rounds<Probed> {
        &context.probes
    }
}

/// One pass.
pub async fn reconcile(guard: Arc<DeserializeGuard<Connection>>, context: Arc<Context>) -> Result<Action, Error> {
    let connection = guard.0.as_ref().map_err(|e| Error::Invalid(e.to_string()))?;
    let who = Who::connection(&connection.namespace().unwrap_or_default(), &connection.name_any());
    let of = Of::now(connection);
    wake_first(&context, &who, connection);
    let last = context.probes.last(&who, &of);
    let due = last.as_ref().is_none_or(|probed| due(&context, connection, probed));
    if due {
        probe(&context, &guard, &who, of);
    }
    let Some(probed) = last else {
        return Ok(Action::requeue(context.timing.wake));
    };
    rotated(&context, connection);
    if !report(&context, connection, &who, &probed.what).await? {
        return Ok(Action::requeue(BEHIND));
    }
    if due {
        return Ok(Action::requeue(context.timing.wake));
    }
    let left = interval(&context, connection, &probed.what).saturating_sub(context.clock.mono().since(probed.at));
    // What is left of a day's calls changes in between, and nobody tells.
    let left = if probed_quota(&context, connection).is_some() {
        left.min(context.timing.wake)
    } else {
        left
    };
    Ok(Action::requeue(left.max(Duration::from_millis(10))))
}

/// A slot may be free: those who are next in line look. Nobody else does; hundreds may wait.
pub fn wake_first(context: &Context, who: &Who, connection: &Connection) {
    let many = connection.spec.max_concurrent_upgrades();
    for first in context.line.first(who, many, context.clock.wall()) {
        context.wakes.wake(&first);
    }
}

/// A probe is due at its interval, when somebody asks for one (then there is no last one), or when a call through this Connection went wrong since.
fn due(context: &Context, connection: &Connection, probed: &Brought<Probed>) -> bool {
    let doubted = context.clients.of(connection).is_ok_and(|client| client.take_doubt());
    doubted || context.clock.mono().since(probed.at) >= interval(context, connection, &probed.what)
}

/// What fails is tried again sooner. Wrong credentials are safe to try again: the same ones are not sent twice (see `clients`). A vendor
/// that asks for no pause at all is not asked again at once.
fn interval(context: &Context, connection: &Connection, found: &Result<Probe, VendorError>) -> Duration {
    pause(&context.timing, connection.spec.type_, context.clock.wall(), found)
}

fn pause(timing: &Timing, type_: ConnectionType, now: Timestamp, found: &Result<Probe, VendorError>) -> Duration {
    let probe = match type_ {
        ConnectionType::ArubaCentral => timing.probe_central,
        _ => timing.probe,
    };
    match found {
        Ok(_) => probe,
        Err(error) => match error.class() {
            Class::Throttled { after: Some(after) } => after.max(timing.poll_moving).min(timing.retry_max),
            Class::QuotaUsedUp { until } => Duration::try_from(until.duration_since(now))
                .unwrap_or_default()
                .clamp(timing.poll_moving, probe),
            _ => timing.poll_calm.min(probe),
        },
    }
}

/// What is left of the day's calls, where the endpoint counts them and has told.
fn probed_quota(context: &Context, connection: &Connection) -> Option<Quota> {
    context
        .clients
        .of(connection)
        .ok()?
        .vendor
        .quota()
        .map(|quota| quota.at(context.clock.wall()))
}

/// As it is shown: down to the hundred, or to a fortieth of a small limit; else a status would be written with each call.
fn shown(quota: Quota) -> QuotaStatus {
    let number = |n: u32| Some(i32::try_from(n).unwrap_or(i32::MAX));
    let step = (quota.limit / 40).clamp(1, 100);
    QuotaStatus {
        limit_per_day: number(quota.limit),
        remaining: number(quota.remaining / step * step),
        resets_at: Some(quota.resets_at),
    }
}

fn low(quota: Option<&QuotaStatus>) -> bool {
    let number = |n: Option<i32>| u32::try_from(n?).ok();
    let numbers = quota.and_then(|q| number(q.limit_per_day).zip(number(q.remaining)));
    numbers.is_some_and(|(limit, remaining)| Quota::low(limit, remaining))
}

fn probe(context: &Arc<Context>, guard: &Arc<DeserializeGuard<Connection>>, who: &Who, of: Of) {
    let guard = Arc::clone(guard);
    rounds::begin(context, who, of, async move |context: Arc<Context>| {
        let connection = guard.0.as_ref().ok()?;
        let client = match context.clients.of(connection) {
            Ok(client) => client,
            Err(error) => return Some(Err(error)),
        };
        let _using = client.using();
        let found = client.vendor.probe().await;
        client.take_doubt();
        if let Err(error) = &found {
            client.refused(error);
        }
        Some(found)
    });
}

async fn report(context: &Context, connection: &Connection, who: &Who, found: &Result<Probe, VendorError>) -> Result<bool, Error> {
    let old = connection.status.clone().unwrap_or_default();
    let in_flight = context.ledgers.open_through(&who.namespace, &who.name).len();
    let quota = probed_quota(context, connection);
    if let Some(quota) = quota {
        context.metrics.set_quota(who, quota.remaining);
    }
    let new = status(context, connection, &old, found, in_flight, quota);
    if let Some(ready) = ready(&new) {
        context
            .metrics
            .show_connection(who, connection.spec.type_.vendor().slug(), &ready.reason);
    }
    let as_json = |s: &ConnectionStatus| serde_json::to_value(s).unwrap_or(Value::Null);
    let Some(change) = patch::diff(&as_json(&old), &as_json(&new)) else {
        return Ok(true);
    };
    let api: Api<Connection> = Api::namespaced(context.kube.clone(), &who.namespace);
    let patch = json!({"metadata": {"resourceVersion": connection.resource_version()}, "status": change});
    match api.patch_status(&who.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => context.metrics.status_written(CONNECTION),
        // A start wrote its reservation in between: once more, on newer facts.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    if let (Some(new), old) = (ready(&new), ready(&old))
        && old.is_none_or(|old| old.reason != new.reason || old.observed_generation != new.observed_generation)
    {
        tracing::info!(
            kind = CONNECTION, namespace = %who.namespace, name = %who.name, generation = connection.metadata.generation,
            state_from = old.map(|c| c.reason.as_str()), state_to = %new.reason, because = %new.message, "transition"
        );
        publish(context, connection, &new.status, &new.reason, &new.message);
    }
    if let Some(quota) = new.quota.as_ref().filter(|_| low(new.quota.as_ref()) && !low(old.quota.as_ref())) {
        let until = quota.resets_at.map(|at| format!(" before {at:.0}")).unwrap_or_default();
        let note =
            format!("fewer than a tenth of the day's calls are left; they are kept for starts and ends, and runs are not followed{until}");
        publish(context, connection, "False", "QuotaLow", &note);
    }
    Ok(true)
}

/// Tokens that the vendor replaces are worth a word each time: whoever restores an older state of their Secret kills them.
fn rotated(context: &Context, connection: &Connection) {
    let many = context.clients.of(connection).map_or(0, |client| client.vendor.take_rotated());
    if many > 0 {
        let note = format!("a new pair of tokens is in Secret {TOKENS_SECRET}; the one before is of no use any more");
        publish(context, connection, "True", "TokenRotated", &note);
    }
}

fn publish(context: &Context, connection: &Connection, status: &str, reason: &str, message: &str) {
    let type_ = if status == "True" { EventType::Normal } else { EventType::Warning };
    let note = message.get(..message.floor_char_boundary(1000)).map(str::to_owned);
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note,
        action: "Probe".to_owned(),
        secondary: None,
    };
    context.announcer.tell(connection.object_ref(&()), event);
}

fn ready(status: &ConnectionStatus) -> Option<&Condition> {
    status.conditions.iter().find(|c| c.type_ == "Ready")
}

/// The status that a probe's outcome amounts to. The same outcome gives the same status.
fn status(
    context: &Context,
    connection: &Connection,
    old: &ConnectionStatus,
    found: &Result<Probe, VendorError>,
    in_flight: usize,
    quota: Option<Quota>,
) -> ConnectionStatus {
    let generation = connection.metadata.generation;
    let now = context.clock.wall();
    let ready_before = ready(old).filter(|c| c.status == "True" && c.observed_generation == generation);
    let (ok, reason, message) = match (found, ready_before) {
        (Ok(probe), _) => (true, "Reachable", probe.message.clone()),
        // That nobody may ask says nothing about who would answer.
        (Err(VendorError::QuotaUsedUp { .. }), Some(before)) => (true, "Reachable", before.message.clone()),
        (Err(error), _) => (false, error.reason(), error.message()),
    };
    let say = Conditions {
        old: &old.conditions,
        generation,
        reason,
        message: &message,
        now,
    };
    let mut conditions = vec![say.set("Ready", ok)];
    if let Err(error) = found
        && !ok
    {
        // What passes by itself is being worked on; the rest waits for a person.
        let passes = matches!(
            error.class(),
            Class::Transient | Class::Throttled { .. } | Class::QuotaUsedUp { .. }
        );
        conditions.push(say.set(if passes { "Reconciling" } else { "Stalled" }, true));
    }
    ConnectionStatus {
        observed_generation: generation,
        conditions,
        endpoint: Authority::from_url(&connection.spec.url).ok().map(|a| a.to_string()),
        vendor: found
            .as_ref()
            .ok()
            .map(|p| VendorInfo {
                product: Some(p.product.clone()),
                version: p.version.clone(),
            })
            .or_else(|| old.vendor.clone()),
        quota: quota.map(shown).or_else(|| old.quota.clone()),
        in_flight: Some(i32::try_from(in_flight).unwrap_or(i32::MAX)),
        reservations: old
            .reservations
            .iter()
            .filter(|r| r.at.is_none_or(|at| may_hold(at, now, &context.timing)))
            .cloned()
            .collect(),
    }
}

/// What of a Connection matters to its upgrades: whether it can be used, and whether it holds starts back. A change of its reservations
/// or its in-flight count wakes nobody.
fn matters(connection: &Connection) -> String {
    let hold = connection.annotations().get(crate::api::HOLD_ANNOTATION);
    let ready = connection.status.as_ref().and_then(ready);
    let ready = ready.map(|c| (&c.status, &c.reason, c.observed_generation));
    format!("{:?} {:?} {hold:?} {ready:?}", connection.uid(), connection.metadata.generation)
}

/// Told of every event of the watch; wakes the Connection's upgrades when something changed that matters to them.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<Who, String>>);

impl Gates {
    /// A Connection was applied.
    pub fn applied(&self, context: &Context, connection: &Connection) {
        let who = Who::connection(&connection.namespace().unwrap_or_default(), &connection.name_any());
        let now = matters(connection);
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(who, now.clone());
        if before.as_ref() != Some(&now) {
            wake_users(context, connection);
        }
    }

    /// A Connection was deleted.
    pub fn deleted(&self, context: &Context, connection: &Connection) {
        let who = Who::connection(&connection.namespace().unwrap_or_default(), &connection.name_any());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&who);
        context.clients.forget(&who);
        context.probes.forget(&who);
        context.metrics.forget(&who);
        wake_users(context, connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttled_probe_rests_however_short_a_pause_was_asked_for() {
        let timing = Timing::production();
        for (asked, rests) in [(0, timing.poll_moving), (90, Duration::from_secs(90)), (u64::MAX, timing.retry_max)] {
            let error = VendorError::Throttled {
                authority: "vc1.example:443".to_owned(),
                after: Some(Duration::from_secs(asked)),
            };
            let now = Timestamp::UNIX_EPOCH;
            assert_eq!(pause(&timing, ConnectionType::VCenter, now, &Err(error)), rests, "{asked}");
        }
    }
    #[test]
    fn a_probe_that_there_are_no_calls_for_waits_for_them_and_not_much_longer() {
        let timing = Timing::production();
        let now = Timestamp::UNIX_EPOCH;
        for (left, rests) in [
            (0, timing.poll_moving),
            (60, Duration::from_secs(60)),
            (80_000, timing.probe_central),
        ] {
            let error = VendorError::QuotaUsedUp {
                authority: "apigw.example:443".to_owned(),
                left: 3,
                limit: 4000,
                until: now + Duration::from_secs(left),
            };
            assert_eq!(pause(&timing, ConnectionType::ArubaCentral, now, &Err(error)), rests, "{left}");
        }
    }

    #[test]
    fn calls_are_shown_by_the_hundred_and_are_low_below_a_tenth() {
        let quota = |remaining| Quota {
            limit: 4000,
            remaining,
            resets_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(shown(quota(3999)).remaining, Some(3900));
        assert_eq!(shown(quota(3999)), shown(quota(3900)), "what would not be told is not written");
        let small = Quota { limit: 225, ..quota(187) };
        assert_eq!(
            shown(small).remaining,
            Some(185),
            "a small limit is not lost to rounding when the next process reads it"
        );
        assert!(!low(Some(&shown(quota(400)))) && low(Some(&shown(quota(399)))) && !low(None));
    }
}
