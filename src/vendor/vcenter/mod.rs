//! vCenter: Supervisor clusters by `/api/vcenter/namespace-management/software/clusters`.
//!
//! A start is `POST ...?action=upgradeMultiple` with exactly one cluster in it: one POST for several would couple their doubts to one
//! answer, and a privilege missing on one would refuse all. It gives no job: the cluster is the key to follow it by.
//!
//! Sources: the vSphere Automation API specification 9.1 (`vcenter.yaml` in vmware/vcf-api-specs), the `vmware-vcenter` SDK 9.1.1.0, and
//! the public pages of the operations. All of `software/clusters` is deprecated in 9.1 but there.

mod answers;
mod failures;
mod inventory;
mod session;
mod sights;
mod start;
mod wire;

#[cfg(test)]
mod answers_fuzz;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;

use self::failures::failure;
use self::failures::not_this_product;
use self::wire::ApiError;
use super::ClientOptions;
use super::ListFailure;
use super::Listing;
use super::Probe;
use super::error::VendorError;
use super::http::Call;
use super::http::Dated;
use super::http::Http;
use super::http::HttpOptions;
use super::http::Proof;
use super::http::Reply;
use super::http::Verb;
use super::seam::Asked;
use super::session::Session;
use super::session::Token;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::TargetKey;
use crate::upgrade::target::VendorType;
use crate::upgrade::timing::Timing;

#[cfg(test)]
pub(crate) use answers::judge;
pub use start::Ready;
pub use start::describe_request;

/// Name of the product, for people.
const PRODUCT: &str = "vCenter";

/// Path of the clusters. Everything under it is made of this and percent-encoded ids.
const CLUSTERS: [&str; 5] = ["api", "vcenter", "namespace-management", "software", "clusters"];

/// Path of the versions that this vCenter holds.
const VERSIONS: [&str; 5] = ["api", "vcenter", "namespace-management", "software", "cluster-available-versions"];

/// How many versions a probe names: a line in a table, not a catalogue.
const NAMED: usize = 5;

/// Calls a second. vCenter documents no limit. The largest batch (64 clusters), all in flight and each looked at every 10 s, asks 6.4 times
/// a second; 10 leaves room for the list and for starts, and is far below what its own user interface asks.
const CALLS_PER_SECOND: u32 = 10;

/// The client of one vCenter. Cheap to clone; all clones share one session and one limiter.
#[derive(Clone)]
pub struct VCenter {
    shared: Arc<Shared>,
}

struct Shared {
    http: Http,
    session: Session,
    timing: Timing,
}

impl VCenter {
    /// Makes the client; sends nothing.
    pub fn new(options: ClientOptions) -> Result<VCenter, VendorError> {
        let ClientOptions {
            authority,
            ca_bundle_pem,
            credentials,
            fence,
            timing,
            clock,
            observer,
            // Nothing that a vCenter is asked leaves a trace there.
            start_open: _,
            secrets: _,
            vault: _,
        } = options;
        let per_second = NonZeroU32::new(CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        let vendor = VendorType::VCenter.slug();
        let http = Http::new(HttpOptions {
            vendor,
            authority,
            ca_bundle_pem,
            per_second,
            fence,
            start_timeout: timing.start_timeout_vcenter,
            timing: timing.clone(),
            retry_reads: true,
            clock,
            observer,
            gate: None,
        })?;
        Ok(VCenter {
            shared: Arc::new(Shared {
                http,
                session: Session::new(session::door(), credentials),
                timing,
            }),
        })
    }

    /// Whether it answers, is a vCenter with Supervisor clusters, and lets us in. Reads the credentials again, so a rotated Secret is
    /// noticed here. No documented call of this interface tells the version.
    pub async fn probe(&self) -> Result<Probe, VendorError> {
        self.shared.session.refresh(&self.shared.http).await?;
        // Only their number is kept: the list itself may be long, and another call follows.
        let count = self.list().await.map_err(|failure| failure.error)?.sights.len();
        let mut message = format!("logged in; {count} Supervisor cluster{}", if count == 1 { "" } else { "s" });
        // For people only, so its failure fails nothing: what a cluster may go to is in the cluster's own look.
        if let Ok(versions) = self.held().await
            && !versions.is_empty()
        {
            let more = versions.len().saturating_sub(NAMED);
            let named = versions.into_iter().take(NAMED).map(|v| v.version).collect::<Vec<_>>().join(", ");
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            message = format!("{message}; versions: {named}{more}");
        }
        Ok(Probe {
            product: PRODUCT.to_owned(),
            version: None,
            message,
        })
    }

    /// One look at every Supervisor cluster.
    pub async fn list(&self) -> Result<Listing, Box<ListFailure>> {
        const OPERATION: &str = "list_clusters";
        let clock = self.shared.http.clock();
        let (asked, at) = (clock.mono(), clock.wall());
        let failed = |error| Box::new(ListFailure { asked, at, error });
        let (dated, _) = self.get(OPERATION, &CLUSTERS).await.map_err(failed)?;
        let reply = &dated.reply;
        let rows = match json_of(reply) {
            Some(Value::Array(rows)) if reply.status == 200 => rows,
            _ if reply.status == 200 || reply.status == 404 => return Err(failed(not_this_product(&self.shared.http, OPERATION, reply))),
            _ => return Err(failed(failure(&self.shared.http, OPERATION, reply))),
        };
        let asked = self.asked(&dated);
        let found: Vec<_> = rows.iter().map(|row| sights::of_summary(&asked, row)).collect();
        let sights: BTreeMap<String, Sight> = found.iter().flatten().cloned().collect();
        // A row without an id, or two rows of one cluster: not everything was read.
        let complete = sights.len() == found.len();
        Ok(Listing {
            asked: asked.mono,
            at: asked.at,
            authority: asked.authority,
            complete,
            sights,
        })
    }

    /// One look at one cluster, with all its detail but its name.
    pub async fn observe(&self, target: &TargetKey) -> Sight {
        let before = Asked::now(&self.shared.http);
        match self.look(target).await {
            Ok((sight, _)) => sight,
            Err(error) => before.not_seen(&error.message(), false, true),
        }
    }

    /// Everything slow that comes before a start. The look's session is the one that the start will use, so it was good a moment ago.
    pub async fn prepare(&self, target: &TargetKey) -> Result<Ready, VendorError> {
        // The start's own token comes first: waiting for it after the look would age the look.
        self.shared.http.token().await?;
        let (sight, token) = self.look(target).await?;
        Ok(Ready {
            client: self.clone(),
            target: target.clone(),
            sight,
            token,
        })
    }

    /// Ends the session. Best effort.
    pub async fn logout(&self) {
        self.shared.session.logout(&self.shared.http).await;
    }

    async fn look(&self, target: &TargetKey) -> Result<(Sight, Arc<Token>), VendorError> {
        const OPERATION: &str = "get_cluster";
        let http = &self.shared.http;
        if target.vendor != VendorType::VCenter || target.authority != *http.authority() {
            let why = format!("{target} is not a cluster of {}", http.authority());
            return Err(VendorError::NoRequest { operation: OPERATION, why });
        }
        let path = [CLUSTERS.as_slice(), &[target.object.as_str()]].concat();
        let (dated, token) = self.get(OPERATION, &path).await?;
        let (asked, reply) = (self.asked(&dated), &dated.reply);
        let error = reply.whole_body().and_then(ApiError::read);
        let sight = match (reply.status, json_of(reply)) {
            (200, Some(info @ Value::Object(_))) => sights::of_info(&asked, &info),
            // Documented: 404 NOT_FOUND. With a body that is not the API's, somebody else said it.
            (404, _) if reply.whole_body().is_some_and(<[u8]>::is_empty) || error.as_ref().is_some_and(says_no_cluster) => {
                asked.not_seen(&format!("vCenter knows no cluster {}", target.object), true, true)
            }
            // Documented: 400 UNSUPPORTED, "if the cluster is not Supervisor-enabled".
            (400, _) if error.as_ref().is_some_and(|e| e.is("UNSUPPORTED")) => {
                asked.not_seen(&format!("cluster {} is not Supervisor-enabled", target.object), true, true)
            }
            (200 | 404, _) => return Err(not_this_product(http, OPERATION, reply)),
            _ => return Err(failure(http, OPERATION, reply)),
        };
        Ok((sight, token))
    }

    /// A read with the session; a session that has ended is replaced once.
    async fn get(&self, operation: &'static str, path: &[&str]) -> Result<(Dated, Arc<Token>), VendorError> {
        let Shared { http, session, .. } = &*self.shared;
        let mut token = session.token(http).await?;
        let mut dated = http.read(&read_call(operation, path, session.proof(&token))).await?;
        if dated.reply.status == 401 {
            token.retire();
            token = session.token(http).await?;
            dated = http.read(&read_call(operation, path, session.proof(&token))).await?;
        }
        if dated.reply.status == 401 {
            session.discard(http, &token).await;
            return Err(failure(http, operation, &dated.reply));
        }
        Ok((dated, token))
    }

    fn asked(&self, dated: &Dated) -> Asked {
        Asked::of(&self.shared.http, dated)
    }
}

fn read_call<'a>(operation: &'static str, path: &'a [&'a str], proof: Proof<'a>) -> Call<'a> {
    Call {
        operation,
        verb: Verb::Get,
        path,
        query: &[],
        proof,
        timeout: None,
    }
}

fn json_of(reply: &Reply) -> Option<Value> {
    wire::json(reply.whole_body()?)
}

/// A 404 about the cluster, not about the whole interface. The type may be missing.
fn says_no_cluster(error: &ApiError) -> bool {
    error.error_type.is_none() || error.is("NOT_FOUND")
}
