//! One decision: the pure core alone, on a batch whose clusters are done, in flight and waiting.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::json;
use windlass::upgrade::decide::decide;
use windlass::upgrade::facts::ConnectionFacts;
use windlass::upgrade::facts::Facts;
use windlass::upgrade::facts::Options;
use windlass::upgrade::facts::Strategy;
use windlass::upgrade::facts::Subject;
use windlass::upgrade::facts::TargetFacts;
use windlass::upgrade::facts::Usable;
use windlass::upgrade::facts::Wish;
use windlass::upgrade::ledger::Ledger;
use windlass::upgrade::memory::Custody;
use windlass::upgrade::memory::Seen;
use windlass::upgrade::receipt::Answer;
use windlass::upgrade::receipt::Answered;
use windlass::upgrade::receipt::BootId;
use windlass::upgrade::receipt::End;
use windlass::upgrade::receipt::EndKind;
use windlass::upgrade::receipt::Receipt;
use windlass::upgrade::receipt::RequestedBy;
use windlass::upgrade::receipt::Run;
use windlass::upgrade::schedule::Schedule;
use windlass::upgrade::sight::Looks;
use windlass::upgrade::sight::Motion;
use windlass::upgrade::sight::Offered;
use windlass::upgrade::sight::Sight;
use windlass::upgrade::target::Authority;
use windlass::upgrade::target::TargetKey;
use windlass::upgrade::timing::Mono;
use windlass::upgrade::timing::Timing;

use crate::figures::Figure;
use crate::figures::Goal;
use crate::figures::percentile;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_OLD;

/// The most clusters that a batch may have.
const MOST: usize = 64;

/// Decisions in one measurement.
const ROUND: u32 = 200;
/// How often that is measured.
const ROUNDS: usize = 25;

/// When it is decided, on the process's own clock.
const NOW: Mono = Mono(Duration::from_hours(1));

/// Measures decisions about 1 to 64 targets.
pub fn measure() -> Vec<Figure> {
    let sizes = [1, 4, 16, MOST];
    let times: Vec<f64> = sizes.map(|targets| micros(&facts(targets))).to_vec();
    let growth = times[3] / times[2] / 4.0;
    let series = json!({"targets": sizes, "us": times});
    vec![
        Figure::measure(
            "decide, 64 targets",
            Goal::AtMost(50.0),
            times[3],
            "us",
            format!(
                "the pure `decide` on a batch of {MOST} clusters, a third of them done, a third in flight and the rest waiting, each with two looks and its \
                 ledger; median of {ROUNDS} rounds of {ROUND} decisions, on one thread"
            ),
        )
        .with(series),
        Figure::measure(
            "how that grows, 64 targets against 16 (1 is linear)",
            Goal::AtMost(1.2),
            growth,
            "",
            "time for 64 targets divided by four times that for 16",
        ),
    ]
}

fn micros(facts: &Facts) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        for _ in 0..ROUND {
            black_box(decide(black_box(facts)));
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUND)
    });
    percentile(&rounds.collect::<Vec<f64>>(), 50)
}

fn facts(targets: usize) -> Facts {
    let wall = Timestamp::now();
    let authority = Authority::unknown();
    let keys = (0..targets).map(|n| TargetKey::cluster(authority.clone(), &format!("domain-c{n}")));
    let targets: Vec<TargetFacts> = keys.enumerate().map(|(n, key)| target(n, key, wall)).collect();
    let in_flight = |t: &&TargetFacts| t.ledger.as_ref().is_ok_and(|l| l.open().is_some());
    let open: BTreeSet<String> = targets.iter().filter(in_flight).map(|t| t.key.object.clone()).collect();
    Facts {
        asked_to_look: None,
        subject: Subject {
            kind: "ClusterUpgradeBatch",
            namespace: "vsphere".to_owned(),
            name: "nightly".to_owned(),
            uid: "uid".to_owned(),
            generation: 1,
        },
        wall,
        mono: NOW,
        timing: Timing::production(),
        starts_enabled: true,
        crds_outdated: None,
        deleting: false,
        suspend: false,
        hold: None,
        schedule: Ok(Schedule::default()),
        strategy: Strategy {
            max_concurrent: open.len() + 1,
            max_failures: 0,
            soak: Duration::ZERO,
        },
        timeout: Duration::from_hours(8),
        connection: ConnectionFacts {
            name: "vc1".to_owned(),
            usable: Usable::Yes,
            suspend: false,
            hold: None,
            schedule: Ok(Schedule::default()),
            reservations: Vec::new(),
            limit: MOST,
            open,
            ahead: BTreeSet::new(),
            handed_over: None,
            quota: None,
        },
        targets,
        starting: None,
        refusals: Vec::new(),
    }
}

fn target(number: usize, key: TargetKey, wall: Timestamp) -> TargetFacts {
    let (done, moving) = (number.is_multiple_of(3), number % 3 == 1);
    let receipts = if done || moving {
        vec![receipt(&key, wall, done)]
    } else {
        Vec::new()
    };
    let sight = |before: u64| {
        let motion = if moving {
            Motion::Moving {
                toward: Some(VERSION_NEW.to_owned()),
                progress: Some(33),
            }
        } else {
            Motion::Still
        };
        let version = if done { VERSION_NEW } else { VERSION_OLD };
        let asked = Mono(NOW.0.saturating_sub(Duration::from_secs(before)));
        Sight {
            complete: true,
            looks: Some(Looks {
                version: version.to_owned(),
                ..Looks::default()
            }),
            offered: Offered::Versions(vec![VERSION_NEW.to_owned()]),
            detailed: moving,
            ..Sight::showing(asked, wall, key.authority.clone(), motion)
        }
    };
    TargetFacts {
        wish: Some(Wish {
            version: VERSION_NEW.to_owned(),
            run_key: String::new(),
            options: options(),
            canary: false,
            expected_identity: None,
        }),
        ledger: Ledger::read(&key, receipts),
        sights: vec![sight(15), sight(5)],
        unchanged_since: Some(Mono(NOW.0.saturating_sub(Duration::from_secs(15)))),
        seen: Seen::default(),
        custody: Custody::None,
        key,
    }
}

fn options() -> Options {
    Options::Cluster {
        ignore_precheck_warnings: false,
    }
}

fn receipt(key: &TargetKey, wall: Timestamp, ended: bool) -> Receipt {
    let end = End {
        kind: EndKind::Succeeded,
        at: wall,
        how: "it is at the version".to_owned(),
    };
    Receipt {
        name: key.receipt_name(1),
        seq: 1,
        target: key.canonical(),
        created: wall,
        run: Run {
            namespace: "vsphere".to_owned(),
            version: VERSION_NEW.to_owned(),
            run_key: String::new(),
        },
        connection: "vc1".to_owned(),
        before: Looks {
            version: VERSION_OLD.to_owned(),
            ..Looks::default()
        },
        options: Some(options().canonical()),
        due: None,
        holder: Some(BootId("boot".to_owned()).holder(1)),
        requested_by: RequestedBy {
            kind: "ClusterUpgradeBatch".to_owned(),
            name: "nightly".to_owned(),
            uid: "uid".to_owned(),
            generation: 1,
        },
        note: None,
        resolution: None,
        answer: Some(Answered {
            answer: Answer::Accepted { job: None },
            at: wall,
        }),
        adopted: None,
        hint: None,
        scheduled: None,
        end: ended.then_some(end),
        unknown_word: None,
    }
}
