//! The kinds of upgrades: one file for what is particular about each, and here the places that must know all of them.
//!
//! A further kind is a file here, a variant of [`Kind`](super::wakes::Kind), and a line in each item below.

mod appliance_update;
mod cluster_upgrade_batch;
mod firmware_upgrade;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Resource;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::streams;
use super::upgrade::Upgrade;
use super::wakes::Kind;
use super::wakes::Who;
use crate::api::ApplianceUpdate;
use crate::api::ClusterUpgradeBatch;
use crate::api::FirmwareUpgrade;
use crate::upgrade::fleet::Terms;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::target::VendorType;

/// The vendors that some kind goes to.
pub const VENDORS: [VendorType; 4] = [
    VendorType::VCenter,
    VendorType::RecoveryAppliance,
    VendorType::Hmc,
    VendorType::ArubaCentral,
];

/// How long a receipt's run on a target of this vendor may take, where no resource says.
pub fn timeout(vendor: VendorType, receipt: &Receipt) -> Duration {
    match vendor {
        _ if receipt.left_to_vendor() => firmware_upgrade::LEFT_TO_VENDOR,
        VendorType::VCenter => ClusterUpgradeBatch::TIMEOUT,
        VendorType::RecoveryAppliance => ApplianceUpdate::TIMEOUT,
        VendorType::Hmc => FirmwareUpgrade::TIMEOUT,
        VendorType::ArubaCentral => {
            firmware_upgrade::of_customer(receipt.options.as_deref().and_then(Terms::read).and_then(|terms| terms.reboot))
        }
    }
}

/// Something to be done with a kind that is known by its name only.
pub trait ForKind {
    /// What comes of it.
    type Out;

    /// Does it.
    fn run<K: Upgrade>(self) -> Self::Out;
}

/// Does something with the kind of this name; `None` where no kind of upgrade is called so.
pub fn for_kind<F: ForKind>(word: &str, what: F) -> Option<F::Out> {
    match word {
        _ if word == ClusterUpgradeBatch::KIND.word() => Some(what.run::<ClusterUpgradeBatch>()),
        _ if word == ApplianceUpdate::KIND.word() => Some(what.run::<ApplianceUpdate>()),
        _ if word == FirmwareUpgrade::KIND.word() => Some(what.run::<FirmwareUpgrade>()),
        _ => None,
    }
}

/// The objects of one kind in one scope, as cached.
pub type Cache<K> = Store<DeserializeGuard<K>>;

/// The caches of all kinds in one scope.
pub struct Caches {
    cluster_upgrade_batches: Cache<ClusterUpgradeBatch>,
    appliance_updates: Cache<ApplianceUpdate>,
    firmware_upgrades: Cache<FirmwareUpgrade>,
}

/// What fills them.
pub struct Writers {
    cluster_upgrade_batches: Writer<DeserializeGuard<ClusterUpgradeBatch>>,
    appliance_updates: Writer<DeserializeGuard<ApplianceUpdate>>,
    firmware_upgrades: Writer<DeserializeGuard<FirmwareUpgrade>>,
}

/// Empty caches.
pub fn caches() -> (Caches, Writers) {
    let (cluster_upgrade_batches, batches_to) = reflector::store();
    let (appliance_updates, appliances_to) = reflector::store();
    let (firmware_upgrades, firmware_to) = reflector::store();
    let caches = Caches {
        cluster_upgrade_batches,
        appliance_updates,
        firmware_upgrades,
    };
    let writers = Writers {
        cluster_upgrade_batches: batches_to,
        appliance_updates: appliances_to,
        firmware_upgrades: firmware_to,
    };
    (caches, writers)
}

impl Caches {
    /// Each of them.
    pub fn each(&self) -> [&dyn Cached; 3] {
        [&self.cluster_upgrade_batches, &self.appliance_updates, &self.firmware_upgrades]
    }
}

impl Writers {
    /// The controllers of all kinds in this scope; each fills its cache, and runs until `stopping`.
    pub fn run(self, context: &Arc<Context>, namespace: Option<&String>, stopping: &CancellationToken) -> [BoxFuture<'static, ()>; 3] {
        [
            controller(context, namespace, self.cluster_upgrade_batches, stopping),
            controller(context, namespace, self.appliance_updates, stopping),
            controller(context, namespace, self.firmware_upgrades, stopping),
        ]
    }
}

fn controller<K: Upgrade>(
    context: &Arc<Context>,
    namespace: Option<&String>,
    writer: Writer<DeserializeGuard<K>>,
    stopping: &CancellationToken,
) -> BoxFuture<'static, ()> {
    streams::upgrades(Arc::clone(context), namespace.cloned(), writer, stopping.clone()).boxed()
}

/// What is asked of the cache of any kind.
pub trait Cached: Send + Sync {
    /// The kind.
    fn kind(&self) -> Kind;

    /// There is an object of this name that can be read.
    fn has(&self, namespace: &str, name: &str) -> bool;

    /// Uids of all objects, readable or not.
    fn uids(&self) -> Vec<String>;

    /// Who goes through a Connection.
    fn users_of(&self, namespace: &str, connection: &str) -> Vec<Who>;
}

impl<K: Upgrade> Cached for Cache<K> {
    fn kind(&self) -> Kind {
        K::KIND
    }

    fn has(&self, namespace: &str, name: &str) -> bool {
        self.get(&ObjectRef::new(name).within(namespace))
            .is_some_and(|object| object.0.is_ok())
    }

    fn uids(&self) -> Vec<String> {
        self.state().into_iter().filter_map(|object| object.meta().uid.clone()).collect()
    }

    fn users_of(&self, namespace: &str, connection: &str) -> Vec<Who> {
        let all = self.state();
        let readable = all.iter().filter_map(|object| object.0.as_ref().ok());
        let users = readable.filter(|o| o.meta().namespace.as_deref() == Some(namespace) && o.connection() == connection);
        users.map(|o| Who::new(K::KIND, namespace, &o.name_any())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::connection::ConnectionType;
    use crate::upgrade::target::Authority;
    use crate::upgrade::target::TargetKey;

    fn kind_of<K: Upgrade>() -> (String, String, VendorType, Duration) {
        let key = K::key(Authority::unknown(), "x");
        (K::kind(&()).into_owned(), K::KIND.word().to_owned(), key.vendor, K::TIMEOUT)
    }

    /// Spec of a FirmwareUpgrade with this in it, its kind's Connection, and where its targets are.
    fn firmware(target: &serde_json::Value) -> (FirmwareUpgrade, ConnectionType, TargetKey) {
        let mut spec = serde_json::json!({"connectionRef": {"name": "c"}});
        spec.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        let upgrade = FirmwareUpgrade::new("f", serde_json::from_value(spec).unwrap());
        let [(object, _)] = &upgrade.wishes()[..] else {
            panic!("one target")
        };
        let key = FirmwareUpgrade::key(Authority::from_url("https://a.example").unwrap(), object);
        (upgrade.clone(), upgrade.connection_type(), key)
    }

    #[test]
    fn an_upgrade_of_firmware_goes_where_its_target_is_and_takes_as_long_as_that_may() {
        let console = serde_json::json!({"version": "H41", "hmcConsole": {"singleStepInstall": {"backupLocation": "USB"}}});
        let customer = |type_: &str, reboot| serde_json::json!({"version": "10.13.1010", "arubaCustomer": {"customerId": "4d1c9a70", "deviceType": type_, "reboot": reboot}});
        for (target, object, hours) in [
            (console, "console", 6),
            (customer("CX", Some(true)), "customer/4d1c9a70/CX", 8),
            (customer("CX", Some(false)), "customer/4d1c9a70/CX", 168),
            (customer("IAP", None), "customer/4d1c9a70/IAP", 8),
        ] {
            let (upgrade, through, key) = firmware(&target);
            assert_eq!((key.vendor, key.object.as_str()), (through.vendor(), object));
            assert_eq!(upgrade.default_timeout(), Duration::from_hours(hours), "{object}");
            let mut receipt = Receipt::no(1).options(&upgrade.wishes()[0].1.options.canonical());
            receipt.target = key.canonical();
            assert_eq!(
                timeout(key.vendor, &receipt),
                Duration::from_hours(hours),
                "{object} without its resource"
            );
        }
    }

    #[test]
    fn without_a_version_the_run_is_to_what_central_recommends() {
        let customer = serde_json::json!({"arubaCustomer": {"customerId": "c", "deviceType": "CX", "reboot": true, "recommended": true, "excludeGroups": ["b", "a"]}});
        let (_, wish) = firmware(&customer).0.wishes().remove(0);
        assert_eq!(wish.version, "recommended");
        assert_eq!(
            wish.options.canonical(),
            r#"{"allowDowngrade":false,"excludeGroups":["a","b"],"reboot":true}"#
        );
    }

    #[test]
    fn kinds_are_called_as_their_resources_and_each_vendor_has_its_timeout() {
        for (resource, word, vendor, default) in [
            kind_of::<ClusterUpgradeBatch>(),
            kind_of::<ApplianceUpdate>(),
            kind_of::<FirmwareUpgrade>(),
        ] {
            assert_eq!(resource, word);
            assert!(VENDORS.contains(&vendor), "{word}");
            assert_eq!(timeout(vendor, &Receipt::no(1)), default, "{word}");
        }
        let (caches, _writers) = caches();
        assert_eq!(
            caches.each().map(Cached::kind),
            [Kind::ClusterUpgradeBatch, Kind::ApplianceUpdate, Kind::FirmwareUpgrade]
        );
    }
}
