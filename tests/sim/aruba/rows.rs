//! The forms of what is told of devices and swarms, written by hand from the one real row that is public and the vendor's examples [C].
//!
//! Called by `reads`. Bodies are built as values, field by field, so that each can be compared with the documents by eye.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::vendor::{Reply, ReplyBody};
use super::estate::{Place, group};
use super::kind::{Kind, Shelf};
use super::settings::{ScheduledAt, Settings, SwarmCount, Unscheduled};
use super::unit::{Stage, Unit};

/// What is needed to tell of a unit.
pub struct Teller<'a> {
    pub shelf: &'a Shelf,
    pub settings: &'a Settings,
    pub now: Timestamp,
}

impl Teller<'_> {
    fn upgrade_required(&self, unit: &Unit) -> bool {
        self.shelf.older(&unit.version, &self.shelf.model(unit.model).recommended)
    }

    /// `{"state", "reason", "firmware_scheduled_at"?}` [C]
    pub fn status(&self, unit: &Unit) -> Value {
        let stage = unit.stage(self.now);
        let word = self.settings.words.of(stage, self.upgrade_required(unit));
        let mut status = Map::new();
        status.insert("state".to_owned(), json!(word.state));
        status.insert("reason".to_owned(), json!(word.reason));
        let unscheduled = match self.settings.unscheduled {
            Unscheduled::Absent => None,
            Unscheduled::Zero => Some(json!(0)),
            Unscheduled::Null => Some(Value::Null),
        };
        if let Some(at) = self.scheduled_at(unit, stage).map(|at| json!(at)).or(unscheduled) {
            status.insert("firmware_scheduled_at".to_owned(), at);
        }
        Value::Object(status)
    }

    fn scheduled_at(&self, unit: &Unit, stage: Stage) -> Option<i64> {
        let due = unit.order()?.due;
        let shows = match self.settings.scheduled_at {
            ScheduledAt::UntilDone => true,
            ScheduledAt::UntilDue => stage == Stage::Scheduled && self.now < due,
            ScheduledAt::Never => false,
        };
        shows.then(|| due.as_second().saturating_add(self.settings.scheduled_at_off_secs))
    }

    /// One unit, as a list and a look at it alone have it [C].
    pub fn row(&self, place: Place, unit: &Unit) -> Value {
        let up = if unit.up(self.now) {
            &self.settings.status_up
        } else {
            &self.settings.status_down
        };
        let model = self.shelf.model(unit.model);
        let mut row = json!({
            "firmware_version": *unit.version,
            "recommended": model.recommended,
            "upgrade_required": self.upgrade_required(unit),
            "device_status": up,
            "status": self.status(unit),
        });
        if place.kind == Kind::Iap {
            row["swarm_id"] = json!(place.id());
            row["swarm_name"] = json!(place.name());
            row["aps_count"] = json!(unit.aps);
            row["aps"] = (0..unit.aps)
                .map(|n| {
                    json!({
                        "serial": place.ap(n),
                        "mac_address": place.mac(n),
                        "name": format!("{}-ap-{n}", place.name()),
                        "model": model.name,
                    })
                })
                .collect();
        } else {
            row["serial"] = json!(place.id());
            row["hostname"] = json!(place.name());
            row["mac_address"] = json!(place.mac(0));
            row["model"] = json!(model.name);
            row["is_stack"] = json!(false);
            row["is_reboot_enable"] = json!(true);
        }
        row
    }

    /// What is told of a tenant where rows are not: counts [U, all of it].
    pub fn counts(&self, customer: &str, kind: Kind, units: &[Unit]) -> Value {
        let told = || units.iter().filter(|unit| unit.told);
        let mut versions = BTreeMap::<&str, u64>::new();
        for unit in told() {
            *versions.entry(&unit.version).or_default() += 1;
        }
        json!({
            "tenant_id": customer,
            "device_type": kind.word(),
            "total": told().count(),
            "upgrade_required": told().filter(|unit| self.upgrade_required(unit)).count(),
            "versions": versions.iter().map(|(version, n)| json!({"firmware_version": version, "count": n})).collect::<Value>(),
        })
    }
}

/// A page of a list [C].
pub struct Page {
    pub rows: Vec<Value>,
    pub swarms: bool,
    pub total: usize,
}

impl Page {
    pub fn json(mut self, settings: &Settings) -> Value {
        if settings.rows_missing_every > 0 {
            let mut n = 0;
            self.rows.retain(|_| {
                n += 1;
                n % settings.rows_missing_every != 0
            });
        }
        if !self.swarms {
            return json!({"devices": self.rows});
        }
        let count = self.rows.len();
        let mut page = json!({"swarms": self.rows});
        match settings.swarm_count {
            SwarmCount::All => page["swarm_count"] = json!(self.total),
            SwarmCount::Page => page["swarm_count"] = json!(count),
            SwarmCount::Absent => {}
        }
        page
    }
}

/// Written out at once: what is remembered of the answers of three hundred customers is then no larger than what they were sent.
pub fn written(body: &Value) -> Reply {
    Reply {
        status: 200,
        headers: Vec::new(),
        body: ReplyBody::Other("application/json", body.to_string().into_bytes()),
    }
}

/// Is the unit in the group of this name?
pub fn in_group(unit: &Unit, name: Option<&str>) -> bool {
    name.is_none_or(|name| group(unit.group) == name)
}
