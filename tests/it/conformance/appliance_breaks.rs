//! That the check can fail: what breaks the appliance's specification is seen, on the side that breaks it.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::appliance::enter;
use super::appliance::retrieve;
use super::book::Side;
use super::front::Front;
use super::prism::Prism;
use super::script::Script;
use super::spec::Spec;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::appliance::Appliance;
use crate::sim::appliance::BASE;
use crate::sim::appliance::InstallAnswer;
use crate::sim::appliance::PASSWORD;
use crate::sim::appliance::SESSION_HEADER;
use crate::sim::appliance::Settings;
use crate::sim::appliance::USER;
use crate::sim::appliance::UpdatesForm;
use crate::sim::appliance::VERSION_NEW;

/// Wrong requests, wrong answers, and the toggles of the simulator that break the specification on purpose.
pub async fn are_seen(prism: &Prism, spec: &Spec, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    // A book of its own: what is meant to be wrong is not held against anybody.
    let front = Front::start(prism.url()).await?;
    let mut script = Script::new(&front, BASE, SESSION_HEADER)?;
    enter(&mut script, USER, PASSWORD).await?;
    requests(&script).await?;
    answers(&script, appliance).await?;
    toggles(&script, appliance).await?;
    front.book().assert_counted(spec)
}

async fn requests(script: &Script<'_>) -> anyhow::Result<()> {
    let bare = [
        (Method::GET, "/tasks"),
        (Method::GET, "/appliance"),
        (Method::POST, "/session"),
        (Method::POST, "/appliance/update-manager/actions/retrieve-updates"),
    ];
    for (method, path) in bare {
        script.breaks(Side::Request, "security", script.bare(method, path)).await?;
    }
    for (word, body) in [("url", json!({"url": 7})), ("mounted_iso", json!({"mounted_iso": "yes"}))] {
        let put = script.request(Method::PUT, "/appliance/update-manager/repository").json(&body);
        script.breaks(Side::Request, word, put).await?;
    }
    Ok(())
}

async fn answers(script: &Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    let links = |links: Value| json!({"list": [], "_meta": {"errors": [], "total": 0, "offset": 0, "limit": 100, "links": links}});
    let href = json!({"href": "/tasks"});
    let one = format!("/tasks/{}", retrieve(script).await?);
    let one = one.as_str();
    let wrong = [
        ("/tasks", json!([]), "object"),
        ("/tasks", links(Value::Null), "links"),
        ("/tasks", links(json!({"self": href, "next": null})), "next"),
        ("/tasks", json!({"list": [{"id": "t", "status": "DONE"}]}), "status"),
        (one, json!({"id": "t"}), "status"),
        (one, json!({"id": "t", "status": "RUNNING", "progress": "half"}), "progress"),
        (one, json!({"id": "t", "status": "ERROR", "error": "no space"}), "error"),
        ("/appliance", json!({"appliance_version": 9}), "appliance_version"),
        ("/session", json!({}), "username"),
    ];
    for (path, body, word) in wrong {
        let with = Some(body);
        appliance.faults().add(Rule::new(Action::WrongType { with }).times(1));
        script.breaks(Side::Response, word, script.request(Method::GET, path)).await?;
    }
    Ok(())
}

async fn toggles(script: &Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    appliance.set(|s| s.updates_form = UpdatesForm::Array);
    let found = retrieve(script).await?;
    appliance.clock().advance(std::time::Duration::from_secs(10));
    for path in [format!("/tasks/{found}"), "/tasks".to_owned()] {
        script.breaks(Side::Response, "result", script.request(Method::GET, &path)).await?;
    }
    appliance.set(|s| *s = Settings::default());
    appliance.set(|s| s.install_answer = InstallAnswer::Empty);
    let path = format!("/appliance/update-manager/updates/{VERSION_NEW}/actions/install");
    script.breaks(Side::Response, "", script.request(Method::POST, &path)).await
}
