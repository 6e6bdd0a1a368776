//! A provider's weekend: many customers on one account, in one window, with the calls that Central allows in a day.
//!
//! The whole operator runs in here against the real API server, under the chart's RBAC, and against a simulated Central that counts. All three have
//! the same clock, which the story moves, so that two days take a minute. Eight customers by default; three hundred with `WINDLASS_TEST_SCALE=large`.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use windlass::api::FirmwareUpgrade;
use windlass::clock::Clock;
use windlass::controller::clients::Grantee;
use windlass::controller::run::Options;
use windlass::controller::run::RunError;
use windlass::controller::run::run;
use windlass::controller::shard::Shard;
use windlass::lease::LeaseTiming;
use windlass::upgrade::timing::Timing;
use windlass::vendor::http::Fence;

use crate::central::NAME;
use crate::deploy::deployed;
use crate::ground::Ground;
use crate::ground::free_port;
use crate::leaps;
use crate::leaps::Hands;
use crate::plane::Plane;
use crate::proof::era::Era;
use crate::proof::proxy::Proxy;
use crate::proof::show;
use crate::scale::large;
use crate::sim;
use crate::sim::Action;
use crate::sim::Rule;
use crate::sim::Running;
use crate::sim::When;
use crate::sim::aruba;
use crate::sim::aruba::Central;
use crate::sim::aruba::Config;
use crate::sim::aruba::Kind;
use crate::sim::aruba::MSP;
use crate::sim::faults::BodyKind;

/// A Friday evening, shortly before the window opens.
const BEGINS: &str = "2027-01-01T23:30:00Z";

/// How long.
const OPENS: Duration = Duration::from_mins(30);

/// From Saturday on, for two days.
const WINDOW: Duration = Duration::from_hours(48);

/// When the operator is replaced by another one, in the middle of it all.
const RESTART: Duration = Duration::from_hours(3);

/// How often the story looks whether all is over, in seconds.
const EVERY: u64 = 1800;

/// The longest step: a fraction of the shortest time between two looks.
const STEP: Duration = Duration::from_secs(30);

/// Most memory of the process that all of the story runs in, whatever its size; other stories run in it, too.
const MOST_MEMORY: u64 = 1_500_000_000;

/// How large it is.
struct Size {
    customers: u16,
    /// Calls that Central allows in a day.
    per_day: u32,
    /// Of those, the ones that the Connection allows itself.
    ours: u32,
    at_once: u32,
}

impl Size {
    fn of_scale() -> Size {
        if large() {
            return Size {
                customers: 300,
                per_day: 5000,
                ours: 4500,
                at_once: 30,
            };
        }
        Size {
            customers: 8,
            per_day: 1000,
            ours: 900,
            at_once: 6,
        }
    }
}

/// One upgrade: a customer and a type of devices.
struct Wanted {
    name: String,
    customer: String,
    kind: Kind,
    spec: Value,
}

/// Two types for each customer. Every third upgrade is to what is recommended, every fourth leaves a group alone.
fn wanted(customers: u16) -> Vec<Wanted> {
    let all = (0..customers).flat_map(|number| [0, 2].map(|more| (number, Kind::ALL[usize::from(number + more) % 5])));
    let spec = |(nth, (number, kind)): (usize, (u16, Kind))| {
        let customer = aruba::customer(number);
        let mut whose = json!({"customerId": customer, "deviceType": kind.word()});
        if kind != Kind::Iap {
            whose["reboot"] = json!(true);
        }
        if nth.is_multiple_of(4) {
            whose["excludeGroups"] = json!([aruba::group(1)]);
        }
        let mut spec = json!({
            "connectionRef": {"name": NAME},
            "schedule": {"windows": [{"cron": "0 0 * * SAT", "duration": "48h", "timeZone": "UTC"}]},
        });
        if nth.is_multiple_of(3) {
            whose["recommended"] = json!(true);
        } else {
            spec["version"] = json!(kind.version_new());
        }
        spec["arubaCustomer"] = whose;
        Wanted {
            name: format!("{customer}-{}", kind.word().to_lowercase()),
            customer,
            kind,
            spec,
        }
    };
    all.enumerate().map(spec).collect()
}

struct Weekend {
    ground: Ground,
    central: Running<Central>,
    proxy: Proxy,
    hands: Hands,
    time: sim::Clock,
    clock: Clock,
}

impl Weekend {
    async fn new(plane: &'static Plane, size: &Size) -> anyhow::Result<Weekend> {
        // First: from here on the time is the story's.
        let hands = Hands::new(STEP);
        let begins: Timestamp = BEGINS.parse()?;
        let (time, clock) = (sim::Clock::new(begins, 0.0), Clock::beginning_at(begins));
        let estate = aruba::Estate {
            sizes: aruba::Sizes::each(6),
            ..aruba::Estate::msp(size.customers, 6)
        };
        let config = Config {
            estate,
            clock: time.clone(),
            ..Config::default()
        };
        let per_day = u64::from(size.per_day);
        let central = Central::start(config.settings(|s| s.per_day = per_day)).await?;
        let era = time.clone();
        let proxy = Proxy::start_in(plane, Some(Era::new(move || era.now()))).await?;
        Ok(Weekend {
            ground: Ground::on(plane, "weekend").await?,
            central,
            proxy,
            hands,
            time,
            clock,
        })
    }

    async fn apply(&self, size: &Size, all: &[Wanted]) -> anyhow::Result<()> {
        let metadata = |name: &str| json!({"name": name, "namespace": self.ground.namespace});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(NAME),
            "stringData": {
                "clientID": aruba::CLIENT_ID, "clientSecret": aruba::CLIENT_SECRET, "username": aruba::USER, "password": aruba::PASSWORD,
            },
        });
        let connection = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Connection", "metadata": metadata(NAME),
            "spec": {
                "type": "ArubaCentral", "url": self.central.url(), "caBundlePEM": self.central.ca_pem(), "credentialsSecretRef": {"name": NAME},
                "arubaCentral": {"customerId": MSP},
                "limits": {"requestsPerDay": size.ours, "maxConcurrentUpgrades": size.at_once},
            },
        });
        self.ground.apply(&secret).await?;
        self.ground.apply(&connection).await?;
        for wanted in all {
            let upgrade = json!({
                "apiVersion": "windlass.dev/v1alpha1", "kind": "FirmwareUpgrade", "metadata": metadata(&wanted.name), "spec": wanted.spec,
            });
            self.ground.apply(&upgrade).await?;
        }
        Ok(())
    }

    /// Starts the operator, with the durations of production. What only guards against a slow API server is longer: here it answers at once, or the
    /// time stands still.
    async fn operator(&self, boot: &str) -> anyhow::Result<(CancellationToken, JoinHandle<Result<(), RunError>>)> {
        let timing = Timing {
            ledger_timeout: Duration::from_hours(1),
            watch_silence: Duration::from_hours(24 * 30),
            ..Timing::production()
        };
        let minutes = Duration::from_mins;
        let lease = format!("windlass-{}", self.ground.namespace);
        self.ground.grant_lease(&lease).await?;
        let kubeconfig = Kubeconfig::read_from(self.ground.kubeconfig(boot, Some(&self.proxy.url())).await?)?;
        let options = Options {
            config: kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?,
            namespace: self.ground.account.namespace.clone(),
            lease,
            pod: boot.to_owned(),
            watch: vec![self.ground.namespace.clone()],
            shard: Shard::default(),
            starts_enabled: true,
            listen: format!("127.0.0.1:{}", free_port()?).parse()?,
            grantee: Grantee {
                service_account: self.ground.account.name.clone(),
                role: Some(self.ground.account.secrets.clone()),
            },
            concurrency: 8,
            fence: Fence::default().allow(vec!["127.0.0.0/8".parse()?]),
            timing,
            lease_timing: LeaseTiming::new(minutes(60), minutes(50), minutes(10))?,
            clock: self.clock.clone(),
        };
        let stop = CancellationToken::new();
        Ok((stop.clone(), tokio::spawn(run(options, stop))))
    }

    /// Moves on to wherever something may happen next.
    async fn step(&mut self) {
        let step = self.hands.next(&|| self.proxy.under_way()).await;
        self.time.advance(step);
        tokio::time::advance(step).await;
    }

    async fn stop(&mut self, (stop, running): (CancellationToken, JoinHandle<Result<(), RunError>>)) -> anyhow::Result<()> {
        stop.cancel();
        while !running.is_finished() {
            self.step().await;
        }
        Ok(running.await??)
    }

    async fn upgrades(&self) -> anyhow::Result<Vec<FirmwareUpgrade>> {
        Ok(self
            .ground
            .api::<FirmwareUpgrade>()
            .list(&kube::api::ListParams::default())
            .await?
            .items)
    }

    fn since(&self) -> Duration {
        self.clock.mono().0
    }
}

fn states(all: &[FirmwareUpgrade]) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for upgrade in all {
        let state = upgrade.status.as_ref().and_then(|status| status.state.clone()).unwrap_or_default();
        *states.entry(state).or_default() += 1;
    }
    states
}

/// What goes wrong at Central: answers of starts that are lost after it took them, calls that were one too many, and reads that bring nothing.
fn trouble(central: &Running<Central>, upgrades: usize) -> u64 {
    let some = u64::try_from(upgrades / 12).unwrap_or(1);
    let throttled = Action::Status {
        status: 429,
        body: BodyKind::Html,
        when: When::Before,
        headers: vec![("Retry-After".to_owned(), "90".to_owned())],
    };
    central.faults().add(
        Rule::new(Action::Drop { when: When::After })
            .on(aruba::starts())
            .skipping(3)
            .times(some),
    );
    central
        .faults()
        .add(Rule::new(throttled).on(aruba::starts()).skipping(some).times(1));
    // A while in which nothing can be read, of groups neither: first when all wait, then again with runs under way.
    let away = || Action::Status {
        status: 503,
        body: BodyKind::Html,
        when: When::Before,
        headers: Vec::new(),
    };
    let looks = upgrades.saturating_mul(2);
    for (skipped, calls) in [(0, looks / 4), (looks * 2, looks / 4)] {
        let (skipped, calls) = (u64::try_from(skipped).unwrap_or(0), u64::try_from(calls).unwrap_or(1));
        central
            .faults()
            .add(Rule::new(away()).on(aruba::reads()).skipping(skipped).times(calls));
    }
    some
}

#[test]
fn every_customer_of_a_provider_is_upgraded_once_in_one_weekend_within_the_calls_of_its_days() -> anyhow::Result<()> {
    // The plane belongs to all stories, and waits by the machine's time while it begins.
    let ordinary = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plane = ordinary.block_on(deployed());
    leaps::runtime()?.block_on(weekend(plane, &Size::of_scale()))
}

async fn weekend(plane: &'static Plane, size: &Size) -> anyhow::Result<()> {
    let (began, all) = (Instant::now(), wanted(size.customers));
    let mut here = Weekend::new(plane, size).await?;
    here.apply(size, &all).await?;
    let lost = trouble(&here.central, all.len());
    let mut operator = Some(here.operator("first").await?);
    let (mut looked, mut most, mut restarted) = (0, 0, false);
    let (took, found) = loop {
        here.step().await;
        if !restarted && here.since() >= RESTART {
            if let Some(first) = operator.take() {
                here.stop(first).await?;
            }
            operator = Some(here.operator("second").await?);
            restarted = true;
        }
        let now = here.since();
        if now.as_secs() / EVERY == looked {
            continue;
        }
        looked = now.as_secs() / EVERY;
        let found = here.upgrades().await?;
        let states = states(&found);
        let of = |state: &str| states.get(state).copied().unwrap_or(0);
        most = most.max(of("STARTED") + of("RUNNING") + of("UNKNOWN"));
        show(&format!(
            "weekend: {:.0}: {states:?}; {} s of the machine's time",
            here.clock.wall(),
            began.elapsed().as_secs()
        ));
        assert!(
            now >= OPENS || here.central.log().committed().is_empty(),
            "nothing starts before its window opens"
        );
        if of("SUCCESS") == all.len() || now > OPENS + WINDOW {
            break (now, found);
        }
    };
    if let Some(second) = operator.take() {
        here.stop(second).await?;
    }
    report(&here, size, &all, (took, most), began);
    assert!(
        most <= usize::try_from(size.at_once)?,
        "{most} at once, and the Connection allows {}",
        size.at_once
    );
    check(&here, size, &all, &found, lost).await
}

fn report(here: &Weekend, size: &Size, all: &[Wanted], (last, most): (Duration, usize), began: Instant) {
    let log = here.central.log();
    for (day, calls) in here.central.charged() {
        let percent = calls * 100 / u64::from(size.per_day);
        show(&format!("weekend: {day}: {calls:>5} of {} calls, {percent} %", size.per_day));
    }
    show(&format!(
        "weekend: {} customers, {} upgrades, at most {most} at once; done {} h after Friday 23:30; starts {}, duplicates {}, refused for \
         too many in one second {}; {} s of the machine's time",
        size.customers,
        all.len(),
        last.as_secs() / 3600,
        log.committed().len(),
        log.duplicates().len(),
        here.central.over_quota(),
        began.elapsed().as_secs(),
    ));
}

async fn check(here: &Weekend, size: &Size, all: &[Wanted], found: &[FirmwareUpgrade], lost: u64) -> anyhow::Result<()> {
    let others: Vec<String> = found
        .iter()
        .filter(|upgrade| upgrade.status.as_ref().and_then(|s| s.state.as_deref()) != Some("SUCCESS"))
        .map(|upgrade| format!("{}: {:?}", upgrade.name_any(), upgrade.status))
        .collect();
    assert!(others.is_empty(), "{} did not end well: {:#?}", others.len(), others.first());
    let log = here.central.log();
    assert_eq!(
        (log.committed().len(), log.duplicates().len()),
        (all.len(), 0),
        "each is started once"
    );
    for wanted in all {
        assert_eq!(here.central.starts(&wanted.customer, wanted.kind).len(), 1, "{}", wanted.name);
    }
    for (day, calls) in here.central.charged() {
        assert!(calls * 10 <= u64::from(size.per_day) * 9, "{calls} calls on {day}");
    }
    assert_eq!(
        (here.central.logins(), here.central.reuses()),
        (1, 0),
        "one login, and no token was ever used twice"
    );
    let receipts = here.ground.receipts().await?;
    let lost_answers = receipts
        .iter()
        .filter(|r| serde_json::to_string(r).is_ok_and(|text| text.contains("Lost")))
        .count();
    assert_eq!(u64::try_from(lost_answers)?, lost, "each lost answer is in its receipt");
    let longest = |sizes: &mut dyn Iterator<Item = usize>| sizes.max().unwrap_or(0);
    let status = longest(
        &mut found
            .iter()
            .map(|upgrade| serde_json::to_string(&upgrade.status).map_or(0, |text| text.len())),
    );
    let receipt = longest(
        &mut receipts
            .iter()
            .map(|receipt| serde_json::to_string(&receipt).map_or(0, |text| text.len())),
    );
    show(&format!(
        "weekend: the largest status has {status} bytes, the largest receipt {receipt}"
    ));
    assert!(status < 4096 && receipt < 8192, "nothing grows with the number of devices");
    // Two operators, one after the other, the simulated Central and the story in one process.
    let memory = resident()?;
    show(&format!("weekend: {} MB of memory", memory / 1_000_000));
    assert!(memory < MOST_MEMORY, "{memory} bytes for {} upgrades", all.len());
    Ok(())
}

/// What this process has in memory, in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .unwrap_or_default()
        .trim()
        .parse()?;
    Ok(kilobytes * 1024)
}
