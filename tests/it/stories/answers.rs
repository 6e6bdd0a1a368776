//! What the vendor answers to a start is believed as far as it proves something, and no further.

use serde_json::Value;
use serde_json::json;

use super::happy::quick;
use super::support::assert_each_started_once;
use super::support::bold_batch;
use super::support::entries;
use super::support::next_start;
use super::support::posts;
use super::support::receipts;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults::BodyKind;
use crate::sim::faults::Copied;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::SecondCall;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::User;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::starts;
use crate::world::World;

const C1: &str = "domain-c1";
const C2: &str = "domain-c2";

fn status(status: u16, headers: &[(&str, &str)]) -> Action {
    Action::Status {
        status,
        body: BodyKind::Json,
        when: When::Before,
        headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn with_warnings(cluster: &str, ignore: bool) -> Value {
    json!({"cluster": cluster, "ignorePrecheckWarnings": ignore})
}

fn finding(severity: Severity, text: &str) -> Vec<Note> {
    vec![Note::new(severity, text)]
}

#[tokio::test]
async fn a_refused_start_is_never_repeated_with_the_same_options() -> anyhow::Result<()> {
    let config = quick(1).each_cluster(|c| c.prechecks = finding(Severity::Error, "host esx7 is in maintenance"));
    let (world, _operator) = World::ready("refused", config).await?;
    bold_batch(&world, 1).await?;
    let status = world.reason("b", "REJECTED", "VendorRejected").await?;
    assert_eq!(status.row_state(C1), "REJECTED");
    assert!(status.row_message(C1).contains("host esx7 is in maintenance"), "{status:?}");
    assert_eq!(status.condition("Stalled", "status"), "True");
    assert_eq!(status.condition("Reconciling", "status"), "");

    // Edits of anything but what was refused, and a mended cluster, are no reason to try again.
    world
        .vcenter
        .edit_cluster(C1, |c| c.prechecks = finding(Severity::Warning, "low on disk"));
    world.edit("b", json!({"strategy": {"maxFailures": 3}})).await?;
    world.reason("b", "REJECTED", "VendorRejected").await?;
    world.looks(3).await?;
    assert_eq!(posts(&world, C1).len(), 1);

    // Other options are; going back to those that were refused is not.
    world.edit("b", json!({"clusters": [with_warnings(C1, true)]})).await?;
    world.state("b", "SUCCESS").await?;
    assert_eq!(receipts(&world, C1).await?, ["Rejected/Rejected", "Accepted/Succeeded"]);
    assert_each_started_once(&world, 1);

    // What was accepted with other options is a conflict, and no third request.
    world.edit("b", json!({"clusters": [with_warnings(C1, false)]})).await?;
    world.reason("b", "REJECTED", "RunKeyConflict").await?;
    assert_eq!(posts(&world, C1).len(), 2);
    Ok(())
}

#[tokio::test]
async fn precheck_warnings_stop_a_start_unless_they_are_ignored() -> anyhow::Result<()> {
    let config = quick(2).each_cluster(|c| c.prechecks = finding(Severity::Warning, "low on disk"));
    let (world, _operator) = World::ready("warnings", config).await?;
    let clusters = json!([with_warnings(C1, false), with_warnings(C2, true)]);
    let spec = json!({"desiredVersion": VERSION_NEW, "clusters": clusters, "strategy": {"maxFailures": 1}});
    world.batch("b", spec).await?;
    let status = world.reason("b", "FAILED", "PartlyFailed").await?;
    assert_eq!((status.row_state(C1), status.row_state(C2)), ("REJECTED", "SUCCESS"));
    assert!(status.row_message(C1).contains("low on disk"), "{status:?}");
    assert_eq!((world.starts(C1), world.starts(C2)), (0, 1));

    let clusters = json!([with_warnings(C1, true), with_warnings(C2, true)]);
    world.edit("b", json!({"clusters": clusters})).await?;
    world.state("b", "SUCCESS").await?;
    assert_each_started_once(&world, 2);
    Ok(())
}

#[tokio::test]
async fn after_one_failure_too_many_nothing_else_is_started() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("threshold", quick(3)).await?;
    world
        .vcenter
        .edit_cluster(C1, |c| c.prechecks = finding(Severity::Error, "host esx7 is in maintenance"));
    world
        .batch("b", json!({"desiredVersion": VERSION_NEW, "clusters": entries(3)}))
        .await?;
    let status = world.reason("b", "FAILED", "TooManyFailures").await?;
    assert!(status.message().contains("host esx7 is in maintenance"), "{status:?}");
    assert!(status.message().contains("supervisor-domain-c2"), "{status:?}");
    world.looks(3).await?;
    assert_eq!(world.vcenter.log().posts().len(), 1, "only the first was tried");
    Ok(())
}

#[tokio::test]
async fn a_user_who_may_only_read_starts_nothing_and_is_told_which_right_is_missing() -> anyhow::Result<()> {
    let mut config = quick(1);
    config.users = vec![User::reader(USER, PASSWORD)];
    let (world, _operator) = World::ready("reader", config).await?;
    bold_batch(&world, 1).await?;
    let status = world.reason("b", "REJECTED", "VendorRejected").await?;
    assert!(
        status.row_message(C1).contains("Permission to perform this operation was denied"),
        "{status:?}"
    );
    assert_eq!((world.starts(C1), posts(&world, C1).len()), (0, 1));
    Ok(())
}

#[tokio::test]
async fn a_session_that_ends_before_the_start_costs_an_attempt_and_never_a_second_start() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("expired", quick(2)).await?;
    next_start(&world, C1, Action::ExpireSessions);
    next_start(&world, C2, status(401, &[]));
    bold_batch(&world, 2).await?;
    world.state("b", "SUCCESS").await?;
    for cluster in [C1, C2] {
        assert_eq!(
            receipts(&world, cluster).await?,
            ["NotTaken/NotTaken", "Accepted/Succeeded"],
            "{cluster}"
        );
        assert_eq!(posts(&world, cluster).len(), 2, "{cluster}");
    }
    assert_each_started_once(&world, 2);
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_not_taken_three_times_is_given_up() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("gaveup", quick(1)).await?;
    let rule = world.vcenter.faults().add(Rule::new(status(401, &[])).on(starts()));
    bold_batch(&world, 1).await?;
    let given_up = world.reason("b", "REJECTED", "NotTaken").await?;
    assert!(given_up.row_message(C1).contains("runKey"), "says what to do: {given_up:?}");
    world.looks(3).await?;
    assert_eq!((posts(&world, C1).len(), world.starts(C1)), (3, 0));
    assert_eq!(receipts(&world, C1).await?, ["NotTaken/NotTaken"; 3]);

    world.vcenter.faults().remove(rule)?;
    world.edit("b", json!({"runKey": "again"})).await?;
    world.state("b", "SUCCESS").await?;
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_throttled_start_never_comes_before_its_time() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("throttled", quick(1)).await?;
    next_start(&world, C1, status(429, &[("Retry-After", "5")]));
    bold_batch(&world, 1).await?;
    let status = world
        .until("b", "waiting for its retry", |s| s.waiting_for() == "WaitingForRetry")
        .await?;
    assert_eq!(status.state(), "PENDING");
    world.state("b", "SUCCESS").await?;
    let posts = posts(&world, C1);
    let [first, second] = posts.as_slice() else {
        panic!("two requests: {posts:?}")
    };
    assert!(second.wall.duration_since(first.wall).as_secs() >= 5, "{posts:?}");
    assert_eq!(receipts(&world, C1).await?, ["NotTaken/NotTaken", "Accepted/Succeeded"]);
    assert_each_started_once(&world, 1);
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_an_intermediarys_second_copy_never_hides_the_start_of_the_first() -> anyhow::Result<()> {
    let config = quick(2).each_cluster(|c| c.upgrade_secs = 6);
    let (world, _operator) = World::ready("copied", config).await?;
    for (n, second_call) in [(1, SecondCall::Rejected), (2, SecondCall::ResourceBusy)] {
        world.vcenter.set(|s| s.second_call = second_call);
        let cluster = format!("domain-c{n}");
        next_start(&world, &cluster, Action::Duplicate { answer: Copied::Second });
        let name = format!("b{n}");
        let spec = json!({"desiredVersion": VERSION_NEW, "clusters": [{"cluster": cluster}]});
        world.batch(&name, spec).await?;
        let status = world.state(&name, "SUCCESS").await?;
        assert_eq!(status.row_state(&cluster), "SUCCESS");
        assert_eq!(posts(&world, &cluster).len(), 1);
    }
    assert_eq!(receipts(&world, C1).await?, ["Rejected+adopted/Succeeded"]);
    assert_eq!(receipts(&world, C2).await?, ["NotTaken+adopted/Succeeded"]);
    assert_each_started_once(&world, 2);
    Ok(())
}
