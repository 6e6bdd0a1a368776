//! Credentials of tests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use futures::TryFutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::ClientCredentials;
use super::CredentialError;
use super::CredentialSource;
use super::Credentials;

/// Passwords of tests (or failures) given one after another; the last one stays.
pub(crate) struct Secrets {
    left: Mutex<VecDeque<Result<&'static str, CredentialError>>>,
    pub asked: AtomicUsize,
}

impl Secrets {
    pub fn new(of: impl IntoIterator<Item = Result<&'static str, CredentialError>>) -> Arc<Secrets> {
        Arc::new(Secrets {
            left: Mutex::new(of.into_iter().collect()),
            asked: AtomicUsize::new(0),
        })
    }
}

impl CredentialSource for Secrets {
    fn of_client(&self) -> BoxFuture<'_, Result<ClientCredentials, CredentialError>> {
        let application = |user: Credentials| ClientCredentials {
            client_id: "client".to_owned(),
            client_secret: SecretString::from("client-secret"),
            user: Some(user),
            refresh_token: None,
            version: format!("uid/{}", self.asked.load(Ordering::Relaxed)),
        };
        Box::pin(self.get().map_ok(application))
    }

    fn get(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut left = self.left.lock().unwrap();
        let next = if left.len() > 1 {
            left.pop_front().unwrap()
        } else {
            left[0].clone()
        };
        Box::pin(std::future::ready(next.map(|p| Credentials {
            username: "adm@vsphere.local".to_owned(),
            password: SecretString::from(p),
        })))
    }
}
