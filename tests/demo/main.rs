//! Shows on one machine what Windlass promises: three clusters, an appliance, a console and two customers' switches upgraded through a real control
//! plane, over three kills of the operator and a deleted namespace, and each upgrade started once.
//!
//! ```text
//! cargo run --example demo             # stays up afterwards, for looking around
//! cargo run --example demo -- --once
//! ```
//!
//! The API server, etcd, the operator's binary and its rights are the real ones; only the vendors are simulated. Everything is on
//! 127.0.0.1 and in one temporary folder, and nothing stays behind. It is never part of the product.
#![allow(
    clippy::disallowed_methods,
    reason = "reads clocks, waits and spawns to show the product, which may not"
)]

#[path = "../plane/mod.rs"]
mod plane;
#[path = "../sim/mod.rs"]
mod sim;

mod appliance;
mod central;
mod console;
mod hints;
mod manifests;
mod operator;
mod screen;
mod seen;
mod stage;
mod story;
mod tables;
mod verdict;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use screen::Screen;
use stage::Stage;

/// Upgrades three simulated clusters, an appliance, a console and the switches of two customers through a real control plane, kills the operator on the
/// way, and counts the starts.
#[derive(Parser)]
#[command(name = "demo")]
struct Args {
    /// Ends after the story instead of staying up
    #[arg(long)]
    once: bool,
    /// How many times faster than real time the simulated vendors run, 1 to 600. Their upgrades take 10 to 30 simulated minutes
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=600))]
    speed: u16,
    /// Keeps the operator's logs in this folder
    #[arg(long, value_name = "FOLDER")]
    keep_logs: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(until_told(args));
    // A build of the control plane that was interrupted must not be waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

/// Whoever ends this ends all that it started: dropping the stage takes everything down.
async fn until_told(args: Args) -> anyhow::Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let screen = Arc::new(Screen::new());
    let once = args.once;
    let stage = tokio::select! {
        done = run(args, Arc::clone(&screen)) => done,
        _ = interrupt.recv() => Err(ExitCode::from(130)),
        _ = terminate.recv() => Err(ExitCode::from(143)),
        () = screen.closed() => Err(ExitCode::FAILURE),
    };
    match stage {
        Ok(stage) if !once => {
            stay(&stage);
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = screen.closed() => {}
            }
            screen.freeze();
            Ok(ExitCode::SUCCESS)
        }
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(code) => Ok(code),
    }
}

/// The story from its beginning to its end; the stage still stands afterwards.
async fn run(args: Args, screen: Arc<Screen>) -> Result<Stage, ExitCode> {
    screen.line("Windlass demo: a real control plane, the real operator, four simulated vendors. Nothing stays behind.\n");
    let mut stage = match Stage::set(screen, f64::from(args.speed), args.keep_logs).await {
        Ok(stage) => stage,
        Err(error) => return Err(failed(&format!("the demo could not begin: {error:#}"))),
    };
    if let Err(error) = tell(&mut stage).await {
        stage.screen.freeze();
        return Err(failed(&format!("{}\n\nthe demo failed: {error:#}", stage.report())));
    }
    let missed = verdict::give(&stage);
    if missed.is_empty() {
        return Ok(stage);
    }
    Err(failed(&format!("{}\n\nthe demo failed: {}", stage.report(), missed.join("; "))))
}

async fn tell(stage: &mut Stage) -> anyhow::Result<()> {
    story::tell(stage).await?;
    appliance::tell(stage).await?;
    console::tell(stage).await?;
    central::tell(stage).await
}

/// From here on it is the people's stage; the table goes on below the hints.
fn stay(stage: &Stage) {
    match hints::hints(stage) {
        Ok(hints) => stage.screen.line(&hints),
        Err(error) => complain(&format!("{error:#}")),
    }
    stage.screen.thaw();
}

fn failed(text: &str) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}

fn complain(text: &str) {
    // If nobody reads this either, there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
