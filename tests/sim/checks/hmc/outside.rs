//! IBM's own clients against the simulated console: what they show to be wrong in it is wrong in it.
//!
//! `WINDLASS_ZHMC` names a Python that has them (zhmcclient, zhmccli); without it the check says that it is skipped. What they do is in
//! `tests/outside/hmc_zhmcclient.py`. They are third parties' programs, so they reach the simulator as any client does, and the check then
//! asks the simulator's own log what they did.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::super::super::Clock;
use super::super::super::hmc::{BUNDLE_NEW, BUNDLE_NEWER, Config, Hmc};

/// What they need is seconds; what a busy machine makes of that is not.
const PATIENCE: Duration = Duration::from_mins(3);

/// Past the capture of the test harness: a check that is skipped or passed says so wherever it runs.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

fn python() -> Option<PathBuf> {
    std::env::var_os("WINDLASS_ZHMC")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[tokio::test]
async fn ibms_own_clients_find_nothing_wrong() {
    let Some(python) = python() else {
        say("IBM's clients against the HMC's simulator: skipped here, WINDLASS_ZHMC is not set; a step of .ci/run sets it");
        return;
    };
    let hmc = Hmc::start(Config::default().clock(Clock::new(jiff::Timestamp::now(), 200.0)))
        .await
        .unwrap();
    let ca = std::env::temp_dir().join(format!("windlass-hmc-{}.pem", uuid::Uuid::new_v4()));
    std::fs::write(&ca, hmc.ca_pem()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/hmc_zhmcclient.py");
    let mut run = Command::new(python);
    run.arg(script).arg("127.0.0.1").arg(hmc.address().port().to_string());
    run.arg(&ca).arg(hmc.control_url()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, run.output()).await.expect("they end").unwrap();
    std::fs::remove_file(&ca).unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");

    let starts: Vec<_> = hmc.committed().into_iter().map(|start| start.version).collect();
    assert_eq!(
        starts,
        [BUNDLE_NEW, BUNDLE_NEWER, BUNDLE_NEWER, BUNDLE_NEWER],
        "one was canceled, one failed"
    );
    assert_eq!(
        (hmc.bundle().as_str(), hmc.restarts(), hmc.authorizations().len()),
        (BUNDLE_NEWER, 2, 1)
    );
    assert_eq!(hmc.live_sessions(), 0, "they log off");
    say(said.trim_end());
}
