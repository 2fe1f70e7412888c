//! Chance from a seed, and waiting for what other processes do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::ambient::Ambient;
use keyway_shared::entropy::{Entropy as _, SeededEntropy};

/// Chance that a seed stands for.
pub(crate) struct Dice(SeededEntropy);

impl Dice {
    /// `part` tells apart those who throw dice at the same time.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        Self(SeededEntropy::new(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(part),
        ))
    }

    pub(crate) fn below(&self, end: usize) -> usize {
        ((self.0.fraction() * end as f64) as usize).min(end.saturating_sub(1))
    }

    pub(crate) fn chance(&self, of: f64) -> bool {
        self.0.fraction() < of
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below((to - from) as usize) as u64)
    }

    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// The time of the world, which the databases and the simulator have too.
pub(crate) fn now() -> DateTime<Utc> {
    Ambient::system().now()
}

/// Lets a fault last, or leaves time between two looks. Nothing is asserted about how long it is.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes go on meanwhile; no assertion rests on the time"
)]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Looks again and again until it is so. False: not within the limit.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    limit: Duration,
    mut is_so: impl FnMut() -> F,
) -> bool {
    let looking = async {
        while !is_so().await {
            pause(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, looking).await.is_ok()
}
