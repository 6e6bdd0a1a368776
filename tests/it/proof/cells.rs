//! What is harmed, how, and what became of it: the words and the table of the matrix.
//!
//! Part of [`matrix`](super::matrix); nothing runs here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::life::Life;
use super::proxy::Fault;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::faults;
use crate::sim::faults::BodyKind;
use crate::sim::faults::Part;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
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

pub const VARIANTS: [(Variant, &str); 13] = [
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
    pub fn dies(self) -> bool {
        matches!(self, Variant::DieBefore | Variant::DieCommitted | Variant::DieReplied)
    }

    /// What the proxy does. The process is killed while its effect, or the reply to it, is held.
    pub fn at_api(self) -> Fault {
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
    pub fn at_vendor(self) -> Action {
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
pub struct Effect {
    /// What it is for.
    pub label: String,
    /// The number of this among those with the same label, from 1.
    pub nth: usize,
    /// Path and method of a call to the vendor.
    pub vendor: Option<(String, String)>,
}

impl Effect {
    pub fn takes(&self, variant: Variant) -> bool {
        let read = self.label.contains("GET") || self.label.contains("LIST");
        match variant {
            // What was true earlier is the reply of an earlier one.
            Variant::Stale => read && self.nth > 1,
            // A read commits nothing: late, or cut after its answer, it is cut before.
            Variant::Late | Variant::CutAfter | Variant::ErrorAfter | Variant::Duplicated => !read,
            _ => true,
        }
    }

    pub fn name(&self) -> String {
        format!("{} #{}", self.label, self.nth)
    }

    /// One of those around the start, which are harmed in every run of the tests.
    pub fn heart<W: Life>(&self) -> bool {
        self.nth == 1 && W::HEART.contains(&self.label.as_str())
    }
}

/// What became of one effect under one variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
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
    pub fn word(&self) -> &str {
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

/// What became of every case.
pub type Cells = BTreeMap<(Effect, Variant), Cell>;

/// One line for each effect, one column for each variant.
pub fn table(effects: &[Effect], doubts: &[Effect], cells: &Cells) -> String {
    let mut text = format!("\n{:<30}", "effect");
    for (_, name) in VARIANTS {
        let _ = write!(text, " {name:<10}");
    }
    let doubts: BTreeSet<&Effect> = doubts.iter().collect();
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

/// All of it in one line.
pub fn totals(effects: &[Effect], cells: &Cells) -> String {
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
        "effects {} of {}, variants tried {}, not reached {}, duplicate starts {}, violations of any kind {}, stuck {}, other ends {} ({}), \
         UNKNOWN that needed a person {} ({})",
        harmed,
        effects.len(),
        cells.len(),
        of(&|c| *c == Cell::NotReached),
        of(&|c| matches!(c, Cell::Violation(what) if super::oracle::tells_of_two_starts(what))),
        of(&|c| matches!(c, Cell::Violation(_))),
        of(&|c| matches!(c, Cell::Stuck(_))),
        of(&|c| matches!(c, Cell::Over(_))),
        reasons(&over),
        of(&|c| matches!(c, Cell::Person(_))),
        reasons(&person),
    )
}
