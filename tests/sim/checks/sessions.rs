//! Sessions and privileges.

use reqwest::Method;
use serde_json::json;

use super::super::Config;
use super::super::vcenter::{CLUSTERS, PASSWORD, USER, User, VERSION_NEW};
use super::{Bench, C1, C2, answer, forms};

const SESSION: &str = "/api/session";

#[tokio::test]
async fn a_session_is_made_shown_and_ended() {
    let bench = Bench::new(Config::with_clusters(1)).await;
    assert_eq!(bench.vc.live_sessions(), 1);
    let (status, info) = bench.get(SESSION).await;
    assert_eq!((status, &info["user"]), (200, &json!(USER)));
    forms::session(&info);

    let (status, body) = answer(bench.request(Method::DELETE, SESSION)).await;
    assert_eq!((status, body), (204, json!(null)));
    assert_eq!(bench.vc.live_sessions(), 0);
    let (status, body) = bench.get(SESSION).await;
    assert_eq!(status, 401);
    forms::error(&body, "UNAUTHENTICATED");
    let (status, body) = bench.get(CLUSTERS).await;
    assert_eq!(status, 401);
    forms::error(&body, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_wrong_password_is_401_and_makes_no_session() {
    let bench = Bench::new(Config::default()).await;
    let (status, body) = bench.login(USER, "guess").await;
    assert_eq!(status, 401);
    forms::error(&body, "UNAUTHENTICATED");
    assert_eq!((bench.vc.live_sessions(), bench.vc.logins()), (1, 1));
}

#[tokio::test]
async fn a_session_ends_after_idleness_and_at_its_absolute_limit() {
    let mut bench = Bench::new(Config::default().settings(|s| (s.session_idle_secs, s.session_absolute_secs) = (100, 250))).await;
    for _ in 0..2 {
        bench.advance(90);
        assert_eq!(bench.get(SESSION).await.0, 200, "use prolongs it");
    }
    bench.advance(90);
    assert_eq!(bench.get(SESSION).await.0, 401, "but not beyond the absolute limit");

    bench.log_in().await;
    bench.advance(100);
    assert_eq!(bench.get(SESSION).await.0, 401, "idle");
}

#[tokio::test]
async fn sessions_run_out_and_the_service_can_be_down() {
    let bench = Bench::new(Config::default().settings(|s| s.max_sessions = 1)).await;
    let (status, body) = bench.login(USER, PASSWORD).await;
    assert_eq!(status, 503);
    forms::error(&body, "SERVICE_UNAVAILABLE");
    assert_eq!(bench.vc.live_sessions(), 1);

    bench.vc.set(|s| s.session_service_down = true);
    assert_eq!(bench.get(SESSION).await.0, 503);
    assert_eq!(bench.get(CLUSTERS).await.0, 200, "only the session's own calls");
}

#[tokio::test]
async fn without_the_privilege_the_whole_call_is_403() {
    let mut config = Config::with_clusters(2);
    config.users.push(User::reader("reader", "r"));
    config.users.push(User::stranger("stranger", "s"));
    config.users.push(User {
        except: vec![C2.to_owned()],
        ..User::manager("partly", "p")
    });
    let mut bench = Bench::new(config).await;
    let both = json!({C1: {"desired_version": VERSION_NEW}, C2: {"desired_version": VERSION_NEW}});
    for (user, password, read) in [("reader", "r", 200), ("stranger", "s", 403), ("partly", "p", 200)] {
        let token = bench.login(user, password).await.1;
        token.as_str().unwrap().clone_into(&mut bench.token);
        assert_eq!(bench.get(CLUSTERS).await.0, read, "{user}");
        let (status, body) = answer(bench.start_request(&both)).await;
        assert_eq!(status, 403, "{user}");
        forms::error(&body, "UNAUTHORIZED");
    }
    assert!(bench.vc.log().committed().is_empty());
    assert_eq!(bench.word(C1, VERSION_NEW).await, "STARTED", "partly may on the first alone");
}
