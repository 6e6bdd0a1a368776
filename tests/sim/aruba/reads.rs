//! The reads: what a customer's devices are, what firmware there is, and what is demanded of them.
//!
//! Called by `api` with the customer for whom the call is: the token's own, or the one of the header `TenantID` [C]. A query parameter that
//! is not known is 0003, a wrong value 0004, one that is missing 0005 [C the codes, U which of them].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::vendor::{Reply, Request};
use super::estate::{Place, customer};
use super::kind::Kind;
use super::rows::{Page, Teller, in_group, written};
use super::settings::{OverLimit, Settings, TenantForm, VersionsForm};
use super::state::{Inner, Whose};
use super::unit::Unit;
use super::wire::Refusal;

type Handled = Result<Reply, Refusal>;

/// The query, of which no other parameter is known than these.
pub(super) struct Query<'a> {
    given: BTreeMap<String, String>,
    settings: &'a Settings,
}

impl<'a> Query<'a> {
    pub(super) fn new(request: &Request, known: &[&str], settings: &'a Settings) -> Result<Self, Refusal> {
        let pairs = request.query_pairs();
        for (at, (name, value)) in pairs.iter().enumerate() {
            // The vendor's own client gives every parameter twice, with the same value; two values would be two questions.
            let differs = |(before, other): &(String, String)| before == name && other != value;
            if !known.contains(&name.as_str()) || pairs[..at].iter().any(differs) {
                let text = format!("Unsupported query combination ({name})");
                return Err(Refusal::combination(text, settings));
            }
        }
        let given = pairs.into_iter().collect();
        Ok(Self { given, settings })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// `device_type`, if it is given.
    fn kind(&self) -> Result<Option<Kind>, Refusal> {
        let word = self.get("device_type");
        word.map(|word| Kind::parse(word).ok_or_else(|| Refusal::value("device_type", self.settings)))
            .transpose()
    }

    /// `device_type`, which has to be given.
    fn one_kind(&self) -> Result<Kind, Refusal> {
        self.kind()?.ok_or_else(|| Refusal::missing("device_type", self.settings))
    }

    fn number(&self, name: &str, default: usize) -> Result<usize, Refusal> {
        let given = self.get(name).map(str::parse);
        given.unwrap_or(Ok(default)).map_err(|_| Refusal::value(name, self.settings))
    }

    /// `limit` and `offset` [C: 20 and at most 1000].
    fn page(&self) -> Result<(usize, usize), Refusal> {
        let limit = self.number("limit", self.settings.page_size)?;
        let over = limit > self.settings.max_limit && self.settings.over_limit == OverLimit::Refused;
        if limit == 0 || over {
            return Err(Refusal::value("limit", self.settings));
        }
        Ok((limit.min(self.settings.max_limit), self.number("offset", 0)?))
    }
}

/// `GET /firmware/v1/swarms` [C]
pub(super) fn swarms(inner: &mut Inner, request: &Request, whose: Whose, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let query = Query::new(request, &["group", "limit", "offset"], &settings)?;
    list(inner, &query, whose, &[Kind::Iap], now)
}

/// `GET /firmware/v1/devices` [C]. Without a type, all but swarms [U].
pub(super) fn devices(inner: &mut Inner, request: &Request, whose: Whose, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let query = Query::new(request, &["device_type", "group", "limit", "offset"], &settings)?;
    let kinds = match query.kind()? {
        Some(Kind::Iap) => return Err(Refusal::value("device_type", &settings)),
        Some(kind) => vec![kind],
        None => Kind::ALL[1..].to_vec(),
    };
    list(inner, &query, whose, &kinds, now)
}

fn list(inner: &mut Inner, query: &Query<'_>, whose: Whose, kinds: &[Kind], now: Timestamp) -> Handled {
    let (limit, offset) = query.page()?;
    let group = query.get("group");
    let mut places = Vec::new();
    for kind in kinds {
        let Whose::Customer(number) = whose else { continue };
        let units = inner.units(number, *kind, now);
        let told = (0_u32..).zip(units.iter()).filter(|(_, unit)| unit.told && in_group(unit, group));
        places.extend(told.map(|(index, _)| Place::new(number, *kind, index)));
    }
    if query.settings.rows_shift && !places.is_empty() {
        let shift = inner.lists % places.len();
        places.rotate_left(shift);
        inner.lists += 1;
    }
    let total = places.len();
    let rows = places.iter().skip(offset).take(limit).filter_map(|place| row(inner, *place, now));
    let page = Page {
        rows: rows.collect(),
        swarms: kinds == [Kind::Iap],
        total,
    };
    Ok(written(&page.json(query.settings)))
}

fn row(inner: &mut Inner, place: Place, now: Timestamp) -> Option<Value> {
    let unit = inner.unit(place, now).filter(|unit| unit.told)?.clone();
    Some(teller(inner, place.kind, now).row(place, &unit))
}

fn teller(inner: &Inner, kind: Kind, now: Timestamp) -> Teller<'_> {
    Teller {
        shelf: inner.shelves.of(kind),
        settings: &inner.settings,
        now,
    }
}

/// `GET /firmware/v1/swarms/{id}` and `GET /firmware/v1/devices/{serial}` [C]
pub(super) fn one(inner: &mut Inner, request: &Request, whose: Whose, id: &str, swarm: bool, now: Timestamp) -> Handled {
    Query::new(request, &[], &inner.settings)?;
    let place = found(id, whose, swarm).ok_or_else(Refusal::not_found)?;
    let row = row(inner, place, now).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(200, row))
}

/// The place with this id, if it is this customer's and of the right sort.
fn found(id: &str, whose: Whose, swarm: bool) -> Option<Place> {
    let place = Place::parse(id)?;
    let own = whose == Whose::Customer(place.customer);
    (own && (place.kind == Kind::Iap) == swarm).then_some(place)
}

/// The unit that a query names by `swarm_id` or `serial`. The serial number of an access point is not taken [C: of newer ones].
fn named(inner: &mut Inner, query: &Query<'_>, whose: Whose, now: Timestamp) -> Result<Option<(Place, Unit)>, Refusal> {
    let (id, swarm) = match (query.get("swarm_id"), query.get("serial")) {
        (Some(id), None) => (id, true),
        (None, Some(serial)) if serial.starts_with("AP") => return Err(Refusal::value("serial", query.settings)),
        (None, Some(serial)) => (serial, false),
        _ => return Ok(None),
    };
    let place = found(id, whose, swarm).ok_or_else(Refusal::not_found)?;
    let unit = inner.unit(place, now).filter(|unit| unit.told).cloned();
    Ok(Some((place, unit.ok_or_else(Refusal::not_found)?)))
}

/// Exactly one of these has to be given.
fn exactly_one(query: &Query<'_>, of: &[&str]) -> Result<(), Refusal> {
    match of.iter().filter(|name| query.get(name).is_some()).count() {
        0 => Err(Refusal::missing(&of.join(", "), query.settings)),
        1 => Ok(()),
        _ => Err(Refusal::combination("Unsupported query combination", query.settings)),
    }
}

/// `GET /firmware/v1/status` [C]
pub(super) fn status(inner: &mut Inner, request: &Request, whose: Whose, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let query = Query::new(request, &["swarm_id", "serial"], &settings)?;
    exactly_one(&query, &["swarm_id", "serial"])?;
    let (place, unit) = named(inner, &query, whose, now)?.ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(200, teller(inner, place.kind, now).status(&unit)))
}

/// `GET /firmware/v1/versions` [C: a bare array of objects; U: their other members]
pub(super) fn versions(inner: &mut Inner, request: &Request, whose: Whose, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let query = Query::new(request, &["device_type", "swarm_id", "serial"], &settings)?;
    exactly_one(&query, &["device_type", "swarm_id", "serial"])?;
    let kind = match query.kind()? {
        Some(Kind::Cx) if settings.versions_without_cx => return Err(Refusal::value("device_type", &settings)),
        Some(kind) => kind,
        None => named(inner, &query, whose, now)?.ok_or_else(Refusal::not_found)?.0.kind,
    };
    let versions = inner.shelves.of(kind).versions.iter().rev();
    let rows: Value = versions
        .map(|version| json!({"firmware_version": version, "release_status": ""}))
        .collect();
    Ok(Reply::json(
        200,
        match settings.versions_form {
            VersionsForm::Array => rows,
            VersionsForm::Object => json!({"versions": rows}),
        },
    ))
}

/// `GET /firmware/v1/versions/{version}` [C the path, U the answer]
pub(super) fn version(inner: &Inner, request: &Request, version: &str) -> Handled {
    let query = Query::new(request, &["device_type"], &inner.settings)?;
    let there = inner.shelves.of(query.one_kind()?).has(version);
    if !there && inner.settings.missing_version_is_404 {
        return Err(Refusal::not_found());
    }
    Ok(Reply::json(200, json!({"firmware_version": version, "available": there})))
}

/// `GET /firmware/v1/models` [C the path, U the answer]
pub(super) fn models(inner: &mut Inner, request: &Request, whose: Whose, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let query = Query::new(request, &["device_type", "serial"], &settings)?;
    exactly_one(&query, &["device_type", "serial"])?;
    let models: Value = if let Some(kind) = query.kind()? {
        inner.shelves.of(kind).models.iter().map(|model| json!(model.name)).collect()
    } else {
        let (place, unit) = named(inner, &query, whose, now)?.ok_or_else(Refusal::not_found)?;
        json!([inner.shelves.of(place.kind).model(unit.model).name])
    };
    Ok(Reply::json(200, json!({"models": models})))
}

/// `GET /firmware/v1/msp/tenants/{id}` [C the path, U the answer]
pub(super) fn tenant(inner: &mut Inner, request: &Request, id: &str, now: Timestamp) -> Handled {
    let settings = inner.settings.clone();
    let kind = Query::new(request, &["device_type"], &settings)?.one_kind()?;
    let number = inner.number(id)?;
    let units = inner.units(number, kind, now).clone();
    let teller = teller(inner, kind, now);
    match settings.tenant_form {
        TenantForm::NotThere => Err(Refusal::not_found()),
        TenantForm::Counts => Ok(Reply::json(200, teller.counts(&customer(number), kind, &units))),
        TenantForm::Rows => {
            let told = (0_u32..).zip(&units).filter(|(_, unit)| unit.told);
            let rows: Vec<_> = told
                .map(|(index, unit)| teller.row(Place::new(number, kind, index), unit))
                .collect();
            let (swarms, total) = (kind == Kind::Iap, rows.len());
            Ok(written(&Page { rows, swarms, total }.json(&settings)))
        }
    }
}

/// A compliance version, at any of its three paths: 404 where none is set [C].
pub(super) fn compliance(inner: &Inner, request: &Request, whose: Whose, by_group: bool) -> Handled {
    let known: &[&str] = if by_group { &["device_type", "group"] } else { &["device_type"] };
    let kind = Query::new(request, known, &inner.settings)?.one_kind()?;
    let set = inner.compliance.get(&(whose, kind)).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(
        200,
        json!({"firmware_compliance_version": set.version, "compliance_scheduled_at": set.scheduled_at}),
    ))
}
