//! What the operator asked of the API server, by the API server's own audit log.
//!
//! The log has one line for each answered request, at level Metadata, and is written before the answer goes out: what the operator has seen done is
//! in it. A [`Mark`] is a place in it, so that each figure counts its own part.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

/// Whom the chart lets the operator be.
const OPERATOR: &str = "system:serviceaccount:windlass-system:windlass";

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// The log.
pub struct Audit(PathBuf);

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// create, patch, get and so on.
    pub verb: String,
    /// Resource, and subresource behind a slash.
    pub what: String,
    /// Name of the object; that of an object to be created is not in the log.
    pub name: String,
    /// When it came.
    pub at: Timestamp,
    /// How it was answered.
    pub code: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    object_ref: Option<Object>,
    response_status: Option<Answer>,
    request_received_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Object {
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    code: u16,
}

impl Asked {
    /// It changed something.
    pub fn wrote(&self) -> bool {
        self.changes() && self.code < 300
    }

    /// It was to change something.
    pub fn changes(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete")
    }
}

impl Audit {
    /// The one at this path.
    pub fn new(path: PathBuf) -> Audit {
        Audit(path)
    }

    /// Its end as it is now.
    pub fn mark(&self) -> anyhow::Result<Mark> {
        Ok(Mark(std::fs::metadata(&self.0)?.len()))
    }

    /// What the operator asked since.
    pub fn since(&self, mark: Mark) -> anyhow::Result<Vec<Asked>> {
        let mut file = File::open(&self.0)?;
        file.seek(SeekFrom::Start(mark.0))?;
        let mut all = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line?;
            // Most lines are others', and this is cheaper than to read them.
            if line.contains(OPERATOR) {
                all.extend(serde_json::from_str::<Line>(&line).ok().and_then(asked));
            }
        }
        Ok(all)
    }
}

fn asked(line: Line) -> Option<Asked> {
    let object = line.object_ref?;
    if line.user.username != OPERATOR || line.uri.contains("dryRun=") {
        return None;
    }
    let part = if object.subresource.is_empty() {
        String::new()
    } else {
        format!("/{}", object.subresource)
    };
    Some(Asked {
        verb: line.verb,
        what: format!("{}{part}", object.resource),
        name: object.name,
        at: line.request_received_timestamp,
        code: line.response_status.map_or(0, |s| s.code),
    })
}

/// How many of each resource.
pub fn by_what<'a>(all: impl Iterator<Item = &'a Asked>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for asked in all {
        *counts.entry(format!("{} {}", asked.verb, asked.what)).or_default() += 1;
    }
    counts
}
