//! What there is in the beginning: customers, and their devices by number. Everything follows from a few numbers, always in the same way,
//! and is made when somebody first asks for it: three hundred customers that nobody asks for take no memory.
//!
//! Called by `state` and by tests, which may compute every name themselves. Nothing here knows of time.

use std::sync::Arc;

use super::kind::Kind;
use super::unit::Unit;

/// The provider's own account [C: a token is given for a customer id; its form is made up].
pub const MSP: &str = "a0c30000";

/// What comes before the number in a customer's id.
const CUSTOMERS: &str = "4d1c";

/// What comes before the number in a group's name, after the vendor's own example [C].
const GROUPS: &str = "TestGroup";

/// How many units of each type a customer has: swarms of access points, and devices of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub iap: u32,
    pub mas: u32,
    pub hp: u32,
    pub cx: u32,
    pub controller: u32,
}

impl Sizes {
    /// As many of each.
    pub fn each(n: u32) -> Self {
        Self {
            iap: n,
            mas: n,
            hp: n,
            cx: n,
            controller: n,
        }
    }

    pub fn of(self, kind: Kind) -> u32 {
        match kind {
            Kind::Iap => self.iap,
            Kind::Mas => self.mas,
            Kind::Hp => self.hp,
            Kind::Cx => self.cx,
            Kind::Controller => self.controller,
        }
    }
}

/// What everything is made from.
#[derive(Clone, Debug)]
pub struct Estate {
    pub customers: u16,
    pub sizes: Sizes,
    /// Groups of a customer. The units take them in turn.
    pub groups: u16,
    /// How many of a type's models there are, up to three. The units take them in turn, so that each group has each.
    pub models: u8,
    /// Access points of a swarm.
    pub aps: u16,
    /// Every so many-th unit is offline; 0 is none.
    pub offline_every: u32,
    /// Every so many-th unit is at the new version already; 0 is none.
    pub new_every: u32,
}

impl Default for Estate {
    fn default() -> Self {
        Self {
            customers: 2,
            sizes: Sizes::each(4),
            groups: 2,
            models: 1,
            aps: 3,
            offline_every: 0,
            new_every: 0,
        }
    }
}

impl Estate {
    /// A provider with so many customers, each with so many units of each type, of all models.
    pub fn msp(customers: u16, each: u32) -> Self {
        Self {
            customers,
            sizes: Sizes::each(each),
            models: 3,
            ..Self::default()
        }
    }

    /// A customer's units of this type, as they are in the beginning.
    pub(super) fn units(&self, kind: Kind) -> Vec<Unit> {
        let [old, new] = [kind.version_old(), kind.version_new()].map(Arc::<str>::from);
        let every = |n: u32, index: u32| n > 0 && (index + 1).is_multiple_of(n);
        let (groups, models) = (u32::from(self.groups.max(1)), u32::from(self.models.max(1)));
        let unit = |index: u32| {
            let version = if every(self.new_every, index) { &new } else { &old };
            let group = u16::try_from(index % groups).unwrap_or_default();
            let model = u8::try_from(index / groups % models).unwrap_or_default();
            Unit::new(group, model, self.aps, Arc::clone(version), !every(self.offline_every, index))
        };
        (0..self.sizes.of(kind)).map(unit).collect()
    }

    /// The number of the customer with this id.
    pub fn number(&self, customer: &str) -> Option<u16> {
        let number = u16::from_str_radix(customer.strip_prefix(CUSTOMERS)?, 16).ok()?;
        (number < self.customers && self::customer(number) == customer).then_some(number)
    }
}

/// The id of the customer with this number, from 0.
pub fn customer(number: u16) -> String {
    format!("{CUSTOMERS}{number:04x}")
}

/// The name of the group with this number, from 0.
pub fn group(number: u16) -> String {
    format!("{GROUPS}{}", u32::from(number) + 1)
}

/// The number of the group with this name.
pub fn group_number(name: &str) -> Option<u16> {
    let number: u16 = name.strip_prefix(GROUPS)?.parse().ok()?;
    number.checked_sub(1).filter(|number| group(*number) == name)
}

/// Which unit of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The customer's number, from 0.
    pub customer: u16,
    pub kind: Kind,
    /// Among the customer's units of this type, from 0.
    pub index: u32,
}

/// How the ids of a type begin.
fn letters(kind: Kind) -> &'static str {
    match kind {
        Kind::Iap => "5a",
        Kind::Mas => "MA",
        Kind::Hp => "HP",
        Kind::Cx => "CX",
        Kind::Controller => "CO",
    }
}

impl Place {
    pub fn new(customer: u16, kind: Kind, index: u32) -> Self {
        Self { customer, kind, index }
    }

    /// A swarm's id, or a device's serial number.
    pub fn id(self) -> String {
        format!("{}{:04x}{:06x}", letters(self.kind), self.customer, self.index).to_uppercase()
    }

    /// The unit with this id, whether or not there is one.
    pub fn parse(id: &str) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| id.starts_with(&letters(*kind).to_uppercase()))?;
        let (customer, index) = (id.get(2..6)?, id.get(6..)?);
        let place = Self {
            customer: u16::from_str_radix(customer, 16).ok()?,
            kind,
            index: u32::from_str_radix(index, 16).ok()?,
        };
        (place.id() == id).then_some(place)
    }

    /// The serial number of one of a swarm's access points.
    pub fn ap(self, number: u16) -> String {
        format!("AP{:04X}{:06X}{number:02}", self.customer, self.index)
    }

    /// What people call it.
    pub fn name(self) -> String {
        format!("{}-{}-{}", self.kind.word().to_lowercase(), self.customer, self.index)
    }

    /// A hardware address; a swarm's access points count in `part`.
    pub fn mac(self, part: u16) -> String {
        let [_, part] = part.to_be_bytes();
        let [_, _, a, b] = self.index.to_be_bytes();
        let [c, d] = self.customer.to_be_bytes();
        let kind = letters(self.kind).as_bytes()[1];
        format!("{kind:02x}:{part:02x}:{c:02x}:{d:02x}:{a:02x}:{b:02x}")
    }
}
