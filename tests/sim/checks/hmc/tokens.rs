//! Authorizations and their tokens.

use reqwest::Method;
use serde_json::json;

use super::super::super::hmc::{AUTHORIZE, BUNDLE_NEW, Config, Settings, TARGET, authorizations};
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Bench, HOUR};

const DAY: u64 = 86_400;

/// A token outlives a session many times over.
fn long_sessions(s: &mut Settings) {
    (s.session_idle_secs, s.session_secs) = (100 * DAY, 100 * DAY);
}

async fn bench_with(change: impl FnOnce(&mut Settings)) -> Bench {
    Bench::new(Config::default().settings(long_sessions).settings(change)).await
}

#[tokio::test]
async fn every_authorization_makes_one_token_more_and_is_counted_apart_from_starts() {
    let bench = bench_with(|_| {}).await;
    assert_eq!(bench.listed().await.1, [json!(null); 0]);
    let first = bench.authorized().await;
    bench.advance(60).await;
    let second = bench.authorized().await;
    assert_ne!(first, second);
    let tokens = bench.listed().await.1;
    assert_eq!(
        (&tokens[0]["authorization-token"], &tokens[1]["authorization-token"]),
        (&json!(first), &json!(second))
    );
    let expirations: Vec<_> = tokens.iter().map(|token| token["expiration-date"].as_i64().unwrap()).collect();
    assert_eq!(expirations[1] - expirations[0], 60_000);
    let granted = bench.hmc.authorizations();
    assert_eq!((granted.len(), granted[0].target.as_str()), (2, TARGET));
    assert_eq!(granted[1].at.duration_since(granted[0].at).as_secs(), 60);
    assert_eq!(
        (bench.starts(), bench.hmc.log().posts().len(), bench.hmc.log().refused_posts().len()),
        (0, 2, 0)
    );
    assert!(!bench.hmc.upgrading(), "a token begins nothing");
}

#[tokio::test]
async fn a_token_is_counted_although_the_answer_is_lost() {
    let bench = bench_with(|_| {}).await;
    for (when, granted) in [(When::Before, 0), (When::After, 1)] {
        bench
            .hmc
            .faults()
            .add(Rule::new(Action::Drop { when }).on(authorizations()).times(1));
        lost(bench.request(Method::POST, AUTHORIZE)).await;
        assert_eq!(
            (bench.hmc.authorizations().len(), bench.listed().await.1.len()),
            (granted, granted),
            "{when:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_good_for_seven_days_and_then_listed_or_not() {
    let bench = bench_with(|_| {}).await;
    let token = bench.authorized().await;
    let expires = bench.listed().await.1[0]["expiration-date"].as_i64().unwrap();
    assert_eq!(expires - bench.hmc.clock().now().as_millisecond(), 7 * 86_400_000);
    bench.advance(7 * DAY - 1).await;
    assert_eq!(bench.listed().await.1.len(), 1);
    bench.advance(1).await;
    assert_eq!(bench.listed().await.1.len(), 0);
    bench.hmc.set(|s| s.expired_tokens_listed = true);
    assert_eq!(bench.listed().await.1.len(), 1);
    bench.hmc.ibm().schedule(&token, BUNDLE_NEW, HOUR, 30).unwrap_err();
    bench.hmc.ibm().schedule_with_newest(BUNDLE_NEW, HOUR, 30).unwrap_err();
    assert_eq!(bench.listed().await.0.len(), 0);
}

#[tokio::test]
async fn what_was_scheduled_outlives_the_token_that_it_was_scheduled_with() {
    let bench = bench_with(|_| {}).await;
    let token = bench.authorized().await;
    bench.advance(7 * DAY - 1).await;
    let id = bench.hmc.ibm().schedule(&token, BUNDLE_NEW, HOUR, 30).unwrap();
    bench.advance(1800).await;
    assert_eq!(
        (bench.update(&id).await["state"].clone(), bench.listed().await.1.len()),
        (json!("scheduled"), 0)
    );
    bench.advance(1800).await;
    assert_eq!(bench.update(&id).await["state"], "running");
}

#[tokio::test]
async fn a_token_that_was_used_is_still_listed_or_not_and_is_good_again() {
    let bench = bench_with(|_| {}).await;
    let token = bench.authorized().await;
    for _ in 0..2 {
        bench.hmc.ibm().schedule(&token, BUNDLE_NEW, HOUR, 30).unwrap();
    }
    for (listed, count) in [(true, 1), (false, 0)] {
        bench.hmc.set(|s| s.used_tokens_listed = listed);
        assert_eq!(bench.listed().await.1.len(), count);
    }
    bench.hmc.ibm().schedule("NO-SUCH", BUNDLE_NEW, HOUR, 30).unwrap_err();
}

#[tokio::test]
async fn there_may_be_a_limit_to_tokens_that_have_not_expired() {
    let bench = bench_with(|s| (s.max_tokens, s.token_cap_reason) = (Some(1), 42)).await;
    bench.authorized().await;
    bench.refused(bench.request(Method::POST, AUTHORIZE), 409, 42).await;
    assert_eq!(bench.hmc.authorizations().len(), 1);
    bench.advance(7 * DAY).await;
    bench.authorized().await;
    bench.hmc.set(|s| s.max_tokens = None);
    bench.authorized().await;
}

#[tokio::test]
async fn tokens_are_of_six_to_eight_characters_and_may_expire_at_one_time() {
    let bench = bench_with(|_| {}).await;
    for length in 6..=8 {
        bench.hmc.set(|s| s.token_length = length);
        assert_eq!(bench.authorized().await.len(), length);
    }
    let distinct = |bench: &Bench| {
        let all: std::collections::BTreeSet<_> = bench.hmc.tokens().into_iter().map(|token| token.expires).collect();
        all.len()
    };
    assert_eq!(distinct(&bench), 3, "though the clock stands still");
    bench.hmc.set(|s| s.expiry_grain_ms = 86_400_000);
    for _ in 0..2 {
        bench.authorized().await;
    }
    assert_eq!(distinct(&bench), 4, "the two on one day");
    let at = bench.listed().await.1[4]["expiration-date"].as_i64().unwrap();
    assert_eq!(at % 86_400_000, 0);
    assert!(at >= bench.hmc.clock().now().as_millisecond() + 7 * 86_400_000, "rounded up");
}

#[tokio::test]
async fn an_authorization_has_no_body_and_no_query_and_is_a_post() {
    let bench = bench_with(|_| {}).await;
    bench.refused(bench.request(Method::POST, AUTHORIZE).json(&json!({})), 400, 4).await;
    bench
        .refused(bench.request(Method::POST, &format!("{AUTHORIZE}?for=ibm")), 400, 1)
        .await;
    bench.refused(bench.request(Method::GET, AUTHORIZE), 405, 1).await;
    assert_eq!(bench.hmc.authorizations().len(), 0);
}

#[tokio::test]
async fn a_tokens_value_is_in_no_log_and_no_state() {
    let bench = bench_with(|_| {}).await;
    let token = bench.authorized().await;
    bench.listed().await;
    let state = super::answer(bench.client.get(format!("{}/state", bench.hmc.control_url())))
        .await
        .1;
    let told = format!(
        "{:?} {:?} {:?} {state}",
        bench.hmc.log(),
        bench.hmc.tokens(),
        bench.hmc.authorizations()
    );
    assert!(!told.contains(&token));
}
