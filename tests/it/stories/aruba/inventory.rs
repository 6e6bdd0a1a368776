//! What customers have, for people.

use serde_json::json;

use crate::central::World;
use crate::central::still;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::CUSTOMER_2;
use crate::sim::aruba::Kind;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::aruba::VERSION_OLD;

#[tokio::test]
async fn devices_are_counted_by_model_version_and_recommended_build_and_never_listed() -> anyhow::Result<()> {
    let (world, _operator) = World::ready("aruba-inventory", still().estate(|e| e.new_every = 4)).await?;
    world.inventory(&[CUSTOMER, CUSTOMER_2], &["CX", "IAP"]).await?;
    let shown = world.shown("firmware", |s| !s.json["arubaCentral"]["firmware"].is_null()).await?;
    let firmware = shown.json["arubaCentral"]["firmware"].as_array().unwrap();
    assert_eq!(firmware.len(), 8, "{firmware:#?}");
    let of = |version: &str| {
        let row = |r: &&serde_json::Value| r["customerId"] == CUSTOMER && r["deviceType"] == "CX" && r["version"] == version;
        firmware.iter().find(row).cloned().unwrap_or_default()
    };
    assert_eq!((&of(VERSION_OLD)["devices"], &of(VERSION_NEW)["devices"]), (&json!(3), &json!(1)));
    assert_eq!(of(VERSION_OLD)["recommended"], json!(Kind::Cx.version_new()));
    assert_eq!(shown.json["truncated"], json!(null));
    world.assert_started(0, 0);
    Ok(())
}
