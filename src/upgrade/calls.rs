//! Looks and starts that a vendor counts (Aruba Central): what each costs, whether it is affordable, and when the next look is due.
//!
//! Used by [`decide`](super::decide), [`rollout`](super::rollout) and [`row`](super::row), and by the controller's sweep for receipts whose
//! resource is gone. The numbers are [`quota`](super::quota)'s.

use std::collections::BTreeSet;
use std::time::Duration;

use super::decision::Blocker;
use super::decision::Effect;
use super::facts::Facts;
use super::facts::Options;
use super::facts::QuotaFacts;
use super::facts::TargetFacts;
use super::fleet::Fleet;
use super::fleet::RECOMMENDED;
use super::fleet::Scope;
use super::fleet::Terms;
use super::ledger::Ledger;
use super::quota::Spend;
use super::reason::Reason;
use super::reason::State;
use super::receipt::Receipt;
use super::row::Judged;
use super::row::Place;
use super::row::short;
use super::sight::Sight;
use super::timing::Timing;

/// A start and the session that it may have to open first, besides the look right before it.
const OF_A_START: u32 = 3;

/// From this many percent on a run may end with the next look.
const NEARLY_THERE: i32 = 90;

/// The calls of a day at a vendor that counts them are what this target is looked at with.
pub fn counted(target: &TargetFacts) -> bool {
    target.key.as_customer().is_some()
}

/// Groups that somebody who matters to this target leaves alone: who is in them is to be asked.
pub fn groups(target: &TargetFacts) -> BTreeSet<String> {
    let of_wish = target.wish.as_ref().and_then(|wish| Terms::of(&wish.options));
    let open = target.ledger.as_ref().ok().and_then(Ledger::open);
    let of_run = open.and_then(|open| Terms::read(open.options.as_deref()?));
    of_wish.into_iter().chain(of_run).flat_map(|terms| terms.exclude_groups).collect()
}

/// Calls that one look at a target takes: as many as the last one did, or one page and one more for each group.
pub fn price(target: &TargetFacts) -> u32 {
    let last = target.sights.iter().rev().map(|s| s.cost).find(|cost| *cost > 0);
    last.unwrap_or_else(|| u32::try_from(1 + groups(target).len()).unwrap_or(u32::MAX))
}

/// What a look at a target is for.
pub fn spend(judged: &Judged) -> Spend {
    match judged.place {
        Place::InFlight { overdue: true, .. } => Spend::Finishing,
        Place::InFlight { .. } => {
            let nearly = judged.row.progress.is_some_and(|progress| progress >= NEARLY_THERE);
            // In doubt, or refused and to be confirmed: one look may end it.
            let unsettled = matches!(judged.row.state, State::Unknown | State::Pending);
            if nearly || unsettled { Spend::Finishing } else { Spend::Watching }
        }
        _ => Spend::Waiting,
    }
}

/// What the look is to find out.
pub fn scope(target: &TargetFacts, judged: &Judged) -> Scope {
    let in_flight = matches!(judged.place, Place::InFlight { .. });
    let asked = target.wish.as_ref().filter(|wish| !in_flight && wish.version != RECOMMENDED);
    Scope {
        exclude_groups: groups(target),
        versions: asked.map(|wish| wish.version.clone()).into_iter().collect(),
        spend: spend(judged),
    }
}

/// Whether a look was to find out all that is wanted now, and could or could not.
pub fn asked_for(target: &TargetFacts, judged: &Judged, sight: &Sight) -> bool {
    let wanted = scope(target, judged);
    let of = |fleet: &Fleet| fleet.asked_groups.is_superset(&wanted.exclude_groups) && fleet.asked_versions.is_superset(&wanted.versions);
    sight.fleet.as_ref().is_none_or(of)
}

/// A look that could not find out all that is wanted now.
fn fell_short(target: &TargetFacts, judged: &Judged, sight: &Sight) -> bool {
    let wanted = scope(target, judged);
    let told = |fleet: &Fleet| {
        // Of no devices nothing can be asked.
        let offered = |version: &String| fleet.lines.is_empty() || fleet.offers.contains_key(version);
        fleet.groups.is_superset(&wanted.exclude_groups) && wanted.versions.iter().all(offered)
    };
    !(sight.complete && sight.fleet.as_ref().is_some_and(told))
}

/// How old the newest look at a target may become. What waits is looked at so seldom that a look which fell short is repeated before that: after
/// a minute, and then after twice as long as it took the last time.
pub fn patience(facts: &Facts, target: &TargetFacts, judged: &Judged) -> Duration {
    let pace = pause(&facts.timing, facts.connection.quota.as_ref(), spend(judged), facts.wall);
    let mut short = target
        .sights
        .iter()
        .rev()
        .map_while(|s| fell_short(target, judged, s).then_some(s.asked));
    match (short.next(), short.next()) {
        (Some(last), Some(before)) => (last.since(before) * 2).max(facts.timing.poll_central).min(pace),
        (Some(_), None) => facts.timing.poll_central.min(pace),
        _ => pace,
    }
}

/// How long to wait between two looks for this.
pub fn pause(timing: &Timing, quota: Option<&QuotaFacts>, spend: Spend, now: jiff::Timestamp) -> Duration {
    let (shortest, round) = match spend {
        Spend::Waiting => (timing.poll_central_waiting, quota.map(|q| q.waiting)),
        _ => (timing.poll_central, quota.map(|q| q.in_flight)),
    };
    let pace = quota.zip(round).map(|(q, round)| q.quota.pace(spend, round, now));
    shortest.max(pace.unwrap_or_default())
}

/// There are calls for a look at this target. What was never told is not counted.
pub fn affordable(facts: &Facts, target: &TargetFacts, judged: &Judged) -> bool {
    let quota = facts.connection.quota.as_ref();
    quota.is_none_or(|q| q.quota.affords(spend(judged), price(target), facts.wall))
}

/// Too few calls are left for a start: for the look right before it, for itself, and for one more look at each run that goes on, this one
/// too. Without that it would go out and nobody could tell what became of it until the day is over.
pub fn too_few_for(facts: &Facts, effect: &Effect) -> Option<Blocker> {
    if !matches!(effect.options, Options::Customer { .. }) {
        return None;
    }
    let QuotaFacts { quota, in_flight, .. } = facts.connection.quota?;
    let today = quota.at(facts.wall);
    let target = facts.targets.iter().find(|t| t.key == effect.key);
    let look = target.map_or(1, price);
    let needed = look.saturating_mul(2).saturating_add(OF_A_START).saturating_add(in_flight);
    (!today.affords(Spend::Starting, needed, facts.wall)).then(|| Blocker {
        reason: Reason::QuotaLow,
        message: format!(
            "too few calls are left at Central for today to start it and to look after what runs (of {} that Connection {} may make in a day); \
             there are more at {}",
            today.limit,
            facts.connection.name,
            short(today.resets_at)
        ),
        until: Some(today.resets_at),
    })
}

/// What the look at a run is to find out whose resource is gone.
pub fn scope_of(receipt: &Receipt) -> Scope {
    Scope {
        exclude_groups: receipt.options.as_deref().and_then(Terms::read).unwrap_or_default().exclude_groups,
        versions: BTreeSet::new(),
        spend: Spend::Watching,
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
