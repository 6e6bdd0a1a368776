//! What GitOps tools read: the kustomize base and its overlay, the Applications and settings of Argo CD, the Kustomizations of Flux.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests are in here")]

mod actions;
pub mod argocd;
mod asks;
mod base;
mod flux;
pub mod verdicts;
mod waits;
