//! What is particular about `FirmwareUpgrade`: the console of its Connection is its one target. Used through [`Upgrade`] only.

use std::time::Duration;

use crate::api::FirmwareUpgrade;
use crate::api::Schedule;
use crate::api::common::CanonicalDuration;
use crate::api::connection::ConnectionType;
use crate::api::firmware_upgrade::Authorize;
use crate::api::firmware_upgrade::FirmwareUpgradeStatus;
use crate::api::firmware_upgrade::HmcConsole;
use crate::api::firmware_upgrade::SingleStepInstall;
use crate::controller::upgrade::Shared;
use crate::controller::upgrade::Told;
use crate::controller::upgrade::Upgrade;
use crate::controller::wakes::Kind;
use crate::upgrade::decision::Decision;
use crate::upgrade::facts::InstallSource;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::Wish;
use crate::upgrade::target::Authority;
use crate::upgrade::target::CONSOLE;
use crate::upgrade::target::TargetKey;

/// How long a run may take that IBM schedules: a token is good for seven days, and a day is enough for the run itself.
pub(super) const LEFT_TO_VENDOR: Duration = Duration::from_hours(192);

impl Upgrade for FirmwareUpgrade {
    const KIND: Kind = Kind::FirmwareUpgrade;
    const CONNECTION: ConnectionType = ConnectionType::Hmc;
    /// A console backs itself up, gets a bundle of gigabytes, installs it and restarts: some hours over a slow line. Out of sight for less
    /// than this it is taken to restart.
    const TIMEOUT: Duration = Duration::from_hours(6);

    fn default_timeout(&self) -> Duration {
        match self.spec.hmc_console.remote_schedule {
            Some(_) => LEFT_TO_VENDOR,
            None => Self::TIMEOUT,
        }
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
            options: options(&self.spec.hmc_console),
            canary: false,
            expected_identity: None,
        };
        vec![(CONSOLE.to_owned(), wish)]
    }

    fn key(authority: Authority, _: &str) -> TargetKey {
        TargetKey::console(authority)
    }

    fn shown(shared: Shared, _: &Decision) -> FirmwareUpgradeStatus {
        let console = shared.targets.iter().find(|target| !target.removed);
        FirmwareUpgradeStatus {
            observed_generation: Some(shared.observed_generation),
            state: Some(shared.state),
            target: console.map(|target| target.name.clone()),
            current_version: console.and_then(|target| target.current_version.clone()),
            progress: console.and_then(|target| target.progress),
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

    fn told(status: &FirmwareUpgradeStatus) -> Told<'_> {
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

/// One of the two is there: the API server saw to it. Neither would be the one that asks for nothing.
fn options(console: &HmcConsole) -> Options {
    match (&console.single_step_install, &console.remote_schedule) {
        (Some(install), _) => installed(install),
        (None, Some(remote)) => Options::ConsoleSchedule {
            authorize: remote.authorize == Authorize::IfNeeded,
        },
        (None, None) => Options::ConsoleSchedule { authorize: false },
    }
}

fn installed(install: &SingleStepInstall) -> Options {
    Options::ConsoleInstall {
        accept_firmware: install.accept_firmware.unwrap_or(true),
        source: match &install.ftp {
            Some(ftp) => InstallSource::Ftp {
                host: ftp.host.clone(),
                protocol: ftp.protocol.word().to_owned(),
                directory: ftp.directory.clone().unwrap_or_default(),
                secret: ftp.credentials_secret_ref.name.clone(),
            },
            None => InstallSource::Usb,
        },
    }
}
