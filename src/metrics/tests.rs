use super::objects::MOST_SERIES;
use super::*;
use crate::controller::wakes::Kind;
use crate::upgrade::reason::Reason;
use crate::upgrade::testing::mono;

fn batch(name: &str) -> Who {
    Who::new(Kind::ClusterUpgradeBatch, "vsphere", name)
}

fn shown(state: State, waiting_for: Option<Reason>) -> Shown {
    Shown { state, waiting_for }
}

fn assert_has(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.encode();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} is missing in\n{text}");
    }
}

#[test]
fn what_happened_is_in_the_text_under_its_documented_name() {
    let metrics = Metrics::new();
    metrics.reconciled("ClusterUpgradeBatch", Duration::from_millis(30));
    metrics.reconcile_failed("ClusterUpgradeBatch", "api");
    metrics.started("vcenter", StartOutcome::InDoubt);
    metrics.vendor_request("vcenter", "list_clusters", "ok", Duration::from_millis(300));
    metrics.status_written("Connection");
    metrics.set_receipts("vcenter", 3, 1);
    metrics.run_ended("ClusterUpgradeBatch", State::Success, Some(Duration::from_secs(1700)));
    metrics.run_ended("ClusterUpgradeBatch", State::Cancelled, None);
    metrics.contradiction();
    metrics.set_leader(true);
    metrics.set_crds_outdated(true);
    assert_has(
        &metrics,
        &[
            concat!("windlass_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "windlass_reconcile_duration_seconds_bucket{le=\"0.025\",kind=\"ClusterUpgradeBatch\"} 0",
            "windlass_reconcile_duration_seconds_bucket{le=\"0.05\",kind=\"ClusterUpgradeBatch\"} 1",
            "windlass_reconcile_errors_total{kind=\"ClusterUpgradeBatch\",label=\"api\"} 1",
            "windlass_starts_total{type=\"vcenter\",outcome=\"in_doubt\"} 1",
            "windlass_vendor_requests_total{type=\"vcenter\",operation=\"list_clusters\",class=\"ok\"} 1",
            "windlass_vendor_request_duration_seconds_count{type=\"vcenter\",operation=\"list_clusters\"} 1",
            "windlass_status_writes_total{kind=\"Connection\"} 1",
            "windlass_receipts_open{type=\"vcenter\"} 3",
            "windlass_receipts_unresolved{type=\"vcenter\"} 1",
            "windlass_runs_total{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 1",
            "windlass_runs_total{kind=\"ClusterUpgradeBatch\",state=\"CANCELLED\"} 1",
            "windlass_run_duration_seconds_bucket{le=\"900.0\",kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 0",
            "windlass_run_duration_seconds_bucket{le=\"1800.0\",kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"} 1",
            "windlass_contradictions_total 1",
            "windlass_leader 1",
            "windlass_starts_enabled 1",
            "windlass_crds_outdated 1",
            "# EOF",
        ],
    );
    let text = metrics.encode();
    assert!(!text.contains("_total_total"), "{text}");
    assert!(
        !text.contains("duration_seconds_count{kind=\"ClusterUpgradeBatch\",state=\"CANCELLED\"}"),
        "nothing was sent"
    );
}

#[test]
fn gauges_and_single_counters_are_there_before_anything_happened() {
    assert_has(
        &Metrics::new(),
        &[
            "windlass_contradictions_total 0",
            "windlass_leader 0",
            "windlass_starts_enabled 1",
            "windlass_crds_outdated 0",
            "windlass_info_truncated 0",
            "windlass_upgrades{kind=\"FirmwareUpgrade\",state=\"UNKNOWN\"} 0",
        ],
    );
}

#[test]
fn a_gauge_follows_down_as_well() {
    let metrics = Metrics::new();
    let other = metrics.clone();
    metrics.set_receipts("hmc", 2, 2);
    other.set_receipts("hmc", 0, 0);
    assert_has(&metrics, &["windlass_receipts_open{type=\"hmc\"} 0"]);
}

#[test]
fn an_upgrade_has_one_series_and_none_once_it_is_gone() {
    let metrics = Metrics::new();
    let (b, vc) = (batch("b"), Who::connection("vsphere", "vc"));
    metrics.show_connection(&vc, "vcenter", "AuthFailed");
    metrics.show_connection(&vc, "vcenter", "Reachable");
    metrics.set_quota(&vc, 4100);
    metrics.show_upgrade(&b, shown(State::Pending, Some(Reason::WaitingForWindow)), mono(0));
    metrics.show_upgrade(&b, shown(State::Pending, Some(Reason::WaitingForWindow)), mono(50));
    metrics.show_upgrade(&b, shown(State::Running, None), mono(400));
    assert_has(
        &metrics,
        &[
            "windlass_upgrade_info{kind=\"ClusterUpgradeBatch\",namespace=\"vsphere\",name=\"b\",state=\"RUNNING\",waiting_for=\"\"} 1",
            "windlass_connection_info{type=\"vcenter\",namespace=\"vsphere\",name=\"vc\",ready_reason=\"Reachable\"} 1",
            "windlass_vendor_quota_remaining{namespace=\"vsphere\",connection=\"vc\"} 4100",
            "windlass_upgrades{kind=\"ClusterUpgradeBatch\",state=\"RUNNING\"} 1",
            "windlass_upgrades{kind=\"ClusterUpgradeBatch\",state=\"PENDING\"} 0",
            "windlass_wait_duration_seconds_sum{kind=\"ClusterUpgradeBatch\",reason=\"WaitingForWindow\"} 400.0",
            "windlass_wait_duration_seconds_count{kind=\"ClusterUpgradeBatch\",reason=\"WaitingForWindow\"} 1",
        ],
    );
    let named = |text: &str| text.lines().filter(|l| l.contains("namespace=\"vsphere\"")).count();
    assert_eq!(named(&metrics.encode()), 3);
    metrics.forget(&b);
    assert_eq!(named(&metrics.encode()), 2);
    metrics.keep_only(|_| false);
    assert_eq!(named(&metrics.encode()), 0);
    assert_has(&metrics, &["windlass_upgrades{kind=\"ClusterUpgradeBatch\",state=\"RUNNING\"} 0"]);
}

#[test]
fn however_many_objects_there_are_the_series_are_bounded_and_who_needs_somebody_is_among_them() {
    let metrics = Metrics::new();
    metrics.show_connection(&Who::connection("vsphere", "vc"), "vcenter", "Reachable");
    for n in 0..MOST_SERIES - 1 {
        metrics.show_upgrade(&batch(&format!("a{n}")), shown(State::Success, None), mono(0));
    }
    assert_has(&metrics, &["windlass_info_truncated 0"]);
    metrics.show_upgrade(&batch("z"), shown(State::Unknown, Some(Reason::NeedsResolution)), mono(0));
    let text = metrics.encode();
    assert_eq!(text.lines().filter(|l| l.contains("namespace=\"")).count(), MOST_SERIES);
    assert!(text.contains("name=\"z\",state=\"UNKNOWN\",waiting_for=\"NeedsResolution\""));
    let all = format!(
        "windlass_upgrades{{kind=\"ClusterUpgradeBatch\",state=\"SUCCESS\"}} {}",
        MOST_SERIES - 1
    );
    assert_has(&metrics, &["windlass_info_truncated 1", &all]);
}

#[test]
fn a_run_that_is_overdue_is_told_as_such_whatever_else_is_waited_for() {
    let summary = |overdue, stalled| crate::upgrade::decision::Summary {
        state: State::Running,
        reason: Reason::EditQueued,
        message: String::new(),
        stalled,
        overdue,
        waiting_for: Some(Reason::EditQueued),
        next_action_at: None,
    };
    let waits = |overdue, stalled| Shown::from(&summary(overdue, stalled)).waiting_for;
    assert_eq!(waits(true, false), Some(Reason::Overdue));
    assert_eq!(waits(false, false), Some(Reason::EditQueued));
    assert_eq!(
        waits(true, true),
        Some(Reason::EditQueued),
        "only a person can help: that comes first"
    );
}
