//! The command line: the operator, and what people ask at 03:10 on a Saturday.
//!
//! A verb for people is split in three: what it reads of the [cluster](cluster), a plain view of that, and a pure renderer, which is what golden tests are
//! about. No verb talks to a vendor, or holds a secret: all that is known comes from the API server, with the rights of whoever types. The
//! same binary is the plugin `kubectl-windlass`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::Parser;
use clap::Subcommand;

pub mod cluster;
pub mod crds;
pub mod doctor;
mod formats;
pub mod hold;
pub mod kinds;
pub mod page;
pub mod plan;
pub mod receipts;
pub mod record;
pub mod reference;
pub mod resolve;
pub mod run;
pub mod seen;
pub mod status;
#[cfg(test)]
mod testing;
mod vendors;
pub mod why;
pub mod windows;

use self::cluster::Access;
use self::cluster::Cluster;
use self::page::Page;

/// A Kubernetes operator that upgrades what Kubernetes does not run, each start at most once; and the questions that people have about it.
#[derive(Debug, Parser)]
#[command(name = "windlass", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all upgrades with their targets and how far each is.
    Status(status::StatusArgs),
    /// Explain one upgrade: what it waits for, who is before it, and what was and was not sent to the vendor.
    Why(why::WhyArgs),
    /// Show the record of every start: the ledger of a target, or all receipts of a namespace.
    Receipts(receipts::ReceiptsArgs),
    /// Say what became of a start that Windlass cannot find out about; shows what is known first.
    Resolve(resolve::ResolveArgs),
    /// Start nothing more of an upgrade, or through a Connection; what runs is followed.
    Hold(hold::HoldArgs),
    /// Take a hold away.
    Release(hold::ReleaseArgs),
    /// Look whether the ground is sound: CRDs, leader, rights, Connections, receipts; with the fix as a command.
    Doctor(doctor::DoctorArgs),
    /// Tell when an upgrade may start next, by its own schedule and that of its Connection.
    Windows(windows::WindowsArgs),
    /// Tell what would happen with these manifests against the present cluster. Writes nothing.
    Plan(plan::PlanArgs),
    /// Run the operator.
    Run(Box<run::RunArgs>),
    /// Print the CustomResourceDefinitions of this version as YAML.
    Crds {
        /// Write one file per kind into this folder instead.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Write the reference of the API, made from them, into this file instead.
        #[arg(long, value_name = "FILE", conflicts_with = "dir")]
        reference: Option<PathBuf>,
    },
    /// Print a script that completes this command line in a shell.
    #[command(
        after_help = "For example: source <(windlass completion bash). For the plugin, kubectl looks for an executable kubectl_complete-windlass \
                            on the PATH.\nExit codes: 0."
    )]
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let me = called_as(std::env::args_os().next().unwrap_or_default().as_ref());
    let matches = match command(me).try_get_matches() {
        Ok(matches) => matches,
        Err(told) => return usage(&told),
    };
    let ran = Cli::from_arg_matches(&matches)
        .map_err(anyhow::Error::from)
        .and_then(|cli| run(cli.command, me));
    match ran {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// The command as it calls itself in its help.
fn command(me: &'static str) -> clap::Command {
    Cli::command().bin_name(me)
}

/// Help that was asked for, or what is wrong with what was typed. That is an error like any other: the codes above 1 are answers of verbs.
fn usage(told: &clap::Error) -> ExitCode {
    let shown = told.print().is_ok();
    if shown && !told.use_stderr() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What people type: kubectl runs the plugin by its own name for it.
fn called_as(program: &std::path::Path) -> &'static str {
    let name = program.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("kubectl-") || name.starts_with("kubectl_") {
        "kubectl windlass"
    } else {
        "windlass"
    }
}

fn run(command: Command, me: &'static str) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => return run::main(*args),
        Command::Status(args) => return asked(me, &args.access.clone(), async |c, p| status::main(&args, c, p).await),
        Command::Why(args) => return asked(me, &args.access.clone(), async |c, p| why::main(&args, c, p).await),
        Command::Receipts(args) => return asked(me, &args.access.clone(), async |c, p| receipts::main(&args, c, p).await),
        Command::Resolve(args) => return asked(me, &args.access.clone(), async |c, p| resolve::main(&args, c, p).await),
        Command::Hold(args) => return asked(me, &args.access.clone(), async |c, p| hold::hold(&args, c, p).await),
        Command::Release(args) => return asked(me, &args.access.clone(), async |c, p| hold::release(&args, c, p).await),
        Command::Windows(args) => return asked(me, &args.access.clone(), async |c, p| windows::main(&args, c, p).await),
        Command::Plan(args) => return asked(me, &args.access.clone(), async |c, p| plan::main(&args, c, p).await),
        Command::Doctor(args) => return asked(me, &args.access.clone(), async |c, p| doctor::main(&args, c, p).await),
        Command::Completion { shell } => complete(shell, &mut io::stdout().lock())?,
        Command::Crds { dir: Some(dir), .. } => crds::write(&dir)?,
        Command::Crds { reference: Some(file), .. } => std::fs::write(file, reference::page(&crate::api::all_crds()))?,
        Command::Crds { .. } => crds::print(&mut io::stdout().lock())?,
        Command::Version => print_version(&mut io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a verb ask the cluster that somebody means.
fn asked(
    me: &'static str,
    access: &Access,
    verb: impl AsyncFnOnce(&Cluster, &Page) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    run::tls_provider()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let cluster = Cluster::of(access, run::clock(), me).await?;
        let page = Page::of_stdout(me, cluster.clock.wall());
        verb(&cluster, &page).await
    })
}

/// A shell completes the name that it is typed by, which has no space in it.
fn complete(shell: clap_complete::Shell, out: &mut impl io::Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "windlass", &mut script);
    out.write_all(&script)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_calls_itself_as_people_call_it() {
        assert_eq!(called_as("/usr/local/bin/kubectl-windlass".as_ref()), "kubectl windlass");
        assert_eq!(called_as("target/debug/windlass".as_ref()), "windlass");
        let error = command("kubectl windlass")
            .try_get_matches_from(["kubectl-windlass", "nonsense"])
            .unwrap_err();
        assert!(error.to_string().contains("Usage: kubectl windlass"), "{error}");
    }

    #[test]
    fn every_shell_completes_every_verb() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let mut script = Vec::new();
            complete(shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for verb in Cli::command().get_subcommands() {
                assert!(script.contains(verb.get_name()), "{shell} {}", verb.get_name());
            }
        }
    }

    /// The commands of a page, in blocks and in running text, without `kubectl windlass`. Of several words to choose from, the first.
    fn commands(page: &std::path::Path) -> Vec<String> {
        let text = std::fs::read_to_string(page).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.trim_start_matches("$ ").strip_prefix("kubectl windlass "));
        let spans = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter_map(|span| span.strip_prefix("kubectl windlass "));
        // A verb by itself is spoken of, not typed.
        let typed = lines.chain(spans.filter(|span| span.contains(' ')));
        typed
            .map(|line| {
                line.split(['|', '>', '#'])
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .replace("KIND/NAME", "cub/NAME")
            })
            .filter(|line| !line.starts_with('<'))
            .collect()
    }

    /// The README and all pages.
    fn pages() -> Vec<PathBuf> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = ["docs", "docs/runbooks"].iter();
        let found = folders.flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
        let pages = found.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        pages.chain([root.join("README.md")]).collect()
    }

    #[test]
    fn every_command_of_the_pages_is_one() {
        let all: Vec<String> = pages().iter().flat_map(|page| commands(page)).collect();
        assert!(all.len() > 40, "{all:?}");
        for line in &all {
            let line = line.replace('\'', "\"");
            let words: Vec<String> = line
                .split('"')
                .enumerate()
                .flat_map(|(n, part)| {
                    if n % 2 == 1 {
                        vec![part.to_owned()]
                    } else {
                        part.split_whitespace().map(str::to_owned).collect()
                    }
                })
                .collect();
            let typed = std::iter::once("windlass".to_owned()).chain(words);
            command("kubectl windlass")
                .try_get_matches_from(typed)
                .unwrap_or_else(|e| panic!("{line}: {e}"));
        }
        for verb in Cli::command().get_subcommands().map(clap::Command::get_name) {
            let told = matches!(verb, "run" | "crds") || all.iter().any(|line| line.split(' ').next() == Some(verb));
            assert!(told, "docs/cli.md does not show {verb}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command("windlass").debug_assert();
    }
}
