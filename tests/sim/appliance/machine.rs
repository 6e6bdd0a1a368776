//! The appliance itself: what it is, what it is offered, and how its next install will go.
//!
//! Plain data, changed at any time through `Appliance::edit_machine`. What is under way is in [`super::life`].

use serde::{Deserialize, Serialize};

use super::settings::VersionForm;
use super::task::Trouble;
use super::wire::Repository;

/// An update in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Update {
    /// What `appliance_version` is with it: "9.0.2-10455".
    pub appliance_version: String,
    /// In milliseconds.
    pub release_date: i64,
    pub reboot_required: bool,
    pub summary: String,
    pub eula: Vec<String>,
}

impl Update {
    pub fn new(appliance_version: &str) -> Self {
        Self {
            appliance_version: appliance_version.to_owned(),
            release_date: 1_736_899_200_000,
            reboot_required: true,
            summary: format!("Update to {appliance_version}."),
            eula: vec!["A simulated licence.".to_owned()],
        }
    }

    /// Its own version, which is also the one in the path of an install.
    pub fn written(&self, form: VersionForm) -> String {
        let version = &self.appliance_version;
        match form {
            VersionForm::Full => version.clone(),
            VersionForm::WithoutBuild => version.split_once('-').map_or(version.as_str(), |(version, _)| version).to_owned(),
            VersionForm::Dotted => version.replace('-', "."),
        }
    }
}

/// A service of the appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    pub id: String,
    pub description: String,
    pub running: bool,
}

/// How installs end that begin from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// With the version, and SUCCESS.
    #[default]
    Success,
    /// In ERROR before the restart, the version unchanged.
    Error(Trouble),
    /// In CANCELLED before the restart, the version unchanged.
    Cancelled,
    /// SUCCESS, but another version than the one asked for.
    ThirdVersion(String),
    /// It restarts and is what it was; the task, if there still is one, is in ERROR.
    SameVersion,
    /// It goes down for its restart and stays down.
    NeverBack,
}

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub hostname: String,
    pub product_name: String,
    pub product_build_number: String,
    pub appliance_version: String,
    /// Oldest first. Reaching one removes it and those before it.
    pub updates: Vec<Update>,
    pub repository: Repository,
    pub services: Vec<Service>,
    pub reconfigure_required: bool,
    /// Simulated seconds of QUEUED.
    pub queued_secs: u64,
    /// Simulated seconds of RUNNING before the restart.
    pub run_secs: u64,
    /// Whether an install restarts the machine at all.
    pub restarts: bool,
    /// Simulated seconds of a restart, in which nothing answers.
    pub down_secs: u64,
    /// Simulated seconds after a restart in which some services do not answer yet.
    pub slow_secs: u64,
    /// Simulated seconds between the new version's showing and the task's end.
    pub finish_secs: u64,
    pub ends: Ends,
    /// A successful install leaves the need to reconfigure.
    pub reconfigure_after: bool,
}

impl Machine {
    /// At `version` and offered `updates`; an install queues ten seconds, runs for five minutes and restarts for two, and services are
    /// slow for one more.
    pub fn new(version: &str, updates: &[&str]) -> Self {
        let service = |id: &str, description: &str| Service {
            id: id.to_owned(),
            description: description.to_owned(),
            running: true,
        };
        Self {
            hostname: "vr1.example.com".to_owned(),
            product_name: "vSphere Replication".to_owned(),
            product_build_number: "12345".to_owned(),
            appliance_version: version.to_owned(),
            updates: updates.iter().copied().map(Update::new).collect(),
            repository: Repository {
                url: Some("https://updates.example.com/vr".to_owned()),
                ..Repository::default()
            },
            services: vec![
                service("hms", "Replication management"),
                service("dr-configurator", "Configuration"),
            ],
            reconfigure_required: false,
            queued_secs: 10,
            run_secs: 300,
            restarts: true,
            down_secs: 120,
            slow_secs: 60,
            finish_secs: 0,
            ends: Ends::default(),
            reconfigure_after: false,
        }
    }

    /// In the specification's example the version ends in it.
    pub fn build_number(&self) -> &str {
        self.appliance_version.rsplit_once('-').map_or("", |(_, build)| build)
    }

    /// Has this version from now on.
    pub fn become_version(&mut self, version: &str) {
        version.clone_into(&mut self.appliance_version);
        if let Some(at) = self.updates.iter().position(|update| update.appliance_version == version) {
            self.updates.drain(..=at);
        }
    }
}
