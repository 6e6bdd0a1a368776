//! What becomes of a start: what it says, the decision, and its commit. And of somebody else's.
//!
//! Called by `api` and by tests, under the state's lock. There is no job and no id of an upgrade [C]: afterwards only the devices tell.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::log::{Log, Start};
use super::super::vendor::{Reply, ReplyBody, Request};
use super::estate::{customer, group_number};
use super::kind::{Kind, Shelf};
use super::settings::{Downgrade, Ignored, NothingToDo, PastSchedule, SecondStart, Settings, StartAnswer};
use super::state::Inner;
use super::unit::{Diligence, Ends, Order, Pace, Unit};
use super::wire::Refusal;

/// The version of a committed start that names none: each device goes to its own.
pub const RECOMMENDED: &str = "recommended";

/// What may be in a start [C].
const FIELDS: [&str; 5] = [
    "device_type",
    "firmware_scheduled_at",
    "firmware_version",
    "reboot",
    "exclude_groups",
];

/// What a start asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(rename = "device_type")]
    pub kind: Kind,
    #[serde(default, rename = "firmware_version")]
    pub version: Option<String>,
    /// Seconds since 1970.
    #[serde(default, rename = "firmware_scheduled_at")]
    pub scheduled_at: Option<i64>,
    #[serde(default)]
    pub reboot: Option<bool>,
    #[serde(default, rename = "exclude_groups")]
    pub excluded: Vec<String>,
}

impl Wanted {
    /// All devices of this type, to this version, now, with a reboot.
    pub fn new(kind: Kind, version: &str) -> Self {
        Self {
            kind,
            version: Some(version.to_owned()),
            scheduled_at: None,
            reboot: (kind != Kind::Iap).then_some(true),
            excluded: Vec::new(),
        }
    }

    /// At that time.
    #[must_use]
    pub fn at(mut self, secs: i64) -> Self {
        self.scheduled_at = Some(secs);
        self
    }

    /// But not the devices of this group.
    #[must_use]
    pub fn without(mut self, group: &str) -> Self {
        self.excluded.push(group.to_owned());
        self
    }

    /// From the body of a request, strictly.
    pub(super) fn parse(body: &Map<String, Value>, settings: &Settings) -> Result<Self, Refusal> {
        if let Some(name) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(Refusal::combination(format!("Unsupported parameter ({name})"), settings));
        }
        let kind = kind(body, settings)?;
        let version = match body.get("firmware_version") {
            None => None,
            Some(version) => Some(version.as_str().ok_or_else(|| Refusal::value("firmware_version", settings))?),
        };
        let scheduled_at = match body.get("firmware_scheduled_at") {
            None => None,
            // An int32 [C]: milliseconds are none.
            Some(at) => {
                let secs = at.as_i64().filter(|secs| (0..=i64::from(i32::MAX)).contains(secs));
                Some(secs.ok_or_else(|| Refusal::value("firmware_scheduled_at", settings))?)
            }
        };
        let reboot = match body.get("reboot") {
            None => None,
            Some(reboot) => Some(reboot.as_bool().ok_or_else(|| Refusal::value("reboot", settings))?),
        };
        if kind == Kind::Iap && reboot.is_some() && settings.iap_reboot == Ignored::Refused {
            return Err(Refusal::combination("reboot does not apply to IAP", settings));
        }
        Ok(Self {
            kind,
            version: version.map(str::to_owned),
            scheduled_at,
            reboot,
            excluded: excluded(body, settings)?,
        })
    }

    /// When it is to begin: now, unless it says something else [C].
    fn due(&self, now: Timestamp) -> Timestamp {
        let given = self.scheduled_at.and_then(|secs| Timestamp::from_second(secs).ok());
        given.unwrap_or(now)
    }
}

/// `device_type`, which has to be there [C].
pub(super) fn kind(body: &Map<String, Value>, settings: &Settings) -> Result<Kind, Refusal> {
    let word = body.get("device_type").ok_or_else(|| Refusal::missing("device_type", settings))?;
    let known = word.as_str().and_then(Kind::parse);
    known.ok_or_else(|| Refusal::value("device_type", settings))
}

/// `exclude_groups`: a text with a list of texts in it [C].
pub(super) fn excluded(body: &Map<String, Value>, settings: &Settings) -> Result<Vec<String>, Refusal> {
    let Some(given) = body.get("exclude_groups") else {
        return Ok(Vec::new());
    };
    let list = given.as_str().and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    list.ok_or_else(|| Refusal::value("exclude_groups", settings))
}

/// The numbers of these groups.
pub(super) fn groups(names: &[String], inner: &Inner) -> Result<Vec<u16>, Refusal> {
    let number = |name: &String| group_number(name).filter(|number| *number < inner.estate.groups);
    if inner.settings.unknown_group == Ignored::Refused && names.iter().any(|name| number(name).is_none()) {
        return Err(Refusal::value("exclude_groups", &inner.settings));
    }
    Ok(names.iter().filter_map(number).collect())
}

/// An answer that is good [C: 200, a text], or a refusal. Whatever is answered well is counted.
pub(super) fn start(
    inner: &mut Inner,
    log: &Log,
    request: &Request,
    id: &str,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<Reply, Refusal> {
    let wanted = Wanted::parse(body, &inner.settings)?;
    let number = inner.number(id)?;
    let ordered = begin(inner, number, &wanted, now)?;
    log.commit(entry(number, &wanted, ordered, now, request.user_agent(), request.number));
    Ok(answer(inner.settings.start_answer))
}

/// Somebody else begins one at the console of Central: devices move, and no committed start is counted.
pub(super) fn elsewhere(inner: &mut Inner, log: &Log, number: u16, wanted: &Wanted, now: Timestamp) -> Result<usize, Refusal> {
    let ordered = begin(inner, number, wanted, now)?;
    log.note_elsewhere(entry(number, wanted, ordered, now, "somebody else", 0));
    Ok(ordered)
}

/// The name of a target in the log.
pub fn target(id: &str, kind: Kind) -> String {
    format!("customer/{id}/{}", kind.word())
}

fn entry(number: u16, wanted: &Wanted, ordered: usize, at: Timestamp, user_agent: &str, request: u64) -> Start {
    Start {
        target: target(&customer(number), wanted.kind),
        version: wanted.version.clone().unwrap_or_else(|| RECOMMENDED.to_owned()),
        options: json!({
            "firmware_scheduled_at": wanted.scheduled_at,
            "reboot": wanted.reboot,
            "exclude_groups": wanted.excluded,
            "devices": ordered,
        }),
        user_agent: user_agent.to_owned(),
        at,
        request,
    }
}

/// What a start finds when it looks at one unit.
struct Plan<'a> {
    wanted: &'a Wanted,
    excluded: Vec<u16>,
    shelf: Shelf,
    settings: &'a Settings,
}

impl Plan<'_> {
    fn in_scope(&self, unit: &Unit) -> bool {
        !self.excluded.contains(&unit.group)
    }

    fn version<'a>(&'a self, unit: &Unit) -> &'a str {
        let recommended = || self.shelf.model(unit.model).recommended.as_str();
        self.wanted.version.as_deref().unwrap_or_else(recommended)
    }

    fn downgrades(&self, unit: &Unit) -> bool {
        self.shelf.older(self.version(unit), &unit.version)
    }

    /// Is it one that will be ordered to go somewhere?
    fn takes(&self, unit: &Unit) -> bool {
        let stays = self.downgrades(unit) && self.settings.downgrade == Downgrade::Skipped;
        let busy = unit.order().is_some() && self.settings.second_start == SecondStart::Ignored;
        let away = !unit.online() && !self.settings.offline_takes_orders;
        // One with an order goes to the new version even from there: what it was told before is not what it is told now.
        let there = *unit.version == *self.version(unit) && unit.order().is_none();
        self.in_scope(unit) && !stays && !busy && !away && !there
    }
}

/// Orders every unit in scope to go; how many there were.
fn begin(inner: &mut Inner, number: u16, wanted: &Wanted, now: Timestamp) -> Result<usize, Refusal> {
    let (settings, pace) = (inner.settings.clone(), inner.pace.clone());
    let plan = Plan {
        wanted,
        excluded: groups(&wanted.excluded, inner)?,
        shelf: inner.shelves.of(wanted.kind).clone(),
        settings: &settings,
    };
    if wanted.version.as_deref().is_some_and(|version| !plan.shelf.has(version)) {
        return Err(Refusal::value("firmware_version", &settings));
    }
    let due = wanted.due(now);
    if due < now && wanted.scheduled_at != Some(now.as_second()) && settings.past_schedule == PastSchedule::Refused {
        return Err(Refusal::value("firmware_scheduled_at", &settings));
    }
    let units = inner.units(number, wanted.kind, now);
    let mut scope = units.iter().filter(|unit| plan.in_scope(unit));
    if settings.second_start == SecondStart::Refused && scope.clone().any(|unit| unit.order().is_some()) {
        return Err(Refusal::general("A firmware upgrade is in progress", &settings));
    }
    if settings.downgrade == Downgrade::Refused && scope.any(|unit| plan.downgrades(unit)) {
        return Err(Refusal::value("firmware_version", &settings));
    }
    match settings.nothing_to_do {
        _ if units.iter().any(|unit| plan.takes(unit)) => {}
        NothingToDo::Taken => {}
        NothingToDo::Refused => return Err(Refusal::general("There is nothing to upgrade", &settings)),
        NothingToDo::NotFound => return Err(Refusal::not_found()),
    }
    let mut ordered = 0;
    for (index, unit) in (0_u32..).zip(units.iter_mut()) {
        if plan.takes(unit) {
            unit.take(order(&plan, &pace, index, unit, due.max(now)));
            ordered += 1;
        }
    }
    Ok(ordered)
}

/// What this unit is told to do, and what will come of it.
fn order(plan: &Plan<'_>, pace: &Pace, index: u32, unit: &Unit, due: Timestamp) -> Order {
    let every = |n: u32| (index + 1).is_multiple_of(n.max(1));
    let ends = if every(pace.ends_every) { &pace.ends } else { &Ends::Success };
    let diligence = match plan.wanted.kind {
        Kind::Cx if every(pace.cx_every) => pace.cx,
        _ => Diligence::Moves,
    };
    Order {
        version: Arc::from(plan.version(unit)),
        due,
        // Access points always reboot [C].
        reboot: plan.wanted.kind == Kind::Iap || plan.wanted.reboot.unwrap_or_default(),
        download_secs: pace.download_secs.saturating_add(u64::from(index) * pace.stagger_secs),
        reboot_secs: pace.reboot_secs,
        ends: unit.ends.clone().unwrap_or_else(|| ends.clone()),
        diligence: unit.diligence.unwrap_or(diligence),
    }
}

fn answer(form: StartAnswer) -> Reply {
    let text = json!("Firmware upgrade initiated");
    match form {
        StartAnswer::Text => Reply::json(200, text),
        StartAnswer::EmptyText => Reply::json(200, json!("")),
        StartAnswer::Object => Reply::json(200, json!({"status": "success"})),
        StartAnswer::Null => Reply::json(200, Value::Null),
        StartAnswer::Page => Reply {
            status: 200,
            headers: Vec::new(),
            body: ReplyBody::Other("text/html", b"<html><body>OK</body></html>".to_vec()),
        },
        StartAnswer::Empty => Reply::empty(200),
        StartAnswer::Created => Reply::json(201, text),
        StartAnswer::Accepted => Reply::json(202, text),
        StartAnswer::NoContent => Reply::empty(204),
    }
}
