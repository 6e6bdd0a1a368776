//! Builders for the tests of the core, so that each reads as a story: receipts, sights, targets and facts with times in seconds.
//!
//! One clock serves both kinds of time: second `s` is `at(s)` on the wall and `mono(s)` on the process's own clock. Every builder
//! starts from the dullest case (one cluster, nothing wrong) and each method changes one thing.

pub mod devices;
mod whole;

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::facts::*;
use super::ledger::Ledger;
use super::memory::Custody;
use super::memory::Seen;
use super::receipt::*;
use super::sight::*;
use super::target::Authority;
use super::target::TargetKey;
use super::timing::Mono;
use super::timing::Timing;

/// Version the clusters are at.
pub const FROM: &str = "v1.29.7+vmware.1";
/// Version asked for.
pub const TO: &str = "v1.30.5+vmware.2";
/// A later one.
pub const LATER: &str = "v1.31.0+vmware.1";
/// The options of [`TargetFacts::of`]'s wish.
pub const OPTIONS: &str = r#"{"ignorePrecheckWarnings":false}"#;
/// Other options.
pub const IGNORING: &str = r#"{"ignorePrecheckWarnings":true}"#;
/// GRACE in seconds.
pub const GRACE: u64 = 15 * 60;
/// HORIZON in seconds.
pub const HORIZON: u64 = 360;
/// The timeout of [`Facts::batch`] in seconds.
pub const TIMEOUT: u64 = 4 * 3600;

pub fn at(secs: u64) -> Timestamp {
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(i64::try_from(secs).unwrap())
}

pub fn mono(secs: u64) -> Mono {
    Mono(Duration::from_secs(secs))
}

pub fn vc1() -> Authority {
    Authority::from_url("https://vc1.example").unwrap()
}

pub fn cluster(object: &str) -> TargetKey {
    TargetKey::cluster(vc1(), object)
}

/// A ledger of `domain-c8`.
pub fn ledger(receipts: impl IntoIterator<Item = Receipt>) -> Ledger {
    Ledger::read(&cluster("domain-c8"), receipts.into_iter().collect()).unwrap()
}

impl Receipt {
    /// A permit for `domain-c8` from FROM to TO by `vsphere/ClusterUpgradeBatch/nightly`, no answer yet.
    pub(crate) fn no(seq: u32) -> Receipt {
        Receipt {
            name: String::new(),
            seq,
            target: String::new(),
            created: at(0),
            run: Run {
                namespace: "vsphere".to_owned(),
                version: TO.to_owned(),
                run_key: String::new(),
            },
            connection: "vc1".to_owned(),
            before: Looks {
                version: FROM.to_owned(),
                ..Looks::default()
            },
            options: Some(OPTIONS.to_owned()),
            due: None,
            holder: Some(BootId("boot-1".to_owned()).holder(1)),
            requested_by: RequestedBy {
                kind: "ClusterUpgradeBatch".to_owned(),
                name: "nightly".to_owned(),
                uid: "uid-1".to_owned(),
                generation: 1,
            },
            note: None,
            resolution: None,
            answer: None,
            adopted: None,
            hint: None,
            scheduled: None,
            end: None,
            unknown_word: None,
        }
        .on("domain-c8")
    }

    pub(crate) fn on(mut self, object: &str) -> Receipt {
        let key = cluster(object);
        (self.name, self.target) = (key.receipt_name(self.seq), key.canonical());
        self
    }

    pub(crate) fn created(mut self, secs: u64) -> Receipt {
        self.created = at(secs);
        self
    }

    pub(crate) fn to(mut self, version: &str) -> Receipt {
        version.clone_into(&mut self.run.version);
        self
    }

    pub(crate) fn from(mut self, version: &str) -> Receipt {
        version.clone_into(&mut self.before.version);
        self
    }

    pub(crate) fn run_key(mut self, key: &str) -> Receipt {
        key.clone_into(&mut self.run.run_key);
        self
    }

    pub(crate) fn in_namespace(mut self, namespace: &str) -> Receipt {
        namespace.clone_into(&mut self.run.namespace);
        self
    }

    pub(crate) fn by(mut self, name: &str) -> Receipt {
        name.clone_into(&mut self.requested_by.name);
        self
    }

    pub(crate) fn options(mut self, options: &str) -> Receipt {
        self.options = Some(options.to_owned());
        self
    }

    pub(crate) fn note(mut self, note: Note) -> Receipt {
        (self.note, self.options, self.holder) = (Some(note), None, None);
        self
    }

    pub(crate) fn answered(mut self, answer: Answer, secs: u64) -> Receipt {
        self.answer = Some(Answered { answer, at: at(secs) });
        self
    }

    pub(crate) fn accepted(self, secs: u64) -> Receipt {
        self.answered(Answer::Accepted { job: None }, secs)
    }

    pub(crate) fn lost(self, secs: u64) -> Receipt {
        self.answered(
            Answer::Lost {
                message: "timed out".to_owned(),
            },
            secs,
        )
    }

    pub(crate) fn rejected(self, secs: u64) -> Receipt {
        self.answered(
            Answer::Rejected {
                message: "host esx7 is in maintenance".to_owned(),
            },
            secs,
        )
    }

    pub(crate) fn refused_as(self, reason: NotTaken, secs: u64) -> Receipt {
        self.answered(
            Answer::NotTaken {
                reason,
                message: "not now".to_owned(),
            },
            secs,
        )
    }

    pub(crate) fn adopted(mut self, secs: u64) -> Receipt {
        self.adopted = Some(Adopted {
            at: at(secs),
            how: "seen".to_owned(),
            job: None,
        });
        self
    }

    pub(crate) fn hinted(mut self, secs: u64) -> Receipt {
        self.hint = Some(Hint {
            at: at(secs),
            how: "it was moving".to_owned(),
        });
        self
    }

    pub(crate) fn resolved(mut self, verdict: Verdict) -> Receipt {
        self.resolution = Some(Resolution {
            verdict,
            by: "alice@bank.example".to_owned(),
            reason: "the vendor confirmed it".to_owned(),
        });
        self
    }

    pub(crate) fn ended(mut self, kind: EndKind, secs: u64) -> Receipt {
        self.end = Some(End {
            kind,
            at: at(secs),
            how: "because".to_owned(),
        });
        self
    }

    pub(crate) fn word(mut self, word: &str) -> Receipt {
        self.unknown_word = Some(word.to_owned());
        self
    }
}

pub fn like(version: &str) -> Looks {
    Looks {
        version: version.to_owned(),
        ..Looks::default()
    }
}

impl Sight {
    fn new(secs: u64, motion: Motion, looks: Option<Looks>) -> Sight {
        Sight {
            asked: mono(secs),
            at: at(secs),
            authority: vc1(),
            complete: true,
            motion,
            looks,
            offered: Offered::Versions(vec![TO.to_owned(), LATER.to_owned()]),
            jobs: Vec::new(),
            identity: None,
            says: None,
            permitted: None,
            detailed: true,
            fleet: None,
            cost: 0,
        }
    }

    pub(crate) fn still(secs: u64, version: &str) -> Sight {
        Sight::new(secs, Motion::Still, Some(like(version)))
    }

    pub(crate) fn moving(secs: u64, toward: impl Into<Option<&'static str>>) -> Sight {
        let toward = toward.into().map(str::to_owned);
        let motion = Motion::Moving {
            toward,
            progress: Some(33),
        };
        Sight::new(secs, motion, Some(like(FROM)))
    }

    pub(crate) fn unseen(secs: u64) -> Sight {
        let motion = Motion::NotSeen {
            why: "connection refused".to_owned(),
            unknown_object: false,
        };
        Sight::new(secs, motion, None)
    }

    pub(crate) fn no_such_object(secs: u64) -> Sight {
        let motion = Motion::NotSeen {
            why: "vCenter knows no cluster domain-c8".to_owned(),
            unknown_object: true,
        };
        Sight::new(secs, motion, None)
    }

    pub(crate) fn partial(mut self) -> Sight {
        self.complete = false;
        self
    }

    pub(crate) fn elsewhere(mut self) -> Sight {
        self.authority = Authority::from_url("https://vc2.example").unwrap();
        self
    }

    pub(crate) fn faulted(mut self) -> Sight {
        if let Some(looks) = &mut self.looks {
            looks.faulted = true;
        }
        self
    }

    pub(crate) fn stamp(mut self, stamp: &str) -> Sight {
        if let Some(looks) = &mut self.looks {
            looks.stamp = Some(stamp.to_owned());
        }
        self
    }

    pub(crate) fn desired(mut self, version: &str) -> Sight {
        if let Some(looks) = &mut self.looks {
            looks.desired = Some(version.to_owned());
        }
        self
    }

    pub(crate) fn offering(mut self, versions: &[&str]) -> Sight {
        self.offered = Offered::Versions(versions.iter().map(|v| (*v).to_owned()).collect());
        self
    }

    pub(crate) fn called(mut self, name: &str) -> Sight {
        self.identity = Some(name.to_owned());
        self
    }
}

impl TargetFacts {
    /// A cluster wished at TO, without receipts, not looked at yet.
    pub(crate) fn of(object: &str) -> TargetFacts {
        TargetFacts {
            key: cluster(object),
            wish: Some(Wish {
                version: TO.to_owned(),
                run_key: String::new(),
                options: Options::Cluster {
                    ignore_precheck_warnings: false,
                },
                canary: false,
                expected_identity: None,
            }),
            ledger: Ok(Ledger::default()),
            sights: Vec::new(),
            unchanged_since: None,
            seen: Seen::default(),
            custody: Custody::None,
        }
    }

    /// Seen READY at FROM at second `secs`: it could start.
    pub(crate) fn ready(object: &str, secs: u64) -> TargetFacts {
        TargetFacts::of(object).sights([Sight::still(secs, FROM)])
    }

    /// Accepted at second 10 and seen moving at `secs`.
    pub(crate) fn running(object: &str, secs: u64) -> TargetFacts {
        TargetFacts::of(object)
            .receipts([Receipt::no(1).on(object).accepted(10)])
            .sights([Sight::moving(secs, TO)])
    }

    /// Its run ended so at second `secs`.
    pub(crate) fn over(object: &str, kind: EndKind, secs: u64) -> TargetFacts {
        let receipt = Receipt::no(1).on(object);
        let receipt = match kind {
            EndKind::Succeeded | EndKind::Failed | EndKind::Cancelled => receipt.accepted(10),
            EndKind::Rejected => receipt.rejected(10),
            _ => receipt,
        };
        TargetFacts::of(object).receipts([receipt.ended(kind, secs)])
    }

    /// With these receipts; its facts are known from the moment they were written.
    pub(crate) fn receipts(mut self, receipts: impl IntoIterator<Item = Receipt>) -> TargetFacts {
        self.ledger = Ledger::read(&self.key, receipts.into_iter().collect());
        if let Some(open) = self.ledger.as_ref().ok().and_then(Ledger::open) {
            let known = |at: Timestamp| Mono(Duration::try_from(at.duration_since(super::testing::at(0))).unwrap());
            let answered = open.answer.as_ref().map(|a| known(a.at));
            self.seen = Seen {
                open: known(open.created),
                doubt: answered.filter(|_| open.standing() == Standing::Lost),
                accepted: match open.standing() {
                    Standing::Accepted { since } => Some(known(since)),
                    _ => None,
                },
                refused: answered.filter(|_| open.standing() == Standing::Refused),
            };
        }
        self
    }

    pub(crate) fn sights(mut self, sights: impl IntoIterator<Item = Sight>) -> TargetFacts {
        self.sights = sights.into_iter().collect();
        self
    }

    pub(crate) fn doubted(mut self, secs: u64) -> TargetFacts {
        self.seen.doubt = Some(mono(secs));
        self
    }

    pub(crate) fn canary(self) -> TargetFacts {
        self.wish(|w| w.canary = true)
    }

    pub(crate) fn wish(mut self, change: impl FnOnce(&mut Wish)) -> TargetFacts {
        self.wish.as_mut().map(change).unwrap();
        self
    }

    pub(crate) fn wished_at(self, version: &str) -> TargetFacts {
        self.wish(|w| version.clone_into(&mut w.version))
    }

    pub(crate) fn removed(mut self) -> TargetFacts {
        self.wish = None;
        self
    }
}

/// Since when the newest of these looks has looked the same, as whoever keeps them counts it.
pub fn unchanged_since(sights: &[Sight]) -> Option<Mono> {
    let last = sights.last()?;
    let same = |s: &&Sight| s.motion == last.motion && s.looks == last.looks && s.says == last.says;
    sights.iter().rev().take_while(same).last().map(|s| s.asked)
}
