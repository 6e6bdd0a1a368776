//! Whole starts: what is read before one, what it carries, and how often it is sent.

use std::time::Duration;

use super::session::HEADER;
use super::testing::*;
use super::*;
use crate::clock::Clock;
use crate::controller::permit::StartPermit;
use crate::lease::Leadership;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::Secrets;
use crate::vendor::http::NotSent;
use crate::vendor::http::testing::*;

fn by_ftp(secret: &str) -> Order {
    Order {
        version: "H41".to_owned(),
        options: Options::ConsoleInstall {
            accept_firmware: true,
            source: InstallSource::Ftp {
                host: "ftp.bank.example".to_owned(),
                protocol: "sftp".to_owned(),
                directory: "/bundles".to_owned(),
                secret: secret.to_owned(),
            },
        },
        scheduled_at: None,
    }
}

fn by_usb() -> Order {
    Order {
        version: "H41".to_owned(),
        options: Options::ConsoleInstall {
            accept_firmware: false,
            source: InstallSource::Usb,
        },
        scheduled_at: None,
    }
}

fn permit(server: &Server, order: Order) -> StartPermit {
    StartPermit::for_test(
        target(server),
        order,
        Duration::from_mins(1),
        Leadership::for_test(true),
        Clock::system(),
    )
}

/// One start of this order, answered like this.
async fn started(order: Order, answer: Act) -> (Server, Hmc, Answer) {
    let server = serves([(INSTALL, answer)]).await;
    let hmc = client(&server);
    let ready = hmc.prepare(&target(&server), &order).await.unwrap();
    assert!(ready.sight().complete && ready.sight().motion == Motion::Still);
    let answer = ready.start(permit(&server, order)).await.unwrap().answer_for_test();
    (server, hmc, answer)
}

fn taken() -> Act {
    json(202, &format!(r#"{{"job-uri":"{JOB}"}}"#))
}

#[tokio::test]
async fn a_start_from_a_file_server_carries_all_of_its_fields_and_is_one_request() {
    let (server, _, answer) = started(by_ftp("hmc-ftp"), taken()).await;
    assert_eq!(answer, Answer::Accepted { job: Some(JOB.to_owned()) });
    server.settled().await;
    assert_eq!(calls(&server), [LOGIN, CONSOLE_CALL, LIST, INSTALL]);
    let request = server.requests().pop().unwrap();
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"bundle-level": "H41", "backup-location-type": "ftp", "accept-firmware": true, "ftp-retrieve": true,
            "ftp-server-host": "ftp.bank.example", "ftp-server-user": "ftpuser", "ftp-server-password": "canary-ftp",
            "ftp-server-directory": "/bundles", "ftp-server-protocol": "sftp"})
    );
    assert_eq!(request.header(HEADER), Some("canary-session"));
    assert!(request.header("user-agent").unwrap().contains("hmc-"));
}

#[tokio::test]
async fn a_start_from_a_drive_names_the_bundle_and_no_server() {
    let (server, _, _) = started(by_usb(), taken()).await;
    let body: serde_json::Value = serde_json::from_slice(&server.requests().pop().unwrap().body).unwrap();
    let expected = serde_json::json!({"bundle-level": "H41", "backup-location-type": "usb", "accept-firmware": false});
    assert_eq!(body, expected, "without a bundle it would install everything that there is");
}

#[tokio::test]
async fn a_start_uses_the_session_of_the_last_read_and_retires_it_when_it_is_refused() {
    for (refusal, logins) in [
        (error(403, 5, "x"), 2),
        (error(403, 4, "x"), 2),
        (json(401, ""), 2),
        (error(403, 1, "x"), 1),
    ] {
        let (server, hmc, answer) = started(by_usb(), refusal).await;
        let unauthorized = matches!(
            answer,
            Answer::NotTaken {
                reason: NotTaken::Unauthorized,
                ..
            }
        );
        assert_eq!(unauthorized, logins == 2, "{answer:?}");
        assert_eq!((count(&server, INSTALL), count(&server, LOGIN)), (1, 1), "never sent again");
        assert!(hmc.observe(&target(&server), None).await.complete);
        assert_eq!(count(&server, LOGIN), logins);
    }
}

#[tokio::test]
async fn a_missing_secret_of_the_file_server_prepares_nothing_unless_nothing_would_be_started() {
    let server = serves([]).await;
    let error = client(&server).prepare(&target(&server), &by_ftp("gone")).await.err().unwrap();
    let missing = CredentialError::NotFound { secret: "gone".to_owned() };
    assert_eq!(error, VendorError::Credentials(missing));
    assert_eq!(count(&server, INSTALL), 0);

    let running = listed(&[row(UPDATE, "H42", "running")], &[]);
    for idle in [
        vec![(CONSOLE_CALL.to_owned(), console_at("H41"))],
        vec![(LIST.to_owned(), running), (FEATURES.to_owned(), json(200, "[]"))],
    ] {
        let server = serving(idle).await;
        let ready = client(&server).prepare(&target(&server), &by_ftp("gone")).await.unwrap();
        // Should it be started all the same, nothing is sent.
        let unsent = ready.start(permit(&server, by_ftp("gone"))).await.unwrap_err();
        assert!(matches!(&unsent.why, NotSent::NoRequest(why) if why.to_string().contains("were not read")));
        unsent.permit.give_up_for_test();
        assert_eq!(count(&server, INSTALL), 0);
    }
}

#[tokio::test]
async fn a_start_that_is_not_the_one_that_was_prepared_is_not_sent() {
    let server = serves([(INSTALL, taken())]).await;
    let (hmc, target) = (client(&server), target(&server));
    let cluster = crate::vendor::http::testing::permit(server.authority(), "domain-c8");
    let unsent = hmc.prepare(&target, &by_usb()).await.unwrap().start(cluster).await.unwrap_err();
    assert!(matches!(unsent.why, NotSent::WrongTarget { .. }));
    unsent.permit.give_up_for_test();

    let of_a_cluster = Order {
        version: "H41".to_owned(),
        options: Options::Appliance,
        scheduled_at: None,
    };
    for (prepared, asked) in [
        (by_usb(), by_ftp("hmc-ftp")),
        (by_ftp("hmc-ftp"), by_ftp("other")),
        (
            by_usb(),
            Order {
                version: "H42".to_owned(),
                ..by_usb()
            },
        ),
        (of_a_cluster.clone(), of_a_cluster),
    ] {
        let ready = hmc.prepare(&target, &prepared).await.unwrap();
        let unsent = ready.start(permit(&server, asked)).await.unwrap_err();
        assert!(matches!(unsent.why, NotSent::NoRequest(_)));
        unsent.permit.give_up_for_test();
    }
    assert!(
        hmc.prepare(&TargetKey::cluster(server.authority(), "domain-c8"), &by_usb())
            .await
            .is_err()
    );
    assert_eq!(count(&server, INSTALL), 0);
}

#[tokio::test]
async fn a_look_that_fails_prepares_nothing() {
    let server = serves([(CONSOLE_CALL, error(500, 1, "x"))]).await;
    let error = client(&server).prepare(&target(&server), &by_usb()).await.err().unwrap();
    assert_eq!(error.label(), "transient");
}

#[tokio::test]
async fn a_start_waits_for_its_answer_as_long_as_a_console_may_take_and_then_it_is_lost() {
    let server = serves([(INSTALL, Act::Hang)]).await;
    let timing = Timing {
        start_timeout_hmc: Duration::from_millis(300),
        ..quick()
    };
    let hmc = client_with(&server, Secrets::new([Ok("a")]), timing, Clock::system());
    let ready = hmc.prepare(&target(&server), &by_usb()).await.unwrap();
    let answer = ready.start(permit(&server, by_usb())).await.unwrap().answer_for_test();
    assert!(
        matches!(&answer, Answer::Lost { message } if message.contains("no answer in time")),
        "{answer:?}"
    );
}

const AUTHORIZE: &str = "POST /api/console/operations/authorize-remote-firmware-updates";

fn remote() -> Order {
    Order {
        version: "H41".to_owned(),
        options: Options::ConsoleSchedule { authorize: true },
        scheduled_at: None,
    }
}

/// One authorization, answered like this.
async fn authorized(answer: Act) -> (Server, Hmc, Answer) {
    let server = serves([(AUTHORIZE, answer)]).await;
    let hmc = client(&server);
    let ready = hmc.prepare(&target(&server), &remote()).await.unwrap();
    let answer = ready.start(permit(&server, remote())).await.unwrap().answer_for_test();
    (server, hmc, answer)
}

#[tokio::test]
async fn an_authorization_is_one_request_without_a_body_and_its_token_goes_nowhere_but_into_the_secret() {
    let far = "2100-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let body = format!(r#"{{"authorization-token":"canary7","expiration-date":{far}}}"#);
    let (server, hmc, answer) = authorized(json(200, &body)).await;
    assert_eq!(answer, Answer::Accepted { job: None });
    server.settled().await;
    assert_eq!(calls(&server), [LOGIN, CONSOLE_CALL, LIST, AUTHORIZE]);
    assert!(server.requests().pop().unwrap().body.is_empty());
    let HandedOver::Stored { secret, key } = hmc.hand_over("hmc1").await.unwrap() else {
        panic!("it is kept")
    };
    assert_eq!((secret, key.as_str()), ("windlass-tokens", "hmc1.remote-firmware-update-token"));
    let kept = hmc.shared.vault.as_ref().unwrap().read(&key).await.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&kept.value.unwrap()), "canary7");
}

#[tokio::test]
async fn an_authorization_whose_token_cannot_be_read_is_in_doubt_and_is_not_sent_again() {
    for answer in [json(200, "{}"), json(200, "<html>"), error(500, 1, "x"), Act::Hang] {
        let server = serves([(AUTHORIZE, answer)]).await;
        let timing = Timing {
            start_timeout_hmc: Duration::from_millis(300),
            ..quick()
        };
        let hmc = client_with(&server, Secrets::new([Ok("a")]), timing, Clock::system());
        let ready = hmc.prepare(&target(&server), &remote()).await.unwrap();
        let answer = ready.start(permit(&server, remote())).await.unwrap().answer_for_test();
        assert!(matches!(answer, Answer::Lost { .. }), "{answer:?}");
        assert_eq!(count(&server, AUTHORIZE), 1);
        assert_eq!(hmc.hand_over("hmc1").await, None);
    }
}

#[tokio::test]
async fn following_only_sends_nothing_even_with_a_permit() {
    let server = serves([(AUTHORIZE, json(200, "{}"))]).await;
    let never = Order {
        options: Options::ConsoleSchedule { authorize: false },
        ..remote()
    };
    let ready = client(&server).prepare(&target(&server), &never).await.unwrap();
    let unsent = ready.start(permit(&server, never)).await.unwrap_err();
    assert!(matches!(unsent.why, NotSent::NoRequest(_)));
    unsent.permit.give_up_for_test();
    assert_eq!(count(&server, AUTHORIZE), 0);
}

#[test]
fn the_request_is_described_without_secrets() {
    let target = TargetKey::console(crate::upgrade::target::Authority::from_url("https://hmc1.example:6794").unwrap());
    assert_eq!(crate::vendor::describe_request(&target, &remote()), AUTHORIZE);

    let target = TargetKey::console(crate::upgrade::target::Authority::from_url("https://hmc1.example:6794").unwrap());
    let expected = "POST /api/console/operations/single-step-install bundle-level=H41";
    for order in [by_usb(), by_ftp("hmc-ftp")] {
        assert_eq!(describe_request(&target, &order), expected);
        assert_eq!(crate::vendor::describe_request(&target, &order), expected);
    }
}
