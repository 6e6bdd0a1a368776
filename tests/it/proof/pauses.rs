//! A leader that stands still at a step of an upgrade, for longer than the grace period, and then goes on where it stood.
//!
//! Each effect of a clean run is a step, and each has two places to stand: with its request not carried out yet, and with its answer not
//! read yet. The process is really stopped. Another one takes over meanwhile: with a lease of its own, so that both believe that they
//! lead, or by the lease that the stopped one let run out. It brings the upgrade to its end. Then the first goes on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde_json::json;
use tokio::time::Instant;

use super::cells::Cell;
use super::cells::Effect;
use super::cells::Variant;
use super::harm::Harm;
use super::large;
use super::life::Life;
use super::matrix::clean_run;
use super::matrix::judge;
use super::proxy::Proxy;
use super::show;
use super::story::signal;
use crate::ground::Operator;
use crate::ground::decisions;
use crate::world::World;

/// Stories at once.
const AT_ONCE: usize = 8;

/// The least that a pause lasts: to the grace period of [`Story`]'s operators as twenty minutes are to the fifteen of production.
const PAUSE: Duration = Duration::from_millis(7400);

/// An effect that has not come by then does not come in that run.
const REACHED: Duration = Duration::from_secs(30);

/// The process that goes on has decided again by then: it does so at least every 1.5 s.
const AWAKE: Duration = Duration::from_secs(20);

/// Where a process stands still, and who takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pause {
    /// The answer is there and was not read; else the request was sent and not carried out.
    answered: bool,
    /// Both processes use one lease.
    one_lease: bool,
}

const PAUSES: [(Pause, &str); 4] = [
    (
        Pause {
            answered: false,
            one_lease: false,
        },
        "asks",
    ),
    (
        Pause {
            answered: true,
            one_lease: false,
        },
        "is answered",
    ),
    (
        Pause {
            answered: false,
            one_lease: true,
        },
        "asks, 1 lease",
    ),
    (
        Pause {
            answered: true,
            one_lease: true,
        },
        "is answered, 1 lease",
    ),
];

impl Pause {
    /// A vendor that comes to a request only after the grace period is outside of what can be promised (`docs/proof.md`, "What is
    /// assumed"): it is let go on while its sender stands still.
    fn carried_out_meanwhile(self, effect: &Effect) -> bool {
        self.answered || effect.vendor.is_some()
    }
}

async fn case<W: Life>(effect: &Effect, pause: Pause) -> anyhow::Result<Cell> {
    let mut story = W::story("pauses").await?;
    // Long enough that a busy machine renews it, and no longer than the pause.
    if pause.one_lease {
        for (name, ms) in [("leaseDuration", 6000), ("leaseRenewDeadline", 4500), ("leaseRetry", 500)] {
            story.world.timing[name] = json!(ms);
        }
    }
    let lease = format!("windlass-{}", story.world.namespace);
    let hold = if pause.answered {
        Variant::DieCommitted
    } else {
        Variant::DieBefore
    };
    let harm = Harm::arm(&story, effect, hold);
    let sleeper = story.operator_on(&lease, &story.proxy).await?;
    W::ask(&story).await?;
    let reached = tokio::select! {
        reached = tokio::time::timeout(REACHED, harm.hit(&story)) => reached.is_ok(),
        rest = story.rest("b") => rest.is_err(),
    };
    if !reached {
        let cell = judge(&story, &story.rest("b").await?, false).await?;
        sleeper.kill9().await?;
        return Ok(cell);
    }
    signal(&sleeper, "STOP").await?;
    let stopped = Instant::now();
    if pause.carried_out_meanwhile(effect) {
        harm.go_on(&story)?;
    }
    let direct = Proxy::start(story.world.plane).await?;
    let waking = if pause.one_lease {
        story.operator_on(&lease, &direct).await?
    } else {
        story.operator_behind(&direct).await?
    };
    let finished = judge(&story, &story.rest("b").await?, true).await?;
    tokio::time::sleep_until(stopped + PAUSE).await;
    signal(&sleeper, "CONT").await?;
    if !pause.carried_out_meanwhile(effect) {
        harm.go_on(&story)?;
    }
    let went_on = tokio::time::timeout(AWAKE, went_on(&sleeper, pause)).await;
    anyhow::ensure!(matches!(went_on, Ok(Ok(()))), "{}", story.told("the stopped process never went on"));
    let after = judge(&story, &story.rest("b").await?, true).await?;
    sleeper.kill9().await?;
    waking.kill9().await?;
    Ok(if finished == Cell::Ok { after } else { finished })
}

/// It decides again, twice, by its own count: whoever finds that others have brought everything to its end has nothing to write. Or it finds
/// that it does not lead any more, and ends. One that stood still before it led waits for the lease, and says so.
async fn went_on(sleeper: &Operator, pause: Pause) -> anyhow::Result<()> {
    let mut first = None;
    while sleeper.runs() {
        if let Ok((_, metrics)) = sleeper.get("/metrics").await {
            let decided = decisions(&metrics, "");
            if pause.one_lease && metrics.lines().any(|line| line == "windlass_leader 0") {
                return Ok(());
            }
            if decided >= *first.get_or_insert(decided) + 2 {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

fn cases<W: Life>(effects: &[Effect]) -> Vec<(Effect, Pause)> {
    let every = effects.iter().flat_map(|e| PAUSES.iter().map(move |(p, _)| (e.clone(), *p)));
    // With one lease, a pause before the request differs little from one before the answer: the lease is lost all the same.
    every
        .filter(|(e, p)| large() && W::wholly(e) || e.heart::<W>() && (p.answered || !p.one_lease))
        .collect()
}

type Cells = BTreeMap<(Effect, Pause), Cell>;

fn table(effects: &[Effect], cells: &Cells) -> String {
    let mut text = format!("\n{:<30}", "stopped while it");
    for (_, name) in PAUSES {
        let _ = write!(text, " {name:<20}");
    }
    for effect in effects.iter().filter(|e| cells.keys().any(|(of, _)| of == *e)) {
        let _ = write!(text, "\n{:<30}", effect.name());
        for (pause, _) in PAUSES {
            let word = cells.get(&(effect.clone(), pause)).map_or("", Cell::word);
            let _ = write!(text, " {word:<20}");
        }
    }
    text
}

/// Runs the pauses of one vendor's upgrade, and fails unless nearly every step was reached and went well.
pub async fn all<W: Life>() -> anyhow::Result<()> {
    let began = Instant::now();
    let effects = clean_run::<W>().await?;
    let cells: Cells = stream::iter(cases::<W>(&effects))
        .map(|(effect, pause)| async move {
            let cell = super::settled(async || case::<W>(&effect, pause).await).await;
            ((effect, pause), cell)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    show(&table(&effects, &cells));
    let of = |test: &dyn Fn(&Cell) -> bool| cells.values().filter(|c| test(c)).count();
    show(&format!(
        "pauses tried {}, not reached {}, went well {}; {} s",
        cells.len(),
        of(&|c| *c == Cell::NotReached),
        of(&|c| *c == Cell::Ok),
        began.elapsed().as_secs()
    ));
    let bad: Vec<String> = cells
        .iter()
        .filter(|((e, _), c)| **c != Cell::Ok && (e.heart::<W>() || **c != Cell::NotReached))
        .map(|((e, p), c)| format!("{} / {p:?}: {c:?}", e.name()))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
    assert!(
        of(&|c| *c == Cell::Ok) * 10 >= cells.len() * 8,
        "too few steps were reached: {cells:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_at_any_step_and_goes_on_starts_nothing_twice() -> anyhow::Result<()> {
    all::<World>().await
}
