//! Every state that is an error can be left, by nothing but what its message and the documentation of the fields say.
//!
//! [`way_out`] names for each [`Reason`] how it is left and which test shows it; a new reason does not compile without an entry. The
//! cases are driven through one operator: each has clusters, a Connection and a batch of its own.
//!
//! One is different: UNKNOWN with NeedsResolution or LostSight is left by `spec.resolution` of the *receipt*. The upgrade's spec cannot
//! end it, for only somebody who looked at the vendor knows what became of the start.

use anyhow::Context as _;
use futures::future::try_join_all;
use kube::api::PostParams;
use serde_json::Value;
use serde_json::json;
use windlass::upgrade::reason::Reason;

use super::cases::Case;
use super::cases::Mend;
use super::cases::cases;
use crate::proof::show;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults::BodyKind;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::starts_of;
use crate::world::World;

/// How a reason is left.
enum Way {
    /// By itself, or it is where one wants to be.
    Passes,
    /// By what a person does; this test shows it.
    Shown(&'static str, &'static str),
    /// By something that no author of an upgrade can do.
    Elsewhere(&'static str),
}

fn way_out(reason: Reason) -> Way {
    const HERE: &str = "proof/edits/reasons.rs";
    let by_case = Way::Shown(HERE, "each_error_is_left_by_what_its_message_says");
    match reason {
        Reason::Evaluating
        | Reason::LimitReached
        | Reason::QuotaLow
        | Reason::WaitingForCanary
        | Reason::WaitingForSoak
        | Reason::WaitingForRetry
        | Reason::WaitingForWindow
        | Reason::NotBefore
        | Reason::Frozen
        | Reason::Starting
        | Reason::Started
        | Reason::WaitingForVendor
        | Reason::Running
        | Reason::OutOfSight
        | Reason::UpgradeSucceeded
        | Reason::AlreadyAtVersion
        | Reason::EditQueued
        | Reason::TargetBusy
        | Reason::Deleting => Way::Passes,
        Reason::VersionNotOffered
        | Reason::WouldDowngrade
        | Reason::IdentityMismatch
        | Reason::RunKeyConflict
        | Reason::VendorRejected
        | Reason::NotTaken
        | Reason::VendorFailed
        | Reason::TargetInError
        | Reason::TargetNotFound
        | Reason::TooManyFailures
        | Reason::PartlyFailed
        | Reason::ConnectionNotReady
        | Reason::InvalidSchedule
        | Reason::NotStartedInTime
        | Reason::Suspended
        | Reason::Held => by_case,
        Reason::StartInDoubt => Way::Shown(
            "stories/lost.rs",
            "a_start_that_is_taken_while_in_doubt_is_followed_and_never_repeated",
        ),
        Reason::NeedsResolution => Way::Shown("proof/person.rs", "case"),
        Reason::LostSight => Way::Shown("stories/resolved.rs", "a_run_out_of_sight_past_its_timeout_is_settled_by_a_person"),
        Reason::Overdue => Way::Shown(
            "stories/endings.rs",
            "a_run_past_its_timeout_is_overdue_and_never_failed_while_it_moves",
        ),
        Reason::StartsDisabled => Way::Shown("stories/stops.rs", "an_operator_with_starts_disabled_starts_nothing"),
        Reason::NoDevicesInScope => Way::Shown(
            "stories/aruba/refusals.rs",
            "an_upgrade_of_no_devices_is_never_a_success_and_never_sent",
        ),
        Reason::GroupNotFound => Way::Shown(
            "stories/aruba/refusals.rs",
            "a_group_that_was_mistyped_stops_the_upgrade_before_its_start",
        ),
        Reason::CrdsOutdated => Way::Shown("stories/outdated.rs", "older_crds_newer_operator_makes_no_start"),
        Reason::TokenExpired => Way::Shown(
            "stories/hmc/remote.rs",
            "a_token_that_runs_out_unused_ends_the_run_and_is_not_replaced_unasked",
        ),
        Reason::LedgerDamaged => Way::Elsewhere("a ledger-admin repairs the ledger, which is no upgrade's own"),
        Reason::ReceiptUnreadable => Way::Elsewhere("the Windlass that wrote it, or a newer one, reads it"),
        Reason::ConnectionTypeMismatch => Way::Shown(
            "stories/types.rs",
            "a_connection_of_another_type_is_asked_nothing_and_the_right_one_goes_on",
        ),
        Reason::RepositoryUnreachable => Way::Shown(
            "stories/appliance/waits.rs",
            "a_repository_that_is_unreachable_is_waited_for_and_nothing_is_sent",
        ),
        Reason::VendorCancelled => Way::Shown(
            "stories/appliance/endings.rs",
            "an_update_that_is_cancelled_there_is_never_begun_again_unasked",
        ),
    }
}

#[test]
fn every_reason_says_how_it_is_left() {
    let (mut shown, mut others) = (0, Vec::new());
    for reason in Reason::ALL {
        match way_out(*reason) {
            Way::Passes => {}
            Way::Shown(file, test) => {
                let path = format!("{}/tests/it/{file}", env!("CARGO_MANIFEST_DIR"));
                let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(
                    source.contains(&format!("async fn {test}(")),
                    "{}: {file} has no {test}",
                    reason.word()
                );
                shown += 1;
            }
            Way::Elsewhere(why) => others.push(format!("{}: {why}", reason.word())),
        }
    }
    show(&format!(
        "reasons {}, left by a person in a test {shown}, not by the spec {others:?}",
        Reason::ALL.len()
    ));
    for case in cases() {
        let driven = case.steps.iter().any(|step| matches!(way_out(step.reason), Way::Shown(..)));
        assert!(driven, "{} drives into no error", case.name);
    }
    let driven_here = |reason: &Reason| cases().iter().any(|case| case.steps.iter().any(|step| step.reason == *reason));
    let by_cases = |reason: &Reason| matches!(way_out(*reason), Way::Shown(file, _) if file.ends_with("reasons.rs"));
    for reason in Reason::ALL.iter().filter(|reason| by_cases(reason)) {
        assert!(driven_here(reason), "no case drives into {}", reason.word());
    }
}

/// Drives one case into its errors and out again.
async fn drive(world: &World, case: &Case, ids: &[String]) -> anyhow::Result<()> {
    (case.arrange)(&world.vcenter, &ids[0]);
    if case.name == "not-taken" {
        let refused = Action::Status {
            status: 401,
            body: BodyKind::Json,
            when: When::Before,
            headers: Vec::new(),
        };
        world.vcenter.faults().add(Rule::new(refused).on(starts_of(&ids[0])).times(3));
    }
    if let Some(connection) = (case.connection)(world, case.name) {
        world.apply(&connection).await?;
    }
    let mut spec = json!({
        "connectionRef": {"name": case.name}, "desiredVersion": VERSION_NEW,
        "clusters": ids.iter().map(|id| json!({"cluster": id})).collect::<Value>(),
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut spec, (case.spec)(ids)) {
        all.extend(own);
    }
    let batch = serde_json::from_value(world.manifest(case.name, &spec))?;
    let made = world.batches().create(&PostParams::default(), &batch).await;
    made.with_context(|| format!("batch {}", case.name))?;
    for step in &case.steps {
        let reason = step.reason.word();
        let what = format!("{}/{reason}, which says {:?}", step.state, step.says);
        world
            .until(case.name, &what, |s| {
                let row = || {
                    s.json["targets"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .any(|row| row["reason"] == reason)
                };
                s.state() == step.state && (s.reason() == reason || row()) && s.message().contains(step.says)
            })
            .await?;
        match step.mend {
            Mend::Nothing => {}
            Mend::Vendor(mend) => mend(&world.vcenter, &ids[0]),
            Mend::Object(object) => world.apply(&object(world, case.name)).await?,
        }
        world.edit(case.name, (step.fix)(ids)).await?;
    }
    world.state(case.name, "SUCCESS").await?;
    let posts = world.vcenter.log().posts();
    let sent = posts
        .iter()
        .filter(|post| ids.iter().any(|id| post.body.as_ref().is_some_and(|body| body.get(id).is_some())))
        .count();
    anyhow::ensure!(sent == case.posts, "{}: {sent} starts were sent, not {}", case.name, case.posts);
    Ok(())
}

#[tokio::test]
async fn each_error_is_left_by_what_its_message_says() -> anyhow::Result<()> {
    let cases = cases();
    let clusters: usize = cases.iter().map(|case| case.clusters).sum();
    let config = Config::with_clusters(clusters).each_cluster(|c| c.upgrade_secs = 1);
    let world = World::new("way-out", config).await?;
    world.secret("vc", vcenter::USER, vcenter::PASSWORD).await?;
    world.secret("mistyped", vcenter::USER, "mistyped").await?;
    let operator = world.operator().await?;
    let mut broken = Vec::new();
    let mut ids = (1..=clusters).map(|n| format!("domain-c{n}"));
    let driven = cases.iter().map(|case| {
        let own: Vec<String> = ids.by_ref().take(case.clusters).collect();
        if case.name == "broken" {
            broken.extend(own.clone());
        }
        let world = &world;
        async move { drive(world, case, &own).await }
    });
    try_join_all(driven.collect::<Vec<_>>()).await?;
    show(&format!("error states left: {} cases", cases.len()));
    // A failed run was asked for again, by a new runKey; nothing else began twice.
    let again: Vec<String> = world.vcenter.log().duplicates().into_iter().map(|start| start.target).collect();
    assert_eq!(again, broken);
    operator.kill9().await
}
