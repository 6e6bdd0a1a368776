//! One start or note, from the decision to the recorded answer, as one task that nothing cancels (protocol, section 2).
//!
//! The reconcile that decided does not wait: it returns, and the task's end wakes the resource. Everything slow (limiter, login, a
//! fresh look) comes before the permit; everything is read live and decided again before the receipt is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Api;
use kube::ResourceExt;

use super::clients;
use super::clients::Client;
use super::context::Context;
use super::context::Preparing;
use super::events;
use super::gather;
use super::permit::AsOf;
use super::permit::Live;
use super::permit::Order;
use super::permit::Plan;
use super::permit::Refused;
use super::permit::Schedules;
use super::permit::StartPermit;
use super::permit::said;
use super::receipts;
use super::upgrade::Upgrade;
use super::wakes::Who;
use crate::api::Connection;
use crate::api::UpgradeReceipt;
use crate::api::upgrade_receipt::RequestedBy;
use crate::upgrade::decide::decide;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::What;
use crate::upgrade::facts::Refusal;
use crate::upgrade::ledger::Damaged;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::receipt::Note;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;
use crate::vendor::Ready;
use crate::vendor::describe_request;
use crate::vendor::error::VendorError;

/// Argo CD's mark of who applied an object; kept in the receipt for the audit trail.
const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";

/// Why a start or a note did not come about. Nothing was sent.
#[derive(Debug, thiserror::Error)]
enum NotBegun {
    #[error("preparing failed: {0}")]
    Prepare(VendorError),
    #[error("{0} is gone")]
    Gone(&'static str),
    #[error("{0} has the labels of another shard by now")]
    Moved(&'static str),
    #[error("the live objects do not lead to the same decision any more")]
    DecidedOtherwise,
    #[error("the ledger moved on: {0}")]
    LedgerMoved(String),
    #[error(transparent)]
    Gather(#[from] gather::GatherError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the API server says: {}", said(.0))]
    Api(#[from] kube::Error),
}

impl NotBegun {
    /// The same would come of trying at once: wait a little. The others lost a race and decide anew on newer facts.
    fn lasts(&self) -> bool {
        match self {
            NotBegun::Prepare(_) | NotBegun::Gather(_) | NotBegun::Api(_) => true,
            NotBegun::Refused(refused) => {
                matches!(
                    refused,
                    Refused::ClockSkew(_) | Refused::OutsideOfSchedule(_) | Refused::NotTooLate(_) | Refused::Api(_) | Refused::TooLate(_)
                )
            }
            NotBegun::Gone(_) | NotBegun::Moved(_) | NotBegun::DecidedOtherwise | NotBegun::LedgerMoved(_) => false,
        }
    }
}

/// What was decided, and by which resource.
pub struct Begun {
    /// The resource.
    pub who: Who,
    /// What was decided.
    pub effect: Effect,
    /// The client of its Connection; `None` where there is none, for what [needs no vendor](Effect::needs_vendor).
    pub client: Option<Arc<Client>>,
    /// The resource's one place; freed once the receipt is written.
    pub preparing: Preparing,
}

/// Spawns the task. It is joined at shutdown and never cancelled.
pub fn begin<K: Upgrade>(context: &Arc<Context>, begun: Begun) {
    let context = Arc::clone(context);
    let tasks = context.tasks.clone();
    let using = begun.client.as_ref().map(|client| client.using());
    tasks.spawn(async move {
        let _using = using;
        let Begun {
            who,
            effect,
            client,
            preparing,
        } = begun;
        let begun = match &client {
            Some(client) if effect.needs_vendor() => permit::<K>(&context, &who, &effect, client).await,
            _ => note::<K>(&context, &who, &effect).await.map(|()| None),
        };
        match begun {
            Ok(None) => preparing.done(),
            Ok(Some((ready, permit))) => {
                preparing.done();
                context.wakes.wake(&who);
                send(&context, ready, permit).await;
                // The answer may be the only place where a token is told: it is handed over before anything else can go wrong.
                if let Some(client) = client.as_ref().filter(|_| effect.options.asks_permission()) {
                    clients::hand_over(client, &who);
                }
            }
            Err(error) => {
                let key = effect.key;
                tracing::info!(
                    kind = who.kind.word(), namespace = %who.namespace, name = %who.name, target = %key, because = %error,
                    "nothing was started"
                );
                // The loser follows what the winner wrote, however late its watch is; else it would lose the same race again and again.
                if let NotBegun::Refused(Refused::LostTheRace(_, Some(winner))) = &error {
                    context.ledgers.learn(winner);
                }
                if let NotBegun::Refused(Refused::Api(answer)) | NotBegun::Api(answer) = &error {
                    context.served.suspect(answer);
                }
                // It may show one in flight that never was.
                if let Some(client) = &client {
                    context.wakes.wake(&client.who);
                }
                if error.lasts() {
                    let at = context.clock.mono();
                    preparing.refused(Refusal {
                        key,
                        why: error.to_string(),
                        at,
                        before: 0,
                    });
                } else {
                    // Before the wake: a decision that still saw this place taken would begin nothing, and nothing would wake it again.
                    drop(preparing);
                }
            }
        }
        context.wakes.wake(&who);
    });
}

/// Steps 2 to 5: everything before the permit, and the permit. `None` for a note, which needs none.
async fn permit<K: Upgrade>(
    context: &Context,
    who: &Who,
    effect: &Effect,
    client: &Client,
) -> Result<Option<(Ready, StartPermit)>, NotBegun> {
    let ready = client.vendor.prepare(&effect.key, &order(effect)).await.map_err(|error| {
        client.suspect(&error);
        NotBegun::Prepare(error)
    })?;
    context.sights.put(&who.namespace, &effect.key, ready.sight().clone());
    let slot = client.starting.lock().await;
    let (confirmed, reserved) = loop {
        let mut confirmed = confirm::<K>(
            context,
            who,
            effect,
            ready.sight().into(),
            Some((&client.who.name, ready.sight().asked)),
        )
        .await?;
        // Decided on the newest look, which need not be the one that ran the witness.
        if let Some(prepared) = &ready.sight().looks {
            confirmed.plan.effect.before.keep_witness(prepared);
        }
        if matches!(effect.what, What::Note(_)) {
            append_note::<K>(context, who, &confirmed.plan).await?;
            return Ok(None);
        }
        match context
            .permits
            .reserve(&confirmed.connection, &confirmed.plan, &open(context, &confirmed.plan))
            .await
        {
            // What was read of the Connection was behind, and the look is as good as it was: only what was read live is read again.
            Err(contended @ Refused::SlotContended) if context.permits.in_time(&confirmed.plan) => {
                tracing::info!(
                    kind = who.kind.word(), namespace = %who.namespace, name = %who.name, target = %effect.key, because = %contended,
                    "reading again"
                );
            }
            other => break (confirmed, other?),
        }
    };
    let (permit, receipt) = context.permits.append(reserved, &confirmed.plan, &context.leadership).await?;
    context.ledgers.learn(&receipt);
    drop(slot);
    tracing::info!(
        kind = who.kind.word(), namespace = %who.namespace, name = %who.name, connection = %confirmed.plan.connection,
        vendor = effect.key.vendor.slug(), target = %effect.key, receipt = permit.receipt(), attempt = effect.seq,
        version = %effect.run.version, "permit issued"
    );
    Ok(Some((ready, permit)))
}

/// Objects in flight through the Connection of a plan, its own not among them yet.
fn open(context: &Context, plan: &Plan) -> BTreeSet<String> {
    context.ledgers.open_through(&plan.effect.run.namespace, &plan.connection)
}

/// A note that rests on nothing that the vendor shows: the clock and the ledger say it all.
async fn note<K: Upgrade>(context: &Context, who: &Who, effect: &Effect) -> Result<(), NotBegun> {
    let now = AsOf {
        mono: context.clock.mono(),
        wall: context.clock.wall(),
    };
    let confirmed = confirm::<K>(context, who, effect, now, None).await?;
    append_note::<K>(context, who, &confirmed.plan).await
}

async fn append_note<K: Upgrade>(context: &Context, who: &Who, plan: &Plan) -> Result<(), NotBegun> {
    let receipt = context.permits.note(plan).await?;
    context.ledgers.learn(&receipt);
    let effect = &plan.effect;
    tracing::info!(
        kind = who.kind.word(), namespace = %who.namespace, name = %who.name, connection = %plan.connection, target = %effect.key,
        receipt = %receipt.name_any(), attempt = effect.seq, note = ?effect.what, "noted"
    );
    if effect.what == What::Note(Note::Adopted) {
        let event = events::adopted(&receipt.name_any(), &effect.run.version);
        let regarding = ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            namespace: Some(who.namespace.clone()),
            name: Some(who.name.clone()),
            uid: Some(plan.requested_by.uid.clone()),
            ..ObjectReference::default()
        };
        context.announcer.tell(regarding, event);
    }
    Ok(())
}

/// Steps 6 and 7. From here on nothing may be lost: what was sent is recorded, what was not is withdrawn.
async fn send(context: &Context, ready: Ready, permit: StartPermit) {
    let stored = match ready.start(permit).await {
        Ok(sent) => context.permits.record(sent).await,
        Err(unsent) => context.permits.withdraw(unsent.permit, &unsent.why.to_string()).await,
    };
    if let Some(receipt) = stored {
        context.ledgers.learn(&receipt);
    }
}

/// What step 3 read live, and the plan that it confirmed.
struct Confirmed {
    connection: Live<Connection>,
    plan: Plan,
}

/// Step 3: the resource, its Connection and the ledger's last receipt, read live, and the same pure decision again. Only the same
/// answer goes on. `prepared`: for a start, the name of its Connection, and when the look was asked that it was prepared with.
async fn confirm<K: Upgrade>(
    context: &Context,
    who: &Who,
    effect: &Effect,
    as_of: AsOf,
    prepared: Option<(&str, Mono)>,
) -> Result<Confirmed, NotBegun> {
    let objects: Api<K> = Api::namespaced(context.kube.clone(), &who.namespace);
    let connections: Api<Connection> = Api::namespaced(context.kube.clone(), &who.namespace);
    let through = prepared.map(|(connection, _)| connection);
    let read = async |name: &str| Live::get(&connections, name).await.map_err(NotBegun::Api);
    // Beside each other: the decision below is on all of them, and none is older than the first request.
    let (object, early, last) = futures::try_join!(
        async { Live::get(&objects, &who.name).await.map_err(NotBegun::Api) },
        async {
            match through {
                Some(name) => read(name).await,
                None => Ok(None),
            }
        },
        last_receipt(context, &effect.key),
    )?;
    let object = object.ok_or(NotBegun::Gone("the resource"))?;
    let object = object.object();
    if object.meta().deletion_timestamp.is_some() {
        return Err(NotBegun::Gone("the resource"));
    }
    if !context.shard.has(object) {
        return Err(NotBegun::Moved("the resource"));
    }
    let name = object.connection();
    let connection = match early {
        Some(connection) if through == Some(name) => Some(connection),
        _ => read(name).await?,
    };
    let connection = connection.ok_or(NotBegun::Gone("the Connection"))?;
    if !context.shard.has(connection.object()) {
        return Err(NotBegun::Moved("the Connection"));
    }
    let ledger = |key: &TargetKey| {
        if *key == effect.key {
            with_last(context, key, last.clone())
        } else {
            context.ledgers.ledger(key)
        }
    };
    let mut facts = gather::gather(context, object, Some(connection.object()), &ledger, None)?;
    if let Some((_, asked)) = prepared {
        facts.rest_on_looks_since(&effect.key, asked);
    }
    let again = decide(&facts)
        .effect
        .filter(|e| e.same_as(effect))
        .ok_or(NotBegun::DecidedOtherwise)?;
    // Where a schedule cannot be read, nothing was decided to start.
    let (own, theirs) = (facts.schedule.unwrap_or_default(), facts.connection.schedule.unwrap_or_default());
    let order = order(&again);
    let plan = Plan {
        request: describe_request(&effect.key, &order),
        order,
        as_of,
        schedules: Schedules { own, connection: theirs },
        connection: name.to_owned(),
        requested_by: requested_by(object),
        effect: again,
    };
    Ok(Confirmed { connection, plan })
}

/// What an effect asks of the vendor.
fn order(effect: &Effect) -> Order {
    Order {
        version: effect.run.version.clone(),
        options: effect.options.clone(),
        scheduled_at: effect.due,
    }
}

/// The ledger's last receipt, read by name. No LIST: facts are write-once, so a cached receipt can only look *more* open than it is,
/// and the create of n+1 fails if n+1 exists.
async fn last_receipt(context: &Context, key: &TargetKey) -> Result<Option<Receipt>, NotBegun> {
    let api: Api<UpgradeReceipt> = Api::all(context.kube.clone());
    let cached = context.ledgers.ledger(key).map_err(|d| NotBegun::LedgerMoved(d.to_string()))?;
    let Some(last) = cached.last() else { return Ok(None) };
    let live = Live::get(&api, &last.name).await?;
    let live = live.ok_or_else(|| NotBegun::LedgerMoved(format!("receipt {} is gone", last.name)))?;
    context.ledgers.learn(live.object());
    Ok(Some(receipts::read(live.object())))
}

fn with_last(context: &Context, key: &TargetKey, last: Option<Receipt>) -> Result<Ledger, Damaged> {
    let mut receipts = context.ledgers.ledger(key)?.receipts().to_vec();
    if let Some(last) = last {
        receipts.retain(|r| r.seq != last.seq);
        receipts.push(last);
    }
    Ledger::read(key, receipts)
}

/// Who asks, as far as a controller can know: uid and generation join the API server's audit log.
fn requested_by<K: Upgrade>(object: &K) -> RequestedBy {
    let spec_managers = object
        .managed_fields()
        .iter()
        .filter(|m| m.subresource.as_deref().is_none_or(str::is_empty));
    let newest = spec_managers.max_by_key(|m| m.time.as_ref().map(|t| t.0));
    RequestedBy {
        kind: K::KIND.word().to_owned(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        generation: object.meta().generation.unwrap_or_default(),
        field_manager: newest.and_then(|m| m.manager.clone()),
        // An annotation may be far longer than what a receipt takes.
        tracking_id: object.annotations().get(TRACKING_ANNOTATION).map(|id| receipts::bounded(id)),
    }
}
