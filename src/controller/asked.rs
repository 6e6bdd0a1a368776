//! When somebody asked for a fresh look at an upgrade, by a new value of [`RECONCILE_ANNOTATION`](crate::api::RECONCILE_ANNOTATION).
//!
//! A memory of this process, read by [`gather`](super::gather). It makes a look due and nothing else: what may start, and when, rests on what is
//! seen, however often somebody asks.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::upgrade::timing::Mono;

/// What each resource (by uid) was last asked with, and since when, on our monotonic clock.
#[derive(Default)]
pub struct Asked(Mutex<HashMap<String, Ask>>);

struct Ask {
    value: Option<String>,
    since: Option<Mono>,
}

impl Asked {
    fn asks(&self) -> MutexGuard<'_, HashMap<String, Ask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a resource that bears this value now was asked for. What it bore when this process first saw it counts for nothing: nothing had
    /// been looked at then. Neither does taking the annotation away.
    pub fn since(&self, uid: &str, value: Option<&str>, now: Mono) -> Option<Mono> {
        let mut asks = self.asks();
        let value = value.map(str::to_owned);
        let Some(ask) = asks.get_mut(uid) else {
            asks.insert(uid.to_owned(), Ask { value, since: None });
            return None;
        };
        if ask.value != value {
            if value.is_some() {
                ask.since = Some(now);
            }
            ask.value = value;
        }
        ask.since
    }

    /// Takes those away whose resource is gone.
    pub fn keep_only(&self, there: impl Fn(&str) -> bool) {
        self.asks().retain(|uid, _| there(uid));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_ask_is_one_look_and_the_one_of_before_this_process_is_none() {
        let asked = Asked::default();
        let at = |secs| Mono(Duration::from_secs(secs));
        assert_eq!(
            asked.since("u", Some("10:00"), at(1)),
            None,
            "a process that just began looks anyway"
        );
        assert_eq!(asked.since("u", Some("10:00"), at(2)), None);
        assert_eq!(asked.since("u", Some("10:05"), at(3)), Some(at(3)));
        assert_eq!(asked.since("u", Some("10:05"), at(9)), Some(at(3)), "the same ask");
        assert_eq!(asked.since("u", None, at(10)), Some(at(3)), "to take it away asks for nothing");
        assert_eq!(asked.since("u", Some("10:05"), at(11)), Some(at(11)));
        asked.keep_only(|uid| uid != "u");
        assert_eq!(asked.since("u", Some("10:09"), at(12)), None);
    }
}
