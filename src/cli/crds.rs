//! `windlass crds`: the CustomResourceDefinitions of this version as YAML.

use std::io;
use std::io::Write;
use std::path::Path;

use kube::ResourceExt;
use serde_json::Value;

use crate::api;

/// Prints all CRDs as one stream of YAML documents.
pub fn print(out: &mut impl Write) -> io::Result<()> {
    for (_, yaml) in files()? {
        write!(out, "---\n{yaml}")?;
    }
    out.flush()
}

/// Writes one file per CRD into a folder, which is made if it is not there.
pub fn write(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, yaml) in files()? {
        std::fs::write(dir.join(name), yaml)?;
    }
    Ok(())
}

/// File name and content for each CRD.
pub fn files() -> io::Result<Vec<(String, String)>> {
    api::all_crds()
        .iter()
        .map(|crd| {
            let mut value = serde_json::to_value(crd).map_err(io::Error::other)?;
            whole_numbers(&mut value);
            let yaml = serde_saphyr::to_string(&value).map_err(io::Error::other)?;
            Ok((format!("{}.yaml", crd.name_any()), format!("{}\n", yaml.trim_end())))
        })
        .collect()
}

/// Writes `64.0` as `64`: bounds are floating point numbers in the CRD's types, but these bound integers.
pub(super) fn whole_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Number(number) => {
            if let Some(whole) = number
                .as_f64()
                .filter(|f| f.fract() == 0.0)
                .and_then(|f| format!("{f:.0}").parse::<i64>().ok())
            {
                *value = whole.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crds_folder_is_fresh() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        let wanted = files().unwrap();
        for (name, yaml) in &wanted {
            let found = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
            assert!(
                found == *yaml,
                "crds/{name} is stale; run: cargo run --bin windlass -- crds --dir crds"
            );
        }
        for entry in std::fs::read_dir(&dir).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(wanted.iter().any(|(n, _)| *n == name), "crds/{name} belongs to no kind: remove it");
        }
    }

    #[test]
    fn printed_stream_has_one_document_per_kind() {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text.matches("---\napiVersion: apiextensions.k8s.io/v1\n").count(),
            api::all_crds().len()
        );
    }

    #[test]
    fn a_closed_pipe_is_an_error_and_no_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(print(&mut Closed).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
