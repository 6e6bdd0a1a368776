//! Properties of every conclusion, over random receipts and sights.

use proptest::prelude::*;

use super::*;

fn any_sight() -> impl Strategy<Value = Sight> {
    let version = prop_oneof![3 => Just(FROM), 1 => Just(TO), 1 => Just(LATER)];
    let flags = prop::array::uniform4(prop::bool::weighted(0.15));
    (0..3 * GRACE, 0..8u8, version, flags).prop_map(|(secs, motion, version, [partial, foreign, faulted, stamped])| {
        let sight = match motion {
            0 => Sight::moving(secs, version),
            1 => Sight::unseen(secs),
            2 if partial => Sight::moving(secs, None),
            _ => Sight::still(secs, version),
        };
        let sight = if partial { sight.partial() } else { sight };
        let sight = if foreign { sight.elsewhere() } else { sight };
        let sight = if faulted { sight.faulted() } else { sight };
        if stamped { sight.stamp("2026-03-01") } else { sight }
    })
}

fn any_receipt() -> impl Strategy<Value = Receipt> {
    let verdict = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Verdict::Started)),
        1 => Just(Some(Verdict::NotStarted)),
        1 => Just(Some(Verdict::Succeeded)),
        1 => Just(Some(Verdict::Failed)),
    ];
    (0..9u8, verdict).prop_map(|(answer, verdict)| {
        let receipt = match answer {
            0 => Receipt::no(1).accepted(0),
            1 => Receipt::no(1).rejected(0),
            2 => Receipt::no(1).refused_as(NotTaken::Busy, 0),
            3 => Receipt::no(1).adopted(0),
            4 => Receipt::no(1).note(Note::Adopted),
            5 => Receipt::no(1).word("Postponed"),
            6 => Receipt::no(1),
            _ => Receipt::no(1).lost(0),
        };
        match verdict {
            Some(verdict) => receipt.resolved(verdict),
            None => receipt,
        }
    })
}

proptest! {
    #[test]
    fn not_taken_from_doubt_always_has_its_two_looks(
        receipt in any_receipt(),
        mut sights in prop::collection::vec(any_sight(), 0..7),
        open in 0..GRACE,
        doubt in prop::option::of(0..GRACE),
        known in prop::option::of(0..GRACE),
        now in 0..4 * GRACE,
    ) {
        sights.sort_by_key(|s| s.asked);
        sights.retain(|s| s.asked <= mono(now));
        let doubt = doubt.map(|d| d.max(open));
        let case = Case::of(receipt.clone()).sights(sights.clone()).now(now).seen(|s| {
            (s.open, s.doubt) = (mono(open), doubt.map(mono));
            (s.accepted, s.refused) = (known.map(mono), known.map(mono));
        });
        let conclusion = case.conclude();
        prop_assert_eq!(&conclusion, &case.conclude());
        let in_doubt = matches!(receipt.standing(), Standing::Sending | Standing::Lost);
        if in_doubt && receipt.resolution.is_none() && case.end() == Some(EndKind::NotTaken) {
            let from = doubt.unwrap() + GRACE;
            let proof = |s: &&Sight| {
                s.asked >= mono(from)
                    && s.complete
                    && s.authority == vc1()
                    && s.motion == Motion::Still
                    && s.looks.as_ref() == Some(&like(FROM))
            };
            prop_assert!(sights.iter().filter(proof).count() >= 2, "{conclusion:?} from {sights:?}");
        }
        if matches!(receipt.standing(), Standing::Accepted { .. }) {
            prop_assert_ne!(case.end(), Some(EndKind::NotTaken));
            prop_assert_ne!(case.end(), Some(EndKind::Withdrawn));
        }
        if receipt.unknown_word.is_some() {
            prop_assert!(matches!(conclusion, Conclusion::Unreadable(_)));
        }
    }
}
