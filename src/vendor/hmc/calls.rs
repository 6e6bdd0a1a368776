//! The calls that may be repeated.

use std::sync::Arc;
use std::sync::PoisonError;

use super::Shared;
use super::failures::failure;
use super::failures::not_this_product;
use super::failures::refusal;
use super::sights::Followed;
use super::wire;
use super::wire::ApiVersion;
use super::wire::Console;
use super::wire::Update;
use super::wire::Updates;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::JobState;
use crate::vendor::error::VendorError;
use crate::vendor::http::Call;
use crate::vendor::http::Dated;
use crate::vendor::http::Proof;
use crate::vendor::http::Verb;
use crate::vendor::hush::Hush;
use crate::vendor::seam::Asked;
use crate::vendor::session::Token;

/// The feature with which a remote firmware update tells how far it is.
const PROGRESS: &str = "rcl-progress";

/// Properties of the console that are read: all of them are many, and some take the console long.
const PROPERTIES: &str = "name,version,ec-mcl-description";

/// What one session's console can do.
pub(super) struct Features {
    /// Asked with this session: another one may be of a console that was upgraded meanwhile.
    of: Arc<Token>,
    progress: bool,
}

impl Shared {
    /// `GET /api/version`, which needs no session.
    pub async fn version(&self) -> Result<ApiVersion, VendorError> {
        const OPERATION: &str = "get_version";
        let call = Call {
            operation: OPERATION,
            verb: Verb::Get,
            path: &["api", "version"],
            query: &[],
            proof: Proof::Nobody,
            timeout: None,
        };
        let reply = self.http.read(&call).await?.reply;
        let hush = Hush::Everything;
        match (reply.status, reply.whole_body().and_then(ApiVersion::read)) {
            (200, Some(version)) => Ok(version),
            (200 | 404, _) => Err(not_this_product(&self.http, OPERATION, &reply, &hush)),
            _ => Err(failure(&self.http, OPERATION, &reply, &hush)),
        }
    }

    /// `GET /api/console`.
    pub async fn console(&self) -> Result<(Asked, Console, Arc<Token>), VendorError> {
        const OPERATION: &str = "get_console";
        let (dated, token) = self.ask(OPERATION, &["api", "console"], &[("properties", PROPERTIES)]).await?;
        let reply = &dated.reply;
        match (reply.status, reply.whole_body().and_then(Console::read)) {
            (200, Some(console)) => Ok((Asked::of(&self.http, &dated), console, token)),
            (200, _) => Err(not_this_product(&self.http, OPERATION, reply, &self.hush(&token))),
            _ => Err(failure(&self.http, OPERATION, reply, &self.hush(&token))),
        }
    }

    /// `GET /api/console/remote-firmware-updates`, and keeps the tokens that it lists.
    pub async fn updates(&self, state: Option<&str>) -> Result<(Updates, Arc<Token>), VendorError> {
        const OPERATION: &str = "list_updates";
        let query: Vec<(&str, &str)> = state.map(|state| ("state", state)).into_iter().collect();
        let (dated, token) = self.ask(OPERATION, &["api", "console", "remote-firmware-updates"], &query).await?;
        let reply = &dated.reply;
        if let (200, Some(updates)) = (reply.status, reply.whole_body().and_then(Updates::read)) {
            self.tokens.keep(updates.tokens.clone());
            return Ok((updates, token));
        }
        let hush = self.hush(&token);
        Err(match (refusal(reply, &hush), state) {
            (Some(known), Some(state)) if (reply.status, known.reason) == (400, 14) => VendorError::InvalidStateFilter {
                authority: self.http.authority().to_string(),
                state: state.to_owned(),
                said: known.words(400),
            },
            _ => failure(&self.http, OPERATION, reply, &hush),
        })
    }

    /// `GET /api/console/remote-firmware-updates/{id}`; `None` when the console knows none of that URI (404 with reason 1).
    pub async fn update(&self, uri: &str) -> Result<Option<Update>, VendorError> {
        const OPERATION: &str = "get_update";
        let id = wire::update_id(uri).ok_or_else(|| not_followed(uri))?;
        let (dated, token) = self.ask(OPERATION, &["api", "console", "remote-firmware-updates", id], &[]).await?;
        let (reply, hush) = (&dated.reply, self.hush(&token));
        let element = reply.whole_body().and_then(|body| Update::element(body, uri));
        match (reply.status, element) {
            (200, Some(update)) => Ok(Some(update)),
            (404, _) if refusal(reply, &hush).is_some_and(|known| known.reason == 1) => Ok(None),
            _ => Err(failure(&self.http, OPERATION, reply, &hush)),
        }
    }

    /// `GET /api/jobs/{id}`. A job lives through restarts of the console; whether it is listed for ever is documented nowhere, so 404 with
    /// reason 1 says only that the console knows none of that URI now.
    async fn job(&self, uri: &str) -> Result<Job, VendorError> {
        const OPERATION: &str = "get_job";
        let id = wire::job_id(uri).ok_or_else(|| not_followed(uri))?;
        let (dated, token) = self.ask(OPERATION, &["api", "jobs", id], &[]).await?;
        let (reply, hush) = (&dated.reply, self.hush_of_job(uri, &token));
        let job = reply.whole_body().and_then(|body| wire::job(body, uri, &hush));
        match (reply.status, job) {
            (200, Some(job)) => Ok(job),
            (404, _) if refusal(reply, &hush).is_some_and(|known| known.reason == 1) => Ok(gone(uri)),
            _ => Err(failure(&self.http, OPERATION, reply, &hush)),
        }
    }

    /// What is known to carry a run out: a job of ours, or an update of IBM's.
    pub async fn follow(&self, uri: &str) -> Result<Followed, VendorError> {
        if wire::update_id(uri).is_some() {
            return Ok(match self.update(uri).await? {
                Some(update) => Followed::Update(update),
                None => Followed::Gone(gone(uri)),
            });
        }
        self.job(uri).await.map(Followed::Job)
    }

    /// Adds what only their elements tell to the updates that run, where this console's can tell how far they are. It is for people: without it
    /// the list is as good.
    pub async fn add_progress(&self, updates: &mut Updates, token: &Arc<Token>) {
        let running = |update: &&mut Update| update.state == JobState::Running;
        if !updates.rows.iter_mut().any(|update| running(&update)) || !self.tells_progress(token).await {
            return;
        }
        for update in updates.rows.iter_mut().filter(running) {
            if let Ok(Some(element)) = self.update(&update.uri).await {
                update.detail = element.detail;
            }
        }
    }

    /// Whether remote firmware updates tell how far they are. `GET /api/console/operations/list-features` exists since version 4.10 of the API;
    /// older consoles answer 404 (zhmcclient), and have none. Asked once a session.
    async fn tells_progress(&self, token: &Arc<Token>) -> bool {
        const OPERATION: &str = "list_features";
        let known = || self.features.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(features) = known().as_ref().filter(|features| Arc::ptr_eq(&features.of, token)) {
            return features.progress;
        }
        let Ok((dated, token)) = self.ask(OPERATION, &["api", "console", "operations", "list-features"], &[]).await else {
            return false;
        };
        let progress = match (dated.reply.status, dated.reply.whole_body().and_then(wire::features)) {
            (200, Some(names)) => names.iter().any(|name| name == PROGRESS),
            (404, _) => false,
            // Not told: asked again with the next look.
            _ => return false,
        };
        *known() = Some(Features { of: token, progress });
        progress
    }

    /// A read with the session; a session that has ended is replaced once. 403 with reason 4 or 5 says so, and 401 while it
    /// restarts (`vendors.md` 5.3).
    async fn ask(&self, operation: &'static str, path: &[&str], query: &[(&str, &str)]) -> Result<(Dated, Arc<Token>), VendorError> {
        let Shared { http, session, .. } = self;
        let send = async |token: &Token| {
            let call = Call {
                operation,
                verb: Verb::Get,
                path,
                query,
                proof: session.proof(token),
                timeout: None,
            };
            let dated = http.read(&call).await?;
            let status = dated.reply.status;
            let ended = refusal(&dated.reply, &self.hush(token)).is_some_and(|known| known.of_session(status));
            Ok::<_, VendorError>((dated, ended || status == 401))
        };
        let mut token = session.token(http).await?;
        let (mut dated, mut ended) = send(&token).await?;
        if ended {
            token.retire();
            token = session.token(http).await?;
            (dated, ended) = send(&token).await?;
        }
        if ended {
            session.discard(http, &token).await;
        }
        Ok((dated, token))
    }

    /// A job's words may quote the password of the file server that its start was lent. Only who sent that start knows which: of a job that
    /// another client began, one before an edit of the Connection or in another process, the codes are told and no words.
    fn hush_of_job(&self, uri: &str, token: &Token) -> Hush {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.as_deref() == Some(uri) {
            self.hush(token)
        } else {
            Hush::Everything
        }
    }

    /// What must not be repeated of an answer to whoever asks with this session.
    pub fn hush(&self, token: &Token) -> Hush {
        let lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let listed = self.tokens.all().into_iter().map(|token| token.value);
        Hush::of(
            [token.secret().clone(), token.password().clone()]
                .into_iter()
                .chain(lent)
                .chain(listed),
        )
    }
}

/// The console was asked for exactly this and knows none of that URI.
fn gone(uri: &str) -> Job {
    Job {
        id: uri.to_owned(),
        state: JobState::Unknown,
        word: "404.1".to_owned(),
        does: Does::Untold,
        progress: None,
        says: None,
        planned: None,
    }
}

fn not_followed(uri: &str) -> VendorError {
    VendorError::NoRequest {
        operation: "get_job",
        why: format!("{uri:?} is neither a job nor a remote firmware update of a console"),
    }
}
