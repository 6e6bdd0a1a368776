//! The metrics that name objects: an alert that cannot say which upgrade is useless. Kept as a map of what is there and written out at
//! each scrape, so that a series goes with its object, and an object never has two.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::MetricType;

use crate::controller::wakes::Kind;
use crate::controller::wakes::Who;
use crate::upgrade::decision::Summary;
use crate::upgrade::reason::Reason;
use crate::upgrade::reason::State;
use crate::upgrade::timing::Mono;

/// Series that name objects, of all such metrics together: more are a burden for whoever stores them, and nobody reads 2000 names.
pub const MOST_SERIES: usize = 2000;

/// What is shown of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `status.state`.
    pub state: State,
    /// `status.waitingFor`.
    pub waiting_for: Option<Reason>,
}

impl From<&Summary> for Shown {
    /// An overdue run is told as such also where its status speaks of the edit that waits behind it: somebody is to be called.
    fn from(summary: &Summary) -> Shown {
        let overdue = (summary.overdue && !summary.stalled).then_some(Reason::Overdue);
        Shown {
            state: summary.state,
            waiting_for: overdue.or(summary.waiting_for),
        }
    }
}

/// Which objects there are, and what is shown of each.
#[derive(Debug, Default)]
pub(super) struct Objects(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    upgrades: BTreeMap<Who, Upgrade>,
    connections: BTreeMap<Who, Connection>,
}

#[derive(Debug)]
struct Upgrade {
    shown: Shown,
    /// Since when this process has seen it wait for the same.
    since: Mono,
}

#[derive(Debug, Default)]
struct Connection {
    ready: Option<(&'static str, String)>,
    quota: Option<u32>,
}

impl Objects {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows an upgrade, and tells of the wait that is over by that, and how long it took.
    pub fn upgrade(&self, who: &Who, shown: Shown, now: Mono) -> Option<(Reason, Duration)> {
        let mut inner = self.inner();
        let Some(before) = inner.upgrades.get_mut(who) else {
            inner.upgrades.insert(who.clone(), Upgrade { shown, since: now });
            return None;
        };
        let (waited_for, since) = (before.shown.waiting_for, before.since);
        let same = waited_for == shown.waiting_for;
        *before = Upgrade {
            shown,
            since: if same { since } else { now },
        };
        let waited_for = waited_for.filter(|_| !same)?;
        Some((waited_for, now.since(since)))
    }

    /// Shows whether a Connection can be used.
    pub fn connection(&self, who: &Who, r#type: &'static str, ready_reason: &str) {
        let ready = Some((r#type, ready_reason.to_owned()));
        self.inner().connections.entry(who.clone()).or_default().ready = ready;
    }

    /// Shows what is left of a Connection's calls.
    pub fn quota(&self, who: &Who, remaining: u32) {
        self.inner().connections.entry(who.clone()).or_default().quota = Some(remaining);
    }

    /// It is gone.
    pub fn forget(&self, who: &Who) {
        let mut inner = self.inner();
        inner.upgrades.remove(who);
        inner.connections.remove(who);
    }

    /// The others are gone.
    pub fn keep_only(&self, there: impl Fn(&Who) -> bool) {
        let mut inner = self.inner();
        inner.upgrades.retain(|who, _| there(who));
        inner.connections.retain(|who, _| there(who));
    }
}

/// Labels by their names.
type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// Who is shown first where not all can be: those that somebody is called for, then those under way, then those that wait, and those that
/// are over.
fn urgency(state: State) -> u8 {
    match state {
        State::Unknown => 6,
        State::Failed => 5,
        State::Rejected => 4,
        State::Running | State::Started => 3,
        State::Pending => 2,
        State::Cancelled => 1,
        State::Success => 0,
    }
}

/// One metric of a scrape: a value for each set of labels.
fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, u32)>,
) -> fmt::Result {
    // As the registry does for the others.
    let help = format!("{help}.");
    let mut metric = encoder.encode_descriptor(name, &help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let inner = self.inner();
        let quotas: Vec<(Labels<'_, 2>, u32)> = inner.connections.iter().filter_map(|(who, c)| Some((of(who), c.quota?))).collect();
        let connections: Vec<(Labels<'_, 4>, u32)> = inner.connections.iter().filter_map(|(who, c)| Some((info(who, c)?, 1))).collect();
        let mut upgrades: Vec<(&Who, Shown)> = inner.upgrades.iter().map(|(who, u)| (who, u.shown)).collect();
        upgrades.sort_by_key(|(_, shown)| Reverse(urgency(shown.state)));
        let all = quotas.len() + connections.len() + upgrades.len();
        let mut left = MOST_SERIES;
        let mut most = |n: usize| {
            let taken = n.min(left);
            left -= taken;
            taken
        };
        let (quotas_shown, connections_shown, upgrades_shown) = (most(quotas.len()), most(connections.len()), most(upgrades.len()));
        gauge(
            &mut encoder,
            "vendor_quota_remaining",
            "Calls that are left for today through a Connection, where its vendor counts them",
            quotas.into_iter().take(quotas_shown),
        )?;
        gauge(
            &mut encoder,
            "connection_info",
            "1 for each Connection; ready_reason is the reason of its Ready condition, Reachable where all is well",
            connections.into_iter().take(connections_shown),
        )?;
        gauge(
            &mut encoder,
            "upgrade_info",
            "1 for each upgrade resource that exists, with its state and what it waits for (empty: nothing)",
            upgrades
                .iter()
                .take(upgrades_shown)
                .map(|(who, shown)| (upgrade_info(who, *shown), 1)),
        )?;
        let counted = Kind::UPGRADES.into_iter().flat_map(|kind| {
            let upgrades = &upgrades;
            State::ALL.into_iter().map(move |state| {
                let those = upgrades.iter().filter(|(who, shown)| who.kind == kind && shown.state == state);
                let labels = [("kind", kind.word()), ("state", state.word())];
                (labels, u32::try_from(those.count()).unwrap_or(u32::MAX))
            })
        });
        gauge(
            &mut encoder,
            "upgrades",
            "Upgrade resources that exist, by kind and state; never cut short",
            counted,
        )?;
        let truncated = u32::from(all > MOST_SERIES);
        let help = "1 while there are more objects than the metrics that name them show; those that need somebody are shown first.";
        encoder
            .encode_descriptor("info_truncated", help, None, MetricType::Gauge)?
            .encode_gauge(&truncated)
    }
}

fn of(who: &Who) -> Labels<'_, 2> {
    [("namespace", &who.namespace), ("connection", &who.name)]
}

fn info<'a>(who: &'a Who, connection: &'a Connection) -> Option<Labels<'a, 4>> {
    let (r#type, ready_reason) = connection.ready.as_ref()?;
    Some([
        ("type", r#type),
        ("namespace", &who.namespace),
        ("name", &who.name),
        ("ready_reason", ready_reason),
    ])
}

fn upgrade_info(who: &Who, shown: Shown) -> Labels<'_, 5> {
    [
        ("kind", who.kind.word()),
        ("namespace", &who.namespace),
        ("name", &who.name),
        ("state", shown.state.word()),
        ("waiting_for", shown.waiting_for.map_or("", Reason::word)),
    ]
}
