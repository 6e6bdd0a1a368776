//! Lays out what is shown: the upgrades as a table that lives, the receipts as a table at the end.
//!
//! Called by [`seen`](super::seen) and [`verdict`](super::verdict); pure.

use kube::ResourceExt;
use windlass::api::ApplianceUpdate;
use windlass::api::ClusterUpgradeBatch;
use windlass::api::FirmwareUpgrade;
use windlass::api::UpgradeReceipt;

use crate::screen::Table;
use crate::seen::Seen;

/// A line of the live table.
fn columns([name, state, progress, version, message]: [&str; 5]) -> String {
    format!("{name:<11} {state:<9} {progress:<9} {version:<36} {message}")
        .trim_end()
        .to_owned()
}

/// What an entry has reached, and where it goes.
fn versions(current: Option<&str>, desired: &str) -> String {
    match current {
        Some(current) if current != desired => format!("{current} -> {desired}"),
        _ => desired.to_owned(),
    }
}

/// The batch with its clusters, the updates of the appliance, and the firmware upgrades of the console and of customers' devices.
pub fn upgrades(seen: &Seen) -> Table {
    let mut lines = seen.batch.as_ref().map(batch).unwrap_or_default();
    if !seen.updates.is_empty() {
        lines.push((true, columns(["UPDATE", "STATE", "PROGRESS", "VERSION", "MESSAGE"])));
        let told = seen.updates.values().filter(|u| u.status.is_some());
        lines.extend(told.map(|u| (false, update(u))));
    }
    if !seen.firmware.is_empty() {
        lines.push((true, columns(["FIRMWARE", "STATE", "PROGRESS", "VERSION", "MESSAGE"])));
        let told = seen.firmware.values().filter(|u| u.status.is_some());
        lines.extend(told.map(|u| (false, firmware(u))));
    }
    Table { lines }
}

fn firmware(upgrade: &FirmwareUpgrade) -> String {
    let status = upgrade.status.clone().unwrap_or_default();
    let state = status.state.as_deref().unwrap_or_default();
    let current = status.current_version.as_deref().filter(|_| state != "SUCCESS");
    columns([
        &upgrade.name_any(),
        state,
        &status.progress.map(|p| format!("{p} %")).unwrap_or_default(),
        &versions(current, upgrade.spec.version.as_deref().unwrap_or("recommended")),
        status.message.as_deref().unwrap_or_default(),
    ])
}

fn update(update: &ApplianceUpdate) -> String {
    let status = update.status.clone().unwrap_or_default();
    let state = status.state.as_deref().unwrap_or_default();
    // What it is at is of interest until it has ended: another update may follow.
    let current = status.current_version.as_deref().filter(|_| state != "SUCCESS");
    columns([
        &update.name_any(),
        state,
        &status.progress.map(|p| format!("{p} %")).unwrap_or_default(),
        &versions(current, &update.spec.version),
        status.message.as_deref().unwrap_or_default(),
    ])
}

fn batch(batch: &ClusterUpgradeBatch) -> Vec<(bool, String)> {
    let status = batch.status.clone().unwrap_or_default();
    if status.targets.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![(true, columns(["CLUSTER", "STATE", "PROGRESS", "VERSION", "MESSAGE"]))];
    for row in &status.targets {
        let version = versions(row.current_version.as_deref(), row.desired_version.as_deref().unwrap_or_default());
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
    lines
}

/// The receipts, one a line, oldest first.
pub fn receipts<'a>(receipts: impl Iterator<Item = &'a UpgradeReceipt>) -> String {
    let mut receipts: Vec<_> = receipts.collect();
    receipts.sort_by_key(|r| (r.creation_timestamp(), r.name_any()));
    let mut lines = vec![line(["RECEIPT", "TARGET", "VERSION", "ANSWER", "END"])];
    for receipt in receipts {
        let status = receipt.status.clone().unwrap_or_default();
        let answer = match (&status.answer, &status.adopted) {
            (Some(answer), None) => answer.kind.clone(),
            (Some(answer), Some(_)) => format!("{}; adopted on evidence", answer.kind),
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
    format!("{receipt:<45} {target:<20} {version:<17} {answer:<26} {end}")
        .trim_end()
        .to_owned()
}

/// The vendor's id of the target: the last part of `type|authority|object`.
pub fn object(receipt: &UpgradeReceipt) -> &str {
    receipt.spec.claim.target.rsplit('|').next().unwrap_or_default()
}
