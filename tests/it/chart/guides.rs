//! The commands of the guides, run as they stand there, one after another, in a cluster of their own for each guide.

use super::ROOT;
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

/// Runs every command of a guide; there are at least so many.
async fn followed(guide: &str, at_least: usize) {
    let plane = Plane::start(Options::default()).await.unwrap();
    let commands = commands(guide);
    assert!(commands.len() >= at_least, "{commands:?}");
    for command in commands {
        let words = words(&command);
        let (tool, args) = words.split_first().unwrap();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = match tool.as_str() {
            "kubectl" => plane.kubectl(&args).await,
            "helm" => plane.helm(&args).await,
            // Whoever runs this has built it; of the image there is a test of its own.
            "cargo" | "deploy/image/assemble" | "buildah" => continue,
            _ => panic!("{command}: run by nobody"),
        };
        output.unwrap().ok().unwrap_or_else(|error| panic!("{command}: {error}"));
    }
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
