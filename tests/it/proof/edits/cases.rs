//! The cases of [`reasons`](super::reasons): how to come into an error, what its message has to say, and what is changed to leave it.

use serde_json::Value;
use serde_json::json;
use windlass::upgrade::reason::Reason;

use crate::sim::VCenter;
use crate::sim::vcenter;
use crate::sim::vcenter::Note;
use crate::sim::vcenter::Severity;
use crate::sim::vcenter::VERSION_NEW;
use crate::sim::vcenter::VERSION_NEWER;
use crate::sim::vcenter::VERSION_OLD;
use crate::world::World;

/// What is put right besides the upgrade's spec.
#[derive(Clone, Copy)]
pub enum Mend {
    Nothing,
    /// Something at the vendor.
    Vendor(fn(&VCenter, &str)),
    /// Another object, applied as its author would.
    Object(fn(&World, &str) -> Value),
}

/// A state that a case comes to, and how it is left from there.
pub struct Step {
    pub state: &'static str,
    pub reason: Reason,
    /// Words of the message that tell what to do; empty where nothing is wrong.
    pub says: &'static str,
    pub mend: Mend,
    /// What changes in the upgrade's spec.
    pub fix: fn(&[String]) -> Value,
}

/// One way into errors and out again.
pub struct Case {
    pub name: &'static str,
    /// How many clusters.
    pub clusters: usize,
    /// What the vendor is like before anything is applied.
    pub arrange: fn(&VCenter, &str),
    /// The first spec, besides version and clusters.
    pub spec: fn(&[String]) -> Value,
    /// The Connection and its Secret as they are first; `None` for no Connection.
    pub connection: fn(&World, &str) -> Option<Value>,
    pub steps: Vec<Step>,
    /// Starts sent in all.
    pub posts: usize,
}

fn good(world: &World, name: &str) -> Value {
    let mut connection = world.connection(name);
    connection["spec"]["credentialsSecretRef"]["name"] = json!("vc");
    connection
}

fn nothing(_: &[String]) -> Value {
    json!({})
}

fn untouched(_: &VCenter, _: &str) {}

fn run_key(_: &[String]) -> Value {
    json!({"runKey": "2"})
}

fn prechecks(vcenter: &VCenter, cluster: &str, severity: Option<Severity>) {
    let found = severity.into_iter().map(|s| Note::new(s, "Host esx7 is in maintenance.")).collect();
    vcenter.edit_cluster(cluster, |c| c.prechecks = found);
}

fn passes(vcenter: &VCenter, cluster: &str) {
    prechecks(vcenter, cluster, None);
}

fn fails(vcenter: &VCenter, cluster: &str) {
    prechecks(vcenter, cluster, Some(Severity::Error));
}

fn step(state: &'static str, reason: Reason, says: &'static str, mend: Mend, fix: fn(&[String]) -> Value) -> Step {
    Step {
        state,
        reason,
        says,
        mend,
        fix,
    }
}

fn case(name: &'static str, posts: usize, steps: Vec<Step>) -> Case {
    Case {
        name,
        clusters: 1,
        arrange: untouched,
        spec: nothing,
        connection: |world, name| Some(good(world, name)),
        steps,
        posts,
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    [spec_cases(), vendor_cases(), connection_cases()].into_iter().flatten().collect()
}

fn done(then: fn(&[String]) -> Value) -> Step {
    step("SUCCESS", Reason::UpgradeSucceeded, "", Mend::Nothing, then)
}

fn not_ready(says: &'static str, mend: fn(&World, &str) -> Value) -> Step {
    step("PENDING", Reason::ConnectionNotReady, says, Mend::Object(mend), nothing)
}

/// What the spec alone mends.
#[expect(clippy::too_many_lines, reason = "a table: one entry for each case")]
fn spec_cases() -> Vec<Case> {
    let new = |_: &[String]| json!({"desiredVersion": VERSION_NEW});
    let any_time = |_: &[String]| json!({"schedule": null});
    let later = |_: &[String]| json!({"schedule": null, "runKey": "2"});
    vec![
        Case {
            spec: |_| json!({"schedule": {"windows": [{"cron": "0 1 * * 6", "duration": "4h", "timeZone": "Europe/Madird"}]}}),
            ..case(
                "no-such-zone",
                1,
                vec![step(
                    "REJECTED",
                    Reason::InvalidSchedule,
                    "did you mean Europe/Madrid?",
                    Mend::Nothing,
                    any_time,
                )],
            )
        },
        Case {
            spec: |_| json!({"schedule": {"notAfter": "2026-01-01T00:00:00Z"}}),
            ..case(
                "too-late",
                1,
                vec![step("CANCELLED", Reason::NotStartedInTime, "spec.runKey", Mend::Nothing, later)],
            )
        },
        Case {
            spec: |_| json!({"desiredVersion": "v1.99.0"}),
            ..case(
                "not-offered",
                1,
                vec![step("PENDING", Reason::VersionNotOffered, VERSION_NEW, Mend::Nothing, new)],
            )
        },
        Case {
            arrange: |vcenter, id| {
                vcenter.edit_cluster(id, |c| {
                    VERSION_NEW.clone_into(&mut c.current_version);
                    c.available_versions.remove(0);
                });
            },
            spec: |_| json!({"desiredVersion": VERSION_OLD}),
            ..case(
                "older",
                1,
                vec![step(
                    "REJECTED",
                    Reason::WouldDowngrade,
                    "Ask for a newer version",
                    Mend::Nothing,
                    |_| json!({"desiredVersion": VERSION_NEWER}),
                )],
            )
        },
        case(
            "rolled-back",
            1,
            vec![
                done(|_| json!({"desiredVersion": VERSION_OLD})),
                step("REJECTED", Reason::WouldDowngrade, "Ask for a newer version", Mend::Nothing, new),
            ],
        ),
        Case {
            spec: |ids| json!({"clusters": [{"cluster": ids[0], "clusterName": "nobody"}]}),
            ..case(
                "misnamed",
                1,
                vec![step(
                    "REJECTED",
                    Reason::IdentityMismatch,
                    "clusterName says",
                    Mend::Nothing,
                    |ids| json!({"clusters": [{"cluster": ids[0], "clusterName": format!("supervisor-{}", ids[0])}]}),
                )],
            )
        },
        case(
            "other-options",
            1,
            vec![
                done(|ids| json!({"clusters": [{"cluster": ids[0], "ignorePrecheckWarnings": true}]})),
                step("REJECTED", Reason::RunKeyConflict, "set a new spec.runKey", Mend::Nothing, run_key),
            ],
        ),
        Case {
            spec: |_| json!({"clusters": [{"cluster": "domain-mistyped"}]}),
            ..case(
                "mistyped",
                1,
                vec![step(
                    "PENDING",
                    Reason::TargetNotFound,
                    "check spec.clusters[].cluster",
                    Mend::Nothing,
                    |ids| json!({"clusters": [{"cluster": ids[0]}]}),
                )],
            )
        },
        Case {
            spec: |_| json!({"suspend": true}),
            ..case(
                "suspended",
                1,
                vec![step(
                    "PENDING",
                    Reason::Suspended,
                    "take it out",
                    Mend::Nothing,
                    |_| json!({"suspend": false}),
                )],
            )
        },
    ]
}

/// What the vendor refuses or does not finish.
fn vendor_cases() -> Vec<Case> {
    let says = "set a new spec.runKey";
    let two = |name, steps, posts| Case {
        clusters: 2,
        arrange: fails,
        ..case(name, posts, steps)
    };
    vec![
        Case {
            arrange: fails,
            ..case(
                "refused",
                2,
                vec![step("REJECTED", Reason::VendorRejected, says, Mend::Vendor(passes), run_key)],
            )
        },
        Case {
            arrange: |vcenter, id| prechecks(vcenter, id, Some(Severity::Warning)),
            ..case(
                "warned",
                2,
                vec![step(
                    "REJECTED",
                    Reason::VendorRejected,
                    "change the options",
                    Mend::Nothing,
                    |ids| json!({"clusters": [{"cluster": ids[0], "ignorePrecheckWarnings": true}]}),
                )],
            )
        },
        two(
            "too-many",
            vec![step("FAILED", Reason::TooManyFailures, says, Mend::Vendor(passes), run_key)],
            3,
        ),
        two(
            "one-more-allowed",
            vec![
                step(
                    "FAILED",
                    Reason::TooManyFailures,
                    "1 failure, 0 allowed",
                    Mend::Nothing,
                    |_| json!({"strategy": {"maxFailures": 1}}),
                ),
                step("FAILED", Reason::PartlyFailed, says, Mend::Vendor(passes), run_key),
            ],
            3,
        ),
        Case {
            arrange: |vcenter, id| {
                vcenter.edit_cluster(id, |c| c.fail_after_nodes = Some(1));
            },
            ..case(
                "broken",
                2,
                vec![
                    step("FAILED", Reason::VendorFailed, says, Mend::Nothing, run_key),
                    step(
                        "PENDING",
                        Reason::TargetInError,
                        "clear it in vSphere",
                        Mend::Vendor(clear),
                        nothing,
                    ),
                ],
            )
        },
        case(
            "not-taken",
            4,
            vec![step("REJECTED", Reason::NotTaken, says, Mend::Nothing, run_key)],
        ),
    ]
}

fn clear(vcenter: &VCenter, cluster: &str) {
    vcenter.edit_cluster(cluster, |c| (c.failure, c.fail_after_nodes) = (None, None));
}

/// What is wrong with the Connection, its Secret or its certificate.
fn connection_cases() -> Vec<Case> {
    let secret = |world: &World, name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": world.namespace},
            "stringData": {"username": vcenter::USER, "password": vcenter::PASSWORD},
        })
    };
    vec![
        Case {
            connection: |_, _| None,
            ..case("no-connection", 1, vec![not_ready("create it", good)])
        },
        Case {
            connection: |world, name| Some(world.connection(name)),
            ..case("no-secret", 1, vec![not_ready("SecretNotFound", secret)])
        },
        Case {
            connection: |world, _| {
                let mut connection = world.connection("wrong-password");
                connection["spec"]["credentialsSecretRef"]["name"] = json!("mistyped");
                Some(connection)
            },
            ..case(
                "wrong-password",
                1,
                vec![not_ready("AuthFailed", |world, _| {
                    json!({
                        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mistyped", "namespace": world.namespace},
                        "stringData": {"username": vcenter::USER, "password": vcenter::PASSWORD},
                    })
                })],
            )
        },
        Case {
            connection: |world, name| {
                let mut connection = good(world, name);
                // Well-formed, and no authority of this vendor.
                connection["spec"]["caBundlePEM"] = json!(world.plane.ca_pem());
                Some(connection)
            },
            ..case("wrong-ca", 1, vec![not_ready("TLSUntrusted", good)])
        },
        Case {
            connection: |world, name| {
                let mut connection = good(world, name);
                connection["metadata"]["annotations"] = json!({"windlass.dev/hold": "a person looks first"});
                Some(connection)
            },
            ..case(
                "held",
                1,
                vec![step(
                    "PENDING",
                    Reason::Held,
                    "remove its annotation windlass.dev/hold",
                    Mend::Object(good),
                    nothing,
                )],
            )
        },
    ]
}
