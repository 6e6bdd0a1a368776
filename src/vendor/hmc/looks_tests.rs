//! What looks show of the console and of what IBM scheduled, and what is left out where something does not fit together.

use std::collections::BTreeSet;
use std::time::Duration;

use super::testing::*;
use super::*;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::JobsBefore;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Planned;
use crate::upgrade::target::Authority;
use crate::vendor::http::testing::*;

const OTHER: &str = "/api/console/remote-firmware-updates/2";

async fn seen<const N: usize>(rows: [(&str, Act); N]) -> Sight {
    let server = serves(rows).await;
    client(&server).observe(&target(&server), None).await
}

fn moving(toward: Option<&str>, progress: Option<i32>) -> Motion {
    Motion::Moving {
        toward: toward.map(str::to_owned),
        progress,
    }
}

#[tokio::test]
async fn a_console_at_rest_shows_its_bundle_its_name_and_the_ends_of_tokens() {
    let server = serves([(LIST, listed(&[], &["1796349600000", r#""2026-11-30T10:00:00Z""#]))]).await;
    let hmc = client(&server);
    let listing = hmc.list().await.unwrap();
    let sight = &listing.sights[CONSOLE];
    assert!(listing.complete && sight.complete && !sight.detailed);
    assert_eq!(
        (&sight.motion, &sight.offered, sight.jobs.len()),
        (&Motion::Still, &Offered::Untold, 0)
    );
    assert_eq!((sight.identity.as_deref(), sight.says.as_deref()), (Some("HMC1"), None));
    let looks = sight.looks.as_ref().unwrap();
    let ends = ["1796349600000", "2026-11-30T10:00:00Z"].map(str::to_owned);
    assert_eq!(
        (looks.version.as_str(), looks.permissions.as_ref()),
        ("H30", Some(&BTreeSet::from(ends)))
    );
    assert_eq!(
        looks.jobs,
        Some(JobsBefore::default()),
        "what IBM scheduled is listed, and an install of ours is in no list"
    );
    assert_eq!(
        calls(&server),
        [LOGIN, CONSOLE_CALL, LIST],
        "features are asked only where they matter"
    );
}

#[tokio::test]
async fn an_update_that_ibm_scheduled_is_a_job_that_the_vendor_planned_and_moves_nothing_yet() {
    for word in ["scheduled", "scheduled-on-peer"] {
        let sight = seen([(LIST, listed(&[row(UPDATE, "H41", word)], &[]))]).await;
        assert!(sight.complete && sight.motion == Motion::Still && sight.says.is_none());
        let expected = Job {
            id: UPDATE.to_owned(),
            state: JobState::Queued,
            word: word.to_owned(),
            does: Does::Installs("H41".to_owned()),
            progress: None,
            says: Some("IBM's remote firmware update to H41".to_owned()),
            planned: Some(Planned {
                at: "2026-11-28T02:00:00Z".parse().unwrap(),
                window: Duration::ZERO,
                created: None,
            }),
        };
        assert_eq!(sight.jobs, [expected]);
    }
}

#[tokio::test]
async fn an_update_that_runs_moves_the_console_toward_its_bundle() {
    let sight = seen([
        (LIST, listed(&[row(UPDATE, "H41", "running")], &[])),
        (FEATURES, error(404, 1, "no")),
    ])
    .await;
    assert_eq!((sight.complete, &sight.motion), (true, &moving(Some("H41"), None)));

    let same = [row(UPDATE, "H41", "running"), row(OTHER, "H41", "running")];
    let sight = seen([(LIST, listed(&same, &[])), (FEATURES, json(200, "[]"))]).await;
    assert_eq!(sight.motion, moving(Some("H41"), None));

    let differ = [row(UPDATE, "H41", "running"), row(OTHER, "H42", "running")];
    let sight = seen([(LIST, listed(&differ, &[])), (FEATURES, json(200, "[]"))]).await;
    assert_eq!(sight.motion, moving(None, None), "nobody can tell which");
}

#[tokio::test]
async fn a_running_update_tells_how_far_it_is_where_the_console_can_and_features_are_asked_once_a_session() {
    let get = format!("GET {UPDATE}");
    let server = serving(vec![
        (
            LIST.to_owned(),
            listed(&[row(UPDATE, "H41", "running"), row(OTHER, "H42", "scheduled")], &[]),
        ),
        (
            FEATURES.to_owned(),
            json(200, r#"["cpc-delete-retrieved-internal-code","rcl-progress"]"#),
        ),
        (get.clone(), element(UPDATE, "H41", "running")),
    ])
    .await;
    let (hmc, target) = (client(&server), target(&server));
    for _ in 0..2 {
        let sight = hmc.observe(&target, None).await;
        assert_eq!((sight.complete, &sight.motion), (true, &moving(Some("H41"), Some(40))));
        let said = "IBM's remote firmware update to H41; back-up-critical-data; waits for peer-busy";
        assert_eq!((sight.says.as_deref(), sight.jobs[0].progress), (Some(said), Some(40)));
    }
    assert_eq!((count(&server, FEATURES), count(&server, &get)), (1, 2));
    assert!(
        !calls(&server).iter().any(|call| call.contains(OTHER)),
        "one that waits tells nothing"
    );
}

#[tokio::test]
async fn what_only_helps_people_may_fail() {
    let get = format!("GET {UPDATE}");
    for (features, update) in [
        (error(500, 1, "x"), element(UPDATE, "H41", "running")),
        (json(200, r#"["rcl-progress"]"#), error(404, 1, "gone")),
        (json(200, r#"["rcl-progress"]"#), error(500, 1, "x")),
        (json(200, r#"["rcl-progress"]"#), json(200, "[]")),
        (json(200, r#"{"x":1}"#), element(UPDATE, "H41", "running")),
    ] {
        let sight = seen([
            (LIST, listed(&[row(UPDATE, "H41", "running")], &[])),
            (FEATURES, features),
            (get.as_str(), update),
        ])
        .await;
        assert_eq!((sight.complete, &sight.motion), (true, &moving(Some("H41"), None)));
    }
}

#[tokio::test]
async fn a_state_that_nobody_documents_is_never_taken_for_a_movement_or_an_end() {
    for word in ["completed", "failed", "canceled", "RUNNING", "levitating"] {
        let sight = seen([(LIST, listed(&[row(UPDATE, "H41", word)], &[]))]).await;
        assert!(sight.complete && sight.motion == Motion::Still);
        assert_eq!((&sight.jobs[0].state, sight.jobs[0].word.as_str()), (&JobState::Unknown, word));
        assert!(sight.says.unwrap().contains(word));
    }
}

#[tokio::test]
async fn an_account_without_the_task_sees_an_empty_list_and_every_look_says_so() {
    let get = format!("GET {UPDATE}");
    let server = serves([
        (LIST, error(403, 1, "no permission")),
        (get.as_str(), error(403, 1, "no permission")),
    ])
    .await;
    let hmc = client(&server);
    let sight = hmc.observe(&target(&server), None).await;
    assert!(sight.complete && sight.motion == Motion::Still && sight.jobs.is_empty());
    assert_eq!(sight.looks.unwrap().permissions, None, "not known is not none");
    let says = sight.says.unwrap();
    assert!(
        says.contains("Manage Remote Firmware Updates") && says.contains("403.1: no permission"),
        "{says}"
    );
    // One that is followed is then not seen.
    let sight = hmc.observe(&target(&server), Some(UPDATE)).await;
    assert!(sight.seen() && !sight.complete && sight.job(UPDATE).is_none());
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_no_empty_list() {
    let twice = [row(UPDATE, "H41", "scheduled"), row(UPDATE, "H42", "scheduled")];
    let rows = |row: &str| listed(&[row.to_owned()], &[]);
    for act in [
        error(403, 2, "x"),
        error(404, 1, "x"),
        error(500, 1, "x"),
        error(409, 1, "x"),
        json(403, "{}"),
        json(200, "{}"),
        json(200, r#"{"remote-firmware-updates":[]}"#),
        json(200, r#"{"remote-firmware-updates":null,"remote-firmware-update-tokens":[]}"#),
        Act::Send(raw(200, &[], "<html>")),
        listed(&twice, &[]),
        rows("7"),
        rows("{}"),
        rows(r#"{"element-uri":"/api/cpcs/1","state":"scheduled","target-bundle":"H41","scheduled-execution-time":1}"#),
        rows(&format!(
            r#"{{"element-uri":"{UPDATE}","target-bundle":"H41","scheduled-execution-time":1}}"#
        )),
        rows(&format!(
            r#"{{"element-uri":"{UPDATE}","state":"scheduled","scheduled-execution-time":1}}"#
        )),
        rows(&format!(
            r#"{{"element-uri":"{UPDATE}","state":"scheduled","target-bundle":"H41"}}"#
        )),
        rows(&format!(
            r#"{{"element-uri":"{UPDATE}","state":"scheduled","target-bundle":"H41","scheduled-execution-time":-1}}"#
        )),
        listed(
            &(0..257)
                .map(|n| row(&format!("{UPDATE}{n}"), "H41", "scheduled"))
                .collect::<Vec<_>>(),
            &[],
        ),
    ] {
        let shown = format!("{act:?}");
        let sight = seen([(LIST, act)]).await;
        assert!(sight.seen() && !sight.complete, "{shown}");
        let (looks, says) = (sight.looks.unwrap(), sight.says.unwrap());
        assert!(looks.version == "H30" && says.contains("remote firmware updates"), "{says}");
    }
}

#[tokio::test]
async fn ends_of_tokens_are_known_all_or_not_at_all() {
    let many = ["1796349600000"; 65];
    for tokens in [&["null"][..], &["1796349600000", r#""""#], &["[]"], &many] {
        let sight = seen([(LIST, listed(&[], tokens))]).await;
        assert_eq!((sight.complete, sight.looks.unwrap().permissions), (true, None), "{tokens:?}");
    }
    let sight = seen([(LIST, listed(&[], &[]))]).await;
    assert_eq!(sight.looks.unwrap().permissions, Some(BTreeSet::new()));
}

#[tokio::test]
async fn the_token_that_can_be_used_longest_comes_first_and_one_that_expired_not_at_all() {
    use secrecy::ExposeSecret;
    let server = serves([(LIST, listed(&[], &["1000", "4102444800000", "7258118400000", "null"]))]).await;
    let hmc = client(&server);
    assert!(
        hmc.shared.tokens.good(hmc.shared.http.clock().wall()).is_empty(),
        "nothing was read yet"
    );
    hmc.observe(&target(&server), None).await;
    let tokens = hmc.shared.tokens.good(hmc.shared.http.clock().wall());
    let values: Vec<&str> = tokens.iter().map(|token| token.value.expose_secret()).collect();
    assert_eq!(values, ["canary2", "canary1"]);
}

#[tokio::test]
async fn a_console_without_a_bundle_is_seen_and_proves_nothing() {
    let sight = seen([(
        CONSOLE_CALL,
        json(200, r#"{"name":"HMC1","version":"2.15.0","ec-mcl-description":{}}"#),
    )])
    .await;
    assert!(sight.seen() && !sight.complete && sight.looks.is_none());
    assert!(sight.says.unwrap().contains("does not support upgrades through its API"));
}

#[tokio::test]
async fn a_console_that_is_away_is_not_seen() {
    let server = serves([]).await;
    let (hmc, target) = (client(&server), target(&server));
    let other = TargetKey::console(Authority::from_url("https://other.example").unwrap());
    assert!(!hmc.observe(&other, None).await.seen() && server.requests().is_empty());
    server.stop().await;
    for job in [None, Some(JOB), Some(UPDATE)] {
        let sight = hmc.observe(&target, job).await;
        let Motion::NotSeen { why, unknown_object } = &sight.motion else {
            panic!("{sight:?}")
        };
        assert!(why.to_lowercase().contains("connection refused") && !unknown_object, "{why}");
    }
    assert_eq!(hmc.list().await.unwrap_err().error.label(), "transient");
}

#[tokio::test]
async fn a_console_that_starts_is_not_seen_whatever_its_pages_say() {
    for act in [
        Act::Send(raw(500, &[], "<html>canary-body</html>")),
        error(503, 1, "starting"),
        Act::SendAndClose(Vec::new()),
    ] {
        let sight = seen([(CONSOLE_CALL, act)]).await;
        assert!(
            !sight.seen() && !sight.complete && !format!("{sight:?}").contains("canary"),
            "{sight:?}"
        );
    }
}
