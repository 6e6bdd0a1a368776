//! Where the devices in scope are, seen from the version that a run takes them to (protocol, section 7).

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::AtVersion;
use super::Fleet;
use super::FleetBefore;
use super::Line;
use super::MIXED;
use super::MOST_KEPT;
use super::RECOMMENDED;
use super::Terms;
use crate::upgrade::version;
use crate::upgrade::version::Order;

/// Most characters that the models and versions in one receipt take together: a quarter of what its `before` may hold (24 KB), since what
/// stands around them takes as much again, and both lists may be full.
const MOST_TEXT: usize = 5000;

/// Builds by model.
pub type Builds = BTreeMap<String, BTreeSet<String>>;

/// Where a run takes its devices.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'a> {
    /// All to this version.
    Version(&'a str),
    /// Each to a build that was recommended for its model, when these were frozen.
    Builds(&'a Builds),
}

/// Where one device is, seen from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There.
    At,
    /// Below: at an older version, or at one that is not told.
    Below,
    /// Above.
    Above,
    /// At a version that cannot be compared with it.
    Apart,
    /// No build was ever frozen for its model, so nobody can say. As good as below: what is not known is no success. A device of a model
    /// that came after the start was none of what Central was asked for; one that was there before it has a build, or nothing was started.
    Aimless,
}

/// How many devices are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// In scope.
    pub total: u32,
    /// Of those, at the goal.
    pub at: u32,
    /// Below it.
    pub below: u32,
    /// Above it.
    pub above: u32,
    /// At a version that cannot be compared with it.
    pub apart: u32,
    /// Without one.
    pub aimless: u32,
    /// Of all in scope, those that Central does not reach.
    pub unreachable: u32,
    /// Of those that are not where they are to be, the ones that Central reaches.
    pub lagging_in_reach: u32,
    /// Of the customer's devices of this type, those that are excluded.
    pub excluded: u32,
    /// Devices may go back, so above is not where they are to be.
    back: bool,
}

impl<'a> Goal<'a> {
    /// Of a run to this version, with the builds that were frozen for it.
    pub fn of(version: &'a str, frozen: &'a Builds) -> Goal<'a> {
        if version == RECOMMENDED {
            Goal::Builds(frozen)
        } else {
            Goal::Version(version)
        }
    }

    /// Where a device is, seen from here.
    pub fn place(&self, line: &Line) -> Place {
        match self {
            Goal::Version(version) => place(std::iter::once(*version), &line.version),
            Goal::Builds(builds) => match builds.get(&line.model) {
                // What is recommended for the device itself, as long as that is one of those that were frozen: models may have several.
                Some(builds) if let Some(own) = line.recommended.as_ref().filter(|own| builds.contains(*own)) => {
                    place(std::iter::once(own.as_str()), &line.version)
                }
                Some(builds) if !builds.is_empty() => place(builds.iter().map(String::as_str), &line.version),
                _ => Place::Aimless,
            },
        }
    }
}

fn place<'v>(goals: impl Iterator<Item = &'v str> + Clone, current: &str) -> Place {
    if goals.clone().any(|goal| version::is_at(goal, current)) {
        return Place::At;
    }
    let mut orders = goals.map(|goal| match current {
        // Not told: nothing says that it is there.
        "" => Order::Newer,
        current => version::order(goal, current),
    });
    // "10.13.1010" is not at "10.13.1010.2", and nothing says that it is above.
    if orders.clone().any(|order| matches!(order, Order::Newer | Order::Same)) {
        Place::Below
    } else if orders.all(|order| order == Order::Older) {
        Place::Above
    } else {
        Place::Apart
    }
}

impl Count {
    /// Everything is where it is to be: something is there at all, and nothing is below. What is above got there by itself, unless devices
    /// were to go back.
    pub fn finished(&self) -> bool {
        self.total > 0 && self.lagging() == 0
    }

    /// How many are not where they are to be.
    pub fn lagging(&self) -> u32 {
        self.below + self.apart + self.aimless + if self.back { self.above } else { 0 }
    }

    /// Every device is at the goal, and there is one.
    pub fn all_at(&self) -> bool {
        self.total > 0 && self.at == self.total
    }

    /// Percent of the way, in steps of ten: each step is written once. The last one is the end's to say.
    pub fn progress(&self) -> i32 {
        progress(self.at, self.total)
    }
}

impl Fleet {
    /// The devices that nobody excluded.
    pub fn in_scope<'f, 't>(&'f self, terms: &'t Terms) -> impl Iterator<Item = &'f Line> + use<'f, 't> {
        self.lines.iter().filter(|line| line.groups.is_disjoint(&terms.exclude_groups))
    }

    /// How many devices are where.
    pub fn count(&self, goal: Goal<'_>, terms: &Terms) -> Count {
        let all: u32 = self.lines.iter().fold(0, |sum, line| sum.saturating_add(line.devices));
        let mut count = Count {
            back: terms.allow_downgrade,
            ..Count::default()
        };
        for line in self.in_scope(terms) {
            let place = goal.place(line);
            let there = place == Place::At || place == Place::Above && !terms.allow_downgrade;
            let of_place = match place {
                Place::At => &mut count.at,
                Place::Below => &mut count.below,
                Place::Above => &mut count.above,
                Place::Apart => &mut count.apart,
                Place::Aimless => &mut count.aimless,
            };
            *of_place = of_place.saturating_add(line.devices);
            count.total = count.total.saturating_add(line.devices);
            if !line.reachable {
                count.unreachable = count.unreachable.saturating_add(line.devices);
            } else if !there {
                count.lagging_in_reach = count.lagging_in_reach.saturating_add(line.devices);
            }
        }
        count.excluded = all.saturating_sub(count.total);
        count
    }

    /// The version that all devices in scope are at; [`MIXED`] where they are not at one, and `None` where there are none.
    pub fn version(&self, terms: &Terms) -> Option<String> {
        let mut versions = self.in_scope(terms).map(|line| line.version.as_str());
        let first = versions.next()?;
        let same = !first.is_empty() && versions.all(|other| other == first);
        Some(if same { first.to_owned() } else { MIXED.to_owned() })
    }

    /// What is recommended now for the devices in scope, by model.
    pub fn recommended(&self, terms: &Terms) -> Builds {
        let mut builds = Builds::new();
        for line in self.in_scope(terms) {
            if let Some(build) = &line.recommended {
                builds.entry(line.model.clone()).or_default().insert(build.clone());
            }
        }
        builds
    }

    /// Models of the devices in scope that are in such a place.
    pub fn models<'f>(&'f self, goal: Goal<'_>, terms: &Terms, is: impl Fn(Place) -> bool) -> BTreeSet<&'f str> {
        let lines = self.in_scope(terms).filter(|line| is(goal.place(line)));
        lines.map(|line| line.model.as_str()).collect()
    }

    /// How many devices in scope are scheduled for exactly this second.
    pub fn scheduled_for(&self, second: i64, terms: &Terms) -> u32 {
        let lines = self.in_scope(terms).filter(|line| line.scheduled == Some(second));
        lines.fold(0, |sum, line| sum.saturating_add(line.devices))
    }

    /// What a receipt keeps of the devices in scope. The builds are kept for a run to those only.
    pub fn before(&self, version: &str, terms: &Terms) -> FleetBefore {
        let builds = self.recommended(terms);
        let goal = Goal::of(version, &builds);
        let count = self.count(goal, terms);
        let mut versions: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for line in self.in_scope(terms) {
            let devices = versions.entry((&line.model, &line.version)).or_default();
            *devices = devices.saturating_add(line.devices);
        }
        let mut text = 0;
        let known = versions.len();
        let kept: Vec<AtVersion> = versions
            .into_iter()
            .take(MOST_KEPT)
            .take_while(|((model, version), _)| {
                text += model.len() + version.len();
                text <= MOST_TEXT
            })
            .map(|((model, version), devices)| AtVersion {
                model: model.to_owned(),
                version: version.to_owned(),
                devices,
            })
            .collect();
        FleetBefore {
            total: count.total,
            at: count.at,
            above: count.above.saturating_add(count.apart),
            excluded: count.excluded,
            cut: kept.len() < known,
            versions: kept,
            recommended: if matches!(goal, Goal::Builds(_)) { builds } else { Builds::new() },
        }
    }
}

/// See [`Count::progress`].
pub fn progress(at: u32, of: u32) -> i32 {
    let tenths = u64::from(at) * 10 / u64::from(of.max(1));
    i32::try_from(tenths.min(9) * 10).unwrap_or(0)
}

/// So many builds fit into a receipt.
pub fn fit(builds: &Builds) -> bool {
    let text: usize = builds
        .iter()
        .map(|(model, of)| model.len() + of.iter().map(String::len).sum::<usize>())
        .sum();
    builds.len() <= MOST_KEPT && text <= MOST_TEXT
}
