//! Lays out what is shown: the upgrade as a table that lives, the receipts as a table at the end.
//!
//! Called by [`seen`](super::seen) and [`verdict`](super::verdict); pure.

use kube::ResourceExt;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::UpgradeReceipt;

use crate::screen::Table;

/// The batch and its clusters.
pub fn upgrade(batch: &ClusterUpgradeBatch) -> Table {
    let status = batch.status.clone().unwrap_or_default();
    if status.targets.is_empty() {
        return Table::default();
    }
    let columns = |cells: [&str; 5]| {
        let [name, state, progress, version, message] = cells;
        format!("{name:<10} {state:<9} {progress:<9} {version:<36} {message}")
            .trim_end()
            .to_owned()
    };
    let mut lines = vec![(true, columns(["CLUSTER", "STATE", "PROGRESS", "VERSION", "MESSAGE"]))];
    for row in &status.targets {
        let (current, desired) = (row.current_version.as_deref(), row.desired_version.as_deref().unwrap_or_default());
        let version = match current {
            Some(current) if current != desired => format!("{current} -> {desired}"),
            _ => desired.to_owned(),
        };
        let progress = row.progress.map(|p| format!("{p} %")).unwrap_or_default();
        let asked = batch.spec.clusters.iter().find(|c| c.cluster == row.name);
        let name = row
            .display_name
            .as_ref()
            .or_else(|| asked?.cluster_name.as_ref())
            .unwrap_or(&row.name);
        let (state, message) = (row.state.as_deref().unwrap_or_default(), row.message.as_deref().unwrap_or_default());
        lines.push((false, columns([name, state, &progress, &version, message])));
    }
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready");
    lines.push((true, columns(["BATCH", "STATE", "DONE", "WAITING-FOR", "REASON"])));
    lines.push((
        false,
        columns([
            &batch.name_any(),
            status.state.as_deref().unwrap_or_default(),
            status.done.as_deref().unwrap_or_default(),
            status.waiting_for.as_deref().unwrap_or("-"),
            ready.map_or("", |c| c.reason.as_str()),
        ]),
    ));
    Table { lines }
}

/// The receipts, one a line, oldest first.
pub fn receipts<'a>(receipts: impl Iterator<Item = &'a UpgradeReceipt>) -> String {
    let mut receipts: Vec<_> = receipts.collect();
    receipts.sort_by_key(|r| (r.creation_timestamp(), r.name_any()));
    let mut lines = vec![line(["RECEIPT", "TARGET", "VERSION", "ANSWER", "END"])];
    for receipt in receipts {
        let status = receipt.status.clone().unwrap_or_default();
        let answer = match (&status.answer, &status.adopted) {
            (Some(answer), _) => answer.kind.clone(),
            (None, Some(_)) => "none; adopted on evidence".to_owned(),
            (None, None) => "none".to_owned(),
        };
        let end = status.end.map(|e| e.kind).unwrap_or_default();
        let version = &receipt.spec.claim.run.version;
        lines.push(line([&receipt.name_any(), object(receipt), version, &answer, &end]));
    }
    lines.join("\n")
}

fn line([receipt, target, version, answer, end]: [&str; 5]) -> String {
    format!("{receipt:<36} {target:<11} {version:<17} {answer:<26} {end}")
        .trim_end()
        .to_owned()
}

/// The vendor's id of the target: the last part of `type|authority|object`.
pub fn object(receipt: &UpgradeReceipt) -> &str {
    receipt.spec.claim.target.rsplit('|').next().unwrap_or_default()
}
