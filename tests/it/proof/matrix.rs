//! Every effect of one upgrade's life, harmed in every way.
//!
//! A clean run gives the list of effects: requests to the API server as the proxy saw them, calls to the vendor as the simulator did.
//! Then each effect is taken on anew, in a namespace of its own with a vendor of its own, once for each [`Variant`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;

use super::effects;
use super::large;
use super::oracle;
use super::person;
use super::proxy::Fault;
use super::proxy::Release;
use super::proxy::Trap;
use super::show;
use super::story::Rest;
use super::story::Story;
use crate::sim::Action;
use crate::sim::Entry;
use crate::sim::Match;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults;
use crate::sim::faults::BodyKind;
use crate::sim::faults::Part;
use crate::sim::vcenter::CLUSTERS;

/// Stories at once: each is an operator of its own that waits most of the time.
const AT_ONCE: usize = 8;

/// An effect may come that long after the story began. More only means that the story came to rest without it.
const REACHED: Duration = Duration::from_secs(60);

/// How long a reply travels before the process that gets it is killed.
const DELIVERY: Duration = Duration::from_millis(60);

/// Longer than the operator under test waits for the answer to a start, far shorter than its grace period.
const AFTER_TIMEOUT: Duration = Duration::from_millis(2200);

/// Of calls that repeat for ever, such as looks at the vendor, the first few are harmed.
const REPEATED: usize = 3;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    DieBefore,
    DieCommitted,
    DieReplied,
    TimeoutBefore,
    TimeoutAfter,
    Late,
    ErrorBefore,
    ErrorAfter,
    CutBefore,
    CutAfter,
    Truncated,
    Duplicated,
    Stale,
}

const VARIANTS: [(Variant, &str); 13] = [
    (Variant::DieBefore, "die before"),
    (Variant::DieCommitted, "die commit"),
    (Variant::DieReplied, "die reply"),
    (Variant::TimeoutBefore, "t/o before"),
    (Variant::TimeoutAfter, "t/o after"),
    (Variant::Late, "late"),
    (Variant::ErrorBefore, "5xx before"),
    (Variant::ErrorAfter, "5xx after"),
    (Variant::CutBefore, "cut before"),
    (Variant::CutAfter, "cut after"),
    (Variant::Truncated, "truncated"),
    (Variant::Duplicated, "twice"),
    (Variant::Stale, "stale"),
];

impl Variant {
    fn dies(self) -> bool {
        matches!(self, Variant::DieBefore | Variant::DieCommitted | Variant::DieReplied)
    }

    /// What the proxy does. The process is killed while its effect, or the reply to it, is held.
    fn at_api(self) -> Fault {
        match self {
            Variant::DieBefore => Fault::HoldBefore,
            Variant::DieCommitted | Variant::DieReplied => Fault::HoldAfter,
            Variant::TimeoutBefore => Fault::SilentBefore,
            Variant::TimeoutAfter => Fault::SilentAfter,
            Variant::Late => Fault::Late(1800),
            Variant::ErrorBefore => Fault::Refused,
            Variant::ErrorAfter => Fault::GatewayTimeout,
            Variant::CutBefore => Fault::DropBefore,
            Variant::CutAfter => Fault::DropAfter,
            Variant::Truncated => Fault::Truncated,
            Variant::Duplicated => Fault::Duplicated,
            Variant::Stale => Fault::Stale,
        }
    }

    /// What the vendor's side does.
    fn at_vendor(self) -> Action {
        let status = |when| Action::Status {
            status: 503,
            body: BodyKind::Json,
            when,
            headers: Vec::new(),
        };
        let hang = |when| Action::Hang { when };
        match self {
            Variant::DieBefore | Variant::TimeoutBefore | Variant::Late => hang(When::Before),
            Variant::DieCommitted | Variant::DieReplied | Variant::TimeoutAfter => hang(When::After),
            Variant::ErrorBefore => status(When::Before),
            Variant::ErrorAfter => status(When::After),
            Variant::CutBefore => Action::Drop { when: When::Before },
            Variant::CutAfter => Action::Drop { when: When::After },
            Variant::Truncated => Action::Truncate { part: Part::Body },
            Variant::Duplicated => Action::Duplicate {
                answer: faults::Copied::Second,
            },
            Variant::Stale => Action::Stale,
        }
    }
}

/// One effect of a clean run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Effect {
    pub(super) label: String,
    pub(super) nth: usize,
    /// Path and method of a call to the vendor.
    pub(super) vendor: Option<(String, String)>,
}

impl Effect {
    fn takes(&self, variant: Variant) -> bool {
        let read = self.label.contains("GET") || self.label.contains("LIST");
        match variant {
            Variant::Stale => read,
            // A read commits nothing: late, or cut after its answer, it is cut before.
            Variant::Late | Variant::CutAfter | Variant::ErrorAfter | Variant::Duplicated => !read,
            _ => true,
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{} #{}", self.label, self.nth)
    }

    /// One of those around the start, which are harmed in every run of the tests.
    pub(super) fn heart(&self) -> bool {
        let around = [
            "PATCH Connection reserve",
            "POST receipt",
            "vendor POST upgradeMultiple",
            "PATCH receipt answer",
            "PATCH receipt end",
        ];
        self.nth == 1 && around.contains(&self.label.as_str())
    }
}

fn vendor_label(entry: &Entry) -> String {
    let what = match entry.path.as_str() {
        CLUSTERS if entry.start => "upgradeMultiple",
        CLUSTERS => "clusters",
        path if path.starts_with(CLUSTERS) => "cluster",
        path => path.rsplit(['/', '-']).next().unwrap_or(path),
    };
    format!("vendor {} {what}", entry.method)
}

/// What became of one effect under one variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    /// SUCCESS, with one start.
    Ok,
    /// Another end that needs nobody, such as REJECTED.
    Over(String),
    /// UNKNOWN until a person says what happened.
    Person(String),
    /// The effect did not come in this run; it went well without.
    NotReached,
    Stuck(String),
    Violation(String),
}

impl Cell {
    pub(super) fn word(&self) -> &str {
        match self {
            Cell::Ok => "ok",
            Cell::Over(state) => state,
            Cell::Person(_) => "person",
            Cell::NotReached => "absent",
            Cell::Stuck(_) => "STUCK",
            Cell::Violation(_) => "VIOLATION",
        }
    }
}

/// Runs one upgrade without harm and lists its effects in the order in which they came.
pub(super) async fn clean_run() -> anyhow::Result<Vec<Effect>> {
    let story = Story::new("clean", 1).await?;
    let operator = story.operator().await?;
    story.apply(1).await?;
    story.succeeds(&["b"]).await?;
    let mut came: Vec<(Timestamp, Effect)> = Vec::new();
    for effect in story.proxy.effects() {
        let (label, nth) = (effect.label, effect.nth);
        came.push((effect.at, Effect { label, nth, vendor: None }));
    }
    let mut calls = BTreeMap::<String, usize>::new();
    for entry in story.world.vcenter.log().requests() {
        let label = vendor_label(&entry);
        let nth = calls.entry(label.clone()).or_default();
        *nth += 1;
        // Each story's cluster has a name of its own.
        let path = match entry.path.strip_prefix(CLUSTERS) {
            Some(rest) if !rest.is_empty() => format!("{CLUSTERS}/*"),
            _ => entry.path,
        };
        let vendor = Some((entry.method, path));
        came.push((entry.wall, Effect { label, nth: *nth, vendor }));
    }
    operator.kill9().await?;
    came.sort();
    came.retain(|(_, effect)| effect.nth <= REPEATED);
    Ok(came.into_iter().map(|(_, effect)| effect).collect())
}

/// One effect under one variant, in a world of its own.
async fn case(effect: &Effect, variant: Variant) -> anyhow::Result<Cell> {
    let story = Story::new("matrix", 1).await?;
    let harm = Harm::arm(&story, effect, variant);
    let mut operator = story.operator().await?;
    story.apply(1).await?;
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

pub(super) async fn judge(story: &Story, rest: &Rest, reached: bool) -> anyhow::Result<Cell> {
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

/// The doubt itself, of `domain-c1 UNKNOWN (the start may or may not have been taken: <doubt>; resolve receipt <name>)`, with versions
/// that fit a line. Cluster and receipt are each run's own.
fn doubt(message: &str) -> String {
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
async fn persons() -> Vec<((Effect, Variant), Cell)> {
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

/// The fault of one case, set before anything runs.
pub(super) enum Harm {
    Api(Trap),
    Vendor(u64),
}

impl Harm {
    pub(super) fn arm(story: &Story, effect: &Effect, variant: Variant) -> Harm {
        let Some((method, path)) = &effect.vendor else {
            return Harm::Api(story.proxy.arm(&effect.label, effect.nth, variant.at_api()));
        };
        let rule = Rule::new(variant.at_vendor()).on(Match::new(method, path));
        let skip = effect.nth as u64 - 1;
        Harm::Vendor(story.world.vcenter.faults().add(rule.skipping(skip).times(1)))
    }

    pub(super) async fn hit(&self, story: &Story) {
        match self {
            Harm::Api(trap) => trap.hit().await,
            // The rule stays for as long as the story: this cannot fail.
            Harm::Vendor(rule) => story.world.vcenter.faults().wait_until_hit(*rule).await.unwrap(),
        }
    }

    /// What is held goes on.
    pub(super) fn go_on(&self, story: &Story) -> anyhow::Result<()> {
        match self {
            Harm::Api(trap) => trap.release(Release::Forward),
            Harm::Vendor(rule) => story.world.vcenter.faults().release(*rule, faults::Release::Continue)?,
        }
        Ok(())
    }

    /// "Die after the reply": it is delivered, and nothing that the process does next gets anywhere. The rule that holds its calls to
    /// the vendor is returned.
    async fn let_the_reply_out(&self, story: &Story, variant: Variant) -> anyhow::Result<Option<u64>> {
        if variant != Variant::DieReplied {
            return Ok(None);
        }
        let vendor = story.world.vcenter.faults();
        let dead_end = vendor.add(Rule::new(Action::Hang { when: When::Before }));
        story.proxy.freeze();
        self.go_on(story)?;
        tokio::time::sleep(DELIVERY).await;
        Ok(Some(dead_end))
    }

    /// The process is dead: what it had under way is cut, not processed, and the way is free for the next.
    fn bury(&self, story: &Story, dead_end: Option<u64>) -> anyhow::Result<()> {
        let vendor = story.world.vcenter.faults();
        story.proxy.thaw();
        if let Some(dead_end) = dead_end {
            vendor.release(dead_end, faults::Release::Drop)?;
            return vendor.remove(dead_end);
        }
        match self {
            Harm::Api(trap) => trap.release(Release::Drop),
            Harm::Vendor(rule) => vendor.release(*rule, faults::Release::Drop)?,
        }
        Ok(())
    }

    /// The vendor goes on, or breaks off, once the operator has given up waiting.
    async fn afterwards(&self, story: &Story, variant: Variant) -> anyhow::Result<()> {
        let (Harm::Vendor(rule), Variant::TimeoutBefore | Variant::TimeoutAfter | Variant::Late) = (self, variant) else {
            return Ok(());
        };
        tokio::time::sleep(AFTER_TIMEOUT).await;
        let release = if variant == Variant::Late {
            faults::Release::Continue
        } else {
            faults::Release::Drop
        };
        story.world.vcenter.faults().release(*rule, release)
    }
}

/// Which cases are run: everything, or the effects around the start.
fn cases(effects: &[Effect], all: bool) -> Vec<(Effect, Variant)> {
    let chosen = |effect: &Effect, variant: Variant| {
        let ends = effect.label == "PATCH receipt end";
        all || effect.heart() && (variant.dies() || !ends)
    };
    let every = effects.iter().flat_map(|e| VARIANTS.iter().map(move |(v, _)| (e.clone(), *v)));
    every.filter(|(e, v)| e.takes(*v) && chosen(e, *v)).collect()
}

type Cells = BTreeMap<(Effect, Variant), Cell>;

fn table(effects: &[Effect], doubts: &[Effect], cells: &Cells) -> String {
    let mut text = format!("\n{:<30}", "effect");
    for (_, name) in VARIANTS {
        let _ = write!(text, " {name:<10}");
    }
    let doubts: std::collections::BTreeSet<&Effect> = doubts.iter().collect();
    for effect in effects.iter().chain(doubts) {
        let row = |v: &Variant| cells.get(&(effect.clone(), *v));
        if VARIANTS.iter().all(|(v, _)| row(v).is_none()) {
            continue;
        }
        let _ = write!(text, "\n{:<30}", effect.name());
        for (variant, _) in VARIANTS {
            let word = row(&variant).map_or(if effect.takes(variant) { "" } else { "-" }, Cell::word);
            let _ = write!(text, " {word:<10.10}");
        }
    }
    text
}

fn totals(effects: &[Effect], cells: &Cells) -> String {
    let of = |test: &dyn Fn(&Cell) -> bool| cells.values().filter(|c| test(c)).count();
    let reasons = |test: &dyn Fn(&Cell) -> Option<String>| {
        let mut reasons = BTreeMap::<String, usize>::new();
        for reason in cells.values().filter_map(test) {
            *reasons.entry(reason).or_default() += 1;
        }
        let told: Vec<String> = reasons.into_iter().map(|(reason, n)| format!("{n}x {reason}")).collect();
        told.join("; ")
    };
    let person = |c: &Cell| if let Cell::Person(why) = c { Some(why.clone()) } else { None };
    let over = |c: &Cell| if let Cell::Over(why) = c { Some(why.clone()) } else { None };
    let harmed = effects.iter().filter(|e| cells.keys().any(|(harmed, _)| harmed == *e)).count();
    format!(
        "effects {} of {}, variants tried {}, not reached {}, violations (duplicates and the rest) {}, stuck {}, other ends {} ({}), \
         UNKNOWN that needed a person {} ({})",
        harmed,
        effects.len(),
        cells.len(),
        of(&|c| *c == Cell::NotReached),
        of(&|c| matches!(c, Cell::Violation(_))),
        of(&|c| matches!(c, Cell::Stuck(_))),
        of(&|c| matches!(c, Cell::Over(_))),
        reasons(&over),
        of(&|c| matches!(c, Cell::Person(_))),
        reasons(&person),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_effect_is_harmed_however_the_start_happens_once() -> anyhow::Result<()> {
    let began = tokio::time::Instant::now();
    let effects = clean_run().await?;
    let writes = effects.iter().filter(|e| e.vendor.is_none() && effects::writes(&e.label)).count();
    assert!(
        writes >= 6,
        "a life has at least its receipt, its answer, its end and three statuses: {effects:?}"
    );
    let cases = cases(&effects, large());
    assert!(cases.len() >= 35, "{effects:?}");
    let harmed = stream::iter(cases)
        .map(|(effect, variant)| async move {
            let cell = case(&effect, variant).await;
            let cell = cell.unwrap_or_else(|error| Cell::Stuck(format!("{error:#}")));
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
        .collect::<Cells>();
    let (mut cells, persons) = tokio::join!(harmed, persons());
    let doubts: Vec<Effect> = persons.iter().map(|((effect, _), _)| effect.clone()).collect();
    cells.extend(persons);
    show(&table(&effects, &doubts, &cells));
    show(&format!("{}; {} s", totals(&effects, &cells), began.elapsed().as_secs()));
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
    Ok(())
}
