//! The cluster as these verbs see it: through the kubeconfig, with the rights of whoever types.
//!
//! No vendor is ever asked anything from here. Whatever is read is made [harmless](made_harmless) for a terminal here, in one
//! place; what is refused is told with what to do about it.

mod error;
mod objects;

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
use serde_json::Value;

pub use self::error::ClusterError;
pub use self::error::answer;
use self::error::causes;
use self::error::role_for;
pub use self::objects::made_harmless;
pub use self::objects::text;
pub use self::objects::typed;
pub use self::objects::value;
use super::kinds;
use super::kinds::Kind;
use super::kinds::Named;
use crate::api::GROUP;
use crate::clock::Clock;

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
        answer(error, self.me, verb, &kind.plural, Some(role_for(verb, &kind.plural)))
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

/// The kind of receipts.
pub fn receipts() -> Result<Kind, ClusterError> {
    Ok(kinds::find("upgradereceipts")?)
}

/// The kind of Connections.
pub fn connections() -> Result<Kind, ClusterError> {
    Ok(kinds::find("connections")?)
}
