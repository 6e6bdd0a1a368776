//! Fault rules: which requests are met with which misfortune, how often, and how a test waits for it.
//!
//! Set in process through [`Faults`] or over the control API; applied by [`super::pipeline`]. A rule may not reach into a vendor's
//! state (apart from ending sessions): it changes what happens to a request and its answer, as networks and proxies do.

use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::lock;
use super::vendor::Request;

/// Before or after the vendor processes (and commits) the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    #[default]
    Before,
    After,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Real milliseconds of delay: a client's timeouts are real too.
    Latency {
        ms: u64,
        #[serde(default)]
        when: When,
    },
    /// Answers this status. `when: after` is a gateway's error for a request that was processed.
    Status {
        status: u16,
        #[serde(default)]
        body: BodyKind,
        #[serde(default)]
        when: When,
        /// Further headers, such as Retry-After.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// Refuses it in the vendor's own words, with this reason number where the vendor has them. `when: after` is a refusal that is
    /// not true.
    Refuse {
        status: u16,
        reason: u32,
        #[serde(default)]
        when: When,
    },
    /// Cuts the connection instead of answering.
    Drop {
        #[serde(default)]
        when: When,
    },
    /// Processes, then cuts the connection in the middle of the answer.
    Truncate {
        #[serde(default)]
        part: Part,
    },
    /// Processes, then answers the same status with JSON of another shape: `with`, or one that differs at the root.
    WrongType { with: Option<Value> },
    /// Processes the request twice, as an intermediary that repeats it would, and answers once.
    Duplicate {
        #[serde(default)]
        answer: Copied,
    },
    /// Holds the request until the rule is released. The request is processed even if the client has gone.
    Hang {
        #[serde(default)]
        when: When,
    },
    /// Ends all sessions, then processes the request.
    ExpireSessions,
    /// Redirects to another URL without processing.
    Redirect {
        to: String,
        #[serde(default = "temporary_redirect")]
        status: u16,
    },
    /// Answers what the same GET was answered last before the rule: a cache in between. Anything not seen before is processed.
    Stale,
}

fn temporary_redirect() -> u16 {
    307
}

/// The body of an injected status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// The vendor's own error body.
    #[default]
    Json,
    /// A proxy's page.
    Html,
    /// Bytes that are neither text nor JSON, announced as JSON.
    Garbage,
    Empty,
}

/// Where an answer is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Inside the status line.
    Head,
    #[default]
    Body,
}

/// Which of two answers is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copied {
    First,
    #[default]
    Second,
}

/// Which requests a rule takes. All given parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    pub method: Option<String>,
    /// The whole path; `*` stands for any run of characters, slashes too. So a prefix is `/api/*`.
    pub path: Option<String>,
    /// But not this one, in the same form.
    pub except: Option<String>,
    /// A part of the raw query.
    pub query: Option<String>,
    /// A part of the body.
    pub body: Option<String>,
    /// A part of the User-Agent.
    pub user_agent: Option<String>,
    /// A header and a part of its value.
    pub header: Option<(String, String)>,
}

impl Match {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            path: Some(path.to_owned()),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn except(mut self, path: &str) -> Self {
        self.except = Some(path.to_owned());
        self
    }

    #[must_use]
    pub fn query(mut self, part: &str) -> Self {
        self.query = Some(part.to_owned());
        self
    }

    #[must_use]
    pub fn body(mut self, part: &str) -> Self {
        self.body = Some(part.to_owned());
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, part: &str) -> Self {
        self.header = Some((name.to_owned(), part.to_owned()));
        self
    }

    fn takes(&self, request: &Request) -> bool {
        let has = |(name, part): &(String, String)| request.header(name).is_some_and(|value| value.contains(part));
        let holds = |wanted: &Option<String>, test: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(test);
        holds(&self.method, &|method| request.method.as_str().eq_ignore_ascii_case(method))
            && holds(&self.path, &|glob| globs(glob, &request.path))
            && holds(&self.except, &|glob| !globs(glob, &request.path))
            && holds(&self.query, &|part| request.query.contains(part))
            && holds(&self.body, &|part| String::from_utf8_lossy(&request.body).contains(part))
            && holds(&self.user_agent, &|part| request.user_agent().contains(part))
            && self.header.as_ref().is_none_or(has)
    }
}

/// `*` stands for any run of characters; everything else for itself.
pub(super) fn globs(glob: &str, text: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(text) = text.strip_prefix(head) else { return false };
    rest.is_empty()
        || text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| globs(rest, &text[at..]))
}

/// A rule as it is set. The first rule that takes a request is the only one applied to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(default, rename = "match")]
    pub on: Match,
    pub action: Action,
    /// How many matching requests pass untouched first.
    #[serde(default)]
    pub skip: u64,
    /// How many are taken then; without a number, all.
    #[serde(default)]
    pub remaining: Option<u64>,
}

impl Rule {
    /// Takes every request, for ever, until narrowed.
    pub fn new(action: Action) -> Self {
        Self {
            on: Match::default(),
            action,
            skip: 0,
            remaining: None,
        }
    }

    #[must_use]
    pub fn on(mut self, on: Match) -> Self {
        self.on = on;
        self
    }

    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.remaining = Some(times);
        self
    }

    #[must_use]
    pub fn skipping(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }
}

/// What becomes of the requests that a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// They go on.
    Continue,
    /// Their connections are cut; what was not processed never is.
    Drop,
}

/// A rule's live side: shared between the list and the requests it took.
#[derive(Debug)]
struct Live {
    /// How often its effect has been reached: for `when: after`, that is after the commit.
    hits: watch::Sender<u64>,
    release: watch::Sender<Option<Release>>,
    gone: watch::Sender<bool>,
}

/// A request that a rule took.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: u64,
    pub(super) action: Action,
    live: Arc<Live>,
}

impl Taken {
    /// Says that the effect has been reached.
    pub(super) fn hit(&self) {
        self.live.hits.send_modify(|hits| *hits += 1);
    }

    /// Holds until the rule is released or removed.
    pub(super) async fn held(&self) -> Release {
        let mut release = self.live.release.subscribe();
        match release.wait_for(Option::is_some).await {
            Ok(release) => release.unwrap_or(Release::Continue),
            Err(_) => Release::Continue,
        }
    }
}

#[derive(Debug)]
struct Set {
    id: u64,
    rule: Rule,
    live: Arc<Live>,
}

/// How a rule stands, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    pub id: u64,
    #[serde(flatten)]
    pub rule: Rule,
    pub hits: u64,
}

/// A shared handle of one simulator's rules.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<(u64, Vec<Set>)>>,
}

impl Faults {
    /// Adds a rule behind those that are there; returns its id.
    pub fn add(&self, rule: Rule) -> u64 {
        let live = Live {
            hits: watch::Sender::new(0),
            release: watch::Sender::new(None),
            gone: watch::Sender::new(false),
        };
        let mut rules = lock(&self.rules);
        rules.0 += 1;
        let id = rules.0;
        rules.1.push(Set {
            id,
            rule,
            live: Arc::new(live),
        });
        id
    }

    /// Removes a rule. What it holds goes on.
    pub fn remove(&self, id: u64) -> anyhow::Result<()> {
        let mut rules = lock(&self.rules);
        let at = rules
            .1
            .iter()
            .position(|set| set.id == id)
            .with_context(|| format!("no rule {id}"))?;
        let set = rules.1.remove(at);
        set.live
            .release
            .send_if_modified(|release| release.replace(release.unwrap_or(Release::Continue)).is_none());
        set.live.gone.send_replace(true);
        Ok(())
    }

    /// Lets go what a `hang` rule holds, and whatever it would hold from now on.
    pub fn release(&self, id: u64, release: Release) -> anyhow::Result<()> {
        self.live(id)?.release.send_replace(Some(release));
        Ok(())
    }

    /// How often a rule's effect has been reached.
    pub fn hits(&self, id: u64) -> anyhow::Result<u64> {
        Ok(*self.live(id)?.hits.borrow())
    }

    /// Returns once the rule's effect has been reached (again counts from the rule's beginning).
    pub async fn wait_until_hit(&self, id: u64) -> anyhow::Result<()> {
        self.wait_until_hits(id, 1).await
    }

    /// Returns once the rule's effect has been reached that many times in all.
    pub async fn wait_until_hits(&self, id: u64, times: u64) -> anyhow::Result<()> {
        let live = self.live(id)?;
        let (mut hits, mut gone) = (live.hits.subscribe(), live.gone.subscribe());
        tokio::select! {
            biased;
            _ = hits.wait_for(|hits| *hits >= times) => Ok(()),
            _ = gone.wait_for(|gone| *gone) => bail!("rule {id} was removed"),
        }
    }

    /// All rules, in the order in which they are tried.
    pub fn list(&self) -> Vec<Standing> {
        lock(&self.rules)
            .1
            .iter()
            .map(|set| Standing {
                id: set.id,
                rule: set.rule.clone(),
                hits: *set.live.hits.borrow(),
            })
            .collect()
    }

    fn live(&self, id: u64) -> anyhow::Result<Arc<Live>> {
        let rules = lock(&self.rules);
        rules
            .1
            .iter()
            .find(|set| set.id == id)
            .map(|set| Arc::clone(&set.live))
            .with_context(|| format!("no rule {id}"))
    }

    /// The first rule that takes this request, with its counters moved on.
    pub(super) fn take(&self, request: &Request) -> Option<Taken> {
        let mut rules = lock(&self.rules);
        for set in rules.1.iter_mut().filter(|set| set.rule.on.takes(request)) {
            if set.rule.skip > 0 {
                set.rule.skip -= 1;
                continue;
            }
            match &mut set.rule.remaining {
                Some(0) => continue,
                Some(remaining) => *remaining -= 1,
                None => {}
            }
            return Some(Taken {
                id: set.id,
                action: set.rule.action.clone(),
                live: Arc::clone(&set.live),
            });
        }
        None
    }
}
