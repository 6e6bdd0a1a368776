//! The five types of devices that Central names, and what firmware there is for each.
//!
//! Called by the rest of this simulator. The five words are the vendor's [C]; models and versions are made up after real ones. What is
//! recommended is a property of a model, so that two devices of one type can be told different things, and it can be moved.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// A type of devices, by the vendor's word [C].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// Swarms of access points.
    Iap,
    /// MAS switches.
    Mas,
    /// Aruba switches.
    Hp,
    /// CX switches.
    Cx,
    Controller,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Iap, Self::Mas, Self::Hp, Self::Cx, Self::Controller];

    /// As a request writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Iap => "IAP",
            Self::Mas => "MAS",
            Self::Hp => "HP",
            Self::Cx => "CX",
            Self::Controller => "CONTROLLER",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The versions that there are in the beginning, oldest first.
    pub fn versions(self) -> [&'static str; 5] {
        match self {
            Self::Iap => [
                "8.6.0.20_83393",
                "8.10.0.6_87184",
                "8.10.0.9_88493",
                "8.10.0.12_90066",
                "8.10.0.14_91067",
            ],
            Self::Mas => [
                "7.4.0.4_51120",
                "7.4.1.8_62120",
                "7.4.1.10_63210",
                "7.4.1.12_71001",
                "7.4.1.14_72999",
            ],
            Self::Hp => ["16.09.0009", "16.10.0021", "16.10.0025", "16.11.0012", "16.11.0019"],
            Self::Cx => ["10.10.1060", "10.11.1021", "10.12.1020", "10.13.1010", "10.13.1040"],
            Self::Controller => [
                "8.5.0.14_82508",
                "8.6.0.20_83393",
                "8.7.1.11_85661",
                "8.10.0.12_90066",
                "8.10.0.14_91067",
            ],
        }
    }

    /// What devices are at in the beginning.
    pub fn version_old(self) -> &'static str {
        self.versions()[1]
    }

    /// What the first model is recommended.
    pub fn version_new(self) -> &'static str {
        self.versions()[3]
    }

    /// What is the latest.
    pub fn version_newer(self) -> &'static str {
        self.versions()[4]
    }

    /// The models that there are, each with what it is recommended.
    fn models(self) -> [Model; 3] {
        let [_, _, between, new, newer] = self.versions();
        let names = match self {
            Self::Iap => ["AP-515", "AP-303", "AP-635"],
            Self::Mas => ["S2500-48P", "S1500-24P", "S3500-48T"],
            Self::Hp => ["Aruba2930F-48G-PoEP", "Aruba2530-24G", "Aruba3810M-48G"],
            Self::Cx => ["6300M 48G", "6200F 24G", "8325-32C"],
            Self::Controller => ["A7210", "A7005", "A9004"],
        };
        let model = |(name, recommended): (&str, &str)| Model {
            name: name.to_owned(),
            recommended: recommended.to_owned(),
        };
        [(names[0], new), (names[1], between), (names[2], newer)].map(model)
    }
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    pub name: String,
    pub recommended: String,
}

/// What there is for one type.
#[derive(Clone, Debug, Serialize)]
pub struct Shelf {
    pub models: Vec<Model>,
    /// Oldest first.
    pub versions: Vec<String>,
}

impl Shelf {
    fn new(kind: Kind) -> Self {
        Self {
            models: kind.models().to_vec(),
            versions: kind.versions().map(str::to_owned).to_vec(),
        }
    }

    /// The model with this place; places begin anew where there are no more models.
    pub fn model(&self, place: u8) -> &Model {
        &self.models[usize::from(place) % self.models.len()]
    }

    pub fn has(&self, version: &str) -> bool {
        self.versions.iter().any(|known| known == version)
    }

    /// Is `a` older than `b`? Where one of them is not known here, it is not.
    pub fn older(&self, a: &str, b: &str) -> bool {
        let place = |version: &str| self.versions.iter().position(|known| known == version);
        matches!((place(a), place(b)), (Some(a), Some(b)) if a < b)
    }
}

/// What there is for all of them, the same for every customer.
#[derive(Clone, Debug)]
pub struct Shelves(BTreeMap<Kind, Shelf>);

impl Default for Shelves {
    fn default() -> Self {
        Self(Kind::ALL.into_iter().map(|kind| (kind, Shelf::new(kind))).collect())
    }
}

impl Shelves {
    pub fn of(&self, kind: Kind) -> &Shelf {
        &self.0[&kind]
    }

    /// Another version is recommended to a model from now on, or to all of them. It has to be one that there is.
    pub fn recommend(&mut self, kind: Kind, model: Option<&str>, version: &str) -> anyhow::Result<()> {
        let of = self.0.get_mut(&kind).context("a type")?;
        ensure!(of.has(version), "there is no version {version} for {}", kind.word());
        let mut found = false;
        for known in of.models.iter_mut().filter(|known| model.is_none_or(|name| known.name == name)) {
            version.clone_into(&mut known.recommended);
            found = true;
        }
        ensure!(found, "there is no model {}", model.unwrap_or_default());
        Ok(())
    }

    /// There are other versions from now on, oldest first.
    pub fn stock(&mut self, kind: Kind, versions: Vec<String>) {
        if let Some(of) = self.0.get_mut(&kind) {
            of.versions = versions;
        }
    }
}
