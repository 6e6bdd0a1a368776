//! Starts that are orders for a set of devices (Aruba Central): there is no job and no id, only what the devices show (`vendors.md` 1.4, 5.2).
//!
//! Part of [`conclude`](super), which is its only caller. What proves that a start was taken is the second that it was scheduled for, seen on a
//! device, or every device at the version. Nothing proves that it was not: schedules may show on no device at all.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Conclusion;
use super::Following;
use super::Judge;
use super::lost;
use crate::upgrade::fleet::Fleet;
use crate::upgrade::fleet::Terms;
use crate::upgrade::fleet::count::Builds;
use crate::upgrade::fleet::count::Count;
use crate::upgrade::fleet::count::Goal;
use crate::upgrade::fleet::count::Place;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::VendorType;

/// Most models that a message names.
const NAMED: usize = 3;

impl Judge<'_> {
    /// The target is a set of devices.
    pub(super) fn of_devices(&self) -> bool {
        self.e.key.vendor == VendorType::ArubaCentral
    }

    /// Which devices the receipt is about; `None` where its options say what this version does not know: then no look tells anything.
    fn terms(&self) -> Option<Terms> {
        Terms::read(self.receipt.options.as_deref()?)
    }

    /// A look at devices tells nothing to a receipt that is about others.
    pub(super) fn tells(&self, sight: &Sight) -> bool {
        match &sight.fleet {
            // A group that was renamed or removed since keeps nobody out any more, and who it kept out nobody knows.
            Some(fleet) if self.of_devices() => self
                .terms()
                .is_some_and(|terms| terms.told_by(fleet) && fleet.unknown_groups.is_disjoint(&terms.exclude_groups)),
            _ => true,
        }
    }

    fn counted(&self, fleet: &Fleet, terms: &Terms) -> Count {
        fleet.count(goal(self.receipt), terms)
    }

    /// Evidence in this look that our order for the devices was taken. The second that it was for stood on no device when it was chosen.
    pub(super) fn ordered(&self, sight: &Sight) -> Option<String> {
        let (fleet, terms) = (sight.fleet.as_ref()?, self.terms()?);
        if let Some(due) = self.receipt.due
            && let devices @ 1.. = fleet.scheduled_for(due.as_second(), &terms)
        {
            return Some(format!(
                "{} scheduled for {due:.0}, the time that this start named, seen at {:.0}",
                many(devices, "device is", "devices are"),
                sight.at
            ));
        }
        let count = self.counted(fleet, &terms);
        let before = self.receipt.before.fleet.as_ref()?;
        // More than before: that those below went away is no sign of anybody's doing.
        (sight.complete && count.all_at() && count.at > before.at)
            .then(|| format!("all {} at {}, seen at {:.0}", count.at, self.receipt.run.version, sight.at))
    }

    /// Where an order for devices stands that was taken.
    pub(super) fn follow_devices(&self, since: Timestamp, overdue: bool) -> Conclusion {
        let Some(last) = self.sights().next_back() else {
            return if overdue && self.known_for_long() {
                lost("no look at its devices since")
            } else {
                Conclusion::Follow(Following::Queued { says: None })
            };
        };
        let unseen = |why: &str| {
            if overdue {
                lost(why)
            } else {
                Conclusion::Follow(Following::OutOfSight { why: why.to_owned() })
            }
        };
        let terms = self.terms();
        let (fleet, terms) = match (&last.motion, &last.fleet, &terms) {
            (Motion::NotSeen { why, .. }, ..) => return unseen(why),
            (_, Some(fleet), Some(terms)) if last.complete => (fleet, terms),
            _ => return unseen("not all of its devices could be read"),
        };
        let count = self.counted(fleet, terms);
        let told = self.told_of(&count);
        if count.total == 0 {
            return unseen("there is no device in scope any more");
        }
        if count.finished() {
            return self.ended(EndKind::Succeeded, last, |when| seen(&told, when));
        }
        if self.taken_off(terms) {
            return self.ended(EndKind::Cancelled, last, |_| {
                let due = self.receipt.due.map(|due| format!(", {due:.0}")).unwrap_or_default();
                format!("the schedule was taken off the devices before its time{due}; {told}")
            });
        }
        if overdue && !self.asked_past_timeout(last, since) {
            // Devices may have arrived since; only a look from after the timeout can say that they did not.
            if self.known_for_long() && self.e.mono.since(last.asked) >= self.e.timing.grace {
                return lost(&format!("no look at its devices since the timeout; {told} then"));
            }
        } else if overdue && self.accepted_for_long() && !self.gets_on(&count, terms) {
            if count.lagging_in_reach > 0 {
                let why = self.laggards(fleet, terms);
                let said = last.says.as_ref().map(|says| format!("; Central says: {says}")).unwrap_or_default();
                return self.ended(EndKind::Failed, last, |_| format!("{told} after the timeout{why}{said}"));
            }
            let away = many(count.lagging(), "device that is not is", "devices that are not are");
            return lost(&format!("{told}, and the {away} out of Central's reach"));
        }
        let begun = self.receipt.due.is_none_or(|due| self.e.wall >= due);
        if !begun && !overdue {
            let due = self
                .receipt
                .due
                .map(|due| format!("; it is to begin at {due:.0}"))
                .unwrap_or_default();
            let says = Some(format!("Central took it for {}{due}", many(count.total, "device", "devices")));
            return Conclusion::Follow(Following::Queued { says });
        }
        Conclusion::Follow(Following::Moving {
            progress: Some(count.progress()),
            says: Some(told),
            overdue,
        })
    }

    /// `170 of 212 at 10.13.1010`.
    fn told_of(&self, count: &Count) -> String {
        let what = match goal(self.receipt) {
            Goal::Version(version) => version,
            Goal::Builds(_) => "the build that was recommended",
        };
        let above = match count.above {
            0 => String::new(),
            above => format!(", {above} above it"),
        };
        format!("{} of {} devices at {what}{above}", count.at, count.total)
    }

    /// More devices are there than at the look before: past its timeout, that is the one movement that can be told from a device which was
    /// given an order and does nothing.
    fn gets_on(&self, now: &Count, terms: &Terms) -> bool {
        let mut seen = self.sights().rev().filter(|s| s.complete).filter_map(|s| s.fleet.as_ref());
        let earlier = seen.nth(1).map(|fleet| self.counted(fleet, terms));
        earlier.is_some_and(|earlier| now.at > earlier.at)
    }

    /// Our schedule was on devices, and before its time came it was on none of them any more, twice, with no device having moved: somebody
    /// cancelled it. Once its time has come, nobody can tell that from an order that is being carried out.
    fn taken_off(&self, terms: &Terms) -> bool {
        let (Some(due), Some(before)) = (self.receipt.due, &self.receipt.before.fleet) else {
            return false;
        };
        let skew = SignedDuration::try_from(self.e.timing.clock_skew).unwrap_or(SignedDuration::MAX);
        let on = |sight: &Sight| sight.fleet.as_ref().is_some_and(|f| f.scheduled_for(due.as_second(), terms) > 0);
        let early = |sight: &Sight| due.duration_since(sight.at) > skew;
        let idle = |sight: &Sight| sight.fleet.as_ref().is_some_and(|f| self.counted(f, terms).at <= before.at);
        let mut newest = self.sights().rev();
        let gone = |sight: Option<&Sight>| sight.is_some_and(|s| s.complete && !on(s) && early(s) && idle(s));
        gone(newest.next()) && gone(newest.next()) && newest.any(on)
    }

    /// Which models have not come to their version, for people.
    fn laggards(&self, fleet: &Fleet, terms: &Terms) -> String {
        let goal = goal(self.receipt);
        let aimless = fleet.models(goal, terms, |place| place == Place::Aimless);
        if !aimless.is_empty() {
            return format!("; nothing was recommended for {} when it was started", some_of(&aimless));
        }
        let above_is_fine = !terms.allow_downgrade;
        let behind = fleet.models(goal, terms, |place| place != Place::At && !(above_is_fine && place == Place::Above));
        format!("; not there: devices of {}", some_of(&behind))
    }

    /// Why devices that show nothing prove nothing.
    pub(super) fn why_devices_prove_nothing(&self, sight: &Sight) -> String {
        let (Some(fleet), Some(terms)) = (&sight.fleet, self.terms()) else {
            return "its devices show nothing".to_owned();
        };
        let due = self
            .receipt
            .due
            .map(|due| format!(", none scheduled for {due:.0}"))
            .unwrap_or_default();
        let told = self.told_of(&self.counted(fleet, &terms));
        format!("{told}{due}; that does not prove that nothing was taken")
    }
}

/// Where a receipt's run takes its devices.
fn goal(receipt: &Receipt) -> Goal<'_> {
    static NONE: Builds = Builds::new();
    let frozen = receipt.before.fleet.as_ref().map_or(&NONE, |fleet| &fleet.recommended);
    Goal::of(&receipt.run.version, frozen)
}

/// With the time of the look that showed it, where there is one to name.
fn seen(told: &str, when: &str) -> String {
    if when.is_empty() {
        told.to_owned()
    } else {
        format!("{told}, seen{when}")
    }
}

/// A number and what it counts.
fn many(n: u32, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// The first few of a set, for a message.
pub fn some_of(models: &std::collections::BTreeSet<&str>) -> String {
    let named: Vec<&str> = models.iter().take(NAMED).copied().collect();
    let more = models.len().saturating_sub(NAMED);
    if more == 0 {
        named.join(", ")
    } else {
        format!("{} and {more} more", named.join(", "))
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
