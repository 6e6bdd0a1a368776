//! A console that could be upgraded, and what stands on its schedule.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::upgrade::decision::Decision;
use crate::upgrade::decision::What;
use crate::upgrade::facts::Facts;
use crate::upgrade::facts::InstallSource;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::reason::Reason;
use crate::upgrade::receipt::Note;
use crate::upgrade::sight::*;
use crate::upgrade::target::TargetKey;
use crate::upgrade::testing::*;

fn install() -> Options {
    Options::ConsoleInstall {
        accept_firmware: true,
        source: InstallSource::Ftp {
            host: "ftp.bank.example".to_owned(),
            protocol: "sftp".to_owned(),
            directory: "/bundles".to_owned(),
            secret: "hmc-ftp".to_owned(),
        },
    }
}

/// A console at H30 that is to go to `version`, with these on its schedule.
fn decided(version: &str, jobs: Vec<Job>) -> Decision {
    decided_with(version, install(), jobs, None)
}

/// The same with other options, and a token that is good until `permitted`.
fn decided_with(version: &str, options: Options, jobs: Vec<Job>, permitted: Option<Timestamp>) -> Decision {
    let mut target = TargetFacts::of("console");
    target.key = TargetKey::console(vc1());
    target.ledger = Ok(Ledger::read(&target.key, Vec::new()).unwrap());
    if let Some(wish) = &mut target.wish {
        version.clone_into(&mut wish.version);
        wish.options = options;
    }
    let mut sight = Sight::still(90, "H30");
    sight.offered = Offered::Untold;
    sight.jobs = jobs;
    sight.permitted = permitted;
    if let Some(looks) = &mut sight.looks {
        looks.permissions = Some(permitted.into_iter().map(|until| until.to_string()).collect());
    }
    Facts::batch(100, [target.sights([sight])]).decide()
}

fn planned(version: &str, word: &str, state: JobState, starts: Timestamp) -> Job {
    Job {
        id: "/api/console/remote-firmware-updates/1f0c".to_owned(),
        state,
        word: word.to_owned(),
        does: Does::Installs(version.to_owned()),
        progress: None,
        says: None,
        planned: Some(Planned {
            at: starts,
            window: std::time::Duration::from_hours(2),
            created: None,
        }),
    }
}

#[test]
fn a_bundle_that_no_list_tells_is_asked_for_and_a_lower_one_never() {
    let decision = decided("H41", Vec::new());
    let effect = decision.effect.unwrap();
    assert_eq!(effect.what, What::Start);
    assert_eq!(
        effect.options.canonical(),
        r#"{"acceptFirmware":true,"backupLocation":"FTP","directory":"/bundles","host":"ftp.bank.example","protocol":"sftp"}"#,
        "persisted; and never the Secret, which may be another tomorrow"
    );
    let back = decided("H29", Vec::new());
    assert!(back.effect.is_none_or(|e| e.what != What::Start));
    assert_eq!(back.rows[0].reason, Reason::WouldDowngrade);
}

#[test]
fn nothing_is_installed_beside_what_ibm_has_on_its_schedule() {
    let hour = SignedDuration::from_hours(1);
    for (word, state, starts) in [
        ("scheduled", JobState::Queued, at(100) + hour),
        ("scheduled-on-peer", JobState::Queued, at(100) + hour),
        ("a-word-of-tomorrow", JobState::Unknown, at(100) + hour),
        ("a-word-of-tomorrow", JobState::Unknown, at(100) - hour),
    ] {
        let decision = decided("H41", vec![planned("H40", word, state, starts)]);
        assert_eq!(decision.effect, None, "{word}");
        assert_eq!(decision.rows[0].reason, Reason::TargetBusy, "{word}");
        let message = decision.rows[0].message.clone().unwrap_or_default();
        assert!(message.contains("H40") && message.contains(word), "{message}");
    }
}

#[test]
fn a_schedule_whose_time_is_over_and_whose_word_nobody_knows_blocks_nothing_for_ever() {
    let long_ago = at(100) - SignedDuration::from_hours(30);
    let decision = decided("H41", vec![planned("H40", "completed?", JobState::Unknown, long_ago)]);
    assert_eq!(decision.effect.map(|e| e.what), Some(What::Start));
}

fn remote(authorize: bool) -> Options {
    Options::ConsoleSchedule { authorize }
}

#[test]
fn a_token_is_asked_for_only_where_none_is_good_and_never_where_that_is_forbidden() {
    let day = SignedDuration::from_hours(24);
    let start = decided_with("H41", remote(true), Vec::new(), None).effect.unwrap();
    assert_eq!(
        (start.what, start.options.canonical().as_str()),
        (What::Start, r#"{"authorize":"IfNeeded"}"#)
    );
    let there = decided_with("H41", remote(true), Vec::new(), Some(at(100) + day)).effect.unwrap();
    assert_eq!(there.what, What::Note(Note::Adopted), "a second token is one too many");
    let over = decided_with("H41", remote(true), Vec::new(), Some(at(100) - day)).effect.unwrap();
    assert_eq!(over.what, What::Start);
    for permitted in [None, Some(at(100) + day)] {
        let never = decided_with("H41", remote(false), Vec::new(), permitted);
        assert_eq!(never.effect, None);
        assert_eq!(never.rows[0].reason, Reason::WaitingForVendor);
    }
}

#[test]
fn what_ibm_has_scheduled_to_our_bundle_is_adopted_without_a_call_and_another_bundle_is_busy() {
    let soon = at(100) + SignedDuration::from_hours(1);
    for authorize in [true, false] {
        let ours = decided_with(
            "H41",
            remote(authorize),
            vec![planned("H41", "scheduled-on-peer", JobState::Queued, soon)],
            None,
        );
        let effect = ours.effect.unwrap();
        assert_eq!(effect.what, What::Note(Note::Adopted));
        assert_eq!(
            effect.before.jobs.unwrap().mover.as_deref(),
            Some("/api/console/remote-firmware-updates/1f0c")
        );
        let foreign = decided_with(
            "H41",
            remote(authorize),
            vec![planned("H40", "scheduled", JobState::Queued, soon)],
            None,
        );
        assert_eq!((foreign.effect, foreign.rows[0].reason), (None, Reason::TargetBusy));
    }
    let install = decided("H41", vec![planned("H41", "scheduled", JobState::Queued, soon)]);
    assert_eq!(
        (install.effect, install.rows[0].reason),
        (None, Reason::TargetBusy),
        "an install of ours is another way"
    );
}

#[test]
fn nothing_is_asked_for_at_a_console_whose_tokens_cannot_be_seen() {
    let mut target = TargetFacts::of("console");
    target.key = TargetKey::console(vc1());
    target.ledger = Ok(Ledger::read(&target.key, Vec::new()).unwrap());
    let mut sight = Sight::still(90, "H30");
    sight.says = Some("the account lacks the task".to_owned());
    let target = target.wished_at("H41").wish(|wish| wish.options = remote(true)).sights([sight]);
    let decision = Facts::batch(100, [target]).decide();
    assert_eq!((decision.effect, decision.rows[0].reason), (None, Reason::ConnectionNotReady));
    assert!(decision.rows[0].message.as_ref().unwrap().contains("lacks the task"));
}
