//! Updates that cannot begin yet: each says why, sends nothing, and goes on by itself once it is mended.

use crate::ground::Status;
use crate::sim::appliance::Denial;
use crate::sim::appliance::PASSWORD;
use crate::sim::appliance::SessionLimit;
use crate::sim::appliance::USER;
use crate::sim::appliance::Update;
use crate::sim::appliance::User;
use crate::sim::appliance::VERSION_NEW;
use crate::sim::appliance::VERSION_NEWER;
use crate::site::Site;
use crate::site::quick;

/// Requests of a login.
fn logins(site: &Site) -> usize {
    let log = site.appliance.log();
    log.requests()
        .iter()
        .filter(|e| e.method == "POST" && e.path.ends_with("/session"))
        .count()
}

#[tokio::test]
async fn a_version_that_is_not_offered_is_waited_for_and_never_sent() -> anyhow::Result<()> {
    let config = quick().machine(|m| m.updates = vec![Update::new(VERSION_NEW)]);
    let (site, _operator) = Site::ready("ap-unlisted", config).await?;
    let none = site.beside("srm-none", quick().machine(|m| m.updates.clear())).await?;
    site.update(VERSION_NEWER).await?;
    none.update(VERSION_NEWER).await?;
    let waiting = site.waiting("VersionNotOffered").await?;
    for words in [VERSION_NEWER, &format!("offered: {VERSION_NEW}")] {
        assert!(waiting.message().contains(words), "{words}: {}", waiting.message());
    }
    let nothing = none.waiting("VersionNotOffered").await?;
    assert!(nothing.message().contains("offered: nothing"), "{}", nothing.message());
    site.looks(2).await?;
    for site in [&site, &none] {
        site.assert_started(0, 0);
        site.appliance.edit_machine(|m| m.updates.push(Update::new(VERSION_NEWER)));
    }
    for site in [&site, &none] {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_repository_that_is_unreachable_is_waited_for_and_nothing_is_sent() -> anyhow::Result<()> {
    let (site, _operator) = Site::ready("ap-repository", quick().settings(|s| s.repository_unreachable = true)).await?;
    let broken = site.beside("srm-500", quick().settings(|s| s.retrieve_fails = true)).await?;
    site.update(VERSION_NEW).await?;
    broken.update(VERSION_NEW).await?;
    let waiting = site.waiting("RepositoryUnreachable").await?;
    assert!(
        waiting.message().contains("Connection timed out"),
        "in its words: {}",
        waiting.message()
    );
    let failing = broken.waiting("RepositoryUnreachable").await?;
    assert!(
        failing.message().contains("The updates cannot be retrieved"),
        "{}",
        failing.message()
    );
    site.looks(2).await?;
    for site in [&site, &broken] {
        site.assert_started(0, 0);
        site.appliance
            .set(|s| (s.repository_unreachable, s.retrieve_fails) = (false, false));
    }
    for site in [&site, &broken] {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_expired_password_is_named_and_never_tried_over_and_over() -> anyhow::Result<()> {
    let expired = || User {
        expired: true,
        ..User::manager(USER, PASSWORD)
    };
    let with = |denial: Denial| {
        let mut config = quick().settings(|s| s.password_expired = denial);
        config.users = vec![expired()];
        config
    };
    let (site, _operator) = Site::ready("ap-expired", with(Denial::BadRequest)).await?;
    let forbidden = site.beside("srm-403", with(Denial::Forbidden)).await?;
    for site in [&site, &forbidden] {
        site.update(VERSION_NEW).await?;
        let message = site.connected("PasswordExpired").await?;
        for words in ["PASSWORD_EXPIRED", "Secret"] {
            assert!(message.contains(words), "says what to change: {message}");
        }
        let named = |s: &Status| s.waiting_for() == "ConnectionNotReady" && s.message().contains("PasswordExpired");
        site.until("waiting for a Connection whose password has expired", named).await?;
        site.appliance.set_users(vec![User::manager(USER, "cast-off")]);
        site.assert_started(0, 0);
    }
    for site in [&site, &forbidden] {
        assert!(logins(site) <= 2, "{} logins", logins(site));
        assert_eq!(site.appliance.logins(), 0);
        site.secret(&site.name, USER, "cast-off").await?;
        site.connected("Reachable").await?;
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        site.assert_started(1, 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_appliance_without_a_free_session_is_waited_for_and_nobody_has_to_touch_the_secret() -> anyhow::Result<()> {
    let full = |limit: SessionLimit| quick().settings(|s| (s.max_sessions, s.session_limit) = (0, limit));
    let (site, _operator) = Site::ready("ap-full", full(SessionLimit::InternalError)).await?;
    let refusing = site.beside("srm-400", full(SessionLimit::BadRequest)).await?;
    for site in [&site, &refusing] {
        site.update(VERSION_NEW).await?;
        let message = site.connected("Unreachable").await?;
        assert!(message.contains("SESSION_LIMIT"), "in its words: {message}");
        site.waiting("ConnectionNotReady").await?;
        site.assert_started(0, 0);
        site.appliance.set(|s| s.max_sessions = 100);
    }
    for site in [&site, &refusing] {
        site.reason("SUCCESS", "UpgradeSucceeded").await?;
        site.assert_started(1, 1);
    }
    Ok(())
}
