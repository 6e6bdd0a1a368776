//! The controller of upgrades of every kind: gather, decide, write what was concluded, begin at most one start, look, report.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;

use super::act;
use super::clients;
use super::clients::Client;
use super::connection::wake_first;
use super::context::Context;
use super::events;
use super::gather;
use super::line::Place;
use super::permit::Refused;
use super::report;
use super::sights;
use super::upgrade::Upgrade;
use super::wakes::Who;
use crate::api::Connection;
use crate::metrics::Shown;
use crate::upgrade::decide::decide;
use crate::upgrade::decision::Decision;
use crate::upgrade::decision::Fact;
use crate::upgrade::decision::Look;
use crate::upgrade::decision::What;
use crate::upgrade::facts::Facts;
use crate::upgrade::facts::TargetFacts;
use crate::upgrade::reason::Reason;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::target::TargetKey;
use crate::upgrade::timing::Mono;

/// Why a pass did not come to its end. Nothing is lost: the next pass starts from the facts again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object cannot be read.
    #[error("the object cannot be read: {0}")]
    Invalid(String),
    /// The spec cannot be read.
    #[error(transparent)]
    Gather(#[from] gather::GatherError),
    /// The status could not be written.
    #[error("the status could not be written: {0}")]
    Status(kube::Error),
    /// A conclusion could not be written.
    #[error("a conclusion could not be written: {0}")]
    Conclusion(#[from] Refused),
}

impl Error {
    /// Label of the error metric.
    pub fn label(&self) -> &'static str {
        match self {
            Error::Invalid(_) => "invalid",
            Error::Gather(_) => "gather",
            Error::Status(_) => "status",
            Error::Conclusion(_) => "conclusion",
        }
    }

    /// Somebody else wrote in between, or our cache is behind: the next pass reads newer facts.
    pub fn behind(&self) -> bool {
        matches!(self, Error::Status(kube::Error::Api(status)) | Error::Conclusion(Refused::Api(kube::Error::Api(status)))
            if matches!(status.code, 404 | 409))
    }
}

/// One pass.
pub async fn reconcile<K: Upgrade>(guard: Arc<DeserializeGuard<K>>, context: Arc<Context>) -> Result<Action, Error> {
    let who = Who::new(K::KIND, &guard.namespace().unwrap_or_default(), &guard.name_any());
    pass(&guard, &who, &context).await.inspect_err(|error| {
        if let Error::Status(answer) | Error::Conclusion(Refused::Api(answer)) = error {
            context.served.suspect(answer);
        }
        if matches!(error, Error::Invalid(_) | Error::Gather(_)) {
            stand(&context, &who, None);
        }
    })
}

async fn pass<K: Upgrade>(guard: &DeserializeGuard<K>, who: &Who, context: &Arc<Context>) -> Result<Action, Error> {
    let object = guard.0.as_ref().map_err(|e| Error::Invalid(e.to_string()))?;
    // gather (caches and memory)
    let connection = context.connection(&who.namespace, object.connection());
    let starting = context.starting.of(&object.uid().unwrap_or_default());
    let facts = gather::gather(
        &**context,
        object,
        connection.as_deref(),
        &|key| context.ledgers.ledger(key),
        starting,
    )?;
    let keys: Vec<TargetKey> = facts.targets.iter().map(|t| t.key.clone()).collect();
    context.ledgers.care(who, &keys);
    // decide (pure)
    let (facts, decision) = judge(context, facts);
    follow(context, &facts, &decision);
    line_up(context, who, object, &decision);
    // write what was concluded; its arrival in the cache brings the next pass, which reports it
    if !decision.writes.is_empty() {
        for (basis, fact) in concluded(&facts, &decision) {
            context.ledgers.learn(&context.permits.conclude(basis, fact).await?);
            if let Some(event) = events::of_fact(basis, fact) {
                report::publish(context, object, event);
            }
        }
        return Ok(Action::requeue(Duration::ZERO));
    }
    // act and look (tasks of their own, which wake us)
    let client = connection
        .as_deref()
        .and_then(|c| context.clients.of_type(c, object.connection_type()));
    begin(context, who, object, &decision, client.as_ref());
    if let Some(client) = &client {
        look(client, who, &decision);
        if decision.hand_over {
            clients::hand_over(client, who);
        }
    }
    // report (client)
    let again = report::report(context, object, &decision).await.map_err(Error::Status)?;
    context
        .metrics
        .show_upgrade(who, Shown::from(&decision.summary), context.clock.mono());
    let wake = decision.wake.into_iter().chain(again).min();
    Ok(wake.map_or_else(Action::await_change, Action::requeue))
}

/// What a list showed a moment ago, whoever asked for it, is enough to prepare a start on: preparing looks afresh, and only what that shows allows it.
/// It is not enough to say no, or to wait: for that the resource has a look of its own.
fn judge(context: &Context, facts: Facts) -> (Facts, Decision) {
    let decision = decide(&facts);
    let unseen = |target: &TargetFacts| target.sights.is_empty() && target.wish.is_some();
    if decision.effect.is_some() || facts.starting.is_some() || !facts.targets.iter().any(unseen) {
        return (facts, decision);
    }
    let namespace = &facts.subject.namespace;
    let since = Mono(facts.mono.0.saturating_sub(facts.timing.poll_waiting));
    let mut with_lists = facts.clone();
    for target in with_lists.targets.iter_mut().filter(|target| unseen(target)) {
        target.sights.extend(context.sights.listed(namespace, &target.key, since));
    }
    let on_lists = decide(&with_lists);
    match &on_lists.effect {
        Some(effect) if effect.what == What::Start => {
            for target in &with_lists.targets {
                if let ([sight], true) = (target.sights.as_slice(), target.key == effect.key) {
                    context.sights.put(namespace, &target.key, sight.clone());
                }
            }
            (with_lists, on_lists)
        }
        _ => (facts, decision),
    }
}

/// Takes this resource's place among those that wait for a slot of the Connection, and lets others on where it left it.
fn line_up<K: Upgrade>(context: &Context, who: &Who, object: &K, decision: &Decision) {
    let through = Who::connection(&who.namespace, object.connection());
    let place = decision.in_line.as_ref().map(|next| Place {
        connection: through,
        created: gather::created(object),
        from: next.from,
        object: next.object.clone(),
        waits: decision.blockers.iter().any(|blocker| blocker.reason == Reason::LimitReached),
    });
    stand(context, who, place);
}

/// The place of a resource, or none: it is gone, or cannot be read. Who stood behind it looks whether it is their turn.
pub fn stand(context: &Context, who: &Who, place: Option<Place>) {
    let Some(left) = context.line.take(who, place) else { return };
    if let Some(connection) = context.connection(&left.namespace, &left.name) {
        wake_first(context, &left, &connection);
    }
}

/// What is to be written, and the receipt that it was concluded from.
fn concluded<'a>(facts: &'a Facts, decision: &'a Decision) -> impl Iterator<Item = (&'a Receipt, &'a Fact)> {
    let open = |name: &str| {
        facts
            .targets
            .iter()
            .find_map(|t| t.ledger.as_ref().ok()?.open().filter(|r| r.name == name))
    };
    decision
        .writes
        .iter()
        .filter_map(move |write| Some((open(&write.receipt)?, &write.fact)))
}

/// The sweep need not look at what a resource follows: the open receipts behind its rows. One that it only waits for is somebody else's,
/// who may be gone: without the sweep nobody would look, and the wait would never end.
fn follow(context: &Context, facts: &Facts, decision: &Decision) {
    let open = |t: &TargetFacts| t.ledger.as_ref().ok().and_then(|l| l.open().map(|r| r.name.clone()));
    let shown = |receipt: &String| decision.rows.iter().any(|row| row.receipt.as_ref() == Some(receipt));
    for receipt in facts.targets.iter().filter_map(open).filter(shown) {
        context.ledgers.follow(&receipt, facts.mono);
    }
}

fn begin<K: Upgrade>(context: &Arc<Context>, who: &Who, object: &K, decision: &Decision, client: Option<&Arc<Client>>) {
    let Some(effect) = decision.effect.as_ref().filter(|e| client.is_some() || !e.needs_vendor()) else {
        return;
    };
    let Some(preparing) = context.starting.begin(&object.uid().unwrap_or_default(), &effect.key) else {
        return;
    };
    act::begin::<K>(
        context,
        act::Begun {
            who: who.clone(),
            effect: effect.clone(),
            client: client.cloned(),
            preparing,
        },
    );
}

fn look(client: &Arc<Client>, who: &Who, decision: &Decision) {
    let (detailed, listed): (Vec<&Look>, Vec<&Look>) = decision.looks.iter().partition(|l| l.detailed);
    let listed: Vec<TargetKey> = listed.into_iter().map(|l| l.key.clone()).collect();
    sights::list(client, &listed, who);
    for look in detailed {
        sights::observe(client, look, who);
    }
}

/// Upgrades that go through a Connection: they decide again when it changes in a way that matters to them.
pub fn wake_users(context: &Context, connection: &Connection) {
    let namespace = connection.namespace().unwrap_or_default();
    for who in context.users_of(&namespace, &connection.name_any()) {
        context.wakes.wake(&who);
    }
}
