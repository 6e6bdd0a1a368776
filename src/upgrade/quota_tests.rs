use proptest::prelude::*;

use super::*;

const LIMIT: u32 = 4000;

fn midnight() -> Timestamp {
    "2026-11-28T00:00:00Z".parse().unwrap()
}

fn after(seconds: u64) -> Timestamp {
    midnight() + Duration::from_secs(seconds)
}

fn fresh() -> Quota {
    Quota {
        limit: LIMIT,
        remaining: LIMIT,
        resets_at: midnight() + Duration::from_hours(24),
    }
}

#[test]
fn the_last_tenth_of_a_day_is_for_starts_and_for_ends() {
    let low = Quota { remaining: 400, ..fresh() };
    let now = after(80_000);
    assert!(!low.affords(Spend::Watching, 1, now) && !low.affords(Spend::Waiting, 1, now));
    assert!(low.affords(Spend::Finishing, 200, now) && !low.affords(Spend::Finishing, 201, now));
    assert!(low.affords(Spend::Starting, 400, now) && !low.affords(Spend::Starting, 401, now));
}

#[test]
fn a_thousand_new_upgrades_in_the_morning_leave_the_evenings_runs_their_looks() {
    let spent_by_waiting = (0..=LIMIT).find(|spent| {
        let quota = Quota {
            remaining: LIMIT - spent,
            ..fresh()
        };
        !quota.affords(Spend::Waiting, 1, midnight())
    });
    assert_eq!(spent_by_waiting, Some(1800));
    let left = Quota {
        remaining: LIMIT - 1800,
        ..fresh()
    };
    assert!(left.affords(Spend::Watching, 1800, midnight()));
    assert!(
        left.affords(Spend::Waiting, 900, after(12 * 3600)),
        "by noon half of that is free for them too"
    );
}

#[test]
fn midnight_brings_everything_back_however_long_nobody_asked() {
    let gone = Quota { remaining: 0, ..fresh() };
    for days in [1, 2, 30] {
        let today = gone.at(after(days * 24 * 3600));
        assert_eq!((today.remaining, today.resets_at), (LIMIT, after((days + 1) * 24 * 3600)));
        assert!(gone.affords(Spend::Watching, 3600, after(days * 24 * 3600)));
    }
    assert_eq!(gone.at(after(24 * 3600 - 1)), gone);
    assert_eq!(
        gone.pace(Spend::Starting, 1, after(24 * 3600 - 60)),
        Duration::from_secs(60),
        "until then nothing is asked"
    );
}

#[test]
fn ten_runs_of_two_calls_are_looked_at_every_eight_minutes_and_three_hundred_that_wait_a_few_times_a_day() {
    assert_eq!(fresh().pace(Spend::Watching, 20, midnight()), Duration::from_mins(8));
    assert_eq!(fresh().pace(Spend::Waiting, 300, midnight()), Duration::from_secs(25_920));
    assert_eq!(fresh().pace(Spend::Waiting, 9000, midnight()), Duration::from_hours(24));
}

/// One thing that is looked at: calls of a look, when it is there from, when it was looked at last.
#[derive(Clone, Debug)]
struct Looked {
    cost: u32,
    from: u64,
    spend: Spend,
    last: Option<u64>,
    looks: u32,
}

fn any_looked() -> impl Strategy<Value = Looked> {
    let spend = prop_oneof![4 => Just(Spend::Waiting), 3 => Just(Spend::Watching), 1 => Just(Spend::Finishing)];
    (1..12u32, 0..20 * 3600u64, spend).prop_map(|(cost, from, spend)| Looked {
        cost,
        from,
        spend,
        last: None,
        looks: 0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Everybody waits as long as they are told and asks first, minute by minute over a day, from whatever was left of it.
    #[test]
    fn no_day_ever_costs_more_than_is_allowed_and_no_run_goes_blind(
        mut all in prop::collection::vec(any_looked(), 1..200),
        limit in 200..8000u32,
    ) {
        let mut quota = Quota { limit, remaining: limit, ..fresh() };
        let mut spent = [0u32; 2];
        for minute in 0..24 * 60 {
            let (second, now) = (minute * 60, after(minute * 60));
            let there = |l: &&Looked| l.from <= second;
            let round = |waits: bool| all.iter().filter(there).filter(|l| (l.spend == Spend::Waiting) == waits).map(|l| l.cost).sum::<u32>();
            let (waiting, running) = (round(true), round(false));
            for looked in all.iter_mut().filter(|l| l.from <= second) {
                let round = if looked.spend == Spend::Waiting { waiting } else { running };
                let pause = quota.pace(looked.spend, round, now).as_secs();
                let due = looked.last.is_none_or(|last| second - last >= pause.max(60));
                if due && quota.affords(looked.spend, looked.cost, now) {
                    quota.remaining -= looked.cost;
                    spent[usize::from(looked.spend == Spend::Finishing)] += looked.cost;
                    (looked.last, looked.looks) = (Some(second), looked.looks + 1);
                }
            }
        }
        let [looks, ends] = spent;
        prop_assert!(looks <= limit - limit / 10, "{looks} of {limit}");
        prop_assert!(looks + ends <= limit - limit / 20, "{ends} more of {limit}");
        // Where a round of all that runs is affordable a dozen times, a run is seen at once, and again if there was time for it.
        let running: u32 = all.iter().filter(|l| l.spend != Spend::Waiting).map(|l| l.cost).sum();
        if running * 12 < limit {
            for run in all.iter().filter(|l| l.spend == Spend::Watching) {
                let looks = if run.from < 12 * 3600 { 2 } else { 1 };
                prop_assert!(run.looks >= looks, "{run:?}");
            }
        }
    }

    #[test]
    fn any_numbers_are_survived(limit: u32, remaining: u32, calls: u32, seconds in 0..1_000_000_000u64) {
        let quota = Quota { limit, remaining, ..fresh() };
        for spend in [Spend::Waiting, Spend::Watching, Spend::Finishing, Spend::Starting] {
            quota.affords(spend, calls, after(seconds));
            quota.pace(spend, calls, after(seconds));
        }
    }
}
