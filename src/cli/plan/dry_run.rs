//! Asking the API server whether it would take a manifest, and what it would make of it. A dry run: nothing is stored.

use kube::api::PostParams;
use kube::core::Request;
use serde_json::Value;

use crate::cli::cluster::Cluster;
use crate::cli::cluster::ClusterError;
use crate::cli::cluster::made_harmless;
use crate::cli::cluster::text;
use crate::cli::kinds::Kind;

/// What the API server says.
pub enum Said {
    /// It would take it, and make this of it.
    Taken(Value),
    /// It would not, and why.
    Refused(String),
    /// Whoever asks may not write it, so it cannot be asked.
    NotAsked,
}

/// Asks about a manifest; `live` is the object of that name, where there is one. An update is asked for as a whole, as the manifest has it: what
/// it leaves out is left out. Labels and annotations that others put there stay, as every tool that applies leaves them.
pub async fn ask(cluster: &Cluster, kind: &Kind, manifest: &Value, live: Option<&Value>) -> Result<Said, ClusterError> {
    let (namespace, name) = (text(manifest, "/metadata/namespace"), text(manifest, "/metadata/name"));
    let verb = if live.is_some() { "update" } else { "create" };
    let path = format!("/apis/{}/namespaces/{namespace}/{}", kind.resource().api_version, kind.plural);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let mut whole = manifest.clone();
    if let Some(live) = live {
        let mut metadata = live["metadata"].clone();
        for field in ["labels", "annotations"] {
            for (key, value) in manifest["metadata"][field].as_object().into_iter().flatten() {
                metadata[field][key] = value.clone();
            }
        }
        whole["metadata"] = metadata;
    }
    let unreadable = |why: String| ClusterError::Unreadable {
        what: kind.name(&name),
        why,
    };
    let body = serde_json::to_vec(&whole).map_err(|e| unreadable(e.to_string()))?;
    let request = Request::new(path);
    let request = match live {
        Some(_) => request.replace(&name, &params, body),
        None => request.create(&params, body),
    };
    let mut request = request.map_err(|e| unreadable(e.to_string()))?;
    // A field that this version does not know is told, and not dropped.
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict.parse().map_err(|_| unreadable("its name makes no URL".to_owned()))?;
    match cluster.client.request::<Value>(request).await {
        Ok(taken) => Ok(Said::Taken(made_harmless(taken))),
        Err(error) => match cluster.error(error, verb, kind) {
            ClusterError::Forbidden { .. } => Ok(Said::NotAsked),
            ClusterError::Refused { said, .. } => Ok(Said::Refused(said)),
            other => Err(other),
        },
    }
}
