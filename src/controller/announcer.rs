//! Publishes Events, in the order in which they were told, from a task of its own: a pass holds one of few places, a start holds a Connection's place,
//! and neither waits for what only people read.
//!
//! An Event that is lost costs a line in `kubectl describe`, nothing else; those that were told are published before the process ends.

use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use futures::channel::mpsc::UnboundedSender;
use futures::channel::mpsc::unbounded;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::Event;
use kube::runtime::events::Recorder;

/// An Event, and what it is about.
type Told = (ObjectReference, Event);

/// Where Events are told.
pub struct Announcer(UnboundedSender<Told>);

/// What publishes them.
pub struct Announcements {
    told: UnboundedReceiver<Told>,
    recorder: Recorder,
}

/// An announcer, and what is to run for it.
pub fn announcer(recorder: Recorder) -> (Announcer, Announcements) {
    let (to, told) = unbounded();
    (Announcer(to), Announcements { told, recorder })
}

impl Announcer {
    /// Returns at once.
    pub fn tell(&self, regarding: ObjectReference, event: Event) {
        // Nobody is told any more once the process is on its way out.
        let _ = self.0.unbounded_send((regarding, event));
    }

    /// What is told from now on is lost.
    pub fn close(&self) {
        self.0.close_channel();
    }
}

impl Announcements {
    /// Publishes until the announcer is closed and everything that it was told is out.
    pub async fn run(mut self) {
        while let Some((regarding, event)) = self.told.next().await {
            if let Err(error) = self.recorder.publish(&event, &regarding).await {
                tracing::warn!(%error, "an Event could not be published");
            }
        }
    }
}
