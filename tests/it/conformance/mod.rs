//! Conformance: the operator and the simulators speak through a proxy that holds every request and every answer against the vendor's
//! own specification.
//!
//! The proxy is prism, a program of npm: operator -> [`front`] (TLS) -> prism (plain HTTP, loopback) -> simulator (TLS). Prism lets all
//! pass and says in a header of each answer what is wrong with the request and with the answer; the front writes it down in a
//! [`book`]. At the end the book has no violation by either side, each operation that our clients use was really used, and each status
//! that the specification gives an operation was really answered. What the specification does not have and the simulators give all the
//! same is allowed one by one, with the reason, and shown.
//!
//! The specifications are the vendors', and not in this repository: `WINDLASS_SPECS` names the folder, `WINDLASS_PRISM` the program.
//! Without them the stories say that they are skipped. Prism sees presence of credentials, not their worth, and turns a connection
//! that is cut into an answer: what is lost, and when, is told by the other stories, without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests are in here")]

mod appliance;
mod appliance_breaks;
mod appliance_operator;
mod aruba;
mod book;
mod front;
mod prism;
mod script;
mod spec;
mod vcenter;
mod vcenter_breaks;
mod vcenter_operator;

use std::path::PathBuf;

use crate::proof::show;

/// Where the specifications are, and the proxy.
pub struct Setup {
    specs: PathBuf,
    prism: PathBuf,
}

/// What the environment names; None, said aloud, where it does not.
fn setup(what: &str) -> Option<Setup> {
    let named = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (named("WINDLASS_SPECS"), named("WINDLASS_PRISM")) {
        (Some(specs), Some(prism)) => Some(Setup { specs, prism }),
        (specs, _) => {
            let missing = if specs.is_none() { "WINDLASS_SPECS" } else { "WINDLASS_PRISM" };
            show(&format!(
                "conformance of {what}: skipped here, {missing} is not set; a step of .ci/run sets it"
            ));
            None
        }
    }
}
