//! What people call the kinds: by plural, singular, kind or short name, with or without the API group, as kubectl takes them.
//!
//! The names are read from the CRDs that are built in, so a kind that is added there can be named here at once.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ApiResource;

use crate::api::GROUP;
use crate::api::VERSION;
use crate::api::all_crds;

/// A kind of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// As in manifests, such as `FirmwareUpgrade`.
    pub kind: String,
    /// As in URLs, such as `firmwareupgrades`.
    pub plural: String,
    /// Such as `firmwareupgrade`.
    pub singular: String,
    /// The shortest name, such as `fwup`.
    pub short: String,
    /// Its objects are in namespaces.
    pub namespaced: bool,
    /// It is a kind of upgrade.
    pub upgrade: bool,
}

/// A name that cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNamed {
    /// No kind of ours is called that.
    #[error("{found:?} is no kind of Windlass: {}known are {known}", hint(.nearest.as_deref()))]
    Kind {
        /// What was given.
        found: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// The short names of all kinds.
        known: String,
    },
    /// The kind cannot do this.
    #[error("{found} is no {wanted}: name one, as in {example}")]
    Unfit {
        /// The kind that was named.
        found: String,
        /// What is needed.
        wanted: &'static str,
        /// Such a name.
        example: &'static str,
    },
    /// Something before or behind the slash is missing, or there is more than one.
    #[error("{found:?} names no object: write KIND/NAME, as in cub/vc1-1-30, or the name alone")]
    Shape {
        /// What was given.
        found: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}

/// All kinds.
pub fn all() -> Vec<Kind> {
    let named = |crd: CustomResourceDefinition| {
        let names = crd.spec.names;
        let upgrade = names.categories.unwrap_or_default().iter().any(|category| category == "upgrades");
        Kind {
            singular: names.singular.unwrap_or_else(|| names.kind.to_lowercase()),
            short: names
                .short_names
                .unwrap_or_default()
                .into_iter()
                .next()
                .unwrap_or_else(|| names.plural.clone()),
            kind: names.kind,
            plural: names.plural,
            namespaced: crd.spec.scope == "Namespaced",
            upgrade,
        }
    };
    all_crds().into_iter().map(named).collect()
}

/// The kinds of upgrades.
pub fn upgrades() -> Vec<Kind> {
    all().into_iter().filter(|kind| kind.upgrade).collect()
}

/// The kind whose manifests say so.
pub fn of_manifests(kind: &str) -> Option<Kind> {
    all().into_iter().find(|known| known.kind == kind)
}

/// The kind that somebody names, as kubectl would understand it.
pub fn find(name: &str) -> Result<Kind, NotNamed> {
    let lower = name.to_lowercase();
    let plain = [format!(".{VERSION}.{GROUP}"), format!(".{GROUP}")]
        .iter()
        .find_map(|suffix| lower.strip_suffix(suffix.as_str()))
        .unwrap_or(&lower)
        .to_owned();
    let kinds = all();
    if let Some(kind) = kinds.iter().find(|kind| kind.names().contains(&plain)) {
        return Ok(kind.clone());
    }
    let names = kinds.iter().flat_map(Kind::names);
    let close = names.map(|known| (strsim::osa_distance(&known, &plain), known));
    let nearest = close
        .filter(|(slips, known)| *slips <= 2 && slips * 2 <= known.chars().count())
        .min();
    Err(NotNamed::Kind {
        found: name.to_owned(),
        nearest: nearest.map(|(_, known)| known),
        known: kinds.iter().map(|kind| kind.short.clone()).collect::<Vec<_>>().join(", "),
    })
}

impl Kind {
    fn names(&self) -> Vec<String> {
        vec![
            self.plural.clone(),
            self.singular.clone(),
            self.kind.to_lowercase(),
            self.short.clone(),
        ]
    }

    /// Where the API server has it.
    pub fn resource(&self) -> ApiResource {
        ApiResource {
            group: GROUP.to_owned(),
            version: VERSION.to_owned(),
            api_version: format!("{GROUP}/{VERSION}"),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }

    /// `fwup/acme-cx`: what is shown, and can be typed.
    pub fn name(&self, object: &str) -> String {
        format!("{}/{object}", self.short)
    }

    /// The name of its CRD.
    pub fn crd_name(&self) -> String {
        format!("{}.{GROUP}", self.plural)
    }
}

/// An object as people name it: `KIND/NAME`, or its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its kind, where one was given.
    pub kind: Option<Kind>,
    /// Its name.
    pub name: String,
}

impl Named {
    /// Reads what was typed.
    pub fn read(text: &str) -> Result<Named, NotNamed> {
        let whole = |part: &str| !part.is_empty() && !part.contains('/');
        match text.split_once('/') {
            Some((kind, name)) if whole(kind) && whole(name) => Ok(Named {
                kind: Some(find(kind)?),
                name: name.to_owned(),
            }),
            None if whole(text) => Ok(Named {
                kind: None,
                name: text.to_owned(),
            }),
            _ => Err(NotNamed::Shape { found: text.to_owned() }),
        }
    }

    /// Reads what was typed, which must be the name of an upgrade; without a kind it may be that of any kind of upgrade.
    pub fn upgrade(text: &str) -> Result<Named, NotNamed> {
        Named::read(text)?.fit("upgrade", |kind| kind.upgrade)
    }

    /// The same; it may be that of a Connection too, which has a schedule and can be held as upgrades can.
    pub fn upgrade_or_connection(text: &str) -> Result<Named, NotNamed> {
        Named::read(text)?.fit("upgrade and no Connection", |kind| kind.upgrade || kind.kind == "Connection")
    }

    fn fit(self, wanted: &'static str, fits: impl Fn(&Kind) -> bool) -> Result<Named, NotNamed> {
        match &self.kind {
            Some(kind) if !fits(kind) => Err(NotNamed::Unfit {
                found: kind.kind.clone(),
                wanted,
                example: "cub/vc1-1-30",
            }),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_kind_is_known_by_every_name_that_kubectl_takes() {
        for name in [
            "fwup",
            "firmwareupgrade",
            "firmwareupgrades",
            "FirmwareUpgrade",
            "firmwareupgrades.windlass.dev",
            "FWUP.windlass.dev",
            "firmwareupgrades.v1alpha1.windlass.dev",
        ] {
            assert_eq!(find(name).unwrap().kind, "FirmwareUpgrade", "{name}");
        }
        assert!(!find("rcpt").unwrap().namespaced);
    }

    #[test]
    fn no_name_is_that_of_two_kinds() {
        let kinds = all();
        let names: Vec<String> = kinds.iter().flat_map(|k| k.names().into_iter().collect::<BTreeSet<_>>()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_what_was_meant() {
        let error = find("firmwareupgrads").unwrap_err().to_string();
        assert!(error.contains("did you mean firmwareupgrade?") && error.contains("fwup"), "{error}");
        let error = find("pods").unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
    }

    #[test]
    fn what_names_no_upgrade_is_refused_with_what_would() {
        assert_eq!(Named::upgrade("acme").unwrap().kind, None);
        assert_eq!(Named::upgrade("cub/acme").unwrap().name, "acme");
        for (text, says) in [
            ("conn/vc1", "Connection is no upgrade"),
            ("cub/", "write KIND/NAME"),
            ("/x", "write KIND/NAME"),
            ("a/b/c", "write KIND/NAME"),
            ("", "write KIND/NAME"),
        ] {
            let error = Named::upgrade(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
