//! A plan, for people. Pure.

use super::Change;
use super::Plan;
use super::Planned;
use super::judge::Target;
use super::judge::Verdict;
use crate::cli::page::Cell;
use crate::cli::page::Lines as _;
use crate::cli::page::Page;
use crate::cli::page::columns;
use crate::cli::page::many;

/// Upgrade after upgrade, target after target; then what it comes to.
pub fn text(plan: &Plan, wide: bool, page: &Page) -> String {
    let mut out = String::new();
    for planned in &plan.upgrades {
        out.push_str(&upgrade(planned, wide, page));
    }
    for note in &plan.notes {
        out.line(format!("note: {note}"));
    }
    out.push_str(&sum(plan));
    out
}

fn upgrade(planned: &Planned, wide: bool, page: &Page) -> String {
    let change = match planned.change {
        Change::New => "new",
        Change::Changed => "changed",
        Change::Unchanged => "unchanged",
    };
    let head = page.paint.strong(&format!("{}/{}", planned.namespace, planned.called));
    let mut out = format!("{head}  {change}, through conn/{}\n", planned.connection);
    if let Some(why) = &planned.refused {
        out.line(format!("  {}  {why}", page.paint.state("refuse", "refuse")));
        return out;
    }
    let rows: Vec<Vec<Cell>> = planned.targets.iter().map(|target| row(target, page)).collect();
    for (target, line) in planned.targets.iter().zip(columns(&rows, page.paint)) {
        out.line(format!("  {line}"));
        for assumed in &target.assumed {
            out.line(format!("          {}", page.paint.faint(assumed)));
        }
    }
    // What all of them wait for was told with the first; the rest is for whoever wants everything.
    let told = |reason: &str| planned.targets.iter().any(|target| target.reason == reason);
    for blocker in planned.blockers.iter().filter(|b| wide || !told(&b.reason)) {
        out.line(format!("  also    {}: {}", blocker.reason, blocker.message));
    }
    out
}

fn row(target: &Target, page: &Page) -> Vec<Cell> {
    let word = target.verdict.word();
    let name = match &target.display_name {
        Some(name) if *name != target.name => format!("{name} ({})", target.name),
        _ => target.name.clone(),
    };
    let versions = match &target.current_version {
        Some(from) if *from != target.desired_version => format!("{from} -> {}", target.desired_version),
        Some(at) => at.clone(),
        None => format!("-> {}", target.desired_version),
    };
    let message = target.message.clone().unwrap_or_default();
    let why = if target.verdict == Verdict::Start {
        format!("now {message}")
    } else {
        let until = target.until.map(|until| format!(" until {}", page.moment_and_wait(until)));
        format!("{}{}: {message}", target.reason, until.unwrap_or_default())
    };
    let why = why.trim_end_matches([' ', ':']).to_owned();
    vec![Cell::state(word, word), name.into(), versions.into(), why.into()]
}

fn sum(plan: &Plan) -> String {
    let targets = || plan.upgrades.iter().flat_map(|u| &u.targets);
    let count = |verdict: Verdict| targets().filter(|t| t.verdict == verdict).count();
    let refused = count(Verdict::Refuse) + plan.upgrades.iter().filter(|u| u.refused.is_some()).count();
    let parts: Vec<String> = [
        (count(Verdict::Start), "would start now"),
        (count(Verdict::Wait), "would wait"),
        (count(Verdict::Followed), "under way"),
        (count(Verdict::Nothing), "with nothing to do"),
        (refused, "would be refused"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    format!(
        "{}: {}; nothing was written\n",
        many(plan.upgrades.len(), "upgrade"),
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::exit_code;
    use super::super::judge;
    use super::*;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::page;
    use crate::upgrade::facts::Facts;
    use crate::upgrade::facts::TargetFacts;
    use crate::upgrade::schedule::Written;
    use crate::upgrade::schedule::WrittenWindow;
    use crate::upgrade::sight::Sight;
    use crate::upgrade::testing::FROM;
    use crate::upgrade::testing::TO;

    fn seen(object: &str, shown: &str, version: &str) -> TargetFacts {
        TargetFacts::of(object).sights([Sight::still(90, version).called(shown)])
    }

    fn planned(called: &str, change: Change, facts: Facts) -> Planned {
        Planned {
            namespace: "vsphere".to_owned(),
            called: called.to_owned(),
            change,
            connection: "vc1".to_owned(),
            refused: None,
            targets: judge::targets(facts.with(|f| f.wall = page().now)),
            blockers: Vec::new(),
        }
    }

    /// Three manifests, judged by the operator's own core.
    fn night() -> Plan {
        let prod = [
            seen("domain-c8", "lab-a", FROM).canary(),
            seen("domain-c21", "prod-a", FROM),
            seen("domain-c34", "prod-b", TO),
        ];
        let window = WrittenWindow {
            cron: "0 2 * * SUN".to_owned(),
            duration: Duration::from_hours(4),
            time_zone: "Europe/Madrid".to_owned(),
        };
        let schedule = Written {
            windows: vec![window],
            ..Written::default()
        };
        let mut branches = planned(
            "cub/branches",
            Change::New,
            Facts::batch(100, [seen("domain-c50", "branch-1", FROM)]).schedule(&schedule),
        );
        branches.targets[0].assumed = vec![format!("whether {TO} is offered is not known here")];
        let back = seen("domain-c60", "test-rig", TO).wished_at(FROM);
        Plan {
            upgrades: vec![
                planned("cub/prod", Change::Changed, Facts::batch(100, prod)),
                branches,
                planned("cub/test-rig", Change::Changed, Facts::batch(100, [back])),
            ],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_plan_is_told_as_in_the_guide() {
        as_in_the_guide("kubectl windlass plan -f upgrades.yaml", &text(&night(), false, &page()));
    }

    #[test]
    fn a_pipeline_stops_only_where_something_would_be_refused() {
        let code = |plan: &Plan| format!("{:?}", exit_code(plan));
        let mut plan = night();
        assert_eq!(code(&plan), format!("{:?}", std::process::ExitCode::from(2)));
        plan.upgrades.pop();
        assert_eq!(code(&plan), format!("{:?}", std::process::ExitCode::SUCCESS));
        plan.upgrades[1].refused = Some("spec.version: Required value".to_owned());
        assert_eq!(code(&plan), format!("{:?}", std::process::ExitCode::from(2)));
        assert!(text(&plan, false, &page()).contains("refuse  spec.version: Required value"));
    }
}
