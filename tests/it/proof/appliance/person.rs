//! Doubts about an install that no evidence can end: UNKNOWN and Stalled, until a person says on the receipt what happened.
//!
//! The answer is lost, and the list of tasks is no witness: it has forgotten what was there before the start, or it has two that were not.
//! A version that arrives would tell; here none does.

use futures::StreamExt as _;
use futures::stream;
use kube::Api;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::json;
use windlass::api::ApplianceUpdate;
use windlass::api::UpgradeReceipt;

use super::ApplianceWorld;
use super::INSTALL;
use crate::proof::cells::Cell;
use crate::proof::cells::Cells;
use crate::proof::cells::Effect;
use crate::proof::cells::Variant;
use crate::proof::life::Life;
use crate::proof::matrix::AT_ONCE;
use crate::proof::matrix::doubt;
use crate::proof::oracle;
use crate::proof::story::Rest;
use crate::proof::story::Story;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::appliance;
use crate::sim::appliance::Ending;
use crate::sim::appliance::Ends;
use crate::sim::appliance::Task;
use crate::sim::appliance::Trouble;
use crate::sim::appliance::What;
use crate::sim::faults;

/// What the appliance shows after the answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// The install was not taken, and no task of before is listed any more.
    Forgotten,
    /// The install was taken and fails, and somebody else's task began as well.
    Another,
}

const ALL: [(Shows, &str); 2] = [
    (Shows::Forgotten, "install, then all forgotten"),
    (Shows::Another, "install, and another's task"),
];

/// Both, reached by a crash and by a lost answer.
pub async fn all() -> Cells {
    let cases = ALL
        .iter()
        .flat_map(|shown| [(true, Variant::DieCommitted), (false, Variant::CutAfter)].map(|(crash, variant)| (shown, crash, variant)))
        .filter(|(_, crash, _)| *crash || crate::proof::large());
    stream::iter(cases)
        .map(|((shows, label), crash, variant)| async move {
            let effect = Effect {
                label: (*label).to_owned(),
                nth: 1,
                vendor: Some(("POST".to_owned(), INSTALL.to_owned())),
            };
            let _place = crate::proof::place().await;
            let cell = match case(*shows, crash).await {
                Ok((_, breaches)) if !breaches.is_empty() => Cell::Violation(breaches.join("; ")),
                Ok((rest, _)) => Cell::Person(format!("{} {}", rest.reason, without_ids(&doubt(&rest.message)))),
                Err(error) => Cell::Stuck(format!("{error:#}")),
            };
            ((effect, variant), cell)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Ids are each run's own.
fn without_ids(why: &str) -> String {
    let is_id = |word: &str| word.trim_end_matches(',').len() == 36;
    why.split(' ')
        .map(|word| if is_id(word) { "<task>" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

async fn case(shows: Shows, crash: bool) -> anyhow::Result<(Rest, Vec<String>)> {
    let story = ApplianceWorld::story("doubt").await?;
    let (world, appliance) = (&story.world, &story.world.appliance);
    if shows == Shows::Another {
        let trouble = Trouble::new("The update cannot be installed.", "A package is damaged.");
        appliance.edit_machine(|machine| machine.ends = Ends::Error(trouble));
    }
    let held = Rule::new(Action::Hang { when: When::Before }).on(appliance::installs()).times(1);
    let held = appliance.faults().add(held);
    let mut operator = story.operator().await?;
    ApplianceWorld::ask(&story).await?;
    appliance.faults().wait_until_hit(held).await?;
    if crash {
        operator.kill9().await?;
        operator = story.operator().await?;
    } else {
        let doubted = world.until_of::<ApplianceUpdate>("b", |s| s.state() == "UNKNOWN").await;
        anyhow::ensure!(doubted.is_ok(), "{}", story.told("no doubt after the answer was lost"));
    }
    match shows {
        Shows::Forgotten => {
            appliance.faults().release(held, faults::Release::Drop)?;
            appliance.lose_tasks();
        }
        Shows::Another => {
            // It is there before the install is: at no moment is the install the only one that is new.
            let what = What::Other {
                kind: Some("support-bundle".to_owned()),
                description: Some("Generate support bundle".to_owned()),
            };
            appliance.add_task(Task::new(what, appliance.clock().now(), 0, 1, Ending::Success));
            appliance.faults().release(held, faults::Release::Continue)?;
            appliance.log().wait_until(|log| !log.committed().is_empty()).await;
        }
    }
    let rest = story.rest("b").await?;
    let told = |what: &str| story.told(&format!("{what}: {rest:?}"));
    anyhow::ensure!(
        (rest.state.as_str(), rest.reason.as_str()) == ("UNKNOWN", "NeedsResolution"),
        "{}",
        told("no doubt")
    );
    let receipt = world.receipts().await?.pop().and_then(|r| r.metadata.name).unwrap_or_default();
    anyhow::ensure!(
        rest.message.contains(&format!("resolve receipt {receipt}")),
        "{}",
        told("it does not say how")
    );
    anyhow::ensure!(appliance.log().posts().len() == 1, "{}", told("something was sent in doubt"));
    let breaches = settled(&story, shows, &receipt).await?;
    operator.kill9().await?;
    Ok((rest, breaches))
}

/// The person looked at the appliance, and says what happened; from there on the spec is enough again.
async fn settled(story: &Story<ApplianceWorld>, shows: Shows, receipt: &str) -> anyhow::Result<Vec<String>> {
    let world = &story.world;
    let (verdict, comes_to) = match shows {
        Shows::Forgotten => ("NotStarted", "SUCCESS"),
        Shows::Another => ("Failed", "FAILED"),
    };
    let resolution = json!({"verdict": verdict, "by": "admin", "reason": "read the appliance's own log"});
    let receipts: Api<UpgradeReceipt> = Api::all(world.client.clone());
    let patch = Patch::Merge(json!({"spec": {"resolution": resolution}}));
    receipts.patch(receipt, &PatchParams::default(), &patch).await?;
    is(story, comes_to).await?;
    let breaches = oracle::breaches(story, &[story.rest("b").await?]).await?;
    if shows == Shows::Another {
        world.appliance.edit_machine(|machine| machine.ends = Ends::Success);
        world.edit_spec::<ApplianceUpdate>("b", json!({"runKey": "after-repair"})).await?;
        is(story, "SUCCESS").await?;
    }
    // The first was dropped or failed, and one more was asked for.
    anyhow::ensure!(world.log().posts().len() == 2, "{}", story.told("one start for each run"));
    Ok(breaches)
}

async fn is(story: &Story<ApplianceWorld>, state: &str) -> anyhow::Result<()> {
    let came = story.world.until_of::<ApplianceUpdate>("b", |s| s.state() == state).await;
    came.map_err(|n| n.error.context(story.told(&format!("never came to {state}; last: {:#}", n.last))))?;
    Ok(())
}
