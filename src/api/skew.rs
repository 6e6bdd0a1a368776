//! Are the CRDs that a cluster serves older than this binary needs? What a CRD does not declare the API server drops without a word, and
//! with it a fact about a start.
//!
//! Pure: [`served`](crate::controller::served) fetches, this compares. More than is needed is fine: an older operator works with newer CRDs.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrBool;

use super::VERSION;

/// What of `needed` is missing in `served`: paths of properties such as `status.targets[].receipt`, and of fields that lists are read by.
/// A property that is missing stands for all in it.
pub fn missing(needed: &CustomResourceDefinition, served: &CustomResourceDefinition) -> Vec<String> {
    let Some(needed) = version(needed) else { return Vec::new() };
    let Some(served) = version(served).filter(|v| v.served) else {
        return vec![format!("version {VERSION}")];
    };
    let mut out = Vec::new();
    let root = |v: &CustomResourceDefinitionVersion| v.schema.as_ref().and_then(|s| s.open_api_v3_schema.clone()).unwrap_or_default();
    properties("", &root(needed), &root(served), &mut out);
    if subresource(needed) && !subresource(served) {
        out.push("the subresource status".to_owned());
    }
    let selectable = |v: &CustomResourceDefinitionVersion| v.selectable_fields.clone().unwrap_or_default();
    let known = selectable(served);
    for field in selectable(needed) {
        if !known.iter().any(|k| k.json_path == field.json_path) {
            out.push(format!("the selectable field {}", field.json_path));
        }
    }
    out
}

fn version(crd: &CustomResourceDefinition) -> Option<&CustomResourceDefinitionVersion> {
    crd.spec.versions.iter().find(|v| v.name == VERSION)
}

fn subresource(version: &CustomResourceDefinitionVersion) -> bool {
    version.subresources.as_ref().is_some_and(|s| s.status.is_some())
}

fn properties(path: &str, needed: &JSONSchemaProps, served: &JSONSchemaProps, out: &mut Vec<String>) {
    if served.x_kubernetes_preserve_unknown_fields == Some(true) {
        return;
    }
    let known = served.properties.clone().unwrap_or_default();
    for (name, schema) in needed.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match known.get(name).or_else(|| values(served)) {
            Some(theirs) => properties(&path, schema, theirs, out),
            None => out.push(path),
        }
    }
    if let (Some(ours), Some(theirs)) = (items(needed), items(served)) {
        properties(&format!("{path}[]"), ours, theirs, out);
    }
    if let Some(ours) = values(needed) {
        match values(served) {
            Some(theirs) => properties(&format!("{path}.*"), ours, theirs, out),
            None => out.push(format!("{path}.*")),
        }
    }
}

fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(one) => Some(one),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn values(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(one) => Some(one),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::api::all_crds;

    const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema";

    fn receipts() -> CustomResourceDefinition {
        all_crds()
            .into_iter()
            .find(|c| c.name_any().starts_with("upgradereceipts"))
            .unwrap()
    }

    /// A CRD after an edit of its JSON.
    fn edited(crd: &CustomResourceDefinition, edit: impl FnOnce(&mut Value)) -> CustomResourceDefinition {
        let mut json = serde_json::to_value(crd).unwrap();
        edit(&mut json);
        serde_json::from_value(json).unwrap()
    }

    fn without(crd: &CustomResourceDefinition, parent: &str, name: &str) -> CustomResourceDefinition {
        edited(crd, |json| {
            let parent = json.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.remove(name).unwrap();
        })
    }

    /// JSON pointers of all maps of properties in a schema, with the path that people read.
    fn maps(at: &str, path: &str, schema: &Value, out: &mut Vec<(String, String)>) {
        if let Some(properties) = schema["properties"].as_object() {
            out.push((format!("{at}/properties"), path.to_owned()));
            for (name, property) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                maps(&format!("{at}/properties/{name}"), &path, property, out);
            }
        }
        if schema["items"].is_object() {
            maps(&format!("{at}/items"), &format!("{path}[]"), &schema["items"], out);
        }
        if schema["additionalProperties"].is_object() {
            maps(
                &format!("{at}/additionalProperties"),
                &format!("{path}.*"),
                &schema["additionalProperties"],
                out,
            );
        }
    }

    #[test]
    fn no_property_is_ever_missing_unnoticed_and_none_that_is_there_is_missed() {
        let mut tried = 0;
        for crd in all_crds() {
            assert_eq!(missing(&crd, &crd), [""; 0], "{}", crd.name_any());
            let json = serde_json::to_value(&crd).unwrap();
            let mut found = Vec::new();
            maps(SCHEMA, "", json.pointer(SCHEMA).unwrap(), &mut found);
            for (pointer, path) in found {
                for name in json.pointer(&pointer).unwrap().as_object().unwrap().keys() {
                    let older = without(&crd, &pointer, name);
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    assert_eq!(missing(&crd, &older), [path.as_str()], "{}", crd.name_any());
                    assert_eq!(missing(&older, &crd), [""; 0], "an older operator on newer CRDs: {path}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 200, "{tried}");
    }

    #[test]
    fn what_else_an_older_crd_may_lack_is_told_too() {
        let ours = receipts();
        let gone = without(&ours, "/spec/versions/0", "selectableFields");
        let fields = missing(&ours, &gone);
        assert!(
            fields.contains(&"the selectable field .spec.claim.targetHash".to_owned()),
            "{fields:?}"
        );
        let gone = without(&ours, "/spec/versions/0", "subresources");
        assert_eq!(missing(&ours, &gone), ["the subresource status"]);
        for change in [json!({"name": "v1beta1"}), json!({"served": false})] {
            let other = edited(&ours, |json| {
                let version = json["spec"]["versions"][0].as_object_mut().unwrap();
                version.extend(change.as_object().unwrap().clone());
            });
            assert_eq!(missing(&ours, &other), ["version v1alpha1"]);
        }
    }

    #[test]
    fn a_part_that_keeps_whatever_it_is_given_lacks_nothing() {
        let ours = receipts();
        let open = edited(&ours, |json| {
            *json.pointer_mut(&format!("{SCHEMA}/properties/status")).unwrap() =
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        });
        assert_eq!(missing(&ours, &open), [""; 0]);
    }
}
