//! What becomes of a single step install: the check of what was asked for, the decision, and its commit.
//!
//! Called by `api` under the state's lock. It is strict where the documents name a field's type or values: what is sent and not checked
//! would not be missed by anybody.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::log::{Log, Start};
use super::super::vendor::{Reply, Request};
use super::TARGET;
use super::console::Failure;
use super::job::Job;
use super::life::By;
use super::secret::{Secret, redacted};
use super::settings::{InstallAnswer, NotOnOffer, SecondInstall, Settings};
use super::state::Inner;
use super::wire::Refusal;

/// The version in the log of a start that named no bundle: it installs all that there is.
pub const EVERYTHING: &str = "(everything on offer)";

/// The fields about the FTP server, which go together [C].
const FTP: [&str; 5] = [
    "ftp-server-host",
    "ftp-server-user",
    "ftp-server-password",
    "ftp-server-directory",
    "ftp-server-protocol",
];

/// A request for a single step install whose fields were looked at, whatever became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its number in the log.
    pub request: u64,
    /// Its body; the password is not in it.
    pub body: Value,
    pub ftp_password: Option<Secret>,
}

/// A body that was checked.
struct Order {
    bundle: Option<String>,
    /// Everything else, without the password.
    options: Value,
}

/// 202 with a job [C], or a refusal. Whatever is answered with 202 is counted.
pub(super) fn install(
    inner: &mut Inner,
    log: &Log,
    request: &Request,
    body: &Map<String, Value>,
    user: &str,
    now: Timestamp,
) -> Result<Reply, Refusal> {
    let password = body.get("ftp-server-password").and_then(Value::as_str);
    inner.asked.push(Asked {
        request: request.number,
        body: redacted(Value::Object(body.clone())),
        ftp_password: password.map(Secret::new),
    });
    let settings = inner.settings.clone();
    let order = check(body, &settings)?;
    let job = decide(inner, &order, user, now, &settings)?;
    log.commit(Start {
        target: TARGET.to_owned(),
        version: order.bundle.unwrap_or_else(|| EVERYTHING.to_owned()),
        options: order.options,
        user_agent: request.user_agent().to_owned(),
        at: now,
        request: request.number,
    });
    Ok(match settings.install_answer {
        InstallAnswer::JobUri => Reply::json(202, json!({"job-uri": job.uri()})),
        InstallAnswer::WithoutUri => Reply::json(202, json!({})),
        InstallAnswer::Empty => Reply::empty(202),
    })
}

/// Somebody else begins one, at the console itself: a job shows that is that user's, and it is no committed start. The job's id.
pub(super) fn elsewhere(inner: &mut Inner, log: &Log, bundle: &str, user: &str, now: Timestamp) -> String {
    let job = begin(inner, bundle, user, now);
    log.note_elsewhere(Start {
        target: TARGET.to_owned(),
        version: bundle.to_owned(),
        options: json!({}),
        user_agent: "somebody else".to_owned(),
        at: now,
        request: 0,
    });
    job.id
}

fn check(body: &Map<String, Value>, settings: &Settings) -> Result<Order, Refusal> {
    for (name, value) in body {
        let wrong = |what: &str| Err(Refusal::invalid(7, format!("{name} is not {what}.")));
        match (name.as_str(), value) {
            ("backup-location-type", value) if !["ftp", "usb"].map(Value::from).contains(value) => return wrong("ftp or usb"),
            ("ftp-server-protocol", value) if !["ftp", "ftps", "sftp"].map(Value::from).contains(value) => {
                return wrong("ftp, ftps or sftp");
            }
            ("accept-firmware" | "ftp-retrieve", value) if !value.is_boolean() => return wrong("a boolean"),
            ("bundle-level" | "ftp-server-host" | "ftp-server-user" | "ftp-server-password" | "ftp-server-directory", value)
                if value.as_str().is_none_or(str::is_empty) =>
            {
                return wrong("a string with anything in it");
            }
            ("bundle-level" | "backup-location-type" | "accept-firmware" | "ftp-retrieve", _) => {}
            (name, _) if FTP.contains(&name) => {}
            (name, _) => return Err(Refusal::invalid(6, format!("{name} is not a field of this request."))),
        }
    }
    let missing = |name: &str| Err(Refusal::invalid(5, format!("{name} is missing.")));
    if settings.backup_location_required && !body.contains_key("backup-location-type") {
        return missing("backup-location-type");
    }
    let by_ftp = body.get("ftp-retrieve") == Some(&Value::Bool(true));
    if let Some(name) = FTP.iter().find(|name| by_ftp && !body.contains_key(**name)) {
        return missing(name);
    }
    let mut options = redacted(Value::Object(body.clone()));
    options.as_object_mut().map(|options| options.remove("bundle-level"));
    let bundle = body.get("bundle-level").and_then(Value::as_str).map(str::to_owned);
    Ok(Order { bundle, options })
}

fn decide(inner: &mut Inner, order: &Order, user: &str, now: Timestamp, settings: &Settings) -> Result<Job, Refusal> {
    if inner.console.busy {
        return Err(Refusal::new(409, 2, "The console is busy with another operation."));
    }
    let newest = || {
        inner
            .console
            .on_offer
            .last()
            .or(inner.console.bundle.as_ref())
            .cloned()
            .unwrap_or_default()
    };
    let bundle = order.bundle.clone().unwrap_or_else(newest);
    if inner.life.run.is_some() {
        return second(inner, &bundle, user, now, settings);
    }
    if inner.console.bundle.as_ref() == Some(&bundle) {
        return Err(Refusal::invalid(356, "The console is already at that bundle level."));
    }
    if inner.console.on_offer.contains(&bundle) {
        return Ok(begin(inner, &bundle, user, now));
    }
    match settings.not_on_offer {
        NotOnOffer::BadRequest => Err(Refusal::invalid(7, "There is no such bundle to install.")),
        NotOnOffer::JobFails => Ok(failed(inner, user, "The bundle cannot be retrieved, or is older.", now)),
    }
}

fn second(inner: &mut Inner, bundle: &str, user: &str, now: Timestamp, settings: &Settings) -> Result<Job, Refusal> {
    let text = "An upgrade of the console is under way.";
    match settings.second_install {
        SecondInstall::WrongState => Err(Refusal::new(409, 1, text)),
        SecondInstall::Busy => Err(Refusal::new(409, 2, text)),
        SecondInstall::OwnReason => Err(Refusal::new(409, 330, text)),
        SecondInstall::StartsAnother => Ok(begin(inner, bundle, user, now)),
        SecondInstall::JobFails => Ok(failed(inner, user, text, now)),
    }
}

fn begin(inner: &mut Inner, bundle: &str, user: &str, now: Timestamp) -> Job {
    let job = Job::new(user, now);
    inner.jobs.add(job.clone());
    inner.begin(bundle, By::Job(job.id.clone()), now);
    job
}

/// A job that has failed by the time that anybody can ask for it.
fn failed(inner: &mut Inner, user: &str, why: &str, now: Timestamp) -> Job {
    let job = Job::new(user, now);
    inner.jobs.add(job.clone());
    inner.jobs.complete(&job.id, now, Some(Failure::new(why)));
    job
}
