use proptest::prelude::*;

use super::super::testing::devices::*;
use super::count::*;
use super::*;

fn fleet(lines: impl IntoIterator<Item = Line>) -> Fleet {
    Fleet::of(lines, BTreeSet::new(), BTreeSet::new())
}

fn to(version: &str, lines: impl IntoIterator<Item = Line>) -> Count {
    fleet(lines).count(Goal::Version(version), &Terms::default())
}

#[test]
fn a_device_is_at_the_version_below_above_or_apart_from_it() {
    for (current, place) in [
        (NEW, Place::At),
        ("10.13.1010-7", Place::At),
        (OLD, Place::Below),
        ("10.13", Place::Below),
        ("", Place::Below),
        (NEWER, Place::Above),
        ("edge", Place::Apart),
    ] {
        assert_eq!(Goal::Version(NEW).place(&cx(current, 1)), place, "{current:?}");
    }
}

#[test]
fn a_device_that_is_to_go_to_what_is_recommended_is_measured_by_what_its_model_was_told() {
    let builds = Builds::from([
        (MODEL.to_owned(), groups(&[NEW])),
        ("8360".to_owned(), groups(&["10.12.1000", "10.12.1001"])),
    ]);
    let goal = Goal::Builds(&builds);
    assert_eq!(goal.place(&cx(NEW, 1)), Place::At);
    // Of one model, and yet told apart: each is measured by its own, as long as that is one of those of then.
    let own = |version, build| goal.place(&cx(version, 1).of("8360").recommended(Some(build)));
    assert_eq!(own("10.12.1000", "10.12.1001"), Place::Below);
    assert_eq!(own("10.12.1000", "10.12.1000"), Place::At);
    assert_eq!(
        own("10.12.1000", "10.99.1"),
        Place::At,
        "what is recommended by now is another run's"
    );
    assert_eq!(
        goal.place(&cx(NEW, 1).of("8360")),
        Place::Above,
        "another model's build is not its own"
    );
    assert_eq!(goal.place(&cx("10.12.1001", 1).of("8360")), Place::At);
    assert_eq!(goal.place(&cx("10.12.0999", 1).of("8360")), Place::Below);
    // It recommends itself by now, but nothing was frozen for it.
    assert_eq!(goal.place(&cx(NEW, 1).of("9300")), Place::Aimless);
}

#[test]
fn nothing_to_upgrade_is_never_finished() {
    let none = to(NEW, []);
    assert!(!none.finished() && !none.all_at());
    assert!(to(NEW, [cx(NEW, 1)]).all_at() && to(NEW, [cx(NEW, 1)]).finished());
    for behind in [cx(OLD, 1), cx("", 1), cx("edge", 1), cx(OLD, 1).down()] {
        assert!(!to(NEW, [cx(NEW, 211), behind.clone()]).finished(), "{behind:?}");
    }
}

#[test]
fn a_device_above_is_done_unless_devices_were_to_go_back() {
    let lines = || fleet([cx(NEW, 211), cx(NEWER, 1)]);
    let down = Terms {
        allow_downgrade: true,
        ..Terms::default()
    };
    assert!(lines().count(Goal::Version(NEW), &Terms::default()).finished());
    let back = lines().count(Goal::Version(NEW), &down);
    assert!(!back.finished());
    assert_eq!((back.lagging(), back.lagging_in_reach), (1, 1));
}

#[test]
fn who_is_left_alone_counts_as_nothing_but_that() {
    let terms = Terms {
        exclude_groups: groups(&[LAB]),
        ..Terms::default()
    };
    let seen = fleet([cx(OLD, 14).in_lab(), cx(NEW, 200), cx(OLD, 10), cx(OLD, 2).down()]);
    let count = seen.count(Goal::Version(NEW), &terms);
    assert_eq!(
        (
            count.total,
            count.at,
            count.below,
            count.unreachable,
            count.excluded,
            count.lagging_in_reach
        ),
        (212, 200, 12, 2, 14, 10)
    );
    assert_eq!(seen.version(&terms).as_deref(), Some(MIXED));
    assert_eq!(fleet([cx(OLD, 3), cx(OLD, 4).of("8360")]).version(&terms).as_deref(), Some(OLD));
    assert_eq!(fleet([cx(OLD, 3).in_lab()]).version(&terms), None);
}

#[test]
fn progress_goes_in_steps_of_ten_and_is_whole_only_at_the_end() {
    let progress = |at| to(NEW, [cx(NEW, at), cx(OLD, 212 - at)]).progress();
    assert_eq!([0, 21, 22, 170, 211, 212].map(progress), [0, 0, 10, 80, 90, 90]);
}

#[test]
fn devices_that_look_alike_are_one_line() {
    let merged = fleet([cx(OLD, 3), cx(NEW, 1), cx(OLD, 4), cx(OLD, 0), cx(OLD, 2).down()]);
    assert_eq!(
        merged.lines.iter().map(|line| line.devices).collect::<Vec<_>>().iter().sum::<u32>(),
        10
    );
    assert_eq!(merged.lines.len(), 3);
    assert_eq!(merged, fleet([cx(OLD, 2).down(), cx(OLD, 7), cx(NEW, 1)]));
}

/// Receipts of every past version are read by this form.
#[test]
fn what_a_receipt_keeps_never_changes_its_form() {
    let seen = fleet([cx(OLD, 200), cx(NEW, 12), cx(OLD, 3).of("8360").recommended(Some("10.12.1000"))]);
    let looks = |version| serde_json::to_string(&seen.before(version, &Terms::default())).unwrap();
    assert_eq!(
        looks(NEW),
        r#"{"total":215,"at":12,"excluded":0,"versions":[{"model":"6300M","version":"10.11.1021","devices":200},{"model":"6300M","version":"10.13.1010","devices":12},{"model":"8360","version":"10.11.1021","devices":3}]}"#
    );
    assert_eq!(
        looks(RECOMMENDED),
        r#"{"total":215,"at":12,"excluded":0,"recommended":{"6300M":["10.13.1010"],"8360":["10.12.1000"]},"versions":[{"model":"6300M","version":"10.11.1021","devices":200},{"model":"6300M","version":"10.13.1010","devices":12},{"model":"8360","version":"10.11.1021","devices":3}]}"#
    );
    let later: FleetBefore = serde_json::from_str(r#"{"total":1,"somethingNew":{"x":1}}"#).unwrap();
    assert_eq!(later.total, 1);
}

#[test]
fn options_that_a_newer_version_wrote_are_not_guessed_at() {
    let options = leaving_alone(&["Spare", LAB]);
    assert_eq!(
        options.canonical(),
        r#"{"allowDowngrade":false,"excludeGroups":["Lab","Spare"],"reboot":true}"#
    );
    assert_eq!(Terms::read(&options.canonical()), Terms::of(&options));
    let of_access_points = Options::Customer {
        reboot: None,
        exclude_groups: groups(&["a \"b\" \\"]),
        allow_downgrade: true,
    };
    assert_eq!(Terms::read(&of_access_points.canonical()), Terms::of(&of_access_points));
    for other in [
        "{}",
        r#"{"allowDowngrade":false,"excludeGroups":[],"sites":["a"]}"#,
        r#"{"authorize":"Never"}"#,
    ] {
        assert_eq!(Terms::read(other), None, "{other}");
    }
}

fn any_line() -> impl Strategy<Value = Line> {
    (0..400u32, 0..60u32, any::<bool>(), prop::option::of(any::<i32>()), 0..5u32).prop_map(
        |(model, version, reachable, scheduled, devices)| Line {
            model: format!("model-with-a-long-name-{model:0>40}"),
            version: format!("10.{version}.{}", "1".repeat(50)),
            recommended: (model % 7 > 0).then(|| format!("10.{}", model % 9)),
            scheduled: scheduled.map(i64::from),
            upgrade_required: None,
            reachable,
            groups: if model % 3 == 0 { groups(&[LAB]) } else { BTreeSet::new() },
            devices,
        },
    )
}

proptest! {
    #[test]
    fn however_many_models_there_are_a_receipt_holds_what_it_keeps(lines in prop::collection::vec(any_line(), 0..800)) {
        let seen = fleet(lines);
        for version in [NEW, RECOMMENDED] {
            let before = seen.before(version, &Terms::default());
            // A start to what is recommended needs all builds, and is refused where they do not fit.
            if fit(&before.recommended) {
                prop_assert!(serde_json::to_string(&before).unwrap().len() < 24_000);
            }
            let kept: u32 = before.versions.iter().map(|v| v.devices).sum();
            prop_assert!(kept == before.total || before.cut);
        }
    }

    #[test]
    fn every_device_is_counted_once(lines in prop::collection::vec(any_line(), 0..60), back: bool) {
        let terms = Terms { exclude_groups: groups(&[LAB]), allow_downgrade: back, reboot: None };
        let all: u32 = lines.iter().map(|line| line.devices).sum();
        let seen = fleet(lines);
        let builds = seen.recommended(&terms);
        for goal in [Goal::Version("10.30"), Goal::Builds(&builds)] {
            let count = seen.count(goal, &terms);
            prop_assert_eq!(count.at + count.below + count.above + count.apart + count.aimless, count.total);
            prop_assert_eq!(count.total + count.excluded, all);
            prop_assert!(count.lagging_in_reach <= count.lagging() && count.unreachable <= count.total);
            prop_assert!(!count.all_at() || count.finished());
        }
    }
}
