//! What Prometheus and Grafana are given: alerts with their pages, a dashboard, and the table of all metrics. Each may name only what the
//! operator tells.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::process::Command;
use windlass::controller::wakes::Kind;
use windlass::controller::wakes::Who;
use windlass::metrics::Metrics;
use windlass::metrics::Shown;
use windlass::metrics::StartOutcome;
use windlass::upgrade::reason::Reason;
use windlass::upgrade::reason::State;
use windlass::upgrade::timing::Mono;

use super::CHART;
use super::ROOT;
use super::rendered;

/// The alerts of the design, each with the severity that it names or means.
const ALERTS: [&str; 13] = [
    "UpgradeNeedsResolution",
    "UpgradeFailed",
    "UpgradeRejected",
    "UpgradeOverdue",
    "UpgradeBlockedTooLong",
    "StartInDoubt",
    "ConnectionDown",
    "QuotaLow",
    "Contradiction",
    "CRDsOutdated",
    "NoLeader",
    "StatusWriteStorm",
    "OperatorAbsent",
];

/// Everything that the operator can tell, with each of its metrics touched once.
fn told() -> String {
    let (metrics, second) = (Metrics::new(), Duration::from_secs(1));
    metrics.reconciled("k", second);
    metrics.reconcile_failed("k", "l");
    metrics.started("t", StartOutcome::InDoubt);
    metrics.vendor_request("t", "o", "ok", second);
    metrics.status_written("k");
    metrics.set_receipts("t", 1, 1);
    metrics.run_ended("k", State::Success, Some(second));
    let (upgrade, connection) = (Who::new(Kind::FirmwareUpgrade, "ns", "f"), Who::connection("ns", "c"));
    let waits = |waiting_for| Shown {
        state: State::Pending,
        waiting_for,
    };
    metrics.show_upgrade(&upgrade, waits(Some(Reason::Evaluating)), Mono::default());
    metrics.show_upgrade(&upgrade, waits(None), Mono::default());
    metrics.show_connection(&connection, "t", "Reachable");
    metrics.set_quota(&connection, 1);
    metrics.encode()
}

/// What is told of one metric.
#[derive(Default)]
struct Told {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
    order: Vec<String>,
}

/// Every metric by the name under which it is queried, a histogram by that of its family.
fn metrics() -> BTreeMap<String, Told> {
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    let text = told();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => help.clone_into(&mut all.entry(name.to_owned()).or_default().help),
            ["#", "TYPE", name, kind] => kind.clone_into(&mut all.entry(name.to_owned()).or_default().kind),
            ["#", ..] => {}
            _ => {
                let sample = line.split(['{', ' ']).next().unwrap();
                let family = all
                    .keys()
                    .filter(|name| sample.starts_with(name.as_str()))
                    .max_by_key(|name| name.len());
                let told = all.get_mut(&family.unwrap().clone()).unwrap();
                let labels = line
                    .split_once('{')
                    .map(|(_, rest)| rest.split_once('}').unwrap().0)
                    .unwrap_or_default();
                for label in labels.split(',').filter_map(|l| l.split_once('=')).map(|(name, _)| name) {
                    if label != "le" && told.labels.insert(label.to_owned()) {
                        told.order.push(label.to_owned());
                    }
                }
            }
        }
    }
    let queried = |(name, told): (String, Told)| match told.kind.as_str() {
        "counter" => (format!("{name}_total"), told),
        "info" => (format!("{name}_info"), told),
        _ => (name, told),
    };
    all.into_iter().map(queried).collect()
}

/// The table of docs/metrics.md.
pub fn table() -> String {
    let row = |(name, told): (String, Told)| {
        let labels: Vec<String> = told.order.iter().map(|label| format!("`{label}`")).collect();
        let kind = if told.kind == "info" { "gauge" } else { &told.kind };
        format!("| `{name}` | {} | {kind} | {} |\n", labels.join(", "), told.help)
    };
    let head = "| metric | labels | kind | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    std::iter::once(head).chain(metrics().into_iter().map(row)).collect()
}

/// The metrics that a text names; the parts of a histogram count as it.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|w| w.starts_with("windlass_"));
    ours.map(|w| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| w.strip_suffix(end))
            .unwrap_or(w)
            .to_owned()
    })
    .collect()
}

#[test]
fn names_and_labels_are_those_of_the_design_and_every_metric_says_what_it_is() {
    let told = metrics();
    let object = |labels: &str| labels.contains("name");
    let shape: Vec<String> = told.iter().map(|(name, t)| format!("{name}{{{}}}", t.order.join(","))).collect();
    assert_eq!(
        shape,
        [
            "windlass_build_info{version}",
            "windlass_connection_info{type,namespace,name,ready_reason}",
            "windlass_contradictions_total{}",
            "windlass_crds_outdated{}",
            "windlass_info_truncated{}",
            "windlass_leader{}",
            "windlass_receipts_open{type}",
            "windlass_receipts_unresolved{type}",
            "windlass_reconcile_duration_seconds{kind}",
            "windlass_reconcile_errors_total{kind,label}",
            "windlass_run_duration_seconds{kind,state}",
            "windlass_runs_total{kind,state}",
            "windlass_starts_enabled{}",
            "windlass_starts_total{type,outcome}",
            "windlass_status_writes_total{kind}",
            "windlass_upgrade_info{kind,namespace,name,state,waiting_for}",
            "windlass_upgrades{kind,state}",
            "windlass_vendor_quota_remaining{namespace,connection}",
            "windlass_vendor_request_duration_seconds{type,operation}",
            "windlass_vendor_requests_total{type,operation,class}",
            "windlass_wait_duration_seconds{kind,reason}",
        ]
    );
    let named: Vec<&String> = shape.iter().filter(|s| object(s.split_once('{').unwrap().1)).collect();
    assert_eq!(named.len(), 3, "object names are in no other metric: {named:?}");
    for (name, told) in &told {
        let words = told.help.split_whitespace().count();
        assert!(words >= 5 && told.help.ends_with('.'), "{name}: {}", told.help);
    }
}

#[test]
fn alerts_and_dashboard_speak_of_metrics_that_exist() {
    let known: BTreeSet<String> = metrics().into_keys().collect();
    for name in ["alerts.yaml", "dashboard.json"] {
        let text = std::fs::read_to_string(format!("{CHART}/files/{name}")).unwrap();
        let used = named(&text);
        assert!(used.len() > 5, "{name}: {used:?}");
        let unknown: Vec<&String> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?} of {known:?}");
    }
}

async fn rules() -> Value {
    let all = rendered(&json!({"metrics": {"prometheusRule": {"enabled": true}}})).await;
    all.only("PrometheusRule")["spec"].clone()
}

fn each_rule(spec: &Value) -> impl Iterator<Item = &Value> {
    let groups = spec["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap())
}

fn alert(rule: &Value) -> &str {
    rule["alert"].as_str().unwrap()
}

#[tokio::test]
async fn every_alert_says_what_to_do_and_how_soon() {
    let all = rendered(&json!({"metrics": {"prometheusRule": {"enabled": true}, "dashboard": {"enabled": true}}})).await;
    for rule in each_rule(&all.only("PrometheusRule")["spec"]) {
        assert!(alert(rule).starts_with("Windlass"), "{rule}");
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule}");
        assert!(
            rule["annotations"]["summary"].is_string() && rule["annotations"]["description"].is_string(),
            "{rule}"
        );
    }
    let dashboard = all.named("ConfigMap", "windlass-dashboard");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let dashboard: Value = serde_json::from_str(dashboard["data"]["windlass.json"].as_str().unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5);
    let ids: BTreeSet<i64> = panels.iter().map(|p| p["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[tokio::test]
async fn every_alert_has_its_page_and_every_page_its_alert() {
    let spec = rules().await;
    let alerts: BTreeSet<String> = each_rule(&spec).map(|rule| alert(rule).to_owned()).collect();
    assert_eq!(alerts, ALERTS.map(|name| format!("Windlass{name}")).into());
    for rule in each_rule(&spec) {
        let page = format!("docs/runbooks/{}.md", alert(rule));
        assert_eq!(rule["annotations"]["runbook_url"], page.as_str());
        let text = std::fs::read_to_string(format!("{ROOT}/{page}")).unwrap_or_else(|e| panic!("{page}: {e}"));
        let headings: Vec<&str> = text.lines().filter(|l| l.starts_with('#')).collect();
        let title = format!("# {}", alert(rule));
        assert_eq!(
            headings,
            [&title, "## Meaning", "## First look", "## At the vendor", "## How to end it"],
            "{page}"
        );
    }
    let pages = std::fs::read_dir(format!("{ROOT}/docs/runbooks")).unwrap();
    let pages: BTreeSet<String> = pages
        .map(|p| p.unwrap().file_name().into_string().unwrap().replace(".md", ""))
        .collect();
    assert_eq!(pages, alerts);
}

/// Every `kubectl windlass` command of the pages is one that docs/cli.md lists; what that says is run by tests of its own.
#[test]
fn the_pages_name_no_verb_that_does_not_exist() {
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/cli.md")).unwrap();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let words = rows.flat_map(|cell| cell.split(['`', ',', ' ']));
    let verbs: BTreeSet<&str> = words
        .filter(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase()))
        .collect();
    let mut found = 0;
    for page in std::fs::read_dir(format!("{ROOT}/docs/runbooks")).unwrap() {
        let text = std::fs::read_to_string(page.unwrap().path()).unwrap();
        for rest in text.split("kubectl windlass ").skip(1) {
            let verb = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap();
            assert!(verbs.contains(verb), "{verb} of {verbs:?}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}

/// `promtool` of the path, or the one that `.ci/run` has put into the target folder.
fn promtool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = PathBuf::from(format!("{ROOT}/target/prometheus/usr/bin"));
    let mut folders = std::env::split_paths(&path).chain([own]);
    folders.find_map(|folder| Some(folder.join("promtool")).filter(|file| file.is_file()))
}

#[tokio::test]
async fn alerts_fire_for_whom_they_should_and_are_silent_for_the_others() {
    let mut spec = rules().await;
    let cases: Vec<PathBuf> = std::fs::read_dir(format!("{ROOT}/tests/prometheus"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    let text: String = cases.iter().map(|case| std::fs::read_to_string(case).unwrap()).collect();
    for rule in each_rule(&spec) {
        let tested = format!("alertname: {}\n", alert(rule));
        assert!(text.contains(&tested), "no case in tests/prometheus: {tested}");
    }
    let Some(promtool) = promtool() else {
        println!(
            "promtool: skipped, there is none on the path or in target/prometheus; Debian's package prometheus has it, and .ci/run gets it"
        );
        return;
    };
    // The cases speak of summaries only: the other annotations are fixed texts.
    for group in spec["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            let annotations = rule["annotations"].as_object_mut().unwrap();
            annotations.retain(|name, text| {
                assert!(name == "summary" || !text.as_str().unwrap().contains("{{"), "{name}: {text}");
                name == "summary"
            });
        }
    }
    let folder = PathBuf::from(format!("{}/prometheus-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // JSON is YAML.
    std::fs::write(folder.join("rules.yaml"), spec.to_string()).unwrap();
    for case in &cases {
        let copied = folder.join(case.file_name().unwrap());
        std::fs::copy(case, &copied).unwrap();
        let output = Command::new(&promtool).args(["test", "rules"]).arg(&copied).output().await.unwrap();
        let said = [output.stdout, output.stderr]
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .concat();
        assert!(output.status.success(), "{}: {said}", case.display());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    println!("promtool: {} alerts in {} files of cases", each_rule(&spec).count(), cases.len());
}
