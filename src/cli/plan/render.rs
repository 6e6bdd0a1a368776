//! A plan, for people. Pure.

use super::Change;
use super::Plan;
use super::Planned;
use super::judge::Target;
use super::judge::Verdict;
use crate::cli::page::Cell;
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
        out.push_str(&format!("note: {note}\n"));
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
        out.push_str(&format!("  {}  {why}\n", page.paint.state("refuse", "refuse")));
        return out;
    }
    let rows: Vec<Vec<Cell>> = planned.targets.iter().map(|target| row(target, page)).collect();
    for (target, line) in planned.targets.iter().zip(columns(&rows, page.paint)) {
        out.push_str(&format!("  {line}\n"));
        for assumed in &target.assumed {
            out.push_str(&format!("          {}\n", page.paint.faint(assumed)));
        }
    }
    // What all of them wait for was told with the first; the rest is for whoever wants everything.
    let told = |reason: &str| planned.targets.iter().any(|target| target.reason == reason);
    for blocker in planned.blockers.iter().filter(|b| wide || !told(&b.reason)) {
        out.push_str(&format!("  also    {}: {}\n", blocker.reason, blocker.message));
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
    let why = match target.verdict {
        Verdict::Start => format!("now {message}"),
        _ => {
            let until = target.until.map(|until| format!(" until {}", page.moment_and_wait(until)));
            format!("{}{}: {message}", target.reason, until.unwrap_or_default())
        }
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
    use super::super::exit_code;
    use super::*;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::page;

    fn target(name: &str, shown: &str, verdict: Verdict, reason: &str, message: &str) -> Target {
        Target {
            name: name.to_owned(),
            display_name: Some(shown.to_owned()),
            verdict,
            current_version: Some("v1.29.7+vmware.1".to_owned()),
            desired_version: "v1.30.5+vmware.2".to_owned(),
            reason: reason.to_owned(),
            message: Some(message.to_owned()).filter(|m| !m.is_empty()),
            until: None,
            assumed: Vec::new(),
        }
    }

    fn planned(called: &str, change: Change, targets: Vec<Target>) -> Planned {
        Planned {
            namespace: "vsphere".to_owned(),
            called: called.to_owned(),
            change,
            connection: "vc1".to_owned(),
            refused: None,
            targets,
            blockers: Vec::new(),
        }
    }

    fn night() -> Plan {
        let mut waits = target(
            "domain-c50",
            "branch-1",
            Verdict::Wait,
            "WaitingForWindow",
            "next window opens Sun 29 Nov 02:00 Europe/Madrid (spec.schedule.windows)",
        );
        waits.until = Some("2026-11-29T01:00:00Z".parse().unwrap());
        waits.assumed = vec!["whether v1.30.5+vmware.2 is offered is not known here".to_owned()];
        let prod = vec![
            target("domain-c8", "lab-a", Verdict::Start, "", ""),
            target(
                "domain-c21",
                "prod-a",
                Verdict::Wait,
                "WaitingForCanary",
                "canaries go first; waiting for lab-a",
            ),
            target(
                "domain-c34",
                "prod-b",
                Verdict::Refuse,
                "WouldDowngrade",
                "v1.28.1+vmware.1 would be a downgrade from v1.29.7+vmware.1; nothing was sent. Ask for a newer version",
            ),
        ];
        Plan {
            upgrades: vec![
                planned("cub/prod", Change::Changed, prod),
                planned("cub/branches", Change::New, vec![waits]),
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
        plan.upgrades[0].targets.pop();
        assert_eq!(code(&plan), format!("{:?}", std::process::ExitCode::SUCCESS));
        plan.upgrades[1].refused = Some("spec.version: Required value".to_owned());
        assert_eq!(code(&plan), format!("{:?}", std::process::ExitCode::from(2)));
        assert!(text(&plan, false, &page()).contains("refuse  spec.version: Required value"));
    }
}
