//! A vendor's specification as the proxy gets it, and the operations in it.
//!
//! Called by the stories. vCenter's is given to the proxy as it is. The appliance's names no path before its own, so each path gets the
//! one under which an appliance serves them; nothing else is changed. The changed copy lies in the control plane's scratch folder and goes
//! with it.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Map;
use serde_json::Value;

use crate::sim::appliance::BASE;

/// A specification.
pub struct Spec {
    /// For people.
    pub name: &'static str,
    /// What the proxy reads.
    pub file: PathBuf,
    /// All of them.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// GET and so on.
    pub method: String,
    /// With `{names}` in it.
    pub path: String,
    /// What `?action=` has to be.
    pub action: Option<String>,
    /// The statuses that it documents.
    pub statuses: Vec<u16>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.strip_prefix(BASE).unwrap_or(&self.path);
        write!(f, "{} {path}", self.method)?;
        self.action.iter().try_for_each(|action| write!(f, "?action={action}"))
    }
}

impl Operation {
    /// Is this a call of it? By path and method alone, as the proxy has it.
    fn takes(&self, method: &str, path: &str) -> bool {
        let (wanted, given): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        self.method == method && wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
    }
}

impl Spec {
    /// vCenter's sessions and software/clusters.
    pub fn vcenter(specs: &Path) -> anyhow::Result<Spec> {
        let file = specs.join("vcenter-subset-api.yaml");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let whole: Value = serde_saphyr::from_str(&text).with_context(|| file.display().to_string())?;
        let name = "vCenter";
        let operations = operations(&whole)?;
        Ok(Spec { name, file, operations })
    }

    /// The requests to Aruba Central's firmware service.
    pub fn aruba(specs: &Path) -> anyhow::Result<Spec> {
        let file = specs.join("firmware-openapi-from-postman.json");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let whole: Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        let operations = operations(&whole)?;
        let name = "Aruba Central";
        Ok(Spec { name, file, operations })
    }

    /// The appliance's of `product` (vrms, srm).
    pub fn appliance(specs: &Path, product: &str, name: &'static str, scratch: &Path) -> anyhow::Result<Spec> {
        let given = specs.join(format!("{product}-appliance-config-api-v2.json"));
        let text = std::fs::read_to_string(&given).with_context(|| given.display().to_string())?;
        let mut whole: Value = serde_json::from_str(&text).with_context(|| given.display().to_string())?;
        let paths = whole["paths"].as_object_mut().context("paths")?;
        *paths = std::mem::take(paths)
            .into_iter()
            .map(|(path, item)| (format!("{BASE}{path}"), item))
            .collect::<Map<_, _>>();
        let file = scratch.join(format!("{product}-conformance.json"));
        std::fs::write(&file, whole.to_string())?;
        let operations = operations(&whole)?;
        Ok(Spec { name, file, operations })
    }

    /// The operation that this is a call of.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.takes(method, path))
    }

    /// The one that is written so.
    pub fn named(&self, written: &str) -> anyhow::Result<&Operation> {
        let found = self.operations.iter().find(|operation| operation.to_string() == written);
        found.with_context(|| format!("the specification of {} has no operation {written}", self.name))
    }
}

fn operations(whole: &Value) -> anyhow::Result<Vec<Operation>> {
    let mut all = Vec::new();
    for (path, item) in whole["paths"].as_object().context("paths")? {
        for (method, operation) in item.as_object().context("a path")? {
            let Some(responses) = operation["responses"].as_object() else {
                continue;
            };
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let action = parameters.clone().find(|p| p["name"] == "action").map(|p| &p["schema"]["enum"][0]);
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                action: action.and_then(Value::as_str).map(str::to_owned),
                statuses: responses.keys().filter_map(|status| status.parse().ok()).collect(),
            });
        }
    }
    anyhow::ensure!(!all.is_empty(), "a specification without operations");
    Ok(all)
}
