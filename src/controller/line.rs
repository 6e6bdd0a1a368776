//! Who waits for a slot of a Connection: the oldest resource goes first.
//!
//! A memory of this process, filled from decisions: it orders starts, and allows none. What keeps two leaders from spending one slot is the
//! compare-and-swap of [`permit`](super::permit).

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use jiff::Timestamp;

use super::wakes::Kind;
use super::wakes::Who;

/// A resource's place in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The Connection that it goes through.
    pub connection: Who,
    /// When the resource was created; the oldest goes first, of two as old the one whose name comes first, and of two of one name the one
    /// whose kind does.
    pub created: Timestamp,
    /// It would start something from then on, if there is a slot.
    pub from: Timestamp,
    /// Object of the target that it would start.
    pub object: String,
    /// It found no slot for that. What is about to start something needs nobody to tell it of a slot: each of a hundred that are would be told of
    /// each of the others.
    pub waits: bool,
}

/// Every resource that would start something but for a slot of its Connection.
#[derive(Default)]
pub struct Line(Mutex<HashMap<Who, Place>>);

impl Line {
    fn places(&self) -> MutexGuard<'_, HashMap<Who, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a resource's place, or leaves it. The Connection in whose line somebody behind it may come to their turn by that.
    pub fn take(&self, who: &Who, place: Option<Place>) -> Option<Who> {
        let mut places = self.places();
        let before = match place.clone() {
            Some(place) => places.insert(who.clone(), place),
            None => places.remove(who),
        };
        let later = |before: &Place| place.is_none_or(|now| before.from < now.from || before.connection != now.connection);
        before.filter(later).map(|before| before.connection)
    }

    /// Takes those away whose resource is gone, in case nobody was told: a watch that began anew does not name them.
    pub fn keep_only(&self, there: impl Fn(&Who) -> bool) {
        self.places().retain(|who, _| there(who));
    }

    /// What those would start that are ahead of a resource which was created then.
    pub fn ahead(&self, who: &Who, connection: &Who, created: Timestamp, now: Timestamp) -> BTreeSet<String> {
        let places = self.places();
        let waiting = places.iter().filter(|(_, p)| p.connection == *connection && p.from <= now);
        let ahead = waiting.filter(|(other, p)| order(p.created, other) < order(created, who));
        ahead.map(|(_, p)| p.object.clone()).collect()
    }

    /// The first `many` of those whose time has come and that wait for a slot.
    pub fn first(&self, connection: &Who, many: usize, now: Timestamp) -> Vec<Who> {
        let places = self.places();
        let waiting = places
            .iter()
            .filter(|(_, p)| p.waits && p.connection == *connection && p.from <= now);
        let mut waiting: Vec<(Timestamp, &Who)> = waiting.map(|(who, p)| (p.created, who)).collect();
        waiting.sort_by_key(|(created, who)| order(*created, who));
        waiting.into_iter().take(many).map(|(_, who)| who.clone()).collect()
    }
}

/// Who goes first. Total among the resources of one namespace, and a Connection has no others.
fn order(created: Timestamp, who: &Who) -> (Timestamp, &str, Kind) {
    (created, &who.name, who.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(name: &str) -> Who {
        Who::new(Kind::ClusterUpgradeBatch, "a", name)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn place(name: &str, created: i64, from: i64) -> Place {
        Place {
            connection: Who::connection("a", "vc1"),
            created: at(created),
            from: at(from),
            object: format!("domain-{name}"),
            waits: true,
        }
    }

    #[test]
    fn who_is_about_to_start_is_ahead_of_others_and_is_not_told_of_slots() {
        let (line, vc1) = (Line::default(), Who::connection("a", "vc1"));
        let starts = Place {
            waits: false,
            ..place("starts", 10, 0)
        };
        line.take(&batch("starts"), Some(starts));
        line.take(&batch("waits"), Some(place("waits", 20, 0)));
        assert_eq!(line.first(&vc1, 2, at(100)), [batch("waits")]);
        assert_eq!(line.ahead(&batch("waits"), &vc1, at(20), at(100)).len(), 1);
    }

    #[test]
    fn the_oldest_goes_first_once_its_time_has_come() {
        let (line, vc1) = (Line::default(), Who::connection("a", "vc1"));
        for (name, created, from) in [("young", 30, 0), ("b", 10, 0), ("a", 10, 0), ("tomorrow", 5, 500)] {
            let held_up = line.take(&batch(name), Some(place(name, created, from)));
            assert_eq!(held_up, None, "nobody was held up by one that comes");
        }
        let names = |now| line.first(&vc1, 2, at(now)).into_iter().map(|w| w.name).collect::<Vec<_>>();
        assert_eq!(names(100), ["a", "b"]);
        assert_eq!(names(500), ["tomorrow", "a"]);
        let ahead = |name: &str, connection: &Who, created: i64| -> Vec<String> {
            let ahead = line.ahead(&batch(name), connection, at(created), at(100));
            ahead.into_iter().collect()
        };
        assert_eq!(ahead("young", &vc1, 30), ["domain-a", "domain-b"]);
        assert_eq!(ahead("a", &vc1, 10), [""; 0]);
        assert_eq!(ahead("young", &Who::connection("a", "vc2"), 30), [""; 0], "another line");
        assert_eq!(line.take(&batch("a"), None).as_ref(), Some(&vc1), "one that leaves lets others on");
        assert_eq!(line.take(&batch("a"), None), None);
        let later = line.take(&batch("b"), Some(place("b", 10, 900)));
        assert_eq!(later.as_ref(), Some(&vc1), "and so does one whose time is later now");
    }

    #[test]
    fn who_goes_over_to_another_connection_lets_those_on_whom_it_leaves_behind() {
        let (line, moves) = (Line::default(), batch("moves"));
        line.take(&moves, Some(place("moves", 10, 0)));
        let other = Who::connection("a", "vc2");
        let there = Place {
            connection: other.clone(),
            ..place("moves", 10, 0)
        };
        assert_eq!(line.take(&moves, Some(there)), Some(Who::connection("a", "vc1")));
        assert_eq!(line.take(&moves, None), Some(other));
    }

    #[test]
    fn of_two_kinds_by_one_name_and_as_old_exactly_one_goes_first() {
        let (line, vc1) = (Line::default(), Who::connection("a", "vc1"));
        let both = [batch("x"), Who::new(Kind::ApplianceUpdate, "a", "x")];
        for who in &both {
            line.take(who, Some(place(who.kind.word(), 10, 0)));
        }
        let ahead = both.clone().map(|who| line.ahead(&who, &vc1, at(10), at(100)).len());
        assert_eq!(ahead, [0, 1]);
        assert_eq!(line.first(&vc1, 1, at(100)), both[..1]);
    }
}
