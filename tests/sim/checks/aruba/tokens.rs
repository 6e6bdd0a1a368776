//! Access tokens that end, refresh tokens that rotate, and what is lost with them.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::super::super::aruba::{CLIENT_ID, CLIENT_SECRET, Config, TOKEN, refreshes};
use super::super::super::{Action, Rule, When};
use super::super::lost;
use super::{Answer, Bench, OTHER, answer, forms, other};

const DAY: u64 = 86_400;

impl Bench {
    fn refresh_request(&self, refresh: &str) -> RequestBuilder {
        let query = format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=refresh_token&refresh_token={refresh}");
        self.client.post(format!("{}{TOKEN}?{query}", self.central.url()))
    }

    async fn refresh(&self, refresh: &str) -> Answer {
        answer(self.refresh_request(refresh)).await
    }

    /// A refresh that must be taken: the tokens that it gives.
    async fn refreshed(&self, refresh: &str) -> (String, String) {
        let (status, pair) = self.refresh(refresh).await;
        assert_eq!(status, 200, "{pair}");
        forms::tokens(&pair);
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// Whether an access token is good.
    async fn good(&self, access: &str) -> bool {
        let read = self
            .client
            .get(format!("{}/firmware/v1/swarms", self.central.url()))
            .bearer_auth(access);
        let (status, body) = answer(read).await;
        if status == 401 {
            forms::oauth(&body, "invalid_token");
        }
        status == 200
    }
}

#[tokio::test]
async fn an_access_token_ends_after_two_hours_and_its_401_says_invalid_token() {
    let bench = Bench::new(Config::still()).await;
    bench.advance(7199);
    assert!(bench.good(&bench.token).await);
    bench.advance(1);
    assert!(!bench.good(&bench.token).await);
    let (status, body) = answer(bench.client.get(format!("{}/firmware/v1/swarms", bench.central.url()))).await;
    assert_eq!(status, 401, "without one it is 401 too");
    forms::oauth(&body, "invalid_request");
    assert_eq!(bench.central.live_tokens(), 0);
    let entries = bench.central.log().requests();
    assert_eq!(entries.iter().map(|entry| entry.session).collect::<Vec<_>>(), [true, false, false]);
}

#[tokio::test]
async fn a_refresh_gives_another_pair_and_the_old_one_is_dead() {
    let mut bench = Bench::new(Config::still()).await;
    let first = bench.take_token(CLIENT_ID);
    let (access, refresh) = bench.refreshed(first.refresh.expose()).await;
    assert_ne!(refresh, first.refresh.expose());
    assert!(bench.good(&access).await);
    assert!(!bench.good(first.access.expose()).await);
    let (third, _) = bench.refreshed(&refresh).await;
    assert!(bench.good(&third).await);
    assert_eq!((bench.central.refreshes(), bench.central.reuses()), (2, 0));
}

#[tokio::test]
async fn the_old_access_token_may_go_on_for_its_time() {
    let mut bench = Bench::new(Config::still().settings(|s| s.old_access_survives = true)).await;
    let first = bench.take_token(CLIENT_ID);
    bench.advance(3600);
    let (access, _) = bench.refreshed(first.refresh.expose()).await;
    assert!(bench.good(first.access.expose()).await && bench.good(&access).await);
    bench.advance(3600);
    assert!(!bench.good(first.access.expose()).await);
    assert!(bench.good(&access).await);
}

#[tokio::test]
async fn a_dead_refresh_token_ends_its_whole_family_or_only_fails() {
    for kills in [true, false] {
        let mut bench = Bench::new(Config::still().settings(|s| s.reuse_kills_family = kills)).await;
        let stranger = bench.token.clone();
        let first = bench.take_token(CLIENT_ID);
        let (access, refresh) = bench.refreshed(first.refresh.expose()).await;
        let (status, body) = bench.refresh(first.refresh.expose()).await;
        assert_eq!(status, 400);
        forms::oauth(&body, "invalid_grant");
        assert_eq!(bench.central.reuses(), 1);
        assert_eq!(bench.good(&access).await, !kills);
        assert_eq!(bench.refresh(&refresh).await.0, if kills { 400 } else { 200 });
        assert!(bench.good(&stranger).await, "another login's tokens are another family");
    }
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_has_used_up_its_token() {
    let mut bench = Bench::new(Config::still()).await;
    let first = bench.take_token(CLIENT_ID);
    bench
        .central
        .faults()
        .add(Rule::new(Action::Drop { when: When::After }).on(refreshes()).times(1));
    lost(bench.refresh_request(first.refresh.expose())).await;
    assert_eq!(bench.refresh(first.refresh.expose()).await.0, 400, "only a person helps now");
    assert_eq!(bench.central.refreshes(), 1);
}

#[tokio::test]
async fn refresh_tokens_may_stay_the_same() {
    let mut bench = Bench::new(Config::still().settings(|s| s.refresh_rotates = false)).await;
    let first = bench.take_token(CLIENT_ID);
    let (_, refresh) = bench.refreshed(first.refresh.expose()).await;
    assert_eq!(refresh, first.refresh.expose());
    let (access, _) = bench.refreshed(&refresh).await;
    assert!(bench.good(&access).await);
}

#[tokio::test]
async fn a_refresh_token_that_is_not_used_for_fifteen_days_is_revoked() {
    let mut bench = Bench::new(Config::still()).await;
    let mut refresh = bench.take_token(CLIENT_ID).refresh.expose().to_owned();
    for _ in 0..2 {
        bench.advance(15 * DAY - 1);
        refresh = bench.refreshed(&refresh).await.1;
    }
    bench.advance(15 * DAY);
    assert_eq!(bench.refresh(&refresh).await.0, 400);
}

#[tokio::test]
async fn a_refresh_fails_with_the_status_that_is_set() {
    let bench = Bench::with(other()).await;
    let others = bench.central.issue(OTHER).unwrap();
    for status in [400, 401, 403] {
        bench.central.set(|s| s.failed_refresh = status);
        for token in ["no-such-token", others.refresh.expose()] {
            let (got, body) = bench.refresh(token).await;
            assert_eq!(got, status);
            forms::oauth(&body, "invalid_grant");
        }
    }
    assert_eq!(bench.central.reuses(), 0, "nor is another client's token used up by that");
}

#[tokio::test]
async fn new_tokens_may_be_limited_to_one_in_half_an_hour() {
    for status in [429, 400] {
        let settings = |s: &mut super::super::super::aruba::Settings| {
            (s.token_interval_secs, s.token_limit_status) = (Some(1800), status);
        };
        let mut bench = Bench::new(Config::still().settings(settings)).await;
        let first = bench.take_token(CLIENT_ID);
        let (got, body) = bench.refresh(first.refresh.expose()).await;
        assert_eq!(got, status);
        forms::gateway(&body);
        bench.advance(1799);
        assert_eq!(bench.refresh(first.refresh.expose()).await.0, status);
        bench.advance(1);
        assert_eq!(
            bench.refresh(first.refresh.expose()).await.0,
            200,
            "and it was not used up meanwhile"
        );
    }
}

#[tokio::test]
async fn tokens_end_when_somebody_takes_them_back_or_a_rule_says_so() {
    let mut bench = Bench::new(Config::still()).await;
    let pair = bench.take_token(CLIENT_ID);
    bench.central.faults().add(Rule::new(Action::ExpireSessions).times(1));
    assert!(!bench.good(&bench.token).await);
    let (access, refresh) = bench.refreshed(pair.refresh.expose()).await;
    assert_eq!(bench.central.access_token(CLIENT_ID).unwrap().expose(), access);
    bench.central.revoke();
    assert!(!bench.good(&access).await);
    assert_eq!(bench.refresh(&refresh).await.0, 400);
    assert!(bench.central.access_token(CLIENT_ID).is_err());
}

#[tokio::test]
async fn a_client_that_is_taken_away_has_no_good_tokens() {
    let mut bench = Bench::with(other()).await;
    bench.take_token(OTHER);
    assert!(bench.good(&bench.token).await);
    bench.central.set_accounts(vec![]);
    let (status, body): (u16, Value) = bench.get("/firmware/v1/swarms").await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_token")));
}
