//! One look at the devices of a customer: which groups they are in, what they may go to, and, last, the devices themselves.
//!
//! The devices come last because a look is as old as they are: a start must follow soon after, and who is in which group may be a minute older.
//!
//! **When a list is whole.** Lists are paged, and of devices there is no count (`vendors.md` 1.2). After a first page that is far from full comes
//! nothing, unless it has a round number of rows, as one does that Central cuts at less than what was asked for; otherwise pages are asked for until
//! one is empty, each from the row on that the one before ended at. A row that is there twice means that rows moved between two pages, and that
//! others were missed; and a list that has lost more than a tenth since the look before is believed when it says so twice. None of these is proof
//! that nothing is missing, only the best there is; a list of which one of them says so is not whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::PoisonError;

use super::Shared;
use super::access::Access;
use super::calls::Failed;
use super::failures::short;
use super::sights;
use super::wire::List;
use super::wire::PAGE;
use super::wire::Row;
use crate::upgrade::fleet::Scope;
use crate::upgrade::sight::Sight;
use crate::vendor::error::VendorError;
use crate::vendor::seam::Asked;

/// A first page with fewer rows than this is the only one.
const FAR_FROM_FULL: usize = PAGE / 10 * 9;

/// Servers cut pages at a multiple of this.
const ROUND: usize = 50;

/// Most rows of a list that are read. The largest customers have some thousand devices of a type.
const MOST_ROWS: usize = 50_000;

/// Most targets of which something is remembered between two looks.
const MOST_KNOWN: usize = 5000;

/// Most models of a target of which something is remembered.
const MOST_MODELS: usize = 64;

/// Whose devices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    /// The customer's id.
    pub customer: &'a str,
    /// IAP, MAS, HP, CX or CONTROLLER.
    pub type_: &'a str,
    /// The target's object.
    pub object: &'a str,
}

/// What earlier looks at a target have told.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Calls that its list takes.
    pages: u32,
    /// Devices that were on it.
    rows: usize,
    /// One device, or swarm, of each model.
    pub samples: BTreeMap<String, String>,
}

/// A look that showed nothing.
pub(super) struct Unseen {
    /// Why.
    pub error: VendorError,
    /// Central's firmware service knows no such customer.
    pub unknown: bool,
    /// Calls that it took.
    pub cost: u32,
    customer: String,
}

impl Unseen {
    /// In few words.
    pub fn why(&self) -> String {
        let short = short(&self.error);
        if self.unknown {
            return format!(
                "Aruba Central knows no customer {}, or not as one of this account's ({short})",
                self.customer
            );
        }
        short
    }
}

/// What a look has read so far.
#[derive(Default)]
pub(super) struct Read {
    /// By their ids.
    pub rows: BTreeMap<String, Row>,
    /// Groups that were asked for, with the ids of who is in them.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Groups that are to be asked for.
    pub asked_groups: BTreeSet<String>,
    /// Versions that are to be asked for.
    pub asked_versions: BTreeSet<String>,
    /// Those that nobody is in, or that Central does not know.
    pub unknown_groups: BTreeSet<String>,
    /// Versions to the models that they are not offered for.
    pub offers: BTreeMap<String, BTreeSet<String>>,
    /// All of it was read.
    pub complete: bool,
    /// What went wrong.
    pub trouble: Vec<String>,
    /// Calls that it took.
    pub cost: u32,
}

impl Read {
    pub fn trouble(&mut self, why: String) {
        self.complete = false;
        self.trouble.push(why);
    }
}

/// A list that was read, or the part of it that could be.
struct Listed {
    asked: Asked,
    access: Arc<Access>,
    rows: BTreeMap<String, Row>,
    trouble: Option<String>,
}

impl Shared {
    /// Looks, if the day's calls allow it. `afresh`: what is offered is asked, and not remembered.
    pub async fn look(&self, whose: &Whose<'_>, scope: &Scope, afresh: bool) -> Result<(Sight, Arc<Access>), Box<Unseen>> {
        let unseen = |failed: Box<Failed>, cost: u32| {
            Box::new(Unseen {
                unknown: failed.service == Some(404),
                error: failed.error,
                cost,
                customer: whose.customer.to_owned(),
            })
        };
        let known = self.known(whose.object);
        let groups = u32::try_from(scope.exclude_groups.len()).unwrap_or(u32::MAX);
        let models = u32::try_from(known.samples.len().max(1)).unwrap_or(u32::MAX);
        let asks = if scope.versions.is_empty() { 0 } else { models };
        let price = known.pages.max(1).saturating_add(groups).saturating_add(asks);
        self.meter.afford(scope.spend, price).map_err(|error| unseen(error.into(), 0))?;

        let mut read = Read {
            complete: true,
            asked_groups: scope.exclude_groups.clone(),
            asked_versions: scope.versions.clone(),
            ..Read::default()
        };
        for group in &scope.exclude_groups {
            self.group(whose, group, &mut read).await;
        }
        let mut samples = known.samples;
        if !scope.versions.is_empty() {
            if samples.is_empty() {
                let listed = self.all(whose, None, &mut read.cost).await;
                samples = listed.map(|listed| sampled(&listed.rows)).unwrap_or_default();
            }
            self.offers(whose, &samples, &scope.versions, afresh, &mut read).await;
        }
        let before = read.cost;
        let listed = self
            .all(whose, None, &mut read.cost)
            .await
            .map_err(|failed| unseen(failed, read.cost))?;
        let Listed {
            asked,
            access,
            rows,
            trouble,
        } = listed;
        read.rows = rows;
        if let Some(why) = trouble {
            read.trouble(why);
        }
        // Devices go one by one. A list that has lost more is believed when it says so twice.
        if read.rows.len() * 10 < known.rows * 9 {
            read.trouble(format!(
                "{} devices are listed, and a look before there were {}",
                read.rows.len(),
                known.rows
            ));
        }
        let now = sampled(&read.rows);
        let new: BTreeMap<String, String> = now.iter().filter(|(model, _)| !samples.contains_key(*model)).map(pair).collect();
        if !scope.versions.is_empty() && !new.is_empty() {
            self.offers(whose, &new, &scope.versions, afresh, &mut read).await;
        }
        self.remember(
            whose.object,
            Known {
                pages: read.cost.saturating_sub(before),
                rows: read.rows.len(),
                samples: now,
            },
        );
        Ok((sights::of(&asked, read), access))
    }

    /// Who is in a group. One that nothing of any type is in counts as unknown: a list tells no difference.
    async fn group(&self, whose: &Whose<'_>, group: &str, read: &mut Read) {
        let unknown = |failed: &Failed| failed.service == Some(404) || failed.code.as_deref() == Some("0004");
        let members = match self.all(whose, Some(group), &mut read.cost).await {
            Ok(listed) => {
                if let Some(why) = listed.trouble {
                    read.trouble(format!("group {group}: {why}"));
                }
                listed.rows.into_keys().collect()
            }
            Err(failed) if unknown(&failed) => {
                read.unknown_groups.insert(group.to_owned());
                BTreeSet::new()
            }
            Err(failed) => {
                read.trouble(format!("group {group}: {}", short(&failed.error)));
                return;
            }
        };
        if members.is_empty() && !read.unknown_groups.contains(group) {
            let (inhabited, cost) = self.inhabited(whose, group).await;
            read.cost = read.cost.saturating_add(cost);
            match inhabited {
                Ok(true) => {}
                Ok(false) => {
                    read.unknown_groups.insert(group.to_owned());
                }
                Err(failed) if unknown(&failed) => {
                    read.unknown_groups.insert(group.to_owned());
                }
                Err(failed) => {
                    read.trouble(format!("group {group}: {}", short(&failed.error)));
                    return;
                }
            }
        }
        read.groups.insert(group.to_owned(), members);
    }

    /// A list to its end. `Err`: nothing of it came.
    async fn all(&self, whose: &Whose<'_>, group: Option<&str>, cost: &mut u32) -> Result<Listed, Box<Failed>> {
        *cost = cost.saturating_add(1);
        let (asked, first, access) = self.page(whose, group, 0).await?;
        let mut list = Pages::default();
        list.take(first);
        let mut listed = Listed {
            asked,
            access,
            rows: BTreeMap::new(),
            trouble: None,
        };
        while list.goes_on(whose.list()) {
            *cost = cost.saturating_add(1);
            match self.page(whose, group, list.next()).await {
                Ok((_, page, access)) => {
                    listed.access = access;
                    list.take(page);
                }
                Err(failed) => {
                    listed.trouble = Some(format!(
                        "page {} of its devices cannot be read: {}",
                        list.told.len() + 1,
                        short(&failed.error)
                    ));
                    break;
                }
            }
        }
        listed.trouble = listed.trouble.or_else(|| list.trouble());
        listed.rows = list.rows;
        Ok(listed)
    }

    fn known(&self, object: &str) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(object).cloned().unwrap_or_default()
    }

    fn remember(&self, object: &str, now: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_KNOWN || known.contains_key(object) {
            known.insert(object.to_owned(), now);
        }
    }
}

fn pair((model, id): (&String, &String)) -> (String, String) {
    (model.clone(), id.clone())
}

/// One device of each model, one that can be reached where there is one.
fn sampled(rows: &BTreeMap<String, Row>) -> BTreeMap<String, String> {
    let mut samples: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows.values() {
        let better = samples
            .get(row.model.as_str())
            .is_none_or(|known| row.reachable && !known.reachable);
        if better && (samples.len() < MOST_MODELS || samples.contains_key(row.model.as_str())) {
            samples.insert(&row.model, row);
        }
    }
    samples.into_iter().map(|(model, row)| (model.to_owned(), row.id.clone())).collect()
}

/// The pages of a list so far.
#[derive(Default)]
pub(super) struct Pages {
    /// By their ids.
    pub rows: BTreeMap<String, Row>,
    /// Rows of each, and the count that it told.
    told: Vec<(usize, Option<usize>)>,
    broken: bool,
    twice: bool,
}

impl Pages {
    pub fn take(&mut self, page: super::wire::Page) {
        self.told.push((page.listed, page.count));
        self.broken |= page.broken;
        for row in page.rows {
            self.twice |= self.rows.insert(row.id.clone(), row).is_some();
        }
    }

    /// Where the next page begins.
    fn next(&self) -> usize {
        self.told.iter().map(|(listed, _)| listed).sum()
    }

    /// There may be more.
    pub fn goes_on(&self, list: List) -> bool {
        let Some((listed, count)) = self.told.last() else { return true };
        let first = self.told.len() == 1;
        let all = list == List::Swarms && !first && *count == Some(self.rows.len());
        let only = first && *listed < FAR_FROM_FULL && !listed.is_multiple_of(ROUND);
        *listed > 0 && !only && !all && self.next() < MOST_ROWS
    }

    /// Why this is not all; `None` where nothing says so.
    pub fn trouble(&self) -> Option<String> {
        let total = self.rows.len();
        // `swarm_count` counts all, or the page: that is unconfirmed.
        let differs = |(listed, count): &&(usize, Option<usize>)| count.is_some_and(|count| count != total && count != *listed);
        if self.twice {
            return Some("a device is in its list twice, so others were missed".to_owned());
        }
        if self.broken {
            return Some("not all of its devices can be understood".to_owned());
        }
        if let Some((_, Some(count))) = self.told.iter().find(differs) {
            return Some(format!("{total} devices are listed, and {count} are counted"));
        }
        (self.next() >= MOST_ROWS).then(|| format!("it has more than {MOST_ROWS} devices"))
    }
}
