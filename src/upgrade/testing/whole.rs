//! Builders of whole resources, and what a test asks of a decision.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::upgrade::decide::decide;
use crate::upgrade::decision::Decision;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::Row;
use crate::upgrade::decision::What;
use crate::upgrade::schedule::Schedule;
use crate::upgrade::schedule::Written;

impl Facts {
    /// `vsphere/ClusterUpgradeBatch/nightly` at second `now`, with these targets: one at a time, no failures allowed, no soak.
    pub(crate) fn batch(now: u64, targets: impl IntoIterator<Item = TargetFacts>) -> Facts {
        Facts {
            subject: Subject {
                kind: "ClusterUpgradeBatch",
                namespace: "vsphere".to_owned(),
                name: "nightly".to_owned(),
                uid: "uid-1".to_owned(),
                generation: 1,
            },
            wall: at(now),
            mono: mono(now),
            timing: Timing::production(),
            starts_enabled: true,
            crds_outdated: None,
            deleting: false,
            suspend: false,
            hold: None,
            schedule: Ok(Schedule::default()),
            strategy: Strategy {
                max_concurrent: 1,
                max_failures: 0,
                soak: Duration::ZERO,
            },
            timeout: Duration::from_secs(TIMEOUT),
            connection: ConnectionFacts {
                name: "vc1".to_owned(),
                usable: Usable::Yes,
                suspend: false,
                hold: None,
                schedule: Ok(Schedule::default()),
                reservations: Vec::new(),
                limit: 8,
                open: BTreeSet::new(),
                ahead: BTreeSet::new(),
                handed_over: None,
                quota: None,
            },
            targets: targets.into_iter().collect(),
            starting: None,
            refusals: Vec::new(),
            asked_to_look: None,
        }
    }

    /// With this schedule of its own.
    pub(crate) fn schedule(self, written: &Written) -> Facts {
        self.with(|f| f.schedule = Schedule::parse(written))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Facts)) -> Facts {
        change(&mut self);
        self
    }

    pub(crate) fn strategy(self, max_concurrent: usize, max_failures: usize, soak: u64) -> Facts {
        let soak = Duration::from_secs(soak);
        self.with(|f| {
            f.strategy = Strategy {
                max_concurrent,
                max_failures,
                soak,
            };
        })
    }

    pub(crate) fn usable(self, usable: Usable) -> Facts {
        self.with(|f| f.connection.usable = usable)
    }

    pub(crate) fn reserved(self, target: &str, seq: u32, secs: u64) -> Facts {
        let by = self.subject.by();
        let target = target.to_owned();
        let written = |t: &TargetFacts| t.ledger.as_ref().is_ok_and(|l| l.last().is_some_and(|last| last.seq >= seq));
        let written = self.targets.iter().any(|t| t.key.object == target && written(t));
        self.with(|f| {
            f.connection.reservations.push(Reservation {
                target,
                seq,
                at: at(secs),
                by,
                written,
            });
        })
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(self)
    }
}

impl Decision {
    /// The object whose start goes out.
    pub(crate) fn starts(&self) -> Option<&str> {
        let start = |e: &&Effect| e.what == What::Start;
        self.effect.as_ref().filter(start).map(|e| e.key.object.as_str())
    }

    pub(crate) fn notes(&self) -> Option<Note> {
        match self.effect.as_ref()?.what {
            What::Note(note) => Some(note),
            What::Start => None,
        }
    }

    pub(crate) fn row(&self, object: &str) -> &Row {
        self.rows.iter().find(|r| r.name == object).unwrap()
    }
}
