//! Runs a simulated vCenter on this machine, to try things by hand.
//!
//! ```text
//! cargo run --example sim -- --clusters 3 --speed 60 --ca-out sim-ca.pem
//! ```
//!
//! prints its URLs and calls to begin with. An upgrade takes ten simulated minutes, at `--speed 60` so ten real seconds. Then, for
//! example, lose the answer to the next start after it was taken, start, and see that it was counted all the same:
//!
//! ```text
//! curl -X POST $CONTROL/rules -d '{"match":{"method":"POST","query":"upgradeMultiple"},"action":{"do":"drop","when":"after"},"remaining":1}'
//! curl $CONTROL/starts
//! ```
//!
//! It knows no Kubernetes and is never part of the product.
#![allow(
    clippy::disallowed_methods,
    reason = "a simulator has a clock of its own, and sets it by the real one"
)]

#[path = "mod.rs"]
mod sim;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use sim::vcenter::{CLUSTERS, PASSWORD, SESSION_HEADER, USER, User, VERSION_NEW};
use sim::{Clock, Config, Running, VCenter};

/// A simulated vCenter with Supervisor clusters.
#[derive(Parser)]
#[command(name = "sim")]
struct Args {
    /// Port of the vendor's API on 127.0.0.1 (0 takes a free one)
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Port of the control API on 127.0.0.1 (0 takes a free one)
    #[arg(long, default_value_t = 8444)]
    control_port: u16,
    /// How many times faster than real time the simulated clock runs (0 stands still)
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// How many clusters: domain-c1, domain-c2 and so on
    #[arg(long, default_value_t = 1)]
    clusters: usize,
    /// Who may log in, with Namespaces.Manage
    #[arg(long, default_value = USER)]
    user: String,
    /// That user's password
    #[arg(long, default_value = PASSWORD)]
    password: String,
    /// Writes the certificate of the authority there
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut config = Config::with_clusters(args.clusters).clock(Clock::new(jiff::Timestamp::now(), args.speed));
    config.users = vec![User::manager(&args.user, &args.password)];
    let vcenter = VCenter::start_on(config, args.port, args.control_port).await?;
    if let Some(path) = &args.ca_out {
        std::fs::write(path, vcenter.ca_pem()).with_context(|| path.display().to_string())?;
    }
    // A closed pipe is no reason to end: the simulator is there to be called, not to be read.
    let _ = std::io::stdout().write_all(hints(&vcenter, &args).as_bytes());
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn hints(vcenter: &Running<VCenter>, args: &Args) -> String {
    let (url, control) = (vcenter.url(), vcenter.control_url());
    let ca = args
        .ca_out
        .as_ref()
        .map_or_else(|| vcenter.ca_pem().to_owned(), |path| format!("{}\n", path.display()));
    let trust = args
        .ca_out
        .as_ref()
        .map_or_else(|| "-k".to_owned(), |path| format!("--cacert {}", path.display()));
    let (user, password) = (&args.user, &args.password);
    format!(
        r#"vCenter  {url}
control  {control}
CA       {ca}
Log in, look, start:
  TOKEN=$(curl -s {trust} -u '{user}:{password}' -X POST {url}/api/session | tr -d '"')
  curl -s {trust} -H "{SESSION_HEADER}: $TOKEN" {url}{CLUSTERS}
  curl -s {trust} -H "{SESSION_HEADER}: $TOKEN" -H 'Content-Type: application/json' -X POST \
    '{url}{CLUSTERS}?action=upgradeMultiple' -d '{{"domain-c1":{{"desired_version":"{VERSION_NEW}"}}}}'

Steer it:
  curl -s {control}/state
  curl -s {control}/starts
  curl -s -X POST {control}/clock -d '{{"advance":300}}'
  curl -s -X POST {control}/clusters/domain-c1 -d '{{"prechecks":[{{"severity":"WARNING","text":"disk"}}]}}'
  curl -s -X POST {control}/settings -d '{{"second_call":"started_restarts"}}'
  curl -s -X POST {control}/rules -d '{{"match":{{"method":"POST","query":"upgradeMultiple"}},"action":{{"do":"drop","when":"after"}},"remaining":1}}'

Ctrl-C ends it.
"#
    )
}
