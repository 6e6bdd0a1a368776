//! Sights of targets, shared by every resource on a Connection: one `GET clusters` serves all batches.
//!
//! A look is taken by a task of its own, one at a time for each Connection's list and for each target; whoever asks while it is under
//! way waits for the same answer. Reconciles never wait here: they are woken.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use super::clients::Client;
use super::wakes::Wakes;
use super::wakes::Who;
use crate::upgrade::decision::Look;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::Authority;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::vendor::Listing;

/// How many sights of a target are kept: a negative verdict needs two, and an older one may hold the vendor's name of it.
const KEPT: usize = 4;

/// What was not looked at for this long is not looked at any more: nothing waits longer for its turn (see [`quota`](crate::upgrade::quota)).
const FORGOTTEN: Duration = Duration::from_hours(36);

/// Every sight this process holds, by the namespace whose Connection saw it: what a vendor shows one tenant's account is not another's to
/// read, and an account that may see less must not hide a target from one that may see more.
#[derive(Default)]
pub struct Sights {
    targets: Mutex<HashMap<(String, TargetKey), Seen>>,
    /// The last list of each endpoint.
    lists: Mutex<HashMap<(String, Authority), Listing>>,
}

#[derive(Default)]
struct Seen {
    sights: Vec<Sight>,
    unchanged_since: Option<Mono>,
}

impl Seen {
    fn older_than(&self, asked: Mono) -> bool {
        self.sights.last().is_none_or(|last| last.asked < asked)
    }
}

/// What a target was seen as.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Oldest first.
    pub sights: Vec<Sight>,
    /// Since when the newest has looked the same.
    pub unchanged_since: Option<Mono>,
}

impl Sights {
    fn inner(&self) -> MutexGuard<'_, HashMap<(String, TargetKey), Seen>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<(String, Authority), Listing>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last list showed of a target that nobody has looked at, if that list was asked since then.
    pub fn listed(&self, namespace: &str, key: &TargetKey, since: Mono) -> Option<Sight> {
        let lists = self.lists();
        let listing = lists.get(&(namespace.to_owned(), key.authority.clone()))?;
        listing.sights.get(&key.object).filter(|sight| sight.asked > since).cloned()
    }

    /// What is held of a target in a namespace.
    pub fn of(&self, namespace: &str, key: &TargetKey) -> Held {
        let inner = self.inner();
        inner
            .get(&(namespace.to_owned(), key.clone()))
            .map_or_else(Held::default, |seen| Held {
                sights: seen.sights.clone(),
                unchanged_since: seen.unchanged_since,
            })
    }

    /// Takes a sight in, in the order in which they were asked.
    pub fn put(&self, namespace: &str, key: &TargetKey, mut sight: Sight) {
        let mut inner = self.inner();
        let seen = inner.entry((namespace.to_owned(), key.clone())).or_default();
        if sight.identity.is_none() {
            // Only lists name targets; the name goes along with the sights of the target itself.
            sight.identity = seen.sights.iter().rev().find_map(|s| s.identity.clone());
        }
        let same = seen.sights.last().is_some_and(|last| {
            last.motion == sight.motion && last.looks == sight.looks && last.fleet == sight.fleet && last.says == sight.says
        });
        if !same || seen.unchanged_since.is_none() {
            seen.unchanged_since = Some(sight.asked);
        }
        let at = seen.sights.partition_point(|s| s.asked <= sight.asked);
        seen.sights.insert(at, sight);
        if seen.sights.len() > KEPT {
            seen.sights.remove(tells_least(&seen.sights));
        }
    }

    /// A list tells of every target on it, whoever asked for the list: else each of a hundred batches would ask for one of its own, at its own time.
    /// Not of those `followed`, which are looked at with more detail than a list has.
    pub fn refresh(&self, namespace: &str, listing: &Listing, followed: impl Fn(&TargetKey) -> bool) {
        let whose = (namespace.to_owned(), listing.authority.clone());
        self.lists().insert(whose, listing.clone());
        let on_it = |key: &TargetKey| key.authority == listing.authority && listing.sights.contains_key(&key.object);
        let held: Vec<TargetKey> = {
            let inner = self.inner();
            let here = inner
                .iter()
                .filter(|((of, key), seen)| of == namespace && on_it(key) && seen.older_than(listing.asked));
            here.map(|((_, key), _)| key.clone()).collect()
        };
        for key in held.into_iter().filter(|key| !followed(key)) {
            if let Some(sight) = listing.sights.get(&key.object) {
                self.put(namespace, &key, sight.clone());
            }
        }
    }

    /// Calls that one look at each target takes there: first at those whose objects are `in_flight`, then at the others that somebody looks at.
    /// A run in flight that was not looked at yet takes one.
    pub fn costs(&self, namespace: &str, authority: &Authority, now: Mono, in_flight: &BTreeSet<String>) -> (u32, u32) {
        let inner = self.inner();
        let (mut running, mut waiting, mut seen) = (0_u32, 0_u32, 0);
        for ((of, key), held) in inner.iter() {
            if of != namespace || key.authority != *authority {
                continue;
            }
            let cost = held.sights.iter().rev().map(|s| s.cost).find(|cost| *cost > 0).unwrap_or(1);
            if in_flight.contains(&key.object) {
                running = running.saturating_add(cost);
                seen += 1;
            } else if held.sights.last().is_some_and(|s| now.since(s.asked) < FORGOTTEN) {
                waiting = waiting.saturating_add(cost);
            }
        }
        let unseen = u32::try_from(in_flight.len().saturating_sub(seen)).unwrap_or(u32::MAX);
        (running.saturating_add(unseen), waiting)
    }

    /// Forgets targets that nobody cares for any more, and lists that nobody has asked for since then.
    pub fn keep_only(&self, keep: impl Fn(&TargetKey) -> bool, since: Mono) {
        self.inner().retain(|(_, key), _| keep(key));
        self.lists().retain(|_, listing| listing.asked > since);
    }
}

/// Which sight is forgotten first. A movement that was seen once outweighs any number of looks at a target at rest: it may have been a
/// start whose answer was lost, and forgotten, that start would count as never taken. The two newest are what a verdict is made of.
fn tells_least(sights: &[Sight]) -> usize {
    let older = sights.len().saturating_sub(2);
    let said_again = |at: usize| sights.iter().skip(at + 1).any(|later| says_the_same(&sights[at], later));
    (0..older).find(|at| !sights[*at].seen() || said_again(*at)).unwrap_or(0)
}

fn says_the_same(one: &Sight, other: &Sight) -> bool {
    let same = match (&one.motion, &other.motion) {
        (Motion::Moving { toward: one, .. }, Motion::Moving { toward: other, .. }) => one == other,
        (Motion::Still, Motion::Still) => one.looks == other.looks && one.fleet == other.fleet,
        _ => false,
    };
    same && one.complete == other.complete && one.authority == other.authority
}

/// Looks under way through one client, and who waits for them.
#[derive(Default)]
pub struct Looks(Mutex<Underway>);

#[derive(Default)]
struct Underway {
    list: Option<Flight>,
    targets: HashMap<TargetKey, Flight>,
}

#[derive(Default)]
struct Flight {
    keys: BTreeSet<TargetKey>,
    waiting: BTreeSet<Who>,
}

impl Looks {
    fn inner(&self) -> MutexGuard<'_, Underway> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a list under way; `false` when there was none and the caller must take it.
    fn join_list(&self, keys: &[TargetKey], who: &Who) -> bool {
        let mut inner = self.inner();
        let running = inner.list.is_some();
        let flight = inner.list.get_or_insert_default();
        flight.keys.extend(keys.iter().cloned());
        flight.waiting.insert(who.clone());
        running
    }

    fn join_target(&self, key: &TargetKey, who: &Who) -> bool {
        let mut inner = self.inner();
        let running = inner.targets.contains_key(key);
        inner.targets.entry(key.clone()).or_default().waiting.insert(who.clone());
        running
    }
}

/// Takes a look's flight off the board, also when the look panics: a flight that never lands would stop all later looks.
struct Landing<'a> {
    client: &'a Client,
    key: Option<&'a TargetKey>,
}

impl Landing<'_> {
    fn land(self) -> Flight {
        self.take()
    }

    fn take(&self) -> Flight {
        let mut underway = self.client.looks.inner();
        let flight = match self.key {
            None => underway.list.take(),
            Some(key) => underway.targets.remove(key),
        };
        flight.unwrap_or_default()
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.take();
        }
    }
}

/// Looks at targets as lines of the list that all share. Returns at once; `who` is woken when the sights are there.
pub fn list(client: &Arc<Client>, keys: &[TargetKey], who: &Who) {
    if keys.is_empty() || client.looks.join_list(keys, who) {
        return;
    }
    let (own, using) = (Arc::clone(client), client.using());
    client.tasks.spawn(async move {
        let _using = using;
        let landing = Landing { client: &own, key: None };
        let outcome = own.vendor.list().await;
        let flight = landing.land();
        let listing = match outcome {
            Ok(listing) => listing,
            Err(failure) => {
                own.suspect(&failure.error);
                let why = failure.error.message();
                let mut listing = Listing {
                    asked: failure.asked,
                    at: failure.at,
                    authority: own.authority.clone(),
                    complete: false,
                    sights: BTreeMap::new(),
                };
                for key in &flight.keys {
                    listing.sights.insert(key.object.clone(), unseen(&listing, why.clone(), false));
                }
                listing
            }
        };
        settle(&own.sights, &own.who.namespace, &flight.keys, &listing);
        own.sights.refresh(&own.who.namespace, &listing, |key| own.start_open(key));
        wake(&own.wakes, &flight);
    });
}

/// Looks at one target with all its detail. Returns at once; `who` is woken when the sight is there.
pub fn observe(client: &Arc<Client>, look: &Look, who: &Who) {
    let key = &look.key;
    if client.looks.join_target(key, who) {
        return;
    }
    let (own, look, using) = (Arc::clone(client), look.clone(), client.using());
    client.tasks.spawn(async move {
        let _using = using;
        let key = &look.key;
        let landing = Landing {
            client: &own,
            key: Some(key),
        };
        let sight = own.vendor.observe(key, look.job.as_deref(), &look.scope).await;
        if matches!(sight.motion, Motion::NotSeen { unknown_object: false, .. }) {
            own.doubt();
        }
        own.sights.put(&own.who.namespace, key, sight);
        let flight = landing.land();
        wake(&own.wakes, &flight);
    });
}

/// Puts a list's sights where they belong. What a complete list lacks is unknown to the vendor.
fn settle(sights: &Sights, namespace: &str, keys: &BTreeSet<TargetKey>, listing: &Listing) {
    for key in keys {
        let sight = listing.sights.get(&key.object).cloned().unwrap_or_else(|| {
            let why = format!("{} lists no {}", listing.authority, key.object);
            unseen(listing, why, listing.complete)
        });
        sights.put(namespace, key, sight);
    }
}

fn unseen(listing: &Listing, why: String, unknown_object: bool) -> Sight {
    let unseen = Motion::NotSeen { why, unknown_object };
    Sight {
        complete: listing.complete,
        ..Sight::showing(listing.asked, listing.at, listing.authority.clone(), unseen)
    }
}

fn wake(wakes: &Wakes, flight: &Flight) {
    for who in &flight.waiting {
        wakes.wake(who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upgrade::conclude::Conclusion;
    use crate::upgrade::conclude::Evidence;
    use crate::upgrade::conclude::conclude;
    use crate::upgrade::memory::Custody;
    use crate::upgrade::memory::Seen;
    use crate::upgrade::receipt::Receipt;
    use crate::upgrade::timing::Timing;

    /// The answer was lost, the target moved without saying where to, and came back as it was: a start that failed early looks like that.
    /// With the movement forgotten, the receipt would end NotTaken, and the start would go out again.
    #[test]
    fn a_movement_that_was_seen_once_is_not_forgotten_while_nothing_else_happens() {
        let key = TargetKey::cluster(Authority::from_url("https://vc1.example").unwrap(), "domain-c8");
        let receipt = Receipt::no(1).lost(0);
        let version = receipt.before.version.clone();
        for unseen_between in [false, true] {
            let sights = Sights::default();
            sights.put("a", &key, Sight::still(5, &version));
            for second in 10..15 {
                sights.put("a", &key, Sight::moving(second, None::<&'static str>));
            }
            for second in (20..2000).step_by(20) {
                sights.put("a", &key, Sight::still(second, &version));
                if unseen_between {
                    sights.put("a", &key, Sight::unseen(second + 10));
                }
            }
            sights.put("a", &key, Sight::still(2000, &version));
            let held = sights.of("a", &key).sights;
            assert!(held.len() <= KEPT && held.is_sorted_by_key(|s| s.asked));
            let mono = Mono(Duration::from_secs(2000));
            let evidence = Evidence {
                key: &key,
                sights: &held,
                unchanged_since: None,
                seen: Seen {
                    doubt: Some(Mono::default()),
                    ..Seen::default()
                },
                custody: Custody::None,
                timeout: Duration::from_hours(8),
                wall: receipt.created,
                mono,
                timing: &Timing::production(),
            };
            let concluded = conclude(&receipt, &evidence);
            assert!(matches!(concluded, Conclusion::Hint { .. }), "{concluded:?}");
        }
    }

    #[test]
    fn a_list_that_one_asked_for_is_news_for_all_but_for_what_is_followed_closely_and_for_other_namespaces() {
        let authority = Authority::from_url("https://vc1.example").unwrap();
        let key = |name: &str| TargetKey::cluster(authority.clone(), name);
        let at = |secs| Mono(Duration::from_secs(secs));
        let (sights, names) = (Sights::default(), ["asked", "waits", "followed", "unlisted"]);
        for name in names {
            sights.put("a", &key(name), Sight::still(5, "v1"));
        }
        sights.put("b", &key("waits"), Sight::still(5, "v1"));
        let listing = Listing {
            asked: at(300),
            at: jiff::Timestamp::UNIX_EPOCH,
            authority: authority.clone(),
            complete: true,
            sights: names[..3]
                .iter()
                .map(|name| ((*name).to_owned(), Sight::still(300, "v1")))
                .collect(),
        };
        settle(&sights, "a", &BTreeSet::from([key("asked")]), &listing);
        sights.refresh("a", &listing, |target| target.object == "followed");
        let newest = |namespace: &str, name: &str| sights.of(namespace, &key(name)).sights.last().map(|s| s.asked);
        assert_eq!(names.map(|name| newest("a", name)), [300, 300, 5, 5].map(|secs| Some(at(secs))));
        assert_eq!(newest("b", "waits"), Some(at(5)));
        assert_eq!(sights.of("a", &key("asked")).sights.len(), 2, "once, and not twice");
        assert!(
            sights.of("a", &key("never seen")).sights.is_empty(),
            "nothing is kept that nobody looks at"
        );
    }

    #[test]
    fn what_one_namespace_sees_is_neither_shown_nor_hidden_to_another() {
        let authority = Authority::from_url("https://vc1.example").unwrap();
        let key = TargetKey::cluster(authority.clone(), "domain-c8");
        let listing = Listing {
            asked: Mono::default(),
            at: jiff::Timestamp::UNIX_EPOCH,
            authority,
            complete: true,
            sights: BTreeMap::new(),
        };
        let keys = BTreeSet::from([key.clone()]);
        let sights = Sights::default();
        settle(&sights, "a", &keys, &listing);
        assert_eq!(sights.of("a", &key).sights.len(), 1);
        assert!(sights.of("b", &key).sights.is_empty());
    }
}
