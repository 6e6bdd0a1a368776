//! The console of the client's tests: it answers sessions and the console itself, and the rest is the test's.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::SecretString;

use super::*;
use crate::clock::Clock;
use crate::vendor::credentials::CredentialError;
use crate::vendor::credentials::CredentialSource;
use crate::vendor::credentials::Secrets;
use crate::vendor::http::testing::*;
use crate::vendor::vault::Memory;

pub(super) const LOGIN: &str = "POST /api/sessions";
pub(super) const LOGOUT: &str = "DELETE /api/sessions/this-session";
pub(super) const VERSION: &str = "GET /api/version";
pub(super) const CONSOLE_CALL: &str = "GET /api/console?properties=name%2Cversion%2Cec-mcl-description";
pub(super) const LIST: &str = "GET /api/console/remote-firmware-updates";
pub(super) const FEATURES: &str = "GET /api/console/operations/list-features";
pub(super) const INSTALL: &str = "POST /api/console/operations/single-step-install";

pub(super) const UPDATE: &str = "/api/console/remote-firmware-updates/1f0c6f36-8d49-11f1-9c0a-00106f0d81cb";
pub(super) const JOB: &str = "/api/jobs/7f3a1c9e-8d49-11f1-9c0a-00106f0d81cb";

/// Secrets of a namespace, by name.
#[derive(Default)]
pub(super) struct Namespace(pub BTreeMap<&'static str, (&'static str, &'static str)>);

impl SecretSource for Namespace {
    fn named<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Credentials, CredentialError>> {
        let found = self.0.get(secret).map(|(username, password)| Credentials {
            username: (*username).to_owned(),
            password: SecretString::from(*password),
        });
        Box::pin(std::future::ready(
            found.ok_or_else(|| CredentialError::NotFound { secret: secret.to_owned() }),
        ))
    }
}

pub(super) fn client_with(server: &Server, credentials: Arc<dyn CredentialSource>, timing: Timing, clock: Clock) -> Hmc {
    Hmc::new(ClientOptions {
        authority: server.authority(),
        ca_bundle_pem: Some(server.ca_pem.clone()),
        credentials,
        fence: loopback_fence(),
        timing,
        clock,
        observer: None,
        start_open: None,
        secrets: Some(Arc::new(Namespace(BTreeMap::from([("hmc-ftp", ("ftpuser", "canary-ftp"))])))),
        vault: Some(Arc::new(Memory::default())),
    })
    .unwrap()
}

pub(super) fn client(server: &Server) -> Hmc {
    client_with(server, Secrets::new([Ok("canary-pw")]), quick(), Clock::system())
}

pub(super) fn target(server: &Server) -> TargetKey {
    TargetKey::console(server.authority())
}

/// Method, path and query.
pub(super) fn call(r: &Request) -> String {
    format!("{} {}", r.method, r.target)
}

pub(super) fn calls(server: &Server) -> Vec<String> {
    server.requests().iter().map(call).collect()
}

pub(super) fn count(server: &Server, of: &str) -> usize {
    calls(server).iter().filter(|c| *c == of).count()
}

/// `GET /api/console` of a console at this bundle.
pub(super) fn console_at(bundle: &str) -> Act {
    json(
        200,
        &format!(
            r#"{{"name":"HMC1","version":"2.16.0","ec-mcl-description":{{"action":[],"bundle-level":"{bundle}",
            "ec":[{{"number":"P30719","part-number":"03LK071","mcl":[{{"type":"retrieved","level":"034","last-update":null}}]}}]}}}}"#
        ),
    )
}

/// `GET /api/console/remote-firmware-updates` with these rows, and tokens that are good until these times.
pub(super) fn listed(rows: &[String], tokens: &[&str]) -> Act {
    let tokens: Vec<String> = tokens
        .iter()
        .enumerate()
        .map(|(n, until)| format!(r#"{{"authorization-token":"canary{n}","expiration-date":{until}}}"#))
        .collect();
    let (rows, tokens) = (rows.join(","), tokens.join(","));
    json(
        200,
        &format!(r#"{{"remote-firmware-updates":[{rows}],"remote-firmware-update-tokens":[{tokens}]}}"#),
    )
}

/// A row of that list.
pub(super) fn row(uri: &str, bundle: &str, state: &str) -> String {
    format!(r#"{{"element-uri":"{uri}","scheduled-execution-time":1795831200000,"target-bundle":"{bundle}","state":"{state}"}}"#)
}

/// The element of that row, half way through.
pub(super) fn element(uri: &str, bundle: &str, state: &str) -> Act {
    let id = uri.rsplit('/').next().unwrap_or_default();
    json(
        200,
        &format!(
            r#"{{"element-id":"{id}","element-uri":"{uri}","parent":"/api/console","class":"remote-firmware-update",
            "creation-time":1795744800000,"scheduled-execution-time":1795831200000,"execution-window":90,"execution-percentage":40,
            "execution-steps":[{{"id":"verify-environment","state":"succeeded"}},{{"id":"back-up-critical-data","state":"running"}},
            {{"id":"apply-internal-code-changes","state":"not-started"}}],
            "target-bundle":"{bundle}","state":"{state}","pending-conditions":["peer-busy"]}}"#
        ),
    )
}

/// An error of the API, which echoes what was sent.
pub(super) fn error(status: u16, reason: u64, message: &str) -> Act {
    json(
        status,
        &format!(
            r#"{{"http-status":{status},"reason":{reason},"message":"{message}","request-method":"GET","request-uri":"/api/console",
            "request-query-parms":[],"request-headers":{{"x-api-session":"canary-session"}},"request-authenticated-as":"adm@vsphere.local",
            "request-body":{{"password":"canary-pw","ftp-server-password":"canary-ftp"}},"stack":"canary-stack","error-details":null}}"#
        ),
    )
}

/// Answers sessions, the version, the console, and an empty list; the rest is the test's, which is also asked first.
pub(super) fn console_or(r: &Request, act: impl FnOnce(&str) -> Option<Act>) -> Act {
    let call = call(r);
    if let Some(act) = act(&call) {
        return act;
    }
    match call.as_str() {
        LOGIN => json(
            200,
            r#"{"api-session":"canary-session","session-credential":"x","notification-topic":"t","password-expires":-1}"#,
        ),
        LOGOUT => Act::Send(raw(204, &[], "")),
        VERSION => json(
            200,
            r#"{"api-major-version":4,"api-minor-version":10,"hmc-version":"2.16.0","hmc-name":"HMC1","hmc-time":1795744800000}"#,
        ),
        CONSOLE_CALL => console_at("H30"),
        LIST => listed(&[], &[]),
        other => panic!("{other}"),
    }
}

/// A console that answers some calls like this, and the rest as if all were well.
pub(super) async fn serving(rows: Vec<(String, Act)>) -> Server {
    Server::serve(move |r, _| console_or(r, |call| rows.iter().find(|(of, _)| of == call).map(|(_, act)| act.clone()))).await
}

/// The same with names that need no owner.
pub(super) async fn serves<const N: usize>(rows: [(&str, Act); N]) -> Server {
    serving(rows.into_iter().map(|(call, act)| (call.to_owned(), act)).collect()).await
}
