//! The table of situations, one set of facts per row.

use super::super::decision::Summary;
use super::super::facts::Facts;
use super::super::facts::TargetFacts;
use super::super::facts::Usable;
use super::super::receipt::EndKind;
use super::super::receipt::NotTaken;
use super::super::receipt::Note;
use super::super::receipt::Receipt;
use super::super::sight::Sight;
use super::super::testing::*;

const C8: &str = "domain-c8";

/// `STATE Reason` and the conditions that are True.
fn line(facts: &Facts) -> String {
    let s: Summary = facts.decide().summary;
    let conditions = [(s.ready(), "Ready"), (s.reconciling(), "Reconciling"), (s.stalled, "Stalled")];
    let held: Vec<&str> = conditions.iter().filter(|(held, _)| *held).map(|(_, name)| *name).collect();
    assert!(held.len() <= 1, "{held:?} together");
    format!("{} {} {}", s.state, s.reason.word(), held.join(",")).trim_end().to_owned()
}

fn now(target: TargetFacts) -> Facts {
    Facts::batch(100, [target])
}

fn receipt(receipt: Receipt) -> TargetFacts {
    TargetFacts::of(C8).receipts([receipt])
}

fn seen(sight: Sight) -> TargetFacts {
    TargetFacts::of(C8).sights([sight])
}

#[test]
fn waiting_looks_like_the_table_says() {
    let ready = || now(TargetFacts::ready(C8, 90));
    let wrong_type = Usable::WrongType {
        found: "HMC".to_owned(),
        expected: "VCenter".to_owned(),
    };
    let theirs = Receipt::no(1).in_namespace("other").accepted(10);
    let rests = Receipt::no(1).refused_as(NotTaken::Busy, 80).ended(EndKind::NotTaken, 90);
    for (facts, expected) in vec![
        (now(TargetFacts::of(C8)), "PENDING Evaluating Reconciling"),
        (ready(), "PENDING Evaluating Reconciling"),
        (now(receipt(theirs)), "PENDING TargetBusy Reconciling"),
        (now(seen(Sight::moving(90, LATER))), "PENDING TargetBusy Reconciling"),
        (now(seen(Sight::still(90, FROM).faulted())), "PENDING TargetInError Reconciling"),
        (now(seen(Sight::no_such_object(90))), "PENDING TargetNotFound Reconciling"),
        (
            now(seen(Sight::still(90, FROM).offering(&[]))),
            "PENDING VersionNotOffered Reconciling",
        ),
        (now(receipt(rests)), "PENDING WaitingForRetry Reconciling"),
        (ready().usable(Usable::Missing), "PENDING ConnectionNotReady Reconciling"),
        (ready().usable(wrong_type), "REJECTED ConnectionTypeMismatch Stalled"),
        (ready().with(|f| f.starts_enabled = false), "PENDING StartsDisabled Reconciling"),
        (
            ready().with(|f| f.crds_outdated = Some("the CRD x is older".to_owned())),
            "PENDING CrdsOutdated Reconciling",
        ),
        (ready().with(|f| f.suspend = true), "PENDING Suspended"),
        (ready().with(|f| f.hold = Some("CHG-991".to_owned())), "PENDING Held"),
    ] {
        assert_eq!(line(&facts), expected);
    }
}

#[test]
fn a_start_and_its_run_look_like_the_table_says() {
    let accepted = || receipt(Receipt::no(1).accepted(0));
    let past = TIMEOUT + 60;
    for (facts, expected) in vec![
        (now(receipt(Receipt::no(1))), "PENDING Starting Reconciling"),
        (now(receipt(Receipt::no(1)).doubted(90)), "UNKNOWN StartInDoubt Reconciling"),
        (now(receipt(Receipt::no(1).lost(10))), "UNKNOWN StartInDoubt Reconciling"),
        (
            Facts::batch(
                2 * GRACE,
                [receipt(Receipt::no(1).lost(0)).sights([Sight::still(GRACE, LATER), Sight::still(GRACE + 9, LATER)])],
            ),
            "UNKNOWN NeedsResolution Stalled",
        ),
        (
            Facts::batch(past, [accepted().sights([Sight::unseen(past)])]),
            "UNKNOWN LostSight Stalled",
        ),
        (now(accepted()), "STARTED Started Reconciling"),
        (now(accepted().sights([Sight::still(90, FROM)])), "STARTED Started Reconciling"),
        (now(accepted().sights([Sight::moving(90, TO)])), "RUNNING Running Reconciling"),
        (now(accepted().sights([Sight::unseen(90)])), "RUNNING OutOfSight Reconciling"),
        (
            Facts::batch(past, [accepted().sights([Sight::moving(past, TO)])]),
            "RUNNING Overdue Reconciling",
        ),
        (
            now(accepted().sights([Sight::moving(90, TO)]).wished_at(LATER)),
            "RUNNING EditQueued Reconciling",
        ),
        (
            now(receipt(Receipt::no(1).lost(10)).wished_at(LATER)),
            "UNKNOWN StartInDoubt Reconciling",
        ),
    ] {
        assert_eq!(line(&facts), expected);
    }
}

#[test]
fn an_end_looks_like_the_table_says() {
    let conflict = receipt(Receipt::no(1).options(IGNORING).accepted(5).ended(EndKind::Succeeded, 9));
    let gave_up = (1..=3).map(|seq| Receipt::no(seq).refused_as(NotTaken::Busy, 5).ended(EndKind::NotTaken, 6));
    let rolled_back = [
        Receipt::no(1).accepted(5).ended(EndKind::Succeeded, 9),
        Receipt::no(2).to(LATER).accepted(15).ended(EndKind::Succeeded, 19),
    ];
    let another = seen(Sight::still(90, FROM).called("prod-a")).wish(|w| w.expected_identity = Some("lab-a".to_owned()));
    for (target, expected) in [
        (TargetFacts::over(C8, EndKind::Succeeded, 50), "SUCCESS UpgradeSucceeded Ready"),
        (
            receipt(Receipt::no(1).note(Note::AlreadyAtVersion)),
            "SUCCESS AlreadyAtVersion Ready",
        ),
        (
            TargetFacts::over(C8, EndKind::AlreadyAtVersion, 50),
            "SUCCESS AlreadyAtVersion Ready",
        ),
        (TargetFacts::over(C8, EndKind::Rejected, 50), "REJECTED VendorRejected Stalled"),
        (
            receipt(Receipt::no(1).note(Note::WouldDowngrade)),
            "REJECTED WouldDowngrade Stalled",
        ),
        (TargetFacts::of(C8).receipts(rolled_back), "REJECTED WouldDowngrade Stalled"),
        (conflict, "REJECTED RunKeyConflict Stalled"),
        (another, "REJECTED IdentityMismatch Stalled"),
        (TargetFacts::of(C8).receipts(gave_up), "REJECTED NotTaken Stalled"),
        (TargetFacts::over(C8, EndKind::Failed, 50), "FAILED TooManyFailures Stalled"),
        (TargetFacts::over(C8, EndKind::Cancelled, 50), "CANCELLED VendorCancelled Stalled"),
        (
            receipt(Receipt::no(1).note(Note::NotStartedInTime)),
            "CANCELLED NotStartedInTime Stalled",
        ),
    ] {
        assert_eq!(line(&now(target)), expected);
    }
}

#[test]
fn a_batch_says_the_first_thing_that_matters() {
    let ready = || TargetFacts::ready("b", 90);
    let done = || TargetFacts::over("a", EndKind::Succeeded, 50);
    let failed = || TargetFacts::over("a", EndKind::Failed, 50);
    let running = || TargetFacts::running("c", 95);
    let stalled = || {
        TargetFacts::of("d")
            .receipts([Receipt::no(1).on("d").accepted(0)])
            .sights([Sight::unseen(TIMEOUT + 60)])
    };
    let batch = |targets: Vec<TargetFacts>| Facts::batch(100, targets);
    for (facts, expected) in [
        (
            Facts::batch(TIMEOUT + 60, [done(), stalled(), ready()]),
            "UNKNOWN LostSight Stalled",
        ),
        (batch(vec![failed(), running(), ready()]), "RUNNING Running Reconciling"),
        (batch(vec![done(), ready()]), "RUNNING Evaluating Reconciling"),
        (
            batch(vec![done().canary(), ready()]).strategy(1, 0, 600),
            "RUNNING WaitingForSoak Reconciling",
        ),
        (batch(vec![done(), ready()]).with(|f| f.suspend = true), "PENDING Suspended"),
        (batch(vec![failed(), ready()]), "FAILED TooManyFailures Stalled"),
        (batch(vec![failed(), done()]).strategy(1, 1, 0), "FAILED PartlyFailed Stalled"),
        (
            batch(vec![
                TargetFacts::over("a", EndKind::Rejected, 50),
                TargetFacts::over("b", EndKind::Rejected, 50),
            ]),
            "REJECTED VendorRejected Stalled",
        ),
    ] {
        assert_eq!(line(&facts), expected);
    }
    let message = batch(vec![failed(), ready()]).decide().summary.message;
    assert_eq!(
        message,
        "a FAILED (because; once it is mended, set a new spec.runKey to start it again); 1 failure, 0 allowed; b not started"
    );
}

#[test]
fn an_end_that_people_can_mend_says_what_to_change() {
    for kind in [EndKind::Failed, EndKind::Rejected] {
        let decision = Facts::batch(100, [TargetFacts::over(C8, kind, 50)]).decide();
        let said = decision.summary.message;
        assert!(said.contains("set a new spec.runKey"), "{kind:?}: {said}");
    }
}
