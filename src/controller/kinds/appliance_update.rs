//! What is particular about `ApplianceUpdate`: the endpoint of its Connection is its one target. Used through [`Upgrade`] only.

use std::time::Duration;

use crate::api::ApplianceUpdate;
use crate::api::Schedule;
use crate::api::appliance_update::ApplianceUpdateStatus;
use crate::api::common::CanonicalDuration;
use crate::api::connection::ConnectionType;
use crate::controller::upgrade::Shared;
use crate::controller::upgrade::Told;
use crate::controller::upgrade::Upgrade;
use crate::controller::wakes::Kind;
use crate::upgrade::decision::Decision;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::Wish;
use crate::upgrade::target::APPLIANCE;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;

impl Upgrade for ApplianceUpdate {
    const KIND: Kind = Kind::ApplianceUpdate;
    /// An update unpacks, migrates its database and restarts, perhaps twice: an hour on a slow datastore. Out of sight for less than this it
    /// is taken to restart.
    const TIMEOUT: Duration = Duration::from_hours(3);

    fn connection_type(&self) -> ConnectionType {
        ConnectionType::RecoveryAppliance
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

    fn wishes(&self) -> Vec<(String, Wish)> {
        let wish = Wish {
            version: self.spec.version.clone(),
            run_key: self.spec.run_key.clone().unwrap_or_default(),
            options: Options::Appliance,
            canary: false,
            expected_identity: None,
        };
        vec![(APPLIANCE.to_owned(), wish)]
    }

    fn key(authority: Authority, _: &str) -> TargetKey {
        TargetKey::appliance(authority)
    }

    fn shown(shared: Shared, _: &Decision) -> ApplianceUpdateStatus {
        let appliance = shared.targets.iter().find(|target| !target.removed);
        ApplianceUpdateStatus {
            observed_generation: Some(shared.observed_generation),
            state: Some(shared.state),
            target: appliance.map(|target| target.name.clone()),
            current_version: appliance.and_then(|target| target.current_version.clone()),
            progress: appliance.and_then(|target| target.progress),
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

    fn told(status: &ApplianceUpdateStatus) -> Told<'_> {
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
