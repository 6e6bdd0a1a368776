//! Rules of the house that no compiler checks: the core is pure, and files stay small enough to be read.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What the pure core does not mention: clocks, randomness, waiting, and everything that talks to somebody.
const IMPURE: [&str; 16] = [
    "tokio",
    "kube",
    "reqwest",
    "axum",
    "tracing",
    "rand",
    "uuid",
    "Clock",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "async",
    "await",
    "std::env",
    "std::fs",
];

/// A file longer than this wants to be two.
const LONGEST: usize = 500;

#[test]
fn the_core_mentions_no_clock_no_client_and_no_waiting() {
    let mut found = Vec::new();
    for (path, text) in sources("src/upgrade") {
        for (number, line) in code(&text).lines().enumerate() {
            let hits = IMPURE.iter().filter(|word| mentions(line, word));
            found.extend(hits.map(|word| format!("{}:{}: {word}: {}", path.display(), number + 1, line.trim())));
        }
    }
    assert!(
        found.is_empty(),
        "src/upgrade/ decides on what it is given, and does nothing:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_file_fits_in_a_head() {
    let long: Vec<_> = sources("src")
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines, so more than one thing:\n{}",
        long.join("\n")
    );
}

#[test]
fn the_reader_of_the_rules_sees_code_and_only_code() {
    let text = "let at = Timestamp::now(); // Instant\n//! tokio\n/* kube\nawait */ let brand = operand;\nlet url = \"https://x\"; rand::random();\n";
    let code = code(text);
    let hits: Vec<_> = IMPURE.iter().filter(|word| code.lines().any(|line| mentions(line, word))).collect();
    assert_eq!(hits, [&"rand", &"Timestamp::now"]);
    assert_eq!(code.lines().count(), text.lines().count(), "line numbers stay");
}

/// Every Rust file under `folder`, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing to read in {folder}");
    found.sort();
    found
}

/// The text without comments and without what stands in string literals, line by line as before.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else if next == '"' {
            literal(rest)
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[skipped..];
    }
    out
}

/// Length of the string literal at the start of `rest`. (A raw one with quotes inside is cut short, which shows more, not less.)
fn literal(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `word` is in `line`, not as part of a longer name.
fn mentions(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}
