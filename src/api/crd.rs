//! The CustomResourceDefinitions, made from the types and then finished: what the derive cannot say is said here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrBool;
use kube::CustomResourceExt;

use super::ApplianceUpdate;
use super::ClusterUpgradeBatch;
use super::Connection;
use super::FirmwareUpgrade;
use super::Inventory;
use super::UpgradeReceipt;

/// All CRDs, as they are to be installed. Use this instead of the kinds' own `crd()`, which lacks the finish.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let finish = |crd| never_pruned(as_running_text(without_defaults(crd)));
    vec![
        unseen_until_looked_at(finish(Connection::crd())),
        unseen_until_looked_at(finish(ApplianceUpdate::crd())),
        unseen_until_looked_at(finish(FirmwareUpgrade::crd())),
        unseen_until_looked_at(finish(ClusterUpgradeBatch::crd())),
        unseen_until_looked_at(finish(Inventory::crd())),
        finish(UpgradeReceipt::crd()),
    ]
}

/// What tells the tools that install things to leave the CRDs where they are: with that of the receipts goes the ledger, and with the others
/// every upgrade that people wrote. Argo CD takes Helm's word for it at the end of an Application only, hence its own.
const NEVER_PRUNED: [(&str, &str); 3] = [
    ("helm.sh/resource-policy", "keep"),
    ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
];

/// Has every tool keep the CRD, however it was installed.
fn never_pruned(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.extend(NEVER_PRUNED.map(|(name, value)| (name.to_owned(), value.to_owned())));
    crd
}

/// Drops every default that serde's attributes brought in: absent means default, in code.
fn without_defaults(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    each_root(&mut crd, |root| everywhere(root, &mut |schema| schema.default = None));
    crd
}

/// Makes running text of the descriptions: the lines of a doc comment end where the source is full, which is nobody's business in
/// `kubectl explain`.
fn as_running_text(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    each_root(&mut crd, |root| {
        everywhere(root, &mut |schema| {
            if let Some(text) = &mut schema.description {
                let paragraphs: Vec<String> = text
                    .split("\n\n")
                    .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
                    .collect();
                *text = paragraphs.join("\n\n");
            }
        });
    });
    crd
}

/// Gives a new object the status `observedGeneration: -1`, so that whoever waits for `observedGeneration == generation`, as GitOps tools
/// do, never takes an object that nobody has looked at for a finished one.
fn unseen_until_looked_at(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    each_root(&mut crd, |root| {
        if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
            status.default = Some(JSON(serde_json::json!({"observedGeneration": -1})));
        }
    });
    crd
}

fn each_root(crd: &mut CustomResourceDefinition, mut change: impl FnMut(&mut JSONSchemaProps)) {
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            change(root);
        }
    }
}

/// Calls `change` on a schema and all schemas in it.
fn everywhere(schema: &mut JSONSchemaProps, change: &mut impl FnMut(&mut JSONSchemaProps)) {
    change(schema);
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        everywhere(property, change);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => everywhere(item, change),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|item| everywhere(item, change)),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        everywhere(value, change);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::GROUP;
    use crate::api::VERSION;

    /// Calls `look` with the path and content of every JSON object and array below `value`.
    fn walk(path: &str, value: &Value, look: &mut impl FnMut(&str, &Value)) {
        look(path, value);
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, v)| walk(&format!("{path}.{name}"), v, look)),
            Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| walk(&format!("{path}[{i}]"), v, look)),
            _ => {}
        }
    }

    /// Name and schema of the given part of every kind.
    fn schemas(part: &str) -> Vec<(String, Value)> {
        let path = format!("/spec/versions/0/schema/openAPIV3Schema{part}");
        all_crds()
            .iter()
            .map(|crd| {
                (
                    crd.spec.names.kind.clone(),
                    serde_json::to_value(crd).unwrap().pointer(&path).unwrap().clone(),
                )
            })
            .collect()
    }

    /// The value under a keyword of a schema. A property may be called `default` or `format`, so those maps are told apart.
    fn keywords(schema: &Value, keyword: &str, mut found: impl FnMut(&str, &Value)) {
        walk("", schema, &mut |path, value| {
            if !path.ends_with(".properties")
                && let Some(value) = value.get(keyword)
            {
                found(path, value);
            }
        });
    }

    #[test]
    fn group_and_version_are_as_the_constants_say() {
        for crd in all_crds() {
            assert_eq!(crd.spec.group, GROUP);
            assert_eq!(crd.spec.versions.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), [VERSION]);
            assert!(crd.spec.names.categories.is_some_and(|c| c.contains(&"windlass".to_owned())));
        }
    }

    #[test]
    fn no_tool_that_installs_the_crds_may_remove_the_ledger() {
        for crd in all_crds() {
            let annotations = crd.metadata.annotations.unwrap_or_default();
            let found: Vec<_> = annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(
                found,
                [
                    ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"),
                    ("helm.sh/resource-policy", "keep"),
                    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
                ],
                "{}",
                crd.spec.names.kind
            );
        }
    }

    #[test]
    fn crds_hold_no_empty_list_that_gitops_tools_would_see_as_a_difference() {
        for crd in all_crds() {
            walk(&crd.spec.names.kind, &serde_json::to_value(&crd).unwrap(), &mut |path, value| {
                assert!(value.as_array().is_none_or(|a| !a.is_empty()), "{path} is empty");
            });
        }
    }

    #[test]
    fn status_of_an_older_crd_takes_what_a_newer_operator_writes() {
        for (kind, status) in schemas("/properties/status") {
            keywords(&status, "enum", |path, _| panic!("{kind}{path} has an enum"));
            keywords(&status, "required", |path, required| {
                let (list, _) = path
                    .rsplit_once(".items")
                    .unwrap_or_else(|| panic!("{kind}{path} requires {required}"));
                let keys = status
                    .pointer(&list.replace('.', "/"))
                    .and_then(|l| l.get("x-kubernetes-list-map-keys"));
                assert_eq!(Some(required), keys, "{kind}{path}");
            });
        }
    }

    #[test]
    fn only_a_status_that_nobody_has_looked_at_is_defaulted() {
        for (kind, root) in schemas("") {
            let mut found = Vec::new();
            keywords(&root, "default", |path, value| found.push(format!("{path} {value}")));
            let wanted: &[&str] = if kind == "UpgradeReceipt" {
                &[]
            } else {
                &[r#".properties.status {"observedGeneration":-1}"#]
            };
            assert_eq!(found, wanted, "{kind}");
        }
    }

    #[test]
    fn rules_stand_on_spec_or_on_fields_but_for_one_that_cannot_tighten() {
        for (kind, root) in schemas("") {
            let rules = root.get("x-kubernetes-validations").map(|rules| rules[0]["rule"].as_str().unwrap());
            assert_eq!(
                rules,
                (kind == "UpgradeReceipt").then_some("!has(oldSelf.status) || has(self.status)"),
                "{kind}"
            );
        }
    }

    #[test]
    fn every_rule_has_a_message() {
        for (kind, root) in schemas("") {
            keywords(&root, "x-kubernetes-validations", |path, rules| {
                for rule in rules.as_array().unwrap() {
                    assert!(rule["message"].as_str().is_some_and(|m| !m.is_empty()), "{kind}{path}: {rule}");
                }
            });
        }
    }

    #[test]
    fn formats_are_those_the_api_server_knows() {
        for (kind, root) in schemas("") {
            keywords(&root, "format", |path, format| {
                assert!(
                    ["int32", "int64", "date-time"].contains(&format.as_str().unwrap()),
                    "{kind}{path}: {format}"
                );
            });
        }
    }

    #[test]
    fn every_property_explains_itself() {
        for (kind, root) in schemas("") {
            walk(&kind, &root, &mut |path, value| {
                let is_map_of_properties = path.ends_with(".properties") && value.is_object();
                for (name, property) in value.as_object().into_iter().flatten().filter(|_| is_map_of_properties) {
                    let text = property["description"].as_str().unwrap_or_default();
                    assert!(
                        text.ends_with('.') && !text.contains('[') && !text.contains("  "),
                        "{path}.{name}: {text:?}"
                    );
                }
            });
        }
    }

    #[test]
    fn spec_strings_and_lists_are_bounded_so_that_rules_stay_affordable() {
        for (kind, spec) in schemas("/properties/spec") {
            keywords(&spec, "type", |path, kind_of_value| {
                let at = spec.pointer(&path.replace('.', "/")).unwrap();
                let bound = match kind_of_value.as_str() {
                    Some("string") => at.get("maxLength").or(at.get("enum")),
                    Some("array") => at.get("maxItems"),
                    Some("integer") => at.get("minimum"),
                    _ => return,
                };
                assert!(bound.is_some(), "{kind} spec{path} has no bound");
            });
        }
    }

    #[test]
    fn crds_fit_where_they_are_kept() {
        for crd in all_crds() {
            let bytes = serde_json::to_vec(&crd).unwrap().len();
            assert!(
                bytes < 200 * 1024,
                "{}: client-side apply keeps a copy in an annotation of at most 256 KiB",
                crd.spec.names.kind
            );
        }
    }

    #[test]
    fn nothing_of_a_later_version_is_in_them() {
        for (kind, root) in schemas("") {
            walk(&kind, &root, &mut |path, _| {
                let later = ["cancel", "exclusionGroup", "approval", "supervisor"];
                assert!(!later.iter().any(|field| path.ends_with(&format!(".properties.{field}"))), "{path}");
            });
        }
    }
}
