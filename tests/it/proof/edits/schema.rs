//! The fields that people can edit, and values for them, both read from the CRDs: a field added later is edited without another word.
//!
//! Values come from what the schema says of a field (type, range, length, pattern, the spans in its rules). Where that would only give
//! nonsense, such as versions that no vendor has, [`Words`] knows better ones by the field's name.

use proptest::strategy::Strategy as _;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use serde_json::json;

use crate::proof::dice::Dice;

/// A step into the items of a list.
pub const ITEM: &str = "*";

/// Of strings without a pattern, and of patterns without an end, no more than this is written.
const LONGEST: u64 = 300;

/// One field of a spec: a value of its own, or an optional object that can be left out as a whole.
#[derive(Clone, Debug)]
pub struct Field {
    /// Kind of the resource.
    pub kind: &'static str,
    /// Names from the spec down; [`ITEM`] for "one of the list".
    pub path: Vec<String>,
    /// What the CRD says of it.
    pub schema: Value,
    /// It cannot be left out.
    pub required: bool,
    /// It tells a list's entries apart.
    pub key: bool,
    /// It cannot be changed, with the words that the API server refuses it with.
    pub immutable: Option<String>,
}

impl Field {
    /// Its last name.
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// As people write it: `clusters[].canary`.
    pub fn dotted(&self) -> String {
        self.path.join(".").replace(".*", "[]")
    }
}

/// Blocks of Connections of another type than the vCenter that is edited here: the API server refuses them on it.
const OF_ANOTHER_TYPE: [&str; 1] = ["recoveryAppliance"];

/// All fields of a kind's spec.
pub fn fields(kind: &'static str) -> Vec<Field> {
    let crds = windlass::api::all_crds();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    let spec = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let root = Field {
        kind,
        path: Vec::new(),
        schema: spec.clone(),
        required: true,
        key: false,
        immutable: None,
    };
    let mut found = Vec::new();
    walk(root, &mut found);
    found.retain(|field| !OF_ANOTHER_TYPE.contains(&field.path[0].as_str()));
    found
}

fn walk(mut field: Field, found: &mut Vec<Field>) {
    let schema = field.schema.clone();
    let frozen = rules(&schema).into_iter().find(|(rule, _)| rule == "self == oldSelf");
    field.immutable = field.immutable.or(frozen.map(|(_, message)| message));
    if let Some(properties) = schema["properties"].as_object() {
        if !field.required {
            found.push(field.clone());
        }
        let required = words(&schema["required"]);
        let keys = words(&field.schema["x-keys"]);
        for (name, schema) in properties {
            let mut path = field.path.clone();
            path.push(name.clone());
            let (required, key) = (required.contains(name), keys.contains(name));
            let (kind, immutable) = (field.kind, field.immutable.clone());
            let schema = schema.clone();
            walk(
                Field {
                    kind,
                    path,
                    schema,
                    required,
                    key,
                    immutable,
                },
                found,
            );
        }
    } else if schema["items"]["properties"].is_object() && schema["x-kubernetes-list-map-keys"].is_array() {
        field.path.push(ITEM.to_owned());
        field.schema = schema["items"].clone();
        field.schema["x-keys"] = schema["x-kubernetes-list-map-keys"].clone();
        field.required = true;
        walk(field, found);
    } else {
        found.push(field);
    }
}

fn words(list: &Value) -> Vec<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

fn rules(schema: &Value) -> Vec<(String, String)> {
    let all = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let text = |rule: &Value, name: &str| rule[name].as_str().unwrap_or_default().to_owned();
    all.map(|rule| (text(rule, "rule"), text(rule, "message"))).collect()
}

/// Values that mean something to the simulated vendor, by the name of their field.
#[derive(Clone, Debug, Default)]
pub struct Words(pub Vec<(&'static str, Vec<Value>)>);

impl Words {
    /// The values for a field of this name.
    pub fn of(&self, name: &str) -> &[Value] {
        self.0.iter().find(|(field, _)| *field == name).map_or(&[], |(_, values)| values)
    }
}

/// A value for a field: one that means something twice out of three times, else one that the schema allows; null is "left out". `None`
/// where this module cannot make one.
pub fn value(field: &Field, words: &Words, dice: &mut Dice) -> Option<Value> {
    if !field.required && dice.roll(4) == 0 {
        return Some(Value::Null);
    }
    match words.of(field.name()) {
        [] => of_schema(&field.schema, dice),
        known if dice.roll(3) > 0 => Some(dice.pick(known).clone()),
        _ => of_schema(&field.schema, dice),
    }
}

fn of_schema(schema: &Value, dice: &mut Dice) -> Option<Value> {
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.is_empty()) {
        return Some(dice.pick(allowed).clone());
    }
    match schema["type"].as_str()? {
        "boolean" => Some(json!(dice.roll(2) == 0)),
        "integer" => {
            let least = schema["minimum"].as_f64().map_or(0, whole);
            let most = schema["maximum"].as_f64().map_or(least + 1000, whole);
            let between = least + i64::try_from(dice.roll(u64::try_from(most - least).ok()? + 1)).ok()?;
            Some(json!(dice.pick(&[least, most, between])))
        }
        "string" => text(schema, dice).map(Value::from),
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or(0);
            let most = schema["maxItems"].as_u64().unwrap_or(least + 3).min(least + 3);
            let many = least + dice.roll(most - least + 1);
            (0..many).map(|_| of_schema(&schema["items"], dice)).collect()
        }
        // An optional object begins empty, and gets its fields one by one; one that must have fields is made whole.
        "object" => {
            let required = words(&schema["required"]);
            let made = required
                .iter()
                .map(|name| Some((name.clone(), of_schema(&schema["properties"][name], dice)?)));
            made.collect::<Option<serde_json::Map<_, _>>>().map(Value::Object)
        }
        _ => None,
    }
}

/// One moment for the whole run, so that a seed gives the same values again.
pub fn about_now() -> jiff::Timestamp {
    static ONCE: std::sync::OnceLock<jiff::Timestamp> = std::sync::OnceLock::new();
    *ONCE.get_or_init(jiff::Timestamp::now)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounds of the schemas are small whole numbers, which JSON calls 64.0"
)]
fn whole(bound: f64) -> i64 {
    bound as i64
}

fn text(schema: &Value, dice: &mut Dice) -> Option<String> {
    if schema["format"] == "date-time" {
        let days = i64::try_from(dice.roll(20)).ok()? - 10;
        return Some((about_now() + jiff::SignedDuration::from_hours(24 * days)).to_string());
    }
    // The spans that its rules name are the first and the last that are allowed.
    let bounds: Vec<String> = rules(schema).iter().flat_map(|(rule, _)| spans(rule)).collect();
    if !bounds.is_empty() && dice.roll(3) > 0 {
        return Some(dice.pick(&bounds).clone());
    }
    let least = schema["minLength"].as_u64().unwrap_or(0);
    let most = schema["maxLength"].as_u64().unwrap_or(LONGEST).min(LONGEST).max(least);
    let pattern = match schema["pattern"].as_str() {
        // Repetitions without an end would hardly ever come out as short as they must be.
        Some(pattern) => pattern
            .trim_start_matches('^')
            .trim_end_matches('$')
            .replace("]+", "]{1,6}")
            .replace("]*", "]{0,6}")
            .replace(" +", " {1,2}"),
        None => format!("[ -~]{{{least},{most}}}"),
    };
    let strategy = proptest::string::string_regex(&pattern).ok()?;
    let mut seed = [0; 16];
    for byte in &mut seed {
        *byte = u8::try_from(dice.roll(256)).unwrap_or(0);
    }
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::XorShift, &seed));
    let fits = |text: &String| (least..=most).contains(&(text.chars().count() as u64));
    (0..50).find_map(|_| Some(strategy.new_tree(&mut runner).ok()?.current()).filter(fits))
}

/// `1m` and `720h` of `duration(self) >= duration('1m') && duration(self) <= duration('720h')`.
fn spans(rule: &str) -> Vec<String> {
    let parts = rule.split("duration('").skip(1);
    parts
        .filter_map(|part| part.split_once('\'').map(|(span, _)| span.to_owned()))
        .collect()
}

#[test]
fn what_the_schema_says_of_a_field_is_found() {
    let fields = [fields("ClusterUpgradeBatch"), fields("Connection")].concat();
    let field = |dotted: &str| fields.iter().find(|f| f.dotted() == dotted).unwrap_or_else(|| panic!("{dotted}"));
    assert!(field("clusters[].cluster").key && field("clusters[].cluster").required);
    assert!(!field("clusters[].canary").required && !field("strategy").required);
    assert!(field("connectionRef.name").immutable.is_some() && field("timeout").immutable.is_none());
    assert_eq!(spans("duration(self) <= duration('168h')"), ["168h"]);
    let strategy = field("strategy.maxConcurrent");
    let mut dice = Dice::new(1);
    for _ in 0..100 {
        let n = of_schema(&strategy.schema, &mut dice).unwrap().as_i64().unwrap();
        assert!((1..=64).contains(&n), "{n}");
    }
}

#[test]
fn a_seed_gives_the_same_values_again() {
    let values = |seed| {
        let mut dice = Dice::new(seed);
        let fields = fields("ClusterUpgradeBatch");
        fields.iter().map(|f| value(f, &Words::default(), &mut dice)).collect::<Vec<_>>()
    };
    assert_eq!(values(3), values(3));
    assert_ne!(values(3), values(4));
}
