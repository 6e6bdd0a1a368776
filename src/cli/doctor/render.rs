//! Findings, for people: what is wrong first. Pure.

use super::Finding;
use super::Level;
use crate::cli::page::Cell;
use crate::cli::page::Lines as _;
use crate::cli::page::Page;
use crate::cli::page::columns;

/// One finding a line, its fix under it.
pub fn text(findings: &[Finding], page: &Page) -> String {
    let of = |level: Level| findings.iter().filter(move |finding| finding.level == level);
    let sorted: Vec<&Finding> = of(Level::Ok).chain(of(Level::Warn)).chain(of(Level::Fail)).collect();
    let rows: Vec<Vec<Cell>> = sorted
        .iter()
        .map(|f| {
            vec![
                Cell::state(f.level.word(), f.level.word()),
                f.what.clone().into(),
                f.message.clone().into(),
            ]
        })
        .collect();
    let mut out = String::new();
    for (finding, line) in sorted.iter().zip(columns(&rows, page.paint)) {
        out.line(line);
        if let Some(fix) = &finding.fix {
            out.line(format!("      fix: {fix}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::as_in_the_guide;
    use crate::cli::testing::page;

    #[test]
    fn what_is_wrong_stands_last_where_the_eye_is_with_its_fix() {
        let findings = [
            Finding::ok("API server", "v1.36.3"),
            Finding::ok("CRDs", "match 0.1.0"),
            Finding::fail(
                "dr/srm-a",
                "SecretAccessDenied: may not read Secret srm-a",
                "kubectl create rolebinding windlass-secrets -n dr --clusterrole=windlass-secret-access --serviceaccount=windlass-system:windlass",
            ),
            Finding::ok("leader", "the lease is held by windlass-5d9c_0b7e"),
            Finding::ok(
                "you",
                "alice@bank.example: in dr you may look at upgrades, read receipts; you may not write and hold them, hold Connections, resolve them",
            ),
            Finding::ok("Connections", "3 Connections, 2 ready"),
            Finding::ok("upgrades", "4 upgrades, 1 for somebody to look at"),
            Finding::warn(
                "hmc-3gcf56nlseiyiyh2wy7l-00004",
                "in doubt since Sat 28 Nov 01:00 Europe/Madrid (2h 9m ago)",
            )
            .with_fix("kubectl windlass resolve hmc-3gcf56nlseiyiyh2wy7l-00004"),
            Finding::ok("receipts", "41 receipts, 1 open"),
        ];
        as_in_the_guide("kubectl windlass doctor -A", &text(&findings, &page()));
    }
}
