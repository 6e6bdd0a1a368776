//! What to do about a reason: who can lift it, and what to type.

use crate::cli::page::Page;
use crate::cli::seen::Upgrade;
use crate::upgrade::reason::Reason;

/// What to do next, one thing a line, the first first. Empty where nothing is to be done.
pub fn next(upgrade: &Upgrade, page: &Page) -> Vec<String> {
    let mut out = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    let rows = upgrade.status.targets.iter().filter_map(|row| row.reason.as_deref());
    let blockers = upgrade.status.blockers.iter().map(|b| b.reason.as_str());
    for word in std::iter::once(upgrade.reason()).chain(blockers).chain(rows) {
        if !reasons.contains(&word) {
            reasons.push(word);
        }
    }
    for word in reasons {
        let Some(reason) = Reason::ALL.iter().find(|reason| reason.word() == word) else {
            continue;
        };
        for line in about(*reason, upgrade, page) {
            if !out.contains(&line) {
                out.push(line);
            }
        }
    }
    out
}

/// What to do about one reason.
fn about(reason: Reason, upgrade: &Upgrade, page: &Page) -> Vec<String> {
    let me = page.me;
    let (called, namespace) = (&upgrade.called, &upgrade.namespace);
    let connection = &upgrade.connection;
    let one = |line: String| vec![line];
    match reason {
        Reason::NeedsResolution | Reason::LostSight => receipts(upgrade, reason).map(|receipt| format!("{me} resolve {receipt}")).collect(),
        Reason::StartInDoubt => receipts(upgrade, reason)
            .map(|receipt| format!("nothing yet: evidence is sought. What is known: {me} resolve {receipt}"))
            .collect(),
        Reason::Held if upgrade.held.is_some() => one(format!("{me} release {called} -n {namespace}")),
        Reason::Held => one(format!("{me} release conn/{connection} -n {namespace}")),
        Reason::Suspended if upgrade.suspended => one("where its manifest is kept, take out spec.suspend".to_owned()),
        Reason::Suspended => one(format!(
            "where the manifest of Connection {connection} is kept, take out spec.suspend"
        )),
        Reason::ConnectionNotReady | Reason::StartsDisabled | Reason::CrdsOutdated => one(format!("{me} doctor -n {namespace}")),
        Reason::WaitingForWindow | Reason::NotBefore | Reason::Frozen => one(format!("{me} windows {called} -n {namespace}")),
        Reason::LimitReached => one(format!(
            "wait, or raise spec.limits.maxConcurrentUpgrades of Connection {connection}, or spec.strategy.maxConcurrent"
        )),
        Reason::VersionNotOffered => one(format!(
            "kubectl get inventories -n {namespace} -o wide   # what {connection} offers"
        )),
        Reason::NoDevicesInScope => one("correct customerId, deviceType or excludeGroups of spec.arubaCustomer".to_owned()),
        Reason::GroupNotFound => one("correct spec.arubaCustomer.excludeGroups: no device is in a group of that name".to_owned()),
        Reason::QuotaLow => one(format!(
            "wait: there are more calls when the day ends; or raise spec.limits.requestsPerDay of Connection {connection}"
        )),
        Reason::TargetNotFound => one("correct the id of the target in the spec".to_owned()),
        Reason::IdentityMismatch => one("correct the id of the target, or its name, in the spec".to_owned()),
        Reason::InvalidSchedule => one("mend spec.schedule, here or on the Connection, as the message says".to_owned()),
        Reason::ConnectionTypeMismatch => one("make a new object that names a Connection of the right type".to_owned()),
        Reason::WouldDowngrade => one("ask for a newer version: Windlass takes nothing back".to_owned()),
        Reason::VendorRejected | Reason::RunKeyConflict | Reason::NotTaken | Reason::VendorFailed | Reason::TokenExpired => {
            one("mend what the message names, then set a new spec.runKey to ask again".to_owned())
        }
        Reason::NotStartedInTime => one("set a later spec.schedule.notAfter and a new spec.runKey to ask again".to_owned()),
        Reason::TooManyFailures | Reason::PartlyFailed | Reason::VendorCancelled => {
            one("look at the targets above; fix an entry, raise strategy.maxFailures, or set a new spec.runKey".to_owned())
        }
        Reason::Overdue => one("look at the target with the vendor: it still says that it upgrades".to_owned()),
        Reason::TargetInError => one("clear the error of the target with the vendor; it goes on by itself then".to_owned()),
        Reason::RepositoryUnreachable => one("see why the target does not reach its repository; it is asked again by itself".to_owned()),
        Reason::WaitingForVendor => one("hand the token that the message names to the vendor, if that was not done yet".to_owned()),
        Reason::LedgerDamaged => one(format!("{me} doctor -n {namespace}; a ledger-admin has to repair it")),
        Reason::ReceiptUnreadable => one("upgrade Windlass: a newer version wrote the receipt".to_owned()),
        Reason::Evaluating
        | Reason::TargetBusy
        | Reason::WaitingForCanary
        | Reason::WaitingForSoak
        | Reason::WaitingForRetry
        | Reason::Deleting
        | Reason::Starting
        | Reason::Started
        | Reason::Running
        | Reason::OutOfSight
        | Reason::UpgradeSucceeded
        | Reason::AlreadyAtVersion
        | Reason::EditQueued => Vec::new(),
    }
}

/// Receipts of the rows that are there for this reason.
fn receipts(upgrade: &Upgrade, reason: Reason) -> impl Iterator<Item = &String> {
    let rows = upgrade.status.targets.iter();
    rows.filter(move |row| row.reason.as_deref() == Some(reason.word()))
        .filter_map(|row| row.receipt.as_ref())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::night;
    use super::super::super::testing::page;
    use super::*;

    #[test]
    fn whatever_only_a_person_can_lift_is_told_with_what_to_do() {
        let upgrade = night().remove(1);
        let passes = [
            Reason::Evaluating,
            Reason::TargetBusy,
            Reason::WaitingForCanary,
            Reason::WaitingForSoak,
            Reason::WaitingForRetry,
            Reason::Deleting,
            Reason::Starting,
            Reason::Started,
            Reason::Running,
            Reason::OutOfSight,
            Reason::UpgradeSucceeded,
            Reason::AlreadyAtVersion,
            Reason::EditQueued,
        ];
        for reason in Reason::ALL.iter().filter(|r| !passes.contains(r)) {
            let mut upgrade = upgrade.clone();
            upgrade.status.targets[0].reason = Some(reason.word().to_owned());
            assert!(!about(*reason, &upgrade, &page()).is_empty(), "{reason:?}");
        }
    }

    #[test]
    fn a_doubt_is_followed_by_the_command_that_shows_it() {
        let upgrade = night().remove(1);
        assert_eq!(next(&upgrade, &page()), ["kubectl windlass resolve hmc-3gcf56nlseiyiyh2wy7l-00004"]);
    }
}
