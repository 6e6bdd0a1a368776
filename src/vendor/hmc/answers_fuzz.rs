//! Everything that a console can say, said wrong: nothing panics, nothing is guessed, and what people get to see stays short.

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use super::answers::What;
use super::answers::judge;
use super::failures::said_in;
use super::session;
use super::sights;
use super::sights::Followed;
use super::sights::Read;
use super::wire;
use super::wire::ApiVersion;
use super::wire::Console;
use super::wire::Update;
use super::wire::Updates;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::JobState;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::timing::Mono;
use crate::vendor::error::VendorError;
use crate::vendor::hush::Hush;
use crate::vendor::mutated;
use crate::vendor::seam::Asked;
use crate::vendor::text;

const UPDATE: &str = "/api/console/remote-firmware-updates/1f0c";
const JOB: &str = "/api/jobs/7f3a";

fn asked() -> Asked {
    Asked {
        mono: Mono::default(),
        at: Timestamp::UNIX_EPOCH,
        authority: Authority::from_url("https://hmc1.example:6794").unwrap(),
    }
}

fn console() -> Value {
    json!({"name": "HMC1", "version": "2.16.0", "ec-mcl-description": {"bundle-level": "H30", "action": [],
        "ec": [{"number": "P30719", "mcl": [{"type": "retrieved", "level": "034", "last-update": null}]}]}})
}

fn row(uri: &str, state: &str) -> Value {
    json!({"element-uri": uri, "scheduled-execution-time": 1_795_831_200_000_i64, "target-bundle": "H41", "state": state})
}

fn updates() -> Value {
    json!({"remote-firmware-updates": [row(UPDATE, "scheduled"), row("/api/console/remote-firmware-updates/2", "running"),
            row("/api/console/remote-firmware-updates/3", "completed")],
        "remote-firmware-update-tokens": [{"authorization-token": "a1b2c3d4", "expiration-date": 1_796_349_600_000_i64},
            {"authorization-token": "e5f6a7", "expiration-date": "2026-11-30T10:00:00Z"}]})
}

fn element() -> Value {
    let mut element = row(UPDATE, "running");
    element["creation-time"] = json!(1_795_744_800_000_i64);
    element["execution-window"] = json!(90);
    element["execution-percentage"] = json!(40);
    element["execution-steps"] =
        json!([{"id": "verify-environment", "state": "succeeded"}, {"id": "back-up-critical-data", "state": "running"}]);
    element["pending-conditions"] = json!(["peer-busy"]);
    element
}

fn job(status: &str, code: u16) -> Value {
    json!({"status": status, "job-status-code": code, "job-reason-code": 12, "job-results": {"message": "no space"}})
}

fn error(status: u16, reason: u64) -> Value {
    json!({"http-status": status, "reason": reason, "message": "no", "request-headers": {"x-api-session": "sesame"}})
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
    let permissions = sight.looks.as_ref().and_then(|looks| looks.permissions.as_ref());
    prop_assert!(permissions.is_none_or(|ends| ends.len() <= 64 && ends.iter().all(|end| end.len() <= 40)));
    for job in &sight.jobs {
        prop_assert!(wire::job_id(&job.id).is_some() || wire::update_id(&job.id).is_some());
        prop_assert!(fit(&job.word) && job.says.as_deref().is_none_or(fit) && job.progress.is_none_or(|p| (0..=100).contains(&p)));
        prop_assert!(
            job.planned
                .as_ref()
                .is_none_or(|planned| planned.at >= Timestamp::UNIX_EPOCH || !job.active())
        );
    }
    if let Motion::Moving { toward, progress } = &sight.motion {
        prop_assert!(toward.as_deref().is_none_or(fit) && progress.is_none_or(|p| (0..=100).contains(&p)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_console_of_any_shape_is_seen_right_or_not_at_all(body in mutated::bytes(vec![console()]), list in mutated::bytes(vec![updates()])) {
        let seen = Console::read(&body).unwrap_or_default();
        let read = Updates::read(&list);
        let unreadable = VendorError::Unreadable { authority: String::new(), operation: "list_updates", what: String::new() };
        let sight = sights::of(&asked(), &seen, Read { updates: read.ok_or(unreadable), followed: None });
        check(&sight)?;
        prop_assert_eq!(sight.looks.is_some(), seen.bundle.is_some());
        if sight.complete {
            let (Ok(about), Ok(list)) = (serde_json::from_slice::<Value>(&body), serde_json::from_slice::<Value>(&list)) else {
                return Err(TestCaseError::fail("complete without two documents"));
            };
            prop_assert_eq!(about["ec-mcl-description"]["bundle-level"].as_str(), seen.bundle.as_deref());
            let rows = list["remote-firmware-updates"].as_array().map(Vec::as_slice).unwrap_or_default();
            prop_assert_eq!(rows.len(), sight.jobs.len());
            prop_assert_eq!(rows.iter().any(|row| row["state"] == "running"), sight.motion != Motion::Still, "{}", list);
            for (row, job) in rows.iter().zip(&sight.jobs) {
                prop_assert_eq!(row["element-uri"].as_str(), Some(job.id.as_str()));
                let known = matches!(row["state"].as_str(), Some("scheduled" | "scheduled-on-peer" | "running"));
                prop_assert_eq!(job.active(), known);
                let bundle = row["target-bundle"].as_str().map(|bundle| Does::Installs(bundle.to_owned()));
                prop_assert!(!known || job.planned.is_some() && bundle.as_ref() == Some(&job.does));
            }
            if let Some(ends) = sight.looks.and_then(|looks| looks.permissions) {
                let tokens = list["remote-firmware-update-tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
                let told = |end: &Value| end.as_str().map_or_else(|| end.to_string(), str::to_owned);
                let all = tokens.iter().all(|token| ends.contains(&told(&token["expiration-date"])));
                prop_assert!(all);
            }
        }
    }

    #[test]
    fn an_element_of_any_shape_is_the_one_that_was_asked_for_or_none(body in mutated::bytes(vec![element()])) {
        if let Some(update) = Update::element(&body, UPDATE) {
            prop_assert_eq!(&update.uri, UPDATE);
            let read = Read { updates: Ok(Updates::default()), followed: Some(Ok(Followed::Update(update))) };
            check(&sights::of(&asked(), &Console::default(), read))?;
        }
    }

    #[test]
    fn a_job_of_any_shape_is_what_its_status_and_code_say(value in mutated::value(vec![job("running", 0), job("complete", 200), job("complete", 500), job("canceled", 0)])) {
        let Some(job) = wire::job(value.to_string().as_bytes(), JOB, &Hush::of([])) else {
            return Ok(());
        };
        let code = value["job-status-code"].as_u64();
        let complete = value["status"] == "complete";
        prop_assert_eq!(job.state == JobState::Succeeded, complete && code.is_some_and(|code| (200..300).contains(&code)));
        prop_assert_eq!(job.state == JobState::Failed, complete && code.is_some_and(|code| !(200..300).contains(&code)));
        prop_assert_eq!(job.active(), matches!(value["status"].as_str(), Some("running" | "cancel-pending")));
        let read = Read { updates: Ok(Updates::default()), followed: Some(Ok(Followed::Job(job))) };
        check(&sights::of(&asked(), &Console::default(), read))?;
    }

    #[test]
    fn an_answer_to_a_start_is_judged_by_its_status_and_softened_only_by_a_reason_that_says_so(
        status in prop_oneof![Just(202_u16), Just(400), Just(401), Just(403), Just(409), Just(429), Just(500), any::<u16>()],
        body in mutated::bytes(vec![json!({"job-uri": JOB}), error(400, 356), error(403, 5), error(409, 1), error(400, 7)]),
        broken in any::<bool>(),
    ) {
        let value: Value = if broken { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
        match judge(What::Install, status, None, (!broken).then_some(&body), &Hush::of([])) {
            Answer::Accepted { job } => {
                prop_assert!((200..300).contains(&status));
                if let Some(job) = job {
                    prop_assert!(wire::job_id(&job).is_some() && value["job-uri"] == job.as_str());
                }
            }
            Answer::Rejected { message } => {
                prop_assert!(fit(&message) && (400..500).contains(&status) && !matches!(status, 401 | 408 | 429));
            }
            Answer::NotTaken { reason, message } => {
                prop_assert!(fit(&message));
                let told = value["reason"].as_u64();
                prop_assert!(match reason {
                    NotTaken::Busy => status == 409 && matches!(told, Some(1 | 2)),
                    NotTaken::AlreadyThere => status == 400 && told == Some(356),
                    NotTaken::Unauthorized => status == 401 || status == 403 && matches!(told, Some(4 | 5)),
                    NotTaken::Throttled { .. } => status == 429,
                    NotTaken::ConnectFailed => false,
                }, "{} {}", status, value);
            }
            Answer::Lost { message } => {
                prop_assert!(fit(&message) && (!(200..500).contains(&status) || (300..400).contains(&status) || status == 408));
            }
        }
    }

    #[test]
    fn an_error_of_any_shape_is_told_in_few_words_and_without_what_it_echoes(body in mutated::bytes(vec![error(400, 7), error(403, 1), updates(), element()])) {
        let hush = Hush::of([SecretString::from("sesame")]);
        for status in [400, 403] {
            let said = said_in(status, Some(&body), &hush);
            prop_assert!(fit(&said) && !said.contains("sesame"), "{}", said);
        }
        let _ = (ApiVersion::read(&body), wire::features(&body));
    }

    #[test]
    fn a_session_id_is_a_string_that_fits_in_a_header(body in mutated::bytes(vec![json!({"api-session": "NGY1ZDk=", "password-expires": 90})])) {
        if let Some(opened) = session::opened(&body) {
            let token = opened.secret.expose_secret();
            prop_assert!((1..=4096).contains(&token.len()) && reqwest::header::HeaderValue::from_str(token).is_ok());
            let value: Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(value["api-session"].as_str(), Some(token));
        }
    }

    #[test]
    fn an_id_is_one_segment_of_a_path_or_none(id in prop_oneof![any::<String>(), "[a-z0-9./?#%-]{0,12}"]) {
        if wire::job_id(&format!("/api/jobs/{id}")).is_some() {
            let url = url::Url::parse(&format!("https://hmc1.example/api/jobs/{id}")).unwrap();
            prop_assert_eq!(url.path(), format!("/api/jobs/{id}"));
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }
    }
}
