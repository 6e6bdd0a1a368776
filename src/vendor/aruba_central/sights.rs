//! The devices as they were read, turned into a sight: aggregated, and never judged.
//!
//! `state` and `reason` are shown to people as they are told, the most frequent first; of all of them one pair is known (`vendors.md` 1.2), so
//! nothing rests on them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::look::Read;
use super::wire::Row;
use crate::upgrade::fleet::Fleet;
use crate::upgrade::fleet::Line;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Sight;
use crate::vendor::decode::join;
use crate::vendor::seam::Asked;

/// The one state that is known: the device needs nothing.
const AT_REST: &str = "UPGRADE_NOT_REQUIRED";

/// Most different states that are shown.
const MOST_STATES: usize = 3;

/// Most troubles that are shown.
const MOST_TROUBLES: usize = 5;

/// The sight.
pub(super) fn of(asked: &Asked, read: Read) -> Sight {
    let Read {
        rows,
        groups,
        asked_groups,
        asked_versions,
        unknown_groups,
        offers,
        complete,
        mut trouble,
        cost,
    } = read;
    let strangers = groups.values().flatten().any(|id| !rows.contains_key(id));
    if strangers {
        trouble.push("a group has devices that its list does not have".to_owned());
    }
    let states = states(rows.values());
    let lines: Vec<Line> = rows.into_values().map(|row| line(row, &groups)).collect();
    let fleet = Fleet {
        asked_groups,
        asked_versions,
        offers,
        ..Fleet::of(lines, groups.into_keys().collect(), unknown_groups)
    };
    trouble.truncate(MOST_TROUBLES);
    Sight {
        complete: complete && !strangers,
        motion: Motion::Still,
        says: join(trouble.into_iter().chain(states).collect()),
        fleet: Some(fleet),
        cost,
        ..asked.not_seen("", false, true)
    }
}

fn line(row: Row, groups: &BTreeMap<String, BTreeSet<String>>) -> Line {
    let member = |(_, ids): &(&String, &BTreeSet<String>)| ids.contains(&row.id);
    Line {
        groups: groups.iter().filter(member).map(|(group, _)| group.clone()).collect(),
        model: row.model,
        version: row.version,
        recommended: row.recommended,
        scheduled: row.scheduled,
        upgrade_required: row.upgrade_required,
        reachable: row.reachable,
        devices: 1,
    }
}

/// What most of the devices say of themselves that say more than that all is well.
fn states<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows.filter(|row| !row.state.is_empty() && row.state != AT_REST) {
        *counts.entry((&row.state, &row.reason)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let written = |((state, reason), count): ((&str, &str), usize)| match reason {
        "" => format!("{count} in state {state}"),
        reason => format!("{count} in state {state} ({reason})"),
    };
    counts.into_iter().take(MOST_STATES).map(written).collect()
}
