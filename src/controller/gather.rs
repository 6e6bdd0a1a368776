//! From objects to facts: the batch, its Connection, its targets' ledgers and sights, as the core wants them.
//!
//! Reads caches and memory only, and decides nothing. [`confirm`](super::confirm) uses it again with objects that were read live.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::Context;
use super::wakes::Who;
use crate::api::ClusterUpgradeBatch;
use crate::api::Connection;
use crate::api::HOLD_ANNOTATION;
use crate::api::common::CanonicalDuration;
use crate::api::common::NotADuration;
use crate::upgrade::facts::ConnectionFacts;
use crate::upgrade::facts::Facts;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::Reservation;
use crate::upgrade::facts::Strategy;
use crate::upgrade::facts::Subject;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::facts::Usable;
use crate::upgrade::facts::Wish;
use crate::upgrade::ledger::Damaged;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::schedule::InvalidSchedule;
use crate::upgrade::schedule::Schedule;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;

/// Kind of the resource, as in receipts and reservations.
pub const BATCH: &str = "ClusterUpgradeBatch";

/// How long a cluster may take when the spec does not say: control planes of many nodes are rolled one by one.
pub const CLUSTER_TIMEOUT: Duration = Duration::from_secs(8 * 3600);

/// A spec that the API server let in and that cannot be read all the same.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// A duration that is none.
    #[error("spec.{field}: {source}")]
    BadDuration {
        /// Where.
        field: &'static str,
        /// Why.
        source: NotADuration,
    },
}

/// Where the ledger of a target is read: the cache, or what was read live.
pub type ReadLedger<'a> = dyn Fn(&TargetKey) -> Result<Ledger, Damaged> + 'a;

/// The facts about a batch. `connection` is the one that its `connectionRef` names, if there is one.
pub fn gather(
    context: &Context,
    batch: &ClusterUpgradeBatch,
    connection: Option<&Connection>,
    ledger: &ReadLedger<'_>,
    starting: Option<TargetKey>,
) -> Result<Facts, GatherError> {
    let namespace = batch.namespace().unwrap_or_default();
    let subject = Subject {
        kind: BATCH,
        name: batch.name_any(),
        uid: batch.uid().unwrap_or_default(),
        generation: batch.metadata.generation.unwrap_or_default(),
        namespace,
    };
    let spec = &batch.spec;
    let strategy = spec.strategy.clone().unwrap_or_default();
    let count = |n: Option<i32>, default: usize| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    let (wall, mono) = (context.clock.wall(), context.clock.mono());
    let mut facts = Facts {
        wall,
        mono,
        timing: context.timing.clone(),
        starts_enabled: context.starts_enabled,
        deleting: batch.metadata.deletion_timestamp.is_some(),
        suspend: spec.suspend.unwrap_or(false),
        hold: batch.annotations().get(HOLD_ANNOTATION).cloned(),
        strategy: Strategy {
            max_concurrent: count(strategy.max_concurrent, 1),
            max_failures: count(strategy.max_failures, 0),
            soak: span("strategy.soak", strategy.soak.as_ref(), Duration::ZERO)?,
        },
        timeout: span("timeout", spec.timeout.as_ref(), CLUSTER_TIMEOUT)?,
        schedule: schedule(spec.schedule.as_ref()),
        connection: connection_facts(context, batch, connection),
        targets: Vec::new(),
        starting,
        refusals: context.starting.refusals(&subject.uid),
        subject,
    };
    facts.targets = targets(context, batch, connection, ledger, &facts);
    Ok(facts)
}

/// What a schedule says; none says "at any time".
fn schedule(written: Option<&crate::api::Schedule>) -> Result<Schedule, InvalidSchedule> {
    written.map_or_else(|| Ok(Schedule::default()), |s| Schedule::parse(&s.written()?))
}

fn span(field: &'static str, written: Option<&CanonicalDuration>, default: Duration) -> Result<Duration, GatherError> {
    written.map_or(Ok(default), |d| {
        d.to_std().map_err(|source| GatherError::BadDuration { field, source })
    })
}

/// When a resource was created: the oldest goes first. One without a time is not on the API server yet.
pub fn created(object: &impl ResourceExt) -> Timestamp {
    object.creation_timestamp().map_or(Timestamp::MAX, |t| t.0)
}

fn connection_facts(context: &Context, batch: &ClusterUpgradeBatch, connection: Option<&Connection>) -> ConnectionFacts {
    let name = &batch.spec.connection_ref.name;
    let Some(connection) = connection else {
        return ConnectionFacts {
            name: name.clone(),
            usable: Usable::Missing,
            suspend: false,
            hold: None,
            schedule: Ok(Schedule::default()),
            reservations: Vec::new(),
            limit: 0,
            open: BTreeSet::new(),
            ahead: BTreeSet::new(),
        };
    };
    let namespace = batch.namespace().unwrap_or_default();
    let (who, through) = (Who::batch(&namespace, &batch.name_any()), Who::connection(&namespace, name));
    let authority = Authority::from_url(&connection.spec.url).ok();
    let written = |target: &str, seq: u32| {
        let key = authority.as_ref().map(|a| TargetKey::cluster(a.clone(), target));
        key.is_some_and(|key| context.ledgers.written(&key, seq))
    };
    let status = connection.status.clone().unwrap_or_default();
    let current = |g: Option<i64>| g.is_some() && g == connection.metadata.generation;
    let usable = match status.conditions.iter().find(|c| c.type_ == "Ready") {
        Some(ready) if !current(ready.observed_generation) => Usable::Unprobed,
        Some(ready) if ready.status == "True" => Usable::Yes,
        Some(ready) => Usable::NotReady {
            reason: ready.reason.clone(),
            message: ready.message.clone(),
        },
        None => Usable::Unprobed,
    };
    ConnectionFacts {
        name: name.clone(),
        usable,
        suspend: connection.spec.suspend.unwrap_or(false),
        hold: connection.annotations().get(HOLD_ANNOTATION).cloned(),
        reservations: status
            .reservations
            .iter()
            .map(|r| Reservation {
                target: r.target.clone(),
                seq: u32::try_from(r.seq).unwrap_or(0),
                written: written(&r.target, u32::try_from(r.seq).unwrap_or(0)),
                // One without a time was not written by us: it holds its slot until somebody writes a time or takes it away.
                at: r.at.unwrap_or(Timestamp::MAX),
                by: r.by.clone(),
            })
            .collect(),
        schedule: schedule(connection.spec.schedule.as_ref()),
        limit: connection.spec.max_concurrent_upgrades(),
        open: context.ledgers.open_through(&namespace, name),
        ahead: context.line.ahead(&who, &through, created(batch), context.clock.wall()),
    }
}

/// Targets of the spec in its order, then those that left it and still have a run of ours in flight.
fn targets(
    context: &Context,
    batch: &ClusterUpgradeBatch,
    connection: Option<&Connection>,
    ledger: &ReadLedger<'_>,
    facts: &Facts,
) -> Vec<TargetFacts> {
    let subject = &facts.subject;
    let authority = connection.and_then(|c| Authority::from_url(&c.spec.url).ok());
    let open = context.ledgers.open_of(&subject.namespace, BATCH, &subject.name);
    let mut keys: Vec<(TargetKey, Option<Wish>)> = Vec::new();
    for entry in &batch.spec.clusters {
        let wish = Wish {
            version: entry
                .desired_version
                .clone()
                .or_else(|| batch.spec.desired_version.clone())
                .unwrap_or_default(),
            run_key: batch.spec.run_key.clone().unwrap_or_default(),
            options: Options::Cluster {
                ignore_precheck_warnings: entry.ignore_precheck_warnings.unwrap_or(false),
            },
            canary: entry.canary.unwrap_or(false),
            expected_identity: entry.cluster_name.clone(),
        };
        let key = match &authority {
            Some(authority) => TargetKey::cluster(authority.clone(), &entry.cluster),
            // Without its Connection a target is known only by the receipts that were written through it.
            None => context
                .ledgers
                .target_of(&subject.namespace, &facts.connection.name, &entry.cluster)
                .unwrap_or_else(|| TargetKey::cluster(Authority::unknown(), &entry.cluster)),
        };
        keys.push((key, Some(wish)));
    }
    for receipt in &open {
        if let Some(key) = TargetKey::parse(&receipt.target)
            && !keys.iter().any(|(known, _)| *known == key)
        {
            keys.push((key, None));
        }
    }
    keys.into_iter()
        .map(|(key, wish)| target(context, key, wish, connection, ledger, facts))
        .collect()
}

fn target(
    context: &Context,
    key: TargetKey,
    wish: Option<Wish>,
    connection: Option<&Connection>,
    ledger: &ReadLedger<'_>,
    facts: &Facts,
) -> TargetFacts {
    let ledger = ledger(&key);
    let open: Option<&Receipt> = ledger.as_ref().ok().and_then(|l| l.open());
    let seen = open.map(|r| context.ledgers.seen(r, facts.mono, &facts.timing)).unwrap_or_default();
    let abandoned_by_us = open.is_some_and(|r| context.abandoned(r));
    let mut held = context.sights.of(&facts.subject.namespace, &key);
    if connection.is_none() {
        held.sights.push(blind(&key, facts));
    }
    TargetFacts {
        key,
        wish,
        ledger,
        sights: held.sights,
        unchanged_since: held.unchanged_since,
        seen,
        abandoned_by_us,
    }
}

/// Without its Connection nobody can look at a target: not seen, as of now.
fn blind(key: &TargetKey, facts: &Facts) -> Sight {
    Sight {
        asked: facts.mono,
        at: facts.wall,
        authority: key.authority.clone(),
        complete: false,
        motion: Motion::NotSeen {
            why: format!("ConnectionNotReady: Connection {} does not exist", facts.connection.name),
            unknown_object: false,
        },
        looks: None,
        offered: Offered::Unasked,
        jobs: Vec::new(),
        identity: None,
        says: None,
        detailed: false,
    }
}

/// The Connection that a batch names, as cached.
pub fn cached_connection(context: &Context, batch: &ClusterUpgradeBatch) -> Option<Arc<Connection>> {
    context.connection(&batch.namespace().unwrap_or_default(), &batch.spec.connection_ref.name)
}
