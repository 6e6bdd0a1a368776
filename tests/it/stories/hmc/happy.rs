//! Single step installs that go well, through the console's restart.

use serde_json::json;

use crate::console::Console;
use crate::console::FTP;
use crate::console::still;
use crate::sim::hmc::BUNDLE_NEW;
use crate::sim::hmc::BUNDLE_OLD;
use crate::sim::hmc::InstallAnswer;
use crate::sim::hmc::Results;

#[tokio::test]
async fn a_console_is_followed_through_its_restart_and_never_called_failed_meanwhile() -> anyhow::Result<()> {
    let (console, operator) = Console::ready("hmc-happy", still()).await?;
    console.upgrade(BUNDLE_NEW).await?;
    let begun = console.until("its job runs", |s| s.state() == "RUNNING").await?;
    assert_eq!(begun.json["currentVersion"], json!(BUNDLE_OLD));
    let job = begun.row("hmc1")["job"].as_str().unwrap_or_default().to_owned();
    assert_eq!(job, console.hmc.jobs()[0].uri(), "the job that the console itself named");
    // What the vendor was asked, to the letter. Without a bundle level it would install whatever there is.
    let asked = console.hmc.asked();
    assert_eq!(asked.len(), 1);
    let mut body = asked[0].body.clone();
    body.as_object_mut().unwrap().remove("ftp-server-password");
    assert_eq!(
        body,
        json!({
            "bundle-level": BUNDLE_NEW, "backup-location-type": "ftp", "accept-firmware": true, "ftp-retrieve": true,
            "ftp-server-host": "ftp.bank.example", "ftp-server-user": FTP.0, "ftp-server-directory": "/bundles",
            "ftp-server-protocol": "sftp",
        })
    );
    assert_eq!(
        asked[0].ftp_password.as_ref().map(|p| p.expose().to_owned()).as_deref(),
        Some(FTP.1)
    );

    console.advance(370).await;
    assert!(console.hmc.is_down());
    let away = console.reason("RUNNING", "OutOfSight").await?;
    assert!(
        away.message().contains("looking again until"),
        "says for how long: {}",
        away.message()
    );
    console.connected("Unreachable").await?;

    // Up again, and nobody's session is known any more.
    console.advance(240 + 31).await;
    assert!(!console.hmc.is_down());
    console.looks(2).await?;
    console.finish().await;
    let done = console.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!(
        (&done.json["currentVersion"], &done.json["progress"]),
        (&json!(BUNDLE_NEW), &json!(100))
    );
    assert_eq!(done.condition("Ready", "status"), "True");
    console.connected("Reachable").await?;
    console.assert_started(1, 1);
    assert_eq!(console.told_by_receipts().await?, ["Accepted/Succeeded"]);
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    assert_eq!(console.hmc.live_sessions(), 0, "it logged off");
    Ok(())
}

#[tokio::test]
async fn a_console_that_is_there_already_is_left_alone_and_one_is_never_taken_back() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-there", still()).await?;
    console.upgrade(BUNDLE_OLD).await?;
    console.reason("SUCCESS", "AlreadyAtVersion").await?;
    console.upgrade_as("back", json!({"version": "H20"})).await?;
    console.reason_as("back", "REJECTED", "WouldDowngrade").await?;
    console.looks(2).await?;
    console.assert_started(0, 0);
    Ok(())
}

#[tokio::test]
async fn an_install_from_a_drive_names_no_server_and_asks_for_no_secret() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("hmc-usb", still()).await?;
    let drive = json!({"singleStepInstall": {"backupLocation": "USB", "acceptFirmware": false}});
    console.upgrade_as("u", json!({"version": BUNDLE_NEW, "hmcConsole": drive})).await?;
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    assert_eq!(
        console.hmc.asked()[0].body,
        json!({"bundle-level": BUNDLE_NEW, "backup-location-type": "usb", "accept-firmware": false})
    );
    console.finish().await;
    console.reason("SUCCESS", "UpgradeSucceeded").await?;
    console.assert_started(1, 1);
    Ok(())
}

/// What the vendor's documents leave open, in several combinations at once: none may make a difference to how often is started.
#[tokio::test]
async fn whatever_the_documents_leave_open_nothing_is_started_twice() -> anyhow::Result<()> {
    let settings: [fn(&mut crate::sim::hmc::Settings); 3] = [
        |s| (s.jobs_survive_restart, s.install_answer) = (false, InstallAnswer::WithoutUri),
        |s| (s.success_results, s.job_success_code) = (Results::Absent, 204),
        |s| (s.jobs_survive_restart, s.install_answer, s.clock_skew_ms) = (false, InstallAnswer::Empty, -3_600_000),
    ];
    for (n, change) in settings.into_iter().enumerate() {
        let (console, _operator) = Console::ready(&format!("hmc-open-{n}"), still().settings(change)).await?;
        console.upgrade(BUNDLE_NEW).await?;
        console
            .until("it was taken", |s| ["STARTED", "RUNNING"].contains(&s.state()))
            .await?;
        console.finish().await;
        console.reason("SUCCESS", "UpgradeSucceeded").await?;
        console.assert_started(1, 1);
    }
    Ok(())
}
