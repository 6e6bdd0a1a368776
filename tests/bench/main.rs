//! Measures the operator: how fast it starts upgrades, what it asks of the API server and of vendors, and what it takes of a machine.
//!
//! ```text
//! cargo run --release --example bench              # the table, in under ten minutes once everything is built
//! cargo run --release --example bench -- --docs    # writes docs/performance.md and docs/performance.json as well
//! cargo run --example bench -- --small             # counts only, for .ci/run: fails where one has grown
//! ```
//!
//! The API server, etcd, the operator's binary, its durations and its rights are the real ones; only the vendors are simulated, in this process. What is
//! measured needs a machine that does nothing else meanwhile. It is never part of the product.
#![allow(
    clippy::disallowed_methods,
    reason = "reads clocks, waits and spawns to measure the product, which may not"
)]

#[path = "../it/leaps.rs"]
mod leaps;
#[path = "../plane/mod.rs"]
mod plane;
#[path = "../sim/mod.rs"]
mod sim;

mod audit;
mod burst;
mod central;
mod docs;
mod figures;
mod fleet;
mod operator;
mod proof;
mod pure;
mod single;
mod size;
mod stage;
mod vcenters;
mod waiting;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use clap::ValueEnum;
use serde_json::Value;
use serde_json::json;

use figures::Report;

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// From the creation of one upgrade to the vendor's POST, and all that is written until its end.
    Single,
    /// Many upgrades on many connections at once.
    Burst,
    /// What batches that wait cost their vCenter.
    Waiting,
    /// Memory, start-up and idleness with thousands of finished upgrades.
    Fleet,
    /// Many customers at one Aruba Central.
    Central,
    /// One decision.
    Decide,
    /// The binary and the image.
    Size,
}

/// Measures the operator against goals; a count that has grown past its goal is a failure, a time is not.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Args {
    /// Counts only, few of everything: seconds to two minutes, on a debug build too
    #[arg(long)]
    small: bool,
    /// Only these groups; may be given several times
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
    /// Upgrades one after another
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    sequential: usize,
    /// Upgrades that are created at once
    #[arg(long, default_value_t = 1000, value_name = "NUMBER")]
    burst: usize,
    /// Connections that those are spread over
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    connections: usize,
    /// Batches that wait on one vCenter; each number is a run of an hour
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100], value_name = "NUMBERS")]
    waiting: Vec<usize>,
    /// Finished upgrades that there are while memory, start-up and idleness are measured
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1000, 10_000], value_name = "NUMBERS")]
    fleet: Vec<usize>,
    /// Customers at one Aruba Central; a thousand take a quarter of an hour
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    customers: u16,
    /// Writes the figures as JSON into this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes docs/performance.md and docs/performance.json
    #[arg(long)]
    docs: bool,
    /// The operator's binary; without it, one is built as it ships
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
}

impl Args {
    fn wants(&self, group: Group) -> bool {
        // How long a decision takes, and how large what ships is, a debug build cannot tell.
        let of_build = !cfg!(debug_assertions) || !matches!(group, Group::Decide);
        let of_size = of_build && (!self.small || matches!(group, Group::Single | Group::Waiting));
        if self.only.is_empty() {
            of_size
        } else {
            self.only.contains(&group)
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let mut args = Args::parse();
    if args.small {
        args.sequential = args.sequential.min(10);
        args.waiting = vec![1, 10];
    }
    let began = Instant::now();
    let binary = match &args.operator {
        Some(binary) => binary.clone(),
        None => operator::build()?,
    };
    let mut report = Report::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if args.wants(Group::Single) {
        say("one upgrade after another");
        report.extend(runtime.block_on(single::measure(&binary, args.sequential))?);
    }
    if args.wants(Group::Burst) {
        say("many upgrades at once");
        report.extend(runtime.block_on(burst::measure(&binary, args.burst, args.connections))?);
    }
    if args.wants(Group::Waiting) {
        say("batches that wait");
        report.extend(waiting::measure(&args.waiting)?);
    }
    if args.wants(Group::Fleet) {
        say("thousands that are done");
        report.extend(runtime.block_on(fleet::measure(&binary, &args.fleet))?);
    }
    if args.wants(Group::Central) {
        say("customers at Aruba Central");
        report.extend(runtime.block_on(central::measure(&binary, args.customers))?);
    }
    if args.wants(Group::Decide) {
        say("one decision");
        report.extend(pure::measure());
    }
    if args.wants(Group::Size) {
        say("sizes");
        report.extend(size::measure(&binary)?);
    }
    let run = run(&args, began);
    tell(&args, &report, &run)
}

/// What was run, and where.
fn run(args: &Args, began: Instant) -> Value {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    json!({
        "version": env!("CARGO_PKG_VERSION"), "build": build, "small": args.small, "machine": docs::machine(),
        "seconds": began.elapsed().as_secs(),
        "sizes": {
            "sequential": args.sequential, "burst": args.burst, "connections": args.connections, "waiting": args.waiting,
            "fleet": args.fleet, "customers": args.customers,
        },
    })
}

fn tell(args: &Args, report: &Report, run: &Value) -> anyhow::Result<ExitCode> {
    let json = report.json(run);
    write(&format!("{}\n{}", report.table(), report.methods()));
    if let Some(file) = &args.json {
        std::fs::write(file, format!("{json:#}\n")).with_context(|| file.display().to_string())?;
    }
    if args.docs {
        docs::write(report, run, &json)?;
    }
    let regressions = report.regressions();
    if regressions.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    write(&format!("counts that missed their goal:\n  {}", regressions.join("\n  ")));
    Ok(ExitCode::FAILURE)
}

/// What is being measured, for whoever waits.
fn say(what: &str) {
    // If nobody reads this, the figures are still measured.
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}

fn write(text: &str) {
    // A reader that went away is no panic; the JSON is written all the same.
    let _ = writeln!(std::io::stdout(), "{text}");
}
