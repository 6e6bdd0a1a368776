//! The two HTTP clients of one Connection: one that reads, one that starts.
//!
//! They differ where it matters. The client for starts sends at most once, whatever the server does (protocol, section 3): by default
//! reqwest re-sends what a server refuses by HTTP/2 GOAWAY or REFUSED_STREAM (HTTP/2 is not compiled in, HTTP/1.1 is forced, retries
//! are `never`), and hyper-util re-sends what a stale pooled connection did not take (it keeps no idle connection, so none is stale).
//!
//! **Whom we trust.** With `spec.caBundlePEM` only that bundle; without it the public roots as Mozilla ships them, compiled in
//! (`webpki-root-certs`). reqwest's own default, `rustls-platform-verifier`, reads the certificate files of the system on Linux and
//! fails without any, and a scratch image has none. There is no way to switch verification off.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::ClientBuilder;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::fence::Fence;
use super::proxy::OnlyTheProxy;
use super::resolve::FencedResolver;
use crate::upgrade::timing::Timing;
use crate::vendor::error::VendorError;

/// Longest wait for the whole answer to a read. Reads are lists of at most some hundred short rows: 30 s is what an overloaded vCenter
/// takes, not a healthy one, and it is shorter than every poll that matters.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The two clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// For everything that may be repeated.
    pub reads: Client,
    /// For starts: every request on its own connection, never sent twice.
    pub starts: Client,
}

impl Clients {
    /// Builds both. `start_timeout`: longest wait for the answer to a start.
    pub fn new(ca_bundle_pem: Option<&str>, fence: &Arc<Fence>, timing: &Timing, start_timeout: Duration) -> Result<Clients, VendorError> {
        let tls = tls(ca_bundle_pem)?;
        let mut tls_for_starts = tls.clone();
        // A full handshake on each start: nothing of an earlier connection is used, and early data (which can be replayed) is impossible.
        tls_for_starts.resumption = rustls::client::Resumption::disabled();
        tls_for_starts.enable_early_data = false;

        let reads = common(tls, fence, timing)?.timeout(READ_TIMEOUT);
        let starts = common(tls_for_starts, fence, timing)?
            .pool_max_idle_per_host(0)
            .timeout(start_timeout);
        Ok(Clients {
            reads: build(reads)?,
            starts: build(starts)?,
        })
    }
}

fn common(tls: ClientConfig, fence: &Arc<Fence>, timing: &Timing) -> Result<ClientBuilder, VendorError> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(timing.connect_timeout)
        .tcp_nodelay(true);
    let Some(proxy) = fence.proxy() else {
        return Ok(builder.dns_resolver(FencedResolver(Arc::clone(fence))));
    };
    let resolver = OnlyTheProxy {
        proxy: proxy.clone(),
        lookup: Arc::clone(fence.lookup()),
    };
    Ok(builder.proxy(proxy.proxy().map_err(unusable)?).dns_resolver(resolver))
}

fn build(builder: ClientBuilder) -> Result<Client, VendorError> {
    builder.build().map_err(unusable)
}

fn unusable(error: reqwest::Error) -> VendorError {
    VendorError::NoRequest {
        operation: "any call",
        why: error.without_url().to_string(),
    }
}

fn tls(ca_bundle_pem: Option<&str>) -> Result<ClientConfig, VendorError> {
    let roots = ca_bundle_pem.map_or_else(|| Ok(public_roots()), bundle)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| VendorError::NoRequest {
            operation: "any call",
            why: e.to_string(),
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// How many public authorities are in this binary.
pub fn public_authorities() -> usize {
    public_roots().len()
}

fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots
}

/// How a certificate begins in PEM.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Reads every certificate of a PEM bundle. One that cannot be used is an error that says which, never skipped in silence.
pub(super) fn bundle(pem: &str) -> Result<RootCertStore, VendorError> {
    let bad = |why: String| VendorError::BadCaBundle { why };
    let mut roots = RootCertStore::empty();
    for (number, item) in (1..).zip(CertificateDer::pem_slice_iter(pem.as_bytes())) {
        let certificate = item.map_err(|e| bad(format!("item {number} is not PEM ({e})")))?;
        roots
            .add(certificate)
            .map_err(|e| bad(format!("certificate {number} cannot be read ({e})")))?;
    }
    let begun = pem.split(['\n', '\r']).filter(|line| line.starts_with(BEGIN)).count();
    if roots.len() < begun {
        return Err(bad(format!(
            "{begun} certificates begin in it and {} can be read; one lacks its end or stands within another",
            roots.len()
        )));
    }
    if roots.is_empty() {
        return Err(bad(
            "it holds no certificate; expected PEM text with -----BEGIN CERTIFICATE-----".to_owned()
        ));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(name: &str) -> String {
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_bundle_may_hold_several_certificates_and_prose() {
        let two = format!("# lab\n{}\n# prod\n{}", pem("a.example"), pem("b.example"));
        assert_eq!(bundle(&two).unwrap().len(), 2);
    }

    #[test]
    fn a_bad_bundle_says_what_is_wrong() {
        let broken = format!("{}-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", pem("a.example"));
        let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let unfinished = format!("{BEGIN}\n{}", pem("a.example"));
        for (text, says) in [
            ("", "no certificate"),
            ("hello", "no certificate"),
            (broken.as_str(), "item 2"),
            (not_a_certificate, "certificate 1"),
            (unfinished.as_str(), "2 certificates begin in it and 1 can be read"),
        ] {
            let err = bundle(text).unwrap_err();
            assert!(err.message().contains("spec.caBundlePEM") && err.message().contains(says), "{err}");
            assert_eq!(err.reason(), "TLSUntrusted");
        }
    }

    #[test]
    fn public_roots_need_no_file() {
        let clients = Clients::new(None, &Arc::new(Fence::default()), &Timing::production(), READ_TIMEOUT);
        assert!(clients.is_ok());
        assert!(public_authorities() > 100);
    }
}
