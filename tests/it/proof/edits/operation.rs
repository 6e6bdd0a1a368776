//! What people and their tools do to an upgrade and its Connection, drawn at random from the fields of the CRDs and a few habits.
//!
//! An operation is data, so that a sequence can be printed, run again, and shortened. It names list entries by a number that is taken
//! modulo what is there: a sequence that lost an operation still makes sense.

use serde_json::Value;
use serde_json::json;

use super::schema::Field;
use super::schema::ITEM;
use super::schema::Words;
use super::schema::fields;
use super::schema::value;
use crate::proof::dice::Dice;
use crate::proof::proxy::Fault;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::faults::BodyKind;

/// Kind of the resource that is edited most.
pub const BATCH: &str = "ClusterUpgradeBatch";

/// Kind of the other one.
pub const CONNECTION: &str = "Connection";

/// How a changed object gets to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// JSON merge patch of what differs.
    Merge,
    /// Server-side apply of the whole object, by force.
    Apply,
    /// Read, change, and put the whole object, until nobody came between.
    Replace,
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A field gets a value, or is left out (null). A number for each list on the way.
    Set {
        kind: &'static str,
        path: Vec<String>,
        entry: usize,
        value: Value,
        how: How,
    },
    /// A field that cannot be changed is changed all the same; the API server is to refuse it in these words.
    Forbidden {
        kind: &'static str,
        path: Vec<String>,
        value: Value,
        words: String,
    },
    /// One more entry in `spec.clusters`.
    Add(Value),
    /// One entry less, unless it is the last.
    Remove(usize),
    /// The entries in another order.
    Rotate(usize),
    /// The same object applied once more.
    Again(&'static str),
    /// A label that means nothing.
    Label(&'static str, u64),
    /// The hold annotation, or its removal.
    Hold(&'static str, bool),
    /// Deleted and, so many milliseconds later, applied again.
    Recreate(&'static str, u64),
    /// The whole status taken away.
    Wipe(&'static str),
    /// The Secret holds the right password, or a wrong one.
    Secret(bool),
    /// The next start of a cluster meets this at the vendor.
    VendorFault(Action),
    /// The vendor's pre-checks warn, or do no longer.
    Warnings(bool),
    /// The next two writes of the operator meet this.
    ApiFault(Fault),
    /// SIGKILL, and a new process.
    Crash,
}

impl Operation {
    /// What it is, for the counts.
    pub fn word(&self) -> String {
        match self {
            Operation::Set { path, .. } => path.join(".").replace(".*", "[]"),
            Operation::Forbidden { .. } => "a field that cannot be changed".to_owned(),
            Operation::Add(_) | Operation::Remove(_) | Operation::Rotate(_) => "clusters added, removed, reordered".to_owned(),
            Operation::Again(_) => "the same applied again".to_owned(),
            Operation::Label(..) | Operation::Hold(..) => "labels and annotations".to_owned(),
            Operation::Recreate(..) => "deleted and applied again".to_owned(),
            Operation::Wipe(_) => "status wiped".to_owned(),
            Operation::Secret(_) => "Secret replaced".to_owned(),
            Operation::VendorFault(_) | Operation::Warnings(_) => "trouble at the vendor".to_owned(),
            Operation::ApiFault(_) => "trouble at the API server".to_owned(),
            Operation::Crash => "crash".to_owned(),
        }
    }
}

/// A sequence of operations, all of them fixed by the dice.
pub fn sequence(words: &Words, length: usize, dice: &mut Dice) -> Vec<Operation> {
    let all = [fields(BATCH), fields(CONNECTION)].concat();
    let (frozen, free): (Vec<Field>, Vec<Field>) = all.into_iter().partition(|f| f.immutable.is_some());
    // Most edits in life, and here, are those of an upgrade.
    let weighted: Vec<&Field> = free.iter().flat_map(|f| vec![f; if f.kind == BATCH { 3 } else { 1 }]).collect();
    (0..length)
        .map(|_| match dice.roll(20) {
            0..10 => set(dice.pick::<&Field>(&weighted), words, dice),
            10 => Operation::Add(json!({"cluster": dice.pick(words.of("cluster"))})),
            11 => Operation::Remove(number(dice)),
            12 => Operation::Rotate(number(dice)),
            n => habit(n, &frozen, words, dice),
        })
        .collect()
}

fn number(dice: &mut Dice) -> usize {
    usize::try_from(dice.roll(64)).unwrap_or(0)
}

fn set(field: &Field, words: &Words, dice: &mut Dice) -> Operation {
    let value = value(field, words, dice).unwrap_or_else(|| panic!("no value for {}", field.dotted()));
    Operation::Set {
        kind: field.kind,
        path: field.path.clone(),
        entry: number(dice),
        value,
        how: *dice.pick(&[How::Merge, How::Apply, How::Replace]),
    }
}

fn habit(n: u64, frozen: &[Field], words: &Words, dice: &mut Dice) -> Operation {
    let kind = *dice.pick(&[BATCH, BATCH, CONNECTION]);
    match n {
        13 => match dice.roll(3) {
            0 => forbidden(dice.pick(frozen), words),
            1 => Operation::Again(kind),
            _ => Operation::Label(kind, dice.roll(1000)),
        },
        14 => Operation::Hold(kind, dice.roll(3) == 0),
        15 => match dice.roll(2) {
            0 => Operation::Recreate(kind, dice.roll(600)),
            _ => Operation::Wipe(kind),
        },
        16 => Operation::Secret(dice.roll(3) > 0),
        17 => match dice.roll(4) {
            0 => Operation::Warnings(dice.roll(2) == 0),
            _ => Operation::VendorFault(vendor_fault(dice)),
        },
        18 => Operation::ApiFault(*dice.pick(&[
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::Refused,
            Fault::GatewayTimeout,
            Fault::Truncated,
            Fault::Duplicated,
            Fault::SilentAfter,
            Fault::Late(800),
        ])),
        _ => Operation::Crash,
    }
}

/// A change that the schema allows and the rule does not. Of a field with one value only there is none: the same again, then.
fn forbidden(field: &Field, words: &Words) -> Operation {
    let all = field.schema["enum"].as_array();
    if all.is_some_and(|all| all.len() == 1) {
        return Operation::Again(field.kind);
    }
    // Any other word would be refused for not being one of them. The first is the one that the stories use.
    let other = all.and_then(|all| all.last()).cloned();
    Operation::Forbidden {
        kind: field.kind,
        path: field.path.clone(),
        value: other
            .or_else(|| words.of(field.name()).last().cloned())
            .unwrap_or(json!("somewhere-else")),
        words: field.immutable.clone().unwrap_or_default(),
    }
}

fn vendor_fault(dice: &mut Dice) -> Action {
    let when = *dice.pick(&[When::Before, When::After]);
    let status = |status, when| Action::Status {
        status,
        body: BodyKind::Json,
        when,
        headers: Vec::new(),
    };
    match dice.roll(6) {
        0 | 1 => Action::Drop { when },
        2 | 3 => status(503, when),
        // Only a request that was not processed is answered so.
        4 => status(401, When::Before),
        _ => Action::Latency { ms: 900, when },
    }
}

/// Writes a value into a spec as a path says: `entry` picks one of each list. False where the way leads through what is not there.
pub fn put(spec: &mut Value, path: &[String], entry: usize, value: &Value, keep_null: bool) -> bool {
    match path {
        [] => false,
        [last] if last != ITEM => {
            let Some(fields) = spec.as_object_mut() else { return false };
            if value.is_null() && !keep_null {
                fields.remove(last);
            } else {
                fields.insert(last.clone(), value.clone());
            }
            true
        }
        [step, rest @ ..] if step == ITEM => match spec.as_array_mut() {
            Some(items) if !items.is_empty() => {
                let at = entry % items.len();
                put(&mut items[at], rest, entry, value, keep_null)
            }
            _ => false,
        },
        [step, rest @ ..] => {
            let Some(fields) = spec.as_object_mut() else { return false };
            let next = fields.get(step).filter(|next| !next.is_null());
            if next.is_none() && rest[0] == ITEM {
                return false;
            }
            if next.is_none() {
                fields.insert(step.clone(), json!({}));
            }
            let next = &mut fields[step];
            put(next, rest, entry, value, keep_null)
        }
    }
}

/// The JSON merge patch that leads from one object to the other.
pub fn difference(from: &Value, to: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        return to.clone();
    };
    let gone = old
        .keys()
        .filter(|name| !new.contains_key(*name))
        .map(|name| (name.clone(), Value::Null));
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| (name.clone(), old.get(name).map_or(value.clone(), |old| difference(old, value))));
    Value::Object(gone.chain(changed).collect())
}

#[test]
fn a_field_is_put_where_its_path_says() {
    let mut spec = json!({"clusters": [{"cluster": "a"}, {"cluster": "b", "canary": true}]});
    let steps = |dotted: &str| dotted.split('.').map(str::to_owned).collect::<Vec<_>>();
    assert!(put(&mut spec, &steps("clusters.*.canary"), 3, &Value::Null, false));
    assert!(put(&mut spec, &steps("strategy.soak"), 0, &json!("1s"), false));
    assert_eq!(
        spec,
        json!({"clusters": [{"cluster": "a"}, {"cluster": "b"}], "strategy": {"soak": "1s"}})
    );
    assert!(!put(&mut spec, &steps("nowhere.*.x"), 0, &json!(1), false));
    let change = difference(&spec, &json!({"clusters": [{"cluster": "a"}], "strategy": {"maxFailures": 1}}));
    assert_eq!(
        change,
        json!({"clusters": [{"cluster": "a"}], "strategy": {"soak": null, "maxFailures": 1}})
    );
}
