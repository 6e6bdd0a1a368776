//! The Central of the client's tests: it gives tokens as Central does, and answers the rest as the test says.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::*;
use crate::clock::Clock;
use crate::vendor::credentials::ClientCredentials;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Credentials;
use crate::vendor::http::testing::*;
use crate::vendor::vault::Memory;
use crate::vendor::vault::TokenVault;

pub(super) const LOGIN: &str = "POST /oauth2/authorize/central/api/login";
pub(super) const AUTHORIZE: &str = "POST /oauth2/authorize/central/api";
pub(super) const TOKEN: &str = "POST /oauth2/token";
pub(super) const DEVICES: &str = "GET /firmware/v1/devices";
pub(super) const SWARMS: &str = "GET /firmware/v1/swarms";
pub(super) const VERSIONS: &str = "GET /firmware/v1/versions";
pub(super) const START: &str = "POST /firmware/v1/msp/upgrade/customers/4d1c9a70";

pub(super) const OLD: &str = "10.11.1021";
pub(super) const NEW: &str = "10.13.1010";
pub(super) const CUSTOMER: &str = "4d1c9a70";

/// A Secret that people change.
pub(super) struct Secret(Mutex<ClientCredentials>);

impl Secret {
    /// With a refresh token.
    pub fn token(token: &str) -> Arc<Secret> {
        Secret::of(Some(token), None)
    }

    /// With a user.
    pub fn user(password: &str) -> Arc<Secret> {
        Secret::of(None, Some(password))
    }

    pub fn of(token: Option<&str>, password: Option<&str>) -> Arc<Secret> {
        Arc::new(Secret(Mutex::new(ClientCredentials {
            client_id: "client".to_owned(),
            client_secret: SecretString::from("canary-client-secret"),
            user: password.map(|password| Credentials {
                username: "adm@example.com".to_owned(),
                password: SecretString::from(password),
            }),
            refresh_token: token.map(SecretString::from),
            version: "uid/1".to_owned(),
        })))
    }

    /// Somebody puts another refresh token there.
    pub fn put(&self, token: &str) {
        self.change(|secret| secret.refresh_token = Some(SecretString::from(token)));
    }

    pub fn change(&self, change: impl FnOnce(&mut ClientCredentials)) {
        let mut secret = self.0.lock().unwrap();
        change(&mut secret);
        secret.version.push('1');
    }
}

impl CredentialSource for Secret {
    fn of_client(&self) -> BoxFuture<'_, Result<ClientCredentials, CredentialError>> {
        std::future::ready(Ok(self.0.lock().unwrap().clone())).boxed()
    }

    fn get(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        panic!("Central wants the credentials of an application")
    }
}

/// Gives tokens that rotate; who uses one twice loses all of its family.
#[derive(Default)]
pub(super) struct Issuer(Mutex<Issued>);

#[derive(Default)]
pub(super) struct Issued {
    /// Refresh tokens that are good.
    pub good: BTreeSet<String>,
    pub spent: BTreeSet<String>,
    /// Access tokens that are good.
    pub access: BTreeSet<String>,
    pub pairs: u32,
    pub reuses: u32,
}

impl Issuer {
    /// Somebody gets this one at Central's console.
    pub fn with(token: &str) -> Arc<Issuer> {
        let issuer = Issuer::default();
        issuer.issued().good.insert(token.to_owned());
        Arc::new(issuer)
    }

    pub fn issued(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().unwrap()
    }

    /// Pairs that it gave, and used tokens that it was shown again.
    pub fn told(&self) -> (u32, u32) {
        let issued = self.issued();
        (issued.pairs, issued.reuses)
    }

    pub fn answer(&self, r: &Request) -> Act {
        let query: BTreeMap<String, String> = url::Url::parse(&format!("https://x{}", r.target))
            .unwrap()
            .query_pairs()
            .into_owned()
            .collect();
        let mut issued = self.issued();
        if query["client_secret"] != "canary-client-secret" {
            return json(
                401,
                r#"{"error":"invalid_client","error_description":"Invalid client authentication"}"#,
            );
        }
        match query["grant_type"].as_str() {
            "refresh_token" => {
                let token = &query["refresh_token"];
                if issued.spent.contains(token) {
                    issued.reuses += 1;
                    issued.good.clear();
                    issued.access.clear();
                }
                if !issued.good.remove(token) {
                    return json(
                        400,
                        &format!(r#"{{"error":"invalid_grant","error_description":"Invalid refresh_token {token}"}}"#),
                    );
                }
                issued.spent.insert(token.clone());
            }
            "authorization_code" if query["code"] == "canary-code" => {}
            other => panic!("{other}"),
        }
        issued.pairs += 1;
        let (access, refresh) = (
            format!("canary-access-{}", issued.pairs),
            format!("canary-refresh-{}", issued.pairs),
        );
        issued.access = BTreeSet::from([access.clone()]);
        issued.good.insert(refresh.clone());
        json(
            200,
            &format!(r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":7200,"token_type":"bearer"}}"#),
        )
    }
}

/// Method and path, without the query.
pub(super) fn call(r: &Request) -> String {
    let path = r.target.split('?').next().unwrap_or_default();
    format!("{} {path}", r.method)
}

pub(super) fn query(r: &Request) -> String {
    r.target.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default()
}

pub(super) fn calls(server: &Server) -> Vec<String> {
    server.requests().iter().map(call).collect()
}

pub(super) fn count(server: &Server, of: &str) -> usize {
    calls(server).iter().filter(|c| *c == of).count()
}

/// Calls of the firmware service, with their queries.
pub(super) fn firmware(server: &Server) -> Vec<String> {
    let asked = server.requests();
    let firmware = asked.iter().filter(|r| r.target.starts_with("/firmware/"));
    firmware
        .map(|r| format!("{} {}", r.method, r.target.trim_start_matches("/firmware/v1")))
        .collect()
}

/// A Central whose tokens this one gives. What the test does not answer is answered as if all were well.
pub(super) async fn central(issuer: &Arc<Issuer>, act: impl Fn(&Request) -> Option<Act> + Send + Sync + 'static) -> Server {
    let issuer = Arc::clone(issuer);
    Server::serve(move |r, _| {
        if let Some(act) = act(r) {
            return act;
        }
        match call(r).as_str() {
            LOGIN => Act::Send(raw(
                200,
                &[
                    ("content-type", "application/json"),
                    ("set-cookie", "csrftoken=canary-csrf; Path=/; Secure"),
                    ("set-cookie", "session=canary-session; Path=/; Secure; HttpOnly"),
                ],
                r#"{"status":true}"#,
            )),
            AUTHORIZE => json(200, r#"{"auth_code":"canary-code"}"#),
            TOKEN => issuer.answer(r),
            other => {
                let token = r
                    .header("authorization")
                    .and_then(|header| header.strip_prefix("Bearer "))
                    .unwrap_or_default();
                if !issuer.issued().access.contains(token) {
                    return invalid_token();
                }
                match other {
                    DEVICES => devices(&[device("SN1", OLD), device("SN2", OLD)]),
                    SWARMS => json(200, r#"{"swarms":[],"swarm_count":0}"#),
                    VERSIONS => json(200, &format!(r#"[{{"firmware_version":"{OLD}"}},{{"firmware_version":"{NEW}"}}]"#)),
                    START => json(200, r#""Firmware upgrade initiated""#),
                    other => panic!("{other}"),
                }
            }
        }
    })
    .await
}

/// A Central with one refresh token, `seed`, and a client that has it.
pub(super) async fn ready(act: impl Fn(&Request) -> Option<Act> + Send + Sync + 'static) -> (Server, ArubaCentral) {
    let server = central(&Issuer::with("seed"), act).await;
    let client = client(&server);
    (server, client)
}

pub(super) fn invalid_token() -> Act {
    json(
        401,
        r#"{"error":"invalid_token","error_description":"The access token is invalid or has expired"}"#,
    )
}

/// An error of the firmware service.
pub(super) fn error(status: u16, code: &str, description: &str) -> Act {
    json(
        status,
        &format!(r#"{{"description":"{description}","error_code":"{code}","service_name":"Firmware"}}"#),
    )
}

pub(super) fn device(serial: &str, version: &str) -> String {
    format!(
        r#"{{"serial":"{serial}","hostname":"h","mac_address":"aa:bb","model":"6300M","device_status":"Up","is_stack":false,"firmware_version":"{version}",
        "recommended":"{NEW}","upgrade_required":true,"is_reboot_enable":true,"status":{{"state":"UPGRADE_REQUIRED","reason":"older"}}}}"#
    )
}

pub(super) fn devices(rows: &[String]) -> Act {
    json(200, &format!(r#"{{"devices":[{}]}}"#, rows.join(",")))
}

/// Production's durations, but a second of Central's is short.
pub(super) fn brisk() -> Timing {
    Timing {
        central_second: Duration::from_millis(5),
        ..quick()
    }
}

/// Everything that a client is made of, to make two that share some of it.
pub(super) struct Parts {
    pub secret: Arc<Secret>,
    pub vault: Arc<Memory>,
    pub timing: Timing,
    pub clock: Clock,
    pub per_day: u32,
}

impl Parts {
    pub fn new(secret: &Arc<Secret>) -> Parts {
        Parts {
            secret: Arc::clone(secret),
            vault: Arc::default(),
            timing: brisk(),
            clock: Clock::system(),
            per_day: 4000,
        }
    }

    pub fn client(&self, server: &Server) -> ArubaCentral {
        let settings = Settings {
            customer_id: "msp-acme".to_owned(),
            requests_per_day: self.per_day,
        };
        let options = ClientOptions {
            authority: server.authority(),
            ca_bundle_pem: Some(server.ca_pem.clone()),
            credentials: Arc::clone(&self.secret) as Arc<dyn CredentialSource>,
            fence: loopback_fence(),
            timing: self.timing.clone(),
            clock: self.clock.clone(),
            observer: None,
            start_open: None,
            secrets: None,
            vault: Some(Arc::clone(&self.vault) as Arc<dyn TokenVault>),
        };
        ArubaCentral::new(options, settings, Arc::default()).unwrap()
    }

    /// What is kept.
    pub fn kept(&self, server: &Server) -> entry::Entry {
        let text = self.vault.get(&key(server)).map(SecretString::from);
        entry::Entry::read(text.as_ref())
    }

    pub fn keep(&self, server: &Server, entry: &entry::Entry) {
        use secrecy::ExposeSecret;
        self.vault.put(&key(server), entry.written().expose_secret());
    }
}

pub(super) fn key(server: &Server) -> String {
    place::key(server.authority().as_str(), "client")
}

pub(super) fn client(server: &Server) -> ArubaCentral {
    Parts::new(&Secret::token("seed")).client(server)
}

pub(super) fn target(server: &Server) -> TargetKey {
    TargetKey::customer(server.authority(), CUSTOMER, "CX")
}

/// A wall clock that a test moves.
pub(super) struct Moved(PathBuf);

impl Moved {
    pub fn new() -> (Moved, Clock) {
        let file = std::env::temp_dir().join(format!("windlass-central-{}", uuid::Uuid::new_v4().simple()));
        (Moved(file.clone()), Clock::off_by_file(file))
    }

    /// So many minutes ahead of now.
    pub fn minutes(&self, minutes: i64) {
        std::fs::write(&self.0, (minutes * 60_000).to_string()).unwrap();
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
