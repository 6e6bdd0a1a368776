//! Aruba Central: the operator's whole life, held against the requests that the vendor shows.
//!
//! The specification was made of a public collection of requests (`vendors.md` 6), so it has no form for any answer: only the side of the requests
//! says something, and of the answers only that they are JSON. The token service is not in it.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::book::By;
use super::book::Side;
use super::front::Front;
use super::front::Past;
use super::prism::Prism;
use super::script::Script;
use super::setup;
use super::spec::Spec;
use crate::central::World;
use crate::central::still;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Kind;
use crate::sim::aruba::VERSION_NEW;

/// What the operator's client asks Central for, as far as the specification has it.
const OPERATIONS: [&str; 5] = [
    "GET /firmware/v1/devices",
    "GET /firmware/v1/swarms",
    "GET /firmware/v1/versions",
    "GET /firmware/v1/versions/{firmware_version}",
    START,
];

const START: &str = "POST /firmware/v1/msp/upgrade/customers/{customer_id}";

/// The token service, which the vendor documents on pages of its own; the collection has requests of the firmware service only.
const TOKENS: &str = "/oauth2/";

#[tokio::test]
async fn the_operators_requests_keep_to_those_that_the_vendor_of_central_shows() -> anyhow::Result<()> {
    let Some(setup) = setup("Aruba Central") else { return Ok(()) };
    let world = World::new("conformaruba", still().estate(|e| e.models = 2)).await?;
    let spec = Spec::aruba(&setup.specs)?;
    let prism = Prism::start(&setup, world.plane, &spec, &world.central.url(), world.central.ca_pem()).await?;
    let past = Past {
        prefix: TOKENS,
        url: &world.central.url(),
        ca_pem: world.central.ca_pem(),
    };
    let front = Front::with_past(prism.url(), past).await?;
    front.book().explains(&spec, lives(&world, &front).await)?;
    front.book().assert_clean(&spec, &[])?;
    front.book().assert_called(&spec, By::Operator, &OPERATIONS)?;
    let (through, requests) = (front.book().exchanges().len(), world.central.log().requests());
    let arrived = requests.iter().filter(|request| !request.path.starts_with(TOKENS)).count();
    assert_eq!(
        through, arrived,
        "no request for firmware reached Central but through the proxy, and all of those did"
    );
    are_seen(&world, &prism, &spec).await
}

/// Login, probe, an inventory of all types, an upgrade with a group that is left alone, one to what is recommended, and the question about an image
/// where lists of versions are refused.
async fn lives(world: &World, front: &Front) -> anyhow::Result<()> {
    world.by_user(aruba::PASSWORD).await?;
    world.connect_at(&front.url(), front.ca_pem(), 900_000).await?;
    let operator = world.operator().await?;
    world.connected("Reachable").await?;
    world.inventory(&[CUSTOMER], &["IAP", "MAS", "HP", "CX", "CONTROLLER"]).await?;
    world.shown("firmware", |s| !s.json["arubaCentral"]["firmware"].is_null()).await?;
    let excluded = json!({"excludeGroups": [aruba::group(0)]});
    world.upgrade_with(json!({"version": VERSION_NEW}), excluded).await?;
    world.taken().await?;

    let refuses = Action::Refuse {
        status: 400,
        reason: 4,
        when: When::Before,
    };
    let lists = aruba::version_reads().except("/firmware/v1/versions/*");
    let rule = world.central.faults().add(Rule::new(refuses).on(lists));
    let hp = json!({"deviceType": "HP", "reboot": false});
    world.upgrade_as("hp", json!({"version": Kind::Hp.version_new()}), hp).await?;
    let taken = |s: &crate::ground::Status| ["STARTED", "RUNNING"].contains(&s.state());
    world.until_as("hp", "it was taken", taken).await?;
    world.central.faults().remove(rule)?;

    let iap = json!({"deviceType": "IAP", "reboot": null, "recommended": true});
    world.upgrade_as("iap", json!({}), iap).await?;
    world.until_as("iap", "it was taken", taken).await?;
    assert_eq!(operator.terminate().await?, Some(0), "a clean stop");
    Ok(())
}

/// That the check can fail: a list that is no text, a field that nobody knows, a type that is missing or wrong.
async fn are_seen(world: &World, prism: &Prism, spec: &Spec) -> anyhow::Result<()> {
    // A book of its own: what is meant to be wrong is not held against anybody.
    let front = Front::start(prism.url()).await?;
    let mut script = Script::new(&front, "", "authorization")?;
    script.enter(&format!("Bearer {}", world.central.access_token(aruba::CLIENT_ID)?.expose()));
    let path = aruba::start_path(CUSTOMER);
    let wrong: [(&str, Value); 4] = [
        ("exclude_groups", json!({"device_type": "CX", "exclude_groups": ["Lab"]})),
        ("force", json!({"device_type": "CX", "force": true})),
        ("device_type", json!({"firmware_version": VERSION_NEW})),
        (
            "firmware_scheduled_at",
            json!({"device_type": "CX", "firmware_scheduled_at": "soon"}),
        ),
    ];
    for (word, body) in wrong {
        script
            .breaks(Side::Request, word, script.request(Method::POST, &path).json(&body))
            .await?;
    }
    let page = script.request(Method::GET, "/firmware/v1/devices?limit=many");
    script.breaks(Side::Request, "limit", page).await?;
    front.book().assert_counted(spec)
}
