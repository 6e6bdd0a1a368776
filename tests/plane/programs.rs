//! Which programs make the plane: roles of the one pinned binary, or the files in `KUBEBUILDER_ASSETS`.
//!
//! Called by [`super::Plane`] at its start and whenever kubectl or helm runs. It finds programs and never runs them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::build::pinned_binary;
use super::supervisor::Dialect;
use super::terminal::Terminal;

/// The environment variable that envtest users know.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// Where etcd, kube-apiserver and the others come from.
#[derive(Clone, Debug)]
pub enum Programs {
    /// One binary with a role for each.
    Pinned(PathBuf),
    /// A folder with a file for each.
    Assets(PathBuf),
}

impl Programs {
    /// Honours `KUBEBUILDER_ASSETS`, or builds the pinned binary. May block for minutes.
    pub fn find() -> anyhow::Result<Self> {
        let Some(folder) = std::env::var_os(ASSETS).filter(|value| !value.is_empty()) else {
            return Ok(Self::Pinned(pinned_binary()?));
        };
        let folder = PathBuf::from(folder);
        for needed in ["etcd", "kube-apiserver"] {
            if !folder.join(needed).is_file() {
                bail!("{ASSETS} is {}, which has no {needed}", folder.display());
            }
        }
        if !folder.join("kube-controller-manager").is_file() {
            Terminal::open().say(&format!(
                "{ASSETS} has no kube-controller-manager: deleted namespaces will stay Terminating, and nothing is garbage collected"
            ));
        }
        Ok(Self::Assets(folder))
    }

    /// The program and the arguments that come first. An error if the assets lack it.
    pub fn command(&self, role: &str) -> anyhow::Result<(PathBuf, Vec<String>)> {
        match self {
            Self::Pinned(binary) => Ok((binary.clone(), vec![role.to_owned()])),
            Self::Assets(folder) => {
                let file = folder.join(role);
                let file = Some(file).filter(|file| file.is_file()).or_else(|| in_path(role));
                let file = file.with_context(|| format!("no {role} in {} ({ASSETS}) nor in PATH", folder.display()))?;
                Ok((file, Vec::new()))
            }
        }
    }

    /// Whether deletions are followed up.
    pub fn has_controller_manager(&self) -> bool {
        match self {
            Self::Pinned(_) => true,
            Self::Assets(folder) => folder.join("kube-controller-manager").is_file(),
        }
    }

    /// Assets must work where there is no Go, so they are supervised by a shell.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Pinned(binary) => Dialect::Binary(binary.clone()),
            Self::Assets(_) => Dialect::Shell,
        }
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder: PathBuf| folder.join(name))
        .find(|file: &PathBuf| Path::is_file(file))
}
