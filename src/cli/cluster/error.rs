//! Why the cluster gave no answer, or not the one that was wanted; each with what to do about it.

use super::super::kinds::NotNamed;
use crate::vendor::text::harmless;

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
    role.map(|role| format!("; ask for the ClusterRole {role}, or as your release calls it"))
        .unwrap_or_default()
}

impl ClusterError {
    /// A right is missing.
    pub fn forbidden(&self) -> bool {
        matches!(self, ClusterError::Forbidden { .. })
    }
}

/// The role of the chart that may do this, as a release called `windlass` has it: what the one here is called is nobody's to know who may not read it.
pub(super) fn role_for(verb: &str, plural: &str) -> String {
    let reads = matches!(verb, "get" | "list" | "watch");
    let role = match plural {
        "upgradereceipts" if reads => "auditor (granted by a ClusterRoleBinding)",
        "upgradereceipts" => "resolver (granted by a ClusterRoleBinding)",
        "connections" if !reads => "connection-admin",
        _ if reads => "view",
        _ => "edit",
    };
    format!("windlass-{role}")
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

/// An error with all its causes, each once.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
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
    use super::*;

    fn api_error(code: u16, message: &str) -> kube::Error {
        let mut status = kube::core::Status::failure(message, "Reason");
        status.code = code;
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn a_missing_right_is_told_with_the_role_that_has_it() {
        let error = answer(
            api_error(403, "upgradereceipts.windlass.dev is forbidden: User \"jane\" cannot list"),
            "windlass",
            "list",
            "upgradereceipts",
            Some(role_for("list", "upgradereceipts")),
        );
        assert!(error.forbidden());
        assert!(error.to_string().contains("ask for the ClusterRole windlass-auditor"), "{error}");
        for (verb, plural, role) in [
            ("patch", "upgradereceipts", "resolver"),
            ("patch", "clusterupgradebatches", "edit"),
            ("patch", "connections", "connection-admin"),
            ("get", "connections", "view"),
        ] {
            assert!(role_for(verb, plural).starts_with(&format!("windlass-{role}")));
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
