//! Whether the receipts are ledgers, and whether each that is open can be followed by somebody.

use std::collections::BTreeMap;

use super::Finding;
use crate::api::Connection;
use crate::api::UpgradeReceipt;
use crate::cli::cluster::Cluster;
use crate::cli::cluster::ClusterError;
use crate::cli::cluster::connections;
use crate::cli::cluster::receipts;
use crate::cli::cluster::typed;
use crate::cli::page::Page;
use crate::cli::page::many;
use crate::cli::record::Record;
use crate::controller::receipts as reading;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;

/// Looks at all receipts.
pub async fn check(cluster: &Cluster, page: &Page) -> Result<Vec<Finding>, ClusterError> {
    let objects = match cluster.list(&receipts()?, None, None).await {
        Ok(objects) => objects,
        Err(error) if error.forbidden() => {
            return Ok(vec![Finding::warn(
                "receipts",
                "you may not read them (windlass-auditor, or as your release calls it)",
            )]);
        }
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    let mut out = Vec::new();
    for object in &objects {
        match typed::<UpgradeReceipt>(object) {
            Ok(receipt) => all.push(receipt),
            Err(error) => out.push(Finding::fail(
                "receipts",
                error.to_string(),
                "upgrade Windlass, or have a ledger-admin repair it",
            )),
        }
    }
    // Whoever may not see the Connections of other namespaces is not told that they are gone.
    let there = match cluster.list(&connections()?, None, None).await {
        Ok(objects) => Some(objects.iter().map(typed::<Connection>).collect::<Result<Vec<_>, _>>()?),
        Err(_) => None,
    };
    out.extend(judge(&all, there.as_deref(), page));
    Ok(out)
}

fn judge(all: &[UpgradeReceipt], connections: Option<&[Connection]>, page: &Page) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut by_target: BTreeMap<&str, Vec<Receipt>> = BTreeMap::new();
    for receipt in all {
        by_target
            .entry(&receipt.spec.claim.target_hash)
            .or_default()
            .push(reading::read(receipt));
    }
    for ledger in by_target.into_values() {
        let key = ledger.first().and_then(|first| TargetKey::parse(&first.target));
        let Some(key) = key else { continue };
        if let Err(damaged) = Ledger::read(&key, ledger) {
            let fix = "put the missing receipt back from a backup under its old name, or see docs/operations.md, A damaged ledger";
            out.push(Finding::fail("receipts", format!("{damaged}: nothing starts on that target"), fix));
        }
    }
    let open: Vec<Record> = all.iter().map(|r| Record::of(r, page.now)).filter(Record::open).collect();
    for record in &open {
        if connections.is_some_and(|all| !all.iter().any(|c| leads_to(c, record))) {
            let key = record.key();
            let endpoint = key.map(|key| key.authority.base_url()).unwrap_or_default();
            out.push(Finding::fail(
                record.receipt.clone(),
                format!(
                    "it is open ({}), and no Connection in namespace {} leads to its target",
                    record.standing, record.namespace
                ),
                format!(
                    "create Connection {} in namespace {} again, to {endpoint}",
                    record.connection, record.namespace
                ),
            ));
        } else if record.standing == "in doubt" {
            let message = format!("in doubt since {}", page.moment_and_wait(record.created));
            out.push(Finding::warn(record.receipt.clone(), message).with_fix(format!("{} resolve {}", page.me, record.receipt)));
        }
    }
    out.push(Finding::ok(
        "receipts",
        format!("{}, {} open", many(all.len(), "receipt"), open.len()),
    ));
    out
}

/// Its target can be looked at through this Connection: the one it names, or another there with the same endpoint.
fn leads_to(connection: &Connection, record: &Record) -> bool {
    let here = connection.metadata.namespace.as_deref() == Some(record.namespace.as_str());
    let leads = Authority::from_url(&connection.spec.url).ok();
    here && record
        .key()
        .is_some_and(|key| Some(key.authority) == leads && key.vendor == connection.spec.type_.vendor())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Level;
    use super::*;
    use crate::cli::testing::doubt;
    use crate::cli::testing::page;
    use crate::cli::testing::receipt_json;

    const TARGET: &str = "hmc|hmc1.bank.example:6794|console";

    fn receipts(sequences: &[i32]) -> Vec<UpgradeReceipt> {
        let ended = json!({"status": {"end": {"kind": "Succeeded", "at": "2026-11-28T01:00:00Z", "how": "seen"}}});
        let one = |n: &i32| receipt_json(&format!("hmc-3gcf56nlseiyiyh2wy7l-{n:05}"), TARGET, *n, &ended);
        sequences.iter().map(|n| serde_json::from_value(one(n)).unwrap()).collect()
    }

    #[test]
    fn a_gap_in_a_ledger_is_found_and_a_whole_one_is_not() {
        let whole = judge(&receipts(&[1, 2, 3]), None, &page());
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].message, "3 receipts, 0 open");
        let gap = judge(&receipts(&[1, 3]), None, &page());
        assert_eq!(gap[0].level, Level::Fail);
        assert!(gap[0].message.contains("receipt 2 is missing"), "{gap:?}");
    }

    #[test]
    fn an_open_receipt_that_nobody_can_follow_names_the_connection_to_make() {
        let mut all = receipts(&[1, 2, 3]);
        all.push(serde_json::from_value(doubt()).unwrap());
        let gone = judge(&all, Some(&[]), &page());
        assert_eq!(
            gone[0].fix.as_deref(),
            Some("create Connection hmc1 in namespace mainframe again, to https://hmc1.bank.example:6794")
        );
        let there: Connection = serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "other", "namespace": "mainframe"},
            "spec": {"type": "HMC", "url": "https://hmc1.bank.example:6794", "credentialsSecretRef": {"name": "x"}},
        }))
        .unwrap();
        let followed = judge(&all, Some(&[there]), &page());
        assert_eq!(followed[0].level, Level::Warn);
        assert!(
            followed[0].fix.as_deref().is_some_and(|fix| fix.contains("resolve hmc-3gcf")),
            "{followed:?}"
        );
    }
}
