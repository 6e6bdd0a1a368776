//! A target that is a set of devices (Aruba Central): may its run begin, and how many devices are where?
//!
//! Part of [`row`](super), which is its only caller. Central says of no device where it is going, so an upgrade that somebody else began there
//! is never taken for ours: what is scheduled blocks.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Bench;
use super::Judged;
use super::Place as Standing;
use super::short;
use crate::upgrade::calls;
use crate::upgrade::conclude::some_of;
use crate::upgrade::decision::Devices;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::Row;
use crate::upgrade::decision::What;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::facts::Wish;
use crate::upgrade::fleet::Fleet;
use crate::upgrade::fleet::FleetBefore;
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::fleet::Terms;
use crate::upgrade::fleet::count;
use crate::upgrade::fleet::count::Builds;
use crate::upgrade::fleet::count::Count;
use crate::upgrade::fleet::count::Goal;
use crate::upgrade::fleet::count::Place;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::ledger::Wanted;
use crate::upgrade::quota::Quota;
use crate::upgrade::quota::Spend;
use crate::upgrade::reason::Reason;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Sight;
use crate::upgrade::version;
use crate::upgrade::when::When;

/// A schedule that is older than this and still stands on a device is a leftover: whoever made it would have come to an end by now.
const LEFTOVER: SignedDuration = SignedDuration::from_hours(24);

/// Whether a look tells who of the devices is in scope of what is wished for them.
pub(super) fn tells(target: &TargetFacts, sight: &Sight) -> bool {
    let terms = target.wish.as_ref().and_then(|wish| Terms::of(&wish.options));
    match (&sight.fleet, terms) {
        (Some(fleet), Some(terms)) => terms.told_by(fleet),
        _ => true,
    }
}

impl Bench<'_> {
    /// What do the devices say? The order of the questions is that of [`looked_at`](Bench::looked_at).
    pub(super) fn devices_looked_at(
        &self,
        ledger: &Ledger,
        seq: u32,
        wish: &Wish,
        wanted: &Wanted,
        (sight, terms): (&Sight, &Terms),
    ) -> Judged {
        let Some(fleet) = sight.fleet.as_ref().filter(|_| sight.complete) else {
            let said = sight.says.as_ref().map(|says| format!(": {says}")).unwrap_or_default();
            let message = format!("not all of its devices could be read{said}; looking again");
            return self.blocked(Reason::Evaluating, message, None);
        };
        let builds = fleet.recommended(terms);
        let goal = Goal::of(&wish.version, &builds);
        let count = fleet.count(goal, terms);
        let effect = |what: What| Effect {
            key: self.target.key.clone(),
            seq,
            run: wanted.run.clone(),
            options: wish.options.clone(),
            before: looks(fleet, &wish.version, terms),
            what,
            closes: None,
            due: None,
        };
        if let Some(blocked) = self.nobody_there(fleet, &count, terms) {
            return blocked;
        }
        if let Some(message) = self.scheduled_by_others(ledger, fleet, terms) {
            return self.blocked(Reason::TargetBusy, message, None);
        }
        if let Some(message) = aimless(fleet, goal, &builds, terms) {
            return self.blocked(Reason::VersionNotOffered, message, None);
        }
        if count.all_at() {
            return self.note(effect(What::Note(Note::AlreadyAtVersion)), Reason::AlreadyAtVersion);
        }
        let came_from = ledger.came_from().is_some_and(|from| version::is_at(&wish.version, from));
        if !terms.allow_downgrade && (count.above + count.apart > 0 || came_from) {
            return self.note(effect(What::Note(Note::WouldDowngrade)), Reason::WouldDowngrade);
        }
        if let Some(blocked) = self.not_offered(sight, fleet, goal, wish, terms) {
            return blocked;
        }
        let due = self.due(fleet);
        if let When::Open { until } = self.when
            && due >= *until
        {
            let message = format!(
                "the schedule allows no start from {} on, and one that is sent now is scheduled for {}",
                short(*until),
                short(due)
            );
            return self.blocked(Reason::WaitingForWindow, message, Some(*until));
        }
        let message = match self.facts.refusal(&self.target.key) {
            Some(refusal) => format!("not started: {}", refusal.why),
            None => self.told(&count, &wish.version),
        };
        Judged {
            row: Row {
                message: Some(message),
                ..self.row()
            },
            place: Standing::Candidate(Effect {
                due: Some(due),
                ..effect(What::Start)
            }),
            writes: Vec::new(),
        }
    }

    /// Nobody may be upgraded, and that is never a success: most likely somebody has mistyped something.
    fn nobody_there(&self, fleet: &Fleet, count: &Count, terms: &Terms) -> Option<Judged> {
        let unknown: BTreeSet<&str> = fleet
            .unknown_groups
            .intersection(&terms.exclude_groups)
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() {
            let message = format!(
                "the customer has no group {}; what a group that does not exist would keep out is not known: mend spec.arubaCustomer.excludeGroups",
                some_of(&unknown)
            );
            return Some(self.blocked(Reason::GroupNotFound, message, None));
        }
        let (customer, device_type) = self.target.key.as_customer().unwrap_or_default();
        let message = match (count.total, count.excluded) {
            (1.., _) => return None,
            (0, 0) => format!("customer {customer} has no {device_type} devices; check spec.arubaCustomer.customerId and deviceType"),
            (0, excluded) => {
                format!("all {excluded} {device_type} devices are in groups that spec.arubaCustomer.excludeGroups leaves alone")
            }
        };
        Some(self.blocked(Reason::NoDevicesInScope, message, None))
    }

    /// An upgrade stands on devices that this ledger did not put there, or one that it has given up may still run.
    fn scheduled_by_others(&self, ledger: &Ledger, fleet: &Fleet, terms: &Terms) -> Option<String> {
        let since = self.facts.wall.checked_sub(LEFTOVER).unwrap_or(Timestamp::MIN).as_second();
        // What never was at Central stands on no device; where it does all the same, nobody knows what will come of it.
        let went = |r: &&Receipt| {
            let end = r.end.as_ref().map(|end| end.kind);
            !matches!(end, Some(EndKind::NotTaken | EndKind::Rejected | EndKind::Withdrawn))
        };
        let gone = ledger.receipts().iter().filter(went);
        let ours: BTreeSet<i64> = gone.filter_map(|r| r.due).map(Timestamp::as_second).collect();
        let theirs = |second: &i64| *second > since && !ours.contains(second);
        let lines = fleet.in_scope(terms).filter(|line| line.scheduled.as_ref().is_some_and(theirs));
        let (mut devices, mut last) = (0_u32, None);
        for line in lines {
            devices = devices.saturating_add(line.devices);
            last = last.max(line.scheduled);
        }
        let at = last.and_then(|second| Timestamp::from_second(second).ok())?;
        Some(format!(
            "an upgrade of {devices} devices is scheduled for {}, not by Windlass; waiting for its end, or for somebody to cancel it in Central",
            short(at)
        ))
    }

    /// Why the version cannot be had by every model; `None` where it can.
    fn not_offered(&self, sight: &Sight, fleet: &Fleet, goal: Goal<'_>, wish: &Wish, terms: &Terms) -> Option<Judged> {
        if wish.version == RECOMMENDED {
            return None;
        }
        let Some(lacking) = fleet.offers.get(&wish.version) else {
            let said = sight.says.as_ref().map(|says| format!(": {says}")).unwrap_or_default();
            let message = format!("whether Central offers {} is not known yet{said}; asking", wish.version);
            return Some(self.blocked(Reason::Evaluating, message, None));
        };
        let to_go = fleet.models(goal, terms, |place| place != Place::At);
        let without: BTreeSet<&str> = to_go.into_iter().filter(|model| lacking.contains(*model)).collect();
        let message = format!(
            "Central does not offer {} for {}; have it uploaded there, ask for another version, or leave those devices alone \
             (spec.arubaCustomer.excludeGroups)",
            wish.version,
            some_of(&without)
        );
        (!without.is_empty()).then(|| self.blocked(Reason::VersionNotOffered, message, None))
    }

    /// The second for which a start that is sent now is scheduled. No device may show it already: it is what the start is known by.
    fn due(&self, fleet: &Fleet) -> Timestamp {
        let lead = SignedDuration::try_from(self.facts.timing.lead).unwrap_or(SignedDuration::MAX);
        let earliest = self.facts.wall.checked_add(lead).unwrap_or(Timestamp::MAX).as_second();
        let taken: BTreeSet<i64> = fleet.lines.iter().filter_map(|line| line.scheduled).collect();
        // Of one second more than are taken, one is free.
        let last = earliest.saturating_add(1 + i64::try_from(taken.len()).unwrap_or(i64::MAX));
        let free = (earliest.saturating_add(1)..=last).find(|second| !taken.contains(second));
        free.and_then(|second| Timestamp::from_second(second).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// `212 CX devices, 212 below 10.13.1010`.
    fn told(&self, count: &Count, version: &str) -> String {
        let device_type = self
            .target
            .key
            .as_customer()
            .map(|(_, device_type)| device_type)
            .unwrap_or_default();
        let goal = match version {
            RECOMMENDED => "the build that is recommended for them",
            version => version,
        };
        let away = match count.unreachable {
            0 => String::new(),
            n => format!(", {n} out of reach"),
        };
        format!(
            "{} {device_type} devices, {} not at {goal}{away}",
            count.total,
            count.total - count.at
        )
    }

    /// There are not even calls left to look at it.
    pub(super) fn unseen_for_lack_of_calls(&self) -> Option<Judged> {
        let quota = self.out_of_calls(Spend::Waiting)?;
        let message = format!(
            "not looked at yet: {} of {} calls are left at Central for today, and are kept for what runs",
            hundreds(quota.remaining),
            quota.limit
        );
        Some(self.blocked(Reason::QuotaLow, message, Some(quota.resets_at)))
    }

    /// What is left of the day, where that is too little for such a look.
    pub(super) fn out_of_calls(&self, spend: Spend) -> Option<Quota> {
        self.target.key.as_customer()?;
        let quota = self.facts.connection.quota?.quota.at(self.facts.wall);
        (!quota.affords(spend, calls::price(self.target), self.facts.wall)).then_some(quota)
    }

    /// What was seen of the target last, for a receipt.
    pub(super) fn last_seen(&self, wish: &Wish) -> Looks {
        let terms = Terms::of(&wish.options);
        let devices = |fleet: &Fleet| terms.as_ref().map(|terms| looks(fleet, &wish.version, terms));
        let seen = |s: &Sight| s.looks.clone().or_else(|| devices(s.fleet.as_ref()?));
        self.sights().find_map(seen).unwrap_or_default()
    }

    /// Version and numbers of the devices that the wish is about.
    pub(super) fn devices_of_wish(&self) -> Option<(String, Devices)> {
        let wish = self.target.wish.as_ref()?;
        let terms = Terms::of(&wish.options)?;
        let fleet = self.seen_whole()?;
        Some(shown(fleet, Goal::of(&wish.version, &fleet.recommended(&terms)), &terms))
    }

    /// The same of those that a receipt is about.
    pub(super) fn devices_of(&self, receipt: &Receipt) -> Option<(String, Devices)> {
        let terms = Terms::read(receipt.options.as_deref()?)?;
        let fleet = self.seen_whole().filter(|fleet| terms.told_by(fleet))?;
        let frozen = receipt.before.fleet.as_ref()?;
        Some(shown(fleet, Goal::of(&receipt.run.version, &frozen.recommended), &terms))
    }

    /// How far the devices were that a receipt is about, when they were last seen.
    pub(super) fn progress_of(&self, receipt: &Receipt) -> Option<i32> {
        let (_, devices) = self.devices_of(receipt)?;
        Some(count::progress(devices.at_version, devices.total))
    }

    fn seen_whole(&self) -> Option<&Fleet> {
        self.sights().find_map(|s| s.fleet.as_ref().filter(|_| s.complete))
    }
}

fn shown(fleet: &Fleet, goal: Goal<'_>, terms: &Terms) -> (String, Devices) {
    let count = fleet.count(goal, terms);
    let devices = Devices {
        total: count.total,
        at_version: count.at,
        unreachable: count.unreachable,
        excluded: count.excluded,
    };
    (fleet.version(terms).unwrap_or_default(), devices)
}

/// The form in which a fleet is kept in a receipt.
fn looks(fleet: &Fleet, version: &str, terms: &Terms) -> Looks {
    Looks {
        version: fleet.version(terms).unwrap_or_default(),
        fleet: Some(fleet.before(version, terms)),
        ..Looks::default()
    }
}

/// Why a run to what is recommended has no goal for some devices.
fn aimless(fleet: &Fleet, goal: Goal<'_>, builds: &Builds, terms: &Terms) -> Option<String> {
    let Goal::Builds(_) = goal else { return None };
    let without = fleet.models(goal, terms, |place| place == Place::Aimless);
    if !without.is_empty() {
        return Some(format!(
            "Central recommends nothing for {}: set spec.version instead of spec.arubaCustomer.recommended",
            some_of(&without)
        ));
    }
    (!count::fit(builds)).then(|| {
        format!(
            "its devices are of {} models, more than one receipt can keep the recommended builds of: set spec.version instead of \
             spec.arubaCustomer.recommended",
            builds.len()
        )
    })
}

/// Why a run was refused: something would have gone back.
pub(super) fn would_downgrade(receipt: &Receipt, before: &FleetBefore) -> String {
    let what = match (before.above, receipt.run.version.as_str()) {
        (0, version) => format!("{version} is what the last upgrade came from, so it would be a downgrade"),
        (above, RECOMMENDED) => format!(
            "{above} of {} devices are above the build that Central recommends for them",
            before.total
        ),
        (above, version) => format!(
            "{above} of {} devices are above {version}, or cannot be compared with it",
            before.total
        ),
    };
    format!("{what}; nothing was sent. Ask for a newer version, leave those devices alone, or set spec.arubaCustomer.allowDowngrade")
}

/// Down to the hundred: what is shown is written anew with each change.
fn hundreds(calls: u32) -> String {
    if calls < 100 {
        "fewer than 100".to_owned()
    } else {
        (calls / 100 * 100).to_string()
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
