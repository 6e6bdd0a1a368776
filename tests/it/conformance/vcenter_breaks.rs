//! That the check can fail: what breaks vCenter's specification is seen, on the side that breaks it.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::book::Side;
use super::front::Front;
use super::prism::Prism;
use super::script::Script;
use super::spec::Spec;
use super::vcenter::API;
use super::vcenter::CLUSTERS;
use super::vcenter::SUBJECT;
use super::vcenter::enter;
use super::vcenter::renew;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::vcenter::ErrorType;
use crate::sim::vcenter::Exception;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::SESSION_HEADER;
use crate::sim::vcenter::Settings;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::VCenter;
use crate::sim::vcenter::VERSION_NEW;

/// Wrong requests, wrong answers, and the toggles of the simulator that break the specification on purpose.
pub async fn are_seen(prism: &Prism, spec: &Spec, vc: &Running<VCenter>) -> anyhow::Result<()> {
    // A book of its own: what is meant to be wrong is not held against anybody.
    let front = Front::start(prism.url()).await?;
    let mut script = Script::new(&front, API, SESSION_HEADER)?;
    enter(&mut script, USER, PASSWORD).await?;
    renew(vc);
    requests(&script).await?;
    toggles(&script, vc).await?;
    answers(&script, vc).await?;
    front.book().assert_counted(spec)
}

async fn requests(script: &Script<'_>) -> anyhow::Result<()> {
    let multiple = format!("{CLUSTERS}?action=upgradeMultiple");
    script.breaks(Side::Request, "security", script.bare(Method::GET, CLUSTERS)).await?;
    script
        .breaks(Side::Request, "security", script.bare(Method::POST, "/session"))
        .await?;
    let bodies = [
        ("desired_version", json!({SUBJECT: {}})),
        ("desired_version", json!({SUBJECT: {"desired_version": 1}})),
        (
            "ignore_precheck_warnings",
            json!({SUBJECT: {"desired_version": VERSION_NEW, "ignore_precheck_warnings": "yes"}}),
        ),
        ("object", json!([SUBJECT])),
    ];
    // The simulator refuses these with 400, which is not documented here: a remark, and no error of the answer.
    for (word, body) in bodies {
        script
            .breaks(Side::Request, word, script.request(Method::POST, &multiple).json(&body))
            .await?;
    }
    let good = json!({SUBJECT: {"desired_version": VERSION_NEW}});
    for query in ["", "?action=upgrade"] {
        let request = script.request(Method::POST, &format!("{CLUSTERS}{query}")).json(&good);
        script.breaks(Side::Request, "action", request).await?;
    }
    script
        .breaks(Side::Request, "Body parameter is required", script.request(Method::POST, &multiple))
        .await
}

async fn toggles(script: &Script<'_>, vc: &Running<VCenter>) -> anyhow::Result<()> {
    for form in [ErrorType::Missing, ErrorType::Null] {
        vc.set(|s| s.error_type = form);
        let request = script.request(Method::GET, &format!("{CLUSTERS}/domain-c404"));
        script.breaks(Side::Response, "error_type", request).await?;
    }
    vc.set(|s| (s.error_type, s.exception) = (ErrorType::Present, Exception::Text));
    let refused = json!({SUBJECT: {"desired_version": "v0.0.1"}});
    let request = script.request(Method::POST, &format!("{CLUSTERS}?action=upgradeMultiple"));
    script.breaks(Side::Response, "exception", request.json(&refused)).await?;
    vc.set(|s| *s = Settings::default());
    Ok(())
}

async fn answers(script: &Script<'_>, vc: &Running<VCenter>) -> anyhow::Result<()> {
    let one = format!("{CLUSTERS}/{SUBJECT}");
    let info = |state: &str, details: Value| {
        let message = json!({"severity": "INFO", "details": details});
        json!({"current_version": "1", "available_versions": [], "messages": [message], "state": state})
    };
    let details = json!({"id": "a", "default_message": "b", "args": []});
    let wrong = [
        (CLUSTERS, json!({"value": []}), "array"),
        (one.as_str(), info("UPGRADING", details), "state"),
        (one.as_str(), info("READY", json!("a text")), "details"),
        ("/session", json!({"user": USER}), "created_time"),
    ];
    for (path, with, word) in wrong {
        vc.faults().add(Rule::new(Action::WrongType { with: Some(with) }).times(1));
        script.breaks(Side::Response, word, script.request(Method::GET, path)).await?;
    }
    for with in [json!({SUBJECT: {"res": "DENIED"}}), json!({SUBJECT: "STARTED"})] {
        vc.faults().add(Rule::new(Action::WrongType { with: Some(with) }).times(1));
        let start = script.request(Method::POST, &format!("{CLUSTERS}?action=upgradeMultiple"));
        let start = start.json(&json!({SUBJECT: {"desired_version": "v0.0.1"}}));
        script.breaks(Side::Response, SUBJECT, start).await?;
    }
    Ok(())
}
