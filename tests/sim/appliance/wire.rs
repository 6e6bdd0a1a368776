//! The forms of the appliance's JSON that are not a task's, written by hand from its published schemas.
//!
//! Called by the rest of this simulator. Bodies are built as values, field by field, so that each can be compared with the schema
//! by eye; the one request type refuses what the schema does not name.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::vendor::{Reply, ReplyBody};
use super::machine::{Machine, Service, Update};
use super::settings::{Denial, ErrorBody, ListMeta, Settings, UpdatesForm};

/// Why a request gets no further: the status, and what a ResponseError would say. The codes are [U].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub text: String,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, code, text }
    }

    /// 400.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(400, "INVALID_REQUEST", text)
    }

    /// 401: no session, or none any more.
    pub fn no_session() -> Self {
        Self::new(401, "", "")
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(404, "", "")
    }

    /// A login that is refused so.
    pub fn login(how: Denial, code: &'static str, text: &str) -> Self {
        let status = match how {
            Denial::Unauthorized => 401,
            Denial::BadRequest => 400,
            Denial::Forbidden => 403,
        };
        Self::new(status, code, text)
    }
}

/// The answer to a request that gets no further: 401 and 404 have no body [C].
pub fn refuse(refusal: &Refusal, settings: &Settings) -> Reply {
    match error_body(refusal.status, refusal.code, &refusal.text, settings.error_body) {
        Value::Null => Reply::empty(refusal.status),
        body => Reply::json(refusal.status, body),
    }
}

/// `ResponseError` [C], or Null for a status that has none.
pub fn error_body(status: u16, code: &str, text: &str, form: ErrorBody) -> Value {
    match (status, form) {
        (401 | 404, _) => Value::Null,
        (_, ErrorBody::Full) => json!({"error_code": code, "message": text, "op_id": uuid::Uuid::new_v4().to_string()}),
        (_, ErrorBody::MessageOnly) => json!({"message": text}),
        (_, ErrorBody::Empty) => json!({}),
    }
}

/// What a proxy in front says of services that are not up.
pub fn not_up() -> Reply {
    let page = b"<html><body><h1>503 Service Unavailable</h1></body></html>".to_vec();
    Reply {
        status: 503,
        headers: Vec::new(),
        body: ReplyBody::Other("text/html", page),
    }
}

/// Adds `_meta` to a single thing.
pub fn entity(mut of: Value, settings: &Settings) -> Value {
    if settings.entity_meta {
        of["_meta"] = json!({"errors": []});
    }
    of
}

/// A page of a list: `{list, _meta}` [C].
pub struct Page {
    pub list: Vec<Value>,
    pub total: usize,
    pub offset: usize,
    pub limit: usize,
    /// The path of the list, for the links.
    pub path: String,
}

impl Page {
    pub fn json(self, settings: &Settings) -> Value {
        let mut meta = json!({"errors": [], "offset": self.offset, "limit": self.limit});
        if settings.list_meta != ListMeta::WithoutTotal {
            meta["total"] = json!(self.total);
        }
        if settings.list_meta != ListMeta::WithoutLinks {
            meta["links"] = self.links();
        }
        let mut page = json!({"list": self.list});
        if settings.list_meta != ListMeta::Absent {
            page["_meta"] = meta;
        }
        page
    }

    /// A link that leads nowhere is left out: null would break the schema.
    fn links(&self) -> Value {
        let link = |offset: usize| json!({"href": format!("{}?limit={}&offset={offset}", self.path, self.limit)});
        let mut links = Map::from_iter([("self".to_owned(), link(self.offset))]);
        if self.offset > 0 {
            links.insert("previous".to_owned(), link(self.offset.saturating_sub(self.limit)));
        }
        if self.offset + self.list.len() < self.total {
            links.insert("next".to_owned(), link(self.offset + self.list.len()));
        }
        Value::Object(links)
    }
}

/// `ApplianceInfo` [C].
pub fn appliance_info(machine: &Machine) -> Value {
    json!({
        "hostname": machine.hostname,
        "product_name": machine.product_name,
        "product_build_number": machine.product_build_number,
        "appliance_version": machine.appliance_version,
        "appliance_build_number": machine.build_number(),
        "system_information": "Linux 6.1.0, 4 CPUs, 8192 MB",
    })
}

/// `UpdateInfo` [C].
pub fn update_info(update: &Update, settings: &Settings) -> Value {
    let nullable = |value: &str| if settings.update_nulls { Value::Null } else { json!(value) };
    json!({
        "version": update.written(settings.version_form),
        "update_type": nullable("FIX"),
        "release_date": update.release_date,
        "reboot_required": update.reboot_required,
        "severity": nullable("IMPORTANT"),
        "summary": nullable(&update.summary),
        "eula": update.eula,
    })
}

/// The updates as the result of a task; None where there is no result.
pub fn updates(updates: &[Update], settings: &Settings) -> Option<Value> {
    let list: Value = updates.iter().map(|update| update_info(update, settings)).collect();
    match settings.updates_form {
        UpdatesForm::List => Some(json!({"list": list})),
        UpdatesForm::Updates => Some(json!({"updates": list})),
        UpdatesForm::Array => Some(list),
        UpdatesForm::Absent => None,
    }
}

/// `ServiceInfo` [C].
pub fn service_info(service: &Service, booting: bool) -> Value {
    json!({
        "id": service.id,
        "name": service.id,
        "description": service.description,
        "startup_type": "AUTOMATIC",
        "is_running": service.running && !booting,
    })
}

/// `UpdatesRepository` [C]: every field may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repository {
    pub url: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub mounted_iso: bool,
}

impl Repository {
    /// With a mounted ISO the others must be null; with a user there must be a password [C].
    pub fn check(&self) -> Result<(), Refusal> {
        if self.mounted_iso && (self.url.is_some() || self.username.is_some() || self.password.is_some()) {
            return Err(Refusal::invalid("With a mounted ISO, url, username and password must be null."));
        }
        if self.username.is_some() != self.password.is_some() {
            return Err(Refusal::invalid("A username and a password go together."));
        }
        Ok(())
    }

    /// As it is read: the password is never told.
    pub fn shown(&self) -> Value {
        json!({"url": self.url, "username": self.username, "password": null, "mounted_iso": self.mounted_iso})
    }
}
