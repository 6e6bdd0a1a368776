//! What the pages give people to copy: manifests that the API server takes, and a table that is compared with a real one elsewhere.

use serde_json::Value;

use super::page::pages;
use super::page::read;
use crate::chart::documents;
use crate::crds::Objects;
use crate::crds::installed;

/// The kinds, with their plurals.
const KINDS: [(&str, &str); 5] = [
    ("Connection", "connections"),
    ("ClusterUpgradeBatch", "clusterupgradebatches"),
    ("ApplianceUpdate", "applianceupdates"),
    ("FirmwareUpgrade", "firmwareupgrades"),
    ("Inventory", "inventories"),
];

/// The whole manifests of a page: parts of one, which name no apiVersion, are left out.
fn manifests(text: &str) -> Vec<Value> {
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let each = blocks.flat_map(documents);
    each.filter(|document| document.contains("apiVersion:"))
        .map(|document| serde_saphyr::from_str(&document).unwrap_or_else(|error| panic!("{error}\n{document}")))
        .collect()
}

#[tokio::test]
async fn every_manifest_of_the_pages_is_one_that_the_api_server_takes() {
    let plane = installed().await;
    let mut tried = 0;
    for path in pages("docs").into_iter().chain(["README.md".into()]) {
        for manifest in manifests(&read(&path)) {
            let kind = manifest["kind"].as_str().unwrap();
            let (kind, plural) = KINDS.into_iter().find(|(known, _)| *known == kind).unwrap();
            let objects = Objects::namespaced(plane, kind, plural, "default").await;
            let answer = objects.try_create("tried", &manifest["spec"]).await;
            assert!(answer.is_ok(), "{}: {manifest}: {answer:?}", path.display());
            tried += 1;
        }
    }
    assert!(tried >= 6, "{tried}");
}

/// The story of that night compares the table of docs/schedules.md with what kubectl prints.
#[test]
fn the_night_in_the_readme_is_the_one_that_is_compared_with_a_real_one() {
    let night = |page: &str| {
        let text = read(page);
        let (_, rest) = text.split_once("$ kubectl get clusterupgradebatches -A\n").unwrap();
        rest.split("```").next().unwrap().to_owned()
    };
    assert_eq!(night("README.md"), night("docs/schedules.md"));
}
