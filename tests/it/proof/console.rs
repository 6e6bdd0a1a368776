//! The life of an HMC's install: each effect harmed, as [`matrix`](super::matrix) does for vCenter.
//!
//! The simulated console is the least forgiving one: a second install is taken, and begins another in the first one's place. It restarts with its
//! new bundle. Nothing proves there that an install was not taken, so what never arrived waits for a person; what did arrive never may.

use std::ops::Deref;
use std::ops::DerefMut;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio::time::Instant;
use windlass::api::Connection;
use windlass::api::FirmwareUpgrade;

use super::cells::Cell;
use super::cells::Cells;
use super::cells::Effect;
use super::cells::Variant;
use super::life::Life;
use super::matrix;
use super::story;
use super::story::Story;
use crate::ground::Ground;
use crate::sim::Clock;
use crate::sim::Entry;
use crate::sim::Log;
use crate::sim::Running;
use crate::sim::faults::Faults;
use crate::sim::hmc;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::Config;
use crate::sim::hmc::Hmc;
use crate::sim::hmc::JOBS;
use crate::sim::hmc::SecondInstall;
use crate::sim::hmc::TARGET;

/// The install, as the matrix calls it.
const INSTALL: &str = "vendor POST single-step-install";

/// How many times faster than ours the console's clock runs.
const SPEED: f64 = 10.0;

/// A namespace and a console.
pub struct ConsoleWorld {
    ground: Ground,
    hmc: Running<Hmc>,
}

impl Deref for ConsoleWorld {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for ConsoleWorld {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl ConsoleWorld {
    /// A console whose installs take two seconds, its restart included.
    async fn new(name: &str) -> anyhow::Result<ConsoleWorld> {
        let config = Config::default()
            .settings(|s| s.second_install = SecondInstall::StartsAnother)
            .console(|c| (c.backup_secs, c.install_secs, c.down_secs, c.slow_secs, c.finish_secs) = (3, 7, 8, 0, 2))
            .clock(Clock::new(Timestamp::now(), SPEED));
        Ok(ConsoleWorld {
            ground: Ground::new(name).await?,
            hmc: Hmc::start(config).await?,
        })
    }
}

impl Life for ConsoleWorld {
    type Upgrade = FirmwareUpgrade;

    const START: &'static str = INSTALL;

    async fn story(name: &str) -> anyhow::Result<Story<ConsoleWorld>> {
        Story::around(ConsoleWorld::new(name).await?, story::number()).await
    }

    async fn ask(story: &Story<ConsoleWorld>) -> anyhow::Result<()> {
        let world = &story.world;
        let secret = json!({"stringData": {"username": hmc::USER, "password": hmc::PASSWORD}});
        world.create::<Secret>("hmc", secret).await?;
        let connection = json!({
            "type": "HMC", "url": world.hmc.url(), "caBundlePEM": world.hmc.ca_pem(), "credentialsSecretRef": {"name": "hmc"},
        });
        world.create::<Connection>("hmc", json!({"spec": connection})).await?;
        let upgrade = json!({
            "connectionRef": {"name": "hmc"}, "version": BUNDLE_NEW,
            "hmcConsole": {"singleStepInstall": {"backupLocation": "USB"}},
        });
        world.create::<FirmwareUpgrade>("b", json!({"spec": upgrade})).await
    }

    fn log(&self) -> &Log {
        self.hmc.log()
    }

    fn faults(&self) -> &Faults {
        self.hmc.faults()
    }

    fn call(entry: &Entry) -> (String, String) {
        // A job has another id in each story.
        if entry.path.starts_with(JOBS) {
            return ("job".to_owned(), format!("{JOBS}*"));
        }
        (entry.path.rsplit('/').next().unwrap_or(&entry.path).to_owned(), entry.path.clone())
    }

    fn targets(_: &FirmwareUpgrade) -> Vec<String> {
        vec![TARGET.to_owned()]
    }

    fn asks(post: &Entry, _: &str, version: &str) -> bool {
        let asked = post.body.as_ref().map(|body| &body["bundle-level"]);
        asked.is_some_and(|asked| *asked == json!(version))
    }

    /// Its calls and its start. The requests to the API server around them are those of every kind, and vCenter's matrix harms them all.
    fn wholly(effect: &Effect) -> bool {
        effect.vendor.is_some() || effect.heart::<ConsoleWorld>()
    }

    /// The install in the ways that differ; of the rest, where the answer and the memory of it part.
    fn chosen(effect: &Effect, variant: Variant) -> bool {
        use Variant::{CutAfter, DieBefore, DieCommitted, Duplicated, Truncated};
        let parts = match effect.label.as_str() {
            INSTALL => matches!(variant, DieBefore | DieCommitted | CutAfter | Truncated | Duplicated),
            "PATCH receipt answer" => matches!(variant, DieBefore | DieCommitted),
            "PATCH receipt end" => variant == DieBefore,
            _ => false,
        };
        effect.heart::<ConsoleWorld>() && parts
    }
}

/// Whether the console got the install, in full.
fn arrives(variant: Variant) -> bool {
    use Variant::{CutAfter, DieCommitted, DieReplied, Duplicated, ErrorAfter, TimeoutAfter, Truncated};
    matches!(
        variant,
        DieCommitted | DieReplied | TimeoutAfter | ErrorAfter | CutAfter | Truncated | Duplicated
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_effect_of_a_consoles_install_is_harmed_it_is_sent_once_and_what_arrived_needs_nobody() -> anyhow::Result<()> {
    let began = Instant::now();
    let effects = matrix::clean_run::<ConsoleWorld>().await?;
    let cells = matrix::harmed::<ConsoleWorld>(&effects, began).await;
    assert!(cells.len() >= 7, "{effects:?}");
    let asked = cells
        .iter()
        .filter(|((effect, variant), cell)| effect.label == INSTALL && arrives(*variant) && matches!(cell, Cell::Person(_)));
    let asked: Vec<String> = asked.map(|((e, v), cell)| format!("{} / {v:?}: {cell:?}", e.name())).collect();
    matrix::verdict(&effects, &Cells::new(), cells, began);
    assert!(asked.is_empty(), "needed a person without need: {asked:#?}");
    Ok(())
}
