//! Tokens: a pair is used by whoever comes, asked for by one at a time, and never lost while it can be helped.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use secrecy::ExposeSecret;

use super::entry::Entry;
use super::testing::*;
use super::*;
use crate::clock::Clock;
use crate::vendor::http::testing::*;
use crate::vendor::vault::VaultError;

async fn looks(client: &ArubaCentral, server: &Server) -> Sight {
    client.observe(&target(server), &Scope::default()).await
}

fn why(sight: &Sight) -> String {
    format!("{:?}", sight.motion)
}

#[tokio::test]
async fn the_first_pair_comes_of_the_secret_and_is_stored_before_it_is_used() {
    let issuer = Issuer::with("seed");
    let parts = Parts::new(&Secret::token("seed"));
    let kept = Arc::clone(&parts.vault);
    let stored = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&stored);
    let server = central(&issuer, move |r| {
        if r.target.starts_with("/firmware") {
            let keys = kept.texts();
            seen.store(
                u32::from(keys.iter().any(|text| text.contains("canary-refresh-1"))),
                Ordering::Relaxed,
            );
        }
        None
    })
    .await;
    let client = parts.client(&server);
    let (a, b) = tokio::join!(looks(&client, &server), looks(&client, &server));
    assert!(a.complete && b.complete, "{a:?}");
    assert_eq!(
        stored.load(Ordering::Relaxed),
        1,
        "a pair that was used and not stored would be lost with the process"
    );
    let token = &server.requests()[0];
    assert_eq!(
        (call(token).as_str(), query(token).as_str()),
        (
            TOKEN,
            "client_id=client&client_secret=canary-client-secret&grant_type=refresh_token&refresh_token=seed"
        ),
        "each once"
    );
    assert!(token.body.is_empty() && token.header("content-length") == Some("0"));
    let look = &server.requests()[1];
    assert_eq!(look.header("authorization"), Some("Bearer canary-access-1"));
    assert_eq!(look.header("tenantid"), Some(CUSTOMER));
    // Another process, or this one after a restart, has it too.
    let other = parts.client(&server);
    assert!(looks(&other, &server).await.complete);
    assert_eq!(count(&server, TOKEN), 1);
    assert_eq!(issuer.issued().reuses, 0);
}

#[tokio::test]
async fn of_two_processes_that_want_a_new_pair_one_asks_and_both_have_it() {
    let (moved, clock) = Moved::new();
    let issuer = Issuer::with("seed");
    let server = central(&issuer, |_| None).await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.clock = clock;
    let (one, two) = (parts.client(&server), parts.client(&server));
    for minutes in [0, 100, 200, 300] {
        moved.minutes(minutes);
        let (a, b) = tokio::join!(looks(&one, &server), looks(&two, &server));
        assert!(a.complete && b.complete, "{a:?} {b:?}");
    }
    assert_eq!(issuer.told(), (4, 0));
    assert_eq!(count(&server, TOKEN), 4);
}

#[tokio::test]
async fn a_pair_that_came_to_somebody_who_went_away_is_stored_all_the_same() {
    let issuer = Issuer::with("seed");
    let server = central(&issuer, |_| None).await;
    let parts = Parts::new(&Secret::token("seed"));
    let client = parts.client(&server);
    {
        let looking = looks(&client, &server);
        tokio::pin!(looking);
        // Until the request is out, and not longer.
        while server.requests().is_empty() {
            tokio::select! {
                biased;
                _ = &mut looking => {}
                () = tokio::task::yield_now() => {}
            }
        }
    }
    client.logout().await;
    assert_eq!(parts.kept(&server).refresh.unwrap().expose_secret(), "canary-refresh-1");
    assert!(looks(&client, &server).await.complete);
    assert_eq!(count(&server, TOKEN), 1);
}

#[tokio::test]
async fn a_pair_that_cannot_be_stored_at_first_is_stored_as_soon_as_it_can_be() {
    let server = central(&Issuer::with("seed"), |_| None).await;
    let parts = Parts::new(&Secret::token("seed"));
    let other = || VaultError::Other {
        verb: "updated",
        why: "503".to_owned(),
    };
    parts.vault.pass_write();
    parts.vault.fail_write(other(), false);
    parts.vault.fail_write(VaultError::Moved, false);
    // This one comes through, and its answer is lost.
    parts.vault.fail_write(other(), true);
    let client = parts.client(&server);
    assert!(looks(&client, &server).await.complete);
    assert_eq!(parts.kept(&server).refresh.unwrap().expose_secret(), "canary-refresh-1");
    assert_eq!(count(&server, TOKEN), 1);
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_still_ours_and_one_that_may_not_be_written_asks_for_nothing() {
    let server = central(&Issuer::with("seed"), |_| None).await;
    let parts = Parts::new(&Secret::token("seed"));
    let other = VaultError::Other {
        verb: "created",
        why: "timeout".to_owned(),
    };
    parts.vault.fail_write(other, true);
    assert!(looks(&parts.client(&server), &server).await.complete);
    assert_eq!((count(&server, TOKEN), parts.kept(&server).lost), (1, 0));

    let parts = Parts::new(&Secret::token("seed"));
    let denied = VaultError::AccessDenied {
        verb: "create",
        fix: "run: kubectl create rolebinding".to_owned(),
    };
    parts.vault.fail_write(denied, false);
    let server = central(&Issuer::with("seed"), |_| None).await;
    let error = parts.client(&server).probe().await.unwrap_err();
    assert_eq!((error.reason(), error.label()), ("SecretAccessDenied", "auth"));
    assert!(error.message().contains("kubectl create rolebinding"), "{error}");
    assert_eq!(calls(&server), Vec::<String>::new());
}

#[tokio::test]
async fn a_process_that_died_between_refresh_and_store_leaves_a_working_pair_or_one_clear_refusal() {
    for used in [false, true] {
        let issuer = Issuer::with("seed");
        let server = central(&issuer, |_| None).await;
        let parts = Parts::new(&Secret::token("seed"));
        let first = parts.client(&server);
        assert!(looks(&first, &server).await.complete);
        // It claimed, asked, and was gone: what it got died with it.
        let died = Entry {
            claim: Some(entry::Claim {
                by: "gone".to_owned(),
                at: Clock::system().wall() - std::time::Duration::from_secs(600),
            }),
            expires: Some(Clock::system().wall()),
            ..parts.kept(&server)
        };
        parts.keep(&server, &died);
        if used {
            let mut books = issuer.issued();
            books.good.clear();
            books.spent.insert("canary-refresh-1".to_owned());
        }
        let next = parts.client(&server);
        let asked = count(&server, TOKEN);
        let sight = looks(&next, &server).await;
        assert_eq!(sight.complete, !used, "{sight:?}");
        assert_eq!(count(&server, TOKEN), asked + 1);
        for _ in 0..5 {
            let again = looks(&next, &server).await;
            assert_eq!(again.complete, !used);
            if used {
                assert!(why(&again).contains("create a new one there"), "{again:?}");
            }
        }
        assert_eq!(count(&server, TOKEN), asked + 1, "never in a loop");
        if used {
            let error = next.probe().await.unwrap_err();
            assert_eq!((error.reason(), error.label()), ("AuthFailed", "auth"));
            assert!(error.message().contains("was lost at"), "{error}");
            // A person puts a new one into the Secret.
            issuer.issued().good.insert("another".to_owned());
            parts.secret.put("another");
            next.probe().await.unwrap();
            assert!(looks(&next, &server).await.complete);
        }
    }
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_is_tried_once_more_and_not_again_when_that_says_why() {
    for act in [Act::SendAndClose(Vec::new()), Act::Send(raw(502, &[], "")), json(200, "<html>")] {
        let issuer = Issuer::with("seed");
        let (of, act) = (Arc::clone(&issuer), act.clone());
        let server = central(&issuer, move |r| {
            let first = call(r) == TOKEN && of.issued().pairs == 0;
            first.then(|| {
                of.answer(r);
                act.clone()
            })
        })
        .await;
        let client = client(&server);
        let first = looks(&client, &server).await;
        assert!(!first.seen() && count(&server, TOKEN) == 1, "{first:?}");
        for _ in 0..5 {
            let sight = looks(&client, &server).await;
            assert!(why(&sight).contains("lost at"), "{sight:?}");
        }
        assert_eq!((count(&server, TOKEN), issuer.issued().pairs), (2, 1));
    }
}

#[tokio::test]
async fn a_secret_that_is_set_back_to_a_used_token_ends_nothing_that_works() {
    let issuer = Issuer::with("one");
    issuer.issued().good.insert("two".to_owned());
    let server = central(&issuer, |_| None).await;
    let parts = Parts::new(&Secret::token("one"));
    let client = parts.client(&server);
    client.probe().await.unwrap();
    parts.secret.put("two");
    client.probe().await.unwrap();
    assert_eq!(count(&server, TOKEN), 2, "a new token is taken at once");
    // Somebody's Git says otherwise.
    parts.secret.put("one");
    client.probe().await.unwrap();
    assert!(looks(&client, &server).await.complete);
    let restarted = parts.client(&server);
    restarted.probe().await.unwrap();
    assert_eq!(
        (count(&server, TOKEN), issuer.issued().reuses),
        (2, 0),
        "a used one is not used again"
    );
    // Once nothing works any more, it says what is wrong.
    issuer.issued().access.clear();
    issuer.issued().good.clear();
    let dead = Entry {
        dead: true,
        expires: Some(Clock::system().wall()),
        ..parts.kept(&server)
    };
    parts.keep(&server, &dead);
    let error = parts.client(&server).probe().await.unwrap_err();
    assert!(error.message().contains("used before") && error.reason() == "AuthFailed", "{error}");
}

#[tokio::test]
async fn a_dead_token_in_the_secret_is_one_request_and_one_clear_refusal() {
    let issuer = Issuer::with("good");
    let server = central(&issuer, |_| None).await;
    let parts = Parts::new(&Secret::token("dead"));
    let client = parts.client(&server);
    for _ in 0..5 {
        let error = client.probe().await.unwrap_err();
        assert_eq!((error.reason(), error.label()), ("AuthFailed", "auth"), "{error}");
        assert!(error.message().contains("invalid_grant"), "{error}");
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
    assert_eq!(count(&server, TOKEN), 1);
    assert!(parts.client(&server).probe().await.is_err());
    assert_eq!(count(&server, TOKEN), 1, "nor after a restart");
    parts.secret.put("good");
    client.probe().await.unwrap();
}

#[tokio::test]
async fn what_somebody_put_back_into_our_own_secret_does_not_end_what_this_process_has() {
    let (moved, clock) = Moved::new();
    let issuer = Issuer::with("seed");
    let server = central(&issuer, |_| None).await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.clock = clock;
    let client = parts.client(&server);
    client.probe().await.unwrap();
    let old = parts.kept(&server);
    moved.minutes(100);
    assert!(looks(&client, &server).await.complete);
    for back in [old, Entry::default()] {
        parts.keep(&server, &back);
        client.probe().await.unwrap();
        assert_eq!(parts.kept(&server).refresh.unwrap().expose_secret(), "canary-refresh-2");
    }
    moved.minutes(200);
    assert!(looks(&client, &server).await.complete);
    assert_eq!(issuer.told(), (3, 0));
}

#[tokio::test]
async fn an_access_token_that_central_ends_is_replaced_once_and_one_after_the_other_is_not() {
    let (moved, clock) = Moved::new();
    let issuer = Issuer::with("seed");
    let server = central(&issuer, |_| None).await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.clock = clock;
    let client = parts.client(&server);
    assert!(looks(&client, &server).await.complete);
    moved.minutes(40);
    issuer.issued().access.clear();
    assert!(looks(&client, &server).await.complete, "replaced, and the look repeated");
    assert_eq!(count(&server, TOKEN), 2);
    // At once again: there is at most one pair in half an hour.
    issuer.issued().access.clear();
    for _ in 0..5 {
        let sight = looks(&client, &server).await;
        assert!(why(&sight).contains("not asked for another access token before"), "{sight:?}");
    }
    assert_eq!(count(&server, TOKEN), 2);
    let error = client.probe().await.unwrap_err();
    assert_eq!((error.reason(), error.label()), ("NoTokenYet", "throttled"));
    moved.minutes(71);
    assert!(looks(&client, &server).await.complete);
}

#[tokio::test]
async fn a_central_that_takes_no_token_at_all_is_asked_twice_and_no_more() {
    let server = central(&Issuer::with("seed"), |r| r.target.starts_with("/firmware").then(invalid_token)).await;
    let (moved, clock) = Moved::new();
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.clock = clock;
    let client = parts.client(&server);
    client.shared.tokens.check().await.unwrap();
    moved.minutes(40);
    for _ in 0..4 {
        assert!(!looks(&client, &server).await.seen());
    }
    assert_eq!((count(&server, DEVICES), count(&server, TOKEN)), (2, 2));
}

#[tokio::test]
async fn a_probe_makes_no_call_while_others_go_well_and_is_no_failure_on_a_day_without_calls() {
    let (server, client) = ready(|_| None).await;
    let probe = client.probe().await.unwrap();
    assert_eq!(
        (probe.product.as_str(), probe.message.as_str()),
        ("Aruba Central", "logged in to msp-acme")
    );
    assert!(looks(&client, &server).await.complete);
    client.probe().await.unwrap();
    assert_eq!(count(&server, VERSIONS), 1);

    let server = central(&Issuer::with("seed"), |_| None).await;
    let mut parts = Parts::new(&Secret::token("seed"));
    parts.per_day = 0;
    let probe = parts.client(&server).probe().await.unwrap();
    assert!(probe.message.contains("used up until"), "{probe:?}");
    assert_eq!(firmware(&server), Vec::<String>::new());
}

#[tokio::test]
async fn what_lives_there_is_told_by_its_answers() {
    for (act, reason) in [
        (Act::Send(raw(200, &[], "<html>canary-body</html>")), "NotThisProduct"),
        (Act::Send(raw(404, &[], "<html>canary-body</html>")), "NotThisProduct"),
        (json(500, "{}"), "Unreachable"),
        (error(403, "0001", "Forbidden"), "MissingPermission"),
        (json(200, r#"{"x":1}"#), "Unreachable"),
    ] {
        let shown = format!("{act:?}");
        let (_server, client) = ready(move |r| (call(r) == VERSIONS).then(|| act.clone())).await;
        let error = client.probe().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{shown}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    // Some know no such type at the provider's level, and say so themselves.
    for act in [error(400, "0004", "Invalid value (device_type)"), error(404, "0001", "Not found")] {
        let (_server, client) = ready(move |r| (call(r) == VERSIONS).then(|| act.clone())).await;
        client.probe().await.unwrap();
    }
}
