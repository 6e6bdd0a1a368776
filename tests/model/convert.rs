//! Small numbers as the product's own types: receipts, sights, times, words.

use jiff::Timestamp;
use windlass::upgrade::decision::Fact as CoreFact;
use windlass::upgrade::facts::Options;
use windlass::upgrade::facts::Wish;
use windlass::upgrade::receipt::*;
use windlass::upgrade::sight::Looks;
use windlass::upgrade::sight::Motion;
use windlass::upgrade::sight::Offered;
use windlass::upgrade::sight::Sight;
use windlass::upgrade::target::TargetKey;
use windlass::upgrade::timing::Mono;

use super::core::Core;
use super::core::KIND;
use super::core::NAMESPACE;
use super::world::Fact;
use super::world::Glance;
use super::world::Look;
use super::world::NoteWord;
use super::world::Rcpt;
use super::world::Spec;
use super::world::TICK;
use super::world::Tick;
use super::world::VERSIONS;
use super::world::Word;

/// No exploration changes options.
const PLAIN: Options = Options::Cluster {
    ignore_precheck_warnings: false,
};

impl Core {
    pub fn receipt(&self, key: &TargetKey, seq: u32, r: &Rcpt) -> Receipt {
        let mut receipt = Receipt {
            name: key.receipt_name(seq),
            seq,
            target: key.canonical(),
            created: self.wall(r.created),
            run: run(r.version),
            connection: "vc1".to_owned(),
            before: self.looks(&r.before),
            options: r.note.is_none().then(|| PLAIN.canonical()),
            due: None,
            holder: r.holder.map(|(b, attempt)| boot(b).holder(u64::from(attempt))),
            requested_by: RequestedBy {
                kind: KIND.to_owned(),
                name: self.name(key),
                uid: "uid".to_owned(),
                generation: 1,
            },
            note: r.note.map(|n| match n {
                NoteWord::AlreadyAtVersion => Note::AlreadyAtVersion,
                NoteWord::WouldDowngrade => Note::WouldDowngrade,
                NoteWord::NotInTime => Note::NotStartedInTime,
                NoteWord::Adopted => Note::Adopted,
            }),
            resolution: None,
            answer: None,
            adopted: None,
            hint: None,
            scheduled: None,
            end: None,
            unknown_word: None,
        };
        let how = || "seen".to_owned();
        for fact in &r.facts {
            match *fact {
                Fact::Answer(word, at) => {
                    receipt.answer = Some(Answered {
                        answer: answer(word),
                        at: self.wall(at),
                    });
                }
                Fact::Adopted(at) => {
                    receipt.adopted = Some(Adopted {
                        at: self.wall(at),
                        how: how(),
                        job: None,
                    });
                }
                Fact::Hint => {
                    receipt.hint = Some(Hint {
                        at: self.wall(0),
                        how: how(),
                    });
                }
                Fact::End(kind, at) => {
                    receipt.end = Some(End {
                        kind,
                        at: self.wall(at),
                        how: how(),
                    });
                }
                Fact::Resolved { started } => {
                    receipt.resolution = Some(Resolution {
                        verdict: if started { Verdict::Started } else { Verdict::NotStarted },
                        by: "alice".to_owned(),
                        reason: "looked".to_owned(),
                    });
                }
            }
        }
        receipt
    }

    pub fn sight(&self, glance: &Glance, born: Tick) -> Sight {
        let version = |v: Option<u8>| v.map(|v| VERSIONS[usize::from(v)].to_owned());
        Sight {
            asked: mono(glance.asked, born),
            at: self.wall(glance.asked),
            authority: if glance.elsewhere { &self.elsewhere } else { &self.here }.clone(),
            complete: true,
            motion: if glance.moving {
                Motion::Moving {
                    toward: version(glance.look.desired).filter(|_| !self.mute),
                    progress: None,
                }
            } else {
                Motion::Still
            },
            looks: Some(self.looks(&glance.look)),
            offered: Offered::Versions(
                VERSIONS
                    .iter()
                    .skip(usize::from(glance.look.version) + 1)
                    .map(|v| (*v).to_owned())
                    .collect(),
            ),
            jobs: Vec::new(),
            identity: None,
            says: None,
            permitted: None,
            detailed: true,
            fleet: None,
            cost: 0,
        }
    }

    pub fn looks(&self, look: &Look) -> Looks {
        Looks {
            version: VERSIONS[usize::from(look.version)].to_owned(),
            faulted: look.faulted,
            desired: look.desired.filter(|_| !self.mute).map(|v| VERSIONS[usize::from(v)].to_owned()),
            stamp: self.stamps.then(|| look.stamp.to_string()),
            ..Looks::default()
        }
    }

    pub fn wall(&self, at: Tick) -> Timestamp {
        self.start + TICK * u32::from(at)
    }
}

pub fn mono(at: Tick, born: Tick) -> Mono {
    Mono(TICK * u32::from(at.saturating_sub(born)))
}

pub fn boot(n: u8) -> BootId {
    BootId(format!("boot-{n}"))
}

pub fn run(version: u8) -> Run {
    Run {
        namespace: NAMESPACE.to_owned(),
        version: VERSIONS[usize::from(version)].to_owned(),
        run_key: String::new(),
    }
}

pub fn wish(spec: Spec) -> Wish {
    Wish {
        version: run(spec.version).version,
        run_key: String::new(),
        options: PLAIN,
        canary: false,
        expected_identity: None,
    }
}

pub fn answer(word: Word) -> Answer {
    let message = format!("{word:?}");
    let not_taken = |reason| Answer::NotTaken {
        reason,
        message: message.clone(),
    };
    match word {
        Word::Accepted => Answer::Accepted { job: None },
        Word::Rejected => Answer::Rejected { message },
        Word::Busy => not_taken(NotTaken::Busy),
        Word::AlreadyThere => not_taken(NotTaken::AlreadyThere),
        Word::ConnectFailed => not_taken(NotTaken::ConnectFailed),
        Word::Lost => Answer::Lost { message },
    }
}

pub fn fact(fact: &CoreFact, now: Tick) -> Fact {
    match fact {
        CoreFact::Adopted { .. } => Fact::Adopted(now),
        CoreFact::Hint { .. } => Fact::Hint,
        CoreFact::End { kind, .. } => Fact::End(*kind, now),
        CoreFact::Scheduled { .. } => unreachable!("nobody schedules anything on a vCenter"),
    }
}
