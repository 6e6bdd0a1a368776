//! The start: what it carries, and how its answer is taken.

use std::sync::Arc;
use std::sync::PoisonError;

use secrecy::ExposeSecret;
use serde_json::Value;
use serde_json::json;

use super::Hmc;
use super::answers;
use super::answers::What;
use super::session::HEADER;
use super::wire;
use crate::controller::permit::Order;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::upgrade::facts::InstallSource;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::vendor::credentials::Credentials;
use crate::vendor::error::VendorError;
use crate::vendor::http::NotSent;
use crate::vendor::http::Reply;
use crate::vendor::http::StartCall;
use crate::vendor::http::Unsent;
use crate::vendor::session::Token;

/// Path of a single step install.
const INSTALL: [&str; 4] = ["api", "console", "operations", "single-step-install"];

/// Path of a token for IBM. Takes no body.
const AUTHORIZE: [&str; 4] = ["api", "console", "operations", "authorize-remote-firmware-updates"];

/// A start that is prepared: a fresh look, the session that this look has just used, a token of the limiter, and what opens the file server.
#[must_use = "a prepared start is started or deliberately dropped"]
pub struct Ready {
    pub(super) client: Hmc,
    pub(super) target: TargetKey,
    /// What it was prepared for: another order may need another server.
    pub(super) order: Order,
    pub(super) lent: Option<Credentials>,
    pub(super) sight: Sight,
    pub(super) token: Arc<Token>,
}

impl Ready {
    /// The look that preparing ended in.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Sends the start, once. `Err`: nothing left the process.
    pub async fn start(self, permit: StartPermit) -> Result<Sent, Box<Unsent>> {
        if *permit.target() != self.target {
            let why = NotSent::WrongTarget {
                permit: permit.target().canonical(),
                prepared: self.target.canonical(),
            };
            return Err(Unsent::boxed(permit, why));
        }
        let body = match body(permit.order(), &self.order, self.lent.as_ref()) {
            Ok(body) => body,
            Err(why) => {
                let operation = "start";
                return Err(Unsent::boxed(permit, VendorError::NoRequest { operation, why }));
            }
        };
        let shared = &*self.client.shared;
        let call = StartCall {
            operation: "start",
            path: path(&self.order),
            query: &[],
            session: (HEADER, self.token.secret()),
            body: body.as_ref(),
            place: None,
        };
        let judge = |reply: &Reply| {
            let pause = reply.retry_after.map(|wanted| wanted.min(shared.timing.retry_max));
            let issued = reply.whole_body().filter(|_| body.is_none()).and_then(wire::issued);
            // First of all: what the answer's words may not repeat is known from here on.
            shared.tokens.extend(issued.clone());
            let what = match &body {
                Some(_) => What::Install,
                None => What::Authorize { issued: issued.is_some() },
            };
            let answer = answers::judge(what, reply.status, pause, reply.whole_body(), &shared.hush(&self.token));
            if matches!(
                answer,
                Answer::NotTaken {
                    reason: NotTaken::Unauthorized,
                    ..
                }
            ) {
                self.token.retire();
            }
            if let Answer::Accepted { job: Some(job) } = &answer {
                *shared.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.clone());
            }
            answer
        };
        shared.http.send_once(call, permit, judge).await
    }
}

/// Where an order goes.
fn path(order: &Order) -> &'static [&'static str] {
    match order.options {
        Options::ConsoleSchedule { .. } => &AUTHORIZE,
        _ => &INSTALL,
    }
}

/// The start's body, if it has one, or why it cannot be sent. The bundle is always named: a console that is told none installs everything that there is.
/// `backup-location-type` and `accept-firmware` are always there, as with IBM's own client.
fn body(order: &Order, prepared: &Order, lent: Option<&Credentials>) -> Result<Option<Value>, String> {
    if order != prepared {
        return Err(format!("{} was prepared, and not exactly what is asked for now", prepared.version));
    }
    let (accept_firmware, source) = match &order.options {
        Options::ConsoleInstall { accept_firmware, source } => (accept_firmware, source),
        Options::ConsoleSchedule { authorize: true } => return Ok(None),
        other => {
            return Err(format!(
                "it is asked for with {other:?}, with which nothing is started on a console"
            ));
        }
    };
    let mut body = json!({"bundle-level": order.version, "accept-firmware": accept_firmware});
    match source {
        InstallSource::Usb => body["backup-location-type"] = json!("usb"),
        InstallSource::Ftp {
            host, protocol, directory, ..
        } => {
            let lent = lent.ok_or("the credentials of the file server were not read")?;
            body["backup-location-type"] = json!("ftp");
            body["ftp-retrieve"] = json!(true);
            body["ftp-server-host"] = json!(host);
            body["ftp-server-user"] = json!(lent.username);
            body["ftp-server-password"] = json!(lent.password.expose_secret());
            body["ftp-server-directory"] = json!(directory);
            body["ftp-server-protocol"] = json!(protocol);
        }
    }
    Ok(Some(body))
}

/// What a start asks, for the receipt: no session, no header, nothing secret.
pub fn describe_request(_target: &TargetKey, order: &Order) -> String {
    match order.options {
        Options::ConsoleSchedule { .. } => format!("POST /{}", AUTHORIZE.join("/")),
        _ => format!("POST /{} bundle-level={}", INSTALL.join("/"), order.version),
    }
}
