//! What is counted for people, and what it may cost.

use super::testing::*;
use super::*;
use crate::vendor::FoundFirmware;
use crate::vendor::Inventory;
use crate::vendor::InventoryAsk;
use crate::vendor::http::testing::*;

fn ask(customers: &[&str], most_rows: usize) -> InventoryAsk {
    InventoryAsk {
        customer_ids: customers.iter().map(|id| (*id).to_owned()).collect(),
        device_types: vec!["CX".to_owned()],
        most_rows,
        ..InventoryAsk::default()
    }
}

#[tokio::test]
async fn devices_are_counted_by_customer_model_version_and_recommended_build() {
    let (server, client) = ready(|r| {
        let scheduled = device("C", OLD)
            .replace("\"older\"", "\"older\",\"firmware_scheduled_at\":7")
            .replace("Up", "Down");
        (call(r) == DEVICES).then(|| devices(&[device("A", OLD), device("B", NEW), scheduled]))
    })
    .await;
    let row = |customer: &str, version: &str, devices: u32| FoundFirmware {
        customer_id: customer.to_owned(),
        device_type: "CX".to_owned(),
        model: "6300M".to_owned(),
        version: version.to_owned(),
        recommended: Some(NEW.to_owned()),
        devices,
    };
    let found = client.inventory(&ask(&[CUSTOMER, "4d1c9a71"], 1000)).await.unwrap();
    let firmware = vec![
        row(CUSTOMER, OLD, 2),
        row(CUSTOMER, NEW, 1),
        row("4d1c9a71", OLD, 2),
        row("4d1c9a71", NEW, 1),
    ];
    assert_eq!(
        found,
        Inventory::ArubaCentral {
            firmware: firmware.clone(),
            truncated: false
        }
    );
    let found = client.inventory(&ask(&[CUSTOMER, "4d1c9a71"], 3)).await.unwrap();
    assert_eq!(
        found,
        Inventory::ArubaCentral {
            firmware: firmware[..3].to_vec(),
            truncated: true
        }
    );
    let tenants: Vec<_> = server
        .requests()
        .iter()
        .filter_map(|r| r.header("tenantid").map(str::to_owned))
        .collect();
    assert_eq!(tenants[..2], [CUSTOMER, "4d1c9a71"]);
}

#[tokio::test]
async fn a_customer_that_cannot_be_read_whole_is_no_gap_but_an_error_that_names_it() {
    let (_server, client) =
        ready(|r| (r.header("tenantid") == Some("4d1c9a71")).then(|| devices(&[device("A", OLD), device("A", OLD)]))).await;
    let error = client.inventory(&ask(&[CUSTOMER, "4d1c9a71"], 1000)).await.unwrap_err();
    assert!(
        error.message().contains("customer 4d1c9a71") && error.message().contains("twice"),
        "{error}"
    );
}

#[tokio::test]
async fn looks_for_people_leave_what_runs_need() {
    let left = |left: &str| {
        let fields = [("x-ratelimit-limit-day", "5000"), ("x-ratelimit-remaining-day", left)];
        Act::Send(raw(200, &fields, &format!(r#"{{"devices":[{}]}}"#, device("A", OLD))))
    };
    let low = left("350");
    let (server, client) = ready(move |r| (call(r) == DEVICES).then(|| low.clone())).await;
    let error = client.inventory(&ask(&[CUSTOMER, "4d1c9a71", "4d1c9a72"], 1000)).await.unwrap_err();
    assert!(matches!(error, VendorError::QuotaUsedUp { .. }), "{error}");
    assert_eq!(count(&server, DEVICES), 1);
}
