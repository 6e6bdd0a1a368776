//! What happened to one upgrade, from the logs alone: nobody asks the API server, which may have forgotten its Events by then.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::happy::quick;
use super::support::bold_batch;
use crate::ground::Operator;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

/// The lines about one upgrade: those that name it, and those that name one of its receipts.
fn trace(operator: &Operator, name: &str) -> anyhow::Result<Vec<Value>> {
    let lines: Result<Vec<Value>, _> = operator.log()?.lines().map(serde_json::from_str).collect();
    let lines: Vec<Value> = lines?;
    let receipts: BTreeSet<String> = lines
        .iter()
        .filter(|l| l["name"] == name)
        .filter_map(|l| l["receipt"].as_str().map(str::to_owned))
        .collect();
    let ours = |l: &Value| l["name"] == name || l["receipt"].as_str().is_some_and(|r| receipts.contains(r));
    Ok(lines.into_iter().filter(ours).collect())
}

#[tokio::test]
async fn the_whole_way_of_one_upgrade_is_in_the_logs_alone() -> anyhow::Result<()> {
    let (world, operator) = World::ready("trace", quick(2)).await?;
    bold_batch(&world, 1).await?;
    let clusters = json!([{"cluster": "domain-c2"}]);
    world
        .batch("other", json!({"desiredVersion": VERSION_NEW, "clusters": clusters}))
        .await?;
    world.state("b", "SUCCESS").await?;
    world.state("other", "SUCCESS").await?;
    let ended = |lines: &[Value]| lines.iter().any(|l| l["because"] == "Succeeded");
    let lines = world
        .wait(async |_| Ok(Some(trace(&operator, "b")?).filter(|lines| ended(lines))))
        .await?;
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let step = |line: &Value| match text(line, "msg").as_str() {
        "transition" => text(line, "because"),
        other => other.to_owned(),
    };
    let steps: Vec<String> = lines.iter().map(step).collect();
    let mut from = 0;
    for wanted in ["permit issued", "the vendor answered a start", "concluded", "Succeeded"] {
        let found = steps[from..].iter().position(|s| s == wanted);
        from += found.unwrap_or_else(|| panic!("{wanted} is not there, or not in its place: {steps:?}")) + 1;
    }
    let at = |wanted: &str| steps.iter().position(|s| s == wanted);
    // What was over in a moment has no status of its own, and so no step.
    assert!(at("Evaluated").is_some() && at("Evaluated") < at("Started"), "{steps:?}");
    let mut last_state = String::new();
    for line in &lines {
        for field in ["ts", "level", "msg", "module"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
        assert!(!line.to_string().contains("domain-c2"), "another's: {line}");
        if line["msg"] != "transition" {
            assert!(text(line, "target").contains("domain-c1"), "{line}");
            continue;
        }
        for field in ["kind", "namespace", "connection", "decision", "because"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
        assert!(line["generation"].is_i64(), "{line}");
        let (before, after) = (text(line, "state_from"), text(line, "state_to"));
        assert!(
            before == last_state || after == last_state,
            "a step is missing: {last_state} and then {line}"
        );
        last_state = after;
    }
    assert_eq!(last_state, "SUCCESS");
    let permit = lines.iter().find(|l| l["msg"] == "permit issued").unwrap();
    assert_eq!(
        (&permit["attempt"], &permit["vendor"], &permit["connection"]),
        (&json!(1), &json!("vcenter"), &json!("vc"))
    );
    Ok(())
}
