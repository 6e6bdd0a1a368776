//! What the vendor's documents leave open ([U] in the table of vendor facts), both ways: however Central turns out to be, nothing is started twice,
//! and each run comes to the end that its devices tell.

use serde_json::json;

use crate::central::NAME;
use crate::central::ROW;
use crate::central::World;
use crate::central::still;
use crate::ground::patiently;
use crate::sim::Action;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::CUSTOMER;
use crate::sim::aruba::Ignored;
use crate::sim::aruba::Kind;
use crate::sim::aruba::ScheduledAt;
use crate::sim::aruba::StartAnswer;
use crate::sim::aruba::SwarmCount;
use crate::sim::aruba::Unscheduled;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::aruba::Words;
use crate::sim::faults::Release;

#[tokio::test]
async fn whatever_the_documents_leave_open_nothing_is_started_twice() -> anyhow::Result<()> {
    let settings: [fn(&mut aruba::Settings); 5] = [
        |s| (s.start_answer, s.scheduled_at, s.unscheduled) = (StartAnswer::NoContent, ScheduledAt::Never, Unscheduled::Zero),
        |s| {
            (s.start_answer, s.scheduled_at, s.versions_without_cx) = (StartAnswer::Page, ScheduledAt::UntilDue, true);
            s.words = Words::all(&aruba::Word::new("FAILED", "it reads like an error"));
        },
        |s| {
            (s.start_answer, s.unscheduled, s.refresh_rotates) = (StartAnswer::Null, Unscheduled::Null, false);
            (s.versions_form, s.tenant_form) = (aruba::VersionsForm::Object, aruba::TenantForm::NotThere);
        },
        |s| {
            (s.error_body, s.invalid_status, s.missing_version_is_404) = (aruba::ErrorBody::Empty, 422, false);
            (s.past_schedule, s.unknown_group, s.iap_reboot) = (aruba::PastSchedule::Refused, Ignored::Refused, Ignored::Refused);
            (s.second_start, s.start_answer) = (aruba::SecondStart::Refused, StartAnswer::Accepted);
        },
        |s| {
            s.missing_paths = vec!["/firmware/v2/*".to_owned()];
            (s.missing_path_status, s.status_up, s.scheduled_at_off_secs) = (405, "UP".to_owned(), 7);
            (s.second_start, s.start_answer) = (aruba::SecondStart::Ignored, StartAnswer::Object);
        },
    ];
    for (n, change) in settings.into_iter().enumerate() {
        let (world, _operator) = World::ready(&format!("aruba-open-{n}"), still().settings(change)).await?;
        world.upgrade(VERSION_NEW).await?;
        world.taken().await?;
        world.finish()?;
        world.reason("SUCCESS", "UpgradeSucceeded").await?;
        world.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn swarms_are_all_seen_whichever_way_they_are_counted_and_cut() -> anyhow::Result<()> {
    for (n, count) in [SwarmCount::All, SwarmCount::Page, SwarmCount::Absent].into_iter().enumerate() {
        // Cut at less than what is asked for.
        let config = still().estate(|e| e.sizes.iap = 120);
        let config = config.settings(|s| (s.max_limit, s.over_limit, s.swarm_count) = (50, aruba::OverLimit::CutDown, count));
        let (world, _operator) = World::ready(&format!("aruba-swarms-{n}"), config).await?;
        let iap = json!({"deviceType": "IAP", "reboot": null});
        world.upgrade_with(json!({"version": Kind::Iap.version_new()}), iap).await?;
        world.taken().await?;
        world.advance(3600)?;
        let done = world.reason("SUCCESS", "UpgradeSucceeded").await?;
        assert_eq!(
            done.row("4d1c0000/IAP")["devices"]["total"],
            json!(120),
            "{count:?}: {:#}",
            done.json
        );
        assert_eq!((world.central.starts(CUSTOMER, Kind::Iap).len(), world.posts().len()), (1, 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_list_that_leaves_swarms_out_starts_nothing_and_ends_nothing() -> anyhow::Result<()> {
    let config = still().estate(|e| e.sizes.iap = 9).settings(|s| s.rows_missing_every = 3);
    let (world, _operator) = World::ready("aruba-left-out", config).await?;
    let iap = json!({"deviceType": "IAP", "reboot": null});
    world.upgrade_with(json!({"version": Kind::Iap.version_new()}), iap).await?;
    world.until("counted", |s| s.message().contains("are counted")).await?;
    world.looks(2).await?;
    assert_eq!(world.posts().len(), 0);
    world.central.set(|s| s.rows_missing_every = 0);
    world.taken().await?;
    world.central.set(|s| s.rows_missing_every = 3);
    world.finish()?;
    world.reason("RUNNING", "OutOfSight").await?;
    world.looks(3).await?;
    world.central.set(|s| s.rows_missing_every = 0);
    world.reason("SUCCESS", "UpgradeSucceeded").await?;
    assert_eq!((world.central.starts(CUSTOMER, Kind::Iap).len(), world.posts().len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_device_that_was_away_and_took_no_order_is_a_failure_once_it_is_back_and_never_started_again() -> anyhow::Result<()> {
    let config = still().estate(|e| e.offline_every = 4);
    let config = config.settings(|s| (s.offline_takes_orders, s.status_down) = (false, "Disconnected".to_owned()));
    let (world, _operator) = World::ready("aruba-away", config).await?;
    world
        .upgrade_with(json!({"version": VERSION_NEW, "timeout": "2h"}), json!({}))
        .await?;
    world.taken().await?;
    world.finish()?;
    let waits = world.until("three are there", |s| s.message().contains("3 of 4")).await?;
    assert_eq!(waits.row(ROW)["devices"]["unreachable"], json!(1), "{:#}", waits.json);
    world.advance(2 * 3600)?;
    world.until("UNKNOWN", |s| s.state() == "UNKNOWN").await?;
    world.central.set_online(&aruba::Place::new(0, Kind::Cx, 3).id(), true)?;
    let failed = world.until("FAILED", |s| s.state() == "FAILED").await?;
    assert!(failed.message().contains("3 of 4 devices"), "{}", failed.message());
    world.assert_started(1, 1);
    Ok(())
}

/// Somebody upgrades the devices by hand between the look and the start.
#[tokio::test]
async fn a_start_that_found_nothing_left_to_do_is_no_failure_and_is_not_sent_again() -> anyhow::Result<()> {
    for (story, nothing) in [
        ("aruba-nothing", aruba::NothingToDo::Taken),
        ("aruba-nothing-400", aruba::NothingToDo::Refused),
        ("aruba-nothing-404", aruba::NothingToDo::NotFound),
    ] {
        let (world, _operator) = World::ready(story, still().settings(|s| s.nothing_to_do = nothing)).await?;
        let held = world.next_start(Action::Hang { when: When::Before });
        world.upgrade(VERSION_NEW).await?;
        world.central.faults().wait_until_hit(held).await?;
        world
            .central
            .edit_units(CUSTOMER, Kind::Cx, |_, unit, _| unit.version = VERSION_NEW.into())?;
        world.central.faults().release(held, Release::Continue)?;
        let done = world.until("SUCCESS", |s| s.state() == "SUCCESS").await?;
        assert!(done.message().contains("4 of 4"), "{}", done.message());
        assert_eq!(world.posts().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_central_without_upgrades_by_customer_says_so_by_either_status() -> anyhow::Result<()> {
    for status in [404, 405] {
        let config = still().settings(|s| {
            s.missing_paths = vec![format!("/firmware/v1/msp/upgrade/customers/{CUSTOMER}")];
            s.missing_path_status = status;
        });
        let (world, _operator) = World::ready(&format!("aruba-no-path-{status}"), config).await?;
        world.upgrade(VERSION_NEW).await?;
        let refused = world.reason("REJECTED", "VendorRejected").await?;
        let says = "does not have upgrades by customer";
        assert!(refused.message().contains(says), "{}", refused.message());
        world.assert_started(0, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_too_large_names_what_to_leave_out_by_either_status() -> anyhow::Result<()> {
    for (status, says) in [(413, "fewer groups"), (417, "expects")] {
        let config = still().settings(|s| (s.body_limit, s.too_large_status) = (64, status));
        let (world, _operator) = World::ready(&format!("aruba-large-{status}"), config).await?;
        world.upgrade(VERSION_NEW).await?;
        let refused = world.reason("REJECTED", "VendorRejected").await?;
        assert!(refused.message().contains(says), "{}", refused.message());
        world.assert_started(0, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_refresh_token_is_one_clear_word_whichever_way_central_says_so() -> anyhow::Result<()> {
    for status in [400, 401, 403] {
        let config = still().settings(|s| (s.failed_refresh, s.reuse_kills_family, s.old_access_survives) = (status, false, true));
        let world = World::new(&format!("aruba-dead-{status}"), config).await?;
        world.by_token("no-such-token").await?;
        world.connect(900_000).await?;
        let _operator = world.operator().await?;
        let message = world.connected("AuthFailed").await?;
        assert!(message.contains("create a new one there"), "{status}: {message}");
        let pair = world.central.issue(aruba::CLIENT_ID)?;
        world.by_token(pair.refresh.expose()).await?;
        world.connected("Reachable").await?;
        assert_eq!(world.central.reuses(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_pair_that_may_not_be_had_yet_is_waited_for_and_the_token_is_not_used_up() -> anyhow::Result<()> {
    for status in [429, 400] {
        let config = still().settings(|s| (s.token_interval_secs, s.token_limit_status) = (Some(1800), status));
        let world = World::new(&format!("aruba-interval-{status}"), config).await?;
        // That one was issued a moment ago.
        let pair = world.central.issue(aruba::CLIENT_ID)?;
        world.by_token(pair.refresh.expose()).await?;
        world.connect(900_000).await?;
        let _operator = world.operator().await?;
        let asked = |world: &World| world.central.log().requests().iter().any(|e| e.path == aruba::TOKEN);
        patiently(async || Ok(asked(&world).then_some(()))).await?;
        let not_ready = world.until_of::<windlass::api::Connection>(NAME, |s| s.condition("Ready", "status") == "False");
        not_ready.await.map_err(|never| never.error)?;
        assert_eq!(world.central.refreshes(), 0);
        world.advance(1801)?;
        world.connected("Reachable").await?;
        assert_eq!((world.central.refreshes(), world.central.reuses()), (1, 0));
    }
    Ok(())
}
