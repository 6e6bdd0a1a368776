//! The count of calls: of a second, of a day, and what an answer says of both.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::meter::*;
use crate::clock::Clock;
use crate::upgrade::quota::Spend;
use crate::upgrade::timing::Timing;
use crate::vendor::error::VendorError;
use crate::vendor::http::Gate;
use crate::vendor::http::Limits;
use crate::vendor::http::Reply;

fn meter_of(account: &Arc<Account>, per_day: u32, second: Duration) -> Meter {
    let timing = Timing {
        central_second: second,
        ..Timing::production()
    };
    Meter::new("central:443".to_owned(), Arc::clone(account), per_day, Clock::system(), &timing)
}

fn meter(per_day: u32) -> Meter {
    meter_of(&Arc::default(), per_day, Duration::from_millis(1))
}

fn told(status: u16, limit: u32, left: u32) -> Reply {
    Reply::for_test(
        status,
        Limits {
            per_day: Some(limit),
            left_today: Some(left),
            per_second: Some(7),
            left_this_second: Some(6),
        },
    )
}

fn now() -> Timestamp {
    Clock::system().wall()
}

/// Whether a call may be made now, without waiting for another second.
async fn passes(meter: &Meter) -> Result<(), VendorError> {
    meter.pass().await
}

#[tokio::test]
async fn what_is_left_is_the_less_of_what_we_count_and_what_central_says() {
    let meter = meter(100);
    assert_eq!((meter.quota().limit, meter.quota().remaining), (100, 100));
    for _ in 0..3 {
        passes(&meter).await.unwrap();
    }
    assert_eq!(meter.quota().remaining, 97, "an answer without headers is no licence");
    assert!(meter.answered(now(), &told(200, 5000, 4000)).is_none());
    assert_eq!((meter.quota().limit, meter.quota().remaining), (100, 97));
    meter.answered(now(), &told(200, 50, 20));
    assert_eq!((meter.quota().limit, meter.quota().remaining), (50, 20));
    meter.place().await.unwrap()();
    assert_eq!(meter.quota().remaining, 19, "a start is a call, too");
    // An answer that was asked for before says less than one that is newer.
    meter.answered(now() - Duration::from_secs(9), &told(200, 50, 40));
    assert_eq!(meter.quota().remaining, 19);
    assert!(meter.quota().resets_at > now() && meter.quota().resets_at <= now() + Duration::from_hours(24));
}

#[tokio::test]
async fn what_is_kept_is_not_spent_on_looks_and_nothing_at_all_goes_beyond_our_own_limit() {
    let meter = meter(100);
    meter.answered(now(), &told(200, 5000, 10));
    for (spend, calls, may) in [
        (Spend::Watching, 1, false),
        (Spend::Finishing, 5, true),
        (Spend::Finishing, 6, false),
        (Spend::Starting, 10, true),
        (Spend::Starting, 11, false),
    ] {
        assert_eq!(meter.afford(spend, calls).is_ok(), may, "{spend:?} {calls}");
    }
    let Err(VendorError::QuotaUsedUp { left, limit, until, .. }) = meter.afford(Spend::Watching, 1) else {
        panic!("it is used up")
    };
    assert_eq!((left, limit, until), (10, 100, meter.quota().resets_at));

    let meter = self::meter(3);
    for _ in 0..3 {
        passes(&meter).await.unwrap();
    }
    assert!(matches!(
        passes(&meter).await,
        Err(VendorError::QuotaUsedUp { left: 0, limit: 3, .. })
    ));
}

#[tokio::test]
async fn a_429_of_the_day_is_told_from_one_of_the_second_and_from_one_that_says_nothing() {
    let meter = meter_of(&Arc::default(), 4000, Duration::from_millis(40));
    let known = meter.answered(now(), &told(429, 5000, 0));
    assert!(matches!(known, Some(VendorError::QuotaUsedUp { left: 0, .. })), "{known:?}");
    assert!(matches!(passes(&meter).await, Err(VendorError::QuotaUsedUp { .. })));

    let meter = meter_of(&Arc::default(), 4000, Duration::from_millis(40));
    let of_second = Reply::for_test(
        429,
        Limits {
            left_this_second: Some(0),
            left_today: Some(300),
            per_day: Some(5000),
            per_second: Some(7),
        },
    );
    assert!(meter.answered(now(), &of_second).is_none());
    assert!(matches!(passes(&meter).await, Err(VendorError::Throttled { after: Some(_), .. })));
    tokio::time::sleep(Duration::from_millis(60)).await;
    passes(&meter).await.unwrap();

    let meter = meter_of(&Arc::default(), 4000, Duration::from_secs(1));
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        meter.answered(now(), &Reply::for_test(429, Limits::default()));
        let Err(VendorError::Throttled { after: Some(after), .. }) = passes(&meter).await else {
            panic!("it is held")
        };
        assert!(
            after >= longest.saturating_sub(Duration::from_secs(1)) && after <= Duration::from_secs(66),
            "{after:?}"
        );
        longest = after;
    }
    assert!(longest > Duration::from_secs(60));
}

#[tokio::test]
async fn a_day_that_is_used_up_is_asked_again_now_and_then_for_its_midnight_need_not_be_ours() {
    let timing = Timing {
        retry_max: Duration::from_millis(30),
        ..Timing::production()
    };
    let meter = Meter::new("central:443".to_owned(), Arc::default(), 4000, Clock::system(), &timing);
    meter.answered(now(), &told(429, 5000, 0));
    assert!(meter.afford(Spend::Starting, 1).is_err());
    tokio::time::sleep(Duration::from_millis(50)).await;
    meter.afford(Spend::Starting, 1).unwrap();
    passes(&meter).await.unwrap();
    meter.answered(now(), &told(200, 5000, 4999));
    assert_eq!(meter.quota().remaining, 3999);
}

#[tokio::test]
async fn an_answer_to_a_call_of_yesterday_says_nothing_of_today() {
    let meter = meter(4000);
    meter.answered(now() - Duration::from_hours(24), &told(200, 5000, 0));
    assert_eq!(meter.quota().remaining, 4000);
}

#[tokio::test]
async fn no_second_has_more_calls_than_central_takes_whichever_connection_makes_them() {
    let account = Arc::default();
    let second = Duration::from_millis(200);
    let (one, other) = (meter_of(&account, 4000, second), meter_of(&account, 4000, second));
    let clock = Clock::system();
    let mut at = Vec::new();
    for n in 0..20 {
        passes(if n % 2 == 0 { &one } else { &other }).await.unwrap();
        at.push(clock.mono());
    }
    for (n, last) in at.iter().enumerate().skip(7) {
        // A millisecond for the clock being read twice.
        assert!(
            last.since(at[n - 7]) + Duration::from_millis(1) >= second,
            "eight calls within a second"
        );
    }
}

#[tokio::test]
async fn starts_are_calls_of_their_second_also_while_they_only_have_their_places() {
    let second = Duration::from_millis(200);
    let meter = meter_of(&Arc::default(), 4000, second);
    let clock = Clock::system();
    let mut places = Vec::new();
    for _ in 0..5 {
        places.push(meter.place().await.unwrap());
    }
    let mut at = vec![clock.mono(); 2];
    for _ in 0..2 {
        passes(&meter).await.unwrap();
    }
    assert!(clock.mono().0 < second, "seven have room");
    passes(&meter).await.unwrap();
    at.push(clock.mono());
    assert!(
        at[2].since(at[0]) >= second,
        "the eighth comes a second after the first call, whatever became of the starts"
    );
    // Two go out, and count from now on; three never do, and make room.
    for place in places.drain(..2) {
        place();
    }
    drop(places);
    for _ in 0..3 {
        passes(&meter).await.unwrap();
    }
    let soon = clock.mono().since(at[2]);
    assert!(soon < second, "what is given back is there at once: {soon:?}");
}

#[tokio::test]
async fn a_place_is_no_licence_beyond_our_own_limit_of_a_day() {
    let meter = meter(2);
    let place = meter.place().await.unwrap();
    passes(&meter).await.unwrap();
    assert!(matches!(passes(&meter).await, Err(VendorError::QuotaUsedUp { .. })));
    place();
    assert_eq!(meter.quota().remaining, 0);
}

#[tokio::test]
async fn the_steps_of_a_login_are_a_second_apart() {
    let pause = Duration::from_millis(50);
    let gate = OneByOne::new(pause, Clock::system());
    let clock = Clock::system();
    for _ in 0..4 {
        gate.pass().await.unwrap();
    }
    assert!(clock.mono().0 >= pause * 3);
}

#[test]
fn a_start_that_was_one_too_many_waits_as_long_as_it_is_told() {
    let now: Timestamp = "2026-11-28T23:59:00Z".parse().unwrap();
    let hour = Duration::from_hours(1);
    let left = |day, second| Limits {
        left_today: day,
        left_this_second: second,
        ..Limits::default()
    };
    for (limits, retry_after, expected) in [
        (Limits::default(), None, None),
        (left(None, Some(0)), None, None),
        (left(Some(0), None), None, Some(60)),
        (left(Some(0), None), Some(5), Some(5)),
        (Limits::default(), Some(86_400), Some(3600)),
    ] {
        let pause = pause_after_start(limits, retry_after.map(Duration::from_secs), now, hour);
        assert_eq!(pause, expected.map(Duration::from_secs), "{limits:?}");
    }
}

#[tokio::test]
async fn a_process_that_takes_over_in_the_middle_of_a_day_does_not_begin_a_day_of_its_own() {
    let account = Arc::<Account>::default();
    let meter = meter_of(&account, 100, Duration::from_millis(1));
    let ends = meter.quota().resets_at;
    account.made_before(60, ends, now());
    assert_eq!(meter.quota().remaining, 40);
    passes(&meter).await.unwrap();
    account.made_before(99, ends, now());
    assert_eq!(meter.quota().remaining, 39, "what was counted here is better known");
    let other = Arc::<Account>::default();
    other.made_before(60, ends - Duration::from_hours(24), now());
    assert_eq!(
        meter_of(&other, 100, Duration::from_millis(1)).quota().remaining,
        100,
        "yesterday's are over"
    );
}
