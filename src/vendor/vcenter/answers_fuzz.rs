//! Everything that vCenter can say, said wrong: nothing panics, nothing is guessed, and what people get to see stays short.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::answers::judge;
use super::session;
use super::sights::of_info;
use super::sights::of_summary;
use super::wire;
use crate::upgrade::receipt::Answer;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Mono;
use crate::vendor::mutated;
use crate::vendor::seam::Asked;
use crate::vendor::text;

const CLUSTER: &str = "domain-c8";

fn asked() -> Asked {
    Asked {
        mono: Mono::default(),
        at: Timestamp::UNIX_EPOCH,
        authority: Authority::from_url("https://vc1.example").unwrap(),
    }
}

fn message(text: &str) -> Value {
    json!({"id": "com.vmware.x", "default_message": text, "localized": text, "args": ["esx7"]})
}

fn info() -> Value {
    json!({"state": "PENDING", "current_version": "v1.29.7+vmware.1", "desired_version": "v1.30.5+vmware.2",
        "available_versions": ["v1.30.5+vmware.2"], "last_upgraded_date": "2026-01-01T00:00:00.000Z",
        "messages": [{"severity": "ERROR", "details": message("node 2 is stuck")}],
        "upgrade_prechecks": [{"type": "T", "status": "FALSE", "description": message("not enough space")}],
        "upgrade_status": {"desired_version": "v1.30.5+vmware.2", "messages": [],
            "progress": {"total": 3, "completed": 1, "message": message("node 2")},
            "components": [{"status": "FALSE", "description": message("etcd")}]}})
}

fn summary() -> Value {
    json!({"cluster": CLUSTER, "cluster_name": "lab-a", "state": "READY", "current_version": "v1.29", "desired_version": "v1.30",
        "available_versions": ["v1.30"]})
}

fn errors() -> Vec<Value> {
    vec![
        json!({"error_type": "RESOURCE_BUSY", "messages": [message("busy")]}),
        json!({"type": "com.vmware.vapi.std.errors.unsupported", "value": {"messages": [message("no")]}}),
    ]
}

fn results() -> Vec<Value> {
    vec![
        json!({CLUSTER: {"res": "STARTED"}}),
        json!({CLUSTER: {"res": "REJECTED", "exception": {"error_type": "ERROR", "messages": [message("pre-check")]}}}),
    ]
}

/// Fit for a status: one line, short, printable.
fn fit(text: &str) -> bool {
    text.chars().count() <= text::LONGEST && !text.chars().any(char::is_control)
}

fn check(sight: &Sight) -> Result<(), TestCaseError> {
    let words = sight
        .looks
        .iter()
        .flat_map(|l| [Some(&l.version), l.desired.as_ref(), l.stamp.as_ref()])
        .flatten();
    let offered = match &sight.offered {
        Offered::Versions(versions) => versions.as_slice(),
        Offered::Unasked | Offered::Untold | Offered::Unavailable { .. } => &[],
    };
    for word in words.chain(offered).chain(&sight.identity).chain(&sight.says) {
        prop_assert!(fit(word), "{word:?}");
    }
    prop_assert!(offered.len() <= 64);
    match &sight.motion {
        Motion::NotSeen { why, .. } => {
            prop_assert!(fit(why));
            prop_assert!(sight.looks.is_none() && !sight.complete);
        }
        Motion::Moving { toward, progress } => {
            prop_assert!(toward.as_ref().is_none_or(|t| fit(t)) && progress.is_none_or(|p| (0..=100).contains(&p)));
        }
        Motion::Still => {}
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_cluster_of_any_shape_is_seen_right_or_not_at_all(value in mutated::value(vec![info(), summary()])) {
        let sight = of_info(&asked(), &value);
        check(&sight)?;
        let state = value.get("state").and_then(Value::as_str);
        prop_assert!(sight.motion != Motion::Still || matches!(state, Some("READY" | "ERROR")), "{value}");
        prop_assert!(!matches!(sight.motion, Motion::Moving { .. }) || state == Some("PENDING"), "{value}");
        if let Some((cluster, sight)) = of_summary(&asked(), &value) {
            prop_assert!(value.get("cluster").and_then(Value::as_str) == Some(cluster.as_str()) && fit(&cluster));
            check(&sight)?;
        }
    }

    #[test]
    fn an_answer_to_a_start_is_accepted_only_as_documented(
        status in prop_oneof![Just(200_u16), Just(400), Just(401), Just(429), Just(500), any::<u16>()],
        body in mutated::bytes([results(), errors()].concat()),
        broken in any::<bool>(),
    ) {
        let answer = judge(CLUSTER, status, None, (!broken).then_some(&body));
        match &answer {
            Answer::Accepted { .. } => {
                let value: Value = serde_json::from_slice(&body).unwrap();
                prop_assert!(status == 200 && !broken && value[CLUSTER]["res"] == "STARTED", "{value}");
                prop_assert_eq!(value.as_object().unwrap().len(), 1);
            }
            Answer::Rejected { message } => {
                prop_assert!(fit(message) && !broken && (status == 200 || (400..500).contains(&status)));
                let value = serde_json::from_slice::<Value>(&body).unwrap_or_default();
                prop_assert!(status != 200 || value[CLUSTER]["res"] == "REJECTED", "{value}");
            }
            Answer::NotTaken { message, .. } => prop_assert!(fit(message) && (400..500).contains(&status)),
            Answer::Lost { message } => prop_assert!(fit(message)),
        }
    }

    #[test]
    fn an_error_of_any_shape_is_told_in_few_words(body in mutated::bytes([errors(), vec![info(), summary()]].concat())) {
        prop_assert!(fit(&wire::said(Some(&body))));
        if let Some(error) = wire::ApiError::read(&body) {
            prop_assert!(error.text.as_deref().is_none_or(fit) && error.error_type.as_deref().is_none_or(fit));
        }
        if let Some(value) = wire::json(&body) {
            prop_assert!(wire::texts(&value).as_deref().is_none_or(fit));
            prop_assert!(wire::word(&value, "error_type").as_deref().is_none_or(fit));
        }
    }

    #[test]
    fn a_session_id_is_a_string_that_fits_in_a_header(body in mutated::bytes(vec![json!("d0f1b2c3"), json!({"value": "d0f1b2c3"})])) {
        use secrecy::ExposeSecret;
        if let Some(token) = session::token_of(&body) {
            let token = token.expose_secret();
            prop_assert!((1..=4096).contains(&token.len()) && reqwest::header::HeaderValue::from_str(token).is_ok());
            prop_assert_eq!(serde_json::from_slice::<String>(&body).unwrap(), token);
        }
    }

    #[test]
    fn no_number_of_texts_or_depth_makes_words_long(texts in prop::collection::vec(".{0,60}", 0..200), depth in 0..300_usize) {
        let mut value = json!({"messages": texts, "message": texts});
        for _ in 0..depth {
            let mut outer = serde_json::Map::new();
            outer.insert("details".to_owned(), json!("x"));
            outer.insert("value".to_owned(), Value::Array(vec![value]));
            value = Value::Object(outer);
        }
        prop_assert!(wire::texts(&value).as_deref().is_none_or(fit));
        prop_assert!(wire::join(texts).as_deref().is_none_or(fit));
    }
}
