//! What people call the vendors' consoles, and where in each they can see what became of a start.

use super::page::Page;
use super::record::Record;
use crate::upgrade::target::VendorType;

/// What answers behind a Connection of this type.
pub fn called(type_: &str) -> &'static str {
    match type_ {
        "VCenter" => "vCenter",
        "RecoveryAppliance" => "the appliance",
        "HMC" => "the HMC",
        "ArubaCentral" => "Aruba Central",
        _ => "the vendor",
    }
}

/// Where to look in the vendor's own console, one thing a line.
pub fn where_to_look(record: &Record, page: &Page) -> Vec<String> {
    let Some(key) = record.key() else {
        return vec!["the receipt was written by a newer Windlass: its target is not known to this one".to_owned()];
    };
    let since = page.moment(record.created);
    let (version, at) = (&record.version, key.authority.as_str());
    match key.vendor {
        VendorType::VCenter => vec![
            format!(
                "vSphere Client of {at}: Workload Management > Updates, the Supervisor on cluster {}",
                key.object
            ),
            format!("is it at {version}, or on its way there? and Monitor > Tasks of that cluster, from {since} on"),
            format!("in the API: GET /api/vcenter/namespace-management/software/clusters/{}", key.object),
        ],
        VendorType::RecoveryAppliance => vec![
            format!("management page of the appliance at {at}: Update"),
            format!("is it at {version}, or does it install it? and its tasks from {since} on"),
        ],
        VendorType::Hmc if record.options.contains("\"authorize\"") || record.note == "Adopted" => vec![
            format!("HMC at {at}: Manage Remote Firmware Updates, for tokens and updates to {version} from {since} on"),
            "is there a token that was not there before? an update that is scheduled, or ran?".to_owned(),
        ],
        VendorType::Hmc => vec![
            format!("HMC at {at}: Tasks Log, \"Single Step Console Internal Code\" from {since} on"),
            format!("and its bundle level: is it {version}?"),
        ],
        VendorType::ArubaCentral => vec![format!(
            "Aruba Central: Firmware, and the Audit Trail from {since} on, for {} to {version}",
            key.object
        )],
    }
}
