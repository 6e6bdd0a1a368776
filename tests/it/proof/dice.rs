//! Numbers that look random and can be had again: whoever has to repeat a run gives its seed in `WINDLASS_TEST_SEED`.

use std::time::Duration;

use super::large;

/// A sequence of numbers that its seed fixes.
pub struct Dice(u64);

impl Dice {
    /// Any seed will do.
    pub fn new(seed: u64) -> Dice {
        // xorshift has one fixed point, 0.
        Dice(seed.max(1))
    }

    /// A number below `sides`, which is at least 1.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// One of these, of which there is at least one.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.roll(of.len() as u64);
        &of[usize::try_from(at).unwrap_or(0)]
    }

    /// Waits for less than so many milliseconds.
    pub async fn pause(&mut self, at_most: u64) {
        tokio::time::sleep(Duration::from_millis(self.roll(at_most))).await;
    }
}

/// The seeds of one test: a few, or many, and other ones each day's run would be of no use to whoever has to repeat it.
pub fn seeds(few: u64, many: u64) -> Vec<u64> {
    let first = std::env::var("WINDLASS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    match first {
        Some(seed) => vec![seed],
        None => (1..=if large() { many } else { few }).map(|n| n * 7919).collect(),
    }
}
