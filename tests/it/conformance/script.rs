//! The story as a client: asks for what the operator does not, so that each operation, status and form of the simulator is seen.
//!
//! It keeps to the specification itself, or its requests would be violations; [`Script::breaks`] is for those that are meant to be.

use anyhow::Context as _;
use reqwest::Client;
use reqwest::Method;
use reqwest::RequestBuilder;
use serde_json::Value;

use super::book::Side;
use super::front::Front;
use super::spec::Operation;
use super::spec::Spec;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::When;
use crate::sim::faults::BodyKind;
use crate::sim::vendor::Vendor;

/// A client of one vendor.
pub struct Script<'a> {
    front: &'a Front,
    client: Client,
    /// Before every path.
    base: &'static str,
    /// Carries the session.
    header: &'static str,
    session: String,
}

/// A status and a body; Null where there is none, a text where it is not JSON.
pub type Answer = (u16, Value);

impl<'a> Script<'a> {
    /// Not logged in yet.
    pub fn new(front: &'a Front, base: &'static str, header: &'static str) -> anyhow::Result<Script<'a>> {
        let client = Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(front.ca_pem().as_bytes())?])
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent("script/1")
            .build()?;
        let session = "none".to_owned();
        Ok(Script {
            front,
            client,
            base,
            header,
            session,
        })
    }

    /// Uses this session from now on, and gives the one before.
    pub fn enter(&mut self, session: &str) -> String {
        std::mem::replace(&mut self.session, session.to_owned())
    }

    /// A request without anybody's session.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{}{path}", self.front.url(), self.base))
    }

    /// A request with the session.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header(self.header, &self.session)
    }

    /// A login. Its answer is for the vendor's own story to read.
    pub async fn login(&self, user: &str, password: &str) -> anyhow::Result<Answer> {
        answer(self.bare(Method::POST, "/session").basic_auth(user, Some(password))).await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        answer(self.request(Method::GET, path)).await
    }

    /// GET that must be 200.
    pub async fn read(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.get(path).await?;
        anyhow::ensure!(status == 200, "GET {path}: {status} {body}");
        Ok(body)
    }

    /// POST, without a body if it is Null.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.request(Method::POST, path);
        answer(if body.is_null() { request } else { request.json(body) }).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        answer(self.request(Method::DELETE, path)).await
    }

    /// A request or an answer that is meant to break the specification: the proxy says so of this side, and of the other not, in words
    /// with `word` in them.
    pub async fn breaks(&self, side: Side, word: &str, request: RequestBuilder) -> anyhow::Result<()> {
        answer(request).await?;
        let seen = self.front.book().last().context("an exchange")?;
        let other = if side == Side::Request { Side::Response } else { Side::Request };
        let (count, others) = (seen.errors(side).count(), seen.errors(other).count());
        anyhow::ensure!(
            count > 0 && others == 0 && seen.remarks.iter().any(|remark| remark.text.contains(word)),
            "{side:?} was meant to be wrong ({word}): {seen:?}"
        );
        Ok(())
    }

    /// Lets the vendor answer each documented error of an operation, in its own form, whatever it would have answered.
    pub async fn every_error<V: Vendor>(&self, vendor: &Running<V>, spec: &Spec, labels: &[&str]) -> anyhow::Result<()> {
        for label in labels {
            let operation = spec.named(label)?;
            for status in operation.statuses.iter().filter(|status| **status >= 400) {
                let action = Action::Status {
                    status: *status,
                    body: BodyKind::Json,
                    when: When::Before,
                    headers: Vec::new(),
                };
                let rule = vendor.faults().add(Rule::new(action));
                let (got, body) = answer(self.sample(operation)?).await?;
                anyhow::ensure!(got == *status, "{operation}: {got} {body} instead of {status}");
                vendor.faults().remove(rule)?;
            }
        }
        Ok(())
    }

    /// A request of this operation that keeps to the specification.
    fn sample(&self, operation: &Operation) -> anyhow::Result<RequestBuilder> {
        let path = operation.path.strip_prefix(self.base).context("its path")?;
        let named = path
            .split('/')
            .map(|part| if part.starts_with('{') { "sample" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let action = operation
            .action
            .as_ref()
            .map(|action| format!("?action={action}"))
            .unwrap_or_default();
        let (method, path) = (Method::from_bytes(operation.method.as_bytes())?, format!("{named}{action}"));
        let login = (operation.method.as_str(), named.as_str()) == ("POST", "/session");
        let request = if login {
            self.bare(method, &path).basic_auth("sample", Some("sample"))
        } else {
            self.request(method, &path)
        };
        Ok(match (operation.action.as_deref(), operation.method.as_str()) {
            (Some("upgradeMultiple"), _) => request.json(&serde_json::json!({"sample": {"desired_version": "1"}})),
            (Some(_), _) => request.json(&serde_json::json!({"desired_version": "1"})),
            (None, "PUT") => request.json(&serde_json::json!({})),
            _ => request,
        })
    }
}

/// Sends it.
pub async fn answer(request: RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    Ok((status, body))
}
