//! The longer stories: two leaders, long pauses, an API server in trouble, and people who delete what is in use.

use std::time::Duration;

use kube::Api;
use kube::api::DeleteParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use serde_json::json;

use super::dice::Dice;
use super::dice::seeds;
use super::effects;
use super::proxy::Fault;
use super::proxy::Proxy;
use super::proxy::Release;
use super::show;
use super::story::Story;
use super::story::signal;
use super::watches::WatchFaults;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::door::Greeting;
use crate::sim::faults;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::world::Operator;

async fn sent(operator: &Operator, name: &str) {
    // A signal to a process that has just gone is no failure of the story.
    let _ = signal(operator, name).await;
}

/// Two operators that both lead, on the same namespace; each is stopped and goes on at random.
async fn two_leaders(seed: u64, watches: [WatchFaults; 2]) -> anyhow::Result<()> {
    const CLUSTERS: usize = 5;
    let mut dice = Dice::new(seed);
    let story = Story::new("leaders", CLUSTERS).await?;
    let second = Proxy::start(story.world.plane).await?;
    story.proxy.watches(watches[0]);
    second.watches(watches[1]);
    let (one, two) = tokio::try_join!(story.operator(), story.operator_behind(&second))?;
    story.secret().await?;
    story.connection().await?;
    // Two resources besides two leaders: one cluster is in both batches.
    let strategy = json!({"maxConcurrent": 2});
    story
        .batch("b", json!({"clusters": story.entries(1..=4), "strategy": strategy}))
        .await?;
    story
        .batch("c", json!({"clusters": story.entries(4..=5), "strategy": strategy}))
        .await?;
    for _ in 0..12 {
        dice.pause(500).await;
        let paused = if dice.roll(2) == 0 { &one } else { &two };
        sent(paused, "STOP").await;
        dice.pause(900).await;
        sent(paused, "CONT").await;
    }
    let told = story.succeeds(&["b", "c"]).await;
    let starts = story.world.vcenter.log().committed().len();
    one.kill9().await?;
    two.kill9().await?;
    anyhow::ensure!(told.is_ok(), "seed {seed}: {:#}", told.unwrap_err());
    anyhow::ensure!(starts == CLUSTERS, "seed {seed}: {starts} starts of {CLUSTERS} clusters");
    Ok(())
}

#[tokio::test]
async fn two_leaders_that_race_and_pause_start_each_cluster_once() -> anyhow::Result<()> {
    for seed in seeds(1, 12) {
        two_leaders(seed, [WatchFaults::default(); 2]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn two_leaders_with_late_repeated_and_broken_watches_start_each_cluster_once() -> anyhow::Result<()> {
    let late = WatchFaults {
        delay: Duration::from_millis(1200),
        ..WatchFaults::default()
    };
    let broken = WatchFaults {
        twice: true,
        cut_after: Some(4),
        ..WatchFaults::default()
    };
    for seed in seeds(1, 8) {
        two_leaders(seed, [late, broken]).await?;
    }
    Ok(())
}

/// What was written between two looks is seen by neither: only how it is in the end.
#[tokio::test]
async fn two_leaders_that_never_see_what_came_in_between_start_each_cluster_once() -> anyhow::Result<()> {
    let merged = WatchFaults {
        merge: Some(Duration::from_millis(700)),
        ..WatchFaults::default()
    };
    for seed in seeds(1, 8) {
        two_leaders(seed, [merged, WatchFaults::default()]).await?;
        two_leaders(seed + 1, [merged, merged]).await?;
    }
    Ok(())
}

/// Two leaders have both decided to start the same cluster, and both are about to do the step that is to decide between them.
async fn collide(step: &str, lost: &[&str], second_connection: bool) -> anyhow::Result<()> {
    let mut story = Story::new("collide", 1).await?;
    // Nobody gives up while the two are brought together.
    for (name, ms) in [("ttl", 10_000), ("lead", 15_000), ("grace", 20_000), ("ledgerTimeout", 30_000)] {
        story.world.timing[name] = json!(ms);
    }
    let second = Proxy::start(story.world.plane).await?;
    let held = [&story.proxy, &second].map(|proxy| proxy.arm(step, 1, Fault::HoldBefore));
    let one = story.operator().await?;
    story.apply(1).await?;
    held[0].hit().await;
    let mut batches = vec!["b"];
    if second_connection {
        // Reservations are a Connection's own: through another one to the same vendor both come as far as the receipt.
        story.proxy.freeze();
        let mut other = story.world.connection("vc");
        other["metadata"]["name"] = json!("vc2");
        let other = serde_json::from_value(other)?;
        story.world.connections().create(&PostParams::default(), &other).await?;
        story
            .batch("c", json!({"clusters": story.entries(1..=1), "connectionRef": {"name": "vc2"}}))
            .await?;
        batches.push("c");
    }
    let two = story.operator_behind(&second).await?;
    let met = tokio::time::timeout(Duration::from_secs(12), held[1].hit()).await;
    anyhow::ensure!(met.is_ok(), "{}", story.told("the two never came to the same step"));
    for held in &held {
        held.release(Release::Forward);
    }
    story.proxy.thaw();
    let told = story.succeeds(&batches).await;
    let logs = one.log()? + &two.log()?;
    one.kill9().await?;
    two.kill9().await?;
    told?;
    assert_eq!(story.world.vcenter.log().posts().len(), 1, "one of the two sent");
    assert!(lost.iter().any(|lost| logs.contains(lost)), "the other was told: {lost:?}");
    Ok(())
}

#[tokio::test]
async fn two_leaders_at_the_same_reservation_start_once() -> anyhow::Result<()> {
    // Who was refused the slot reads all live once more, and then sees a slot, a receipt, or is refused the receipt.
    let lost = [
        "another start took a slot",
        "do not lead to the same decision any more",
        "was appended by somebody else",
    ];
    collide("PATCH Connection reserve", &lost, false).await
}

#[tokio::test]
async fn two_leaders_at_the_same_receipt_start_once() -> anyhow::Result<()> {
    collide("POST receipt", &["was appended by somebody else"], true).await
}

/// A new process is shown the world as it was before everything, and hears of what happened since only later; the vendor has accepted
/// the start but looks untouched. All that is left to stop a second start is the create itself.
#[tokio::test]
async fn a_process_that_begins_in_the_past_cannot_start_again() -> anyhow::Result<()> {
    let config = Config::with_clusters(1).settings(|s| s.accept_delay_secs = 14);
    let mut story = Story::with("past", config, 1).await?;
    story.world.timing["grace"] = json!(30_000);
    let first = story.operator().await?;
    story.apply(1).await?;
    story.world.vcenter.log().wait_until(|log| !log.committed().is_empty()).await;
    first.kill9().await?;
    // Longer than a watch may be silent: it never catches up. What the create finds has to do.
    let delay = Duration::from_secs(12);
    // Its reservation would hold the next one back for a while.
    let connections = story.world.connections();
    let wiped = Patch::Merge(json!({"status": null}));
    connections.patch_status("vc", &PatchParams::default(), &wiped).await?;
    let stale = story.proxy.arm_all(|e| e.label == "LIST receipts", 1, Fault::Stale);
    story.proxy.watches(WatchFaults {
        of: "upgradereceipts",
        delay,
        ..WatchFaults::default()
    });
    let next = story.operator().await?;
    story.succeeds(&["b"]).await?;
    assert_eq!((stale.hits(), story.world.vcenter.log().posts().len()), (1, 1));
    assert!(
        next.log()?.contains("was appended by somebody else"),
        "{}",
        story.told("it did not even try")
    );
    next.kill9().await
}

/// The permit is in a stopped process's socket for longer than the grace period; another leader concludes and starts.
#[tokio::test]
async fn a_leader_stopped_between_permit_and_send_does_not_send_when_it_goes_on() -> anyhow::Result<()> {
    let mut story = Story::new("paused", 1).await?;
    story.world.timing["ledgerTimeout"] = json!(60_000);
    let created = story.proxy.arm("POST receipt", 1, Fault::HoldAfter);
    let stopped = story.operator().await?;
    story.apply(1).await?;
    created.hit().await;
    signal(&stopped, "STOP").await?;
    created.release(Release::Forward);
    let direct = Proxy::start(story.world.plane).await?;
    let other = story.operator_behind(&direct).await?;
    story.succeeds(&["b"]).await?;
    signal(&stopped, "CONT").await?;
    // Long enough for it to take its permit, find it expired, and write what it comes to.
    tokio::time::sleep(Duration::from_secs(2)).await;
    story.succeeds(&["b"]).await?;
    let receipts = story.world.receipts().await?;
    assert_eq!(receipts.len(), 2, "the first was concluded not taken, the second started");
    assert_eq!(story.world.vcenter.log().posts().len(), 1, "the stopped leader sent nothing");
    assert!(
        stopped.log()?.contains("permit expired"),
        "{}",
        story.told("it went on, and saw that it was too late")
    );
    other.kill9().await?;
    stopped.kill9().await
}

/// It is stopped once more, this time in the middle of the TLS handshake of its start; the vendor gives such a connection up.
#[tokio::test]
async fn a_leader_stopped_while_it_connects_does_not_send_when_it_goes_on() -> anyhow::Result<()> {
    let mut story = Story::new("connects", 1).await?;
    story.world.timing["ledgerTimeout"] = json!(60_000);
    let created = story.proxy.arm("POST receipt", 1, Fault::HoldAfter);
    let stopped = story.operator().await?;
    story.apply(1).await?;
    created.hit().await;
    let door = story.world.vcenter.door();
    let before = door.accepted();
    door.greet(Greeting::Silence);
    created.release(Release::Forward);
    story
        .world
        .wait(async |_| Ok((story.world.vcenter.door().accepted() > before).then_some(())))
        .await?;
    signal(&stopped, "STOP").await?;
    door.greet(Greeting::Tls);
    story.world.vcenter.restart().await?;
    let direct = Proxy::start(story.world.plane).await?;
    let other = story.operator_behind(&direct).await?;
    story.succeeds(&["b"]).await?;
    signal(&stopped, "CONT").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    story.succeeds(&["b"]).await?;
    assert_eq!(story.world.vcenter.log().posts().len(), 1, "the stopped leader sent nothing");
    other.kill9().await?;
    stopped.kill9().await
}

#[tokio::test]
async fn an_api_server_that_commits_and_answers_504_for_a_while_leads_to_one_start_each() -> anyhow::Result<()> {
    let story = Story::new("gateway", 2).await?;
    let trap = story.proxy.arm_all(|e| effects::writes(&e.label), 12, Fault::GatewayTimeout);
    let operator = story.operator().await?;
    story.apply(2).await?;
    story.succeeds(&["b"]).await?;
    assert!(trap.hits() >= 8, "it wrote that often: {}", trap.hits());
    assert_eq!(story.world.vcenter.log().posts().len(), 2);
    operator.kill9().await
}

/// Neither a status nor a live read before a start is waited for without end: one of them holds the Connection's place for starts.
#[tokio::test]
async fn an_api_server_that_takes_requests_and_never_answers_holds_nothing_up() -> anyhow::Result<()> {
    let story = Story::new("silent", 1).await?;
    let labels = ["PATCH Connection report", "PATCH batch PENDING", "GET batch", "GET Connection"];
    let traps = labels.map(|label| story.proxy.arm(label, 1, Fault::SilentBefore));
    let operator = story.operator().await?;
    story.apply(1).await?;
    story.succeeds(&["b"]).await?;
    assert!(traps.iter().all(|trap| trap.hits() == 1));
    operator.kill9().await
}

/// The first create times out at the client, is not there when the client looks, and lands just before it tries again.
#[tokio::test]
async fn a_create_that_lands_between_the_look_and_the_next_try_is_one_permit() -> anyhow::Result<()> {
    let story = Story::new("lands", 1).await?;
    // The client waits 1200 ms, looks, and tries again 200 ms later.
    let trap = story.proxy.arm("POST receipt", 1, Fault::Late(1300));
    let operator = story.operator().await?;
    story.apply(1).await?;
    trap.hit().await;
    story.succeeds(&["b"]).await?;
    assert_eq!(story.world.vcenter.log().posts().len(), 1);
    operator.kill9().await
}

/// The create lands after its permit's life: it is nobody's, is withdrawn, and the next one starts.
#[tokio::test]
async fn a_create_that_lands_after_everybody_gave_up_is_withdrawn() -> anyhow::Result<()> {
    let story = Story::new("lands-late", 1).await?;
    let trap = story.proxy.arm("POST receipt", 1, Fault::Late(3500));
    let none = story
        .proxy
        .arm_all(|e| e.label == "POST receipt" && e.nth <= 3, 2, Fault::DropBefore);
    let operator = story.operator().await?;
    story.apply(1).await?;
    trap.hit().await;
    story.succeeds(&["b"]).await?;
    assert!(none.hits() > 0);
    assert_eq!(story.world.vcenter.log().posts().len(), 1);
    operator.kill9().await
}

/// Our clock and the API server's, as the reply to the create shows it, are an hour apart, either way.
#[tokio::test]
async fn a_clock_an_hour_off_withdraws_the_permit_and_sends_nothing() -> anyhow::Result<()> {
    let mut story = Story::new("clock", 1).await?;
    // No permit runs out besides, however busy the machine is.
    for (name, ms) in [("ttl", 10_000), ("lead", 15_000), ("grace", 20_000)] {
        story.world.timing[name] = json!(ms);
    }
    let ahead = story.proxy.arm("POST receipt", 1, Fault::Skewed(3600));
    let behind = story.proxy.arm("POST receipt", 2, Fault::Skewed(-3600));
    let operator = story.operator().await?;
    story.apply(1).await?;
    ahead.hit().await;
    behind.hit().await;
    assert_eq!(story.world.vcenter.log().posts().len(), 0, "nothing was sent under a wrong clock");
    story.succeeds(&["b"]).await?;
    let receipts = story.world.receipts().await?;
    let ends: Vec<String> = receipts.into_iter().map(|r| r.status.unwrap().end.unwrap().kind).collect();
    // On a busy machine a permit may run out besides: that, too, is withdrawn.
    let (last, before) = ends.split_last().unwrap();
    assert!(
        last == "Succeeded" && before.len() >= 2 && before.iter().all(|end| end == "Withdrawn"),
        "{ends:?}"
    );
    assert_eq!(story.world.vcenter.log().posts().len(), 1);
    operator.kill9().await
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_start_waits_for_its_answer_and_records_it() -> anyhow::Result<()> {
    let story = Story::new("sigterm", 1).await?;
    let faults = story.world.vcenter.faults();
    let rule = faults.add(Rule::new(Action::Hang { when: When::Before }).on(vcenter::starts()).times(1));
    let operator = story.operator().await?;
    story.apply(1).await?;
    faults.wait_until_hit(rule).await?;
    operator.ask_to_stop()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    faults.release(rule, faults::Release::Continue)?;
    assert_eq!(operator.gone().await?, Some(0), "it joined its start");
    let receipts = story.world.receipts().await?;
    let answer = receipts[0].status.clone().unwrap().answer.unwrap();
    assert_eq!(answer.kind, "Accepted", "{answer:?}");
    let next = story.operator().await?;
    story.succeeds(&["b"]).await?;
    next.kill9().await
}

/// What people and tools do at a bad moment.
async fn disturb(story: &Story, dice: &mut Dice) -> anyhow::Result<String> {
    let (batches, connections) = (story.world.batches(), story.world.connections());
    let at_once = DeleteParams::default();
    let what = dice.roll(5);
    Ok(match what {
        0 => {
            batches.delete("b", &at_once).await?;
            dice.pause(600).await;
            story.batch("b", json!({"clusters": story.entries(1..=2)})).await?;
            "batch deleted and applied again"
        }
        1 => {
            connections.delete("vc", &at_once).await?;
            dice.pause(600).await;
            story.connection().await?;
            "Connection deleted and applied again"
        }
        2 => {
            let gone = Patch::Merge(json!({"status": null}));
            batches.patch_status("b", &PatchParams::default(), &gone).await?;
            "the batch's status wiped"
        }
        3 => {
            let gone = Patch::Merge(json!({"status": null}));
            connections.patch_status("vc", &PatchParams::default(), &gone).await?;
            "the Connection's status wiped"
        }
        _ => {
            let receipts: Api<windlass::api::UpgradeReceipt> = Api::all(story.world.client.clone());
            for receipt in story.world.receipts().await? {
                // Refused by the admission policy, or kept by the finalizer: either way it stays.
                let _ = receipts
                    .delete(receipt.metadata.name.as_deref().unwrap_or_default(), &at_once)
                    .await;
            }
            "deletion of all receipts asked for"
        }
    }
    .to_owned())
}

#[tokio::test]
async fn whatever_people_delete_at_whatever_moment_each_cluster_starts_once() -> anyhow::Result<()> {
    for seed in seeds(3, 20) {
        let mut dice = Dice::new(seed);
        let story = Story::new("disturbed", 2).await?;
        let operator = story.operator().await?;
        story.apply(2).await?;
        let mut done = Vec::new();
        for _ in 0..6 {
            dice.pause(700).await;
            done.push(disturb(&story, &mut dice).await?);
        }
        let told = story.succeeds(&["b"]).await;
        let posts = story.world.vcenter.log().posts().len();
        operator.kill9().await?;
        anyhow::ensure!(told.is_ok() && posts == 2, "seed {seed}, {posts} starts sent, {done:?}: {told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_deleted_in_mid_run_and_made_again_finds_its_run_spent() -> anyhow::Result<()> {
    use k8s_openapi::api::core::v1::Namespace;
    let story = Story::with("remade", Config::with_clusters(1), 4).await?;
    if !story.world.plane.has_controller_manager() {
        show("skipped: without a controller-manager no namespace ends");
        return Ok(());
    }
    let operator = story.operator().await?;
    story.apply(1).await?;
    story.world.vcenter.log().wait_until(|log| !log.committed().is_empty()).await;
    let namespaces: Api<Namespace> = Api::all(story.world.client.clone());
    let name = story.world.namespace.clone();
    namespaces.delete(&name, &DeleteParams::default()).await?;
    story
        .world
        .wait(async |_| Ok(namespaces.get_opt(&name).await?.is_none().then_some(())))
        .await?;
    let again: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
    namespaces.create(&PostParams::default(), &again).await?;
    story.world.grant_secrets().await?;
    story.apply(1).await?;
    story.succeeds(&["b"]).await?;
    assert_eq!(story.world.vcenter.log().posts().len(), 1);
    operator.kill9().await
}
