//! How much of what vendors send is in memory at once, over all Connections.
//!
//! Whoever may write a Connection chooses the server, and a server chooses how long its answers are and how slowly they come. A bound on
//! each answer alone is none on the process: thirty servers that each hold back the last byte of 8 MiB would be its end, and with it the
//! end of everybody's runs. So an answer of more than [`SMALL_BODY`] takes a place first, and there are [`PLACES`] in the process.

use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use futures::future::Either;
use futures::future::select;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::clock::Clock;

/// Longest body that is read without a place: the list of some 200 clusters, and a hundred times the usual answer. Nothing that is needed
/// to start a cluster, or to see what became of it, is longer; so nobody else's answers can hold those up.
pub const SMALL_BODY: usize = 64 * 1024;

/// Longest body that is read at all. A list of every Supervisor cluster of a large vCenter is far below it.
pub const LONGEST_BODY: usize = 8 * 1024 * 1024;

/// How many longer bodies are in memory at once. Each is at most 8 MiB of text, of which as much again may be kept as strings while it is
/// parsed, and 4 MiB of values (50,000, see `decode::json`) with some 10 MiB of sights made of them: 30 MiB. Four are 120 MiB, which with
/// the 64 MiB that the process asks for leaves a quarter of its limit of 256 MiB (`resources` in charts/windlass/values.yaml).
pub const PLACES: usize = 4;

/// The places of this process.
static OF_THE_PROCESS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(PLACES)));

/// What one endpoint may have of the places: one at a time, or a single hostile server would hold them all.
///
/// Nobody waits in a circle: an endpoint's own place is taken first, then one of the process's, and who has both waits for nothing but
/// the network, for as long as the call's timeout.
#[derive(Debug)]
pub(super) struct Room {
    own: Arc<Semaphore>,
    shared: Arc<Semaphore>,
}

/// A place, given back when the body that it was taken for is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl Room {
    /// For one more endpoint of this process.
    pub fn of_the_process() -> Room {
        Room::sharing(Arc::clone(&OF_THE_PROCESS))
    }

    /// For one more endpoint among those that share these places.
    pub fn sharing(shared: Arc<Semaphore>) -> Room {
        Room {
            own: Arc::new(Semaphore::new(1)),
            shared,
        }
    }

    /// Waits for a place, not longer than this. `Err` says why there is none.
    pub async fn place(&self, clock: &Clock, longest: Duration) -> Result<Place, String> {
        let both = async {
            let own = Arc::clone(&self.own).acquire_owned().await?;
            let shared = Arc::clone(&self.shared).acquire_owned().await?;
            Ok(Place {
                _own: own,
                _shared: shared,
            })
        };
        match select(std::pin::pin!(both), std::pin::pin!(clock.sleep(longest))).await {
            Either::Left((Ok(place), _)) => Ok(place),
            // Nobody closes a semaphore here; if somebody did, there would be no place.
            Either::Left((Err::<_, tokio::sync::AcquireError>(_), _)) | Either::Right(_) => Err(format!(
                "a body of more than {SMALL_BODY} bytes, for which other long answers left no room in time"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(2))
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_has_one_place_at_a_time_and_leaves_the_others() {
        let (shared, clock) = (shared(), Clock::system());
        let (greedy, modest) = (Room::sharing(Arc::clone(&shared)), Room::sharing(shared));
        let held = greedy.place(&clock, Duration::from_secs(1)).await.unwrap();
        greedy.place(&clock, Duration::from_secs(1)).await.unwrap_err();
        modest.place(&clock, Duration::from_secs(1)).await.unwrap();
        drop(held);
        greedy.place(&clock, Duration::from_secs(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_places_than_there_are_and_waiting_ends() {
        let (shared, clock) = (shared(), Clock::system());
        let endpoints: Vec<Room> = (0..30).map(|_| Room::sharing(Arc::clone(&shared))).collect();
        let mut held = Vec::new();
        for room in &endpoints {
            held.extend(room.place(&clock, Duration::from_secs(30)).await);
        }
        assert_eq!(held.len(), 2);
        let why = endpoints[9].place(&clock, Duration::ZERO).await.unwrap_err();
        assert!(why.contains("no room in time"), "{why}");
        // Who gave up keeps nothing: all places are there again, for endpoints that waited in vain, too.
        held.clear();
        let (a, b) = tokio::join!(
            endpoints[8].place(&clock, Duration::from_secs(1)),
            endpoints[9].place(&clock, Duration::from_secs(1))
        );
        assert!(a.is_ok() && b.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_who_waits_gets_a_place_in_turn() {
        let (shared, clock) = (shared(), Clock::system());
        let endpoints: Vec<Room> = (0..20).map(|_| Room::sharing(Arc::clone(&shared))).collect();
        let calls = endpoints.iter().flat_map(|room| [room, room]).map(|room| async {
            let _place = room.place(&clock, Duration::from_secs(30)).await?;
            clock.sleep(Duration::from_secs(1)).await;
            Ok::<(), String>(())
        });
        let outcomes = futures::future::join_all(calls).await;
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 40, "twenty seconds of two places");
        assert_eq!(shared.available_permits(), 2);
    }
}
