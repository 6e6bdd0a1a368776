//! Builders for targets that are sets of devices: the CX switches of customer 4d1c9a70, 212 of them, none of which anything is wrong with.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::*;
use crate::upgrade::fleet::Fleet;
use crate::upgrade::fleet::Line;
use crate::upgrade::fleet::Terms;
use crate::upgrade::quota::Quota;

/// Version the devices are at.
pub const OLD: &str = "10.11.1021";
/// Version asked for.
pub const NEW: &str = "10.13.1010";
/// A later one.
pub const NEWER: &str = "10.14.1000";
/// The model of [`cx`].
pub const MODEL: &str = "6300M";
/// The second that [`order`] was scheduled for.
pub const DUE: u64 = 120;
/// The group that [`leaving_alone`] the lab leaves alone.
pub const LAB: &str = "Lab";

pub fn customer() -> TargetKey {
    TargetKey::customer(vc1(), "4d1c9a70", "CX")
}

/// So many devices at this version, reachable, with nothing scheduled.
pub fn cx(version: &str, devices: u32) -> Line {
    Line {
        model: MODEL.to_owned(),
        version: version.to_owned(),
        recommended: Some(NEW.to_owned()),
        scheduled: None,
        upgrade_required: Some(version != NEW),
        reachable: true,
        groups: BTreeSet::new(),
        devices,
    }
}

impl Line {
    pub(crate) fn down(self) -> Line {
        Line { reachable: false, ..self }
    }

    pub(crate) fn of(self, model: &str) -> Line {
        Line {
            model: model.to_owned(),
            ..self
        }
    }

    pub(crate) fn recommended(self, build: Option<&str>) -> Line {
        Line {
            recommended: build.map(str::to_owned),
            ..self
        }
    }

    pub(crate) fn due(self, secs: u64) -> Line {
        Line {
            scheduled: Some(at(secs).as_second()),
            ..self
        }
    }

    pub(crate) fn in_lab(self) -> Line {
        Line {
            groups: groups(&[LAB]),
            ..self
        }
    }
}

pub fn groups(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Devices are rebooted, and the groups of these names are left alone.
pub fn leaving_alone(names: &[&str]) -> Options {
    Options::Customer {
        reboot: Some(true),
        exclude_groups: groups(names),
        allow_downgrade: false,
    }
}

/// The same, and devices may go back.
pub fn back() -> Options {
    Options::Customer {
        reboot: Some(true),
        exclude_groups: BTreeSet::new(),
        allow_downgrade: true,
    }
}

impl Sight {
    /// A complete look at these devices, for which [`NEW`] is offered, that asked who is in the lab, and took two calls.
    pub(crate) fn devices(secs: u64, lines: impl IntoIterator<Item = Line>) -> Sight {
        let mut fleet = Fleet::of(lines, groups(&[LAB]), BTreeSet::new());
        fleet.offers = BTreeMap::from([NEW, NEWER, OLD].map(|version| (version.to_owned(), BTreeSet::new())));
        fleet.asked_versions = fleet.offers.keys().cloned().collect();
        Sight {
            looks: None,
            offered: Offered::Unasked,
            fleet: Some(fleet),
            cost: 2,
            ..Sight::still(secs, "")
        }
    }

    pub(crate) fn fleet(mut self, change: impl FnOnce(&mut Fleet)) -> Sight {
        change(self.fleet.as_mut().unwrap());
        self
    }
}

impl Receipt {
    /// An order for all devices from [`OLD`] to `version`, seen before with these; no answer yet.
    pub(crate) fn order_to(version: &str, options: &Options, before: impl IntoIterator<Item = Line>) -> Receipt {
        let fleet = Fleet::of(before, BTreeSet::new(), BTreeSet::new());
        let terms = Terms::of(options).unwrap();
        let mut receipt = Receipt::no(1).to(version).options(&options.canonical());
        receipt.before = Looks {
            version: fleet.version(&terms).unwrap(),
            fleet: Some(fleet.before(version, &terms)),
            ..Looks::default()
        };
        receipt.due = Some(at(DUE));
        (receipt.name, receipt.target) = (customer().receipt_name(1), customer().canonical());
        receipt
    }

    /// An order for 212 devices from [`OLD`] to [`NEW`].
    pub(crate) fn order() -> Receipt {
        Receipt::order_to(NEW, &leaving_alone(&[]), [cx(OLD, 212)])
    }
}

impl TargetFacts {
    /// The devices, to be brought to [`NEW`], looked at like this.
    pub(crate) fn customer(sights: impl IntoIterator<Item = Sight>) -> TargetFacts {
        let mut target = TargetFacts::of("").sights(sights);
        target.key = customer();
        target.wish(|wish| wish.options = leaving_alone(&[])).wished_at(NEW)
    }
}

impl Facts {
    /// With so many calls left of a day of 4000 that ends in 24 hours; two of each look at what runs and at what waits.
    pub(crate) fn calls_left(self, remaining: u32) -> Facts {
        self.with(|f| {
            f.connection.quota = Some(QuotaFacts {
                quota: Quota {
                    limit: 4000,
                    remaining,
                    resets_at: at(24 * 3600),
                },
                in_flight: 20,
                waiting: 2,
            });
        })
    }
}
