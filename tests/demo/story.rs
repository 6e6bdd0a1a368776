//! What the demo does, act by act: an upgrade that goes well, one that is refused and mended, two kills, and a namespace deleted.
//!
//! Called by `main`. Whatever does not come to pass in time is an error that says what was waited for.

use crate::manifests;
use crate::manifests::text;
use crate::seen::NAMESPACE;
use crate::seen::Seen;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults::Release;
use crate::sim::vcenter::starts_of;
use crate::stage::Stage;

/// The canary.
pub const LAB_A: &str = "domain-c8";
/// The one whose pre-check warns.
pub const PROD_A: &str = "domain-c21";
/// The last one.
pub const PROD_B: &str = "domain-c34";

/// All acts.
pub async fn tell(stage: &mut Stage) -> anyhow::Result<()> {
    ask(stage).await?;
    canary(stage).await?;
    rejected(stage).await?;
    let next = killed_after(stage).await?;
    killed_before(stage, next).await?;
    deleted(stage).await
}

async fn ask(stage: &mut Stage) -> anyhow::Result<()> {
    let pid = stage.start_operator().await?;
    let screen = &stage.screen;
    screen.say(&format!(
        "the operator runs (process {pid}) as ServiceAccount windlass, with the rights of the chart and no more"
    ));
    let folder = manifests::vcenter(stage, false)?;
    screen.say(&format!("kubectl apply -f {}/", folder.display()));
    screen.quote(&manifests::readable(stage));
    screen.quote(&stage.kubectl(&["apply", "-f", &text(&folder.join("connection.yaml"))]).await?);
    stage.until("the Connection did not become Ready", Seen::connected).await?;
    screen.say("Windlass logged in to vCenter; now the upgrade of three clusters, the canary lab-a first");
    screen.quote(&stage.kubectl(&["apply", "-f", &text(&folder.join("upgrade.yaml"))]).await?);
    Ok(())
}

async fn canary(stage: &Stage) -> anyhow::Result<()> {
    stage
        .until("lab-a did not come to SUCCESS", |seen| seen.row(LAB_A) == "SUCCESS")
        .await?;
    stage
        .screen
        .say("lab-a is at its version; after the soak it is prod-a's turn, whose pre-check will warn");
    Ok(())
}

async fn rejected(stage: &Stage) -> anyhow::Result<()> {
    stage
        .until("prod-a was not rejected", |seen| {
            seen.row(PROD_A) == "REJECTED" && seen.batch() == ("FAILED", "TooManyFailures")
        })
        .await?;
    stage
        .screen
        .say("vCenter refused prod-a, so the batch stopped and prod-b was not touched: maxFailures is 0");
    Ok(())
}

/// The answer to a start is lost together with the operator, after vCenter took the start. Returns the rule that will hold the next.
async fn killed_after(stage: &mut Stage) -> anyhow::Result<u64> {
    let rule = hang(stage, PROD_A, When::After);
    let folder = manifests::vcenter(stage, true)?;
    stage
        .screen
        .say("a person reads the warning and sets ignorePrecheckWarnings: true on prod-a; changed options are a new attempt");
    let said = stage.kubectl(&["apply", "-f", &text(&folder.join("upgrade.yaml"))]).await?;
    stage.screen.quote(&said);
    stage.held(stage.vcenter.faults(), rule).await?;
    // The last start needs its fault before this one ends.
    let next = hang(stage, PROD_B, When::Before);
    let pid = stage.kill_operator().await?;
    stage.vcenter.faults().release(rule, Release::Drop)?;
    let taken = stage.vcenter.log().starts(PROD_A).len();
    stage.screen.say(&format!(
        "KILL -9 of the operator ({pid}) in the middle of a start: vCenter has taken it ({taken} start of prod-a in its log), and nobody got the answer"
    ));
    anyhow::ensure!(
        taken == 1,
        "the first kill was meant to come after vCenter took the start, but it took {taken}"
    );
    let pid = stage.start_operator().await?;
    stage.screen.say(&format!(
        "a new operator ({pid}) finds a receipt without an answer: in doubt it asks vCenter and does not start again"
    ));
    stage
        .until("the start of prod-a was not adopted", |seen| {
            let mut receipts = seen.receipts_of(PROD_A);
            receipts.any(|r| r.status.as_ref().is_some_and(|s| s.adopted.is_some()))
        })
        .await?;
    let seen = stage.seen();
    let mut adopted = seen.receipts_of(PROD_A).filter_map(|r| r.status.as_ref()?.adopted.as_ref());
    let how = adopted.next().map_or("", |a| a.how.as_str());
    stage.screen.say(&format!(
        "prod-a was {how}: the run is adopted on that evidence, and followed to its end"
    ));
    Ok(next)
}

/// The operator is killed before vCenter took a start: that has to be proven before there may be another.
async fn killed_before(stage: &mut Stage, rule: u64) -> anyhow::Result<()> {
    stage.held(stage.vcenter.faults(), rule).await?;
    stage.screen.say("prod-a is at its version; prod-b is next");
    let pid = stage.kill_operator().await?;
    stage.vcenter.faults().release(rule, Release::Drop)?;
    let taken = stage.vcenter.log().starts(PROD_B).len();
    stage.screen.say(&format!(
        "KILL -9 of the operator ({pid}), this time before vCenter took the start ({taken} starts of prod-b in its log)"
    ));
    anyhow::ensure!(
        taken == 0,
        "the second kill was meant to come before vCenter took the start, but it took {taken}"
    );
    let pid = stage.start_operator().await?;
    stage.screen.say(&format!(
        "a new operator ({pid}) cannot tell yet: only two looks after a grace period (15 minutes; here 6 s) prove that nothing came of it"
    ));
    stage
        .until("the lost start of prod-b did not end as NotTaken", |seen| {
            let mut receipts = seen.receipts_of(PROD_B);
            receipts.any(|r| r.status.as_ref().and_then(|s| s.end.as_ref()).is_some_and(|e| e.kind == "NotTaken"))
        })
        .await?;
    stage
        .screen
        .say("proven: vCenter never took it. That receipt is closed as NotTaken, and a second one allows a new start");
    stage
        .until("the batch did not come to SUCCESS", |seen| seen.batch().0 == "SUCCESS")
        .await?;
    stage.screen.say("all three clusters are at their version");
    Ok(())
}

/// Everything that asked for the upgrades is deleted, and applied again.
async fn deleted(stage: &Stage) -> anyhow::Result<()> {
    let posts = stage.vcenter.log().posts().len();
    stage.screen.say(&format!(
        "kubectl delete namespace {NAMESPACE}: the batch, its Connection and its Secret are gone; receipts are cluster-scoped and stay"
    ));
    stage.kubectl(&["delete", "namespace", NAMESPACE, "--timeout=100s"]).await?;
    stage
        .until("the deletion of the batch was not seen", |seen| {
            seen.batch.is_none() && seen.connection.is_none()
        })
        .await?;
    let folder = manifests::vcenter(stage, true)?;
    stage.screen.say("the same files are applied again, as a GitOps tool would");
    let said = stage.kubectl(&["apply", "-f", &text(&folder)]).await?;
    stage.screen.quote(&said);
    stage
        .until("the batch that was applied again did not come to SUCCESS", |seen| {
            seen.batch().0 == "SUCCESS"
        })
        .await?;
    stage.looks(2).await?;
    let now = stage.vcenter.log().posts().len();
    anyhow::ensure!(now == posts, "applied again, the batch sent {} more requests to start", now - posts);
    stage
        .screen
        .say("SUCCESS again, read from the receipts: not one request to start was sent, nor in the looks at vCenter since");
    Ok(())
}

/// Holds the next start of a cluster.
fn hang(stage: &Stage, cluster: &str, when: When) -> u64 {
    let rule = Rule::new(Action::Hang { when }).on(starts_of(cluster)).times(1);
    stage.vcenter.faults().add(rule)
}
