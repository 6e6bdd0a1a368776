//! Single step installs: what is asked for, what is taken, and what comes of it.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::hmc::{
    BUNDLE_NEW, BUNDLE_NEWER, BUNDLE_OLD, Config, EVERYTHING, Ends, Failure, INSTALL, InstallAnswer, JOBS, JobStatus, NotOnOffer,
    SecondInstall, TARGET, installs,
};
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Bench, answer, bare, order, order_by_ftp};

#[tokio::test]
async fn an_install_is_taken_with_a_job_counted_and_leaves_the_bundle() {
    let mut bench = Bench::new(Config::default()).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    assert!(uri.starts_with(JOBS), "{uri}");
    assert_eq!(bench.job(&uri).await, json!({"status": "running"}));
    let starts = bench.hmc.committed();
    assert_eq!(
        (starts.len(), starts[0].target.as_str(), starts[0].version.as_str()),
        (1, TARGET, BUNDLE_NEW)
    );
    assert_eq!(starts[0].options, json!({"backup-location-type": "usb", "accept-firmware": true}));
    assert_eq!((bench.bundle().await.as_str(), bench.hmc.upgrading()), (BUNDLE_OLD, true));
    bench.finish().await;
    assert_eq!((bench.bundle().await.as_str(), bench.hmc.restarts()), (BUNDLE_NEW, 1));
    assert_eq!(bench.job(&uri).await["job-status-code"], 200);
    assert!(bench.hmc.log().duplicates().is_empty());
}

#[tokio::test]
async fn an_install_whose_answer_is_lost_is_counted_and_one_that_never_arrived_is_not() {
    let bench = Bench::new(Config::default()).await;
    for (when, starts) in [(When::Before, 0), (When::After, 1)] {
        bench.hmc.faults().add(Rule::new(Action::Drop { when }).on(installs()).times(1));
        lost(bench.install_request(&order(BUNDLE_NEW))).await;
        assert_eq!(bench.starts(), starts, "{when:?}");
    }
    assert_eq!(bench.hmc.jobs().len(), 1, "and nobody was told its job");
}

#[tokio::test]
async fn at_the_bundle_already_it_is_told_by_a_reason_of_its_own() {
    let mut bench = Bench::new(Config::default()).await;
    bench.refused(bench.install_request(&order(BUNDLE_OLD)), 400, 356).await;
    bench.installed(BUNDLE_NEW).await;
    bench.finish().await;
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 400, 356).await;
    assert_eq!(bench.starts(), 1);
}

#[tokio::test]
async fn without_a_bundle_it_installs_everything_and_that_is_seen() {
    let mut bench = Bench::new(Config::default()).await;
    let (status, _) = answer(bench.install_request(&json!({"backup-location-type": "usb", "accept-firmware": true}))).await;
    assert_eq!((status, bench.hmc.committed()[0].version.as_str()), (202, EVERYTHING));
    bench.finish().await;
    assert_eq!(bench.bundle().await, BUNDLE_NEWER);
}

#[tokio::test]
async fn the_body_is_checked_field_by_field() {
    let bench = Bench::new(Config::default()).await;
    let with = |change: Value| {
        let mut body = order_by_ftp(BUNDLE_NEW, "p");
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (change, reason) in [
        (json!({"reboot": true}), 6),
        (json!({"bundle-level": 30}), 7),
        (json!({"bundle-level": ""}), 7),
        (json!({"bundle-level": null}), 7),
        (json!({"backup-location-type": "tape"}), 7),
        (json!({"accept-firmware": "true"}), 7),
        (json!({"ftp-retrieve": 1}), 7),
        (json!({"ftp-server-protocol": "http"}), 7),
        (json!({"ftp-server-user": null}), 7),
    ] {
        bench.refused(bench.install_request(&with(change)), 400, reason).await;
    }
    for name in [
        "ftp-server-host",
        "ftp-server-user",
        "ftp-server-password",
        "ftp-server-directory",
        "ftp-server-protocol",
    ] {
        let mut body = order_by_ftp(BUNDLE_NEW, "p");
        body.as_object_mut().unwrap().remove(name);
        bench.refused(bench.install_request(&body), 400, 5).await;
    }
    let post = || bench.request(Method::POST, INSTALL);
    bench.refused(post(), 400, 3).await;
    bench.refused(post().body(order(BUNDLE_NEW).to_string()), 400, 2).await;
    bench
        .refused(post().header("content-type", "application/json").body("{\"bundle-level\":"), 400, 9)
        .await;
    bench.refused(post().json(&json!([order(BUNDLE_NEW)])), 400, 7).await;
    bench
        .refused(
            bench
                .request(Method::POST, &format!("{INSTALL}?force=true"))
                .json(&order(BUNDLE_NEW)),
            400,
            1,
        )
        .await;
    bench.refused(bench.request(Method::GET, INSTALL), 405, 1).await;
    let long = json!({"bundle-level": "H".repeat(100_000), "backup-location-type": "usb"});
    bench.refused(bench.install_request(&long), 413, 1).await;
    assert_eq!((bench.starts(), bench.hmc.upgrading()), (0, false));
    assert_eq!(
        answer(bench.install_request(&with(json!({})))).await.0,
        202,
        "and as it was it is right"
    );
}

#[tokio::test]
async fn the_place_of_the_backup_is_asked_for_or_not() {
    for (required, status) in [(true, 400), (false, 202)] {
        let bench = Bench::new(Config::default().settings(|s| s.backup_location_required = required)).await;
        let (got, body) = answer(bench.install_request(&json!({"bundle-level": BUNDLE_NEW}))).await;
        assert_eq!(got, status, "{body}");
    }
}

#[tokio::test]
async fn a_test_sees_what_was_asked_for_and_nobody_the_password() {
    const PASSWORD: &str = "slip-no-more";
    let bench = Bench::new(Config::default()).await;
    let (status, _) = answer(bench.install_request(&order_by_ftp(BUNDLE_NEW, PASSWORD))).await;
    assert_eq!(status, 202);
    let asked = bench.hmc.asked();
    assert_eq!((asked.len(), &asked[0].body["ftp-server-user"]), (1, &json!("anchor")));
    assert_eq!(asked[0].ftp_password.as_ref().unwrap().expose(), PASSWORD);
    let entry = bench.hmc.log().requests().pop().unwrap();
    assert_eq!(
        (entry.number, &entry.body.as_ref().unwrap()["ftp-server-password"]),
        (asked[0].request, &json!("(redacted)"))
    );
    let look = async |path: &str| answer(bench.client.get(format!("{}{path}", bench.hmc.control_url()))).await.1;
    let (state, log, starts) = (look("/state").await, look("/log").await, look("/starts").await);
    let told = format!(
        "{:?} {asked:?} {entry:?} {state} {log} {starts} {:?}",
        bench.hmc.log(),
        bench.hmc.committed()
    );
    assert!(told.contains("anchor") && !told.contains(PASSWORD), "{told}");
}

#[tokio::test]
async fn a_second_install_is_met_as_told_and_counted_where_it_is_taken() {
    for (how, reason, starts) in [
        (SecondInstall::WrongState, Some(1), 1),
        (SecondInstall::Busy, Some(2), 1),
        (SecondInstall::OwnReason, Some(330), 1),
        (SecondInstall::StartsAnother, None, 2),
        (SecondInstall::JobFails, None, 2),
    ] {
        let mut bench = Bench::new(Config::default().settings(|s| s.second_install = how)).await;
        let first = bench.installed(BUNDLE_NEW).await;
        if let Some(reason) = reason {
            bench.refused(bench.install_request(&order(BUNDLE_NEWER)), 409, reason).await;
        } else {
            let second = bench.installed(BUNDLE_NEWER).await;
            assert_ne!(first, second);
            let status = |uri: &str| bench.hmc.job(uri).unwrap().status;
            let (ended, goes_on) = if how == SecondInstall::JobFails {
                (&second, &first)
            } else {
                (&first, &second)
            };
            assert!(matches!(status(ended), JobStatus::Complete(Some(_))), "{how:?}");
            assert_eq!(status(goes_on), JobStatus::Running, "{how:?}");
        }
        assert_eq!(bench.starts(), starts, "{how:?}");
        bench.finish().await;
        let bundle = if how == SecondInstall::StartsAnother {
            BUNDLE_NEWER
        } else {
            BUNDLE_NEW
        };
        assert_eq!((bench.bundle().await.as_str(), bench.hmc.restarts()), (bundle, 1), "{how:?}");
    }
}

#[tokio::test]
async fn an_intermediarys_second_copy_is_the_vendors_affair_and_shows_in_the_log() {
    let bench = Bench::new(Config::default().settings(|s| s.second_install = SecondInstall::StartsAnother)).await;
    let twice = Action::Duplicate {
        answer: super::super::super::faults::Copied::First,
    };
    bench.hmc.faults().add(Rule::new(twice).on(installs()).times(1));
    bench.installed(BUNDLE_NEW).await;
    assert_eq!(
        (bench.starts(), bench.hmc.log().duplicates().len(), bench.hmc.log().posts().len()),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn a_busy_console_takes_none() {
    let bench = Bench::new(Config::default().console(|console| console.busy = true)).await;
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 409, 2).await;
    assert_eq!(bench.starts(), 0);
}

#[tokio::test]
async fn what_is_not_on_offer_or_older_is_refused_or_fails_later() {
    for bundle in ["H20", "H99"] {
        let bench = Bench::new(Config::default()).await;
        let uri = bench.installed(bundle).await;
        assert_eq!((bench.job(&uri).await["status"].clone(), bench.starts()), (json!("complete"), 1));
        assert!(matches!(bench.hmc.job(&uri).unwrap().status, JobStatus::Complete(Some(_))));
        bench.hmc.set(|s| s.not_on_offer = NotOnOffer::BadRequest);
        bench.refused(bench.install_request(&order(bundle)), 400, 7).await;
        assert_eq!((bench.starts(), bench.bundle().await.as_str()), (1, BUNDLE_OLD));
    }
}

#[tokio::test]
async fn the_answer_may_have_no_job_and_the_install_is_taken_all_the_same() {
    for (how, body) in [(InstallAnswer::WithoutUri, json!({})), (InstallAnswer::Empty, Value::Null)] {
        let bench = Bench::new(Config::default().settings(|s| s.install_answer = how)).await;
        assert_eq!(answer(bench.install_request(&order(BUNDLE_NEW))).await, (202, body));
        assert_eq!(bench.starts(), 1);
    }
}

#[tokio::test]
async fn it_ends_as_told() {
    let failure = Failure {
        status: 409,
        reason: 88,
        message: "no backup device".to_owned(),
    };
    for (ends, bundle, restarts, code) in [
        (Ends::Failure(failure), BUNDLE_OLD, 0, 409),
        (Ends::SameBundle, BUNDLE_OLD, 1, 500),
        (Ends::Nothing, BUNDLE_OLD, 1, 200),
        (Ends::ThirdBundle("H31".to_owned()), "H31", 1, 200),
    ] {
        let mut bench = Bench::new(Config::default().console(|console| console.ends = ends.clone())).await;
        let uri = bench.installed(BUNDLE_NEW).await;
        bench.finish().await;
        assert_eq!(
            (bench.bundle().await.as_str(), bench.hmc.restarts()),
            (bundle, restarts),
            "{ends:?}"
        );
        assert_eq!(bench.job(&uri).await["job-status-code"], code, "{ends:?}");
    }
}

#[tokio::test]
async fn it_may_never_come_back_until_somebody_helps() {
    let mut bench = Bench::new(Config::default().console(|console| console.ends = Ends::NeverBack)).await;
    let uri = bench.installed(BUNDLE_NEW).await;
    bench.advance(361).await;
    bench.advance(1_000_000).await;
    assert!(lost(bench.request(Method::GET, "/api/version")).await.is_connect());
    bench.hmc.come_back();
    bench.advance(30).await;
    bench.log_on().await;
    assert_eq!((bench.bundle().await.as_str(), bench.hmc.upgrading()), (BUNDLE_OLD, false));
    assert_eq!(bench.job(&uri).await["status"], "complete");
}

#[tokio::test]
async fn somebody_elses_install_moves_the_console_and_is_not_counted() {
    let mut bench = Bench::new(Config::default()).await;
    let id = bench.hmc.begin_elsewhere(BUNDLE_NEW);
    bench.refused(bench.request(Method::GET, &format!("{JOBS}{id}")), 404, 1).await;
    bench.refused(bench.install_request(&order(BUNDLE_NEW)), 409, 1).await;
    bench.finish().await;
    assert_eq!((bench.bundle().await.as_str(), bench.starts()), (BUNDLE_NEW, 0));
    assert_eq!(bench.hmc.log().elsewhere().len(), 1);
}

#[tokio::test]
async fn one_operation_of_the_console_is_not_another() {
    let bench = Bench::new(Config::default()).await;
    for path in [
        "/api/console/operations/restart",
        "/api/console/operations",
        "/api/cpcs",
        "/api",
        "/",
    ] {
        bench.refused(bench.request(Method::POST, path), 404, 1).await;
    }
    assert_eq!(bench.delete("/api/sessions/this-session").await, bare(204));
}
