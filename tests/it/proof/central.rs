//! The life of an order at Aruba Central: each effect harmed, as [`matrix`](super::matrix) does for vCenter.
//!
//! The simulated Central is the least forgiving one: a second order is taken, and takes the place of the first. It gives no job, and nothing proves
//! there that an order was not taken, so what never arrived waits for a person; what did arrive shows on the devices, and never may.

use std::ops::Deref;
use std::ops::DerefMut;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio::time::Instant;
use windlass::api::Connection;
use windlass::api::FirmwareUpgrade;

use super::cells::Cell;
use super::cells::Cells;
use super::cells::Effect;
use super::cells::Variant;
use super::life::Life;
use super::matrix;
use super::story;
use super::story::Story;
use crate::ground::Ground;
use crate::sim::Clock;
use crate::sim::Entry;
use crate::sim::Log;
use crate::sim::Running;
use crate::sim::aruba;
use crate::sim::aruba::Central;
use crate::sim::aruba::Config;
use crate::sim::aruba::Kind;
use crate::sim::aruba::SecondStart;
use crate::sim::aruba::VERSION_NEW;
use crate::sim::faults::Faults;

/// The order, as the matrix calls it.
const ORDER: &str = "vendor POST upgrade";

/// Calls of a day that no look has to wait for.
const PER_DAY: u32 = 900_000;

/// A namespace and a Central with a customer of this story's own: a target is a vendor's address and a name, and addresses come again on a
/// busy machine.
pub struct CentralWorld {
    ground: Ground,
    central: Running<Central>,
    customer: String,
}

impl Deref for CentralWorld {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for CentralWorld {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

impl CentralWorld {
    /// A Central whose devices take two seconds from the time that their order names. Its clock is that of the operators, who name it.
    async fn new(name: &str, number: u32) -> anyhow::Result<CentralWorld> {
        let number = u16::try_from(number)?;
        let config = Config::default()
            .estate(|e| e.customers = number + 1)
            .pace(|p| (p.download_secs, p.stagger_secs, p.reboot_secs) = (1, 0, 1))
            .settings(|s| (s.second_start, s.per_day, s.enforce_second) = (SecondStart::Replaces, u64::from(PER_DAY), false))
            .clock(Clock::new(Timestamp::now(), 1.0));
        Ok(CentralWorld {
            ground: Ground::new(name).await?,
            central: Central::start(config).await?,
            customer: aruba::customer(number),
        })
    }
}

impl Life for CentralWorld {
    type Upgrade = FirmwareUpgrade;

    const START: &'static str = ORDER;

    async fn story(name: &str) -> anyhow::Result<Story<CentralWorld>> {
        let number = story::number();
        Story::around(CentralWorld::new(name, number).await?, number).await
    }

    async fn ask(story: &Story<CentralWorld>) -> anyhow::Result<()> {
        let world = &story.world;
        let secret = json!({"stringData": {
            "clientID": aruba::CLIENT_ID, "clientSecret": aruba::CLIENT_SECRET, "username": aruba::USER, "password": aruba::PASSWORD,
        }});
        world.create::<Secret>("central", secret).await?;
        let connection = json!({
            "type": "ArubaCentral", "url": world.central.url(), "caBundlePEM": world.central.ca_pem(), "credentialsSecretRef": {"name": "central"},
            "arubaCentral": {"customerId": aruba::MSP}, "limits": {"requestsPerDay": PER_DAY},
        });
        world.create::<Connection>("central", json!({"spec": connection})).await?;
        let upgrade = json!({
            "connectionRef": {"name": "central"}, "version": VERSION_NEW,
            "arubaCustomer": {"customerId": world.customer, "deviceType": Kind::Cx.word(), "reboot": true},
        });
        world.create::<FirmwareUpgrade>("b", json!({"spec": upgrade})).await
    }

    fn log(&self) -> &Log {
        self.central.log()
    }

    fn faults(&self) -> &Faults {
        self.central.faults()
    }

    fn call(entry: &Entry) -> (String, String) {
        // Each story's customer has an id of its own.
        if entry.start {
            return ("upgrade".to_owned(), aruba::start_path("*"));
        }
        (entry.path.rsplit('/').next().unwrap_or(&entry.path).to_owned(), entry.path.clone())
    }

    fn targets(upgrade: &FirmwareUpgrade) -> Vec<String> {
        let customer = upgrade.spec.aruba_customer.iter();
        customer.map(|whose| aruba::target(&whose.customer_id, Kind::Cx)).collect()
    }

    fn asks(post: &Entry, target: &str, version: &str) -> bool {
        let Some(body) = &post.body else { return false };
        let of_target = target
            .split('/')
            .nth(1)
            .is_some_and(|customer| post.path == aruba::start_path(customer));
        of_target && body["device_type"] == json!(Kind::Cx.word()) && body["firmware_version"] == json!(version)
    }

    /// Its reads and its order. The requests to the API server around them are those of every kind, and vCenter's matrix harms them all; those for
    /// tokens have stories of their own, for whoever dies over one leaves a claim that is respected for minutes.
    fn wholly(effect: &Effect) -> bool {
        let of_tokens = |path: &str| path.starts_with("/oauth2/");
        effect.vendor.as_ref().is_some_and(|(_, path)| !of_tokens(path)) || effect.heart::<CentralWorld>()
    }

    /// The order in the ways that differ; of the rest, where the answer and the memory of it part.
    fn chosen(effect: &Effect, variant: Variant) -> bool {
        use Variant::{DieBefore, DieCommitted, DieReplied, ErrorAfter, TimeoutAfter, Truncated};
        let parts = match effect.label.as_str() {
            ORDER => matches!(
                variant,
                DieBefore | DieCommitted | DieReplied | TimeoutAfter | ErrorAfter | Truncated
            ),
            "PATCH receipt answer" => matches!(variant, DieBefore | DieCommitted),
            "PATCH receipt end" => variant == DieBefore,
            _ => false,
        };
        effect.heart::<CentralWorld>() && parts
    }
}

/// Whether Central got the order, in full.
fn arrives(variant: Variant) -> bool {
    use Variant::{CutAfter, DieCommitted, DieReplied, Duplicated, ErrorAfter, Late, TimeoutAfter, Truncated};
    matches!(
        variant,
        DieCommitted | DieReplied | TimeoutAfter | Late | ErrorAfter | CutAfter | Truncated | Duplicated
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_effect_of_an_order_at_central_is_harmed_it_is_sent_once_and_what_arrived_needs_nobody() -> anyhow::Result<()> {
    let began = Instant::now();
    let effects = matrix::clean_run::<CentralWorld>().await?;
    let cells = matrix::harmed::<CentralWorld>(&effects, began).await;
    assert!(cells.len() >= 9, "{effects:?}");
    let asked = cells
        .iter()
        .filter(|((effect, variant), cell)| effect.label == ORDER && arrives(*variant) && matches!(cell, Cell::Person(_)));
    let asked: Vec<String> = asked.map(|((e, v), cell)| format!("{} / {v:?}: {cell:?}", e.name())).collect();
    matrix::verdict(&effects, &Cells::new(), cells, began);
    assert!(asked.is_empty(), "needed a person without need: {asked:#?}");
    Ok(())
}
