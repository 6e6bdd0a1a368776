//! Everything that Central can say, said wrong: nothing panics, nothing is guessed, and what people get to see stays short.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use super::answers::judge;
use super::failures::said_in;
use super::look::Pages;
use super::look::Read;
use super::oauth::Verdict;
use super::oauth::verdict;
use super::sights;
use super::wire;
use super::wire::List;
use super::wire::Page;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Motion;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Mono;
use crate::vendor::hush::Hush;
use crate::vendor::mutated;
use crate::vendor::seam::Asked;
use crate::vendor::text;

fn device(serial: &str) -> Value {
    json!({"serial": serial, "hostname": "h", "mac_address": "aa:bb", "model": "6300M", "device_status": "Up", "is_stack": false,
        "firmware_version": "10.11.1021", "recommended": "10.13.1010", "upgrade_required": true, "is_reboot_enable": true,
        "status": {"state": "UPGRADE_SCHEDULED", "reason": "Firmware upgrade is scheduled", "firmware_scheduled_at": 1_795_900_000}})
}

fn swarm(id: &str) -> Value {
    json!({"swarm_id": id, "swarm_name": "s", "firmware_version": "8.10.0.6_87184", "recommended": "8.10.0.12_90066",
        "upgrade_required": true, "device_status": "Down", "aps_count": 2, "status": {"state": "x", "reason": "y"},
        "aps": [{"serial": "a", "mac_address": "b", "name": "c", "model": "AP-515"}, {"serial": "d", "model": "AP-303"}]})
}

fn pages() -> Vec<Value> {
    vec![
        json!({"devices": [device("SN1"), device("SN2"), device("SN3")]}),
        json!({"swarms": [swarm("s1"), swarm("s2")], "swarm_count": 2}),
    ]
}

fn error(code: &str) -> Value {
    json!({"description": "Invalid value (firmware_version)", "error_code": code, "service_name": "Firmware"})
}

fn tokens() -> Value {
    json!({"access_token": "NGY1ZDk", "refresh_token": "cmVmcmVzaA", "expires_in": 7200, "token_type": "bearer"})
}

fn fit(said: &str) -> bool {
    said.chars().count() <= text::LONGEST && text::sanitize(said) == said
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(200_u16),
        Just(400),
        Just(401),
        Just(403),
        Just(404),
        Just(429),
        Just(500),
        any::<u16>()
    ]
}

proptest! {
    #[test]
    fn a_page_of_any_shape_gives_rows_that_fit_into_a_receipt_and_counts_what_it_could_not_read(
        body in mutated::bytes(pages()),
        swarms in any::<bool>(),
    ) {
        let list = if swarms { List::Swarms } else { List::Devices };
        let Some(page) = Page::read(&body, list) else { return Ok(()) };
        prop_assert!(page.rows.len() <= page.listed && (page.broken == (page.rows.len() < page.listed)));
        for row in &page.rows {
            prop_assert!(!row.id.is_empty() && row.id.chars().count() <= 100);
            for name in [&row.model, &row.version].into_iter().chain(&row.recommended) {
                prop_assert!(name.chars().count() <= 64 && text::sanitize(name) == *name);
            }
            prop_assert!(row.scheduled.is_none_or(|at| at > 0));
        }
        let (listed, broken) = (page.listed, page.broken);
        let mut all = Pages::default();
        all.take(page);
        prop_assert!(!broken || all.trouble().is_some());
        prop_assert!(listed > 0 || !all.goes_on(list));
        let distinct = all.rows.len();
        let read = Read { rows: all.rows, complete: true, cost: 1, ..Read::default() };
        let asked = Asked { mono: Mono::default(), at: Timestamp::UNIX_EPOCH, authority: Authority::from_url("https://central.example").unwrap() };
        let sight = sights::of(&asked, read);
        prop_assert!(sight.motion == Motion::Still && sight.looks.is_none());
        prop_assert!(sight.says.as_ref().is_none_or(|said| fit(said)));
        let devices: u32 = sight.fleet.unwrap().lines.iter().map(|line| line.devices).sum();
        prop_assert_eq!(usize::try_from(devices).unwrap(), distinct);
    }

    #[test]
    fn an_answer_to_a_start_is_judged_by_its_status_alone(
        status in status(),
        body in mutated::bytes(vec![json!("Firmware upgrade initiated"), error("0001"), error("0004"), json!({"message": "API rate limit exceeded"})]),
        broken in any::<bool>(),
    ) {
        match judge(status, None, (!broken).then_some(&body), &Hush::of([])) {
            Answer::Accepted { job } => prop_assert!((200..300).contains(&status) && job.is_none()),
            Answer::Rejected { message } => {
                prop_assert!(fit(&message) && (400..500).contains(&status) && !matches!(status, 401 | 408 | 429));
            }
            Answer::NotTaken { reason, message } => {
                prop_assert!(fit(&message));
                let fits = match reason {
                    NotTaken::Unauthorized => status == 401,
                    NotTaken::Throttled { .. } => status == 429,
                    _ => false,
                };
                prop_assert!(fits);
            }
            Answer::Lost { message } => {
                prop_assert!(fit(&message) && (!(200..500).contains(&status) || (300..400).contains(&status) || status == 408));
            }
        }
    }

    #[test]
    fn a_refresh_token_is_dead_only_by_the_word_of_a_service_and_a_pair_fits_into_headers_and_queries(
        status in status(),
        body in mutated::bytes(vec![tokens(), json!({"error": "invalid_grant", "error_description": "Invalid refresh_token"}),
            json!({"error": "invalid_client"}), json!({"message": "API rate limit exceeded"})]),
    ) {
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        match verdict(status, Some(&body), &Hush::of([])) {
            Verdict::Pair(pair) => {
                prop_assert!((200..300).contains(&status));
                for token in [Some(&pair.access), pair.refresh.as_ref()].into_iter().flatten() {
                    let token = token.expose_secret();
                    prop_assert!(!token.is_empty() && reqwest::header::HeaderValue::from_str(token).is_ok());
                }
                prop_assert_eq!(value["access_token"].as_str(), Some(pair.access.expose_secret()));
            }
            Verdict::Dead | Verdict::Client => {
                prop_assert!(matches!(status, 400 | 401 | 403) && value.is_object(), "{} {}", status, value);
            }
            Verdict::TooMany => prop_assert!(matches!(status, 400 | 401 | 403) && value.is_object(), "{} {}", status, value),
            Verdict::Unknown => prop_assert!(!matches!(status, 400 | 401 | 403) || !value["error"].is_string() || value["error"].as_str().is_some_and(|e| !e.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || e.len() > 64)),
        }
        prop_assert!(matches!(verdict(status, None, &Hush::of([])), Verdict::Unknown));
    }

    #[test]
    fn versions_of_any_shape_are_words_or_none(body in mutated::bytes(vec![
        json!([{"firmware_version": "10.13.1010", "release_status": ""}, {"firmware_version": "10.11.1021"}]),
        json!({"versions": [{"firmware_version": "10.13.1010"}]}), json!(["10.13.1010"]), json!({"available": false}),
    ])) {
        let versions: BTreeSet<String> = wire::versions(&body).unwrap_or_default();
        prop_assert!(versions.len() <= 1000 && versions.iter().all(|v| !v.is_empty() && v.len() <= 64 && text::sanitize(v) == *v));
        if !wire::available(&body) {
            let value: Value = serde_json::from_slice(&body).unwrap();
            prop_assert!(value == Value::Bool(false) || value.as_object().is_some_and(|o| o.values().any(|v| v == &Value::Bool(false))));
        }
    }

    #[test]
    fn an_error_of_any_shape_is_told_in_few_words_and_never_with_a_secret(
        body in mutated::bytes(vec![error("0004"), json!({"message": "sesame and more"}), json!({"error": "invalid_token", "error_description": "sesame"})]),
    ) {
        let hush = Hush::of([SecretString::from("sesame")]);
        let said = said_in(Some(&body), &hush);
        prop_assert!(fit(&said) && !said.contains("sesame"), "{}", said);
    }
}

/// Rows of half the size that a body may have: what is kept of them is bounded by the number of rows that a page may have.
#[test]
fn a_page_that_is_all_rows_is_read_without_keeping_them_all() {
    let rows = vec!["{}"; 1_000_000].join(",");
    let page = Page::read(format!(r#"{{"devices":[{rows}]}}"#).as_bytes(), List::Devices).unwrap();
    assert_eq!((page.rows.len(), page.listed, page.broken), (0, 1_000_000, true));
    let aps = vec![r#"{"model":"AP-515"}"#; 200_000].join(",");
    let page = Page::read(
        format!(r#"{{"swarms":[{{"swarm_id":"s","aps":[{aps}]}}]}}"#).as_bytes(),
        List::Swarms,
    )
    .unwrap();
    assert_eq!((page.rows[0].model.as_str(), page.broken), ("AP-515", false));
}
