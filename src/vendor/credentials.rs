//! Where credentials come from. The vendor clients ask at each login and each probe, so a rotated Secret needs no watch.

#[cfg(test)]
mod fake;

use std::fmt;

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use secrecy::SecretString;

#[cfg(test)]
pub(crate) use fake::Secrets;

/// A user and a password. `Debug` shows neither.
#[derive(Clone)]
pub struct Credentials {
    /// Who logs in.
    pub username: String,
    /// With what.
    pub password: SecretString,
}

impl Credentials {
    /// Whether both are the same.
    pub(super) fn same_as(&self, other: &Credentials) -> bool {
        self.username == other.username && self.password.expose_secret() == other.password.expose_secret()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What a client of an API that is its own application logs in with (Aruba Central, OAuth). `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ClientCredentials {
    /// Id of the application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The user on whose behalf it acts, where the Secret names one.
    pub user: Option<Credentials>,
    /// A token that tokens can be had for, where the Secret holds one: somebody got it for us, and it is good once.
    pub refresh_token: Option<SecretString>,
    /// The state of the Secret that all of this was read from (`uid/resourceVersion`). It changes with any write, also with one that changes
    /// nothing of this.
    pub version: String,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").finish_non_exhaustive()
    }
}

/// Reads the credentials of one Connection afresh.
pub trait CredentialSource: Send + Sync {
    /// Those of an application, for an API that wants them: there is a user or a refresh token in them, or both.
    fn of_client(&self) -> BoxFuture<'_, Result<ClientCredentials, CredentialError>>;

    /// The credentials as they are now.
    fn get(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>>;
}

/// Reads credentials out of any Secret of one namespace.
pub trait SecretSource: Send + Sync {
    /// What the Secret of this name holds now.
    fn named<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Credentials, CredentialError>>;
}

/// Credentials that cannot be read. Each names the Secret and what to do.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CredentialError {
    /// No such Secret.
    #[error("there is no Secret {secret} in this namespace: create it with the keys username and password")]
    NotFound {
        /// Its name.
        secret: String,
    },
    /// We may not read it.
    #[error("may not read Secret {secret}; {fix}")]
    AccessDenied {
        /// Its name.
        secret: String,
        /// The command that grants the right.
        fix: String,
    },
    /// A key is missing, empty, or not text.
    #[error("Secret {secret} has no usable key {key}")]
    Incomplete {
        /// Its name.
        secret: String,
        /// The key.
        key: String,
    },
    /// The vendor refused exactly these credentials a short while ago; sending them again could lock the account.
    #[error(
        "the vendor refused the user name or password in Secret {secret}; change the Secret. They are not tried again for now, so that the account is not locked"
    )]
    Refused {
        /// Its name.
        secret: String,
    },
    /// The API server could not be asked; says nothing about the Secret.
    #[error("Secret {secret} could not be read: {why}")]
    Other {
        /// Its name.
        secret: String,
        /// What happened.
        why: String,
    },
}
