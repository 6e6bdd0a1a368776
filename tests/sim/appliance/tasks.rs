//! The tasks that the appliance remembers: what it forgets and when, and the pages of `GET /tasks`.
//!
//! Strict where the product might be sloppy: a query key that is not in the specification, a number that is none, an offset without a
//! limit, an order without a field or a filter without a property is 400.

use jiff::Timestamp;
use serde_json::Value;

use super::super::clock::after;
use super::super::vendor::Request;
use super::settings::{Retention, Settings, TaskOrder};
use super::task::Task;
use super::wire::{Page, Refusal};

/// In the order in which they were made.
#[derive(Debug, Default)]
pub struct Tasks(Vec<Task>);

impl Tasks {
    pub fn add(&mut self, task: Task) {
        self.0.push(task);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.0.iter()
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.0.iter_mut().find(|task| task.id == id)
    }

    /// Those that show by now.
    fn shown(&self, now: Timestamp, settings: &Settings) -> impl Iterator<Item = &Task> {
        let delay = settings.task_delay_secs;
        self.0.iter().filter(move |task| now >= after(task.created, delay))
    }

    /// One that shows by now.
    pub fn shown_one(&self, id: &str, now: Timestamp, settings: &Settings) -> Option<&Task> {
        self.shown(now, settings).find(|task| task.id == id)
    }

    /// What a restart leaves.
    pub fn restart(&mut self, at: Timestamp, retention: Retention) {
        self.0.retain(|task| match retention {
            Retention::KeepAll => true,
            Retention::LoseAll => false,
            Retention::LoseFinished => !task.status(at).ended(),
            Retention::LoseUnfinished => task.status(at).ended(),
        });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what is too old or too much.
    pub fn forget(&mut self, now: Timestamp, settings: &Settings) {
        if let Some(secs) = settings.retention_secs {
            self.0.retain(|task| task.ends_at.is_none_or(|at| now < after(at, secs)));
        }
        let Some(most) = settings.max_tasks else { return };
        while self.0.len() > most {
            // What still runs is not forgotten, or nobody could follow anything.
            let Some(at) = self.0.iter().position(|task| task.status(now).ended()) else {
                return;
            };
            self.0.remove(at);
        }
    }

    /// `GET /tasks` [C].
    pub fn page(&self, request: &Request, now: Timestamp, settings: &Settings) -> Result<Value, Refusal> {
        let query = Query::parse(request, settings)?;
        let mut tasks: Vec<&Task> = self.shown(now, settings).collect();
        match settings.task_order {
            TaskOrder::OldestFirst => {}
            TaskOrder::NewestFirst => tasks.reverse(),
            TaskOrder::Random => tasks.sort_by(|a, b| a.id.cmp(&b.id)),
        }
        let mut tasks: Vec<Value> = tasks.into_iter().map(|task| task.json(now, settings)).collect();
        if let Some((property, wanted)) = &query.filter {
            tasks.retain(|task| wanted.contains(&text(&task[property])));
        }
        if let Some((field, descending)) = &query.sort {
            tasks.sort_by(|a, b| compare(&a[field], &b[field]));
            if *descending {
                tasks.reverse();
            }
        }
        let page = Page {
            total: tasks.len(),
            list: tasks.into_iter().skip(query.offset).take(query.limit).collect(),
            offset: query.offset,
            limit: query.limit,
            path: request.path.clone(),
        };
        Ok(page.json(settings))
    }
}

/// The fields by which one can sort and filter [U]: those of a task that are one value.
const FIELDS: [&str; 7] = ["id", "description", "type", "status", "progress", "start_time", "complete_time"];

fn text(of: &Value) -> String {
    of.as_str().map_or_else(|| of.to_string(), str::to_owned)
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => text(a).cmp(&text(b)),
    }
}

/// What a list is asked for.
struct Query {
    limit: usize,
    offset: usize,
    /// A field, and whether from its end.
    sort: Option<(String, bool)>,
    filter: Option<(String, Vec<String>)>,
}

impl Query {
    fn parse(request: &Request, settings: &Settings) -> Result<Self, Refusal> {
        let pairs = request.query_pairs();
        let known = ["limit", "offset", "sort_by", "order_by", "filter_property", "filter"];
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            return Err(Refusal::invalid(format!("Unexpected query parameter {key}.")));
        }
        let one = |key: &str| {
            let mut values = pairs.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str());
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(Refusal::invalid(format!("{key} is given twice."))),
                (value, None) => Ok(value),
            }
        };
        let number = |key: &str| {
            let invalid = |_| Refusal::invalid(format!("{key} is not a number."));
            one(key)?.map(|value| value.parse::<usize>().map_err(invalid)).transpose()
        };
        let field = |key: &str| {
            let invalid = |value: &str| Err(Refusal::invalid(format!("{key}: there is no field {value}.")));
            match one(key)? {
                Some(value) if !FIELDS.contains(&value) => invalid(value),
                value => Ok(value.map(str::to_owned)),
            }
        };
        let (limit, offset) = (number("limit")?, number("offset")?);
        if offset.is_some() && limit.is_none() {
            return Err(Refusal::invalid("offset must be used in combination with limit."));
        }
        let most = settings.max_limit.unwrap_or(usize::MAX);
        let sort = match (field("sort_by")?, one("order_by")?) {
            (None, Some(_)) => return Err(Refusal::invalid("order_by must be used in combination with sort_by.")),
            (Some(field), None | Some("asc" | "ascending")) => Some((field, false)),
            (Some(field), Some("desc" | "descending")) => Some((field, true)),
            (Some(_), Some(_)) => return Err(Refusal::invalid("order_by is none of asc, ascending, desc, descending.")),
            (None, None) => None,
        };
        let wanted: Vec<_> = pairs
            .iter()
            .filter(|(key, _)| key == "filter")
            .map(|(_, value)| value.clone())
            .collect();
        let filter = match (field("filter_property")?, wanted.is_empty()) {
            (Some(property), false) => Some((property, wanted)),
            (None, true) => None,
            _ => return Err(Refusal::invalid("filter and filter_property must be used in combination.")),
        };
        Ok(Self {
            limit: limit.unwrap_or(settings.page_size).min(most),
            offset: offset.unwrap_or(0),
            sort,
            filter,
        })
    }
}
