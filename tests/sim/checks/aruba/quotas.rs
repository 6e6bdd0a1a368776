//! The quota of calls, and what answers say of it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::super::Clock;
use super::super::super::aruba::{CUSTOMER, CUSTOMER_2, Config, RetryAfter, Settings};
use super::{Bench, Headers, OTHER, answer, headers, order, other};

const DAY: &str = "x-ratelimit-remaining-day";
const SECOND: &str = "x-ratelimit-remaining-second";

fn limited(change: impl FnOnce(&mut Settings)) -> Config {
    let noon: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
    Config::default().clock(Clock::new(noon, 0.0)).settings(change)
}

fn left(headers: &Headers) -> (&str, &str) {
    (&headers[DAY], &headers[SECOND])
}

impl Bench {
    async fn ask(&self) -> (u16, Headers) {
        headers(self.read(CUSTOMER, "swarms")).await
    }
}

#[tokio::test]
async fn every_answer_says_what_is_left() {
    let bench = Bench::new(limited(|_| {})).await;
    let (status, first) = bench.ask().await;
    assert_eq!((status, left(&first)), (200, ("4999", "6")));
    assert_eq!(
        (first["x-ratelimit-limit-day"].as_str(), first["x-ratelimit-limit-second"].as_str()),
        ("5000", "7")
    );
    let (status, start) = headers(bench.start_request(&order())).await;
    assert_eq!((status, left(&start)), (200, ("4998", "5")));
    let (status, wrong) = headers(bench.start_request(&json!({}))).await;
    assert_eq!((status, left(&wrong)), (400, ("4997", "4")), "one that is refused is charged too");
    let (status, nobody) = headers(bench.client.get(format!("{}/firmware/v1/swarms", bench.central.url()))).await;
    assert_eq!((status, left(&nobody)), (401, ("5000", "7")), "one of nobody is not");
    let (_, again) = bench.ask().await;
    assert_eq!(left(&again), ("4996", "3"));
    assert!(!again.contains_key("retry-after"));
}

#[tokio::test]
async fn one_second_has_seven_calls() {
    let bench = Bench::new(limited(|_| {})).await;
    for _ in 0..7 {
        assert_eq!(bench.ask().await.0, 200);
    }
    let (status, over) = bench.ask().await;
    assert_eq!((status, left(&over)), (429, ("4993", "0")));
    let (status, body) = answer(bench.start_request(&order())).await;
    assert_eq!((status, body), (429, json!({"message": "API rate limit exceeded"})));
    assert_eq!((bench.starts(), bench.central.over_quota()), (0, 2));
    bench.advance(1);
    assert_eq!(bench.ask().await.0, 200);
    assert_eq!(bench.central.charged_today(), 8, "what was one too many is not charged");
    bench.central.set(|s| s.enforce_second = false);
    for _ in 0..20 {
        assert_eq!(bench.ask().await.0, 200);
    }
}

#[tokio::test]
async fn a_day_has_its_calls_until_midnight_gmt() {
    let bench = Bench::patient(limited(|s| (s.per_day, s.enforce_second) = (3, false))).await;
    for _ in 0..3 {
        assert_eq!(bench.ask().await.0, 200);
    }
    let (status, over) = bench.ask().await;
    assert_eq!((status, over[DAY].as_str()), (429, "0"));
    bench.advance(12 * 3600 - 1);
    assert_eq!(bench.ask().await.0, 429);
    bench.advance(1);
    let (status, next) = bench.ask().await;
    assert_eq!((status, next[DAY].as_str()), (200, "2"));
    let charged: Vec<_> = bench.central.charged().into_iter().map(|(day, n)| (day.to_string(), n)).collect();
    assert_eq!(charged, [("2026-11-28".to_owned(), 3), ("2026-11-29".to_owned(), 1)]);
    let made: Vec<_> = bench
        .central
        .log()
        .per_day(|entry| entry.path.starts_with("/firmware/"))
        .into_values()
        .collect();
    assert_eq!(made, [5, 1], "the log has those too that were one too many");
    bench.central.clock().set("2026-11-28T23:59:59Z".parse().unwrap());
    assert_eq!(bench.ask().await.0, 429, "and that day's are used up whoever looks back");
}

#[tokio::test]
async fn retry_after_is_absent_or_seconds_or_a_date() {
    let bench = Bench::new(limited(|s| (s.per_day, s.enforce_second) = (0, false))).await;
    for (form, text) in [
        (RetryAfter::Absent, None),
        (RetryAfter::Seconds, Some("43200")),
        (RetryAfter::Date, Some("Sun, 29 Nov 2026 00:00:00 GMT")),
    ] {
        bench.central.set(|s| s.retry_after = form);
        let (status, over) = bench.ask().await;
        assert_eq!((status, over.get("retry-after").map(String::as_str)), (429, text), "{form:?}");
    }
    bench
        .central
        .set(|s| (s.per_day, s.per_second, s.enforce_second, s.retry_after) = (5, 0, true, RetryAfter::Seconds));
    assert_eq!(bench.ask().await.1["retry-after"], "1");
}

#[tokio::test]
async fn calls_for_all_customers_and_by_everybody_of_an_account_are_charged_to_it() {
    let mut bench = Bench::new(limited(|_| {}).account(other())).await;
    bench.ask().await;
    answer(bench.read(CUSTOMER_2, "swarms")).await;
    bench.take_token(OTHER);
    bench.ask().await;
    bench.central.use_up(4000);
    let (_, headers) = bench.ask().await;
    assert_eq!((headers[DAY].as_str(), bench.central.charged_today()), ("996", 4004));
}

#[tokio::test]
async fn a_customers_own_calls_are_its_own() {
    let mut bench = Bench::new(limited(|s| s.per_second = 1).account(other().of_customer(0))).await;
    assert_eq!(bench.ask().await.0, 200);
    assert_eq!(bench.ask().await.0, 429);
    bench.take_token(OTHER);
    assert_eq!(bench.ask().await.0, 200);
    assert_eq!(bench.central.charged_today(), 1);
}

#[tokio::test]
async fn tokens_are_not_charged() {
    let bench = Bench::new(limited(|s| s.per_day = 0)).await;
    let url = format!("{}/oauth2/token?grant_type=refresh_token", bench.central.url());
    let (status, of) = headers(bench.client.post(url)).await;
    assert_eq!((status, of), (400, Headers::new()));
}

#[tokio::test]
async fn a_clock_that_runs_has_its_seconds() {
    let config = Config::default().clock(Clock::new(Timestamp::now(), 10_000.0));
    let bench = Bench::patient(config).await;
    let clock = bench.central.clock().clone();
    for _ in 0..10 {
        let next = clock.now() + Duration::from_secs(1);
        clock.reach(next).await;
        assert_eq!(bench.ask().await.0, 200);
    }
    let state: Value = answer(bench.client.get(format!("{}/state", bench.central.control_url()))).await.1;
    assert_eq!(state["vendor"]["quotas"]["a0c30000"]["refused"], 0);
}
