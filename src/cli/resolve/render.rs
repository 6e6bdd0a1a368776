//! What is known of a start in doubt, and where to look. Pure.

use super::Known;
use super::Verdict;
use crate::cli::page::Lines as _;
use crate::cli::page::Page;
use crate::cli::vendors::where_to_look;

/// What is known, and where to look.
pub fn text(known: &Known, page: &Page) -> String {
    let record = &known.record;
    let mut out = format!(
        "receipt {} is {} ({} {} on {})\n",
        page.paint.strong(&record.receipt),
        page.paint.state("UNKNOWN", &record.standing.to_uppercase()),
        record.asked_by(),
        record.version,
        record.object(),
    );
    let mut line = |title: &str, text: &str| out.line(format!("{title:<11}{text}"));
    line("sent", &record.story(page));
    if !record.from_version.is_empty() {
        line("before", &format!("at {}", record.from_version));
    }
    for (n, evidence) in record.evidence.iter().enumerate() {
        line(if n == 0 { "evidence" } else { "" }, evidence);
    }
    match known.row() {
        Some(row) => {
            let state = row.state.as_deref().unwrap_or_default();
            line("seen", &format!("{state}: {}", row.message.as_deref().unwrap_or_default()));
            if let Some(version) = &row.current_version {
                line("", &format!("at {version} when it was last seen"));
            }
        }
        None => line(
            "seen",
            &format!(
                "no upgrade that can be read shows it: {} in {}",
                record.asked_by(),
                record.namespace
            ),
        ),
    }
    for (n, place) in where_to_look(record, page).iter().enumerate() {
        line(if n == 0 { "look at" } else { "" }, place);
    }
    out
}

/// What to type once somebody knows.
pub fn later(known: &Known, page: &Page) -> String {
    format!(
        "nothing was written. Once you know:\n  {} resolve {} --verdict NotStarted|Started|Succeeded|Failed --reason \"...\"\n",
        page.me, known.record.receipt
    )
}

/// What was written, and what comes of it.
pub fn done(known: &Known, verdict: Verdict, by: &str, page: &Page) -> String {
    let next = match verdict {
        Verdict::NotStarted => {
            "it is believed once 15 minutes have passed since the doubt and the target is seen at rest; then it may be started again"
        }
        Verdict::Started => "it is followed to its end",
        Verdict::Succeeded => "its run is over, and the target free for the next",
        Verdict::Failed => "its run is over; a new spec.runKey asks for it again",
    };
    format!(
        "{} says {} of receipt {}: {next}\nnext: {} why {} -n {}\n",
        by,
        verdict.word(),
        known.record.receipt,
        page.me,
        known.record.asked_by(),
        known.record.namespace
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::known;
    use super::*;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::page;

    #[test]
    fn the_evidence_is_shown_before_anybody_is_asked() {
        let known = known(&json!({}));
        let answer = format!(
            "{}what became of it? (NotStarted, Started, Succeeded, Failed; empty to leave it) \n{}",
            text(&known, &page()),
            later(&known, &page())
        );
        as_in_the_guide("kubectl windlass resolve hmc-3gcf56nlseiyiyh2wy7l-00004", &answer);
    }

    #[test]
    fn every_vendor_has_a_place_to_look_at() {
        for target in [
            "hmc|h.example:6794|console",
            "vcenter|v.example:443|domain-c8",
            "recoveryappliance|a.example:443|appliance",
            "arubacentral|c.example:443|customer/1/CX",
        ] {
            let known = known(&json!({"spec": {"claim": {"target": target}}}));
            let text = text(&known, &page());
            assert!(text.contains("look at    ") && text.contains("Sat 28 Nov 01:00"), "{text}");
        }
        let remote = known(&json!({"spec": {"claim": {"options": "{\"authorize\":\"IfNeeded\"}"}}}));
        assert!(text(&remote, &page()).contains("Manage Remote Firmware Updates"));
    }

    #[test]
    fn the_gone_upgrade_is_told_as_gone() {
        let mut known = known(&json!({}));
        known.upgrade = None;
        assert!(text(&known, &page()).contains("no upgrade that can be read shows it: fwup/hmc1-h41 in mainframe"));
    }

    #[test]
    fn what_comes_of_each_word_is_told() {
        for verdict in Verdict::ALL {
            let text = done(&known(&json!({})), verdict, "alice", &page());
            assert!(text.starts_with(&format!("alice says {}", verdict.word())), "{text}");
        }
    }
}
