//! That nothing in the specs is left out: every field of the CRDs has values, and a real API server takes them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kube::Api;
use kube::api::ApiResource;
use kube::api::DynamicObject;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::core::Resource;
use serde_json::Value;
use serde_json::json;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::Connection;

use super::operation::BATCH;
use super::operation::CONNECTION;
use super::operation::difference;
use super::operation::put;
use super::schema::Field;
use super::schema::Words;
use super::schema::fields;
use super::schema::value;
use super::stage::real;
use super::stage::words;
use crate::proof::dice::Dice;
use crate::proof::show;
use crate::proof::story::Story;
use crate::sim::vcenter::VERSION_NEW;

/// Fields that are not edited, and why.
const LEFT_OUT: [(&str, &str, &str); 3] = [
    (BATCH, "connectionRef.name", "immutable: a different target is a different upgrade"),
    (CONNECTION, "type", "immutable: another kind of machine is another Connection"),
    (
        CONNECTION,
        "url",
        "immutable: another address is another machine, with a ledger of its own",
    ),
];

fn all() -> Vec<Field> {
    [fields(BATCH), fields(CONNECTION)].concat()
}

#[test]
fn every_field_of_the_specs_is_edited_or_left_out_for_a_reason() {
    let all = all();
    let left_out = |f: &Field| LEFT_OUT.iter().any(|(kind, field, _)| f.kind == *kind && f.dotted() == *field);
    for field in &all {
        let name = format!("{} {}", field.kind, field.dotted());
        assert_eq!(
            field.immutable.is_some(),
            left_out(field),
            "{name}: what cannot be changed is left out, and nothing else"
        );
        if left_out(field) {
            continue;
        }
        let mut dice = Dice::new(7919);
        let values: BTreeSet<String> = (0..40)
            .map(|_| value(field, &Words::default(), &mut dice).unwrap_or_else(|| panic!("nothing here makes a value for {name}")))
            .map(|value| value.to_string())
            .collect();
        assert!(values.len() > 1, "{name} always gets {values:?}");
    }
    for (kind, field, _) in LEFT_OUT {
        assert!(
            all.iter().any(|f| f.kind == kind && f.dotted() == field),
            "{kind} {field} is no more"
        );
    }
}

/// What the API server made of the values of one field.
#[derive(Default)]
struct Taken {
    accepted: usize,
    refused: Vec<String>,
}

/// Tries a spec without storing it. What is accepted must be readable by the operator's own types.
async fn tried<K>(api: &Api<DynamicObject>, name: &str, from: &Value, to: &Value, whole: bool) -> anyhow::Result<Result<(), String>>
where
    K: serde::de::DeserializeOwned,
{
    let answer = if whole {
        let mut object = api.get(name).await?;
        object.data["spec"] = to.clone();
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        api.replace(name, &params, &object).await
    } else {
        let patch = Patch::Merge(json!({"spec": difference(from, to)}));
        api.patch(name, &PatchParams::default().dry_run(), &patch).await
    };
    match answer {
        Ok(object) => {
            let read = serde_json::from_value::<K>(serde_json::to_value(&object)?);
            anyhow::ensure!(read.is_ok(), "taken by the API server, and the operator cannot read it: {to:#}");
            Ok(Ok(()))
        }
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(Err(status.message.clone())),
        Err(other) => Err(other.into()),
    }
}

#[tokio::test]
async fn the_api_server_takes_the_values_of_every_field_or_says_why_not() -> anyhow::Result<()> {
    let story = Story::new("fields", 3).await?;
    story.secret().await?;
    story.connection().await?;
    let entry = json!({"cluster": story.cluster(1), "canary": true, "desiredVersion": VERSION_NEW});
    let spec = json!({"clusters": [entry, {"cluster": story.cluster(2)}], "suspend": true});
    story.batch("b", spec).await?;
    let central = json!({
        "type": "ArubaCentral", "url": "https://central.example", "credentialsSecretRef": {"name": "central"},
        "arubaCentral": {"customerId": "a0c30000"},
    });
    let metadata = json!({"name": "central", "namespace": story.world.namespace});
    let central = json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": metadata, "spec": central});
    story.world.apply(&central).await?;
    let (world, words) = (&story.world, words());
    let resources = [
        ApiResource::erase::<ClusterUpgradeBatch>(&()),
        ApiResource::erase::<Connection>(&()),
    ];
    let [batches, connections] = resources.map(|r| Api::<DynamicObject>::namespaced_with(world.client.clone(), &world.namespace, &r));
    let mut dice = Dice::new(7919);
    let mut found = BTreeMap::<String, Taken>::new();
    for field in all().into_iter().filter(|f| f.immutable.is_none()) {
        let of_central = field.dotted().starts_with("arubaCentral") || field.dotted() == "limits.requestsPerDay";
        let (api, name) = match field.kind {
            BATCH => (&batches, "b"),
            _ if of_central => (&connections, "central"),
            _ => (&connections, "vc"),
        };
        let from = api.get(name).await?.data["spec"].clone();
        let taken = found.entry(format!("{} {}", field.kind, field.dotted())).or_default();
        for n in 0..10 {
            let value = match n {
                // A template that writes null for "nothing".
                0 if !field.required => Value::Null,
                _ => real(&story, &value(&field, &words, &mut dice).unwrap_or_default()),
            };
            let mut to = from.clone();
            put(&mut to, &field.path, n, &value, n < 5);
            let answer = match field.kind {
                BATCH => tried::<ClusterUpgradeBatch>(api, name, &from, &to, n < 5).await?,
                _ => tried::<Connection>(api, name, &from, &to, n < 5).await?,
            };
            match answer {
                Ok(()) => taken.accepted += 1,
                Err(said) => {
                    assert!(
                        said.contains("spec"),
                        "{} = {value} was refused without a word on where: {said}",
                        field.dotted()
                    );
                    taken.refused.push(said);
                }
            }
        }
    }
    let accepted: usize = found.values().map(|t| t.accepted).sum();
    let refused: usize = found.values().map(|t| t.refused.len()).sum();
    let sorts: Vec<&String> = found
        .iter()
        .filter(|(_, t)| !t.refused.is_empty())
        .map(|(field, _)| field)
        .collect();
    show(&format!(
        "fields {}: values accepted {accepted}, refused with words {refused} ({sorts:?})",
        found.len()
    ));
    for (field, taken) in &found {
        assert!(taken.accepted > 0, "no value of {field} was taken: {:?}", taken.refused);
    }
    assert!(
        accepted >= 8 * refused,
        "most are to be legal: {accepted} accepted, {refused} refused"
    );
    Ok(())
}

#[test]
fn the_words_are_those_of_fields_that_exist() {
    let all = all();
    for (known, values) in words().0 {
        assert!(!values.is_empty() && all.iter().any(|f| f.name() == known), "{known} is no field");
    }
}

/// So that the resources' own names are those that the CRDs are found by.
#[test]
fn the_kinds_are_those_of_the_crds() {
    assert_eq!(
        (ClusterUpgradeBatch::kind(&()), Connection::kind(&())),
        (BATCH.into(), CONNECTION.into())
    );
}
