//! A Central that quotes every secret wherever it can, also as it stands in a URL: none of them is ever seen again.
//!
//! The secrets are the client's secret, the user's password, the refresh token of the Secret, the cookies, the code, and both tokens of a pair. All
//! of them have the word "canary" in them.

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
use crate::vendor::InventoryAsk;
use crate::vendor::http::testing::*;

const QUOTED: [&str; 8] = [
    "canary-client-secret",
    "canary-pw",
    "canary-seed",
    "canary-session",
    "canary-csrf",
    "canary-code",
    "canary-access-1",
    "canary-refresh-1",
];

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
        version: NEW.to_owned(),
        options: Options::Customer {
            reboot: Some(true),
            exclude_groups: BTreeSet::from(["Lab".to_owned()]),
            allow_downgrade: false,
        },
        scheduled_at: Some(jiff::Timestamp::from_second(1_795_900_000).unwrap()),
    }
}

/// Everything that a client does, of a Central that answers these calls like this, for a Secret with a token or with a user.
async fn tour(of: &'static [&'static str], act: Act, by_user: bool) -> Shown {
    let mut shown = Shown::default();
    let server = central(&Issuer::with("canary-seed"), move |r| {
        of.contains(&call(r).as_str()).then(|| act.clone())
    })
    .await;
    let secret = if by_user {
        Secret::user("canary-pw")
    } else {
        Secret::token("canary-seed")
    };
    let (client, target) = (Parts::new(&secret).client(&server), target(&server));
    match client.probe().await {
        Ok(probe) => shown.add(&probe),
        Err(error) => shown.fail(&error),
    }
    shown.add(&client.observe(&target, &Scope::default()).await);
    match client.prepare(&target, &order()).await {
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
    let ask = InventoryAsk {
        customer_ids: vec![CUSTOMER.to_owned()],
        device_types: vec!["CX".to_owned()],
        most_rows: 10,
        ..InventoryAsk::default()
    };
    match client.inventory(&ask).await {
        Ok(found) => shown.add(&found),
        Err(error) => shown.fail(&error),
    }
    shown.add(&client.quota());
    client.logout().await;
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
    let each: Vec<String> = QUOTED.iter().map(|secret| format!("/oauth2/token?x={secret} is refused")).collect();
    let quoting = each.join(" ");
    let mut tours = Vec::new();
    let places: [&'static [&'static str]; 6] = [&[LOGIN], &[AUTHORIZE], &[TOKEN], &[DEVICES], &[VERSIONS], &[START]];
    for of in places {
        for status in [400, 401, 403, 404, 429, 500] {
            for body in [
                format!(r#"{{"description":"{quoting}","error_code":"0004","service_name":"Firmware"}}"#),
                format!(r#"{{"error":"invalid_grant","error_description":"{quoting}"}}"#),
                format!("<html>{quoting}</html>"),
            ] {
                for by_user in [false, true] {
                    tours.push(tour(of, json(status, &body), by_user));
                }
            }
        }
        tours.push(tour(of, Act::SendAndClose(Vec::new()), true));
        tours.push(tour(of, json(200, &format!(r#"{{"message":"{quoting}"}}"#)), true));
    }
    let mut shown = Vec::new();
    for tour in tours {
        shown.extend(tour.await.0);
    }
    let shown = shown.join("\n");
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("list_devices") && logged.contains("refresh_token"), "{logged}");
    assert!(
        shown.contains("0004") && shown.contains("invalid_grant") && shown.contains(NEW),
        "it is not for want of words"
    );
    for text in [&shown, &logged] {
        let at = text.find("canary");
        assert_eq!(at.map(|at| &text[at.saturating_sub(200)..text.len().min(at + 40)]), None);
    }
}

#[tokio::test]
async fn a_line_about_a_call_has_no_query() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish()
        .with(Targets::new().with_default(tracing::Level::TRACE));
    let _guard = tracing::subscriber::set_default(subscriber);
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let shown = tour(&[], json(200, "{}"), true).await;
    assert!(!shown.0.join("\n").contains("canary"));
    // Of everybody's lines, also those of the libraries below.
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for secret in ["grant_type", "client_id=", "canary-client-secret", "canary-seed", "canary-pw"] {
        assert!(!logged.contains(secret), "{secret}");
    }
}
