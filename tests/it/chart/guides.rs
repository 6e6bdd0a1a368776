//! The commands of the guides, run as they stand there, one after another, in a cluster of their own for each guide.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use http::Method;
use serde_json::Value;
use serde_json::json;

use super::ROOT;
use super::site::OPERATOR;
use super::site::Person;
use super::site::RECEIPTS;
use crate::plane::Options;
use crate::plane::Plane;

/// The commands of a guide: what stands behind `$` in its blocks, with the lines that it goes on.
fn commands(guide: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{ROOT}/docs/{guide}")).unwrap();
    let (mut all, mut inside, mut goes_on): (Vec<String>, bool, bool) = (Vec::new(), false, false);
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        let (body, begins) = line.strip_prefix("$ ").map_or((line.trim(), false), |body| (body, true));
        if !inside || !(begins || goes_on) {
            continue;
        }
        let (body, more) = body.strip_suffix('\\').map_or((body, false), |body| (body.trim_end(), true));
        match all.last_mut() {
            Some(last) if goes_on => *last = format!("{last} {body}"),
            _ => all.push(body.to_owned()),
        }
        goes_on = more;
    }
    all
}

/// Words as a shell would part them; `'` holds them together, `#` ends them.
fn words(command: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted): (Vec<String>, String, bool) = (Vec::new(), String::new(), false);
    for c in format!("{command} ").chars() {
        match c {
            '\'' => quoted = !quoted,
            '#' if !quoted && word.is_empty() => break,
            ' ' if !quoted => {
                if !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    all
}

/// Somebody who follows a guide.
struct Reader {
    plane: Plane,
    /// Files that commands wrote, by the names that the guide has for them.
    files: BTreeMap<String, PathBuf>,
}

impl Reader {
    async fn new() -> Reader {
        Reader {
            plane: Plane::start(Options::default()).await.unwrap(),
            files: BTreeMap::new(),
        }
    }

    /// Does what a command says, which must succeed.
    async fn run(&mut self, command: &str) {
        let mut words = words(command);
        let into = words.iter().position(|word| word == ">");
        let written = into.and_then(|at| words.split_off(at).pop());
        // Another cluster is another plane.
        if words.starts_with(&["kubectl", "config", "use-context"].map(str::to_owned)) {
            self.plane = Plane::start(Options::default()).await.unwrap();
            return;
        }
        let (tool, args) = words.split_first().unwrap();
        let at = |word: &String| self.files.get(word).map_or(word.clone(), |path| path.display().to_string());
        let args: Vec<String> = args.iter().map(at).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = match tool.as_str() {
            "kubectl" => self.plane.kubectl(&args).await,
            "helm" => self.plane.helm(&args).await,
            // Whoever runs this has built it; of the image there is a test of its own.
            "cargo" | "deploy/image/assemble" | "buildah" => return,
            _ => panic!("{command}: run by nobody"),
        };
        let said = output.unwrap().ok().unwrap_or_else(|error| panic!("{command}: {error}"));
        if let Some(name) = written {
            let folder = format!("{}/guides-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
            std::fs::create_dir_all(&folder).unwrap();
            let path = PathBuf::from(format!("{folder}/{name}"));
            std::fs::write(&path, said).unwrap();
            self.files.insert(name, path);
        }
    }
}

/// Runs every command of a guide; there are at least so many.
async fn followed(guide: &str, at_least: usize) {
    let commands = commands(guide);
    assert!(commands.len() >= at_least, "{commands:?}");
    let mut reader = Reader::new().await;
    for command in commands {
        reader.run(&command).await;
    }
}

/// Every page that people copy commands from.
fn pages() -> Vec<(String, String)> {
    let mut all = vec!["README.md".to_owned(), "charts/windlass/README.md".to_owned()];
    for folder in ["docs", "docs/runbooks"] {
        let entries = std::fs::read_dir(format!("{ROOT}/{folder}")).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        let pages = names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "md"));
        all.extend(pages.map(|name| format!("{folder}/{name}")));
    }
    let read = |name: String| (std::fs::read_to_string(format!("{ROOT}/{name}")).unwrap(), name);
    all.into_iter().map(read).map(|(text, name)| (name, text)).collect()
}

/// The chart of the repository names no image that anybody publishes. `--reuse-values` keeps the values of the chart of before and lacks whatever section a newer one adds; a revision by its number is whichever
/// one it was on the machine of who wrote the page.
#[test]
fn no_command_of_a_page_lacks_an_image_takes_back_what_was_set_or_breaks_with_a_newer_chart() {
    for (name, text) in pages() {
        let text = text.replace("\\\n", " ");
        for line in text.lines() {
            assert!(!line.contains(" --reuse-values"), "{name}: {line}");
            if line.contains("$ helm install ") {
                assert!(
                    line.contains("image.repository="),
                    "{name}: nobody publishes an image of the bare name: {line}"
                );
            }
            if line.contains("helm upgrade windlass") {
                assert!(line.contains("--reset-then-reuse-values"), "{name}: {line}");
            }
            if let Some((_, revision)) = line.split_once("helm rollback windlass") {
                assert!(!revision.trim_start().starts_with(|c: char| c.is_ascii_digit()), "{name}: {line}");
            }
        }
    }
}

/// A namespace that two installs serve has two operators: one of them is refused its receipts, and both write each status.
#[test]
fn no_two_installs_of_the_guide_ever_serve_one_namespace() {
    let mut serve: Vec<(String, Option<String>)> = Vec::new();
    for command in commands("install.md") {
        let words = words(&command);
        let watch = words.iter().find_map(|w| w.strip_prefix("watch.namespaces=")).map(str::to_owned);
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["helm", "install", release, ..] => serve.push((release.to_owned(), watch)),
            ["helm", "uninstall", release, ..] => serve.retain(|(there, _)| there != release),
            ["kubectl", "apply", "-k", folder] => serve.push((folder.to_owned(), None)),
            ["kubectl", "delete", "-f", "deploy/base/deployment.yaml", ..] => serve.retain(|(there, _)| there != "deploy/base"),
            _ => {}
        }
        let everywhere = serve.iter().any(|(_, watch)| watch.is_none());
        let places: BTreeSet<&Option<String>> = serve.iter().map(|(_, watch)| watch).collect();
        assert!(
            places.len() == serve.len() && (!everywhere || serve.len() == 1),
            "{command}: {serve:?}"
        );
    }
    assert!(serve.len() > 1, "two teams: {serve:?}");
}

#[tokio::test]
async fn every_command_of_the_guide_to_install_works_in_its_order() {
    followed("install.md", 16).await;
}

#[tokio::test]
async fn every_command_of_the_guide_to_gitops_works_in_its_order() {
    followed("gitops.md", 8).await;
}

#[tokio::test]
async fn every_command_of_the_guide_to_security_works_in_its_order() {
    followed("security.md", 8).await;
}

#[tokio::test]
async fn every_command_of_the_guide_to_aruba_central_works_in_its_order() {
    followed("aruba-central.md", 10).await;
}

/// The receipt that the guide to operations is about.
const RECEIPT: &str = "vcenter-4zur24ls5xnrf3hvwxdm-00001";

/// What stands in a receipt, but for what each API server adds of its own.
async fn facts(plane: &Plane) -> Value {
    let admin = Person::new(plane, "admin", &["system:masters"]).await;
    let receipt = admin.send(Method::GET, &format!("{RECEIPTS}/{RECEIPT}"), &json!({})).await.unwrap();
    json!({"finalizers": receipt["metadata"]["finalizers"], "spec": receipt["spec"], "status": receipt["status"]})
}

#[tokio::test]
async fn what_is_saved_as_the_guide_to_operations_says_is_back_with_every_fact() {
    let commands = commands("operations.md");
    assert!(commands.len() >= 20, "{commands:?}");
    let mut reader = Reader::new().await;
    let (mut saved, mut compared) = (None, false);
    for command in commands {
        if command.contains("> receipts.yaml") {
            let operator = Person::new(&reader.plane, OPERATOR, &[]).await;
            operator.create_receipt(RECEIPT, "4zur24ls5xnrf3hvwxdm", &json!({})).await.unwrap();
            let facts_of_it = json!({
                "answer": {"kind": "Accepted", "at": "2026-11-28T01:00:02Z"},
                "end": {"kind": "Succeeded", "at": "2026-11-28T02:00:00Z", "how": "seen at v1.30.5+vmware.2"},
            });
            let path = format!("{RECEIPTS}/{RECEIPT}/status");
            operator.send(Method::PATCH, &path, &json!({"status": facts_of_it})).await.unwrap();
            let token = [
                "create",
                "secret",
                "generic",
                "windlass-tokens",
                "-n",
                "netops",
                "--from-literal=a=b",
            ];
            reader.plane.kubectl(&token).await.unwrap().ok().unwrap();
            saved = Some(facts(&reader.plane).await);
        }
        reader.run(&command).await;
        if command.contains("replace --subresource=status") {
            assert_eq!(Some(facts(&reader.plane).await), saved);
            compared = true;
        }
    }
    assert!(compared, "the guide does not put receipts back");
    let left = ["get", "crd", "-o", "name", "--ignore-not-found"];
    let left = reader.plane.kubectl(&left).await.unwrap().ok().unwrap();
    assert!(!left.contains("windlass.dev"), "it is said to remove all: {left}");
}
