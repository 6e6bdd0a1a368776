//! Keys, tokens and kubeconfigs: who may talk to the plane and how.
//!
//! Made by [`super::Plane`] at its start. The keys are made for one plane and end with its scratch folder.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::json;

/// The files that the API server is started with.
pub struct Keys {
    /// The authority that signed the server's certificate, as PEM.
    pub ca_pem: String,
    /// The same, in a file.
    pub ca: PathBuf,
    /// The server's certificate.
    pub cert: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// Signs the tokens of ServiceAccounts.
    pub service_account_key: PathBuf,
    /// Its public half, to check them.
    pub service_account_pub: PathBuf,
}

impl Keys {
    /// Makes fresh ones in `folder`.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "windlass test plane");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let names = [
            "localhost",
            "127.0.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let mut server = CertificateParams::new(names.map(String::from))?;
        server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let cert = server.signed_by(&key, &authority)?;

        let service_account = KeyPair::generate()?;
        let write = |name: &str, content: String| -> anyhow::Result<PathBuf> {
            let path = folder.join(name);
            std::fs::write(&path, content)?;
            Ok(path)
        };
        Ok(Self {
            ca: write("ca.crt", authority.pem())?,
            ca_pem: authority.pem(),
            cert: write("apiserver.crt", cert.pem())?,
            key: write("apiserver.key", key.serialize_pem())?,
            service_account_key: write("service-account.key", service_account.serialize_pem())?,
            service_account_pub: write("service-account.pub", service_account.public_key_pem())?,
        })
    }
}

/// A kubeconfig with one cluster, one user and one context, as JSON (which is YAML too).
pub fn kubeconfig(server: &str, ca_pem: &str, token: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "plane", "cluster": {"server": server, "certificate-authority-data": BASE64.encode(ca_pem.as_bytes())}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "user"}}],
        "current-context": "plane",
    })
}

/// A client of the runtime that calls this: its worker ends with that runtime, so no test may hand it to another.
pub async fn client(server: &str, ca_pem: &str, token: &str) -> anyhow::Result<kube::Client> {
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig(server, ca_pem, token))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}
