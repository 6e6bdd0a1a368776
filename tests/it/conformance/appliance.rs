//! The appliance, against the specifications of both products that have it: every operation, documented status and form that the
//! simulator has, and the operator's life as soon as it knows the kind.

use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::appliance_breaks;
use super::appliance_operator;
use super::book::By;
use super::book::Grace;
use super::front::Front;
use super::prism::Prism;
use super::script::Script;
use super::script::answer;
use super::setup;
use super::spec::Spec;
use crate::sim::Running;
use crate::sim::appliance::Appliance;
use crate::sim::appliance::BASE;
use crate::sim::appliance::Ban;
use crate::sim::appliance::Config;
use crate::sim::appliance::Denial;
use crate::sim::appliance::Ends;
use crate::sim::appliance::ErrorBody;
use crate::sim::appliance::InstallAnswer;
use crate::sim::appliance::ListMeta;
use crate::sim::appliance::Machine;
use crate::sim::appliance::PASSWORD;
use crate::sim::appliance::SESSION_HEADER;
use crate::sim::appliance::SecondInstall;
use crate::sim::appliance::SessionLimit;
use crate::sim::appliance::Settings;
use crate::sim::appliance::SlowBoot;
use crate::sim::appliance::TaskNulls;
use crate::sim::appliance::TaskOrder;
use crate::sim::appliance::Trouble;
use crate::sim::appliance::USER;
use crate::sim::appliance::UnknownVersion;
use crate::sim::appliance::UpdatesForm;
use crate::sim::appliance::User;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::sim::appliance::VERSION_OLD;
use crate::sim::appliance::VersionForm;
use crate::sim::appliance::Wording;
use crate::world::World;

/// What the simulator knows, and so everything that a test can ask it for.
const OPERATIONS: [&str; 17] = [
    "POST /session",
    "GET /session",
    "DELETE /session",
    "GET /appliance",
    "POST /appliance/actions/restart",
    "GET /appliance/configuration-manager/reconfigure-required",
    "GET /appliance/update-manager/repository",
    "PUT /appliance/update-manager/repository",
    "POST /appliance/update-manager/actions/retrieve-updates",
    "POST /appliance/update-manager/updates/{update_version}/actions/install",
    "GET /tasks",
    "GET /tasks/{task_id}",
    "GET /services",
    "GET /services/{service_id}",
    "POST /services/{service_id}/actions/stop",
    "POST /services/{service_id}/actions/start",
    "POST /services/{service_id}/actions/restart",
];

const UNLISTED: &str = "[U] the specification lists no status for a login that is refused";
const BOOTING: &str = "[U] a proxy's page while services start after a restart";

const GRACES: [Grace; 7] = [
    Grace {
        of: "POST /session",
        status: 401,
        why: UNLISTED,
    },
    Grace {
        of: "POST /session",
        status: 403,
        why: UNLISTED,
    },
    Grace {
        of: "GET /session",
        status: 401,
        why: "[U] a session that has ended is listed for every other operation",
    },
    Grace {
        of: "GET /tasks",
        status: 503,
        why: BOOTING,
    },
    Grace {
        of: "GET /tasks/{task_id}",
        status: 503,
        why: BOOTING,
    },
    Grace {
        of: "GET /appliance",
        status: 503,
        why: BOOTING,
    },
    Grace {
        of: "GET /appliance",
        status: 429,
        why: "[U] how a client is banned that asks too often",
    },
];

#[tokio::test]
async fn the_replication_appliance_and_the_operator_keep_to_the_vendors_specification() -> anyhow::Result<()> {
    conforms("vrms", "vSphere Replication").await
}

#[tokio::test]
async fn the_recovery_manager_and_the_operator_keep_to_the_vendors_specification() -> anyhow::Result<()> {
    conforms("srm", "Site Recovery Manager").await
}

async fn conforms(product: &str, name: &'static str) -> anyhow::Result<()> {
    let Some(setup) = setup(name) else { return Ok(()) };
    let world = World::new(&format!("conform{product}"), crate::sim::Config::with_clusters(0)).await?;
    let spec = Spec::appliance(&setup.specs, product, name, world.plane.scratch())?;
    let appliance = Appliance::start(Config::default().with_old_tasks(250)).await?;
    renew(&appliance);
    let prism = Prism::start(&setup, world.plane, &spec, &appliance.url(), appliance.ca_pem()).await?;
    let front = Front::start(prism.url()).await?;
    let lived = appliance_operator::lives(&world, &front, &appliance).await;
    let operator = front.book().explains(&spec, lived)?;

    renew(&appliance);
    appliance.clock().set_speed(0.0);
    let mut script = Script::new(&front, BASE, SESSION_HEADER)?;
    sessions(&mut script, &appliance).await?;
    things(&mut script, &appliance).await?;
    pages(&script, &appliance).await?;
    forms(&mut script, &appliance).await?;
    refusals(&mut script, &appliance).await?;
    script.every_error(&appliance, &spec, &OPERATIONS).await?;

    front.book().assert_clean(&spec, &GRACES)?;
    if operator {
        front.book().assert_called(&spec, By::Operator, &appliance_operator::OPERATIONS)?;
    }
    front.book().assert_called(&spec, By::Script, &OPERATIONS)?;
    front.book().assert_every_status(&spec, &OPERATIONS, &[])?;
    let (through, arrived) = (front.book().exchanges().len(), appliance.log().requests().len());
    assert_eq!(
        through, arrived,
        "nothing reached the vendor but through the proxy, and all of that did"
    );
    renew(&appliance);
    appliance_breaks::are_seen(&prism, &spec, &appliance).await
}

/// A machine of the old version that takes updates without a restart: the proxy cannot follow one.
fn renew(appliance: &Running<Appliance>) {
    appliance.edit_machine(|machine| {
        *machine = Machine::new(VERSION_OLD, &[VERSION_NEW, VERSION_NEWER]);
        machine.restarts = false;
    });
    appliance.set(|s| *s = Settings::default());
}

fn advance(appliance: &Running<Appliance>, secs: u64) {
    appliance.clock().advance(Duration::from_secs(secs));
}

/// Logs in, and takes the session over.
pub async fn enter(script: &mut Script<'_>, user: &str, password: &str) -> anyhow::Result<()> {
    let (status, body) = script.login(user, password).await?;
    ensure!(status == 200, "{status} {body}");
    script.enter(body["session_id"].as_str().context("a session")?);
    Ok(())
}

/// Begins an install, or does not: status and body.
pub async fn install(script: &Script<'_>, version: &str) -> anyhow::Result<(u16, Value)> {
    let path = format!("/appliance/update-manager/updates/{version}/actions/install");
    script.post(&path, &Value::Null).await
}

/// Begins to look for updates; the task's id.
pub async fn retrieve(script: &Script<'_>) -> anyhow::Result<String> {
    let (status, task) = script
        .post("/appliance/update-manager/actions/retrieve-updates", &Value::Null)
        .await?;
    ensure!(status == 202, "{status} {task}");
    Ok(task["id"].as_str().context("an id")?.to_owned())
}

async fn sessions(script: &mut Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    let expired = User {
        expired: true,
        ..User::manager("old", "o")
    };
    appliance.set_users(vec![User::manager(USER, PASSWORD), User::stranger("stranger", "s"), expired]);
    assert_eq!(script.get("/session").await?.0, 401, "no such session");
    assert_eq!((script.delete("/session").await?.0, script.get("/appliance").await?.0), (401, 401));
    for (denial, wanted) in [(Denial::Unauthorized, 401), (Denial::BadRequest, 400), (Denial::Forbidden, 403)] {
        appliance.set(|s| (s.bad_credentials, s.password_expired) = (denial, denial));
        assert_eq!(script.login(USER, "guess").await?.0, wanted);
        assert_eq!(script.login("old", "o").await?.0, wanted);
    }
    enter(script, USER, PASSWORD).await?;
    assert_eq!(script.read("/session").await?["username"], USER);
    let limits = [
        (SessionLimit::InternalError, 500),
        (SessionLimit::BadRequest, 400),
        (SessionLimit::EndsOldest, 200),
    ];
    for (limit, wanted) in limits {
        appliance.set(|s| (s.max_sessions, s.session_limit) = (1, limit));
        assert_eq!(script.login(USER, PASSWORD).await?.0, wanted);
    }
    appliance.set(|s| *s = Settings::default());
    enter(script, "stranger", "s").await?;
    assert_eq!(script.get("/appliance").await?.0, 403);
    assert_eq!(script.delete("/session").await?.0, 204);
    Ok(())
}

/// What the appliance is, its repository and its services.
async fn things(script: &mut Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    enter(script, USER, PASSWORD).await?;
    let repository = "/appliance/update-manager/repository";
    let put = async |body: Value| anyhow::Ok(answer(script.request(Method::PUT, repository).json(&body)).await?.0);
    for meta in [true, false] {
        appliance.set(|s| s.entity_meta = meta);
        script.read("/appliance").await?;
        for needed in [true, false] {
            appliance.edit_machine(|machine| machine.reconfigure_required = needed);
            script.read("/appliance/configuration-manager/reconfigure-required").await?;
        }
        let url = "https://updates.example.com/vr";
        assert_eq!(put(json!({"url": url, "username": "u", "password": "p"})).await?, 204);
        script.read(repository).await?;
        let iso = json!({"url": null, "username": null, "password": null, "mounted_iso": true});
        assert_eq!(put(iso).await?, 204);
        script.read(repository).await?;
        assert_eq!(put(json!({"url": url, "mounted_iso": true})).await?, 400, "one or the other");
        assert_eq!(put(json!({"url": url})).await?, 204);
        script.read("/services").await?;
        script.read("/services/hms").await?;
        for action in ["stop", "start", "restart"] {
            let (status, _) = script.post(&format!("/services/hms/actions/{action}"), &Value::Null).await?;
            assert_eq!(status, 204, "{action}");
            script.read("/services/hms").await?;
        }
    }
    assert_eq!(script.get("/services/none").await?.0, 404);
    assert_eq!(script.get("/tasks/none").await?.0, 404);
    Ok(())
}

/// Lists of tasks, in pages and orders.
async fn pages(script: &Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    for meta in [ListMeta::Full, ListMeta::WithoutTotal, ListMeta::WithoutLinks, ListMeta::Absent] {
        appliance.set(|s| s.list_meta = meta);
        for query in [
            "",
            "?limit=100",
            "?limit=100&offset=100",
            "?limit=100&offset=200",
            "?limit=100&offset=900",
        ] {
            script.read(&format!("/tasks{query}")).await?;
        }
        script.read("/services").await?;
    }
    appliance.set(|s| (s.page_size, s.max_limit) = (20, Some(50)));
    script.read("/tasks").await?;
    script.read("/tasks?limit=100").await?;
    appliance.set(|s| *s = Settings::default());
    for order in [TaskOrder::OldestFirst, TaskOrder::NewestFirst, TaskOrder::Random] {
        appliance.set(|s| s.task_order = order);
        script.read("/tasks?limit=10").await?;
    }
    script.read("/tasks?sort_by=start_time&order_by=descending&limit=10").await?;
    script.read("/tasks?filter_property=status&filter=SUCCESS&filter=ERROR").await?;
    assert_eq!(script.get("/tasks?offset=100").await?.0, 400, "an offset needs a limit");
    appliance.lose_tasks();
    script.read("/tasks").await?;
    Ok(())
}

/// The whole life of an update, under each toggle of what is shown of it, and with each of its ends.
async fn forms(script: &mut Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    let toggles: [fn(&mut Settings); 21] = [
        |_| {},
        |s| s.version_form = VersionForm::WithoutBuild,
        |s| s.version_form = VersionForm::Dotted,
        |s| s.updates_form = UpdatesForm::Updates,
        |s| s.updates_form = UpdatesForm::Absent,
        |s| (s.updates_form, s.task_nulls) = (UpdatesForm::Absent, TaskNulls::Null),
        |s| s.repository_unreachable = true,
        |s| (s.repository_unreachable, s.task_nulls) = (true, TaskNulls::NullError),
        |s| s.update_nulls = true,
        |s| s.wording = Wording::TypeOnly,
        |s| s.wording = Wording::Meaningless,
        |s| s.wording = Wording::Absent,
        |s| s.task_nulls = TaskNulls::Null,
        |s| s.task_nulls = TaskNulls::AllNull,
        |s| s.task_nulls = TaskNulls::NullError,
        |s| s.task_times = false,
        |s| s.clock_skew_ms = -86_400_000,
        |s| s.progress = false,
        |s| s.task_delay_secs = 3,
        |s| s.install_answer = InstallAnswer::WithoutId,
        |s| s.entity_meta = false,
    ];
    let trouble = || Trouble::new("The update failed.", "No space left on /opt.");
    let ends = [
        Ends::Success,
        Ends::Error(trouble()),
        Ends::Cancelled,
        Ends::ThirdVersion(VERSION_NEWER.to_owned()),
        Ends::SameVersion,
    ];
    let lives = toggles.iter().map(|toggle| (*toggle, Ends::Success));
    let ended = ends.into_iter().flat_map(|end| {
        let nulls: [fn(&mut Settings); 3] = [|_| {}, |s| s.task_nulls = TaskNulls::Null, |s| s.task_nulls = TaskNulls::NullError];
        nulls.map(|toggle| (toggle, end.clone()))
    });
    for (toggle, end) in lives.chain(ended).collect::<Vec<_>>() {
        renew(appliance);
        appliance.edit_machine(|machine| machine.ends = end);
        appliance.set(toggle);
        life(script, appliance).await?;
    }
    Ok(())
}

async fn life(script: &mut Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    // Its simulated minutes are longer than a session.
    enter(script, USER, PASSWORD).await?;
    let found = retrieve(script).await?;
    advance(appliance, 4);
    script.read(&format!("/tasks/{found}")).await?;
    advance(appliance, 4);
    script.read(&format!("/tasks/{found}")).await?;
    let version = appliance.offered().first().context("an update")?.clone();
    let (status, task) = install(script, &version).await?;
    ensure!(status == 202, "{status} {task}");
    for secs in [5, 100, 250] {
        advance(appliance, secs);
        if secs == 250 {
            enter(script, USER, PASSWORD).await?;
        }
        script.read("/tasks").await?;
        if let Some(id) = task["id"].as_str() {
            script.read(&format!("/tasks/{id}")).await?;
        }
        script.read("/appliance").await?;
    }
    ensure!(!appliance.installing(), "it is over");
    Ok(())
}

/// Installs that are not taken, services that are not up, bans, and the forms of errors.
async fn refusals(script: &mut Script<'_>, appliance: &Running<Appliance>) -> anyhow::Result<()> {
    for form in [ErrorBody::Full, ErrorBody::MessageOnly, ErrorBody::Empty] {
        renew(appliance);
        enter(script, USER, PASSWORD).await?;
        appliance.set(|s| (s.error_body, s.retrieve_fails) = (form, true));
        for (unknown, wanted) in [(UnknownVersion::NotFound, 404), (UnknownVersion::BadRequest, 400)] {
            appliance.set(|s| s.unknown_version = unknown);
            assert_eq!(install(script, "0.0.1").await?.0, wanted);
        }
        let retrieval = "/appliance/update-manager/actions/retrieve-updates";
        assert_eq!(script.post(retrieval, &Value::Null).await?.0, 500);
        appliance.set(|s| s.slow_boot = SlowBoot::Tasks500);
        appliance.come_back();
        assert_eq!(script.get("/tasks").await?.0, 500);
        advance(appliance, 100);
    }
    let seconds = [
        (SecondInstall::Rejected, 400),
        (SecondInstall::InternalError, 500),
        (SecondInstall::TaskFails, 202),
        (SecondInstall::StartsAnother, 202),
    ];
    for (second, wanted) in seconds {
        renew(appliance);
        enter(script, USER, PASSWORD).await?;
        appliance.set(|s| s.second_install = second);
        assert_eq!(install(script, VERSION_NEW).await?.0, 202);
        assert_eq!(install(script, VERSION_NEW).await?.0, wanted);
        advance(appliance, 20);
        script.read("/tasks").await?;
        appliance.come_back();
        advance(appliance, 100);
    }
    renew(appliance);
    enter(script, USER, PASSWORD).await?;
    for (boot, wanted) in [(SlowBoot::Tasks503, 200), (SlowBoot::All503, 503)] {
        appliance.set(|s| s.slow_boot = boot);
        appliance.come_back();
        assert_eq!((script.get("/tasks").await?.0, script.get("/tasks/none").await?.0), (503, 503));
        assert_eq!(script.get("/appliance").await?.0, wanted);
        advance(appliance, 100);
    }
    for (ban, wanted) in [(Ban::TooManyRequests, 429), (Ban::Forbidden, 403)] {
        appliance.set(|s| (s.rate_requests, s.rate_answer) = (Some(0), ban));
        assert_eq!(script.get("/appliance").await?.0, wanted);
    }
    appliance.set(|s| *s = Settings::default());
    // It goes down a second later, and the clock stands still: the proxy cannot follow a restart.
    let (status, _) = script.post("/appliance/actions/restart", &Value::Null).await?;
    assert_eq!(status, 204);
    appliance.come_back();
    advance(appliance, 100);
    Ok(())
}
