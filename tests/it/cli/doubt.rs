//! A start in doubt: explained, and settled by a person's word.

use super::person::Person;
use crate::console::Console;
use crate::console::still;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::hmc::BUNDLE_NEW;

#[tokio::test]
async fn a_doubt_is_shown_with_its_evidence_and_ends_by_a_word_in_ones_own_name_only() -> anyhow::Result<()> {
    let (console, _operator) = Console::ready("cli-doubt", still()).await?;
    let roles = ["windlass-view", "windlass-resolver"];
    let resolver = Person::new(console.plane, &console.namespace, "on-call", &roles).await?;
    console.next_install(Action::Drop { when: When::Before });
    console.upgrade(BUNDLE_NEW).await?;
    console.reason("UNKNOWN", "NeedsResolution").await?;
    let receipt = kube::ResourceExt::name_any(&console.receipts().await?[0]);

    let tree = resolver.types(&["status"]).await?.with(0);
    assert!(tree.contains("1 for somebody to look at") && tree.contains("why fwup/u"), "{tree}");
    let why = resolver.types(&["why", "fwup/u"]).await?.with(0);
    assert!(
        why.contains("; answer: Lost (") && why.contains(&format!("next       windlass resolve {receipt}")),
        "{why}"
    );

    // Shown, asked, and nothing written without a word, a reason and a yes.
    for typed in ["", "NotStarted\n", "NotStarted\nasked IBM\n", "NotStarted\nasked IBM\nno\n"] {
        let shown = resolver.answers(&["resolve", &receipt], typed).await?.with(0);
        for part in ["IN DOUBT", "Tasks Log", "nothing was written. Once you know:"] {
            assert!(shown.contains(part), "{part}:\n{shown}");
        }
    }
    assert!(console.receipts().await?[0].spec.resolution.is_none());
    console.assert_started(0, 1);

    let typed = "notstarted\nIBM: no job, PMR 12345\nyes\n";
    let written = resolver.answers(&["resolve", &receipt], typed).await?.with(0);
    assert!(written.contains(&format!("{} says NotStarted", resolver.user)), "{written}");
    let word = console.receipts().await?.remove(0).spec.resolution.unwrap();
    assert_eq!((word.by, word.reason.as_str()), (resolver.user.clone(), "IBM: no job, PMR 12345"));
    console.until("its job runs", |s| s.state() == "RUNNING").await?;
    console.assert_started(1, 2);

    // What was said is not said again, and what is followed takes no word.
    let again = resolver
        .types(&["resolve", &receipt, "--verdict", "Started", "--reason", "x", "--yes"])
        .await?;
    assert!(again.failed().contains("has said NotStarted"));
    let next = receipt.replace("00001", "00002");
    let followed = resolver
        .types(&["resolve", &next, "--verdict", "Failed", "--reason", "x", "--yes"])
        .await?;
    let refused = followed.failed();
    assert!(
        refused.contains("is accepted and followed (RUNNING)") && refused.contains("--force"),
        "{refused}"
    );

    let csv = resolver.types(&["receipts", "fwup/u", "-o", "csv"]).await?.with(0);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(
        lines[1].starts_with(&format!("{receipt},hmc|")) && lines[1].contains(",NotTaken,"),
        "{csv}"
    );
    assert!(lines[1].contains(&format!(",NotStarted,{},", resolver.user)), "{csv}");
    let open = resolver.types(&["receipts", "--open"]).await?.with(0);
    assert!(open.contains(&next) && !open.contains(&receipt), "{open}");

    // Unless somebody insists: what Windlass follows is over for it then, and not for the console.
    let forced = [
        "resolve",
        &next,
        "--verdict",
        "Failed",
        "--reason",
        "IBM stops it",
        "--force",
        "--yes",
    ];
    resolver.types(&forced).await?.with(0);
    console.until("it is over", |s| s.state() == "FAILED").await?;
    console.assert_started(1, 2);
    Ok(())
}
