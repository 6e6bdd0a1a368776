//! The Helm chart: what it renders, what it refuses, and what comes of it on a real API server, with the real helm.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

mod access;
mod generated;
mod guides;
mod life;
mod monitoring;
mod package;
mod policies;
mod render;
pub mod reviews;
mod schema;
pub mod site;
mod strict;
mod surface;
mod team;
mod upgrade;

use std::process::Stdio;

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::plane::Output;
use crate::plane::Programs;

/// The repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/windlass");

/// Where everybody installs it.
pub const NAMESPACE: &str = "windlass-system";

/// Runs helm without any cluster, and without anything of the user's.
pub async fn helm(args: &[&str]) -> Output {
    without_cluster("helm", args, "").await
}

/// Runs a tool of the plane without any cluster, with this on stdin.
pub async fn without_cluster(role: &str, args: &[&str], input: &str) -> Output {
    static PROGRAMS: OnceCell<Programs> = OnceCell::const_new();
    let find = || async { tokio::task::spawn_blocking(Programs::find).await.unwrap().unwrap() };
    let (program, first) = PROGRAMS.get_or_init(find).await.command(role).unwrap();
    let mut child = Command::new(program)
        .args(first)
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/helm"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read its input closes the pipe early; what it says then is in the output.
    let feed = async move { drop(stdin.write_all(input.as_bytes()).await) };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output {
        status: output.status,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// These values as arguments of helm.
pub fn values(set: &Value) -> Vec<String> {
    let each = set.as_object().unwrap().iter();
    each.flat_map(|(name, value)| ["--set-json".to_owned(), format!("{name}={value}")])
        .collect()
}

/// What helm says to these values, as release `release` in `windlass-system`.
pub async fn template(release: &str, set: &Value) -> Output {
    let set = values(set);
    let mut args = vec!["template", release, CHART, "--namespace", NAMESPACE];
    args.extend(set.iter().map(String::as_str));
    helm(&args).await
}

/// The text that is rendered of these values.
pub async fn text(set: &Value) -> String {
    template("windlass", set).await.ok().unwrap()
}

/// The manifests that are rendered of these values.
pub async fn rendered(set: &Value) -> Manifests {
    Manifests::read(&text(set).await)
}

/// Manifests, in their order.
#[derive(Clone, Debug)]
pub struct Manifests(pub Vec<Value>);

impl Manifests {
    /// Reads a stream of YAML documents.
    pub fn read(text: &str) -> Manifests {
        let documents = documents(text).into_iter();
        Manifests(
            documents
                .map(|d| serde_saphyr::from_str::<Value>(&d).unwrap_or_else(|e| panic!("{e}\n{d}")))
                .collect(),
        )
    }

    /// Those of a kind.
    pub fn of<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = kind.to_owned();
        self.0.iter().filter(move |m| m["kind"] == kind.as_str())
    }

    /// The names of a kind's, in order.
    pub fn names(&self, kind: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self.of(kind).map(|m| m["metadata"]["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// The only one of a kind.
    pub fn only(&self, kind: &str) -> &Value {
        let all: Vec<&Value> = self.of(kind).collect();
        assert_eq!(all.len(), 1, "{kind}: {:?}", self.names(kind));
        all[0]
    }

    /// One by its name.
    pub fn named(&self, kind: &str, name: &str) -> &Value {
        let found = self.of(kind).find(|m| m["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("{kind}: {:?}", self.names(kind)))
    }

    /// The arguments of the operator.
    pub fn args(&self) -> Vec<&str> {
        let args = &self.only("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
        args.as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect()
    }

    /// Without those that this is true of.
    pub fn without(mut self, so: impl Fn(&Value) -> bool) -> Manifests {
        self.0.retain(|m| !so(m));
        self
    }

    /// As one object that kubectl takes.
    pub fn list(&self) -> String {
        json!({"apiVersion": "v1", "kind": "List", "items": self.0}).to_string()
    }

    /// Each by apiVersion, kind, namespace and name, in order of those.
    pub fn sorted(mut self) -> Vec<Value> {
        self.0.sort_by_key(|m| {
            let field = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            [&m["apiVersion"], &m["kind"], &m["metadata"]["namespace"], &m["metadata"]["name"]].map(field)
        });
        self.0
    }
}

/// The documents of a stream of YAML, without those that hold nothing.
pub fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line == "---" {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    all.retain(|document| document.lines().any(says));
    all
}
