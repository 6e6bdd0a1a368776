//! The fault of one case of the matrix: how it is set, waited for, and let go.
//!
//! Part of [`matrix`](super::matrix); [`pauses`](super::pauses) holds effects with it.

use std::time::Duration;

use super::cells::Effect;
use super::cells::Variant;
use super::life::Life;
use super::proxy::Release;
use super::proxy::Trap;
use super::story::Story;
use crate::sim::Action;
use crate::sim::Match;
use crate::sim::Rule;
use crate::sim::When;
use crate::sim::faults;

/// How long a reply travels before the process that gets it is killed.
const DELIVERY: Duration = Duration::from_millis(60);

/// Longer than the operator under test waits for the answer to a start, far shorter than its grace period.
const AFTER_TIMEOUT: Duration = Duration::from_millis(2200);

/// The fault of one case, set before anything runs.
pub enum Harm {
    Api(Trap),
    Vendor(u64),
}

impl Harm {
    pub fn arm(story: &Story<impl Life>, effect: &Effect, variant: Variant) -> Harm {
        let Some((method, path)) = &effect.vendor else {
            return Harm::Api(story.proxy.arm(&effect.label, effect.nth, variant.at_api()));
        };
        let rule = Rule::new(variant.at_vendor()).on(Match::new(method, path));
        let skip = effect.nth as u64 - 1;
        Harm::Vendor(story.world.faults().add(rule.skipping(skip).times(1)))
    }

    pub async fn hit(&self, story: &Story<impl Life>) {
        match self {
            Harm::Api(trap) => trap.hit().await,
            // The rule stays for as long as the story: this cannot fail.
            Harm::Vendor(rule) => story.world.faults().wait_until_hit(*rule).await.unwrap(),
        }
    }

    /// What is held goes on.
    pub fn go_on(&self, story: &Story<impl Life>) -> anyhow::Result<()> {
        match self {
            Harm::Api(trap) => trap.release(Release::Forward),
            Harm::Vendor(rule) => story.world.faults().release(*rule, faults::Release::Continue)?,
        }
        Ok(())
    }

    /// "Die after the reply": it is delivered, and nothing that the process does next gets anywhere. The rule that holds its calls to
    /// the vendor is returned.
    pub async fn let_the_reply_out(&self, story: &Story<impl Life>, variant: Variant) -> anyhow::Result<Option<u64>> {
        if variant != Variant::DieReplied {
            return Ok(None);
        }
        let vendor = story.world.faults();
        let dead_end = vendor.add(Rule::new(Action::Hang { when: When::Before }));
        story.proxy.freeze();
        self.go_on(story)?;
        tokio::time::sleep(DELIVERY).await;
        Ok(Some(dead_end))
    }

    /// The process is dead: what it had under way is cut, not processed, and the way is free for the next.
    pub fn bury(&self, story: &Story<impl Life>, dead_end: Option<u64>) -> anyhow::Result<()> {
        let vendor = story.world.faults();
        story.proxy.thaw();
        if let Some(dead_end) = dead_end {
            vendor.release(dead_end, faults::Release::Drop)?;
            return vendor.remove(dead_end);
        }
        match self {
            Harm::Api(trap) => trap.release(Release::Drop),
            Harm::Vendor(rule) => vendor.release(*rule, faults::Release::Drop)?,
        }
        Ok(())
    }

    /// The vendor goes on, or breaks off, once the operator has given up waiting.
    pub async fn afterwards(&self, story: &Story<impl Life>, variant: Variant) -> anyhow::Result<()> {
        let (Harm::Vendor(rule), Variant::TimeoutBefore | Variant::TimeoutAfter | Variant::Late) = (self, variant) else {
            return Ok(());
        };
        tokio::time::sleep(AFTER_TIMEOUT).await;
        let release = if variant == Variant::Late {
            faults::Release::Continue
        } else {
            faults::Release::Drop
        };
        story.world.faults().release(*rule, release)
    }
}
