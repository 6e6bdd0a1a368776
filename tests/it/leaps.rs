//! Time that a story moves: weekends of a whole operator in a minute, in the story's own process.
//!
//! The runtime's clock stands still. [`Hands`] keep it from running ahead by itself, as it otherwise would whenever nothing is ready: what the
//! operator waits for is an API server outside of this process, and that is no time to it. A story lets everything come to rest, moves the clock to
//! wherever something may happen next, and so on. Steps are short after something has happened, since pauses of a second follow, and then grow.

use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;

/// The machine's time in which nothing must happen for everything to be at rest. An event of a watch follows the answer of the API server that it is
/// about at once, or is seen one short step later.
const STILL: Duration = Duration::from_millis(1);

/// So often in a row.
const STILL_TIMES: u32 = 2;

/// More parks than this are somebody's doing from the beginning. How many there are with nobody's differs with how the test was built.
const MOST_QUIET: u64 = 2;

/// The first step after something has happened: a fraction of the shortest pause of an operator.
const FIRST_STEP: Duration = Duration::from_millis(100);

/// By so much each is longer than the one before.
const GROWTH: u32 = 4;

/// A runtime whose time stands still.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().start_paused(true).build()
}

/// Whoever has these moves the time of the runtime that they were made in.
pub struct Hands {
    /// As long as a blocking task runs, the runtime does not move its time.
    _held: mpsc::Sender<()>,
    longest: Duration,
    step: Duration,
    /// The fewest parks that waiting for the machine's time has taken: nobody else did anything then.
    quiet: u64,
}

impl Hands {
    /// Of this runtime; no step is longer.
    pub fn new(longest: Duration) -> Hands {
        let (held, until) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || until.recv().is_err());
        Hands {
            _held: held,
            longest,
            step: FIRST_STEP,
            quiet: MOST_QUIET,
        }
    }

    /// Returns when nothing happens any more in this runtime and nothing is under way outside; whether anything did.
    async fn rest(&mut self, under_way: &impl Fn() -> usize) -> bool {
        let metrics = Handle::current().metrics();
        let mut happened = false;
        let mut still = 0;
        while still < STILL_TIMES {
            let parked = metrics.worker_park_count(0);
            // The machine's time, not the runtime's. Waiting for it parks the runtime once or twice; more is somebody's doing.
            let waited = tokio::task::spawn_blocking(|| std::thread::sleep(STILL)).await;
            let parks = metrics.worker_park_count(0) - parked;
            self.quiet = self.quiet.min(parks.max(1));
            let moved = waited.is_err() || parks > self.quiet || under_way() > 0;
            still = if moved { 0 } else { still + 1 };
            happened |= moved;
        }
        happened
    }

    /// Lets everything come to rest, and says how far the time is to be moved then.
    pub async fn next(&mut self, under_way: &impl Fn() -> usize) -> Duration {
        self.step = if self.rest(under_way).await {
            FIRST_STEP
        } else {
            (self.step * GROWTH).min(self.longest)
        };
        self.step
    }
}
