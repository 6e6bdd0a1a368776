//! Upgrades as a tree. Pure.

use crate::api::common::TargetStatus;
use crate::cli::page::Cell;
use crate::cli::page::Lines as _;
use crate::cli::page::Page;
use crate::cli::page::bar;
use crate::cli::page::columns;
use crate::cli::page::many;
use crate::cli::seen::Upgrade;
use crate::cli::seen::row_name;
use crate::cli::seen::versions;

/// The tree: namespaces, upgrades, targets; then what it comes to, and what to type next.
pub fn tree(upgrades: &[Upgrade], wide: bool, place: &str, page: &Page) -> String {
    if upgrades.is_empty() {
        return format!("no upgrades in {place}; all of them: {} status -A\n", page.me);
    }
    let mut out = String::new();
    let mut namespaces: Vec<&str> = upgrades.iter().map(|u| u.namespace.as_str()).collect();
    namespaces.dedup();
    for namespace in namespaces {
        let here: Vec<&Upgrade> = upgrades.iter().filter(|u| u.namespace == namespace).collect();
        out.push_str(&page.paint.strong(namespace));
        out.push('\n');
        let heads = columns(&here.iter().map(|u| head(u, page)).collect::<Vec<_>>(), page.paint);
        for (n, (upgrade, head)) in here.iter().zip(&heads).enumerate() {
            let last = n + 1 == here.len();
            let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            out.line(format!("{branch}{head}"));
            for line in below(upgrade, wide, page) {
                out.line(format!("{trunk}{line}"));
            }
        }
    }
    out.push_str(&foot(upgrades, page));
    out
}

/// The line of an upgrade.
fn head(upgrade: &Upgrade, page: &Page) -> Vec<Cell> {
    let status = &upgrade.status;
    let progress = match (&status.done, sole(upgrade).and_then(|row| row.progress).or(status.progress)) {
        (Some(done), _) => format!("{}  {}", bar(whole(upgrade)), done.replace('/', " of ")),
        (None, Some(percent)) => bar(percent),
        (None, None) => String::new(),
    };
    let version = match sole(upgrade) {
        Some(row) => versions(row),
        None => upgrade.version.clone().unwrap_or_default(),
    };
    let mut marks: Vec<String> = Vec::new();
    if !upgrade.over()
        && let Some(at) = status.next_action_at
    {
        marks.push(format!("next {}", page.moment_and_wait(at)));
    }
    if upgrade.is("Overdue") {
        marks.push("overdue".to_owned());
    }
    if upgrade.held.is_some() {
        marks.push("held".to_owned());
    }
    if upgrade.suspended {
        marks.push("suspended".to_owned());
    }
    if !upgrade.current() {
        marks.push("newest edit not looked at yet".to_owned());
    }
    vec![
        upgrade.called.clone().into(),
        Cell::state(upgrade.state(), upgrade.state()),
        version.into(),
        progress.into(),
        marks.join(", ").into(),
    ]
}

/// The one target of an upgrade that has one by its kind: its line would only repeat that of the upgrade.
fn sole(upgrade: &Upgrade) -> Option<&TargetStatus> {
    match upgrade.status.targets.as_slice() {
        [one] if upgrade.status.target.is_some() => Some(one),
        _ => None,
    }
}

/// How far all targets are together: what is done, and what runs as far as its vendor tells.
fn whole(upgrade: &Upgrade) -> i32 {
    let rows = upgrade.status.targets.iter().filter(|row| !row.removed);
    let each: Vec<i32> = rows
        .map(|row| match row.state.as_deref() {
            Some("SUCCESS") => 100,
            Some("STARTED" | "RUNNING" | "UNKNOWN") => row.progress.unwrap_or_default(),
            _ => 0,
        })
        .collect();
    let count = i32::try_from(each.len()).unwrap_or(i32::MAX).max(1);
    each.iter().sum::<i32>() / count
}

/// What stands under the line of an upgrade: why, and its targets.
fn below(upgrade: &Upgrade, wide: bool, page: &Page) -> Vec<String> {
    let mut out = Vec::new();
    let message = upgrade.status.message.clone().unwrap_or_default();
    if (wide || upgrade.state() != "SUCCESS") && !message.is_empty() {
        let because = upgrade.status.waiting_for.as_deref().map(|w| format!("{w}: ")).unwrap_or_default();
        out.push(page.paint.faint(&format!("{because}{message}")));
    }
    if wide {
        let mut facts = vec![format!("through {}", upgrade.connection)];
        if !upgrade.run_key.is_empty() {
            facts.push(format!("runKey {}", upgrade.run_key));
        }
        for (word, at) in [("started", upgrade.status.started_at), ("ended", upgrade.status.completed_at)] {
            facts.extend(at.map(|at| format!("{word} {} ({})", page.moment(at), page.apart(at))));
        }
        out.push(page.paint.faint(&facts.join(", ")));
    }
    let rows: Vec<&TargetStatus> = match sole(upgrade) {
        Some(_) if !wide => Vec::new(),
        _ => upgrade.status.targets.iter().collect(),
    };
    let lines = columns(&rows.iter().map(|row| target(row, wide, page)).collect::<Vec<_>>(), page.paint);
    for (n, (row, line)) in rows.iter().zip(&lines).enumerate() {
        let last = n + 1 == rows.len();
        let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        out.push(format!("{branch}{line}"));
        let told = Some(&message) == row.message.as_ref() || row.state.as_deref() == Some("SUCCESS");
        if let Some(why) = row.message.as_ref().filter(|_| wide || !told) {
            out.push(format!("{trunk}{}", page.paint.faint(why)));
        }
    }
    out
}

/// The line of a target.
fn target(row: &TargetStatus, wide: bool, page: &Page) -> Vec<Cell> {
    let state = row.state.clone().unwrap_or_default();
    let mut marks: Vec<String> = Vec::new();
    if let Some(at) = row.scheduled_at.filter(|at| *at > page.now) {
        marks.push(format!("scheduled for {}", page.moment_and_wait(at)));
    }
    if row.removed {
        marks.push("no longer in the spec".to_owned());
    }
    if wide {
        marks.extend(row.receipt.clone());
        marks.extend(row.job.as_ref().map(|job| format!("job {job}")));
        marks.extend(row.vendor_state.as_ref().map(|word| format!("the vendor says {word}")));
    }
    vec![
        row_name(row).into(),
        Cell::state(&state, state.clone()),
        versions(row).into(),
        row.progress.map(bar).unwrap_or_default().into(),
        marks.join(", ").into(),
    ]
}

/// What it comes to, and what to type next.
fn foot(upgrades: &[Upgrade], page: &Page) -> String {
    let count = |of: &dyn Fn(&Upgrade) -> bool| upgrades.iter().filter(|u| of(u)).count();
    let parts: Vec<String> = [
        (count(&|u| u.state() == "SUCCESS"), "done"),
        (
            count(&|u| matches!(u.state(), "STARTED" | "RUNNING") && !u.needs_somebody()),
            "under way",
        ),
        (count(&|u| !u.over() && u.state() == "PENDING"), "waiting"),
        (count(&|u| u.state() == "UNKNOWN" && !u.needs_somebody()), "in doubt"),
        (count(&Upgrade::needs_somebody), "for somebody to look at"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let mut out = many(upgrades.len(), "upgrade");
    if !parts.is_empty() {
        out = format!("{out}: {}", parts.join(", "));
    }
    out.push('\n');
    let somebody = upgrades.iter().filter(|u| u.needs_somebody());
    for upgrade in somebody.take(3) {
        out.line(format!("next: {} why {} -n {}", page.me, upgrade.called, upgrade.namespace));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::formats;
    use crate::cli::page::Paint;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::night;
    use crate::cli::testing::page;
    use crate::cli::testing::upgrade;

    #[test]
    fn the_tree_of_a_night_is_as_the_guide_shows_it() {
        as_in_the_guide("kubectl windlass status -A", &tree(&night(), false, "any namespace", &page()));
    }

    #[test]
    fn wide_keeps_every_fact_that_a_row_has() {
        let text = tree(&night(), true, "any namespace", &page());
        for fact in [
            "vcenter-vovj6y7jrt3wclhnoezl-00001",
            "through vc1",
            "started Sat 28 Nov 01:00 Europe/Madrid (2h 9m ago)",
            "hmc-3gcf56nlseiyiyh2wy7l-00004",
        ] {
            assert!(text.contains(fact), "{fact}:\n{text}");
        }
    }

    #[test]
    fn an_end_is_painted_and_a_plain_page_has_no_escape() {
        assert!(!tree(&night(), true, "x", &page()).contains('\u{1b}'));
        let coloured = tree(
            &night(),
            false,
            "x",
            &Page {
                paint: Paint::COLOURS,
                ..page()
            },
        );
        assert!(coloured.contains("\u{1b}[32mSUCCESS\u{1b}[0m") && coloured.contains("\u{1b}[33mUNKNOWN\u{1b}[0m"));
    }

    #[test]
    fn what_is_unknown_is_not_guessed() {
        let spec = json!({"connectionRef": {"name": "c"}});
        let fresh = upgrade("cub", "n", "new", &spec, &json!({"observedGeneration": -1}));
        let text = tree(&[fresh], false, "n", &page());
        assert_eq!(text, "n\n└─ cub/new  NEW  newest edit not looked at yet\n1 upgrade\n");
        assert!(tree(&[], false, "namespace n", &page()).starts_with("no upgrades in namespace n; all of them:"));
    }

    #[test]
    fn programs_get_rows_as_they_are_and_nothing_painted() {
        let json = formats::json(&json!({ "items": night() })).unwrap();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["items"][3]["status"]["targets"][1]["progress"], 60);
        assert_eq!(read["items"][1]["called"], "fwup/hmc1-h41");
        let yaml = formats::yaml(&json!({ "items": night() })).unwrap();
        assert!(yaml.contains("waitingFor: WaitingForWindow"), "{yaml}");
    }
}
