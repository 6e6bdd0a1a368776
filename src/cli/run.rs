//! `windlass run`: the operator.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ArgAction;
use clap::Args;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::controller::clients::Grantee;
use crate::controller::run::Options;
use crate::controller::run::run;
use crate::controller::shard::Shard;
use crate::lease::LeaseTiming;
use crate::telemetry;
use crate::telemetry::LogFormat;
use crate::upgrade::timing::Timing;
use crate::vendor::http::Fence;
use crate::vendor::http::ProxyUrl;

/// Where a debug build reads other durations from, as JSON in milliseconds; a release build does not look.
#[cfg(debug_assertions)]
const TEST_TIMING: &str = "WINDLASS_TEST_TIMING";

/// Where a debug build finds how many milliseconds its wall clock is to be off by.
#[cfg(debug_assertions)]
const TEST_CLOCK: &str = "WINDLASS_TEST_CLOCK";

/// Options of `windlass run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Namespace of the leader election lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "windlass-system")]
    namespace: String,
    /// Name of the leader election lease.
    #[arg(long, default_value = "windlass")]
    lease: String,
    /// Name of this pod, shown as the holder of the lease.
    #[arg(long, env = "POD_NAME", default_value = "windlass")]
    pod: String,
    /// Serve only this namespace; may be given several times. Without it, all namespaces.
    #[arg(long = "watch-namespace", value_name = "NAMESPACE")]
    watch: Vec<String>,
    /// Serve only objects with these labels, as kubectl takes a selector: a shard of a large fleet. Give each shard a --lease of its own, and an
    /// upgrade the labels of its Connection. Without it, all objects.
    #[arg(long, default_value = "", value_name = "LABELS")]
    selector: Shard,
    /// Whether anything may be started at all. With false, runs are followed and nothing new begins.
    #[arg(long, env = "WINDLASS_STARTS_ENABLED", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    starts_enabled: bool,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Our service account as namespace:name, for the command that a Connection prints when it may not read its Secret.
    #[arg(long, env = "WINDLASS_SERVICE_ACCOUNT", default_value = "windlass-system:windlass")]
    service_account: String,
    /// ClusterRole that a namespace grants to it for its Secrets, for the same command. Empty: none was made.
    #[arg(long, default_value = "windlass-secret-access", value_name = "NAME")]
    secret_access_role: String,
    /// Reconciles at once, for each kind.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "NUMBER")]
    concurrency: u16,
    /// Lift the address fence for these addresses; may be given several times. Loopback and link-local addresses are refused without it.
    #[arg(long = "allow-cidr", value_name = "CIDR")]
    allow: Vec<IpNet>,
    /// Refuse these addresses too, such as the cluster's service range; may be given several times.
    #[arg(long = "deny-cidr", value_name = "CIDR")]
    deny: Vec<IpNet>,
    /// Connect to these hosts only: exact names, or *.suffix; may be given several times.
    #[arg(long = "allowed-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Reach every vendor through this HTTP proxy, which then resolves their names: of those only --allowed-host is checked.
    #[arg(long, value_name = "http://HOST:PORT")]
    proxy_url: Option<ProxyUrl>,
    /// How much to log: error, warn, info, debug or trace, or a filter as of tracing's env-filter.
    #[arg(long, env = telemetry::LOG_ENV, default_value = "info")]
    log_level: String,
    /// json for machines, text for people.
    #[arg(long, value_enum, default_value = "json")]
    log_format: LogFormat,
}

/// Runs the operator until SIGTERM or SIGINT.
pub fn main(args: RunArgs) -> anyhow::Result<ExitCode> {
    let clock = clock();
    telemetry::init(&args.log_level, args.log_format, clock.clone())?;
    tls_provider()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be made")?;
    runtime.block_on(operate(args, clock))
}

async fn operate(args: RunArgs, clock: Clock) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let timing = timing()?;
    let lease_timing = LeaseTiming::new(timing.lease_duration, timing.lease_renew_deadline, timing.lease_retry)?;
    for range in &args.allow {
        tracing::warn!(%range, "the address fence is lifted for these addresses (--allow-cidr)");
    }
    let fence = Fence::default()
        .allow(args.allow)
        .deny(args.deny)
        .only_hosts(args.allowed_hosts)
        .through(args.proxy_url);
    let options = Options {
        config: kube::Config::infer()
            .await
            .context("no way to reach a Kubernetes API server: not in a pod, and no usable kubeconfig")?,
        namespace: args.namespace,
        lease: args.lease,
        pod: args.pod,
        watch: args.watch,
        shard: args.selector,
        starts_enabled: args.starts_enabled,
        listen: args.listen,
        grantee: Grantee {
            service_account: args.service_account,
            role: Some(args.secret_access_role).filter(|role| !role.is_empty()),
        },
        concurrency: args.concurrency,
        fence,
        timing,
        lease_timing,
        clock,
    };
    match run(options, stop).await {
        Ok(()) => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            tracing::error!(%error, "windlass ends");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The one TLS provider, for everything that speaks TLS in this process.
pub(super) fn tls_provider() -> anyhow::Result<()> {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        anyhow::bail!("another TLS provider was installed first");
    }
    Ok(())
}

/// The system's clock; in a debug build, one that is off by what the file named in the environment says.
pub(super) fn clock() -> Clock {
    #[cfg(debug_assertions)]
    if let Some(file) = std::env::var_os(TEST_CLOCK) {
        return Clock::off_by_file(file.into());
    }
    Clock::system()
}

/// The durations of production; a debug build takes others from its environment and says so.
fn timing() -> anyhow::Result<Timing> {
    #[cfg(debug_assertions)]
    if let Ok(text) = std::env::var(TEST_TIMING) {
        let timing = Timing::from_json(&text).with_context(|| TEST_TIMING.to_owned())?;
        tracing::warn!(?timing, "{TEST_TIMING} sets durations that are not safe in production");
        return Ok(timing);
    }
    let timing = Timing::production();
    timing.check()?;
    Ok(timing)
}

/// A token that SIGTERM or SIGINT cancels.
#[expect(
    clippy::disallowed_methods,
    reason = "waits for signals for as long as the process lives; nobody joins it"
)]
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        run: RunArgs,
    }

    fn parse(args: &[&str]) -> Result<RunArgs, String> {
        let all = [&["run"], args].concat();
        Cli::try_parse_from(all).map(|cli| cli.run).map_err(|e| e.to_string())
    }

    #[test]
    fn a_number_or_a_proxy_that_makes_no_sense_is_refused_at_the_start() {
        let given = parse(&["--concurrency=64", "--proxy-url=http://proxy.example:3128"]).unwrap();
        assert_eq!((given.concurrency, given.proxy_url.is_some()), (64, true));
        let bare = parse(&[]).unwrap();
        assert_eq!(
            (bare.concurrency, bare.proxy_url, bare.secret_access_role.as_str()),
            (8, None, "windlass-secret-access")
        );
        for wrong in ["--concurrency=0", "--concurrency=65", "--proxy-url=proxy.example:3128"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }
}
