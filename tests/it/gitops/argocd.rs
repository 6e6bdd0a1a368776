//! Argo CD: the layout of Applications that no waiting upgrade blocks, and the scripts that go into argocd-cm.

use serde_json::Value;
use serde_json::json;

use crate::chart::ROOT;
use crate::crds::installed;

const FOLDER: &str = "deploy/argocd";

/// The kinds that people keep in Git, and the actions on them.
const KINDS: [(&str, &[&str]); 5] = [
    ("ApplianceUpdate", &["hold", "release", "reconcile"]),
    ("ClusterUpgradeBatch", &["hold", "release", "reconcile"]),
    ("Connection", &["hold", "release", "reconcile"]),
    ("FirmwareUpgrade", &["hold", "release", "reconcile"]),
    ("Inventory", &["reconcile"]),
];

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{FOLDER}/{name}")).unwrap()
}

/// Lines further in, but for the empty ones.
fn indented(text: &str, by: usize) -> String {
    let line = |line: &str| {
        if line.is_empty() {
            "\n".to_owned()
        } else {
            format!("{:by$}{line}\n", "")
        }
    };
    text.lines().map(line).collect()
}

/// argocd-cm with each of the two ways to look at health, made of the scripts beside it.
pub fn config_maps() -> Vec<(String, String)> {
    ["gate", "handoff"]
        .iter()
        .map(|way| (format!("argocd-cm-{way}.yaml"), config_map(way)))
        .collect()
}

fn config_map(way: &str) -> String {
    let what = match way {
        "gate" => "an upgrade is healthy once it\n# has succeeded, and suspended while it waits for a time or for a person",
        _ => "an upgrade that waits\n# for a time or for a person is healthy, so that parents of Applications go on",
    };
    let mut parts = vec![format!(
        "# Health and actions of Windlass's kinds, for Argo CD: {what}.
# Made of the scripts in lua/; do not edit. It holds only these keys, so that it can be applied beside your own:
#   kubectl apply --server-side --field-manager=windlass -f {FOLDER}/argocd-cm-{way}.yaml
# Actions are rights like others: p, role:on-call, applications, action/windlass.dev/*/hold, */*, allow
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
"
    )];
    let script = |name: &str, by: usize| indented(&read(&format!("lua/{name}.lua")), by);
    for (kind, actions) in KINDS {
        let discovery = if actions.len() == 1 { "discovery-inventory" } else { "discovery" };
        parts.push(format!("  resource.customizations.health.windlass.dev_{kind}: |\n"));
        parts.push(script(way, 4));
        parts.push(format!(
            "  resource.customizations.actions.windlass.dev_{kind}: |\n    discovery.lua: |\n"
        ));
        parts.push(script(discovery, 6));
        parts.push("    definitions:\n".to_owned());
        for action in actions {
            parts.push(format!("    - name: {action}\n      action.lua: |\n"));
            parts.push(script(action, 8));
        }
    }
    parts.concat()
}

/// What the settings of argocd-cm for one of the two ways say of a kind: `health` or `actions`.
pub fn setting(way: &str, what: &str, kind: &str) -> String {
    let map: Value = serde_saphyr::from_str(&read(&format!("argocd-cm-{way}.yaml"))).unwrap();
    let key = format!("resource.customizations.{what}.windlass.dev_{kind}");
    map["data"][key].as_str().unwrap().to_owned()
}

fn application(name: &str) -> Value {
    let application: Value = serde_saphyr::from_str(&read(&format!("{name}.yaml"))).unwrap();
    assert_eq!(
        (&application["apiVersion"], &application["kind"]),
        (&json!("argoproj.io/v1alpha1"), &json!("Application"))
    );
    application
}

#[test]
fn no_waiting_upgrade_blocks_another_commit() {
    let text = read("upgrades.yaml");
    let upgrades = application("upgrades");
    let options = upgrades["spec"]["syncPolicy"]["syncOptions"].as_array().unwrap();
    assert!(options.contains(&json!("ApplyOutOfSyncOnly=true")), "{options:?}");
    assert!(text.contains("# WARNING."), "it says why");
    for name in ["windlass", "connections", "upgrades"] {
        let application = application(name);
        let body = application.to_string();
        for trap in [
            "argocd.argoproj.io/sync-wave",
            "argocd.argoproj.io/hook",
            "Replace=true",
            "Force=true",
        ] {
            assert!(!body.contains(trap), "{name}: {trap}");
        }
        assert!(
            application["metadata"].get("finalizers").is_none(),
            "{name}: its end takes nothing along"
        );
        assert!(
            application["spec"]["syncPolicy"]["automated"]["selfHeal"].as_bool().unwrap(),
            "{name}"
        );
    }
    assert_eq!(application("windlass")["spec"]["source"]["path"], "charts/windlass");
}

#[test]
fn samples_never_say_suspend_false_which_selfheal_would_bring_back() {
    for entry in std::fs::read_dir(format!("{ROOT}/deploy/samples")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let said = text.lines().any(|line| line.trim_start().starts_with("suspend:"));
        assert!(!said, "{}", path.display());
    }
}

#[test]
fn every_kind_in_git_has_its_health_and_no_action_settles_a_doubt() {
    for (name, text) in config_maps() {
        let map: Value = serde_saphyr::from_str(&text).unwrap();
        let data = map["data"].as_object().unwrap();
        assert_eq!(data.len(), 2 * KINDS.len(), "{name}");
        for (kind, actions) in KINDS {
            let health = data[&format!("resource.customizations.health.windlass.dev_{kind}")]
                .as_str()
                .unwrap();
            assert!(
                health.contains("obj.metadata.generation"),
                "{name}: {kind} takes no stale status for a new one"
            );
            let text = data[&format!("resource.customizations.actions.windlass.dev_{kind}")]
                .as_str()
                .unwrap();
            let defined: Value = serde_saphyr::from_str(text).unwrap();
            let names: Vec<&Value> = defined["definitions"].as_array().unwrap().iter().map(|d| &d["name"]).collect();
            assert_eq!(names, actions.to_vec(), "{name}: {kind}");
            let found = defined["discovery.lua"].as_str().unwrap();
            assert!(actions.iter().all(|action| found.contains(&format!("[\"{action}\"]"))), "{found}");
        }
        // Spec and status are for Git and for Windlass: an action touches annotations only, which self-heal leaves alone.
        assert!(!text.contains("obj.spec") && !text.contains("obj.status."), "{name}");
    }
}

#[test]
fn scripts_use_what_argo_cd_gives_them_only() {
    for entry in std::fs::read_dir(format!("{ROOT}/{FOLDER}/lua")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for missing in [
            "string.", "math.", "io.", "pcall", "load", "print", ":gsub", ":match", ":find", "..",
        ] {
            assert!(!text.contains(missing), "{}: {missing}", path.display());
        }
    }
}

#[tokio::test]
async fn the_settings_go_into_argocd_cm_beside_those_of_others() {
    let plane = installed().await;
    let kubectl = async |args: &[&str]| plane.kubectl(args).await.unwrap().ok().unwrap();
    kubectl(&["create", "namespace", "argocd"]).await;
    kubectl(&[
        "create",
        "configmap",
        "argocd-cm",
        "-n",
        "argocd",
        "--from-literal=url=https://argo.example",
    ])
    .await;
    for way in ["gate", "handoff"] {
        let file = format!("{ROOT}/{FOLDER}/argocd-cm-{way}.yaml");
        kubectl(&["apply", "--server-side", "--field-manager=windlass", "-f", &file]).await;
        let map = kubectl(&["get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"]).await;
        let map: Value = serde_json::from_str(&map).unwrap();
        assert_eq!(map["data"]["url"], "https://argo.example");
        let health = map["data"]["resource.customizations.health.windlass.dev_FirmwareUpgrade"]
            .as_str()
            .unwrap();
        assert_eq!(health, read(&format!("lua/{way}.lua")));
    }
}
