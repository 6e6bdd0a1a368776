use proptest::prelude::*;

use super::super::receipt::Verdict;
use super::super::testing::*;
use super::*;

fn wanted() -> Wanted {
    Wanted {
        run: Receipt::no(1).run,
        options: OPTIONS.to_owned(),
        kind: "ClusterUpgradeBatch".to_owned(),
        name: "nightly".to_owned(),
    }
}

fn wanted_at(version: &str) -> Wanted {
    let mut wanted = wanted();
    version.clone_into(&mut wanted.run.version);
    wanted
}

fn damage(receipts: Vec<Receipt>) -> Damaged {
    Ledger::read(&cluster("domain-c8"), receipts).unwrap_err()
}

fn next(ledger: &Ledger, now: u64) -> Result<u32, RunStanding<'_>> {
    ledger.next(&wanted(), at(now), &Timing::production())
}

const LONG_AFTER: u64 = 1_000_000;

#[test]
fn a_missing_receipt_is_never_numbered_over() {
    let found = vec![
        Receipt::no(1).ended(EndKind::Withdrawn, 5),
        Receipt::no(3).ended(EndKind::Withdrawn, 5),
    ];
    assert!(matches!(damage(found), Damaged::Gap { expected: 2, found: 3, .. }));
    assert!(
        matches!(damage(vec![Receipt::no(2)]), Damaged::Gap { expected: 1, .. }),
        "the first is missing"
    );
    let twice = vec![Receipt::no(1).ended(EndKind::Failed, 5), Receipt::no(1).ended(EndKind::Failed, 5)];
    assert!(matches!(damage(twice), Damaged::Gap { .. }), "one number twice");
}

#[test]
fn two_open_receipts_are_never_a_ledger() {
    assert!(matches!(
        damage(vec![Receipt::no(1), Receipt::no(2)]),
        Damaged::OpenBeforeLast { seq: 1, last: 2, .. }
    ));
    let ended_in_words_we_cannot_read = Receipt::no(1).ended(EndKind::Failed, 5).word("Postponed");
    assert!(matches!(
        damage(vec![ended_in_words_we_cannot_read, Receipt::no(2)]),
        Damaged::OpenBeforeLast { .. }
    ));
}

#[test]
fn a_receipt_of_another_target_never_counts_here() {
    assert!(matches!(damage(vec![Receipt::no(1).on("domain-c9")]), Damaged::ForeignKey { .. }));
    let mut forged = Receipt::no(1);
    "vcenter-aaaaaaaaaaaaaaaaaaaa-00001".clone_into(&mut forged.name);
    assert!(matches!(damage(vec![forged]), Damaged::WrongName { .. }));
}

#[test]
fn nothing_is_appended_while_a_receipt_is_open_whoever_owns_it() {
    let open = [
        Receipt::no(1),
        Receipt::no(1).lost(5),
        Receipt::no(1).accepted(5),
        Receipt::no(1).rejected(5),
        Receipt::no(1).adopted(5),
        Receipt::no(1).note(Note::Adopted),
        Receipt::no(1).resolved(Verdict::NotStarted),
        Receipt::no(1).in_namespace("other"),
        Receipt::no(1).run_key("again"),
        Receipt::no(1).ended(EndKind::NotTaken, 5).word("Postponed"),
    ];
    for receipt in open {
        let ledger = ledger([receipt.clone()]);
        assert_eq!(next(&ledger, LONG_AFTER), Err(RunStanding::Open(&receipt)));
    }
}

#[test]
fn every_end_and_note_says_whether_the_run_may_start_again() {
    assert_eq!(next(&Ledger::default(), 0), Ok(1));
    for kind in [EndKind::Succeeded, EndKind::Failed, EndKind::Cancelled, EndKind::AlreadyAtVersion] {
        let receipt = Receipt::no(1).ended(kind, 5);
        assert_eq!(
            next(&ledger([receipt.clone()]), LONG_AFTER),
            Err(RunStanding::Spent(&receipt, kind))
        );
    }
    let rejected = Receipt::no(1).rejected(4).ended(EndKind::Rejected, 5);
    assert_eq!(next(&ledger([rejected.clone()]), LONG_AFTER), Err(RunStanding::Refused(&rejected)));
    for kind in [EndKind::NotTaken, EndKind::Withdrawn] {
        assert_eq!(next(&ledger([Receipt::no(1).ended(kind, 5)]), LONG_AFTER), Ok(2));
    }
    let already = Receipt::no(1).note(Note::AlreadyAtVersion);
    assert_eq!(
        next(&ledger([already.clone()]), LONG_AFTER),
        Err(RunStanding::Spent(&already, EndKind::AlreadyAtVersion))
    );
    for note in [Note::NotStartedInTime, Note::WouldDowngrade] {
        let noted = Receipt::no(1).note(note);
        assert_eq!(next(&ledger([noted.clone()]), LONG_AFTER), Err(RunStanding::Noted(&noted, note)));
    }
}

#[test]
fn options_changed_after_reject_starts_new_attempt() {
    let mut ignoring = wanted();
    IGNORING.clone_into(&mut ignoring.options);
    let rejected = ledger([Receipt::no(1).rejected(4).ended(EndKind::Rejected, 5)]);
    assert_eq!(rejected.next(&ignoring, at(6), &Timing::production()), Ok(2));
    // Both refused: neither of the two is tried a second time, in whatever order they are asked for.
    let both = ledger([
        Receipt::no(1).rejected(4).ended(EndKind::Rejected, 5),
        Receipt::no(2).options(IGNORING).rejected(8).ended(EndKind::Rejected, 9),
    ]);
    for wanted in [&wanted(), &ignoring] {
        assert!(matches!(
            both.next(wanted, at(LONG_AFTER), &Timing::production()),
            Err(RunStanding::Refused(_))
        ));
    }
    // Too late is too late with any options.
    let late = ledger([Receipt::no(1).note(Note::NotStartedInTime)]);
    assert!(matches!(
        late.next(&ignoring, at(6), &Timing::production()),
        Err(RunStanding::Noted(..))
    ));
    // A downgrade is judged again with other options, where the note says which were refused.
    let mut note = Receipt::no(1).note(Note::WouldDowngrade);
    note.options = Some(OPTIONS.to_owned());
    assert_eq!(ledger([note]).next(&ignoring, at(6), &Timing::production()), Ok(2));
}

#[test]
fn options_changed_after_accept_is_runkey_conflict() {
    let mut ignoring = wanted();
    IGNORING.clone_into(&mut ignoring.options);
    for kind in [EndKind::Succeeded, EndKind::Failed, EndKind::Cancelled] {
        let receipt = Receipt::no(1).accepted(4).ended(kind, 5);
        assert_eq!(
            ledger([receipt.clone()]).next(&ignoring, at(LONG_AFTER), &Timing::production()),
            Err(RunStanding::OptionsChangedAfterStart(&receipt))
        );
    }
    let adopted = Receipt::no(1).note(Note::Adopted).ended(EndKind::Failed, 5);
    assert_eq!(
        ledger([adopted.clone()]).next(&ignoring, at(LONG_AFTER), &Timing::production()),
        Err(RunStanding::Spent(&adopted, EndKind::Failed)),
        "a run that somebody else began was made with no options of ours"
    );
}

#[test]
fn the_third_busy_in_a_row_gives_up_but_throttles_and_failed_connects_do_not_count() {
    let tried = |reasons: &[NotTaken]| {
        ledger((1..).zip(reasons).map(|(seq, reason)| {
            let secs = u64::from(seq) * 10;
            Receipt::no(seq).refused_as(*reason, secs).ended(EndKind::NotTaken, secs)
        }))
    };
    let (busy, unauthorized) = (NotTaken::Busy, NotTaken::Unauthorized);
    let (connect, throttled) = (NotTaken::ConnectFailed, NotTaken::Throttled { retry_after: None });
    assert_eq!(next(&tried(&[busy, unauthorized]), LONG_AFTER), Ok(3));
    assert!(matches!(
        next(&tried(&[busy, unauthorized, busy]), LONG_AFTER),
        Err(RunStanding::GaveUp(r)) if r.seq == 3
    ));
    assert_eq!(next(&tried(&[connect; 20]), LONG_AFTER), Ok(21));
    assert_eq!(next(&tried(&[throttled; 20]), LONG_AFTER), Ok(21));
    assert!(
        matches!(
            next(&tried(&[busy, connect, busy, throttled, busy]), LONG_AFTER),
            Err(RunStanding::GaveUp(_))
        ),
        "nor do they break the row"
    );
    let empty_doubts = ledger((1..=3).map(|seq| Receipt::no(seq).lost(5).ended(EndKind::NotTaken, 6)));
    assert!(matches!(next(&empty_doubts, LONG_AFTER), Err(RunStanding::GaveUp(_))));
    let withdrawn = ledger((1..=9).map(|seq| Receipt::no(seq).ended(EndKind::Withdrawn, 6)));
    assert_eq!(next(&withdrawn, LONG_AFTER), Ok(10));
    let told = ledger((1..=4).map(|seq| Receipt::no(seq).lost(5).resolved(Verdict::NotStarted).ended(EndKind::NotTaken, 6)));
    assert_eq!(next(&told, LONG_AFTER), Ok(5), "a person's word is no attempt");
}

fn rests_for(ledger: &Ledger) -> u64 {
    let last = ledger.last().unwrap().ended_at().unwrap();
    match ledger.next(&wanted(), last, &Timing::production()) {
        Err(RunStanding::Resting(_, until)) => u64::try_from(until.duration_since(last).as_secs()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_end_written_by_a_clock_that_was_ahead_is_not_waited_for() {
    let withdrawn = ledger([Receipt::no(1).ended(EndKind::Withdrawn, 7200)]);
    assert_eq!(next(&withdrawn, 3600), Ok(2), "an hour ahead, and set right since");
    let Err(RunStanding::Resting(_, until)) = next(&withdrawn, 7170) else {
        panic!("as far apart as two good clocks may be");
    };
    assert_eq!(until, at(7260));
}

#[test]
fn a_new_attempt_never_comes_before_its_pause() {
    let connects = |n: u32| ledger((1..=n).map(|seq| Receipt::no(seq).refused_as(NotTaken::ConnectFailed, 5).ended(EndKind::NotTaken, 5)));
    let pauses: Vec<u64> = (1..=9).map(|n| rests_for(&connects(n))).collect();
    assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    assert_eq!(rests_for(&connects(200)), 3600);
    let one = connects(1);
    assert!(matches!(next(&one, 64), Err(RunStanding::Resting(..))));
    assert_eq!(next(&one, 65), Ok(2));
    // A start is withdrawn because our clock is wrong, and dated by that clock. It is right again: nobody waits for what it said.
    let ahead = |secs| ledger([Receipt::no(1).ended(EndKind::Withdrawn, secs)]);
    assert_eq!(next(&ahead(LONG_AFTER), 5), Ok(2));
    let another_leader = ahead(60);
    assert!(
        matches!(next(&another_leader, 5), Err(RunStanding::Resting(..))),
        "two clocks may differ a little"
    );

    let throttled = |after: u64| {
        let reason = NotTaken::Throttled {
            retry_after: Some(std::time::Duration::from_secs(after)),
        };
        ledger([Receipt::no(1).refused_as(reason, 5).ended(EndKind::NotTaken, 5)])
    };
    assert_eq!(rests_for(&throttled(600)), 600);
    assert_eq!(rests_for(&throttled(86_400)), 3600, "capped at an hour");
    assert_eq!(
        rests_for(&throttled(0)),
        60,
        "a throttle that asks for nothing would write receipts without end"
    );
}

#[test]
fn a_new_run_key_or_version_is_a_new_run_and_another_namespaces_run_is_not_ours() {
    let done = ledger([Receipt::no(1).accepted(4).ended(EndKind::Failed, 5)]);
    let mut again = wanted();
    "2026-03-02".clone_into(&mut again.run.run_key);
    assert_eq!(done.next(&again, at(6), &Timing::production()), Ok(2));
    assert_eq!(done.next(&wanted_at(LATER), at(6), &Timing::production()), Ok(2));
    let theirs = ledger([Receipt::no(1).in_namespace("other").accepted(4).ended(EndKind::Failed, 5)]);
    assert_eq!(next(&theirs, 6), Ok(2));
}

#[test]
fn helm_rollback_is_rejected_as_downgrade() {
    let done = Receipt::no(1).accepted(4).ended(EndKind::Succeeded, 5);
    let went_on = Receipt::no(2).to(LATER).from(TO).accepted(14).ended(EndKind::Succeeded, 15);
    let both = ledger([done.clone(), went_on.clone()]);
    assert_eq!(next(&both, LONG_AFTER), Err(RunStanding::LeftBehind { run: &done, by: &went_on }));
    // The same when somebody else had brought it to the later version and this resource only asked for it.
    let was_there = Receipt::no(2).to(LATER).note(Note::AlreadyAtVersion);
    let noted = ledger([done.clone(), was_there]);
    assert!(matches!(next(&noted, LONG_AFTER), Err(RunStanding::LeftBehind { .. })));
    // Another resource's later upgrade is drift.
    for drift in [went_on.clone().by("weekly"), went_on.clone().in_namespace("other")] {
        assert_eq!(
            next(&ledger([done.clone(), drift]), LONG_AFTER),
            Err(RunStanding::Spent(&done, EndKind::Succeeded))
        );
    }
    // A later upgrade that failed left nothing behind.
    let failed = Receipt::no(2).to(LATER).accepted(14).ended(EndKind::Failed, 15);
    assert_eq!(
        next(&ledger([done.clone(), failed]), LONG_AFTER),
        Err(RunStanding::Spent(&done, EndKind::Succeeded))
    );
}

#[test]
fn going_on_to_a_version_that_failed_before_is_never_called_a_downgrade() {
    let failed = Receipt::no(1).to(LATER).accepted(4).ended(EndKind::Failed, 5);
    let detour = Receipt::no(2).accepted(14).ended(EndKind::Succeeded, 15);
    assert_eq!(
        ledger([failed.clone(), detour]).next(&wanted_at(LATER), at(LONG_AFTER), &Timing::production()),
        Err(RunStanding::Spent(&failed, EndKind::Failed))
    );
    // A shorter spelling of where it is leaves nothing behind either.
    let long = Receipt::no(1).accepted(4).ended(EndKind::Succeeded, 5);
    let short = Receipt::no(2).to("v1.30.5").note(Note::AlreadyAtVersion);
    assert_eq!(
        next(&ledger([long.clone(), short]), LONG_AFTER),
        Err(RunStanding::Spent(&long, EndKind::Succeeded))
    );
}

#[test]
fn an_acceptance_that_arrives_after_the_end_never_leads_to_a_second_start() {
    for kind in [EndKind::NotTaken, EndKind::Withdrawn, EndKind::Rejected] {
        let accepted_late = Receipt::no(1).ended(kind, 5).accepted(9);
        let ledger = ledger([accepted_late.clone()]);
        assert_eq!(next(&ledger, LONG_AFTER), Err(RunStanding::Spent(&accepted_late, kind)));
        // And not through a receipt that came after it.
        let retried = Receipt::no(2).refused_as(NotTaken::Busy, 20).ended(EndKind::NotTaken, 20);
        let ledger = super::super::testing::ledger([accepted_late.clone(), retried]);
        assert_eq!(next(&ledger, LONG_AFTER), Err(RunStanding::Spent(&accepted_late, kind)));
    }
}

#[test]
fn the_version_before_the_last_accepted_run_is_known_also_when_that_run_failed() {
    let came_from = |receipts: Vec<Receipt>| ledger(receipts).came_from().map(str::to_owned);
    assert_eq!(came_from(vec![]), None);
    for kind in [EndKind::Succeeded, EndKind::Failed, EndKind::Cancelled] {
        assert_eq!(came_from(vec![Receipt::no(1).accepted(4).ended(kind, 5)]).as_deref(), Some(FROM));
    }
    for kind in [EndKind::NotTaken, EndKind::Withdrawn, EndKind::Rejected, EndKind::AlreadyAtVersion] {
        assert_eq!(came_from(vec![Receipt::no(1).ended(kind, 5)]), None);
    }
    assert_eq!(came_from(vec![Receipt::no(1).note(Note::WouldDowngrade)]), None);
    let two = vec![
        Receipt::no(1).accepted(4).ended(EndKind::Succeeded, 5),
        Receipt::no(2).to(LATER).from(TO).accepted(8).ended(EndKind::Failed, 9),
        Receipt::no(3).to(LATER).from("v1.30.6").ended(EndKind::Withdrawn, 12),
    ];
    assert_eq!(came_from(two).as_deref(), Some(TO));
}

fn any_ended() -> impl Strategy<Value = Receipt> {
    let kind = prop_oneof![
        Just(EndKind::Succeeded),
        Just(EndKind::Failed),
        Just(EndKind::Cancelled),
        Just(EndKind::Rejected),
        Just(EndKind::NotTaken),
        Just(EndKind::Withdrawn),
        Just(EndKind::AlreadyAtVersion),
    ];
    let answer = 0..6u8;
    let version = prop_oneof![4 => Just(TO), 1 => Just(LATER), 1 => Just(FROM)];
    (kind, answer, version, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(kind, answer, version, ours, ignoring, by_us)| {
        let receipt = Receipt::no(1)
            .to(version)
            .in_namespace(if ours { "vsphere" } else { "other" })
            .options(if ignoring { IGNORING } else { OPTIONS })
            .by(if by_us { "nightly" } else { "weekly" })
            .ended(kind, 5);
        match answer {
            0 => receipt.accepted(4),
            1 => receipt.adopted(4),
            2 => receipt.lost(4),
            3 => receipt.rejected(4),
            4 => receipt.refused_as(NotTaken::Busy, 4),
            _ => receipt,
        }
    })
}

fn numbered(ended: Vec<Receipt>) -> Vec<Receipt> {
    let place = |(seq, mut r): (u32, Receipt)| {
        r.seq = seq;
        r.on("domain-c8").created(u64::from(seq))
    };
    (1..).zip(ended).map(place).collect()
}

proptest! {
    #[test]
    fn a_run_that_was_ever_accepted_never_gets_a_next_receipt(ended in prop::collection::vec(any_ended(), 0..8), now in 0..100_000u64, ignoring in any::<bool>()) {
        let receipts = numbered(ended);
        let ledger = ledger(receipts.clone());
        let mut wanted = wanted();
        if ignoring {
            IGNORING.clone_into(&mut wanted.options);
        }
        let had_its_start = |r: &Receipt| {
            let kind = r.end.as_ref().unwrap().kind;
            r.taken() || matches!(kind, EndKind::Succeeded | EndKind::Failed | EndKind::Cancelled)
        };
        let next = ledger.next(&wanted, at(now), &Timing::production());
        if receipts.iter().any(|r| r.run == wanted.run && had_its_start(r)) {
            prop_assert!(next.is_err(), "{next:?}");
        }
        if let Ok(seq) = next {
            prop_assert_eq!(seq as usize, receipts.len() + 1);
        }
    }

    #[test]
    fn the_order_of_reading_never_matters(receipts in prop::collection::vec(any_ended(), 0..8).prop_map(numbered), seed in any::<u64>()) {
        let mut other = receipts.clone();
        let mut state = seed;
        for i in (1..other.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            other.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        prop_assert_eq!(ledger(receipts), ledger(other));
    }

    #[test]
    fn nothing_is_appended_behind_an_open_receipt_and_only_a_run_that_is_over_shows_anything_else(ended in prop::collection::vec(any_ended(), 0..5), open in any_ended(), now in 0..100_000u64) {
        let mut receipts = numbered(ended);
        let seq = u32::try_from(receipts.len()).unwrap() + 1;
        let mut open = Receipt { seq, end: None, ..open }.on("domain-c8");
        open.resolution = None;
        receipts.push(open);
        let ledger = ledger(receipts);
        match next(&ledger, now) {
            Ok(seq) => prop_assert!(false, "receipt {seq} would be appended behind an open one"),
            Err(RunStanding::Open(open)) => prop_assert_eq!(open.seq, seq),
            // This run came to its end before: it shows that end, whoever holds the target since.
            Err(over) => prop_assert!(over.over(), "{over:?}"),
        }
    }
}
