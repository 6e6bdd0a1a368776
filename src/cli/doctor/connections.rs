//! Whether each Connection can be used, and how to mend it if not.

use super::Finding;
use crate::api::Connection;
use crate::api::HOLD_ANNOTATION;
use crate::api::connection::ConnectionType;
use crate::cli::cluster::Cluster;
use crate::cli::cluster::ClusterError;
use crate::cli::cluster::connections;
use crate::cli::cluster::typed;
use crate::cli::page::many;

/// Looks at the Connections of a namespace, or of all.
pub async fn check(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Finding>, ClusterError> {
    let objects = match cluster.list(&connections()?, namespace, None).await {
        Ok(objects) => objects,
        Err(error) if error.forbidden() => return Ok(vec![Finding::warn("Connections", error.to_string())]),
        Err(error) => return Err(error),
    };
    let all = objects.iter().map(typed::<Connection>).collect::<Result<Vec<_>, _>>()?;
    Ok(judge(&all, cluster.me))
}

fn judge(all: &[Connection], me: &str) -> Vec<Finding> {
    let mut out: Vec<Finding> = all.iter().filter_map(|connection| ill(connection, me)).collect();
    let ready = all.iter().filter(|c| reason(c).is_none()).count();
    out.push(Finding::ok(
        "Connections",
        format!("{}, {ready} ready", many(all.len(), "Connection")),
    ));
    out
}

/// Why it is not Ready: the reason and the message; both empty where nobody has tried it.
fn reason(connection: &Connection) -> Option<(String, String)> {
    let status = connection.status.clone().unwrap_or_default();
    let ready = status.conditions.into_iter().find(|c| c.type_ == "Ready");
    match ready {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some((ready.reason, ready.message)),
        None => Some(Default::default()),
    }
}

fn ill(connection: &Connection, me: &str) -> Option<Finding> {
    let namespace = connection.metadata.namespace.clone().unwrap_or_default();
    let name = connection.metadata.name.clone().unwrap_or_default();
    let what = format!("{namespace}/{name}");
    let Some((reason, message)) = reason(connection) else {
        let annotations = connection.metadata.annotations.as_ref();
        let held = annotations.and_then(|a| a.get(HOLD_ANNOTATION)).map(|why| format!("held: {why}"));
        let suspended = connection.spec.suspend.unwrap_or(false).then(|| "spec.suspend is true".to_owned());
        let fix = match (&held, &suspended) {
            (Some(_), _) => format!("{me} release conn/{name} -n {namespace}"),
            _ => "where its manifest is kept, take out spec.suspend".to_owned(),
        };
        return Some(Finding::warn(what, format!("nothing starts through it, {}", held.or(suspended)?)).with_fix(fix));
    };
    if reason.is_empty() {
        let fix = format!("does Windlass run, and serve namespace {namespace}? See --watch-namespace of its Deployment");
        return Some(Finding::fail(what, "nobody has tried it", fix));
    }
    let fix = fix(connection, &reason, &message, &namespace, &name);
    Some(Finding::fail(what, format!("{reason}: {message}"), fix))
}

/// What to type, by the reason; for others the message says what is wrong.
fn fix(connection: &Connection, reason: &str, message: &str, namespace: &str, name: &str) -> String {
    let secret = &connection.spec.credentials_secret_ref.name;
    let keys = match connection.spec.type_ {
        ConnectionType::ArubaCentral => &["clientID", "clientSecret", "refreshToken"][..],
        ConnectionType::VCenter | ConnectionType::RecoveryAppliance | ConnectionType::Hmc => &["username", "password"],
    };
    let files: Vec<String> = keys.iter().map(|key| format!("--from-file={key}")).collect();
    let files = files.join(" ");
    let endpoint = connection.spec.url.trim_start_matches("https://").trim_end_matches('/');
    let endpoint = if endpoint.contains(':') {
        endpoint.to_owned()
    } else {
        format!("{endpoint}:443")
    };
    // What the Connection itself says to run knows the operator's own name.
    if let Some((_, command)) = message.split_once("run: ") {
        return command.to_owned();
    }
    match reason {
        "SecretNotFound" => {
            format!("kubectl create secret generic {secret} -n {namespace} {files}   # files of these names")
        }
        "SecretIncomplete" => format!(
            "kubectl describe secret {secret} -n {namespace}   # it needs the keys {}",
            keys.join(", ")
        ),
        "AuthFailed" | "PasswordExpired" => {
            format!("kubectl create secret generic {secret} -n {namespace} {files} --dry-run=client -o yaml | kubectl apply -f -")
        }
        "TLSUntrusted" => format!("openssl s_client -showcerts -connect {endpoint} </dev/null   # then its issuer into spec.caBundlePEM"),
        "Unreachable" => format!("curl -kv https://{endpoint}   # from where Windlass runs; see also its NetworkPolicy"),
        "EndpointNotAllowed" => "ask who runs Windlass to let it connect there: network.allowedHosts, network.deniedCIDRs".to_owned(),
        _ => format!("kubectl describe connection {name} -n {namespace}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::super::Level;
    use super::*;

    pub fn connection(name: &str, ready: &Value) -> Connection {
        let conditions = if ready.is_null() { json!([]) } else { json!([ready]) };
        serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": {"name": name, "namespace": "dr"},
            "spec": {"type": "RecoveryAppliance", "url": "https://srm-a.dr.example", "credentialsSecretRef": {"name": "srm-a"}},
            "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    #[test]
    fn each_reason_has_its_fix_and_the_connections_own_command_goes_first() {
        for (reason, message, fix) in [
            (
                "SecretAccessDenied",
                "may not read Secret srm-a; run: kubectl create rolebinding windlass-secrets -n dr --clusterrole=x",
                "kubectl create rolebinding windlass-secrets -n dr --clusterrole=x",
            ),
            ("SecretNotFound", "no Secret srm-a", "kubectl create secret generic srm-a -n dr"),
            (
                "TLSUntrusted",
                "unknown issuer",
                "openssl s_client -showcerts -connect srm-a.dr.example:443",
            ),
            ("SomethingNew", "?", "kubectl describe connection srm-a -n dr"),
        ] {
            let ready = json!({"type": "Ready", "status": "False", "reason": reason, "message": message});
            let findings = judge(&[connection("srm-a", &ready)], "windlass");
            assert_eq!((findings[0].level, findings[0].what.as_str()), (Level::Fail, "dr/srm-a"));
            assert!(findings[0].fix.as_deref().is_some_and(|f| f.starts_with(fix)), "{findings:?}");
        }
    }

    #[test]
    fn nobody_is_told_to_make_a_secret_with_the_keys_of_another_vendor() {
        let ready = json!({"type": "Ready", "status": "False", "reason": "SecretNotFound", "message": "no Secret"});
        let mut central = connection("central", &ready);
        central.spec.type_ = ConnectionType::ArubaCentral;
        let fix = judge(&[central], "windlass")[0].fix.clone().unwrap_or_default();
        assert!(
            fix.contains("--from-file=clientID --from-file=clientSecret") && !fix.contains("username"),
            "{fix}"
        );
    }

    #[test]
    fn one_that_nobody_tried_is_no_ready_one_and_a_hold_is_told() {
        let findings = judge(&[connection("new", &Value::Null)], "windlass");
        assert_eq!(findings[0].message, "nobody has tried it");
        assert_eq!(findings[1].message, "1 Connection, 0 ready");
        let mut held = connection("held", &json!({"type": "Ready", "status": "True", "reason": "Reachable"}));
        let annotations = [(HOLD_ANNOTATION.to_owned(), "freeze".to_owned())].into();
        held.metadata.annotations = Some(annotations);
        let findings = judge(&[held], "windlass");
        assert_eq!(
            (findings[0].level, findings[0].fix.as_deref()),
            (Level::Warn, Some("windlass release conn/held -n dr"))
        );
    }
}
