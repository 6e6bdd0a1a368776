//! What looks show: every page, every null, and what is left out where something does not fit together.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::session_tests::*;
use super::*;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Offered;
use crate::upgrade::target::Authority;
use crate::vendor::http::testing::*;

const TASKS: &str = "GET /tasks?limit=100&offset=0";

async fn listing(tasks: impl Fn(&str) -> Act + Send + Sync + 'static) -> Server {
    Server::serve(move |r, _| appliance_or(r, &tasks)).await
}

async fn seen(tasks: Act) -> Sight {
    let server = listing(move |_| tasks.clone()).await;
    client(&server).observe(&target(&server), None).await
}

fn body(rows: &str, meta: &str) -> Act {
    json(200, &format!(r#"{{"list":{rows}{meta}}}"#))
}

fn ids(sight: &Sight) -> Option<Vec<&str>> {
    let jobs = sight.looks.as_ref()?.jobs.as_ref()?;
    Some(jobs.ids.iter().map(String::as_str).collect())
}

#[tokio::test]
async fn a_look_has_the_version_the_name_and_all_tasks() {
    let full = r#"{"id":"t1","description":"Reconfigure the appliance","type":"reconfigure","status":"ERROR","error":{"message":"no\nroute","details":"eth0"},
        "result":null,"progress":40,"start_time":1,"complete_time":2}"#;
    let nulls = r#"{"id":"t2","status":"SUCCESS","error":null,"result":null,"start_time":null,"complete_time":null}"#;
    let half = r#"{"id":"t3","status":"CANCELLED","error":{"message":null,"details":null}}"#;
    let sight = seen(page(&[full, nulls, half])).await;
    assert!(sight.complete && sight.detailed && sight.motion == Motion::Still && sight.offered == Offered::Unasked);
    assert_eq!((sight.identity.as_deref(), sight.says.as_deref()), (Some("srm-a"), None));
    assert_eq!(ids(&sight).unwrap(), ["t1", "t2", "t3"]);
    let looks = sight.looks.as_ref().unwrap();
    assert_eq!(
        (looks.version.as_str(), looks.faulted, &looks.stamp, &looks.desired),
        ("9.0.0-10010", false, &None, &None)
    );
    let job = sight.job("t1").unwrap();
    assert_eq!((&job.state, &job.does, job.progress), (&JobState::Failed, &Does::Else, Some(40)));
    assert_eq!((job.word.as_str(), job.says.as_deref()), ("ERROR", Some("no route; eth0")));
    assert_eq!(
        (&sight.job("t2").unwrap().says, &sight.job("t3").unwrap().state),
        (&None, &JobState::Cancelled)
    );
}

#[tokio::test]
async fn tasks_are_read_to_the_end_with_a_total_and_without() {
    for (total, pages) in [(true, 3), (false, 4)] {
        let server = listing(move |call| {
            let offset: usize = call.split("offset=").nth(1).unwrap().parse().unwrap();
            // Pages may be shorter than asked for.
            let rows: Vec<String> = (offset..(offset + 50).min(120))
                .map(|n| format!(r#"{{"id":"t{n}","status":"SUCCESS"}}"#))
                .collect();
            let meta = if total {
                format!(r#","_meta":{{"total":120,"offset":{offset},"errors":[],"links":{{"next":null}}}}"#)
            } else {
                String::new()
            };
            json(200, &format!(r#"{{"list":[{}]{meta}}}"#, rows.join(",")))
        })
        .await;
        let sight = client(&server).observe(&target(&server), None).await;
        assert!(sight.complete);
        assert_eq!(ids(&sight).unwrap().len(), 120);
        assert_eq!(
            calls(&server)
                .iter()
                .filter(|c| c.starts_with("GET /tasks?limit=100&offset="))
                .count(),
            pages
        );
        assert_eq!(count(&server, TASKS), 1);
    }
}

#[tokio::test]
async fn a_list_that_does_not_fit_together_proves_no_absence() {
    let row = |id: &str| format!(r#"{{"id":"{id}","status":"SUCCESS"}}"#);
    let long = row(&"x".repeat(101));
    for (rows, meta) in [
        (format!("[{}]", row("a")), r#","_meta":{"total":2}"#),
        (format!("[{}]", row("a")), r#","_meta":{"total":0}"#),
        (format!("[{},{}]", row("a"), row("a")), r#","_meta":{"total":2}"#),
        (r#"[{"status":"SUCCESS"}]"#.to_owned(), r#","_meta":{"total":1}"#),
        (r#"[{"id":null,"status":"SUCCESS"}]"#.to_owned(), r#","_meta":{"total":1}"#),
        (r#"[{"id":"a b","status":"SUCCESS"}]"#.to_owned(), r#","_meta":{"total":1}"#),
        ("[7]".to_owned(), r#","_meta":{"total":1}"#),
        (format!("[{long}]"), r#","_meta":{"total":1}"#),
        (format!("[{}]", row("a")), r#","_meta":{"total":1,"errors":[{"code":"x"}]}"#),
        (format!("[{}]", row("a")), r#","_meta":{"total":1,"offset":5}"#),
        // The same page for ever.
        (format!("[{}]", row("a")), ""),
        ("null".to_owned(), ""),
        ("{}".to_owned(), r#","_meta":{"total":0}"#),
    ] {
        let shown = format!("{rows} {meta}");
        let sight = seen(body(&rows, meta)).await;
        assert!(!sight.complete && sight.seen() && ids(&sight).is_none(), "{shown}: {sight:?}");
    }
    for act in [json(200, "[]"), json(404, "{}"), json(500, ""), json(200, "<html>")] {
        let sight = seen(act).await;
        assert!(!sight.complete && sight.looks.is_some() && sight.jobs.is_empty(), "{sight:?}");
        assert!(sight.says.unwrap().starts_with("its tasks cannot be read: "));
    }
    let empty = seen(json(200, r#"{"_meta":{"total":0}}"#)).await;
    assert!(empty.complete && ids(&empty).unwrap().is_empty());
}

#[tokio::test]
async fn a_task_that_comes_between_two_pages_makes_the_list_no_list() {
    let total = AtomicUsize::new(150);
    let server = listing(move |call| {
        let offset: usize = call.split("offset=").nth(1).unwrap().parse().unwrap();
        let rows: Vec<String> = (offset..(offset + 100).min(150))
            .map(|n| format!(r#"{{"id":"t{n}","status":"SUCCESS"}}"#))
            .collect();
        let total = total.fetch_add(1, Ordering::Relaxed);
        json(200, &format!(r#"{{"list":[{}],"_meta":{{"total":{total}}}}}"#, rows.join(",")))
    })
    .await;
    assert!(!client(&server).observe(&target(&server), None).await.complete);
}

#[tokio::test]
async fn too_many_tasks_to_keep_are_seen_and_not_compared() {
    for (count, wide, kept) in [(400, 10, true), (401, 10, false), (400, 100, false)] {
        let rows: Vec<String> = (0..count)
            .map(|n| {
                let status = if n == 7 { "RUNNING" } else { "SUCCESS" };
                format!(r#"{{"id":"{n:0wide$}","status":"{status}"}}"#)
            })
            .collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let sight = seen(page(&rows)).await;
        assert_eq!((sight.complete, ids(&sight).is_some()), (true, kept), "{count} of {wide}");
        assert!(matches!(sight.motion, Motion::Moving { toward: None, .. }));
        let before = serde_json::to_string(&sight.looks).unwrap();
        assert!(before.len() < 24 * 1024, "{}", before.len());
    }
}

#[tokio::test]
async fn a_page_that_is_too_long_is_asked_for_in_parts() {
    let huge = " ".repeat(crate::vendor::http::LONGEST_BODY + 1);
    let server = listing(move |call| {
        if call.contains("limit=100") {
            json(200, &huge)
        } else {
            page(&[r#"{"id":"a","status":"SUCCESS"}"#])
        }
    })
    .await;
    let sight = client(&server).observe(&target(&server), None).await;
    assert_eq!(ids(&sight), Some(vec!["a"]));
}

#[tokio::test]
async fn what_is_under_way_moves_the_appliance() {
    let moving = |toward: Option<&str>, progress| Motion::Moving {
        toward: toward.map(str::to_owned),
        progress,
    };
    let install = r#"{"id":"a","status":"QUEUED","type":"installUpdate","description":"Install update 9.0.2-10455","progress":0}"#;
    let other = r#"{"id":"b","status":"RUNNING","description":"Reconfigure","progress":70}"#;
    let odd = r#"{"id":"c","status":"RUNNING","progress":101}"#;
    let done = r#"{"id":"d","status":"SUCCESS"}"#;
    let nameless = r#"{"status":"RUNNING"}"#;
    for (rows, motion, mover) in [
        (vec![install, done], moving(Some("9.0.2-10455"), Some(0)), Some("a")),
        (vec![other, done], moving(None, Some(70)), Some("b")),
        (vec![odd], moving(None, None), Some("c")),
        (vec![install, other], moving(Some("9.0.2-10455"), Some(0)), Some("a")),
        (vec![other, odd], moving(None, None), None),
        (vec![done], Motion::Still, None),
    ] {
        let sight = seen(page(&rows)).await;
        assert_eq!((sight.complete, &sight.motion), (true, &motion), "{rows:?}");
        assert_eq!(sight.looks.unwrap().jobs.unwrap().mover.as_deref(), mover, "{rows:?}");
    }
    let sight = seen(page(&[nameless, done])).await;
    assert!(!sight.complete && sight.motion == moving(None, None));
}

#[tokio::test]
async fn a_state_that_is_not_known_allows_no_start_and_is_no_end() {
    let server = listing(|_| page(&[r#"{"id":"a","status":"PAUSED"}"#])).await;
    let vc = client(&server);
    let sight = vc.observe(&target(&server), None).await;
    assert_eq!((sight.complete, &sight.job("a").unwrap().state), (true, &JobState::Unknown));
    assert_eq!(sight.job("a").unwrap().word, "PAUSED");
    assert!(!vc.list().await.unwrap().sights[APPLIANCE].complete);
    assert!(!vc.prepare(&target(&server)).await.unwrap().sight().complete);
    assert!(!calls(&server).iter().any(|c| c.contains("retrieve-updates")));
}

#[tokio::test]
async fn a_run_is_followed_by_its_own_task() {
    for (status, body, state, word, complete) in [
        (
            200,
            r#"{"id":"j/1","status":"RUNNING","progress":30,"_meta":{}}"#,
            Some(JobState::Running),
            "RUNNING",
            true,
        ),
        (200, r#"{"status":"QUEUED"}"#, Some(JobState::Queued), "QUEUED", true),
        (
            200,
            r#"{"id":"j/1","status":"SUCCESS"}"#,
            Some(JobState::Succeeded),
            "SUCCESS",
            true,
        ),
        (
            200,
            r#"{"id":"j/1","status":"ERROR","error":null}"#,
            Some(JobState::Failed),
            "ERROR",
            true,
        ),
        (
            200,
            r#"{"id":"j/1","status":"CANCELLED"}"#,
            Some(JobState::Cancelled),
            "CANCELLED",
            true,
        ),
        (200, r#"{"id":"j/1","status":"DONE"}"#, Some(JobState::Unknown), "DONE", true),
        (404, "", Some(JobState::Unknown), "404", true),
        (404, r#"{"error_code":"E"}"#, Some(JobState::Unknown), "404", true),
        (404, "<html>", None, "", false),
        (200, r#"{"id":"j/2","status":"SUCCESS"}"#, None, "", false),
        (200, "[]", None, "", false),
        (500, "", None, "", false),
        (403, "{}", None, "", false),
    ] {
        let server = listing(move |call| {
            assert_eq!(call, "GET /tasks/j%2F1");
            json(status, body)
        })
        .await;
        let sight = client(&server).observe(&target(&server), Some("j/1")).await;
        assert_eq!(
            (sight.complete, sight.job("j/1").map(|j| j.state.clone())),
            (complete, state),
            "{body}"
        );
        assert_eq!(sight.job("j/1").map_or("", |j| &j.word), word);
        assert!(sight.seen() && ids(&sight).is_none() && calls(&server).len() == 3);
        let moves = matches!(sight.motion, Motion::Moving { .. });
        assert_eq!(moves, matches!(word, "RUNNING" | "QUEUED"));
    }
}

#[tokio::test]
async fn an_appliance_that_is_away_is_not_seen() {
    let server = listing(|_| page(&[])).await;
    let (vc, target) = (client(&server), target(&server));
    let other = TargetKey::appliance(Authority::from_url("https://other.example").unwrap());
    assert!(!vc.observe(&other, None).await.seen() && server.requests().is_empty());
    server.stop().await;
    let sight = vc.observe(&target, Some("j1")).await;
    let Motion::NotSeen { why, unknown_object } = &sight.motion else {
        panic!("{sight:?}")
    };
    assert!(
        why.to_lowercase().contains("connection refused") && !unknown_object && !sight.complete,
        "{why}"
    );
    assert_eq!(vc.list().await.unwrap_err().error.label(), "transient");
}

#[tokio::test]
async fn an_appliance_in_trouble_is_not_asked_again_at_once() {
    let server = Server::serve(|r, _| match call(r).as_str() {
        "GET /appliance" => json(503, ""),
        _ => appliance_or(r, |_| page(&[])),
    })
    .await;
    let sight = client(&server).observe(&target(&server), None).await;
    let Motion::NotSeen { why, .. } = &sight.motion else {
        panic!("{sight:?}")
    };
    assert_eq!(why, "get_appliance answered 503 (an empty body)");
    assert_eq!(count(&server, "GET /appliance"), 1);
}

#[tokio::test]
async fn an_appliance_without_a_version_is_seen_and_proves_nothing() {
    let server = Server::serve(|r, _| match call(r).as_str() {
        "GET /appliance" => json(
            200,
            r#"{"hostname":null,"product_name":"Site Recovery Manager","appliance_version":null}"#,
        ),
        _ => appliance_or(r, |_| page(&[])),
    })
    .await;
    let vc = client(&server);
    let sight = vc.observe(&target(&server), None).await;
    assert!(sight.seen() && !sight.complete && sight.looks.is_none() && sight.identity.is_none());
    let listing = vc.list().await.unwrap();
    assert!(!listing.sights[APPLIANCE].complete && listing.sights[APPLIANCE].offered == Offered::Unasked);
    assert_eq!(vc.probe().await.unwrap().version, None);
}
