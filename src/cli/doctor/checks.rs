//! The API server, the CRDs, the leader, the rights of whoever asks, and whether anybody looks at the upgrades.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::ResourceExt as _;

use super::Finding;
use crate::api::all_crds;
use crate::cli::cluster::Cluster;
use crate::cli::cluster::ClusterError;
use crate::cli::cluster::answer;
use crate::cli::kinds;
use crate::cli::page::Page;
use crate::cli::page::many;
use crate::cli::seen::Upgrade;
use crate::cli::status;
use crate::controller::served;
use crate::vendor::text::harmless;

/// How long an upgrade may be there before somebody must have looked at it.
const LOOKED_AT_WITHIN: Duration = Duration::from_secs(60);

/// The API server answers. The one thing without which there is nothing to say.
pub async fn server(cluster: &Cluster) -> Result<Finding, ClusterError> {
    let asked = cluster.client.apiserver_version().await;
    let version = asked.map_err(|e| answer(e, cluster.me, "get", "version", None))?;
    Ok(Finding::ok("API server", harmless(&version.git_version)))
}

/// The CRDs are those of this version, or newer.
pub async fn crds(cluster: &Cluster) -> Vec<Finding> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let mut out = Vec::new();
    for ours in all_crds() {
        let name = ours.name_any();
        match api.get_opt(&name).await {
            Ok(theirs) => {
                if let Some(what) = served::objection(&ours, theirs.as_ref()) {
                    let fix = format!("{} crds | kubectl apply --server-side --force-conflicts -f -", cluster.me);
                    out.push(Finding::fail("CRDs", what, fix));
                }
            }
            Err(kube::Error::Api(status)) if status.code == 403 => {
                out.push(Finding::warn("CRDs", "you may not read them; they are not compared"));
                return out;
            }
            Err(error) => {
                out.push(Finding::warn(
                    "CRDs",
                    answer(error, cluster.me, "get", "customresourcedefinitions", None).to_string(),
                ));
                return out;
            }
        }
    }
    if out.is_empty() {
        out.push(Finding::ok("CRDs", format!("match {}", env!("CARGO_PKG_VERSION"))));
    }
    out
}

/// Somebody holds the lease.
pub async fn leader(cluster: &Cluster, namespace: &str, name: &str, page: &Page) -> Finding {
    let api: Api<Lease> = Api::namespaced(cluster.client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(found) => judge_lease(found.as_ref(), namespace, name, page),
        Err(kube::Error::Api(status)) if status.code == 403 => Finding::warn(
            "leader",
            format!("you may not read the lease {namespace}/{name}; whether Windlass runs is not known"),
        ),
        Err(error) => Finding::warn("leader", answer(error, cluster.me, "get", "leases", None).to_string()),
    }
}

fn judge_lease(lease: Option<&Lease>, namespace: &str, name: &str, page: &Page) -> Finding {
    let fix = format!("kubectl get pods -n {namespace}");
    let Some(spec) = lease.and_then(|lease| lease.spec.as_ref()) else {
        return Finding::fail(
            "leader",
            format!("there is no lease {namespace}/{name}: Windlass has not run there"),
            fix,
        );
    };
    let holder = harmless(spec.holder_identity.as_deref().unwrap_or_default());
    let (Some(renewed), false) = (spec.renew_time.as_ref().map(|t| t.0), holder.is_empty()) else {
        return Finding::fail("leader", format!("nobody holds the lease {namespace}/{name}"), fix);
    };
    let life = SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or_default().into());
    let until = renewed.checked_add(life).unwrap_or(Timestamp::MAX);
    if until < page.now {
        let message = format!(
            "nobody leads: {holder} renewed the lease {}, and no more since",
            page.apart(renewed)
        );
        return Finding::fail("leader", message, fix);
    }
    Finding::ok("leader", format!("the lease is held by {holder}"))
}

/// What whoever asks may do here.
pub async fn rights(cluster: &Cluster) -> Result<Finding, ClusterError> {
    let who = cluster.whoami().await?;
    let here = Some(cluster.namespace.as_str());
    let mut may = Vec::new();
    let mut may_not = Vec::new();
    for (what, verb, plural, namespace) in [
        ("look at upgrades", "list", "clusterupgradebatches", here),
        ("write and hold them", "patch", "clusterupgradebatches", here),
        ("hold Connections", "patch", "connections", here),
        ("read receipts", "list", "upgradereceipts", None),
        ("resolve them", "resolve", "upgradereceipts", None),
    ] {
        let list = if cluster.may(verb, plural, namespace).await? {
            &mut may
        } else {
            &mut may_not
        };
        list.push(what);
    }
    let not = if may_not.is_empty() {
        String::new()
    } else {
        format!("; you may not {}", may_not.join(", "))
    };
    if may.is_empty() {
        let message = format!("{} may do nothing of Windlass's in {}", harmless(&who), cluster.namespace);
        let fix = format!(
            "kubectl create rolebinding windlass-view -n {} --clusterrole=windlass-view --user={}",
            cluster.namespace,
            harmless(&who)
        );
        // No fault of the ground: they may have their rights in other namespaces.
        return Ok(Finding::warn("you", message).with_fix(fix));
    }
    let may = may.join(", ");
    Ok(Finding::ok(
        "you",
        format!("{}: in {} you may {may}{not}", harmless(&who), cluster.namespace),
    ))
}

/// Somebody looks at every upgrade.
pub async fn upgrades(cluster: &Cluster, namespace: Option<&str>, page: &Page) -> Result<Vec<Finding>, ClusterError> {
    let found = match status::gather(cluster, &kinds::upgrades(), namespace).await {
        Ok(found) => found,
        Err(error) if error.forbidden() => return Ok(vec![Finding::warn("upgrades", error.to_string())]),
        Err(error) => return Err(error),
    };
    Ok(judge_upgrades(&found, cluster.me, page))
}

fn judge_upgrades(found: &[Upgrade], me: &str, page: &Page) -> Vec<Finding> {
    let young = |u: &Upgrade| {
        u.created
            .is_some_and(|at| page.now.duration_since(at).unsigned_abs() < LOOKED_AT_WITHIN)
    };
    let mut out: Vec<Finding> = Vec::new();
    for upgrade in found
        .iter()
        .filter(|u| u.status.observed_generation.is_none_or(|g| g < 1) && !young(u))
    {
        out.push(Finding::fail(
            format!("{}/{}", upgrade.namespace, upgrade.called),
            "nobody has looked at it",
            format!(
                "does Windlass run, and serve namespace {}? See --watch-namespace of its Deployment",
                upgrade.namespace
            ),
        ));
    }
    let somebody: Vec<&Upgrade> = found.iter().filter(|u| u.needs_somebody()).collect();
    for upgrade in &somebody {
        let finding = Finding::warn(
            format!("{}/{}", upgrade.namespace, upgrade.called),
            format!("{}, {}", upgrade.state(), upgrade.reason()),
        );
        out.push(finding.with_fix(format!("{me} why {} -n {}", upgrade.called, upgrade.namespace)));
    }
    let held = found.iter().filter(|u| u.held.is_some() || u.suspended).count();
    let also = if held == 0 {
        String::new()
    } else {
        format!(", {held} held or suspended")
    };
    out.push(Finding::ok(
        "upgrades",
        format!("{}, {} for somebody to look at{also}", many(found.len(), "upgrade"), somebody.len()),
    ));
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Level;
    use super::*;
    use crate::cli::testing::night;
    use crate::cli::testing::page;
    use crate::cli::testing::upgrade;

    fn lease(holder: &str, renewed: &str) -> Lease {
        serde_json::from_value(json!({"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}})).unwrap()
    }

    #[test]
    fn a_lease_that_nobody_renews_is_no_leader() {
        let judge = |lease: Option<&Lease>| judge_lease(lease, "windlass-system", "windlass", &page());
        let held = judge(Some(&lease("windlass-5d", "2026-11-28T02:09:58.000000Z")));
        assert_eq!((held.level, held.message.as_str()), (Level::Ok, "the lease is held by windlass-5d"));
        for (found, says) in [
            (
                Some(lease("windlass-5d", "2026-11-28T02:00:00.000000Z")),
                "renewed the lease 10m ago",
            ),
            (Some(lease("", "2026-11-28T02:09:58.000000Z")), "nobody holds the lease"),
            (None, "there is no lease windlass-system/windlass"),
        ] {
            let finding = judge(found.as_ref());
            assert_eq!(finding.level, Level::Fail);
            assert!(finding.message.contains(says) && finding.fix.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn an_upgrade_that_nobody_looks_at_is_found() {
        let mut all = night();
        all.push(upgrade(
            "cub",
            "lost",
            "x",
            &json!({"connectionRef": {"name": "c"}}),
            &json!({"observedGeneration": -1}),
        ));
        let findings = judge_upgrades(&all, "windlass", &page());
        assert_eq!(findings[0].what, "lost/cub/x");
        assert_eq!(findings[0].level, Level::Fail);
        assert_eq!(findings[1].fix.as_deref(), Some("windlass why fwup/hmc1-h41 -n mainframe"));
        assert_eq!(findings.len(), 3);
    }
}
