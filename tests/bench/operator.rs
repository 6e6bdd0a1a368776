//! The operator's binary, built as it ships: by itself, so that it has no feature that only tests ask for.
//!
//! A debug build of the bench runs a debug build of the operator, which is built together with the bench, since cargo then compiles what is below both
//! only once: its counts are the same, and its times are not looked at.

use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;

use crate::stage::ROOT;

/// Builds it and returns where it lies. Cargo says on stderr what it does.
pub fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let what: &[&str] = if cfg!(debug_assertions) {
        &["build", "--bin", "windlass", "--example", "bench"]
    } else {
        &["build", "--release", "--bin", "windlass"]
    };
    let built = Command::new(&cargo)
        .args(what)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", cargo.display()))?;
    anyhow::ensure!(
        built.status.success(),
        "the operator could not be built: cargo said {}",
        built.status
    );
    let messages = String::from_utf8(built.stdout)?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_operator = |m: &Value| m["target"]["name"] == "windlass" && m["target"]["kind"][0] == "bin";
    let path = messages
        .filter(is_operator)
        .find_map(|m| m["executable"].as_str().map(PathBuf::from));
    path.context("cargo built the operator, but did not say where it is")
}
