//! What the example `sim` prints: where a simulator is, and calls to begin with.

use std::path::Path;

use super::sim::Running;
use super::sim::vendor::Vendor;
use super::sim::{appliance, aruba, hmc, vcenter};

/// Where it is and how to get in.
pub struct Place {
    url: String,
    control: String,
    /// The certificate, or where it is.
    ca: String,
    /// What curl needs to trust it.
    trust: String,
    user: String,
    password: String,
}

impl Place {
    pub fn new<V: Vendor>(vendor: &Running<V>, ca_out: Option<&Path>, user: String, password: String) -> Self {
        let (ca, trust) = match ca_out {
            Some(path) => (format!("{}\n", path.display()), format!("--cacert {}", path.display())),
            None => (vendor.ca_pem().to_owned(), "-k".to_owned()),
        };
        Self {
            url: vendor.url(),
            control: vendor.control_url(),
            ca,
            trust,
            user,
            password,
        }
    }
}

pub fn vcenter(place: &Place) -> String {
    use vcenter::{CLUSTERS, SESSION_HEADER, VERSION_NEW};
    let Place {
        url,
        control,
        ca,
        trust,
        user,
        password,
    } = place;
    format!(
        r#"vCenter  {url}
control  {control}
CA       {ca}
Log in, look, start:
  TOKEN=$(curl -s {trust} -u '{user}:{password}' -X POST {url}/api/session | tr -d '"')
  curl -s {trust} -H "{SESSION_HEADER}: $TOKEN" {url}{CLUSTERS}
  curl -s {trust} -H "{SESSION_HEADER}: $TOKEN" -H 'Content-Type: application/json' -X POST \
    '{url}{CLUSTERS}?action=upgradeMultiple' -d '{{"domain-c1":{{"desired_version":"{VERSION_NEW}"}}}}'

Steer it:
  curl -s {control}/state
  curl -s {control}/starts
  curl -s -X POST {control}/clock -d '{{"advance":300}}'
  curl -s -X POST {control}/clusters/domain-c1 -d '{{"prechecks":[{{"severity":"WARNING","text":"disk"}}]}}'
  curl -s -X POST {control}/settings -d '{{"second_call":"started_restarts"}}'
  curl -s -X POST {control}/rules -d '{{"match":{{"method":"POST","query":"upgradeMultiple"}},"action":{{"do":"drop","when":"after"}},"remaining":1}}'

Ctrl-C ends it.
"#
    )
}

pub fn appliance(place: &Place) -> String {
    use appliance::{BASE, SESSION_HEADER, TARGET, VERSION_NEW};
    let Place {
        url,
        control,
        ca,
        trust,
        user,
        password,
    } = place;
    format!(
        r#"Appliance  {url}{BASE}
control    {control}
CA         {ca}
Log in, look, find updates, install:
  SESSION=$(curl -s {trust} -u '{user}:{password}' -X POST {url}{BASE}/session | cut -d '"' -f 4)
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" {url}{BASE}/appliance
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" -X POST {url}{BASE}/appliance/update-manager/actions/retrieve-updates
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" -X POST {url}{BASE}/appliance/update-manager/updates/{VERSION_NEW}/actions/install
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" '{url}{BASE}/tasks?limit=10&offset=0'

Steer it:
  curl -s {control}/state
  curl -s {control}/starts
  curl -s -X POST {control}/clock -d '{{"advance":300}}'
  curl -s -X POST {control}/targets/{TARGET} -d '{{"ends":"same_version"}}'
  curl -s -X POST {control}/targets/{TARGET} -d '{{"add_task":{{"type":"configure","description":"Somebody else"}}}}'
  curl -s -X POST {control}/settings -d '{{"retention":"lose_all","wording":"meaningless"}}'
  curl -s -X POST {control}/rules -d '{{"match":{{"method":"POST","path":"*/actions/install"}},"action":{{"do":"drop","when":"after"}},"remaining":1}}'

Ctrl-C ends it.
"#
    )
}

pub fn hmc(place: &Place) -> String {
    use hmc::{AUTHORIZE, BUNDLE_NEW, INSTALL, SESSION_HEADER, TARGET, UPDATES};
    let Place {
        url,
        control,
        ca,
        trust,
        user,
        password,
    } = place;
    format!(
        r#"HMC      {url}
control  {control}
CA       {ca}
Log on, look, authorize, install:
  SESSION=$(curl -s {trust} -H 'Content-Type: application/json' -X POST {url}/api/sessions \
    -d '{{"userid":"{user}","password":"{password}"}}' | sed 's/.*"api-session":"\([^"]*\)".*/\1/')
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" '{url}/api/console?properties=name,version,ec-mcl-description'
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" {url}{UPDATES}
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" -X POST {url}{AUTHORIZE}
  curl -s {trust} -H "{SESSION_HEADER}: $SESSION" -H 'Content-Type: application/json' -X POST {url}{INSTALL} \
    -d '{{"bundle-level":"{BUNDLE_NEW}","backup-location-type":"usb","accept-firmware":true}}'

Steer it, and be IBM, who schedules an update with the newest token:
  curl -s {control}/state
  curl -s {control}/starts
  curl -s -X POST {control}/clock -d '{{"advance":300}}'
  curl -s -X POST {control}/targets/{TARGET} -d '{{"schedule":{{"bundle":"{BUNDLE_NEW}","in_secs":600,"window_mins":30}}}}'
  curl -s -X POST {control}/targets/{TARGET} -d '{{"ends":"same_bundle"}}'
  curl -s -X POST {control}/settings -d '{{"jobs_survive_restart":false,"ended_updates_listed":true}}'
  curl -s -X POST {control}/rules -d '{{"match":{{"method":"POST","path":"*/single-step-install"}},"action":{{"do":"drop","when":"after"}},"remaining":1}}'

Ctrl-C ends it.
"#
    )
}

pub fn aruba(place: &Place) -> String {
    use aruba::{AUTHORIZE, CLIENT_ID, CLIENT_SECRET, CUSTOMER, LOGIN, MSP, TARGET, TOKEN, VERSION_NEW, cancel_path, start_path};
    let Place {
        url,
        control,
        ca,
        trust,
        user,
        password,
    } = place;
    let (start, cancel) = (start_path(CUSTOMER), cancel_path(CUSTOMER));
    format!(
        r#"Central  {url}
control  {control}
CA       {ca}
Log in with the code grant, or be given tokens at once:
  JSON='Content-Type: application/json'
  curl -s {trust} -c jar -H "$JSON" -X POST '{url}{LOGIN}?client_id={CLIENT_ID}' -d '{{"username":"{user}","password":"{password}"}}'
  CODE=$(curl -s {trust} -b jar -H "X-CSRF-TOKEN: $(awk '$6 == "csrftoken" {{print $7}}' jar)" -H "$JSON" -X POST \
    '{url}{AUTHORIZE}?client_id={CLIENT_ID}&response_type=code&scope=all' -d '{{"customer_id":"{MSP}"}}' | cut -d '"' -f 4)
  curl -s {trust} -X POST "{url}{TOKEN}?client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=authorization_code&code=$CODE"
  TOKEN=$(curl -s -X POST {control}/targets/{TARGET} -d '{{"issue":"{CLIENT_ID}"}}' | sed -n 's/.*"access_token": "\(.*\)".*/\1/p')

Look, start, cancel:
  curl -s {trust} -H "Authorization: Bearer $TOKEN" -H 'TenantID: {CUSTOMER}' '{url}/firmware/v1/devices?device_type=CX&limit=20&offset=0'
  curl -s {trust} -H "Authorization: Bearer $TOKEN" -H 'TenantID: {CUSTOMER}' '{url}/firmware/v1/swarms'
  curl -s {trust} -H "Authorization: Bearer $TOKEN" -H "$JSON" -X POST {url}{start} \
    -d '{{"device_type":"CX","firmware_version":"{VERSION_NEW}","reboot":true,"exclude_groups":"[\"TestGroup2\"]"}}'
  curl -s {trust} -H "Authorization: Bearer $TOKEN" -H "$JSON" -X POST {url}{cancel} -d '{{"device_type":"CX"}}'

Steer it:
  curl -s {control}/state
  curl -s {control}/starts
  curl -s -X POST {control}/clock -d '{{"advance":300}}'
  curl -s -X POST {control}/targets/{CUSTOMER} -d '{{"start":{{"device_type":"HP","firmware_version":"16.11.0012","reboot":true}}}}'
  curl -s -X POST {control}/targets/CX0000000001 -d '{{"online":false}}'
  curl -s -X POST {control}/settings -d '{{"scheduled_at":"never","second_start":"refused","retry_after":"seconds"}}'
  curl -s -X POST {control}/rules -d '{{"match":{{"method":"POST","path":"{start}"}},"action":{{"do":"drop","when":"after"}},"remaining":1}}'

Ctrl-C ends it.
"#
    )
}
