//! Openings, for people: on their own clock and on that of the window. Pure.

use jiff::tz::TimeZone;

use super::Shown;
use super::Windows;
use crate::cli::page::Cell;
use crate::cli::page::Lines as _;
use crate::cli::page::Page;
use crate::cli::page::columns;
use crate::cli::page::span;

/// What holds now, and what comes.
pub fn text(windows: &Windows, page: &Page) -> String {
    let through = windows
        .connection
        .as_ref()
        .map(|c| format!(" through conn/{c}"))
        .unwrap_or_default();
    let mut out = format!("{} -n {}{through}: ", page.paint.strong(&windows.called), windows.namespace);
    if windows.always {
        out.push_str("at any time, neither has a schedule\n");
        return out;
    }
    if let Some(late) = &windows.too_late {
        let whose = if late.of_connection { "the Connection's" } else { "its" };
        out.line(format!(
            "no more, {whose} schedule.notAfter has passed: {}",
            page.moment_and_wait(late.not_after)
        ));
        return out;
    }
    match windows.openings.first() {
        Some(first) if first.from <= page.now => {
            let until = first
                .until
                .map_or_else(|| "no end in sight".to_owned(), |until| page.moment_and_wait(until));
            out.line(format!("open, until {until}"));
        }
        Some(first) => out.line(format!("closed, opens {}", page.apart(first.from))),
        None => out.push_str("closed\n"),
    }
    for wait in &windows.waits {
        out.line(format!("  {}: {}", wait.reason, wait.message));
    }
    let rows: Vec<Vec<Cell>> = windows.openings.iter().zip(1..).map(|(shown, n)| row(shown, n, page)).collect();
    for line in columns(&rows, page.paint) {
        out.line(format!("  {line}"));
    }
    out
}

fn row(shown: &Shown, n: usize, page: &Page) -> Vec<Cell> {
    let zone = shown.zone.clone().unwrap_or(TimeZone::UTC);
    let there = if zone.iana_name() == page.zone.iana_name() {
        String::new()
    } else {
        page.moment_in(shown.from, &zone)
    };
    let length = match shown.until {
        Some(until) => format!("for {}", span(until.duration_since(shown.from))),
        None => "no end in sight".to_owned(),
    };
    vec![
        n.to_string().into(),
        page.moment(shown.from).into(),
        there.into(),
        length.into(),
        page.apart(shown.from).into(),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::view;
    use super::*;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::page;
    use crate::upgrade::schedule::Freeze;
    use crate::upgrade::schedule::Schedule;
    use crate::upgrade::schedule::Written;
    use crate::upgrade::schedule::WrittenWindow;

    fn window(cron: &str, hours: u64, zone: &str) -> Written {
        Written {
            windows: vec![WrittenWindow {
                cron: cron.to_owned(),
                duration: Duration::from_hours(hours),
                time_zone: zone.to_owned(),
            }],
            ..Written::default()
        }
    }

    fn shown(theirs: &Written, own: &Written, page: &Page) -> String {
        let (theirs, own) = (Schedule::parse(theirs).unwrap(), Schedule::parse(own).unwrap());
        let windows = view(
            "cub/branches".to_owned(),
            "vsphere".to_owned(),
            Some("vc1".to_owned()),
            &theirs,
            &own,
            page.now,
            3,
        );
        text(&windows, page)
    }

    #[test]
    fn openings_are_told_on_both_clocks_and_a_freeze_of_the_connection_counts() {
        let freeze = Freeze {
            from: "2026-12-05T00:00:00Z".parse().unwrap(),
            until: "2026-12-07T00:00:00Z".parse().unwrap(),
            reason: Some("CHG-991".to_owned()),
        };
        let theirs = Written {
            freezes: vec![freeze],
            ..Written::default()
        };
        let text = shown(&theirs, &window("0 20 * * SAT,SUN", 4, "America/New_York"), &page());
        as_in_the_guide("kubectl windlass windows cub/branches -n vsphere --count 3", &text);
    }

    #[test]
    fn what_is_open_says_until_when_and_what_is_over_says_so() {
        let open = shown(&Written::default(), &window("0 3 * * *", 2, "Europe/Madrid"), &page());
        assert!(open.contains("open, until Sat 28 Nov 05:00 Europe/Madrid (in 1h 50m)\n"), "{open}");
        assert!(
            open.contains("  2  Sun 29 Nov 03:00 Europe/Madrid  for 2h"),
            "one clock is enough where both are one: {open}"
        );
        let over = Written {
            not_after: Some("2026-11-28T00:00:00Z".parse().unwrap()),
            ..Written::default()
        };
        assert!(shown(&over, &Written::default(), &page()).contains("no more, the Connection's schedule.notAfter has passed"));
        assert!(shown(&Written::default(), &Written::default(), &page()).contains("at any time"));
    }

    #[test]
    fn two_schedules_that_never_meet_are_told_as_such() {
        let text = shown(&window("0 1 * * SAT", 1, "UTC"), &window("0 1 * * SUN", 1, "UTC"), &page());
        assert!(text.contains("closed\n") && text.contains("never open together"), "{text}");
    }
}
