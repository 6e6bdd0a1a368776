//! From objects to facts: the upgrade, its Connection, its targets' ledgers and sights, as the core wants them.
//!
//! Reads caches and memory only, and decides nothing. [`act`](super::act) uses it again with objects that were read live, and the command line's
//! `plan` with what it read itself: what a process knows besides the objects is behind [`Known`].

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::Context;
use super::ledgers::Ledgers;
use super::sights::Held;
use super::upgrade::Upgrade;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::HOLD_ANNOTATION;
use crate::api::RECONCILE_ANNOTATION;
use crate::api::common::CanonicalDuration;
use crate::api::common::NotADuration;
use crate::upgrade::facts::ConnectionFacts;
use crate::upgrade::facts::Facts;
use crate::upgrade::facts::HandedOver;
use crate::upgrade::facts::QuotaFacts;
use crate::upgrade::facts::Refusal;
use crate::upgrade::facts::Reservation;
use crate::upgrade::facts::Subject;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::facts::Usable;
use crate::upgrade::facts::Wish;
use crate::upgrade::ledger::Damaged;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::memory::Custody;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::schedule::InvalidSchedule;
use crate::upgrade::schedule::Schedule;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;

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

/// What a process knows besides the objects themselves: the operator from its caches and its memory, `plan` from one look at the cluster.
pub trait Known {
    /// Wall clock.
    fn wall(&self) -> Timestamp;

    /// Our monotonic clock.
    fn mono(&self) -> Mono;

    /// The durations of the protocol.
    fn timing(&self) -> &Timing;

    /// Which objects it knows, as a selector of labels; `None` for all.
    fn selector(&self) -> Option<String>;

    /// False when starts are switched off for the whole operator.
    fn starts_enabled(&self) -> bool;

    /// Why what the API server serves is not enough to start anything on.
    fn crds_outdated(&self) -> Option<String>;

    /// All receipts.
    fn ledgers(&self) -> &Ledgers;

    /// The sights of a target, as this namespace may see them.
    fn held(&self, namespace: &str, key: &TargetKey) -> Held;

    /// What older resources would start through a Connection if there is a slot.
    fn ahead(&self, who: &Who, through: &Who, created: Timestamp) -> BTreeSet<String>;

    /// The last try of a resource on each target, where it came to no receipt.
    fn refusals(&self, uid: &str) -> Vec<Refusal>;

    /// When somebody asked for a look at a resource that bears this value of the annotation now.
    fn asked_to_look(&self, uid: &str, value: Option<&str>) -> Option<Mono>;

    /// What this process has to do with a receipt.
    fn custody(&self, receipt: &Receipt) -> Custody;

    /// What became of the token with which the vendor's people may schedule an upgrade.
    fn handed_over(&self, connection: &Who) -> Option<HandedOver>;

    /// What may still be asked through a Connection today, where its vendor counts.
    fn quota(&self, connection: &Connection) -> Option<QuotaFacts>;
}

impl Known for Context {
    fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn mono(&self) -> Mono {
        self.clock.mono()
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn selector(&self) -> Option<String> {
        self.shard.text()
    }

    fn starts_enabled(&self) -> bool {
        self.starts_enabled
    }

    fn crds_outdated(&self) -> Option<String> {
        self.served.objection()
    }

    fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    fn held(&self, namespace: &str, key: &TargetKey) -> Held {
        self.sights.of(namespace, key)
    }

    fn ahead(&self, who: &Who, through: &Who, created: Timestamp) -> BTreeSet<String> {
        self.line.ahead(who, through, created, self.clock.wall())
    }

    fn refusals(&self, uid: &str) -> Vec<Refusal> {
        self.starting.refusals(uid)
    }

    fn asked_to_look(&self, uid: &str, value: Option<&str>) -> Option<Mono> {
        self.asked.since(uid, value, self.clock.mono())
    }

    fn custody(&self, receipt: &Receipt) -> Custody {
        self.permits.custody(receipt)
    }

    fn handed_over(&self, connection: &Who) -> Option<HandedOver> {
        self.clients.handed_over(connection)
    }

    fn quota(&self, connection: &Connection) -> Option<QuotaFacts> {
        quota(self, connection)
    }
}

/// Where the ledger of a target is read: the cache, or what was read live.
pub type ReadLedger<'a> = dyn Fn(&TargetKey) -> Result<Ledger, Damaged> + 'a;

/// The facts about an upgrade. `connection` is the one that its `connectionRef` names, if there is one.
pub fn gather<K: Upgrade>(
    known: &dyn Known,
    object: &K,
    connection: Option<&Connection>,
    ledger: &ReadLedger<'_>,
    starting: Option<TargetKey>,
) -> Result<Facts, GatherError> {
    let namespace = object.namespace().unwrap_or_default();
    let subject = Subject {
        kind: K::KIND.word(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        generation: object.meta().generation.unwrap_or_default(),
        namespace,
    };
    let (wall, mono) = (known.wall(), known.mono());
    let mut facts = Facts {
        wall,
        mono,
        timing: known.timing().clone(),
        starts_enabled: known.starts_enabled(),
        crds_outdated: known.crds_outdated(),
        deleting: object.meta().deletion_timestamp.is_some(),
        suspend: object.suspend(),
        hold: object.annotations().get(HOLD_ANNOTATION).cloned(),
        strategy: object.strategy()?,
        timeout: span("timeout", object.timeout(), object.default_timeout())?,
        schedule: schedule(object.schedule()),
        connection: connection_facts(known, object, connection),
        targets: Vec::new(),
        starting,
        refusals: known.refusals(&subject.uid),
        asked_to_look: known.asked_to_look(&subject.uid, object.annotations().get(RECONCILE_ANNOTATION).map(String::as_str)),
        subject,
    };
    facts.targets = targets(known, object, through(object, connection), ledger, &facts);
    Ok(facts)
}

/// The Connection, if it is one that this kind can go through. Of any other nothing is taken, not even where it leads.
fn through<'c, K: Upgrade>(object: &K, connection: Option<&'c Connection>) -> Option<&'c Connection> {
    connection.filter(|c| c.spec.type_ == object.connection_type())
}

/// What a schedule says; none says "at any time".
pub fn schedule(written: Option<&crate::api::Schedule>) -> Result<Schedule, InvalidSchedule> {
    written.map_or_else(|| Ok(Schedule::default()), |s| Schedule::parse(&s.written()?))
}

/// A duration of the spec.
pub(super) fn span(field: &'static str, written: Option<&CanonicalDuration>, default: Duration) -> Result<Duration, GatherError> {
    written.map_or(Ok(default), |d| {
        d.to_std().map_err(|source| GatherError::BadDuration { field, source })
    })
}

/// When a resource was created: the oldest goes first. One without a time is not on the API server yet.
pub fn created(object: &impl ResourceExt) -> Timestamp {
    object.creation_timestamp().map_or(Timestamp::MAX, |t| t.0)
}

fn connection_facts<K: Upgrade>(known: &dyn Known, object: &K, connection: Option<&Connection>) -> ConnectionFacts {
    let name = object.connection();
    let Some(connection) = through(object, connection) else {
        return ConnectionFacts {
            name: name.to_owned(),
            usable: connection.map_or_else(
                || missing(known),
                |other| Usable::WrongType {
                    found: other.spec.type_.word().to_owned(),
                    expected: object.connection_type().word().to_owned(),
                },
            ),
            suspend: false,
            hold: None,
            schedule: Ok(Schedule::default()),
            reservations: Vec::new(),
            limit: 0,
            open: BTreeSet::new(),
            ahead: BTreeSet::new(),
            handed_over: None,
            quota: None,
        };
    };
    let namespace = object.namespace().unwrap_or_default();
    let (who, through) = (Who::new(K::KIND, &namespace, &object.name_any()), Who::connection(&namespace, name));
    let authority = Authority::from_url(&connection.spec.url).ok();
    let written = |target: &str, seq: u32| {
        let key = authority.as_ref().map(|a| K::key(a.clone(), target));
        key.is_some_and(|key| known.ledgers().written(&key, seq))
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
        name: name.to_owned(),
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
        open: known.ledgers().open_through(&namespace, name),
        ahead: known.ahead(&who, &through, created(object)),
        handed_over: known.handed_over(&through),
        quota: known.quota(connection),
    }
}

/// Not in the cache: a process with a selector has only some of them there.
fn missing(known: &dyn Known) -> Usable {
    known.selector().map_or(Usable::Missing, |selector| Usable::NotInShard { selector })
}

/// What may still be asked through a Connection today, and what one look at everything takes that is looked at through it.
pub(super) fn quota(context: &Context, connection: &Connection) -> Option<QuotaFacts> {
    let client = context.clients.of(connection).ok()?;
    let quota = client.vendor.quota()?;
    let (namespace, name) = (&client.who.namespace, &client.who.name);
    let in_flight = context.ledgers.open_through(namespace, name);
    let (running, waiting) = context.sights.costs(namespace, &client.authority, context.clock.mono(), &in_flight);
    Some(QuotaFacts {
        quota,
        in_flight: running,
        waiting,
    })
}

/// Targets of the spec in its order, then those that left it and still have a run of ours in flight.
fn targets<K: Upgrade>(
    known: &dyn Known,
    object: &K,
    connection: Option<&Connection>,
    ledger: &ReadLedger<'_>,
    facts: &Facts,
) -> Vec<TargetFacts> {
    let subject = &facts.subject;
    let authority = connection.and_then(|c| Authority::from_url(&c.spec.url).ok());
    let open = known.ledgers().open_of(&subject.namespace, subject.kind, &subject.name);
    let mut keys: Vec<(TargetKey, Option<Wish>)> = Vec::new();
    for (at_vendor, wish) in object.wishes() {
        let key = if let Some(authority) = &authority {
            K::key(authority.clone(), &at_vendor)
        } else {
            // Without its Connection a target is known only by the receipts that were written through it.
            let unknown = K::key(Authority::unknown(), &at_vendor);
            let told = known.ledgers().target_of(&subject.namespace, &facts.connection.name, &unknown);
            told.unwrap_or(unknown)
        };
        keys.push((key, Some(wish)));
    }
    for receipt in &open {
        if let Some(key) = TargetKey::parse(&receipt.target)
            && !keys.iter().any(|(there, _)| *there == key)
        {
            keys.push((key, None));
        }
    }
    keys.into_iter()
        .map(|(key, wish)| target(known, key, wish, connection, ledger, facts))
        .collect()
}

fn target(
    known: &dyn Known,
    key: TargetKey,
    wish: Option<Wish>,
    connection: Option<&Connection>,
    ledger: &ReadLedger<'_>,
    facts: &Facts,
) -> TargetFacts {
    let ledger = ledger(&key);
    let open: Option<&Receipt> = ledger.as_ref().ok().and_then(|l| l.open());
    let seen = open.map(|r| known.ledgers().seen(r, facts.mono, &facts.timing)).unwrap_or_default();
    let custody = open.map(|r| known.custody(r)).unwrap_or_default();
    let mut held = known.held(&facts.subject.namespace, &key);
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
        custody,
    }
}

/// Without its Connection nobody can look at a target: not seen, as of now.
fn blind(key: &TargetKey, facts: &Facts) -> Sight {
    let name = &facts.connection.name;
    let why = match &facts.connection.usable {
        Usable::WrongType { found, .. } => format!("ConnectionTypeMismatch: Connection {name} is of type {found}"),
        Usable::NotInShard { selector } => format!("ConnectionNotReady: there is no Connection {name} with the labels {selector}"),
        _ => format!("ConnectionNotReady: Connection {name} does not exist"),
    };
    let unseen = Motion::NotSeen {
        why,
        unknown_object: false,
    };
    Sight::showing(facts.mono, facts.wall, key.authority.clone(), unseen)
}
