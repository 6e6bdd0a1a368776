//! The start: what it carries, and how its answer is taken.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::ArubaCentral;
use super::access::Access;
use super::answers;
use super::calls::AUTHORIZATION;
use super::failures::token_is_dead;
use super::meter::pause_after_start;
use crate::controller::permit::Order;
use crate::controller::permit::Sent;
use crate::controller::permit::StartPermit;
use crate::upgrade::facts::Options;
use crate::upgrade::fleet::RECOMMENDED;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::vendor::error::VendorError;
use crate::vendor::http::NotSent;
use crate::vendor::http::Place;
use crate::vendor::http::Reply;
use crate::vendor::http::StartCall;
use crate::vendor::http::Unsent;

/// The type whose devices always reboot, so that `reboot` does not apply (`vendors.md` 1.1).
const ALWAYS_REBOOTS: &str = "IAP";

/// A start that is prepared: a fresh look, and the token that this look has just used.
#[must_use = "a prepared start is started or deliberately dropped"]
pub struct Ready {
    pub(super) client: ArubaCentral,
    pub(super) target: TargetKey,
    /// What it was prepared for: another order may be about other devices.
    pub(super) order: Order,
    pub(super) sight: Sight,
    pub(super) access: Arc<Access>,
    /// Its place among the calls of a second: a start waits for nothing any more.
    pub(super) place: Place,
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
        let request = match self.request(permit.order()) {
            Ok(request) => request,
            Err(why) => {
                let operation = "start";
                return Err(Unsent::boxed(permit, VendorError::NoRequest { operation, why }));
            }
        };
        let shared = &*self.client.shared;
        let call = StartCall {
            operation: "start",
            path: &path(&request.customer),
            query: &[],
            session: (AUTHORIZATION, &self.access.bearer),
            body: Some(&request.body),
            place: Some(self.place),
        };
        let judge = |reply: &Reply| {
            let now = shared.http.clock().wall();
            let pause = pause_after_start(reply.limits, reply.retry_after, now, shared.timing.retry_max);
            let answer = answers::judge(reply.status, pause, reply.whole_body(), &shared.tokens.hush(&self.access));
            if token_is_dead(reply) {
                shared.tokens.retire(&self.access);
            }
            answer
        };
        shared.http.send_once(call, permit, judge).await
    }

    fn request(&self, order: &Order) -> Result<Request, String> {
        // Only the time is decided anew between the two.
        let same = order.version == self.order.version && order.options == self.order.options;
        if !same {
            return Err(format!(
                "{} was prepared, and not exactly what is asked for now",
                self.order.version
            ));
        }
        request(&self.target, order)
    }
}

/// Where a start goes, and its body.
#[derive(Debug)]
struct Request {
    customer: String,
    body: Value,
}

fn path(customer: &str) -> [&str; 6] {
    ["firmware", "v1", "msp", "upgrade", "customers", customer]
}

/// What a start says, or why it cannot be said. The time is always there, for it is what a start is found again by; without a version each device
/// goes to what is recommended for it.
fn request(target: &TargetKey, order: &Order) -> Result<Request, String> {
    let (customer, type_) = target.as_customer().ok_or("it is no customer's devices")?;
    let Options::Customer {
        reboot, exclude_groups, ..
    } = &order.options
    else {
        return Err(format!(
            "it is asked for with {:?}, with which nothing is started there",
            order.options
        ));
    };
    let at = order.scheduled_at.ok_or("it has no time")?.as_second();
    let at = i32::try_from(at).map_err(|_| format!("its time, {at}, is none that Aruba Central can be told"))?;
    let mut body = json!({"device_type": type_, "firmware_scheduled_at": at});
    if order.version != RECOMMENDED {
        body["firmware_version"] = json!(order.version);
    }
    match reboot {
        Some(_) if type_ == ALWAYS_REBOOTS => return Err("reboot does not apply to IAP".to_owned()),
        Some(reboot) => body["reboot"] = json!(reboot),
        None => {}
    }
    if !exclude_groups.is_empty() {
        // A list that is written into a text (`vendors.md` 1.1).
        body["exclude_groups"] = json!(json!(exclude_groups).to_string());
    }
    Ok(Request {
        customer: customer.to_owned(),
        body,
    })
}

/// What a start asks, for the receipt: no token, no header, nothing secret.
pub fn describe_request(target: &TargetKey, order: &Order) -> String {
    let (customer, type_) = target.as_customer().unwrap_or((target.object.as_str(), ""));
    let mut parts = vec![format!("POST /{} device_type={type_}", path(customer).join("/"))];
    if order.version != RECOMMENDED {
        parts.push(format!("firmware_version={}", order.version));
    }
    parts.extend(order.scheduled_at.map(|at| format!("firmware_scheduled_at={}", at.as_second())));
    if let Options::Customer {
        reboot, exclude_groups, ..
    } = &order.options
    {
        parts.extend(reboot.map(|reboot| format!("reboot={reboot}")));
        if !exclude_groups.is_empty() {
            parts.push(format!("exclude_groups={}", json!(exclude_groups)));
        }
    }
    parts.join(" ")
}
