//! Answers to a start that were lost, or prove nothing: evidence settles them, or a person, and never another start.

use crate::sim::Action;
use crate::sim::When;
use crate::sim::appliance::Ending;
use crate::sim::appliance::Task;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::What;
use crate::sim::appliance::Wording;
use crate::sim::faults::BodyKind;
use crate::sim::faults::Part;
use crate::sim::faults::Release;
use crate::site::SHORT_GRACE;
use crate::site::Site;
use crate::site::quick;
use crate::site::still;

fn internal_error(when: When) -> Action {
    Action::Status {
        status: 500,
        body: BodyKind::Json,
        when,
        headers: Vec::new(),
    }
}

/// A task that tells nothing of itself, and runs until it is ended.
fn unknown_task(site: &Site) -> String {
    let what = What::Other {
        kind: None,
        description: None,
    };
    let now = site.appliance.clock().now();
    site.appliance.add_task(Task::new(what, now, 0, 3600, Ending::Success).for_ever())
}

/// 500 is documented for the call, and here the install had begun all the same.
#[tokio::test]
async fn an_install_that_began_and_answered_500_is_found_by_its_task_and_never_sent_again() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-500", still().with_old_tasks(250)).await?;
    let cut = site.beside("srm-cut", still().settings(|s| s.wording = Wording::Absent)).await?;
    // More tasks than can be compared: the version has to tell.
    let crowded = site.beside("srm-crowded", still().with_old_tasks(450)).await?;
    site.next_install(internal_error(When::After));
    cut.next_install(Action::Drop { when: When::After });
    crowded.next_install(Action::Truncate { part: Part::Head });
    let all = [&site, &cut, &crowded];
    for site in all {
        site.update(VERSION_NEW).await?;
    }
    let found = [&site, &cut];
    for site in found {
        let begun = site.reason("STARTED", "Started").await?;
        let job = site.appliance.tasks().pop().unwrap().0.id;
        assert_eq!(begun.row(&site.name)["job"], job, "{begun:?}");
        assert_eq!(site.told_by_receipts().await?, ["Lost+adopted/open"]);
    }
    let doubted = crowded.reason("UNKNOWN", "StartInDoubt").await?;
    assert_eq!(doubted.condition("Stalled", "status"), "", "evidence is still sought");
    for site in all {
        site.finish().await;
    }
    for site in all {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        assert_eq!(site.told_by_receipts().await?, ["Lost+adopted/Succeeded"]);
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_install_that_was_never_taken_is_sent_again_on_evidence_only() -> anyhow::Result<()> {
    let (site, _operator) = Site::hasty("ap-lost", quick()).await?;
    let cut = site
        .beside("srm-cut", quick().settings(|s| s.wording = Wording::Meaningless))
        .await?;
    // This one forgets its tasks meanwhile: it proves nothing any more.
    let forgets = site.beside("srm-forgets", quick()).await?;
    site.next_install(internal_error(When::Before));
    cut.next_install(Action::Drop { when: When::Before });
    forgets.next_install(Action::Drop { when: When::Before });
    for site in [&site, &cut, &forgets] {
        site.update(VERSION_NEW).await?;
    }
    for site in [&site, &cut] {
        site.reason("UNKNOWN", "StartInDoubt").await?;
    }
    forgets.reason("UNKNOWN", "StartInDoubt").await?;
    forgets.appliance.lose_tasks();
    for site in [&site, &cut] {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        let told = site.told_by_receipts().await?;
        assert_eq!(told, ["Lost/NotTaken", "Accepted/Succeeded"]);
        let posts = site.posts();
        assert!(posts[1].wall.duration_since(posts[0].wall) >= SHORT_GRACE.try_into()?, "{posts:?}");
        site.assert_started(1, 2);
    }
    let stuck = forgets.reason("UNKNOWN", "NeedsResolution").await?;
    assert!(stuck.message().contains("no longer listed"), "{}", stuck.message());
    forgets.assert_started(0, 1);
    forgets.resolve("NotStarted").await?;
    forgets.reason("SUCCESS", "UpgradeSucceeded").await?;
    forgets.assert_started(1, 2);
    Ok(())
}

#[tokio::test]
async fn two_unknown_tasks_after_a_lost_answer_are_for_a_person_to_tell_apart() -> anyhow::Result<()> {
    let (site, _operator) = Site::hasty("ap-two-tasks", still()).await?;
    // Here one of the two is the install: its version tells in the end.
    let taken = site.beside("srm-taken", still().settings(|s| s.wording = Wording::Absent)).await?;
    let held = site.next_install(Action::Hang { when: When::Before });
    site.update(VERSION_NEW).await?;
    site.appliance.faults().wait_until_hit(held).await?;
    let two = [unknown_task(&site), unknown_task(&site)];
    site.appliance.faults().release(held, Release::Drop)?;
    doubted_without_a_person(&site).await?;
    // Only now: a look between the install and the other task shows exactly one that is new, which is rightly adopted.
    let answered = taken.next_install(Action::Hang { when: When::After });
    taken.update(VERSION_NEW).await?;
    taken.appliance.faults().wait_until_hit(answered).await?;
    let other = unknown_task(&taken);
    taken.appliance.faults().release(answered, Release::Drop)?;
    doubted_without_a_person(&taken).await?;
    for id in &two {
        assert!(site.appliance.end_task(id, Ending::Success));
    }
    taken.finish().await;
    assert!(taken.appliance.end_task(&other, Ending::Success));
    taken.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(taken.told_by_receipts().await?, ["Lost+adopted/Succeeded"]);
    let stuck = site.reason("UNKNOWN", "NeedsResolution").await?;
    assert!(two.iter().all(|id| stuck.message().contains(id)), "names them: {}", stuck.message());
    assert!(stuck.message().contains("resolve receipt"), "says what to do: {}", stuck.message());
    assert_eq!(stuck.condition("Stalled", "status"), "True");
    site.assert_started(0, 1);
    taken.assert_started(1, 1);

    site.resolve("NotStarted").await?;
    site.reason("STARTED", "Started").await?;
    site.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(1, 2);
    Ok(())
}

async fn doubted_without_a_person(site: &Site) -> anyhow::Result<()> {
    let doubted = site.reason("UNKNOWN", "StartInDoubt").await?;
    assert_eq!(doubted.condition("Stalled", "status"), "", "what comes after them may tell");
    Ok(())
}

#[tokio::test]
async fn an_install_that_was_taken_a_moment_before_a_crash_is_found_again_and_never_sent_again() -> anyhow::Result<()> {
    let mut site = Site::new("ap-crash", still()).await?;
    site.hurry()?;
    site.timing["leaseDuration"] = serde_json::json!(6000);
    site.timing["leaseRenewDeadline"] = serde_json::json!(5000);
    site.connect().await?;
    let operator = site.operator().await?;
    let held = site.next_install(Action::Hang { when: When::After });
    site.update(VERSION_NEW).await?;
    site.appliance.faults().wait_until_hit(held).await?;
    operator.kill9().await?;
    let _second = site.operator().await?;
    let found = site.reason("STARTED", "Started").await?;
    assert_eq!(found.row("srm-a")["job"], site.appliance.tasks().pop().unwrap().0.id);
    assert_eq!(site.told_by_receipts().await?, ["none+adopted/open"]);
    site.advance(100).await;
    site.reason("RUNNING", "Running").await?;
    site.finish().await;
    site.reason("SUCCESS", "UpgradeSucceeded").await?;
    site.assert_started(1, 1);
    Ok(())
}
