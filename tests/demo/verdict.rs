//! What the demo came to: the receipts, what the simulators counted, and every expectation that was not met.
//!
//! Called by `main` at the end of the story. The oracle is each simulator's own log of committed starts, not a status.

use std::collections::BTreeSet;

use crate::appliance;
use crate::central;
use crate::console;
use crate::seen::Seen;
use crate::sim::Log;
use crate::sim::Outcome;
use crate::sim::appliance::TARGET;
use crate::stage::Stage;
use crate::story::LAB_A;
use crate::story::PROD_A;
use crate::story::PROD_B;
use crate::tables;

/// Prints the end, and returns a sentence for each expectation that was not met.
pub fn give(stage: &Stage) -> Vec<String> {
    let (seen, vcenter, appliance, hmc) = (stage.seen(), stage.vcenter.log(), stage.appliance.log(), stage.console.log());
    let aruba = stage.central.log();
    let mut missed = missed(&seen, vcenter);
    missed.extend(missed_at_appliance(&seen, appliance));
    missed.extend(missed_at_console(&seen, hmc));
    missed.extend(missed_at_central(&seen, aruba));
    let screen = &stage.screen;
    screen.freeze();
    screen.line(&format!("\n{}\n", tables::receipts(seen.receipts.values())));
    let states: Vec<&str> = STATES.iter().copied().filter(|s| batch_was(&seen, s)).collect();
    let updates: BTreeSet<&str> = seen.update_states.iter().map(|(_, state, _)| state.as_str()).collect();
    let rows: Vec<&str> = seen.row_states.iter().map(String::as_str).collect();
    screen.line(&format!(
        "states seen on a watch: batch {}; clusters {}; appliance {}; console {}; customers {}",
        states.join(", "),
        rows.join(", "),
        updates.into_iter().collect::<Vec<_>>().join(", "),
        firmware_states(&seen, &[console::INSTALL, console::REMOTE]),
        firmware_states(&seen, &[central::FIRST, central::SECOND])
    ));
    screen.line(&requests("vCenter", vcenter));
    screen.line(&requests("the appliance", appliance));
    screen.line(&requests("the console", hmc));
    screen.line(&requests("Aruba Central", aruba));
    for sentence in &missed {
        screen.line(&format!("NOT AS EXPECTED: {sentence}"));
    }
    screen.line(&format!(
        "starts: {}, duplicates: {}",
        vcenter.committed().len() + appliance.committed().len() + hmc.committed().len() + aruba.committed().len(),
        vcenter.duplicates().len() + appliance.duplicates().len() + hmc.duplicates().len() + aruba.duplicates().len()
    ));
    missed
}

const STATES: [&str; 6] = ["PENDING", "STARTED", "RUNNING", "UNKNOWN", "FAILED", "SUCCESS"];

fn batch_was(seen: &Seen, state: &str) -> bool {
    seen.batch_states.iter().any(|(s, _)| s == state)
}

/// The states in which these firmware upgrades were ever seen.
fn firmware_states(seen: &Seen, names: &[&str]) -> String {
    let of = seen.firmware_states.iter().filter(|(name, ..)| names.contains(&name.as_str()));
    let states: BTreeSet<&str> = of.map(|(_, state, _)| state.as_str()).collect();
    states.into_iter().collect::<Vec<_>>().join(", ")
}

fn requests(vendor: &str, log: &Log) -> String {
    let (posts, refused) = (log.posts(), log.refused_posts().len());
    let cut = |e: &&crate::sim::Entry| !matches!(e.outcome, Outcome::Answered(_)) && !log.committed().iter().any(|s| s.request == e.number);
    format!(
        "requests to start at {vendor}: {}, of which refused: {refused}, lost before it took them: {}; starts: {}",
        posts.len(),
        posts.iter().filter(cut).count(),
        log.committed().len()
    )
}

fn missed(seen: &Seen, log: &Log) -> Vec<String> {
    let mut missed = Vec::new();
    let mut expect = |so: bool, otherwise: String| {
        if !so {
            missed.push(otherwise);
        }
    };
    for state in ["PENDING", "STARTED", "RUNNING", "SUCCESS"] {
        expect(batch_was(seen, state), format!("the batch was never seen in state {state}"));
    }
    let failed = seen.batch_states.contains(&("FAILED".to_owned(), "TooManyFailures".to_owned()));
    expect(
        failed,
        "the batch was never seen in state FAILED with reason TooManyFailures".to_owned(),
    );
    expect(
        seen.row_states.contains("REJECTED"),
        "no cluster was ever seen as REJECTED".to_owned(),
    );
    let is = seen.batch().0;
    expect(is == "SUCCESS", format!("the batch is {is} at the end, not SUCCESS"));
    for cluster in [LAB_A, PROD_A, PROD_B] {
        let (row, end) = (seen.row(cluster), seen.last_end(cluster));
        expect(row == "SUCCESS", format!("{cluster} is {row} at the end, not SUCCESS"));
        expect(
            end == "Succeeded",
            format!("the last receipt of {cluster} ended {end}, not Succeeded"),
        );
        let starts = log.starts(cluster).len();
        expect(starts == 1, format!("vCenter took {starts} starts of {cluster}, not 1"));
    }
    let mut statuses = seen.receipts_of(PROD_A).filter_map(|r| r.status.as_ref());
    let adopted = statuses.any(|s| s.adopted.is_some());
    expect(adopted, "no receipt of prod-a was adopted".to_owned());
    let mut ends = seen.receipts_of(PROD_B).filter_map(|r| r.status.as_ref()?.end.as_ref());
    let not_taken = ends.any(|e| e.kind == "NotTaken");
    expect(not_taken, "no receipt of prod-b ended NotTaken".to_owned());
    let (starts, duplicates) = (log.committed().len(), log.duplicates().len());
    expect(starts == 3, format!("vCenter took {starts} starts, not 3"));
    expect(duplicates == 0, format!("{duplicates} starts were duplicates"));
    missed
}

fn missed_at_appliance(seen: &Seen, log: &Log) -> Vec<String> {
    let mut missed = Vec::new();
    let mut expect = |so: bool, otherwise: String| {
        if !so {
            missed.push(otherwise);
        }
    };
    for update in [appliance::FIRST, appliance::SECOND] {
        let is = seen.update(update);
        expect(is == "SUCCESS", format!("{update} is {is} at the end, not SUCCESS"));
        let failed = seen.update_was(update, "FAILED", None);
        expect(!failed, format!("{update} was shown as FAILED"));
    }
    let ends: Vec<&str> = seen
        .receipts_of(TARGET)
        .filter_map(|r| Some(r.status.as_ref()?.end.as_ref()?.kind.as_str()))
        .collect();
    expect(
        ends == ["Succeeded", "Succeeded"],
        format!("the appliance's receipts ended {ends:?}, not Succeeded twice"),
    );
    let (starts, duplicates) = (log.committed().len(), log.duplicates().len());
    expect(starts == 2, format!("the appliance took {starts} starts, not 2"));
    expect(duplicates == 0, format!("{duplicates} starts of the appliance were duplicates"));
    missed
}

fn missed_at_console(seen: &Seen, log: &Log) -> Vec<String> {
    let mut missed = Vec::new();
    let mut expect = |so: bool, otherwise: String| {
        if !so {
            missed.push(otherwise);
        }
    };
    for upgrade in [console::INSTALL, console::REMOTE] {
        let is = seen.firmware_state(upgrade);
        expect(is == "SUCCESS", format!("{upgrade} is {is} at the end, not SUCCESS"));
        expect(
            !seen.firmware_was(upgrade, "FAILED", None),
            format!("{upgrade} was shown as FAILED"),
        );
    }
    let (starts, duplicates) = (log.committed().len(), log.duplicates().len());
    expect(starts == 1, format!("the console took {starts} installs, not 1"));
    expect(duplicates == 0, format!("{duplicates} installs of the console were duplicates"));
    missed
}

fn missed_at_central(seen: &Seen, log: &Log) -> Vec<String> {
    let mut missed = Vec::new();
    let mut expect = |so: bool, otherwise: String| {
        if !so {
            missed.push(otherwise);
        }
    };
    for (upgrade, target) in [(central::FIRST, central::target()), (central::SECOND, central::target_2())] {
        let is = seen.firmware_state(upgrade);
        expect(is == "SUCCESS", format!("{upgrade} is {is} at the end, not SUCCESS"));
        expect(
            !seen.firmware_was(upgrade, "FAILED", None),
            format!("{upgrade} was shown as FAILED"),
        );
        let starts = log.starts(&target).len();
        expect(starts == 1, format!("Central took {starts} starts of {target}, not 1"));
    }
    let (starts, duplicates) = (log.committed().len(), log.duplicates().len());
    expect(starts == 2, format!("Central took {starts} starts, not 2"));
    expect(duplicates == 0, format!("{duplicates} starts at Central were duplicates"));
    missed
}
