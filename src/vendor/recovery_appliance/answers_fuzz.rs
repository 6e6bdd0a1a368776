//! Everything that an appliance can say, said wrong: nothing panics, nothing is guessed, and what people get to see stays short.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::answers::judge;
use super::session;
use super::sights;
use super::sights::Listed;
use super::sights::Purpose;
use super::sights::Tasks;
use super::wire;
use super::wire::Appliance;
use super::wire::Page;
use super::wire::ResponseError;
use super::wire::Task;
use crate::upgrade::receipt::Answer;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Mono;
use crate::vendor::FoundUpdate;
use crate::vendor::mutated;
use crate::vendor::seam::Asked;
use crate::vendor::text;

fn asked() -> Asked {
    Asked {
        mono: Mono::default(),
        at: Timestamp::UNIX_EPOCH,
        authority: Authority::from_url("https://srm-a.example").unwrap(),
    }
}

fn appliance() -> Value {
    json!({"hostname": "srm-a", "product_name": "vSphere Replication", "product_build_number": "12345",
        "appliance_version": "9.0.0-10010", "appliance_build_number": "10010", "system_information": "x", "_meta": {"errors": []}})
}

fn task(id: &str, status: &str) -> Value {
    json!({"id": id, "description": "Install update 9.0.2-10455", "type": "installUpdate", "status": status, "progress": 40,
        "error": {"message": "no space", "details": "on /"}, "start_time": 1, "complete_time": null,
        "result": {"list": [{"version": "9.0.2-10455", "update_type": "FIX", "severity": null, "eula": ["x"]}]}})
}

fn page() -> Value {
    json!({"list": [task("t1", "RUNNING"), task("t2", "SUCCESS"), task("t3", "ERROR")],
        "_meta": {"errors": [], "total": 3, "offset": 0, "limit": 100, "links": {"self": {"href": "x"}}}})
}

fn error() -> Value {
    json!({"error_code": "E1", "message": "no", "op_id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"})
}

/// Fit for a status: one line, short, printable.
fn fit(text: &str) -> bool {
    text.chars().count() <= text::LONGEST && !text.chars().any(char::is_control)
}

fn check(sight: &Sight) -> Result<(), TestCaseError> {
    let words = sight.looks.iter().map(|l| &l.version);
    for word in words.chain(&sight.identity).chain(&sight.says) {
        prop_assert!(fit(word), "{word:?}");
    }
    for job in &sight.jobs {
        prop_assert!(fit(&job.id) && fit(&job.word) && job.says.as_deref().is_none_or(fit));
        prop_assert!((1..=wire::LONGEST_ID).contains(&job.id.len()) && job.progress.is_none_or(|p| (0..=100).contains(&p)));
    }
    if let Motion::Moving { toward, progress } = &sight.motion {
        prop_assert!(toward.as_deref().is_none_or(fit) && progress.is_none_or(|p| (0..=100).contains(&p)));
    }
    if let Some(jobs) = sight.looks.as_ref().and_then(|l| l.jobs.as_ref()) {
        prop_assert!(
            jobs.ids
                .iter()
                .eq(sight.jobs.iter().map(|j| &j.id).collect::<std::collections::BTreeSet<_>>())
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_appliance_of_any_shape_is_seen_right_or_not_at_all(body in mutated::bytes(vec![appliance()]), tasks in mutated::bytes(vec![page()])) {
        let seen = Appliance::read(&body).unwrap_or_default();
        let (mut listed, read) = (Listed::default(), Page::read(&tasks));
        let last = read.is_some_and(|page| listed.add(page));
        if !last {
            listed.cut();
        }
        for purpose in [Purpose::Start, Purpose::Evidence] {
            let sight = sights::of(&asked(), &seen, &Tasks::Listed(listed.clone()), &[], purpose);
            check(&sight)?;
            if sight.complete {
                let (Ok(about), Ok(list)) = (serde_json::from_slice::<Value>(&body), serde_json::from_slice::<Value>(&tasks)) else {
                    return Err(TestCaseError::fail("complete without two documents"));
                };
                prop_assert_eq!(about["appliance_version"].as_str(), seen.version.as_deref());
                let rows = list["list"].as_array().map(Vec::as_slice).unwrap_or_default();
                let active = rows.iter().any(|row| matches!(row["status"].as_str(), Some("QUEUED" | "RUNNING")));
                prop_assert_eq!(active, sight.motion != Motion::Still, "{}", list);
                prop_assert_eq!(rows.len(), sight.jobs.len());
                prop_assert!(rows.is_empty() || list["_meta"]["total"].as_u64() == Some(rows.len() as u64));
                let known = |row: &Value| matches!(row["status"].as_str(), Some("QUEUED" | "RUNNING" | "SUCCESS" | "ERROR" | "CANCELLED"));
                prop_assert!(purpose == Purpose::Evidence || rows.iter().all(known));
            }
        }
    }

    #[test]
    fn a_task_of_any_shape_is_what_its_status_says(value in mutated::value(vec![task("t1", "RUNNING"), task("t1", "SUCCESS")])) {
        let Some(task) = Task::read(&value) else {
            prop_assert!(!value.is_object());
            return Ok(());
        };
        prop_assert_eq!(task.state == JobState::Succeeded, value["status"] == "SUCCESS");
        prop_assert_eq!(task.active(), matches!(value["status"].as_str(), Some("QUEUED" | "RUNNING")));
        prop_assert!(task.id.as_deref().is_none_or(|id| value["id"] == id));
        if let Some(job) = task.job() {
            check(&sights::of(&asked(), &Appliance::default(), &Tasks::One(job), &[], Purpose::Evidence))?;
        }
        let offered = task.updates.unwrap_or_default();
        let sound = |update: &FoundUpdate| {
            let mut words = [&update.type_, &update.severity, &update.summary].into_iter().flatten();
            let named = value["result"].to_string().contains(&json!(update.version).to_string());
            named && fit(&update.version) && words.all(|word| fit(word))
        };
        prop_assert!(offered.len() <= 64 && offered.iter().all(sound));
    }

    #[test]
    fn an_answer_to_a_start_is_judged_by_its_status(
        status in prop_oneof![Just(202_u16), Just(400), Just(401), Just(429), Just(500), any::<u16>()],
        body in mutated::bytes(vec![task("t1", "QUEUED"), error()]),
        broken in any::<bool>(),
    ) {
        match judge(status, None, (!broken).then_some(&body)) {
            Answer::Accepted { job } => {
                prop_assert!((200..300).contains(&status));
                if let Some(job) = job {
                    let value: Value = serde_json::from_slice(&body).unwrap();
                    prop_assert!(!broken && fit(&job) && value["id"] == job.as_str());
                }
            }
            Answer::Rejected { message } => {
                prop_assert!(fit(&message) && (400..500).contains(&status) && !matches!(status, 401 | 408 | 429));
            }
            Answer::NotTaken { message, .. } => prop_assert!(fit(&message) && matches!(status, 401 | 429)),
            Answer::Lost { message } => prop_assert!(fit(&message) && (!(200..500).contains(&status) || (300..400).contains(&status) || status == 408)),
        }
    }

    #[test]
    fn an_error_of_any_shape_is_told_in_few_words(body in mutated::bytes(vec![error(), page(), appliance()])) {
        prop_assert!(fit(&wire::said(Some(&body), wire::Answers::Start)));
        let _ = ResponseError::read(&body);
        let _ = wire::task(&body);
    }

    #[test]
    fn a_session_id_is_a_string_that_fits_in_a_header(body in mutated::bytes(vec![json!({"session_id": "NGY1ZDk="})])) {
        use secrecy::ExposeSecret;
        if let Some(token) = session::token_of(&body) {
            let token = token.expose_secret();
            prop_assert!((1..=4096).contains(&token.len()) && reqwest::header::HeaderValue::from_str(token).is_ok());
            let value: Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(value["session_id"].as_str(), Some(token));
        }
    }

    #[test]
    fn words_of_any_kind_name_a_version_that_is_in_them_or_none(kind in ".{0,60}", text in "(install|update|check|[a-zA-Z ]|9\\.0\\.[0-9]|[-.+v0-9]){0,12}") {
        if let Does::Installs(version) = wire::does(&[&kind, &text]) {
            prop_assert!(kind.contains(&version) || text.contains(&version));
            prop_assert!(fit(&version) && version.contains('.') && !version.contains(' '));
        }
    }
}

#[test]
fn clear_words_say_what_a_task_does_and_others_say_nothing() {
    let installs = |version: &str| Does::Installs(version.to_owned());
    for (texts, expected) in [
        (vec!["installUpdate", "Install update 9.0.2-10455."], installs("9.0.2-10455")),
        (vec!["INSTALL_UPDATE", "'9.0.2.10455'"], installs("9.0.2.10455")),
        (vec!["upgrade", "Upgrading to v9.0.2"], installs("v9.0.2")),
        (vec!["update", "Updating the appliance to 9.0.2-1"], installs("9.0.2-1")),
        (vec!["installUpdate", "Install update"], Does::Untold),
        (vec!["install", "from 9.0.0-1 to 9.0.2-1"], Does::Untold),
        (vec!["install", "update on 10.0.0.1"], Does::Untold),
        (vec!["update"], Does::Untold),
        (vec!["com.vmware.dr.configure.Task", "Working"], Does::Untold),
        (vec![], Does::Untold),
        (vec!["retrieveUpdates"], Does::Else),
        (vec!["getUpdates", ""], Does::Else),
        (vec!["x", "Check for updates newer than 9.0.0-1"], Does::Else),
        (vec!["Retrieve list of available updates"], Does::Else),
        (vec!["Reconfigure the appliance"], Does::Else),
        (vec!["x", "Verifying checksum of update 9.0.2-1"], installs("9.0.2-1")),
    ] {
        assert_eq!(wire::does(&texts), expected, "{texts:?}");
    }
}

#[test]
fn updates_come_in_any_of_three_containers() {
    let row = json!({"version": "9.0.2", "severity": null});
    for result in [
        json!([row]),
        json!({"list": [row]}),
        json!({"updates": [row, {"version": null}, row]}),
    ] {
        let versions = wire::updates(&result).map(|all| all.into_iter().map(|u| u.version).collect::<Vec<_>>());
        assert_eq!(versions, Some(vec!["9.0.2".to_owned()]), "{result}");
    }
    for empty in [json!([]), json!({"list": []}), json!({"updates": []})] {
        assert_eq!(wire::updates(&empty), Some(Vec::new()));
    }
    let many: Vec<Value> = (0..257).map(|n| json!({"version": format!("9.{n}")})).collect();
    for odd in [
        json!(null),
        json!("9.0.2"),
        json!({"x": [row]}),
        json!([{"version": 7}]),
        json!({"list": {"a": row}}),
        json!(many),
    ] {
        assert_eq!(wire::updates(&odd), None, "{odd}");
    }
}
