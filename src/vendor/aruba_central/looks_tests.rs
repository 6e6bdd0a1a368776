//! Looks: pages read to the end, groups, offers, and what is said where something is missing.

use std::sync::Mutex;

use super::testing::*;
use super::*;
use crate::upgrade::fleet::Line;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::vendor::http::testing::*;

fn parameter(r: &Request, name: &str) -> Option<String> {
    let url = url::Url::parse(&format!("https://x{}", r.target)).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn offset(r: &Request) -> usize {
    parameter(r, "offset").unwrap().parse().unwrap()
}

/// So many devices, from this one on.
fn some(from: usize, n: usize) -> Vec<String> {
    (from..from + n).map(|n| device(&format!("SN{n}"), OLD)).collect()
}

/// A Central whose list of devices has these pages, and then empty ones.
async fn paged(pages: Vec<Act>) -> (Server, ArubaCentral) {
    let asked = Mutex::new(0);
    ready(move |r| {
        (call(r) == DEVICES).then(|| {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            pages.get(*asked - 1).cloned().unwrap_or_else(|| devices(&[]))
        })
    })
    .await
}

async fn look(server: &Server, client: &ArubaCentral) -> Sight {
    client.observe(&target(server), &Scope::default()).await
}

fn total(sight: &Sight) -> u32 {
    sight.fleet.as_ref().unwrap().lines.iter().map(|line| line.devices).sum()
}

fn scope(groups: &[&str], versions: &[&str]) -> Scope {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Scope {
        exclude_groups: set(groups),
        versions: set(versions),
        spend: Spend::Starting,
    }
}

#[tokio::test]
async fn devices_that_look_alike_are_one_line_and_nothing_is_judged() {
    let row = |serial: &str, more: &str| {
        format!(
            r#"{{"serial":"{serial}","model":"6300M","firmware_version":"{OLD}","recommended":"{NEW}","device_status":"Up","upgrade_required":true{more}}}"#
        )
    };
    let rows = [
        row("A", r#","status":{"state":"UPGRADE_FAILED","reason":"Image download failed"}"#),
        row(
            "B",
            r#","status":{"state":"UPGRADE_NOT_REQUIRED","reason":"Firmware version upto date"}"#,
        ),
        row("C", r#","status":{"firmware_scheduled_at":1795900000}"#),
        row("D", r#","status":{"firmware_scheduled_at":0}"#),
        row("E", r#","status":{"firmware_scheduled_at":null}"#),
        r#"{"serial":"F","device_status":"Down","status":"x"}"#.to_owned(),
    ];
    let (server, client) = paged(vec![devices(&rows)]).await;
    let sight = look(&server, &client).await;
    let line = Line {
        model: "6300M".to_owned(),
        version: OLD.to_owned(),
        recommended: Some(NEW.to_owned()),
        upgrade_required: Some(true),
        reachable: true,
        ..Line::default()
    };
    let scheduled = Some(1_795_900_000);
    let fleet = sight.fleet.clone().unwrap();
    assert_eq!(
        fleet.lines,
        [
            Line {
                devices: 1,
                ..Line::default()
            },
            Line {
                devices: 4,
                ..line.clone()
            },
            Line {
                scheduled,
                devices: 1,
                ..line
            },
        ]
    );
    assert_eq!(
        (sight.motion.clone(), sight.complete, sight.cost, sight.detailed),
        (Motion::Still, true, 1, true)
    );
    assert_eq!((sight.looks.clone(), sight.offered.clone()), (None, Offered::Unasked));
    assert_eq!(sight.says.as_deref(), Some("1 in state UPGRADE_FAILED (Image download failed)"));
    assert_eq!(firmware(&server), ["GET /devices?limit=1000&offset=0&device_type=CX"]);
}

#[tokio::test]
async fn swarms_are_listed_by_themselves_and_are_of_the_model_of_their_access_points() {
    let swarm = |id: &str, models: &[&str]| {
        let aps: Vec<String> = models
            .iter()
            .map(|model| format!(r#"{{"serial":"x","mac_address":"y","name":"z","model":"{model}"}}"#))
            .collect();
        format!(
            r#"{{"swarm_id":"{id}","swarm_name":"s","firmware_version":"8.10.0.6_87184","device_status":"Up","aps":[{}],"aps_count":3}}"#,
            aps.join(",")
        )
    };
    let rows = [swarm("s1", &["AP-515"; 300]), swarm("s2", &["AP-515", "AP-303"]), swarm("s3", &[])];
    let body = format!(r#"{{"swarms":[{}],"swarm_count":3}}"#, rows.join(","));
    let (server, client) = ready(move |r| (call(r) == SWARMS).then(|| json(200, &body))).await;
    let iap = TargetKey::customer(server.authority(), CUSTOMER, "IAP");
    let sight = client.observe(&iap, &Scope::default()).await;
    let models: Vec<String> = sight.fleet.clone().unwrap().lines.into_iter().map(|line| line.model).collect();
    assert_eq!(
        (models.as_slice(), sight.complete),
        (&[String::new(), "AP-515".to_owned(), "several models".to_owned()][..], true)
    );
    assert_eq!(firmware(&server), ["GET /swarms?limit=1000&offset=0"]);
}

#[tokio::test]
async fn a_list_is_read_to_its_end_and_no_further() {
    for (pages, devices_in_all, calls_made) in [
        (vec![0], 0, 1),
        (vec![899], 899, 1),
        // As many as a server has that cuts pages at less than what was asked for.
        (vec![50], 50, 2),
        (vec![100, 100, 7], 207, 4),
        (vec![901], 901, 2),
        (vec![1000], 1000, 2),
        (vec![1000, 1000, 3], 2003, 4),
    ] {
        let mut first = 0;
        let mut acts = Vec::new();
        for n in &pages {
            acts.push(devices(&some(first, *n)));
            first += n;
        }
        let (server, client) = paged(acts).await;
        let sight = look(&server, &client).await;
        assert!(sight.complete, "{:?}", sight.says);
        assert_eq!((total(&sight), sight.cost), (devices_in_all, calls_made), "{pages:?}");
        assert_eq!(count(&server, DEVICES), usize::try_from(calls_made).unwrap());
        let asked = server.requests();
        let offsets: Vec<usize> = asked.iter().filter(|r| call(r) == DEVICES).map(offset).collect();
        let ends: Vec<usize> = pages
            .iter()
            .scan(0, |sum, n| {
                *sum += n;
                Some(*sum)
            })
            .collect();
        assert_eq!(
            offsets[1..],
            ends[..offsets.len() - 1],
            "each page begins where the one before ended"
        );
    }
}

#[tokio::test]
async fn a_list_that_has_lost_many_is_believed_when_it_says_so_twice() {
    let (server, client) = paged([100, 0, 95, 80, 80].map(|n| devices(&some(0, n))).to_vec()).await;
    for (many, whole) in [(100, true), (95, true), (80, false), (80, true)] {
        let sight = look(&server, &client).await;
        assert_eq!((total(&sight), sight.complete), (many, whole), "{:?}", sight.says);
    }
}

#[tokio::test]
async fn a_list_that_is_not_whole_says_so_and_is_never_a_proof() {
    let twice = || devices(&[some(0, 1), some(0, 1)].concat());
    for (pages, says, seen) in [
        (
            vec![devices(&some(0, 1000)), json(500, "{}")],
            "page 2 of its devices cannot be read",
            1000,
        ),
        (vec![devices(&some(0, 1000)), error(404, "0001", "Not found")], "page 2", 1000),
        // Rows moved between two pages.
        (vec![devices(&some(0, 1000)), devices(&some(999, 1000))], "twice", 1999),
        (vec![twice()], "twice", 1),
        // A page that was cut short is not the last.
        (
            vec![devices(&some(0, 990)), devices(&some(1000, 1000)), json(503, "{}")],
            "page 3",
            1990,
        ),
        (
            vec![devices(&[device("A", OLD), r#"{"model":"6300M"}"#.to_owned()])],
            "understood",
            1,
        ),
        (vec![devices(&[device("A", OLD), "7".to_owned()])], "understood", 1),
    ] {
        let (server, client) = paged(pages).await;
        let sight = look(&server, &client).await;
        assert!(!sight.complete && sight.motion == Motion::Still, "{sight:?}");
        assert!(sight.says.as_ref().is_some_and(|said| said.contains(says)), "{:?}", sight.says);
        assert_eq!(total(&sight), seen, "what is there is shown");
    }
}

#[tokio::test]
async fn a_count_of_swarms_is_of_all_or_of_the_page_and_anything_else_means_that_some_are_missing() {
    for (count, complete) in [
        ("2", true),
        ("null", true),
        ("\"2\"", true),
        ("3", false),
        ("1", false),
        ("0", false),
    ] {
        let body = format!(r#"{{"swarms":[{{"swarm_id":"a"}},{{"swarm_id":"b"}}],"swarm_count":{count}}}"#);
        let (server, client) = ready(move |r| (call(r) == SWARMS).then(|| json(200, &body))).await;
        let iap = TargetKey::customer(server.authority(), CUSTOMER, "IAP");
        let sight = client.observe(&iap, &Scope::default()).await;
        assert_eq!(sight.complete, complete, "{count}: {:?}", sight.says);
    }
}

#[tokio::test]
async fn who_is_in_a_group_is_asked_for_each_and_one_that_nobody_is_in_is_told_apart() {
    let (server, client) = ready(|r| {
        if !matches!(call(r).as_str(), DEVICES | SWARMS) {
            return None;
        }
        match (parameter(r, "group").as_deref(), parameter(r, "device_type").is_some()) {
            (Some("Lab"), true) => Some(devices(&[device("SN1", OLD)])),
            // There are others in it, of another type.
            (Some("Core"), false) => Some(devices(&[device("SN9", OLD)])),
            (Some("Bad"), _) => Some(error(400, "0004", "Invalid value (group)")),
            (Some(_), _) if call(r) == DEVICES => Some(devices(&[])),
            _ => None,
        }
    })
    .await;
    let sight = client.observe(&target(&server), &scope(&["Lab", "Core", "Lap", "Bad"], &[])).await;
    let fleet = sight.fleet.clone().unwrap();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(fleet.groups, set(&["Lab", "Core", "Lap", "Bad"]));
    assert_eq!(fleet.unknown_groups, set(&["Lap", "Bad"]));
    let members: Vec<_> = fleet.lines.iter().map(|line| (line.groups.clone(), line.devices)).collect();
    assert_eq!(members, [(set(&[]), 1), (set(&["Lab"]), 1)]);
    assert!(sight.complete, "{:?}", sight.says);
    assert_eq!(sight.cost, u32::try_from(firmware(&server).len()).unwrap());
    let last = firmware(&server).pop().unwrap();
    assert!(
        !last.contains("group"),
        "the devices come last, for a look is as old as they are: {last}"
    );
}

#[tokio::test]
async fn a_group_that_cannot_be_asked_for_leaves_the_look_incomplete() {
    for act in [json(500, "{}"), error(403, "0001", "Forbidden"), devices(&[device("SN7", OLD)])] {
        let (server, client) = ready(move |r| parameter(r, "group").map(|_| act.clone())).await;
        let sight = client.observe(&target(&server), &scope(&["Lab"], &[])).await;
        assert!(!sight.complete && total(&sight) == 2, "{sight:?}");
        assert_eq!(sight.fleet.as_ref().unwrap().unknown_groups, BTreeSet::new());
    }
}

fn of_model(serial: &str, model: &str) -> String {
    device(serial, OLD).replace("6300M", model)
}

#[tokio::test]
async fn what_is_offered_is_asked_by_a_device_of_each_model_and_remembered_while_upgrades_wait() {
    let (server, client) = ready(|r| match call(r).as_str() {
        DEVICES => Some(devices(&[
            of_model("A1", "6300M"),
            of_model("A2", "6300M"),
            of_model("B1", "6200F"),
        ])),
        VERSIONS if parameter(r, "serial").as_deref() == Some("B1") => Some(json(200, &format!(r#"[{{"firmware_version":"{OLD}"}}]"#))),
        _ => None,
    })
    .await;
    let wanted = scope(&[], &[NEW, OLD]);
    let sight = client.observe(&target(&server), &wanted).await;
    let offers = sight.fleet.clone().unwrap().offers;
    assert_eq!(offers[NEW], BTreeSet::from(["6200F".to_owned()]));
    assert_eq!(offers[OLD], BTreeSet::new());
    assert_eq!(
        (count(&server, VERSIONS), sight.cost),
        (2, 4),
        "the first look learns the models first"
    );
    let again = client.observe(&target(&server), &wanted).await;
    assert_eq!((again.fleet.unwrap().offers, again.cost), (offers, 1));
    // Another customer's are the same.
    let other = TargetKey::customer(server.authority(), "4d1c9a71", "CX");
    client.observe(&other, &wanted).await;
    assert_eq!(count(&server, VERSIONS), 2);
    // Before a start it is asked.
    let ready = client.prepare(&target(&server), &order(NEW)).await.unwrap();
    assert_eq!(count(&server, VERSIONS), 4);
    assert_eq!(
        ready.sight().fleet.as_ref().unwrap().offers[NEW],
        BTreeSet::from(["6200F".to_owned()])
    );
    let last = firmware(&server).pop().unwrap();
    assert!(last.starts_with("GET /devices"), "the devices come last: {last}");
}

fn order(version: &str) -> Order {
    Order {
        version: version.to_owned(),
        options: Options::Customer {
            reboot: Some(true),
            exclude_groups: BTreeSet::new(),
            allow_downgrade: false,
        },
        scheduled_at: None,
    }
}

#[tokio::test]
async fn what_is_offered_is_found_out_by_other_ways_where_one_is_refused() {
    const IMAGE: &str = "GET /firmware/v1/versions/10.13.1010";
    let refused = || error(400, "0004", "Invalid value");
    let list = || json(200, &format!(r#"{{"versions":[{{"firmware_version":"{NEW}"}}]}}"#));
    let model = || BTreeSet::from(["6300M".to_owned()]);
    for (serial, of_type, image, expected) in [
        (list(), refused(), refused(), Some(BTreeSet::new())),
        // Serial numbers of some devices are refused.
        (refused(), list(), refused(), Some(BTreeSet::new())),
        (json(200, "[]"), list(), refused(), Some(BTreeSet::new())),
        // Some Centrals know no CX in the list of a type.
        (refused(), refused(), json(200, r#"{"available":true}"#), Some(BTreeSet::new())),
        (refused(), refused(), json(200, r#"{"available":false}"#), Some(model())),
        (refused(), refused(), error(404, "0001", "Not found"), Some(model())),
        (refused(), refused(), json(500, "{}"), None),
        (refused(), refused(), Act::Send(raw(404, &[], "<html>")), None),
    ] {
        let shown = format!("{serial:?} {of_type:?} {image:?}");
        let (server, client) = ready(move |r| match call(r).as_str() {
            VERSIONS if parameter(r, "serial").is_some() => Some(serial.clone()),
            VERSIONS => Some(of_type.clone()),
            IMAGE => Some(image.clone()),
            _ => None,
        })
        .await;
        let sight = client.observe(&target(&server), &scope(&[], &[NEW])).await;
        assert_eq!(sight.fleet.clone().unwrap().offers.get(NEW), expected.as_ref(), "{shown}");
        assert!(sight.complete, "what is offered is no part of what is there");
        if expected.is_none() {
            assert!(sight.says.unwrap().contains("cannot be asked"));
        }
    }
}

#[tokio::test]
async fn devices_of_very_many_models_wait_for_no_list_of_each_and_are_asked_about_by_the_image() {
    const IMAGE: &str = "GET /firmware/v1/versions/10.13.1010";
    for there in [true, false] {
        let (server, client) = ready(move |r| match call(r).as_str() {
            DEVICES => {
                let rows: Vec<String> = (0..40).map(|n| of_model(&format!("A{n}"), &format!("model {n}"))).collect();
                Some(devices(&rows))
            }
            IMAGE => Some(json(200, &format!(r#"{{"available":{there}}}"#))),
            _ => None,
        })
        .await;
        let sight = client.observe(&target(&server), &scope(&[], &[NEW])).await;
        let lacking = sight.fleet.unwrap().offers[NEW].len();
        assert_eq!((lacking, count(&server, VERSIONS)), (if there { 0 } else { 40 }, 0));
    }
}

#[tokio::test]
async fn a_customer_that_the_service_does_not_know_is_unknown_and_a_path_that_is_missing_is_not() {
    for (act, unknown, says) in [
        (error(404, "0001", "Not found"), true, "knows no customer 4d1c9a70"),
        (json(404, r#"{"message":"no Route matched with those values"}"#), false, "404"),
        (Act::Send(raw(404, &[], "<html>")), false, "HTML"),
        (error(403, "0001", "Forbidden"), false, "may not do list_devices"),
        (error(400, "0004", "Invalid value (customer_id)"), false, "0004"),
        (json(500, "{}"), false, "500"),
        (json(200, "{}"), false, "JSON"),
        (json(200, r#"{"devices":null}"#), false, "JSON"),
    ] {
        let (server, client) = ready(move |r| (call(r) == DEVICES).then(|| act.clone())).await;
        let sight = look(&server, &client).await;
        let Motion::NotSeen { why, unknown_object } = &sight.motion else {
            panic!("{sight:?}")
        };
        assert_eq!((*unknown_object, sight.cost), (unknown, 1), "{why}");
        assert!(why.contains(says), "{why}");
        assert!(client.prepare(&target(&server), &order(NEW)).await.is_err());
        assert_eq!(count(&server, START), 0);
    }
}

#[tokio::test]
async fn a_look_is_not_made_where_its_calls_are_kept_for_others() {
    let headers = |left: u32| {
        let left = left.to_string();
        let fields = [("x-ratelimit-limit-day", "5000"), ("x-ratelimit-remaining-day", left.as_str())];
        Act::Send(raw(200, &fields, &format!(r#"{{"devices":[{}]}}"#, device("A", OLD))))
    };
    let left = Arc::new(Mutex::new(4000));
    let of = Arc::clone(&left);
    let (server, client) = ready(move |r| (call(r) == DEVICES).then(|| headers(*of.lock().unwrap()))).await;
    let with = |spend| Scope { spend, ..Scope::default() };
    assert!(client.observe(&target(&server), &with(Spend::Watching)).await.complete);
    assert_eq!(
        client.quota().map(|quota| (quota.limit, quota.remaining > 3900)),
        Some((4000, true))
    );
    *left.lock().unwrap() = 300;
    client.observe(&target(&server), &with(Spend::Watching)).await;
    for (spend, looked) in [
        (Spend::Waiting, false),
        (Spend::Watching, false),
        (Spend::Finishing, true),
        (Spend::Starting, true),
    ] {
        let before = count(&server, DEVICES);
        let sight = client.observe(&target(&server), &with(spend)).await;
        assert_eq!(
            (sight.seen(), count(&server, DEVICES) > before),
            (looked, looked),
            "{spend:?}: {sight:?}"
        );
        if !looked {
            assert!(format!("{:?}", sight.motion).contains("is not asked before"), "{sight:?}");
        }
    }
}

#[tokio::test]
async fn a_429_ends_a_look_and_says_of_which_limit_it_is() {
    let limit = |fields: &[(&str, &str)]| Act::Send(raw(429, fields, r#"{"message":"API rate limit exceeded"}"#));
    for (act, says) in [
        (
            limit(&[("x-ratelimit-limit-day", "5000"), ("x-ratelimit-remaining-day", "0")]),
            "0 of 4000 calls are left",
        ),
        (limit(&[("retry-after", "120")]), "the next one is due in 120 s"),
        (limit(&[]), "limits the rate"),
    ] {
        let server = central(&Issuer::with("seed"), move |r| (call(r) == DEVICES).then(|| act.clone())).await;
        let mut parts = Parts::new(&Secret::token("seed"));
        parts.timing.central_second = std::time::Duration::from_secs(60);
        let client = parts.client(&server);
        let sight = look(&server, &client).await;
        assert!(format!("{:?}", sight.motion).contains(says), "{sight:?}");
        let again = look(&server, &client).await;
        assert!(!again.seen());
        assert_eq!(count(&server, DEVICES), 1, "{says}: not asked again meanwhile");
    }
}

#[tokio::test]
async fn other_targets_are_not_asked_for_and_no_list_is() {
    let (server, client) = ready(|_| None).await;
    let console = TargetKey::console(server.authority());
    assert!(!client.observe(&console, &Scope::default()).await.seen());
    let listing = client.list();
    assert!(!listing.complete && listing.sights.is_empty());
    assert_eq!(calls(&server), Vec::<String>::new());
}
