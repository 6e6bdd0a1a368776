//! The Secrets of one namespace as Windlass uses them: what a Connection logs in with, what an upgrade lends, and the one that it owns.
//!
//! Made by [`clients`](super::clients), asked by the vendors' clients. Secrets are read with `get`, one by one; they are never listed or watched.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::ResourceExt;
use kube::api::PostParams;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use super::clients::Grantee;
use super::permit::said;
use crate::clock::Clock;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;
use crate::vendor::credentials::ClientCredentials;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Credentials;
use crate::vendor::credentials::SecretSource;
use crate::vendor::vault::Kept;
use crate::vendor::vault::TOKENS_SECRET;
use crate::vendor::vault::TokenVault;
use crate::vendor::vault::VaultError;

/// Reads `username` and `password` from the Connection's Secret; Secrets are never listed or watched.
pub struct KubeCredentials {
    secrets: KubeSecrets,
    secret: String,
    clock: Clock,
    timing: Timing,
    last: Mutex<LastRead>,
}

#[derive(Clone, Default)]
struct LastRead {
    version: Option<String>,
    /// The version that a vendor refused, and when.
    refused: Option<(String, Mono)>,
}

impl KubeCredentials {
    /// Of the Secret of this name. What was refused before an edit of the Connection is not worth another try.
    pub fn new(secrets: KubeSecrets, secret: String, clock: Clock, timing: Timing, before: Option<&KubeCredentials>) -> KubeCredentials {
        KubeCredentials {
            secrets,
            secret,
            clock,
            timing,
            last: Mutex::new(before.map(|b| b.last().clone()).unwrap_or_default()),
        }
    }

    fn last(&self) -> MutexGuard<'_, LastRead> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vendor refused what was read last. Vendors lock accounts after a few wrong passwords, so the same are not tried again
    /// before the Secret changes or GRACE has passed.
    pub fn refused(&self) {
        let mut last = self.last();
        let known = last.refused.as_ref().map(|(version, _)| version.clone());
        if let Some(version) = last.version.clone().filter(|v| known.as_ref() != Some(v)) {
            last.refused = Some((version, self.clock.mono()));
        }
    }

    /// Takes note of what is read, unless the vendor refused just this a short while ago.
    fn not_refused(&self, secret: &Secret) -> Result<(), CredentialError> {
        let version = secret.resource_version().unwrap_or_default();
        let mut last = self.last();
        last.version = Some(version.clone());
        if let Some((refused, at)) = &last.refused {
            if *refused == version && self.clock.mono().since(*at) < self.timing.grace {
                return Err(CredentialError::Refused {
                    secret: self.secret.clone(),
                });
            }
            last.refused = None;
        }
        Ok(())
    }

    async fn fetch(&self) -> Result<Credentials, CredentialError> {
        let secret = self.secrets.get(&self.secret).await?;
        self.not_refused(&secret)?;
        credentials_in(&secret, &self.secret)
    }
}

/// Reads Secrets of one namespace with `get`.
#[derive(Clone)]
pub struct KubeSecrets {
    /// Secrets of the namespace.
    pub api: Api<Secret>,
    /// The namespace.
    pub namespace: String,
    /// Who is to be granted the right, for the command that does.
    pub grantee: Grantee,
}

impl KubeSecrets {
    fn fix(&self) -> String {
        self.grantee.fix(&self.namespace)
    }

    async fn get(&self, secret: &str) -> Result<Secret, CredentialError> {
        let name = || secret.to_owned();
        match self.api.get(secret).await {
            Ok(secret) => Ok(secret),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(CredentialError::NotFound { secret: name() }),
            Err(kube::Error::Api(status)) if status.code == 403 => Err(CredentialError::AccessDenied {
                secret: name(),
                fix: self.fix(),
            }),
            Err(error) => Err(CredentialError::Other {
                secret: name(),
                why: error.to_string(),
            }),
        }
    }
}

impl SecretSource for KubeSecrets {
    fn named<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Credentials, CredentialError>> {
        async move { credentials_in(&self.get(secret).await?, secret) }.boxed()
    }
}

impl CredentialSource for KubeCredentials {
    fn of_client(&self) -> BoxFuture<'_, Result<ClientCredentials, CredentialError>> {
        async move {
            let secret = self.secrets.get(&self.secret).await?;
            self.not_refused(&secret)?;
            client_credentials_in(&secret, &self.secret)
        }
        .boxed()
    }

    fn get(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        self.fetch().boxed()
    }
}

/// The Secret that Windlass owns in one namespace.
pub struct KubeVault {
    secrets: KubeSecrets,
}

impl KubeVault {
    /// Of the namespace of these Secrets.
    pub fn new(secrets: KubeSecrets) -> KubeVault {
        KubeVault { secrets }
    }

    fn failed(&self, error: &kube::Error, verb: &'static str, tried: &'static str) -> VaultError {
        match error {
            kube::Error::Api(status) if status.code == 409 => VaultError::Moved,
            kube::Error::Api(status) if status.code == 403 => VaultError::AccessDenied {
                verb,
                fix: self.secrets.fix(),
            },
            error => VaultError::Other {
                verb: tried,
                why: said(error),
            },
        }
    }

    async fn find(&self) -> Result<Option<Secret>, VaultError> {
        let found = self.secrets.api.get_opt(TOKENS_SECRET).await;
        found.map_err(|error| self.failed(&error, "get", "read"))
    }

    async fn write(&self, key: &str, value: &SecretString, read: &Kept) -> Result<Kept, VaultError> {
        let entry = (key.to_owned(), ByteString(value.expose_secret().as_bytes().to_vec()));
        let api = &self.secrets.api;
        let params = PostParams::default();
        let stored = match self.find().await? {
            Some(secret) if secret.resource_version() != read.version => return Err(VaultError::Moved),
            None if read.version.is_some() => return Err(VaultError::Moved),
            Some(mut secret) => {
                secret.data.get_or_insert_default().extend([entry]);
                let replaced = api.replace(TOKENS_SECRET, &params, &secret).await;
                replaced.map_err(|error| self.failed(&error, "update", "updated"))?
            }
            None => {
                let secret = Secret {
                    metadata: ObjectMeta {
                        name: Some(TOKENS_SECRET.to_owned()),
                        labels: Some(BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "windlass".to_owned())])),
                        ..ObjectMeta::default()
                    },
                    data: Some(BTreeMap::from([entry])),
                    type_: Some("Opaque".to_owned()),
                    ..Secret::default()
                };
                let created = api.create(&params, &secret).await;
                created.map_err(|error| self.failed(&error, "create", "created"))?
            }
        };
        Ok(kept(Some(&stored), key))
    }
}

impl TokenVault for KubeVault {
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Kept, VaultError>> {
        async move { Ok(kept(self.find().await?.as_ref(), key)) }.boxed()
    }

    fn store<'a>(&'a self, key: &'a str, value: &'a SecretString, read: &'a Kept) -> BoxFuture<'a, Result<Kept, VaultError>> {
        self.write(key, value, read).boxed()
    }
}

/// What a Secret holds under a key. A value that is no text is none of ours.
fn kept(secret: Option<&Secret>, key: &str) -> Kept {
    let bytes = secret.and_then(|s| s.data.as_ref()).and_then(|data| data.get(key));
    let text = bytes
        .and_then(|b| String::from_utf8(b.0.clone()).ok())
        .filter(|text| !text.is_empty());
    Kept {
        value: text.map(SecretString::from),
        version: secret.and_then(ResourceExt::resource_version),
    }
}

/// What a Secret holds under a key, where it is text.
fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref().and_then(|d| d.get(key))?;
    String::from_utf8(bytes.0.clone()).ok().filter(|text| !text.is_empty())
}

/// The same, where there is nothing to be done without.
fn needed(secret: &Secret, name: &str, key: &str) -> Result<String, CredentialError> {
    text(secret, key).ok_or_else(|| CredentialError::Incomplete {
        secret: name.to_owned(),
        key: key.to_owned(),
    })
}

/// What a Secret of this name holds.
fn credentials_in(secret: &Secret, name: &str) -> Result<Credentials, CredentialError> {
    Ok(Credentials {
        username: needed(secret, name, "username")?,
        password: SecretString::from(needed(secret, name, "password")?),
    })
}

/// What a Secret of this name holds for an application: a refresh token, or else a user and a password, which may stand there as well.
fn client_credentials_in(secret: &Secret, name: &str) -> Result<ClientCredentials, CredentialError> {
    let refresh_token = text(secret, "refreshToken").map(SecretString::from);
    let user = match credentials_in(secret, name) {
        Ok(user) => Some(user),
        Err(_) if refresh_token.is_some() => None,
        Err(missing) => return Err(missing),
    };
    Ok(ClientCredentials {
        client_id: needed(secret, name, "clientID")?,
        client_secret: SecretString::from(needed(secret, name, "clientSecret")?),
        user,
        refresh_token,
        version: format!(
            "{}/{}",
            secret.uid().unwrap_or_default(),
            secret.resource_version().unwrap_or_default()
        ),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(pairs: &[(&str, &str)]) -> Secret {
        let data = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        let mut secret = Secret {
            data: Some(data.collect()),
            ..Secret::default()
        };
        (secret.metadata.uid, secret.metadata.resource_version) = (Some("u".to_owned()), Some("7".to_owned()));
        secret
    }

    #[test]
    fn no_command_is_shown_that_names_a_role_that_nobody_made() {
        let grantee = |role: Option<&str>| Grantee {
            service_account: "ops:ours".to_owned(),
            role: role.map(str::to_owned),
        };
        let told = grantee(Some("team-windlass-secret-access")).fix("vsphere");
        assert!(
            told.starts_with("run: kubectl create rolebinding") && told.contains("--clusterrole=team-windlass-secret-access"),
            "{told}"
        );
        let told = grantee(None).fix("vsphere");
        assert!(
            !told.contains("kubectl") && told.contains("ops:ours in namespace vsphere get and create of secrets"),
            "{told}"
        );
    }

    #[test]
    fn an_application_has_a_user_or_a_refresh_token_and_what_is_missing_is_named() {
        let application = [("clientID", "id"), ("clientSecret", "s")];
        let with = |more: &[(&'static str, &'static str)]| client_credentials_in(&secret(&[&application[..], more].concat()), "central");
        let by_token = with(&[("refreshToken", "r")]).unwrap();
        assert!(by_token.user.is_none() && by_token.refresh_token.is_some());
        assert_eq!((by_token.client_id.as_str(), by_token.version.as_str()), ("id", "u/7"));
        let by_user = with(&[("username", "ada"), ("password", "p")]).unwrap();
        assert!(by_user.user.is_some_and(|user| user.username == "ada") && by_user.refresh_token.is_none());
        let both = with(&[("username", "ada"), ("password", "p"), ("refreshToken", "r")]).unwrap();
        assert!(both.user.is_some() && both.refresh_token.is_some());
        assert_eq!(format!("{both:?}"), "ClientCredentials { .. }");
        let missing = |found: Result<ClientCredentials, CredentialError>| found.unwrap_err().to_string();
        assert_eq!(missing(with(&[])), "Secret central has no usable key username");
        assert_eq!(missing(with(&[("username", "ada")])), "Secret central has no usable key password");
        let no_application = client_credentials_in(&secret(&[("refreshToken", "r"), ("clientID", "id")]), "central");
        assert_eq!(missing(no_application), "Secret central has no usable key clientSecret");
    }

    proptest! {
        #[test]
        fn a_secret_of_any_bytes_gives_its_own_text_or_names_the_key_and_never_shows_a_byte(
            data in prop::collection::btree_map("username|password|other", prop::collection::vec(prop_oneof![any::<u8>(), 32..127_u8], 0..40), 0..3),
        ) {
            let data = data.into_iter().map(|(key, bytes)| (key, ByteString(bytes))).collect();
            let secret = Secret { data: Some(data), ..Secret::default() };
            let data = secret.data.as_ref().unwrap();
            let readable = |key: &str| data.get(key).is_some_and(|b| !b.0.is_empty() && std::str::from_utf8(&b.0).is_ok());
            match credentials_in(&secret, "vc1") {
                Ok(read) => {
                    prop_assert_eq!(read.username.as_bytes(), &*data["username"].0);
                    prop_assert_eq!(read.password.expose_secret().as_bytes(), &*data["password"].0);
                    prop_assert_eq!(format!("{read:?}"), "Credentials { .. }");
                }
                Err(error) => {
                    let key = if readable("username") { "password" } else { "username" };
                    prop_assert!(!readable(key));
                    prop_assert_eq!(error.to_string(), format!("Secret vc1 has no usable key {key}"));
                }
            }
        }
    }
}
