//! What a FirmwareUpgrade may say.

use serde_json::Value;
use serde_json::json;

use super::Objects;
use super::installed;
use crate::plane::Plane;

fn server() -> Value {
    json!({"host": "ftp.bank.example", "protocol": "SFTP", "directory": "/bundles", "credentialsSecretRef": {"name": "hmc-ftp"}})
}

fn spec() -> Value {
    let install = json!({"backupLocation": "FTP", "ftp": server()});
    json!({"connectionRef": {"name": "hmc1"}, "version": "H41", "hmcConsole": {"singleStepInstall": install}})
}

fn install(install: &Value) -> Value {
    json!({"hmcConsole": {"singleStepInstall": install}})
}

fn remote(remote: &Value) -> Value {
    json!({"hmcConsole": {"singleStepInstall": null, "remoteSchedule": remote}})
}

fn from_server(field: &str, value: Value) -> Value {
    let mut server = server();
    server[field] = value;
    install(&json!({"backupLocation": "FTP", "ftp": server}))
}

async fn upgrades(plane: &Plane, namespace: &str) -> Objects {
    Objects::namespaced(plane, "FirmwareUpgrade", "firmwareupgrades", namespace).await
}

#[tokio::test]
async fn firmware_rules() {
    let plane = installed().await;
    let ns = plane.namespace("fwup").await.unwrap();
    let upgrades = upgrades(plane, &ns.name).await;
    let pattern = Some("should match");
    let one_way = Some("exactly one of singleStepInstall and remoteSchedule says how");
    let one_source = Some("backupLocation FTP needs ftp, and USB forbids it");
    let cases = [
        (json!({}), None),
        (
            install(&json!({"backupLocation": "USB", "acceptFirmware": false, "ftp": null})),
            None,
        ),
        (install(&json!({"backupLocation": "FTP", "ftp": null})), one_source),
        (install(&json!({"backupLocation": "USB", "ftp": server()})), one_source),
        (install(&json!({"backupLocation": "usb"})), Some("Unsupported value")),
        (install(&json!({"backupLocation": null})), Some("backupLocation: Required value")),
        (json!({"hmcConsole": null}), Some("spec.hmcConsole: Required value")),
        (install(&json!(null)), one_way),
        (remote(&json!({"authorize": "IfNeeded"})), None),
        (remote(&json!({"authorize": "Never"})), None),
        (remote(&json!({"authorize": "Always"})), Some("Unsupported value")),
        (remote(&json!({})), Some("authorize: Required value")),
        (json!({"hmcConsole": {"remoteSchedule": {"authorize": "Never"}}}), one_way),
        // What ends in a request body.
        (from_server("directory", json!(null)), None),
        (from_server("directory", json!("/a b/~c-d_[1]")), None),
        (from_server("directory", json!("/a\"b")), pattern),
        (from_server("directory", json!("/a\nb")), pattern),
        (from_server("directory", json!("/a\\b")), pattern),
        (from_server("host", json!("2001:db8::10")), None),
        (from_server("host", json!("ftp.bank.example/x")), pattern),
        (from_server("host", json!("user@ftp")), pattern),
        (from_server("protocol", json!("sftp")), Some("Unsupported value")),
        (from_server("password", json!("x")), Some("unknown field")),
        (json!({"version": "../H41"}), pattern),
        (json!({"timeout": "59s"}), Some(": must be between 1m and 720h")),
        (json!({"arubaCustomer": {}}), Some(r#"unknown field "spec.arubaCustomer""#)),
    ];
    upgrades.check(&spec(), &cases).await;
}

#[tokio::test]
async fn an_upgrade_keeps_its_connection_and_may_change_what_it_installs() {
    let plane = installed().await;
    let ns = plane.namespace("fwup").await.unwrap();
    let upgrades = upgrades(plane, &ns.name).await;
    let stored = upgrades.create("u", &spec()).await.unwrap();
    assert_eq!(stored["status"], json!({"observedGeneration": -1}), "nobody has looked at it");
    serde_json::from_value::<windlass::api::FirmwareUpgrade>(stored).unwrap();
    let elsewhere = json!({"spec": {"connectionRef": {"name": "hmc2"}}});
    let refused = upgrades.patch("u", "", &elsewhere).await.unwrap_err();
    assert!(
        refused.contains("a different target is a different upgrade: create a new object"),
        "{refused}"
    );
    let otherwise = json!({"spec": remote(&json!({"authorize": "Never"}))});
    let refused = upgrades.patch("u", "", &otherwise).await.unwrap_err();
    assert!(refused.contains("how a console is upgraded cannot be changed"), "{refused}");
    for change in [
        json!({"version": "H42", "runKey": "2", "suspend": true}),
        json!({"hmcConsole": {"singleStepInstall": {"backupLocation": "USB", "ftp": null}}, "suspend": null}),
    ] {
        upgrades.patch("u", "", &json!({"spec": change})).await.unwrap();
    }
}
