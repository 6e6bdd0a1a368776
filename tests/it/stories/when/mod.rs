//! When things start: windows, freezes, limits, and what clocks, people and operators that were down do to them.
//!
//! Each story is named by what must never happen. An operator's wall clock can be set ([`World::set_clock`]); that of the API server,
//! which dates receipts, is the machine's. So an edge that both are to see lies around the present moment, and one that only ours is to
//! see lies in the future.

mod clocks;
mod crowd;
mod edges;
mod edits;
mod events;
mod freezes;
mod holds;
mod invalid;
mod late;
mod limits;
mod night;
mod seams;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::support::entries;
use crate::sim::Start;
use crate::sim::vcenter::Config;
use crate::sim::vcenter::VERSION_NEW;
use crate::world::World;

/// A whole second, so many seconds from now or up to one less.
fn in_secs(secs: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + secs).unwrap()
}

/// A schedule with one freeze, between these seconds from now.
fn frozen(from: i64, until: i64) -> Value {
    json!({"freezes": [{"from": in_secs(from), "until": in_secs(until), "reason": "change freeze CHG-991"}]})
}

/// `domain-c1` to `domain-c<n>` to the next version, with this schedule.
fn scheduled(n: usize, schedule: &Value) -> Value {
    json!({"desiredVersion": VERSION_NEW, "clusters": entries(n), "schedule": schedule})
}

/// A world with a Connection `vc` whose operators see soon that somebody set their clock, and pause no longer than a second between
/// attempts. No operator runs yet.
async fn attentive(story: &str, config: Config) -> anyhow::Result<World> {
    let mut world = World::new(story, config).await?;
    for (name, ms) in [("wake", 1000), ("retryMax", 1000)] {
        world.timing[name] = json!(ms);
    }
    world.connect("vc").await?;
    Ok(world)
}

/// The most upgrades that were under way at the vendor at once, by its own log and clock: from each committed start to the end of that
/// upgrade, or for ever.
fn most_at_once(world: &World) -> usize {
    let end = |start: &Start| world.vcenter.cluster(&start.target).and_then(|c| c.last_upgraded);
    let spans: Vec<(Timestamp, Timestamp)> = world
        .vcenter
        .log()
        .committed()
        .iter()
        .map(|start| (start.at, end(start).unwrap_or(Timestamp::MAX)))
        .collect();
    let under_way = |at: Timestamp| spans.iter().filter(|(from, until)| *from <= at && at < *until).count();
    spans.iter().map(|(from, _)| under_way(*from)).max().unwrap_or_default()
}

/// How long after a moment a request arrived, by the machine's clock; negative if before.
fn after(moment: Timestamp, arrived: Timestamp) -> SignedDuration {
    arrived.duration_since(moment)
}
