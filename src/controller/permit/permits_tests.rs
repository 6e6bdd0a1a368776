//! What an API server is asked before a note is written: a kube client whose API server is this file.

use std::pin::pin;

use http::Request;
use http::Response;
use kube::client::Body;
use serde_json::Value;

use super::*;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Run;
use crate::upgrade::schedule::Written;
use crate::upgrade::sight::Looks;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;

/// A note that `notAfter` has passed, as decided by our own clock.
fn too_late(clock: &Clock, not_after: Timestamp) -> Plan {
    let own = Schedule::parse(&Written {
        not_after: Some(not_after),
        ..Written::default()
    });
    Plan {
        effect: Effect {
            key: TargetKey::cluster(Authority::from_url("https://vc1.example").unwrap(), "domain-c8"),
            seq: 1,
            run: Run {
                namespace: "vsphere".to_owned(),
                version: "v2".to_owned(),
                run_key: String::new(),
            },
            options: Options::Cluster {
                ignore_precheck_warnings: false,
            },
            before: Looks::default(),
            what: What::Note(Note::NotStartedInTime),
            closes: None,
            due: None,
        },
        as_of: AsOf {
            mono: clock.mono(),
            wall: clock.wall(),
        },
        schedules: Schedules {
            own: own.unwrap(),
            connection: Schedule::default(),
        },
        connection: "vc1".to_owned(),
        requested_by: RequestedBy {
            kind: "ClusterUpgradeBatch".to_owned(),
            name: "nightly".to_owned(),
            uid: "u".to_owned(),
            generation: 1,
            field_manager: None,
            tracking_id: None,
        },
        request: String::new(),
        order: Order {
            version: "v2".to_owned(),
            options: Options::Cluster {
                ignore_precheck_warnings: false,
            },
            scheduled_at: None,
        },
    }
}

/// What becomes of the note where it is `now` by the API server, and how many creates that one carried out.
async fn noted(now: impl Fn(Timestamp) -> Timestamp) -> (Result<(), Refused>, usize) {
    let clock = Clock::system();
    let not_after = clock.wall() - SignedDuration::from_hours(1);
    let plan = too_late(&clock, not_after);
    let created = now(not_after);
    let (service, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut handle = pin!(handle);
        let mut carried_out = 0;
        while let Some((request, answer)) = handle.next_request().await {
            let dry = request.uri().query().is_some_and(|q| q.contains("dryRun=All"));
            carried_out += usize::from(!dry);
            let mut object: Value = serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap();
            object["metadata"]["creationTimestamp"] = json!(created);
            answer.send_response(Response::new(Body::from(serde_json::to_vec(&object).unwrap())));
        }
        carried_out
    });
    let permits = Permits::new(
        Client::new(service, "default"),
        clock,
        Timing::production(),
        BootId("boot-1".to_owned()),
        Metrics::new(),
        tokio_util::sync::CancellationToken::new(),
    );
    let noted = permits.note(&plan).await.map(|_| ());
    drop(permits);
    (noted, server.await.unwrap())
}

/// Found by the model: a wall clock that was set ahead, past `notAfter`, cancelled for good what still had time.
#[tokio::test]
async fn too_late_is_noted_only_where_the_api_server_says_so_too() {
    let (refused, written) = noted(|last| last - SignedDuration::from_secs(2)).await;
    assert!(matches!(refused, Err(Refused::NotTooLate(_))) && written == 0, "{refused:?}");
    let (noted, written) = noted(|last| last + SignedDuration::from_secs(2)).await;
    assert!(noted.is_ok() && written == 1, "{noted:?}");
}
