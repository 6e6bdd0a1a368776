//! The command line.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

pub mod crds;
pub mod run;

/// A Kubernetes operator that upgrades what Kubernetes does not run, each start at most once.
#[derive(Debug, Parser)]
#[command(name = "windlass", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<run::RunArgs>),
    /// Print the CustomResourceDefinitions of this version as YAML.
    Crds {
        /// Write one file per kind into this folder instead.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the version.
    Version,
}

/// Runs the command line.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => return run::main(*args),
        Command::Crds { dir: Some(dir) } => crds::write(&dir)?,
        Command::Crds { dir: None } => crds::print(&mut io::stdout().lock())?,
        Command::Version => print_version(&mut io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_version(out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "windlass {}", env!("CARGO_PKG_VERSION"))
}

/// Says what went wrong. A reader that has seen enough and closed the pipe, as `head` does, is nothing wrong.
fn fail(error: &anyhow::Error) -> ExitCode {
    let closed_pipe = error
        .chain()
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe));
    if closed_pipe {
        return ExitCode::SUCCESS;
    }
    let mut stderr = io::stderr().lock();
    let _ = io::Write::write_fmt(&mut stderr, format_args!("windlass: {error:#}\n"));
    ExitCode::FAILURE
}
