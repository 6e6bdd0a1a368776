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
        (
            json!({"hmcConsole": null}),
            Some("exactly one of arubaCustomer and hmcConsole says what is upgraded"),
        ),
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
        (json!({"version": null}), Some(GOAL)),
        (
            json!({"arubaCustomer": customer()}),
            Some("exactly one of arubaCustomer and hmcConsole says what is upgraded"),
        ),
    ];
    upgrades.check(&spec(), &cases).await;
}

const GOAL: &str = "exactly one of version and arubaCustomer.recommended: true says what it is brought to";

fn customer() -> Value {
    json!({"customerId": "4d1c9a70", "deviceType": "CX", "reboot": true})
}

fn of_customer() -> Value {
    json!({"connectionRef": {"name": "central-msp"}, "version": "10.13.1010", "arubaCustomer": customer()})
}

fn with(field: &str, value: Value) -> Value {
    let mut customer = customer();
    customer[field] = value;
    json!({"arubaCustomer": customer})
}

#[tokio::test]
async fn firmware_rules_of_a_customer() {
    let plane = installed().await;
    let ns = plane.namespace("fwup").await.unwrap();
    let upgrades = upgrades(plane, &ns.name).await;
    let reboot = Some("reboot must be set to true or false, but for deviceType IAP");
    let pattern = Some("should match");
    let recommended = |version: Value, recommended: Value| {
        let mut spec = with("recommended", recommended);
        spec["version"] = version;
        spec
    };
    let groups = |groups: Value| with("excludeGroups", groups);
    let points = |reboot: Value| json!({"arubaCustomer": {"deviceType": "IAP", "customerId": "4d1c9a70", "reboot": reboot}});
    let numbered = |n: usize| -> Value { (0..n).map(|n| format!("group {n}")).collect() };
    let cases = [
        (json!({}), None),
        (with("reboot", json!(false)), None),
        (with("reboot", json!(null)), reboot),
        (points(json!(null)), None),
        (points(json!(true)), reboot),
        (points(json!(false)), reboot),
        (with("deviceType", json!("CONTROLLER")), None),
        (with("deviceType", json!("cx")), Some("Unsupported value")),
        (with("deviceType", json!(null)), Some("deviceType: Required value")),
        (with("customerId", json!("../4d1c9a70")), pattern),
        (with("customerId", json!("4d1c9a70/CX")), pattern),
        (with("customerId", json!(null)), Some("customerId: Required value")),
        // The one or the other, and never both.
        (recommended(json!(null), json!(true)), None),
        (recommended(json!("10.13.1010"), json!(false)), None),
        (recommended(json!("10.13.1010"), json!(true)), Some(GOAL)),
        (recommended(json!(null), json!(false)), Some(GOAL)),
        (json!({"version": null}), Some(GOAL)),
        (json!({"version": "recommended"}), Some("recommended is no version")),
        (with("allowDowngrade", json!(true)), None),
        // What ends in a list that is written in a text.
        (groups(json!(["Lab", "Floor 2 / east", "Büro"])), None),
        (groups(json!([])), None),
        (groups(json!(["a\"b"])), pattern),
        (groups(json!(["a\\b"])), pattern),
        (groups(json!(["a\nb"])), pattern),
        (groups(json!([" a"])), pattern),
        (groups(json!([""])), Some("should be at least 1 chars")),
        (groups(json!(["Lab", "Lab"])), Some("Duplicate value")),
        (groups(numbered(100)), None),
        (groups(numbered(101)), Some("Too many")),
        (
            json!({"hmcConsole": {"singleStepInstall": {"backupLocation": "USB"}}}),
            Some("exactly one of arubaCustomer and hmcConsole says what is upgraded"),
        ),
    ];
    upgrades.check(&of_customer(), &cases).await;
}

#[tokio::test]
async fn an_upgrade_keeps_its_customer_and_may_change_how_its_devices_are_upgraded() {
    let plane = installed().await;
    let ns = plane.namespace("fwup").await.unwrap();
    let upgrades = upgrades(plane, &ns.name).await;
    upgrades.create("c", &of_customer()).await.unwrap();
    let another = "a different target is a different upgrade: create a new object";
    for change in [
        json!({"arubaCustomer": {"customerId": "other"}}),
        json!({"arubaCustomer": {"deviceType": "HP"}}),
        json!({"connectionRef": {"name": "central-2"}}),
        json!({"arubaCustomer": null, "hmcConsole": {"singleStepInstall": {"backupLocation": "USB"}}}),
    ] {
        let refused = upgrades.patch("c", "", &json!({"spec": change})).await.unwrap_err();
        assert!(refused.contains(another), "{change}: {refused}");
    }
    for change in [
        json!({"arubaCustomer": {"reboot": false, "excludeGroups": ["Lab"], "allowDowngrade": true}}),
        json!({"version": "10.14.1000", "runKey": "2"}),
        json!({"version": null, "arubaCustomer": {"recommended": true}}),
    ] {
        upgrades.patch("c", "", &json!({"spec": change})).await.unwrap();
    }
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
