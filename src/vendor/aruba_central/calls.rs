//! The calls that may be repeated. Each is charged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::PoisonError;

use secrecy::SecretString;

use super::Shared;
use super::access::Access;
use super::failures::failure;
use super::failures::refusal;
use super::failures::token_is_dead;
use super::look::Whose;
use super::wire;
use super::wire::List;
use super::wire::PAGE;
use super::wire::Page;
use crate::vendor::error::VendorError;
use crate::vendor::http::Call;
use crate::vendor::http::Dated;
use crate::vendor::http::Proof;
use crate::vendor::http::Verb;
use crate::vendor::seam::Asked;

/// The header with the token.
pub(super) const AUTHORIZATION: &str = "authorization";

/// The header that says for which customer a provider asks (`vendors.md` 1.2).
const TENANT: &str = "tenantid";

/// A call that brought nothing.
pub(super) struct Failed {
    /// Why.
    pub error: VendorError,
    /// The status, where the firmware service itself answered.
    pub service: Option<u16>,
    /// Its `error_code`.
    pub code: Option<String>,
}

impl From<VendorError> for Box<Failed> {
    fn from(error: VendorError) -> Box<Failed> {
        Box::new(Failed {
            error,
            service: None,
            code: None,
        })
    }
}

/// Whose versions are asked for.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    /// Those of a whole type. Some Centrals know no CX here (`vendors.md` 1.2).
    Type,
    /// Those of this device or swarm.
    One(&'a str),
}

impl Whose<'_> {
    pub fn list(&self) -> List {
        match self.type_ {
            "IAP" => List::Swarms,
            _ => List::Devices,
        }
    }
}

impl Shared {
    /// A page of `GET /firmware/v1/swarms` or `GET /firmware/v1/devices`.
    pub async fn page(&self, whose: &Whose<'_>, group: Option<&str>, offset: usize) -> Result<(Asked, Page, Arc<Access>), Box<Failed>> {
        let list = whose.list();
        let (limit, offset) = (PAGE.to_string(), offset.to_string());
        let mut query = vec![("limit", limit.as_str()), ("offset", offset.as_str())];
        let (operation, name) = match list {
            List::Swarms => ("list_swarms", "swarms"),
            List::Devices => {
                query.push(("device_type", whose.type_));
                ("list_devices", "devices")
            }
        };
        query.extend(group.map(|group| ("group", group)));
        let (dated, access) = self.ask(operation, &["firmware", "v1", name], &query, Some(whose.customer)).await?;
        let reply = &dated.reply;
        match (reply.status, reply.whole_body().and_then(|body| Page::read(body, list))) {
            (200, Some(page)) => Ok((Asked::of(&self.http, &dated), page, access)),
            _ => Err(self.failed(operation, &dated, &access).into()),
        }
    }

    /// Whether anything at all of a customer is in a group: the same lists with one row, of whatever type. How many calls that took.
    pub async fn inhabited(&self, whose: &Whose<'_>, group: &str) -> (Result<bool, Box<Failed>>, u32) {
        const OPERATION: &str = "find_group";
        let query = [("limit", "1"), ("offset", "0"), ("group", group)];
        let mut cost = 0;
        for (list, name) in [(List::Devices, "devices"), (List::Swarms, "swarms")] {
            cost += 1;
            let (dated, access) = match self.ask(OPERATION, &["firmware", "v1", name], &query, Some(whose.customer)).await {
                Ok(asked) => asked,
                Err(failed) => return (Err(failed), cost),
            };
            match (dated.reply.status, dated.reply.whole_body().and_then(|body| Page::read(body, list))) {
                (200, Some(page)) if page.listed > 0 => return (Ok(true), cost),
                (200, Some(_)) => {}
                _ => return (Err(self.failed(OPERATION, &dated, &access).into()), cost),
            }
        }
        (Ok(false), cost)
    }

    /// `GET /firmware/v1/versions`: what there is.
    pub async fn versions(&self, whose: &Whose<'_>, of: Of<'_>) -> Result<BTreeSet<String>, Box<Failed>> {
        const OPERATION: &str = "list_versions";
        let query = match (of, whose.list()) {
            (Of::Type, _) => ("device_type", whose.type_),
            (Of::One(id), List::Swarms) => ("swarm_id", id),
            (Of::One(id), List::Devices) => ("serial", id),
        };
        let (dated, access) = self
            .ask(OPERATION, &["firmware", "v1", "versions"], &[query], Some(whose.customer))
            .await?;
        match (dated.reply.status, dated.reply.whole_body().and_then(wire::versions)) {
            (200, Some(versions)) => Ok(versions),
            _ => Err(self.failed(OPERATION, &dated, &access).into()),
        }
    }

    /// `GET /firmware/v1/versions/{version}`: whether there is this one.
    pub async fn image(&self, whose: &Whose<'_>, version: &str) -> Result<bool, Box<Failed>> {
        const OPERATION: &str = "get_version";
        let (path, query) = (["firmware", "v1", "versions", version], [("device_type", whose.type_)]);
        let (dated, access) = self.ask(OPERATION, &path, &query, Some(whose.customer)).await?;
        if let (200, Some(body)) = (dated.reply.status, dated.reply.whole_body()) {
            return Ok(wire::available(body));
        }
        let failed = self.failed(OPERATION, &dated, &access);
        match failed.service {
            Some(404) => Ok(false),
            _ => Err(failed.into()),
        }
    }

    /// Whether the firmware service answers, in its own words, and takes our token. What it answers does not matter.
    pub async fn firmware_service(&self) -> Result<(), VendorError> {
        const OPERATION: &str = "list_versions";
        let asked = self
            .ask(OPERATION, &["firmware", "v1", "versions"], &[("device_type", "IAP")], None)
            .await;
        let (dated, access) = asked.map_err(|failed| failed.error)?;
        if dated.reply.status == 200 && dated.reply.whole_body().and_then(wire::versions).is_some() {
            return Ok(());
        }
        let failed = self.failed(OPERATION, &dated, &access);
        match failed.service {
            Some(400 | 404) => Ok(()),
            _ => Err(failed.error),
        }
    }

    /// A read for a customer; a token that Central does not take any more is replaced once.
    async fn ask(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
        tenant: Option<&str>,
    ) -> Result<(Dated, Arc<Access>), Box<Failed>> {
        let tenant = tenant.map(SecretString::from);
        let send = async |access: &Access| {
            let mut headers = vec![(AUTHORIZATION, &access.bearer)];
            headers.extend(tenant.as_ref().map(|tenant| (TENANT, tenant)));
            let call = Call {
                operation,
                verb: Verb::Get,
                path,
                query,
                proof: Proof::Headers(&headers),
                timeout: None,
            };
            self.http.read(&call).await
        };
        let outcome = async {
            let mut access = self.tokens.access().await?;
            let mut dated = send(&access).await?;
            if token_is_dead(&dated.reply) {
                // A long answer holds a place that the next one may need.
                drop(dated);
                self.tokens.retire(&access);
                access = self.tokens.access().await?;
                dated = send(&access).await?;
            }
            if token_is_dead(&dated.reply) {
                self.tokens.retire(&access);
            }
            Ok::<_, VendorError>((dated, access))
        }
        .await;
        let well = outcome.as_ref().is_ok_and(|(dated, _)| dated.reply.status < 400);
        *self.well.lock().unwrap_or_else(PoisonError::into_inner) = well.then(|| self.http.clock().mono());
        Ok(outcome?)
    }

    fn failed(&self, operation: &'static str, dated: &Dated, access: &Access) -> Failed {
        let hush = self.tokens.hush(access);
        let code = refusal(&dated.reply, &hush).and_then(|refusal| refusal.code);
        Failed {
            error: failure(&self.http, operation, &dated.reply, &hush),
            service: code.is_some().then_some(dated.reply.status),
            code,
        }
    }
}
