//! The start: what it asks, and how its answer is taken.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::RecoveryAppliance;
use super::answers;
use super::session::HEADER;
use crate::controller::permit::Order;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::vendor::http::NotSent;
use crate::vendor::http::Reply;
use crate::vendor::http::StartCall;
use crate::vendor::http::Unsent;
use crate::vendor::session::Token;

/// A start that is prepared: a fresh look with its witness, a session that this look has just used, a token of the limiter, and the guard
/// that keeps this client from asking for updates until it is dropped or answered.
#[must_use = "a prepared start is started or deliberately dropped"]
pub struct Ready {
    pub(super) client: RecoveryAppliance,
    pub(super) target: TargetKey,
    pub(super) sight: Sight,
    pub(super) token: Arc<Token>,
    pub(super) guard: OwnedMutexGuard<()>,
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
        let shared = Arc::clone(&self.client.shared);
        let version = permit.order().version.clone();
        let path = shared.path(&install(&version));
        let call = StartCall {
            operation: "start",
            path: &path,
            query: &[],
            session: (HEADER, self.token.secret()),
            body: None,
            place: None,
        };
        let judge = |reply: &Reply| {
            let pause = reply.retry_after.map(|wanted| wanted.min(shared.timing.retry_max));
            let answer = answers::judge(reply.status, pause, reply.whole_body());
            let unauthorized = NotTaken::Unauthorized;
            if matches!(&answer, Answer::NotTaken { reason, .. } if *reason == unauthorized) {
                self.token.retire();
            }
            answer
        };
        let outcome = shared.http.send_once(call, permit, judge).await;
        shared.forget_offers();
        drop(self.guard);
        outcome
    }
}

/// Path of the install of an update, under the base path.
fn install(version: &str) -> [&str; 6] {
    ["appliance", "update-manager", "updates", version, "actions", "install"]
}

/// What a start asks, for the receipt: no session, no header, nothing secret. The base path is the Connection's.
pub fn describe_request(_target: &TargetKey, order: &Order) -> String {
    format!("POST .../{}", install(&order.version).join("/"))
}
