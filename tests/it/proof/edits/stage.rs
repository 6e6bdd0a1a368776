//! One world in which operations are carried out: a story, the two objects as their authors have them, and an operator that may die.

use std::collections::BTreeMap;

use kube::Api;
use kube::api::ApiResource;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use serde_json::Value;
use serde_json::json;

use super::finals::FINAL;
use super::operation::BATCH;
use super::operation::CONNECTION;
use super::operation::How;
use super::operation::Operation;
use super::operation::difference;
use super::operation::put;
use super::schema::Words;
use super::schema::about_now;
use crate::proof::effects;
use crate::proof::story::Story;
use crate::sim::Rule;
use crate::sim::vcenter;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::sim::vcenter::VERSION_OLD;
use crate::world::Operator;

/// Clusters that the vendor has.
pub const CLUSTERS: u32 = 3;

/// How often one put is tried while the operator writes its status in between.
const TRIES: u32 = 20;

/// What became of the operations: how many of each word were taken, and what was refused with which words.
#[derive(Debug, Default)]
pub struct Tally {
    /// Taken, by what they were.
    pub accepted: BTreeMap<String, usize>,
    /// What it was, and the API server's words.
    pub refused: Vec<(String, String)>,
}

impl Tally {
    /// Adds another one's counts.
    pub fn add(&mut self, other: Tally) {
        for (word, n) in other.accepted {
            *self.accepted.entry(word).or_default() += n;
        }
        self.refused.extend(other.refused);
    }
}

/// A world, and the two objects as their authors have them.
pub struct Stage {
    /// Namespace, vendor and proxy.
    pub story: Story,
    operator: Operator,
    batch: Value,
    connection: Value,
    rules: Vec<u64>,
    /// What became of the operations.
    pub tally: Tally,
}

/// The words that mean something at the simulated vendor. Clusters' names and the certificate are each story's own, so here stands what
/// [`real`] puts them in for: a sequence can be carried out in any story.
pub fn words() -> Words {
    let all = |words: &[&str]| words.iter().map(|word| json!(word)).collect::<Vec<_>>();
    Words(vec![
        // The last but one is older than what runs, and the last is not offered; FINAL is left to the end.
        (
            "desiredVersion",
            all(&[VERSION_NEW, VERSION_NEW, VERSION_NEWER, VERSION_OLD, "v1.99.0"]),
        ),
        ("cluster", all(&["@cluster-1", "@cluster-2", "@cluster-3", "domain-nowhere"])),
        ("clusterName", all(&["@name-1", "@name-2", "@name-3", "nobody"])),
        ("runKey", all(&["", "a", "b"])),
        ("soak", all(&["0s", "700ms", "2s"])),
        ("maxConcurrent", vec![json!(1), json!(2), json!(3)]),
        ("maxFailures", vec![json!(0), json!(1), json!(3)]),
        ("suspend", vec![json!(false), json!(false), json!(true)]),
        ("caBundlePEM", all(&["@ca", "@ca", "no PEM"])),
        ("name", all(&["vc", "vc", "nowhere"])),
        ("url", all(&["https://elsewhere.example"])),
        (
            "windows",
            vec![
                window("* * * * *", "1h"),
                window("0 1 29 2 *", "4h"),
                window("0 0 30 2 *", "1h"),
                json!([]),
            ],
        ),
        ("freezes", vec![freeze(-48, -24), freeze(-1, 1), freeze(24, 48), json!([])]),
        ("notBefore", vec![hours(-1), hours(-1), hours(24)]),
        ("notAfter", vec![hours(24), hours(24), hours(-1)]),
        ("maxConcurrentUpgrades", vec![json!(1), json!(2), json!(8)]),
    ])
}

fn window(cron: &str, duration: &str) -> Value {
    json!([{"cron": cron, "duration": duration, "timeZone": "Europe/Madrid"}])
}

fn hours(from_now: i64) -> Value {
    json!((about_now() + jiff::SignedDuration::from_hours(from_now)).to_string())
}

fn freeze(from: i64, until: i64) -> Value {
    json!([{"from": hours(from), "until": hours(until), "reason": "CHG-991"}])
}

/// A value of [`words`] as it is in a story.
pub fn real(story: &Story, value: &Value) -> Value {
    let mut text = value.to_string();
    for n in 1..=CLUSTERS {
        let id = story.cluster(n);
        text = text
            .replace(&format!("@cluster-{n}"), &id)
            .replace(&format!("@name-{n}"), &format!("supervisor-{id}"));
    }
    let text = text.replace("\"@ca\"", &json!(story.world.vcenter.ca_pem()).to_string());
    serde_json::from_str(&text).unwrap_or_default()
}

impl Stage {
    /// A vendor with three clusters that are offered everything, and an operator. Nothing is applied yet.
    pub async fn new(name: &str) -> anyhow::Result<Stage> {
        let config = Config::with_clusters(CLUSTERS as usize).each_cluster(|c| c.available_versions.push(FINAL.to_owned()));
        let mut story = Story::with(name, config, 1).await?;
        // What is compared here is where it ends, not what happens to a permit that runs out: a busy machine is to have time enough.
        for (name, ms) in [("ttl", 6000), ("lead", 7000), ("grace", 8500)] {
            story.world.timing[name] = json!(ms);
        }
        let operator = story.operator().await?;
        let connection = story.world.connection("vc")["spec"].clone();
        let batch = json!({"connectionRef": {"name": "vc"}, "desiredVersion": VERSION_NEW, "clusters": story.entries(1..=2)});
        Ok(Stage {
            story,
            operator,
            batch,
            connection,
            rules: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// Makes Secret, Connection and a first batch.
    pub async fn begin(&mut self) -> anyhow::Result<()> {
        self.story.secret().await?;
        self.story.connection().await?;
        let spec = self.batch.clone();
        self.story.batch("b", spec).await
    }

    /// Ends the operator.
    pub async fn end(self) -> anyhow::Result<()> {
        self.operator.kill9().await
    }

    fn api(&self, kind: &str) -> (Api<DynamicObject>, &'static str) {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("windlass.dev", "v1alpha1", kind));
        let (plural, name) = if kind == BATCH {
            ("clusterupgradebatches", "b")
        } else {
            ("connections", "vc")
        };
        let resource = ApiResource {
            plural: plural.to_owned(),
            ..resource
        };
        (
            Api::namespaced_with(self.story.world.client.clone(), &self.story.world.namespace, &resource),
            name,
        )
    }

    fn spec(&mut self, kind: &str) -> &mut Value {
        if kind == BATCH { &mut self.batch } else { &mut self.connection }
    }

    /// Carries one operation out.
    pub async fn carry_out(&mut self, operation: &Operation) -> anyhow::Result<()> {
        let outcome = self.attempt(operation).await?;
        let word = operation.word();
        match (outcome, operation) {
            (Err(said), Operation::Forbidden { words, .. }) => {
                anyhow::ensure!(said.contains(words.as_str()), "refused, but not as the rule says: {said}");
                self.tally.refused.push((word, said));
            }
            (Ok(()), Operation::Forbidden { path, .. }) => anyhow::bail!("{} was changed", path.join(".")),
            (Err(said), _) => {
                anyhow::ensure!(!said.trim().is_empty(), "{operation:?} was refused without a word");
                self.tally.refused.push((word, said));
            }
            (Ok(()), _) => *self.tally.accepted.entry(word).or_default() += 1,
        }
        Ok(())
    }

    /// `Ok(Err)`: the API server refused it, in these words.
    async fn attempt(&mut self, operation: &Operation) -> anyhow::Result<Result<(), String>> {
        match operation {
            Operation::Set {
                kind,
                path,
                entry,
                value,
                how,
            } => {
                let mut wanted = self.spec(kind).clone();
                // Whoever puts a whole object may well write null for "nothing"; a merge patch cannot.
                let value = real(&self.story, value);
                if put(&mut wanted, path, *entry, &value, *how != How::Merge) {
                    return self.submit(kind, wanted, *how).await;
                }
            }
            Operation::Forbidden { kind, path, value, .. } => {
                let mut wanted = self.spec(kind).clone();
                put(&mut wanted, path, 0, value, false);
                return self.submit(kind, wanted, How::Merge).await;
            }
            Operation::Add(_) | Operation::Remove(_) | Operation::Rotate(_) => {
                let mut wanted = self.batch.clone();
                let story = &self.story;
                let clusters = wanted["clusters"].as_array_mut().unwrap();
                let many = clusters.len();
                match operation {
                    Operation::Add(entry) => {
                        let entry = real(story, entry);
                        if !clusters.iter().any(|c| c["cluster"] == entry["cluster"]) {
                            clusters.push(entry);
                        }
                    }
                    Operation::Remove(at) if many > 1 => drop(clusters.remove(at % many)),
                    Operation::Rotate(by) => clusters.rotate_left(by % many),
                    _ => {}
                }
                return self.submit(BATCH, wanted, How::Replace).await;
            }
            Operation::Again(kind) => {
                let same = self.spec(kind).clone();
                return self.submit(kind, same, How::Apply).await;
            }
            Operation::Label(kind, n) => self.annotate(kind, &json!({"labels": {"team": format!("t{n}")}})).await?,
            Operation::Hold(kind, on) => {
                let why = on.then_some("a person wants to look first");
                self.annotate(kind, &json!({"annotations": {"windlass.dev/hold": why}})).await?;
            }
            Operation::Recreate(kind, pause) => {
                let (api, name) = self.api(kind);
                api.delete(name, &DeleteParams::default()).await?;
                tokio::time::sleep(std::time::Duration::from_millis(*pause)).await;
                let object = self.object(kind);
                api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
            }
            Operation::Wipe(kind) => {
                let (api, name) = self.api(kind);
                let nothing = Patch::Merge(json!({"status": null}));
                api.patch_status(name, &PatchParams::default(), &nothing).await?;
            }
            Operation::Secret(right) => self.secret(if *right { vcenter::PASSWORD } else { "mistyped" }).await?,
            Operation::VendorFault(action) => {
                let rule = Rule::new(action.clone()).on(vcenter::starts()).times(1);
                self.rules.push(self.story.world.vcenter.faults().add(rule));
            }
            Operation::Warnings(on) => self.prechecks(if *on { Some(Severity::Warning) } else { None }, 1..=CLUSTERS),
            Operation::ApiFault(fault) => {
                self.story.proxy.arm_all(|e| effects::writes(&e.label), 2, *fault);
            }
            Operation::Crash => {
                let next = self.story.operator().await?;
                std::mem::replace(&mut self.operator, next).kill9().await?;
            }
        }
        Ok(Ok(()))
    }

    fn object(&mut self, kind: &str) -> Value {
        let name = self.api(kind).1;
        let namespace = self.story.world.namespace.clone();
        json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": self.spec(kind).clone(),
        })
    }

    async fn annotate(&self, kind: &str, metadata: &Value) -> anyhow::Result<()> {
        let (api, name) = self.api(kind);
        api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"metadata": metadata})))
            .await?;
        Ok(())
    }

    async fn secret(&self, password: &str) -> anyhow::Result<()> {
        let secrets: Api<k8s_openapi::api::core::v1::Secret> =
            Api::namespaced(self.story.world.client.clone(), &self.story.world.namespace);
        let change = Patch::Merge(json!({"stringData": {"password": password}}));
        secrets.patch("vc", &PatchParams::default(), &change).await?;
        Ok(())
    }

    /// What the vendor's pre-checks of these clusters find from now on.
    pub fn prechecks(&self, severity: Option<Severity>, clusters: std::ops::RangeInclusive<u32>) {
        for n in clusters {
            let found: Vec<Note> = severity.iter().map(|s| Note::new(*s, "A datastore is nearly full.")).collect();
            let id = self.story.cluster(n);
            self.story.world.vcenter.edit_cluster(&id, |c| c.prechecks = found);
        }
    }

    /// Brings a spec to the API server; what it made of it is the spec from then on.
    async fn submit(&mut self, kind: &'static str, wanted: Value, how: How) -> anyhow::Result<Result<(), String>> {
        let (api, name) = self.api(kind);
        let mut tries = 0;
        let answer = loop {
            tries += 1;
            let params = PatchParams::default();
            let answer = match how {
                How::Merge => {
                    let patch = json!({"spec": difference(self.spec(kind), &wanted)});
                    api.patch(name, &params, &Patch::Merge(patch)).await
                }
                How::Apply => {
                    let before = std::mem::replace(self.spec(kind), wanted.clone());
                    let object = self.object(kind);
                    *self.spec(kind) = before;
                    api.patch(name, &PatchParams::apply("somebodys-tool").force(), &Patch::Apply(object))
                        .await
                }
                How::Replace => {
                    let mut object = api.get(name).await?;
                    object.data["spec"] = wanted.clone();
                    api.replace(name, &PostParams::default(), &object).await
                }
            };
            match answer {
                Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => {}
                other => break other,
            }
        };
        match answer {
            Ok(object) => {
                *self.spec(kind) = object.data["spec"].clone();
                Ok(Ok(()))
            }
            Err(kube::Error::Api(status)) if [400, 422, 500].contains(&status.code) => Ok(Err(status.message.clone())),
            Err(other) => Err(other.into()),
        }
    }

    /// All faults stop, and both objects become what they are to be in the end.
    pub async fn settle(&mut self, batch: Value) -> anyhow::Result<()> {
        self.story.proxy.disarm();
        for rule in self.rules.drain(..) {
            self.story.world.vcenter.faults().remove(rule)?;
        }
        self.prechecks(None, 1..=CLUSTERS);
        self.secret(vcenter::PASSWORD).await?;
        for kind in [BATCH, CONNECTION] {
            self.annotate(kind, &json!({"annotations": {"windlass.dev/hold": null}})).await?;
        }
        let connection = self.story.world.connection("vc")["spec"].clone();
        for (kind, spec) in [(CONNECTION, connection), (BATCH, batch)] {
            let taken = self.submit(kind, spec, How::Replace).await?;
            taken.map_err(|said| anyhow::anyhow!("the final {kind} was refused: {said}"))?;
        }
        Ok(())
    }

    /// What a batch says when it is at rest, without what depends on when and in which world it happened.
    pub async fn normal(&self) -> anyhow::Result<Option<Value>> {
        let batch = self.api(BATCH).0.get("b").await?;
        let status = &batch.data["status"];
        if status["observedGeneration"] != json!(batch.metadata.generation) {
            return Ok(None);
        }
        let list = |name: &str| status[name].as_array().cloned().unwrap_or_default();
        let some = |of: &Value, names: &[&str]| -> Value {
            let picked = names.iter().map(|name| ((*name).to_owned(), of[*name].clone()));
            Value::Object(picked.collect())
        };
        let row = |row: &Value| {
            let mut shown = some(row, &["name", "state", "reason", "desiredVersion", "removed"]);
            // Where a cluster stands that did not get there is its history.
            if row["state"] == "SUCCESS" {
                shown["currentVersion"] = row["currentVersion"].clone();
            }
            shown
        };
        let mut shown = some(status, &["state", "done", "counts", "waitingFor"]);
        shown["conditions"] = list("conditions").iter().map(|c| some(c, &["type", "status", "reason"])).collect();
        shown["blockers"] = list("blockers").iter().map(|b| b["reason"].clone()).collect();
        shown["targets"] = list("targets").iter().map(row).collect();
        let mut text = shown.to_string();
        for n in 1..=CLUSTERS {
            text = text.replace(&self.story.cluster(n), &format!("cluster-{n}"));
        }
        Ok(Some(serde_json::from_str(&text)?))
    }
}
