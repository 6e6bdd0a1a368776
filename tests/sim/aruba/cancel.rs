//! Cancels: what was ordered and has not begun is taken back.
//!
//! Called by `api` and by tests, under the state's lock. Documented for what is scheduled only [C]: no call takes back a download or a
//! reboot. That a cancel was taken is told by an answer and by the devices, whose versions stay.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::vendor::{Reply, Request};
use super::estate::customer;
use super::kind::Kind;
use super::settings::Ignored;
use super::state::Inner;
use super::upgrade::{excluded, groups, kind};
use super::wire::Refusal;

/// A cancel that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cancel {
    pub customer: String,
    #[serde(rename = "device_type")]
    pub kind: Kind,
    pub user_agent: String,
    pub at: Timestamp,
    /// How many devices had something to take back.
    pub devices: usize,
}

/// Which of the four paths it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// Of one customer, by its id.
    Customer { id: &'a str, version: u8 },
    /// Of all.
    All { version: u8 },
}

impl Form<'_> {
    /// What may be in the body [C].
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Customer { version: 1, .. } => &["device_type", "exclude_groups"],
            Self::Customer { .. } => &["device_type"],
            Self::All { version: 1 } => &["device_type", "exclude_groups", "exclude_customers"],
            Self::All { .. } => &["device_type", "exclude_customers"],
        }
    }
}

/// 200 with a text [U].
pub(super) fn cancel(
    inner: &mut Inner,
    request: &Request,
    form: Form<'_>,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<Reply, Refusal> {
    if let Some(name) = body.keys().find(|name| !form.fields().contains(&name.as_str())) {
        let text = format!("Unsupported parameter ({name})");
        return Err(Refusal::combination(text, &inner.settings));
    }
    let kind = kind(body, &inner.settings)?;
    let groups = groups(&excluded(body, &inner.settings)?, inner)?;
    match form {
        Form::Customer { id, .. } => {
            let number = inner.number(id)?;
            take_back(inner, number, kind, &groups, request.user_agent(), now)?;
        }
        Form::All { .. } => {
            let given = body
                .get("exclude_customers")
                .map(|given| given.as_str().map(serde_json::from_str::<Vec<String>>));
            let spared = match given {
                None => Vec::new(),
                Some(Some(Ok(list))) => list,
                Some(_) => return Err(Refusal::value("exclude_customers", &inner.settings)),
            };
            for number in inner.customers() {
                if !spared.contains(&customer(number)) {
                    take_back(inner, number, kind, &groups, request.user_agent(), now)?;
                }
            }
        }
    }
    Ok(Reply::json(200, json!("Firmware upgrade cancelled")))
}

/// Takes back what these devices were ordered and have not begun; how many there were.
pub(super) fn take_back(inner: &mut Inner, number: u16, kind: Kind, spared: &[u16], who: &str, now: Timestamp) -> Result<usize, Refusal> {
    let settings = inner.settings.clone();
    let units = inner.units(number, kind, now);
    let scope = || units.iter().filter(|unit| !spared.contains(&unit.group) && unit.order().is_some());
    if settings.cancel_running == Ignored::Refused && scope().any(|unit| !unit.waits(now)) {
        return Err(Refusal::general("A firmware upgrade is in progress", &settings));
    }
    if settings.cancel_nothing == Ignored::Refused && !scope().any(|unit| unit.waits(now)) {
        return Err(Refusal::general("No firmware upgrade is scheduled", &settings));
    }
    let mut devices = 0;
    for unit in units.iter_mut().filter(|unit| !spared.contains(&unit.group) && unit.waits(now)) {
        unit.cancel();
        devices += 1;
    }
    inner.cancels.push(Cancel {
        customer: customer(number),
        kind,
        user_agent: who.to_owned(),
        at: now,
        devices,
    });
    Ok(devices)
}
