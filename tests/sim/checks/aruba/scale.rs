//! A provider with three hundred customers.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::super::aruba::{Config, Estate, Kind, Place, Sizes, VERSION_NEW, VERSION_OLD, customer, group, start_path};
use super::{Bench, answer, order};

fn large() -> Config {
    let mut estate = Estate::msp(300, 20);
    estate.offline_every = 10;
    Config::still().estate(|e| *e = estate)
}

#[tokio::test]
async fn three_hundred_customers_are_there_and_made_only_when_somebody_asks() {
    let bench = Bench::new(large()).await;
    assert_eq!(bench.central.customers().len(), 300);
    let state = |bench: &Bench| bench.client.get(format!("{}/state", bench.central.control_url()));
    assert_eq!(answer(state(&bench)).await.1["vendor"]["fleets"], json!([]));
    let (_, list) = answer(bench.read(&customer(299), "devices?device_type=CX&limit=1000")).await;
    assert_eq!(list["devices"].as_array().unwrap().len(), 20);
    let fleets = answer(state(&bench)).await.1["vendor"]["fleets"].clone();
    assert_eq!(
        fleets,
        json!([{
            "customer": "4d1c012b", "device_type": "CX", "devices": 20, "versions": {VERSION_OLD: 20}, "stages": {"at_rest": 20},
        }])
    );
}

#[tokio::test]
async fn all_of_them_are_upgraded_each_by_one_start() {
    let bench = Bench::new(large()).await;
    for number in 0..300 {
        let start = bench.request(Method::POST, &start_path(&customer(number))).json(&order());
        assert_eq!(answer(start).await.0, 200);
    }
    bench.advance(3600);
    for number in 0..300 {
        assert_eq!(
            bench.central.at_version(&customer(number), Kind::Cx, VERSION_NEW).unwrap(),
            18,
            "two are offline"
        );
        assert_eq!(bench.central.starts(&customer(number), Kind::Cx).len(), 1);
    }
    assert!(bench.central.log().duplicates().is_empty());
    assert_eq!(bench.central.charged_today(), 300);
}

#[tokio::test]
async fn the_same_numbers_make_the_same_estate() {
    let rows = async || {
        let bench = Bench::new(large()).await;
        answer(bench.read(&customer(7), "devices?limit=1000")).await.1
    };
    let (first, second): (Value, Value) = (rows().await, rows().await);
    assert_eq!(first, second);
    assert_eq!(first["devices"].as_array().unwrap().len(), 80);
}

#[tokio::test]
async fn every_group_has_every_model_and_ids_tell_who_they_are() {
    let config = Config::still().estate(|e| (e.groups, e.models, e.sizes) = (3, 3, Sizes::each(9)));
    let bench = Bench::new(config).await;
    let mut seen: Vec<_> = bench
        .central
        .units(&customer(0), Kind::Hp)
        .unwrap()
        .iter()
        .map(|unit| (unit.group, unit.model))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), group(2).as_str()), (9, "TestGroup3"));
    for kind in Kind::ALL {
        let place = Place::new(299, kind, 70_000);
        assert_eq!(Place::parse(&place.id()), Some(place));
    }
    for id in [
        "",
        "CX",
        "CX00000",
        "CX0000+00001",
        "cx0000000001",
        "ZZ0000000001",
        "CX00000000010",
        "ÄX0000000001",
    ] {
        assert_eq!(Place::parse(id), None, "{id}");
    }
}
