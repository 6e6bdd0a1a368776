//! What is particular about `FirmwareUpgrade`: its one target is the console of its Connection, or the devices of one type of a customer. Used
//! through [`Upgrade`] only.

use std::time::Duration;

use crate::api::FirmwareUpgrade;
use crate::api::Schedule;
use crate::api::common::CanonicalDuration;
use crate::api::connection::ConnectionType;
use crate::api::firmware_upgrade::ArubaCustomer;
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
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::target::Authority;
use crate::upgrade::target::CONSOLE;
use crate::upgrade::target::TargetKey;

/// How long a run may take that IBM schedules: a token is good for seven days, and a day is enough for the run itself.
pub(super) const LEFT_TO_VENDOR: Duration = Duration::from_hours(192);

impl Upgrade for FirmwareUpgrade {
    const KIND: Kind = Kind::FirmwareUpgrade;
    /// A console backs itself up, gets a bundle of gigabytes, installs it and restarts: some hours over a slow line. Out of sight for less
    /// than this it is taken to restart.
    const TIMEOUT: Duration = Duration::from_hours(6);

    fn default_timeout(&self) -> Duration {
        match (&self.spec.aruba_customer, &self.spec.hmc_console) {
            (Some(customer), _) => of_customer(customer.reboot),
            (None, Some(console)) if console.remote_schedule.is_some() => LEFT_TO_VENDOR,
            _ => Self::TIMEOUT,
        }
    }

    fn connection_type(&self) -> ConnectionType {
        match self.spec.aruba_customer {
            Some(_) => ConnectionType::ArubaCentral,
            None => ConnectionType::Hmc,
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
        let spec = &self.spec;
        let (object, options) = match (&spec.aruba_customer, &spec.hmc_console) {
            (Some(customer), _) => {
                let key = TargetKey::customer(Authority::unknown(), &customer.customer_id, customer.device_type.word());
                (key.object, devices(customer))
            }
            (None, Some(console)) => (CONSOLE.to_owned(), options(console)),
            // The API server lets none in that is about neither.
            (None, None) => return Vec::new(),
        };
        let wish = Wish {
            // Without one it is what Central recommends: the API server saw to it.
            version: spec.version.clone().unwrap_or_else(|| RECOMMENDED.to_owned()),
            run_key: spec.run_key.clone().unwrap_or_default(),
            options,
            canary: false,
            expected_identity: None,
        };
        vec![(object, wish)]
    }

    fn key(authority: Authority, object: &str) -> TargetKey {
        TargetKey::customer_object(authority.clone(), object).unwrap_or_else(|| TargetKey::console(authority))
    }

    fn shown(shared: Shared, _: &Decision) -> FirmwareUpgradeStatus {
        let target = shared.targets.iter().find(|target| !target.removed);
        FirmwareUpgradeStatus {
            observed_generation: Some(shared.observed_generation),
            state: Some(shared.state),
            target: target.map(|target| called(&target.name)),
            current_version: target.and_then(|target| target.current_version.clone()),
            progress: target.and_then(|target| target.progress),
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

/// How long an order for a customer's devices may take: downloads of hundreds of megabytes by the thousand, and their reboots. Where somebody
/// has to reboot each device, a week.
pub(super) fn of_customer(reboot: Option<bool>) -> Duration {
    match reboot {
        Some(false) => Duration::from_hours(168),
        Some(true) | None => Duration::from_hours(8),
    }
}

/// A customer's devices in words. No Connection's name has a slash.
fn called(name: &str) -> String {
    match name.split_once('/') {
        Some((customer, device_type)) => format!("customer {customer} / {device_type}"),
        None => name.to_owned(),
    }
}

fn devices(customer: &ArubaCustomer) -> Options {
    Options::Customer {
        reboot: customer.reboot,
        exclude_groups: customer.exclude_groups.iter().cloned().collect(),
        allow_downgrade: customer.allow_downgrade.unwrap_or(false),
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
