//! Operations by spec: people change their minds, in any order and at any moment, and what counts in the end is the spec they end with.
//!
//! A world gets a random sequence of operations ([`operation`]): edits of every field that the CRDs have ([`schema`]), entries added,
//! removed and reordered, objects applied again, deleted and made anew, statuses wiped, wrong passwords, and between them faults at the
//! vendor and at the API server, and crashes. Then the faults stop, and the spec becomes one of a few [`finals`]. At rest it must say
//! what a fresh world says that was given that spec at once.
//!
//! **What is compared**, and why that is exact. Compared are state, done, counts, waitingFor, the reasons of the blockers, type, status
//! and reason of each condition, and of each row its name, state, reason, version wished for and, where it is SUCCESS, version reached.
//! Not compared are times, generations, receipts and messages, which tell when and how it came about, nor the vendor's name of a
//! cluster: it is shown as it was seen last, only lists of clusters have it, and where the status was wiped and the process that had
//! seen it died in mid-run nobody asks for it again.
//! History counts by design: a run that was spent stays spent, and a version that was reached is there. So a final spec asks for a runKey
//! that no operation uses, and for a version above every one that the operations can reach, or for something that comes to the same
//! whatever was before: an older version than any, a version or cluster that does not exist, nothing at all because it is suspended.
//! The version that a cluster stands at without having got where it should is its history, and not compared.
//!
//! At all times the [`oracle`](super::oracle) must hold, and at rest no receipt may be open. A sequence that fails is printed with its
//! seed, after as many of its operations were dropped as a few tries allow. [`reasons`] takes the other side: each state that is an
//! error, and how it is left.

mod cases;
mod coverage;
mod finals;
mod operation;
mod reasons;
mod schema;
mod stage;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::dice::Dice;
use super::dice::seeds;
use super::large;
use super::oracle;
use super::show;
use super::story::Rest;
use finals::FINALS;
use finals::Final;
use operation::Operation;
use stage::Stage;
use stage::Tally;

/// Sequences at once, beside which a reference may run for each: operators that wait most of the time.
const AT_ONCE: usize = 6;

/// Longest wait for a world to come to rest.
const PATIENCE: Duration = Duration::from_secs(90);

/// At rest is what has not changed for so long: several looks at the vendor.
const CALM: Duration = Duration::from_millis(1600);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(150);

/// How often a failing sequence is tried again with less in it.
const SHRINKS: usize = 8;

/// Waits until the batch has said the same for a while, no receipt is open, and `end` takes what it says.
async fn rest(stage: &Stage, end: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    let (mut last, mut since) = (Value::Null, Instant::now());
    loop {
        let shown = stage.normal().await?.unwrap_or_default();
        let open = stage.story.world.receipts().await?.iter().any(|r| oracle::end(r).is_none());
        if open || shown != last {
            (last, since) = (shown, Instant::now());
        } else if end(&shown) && since.elapsed() >= CALM {
            return Ok(shown);
        }
        if Instant::now() >= deadline {
            anyhow::bail!("did not come to its end in {PATIENCE:?}; open receipts: {open}; it says {last:#}");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A world that is given the final spec and nothing else.
async fn reference(end: &Final) -> anyhow::Result<Value> {
    let stage = Stage::new("reference").await?;
    end.arrange(&stage);
    stage.story.secret().await?;
    stage.story.connection().await?;
    stage.story.batch("b", end.spec(&stage)).await?;
    let shown = rest(&stage, |shown| end.is(shown)).await;
    let shown = shown.map_err(|error| anyhow::anyhow!("reference {}: {error:#}", end.name))?;
    stage.end().await?;
    Ok(shown)
}

/// A world that is given a sequence of operations first.
async fn path(seed: u64, operations: &[Operation], end: &Final, fresh: &OnceCell<Value>) -> anyhow::Result<Tally> {
    let mut stage = Stage::new("edited").await?;
    stage.begin().await?;
    let edited = async {
        let mut dice = Dice::new(seed);
        for operation in operations {
            dice.pause(700).await;
            stage.carry_out(operation).await?;
        }
        dice.pause(700).await;
        let spec = end.spec(&stage);
        stage.settle(spec).await?;
        end.arrange(&stage);
        anyhow::Ok(())
    };
    let (edited, wanted) = tokio::join!(edited, fresh.get_or_try_init(|| reference(end)));
    let wanted = wanted?;
    let shown = match edited {
        Ok(()) => rest(&stage, |shown| shown == wanted).await,
        Err(error) => Err(error),
    };
    let at_rest = Rest {
        name: "b".to_owned(),
        targets: (1..=stage::CLUSTERS).map(|n| stage.story.cluster(n)).collect(),
        state: if shown.is_ok() { end.comes_to.0 } else { "STUCK" }.to_owned(),
        reason: end.comes_to.1.to_owned(),
        message: String::new(),
    };
    let breaches = oracle::breaches(&stage.story, &[at_rest]).await?;
    anyhow::ensure!(breaches.is_empty(), "{}", stage.story.told(&breaches.join("; ")));
    if let Err(error) = shown {
        anyhow::bail!("{}", stage.story.told(&format!("{error:#}\nwanted: {wanted:#}")));
    }
    let tally = std::mem::take(&mut stage.tally);
    stage.end().await?;
    Ok(tally)
}

/// Drops from a sequence, in ever smaller parts, what it fails without; in at most so many tries.
async fn shrink<T: Clone>(mut all: Vec<T>, mut tries: usize, fails: impl AsyncFn(&[T]) -> bool) -> Vec<T> {
    let mut part = all.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < all.len() && tries > 0 {
            let mut less = all.clone();
            less.drain(at..(at + part).min(all.len()));
            tries -= 1;
            if fails(&less).await {
                all = less;
            } else {
                at += part;
            }
        }
        part = if tries == 0 { 0 } else { part / 2 };
    }
    all
}

/// What a seed stands for.
fn drawn(seed: u64) -> (Vec<Operation>, usize) {
    let mut dice = Dice::new(seed);
    let length = if large() { 14 } else { 8 };
    // Neighbouring seeds take different ends.
    let end = usize::try_from(seed % FINALS.len() as u64).unwrap_or(0);
    (operation::sequence(&stage::words(), length, &mut dice), end)
}

async fn one(seed: u64, ends: &[OnceCell<Value>]) -> (u64, Result<Tally, String>) {
    let tried = async |operations: &[Operation], end: usize| path(seed, operations, &FINALS[end], &ends[end]).await;
    let (operations, end) = drawn(seed);
    let began = Instant::now();
    match tried(&operations, end).await {
        Ok(tally) => {
            if large() {
                show(&format!("  seed {seed}: {} in {} s", FINALS[end].name, began.elapsed().as_secs()));
            }
            (seed, Ok(tally))
        }
        Err(error) => {
            let list = |all: &[Operation]| all.iter().map(|o| format!("  {o:?}")).collect::<Vec<_>>().join("\n");
            let what = format!("seed {seed}, then {:?}: {error:#}\nafter:\n{}", FINALS[end].name, list(&operations));
            // Now, for shortening takes as long as a few of these again.
            show(&what);
            let less = shrink(operations, SHRINKS, async |less| tried(less, end).await.is_err()).await;
            let what = format!("seed {seed} still fails after:\n{}", list(&less));
            (seed, Err(what))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_final_spec_comes_to_the_same_end_whatever_was_edited_before() -> anyhow::Result<()> {
    let began = Instant::now();
    let seeds = seeds(3, 60);
    let ends: Vec<OnceCell<Value>> = FINALS.iter().map(|_| OnceCell::new()).collect();
    let runs = seeds.len();
    let outcomes: Vec<_> = stream::iter(seeds)
        .map(|seed| one(seed, &ends))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (mut tally, mut failed) = (Tally::default(), Vec::new());
    for (_, outcome) in outcomes {
        match outcome {
            Ok(counts) => tally.add(counts),
            Err(what) => failed.push(what),
        }
    }
    let accepted: usize = tally.accepted.values().sum();
    let words: BTreeSet<&String> = tally.refused.iter().map(|(word, _)| word).collect();
    show(&format!(
        "operations by spec: sequences {runs}, ends compared {}, operations accepted {accepted} of {} sorts ({:?}), refused with words {} ({words:?}), failed {}; {} s",
        ends.iter().filter(|end| end.initialized()).count(),
        tally.accepted.len(),
        tally.accepted,
        tally.refused.len(),
        failed.len(),
        began.elapsed().as_secs()
    ));
    for what in &failed {
        show(what);
    }
    assert!(
        failed.is_empty(),
        "the end depended on the way, or the promise was broken: see above"
    );
    assert!(accepted >= 3 * tally.refused.len(), "most operations are to be legal: {tally:?}");
    Ok(())
}

#[tokio::test]
async fn a_sequence_is_shortened_to_what_fails() {
    let needs = |wanted: &'static [u32]| async move |left: &[u32]| wanted.iter().all(|n| left.contains(n));
    let all: Vec<u32> = (0..12).collect();
    assert_eq!(shrink(all.clone(), 100, needs(&[3, 8])).await, [3, 8]);
    assert_eq!(shrink(all.clone(), 100, needs(&[])).await, Vec::<u32>::new());
    assert_eq!(shrink(all, 1, needs(&[9])).await, [6, 7, 8, 9, 10, 11], "one try");
}
