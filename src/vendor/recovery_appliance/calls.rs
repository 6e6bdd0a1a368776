//! The calls that may be repeated, at the pace that the appliance bears.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::Shared;
use super::failures::failure;
use super::failures::not_this_product;
use super::failures::short;
use super::sights::Listed;
use super::sights::Tasks;
use super::wire;
use super::wire::Appliance;
use super::wire::Page;
use super::wire::Task;
use crate::clock::Clock;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::upgrade::timing::Mono;
use crate::vendor::error::VendorError;
use crate::vendor::http::Call;
use crate::vendor::http::Dated;
use crate::vendor::http::Verb;
use crate::vendor::seam::Asked;
use crate::vendor::session::Token;
use crate::vendor::text::is_html;

/// Rows of a page; the default of the appliance.
const PAGE: &str = "100";

/// Rows of a page where a hundred are more than we read of one answer: a `retrieve-updates` task keeps the licence texts in its result.
const SHORT_PAGE: &str = "10";

/// Most pages that are read. More tasks than that are too many to compare anyway.
const MOST_PAGES: usize = 50;

/// Longest time for all pages. A look that takes longer is too old for a start.
const LONGEST_LIST: Duration = Duration::from_secs(60);

/// Keeps looks apart: each begins at least a pause after the last one began.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Mono>);

impl Pace {
    /// Waits for the next turn, and takes it.
    pub async fn turn(&self, clock: &Clock, pause: Duration) {
        let left = {
            let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock.mono();
            let at = now.max(*next);
            *next = at.plus(pause);
            at.since(now)
        };
        if !left.is_zero() {
            clock.sleep(left).await;
        }
    }
}

impl Shared {
    /// Waits until the appliance may be looked at again.
    pub async fn turn(&self) {
        self.manners.pace.turn(self.http.clock(), self.timing.appliance_pause).await;
    }

    /// `GET /appliance`.
    pub async fn appliance(&self) -> Result<(Asked, Appliance, Arc<Token>), VendorError> {
        const OPERATION: &str = "get_appliance";
        let (dated, token) = self.ask(OPERATION, Verb::Get, &["appliance"], &[]).await?;
        let reply = &dated.reply;
        match (reply.status, reply.whole_body().and_then(Appliance::read)) {
            (200, Some(appliance)) => Ok((Asked::of(&self.http, &dated), appliance, token)),
            (200 | 404, _) => Err(not_this_product(&self.http, OPERATION, reply)),
            _ => Err(failure(&self.http, OPERATION, reply, token.served())),
        }
    }

    /// `GET /tasks`, to its end. Documented: `{list, _meta}`, paged by `limit` and `offset`; where no total is given, an empty page ends it.
    pub async fn tasks(&self) -> Tasks {
        let begun = self.http.clock().mono();
        let (mut listed, mut limit) = (Listed::default(), PAGE);
        for _ in 0..MOST_PAGES {
            let page = match self.page(limit, listed.offset()).await {
                Ok(Some(page)) => page,
                Ok(None) if limit == PAGE => {
                    limit = SHORT_PAGE;
                    continue;
                }
                Ok(None) => {
                    let why = "a page of them is too long".to_owned();
                    return Tasks::Unread { why };
                }
                Err(error) => return Tasks::Unread { why: short(&error) },
            };
            if listed.add(page) {
                return Tasks::Listed(listed);
            }
            if self.http.clock().mono().since(begun) >= LONGEST_LIST {
                break;
            }
        }
        listed.cut();
        Tasks::Listed(listed)
    }

    /// One page; `None` for one whose body did not come whole.
    async fn page(&self, limit: &str, offset: usize) -> Result<Option<Page>, VendorError> {
        const OPERATION: &str = "list_tasks";
        let offset = offset.to_string();
        let query = [("limit", limit), ("offset", offset.as_str())];
        let (dated, token) = self.ask(OPERATION, Verb::Get, &["tasks"], &query).await?;
        let reply = &dated.reply;
        match (reply.status, reply.whole_body()) {
            (200, None) => Ok(None),
            (200, Some(body)) => Page::read(body)
                .map(Some)
                .ok_or_else(|| not_this_product(&self.http, OPERATION, reply)),
            _ => Err(failure(&self.http, OPERATION, reply, token.served())),
        }
    }

    /// `GET /tasks/{id}`. A 404 in the API's own manner says that there is no such task: retention is documented nowhere.
    pub async fn task(&self, id: &str) -> Tasks {
        let task = match self.one(id).await {
            Ok(Some(task)) => task,
            Ok(None) => {
                return Tasks::One(Job {
                    planned: None,
                    id: id.to_owned(),
                    state: JobState::Unknown,
                    word: "404".to_owned(),
                    does: Does::Untold,
                    progress: None,
                    says: None,
                });
            }
            Err(error) => return Tasks::Unread { why: short(&error) },
        };
        let asked_for = Task {
            id: Some(id.to_owned()),
            ..task
        };
        match asked_for.job() {
            Some(job) => Tasks::One(job),
            None => Tasks::Unread {
                why: "its id is none".to_owned(),
            },
        }
    }

    /// `GET /tasks/{id}`; `None` when the appliance knows none of that id.
    pub async fn one(&self, id: &str) -> Result<Option<Task>, VendorError> {
        const OPERATION: &str = "get_task";
        let (dated, token) = self.ask(OPERATION, Verb::Get, &["tasks", id], &[]).await?;
        let reply = &dated.reply;
        let task = reply.whole_body().and_then(wire::task);
        match (reply.status, task) {
            // The id is optional in the answer, but another one is another task.
            (200, Some(task)) if task.id.as_deref().is_none_or(|known| known == id) => Ok(Some(task)),
            (200, _) => Err(VendorError::Unreadable {
                authority: self.http.authority().to_string(),
                operation: OPERATION,
                what: wire::said(reply.whole_body(), wire::Answers::Read),
            }),
            // Somebody in between, while the appliance is away, has other bodies.
            (404, _) if reply.whole_body().is_some_and(|body| body.is_empty() || body.starts_with(b"{")) => Ok(None),
            _ => Err(failure(&self.http, OPERATION, reply, token.served())),
        }
    }

    /// A call with the session; a session that has ended is replaced once. Documented: 401 without a body.
    pub async fn ask(
        &self,
        operation: &'static str,
        verb: Verb,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(Dated, Arc<Token>), VendorError> {
        let Shared { http, session, .. } = self;
        let path = self.path(path);
        let send = async |token: &Token| {
            let call = Call {
                operation,
                verb,
                path: &path,
                query,
                proof: session.proof(token),
                timeout: None,
            };
            http.read(&call).await
        };
        let mut token = session.token(http).await?;
        let mut dated = send(&token).await?;
        if dated.reply.status == 401 {
            token.retire();
            token = session.token(http).await?;
            dated = send(&token).await?;
        }
        match dated.reply.status {
            401 => {
                session.discard(http, &token).await;
                return Err(failure(http, operation, &dated.reply, token.served()));
            }
            200..=299 if !dated.reply.whole_body().is_some_and(is_html) => token.serve(),
            _ => {}
        }
        Ok((dated, token))
    }

    /// Path segments under the base path.
    pub fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        self.base.iter().map(String::as_str).chain(rest.iter().copied()).collect()
    }
}
