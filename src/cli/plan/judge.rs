//! From facts to what would happen: the operator's own `decide`, asked again and again as if what it wants to start had been started. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::upgrade::decide::decide;
use crate::upgrade::decision::Decision;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::Row;
use crate::upgrade::decision::What;
use crate::upgrade::facts::Facts;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::reason::Reason;
use crate::upgrade::reason::State;
use crate::upgrade::receipt::Holder;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::receipt::RequestedBy;

/// What would become of a target, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is there already, or its run has ended well.
    Nothing,
    /// A run is under way: it is followed.
    Followed,
    /// It would be started at once.
    Start,
    /// It would be started later.
    Wait,
    /// It would never be started as it stands.
    Refuse,
}

impl Verdict {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Nothing => "nothing",
            Verdict::Followed => "follow",
            Verdict::Start => "start",
            Verdict::Wait => "wait",
            Verdict::Refuse => "refuse",
        }
    }
}

/// What would become of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// What people know it by.
    pub name: String,
    /// The vendor's name of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What would become of it.
    pub verdict: Verdict,
    /// Version that it was last seen at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// Version that is asked for.
    pub desired_version: String,
    /// One word: why.
    pub reason: String,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it would go on, where time alone decides that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What nobody in this cluster knows, and was assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// What would become of the targets of one upgrade.
pub fn targets(facts: Facts) -> Vec<Target> {
    let (started, decision) = play(facts);
    decision.rows.iter().map(|row| target(row, &started, &decision)).collect()
}

/// Lets everything start that may start now, one after the other, as the operator would; and what is left when nothing more may.
fn play(mut facts: Facts) -> (BTreeMap<String, Row>, Decision) {
    let mut started: BTreeMap<String, Row> = BTreeMap::new();
    // Each round ends a target or begins one, so there are no more rounds than twice the targets.
    for _ in 0..=facts.targets.len() * 2 {
        let decision = decide(&facts);
        let Some(effect) = decision.effect.clone() else {
            return (started, decision);
        };
        if effect.what == What::Start {
            let name = facts.targets.iter().find(|t| t.key == effect.key).map(|t| facts.name_of(t));
            let row = decision.rows.iter().find(|row| Some(&row.name) == name.as_ref());
            started.extend(row.map(|row| (row.name.clone(), row.clone())));
        }
        if !append(&mut facts, &effect) {
            return (started, decision);
        }
    }
    let decision = decide(&facts);
    (started, decision)
}

/// As if the receipt of this effect had been written. False: that is not possible.
fn append(facts: &mut Facts, effect: &Effect) -> bool {
    let note = match effect.what {
        What::Start => None,
        What::Note(note) => Some(note),
    };
    let receipt = Receipt {
        name: effect.key.receipt_name(effect.seq),
        seq: effect.seq,
        target: effect.key.canonical(),
        created: facts.wall,
        run: effect.run.clone(),
        connection: facts.connection.name.clone(),
        before: effect.before.clone(),
        due: effect.due,
        options: note.is_none().then(|| effect.options.canonical()),
        holder: note.is_none().then(|| Holder("plan.0".to_owned())),
        requested_by: RequestedBy {
            kind: facts.subject.kind.to_owned(),
            name: facts.subject.name.clone(),
            uid: facts.subject.uid.clone(),
            generation: facts.subject.generation,
        },
        note,
        resolution: None,
        answer: None,
        adopted: None,
        hint: None,
        scheduled: None,
        end: None,
        unknown_word: None,
    };
    let open = receipt.open();
    let Some(target) = facts.targets.iter_mut().find(|t| t.key == effect.key) else {
        return false;
    };
    let Ok(ledger) = &target.ledger else { return false };
    let mut all = ledger.receipts().to_vec();
    all.push(receipt);
    target.seen.open = facts.mono;
    target.ledger = Ledger::read(&effect.key, all);
    if open {
        facts.connection.open.insert(effect.key.object.clone());
    }
    target.ledger.is_ok()
}

fn target(row: &Row, started: &BTreeMap<String, Row>, decision: &Decision) -> Target {
    let shown = started.get(&row.name).unwrap_or(row);
    let mut out = Target {
        name: row.name.clone(),
        display_name: row.display_name.clone(),
        verdict: verdict(row, started.contains_key(&row.name), decision),
        current_version: row.current_version.clone().filter(|v| !v.is_empty()),
        desired_version: row.desired_version.clone(),
        reason: shown.reason.word().to_owned(),
        message: shown.message.clone(),
        until: None,
        assumed: Vec::new(),
    };
    match out.verdict {
        Verdict::Start => out.reason = String::new(),
        // What it waits for is not its own: the whole waits.
        Verdict::Wait | Verdict::Refuse if row.message.is_none() || row.reason == Reason::Evaluating => {
            if let Some(first) = decision.blockers.first() {
                first.reason.word().clone_into(&mut out.reason);
                out.message = Some(first.message.clone());
                out.until = first.until;
            } else if let Some(threshold) = Some(&decision.summary).filter(|s| s.stalled) {
                threshold.reason.word().clone_into(&mut out.reason);
                out.message = Some(threshold.message.clone());
            }
        }
        Verdict::Wait => {
            let own = decision.blockers.iter().find(|b| b.reason == row.reason);
            out.until = own.and_then(|b| b.until);
        }
        Verdict::Refuse | Verdict::Nothing | Verdict::Followed => {}
    }
    out
}

fn verdict(row: &Row, started: bool, decision: &Decision) -> Verdict {
    if started {
        return Verdict::Start;
    }
    match (row.state, row.reason) {
        (State::Success, _) | (_, Reason::AlreadyAtVersion) => Verdict::Nothing,
        (State::Started | State::Running | State::Unknown, _) | (_, Reason::Starting | Reason::Started) => Verdict::Followed,
        (State::Rejected | State::Failed | State::Cancelled, _)
        | (State::Pending, Reason::WouldDowngrade | Reason::NotStartedInTime | Reason::IdentityMismatch) => Verdict::Refuse,
        // The whole is refused, or stopped for good: what has not begun will not.
        (State::Pending, _) if decision.summary.stalled => Verdict::Refuse,
        (State::Pending, _) => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upgrade::facts::TargetFacts;
    use crate::upgrade::sight::Sight;
    use crate::upgrade::testing::*;

    fn at_rest(object: &str) -> TargetFacts {
        TargetFacts::of(object).sights([Sight::still(90, FROM)])
    }

    fn verdicts(facts: Facts) -> Vec<(String, Verdict, String)> {
        targets(facts).into_iter().map(|t| (t.name, t.verdict, t.reason)).collect()
    }

    fn told(name: &str, verdict: Verdict, reason: &str) -> (String, Verdict, String) {
        (name.to_owned(), verdict, reason.to_owned())
    }

    #[test]
    fn as_many_start_now_as_there_are_slots_and_the_others_say_what_they_wait_for() {
        let mut facts = Facts::batch(100, ["domain-c1", "domain-c2", "domain-c3"].map(at_rest));
        facts.strategy.max_concurrent = 2;
        assert_eq!(
            verdicts(facts),
            [
                told("domain-c1", Verdict::Start, ""),
                told("domain-c2", Verdict::Start, ""),
                told("domain-c3", Verdict::Wait, "LimitReached"),
            ]
        );
    }

    #[test]
    fn nothing_is_planned_for_what_is_there_already_and_nothing_goes_back() {
        let there = TargetFacts::of("domain-c1").sights([Sight::still(90, TO)]);
        let back = TargetFacts::of("domain-c2")
            .wished_at("v1.20.0+vmware.1")
            .sights([Sight::still(90, FROM)]);
        let mut facts = Facts::batch(100, [there, back, at_rest("domain-c3")]);
        facts.strategy.max_failures = 3;
        assert_eq!(
            verdicts(facts),
            [
                told("domain-c1", Verdict::Nothing, "AlreadyAtVersion"),
                told("domain-c2", Verdict::Refuse, "WouldDowngrade"),
                told("domain-c3", Verdict::Start, ""),
            ]
        );
    }

    #[test]
    fn a_hold_makes_all_wait_and_none_start() {
        let mut facts = Facts::batch(100, ["domain-c1", "domain-c2"].map(at_rest));
        facts.hold = Some("no".to_owned());
        for (_, verdict, reason) in verdicts(facts) {
            assert_eq!((verdict, reason.as_str()), (Verdict::Wait, "Held"));
        }
    }
}
