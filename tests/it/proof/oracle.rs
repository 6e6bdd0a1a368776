//! What must be true of every story, whatever happened in it. The simulator's own log decides, never a status.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use windlass::api::UpgradeReceipt;

use super::life::Life;
use super::story::Rest;
use super::story::Story;
use crate::sim::Entry;
use crate::sim::Log;

/// Every breach of the promise, in words; empty when it was kept.
pub async fn breaches<W: Life>(story: &Story<W>, rests: &[Rest]) -> anyhow::Result<Vec<String>> {
    let receipts = story.world.receipts().await?;
    let log = story.world.log();
    let mut found = starts::<W>(log);
    found.extend(sends(log, &receipts));
    found.extend(ledgers(&receipts));
    for rest in rests {
        found.extend(ends(log, rest));
        // UNKNOWN is the one state in which a receipt may stay open: a person has to end it.
        if rest.state != "UNKNOWN" && rest.state != "STUCK" {
            let open = receipts
                .iter()
                .filter(|r| end(r).is_none() && rest.targets.iter().any(|c| r.spec.claim.target.ends_with(c)));
            found.extend(open.map(|r| format!("{} is open though {} is {}", name(r), rest.name, rest.state)));
        }
    }
    Ok(found)
}

/// The words of a duplicate start.
const TWICE: &str = "was started more than once";

/// Whether a breach is that one.
pub fn tells_of_two_starts(breach: &str) -> bool {
    breach.contains(TWICE)
}

/// P2: one start for each target and version. An intermediary's second copy has the number of the first and is not Windlass's.
fn starts<W: Life>(log: &Log) -> Vec<String> {
    let mut requests = BTreeMap::<(String, String), BTreeSet<u64>>::new();
    for start in log.committed() {
        requests.entry((start.target, start.version)).or_default().insert(start.request);
    }
    let mut found = Vec::new();
    for ((target, version), requests) in requests {
        if requests.len() > 1 {
            found.push(format!("{target} {TWICE} ({} times) to {version}", requests.len()));
        }
        // What a vendor makes of a second request is its own affair: sending one is the breach.
        let is_again = |post: &Entry| W::asks(post, &target, &version) && requests.first().is_some_and(|first| post.number > *first);
        let again = log.posts().into_iter().filter(is_again);
        found.extend(again.map(|post| format!("{target} had been started to {version}, and was asked again by {}", post.user_agent)));
    }
    found
}

/// P1 and P6: each request belongs to one receipt, each receipt sent one request at most, and what was accepted did not end as if
/// nothing had been taken.
fn sends(log: &Log, receipts: &[UpgradeReceipt]) -> Vec<String> {
    let mut found = Vec::new();
    let mut sent = BTreeMap::<String, usize>::new();
    for post in log.posts() {
        let receipt = receipt_of(&post.user_agent);
        if !receipts.iter().any(|r| name(r) == receipt) {
            found.push(format!("a start was sent for {receipt:?}, which is no receipt"));
        }
        *sent.entry(receipt).or_default() += 1;
    }
    found.extend(
        sent.into_iter()
            .filter(|(_, n)| *n > 1)
            .map(|(r, n)| format!("{r} was sent {n} times")),
    );
    for start in log.committed() {
        let receipt = receipt_of(&start.user_agent);
        let ended = receipts.iter().find(|r| name(r) == receipt).and_then(end);
        if let Some(kind) = ended.filter(|kind| ["NotTaken", "Withdrawn"].contains(&kind.as_str())) {
            found.push(format!("{receipt} ended {kind}, but the vendor had taken it"));
        }
    }
    found
}

/// P3: of each target at most the last receipt is open, and none is missing.
fn ledgers(receipts: &[UpgradeReceipt]) -> Vec<String> {
    let mut of_target = BTreeMap::<&str, Vec<&UpgradeReceipt>>::new();
    for receipt in receipts {
        of_target.entry(&receipt.spec.claim.target).or_default().push(receipt);
    }
    let mut found = Vec::new();
    for (target, ledger) in of_target {
        let gapless = ledger.iter().zip(1..).all(|(r, seq)| r.spec.claim.sequence == seq);
        let open = ledger.iter().rev().skip(1).filter(|r| end(r).is_none()).count();
        if !gapless || open > 0 {
            found.push(format!("the ledger of {target} has a gap, or {open} open receipts before its last"));
        }
    }
    found
}

/// What a resource says agrees with what the vendor did.
fn ends(log: &Log, rest: &Rest) -> Vec<String> {
    if rest.state != "SUCCESS" {
        return Vec::new();
    }
    let unstarted = rest.targets.iter().filter(|t| log.starts(t).is_empty());
    unstarted
        .map(|t| format!("{} is SUCCESS, but {t} was never started", rest.name))
        .collect()
}

fn name(receipt: &UpgradeReceipt) -> &str {
    receipt.metadata.name.as_deref().unwrap_or_default()
}

/// What a receipt came to. A note has come to its end when it is written, but for that of a run that somebody else began.
pub fn end(receipt: &UpgradeReceipt) -> Option<String> {
    if let Some(note) = receipt.spec.claim.note.clone().filter(|note| note != "Adopted") {
        return Some(note);
    }
    Some(receipt.status.as_ref()?.end.as_ref()?.kind.clone())
}

/// The receipt in a start's User-Agent.
fn receipt_of(user_agent: &str) -> String {
    let (_, rest) = user_agent.split_once("(receipt ").unwrap_or_default();
    rest.trim_end_matches(')').to_owned()
}
