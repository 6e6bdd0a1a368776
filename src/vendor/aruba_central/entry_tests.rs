//! What is done about a pair of tokens, case by case, and whatever comes: never two requests where one was lost, and never a loop.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use super::entry::*;
use crate::vendor::credentials::ClientCredentials;
use crate::vendor::credentials::Credentials;

const PAUSE: SignedDuration = SignedDuration::from_mins(30);
const ME: &str = "me";

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(1_000_000 + minutes)
}

fn token(value: &str) -> Seed {
    Seed::of(&credentials(Some(value), false))
}

fn credentials(refresh_token: Option<&str>, user: bool) -> ClientCredentials {
    ClientCredentials {
        client_id: "client".to_owned(),
        client_secret: SecretString::from("client-secret"),
        user: user.then(|| Credentials {
            username: "adm".to_owned(),
            password: SecretString::from("pw"),
        }),
        refresh_token: refresh_token.map(SecretString::from),
        version: "uid/1".to_owned(),
    }
}

fn pair(access: &str, refresh: &str) -> Pair {
    Pair {
        access: SecretString::from(access),
        refresh: Some(SecretString::from(refresh)),
        lives: Duration::from_secs(7200),
    }
}

/// A pair of `at(0)` that began with this seed.
fn seeded(seed: &Seed) -> Entry {
    Entry::default().seeded(seed).renewed(pair("a1", "r1"), at(0))
}

fn ask(seed: &Seed, minutes: i64) -> Ask<'_> {
    Ask {
        seed,
        user: false,
        refused: None,
        now: at(minutes),
        ahead: SignedDuration::ZERO,
        pause: PAUSE,
    }
}

fn step(entry: &Entry, ask: &Ask<'_>) -> Step {
    next(entry.clone(), ME, ask).0
}

fn claimed(entry: Entry, by: &str, minutes: i64) -> Entry {
    Entry {
        claim: Some(Claim {
            by: by.to_owned(),
            at: at(minutes),
        }),
        ..entry
    }
}

#[test]
fn a_token_is_used_for_two_thirds_of_its_life_and_then_another_is_asked_for() {
    let seed = token("s");
    let entry = seeded(&seed);
    for (minutes, expected) in [(0, Step::Use), (79, Step::Use), (80, Step::Refresh), (300, Step::Refresh)] {
        assert_eq!(step(&entry, &ask(&seed, minutes)), expected, "{minutes}");
    }
    // For a start, one that nobody replaces meanwhile.
    let ahead = |minutes| Ask {
        ahead: SignedDuration::from_mins(5),
        ..ask(&seed, minutes)
    };
    assert_eq!((step(&entry, &ahead(74)), step(&entry, &ahead(75))), (Step::Use, Step::Refresh));
}

#[test]
fn a_token_that_is_refused_early_waits_for_the_next_one() {
    let seed = token("s");
    let entry = seeded(&seed);
    let refused = |minutes| Ask {
        refused: Some(entry.generation),
        ..ask(&seed, minutes)
    };
    assert_eq!(step(&entry, &refused(1)), Step::Pause { until: at(30) });
    assert_eq!(step(&entry, &refused(30)), Step::Refresh);
    // That of a pair before says nothing of this one.
    let before = Ask {
        refused: Some(entry.generation - 1),
        ..ask(&seed, 1)
    };
    assert_eq!(step(&entry, &before), Step::Use);
}

#[test]
fn short_lived_tokens_are_not_out_of_use_for_most_of_the_time() {
    let seed = token("s");
    let short = Pair {
        lives: Duration::from_secs(600),
        ..pair("a1", "r1")
    };
    let entry = Entry::default().seeded(&seed).renewed(short, at(0));
    assert_eq!(step(&entry, &ask(&seed, 7)), Step::Refresh);
}

#[test]
fn a_new_token_in_the_secret_is_used_once_and_never_again() {
    let (first, second) = (token("one"), token("two"));
    assert_eq!(step(&Entry::default(), &ask(&first, 0)), Step::Seed);
    let entry = seeded(&first);
    assert_eq!(step(&entry, &ask(&second, 1)), Step::Seed, "whatever the pair is good for");
    let entry = entry.seeded(&second).renewed(pair("a2", "r2"), at(1));
    // Somebody sets the Secret back to what it was.
    assert_eq!(step(&entry, &ask(&first, 2)), Step::Use);
    assert_eq!(step(&entry, &ask(&first, 82)), Step::Refresh);
    let dead = Entry { dead: true, ..entry };
    assert_eq!(step(&dead, &ask(&first, 82)), Step::Use, "while there is an access token");
    assert_eq!(step(&dead, &ask(&first, 130)), Step::Stuck);
    assert_eq!(step(&dead, &ask(&second, 130)), Step::Stuck);
    assert_eq!(step(&dead, &ask(&token("three"), 130)), Step::Seed);
}

#[test]
fn a_user_logs_in_at_once_and_then_no_more_often_than_tokens_may_be_made() {
    let of_user = Seed::of(&credentials(None, true));
    let by_user = |minutes| Ask {
        user: true,
        ..ask(&of_user, minutes)
    };
    assert_eq!(step(&Entry::default(), &by_user(0)), Step::Seed);
    let entry = seeded(&of_user);
    assert_eq!(step(&entry, &by_user(80)), Step::Refresh, "a login is for when that does not help");
    let dead = Entry {
        dead: true,
        ..entry.clone()
    };
    assert_eq!(step(&dead, &by_user(80)), Step::LogIn);
    let refused = Ask {
        refused: Some(entry.generation),
        ..by_user(3)
    };
    assert_eq!(step(&dead, &refused), Step::Pause { until: at(30) });
    // Another password is no other user, and another user is.
    let mut other = credentials(None, true);
    other.user.as_mut().unwrap().password = SecretString::from("other");
    assert_eq!(Seed::of(&other).mark(), of_user.mark());
    other.user.as_mut().unwrap().username = "eva".to_owned();
    assert_ne!(Seed::of(&other).mark(), of_user.mark());
}

#[test]
fn a_lost_answer_costs_one_more_try_and_only_once_there_is_nothing_left_to_lose() {
    let seed = token("s");
    let lost = seeded(&seed).lost(at(80));
    assert_eq!(
        step(&lost, &ask(&seed, 81)),
        Step::Use,
        "the access token of before may still be good"
    );
    assert_eq!(step(&lost, &ask(&seed, 110)), Step::Refresh);
    let refused = |minutes| Ask {
        refused: Some(lost.generation),
        ..ask(&seed, minutes)
    };
    assert_eq!(step(&lost, &refused(81)), Step::Refresh);
    let twice = lost.clone().lost(at(81));
    assert_eq!(step(&twice, &refused(82)), Step::Pause { until: at(111) });
    assert_eq!(step(&twice, &refused(111)), Step::Refresh);
    let by_user = Ask { user: true, ..refused(82) };
    let dead = Entry {
        dead: true,
        ..lost.clone()
    };
    assert_eq!(
        step(&dead, &by_user),
        Step::Pause { until: at(110) },
        "the lost one may have been made"
    );
}

#[test]
fn of_two_processes_one_asks_and_a_claim_whose_owner_is_gone_is_a_lost_answer() {
    let seed = token("s");
    let entry = seeded(&seed);
    let theirs = claimed(entry.clone(), "other", 80);
    assert_eq!(step(&theirs, &ask(&seed, 82)), Step::Await);
    let (step, after) = next(theirs, ME, &ask(&seed, 125));
    assert_eq!((step, after.lost, after.lost_at), (Step::Refresh, 1, Some(at(80))));
    assert_eq!(after.claim, None);
    // One of our own that is still there was left behind.
    let (_, after) = next(claimed(entry.clone(), ME, 80), ME, &ask(&seed, 80));
    assert_eq!(after.lost, 1);
    // A clock that is far off holds nobody up for longer.
    let (_, after) = next(claimed(entry, "other", 500), ME, &ask(&seed, 80));
    assert_eq!(after.lost, 1);
}

#[test]
fn what_is_kept_is_read_again_and_shows_no_secret() {
    let seed = token("canary-seed");
    let entry = claimed(seeded(&seed).lost(at(3)), "other", 4);
    let written = entry.written();
    let again = Entry::read(Some(&written));
    assert_eq!(again.written().expose_secret(), written.expose_secret());
    assert_eq!(again.access.as_ref().unwrap().expose_secret(), "a1");
    let shown = format!("{entry:?}");
    assert!(
        !shown.contains("a1") && !shown.contains("r1") && shown.contains("generation: 2"),
        "{shown}"
    );
    assert!(!written.expose_secret().contains("canary"), "of a seed only its mark is kept");
    for text in ["", "null", "[]", "{}", "{\"generation\":\"x\"}", "canary", "{\"unknown\":1}"] {
        let read = Entry::read(Some(&SecretString::from(text)));
        assert_eq!((read.generation, read.seed), (0, None), "{text}");
    }
    assert_eq!(Entry::read(None).generation, 0);
}

/// The form that past versions wrote. The mark was also computed by hand, in Python, from `len(part).to_bytes(8, "big") + part` of each part.
#[test]
fn the_persisted_form_never_changes() {
    let text = r#"{"generation":7,"seed":"s","spent":["s"],"access":"a","expires":"2026-11-28T12:00:00Z","refresh":"r","dead":true,"issued":"2026-11-28T10:00:00Z","claim":{"by":"x","at":"2026-11-28T11:00:00Z"},"lost":2,"lostAt":"2026-11-28T11:00:00Z","notBefore":"2026-11-28T11:05:00Z"}"#;
    let entry = Entry::read(Some(&SecretString::from(text)));
    assert_eq!(entry.written().expose_secret(), text);
    assert_eq!(mark(&["token", "client", "s"]), token("s").mark());
    assert_eq!(token("s").mark(), "fs752xgu2l7jfj3mthiovcbu37wbdmvfxeg5wwi44ddio2g5n55q");
}

/// What Central and the process do to each other in one round.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Answers,
    Refuses,
    Loses,
    Crashes,
    RefusesAccess,
    Waits(i64),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        3 => Just(Turn::Answers),
        1 => Just(Turn::Refuses),
        1 => Just(Turn::Loses),
        1 => Just(Turn::Crashes),
        1 => Just(Turn::RefusesAccess),
        4 => (0..100_i64).prop_map(Turn::Waits),
    ];
    prop::collection::vec(turn, 1..60)
}

proptest! {
    #[test]
    fn whatever_happens_no_refresh_token_that_was_answered_is_used_again_and_pairs_are_far_apart(turns in turns(), user in any::<bool>()) {
        let credentials = credentials(Some("s"), user);
        let seed = Seed::of(&credentials);
        let (mut entry, mut now, mut refused, mut made) = (Entry::default(), 0, None, 0_u32);
        let (mut spent, mut issued, mut asked_in_vain): (Vec<String>, Option<i64>, u32) = (Vec::new(), None, 0);
        for turn in turns {
            let ask = Ask { seed: &seed, user, refused, now: at(now), ahead: SignedDuration::ZERO, pause: PAUSE };
            let (step, decided) = next(entry.clone(), ME, &ask);
            let asks = matches!(step, Step::Seed | Step::Refresh | Step::LogIn);
            if asks {
                let claim = match step {
                    Step::Seed => decided.seeded(&seed),
                    _ => decided,
                };
                if step != Step::LogIn {
                    let token = claim.refresh.as_ref().unwrap().expose_secret().to_owned();
                    prop_assert!(!spent.contains(&token), "{} was used up", token);
                }
                match turn {
                    Turn::Answers => {
                        if let Some(before) = issued {
                            prop_assert!(now - before >= 30, "a pair at {} and one at {}", before, now);
                        }
                        spent.extend(claim.refresh.as_ref().map(|token| token.expose_secret().to_owned()).filter(|_| step != Step::LogIn));
                        made += 1;
                        issued = Some(now);
                        asked_in_vain = 0;
                        entry = claim.renewed(pair(&format!("a{made}"), &format!("r{made}")), at(now));
                    }
                    Turn::Refuses if step != Step::LogIn => entry = Entry { dead: true, ..claim },
                    Turn::Loses => {
                        asked_in_vain += 1;
                        entry = claim.lost(at(now));
                    }
                    Turn::Crashes => {
                        asked_in_vain += 1;
                        entry = claimed(claim, "gone", now);
                        now += 4;
                    }
                    _ => entry = claim,
                }
                // Lost answers do not add up to a loop.
                prop_assert!(asked_in_vain <= 3 + u32::try_from(now / 30).unwrap_or_default());
            }
            match turn {
                Turn::RefusesAccess => refused = Some(entry.generation),
                Turn::Waits(minutes) => now += minutes,
                _ => {}
            }
        }
    }
}
