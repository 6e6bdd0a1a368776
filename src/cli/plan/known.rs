//! What `plan` knows besides the objects, from one look at the cluster: what the operator has from its caches and its memory.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::Connection;
use crate::api::UpgradeReceipt;
use crate::controller::gather::Known;
use crate::controller::ledgers::Ledgers;
use crate::controller::line::Line;
use crate::controller::line::Place;
use crate::controller::sights::Held;
use crate::controller::wakes::Who;
use crate::upgrade::facts::HandedOver;
use crate::upgrade::facts::QuotaFacts;
use crate::upgrade::facts::Refusal;
use crate::upgrade::memory::Custody;
use crate::upgrade::quota::Quota;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;

/// Longer than any receipt is old that still matters: so long this process is taken to have run.
const LIFE: Duration = Duration::from_hours(24 * 366 * 100);

/// One look at the cluster.
pub struct Snapshot {
    wall: Timestamp,
    timing: Timing,
    starts_enabled: bool,
    crds_outdated: Option<String>,
    ledgers: Ledgers,
    line: Line,
}

impl Snapshot {
    /// A look at this moment.
    pub fn new(wall: Timestamp, starts_enabled: bool, crds_outdated: Option<String>) -> Snapshot {
        Snapshot {
            wall,
            timing: Timing::production(),
            starts_enabled,
            crds_outdated,
            ledgers: Ledgers::default(),
            line: Line::default(),
        }
    }

    /// Takes a receipt in. One that is open was first seen when it was made: how long it is in doubt counts from there.
    pub fn learn(&self, object: &UpgradeReceipt) {
        self.ledgers.learn(object);
        let receipt = crate::controller::receipts::read(object);
        let age = Duration::try_from(self.wall.duration_since(receipt.created)).unwrap_or_default();
        let first = Mono(LIFE.saturating_sub(age));
        self.ledgers.seen(&receipt, first, &self.timing);
    }

    /// An upgrade waits in the line of a Connection.
    pub fn line_up(&self, who: &Who, place: Place) {
        self.line.take(who, Some(place));
    }
}

impl Known for Snapshot {
    fn wall(&self) -> Timestamp {
        self.wall
    }

    fn mono(&self) -> Mono {
        Mono(LIFE)
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Who asks for a plan sees all of the cluster.
    fn selector(&self) -> Option<String> {
        None
    }

    fn starts_enabled(&self) -> bool {
        self.starts_enabled
    }

    fn crds_outdated(&self) -> Option<String> {
        self.crds_outdated.clone()
    }

    fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    /// None: what the cluster tells of a target is put in afterwards, where it is known what is wished for it.
    fn held(&self, _: &str, _: &TargetKey) -> Held {
        Held::default()
    }

    fn ahead(&self, who: &Who, through: &Who, created: Timestamp) -> BTreeSet<String> {
        self.line.ahead(who, through, created, self.wall)
    }

    fn refusals(&self, _: &str) -> Vec<Refusal> {
        Vec::new()
    }

    fn asked_to_look(&self, _: &str, _: Option<&str>) -> Option<Mono> {
        None
    }

    fn custody(&self, _: &Receipt) -> Custody {
        Custody::None
    }

    fn handed_over(&self, _: &Who) -> Option<HandedOver> {
        None
    }

    /// As the operator last wrote it down.
    fn quota(&self, connection: &Connection) -> Option<QuotaFacts> {
        let told = connection.status.as_ref()?.quota.as_ref()?;
        let number = |n: i32| u32::try_from(n).ok();
        Some(QuotaFacts {
            quota: Quota {
                limit: number(told.limit_per_day?)?,
                remaining: number(told.remaining?)?,
                resets_at: told.resets_at?,
            },
            in_flight: 0,
            waiting: 0,
        })
    }
}
