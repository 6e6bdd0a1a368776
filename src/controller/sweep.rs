//! Following belongs to the target: open receipts whose resource is gone are looked at here until they end.
//!
//! A receipt that a reconcile followed within one sweep interval is left alone. Nothing is ever started here. Of several processes that share a fleet
//! out among them, the one that has the Connection looks.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use kube::ResourceExt;

use super::clients::Client;
use super::context::Context;
use super::gather;
use super::kinds;
use super::ledgers::OpenReceipt;
use super::wakes::Kind;
use crate::api::Connection;
use crate::upgrade::calls;
use crate::upgrade::conclude::Conclusion;
use crate::upgrade::conclude::Evidence;
use crate::upgrade::conclude::conclude;
use crate::upgrade::conclude::job_of;
use crate::upgrade::decision::Fact;
use crate::upgrade::quota::Spend;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::receipt::Standing;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;

/// Sweeps for ever.
pub async fn run(context: Arc<Context>) {
    let under_way = UnderWay::default();
    loop {
        count(&context);
        forget_the_gone(&context);
        context.clock.sleep(context.timing.sweep).await;
        sweep(&context, &under_way);
    }
}

/// Receipts that are being followed right now.
type UnderWay = Arc<Mutex<HashSet<String>>>;

/// One receipt's place among them; free again when this is dropped, also by a panic.
struct Turn {
    under_way: UnderWay,
    receipt: String,
}

impl Turn {
    fn begin(under_way: &UnderWay, receipt: &str) -> Option<Turn> {
        let free = under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(receipt.to_owned());
        free.then(|| Turn {
            under_way: Arc::clone(under_way),
            receipt: receipt.to_owned(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.receipt);
    }
}

/// What is remembered of resources goes with them, in case nobody was told: a watch that began anew does not name those that went.
fn forget_the_gone(context: &Context) {
    context.line.keep_only(|who| context.has(who));
    context.moments.keep_only(|who| context.has(who));
    context.metrics.keep_only(|who| match who.kind {
        Kind::Connection => context.connection(&who.namespace, &who.name).is_some(),
        _ => context.has(who),
    });
    let uids = context.uids();
    context.starting.keep_only(|uid| uids.contains(uid));
    context.asked.keep_only(|uid| uids.contains(uid));
}

/// Shows how many receipts are open, and of how many it is not known whether they were taken.
fn count(context: &Context) {
    let now = context.clock.mono();
    let open: Vec<OpenReceipt> = context.ledgers.open().into_iter().filter(|o| ours(context, &o.receipt)).collect();
    let doubted = |r: &Receipt| r.standing() == Standing::Unreadable || context.ledgers.seen(r, now, &context.timing).doubt.is_some();
    let unresolved = |r: &Receipt| r.adopted.is_none() && doubted(r);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for vendor in kinds::VENDORS {
        let of_vendor = |o: &&OpenReceipt| o.receipt.target.split('|').next() == Some(vendor.slug());
        let all = open.iter().filter(of_vendor);
        let (open, unresolved) = all.fold((0, 0), |(open, in_doubt), o| {
            (open + 1, in_doubt + usize::from(unresolved(&o.receipt)))
        });
        context.metrics.set_receipts(vendor.slug(), number(open), number(unresolved));
    }
}

/// Each orphan is followed in a task of its own: one whose endpoint does not answer keeps no other waiting.
fn sweep(context: &Arc<Context>, under_way: &UnderWay) {
    let now = context.clock.mono();
    let open = context.ledgers.open();
    let recent = |at| now.since(at) < context.timing.sweep;
    for orphan in open
        .into_iter()
        .filter(|o| context.serves(&o.receipt.run.namespace) && ours(context, &o.receipt))
    {
        if orphan.followed.is_some_and(recent) {
            continue;
        }
        let Some(turn) = Turn::begin(under_way, &orphan.receipt.name) else {
            continue;
        };
        let context_of_task = Arc::clone(context);
        context.tasks.spawn(async move {
            follow(&context_of_task, &orphan.receipt).await;
            drop(turn);
        });
    }
    let since = Mono(now.0.saturating_sub(context.timing.poll_waiting));
    context.sights.keep_only(|key| context.ledgers.needs(key), since);
}

/// Whether it is this process that follows a receipt, or would if its resource were gone. One whose Connection it does not have may be another
/// process's; where there is no other process, it is ours to complain about.
fn ours(context: &Context, receipt: &Receipt) -> bool {
    let reached = || TargetKey::parse(&receipt.target).is_some_and(|key| client(context, receipt, &key).is_some());
    context.shard.text().is_none() || reached()
}

/// Looks at one orphan, and writes what evidence says.
async fn follow(context: &Arc<Context>, receipt: &Receipt) {
    let Some(key) = TargetKey::parse(&receipt.target) else {
        tracing::error!(receipt = %receipt.name, target = %receipt.target, "an open receipt names a target that cannot be read");
        return;
    };
    if let Some((client, connection)) = client(context, receipt, &key) {
        if !too_early(context, receipt, &key, &connection) {
            let _using = client.using();
            let sight = client.vendor.observe(&key, job_of(receipt), &calls::scope_of(receipt)).await;
            context.sights.put(&receipt.run.namespace, &key, sight);
        }
    } else {
        tracing::warn!(
            receipt = %receipt.name, target = %key, connection = %receipt.connection, namespace = %receipt.run.namespace,
            "an open receipt has no Connection to look through; re-create it, or the target stays blocked"
        );
    }
    let held = context.sights.of(&receipt.run.namespace, &key);
    let evidence = Evidence {
        key: &key,
        sights: &held.sights,
        unchanged_since: held.unchanged_since,
        seen: context.ledgers.seen(receipt, context.clock.mono(), &context.timing),
        custody: context.permits.custody(receipt),
        timeout: kinds::timeout(key.vendor, receipt),
        wall: context.clock.wall(),
        mono: context.clock.mono(),
        timing: &context.timing,
    };
    let fact = match conclude(receipt, &evidence) {
        Conclusion::Adopt { how, job } => Fact::Adopted { how, job },
        Conclusion::Hint { how } => Fact::Hint { how },
        Conclusion::Scheduled { job, begins, how } => Fact::Scheduled { job, begins, how },
        Conclusion::End { kind, how } => Fact::End { kind, how },
        _ => return,
    };
    match context.permits.conclude(receipt, &fact).await {
        Ok(stored) => context.ledgers.learn(&stored),
        Err(error) => tracing::warn!(receipt = %receipt.name, %error, "a conclusion could not be written; the next sweep tries again"),
    }
}

/// The vendor counts its calls, and the next look is not due yet.
fn too_early(context: &Context, receipt: &Receipt, key: &TargetKey, connection: &Connection) -> bool {
    let Some(quota) = gather::quota(context, connection) else {
        return false;
    };
    let pause = calls::pause(&context.timing, Some(&quota), Spend::Watching, context.clock.wall());
    let held = context.sights.of(&receipt.run.namespace, key);
    let last = held.sights.last().map(|sight| context.clock.mono().since(sight.asked));
    last.is_some_and(|since| since < pause)
}

/// The Connection that the receipt names, or another there of the same type and with the same endpoint.
fn client(context: &Context, receipt: &Receipt, key: &TargetKey) -> Option<(Arc<Client>, Connection)> {
    let all = context.connections_in(&receipt.run.namespace);
    let named = all.iter().filter(|c| c.name_any() == receipt.connection);
    let mut clients = named.chain(all.iter()).filter_map(|c| Some((context.clients.of(c).ok()?, c)));
    let (client, connection) = clients.find(|(client, _)| client.leads_to(key))?;
    Some((client, connection.clone()))
}
