//! Why, for people. Pure.

use super::Receipts;
use super::Why;
use super::advice;
use crate::api::common::Blocker;
use crate::api::common::TargetStatus;
use crate::cli::page::Cell;
use crate::cli::page::Lines as _;
use crate::cli::page::Page;
use crate::cli::page::columns;
use crate::cli::seen::row_name;
use crate::cli::seen::versions;
use crate::cli::vendors;

/// The whole answer.
pub fn text(why: &Why, page: &Page) -> String {
    let mut out = head(why, page);
    section(&mut out, "waits for", blockers(&why.upgrade.status.blockers, page));
    section(&mut out, "line", line(why));
    section(&mut out, "targets", targets(why, page));
    section(&mut out, "sent", sent(why, page));
    section(&mut out, "seen", vec![seen(why, page)]);
    section(&mut out, "next", advice::next(&why.upgrade, page));
    out
}

/// A title in front of the first line, and the others under it.
fn section(out: &mut String, title: &str, lines: Vec<String>) {
    for (n, line) in lines.into_iter().enumerate() {
        let title = if n == 0 { title } else { "" };
        out.line(format!("{title:<11}{line}"));
    }
}

fn head(why: &Why, page: &Page) -> String {
    let upgrade = &why.upgrade;
    let (state, status) = (upgrade.state(), &upgrade.status);
    let version = upgrade.version.as_ref().map(|v| format!("  ->  {v}")).unwrap_or_default();
    let through = match &why.through {
        Some(through) if through.ready => format!("through conn/{} ({})", upgrade.connection, through.type_),
        Some(through) => {
            let reason = Some(through.reason.as_str()).filter(|r| !r.is_empty()).unwrap_or("not tried yet");
            format!("through conn/{} ({}, {reason})", upgrade.connection, through.type_)
        }
        None => format!("through conn/{}", upgrade.connection),
    };
    let mut out = format!(
        "{}  {} -n {}{version}  {through}\n",
        page.paint.state(state, state),
        page.paint.strong(&upgrade.called),
        upgrade.namespace
    );
    if let Some(message) = &status.message {
        out.line(message);
    }
    if let Some(next) = status.next_action_at.filter(|_| !upgrade.over()) {
        out.line(format!("goes on {}", page.moment_and_wait(next)));
    }
    if let Some(held) = &upgrade.held {
        out.line(format!("held: {held}"));
    }
    out
}

fn blockers(blockers: &[Blocker], page: &Page) -> Vec<String> {
    let rows: Vec<Vec<Cell>> = blockers
        .iter()
        .zip(1..)
        .map(|(blocker, n)| {
            let until = blocker.until.map(|until| format!("until {}", page.moment_and_wait(until)));
            vec![
                format!("{n} {}", blocker.reason).into(),
                until.unwrap_or_default().into(),
                blocker.message.clone().into(),
            ]
        })
        .collect();
    columns(&rows, page.paint)
}

/// Who goes through the same Connection, where that is what it waits for.
fn line(why: &Why) -> Vec<String> {
    if !why.upgrade.waits_for_slot() {
        return Vec::new();
    }
    let mut out = Vec::new();
    if let Some(through) = &why.through {
        out.push(format!("conn/{} allows {} at once", why.upgrade.connection, through.limit));
    }
    if !why.line.in_flight.is_empty() {
        out.push(format!("under way: {}", why.line.in_flight.join(", ")));
    }
    out.push(match why.line.ahead.len() {
        0 => "this one is the next".to_owned(),
        1 => format!("before it: {}", why.line.ahead.join(", ")),
        n => format!("{n} before it: {}", why.line.ahead.join(", ")),
    });
    out
}

/// Every target, unless the upgrade has one by its kind, of which all was said.
fn targets(why: &Why, page: &Page) -> Vec<String> {
    if why.upgrade.status.target.is_some() {
        return why
            .upgrade
            .status
            .targets
            .first()
            .map(versions)
            .into_iter()
            .filter(|v| !v.is_empty())
            .collect();
    }
    let rows: Vec<Vec<Cell>> = why.upgrade.status.targets.iter().map(|row| target(row, page)).collect();
    columns(&rows, page.paint)
}

fn target(row: &TargetStatus, page: &Page) -> Vec<Cell> {
    let state = row.state.clone().unwrap_or_default();
    let progress = row
        .progress
        .filter(|_| state == "RUNNING")
        .map(|p| format!("{p}% "))
        .unwrap_or_default();
    let scheduled = row.scheduled_at.map(|at| format!("scheduled for {} ", page.moment_and_wait(at)));
    let why = row.message.clone().or_else(|| row.reason.clone()).unwrap_or_default();
    vec![
        row_name(row).into(),
        Cell::state(&state, state.clone()),
        versions(row).into(),
        format!("{progress}{}{why}", scheduled.unwrap_or_default()).into(),
    ]
}

/// What was sent to the vendor, and what was not.
fn sent(why: &Why, page: &Page) -> Vec<String> {
    let vendor = why.through.as_ref().map_or("the vendor", |through| vendors::called(&through.type_));
    let rows = &why.upgrade.status.targets;
    match &why.receipts {
        Receipts::Known(records) if records.is_empty() => vec![format!("nothing has been sent to {vendor}")],
        Receipts::Known(records) => {
            let mut out: Vec<String> = records
                .iter()
                .map(|record| format!("{}: {} (receipt {})", record.object(), record.story(page), record.receipt))
                .collect();
            let none = rows.iter().filter(|row| !records.iter().any(|r| r.object() == row.name));
            out.extend(none.map(|row| format!("{}: nothing was sent", row.name)));
            out
        }
        Receipts::Hidden(_) => {
            let mut out: Vec<String> = rows.iter().map(as_status_tells).collect();
            if rows.is_empty() {
                out.push(format!("nothing has been sent to {vendor}"));
            }
            out.push("as its status tells; receipts are read by windlass-auditor, or as your release calls it".to_owned());
            out
        }
    }
}

/// What a row says of the start, for somebody who may not read its receipt.
fn as_status_tells(row: &TargetStatus) -> String {
    let what = match (&row.receipt, row.reason.as_deref()) {
        (None, Some("WaitingForRetry")) => "a start was sent and not taken".to_owned(),
        (None, _) => "nothing was sent".to_owned(),
        (Some(receipt), Some("AlreadyAtVersion" | "NotStartedInTime" | "WouldDowngrade")) => {
            format!("nothing was sent (receipt {receipt})")
        }
        (Some(receipt), Some("StartInDoubt" | "NeedsResolution")) => {
            format!("a start that may or may not have been taken (receipt {receipt})")
        }
        (Some(receipt), _) => format!("a start was sent (receipt {receipt})"),
    };
    format!("{}: {what}", row.name)
}

/// How old that is, and whether it is of the newest spec.
fn seen(why: &Why, page: &Page) -> String {
    let upgrade = &why.upgrade;
    let changed = upgrade
        .last_change
        .map(|at| format!("; last change {}", page.apart(at)))
        .unwrap_or_default();
    match upgrade.status.observed_generation {
        Some(seen) if seen == upgrade.generation => format!("the newest spec was looked at{changed}"),
        Some(seen) if seen > 0 => format!(
            "generation {} was not looked at yet, this is of generation {seen}{changed}; is Windlass up? {} doctor -n {}",
            upgrade.generation, page.me, upgrade.namespace
        ),
        _ => format!(
            "nobody has looked at it yet; is Windlass up? {} doctor -n {}",
            page.me, upgrade.namespace
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::super::Through;
    use super::*;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::night;
    use crate::cli::testing::page;
    use crate::cli::testing::receipt_in_doubt;

    fn through(type_: &str) -> Through {
        Through {
            type_: type_.to_owned(),
            ready: true,
            reason: "Reachable".to_owned(),
            message: String::new(),
            limit: 1,
        }
    }

    #[test]
    fn what_waits_is_told_with_its_blockers_and_the_line_before_it() {
        let upgrades = night();
        let why = Why {
            line: super::super::line(&upgrades[2], &upgrades),
            upgrade: upgrades[2].clone(),
            through: Some(through("VCenter")),
            receipts: Receipts::Known(Vec::new()),
        };
        as_in_the_guide("kubectl windlass why cub/branches -n vsphere", &text(&why, &page()));
    }

    #[test]
    fn a_doubt_is_told_with_what_was_sent() {
        let why = Why {
            upgrade: night().remove(1),
            through: Some(through("HMC")),
            line: Line::default(),
            receipts: Receipts::Known(vec![receipt_in_doubt()]),
        };
        as_in_the_guide("kubectl windlass why fwup/hmc1-h41 -n mainframe", &text(&why, &page()));
    }

    #[test]
    fn who_may_not_read_receipts_is_told_what_the_status_tells_and_no_more() {
        let why = Why {
            upgrade: night().remove(3),
            through: None,
            line: Line::default(),
            receipts: Receipts::Hidden("you may not".to_owned()),
        };
        let text = text(&why, &page());
        assert!(
            text.contains("sent       domain-c8: a start was sent (receipt vcenter-4zur24ls5xnrf3hvwxdm-00002)"),
            "{text}"
        );
        assert!(text.contains("domain-c34: nothing was sent\n"), "{text}");
        assert!(text.contains("receipts are read by windlass-auditor"), "{text}");
    }

    #[test]
    fn an_edit_that_nobody_looked_at_is_told_as_such() {
        let mut upgrade = night().remove(2);
        upgrade.generation = 2;
        let why = Why {
            upgrade,
            through: None,
            line: Line::default(),
            receipts: Receipts::Known(Vec::new()),
        };
        assert!(text(&why, &page()).contains("generation 2 was not looked at yet, this is of generation 1"));
    }
}
