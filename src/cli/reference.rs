//! The reference of the API as Markdown, made from the CRDs. Pure: CRDs in, text out. `windlass crds --reference` writes it to docs/api-reference.md.
//!
//! Everything in it is in the CRDs, so what a field means is written once, at its type in `src/api`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrBool;

/// What stands before the kinds.
const HEAD: &str = "# API reference

Made from the CRDs by `windlass crds --reference docs/api-reference.md`; do not edit. `kubectl explain KIND --recursive` tells the same of the CRDs
that a cluster serves. What states, conditions and reasons mean is in [concepts.md](concepts.md).

A path that ends in `[]` is an item of a list, one that ends in `{}` a value of a map. *Required* is what must be there where the object around it is.
*Default* is what an absent field means: the API server adds nothing to a spec. *Limits* are checked when an object is written; those in words are CEL
rules, shown beside their message. `self == oldSelf` is a field that cannot be changed.
";

/// Where a description says what an absent field means.
const DEFAULT: &str = "Default: ";

/// The page about these CRDs.
pub fn page(crds: &[CustomResourceDefinition]) -> String {
    let mut lines = vec![HEAD.trim_end().to_owned()];
    for crd in crds {
        for version in &crd.spec.versions {
            lines.extend(kind(crd, version));
        }
    }
    lines.join("\n") + "\n"
}

/// One kind: how to name it, its columns, and its fields.
fn kind(crd: &CustomResourceDefinition, version: &CustomResourceDefinitionVersion) -> Vec<String> {
    let names = &crd.spec.names;
    let root = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
    let short = names.short_names.iter().flatten();
    let callable: Vec<&String> = std::iter::once(&names.plural).chain(short).collect();
    let categories: Vec<&String> = names.categories.iter().flatten().collect();
    let mut lines = vec![
        format!("\n## {}\n", names.kind),
        root.and_then(|r| r.description.clone()).unwrap_or_default(),
        format!(
            "\n`{}/{}`, {}. For kubectl: {}; in the categories {}.",
            crd.spec.group,
            version.name,
            crd.spec.scope.to_lowercase(),
            listed(&callable),
            listed(&categories)
        ),
        columns(version),
    ];
    let selectable = version.selectable_fields.iter().flatten();
    let selectable: Vec<&str> = selectable.map(|f| f.json_path.trim_start_matches('.')).collect();
    if !selectable.is_empty() {
        lines.push(format!("Field selectors: {}.", listed(&selectable)));
    }
    for part in ["spec", "status"] {
        let Some(schema) = root.and_then(|r| r.properties.as_ref()?.get(part)) else {
            continue;
        };
        let mut rows = Vec::new();
        collect(&mut rows, part, schema, root.is_some_and(|r| requires(r, part)));
        lines.push(format!("\n### {} of {}\n", part, names.kind));
        lines.extend(table(&rows));
    }
    lines
}

/// Texts as code, one after another.
fn listed<T: AsRef<str>>(texts: &[T]) -> String {
    let each: Vec<String> = texts.iter().map(|text| format!("`{}`", text.as_ref())).collect();
    each.join(", ")
}

/// What `kubectl get` shows.
fn columns(version: &CustomResourceDefinitionVersion) -> String {
    let of = |wide: bool| {
        let all = version.additional_printer_columns.iter().flatten();
        let some = all.filter(|column| (column.priority.unwrap_or_default() > 0) == wide);
        some.map(|column| column.name.to_uppercase()).collect::<Vec<_>>().join(", ")
    };
    format!("`kubectl get` shows {}; with `-o wide` also {}.", of(false), of(true))
}

fn requires(parent: &JSONSchemaProps, name: &str) -> bool {
    parent.required.iter().flatten().any(|required| required == name)
}

/// A line of a table.
struct Row {
    path: String,
    type_: String,
    required: bool,
    default: String,
    limits: Vec<String>,
    meaning: String,
}

/// A field, and all fields in it, each by its whole path.
fn collect(rows: &mut Vec<Row>, path: &str, schema: &JSONSchemaProps, required: bool) {
    let (meaning, told) = without_default(schema.description.as_deref().unwrap_or_default());
    let added = schema.default.as_ref().map(|value| format!("`{}`", value.0));
    rows.push(Row {
        path: path.to_owned(),
        type_: type_of(schema),
        required,
        default: added.or(told).unwrap_or_default(),
        limits: limits(schema),
        meaning,
    });
    for (name, property) in schema.properties.iter().flatten() {
        collect(rows, &format!("{path}.{name}"), property, requires(schema, name));
    }
    if let Some((suffix, inner)) = inner(schema) {
        let inside = format!("{path}{suffix}");
        for (name, property) in inner.properties.iter().flatten() {
            collect(rows, &format!("{inside}.{name}"), property, requires(inner, name));
        }
        // What says more than the type of the list's items.
        if inner.x_kubernetes_validations.is_some() || inner.pattern.is_some() || inner.enum_.is_some() {
            let at = rows.iter().position(|row| row.path == path).map_or(rows.len(), |at| at + 1);
            let mut item = Vec::new();
            collect(&mut item, &inside, &without_fields(inner), false);
            rows.splice(at..at, item);
        }
    }
}

/// The items of a list or the values of a map, and how their path goes on.
fn inner(schema: &JSONSchemaProps) -> Option<(&'static str, &JSONSchemaProps)> {
    match (&schema.items, &schema.additional_properties) {
        (Some(JSONSchemaPropsOrArray::Schema(item)), _) => Some(("[]", item)),
        (_, Some(JSONSchemaPropsOrBool::Schema(value))) => Some(("{}", value)),
        _ => None,
    }
}

fn without_fields(schema: &JSONSchemaProps) -> JSONSchemaProps {
    JSONSchemaProps {
        properties: None,
        ..schema.clone()
    }
}

/// The type, with what it holds.
fn type_of(schema: &JSONSchemaProps) -> String {
    let own = schema.type_.as_deref().unwrap_or("any");
    match inner(schema) {
        Some(("[]", item)) => format!("list of {}", type_of(item)),
        Some((_, value)) => format!("map of {}", type_of(value)),
        None => match schema.format.as_deref() {
            Some("date-time") => "time".to_owned(),
            _ => own.to_owned(),
        },
    }
}

/// A description without the sentence that says the default, and that.
fn without_default(text: &str) -> (String, Option<String>) {
    let Some((before, rest)) = text.split_once(DEFAULT) else {
        return (text.to_owned(), None);
    };
    let (default, after) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
    (format!("{before}{after}").trim().to_owned(), Some(default.to_owned()))
}

/// What a value must be like.
fn limits(schema: &JSONSchemaProps) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(values) = &schema.enum_ {
        let values: Vec<String> = values
            .iter()
            .map(|v| v.0.as_str().map_or_else(|| v.0.to_string(), str::to_owned))
            .collect();
        out.push(format!("one of {}", listed(&values)));
    }
    let whole = |bound: f64| format!("{bound:.0}");
    out.extend(between(schema.minimum.map(whole), schema.maximum.map(whole), ""));
    let count = |bound: i64| bound.to_string();
    out.extend(between(schema.min_length.map(count), schema.max_length.map(count), " characters"));
    out.extend(between(schema.min_items.map(count), schema.max_items.map(count), " items"));
    out.extend(between(
        schema.min_properties.map(count),
        schema.max_properties.map(count),
        " entries",
    ));
    out.extend(schema.pattern.as_ref().map(|pattern| format!("`{pattern}`")));
    if let (Some("map"), Some(keys)) = (schema.x_kubernetes_list_type.as_deref(), &schema.x_kubernetes_list_map_keys) {
        out.push(format!("one item for each {}", listed(keys)));
    }
    if schema.x_kubernetes_list_type.as_deref() == Some("set") {
        out.push("no item twice".to_owned());
    }
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let message = rule.message.clone().unwrap_or_default();
        out.push(format!(
            "{message} (`{}`)",
            rule.rule.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    out
}

/// Bounds in words.
fn between(least: Option<String>, most: Option<String>, of: &str) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{of}")),
        (Some(least), None) => Some(format!("at least {least}{of}")),
        (None, Some(most)) => Some(format!("at most {most}{of}")),
        (None, None) => None,
    }
}

/// Rows as a table: a column that is empty in all of them is left out.
fn table(rows: &[Row]) -> Vec<String> {
    let cells: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            let required = if row.required { "yes" } else { "" };
            [
                format!("`{}`", row.path),
                row.type_.clone(),
                required.to_owned(),
                row.default.clone(),
                row.limits.join("; "),
                row.meaning.clone(),
            ]
        })
        .collect();
    let shown: Vec<usize> = (0..6).filter(|n| cells.iter().any(|row| !row[*n].is_empty())).collect();
    let line = |row: [&str; 6]| {
        let each: Vec<String> = shown.iter().map(|n| in_cell(row[*n])).collect();
        format!("| {} |", each.join(" | "))
    };
    let mut lines = vec![
        line(["field", "type", "required", "default", "limits", "meaning"]),
        line(["---"; 6]),
    ];
    lines.extend(cells.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines
}

/// A bar ends a cell, in code too, and a line ends the table.
fn in_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::api::all_crds;

    #[test]
    fn the_reference_in_the_docs_is_never_older_than_the_kinds() {
        let found = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api-reference.md")).unwrap_or_default();
        assert!(
            found == page(&all_crds()),
            "docs/api-reference.md is stale; run: cargo run --bin windlass -- crds --reference docs/api-reference.md"
        );
    }

    #[test]
    fn no_field_of_any_kind_is_missing() {
        fn count(schema: &Value) -> usize {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let below: usize = fields.map(|(_, field)| 1 + count(field)).sum();
            let items = ["items", "additionalProperties"];
            below
                + items
                    .iter()
                    .filter(|key| schema[**key].is_object())
                    .map(|key| count(&schema[*key]))
                    .sum::<usize>()
        }
        for crd in all_crds() {
            let text = page(std::slice::from_ref(&crd));
            let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
            let fields = ["spec", "status"].map(|part| {
                let part = &schema["openAPIV3Schema"]["properties"][part];
                usize::from(part.is_object()) + count(part)
            });
            // Items of lists have a line of their own where they have rules of their own.
            let rows = text
                .lines()
                .filter(|line| line.starts_with("| `") && !line.contains("[]` |"))
                .count();
            assert_eq!(rows, fields.iter().sum::<usize>(), "{}", crd.spec.names.kind);
        }
    }

    fn rows(schema: &Value) -> Vec<String> {
        let schema: JSONSchemaProps = serde_json::from_value(schema.clone()).unwrap();
        let mut rows = Vec::new();
        collect(&mut rows, "spec", &schema, true);
        table(&rows)
    }

    #[test]
    fn a_field_is_told_with_its_limits_its_default_and_its_rules() {
        let told = rows(&json!({
            "type": "object", "required": ["name"],
            "properties": {
                "many": {"type": "integer", "minimum": 1, "maximum": 64, "description": "How many. Default: 1. More is faster."},
                "name": {"type": "string", "maxLength": 9, "pattern": "^(a|b)$", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed"}]},
                "tags": {"type": "array", "maxItems": 3, "items": {"type": "string", "enum": ["X", "Y"]}},
            },
        }));
        assert_eq!(
            told,
            [
                "| field | type | required | default | limits | meaning |",
                "| --- | --- | --- | --- | --- | --- |",
                "| `spec` | object | yes |  |  |  |",
                "| `spec.many` | integer |  | 1 | 1 to 64 | How many. More is faster. |",
                "| `spec.name` | string | yes |  | at most 9 characters; `^(a\\|b)$`; fixed (`self == oldSelf`) |  |",
                "| `spec.tags` | list of string |  |  | at most 3 items |  |",
                "| `spec.tags[]` | string |  |  | one of `X`, `Y` |  |",
            ]
        );
    }

    #[test]
    fn a_default_ends_where_its_sentence_does() {
        let cut = |text: &str| without_default(text);
        assert_eq!(cut("A path. Default: /api/v2."), ("A path.".to_owned(), Some("/api/v2".to_owned())));
        assert_eq!(cut("Default: 8h. Then."), ("Then.".to_owned(), Some("8h".to_owned())));
        assert_eq!(cut("Nothing."), ("Nothing.".to_owned(), None));
    }
}
