//! Remote firmware updates as the customer's API has them: list, look, authorize, delete. It schedules none [C]: that is `ibm`.
//!
//! Called by `api` under the state's lock.

use jiff::Timestamp;
use serde_json::json;

use super::super::log::{Log, Start};
use super::super::vendor::{Reply, Request};
use super::TARGET;
use super::settings::Settings;
use super::state::Inner;
use super::update::Stage;
use super::wire::Refusal;

/// The states that a list may be asked for: those that are documented [C], and those that this console has besides.
fn is_state(word: &str, settings: &Settings) -> bool {
    let documented = ["scheduled", "running", "scheduled-on-peer"].contains(&word);
    documented || (settings.ended_updates_listed && [&settings.state_succeeded, &settings.state_failed].contains(&&word.to_owned()))
}

/// 200 with the updates and the tokens [C].
pub(super) fn list(inner: &Inner, query: &[(String, String)], now: Timestamp) -> Result<Reply, Refusal> {
    let settings = &inner.settings;
    let wanted = query.iter().find(|(name, _)| name == "state").map(|(_, state)| state.as_str());
    if let Some(word) = wanted.filter(|word| !is_state(word, settings)) {
        return Err(Refusal::invalid(14, format!("{word} is not a state.")));
    }
    let shown = inner
        .updates
        .iter()
        .filter(|update| wanted.is_none_or(|word| update.word(settings) == word));
    let updates: serde_json::Value = shown.map(|update| update.info(settings)).collect();
    Ok(Reply::json(
        200,
        json!({"remote-firmware-updates": updates, "remote-firmware-update-tokens": inner.tokens.listed(now, settings)}),
    ))
}

/// 200 with all properties of one [C].
pub(super) fn look(inner: &Inner, id: &str, now: Timestamp) -> Result<Reply, Refusal> {
    let update = inner.updates.iter().find(|update| update.id == id).ok_or_else(Refusal::no_object)?;
    Ok(Reply::json(200, update.properties(now, &inner.console, &inner.settings)))
}

/// 204: it is no more, if it has not begun [C].
pub(super) fn delete(inner: &mut Inner, id: &str) -> Result<Reply, Refusal> {
    let update = inner.updates.iter().find(|update| update.id == id).ok_or_else(Refusal::no_object)?;
    if !update.waits() {
        let text = match update.stage {
            Stage::Running { .. } => "The update is running.",
            _ => "The update has already completed.",
        };
        return Err(Refusal::new(409, inner.settings.delete_conflict_reason, text));
    }
    inner.updates.retain(|update| update.id != id);
    Ok(Reply::empty(204))
}

/// 200 with one more token [C]. It is counted among what was granted, and begins nothing.
pub(super) fn authorize(inner: &mut Inner, log: &Log, request: &Request, now: Timestamp) -> Result<Reply, Refusal> {
    let token = inner.tokens.create(now, &inner.settings)?;
    log.grant(Start {
        target: TARGET.to_owned(),
        // A token is for whatever IBM schedules with it.
        version: String::new(),
        options: json!({}),
        user_agent: request.user_agent().to_owned(),
        at: now,
        request: request.number,
    });
    Ok(Reply::json(200, token.json(&inner.settings)))
}
