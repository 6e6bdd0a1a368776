//! Runs a simulated vendor on this machine, to try things by hand.
//!
//! ```text
//! cargo run --example sim -- --clusters 3 --speed 60 --ca-out sim-ca.pem
//! cargo run --example sim -- --vendor appliance --speed 10
//! cargo run --example sim -- --vendor hmc --speed 10
//! cargo run --example sim -- --vendor aruba --customers 300 --devices 20 --speed 10
//! ```
//!
//! prints its URLs and calls to begin with. An upgrade of a vCenter's cluster takes ten simulated minutes, at `--speed 60` so ten real
//! seconds; an install on the appliance takes eight, two of them with its port closed, and one on the console eleven, four of them so. A customer's devices at Central take
//! nine and more, one after the other. Then, for example, lose the answer to the next start after it was taken, start, and see that it was
//! counted all the same:
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

mod hints;
#[path = "mod.rs"]
mod sim;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use sim::appliance::{self, Appliance};
use sim::aruba::{self, Central};
use sim::hmc::{self, Hmc};
use sim::vcenter::{self, VCenter};
use sim::vendor::Vendor;
use sim::{Clock, Running};

/// A simulated vendor.
#[derive(Parser)]
#[command(name = "sim")]
struct Args {
    /// Which vendor
    #[arg(long, value_enum, default_value_t = Which::Vcenter)]
    vendor: Which,
    /// Port of the vendor's API on 127.0.0.1 (0 takes a free one)
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Port of the control API on 127.0.0.1 (0 takes a free one)
    #[arg(long, default_value_t = 8444)]
    control_port: u16,
    /// How many times faster than real time the simulated clock runs (0 stands still)
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// vCenter: how many clusters: domain-c1, domain-c2 and so on
    #[arg(long, default_value_t = 1)]
    clusters: usize,
    /// Appliance: how many tasks of others have long ended
    #[arg(long, default_value_t = 0)]
    old_tasks: u32,
    /// Central: how many customers: 4d1c0000, 4d1c0001 and so on
    #[arg(long, default_value_t = 2)]
    customers: u16,
    /// Central: how many devices of each type a customer has
    #[arg(long, default_value_t = 4)]
    devices: u32,
    /// Who may log in and do everything (by default one that is printed)
    #[arg(long)]
    user: Option<String>,
    /// That user's password (by default one that is printed)
    #[arg(long)]
    password: Option<String>,
    /// Writes the certificate of the authority there
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// vCenter with Supervisor clusters
    Vcenter,
    /// A VMware recovery appliance
    Appliance,
    /// A Hardware Management Console of IBM Z
    Hmc,
    /// Aruba Central, with many customers
    Aruba,
}

impl Args {
    /// Who may log in, if nobody says otherwise.
    fn credentials(&self, user: &str, password: &str) -> (String, String) {
        let or = |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
        (or(&self.user, user), or(&self.password, password))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let clock = Clock::new(jiff::Timestamp::now(), args.speed);
    match args.vendor {
        Which::Vcenter => {
            let (user, password) = args.credentials(vcenter::USER, vcenter::PASSWORD);
            let mut config = vcenter::Config::with_clusters(args.clusters).clock(clock);
            config.users = vec![vcenter::User::manager(&user, &password)];
            let vcenter = VCenter::start_on(config, args.port, args.control_port).await?;
            run(
                &vcenter,
                &args,
                &hints::vcenter(&hints::Place::new(&vcenter, args.ca_out.as_deref(), user, password)),
            )
            .await
        }
        Which::Appliance => {
            let (user, password) = args.credentials(appliance::USER, appliance::PASSWORD);
            let mut config = appliance::Config::default().with_old_tasks(args.old_tasks).clock(clock);
            config.users = vec![appliance::User::manager(&user, &password)];
            let appliance = Appliance::start_on(config, args.port, args.control_port).await?;
            run(
                &appliance,
                &args,
                &hints::appliance(&hints::Place::new(&appliance, args.ca_out.as_deref(), user, password)),
            )
            .await
        }
        Which::Hmc => {
            let (user, password) = args.credentials(hmc::USER, hmc::PASSWORD);
            let mut config = hmc::Config::default().clock(clock);
            config.users = vec![hmc::User::manager(&user, &password)];
            let hmc = Hmc::start_on(config, args.port, args.control_port).await?;
            run(
                &hmc,
                &args,
                &hints::hmc(&hints::Place::new(&hmc, args.ca_out.as_deref(), user, password)),
            )
            .await
        }
        Which::Aruba => {
            let (user, password) = args.credentials(aruba::USER, aruba::PASSWORD);
            let estate = aruba::Estate::msp(args.customers, args.devices);
            let mut config = aruba::Config::default().clock(clock).estate(|e| *e = estate);
            config.accounts = vec![aruba::Account::msp(aruba::CLIENT_ID, aruba::CLIENT_SECRET, &user, &password)];
            let central = Central::start_on(config, args.port, args.control_port).await?;
            run(
                &central,
                &args,
                &hints::aruba(&hints::Place::new(&central, args.ca_out.as_deref(), user, password)),
            )
            .await
        }
    }
}

/// Serves until Ctrl-C.
async fn run<V: Vendor>(vendor: &Running<V>, args: &Args, hints: &str) -> anyhow::Result<()> {
    if let Some(path) = &args.ca_out {
        std::fs::write(path, vendor.ca_pem()).with_context(|| path.display().to_string())?;
    }
    // A closed pipe is no reason to end: the simulator is there to be called, not to be read.
    let _ = std::io::stdout().write_all(hints.as_bytes());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
