//! Making permits and recording what came of them: steps 4 to 7 of one start (protocol, section 2).
//!
//! Everything here goes through the ledger client, which never retries by itself: kube's default repeats a POST on 429, 503 and 504.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use kube::Api;
use kube::Client;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use kube::api::PostParams;
use serde_json::json;

use super::Deadline;
use super::Moment;
use super::Order;
use super::Sent;
use super::StartPermit;
use super::Unarmed;
use super::attempts::Attempts;
use super::reserve;
use super::reserve::Live;
use super::reserve::Reserved;
use super::store;
use super::store::Slot;
use super::store::Stored;
use crate::api::Connection;
use crate::api::LEDGER_FINALIZER;
use crate::api::UpgradeReceipt;
use crate::api::upgrade_receipt::Claim;
use crate::api::upgrade_receipt::ClaimedRun;
use crate::api::upgrade_receipt::RequestedBy;
use crate::api::upgrade_receipt::UpgradeReceiptSpec;
use crate::clock::Clock;
use crate::controller::receipts;
use crate::controller::wakes::Kind;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::metrics::StartOutcome;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::Fact;
use crate::upgrade::decision::What;
use crate::upgrade::history::came_to;
use crate::upgrade::memory::Custody;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::BootId;
use crate::upgrade::receipt::EndKind;
use crate::upgrade::receipt::Holder;
use crate::upgrade::receipt::Receipt;
use crate::upgrade::schedule::Schedule;
use crate::upgrade::sight::Sight;
use crate::upgrade::timing::Mono;
use crate::upgrade::timing::Timing;
use crate::upgrade::when::allowed_at;
use crate::upgrade::when::too_late_at;

/// Why no permit came about. Nothing was sent, and nothing is lost: the resource decides again.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Somebody changed the Connection between our read and our write.
    #[error("another start took a slot of this Connection at the same time")]
    SlotContended,
    /// Somebody else appended this receipt: they hold the target. What they wrote, where it was read: our cache is behind it.
    #[error("receipt {0} was appended by somebody else")]
    LostTheRace(String, Option<Box<UpgradeReceipt>>),
    /// The time that the vendor sight or the schedules allowed was over before the receipt was there.
    #[error("no receipt was written: {0}")]
    TooLate(Unarmed),
    /// The API server's clock and ours differ too much to keep a schedule.
    #[error("the API server's clock and ours differ by {0:?}")]
    ClockSkew(SignedDuration),
    /// By the API server's clock the schedules do not allow a start.
    #[error("the schedules do not allow a start at {0}, the API server's time")]
    OutsideOfSchedule(Timestamp),
    /// By the API server's clock `notAfter` has not passed.
    #[error("notAfter has not passed at {0}, the API server's time")]
    NotTooLate(Timestamp),
    /// No longer the leader.
    #[error("leadership was lost")]
    NotLeader,
    /// This process is shutting down.
    #[error("shutting down")]
    ShuttingDown,
    /// The API server refused, or could not be reached.
    #[error("the API server says: {}", said(.0))]
    Api(#[from] kube::Error),
}

/// The API server's own words, without the frame that the client puts around them: they go into a status.
pub fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// What a receipt is to say besides what was decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was decided, on the sight below.
    pub effect: Effect,
    /// When the look was asked that allowed it: from then on the permit ages.
    pub as_of: AsOf,
    /// The schedules that allow it, for a second clock to be held against.
    pub schedules: Schedules,
    /// Name of the Connection.
    pub connection: String,
    /// Who asks.
    pub requested_by: RequestedBy,
    /// The request, redacted, for people.
    pub request: String,
    /// What is sent.
    pub order: Order,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    /// Monotonic.
    pub mono: Mono,
    /// Wall.
    pub wall: Timestamp,
}

impl From<&Sight> for AsOf {
    fn from(sight: &Sight) -> AsOf {
        AsOf {
            mono: sight.asked,
            wall: sight.at,
        }
    }
}

/// What must allow a start at every moment of it.
#[derive(Clone, Debug)]
pub struct Schedules {
    /// That of the resource.
    pub own: Schedule,
    /// That of its Connection.
    pub connection: Schedule,
}

/// The only maker of permits in a process.
pub struct Permits {
    ledger: Client,
    clock: Clock,
    timing: Timing,
    boot: BootId,
    metrics: Metrics,
    claims: Attempts,
    /// Numbers the attempts to append, so that none takes another's receipt for its own.
    attempts: AtomicU64,
    stopping: tokio_util::sync::CancellationToken,
}

impl Permits {
    /// `ledger` must not retry by itself. Once `stopping` is cancelled no permit is granted any more.
    pub fn new(
        ledger: Client,
        clock: Clock,
        timing: Timing,
        boot: BootId,
        metrics: Metrics,
        stopping: tokio_util::sync::CancellationToken,
    ) -> Permits {
        Permits {
            ledger,
            clock,
            timing,
            boot,
            metrics,
            claims: Attempts::default(),
            attempts: AtomicU64::new(1),
            stopping,
        }
    }

    fn receipts(&self) -> Api<UpgradeReceipt> {
        Api::all(self.ledger.clone())
    }

    /// What this process has to do with a receipt.
    pub fn custody(&self, receipt: &Receipt) -> Custody {
        let ours = receipt.holder.as_ref().filter(|h| self.boot.made(h));
        ours.map_or(Custody::None, |holder| self.claims.custody(holder))
    }

    /// A permit that came about now could still be used.
    pub fn in_time(&self, plan: &Plan) -> bool {
        self.deadline(plan).check(&self.clock).is_ok()
    }

    /// Step 4: takes a slot on the Connection that was just read. `open`: objects that are in flight through it, for what people see of it.
    pub async fn reserve(&self, connection: &Live<Connection>, plan: &Plan, open: &BTreeSet<String>) -> Result<Reserved, Refused> {
        let by = format!(
            "{}/{}/{}",
            plan.effect.run.namespace, plan.requested_by.kind, plan.requested_by.name
        );
        let api = Api::namespaced(self.ledger.clone(), &plan.effect.run.namespace);
        let (key, now) = (&plan.effect.key, self.clock.wall());
        let slot = reserve::Slot {
            key,
            seq: plan.effect.seq,
            by: &by,
            in_flight: open.len() + usize::from(!open.contains(&key.object)),
        };
        reserve::reserve(&api, connection, &slot, now, &self.timing).await
    }

    /// Step 5: appends the receipt. The permit that comes back can start one thing once.
    pub async fn append(&self, reserved: Reserved, plan: &Plan, leadership: &Leadership) -> Result<(StartPermit, UpgradeReceipt), Refused> {
        let name = plan.effect.key.receipt_name(plan.effect.seq);
        debug_assert_eq!(reserved.receipt, name, "a reservation is for one receipt");
        if self.stopping.is_cancelled() {
            return Err(Refused::ShuttingDown);
        }
        if !leadership.held() {
            return Err(Refused::NotLeader);
        }
        let deadline = self.deadline(plan);
        let object = self.object(&name, plan);
        let holder = Holder(object.spec.claim.holder.clone().unwrap_or_default());
        let in_hand = self.claims.claim(&holder);
        let created = self.create(&name, &object, deadline).await;
        let receipt = created.inspect_err(|_| self.claims.forget(&holder))?;
        let permit = StartPermit {
            receipt: name,
            target: plan.effect.key.clone(),
            order: plan.order.clone(),
            deadline,
            leadership: leadership.clone(),
            clock: self.clock.clone(),
            in_hand,
            spent: false,
        };
        let skew = self.skew(&receipt);
        if skew.unsigned_abs() > self.timing.clock_skew {
            self.withdraw(permit, &format!("the API server's clock and ours differ by {skew:?}"))
                .await;
            return Err(Refused::ClockSkew(skew));
        }
        let created = receipt.creation_timestamp().map_or_else(|| self.clock.wall(), |t| t.0);
        if !allowed_at(&plan.schedules.connection, &plan.schedules.own, created) {
            self.withdraw(
                permit,
                &format!("the schedules do not allow a start at {created}, the API server's time"),
            )
            .await;
            return Err(Refused::OutsideOfSchedule(created));
        }
        Ok((permit, receipt))
    }

    /// Writes a receipt that never is a permit.
    pub async fn note(&self, plan: &Plan) -> Result<UpgradeReceipt, Refused> {
        let name = plan.effect.key.receipt_name(plan.effect.seq);
        if !plan.effect.needs_vendor() {
            self.too_late(&name, plan).await?;
        }
        let noted = self.create(&name, &self.object(&name, plan), self.deadline(plan)).await?;
        self.count_end(&noted);
        Ok(noted)
    }

    /// That it is too late is final once it is written, and nothing but a clock says so. The API server's is asked first, by a create that
    /// it does not carry out.
    async fn too_late(&self, name: &str, plan: &Plan) -> Result<(), Refused> {
        let ask = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let shown = match self.receipts().create(&ask, &self.object(name, plan)).await {
            Ok(shown) => shown,
            // Somebody appended it: the create will tell who.
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
            Err(error) => return Err(Refused::Api(error)),
        };
        let at = shown.creation_timestamp().map_or_else(|| self.clock.wall(), |t| t.0);
        if too_late_at(&plan.schedules.own, at) {
            return Ok(());
        }
        Err(Refused::NotTooLate(at))
    }

    /// A permit's life starts when the look that allowed it was asked, and ends at once where the schedules do not allow a start any
    /// more; either way the time that a connection may take is kept in reserve.
    fn deadline(&self, plan: &Plan) -> Deadline {
        let life = self.timing.ttl.saturating_sub(self.timing.connect_timeout);
        let wall = SignedDuration::try_from(life)
            .ok()
            .and_then(|life| plan.as_of.wall.checked_add(life).ok());
        Deadline {
            expires: Moment {
                mono: plan.as_of.mono.plus(life),
                wall: wall.unwrap_or(Timestamp::MIN),
            },
            closes: plan.effect.closes.map(|closes| self.closing(closes)),
        }
    }

    /// The end of a window on both clocks: a wall clock that is set back in between opens nothing again.
    fn closing(&self, closes: Timestamp) -> Moment {
        let reserve = SignedDuration::try_from(self.timing.connect_timeout).unwrap_or(SignedDuration::MAX);
        let wall = closes.checked_sub(reserve).unwrap_or(Timestamp::MIN);
        let left = Duration::try_from(wall.duration_since(self.clock.wall())).unwrap_or(Duration::ZERO);
        Moment {
            mono: self.clock.mono().plus(left),
            wall,
        }
    }

    /// The creation time is the API server's clock.
    fn skew(&self, receipt: &UpgradeReceipt) -> SignedDuration {
        receipt
            .creation_timestamp()
            .map_or(SignedDuration::ZERO, |t| self.clock.wall().duration_since(t.0))
    }

    /// Creates the receipt; an answer that does not tell is settled by reading. Ours means: the holder in it is this very attempt.
    async fn create(&self, name: &str, object: &UpgradeReceipt, deadline: Deadline) -> Result<UpgradeReceipt, Refused> {
        let api = self.receipts();
        loop {
            deadline.check(&self.clock).map_err(Refused::TooLate)?;
            let error = match api.create(&PostParams::default(), object).await {
                Ok(receipt) => return Ok(receipt),
                Err(error) => error,
            };
            // Refused for what it says, or for who we are: reading would tell nothing new.
            if matches!(&error, kube::Error::Api(status) if (400..500).contains(&status.code) && !matches!(status.code, 408 | 409 | 429)) {
                return Err(Refused::Api(error));
            }
            match api.get_opt(name).await {
                Ok(Some(found)) if found.spec.claim == object.spec.claim => return Ok(found),
                Ok(Some(found)) => return Err(Refused::LostTheRace(name.to_owned(), Some(Box::new(found)))),
                Ok(None) => tracing::warn!(receipt = name, %error, "appending is not settled: not there; the same create goes out again"),
                Err(read) => tracing::warn!(receipt = name, %error, %read, "appending is not settled; reading again"),
            }
            self.clock.sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    fn object(&self, name: &str, plan: &Plan) -> UpgradeReceipt {
        let effect = &plan.effect;
        let (holder, note, request) = match &effect.what {
            What::Start => {
                let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
                (Some(self.boot.holder(attempt).0), None, Some(plan.request.clone()))
            }
            What::Note(note) => (None, Some(note.word().to_owned()), None),
        };
        let claim = Claim {
            target: effect.key.canonical(),
            target_hash: effect.key.hash(),
            sequence: i32::try_from(effect.seq).unwrap_or(i32::MAX),
            run: ClaimedRun {
                namespace: effect.run.namespace.clone(),
                version: effect.run.version.clone(),
                run_key: effect.run.run_key.clone(),
            },
            connection: plan.connection.clone(),
            before: serde_json::to_string(&effect.before).unwrap_or_default(),
            request,
            options: Some(effect.options.canonical()),
            scheduled_at: effect.due,
            holder,
            requested_by: plan.requested_by.clone(),
            note,
        };
        UpgradeReceipt {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                finalizers: Some(vec![LEDGER_FINALIZER.to_owned()]),
                ..ObjectMeta::default()
            },
            spec: UpgradeReceiptSpec { claim, resolution: None },
            status: None,
        }
    }

    /// Gives a permit back unused: nothing was sent. Returns when that is stored.
    pub async fn withdraw(&self, mut permit: StartPermit, why: &str) -> Option<UpgradeReceipt> {
        permit.spent = true;
        let _in_hand = std::mem::take(&mut permit.in_hand);
        let (name, vendor) = (permit.receipt.clone(), permit.target.vendor);
        drop(permit);
        tracing::info!(receipt = %name, why, "permit withdrawn; nothing was sent");
        self.metrics.started(vendor.slug(), StartOutcome::Withdrawn);
        let fact = Fact::End {
            kind: EndKind::Withdrawn,
            how: format!("nothing was sent: {why}"),
        };
        let fact = receipts::fact_json(&fact, self.clock.wall());
        settled(store::store(&self.receipts(), &self.clock, &name, Slot::Unsent, &fact).await, &name)
    }

    /// Step 7: stores the answer. Returns only when it is stored.
    pub async fn record(&self, mut sent: Sent) -> Option<UpgradeReceipt> {
        let name = sent.receipt.clone();
        let vendor = sent.target.vendor.slug();
        tracing::info!(receipt = %name, vendor, target = %sent.target, answer = ?sent.answer, "the vendor answered a start");
        self.metrics.started(vendor, outcome(&sent.answer));
        let fact = json!({"answer": receipts::answer_json(&sent.answer, self.clock.wall())});
        let stored = store::store(&self.receipts(), &self.clock, &name, Slot::Answer, &fact).await;
        sent.recorded = true;
        let receipt = settled(stored, &name)?;
        let ended = receipts::read(&receipt).end.map(|e| e.kind);
        if matches!(ended, Some(EndKind::NotTaken | EndKind::Withdrawn)) && matches!(sent.answer, Answer::Accepted { .. }) {
            self.metrics.contradiction();
            tracing::error!(receipt = %name, "the vendor accepted a start that had been concluded not taken");
        }
        Some(receipt)
    }

    /// Writes what evidence says about a receipt, if the receipt still says what that was concluded from, and returns it as it is now.
    /// One try: the next decision comes to the same, or to what newer facts say.
    pub async fn conclude(&self, basis: &Receipt, fact: &Fact) -> Result<UpgradeReceipt, Refused> {
        let slot = match fact {
            Fact::Adopted { .. } => Slot::Adopted,
            Fact::Hint { .. } => Slot::Hint,
            Fact::Scheduled { .. } => Slot::Scheduled,
            Fact::End { .. } => Slot::End,
        };
        let json = receipts::fact_json(fact, self.clock.wall());
        match store::store_concluded(&self.receipts(), basis, slot, &json).await {
            Stored::Now(stored) => {
                tracing::info!(receipt = %basis.name, target = %basis.target, ?fact, "concluded");
                self.count_end(&stored);
                Ok(*stored)
            }
            Stored::Before(stored) => {
                tracing::info!(receipt = %basis.name, ?fact, "not concluded: the receipt says more by now");
                Ok(*stored)
            }
            Stored::Gone => Err(Refused::LostTheRace(basis.name.clone(), None)),
            Stored::Failed(error) => Err(Refused::Api(error)),
        }
    }

    /// Counts a run by the receipt that was just written, if that ended it.
    fn count_end(&self, receipt: &UpgradeReceipt) {
        let receipt = receipts::read(receipt);
        if let (Some(kind), Some(state)) = (Kind::of_upgrade(&receipt.requested_by.kind), came_to(&receipt)) {
            let lasted = receipt.began().zip(receipt.ended_at()).map(|(from, to)| to.duration_since(from));
            let lasted = lasted.map(|lasted| Duration::try_from(lasted).unwrap_or_default());
            self.metrics.run_ended(kind.word(), state, lasted);
        }
    }
}

fn settled(stored: Stored, name: &str) -> Option<UpgradeReceipt> {
    match stored {
        Stored::Now(receipt) => Some(*receipt),
        Stored::Before(receipt) => {
            tracing::error!(receipt = name, "this fact was already there; the first one stays");
            Some(*receipt)
        }
        Stored::Gone => {
            tracing::error!(receipt = name, "the receipt is gone: somebody removed its finalizer by hand");
            None
        }
        Stored::Failed(error) => {
            tracing::error!(receipt = name, %error, "a fact could not be stored");
            None
        }
    }
}

fn outcome(answer: &Answer) -> StartOutcome {
    match answer {
        Answer::Accepted { .. } => StartOutcome::Accepted,
        Answer::Rejected { .. } => StartOutcome::Rejected,
        Answer::NotTaken { .. } => StartOutcome::NotTaken,
        Answer::Lost { .. } => StartOutcome::InDoubt,
    }
}

#[cfg(test)]
#[path = "permits_tests.rs"]
mod tests;
