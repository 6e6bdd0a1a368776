//! Supervisor clusters as vCenter shows them, turned into sights.
//!
//! `state` is PENDING (an upgrade is under way), READY (none is) or ERROR (one failed and waits for somebody); another word is never
//! taken for READY. `progress` counts control-plane nodes. Sources: vSphere Automation API specification 9.1, schemas
//! `NamespaceManagement.Software.Clusters.Summary` and `.Info`.

use serde_json::Value;

use super::wire;
use super::wire::texts;
use super::wire::word;
use super::wire::words;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::vendor::seam::Asked;
use crate::vendor::text::sanitize;

/// Most versions that a cluster is offered; vCenter offers a handful. Sights are kept, four of each target, and a list of 8 MiB in each
/// would be the end of the process. A longer list counts as not shown, and the sight as incomplete.
const MOST_VERSIONS: usize = 64;

/// A row of `GET software/clusters`. `None` when it does not say which cluster it is about.
pub(super) fn of_summary(asked: &Asked, row: &Value) -> Option<(String, Sight)> {
    let cluster = word(row, "cluster")?;
    let mut sight = seen(asked, row, word(row, "desired_version"), None);
    sight.identity = row
        .get("cluster_name")
        .and_then(Value::as_str)
        .map(sanitize)
        .filter(|name| !name.is_empty());
    sight.complete &= sight.identity.is_some();
    Some((cluster, sight))
}

/// The answer of `GET software/clusters/{cluster}`. It has no name in it: `identity` is left to whoever has the list.
pub(super) fn of_info(asked: &Asked, info: &Value) -> Sight {
    let status = info.get("upgrade_status").unwrap_or(&Value::Null);
    let desired = word(status, "desired_version").or_else(|| word(info, "desired_version"));
    let mut sight = seen(asked, info, desired, percent(status.get("progress")));
    sight.complete &= info.get("messages").is_some_and(Value::is_array);
    sight.detailed = true;
    sight.says = says(info, status);
    sight
}

/// What both shapes have in common. Every field that the specification requires counts towards completeness.
fn seen(asked: &Asked, value: &Value, desired: Option<String>, progress: Option<i32>) -> Sight {
    let version = word(value, "current_version");
    let offered = words(value, "available_versions").filter(|versions| versions.len() <= MOST_VERSIONS);
    let state = word(value, "state");
    let motion = match state.as_deref() {
        Some("PENDING") => Motion::Moving {
            toward: desired.clone(),
            progress,
        },
        Some("READY" | "ERROR") => Motion::Still,
        Some(other) => {
            return asked.not_seen(
                &format!("vCenter shows the state {other:?}, which this version does not know"),
                false,
                false,
            );
        }
        None => return asked.not_seen("vCenter shows no state", false, false),
    };
    Sight {
        complete: version.is_some() && offered.is_some(),
        looks: version.map(|version| Looks {
            version,
            faulted: state.as_deref() == Some("ERROR"),
            desired,
            stamp: word(value, "last_upgraded_date"),
            ..Looks::default()
        }),
        offered: Offered::Versions(offered.unwrap_or_default()),
        jobs: Vec::new(),
        motion,
        ..asked.not_seen("", false, false)
    }
}

/// Percent of control-plane nodes done, when vCenter counts them sensibly.
fn percent(progress: Option<&Value>) -> Option<i32> {
    let count = |field| progress?.get(field)?.as_i64();
    let (completed, total) = (i128::from(count("completed")?), i128::from(count("total")?));
    if total <= 0 {
        return None;
    }
    i32::try_from((completed * 100 / total).clamp(0, 100)).ok()
}

/// What vCenter says about the cluster, for people: its messages, those of the upgrade, and the conditions that are not met.
fn says(info: &Value, status: &Value) -> Option<String> {
    let unmet = |list: Option<&Value>| -> Vec<String> {
        let conditions = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let unmet = conditions.iter().filter(|c| word(c, "status").as_deref() == Some("FALSE"));
        unmet.filter_map(|c| texts(c.get("description")?)).collect()
    };
    let mut all = Vec::new();
    all.extend(info.get("messages").and_then(texts));
    all.extend(status.get("messages").and_then(texts));
    all.extend(status.get("progress").and_then(texts));
    all.extend(unmet(info.get("upgrade_prechecks")));
    all.extend(unmet(status.get("components")));
    wire::join(all)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::upgrade::target::Authority;
    use crate::upgrade::timing::Mono;

    fn asked() -> Asked {
        Asked {
            mono: Mono::default(),
            at: Timestamp::UNIX_EPOCH,
            authority: Authority::from_url("https://vc1.example").unwrap(),
        }
    }

    fn text(words: &str) -> Value {
        json!({"id": "i", "default_message": words, "args": []})
    }

    #[test]
    fn a_ready_cluster_is_still() {
        let info = json!({"state": "READY", "current_version": "v1.29", "available_versions": ["v1.30"], "messages": [], "last_upgraded_date": "2026-01-01T00:00:00.000Z"});
        let sight = of_info(&asked(), &info);
        assert!(sight.complete && sight.detailed);
        assert_eq!(sight.motion, Motion::Still);
        let stamp = Some("2026-01-01T00:00:00.000Z".to_owned());
        assert_eq!(
            sight.looks,
            Some(Looks {
                version: "v1.29".to_owned(),
                faulted: false,
                desired: None,
                stamp,
                ..Looks::default()
            })
        );
        assert_eq!(
            (sight.offered, sight.says, sight.identity),
            (Offered::Versions(vec!["v1.30".to_owned()]), None, None)
        );
    }

    #[test]
    fn a_pending_cluster_moves_by_nodes() {
        let info = json!({"state": "PENDING", "current_version": "v1.29", "available_versions": [], "messages": [],
            "upgrade_status": {"desired_version": "v1.30", "messages": [], "progress": {"total": 3, "completed": 1, "message": text("node 2")}}});
        let sight = of_info(&asked(), &info);
        assert_eq!(
            sight.motion,
            Motion::Moving {
                toward: Some("v1.30".to_owned()),
                progress: Some(33)
            }
        );
        assert!(sight.moving_toward("v1.30") && sight.complete);
        assert_eq!(sight.says.as_deref(), Some("node 2"));
    }

    #[test]
    fn odd_counts_give_no_percent_or_a_bounded_one() {
        for (progress, expected) in [
            (json!({"total": 0, "completed": 0}), None),
            (json!({"total": -1, "completed": 1}), None),
            (json!({"total": 3}), None),
            (json!({"total": "3", "completed": 1}), None),
            (json!({"total": 3, "completed": 9}), Some(100)),
            (json!({"total": 3, "completed": -9}), Some(0)),
            (json!({"total": i64::MAX, "completed": i64::MAX}), Some(100)),
            (json!(null), None),
        ] {
            assert_eq!(percent(Some(&progress)), expected, "{progress}");
        }
    }

    #[test]
    fn an_error_is_still_and_faulted_with_the_vendors_words() {
        let info = json!({"state": "ERROR", "current_version": "v1.29", "available_versions": [],
            "messages": [{"severity": "ERROR", "details": text("node 2 is stuck")}],
            "upgrade_prechecks": [{"type": "T", "status": "FALSE", "description": text("not enough space")}, {"status": "TRUE", "description": text("fine")}]});
        let sight = of_info(&asked(), &info);
        assert_eq!(sight.motion, Motion::Still);
        assert!(sight.looks.unwrap().faulted);
        assert_eq!(sight.says.as_deref(), Some("ERROR node 2 is stuck; not enough space"));
    }

    #[test]
    fn an_unknown_or_missing_state_is_never_still() {
        for state in [json!("UPGRADING"), json!("ready"), json!(null), json!(3), json!("")] {
            let info = json!({"state": state, "current_version": "v1.29", "available_versions": ["v1.30"], "messages": []});
            let sight = of_info(&asked(), &info);
            assert!(
                !sight.seen() && !sight.complete && sight.looks.is_none() && sight.offered == Offered::Unasked,
                "{state}"
            );
            assert!(matches!(sight.motion, Motion::NotSeen { unknown_object: false, .. }));
        }
    }

    #[test]
    fn a_missing_field_makes_a_sight_incomplete() {
        let whole = json!({"state": "READY", "current_version": "v1.29", "available_versions": ["v1.30"], "messages": []});
        assert!(of_info(&asked(), &whole).complete);
        for field in ["current_version", "available_versions", "messages"] {
            for broken in [Value::Null, json!(7), json!([7])] {
                let mut info = whole.clone();
                info[field] = broken;
                if field == "messages" && info[field].is_array() {
                    continue;
                }
                assert!(!of_info(&asked(), &info).complete, "{field}: {info}");
            }
        }
    }

    #[test]
    fn a_row_of_the_list_has_the_name() {
        let row = json!({"cluster": "domain-c8", "cluster_name": "lab-\u{202e}a", "state": "PENDING", "desired_version": "v1.30", "current_version": "v1.29", "available_versions": []});
        let (cluster, sight) = of_summary(&asked(), &row).unwrap();
        assert_eq!((cluster.as_str(), sight.identity.as_deref()), ("domain-c8", Some("lab-a")));
        assert!(sight.moving_toward("v1.30") && sight.complete && !sight.detailed);
        assert!(of_summary(&asked(), &json!({"cluster_name": "x"})).is_none());
        assert!(of_summary(&asked(), &json!("domain-c8")).is_none());
    }
}
