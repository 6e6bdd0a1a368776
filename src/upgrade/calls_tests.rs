//! Calls that are counted, where things go wrong again and again.

use std::time::Duration;

use crate::upgrade::facts::Facts;
use crate::upgrade::facts::Refusal;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::sight::Sight;
use crate::upgrade::testing::devices::*;
use crate::upgrade::testing::*;

#[test]
fn a_look_that_fell_short_is_repeated_soon_then_less_often_and_never_at_once() {
    let [whole, partial, untold, unseen]: [fn(u64) -> Sight; 4] = [
        |secs| Sight::devices(secs, [cx(OLD, 212)]),
        |secs| Sight::devices(secs, [cx(OLD, 212)]).partial(),
        |secs| Sight::devices(secs, [cx(OLD, 212)]).fleet(|f| f.groups.clear()),
        |secs| Sight {
            fleet: None,
            ..Sight::unseen(secs)
        },
    ];
    let looks = |sights: Vec<Sight>, now| {
        let target = TargetFacts::customer(sights).wish(|w| w.options = leaving_alone(&[LAB]));
        Facts::batch(now, [target]).calls_left(4000).decide().looks.len()
    };
    for short in [partial, untold, unseen] {
        assert_eq!(
            (looks(vec![whole(10), short(1000)], 1059), looks(vec![whole(10), short(1000)], 1061)),
            (0, 1)
        );
        let twice = || vec![whole(10), short(1000), short(1300)];
        assert_eq!((looks(twice(), 1899), looks(twice(), 1901)), (0, 1), "600 s after a pause of 300 s");
        let for_long = || vec![short(1000), short(90_000)];
        assert_eq!(
            (looks(for_long(), 93_599), looks(for_long(), 93_601)),
            (0, 1),
            "never less often than a look that told all"
        );
    }
    assert_eq!((looks(vec![whole(10)], 3609), looks(vec![whole(10)], 3611)), (0, 1));
    // The group that was added, or the version, was never asked for.
    let unasked = whole(10).fleet(|f| (f.groups, f.asked_groups) = Default::default());
    assert_eq!(looks(vec![unasked], 11), 1);
    let other_version = whole(10).fleet(|f| (f.offers, f.asked_versions) = Default::default());
    assert_eq!(looks(vec![other_version], 11), 1);
}

#[test]
fn preparing_that_fails_again_and_again_never_spends_the_day() {
    let refused = |before, age: u64| {
        let refusal = Refusal {
            key: customer(),
            why: "timed out".to_owned(),
            at: mono(9000 - age),
            before,
        };
        let seen = TargetFacts::customer([Sight::devices(8990, [cx(OLD, 212)])]);
        Facts::batch(9000, [seen]).with(|f| f.refusals = vec![refusal.clone()]).decide()
    };
    for (before, rest) in [(0, 10), (1, 20), (4, 160), (7, 1280), (8, 1800), (40, 1800)] {
        assert!(refused(before, rest - 1).effect.is_none(), "{before}");
        assert_eq!(refused(before, rest + 1).starts(), Some(customer().object.as_str()));
        assert!(
            refused(before, rest - 1).wake.is_some_and(|wake| wake <= Duration::from_secs(2)),
            "{before}"
        );
    }
}
