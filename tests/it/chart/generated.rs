//! What is made of something else and kept in the repository all the same: for people who read, and for tools that only read files.
//!
//! With `WINDLASS_WRITE` set the test writes what it would compare.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use super::ROOT;
use super::documents;
use super::monitoring;
use super::surface;
use super::text;
use crate::gitops;

const BEGIN: &str = "<!-- values: made from values.yaml -->\n";
const END: &str = "<!-- end of values -->";

const VERDICTS: &str = "<!-- verdicts: made by the tools themselves -->\n";
const END_OF_VERDICTS: &str = "<!-- end of verdicts -->";

const METRICS: &str = "<!-- metrics: made from what the operator tells -->\n";
const END_OF_METRICS: &str = "<!-- end of metrics -->";

/// Folders that hold nothing else, but for these.
const WHOLLY: [(&str, &[&str]); 2] = [
    ("charts/windlass/files/crds", &[]),
    ("deploy/base", &["kustomization.yaml", "namespace.yaml"]),
];

async fn wanted() -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut put = |path: String, text: String| all.insert(Path::new(ROOT).join(path), text);
    for (path, yaml) in crds() {
        put(path, yaml);
    }
    let mut table = |path: &str, (begin, end): (&str, &str), table: &str| {
        let page = std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
        let (before, rest) = page.split_once(begin).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        put(path.to_owned(), format!("{before}{begin}\n{table}\n{end}{after}"));
    };
    table("charts/windlass/README.md", (BEGIN, END), &surface::table());
    let verdicts = gitops::verdicts::table().await + "\n";
    table("docs/gitops.md", (VERDICTS, END_OF_VERDICTS), &verdicts);
    table("docs/metrics.md", (METRICS, END_OF_METRICS), &monitoring::table());
    for (name, yaml) in base().await {
        put(format!("deploy/base/{name}"), yaml);
    }
    for (name, yaml) in gitops::argocd::config_maps() {
        put(format!("deploy/argocd/{name}"), yaml);
    }
    all
}

/// The chart's copy of the CRDs: a chart is packed without the folders beside it.
fn crds() -> Vec<(String, String)> {
    let files = windlass::cli::crds::files().unwrap().into_iter();
    files
        .map(|(name, yaml)| (format!("charts/windlass/files/crds/{name}"), yaml))
        .collect()
}

/// The chart as it is rendered without any value, a file for each of its templates.
async fn base() -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for document in documents(&text(&json!({})).await) {
        let (source, manifest) = document.split_once('\n').unwrap();
        let (_, name) = source.rsplit_once('/').unwrap();
        files.entry(name.to_owned()).or_default().push(manifest.trim().to_owned());
    }
    let whole = |parts: Vec<String>| format!("# Rendered from charts/windlass; do not edit.\n{}\n", parts.join("\n---\n"));
    files.into_iter().map(|(name, parts)| (name, whole(parts))).collect()
}

#[tokio::test]
async fn what_is_made_from_something_else_is_fresh() {
    let write = std::env::var_os("WINDLASS_WRITE").is_some();
    if write {
        // The others are made from these too.
        for (path, yaml) in crds() {
            std::fs::write(format!("{ROOT}/{path}"), yaml).unwrap();
        }
    }
    let wanted = wanted().await;
    let mut stale = Vec::new();
    for (path, text) in &wanted {
        if std::fs::read_to_string(path).unwrap_or_default() == *text {
            continue;
        }
        if write {
            std::fs::write(path, text).unwrap();
        } else {
            stale.push(path.display().to_string());
        }
    }
    for (folder, but) in WHOLLY {
        for entry in std::fs::read_dir(format!("{ROOT}/{folder}")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !wanted.contains_key(&path) && !but.contains(&name) {
                stale.push(format!("{} is made from nothing: remove it", path.display()));
            }
        }
    }
    assert!(
        stale.is_empty(),
        "{}\nrun: WINDLASS_WRITE=1 cargo test --test it chart::generated",
        stale.join("\n")
    );
}
