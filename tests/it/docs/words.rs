//! Every word that a status may say is explained, and nothing is explained that none says.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use windlass::upgrade::reason::Reason;
use windlass::upgrade::reason::State;

use super::page::Page;
use super::page::read;

/// Headings of docs/concepts.md with a table of reasons, and the states that each is about where the table does not say.
const TABLES: [(&str, &[&str]); 3] = [
    ("Waiting: PENDING, nothing was sent", &["PENDING", "RUNNING"]),
    ("Under way", &[]),
    ("Over", &[]),
];

/// What docs/concepts.md says of each reason: the states that it comes with.
fn explained() -> BTreeMap<String, String> {
    let page = Page::of(&read("docs/concepts.md"));
    let mut all = BTreeMap::new();
    for (under, states) in TABLES {
        for row in page.rows(under) {
            let states = if states.is_empty() { row[1].clone() } else { states.join(" ") };
            assert_eq!(all.insert(row[0].clone(), states), None, "{} is explained twice", row[0]);
        }
    }
    all
}

#[test]
fn every_state_and_every_reason_is_explained_and_no_other() {
    let page = Page::of(&read("docs/concepts.md"));
    let states: Vec<&str> = page.rows("States").iter().map(|row| row[0].as_str()).collect();
    let known: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
    assert_eq!(BTreeSet::from_iter(states), BTreeSet::from_iter(known));
    let explained: BTreeSet<String> = explained().into_keys().collect();
    let known: BTreeSet<String> = Reason::ALL.iter().map(|reason| reason.word().to_owned()).collect();
    let missing: Vec<&String> = known.difference(&explained).collect();
    let unknown: Vec<&String> = explained.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not explained: {missing:?}; not said by any status: {unknown:?}"
    );
}

/// The objects that other tools judge are what the operator writes: a reason comes with no other state than its line says.
#[test]
fn a_reason_comes_with_the_states_that_its_line_says() {
    let explained = explained();
    let mut looked_at = 0;
    for line in read("tests/it/gitops/states.jsonl").lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        let status = &told["object"]["status"];
        let Some(state) = status["state"].as_str() else { continue };
        let conditions = status["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|c| c["type"] == "Ready").unwrap();
        let reason = ready["reason"].as_str().unwrap();
        let expected = &explained[reason];
        let any = expected.contains("that of the run");
        assert!(
            any || expected.contains(state),
            "{reason} is told to come with {expected}, and came with {state}"
        );
        looked_at += 1;
    }
    assert!(looked_at > 30, "{looked_at}");
}

/// The words that a Connection's Ready condition may give, as the vendors' errors have them.
fn of_connections() -> BTreeSet<String> {
    let source = read("src/vendor/error.rs");
    let (_, rest) = source.split_once("pub fn reason(&self)").unwrap();
    let (body, _) = rest.split_once("pub fn ").unwrap();
    let quoted = body.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

#[test]
fn every_reason_of_a_connection_has_something_to_do_about_it_and_no_other_is_named() {
    let page = Page::of(&read("docs/troubleshooting.md"));
    let rows = page.rows("In kubectl get connections -A");
    let words = rows.iter().flat_map(|row| row[0].split(", ")).filter(|word| *word != "empty");
    let explained: BTreeSet<String> = words.map(str::to_owned).collect();
    let known = of_connections();
    assert!(known.len() > 12, "{known:?}");
    assert_eq!(explained, known);
}

#[test]
fn whatever_a_status_says_that_somebody_can_end_is_in_troubleshooting() {
    let page = read("docs/troubleshooting.md");
    let passes = [
        "Evaluating",
        "WaitingForRetry",
        "WaitingForSoak",
        "WaitingForWindow",
        "NotBefore",
        "Frozen",
        "Deleting",
        "Starting",
        "Started",
        "Running",
        "UpgradeSucceeded",
        "AlreadyAtVersion",
    ];
    let words = Reason::ALL.iter().map(|reason| reason.word());
    let missing: Vec<&str> = words
        .filter(|word| !passes.contains(word) && !page.contains(&format!("`{word}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
