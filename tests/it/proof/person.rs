//! Doubts that no evidence can end: UNKNOWN and Stalled, until a person says on the receipt what happened.
//!
//! The start's answer is lost, and what the vendor shows afterwards is neither the state before nor our version: somebody else brought
//! the cluster to a third version, or it is in an ERROR that may be this start's. No edit of the upgrade's spec ends that, and none may:
//! only `spec.resolution` of the receipt does. The matrix runs both, and counts them among what needed a person.

use serde_json::json;

use super::oracle;
use super::story::Rest;
use super::story::Story;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults;
use crate::sim::vcenter;
use crate::sim::vcenter::Failure;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::VERSION_NEWER;

/// What the vendor shows after the answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The start was not taken, and somebody else upgraded the cluster to another version.
    ThirdVersion,
    /// The start was taken; the cluster is in ERROR, and the vendor does not say since which upgrade.
    NamelessError,
}

/// Both, as they are called in the matrix.
pub const ALL: [(Shows, &str); 2] = [
    (Shows::ThirdVersion, "start, then a 3rd version"),
    (Shows::NamelessError, "start, then an ERROR"),
];

/// Runs one: by a crash in the middle of the start, or by a lost answer. Returns what the batch said while it needed a person, and every
/// breach of the promise once that person had settled it.
pub async fn case(shows: Shows, crash: bool) -> anyhow::Result<(Rest, Vec<String>)> {
    let story = Story::new("person", 1).await?;
    let (faults, cluster) = (story.world.vcenter.faults(), story.cluster(1));
    let when = if shows == Shows::ThirdVersion { When::Before } else { When::After };
    let held = faults.add(Rule::new(Action::Hang { when }).on(vcenter::starts()).times(1));
    // Nobody looks at the cluster while it becomes what it will be.
    let quiet = Rule::new(Action::Drop { when: When::Before }).on(vcenter::reads_of(&cluster));
    let mut operator = story.operator().await?;
    story.apply(1).await?;
    faults.wait_until_hit(held).await?;
    let quiet = faults.add(quiet);
    if crash {
        operator.kill9().await?;
        operator = story.operator().await?;
    }
    faults.release(held, faults::Release::Drop)?;
    let now = story.world.vcenter.clock().now();
    story.world.vcenter.edit_cluster(&cluster, |c| match shows {
        Shows::ThirdVersion => {
            VERSION_NEWER.clone_into(&mut c.current_version);
            (c.available_versions, c.last_upgraded) = (Vec::new(), Some(now));
        }
        Shows::NamelessError => {
            let messages = vec![Note::new(Severity::Error, "A control plane node did not become ready.")];
            (c.run, c.failure) = (
                None,
                Some(Failure {
                    desired_version: None,
                    messages,
                }),
            );
        }
    });
    faults.remove(quiet)?;
    let rest = story.rest("b").await?;
    let told = |what: &str| story.told(&format!("{what}: {rest:?}"));
    anyhow::ensure!(
        (rest.state.as_str(), rest.reason.as_str()) == ("UNKNOWN", "NeedsResolution"),
        "{}",
        told("no doubt")
    );
    // Before it may be permits that ran out unused, on a busy machine.
    let receipt = story.world.receipt_names().await?.pop().unwrap_or_default();
    anyhow::ensure!(
        rest.message.contains(&format!("resolve receipt {receipt}")),
        "{}",
        told("it does not say how")
    );
    // The upgrade's own spec does not end it: nothing is sent for another run either.
    let posts = story.world.vcenter.log().posts().len();
    story.world.edit("b", json!({"runKey": "again"})).await?;
    story.world.looks(2).await?;
    let still = story.rest("b").await?;
    anyhow::ensure!(still.state == "UNKNOWN", "{}", told("an edit ended it"));
    story.world.edit("b", json!({"runKey": null})).await?;
    anyhow::ensure!(
        story.world.vcenter.log().posts().len() == posts,
        "{}",
        told("an edit sent something")
    );
    let breaches = settled(&story, shows, &receipt).await?;
    operator.kill9().await?;
    Ok((rest, breaches))
}

/// The person looked at the vendor, and says what happened; from there on the spec is enough again.
async fn settled(story: &Story, shows: Shows, receipt: &str) -> anyhow::Result<Vec<String>> {
    let world = &story.world;
    let (verdict, state, reason) = match shows {
        // Back to the version asked for would be a downgrade from where somebody else brought it.
        Shows::ThirdVersion => ("NotStarted", "REJECTED", "WouldDowngrade"),
        Shows::NamelessError => ("Failed", "FAILED", "VendorFailed"),
    };
    // A first word may be wrong, and cannot be taken back: the API server keeps the one there is.
    world.resolve(receipt, verdict).await?;
    anyhow::ensure!(world.resolve(receipt, "Succeeded").await.is_err(), "a word is given once");
    world
        .until("b", &format!("{state}/{reason}"), |s| {
            s.state() == state && s.row(&story.cluster(1))["reason"] == reason
        })
        .await?;
    let breaches = oracle::breaches(story, &[story.rest("b").await?]).await?;
    let (spec, posts) = match shows {
        Shows::ThirdVersion => (json!({"desiredVersion": VERSION_NEWER}), 1),
        Shows::NamelessError => {
            world.vcenter.edit_cluster(&story.cluster(1), |c| c.failure = None);
            (json!({"runKey": "after-repair"}), 2)
        }
    };
    world.edit("b", spec).await?;
    world.state("b", "SUCCESS").await?;
    anyhow::ensure!(
        world.vcenter.log().posts().len() == posts,
        "{}",
        story.told("one start for each run that was asked for")
    );
    Ok(breaches)
}
