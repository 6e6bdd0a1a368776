//! Central's JSON, read leniently: what is unconfirmed about it is in this file and nowhere else.
//!
//! Shapes are those of the vendor's public collection of requests, of its own client pycentral, and of the one real row that is public
//! (`vendors.md` 1.2). For what `vendors.md` marks as unconfirmed, an unknown word is no word that we know, and never an error: `state` and
//! `reason` are shown to people and nothing is judged by them.
//!
//! A page of a thousand swarms names every access point in them. It is read as it streams by, and of each row only what is needed is kept.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Value;

use crate::vendor::decode::Entries;
use crate::vendor::decode::as_word;
use crate::vendor::decode::json;
use crate::vendor::decode::sizeable;
use crate::vendor::hush::Hush;
use crate::vendor::text::sanitize;

/// Rows of a page that are asked for: the most that there may be (`vendors.md` 1.2).
pub(super) const PAGE: usize = 1000;

/// Most rows of a page that are kept. A page has up to a thousand.
const MOST_ROWS: usize = PAGE;

/// Longest model or version that is taken for one: both are kept in receipts.
const LONGEST_NAME: usize = 64;

/// Model of a swarm whose access points are of more than one.
const SEVERAL_MODELS: &str = "several models";

/// Longest id of a swarm, or serial number, that is taken for one.
const LONGEST_ID: usize = 100;

/// Longest word or sentence of a status that is kept.
const LONGEST_STATUS: usize = 100;

/// Most versions of a list that are kept.
const MOST_VERSIONS: usize = 1000;

/// One swarm, or one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// `swarm_id` or `serial`.
    pub id: String,
    /// `model`; of a swarm, that of its access points.
    pub model: String,
    /// `firmware_version`; empty where it is not told.
    pub version: String,
    /// `recommended`.
    pub recommended: Option<String>,
    /// `upgrade_required`.
    pub upgrade_required: Option<bool>,
    /// `device_status` is Up.
    pub reachable: bool,
    /// `status.firmware_scheduled_at`, in seconds since 1970; absent, null or 0 where nothing is scheduled.
    pub scheduled: Option<i64>,
    /// `status.state`, an open word.
    pub state: String,
    /// `status.reason`, words for people.
    pub reason: String,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Its readable rows.
    pub rows: Vec<Row>,
    /// How many rows it has, readable or not.
    pub listed: usize,
    /// `swarm_count`: whether it counts the page or all of them is unconfirmed.
    pub count: Option<usize>,
    /// A row cannot be read, or there are more than may be.
    pub broken: bool,
}

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// `GET /firmware/v1/swarms`.
    Swarms,
    /// `GET /firmware/v1/devices`.
    Devices,
}

impl Page {
    /// `None` for what is no such page.
    pub fn read(body: &[u8], list: List) -> Option<Page> {
        let raw: RawPage = serde_json::from_slice(body).ok()?;
        let RawRows { rows, listed } = match list {
            List::Swarms => raw.swarms?,
            List::Devices => raw.devices?,
        };
        let rows: Vec<Row> = rows.into_iter().filter_map(|row| row.read(list)).collect();
        Some(Page {
            broken: rows.len() != listed,
            rows,
            listed,
            count: raw.swarm_count.number().and_then(|count| usize::try_from(count).ok()),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawPage {
    swarms: Option<RawRows>,
    devices: Option<RawRows>,
    swarm_count: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawRow {
    swarm_id: Loose,
    serial: Loose,
    model: Loose,
    firmware_version: Loose,
    recommended: Loose,
    upgrade_required: Loose,
    device_status: Loose,
    status: Maybe<RawStatus>,
    aps: Models,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawStatus {
    state: Loose,
    reason: Loose,
    firmware_scheduled_at: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawAp {
    model: Loose,
}

impl RawRow {
    /// `None` for one without an id that can be compared.
    fn read(self, list: List) -> Option<Row> {
        let (id, model) = match list {
            List::Swarms => (self.swarm_id, self.aps.name()),
            List::Devices => (self.serial, self.model.name(LONGEST_NAME)),
        };
        let status = self.status.0;
        Some(Row {
            id: id.name(LONGEST_ID)?,
            model: model.unwrap_or_default(),
            version: self.firmware_version.name(LONGEST_NAME).unwrap_or_default(),
            recommended: self.recommended.name(LONGEST_NAME),
            upgrade_required: self.upgrade_required.flag(),
            // One real row has "Up" (`vendors.md` 1.2); what the other word is, is unconfirmed.
            reachable: self
                .device_status
                .name(LONGEST_NAME)
                .is_some_and(|word| word.eq_ignore_ascii_case("up")),
            scheduled: status.firmware_scheduled_at.number().filter(|at| *at > 0),
            state: status.state.words(),
            reason: status.reason.words(),
        })
    }
}

/// An object of this form; anything else is as if it were not there.
#[derive(Default)]
struct Maybe<T>(T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Maybe<T>, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Object<T> {
            type Value = Maybe<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Maybe<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(fields)).map(Maybe)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Maybe<T>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Maybe(T::default()))
            }

            fn visit_str<E>(self, _: &str) -> Result<Maybe<T>, E> {
                Ok(Maybe(T::default()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Maybe<T>, E> {
                Ok(Maybe(T::default()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Maybe<T>, E> {
                Ok(Maybe(T::default()))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Maybe<T>, E> {
                Ok(Maybe(T::default()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Maybe<T>, E> {
                Ok(Maybe(T::default()))
            }

            fn visit_unit<E>(self) -> Result<Maybe<T>, E> {
                Ok(Maybe(T::default()))
            }
        }
        from.deserialize_any(Object(PhantomData))
    }
}

/// The rows of a page, of which no more are kept than there may be.
struct RawRows {
    rows: Vec<RawRow>,
    listed: usize,
}

impl<'de> Deserialize<'de> for RawRows {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RawRows, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = RawRows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawRows, A::Error> {
                let mut all = RawRows {
                    rows: Vec::new(),
                    listed: 0,
                };
                while all.rows.len() < MOST_ROWS {
                    let Some(Maybe(row)) = items.next_element()? else { return Ok(all) };
                    all.rows.push(row);
                    all.listed += 1;
                }
                while items.next_element::<IgnoredAny>()?.is_some() {
                    all.listed += 1;
                }
                Ok(all)
            }
        }
        from.deserialize_seq(List)
    }
}

/// The models of a swarm's access points.
#[derive(Default)]
struct Models(BTreeSet<String>);

impl Models {
    /// Of all of them.
    fn name(self) -> Option<String> {
        if self.0.len() > 1 {
            return Some(SEVERAL_MODELS.to_owned());
        }
        self.0.into_iter().next()
    }
}

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Models, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Models;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of access points")
            }

            fn visit_unit<E>(self) -> Result<Models, E> {
                Ok(Models::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Models, A::Error> {
                let mut models = BTreeSet::new();
                while let Some(Maybe::<RawAp>(ap)) = items.next_element()? {
                    let name = ap.model.name(LONGEST_NAME).filter(|_| models.len() < 2);
                    models.extend(name);
                }
                Ok(Models(models))
            }
        }
        from.deserialize_any(List)
    }
}

/// `GET /firmware/v1/versions`: a bare list of objects, as a client's author has met it; others have it in an object. Their other fields are
/// unconfirmed.
pub(super) fn versions(body: &[u8]) -> Option<BTreeSet<String>> {
    let value = json(body)?;
    let rows = value.as_array().or_else(|| value.get("versions")?.as_array())?;
    let version = |row: &Value| as_word(row.get("firmware_version").unwrap_or(row)).filter(|word| word.len() <= LONGEST_NAME);
    Some(rows.iter().take(MOST_VERSIONS).filter_map(version).collect())
}

/// `GET /firmware/v1/versions/{version}`, answered with 200: whether there is such an image. How it is told is unconfirmed: unless it says
/// plainly that there is none, there is.
pub(super) fn available(body: &[u8]) -> bool {
    let value = json(body).unwrap_or_default();
    let plainly = |field: &str| value.get(field).and_then(Value::as_bool) == Some(false);
    value != Value::Bool(false) && !["available", "is_available", "image_available"].into_iter().any(plainly)
}

/// An error body of the firmware service, of the gateway before it, or of the token service. All three differ (`vendors.md` 1.1, 1.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `error_code` of the firmware service: 0001, 0003, 0004, 0005.
    pub code: Option<String>,
    /// `error` of the token service: the words of OAuth, RFC 6749, 5.2.
    pub error: Option<String>,
    /// `description`, `message` or `error_description`, where it may be repeated.
    pub message: Option<String>,
}

impl Refusal {
    /// Reads an error body; `None` when it is none of the three.
    pub fn read(body: &[u8], hush: &Hush) -> Option<Refusal> {
        if !sizeable(body) {
            return None;
        }
        let fields: Entries<Value> = serde_json::from_slice(body).ok()?;
        let text = |name: &str| fields.only(name).and_then(Value::as_str);
        let short = |name: &str| {
            text(name).filter(|word| word.len() <= LONGEST_NAME && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        };
        let words = ["description", "message", "error_description"].into_iter().find_map(text);
        let (code, error) = (short("error_code"), short("error"));
        (code.is_some() || error.is_some() || words.is_some()).then(|| Refusal {
            code: code.map(str::to_owned),
            error: error.map(str::to_owned),
            message: words.and_then(|words| hush.words(words)),
        })
    }

    /// The gateway's words for one request too many (`vendors.md` 1.1). It says so with 429; whether always is unconfirmed.
    pub fn too_many(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default();
        self.code.is_none() && self.error.is_none() && message.to_ascii_lowercase().contains("rate limit")
    }

    /// Code and words.
    pub fn words(&self) -> String {
        match (self.code.as_ref().or(self.error.as_ref()), &self.message) {
            (Some(code), Some(message)) => sanitize(&format!("{code}: {message}")),
            (Some(words), None) | (None, Some(words)) => words.clone(),
            (None, None) => "words that cannot be repeated".to_owned(),
        }
    }
}

/// What any value is, where it is not looked into.
#[derive(Clone, Debug, Default, PartialEq)]
enum Loose {
    Text(String),
    Flag(bool),
    Number(i64),
    #[default]
    Else,
}

impl Loose {
    fn name(self, longest: usize) -> Option<String> {
        match self {
            Loose::Text(text) => {
                let good = !text.is_empty() && text.chars().count() <= longest && sanitize(&text) == text;
                good.then_some(text)
            }
            _ => None,
        }
    }

    fn words(self) -> String {
        match self {
            Loose::Text(text) => sanitize(&text).chars().take(LONGEST_STATUS).collect(),
            _ => String::new(),
        }
    }

    fn flag(self) -> Option<bool> {
        match self {
            Loose::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    fn number(self) -> Option<i64> {
        match self {
            Loose::Number(number) => Some(number),
            // Some JSON writers put numbers into texts.
            Loose::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Loose, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
                // Nothing that is kept is longer than this.
                Ok(if text.len() <= 4096 {
                    Loose::Text(text.to_owned())
                } else {
                    Loose::Else
                })
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Loose, E> {
                Ok(Loose::Flag(flag))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
                Ok(Loose::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
                Ok(i64::try_from(number).map_or(Loose::Else, Loose::Number))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Loose, E> {
                Ok(Loose::Else)
            }

            fn visit_unit<E>(self) -> Result<Loose, E> {
                Ok(Loose::Else)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Else)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Loose, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Else)
            }
        }
        from.deserialize_any(Any)
    }
}
