//! The start: what it carries, and how its answer is taken.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::CLUSTERS;
use super::Shared;
use super::VCenter;
use super::answers;
use super::session::HEADER;
use crate::controller::permit::Order;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::upgrade::facts::Options;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::vendor::http::NotSent;
use crate::vendor::http::Reply;
use crate::vendor::http::StartCall;
use crate::vendor::http::Unsent;
use crate::vendor::session::Token;

/// A start that is prepared: a fresh look, a session that this look has just used, and a token of the limiter.
#[must_use = "a prepared start is started or deliberately dropped"]
pub struct Ready {
    pub(super) client: VCenter,
    pub(super) target: TargetKey,
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
        let Shared { http, timing, .. } = &*self.client.shared;
        let cluster = self.target.object.as_str();
        let body = start_body(cluster, permit.order());
        let session = (HEADER, self.token.secret());
        let call = StartCall {
            operation: "start",
            path: &CLUSTERS,
            query: &[("action", "upgradeMultiple")],
            session,
            body: Some(&body),
            place: None,
        };
        let judge = |reply: &Reply| {
            let pause = reply.retry_after.map(|wanted| wanted.min(timing.retry_max));
            let answer = answers::judge(cluster, reply.status, pause, reply.whole_body());
            if matches!(
                answer,
                Answer::NotTaken {
                    reason: NotTaken::Unauthorized,
                    ..
                }
            ) {
                self.token.retire();
            }
            answer
        };
        http.send_once(call, permit, judge).await
    }
}

fn ignores_warnings(order: &Order) -> bool {
    matches!(
        order.options,
        Options::Cluster {
            ignore_precheck_warnings: true
        }
    )
}

/// The start's body: the bare map with exactly one cluster. `ignore_precheck_warnings` is there only when true.
pub(super) fn start_body(cluster: &str, order: &Order) -> Value {
    let mut spec = json!({"desired_version": order.version});
    if ignores_warnings(order) {
        spec["ignore_precheck_warnings"] = json!(true);
    }
    json!({cluster: spec})
}

/// What a start asks, for the receipt: no session, no header, nothing secret.
pub fn describe_request(target: &TargetKey, order: &Order) -> String {
    let warnings = if ignores_warnings(order) {
        " ignore_precheck_warnings=true"
    } else {
        ""
    };
    let path = CLUSTERS.join("/");
    format!(
        "POST /{path}?action=upgradeMultiple cluster={} desired_version={}{warnings}",
        target.object, order.version
    )
}
