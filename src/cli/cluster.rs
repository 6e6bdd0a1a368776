//! The cluster as these verbs see it: through the kubeconfig, with the rights of whoever types.
//!
//! No vendor is ever asked anything from here. Whatever is read is made [harmless](crate::vendor::text::harmless) for a terminal here, in one
//! place; what is refused is told with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReviewSpec;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::api::DynamicObject;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kinds;
use super::kinds::Kind;
use super::kinds::Named;
use super::kinds::NotNamed;
use crate::api::GROUP;
use crate::clock::Clock;
use crate::vendor::text::harmless;

/// Longest wait for an answer of the API server: somebody waits in front of the terminal.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest silence of a watch: the API server ends one sooner by itself.
const SILENCE: Duration = Duration::from_secs(330);

/// Objects that are asked for at once.
const PAGE: u32 = 500;

/// Which cluster, as whom, and where in it.
#[derive(Clone, Debug, Default, Args)]
pub struct Access {
    /// The kubeconfig file to use. Default: that of KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of it to use. Default: its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace to look in. Default: that of the context.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// Why the cluster gave no answer, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no kubeconfig that can be used.
    #[error("no cluster to ask: {why}; give --kubeconfig FILE or --context NAME, or set KUBECONFIG")]
    NoConfig {
        /// Why.
        why: String,
    },
    /// Nothing answers.
    #[error("the API server does not answer: {why}; try: kubectl version")]
    Unreachable {
        /// Why.
        why: String,
    },
    /// The credentials of the kubeconfig are not accepted.
    #[error("the API server does not know you: {said}; log in to the cluster again")]
    Unknown {
        /// What the API server said.
        said: String,
    },
    /// RBAC.
    #[error("you may not {verb} {what}: {said}{}", ask_for(.role.as_deref()))]
    Forbidden {
        /// What was tried.
        verb: &'static str,
        /// On what.
        what: String,
        /// What the API server said.
        said: String,
        /// The role of the chart that may.
        role: Option<String>,
    },
    /// The CRD is not there.
    #[error("this cluster has no {what}: is Windlass installed here? Its CRDs: {me} crds | kubectl apply --server-side -f -")]
    NotInstalled {
        /// The plural.
        what: String,
        /// What people type.
        me: &'static str,
    },
    /// No such object.
    #[error("there is no {what} in namespace {namespace}{hint}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// Where.
        namespace: String,
        /// What may have been meant.
        hint: String,
    },
    /// No such object, of a kind without namespaces.
    #[error("there is no {what} in this cluster{hint}")]
    Nowhere {
        /// What was asked for.
        what: String,
        /// What may have been meant.
        hint: String,
    },
    /// Several kinds have an object of this name.
    #[error("{name} is the name of {}: name the kind too", .found.join(" and of "))]
    Ambiguous {
        /// The name.
        name: String,
        /// What has it.
        found: Vec<String>,
    },
    /// The API server refused it.
    #[error("the API server refuses it: {said}")]
    Refused {
        /// Its words.
        said: String,
        /// Its code.
        code: u16,
    },
    /// It answered something that is not understood.
    #[error("what the API server answered about {what} cannot be read: {why}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// Why.
        why: String,
    },
    /// The name cannot be resolved.
    #[error(transparent)]
    NotNamed(#[from] NotNamed),
}

fn ask_for(role: Option<&str>) -> String {
    role.map(|role| format!("; ask for the ClusterRole {role}")).unwrap_or_default()
}

impl ClusterError {
    /// A right is missing.
    pub fn forbidden(&self) -> bool {
        matches!(self, ClusterError::Forbidden { .. })
    }
}

/// The role of the chart that may do this. A release of another name than `windlass` has them under that name.
fn role_for(verb: &str, plural: &str) -> Option<String> {
    let reads = matches!(verb, "get" | "list" | "watch");
    let role = match plural {
        "upgradereceipts" if reads => "auditor (granted by a ClusterRoleBinding)",
        "upgradereceipts" => "resolver (granted by a ClusterRoleBinding)",
        "connections" if !reads => "connection-admin",
        _ if reads => "view",
        _ => "edit",
    };
    Some(format!("windlass-{role}"))
}

/// A cluster that is asked.
pub struct Cluster {
    /// For single requests.
    pub client: Client,
    /// For watches.
    pub watches: Client,
    /// The namespace that is looked in.
    pub namespace: String,
    /// All time.
    pub clock: Clock,
    /// What people type to run this program.
    pub me: &'static str,
}

impl Cluster {
    /// The cluster of the kubeconfig. Nothing is asked of it yet.
    pub async fn of(access: &Access, clock: Clock, me: &'static str) -> Result<Cluster, ClusterError> {
        let no_config = |why: String| ClusterError::NoConfig { why };
        let options = KubeConfigOptions {
            context: access.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match &access.kubeconfig {
            Some(file) => {
                let read = Kubeconfig::read_from(file).map_err(|e| no_config(causes(&e)))?;
                Config::from_custom_kubeconfig(read, &options)
                    .await
                    .map_err(|e| no_config(causes(&e)))?
            }
            None => match Config::from_kubeconfig(&options).await {
                Ok(config) => config,
                // In a pod there is none, and none is needed.
                Err(error) if access.context.is_none() => Config::incluster().map_err(|_| no_config(causes(&error)))?,
                Err(error) => return Err(no_config(causes(&error))),
            },
        };
        let namespace = access.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = |patience: Duration| {
            let mut config = config.clone();
            // Whoever waits sees why sooner than a dozen silent tries would be over.
            config.default_retry = false;
            config.connect_timeout = Some(PATIENCE);
            config.read_timeout = Some(patience);
            config.write_timeout = Some(PATIENCE);
            Client::try_from(config).map_err(|e| no_config(causes(&e)))
        };
        Ok(Cluster {
            client: client(PATIENCE)?,
            watches: client(SILENCE)?,
            namespace,
            clock,
            me,
        })
    }

    /// Objects of a kind: in a namespace, or in all.
    pub fn api(&self, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        api(self.client.clone(), kind, namespace)
    }

    /// Every object of a kind in a namespace, or in all; `fields` selects some. Made harmless.
    pub async fn list(&self, kind: &Kind, namespace: Option<&str>, fields: Option<&str>) -> Result<Vec<Value>, ClusterError> {
        let api = self.api(kind, namespace);
        let mut params = ListParams::default().limit(PAGE);
        if let Some(fields) = fields {
            params = params.fields(fields);
        }
        let mut found = Vec::new();
        loop {
            let page = api.list(&params).await.map_err(|e| self.error(e, "list", kind))?;
            for object in page.items {
                let mut object = value(&object)?;
                // Items of a list do not say what they are.
                object["kind"] = kind.kind.clone().into();
                found.push(object);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    /// One object; `None` where there is none of that name. Made harmless.
    pub async fn get(&self, kind: &Kind, name: &str) -> Result<Option<Value>, ClusterError> {
        let namespace = Some(self.namespace.as_str()).filter(|_| kind.namespaced);
        let found = self.api(kind, namespace).get_opt(name).await;
        found.map_err(|e| self.error(e, "get", kind))?.as_ref().map(value).transpose()
    }

    /// One object that must be there.
    pub async fn must_get(&self, kind: &Kind, name: &str) -> Result<Value, ClusterError> {
        match self.get(kind, name).await? {
            Some(object) => Ok(object),
            None => Err(self.not_found(kind, name).await),
        }
    }

    /// The object that somebody names, with its kind: without one, the only one of that name among `kinds`.
    pub async fn named(&self, named: &Named, kinds: &[Kind]) -> Result<(Kind, Value), ClusterError> {
        if let Some(kind) = &named.kind {
            return Ok((kind.clone(), self.must_get(kind, &named.name).await?));
        }
        let mut found = Vec::new();
        for kind in kinds {
            if let Some(object) = self.get(kind, &named.name).await? {
                found.push((kind.clone(), object));
            }
        }
        if found.len() > 1 {
            return Err(ClusterError::Ambiguous {
                name: named.name.clone(),
                found: found.iter().map(|(kind, _)| kind.name(&named.name)).collect(),
            });
        }
        match found.pop() {
            Some(one) => Ok(one),
            None => Err(ClusterError::NotFound {
                what: format!("upgrade {}", named.name),
                namespace: self.namespace.clone(),
                hint: self.elsewhere(kinds, &named.name).await,
            }),
        }
    }

    async fn not_found(&self, kind: &Kind, name: &str) -> ClusterError {
        let hint = self.elsewhere(std::slice::from_ref(kind), name).await;
        let what = kind.name(name);
        if kind.namespaced {
            let namespace = self.namespace.clone();
            ClusterError::NotFound { what, namespace, hint }
        } else {
            ClusterError::Nowhere { what, hint }
        }
    }

    /// What somebody may have meant who named an object that is not there: one of nearly that name here, or of that name elsewhere.
    async fn elsewhere(&self, kinds: &[Kind], name: &str) -> String {
        let mut here = Vec::new();
        let mut there = Vec::new();
        for kind in kinds {
            // Who may not look elsewhere is told what is here.
            let all = self.list(kind, None, None).await;
            let own = Some(self.namespace.as_str());
            let all = match all {
                Ok(all) => all,
                Err(_) => self.list(kind, own, None).await.unwrap_or_default(),
            };
            for object in &all {
                let (namespace, known) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
                if kind.namespaced && namespace != self.namespace {
                    if known == name {
                        there.push(format!("{} -n {namespace}", kind.name(&known)));
                    }
                } else {
                    here.push((strsim::osa_distance(&known, name), kind.name(&known)));
                }
            }
        }
        here.sort();
        match (there.first(), here.first()) {
            (Some(there), _) => format!("; there is {there}"),
            (None, Some((slips, _))) if *slips <= 3 => format!("; did you mean {}?", here[0].1),
            (None, Some(_)) => {
                let some: Vec<&str> = here.iter().take(5).map(|(_, name)| name.as_str()).collect();
                format!("; there are {}", some.join(", "))
            }
            (None, None) => format!("; look for it with: {} status -A", self.me),
        }
    }

    /// Merges this into an object.
    pub async fn patch(&self, kind: &Kind, name: &str, change: &Value) -> Result<Value, ClusterError> {
        let namespace = Some(self.namespace.as_str()).filter(|_| kind.namespaced);
        let patched = self
            .api(kind, namespace)
            .patch(name, &PatchParams::default(), &Patch::Merge(change))
            .await;
        value(&patched.map_err(|e| self.error(e, "patch", kind))?)
    }

    /// Who the API server takes us for.
    pub async fn whoami(&self) -> Result<String, ClusterError> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let asked = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let told = asked.map_err(|e| answer(e, self.me, "create", "selfsubjectreviews", None))?;
        let user = told.status.and_then(|status| status.user_info).and_then(|info| info.username);
        user.ok_or_else(|| ClusterError::Unreadable {
            what: "you".to_owned(),
            why: "it names no user".to_owned(),
        })
    }

    /// Whether whoever types may do this to a kind of ours: in a namespace, or in the whole cluster.
    pub async fn may(&self, verb: &str, plural: &str, namespace: Option<&str>) -> Result<bool, ClusterError> {
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.to_owned()),
                    resource: Some(plural.to_owned()),
                    verb: Some(verb.to_owned()),
                    namespace: namespace.map(str::to_owned),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            ..SelfSubjectAccessReview::default()
        };
        let asked = api.create(&PostParams::default(), &review).await;
        let told = asked.map_err(|e| answer(e, self.me, "create", "selfsubjectaccessreviews", None))?;
        Ok(told.status.is_some_and(|status| status.allowed))
    }

    /// What an error of the API server means for whoever asked about a kind.
    pub fn error(&self, error: kube::Error, verb: &'static str, kind: &Kind) -> ClusterError {
        answer(error, self.me, verb, &kind.plural, role_for(verb, &kind.plural))
    }
}

/// What an error of the API server means.
pub fn answer(error: kube::Error, me: &'static str, verb: &'static str, plural: &str, role: Option<String>) -> ClusterError {
    let kube::Error::Api(status) = error else {
        return ClusterError::Unreachable {
            why: harmless(&causes(&error)),
        };
    };
    let said = harmless(&status.message);
    match status.code {
        401 => ClusterError::Unknown { said },
        403 if said.contains("is forbidden: User") => ClusterError::Forbidden {
            verb,
            what: plural.to_owned(),
            said,
            role,
        },
        // Asked for an object, it would have been answered by its absence.
        404 => ClusterError::NotInstalled {
            what: plural.to_owned(),
            me,
        },
        code => ClusterError::Refused { said, code },
    }
}

/// Objects of a kind through any client.
pub fn api(client: Client, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = kind.resource();
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

/// An object as JSON, made harmless.
pub fn value(object: &DynamicObject) -> Result<Value, ClusterError> {
    let read = serde_json::to_value(object).map_err(|e| ClusterError::Unreadable {
        what: object.metadata.name.clone().unwrap_or_default(),
        why: e.to_string(),
    });
    read.map(made_harmless)
}

/// All texts in it, made fit for a terminal.
pub fn made_harmless(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) => *text = harmless(text),
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(fields) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, mut field)| {
                        walk(&mut field);
                        (harmless(&name), field)
                    })
                    .collect();
            }
            _ => {}
        }
    }
    walk(&mut value);
    value
}

/// A text in an object; empty where there is none.
pub fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An object as one of our types.
pub fn typed<T: DeserializeOwned>(object: &Value) -> Result<T, ClusterError> {
    serde_json::from_value(object.clone()).map_err(|e| ClusterError::Unreadable {
        what: format!("{} {}", text(object, "/kind"), text(object, "/metadata/name")),
        why: e.to_string(),
    })
}

/// The kind of receipts.
pub fn receipts() -> Result<Kind, ClusterError> {
    Ok(kinds::find("upgradereceipts")?)
}

/// The kind of Connections.
pub fn connections() -> Result<Kind, ClusterError> {
    Ok(kinds::find("connections")?)
}

/// An error with all its causes, each once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !out.contains(&text) {
            out = format!("{out}: {text}");
        }
        next = cause.source();
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api_error(code: u16, message: &str) -> kube::Error {
        let mut status = kube::core::Status::failure(message, "Reason");
        status.code = code;
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn what_was_read_cannot_move_the_cursor_of_a_terminal() {
        let read = made_harmless(json!({"a\u{1b}[2J": ["x\u{1b}]0;title\u{7}y", {"m": "one\ntwo\u{202e}three\u{9b}31m"}], "n": 1}));
        assert_eq!(read, json!({"a [2J": ["x ]0;title y", {"m": "one twothree 31m"}], "n": 1}));
    }

    #[test]
    fn a_missing_right_is_told_with_the_role_that_has_it() {
        let error = answer(
            api_error(403, "upgradereceipts.windlass.dev is forbidden: User \"jane\" cannot list"),
            "windlass",
            "list",
            "upgradereceipts",
            role_for("list", "upgradereceipts"),
        );
        assert!(error.forbidden());
        assert!(error.to_string().contains("ask for the ClusterRole windlass-auditor"), "{error}");
        for (verb, plural, role) in [
            ("patch", "upgradereceipts", "resolver"),
            ("patch", "clusterupgradebatches", "edit"),
            ("patch", "connections", "connection-admin"),
            ("get", "connections", "view"),
        ] {
            assert!(role_for(verb, plural).is_some_and(|r| r.starts_with(&format!("windlass-{role}"))));
        }
    }

    #[test]
    fn an_admission_policy_is_no_missing_right_and_a_missing_crd_is_told_as_one() {
        let denied = answer(
            api_error(403, "ValidatingAdmissionPolicy 'x' denied request: by must be you"),
            "windlass",
            "patch",
            "y",
            None,
        );
        assert!(!denied.forbidden() && denied.to_string().contains("by must be you"), "{denied}");
        let absent = answer(
            api_error(404, "the server could not find"),
            "kubectl windlass",
            "list",
            "inventories",
            None,
        );
        assert!(absent.to_string().contains("kubectl windlass crds | kubectl apply"), "{absent}");
    }
}
