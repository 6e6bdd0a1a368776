//! Who may do what: asked of the API server, which answers for all roles that somebody has.

use std::collections::BTreeSet;

use http::Method;
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::authorization::v1::SubjectAccessReviewSpec;
use kube::Api;
use kube::api::PostParams;
use serde_json::Value;
use serde_json::json;

use super::site::Person;
use crate::plane::Plane;

/// What `kubectl auth can-i` says, asked of the API server in the way it asks: `resource.group`, `/name` or `=subresource` behind it, and
/// no namespace for all of them.
pub async fn can(plane: &Plane, who: &str, verb: &str, what: &str, namespace: &str) -> bool {
    let (what, subresource) = what.split_once('=').unwrap_or((what, ""));
    let (what, name) = what.split_once('/').unwrap_or((what, ""));
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    // A service account's groups come with its token; whoever asks for one has to name them.
    let mut groups = vec!["system:authenticated".to_owned()];
    if let Some(account) = who.strip_prefix("system:serviceaccount:") {
        let (of, _) = account.split_once(':').unwrap();
        groups.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{of}")]);
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: some(who),
            groups: Some(groups),
            resource_attributes: Some(ResourceAttributes {
                verb: some(verb),
                resource: some(resource),
                group: some(group),
                subresource: some(subresource),
                name: some(name),
                namespace: some(namespace),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(plane.client().await.unwrap());
    let review = api.create(&PostParams::default(), &review).await.unwrap();
    review.status.unwrap().allowed
}

/// Every right that somebody has in a namespace and that nobody else has by merely being known, one a line: `verb resource.group`, with
/// `/name` behind it where it is for one object only.
pub async fn rights(plane: &Plane, who: &str, namespace: &str) -> BTreeSet<String> {
    let of = async |who: &str| {
        let person = Person::new(plane, who, &[]).await;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let answer = person.send(Method::POST, path, &review).await.unwrap();
        assert_eq!(answer["status"]["incomplete"], json!(false));
        let rules = answer["status"]["resourceRules"].as_array().cloned().unwrap_or_default();
        rules.iter().flat_map(expanded).collect::<BTreeSet<String>>()
    };
    let nobody = if who.starts_with("system:serviceaccount:") {
        "system:serviceaccount:default:nobody"
    } else {
        "nobody"
    };
    let (all, usual) = (of(who).await, of(nobody).await);
    &all - &usual
}

/// A rule as one line for each thing that it allows.
fn expanded(rule: &Value) -> Vec<String> {
    let strings = |key: &str| -> Vec<String> {
        let items = rule[key].as_array().into_iter().flatten();
        items.map(|i| i.as_str().unwrap().to_owned()).collect()
    };
    let names = match strings("resourceNames") {
        none if none.is_empty() => vec![String::new()],
        some => some.iter().map(|name| format!("/{name}")).collect(),
    };
    let mut all = Vec::new();
    for verb in strings("verbs") {
        for group in strings("apiGroups") {
            for resource in strings("resources") {
                let group = if group.is_empty() { String::new() } else { format!(".{group}") };
                all.extend(names.iter().map(|name| format!("{verb} {resource}{group}{name}")));
            }
        }
    }
    all
}
