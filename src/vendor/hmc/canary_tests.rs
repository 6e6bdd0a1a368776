//! A console that quotes every secret wherever it can: none of them is ever seen again.
//!
//! The secrets are the login's password, the session id, the file server's password, and the tokens for IBM. All of them, and whatever else an
//! error body echoes, have the word "canary" in them.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use super::testing::*;
use super::*;
use crate::clock::Clock;
use crate::controller::permit::StartPermit;
use crate::lease::Leadership;
use crate::vendor::http::testing::*;

const FILTERED: &str = "GET /api/console/remote-firmware-updates?state=scheduled";

const QUOTED: [&str; 4] = ["canary-session", "canary-pw", "canary-ftp", "canary0"];

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

/// Everything that people may get to see.
#[derive(Default)]
struct Shown(Vec<String>);

impl Shown {
    fn add(&mut self, what: &impl std::fmt::Debug) {
        self.0.push(format!("{what:?}"));
    }

    fn fail(&mut self, error: &VendorError) {
        self.add(error);
        self.0.push(format!("{error}\n{}", error.message()));
    }
}

fn order() -> Order {
    Order {
        version: "H41".to_owned(),
        options: Options::ConsoleInstall {
            accept_firmware: true,
            source: InstallSource::Ftp {
                host: "ftp.bank.example".to_owned(),
                protocol: "sftp".to_owned(),
                directory: "/bundles".to_owned(),
                secret: "hmc-ftp".to_owned(),
            },
        },
        scheduled_at: None,
    }
}

/// Everything that a client does, of a console that answers these calls like this.
async fn tour(calls: &[&str], act: Act) -> Shown {
    let mut shown = Shown::default();
    let mut rows: Vec<(String, Act)> = calls.iter().map(|call| ((*call).to_owned(), act.clone())).collect();
    rows.extend([
        (LIST.to_owned(), listed(&[row(UPDATE, "H42", "scheduled")], &["4102444800000"])),
        (FILTERED.to_owned(), listed(&[], &[])),
        (format!("GET {UPDATE}"), element(UPDATE, "H42", "scheduled")),
        (format!("GET {JOB}"), json(200, r#"{"status":"running"}"#)),
        (INSTALL.to_owned(), json(202, &format!(r#"{{"job-uri":"{JOB}"}}"#))),
    ]);
    let server = serving(rows).await;
    let (hmc, target) = (client(&server), target(&server));
    match hmc.list().await {
        Ok(listing) => shown.add(&listing),
        Err(failure) => shown.fail(&failure.error),
    }
    match hmc.probe().await {
        Ok(probe) => shown.add(&probe),
        Err(error) => shown.fail(&error),
    }
    match hmc.prepare(&target, &order()).await {
        Ok(ready) => {
            shown.add(ready.sight());
            let permit = StartPermit::for_test(
                target.clone(),
                order(),
                Duration::from_mins(1),
                Leadership::for_test(true),
                Clock::system(),
            );
            shown.add(&permit);
            shown.add(&ready.start(permit).await.unwrap().answer_for_test());
        }
        Err(error) => shown.fail(&error),
    }
    for job in [JOB, UPDATE] {
        shown.add(&hmc.observe(&target, Some(job)).await);
    }
    match hmc.inventory(Some("scheduled")).await {
        Ok(found) => shown.add(&found),
        Err(error) => shown.fail(&error),
    }
    shown.add(&hmc.shared.tokens.good(hmc.shared.http.clock().wall()));
    hmc.logout().await;
    shown
}

#[tokio::test]
async fn no_secret_is_seen_in_a_sight_an_error_an_answer_or_a_log_line() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish()
        .with(Targets::new().with_target("windlass", tracing::Level::TRACE));
    let _guard = tracing::subscriber::set_default(subscriber);
    // With one subscriber alone, a thread of another test that comes first to a log line decides that nobody wants it.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let quoting = QUOTED
        .map(|secret| format!("it was asked with {secret}, which is refused"))
        .join(" ");
    let (element, job) = (format!("GET {UPDATE}"), format!("GET {JOB}"));
    let late = [FILTERED, INSTALL, LOGOUT, &element, &job];
    let failed = format!(r#"{{"status":"complete","job-status-code":500,"job-results":{{"message":"{quoting}"}}}}"#);
    let mut tours = vec![
        tour(&late, Act::Send(raw(500, &[], "<html>canary-body</html>"))),
        tour(&late[4..], json(200, &failed)),
    ];
    for calls in [&[VERSION][..], &[LOGIN], &[CONSOLE_CALL], &[LIST], &late] {
        for (status, reason) in [(400, 14), (403, 1), (500, 1)] {
            tours.push(tour(calls, error(status, reason, &quoting)));
        }
    }
    let shown: Vec<String> = futures::future::join_all(tours)
        .await
        .into_iter()
        .flat_map(|shown| shown.0)
        .collect();
    let shown = shown.join("\n");
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("get_console"), "{logged}");
    assert!(shown.contains("H42") && shown.contains("400.14"), "it is not for want of words");
    for text in [&shown, &logged] {
        let at = text.find("canary");
        assert_eq!(at.map(|at| &text[at.saturating_sub(200)..text.len().min(at + 40)]), None);
    }
}
