//! A page of Markdown, taken apart: headings, links and tables, as CommonMark with tables reads them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

use crate::chart::ROOT;

/// A row of a table, cell by cell, without the marks of code and emphasis.
pub type Row = Vec<String>;

/// What is in a page.
#[derive(Debug, Default)]
pub struct Page {
    /// What headings can be linked to by.
    pub anchors: BTreeSet<String>,
    /// Where links and images lead.
    pub links: Vec<String>,
    /// Tables, each with the heading that it stands under, its head as its first row.
    pub tables: Vec<(String, Vec<Row>)>,
}

impl Page {
    /// Reads a page.
    pub fn of(text: &str) -> Page {
        let mut page = Page::default();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let (mut heading, mut cell): (Option<String>, Option<String>) = (None, None);
        let (mut under, mut row): (String, Row) = (String::new(), Row::new());
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => page.links.push(dest_url.into_string()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    under = heading.take().unwrap_or_default();
                    let anchor = anchor(&under);
                    let count = seen.entry(anchor.clone()).or_default();
                    page.anchors.insert(match *count {
                        0 => anchor,
                        n => format!("{anchor}-{n}"),
                    });
                    *count += 1;
                }
                Event::Start(Tag::Table(_)) => page.tables.push((under.clone(), Vec::new())),
                Event::Start(Tag::TableCell) => cell = Some(String::new()),
                Event::End(TagEnd::TableCell) => row.push(cell.take().unwrap_or_default()),
                Event::End(TagEnd::TableRow | TagEnd::TableHead) => page.tables.last_mut().unwrap().1.push(std::mem::take(&mut row)),
                Event::Text(text) | Event::Code(text) => {
                    for open in [&mut heading, &mut cell].into_iter().flatten() {
                        open.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// The rows of the tables under a heading, without their heads.
    pub fn rows(&self, under: &str) -> Vec<&Row> {
        let tables = self.tables.iter().filter(|(heading, _)| heading == under);
        let rows: Vec<&Row> = tables.flat_map(|(_, rows)| rows.iter().skip(1)).collect();
        assert!(!rows.is_empty(), "there is no table under {under:?}");
        rows
    }
}

/// What a heading can be linked to by, on a forge as in the book.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// A file of the repository.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All pages under a folder of the repository, each by its path in there, in order.
pub fn pages(folder: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(Path::new(ROOT).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

#[test]
fn a_page_is_read_as_a_forge_reads_it() {
    let page = Page::of(
        "# A person's `spec` word\n\n## More\n\n[one](a.md#b), `[none](no.md)`\n\n## More\n\n| a | b |\n|---|---|\n| `x\\|y` | [z](q) |\n\n```\n[none](no.md)\n```\n",
    );
    let anchors: Vec<&str> = page.anchors.iter().map(String::as_str).collect();
    assert_eq!(anchors, ["a-persons-spec-word", "more", "more-1"]);
    assert_eq!(page.links, ["a.md#b", "q"]);
    assert_eq!(page.rows("More"), [&vec!["x|y".to_owned(), "z".to_owned()]]);
}
