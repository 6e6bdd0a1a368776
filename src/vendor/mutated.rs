//! Documents that are almost right: a valid one with nodes dropped, doubled, moved, retyped or blown up, and its text cut or flipped.
//!
//! Random bytes rarely get past the first brace; what was once valid gets to every branch.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

/// One change, at the node that this number falls on.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Replace(usize, Value),
    Drop(usize),
    Double(usize),
    Rename(usize, String),
    Nest(usize, usize),
}

/// Values that are likely to be somebody's special case.
fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(0),
            json!(-1),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e308),
            json!(0.5)
        ]),
        prop::sample::select(vec![json!([]), json!({}), json!([[]]), json!({"": null}), json!([null, 7, "x"])]),
        prop::sample::select(vec!["", " ", "\u{0}", "\u{202e}", "..", "-1", "NaN", "😀", "\u{feff}"]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        (0..3_000_usize).prop_map(|n| Value::from("ä".repeat(n))),
        (0..300_usize).prop_map(|n| Value::from(vec!["v1.30"; n])),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<prop::sample::Index>().prop_map(|i| i.index(1 << 16));
    prop_oneof![
        4 => (at(), strange()).prop_map(|(at, value)| Change::Replace(at, value)),
        2 => at().prop_map(Change::Drop),
        1 => at().prop_map(Change::Double),
        1 => (at(), any::<String>()).prop_map(|(at, name)| Change::Rename(at, name)),
        1 => (at(), 1..400_usize).prop_map(|(at, depth)| Change::Nest(at, depth)),
    ]
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(object) => object.values().map(nodes).sum::<usize>(),
        _ => 0,
    }
}

/// Runs on the node with this number, counted from the root down.
fn visit(value: &mut Value, left: &mut usize, act: &mut impl FnMut(&mut Value)) -> bool {
    if *left == 0 {
        act(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| visit(item, left, act)),
        Value::Object(object) => object.values_mut().any(|item| visit(item, left, act)),
        _ => false,
    }
}

fn apply(document: &mut Value, change: Change) {
    let total = nodes(document);
    let at = |n: usize| n % total;
    match change {
        Change::Replace(n, with) => {
            visit(document, &mut at(n), &mut |node| *node = with.clone());
        }
        Change::Drop(n) => {
            visit(document, &mut at(n), &mut |node| match node {
                Value::Array(items) => drop(items.pop()),
                Value::Object(object) => {
                    let first = object.keys().nth(n % object.len().max(1)).cloned();
                    first.and_then(|key| object.remove(&key));
                }
                other => *other = Value::Null,
            });
        }
        Change::Double(n) => {
            visit(document, &mut at(n), &mut |node| match node {
                Value::Array(items) => items.extend(items.clone()),
                other => *other = json!([other.clone(), other.clone()]),
            });
        }
        Change::Rename(n, name) => {
            visit(document, &mut at(n), &mut |node| {
                if let Value::Object(object) = node
                    && let Some(key) = object.keys().nth(n % object.len().max(1)).cloned()
                    && let Some(value) = object.remove(&key)
                {
                    object.insert(name.clone(), value);
                }
            });
        }
        Change::Nest(n, depth) => {
            visit(document, &mut at(n), &mut |node| {
                for _ in 0..depth {
                    *node = json!([node.take()]);
                }
            });
        }
    }
}

/// One of these documents with up to five changes.
pub(crate) fn value(valid: Vec<Value>) -> impl Strategy<Value = Value> {
    (prop::sample::select(valid), prop::collection::vec(change(), 0..=5)).prop_map(|(mut document, changes)| {
        for change in changes {
            apply(&mut document, change);
        }
        document
    })
}

/// The text of one of these documents, changed, and then perhaps cut, flipped, doubled in the middle, or nothing but bytes.
pub(crate) fn bytes(valid: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    let text = value(valid).prop_map(|document| document.to_string().into_bytes());
    let part = any::<prop::sample::Index>;
    let torn = (text, part(), part(), any::<u8>(), 0..5_u8).prop_map(|(mut text, from, to, byte, how)| {
        if text.is_empty() {
            return text;
        }
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        match how {
            0 => text.truncate(from),
            1 => text[from] = byte,
            2 => text.extend_from_within(from.min(to)..from.max(to)),
            3 => drop(text.drain(from.min(to)..from.max(to))),
            _ => {}
        }
        text
    });
    prop_oneof![9 => torn, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

#[test]
fn a_document_is_changed_everywhere_and_often_stays_readable() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let valid = json!({"a": [1, {"b": "c"}], "d": null});
    let mut runner = TestRunner::deterministic();
    let strategy = bytes(vec![valid.clone()]);
    let made: Vec<Vec<u8>> = (0..300).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let readable = made.iter().filter(|text| serde_json::from_slice::<Value>(text).is_ok()).count();
    let changed = made.iter().filter(|text| **text != valid.to_string().into_bytes()).count();
    assert!(
        (50..290).contains(&readable) && changed > 150,
        "{readable} readable, {changed} changed"
    );
}
