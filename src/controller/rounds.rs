//! One task at a time for each object, and what the last one brought: probes of Connections, looks of Inventories.
//!
//! The task runs by itself and its end wakes the object, so that an endpoint that never answers holds no reconcile slot. A memory of this
//! process: after a restart everything is asked anew.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::Context;
use super::wakes::Who;
use crate::api::RECONCILE_ANNOTATION;
use crate::upgrade::timing::Mono;

/// What an object was when something was asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Of {
    /// Its uid, and those of others that it depends on.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// Its [`RECONCILE_ANNOTATION`]: with another value somebody asks for a new task.
    pub ask: Option<String>,
}

impl Of {
    /// What an object is now.
    pub fn now(object: &impl ResourceExt) -> Of {
        Of {
            uid: object.uid().unwrap_or_default(),
            generation: object.meta().generation.unwrap_or_default(),
            ask: object.annotations().get(RECONCILE_ANNOTATION).cloned(),
        }
    }

    fn same_object(&self, other: &Of) -> bool {
        self.uid == other.uid && self.generation == other.generation
    }
}

/// The rounds of all objects of a kind.
pub struct Rounds<T>(Mutex<Inner<T>>);

struct Inner<T> {
    brought: HashMap<Who, Brought<T>>,
    under_way: HashSet<Who>,
}

/// What the last task brought.
#[derive(Clone, Debug)]
pub struct Brought<T> {
    /// What the object was then.
    pub of: Of,
    /// When the task began, on our monotonic clock.
    pub at: Mono,
    /// The same moment on the wall clock.
    pub wall: Timestamp,
    /// What it brought.
    pub what: T,
}

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Rounds(Mutex::new(Inner {
            brought: HashMap::new(),
            under_way: HashSet::new(),
        }))
    }
}

impl<T: Clone> Rounds<T> {
    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last task brought for the object as it is now.
    pub fn last(&self, who: &Who, of: &Of) -> Option<Brought<T>> {
        let inner = self.inner();
        let answers = |b: &&Brought<T>| b.of.same_object(of) && (of.ask.is_none() || b.of.ask == of.ask);
        inner.brought.get(who).filter(answers).cloned()
    }

    /// Somebody has asked for a new task since the last one, for the same object.
    pub fn asked_anew(&self, who: &Who, of: &Of) -> bool {
        let inner = self.inner();
        let last = inner.brought.get(who).filter(|b| b.of.same_object(of));
        last.is_some_and(|b| of.ask.is_some() && b.of.ask != of.ask)
    }

    /// The object is gone.
    pub fn forget(&self, who: &Who) {
        self.inner().brought.remove(who);
    }
}

/// Where a process keeps the rounds of a kind.
pub trait Kept: Clone + Send + 'static {
    /// They are part of what all controllers share.
    fn rounds(context: &Context) -> &Rounds<Self>;
}

/// Begins a round, unless one is under way.
pub fn begin<T, F>(context: &Arc<Context>, who: &Who, of: Of, task: impl FnOnce(Arc<Context>) -> F)
where
    T: Kept,
    F: Future<Output = Option<T>> + Send + 'static,
{
    let Some(turn) = Turn::<T>::begin(context, who) else { return };
    let (at, wall) = (context.clock.mono(), context.clock.wall());
    let task = task(Arc::clone(context));
    context.tasks.spawn(async move {
        if let Some(what) = task.await {
            T::rounds(&turn.context)
                .inner()
                .brought
                .insert(turn.who.clone(), Brought { of, at, wall, what });
        }
        drop(turn);
    });
}

/// The one task of an object that is under way; its end, a panic's too, makes room for the next and wakes the object.
struct Turn<T: Kept> {
    context: Arc<Context>,
    who: Who,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: Kept> Turn<T> {
    fn begin(context: &Arc<Context>, who: &Who) -> Option<Turn<T>> {
        let free = T::rounds(context).inner().under_way.insert(who.clone());
        free.then(|| Turn {
            context: Arc::clone(context),
            who: who.clone(),
            kind: std::marker::PhantomData,
        })
    }
}

impl<T: Kept> Drop for Turn<T> {
    fn drop(&mut self) {
        T::rounds(&self.context).inner().under_way.remove(&self.who);
        self.context.wakes.wake(&self.who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::wakes::Kind;

    #[test]
    fn one_ask_is_one_task_and_to_take_it_away_is_none() {
        let rounds = Rounds::<u8>::default();
        let who = Who::new(Kind::Inventory, "netops", "vc1");
        let of = |generation, ask: Option<&str>| Of {
            uid: "u".to_owned(),
            generation,
            ask: ask.map(str::to_owned),
        };
        let seen = |of: &Of| (rounds.last(&who, of).is_some(), rounds.asked_anew(&who, of));
        assert_eq!(seen(&of(1, Some("10:00"))), (false, false), "nothing was looked at yet");
        let brought = Brought {
            of: of(1, Some("10:00")),
            at: Mono::default(),
            wall: Timestamp::UNIX_EPOCH,
            what: 7,
        };
        rounds.inner().brought.insert(who.clone(), brought);
        assert_eq!(seen(&of(1, Some("10:00"))), (true, false));
        assert_eq!(seen(&of(1, Some("10:05"))), (false, true));
        assert_eq!(seen(&of(1, None)), (true, false));
        assert_eq!(seen(&of(2, Some("10:05"))), (false, false), "an edit is another object");
    }
}
