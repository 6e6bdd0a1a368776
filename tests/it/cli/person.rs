//! Somebody at a terminal: a ServiceAccount with some roles of the chart, and a kubeconfig.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::ground::patiently;
use crate::plane::Plane;

/// Somebody.
pub struct Person {
    /// Who the API server takes them for.
    pub user: String,
    plane: &'static Plane,
    namespace: String,
    kubeconfig: PathBuf,
}

/// What the command came to.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The output of a command that ended with this code.
    pub fn with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.out
    }

    /// What a command that failed said, on one line that names the program.
    pub fn failed(self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        assert!(self.err.starts_with("windlass: ") && self.err.lines().count() == 1, "{}", self.err);
        self.err
    }
}

/// The right by which a role of the chart is known to be granted: verb and resource.
fn right(role: &str) -> (&'static str, &'static str) {
    match role {
        "windlass-view" => ("list", "connections.windlass.dev"),
        "windlass-edit" => ("patch", "clusterupgradebatches.windlass.dev"),
        "windlass-auditor" => ("list", "upgradereceipts.windlass.dev"),
        "windlass-resolver" => ("resolve", "upgradereceipts.windlass.dev"),
        other => panic!("{other}: what may it do?"),
    }
}

impl Person {
    /// Somebody with these roles: those about receipts in the whole cluster, the others in this namespace.
    pub async fn new(plane: &'static Plane, namespace: &str, name: &str, roles: &[&str]) -> anyhow::Result<Person> {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        plane.kubectl(&["create", "serviceaccount", name, "-n", namespace]).await?.ok()?;
        for role in roles {
            let wide = matches!(*role, "windlass-auditor" | "windlass-resolver");
            let kind = if wide { "ClusterRoleBinding" } else { "RoleBinding" };
            let mut metadata = json!({"name": format!("{namespace}-{name}-{role}")});
            if !wide {
                metadata["namespace"] = json!(namespace);
            }
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            });
            plane.kubectl_stdin(&["create", "-f", "-"], &binding.to_string()).await?.ok()?;
            let (verb, resource) = right(role);
            let asked = ["auth", "can-i", verb, resource, "-n", namespace, "--as", &user];
            patiently(async || Ok(plane.kubectl(&asked).await?.status.success().then_some(()))).await?;
        }
        let token = plane.kubectl(&["create", "token", name, "-n", namespace]).await?.ok()?;
        let kubeconfig = plane.scratch().join(format!("{namespace}-{name}.person"));
        plane.kubeconfig_for_token(token.trim(), &kubeconfig)?;
        Ok(Person {
            user,
            plane,
            namespace: namespace.to_owned(),
            kubeconfig,
        })
    }

    /// The administrator of the cluster.
    pub fn admin(plane: &'static Plane, namespace: &str) -> Person {
        Person {
            user: "admin".to_owned(),
            plane,
            namespace: namespace.to_owned(),
            kubeconfig: plane.kubeconfig_path().to_owned(),
        }
    }

    /// Types this in their namespace, with nothing on standard input.
    pub async fn types(&self, args: &[&str]) -> anyhow::Result<Said> {
        self.answers(args, "").await
    }

    /// Types this, and answers what is asked.
    pub async fn answers(&self, args: &[&str], input: &str) -> anyhow::Result<Said> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(args)
            .args(["-n", &self.namespace])
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", self.plane.scratch())
            .env("TZ", "Europe/Madrid")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("a pipe")?;
        // A verb that asks nothing closes the pipe early.
        let feed = async move { drop(stdin.write_all(input.as_bytes()).await) };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let said = Said {
            code: output.status.code().context("it was killed")?,
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert!(
            !said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'),
            "a pipe is no terminal: {said:?}"
        );
        Ok(said)
    }
}
