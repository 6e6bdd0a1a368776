//! Fetches facts, asks the core, and carries out what it says.
//!
//! One pass of an upgrade of whatever [kind](kinds) is [`upgrades::reconcile`]: *gather* caches into facts, *decide* in the pure core, *act* in a task that nothing
//! cancels ([`act`]), *report* into status and Events. [`permit`] is the only maker of permits; [`run`] puts a process together. Nothing
//! here decides anything about an upgrade.

pub mod act;
pub mod announcer;
pub mod asked;
pub mod clients;
pub mod conditions;
pub mod connection;
pub mod context;
pub mod events;
pub mod found;
pub mod gather;
pub mod inventory;
pub mod kinds;
pub mod ledgers;
pub mod line;
pub mod moments;
pub mod patch;
pub mod permit;
pub mod receipts;
#[cfg(test)]
mod receipts_fuzz;
pub mod report;
pub mod rounds;
pub mod run;
pub mod secrets;
pub mod served;
pub mod shard;
pub mod sights;
pub mod streams;
pub mod sweep;
pub mod upgrade;
pub mod upgrades;
pub mod wakes;
