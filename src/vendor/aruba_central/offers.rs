//! Which versions are offered for which models.
//!
//! Asked by a device of each model, since a version may be there for one and not for another; by the whole type where that is refused (serial
//! numbers of some access points are), and last by the one image. What is offered for a model does not depend on the customer, as far as is
//! known, so while upgrades wait it is remembered for all of them; right before a start it is asked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::Shared;
use super::calls::Of;
use super::failures::short;
use super::look::Read;
use super::look::Whose;
use crate::upgrade::timing::Mono;
use crate::vendor::error::VendorError;

/// Most models that are asked for one by one: with more of them it is asked for the image, which costs one call however many there are.
const MOST_MODELS: usize = 16;

/// Most models of all types that are remembered.
const MOST_REMEMBERED: usize = 1000;

/// Of devices: their type and their model.
type Sort = (String, String);

/// What models were offered, and when.
#[derive(Default)]
pub(super) struct Offers(Mutex<HashMap<Sort, (Mono, BTreeSet<String>)>>);

impl Offers {
    fn get(&self, whose: &Whose<'_>, model: &str, since: impl Fn(Mono) -> bool) -> Option<BTreeSet<String>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, versions) = known.get(&(whose.type_.to_owned(), model.to_owned()))?;
        since(*at).then(|| versions.clone())
    }

    fn put(&self, whose: &Whose<'_>, model: &str, at: Mono, versions: &BTreeSet<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (whose.type_.to_owned(), model.to_owned());
        if known.len() < MOST_REMEMBERED || known.contains_key(&key) {
            known.insert(key, (at, versions.clone()));
        }
    }
}

impl Shared {
    /// Adds to what is read for which of these models which of these versions is not offered. A version of which that cannot be said for all of them,
    /// and that none of them is known to lack, is left out.
    pub async fn offers(
        &self,
        whose: &Whose<'_>,
        samples: &BTreeMap<String, String>,
        versions: &BTreeSet<String>,
        afresh: bool,
        read: &mut Read,
    ) {
        if samples.len() > MOST_MODELS {
            for version in versions {
                self.by_image(whose, version, samples, read).await;
            }
            return;
        }
        let mut untold = false;
        let mut of_type = None;
        for (model, id) in samples {
            match self.offered(whose, model, id, afresh, &mut of_type, &mut read.cost).await {
                Ok(offered) => {
                    for version in versions {
                        let lacks = read.offers.entry(version.clone()).or_default();
                        if !offered.contains(version) {
                            lacks.insert(model.clone());
                        }
                    }
                }
                Err(error) => {
                    untold = true;
                    let why = format!("what is offered for {model} cannot be asked: {}", short(&error));
                    if !read.trouble.contains(&why) {
                        read.trouble.push(why);
                    }
                }
            }
        }
        if !untold {
            return;
        }
        for version in versions {
            let lacking = read.offers.get(version).is_some_and(|lacks| !lacks.is_empty());
            if !lacking {
                self.by_image(whose, version, samples, read).await;
            }
        }
    }

    /// What is offered for a model.
    async fn offered(
        &self,
        whose: &Whose<'_>,
        model: &str,
        id: &str,
        afresh: bool,
        of_type: &mut Option<Result<BTreeSet<String>, VendorError>>,
        cost: &mut u32,
    ) -> Result<BTreeSet<String>, VendorError> {
        let now = self.http.clock().mono();
        let young = |at: Mono| !afresh && now.since(at) < self.timing.offers;
        if let Some(known) = self.offers.get(whose, model, young) {
            return Ok(known);
        }
        *cost = cost.saturating_add(1);
        let by_one = self.versions(whose, Of::One(id)).await;
        let versions = match by_one {
            Ok(versions) if !versions.is_empty() => versions,
            Err(failed) if failed.service.is_none() => return Err(failed.error),
            _ => {
                if of_type.is_none() {
                    *cost = cost.saturating_add(1);
                    *of_type = Some(self.versions(whose, Of::Type).await.map_err(|failed| failed.error));
                }
                of_type.clone().unwrap_or_else(|| Ok(BTreeSet::new()))?
            }
        };
        self.offers.put(whose, model, now, &versions);
        Ok(versions)
    }

    /// Where no list can be had, or too many would have to be: whether there is this one image. It is asked by the type, so it is there for all models or for none.
    async fn by_image(&self, whose: &Whose<'_>, version: &str, samples: &BTreeMap<String, String>, read: &mut Read) {
        read.cost = read.cost.saturating_add(1);
        match self.image(whose, version).await {
            Ok(true) => {
                read.offers.insert(version.to_owned(), BTreeSet::new());
            }
            Ok(false) => {
                read.offers.insert(version.to_owned(), samples.keys().cloned().collect());
            }
            Err(failed) => {
                read.offers.remove(version);
                if read.trouble.is_empty() {
                    read.trouble
                        .push(format!("whether {version} is there cannot be asked: {}", short(&failed.error)));
                }
            }
        }
    }
}
