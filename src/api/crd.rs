//! The CustomResourceDefinitions, made from the types and then finished: what the derive cannot say is said here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrBool;
use kube::CustomResourceExt;

use super::ClusterUpgradeBatch;
use super::Connection;
use super::UpgradeReceipt;

/// All CRDs, as they are to be installed. Use this instead of the kinds' own `crd()`, which lacks the finish.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    vec![
        unseen_until_looked_at(without_defaults(Connection::crd())),
        unseen_until_looked_at(without_defaults(ClusterUpgradeBatch::crd())),
        without_defaults(UpgradeReceipt::crd()),
    ]
}

/// Drops every default that serde's attributes brought in: absent means default, in code.
fn without_defaults(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    each_root(&mut crd, drop_defaults);
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

fn drop_defaults(schema: &mut JSONSchemaProps) {
    schema.default = None;
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        drop_defaults(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => drop_defaults(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(drop_defaults),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        drop_defaults(value);
    }
}
