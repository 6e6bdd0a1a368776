//! Reading what `plan` is about: files of YAML or JSON documents, as kubectl takes them.

use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::api::GROUP;
use crate::api::VERSION;
use crate::cli::cluster::text;
use crate::cli::kinds;
use crate::cli::kinds::Kind;

/// A file that cannot be planned with.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// It cannot be read.
    #[error("{file}: {why}")]
    File {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
    /// It is no YAML.
    #[error("{file} is no YAML: {why}")]
    Yaml {
        /// Which.
        file: String,
        /// Why, and where.
        why: String,
    },
    /// It is of a version that this one does not know.
    #[error("{file}: {kind} {name} is of {found}; this Windlass knows {GROUP}/{VERSION}")]
    Version {
        /// Which.
        file: String,
        /// The object.
        kind: String,
        /// The object.
        name: String,
        /// Its apiVersion.
        found: String,
    },
    /// A kind that there is not.
    #[error("{file}: there is no kind {found:?} in {GROUP}")]
    Kind {
        /// Which.
        file: String,
        /// The kind.
        found: String,
    },
    /// It has no name, or one that the API server makes up.
    #[error("{file}: a {kind} without metadata.name cannot be planned")]
    Nameless {
        /// Which.
        file: String,
        /// The object.
        kind: String,
    },
    /// Nothing to plan.
    #[error("{files}: no upgrade in it")]
    Empty {
        /// The files.
        files: String,
    },
}

/// What the files hold.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Upgrades, in their order, each in the namespace that it would be applied to.
    pub upgrades: Vec<(Kind, Value)>,
    /// Connections.
    pub connections: Vec<Value>,
    /// How many objects there are of which nothing is planned.
    pub others: usize,
}

/// Reads files and folders; `-` is standard input. Of a folder its YAML and JSON files are read, by name.
pub fn read(files: &[PathBuf], namespace: &str) -> Result<Manifests, BadManifest> {
    let mut out = Manifests::default();
    for file in files {
        for (name, text) in texts(file)? {
            parse(&name, &text, namespace, &mut out)?;
        }
    }
    if out.upgrades.is_empty() {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        return Err(BadManifest::Empty { files: files.join(", ") });
    }
    Ok(out)
}

fn texts(file: &Path) -> Result<Vec<(String, String)>, BadManifest> {
    let failed = |path: &Path, why: std::io::Error| BadManifest::File {
        file: path.display().to_string(),
        why: why.to_string(),
    };
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| failed(file, e))?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    let mut paths = vec![file.to_owned()];
    if file.is_dir() {
        paths.clear();
        for entry in std::fs::read_dir(file).map_err(|e| failed(file, e))? {
            let path = entry.map_err(|e| failed(file, e))?.path();
            let read = path
                .extension()
                .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
            if read {
                paths.push(path);
            }
        }
        paths.sort();
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(|e| failed(&path, e))?;
        Ok((path.display().to_string(), text))
    };
    paths.into_iter().map(read).collect()
}

fn parse(file: &str, text: &str, namespace: &str, out: &mut Manifests) -> Result<(), BadManifest> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|e| BadManifest::Yaml {
        file: file.to_owned(),
        why: e.to_string(),
    })?;
    documents.into_iter().try_for_each(|document| take(file, document, namespace, out))
}

fn take(file: &str, mut object: Value, namespace: &str, out: &mut Manifests) -> Result<(), BadManifest> {
    if object.is_null() {
        return Ok(());
    }
    if let Some(items) = object.get_mut("items").filter(|items| items.is_array()).map(Value::take) {
        let items = items.as_array().cloned().unwrap_or_default();
        return items.into_iter().try_for_each(|item| take(file, item, namespace, out));
    }
    let (version, kind, name) = (
        text(&object, "/apiVersion"),
        text(&object, "/kind"),
        text(&object, "/metadata/name"),
    );
    if version != GROUP && !version.starts_with(&format!("{GROUP}/")) {
        out.others += 1;
        return Ok(());
    }
    let file = file.to_owned();
    if version != format!("{GROUP}/{VERSION}") {
        return Err(BadManifest::Version {
            file,
            kind,
            name,
            found: version,
        });
    }
    let Some(known) = kinds::of_manifests(&kind) else {
        return Err(BadManifest::Kind { file, found: kind });
    };
    if name.is_empty() {
        return Err(BadManifest::Nameless { file, kind });
    }
    if known.namespaced && text(&object, "/metadata/namespace").is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    match known.kind.as_str() {
        _ if known.upgrade => out.upgrades.push((known, object)),
        "Connection" => out.connections.push(object),
        _ => out.others += 1,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Manifests, BadManifest> {
        let mut out = Manifests::default();
        parse("a.yaml", text, "here", &mut out).map(|()| out)
    }

    #[test]
    fn what_is_applied_together_is_read_together() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n# nothing\n---\napiVersion: windlass.dev/v1alpha1\nkind: Connection\n\
                    metadata: {name: c}\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: windlass.dev/v1alpha1\n  kind: ApplianceUpdate\n  \
                    metadata: {name: a, namespace: there}\n";
        let read = parsed(text).unwrap();
        assert_eq!((read.upgrades.len(), read.connections.len(), read.others), (1, 1, 1));
        assert_eq!(read.upgrades[0].1["metadata"]["namespace"], "there");
        assert_eq!(read.connections[0]["metadata"]["namespace"], "here");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_file() {
        for (text, says) in [
            ("a: [", "a.yaml is no YAML"),
            (
                "apiVersion: windlass.dev/v9\nkind: Connection\nmetadata: {name: c}",
                "this Windlass knows windlass.dev/v1alpha1",
            ),
            (
                "apiVersion: windlass.dev/v1alpha1\nkind: Upgrade\nmetadata: {name: c}",
                "no kind \"Upgrade\"",
            ),
            ("apiVersion: windlass.dev/v1alpha1\nkind: ApplianceUpdate", "without metadata.name"),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
