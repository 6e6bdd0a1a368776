//! Waking resources: the end of a task, a new sight and a changed receipt each make their resource decide again.

use std::sync::Mutex;
use std::sync::PoisonError;

use futures::channel::mpsc::UnboundedReceiver;
use futures::channel::mpsc::UnboundedSender;
use futures::channel::mpsc::unbounded;

/// A kind that a controller reconciles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Connection.
    Connection,
    /// ClusterUpgradeBatch.
    ClusterUpgradeBatch,
    /// ApplianceUpdate.
    ApplianceUpdate,
    /// FirmwareUpgrade.
    FirmwareUpgrade,
    /// Inventory.
    Inventory,
}

impl Kind {
    /// Those that ask for upgrades.
    pub const UPGRADES: [Kind; 3] = [Kind::ClusterUpgradeBatch, Kind::ApplianceUpdate, Kind::FirmwareUpgrade];

    /// The kind of upgrade of this name; `None` for one that this version does not know.
    pub fn of_upgrade(word: &str) -> Option<Kind> {
        Kind::UPGRADES.into_iter().find(|kind| kind.word() == word)
    }

    /// As in manifests, receipts, metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Connection => "Connection",
            Kind::ClusterUpgradeBatch => "ClusterUpgradeBatch",
            Kind::ApplianceUpdate => "ApplianceUpdate",
            Kind::FirmwareUpgrade => "FirmwareUpgrade",
            Kind::Inventory => "Inventory",
        }
    }
}

/// A resource that can be woken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Who {
    /// A resource of a kind.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Who {
        Who {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// A Connection.
    pub fn connection(namespace: &str, name: &str) -> Who {
        Who::new(Kind::Connection, namespace, name)
    }
}

/// Delivers wakes to the controllers that asked for them. Unbounded, since a dropped wake is a stuck upgrade; the controllers' queues
/// fold repeated ones.
#[derive(Default)]
pub struct Wakes(Mutex<Vec<Listener>>);

struct Listener {
    kind: Kind,
    namespace: Option<String>,
    to: UnboundedSender<Who>,
}

impl Wakes {
    /// Wakes of one kind, in one namespace or in all.
    pub fn listen(&self, kind: Kind, namespace: Option<String>) -> UnboundedReceiver<Who> {
        let (to, from) = unbounded();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Listener { kind, namespace, to });
        from
    }

    /// Makes a resource decide again.
    pub fn wake(&self, who: &Who) {
        let listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners
            .iter()
            .filter(|l| l.kind == who.kind && l.namespace.as_ref().is_none_or(|n| *n == who.namespace))
        {
            // A closed receiver is a controller that has ended; the process is on its way out.
            let _ = listener.to.unbounded_send(who.clone());
        }
    }
}
