//! The life of a recovery appliance's update: each effect harmed in every way, as [`matrix`](super::matrix) does for vCenter.
//!
//! The simulated appliance is the least forgiving one: a second install is taken, and begins another in the first one's place. An install
//! restarts it, so that whoever looks for a lost start finds nobody there for a while; in a few cases more the restart takes all tasks with
//! it. What nobody can tell is in [`person`].

mod person;

use std::ops::Deref;
use std::ops::DerefMut;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio::time::Instant;
use windlass::api::ApplianceUpdate;
use windlass::api::Connection;

use super::cells::Cell;
use super::cells::Cells;
use super::cells::Effect;
use super::cells::Variant;
use super::life::Life;
use super::matrix;
use super::matrix::AT_ONCE;
use super::pauses;
use super::story;
use super::story::Story;
use crate::ground::Ground;
use crate::sim::Clock;
use crate::sim::Entry;
use crate::sim::Log;
use crate::sim::Running;
use crate::sim::appliance;
use crate::sim::appliance::Appliance;
use crate::sim::appliance::BASE;
use crate::sim::appliance::Config;
use crate::sim::appliance::Retention;
use crate::sim::appliance::SecondInstall;
use crate::sim::appliance::TARGET;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::faults::Faults;

/// The install, as the matrix calls it.
const INSTALL: &str = "vendor POST install";

/// How many times faster than ours the appliance's clock runs.
const SPEED: f64 = 10.0;

/// A namespace and an appliance.
pub struct ApplianceWorld {
    ground: Ground,
    appliance: Running<Appliance>,
}

impl Deref for ApplianceWorld {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for ApplianceWorld {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl ApplianceWorld {
    /// An appliance whose installs take two seconds, its restart included.
    async fn new(name: &str) -> anyhow::Result<ApplianceWorld> {
        let config = Config::default()
            .settings(|s| (s.second_install, s.retrieve_secs) = (SecondInstall::StartsAnother, 2))
            .machine(|m| (m.queued_secs, m.run_secs, m.down_secs, m.slow_secs) = (3, 7, 8, 2))
            .clock(Clock::new(Timestamp::now(), SPEED));
        Ok(ApplianceWorld {
            ground: Ground::new(name).await?,
            appliance: Appliance::start(config).await?,
        })
    }
}

impl Life for ApplianceWorld {
    type Upgrade = ApplianceUpdate;

    const START: &'static str = INSTALL;

    async fn story(name: &str) -> anyhow::Result<Story<ApplianceWorld>> {
        Story::around(ApplianceWorld::new(name).await?, story::number()).await
    }

    async fn ask(story: &Story<ApplianceWorld>) -> anyhow::Result<()> {
        let world = &story.world;
        let secret = json!({"stringData": {"username": appliance::USER, "password": appliance::PASSWORD}});
        world.create::<Secret>("srm", secret).await?;
        let connection = json!({
            "type": "RecoveryAppliance", "url": world.appliance.url(), "caBundlePEM": world.appliance.ca_pem(),
            "credentialsSecretRef": {"name": "srm"},
        });
        world.create::<Connection>("srm", json!({"spec": connection})).await?;
        let update = json!({"connectionRef": {"name": "srm"}, "version": VERSION_NEW});
        world.create::<ApplianceUpdate>("b", json!({"spec": update})).await
    }

    fn log(&self) -> &Log {
        self.appliance.log()
    }

    fn faults(&self) -> &Faults {
        self.appliance.faults()
    }

    fn call(entry: &Entry) -> (String, String) {
        let path = entry.path.strip_prefix(BASE).unwrap_or(&entry.path);
        // A task has another id in each story.
        if path.starts_with("/tasks/") {
            return ("task".to_owned(), format!("{BASE}/tasks/*"));
        }
        (path.rsplit('/').next().unwrap_or(path).to_owned(), entry.path.clone())
    }

    fn targets(_: &ApplianceUpdate) -> Vec<String> {
        vec![TARGET.to_owned()]
    }

    fn asks(post: &Entry, _: &str, version: &str) -> bool {
        post.path.contains(&format!("/updates/{version}/"))
    }

    /// Its calls and its start. The requests to the API server around them are those of every kind, and vCenter's matrix harms them all.
    fn wholly(effect: &Effect) -> bool {
        effect.vendor.is_some() || effect.heart::<ApplianceWorld>()
    }

    /// The install in all ways that differ; of the rest, where the answer and the memory of it part.
    fn chosen(effect: &Effect, variant: Variant) -> bool {
        use Variant::{CutBefore, DieBefore, DieCommitted, ErrorBefore, Late, TimeoutBefore};
        let parts = match effect.label.as_str() {
            // What never got there looks the same to everybody, whichever way it was lost.
            INSTALL => !matches!(variant, TimeoutBefore | ErrorBefore | CutBefore | Late),
            "PATCH receipt answer" => matches!(variant, DieBefore | DieCommitted),
            "PATCH receipt end" => variant == DieBefore,
            _ => variant == DieCommitted,
        };
        effect.heart::<ApplianceWorld>() && parts
    }
}

/// A few cases more, in which the appliance forgets all of its tasks when it restarts: only its version can tell then.
async fn forgetful(effects: &[Effect]) -> Cells {
    use Variant::{CutAfter, DieBefore, DieCommitted};
    let of = |label: &str| effects.iter().find(|e| e.label == label && e.nth == 1).cloned();
    let installs = [DieCommitted, CutAfter].map(|variant| (INSTALL, "install, tasks lost after", variant));
    let answers = [DieBefore].map(|variant| ("PATCH receipt answer", "answer, tasks lost after", variant));
    stream::iter(installs.into_iter().chain(answers))
        .map(|(label, shown, variant)| async move {
            let _place = super::place().await;
            let cell = async {
                let effect = of(label).ok_or_else(|| anyhow::anyhow!("no {label} in the clean run"))?;
                let story = ApplianceWorld::story("forgetful").await?;
                story.world.appliance.set(|s| s.retention = Retention::LoseAll);
                matrix::case(story, &effect, variant).await
            };
            let cell = cell.await.unwrap_or_else(|error| Cell::Stuck(format!("{error:#}")));
            let row = Effect {
                label: shown.to_owned(),
                nth: 1,
                vendor: (label == INSTALL).then(Default::default),
            };
            ((row, variant), cell)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_effect_of_an_appliances_update_is_harmed_the_install_is_sent_once() -> anyhow::Result<()> {
    let began = Instant::now();
    let harmed = async {
        let effects = matrix::clean_run::<ApplianceWorld>().await?;
        let (cells, forgetful) = tokio::join!(matrix::harmed::<ApplianceWorld>(&effects, began), forgetful(&effects));
        anyhow::Ok((effects, cells, forgetful))
    };
    let (harmed, persons) = tokio::join!(harmed, person::all());
    let (effects, cells, forgetful) = harmed?;
    assert!(cells.len() >= 12, "{effects:?}");
    // One harm alone leaves enough to tell by: the list of tasks, or the version.
    let asked = cells.iter().chain(&forgetful).filter(|(_, cell)| matches!(cell, Cell::Person(_)));
    let asked: Vec<String> = asked.map(|((e, v), cell)| format!("{} / {v:?}: {cell:?}", e.name())).collect();
    let more: Cells = forgetful.into_iter().chain(persons).collect();
    matrix::verdict(&effects, &more, cells, began);
    assert!(asked.is_empty(), "needed a person without need: {asked:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_at_any_step_of_an_appliances_update_installs_nothing_twice() -> anyhow::Result<()> {
    if super::large() {
        pauses::all::<ApplianceWorld>().await?;
    }
    Ok(())
}
