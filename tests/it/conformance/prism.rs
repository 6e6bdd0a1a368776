//! The process of the validating proxy.
//!
//! Runs under the control plane's supervisor, so that it ends with this process however that ends. It takes a free port by itself and
//! says which: nobody else can have taken it meanwhile.

use std::time::Duration;

use anyhow::bail;

use super::Setup;
use super::spec::Spec;
use crate::plane::Child;
use crate::plane::Plane;

/// To load a specification takes two seconds of one core; on a machine that does something else besides, many more.
const PATIENCE: Duration = Duration::from_mins(2);

/// What it says once it listens, before its URL.
const LISTENS: &str = "Prism is listening on ";

/// A proxy that runs; it ends with this handle.
pub struct Prism {
    _child: Child,
    url: String,
}

impl Prism {
    /// Puts one between us and `upstream`, whose certificate `ca_pem` vouches for.
    pub async fn start(setup: &Setup, plane: &Plane, spec: &Spec, upstream: &str, ca_pem: &str) -> anyhow::Result<Prism> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let (ca, log) = (
            plane.scratch().join(format!("{name}.pem")),
            plane.scratch().join(format!("prism-{name}.log")),
        );
        std::fs::write(&ca, ca_pem)?;
        let (file, ca) = (spec.file.display().to_string(), ca.display().to_string());
        // Without --errors all passes: a violation must not hide what comes after it.
        let args = ["proxy", "--host", "127.0.0.1", "--port", "0", file.as_str(), upstream];
        let child = plane.spawn(&setup.prism, &args, &[("NODE_EXTRA_CA_CERTS", &ca)], &log).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(url) = listening(&child.log()) {
                return Ok(Prism { _child: child, url });
            }
            if child.has_ended() || tokio::time::Instant::now() > deadline {
                bail!("{} does not serve {file}: {}", setup.prism.display(), child.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn listening(log: &str) -> Option<String> {
    let (_, rest) = log.split_once(LISTENS)?;
    // Half a line is not yet the whole port.
    let (url, _) = rest.split_once('\n')?;
    url.split_whitespace().next().map(str::to_owned)
}
