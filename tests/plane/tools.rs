//! kubectl, helm and Flux against the plane, as people use them.
//!
//! They see a HOME inside the scratch folder and no variable of ours, so nothing on the machine is read or changed.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Plane;

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// What it wrote to stdout, or an error with its stderr if it failed.
    pub fn ok(self) -> anyhow::Result<String> {
        if !self.status.success() {
            bail!("{}: {}{}", self.status, self.stdout, self.stderr);
        }
        Ok(self.stdout)
    }
}

impl Plane {
    /// Runs kubectl as administrator. That it failed is an answer, not an error: see [`Output::ok`].
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool("kubectl", args, "").await
    }

    /// The same with something on stdin, for `-f -`.
    pub async fn kubectl_stdin(&self, args: &[&str], input: &str) -> anyhow::Result<Output> {
        self.tool("kubectl", args, input).await
    }

    /// Runs helm as administrator.
    pub async fn helm(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.tool("helm", args, "").await
    }

    /// Lets a GitOps tool's own code act on the plane: see the role `gitops` of `tests/testplane`.
    pub async fn gitops(&self, verb: &str, input: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        let said = self.tool("gitops", &[verb], &input.to_string()).await?.ok()?;
        Ok(serde_json::from_str(&said)?)
    }

    async fn tool(&self, role: &str, args: &[&str], input: &str) -> anyhow::Result<Output> {
        let (program, first) = self.programs.command(role)?;
        let mut child = Command::new(program)
            .args(first)
            .args(args)
            .env_clear()
            .envs(self.environment())
            .env("KUBECONFIG", self.kubeconfig_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {role}"))?;
        let mut stdin = child.stdin.take();
        let feed = async {
            if let Some(mut pipe) = stdin.take() {
                // Who does not read its input closes the pipe early; what it says then is in the output.
                let _ = pipe.write_all(input.as_bytes()).await;
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Output {
            status: output.status,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }
}
