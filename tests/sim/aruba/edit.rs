//! Changes of Central over the control API; fields that are not given stay.
//!
//! It offers what the handles in process offer (see `state`), in JSON and for people. There are three sorts of targets: [`TARGET`] is Central
//! itself, a customer's id is that customer, and a serial number or a swarm's id is that device.

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use super::estate::{Place, group_number};
use super::kind::Kind;
use super::state::Compliance;
use super::unit::{Diligence, Ends, Pace};
use super::upgrade::Wanted;
use super::{Central, TARGET, oauth};

pub(super) fn apply(central: &Central, target: &str, edit: Value) -> anyhow::Result<Value> {
    if target == TARGET {
        let edit: OfCentral = serde_json::from_value(edit).context("the edit")?;
        return edit.apply(central);
    }
    if Place::parse(target).is_some() {
        let edit: OfUnit = serde_json::from_value(edit).context("the edit")?;
        return edit.apply(central, target);
    }
    let edit: OfCustomer = serde_json::from_value(edit).context("the edit")?;
    edit.apply(central, target)
}

/// What a person does to Central as a whole.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OfCentral {
    /// How upgrades go from now on; all of it.
    pace: Option<Pace>,
    recommend: Option<Recommend>,
    stock: Option<Stock>,
    /// A new pair of tokens for this client.
    issue: Option<String>,
    /// All tokens end.
    revoke: bool,
    /// Somebody else makes so many calls.
    use_up: Option<u64>,
    compliance: Option<Demand>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recommend {
    device_type: Kind,
    /// Without one, all of them.
    model: Option<String>,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stock {
    device_type: Kind,
    /// Oldest first.
    versions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Demand {
    device_type: Kind,
    /// Without one, nothing is demanded any more.
    version: Option<String>,
    #[serde(default)]
    scheduled_at: i64,
}

impl Demand {
    fn apply(self, central: &Central, customer: Option<&str>) -> anyhow::Result<()> {
        let scheduled_at = self.scheduled_at;
        let compliance = self.version.map(|version| Compliance { version, scheduled_at });
        central.set_compliance(customer, self.device_type, compliance)
    }
}

impl OfCentral {
    fn apply(self, central: &Central) -> anyhow::Result<Value> {
        let mut answer = json!({});
        if let Some(pace) = self.pace {
            central.set_pace(|now| *now = pace);
        }
        if let Some(of) = self.stock {
            let versions: Vec<_> = of.versions.iter().map(String::as_str).collect();
            central.stock(of.device_type, &versions);
        }
        if let Some(of) = self.recommend {
            central.recommend(of.device_type, of.model.as_deref(), &of.version)?;
        }
        if let Some(demand) = self.compliance {
            demand.apply(central, None)?;
        }
        if let Some(calls) = self.use_up {
            central.use_up(calls);
        }
        if self.revoke {
            central.revoke();
        }
        if let Some(client_id) = self.issue {
            answer["tokens"] = oauth::told(&central.issue(&client_id)?);
        }
        answer["charged_today"] = json!(central.charged_today());
        Ok(answer)
    }
}

/// What a person does to a customer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OfCustomer {
    /// Somebody else begins an upgrade: no committed start.
    start: Option<Wanted>,
    /// Somebody else cancels what is scheduled for this type.
    cancel: Option<Kind>,
    /// Somebody reboots the devices of this type that wait for it.
    reboot: Option<Kind>,
    compliance: Option<Demand>,
    /// It leaves, or is back.
    gone: Option<bool>,
}

impl OfCustomer {
    fn apply(self, central: &Central, id: &str) -> anyhow::Result<Value> {
        match self.gone {
            Some(true) => central.remove_customer(id)?,
            Some(false) => central.return_customer(id)?,
            // An edit of nobody is a mistake, also where it asks for nothing.
            None => drop(central.units(id, Kind::Iap)?),
        }
        let mut answer = json!({"customer": id});
        if let Some(wanted) = self.start {
            answer["ordered"] = json!(central.start_elsewhere(id, &wanted)?);
        }
        if let Some(kind) = self.cancel {
            answer["cancelled"] = json!(central.cancel_elsewhere(id, kind)?);
        }
        if let Some(kind) = self.reboot {
            central.reboot(id, kind)?;
        }
        if let Some(demand) = self.compliance {
            demand.apply(central, Some(id))?;
        }
        Ok(answer)
    }
}

/// What a person does to a device or a swarm.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OfUnit {
    version: Option<String>,
    /// By its name.
    group: Option<String>,
    model: Option<u8>,
    online: Option<bool>,
    told: Option<bool>,
    ends: Option<Ends>,
    diligence: Option<Diligence>,
    reboot: bool,
}

impl OfUnit {
    fn apply(self, central: &Central, id: &str) -> anyhow::Result<Value> {
        let group = match &self.group {
            Some(name) => Some(group_number(name).with_context(|| format!("{name} is no group's name"))?),
            None => None,
        };
        central.edit_unit(id, |unit, now| {
            if let Some(version) = &self.version {
                unit.become_version(version);
            }
            unit.group = group.unwrap_or(unit.group);
            unit.model = self.model.unwrap_or(unit.model);
            unit.told = self.told.unwrap_or(unit.told);
            unit.ends = self.ends.or(unit.ends.take());
            unit.diligence = self.diligence.or(unit.diligence);
            unit.set_online(self.online.unwrap_or(unit.online()), now);
            if self.reboot {
                unit.reboot(now);
            }
            json!({"version": *unit.version, "stage": unit.stage(now), "online": unit.online(), "told": unit.told})
        })
    }
}
