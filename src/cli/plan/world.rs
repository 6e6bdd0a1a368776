//! What `plan` reads of the cluster, and facts made of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::ResourceExt as _;
use serde_json::Value;

use super::Change;
use super::Plan;
use super::Planned;
use super::dry_run;
use super::dry_run::Said;
use super::judge;
use super::judge::Target;
use super::judge::Verdict;
use super::known::Snapshot;
use super::manifests::Manifests;
use super::sights;
use super::sights::Told;
use crate::api::Connection;
use crate::api::Inventory;
use crate::api::UpgradeReceipt;
use crate::api::all_crds;
use crate::api::common::Blocker;
use crate::cli::cluster::Cluster;
use crate::cli::cluster::ClusterError;
use crate::cli::cluster::connections;
use crate::cli::cluster::made_harmless;
use crate::cli::cluster::receipts;
use crate::cli::cluster::text;
use crate::cli::cluster::typed;
use crate::cli::kinds;
use crate::cli::kinds::Kind;
use crate::cli::seen::Upgrade as Seen;
use crate::controller::gather;
use crate::controller::gather::GatherError;
use crate::controller::kinds::ForKind;
use crate::controller::kinds::for_kind;
use crate::controller::line::Place;
use crate::controller::served;
use crate::controller::upgrade::Upgrade;
use crate::controller::wakes::Who;
use crate::upgrade::decide::decide;
use crate::upgrade::facts::Facts;
use crate::upgrade::target::Authority;

/// All that was read.
struct World<'a> {
    cluster: &'a Cluster,
    snapshot: Snapshot,
    /// Connections by namespace and name: those of the manifests where they have them, else the present ones.
    connections: BTreeMap<(String, String), Connection>,
    inventories: Vec<Inventory>,
    /// The upgrades that are there.
    upgrades: Vec<Seen>,
    /// Nobody lets us read receipts.
    receipts_hidden: bool,
    notes: Vec<String>,
}

/// What would happen with these manifests.
pub async fn plan(manifests: Manifests, cluster: &Cluster, now: Timestamp) -> Result<Plan, ClusterError> {
    let mut world = read(&manifests, cluster, now).await?;
    let mut plan = Plan::default();
    for (kind, manifest) in &manifests.upgrades {
        let planned = world.plan(kind, manifest).await?;
        plan.upgrades.push(planned);
    }
    if manifests.others > 0 {
        let others = manifests.others;
        world.notes.push(format!(
            "{others} of the objects are neither upgrades nor Connections: nothing is planned of them"
        ));
    }
    plan.notes = world.notes;
    Ok(plan)
}

async fn read<'a>(manifests: &Manifests, cluster: &'a Cluster, now: Timestamp) -> Result<World<'a>, ClusterError> {
    let mut namespaces: Vec<String> = manifests.upgrades.iter().map(|(_, m)| text(m, "/metadata/namespace")).collect();
    namespaces.sort();
    namespaces.dedup();
    let mut notes = Vec::new();
    let mut upgrades = Vec::new();
    let mut known = BTreeMap::new();
    let mut inventories = Vec::new();
    for namespace in &namespaces {
        for kind in kinds::upgrades() {
            upgrades.extend(crate::cli::status::gather(cluster, std::slice::from_ref(&kind), Some(namespace)).await?);
        }
        for object in cluster.list(&connections()?, Some(namespace), None).await? {
            known.insert((namespace.clone(), text(&object, "/metadata/name")), typed::<Connection>(&object)?);
        }
        for object in cluster.list(&kinds::find("inventories")?, Some(namespace), None).await? {
            inventories.push(typed::<Inventory>(&object)?);
        }
    }
    for manifest in &manifests.connections {
        let manifest = made_harmless(manifest.clone());
        let place = (text(&manifest, "/metadata/namespace"), text(&manifest, "/metadata/name"));
        let mut planned: Connection = typed(&manifest)?;
        if let Some(live) = known.get(&place) {
            // It stays what it is, with another spec.
            planned.metadata = live.metadata.clone();
            planned.status.clone_from(&live.status);
        }
        known.insert(place, planned);
    }
    let off = |u: &Seen| u.status.blockers.iter().any(|b| b.reason == "StartsDisabled");
    let snapshot = Snapshot::new(now, !upgrades.iter().any(off), crds_outdated(cluster).await);
    let mut receipts_hidden = false;
    match cluster.list(&receipts()?, None, None).await {
        Ok(all) => {
            for object in &all {
                snapshot.learn(&typed::<UpgradeReceipt>(object)?);
            }
        }
        Err(error) if error.forbidden() => {
            receipts_hidden = true;
            notes.push("receipts may not be read (windlass-auditor, or as your release calls it), so what was started before is known from statuses only".to_owned());
        }
        Err(error) => return Err(error),
    }
    Ok(World {
        cluster,
        snapshot,
        connections: known,
        inventories,
        upgrades,
        receipts_hidden,
        notes,
    })
}

/// Why the CRDs of the cluster do not do for the operator of this version. Whoever may not read them is told nothing.
async fn crds_outdated(cluster: &Cluster) -> Option<String> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    for ours in all_crds() {
        let theirs = api.get_opt(&ours.name_any()).await.ok()?;
        if let Some(what) = served::objection(&ours, theirs.as_ref()) {
            return Some(what);
        }
    }
    None
}

impl World<'_> {
    async fn plan(&mut self, kind: &Kind, manifest: &Value) -> Result<Planned, ClusterError> {
        let (namespace, name) = (text(manifest, "/metadata/namespace"), text(manifest, "/metadata/name"));
        let live = self.cluster.api(kind, Some(&namespace)).get_opt(&name).await;
        let live = live.map_err(|e| self.cluster.error(e, "get", kind))?;
        // As it is, not as it is shown: it is sent back.
        let live = live.map(|object| serde_json::to_value(&object)).transpose();
        let live = live.map_err(|e| ClusterError::Unreadable {
            what: kind.name(&name),
            why: e.to_string(),
        })?;
        let said = dry_run::ask(self.cluster, kind, manifest, live.as_ref()).await?;
        let mut planned = Planned {
            called: kind.name(&name),
            connection: text(&made_harmless(manifest.clone()), "/spec/connectionRef/name"),
            namespace,
            change: Change::New,
            refused: None,
            targets: Vec::new(),
            blockers: Vec::new(),
        };
        let object = match said {
            Said::Taken(object) => object,
            Said::NotAsked => {
                let note = "you may not write these upgrades (windlass-edit, or as your release calls it), so the API server was not asked whether it takes them";
                if !self.notes.iter().any(|n| n == note) {
                    self.notes.push(note.to_owned());
                }
                as_applied(manifest, live.as_ref())
            }
            Said::Refused(why) => {
                planned.change = if live.is_some() { Change::Changed } else { Change::New };
                planned.refused = Some(why);
                return Ok(planned);
            }
        };
        if let Some(live) = &live {
            let same = made_harmless(live.clone())["spec"] == object["spec"];
            planned.change = if same { Change::Unchanged } else { Change::Changed };
        }
        let judged = for_kind(
            &kind.kind,
            Judge {
                world: self,
                object: &object,
            },
        );
        match judged {
            Some(Ok((targets, blockers))) => {
                planned.targets = targets;
                planned.blockers = blockers;
            }
            Some(Err(why)) => planned.refused = Some(why),
            None => planned.refused = Some(format!("this Windlass does not know how to plan a {}", kind.kind)),
        }
        if self.receipts_hidden
            && let Some(seen) = self
                .upgrades
                .iter()
                .find(|u| u.called == planned.called && u.namespace == planned.namespace)
        {
            from_status(&mut planned.targets, seen, &text(&object, "/spec/runKey"));
        }
        Ok(planned)
    }

    /// What the cluster tells of a target that people know by this name.
    fn told(&self, namespace: &str, connection: &str, name: &str) -> Told {
        let through = self
            .upgrades
            .iter()
            .filter(|u| u.namespace == namespace && u.connection == connection);
        let rows = through.filter_map(|u| {
            let row = u.status.targets.iter().find(|row| row.name == name)?;
            Some((u.last_change?, row.current_version.clone()?, row.display_name.clone()))
        });
        let inventories = self.inventories.iter().filter(|i| {
            i.metadata.namespace.as_deref() == Some(namespace) && i.spec.connection_ref.name == connection && i.status.is_some()
        });
        Told {
            row: rows.max_by_key(|(at, ..)| *at),
            inventory: inventories.max_by_key(|i| i.status.as_ref().and_then(|s| s.observed_at)).cloned(),
        }
    }
}

/// A manifest as an object, where the API server could not be asked: with what the present one has besides its spec.
fn as_applied(manifest: &Value, live: Option<&Value>) -> Value {
    let mut object = manifest.clone();
    if let Some(live) = live {
        object["metadata"] = live["metadata"].clone();
        object["status"] = live["status"].clone();
    }
    made_harmless(object)
}

/// A run that has begun or ended shows so in the status of the same run, where the receipt that proves it cannot be read.
fn from_status(targets: &mut [Target], seen: &Seen, run_key: &str) {
    if seen.run_key != run_key {
        return;
    }
    for target in targets {
        let rows = seen.status.targets.iter();
        let same = |row: &&crate::api::common::TargetStatus| {
            row.name == target.name && row.receipt.is_some() && row.desired_version.as_ref() == Some(&target.desired_version)
        };
        let Some(row) = rows.into_iter().find(same) else { continue };
        target.verdict = match row.state.as_deref() {
            Some("SUCCESS") => Verdict::Nothing,
            Some("FAILED" | "REJECTED" | "CANCELLED") => Verdict::Refuse,
            Some("STARTED" | "RUNNING" | "UNKNOWN") => Verdict::Followed,
            _ => continue,
        };
        target.reason = row.reason.clone().unwrap_or_default();
        target.message.clone_from(&row.message);
        target.assumed.clear();
    }
}

/// Makes facts of one object and has them judged.
struct Judge<'a, 'w> {
    world: &'a World<'w>,
    object: &'a Value,
}

impl ForKind for Judge<'_, '_> {
    type Out = Result<(Vec<Target>, Vec<Blocker>), String>;

    fn run<K: Upgrade>(self) -> Self::Out {
        let (world, object) = (self.world, self.object);
        let typed: K = typed(object).map_err(|e| e.to_string())?;
        let namespace = text(object, "/metadata/namespace");
        let connection = world.connections.get(&(namespace.clone(), typed.connection().to_owned()));
        world.line_up(&namespace, typed.connection(), connection);
        let ledger = |key: &_| gather::Known::ledgers(&world.snapshot).ledger(key);
        let facts = gather::gather(&world.snapshot, &typed, connection, &ledger, None);
        let mut facts = facts.map_err(|e: GatherError| e.to_string())?;
        let mut assumed = world.see(&mut facts, typed.connection());
        if world.receipts_hidden {
            world.count_in_flight(&mut facts);
        }
        let blockers = decide(&facts).blockers.iter().map(shown).collect();
        let mut targets = judge::targets(facts);
        for target in &mut targets {
            if matches!(target.verdict, Verdict::Start | Verdict::Wait) {
                target.assumed = assumed.remove(&target.name).unwrap_or_default();
            }
        }
        Ok((targets, blockers))
    }
}

fn shown(blocker: &crate::upgrade::decision::Blocker) -> Blocker {
    Blocker {
        reason: blocker.reason.word().to_owned(),
        message: blocker.message.clone(),
        until: blocker.until,
    }
}

impl World<'_> {
    /// Gives each target that nothing of ours holds the sight that the cluster tells of. Returns what had to be assumed, by the targets' names.
    fn see(&self, facts: &mut Facts, connection: &str) -> BTreeMap<String, Vec<String>> {
        let mut all = BTreeMap::new();
        let names: Vec<String> = facts.targets.iter().map(|target| facts.name_of(target)).collect();
        let (wall, mono, namespace) = (facts.wall, facts.mono, facts.subject.namespace.clone());
        for (target, name) in facts.targets.iter_mut().zip(names) {
            // What is under way is judged by its receipt: what an Inventory saw is no evidence of anything.
            let (Ok(ledger), Some(wish)) = (&target.ledger, &target.wish) else {
                continue;
            };
            if ledger.open().is_some() || target.key.authority == Authority::unknown() {
                continue;
            }
            let told = self.told(&namespace, connection, &name);
            let seen = sights::sight(&target.key, &told, ledger, wish, wall, mono);
            target.sights = vec![seen.sight];
            all.insert(name, seen.assumed);
        }
        all
    }

    /// The targets that statuses show under way, for somebody who may not read the receipts that prove it.
    fn count_in_flight(&self, facts: &mut Facts) {
        let own = (facts.subject.name.clone(), facts.subject.kind);
        let others = self.upgrades.iter().filter(|u| {
            u.namespace == facts.subject.namespace && u.connection == facts.connection.name && (u.name != own.0 || u.kind != own.1)
        });
        let rows: Vec<String> = others.flat_map(|u| u.in_flight().map(|row| row.name.clone())).collect();
        facts.connection.open.extend(rows);
    }

    /// Puts the others that wait for a slot of this Connection into its line.
    fn line_up(&self, namespace: &str, connection: &str, through: Option<&Connection>) {
        let Some(authority) = through.and_then(|c| Authority::from_url(&c.spec.url).ok()) else {
            return;
        };
        let waiting = self
            .upgrades
            .iter()
            .filter(|u| u.namespace == namespace && u.connection == connection && u.waits_for_slot());
        for other in waiting {
            let next = other.status.targets.iter().find(|row| row.state.as_deref() == Some("PENDING"));
            let (Some(row), Some(created)) = (next, other.created) else {
                continue;
            };
            for_kind(
                &other.kind,
                LineUp {
                    snapshot: &self.snapshot,
                    other,
                    object: &row.name,
                    created,
                    authority: &authority,
                },
            );
        }
    }
}

struct LineUp<'a> {
    snapshot: &'a Snapshot,
    other: &'a Seen,
    object: &'a str,
    created: Timestamp,
    authority: &'a Authority,
}

impl ForKind for LineUp<'_> {
    type Out = ();

    fn run<K: Upgrade>(self) {
        let who = Who::new(K::KIND, &self.other.namespace, &self.other.name);
        let place = Place {
            connection: Who::connection(&self.other.namespace, &self.other.connection),
            created: self.created,
            from: Timestamp::MIN,
            object: K::key(self.authority.clone(), self.object).object,
            // A plan tells nobody of slots.
            waits: false,
        };
        self.snapshot.line_up(&who, place);
    }
}
