//! Links and the book.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::page::Page;
use super::page::pages;
use super::page::read;
use crate::chart::ROOT;

/// Every page that people read.
fn all() -> Vec<PathBuf> {
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "charts/windlass/README.md"];
    others.iter().map(PathBuf::from).chain(pages("docs")).collect()
}

/// A path without `..` in it; none where it leads out of the repository.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    Some(out)
}

/// What is wrong with a link of this page; links to other sites are not looked at.
fn broken(page: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() {
        page.to_path_buf()
    } else {
        let Some(target) = plain(&page.parent().unwrap().join(path)) else {
            return Some("leads out of the repository".to_owned());
        };
        target
    };
    if !Path::new(ROOT).join(&target).exists() {
        return Some("there is no such file".to_owned());
    }
    let anchor = anchor?;
    let known = Page::of(&read(&target)).anchors;
    (!known.contains(anchor)).then(|| format!("{} has no such heading: {known:?}", target.display()))
}

#[test]
fn no_link_leads_nowhere() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for path in all() {
        for link in Page::of(&read(&path)).links {
            looked_at += 1;
            wrong.extend(broken(&path, &link).map(|why| format!("{}: {link}: {why}", path.display())));
        }
    }
    assert!(looked_at > 100, "{looked_at}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    for (link, why) in [
        ("nowhere.md", "no such file"),
        ("concepts.md#nothing", "no such heading"),
        ("../../etc", "out of the repository"),
        ("#nothing", "no such heading"),
    ] {
        let found = broken(Path::new("docs/cli.md"), link).unwrap_or_default();
        assert!(found.contains(why), "{link}: {found:?}");
    }
    assert_eq!(broken(Path::new("docs/cli.md"), "concepts.md#the-ledger"), None);
}

#[test]
fn every_page_is_in_the_book_once_and_the_readme_leads_to_each() {
    let summary = Path::new("docs/SUMMARY.md");
    let mut listed: Vec<PathBuf> = Page::of(&read(summary))
        .links
        .iter()
        .map(|link| Path::new("docs").join(link))
        .collect();
    listed.sort();
    let there: Vec<PathBuf> = pages("docs").into_iter().filter(|path| path != summary).collect();
    assert_eq!(listed, there);
    let readme = Page::of(&read("README.md")).links;
    let led_to = |path: &PathBuf| readme.iter().any(|link| Path::new(link.split('#').next().unwrap()) == path);
    // Runbooks are listed with their alerts, and the first page of the book is the README in short.
    let of_its_own = |path: &&PathBuf| !path.starts_with("docs/runbooks") && *path != Path::new("docs/index.md");
    let missing: Vec<&PathBuf> = there.iter().filter(of_its_own).filter(|path| !led_to(path)).collect();
    assert!(missing.is_empty(), "README.md does not lead to {missing:?}");
}
