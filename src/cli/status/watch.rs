//! `windlass status --watch`: a terminal is redrawn whole at each change, and every few seconds for the times in it; what is no terminal gets
//! one line for each upgrade or target that changed.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use futures::stream::SelectAll;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;

use super::StatusArgs;
use super::sort;
use super::written;
use crate::cli::cluster::Cluster;
use crate::cli::cluster::api;
use crate::cli::cluster::value;
use crate::cli::formats;
use crate::cli::formats::Format;
use crate::cli::kinds::Kind;
use crate::cli::page::Page;
use crate::cli::seen::Upgrade;
use crate::cli::seen::row_name;

/// How often a terminal is redrawn without a change: "in 5m" grows old.
const REDRAW: Duration = Duration::from_secs(10);

/// Clears a terminal and what was scrolled out of it, and puts the cursor to its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

/// What was told of one kind.
type Told = (Kind, Result<Event<DynamicObject>, watcher::Error>);

/// Everything that is known from the watches.
#[derive(Default)]
struct Known {
    upgrades: BTreeMap<(String, String), Upgrade>,
    /// Names of the objects that a list which is under way has brought, for each kind.
    listed: BTreeMap<String, Vec<(String, String)>>,
    /// Kinds that were listed once.
    complete: Vec<String>,
}

/// Shows changes until somebody stops it, or the other end of the pipe is closed.
pub async fn main(args: &StatusArgs, cluster: &Cluster, page: &Page, namespace: Option<&str>) -> anyhow::Result<()> {
    let kinds = args.kinds();
    // A right that is missing would otherwise be tried for again and again, in silence.
    for kind in &kinds {
        cluster.list(kind, namespace, None).await?;
    }
    let mut events = SelectAll::new();
    for kind in &kinds {
        events.push(watch(cluster, kind, namespace));
    }
    let screen = std::io::stdout().is_terminal();
    let place = namespace.map_or_else(|| "any namespace".to_owned(), |namespace| format!("namespace {namespace}"));
    let mut known = Known::default();
    let mut shown = BTreeMap::new();
    loop {
        let tick = async {
            if screen {
                cluster.clock.sleep(REDRAW).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            told = events.next() => match told {
                Some((kind, event)) => known.take(&kind, event)?,
                None => return Ok(()),
            },
            () = tick => {}
        }
        if known.complete.len() < kinds.len() {
            continue;
        }
        let page = Page {
            now: cluster.clock.wall(),
            ..page.clone()
        };
        let upgrades = known.sorted();
        let mut out = std::io::stdout().lock();
        if screen {
            let text = written(args.output, &upgrades, &place, &page)?;
            write!(out, "{CLEAR}{text}")?;
        } else {
            for line in changes(args.output, &mut shown, &upgrades, &page)? {
                writeln!(out, "{line}")?;
            }
        }
        out.flush()?;
    }
}

fn watch(cluster: &Cluster, kind: &Kind, namespace: Option<&str>) -> BoxStream<'static, Told> {
    let api = api(cluster.watches.clone(), kind, namespace);
    let kind = kind.clone();
    let events = watcher(api, watcher::Config::default()).default_backoff();
    events.map(move |event| (kind.clone(), event)).boxed()
}

impl Known {
    fn take(&mut self, kind: &Kind, event: Result<Event<DynamicObject>, watcher::Error>) -> anyhow::Result<()> {
        match event {
            // It tries again by itself; what was known is shown meanwhile.
            Err(_) => {}
            Ok(Event::Init) => {
                self.listed.insert(kind.kind.clone(), Vec::new());
            }
            Ok(Event::InitApply(object)) => {
                let key = self.apply(kind, &object)?;
                self.listed.entry(kind.kind.clone()).or_default().push(key);
            }
            Ok(Event::InitDone) => {
                let there = self.listed.remove(&kind.kind).unwrap_or_default();
                self.upgrades
                    .retain(|key, upgrade| upgrade.kind != kind.kind || there.contains(key));
                if !self.complete.contains(&kind.kind) {
                    self.complete.push(kind.kind.clone());
                }
            }
            Ok(Event::Apply(object)) => {
                self.apply(kind, &object)?;
            }
            Ok(Event::Delete(object)) => {
                let gone = Upgrade::read(kind, &value(&object)?)?;
                self.upgrades.remove(&(gone.namespace, gone.called));
            }
        }
        Ok(())
    }

    fn apply(&mut self, kind: &Kind, object: &DynamicObject) -> anyhow::Result<(String, String)> {
        let upgrade = Upgrade::read(kind, &value(object)?)?;
        let key = (upgrade.namespace.clone(), upgrade.called.clone());
        self.upgrades.insert(key.clone(), upgrade);
        Ok(key)
    }

    fn sorted(&self) -> Vec<Upgrade> {
        let mut all: Vec<Upgrade> = self.upgrades.values().cloned().collect();
        sort(&mut all);
        all
    }
}

/// Lines for what is other than it was shown: for people one for an upgrade and one for each target, for programs one JSON document a line.
fn changes(
    format: Format,
    shown: &mut BTreeMap<String, String>,
    upgrades: &[Upgrade],
    page: &Page,
) -> Result<Vec<String>, formats::NotWritten> {
    let mut now = BTreeMap::new();
    for upgrade in upgrades {
        let name = format!("{}/{}", upgrade.namespace, upgrade.called);
        if matches!(format, Format::Json | Format::Yaml) {
            // YAML of one line is JSON.
            now.insert(name, formats::json_line(upgrade)?);
            continue;
        }
        let message = upgrade.status.message.as_deref().unwrap_or_default();
        now.insert(name.clone(), line(upgrade.state(), upgrade.status.progress, message));
        for row in upgrade.status.targets.iter().filter(|_| upgrade.status.target.is_none()) {
            let (state, message) = (row.state.as_deref().unwrap_or_default(), row.message.as_deref().unwrap_or_default());
            now.insert(format!("{name} {}", row_name(row)), line(state, row.progress, message));
        }
    }
    let at = page.now.strftime("%H:%M:%SZ");
    let structured = matches!(format, Format::Json | Format::Yaml);
    let fresh = now.iter().filter(|(name, text)| shown.get(*name) != Some(*text));
    let mut lines: Vec<String> = fresh
        .map(|(name, text)| if structured { text.clone() } else { format!("{at} {name} {text}") })
        .collect();
    if !structured {
        lines.extend(
            shown
                .keys()
                .filter(|name| !now.contains_key(*name))
                .map(|name| format!("{at} {name} gone")),
        );
    }
    *shown = now;
    Ok(lines)
}

fn line(state: &str, progress: Option<i32>, message: &str) -> String {
    let percent = progress.map(|percent| format!(" {percent}%")).unwrap_or_default();
    format!("{state}{percent} {message}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::night;
    use crate::cli::testing::page;

    #[test]
    fn a_pipe_gets_a_line_for_each_change_and_no_line_twice() {
        let (mut shown, mut upgrades, page) = (BTreeMap::new(), night(), page());
        let first = changes(Format::Text, &mut shown, &upgrades, &page).unwrap();
        assert_eq!(first.len(), 8, "{first:#?}");
        assert!(changes(Format::Text, &mut shown, &upgrades, &page).unwrap().is_empty());
        upgrades[3].status.targets[1].progress = Some(70);
        let next = changes(Format::Text, &mut shown, &upgrades, &page).unwrap();
        assert_eq!(
            next,
            ["02:10:00Z vsphere/cub/prod prod-a (domain-c21) RUNNING 70% control plane 2 of 3"]
        );
        upgrades.remove(0);
        let gone = changes(Format::Text, &mut shown, &upgrades, &page).unwrap();
        assert_eq!(gone, ["02:10:00Z dr/appup/srm-a-9-0-2 gone"]);
    }

    #[test]
    fn a_program_gets_one_document_a_line() {
        let mut shown = BTreeMap::new();
        let lines = changes(Format::Json, &mut shown, &night(), &page()).unwrap();
        assert_eq!(lines.len(), 4);
        for line in lines {
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(read["called"].is_string());
        }
    }
}
