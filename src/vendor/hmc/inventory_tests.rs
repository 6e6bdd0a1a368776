//! What an inventory finds, and what it never tells.

use super::testing::*;
use crate::vendor::FoundRemoteUpdate;
use crate::vendor::Inventory;
use crate::vendor::http::testing::*;

#[tokio::test]
async fn an_inventory_has_the_bundle_the_updates_and_the_ends_of_tokens_but_no_token() {
    let get = format!("GET {UPDATE}");
    let other = "/api/console/remote-firmware-updates/2";
    let server = serving(vec![
        (
            LIST.to_owned(),
            listed(
                &[row(UPDATE, "H41", "scheduled"), row(other, "H42", "levitating")],
                &["1796349600000", "null"],
            ),
        ),
        (get, element(UPDATE, "H41", "scheduled")),
        (format!("GET {other}"), error(404, 1, "gone")),
    ])
    .await;
    let found = client(&server).inventory(None).await.unwrap();
    let scheduled = Some("2026-11-28T02:00:00Z".parse().unwrap());
    let update = |uri: &str, bundle: &str, state: &str, pending| FoundRemoteUpdate {
        element_uri: uri.to_owned(),
        scheduled,
        target_bundle: Some(bundle.to_owned()),
        state: state.to_owned(),
        pending,
    };
    let expected = Inventory::Hmc {
        bundle: "H30".to_owned(),
        updates: vec![
            update(UPDATE, "H41", "scheduled", Some(vec!["peer-busy".to_owned()])),
            update(other, "H42", "levitating", None),
        ],
        tokens: vec!["2026-12-04T02:00:00Z".parse().unwrap()],
    };
    assert_eq!(found, expected);
    assert!(!format!("{found:?}").contains("canary"));
}

#[tokio::test]
async fn a_filter_is_the_consoles_and_one_that_it_does_not_know_is_told_in_its_words() {
    let server = serves([
        ("GET /api/console/remote-firmware-updates?state=scheduled", listed(&[], &[])),
        (
            "GET /api/console/remote-firmware-updates?state=a%26b",
            error(400, 14, "state is not valid"),
        ),
    ])
    .await;
    let hmc = client(&server);
    assert!(matches!(hmc.inventory(Some("scheduled")).await, Ok(Inventory::Hmc { .. })));
    let error = hmc.inventory(Some("a&b")).await.unwrap_err();
    assert_eq!((error.reason(), error.label()), ("InvalidStateFilter", "refused"));
    let message = error.message();
    assert!(
        message.contains("\"a&b\"") && message.contains("400.14: state is not valid"),
        "{message}"
    );
}

#[tokio::test]
async fn an_inventory_of_what_may_not_be_seen_says_which_right_is_missing() {
    let server = serves([(LIST, error(403, 1, "no"))]).await;
    let error = client(&server).inventory(None).await.unwrap_err();
    assert_eq!(error.reason(), "MissingPermission");
    assert!(error.message().contains("Manage Remote Firmware Updates"), "{error}");
    // Without a filter there is none to blame.
    let server = serves([(LIST, super::testing::error(400, 14, "no"))]).await;
    assert_eq!(client(&server).inventory(None).await.unwrap_err().reason(), "Unreachable");
    let server = serves([(CONSOLE_CALL, json(200, r#"{"name":"HMC1"}"#))]).await;
    assert_eq!(client(&server).inventory(None).await.unwrap_err().reason(), "Unsupported");
}
