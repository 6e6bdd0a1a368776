//! What is particular about `ClusterUpgradeBatch`: many targets on one vCenter, and a strategy. Used through [`Upgrade`] only.

use std::time::Duration;

use crate::api::ClusterUpgradeBatch;
use crate::api::Schedule;
use crate::api::cluster_upgrade_batch::ClusterUpgradeBatchStatus;
use crate::api::cluster_upgrade_batch::Counts;
use crate::api::common::CanonicalDuration;
use crate::api::connection::ConnectionType;
use crate::controller::gather::GatherError;
use crate::controller::gather::span;
use crate::controller::upgrade::Shared;
use crate::controller::upgrade::Told;
use crate::controller::upgrade::Upgrade;
use crate::controller::wakes::Kind;
use crate::upgrade::decision::Decision;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::Strategy;
use crate::upgrade::facts::Wish;
use crate::upgrade::reason::State;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;

impl Upgrade for ClusterUpgradeBatch {
    const KIND: Kind = Kind::ClusterUpgradeBatch;
    /// Control planes of many nodes are rolled one by one.
    const TIMEOUT: Duration = Duration::from_hours(8);

    fn connection_type(&self) -> ConnectionType {
        ConnectionType::VCenter
    }

    fn connection(&self) -> &str {
        &self.spec.connection_ref.name
    }

    fn suspend(&self) -> bool {
        self.spec.suspend.unwrap_or(false)
    }

    fn schedule(&self) -> Option<&Schedule> {
        self.spec.schedule.as_ref()
    }

    fn timeout(&self) -> Option<&CanonicalDuration> {
        self.spec.timeout.as_ref()
    }

    fn strategy(&self) -> Result<Strategy, GatherError> {
        let strategy = self.spec.strategy.clone().unwrap_or_default();
        let count = |n: Option<i32>, default: usize| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
        Ok(Strategy {
            max_concurrent: count(strategy.max_concurrent, 1),
            max_failures: count(strategy.max_failures, 0),
            soak: span("strategy.soak", strategy.soak.as_ref(), Duration::ZERO)?,
        })
    }

    fn wishes(&self) -> Vec<(String, Wish)> {
        let spec = &self.spec;
        let wish = |entry: &crate::api::cluster_upgrade_batch::ClusterEntry| Wish {
            version: entry
                .desired_version
                .clone()
                .or_else(|| spec.desired_version.clone())
                .unwrap_or_default(),
            run_key: spec.run_key.clone().unwrap_or_default(),
            options: Options::Cluster {
                ignore_precheck_warnings: entry.ignore_precheck_warnings.unwrap_or(false),
            },
            canary: entry.canary.unwrap_or(false),
            expected_identity: entry.cluster_name.clone(),
        };
        spec.clusters.iter().map(|entry| (entry.cluster.clone(), wish(entry))).collect()
    }

    fn key(authority: Authority, object: &str) -> TargetKey {
        TargetKey::cluster(authority, object)
    }

    fn shown(shared: Shared, decision: &Decision) -> ClusterUpgradeBatchStatus {
        let counts = counts(decision);
        ClusterUpgradeBatchStatus {
            observed_generation: Some(shared.observed_generation),
            state: Some(shared.state),
            done: Some(format!("{}/{}", counts.success, counts.total)),
            counts: Some(counts),
            waiting_for: shared.waiting_for,
            message: Some(shared.message),
            next_action_at: shared.next_action_at,
            started_at: shared.started_at,
            completed_at: shared.completed_at,
            blockers: shared.blockers,
            targets: shared.targets,
            history: shared.history,
            conditions: shared.conditions,
        }
    }

    fn told(status: &ClusterUpgradeBatchStatus) -> Told<'_> {
        Told {
            observed_generation: status.observed_generation,
            state: status.state.as_deref(),
            waiting_for: status.waiting_for.as_deref(),
            message: status.message.as_deref(),
            targets: &status.targets,
            conditions: &status.conditions,
        }
    }
}

/// Of the clusters in the spec. One that was removed from it and is followed to its end has a row, and is not counted.
fn counts(decision: &Decision) -> Counts {
    let wished = || decision.rows.iter().filter(|row| !row.removed);
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let count = |state: &[State]| number(wished().filter(|row| state.contains(&row.state)).count());
    Counts {
        total: number(wished().count()),
        success: count(&[State::Success]),
        running: count(&[State::Started, State::Running]),
        failed: count(&[State::Failed]),
        rejected: count(&[State::Rejected]),
        cancelled: count(&[State::Cancelled]),
        unknown: count(&[State::Unknown]),
        pending: count(&[State::Pending]),
    }
}
