//! The resources: what people write in `spec` and read in `status`.
//!
//! This module holds types only; nothing in it acts. The doc comment of every field is its text in `kubectl explain`, so it is
//! written for whoever edits that resource, not for whoever edits this code. The rules all kinds follow:
//!
//! * A field or value is here only once it works: whoever writes one this version does not know is told so by name.
//! * Absent means default, and the default is applied in code. The schemas hold none but one (below): a default that the server adds
//!   inside a list item is an eternal difference to GitOps tools.
//! * CEL rules stand on `spec` or on fields, never on the root: a root rule runs on every status write as well, and one tightened
//!   in a later version would stop the status writes of running upgrades. The one exception can never tighten ([`upgrade_receipt`]).
//! * A status has no `enum` and no `required` but the keys of its lists, or an older CRD would refuse a newer operator's status;
//!   and what reads it bears words that it does not know.
//! * Integers are `i32` or `i64` with a range. Unsigned formats draw warnings from the API server.
//! * Whatever ends in a URL or a request body is bound by a pattern ([`common`]).
//!
//! `crds/` is generated from these types (`windlass crds --dir crds`); a test fails when it is stale.

pub mod appliance_update;
pub mod cluster_upgrade_batch;
pub mod common;
pub mod connection;
mod crd;
pub mod firmware_upgrade;
pub mod inventory;
pub mod schedule;
pub mod skew;
#[cfg(test)]
mod tests;
pub mod upgrade_receipt;

pub use appliance_update::ApplianceUpdate;
pub use cluster_upgrade_batch::ClusterUpgradeBatch;
pub use connection::Connection;
pub use crd::all_crds;
pub use firmware_upgrade::FirmwareUpgrade;
pub use inventory::Inventory;
pub use schedule::Schedule;
pub use upgrade_receipt::UpgradeReceipt;

/// API group of all kinds.
pub const GROUP: &str = "windlass.dev";

/// The one version there is.
pub const VERSION: &str = "v1alpha1";

/// Annotation on an upgrade or a Connection that holds starts back, as `suspend` does, but set by hand and not by whatever applies the
/// spec: GitOps tools leave annotations alone that they did not write. Its value is the reason, shown in the status.
pub const HOLD_ANNOTATION: &str = "windlass.dev/hold";

/// Annotation on an upgrade, a Connection or an Inventory whose new value, whatever it is, asks for a look at once, as far as the vendor's own
/// limits let us. It starts nothing and hurries no start.
pub const RECONCILE_ANNOTATION: &str = "windlass.dev/reconcile-at";

/// Finalizer on every UpgradeReceipt. Nothing removes it, so a deleted receipt keeps its name and its place in the ledger.
pub const LEDGER_FINALIZER: &str = "windlass.dev/ledger";
