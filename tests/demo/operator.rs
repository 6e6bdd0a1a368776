//! The operator's binary, and how it is run: as in the cluster, but with durations that do not make people wait.
//!
//! Called by [`stage`](super::stage).

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;
use tokio::process::Command;

/// Shortened durations of the protocol, in milliseconds. The order between them is as in production, which the operator checks.
pub fn timing() -> Value {
    json!({
        "ttl": 3000, "connectTimeout": 1000, "startTimeoutVcenter": 1500, "startTimeoutAppliance": 1500, "startTimeoutHmc": 1500, "startTimeoutCentral": 1500, "appliancePause": 200, "offers": 1000,
        "horizonSlack": 500, "grace": 6000,
        "wake": 5000, "pollMoving": 250, "pollHmc": 250, "pollCalmAfter": 60_000, "pollCalm": 1000, "pollWaiting": 1000,
        "retryFirst": 1000, "retryMax": 3_600_000, "sweep": 1500, "probe": 2000,
        "lead": 4000, "pollCentral": 250, "pollCentralWaiting": 1000, "probeCentral": 2000,
        "leaseDuration": 3000, "leaseRenewDeadline": 2000, "leaseRetry": 500, "clockSkew": 30_000,
    })
}

/// Builds the operator and returns where it lies. Cargo says on stderr what it does.
///
/// Built together with this example, since cargo then gives both the same features: by itself the operator would compile everything
/// below it once more, without those that only tests use. Always a debug build: others do not let durations be shortened.
pub async fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(&cargo)
        .args(["build", "--bin", "windlass", "--example", "demo"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", cargo.display()))?
        .wait_with_output()
        .await?;
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
