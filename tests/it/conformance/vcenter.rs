//! vCenter: the operator's whole life, then every operation, documented status and form that the simulator has.

use anyhow::ensure;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::book::By;
use super::book::Grace;
use super::front::Front;
use super::prism::Prism;
use super::script::Script;
use super::script::answer;
use super::setup;
use super::spec::Spec;
use super::vcenter_breaks;
use super::vcenter_operator;
use crate::sim::Running;
use crate::sim::vcenter::Already;
use crate::sim::vcenter::Cluster;
use crate::sim::vcenter::Exception;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::PASSWORD;
use crate::sim::vcenter::Prechecks;
use crate::sim::vcenter::Refuse;
use crate::sim::vcenter::SESSION_HEADER;
use crate::sim::vcenter::SecondCall;
use crate::sim::vcenter::Settings;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::USER;
use crate::sim::vcenter::User;
use crate::sim::vcenter::VCenter;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::sim::vcenter::VERSION_OLD;
use crate::world::World;

/// Before the paths of the script.
pub const API: &str = "/api";
/// The clusters, after [`API`].
pub const CLUSTERS: &str = "/vcenter/namespace-management/software/clusters";
/// The cluster of the script.
pub const SUBJECT: &str = "domain-c50";

const MULTIPLE: &str = "POST /api/vcenter/namespace-management/software/clusters?action=upgradeMultiple";
const UNKNOWN: &str = "[U] what a start that cannot be gives is not documented, so the simulator can give each likely status";

const GRACES: [Grace; 3] = [
    Grace {
        of: "GET /api/vcenter/namespace-management/software/cluster-available-versions",
        status: 200,
        why: "documented by the vendor (SDK 9.1), not in the part of its specification that we have",
    },
    Grace {
        of: MULTIPLE,
        status: 400,
        why: UNKNOWN,
    },
    Grace {
        of: MULTIPLE,
        status: 404,
        why: UNKNOWN,
    },
];

#[tokio::test]
async fn vcenter_and_the_operator_keep_to_the_vendors_specification() -> anyhow::Result<()> {
    let Some(setup) = setup("vCenter") else { return Ok(()) };
    let world = World::new("conformvc", vcenter_operator::config()).await?;
    let spec = Spec::vcenter(&setup.specs)?;
    let prism = Prism::start(&setup, world.plane, &spec, &world.vcenter.url(), world.vcenter.ca_pem()).await?;
    let front = Front::start(prism.url()).await?;
    let lived = vcenter_operator::lives(&world, &front).await;
    front.book().explains(&spec, lived)?;

    let labels: Vec<String> = spec.operations.iter().map(ToString::to_string).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut script = Script::new(&front, API, SESSION_HEADER)?;
    sessions(&mut script, &world.vcenter).await?;
    privileges(&mut script, &world.vcenter).await?;
    forms(&script, &world.vcenter).await?;
    starts(&script, &world.vcenter).await?;
    script.every_error(&world.vcenter, &spec, &labels).await?;

    front.book().assert_clean(&spec, &GRACES)?;
    front.book().assert_called(&spec, By::Operator, &vcenter_operator::OPERATIONS)?;
    front.book().assert_called(&spec, By::Script, &labels)?;
    front.book().assert_every_status(&spec, &labels, &[])?;
    let (through, arrived) = (front.book().exchanges().len(), world.vcenter.log().requests().len());
    assert_eq!(
        through, arrived,
        "nothing reached the vendor but through the proxy, and all of that did"
    );
    vcenter_breaks::are_seen(&prism, &spec, &world.vcenter).await
}

/// Logs in, and takes the session over.
pub async fn enter(script: &mut Script<'_>, user: &str, password: &str) -> anyhow::Result<String> {
    let (status, token) = script.login(user, password).await?;
    ensure!(status == 201, "{status} {token}");
    Ok(script.enter(token.as_str().unwrap_or_default()))
}

/// An unharmed cluster of the script's.
pub fn renew(vc: &VCenter) {
    let mut subject = Cluster::new(SUBJECT, VERSION_OLD, &[VERSION_NEW, VERSION_NEWER]);
    subject.upgrade_secs = 60;
    vc.put_cluster(subject);
}

/// What `upgradeMultiple` says to a start of the script's cluster.
pub async fn start(script: &Script<'_>, version: &str, ignore: Option<bool>) -> anyhow::Result<(u16, Value)> {
    let mut spec = json!({"desired_version": version});
    if let Some(ignore) = ignore {
        spec["ignore_precheck_warnings"] = json!(ignore);
    }
    script
        .post(&format!("{CLUSTERS}?action=upgradeMultiple"), &json!({SUBJECT: spec}))
        .await
}

async fn expect(script: &Script<'_>, version: &str, ignore: Option<bool>, res: &str) -> anyhow::Result<()> {
    let (status, results) = start(script, version, ignore).await?;
    ensure!((status, &results[SUBJECT]["res"]) == (200, &json!(res)), "{status} {results}");
    Ok(())
}

async fn sessions(script: &mut Script<'_>, vc: &Running<VCenter>) -> anyhow::Result<()> {
    assert_eq!(script.login(USER, "guess").await?.0, 401);
    assert_eq!(script.get("/session").await?.0, 401, "no such session");
    assert_eq!(script.delete("/session").await?.0, 401);
    enter(script, USER, PASSWORD).await?;
    assert_eq!(script.read("/session").await?["user"], USER);
    vc.set(|s| s.session_service_down = true);
    assert_eq!(script.login(USER, PASSWORD).await?.0, 503);
    assert_eq!((script.get("/session").await?.0, script.delete("/session").await?.0), (503, 503));
    vc.set(|s| (s.session_service_down, s.max_sessions) = (false, 1));
    assert_eq!(script.login(USER, PASSWORD).await?.0, 503, "one too many");
    vc.set(|s| *s = Settings::default());
    assert_eq!(script.delete("/session").await?.0, 204);
    Ok(())
}

async fn privileges(script: &mut Script<'_>, vc: &Running<VCenter>) -> anyhow::Result<()> {
    renew(vc);
    let one = format!("{CLUSTERS}/{SUBJECT}");
    let single = json!({"desired_version": VERSION_NEW});
    for (user, wanted) in [("nobody", 401), ("stranger", 403)] {
        if user == "stranger" {
            vc.set_users(vec![User::manager(USER, PASSWORD), User::stranger("stranger", "s")]);
            enter(script, "stranger", "s").await?;
        } else {
            script.enter("ended-long-ago");
        }
        assert_eq!(script.get(CLUSTERS).await?.0, wanted);
        assert_eq!(script.get(&one).await?.0, wanted);
        assert_eq!(start(script, VERSION_NEW, None).await?.0, wanted);
        assert_eq!(script.post(&format!("{one}?action=upgrade"), &single).await?.0, wanted);
    }
    enter(script, USER, PASSWORD).await?;
    Ok(())
}

/// What a cluster shows in each state of its life, under each toggle of its form.
async fn forms(script: &Script<'_>, vc: &Running<VCenter>) -> anyhow::Result<()> {
    let toggles: [fn(&mut Settings); 7] = [
        |_| {},
        |s| s.conditions = false,
        |s| s.progress = false,
        |s| s.status_when_ready = true,
        |s| s.last_upgraded_date = false,
        |s| s.summary_desired_version = false,
        |s| s.accept_delay_secs = 30,
    ];
    let one = format!("{CLUSTERS}/{SUBJECT}");
    let look = async |state: &str| {
        script.read(CLUSTERS).await?;
        let info = script.read(&one).await?;
        ensure!(info["state"] == state, "{state}: {info}");
        anyhow::Ok(())
    };
    let advance = |secs| vc.clock().advance(std::time::Duration::from_secs(secs));
    let notes = || [Severity::Info, Severity::Warning, Severity::Error].map(|severity| Note::new(severity, "a finding"));
    for toggle in toggles {
        vc.set(|s| {
            *s = Settings::default();
            toggle(s);
        });
        renew(vc);
        vc.edit_cluster(SUBJECT, |c| (c.prechecks, c.messages) = (notes().to_vec(), notes().to_vec()));
        look("READY").await?;
        vc.edit_cluster(SUBJECT, |c| c.prechecks.clear());
        expect(script, VERSION_NEW, None, "STARTED").await?;
        advance(35);
        look("PENDING").await?;
        advance(100);
        look("READY").await?;
        vc.edit_cluster(SUBJECT, |c| c.fail_after_nodes = Some(1));
        expect(script, VERSION_NEWER, None, "STARTED").await?;
        advance(100);
        look("ERROR").await?;
        script
            .read("/vcenter/namespace-management/software/cluster-available-versions")
            .await?;
    }
    vc.set(|s| *s = Settings::default());
    vc.edit_cluster(SUBJECT, |c| c.supervisor = false);
    assert_eq!(script.get(&one).await?.0, 400, "no Supervisor");
    assert_eq!(script.get(&format!("{CLUSTERS}/domain-c404")).await?.0, 404);
    Ok(())
}

/// What a start is answered, under each toggle of that.
async fn starts(script: &Script<'_>, vc: &Running<VCenter>) -> anyhow::Result<()> {
    for exception in [Exception::Error, Exception::Typed, Exception::Empty, Exception::Absent] {
        renew(vc);
        vc.set(|s| s.exception = exception);
        vc.edit_cluster(SUBJECT, |c| c.prechecks = vec![Note::new(Severity::Warning, "low on disk")]);
        expect(script, VERSION_NEW, None, "REJECTED").await?;
        expect(script, VERSION_NEW, Some(false), "REJECTED").await?;
        expect(script, VERSION_NEW, Some(true), "STARTED").await?;
    }
    vc.set(|s| *s = Settings::default());
    let refusals = [
        (Refuse::Rejected, 200),
        (Refuse::NotFound400, 400),
        (Refuse::InvalidArgument, 400),
        (Refuse::NotFound, 404),
        (Refuse::InternalError, 500),
    ];
    for (refuse, wanted) in refusals {
        renew(vc);
        vc.set(|s| (s.unknown_cluster, s.unsupported_version) = (refuse, refuse));
        assert_eq!(start(script, "v0.0.1", None).await?.0, wanted);
        vc.remove_cluster(SUBJECT);
        assert_eq!(start(script, VERSION_NEW, None).await?.0, wanted);
    }
    for (already, wanted) in [(Already::AsUnsupported, 500), (Already::Rejected, 200), (Already::RefuseCall, 400)] {
        renew(vc);
        vc.set(|s| s.already_at_version = already);
        assert_eq!(start(script, VERSION_OLD, None).await?.0, wanted);
    }
    vc.set(|s| *s = Settings::default());
    let seconds = [
        (SecondCall::Rejected, 200),
        (SecondCall::NotAllowed, 400),
        (SecondCall::ResourceBusy, 400),
        (SecondCall::StartedIgnored, 200),
        (SecondCall::StartedRestarts, 200),
    ];
    for (second, wanted) in seconds {
        renew(vc);
        vc.set(|s| s.second_call = second);
        expect(script, VERSION_NEW, None, "STARTED").await?;
        assert_eq!(start(script, VERSION_NEW, None).await?.0, wanted);
    }
    for prechecks in [Prechecks::AfterAccept, Prechecks::AfterAcceptSilently] {
        renew(vc);
        vc.set(|s| s.prechecks = prechecks);
        vc.edit_cluster(SUBJECT, |c| {
            c.prechecks = vec![Note::new(Severity::Error, "host esx7 is in maintenance")];
        });
        expect(script, VERSION_NEW, None, "STARTED").await?;
        script.read(&format!("{CLUSTERS}/{SUBJECT}")).await?;
    }
    vc.set(|s| *s = Settings::default());
    let (spec, one) = (
        json!({"desired_version": VERSION_NEW}),
        format!("{CLUSTERS}/{SUBJECT}?action=upgrade"),
    );
    renew(vc);
    assert_eq!(script.post(&one, &spec).await?.0, 204);
    assert_eq!(script.post(&one, &spec).await?.0, 400, "it is under way");
    vc.remove_cluster(SUBJECT);
    assert_eq!(script.post(&one, &spec).await?.0, 404);
    let none = answer(
        script
            .request(Method::POST, &format!("{CLUSTERS}?action=upgradeMultiple"))
            .json(&json!({})),
    )
    .await?;
    assert_eq!(none, (200, json!({})), "of no cluster");
    Ok(())
}
