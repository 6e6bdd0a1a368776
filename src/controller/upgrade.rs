//! What a kind of upgrade is to the controllers: everything in which one kind differs from another.
//!
//! The custom resources of [`kinds`](super::kinds) implement it; [`gather`](super::gather), [`act`](super::act), [`report`](super::report),
//! [`streams`](super::streams) and [`upgrades`](super::upgrades) are written once, for all of them. An implementation reads its own spec and
//! fills its own status: it asks nobody, and decides nothing.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::core::object::HasStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::gather::GatherError;
use super::wakes::Kind;
use crate::api::Schedule;
use crate::api::common::Blocker;
use crate::api::common::CanonicalDuration;
use crate::api::common::Condition;
use crate::api::common::PastRun;
use crate::api::common::TargetStatus;
use crate::api::connection::ConnectionType;
use crate::upgrade::decision::Decision;
use crate::upgrade::facts::Strategy;
use crate::upgrade::facts::Wish;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;

/// A kind of upgrade.
pub trait Upgrade:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status: Clone + Default + Serialize + Send + Sync>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Its name, as in receipts, reservations, metrics and logs.
    const KIND: Kind;

    /// The type of Connection that it goes through. Nothing is ever asked of one of another type.
    fn connection_type(&self) -> ConnectionType;

    /// How long a run may take when the spec does not say.
    const TIMEOUT: Duration;

    /// The same for this one: some of a kind take longer than others.
    fn default_timeout(&self) -> Duration {
        Self::TIMEOUT
    }

    /// Name of its Connection, in the same namespace.
    fn connection(&self) -> &str;

    /// `spec.suspend`.
    fn suspend(&self) -> bool;

    /// `spec.schedule`.
    fn schedule(&self) -> Option<&Schedule>;

    /// `spec.timeout`.
    fn timeout(&self) -> Option<&CanonicalDuration>;

    /// How its targets are worked off. A kind with one target has nothing to say.
    fn strategy(&self) -> Result<Strategy, GatherError> {
        Ok(Strategy {
            max_concurrent: 1,
            max_failures: 0,
            soak: Duration::ZERO,
        })
    }

    /// Its targets, by their object at the vendor and in their order, and what is wished for each.
    fn wishes(&self) -> Vec<(String, Wish)>;

    /// The target that an object at an endpoint is.
    fn key(authority: Authority, object: &str) -> TargetKey;

    /// Its status: what all kinds show, and what it shows besides.
    fn shown(shared: Shared, decision: &Decision) -> Self::Status;

    /// What a status of before told, as far as the next one depends on it.
    fn told(status: &Self::Status) -> Told<'_>;
}

/// The part of a status that all kinds have.
#[derive(Clone, Debug)]
pub struct Shared {
    /// `observedGeneration`.
    pub observed_generation: i64,
    /// `state`.
    pub state: String,
    /// `waitingFor`.
    pub waiting_for: Option<String>,
    /// `message`.
    pub message: String,
    /// `nextActionAt`.
    pub next_action_at: Option<Timestamp>,
    /// `startedAt`.
    pub started_at: Option<Timestamp>,
    /// `completedAt`.
    pub completed_at: Option<Timestamp>,
    /// `blockers`.
    pub blockers: Vec<Blocker>,
    /// `targets`.
    pub targets: Vec<TargetStatus>,
    /// `history`.
    pub history: Vec<PastRun>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// What Events are made from, and what the next status keeps.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// `observedGeneration`.
    pub observed_generation: Option<i64>,
    /// `state`.
    pub state: Option<&'a str>,
    /// `waitingFor`.
    pub waiting_for: Option<&'a str>,
    /// `message`.
    pub message: Option<&'a str>,
    /// `targets`.
    pub targets: &'a [TargetStatus],
    /// `conditions`.
    pub conditions: &'a [Condition],
}
