//! Following belongs to the target: open receipts whose resource is gone are looked at here until they end.
//!
//! A receipt that a reconcile followed within one sweep interval is left alone. Nothing is ever started here.

use std::sync::Arc;

use kube::ResourceExt;

use super::clients::Client;
use super::context::Context;
use super::gather::CLUSTER_TIMEOUT;
use crate::upgrade::conclude::Conclusion;
use crate::upgrade::conclude::Evidence;
use crate::upgrade::conclude::conclude;
use crate::upgrade::decision::Fact;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::receipt::Standing;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;

/// Sweeps for ever.
pub async fn run(context: Arc<Context>) {
    loop {
        count(&context);
        context.clock.sleep(context.timing.sweep).await;
        sweep(&context).await;
    }
}

/// Shows how many receipts are open, and of how many it is not known whether they were taken.
fn count(context: &Context) {
    let now = context.clock.mono();
    let open = context.ledgers.open();
    let doubted = |r: &Receipt| r.standing() == Standing::Unreadable || context.ledgers.seen(r, now, &context.timing).doubt.is_some();
    let unresolved = open.iter().filter(|o| o.receipt.adopted.is_none() && doubted(&o.receipt)).count();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    context
        .metrics
        .set_receipts(VendorType::VCenter.slug(), number(open.len()), number(unresolved));
}

async fn sweep(context: &Arc<Context>) {
    let now = context.clock.mono();
    let open = context.ledgers.open();
    for orphan in open.iter().filter(|o| context.serves(&o.receipt.run.namespace)) {
        let recent = orphan.followed.is_some_and(|at| now.since(at) < context.timing.sweep);
        if !recent {
            follow(context, &orphan.receipt).await;
        }
    }
    context.sights.keep_only(|key| context.ledgers.needs(key));
}

/// Looks at one orphan, and writes what evidence says.
async fn follow(context: &Arc<Context>, receipt: &Receipt) {
    let Some(key) = TargetKey::parse(&receipt.target) else {
        tracing::error!(receipt = %receipt.name, target = %receipt.target, "an open receipt names a target that cannot be read");
        return;
    };
    if let Some(client) = client(context, receipt, &key) {
        let sight = client.vendor.observe(&key).await;
        context.sights.put(&key, sight);
    } else {
        tracing::warn!(
            receipt = %receipt.name, target = %key, connection = %receipt.connection, namespace = %receipt.run.namespace,
            "an open receipt has no Connection to look through; re-create it, or the target stays blocked"
        );
    }
    let held = context.sights.of(&key);
    let evidence = Evidence {
        key: &key,
        sights: &held.sights,
        seen: context.ledgers.seen(receipt, context.clock.mono(), &context.timing),
        abandoned_by_us: context.abandoned(receipt),
        timeout: CLUSTER_TIMEOUT,
        wall: context.clock.wall(),
        mono: context.clock.mono(),
        timing: &context.timing,
    };
    let fact = match conclude(receipt, &evidence) {
        Conclusion::Adopt { how } => Fact::Adopted { how },
        Conclusion::End { kind, how } => Fact::End { kind, how },
        _ => return,
    };
    match context.permits.conclude(receipt, &fact).await {
        Ok(stored) => context.ledgers.learn(&stored),
        Err(error) => tracing::warn!(receipt = %receipt.name, %error, "a conclusion could not be written; the next sweep tries again"),
    }
}

/// The Connection that the receipt names, or another there with the same endpoint.
fn client(context: &Context, receipt: &Receipt, key: &TargetKey) -> Option<Arc<Client>> {
    let all = context.connections_in(&receipt.run.namespace);
    let leads_there = |c: &Arc<Client>| c.authority == key.authority;
    let named = all.iter().filter(|c| c.name_any() == receipt.connection);
    named.chain(all.iter()).filter_map(|c| context.clients.of(c).ok()).find(leads_there)
}
