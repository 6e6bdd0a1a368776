//! Every effect of one upgrade's life, harmed in every way.
//!
//! A clean run gives the list of effects: requests to the API server as the proxy saw them, calls to the vendor as the simulator did.
//! Then each effect is taken on anew, in a namespace of its own with a vendor of its own, once for each [`Variant`]. Written once for
//! all vendors, over [`Life`]; the vCenter's is run here, the others' in rooms of their own.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use tokio::time::Instant;

use super::cells::Cell;
use super::cells::Cells;
use super::cells::Effect;
use super::cells::VARIANTS;
use super::cells::Variant;
use super::cells::table;
use super::cells::totals;
use super::effects;
use super::harm::Harm;
use super::large;
use super::life::Life;
use super::oracle;
use super::person;
use super::show;
use super::story::Rest;
use super::story::Story;
use crate::sim::vcenter::CLUSTERS;
use crate::world::World;

/// Stories at once: each is an operator of its own that waits most of the time.
pub const AT_ONCE: usize = 8;

/// An effect may come that long after the story began. More only means that the story came to rest without it.
const REACHED: Duration = Duration::from_secs(60);

/// Of calls that repeat for ever, such as looks at the vendor, the first few are harmed.
const REPEATED: usize = 3;

/// Runs one upgrade without harm and lists its effects in the order in which they came.
pub async fn clean_run<W: Life>() -> anyhow::Result<Vec<Effect>> {
    let story = W::story("clean").await?;
    let operator = story.operator().await?;
    W::ask(&story).await?;
    story.succeeds(&["b"]).await?;
    let mut came: Vec<(Timestamp, Effect)> = Vec::new();
    for effect in story.proxy.effects() {
        let (label, nth) = (effect.label, effect.nth);
        came.push((effect.at, Effect { label, nth, vendor: None }));
    }
    let mut calls = BTreeMap::<String, usize>::new();
    for entry in story.world.log().requests() {
        let (what, path) = W::call(&entry);
        let label = format!("vendor {} {what}", entry.method);
        let nth = calls.entry(label.clone()).or_default();
        *nth += 1;
        let vendor = Some((entry.method, path));
        came.push((entry.wall, Effect { label, nth: *nth, vendor }));
    }
    operator.kill9().await?;
    came.sort();
    came.retain(|(_, effect)| effect.nth <= REPEATED);
    Ok(came.into_iter().map(|(_, effect)| effect).collect())
}

/// One effect under one variant, in a story of its own that nobody has asked for anything yet.
pub async fn case<W: Life>(story: Story<W>, effect: &Effect, variant: Variant) -> anyhow::Result<Cell> {
    let harm = Harm::arm(&story, effect, variant);
    let mut operator = story.operator().await?;
    W::ask(&story).await?;
    let reached = tokio::select! {
        reached = tokio::time::timeout(REACHED, harm.hit(&story)) => reached.is_ok(),
        rest = story.rest("b") => rest.is_err(),
    };
    if reached && variant.dies() {
        let dead_end = harm.let_the_reply_out(&story, variant).await?;
        operator.kill9().await?;
        harm.bury(&story, dead_end)?;
        operator = story.operator().await?;
    } else if reached {
        harm.afterwards(&story, variant).await?;
    }
    let rest = story.rest("b").await?;
    let cell = judge(&story, &rest, reached).await?;
    operator.kill9().await?;
    Ok(cell)
}

/// What a story came to.
pub async fn judge<W: Life>(story: &Story<W>, rest: &Rest, reached: bool) -> anyhow::Result<Cell> {
    let breaches = oracle::breaches(story, std::slice::from_ref(rest)).await?;
    let why = format!("{} {}", rest.reason, rest.message);
    Ok(match rest.state.as_str() {
        _ if !breaches.is_empty() => Cell::Violation(story.told(&breaches.join("; "))),
        "STUCK" => Cell::Stuck(story.told(&why)),
        "UNKNOWN" => Cell::Person(why),
        _ if !reached => Cell::NotReached,
        "SUCCESS" => Cell::Ok,
        other => Cell::Over(format!("{other} {}", rest.reason)),
    })
}

/// Which cases are run: everything, or the effects around the start.
fn cases<W: Life>(effects: &[Effect]) -> Vec<(Effect, Variant)> {
    let every = effects.iter().flat_map(|e| VARIANTS.iter().map(move |(v, _)| (e.clone(), *v)));
    every
        .filter(|(e, v)| e.takes(*v) && (W::chosen(e, *v) || large() && W::wholly(e)))
        .collect()
}

/// Runs the cases of these effects.
pub async fn harmed<W: Life>(effects: &[Effect], began: Instant) -> Cells {
    stream::iter(cases::<W>(effects))
        .map(|(effect, variant)| async move {
            let cell = super::settled(async || case(W::story("matrix").await?, &effect, variant).await).await;
            if large() {
                show(&format!(
                    "  {:>4}s {} / {variant:?}: {}",
                    began.elapsed().as_secs(),
                    effect.name(),
                    cell.word()
                ));
            }
            ((effect, variant), cell)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Prints what became of all cases, and fails where a promise was broken or something never came to rest. `more`: rows that are not effects
/// of the clean run.
pub fn verdict(effects: &[Effect], more: &Cells, mut cells: Cells, began: Instant) {
    let rows: Vec<Effect> = more.keys().map(|(effect, _)| effect.clone()).collect();
    cells.extend(more.clone());
    show(&table(effects, &rows, &cells));
    let (again, took) = (super::AGAIN.load(Ordering::Relaxed), began.elapsed().as_secs());
    show(&format!("{}; run twice so far {again}; {took} s", totals(effects, &cells)));
    super::hardly_any_again(cells.len());
    for ((effect, variant), cell) in &cells {
        if let Cell::Violation(why) | Cell::Stuck(why) = cell {
            show(&format!("\n{} {} / {variant:?}: {why}", cell.word(), effect.name()));
        }
    }
    assert!(
        !cells.values().any(|c| matches!(c, Cell::Violation(_))),
        "the promise was broken, see above"
    );
    assert!(
        !cells.values().any(|c| matches!(c, Cell::Stuck(_))),
        "something never came to rest, see above"
    );
}

/// The doubt itself, of `domain-c1 UNKNOWN (the start may or may not have been taken: <doubt>; resolve receipt <name>)`, with versions
/// that fit a line. Cluster and receipt are each run's own.
pub fn doubt(message: &str) -> String {
    let (_, why) = message.split_once("have been taken: ").unwrap_or(("", message));
    let why = why.split("; resolve receipt").next().unwrap_or(why);
    let short = why.split(' ').map(|word| match word.split_once('+') {
        Some((version, rest)) if rest.ends_with(',') => format!("{version},"),
        Some((version, _)) => version.to_owned(),
        None => word.to_owned(),
    });
    short.collect::<Vec<_>>().join(" ")
}

/// What only a person can end: reached by a crash and by a lost answer.
async fn persons() -> Cells {
    let cases = person::ALL
        .iter()
        .flat_map(|shown| [(true, Variant::DieCommitted), (false, Variant::CutAfter)].map(|(crash, variant)| (shown, crash, variant)));
    stream::iter(cases)
        .map(|((shows, label), crash, variant)| async move {
            let label = (*label).to_owned();
            let effect = Effect {
                label,
                nth: 1,
                vendor: Some(("POST".to_owned(), CLUSTERS.to_owned())),
            };
            let _place = super::place().await;
            let cell = match person::case(*shows, crash).await {
                Ok((_, breaches)) if !breaches.is_empty() => Cell::Violation(breaches.join("; ")),
                Ok((rest, _)) => Cell::Person(format!("{} {}", rest.reason, doubt(&rest.message))),
                Err(error) => Cell::Stuck(format!("{error:#}")),
            };
            ((effect, variant), cell)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_effect_is_harmed_however_the_start_happens_once() -> anyhow::Result<()> {
    let began = Instant::now();
    let effects = clean_run::<World>().await?;
    let writes = effects.iter().filter(|e| e.vendor.is_none() && effects::writes(&e.label)).count();
    assert!(
        writes >= 6,
        "a life has at least its receipt, its answer, its end and three statuses: {effects:?}"
    );
    let (cells, persons) = tokio::join!(harmed::<World>(&effects, began), persons());
    assert!(cells.len() >= 35, "{effects:?}");
    verdict(&effects, &persons, cells, began);
    Ok(())
}
