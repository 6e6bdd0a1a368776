//! What a resource ran before what it shows now, from its targets' ledgers: so that it survives a lost status.
//!
//! Called by [`decide`](super::decide).

use std::cmp::Reverse;

use jiff::Timestamp;

use super::facts::Facts;
use super::reason::State;
use super::receipt::EndKind;
use super::receipt::Note;
use super::receipt::Receipt;
use super::receipt::Standing;
use super::row::Judged;

/// How many earlier runs a status tells of. The ledger has them all.
const KEPT: usize = 5;

/// An earlier run of the resource on one of its targets, which has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What people know the target by.
    pub target: String,
    /// Version of the run.
    pub version: String,
    /// Its run key.
    pub run_key: String,
    /// What it came to.
    pub state: State,
    /// When it was sent, if it was.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// The receipt behind it.
    pub receipt: String,
}

/// The newest runs first. Attempts that came to nothing are no runs: they stay in the ledger.
pub fn history(facts: &Facts, judged: &[Judged]) -> Vec<Past> {
    let shown = |r: &Receipt| judged.iter().any(|j| j.row.receipt.as_ref() == Some(&r.name));
    let mut past: Vec<Past> = Vec::new();
    for target in &facts.targets {
        let Ok(ledger) = &target.ledger else { continue };
        let ours = ledger.receipts().iter().filter(|r| facts.subject.asked_for(r) && !shown(r));
        past.extend(ours.filter_map(|receipt| {
            Some(Past {
                target: facts.name_of(target),
                version: receipt.run.version.clone(),
                run_key: receipt.run.run_key.clone(),
                state: came_to(receipt)?,
                started_at: receipt.began(),
                completed_at: receipt.ended_at(),
                receipt: receipt.name.clone(),
            })
        }));
    }
    past.sort_by_key(|p| Reverse((p.completed_at, p.receipt.clone())));
    past.truncate(KEPT);
    past
}

/// The state that a run ended in; `None` for one that goes on, and for an attempt that came to nothing.
pub fn came_to(receipt: &Receipt) -> Option<State> {
    match receipt.standing() {
        Standing::Ended(EndKind::Succeeded | EndKind::AlreadyAtVersion) => Some(State::Success),
        Standing::Ended(EndKind::Failed) => Some(State::Failed),
        Standing::Ended(EndKind::Cancelled) | Standing::Noted(Note::NotStartedInTime) => Some(State::Cancelled),
        Standing::Ended(EndKind::Rejected) | Standing::Noted(Note::WouldDowngrade) => Some(State::Rejected),
        // Taken after all: it is told as a failure until somebody has looked.
        Standing::Ended(EndKind::NotTaken | EndKind::Withdrawn) if receipt.taken() => Some(State::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::TargetFacts;
    use super::*;

    #[test]
    fn earlier_runs_are_told_from_the_ledger_newest_first_and_five_of_them() {
        let ended = |seq: u32, kind| {
            Receipt::no(seq)
                .to(&format!("v1.{seq}"))
                .accepted(u64::from(seq))
                .ended(kind, u64::from(seq) + 5)
        };
        let mut receipts: Vec<Receipt> = (1..=7).map(|n| ended(n, EndKind::Succeeded)).collect();
        receipts[2] = Receipt::no(3).to("v1.3").ended(EndKind::NotTaken, 8);
        receipts.push(ended(8, EndKind::Failed).by("weekly"));
        let target = TargetFacts::ready("a", 90).receipts(receipts.into_iter().map(|r| r.on("a")).collect::<Vec<_>>());
        let facts = Facts::batch(100, [target]).with(|f| f.targets[0].wish.as_mut().unwrap().version = "v1.7".to_owned());
        let versions: Vec<String> = facts.decide().history.into_iter().map(|p| p.version).collect();
        assert_eq!(
            versions,
            ["v1.6", "v1.5", "v1.4", "v1.2", "v1.1"],
            "not the one shown, no attempt, nobody else's"
        );
    }
}
