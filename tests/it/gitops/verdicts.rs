//! What the tools that wait for an upgrade make of each state, by these tools' own code: Argo CD's interpreter with the scripts of argocd-cm,
//! kstatus as Flux and Helm use it, and Flux's expressions.
//!
//! The objects are the product's own, written by a unit test (`src/controller/table_tests.rs`). The table in docs/gitops.md is made here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::argocd;
use super::flux;
use crate::chart::ROOT;
use crate::chart::without_cluster;
use crate::ground::patiently;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::world::World;

/// One state, and what each tool makes of it.
#[derive(Clone, Debug)]
struct Row {
    situation: String,
    /// `STATE conditions Reason kstatus argo`, as the unit test has them from ports of the rules.
    expected: String,
    object: Value,
    gate: String,
    handoff: String,
    kstatus: String,
    flux: String,
}

impl Row {
    fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap()
    }

    fn expected(&self, column: usize) -> &str {
        self.expected.split(' ').nth(column).unwrap()
    }

    fn is(&self, condition: &str) -> bool {
        let mut conditions = self.object["status"]["conditions"].as_array().into_iter().flatten();
        conditions.any(|c| c["type"] == condition && c["status"] == "True")
    }

    fn looked_at(&self) -> bool {
        self.object["status"]["observedGeneration"] == self.object["metadata"]["generation"]
    }
}

/// What a tool says to a request.
async fn judged(verb: &str, request: &Value) -> Vec<Value> {
    let said = without_cluster("gitops", &[verb], &request.to_string()).await.ok().unwrap();
    serde_json::from_str(&said).unwrap()
}

/// The statuses that a tool gives to objects.
async fn statuses(verb: &str, request: &Value) -> Vec<String> {
    let all = judged(verb, request).await;
    all.iter().map(|v| v["status"].as_str().unwrap().to_owned()).collect()
}

async fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(format!("{ROOT}/tests/it/gitops/states.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut by_kind: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines {
        let kind = line["object"]["kind"].as_str().unwrap().to_owned();
        by_kind.entry(kind).or_default().push(line);
    }
    let mut rows = Vec::new();
    // Batches first: they have all states.
    for (kind, lines) in by_kind.into_iter().rev() {
        let objects: Vec<&Value> = lines.iter().map(|line| &line["object"]).collect();
        let argo = async |way| {
            let script = argocd::setting(way, "health", &kind);
            statuses("argo-health", &json!({"script": script, "objects": objects})).await
        };
        let (gate, handoff) = (argo("gate").await, argo("handoff").await);
        let kstatus = statuses("kstatus", &json!({"objects": objects})).await;
        let flux = json!({"objects": objects, "healthCheckExprs": flux::expressions()});
        let flux = statuses("flux-health", &flux).await;
        for (n, line) in lines.iter().enumerate() {
            rows.push(Row {
                situation: line["situation"].as_str().unwrap().to_owned(),
                expected: line["expected"].as_str().unwrap().to_owned(),
                object: line["object"].clone(),
                gate: gate[n].clone(),
                handoff: handoff[n].clone(),
                kstatus: kstatus[n].clone(),
                flux: flux[n].clone(),
            });
        }
    }
    rows
}

/// The table for people: batches, which have all states. Other kinds have the same verdicts, as a test says.
pub async fn table() -> String {
    let rows = rows().await;
    let mut table =
        "| situation | state | reason | Argo CD, gate | Argo CD, handoff | kstatus | Flux, handoff |\n|---|---|---|---|---|---|---|"
            .to_owned();
    for row in rows.iter().filter(|row| row.kind() == "ClusterUpgradeBatch") {
        let word = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
        let (state, reason) = (word(row.expected(0)), word(row.expected(2)));
        write!(
            table,
            "\n| {} | {state} | {reason} | {} | {} | {} | {} |",
            row.situation, row.gate, row.handoff, row.kstatus, row.flux
        )
        .unwrap();
    }
    table
}

#[tokio::test]
async fn every_state_is_to_each_tool_what_the_table_says() {
    let rows = rows().await;
    assert!(rows.len() > 100, "{}", rows.len());
    for row in &rows {
        let what = format!("{} {}: {row:?}", row.kind(), row.situation);
        // The ports of the rules in the unit tests are what the tools do.
        assert_eq!(
            (row.expected(3), row.expected(4)),
            (row.kstatus.as_str(), row.gate.as_str()),
            "{what}"
        );
        // Handed over is whatever waits for a time or for a person's stop, and nothing else.
        let handed = if row.gate == "Suspended" { "Healthy" } else { row.gate.as_str() };
        assert_eq!(row.handoff, handed, "{what}");
        let flux = match (row.looked_at(), row.is("Stalled")) {
            (false, _) => "InProgress",
            (true, true) => "Failed",
            (true, false) => "Current",
        };
        assert_eq!(row.flux, flux, "{what}");
        // No tool ever takes for done what has not succeeded, unless it was told to hand over; and none for well what needs a person.
        let done = row.is("Ready") && row.looked_at();
        assert_eq!((row.gate == "Healthy", row.kstatus == "Current"), (done, done), "{what}");
        assert_eq!(row.gate == "Degraded", row.kstatus == "Failed", "{what}");
    }
    println!("{}", table().await);
}

#[tokio::test]
async fn one_kind_is_never_judged_otherwise_than_another() {
    let rows = rows().await;
    for row in rows.iter().filter(|row| row.kind() != "ClusterUpgradeBatch") {
        let batch = rows
            .iter()
            .find(|r| r.kind() == "ClusterUpgradeBatch" && r.situation == row.situation);
        let batch = batch.unwrap_or_else(|| panic!("{}", row.situation));
        let verdicts = |r: &Row| [&r.gate, &r.handoff, &r.kstatus, &r.flux].map(Clone::clone);
        assert_eq!(verdicts(row), verdicts(batch), "{} {}", row.kind(), row.situation);
    }
    // Every kind in Git has the same script, so what holds for one holds for all.
    for way in ["gate", "handoff"] {
        for kind in ["ApplianceUpdate", "Connection", "FirmwareUpgrade", "Inventory"] {
            let theirs = argocd::setting(way, "health", kind);
            assert_eq!(theirs, argocd::setting(way, "health", "ClusterUpgradeBatch"), "{way} {kind}");
        }
    }
}

/// Its message is what an operator's status says, not a word of the script's own.
#[tokio::test]
async fn what_an_upgrade_waits_for_is_told_in_argo_cd() {
    let rows = rows().await;
    let objects: Vec<&Value> = rows.iter().map(|row| &row.object).collect();
    let script = argocd::setting("gate", "health", "ClusterUpgradeBatch");
    let said = judged("argo-health", &json!({"script": script, "objects": objects})).await;
    for (row, verdict) in rows.iter().zip(said) {
        if row.looked_at() {
            assert_eq!(verdict["message"], row.object["status"]["message"], "{}", row.situation);
        } else {
            assert_eq!(verdict["message"], "not yet seen by Windlass", "{}", row.situation);
        }
    }
}

/// What Argo CD with either way, kstatus and Flux say of one object.
async fn verdicts(object: &Value) -> [String; 3] {
    let kind = object["kind"].as_str().unwrap();
    let one = |verdicts: Vec<String>| verdicts.into_iter().next().unwrap();
    let argo = async |way| {
        let script = argocd::setting(way, "health", kind);
        one(statuses("argo-health", &json!({"script": script, "objects": [object]})).await)
    };
    let (gate, handoff) = (argo("gate").await, argo("handoff").await);
    assert_eq!(gate, handoff, "nothing is handed over of what is no upgrade: {object}");
    let kstatus = one(statuses("kstatus", &json!({"objects": [object]})).await);
    let flux = json!({"objects": [object], "healthCheckExprs": flux::expressions()});
    [gate, kstatus, one(statuses("flux-health", &flux).await)]
}

/// Connections and Inventories as an operator leaves them: seen or not, well, at a vendor that is away, with a password that is wrong.
#[tokio::test]
async fn a_connection_that_nobody_has_tried_or_that_a_person_must_mend_is_never_well() -> anyhow::Result<()> {
    let world = World::new("verdicts", Config::with_clusters(1)).await?;
    let live =
        async |what: &str| -> anyhow::Result<Value> { Ok(serde_json::from_str(&world.kubectl(&["get", what, "-o", "json"]).await?)?) };
    world.secret("vc", vcenter::USER, "wrong").await?;
    world.apply(&world.connection("vc")).await?;
    let inventory = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "vc", "namespace": world.namespace},
        "spec": {"connectionRef": {"name": "vc"}},
    });
    world.apply(&inventory).await?;
    let [unseen, broken, well] = [
        ["Progressing", "InProgress", "InProgress"],
        ["Degraded", "Failed", "Failed"],
        ["Healthy", "Current", "Current"],
    ];
    for what in ["connection/vc", "inventory/vc"] {
        assert_eq!(verdicts(&live(what).await?).await, unseen, "{what}");
    }
    let _operator = world.operator().await?;
    world.connected("vc", "AuthFailed").await?;
    assert_eq!(verdicts(&live("connection/vc").await?).await, broken);
    // What is looked up for people waits for its Connection, and fails nothing.
    patiently(async || {
        let inventory = live("inventory/vc").await?;
        Ok((inventory["status"]["conditions"][0]["status"] == "False").then_some(()))
    })
    .await?;
    assert_eq!(verdicts(&live("inventory/vc").await?).await, unseen);

    world.secret("vc", vcenter::USER, vcenter::PASSWORD).await?;
    world.connected("vc", "Reachable").await?;
    assert_eq!(verdicts(&live("connection/vc").await?).await, well);
    patiently(async || Ok((verdicts(&live("inventory/vc").await?).await == well).then_some(()))).await?;
    Ok(())
}
