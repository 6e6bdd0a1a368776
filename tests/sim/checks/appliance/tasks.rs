//! Tasks: pages of them, what each shows, and what is forgotten.

use serde_json::{Value, json};

use super::super::super::appliance::{Config, Ending, Ends, ListMeta, Task, TaskNulls, TaskOrder, Trouble, VERSION_NEW, What, Wording};
use super::{Bench, bare, forms};

fn many() -> Config {
    Config::default().with_old_tasks(250)
}

fn ids(page: &Value) -> Vec<String> {
    let list = page["list"].as_array().unwrap();
    list.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tasks_come_in_pages() {
    let bench = Bench::new(many()).await;
    let (_, first) = bench.get("/tasks").await;
    forms::tasks(&first);
    let meta = &first["_meta"];
    assert_eq!(
        (&meta["total"], &meta["limit"], &meta["offset"]),
        (&json!(250), &json!(100), &json!(0))
    );
    assert!(meta["links"].get("previous").is_none(), "left out, not null");
    let mut all = ids(&first);
    for offset in [100, 200] {
        let (_, page) = bench.get(&format!("/tasks?limit=100&offset={offset}")).await;
        forms::tasks(&page);
        assert_eq!(page["_meta"]["links"].get("next").is_some(), offset == 100);
        all.extend(ids(&page));
    }
    let (_, beyond) = bench.get("/tasks?limit=100&offset=250").await;
    assert_eq!(ids(&beyond).len(), 0);
    assert_eq!(all, bench.vr.tasks().iter().map(|(task, _)| task.id.clone()).collect::<Vec<_>>());
    let next = first["_meta"]["links"]["next"]["href"].as_str().unwrap();
    let next = next.strip_prefix(super::BASE).unwrap();
    assert_eq!(ids(&bench.get(next).await.1), all[100..200]);
}

#[tokio::test]
async fn the_page_and_what_is_said_of_it_are_as_told() {
    let bench = Bench::new(many().settings(|s| (s.page_size, s.max_limit) = (20, Some(50)))).await;
    assert_eq!(ids(&bench.get("/tasks").await.1).len(), 20);
    let (_, page) = bench.get("/tasks?limit=1000").await;
    assert_eq!((ids(&page).len(), &page["_meta"]["limit"]), (50, &json!(50)));
    for (how, total, links) in [(ListMeta::WithoutTotal, false, true), (ListMeta::WithoutLinks, true, false)] {
        bench.vr.set(|s| s.list_meta = how);
        let (_, page) = bench.get("/tasks").await;
        forms::tasks(&page);
        let meta = &page["_meta"];
        assert_eq!(
            (meta.get("total").is_some(), meta.get("links").is_some()),
            (total, links),
            "{how:?}"
        );
    }
    bench.vr.set(|s| s.list_meta = ListMeta::Absent);
    assert!(bench.get("/tasks").await.1.get("_meta").is_none());
}

#[tokio::test]
async fn tasks_are_sorted_and_filtered() {
    let bench = Bench::new(Config::default().with_old_tasks(12)).await;
    let running = bench
        .vr
        .add_task(Task::new(What::RetrieveUpdates, bench.vr.clock().now(), 0, 60, Ending::Cancelled));
    let oldest = bench.vr.tasks()[0].0.id.clone();
    for (query, count, first) in [
        ("filter_property=status&filter=RUNNING", 1, &running),
        ("filter_property=status&filter=RUNNING&filter=SUCCESS&limit=5", 5, &oldest),
        ("sort_by=start_time&order_by=desc", 13, &running),
        ("sort_by=start_time&order_by=descending&limit=2&offset=0", 2, &running),
        ("sort_by=start_time&order_by=asc", 13, &oldest),
        ("sort_by=start_time", 13, &oldest),
    ] {
        let (status, page) = bench.get(&format!("/tasks?{query}")).await;
        assert_eq!(status, 200, "{query}");
        assert_eq!((ids(&page).len(), &ids(&page)[0]), (count, first), "{query}");
    }
    bench.vr.set(|s| s.task_order = TaskOrder::NewestFirst);
    assert_eq!(ids(&bench.get("/tasks").await.1)[0], running);
    bench.vr.set(|s| s.task_order = TaskOrder::Random);
    assert!(ids(&bench.get("/tasks").await.1).is_sorted());
}

#[tokio::test]
async fn a_query_that_is_not_to_the_letter_is_400() {
    let bench = Bench::new(many()).await;
    for wrong in [
        "offset=100",
        "limit=ten",
        "limit=-1",
        "limit=10&limit=20",
        "limit=10&offset=x",
        "page=2",
        "order_by=asc",
        "sort_by=status&order_by=up",
        "sort_by=colour",
        "filter=RUNNING",
        "filter_property=status",
    ] {
        let (status, body) = bench.get(&format!("/tasks?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
        forms::error(&body);
    }
}

#[tokio::test]
async fn fields_without_a_value_are_left_out_or_null() {
    let trouble = Trouble::new("It failed.", "Badly.");
    let config = Config::default().machine(|machine| machine.ends = Ends::Error(trouble.clone()));
    let mut bench = Bench::new(config).await;
    let id = bench.installed(VERSION_NEW).await;
    let nulls = |task: &Value| -> Vec<String> {
        let fields = task.as_object().unwrap().iter();
        fields.filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect()
    };
    let open = ["complete_time", "error", "result", "start_time"];
    for (how, expected) in [
        (TaskNulls::LeftOut, vec![]),
        (TaskNulls::Null, open.to_vec()),
        (TaskNulls::AllNull, open.to_vec()),
    ] {
        bench.vr.set(|s| s.task_nulls = how);
        assert_eq!(nulls(&bench.task(&id).await), expected, "{how:?}, queued");
    }
    bench.advance(310).await;
    bench.log_in().await;
    for (how, expected) in [
        (TaskNulls::LeftOut, vec![]),
        (TaskNulls::Null, vec!["result"]),
        (TaskNulls::NullError, vec!["result"]),
        (TaskNulls::AllNull, open.to_vec()),
    ] {
        bench.vr.set(|s| s.task_nulls = how);
        assert_eq!(nulls(&bench.task(&id).await), expected, "{how:?}, ended");
    }
    bench.vr.set(|s| s.task_nulls = TaskNulls::NullError);
    assert_eq!(bench.task(&id).await["error"], json!({"message": null, "details": null}));
    bench
        .vr
        .set(|s| (s.task_nulls, s.task_times, s.progress) = (TaskNulls::LeftOut, false, false));
    let task = bench.task(&id).await;
    assert_eq!(
        (nulls(&task), task.get("progress")),
        (vec!["complete_time".to_owned(), "start_time".to_owned()], None)
    );
}

#[tokio::test]
async fn the_times_of_tasks_can_be_off() {
    let bench = Bench::new(
        Config::default()
            .settings(|s| s.clock_skew_ms = -7_200_000)
            .machine(|machine| machine.queued_secs = 0),
    )
    .await;
    let id = bench.installed(VERSION_NEW).await;
    let now = bench.vr.clock().now().as_millisecond();
    assert_eq!(bench.task(&id).await["start_time"], now - 7_200_000);
}

#[tokio::test]
async fn tasks_say_what_they_are_or_do_not() {
    let bench = Bench::new(Config::default()).await;
    let id = bench.installed(VERSION_NEW).await;
    for (wording, kind, description) in [
        (Wording::Descriptive, json!("install-update"), json!("Install update 9.0.2-10455")),
        (Wording::TypeOnly, json!("install-update"), json!("Install update")),
        (Wording::Meaningless, json!("operation"), json!("Task")),
        (Wording::Absent, json!(null), json!(null)),
    ] {
        bench.vr.set(|s| s.wording = wording);
        let task = bench.task(&id).await;
        assert_eq!((&task["type"], &task["description"]), (&kind, &description), "{wording:?}");
    }
}

#[tokio::test]
async fn a_task_may_show_only_after_a_while() {
    let bench = Bench::new(Config::default().settings(|s| s.task_delay_secs = 30)).await;
    let id = bench.installed(VERSION_NEW).await;
    assert_eq!(
        (bench.tasks().await.len(), bench.get(&format!("/tasks/{id}")).await),
        (0, bare(404))
    );
    bench.advance(30).await;
    assert_eq!((bench.tasks().await.len(), bench.status(&id).await), (1, json!("RUNNING")));
}

#[tokio::test]
async fn tasks_are_forgotten_by_age_and_by_number() {
    let bench = Bench::new(Config::default().with_old_tasks(5).settings(|s| s.max_tasks = Some(3))).await;
    let newest = bench.vr.tasks().last().unwrap().0.id.clone();
    let id = bench.installed(VERSION_NEW).await;
    let list = bench.tasks().await;
    assert_eq!((list.len(), &list[2]["id"]), (3, &json!(id)));
    bench.vr.set(|s| s.max_tasks = Some(0));
    assert_eq!(bench.tasks().await.len(), 1, "what runs is not forgotten");

    let bench = Bench::new(Config::default().with_old_tasks(5).settings(|s| s.retention_secs = Some(3600))).await;
    assert_eq!(bench.tasks().await.len(), 5);
    bench.vr.set(|s| (s.session_idle_secs, s.session_absolute_secs) = (10_000, 10_000));
    bench.advance(3600).await;
    assert_eq!(bench.tasks().await.len(), 0);
    assert_eq!(bench.get(&format!("/tasks/{newest}")).await, bare(404));
}
